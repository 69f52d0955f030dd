//! `taskr flaky [T]`: which tasks did not do the same under the same key, as builds noticed it in
//! passing. Changes nothing.

use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::End;
use super::amounts::{ago, count};
use super::args::Flaky;
use super::json_out::version;
use super::out::print;
use super::select::select;
use super::status::unix_ms;
use super::workspace::Workspace;
use crate::error::{Error, quoted};
use crate::outcome::{Difference, Flaw};
use crate::record;
use crate::report::one_line;

/// So many files of one observation are named; JSON has all that were kept.
const MOST_NAMED: usize = 5;

/// What was seen of one task, newest first.
struct Seen {
    task: String,
    flaws: Vec<Flaw>,
}

pub(super) fn flaky(args: &Flaky, workspace: &Workspace) -> Result<End, Error> {
    let only = named(args, workspace)?;
    let (state, names) = (workspace.state(), workspace.names());
    let mut seen: Vec<Seen> = record::all_flaws(&state)
        .filter_map(|(id, mut flaws)| {
            let task = names
                .task(id)
                .filter(|task| only.as_ref().is_none_or(|only| only.contains(*task)))?;
            flaws.reverse();
            (!flaws.is_empty()).then(|| Seen { task: task.to_owned(), flaws })
        })
        .collect();
    seen.sort_by_key(|seen| std::cmp::Reverse(seen.flaws.first().map(|flaw| flaw.unix_ms)));
    let text = match args.json {
        true => format!("{:#}\n", as_json(&seen)),
        false if seen.is_empty() => nothing(&args.targets),
        false => seen.iter().map(|seen| told(seen, unix_ms())).collect(),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// The tasks that were asked for; none: all that there are rows of.
fn named(args: &Flaky, workspace: &Workspace) -> Result<Option<FxHashSet<String>>, Error> {
    if args.targets.is_empty() {
        return Ok(None);
    }
    let names = workspace.full_names(&args.targets)?;
    let graph = workspace.loader(&args.common, workspace.jobs(None, &args.common)?)?()?;
    let ids = graph.without_groups(&select(&graph, &names)?);
    Ok(Some(ids.into_iter().map(|id| graph.name(id).to_owned()).collect()))
}

fn nothing(targets: &[String]) -> String {
    let names: Vec<String> = targets.iter().map(|name| quoted(&one_line(name))).collect();
    let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
    format!("no task{of} is known to have done something else under the same key\n")
}

fn told(seen: &Seen, now_ms: u64) -> String {
    let times = count(seen.flaws.len(), "time", "times");
    let mut text = format!("{}: not the same under the same key, {times}\n", one_line(&seen.task));
    for flaw in &seen.flaws {
        text.push_str(&format!("  {}: {}\n", ago(flaw.unix_ms, now_ms), differed(flaw)));
    }
    text
}

fn differed(flaw: &Flaw) -> String {
    match flaw.difference {
        Difference::Recovered => "it succeeded, having failed before".to_owned(),
        Difference::Broke => "it failed, having succeeded before".to_owned(),
        Difference::Outputs => {
            let mut named: Vec<String> =
                flaw.paths.iter().take(MOST_NAMED).map(|path| one_line(path)).collect();
            if flaw.paths.len() > MOST_NAMED {
                named.push(format!("… and {} more", flaw.paths.len() - MOST_NAMED));
            }
            format!("it made something else of {}", named.join(", "))
        }
    }
}

fn as_json(seen: &[Seen]) -> Value {
    let tasks = seen.iter().map(|seen| {
        let flaws: Vec<Value> = seen.flaws.iter().map(Flaw::to_json).collect();
        json!({ "task": seen.task, "flaws": flaws })
    });
    json!({ "version": version(), "tasks": tasks.collect::<Vec<_>>() })
}
