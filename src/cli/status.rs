//! `taskr status`: what runs in this workspace now, asked from another terminal.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::args::Status;
use super::out::print;
use super::workspace::Workspace;
use super::{End, json_out};
use crate::error::Error;
use crate::report::{duration, one_line, running};

/// Says what runs; exit code 0 whether or not anything does.
pub(super) fn status(args: &Status, workspace: &Workspace) -> Result<End, Error> {
    let runs = running(&workspace.root);
    let text = match args.json {
        true => format!("{}\n", json!({ "version": json_out::version(), "runs": runs })),
        false if runs.is_empty() => "no task runs here now\n".to_owned(),
        false => runs.iter().map(|run| described(run, unix_ms())).collect(),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// A run and its tasks, a line each. What a line of the file lacks is left empty.
fn described(run: &Value, now_ms: u64) -> String {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let since = |value: &Value| {
        duration(now_ms.saturating_sub(value["started_ms"].as_u64().unwrap_or(now_ms)))
    };
    let count = |name: &str| run["counts"][name].as_u64().unwrap_or(0);
    let ended: u64 = ["fresh", "restored", "ran", "failed", "skipped_or_cancelled"]
        .iter()
        .map(|name| count(name))
        .sum();
    let restored = match count("restored") {
        0 => String::new(),
        restored => format!(" · {restored} restored"),
    };
    let mut lines = format!(
        "{} (process {}) has been running for {}\n \
         [{ended}/{}] {} fresh{restored} · {} ran · {} failed\n",
        text(&run["command"]),
        run["pid"],
        since(run),
        count("tasks"),
        count("fresh"),
        count("ran"),
        count("failed"),
    );
    for task in run["running"].as_array().into_iter().flatten() {
        lines += &format!("  {}  {}\n", text(&task["task"]), since(task));
    }
    for service in run["services"].as_array().into_iter().flatten() {
        lines += &format!("  {}  a service, up for {}\n", text(&service["task"]), since(service));
    }
    lines
}

/// Now, in milliseconds since 1970.
pub(super) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_lines() {
        let run = json!({
            "v": 1, "run": "r", "pid": 7, "command": "taskr -j3", "started_ms": 1_000,
            "counts": {"tasks": 9, "fresh": 2, "ran": 1, "failed": 1, "skipped_or_cancelled": 1},
            "running": [{"task": "obj@a.c", "started_ms": 3_000}],
            "services": [{"task": "db", "started_ms": 2_000}],
        });
        assert_eq!(
            described(&run, 4_200),
            "taskr -j3 (process 7) has been running for 3.2s\n \
             [5/9] 2 fresh · 1 ran · 1 failed\n  obj@a.c  1.2s\n  \
             db  a service, up for 2.2s\n"
        );
    }
}
