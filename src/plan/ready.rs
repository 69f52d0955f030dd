//! The ready tasks, the first of each class at hand.
//!
//! Of each class only so many are handed out to be judged, and no more before these run: more
//! would only hold memory. A class that waits for its pool holds up no other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::classes::Classes;
use super::{Rank, State};
use crate::ids::TaskId;

/// So many tasks of a class are judged, or were and do not run yet.
const MOST_JUDGED: usize = 512;

/// See the module.
#[derive(Debug)]
pub(super) struct Ready {
    classes: Classes,
    queues: Vec<BinaryHeap<Rank>>,
    /// Those that came since it was asked for them.
    new: Vec<TaskId>,
    /// How many of each class are judged, or were and do not run.
    judged: Vec<usize>,
    /// How many of each priority are being judged.
    urgent: BTreeMap<i32, usize>,
    count: usize,
}

impl Ready {
    pub(super) fn new(classes: Classes) -> Ready {
        let count = classes.demands().len();
        Ready {
            queues: vec![BinaryHeap::new(); count],
            new: Vec::new(),
            judged: vec![0; count],
            urgent: BTreeMap::new(),
            classes,
            count: 0,
        }
    }

    pub(super) fn classes(&self) -> &Classes {
        &self.classes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(&mut self, rank: Rank) {
        let (.., Reverse(id)) = rank;
        self.queues[self.classes.of(id)].push(rank);
        self.new.push(id);
        self.count += 1;
    }

    /// The tasks that became ready since this was asked last.
    pub(super) fn take_new(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.new)
    }

    /// The first of those whose class has room.
    pub(super) fn pop(&mut self) -> Option<TaskId> {
        let open = (0..self.queues.len()).filter(|&class| self.judged[class] < MOST_JUDGED);
        let first = open.filter_map(|class| Some((*self.queues[class].peek()?, class))).max()?;
        self.count -= 1;
        self.queues[first.1].pop().map(|(.., Reverse(id))| id)
    }

    /// The greatest priority of the tasks that are being judged.
    pub(super) fn most_urgent(&self) -> Option<i32> {
        self.urgent.keys().next_back().copied()
    }

    /// A task of this priority is in that state from now on.
    pub(super) fn enter(&mut self, id: TaskId, state: State, priority: i32) {
        if matches!(state, State::Started | State::Due) {
            self.judged[self.classes.of(id)] += 1;
        }
        if state == State::Started {
            *self.urgent.entry(priority).or_default() += 1;
        }
    }

    /// It is not any more.
    pub(super) fn leave(&mut self, id: TaskId, state: State, priority: i32) {
        if matches!(state, State::Started | State::Due) {
            self.judged[self.classes.of(id)] -= 1;
        }
        if state != State::Started {
            return;
        }
        if let Some(count) = self.urgent.get_mut(&priority) {
            *count -= 1;
            if *count == 0 {
                self.urgent.remove(&priority);
            }
        }
    }
}
