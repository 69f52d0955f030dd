//! From a task to the first causes: a search over the tasks that would run, or that ran before
//! it, nearest first. Only what leads to a cause that was not told yet is kept.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::facts::{Facts, Kept, Said};
use crate::graph::Kind;
use crate::ids::TaskId;
use crate::lock::Note;
use crate::outcome::{Cause, Reason};
use crate::run::Attempt;

/// First causes that are told.
const MOST_CAUSES: usize = 5;
/// Causes that are told of one task.
pub(super) const MOST_OF_ONE: usize = 3;
/// Tasks of earlier runs that are looked up: each costs a file.
const MOST_LOOKED_UP: usize = 1_000;
/// Of a longer chain the middle is only counted: hops at its begin, and at its end.
const FIRST_HOPS: usize = 5;
const LAST_HOPS: usize = 4;

/// Where a task stands in the explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Up to date; it last ran for these causes, if that is known.
    Fresh(Option<Kept>),
    /// It would run.
    WouldRun,
    /// It would be restored from the store.
    WouldRestore,
    /// It is at work now.
    Running(Note),
    /// It ran, in the run that is explained or before it.
    Ran(Kept),
    /// It cannot be judged.
    Failed(String),
    /// What it needs cannot be judged.
    Skipped,
    /// It is skipped: its `when` is false.
    WhenFalse(String),
    /// It stands for so many tasks.
    Group(usize),
}

/// One line of an explanation.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) task: TaskId,
    /// 0 for the task that was asked for.
    pub(super) depth: usize,
    /// How many tasks between this and the one above are left out.
    pub(super) between: usize,
    pub(super) state: State,
    /// The first ones.
    pub(super) causes: Vec<Cause>,
    /// How many more there are.
    pub(super) more: usize,
}

/// The explanation of one task.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) hops: Vec<Hop>,
    /// First causes that are not told.
    pub(super) more_causes: usize,
    /// Tasks that would run for causes that are told.
    pub(super) more_tasks: usize,
}

/// A task as the search meets it: now, or in an earlier run.
struct Node {
    task: TaskId,
    above: Option<usize>,
    state: State,
    causes: Vec<Cause>,
    more: usize,
    next: Vec<TaskId>,
    told: bool,
}

/// Explains one task; with `all` nothing is left out.
pub(super) fn explain(facts: &Facts, id: TaskId, all: bool) -> Chain {
    let (nodes, seen) = (Vec::new(), FxHashSet::default());
    let mut search = Search { facts, all, nodes, seen, looked_up: 0 };
    search.go(id);
    let (more_causes, more_tasks) = search.choose();
    Chain { hops: search.hops(), more_causes, more_tasks }
}

struct Search<'f> {
    facts: &'f Facts,
    all: bool,
    nodes: Vec<Node>,
    seen: FxHashSet<TaskId>,
    looked_up: usize,
}

impl Search<'_> {
    /// Breadth first, so that each cause is reached by a shortest way.
    fn go(&mut self, id: TaskId) {
        let mut waiting = VecDeque::from([(id, None)]);
        self.seen.insert(id);
        while let Some((task, above)) = waiting.pop_front() {
            let Some(node) = self.node(task, above) else { continue };
            let at = self.nodes.len();
            for &next in &node.next {
                if self.seen.insert(next) {
                    waiting.push_back((next, Some(at)));
                }
            }
            self.nodes.push(node);
        }
    }

    /// What is known of one task; none if it adds nothing to the task above it.
    fn node(&mut self, task: TaskId, above: Option<usize>) -> Option<Node> {
        let graph = &self.facts.judged.graph;
        let node = |state, causes: Vec<Cause>, more, next| {
            Some(Node { task, above, state, causes, more, next, told: false })
        };
        if graph.task(task).kind() == Kind::Group {
            let members = graph.task(task).deps.clone();
            return node(State::Group(members.len()), Vec::new(), 0, self.open(members));
        }
        match self.facts.said(task) {
            Said::WouldRun(reasons, _) => {
                if let Some(Attempt::Running(note)) = self.facts.attempt(task) {
                    return node(State::Running(note), Vec::new(), 0, Vec::new());
                }
                self.would_run(task, above, reasons)
            }
            Said::WouldRestore(reasons) => {
                let node = self.would_run(task, above, reasons)?;
                Some(Node { state: State::WouldRestore, ..node })
            }
            Said::Failed(what) => node(State::Failed(what.clone()), Vec::new(), 0, Vec::new()),
            Said::WhenFalse(why) => node(State::WhenFalse(why.clone()), Vec::new(), 0, Vec::new()),
            Said::Skipped => {
                let needs = graph.needs(task).to_vec();
                node(State::Skipped, Vec::new(), 0, self.open(needs))
            }
            Said::Fresh | Said::Nothing => self.has_run(task, above),
        }
    }

    fn would_run(&self, task: TaskId, above: Option<usize>, reasons: &[Reason]) -> Option<Node> {
        let told = reasons.get(..self.most_of_one()).unwrap_or(reasons);
        let causes = self.facts.plain_causes(task, told);
        let more = reasons.len() - told.len();
        let mut next = self.makers(&causes);
        if let [Reason::MayChange(first)] = reasons {
            let graph = &self.facts.judged.graph;
            let first = graph.find(first);
            let after: FxHashSet<TaskId> = graph.task(task).after.iter().copied().collect();
            let needs = graph.needs(task).iter().filter(|need| !after.contains(need)).copied();
            next = self.open(first.into_iter().chain(needs).collect());
        }
        Some(Node { task, above, state: State::WouldRun, causes, more, next, told: false })
    }

    /// A task that is up to date: as the task asked for, or because it ran before the one above.
    fn has_run(&mut self, task: TaskId, above: Option<usize>) -> Option<Node> {
        self.looked_up += 1;
        let run = above.and_then(|above| self.run_of(above));
        let kept = match (self.looked_up > MOST_LOOKED_UP && !self.all, run) {
            (true, _) => None,
            (false, Some(run)) => self.facts.kept_by(task, &run),
            (false, None) => self.facts.last(task),
        };
        if above.is_some() && kept.is_none() {
            return None;
        }
        let causes = kept.as_ref().map_or(&[][..], |kept| &kept.because[..]);
        let causes = causes.get(..self.most_of_one()).unwrap_or(causes).to_vec();
        let more = kept.as_ref().map_or(0, |kept| kept.reasons - causes.len());
        let next = self.makers(kept.as_ref().map_or(&[][..], |kept| &kept.because[..]));
        let state = match (above, kept) {
            (Some(_), Some(kept)) => State::Ran(kept),
            (_, kept) => State::Fresh(kept),
        };
        Some(Node { task, above, state, causes, more, next, told: false })
    }

    fn most_of_one(&self) -> usize {
        if self.all { usize::MAX } else { MOST_OF_ONE }
    }

    /// The run that the node explains, if it is over.
    fn run_of(&self, at: usize) -> Option<String> {
        match &self.nodes[at].state {
            State::Fresh(Some(kept)) | State::Ran(kept) => Some(kept.run.clone()),
            _ => None,
        }
    }

    /// The tasks that the causes name.
    fn makers(&self, causes: &[Cause]) -> Vec<TaskId> {
        let names = causes.iter().filter_map(|cause| cause.task.as_deref());
        names.filter_map(|name| self.facts.judged.graph.find(name)).collect()
    }

    /// Those of the tasks that are not up to date.
    fn open(&self, mut tasks: Vec<TaskId>) -> Vec<TaskId> {
        let graph = &self.facts.judged.graph;
        let mut seen = FxHashSet::default();
        tasks.retain(|&task| {
            let open = match self.facts.said(task) {
                Said::Nothing => graph.task(task).kind() == Kind::Group,
                said => *said != Said::Fresh,
            };
            open && seen.insert(task)
        });
        tasks
    }

    /// Marks the ways to the first few causes. How many causes, and how many tasks with causes
    /// that are told, are left out.
    fn choose(&mut self) -> (usize, usize) {
        let mut known: FxHashMap<String, bool> = FxHashMap::default();
        let (mut told, mut more_tasks) = (0, 0);
        let met: FxHashSet<TaskId> = self.nodes.iter().map(|node| node.task).collect();
        for at in 0..self.nodes.len() {
            let texts = self.roots(at, &met);
            let new: Vec<String> =
                texts.iter().filter(|text| !known.contains_key(*text)).cloned().collect();
            let chosen = !texts.is_empty() && self.all || !new.is_empty() && told < MOST_CAUSES;
            more_tasks += usize::from(!chosen && new.is_empty() && !texts.is_empty());
            told += usize::from(chosen);
            known.extend(new.into_iter().map(|text| (text, chosen)));
            let mut way = (chosen || at == 0).then_some(at);
            while let Some(at) = way.filter(|&at| !self.nodes[at].told) {
                self.nodes[at].told = true;
                way = self.nodes[at].above;
            }
        }
        (known.values().filter(|chosen| !**chosen).count(), more_tasks)
    }

    /// Causes of a node behind which no other task stands.
    fn roots(&self, at: usize, met: &FxHashSet<TaskId>) -> Vec<String> {
        let node = &self.nodes[at];
        match &node.state {
            State::Failed(what) => vec![what.clone()],
            State::Running(_) => vec![format!("{:?}", node.task)],
            State::Group(_) | State::Skipped | State::WhenFalse(_) => Vec::new(),
            State::Fresh(_) | State::WouldRun | State::WouldRestore | State::Ran(_) => {
                let own = node.causes.iter();
                let graph = &self.facts.judged.graph;
                let behind = |cause: &&Cause| graph.find(cause.task.as_deref()?);
                let own = own.filter(|cause| behind(cause).is_none_or(|task| !met.contains(&task)));
                own.map(|cause| cause.text.clone()).collect()
            }
        }
    }

    /// The marked nodes as lines: each below the one that it explains.
    fn hops(self) -> Vec<Hop> {
        let (near, facts) = (self.near_a_cause(), self.facts);
        let mut below: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
        for (at, node) in self.nodes.iter().enumerate().rev().filter(|(_, node)| node.told) {
            if let Some(above) = node.above {
                below.entry(above).or_default().push(at);
            }
        }
        let mut nodes: Vec<Option<Node>> = self.nodes.into_iter().map(Some).collect();
        let mut hops = Vec::new();
        let mut stack = vec![(0, 0, 0)];
        while let Some((at, depth, between)) = stack.pop() {
            let Some(node) = nodes[at].take() else { continue };
            let is_group = matches!(node.state, State::Group(_)) && at != 0;
            let left_out = depth >= FIRST_HOPS && !near.contains(&at) && !self.all;
            let (mut next, mut left) = (depth, between);
            if left_out || is_group {
                left += usize::from(left_out);
            } else {
                let Node { task, state, mut causes, mut more, next: below, .. } = node;
                if let (State::WouldRun, Said::WouldRun(reasons, command)) =
                    (&state, facts.said(task))
                {
                    causes = facts.causes(task, &reasons[..causes.len()], command);
                    if let [Reason::MayChange(_)] = reasons[..] {
                        let tasks = facts.judged.graph.without_groups(&below).into_iter();
                        let open = tasks.filter(|&task| *facts.said(task) != Said::Fresh);
                        more = open.count().saturating_sub(1);
                    }
                }
                hops.push(Hop { task, depth, between, state, causes, more });
                (next, left) = (depth + 1, 0);
            }
            let children = below.remove(&at).unwrap_or_default();
            stack.extend(children.into_iter().map(|child| (child, next, left)));
        }
        hops
    }

    /// Nodes at most so many hops above the end of a told chain.
    fn near_a_cause(&self) -> FxHashSet<usize> {
        let told = |at: &usize| self.nodes[*at].told;
        let above: FxHashSet<usize> =
            (0..self.nodes.len()).filter(told).filter_map(|at| self.nodes[at].above).collect();
        let ends = (0..self.nodes.len()).filter(told).filter(|at| !above.contains(at));
        let mut near = FxHashSet::default();
        for end in ends {
            let mut way = Some(end);
            for _ in 0..LAST_HOPS {
                let Some(at) = way else { break };
                near.insert(at);
                way = self.nodes[at].above;
            }
        }
        near
    }
}
