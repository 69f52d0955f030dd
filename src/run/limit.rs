//! The time that a whole run may take: when it is over nothing new starts, and what runs is ended.

use std::time::{Duration, Instant};

use super::services::TERM;
use super::{Active, Build};
use crate::outcome::TimedOut;

impl Build<'_> {
    /// When the run has to be over; not while all of it waits for other taskrs. It counts from when
    /// the workspace is its own.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let limit = Duration::from_millis(self.request.timeout_ms?);
        let over = self.tally.summary.timed_out.is_some() || self.tally.summary.signal.is_some();
        let over = over || self.only_waits();
        self.worked_since.checked_add(limit).filter(|_| !over)
    }

    /// Ends the run if its time is over. Says whether it is.
    pub(super) fn end_in_time(&mut self) -> bool {
        if self.deadline().is_none_or(|deadline| Instant::now() < deadline) {
            return false;
        }
        let after_ms = self.request.timeout_ms.unwrap_or(0);
        self.tally.summary.timed_out = Some(TimedOut { after_ms, running: self.at_work() });
        self.plan.stop();
        self.stop_tasks(TERM);
        self.give_up_judging();
        true
    }

    /// The tasks that run, by name.
    fn at_work(&self) -> Vec<String> {
        let runs = |active: &Active| matches!(active, Active::Running(_) | Active::Resting(_));
        let running = self.active.iter().filter(|(_, active)| runs(active));
        let mut ids: Vec<_> = running.map(|(&id, _)| id).collect();
        ids.sort_unstable();
        ids.into_iter().map(|id| self.graph.name(id).to_owned()).collect()
    }
}
