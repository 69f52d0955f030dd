//! taskr: from a Taskfile to up-to-date outputs.

pub mod error;
pub mod expr;
pub mod files;
pub mod graph;
pub mod ids;
pub mod judge;
pub mod lock;
pub mod outcome;
pub mod outdir;
pub mod parse;
pub mod plan;
pub mod process;
pub mod record;
pub mod report;
pub mod workers;
