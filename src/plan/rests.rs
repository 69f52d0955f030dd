//! Tasks that failed and wait for their next attempt: how long, and who is next.
//!
//! Who waits takes no place: the queue knows no jobs, only times, and those are told to it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::ids::TaskId;
use crate::parse::Retry;

/// Tasks by the time of their next attempt.
#[derive(Debug, Default)]
pub struct Rests(BinaryHeap<Reverse<(Instant, TaskId)>>);

impl Rests {
    /// A task waits until then.
    pub fn rest(&mut self, id: TaskId, until: Instant) {
        self.0.push(Reverse((until, id)));
    }

    /// A task that has waited long enough; to be asked until there is none.
    pub fn over(&mut self, now: Instant) -> Option<TaskId> {
        self.0.peek().filter(|Reverse((until, _))| *until <= now)?;
        self.0.pop().map(|Reverse((_, id))| id)
    }

    /// When the first of them has waited long enough.
    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((until, _))| *until)
    }

    /// Nobody waits any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// How long to wait behind the `failed`th attempt. Half of the exponential wait, and of the other
/// half such a part as `chance` is of all that it can be, so that tasks that failed together do not
/// come back together ("equal jitter" of the AWS Architecture Blog, Exponential Backoff And Jitter).
pub fn wait(retry: &Retry, failed: u32, chance: u64) -> Duration {
    let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
    let full_ms = (retry.backoff_ms as f64 * retry.factor.powi(exponent)).min(retry.max_ms as f64);
    let part = 0.5 + 0.5 * (chance as f64 / u64::MAX as f64);
    Duration::from_micros((full_ms * part * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    #[test]
    fn waits_grow_to_their_bound_and_differ_by_chance() {
        let retry = |backoff_ms, factor, max_ms| Retry {
            times: 9,
            backoff_ms,
            factor,
            max_ms,
            on_exit: Vec::new(),
        };
        let table = [
            (retry(1000, 2.0, 30_000), 1, u64::MAX, 1_000_000),
            (retry(1000, 2.0, 30_000), 1, 0, 500_000),
            (retry(1000, 2.0, 30_000), 4, u64::MAX, 8_000_000),
            (retry(1000, 2.0, 30_000), 6, u64::MAX, 30_000_000),
            (retry(1000, 2.0, 30_000), 1000, 0, 15_000_000),
            (retry(200, 1.0, 30_000), 7, u64::MAX, 200_000),
            (retry(5000, 2.0, 100), 1, u64::MAX, 100_000),
        ];
        for (retry, failed, chance, expected_us) in table {
            let waited = wait(&retry, failed, chance);
            assert_eq!(waited, Duration::from_micros(expected_us), "{failed} {retry:?}");
        }
    }

    #[test]
    fn who_waits_is_told_when_it_is_time() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let task = TaskId::from_index;
        let mut rests = Rests::default();
        assert_eq!((rests.next(), rests.over(zero)), (None, None));
        rests.rest(task(1), at(30));
        rests.rest(task(2), at(10));
        rests.rest(task(3), at(30));
        assert_eq!(rests.next(), Some(at(10)));
        assert_eq!(
            (rests.over(at(9)), rests.over(at(10)), rests.over(at(10))),
            (None, Some(task(2)), None)
        );
        assert_eq!((rests.over(at(40)), rests.over(at(40))), (Some(task(1)), Some(task(3))));
        assert_eq!(rests.next(), None);
    }
}
