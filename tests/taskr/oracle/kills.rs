//! SIGKILL at random moments of random builds, one after the other in one workspace, each checked by
//! the oracle. The oracle's own sessions have a kill now and then; here there is little else.
//!
//! `TASKR_KILLS=10000` sets their number, `TASKR_KILLS_SEED=7` the first seed. What is random repeats
//! with the seed, but for what the machine does in the microseconds before a kill.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::random::Random;
use super::session::{Build, Check, Session};
use super::steps::change;
use super::tally::Tally;
use super::world::World;
use super::{THREADS, number};

const KILLS: usize = 150;
/// So many in one workspace.
const IN_A_ROW: usize = 10;
const TARGETS: usize = 4;

/// One workspace and its kills. What was found wrong, with what led to it.
fn play(seed: usize, kills: usize) -> Result<Tally, String> {
    let mut random = Random::new(seed as u64 ^ 0xdead_0000);
    let mut session = Session::new(World::random(&mut random, TARGETS));
    let played = kill_often(&mut session, &mut random, kills);
    played.map(|()| session.tally.clone()).map_err(|wrong| {
        let trace = session.trace.join("\n");
        format!("TASKR_KILLS_SEED={seed}\n{trace}\n=> {wrong}\nkept in {}", session.keep())
    })
}

fn kill_often(session: &mut Session, random: &mut Random, kills: usize) -> Check {
    let begun = Instant::now();
    session.run(&Build { sleep_ms: 6, ..session.all() });
    // Most builds have less to do than the first.
    let longest_us = begun.elapsed().as_micros() as usize / 2;
    session.build_all()?;
    for _ in 0..kills {
        for _ in 0..=random.below(2) {
            let mut world = session.world.clone();
            let (text, times) = change(&mut world, random);
            session.trace.push(text);
            session.apply(world, &times);
        }
        session.kill_within(random, longest_us)?;
        session.build_all()?;
    }
    Ok(())
}

#[test]
fn a_build_killed_at_any_moment_is_put_right_by_the_next() {
    let kills = number("TASKR_KILLS").unwrap_or(KILLS);
    let first = number("TASKR_KILLS_SEED").unwrap_or(0);
    let workspaces = kills.div_ceil(IN_A_ROW);
    let next = AtomicUsize::new(first);
    let results = Mutex::new(Vec::new());
    let work = || {
        let failed = || results.lock().expect("no panic").iter().any(Result::is_err);
        while !failed() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + workspaces {
                return;
            }
            let result = play(seed, IN_A_ROW);
            results.lock().expect("no panic").push(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let mut tally = Tally::default();
    for result in results.into_inner().expect("no panic") {
        tally = tally.add(result.unwrap_or_else(|wrong| panic!("{wrong}")));
    }
    let Tally { kills, live_kills, kills_in_a_task, .. } = tally;
    let seeds = first..first + workspaces;
    eprintln!(
        "{kills} kills of seeds {seeds:?}, {live_kills} of a living build, {kills_in_a_task} in a task"
    );
    assert!(live_kills > kills / 2, "only {live_kills} of {kills} kills hit a living build");
    assert!(kills_in_a_task > 0, "no kill hit a running task");
}
