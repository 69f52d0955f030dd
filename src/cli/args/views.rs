//! The options of tools that show runs and graphs.

use clap::{Parser, ValueEnum};

use super::Common;

/// Show the last runs, the newest first
#[derive(Parser, Debug)]
#[command(
    name = "history",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr history [OPTIONS]"
)]
pub(in crate::cli) struct History {
    /// So many; the default is 20
    #[arg(short, long, value_name = "N", default_value = "20", hide_default_value = true,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) number: u16,
    /// All of them, as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// Draw what ran when in a run that is over
#[derive(Parser, Debug)]
#[command(
    name = "timeline",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr timeline [OPTIONS] [RUN]"
)]
pub(in crate::cli) struct Timeline {
    /// Which: 1 is the last, 2 the one before it, as in `taskr history`; or its id. The default is 1
    #[arg(value_name = "RUN")]
    pub(in crate::cli) run: Option<String>,
    /// All tasks, not only those that took longest
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// Show two runs side by side: what became slower, what ended otherwise
#[derive(Parser, Debug)]
#[command(
    name = "compare",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr compare [OPTIONS] [OLD] [NEW]"
)]
pub(in crate::cli) struct Compare {
    /// Which run: its number in `taskr history`, or its id. The default is 2, the one before the last
    #[arg(value_name = "OLD", default_value = "2", hide_default_value = true)]
    pub(in crate::cli) old: String,
    /// Which other; the default is 1, the last
    #[arg(value_name = "NEW", default_value = "1", hide_default_value = true)]
    pub(in crate::cli) new: String,
    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// Draw which target waits for which
#[derive(Parser, Debug)]
#[command(
    name = "graph",
    max_term_width = 100,
    args_override_self = true,
    override_usage = "taskr graph [OPTIONS] [TARGET]..."
)]
pub(in crate::cli) struct Graph {
    /// These and what they need; all if nothing is named
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    /// text, svg (a picture), dot, mermaid or json. The default is text
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(in crate::cli) format: GraphFormat,
    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Each task of a target by itself
    #[arg(long)]
    pub(in crate::cli) tasks: bool,
    #[command(flatten)]
    pub(in crate::cli) common: Common,
}

/// `--format` of `taskr graph`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GraphFormat {
    #[default]
    Text,
    Svg,
    Dot,
    Mermaid,
    Json,
}
