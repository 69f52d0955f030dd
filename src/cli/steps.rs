//! Pipelines for `taskr check` and `taskr list`: their mistakes, steps that hang together by the
//! order alone, and their steps as text.

use rustc_hash::FxHashSet;

use crate::error::{Diagnostic, quoted};
use crate::graph::{Graph, Kind};
use crate::ids::{IdVec, TaskId};
use crate::parse::{self, Taskfile};
use crate::plan::{Block, Pipeline, Plan, Step};

/// Steps that mean nothing, or cannot come in this order.
pub(super) fn wrong(taskfile: &Taskfile, graph: &Graph) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    for written in taskfile.pipelines.values() {
        let pipeline = match Pipeline::of(graph, written) {
            Ok(pipeline) => pipeline,
            Err(mistakes) => {
                wrong.extend(mistakes);
                continue;
            }
        };
        let durations = IdVec::filled(graph.tasks().len(), 0);
        let tasks = pipeline.tasks();
        wrong.extend(
            Plan::in_steps(graph, &tasks, &durations, &[pipeline]).err().unwrap_or_default(),
        );
    }
    wrong
}

/// Recorded steps that declare nothing of the step before them: that they come later says nothing
/// about what they read, so they stay up to date when it changes.
pub(super) fn untied(taskfile: &Taskfile, graph: &Graph) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for written in taskfile.pipelines.values() {
        if let Ok(pipeline) = Pipeline::of(graph, written) {
            walk(graph, &pipeline.steps, &[], &mut found);
        }
    }
    found
}

fn walk(graph: &Graph, block: &Block, before: &[&Step], found: &mut Vec<Diagnostic>) {
    match block {
        Block::Step(step) => found.extend(untied_step(graph, step, before)),
        Block::Parallel(blocks) => blocks.iter().for_each(|one| walk(graph, one, before, found)),
        Block::Serial(blocks) => {
            let mut before = before.to_vec();
            for block in blocks {
                walk(graph, block, &before, found);
                before = block.steps();
            }
        }
    }
}

fn untied_step(graph: &Graph, step: &Step, before: &[&Step]) -> Option<Diagnostic> {
    let makes = |id: &TaskId| {
        let rule = &graph.task(*id).rule;
        let declares = !rule.outputs.is_empty() || !rule.installs.is_empty();
        declares || graph.task(*id).kind() == Kind::Unrecorded
    };
    let tasks = |step: &Step| graph.without_groups(&step.tasks);
    let first = before.iter().find(|step| tasks(step).iter().any(makes))?;
    let earlier: FxHashSet<TaskId> = before.iter().flat_map(|step| tasks(step)).collect();
    let own = tasks(step);
    let recorded = own.into_iter().filter(|&id| graph.task(id).kind() == Kind::Recorded);
    let recorded: Vec<TaskId> = recorded.collect();
    if recorded.is_empty() || !graph.needed(&recorded).is_disjoint(&earlier) {
        return None;
    }
    let (name, earlier) = (quoted(&step.name), &first.name);
    let message = format!("{name} comes after `{earlier}`, and declares nothing of it");
    Some(
        Diagnostic::warning(message)
            .at(step.place.clone(), "the order alone does not make it run again")
            .also(first.place.clone(), "the step before")
            .help(format!(
                "what it reads of that belongs in its `inputs`, as in \"@{earlier}\"; what only has \
                 to be done before, in `after`"
            )),
    )
}

/// The steps as a line: `fetch, [analyze, visualize], publish`.
pub(super) fn as_text(steps: &[parse::Step]) -> String {
    let one = |step: &parse::Step| match step {
        parse::Step::Name(word) => word.text.clone(),
        parse::Step::List(steps) => format!("[{}]", as_text(steps)),
    };
    steps.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The steps as nested lists.
pub(super) fn as_json(steps: &[parse::Step]) -> serde_json::Value {
    let one = |step: &parse::Step| match step {
        parse::Step::Name(word) => word.text.clone().into(),
        parse::Step::List(steps) => as_json(steps),
    };
    steps.iter().map(one).collect()
}
