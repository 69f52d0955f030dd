//! Every system call may fail once, with every error: the exit code tells the truth, nothing hangs,
//! and when the fault is over the next build is right.
//!
//! A sample of 120 in the test command (`TASKR_INJECT_SEED` chooses another), with
//! `TASKR_INJECT=1000` so many of each sort of build, with `TASKR_INJECT=all` every one.

use std::time::{Duration, Instant};

use super::strace::{MAY_FAIL, harmed, record};
use super::{
    COLD, Check, EDIT, RESTORE, SAVE, Start, are_right, comes_through, lacks, none_of, number,
    remove_named,
};
use crate::oracle::random::Random;
use crate::project::{Output, Project};

const ERRORS: [&str; 5] = ["EIO", "ENOSPC", "EMFILE", "EACCES", "EINTR"];
/// Of each sort of build.
const SAMPLE: usize = 30;
const LIMIT: Duration = Duration::from_secs(60);
const ARGS: [&str; 2] = ["-j1", "left"];

fn inject(start: &Start) {
    if lacks("strace", "-V") {
        return;
    }
    let p = start.project();
    start.again(&p);
    let points = record(&p, MAY_FAIL, &ARGS).points;
    let all = points.iter().flat_map(|point| ERRORS.map(|error| (point, error)));
    let mut chosen: Vec<_> = all.collect();
    let wanted = std::env::var("TASKR_INJECT").ok();
    if wanted.as_deref() != Some("all") {
        let sample = wanted.map_or(SAMPLE, |text| text.parse().expect("a number, or `all`"));
        let seed = number("TASKR_INJECT_SEED").unwrap_or(1);
        eprintln!("{}: TASKR_INJECT_SEED={seed} of {}", start.name, chosen.len());
        let mut random = Random::new(seed as u64);
        chosen = (0..sample).map(|_| *random.pick(&chosen)).collect();
    }
    let (mut met, mut failed, mut wrong) = (0, 0, Vec::new());
    for (point, error) in &chosen {
        start.again(&p);
        let begun = Instant::now();
        let (output, was_met) = harmed(&p, point, &format!("error={error}"), &ARGS);
        met += usize::from(was_met);
        let told = !output.status.success() || output.stderr.contains("cannot be restored");
        failed += usize::from(was_met && told);
        remove_named(&p, &output);
        let check = tells_the_truth(&p, start.text, &output, begun.elapsed());
        let check = check.and_then(|()| comes_through(&p, start.text));
        wrong.extend(check.err().map(|why| format!("{error} at {point:?}: {output}\n{why}")));
    }
    let all = chosen.len();
    eprintln!("{}: {met} of {all} errors met, {failed} builds or restores failed", start.name);
    none_of(&wrong);
    // A thread that comes sooner than in the recorded build misses its point.
    assert!(met > all * 3 / 4 && failed > 0, "{met} of {all} errors, {failed} failures");
}

/// The end of a build that met with an error.
fn tells_the_truth(p: &Project, text: &str, output: &Output, took: Duration) -> Check {
    if took > LIMIT {
        return Err(format!("it took {took:?}"));
    }
    match output.status.code() {
        _ if output.stderr.contains("panicked") => Err("a panic".to_owned()),
        Some(0) => are_right(p, text).map_err(|wrong| format!("0, but {wrong}")),
        Some(1..=3) if output.stderr.is_empty() && output.stdout.is_empty() => {
            Err("it fails in silence".to_owned())
        }
        Some(1..=3) => Ok(()),
        _ => Err("an exit code of no meaning".to_owned()),
    }
}

#[test]
fn any_call_of_a_cold_build_fails() {
    inject(&COLD);
}

#[test]
fn any_call_of_a_build_after_an_edit_fails() {
    inject(&EDIT);
}

#[test]
fn any_call_of_a_build_that_is_stored_fails() {
    inject(&SAVE);
}

#[test]
fn any_call_of_a_restore_fails() {
    inject(&RESTORE);
}
