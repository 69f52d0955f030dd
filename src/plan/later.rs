//! Who comes later than a formatter although it does not need it: whoever reads what that may
//! change.
//!
//! Readers wait at gates, one for each thing that is read, so that many readers of what many
//! formatters change cost their sum and not their product. A gate opens when its formatters have
//! ended, well or badly: the files are there in any case. A task with a depfile may read anything:
//! it waits for all of them.
//!
//! What a formatter needs itself is *early*: it waits only for formatters that do not wait for it.
//! Nothing early needs a task that is not, so only early tasks could wait in a circle.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Diagnostic;
use crate::graph::{Fixers, Graph, Kind, Meeting, Named};
use crate::ids::{IdVec, TaskId};

/// Formatters that must end, and the tasks that wait for them.
#[derive(Debug)]
struct Gate {
    left: usize,
    fixers: Vec<TaskId>,
    behind: Vec<TaskId>,
}

/// The gates of one run. Without formatters there are none.
#[derive(Debug, Default)]
pub(super) struct Later {
    gates: Vec<Gate>,
    /// The gates that each formatter keeps shut.
    shut: FxHashMap<TaskId, Vec<usize>>,
    /// The gates that each task waits at.
    waits: FxHashMap<TaskId, Vec<usize>>,
    /// The gate of tasks that may read anything.
    all: usize,
    /// Formatters and all they need.
    early: FxHashSet<TaskId>,
    /// Which formatters may change what; none if there are none.
    index: Option<Fixers>,
}

impl Later {
    /// The gates for the tasks of `order`.
    ///
    /// # Errors
    /// Two formatters that may change the same file, without an order.
    pub(super) fn new(graph: &Graph, order: &[TaskId]) -> Result<Later, Vec<Diagnostic>> {
        let is_fixer = |id: &TaskId| {
            let task = graph.task(*id);
            task.rule.target.policy.fixes_inputs && task.kind() == Kind::Recorded
        };
        let fixers: Vec<TaskId> = order.iter().copied().filter(is_fixer).collect();
        if fixers.is_empty() {
            return Ok(Later::default());
        }
        let index = Fixers::new(fixers.iter().map(|&id| (id, &graph.task(id).rule)));
        let mut later = Later { early: graph.with_needed(&fixers), ..Later::default() };
        let mut early = Early::new(graph);
        for &id in order.iter().filter(|&&id| later.is_early(id)) {
            early.place(id, &index);
        }
        if !early.wrong.is_empty() {
            return Err(early.wrong);
        }
        later.all = later.open_gate(fixers);
        for (id, fixers) in early.after {
            let gate = later.open_gate(fixers);
            later.wait_at(id, gate);
        }
        let mut known: FxHashMap<Named, Option<usize>> = FxHashMap::default();
        for &id in order {
            if !later.is_early(id) {
                later.place(graph, id, (&index, &mut known));
            }
        }
        later.index = Some(index);
        Ok(later)
    }

    /// Puts a task that no formatter needs behind the gates of what it reads.
    fn place(
        &mut self,
        graph: &Graph,
        id: TaskId,
        (index, known): (&Fixers, &mut FxHashMap<Named, Option<usize>>),
    ) {
        let rule = &graph.task(id).rule;
        let mut gates: Vec<usize> = rule.depfile.iter().map(|_| self.all).collect();
        for at in 0..rule.inputs.len() {
            let Some(named) = Named::first_of(rule.from_input(at)) else { continue };
            let gate = known.entry(named).or_insert_with_key(|named| {
                let meetings = index.of(named).into_iter();
                let fixers: Vec<TaskId> = meetings.map(|meeting| meeting.fixer).collect();
                (!fixers.is_empty()).then(|| self.open_gate(fixers))
            });
            gates.extend(*gate);
        }
        gates.sort_unstable();
        gates.dedup();
        for gate in gates {
            self.wait_at(id, gate);
        }
    }

    fn open_gate(&mut self, fixers: Vec<TaskId>) -> usize {
        let gate = self.gates.len();
        for &fixer in &fixers {
            self.shut.entry(fixer).or_default().push(gate);
        }
        self.gates.push(Gate { left: fixers.len(), fixers, behind: Vec::new() });
        gate
    }

    fn wait_at(&mut self, id: TaskId, gate: usize) {
        self.gates[gate].behind.push(id);
        self.waits.entry(id).or_default().push(gate);
    }

    /// Whether a formatter needs the task, or it is one.
    pub(super) fn is_early(&self, id: TaskId) -> bool {
        self.early.contains(&id)
    }

    /// At how many gates a task waits.
    pub(super) fn count(&self, id: TaskId) -> usize {
        self.waits.get(&id).map_or(0, Vec::len)
    }

    /// The formatters that may change what a task declares as input. Those that it waits for only
    /// because its depfile may name anything are left out.
    pub(super) fn before(&self, id: TaskId) -> impl Iterator<Item = TaskId> {
        let gates = self.waits.get(&id).into_iter().flatten().filter(|&&gate| gate != self.all);
        gates.flat_map(|&gate| self.gates[gate].fixers.iter().copied())
    }

    /// All formatters that a task waits for without needing them.
    pub(super) fn waits_for(&self, id: TaskId) -> impl Iterator<Item = TaskId> {
        let gates = self.waits.get(&id).into_iter().flatten();
        gates.flat_map(|&gate| self.gates[gate].fixers.iter().copied())
    }

    /// The formatters, if there are any.
    pub(super) fn index(&self) -> Option<&Fixers> {
        self.index.as_ref()
    }

    /// A task ended. Those of whose gates one opens are told, once for each.
    pub(super) fn ended(&mut self, id: TaskId) -> Vec<TaskId> {
        let mut freed = Vec::new();
        for &gate in self.shut.get(&id).into_iter().flatten() {
            let gate = &mut self.gates[gate];
            gate.left -= 1;
            if gate.left == 0 {
                freed.extend(&gate.behind);
            }
        }
        freed
    }

    /// For each formatter the longest remaining path of those that wait for it.
    pub(super) fn longest_behind(
        &self,
        remaining_ms: &IdVec<TaskId, u64>,
    ) -> FxHashMap<TaskId, u64> {
        let longest = |gate: &Gate| gate.behind.iter().map(|&id| remaining_ms[id]).max();
        let longest: Vec<u64> = self.gates.iter().map(|gate| longest(gate).unwrap_or(0)).collect();
        let of = |gates: &Vec<usize>| gates.iter().map(|&gate| longest[gate]).max().unwrap_or(0);
        self.shut.iter().map(|(&fixer, gates)| (fixer, of(gates))).collect()
    }
}

/// Tasks that formatters need, and formatters among themselves.
struct Early<'g> {
    graph: &'g Graph,
    /// For each task the formatters that it waits for without needing them.
    after: FxHashMap<TaskId, Vec<TaskId>>,
    wrong: Vec<Diagnostic>,
    /// Targets of which it was told that they have no order.
    told: FxHashSet<(&'g str, &'g str)>,
}

impl<'g> Early<'g> {
    fn new(graph: &'g Graph) -> Early<'g> {
        let after = FxHashMap::default();
        Early { graph, after, wrong: Vec::new(), told: FxHashSet::default() }
    }

    fn place(&mut self, id: TaskId, index: &Fixers) {
        let rule = &self.graph.task(id).rule;
        let fixable = rule.fixable();
        for at in 0..rule.inputs.len() {
            let writes = at < fixable.len();
            let Some(named) = Named::first_of(rule.from_input(at)) else { continue };
            for meeting in index.of(&named) {
                if meeting.fixer != id {
                    self.meet(id, (at, writes), &meeting);
                }
            }
        }
    }

    /// A task reads, or itself writes, what a formatter may change.
    fn meet(&mut self, id: TaskId, (at, writes): (usize, bool), meeting: &Meeting) {
        let other = meeting.fixer;
        let clash = writes && meeting.surely;
        let [own, others] = [id, other].map(|id| &self.graph.task(id).rule.target);
        // Tasks of one target have no order.
        if !clash && Arc::ptr_eq(own, others) {
            return;
        }
        if needs(self.graph, id, other) || needs(self.graph, other, id) {
            return;
        }
        // Of two that perhaps fix one file the one declared later waits.
        let others_turn = writes && other > id;
        if clash {
            self.refuse((id, at), meeting);
        } else if !others_turn && !self.waits(other, id) {
            self.after.entry(id).or_default().push(other);
        }
    }

    /// Whether a task cannot start before another has ended, as far as is known by now.
    fn waits(&self, id: TaskId, other: TaskId) -> bool {
        let mut seen = FxHashSet::default();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            if id == other {
                return true;
            }
            let after = self.after.get(&id).into_iter().flatten();
            let before = self.graph.needs(id).iter().chain(after);
            stack.extend(before.filter(|&&id| seen.insert(id)));
        }
        false
    }

    fn refuse(&mut self, (id, at): (TaskId, usize), meeting: &Meeting) {
        let (first, second) = (id.min(meeting.fixer), id.max(meeting.fixer));
        let [one, other] = [first, second].map(|id| &self.graph.task(id).rule);
        let (target, behind) = (&*one.target.name, &*other.target.name);
        if !self.told.insert((target, behind)) {
            return;
        }
        let own = self.graph.task(id).rule.inputs[at].place.clone();
        let (place, also) =
            if id == first { (meeting.place.clone(), own) } else { (own, meeting.place.clone()) };
        let (one, other) = (&one.name, &other.name);
        let problem = Diagnostic::error(format!("`{one}` and `{other}` may fix the same file"));
        let problem = match place == also {
            true => problem.at(place, "both fix what this names"),
            false => problem
                .at(place, format!("fixed by `{other}`"))
                .also(also, format!("fixed by `{one}`")),
        };
        self.wrong.push(problem.help(match target == behind {
            true => "tasks of one target have no order: name the item or an axis, so that each \
                     fixes files of its own"
                .to_owned(),
            false => format!(
                "say which comes first: after = [\"{target}\"] in [target.{behind}], or the other \
                 way round"
            ),
        }));
    }
}

/// Whether `id` needs `other`. A target as a whole is looked for first: between thousands of
/// formatters on each side that is what stands there.
fn needs(graph: &Graph, id: TaskId, other: TaskId) -> bool {
    let whole = graph.target(&graph.task(other).rule.target.name);
    let direct = graph.needs(id);
    direct.contains(&other)
        || whole.is_some_and(|whole| direct.contains(&whole))
        || graph.reaches(id, other)
}
