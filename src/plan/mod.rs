//! What may start next: a pure state machine over the graph.
//!
//! Knows no clock, no disk and no process: the caller says what finished and how many places
//! are free. Every task is in exactly one state, and one function changes it; the ready queue
//! and all counts are derived there. Who reads what a formatter may change comes later than that, and
//! a step of a pipeline later than the one before it.

mod later;
mod steps;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::error::Diagnostic;
use crate::graph::{Graph, Named};
use crate::ids::{Id, IdVec, TaskId};

use later::Later;
use steps::Steps;
pub use steps::{Block, Pipeline, Step};

/// Where a task stands in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing that is wanted needs it.
    Unwanted,
    /// So many of its needs are not done, gates of formatters and steps included.
    Waiting(u32),
    /// All its needs are done.
    Ready,
    /// Handed out by [`Plan::next`].
    Started,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Will not start, because what it needs failed.
    Skipped,
}

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Judge this task, and run it if it must.
    Start(TaskId),
    /// Nothing can start now: wait for one that was started.
    Wait,
    /// All is done, or nothing more may start and nothing is running.
    Done,
}

/// See [`Plan::rank`].
pub type Rank = (u64, Reverse<TaskId>);

/// The state of one run.
#[derive(Debug)]
pub struct Plan {
    states: IdVec<TaskId, State>,
    ready: BinaryHeap<Rank>,
    /// For each task the longest recorded path from its start to the end of the build.
    remaining_ms: IdVec<TaskId, u64>,
    later: Later,
    steps: Steps,
    started: usize,
    stopped: bool,
}

impl Plan {
    /// A plan for `wanted` and all they need. Among ready tasks the one with the longest
    /// remaining path by `durations_ms` goes first, then the one declared first.
    ///
    /// # Errors
    /// Two formatters that may change the same file, without an order.
    pub fn new(
        graph: &Graph,
        wanted: &[TaskId],
        durations_ms: &IdVec<TaskId, u64>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        Plan::in_steps(graph, wanted, durations_ms, &[])
    }

    /// The same, where tasks come in the order of pipelines, too.
    ///
    /// # Errors
    /// As [`Plan::new`], and tasks that wait for one another because of their steps.
    pub fn in_steps(
        graph: &Graph,
        wanted: &[TaskId],
        durations_ms: &IdVec<TaskId, u64>,
        pipelines: &[Pipeline],
    ) -> Result<Plan, Vec<Diagnostic>> {
        let count = graph.tasks().len();
        let order = needs_first(graph, wanted);
        let mut plan = Plan {
            states: IdVec::filled(count, State::Unwanted),
            ready: BinaryHeap::new(),
            remaining_ms: IdVec::filled(count, 0),
            later: Later::new(graph, &order)?,
            steps: Steps::new(graph, &order, wanted, pipelines),
            started: 0,
            stopped: false,
        };
        if !pipelines.is_empty()
            && let Some(circle) = plan.steps.circle(graph, &order, &plan.later)
        {
            return Err(vec![circle]);
        }
        plan.find_remaining(graph, &order, durations_ms);
        for &id in &order {
            let gates = plan.later.count(id) + plan.steps.count(id);
            let needs = graph.needs(id).len() + gates;
            let needs = u32::try_from(needs).expect("fewer than 2^32 needs");
            plan.set(id, if needs == 0 { State::Ready } else { State::Waiting(needs) });
        }
        Ok(plan)
    }

    /// From the end to the start; what a formatter needs last, as all others may wait for it.
    fn find_remaining(
        &mut self,
        graph: &Graph,
        order: &[TaskId],
        durations_ms: &IdVec<TaskId, u64>,
    ) {
        let (early, others): (Vec<TaskId>, Vec<TaskId>) =
            order.iter().rev().partition(|&&id| self.later.is_early(id));
        let mut longest = FxHashMap::default();
        for ids in [others, early] {
            for id in ids {
                let behind = graph.needed_by(id).iter().map(|&next| self.remaining_ms[next]);
                let behind = behind.chain(longest.get(&id).copied()).max();
                self.remaining_ms[id] = durations_ms[id] + behind.unwrap_or(0);
            }
            longest = self.later.longest_behind(&self.remaining_ms);
        }
    }

    /// The state of one task.
    pub fn state(&self, id: TaskId) -> State {
        self.states[id]
    }

    /// All tasks of this run with their states.
    pub fn wanted(&self) -> impl Iterator<Item = (TaskId, State)> {
        let all = self.states.enumerate().map(|(id, &state)| (id, state));
        all.filter(|(_, state)| *state != State::Unwanted)
    }

    /// What may start, if `free` tasks more may.
    pub fn next(&mut self, free: usize) -> Next {
        if !self.stopped
            && free > 0
            && let Some((_, Reverse(id))) = self.ready.pop()
        {
            self.set(id, State::Started);
            return Next::Start(id);
        }
        let open = self.started > 0 || (!self.stopped && !self.ready.is_empty());
        if open { Next::Wait } else { Next::Done }
    }

    /// A started task ended well. Those that only waited for it are ready now, and are told.
    pub fn succeed(&mut self, graph: &Graph, id: TaskId) -> Vec<TaskId> {
        self.set(id, State::Done);
        let mut ready = Vec::new();
        for &next in graph.needed_by(id) {
            self.one_need_less(next, &mut ready);
        }
        self.open_gates(id, &mut ready);
        ready
    }

    fn one_need_less(&mut self, id: TaskId, ready: &mut Vec<TaskId>) {
        match self.states[id] {
            State::Waiting(1) => {
                self.set(id, State::Ready);
                ready.push(id);
            }
            State::Waiting(needs) => self.set(id, State::Waiting(needs - 1)),
            _ => {}
        }
    }

    /// Those that only come later than `id` need not wait for it any more.
    fn open_gates(&mut self, id: TaskId, ready: &mut Vec<TaskId>) {
        for freed in self.later.ended(id).into_iter().chain(self.steps.ended(id)) {
            self.one_need_less(freed, ready);
        }
    }

    /// The wanted formatters that may change what a task declares as input, and do not wait for
    /// it.
    pub fn fixers_before(&self, id: TaskId) -> impl Iterator<Item = TaskId> {
        self.later.before(id)
    }

    /// Whether formatters are wanted.
    pub fn has_fixers(&self) -> bool {
        self.later.index().is_some()
    }

    /// The wanted formatters that may change a file.
    pub fn fixers_of(&self, path: &[u8]) -> Vec<TaskId> {
        let meetings = self.later.index().map(|index| index.of(&Named::file(path)));
        meetings.into_iter().flatten().map(|meeting| meeting.fixer).collect()
    }

    /// A started task ended badly. All that need it will not start, and are told. Those that only
    /// come later than it may start.
    pub fn fail(&mut self, graph: &Graph, id: TaskId) -> Vec<TaskId> {
        self.set(id, State::Failed);
        let mut skipped = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            for &next in graph.needed_by(id) {
                if matches!(self.states[next], State::Waiting(_)) {
                    self.set(next, State::Skipped);
                    skipped.push(next);
                    stack.push(next);
                }
            }
        }
        let mut ready = Vec::new();
        for &id in std::iter::once(&id).chain(&skipped) {
            self.open_gates(id, &mut ready);
        }
        skipped
    }

    /// The task whose end let this one start, where a step kept it and nothing that it needs.
    pub fn freed_by(&self, id: TaskId) -> Option<TaskId> {
        self.steps.freed_by(id)
    }

    /// Among ready tasks the greatest goes first: the longest remaining path, then the one
    /// declared first.
    pub fn rank(&self, id: TaskId) -> Rank {
        (self.remaining_ms[id], Reverse(id))
    }

    /// Nothing new starts from now on.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether [`Plan::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// How many tasks are handed out and not ended.
    pub fn started(&self) -> usize {
        self.started
    }

    /// The only place where a state changes.
    fn set(&mut self, id: TaskId, state: State) {
        let old = std::mem::replace(&mut self.states[id], state);
        if old == State::Started {
            self.started -= 1;
        }
        match state {
            State::Started => self.started += 1,
            State::Ready => self.ready.push(self.rank(id)),
            _ => {}
        }
    }
}

/// All that `wanted` needs, each behind its own needs. Linear, with an explicit stack.
fn needs_first(graph: &Graph, wanted: &[TaskId]) -> Vec<TaskId> {
    let mut seen = vec![false; graph.tasks().len()];
    let mut order = Vec::new();
    let mut stack: Vec<(TaskId, usize)> = Vec::new();
    for &root in wanted {
        if std::mem::replace(&mut seen[root.index()], true) {
            continue;
        }
        stack.push((root, 0));
        while let Some((id, next)) = stack.last_mut() {
            let Some(&need) = graph.needs(*id).get(*next) else {
                order.push(*id);
                stack.pop();
                continue;
            };
            *next += 1;
            if !std::mem::replace(&mut seen[need.index()], true) {
                stack.push((need, 0));
            }
        }
    }
    order
}
