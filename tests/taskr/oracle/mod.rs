//! The oracle: random graphs of toy tasks, random changes and faults. After each build every output
//! is what can be computed without a build, bit for bit, and nothing ran that need not.
//!
//! `TASKR_ORACLE=20000` sets the number of graphs, `TASKR_ORACLE_SEED=7` repeats one (with both: so
//! many from that one on). With `TASKR_ORACLE_RESTS=8` every case rests before each of its steps, so that
//! each change meets a proof, and so many are played at once. A failure is shrunk (fewer steps, fewer
//! targets), shown with its steps and its Taskfile, and its folder kept.

mod disk;
mod faults;
mod grow;
mod ignore;
mod kills;
mod model;
mod packages;
mod pipeline;
pub(crate) mod random;
mod session;
mod settings;
mod steps;
mod tally;
mod world;
mod write;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use random::Random;
use session::Session;
use tally::Tally;
use world::World;

const GRAPHS: usize = 80;
const STEPS: usize = 6;
const THREADS: usize = 2;
/// One case in so many rests before a step, so that what is fresh is proved.
const RESTS: usize = 15;
/// Lets all of them rest before each step; so many are played at once.
const ALWAYS_RESTS: &str = "TASKR_ORACLE_RESTS";
/// One case in so many is compared with a clean build too.
const CLEAN: usize = 20;

/// A case, repeatable but for the moments of its kills.
#[derive(Clone, Debug)]
struct Case {
    seed: usize,
    targets: usize,
    steps: usize,
    /// Steps left out, while shrinking.
    without: BTreeSet<usize>,
}

struct Failure {
    case: Case,
    /// The step that failed; the last one for the clean build.
    step: usize,
    text: String,
}

impl Case {
    fn new(seed: usize) -> Case {
        let targets = Random::new(seed as u64).below(8) + 2;
        Case { seed, targets, steps: STEPS, without: BTreeSet::new() }
    }

    /// Plays it. Each step has random numbers of its own, so that others can be left out.
    fn play(&self) -> Result<Tally, Failure> {
        let mut random = Random::new(self.seed as u64 ^ 0xfeed_0000);
        let world = World::random(&mut random, self.targets);
        let mut session = match self.seed.is_multiple_of(3) {
            true => Session::new(world),
            false => Session::with_store(world),
        };
        let mut step = 0;
        let played = catch_unwind(AssertUnwindSafe(|| {
            session.build_all()?;
            while step < self.steps {
                let seed = (self.seed as u64) << 20 | step as u64;
                if !self.without.contains(&step) {
                    session.trace.push(format!("--- step {step}"));
                    let rests =
                        self.seed.is_multiple_of(RESTS) && step == self.seed / RESTS % STEPS;
                    if rests || number(ALWAYS_RESTS).is_some() {
                        session.rest(&mut Random::new(seed ^ 0xfeed))?;
                    }
                    session.step(&mut Random::new(seed), &mut Random::new(!seed))?;
                }
                step += 1;
            }
            if self.seed.is_multiple_of(CLEAN) {
                session.compare_with_clean_build()
            } else {
                Ok(())
            }
        }));
        let wrong = match played {
            Ok(Ok(())) => return Ok(session.tally),
            Ok(Err(wrong)) => wrong,
            Err(panic) => match panic.downcast_ref::<String>() {
                Some(text) => text.clone(),
                None => "a panic".to_owned(),
            },
        };
        let trace = session.trace.join("\n");
        let text = format!("{self:?}\n{trace}\n=> {wrong}\nkept in {}", session.keep());
        Err(Failure { case: self.clone(), step, text })
    }
}

/// Tries to fail with less, for a minute.
fn shrink(mut failure: Failure) -> Failure {
    let started = Instant::now();
    let attempt = |case: Case| {
        if started.elapsed() > Duration::from_secs(60) {
            return None;
        }
        (0..2).find_map(|_| case.play().err())
    };
    let first = failure.step + 1;
    if let Some(smaller) = attempt(Case { steps: first, ..failure.case.clone() }) {
        failure = smaller;
    }
    for step in 0..failure.case.steps {
        let mut case = failure.case.clone();
        case.without.insert(step);
        if let Some(smaller) = attempt(case) {
            failure = smaller;
        }
    }
    for targets in 1..failure.case.targets {
        if let Some(smaller) = attempt(Case { targets, ..failure.case.clone() }) {
            return smaller;
        }
    }
    failure
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn incremental_builds_are_right_and_minimal() {
    let seed = number("TASKR_ORACLE_SEED");
    let first = seed.unwrap_or(0);
    let usual = if seed.is_some() { 1 } else { GRAPHS };
    let graphs = number("TASKR_ORACLE").unwrap_or(usual);
    let next = AtomicUsize::new(first);
    let tallies = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let work = || {
        while failure.lock().expect("no panic").is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + graphs {
                return;
            }
            match Case::new(seed).play() {
                Ok(tally) => tallies.lock().expect("no panic").push(tally),
                Err(wrong) => *failure.lock().expect("no panic") = Some(wrong),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..number(ALWAYS_RESTS).unwrap_or(THREADS) {
            scope.spawn(work);
        }
    });
    if let Some(failure) = failure.into_inner().expect("no panic") {
        let seed = failure.case.seed;
        let original = failure.text.clone();
        let small = shrink(failure);
        panic!("TASKR_ORACLE_SEED={seed}\n{original}\n\n=== smaller:\n{}", small.text);
    }
    let tally =
        tallies.into_inner().expect("no panic").into_iter().fold(Tally::default(), Tally::add);
    eprintln!("{graphs} graphs: {tally:?}");
    if graphs >= GRAPHS {
        assert!(tally.live_kills > 0, "no kill hit a living build");
        assert!(tally.kills_in_a_task > 0, "no kill hit a running task");
        assert!(tally.failures > 0 && tally.clean_builds > 0, "{tally:?}");
        assert!(tally.ran > 0 && tally.not_run > 0, "{tally:?}");
        assert!(tally.restored > 0 && tally.store_faults > 0, "{tally:?}");
        assert!(tally.by_changes > 0 && tally.proved > 0, "{tally:?}");
        for word in tally::LANGUAGE {
            assert!(tally.language.get(word) > Some(&10), "{word}: {tally:?}");
        }
    }
}
