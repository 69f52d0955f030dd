//! `taskr clean [T]`: removes only what taskr made, where it is still as taskr left it, and says
//! what it removed and what it kept.

use std::fmt::Write as _;
use std::io::Write;

use rustc_hash::FxHashSet;

use super::End;
use super::args::Clean;
use super::build::plain_request;
use super::out::print;
use super::select::select;
use super::signals::messages_with_signals;
use super::workspace::Workspace;
use crate::error::{Error, quoted};
use crate::graph::Graph;
use crate::outcome::{Event, shown};
use crate::report::one_line;
use crate::run::{Cleaned, clean as clean_tasks};

/// So many files are named one by one; of more only their number is told.
const MOST_NAMED: usize = 10;

/// Where files of the user are kept.
const REPLACED: &str = ".taskr/replaced";

pub(super) fn clean(args: &Clean, workspace: &Workspace, typed: &str) -> Result<End, Error> {
    let named = workspace.full_names(&args.targets)?;
    let jobs = workspace.jobs(None, &args.common)?;
    let load = workspace.loader(&args.common, jobs)?;
    let mut request = plain_request(workspace, &load, jobs, typed)?;
    request.wait = !args.no_wait;
    request.dry_run = args.dry_run;
    let only = match args.targets.is_empty() {
        true => None,
        false => Some(names(&named, &load()?)?),
    };
    let messages = messages_with_signals(workspace)?;
    let mut listen = |event: &Event<'_>| {
        if let Event::Warning { message, .. } = event {
            let _ = writeln!(std::io::stderr(), "warning: {message}");
        }
    };
    let cleaned = clean_tasks(&request, only.as_ref(), &messages, &mut listen)?;
    let text = match cleaned.is_empty() {
        true => nothing(&args.targets),
        false => tell(&cleaned, args.dry_run),
    };
    print(text.as_bytes())?;
    Ok(End::Code(refusals(&cleaned)))
}

fn names(named: &[String], graph: &Graph) -> Result<FxHashSet<String>, Error> {
    let ids = graph.without_groups(&select(graph, named)?);
    Ok(ids.into_iter().map(|id| graph.name(id).to_owned()).collect())
}

fn nothing(targets: &[String]) -> String {
    let names: Vec<String> = targets.iter().map(|name| quoted(&one_line(name))).collect();
    match names.is_empty() {
        true => "nothing to clean: there are no results of this Taskfile\n".to_owned(),
        false => format!("nothing to clean: there are no results of {}\n", names.join(", ")),
    }
}

/// What was removed, and what was kept and why. Never empty.
fn tell(cleaned: &[Cleaned], dry_run: bool) -> String {
    let removed: Vec<&[u8]> =
        cleaned.iter().flat_map(|task| &task.removed).map(Vec::as_slice).collect();
    let of = match cleaned {
        [one] => one.task.clone(),
        many => format!("{} tasks", many.len()),
    };
    let mut text = match (removed.len(), dry_run) {
        (0, false) => format!("forgot {of}: there were no files to remove\n"),
        (0, true) => format!("would forget {of}: there are no files to remove\n"),
        (count, false) => format!("removed {} of {of}\n", files(count)),
        (count, true) => format!("would remove {} of {of}\n", files(count)),
    };
    if removed.len() <= MOST_NAMED {
        text.extend(removed.iter().map(|path| format!("  {}\n", shown(path))));
    }
    text.push_str(&kept(cleaned, dry_run));
    text
}

fn kept(cleaned: &[Cleaned], dry_run: bool) -> String {
    let (keeps, moves) = if dry_run { ("would keep", "would move") } else { ("kept", "moved") };
    let edited = cleaned
        .iter()
        .flat_map(|task| &task.edited)
        .map(|path| format!("{keeps} {}: it was edited since taskr made it\n", shown(path)));
    let moved = cleaned.iter().flat_map(|task| &task.moved).map(|(path, to)| {
        // The folder of the run that does it has no name yet.
        let to = if dry_run { REPLACED.to_owned() } else { shown(to) };
        let path = shown(path);
        format!("{moves} {path} to {to}: it was there before taskr first wrote it\n")
    });
    let mut lines = edited.chain(moved);
    let mut text: String = lines.by_ref().take(MOST_NAMED).collect();
    match lines.count() {
        0 => {}
        more => {
            let _ = writeln!(text, "… and {more} more");
        }
    }
    text
}

/// Tells what could not be removed. The exit code.
fn refusals(cleaned: &[Cleaned]) -> u8 {
    let refused: Vec<_> = cleaned.iter().flat_map(|task| &task.refused).collect();
    let mut err = std::io::stderr().lock();
    for (path, why) in refused.iter().take(MOST_NAMED) {
        let _ = writeln!(err, "error: cannot remove {}: {why}", shown(path));
    }
    if refused.len() > MOST_NAMED {
        let _ = writeln!(err, "… and {} more", refused.len() - MOST_NAMED);
    }
    u8::from(!refused.is_empty())
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
