//! Signals, and what becomes of the tasks that only wait when nothing new starts any more.

use super::finish::End;
use super::retry::Resting;
use super::{Active, Build};
use crate::ids::TaskId;
use crate::outcome::Finish;
use crate::workers::Message;

impl Build<'_> {
    /// A long stretch of fresh tasks must not make a signal wait; what workers say keeps its turn.
    pub(super) fn hear_signals(&mut self) {
        while let Ok(message) = self.messages.1.try_recv() {
            match message {
                Message::Signal(signal) => self.signal(signal),
                other => self.postponed.push_back(other),
            }
        }
    }

    /// The first signal stops new starts and is forwarded; the second kills, and so does the first
    /// if tasks were asked to end before.
    pub(super) fn signal(&mut self, signal: i32) {
        if self.is_for_console(signal) {
            return;
        }
        let asked = self.tally.summary.timed_out.is_some();
        if self.tally.summary.signal.is_some() || asked || self.services_were_told() {
            self.tally.summary.signal.get_or_insert(signal);
            self.stopper.kill();
            self.services.kill();
            return;
        }
        if self.ends_services(signal) {
            return;
        }
        self.tally.summary.signal = Some(signal);
        self.plan.stop();
        self.stop_tasks(signal);
        self.give_up_judging();
    }

    /// Tasks that only wait, for files to be read, for a place or for their next attempt, end here.
    pub(super) fn give_up_judging(&mut self) {
        let judging: Vec<TaskId> = self
            .active
            .iter()
            .filter(|(_, active)| !matches!(active, Active::Running(_) | Active::Recording(..)))
            .map(|(&id, _)| id)
            .collect();
        self.admission.clear();
        self.batches.clear();
        self.rests.clear();
        let signalled = self.tally.summary.signal.is_some();
        for id in judging {
            let active = self.active.remove(&id);
            self.waiting.missing.remove(&id);
            match active {
                Some(Active::Resting(resting)) if signalled => {
                    self.end(id, &End::stopped(&resting.ended, &resting.running));
                }
                Some(Active::Resting(resting)) => {
                    let Resting { running, ended, what } = *resting;
                    self.fail(id, &running, &ended, what);
                }
                _ if signalled => self.end(id, &End::without_run(Finish::Cancelled)),
                _ => self.end(id, &End::skipped(self.because_stopped())),
            }
        }
    }
}
