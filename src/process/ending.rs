//! When which signal is due: the request to stop, the end of its time, what is left over after the
//! process ended, the last resort.
//!
//! Knows no process and no clock: time is an argument, a signal is an answer, so every order of
//! events is tested as a table.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::stop::Asked;

/// What a process group may go on after its leader ended (ninja#2052, bazel#10245).
const LEFT_OVER_WAIT: Duration = Duration::from_secs(1);
/// From TERM to KILL for what is left over.
const LEFT_OVER_GRACE: Duration = Duration::from_millis(200);
/// How long the killed are waited for: one that hangs in the kernel must not hang us.
const KILLED_WAIT: Duration = Duration::from_secs(1);

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Send this to the group.
    Signal(Signal),
    /// Ask the group to end, by TERM: its time is over.
    TimeOut,
    /// Ask what the leader left over to end, by TERM.
    EndLeftOver,
    /// What is left cannot be ended: go.
    GiveUp,
}

/// How far the ending of one process group has gone.
#[derive(Debug)]
pub(super) struct Ending {
    grace: Duration,
    /// The requests that were acted upon.
    heard: Asked,
    /// When its time is over; taken when that was done, or the leader ended before.
    expires_at: Option<Instant>,
    /// When left-overs are asked to end; known once the leader ended, taken when it was done.
    terminate_at: Option<Instant>,
    kill_at: Option<Instant>,
    give_up_at: Option<Instant>,
    leader_ended: bool,
    cut: bool,
}

impl Ending {
    pub(super) fn new(grace: Duration) -> Ending {
        Ending {
            grace,
            heard: Asked::Nothing,
            expires_at: None,
            terminate_at: None,
            kill_at: None,
            give_up_at: None,
            leader_ended: false,
            cut: false,
        }
    }

    /// The same for a process that may run until `at`.
    pub(super) fn until(self, at: Option<Instant>) -> Ending {
        Ending { expires_at: at, ..self }
    }

    /// The leader has ended: what is left has its second.
    pub(super) fn leader_ended(&mut self, now: Instant) {
        self.leader_ended = true;
        self.expires_at = None;
        match self.give_up_at {
            Some(_) => self.give_up_at = now.checked_add(KILLED_WAIT),
            None => self.terminate_at = now.checked_add(LEFT_OVER_WAIT),
        }
    }

    /// The request that was acted upon last.
    pub(super) fn heard(&self) -> Asked {
        self.heard
    }

    /// Whether left-overs are no longer waited for, but being ended.
    pub(super) fn is_cut(&self) -> bool {
        self.leader_ended && self.cut
    }

    /// The next thing to do at `now`, if any; to be asked until there is none.
    pub(super) fn due(&mut self, now: Instant, asked: Asked) -> Option<Act> {
        if asked.level() > self.heard.level() {
            self.heard = asked;
            match asked {
                Asked::Nothing => {}
                Asked::Stop(signal) => {
                    self.kill_at = now.checked_add(self.grace);
                    return Some(Act::Signal(signal));
                }
                Asked::Kill => return Some(self.kill(now)),
            }
        }
        if passed(self.kill_at, now) {
            return Some(self.kill(now));
        }
        if passed(self.expires_at, now) {
            self.expires_at = None;
            if self.kill_at.is_none() {
                self.kill_at = now.checked_add(self.grace);
                return Some(Act::TimeOut);
            }
        }
        if passed(self.terminate_at, now) {
            self.terminate_at = None;
            self.cut = true;
            self.kill_at = self.kill_at.max(now.checked_add(LEFT_OVER_GRACE));
            return Some(Act::EndLeftOver);
        }
        (self.leader_ended && passed(self.give_up_at, now)).then_some(Act::GiveUp)
    }

    /// When [`Ending::due`] will have something to do if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let give_up_at = self.give_up_at.filter(|_| self.leader_ended);
        [self.expires_at, self.terminate_at, self.kill_at, give_up_at].into_iter().flatten().min()
    }

    fn kill(&mut self, now: Instant) -> Act {
        self.cut = true;
        self.expires_at = None;
        self.terminate_at = None;
        self.kill_at = None;
        self.give_up_at = now.checked_add(KILLED_WAIT);
        Act::Signal(Signal::KILL)
    }
}

fn passed(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Option<Act> = Some(Act::Signal(Signal::TERM));
    const KILL: Option<Act> = Some(Act::Signal(Signal::KILL));

    /// What is due at the given ends of milliseconds, all of it at each.
    fn due_at(ending: &mut Ending, zero: Instant, at_ms: u64, asked: Asked) -> Option<Act> {
        let now = zero + Duration::from_millis(at_ms);
        let act = ending.due(now, asked);
        assert!(act.is_none_or(|act| act == Act::GiveUp || ending.due(now, asked).is_none()));
        act
    }

    #[test]
    fn an_undisturbed_process_is_left_alone() {
        let zero = Instant::now();
        let mut ending = Ending::new(Duration::from_secs(5));
        assert_eq!(ending.deadline(), None);
        assert_eq!(due_at(&mut ending, zero, 1_000_000, Asked::Nothing), None);
        assert!(!ending.is_cut());
    }

    #[test]
    fn left_overs_get_a_second_then_term_then_kill() {
        let zero = Instant::now();
        let mut ending = Ending::new(Duration::from_secs(5));
        ending.leader_ended(zero);
        assert_eq!(ending.deadline(), Some(zero + LEFT_OVER_WAIT));
        let table = [
            (999, None),
            (1000, Some(Act::EndLeftOver)),
            (1199, None),
            (1200, KILL),
            (2199, None),
            (2200, Some(Act::GiveUp)),
        ];
        for (at_ms, act) in table {
            assert_eq!(due_at(&mut ending, zero, at_ms, Asked::Nothing), act, "{at_ms}");
            assert_eq!(ending.is_cut(), at_ms >= 1000);
        }
    }

    #[test]
    fn a_stop_is_forwarded_once_and_kills_after_the_grace() {
        let zero = Instant::now();
        let mut ending = Ending::new(Duration::from_secs(5));
        let stop = Asked::Stop(Signal::TERM);
        let table = [(0, TERM), (4999, None), (5000, KILL), (1_000_000, None)];
        for (at_ms, act) in table {
            assert_eq!(due_at(&mut ending, zero, at_ms, stop), act, "{at_ms}");
        }
        ending.leader_ended(zero + Duration::from_secs(2000));
        assert_eq!(due_at(&mut ending, zero, 2_000_999, stop), None);
        assert_eq!(due_at(&mut ending, zero, 2_001_000, stop), Some(Act::GiveUp));
    }

    #[test]
    fn the_grace_is_that_of_the_whole_group() {
        let zero = Instant::now();
        let mut ending = Ending::new(Duration::from_secs(5));
        let stop = Asked::Stop(Signal::INT);
        assert_eq!(due_at(&mut ending, zero, 0, stop), Some(Act::Signal(Signal::INT)));
        ending.leader_ended(zero);
        assert_eq!(due_at(&mut ending, zero, 1000, stop), Some(Act::EndLeftOver));
        assert_eq!(due_at(&mut ending, zero, 4999, stop), None);
        assert_eq!(due_at(&mut ending, zero, 5000, stop), KILL);
    }

    #[test]
    fn a_process_whose_time_is_over_is_asked_then_killed() {
        let zero = Instant::now();
        let until = |ms| zero.checked_add(Duration::from_millis(ms));
        let mut ending = Ending::new(Duration::from_secs(5)).until(until(300));
        assert_eq!(ending.deadline(), until(300));
        let table = [(299, None), (300, Some(Act::TimeOut)), (5299, None), (5300, KILL)];
        for (at_ms, act) in table {
            assert_eq!(due_at(&mut ending, zero, at_ms, Asked::Nothing), act, "{at_ms}");
        }
        assert_eq!(ending.heard(), Asked::Nothing, "nobody asked for it");
    }

    #[test]
    fn the_end_of_its_time_is_nothing_to_who_ended_or_was_asked_to() {
        let zero = Instant::now();
        let until = zero.checked_add(Duration::from_millis(300));
        let mut ended = Ending::new(Duration::from_secs(5)).until(until);
        ended.leader_ended(zero);
        assert_eq!(due_at(&mut ended, zero, 400, Asked::Nothing), None);
        assert_eq!(due_at(&mut ended, zero, 1000, Asked::Nothing), Some(Act::EndLeftOver));
        let mut asked = Ending::new(Duration::from_secs(5)).until(until);
        let stop = Asked::Stop(Signal::INT);
        assert_eq!(due_at(&mut asked, zero, 1, stop), Some(Act::Signal(Signal::INT)));
        assert_eq!(due_at(&mut asked, zero, 400, stop), None);
        assert_eq!(due_at(&mut asked, zero, 5001, stop), KILL);
    }

    #[test]
    fn kill_is_at_once_whatever_was_before() {
        let zero = Instant::now();
        for earlier in [Asked::Nothing, Asked::Stop(Signal::INT)] {
            let mut ending = Ending::new(Duration::MAX);
            ending.due(zero, earlier);
            assert_eq!(due_at(&mut ending, zero, 1, Asked::Kill), KILL);
            assert_eq!(due_at(&mut ending, zero, 2, Asked::Kill), None);
            assert_eq!(ending.deadline(), None, "the leader itself is waited for");
        }
    }
}
