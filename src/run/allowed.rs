//! Failures that do no harm, and when there are so many of the others that nothing new starts.

use rustc_hash::FxHashSet;

use super::finish::End;
use super::gather::own_patterns;
use super::wanted::{find_each, find_named};
use super::{Build, Request};
use crate::error::Error;
use crate::files::Pattern;
use crate::graph::{Graph, Kind};
use crate::ids::TaskId;
use crate::outcome::{Because, Event, FAILED, Finish, SKIPPED, TaskRef};
use crate::plan::Broken;

/// A rate says nothing before so many have run.
const LEAST_RAN: usize = 10;

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Targets and tasks, and what the steps of pipelines name; of groups what they stand for.
    pub(super) all: FxHashSet<TaskId>,
    /// Those whose names were typed.
    pub(super) typed: FxHashSet<TaskId>,
}

/// What is told as missing although its failure may be no harm.
pub(super) fn asked(graph: &Graph, request: &Request<'_>) -> Result<Asked, Error> {
    let all = stood_for(graph, find_each(graph, request)?);
    let typed = if request.typed { find_named(graph, request)? } else { Vec::new() };
    Ok(Asked { all, typed: typed.into_iter().collect() })
}

/// These, and what groups among them stand for: but for a target that needs not all of its tasks.
fn stood_for(graph: &Graph, mut stack: Vec<TaskId>) -> FxHashSet<TaskId> {
    let mut all = FxHashSet::default();
    while let Some(id) = stack.pop() {
        if all.insert(id) && graph.kind(id) == Kind::Group {
            let task = graph.task(id);
            let whole = task.rule.target.schedule.require.is_none();
            stack.extend(task.deps.iter().filter(|_| whole));
        }
    }
    all
}

impl Build<'_> {
    /// Whether a task that ends like this does not succeed and that is no harm. A Taskfile that is
    /// wrong is one.
    pub(super) fn is_allowed(&self, id: TaskId, end: &End<'_>) -> bool {
        match end.finish {
            Finish::Failed if self.tally.summary.wrong_taskfile => false,
            // A failure that is allowed is a warning; others of its target may still be enough.
            Finish::Failed if self.request.strict => self.plan.has_enough_others(&self.graph, id),
            Finish::Failed => self.plan.allows_failure(&self.graph, id),
            Finish::Skipped => end.softly,
            _ => false,
        }
    }

    /// All that a group stands for has ended: it lets others through, but for those that need what
    /// is missing of it.
    pub(super) fn pass(&mut self, id: TaskId) {
        let skipped = self.plan.pass(&self.graph, id);
        self.tally.passed(&self.graph, id, self.plan.freed_by(id));
        if skipped.is_empty() {
            return;
        }
        let needs = self.graph.without_groups(&[id]);
        let missing = needs.into_iter().find(|&need| self.plan.is_missing(need)).unwrap_or(id);
        let name = self.graph.name(missing).to_owned();
        self.tell_skipped(&skipped, Because::Needs(&name));
        self.after_loss(None, &skipped);
    }

    /// A task that was asked for is missing although its failure, or what it needed, is no harm.
    /// Of what failed itself that is to be told only if its name was typed.
    pub(super) fn note_missed(&mut self, id: TaskId, failed: bool) {
        let asked = if failed { &self.asked.typed } else { &self.asked.all };
        self.tally.summary.missed |= self.plan.is_soft(id) && asked.contains(&id);
    }

    /// Whether so many failed that nothing new is to start.
    pub(super) fn is_unhealthy(&self) -> bool {
        let failures = self.tally.failures;
        let ran = self.tally.summary.counts.ran + failures;
        let too_large = |most: f64| ran >= LEAST_RAN && failures as f64 > most * ran as f64;
        self.has_many_failures() || self.request.most_failure_rate.is_some_and(too_large)
    }

    /// Whether as many failed as may. Of the very first pipelines say themselves what it means.
    pub(super) fn has_many_failures(&self) -> bool {
        match self.request.most_failures {
            Some(1) => self.tally.failures > self.pipelines.failures(),
            most => most.is_some_and(|most| self.tally.failures >= most),
        }
    }

    /// Says of targets that too many of their tasks failed.
    pub(super) fn tell_broken(&mut self) {
        for Broken { target, tasks, required } in self.plan.take_broken() {
            let name = self.graph.name(target);
            let what = format!(
                "fewer than {required} of its {tasks} tasks can succeed, and `require` asks for \
                 so many"
            );
            let task = Some(TaskRef { id: target, name });
            (self.listener)(&Event::Warning { task, message: &what });
        }
    }

    /// A task that did not succeed, without harm, and of which this one reads a path that is written
    /// out: it cannot go on without.
    pub(super) fn lacks(&self, id: TaskId) -> Option<TaskId> {
        if !self.plan.has_soft() {
            return None;
        }
        let makers = self.graph.makers().named_by(&self.graph.task(id).rule);
        makers.filter(|&maker| self.plan.is_soft(maker)).min()
    }

    /// What may stand at the outputs of tasks that did not succeed is of an earlier run, and none of
    /// the input of those that go on without: the outputs that may match this pattern.
    pub(super) fn missing_outputs(&self, pattern: &Pattern) -> Vec<Pattern> {
        if !self.plan.has_soft() {
            return Vec::new();
        }
        let mut makers = self.graph.makers().matching(pattern);
        makers.retain(|&maker| self.plan.is_soft(maker));
        makers.sort_unstable();
        makers.dedup();
        let outputs = makers.iter().flat_map(|&maker| &self.graph.task(maker).rule.outputs);
        let patterns = outputs.flat_map(|output| own_patterns(&output.value));
        patterns.filter(|missing| missing.overlaps(pattern)).collect()
    }

    /// How a task that others need as a part of its target failed them: a word for their keys.
    pub(super) fn missing_word(&self, id: TaskId) -> Option<&'static [u8]> {
        match self.plan.state(id) {
            crate::plan::State::Failed => Some(FAILED),
            crate::plan::State::Skipped if self.graph.task(id).kind() != Kind::Group => {
                Some(SKIPPED)
            }
            _ => None,
        }
    }
}
