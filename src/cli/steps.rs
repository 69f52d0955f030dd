//! Pipelines for `taskr check` and `taskr list`: their mistakes, steps that hang together by the
//! order alone, and their steps as text.

use rustc_hash::FxHashSet;

use super::json_out;
use crate::error::{Diagnostic, Error, quoted};
use crate::graph::{Graph, Kind};
use crate::ids::{IdVec, TaskId};
use crate::parse::{self, Taskfile};
use crate::plan::{Block, Course, Pipeline, Plan, Step};

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
        let course = Course { pipelines: std::slice::from_ref(&pipeline), ..Course::default() };
        let plan = Plan::in_steps(graph, &pipeline.tasks(), &durations, course);
        wrong.extend(plan.err().unwrap_or_default());
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

/// Which task comes later than which for the sake of the steps of these pipelines.
///
/// # Errors
/// Steps that mean nothing, or cannot come in this order.
pub(super) fn order(
    graph: &Graph,
    pipelines: &[&parse::Pipeline],
) -> Result<Vec<(TaskId, TaskId)>, Error> {
    let all = pipelines.iter().map(|written| Pipeline::of(graph, written));
    let all = all.collect::<Result<Vec<_>, _>>().map_err(Error::Taskfile)?;
    let tasks: Vec<TaskId> = all.iter().flat_map(Pipeline::tasks).collect();
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let course = Course { pipelines: &all, ..Course::default() };
    Plan::in_steps(graph, &tasks, &durations, course).map_err(Error::Taskfile)?;
    let mut edges = Vec::new();
    for pipeline in &all {
        put_in_order(graph, &pipeline.steps, &[], &mut edges);
    }
    Ok(edges)
}

/// The last tasks of a block that comes after these.
fn put_in_order(
    graph: &Graph,
    block: &Block,
    before: &[TaskId],
    edges: &mut Vec<(TaskId, TaskId)>,
) -> Vec<TaskId> {
    match block {
        Block::Step(step) => {
            let group = step.tasks.iter().find(|&&id| graph.task(id).kind() == Kind::Group);
            let own = group.map_or_else(|| step.tasks.clone(), |&group| vec![group]);
            let pairs = before.iter().flat_map(|&first| own.iter().map(move |&then| (first, then)));
            edges.extend(pairs);
            own
        }
        Block::Parallel(blocks) => {
            blocks.iter().flat_map(|one| put_in_order(graph, one, before, edges)).collect()
        }
        Block::Serial(blocks) => blocks
            .iter()
            .fold(before.to_vec(), |before, one| put_in_order(graph, one, &before, edges)),
    }
}

/// What is to be said of a pipeline: names and values, as in the Taskfile.
pub(super) fn fields(pipeline: &parse::Pipeline) -> Vec<(&'static str, String)> {
    let doc = pipeline.doc.iter().map(|doc| ("doc", doc.clone()));
    let require = pipeline.require.iter().map(|(require, _)| ("require", require.to_string()));
    let most = pipeline.max_failures.iter().map(|most| ("max_failures", most.to_string()));
    let own =
        [("steps", as_text(&pipeline.steps)), ("on_error", pipeline.on_error.word().to_owned())];
    doc.chain(own).chain(require).chain(most).collect()
}

/// The same for programs.
pub(super) fn to_json(pipeline: &parse::Pipeline) -> serde_json::Value {
    serde_json::json!({
        "name": pipeline.name,
        "doc": pipeline.doc,
        "steps": as_json(&pipeline.steps),
        "on_error": pipeline.on_error.word(),
        "require": pipeline.require.as_ref().map(|(require, _)| require.to_string()),
        "max_failures": pipeline.max_failures,
        "place": json_out::place(Some(&pipeline.place)),
    })
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
