//! A walk through every system call by which a build changes the disk: taskr is killed before it.
//! Between two such calls the disk does not change, so this is every state that a crash can leave.
//!
//! Every seventh point in the test command, all with `TASKR_WALK=all`.

use super::strace::{CHANGES, harmed, record};
use super::{COLD, EDIT, Start, comes_through, lacks, none_of};

const ARGS: [&str; 3] = ["-j1", "-q", "left"];

fn walk(start: &Start) {
    if lacks("strace", "-V") {
        return;
    }
    let stride = if std::env::var_os("TASKR_WALK").is_some() { 1 } else { 7 };
    let p = start.project();
    start.again(&p);
    let recorded = record(&p, CHANGES, &ARGS);
    let (mut kills, mut missed, mut wrong) = (0, 0, Vec::new());
    for point in recorded.points.iter().step_by(stride) {
        start.again(&p);
        let (output, killed) = harmed(&p, point, "signal=SIGKILL", &ARGS);
        let panicked = output.stderr.contains("panicked");
        let check = if panicked { Err("a panic".into()) } else { comes_through(&p, start.text) };
        wrong.extend(check.err().map(|why| format!("killed at {point:?}: {output}\n{why}")));
        *if killed { &mut kills } else { &mut missed } += 1;
    }
    let (all, calls) = (recorded.points.len(), recorded.calls);
    eprintln!("{}: {kills} kills at {all} points of {calls} calls, {missed} missed", start.name);
    none_of(&wrong);
    assert!(all > 40 && kills * stride > all * 9 / 10, "{kills} kills, {missed} missed");
}

#[test]
fn killed_at_every_change_of_a_cold_build() {
    walk(&COLD);
}

#[test]
fn killed_at_every_change_of_a_build_after_an_edit() {
    walk(&EDIT);
}
