//! Of targets whose items go to processes together: how many are being judged, as the next process
//! waits for these.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::State;
use crate::graph::{Graph, Target};
use crate::ids::TaskId;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// The number of its target, of each item.
    of: FxHashMap<TaskId, usize>,
    judged: Vec<usize>,
}

impl Batches {
    pub(super) fn new(graph: &Graph, order: &[TaskId]) -> Batches {
        let mut batches = Batches::default();
        let mut known: FxHashMap<*const Target, usize> = FxHashMap::default();
        for &id in order {
            let target = &graph.task(id).rule.target;
            if target.schedule.batch.is_some() {
                let next = known.len();
                let number = *known.entry(Arc::as_ptr(target)).or_insert(next);
                batches.of.insert(id, number);
            }
        }
        batches.judged = vec![0; known.len()];
        batches
    }

    /// A task went from one state to another.
    pub(super) fn change(&mut self, id: TaskId, old: State, new: State) {
        let Some(&number) = self.of.get(&id) else { return };
        self.judged[number] -= usize::from(old == State::Started);
        self.judged[number] += usize::from(new == State::Started);
    }

    pub(super) fn judges_mates(&self, id: TaskId) -> bool {
        self.of.get(&id).is_some_and(|&number| self.judged[number] > 0)
    }
}
