//! A walk through every system call by which a build changes the disk: taskr is killed before it.
//! Between two such calls the disk does not change, so this is every state that a crash can leave.
//!
//! Every seventh point in the test command, all with `TASKR_WALK=all`.

use std::fs;

use super::strace::{CHANGES, harmed, record};
use super::{COLD, EDIT, RESTORE, SAVE, Start, TRIM, comes_through, lacks, none_of};

const ARGS: [&str; 3] = ["-j1", "-q", "left"];

/// Walks; `deed` is a call, and a part of its path, that proves the build to be of the sort meant.
fn walk(start: &Start, deed: (&str, &str)) {
    if lacks("strace", "-V") {
        return;
    }
    let stride = if std::env::var_os("TASKR_WALK").is_some() { 1 } else { 7 };
    let p = start.project();
    start.again(&p);
    let recorded = record(&p, CHANGES, &ARGS);
    assert!(recorded.has(deed.0, deed.1), "{}: no {deed:?}", start.name);
    let (mut kills, mut missed, mut wrong) = (0, 0, Vec::new());
    for (number, point) in recorded.points.iter().step_by(stride).enumerate() {
        start.again(&p);
        let (output, killed) = harmed(&p, point, "signal=SIGKILL", &ARGS);
        let panicked = output.stderr.contains("panicked");
        // The next build may want something else: what the killed one made is then nobody's.
        let text = if number % 2 == 0 { start.text } else { "e a\n" };
        fs::write(p.path("in"), text).expect("a file");
        let check = if panicked { Err("a panic".into()) } else { comes_through(&p, text) };
        wrong.extend(check.err().map(|why| format!("killed at {point:?}: {output}\n{why}")));
        *if killed { &mut kills } else { &mut missed } += 1;
    }
    let (all, calls) = (recorded.points.len(), recorded.calls);
    eprintln!("{}: {kills} kills at {all} points of {calls} calls, {missed} missed", start.name);
    none_of(&wrong);
    // A thread that comes sooner than in the recorded build misses its point.
    assert!(all > 40 && kills * stride > all * 3 / 4, "{kills} kills, {missed} missed");
}

#[test]
fn killed_at_every_change_of_a_cold_build() {
    walk(&COLD, ("write", "/intents"));
}

#[test]
fn killed_at_every_change_of_a_build_after_an_edit() {
    walk(&EDIT, ("unlinkat", "g"));
}

#[test]
fn killed_at_every_change_of_a_build_that_is_stored() {
    walk(&SAVE, ("rename", "/blobs/"));
}

#[test]
fn killed_at_every_change_of_a_restore() {
    walk(&RESTORE, ("openat", "/restore"));
}

#[test]
fn killed_at_every_change_of_a_build_that_trims_the_store() {
    walk(&TRIM, ("unlink", "/blobs/"));
}
