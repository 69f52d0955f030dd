//! `--failed`: what failed in the last run, and what that kept from running.
//!
//! Of a pipeline it is what its steps are to do again, so that all of it is done then: what was
//! rolled back, too. The pipeline itself holds for that part: its order, and what a failure means.

use rustc_hash::FxHashSet;
use serde_json::Value;

use super::amounts::ago;
use super::args::Build;
use super::runs::{Past, began_ms, past};
use super::select::select;
use super::status::unix_ms;
use super::workspace::Workspace;
use crate::error::Error;
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::plan::Pipeline;

/// What of the last run is to be built again; of named targets what they need of it.
///
/// # Errors
/// No run is known; a name that means nothing; what is wrong with the Taskfile.
pub(super) fn failed(args: &Build, workspace: &Workspace) -> Result<Failed, Error> {
    let named = workspace.full_names(&args.targets)?;
    let own = shown(&workspace.name);
    let Some(run) = past(&workspace.root).find(|run| run.text("taskfile") == own) else {
        return Err(Error::Usage {
            message: "no run is known here that could have failed".to_owned(),
            help: Some("build without `--failed` first".to_owned()),
        });
    };
    let jobs = workspace.jobs(args.how.jobs.as_deref(), &args.common)?;
    let graph = workspace.loader(&args.common, jobs)?()?;
    let mut tasks = undone(&run);
    // The Taskfile may have changed since then.
    tasks.retain(|name| graph.find(name).is_some());
    if !named.is_empty() {
        let needed = graph.with_needed(&select(&graph, &named)?);
        tasks.retain(|name| graph.find(name).is_some_and(|id| needed.contains(&id)));
    }
    if tasks.is_empty() {
        return Ok(Failed::Nothing(nothing(&run, args)));
    }
    let pipelines = match args.targets.is_empty() {
        true => of_pipelines(&run, "name").map(str::to_owned).collect(),
        false => workspace.wanted_names(&args.targets)?,
    };
    Ok(Failed::Again(again(workspace, &graph, tasks, &pipelines)?))
}

/// What there is to do again.
pub(super) enum Failed {
    Again(Again),
    /// Nothing: a sentence about it.
    Nothing(String),
}

/// Tasks to be built again.
pub(super) struct Again {
    /// The pipelines that say in which order, and tasks that none of them knows. A private one may
    /// be among these.
    pub(super) wanted: Vec<String>,
    /// All the tasks; of the pipelines nothing else is built but what these need.
    pub(super) tasks: Vec<String>,
}

fn again(
    workspace: &Workspace,
    graph: &Graph,
    tasks: Vec<String>,
    pipelines: &[String],
) -> Result<Again, Error> {
    let is_one_of = |known: &FxHashSet<TaskId>, name: &String| {
        graph.find(name).is_some_and(|id| known.contains(&id))
    };
    let (mut wanted, mut reached) = (Vec::new(), FxHashSet::default());
    for name in pipelines {
        let Some(written) = workspace.taskfile.pipelines.get(name) else { continue };
        let pipeline = Pipeline::of(graph, written).map_err(Error::Taskfile)?;
        let reach = graph.with_needed(&pipeline.tasks());
        if tasks.iter().any(|name| is_one_of(&reach, name)) {
            wanted.push(name.clone());
            reached.extend(reach);
        }
    }
    wanted.extend(tasks.iter().filter(|name| !is_one_of(&reached, name)).cloned());
    Ok(Again { wanted, tasks })
}

/// What did not succeed, and what was undone. Of what a signal ended or kept from running only what
/// a pipeline that failed before that has to do yet.
fn undone(run: &Past) -> Vec<String> {
    let not_done = || run.value["not_done"].as_array().into_iter().flatten();
    let by_signal = |task: &Value| task["outcome"] == "cancelled" || task["because"] == "signal";
    let in_pipeline = of_pipelines(run, "name").next().is_some();
    let failed = run.value["signal"].is_null() || (in_pipeline && !not_done().all(by_signal));
    let tasks = not_done().filter(|task| failed || !by_signal(task));
    let tasks = tasks.filter_map(|task| task["task"].as_str());
    // One whose rollback failed, or did not come to it, may be done by half.
    let rolled_back = ["rolled_back", "not_rolled_back"];
    let rolled_back = rolled_back.iter().flat_map(|list| of_pipelines(run, list));
    let mut seen = FxHashSet::default();
    tasks.chain(rolled_back).filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

/// What the run's pipelines have of this name: a text, or some.
fn of_pipelines<'r>(run: &'r Past, name: &'r str) -> impl Iterator<Item = &'r str> {
    let pipelines = run.value["pipelines"].as_array().into_iter().flatten();
    pipelines.flat_map(move |pipeline| {
        let value = &pipeline[name];
        value.as_array().into_iter().flatten().chain([value]).filter_map(Value::as_str)
    })
}

fn nothing(run: &Past, args: &Build) -> String {
    let when = ago(began_ms(&run.id), unix_ms());
    match undone(run).first() {
        Some(_) if !args.targets.is_empty() => {
            format!(
                "nothing to do: nothing that {} needs failed in the last run, {when}",
                args.targets.join(" ")
            )
        }
        Some(_) => format!(
            "nothing to do: the Taskfile has no task any more of those that failed in the last run, {when}"
        ),
        None => format!("nothing to do: nothing failed in the last run, {when}"),
    }
}
