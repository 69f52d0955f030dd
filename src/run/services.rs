//! Services of a run: started when a task that needs one is about to run, ended after the last
//! that needs it, or when the user says so.
//!
//! In the plan a service is done as soon as what defines it is known, so that what needs it can be
//! judged; only what must run waits until it is ready. It takes neither places nor tokens.

use std::collections::BTreeSet;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::Digest;

use super::away::described;
use super::finish::End;
use super::{Active, Build, Done, Due, Running};
use crate::error::said;
use crate::graph::{Graph, Kind};
use crate::ids::{ServiceId, TaskId};
use crate::outcome::{Because, Event, Finish, Reason, TaskRef};
use crate::plan::{Plan, State};
use crate::process::{Status, Stopper};
use crate::workers::{Down, Ended, Expected, Listed, News, Result as Outcome, RunningService};

const INT: i32 = rustix::process::Signal::INT.as_raw();
pub(super) const TERM: i32 = rustix::process::Signal::TERM.as_raw();
const KILL: i32 = rustix::process::Signal::KILL.as_raw();

/// How far a service is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nobody who runs has needed it yet.
    Idle,
    /// It waits for services that it needs itself.
    Waiting,
    Starting(Started),
    Ready(Started),
    /// What it is made of has changed since it was started, under `taskr watch`: it starts again.
    Outdated(Started),
    /// It was told to end; because of this if it failed.
    Ending(Started, Option<String>),
    /// It ended, and was needed no more.
    Gone,
    /// It failed, or this one that it needs.
    Failed(TaskId),
}

#[derive(Debug)]
pub(super) struct Started {
    pub(super) number: ServiceId,
    /// What defined it then.
    pub(super) key: Option<Digest>,
    pub(super) running: RunningService,
    since: Instant,
}

pub(super) struct One {
    pub(super) due: Box<Due>,
    pub(super) stage: Stage,
    /// When it has ended it starts anew.
    pub(super) again: bool,
}

/// The services of one run.
#[derive(Default)]
pub(super) struct Services {
    /// Asked for by name: they stay until the user ends them.
    named: FxHashSet<TaskId>,
    /// What needs each service by its `deps`; those that have ended are taken away.
    pub(super) users: FxHashMap<TaskId, Vec<TaskId>>,
    /// What is known of those whose turn came.
    pub(super) all: FxHashMap<TaskId, One>,
    /// Those that an earlier build has left up, until their turn comes.
    pub(super) kept: FxHashMap<TaskId, Started>,
    /// Which is which.
    pub(super) numbers: FxHashMap<ServiceId, TaskId>,
    /// Tasks that must run and wait for a service.
    parked: BTreeSet<TaskId>,
    /// What ends a running task that needs a service, alone.
    pub(super) stoppers: FxHashMap<TaskId, Stopper>,
    /// The signal by which the user ended what only he needed.
    ended_by: Option<i32>,
    /// All were killed because the user would not wait.
    killed: bool,
}

/// Whether all services that a task needs are there for it.
enum There {
    All,
    NotYet,
    /// One will not be, because this one failed.
    Never(TaskId),
}

impl Services {
    /// Services among the tasks of a plan: those of `named`, and who needs which.
    pub(super) fn new(graph: &Graph, plan: &Plan, named: &[TaskId]) -> Services {
        let wanted: Vec<TaskId> = plan.wanted().map(|(id, _)| id).collect();
        let is_service = |id: &TaskId| graph.task(*id).kind() == Kind::Service;
        let mut services = Services::default();
        if !wanted.iter().any(is_service) {
            return services;
        }
        services.named = graph.without_groups(named).into_iter().filter(is_service).collect();
        for id in wanted {
            for service in needed(graph, id) {
                services.users.entry(service).or_default().push(id);
            }
        }
        services
    }

    /// Whether it was asked for by name.
    pub(super) fn is_named(&self, id: TaskId) -> bool {
        self.named.contains(&id)
    }

    /// Whether none runs.
    pub(super) fn are_down(&self) -> bool {
        !self.all.values().any(|one| one.stage.started().is_some())
    }

    /// How many run.
    pub(super) fn up(&self) -> usize {
        let started = self.all.values().filter(|one| one.stage.started().is_some());
        started.count() + self.kept.len()
    }

    /// Passes a signal on to running tasks that need services. Services end after them.
    fn stop_users(&self, signal: i32) {
        self.stoppers.values().for_each(|stopper| stopper.stop(signal));
    }

    /// Ends everything at once.
    pub(super) fn kill(&mut self) {
        self.killed = true;
        self.stoppers.values().for_each(Stopper::kill);
        let started = self.all.values().filter_map(|one| one.stage.started());
        started.for_each(|started| started.running.kill());
    }
}

impl Stage {
    pub(super) fn into_started(self) -> Option<Started> {
        match self {
            Stage::Starting(started)
            | Stage::Ready(started)
            | Stage::Outdated(started)
            | Stage::Ending(started, _) => Some(started),
            Stage::Idle | Stage::Waiting | Stage::Gone | Stage::Failed(_) => None,
        }
    }

    /// Waits for what is left of one that is gone.
    pub(super) fn join(self) {
        if let Some(started) = self.into_started() {
            started.running.join();
        }
    }

    pub(super) fn started(&self) -> Option<&Started> {
        match self {
            Stage::Starting(started)
            | Stage::Ready(started)
            | Stage::Outdated(started)
            | Stage::Ending(started, _) => Some(started),
            Stage::Idle | Stage::Waiting | Stage::Gone | Stage::Failed(_) => None,
        }
    }
}

/// The services that a task needs by its `deps`.
fn needed(graph: &Graph, id: TaskId) -> Vec<TaskId> {
    if graph.kind(id) == Kind::Group {
        return Vec::new();
    }
    let mut needed = graph.without_groups(&graph.task(id).deps);
    // One that its `when` leaves out nobody needs.
    needed.retain(|&need| graph.kind(need) == Kind::Service && !graph.is_skipped(need));
    needed
}

/// The same, and those that these need.
fn needed_deeply(graph: &Graph, id: TaskId) -> Vec<TaskId> {
    let mut all = needed(graph, id);
    let mut seen: FxHashSet<TaskId> = all.iter().copied().collect();
    let mut at = 0;
    while let Some(&service) = all.get(at) {
        all.extend(needed(graph, service).into_iter().filter(|&need| seen.insert(need)));
        at += 1;
    }
    all
}

impl Build<'_> {
    /// Passes a signal on to all tasks that run, those with stoppers of their own as well.
    pub(super) fn stop_tasks(&self, signal: i32) {
        self.stopper.stop(signal);
        self.services.stop_users(signal);
    }

    /// What defines a service is known: what needs it can be judged.
    pub(super) fn service_judged(&mut self, id: TaskId, due: Due) {
        let key = due.gathered.manifest.key();
        self.done[id] = Done { key: Some(key), ..Done::default() };
        if self.request.dry_run && self.services.is_named(id) {
            self.would_serve(id, &[Reason::Service], &due.gathered.rendered.shown);
        }
        let (stage, again) = self.met(id);
        self.services.all.insert(id, One { due: Box::new(due), stage, again });
        self.plan.succeed(&self.graph, id);
        self.tally.passed(&self.graph, id, self.plan.freed_by(id));
        if self.services.is_named(id) && !self.request.dry_run {
            self.want_service(id);
        }
    }

    /// In a dry run: what a service is made of would change.
    pub(super) fn service_may_change(&mut self, id: TaskId, need: String) {
        if self.services.is_named(id) {
            self.would_serve(id, &[Reason::MayChange(need)], "");
        }
        self.done[id].would_run = true;
        self.plan.succeed(&self.graph, id);
        self.tally.passed(&self.graph, id, self.plan.freed_by(id));
    }

    /// A task must run: it may as soon as its services are ready and there is a place.
    pub(super) fn admit(&mut self, id: TaskId) {
        let Some(Active::Runnable(due)) = self.active.get(&id) else { return };
        let plain = due.hit.is_some();
        self.tokens.are_needed |= !plain;
        let needs = !plain && !self.services.users.is_empty();
        match if needs { self.services_of(id) } else { There::All } {
            There::All => {
                self.services.parked.remove(&id);
                if self.joins_batch(id) {
                    return;
                }
                self.admission.wait(self.plan.rank(id), plain);
                self.start_runnable();
            }
            There::NotYet => {
                self.services.parked.insert(id);
            }
            There::Never(service) => {
                self.services.parked.remove(&id);
                self.active.remove(&id);
                let name = self.graph.name(service).to_owned();
                self.end(id, &End::skipped(Because::Needs(&name)));
            }
        }
    }

    /// Starts what a task needs and is not there.
    fn services_of(&mut self, id: TaskId) -> There {
        let needed = needed(&self.graph, id);
        let lost = |service: &TaskId| match self.services.all.get(service) {
            Some(one) => match &one.stage {
                Stage::Failed(first) => Some(*first),
                Stage::Gone => Some(*service),
                Stage::Ending(..) if !one.again => Some(*service),
                _ => None,
            },
            None => Some(*service),
        };
        if let Some(lost) = needed.iter().find_map(lost) {
            return There::Never(lost);
        }
        let mut there = There::All;
        for service in needed {
            self.want_service(service);
            match self.services.all.get(&service).map(|one| &one.stage) {
                Some(Stage::Ready(_)) => {}
                Some(Stage::Failed(first)) => return There::Never(*first),
                _ => there = There::NotYet,
            }
        }
        there
    }

    pub(super) fn want_service(&mut self, id: TaskId) {
        let stage = self.services.all.get(&id).map(|one| &one.stage);
        let may = !self.plan.is_stopped() || (self.lasts() && self.services.is_named(id));
        if !matches!(stage, Some(Stage::Idle | Stage::Waiting)) || !may {
            return;
        }
        match self.services_of(id) {
            There::All => self.start_service(id),
            There::NotYet => self.set_stage(id, Stage::Waiting),
            There::Never(lost) => {
                self.set_stage(id, Stage::Failed(lost));
                let name = self.graph.name(lost).to_owned();
                self.tell_skipped(&[id], Because::Needs(&name));
            }
        }
    }

    pub(super) fn set_stage(&mut self, id: TaskId, stage: Stage) {
        self.take_stage(id, stage);
    }

    /// The stage up to now.
    fn take_stage(&mut self, id: TaskId, next: Stage) -> Option<Stage> {
        let one = self.services.all.get_mut(&id)?;
        Some(std::mem::replace(&mut one.stage, next))
    }

    fn start_service(&mut self, id: TaskId) {
        self.start_guard();
        self.look_again_later();
        let named = self.services.is_named(id);
        let number = self.new_service(id);
        let Some(one) = self.services.all.get(&id) else { return };
        let rendered = &one.due.gathered.rendered;
        let up = self.up((id, number), rendered, self.request.stream);
        let command = rendered.shown.clone();
        let (task, at_ms) = (TaskRef { id, name: self.graph.name(id) }, self.now_ms());
        (self.listener)(&Event::ServiceStarted { task, command: &command, named, at_ms });
        let running = up.and_then(|up| {
            let started = self.workers.serve(up);
            started.map_err(|error| format!("cannot start it: {}", said(&error)))
        });
        match running {
            Ok(running) => {
                let (key, since) = (self.done[id].key, Instant::now());
                let started = Started { number, key, running, since };
                self.set_stage(id, Stage::Starting(started));
            }
            Err(what) => self.service_failed(id, what, &Down::default()),
        }
    }

    /// A service has something to say.
    pub(super) fn service_said(&mut self, number: ServiceId, news: News) {
        let Some(&id) = self.services.numbers.get(&number) else { return };
        match news {
            News::Ended(down) if self.services.kept.contains_key(&id) => self.lose_kept(id, &down),
            News::Ready => self.service_is_ready(id),
            News::NotReady(what) => {
                let stage = self.services.all.get(&id).map(|one| &one.stage);
                if matches!(stage, Some(Stage::Starting(_))) {
                    self.end_service(id, TERM, Some(what));
                }
            }
            News::Warning(what) => self.warn(Some(id), &what),
            News::Ended(down) => self.service_ended(id, &down),
        }
    }

    fn service_is_ready(&mut self, id: TaskId) {
        let Some(one) = self.services.all.get_mut(&id) else { return };
        match std::mem::replace(&mut one.stage, Stage::Idle) {
            Stage::Starting(started) => {
                let after_ms = u64::try_from(started.since.elapsed().as_millis());
                one.stage = Stage::Ready(started);
                let (task, at_ms) = (TaskRef { id, name: self.graph.name(id) }, self.now_ms());
                let (after_ms, named) = (after_ms.unwrap_or(u64::MAX), self.services.is_named(id));
                (self.listener)(&Event::ServiceReady { task, after_ms, named, at_ms });
                self.services_changed();
            }
            other => one.stage = other,
        }
    }

    /// What waited for a service may go on, or never will.
    pub(super) fn services_changed(&mut self) {
        let waiting = self.services.all.iter();
        let waiting = waiting.filter(|(_, one)| matches!(one.stage, Stage::Waiting));
        let mut waiting: Vec<TaskId> = waiting.map(|(&id, _)| id).collect();
        waiting.sort_unstable();
        waiting.into_iter().for_each(|id| self.want_service(id));
        for id in std::mem::take(&mut self.services.parked) {
            self.admit(id);
        }
    }

    fn service_ended(&mut self, id: TaskId, down: &Down) {
        // What it wrote, nobody declared.
        self.forget_everything();
        let needed = !self.users_are_done(id);
        let Some(stage) = self.take_stage(id, Stage::Gone) else { return };
        if self.starts_again(id) {
            return self.begin_again(id, stage, down);
        }
        let named = self.services.is_named(id);
        let how = down.status.map(|status| status.to_string()).unwrap_or_default();
        let failed = match &stage {
            _ if down.busy.is_some() => {
                self.tally.summary.busy = true;
                let holder = down.busy.clone().flatten();
                let so = described(holder.as_ref());
                Some(match holder.is_some_and(|holder| holder.stays) {
                    true => format!("it is up already, until another taskr is ended{so}"),
                    false => format!("another taskr runs it{so}"),
                })
            }
            _ if down.refused.is_some() => down.refused.clone(),
            Stage::Ending(_, failed) => failed.clone(),
            _ if self.services.killed => None,
            Stage::Starting(_) => Some(format!("it ended before it was ready: {how}")),
            Stage::Ready(_) if needed => Some(format!("it ended while others need it: {how}")),
            Stage::Ready(_) if named && down.status != Some(Status::Code(0)) => Some(how),
            _ => None,
        };
        let was_told = matches!(stage, Stage::Ending(..));
        stage.join();
        if let Some(what) = failed {
            return self.service_failed(id, what, down);
        }
        if was_told && down.status == Some(Status::Signal(KILL)) {
            self.warn(Some(id), "it did not end when it was told to, and was killed");
            // Nobody can say any more that it ended well.
            self.tally.summary.signal = self.tally.summary.signal.or(self.services.ended_by);
        }
        self.tell_service_ended(id, down);
        if named {
            let finish = match self.tally.summary.signal {
                None if !self.plan.is_stopped() => Finish::Ran,
                _ => Finish::Cancelled,
            };
            self.tell_service_finished(id, &finish, down, None);
        }
        self.services_changed();
    }

    /// Whether nothing of this run needs a service any more.
    fn users_are_done(&mut self, id: TaskId) -> bool {
        let mut users = self.services.users.remove(&id).unwrap_or_default();
        while let Some(&user) = users.last()
            && self.is_over(user)
        {
            users.pop();
        }
        let done = users.is_empty();
        self.services.users.insert(id, users);
        done
    }

    /// Whether a task will not run, or not any more, in this run.
    fn is_over(&mut self, id: TaskId) -> bool {
        let over = match self.plan.state(id) {
            State::Unwanted | State::Failed | State::Skipped => true,
            State::Waiting(_) | State::Ready => self.plan.is_stopped(),
            State::Started | State::Away | State::Due | State::Running => {
                !self.active.contains_key(&id)
            }
            State::Done => true,
        };
        match self.services.all.get(&id).map(|one| &one.stage) {
            None => over,
            Some(Stage::Gone | Stage::Failed(_)) => true,
            Some(Stage::Idle | Stage::Waiting) => {
                self.plan.is_stopped() || (!self.stays(id) && self.users_are_done(id))
            }
            Some(_) => false,
        }
    }

    /// Ends what is needed no more.
    pub(super) fn tend_services(&mut self) {
        if self.services.are_down() {
            return;
        }
        self.end_outdated();
        if self.lasts() {
            return;
        }
        let is_up = |stage: &Stage| {
            matches!(stage, Stage::Starting(_) | Stage::Ready(_) | Stage::Outdated(_))
        };
        let up = self.services.all.iter();
        let up = up.filter(|(_, one)| is_up(&one.stage));
        let mut up: Vec<TaskId> = up.map(|(&id, _)| id).collect();
        up.sort_unstable();
        for id in up {
            if self.stays(id) || !self.users_are_done(id) {
                continue;
            }
            let signal = self.tally.summary.signal.or(self.services.ended_by);
            let named = self.services.is_named(id);
            self.end_service(id, signal.filter(|_| named).unwrap_or(TERM), None);
        }
    }

    /// Whether the user wants it, whoever else does.
    fn stays(&self, id: TaskId) -> bool {
        let told = self.tally.summary.signal.or(self.services.ended_by);
        self.services.is_named(id) && told.is_none() && !self.plan.is_stopped()
    }

    /// Tells a service to end that is not told yet; because of `failed` if it failed.
    pub(super) fn end_service(&mut self, id: TaskId, signal: i32, failed: Option<String>) {
        let Some(one) = self.services.all.get_mut(&id) else { return };
        one.stage = match std::mem::replace(&mut one.stage, Stage::Idle) {
            Stage::Starting(mut started)
            | Stage::Ready(mut started)
            | Stage::Outdated(mut started) => {
                started.running.end(signal);
                Stage::Ending(started, failed)
            }
            other => other,
        };
    }

    /// Ctrl-C while nothing is left but services that the user asked for: that is how they end.
    pub(super) fn ends_services(&mut self, signal: i32) -> bool {
        let mut up = self.services.all.values().filter(|one| one.stage.started().is_some());
        let usual = signal == INT
            && self.request.lasting.is_none()
            && self.services.ended_by.is_none()
            && self.active.is_empty()
            && !self.services.are_down()
            && up.all(|one| matches!(one.stage, Stage::Ready(_)));
        if usual {
            self.services.ended_by = Some(signal);
        }
        usual
    }

    /// Whether the user has ended services before by a signal.
    pub(super) fn services_were_told(&self) -> bool {
        self.services.ended_by.is_some()
    }

    /// Whether it needs services.
    pub(super) fn uses_services(&self, id: TaskId) -> bool {
        !self.services.users.is_empty() && !needed(&self.graph, id).is_empty()
    }

    /// What ends this task alone, if it needs services.
    pub(super) fn stopper_of(&mut self, id: TaskId) -> Option<crate::process::Stop> {
        if self.services.users.is_empty() || needed(&self.graph, id).is_empty() {
            return None;
        }
        // Without it the task ends by itself, and fails then.
        let stopper = Stopper::new().ok()?;
        let stop = stopper.watch();
        self.services.stoppers.insert(id, stopper);
        Some(stop)
    }

    /// A task has ended: the service that it needed and that was gone by then, if there is one.
    pub(super) fn lost_service(
        &mut self,
        id: TaskId,
        running: &Running,
        ended: &Ended,
    ) -> Option<String> {
        if self.services.users.is_empty() {
            return None;
        }
        self.services.stoppers.remove(&id);
        let summary = &self.tally.summary;
        let was_told = summary.signal.is_some() || summary.timed_out.is_some();
        if running.due.hit.is_some() || (was_told && matches!(ended.result, Outcome::Stopped)) {
            return None;
        }
        let lost = needed_deeply(&self.graph, id).into_iter().find(|service| {
            self.services.all.get(service).is_none_or(|one| match &one.stage {
                Stage::Ready(started) => started.running.has_ended(),
                _ => true,
            })
        })?;
        Some(format!("the service `{}` ended while it ran", self.graph.name(lost)))
    }

    /// A task whose service was lost: what it made is of nobody knows what.
    pub(super) fn fail_for_service(
        &mut self,
        id: TaskId,
        running: &Running,
        ended: &Ended,
        lost: String,
    ) {
        let what = match &ended.result {
            Outcome::Failed(own) => format!("{own}; {lost}"),
            _ => lost,
        };
        self.keep_unproven(id, running, ended);
        self.fail(id, running, ended, what);
    }

    /// A dependency that counts by its key was built anew, unless it is a service.
    pub(super) fn name_services(&self, reasons: &mut [Reason]) {
        for reason in reasons {
            if let Reason::Dependency(name) = reason
                && let Some(id) = self.graph.find(name)
                && self.graph.task(id).kind() == Kind::Service
            {
                *reason = Reason::ServiceChanged(std::mem::take(name));
            }
        }
    }

    /// What services of a task are made of, to be asked for again after it has run.
    pub(super) fn inputs_of_services(&mut self, id: TaskId) -> (Vec<Expected>, Vec<Listed>) {
        let (mut inputs, mut globs) = (Vec::new(), Vec::new());
        if self.services.users.is_empty() {
            return (inputs, globs);
        }
        for service in needed_deeply(&self.graph, id) {
            let Some(one) = self.services.all.remove(&service) else { continue };
            inputs.extend(self.expected(&one.due.gathered));
            globs.extend(one.due.gathered.globs.iter().cloned());
            self.services.all.insert(service, one);
        }
        (inputs, globs)
    }
}
