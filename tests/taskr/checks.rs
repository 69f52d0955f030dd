//! What must hold before a task counts as done: `accept`, `gates`; and the gates of a run.

use serde_json::{Value, json};

use crate::project::Project;

/// `result.json` of a task.
fn result(p: &Project, task: &str) -> Value {
    let text = p.read(format!(".taskr/tasks/{task}/result.json"));
    serde_json::from_str(&text).expect("JSON")
}

const ACCEPT: &str = r#"
[target.t]
inputs = ["a.in"]
outputs = ["a.out"]
run = "ran t; cp a.in {{ outputs }}; echo made"
accept = [
  "ran staged; test -s {{ outputs }}; test ! -e a.out; echo one",
  "ran second; echo two; ! grep bad \"$OUT/a.out\"",
  "ran third",
]
"#;

#[test]
fn acceptance_tests_run_in_order_on_the_staged_files() {
    let p = Project::new(ACCEPT);
    p.write("a.in", "good\n");
    let expected = "passed: 3 of 3 acceptance tests";
    let run = p.taskr(["t"]).ran(["t", "staged", "second", "third"]);
    run.makes("a.out", "good\n").says(expected).ok();
    let log = p.read(".taskr/tasks/t/log");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 6, "{log}");
    assert_eq!((lines[0], lines[2], lines[4]), ("made", "one", "two"), "{log}");
    assert!(lines[1].starts_with("== accept: ran staged; test -s "), "{log}");
    assert_eq!(lines[5], "== accept: ran third");
    assert_eq!(result(&p, "t")["accept"], json!({ "run": 3, "passed": 3, "failed": null }));
    p.fresh("t");
}

#[test]
fn the_first_that_fails_fails_the_task_and_nothing_is_published() {
    let p = Project::new(ACCEPT).with_store();
    p.write("a.in", "good\n");
    p.taskr(["t"]).ran(["t", "staged", "second", "third"]).makes("a.out", "good\n").ok();
    p.remove("a.out").write("a.in", "bad\n");
    p.taskr(["t", "--output=failed"])
        .ran(["t", "staged", "second"])
        .says("✗ t  failed")
        .says("acceptance test 2 of 3 failed: exit 1")
        .says("! grep bad")
        .says("two\nbad\n")
        .says("passed: 1 of 2 acceptance tests")
        .exits(1);
    let told = result(&p, "t");
    let failed = told["accept"]["failed"].as_str().expect("a text");
    assert!(failed.starts_with("ran second"), "{told:#}");
    assert_eq!((&told["outcome"], &told["exit_code"]), (&json!("failed"), &json!(0)));
    // Nothing is recorded: it runs again, and the store has nothing of it.
    p.taskr(["t"]).ran(["t", "staged", "second"]).exits(1);
    p.write("a.in", "good\n");
    p.taskr(["t"]).makes("a.out", "good\n").says("restored").ok();
}

#[test]
fn the_text_of_an_acceptance_test_is_in_the_key_and_so_is_its_program() {
    let taskfile = |test: &str| {
        format!(
            "[target.t]\ninputs = []\nrun = 'ran t'\naccept = ['{test}']\nshell = ['sh', '-eu', '-c']\n"
        )
    };
    let p = Project::new(&taskfile("./ok 1"));
    p.write("ok", "#!/bin/sh\nran ok\n").chmod("ok", 0o755);
    p.taskr(["t"]).ran(["t", "ok"]).ok();
    p.fresh("t");
    p.write("Taskfile.toml", &taskfile("./ok 2"));
    p.taskr(["-v", "t"]).ran(["t", "ok"]).says("its acceptance tests changed").ok();
    p.fresh("t");
    p.write("ok", "#!/bin/sh\nran ok2\n");
    p.taskr(["-v", "t"]).ran(["t", "ok2"]).says("the program ./ok changed").ok();
    p.write("Taskfile.toml", "[target.t]\ninputs = []\nrun = 'ran t'\n");
    p.taskr(["-v", "t"]).ran(["t"]).says("its acceptance tests changed").ok();
    p.fresh("t");
}

#[test]
fn an_acceptance_test_has_the_folder_and_the_environment_of_the_command() {
    let p = Project::new(
        "[target.t]\ndir = 'd'\nenv = { A = 'a b' }\nrun = 'ran t; echo x=1 >>\"$TASKR_METRICS\"'\n\
         accept = 'test \"$A\" = \"a b\"; test -e here; grep -q x=1 \"$TASKR_METRICS\"; \
         test $TASKR_TASK = t; ran {{ name }}'\n",
    );
    p.write("d/here", "");
    p.taskr(["t"]).ran(["t", "t"]).ok();
}

#[test]
fn a_test_of_several_is_named_and_one_that_cannot_start_too() {
    let p = Project::new(
        "[target.t]\nshell = ['nosuchshell', '-c']\nexec = ['ran', 't']\naccept = 'x'\n",
    );
    p.taskr(["t"]).ran(["t"]).says("its acceptance test failed: ").says("nosuchshell").exits(1);
}

const GATES: &str = r#"
[vars]
least = 95
[target.t]
inputs = ["metrics"]
run = 'ran t; cp metrics "$TASKR_METRICS"'
gates = { coverage = ">= {{ least }}", vulnerabilities = "== 0" }
"#;

#[test]
fn a_gate_that_fails_says_by_how_much() {
    let p = Project::new(GATES);
    p.write("metrics", "coverage=93.5\nvulnerabilities=0\nrev=7\n");
    p.taskr(["t"])
        .ran(["t"])
        .says("coverage is 93.5, must be >= 95: 1.5 short")
        .never_says("vulnerabilities is")
        .says("passed: 1 of 2 gates")
        .exits(1);
    let told = result(&p, "t");
    assert_eq!(told["metrics"], json!({ "coverage": 93.5, "vulnerabilities": 0, "rev": 7 }));
    assert_eq!(
        told["gates"],
        json!([
            { "name": "coverage", "must": ">= 95", "value": 93.5, "passed": false },
            { "name": "vulnerabilities", "must": "== 0", "value": 0, "passed": true },
        ])
    );
    // Given twice, the last one counts.
    p.write("metrics", "coverage=93.5\nvulnerabilities=0\ncoverage=95\n");
    p.taskr(["t"]).ran(["t"]).says("passed: 2 of 2 gates").ok();
    p.fresh("t");
    // The limit counts in the key, and how it is written does not.
    p.write("Taskfile.toml", &GATES.replace(">= {{", ">={{"));
    p.fresh("t");
    let stricter = GATES.replace("least = 95", "least = 96");
    p.write("Taskfile.toml", &stricter);
    p.taskr(["-v", "t"]).ran(["t"]).says("its gates changed").says(": 1 short").exits(1);
}

#[test]
fn metrics_that_are_missing_or_no_numbers_fail_a_gate() {
    let p = Project::new(GATES);
    for (metrics, says) in [
        ("", "coverage is missing, must be >= 95: nothing was written to $TASKR_METRICS"),
        (
            "coverages=99\nvulnerabilities=0\n",
            "coverage is missing, must be >= 95: there is `coverages` in $TASKR_METRICS",
        ),
        (
            "lines=1\nvulnerabilities=0\n",
            "coverage is missing, must be >= 95: $TASKR_METRICS has lines, vulnerabilities",
        ),
        (
            "coverage=99%\nvulnerabilities=0\n",
            "coverage is 99%, which is no number; it must be >= 95",
        ),
        (
            "coverage=1\nvulnerabilities=2\n",
            "coverage is 1, must be >= 95: 94 short; vulnerabilities is 2, must be == 0: 2 over",
        ),
    ] {
        p.write("metrics", metrics);
        p.taskr(["t"]).ran(["t"]).says(says).exits(1);
    }
    p.write("metrics", "coverage=99\nvulnerabilities=0\nno line\nrev=abc\n");
    p.taskr(["t"])
        .ran(["t"])
        .warns("its metric rev is no number: abc")
        .says("line 3 of its metrics is no name=value, and is left out: no line")
        .ok();
}

#[test]
fn each_attempt_and_each_run_begins_without_metrics() {
    let p = Project::new(
        "[target.t]\nrun = 'ran t; test ! -e \"$TASKR_METRICS\"; echo x=1 >\"$TASKR_METRICS\"; \
         test ! -e ~/broken'\n",
    );
    std::fs::write(p.outside("home/broken"), "").expect("a file");
    p.taskr(["t"]).ran(["t"]).says("exit 1").exits(1);
    std::fs::remove_file(p.outside("home/broken")).expect("it was there");
    p.taskr(["t"]).ran(["t"]).ok();
    p.taskr(["t"]).ran(["t"]).ok();
    assert_eq!(result(&p, "t")["metrics"], json!({ "x": 1 }));
}

#[test]
fn events_tell_what_was_checked() {
    let p = Project::new(GATES);
    p.write("metrics", "coverage=99\nvulnerabilities=1\n");
    p.taskr(["t", "--events", "e.jsonl"]).ran(["t"]).any_files().exits(1);
    let text = p.read("e.jsonl");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |name: &str| events.iter().find(|event| event["event"] == name).expect("it happened");
    let finished = of("task_finished");
    assert_eq!(finished["metrics"], json!({ "coverage": 99, "vulnerabilities": 1 }));
    assert_eq!(finished["accept"], json!({ "run": 0, "passed": 0, "failed": null }));
    assert_eq!(finished["gates"][1]["passed"], json!(false));
    let checks = json!({
        "accept_run": 0, "accepted": 0, "gates_checked": 2, "gates_passed": 1,
    });
    assert_eq!(of("run_finished")["checks"], checks);
}

#[test]
fn a_run_is_held_to_its_own_gates() {
    let p = Project::new(
        "[taskr]\ngates = { speedup = '>= 50', failed = '== 0', wall_s = '<= 1200' }\n\
         [target.t]\ninputs = []\nrun = 'ran t; sleep 0.02'\n",
    );
    p.taskr(["t"])
        .ran(["t"])
        .says("✗ the run: speedup is ")
        .says(", must be >= 50: ")
        .says("passed: 2 of 3 gates")
        .exits(1);
    // What ran is recorded all the same; where nothing ran there is no speed-up.
    p.taskr(["t"]).says("1 task up to date").never_says("gates").ok();
    p.taskr(["-n", "-B", "t"]).never_says("gates").ok();
}

#[test]
fn gates_of_the_run_that_mean_nothing_are_refused_before_anything_runs() {
    let p = Project::new(
        "[taskr]\ngates = { speed_up = '>= 2', wall_s = '20s' }\n[target.t]\nrun = 'ran t'\n",
    );
    for args in [vec!["t"], vec!["check"]] {
        p.taskr(args)
            .says("a run has no `speed_up`")
            .says("did you mean `speedup`?")
            .says("`20s` is no limit for `wall_s`")
            .exits(2);
    }
}

#[test]
fn show_tells_what_is_checked() {
    let p = Project::new(
        "[target.t]\nrun = 'true'\naccept = ['test {{ name }}']\n\
         gates = { a = '>= 1' }\n",
    );
    p.taskr(["show", "t"]).says("  accept\n    test t ").says("  gates\n    a >= 1 ").ok();
}

#[test]
fn a_gate_or_a_test_that_fails_is_a_failed_attempt() {
    let p = Project::new(
        "[target.gate]\nretry = { times = 2, backoff = '10ms' }\ngates = { n = '>= 2' }\n\
         run = 'ran gate; echo n=$TASKR_ATTEMPT > \"$TASKR_METRICS\"'\n\
         [target.test]\nretry = { times = 2, backoff = '10ms' }\n\
         run = 'ran test'\naccept = ['ran accept; test $TASKR_ATTEMPT = 2']\n\
         [target.exit]\nretry = { times = 2, on_exit = 7 }\nrun = 'ran exit'\naccept = ['exit 7']\n",
    );
    p.taskr(["gate"]).ran(["gate", "gate"]).says("passed: 1 of 1 gates").says("1 retry").ok();
    assert_eq!(
        result(&p, "gate")["failed_attempts"][0]["failure"],
        "n is 1, must be >= 2: 1 short"
    );
    p.taskr(["test"]).ran(["test", "accept", "test", "accept"]).says("1 retry").ok();
    // Only the exit code of the command counts.
    p.taskr(["exit"]).ran(["exit"]).exits(1);
}

#[test]
fn acceptance_tests_have_what_the_command_left_of_the_timeout() {
    let p = Project::new(
        "[target.t]\ntimeout = '1500ms'\nrun = 'ran t; sleep 0.8'\n\
         accept = ['ran one; sleep 1.2; ran two', 'ran three']\n",
    );
    p.taskr(["t"])
        .ran(["t", "one"])
        .says("acceptance test 1 of 2 failed: timed out after 1500ms")
        .exits(1);
    assert_eq!(result(&p, "t")["timed_out"], true);
}

/// `[taskr]` sees the variables of the file, and those of the command line.
#[test]
fn what_holds_for_the_run_sees_variables() {
    let p = Project::new(
        r#"
default = ["t"]
[vars]
n = "3"
limit = "{{ n }}000"
level = "1"
[profile.rel.vars]
level = "2"
[taskr]
jobs = "{{ n }}"
gates = { wall_s = "<= {{ limit }}" }
[target.t]
run = "ran t {{ jobs }} {{ level }}"
"#,
    );
    p.taskr(["check"]).stdout("Taskfile.toml is fine: 1 target, 1 task\n").ok();
    p.taskr(["t"]).ran(["t 3 1"]).ok();
    p.taskr(["-D", "n=2", "t"]).ran(["t 2 1"]).ok();
    p.taskr(["-D", "limit=0", "t"]).ran(["t 3 1"]).says("wall_s").exits(1);
    // A run may build several profiles, and has one number of jobs.
    let text = p.read("Taskfile.toml").replace("jobs = \"{{ n }}\"", "jobs = \"{{ level }}\"");
    p.write("Taskfile.toml", &text);
    let says = "`jobs` holds for all profiles, and `level` differs in them";
    p.taskr(["check"]).says(says).exits(2);
    p.taskr(["t"]).says(says).exits(2);
}
