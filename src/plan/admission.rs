//! Which of the tasks that must run may start: places of `-j`, pools, memory, the load of the
//! machine. A pure state machine: time and the machine are told to it.
//!
//! Tasks are asked for in the order of their rank. Who lacks something of a pool, or memory, waits
//! and holds up only those behind it that want the same; who lacks places holds up all behind it,
//! else a wide task would never find enough of them free.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::Rank;
use super::classes::{Classes, PLAIN};
use super::pools::{Fit, Pools, Takes};
use crate::graph::Demand;
use crate::ids::TaskId;
use crate::parse::Cpus;

/// What the machine says changes by itself: it is asked again after this.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// What was started so short ago is not in the load yet and is added to it (the idea is GNU make's,
/// `load_too_high` in its job.c).
const NOT_IN_LOAD: Duration = Duration::from_secs(1);

/// What the machine says of itself, where it does and somebody wants to know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// The load average of the last minute.
    pub load: Option<f64>,
    /// Memory that new work can have, in bytes.
    pub available_bytes: Option<u64>,
}

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Start this task.
    Start(TaskId),
    /// Nothing may start before then, unless a task ends or another one comes.
    WaitUntil(Instant),
    /// Nothing may start before a task ends or another one comes.
    Wait,
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Places; at least 1.
    pub jobs: usize,
    /// Nothing starts above this load, unless nothing runs.
    pub load: Option<f64>,
}

/// See the module.
#[derive(Debug)]
pub struct Admission {
    bounds: Bounds,
    classes: Classes,
    /// What a task of each class takes of pools.
    takes: Vec<Takes>,
    pools: Pools,
    /// What waits, by class.
    waiting: Vec<BinaryHeap<Rank>>,
    running: FxHashMap<TaskId, Taken>,
    places_taken: usize,
    /// What earlier runs of a task needed, in bytes, where the Taskfile says nothing.
    learnt_bytes: FxHashMap<TaskId, u64>,
    memory: Memory,
    /// When tasks were started, lately.
    started: VecDeque<Instant>,
}

/// What a running task has.
#[derive(Clone, Copy, Debug)]
struct Taken {
    class: usize,
    places: usize,
    bytes: u64,
}

/// Memory that running tasks were given, whether they use it yet or not.
#[derive(Debug, Default)]
struct Memory {
    given_bytes: u64,
    /// What there was when none had any.
    whole_bytes: u64,
}

impl Admission {
    pub(super) fn new(classes: Classes, bounds: Bounds) -> Admission {
        let mut pools = Pools::default();
        let demands = classes.demands();
        Admission {
            takes: demands.iter().map(|demand| pools.takes(&demand.pools)).collect(),
            waiting: vec![BinaryHeap::new(); demands.len()],
            bounds,
            classes,
            pools,
            running: FxHashMap::default(),
            places_taken: 0,
            learnt_bytes: FxHashMap::default(),
            memory: Memory::default(),
            started: VecDeque::new(),
        }
    }

    /// What a task needed in earlier runs. Counts where its target does not say.
    pub fn learn(&mut self, id: TaskId, bytes: u64) {
        self.learnt_bytes.insert(id, bytes);
    }

    /// A task must run. `plain`: it takes a place and nothing else, because its command does not
    /// start.
    pub fn wait(&mut self, rank: Rank, plain: bool) {
        let (.., Reverse(id)) = rank;
        let class = if plain { PLAIN } else { self.classes.of(id) };
        self.waiting[class].push(rank);
    }

    /// These wait no more: they go with another that started.
    pub fn withdraw(&mut self, id: TaskId, mates: &[TaskId]) {
        if !mates.is_empty() {
            let class = self.classes.of(id);
            self.waiting[class].retain(|(.., Reverse(id))| !mates.contains(id));
        }
    }

    /// Nobody waits any more.
    pub fn clear(&mut self) {
        self.waiting.iter_mut().for_each(BinaryHeap::clear);
    }

    /// Whether a task waits.
    pub fn is_waited_for(&self) -> bool {
        self.waiting.iter().any(|queue| !queue.is_empty())
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether a place is free.
    pub fn has_place(&self) -> bool {
        self.places_taken < self.bounds.jobs
    }

    /// Whether [`Admission::next`] wants to know the load.
    pub fn asks_for_load(&self) -> bool {
        self.bounds.load.is_some() && !self.running.is_empty() && self.has_place()
    }

    /// Whether [`Admission::next`] wants to know the memory.
    pub fn asks_for_memory(&self) -> bool {
        let asks = |(class, queue): (usize, &BinaryHeap<Rank>)| {
            queue.peek().is_some_and(|(.., Reverse(id))| self.bytes_of(class, *id) > 0)
        };
        self.has_place() && self.waiting.iter().enumerate().any(asks)
    }

    /// What may start. Nothing whose priority is below `least` does: something more urgent is about
    /// to come.
    pub fn next(&mut self, now: Instant, machine: Machine, least: Option<i32>) -> Admit {
        if !self.has_place() {
            return Admit::Wait;
        }
        let mut firsts: Vec<(Rank, usize)> = Vec::new();
        for (class, queue) in self.waiting.iter().enumerate() {
            firsts.extend(queue.peek().map(|rank| (*rank, class)));
        }
        firsts.sort_unstable_by(|one, other| other.cmp(one));
        firsts.retain(|((priority, ..), _)| least.is_none_or(|least| *priority >= least));
        if firsts.is_empty() {
            return Admit::Wait;
        }
        if self.is_loaded(now, machine.load) {
            return Admit::WaitUntil(now + ASK_AGAIN);
        }
        self.pools.unreserve();
        self.first_of(&firsts, now, machine.available_bytes)
    }

    /// The first that has all it needs.
    fn first_of(
        &mut self,
        firsts: &[(Rank, usize)],
        now: Instant,
        available_bytes: Option<u64>,
    ) -> Admit {
        let (mut again, mut memory_is_short): (Option<Instant>, bool) = (None, false);
        let sooner =
            |again: Option<Instant>, at: Instant| Some(again.map_or(at, |again| at.min(again)));
        for &((.., Reverse(id)), class) in firsts {
            match self.pools.fit(&self.takes[class], now) {
                Fit::Yes => {}
                Fit::No => continue,
                Fit::At(at) => {
                    again = sooner(again, at);
                    continue;
                }
            }
            let bytes = self.bytes_of(class, id);
            if bytes > 0 && (memory_is_short || !self.has_memory(bytes, available_bytes)) {
                memory_is_short = true;
                again = sooner(again, now + ASK_AGAIN);
                continue;
            }
            let places = places(&self.classes.demands()[class], self.bounds.jobs);
            if self.places_taken + places > self.bounds.jobs {
                break;
            }
            self.waiting[class].pop();
            self.begin(id, Taken { class, places, bytes }, now);
            return Admit::Start(id);
        }
        again.map_or(Admit::Wait, Admit::WaitUntil)
    }

    fn begin(&mut self, id: TaskId, taken: Taken, now: Instant) {
        self.pools.take(&self.takes[taken.class], now);
        self.places_taken += taken.places;
        self.memory.given_bytes += taken.bytes;
        self.running.insert(id, taken);
        if self.bounds.load.is_some() {
            self.started.push_back(now);
        }
    }

    /// A task that was started has ended.
    pub fn ended(&mut self, id: TaskId) {
        let Some(taken) = self.running.remove(&id) else { return };
        self.pools.give_back(&self.takes[taken.class]);
        self.places_taken -= taken.places;
        self.memory.given_bytes -= taken.bytes;
    }

    /// How much memory a task needs, in bytes; 0 if nobody knows.
    fn bytes_of(&self, class: usize, id: TaskId) -> u64 {
        let said = self.classes.demands()[class].memory_bytes;
        let learnt =
            || self.learnt_bytes.get(&id).copied().filter(|_| class == self.classes.of(id));
        said.or_else(learnt).unwrap_or(0)
    }

    /// Whether there is memory for one more. What others were given counts, although they may not
    /// use it yet; so does what the machine has left, for others than we use it, too.
    fn has_memory(&mut self, bytes: u64, available_bytes: Option<u64>) -> bool {
        let Some(available) = available_bytes.filter(|_| !self.running.is_empty()) else {
            self.memory.whole_bytes = available_bytes.unwrap_or(u64::MAX);
            return true;
        };
        if self.memory.given_bytes == 0 {
            self.memory.whole_bytes = available;
        }
        bytes <= available
            && self.memory.given_bytes.saturating_add(bytes) <= self.memory.whole_bytes
    }

    /// Whether the load is too high for one more. One that runs alone is never held up.
    fn is_loaded(&mut self, now: Instant, load: Option<f64>) -> bool {
        let (Some(most), Some(load)) = (self.bounds.load, load) else { return false };
        while self.started.front().is_some_and(|&at| now.duration_since(at) > NOT_IN_LOAD) {
            self.started.pop_front();
        }
        !self.running.is_empty() && load + self.started.len() as f64 >= most
    }
}

/// How many places a task takes. One that asks for more than there are has all.
fn places(demand: &Demand, jobs: usize) -> usize {
    match demand.cpus {
        Cpus::All => jobs,
        Cpus::Number(number) => (number as usize).clamp(1, jobs),
    }
}
