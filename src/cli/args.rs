//! The options of a build and of each tool, as typed. What they mean is worked out elsewhere.

mod build;
mod files;
mod views;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum, ValueHint};

pub(super) use build::{Build, Output, Watch};
pub(super) use files::{Fmt, Init, Merge, MergeWord, Schema};
pub(super) use views::{Compare, Graph, GraphFormat, History, Timeline};

/// Options that every command takes.
#[derive(Args, Debug)]
pub(super) struct Common {
    /// Work in DIR
    ///
    /// The Taskfile is looked for there, then above. A second one is relative to the first. The
    /// default is the current folder.
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) directory: Vec<PathBuf>,
    /// Use FILE; its folder is the workspace
    ///
    /// The default is the nearest Taskfile.toml upward, or the one above that includes it.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
    /// Set a variable of the Taskfile
    ///
    /// May be given more than once; of two for the same variable the last counts. The value of a
    /// list is split into words as a shell does.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    pub(super) defines: Vec<String>,
    /// Build in this profile, or in several, with commas between
    ///
    /// Its variables, [profile.NAME.vars] of the Taskfile, are stronger than those of [vars]. Targets
    /// that differ from profile to profile have tasks of their own in each, named
    /// app@profile=debug. Without the option the profile is `default`.
    #[arg(long = "profile", value_name = "NAME", value_delimiter = ',', hide_short_help = true)]
    pub(super) profiles: Vec<String>,
    /// Colours: auto, always or never
    ///
    /// auto is the default: colours on a terminal, unless the environment says something else, see
    /// below.
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true,
          hide_possible_values = true, hide_short_help = true,
          value_parser = ["auto", "always", "never"])]
    pub(super) color: String,
}

/// List the targets
#[derive(Parser, Debug)]
#[command(
    name = "list",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr list [OPTIONS]"
)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show what a target came to, and from which line each value is
#[derive(Parser, Debug)]
#[command(
    name = "show",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr show [OPTIONS] [TARGET]..."
)]
pub(super) struct Show {
    /// Which; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show the value of each variable, and where it is from
#[derive(Parser, Debug)]
#[command(
    name = "vars",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr vars [OPTIONS] [TARGET]..."
)]
pub(super) struct Vars {
    /// Those that these see; of the file, and of each target its own, if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Check the Taskfile without running anything
#[derive(Parser, Debug)]
#[command(
    name = "check",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr check [OPTIONS]"
)]
pub(super) struct Check {
    /// Warnings are errors
    #[arg(long)]
    pub(super) strict: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Say why a task would run or last ran, down to the first cause
#[derive(Parser, Debug)]
#[command(
    name = "why",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr why [OPTIONS] [TARGET]..."
)]
pub(super) struct Why {
    /// Which; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// What stands behind `--` in the build that is asked about
    #[arg(last = true, value_name = "ARGS", hide = true)]
    pub(super) args: Vec<OsString>,
    /// Why it is not run: what was compared; a file behind it: whether the target reads that
    #[arg(long)]
    pub(super) not: bool,
    /// All causes; with --not all that was compared
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show what a task wrote when it last ran
#[derive(Parser, Debug)]
#[command(
    name = "log",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr log [OPTIONS] [TARGET]..."
)]
pub(super) struct Log {
    /// Whose; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Remove what taskr made, where it is still as taskr left it
#[derive(Parser, Debug)]
#[command(
    name = "clean",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr clean [OPTIONS] [TARGET]..."
)]
pub(super) struct Clean {
    /// Of these; of all if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Say what would be removed; change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Do not wait for another taskr: exit 75
    #[arg(long)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show how far a build is that runs now, in another terminal
#[derive(Parser, Debug)]
#[command(
    name = "status",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr status [OPTIONS]"
)]
pub(super) struct Status {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Look at the store, keep it in order, carry results elsewhere
#[derive(Parser, Debug)]
#[command(
    name = "cache",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr cache [OPTIONS] [WORD] [FILE]"
)]
pub(super) struct Cache {
    /// What is asked of it
    #[arg(value_name = "WORD", value_enum, default_value_t, hide_default_value = true)]
    pub(super) word: CacheWord,
    /// Of export and import; - is a pipe
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) carried: Option<PathBuf>,
    /// Of trim: to this size instead of the limit
    #[arg(long, value_name = "SIZE")]
    pub(super) size: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What `taskr cache` is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum CacheWord {
    /// What is in it, and what it was good for; the default
    #[default]
    Info,
    /// Where it is, and nothing else
    Path,
    /// Remove what exceeds the limit
    Trim,
    /// Read everything, remove what is damaged; 1 if something was
    Verify,
    /// Remove everything
    Clear,
    /// Write what this workspace stands on to FILE
    Export,
    /// Add what FILE has
    Import,
}

impl CacheWord {
    /// As it is typed.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Show how much time was saved and spent, here and by the store
#[derive(Parser, Debug)]
#[command(
    name = "stats",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr stats [OPTIONS]"
)]
pub(super) struct Stats {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show tasks that did not do the same under the same key
#[derive(Parser, Debug)]
#[command(
    name = "flaky",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr flaky [OPTIONS] [TARGET]..."
)]
pub(super) struct Flaky {
    /// Of these; of all if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Run targets in git's hooks, as [hooks] of the Taskfile says
///
/// Without an action: which hooks there are, and whether they are installed.
#[derive(Parser, Debug)]
#[command(
    name = "hook",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr hook [OPTIONS] [ACTION] [NAME]..."
)]
pub(super) struct Hook {
    /// install, uninstall, or run, which is what an installed hook calls
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    pub(super) action: Option<HookAction>,
    /// Which hooks; all of the Taskfile if none is named. Behind `run` one, and what git passed
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<OsString>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
    /// What git passed to the hook
    #[arg(last = true, value_name = "ARGS", hide = true)]
    pub(super) args: Vec<OsString>,
}

/// What `taskr hook` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HookAction {
    Install,
    Uninstall,
    Run,
}

/// Build again in scratch, several times, and compare every byte
#[derive(Parser, Debug)]
#[command(
    name = "verify",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr verify [OPTIONS] [TARGET]..."
)]
pub(super) struct Verify {
    /// Which; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// How often; the first time one task after another. The default is 2
    #[arg(long, value_name = "N", default_value = "2", hide_default_value = true,
          value_parser = clap::value_parser!(u8).range(2..=100))]
    pub(super) runs: u8,
    /// Instead hold so many of the results in the store against new ones, as in 10%
    #[arg(long, value_name = "PART", conflicts_with = "runs")]
    pub(super) sample: Option<String>,
    /// Of --sample: the number that decides which; it is told each time
    #[arg(long, value_name = "N", requires = "sample")]
    pub(super) seed: Option<u64>,
    /// Tasks at once, but for the first time: a number, 50%, or auto
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Print a script that completes taskr's options, tools and targets
#[derive(Parser, Debug)]
#[command(
    name = "completions",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr completions SHELL",
    after_help = super::completions::INSTALL
)]
pub(super) struct Completions {
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL")]
    pub(super) shell: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Print the manual page (roff)
#[derive(Parser, Debug)]
#[command(
    name = "man",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr man"
)]
pub(super) struct Man {
    #[command(flatten)]
    pub(super) common: Common,
}
