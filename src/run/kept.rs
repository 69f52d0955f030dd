//! Services that outlive a build, under `taskr watch`: met again in the next, started anew if what
//! they are made of has changed, told of while no build runs, and ended at last.

use crossbeam_channel::select;
use rustc_hash::FxHashMap;

use super::away::described;
use super::services::{Stage, Started, TERM};
use super::{Build, Listener, Messages};
use crate::graph::Kind;
use crate::ids::{ServiceId, TaskId};
use crate::outcome::{Event, TaskRef};
use crate::plan::State;
use crate::process::Status;
use crate::workers::{Down, Message, News, Output, Piece, Writer};

const KILL: i32 = rustix::process::Signal::KILL.as_raw();

/// A service while no build runs.
pub(super) struct Kept {
    name: String,
    /// In the last build.
    id: TaskId,
    /// Asked for by name.
    named: bool,
    started: Started,
    /// The names of services that need it.
    users: Vec<String>,
}

/// All that are up while no build runs.
#[derive(Default)]
pub(super) struct Standing {
    services: Vec<Kept>,
}

impl Build<'_> {
    /// Whether what is up stays up behind this build.
    pub(super) fn lasts(&self) -> bool {
        let told = self.tally.summary.signal.is_some() || self.services_were_told();
        self.request.lasting.is_some() && !told
    }

    /// Whether there is nothing to wait for but services that are up and stay so.
    pub(super) fn leaves_services(&self) -> bool {
        let moves = |stage: &Stage| {
            matches!(stage, Stage::Starting(_) | Stage::Outdated(_) | Stage::Ending(..))
        };
        self.lasts() && !self.services.all.values().any(|one| moves(&one.stage))
    }

    /// A service is about to start.
    pub(super) fn new_service(&mut self, id: TaskId) -> ServiceId {
        let number = match self.request.lasting {
            Some(lasting) => lasting.next_number(),
            None => ServiceId(self.services.numbers.len() as u64),
        };
        self.services.numbers.insert(number, id);
        number
    }

    /// What the last build has left up: what is no longer wanted ends.
    pub(super) fn meet_kept(&mut self) {
        let Some(lasting) = self.request.lasting else { return };
        let (stay, go): (Vec<_>, Vec<_>) =
            lasting.take_standing().services.into_iter().partition(|kept| {
                self.graph.find(&kept.name).is_some_and(|id| self.is_wanted_service(id))
            });
        for Kept { name, started, .. } in stay {
            let Some(id) = self.graph.find(&name) else { continue };
            self.services.numbers.insert(started.number, id);
            self.services.kept.insert(id, started);
            let (task, named) = (TaskRef { id, name: &name }, self.services.is_named(id));
            (self.listener)(&Event::ServiceKept { task, named });
        }
        let mut go = Standing { services: go };
        let others = go.end(TERM, (self.messages, lasting.output()), self.listener).others;
        self.postponed.extend(others);
    }

    fn is_wanted_service(&self, id: TaskId) -> bool {
        let task = self.graph.task(id);
        let is_wanted = self.plan.state(id) != State::Unwanted;
        task.kind() == Kind::Service && is_wanted && task.rule.skipped.is_none()
    }

    /// How a service stands whose turn has come, and whether it starts anew when it has ended.
    pub(super) fn met(&mut self, id: TaskId) -> (Stage, bool) {
        let Some(started) = self.services.kept.remove(&id) else { return (Stage::Idle, false) };
        let service = self.graph.task(id).rule.target.service.as_ref();
        let restarts = service.is_none_or(|service| service.restart);
        if started.running.has_ended() {
            return (Stage::Ending(started, None), true);
        }
        if started.key == self.done[id].key || !restarts {
            return (Stage::Ready(started), false);
        }
        let (task, at_ms) = (TaskRef { id, name: self.graph.name(id) }, self.now_ms());
        (self.listener)(&Event::ServiceRestarts { task, at_ms });
        (Stage::Outdated(started), true)
    }

    /// One that was kept ended before its turn came.
    pub(super) fn lose_kept(&mut self, id: TaskId, down: &Down) {
        let Some(started) = self.services.kept.remove(&id) else { return };
        started.running.join();
        self.tell_service_ended(id, down);
        self.warn(Some(id), &lost(down));
    }

    /// Ends what is to start anew, after those that need it and are, too.
    pub(super) fn end_outdated(&mut self) {
        let outdated = |stage: &Stage| matches!(stage, Stage::Outdated(_));
        let all = self.services.all.iter().filter(|(_, one)| outdated(&one.stage));
        let all: Vec<TaskId> = all.map(|(&id, _)| id).collect();
        let is_old = |user: &TaskId| {
            let stage = self.services.all.get(user).map(|one| &one.stage);
            matches!(stage, Some(Stage::Outdated(_) | Stage::Ending(..)))
        };
        let users = |id: &TaskId| self.services.users.get(id).map_or(&[][..], |users| &users[..]);
        let ends = all.into_iter().filter(|id| !users(id).iter().any(is_old));
        for id in ends.collect::<Vec<_>>() {
            self.end_service(id, TERM, None);
        }
    }

    /// Whether a service that has ended is to start anew.
    pub(super) fn starts_again(&mut self, id: TaskId) -> bool {
        let lasts = self.lasts();
        let Some(one) = self.services.all.get_mut(&id) else { return false };
        std::mem::take(&mut one.again) && lasts
    }

    pub(super) fn begin_again(&mut self, id: TaskId, was: Stage, down: &Down) {
        was.join();
        if down.status == Some(Status::Signal(KILL)) {
            self.warn(Some(id), "it did not end when it was told to, and was killed");
        }
        self.tell_service_ended(id, down);
        self.set_stage(id, Stage::Idle);
        if self.services.is_named(id) {
            self.want_service(id);
        }
        self.services_changed();
    }

    /// All that is still up, for the next build.
    pub(super) fn leave_services(&mut self) -> Standing {
        for message in self.postponed.drain(..) {
            // It may be of one of them; the receiver is at hand.
            let _ = self.messages.0.send(message);
        }
        let all = std::mem::take(&mut self.services.all).into_iter();
        let judged = all.filter_map(|(id, one)| Some((id, one.stage.into_started()?)));
        let unjudged = std::mem::take(&mut self.services.kept);
        let mut services: Vec<Kept> = judged
            .chain(unjudged)
            .map(|(id, started)| {
                let is_service = |user: &&TaskId| self.graph.task(**user).kind() == Kind::Service;
                let users = self.services.users.get(&id).into_iter().flatten();
                let users = users.filter(is_service).map(|&user| self.graph.name(user).to_owned());
                let (name, users) = (self.graph.name(id).to_owned(), users.collect());
                Kept { name, id, named: self.services.is_named(id), started, users }
            })
            .collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        if let (false, Some(lock)) = (services.is_empty(), &mut self.held.lock) {
            // Their guard shares it, and outlives the run. That it cannot be given up is told to who
            // waits for it.
            let _ = lock.pause();
        }
        Standing { services }
    }
}

/// How services ended.
pub(super) struct AllEnded {
    /// Whether some had to be killed because the user did not wait.
    pub(super) killed: bool,
    /// What else was said meanwhile.
    pub(super) others: Vec<Message>,
}

impl Standing {
    fn find(&self, number: ServiceId) -> Option<&Kept> {
        self.services.iter().find(|kept| kept.started.number == number)
    }

    /// One has written something.
    pub(super) fn wrote(&self, (writer, bytes): &Piece, listener: &mut Listener<'_>) {
        let Writer::Service(number) = writer else { return };
        if let Some(kept) = self.find(*number) {
            listener(&Event::TaskOutput { task: kept.task(), bytes });
        }
    }

    /// One has something to say. How it ended, if that is it.
    pub(super) fn said(
        &mut self,
        number: ServiceId,
        news: News,
        listener: &mut Listener<'_>,
    ) -> Option<Down> {
        let at = self.services.iter().position(|kept| kept.started.number == number)?;
        match news {
            News::Ended(down) => {
                let kept = self.services.remove(at);
                let (task, exit_code) = (kept.task(), down.exit_code());
                let duration_ms = down.duration_ms;
                listener(&Event::ServiceEnded { task, exit_code, duration_ms, at_ms: 0 });
                kept.started.running.join();
                return Some(down);
            }
            News::Warning(message) => {
                let task = Some(self.services[at].task());
                listener(&Event::Warning { task, message: &message });
            }
            News::Ready | News::NotReady(_) => {}
        }
        None
    }

    /// The same, while it should stay up.
    pub(super) fn said_at_rest(
        &mut self,
        number: ServiceId,
        news: News,
        listener: &mut Listener<'_>,
    ) {
        let Some((id, name)) = self.find(number).map(|kept| (kept.id, kept.name.clone())) else {
            return;
        };
        if let Some(down) = self.said(number, news, listener) {
            let task = Some(TaskRef { id, name: &name });
            listener(&Event::Warning { task, message: &lost(&down) });
        }
    }

    /// Ends all, each after those that need it: what was asked for by this signal, the others by
    /// TERM. A signal meanwhile kills.
    pub(super) fn end(
        &mut self,
        signal: i32,
        (messages, output): (&Messages, Output),
        listener: &mut Listener<'_>,
    ) -> AllEnded {
        let mut ended = AllEnded { killed: false, others: Vec::new() };
        let mut told: FxHashMap<ServiceId, ()> = FxHashMap::default();
        while !self.services.is_empty() {
            let up: Vec<String> = self.services.iter().map(|kept| kept.name.clone()).collect();
            for kept in &mut self.services {
                let is_free = !kept.users.iter().any(|user| up.contains(user));
                if is_free && told.insert(kept.started.number, ()).is_none() {
                    kept.started.running.end(if kept.named { signal } else { TERM });
                }
            }
            select! {
                recv(output.1) -> piece => {
                    piece.iter().for_each(|piece| self.wrote(piece, listener));
                }
                recv(messages.1) -> message => match message {
                    Ok(Message::Service(number, news)) if self.find(number).is_some() => {
                        self.said(number, news, listener);
                    }
                    Ok(Message::Signal(_)) => {
                        ended.killed = true;
                        self.services.iter().for_each(|kept| kept.started.running.kill());
                    }
                    other => ended.others.extend(other),
                },
            }
        }
        ended
    }
}

impl Kept {
    fn task(&self) -> TaskRef<'_> {
        TaskRef { id: self.id, name: &self.name }
    }
}

/// That a service ended which should not have.
fn lost(down: &Down) -> String {
    let how = match (&down.busy, &down.refused, down.status) {
        (Some(holder), ..) => format!("another taskr runs it{}", described(holder.as_ref())),
        (_, Some(refused), _) => refused.clone(),
        (.., Some(status)) => status.to_string(),
        _ => "it never started".to_owned(),
    };
    format!("it ended: {how}; the next build starts it again")
}
