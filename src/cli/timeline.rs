//! `taskr timeline [RUN]`: what ran when in a run that is over, a bar for each task. Changes
//! nothing.

use std::cmp::Reverse;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::End;
use super::amounts::ago;
use super::args::Timeline;
use super::json_out::version;
use super::out::print;
use super::runs::{Past, began_ms, named};
use super::status::unix_ms;
use super::terminal::out_width;
use super::workspace::Workspace;
use crate::error::Error;
use crate::report::{chain, cut_middle, duration, one_line};

/// Columns where stdout is no terminal.
const WIDTH: usize = 100;

/// So many tasks are shown, those that took longest; all with `--all`.
const MOST_SHOWN: usize = 40;

/// Columns of `12.3s  cancelled`.
const BEHIND: usize = 18;

/// One task of a run.
struct Bar {
    task: String,
    outcome: String,
    at_ms: u64,
    duration_ms: u64,
}

impl Bar {
    fn of(task: &Value) -> Option<Bar> {
        Some(Bar {
            task: task["task"].as_str()?.to_owned(),
            outcome: task["outcome"].as_str()?.to_owned(),
            at_ms: task["at_ms"].as_u64()?,
            duration_ms: task["duration_ms"].as_u64()?,
        })
    }

    fn end_ms(&self) -> u64 {
        self.at_ms.saturating_add(self.duration_ms)
    }
}

pub(super) fn timeline(args: &Timeline, workspace: &Workspace) -> Result<End, Error> {
    let (number, run) = named(&workspace.root, args.run.as_deref().unwrap_or("1"))?;
    let tasks = run.value["tasks"].as_array().into_iter().flatten();
    let mut bars: Vec<Bar> = tasks.filter_map(Bar::of).collect();
    bars.sort_by(|a, b| (a.at_ms, &a.task).cmp(&(b.at_ms, &b.task)));
    let text = match args.json {
        true => format!("{:#}\n", as_json(&run, &bars)),
        false => {
            let most = if args.all { usize::MAX } else { MOST_SHOWN };
            let head = head(number, &run);
            head + &as_text(&run, bars, most, out_width().unwrap_or(WIDTH))
        }
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

fn head(number: usize, run: &Past) -> String {
    let (when, command) = (ago(began_ms(&run.id), unix_ms()), one_line(&run.command()));
    format!("run {number}, {when}: {command}\n")
}

fn as_text(run: &Past, mut bars: Vec<Bar>, most: usize, width: usize) -> String {
    let at_once = most_at_once(&bars);
    let left_out = bars.len().saturating_sub(most);
    if left_out > 0 {
        bars.sort_by_key(|bar| Reverse(bar.duration_ms));
        bars.truncate(most);
        bars.sort_by_key(|bar| bar.at_ms);
    }
    let mut text = chart(&bars, run.number("wall_ms"), width);
    if left_out > 0 {
        text += &format!("and {left_out} shorter ones: `taskr timeline --all`\n");
    }
    let (wall, work) = (duration(run.number("wall_ms")), duration(run.number("work_ms")));
    let jobs = run.number("jobs");
    text += &format!("{work} of work in {wall} with -j{jobs}, at most {at_once} at once");
    if !run.speed_up().is_empty() {
        text += &format!(": speed-up {}", run.speed_up());
    }
    text.push('\n');
    let path = run.critical_path();
    if !path.is_empty() {
        let sum = path.iter().map(|step| step.duration_ms).sum();
        text += &format!("critical path {}: {}\n", duration(sum), chain(&path));
    }
    text
}

/// A line for each task: its name, a bar on one scale, how long it took, and how it ended if it
/// did not simply run.
fn chart(bars: &[Bar], wall_ms: u64, width: usize) -> String {
    let names: Vec<String> = bars.iter().map(|bar| one_line(&bar.task)).collect();
    let column = names.iter().map(|name| name.width()).max().unwrap_or(0).min(width / 3).max(4);
    let room = width.saturating_sub(column + BEHIND + 2).max(10);
    let whole_ms = bars.iter().map(Bar::end_ms).chain([wall_ms, 1]).max().unwrap_or(1);
    let end = duration(whole_ms);
    let mut text = format!("{:column$}  0{end:>1$}\n", "task", room - 1);
    for (bar, name) in bars.iter().zip(&names) {
        let (from, to) = cells(bar, whole_ms, room);
        let name = cut_middle(name, column);
        let gap = " ".repeat(column.saturating_sub(name.width()));
        let cell = if bar.outcome == "restored" { "░" } else { "█" };
        let drawn = format!("{}{}", " ".repeat(from), cell.repeat(to - from));
        let word = if bar.outcome == "ran" { "" } else { &bar.outcome };
        let line = format!(
            "{name}{gap}  {drawn}{}  {}  {word}",
            " ".repeat(room - to),
            duration(bar.duration_ms)
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The first cell of a bar and the one behind its last; at least one.
fn cells(bar: &Bar, whole_ms: u64, room: usize) -> (usize, usize) {
    let cell = |ms: u64| (ms as f64 / whole_ms as f64 * room as f64).round() as usize;
    let from = cell(bar.at_ms).min(room - 1);
    (from, cell(bar.end_ms()).clamp(from + 1, room))
}

/// How many ran at the same moment. One that begins when another ends is behind it.
fn most_at_once(bars: &[Bar]) -> usize {
    let mut turns: Vec<(u64, isize)> =
        bars.iter().flat_map(|bar| [(bar.at_ms, 1), (bar.end_ms(), -1)]).collect();
    turns.sort_unstable();
    let mut now = 0;
    turns
        .iter()
        .map(|(_, step)| {
            now += step;
            now
        })
        .max()
        .unwrap_or(0)
        .unsigned_abs()
}

fn as_json(run: &Past, bars: &[Bar]) -> Value {
    let tasks = bars.iter().map(|bar| {
        json!({
            "task": bar.task,
            "outcome": bar.outcome,
            "at_ms": bar.at_ms,
            "duration_ms": bar.duration_ms,
        })
    });
    json!({
        "version": version(),
        "run": run.id,
        "command": run.command(),
        "started_ms": began_ms(&run.id),
        "jobs": run.number("jobs"),
        "wall_ms": run.number("wall_ms"),
        "work_ms": run.number("work_ms"),
        "speedup": run.value["speedup"],
        "critical_path": run.value["critical_path"],
        "most_at_once": most_at_once(bars),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(task: &str, outcome: &str, at_ms: u64, duration_ms: u64) -> Bar {
        Bar { task: task.to_owned(), outcome: outcome.to_owned(), at_ms, duration_ms }
    }

    #[test]
    fn overlap_is_seen() {
        let bars = [
            bar("a", "ran", 0, 500),
            bar("long-name", "failed", 0, 1000),
            bar("b", "restored", 500, 1),
        ];
        let expected = "\
task       0                              1.0s
a          ██████████████████                   0.5s
long-name  ███████████████████████████████████  1.0s  failed
b                            ░                  0.00s  restored
";
        assert_eq!(chart(&bars, 900, 64), expected);
        // Names that begin alike can be told apart.
        let alike = ["compile@src/server/one.c", "compile@src/server/two.c"];
        let drawn = chart(&alike.map(|name| bar(name, "ran", 0, 1)), 1, 40);
        assert!(drawn.contains("compil…/one.c ") && drawn.contains("compil…/two.c "), "{drawn}");
        assert_eq!(most_at_once(&bars), 2);
        assert_eq!(most_at_once(&[]), 0);
    }

    #[test]
    fn a_bar_is_never_empty_and_never_leaves_the_chart() {
        for (at_ms, duration_ms) in [(0, 0), (1000, 0), (999, 1), (0, 1000), (400, 600)] {
            let (from, to) = cells(&bar("a", "ran", at_ms, duration_ms), 1000, 10);
            assert!(from < to && to <= 10, "{at_ms} {duration_ms}: {from} {to}");
        }
    }
}
