//! Tasks that need not be judged: an earlier build with the same question found them up to date,
//! and nothing that they rest on has moved since ([`Partly`](super::proof::Partly)). What has moved
//! puts in doubt who looked at it. Who needs these is behind them: he need not be judged either if they
//! have the outputs that they had, and no command was started meanwhile, which might have changed
//! whatever else he reads.
//!
//! Who looks at a file is noted where it is looked at, so that nothing can be forgotten; what was
//! looked at for nobody in particular is everybody's. It decides no task that is in doubt.

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{Again, Basis, Claim, Digest, Standing};

use super::finish::End;
use super::proof::Partly;
use super::{Build, Done};
use crate::graph::{Graph, Kind};
use crate::ids::{FileId, Id, IdVec, TaskId};
use crate::outcome::{Finish, Made, OutFile};
use crate::record;

/// Who is vouched for, and who looked at what.
#[derive(Debug, Default)]
pub(super) struct Vouched {
    /// What vouches, if anything does.
    standing: Option<Standing>,
    /// How each task stands; of none if nothing vouches.
    pub(super) stands: Stands,
    /// Who is being judged.
    asking: Option<TaskId>,
    /// Who looked at what, as often as that was.
    looked: Vec<(FileId, TaskId)>,
    /// Tasks that were in doubt and have the outputs that they had, and so have all that they need.
    same: FxHashSet<TaskId>,
    /// These outputs.
    same_outputs: FxHashSet<Vec<u8>>,
}

/// How each task stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Stands {
    of: IdVec<TaskId, Stand>,
    /// Those that the run before left in doubt: who needs them may have seen that they were missing.
    left: FxHashSet<TaskId>,
    /// Of tasks that read what others make: which of that has moved.
    moved: FxHashMap<TaskId, Vec<Vec<u8>>>,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not to be built.
    Unplanned,
    /// Not vouched for.
    InDoubt,
    /// Vouched for if what it needs is what it was.
    Behind,
    /// Vouched for.
    Vouched,
    /// Vouched for, and needed by one that is not.
    Needed,
}

impl Vouched {
    /// From now on files are looked at for this task.
    pub(super) fn ask_for(&mut self, id: TaskId) {
        self.asking = Some(id);
    }

    /// A file is looked at.
    pub(super) fn note(&mut self, file: FileId) {
        self.looked.extend(self.asking.map(|id| (file, id)));
    }

    /// A file is known because this task made it.
    pub(super) fn note_made(&mut self, file: FileId, by: TaskId) {
        self.looked.push((file, by));
    }

    /// Who looked at each file, ascending.
    pub(super) fn readers(&self) -> FxHashMap<FileId, Vec<u32>> {
        let mut looked = self.looked.clone();
        looked.sort_unstable();
        looked.dedup();
        let mut readers: FxHashMap<FileId, Vec<u32>> = FxHashMap::default();
        for (file, id) in looked {
            readers.entry(file).or_default().push(number(id));
        }
        readers
    }

    /// The numbers of those who looked at such files, as often as that was.
    pub(super) fn readers_of(&self, is_such: impl Fn(FileId) -> bool) -> impl Iterator<Item = u32> {
        self.looked.iter().filter(move |(file, _)| is_such(*file)).map(|&(_, id)| number(id))
    }

    /// Whether anything vouches in this run.
    pub(super) fn is_on(&self) -> bool {
        !self.stands.of.is_empty()
    }

    /// From now on these are vouched for by what an earlier run saw.
    pub(super) fn vouch(&mut self, stands: Stands, standing: &Standing) {
        self.stands = stands;
        self.standing = Some(standing.clone());
    }

    /// Whether the task need not be judged, as far as is known.
    pub(super) fn has(&self, id: TaskId) -> bool {
        self.is_on() && !matches!(self.stands.of[id], Stand::InDoubt | Stand::Unplanned)
    }

    /// What vouched, with what this run saw: of the tasks that it judged all is new, of the others
    /// nothing. Without what `is_gone`. None if what vouched cannot be read.
    pub(super) fn basis_with(
        &self,
        new: Vec<Claim>,
        is_gone: impl Fn(&[u8]) -> bool,
    ) -> Option<Basis<'_>> {
        let Some(standing) = &self.standing else { return Some(Basis::new(new)) };
        let is = |number: u32, stand| self.stands.is(TaskId::from_index(number as usize), stand);
        let again = Again {
            is_judged: &|number| is(number, Stand::InDoubt),
            is_gone: &is_gone,
            is_same: &|path, number| is(number, Stand::Behind) && self.same_outputs.contains(path),
        };
        standing.basis_with(new, &again)
    }
}

impl Build<'_> {
    /// Finds out who is vouched for. The graph has been made, and the workspace is this run's.
    pub(super) fn vouch(&mut self) {
        let before = self.request.ask.as_ref().and_then(|ask| ask.before.as_ref());
        let Some(before) = before.filter(|_| self.held.writer.is_some()) else { return };
        // What the graph was made of must be what it was before.
        if before.names != self.graph.names_digest()
            || !before.standing.still_holds_for_all(self.root.path())
        {
            return;
        }
        let planned: Vec<TaskId> = self.plan.wanted().map(|(id, _)| id).collect();
        if let Some(mut stands) = Stands::of(&self.graph, before, &planned) {
            // Their results are read as they come by.
            stands.find_needed(&self.graph, &[Stand::InDoubt, Stand::Behind]);
            self.vouched.vouch(stands, &before.standing);
        }
    }

    /// Whether the task has ended by this, being vouched for; otherwise it has to be judged. Who is
    /// behind others is judged, all that are, as soon as one of them has to be.
    pub(super) fn is_vouched(&mut self, id: TaskId) -> bool {
        if !self.vouched.has(id) {
            return false;
        }
        let stand = self.vouched.stands.of[id];
        if stand != Stand::Vouched {
            let is_told = stand != Stand::Behind || self.has_the_same_needs(id);
            match is_told.then(|| self.result_before(id)).flatten() {
                Some((outputs, key)) => self.done[id] = Done::fresh(outputs, Some(key)),
                None if stand == Stand::Behind && !self.judge_all_behind() => {
                    self.active.remove(&id);
                    let what =
                        "what the build state said of it was damaged meanwhile: run taskr again";
                    self.cannot_start(id, what.to_owned(), None);
                    return true;
                }
                None => return false,
            }
        }
        self.active.remove(&id);
        self.done[id].is_fresh = true;
        self.end(id, &End::without_run(Finish::Fresh));
        true
    }

    /// What the record says that the run found, or was given.
    fn result_before(&self, id: TaskId) -> Option<(Vec<OutFile>, Digest)> {
        record::read_result(&self.held.state, &self.names.id(self.graph.name(id)))
    }

    /// Whether nothing that the task needs is another than when it was found up to date, as far as that
    /// was in doubt. A command might have changed more than its outputs.
    fn has_the_same_needs(&self, id: TaskId) -> bool {
        let vouched = &self.vouched;
        let is_same = |need: TaskId| match vouched.stands.of[need] {
            Stand::Vouched | Stand::Needed => {
                self.known_tasks.is_some() || self.done[need].is_fresh
            }
            Stand::Unplanned => false,
            Stand::Behind => self.done[need].is_fresh,
            Stand::InDoubt => vouched.same.contains(&need),
        };
        let moved = vouched.stands.moved.get(&id).into_iter().flatten();
        !self.deeds.commands
            && self.graph.without_groups(self.graph.needs(id)).into_iter().all(is_same)
            && moved.into_iter().all(|path| vouched.same_outputs.contains(path))
    }

    /// Notes whether a task that was in doubt, and ended, has the outputs that its record said it has, or
    /// the same key where that counts, and so have all that it needs.
    pub(super) fn note_same(&mut self, id: TaskId) {
        let counts = self.vouched.is_on()
            && self.vouched.stands.is(id, Stand::InDoubt)
            && !self.vouched.stands.left.contains(&id)
            && self.graph.kind(id) == Kind::Recorded;
        if !counts || !self.has_the_same_needs(id) {
            return;
        }
        let Some((outputs, key)) = self.result_before(id) else { return };
        // What a link leads to counts for who reads it, and not for who made it.
        if outputs.iter().any(|output| matches!(output.made, Made::Link(_))) {
            return;
        }
        let done = &self.done[id];
        let by_key = outputs.is_empty() || !self.graph.task(id).rule.installs.is_empty();
        if *done.outputs == *outputs && done.key.is_some_and(|now| !by_key || now == key) {
            self.vouched.same.insert(id);
            self.vouched.same_outputs.extend(outputs.into_iter().map(|output| output.path));
        }
    }

    /// What is behind others, and has not ended, is judged; false if what the state says of it cannot be
    /// read.
    fn judge_all_behind(&mut self) -> bool {
        let mut stands = self.vouched.stands.clone();
        let behind: Vec<TaskId> = stands.ids(Stand::Behind).collect();
        for id in behind.into_iter().filter(|&id| !self.done[id].is_fresh) {
            stands.of[id] = Stand::InDoubt;
        }
        // Otherwise all has been read.
        if self.known_tasks.is_some() {
            stands.find_needed(&self.graph, &[Stand::InDoubt]);
            if self.read_for(&stands).is_none() {
                return false;
            }
        }
        self.vouched.stands = stands;
        true
    }

    /// The wanted tasks that this run did not find up to date.
    pub(super) fn in_doubt(&self) -> Vec<u32> {
        let wanted = self.plan.wanted().map(|(id, _)| id);
        let doubted = wanted
            .filter(|&id| self.graph.task(id).kind() != Kind::Group && !self.done[id].is_fresh);
        doubted.map(number).collect()
    }
}

fn number(id: TaskId) -> u32 {
    u32::try_from(id.index()).expect("tasks are limited to a million")
}

impl Stands {
    /// How each task stands after what moved, if these are all that is built; none if nobody can be
    /// vouched for: one that is in doubt may change what others read, or was a task of another graph.
    pub(super) fn of(graph: &Graph, before: &Partly, planned: &[TaskId]) -> Option<Stands> {
        let left = tasks_of(graph, &before.left_in_doubt)?;
        let mut stands = Stands {
            of: IdVec::filled(graph.tasks().len(), Stand::Unplanned),
            left: left.iter().copied().collect(),
            moved: FxHashMap::default(),
        };
        planned.iter().for_each(|&id| stands.of[id] = Stand::Vouched);
        stands.doubt(graph, &left)?;
        for (path, all) in before.standing.moved() {
            let all = tasks_of(graph, all)?;
            let makes = |id: &TaskId| {
                graph.task(*id).rule.outputs.iter().any(|output| output.value.covers(path))
            };
            // Who reads what one of them makes waits for that one.
            let (makers, others): (Vec<_>, Vec<_>) = all.into_iter().partition(makes);
            if makers.is_empty() {
                stands.doubt(graph, &others)?;
                continue;
            }
            stands.doubt(graph, &makers)?;
            for id in others {
                stands.moved.entry(id).or_default().push(path.clone());
            }
        }
        let astray: Vec<TaskId> =
            stands.moved.keys().copied().filter(|&id| stands.is(id, Stand::Vouched)).collect();
        stands.doubt(graph, &astray)?;
        Some(stands)
    }

    /// These are in doubt, and all that need them are behind.
    fn doubt(&mut self, graph: &Graph, ids: &[TaskId]) -> Option<()> {
        let mut stack: Vec<TaskId> = Vec::new();
        for &id in ids {
            self.of[id] = Stand::InDoubt;
            (!changes_inputs(graph, id)).then_some(())?;
            stack.extend(graph.needed_by(id));
        }
        while let Some(id) = stack.pop() {
            if self.is(id, Stand::Vouched) {
                self.of[id] = Stand::Behind;
                (!changes_inputs(graph, id)).then_some(())?;
                stack.extend(graph.needed_by(id));
            }
        }
        Some(())
    }

    /// Finds out who is needed by those that stand so.
    pub(super) fn find_needed(&mut self, graph: &Graph, by: &[Stand]) {
        // A group needs nothing itself: it stands for what is in it.
        let of_these = |&id: &TaskId| by.contains(&self.of[id]) && graph.kind(id) != Kind::Group;
        let mut stack: Vec<TaskId> = graph.tasks().ids().filter(of_these).collect();
        let mut seen = vec![false; self.of.len()];
        while let Some(id) = stack.pop() {
            for &need in graph.needs(id) {
                if self.is(need, Stand::Vouched) {
                    self.of[need] = Stand::Needed;
                }
                if graph.kind(need) == Kind::Group
                    && !std::mem::replace(&mut seen[need.index()], true)
                {
                    stack.push(need);
                }
            }
        }
    }

    /// The tasks that stand so.
    pub(super) fn ids(&self, stand: Stand) -> impl Iterator<Item = TaskId> {
        self.of.ids().filter(move |&id| self.is(id, stand))
    }

    /// Whether a task stands so.
    pub(super) fn is(&self, id: TaskId, stand: Stand) -> bool {
        self.of[id] == stand
    }
}

/// The tasks with these numbers; none if there are not as many.
fn tasks_of(graph: &Graph, numbers: &[u32]) -> Option<Vec<TaskId>> {
    let known = numbers.iter().all(|&number| (number as usize) < graph.tasks().len());
    known.then(|| numbers.iter().map(|&number| TaskId::from_index(number as usize)).collect())
}

/// These tasks and all that they need.
pub(super) fn with_needs(graph: &Graph, wanted: Vec<TaskId>) -> Vec<TaskId> {
    let (mut all, mut stack) = (Vec::new(), wanted);
    let mut seen = vec![false; graph.tasks().len()];
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut seen[id.index()], true) {
            all.push(id);
            stack.extend(graph.needs(id));
        }
    }
    all
}

fn changes_inputs(graph: &Graph, id: TaskId) -> bool {
    graph.task(id).rule.target.policy.fixes_inputs
}
