//! `--trace`: a file that trace viewers open, whatever the end.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::project::{Project, mkfifo};

const TASKS: &str = r#"
default = ["all"]
[target.one]
foreach = ["src/*"]
outputs = ["o/{{ item.name }}"]
run     = "ran {{ item.name }}; cat {{ item }} > {{ outputs }}"
[target.all]
inputs  = ["@one"]
outputs = ["sum"]
run     = "ran all; cat {{ inputs }} > {{ outputs }}"
"#;

fn project() -> Project {
    let p = Project::new(TASKS);
    for name in ["a", "b", "c"] {
        p.write(format!("src/{name}"), "1\n");
    }
    p
}

/// The complete events of a trace, checked to nest in their lanes and to lie in the outermost.
fn spans(p: &Project) -> Vec<Value> {
    let text = fs::read_to_string(p.outside("trace.json")).expect("a trace");
    let events: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
    let spans: Vec<Value> = events.into_iter().filter(|event| event["ph"] == "X").collect();
    let range = |span: &Value| {
        let begun = span["ts"].as_u64().expect("a time");
        (begun, begun + span["dur"].as_u64().expect("a duration"))
    };
    let whole = spans.last().map(range).expect("a last one");
    let mut lanes: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for span in &spans {
        let (begun, ended) = range(span);
        assert!(whole.0 <= begun && ended <= whole.1, "{span} is not within {whole:?}");
        lanes.entry(span["tid"].as_u64().expect("a lane")).or_default().push((begun, ended));
    }
    for (lane, mut spans) in lanes {
        spans.sort_by_key(|&(begun, ended)| (begun, std::cmp::Reverse(ended)));
        let mut around: Vec<(u64, u64)> = Vec::new();
        for (begun, ended) in spans {
            around.retain(|outer| begun < outer.1);
            assert!(
                around.iter().all(|outer| ended <= outer.1),
                "lane {lane}: {begun}..{ended} crosses {around:?}"
            );
            around.push((begun, ended));
        }
    }
    spans
}

/// Names and outcomes of the tasks in a trace, sorted.
fn tasks(spans: &[Value]) -> Vec<(String, String)> {
    let tasks = spans.iter().filter(|span| span["cat"] == "task");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut tasks: Vec<_> =
        tasks.map(|span| (text(&span["name"]), text(&span["args"]["outcome"]))).collect();
    tasks.sort();
    tasks
}

/// Runs taskr with a trace; its spans.
fn traced(p: &Project, code: i32, args: &[&str]) -> Vec<Value> {
    let trace = p.outside("trace.json");
    let trace = trace.to_str().expect("text");
    let args = [&["--trace", trace], args].concat();
    let output = p.spawn(args).wait();
    assert_eq!(output.status.code(), Some(code), "{output}");
    spans(p)
}

fn names<'s>(spans: &'s [Value], kind: &str) -> Vec<&'s str> {
    let of_kind = spans.iter().filter(|span| span["cat"] == kind);
    of_kind.map(|span| span["name"].as_str().expect("a name")).collect()
}

/// All that the loop did, in sums, is as long as the loop.
fn sums_are_the_loop(spans: &[Value]) {
    let us = |span: &Value| span["dur"].as_u64().expect("a duration");
    let sums: Vec<&Value> = spans.iter().filter(|span| span["cat"] == "sum").collect();
    assert!(sums.iter().any(|span| span["name"] == "look at files"), "{sums:?}");
    let whole = spans.iter().find(|span| span["name"] == "loop").map(us).expect("the loop");
    let all: u64 = sums.iter().map(|span| us(span)).sum();
    // Each is cut to whole microseconds.
    assert!(all <= whole && whole - all <= sums.len() as u64 + 1, "{all} of {whole}: {sums:?}");
}

#[test]
fn every_task_that_ran_is_there_once() {
    let p = project();
    let spans = traced(&p, 0, &["-j2"]);
    let ran = |name: &str| (name.to_owned(), "ran".to_owned());
    assert_eq!(tasks(&spans), ["all", "one@src/a", "one@src/b", "one@src/c"].map(ran));
    let all = spans.iter().find(|span| span["name"] == "all").expect("all");
    assert_eq!(all["args"]["reasons"][0], "it has no result yet");
    assert_eq!(all["args"]["key"].as_str().map(str::len), Some(64), "{all}");
    let steps = names(&spans, "step");
    for step in ["prepare", "command", "collect", "publish", "record"] {
        assert_eq!(steps.iter().filter(|name| **name == step).count(), 4, "{step} in {steps:?}");
    }
    sums_are_the_loop(&spans);
    let stages = names(&spans, "taskr");
    for stage in [
        "start",
        "parse",
        "expand",
        "link",
        "lock",
        "read the state",
        "mend",
        "plan",
        "finish workers",
        "finish writing the state",
        "clear up",
        "taskr",
    ] {
        assert!(stages.contains(&stage), "no {stage} in {stages:?}");
    }

    let spans = traced(&p, 0, &["-j2"]);
    assert_eq!(tasks(&spans), [], "what is up to date has no event");
    assert_eq!(spans.last().expect("the whole")["args"]["fresh"], 4);
    p.write("src/b", "2\n");
    let spans = traced(&p, 0, &["-n"]);
    assert_eq!(tasks(&spans), [], "a dry run runs nothing");
    let spans = traced(&p, 0, &[]);
    assert_eq!(tasks(&spans), ["all", "one@src/b"].map(ran));
}

#[test]
fn a_failure_and_a_signal_leave_a_whole_trace() {
    let p = Project::new(
        "[target.bad]\ninputs = []\nrun = \"ran bad; exit 3\"\n\
         [target.long]\ninputs = []\nrun = \"ran long; sleep 100\"\n",
    );
    let spans = traced(&p, 1, &["bad"]);
    assert_eq!(tasks(&spans), [("bad".to_owned(), "failed".to_owned())]);
    let bad = spans.iter().find(|span| span["name"] == "bad").expect("bad");
    assert_eq!(bad["args"]["exit_code"], 3);

    let trace = p.outside("trace.json");
    let live = p.spawn(["--trace".as_ref(), trace.as_os_str(), "long".as_ref()]);
    p.await_ran("long");
    live.signal(rustix::process::Signal::INT);
    live.dies_by(rustix::process::Signal::INT);
    assert_eq!(tasks(&self::spans(&p)), [("long".to_owned(), "cancelled".to_owned())]);
}

#[test]
fn nothing_runs_if_it_cannot_be_written() {
    let p = project();
    p.taskr(["--trace", "no/such/folder/t.json"]).says("cannot write the trace").exits(2);
    p.taskr(["--trace", "src/a"])
        .says("--trace would replace src/a, which is no trace")
        .says("`--trace trace.json`")
        .exits(2);
    assert_eq!(p.read("src/a"), "1\n");
}

/// Neither option waits for a pipe that nobody reads; one that is read gets all.
#[test]
fn a_pipe_is_not_waited_for() {
    let p = project();
    let pipe = p.outside("pipe");
    mkfifo(&pipe);
    for option in ["--trace", "--events"] {
        let output = p.spawn([option.as_ref(), pipe.as_os_str()]).wait();
        assert_eq!(output.status.code(), Some(2), "{output}");
        assert!(output.stderr.contains("nobody reads the pipe"), "{output}");
    }
    let mut reader = fs::File::options().read(true).write(true).open(&pipe).expect("a pipe");
    let output = p.spawn(["--trace".as_ref(), pipe.as_os_str()]).wait();
    assert!(output.status.success(), "{output}");
    let mut text = vec![0; 1 << 16];
    let len = std::io::Read::read(&mut reader, &mut text).expect("the trace");
    assert!(text[..len].starts_with(b"[") && text[..len].ends_with(b"]\n"), "{len} bytes");
}

#[test]
fn a_trace_that_breaks_off_is_told() {
    let p = project();
    let output = p.spawn(["--trace", "/dev/full"]).wait();
    assert_eq!(output.status.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("the trace /dev/full is incomplete: No space left on device\n"),
        "{output}"
    );
}
