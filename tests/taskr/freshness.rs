//! What looks changed and is not; what changed and does not look it.

use std::fs;
use std::time::{Duration, SystemTime};

use filetime::{FileTime, set_file_times, set_symlink_file_times};

use crate::project::{Project, bytes, fingerprint};

const COPY: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["a"]
run     = "ran a; head -n1 in > {{ outputs }}"

[target.b]
inputs  = ["@a"]
outputs = ["b"]
run     = "ran b; cat {{ inputs }} {{ inputs }} > {{ outputs }}"
"#;

fn built() -> Project {
    let p = Project::new(COPY);
    p.write("in", "1\nrest\n");
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "1\n").makes("b", "1\n1\n").ok();
    p.fresh("b");
    p
}

fn set_mtime(p: &Project, path: &str, time: FileTime) {
    set_file_times(p.path(path), time, time).expect("times");
}

fn mtime(p: &Project, path: &str) -> FileTime {
    FileTime::from_last_modification_time(&fs::metadata(p.path(path)).expect("it is there"))
}

fn years_from_now(years: i64) -> FileTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    FileTime::from_unix_time(now.as_secs().cast_signed() + years * 365 * 86_400, 0)
}

#[test]
fn nothing_runs_when_all_times_change() {
    let p = built();
    for years in [-30, 0, 10] {
        for path in fingerprint(&p.root()).keys() {
            let inside = path.strip_prefix(p.root()).expect("below the root");
            if !inside.starts_with(".taskr") {
                let time = years_from_now(years);
                set_symlink_file_times(path, time, time).expect("times");
            }
        }
        p.fresh("b");
    }
}

#[test]
fn early_cutoff() {
    let p = built();
    p.write("in", "1\nanother rest\n");
    p.taskr(["b"]).ran(["a"]).ok();
    p.fresh("b");
    p.write("in", "2\n");
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2\n").makes("b", "2\n2\n").ok();
}

/// An unchanged output is not replaced: other tools look at its time.
#[test]
fn an_equal_output_keeps_its_file() {
    let p = built();
    let before = fingerprint(&p.path("a"));
    p.write("in", "1\nanother rest\n");
    p.taskr(["b"]).ran(["a"]).ok();
    assert_eq!(fingerprint(&p.path("a")), before);
}

/// F01: nothing but the content differs, and the time is the same to the nanosecond.
#[test]
fn same_size_and_same_mtime() {
    let p = built();
    let time = mtime(&p, "in");
    for round in 2..8 {
        p.write("in", &format!("{round}\nrest\n"));
        set_mtime(&p, "in", time);
        assert_eq!(mtime(&p, "in"), time);
        let text = format!("{round}\n");
        p.taskr(["b"]).ran(["a", "b"]).makes("a", &text).makes("b", &text.repeat(2)).ok();
    }
}

/// F03: an older file came back, as from an archive.
#[test]
fn mtime_goes_backwards() {
    let p = built();
    p.write("in", "2\nrest\n");
    set_mtime(&p, "in", years_from_now(-40));
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2\n").makes("b", "2\n2\n").ok();
    p.fresh("b");
}

/// F04: a time in the future is no reason to run twice, and no cover for an edit.
#[test]
fn mtime_in_the_future() {
    let p = built();
    p.write("in", "2\nrest\n");
    set_mtime(&p, "in", years_from_now(10));
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2\n").makes("b", "2\n2\n").any_warning().ok();
    p.taskr(["b"]).any_warning().ok();
    let time = mtime(&p, "in");
    p.write("in", "3\nrest\n");
    set_mtime(&p, "in", time);
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "3\n").makes("b", "3\n3\n").any_warning().ok();
    p.taskr(["b"]).any_warning().ok();
}

/// F30: another file under the name, with the old one's time and size.
#[test]
fn replaced_by_rename_with_equal_times() {
    let p = built();
    let time = mtime(&p, "in");
    p.write("new", "2\nrest\n");
    set_mtime(&p, "new", time);
    p.rename("new", "in");
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2\n").makes("b", "2\n2\n").ok();
}

/// A settled file (older than the window) is believed by its stamp, and still not when edited.
#[test]
fn settled_and_then_edited() {
    let p = built();
    std::thread::sleep(Duration::from_millis(2500));
    p.fresh("b");
    p.fresh("b");
    let time = mtime(&p, "in");
    p.write("in", "2\nrest\n");
    set_mtime(&p, "in", time);
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2\n").makes("b", "2\n2\n").ok();
}

/// From the second build on a build with nothing to do writes nothing at all.
#[test]
fn a_settled_build_with_nothing_to_do_writes_nothing() {
    let p = built();
    std::thread::sleep(Duration::from_millis(2500));
    p.fresh("b");
    let before = fingerprint(&p.root());
    p.fresh("b");
    let after = fingerprint(&p.root());
    for (path, entry) in &before {
        // The lock names its holder.
        if !path.ends_with(".taskr/lock") {
            assert_eq!(after.get(path), Some(entry), "{}", path.display());
        }
    }
    assert_eq!(after.len(), before.len());
}

#[test]
fn rehash_finds_nothing_to_do() {
    let p = built();
    p.taskr(["--rehash", "b"]).ok();
    p.write("in", "2\n");
    p.taskr(["--rehash", "b"]).ran(["a", "b"]).makes("a", "2\n").makes("b", "2\n2\n").ok();
}

#[test]
fn force_runs_all_or_those_named() {
    let p = built();
    p.taskr(["-B", "b"]).ran(["a", "b"]).ok();
    p.taskr(["--force=a", "b"]).ran(["a"]).ok();
    p.fresh("b");
}

/// F21: a glob that matches the task's own output and `.taskr`.
#[test]
fn a_glob_skips_its_own_outputs() {
    let p = Project::new(
        "[target.a]\ninputs = [\"**/*.txt\"]\noutputs = [\"all.txt\"]\nrun = \"ran a; cat {{ inputs }} > {{ outputs }}\"\n",
    );
    p.write("x.txt", "1").write("deep/y.txt", "2");
    p.taskr(["a"]).ran(["a"]).makes("all.txt", "21").ok();
    p.fresh("a");
    p.fresh("a");
}

/// F28: the outputs of one run come back as one set.
#[test]
fn outputs_of_two_runs_are_never_mixed() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        outputs = ["x", "y"]
        run     = "cat /proc/sys/kernel/random/uuid | tee x > y"
        "#,
    );
    p.write("in", "1");
    for round in 0..6 {
        p.taskr(["a"]).any_files().ok();
        assert_eq!(p.read("x"), p.read("y"));
        p.write("in", if round % 2 == 0 { "2" } else { "1" });
        if round % 3 == 0 {
            p.remove("x");
        }
    }
}

#[test]
fn a_failure_is_never_cached() {
    let p = Project::new("[target.a]\ninputs = [\"in\"]\nrun = \"ran a; test -e $HOME/go\"\n");
    p.write("in", "1");
    p.taskr(["a"]).ran(["a"]).exits(1);
    p.taskr(["a"]).ran(["a"]).exits(1);
    p.go();
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
}

/// Paths are bytes: a name that is no UTF-8 is watched like any other.
#[test]
fn a_name_without_utf8_is_watched() {
    let p = Project::new("[target.a]\ninputs = [\"src/*\"]\nrun = \"ran a; cat src/*\"\n");
    let name = bytes(b"src/\xff\xfe.c");
    p.write(&name, "1");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
    p.write(&name, "2");
    p.taskr(["a"]).ran(["a"]).ok();
    p.rename("src", "src2").rename("src2", "src");
    p.accept_files();
    p.fresh("a");
}
