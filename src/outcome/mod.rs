//! What passes between the stages as plain data: manifests and their keys, reasons, records,
//! how a task ended, what happened in a run.
//!
//! Knows no graph, no disk, no clock. The terminal, `taskr why`, the event stream and the tests
//! read the same values, so no explanation can contradict the decision.

mod cause;
mod event;
mod flaw;
mod manifest;
mod reason;
mod record;
#[cfg(test)]
mod tests;

pub use cause::Cause;
pub use event::{
    Because, Changes, Counts, Course, Event, Failure, Finish, Step, Summary, TaskRef, TimedOut,
};
pub use flaw::{Difference, Flaw};
pub use manifest::{Field, Manifest, Tag, encode_words};
pub use reason::{Change, FAILED, Reason, SKIPPED, shown};
pub use record::{FoundList, Made, OutFile, Record, Recorded};
