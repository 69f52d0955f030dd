//! Tasks that need not be judged: an earlier build with the same question found them up to date,
//! and nothing that they rest on has moved since ([`Partly`](super::proof::Partly)). What has moved
//! puts in doubt who looked at it, and all that need these.
//!
//! Who looks at a file is noted where it is looked at, so that nothing can be forgotten; what was
//! looked at for nobody in particular is everybody's. It decides no task that is in doubt.

use rustc_hash::FxHashMap;
use taskr_cache::{Basis, Claim, Standing};

use super::finish::End;
use super::{Build, Done};
use crate::graph::{Graph, Kind};
use crate::ids::{FileId, Id, IdVec, TaskId};
use crate::outcome::Finish;
use crate::record;

/// Who is vouched for, and who looked at what.
#[derive(Debug, Default)]
pub(super) struct Vouched {
    /// What vouches, if anything does.
    standing: Option<Standing>,
    /// How each task stands; of none if nothing vouches.
    stands: Stands,
    /// Who is being judged.
    asking: Option<TaskId>,
    /// Who looked at what, as often as that was.
    looked: Vec<(FileId, TaskId)>,
}

/// How each task stands.
#[derive(Debug, Default)]
pub(super) struct Stands(IdVec<TaskId, Stand>);

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not vouched for.
    InDoubt,
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
        !self.stands.0.is_empty()
    }

    /// From now on these are vouched for by what an earlier run saw.
    pub(super) fn vouch(&mut self, stands: Stands, standing: &Standing) {
        self.stands = stands;
        self.standing = Some(standing.clone());
    }

    /// Whether the task need not be judged.
    pub(super) fn has(&self, id: TaskId) -> bool {
        self.is_on() && !self.stands.is(id, Stand::InDoubt)
    }

    /// What vouched, with what this run saw: of the tasks that it judged all is new, of the others
    /// nothing. Without what `is_gone`. None if what vouched cannot be read.
    pub(super) fn basis_with(
        &self,
        new: Vec<Claim>,
        is_gone: impl Fn(&[u8]) -> bool,
    ) -> Option<Basis<'_>> {
        let Some(standing) = &self.standing else { return Some(Basis::new(new)) };
        let is_judged =
            |number: u32| self.stands.is(TaskId::from_index(number as usize), Stand::InDoubt);
        standing.basis_with(new, is_judged, is_gone)
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
        if let Some(stands) = Stands::of(&self.graph, &before.doubted) {
            self.vouched.vouch(stands, &before.standing);
        }
    }

    /// Ends a task that is vouched for; false if it has to be judged.
    pub(super) fn is_vouched(&mut self, id: TaskId) -> bool {
        if !self.vouched.has(id) {
            return false;
        }
        if self.vouched.stands.is(id, Stand::Needed) {
            let id_in_state = self.names.id(self.graph.name(id));
            let result = record::read_result(&self.held.state, &id_in_state);
            let Some((outputs, key)) = result else { return false };
            self.done[id] = Done::fresh(outputs, Some(key));
        }
        self.active.remove(&id);
        self.done[id].is_fresh = true;
        self.end(id, &End::without_run(Finish::Fresh));
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
    /// How each task stands if these are in doubt; none if nobody can be vouched for, because one that
    /// is in doubt may change what others read.
    pub(super) fn of(graph: &Graph, doubted: &[u32]) -> Option<Stands> {
        let count = graph.tasks().len();
        let mut stands = IdVec::filled(count, Stand::Vouched);
        let inside = doubted.iter().map(|&number| number as usize);
        let mut stack: Vec<TaskId> =
            inside.filter(|&number| number < count).map(TaskId::from_index).collect();
        if stack.len() < doubted.len() {
            return None;
        }
        let mut in_doubt = Vec::new();
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut stands[id], Stand::InDoubt) == Stand::InDoubt {
                continue;
            }
            if graph.task(id).rule.target.policy.fixes_inputs {
                return None;
            }
            in_doubt.push(id);
            stack.extend(graph.needed_by(id));
        }
        // A group needs nothing itself: it stands for what is in it.
        in_doubt.retain(|&id| graph.kind(id) != Kind::Group);
        let (mut stack, mut seen) = (in_doubt, vec![false; count]);
        while let Some(id) = stack.pop() {
            for &need in graph.needs(id) {
                if stands[need] == Stand::Vouched {
                    stands[need] = Stand::Needed;
                }
                if graph.kind(need) == Kind::Group
                    && !std::mem::replace(&mut seen[need.index()], true)
                {
                    stack.push(need);
                }
            }
        }
        Some(Stands(stands))
    }

    /// Whether a task stands so.
    pub(super) fn is(&self, id: TaskId, stand: Stand) -> bool {
        self.0[id] == stand
    }
}
