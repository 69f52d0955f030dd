//! The event stream: JSON lines with the documented events and fields.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::project::Project;

const TASKS: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["o"]
run     = "ran a; printf 'words\\377\\n'; cat in > {{ outputs }}"
[target.b]
inputs  = ["@a"]
run     = "ran b; test $(cat o) = 1"
"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON on each line")).collect()
}

/// The name of an event's kind, whatever the field is called that holds it.
fn kind(event: &Value) -> &str {
    let text = event.get("event").or_else(|| event.get("type")).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("an event without a kind: {event}"))
}

fn of_kind<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| kind(event) == name).collect()
}

fn has(event: &Value, fields: &[&str]) {
    for field in fields {
        assert!(event.get(field).is_some(), "no `{field}` in {event}");
    }
}

fn events(p: &Project, code: i32, ran: &[&str]) -> Vec<Value> {
    let file = p.outside("events.jsonl");
    let args = ["--events".into(), file.clone().into_os_string(), "b".into()];
    let output = p.spawn::<std::ffi::OsString>(args).wait();
    assert_eq!(output.status.code(), Some(code), "{output}");
    assert_eq!(p.take_ran(), ran, "{output}");
    lines(&fs::read_to_string(file).expect("events"))
}

#[test]
fn documented_events_and_fields() {
    let p = Project::new(TASKS);
    p.write("in", "1\n");
    let events = events(&p, 0, &["a", "b"]);
    assert_eq!(kind(&events[0]), "run_started");
    assert_eq!(events.last().map(kind), Some("run_finished"));
    let runs: BTreeSet<String> = events.iter().map(|event| event["run"].to_string()).collect();
    assert_eq!(runs.len(), 1, "one run id in all: {runs:?}");
    for event in &events {
        has(event, &["v"]);
        if kind(event).starts_with("task_") {
            has(event, &["task"]);
        }
    }
    for name in ["task_ready", "task_started", "task_finished"] {
        assert_eq!(of_kind(&events, name).len(), 2, "{name}");
    }
    has(of_kind(&events, "task_started")[0], &["reasons", "key"]);
    let fields = ["outcome", "duration_ms", "exit_code", "outputs"];
    has(of_kind(&events, "task_finished")[0], &fields);
    let fields = ["counts", "wall_ms", "work_ms", "critical_path", "speedup", "saved_ms"];
    has(of_kind(&events, "run_finished")[0], &fields);
    let output: String = of_kind(&events, "task_output").iter().map(ToString::to_string).collect();
    // `words` and a byte that is no text, in base64.
    assert!(output.contains("d29yZHP/Cg=="), "{output}");
}

#[test]
fn a_run_with_nothing_to_do() {
    let p = Project::new(TASKS);
    p.write("in", "1\n");
    events(&p, 0, &["a", "b"]);
    let events = events(&p, 0, &[]);
    assert_eq!(of_kind(&events, "task_started").len(), 0);
    assert_eq!(of_kind(&events, "run_finished").len(), 1);
}

#[test]
fn a_failure_is_told() {
    let p = Project::new(TASKS);
    p.write("in", "2\n");
    let events = events(&p, 1, &["a", "b"]);
    let last = *of_kind(&events, "task_finished").last().expect("b finished");
    assert_eq!(last["exit_code"], 1, "{last}");
    assert_eq!(of_kind(&events, "run_finished").len(), 1);
}

#[test]
fn to_stdout() {
    let p = Project::new(TASKS);
    p.write("in", "1\n");
    let output =
        p.taskr(["--events", "-", "b"]).ran(["a", "b"]).makes("o", "1\n").any_warning().ok();
    assert!(lines(&output.stdout).len() >= 8, "{output}");
    assert!(!output.stderr.is_empty(), "everything else goes to stderr");
}

#[test]
fn only_events_are_replaced() {
    let p = Project::new(TASKS);
    p.write("in", "1\n");
    p.taskr(["--events", "in", "b"])
        .says("--events would replace in, which is no file of events")
        .says("`--events events.json`")
        .exits(2);
    assert_eq!(p.read("in"), "1\n");
    let file = p.outside("events");
    let args = ["--events".as_ref(), file.as_os_str(), "b".as_ref()];
    p.taskr(args).ran(["a", "b"]).makes("o", "1\n").any_warning().ok();
    let first = fs::read_to_string(&file).expect("events").lines().count();
    p.taskr(args).any_warning().any_ran().ok();
    assert!(fs::read_to_string(&file).expect("events").lines().count() < first, "replaced");
}

#[test]
fn result_json() {
    let p = Project::new(TASKS);
    p.write("in", "1\n");
    p.taskr(["b"]).ran(["a", "b"]).makes("o", "1\n").ok();
    let result: Value = serde_json::from_str(&p.read(".taskr/tasks/a/result.json")).expect("JSON");
    has(&result, &["task", "target", "key", "started", "duration_ms", "exit_code", "attempts"]);
    has(&result, &["outputs"]);
    assert_eq!(result["task"], "a");
    assert_eq!(result["exit_code"], 0);
    let runs = fs::read_dir(p.path(".taskr/runs")).expect("runs").count();
    assert_eq!(runs, 1);
    p.fresh("b");
    let after = fs::read_dir(p.path(".taskr/runs")).expect("runs").count();
    assert_eq!(after, 1, "a run that did nothing leaves nothing");
}

/// What did not start says why: what it needs failed, or a failure elsewhere stopped the run.
#[test]
fn a_skipped_task_says_why() {
    let p = Project::new(concat!(
        "[target]\nbad = { run = \"exit 1\" }\n",
        "user = { deps = [\"bad\"], run = \"true\" }\n",
        "end = { deps = [\"user\"], run = \"true\" }\n",
        "other = { run = \"true\" }\n",
        "all = { deps = [\"bad\", \"end\", \"other\"] }\n",
    ));
    let skipped = |options: &[&str]| -> Vec<(String, String)> {
        let file = p.outside("events.jsonl");
        let file = file.to_str().expect("text");
        let args = [options, &["-j1", "--events", file, "all"]].concat();
        assert_eq!(p.spawn(args).wait().status.code(), Some(1));
        let events = lines(&fs::read_to_string(file).expect("events"));
        let ended = of_kind(&events, "task_finished");
        let skipped = ended.iter().filter(|event| event["outcome"] == "skipped");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let mut told: Vec<_> =
            skipped.map(|event| (text(&event["task"]), text(&event["because"]["text"]))).collect();
        told.sort();
        told
    };
    let pair = |task: &str, text: &str| (task.to_owned(), text.to_owned());
    let needs = [pair("end", "bad failed"), pair("user", "bad failed")];
    assert_eq!(skipped(&["-k"]), needs);
    let stopped = pair("other", "stopped after a failure (-k goes on)");
    assert_eq!(skipped(&[]), [&needs[..1], &[stopped], &needs[1..]].concat());
}
