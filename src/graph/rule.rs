//! Rules: what a front end hands to the graph. One rule is one task, with every path in the
//! workspace's own terms and every name resolved but for the tasks it refers to.
//!
//! Knows no TOML: another front end can make rules too. What depends on the state of the disk
//! when the task is ready (globs, the command's text) is kept unrendered.

use std::sync::Arc;

use taskr_cache::{Digest, KeyHasher};

use super::lists::Lists;
use super::schedule::Schedule;
use super::scope::Scope;
use super::service::Service;
use crate::error::Place;
use crate::expr::Template;
use crate::files::Pattern;
use crate::outcome::Gate;
use crate::parse::{seen_from, split_name, split_pick};

/// What becomes of a task's success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No command: it stands for its dependencies.
    Group,
    /// Runs whenever it is wanted; nothing about it is remembered.
    Unrecorded,
    /// Has inputs or outputs: can be up to date.
    Recorded,
    /// Stays up while others need it, or until it is told to end; never recorded, but what
    /// defines it counts for those.
    Service,
}

impl Kind {
    /// What people and programs are told.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Group => "group",
            Kind::Unrecorded => "unrecorded",
            Kind::Recorded => "recorded",
            Kind::Service => "service",
        }
    }
}

/// A string of the front end with expressions in it, and where it stands.
#[derive(Clone, Debug)]
pub struct Text {
    /// The compiled string.
    pub template: Template,
    /// Where it was written.
    pub place: Option<Place>,
}

/// What a task executes.
#[derive(Clone, Debug)]
pub enum Action {
    /// A script for `shell`, lines joined by newlines.
    Shell {
        /// The program and its options; the script is added.
        shell: Vec<Text>,
        /// Each line.
        lines: Vec<Text>,
    },
    /// One program and its arguments.
    Exec(Vec<Text>),
}

/// Whether a success is kept for restoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Where restoring is cheaper than running.
    #[default]
    WhereItPays,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What becomes of the results and the inputs of a target's tasks. Nothing of it is in the key.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether a success is kept.
    pub cache: Cache,
    /// Outputs may be restored at another path although they contain this one.
    pub relocatable: bool,
    /// An older result counts as out of date.
    pub max_age_ms: Option<u64>,
    /// Asked before "up to date" is believed: anything but 0 means it is not.
    pub fresh_if: Option<Action>,
    /// Its command changes its inputs, and writes nothing else.
    pub fixes_inputs: bool,
    /// In a hook, what it fixed is staged again.
    pub restage: bool,
    /// What earlier runs left at the outputs stays for the command.
    pub keep_outputs: bool,
}

/// What all tasks of one target share.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its full name: `build`, `//packages/ui:build`.
    pub name: String,
    /// Where it was declared.
    pub place: Option<Place>,
    /// One line for `taskr list`.
    pub doc: Option<String>,
    /// Not listed, not buildable by name.
    pub private: bool,
    /// What becomes of a success.
    pub kind: Kind,
    /// Runs each time it is wanted although it is recorded.
    pub always: bool,
    /// What becomes of its results and its inputs.
    pub policy: Policy,
    /// Set for a service.
    pub service: Option<Service>,
    /// When and how often its tasks run.
    pub schedule: Schedule,
    /// Its acceptance tests, in order: run after the command, before anything is published.
    pub accept: Vec<Action>,
    /// It gets the terminal, and runs alone.
    pub interactive: bool,
    /// Undoes it, where a pipeline rolls back.
    pub rollback: Option<Action>,
    /// None for a group.
    pub action: Option<Action>,
    /// Whether an expression asks for `target('NAME')`.
    pub uses_targets: bool,
    /// The names that `target('NAME')` asks for, as far as they are written out.
    pub asked: Vec<Ref>,
    /// Variables for the command.
    pub env: Vec<(String, Text)>,
    /// Variables taken from the caller: name, whether set, value count.
    pub env_inputs: Vec<String>,
    /// Its tasks see the caller's whole environment although they are recorded.
    pub inherits: bool,
    /// Variables passed on without counting. A name may end in `*`.
    pub env_pass: Vec<String>,
    /// Programs that count beside the one that it starts.
    pub tools: Vec<Text>,
    /// Whether a variable is used of which the value is what a command prints.
    pub asks: bool,
    /// Which files are items of its `foreach`: paths and patterns in order, and what is taken away.
    pub items: Vec<Input>,
    /// The word by which its tasks differ from profile to profile, if it has one itself.
    pub tie: Option<Tie>,
}

/// What ties a target to its profile.
#[derive(Clone, Debug)]
pub struct Tie {
    /// `profile`, or a variable that a profile sets.
    pub word: String,
    /// Where it is used.
    pub place: Option<Place>,
    /// The profile that sets the variable, and where.
    pub set: Option<(String, Place)>,
}

/// One task.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Shared by all tasks of the target.
    pub target: Arc<Target>,
    /// Printable and unique: the target's full name, and `@item` or `@axis=value,…`; the last axis is
    /// the profile, where it is one that has tasks of its own and is not the default.
    pub name: String,
    /// What expressions of this task see.
    pub scope: Scope,
    /// The command's folder, relative to the workspace.
    pub dir: Vec<u8>,
    /// In order.
    pub inputs: Vec<Placed<Input>>,
    /// The lists that they are of.
    pub lists: Lists,
    /// In order.
    pub outputs: Vec<Placed<Output>>,
    /// Paths that the command sets up in place for others.
    pub installs: Vec<PlacedPath>,
    /// Built first; their results count.
    pub deps: Vec<Ref>,
    /// Built first; order only.
    pub after: Vec<Ref>,
    /// Read after the command.
    pub depfile: Option<PlacedPath>,
    /// The `when` that is false: the task is skipped.
    pub skipped: Option<Text>,
    /// Limits for the metrics that the command writes, by name.
    pub gates: Vec<Gate>,
}

/// A thing and where it was written.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The thing.
    pub value: T,
    /// Where.
    pub place: Option<Place>,
}

/// A path of the workspace.
pub type PlacedPath = Placed<Vec<u8>>;

/// One element of `inputs`.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file or a folder.
    Path {
        /// Relative to the workspace, or absolute.
        path: Vec<u8>,
        /// May be absent (`?path`).
        optional: bool,
    },
    /// Files by a pattern.
    Glob {
        /// Relative to the workspace.
        pattern: Pattern,
        /// May match nothing (`?glob`).
        optional: bool,
    },
    /// Takes away from what stands before it.
    Not(Pattern),
    /// The outputs of other tasks.
    Outputs {
        /// Whose.
        of: Ref,
        /// Only those whose path below `out/`, or in the workspace, matches.
        only: Option<Pattern>,
    },
}

/// One element of `outputs`.
#[derive(Clone, Debug)]
pub enum Output {
    /// A file or a folder.
    Path(Vec<u8>),
    /// Whatever matches.
    Glob(Pattern),
}

impl Output {
    /// Whether a path is this output, or of it.
    pub fn covers(&self, path: &[u8]) -> bool {
        match self {
            Output::Path(output) => super::ancestors(path).any(|path| path == output),
            Output::Glob(pattern) => pattern.matches_all(path),
        }
    }

    /// The path or pattern as it counts in the key.
    pub fn text(&self) -> &[u8] {
        match self {
            Output::Path(path) => path,
            Output::Glob(pattern) => pattern.text(),
        }
    }
}

/// Names tasks: `obj`, `test@db=pg`, `//lib:obj@src/*.c`, `^build`.
#[derive(Clone, Debug)]
pub struct Ref {
    /// A target's full name, and perhaps behind `@` which of its tasks; as it is written where it
    /// means targets of several packages.
    pub text: String,
    /// Where.
    pub place: Option<Place>,
    /// What a name that means targets of several packages stands for: full names, with picks.
    pub each: Option<Arc<[String]>>,
}

impl Ref {
    /// The target's full name.
    pub fn target(&self) -> &str {
        split_pick(&self.text).0
    }

    /// Each name that it stands for.
    pub fn names(&self) -> &[String] {
        self.each.as_deref().unwrap_or(std::slice::from_ref(&self.text))
    }

    /// Whether it names tasks of the target of this full name.
    pub fn means(&self, target: &str) -> bool {
        self.names().iter().any(|name| split_pick(name).0 == target)
    }
}

impl Target {
    /// The folder of its package; empty for the root.
    pub fn package(&self) -> &str {
        split_name(&self.name).0
    }

    /// Its name in its package.
    pub fn own_name(&self) -> &str {
        split_name(&self.name).1
    }

    /// How its Taskfile names another target, or a task, by its full name.
    pub fn names(&self, full: &str) -> String {
        seen_from(self.package(), full)
    }

    /// All ways in which its Taskfile may name another target or task, by its full name.
    pub fn spellings(&self, full: &str) -> [String; 2] {
        let (dir, name) = split_name(full);
        [self.names(full), format!("//{dir}:{name}")]
    }
}

impl Rule {
    /// A digest of the declared outputs.
    pub fn declared(&self) -> Digest {
        let mut hasher = KeyHasher::new("taskr 2026 declared outputs v1");
        for output in &self.outputs {
            let text = output.value.text();
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.finish()
    }

    /// Its name without the profile: what expressions of tasks of the same profile call it.
    pub fn plain_name(&self) -> &str {
        let suffix = self.scope.profile().and_then(|profile| {
            let name = self.name.strip_suffix(profile)?.strip_suffix("profile=")?;
            name.strip_suffix(['@', ','])
        });
        suffix.unwrap_or(&self.name)
    }

    /// Whether a success may be kept in a store.
    pub fn may_be_kept(&self) -> bool {
        let target = &self.target;
        target.kind == Kind::Recorded
            && !target.always
            && self.installs.is_empty()
            && target.policy.cache != Cache::Never
    }

    /// A node that does nothing itself.
    pub(super) fn group(name: String, target: Arc<Target>, scope: Scope) -> Rule {
        Rule {
            name,
            target,
            scope,
            dir: Vec::new(),
            inputs: Vec::new(),
            lists: Lists::default(),
            outputs: Vec::new(),
            installs: Vec::new(),
            deps: Vec::new(),
            after: Vec::new(),
            depfile: None,
            skipped: None,
            gates: Vec::new(),
        }
    }
}
