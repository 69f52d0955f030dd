//! `taskr why T`: why a task would run, down to the first causes, or why it last ran. Changes
//! nothing.
//!
//! A dry run judges; its reasons and what earlier runs left written are the only sources, so
//! that no explanation contradicts a decision.

mod chain;
mod changed;
mod facts;
mod text;

use super::End;
use super::args::Why;
use super::build::{messages_with_signals, plain_request};
use super::out::print;
use super::workspace::Workspace;
use crate::error::Error;
use crate::ids::TaskId;
use crate::outcome::Event;
use crate::run::{dry_run, find};
use facts::{Facts, Heard};

pub(super) fn why(args: &Why, workspace: &Workspace) -> Result<End, Error> {
    let wanted = match args.targets.is_empty() {
        true => workspace.default_targets()?,
        false => args.targets.clone(),
    };
    workspace.check_names(wanted.iter())?;
    let jobs = workspace.jobs(None)?;
    let load = workspace.loader(&args.common, jobs)?;
    let mut request = plain_request(workspace, &load, jobs, "taskr why")?;
    request.wanted.clone_from(&wanted);
    request.dry_run = true;
    let messages = messages_with_signals()?;
    let mut heard = Heard::default();
    let mut listen = |event: &Event<'_>| heard.hear(event);
    let judged = dry_run(&request, &messages, &mut listen)?;
    let end = match judged.summary.signal {
        Some(signal) => return Ok(End::Signal(signal)),
        None => End::Code(judged.summary.exit_code()),
    };
    let facts = Facts::new(judged, heard);
    let mut ids: Vec<TaskId> = Vec::new();
    for name in &wanted {
        ids.extend(find(&facts.judged.graph, name)?);
    }
    let mut out = String::new();
    let changed = changed::Changed::new(&workspace.root);
    for id in ids {
        out.push_str(&text::told(&facts, &changed, &chain::explain(&facts, id)));
    }
    print(out.as_bytes())?;
    Ok(end)
}
