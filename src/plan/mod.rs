//! What may start next: a pure state machine over the graph.
//!
//! Knows no clock, no disk and no process: the caller says what finished and how many places
//! are free. Every task is in exactly one state, and one function changes it; the ready queue
//! and all counts are derived there. Who reads what a formatter may change comes later than that, and
//! a step of a pipeline later than the one before it.

mod admission;
mod batches;
mod classes;
mod failures;
mod later;
mod pools;
mod ready;
mod rests;
mod steps;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::error::Diagnostic;
use crate::graph::{Graph, Named};
use crate::ids::{Id, IdVec, TaskId};

use batches::Batches;
use classes::Classes;
use failures::Failures;
use later::Later;
use ready::Ready;
use steps::Steps;

pub use admission::{Admission, Admit, Bounds, Machine};
pub use failures::Broken;
pub use rests::{Rests, wait};
pub use steps::{Block, Course, Pipeline, Step};

/// Where a task stands in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing that is wanted needs it.
    Unwanted,
    /// So many of its needs are not done, gates of formatters and steps included.
    Waiting(u32),
    /// All its needs are done.
    Ready,
    /// Handed out by [`Plan::next`], to be judged.
    Started,
    /// Handed out, and waits to be judged until the workspace is this run's again.
    Away,
    /// Judged, and must run: it waits to be admitted.
    Due,
    /// At work, or between two attempts.
    Running,
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
pub type Rank = (i32, u64, Reverse<TaskId>);

/// The state of one run.
#[derive(Debug)]
pub struct Plan {
    states: IdVec<TaskId, State>,
    ready: Ready,
    batches: Batches,
    /// For each task the greater of its own priority and of those that it holds up.
    priorities: IdVec<TaskId, i32>,
    /// For each task the longest recorded path from its start to the end of the build.
    remaining_ms: IdVec<TaskId, u64>,
    later: Later,
    failures: Failures,
    steps: Steps,
    started: usize,
    stopped: bool,
}

impl Plan {
    /// A plan for `wanted` and all they need. Among ready tasks the one of the greatest priority
    /// goes first, of these the one with the longest remaining path by `durations_ms`, then the one
    /// declared first.
    ///
    /// # Errors
    /// Two formatters that may change the same file, without an order.
    pub fn new(
        graph: &Graph,
        wanted: &[TaskId],
        durations_ms: &IdVec<TaskId, u64>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        Plan::in_steps(graph, wanted, durations_ms, Course::default())
    }

    /// The same, where tasks come in the order of pipelines, too.
    ///
    /// # Errors
    /// As [`Plan::new`], and tasks that wait for one another because of their steps.
    pub fn in_steps(
        graph: &Graph,
        wanted: &[TaskId],
        durations_ms: &IdVec<TaskId, u64>,
        course: Course<'_>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        let count = graph.tasks().len();
        let order = needs_first(graph, wanted, course);
        let mut plan = Plan {
            states: IdVec::filled(count, State::Unwanted),
            ready: Ready::new(Classes::new(graph, &order)),
            batches: Batches::new(graph, &order),
            priorities: IdVec::filled(count, 0),
            remaining_ms: IdVec::filled(count, 0),
            later: Later::new(graph, &order)?,
            failures: Failures::new(graph, &order),
            steps: Steps::new(graph, &order, course),
            started: 0,
            stopped: false,
        };
        if !course.pipelines.is_empty()
            && let Some(circle) = plan.steps.circle(graph, &order, &plan.later)
        {
            return Err(vec![circle]);
        }
        plan.find_remaining(graph, &order, durations_ms);
        plan.find_priorities(graph, &order);
        for &id in &order {
            let gates = plan.later.count(id) + plan.steps.count(id);
            let needs = graph.needs(id).iter().filter(|&&need| course.has(need)).count() + gates;
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

    /// What a task holds up is as urgent for it as for that: only where the Taskfile says how
    /// urgent that is, else a low priority could never count before a usual one.
    fn find_priorities(&mut self, graph: &Graph, order: &[TaskId]) {
        let mut behind: FxHashMap<TaskId, i32> = FxHashMap::default();
        for &id in order.iter().rev() {
            let own = graph.task(id).rule.target.schedule.priority;
            let inherited = behind.get(&id).copied();
            self.priorities[id] = own.unwrap_or(0).max(inherited.unwrap_or(i32::MIN));
            let Some(urgency) = own.into_iter().chain(inherited).max() else { continue };
            for &need in graph.needs(id) {
                let most = behind.entry(need).or_insert(urgency);
                *most = urgency.max(*most);
            }
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
            && let Some(id) = self.ready.pop()
        {
            self.set(id, State::Started);
            return Next::Start(id);
        }
        let open = self.started > 0 || (!self.stopped && !self.ready.is_empty());
        if open { Next::Wait } else { Next::Done }
    }

    /// The tasks that became ready since this was asked last; some of them may be handed out by now.
    pub fn newly_ready(&mut self) -> Vec<TaskId> {
        self.ready.take_new()
    }

    /// A task that was handed out must run, and waits to be admitted.
    pub fn is_due(&mut self, id: TaskId) {
        self.set(id, State::Due);
    }

    /// A task that was handed out cannot be judged before the workspace is this run's again. It holds
    /// up nobody.
    pub fn is_away(&mut self, id: TaskId) {
        self.set(id, State::Away);
    }

    /// The greatest priority of the tasks that are being judged.
    pub fn most_urgent(&self) -> Option<i32> {
        self.ready.most_urgent()
    }

    /// Whether items of the target of `id`, one with `batch`, are being judged.
    pub fn judges_mates(&self, id: TaskId) -> bool {
        self.batches.judges_mates(id)
    }

    /// A task was admitted.
    pub fn runs(&mut self, id: TaskId) {
        self.set(id, State::Running);
    }

    /// A task that ran is judged again.
    pub fn judges(&mut self, id: TaskId) {
        self.set(id, State::Started);
    }

    /// What decides which of the tasks that must run may start.
    pub fn admission(&self, bounds: Bounds) -> Admission {
        Admission::new(self.ready.classes().clone(), bounds)
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

    /// The task whose end let this one start, where a step kept it and nothing that it needs.
    pub fn freed_by(&self, id: TaskId) -> Option<TaskId> {
        self.steps.freed_by(id)
    }

    /// Among ready tasks the greatest goes first: by priority, then the longest remaining path,
    /// then the one declared first.
    pub fn rank(&self, id: TaskId) -> Rank {
        (self.priorities[id], self.remaining_ms[id], Reverse(id))
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
    #[cfg(test)]
    fn started(&self) -> usize {
        self.started
    }

    /// The only place where a state changes.
    fn set(&mut self, id: TaskId, state: State) {
        let old = std::mem::replace(&mut self.states[id], state);
        let out =
            |state| matches!(state, State::Started | State::Away | State::Due | State::Running);
        self.started -= usize::from(out(old));
        self.started += usize::from(out(state));
        self.batches.change(id, old, state);
        self.ready.leave(id, old, self.priorities[id]);
        match state {
            State::Ready => self.ready.push(self.rank(id)),
            state => self.ready.enter(id, state, self.priorities[id]),
        }
    }
}

/// All that `wanted` needs, each behind its own needs. Linear, with an explicit stack.
fn needs_first(graph: &Graph, wanted: &[TaskId], course: Course<'_>) -> Vec<TaskId> {
    let mut seen = vec![false; graph.tasks().len()];
    let mut order = Vec::new();
    let mut stack: Vec<(TaskId, usize)> = Vec::new();
    for &root in wanted.iter().filter(|&&id| course.has(id)) {
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
            if course.has(need) && !std::mem::replace(&mut seen[need.index()], true) {
                stack.push((need, 0));
            }
        }
    }
    order
}
