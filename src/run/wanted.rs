//! What names mean that are asked for: targets, tasks and pipelines; and what to write for one that
//! means nothing.

use super::Request;
use crate::error::{Error, nearest};
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::parse::{self, split_pick};
use crate::plan::Pipeline;

/// What is asked for: targets, tasks, and the steps of pipelines with all their tasks.
pub(super) fn find_wanted(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = find_named(graph, request)?;
    ids.extend(pipelines(graph, request)?.iter().flat_map(Pipeline::tasks));
    Ok(ids)
}

/// The same without those tasks: what names stand for.
pub(super) fn find_each(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = find_named(graph, request)?;
    for pipeline in pipelines(graph, request)? {
        ids.extend(pipeline.steps.steps().into_iter().flat_map(|step| graph.select(&step.name)));
    }
    Ok(ids)
}

/// What is asked for but by pipelines.
pub(super) fn find_named(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = Vec::new();
    for name in request.wanted.iter().filter(|name| pipeline(request, name).is_none()) {
        let selected = if request.private { graph.select(name) } else { Vec::new() };
        ids.extend(if selected.is_empty() { find(graph, name)? } else { selected });
    }
    Ok(ids)
}

fn pipeline<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r parse::Pipeline> {
    request.pipelines.iter().find(|pipeline| pipeline.name == name)
}

/// The pipelines that are wanted, each once.
pub(super) fn pipelines(graph: &Graph, request: &Request<'_>) -> Result<Vec<Pipeline>, Error> {
    let wanted = request.pipelines.iter().filter(|own| request.wanted.contains(&own.name));
    let all = wanted.map(|pipeline| Pipeline::of(graph, pipeline).map_err(Error::Taskfile));
    all.collect()
}

pub(super) fn find_all(graph: &Graph, names: &[String]) -> Result<Vec<TaskId>, Error> {
    let mut ids = Vec::new();
    for name in names {
        ids.extend(find(graph, name)?);
    }
    Ok(ids)
}

/// The tasks that a name on the command line means.
///
/// # Errors
/// There is none, or it is private.
pub fn find(graph: &Graph, name: &str) -> Result<Vec<TaskId>, Error> {
    let known = graph.targets().iter().filter(|&&id| !graph.task(id).rule.target.private);
    let ids = graph.select(name);
    let Some(&id) = ids.first() else {
        let known = known.map(|&id| graph.name(id));
        let help = match split_pick(name) {
            (target, Some(item)) => near_task(graph, target, item),
            (_, None) => nearest(name, known).map(|name| format!("did you mean `{name}`?")),
        };
        let name = crate::report::one_line(name);
        return Err(Error::Usage { message: format!("there is no task `{name}`"), help });
    };
    match graph.task(id).rule.target.private {
        true => Err(Error::Usage {
            message: format!("`{name}` is private: it is built only for others"),
            help: Some("remove `private = true` from its target".to_owned()),
        }),
        false => Ok(ids),
    }
}

/// What to write for a task that `target` does not have: the one of nearly this item, or whose
/// file has this name.
fn near_task(graph: &Graph, target: &str, item: &str) -> Option<String> {
    let group = graph.target(target)?;
    let tasks = graph.without_groups(&[group]);
    let names = || tasks.iter().map(|&id| graph.name(id));
    if tasks == [group] {
        return Some(format!("`{target}` is one task, without items: write `{target}`"));
    }
    let items = || names().filter_map(|name| split_pick(name).1);
    let ending = format!("/{item}");
    let near = items().find(|own| own.ends_with(&ending)).or_else(|| nearest(item, items()));
    Some(match near {
        Some(near) => format!("did you mean `{target}@{near}`? All are `'{target}@*'`"),
        None => format!("all its tasks are `{target}`; one is `{}`", names().next()?),
    })
}
