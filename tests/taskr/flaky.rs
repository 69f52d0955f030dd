//! The ledger: a task that does not do the same under the same key is remembered, whoever noticed.

use std::fs;

use serde_json::Value;

use crate::project::{Output, Project};

/// `made` depends on a file that it does not declare, `shaky` fails without one.
const TASKS: &str = r#"
[target.made]
inputs = ["a.in"]
outputs = ["a.out", "b.out"]
run = "ran made; cp ~/salt a.out; echo b >b.out"

[target.shaky]
inputs = ["a.in"]
run = "ran shaky; test -e ~/go"

[target.good]
inputs = ["a.in"]
outputs = ["good.out"]
run = "ran good; cp a.in good.out"
"#;

const NOTHING: &str = "no task is known to have done something else under the same key\n";

fn project() -> Project {
    let p = Project::new(TASKS);
    p.write("a.in", "1\n");
    salt(&p, "one\n");
    p
}

/// What nobody declared.
fn salt(p: &Project, text: &str) {
    fs::write(p.outside("home/salt"), text).expect("a file");
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON")
}

#[test]
fn there_is_nothing_to_tell_of_tasks_that_do_the_same() {
    let p = project();
    p.taskr(["flaky"]).stdout(NOTHING).ok();
    p.taskr(["made", "good"]).ran(["made", "good"]).any_files().ok();
    p.taskr(["-B", "made", "good"]).ran(["made", "good"]).ok();
    // Another key may have another result.
    p.write("a.in", "2\n");
    salt(&p, "two\n");
    p.taskr(["made", "good"]).ran(["made", "good"]).any_files().ok();
    p.taskr(["flaky"]).stdout(NOTHING).ok();
    p.taskr(["flaky", "good"])
        .stdout("no task of `good` is known to have done something else under the same key\n")
        .ok();
    let told = p.taskr(["flaky", "--json"]).ok();
    assert_eq!(json(&told), serde_json::json!({ "version": 1, "tasks": [] }));
}

#[test]
fn a_forced_run_that_makes_something_else_is_remembered() {
    let p = project();
    p.taskr(["made", "good"]).ran(["made", "good"]).any_files().ok();
    salt(&p, "two\n");
    p.taskr(["-B", "made", "good"]).ran(["made", "good"]).makes("a.out", "two\n").ok();
    let told = p.taskr(["flaky"]).says("made: not the same under the same key, 1 time\n").ok();
    assert!(told.stdout.ends_with("s ago: it made something else of a.out\n"), "{told}");
    p.taskr(["flaky", "good"]).says("no task of `good`").ok();
    salt(&p, "three\n");
    p.taskr(["-B", "made"]).ran(["made"]).makes("a.out", "three\n").ok();
    let told = json(&p.taskr(["flaky", "--json", "made"]).ok());
    let flaws = told["tasks"][0]["flaws"].as_array().expect("flaws");
    let times: Vec<u64> = flaws.iter().filter_map(|flaw| flaw["unix_ms"].as_u64()).collect();
    assert!(times.len() == 2 && times[0] > times[1], "the newest comes first: {told}");
    assert_eq!(told["tasks"][0]["task"], "made");
    assert_eq!(flaws[0]["difference"], "outputs");
    assert_eq!(flaws[0]["paths"], serde_json::json!(["a.out"]));
    assert_eq!(flaws[0]["key"], flaws[1]["key"]);
    // What the task did is no result that `clean` removes.
    p.taskr(["clean"]).any_files().ok();
    p.taskr(["flaky"]).says("2 times").ok();
}

#[test]
fn a_checkout_that_makes_something_else_than_the_store_has_is_remembered_there() {
    let p = project().with_store();
    p.taskr(["made"]).ran(["made"]).any_files().ok();
    let other = p.sibling("other");
    other.write("Taskfile.toml", TASKS).write("a.in", "1\n");
    salt(&p, "two\n");
    other.taskr(["-B", "made"]).ran(["made"]).ok();
    other.taskr(["flaky"]).says("made").says("it made something else of a.out").ok();
    p.taskr(["flaky"]).stdout(NOTHING).ok();
}

#[test]
fn a_task_that_fails_and_then_succeeds_is_remembered() {
    let p = project();
    p.taskr(["shaky"]).ran(["shaky"]).exits(1);
    p.taskr(["flaky"]).stdout(NOTHING).ok();
    p.go();
    p.taskr(["shaky"]).ran(["shaky"]).ok();
    p.taskr(["flaky"]).says("shaky").says("it succeeded, having failed before").ok();
    fs::remove_file(p.outside("home/go")).expect("it was there");
    p.taskr(["-B", "shaky"]).ran(["shaky"]).exits(1);
    let told = p.taskr(["flaky", "shaky"]).says("2 times").ok();
    let (broke, recovered) = ("it failed, having succeeded before", "it succeeded, having failed");
    let places = [broke, recovered].map(|text| told.stdout.find(text));
    assert!(places[0].is_some() && places[0] < places[1], "the newest comes first: {told}");
}

#[test]
fn a_name_that_no_task_has_is_an_error() {
    let p = project();
    p.taskr(["flaky", "gone"]).says("there is no target `gone`").exits(2);
}
