//! The tasks of a graph: all of them made, or kept, and made when they are looked at.

use std::ops::{Index as At, Range};

use taskr_cache::{Coded, Digest, In, Index, Out, Pieces, many, put_many};

use super::{Members, Task};
use crate::ids::{Id, IdVec, TaskId};

/// All tasks, groups included, in order of declaration.
#[derive(Debug)]
pub enum Tasks {
    /// As they were linked.
    Made(IdVec<TaskId, Task>),
    /// As an earlier run linked them.
    Kept {
        /// What they are made from.
        pieces: Pieces,
        /// The piece of each.
        numbers: IdVec<TaskId, u32>,
        /// The place of the name of each among all names.
        places: IdVec<TaskId, u32>,
        /// See [`Graph::names_digest`](super::Graph::names_digest).
        names: Digest,
    },
}

impl Tasks {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Tasks::Made(tasks) => tasks.len(),
            Tasks::Kept { numbers, .. } => numbers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TaskId> + use<> {
        (0..self.len()).map(TaskId::from_index)
    }

    /// All tasks in order. Makes them, if they are kept.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.ids().map(|id| &self[id])
    }

    /// All tasks with their ids. Makes them, if they are kept.
    pub fn enumerate(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.ids().map(|id| (id, &self[id]))
    }
}

impl At<TaskId> for Tasks {
    type Output = Task;

    fn index(&self, id: TaskId) -> &Task {
        match self {
            Tasks::Made(tasks) => &tasks[id],
            Tasks::Kept { pieces, numbers, .. } => {
                pieces.piece(numbers[id]).expect("what is whole was written by this program")
            }
        }
    }
}

/// The tasks of each target, by its full name.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    names: Index,
    ranges: Vec<(u32, u32)>,
}

impl Ranges {
    pub(super) fn of(members: &Members) -> Ranges {
        let ranges = members.values().map(|range| (range.start as u32, range.end as u32));
        let names = members.keys().zip(0..).map(|(name, at)| (name.as_bytes(), at)).collect();
        Ranges { names: Index::new(names), ranges: ranges.collect() }
    }

    pub(super) fn get(&self, target: &str) -> Option<Range<usize>> {
        let (start, end) = *self.ranges.get(self.names.get(target.as_bytes())? as usize)?;
        Some(start as usize..end as usize)
    }
}

impl Coded for Ranges {
    fn put(&self, out: &mut Out) {
        let Ranges { names, ranges } = self;
        names.put(out);
        put_many(out, ranges);
    }

    fn get(from: &mut In<'_>) -> Option<Ranges> {
        Some(Ranges { names: Coded::get(from)?, ranges: many(from)? })
    }
}
