//! Events as JSON lines, for programs.
//!
//! Knows the events and a writer. The format is [`Json`]'s; fields are only added within a
//! version.

mod parts;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::Listener;
use super::sink::Sink;
use crate::ids::Id;
use crate::outcome::{
    Checkup, Counts, Edit, Event, PipelineEnd, Step, Summary, TaskRef, gates_json,
};

use parts::{base64, bytes, failed, output, reason, selected, skipped, timed_out};

/// What every stream of events begins with, in each version.
pub const EVENTS_HEAD: &str = "{\"v\":";

/// Version of the format: `v` on every line.
pub const EVENTS_VERSION: u64 = 1;

/// Writes one JSON object a line, flushed after each event.
///
/// Every line begins with:
///
/// | field | type | meaning |
/// | --- | --- | --- |
/// | `v` | number | version of this format: 1 |
/// | `event` | string | which of those below |
/// | `run` | string | names the run |
///
/// and if it is about a task, goes on with:
///
/// | field | type | meaning |
/// | --- | --- | --- |
/// | `task` | string | its name; bytes that are no text and control characters as `%XX` |
/// | `task_id` | number | its number in this run |
///
/// *bytes* is a string if they are UTF-8, else `{"base64": string}` (RFC 4648 with padding), so
/// that nothing is lost. `null` stands where there is nothing to tell. Times (`at_ms`) are
/// milliseconds since the run began.
///
/// | event | field | type | meaning |
/// | --- | --- | --- | --- |
/// | `run_started` | `wanted` | strings | the targets asked for |
/// | | `tasks` | number | tasks in the plan, groups left out, and services that only others need |
/// | | `jobs` | number | how many may run at once |
/// | | `dry_run` | bool | nothing will be changed |
/// | | `changes` | object, null | only what these can reach is built: `by` (strings: the options that chose them), `files` (number) |
/// | `task_ready` | | | all that the task needs is done |
/// | `task_started` | `reasons` | objects | why it runs, never empty: `code` (string, stable), `path` (bytes or null), `text` (string, for people) |
/// | | `key` | string, null | what it would be recorded under: hex digest; null in a dry run and for unrecorded tasks |
/// | | `command` | string | the command for people |
/// | | `at_ms` | number | |
/// | `task_restoring` | `reasons` | objects | why it is not up to date, as in `task_started`; its outputs are being brought from the store. If that fails, `task_started` follows |
/// | | `key` | string | what it is stored under: hex digest |
/// | | `at_ms` | number | |
/// | `task_output` | `text` | string | a piece of output as it came, up to 64 KiB, if it is UTF-8; of a restored task, as it once came |
/// | | `base64` | string | the same, if it is not; each line has one of both |
/// | `task_retrying` | `failure` | string | an attempt failed, by this; another follows after the wait |
/// | | `exit_code` | number, null | of the command, if it ended by itself |
/// | | `duration_ms` | number | of the command |
/// | | `attempt` | number | which one, from 1 |
/// | | `left` | number | how many may still follow |
/// | | `wait_ms` | number | until the next |
/// | | `at_ms` | number | |
/// | `task_finished` | `outcome` | string | `group`, `fresh`, `restored`, `ran`, `would_run`, `would_restore`, `failed`, `unstable`, `skipped` or `cancelled` |
/// | | `duration_ms` | number | of the command; 0 if none ran |
/// | | `saved_ms` | number, null | of a restored task: how long its command once ran, less what restoring took |
/// | | `exit_code` | number, null | of the command, if it ended by itself |
/// | | `attempts` | number | how often its command was started |
/// | | `retries` | number | how many of them failed and were followed by another |
/// | | `allowed` | bool | it failed, and that is no harm |
/// | | `timed_out` | bool | its last attempt took longer than its `timeout` |
/// | | `outputs` | objects | output files: `path` (bytes), `size_bytes` (number), `digest` (hex string, blake3) |
/// | | `fixed` | bytes | inputs that it changed, if it is a formatter; also if it failed |
/// | | `metrics` | object, null | the numbers that its command wrote to `$TASKR_METRICS`, by name; null, as the next two, if none ran |
/// | | `accept` | object, null | its acceptance tests: `run` and `passed` (numbers), `failed` (string, null: the one that failed) |
/// | | `gates` | objects, null | its gates: `name` and `must` (strings: `>= 95`), `value` (number, null if there was none), `passed` (bool) |
/// | | `log` | bytes, null | absolute path of its whole output |
/// | | `failure` | object, null | `what` (string), `command` (string), `tail` (bytes: the last lines of output), `log` (bytes: relative to the workspace); `place` (object, null: `file`, `line` and `column` of what is wrong in the Taskfile), `help` (string, null: what to write instead) |
/// | | `because` | object, null | of a skipped task: `code` (`needs`: what it needs failed; `failure`: stopped after one; `signal`; `timeout`: of the run; `when`: its `when` is false, which is no failure), `task` (string, null: what failed of what it needs), `text` (string, for people) |
/// | | `at_ms` | number | |
/// | `service_started` | `command` | string | a service starts: the command for people |
/// | | `named` | bool | it was asked for by name, and stays until Ctrl-C |
/// | | `at_ms` | number | |
/// | `service_kept` | `named` | bool | `taskr watch`: a service is up since an earlier run |
/// | `service_restarts` | `at_ms` | number | `taskr watch`: what it is made of has changed; it ends, and starts anew |
/// | `service_ready` | `after_ms` | number | what needs it may start; how long that took |
/// | | `named` | bool | as in `service_started` |
/// | | `at_ms` | number | |
/// | `service_ended` | `exit_code` | number, null | it is gone. Its `task_finished` follows if it failed or was asked for by name |
/// | | `duration_ms` | number | how long it was up |
/// | | `at_ms` | number | |
/// | `task_rolled_back` | `duration_ms` | number | of the command that undid it, because its pipeline failed |
/// | | `failure` | object, null | why that failed, as in `task_finished` |
/// | | `at_ms` | number | |
/// | `waiting` | `files` | number | `taskr watch` waits: so many files are looked at |
/// | | `folders` | number | in so many folders |
/// | `woken` | `edits` | objects | something changed, and another run begins: `path` (bytes), `how` (`changed`, `new` or `gone`) |
/// | `warning` | `message` | string | one sentence; `task` and `task_id` only if it is about one |
/// | `run_finished` | `counts` | object | tasks by how they ended, groups left out, and services that only others need, unless they failed: `tasks`, `fresh`, `restored` and `ran` (in a dry run: would be), `failed`, `skipped`, `cancelled` |
/// | | `wall_ms` | number | from start to end |
/// | | `work_ms` | number | sum of the durations of what ran, each attempt included, a process that tasks shared once |
/// | | `critical_path` | objects | longest chain of tasks that ran, first to last: `task` (string), `duration_ms` (number: from its first start to its end, repeated attempts and shared processes included) |
/// | | `speedup` | number, null | `work_ms` by `wall_ms`; null if no command ran |
/// | | `jobs` | number | how many could run at once |
/// | | `dry_run` | bool | nothing was changed |
/// | | `signal` | number, null | the signal that ended the run |
/// | | `allowed` | number | how many of those that failed may |
/// | | `retries` | number | how many attempts failed and were followed by another |
/// | | `timed_out` | object, null | the run took longer than it may: `after_ms` (number), `running` (strings: the tasks that were at work) |
/// | | `saved_ms` | number | sum of `saved_ms` of what was restored |
/// | | `unstable` | number | how many failed because their inputs kept changing |
/// | | `services` | number | services that stay up behind the run, as under `taskr watch` they do |
/// | | `restage` | bytes | files that formatters with `restage` changed |
/// | | `checks` | object | of all tasks: `accept_run` and `accepted` (numbers: acceptance tests that were run, and passed), `gates_checked` and `gates_passed` (numbers; those of the run included) |
/// | | `gates` | objects | the run's own gates, as in `task_finished` |
/// | | `pipelines` | objects | those that were asked for: `name` (string), `tasks`, `succeeded` and `required` (numbers: how many tasks its steps have, succeeded, and had to), `fine` (bool: enough did), `rolled_back` and `not_rolled_back` (strings: tasks in that order) |
/// | | `exit_code` | number | of the program, unless a signal ended it |
pub struct Json<W: Write> {
    to: Sink<W>,
    run_id: String,
}

impl<W: Write> Json<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Self {
        Json { to: Sink::new(to), run_id: String::new() }
    }

    /// Whether a write failed; nothing was written since.
    #[cfg(test)]
    fn broken(&self) -> bool {
        self.to.broken()
    }

    /// The line of one event; none for times of stages, which are no part of the format.
    fn line(&self, event: &Event<'_>) -> Option<Line> {
        let begin = |name| Line::new(name, &self.run_id);
        Some(match event {
            Event::Stage { .. } | Event::Sums { .. } | Event::TerminalGiven { .. } => return None,
            Event::RunStarted { wanted, tasks, jobs, dry_run, changes, .. } => begin("run_started")
                .with("wanted", *wanted)
                .with("tasks", *tasks)
                .with("jobs", *jobs)
                .with("dry_run", *dry_run)
                .with("changes", changes.map(selected)),
            Event::TaskReady { task } => begin("task_ready").task(task),
            Event::TaskStarted { task, reasons, key, command, at_ms } => begin("task_started")
                .task(task)
                .with("reasons", reasons.iter().map(reason).collect::<Vec<_>>())
                .with("key", key.map(|key| key.to_string()))
                .with("command", *command)
                .with("at_ms", *at_ms),
            Event::TaskRestoring { task, reasons, key, at_ms } => begin("task_restoring")
                .task(task)
                .with("reasons", reasons.iter().map(reason).collect::<Vec<_>>())
                .with("key", key.to_string())
                .with("at_ms", *at_ms),
            Event::TaskOutput { task, bytes } => piece(begin("task_output").task(task), bytes),
            Event::TaskRetrying { .. } => retrying(begin("task_retrying"), event),
            Event::TaskFinished { .. } => finished(begin("task_finished"), event),
            Event::TaskRolledBack { task, duration_ms, failure, at_ms } => {
                begin("task_rolled_back")
                    .task(task)
                    .with("duration_ms", *duration_ms)
                    .with("failure", failure.map(failed))
                    .with("at_ms", *at_ms)
            }
            Event::ServiceStarted { .. }
            | Event::ServiceKept { .. }
            | Event::ServiceRestarts { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceEnded { .. } => return self.service_line(event),
            Event::Warning { task, message } => {
                let line = begin("warning");
                let line = task.iter().fold(line, Line::task);
                line.with("message", *message)
            }
            Event::RunFinished { summary, .. } => run_finished(begin("run_finished"), summary),
            Event::Waiting { files, folders } => {
                begin("waiting").with("files", *files).with("folders", *folders)
            }
            Event::Woken { edits } => {
                begin("woken").with("edits", edits.iter().map(edited).collect::<Vec<_>>())
            }
        })
    }
}

fn edited(edit: &Edit) -> Value {
    json!({ "path": bytes(&edit.path), "how": edit.code() })
}

impl<W: Write> Json<W> {
    /// The line of an event about a service.
    fn service_line(&self, event: &Event<'_>) -> Option<Line> {
        let begin = |name, task| Line::new(name, &self.run_id).task(task);
        Some(match event {
            Event::ServiceStarted { task, command, named, at_ms } => begin("service_started", task)
                .with("command", *command)
                .with("named", *named)
                .with("at_ms", *at_ms),
            Event::ServiceKept { task, named } => begin("service_kept", task).with("named", *named),
            Event::ServiceRestarts { task, at_ms } => {
                begin("service_restarts", task).with("at_ms", *at_ms)
            }
            Event::ServiceReady { task, after_ms, named, at_ms } => begin("service_ready", task)
                .with("after_ms", *after_ms)
                .with("named", *named)
                .with("at_ms", *at_ms),
            Event::ServiceEnded { task, exit_code, duration_ms, at_ms } => {
                begin("service_ended", task)
                    .with("exit_code", *exit_code)
                    .with("duration_ms", *duration_ms)
                    .with("at_ms", *at_ms)
            }
            _ => return None,
        })
    }
}

impl<W: Write> Listener for Json<W> {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::RunStarted { run_id, .. } = event {
            self.run_id = (*run_id).to_owned();
        }
        let Some(line) = self.line(event) else { return };
        self.to.line(&line.end());
        self.to.flush();
    }
}

/// An object in the making. Its fields keep their order, which a map of the JSON library would
/// not.
struct Line(String);

impl Line {
    fn new(event: &str, run_id: &str) -> Line {
        Line(format!("{{\"v\":{EVENTS_VERSION}")).with("event", event).with("run", run_id)
    }

    /// Adds a field. Names are ours and need no escapes.
    fn with(mut self, name: &str, value: impl Into<Value>) -> Line {
        self.0 += &format!(",\"{name}\":{}", value.into());
        self
    }

    fn task(self, task: &TaskRef<'_>) -> Line {
        self.with("task", task.name).with("task_id", task.id.index())
    }

    fn end(self) -> String {
        self.0 + "}"
    }
}

/// A piece of output, in the one way or the other.
fn piece(line: Line, bytes: &[u8]) -> Line {
    match std::str::from_utf8(bytes) {
        Ok(text) => line.with("text", text),
        Err(_) => line.with("base64", base64(bytes)),
    }
}

/// The fields of `task_retrying`.
fn retrying(line: Line, event: &Event<'_>) -> Line {
    let Event::TaskRetrying { task, what, exit_code, duration_ms, attempt, left, wait_ms, at_ms } =
        event
    else {
        return line;
    };
    line.task(task)
        .with("failure", *what)
        .with("exit_code", *exit_code)
        .with("duration_ms", *duration_ms)
        .with("attempt", *attempt)
        .with("left", *left)
        .with("wait_ms", *wait_ms)
        .with("at_ms", *at_ms)
}

/// The fields of `task_finished`.
fn finished(line: Line, event: &Event<'_>) -> Line {
    let Event::TaskFinished {
        task,
        finish,
        duration_ms,
        saved_ms,
        exit_code,
        course,
        outputs,
        fixed,
        checkup,
        log,
        failure,
        because,
        at_ms,
    } = event
    else {
        return line;
    };
    line.task(task)
        .with("outcome", finish.code())
        .with("duration_ms", *duration_ms)
        .with("saved_ms", *saved_ms)
        .with("exit_code", *exit_code)
        .with("attempts", course.attempts)
        .with("retries", course.retries)
        .with("timed_out", course.timed_out)
        .with("allowed", course.allowed)
        .with("outputs", outputs.iter().map(output).collect::<Vec<_>>())
        .with("fixed", fixed.iter().map(|path| bytes(path)).collect::<Vec<_>>())
        .with("metrics", checkup.map(Checkup::metrics_json))
        .with("accept", checkup.map(Checkup::accept_json))
        .with("gates", checkup.map(|checkup| gates_json(&checkup.gates)))
        .with("log", log.map(|path| bytes(path.as_os_str().as_bytes())))
        .with("failure", failure.map(failed))
        .with("because", because.map(skipped))
        .with("at_ms", *at_ms)
}

fn run_finished(line: Line, summary: &Summary) -> Line {
    let Counts { tasks, fresh, restored, ran, failed, skipped, cancelled } = summary.counts;
    let checks = &summary.checks;
    let step = |step: &Step| json!({ "task": step.task, "duration_ms": step.duration_ms });
    line.with(
        "counts",
        json!({
            "tasks": tasks, "fresh": fresh, "restored": restored, "ran": ran,
            "failed": failed, "skipped": skipped, "cancelled": cancelled,
        }),
    )
    .with("wall_ms", summary.wall_ms)
    .with("work_ms", summary.work_ms)
    .with("critical_path", summary.critical_path.iter().map(step).collect::<Vec<_>>())
    .with("speedup", summary.speedup())
    .with("jobs", summary.jobs)
    .with("dry_run", summary.dry_run)
    .with("signal", summary.signal)
    .with("allowed", summary.forgiven.failed)
    .with("retries", summary.retries)
    .with("timed_out", summary.timed_out.as_ref().map(timed_out))
    .with("unstable", summary.unstable)
    .with("saved_ms", summary.saved_ms)
    .with("services", summary.services)
    .with("restage", summary.restage.iter().map(|path| bytes(path)).collect::<Vec<_>>())
    .with(
        "checks",
        json!({
            "accept_run": checks.accept_run, "accepted": checks.accepted,
            "gates_checked": checks.gates_checked, "gates_passed": checks.gates_passed,
        }),
    )
    .with("gates", gates_json(&summary.gates))
    .with("pipelines", summary.pipelines.iter().map(PipelineEnd::to_json).collect::<Vec<_>>())
    .with("exit_code", summary.exit_code())
}
