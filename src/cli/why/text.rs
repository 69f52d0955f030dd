//! An explanation for people: a line for each task, each below the one that it explains.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::chain::{Chain, Hop, State};
use super::changed::Changed;
use super::compared::Compared;
use super::facts::{Facts, Said};
use crate::ids::TaskId;
use crate::outcome::Cause;
use crate::report::{duration, one_line};

/// Members of a group that are named when all are up to date.
const MOST_MEMBERS: usize = 5;

/// Changes of which the lines are shown.
const MOST_SHOWN: usize = 5;

/// All lines of one explanation.
pub(super) fn told(facts: &Facts, changed: &Changed, chain: &Chain) -> String {
    let (mut text, mut shown) = (String::new(), 0);
    for hop in &chain.hops {
        let indent = "  ".repeat(hop.depth);
        if hop.between > 0 {
            let _ = writeln!(text, "{indent}… {} more tasks between", hop.between);
        }
        let _ = writeln!(text, "{indent}{}", one_line(&line(facts, hop)));
        for cause in &hop.causes {
            if shown == MOST_SHOWN && !changed.verbose() {
                break;
            }
            let lines = changed.lines(cause);
            shown += usize::from(!lines.is_empty());
            for line in lines {
                let _ = writeln!(text, "{indent}    {line}");
            }
        }
    }
    if let (Some(Hop { state: State::Group(_), task, .. }), 1) =
        (chain.hops.first(), chain.hops.len())
    {
        members(facts, *task, &mut text);
    }
    text.push_str(&left_out(facts, chain));
    text
}

/// What was compared of a task, or of the tasks of a group, and is equal.
pub(super) fn equal(
    facts: &Facts,
    id: TaskId,
    tasks: &[(TaskId, Compared)],
    verbose: bool,
) -> String {
    let is_group = tasks.iter().any(|(task, _)| *task != id);
    let mut text = if is_group { line_of(&group(facts, id)) } else { String::new() };
    let indent = if is_group { "  " } else { "" };
    for (task, compared) in tasks {
        let (name, ago) =
            (facts.name(*task), duration(unix_ms().saturating_sub(compared.ended_ms)));
        let run = compared.run.as_ref().map(|run| format!(" (run {run})")).unwrap_or_default();
        let counts = compared.counts();
        let line = format!("{name} is up to date: {counts} are as recorded {ago} ago{run}");
        let _ = write!(text, "{indent}{}", line_of(&line));
        if let Some(newest) = compared.newest_text() {
            let _ = write!(text, "{indent}  {}", line_of(&newest));
        }
        for row in compared.rows.iter().filter(|_| verbose) {
            let more =
                if row.more.is_empty() { String::new() } else { format!("  ({})", row.more) };
            let line = format!("{:<10} {}{more}", row.kind, row.name);
            let _ = write!(text, "{indent}  {}", line_of(&line));
        }
    }
    let all = if is_group { facts.judged.graph.without_groups(&[id]).len() } else { 1 };
    match all.saturating_sub(tasks.len()) {
        0 if verbose => {}
        0 => text.push_str("  `-v` lists all\n"),
        more => {
            let _ = writeln!(text, "  and {more} more: `-v` lists all");
        }
    }
    text
}

/// One line, safe for a terminal.
pub(super) fn line_of(text: &str) -> String {
    one_line(text) + "\n"
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// What is said of one task.
fn line(facts: &Facts, hop: &Hop) -> String {
    let name = facts.name(hop.task);
    let causes = || causes(facts, hop);
    match &hop.state {
        State::Fresh(Some(kept)) if !hop.causes.is_empty() => {
            let did = if kept.outcome == "restored" { "was last restored" } else { "last ran" };
            format!("{name} is up to date; it {did} because {}", causes())
        }
        State::Fresh(_) => format!("{name} is up to date"),
        State::WouldRun => format!("{name} would run: {}", causes()),
        State::WouldRestore => format!("{name} would be restored from the store: {}", causes()),
        State::Running(note) => {
            format!("{name} is running now (process {}: {})", note.pid, note.command)
        }
        State::Ran(kept) if kept.outcome == "restored" => {
            format!("{name} was restored because {}", causes())
        }
        State::Ran(kept) if kept.succeeded() => format!("{name} ran because {}", causes()),
        State::Ran(kept) => {
            let failure = kept.failure.as_deref().unwrap_or(&kept.outcome);
            format!("{name} ran because {}, and failed: {failure}", causes())
        }
        State::Failed(what) => format!("{name} cannot be judged: {what}"),
        State::Skipped => format!("{name} cannot be judged: what it needs cannot be"),
        State::WhenFalse(why) => format!("{name} is skipped: {why}"),
        State::Group(_) => group(facts, hop.task),
    }
}

/// The causes of a hop in one line.
fn causes(facts: &Facts, hop: &Hop) -> String {
    let told: Vec<String> = hop.causes.iter().map(cause).collect();
    let mut text = told.join("; ");
    if hop.more > 0 {
        let _ = write!(text, " (and {} more)", hop.more);
    }
    let is_now = hop.state == State::WouldRun;
    let says_so = hop
        .causes
        .iter()
        .any(|cause| matches!(&*cause.code, "unfinished" | "no_record" | "may_change"));
    if let (true, false, Some(failure)) = (is_now, says_so, facts.last_failure(hop.task)) {
        let _ = write!(text, " (its last run failed: {failure})");
    }
    text
}

fn cause(cause: &Cause) -> String {
    match (&cause.task, &cause.path, &*cause.code) {
        (Some(task), Some(path), "input" | "found") => match cause.text.ends_with(" changed") {
            true => format!("{task} changed its output {path}"),
            false => format!("{}, an output of {task}", cause.text),
        },
        _ => cause.text.clone(),
    }
}

/// How many of a group's tasks are up to date.
fn group(facts: &Facts, id: TaskId) -> String {
    let tasks = facts.judged.graph.without_groups(&[id]);
    let count = |is: fn(&Said) -> bool| tasks.iter().filter(|&&task| is(facts.said(task))).count();
    let (name, all) = (facts.name(id), tasks.len());
    let would_run = count(|said| matches!(said, Said::WouldRun(..) | Said::WouldRestore(_)));
    let failed = count(|said| matches!(said, Said::Failed(_) | Said::Skipped));
    match (would_run, failed) {
        (0, 0) if all == 1 => format!("{name}: its task is up to date"),
        (0, 0) => format!("{name}: its {all} tasks are up to date"),
        (_, 0) => format!("{name}: {would_run} of its {all} tasks would run"),
        _ => {
            let tasks = format!("{would_run} of its {all} tasks would run");
            format!("{name}: {tasks}, {failed} cannot be judged")
        }
    }
}

/// The first members of a group with nothing to do.
fn members(facts: &Facts, id: TaskId, text: &mut String) {
    let tasks = facts.judged.graph.without_groups(&[id]);
    for &task in tasks.iter().take(MOST_MEMBERS) {
        let chain = super::chain::explain(facts, task, false);
        if let Some(hop) = chain.hops.first() {
            let _ = writeln!(text, "  {}", one_line(&line(facts, hop)));
        }
    }
    if tasks.len() > MOST_MEMBERS {
        let _ =
            writeln!(text, "  and {} more: `taskr why TASK` for one", tasks.len() - MOST_MEMBERS);
    }
}

/// What is not told, and where it is.
fn left_out(facts: &Facts, chain: &Chain) -> String {
    let count = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 more {word}")),
        _ => Some(format!("{count} more {word}s")),
    };
    let causes = count(chain.more_causes, "cause");
    let tasks = count(chain.more_tasks, "task").map(|text| text + " for the same causes");
    let parts: Vec<String> = causes.into_iter().chain(tasks).collect();
    let would_run = chain.hops.iter().any(|hop| hop.state == State::WouldRun);
    match (parts.is_empty(), chain.hops.first()) {
        (false, Some(first)) if would_run => {
            format!("  and {}: `taskr -n {}` lists all\n", parts.join(", "), facts.name(first.task))
        }
        (false, _) => format!("  and {}\n", parts.join(", ")),
        _ => String::new(),
    }
}
