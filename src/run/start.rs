//! A task that must run goes to a worker, with all that the worker needs to know of it.

use std::sync::Arc;
use std::time::Instant;

use taskr_cache::{Seen, Writer};

use super::gather::Gathered;
use super::{Active, Build, Due, Running};
use crate::error::said;
use crate::graph::{Kind, Output};
use crate::ids::TaskId;
use crate::outcome::{Event, Field, Recorded, Tag, TaskRef};
use crate::process::Guard;
use crate::record;
use crate::workers::{Before, Checks, Declared, Job, Launch, Run};

impl Build<'_> {
    /// Hands a task to a worker, to be run or restored.
    pub(super) fn start(&mut self, id: TaskId, mut due: Due) {
        let launch = match &due.hit {
            Some(hit) => self.restore_of(hit),
            None => None,
        };
        let launch = match (launch, &due.hit) {
            (Some(launch), Some(hit)) => {
                due.gathered.key = Some(hit.key());
                self.tell_restoring(id, &due, hit);
                launch
            }
            _ => {
                self.start_guard();
                self.tell_started(id, &due);
                let (rule, dir) = (&self.graph.task(id).rule, self.task_dir(id));
                let rendered = &due.gathered.rendered;
                match self.around().command(rule, &dir, rendered, due.tries.attempt()) {
                    Ok(command) => Launch::Command(command),
                    Err(what) => Launch::Impossible(what),
                }
            }
        };
        let recorded = self.graph.task(id).kind() == Kind::Recorded;
        if recorded
            && self.held.intents.is_none()
            && let Err(what) = self.open_intents()
        {
            self.admission.ended(id);
            self.cannot_start(id, what, None);
            return;
        }
        let run = self.enter(id, due, launch);
        self.workers.start(Job::Run(Box::new(run)));
    }

    /// A task is at work from now on: what its worker needs to know.
    pub(super) fn enter(&mut self, id: TaskId, due: Due, launch: Launch) -> Run {
        if !matches!(launch, Launch::Restore(_)) {
            self.look_again_later();
            let others = !self.active.is_empty() || !self.services.all.is_empty();
            let is_alone = !others && !self.lookups.questions.are_open();
            self.deeds.alone = is_alone.then(|| (id, Instant::now()));
        }
        self.open_for_records(id);
        let run = self.job_of(id, &due, launch);
        self.give_console(id);
        let intent = self.held.next_intent;
        self.held.next_intent += 1;
        if self.graph.task(id).kind() == Kind::Recorded {
            self.held.live_intents.insert(run.id.clone(), intent);
        }
        let begun_ms = self.now_ms();
        self.active.insert(id, Active::Running(Box::new(Running { due, intent, begun_ms })));
        run
    }

    /// While a task is at work state and store are opened for what it will leave.
    fn open_for_records(&mut self, id: TaskId) {
        if self.graph.task(id).kind() != Kind::Recorded {
            return;
        }
        self.held.writer.iter_mut().for_each(Writer::open);
        if self.has_store(id) {
            self.open_store();
        }
    }

    pub(super) fn tell_started(&mut self, id: TaskId, due: &Due) {
        let (task, at_ms) = (TaskRef { id, name: self.graph.name(id) }, self.now_ms());
        let (reasons, key) = (&due.reasons[..], due.gathered.key);
        let command = &due.gathered.rendered.shown;
        (self.listener)(&Event::TaskStarted { task, reasons, key, command, at_ms });
    }

    /// All that a worker needs to know of a task. The number of the intent is the next one.
    fn job_of(&mut self, id: TaskId, due: &Due, launch: Launch) -> Run {
        let gathered = &due.gathered;
        let recorded = self.graph.task(id).kind() == Kind::Recorded;
        let restores = matches!(launch, Launch::Restore(_));
        let others = self.recorded_by_others(id, gathered);
        let asks_again = recorded && !restores;
        let (mut inputs, mut globs) = (Vec::new(), Vec::new());
        if asks_again {
            (inputs, globs) = self.inputs_of_services(id);
            inputs.extend(self.expected(gathered));
            globs.extend(gathered.globs.iter().cloned());
        }
        let stop = if restores { None } else { self.stopper_of(id) };
        let (rule, number) = (&self.graph.task(id).rule, self.held.next_intent);
        let declared = |output: &Output| Declared { output: output.clone(), dir: rule.dir.clone() };
        let intents = self.held.intents.clone().filter(|_| recorded);
        Run {
            task: id,
            id: self.names.id(self.graph.name(id)),
            launch,
            intent: intents.map(|intents| (number, intents)),
            outputs: rule.outputs.iter().map(|output| declared(&output.value)).collect(),
            installs: rule.installs.iter().map(|path| path.value.clone()).collect(),
            depfile: rule.depfile.as_ref().map(|path| path.value.clone()).filter(|_| !restores),
            fixes: rule.fixes(),
            dir: self.task_dir(id),
            before: self.still_own(id, gathered),
            others,
            inputs,
            globs,
            new_command: restores || has_new_command(gathered),
            checks: if restores { Checks::default() } else { self.checks_of(id, due) },
            keep_outputs: rule.target.policy.keep_outputs,
            strict: self.request.strict,
            last_attempt: due.tries.is_last(),
            timeout: self.timeout_of(id),
            console: self.console_of(id),
            stream: self.request.stream,
            timed: self.request.timed,
            guard: self.guard.clone(),
            stop,
        }
    }

    /// How the `timeout` of a task is written, if it has one.
    pub(super) fn timeout_of(&self, id: TaskId) -> Option<String> {
        let timeout = self.graph.task(id).rule.target.schedule.timeout.as_ref();
        timeout.map(|(_, written)| written.clone())
    }

    /// The first start of a process also starts the guard; what is restored needs none.
    pub(super) fn start_guard(&mut self) {
        let (None, Some(lock), false) = (&self.guard, &self.held.lock, self.unguarded) else {
            return;
        };
        match Guard::start(&self.request.taskr, lock.file(), &self.run_id) {
            Ok(guard) => self.guard = Some(Arc::new(guard)),
            Err(error) => {
                self.unguarded = true;
                let what = "cannot start the guard, so kill -9 would leave tasks";
                self.warn(None, &format!("{what}: {}", said(&error)));
            }
        }
    }

    /// What the last success left, but for paths that another task makes by now.
    fn still_own(&self, id: TaskId, gathered: &Gathered) -> Vec<Before> {
        let makers = self.graph.makers();
        let own = |before: &&Before| makers.of(&before.file.path).is_none_or(|maker| maker == id);
        gathered.before.iter().filter(own).cloned().collect()
    }

    /// What records of other tasks say of files that stand at this task's plain outputs: such a
    /// file is taskr's own work, whoever made it.
    fn recorded_by_others(&mut self, id: TaskId, gathered: &Gathered) -> Arc<Recorded> {
        let own = |path: &[u8]| {
            let own = gathered.before.iter().find(|before| before.file.path == path);
            own.and_then(|before| before.seen)
        };
        let outputs = &self.graph.task(id).rule.outputs;
        let unknown = outputs.iter().any(|output| match &output.value {
            Output::Path(path) => {
                let seen = Seen::of(&self.root.absolute(path)).ok().flatten();
                seen.is_some() && seen != own(path)
            }
            Output::Glob(_) => false,
        });
        if !unknown {
            return Arc::default();
        }
        let state = &self.held.state;
        let all = self.lookups.recorded.get_or_insert_with(|| Arc::new(record::recorded(state)));
        all.clone()
    }
}

/// Whether the command, its folder or its program is another than that of the last success.
fn has_new_command(gathered: &Gathered) -> bool {
    let Some(record) = &gathered.record else { return false };
    let counts = |field: &&Field| {
        matches!(field.tag, Tag::Command | Tag::Dir | Tag::Shell | Tag::Env | Tag::Tool)
    };
    let now = gathered.manifest.fields().iter().filter(counts);
    now.ne(record.manifest.fields().iter().filter(counts))
}
