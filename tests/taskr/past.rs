//! What a run leaves of itself: its file, `history`, `timeline`, and `--failed`.

use serde_json::{Value, json};

use crate::project::Project;

/// Two at once, then one; `bad` fails while `~/go` is not there.
const TASKFILE: &str = r#"
default = ["all"]
[target.one]
inputs  = ["*.in"]
outputs = ["one"]
run     = "ran one; touch ~/one; until [ -e ~/two ]; do sleep 0.01; done; cat *.in > one"
[target.two]
inputs  = ["*.in"]
outputs = ["two"]
run     = "ran two; touch ~/two; until [ -e ~/one ]; do sleep 0.01; done; cat *.in > two"
[target.bad]
private = true
inputs  = ["one", "two"]
outputs = ["bad"]
run     = "ran bad; [ -e ~/go ]; cat one two > bad"
[target.last]
inputs  = ["bad"]
outputs = ["last"]
run     = "ran last; cp bad last"
[target.other]
inputs  = ["*.in"]
outputs = ["other"]
run     = "ran other; cp a.in other"
[target.all]
deps = ["last"]
"#;

/// After a run in which `bad` failed.
fn failed() -> Project {
    let p = Project::new(TASKFILE);
    p.write("a.in", "a\n");
    p.taskr(["-j2"]).ran(["one", "two", "bad"]).makes("one", "a\n").makes("two", "a\n").exits(1);
    p
}

fn json_of(p: &Project, args: &[&str]) -> Value {
    let told = p.taskr(args).ok();
    serde_json::from_str(&told.stdout).expect("JSON")
}

/// The names at `field` of a list of objects.
fn names<'v>(list: &'v Value, field: &str) -> Vec<&'v str> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|one| one[field].as_str().expect("a name"))
        .collect()
}

#[test]
fn a_run_leaves_the_facts_of_its_last_event() {
    let p = Project::new(TASKFILE);
    p.write("a.in", "a\n");
    let told = p
        .taskr(["-j2", "--events", "-"])
        .ran(["one", "two", "bad"])
        .makes("one", "a\n")
        .makes("two", "a\n")
        .any_warning()
        .exits(1);
    let last = told.stdout.lines().last().expect("an event");
    let last: Value = serde_json::from_str(last).expect("JSON");
    let run = &json_of(&p, &["history", "--json"])["runs"][0];
    for field in ["wall_ms", "work_ms", "saved_ms", "speedup", "critical_path", "counts", "jobs"] {
        assert_eq!(run[field], last[field], "{field}");
        assert!(!run[field].is_null(), "{field}");
    }
    assert_eq!((&run["exit_code"], &run["command"]), (&json!(1), &json!("taskr -j2 --events -")));
    let path = names(&run["critical_path"], "task");
    assert!(path == ["one", "bad"] || path == ["two", "bad"], "{path:?}");
    let not_done = json!([
        { "task": "bad", "outcome": "failed", "because": null },
        { "task": "last", "outcome": "skipped", "because": "needs" },
    ]);
    assert_eq!(run["not_done"], not_done);
}

#[test]
fn history_tells_the_last_runs_first() {
    let p = Project::new(TASKFILE);
    p.write("a.in", "a\n");
    p.taskr(["history"]).stdout("no run that ran or restored anything is known here\n").ok();
    p.taskr(["other"]).ran(["other"]).makes("other", "a\n").ok();
    p.fresh("other");
    p.taskr(["-n"]).ok();
    p.taskr(["-j2"]).ran(["one", "two", "bad"]).makes("one", "a\n").makes("two", "a\n").exits(1);
    let told = p.taskr(["history"]).ok();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = told.stdout.lines().map(words).collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].starts_with("run when"), "{told}");
    assert!(lines[1].starts_with("1 ") && lines[1].ends_with("exit 1"), "{told}");
    assert!(lines[1].contains("taskr -j2 2 ran, 1 failed, 1 skipped of 4"), "{told}");
    assert!(lines[2].starts_with("2 ") && lines[2].ends_with("ok"), "{told}");
    assert!(lines[2].contains("taskr other 1 ran of 1"), "{told}");
    p.taskr(["history", "-n1"]).says("and 1 older: `taskr history -n 2`").ok();
}

#[test]
fn a_timeline_shows_the_overlap() {
    let p = failed();
    let seen = json_of(&p, &["timeline", "--json"]);
    assert_eq!(seen["most_at_once"], 2);
    let mut tasks = names(&seen["tasks"], "task");
    assert_eq!(tasks.pop(), Some("bad"), "it began when both were done");
    p.taskr(["timeline"])
        .says(": taskr -j2\n")
        .says("at most 2 at once")
        .says("critical path ")
        .says(" → bad\n")
        .ok();
    let id = seen["run"].as_str().expect("an id");
    let by_id = json_of(&p, &["timeline", id, "--json"]);
    assert_eq!(by_id, seen);
    p.taskr(["timeline", "2"]).says("there is no run `2`").exits(2);
    let empty = Project::new(TASKFILE);
    empty.taskr(["timeline"]).says("no run that ran or restored anything is known here").exits(2);
}

#[test]
fn two_runs_stand_side_by_side() {
    let p = failed();
    p.taskr(["compare"]).says("there is no run `2`").exits(2);
    p.go();
    p.taskr(["-j2"]).ran(["bad", "last"]).makes("bad", "a\na\n").makes("last", "a\na\n").ok();
    let told = p.taskr(["compare"]).ok();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = told.stdout.lines().map(words).collect();
    for line in [
        "command taskr -j2 taskr -j2",
        "tasks 2 ran, 1 failed, 1 skipped of 4 2 ran of 4",
        "end exit 1 ok",
        "ended otherwise: 1 task",
        "bad failed → ran",
        "only in run 2: 2 tasks",
        "only in run 1: 1 task",
        "last",
    ] {
        assert!(lines.iter().any(|told| told == line), "{line}: {told}");
    }
    let seen = json_of(&p, &["compare", "2", "1", "--json"]);
    let tasks = seen["tasks"].as_array().expect("tasks");
    let bad = tasks.iter().find(|task| task["task"] == "bad").expect("one");
    assert_eq!((&bad["old"]["outcome"], &bad["new"]["outcome"]), (&json!("failed"), &json!("ran")));
    assert_eq!(seen["old"]["exit_code"], 1);
}

#[test]
fn failed_builds_what_failed_and_what_that_kept_from_running() {
    let p = failed();
    p.write("a.in", "b\n");
    p.taskr(["--failed", "-n"]).says("would run").ok();
    p.taskr(["--failed", "other"]).says("nothing that other needs failed").ok();
    p.go();
    // What they need is judged as usual; `other` was not wanted then.
    p.taskr(["-j2", "--failed"])
        .ran(["one", "two", "bad", "last"])
        .makes("one", "b\n")
        .makes("two", "b\n")
        .makes("bad", "b\nb\n")
        .makes("last", "b\nb\n")
        .ok();
    p.taskr(["--failed"]).says("nothing to do: nothing failed in the last run").ok();
}

/// That all was up to date once proves nothing about what failed since then.
#[test]
fn failed_is_asked_anew_each_time() {
    let p = Project::new(
        "[target.a]\ninputs = ['a']\nrun = 'ran a; grep -q good a'\n\
         [target.b]\ninputs = ['b']\nrun = 'ran b; grep -q good b'\n",
    );
    p.write("a", "good\n").write("b", "good\n");
    p.taskr(["a", "b"]).ran(["a", "b"]).ok();
    p.write("a", "bad\n");
    p.taskr(["a"]).ran(["a"]).exits(1);
    p.write("a", "good\n");
    for _ in 0..2 {
        p.taskr(["--failed"]).any_ran().ok();
    }
    p.write("b", "bad\n");
    p.taskr(["b"]).ran(["b"]).exits(1);
    p.taskr(["--failed"]).ran(["b"]).exits(1);
}

#[test]
fn failed_needs_a_run_and_forgets_what_is_gone() {
    let p = Project::new(TASKFILE);
    p.taskr(["--failed"]).says("no run is known here").says("build without `--failed`").exits(2);
    let p = failed();
    p.write("Taskfile.toml", "[target.other]\ninputs = []\nrun = \"ran other\"\n");
    p.taskr(["--failed"]).says("the Taskfile has no task any more of those that failed").ok();
}

#[test]
fn files_of_old_runs_go() {
    let p = failed();
    let runs = p.path(".taskr/runs");
    for name in ["1000-7.json", "2000-8.json"] {
        std::fs::write(runs.join(name), "{}").expect("a file");
    }
    p.taskr(["other"]).ran(["other"]).makes("other", "a\n").ok();
    let left = std::fs::read_dir(runs).expect("a folder").count();
    assert_eq!(left, 2, "those of the last seven days");
}
