//! A failed attempt is followed by another, if the target says so: after a wait that takes no
//! place, with everything judged anew but for why it runs.

use std::time::Instant;

use taskr_cache::{Digest, KeyHasher};

use super::commit::MOST_MOVED;
use super::{Active, Again, Build, Running};
use crate::error::Error;
use crate::ids::TaskId;
use crate::outcome::{Event, TaskRef};
use crate::plan::wait;
use crate::workers::Ended;

/// A failed attempt that was followed by another.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    /// What went wrong.
    pub(super) what: String,
    pub(super) exit_code: Option<i32>,
    pub(super) duration_ms: u64,
    /// Under which key its command failed, if it was the command.
    pub(super) key: Option<Digest>,
}

/// The attempts of a task in this run, up to the present one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    /// Those that failed.
    pub(super) failed: Vec<Tried>,
    /// How many were made in vain, because inputs moved meanwhile.
    pub(super) moved: usize,
    /// When the first began, if there were others, in milliseconds since the run did.
    pub(super) begun_ms: Option<u64>,
}

impl Tries {
    /// Number of the present attempt, from 1.
    pub(super) fn attempt(&self) -> usize {
        self.failed.len() + self.moved + 1
    }

    /// Whether it is not repeated if inputs move.
    pub(super) fn is_last(&self) -> bool {
        self.moved + 1 >= MOST_MOVED
    }

    /// After one more in vain, that began then.
    pub(super) fn once_more(&self, begun_ms: u64) -> Tries {
        Tries {
            failed: self.failed.clone(),
            moved: self.moved + 1,
            begun_ms: self.begun_ms.or(Some(begun_ms)),
        }
    }
}

/// A task between two attempts.
pub(super) struct Resting {
    pub(super) running: Box<Running>,
    pub(super) ended: Ended,
    /// What went wrong.
    pub(super) what: String,
}

impl Build<'_> {
    /// An attempt failed: the next one follows, or the task has failed.
    pub(super) fn attempt_failed(
        &mut self,
        id: TaskId,
        running: Box<Running>,
        mut ended: Ended,
        what: String,
    ) {
        // The next attempt locks its folder again.
        let lock = ended.lock.take();
        if self.may_try_again(id, &running, &ended) {
            self.rest(id, Resting { running, ended, what });
            return;
        }
        self.task_locks.extend(lock);
        if ended.command_failed {
            self.note_failure(id, &running);
        }
        self.fail(id, &running, &ended, what);
    }

    fn may_try_again(&self, id: TaskId, running: &Running, ended: &Ended) -> bool {
        let Some(retry) = &self.graph.task(id).rule.target.schedule.retry else { return false };
        let has_run = ended.command_failed || ended.timed_out || ended.exit_code.is_some();
        let meant = retry.on_exit.is_empty()
            || ended.exit_code.is_some_and(|code| retry.on_exit.contains(&code));
        has_run
            && meant
            && !self.plan.is_stopped()
            && running.due.tries.failed.len() < retry.times as usize
    }

    fn rest(&mut self, id: TaskId, resting: Resting) {
        let Some(retry) = &self.graph.task(id).rule.target.schedule.retry else { return };
        let failed = u32::try_from(resting.running.due.tries.failed.len() + 1).unwrap_or(u32::MAX);
        let attempt = resting.running.due.tries.attempt();
        let wait = wait(retry, failed, self.chance(id, attempt));
        let left = retry.times as usize + 1 - failed as usize;
        let at_ms = self.now_ms();
        (self.listener)(&Event::TaskRetrying {
            task: TaskRef { id, name: self.graph.name(id) },
            what: &resting.what,
            exit_code: resting.ended.exit_code,
            duration_ms: resting.ended.duration_ms,
            attempt,
            left,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            at_ms,
        });
        self.active.insert(id, Active::Resting(Box::new(resting)));
        self.rests.rest(id, Instant::now() + wait);
    }

    /// The same for the same attempt of the same run, and as good as random otherwise.
    fn chance(&self, id: TaskId, attempt: usize) -> u64 {
        let mut hasher = KeyHasher::new("taskr 2026 jitter v1");
        for part in [self.run_id.as_bytes(), self.graph.name(id).as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.update(&(attempt as u64).to_le_bytes());
        let digest = hasher.finish();
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// Tasks whose wait is over are judged again.
    pub(super) fn wake(&mut self) -> Result<(), Error> {
        while let Some(id) = self.rests.over(Instant::now()) {
            let Some(Active::Resting(resting)) = self.active.remove(&id) else { continue };
            let Resting { running, ended, what } = *resting;
            self.forget_everything();
            self.tally.retried(ended.duration_ms + ended.in_vain_ms);
            let mut tries = running.due.tries;
            tries.begun_ms.get_or_insert(running.begun_ms);
            let key = running.due.gathered.key.filter(|_| ended.command_failed);
            let (exit_code, duration_ms) = (ended.exit_code, ended.duration_ms);
            tries.failed.push(Tried { what, exit_code, duration_ms, key });
            let because = running.due.reasons;
            self.plan.judges(id);
            self.active.insert(id, Active::Judging(Again { tries, because, left: Vec::new() }));
            self.judge_again(id)?;
        }
        Ok(())
    }
}
