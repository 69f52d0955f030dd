//! `taskr why T`: why a task would run, down to the first cause, or why it last ran. Changes
//! nothing.

use std::collections::HashMap;
use std::io::Write;

use super::End;
use super::args::Why;
use super::build::{messages_with_signals, plain_request};
use super::workspace::Workspace;
use crate::error::Error;
use crate::outcome::{Event, Finish, Reason};
use crate::outdir::{Root, TaskDir};
use crate::run::run;

/// What the dry run said of one task.
enum Said {
    Fresh,
    WouldRun(Vec<Reason>),
    Failed(String),
}

pub(super) fn why(args: &Why, workspace: &Workspace) -> Result<End, Error> {
    workspace.check_names(args.targets.iter())?;
    let jobs = workspace.jobs(None)?;
    let load = workspace.loader(&args.common, jobs)?;
    let mut request = plain_request(workspace, &load, jobs, "taskr why")?;
    request.wanted.clone_from(&args.targets);
    request.dry_run = true;
    let graph = load()?;
    let messages = messages_with_signals()?;
    let mut said: HashMap<String, Said> = HashMap::new();
    let mut listen = |event: &Event<'_>| hear(event, &mut said);
    let summary = run(&request, &messages, &mut listen)?;
    let ids = args.targets.iter().flat_map(|name| graph.select(name)).collect::<Vec<_>>();
    let mut text = String::new();
    for id in graph.without_groups(&ids) {
        explain(graph.name(id), &said, workspace, &mut text);
    }
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(match summary.signal {
        Some(signal) => End::Signal(signal),
        None => End::Code(summary.exit_code()),
    })
}

fn hear(event: &Event<'_>, said: &mut HashMap<String, Said>) {
    match event {
        Event::TaskStarted { task, reasons, .. } => {
            said.insert(task.name.to_owned(), Said::WouldRun(reasons.to_vec()));
        }
        Event::TaskFinished { task, finish: Finish::Fresh, .. } => {
            said.insert(task.name.to_owned(), Said::Fresh);
        }
        Event::TaskFinished { task, failure: Some(failure), .. } => {
            said.insert(task.name.to_owned(), Said::Failed(failure.what.clone()));
        }
        Event::Warning { message, .. } => {
            let _ = writeln!(std::io::stderr(), "warning: {message}");
        }
        _ => {}
    }
}

/// A task and the chain below it, one line per hop.
fn explain(name: &str, said: &HashMap<String, Said>, workspace: &Workspace, text: &mut String) {
    let mut name = name.to_owned();
    loop {
        match said.get(&name) {
            Some(Said::Fresh) => {
                text.push_str(&format!("{name} is up to date{}\n", last_reason(&name, workspace)));
            }
            Some(Said::Failed(what)) => {
                text.push_str(&format!("{name} cannot be judged: {what}\n"));
            }
            Some(Said::WouldRun(reasons)) => {
                let told = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                text.push_str(&format!("{name} would run: {told}\n"));
                if let [Reason::MayChange(next), ..] = &reasons[..] {
                    name.clone_from(next);
                    continue;
                }
            }
            None => {
                text.push_str(&format!("{name} would not be judged: what it needs fails first\n"));
            }
        }
        return;
    }
}

fn last_reason(name: &str, workspace: &Workspace) -> String {
    let dir = TaskDir::new(workspace.prefix(), name);
    let read = Root::open(&workspace.root)
        .and_then(|root| std::fs::read(root.absolute(&dir.join("result.json"))));
    let result: Option<serde_json::Value> =
        read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let why = result.as_ref().and_then(|result| result.get("why")?.as_str());
    why.filter(|why| !why.is_empty())
        .map_or_else(String::new, |why| format!(" (it last ran because {why})"))
}
