//! The options of a build and of each tool, as typed. What they mean is worked out elsewhere.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, ValueEnum};

use crate::report::Mode;

/// Options that every command takes.
#[derive(Args, Debug)]
pub(super) struct Common {
    /// Work in DIR; a second one is relative to the first
    #[arg(short = 'C', long, value_name = "DIR")]
    pub(super) directory: Vec<PathBuf>,
    /// Use FILE; its folder is the workspace
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Set a variable of the Taskfile
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    pub(super) defines: Vec<String>,
    /// auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true,
          value_parser = ["auto", "always", "never"])]
    pub(super) color: String,
}

/// Build targets: run what is not up to date, and tell why
#[derive(Parser, Debug)]
#[command(
    name = "taskr",
    version,
    about,
    max_term_width = 100,
    override_usage = "taskr [OPTIONS] [TARGET]... [-- ARGS]\n       taskr TOOL ...        (list, why, log, clean)"
)]
pub(super) struct Build {
    /// What to build; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Tasks at once: a number, 50%, or auto
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<String>,
    /// Go on with what does not need the failed task
    #[arg(short = 'k')]
    pub(super) keep_going: bool,
    /// The same, until N failures
    #[arg(long = "keep-going", value_name = "N", num_args = 0..=1, require_equals = true,
          default_missing_value = "0")]
    pub(super) keep_going_until: Option<usize>,
    /// Say what would run and why; change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Run although fresh: everything
    #[arg(short = 'B')]
    pub(super) force_all: bool,
    /// The same, or only these targets (with commas between)
    #[arg(long, value_name = "TARGETS", num_args = 0..=1, require_equals = true,
          default_missing_value = "")]
    pub(super) force: Option<String>,
    /// Only failures and warnings
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Reasons; twice: keys and commands, too
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Which output of tasks is shown: grouped, stream, failed or none
    #[arg(
        long,
        value_name = "MODE",
        default_value = "grouped",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) output: Output,
    /// Write events as JSON lines; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// Write what ran when, taskr's own stages too, for a trace viewer (Chrome's format)
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Trust no time stamp: read everything
    #[arg(long)]
    pub(super) rehash: bool,
    /// Warnings of tasks are failures
    #[arg(long)]
    pub(super) strict: bool,
    /// Do not wait for another taskr: exit 75
    #[arg(long)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) common: Common,
    /// For targets that take arguments
    #[arg(last = true, value_name = "ARGS", hide = true)]
    pub(super) args: Vec<OsString>,
}

/// `--output`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Output {
    Grouped,
    Stream,
    Failed,
    None,
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

/// List the targets
#[derive(Parser, Debug)]
#[command(name = "taskr", override_usage = "taskr list [OPTIONS]")]
pub(super) struct List {
    #[arg(hide = true)]
    pub(super) tool: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show what a target came to, and from which line each value is
#[derive(Parser, Debug)]
#[command(name = "taskr", override_usage = "taskr show [OPTIONS] TARGET...")]
pub(super) struct Show {
    #[arg(hide = true)]
    pub(super) tool: String,
    /// Which; the Taskfile's `default` if nothing is named
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
#[command(name = "taskr", override_usage = "taskr check [OPTIONS]")]
pub(super) struct Check {
    #[arg(hide = true)]
    pub(super) tool: String,
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
#[command(name = "taskr", override_usage = "taskr why [OPTIONS] [TARGET]...")]
pub(super) struct Why {
    #[arg(hide = true)]
    pub(super) tool: String,
    /// Which; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Why it is not run: what was compared, and that nothing differs
    #[arg(long)]
    pub(super) not: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Show what a task wrote when it last ran
#[derive(Parser, Debug)]
#[command(name = "taskr", override_usage = "taskr log [OPTIONS] [TARGET]...")]
pub(super) struct Log {
    #[arg(hide = true)]
    pub(super) tool: String,
    /// Whose; the Taskfile's `default` if nothing is named
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Remove what taskr made, where it is still as taskr left it
#[derive(Parser, Debug)]
#[command(name = "taskr", override_usage = "taskr clean [OPTIONS] [TARGET]...")]
pub(super) struct Clean {
    #[arg(hide = true)]
    pub(super) tool: String,
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
#[command(name = "taskr", override_usage = "taskr status [OPTIONS]")]
pub(super) struct Status {
    #[arg(hide = true)]
    pub(super) tool: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Print a script that completes taskr's options, tools and targets
#[derive(Parser, Debug)]
#[command(name = "taskr", override_usage = "taskr completions SHELL")]
pub(super) struct Completions {
    #[arg(hide = true)]
    pub(super) tool: String,
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL")]
    pub(super) shell: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Print the manual page (roff)
#[derive(Parser, Debug)]
#[command(name = "taskr", override_usage = "taskr man")]
pub(super) struct Man {
    #[arg(hide = true)]
    pub(super) tool: String,
    #[command(flatten)]
    pub(super) common: Common,
}
