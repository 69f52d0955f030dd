//! `taskr stats`: how much time commands took and results saved: in this workspace by what its runs
//! left written, in the store by its own totals. Changes nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use taskr_cache::{Admin, Info};

use super::End;
use super::amounts::count;
use super::args::Stats;
use super::cache::lifetime;
use super::json_out::version;
use super::out::print;
use super::runs::{began_ms, files, read_json};
use super::status::unix_ms;
use super::user;
use super::workspace::Workspace;
use crate::error::Error;
use crate::report::{duration, one_line};

/// What is counted; runs leave what they write for as long.
const DAYS: u64 = 7;
const DAY_MS: u64 = 86_400_000;

/// So many targets are told; JSON has all.
const MOST_SHOWN: usize = 5;

/// The runs of this workspace in numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    runs: u64,
    ran: u64,
    restored: u64,
    failed: u64,
    wall_ms: u64,
    work_ms: u64,
    saved_ms: u64,
    targets: BTreeMap<String, OfTarget>,
}

/// What the tasks of one target took.
#[derive(Debug, Default, PartialEq, Eq)]
struct OfTarget {
    times: u64,
    work_ms: u64,
    longest_ms: u64,
}

pub(super) fn stats(args: &Stats, workspace: &Workspace) -> Result<End, Error> {
    let mut totals = Totals::default();
    for run in runs(&workspace.root) {
        totals.add(&run);
    }
    let store = store()?;
    let text = match args.json {
        true => format!("{:#}\n", as_json(&totals, store.as_ref())),
        false => as_text(&totals, store.as_ref()),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// Where the store is and its totals; none if there is no place for one. That it cannot be read
/// is told on stderr.
fn store() -> Result<Option<(PathBuf, Info)>, Error> {
    let Some(at) = user::place()? else { return Ok(None) };
    match Admin::new(&at.dir, at.limit_bytes).info() {
        Ok(info) => Ok(Some((at.dir, info))),
        Err(error) => {
            let dir = at.dir.display();
            let _ = writeln!(std::io::stderr(), "warning: cannot read the store {dir}: {error}");
            Ok(None)
        }
    }
}

/// What the runs of the last days left written. A file that cannot be read is left out.
fn runs(root: &Path) -> Vec<Value> {
    let since_ms = unix_ms().saturating_sub(DAYS * DAY_MS);
    let recent = files(root).into_iter().filter(|(run, _)| began_ms(run) >= since_ms);
    recent.filter_map(|(_, path)| read_json(&path)).collect()
}

impl Totals {
    fn add(&mut self, run: &Value) {
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let counts = &run["counts"];
        self.runs += 1;
        self.ran += number(&counts["ran"]);
        self.restored += number(&counts["restored"]);
        self.failed += number(&counts["failed"]);
        self.wall_ms += number(&run["wall_ms"]);
        self.work_ms += number(&run["work_ms"]);
        self.saved_ms += number(&run["saved_ms"]);
        for task in run["tasks"].as_array().into_iter().flatten() {
            let (Some(name), took_ms) = (task["task"].as_str(), number(&task["duration_ms"]))
            else {
                continue;
            };
            if task["outcome"] == "restored" {
                continue;
            }
            let (target, _) = crate::parse::split_pick(name);
            let of = self.targets.entry(target.to_owned()).or_default();
            of.times += 1;
            of.work_ms += took_ms;
            of.longest_ms = of.longest_ms.max(took_ms);
        }
    }

    /// The slowest first.
    fn slowest(&self) -> Vec<(&str, &OfTarget)> {
        let mut all: Vec<(&str, &OfTarget)> =
            self.targets.iter().map(|(name, of)| (name.as_str(), of)).collect();
        all.sort_by_key(|(_, of)| std::cmp::Reverse(of.work_ms));
        all
    }
}

fn times(number: u64, one: &str, many: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), one, many)
}

fn as_text(totals: &Totals, store: Option<&(PathBuf, Info)>) -> String {
    let mut text = format!("here, in the last {DAYS} days: ");
    if totals.runs == 0 {
        text.push_str("no run that ran or restored anything\n");
    } else {
        text.push_str(&format!(
            "{} with something to do, {}\n  ran {}: spent {}\n  restored {}: saved {}\n",
            times(totals.runs, "run", "runs"),
            duration(totals.wall_ms),
            times(totals.ran + totals.failed, "task", "tasks"),
            duration(totals.work_ms),
            times(totals.restored, "task", "tasks"),
            duration(totals.saved_ms),
        ));
        if totals.failed > 0 {
            text.push_str(&format!("  failed: {}\n", times(totals.failed, "task", "tasks")));
        }
    }
    let slowest = totals.slowest();
    if !slowest.is_empty() {
        text.push_str("slowest targets:\n");
    }
    for (name, of) in slowest.into_iter().take(MOST_SHOWN) {
        text.push_str(&format!(
            "  {}: {} in {}, {} at most\n",
            one_line(name),
            duration(of.work_ms),
            times(of.times, "task", "tasks"),
            duration(of.longest_ms)
        ));
    }
    if let Some((dir, info)) = store {
        text.push_str(&format!("the store, since it was made: {}\n", lifetime(info)));
        text.push_str(&format!("  {}\n", dir.display()));
    }
    text
}

fn as_json(totals: &Totals, store: Option<&(PathBuf, Info)>) -> Value {
    let targets = totals.slowest().into_iter().map(|(name, of)| {
        json!({
            "target": name,
            "times": of.times,
            "work_ms": of.work_ms,
            "longest_ms": of.longest_ms,
        })
    });
    let store = store.map(|(dir, info)| {
        json!({
            "dir": dir.display().to_string(),
            "hits": info.hits,
            "stored": info.stored,
            "saved_ms": info.saved_ms,
            "spent_ms": info.spent_ms,
        })
    });
    json!({
        "version": version(),
        "workspace": {
            "days": DAYS,
            "runs": totals.runs,
            "ran": totals.ran,
            "restored": totals.restored,
            "failed": totals.failed,
            "wall_ms": totals.wall_ms,
            "work_ms": totals.work_ms,
            "saved_ms": totals.saved_ms,
            "targets": targets.collect::<Vec<_>>(),
        },
        "store": store,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up_by_target() {
        let task = |task: &str, outcome: &str, ms: u64| json!({ "task": task, "outcome": outcome, "duration_ms": ms });
        let run = json!({
            "wall_ms": 500, "work_ms": 700, "saved_ms": 90,
            "counts": { "ran": 2, "restored": 1, "failed": 1 },
            "tasks": [
                task("obj@a.c", "ran", 300),
                task("obj@b.c", "failed", 100),
                task("app", "ran", 300),
                task("doc", "restored", 0),
            ],
        });
        let mut totals = Totals::default();
        totals.add(&run);
        totals.add(&run);
        totals.add(&json!("not a run"));
        assert_eq!((totals.runs, totals.ran, totals.failed), (3, 4, 2));
        let slowest: Vec<(&str, u64, u64)> =
            totals.slowest().iter().map(|(name, of)| (*name, of.work_ms, of.longest_ms)).collect();
        assert_eq!(slowest, [("obj", 800, 300), ("app", 600, 300)]);
        let text = as_text(&totals, None);
        assert!(
            text.contains("  ran 6 tasks: spent 1.4s\n  restored 2 tasks: saved 0.2s\n"),
            "{text}"
        );
        assert!(text.ends_with("  app: 0.6s in 2 tasks, 0.3s at most\n"), "{text}");
    }
}
