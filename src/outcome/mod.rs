//! What passes between the stages as plain data: manifests and their keys, reasons, records,
//! how a task ended, what happened in a run.
//!
//! Knows no graph, no disk, no clock. The terminal, `taskr why`, the event stream and the tests
//! read the same values, so no explanation can contradict the decision.

mod cause;
mod checkup;
mod edit;
mod event;
mod flaw;
mod gate;
mod manifest;
mod pipeline;
mod reason;
mod record;
#[cfg(test)]
mod tests;

pub use cause::Cause;
pub use checkup::{Checks, Checkup, RUN_METRICS, gates_json};
pub use edit::Edit;
pub use event::{
    Because, Changes, Counts, Course, Event, Failure, Finish, Step, Summary, TaskRef, TimedOut,
};
pub use flaw::{Difference, Flaw};
pub use gate::{Gate, Judged, Number};
pub use manifest::{Field, Manifest, Tag, encode_words};
pub use pipeline::{Forgiven, PipelineEnd};
pub use reason::{Change, FAILED, Reason, SKIPPED, shown};
pub use record::{FoundList, Made, OutFile, Record, Recorded};
