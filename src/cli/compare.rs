//! `taskr compare [OLD] [NEW]`: two runs side by side: what became slower or faster, what ended
//! otherwise. Changes nothing.

use std::cmp::Reverse;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::End;
use super::amounts::{ago, count};
use super::args::Compare;
use super::columns::fitting;
use super::history::counts;
use super::json_out::version;
use super::out::print;
use super::runs::{Past, began_ms, named};
use super::status::unix_ms;
use super::terminal::out_width;
use super::workspace::Workspace;
use crate::error::Error;
use crate::report::{cut_middle, duration, one_line};

/// So many tasks are shown of each kind; JSON has all.
const MOST_SHOWN: usize = 10;

/// A task is slower or faster where it took this much more or less, in milliseconds,
const LEAST_MS: u64 = 50;
/// and this part of what it took before, in per cent: less than that a machine does by itself.
const LEAST_PERCENT: u64 = 10;

/// A task in both runs, or in one of them.
#[derive(Default)]
struct Pair<'r> {
    old: Option<Part<'r>>,
    new: Option<Part<'r>>,
}

/// What a task did in a run.
#[derive(Clone, Copy)]
struct Part<'r> {
    outcome: &'r str,
    duration_ms: u64,
}

/// The tasks of two runs by name.
type Pairs<'r> = IndexMap<&'r str, Pair<'r>>;

pub(super) fn compare(args: &Compare, workspace: &Workspace) -> Result<End, Error> {
    let (old_number, old) = named(&workspace.root, &args.old)?;
    let (new_number, new) = named(&workspace.root, &args.new)?;
    let pairs = pairs(&old, &new);
    let text = match args.json {
        true => format!("{:#}\n", as_json(&old, &new, &pairs)),
        false => as_text((old_number, &old), (new_number, &new), &pairs),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

fn pairs<'r>(old: &'r Past, new: &'r Past) -> Pairs<'r> {
    let mut pairs = Pairs::new();
    for (name, part) in old.value["tasks"].as_array().into_iter().flatten().filter_map(part) {
        pairs.entry(name).or_default().old = Some(part);
    }
    for (name, part) in new.value["tasks"].as_array().into_iter().flatten().filter_map(part) {
        pairs.entry(name).or_default().new = Some(part);
    }
    pairs
}

fn part(task: &Value) -> Option<(&str, Part<'_>)> {
    let duration_ms = task["duration_ms"].as_u64()?;
    Some((task["task"].as_str()?, Part { outcome: task["outcome"].as_str()?, duration_ms }))
}

impl<'r> Pair<'r> {
    /// How long its command took in both, if it ran in both.
    fn took(&self) -> Option<(u64, u64)> {
        let ran = |part: Part<'_>| (part.outcome == "ran").then_some(part.duration_ms);
        Some((ran(self.old?)?, ran(self.new?)?))
    }

    /// The same, if the difference says something.
    fn differs(&self) -> Option<(u64, u64)> {
        self.took().filter(|&(old, new)| {
            let more = old.abs_diff(new);
            more >= LEAST_MS && more.saturating_mul(100) >= old.saturating_mul(LEAST_PERCENT)
        })
    }

    /// How it ended, if that is not the same.
    fn ended(&self) -> Option<(&'r str, &'r str)> {
        let (old, new) = (self.old?.outcome, self.new?.outcome);
        (old != new).then_some((old, new))
    }
}

fn as_text(
    (old_number, old): (usize, &Past),
    (new_number, new): (usize, &Past),
    pairs: &Pairs<'_>,
) -> String {
    let now_ms = unix_ms();
    let head =
        |number: usize, run: &Past| format!("run {number}, {}", ago(began_ms(&run.id), now_ms));
    let time = |name: &str| [duration(old.number(name)), duration(new.number(name))];
    let row = |name: &str, [old, new]: [String; 2], more: String| [name.to_owned(), old, new, more];
    let by = |name: &str| signed_percent(old.number(name), new.number(name));
    let mut rows = vec![
        row("", [head(old_number, old), head(new_number, new)], String::new()),
        row("command", [one_line(&old.command()), one_line(&new.command())], String::new()),
        row("tasks", [counts(old), counts(new)], String::new()),
        row("wall", time("wall_ms"), by("wall_ms")),
        row("work", time("work_ms"), by("work_ms")),
        row("speed-up", [old.speed_up(), new.speed_up()], String::new()),
        row("end", [old.end(), new.end()], String::new()),
    ];
    rows.retain(|[_, old, new, _]| !old.is_empty() || !new.is_empty());
    let width = out_width();
    let mut text = fitting(rows, width, &[1, 2]);
    let mut moved: Vec<(&str, u64, u64)> = pairs
        .iter()
        .filter_map(|(name, pair)| pair.differs().map(|(old, new)| (*name, old, new)))
        .collect();
    moved.sort_by_key(|&(_, old, new)| Reverse(old.abs_diff(new)));
    let (slower, faster): (Vec<_>, Vec<_>) = moved.into_iter().partition(|(_, old, new)| new > old);
    let times = |&(name, old, new): &(&str, u64, u64)| {
        format!("{}  {} → {}", one_line(name), duration(old), duration(new))
    };
    put(&mut text, "slower", slower.iter().map(times).collect());
    put(&mut text, "faster", faster.iter().map(times).collect());
    let ended = pairs.iter().filter_map(|(name, pair)| Some((name, pair.ended()?)));
    let ended = ended.map(|(name, (old, new))| format!("{}  {old} → {new}", one_line(name)));
    put(&mut text, "ended otherwise", ended.collect());
    for (number, only) in [
        (old_number, only(pairs, |pair| pair.new.is_none())),
        (new_number, only(pairs, |pair| pair.old.is_none())),
    ] {
        put(&mut text, &format!("only in run {number}"), only);
    }
    let width = width.unwrap_or(usize::MAX);
    text.lines().map(|line| cut_middle(line, width) + "\n").collect()
}

fn only(pairs: &Pairs<'_>, of: impl Fn(&Pair<'_>) -> bool) -> Vec<String> {
    let some = pairs.iter().filter(|(_, pair)| of(pair));
    some.map(|(name, _)| one_line(name)).collect()
}

/// A title, and the first of these lines below it; nothing if there are none.
fn put(text: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    *text += &format!("{title}: {}\n", count(lines.len(), "task", "tasks"));
    let more = lines.len().saturating_sub(MOST_SHOWN);
    for line in lines.into_iter().take(MOST_SHOWN) {
        *text += &format!("  {line}\n");
    }
    if more > 0 {
        *text += &format!("  and {more} more\n");
    }
}

/// `+12%`, `-3%`; empty where nothing can be said.
fn signed_percent(old: u64, new: u64) -> String {
    if old == 0 {
        return String::new();
    }
    let percent = (new as f64 - old as f64) / old as f64 * 100.0;
    format!("{percent:+.0}%")
}

fn as_json(old: &Past, new: &Past, pairs: &Pairs<'_>) -> Value {
    let side = |run: &Past| {
        json!({
            "run": run.id,
            "command": run.command(),
            "started_ms": began_ms(&run.id),
            "wall_ms": run.number("wall_ms"),
            "work_ms": run.number("work_ms"),
            "speedup": run.value["speedup"],
            "counts": run.value["counts"],
            "exit_code": run.value["exit_code"],
        })
    };
    let part = |part: Option<Part<'_>>| {
        part.map(|part| json!({ "outcome": part.outcome, "duration_ms": part.duration_ms }))
    };
    let tasks = pairs
        .iter()
        .map(|(name, pair)| json!({ "task": name, "old": part(pair.old), "new": part(pair.new) }));
    json!({
        "version": version(),
        "old": side(old),
        "new": side(new),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_that_say_something_are_told() {
        let pair = |old: (&'static str, u64), new: (&'static str, u64)| {
            let part = |(outcome, duration_ms)| Some(Part { outcome, duration_ms });
            Pair { old: part(old), new: part(new) }
        };
        for (old, new, differs) in [
            (("ran", 100), ("ran", 149), false),
            (("ran", 100), ("ran", 150), true),
            (("ran", 150), ("ran", 100), true),
            (("ran", 1000), ("ran", 1099), false),
            (("ran", 1000), ("ran", 900), true),
            (("ran", 1000), ("restored", 1), false),
        ] {
            assert_eq!(pair(old, new).differs().is_some(), differs, "{old:?} {new:?}");
        }
        assert_eq!(pair(("failed", 1), ("ran", 1)).ended(), Some(("failed", "ran")));
        assert_eq!(signed_percent(200, 150), "-25%");
        assert_eq!(signed_percent(100, 103), "+3%");
    }
}
