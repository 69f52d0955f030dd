//! What a build stood on, and whether it still is so; and what wakes whoever waits for that.
//!
//! What changed is judged by stamps and contents, held against those that the build saw *before* it
//! used them: what the system says of folders only wakes. So no change is lost, neither one from
//! before the watch was set nor one of which the system told nothing else than that there was one.
//! What tasks make is not looked at.
//!
//! Knows no run and no messages.

mod folders;
mod inputs;
mod near;
mod sources;
mod waker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use taskr_cache::Clock;

use crate::graph::Graph;
use crate::outcome::{Change, Edit};
use crate::outdir::STATE_DIR;

pub use inputs::{Inputs, is_made};
pub use near::Near;
pub use sources::Sources;
pub use waker::Waker;

/// What changed, by path, and the folders in which more may change.
#[derive(Debug, Default)]
pub struct Looked {
    edits: BTreeMap<Vec<u8>, Change>,
    /// Absolute; all of them are there.
    pub folders: BTreeSet<PathBuf>,
}

impl Looked {
    fn add(&mut self, path: &[u8], change: Change) {
        self.edits.entry(path.to_vec()).or_insert(change);
    }

    /// What this and an earlier look found.
    pub fn with(mut self, earlier: Looked) -> Looked {
        self.edits.extend(earlier.edits);
        self
    }

    /// Whether nothing changed.
    pub fn is_same(&self) -> bool {
        self.edits.is_empty()
    }

    /// What changed, in order.
    pub fn edits(self) -> Vec<Edit> {
        self.edits.into_iter().map(|(path, change)| Edit { path, change }).collect()
    }
}

/// What the last build stood on: its Taskfiles, and its inputs if it came so far.
#[derive(Debug, Default)]
pub struct Watched {
    /// What was read to make the graph.
    pub sources: Sources,
    /// None before the first.
    pub stood: Option<Stood>,
}

/// What the tasks of a build read.
#[derive(Debug)]
pub struct Stood {
    /// As they said.
    pub inputs: Inputs,
    /// What those that failed may have read, too.
    pub near: Near,
    /// Tells what tasks make.
    pub graph: Graph,
}

impl Watched {
    /// Looks at all of it. What is found counts as known from then on: the next look says only what
    /// changed since.
    pub fn look(&mut self) -> Looked {
        let mut looked = Looked::default();
        self.sources.look(&mut looked);
        if let Some(Stood { inputs, near, graph }) = &mut self.stood {
            let clock = Clock::read(&inputs.root().join(STATE_DIR)).ok();
            inputs.look(graph, clock, &mut looked);
            near.look(graph, &mut looked);
        }
        looked
    }

    /// How many files it is.
    pub fn files(&self) -> usize {
        self.sources.files() + self.stood.as_ref().map_or(0, |stood| stood.inputs.files())
    }
}
