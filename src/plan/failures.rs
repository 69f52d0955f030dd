//! What a failure means to others: who is skipped, who goes on all the same.
//!
//! A failure is *soft* if its target allows it, or if enough of the other tasks of its target can
//! still succeed (`require`). Behind a soft failure whoever needs what is missing is skipped, softly
//! too; who only comes later goes on, and so does a group, which needs nothing itself. What needs
//! such a group needs what is missing.

use std::cell::OnceCell;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Plan, State};
use crate::graph::{Graph, Kind};
use crate::ids::TaskId;

/// What a run knows of its failures.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// Targets of which not all tasks must succeed, by the node that stands for them all.
    quotas: FxHashMap<TaskId, Quota>,
    /// Failed or skipped, and no harm.
    soft: FxHashSet<TaskId>,
    /// Groups of which something is missing.
    tainted: FxHashSet<TaskId>,
    /// Targets of which too many failed, not told yet.
    broken: Vec<Broken>,
}

#[derive(Debug)]
struct Quota {
    tasks: usize,
    may_fail: usize,
    failed: usize,
}

/// A target of which too many tasks did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The node that stands for its tasks.
    pub target: TaskId,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many of them must succeed.
    pub required: usize,
}

/// What the end of a task means to one that waits for it.
#[derive(PartialEq, Eq)]
enum Effect {
    GoesOn,
    /// It goes on, and lacks something.
    Tainted,
    Skipped,
}

impl Failures {
    pub(super) fn new(graph: &Graph, order: &[TaskId]) -> Failures {
        let quota = |&id: &TaskId| {
            let task = graph.task(id);
            let require = task.rule.target.schedule.require?;
            let tasks = task.deps.len();
            let may_fail = tasks.saturating_sub(require.of(tasks));
            (task.kind() == Kind::Group).then_some((id, Quota { tasks, may_fail, failed: 0 }))
        };
        Failures { quotas: order.iter().filter_map(quota).collect(), ..Failures::default() }
    }

    /// The node of the target of a task, if that has a quota.
    fn quota_of(&self, graph: &Graph, id: TaskId) -> Option<TaskId> {
        if self.quotas.is_empty() {
            return None;
        }
        let name = &graph.task(id).rule.target.name;
        let node = graph.find(name).filter(|node| self.quotas.contains_key(node))?;
        (node != id).then_some(node)
    }
}

impl Plan {
    /// Whether it is no harm if this task fails now.
    pub fn allows_failure(&self, graph: &Graph, id: TaskId) -> bool {
        graph.task(id).rule.target.schedule.allow_failure || self.has_enough_others(graph, id)
    }

    /// Whether its target can have as many successes as it needs although this task fails now.
    pub fn has_enough_others(&self, graph: &Graph, id: TaskId) -> bool {
        let node = self.failures.quota_of(graph, id);
        let within = node.and_then(|node| self.failures.quotas.get(&node));
        within.is_some_and(|quota| quota.failed < quota.may_fail)
    }

    /// Whether a task failed or was skipped and that is no harm.
    pub fn is_soft(&self, id: TaskId) -> bool {
        self.failures.soft.contains(&id)
    }

    /// Whether there are such tasks by now.
    pub fn has_soft(&self) -> bool {
        !self.failures.soft.is_empty()
    }

    /// Whether a task did not succeed, and never will in this run.
    pub fn is_missing(&self, id: TaskId) -> bool {
        matches!(self.states[id], State::Failed | State::Skipped)
    }

    /// Targets of which too many tasks failed, each once.
    pub fn take_broken(&mut self) -> Vec<Broken> {
        std::mem::take(&mut self.failures.broken)
    }

    /// A started task ended badly. All that need it will not start, and are told. Those that only
    /// come later than it may start.
    pub fn fail(&mut self, graph: &Graph, id: TaskId) -> Vec<TaskId> {
        self.set(id, State::Failed);
        self.spread(graph, id, false)
    }

    /// The same where that is no harm: see [`Plan::allows_failure`].
    pub fn fail_softly(&mut self, graph: &Graph, id: TaskId) -> Vec<TaskId> {
        self.set(id, State::Failed);
        self.spread(graph, id, true)
    }

    /// All that a group stands for has ended, and well as far as that counts. Who needs what is
    /// missing of it is skipped, and told.
    pub fn pass(&mut self, graph: &Graph, id: TaskId) -> Vec<TaskId> {
        if !self.failures.tainted.remove(&id) {
            self.succeed(graph, id);
            return Vec::new();
        }
        self.set(id, State::Done);
        self.spread(graph, id, true)
    }

    /// Tells all that wait for `first` that it ended without what it was to make.
    fn spread(&mut self, graph: &Graph, first: TaskId, soft: bool) -> Vec<TaskId> {
        let (mut skipped, mut ready) = (Vec::new(), Vec::new());
        let mut stack = vec![(first, soft)];
        while let Some((id, soft)) = stack.pop() {
            let tolerant = self.count(graph, id);
            let soft = soft || tolerant.is_some();
            if soft && self.is_missing(id) {
                self.failures.soft.insert(id);
            }
            // What a group stands for is looked up once, however many wait for it.
            let behind = OnceCell::new();
            let is_behind = |other: &TaskId| {
                let all = || graph.without_groups(&[id]).into_iter().collect::<FxHashSet<_>>();
                behind.get_or_init(all).contains(other)
            };
            for &next in graph.needed_by(id) {
                if !matches!(self.states[next], State::Waiting(_)) {
                    continue;
                }
                let effect = match soft {
                    true => effect(graph, (id, next), tolerant, &is_behind),
                    false => Effect::Skipped,
                };
                if effect == Effect::Skipped {
                    self.set(next, State::Skipped);
                    skipped.push(next);
                    stack.push((next, soft));
                    continue;
                }
                if effect == Effect::Tainted {
                    self.failures.tainted.insert(next);
                }
                self.one_need_less(next, &mut ready);
            }
        }
        for &id in std::iter::once(&first).chain(&skipped) {
            self.open_gates(id, &mut ready);
        }
        skipped
    }

    /// Counts a task that did not succeed. The node of its target, if that can still have enough.
    fn count(&mut self, graph: &Graph, id: TaskId) -> Option<TaskId> {
        let node = self.failures.quota_of(graph, id).filter(|_| self.is_missing(id))?;
        let waits = matches!(self.states[node], State::Waiting(_));
        let quota = self.failures.quotas.get_mut(&node)?;
        quota.failed += 1;
        if quota.failed <= quota.may_fail {
            return Some(node);
        }
        if waits {
            let Quota { tasks, may_fail, .. } = *quota;
            let required = tasks - may_fail;
            self.failures.broken.push(Broken { target: node, tasks, required });
        }
        None
    }
}

/// What the soft end of `id` means to `next`. `tolerant`: the node of its target, which does not
/// need all of its tasks. `is_behind`: whether `id` is this task, or stands for it.
fn effect(
    graph: &Graph,
    (id, next): (TaskId, TaskId),
    tolerant: Option<TaskId>,
    is_behind: &impl Fn(&TaskId) -> bool,
) -> Effect {
    if tolerant == Some(next) {
        return Effect::GoesOn;
    }
    let task = graph.task(next);
    if task.kind() == Kind::Group {
        return Effect::Tainted;
    }
    // Who needs the target as a whole sees what there is of it.
    let sees = tolerant.is_some_and(|node| graph.needs(next).contains(&node));
    let named = task.deps.contains(&id) || task.sources.iter().flatten().any(|&of| of == id);
    let makers = graph.makers();
    let names = || makers.named_by(&task.rule).any(|maker| is_behind(&maker));
    let matches = || makers.matched_by(&task.rule).any(|maker| is_behind(&maker));
    let reads = match sees {
        true => names(),
        false => !task.after.contains(&id) || task.rule.depfile.is_some() || names() || matches(),
    };
    if named || reads { Effect::Skipped } else { Effect::GoesOn }
}
