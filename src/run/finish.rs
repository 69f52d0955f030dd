//! A task leaves the run: counted, told, written down for scripts, and the plan goes on.

use taskr_cache::{Content, Digest};

use super::date::{unix_ms, utc};
use super::gather::Gathered;
use super::pipelines::Loss;
use super::retry::Tried;
use super::spent::Part;
use super::tally::Took;
use super::{Build, Done, Running};
use crate::error::Diagnostic;
use crate::files::Look;
use crate::ids::TaskId;
use crate::outcome::{
    Because, Cause, Course, Event, Failure, Finish, Reason, Summary, TaskRef, gates_json, shown,
};
use crate::record;
use crate::workers::{Ended, Job, Message, Result as Outcome};

/// Reasons that a task's own file keeps of a run.
const MOST_KEPT: usize = 20;
/// Reasons that the run's file keeps of a task, and those that are told in a line.
const MOST_TOLD: usize = 5;

/// How a started task leaves the run.
pub(super) struct End<'e> {
    pub(super) finish: Finish,
    /// What the worker said, if its command ran.
    pub(super) ended: Option<&'e Ended>,
    failure: Option<&'e Failure>,
    because: Option<Because<'e>>,
    pub(super) running: Option<&'e Running>,
    saved_ms: Option<u64>,
    /// What it lacks is no harm.
    pub(super) softly: bool,
}

impl<'e> End<'e> {
    /// Whether it did not succeed.
    pub(super) fn is_bad(&self) -> bool {
        matches!(
            self.finish,
            Finish::Failed | Finish::Unstable | Finish::Skipped | Finish::Cancelled
        )
    }

    /// It did not run.
    pub(super) fn without_run(finish: Finish) -> End<'e> {
        let (ended, failure, because, running) = (None, None, None, None);
        End { finish, ended, failure, because, running, saved_ms: None, softly: false }
    }

    /// It will not start.
    pub(super) fn skipped(because: Because<'e>) -> End<'e> {
        End { because: Some(because), ..End::without_run(Finish::Skipped) }
    }

    /// Its `when`, this expression, is false.
    pub(super) fn when_false(when: &'e str) -> End<'e> {
        End { because: Some(Because::When(when)), ..End::without_run(Finish::WhenFalse) }
    }

    /// It will not start, because of what did not succeed without harm.
    pub(super) fn skipped_softly(because: Because<'e>) -> End<'e> {
        End { softly: true, ..End::skipped(because) }
    }

    /// taskr ended it.
    pub(super) fn stopped(ended: &'e Ended, running: &'e Running) -> End<'e> {
        let running = Some(running);
        End { ended: Some(ended), running, ..End::without_run(Finish::Cancelled) }
    }

    /// It was restored, which saved so much, in milliseconds.
    pub(super) fn restored(ended: &'e Ended, running: &'e Running, saved_ms: u64) -> End<'e> {
        let (ended, running) = (Some(ended), Some(running));
        End { ended, running, saved_ms: Some(saved_ms), ..End::without_run(Finish::Restored) }
    }

    /// It ran and succeeded.
    pub(super) fn ran(ended: &'e Ended, running: &'e Running) -> End<'e> {
        let (ended, running) = (Some(ended), Some(running));
        End { ended, running, ..End::without_run(Finish::Ran) }
    }

    /// What it took, all attempts included, as far as it was not counted before.
    fn took(&self) -> Took {
        let Some(ended) = self.ended else { return Took::default() };
        let last_ms = ended.shared_ms.unwrap_or(ended.duration_ms);
        let before_ms = self.running.map_or(0, |running| {
            let first = running.due.tries.begun_ms.unwrap_or(running.begun_ms);
            running.begun_ms.saturating_sub(first)
        });
        Took { work_ms: ended.duration_ms + ended.in_vain_ms, time_ms: before_ms + last_ms }
    }

    /// How it came to its end.
    fn course(&self) -> Course {
        let tries = self.running.filter(|running| running.due.hit.is_none());
        Course {
            attempts: tries.map_or(0, |running| running.due.tries.attempt()),
            retries: self.running.map_or(0, |running| running.due.tries.failed.len()),
            timed_out: self.ended.is_some_and(|ended| ended.timed_out),
            allowed: false,
        }
    }

    /// The attempts before the last, for scripts.
    fn failed_attempts(&self) -> Vec<serde_json::Value> {
        let failed = self.running.map_or(&[][..], |running| &running.due.tries.failed);
        let one = |tried: &Tried| {
            serde_json::json!({
                "failure": tried.what,
                "exit_code": tried.exit_code,
                "duration_ms": tried.duration_ms,
            })
        };
        failed.iter().map(one).collect()
    }

    /// It ran and did not succeed.
    pub(super) fn failed(
        finish: Finish,
        ended: &'e Ended,
        failure: &'e Failure,
        running: &'e Running,
    ) -> End<'e> {
        let (ended, failure, running) = (Some(ended), Some(failure), Some(running));
        End { ended, failure, running, ..End::without_run(finish) }
    }
}

impl Build<'_> {
    pub(super) fn is_fresh(&mut self, id: TaskId, gathered: Gathered) {
        let record = gathered.record.map(|record| (record.outputs, record.key));
        let (outputs, key) = record.unzip();
        self.done[id] = Done::fresh(outputs.unwrap_or_default(), key);
        self.end(id, &End::without_run(Finish::Fresh));
    }

    pub(super) fn would_run(&mut self, id: TaskId, reasons: &[Reason], command: &str) {
        self.done[id].would_run = true;
        let at_ms = self.now_ms();
        let task = TaskRef { id, name: self.graph.name(id) };
        (self.listener)(&Event::TaskStarted { task, reasons, key: None, command, at_ms });
        self.end(id, &End::without_run(Finish::WouldRun));
    }

    /// What it declares is not there, so it cannot be judged.
    pub(super) fn cannot_be_judged(&mut self, id: TaskId, wrong: Box<Diagnostic>) {
        self.tally.summary.wrong_taskfile = true;
        self.cannot_start(id, wrong.message.clone(), Some(wrong));
    }

    /// It must run, and cannot be.
    pub(super) fn cannot_start(
        &mut self,
        id: TaskId,
        what: String,
        wrong: Option<Box<Diagnostic>>,
    ) {
        let failure =
            Failure { what, command: String::new(), tail: Vec::new(), log: Vec::new(), wrong };
        let end = End { failure: Some(&failure), ..End::without_run(Finish::Failed) };
        self.end(id, &end);
    }

    pub(super) fn fail(&mut self, id: TaskId, running: &Running, ended: &Ended, what: String) {
        let help = self.advice(id, running, ended);
        let mut failure = self.failure(id, running, ended, what);
        failure.wrong =
            help.map(|help| Box::new(Diagnostic::error(failure.what.clone()).help(help)));
        self.end(id, &End::failed(Finish::Failed, ended, &failure, running));
    }

    pub(super) fn failure(
        &self,
        id: TaskId,
        running: &Running,
        ended: &Ended,
        what: String,
    ) -> Failure {
        let command = running.due.gathered.rendered.shown.clone();
        Failure {
            what,
            command: ended.checkup.failed.clone().unwrap_or(command),
            tail: ended.tail.clone(),
            log: self.task_dir(id).join("log"),
            wrong: None,
        }
    }

    /// The one place where a started task leaves the run.
    pub(super) fn end(&mut self, id: TaskId, end: &End<'_>) {
        let allowed = self.is_allowed(id, end);
        let unhappened = matches!(end.finish, Finish::Skipped | Finish::Cancelled);
        if unhappened && !self.is_told(id) {
            return self.leave_plan(id, (&end.finish, allowed), end.because);
        }
        self.tally.summary.counts.tasks += usize::from(!self.counts(id));
        self.tell_end(id, end, allowed);
        self.note_success(id, end);
        self.note_same(id);
        let was = self.spent.enter(Part::Plan);
        self.leave_plan(id, (&end.finish, allowed), end.because);
        self.spent.enter(was);
    }

    /// Counts an end, tells it and writes it down.
    fn tell_end(&mut self, id: TaskId, end: &End<'_>, allowed: bool) {
        let duration_ms = end.ended.map_or(0, |ended| ended.duration_ms);
        let freed_by = self.plan.freed_by(id);
        self.tally.ended(&self.graph, (id, freed_by), (&end.finish, allowed), end.took());
        self.note_not_done(id, &end.finish, end.because);
        if let (Some(writer), Some(_)) = (&mut self.held.writer, end.ended) {
            let state_id = self.names.id(self.graph.name(id));
            let hit = end.running.and_then(|running| running.due.hit.as_ref());
            let command_ms = hit.map_or(duration_ms, |hit| hit.command_ms());
            if let Some(bytes) = end.ended.and_then(|ended| ended.peak_bytes) {
                record::write_memory(writer, state_id.clone(), bytes);
            }
            record::write_duration(writer, state_id, command_ms);
        }
        let checkup = end.ended.map(|ended| &ended.checkup);
        if let Some(checkup) = checkup {
            self.tally.summary.checks.add(checkup);
        }
        let outputs = files_of(end.ended);
        let log = self.root.absolute(&self.task_dir(id).join("log"));
        let at_ms = self.now_ms();
        let name = self.graph.name(id);
        let was = self.spent.enter(Part::Tell);
        (self.listener)(&Event::TaskFinished {
            task: TaskRef { id, name },
            finish: &end.finish,
            duration_ms,
            saved_ms: end.saved_ms,
            exit_code: end.ended.and_then(|ended| ended.exit_code),
            course: Course { allowed: allowed && end.finish == Finish::Failed, ..end.course() },
            outputs: &outputs,
            fixed: &self.deeds.fixed.files(id),
            checkup,
            log: end.ended.map(|_| &*log),
            failure: end.failure,
            because: end.because,
            at_ms,
        });
        if let Some(ended) = end.ended {
            self.spent.enter(Part::Result);
            self.write_result(id, (end, allowed), ended);
        }
        self.spent.enter(was);
    }

    fn leave_plan(
        &mut self,
        id: TaskId,
        (finish, allowed): (&Finish, bool),
        because: Option<Because<'_>>,
    ) {
        match finish {
            Finish::Fresh
            | Finish::Restored
            | Finish::Ran
            | Finish::WouldRun
            | Finish::WouldRestore
            | Finish::WhenFalse
            | Finish::Group => {
                self.plan.succeed(&self.graph, id);
            }
            Finish::Failed | Finish::Unstable | Finish::Skipped | Finish::Cancelled => {
                let skipped = match allowed {
                    true => self.plan.fail_softly(&self.graph, id),
                    false => self.plan.fail(&self.graph, id),
                };
                self.note_missed(id, *finish != Finish::Skipped);
                self.tell_broken();
                let failed = matches!(finish, Finish::Failed | Finish::Unstable);
                let name = self.graph.name(id).to_owned();
                let own = if failed { Because::Needs(&name) } else { self.because_stopped() };
                self.tell_skipped(&skipped, because.unwrap_or(own));
                self.after_loss(Some(Loss { id, finish: finish.clone(), allowed }), &skipped);
            }
        }
    }

    /// Why nothing new starts in a run that was stopped.
    pub(super) fn because_stopped(&self) -> Because<'static> {
        match &self.tally.summary {
            Summary { signal: Some(_), .. } => Because::Signal,
            Summary { timed_out: Some(_), .. } => Because::Time,
            _ if self.tally.failures > 1 && self.has_many_failures() => {
                Because::Failures(self.tally.failures)
            }
            _ => Because::Failure,
        }
    }

    pub(super) fn tell_skipped(&mut self, skipped: &[TaskId], because: Because<'_>) {
        for &id in skipped {
            self.note_missed(id, false);
            if !self.is_told(id) {
                continue;
            }
            self.tally.summary.counts.tasks += usize::from(!self.counts(id));
            let soft = self.plan.is_soft(id);
            self.tally.ended(&self.graph, (id, None), (&Finish::Skipped, soft), Took::default());
            self.note_not_done(id, &Finish::Skipped, Some(because));
            let at_ms = self.now_ms();
            (self.listener)(&Event::TaskFinished {
                task: TaskRef { id, name: self.graph.name(id) },
                finish: &Finish::Skipped,
                duration_ms: 0,
                saved_ms: None,
                exit_code: None,
                course: Course::default(),
                outputs: &[],
                fixed: &[],
                checkup: None,
                log: None,
                failure: None,
                because: Some(because),
                at_ms,
            });
        }
    }

    /// The first reasons of a run, with what `taskr why` needs to go on from them.
    fn because(&mut self, running: &Running) -> Vec<serde_json::Value> {
        let gathered = &running.due.gathered;
        let old = gathered.record.as_ref().map(|record| &record.manifest);
        let mut because = Vec::new();
        for reason in running.due.reasons.iter().take(MOST_KEPT) {
            let mut cause = Cause::past(reason, old, &gathered.rendered.shown);
            if let Reason::Input(path, _) | Reason::Found(path, _) = reason {
                cause.task = self.maker_of(path).map(|maker| self.graph.name(maker).to_owned());
                cause.now = self.digest_now(path);
            }
            because.push(cause.to_json());
        }
        because
    }

    /// What a file holds, if that is known without reading it.
    fn digest_now(&mut self, path: &[u8]) -> Option<Digest> {
        let file = self.paths.get(path)?;
        match self.look(file) {
            Ok(Look::Known(_, Content::File { digest, .. })) => Some(digest),
            _ => None,
        }
    }

    /// A task's file was written, or could not be.
    pub(super) fn was_written(&mut self, id: TaskId, failed: Option<String>) {
        self.workers.answered();
        if let Some(what) = failed {
            self.warn(Some(id), &what);
        }
    }

    /// The loop is over, and the workers as well: what they said since.
    pub(super) fn hear_the_last(&mut self) {
        let last: Vec<Message> = self.messages.1.try_iter().collect();
        for message in self.postponed.drain(..).chain(last).collect::<Vec<_>>() {
            match message {
                Message::Wrote(id, failed) => self.was_written(id, failed),
                // The sender lives in `self.messages`.
                other => _ = self.messages.0.send(other),
            }
        }
    }

    /// `result.json` in the task's folder: the same facts for scripts.
    fn write_result(&mut self, id: TaskId, (end, allowed): (&End<'_>, bool), ended: &Ended) {
        let because = end.running.map_or_else(Vec::new, |running| self.because(running));
        let rule = &self.graph.task(id).rule;
        let outputs: Vec<serde_json::Value> = files_of(end.ended)
            .iter()
            .map(|(path, size, digest)| {
                let path = shown(path);
                serde_json::json!({ "path": path, "size_bytes": size, "digest": digest.to_string() })
            })
            .collect();
        let result = serde_json::json!({
            "task": rule.name,
            "target": rule.target.name,
            "item": rule.scope.item().map(|item| shown(&item.written)),
            "run": self.run_id,
            "outcome": end.finish.code(),
            "key": self.done[id].key.map(|key| key.to_string()),
            "why": end.running.map_or_else(String::new, |running| reasons_text(&running.due.reasons)),
            "because": &because,
            "reasons": end.running.map_or(0, |running| running.due.reasons.len()),
            "failure": end.failure.map(|failure| failure.what.clone()),
            "started": utc(unix_ms().saturating_sub(ended.duration_ms)),
            "duration_ms": ended.duration_ms,
            "saved_ms": end.saved_ms,
            "exit_code": ended.exit_code,
            "attempts": end.course().attempts,
            "failed_attempts": end.failed_attempts(),
            "timed_out": ended.timed_out,
            "allowed": allowed,
            "outputs": outputs,
            "metrics": ended.checkup.metrics_json(),
            "accept": ended.checkup.accept_json(),
            "gates": gates_json(&ended.checkup.gates),
            "fixed": self.deeds.fixed.files(id).iter().map(|path| shown(path)).collect::<Vec<_>>(),
        });
        self.deeds.ran.push(serde_json::json!({
            "task": rule.name,
            "outcome": end.finish.code(),
            "at_ms": end.running.map(|running| running.begun_ms),
            "duration_ms": ended.duration_ms,
            "saved_ms": end.saved_ms,
            "because": because.get(..MOST_TOLD).unwrap_or(&because),
        }));
        let path = self.task_dir(id).join("result.json");
        // A third of a millisecond where another one stands.
        let text = format!("{result:#}\n");
        self.workers.start(Job::Write(id, path, text.into_bytes()));
    }
}

fn files_of(ended: Option<&Ended>) -> Vec<(Vec<u8>, u64, Digest)> {
    match ended.map(|ended| &ended.result) {
        Some(Outcome::Success(success) | Outcome::Unstable(success, _)) => success.files(),
        _ => Vec::new(),
    }
}

/// Reasons in one line; the first five.
pub(super) fn reasons_text(reasons: &[Reason]) -> String {
    reasons.iter().take(MOST_TOLD).map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
