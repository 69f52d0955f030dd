//! Pools: so much may be taken at once, so often may one start. Knows no clock: time is told.
//!
//! Starts are spread evenly, never burst: behind a start of cost `c` the next one comes `c`
//! intervals later, however long nothing was started before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::graph::Pool;

/// What there is of each pool.
#[derive(Debug, Default)]
pub(super) struct Pools(Vec<State>);

#[derive(Debug)]
struct State {
    pool: Arc<Pool>,
    taken: u32,
    /// Not before then by the rate.
    next: Option<Instant>,
    /// Kept for one who goes first and cannot have enough of it yet.
    reserved: bool,
}

/// A number of pools, and what is taken of each.
pub(super) type Takes = Vec<(usize, u32)>;

/// Whether a task can have what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// Not before then, if nobody else comes.
    At(Instant),
    /// Not before another ends.
    No,
}

impl Pools {
    /// What a task takes, by the numbers that pools have here.
    pub(super) fn takes(&mut self, costs: &[(Arc<Pool>, u32)]) -> Takes {
        let number = |(pool, cost): &(Arc<Pool>, u32)| {
            let known = self.0.iter().position(|state| state.pool.name == pool.name);
            let at = known.unwrap_or_else(|| {
                self.0.push(State { pool: pool.clone(), taken: 0, next: None, reserved: false });
                self.0.len() - 1
            });
            (at, *cost)
        };
        costs.iter().map(number).collect()
    }

    /// What was reserved is free again: who goes first is asked for anew.
    pub(super) fn unreserve(&mut self) {
        self.0.iter_mut().for_each(|state| state.reserved = false);
    }

    /// Whether there is enough of all. Where there is not, what is short is reserved, so that those
    /// who come later and need less do not keep it short.
    pub(super) fn fit(&mut self, takes: &Takes, now: Instant) -> Fit {
        let mut fit = Fit::Yes;
        for &(at, cost) in takes {
            let state = &mut self.0[at];
            let full = state.pool.slots.is_some_and(|slots| cost > slots - state.taken);
            let early = state.next.filter(|next| *next > now);
            let short = full || early.is_some() || state.reserved;
            fit = match (fit, early) {
                _ if full || state.reserved => Fit::No,
                (Fit::No, _) => Fit::No,
                (Fit::At(other), Some(next)) => Fit::At(other.max(next)),
                (Fit::Yes, Some(next)) => Fit::At(next),
                (fit, None) => fit,
            };
            state.reserved |= short;
        }
        fit
    }

    /// A task starts.
    pub(super) fn take(&mut self, takes: &Takes, now: Instant) {
        for &(at, cost) in takes {
            let state = &mut self.0[at];
            state.taken += cost;
            if let Some(interval) = state.pool.interval {
                let pause = interval.checked_mul(cost).unwrap_or(Duration::MAX);
                let from = state.next.map_or(now, |next| next.max(now));
                state.next = from.checked_add(pause);
            }
        }
    }

    /// A task ended. What it took of a rate is spent.
    pub(super) fn give_back(&mut self, takes: &Takes) {
        for &(at, cost) in takes {
            self.0[at].taken -= cost;
        }
    }
}
