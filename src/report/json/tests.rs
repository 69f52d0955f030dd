//! Events as the lines that programs read.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use taskr_cache::Digest;

use super::*;
use crate::error::{Diagnostic, Place, Source};
use crate::ids::TaskId;
use crate::outcome::{
    Because, Change, Changes, Checks, Course, Failure, Finish, Forgiven, Gate, Number, Reason,
    TimedOut,
};

/// The lines of these events, parsed back. Of the raw text only the beginning is compared.
fn told(events: &[Event<'_>]) -> Vec<Value> {
    let mut out = Vec::new();
    let mut listener = Json::new(&mut out);
    events.iter().for_each(|event| listener.event(event));
    assert!(!listener.broken());
    drop(listener);
    let text = String::from_utf8(out).expect("JSON is text");
    assert!(text.ends_with('\n'));
    let begins = |line: &str| line.starts_with("{\"v\":1,\"event\":\"");
    assert!(text.lines().all(begins), "{text}");
    text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

fn task() -> TaskRef<'static> {
    TaskRef { id: TaskId::from_index(7), name: "app" }
}

fn key() -> Digest {
    Digest::from_bytes([0xab; 32])
}

const STARTED: Event<'_> = Event::RunStarted {
    wanted: &[],
    tasks: 3,
    fresh: 0,
    jobs: 4,
    run_id: "r1",
    dry_run: false,
    changes: None,
};

#[test]
fn every_event_has_its_fields() {
    let hex = "ab".repeat(32);
    let wanted = ["all".to_owned()];
    let changes = Changes { by: vec!["--staged".to_owned()], paths: vec![Vec::new(); 2] };
    let reasons = [Reason::Input(b"a\xff.c".to_vec(), Change::Content), Reason::Command("command")];
    let lines = told(&[
        Event::RunStarted {
            wanted: &wanted,
            tasks: 3,
            fresh: 0,
            jobs: 4,
            run_id: "r1",
            dry_run: true,
            changes: Some(&changes),
        },
        Event::TaskReady { task: task() },
        Event::TaskStarted {
            task: task(),
            reasons: &reasons,
            key: Some(key()),
            command: "cc \"x\"",
            at_ms: 5,
        },
        Event::TaskOutput { task: task(), bytes: b"one\ntwo\x1b\0" },
        Event::TaskOutput { task: task(), bytes: b"\xff\xfe" },
        Event::Warning { task: None, message: "odd" },
        Event::Warning { task: Some(task()), message: "odd" },
    ]);
    let expected = [
        json!({"v": 1, "event": "run_started", "run": "r1", "wanted": ["all"], "tasks": 3,
            "jobs": 4, "dry_run": true,
            "changes": {"by": ["--staged"], "files": 2}}),
        json!({"v": 1, "event": "task_ready", "run": "r1", "task": "app", "task_id": 7}),
        json!({"v": 1, "event": "task_started", "run": "r1", "task": "app", "task_id": 7,
            "reasons": [
                {"code": "input", "path": {"base64": "Yf8uYw=="}, "text": "a\\xff.c changed"},
                {"code": "command", "path": null, "text": "its command changed"},
            ],
            "key": hex, "command": "cc \"x\"", "at_ms": 5}),
        json!({"v": 1, "event": "task_output", "run": "r1", "task": "app", "task_id": 7,
            "text": "one\ntwo\u{1b}\u{0}"}),
        json!({"v": 1, "event": "task_output", "run": "r1", "task": "app", "task_id": 7,
            "base64": "//4="}),
        json!({"v": 1, "event": "warning", "run": "r1", "message": "odd"}),
        json!({"v": 1, "event": "warning", "run": "r1", "task": "app", "task_id": 7,
            "message": "odd"}),
    ];
    assert_eq!(lines, expected);
}

const COURSE: Course = Course { attempts: 2, retries: 1, timed_out: true, allowed: false };

#[test]
fn services_come_and_go() {
    let (task, at_ms) = (task(), 5);
    let lines = told(&[
        STARTED,
        Event::ServiceStarted { task, command: "db", named: true, at_ms },
        Event::ServiceReady { task, after_ms: 3, named: false, at_ms },
        Event::ServiceEnded { task, exit_code: None, duration_ms: 9, at_ms },
    ]);
    let with = |event: &str, more: Value| {
        let mut line = json!({"v": 1, "event": event, "run": "r1", "task": "app", "task_id": 7,
            "at_ms": 5});
        line.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        line
    };
    let expected = [
        with("service_started", json!({"command": "db", "named": true})),
        with("service_ready", json!({"after_ms": 3, "named": false})),
        with("service_ended", json!({"exit_code": null, "duration_ms": 9})),
    ];
    assert_eq!(lines[1..], expected);
}

/// With a place in the Taskfile, and bytes that are no text.
fn failure() -> Failure {
    let source = Source { name: "Taskfile.toml".to_owned(), text: "a\nbc".to_owned() };
    let wrong = Diagnostic::error("exit 1").at(Place::new(&Arc::new(source), 3..4), "").help("x");
    Failure {
        what: "exit 1".to_owned(),
        command: "cc".to_owned(),
        tail: b"tail\xff".to_vec(),
        log: b"log".to_vec(),
        wrong: Some(Box::new(wrong)),
    }
}

/// One metric, whose gate fails, and an acceptance test that failed.
fn checkup() -> Checkup {
    let number = Number::parse("93.5").expect("a number");
    let gate = Gate::parse("x", ">= 95").expect("a limit").judge(Some(&number));
    let metrics = vec![("x".to_owned(), number)];
    Checkup { metrics, gates: vec![gate], accept_run: 1, ..Checkup::default() }
}

#[test]
fn an_end_tells_all_or_null() {
    let failure = failure();
    let outputs = [(b"bin/app".to_vec(), 12, key()), (b"\xff".to_vec(), 0, key())];
    let fixed = [b"a.c".to_vec(), b"\xff".to_vec()];
    let checkup = checkup();
    let ended = |finish, exit_code, log, failure| Event::TaskFinished {
        task: task(),
        finish,
        duration_ms: 300,
        saved_ms: (*finish == Finish::Restored).then_some(70),
        exit_code,
        course: COURSE,
        outputs: &outputs,
        fixed: if *finish == Finish::Failed { &fixed } else { &[] },
        checkup: exit_code.map(|_| &checkup),
        log,
        failure,
        because: (*finish == Finish::Skipped).then_some(Because::Needs("lib")),
        at_ms: 9,
    };
    let log = Path::new(OsStr::from_bytes(b"/w/\xff"));
    let lines = told(&[
        STARTED,
        ended(&Finish::Failed, Some(1), Some(log), Some(&failure)),
        ended(&Finish::WouldRun, None, Some(Path::new("/w/log")), None),
        ended(&Finish::Fresh, None, None, None),
        ended(&Finish::Skipped, None, None, None),
        ended(&Finish::Restored, None, None, None),
    ]);
    let hex = "ab".repeat(32);
    assert_eq!(
        lines[1],
        json!({"v": 1, "event": "task_finished", "run": "r1", "task": "app", "task_id": 7,
            "outcome": "failed", "duration_ms": 300, "saved_ms": null, "exit_code": 1,
            "attempts": 2, "retries": 1, "timed_out": true, "allowed": false,
            "outputs": [
                {"path": "bin/app", "size_bytes": 12, "digest": hex},
                {"path": {"base64": "/w=="}, "size_bytes": 0, "digest": hex},
            ],
            "fixed": ["a.c", {"base64": "/w=="}],
            "metrics": {"x": 93.5},
            "accept": {"run": 1, "passed": 0, "failed": null},
            "gates": [{"name": "x", "must": ">= 95", "value": 93.5, "passed": false}],
            "log": {"base64": "L3cv/w=="},
            "failure": {"what": "exit 1", "command": "cc", "tail": {"base64": "dGFpbP8="},
            "log": "log", "help": "x",
            "place": {"file": "Taskfile.toml", "line": 2, "column": 2}},
            "because": null, "at_ms": 9})
    );
    assert_eq!(lines[2]["outcome"], "would_run");
    assert_eq!(lines[2]["log"], "/w/log");
    for absent in ["exit_code", "metrics", "accept", "gates", "log", "failure", "because"] {
        assert_eq!(lines[3].get(absent), Some(&Value::Null), "{absent}");
    }
    let because = json!({"code": "needs", "task": "lib", "text": "lib failed"});
    assert_eq!(lines[4]["because"], because);
    assert_eq!((&lines[5]["outcome"], &lines[5]["saved_ms"]), (&json!("restored"), &json!(70)));
}

fn told_of(summary: &Summary) -> Value {
    told(&[STARTED, Event::RunFinished { run_id: "r1", summary }]).remove(1)
}

#[test]
fn the_last_line_is_the_summary() {
    let mut summary = Summary {
        counts: Counts {
            tasks: 26,
            fresh: 1,
            restored: 5,
            ran: 2,
            failed: 3,
            skipped: 4,
            cancelled: 11,
        },
        wall_ms: 300,
        work_ms: 1_000,
        saved_ms: 17,
        critical_path: vec![Step { task: "app".to_owned(), duration_ms: 250 }],
        jobs: 4,
        signal: Some(15),
        retries: 3,
        forgiven: Forgiven { failed: 1, ..Forgiven::default() },
        timed_out: Some(TimedOut { after_ms: 5, running: vec!["app".to_owned()] }),
        restage: vec![b"a.c".to_vec()],
        checks: Checks { accept_run: 3, accepted: 2, gates_checked: 1, gates_passed: 0 },
        ..Summary::default()
    };
    assert_eq!(
        told_of(&summary),
        json!({"v": 1, "event": "run_finished", "run": "r1",
            "counts": {"tasks": 26, "fresh": 1, "restored": 5, "ran": 2, "failed": 3,
            "skipped": 4, "cancelled": 11},
            "wall_ms": 300, "work_ms": 1000,
            "critical_path": [{"task": "app", "duration_ms": 250}],
            "speedup": 3.33, "jobs": 4, "dry_run": false, "signal": 15, "unstable": 0,
            "retries": 3, "allowed": 1,
            "timed_out": {"after_ms": 5, "running": ["app"]}, "saved_ms": 17,
            "services": 0,
            "restage": ["a.c"],
            "checks": {"accept_run": 3, "accepted": 2, "gates_checked": 1, "gates_passed": 0},
            "gates": [],
            "pipelines": [],
            "exit_code": 1})
    );
    (summary.wall_ms, summary.signal, summary.timed_out) = (0, None, None);
    let line = told_of(&summary);
    assert_eq!((&line["speedup"], &line["signal"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_closed_writer_is_remembered() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut json = Json::new(Closed);
    assert!(!json.broken());
    json.event(&STARTED);
    assert!(json.broken());
    json.event(&Event::TaskReady { task: task() });
}
