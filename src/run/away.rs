//! Giving the workspace to another taskr while only unrecorded tasks run, and taking it back.
//!
//! What is to be judged meanwhile waits in a state of its own. The lock is asked for from time to
//! time, and everything else goes on: a task that runs never waits for one that waits for the lock,
//! so two runs cannot wait for each other. While nothing is at work but waiting, the time of the run
//! stands still.

use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;
use taskr_cache::{Access, Writer};

use super::open::{io, read_state};
use super::{Active, Again, Build, Listener};
use crate::error::Error;
use crate::graph::Kind;
use crate::ids::TaskId;
use crate::lock::{Acquired, Note, Wait};
use crate::outcome::Event;
use crate::outdir::STATE_DIR;
use crate::workers::Message;

/// The end of a shorter wait for another taskr is not told.
const WAIT_TOLD: Duration = Duration::from_secs(1);

/// How often a lock that another has is asked for.
const LOCK_TICK: Duration = Duration::from_millis(50);

/// What waits for other taskrs.
#[derive(Default)]
pub(super) struct Away {
    /// Set while the workspace is wanted back.
    wanted: Option<Wanted>,
    /// Tasks at work that only wait until another taskr has run the same.
    pub(super) behind_others: FxHashSet<TaskId>,
}

#[derive(Clone, Copy)]
struct Wanted {
    since: Instant,
    asks_at: Instant,
}

impl Away {
    /// When the lock is asked for again.
    pub(super) fn asks_at(&self) -> Option<Instant> {
        self.wanted.map(|wanted| wanted.asks_at)
    }
}

impl Build<'_> {
    /// While only unrecorded tasks run the workspace is free for others.
    pub(super) fn give_way(&mut self) {
        // What make says is kept.
        if self.tokens.is_asking_make() {
            return;
        }
        let all_unrecorded = self.active.iter().all(|(&id, active)| {
            let waits_or_runs =
                matches!(active, Active::Running(_) | Active::Resting(_) | Active::Runnable(_));
            waits_or_runs && self.graph.task(id).kind() == Kind::Unrecorded
        });
        let (true, Some(lock)) = (all_unrecorded, &mut self.held.lock) else { return };
        let failed = self.held.writer.take().and_then(Writer::close);
        let paused = lock.pause();
        for warning in failed.into_iter().chain(paused.err().map(|error| error.to_string())) {
            self.warn(None, &warning);
        }
    }

    /// Whether the workspace is this run's, so that a task can be judged that is recorded. If not
    /// the task waits for that, or with `--no-wait` has failed.
    pub(super) fn is_at_home(&mut self, id: TaskId) -> Result<bool, Error> {
        let holder = match self.come_back()? {
            Acquired::Held(()) => return Ok(true),
            Acquired::Busy(holder) => holder,
            Acquired::Stopped => None,
        };
        if self.request.wait {
            self.plan.is_away(id);
            self.active.insert(id, Active::Away);
        } else {
            self.active.remove(&id);
            self.tally.summary.busy = true;
            let holder = described(holder.as_ref());
            self.cannot_start(id, format!("another taskr works here{holder}"), None);
        }
        Ok(false)
    }

    /// Asks for the lock when it is time for that. With it those that waited for it are judged.
    pub(super) fn come_back_in_time(&mut self) -> Result<(), Error> {
        if self.away.wanted.is_none() {
            return Ok(());
        }
        let waits = self.active.iter().filter(|(_, active)| matches!(active, Active::Away));
        let mut waits: Vec<TaskId> = waits.map(|(&id, _)| id).collect();
        if waits.is_empty() {
            self.away.wanted = None;
            return Ok(());
        }
        if !matches!(self.come_back()?, Acquired::Held(())) {
            return Ok(());
        }
        self.away.wanted = None;
        waits.sort_by_key(|&id| std::cmp::Reverse(self.plan.rank(id)));
        for id in waits {
            self.plan.judges(id);
            self.active.insert(id, Active::Judging(Again::default()));
            self.judge(id)?;
        }
        Ok(())
    }

    /// The same for a run with nothing else to do. Says whether the workspace is its own: it is not
    /// if a signal came, or with `--no-wait`.
    pub(super) fn wait_to_come_back(&mut self) -> Result<bool, Error> {
        loop {
            if matches!(self.come_back()?, Acquired::Held(())) {
                self.away.wanted = None;
                return Ok(true);
            }
            if !self.request.wait {
                self.tally.summary.busy = true;
                return Ok(false);
            }
            if let Some(Message::Signal(signal)) = self.wait_until(self.away.asks_at()) {
                self.signal(signal);
                return Ok(false);
            }
        }
    }

    /// Takes the workspace back if nobody has it; what was known of it is asked for anew.
    fn come_back(&mut self) -> Result<Acquired<()>, Error> {
        let lock = self.held.lock.as_mut().filter(|_| self.held.writer.is_none());
        let Some(lock) = lock else { return Ok(Acquired::Held(())) };
        let (now, wanted) = (Instant::now(), self.away.wanted);
        if wanted.is_some_and(|wanted| now < wanted.asks_at) {
            return Ok(Acquired::Busy(None));
        }
        let dir = self.request.root.join(STATE_DIR);
        let taken = lock.resume(Wait::No).map_err(|cause| io("cannot lock", &dir, cause))?;
        if let Acquired::Busy(holder) = &taken {
            if !self.request.wait {
                return Ok(taken);
            }
            if wanted.is_none() {
                waiting_for(holder.as_ref(), self.listener);
            }
            let since = wanted.map_or(now, |wanted| wanted.since);
            self.away.wanted = Some(Wanted { since, asks_at: now + LOCK_TICK });
            return Ok(taken);
        }
        if let Some(wanted) = &mut self.away.wanted {
            waited_since(wanted.since, self.listener);
            wanted.asks_at = now;
        }
        let opened = read_state(&dir, Access::Write);
        self.forget_everything();
        self.held.state = opened.state;
        self.held.live_intents = opened.live_intents;
        self.held.next_intent = self.held.next_intent.max(opened.next_intent);
        self.held.intents = None;
        self.held.writer = Some(Writer::new(&dir));
        for warning in &opened.warnings {
            self.warn(None, warning);
        }
        Ok(Acquired::Held(()))
    }

    /// Whether all that is at work waits for other taskrs.
    pub(super) fn only_waits(&self) -> bool {
        let waits = |(id, active): (&TaskId, &Active)| match active {
            Active::Away => true,
            Active::Running(_) => self.away.behind_others.contains(id),
            _ => false,
        };
        !self.active.is_empty() && self.active.iter().all(waits)
    }
}

/// Tells for whom is waited.
pub(super) fn waiting_for(note: Option<&Note>, listener: &mut Listener<'_>) {
    let message = format!("waiting for another taskr{}", described(note));
    listener(&Event::Warning { task: None, message: &message });
}

/// The waiting is over; told if somebody may have looked elsewhere meanwhile.
pub(super) fn waited_since(begun: Instant, listener: &mut Listener<'_>) {
    let waited = begun.elapsed();
    if waited >= WAIT_TOLD {
        let tenths = waited.as_millis() / 100;
        let message =
            format!("the other taskr has ended: going on after {}.{}s", tenths / 10, tenths % 10);
        listener(&Event::Warning { task: None, message: &message });
    }
}

/// Who another taskr is, behind what it does; empty if that is not known.
pub(super) fn described(note: Option<&Note>) -> String {
    note.map_or_else(String::new, |note| format!(" (process {}: {})", note.pid, note.command))
}
