//! What a pipeline came to.

use serde_json::{Value, json};

use super::Finish;

/// A pipeline at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineEnd {
    /// Its name.
    pub name: String,
    /// How many tasks its steps have in this run.
    pub tasks: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// How many had to.
    pub required: usize,
    /// Tasks that were undone, in that order.
    pub rolled_back: Vec<String>,
    /// Tasks that could not be undone, or were not, because of a signal.
    pub not_rolled_back: Vec<String>,
}

impl PipelineEnd {
    /// Whether enough succeeded.
    pub fn is_fine(&self) -> bool {
        self.succeeded >= self.required
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "tasks": self.tasks,
            "succeeded": self.succeeded,
            "required": self.required,
            "fine": self.is_fine(),
            "rolled_back": self.rolled_back,
            "not_rolled_back": self.not_rolled_back,
        })
    }
}

/// Tasks that did not succeed where that is no harm: they may fail, only need what did, or a target
/// or a pipeline had enough others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgiven {
    /// Failed, those with unstable inputs included.
    pub failed: usize,
    /// Of these, with unstable inputs.
    pub unstable: usize,
    /// Did not start.
    pub skipped: usize,
}

impl Forgiven {
    /// Counts one.
    pub fn add(&mut self, finish: &Finish) {
        match finish {
            Finish::Failed => self.failed += 1,
            Finish::Unstable => {
                self.failed += 1;
                self.unstable += 1;
            }
            Finish::Skipped => self.skipped += 1,
            _ => {}
        }
    }

    /// Counts those of another, too.
    pub fn add_all(&mut self, other: Forgiven) {
        self.failed += other.failed;
        self.unstable += other.unstable;
        self.skipped += other.skipped;
    }
}
