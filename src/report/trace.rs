//! Who worked when, for a trace viewer: Chrome's trace event format, as Perfetto and
//! chrome://tracing read it.
//!
//! Knows events, a writer and a clock. Nothing is kept but what runs now: each event is written
//! as it comes, so that a trace that is cut off can still be opened.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufWriter, Write};
use std::time::Instant;

use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use taskr_cache::Digest;

use super::Listener;
use crate::ids::TaskId;
use crate::outcome::{Event, Finish, Reason, Summary, TaskRef};

/// What every trace begins with.
pub const TRACE_HEAD: &str = r#"[
{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"taskr"}}"#;

/// The lane of taskr's own stages.
const OWN: usize = 0;

/// The lane where the sums of the loop stand end to end.
const SUMS: usize = 1;

/// The first lane of tasks.
const FIRST: usize = 2;

/// Writes one trace.
///
/// It is an array of complete events (`ph` is `X`; `ts` and `dur` in microseconds since the
/// process began). A lane (`tid`) is taskr's own stages, or one task at a time: the lowest lane
/// that is free. Events of a lane nest or do not touch. What was up to date has no event.
pub struct Trace<W: Write> {
    to: BufWriter<W>,
    failed: Option<io::Error>,
    zero: Instant,
    lanes: Lanes,
    running: FxHashMap<TaskId, Running>,
    /// When the run finished, and what it came to.
    end: Option<(Instant, Value)>,
}

/// A task that was started and has not ended.
struct Running {
    name: String,
    lane: usize,
    begun: Instant,
    /// When the last of its steps ended.
    step: Option<Instant>,
    attempts: usize,
    reasons: Vec<String>,
    key: Option<Digest>,
}

/// A stretch of a lane.
struct Span<'s> {
    name: &'s str,
    kind: &'static str,
    lane: usize,
    begun: Instant,
    ended: Instant,
}

impl<W: Write> Trace<W> {
    /// Writes to `to`. Times count from `zero`, before which nothing begins.
    pub fn new(to: W, zero: Instant) -> Self {
        let mut trace = Trace {
            to: BufWriter::with_capacity(64 * 1024, to),
            failed: None,
            zero,
            lanes: Lanes::default(),
            running: FxHashMap::default(),
            end: None,
        };
        trace.put(TRACE_HEAD);
        trace.name_lane(OWN, "taskr");
        trace.flush();
        trace
    }

    /// Ends the trace. Tasks that still run end here.
    ///
    /// # Errors
    /// The first write that failed; nothing was written after it.
    pub fn finish(mut self) -> io::Result<()> {
        let now = Instant::now();
        let left: Vec<TaskId> = self.running.keys().copied().collect();
        for id in left {
            self.task_ended(id, "unfinished", now, &Value::Null);
        }
        let (finished, args) = self.end.take().unwrap_or((now, json!({})));
        let own = |name, begun, ended| Span { name, kind: "taskr", lane: OWN, begun, ended };
        self.span(&own("clear up", finished, now), &json!({}));
        self.span(&own("taskr", self.zero, now), &args);
        self.put("\n]\n");
        self.flush();
        self.failed.map_or(Ok(()), Err)
    }

    fn task_started(&mut self, task: &TaskRef<'_>, reasons: &[Reason], key: Option<Digest>) {
        let reasons = reasons.iter().map(ToString::to_string);
        if let Some(again) = self.running.get_mut(&task.id) {
            again.attempts += 1;
            again.reasons.extend(reasons);
            return;
        }
        let (lane, is_new) = self.lanes.take();
        if is_new {
            self.name_lane(FIRST + lane, &format!("tasks {}", lane + 1));
        }
        let name = task.name.to_owned();
        let (begun, reasons) = (Instant::now(), reasons.collect());
        let running = Running { name, lane, begun, step: None, attempts: 1, reasons, key };
        self.running.insert(task.id, running);
    }

    fn task_ended(&mut self, id: TaskId, outcome: &str, now: Instant, exit_code: &Value) {
        let Some(task) = self.running.remove(&id) else { return };
        let Running { name, lane, begun, step, attempts, reasons, key } = task;
        let span = |name, kind, begun| Span { name, kind, lane: FIRST + lane, begun, ended: now };
        let args = json!({
            "outcome": outcome,
            "reasons": reasons,
            "key": key.map(|key| key.to_string()),
            "exit_code": exit_code,
            "attempts": attempts,
        });
        self.span(&span(&name, "task", begun), &args);
        if let Some(step) = step {
            self.span(&span("record", "step", step), &json!({}));
        }
        self.lanes.give_back(lane);
    }

    fn stage(&mut self, name: &str, task: Option<TaskId>, (begun, ended): (Instant, Instant)) {
        let (kind, lane) = match task.map(|id| self.running.get_mut(&id)) {
            None => ("taskr", OWN),
            Some(None) => return,
            Some(Some(task)) => {
                task.step = Some(ended);
                ("step", FIRST + task.lane)
            }
        };
        self.span(&Span { name, kind, lane, begun, ended }, &json!({}));
    }

    fn span(&mut self, span: &Span<'_>, args: &Value) {
        let us = |at: Instant| at.saturating_duration_since(self.zero).as_micros();
        let (begun, ended) = (us(span.begun), us(span.ended));
        let text = format!(
            ",\n{{\"name\":{},\"cat\":\"{}\",\"ph\":\"X\",\"ts\":{begun},\"dur\":{},\"pid\":1,\
             \"tid\":{},\"args\":{args}}}",
            Value::from(span.name),
            span.kind,
            ended.saturating_sub(begun),
            span.lane,
        );
        self.put(&text);
    }

    fn name_lane(&mut self, lane: usize, name: &str) {
        let name = Value::from(name);
        for (what, value) in [
            ("thread_name", format!("{{\"name\":{name}}}")),
            ("thread_sort_index", format!("{{\"sort_index\":{lane}}}")),
        ] {
            self.put(&format!(
                ",\n{{\"name\":\"{what}\",\"ph\":\"M\",\"pid\":1,\"tid\":{lane},\"args\":{value}}}"
            ));
        }
    }

    fn put(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.to.write_all(text.as_bytes()).err();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.to.flush().err();
        }
    }
}

impl<W: Write> Listener for Trace<W> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::TaskStarted { task, reasons, key, .. } => self.task_started(task, reasons, *key),
            Event::TaskRestoring { task, reasons, key, .. } => {
                self.task_started(task, reasons, Some(*key));
            }
            // It was only said that it would start.
            Event::TaskFinished {
                task, finish: Finish::WouldRun | Finish::WouldRestore, ..
            } => {
                if let Some(task) = self.running.remove(&task.id) {
                    self.lanes.give_back(task.lane);
                }
            }
            Event::TaskFinished { task, finish, exit_code, .. } => {
                if self.running.contains_key(&task.id) {
                    let exit_code = Value::from(*exit_code);
                    self.task_ended(task.id, finish.code(), Instant::now(), &exit_code);
                }
            }
            Event::Stage { name, task, begun, ended } => {
                self.stage(name, task.map(|task| task.id), (*begun, *ended));
            }
            Event::Sums { begun, parts } => {
                self.name_lane(SUMS, "taskr's loop, in sums");
                let mut at = *begun;
                for (name, sum) in *parts {
                    let span = Span { name, kind: "sum", lane: SUMS, begun: at, ended: at + *sum };
                    self.span(&span, &json!({}));
                    at = span.ended;
                }
            }
            Event::RunFinished { summary, .. } => {
                self.end = Some((Instant::now(), came_to(summary)));
            }
            Event::RunStarted { .. }
            | Event::TaskReady { .. }
            | Event::ServiceStarted { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceKept { .. }
            | Event::ServiceRestarts { .. }
            | Event::ServiceEnded { .. }
            | Event::TaskOutput { .. }
            | Event::TaskRetrying { .. }
            | Event::TaskRolledBack { .. }
            | Event::TerminalGiven { .. }
            | Event::Waiting { .. }
            | Event::Woken { .. }
            | Event::Warning { .. } => {}
        }
    }
}

fn came_to(summary: &Summary) -> Value {
    let counts = &summary.counts;
    json!({
        "tasks": counts.tasks, "fresh": counts.fresh, "restored": counts.restored,
        "ran": counts.ran, "failed": counts.failed, "skipped": counts.skipped, "cancelled": counts.cancelled,
        "jobs": summary.jobs, "dry_run": summary.dry_run, "signal": summary.signal,
    })
}

/// Which lanes are free.
#[derive(Default)]
struct Lanes {
    free: BinaryHeap<Reverse<usize>>,
    made: usize,
}

impl Lanes {
    /// The lowest free lane, and whether it is a new one.
    fn take(&mut self) -> (usize, bool) {
        if let Some(Reverse(lane)) = self.free.pop() {
            return (lane, false);
        }
        self.made += 1;
        (self.made - 1, true)
    }

    fn give_back(&mut self, lane: usize) {
        self.free.push(Reverse(lane));
    }
}
