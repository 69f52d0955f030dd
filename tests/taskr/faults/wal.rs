//! The state database and its log taken apart, as copies and clean-ups do it: one of the two is
//! gone, or is of another time or another workspace. Each starts from a build that was killed when
//! all was in the log and nothing in the database.

use std::fs;

use super::strace::{Point, harmed};
use super::{Check, TASKS, comes_through, lacks};
use crate::project::Project;

const DATABASE: &str = ".taskr/state.db";
const LOG: &str = ".taskr/state.db-wal";

/// Built of `old`, and killed when it had built of `new` and was about to move the log into the
/// database.
fn killed_with_a_log(old: &str, new: &str) -> Project {
    let p = Project::new(TASKS);
    p.write("in", old);
    comes_through(&p, old).expect("a build without harm");
    p.write("in", new);
    let first_write = Point::new("pwrite64", &p.path(DATABASE));
    let (output, killed) = harmed(&p, &first_write, "signal=SIGKILL", &["-j1", "-q", "left"]);
    assert!(killed, "{output}");
    let log = fs::metadata(p.path(LOG)).map_or(0, |log| log.len());
    assert!(log > 1000, "a log of {log} bytes");
    p
}

fn remove(p: &Project, names: &[&str]) {
    for name in names {
        fs::remove_file(p.path(name)).expect("it is there");
    }
}

#[track_caller]
fn is_put_right(p: &Project, text: &str) {
    let check: Check = comes_through(p, text);
    check.unwrap_or_else(|wrong| panic!("{wrong}"));
    fs::write(p.path("in"), "a b\n").expect("a file");
    comes_through(p, "a b\n").unwrap_or_else(|wrong| panic!("and then: {wrong}"));
}

/// D15: a copy of the database alone.
#[test]
fn a_database_without_its_log() {
    if lacks("strace", "-V") {
        return;
    }
    let p = killed_with_a_log("a b\n", "a b c\n");
    remove(&p, &[LOG, ".taskr/state.db-shm"]);
    is_put_right(&p, "a b c\n");
}

/// D14 (nx#34861): only the database was deleted.
#[test]
fn a_log_without_its_database() {
    if lacks("strace", "-V") {
        return;
    }
    for with_shared in [true, false] {
        let p = killed_with_a_log("a b\n", "a b c\n");
        remove(&p, &[DATABASE]);
        if !with_shared {
            remove(&p, &[".taskr/state.db-shm"]);
        }
        is_put_right(&p, "a b c\n");
    }
}

/// D14: logs of two workspaces, and of two times of one, change places.
#[test]
fn a_log_of_another_database() {
    if lacks("strace", "-V") {
        return;
    }
    let p = killed_with_a_log("a b\n", "a b c\n");
    let q = killed_with_a_log("a b c\n", "a b\n");
    let logs = [&p, &q].map(|project| fs::read(project.path(LOG)).expect("a log"));
    assert_ne!(logs[0], logs[1]);
    fs::write(p.path(LOG), &logs[1]).expect("a file");
    fs::write(q.path(LOG), &logs[0]).expect("a file");
    is_put_right(&p, "a b c\n");
    is_put_right(&q, "a b\n");
    fs::write(p.path(LOG), &logs[0]).expect("a file");
    is_put_right(&p, "a b\n");
}
