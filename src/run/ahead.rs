//! What tasks that are ready will look at, asked for together before the first of them is judged:
//! listings, stamps, small files.
//!
//! It decides nothing: what is known afterwards would have been found out one by one. Only of ready
//! tasks, for what those that they need leave may be of it. And it is not kept for long: where a
//! command is started, what was looked at only for tasks that are still to be judged is asked for
//! again when their turn comes.

use std::collections::VecDeque;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use taskr_cache::{Clock, Seen};

use super::Build;
use super::noted::skipped_by;
use super::spent::Part;
use crate::files::{Beside, Query};
use crate::graph::{Input, Kind};
use crate::ids::{FileId, IdVec, TaskId};
use crate::outdir::STATE_DIR;
use crate::record;

/// So many tasks are looked ahead for at once.
const MOST_TASKS: usize = 256;

/// Tasks that are ready and not judged yet.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Those that were not looked ahead for, and some that are not ready any more.
    waiting: VecDeque<TaskId>,
    is_waiting: IdVec<TaskId, bool>,
    /// Those that were.
    looked: FxHashMap<TaskId, Looked>,
    /// For so many the next look is: for more while nothing runs.
    most: usize,
}

/// What was looked at for one task.
#[derive(Debug, Default)]
struct Looked {
    queries: Vec<Query>,
    /// Nobody had asked for them before.
    files: Vec<FileId>,
}

impl Ahead {
    /// For a graph of so many tasks.
    pub(super) fn new(tasks: usize) -> Ahead {
        Ahead {
            waiting: VecDeque::new(),
            is_waiting: IdVec::filled(tasks, false),
            looked: FxHashMap::default(),
            most: MOST_TASKS,
        }
    }

    /// These are ready from now on.
    pub(super) fn add(&mut self, ready: Vec<TaskId>) {
        for id in ready {
            self.is_waiting[id] = true;
            self.waiting.push_back(id);
        }
    }

    /// The task, if it was not looked ahead for, and others with it.
    fn take(&mut self, id: TaskId) -> Vec<TaskId> {
        if !std::mem::take(&mut self.is_waiting[id]) {
            return Vec::new();
        }
        let mut taken = vec![id];
        while taken.len() < self.most
            && let Some(next) = self.waiting.pop_front()
        {
            if std::mem::take(&mut self.is_waiting[next]) {
                taken.push(next);
            }
        }
        self.most = MOST_TASKS.min(2 * self.most);
        taken
    }
}

impl Build<'_> {
    /// The task is about to be judged.
    pub(super) fn look_ahead(&mut self, id: TaskId) {
        if self.ahead.looked.remove(&id).is_some() {
            return;
        }
        let was = self.spent.enter(Part::List);
        let mut looked = Vec::new();
        for id in self.ahead.take(id) {
            looked.push((id, self.will_look_at(id)));
        }
        let queries = looked.iter().flat_map(|(_, looked)| looked.queries.iter().cloned());
        let lists = self.files.list_ahead(&mut self.paths, &queries.collect::<Vec<_>>());
        let mut lists = lists.into_iter();
        let mut all = Vec::new();
        for (_, looked) in &mut looked {
            let found = lists.by_ref().take(looked.queries.len());
            looked.files.extend(found.flat_map(|list| list.to_vec()));
            looked.files.retain(|&file| self.files.is_unasked(file));
            all.extend_from_slice(&looked.files);
        }
        self.spent.enter(Part::Look);
        self.look_at_all(&all);
        self.spent.enter(was);
        self.ahead.looked.extend(looked.into_iter().filter(|&(other, _)| other != id));
    }

    /// A command is started: who knows how long it is until others are judged.
    pub(super) fn look_again_later(&mut self) {
        self.deeds.commands = true;
        self.deeds.alone = None;
        for (id, looked) in std::mem::take(&mut self.ahead.looked) {
            self.files.take_back(&looked.queries, &looked.files);
            self.ahead.add(vec![id]);
        }
        self.ahead.most = 1;
    }

    /// Asks for all these files that were not asked for yet.
    pub(super) fn look_at_all(&mut self, files: &[FileId]) {
        let (state, boot) = (&self.held.state, &self.boot);
        let (remembers, writes) = (self.remembers(), self.held.writer.is_some());
        let recall = |path: &[u8], seen: &Seen| {
            remembers.then(|| record::known_content(state, path, seen, boot)).flatten()
        };
        // Stamps that were settled before anything was read were so when it was.
        let (clock, known) = (OnceLock::new(), self.clock.is_some() || !writes);
        let dir = self.root.path().join(STATE_DIR);
        let reads = || {
            if !known {
                clock.get_or_init(|| Clock::read(&dir).ok());
            }
        };
        let read =
            self.files.look_ahead(&self.paths, files, &Beside { recall: &recall, reads: &reads });
        self.clock = self.clock.take().or(clock.into_inner().flatten());
        for (file, seen, content) in read {
            self.keep_content(file, Some((seen, content)));
        }
    }

    /// The patterns that a task will list, and the files that it names.
    fn will_look_at(&mut self, id: TaskId) -> Looked {
        let mut looked = Looked::default();
        let task = self.graph.task(id);
        if task.kind() == Kind::Group || task.rule.skipped.is_some() || self.vouched.has(id) {
            return looked;
        }
        // Where links lead to on the way: what is made there has other names by these.
        let (real, root) = (&mut self.lookups.real, self.root.path());
        for input in &task.rule.inputs {
            match &input.value {
                Input::Path { path, .. } => _ = real.path(root, path),
                Input::Glob { pattern, .. } => _ = real.folder(root, pattern.base()),
                Input::Outputs { .. } | Input::Not(_) => {}
            }
        }
        for (at, input) in task.rule.inputs.iter().enumerate() {
            match &input.value {
                Input::Path { path, .. } => looked.files.push(self.paths.intern(path)),
                Input::Glob { pattern, .. } => {
                    let mut skip = skipped_by(&self.graph, id, at, pattern);
                    skip.extend(self.missing_outputs(pattern));
                    looked.queries.push((pattern.clone(), skip));
                }
                // Known by now, or a part of what is listed.
                Input::Outputs { .. } | Input::Not(_) => {}
            }
        }
        looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    #[test]
    fn each_is_taken_once_and_fewer_while_commands_run() {
        let ids: Vec<TaskId> = (0..9).map(TaskId::from_index).collect();
        let mut ahead = Ahead::new(9);
        ahead.add(ids[..4].to_vec());
        assert_eq!(ahead.take(ids[2]), [ids[2], ids[0], ids[1], ids[3]]);
        assert!(ahead.take(ids[0]).is_empty());
        ahead.most = 1;
        ahead.add(ids[4..].to_vec());
        assert_eq!(ahead.take(ids[4]), [ids[4]]);
        assert_eq!(ahead.take(ids[8]), [ids[8], ids[5]]);
        assert_eq!(ahead.take(ids[6]), [ids[6], ids[7]]);
        assert!(ahead.take(ids[7]).is_empty());
    }
}
