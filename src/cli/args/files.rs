//! The options of tools that are about files: the Taskfile's own text.

use clap::Parser;

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
