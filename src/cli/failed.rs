//! `--failed`: what failed in the last run, and what that kept from running.

use super::amounts::ago;
use super::args::Build;
use super::runs::{Past, began_ms, past};
use super::select::select;
use super::status::unix_ms;
use super::workspace::Workspace;
use crate::error::Error;
use crate::outcome::shown;

/// The tasks of the last run to be built again, by name; of named targets those that they need.
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
    let mut names: Vec<String> = undone(&run).collect();
    // The Taskfile may have changed since then.
    names.retain(|name| graph.find(name).is_some());
    if !named.is_empty() {
        let needed = graph.with_needed(&select(&graph, &named)?);
        names.retain(|name| graph.find(name).is_some_and(|id| needed.contains(&id)));
    }
    match names.is_empty() {
        true => Ok(Failed::Nothing(nothing(&run, args))),
        false => Ok(Failed::Tasks(names)),
    }
}

/// What there is to do again.
pub(super) enum Failed {
    Tasks(Vec<String>),
    /// Nothing: a sentence about it.
    Nothing(String),
}

/// What did not succeed, but for what a signal ended or kept from running.
fn undone(run: &Past) -> impl Iterator<Item = String> {
    let not_done = run.value["not_done"].as_array().into_iter().flatten();
    let by_failure =
        not_done.filter(|task| task["outcome"] != "cancelled" && task["because"] != "signal");
    by_failure.filter_map(|task| Some(task["task"].as_str()?.to_owned()))
}

fn nothing(run: &Past, args: &Build) -> String {
    let when = ago(began_ms(&run.id), unix_ms());
    match undone(run).next() {
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
