//! The five families of workflows, each row as an example that people copy: durations, order,
//! overlap, gates, results and what failures mean, from what the runs themselves wrote down.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::docs::example;
use crate::project::{Live, Project, until};

/// The file of the last run.
fn last_run(p: &Project) -> Value {
    let output = p.taskr(["history", "--json"]).any_files().ok().stdout;
    let history: Value = serde_json::from_str(&output).expect("JSON");
    let runs = history["runs"].as_array().or(history.as_array()).expect("runs");
    runs.first().expect("a run").clone()
}

/// When each task of the last run was at work: from, to, in milliseconds.
fn spans(p: &Project) -> BTreeMap<String, (u64, u64)> {
    let output = p.taskr(["timeline", "--json"]).any_files().ok().stdout;
    let timeline: Value = serde_json::from_str(&output).expect("JSON");
    let number = |task: &Value, name: &str| task[name].as_u64().expect("a number");
    let tasks = timeline["tasks"].as_array().expect("tasks").iter();
    let span = |task: &Value| {
        let begun = number(task, "at_ms");
        (
            task["task"].as_str().expect("a name").to_owned(),
            (begun, begun + number(task, "duration_ms")),
        )
    };
    tasks.map(span).collect()
}

fn result(p: &Project, task: &str) -> Value {
    let text = p.read(format!(".taskr/tasks/{task}/result.json"));
    serde_json::from_str(&text).expect("JSON")
}

fn overlap(spans: &BTreeMap<String, (u64, u64)>, one: &str, other: &str) -> bool {
    let (one, other) = (spans[one], spans[other]);
    one.0 < other.1 && other.0 < one.1
}

/// W1: on three places three tasks take as long as one; repetitions give the same.
#[test]
fn w1_independent_tasks() {
    let p = example("w1");
    let three = ["design-review", "test-framework", "security-hardening"];
    p.taskr(["-j3"]).any_files().says("7 tasks: 7 ran").ok();
    let spans = spans(&p);
    for (at, one) in three.iter().enumerate() {
        assert!(three[at + 1..].iter().all(|other| overlap(&spans, one, other)), "{spans:?}");
        assert!(spans["report"].0 >= spans[*one].1, "{spans:?}");
        assert_eq!(result(&p, one)["exit_code"], 0);
    }
    let run = last_run(&p);
    assert!(run["work_ms"].as_u64() > run["wall_ms"].as_u64(), "{run}");
    let told = p.taskr(["verify", "--runs", "5", "report"]).any_files().ok().stdout;
    assert!(told.contains("the same"), "{told}");
}

/// W2: four agents at once, gates, the critical path, a failure that leaves three results.
#[test]
fn w2_agents_with_gates() {
    let p = example("w2");
    let agents = ["tests", "security", "patterns", "docs"];
    let mut live = p.spawn(["-j4"]);
    // Polled from another terminal, while all four are at work.
    until("all four at work", || {
        let status = Live::start(&mut p.command(&p.root(), ["status", "--json"])).wait().stdout;
        agents.iter().all(|agent| status.contains(&format!("\"{agent}\"")))
    });
    assert!(live.runs());
    let told = live.wait();
    assert!(told.status.success(), "{told}");
    for expected in ["4 tasks: 4 ran", "7 of 7 gates", "security"] {
        assert!(told.stdout.contains(expected), "no {expected} in {told}");
    }
    p.accept_files();
    let run = last_run(&p);
    let path = run["critical_path"].as_array().expect("a path");
    assert_eq!(path[0]["task"], "security", "{run}");
    assert!(run["speedup"].as_f64() >= Some(2.5), "{run}");
    let spans = spans(&p);
    assert!(agents.iter().all(|agent| overlap(&spans, "security", agent)), "{spans:?}");
    // A gate fails: three results stand, and only the one is to be done again.
    p.write("briefs/tests.txt", "Some branches have no test.\ntest_coverage=93.5\n");
    p.taskr(["-k", "-D", "seconds=0.1"])
        .any_files()
        .says("test_coverage is 93.5, must be >= 95: 1.5 short")
        .exits(1);
}

/// W3: half of the sources must answer, the busy one is asked again, nothing runs at once in a
/// pool of one, starts are spread.
#[test]
fn w3_pool_and_priorities() {
    let p = example("w3");
    let told = p.taskr(["-k", "findings", "everything", "agreed", "urgent", "some-day"]);
    let told = told.any_files().any_warning().exits(1).stdout;
    assert!(told.contains("probe@source=delta  failed"), "{told}");
    assert_eq!(p.read("findings.txt"), "the sky is blue\nwater is wet\n");
    assert_eq!(p.read("agreed.txt"), "the sky is blue\n");
    assert_eq!(p.read("everything.txt").lines().count(), 4);
    assert_eq!(result(&p, "probe@source=beta")["attempts"], 2);
    let spans = spans(&p);
    assert!(!overlap(&spans, "urgent", "some-day"), "a lock: {spans:?}");
    assert!(spans["urgent"].0 <= spans["some-day"].0, "{spans:?}");
}

/// W4: blocks and edges leave the same; blocks overlap; failures do what they say.
#[test]
fn w4_fan_out_and_in() {
    let p = example("w4");
    p.taskr(["-j3", "report"]).any_files().ok();
    let by_edges = p.read("report.txt");
    p.taskr(["clean"]).any_files().ok();
    p.taskr(["-j3", "blocks"]).any_files().ok();
    assert_eq!(p.read("report.txt"), by_edges);
    let spans = spans(&p);
    for other in ["visualize", "summarize"] {
        assert!(overlap(&spans, "analyze", other), "{spans:?}");
    }
    assert!(spans["fetch"].1 <= spans["analyze"].0 && spans["report"].0 >= spans["summarize"].1);
    assert!(spans["visualize"].1 <= spans["row@rows/a.txt"].0, "a block in a block: {spans:?}");
    assert!(!p.path("archive.txt").exists());
    p.taskr(["blocks", "-D", "archive=yes"]).any_files().ok();
    assert!(p.path("archive.txt").exists());
    p.taskr(["stops"]).any_files().exits(1);
    assert!(!p.path("announced").exists());
    p.taskr(["goes-on"]).any_files().exits(1);
    assert!(p.path("announced").exists());
    p.remove("announced");
    p.taskr(["undoes"]).any_files().says("rolled back: announce, upload").exits(1);
    assert!(!p.path("announced").exists() && !p.path("uploaded").exists());
}

/// W5: a diamond starts as its needs end; acceptance tests count; the load is validated; the graph
/// is a picture.
#[test]
fn w5_workstream() {
    let p = example("w5");
    p.taskr(["tool", "check"]).says("5 targets, 5 tasks").any_files().ok();
    let run = p.taskr(["-j4"]).any_files().ok().stdout;
    assert!(run.contains("4 of 4 acceptance tests"), "{run}");
    let spans = spans(&p);
    assert!(overlap(&spans, "import", "rules"), "{spans:?}");
    assert!(spans["schema"].1 <= spans["import"].0 && spans["import"].1 <= spans["check"].0);
    let picture = p.taskr(["graph", "--format", "svg"]).any_files().ok().stdout;
    assert!(picture.starts_with("<svg"), "{picture}");
    p.write("steps/check.sh", "echo broken\n");
    p.taskr([""; 0]).any_files().says("grep -qx fine").exits(1);
    assert_eq!(p.read("workstream.txt"), "fine\n", "what stood there stands");
}

/// Fifty packages in five layers: an edit builds the package and those above it.
#[test]
fn monorepo() {
    let p = example("monorepo");
    p.taskr(["-j4"]).any_files().says("50 tasks: 50 ran").ok();
    let edges = |name: &str| p.read(format!("packages/{name}/dist/index.js")).lines().count();
    assert_eq!(edges("l1-0"), 2);
    assert!(edges("l5-0") > edges("l4-0"), "all below are in it");
    p.write("packages/l5-3/src/more.js", "// more\n");
    p.taskr([""; 0]).any_files().says("49 fresh, 1 ran").ok();
    p.write("packages/l1-0/src/index.js", "export const part = 'new';\n");
    let told = p.taskr([""; 0]).any_files().ok().stdout;
    // Its own, 2 above it, 3 above those, 4, and 5.
    assert!(told.contains("35 fresh, 15 ran"), "{told}");
}
