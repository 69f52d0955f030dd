//! Names on the command line to tasks, for the tools that only look or tidy: a private target may
//! be named, too.

use super::workspace::Workspace;
use crate::error::Error;
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::run::find;

/// What these full names mean, in order; a group stands for itself.
///
/// # Errors
/// A name that means nothing.
pub(super) fn select(graph: &Graph, names: &[String]) -> Result<Vec<TaskId>, Error> {
    let mut all = Vec::new();
    for name in names {
        let ids = graph.select(name);
        all.extend(if ids.is_empty() { find(graph, name)? } else { ids });
    }
    Ok(all)
}

/// The full names of what was typed, or of the Taskfile's `default`.
///
/// # Errors
/// A name that no target has; nothing is named and there is no `default`.
pub(super) fn named_or_default(
    workspace: &Workspace,
    names: &[String],
) -> Result<Vec<String>, Error> {
    match names.is_empty() {
        true => Ok(workspace.without_pipelines(&workspace.default_to_look_at()?)),
        false => workspace.full_names(names),
    }
}
