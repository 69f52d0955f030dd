//! Why a task runs: a value that the decision makes and everybody else only shows.

use std::fmt;

use super::manifest::{ACCEPT, Field, Tag};

/// The value of a dependency that is skipped.
pub const SKIPPED: &[u8] = b"skipped";

/// The value of a dependency without which the task goes on, because it failed.
pub const FAILED: &[u8] = b"failed";

/// How one ingredient differs from the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is no longer there.
    Removed,
    /// Its content or value is another.
    Content,
    /// Only its exec bit.
    Mode,
    /// A file became a link, or a link a file.
    Kind,
}

/// Why a task must run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It declares nothing, so it runs whenever it is wanted.
    Unrecorded,
    /// A service, asked for by name: it is never up to date.
    Service,
    /// `always = true`.
    Always,
    /// `-B`, or `--force` with its name.
    Forced,
    /// No success of it is recorded.
    NoRecord,
    /// Its last attempt failed or was broken off.
    Unfinished,
    /// The command, its folder or shell, its acceptance tests or gates.
    Command(&'static str),
    /// A variable that it sets or takes.
    Variable(String),
    /// An input file.
    Input(Vec<u8>, Change),
    /// A file that the last run's depfile named.
    Found(Vec<u8>, Change),
    /// The number of files that a glob matches.
    Glob(Vec<u8>),
    /// A dependency that counts by its key.
    Dependency(String),
    /// What defines a service that it needs is not what it was.
    ServiceChanged(String),
    /// A dependency is skipped now, or no longer.
    Skipped(String, bool),
    /// This task, a part of a target that it needs, failed (or does not fail any more).
    Missing(String, bool),
    /// A declared output or install: it is declared since, or no longer, or otherwise.
    Outputs(Vec<u8>, Change),
    /// The program that it runs.
    Tool(Vec<u8>),
    /// taskr's own format, or the platform.
    Format,
    /// An output that is no longer there.
    OutputMissing(Vec<u8>),
    /// An output that is not as the task left it.
    OutputChanged(Vec<u8>),
    /// A path named in `installs` that is missing or another file than before.
    InstallChanged(Vec<u8>),
    /// An input changed while the task ran.
    Moved(Vec<u8>),
    /// A file that it reads is made by a task that it is not said to wait for: file, task.
    Untied(Vec<u8>, String),
    /// A success before the last one, which read other files, fits as well.
    Ambiguous,
    /// The workspace was moved, and an output may hold its path.
    Place,
    /// Its result is older than `max_age` allows.
    TooOld,
    /// Its `fresh_if` says that it is not fresh.
    FreshIf,
    /// Only without running: a dependency would run, and may change what this one reads.
    MayChange(String),
}

impl Reason {
    /// A word for machines; stable within a version of the event stream.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Unrecorded => "unrecorded",
            Reason::Service => "service",
            Reason::Always => "always",
            Reason::Forced => "forced",
            Reason::NoRecord => "no_record",
            Reason::Unfinished => "unfinished",
            Reason::Command(_) => "command",
            Reason::Variable(_) => "variable",
            Reason::Input(..) => "input",
            Reason::Found(..) => "found",
            Reason::Glob(_) => "glob",
            Reason::Dependency(_) => "dependency",
            Reason::ServiceChanged(_) => "service_changed",
            Reason::Skipped(..) => "skipped",
            Reason::Missing(..) => "missing",
            Reason::Outputs(..) => "outputs",
            Reason::Tool(_) => "tool",
            Reason::Format => "format",
            Reason::OutputMissing(_) => "output_missing",
            Reason::OutputChanged(_) => "output_changed",
            Reason::InstallChanged(_) => "install_changed",
            Reason::Moved(_) => "moved",
            Reason::Untied(..) => "untied",
            Reason::Ambiguous => "ambiguous",
            Reason::Place => "place",
            Reason::TooOld => "too_old",
            Reason::FreshIf => "fresh_if",
            Reason::MayChange(_) => "may_change",
        }
    }

    /// The path that moved, if the reason is about one.
    pub fn path(&self) -> Option<&[u8]> {
        match self {
            Reason::Input(path, _)
            | Reason::Found(path, _)
            | Reason::Outputs(path, _)
            | Reason::OutputMissing(path)
            | Reason::OutputChanged(path)
            | Reason::InstallChanged(path)
            | Reason::Tool(path)
            | Reason::Untied(path, _)
            | Reason::Moved(path) => Some(path),
            _ => None,
        }
    }

    /// The reason in the words for a run that is over.
    pub fn past(&self) -> String {
        match self {
            Reason::NoRecord => "it had not been built before".to_owned(),
            Reason::Unfinished => "its run before that failed or was broken off".to_owned(),
            Reason::Found(path, Change::Removed) => format!("{} was gone", shown(path)),
            Reason::Input(path, Change::Added) | Reason::Found(path, Change::Added) => {
                format!("{} was a new input", shown(path))
            }
            Reason::Input(path, Change::Removed) => {
                format!("{} was no longer an input", shown(path))
            }
            Reason::Glob(pattern) => format!("the pattern {} was new or gone", shown(pattern)),
            Reason::OutputMissing(path) => format!("{} was missing", shown(path)),
            Reason::OutputChanged(path) => format!("{} had been edited", shown(path)),
            Reason::InstallChanged(path) => format!("{} was missing or replaced", shown(path)),
            Reason::Missing(task, true) => format!("{task} had failed"),
            Reason::Missing(task, false) => format!("{task} had succeeded again"),
            Reason::Skipped(task, true) => format!("{task} was skipped"),
            Reason::Skipped(task, false) => format!("{task} was no longer skipped"),
            Reason::TooOld => "its result was older than `max_age`".to_owned(),
            Reason::FreshIf => "its `fresh_if` said no".to_owned(),
            Reason::ServiceChanged(task) => format!("the service {task} had been changed"),
            other => other.to_string(),
        }
    }

    /// Whether the command's text may have changed because of this, so that the text is not the
    /// first thing to name.
    pub(super) fn may_change_the_command(&self) -> bool {
        matches!(
            self,
            Reason::Input(_, Change::Added | Change::Removed)
                | Reason::Outputs(..)
                | Reason::Command("arguments")
        )
    }

    /// The reason that a differing field gives. A glob's number is told only where the files
    /// themselves do not tell it already.
    pub(super) fn of_field(field: &Field, change: Change) -> Option<Reason> {
        let name = || String::from_utf8_lossy(&field.name).into_owned();
        Some(match field.tag {
            Tag::Format | Tag::Platform => Reason::Format,
            Tag::Task => Reason::NoRecord,
            Tag::Command => Reason::Command("command"),
            Tag::Dir => Reason::Command("folder"),
            Tag::Shell => Reason::Command("shell"),
            Tag::Args => Reason::Command("arguments"),
            Tag::Environment => Reason::Command("environment"),
            Tag::Env | Tag::EnvInput => Reason::Variable(name()),
            Tag::Input => Reason::Input(field.name.clone(), change),
            Tag::Discovered => Reason::Found(field.name.clone(), change),
            Tag::Glob if change == Change::Content => return None,
            Tag::Glob => Reason::Glob(field.name.clone()),
            Tag::Dependency if field.value == SKIPPED => {
                Reason::Skipped(name(), change != Change::Removed)
            }
            Tag::Dependency if field.value == FAILED => {
                Reason::Missing(name(), change != Change::Removed)
            }
            Tag::Dependency => Reason::Dependency(name()),
            Tag::Output => Reason::Outputs(field.name.clone(), change),
            Tag::Tool => Reason::Tool(field.name.clone()),
            Tag::Check if field.name == ACCEPT => Reason::Command("acceptance tests"),
            Tag::Check => Reason::Command("gates"),
        })
    }
}

/// A path as a person reads it: control characters and bytes that are no text are escaped.
pub fn shown(path: &[u8]) -> String {
    path.utf8_chunks()
        .map(|chunk| {
            let mut text: String = chunk.valid().escape_debug().collect();
            text = text.replace("\\'", "'").replace("\\\"", "\"");
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
            text
        })
        .collect()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unrecorded => f.write_str("it declares no inputs or outputs"),
            Reason::Service => f.write_str("it is a service"),
            Reason::Always => f.write_str("it has `always = true`"),
            Reason::Forced => f.write_str("it was forced"),
            Reason::NoRecord => f.write_str("it has no result yet"),
            Reason::Unfinished => f.write_str("its last run failed or was broken off"),
            Reason::Command(what @ "arguments") => write!(f, "its {what} are others"),
            Reason::Command(what) => write!(f, "its {what} changed"),
            Reason::Variable(name) => write!(f, "the variable {name} changed"),
            Reason::Found(path, Change::Removed) => write!(f, "{} is gone", shown(path)),
            Reason::Input(path, change) | Reason::Found(path, change) => {
                let path = shown(path);
                match change {
                    Change::Added => write!(f, "{path} is a new input"),
                    Change::Removed => write!(f, "{path} is no longer an input"),
                    Change::Content => write!(f, "{path} changed"),
                    Change::Mode => write!(f, "{path} changed its exec bit"),
                    Change::Kind => write!(f, "{path} changed its type"),
                }
            }
            Reason::Glob(pattern) => write!(f, "the pattern {} is new or gone", shown(pattern)),
            Reason::Dependency(task) => write!(f, "{task} was built anew"),
            Reason::ServiceChanged(task) => write!(f, "the service {task} was changed"),
            Reason::Missing(task, true) => write!(f, "{task} failed"),
            Reason::Missing(task, false) => write!(f, "{task} succeeded again"),
            Reason::Skipped(task, true) => write!(f, "{task} is skipped now"),
            Reason::Skipped(task, false) => write!(f, "{task} is no longer skipped"),
            Reason::Outputs(path, Change::Added) => write!(f, "it now makes {}", shown(path)),
            Reason::Outputs(path, Change::Removed) => {
                write!(f, "it no longer makes {}", shown(path))
            }
            Reason::Outputs(path, _) => write!(f, "it declares {} otherwise", shown(path)),
            Reason::Tool(path) if path.contains(&b' ') => {
                write!(f, "`{}` prints something else", shown(path))
            }
            Reason::Tool(path) => write!(f, "the program {} changed", shown(path)),
            Reason::Format => f.write_str("taskr's format or the platform changed"),
            Reason::OutputMissing(path) => write!(f, "{} is missing", shown(path)),
            Reason::OutputChanged(path) => write!(f, "{} was edited", shown(path)),
            Reason::InstallChanged(path) => write!(f, "{} is missing or replaced", shown(path)),
            Reason::Moved(path) => write!(f, "{} changed while it ran", shown(path)),
            Reason::Untied(path, task) => {
                write!(f, "{task} makes {}, and is not waited for", shown(path))
            }
            Reason::Ambiguous => {
                f.write_str("an earlier run that read other files fits as well as the last one")
            }
            Reason::Place => {
                f.write_str("the workspace was moved, and its outputs may hold the old path")
            }
            Reason::TooOld => f.write_str("its result is older than `max_age`"),
            Reason::FreshIf => f.write_str("its `fresh_if` says no"),
            Reason::MayChange(task) => write!(f, "{task} would run first"),
        }
    }
}
