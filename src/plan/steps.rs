//! Who comes later than a step of a pipeline although it does not need it.
//!
//! A step ends in a barrier: a counter of the tasks and the earlier barriers that it waits for, as
//! later steps wait for it, so that two large steps cost their sum and not their product. A task
//! that a step names waits for the barrier before it, and the barrier behind waits for the task,
//! whether it ends well or badly.
//!
//! What named tasks need, and no step names, belongs to the first step that needs it: it starts
//! behind the same barrier, as if each step were asked for by itself. Where steps that run at once
//! need it, it belongs to the list that holds them, so that none of them waits for another; where
//! something outside of all pipelines needs it, to nobody.
//!
//! Steps belong to a run, not to the graph: nothing of them is in a key.

use rustc_hash::{FxHashMap, FxHashSet};

use super::later::Later;
use crate::error::{Diagnostic, Place, nearest, quoted};
use crate::graph::{Graph, Kind};
use crate::ids::{Id, TaskId};
use crate::parse;

/// A pipeline whose steps are tasks of the graph.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Its steps.
    pub steps: Block,
}

/// The pipelines of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Course<'c> {
    /// Each whole, of however little of it is in the run.
    pub pipelines: &'c [Pipeline],
    /// What is asked for beside them: their order does not hold for it.
    pub beside: &'c [TaskId],
    /// Set if all others are done before it begins, and no part of the run.
    pub only: Option<&'c FxHashSet<TaskId>>,
}

impl Course<'_> {
    /// Whether a task is a part of the run, if it is wanted.
    pub(super) fn has(&self, id: TaskId) -> bool {
        self.only.is_none_or(|only| only.contains(&id))
    }
}

/// A part of a pipeline.
#[derive(Clone, Debug)]
pub enum Block {
    /// What one step names.
    Step(Step),
    /// One after another.
    Serial(Vec<Block>),
    /// At once.
    Parallel(Vec<Block>),
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it is written.
    pub name: String,
    /// Where.
    pub place: Place,
    /// The tasks that it names; of a target with several tasks its group as well.
    pub tasks: Vec<TaskId>,
}

impl Pipeline {
    /// Looks up the steps of a pipeline.
    ///
    /// # Errors
    /// Names that mean nothing, and tasks that two steps name: each runs once.
    pub fn of(graph: &Graph, written: &parse::Pipeline) -> Result<Pipeline, Vec<Diagnostic>> {
        let mut lookup = Lookup { graph, named: FxHashMap::default(), wrong: Vec::new() };
        let steps = lookup.list(&written.steps, true);
        lookup.check_require(written, &steps);
        match lookup.wrong.is_empty() {
            true => Ok(Pipeline { name: written.name.clone(), steps }),
            false => Err(lookup.wrong),
        }
    }

    /// What its steps name, in order, each once.
    pub fn tasks(&self) -> Vec<TaskId> {
        let steps = self.steps.steps();
        steps.iter().flat_map(|step| &step.tasks).copied().collect()
    }
}

impl Block {
    /// All steps in it, in order.
    pub fn steps(&self) -> Vec<&Step> {
        match self {
            Block::Step(step) => vec![step],
            Block::Serial(blocks) | Block::Parallel(blocks) => {
                blocks.iter().flat_map(Block::steps).collect()
            }
        }
    }
}

struct Lookup<'g> {
    graph: &'g Graph,
    /// What steps named so far, and the first that did.
    named: FxHashMap<TaskId, (String, Place)>,
    wrong: Vec<Diagnostic>,
}

impl Lookup<'_> {
    fn list(&mut self, steps: &[parse::Step], serial: bool) -> Block {
        let blocks = steps.iter().filter_map(|step| match step {
            parse::Step::Name(word) => self.step(word).map(Block::Step),
            parse::Step::List(steps) => Some(self.list(steps, !serial)),
        });
        let blocks = blocks.collect();
        if serial { Block::Serial(blocks) } else { Block::Parallel(blocks) }
    }

    /// More cannot succeed than there are.
    fn check_require(&mut self, written: &parse::Pipeline, steps: &Block) {
        let Some((enough, place)) = &written.require else { return };
        let named: Vec<TaskId> =
            steps.steps().iter().flat_map(|step| &step.tasks).copied().collect();
        let all = self.graph.without_groups(&named).len();
        if enough.of(all) > all && self.wrong.is_empty() {
            let name = quoted(&written.name);
            let message = format!("the pipeline {name} asks for more successes than it has tasks");
            let problem = Diagnostic::error(message).at(place.clone(), format!("it has {all}"));
            self.wrong.push(problem.help("write a smaller number, or a part: require = \"60%\""));
        }
    }

    fn step(&mut self, word: &parse::Word) -> Option<Step> {
        let selected = self.graph.select(&word.text);
        if selected.is_empty() {
            let names = self.graph.targets().iter().map(|&id| self.graph.name(id));
            let help = match nearest(&word.text, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a step names a target; `taskr list` shows them".to_owned(),
            };
            let problem = Diagnostic::error(format!("there is no task {}", quoted(&word.text)));
            self.wrong.push(problem.at(word.place.clone(), "").help(help));
            return None;
        }
        if let Some(&service) =
            selected.iter().find(|&&id| self.graph.task(id).kind() == Kind::Service)
        {
            let message = format!("the step {} is a service, and never done", quoted(&word.text));
            let place = self.graph.task(service).rule.target.place.clone();
            let problem = Diagnostic::error(message).at(word.place.clone(), "");
            let problem = problem.also(place, "stays up while others need it");
            self.wrong.push(
                problem.help("remove the step, and name it in the `deps` of those that need it"),
            );
            return None;
        }
        let mut tasks = selected.clone();
        for id in selected {
            tasks.extend(self.members(id));
        }
        let first = tasks.iter().find_map(|id| self.named.get(id));
        if let Some((name, place)) = first.cloned() {
            let message = format!("two steps have {}", quoted(&word.text));
            let label = if name == word.text { "the first" } else { "has it, too" };
            let problem = Diagnostic::error(message).at(word.place.clone(), "");
            let problem = problem.also(place, label);
            self.wrong.push(problem.help("a task runs once in a run: keep the step that is meant"));
            return None;
        }
        let by = (word.text.clone(), word.place.clone());
        self.named.extend(tasks.iter().map(|&id| (id, by.clone())));
        Some(Step { name: word.text.clone(), place: word.place.clone(), tasks })
    }

    /// The tasks of a target that has several, if `id` stands for them all.
    fn members(&self, id: TaskId) -> Vec<TaskId> {
        let task = self.graph.task(id);
        let own =
            |member: &TaskId| self.graph.task(*member).rule.target.name == task.rule.target.name;
        match task.kind() {
            Kind::Group => task.deps.iter().copied().filter(own).collect(),
            _ => Vec::new(),
        }
    }
}

/// Where one step ends and the next begins.
#[derive(Debug, Default)]
struct Barrier {
    /// How many of those that it waits for have not ended.
    left: usize,
    /// Tasks that it waits for.
    members: Vec<TaskId>,
    /// Barriers that it waits for.
    after: Vec<usize>,
    /// Tasks that wait for it.
    behind: Vec<TaskId>,
    /// Barriers that wait for it.
    then: Vec<usize>,
}

/// A place in the tree of steps.
#[derive(Debug)]
struct Node {
    parent: usize,
    /// The how-manieth of its parent.
    at: usize,
    depth: usize,
    serial: bool,
    /// The barrier before it.
    gate: Option<usize>,
    /// The barrier behind it.
    end: Option<usize>,
    /// Where its first step stands.
    place: Option<Place>,
}

/// The root of the tree: what is asked for, at once.
const ROOT: usize = 0;

/// The order of one run's pipelines. Without pipelines there is none.
#[derive(Debug, Default)]
pub(super) struct Steps {
    barriers: Vec<Barrier>,
    nodes: Vec<Node>,
    /// For each task the barriers that wait for it.
    counted: FxHashMap<TaskId, Vec<usize>>,
    /// For each task the barriers that it waits for, and for the sake of which node.
    waits: FxHashMap<TaskId, Vec<(usize, usize)>>,
    /// The task whose end let another through, where it was a barrier that kept it.
    freed_by: FxHashMap<TaskId, TaskId>,
}

impl Steps {
    /// The order that pipelines give to the tasks of `order`.
    pub(super) fn new(graph: &Graph, order: &[TaskId], course: Course<'_>) -> Steps {
        let mut steps = Steps::default();
        if course.pipelines.is_empty() {
            return steps;
        }
        let planned: FxHashSet<TaskId> = order.iter().copied().collect();
        steps.push_node(ROOT, 0, (false, None), None);
        let mut leaves = Vec::new();
        for (at, pipeline) in course.pipelines.iter().enumerate() {
            steps.place(&pipeline.steps, (ROOT, at), None, (&planned, &mut leaves));
        }
        steps.place_needs(graph, order, course.beside, &leaves);
        steps.open_empty();
        steps
    }

    fn push_node(
        &mut self,
        parent: usize,
        at: usize,
        (serial, gate): (bool, Option<usize>),
        place: Option<Place>,
    ) -> usize {
        let depth = self.nodes.get(parent).map_or(0, |parent| parent.depth + 1);
        self.nodes.push(Node { parent, at, depth, serial, gate, end: None, place });
        self.nodes.len() - 1
    }

    /// Puts a block behind a barrier. The barrier behind the block.
    fn place(
        &mut self,
        block: &Block,
        (parent, at): (usize, usize),
        gate: Option<usize>,
        (planned, leaves): (&FxHashSet<TaskId>, &mut Vec<(usize, Vec<TaskId>)>),
    ) -> Option<usize> {
        let serial = matches!(block, Block::Serial(_));
        let place = block.steps().first().map(|step| step.place.clone());
        let node = self.push_node(parent, at, (serial, gate), place);
        let end = match block {
            Block::Step(step) => {
                let end = self.barrier_after(gate);
                for &id in step.tasks.iter().filter(|id| planned.contains(id)) {
                    self.keep(id, node, (gate, Some(end)));
                }
                // What a step needs has its place although the step itself is not in the run.
                leaves.push((node, step.tasks.clone()));
                Some(end)
            }
            Block::Serial(blocks) => {
                let mut gate = gate;
                for (at, block) in blocks.iter().enumerate() {
                    gate = self.place(block, (node, at), gate, (planned, leaves));
                }
                gate
            }
            Block::Parallel(blocks) => {
                let end = self.barrier_after(gate);
                for (at, block) in blocks.iter().enumerate() {
                    let inner = self.place(block, (node, at), gate, (planned, leaves));
                    inner.into_iter().for_each(|inner| self.follow(inner, end));
                }
                Some(end)
            }
        };
        self.nodes[node].end = end;
        end
    }

    fn barrier_after(&mut self, gate: Option<usize>) -> usize {
        let barrier = self.barriers.len();
        self.barriers.push(Barrier::default());
        gate.into_iter().for_each(|gate| self.follow(gate, barrier));
        barrier
    }

    fn follow(&mut self, first: usize, second: usize) {
        self.barriers[first].then.push(second);
        self.barriers[second].after.push(first);
        self.barriers[second].left += 1;
    }

    /// A task waits for one barrier, and another for the task.
    fn keep(&mut self, id: TaskId, node: usize, (gate, end): (Option<usize>, Option<usize>)) {
        if let Some(gate) = gate {
            self.barriers[gate].behind.push(id);
            self.waits.entry(id).or_default().push((gate, node));
        }
        if let Some(end) = end {
            self.barriers[end].members.push(id);
            self.barriers[end].left += 1;
            self.counted.entry(id).or_default().push(end);
        }
    }

    /// Finds a place for all that no step names.
    fn place_needs(
        &mut self,
        graph: &Graph,
        order: &[TaskId],
        beside: &[TaskId],
        leaves: &[(usize, Vec<TaskId>)],
    ) {
        let named: FxHashSet<TaskId> =
            leaves.iter().flat_map(|(_, tasks)| tasks).copied().collect();
        let mut position: FxHashMap<TaskId, usize> = FxHashMap::default();
        let needs = |tasks: &[TaskId]| -> Vec<TaskId> {
            tasks.iter().flat_map(|&id| graph.needs(id)).copied().collect()
        };
        let asked = beside.iter().copied().filter(|id| !named.contains(id)).collect();
        let starts = leaves.iter().map(|(node, tasks)| (*node, needs(tasks)));
        for (node, mut stack) in std::iter::once((ROOT, asked)).chain(starts) {
            while let Some(id) = stack.pop() {
                if named.contains(&id) {
                    continue;
                }
                let old = position.get(&id).copied();
                let new = old.map_or(node, |old| self.shared(old, node));
                if old != Some(new) {
                    position.insert(id, new);
                    stack.extend(graph.needs(id));
                }
            }
        }
        for id in order {
            if let Some(&node) = position.get(id) {
                let Node { gate, end, .. } = self.nodes[node];
                self.keep(*id, node, (gate, end));
            }
        }
    }

    /// Where what two nodes need belongs: in a list whose elements come one after another to the
    /// earlier, else to the list itself.
    fn shared(&self, one: usize, other: usize) -> usize {
        let (mut a, mut b) = (one, other);
        let (mut from_a, mut from_b) = (0, 0);
        while a != b {
            if self.nodes[a].depth >= self.nodes[b].depth {
                (from_a, a) = (self.nodes[a].at, self.nodes[a].parent);
            } else {
                (from_b, b) = (self.nodes[b].at, self.nodes[b].parent);
            }
        }
        match self.nodes[a].serial {
            _ if a == one || a == other => a,
            true if from_a <= from_b => one,
            true => other,
            false => a,
        }
    }

    /// Steps of which nothing is to be built keep nobody.
    fn open_empty(&mut self) {
        let empty = |at: &usize| self.barriers[*at].left == 0;
        let open: Vec<usize> = (0..self.barriers.len()).filter(empty).collect();
        let mut freed = Vec::new();
        for barrier in open {
            self.open(barrier, &mut freed);
        }
        for id in freed {
            if let Some(waits) = self.waits.get_mut(&id) {
                waits.retain(|(gate, _)| self.barriers[*gate].left > 0);
            }
        }
    }

    /// Lets through who waits for a barrier, and for those that wait for it alone.
    fn open(&mut self, barrier: usize, freed: &mut Vec<TaskId>) {
        let mut stack = vec![barrier];
        while let Some(at) = stack.pop() {
            freed.extend(&self.barriers[at].behind);
            for next in self.barriers[at].then.clone() {
                self.barriers[next].left -= 1;
                if self.barriers[next].left == 0 {
                    stack.push(next);
                }
            }
        }
    }

    /// At how many barriers a task waits.
    pub(super) fn count(&self, id: TaskId) -> usize {
        self.waits.get(&id).map_or(0, Vec::len)
    }

    /// A task ended, in whatever way. Those that a barrier lets through are told, once for each.
    pub(super) fn ended(&mut self, id: TaskId) -> Vec<TaskId> {
        let mut freed = Vec::new();
        for barrier in self.counted.remove(&id).unwrap_or_default() {
            self.barriers[barrier].left -= 1;
            if self.barriers[barrier].left == 0 {
                self.open(barrier, &mut freed);
            }
        }
        self.freed_by.extend(freed.iter().map(|&freed| (freed, id)));
        freed
    }

    /// The task whose end let this one through, where a barrier kept it.
    pub(super) fn freed_by(&self, id: TaskId) -> Option<TaskId> {
        self.freed_by.get(&id).copied()
    }

    /// Tasks that wait for one another, by steps, edges and formatters. Linear, with an explicit
    /// stack.
    pub(super) fn circle(
        &self,
        graph: &Graph,
        order: &[TaskId],
        later: &Later,
    ) -> Option<Diagnostic> {
        let (tasks, barriers) = (graph.tasks().len(), self.barriers.len());
        let before = |at: usize| -> Vec<usize> {
            if at >= tasks {
                let barrier = &self.barriers[at - tasks];
                // The last is looked at first: a task of the step before one that it needs.
                let members = barrier.members.iter().rev().map(|id| id.index());
                return members.chain(barrier.after.iter().map(|after| after + tasks)).collect();
            }
            let id = TaskId::from_index(at);
            let gates = self.waits.get(&id).into_iter().flatten().map(|(gate, _)| gate + tasks);
            let ids = graph.needs(id).iter().copied().chain(later.waits_for(id));
            ids.map(Id::index).chain(gates).collect()
        };
        let (mut seen, mut open) = (vec![false; tasks + barriers], vec![false; tasks + barriers]);
        let mut stack: Vec<(usize, Vec<usize>)> = Vec::new();
        for root in order.iter().map(|id| id.index()) {
            if !std::mem::replace(&mut seen[root], true) {
                open[root] = true;
                stack.push((root, before(root)));
            }
            while let Some((at, rest)) = stack.last_mut() {
                let Some(next) = rest.pop() else {
                    open[*at] = false;
                    stack.pop();
                    continue;
                };
                if open[next] {
                    let start = stack.iter().position(|(at, _)| *at == next)?;
                    let members: Vec<usize> = stack[start..].iter().map(|(at, _)| *at).collect();
                    return Some(self.tell(graph, &members));
                }
                if !std::mem::replace(&mut seen[next], true) {
                    open[next] = true;
                    stack.push((next, before(next)));
                }
            }
        }
        None
    }

    /// Tells a circle of tasks and, behind their number, barriers.
    fn tell(&self, graph: &Graph, circle: &[usize]) -> Diagnostic {
        let tasks = graph.tasks().len();
        let first = circle.iter().position(|&at| at < tasks).unwrap_or(0);
        let turned: Vec<usize> = circle[first..].iter().chain(&circle[..first]).copied().collect();
        let mut edges: Vec<(TaskId, Option<usize>)> = Vec::new();
        for &at in &turned {
            match (at.checked_sub(tasks), edges.last_mut()) {
                (None, _) => edges.push((TaskId::from_index(at), None)),
                (Some(gate), Some((_, by @ None))) => *by = Some(gate),
                (Some(_), _) => {}
            }
        }
        let names: Vec<&str> = edges.iter().map(|(id, _)| graph.name(*id)).collect();
        let mut shown = names.iter().take(MOST_SHOWN).copied().collect::<Vec<_>>();
        if names.len() > MOST_SHOWN {
            shown.push("…");
        }
        shown.extend(names.first());
        let message =
            format!("a cycle of {} tasks, steps included: {}", edges.len(), shown.join(" → "));
        let mut problem = Diagnostic::error(message);
        for (number, &(from, by)) in edges.iter().enumerate().take(MOST_SHOWN) {
            let to = edges[(number + 1) % edges.len()].0;
            let (place, label) = match by {
                Some(gate) => (
                    self.place_of(from, gate),
                    format!("`{}` starts after `{}`", graph.name(from), graph.name(to)),
                ),
                None => graph.edge(from, to),
            };
            problem = match number {
                0 => problem.at(place, label),
                _ => problem.also(place, label),
            };
        }
        problem.help(
            "a step starts when the one before it has ended: move one of them, or remove an edge",
        )
    }

    /// The step for the sake of which a task waits for a barrier.
    fn place_of(&self, id: TaskId, gate: usize) -> Option<Place> {
        let wait = self.waits.get(&id)?.iter().find(|(own, _)| *own == gate)?;
        self.nodes[wait.1].place.clone()
    }
}

/// So many members of a circle are named.
const MOST_SHOWN: usize = 8;
