//! Counts, work and the critical path of a run, kept as tasks end.

use crate::graph::Graph;
use crate::ids::{IdVec, TaskId};
use crate::outcome::{Finish, Step, Summary};

/// What a run has come to so far.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) summary: Summary,
    pub(super) failures: usize,
    /// For each task the longest chain of work up to its end, in milliseconds, and the task
    /// before it on that chain.
    longest: IdVec<TaskId, (u64, Option<TaskId>)>,
    own_ms: IdVec<TaskId, u64>,
    last: Option<TaskId>,
}

/// What a task took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Took {
    /// Of its last attempt's command, its part where several tasks shared one.
    pub(super) work_ms: u64,
    /// From its first start to its end: what others had to wait for.
    pub(super) time_ms: u64,
}

impl Tally {
    pub(super) fn new(tasks: usize) -> Tally {
        Tally {
            summary: Summary::default(),
            failures: 0,
            longest: IdVec::filled(tasks, (0, None)),
            own_ms: IdVec::filled(tasks, 0),
            last: None,
        }
    }

    /// A group: it lets the chain through.
    pub(super) fn passed(&mut self, graph: &Graph, id: TaskId, freed_by: Option<TaskId>) {
        self.chain(graph, (id, freed_by), 0);
    }

    /// A task ended. `freed_by`: what kept it beside what it needs.
    /// `soft`: it did not succeed, and that is no harm.
    pub(super) fn ended(
        &mut self,
        graph: &Graph,
        (id, freed_by): (TaskId, Option<TaskId>),
        (finish, soft): (&Finish, bool),
        took: Took,
    ) {
        let counts = &mut self.summary.counts;
        match finish {
            Finish::Group => {}
            Finish::Fresh => counts.fresh += 1,
            Finish::Restored | Finish::WouldRestore => counts.restored += 1,
            Finish::Ran | Finish::WouldRun => counts.ran += 1,
            Finish::Failed | Finish::Unstable => counts.failed += 1,
            Finish::Skipped | Finish::WhenFalse => counts.skipped += 1,
            Finish::Cancelled => counts.cancelled += 1,
        }
        self.summary.when_false += usize::from(*finish == Finish::WhenFalse);
        self.summary.unstable += usize::from(*finish == Finish::Unstable);
        if soft {
            self.summary.forgiven.add(finish);
        }
        let failed = matches!(finish, Finish::Failed | Finish::Unstable);
        self.failures += usize::from(failed && !soft);
        self.summary.work_ms += took.work_ms;
        self.chain(graph, (id, freed_by), took.time_ms);
    }

    /// An attempt failed after `work_ms` of its command, and is followed by another.
    pub(super) fn retried(&mut self, work_ms: u64) {
        self.summary.retries += 1;
        self.repeated(work_ms);
    }

    /// An attempt of so much work was in vain, without having failed, and is followed by another.
    pub(super) fn repeated(&mut self, work_ms: u64) {
        self.summary.work_ms += work_ms;
    }

    fn chain(&mut self, graph: &Graph, (id, freed_by): (TaskId, Option<TaskId>), duration_ms: u64) {
        let before = graph.needs(id).iter().copied().chain(freed_by);
        let before = before.max_by_key(|&need| self.longest[need].0);
        let before = before.filter(|&need| self.longest[need].0 > 0);
        let total = duration_ms + before.map_or(0, |need| self.longest[need].0);
        self.longest[id] = (total, before);
        self.own_ms[id] = duration_ms;
        if self.last.is_none_or(|last| total > self.longest[last].0) {
            self.last = Some(id);
        }
    }

    /// The longest chain of tasks that ran, first to last.
    pub(super) fn critical_path(&self, graph: &Graph) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = self.last;
        while let Some(id) = at {
            if self.own_ms[id] > 0 {
                let task = graph.name(id).to_owned();
                steps.push(Step { task, duration_ms: self.own_ms[id] });
            }
            at = self.longest[id].1;
        }
        steps.reverse();
        steps
    }
}
