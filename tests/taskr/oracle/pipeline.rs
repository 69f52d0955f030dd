//! The pipeline of a world: in which order its steps run.

use std::collections::BTreeMap;

use super::model::Model;
use super::random::Random;
use super::session::{Built, Check};
use super::world::World;

/// `[pipeline.line]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    /// Targets by id: one stage after another, those of one at once.
    pub(crate) stages: Vec<Vec<usize>>,
    /// `on_error = "continue"`, else `"stop"`.
    pub(crate) goes_on: bool,
}

impl Pipeline {
    /// Some targets, the lower layers first: no step may need a later one.
    pub(crate) fn random(world: &World, random: &mut Random) -> Pipeline {
        let steps = world.targets.iter().filter(|target| !target.group && !target.service);
        let mut steps: Vec<_> = steps.filter(|_| random.one_in(2)).collect();
        steps.sort_by_key(|target| target.layer);
        let mut stages: Vec<Vec<usize>> = Vec::new();
        for target in steps {
            match stages.last_mut() {
                Some(stage) if random.one_in(2) => stage.push(target.id),
                _ => stages.push(vec![target.id]),
            }
        }
        Pipeline { stages, goes_on: random.one_in(2) }
    }

    /// All steps.
    pub(crate) fn steps(&self) -> Vec<usize> {
        self.stages.iter().flatten().copied().collect()
    }

    /// The first stage that needs a task, by its name in the log.
    pub(crate) fn stages_of(&self, model: &Model, profiles: &[String]) -> BTreeMap<String, usize> {
        let mut stages = BTreeMap::new();
        for (n, stage) in self.stages.iter().enumerate() {
            for name in model.wanted(stage, profiles) {
                stages.entry(model.tasks[&name].toy.clone()).or_insert(n);
            }
        }
        stages
    }

    /// What a stage needs starts when the one before it is done.
    pub(crate) fn check_order(&self, model: &Model, profiles: &[String], built: &Built) -> Check {
        let stages = self.stages_of(model, profiles);
        let mut reached = 0;
        for (is_begin, toy) in &built.log {
            let stage = stages.get(toy).copied().unwrap_or_default();
            if stage < reached {
                return Err(format!("{toy} of stage {stage} ran beside stage {reached}"));
            }
            if *is_begin {
                reached = stage;
            }
        }
        Ok(())
    }
}
