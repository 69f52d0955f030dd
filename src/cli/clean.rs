//! `taskr clean [T]`: removes only what taskr made, where it is still as taskr left it.

use std::io::Write;

use rustc_hash::FxHashSet;

use super::End;
use super::args::Clean;
use super::build::{messages_with_signals, plain_request};
use super::workspace::Workspace;
use crate::error::Error;
use crate::outcome::Event;
use crate::run::{find, forget_outputs};

pub(super) fn clean(args: &Clean, workspace: &Workspace, typed: &str) -> Result<End, Error> {
    workspace.check_names(args.targets.iter())?;
    let jobs = workspace.jobs(None)?;
    let load = workspace.loader(&args.common, jobs)?;
    let mut request = plain_request(workspace, &load, jobs, typed)?;
    request.wait = !args.no_wait;
    let only = match args.targets.is_empty() {
        true => None,
        false => Some(names(args, &load()?)?),
    };
    let messages = messages_with_signals()?;
    let mut listen = |event: &Event<'_>| {
        if let Event::Warning { message, .. } = event {
            let _ = writeln!(std::io::stderr(), "warning: {message}");
        }
    };
    let cleaned = forget_outputs(&request, only.as_ref(), &messages, &mut listen)?;
    let text = match cleaned.len() {
        0 => "nothing to clean".to_owned(),
        1 => format!("cleaned {}", cleaned[0]),
        count => format!("cleaned {count} tasks"),
    };
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(End::Code(0))
}

fn names(args: &Clean, graph: &crate::graph::Graph) -> Result<FxHashSet<String>, Error> {
    let mut ids = Vec::new();
    for name in &args.targets {
        ids.extend(find(graph, name)?);
    }
    Ok(graph.without_groups(&ids).into_iter().map(|id| graph.name(id).to_owned()).collect())
}
