//! Tasks that need the same to run, together: whether one of a class may start is whether any may.
//!
//! Most runs have one class, of tasks that need a place and nothing else.

use rustc_hash::FxHashMap;

use crate::graph::{Demand, Graph};
use crate::ids::{Id, TaskId};

/// The class of tasks that need one place of `-j` and nothing else.
pub(super) const PLAIN: usize = 0;

/// The classes of a run.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    demands: Vec<Demand>,
    /// Of each task; empty if there is but one class.
    of: Vec<u32>,
}

impl Classes {
    /// The classes of these tasks.
    pub(super) fn new(graph: &Graph, order: &[TaskId]) -> Classes {
        let mut classes = Classes { demands: vec![Demand::default()], of: Vec::new() };
        let mut known: FxHashMap<&Demand, u32> = FxHashMap::default();
        for &id in order {
            let demand = &graph.task(id).rule.target.schedule.demand;
            if *demand == Demand::default() {
                continue;
            }
            if classes.of.is_empty() {
                classes.of = vec![0; graph.tasks().len()];
            }
            classes.of[id.index()] = *known.entry(demand).or_insert_with(|| {
                classes.demands.push(demand.clone());
                u32::try_from(classes.demands.len() - 1).expect("fewer classes than tasks")
            });
        }
        classes
    }

    /// The class of a task.
    pub(super) fn of(&self, id: TaskId) -> usize {
        self.of.get(id.index()).map_or(PLAIN, |&class| class as usize)
    }

    /// What tasks need, by class.
    pub(super) fn demands(&self) -> &[Demand] {
        &self.demands
    }
}
