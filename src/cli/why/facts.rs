//! What is known of each task: what the dry run said, and what earlier runs left written.

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::super::runs::{began_ms, read_json};
use crate::ids::{IdVec, TaskId};
use crate::outcome::{Cause, Event, Finish, Reason, Record};
use crate::run::{Attempt, Judged};

/// What the dry run said of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: it is a group, or not needed.
    #[default]
    Nothing,
    Fresh,
    /// It would run: why, and with which command.
    WouldRun(Vec<Reason>, String),
    /// It would be restored from the store: why it is not up to date.
    WouldRestore(Vec<Reason>),
    /// It cannot be judged, because of this.
    Failed(String),
    /// What it needs cannot be judged.
    Skipped,
    /// It is skipped: its `when` is false.
    WhenFalse(String),
}

/// What the dry run says, as it says it. Warnings are passed on.
#[derive(Debug, Default)]
pub(super) struct Heard {
    said: IdVec<TaskId, Said>,
}

impl Heard {
    pub(super) fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::TaskStarted { task, reasons, command, .. } => {
                self.put(task.id, Said::WouldRun(reasons.to_vec(), (*command).to_owned()));
            }
            Event::TaskRestoring { task, reasons, .. } => {
                self.put(task.id, Said::WouldRestore(reasons.to_vec()));
            }
            Event::TaskFinished { task, finish: Finish::Fresh, .. } => {
                self.put(task.id, Said::Fresh);
            }
            Event::TaskFinished { task, finish: Finish::Skipped, .. } => {
                self.put(task.id, Said::Skipped);
            }
            Event::TaskFinished {
                task, finish: Finish::WhenFalse, because: Some(because), ..
            } => {
                self.put(task.id, Said::WhenFalse(because.to_string()));
            }
            Event::TaskFinished { task, failure: Some(failure), .. } => {
                self.put(task.id, Said::Failed(failure.what.clone()));
            }
            Event::Warning { message, .. } => {
                let _ = writeln!(std::io::stderr(), "warning: {message}");
            }
            _ => {}
        }
    }

    fn put(&mut self, id: TaskId, said: Said) {
        use crate::ids::Id;
        self.said.grow(id.index() + 1);
        self.said[id] = said;
    }
}

/// What an earlier run left written of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Which run it was.
    pub(super) run: String,
    /// `ran`, `failed`, …
    pub(super) outcome: String,
    /// What went wrong, if it failed.
    pub(super) failure: Option<String>,
    pub(super) because: Vec<Cause>,
    /// Reasons in all; some may not be kept.
    pub(super) reasons: usize,
}

impl Kept {
    /// Whether outputs came of it.
    pub(super) fn succeeded(&self) -> bool {
        matches!(&*self.outcome, "ran" | "restored")
    }

    fn from_json(value: &Value, run: &str) -> Option<Kept> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let because = value.get("because")?.as_array()?;
        let because: Vec<Cause> = because.iter().filter_map(Cause::from_json).collect();
        let reasons = value.get("reasons").and_then(Value::as_u64);
        Some(Kept {
            run: run.to_owned(),
            outcome: text("outcome")?,
            failure: text("failure"),
            reasons: reasons
                .map_or(0, |count| usize::try_from(count).unwrap_or(0))
                .max(because.len()),
            because,
        })
    }
}

/// All facts that an explanation stands on.
pub(super) struct Facts {
    pub(super) judged: Judged,
    said: IdVec<TaskId, Said>,
    /// Files of runs that were read, newest last.
    runs: std::cell::RefCell<Vec<(String, Option<Value>)>>,
}

impl Facts {
    pub(super) fn new(judged: Judged, heard: Heard) -> Facts {
        let mut said = heard.said;
        said.grow(judged.graph.tasks().len());
        Facts { judged, said, runs: std::cell::RefCell::default() }
    }

    pub(super) fn said(&self, id: TaskId) -> &Said {
        &self.said[id]
    }

    pub(super) fn name(&self, id: TaskId) -> &str {
        self.judged.graph.name(id)
    }

    /// What the last run of a task left written.
    pub(super) fn last(&self, id: TaskId) -> Option<Kept> {
        let value = read_json(&self.path(&self.judged.folder(id).join("result.json")))?;
        let run = value.get("run")?.as_str()?.to_owned();
        Kept::from_json(&value, &run)
    }

    /// What a task did in this run, or in the last one before it.
    pub(super) fn kept_by(&self, id: TaskId, run: &str) -> Option<Kept> {
        let last = self.last(id);
        if last.as_ref().is_some_and(|kept| began_ms(&kept.run) <= began_ms(run)) {
            return last;
        }
        let mut runs = self.runs.borrow_mut();
        if runs.iter().all(|(known, _)| known != run) {
            let is_id = run.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            let path = format!("{}/runs/{run}.json", crate::outdir::STATE_DIR);
            let read = if is_id { read_json(&self.path(path.as_bytes())) } else { None };
            runs.push((run.to_owned(), read));
        }
        let (_, file) = runs.iter().find(|(known, _)| known == run)?;
        let tasks = file.as_ref()?.get("tasks")?.as_array()?;
        let name = self.name(id);
        let task = tasks.iter().find(|task| task.get("task").and_then(Value::as_str) == Some(name));
        Kept::from_json(task?, run)
    }

    /// The causes for which a task would run, with all that its record knows of them.
    pub(super) fn causes(&self, id: TaskId, reasons: &[Reason], command: &str) -> Vec<Cause> {
        let record = self.judged.record(id);
        let old = record.as_ref().map(|record: &Record| &record.manifest);
        reasons
            .iter()
            .map(|reason| self.with_maker(id, reason, Cause::of(reason, old, command)))
            .collect()
    }

    /// The same without the record, which costs time.
    pub(super) fn plain_causes(&self, id: TaskId, reasons: &[Reason]) -> Vec<Cause> {
        reasons
            .iter()
            .map(|reason| self.with_maker(id, reason, Cause::of(reason, None, "")))
            .collect()
    }

    fn with_maker(&self, id: TaskId, reason: &Reason, mut cause: Cause) -> Cause {
        match reason {
            Reason::Input(path, _) | Reason::Found(path, _) => {
                let maker = self.judged.maker_of(path).filter(|&maker| maker != id);
                cause.task = maker.map(|maker| self.name(maker).to_owned());
            }
            Reason::Unfinished => cause.text = self.unfinished(id),
            _ => {}
        }
        cause
    }

    /// What became of the last attempt, in words.
    fn unfinished(&self, id: TaskId) -> String {
        let failure = self.last_failure(id);
        match (self.attempt(id), failure) {
            (None, Some(failure)) => format!("its last run failed: {failure}"),
            (Some(Attempt::BrokenOff), _) => "its last run was broken off".to_owned(),
            _ => Reason::Unfinished.to_string(),
        }
    }

    /// How the last run of a task failed, if it did.
    pub(super) fn last_failure(&self, id: TaskId) -> Option<String> {
        self.last(id).filter(|kept| !kept.succeeded())?.failure
    }

    /// Whether the task is at work now, or was broken off.
    pub(super) fn attempt(&self, id: TaskId) -> Option<Attempt> {
        self.judged.attempt(id, || self.last(id).map(|kept| kept.run))
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        self.judged.root.absolute(path)
    }
}
