//! From a Taskfile to the immutable graph: expand targets to rules, then link rules to tasks
//! and edges.
//!
//! The graph fixes tasks, edges and output patterns. `foreach` lists files while it is made;
//! nothing else is looked up on the disk: input globs are listed and commands rendered when a
//! task is ready, because generated files do not exist before. It holds no state of a run.

mod args;
mod asks;
mod batch;
mod bounds;
mod checks;
mod clash;
mod cycle;
mod expand;
mod fixes;
mod globs;
mod item;
mod kept;
mod link;
mod lists;
mod makers;
mod matrix;
mod meaning;
mod names;
mod packages;
mod policy;
mod profile;
mod refer;
mod rounds;
mod rule;
mod schedule;
mod scope;
mod service;
mod settings;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
mod ties;
mod vars;
mod when;

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{Digest, Index, KeyHasher};

pub use args::Args;
pub use asks::{Asking, Asks, Lack, Place as AskPlace, ask_command};
pub use expand::{Expanded, Settings, expand};
pub use fixes::{Fixers, Fixes, Meeting, Named};
pub use item::Looked;
pub use kept::Around;
pub use link::link;
pub use lists::{ListName, Lists};
pub use makers::Makers;
pub use profile::{Profiles, expand_all};
pub use rule::{
    Action, Cache, Input, Kind, Output, Placed, PlacedPath, Policy, Ref, Rule, Target, Text, Tie,
};
pub use schedule::{Demand, Pool, Schedule};
pub use scope::{Item, Scope, Surroundings, Variable, not_text, printable};
pub use service::{Probe, Service};
pub use settings::{jobs, output, run_gates};
pub use tasks::Tasks;
pub use text::{diagnostic, word_of_path};
pub use vars::file_scope;

use crate::error::Place;
use crate::files::{Ignored, ancestors};
use crate::ids::{Id, IdVec, TaskId};
use tasks::Ranges;

use crate::parse::{Whose, Written, full_name, is_below, read_name, split_pick};

/// Most tasks that one graph may have.
const MOST_TASKS: usize = 1_000_000;

/// One node: a task, or the group of all tasks of one target.
#[derive(Debug)]
pub struct Task {
    /// What the front end said.
    pub rule: Rule,
    /// For each element of the rule's `inputs` the tasks it refers to (empty for paths).
    pub sources: Vec<Vec<TaskId>>,
    /// Dependencies that count by their outputs, or by their key if they have none: `deps`, and
    /// the tasks that install what this one reads.
    pub deps: Vec<TaskId>,
    /// Dependencies for the order only.
    pub after: Vec<TaskId>,
}

impl Task {
    /// What becomes of a success. A group that is skipped does not stand for others: it is told.
    pub fn kind(&self) -> Kind {
        match (self.rule.target.kind, &self.rule.skipped) {
            (Kind::Group, Some(_)) => Kind::Unrecorded,
            (kind, _) => kind,
        }
    }
}

/// All tasks and edges.
#[derive(Debug)]
pub struct Graph {
    tasks: Tasks,
    /// Of each task.
    kinds: IdVec<TaskId, Kind>,
    /// Everything that must be done before, without duplicates; by ranges in one vector.
    needs: Edges,
    /// The other way round.
    needed_by: Edges,
    names: Index,
    whole: Index,
    profiles: Profiles,
    makers: Makers,
    targets: Vec<TaskId>,
    members: Ranges,
    looked: Looked,
    ignored: Ignored,
    /// Whether tasks are skipped.
    skips: bool,
}

/// The tasks of each target, by its full name.
type Members = FxHashMap<String, Range<usize>>;

impl Graph {
    /// All tasks, groups included, in order of declaration.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// One task.
    pub fn task(&self, id: TaskId) -> &Task {
        &self.tasks[id]
    }

    /// What becomes of its success.
    pub fn kind(&self, id: TaskId) -> Kind {
        self.kinds[id]
    }

    /// All tasks and groups by their names.
    pub fn named(&self) -> impl Iterator<Item = (&str, TaskId)> {
        self.names.iter().map(|(name, id)| (text(name), TaskId::from_index(id as usize)))
    }

    /// Its name, printable.
    pub fn name(&self, id: TaskId) -> &str {
        match &self.tasks {
            Tasks::Made(tasks) => &tasks[id].rule.name,
            Tasks::Kept { places, .. } => text(self.names.at(places[id] as usize)),
        }
    }

    /// What must be done before `id`.
    pub fn needs(&self, id: TaskId) -> &[TaskId] {
        self.needs.of(id)
    }

    /// What waits for `id`.
    pub fn needed_by(&self, id: TaskId) -> &[TaskId] {
        self.needed_by.of(id)
    }

    /// Of all names, in the order of the tasks: it tells whether numbers of tasks mean the same.
    pub fn names_digest(&self) -> Digest {
        if let Tasks::Kept { names, .. } = &self.tasks {
            return *names;
        }
        let mut hasher = KeyHasher::new("taskr 2026 tasks of a graph v1");
        for task in self.tasks.iter() {
            hasher.update(&(task.rule.name.len() as u64).to_le_bytes());
            hasher.update(task.rule.name.as_bytes());
        }
        hasher.finish()
    }

    /// A task, or the group of a target's tasks in one profile, by its full name.
    pub fn find(&self, name: &str) -> Option<TaskId> {
        self.names.get(name.as_bytes()).map(|id| TaskId::from_index(id as usize))
    }

    /// What stands for a target as a whole, by its full name.
    pub fn target(&self, name: &str) -> Option<TaskId> {
        self.whole.get(name.as_bytes()).map(|id| TaskId::from_index(id as usize))
    }

    /// The tasks that a full name on the command line means: `obj`, `test@db=pg`,
    /// `//lib:obj@src/*.c`; also, but for private ones, `:test` and `//packages/...:test`. None if
    /// it means nothing.
    pub fn select(&self, name: &str) -> Vec<TaskId> {
        if let Some(id) = self.target(name).or_else(|| self.find(name)) {
            return vec![id];
        }
        let Some(Written { whose: Whose::Below(above), target }) = read_name(name) else {
            return refer::pick(&self.tasks, |target| self.members.get(target), name);
        };
        let bare = split_pick(target).0;
        let targets = self.targets.iter().map(|&id| &self.tasks[id].rule.target);
        let meant = targets
            .filter(|one| !one.private && one.own_name() == bare && is_below(one.package(), above));
        meant.flat_map(|one| self.select(&full_name(one.package(), target))).collect()
    }

    /// Whether a task is skipped, because its `when` is false.
    pub fn is_skipped(&self, id: TaskId) -> bool {
        self.skips && self.tasks[id].rule.skipped.is_some()
    }

    /// Whether any task is.
    pub fn skips(&self) -> bool {
        self.skips
    }

    /// Where an edge was written, and what makes it one.
    pub fn edge(&self, from: TaskId, to: TaskId) -> (Option<Place>, String) {
        link::place_of_edge(&self.tasks[from], &self.tasks[to])
    }

    /// Each target once, in order of declaration: its only task, or the group of them all.
    pub fn targets(&self) -> &[TaskId] {
        &self.targets
    }

    /// What its making saw of the disk.
    pub fn looked(&self) -> &Looked {
        &self.looked
    }

    /// What wildcards of `inputs` leave out. Those of `foreach` leave out what tasks make, too.
    pub fn ignored(&self) -> &Ignored {
        &self.ignored
    }

    /// Who declares what.
    pub fn makers(&self) -> &Makers {
        &self.makers
    }

    /// The tasks behind `ids` that do work: groups are replaced by what they stand for, in
    /// order, each task once.
    pub fn without_groups(&self, ids: &[TaskId]) -> Vec<TaskId> {
        let mut found = Vec::new();
        let mut seen = FxHashSet::default();
        let mut stack: Vec<TaskId> = ids.iter().rev().copied().collect();
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.kind(id) {
                Kind::Group => stack.extend(self.task(id).deps.iter().rev()),
                _ => found.push(id),
            }
        }
        found
    }

    /// Whether `task` cannot start before `other` is done. Goes through all that it needs: who asks
    /// often takes [`Graph::behind`].
    pub fn reaches(&self, task: TaskId, other: TaskId) -> bool {
        self.needs(task).contains(&other) || self.needed(&[task]).contains(&other)
    }

    /// All that must be done before one of these is; one of them only if another needs it.
    pub fn needed(&self, ids: &[TaskId]) -> FxHashSet<TaskId> {
        self.needs.closure(ids)
    }

    /// These and all that they need.
    pub fn with_needed(&self, ids: &[TaskId]) -> FxHashSet<TaskId> {
        let mut all = self.needed(ids);
        all.extend(ids);
        all
    }

    /// All that cannot start before `id` is done.
    pub fn behind(&self, id: TaskId) -> FxHashSet<TaskId> {
        self.needed_by.closure(&[id])
    }
}

fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name).expect("names are text")
}

/// Edges from each task, as ranges of one vector.
#[derive(Debug)]
struct Edges {
    starts: Vec<u32>,
    ends: Vec<TaskId>,
}

impl Edges {
    fn new(lists: &[Vec<TaskId>]) -> Edges {
        let mut edges = Edges { starts: vec![0], ends: Vec::new() };
        for list in lists {
            edges.ends.extend(list);
            edges.starts.push(u32::try_from(edges.ends.len()).expect("fewer than 2^32 edges"));
        }
        edges
    }

    fn reversed(&self) -> Edges {
        let mut lists = vec![Vec::new(); self.starts.len() - 1];
        for from in 0..lists.len() {
            let from = TaskId::from_index(from);
            for to in self.of(from) {
                lists[to.index()].push(from);
            }
        }
        Edges::new(&lists)
    }

    /// All to which edges lead from these, over any number of them.
    fn closure(&self, from: &[TaskId]) -> FxHashSet<TaskId> {
        let mut found = FxHashSet::default();
        let mut open = from.to_vec();
        while let Some(id) = open.pop() {
            open.extend(self.of(id).iter().filter(|&&id| found.insert(id)));
        }
        found
    }

    fn of(&self, id: TaskId) -> &[TaskId] {
        let index = id.index();
        &self.ends[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}
