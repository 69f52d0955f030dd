//! The options of a build, and of `taskr watch`, which takes those that mean the same for each of
//! several builds.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, ValueEnum, ValueHint};

use super::super::user::Stores;
use super::Common;
use crate::report::Mode;

/// Build targets: run what is not up to date, and tell why
#[derive(Parser, Debug)]
#[command(
    name = "taskr",
    version,
    about,
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr [OPTIONS] [TARGET]... [-- ARGS]\n       taskr TOOL ..."
)]
pub(in crate::cli) struct Build {
    /// What to build: targets, or single tasks of one such as obj@src/main.c or 'test@*'.
    ///
    /// The Taskfile's `default` if nothing is named.
    #[arg(value_name = "TARGET", hide_short_help = true)]
    pub(in crate::cli) targets: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) how: How,
    /// Say what would run and why; change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Run although up to date: all, or only these
    ///
    /// All is what is wanted; TARGETS have commas between.
    #[arg(short = 'B', long, value_name = "TARGETS", num_args = 0..=1, require_equals = true,
          default_missing_value = "")]
    pub(in crate::cli) force: Option<String>,
    /// Write what ran when, taskr's own stages too, for a trace viewer (Chrome's format)
    #[arg(long, value_name = "FILE", hide_short_help = true, value_hint = ValueHint::FilePath)]
    pub(in crate::cli) trace: Option<PathBuf>,
    /// Only what failed in the last run, and what that kept from running
    ///
    /// Of named targets only what they need. That is then judged as usual: what became up to date
    /// meanwhile does not run.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) failed: bool,
    /// Only what changes since a commit can reach
    ///
    /// REV is compared with the files as they are now, committed or not; new files that git does
    /// not ignore are among them. Tasks that read or made one of these, and all that need those,
    /// are then judged as usual; others are left as they are.
    #[arg(long, value_name = "REV", hide_short_help = true)]
    pub(in crate::cli) since: Option<String>,
    /// Only what the changes in git's index can reach
    ///
    /// That is what `git commit` would commit. Commands still see the files as they are now.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) staged: bool,
    /// Only what a change of these files can reach
    ///
    /// All words up to the next option are files, relative to the current folder; they need not
    /// exist any more, and those outside of the workspace are left out. Name targets before it.
    #[arg(long, value_name = "FILE...", num_args = 0.., hide_short_help = true,
          value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) changed: Option<Vec<OsString>>,
    /// Do not wait for another taskr: exit 75
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) no_wait: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
    /// For targets that take arguments
    #[arg(last = true, value_name = "ARGS", hide = true)]
    pub(in crate::cli) args: Vec<OsString>,
}

/// How is built and what is shown: what means the same for each of several builds.
#[derive(Args, Debug)]
pub(in crate::cli) struct How {
    /// Tasks at once: a number, 50%, or auto
    ///
    /// 50% is half of the processors, auto is all of them, and so is `-j` alone. The default is
    /// `jobs` of the Taskfile, else auto.
    #[arg(short, long, value_name = "N")]
    pub(in crate::cli) jobs: Option<String>,
    /// Go on after a failure, until N failures
    ///
    /// taskr goes on with what does not need the failed task. Without N there is no limit. By
    /// default nothing new starts after a failure; what runs is finished.
    #[arg(short, long, value_name = "N", num_args = 0..=1, require_equals = true,
          value_parser = at_least_one)]
    pub(in crate::cli) keep_going: Option<Option<usize>>,
    /// Start nothing while the machine's load is above LOAD
    ///
    /// The load is the average of the last minute, and what was started so lately that it is not
    /// in it yet. While nothing runs one task is started in any case.
    #[arg(short, long, value_name = "LOAD", hide_short_help = true)]
    pub(in crate::cli) load_average: Option<String>,
    /// Only failures and warnings
    #[arg(short, long, conflicts_with = "verbose")]
    pub(in crate::cli) quiet: bool,
    /// Reasons; twice: keys and commands, too
    #[arg(short, long, action = ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
    /// Of tasks show: grouped, stream, failed or none
    ///
    /// grouped: one block a task when it ends; a task that runs alone is shown as it writes. stream:
    /// line by line, the task's name before each. failed: only of tasks that failed. The default is
    /// `output` of the Taskfile, else grouped.
    #[arg(long, value_name = "MODE", hide_possible_values = true)]
    pub(in crate::cli) output: Option<Output>,
    /// Write events as JSON lines; - is stdout
    ///
    /// With `-`, all else goes to stderr. An existing file is replaced only if it is empty or begins as
    /// events do.
    #[arg(long, value_name = "FILE", hide_short_help = true, value_hint = ValueHint::FilePath)]
    pub(in crate::cli) events: Option<PathBuf>,
    /// Restore from, and keep in, the store: local or off
    ///
    /// local is the default: results of earlier runs, of any checkout of yours, are restored instead
    /// of run. The variable TASKR_CACHE says the same for all runs.
    #[arg(long, value_name = "STORES", hide_short_help = true, hide_possible_values = true)]
    pub(in crate::cli) cache: Option<Stores>,
    /// End the whole run after D, as in 20m
    ///
    /// Tasks that still run are then asked to end, and killed after their grace; the run has failed.
    /// It counts more than `timeout` of the Taskfile's [taskr]. Waiting for another taskr does
    /// not count.
    #[arg(long, value_name = "D", hide_short_help = true)]
    pub(in crate::cli) timeout: Option<String>,
    /// Trust no time stamp: read everything
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) rehash: bool,
    /// Warnings of tasks are failures, and so are failures that are allowed
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) strict: bool,
}

/// Build, and build again whenever something changes that was read
///
/// Ctrl-C ends it. Of a change only counts what the files hold.
#[derive(Parser, Debug)]
#[command(
    name = "watch",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr watch [OPTIONS] [TARGET]... [-- ARGS]"
)]
pub(in crate::cli) struct Watch {
    /// What to build; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) how: How,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
    /// For targets that take arguments
    #[arg(last = true, value_name = "ARGS", hide = true)]
    pub(in crate::cli) args: Vec<OsString>,
}

impl Watch {
    /// Each of its builds.
    pub(in crate::cli) fn into_build(self) -> Build {
        let Watch { targets, how, common, args } = self;
        Build {
            targets,
            how,
            common,
            args,
            dry_run: false,
            force: None,
            trace: None,
            failed: false,
            since: None,
            staged: false,
            changed: None,
            no_wait: false,
        }
    }
}

/// A number of failures.
fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "a number from 1".to_owned())
}

/// `--output`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Output {
    Grouped,
    Stream,
    Failed,
    None,
}

impl Output {
    /// All of them, as they are typed.
    pub(in crate::cli) fn words() -> impl Iterator<Item = &'static str> {
        ["grouped", "stream", "failed", "none"].into_iter()
    }
}

impl From<Output> for Mode {
    fn from(output: Output) -> Mode {
        match output {
            Output::Grouped => Mode::Grouped,
            Output::Stream => Mode::Stream,
            Output::Failed => Mode::Failed,
            Output::None => Mode::None,
        }
    }
}
