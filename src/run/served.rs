//! How a service leaves the run: counted, told, written down for scripts.

use super::Build;
use super::date::{unix_ms, utc};
use super::pipelines::Loss;
use super::services::{Stage, TERM};
use super::tally::Took;
use crate::error::{Diagnostic, said};
use crate::graph::Probe;
use crate::ids::TaskId;
use crate::outcome::{Course, Event, Failure, Finish, Reason, TaskRef, shown};
use crate::process::Status;
use crate::workers::{Down, NOT_READY};

impl Build<'_> {
    pub(super) fn would_serve(&mut self, id: TaskId, reasons: &[Reason], command: &str) {
        let (task, at_ms) = (TaskRef { id, name: self.graph.name(id) }, self.now_ms());
        (self.listener)(&Event::TaskStarted { task, reasons, key: None, command, at_ms });
        self.tell_service_finished(id, &Finish::WouldRun, &Down::default(), None);
    }

    pub(super) fn service_failed(&mut self, id: TaskId, what: String, down: &Down) {
        self.set_stage(id, Stage::Failed(id));
        let rendered = self.services.all.get(&id).map(|one| &one.due.gathered.rendered);
        let command = rendered.map_or_else(String::new, |rendered| rendered.shown.clone());
        let started = down.status.is_some();
        let log = if started { self.task_dir(id).join("log") } else { Vec::new() };
        let help = self.way_out(id, &what, down);
        let wrong = help.map(|help| Box::new(Diagnostic::error(what.clone()).help(help)));
        let failure = Failure { what, command, tail: down.tail.clone(), log, wrong };
        if started {
            self.tell_service_ended(id, down);
        }
        self.tell_service_finished(id, &Finish::Failed, down, Some(&failure));
        for user in self.services.users.get(&id).cloned().unwrap_or_default() {
            match self.services.stoppers.get(&user) {
                Some(stopper) => stopper.stop(TERM),
                None => {
                    let what =
                        format!("the service `{}` ended, which it needs", self.graph.name(id));
                    self.end_service(user, TERM, Some(what));
                }
            }
        }
        self.services_changed();
        self.after_loss(Some(Loss { id, finish: Finish::Failed, allowed: false }), &[]);
    }

    /// What to do about a service that failed because of this.
    fn way_out(&self, id: TaskId, what: &str, down: &Down) -> Option<String> {
        if let Some(Some(holder)) = &down.busy {
            return holder.stays.then(|| {
                let wanted = self.request.wanted.join(" ");
                format!(
                    "end that one with Ctrl-C, or run both in one: `{} {wanted}`",
                    holder.command
                )
            });
        }
        let service = self.graph.task(id).rule.target.service.as_ref()?;
        if matches!(service.probe, Probe::Log(_)) && what.starts_with(NOT_READY) {
            return Some(
                "many programs hold back what they write to no terminal: write `python3 -u`, \
                 `stdbuf -oL PROGRAM`, or another `ready`"
                    .to_owned(),
            );
        }
        let ended_well = down.status == Some(Status::Code(0)) && what.starts_with("it ended");
        ended_well.then(|| {
            "a service stays in the foreground: leave `&`, `-d` or `--daemon` away".to_owned()
        })
    }

    pub(super) fn tell_service_ended(&mut self, id: TaskId, down: &Down) {
        let exit_code = down.exit_code();
        let (task, at_ms) = (TaskRef { id, name: self.graph.name(id) }, self.now_ms());
        let duration_ms = down.duration_ms;
        (self.listener)(&Event::ServiceEnded { task, exit_code, duration_ms, at_ms });
    }

    /// Counts and tells the end of a service as that of a task, and writes it down.
    pub(super) fn tell_service_finished(
        &mut self,
        id: TaskId,
        finish: &Finish,
        down: &Down,
        failure: Option<&Failure>,
    ) {
        self.tally.summary.counts.tasks += usize::from(!self.counts(id));
        self.tally.ended(&self.graph, (id, None), (finish, false), Took::default());
        let exit_code = down.exit_code();
        let log = self.root.absolute(&self.task_dir(id).join("log"));
        let at_ms = self.now_ms();
        (self.listener)(&Event::TaskFinished {
            task: TaskRef { id, name: self.graph.name(id) },
            finish,
            duration_ms: down.duration_ms,
            saved_ms: None,
            exit_code,
            course: Course::default(),
            outputs: &[],
            fixed: &[],
            checkup: None,
            log: down.status.map(|_| &*log),
            failure,
            because: None,
            at_ms,
        });
        if down.status.is_some() {
            self.write_service_result(id, finish, down, failure);
        }
    }

    /// `result.json` in its folder, with the fields of a task's.
    fn write_service_result(
        &mut self,
        id: TaskId,
        finish: &Finish,
        down: &Down,
        failure: Option<&Failure>,
    ) {
        let rule = &self.graph.task(id).rule;
        let result = serde_json::json!({
            "task": rule.name,
            "target": rule.target.name,
            "item": rule.scope.item().map(|item| shown(&item.written)),
            "run": self.run_id,
            "outcome": finish.code(),
            "key": self.done[id].key.map(|key| key.to_string()),
            "failure": failure.map(|failure| failure.what.clone()),
            "started": utc(unix_ms().saturating_sub(down.duration_ms)),
            "duration_ms": down.duration_ms,
            "exit_code": down.exit_code(),
            "attempts": 1,
            "outputs": [],
        });
        let path = self.task_dir(id).join("result.json");
        if let Err(error) = self.root.write(&path, format!("{result:#}\n").as_bytes()) {
            self.warn(Some(id), &format!("cannot write {}: {}", shown(&path), said(&error)));
        }
    }
}
