//! taskr: from a Taskfile to up-to-date outputs. One way through the house:
//!
//! | row | module | what it does |
//! | --- | --- | --- |
//! | 6 | [`cli`] | words of the command line to a request; a file per tool |
//! | 5 | [`run`] | the loop: next, judge, restore or execute, record, finish |
//! | 4 | [`plan`] | what may start next: a pure state machine |
//! | 4 | [`judge`] | fresh, to be restored, or to be run because of this: pure |
//! | 4 | [`record`] | what a success leaves, encoded; the only user of the state |
//! | 4 | [`workers`] | threads: one process each, a task's own folder, publishing |
//! | 4 | [`watch`] | what a build stood on, and whether it still is so |
//! | 4 | [`report`] | events to lines, blocks and JSON |
//! | 3 | [`packages`] | a workspace's Taskfile to all of its packages, and the edges between them |
//! | 3 | [`graph`] | targets to tasks and edges, immutable; cycles and clashes refused |
//! | 2 | [`parse`] | Taskfile.toml to what was written, with places |
//! | 1 | [`expr`] | strings with expressions to text, words, shell text |
//! | 1 | [`files`] | patterns, listings, depfiles, what is known of the disk |
//! | 1 | [`outdir`] | all writes of taskr in the workspace, beneath its root |
//! | 1 | [`process`] | one child from start to end, and the guard that outlives taskr |
//! | 1 | [`jobserver`] | one `-j` shared with make and its like |
//! | 1 | [`git`] | which files changed, where hooks are: the only user of the program |
//! | 1 | [`lock`] | one build per workspace |
//! | 1 | [`outcome`] | what passes between the rows: manifests, reasons, records, events |
//! | 0 | [`ids`], [`error`] | typed dense ids; errors as values and their one rendering |
//!
//! A module imports only from lower rows; row-mates never import each other. `tests/taskr/layers.rs`
//! holds this table against the `use` lines. Stamps, digests, the state database and the store are
//! the crate `taskr-cache`, below all rows. The library never prints, exits, changes directory or
//! installs signal handlers.

pub mod cli;
pub mod error;
pub mod expr;
pub mod files;
pub mod git;
pub mod graph;
pub mod ids;
pub mod jobserver;
pub mod judge;
pub mod lock;
pub mod outcome;
pub mod outdir;
pub mod packages;
pub mod parse;
pub mod plan;
pub mod process;
pub mod record;
pub mod report;
pub mod run;
pub mod watch;
pub mod workers;
