//! The options of tools that are about files: the Taskfile's own text, and results to be merged.

use std::path::PathBuf;

use clap::{Parser, ValueEnum, ValueHint};

use super::Common;

/// Lay out the Taskfile in the one usual way
///
/// Blanks and empty lines change, nothing else.
#[derive(Parser, Debug)]
#[command(
    name = "fmt",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr fmt [OPTIONS]"
)]
pub(in crate::cli) struct Fmt {
    /// Change nothing; show what would change, and end with 1 if something would
    #[arg(long)]
    pub(in crate::cli) check: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// Print the JSON schema of a Taskfile, for editors
#[derive(Parser, Debug)]
#[command(
    name = "schema",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr schema [OPTIONS]"
)]
pub(in crate::cli) struct Schema {
    /// Of a line that --events writes
    #[arg(long)]
    pub(in crate::cli) events: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// Write a first Taskfile, for what is in the folder
///
/// It looks for Cargo, npm, Python, Go and C. A Taskfile that is there is left alone.
#[derive(Parser, Debug)]
#[command(
    name = "init",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr init [OPTIONS]"
)]
pub(in crate::cli) struct Init {
    /// Write nothing; print what would be written
    #[arg(long)]
    pub(in crate::cli) print: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// Merge files of lines, or folders: what all have, what enough have, or everything
#[derive(Parser, Debug)]
#[command(
    name = "merge",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr merge [OPTIONS] HOW INPUT..."
)]
pub(in crate::cli) struct Merge {
    /// union, intersection or majority
    #[arg(value_name = "HOW", value_enum, hide_possible_values = true)]
    pub(in crate::cli) word: MergeWord,
    /// Files of lines, or folders
    #[arg(value_name = "INPUT", required = true, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) inputs: Vec<PathBuf>,
    /// Of majority: what so many of them have, or such a part, as in 40%. The default is more than half
    #[arg(long, value_name = "N")]
    pub(in crate::cli) min: Option<String>,
    /// Write to this file or new folder; lines go to stdout without it
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) output: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// How `taskr merge` merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MergeWord {
    Union,
    Intersection,
    Majority,
}
