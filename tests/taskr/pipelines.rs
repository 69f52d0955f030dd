//! `[pipeline.NAME]`: steps in an order, what a failure means, what is undone.

use serde_json::{Value, json};

use crate::project::Project;

/// Each writes its name where it begins and where it ends; `slow` waits for `go`, `bad` fails.
const STEPS: &str = r#"
default = ["release"]

[target]
fetch     = "ran fetch"
analyze   = "ran analyze; until [ -e visualizes ]; do sleep 0.01; done; ran analyzed"
visualize = "ran visualize; : > visualizes; ran visualized"
publish   = "ran publish"

[pipeline.release]
doc   = "All of it"
steps = ["fetch", ["analyze", "visualize"], "publish"]
"#;

#[test]
fn steps_run_one_after_another_and_lists_at_once() {
    let p = Project::new(STEPS);
    let all = ["fetch", "analyze", "analyzed", "visualize", "visualized", "publish"];
    p.taskr(["-j2", "release"]).ran(all).any_files().says("4 tasks: 4 ran").ok();
    // Alone a step has no order, and needs nobody.
    p.taskr(["publish"]).ran(["publish"]).any_files().ok();
    // A bare `taskr` runs what `default` names.
    p.taskr(["-j2"]).ran(all).any_files().ok();
    p.taskr(["-n"]).says("would run fetch").says("would run publish").any_files().ok();
}

/// In the order in which they were written.
fn order(p: &Project, args: &[&str], code: i32) -> Vec<String> {
    let log = p.outside("order.log");
    let _ = std::fs::remove_file(&log);
    p.taskr(args).any_ran().any_files().any_warning().exits(code);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Targets that write their name to a log, or fail as well.
fn targets(names: &[&str], bad: &[&str]) -> String {
    let one = |name: &&str| {
        let end = if bad.contains(name) { "; exit 3" } else { "" };
        format!(
            "[target.{name}]\nrun = 'echo {name} >> ~/../order.log{end}'\n\
             rollback = 'echo undo {name} >> ~/../order.log'\n"
        )
    };
    names.iter().map(one).collect()
}

#[test]
fn lists_nest_to_any_depth() {
    let text = targets(&["a", "b", "c", "d", "e"], &[]);
    let p = Project::new(&(text + "[pipeline.p]\nsteps = ['a', [['b', ['c']], ['d']], 'e']\n"));
    for _ in 0..3 {
        let order = order(&p, &["-j4", "p"], 0);
        let at = |name: &str| order.iter().position(|own| own == name).expect("it ran");
        assert_eq!((at("a"), at("e"), order.len()), (0, 4, 5), "{order:?}");
        assert!(at("b") < at("c"), "{order:?}");
    }
}

#[test]
fn stop_is_the_default_and_ends_what_runs() {
    let p = Project::new(
        "[target]\nslow = 'ran slow; : > ~/slow; exec sleep 60'\n\
         bad = 'until [ -e ~/slow ]; do sleep 0.01; done; ran bad; exit 1'\nnext = 'ran next'\n\
         [pipeline.p]\nsteps = [['slow', 'bad'], 'next']\n",
    );
    p.taskr(["-j2", "p"])
        .ran(["slow", "bad"])
        .says("1 failed, 1 skipped, 1 cancelled")
        .says("pipeline p failed: 0 of 3 tasks succeeded")
        .exits(1);
}

#[test]
fn keep_going_overrides_stop() {
    let text = targets(&["a", "b", "c"], &["a"]) + "[pipeline.p]\nsteps = [['a', 'b'], 'c']\n";
    let p = Project::new(&text);
    let mut order = order(&p, &["-k", "-j2", "p"], 1);
    order.sort();
    assert_eq!(order, ["a", "b", "c"]);
}

#[test]
fn continue_runs_all_that_does_not_need_what_failed() {
    let text =
        targets(&["a", "b", "c", "d"], &["a"]).replace("[target.c]", "[target.c]\ndeps = ['a']");
    let p = Project::new(
        &(text + "[pipeline.p]\nsteps = [['a', 'b'], 'c', 'd']\non_error = 'continue'\n"),
    );
    let ran = order(&p, &["-j1", "p"], 1);
    assert_eq!(ran, ["a", "b", "d"]);
    p.taskr(["-j1", "p"])
        .any_ran()
        .says("- c  skipped: a failed")
        .says("pipeline p failed: 2 of 4 tasks succeeded")
        .exits(1);
}

#[test]
fn rollback_undoes_what_was_done_in_reverse_order() {
    let text = targets(&["a", "b", "c", "d", "e"], &["d"]);
    let text = text.replace("'echo undo b >> ", "'echo undo b; exit 4 >> ");
    let p = Project::new(
        &(text + "[pipeline.p]\nsteps = ['a', 'b', 'c', 'd', 'e']\non_error = 'rollback'\n"),
    );
    let ran = order(&p, &["p"], 1);
    assert_eq!(ran, ["a", "b", "c", "d", "undo c", "undo a"]);
    let run = p.taskr(["p", "--events", "e.jsonl"]).any_ran().any_files();
    run.says("rolled back c in ")
        .says("✗ b  rollback failed: exit 4")
        .says("  | undo b\n  log: .taskr/tasks/b/rollback.log")
        .says("rolled back a in ")
        .says("pipeline p failed: 3 of 5 tasks succeeded; rolled back: c, a; not rolled back: b")
        .exits(1);
    let text = p.read("e.jsonl");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let undone: Vec<_> =
        events.iter().filter(|event| event["event"] == "task_rolled_back").collect();
    let names: Vec<_> = undone.iter().map(|event| &event["task"]).collect();
    assert_eq!(names, ["c", "b", "a"]);
    assert_eq!(
        (&undone[0]["failure"], &undone[1]["failure"]["what"]),
        (&Value::Null, &json!("exit 4"))
    );
    let last = events.last().expect("a last");
    assert_eq!(
        last["pipelines"],
        json!([{ "name": "p", "tasks": 5, "succeeded": 3, "required": 5, "fine": false,
            "rolled_back": ["c", "a"], "not_rolled_back": ["b"] }])
    );
}

#[test]
fn what_was_undone_is_not_up_to_date() {
    let p = Project::new(
        "[target.deploy]\ninputs = []\nrun = 'ran deploy'\nrollback = 'ran undo {{ name }}'\n\
         [target.check]\nrun = 'ran check; test -e ~/well'\n\
         [pipeline.p]\nsteps = ['deploy', 'check']\non_error = 'rollback'\n",
    )
    .with_store();
    p.taskr(["p"]).ran(["deploy", "check", "undo deploy"]).exits(1);
    std::fs::write(p.outside("home/well"), "").expect("a file");
    p.taskr(["p"]).ran(["deploy", "check"]).ok();
    p.taskr(["p"]).ran(["check"]).ok();
    // What was done before this run is not undone by it.
    std::fs::remove_file(p.outside("home/well")).expect("it was there");
    p.taskr(["p"]).ran(["check"]).exits(1);
}

#[test]
fn a_rollback_without_failures_undoes_nothing() {
    let text =
        targets(&["a", "b"], &[]) + "[pipeline.p]\nsteps = ['a', 'b']\non_error = 'rollback'\n";
    assert_eq!(order(&Project::new(&text), &["p"], 0), ["a", "b"]);
}

#[test]
fn enough_successes_make_a_pipeline_succeed() {
    let text = targets(&["a", "b", "c", "d"], &["b"]);
    let steps = "[pipeline.p]\nsteps = [['a', 'b', 'c'], 'd']\n";
    let p = Project::new(&(text.clone() + steps + "require = '60%'\n"));
    let run = p.taskr(["-j1", "p"]).any_ran();
    run.says("✗ b").says("pipeline p succeeded: 3 of 4 tasks did, 3 must").ok();
    // One more is one too many: `stop` holds from there on.
    let text = text.replace(
        "order.log'\nrollback = 'echo undo a",
        "order.log; exit 1'\nrollback = 'echo undo a",
    );
    p.write("Taskfile.toml", &(text + steps + "require = 3\n"));
    assert_eq!(order(&p, &["-j1", "p"], 1), ["a", "b"]);
    // Beside others a failure of theirs counts as ever.
    p.write(
        "Taskfile.toml",
        &(targets(&["a", "b"], &["a", "b"])
            + "[pipeline.p]\nsteps = ['a']\nrequire = 1\non_error = 'continue'\n"),
    );
    assert_eq!(order(&p, &["-j1", "p", "b"], 1), ["a", "b"]);
}

#[test]
fn what_is_asked_for_beside_a_pipeline_is_not_forgiven() {
    let p = Project::new(
        "[target.a]\nrun = 'ran a'\n[target.b]\nrun = 'ran b; exit 1'\n[target.all]\ndeps = ['b']\n\
         [target.c]\ndeps = ['b']\nrun = 'ran c'\n\
         [pipeline.p]\nsteps = [['a', 'b']]\nrequire = '50%'\non_error = 'continue'\n",
    );
    p.taskr(["p"]).ran(["a", "b"]).ok();
    for also in ["b", "all", "c"] {
        p.taskr(["p", also]).ran(["a", "b"]).says("✗ b").exits(1);
    }
    p.taskr(["p", "a"]).ran(["a", "b"]).ok();
}

#[test]
fn a_breaker_stops_starting_after_so_many_failures() {
    let text = targets(&["a", "b", "c", "d"], &["a", "b", "c"]);
    let p = Project::new(
        &(text
            + "[pipeline.p]\nsteps = [['a', 'b', 'c', 'd']]\non_error = 'continue'\nmax_failures = 2\n"),
    );
    assert_eq!(order(&p, &["-j1", "p"], 1), ["a", "b"]);
}

#[test]
fn steps_are_in_no_key_and_in_no_other_run() {
    let text = "[target.a]\ninputs = []\noutputs = ['a']\nrun = 'ran a; : > a'\n\
                [target.b]\ninputs = ['a.in']\nrun = 'ran b'\n";
    let p = Project::new(text);
    p.write("a.in", "");
    p.taskr(["a", "b"]).ran(["a", "b"]).makes("a", "").ok();
    p.write("Taskfile.toml", &format!("{text}[pipeline.p]\nsteps = ['b', 'a']\n"));
    p.fresh("p");
    p.write("Taskfile.toml", &format!("{text}[pipeline.p]\nsteps = ['a', 'b']\n"));
    p.fresh("p");
    p.taskr(["check"])
        .warns("`b` comes after `a`, and declares nothing of it")
        .says("there is no `default`")
        .ok();
    let tied = text.replace("'a.in'", "'a.in', '@a'");
    p.write("Taskfile.toml", &format!("{tied}[pipeline.p]\nsteps = ['a', 'b']\n"));
    p.taskr(["check"]).warns("there is no `default`").never_says("declares nothing").ok();
}

#[test]
fn a_cycle_through_steps_is_refused_before_anything_runs() {
    let p = Project::new(
        "[target.lib]\nrun = 'ran lib'\n[target.app]\ndeps = ['lib']\nrun = 'ran app'\n\
         [pipeline.p]\nsteps = ['app', 'lib']\n",
    );
    for args in [vec!["p"], vec!["check"]] {
        p.taskr(args)
            .says("error: a cycle of 2 tasks, steps included: lib → app → lib")
            .says("`lib` starts after `app`")
            .says("`app` needs `lib`")
            .exits(2);
    }
    p.taskr(["app"]).ran(["lib", "app"]).ok();
    // A formatter comes before its readers, so it is no later step.
    p.write(
        "Taskfile.toml",
        "[target.fmt]\ninputs = ['x']\nfixes_inputs = true\nrun = 'ran fmt'\n\
         [target.use]\ninputs = ['x']\nrun = 'ran use'\n[pipeline.p]\nsteps = ['use', 'fmt']\n",
    );
    p.write("x", "");
    p.taskr(["p"]).says("a cycle of 2 tasks, steps included: ").exits(2);
}

#[test]
fn two_pipelines_at_once_have_no_order_both_ways() {
    let text = targets(&["a", "b"], &[]);
    let p = Project::new(
        &(text + "[pipeline.p]\nsteps = ['a', 'b']\n[pipeline.q]\nsteps = ['b', 'a']\n"),
    );
    assert_eq!(order(&p, &["p"], 0), ["a", "b"]);
    assert_eq!(order(&p, &["q"], 0), ["b", "a"]);
    p.taskr(["p", "q"]).says("`a` starts after `b`").says("`b` starts after `a`").exits(2);
}

#[test]
fn steps_that_name_nothing_or_one_task_twice_are_refused() {
    let p = Project::new(
        "[target]\nfetch = 'ran fetch'\nall = 'ran all'\n[pipeline.p]\nsteps = ['fetsch', ['all', 'all']]\n\
         [pipeline.q]\nsteps = ['fetch']\nrequire = 2\n",
    );
    p.taskr(["p"])
        .says("there is no task `fetsch`")
        .says("did you mean `fetch`?")
        .says("two steps have `all`")
        .exits(2);
    p.taskr(["q"]).says("asks for more successes than it has tasks").says("it has 1").exits(2);
    // Nobody is harmed who does not ask for them.
    p.taskr(["fetch"]).ran(["fetch"]).ok();
    p.taskr(["relase"]).says("there is no target `relase`").exits(2);
}

#[test]
fn a_signal_rolls_nothing_back_and_says_so() {
    let text = targets(&["a"], &[])
        + "[target.slow]\nrun = 'ran slow; exec sleep 60'\n\
         [pipeline.p]\nsteps = ['a', 'slow']\non_error = 'rollback'\n";
    let p = Project::new(&text);
    let live = p.spawn(["p"]);
    p.await_ran("slow");
    live.signal(rustix::process::Signal::INT);
    let output = live.dies_by(rustix::process::Signal::INT);
    assert!(output.to_string().contains("interrupted: not rolled back: a"), "{output}");
    assert_eq!(std::fs::read_to_string(p.outside("order.log")).expect("a log"), "a\n");
}

#[test]
fn list_shows_pipelines_and_tools_know_their_steps() {
    let p = Project::new(STEPS);
    p.taskr(["list"])
        .says("\npipelines:\nrelease  All of it: fetch, [analyze, visualize], publish (default)\n")
        .ok();
    let listed: Value =
        serde_json::from_str(&p.taskr(["list", "--json"]).ok().stdout).expect("JSON");
    assert_eq!(
        listed["pipelines"][0]["steps"],
        json!(["fetch", ["analyze", "visualize"], "publish"])
    );
    p.taskr(["show", "release"])
        .says("release: a pipeline of what follows  (Taskfile.toml:10:11)\n  doc\n    All of it\n")
        .says("  steps\n    fetch, [analyze, visualize], publish\n  on_error\n    stop\n")
        .says("fetch: runs whenever")
        .says("publish: runs whenever")
        .ok();
    p.taskr(["why", "release"])
        .says("release runs its steps in this order: fetch, [analyze, visualize], publish\nfetch ")
        .says("publish")
        .ok();
    p.taskr(["graph", "release"])
        .stdout(
            "publish\n├─ analyze  (order only)\n│  └─ fetch  (order only)\n\
             └─ visualize  (order only)\n   └─ fetch  (order only)\n\n\
             pipelines:\nrelease: fetch, [analyze, visualize], publish\n",
        )
        .ok();
    for tool in ["show", "why", "graph"] {
        let told = p.taskr([tool, "release", "--json"]).ok().stdout;
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["pipelines"][0]["on_error"], "stop", "{tool}: {told}");
        assert_eq!(told["pipelines"][0]["steps"][1], json!(["analyze", "visualize"]));
    }
    p.taskr(["check"]).stdout("Taskfile.toml is fine: 4 targets, 4 tasks\n").ok();
}

#[test]
fn a_step_that_may_fail_does_no_harm() {
    let text = targets(&["a", "lint", "z"], &["lint"]);
    let text = text.replace("[target.lint]", "[target.lint]\nallow_failure = true");
    let steps = "[pipeline.p]\nsteps = ['a', 'lint', 'z']\non_error = 'rollback'\n";
    let p = Project::new(&(text.clone() + steps));
    assert_eq!(order(&p, &["p"], 0), ["a", "lint", "z"]);
    let run = p.taskr(["p"]).any_ran();
    run.says("1 failed (allowed)").says("pipeline p succeeded: 2 of 3 tasks did").ok();
    // What needs it is missing then, as if it had been asked for by itself.
    let tied = text.replace("[target.z]", "[target.z]\ndeps = ['lint']");
    p.write("Taskfile.toml", &(tied + steps));
    assert_eq!(order(&p, &["p"], 1), ["a", "lint", "undo a"]);
}

#[test]
fn a_target_that_needs_not_all_of_its_tasks_is_a_step() {
    let p = Project::new(
        "[target.some]\nmatrix = { n = ['1', '2', '3'] }\nrequire = 2\n\
         run = 'ran some; test {{ matrix.n }} != 2'\n[target.z]\nrun = 'ran z'\n\
         [pipeline.p]\nsteps = ['some', 'z']\n",
    );
    p.taskr(["p"])
        .ran(["some", "some", "some", "z"])
        .says("pipeline p succeeded: 3 of 4 tasks did")
        .ok();
}

#[test]
fn so_many_failures_of_the_taskfile_let_no_pipeline_go_on() {
    let p = Project::new(
        "[taskr]\nmax_failures = 5\n[target]\ntest = 'ran test; exit 1'\ndeploy = 'ran deploy'\n\
         [pipeline.p]\nsteps = ['test', 'deploy']\n",
    );
    p.taskr(["p"]).ran(["test"]).says("- deploy  skipped").exits(1);
    p.taskr(["-k", "p"]).ran(["test", "deploy"]).exits(1);
}

#[test]
fn a_run_that_took_too_long_is_rolled_back() {
    let p = Project::new(
        "[target.a]\ntimeout = '20s'\nrun = 'ran a'\nrollback = 'sleep 0.5; ran undo'\n\
         [target.slow]\nrun = 'ran slow; exec sleep 60'\n\
         [pipeline.p]\nsteps = ['a', 'slow']\non_error = 'rollback'\n",
    );
    p.taskr(["--timeout", "400ms", "p"])
        .ran(["a", "slow", "undo"])
        .says("rolled back a in ")
        .says("pipeline p failed: 1 of 2 tasks succeeded; rolled back: a")
        .exits(1);
}

#[test]
fn a_rollback_has_the_timeout_of_its_task() {
    let p = Project::new(
        "[target.a]\ntimeout = '300ms'\nrun = 'ran a'\nrollback = 'ran undo; exec sleep 60'\n\
         [target.bad]\nrun = 'ran bad; exit 1'\n\
         [pipeline.p]\nsteps = ['a', 'bad']\non_error = 'rollback'\n",
    );
    p.taskr(["p"])
        .ran(["a", "bad", "undo"])
        .says("✗ a  rollback failed: timed out after 300ms")
        .exits(1);
}

#[test]
fn without_a_timeout_of_its_own_a_rollback_has_that_of_the_run() {
    let p = Project::new(
        "[target.a]\nrun = 'ran a'\nrollback = 'ran undo; exec sleep 1000'\n\
         [target.bad]\nrun = 'ran bad; exit 1'\n\
         [pipeline.p]\nsteps = ['a', 'bad']\non_error = 'rollback'\n",
    );
    p.taskr(["--timeout", "700ms", "p"])
        .ran(["a", "bad", "undo"])
        .says("✗ a  rollback failed: timed out after 0.7s")
        .exits(1);
    p.await_no_process();
}

/// Undoes `b`, then `a`, both of which wait for `~/go`, and is interrupted while `b` is undone.
fn interrupted_while_undoing() -> (Project, crate::project::Live) {
    let step = |name: &str| {
        format!(
            "[target.{name}]\nrun = 'true'\n\
             rollback = 'ran undo {name}; until [ -e ~/go ]; do sleep 0.01; done; ran undid {name}'\n"
        )
    };
    let p = Project::new(
        &(step("a")
            + &step("b")
            + "[target.bad]\nrun = 'exit 1'\n\
               [pipeline.p]\nsteps = ['a', 'b', 'bad']\non_error = 'rollback'\n"),
    );
    let live = p.spawn(["p"]);
    p.await_ran("undo b");
    live.signal(rustix::process::Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(100));
    (p, live)
}

#[test]
fn a_signal_lets_a_rollback_come_to_its_end() {
    let (p, live) = interrupted_while_undoing();
    p.go();
    let output = live.dies_by(rustix::process::Signal::INT);
    assert_eq!(p.take_ran(), ["undo b", "undid b", "undo a", "undid a"], "{output}");
    assert!(output.stderr.contains("rolling back before the end"), "{output}");
    assert!(output.stdout.contains("rolled back: b, a"), "{output}");
}

#[test]
fn a_second_signal_ends_a_rollback() {
    let (p, live) = interrupted_while_undoing();
    live.signal(rustix::process::Signal::INT);
    let output = live.dies_by(rustix::process::Signal::INT);
    assert_eq!(p.take_ran(), ["undo b"], "{output}");
    assert!(output.stdout.contains("✗ b  rollback failed: interrupted"), "{output}");
    assert!(output.to_string().contains("interrupted: not rolled back: a"), "{output}");
    p.await_no_process();
}

#[test]
fn a_service_is_no_step() {
    let p = Project::new(
        "[target.db]\nservice = true\nready = { log = 'up' }\nrun = 'echo up; exec sleep 60'\n\
         [target.test]\ndeps = ['db']\nrun = 'ran test'\n\
         [pipeline.p]\nsteps = ['db', 'test']\n[pipeline.q]\nsteps = ['test']\n",
    );
    p.taskr(["p"])
        .says("error: the step `db` is a service, and never done")
        .says("stays up while others need it")
        .says("name it in the `deps` of those that need it")
        .exits(2);
    p.taskr(["q"]).ran(["test"]).says("db is ready").any_files().ok();
    p.await_no_process();
}

/// `test` and all behind it wait for `~/well`.
const DEPLOY: &str = "[target.upload]\nrun = 'ran upload'\nrollback = 'ran undo'\n\
    [target.test]\nrun = 'ran test; sleep 0.1; test -e ~/well; ran tested'\n\
    [target.publish]\nrun = 'ran publish'\n\
    [pipeline.deploy]\nsteps = ['upload', 'test', 'publish']\n";

#[test]
fn what_failed_of_a_pipeline_goes_on_in_its_order() {
    let p = Project::new(DEPLOY);
    p.taskr(["-j3", "deploy"]).ran(["upload", "test"]).exits(1);
    // Its order and its `on_error` hold, again and again.
    for _ in 0..2 {
        p.taskr(["-j3", "--failed"])
            .ran(["test"])
            .says("- publish  skipped")
            .says("pipeline deploy failed: 0 of 2 tasks succeeded")
            .exits(1);
    }
    std::fs::write(p.outside("home/well"), "").expect("a file");
    p.taskr(["deploy", "--failed", "-n"]).says("would run test").never_says("upload").ok();
    p.taskr(["-j3", "deploy", "--failed"]).ran(["test", "tested", "publish"]).ok();
    p.taskr(["--failed"]).says("nothing failed in the last run").ok();
}

#[test]
fn what_was_rolled_back_is_to_be_done_again() {
    let rolls_back = DEPLOY.to_owned() + "on_error = 'rollback'\n";
    for again in [&["-j3", "--failed"][..], &["-j3", "deploy", "--failed"]] {
        let p = Project::new(&rolls_back);
        p.taskr(["-j3", "deploy"]).ran(["upload", "test", "undo"]).exits(1);
        p.taskr(again).ran(["upload", "test", "undo"]).says("rolled back: upload").exits(1);
        std::fs::write(p.outside("home/well"), "").expect("a file");
        p.taskr(again).ran(["upload", "test", "tested", "publish"]).ok();
    }
}

#[test]
fn what_a_pipeline_ended_is_to_be_done_again() {
    let text = targets(&["n", "next"], &[]);
    let p = Project::new(
        &(text
            + "[target.slow]\nrun = ': > ~/slow; test -e ~/well || exec sleep 60; \
               echo slow >> ~/../order.log'\n\
               [target.bad]\nrun = 'until [ -e ~/slow ]; do sleep 0.01; done; \
               echo bad >> ~/../order.log; test -e ~/well'\n\
               [target.all]\ndeps = ['slow', 'bad']\n\
               [pipeline.p]\nsteps = ['n', 'all', 'next']\n"),
    );
    assert_eq!(order(&p, &["-j2", "p"], 1), ["n", "bad"]);
    std::fs::write(p.outside("home/well"), "").expect("a file");
    let mut again = order(&p, &["-j3", "--failed"], 0);
    assert_eq!(again.pop().as_deref(), Some("next"));
    again.sort();
    assert_eq!(again, ["bad", "slow"]);
}

#[test]
fn a_part_of_a_pipeline_needs_what_the_whole_lacks() {
    let text = targets(&["a", "b", "c", "d"], &["c", "d"]);
    let p = Project::new(
        &(text
            + "[pipeline.p]\nsteps = [['a', 'b', 'c', 'd']]\non_error = 'continue'\nrequire = 3\n"),
    );
    assert_eq!(order(&p, &["-j1", "p"], 1).len(), 4);
    let text = targets(&["a", "b", "c", "d"], &["c"]);
    p.write(
        "Taskfile.toml",
        &(text
            + "[pipeline.p]\nsteps = [['a', 'b', 'c', 'd']]\non_error = 'continue'\nrequire = 3\n"),
    );
    assert_eq!(order(&p, &["-j1", "--failed"], 0), ["c", "d"]);
}

#[test]
fn a_group_that_is_a_step_keeps_its_place_where_changes_decide() {
    let p = Project::new(
        "[target.a]\ninputs = ['a.in']\nrun = 'sleep 0.2; echo a >> ~/../order.log'\n\
         [target.all]\ndeps = ['a']\n\
         [target.z]\ninputs = ['a.in']\nrun = 'echo z >> ~/../order.log'\n\
         [pipeline.p]\nsteps = ['all', 'z']\n",
    );
    p.write("a.in", "");
    assert_eq!(order(&p, &["-j2", "p", "--changed", "a.in"], 0), ["a", "z"]);
}
