//! What a failed pipeline did is undone, when nothing else runs any more.
//!
//! Half undone is worse than done and than undone: neither the time of the run nor the first signal
//! ends what undoes. Who cannot wait says so once more.

use std::time::Duration;

use super::Build;
use super::finish::End;
use super::pipelines::{Course, Pipelines};
use crate::error::Error;
use crate::graph::Kind;
use crate::ids::TaskId;
use crate::outcome::{Event, Failure, Finish, TaskRef};
use crate::parse::OnError;
use crate::process::{Command, Stopper};
use crate::record;
use crate::report::duration;
use crate::workers::{Job, Message, UNDO_LOG, Undo, Undone};

/// How a task is undone.
pub(super) struct Undoing {
    task: TaskId,
    command: Result<Command, String>,
    shown: String,
}

impl Course {
    fn rolls_back(&self) -> bool {
        self.on_error == OnError::Rollback
    }
}

impl Pipelines {
    /// What is to be undone now, the last first.
    fn take_undo(&mut self) -> Vec<Undoing> {
        let failed = |course: &&Course| course.rolls_back() && course.has_failed();
        let mut undo = std::mem::take(&mut self.undo);
        undo.retain(|one| {
            self.courses.iter().filter(failed).any(|course| course.reach.contains(&one.task))
        });
        undo.reverse();
        undo
    }

    fn undone(&mut self, id: TaskId, name: &str, well: bool) {
        for course in self.courses.iter_mut().filter(|course| course.rolls_back()) {
            if course.reach.contains(&id) {
                let told = if well { &mut course.rolled_back } else { &mut course.not_rolled_back };
                told.push(name.to_owned());
            }
        }
    }
}

impl Build<'_> {
    /// A task succeeded. If it ran, and a pipeline may have to undo it, it is kept in mind how.
    pub(super) fn may_be_undone(&mut self, id: TaskId, end: &End<'_>) {
        let Some(running) = end.running.filter(|_| end.finish == Finish::Ran) else { return };
        let rendered = &running.due.gathered.rendered;
        let undoes = |course: &Course| course.rolls_back() && course.reach.contains(&id);
        if let (Some(argv), true) = (&rendered.rollback, self.pipelines.courses.iter().any(undoes))
        {
            let shown = argv.last().map(|script| script.trim().to_owned()).unwrap_or_default();
            let command = self.beside(id, argv, (rendered, running.due.tries.attempt()));
            self.pipelines.undo.push(Undoing { task: id, command, shown });
        }
    }

    /// Undoes what pipelines did that failed and roll back, one after another, the last first. One
    /// that fails keeps nobody else.
    pub(super) fn roll_back(&mut self) -> Result<(), Error> {
        let undo = self.pipelines.take_undo();
        if undo.is_empty() {
            return Ok(());
        }
        let recorded = |one: &Undoing| self.graph.task(one.task).kind() == Kind::Recorded;
        let interrupted = self.tally.summary.signal.is_some();
        if interrupted || (undo.iter().any(recorded) && !self.wait_to_come_back()?) {
            self.tell_not_undone(&undo);
            return Ok(());
        }
        // The run itself was stopped.
        self.stopper = Stopper::new().map_err(|cause| Error::Io {
            doing: "cannot make a pipe for".to_owned(),
            path: self.request.root.clone(),
            cause,
        })?;
        let mut signals = 0;
        for (at, one) in undo.iter().enumerate() {
            if signals > 1 {
                self.tell_not_undone(&undo[at..]);
                break;
            }
            self.is_not_done(one.task);
            let job = self.undo_of(one);
            self.deeds.alone = None;
            self.workers.start(Job::Undo(Box::new(job)));
            let undone = self.wait_for_undone(&mut signals);
            self.tell_undone(one, undone);
        }
        Ok(())
    }

    /// Where its task has no timeout, what undoes it may take as long as the whole run.
    fn undo_of(&self, one: &Undoing) -> Undo {
        let mut command = one.command.clone();
        let (mut timeout, whole_ms) = (self.timeout_of(one.task), self.request.timeout_ms);
        if let (Ok(command), None, Some(whole_ms)) = (&mut command, &timeout, whole_ms) {
            command.timeout = Some(Duration::from_millis(whole_ms));
            timeout = Some(duration(whole_ms));
        }
        Undo {
            task: one.task,
            dir: self.task_dir(one.task),
            command,
            timeout,
            stop: self.stopper.watch(),
            guard: self.guard.clone(),
        }
    }

    /// What was undone is not up to date, whatever its outputs say. This is on the disk before
    /// anything is undone.
    fn is_not_done(&mut self, id: TaskId) {
        let key = self.done[id].key.filter(|_| self.graph.task(id).kind() == Kind::Recorded);
        let state_id = self.names.id(self.graph.name(id));
        let Some((writer, key)) = self.held.writer.as_mut().zip(key) else { return };
        record::write_failure(writer, state_id, &key);
        if let Some(warning) = writer.flush() {
            self.warn(None, &warning);
        }
    }

    /// Nothing else is at work, but signals are heard.
    fn wait_for_undone(&mut self, signals: &mut usize) -> Undone {
        loop {
            match self.wait_until(None) {
                Some(Message::Undone(undone)) => {
                    self.workers.answered();
                    return *undone;
                }
                Some(Message::Signal(signal)) => {
                    *signals += 1;
                    self.hurry(signal, *signals);
                }
                Some(Message::Wrote(id, failed)) => self.was_written(id, failed),
                Some(Message::Read(_) | Message::Asked(..) | Message::Ended(_)) => {
                    self.workers.answered();
                }
                _ => {}
            }
        }
    }

    /// The first signal is kept for the end of the run, the second is passed on, the third kills.
    fn hurry(&mut self, signal: i32, nth: usize) {
        self.tally.summary.signal.get_or_insert(signal);
        match nth {
            1 => self.warn(None, "rolling back before the end; once more ends that, too"),
            2 => self.stopper.stop(signal),
            _ => self.stopper.kill(),
        }
    }

    fn tell_undone(&mut self, one: &Undoing, undone: Undone) {
        let Undone { failed, duration_ms, tail, .. } = undone;
        let failure = failed.map(|what| Failure {
            what,
            command: one.shown.clone(),
            tail,
            log: self.task_dir(one.task).join(UNDO_LOG),
            wrong: None,
        });
        let name = self.graph.name(one.task).to_owned();
        self.pipelines.undone(one.task, &name, failure.is_none());
        let (task, at_ms) = (TaskRef { id: one.task, name: &name }, self.now_ms());
        let failure = failure.as_ref();
        (self.listener)(&Event::TaskRolledBack { task, duration_ms, failure, at_ms });
    }

    /// A signal came first, or another taskr has the workspace and is not waited for.
    fn tell_not_undone(&mut self, undo: &[Undoing]) {
        let names: Vec<String> =
            undo.iter().map(|one| self.graph.name(one.task).to_owned()).collect();
        for (one, name) in undo.iter().zip(&names) {
            self.pipelines.undone(one.task, name, false);
        }
        let why = match self.tally.summary.signal {
            Some(_) => "interrupted",
            None => "another taskr works here",
        };
        self.warn(None, &format!("{why}: not rolled back: {}", names.join(", ")));
    }
}
