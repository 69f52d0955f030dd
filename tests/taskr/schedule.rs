//! When and how often tasks run: timeouts, attempts, priorities, pools, wide tasks, failures that
//! are allowed.

use std::fs;

use serde_json::Value;

use crate::project::Project;

fn result(p: &Project, task: &str) -> Value {
    let text = p.read(format!(".taskr/tasks/{task}/result.json"));
    serde_json::from_str(&text).expect("JSON")
}

/// The events of a run that ended with this code.
fn events(p: &Project, args: &[&str], code: i32) -> Vec<Value> {
    let args = ["--events", "-"].iter().chain(args);
    let output = p.taskr(args).any_ran().any_files().any_warning().exits(code);
    let lines = output.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn of<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn an_attempt_that_takes_too_long_is_ended_with_all_it_started() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = ['o']\ntimeout = '300ms'\n\
         run = 'ran t; echo half >o; sleep 1000 & sleep 1000'\n\
         [target.next]\ninputs = ['@t']\nrun = 'ran next'\n",
    );
    let output = p.taskr(["next"]).ran(["t"]).says("timed out after 300ms").exits(1);
    assert!(output.stdout.contains("- next  skipped: t failed"), "{output}");
    p.await_no_process();
    let result = result(&p, "t");
    assert_eq!((&result["timed_out"], &result["exit_code"]), (&true.into(), &Value::Null));
    assert_eq!(result["failure"], "timed out after 300ms");
    assert!(p.read(".taskr/tasks/t/log").ends_with("taskr: timed out after 300ms\n"));
    let told = events(&p, &["t"], 1);
    let end = of(&told, "task_finished")[0];
    assert_eq!((&end["timed_out"], &end["attempts"]), (&true.into(), &1.into()));
    assert_eq!(end["failure"]["what"], "timed out after 300ms");
}

#[test]
fn who_does_not_end_in_its_grace_is_killed() {
    let script = "trap \"\" TERM; ran t; while :; do sleep 0.02; done";
    let p = Project::new(&format!(
        "[target.t]\ntimeout = '200ms'\ngrace = '100ms'\nrun = '{script}'\n\
         [target.u]\ngrace = '100ms'\nrun = 'trap \"\" INT; ran u; while :; do sleep 0.02; done'\n"
    ));
    p.taskr(["t"]).ran(["t"]).says("did not end when asked to, and was killed").exits(1);
    p.await_no_process();
    // The same grace holds for Ctrl-C.
    let live = p.spawn(["u"]);
    p.await_ran("u");
    live.signal(rustix::process::Signal::INT);
    live.dies_by(rustix::process::Signal::INT);
    p.await_no_process();
}

#[test]
fn a_run_that_takes_too_long_says_what_still_ran() {
    let p = Project::new(
        "[taskr]\ntimeout = '400ms'\n\
         [target.a]\nrun = 'ran a; sleep 1000'\n[target.b]\nrun = 'ran b; sleep 1000'\n\
         [target.c]\ndeps = ['a']\nrun = 'ran c'\n[target.quick]\nrun = 'ran quick'\n",
    );
    let told = "timed out after 0.4s: a and b were still at work";
    let output = p.taskr(["-j2", "b", "c"]).ran(["a", "b"]).says(told).exits(1);
    assert!(output.stdout.contains("- c  skipped: the run took too long"), "{output}");
    p.await_no_process();
    // The command line counts more, and a run that is in time is not touched.
    p.taskr(["--timeout", "60s", "quick"]).ran(["quick"]).ok();
    let told = events(&p, &["--timeout", "0.2s", "b", "c"], 1);
    let end = of(&told, "run_finished")[0];
    assert_eq!(end["timed_out"]["after_ms"], 200);
    assert_eq!(end["timed_out"]["running"], serde_json::json!(["a", "b"]));
    assert_eq!(end["exit_code"], 1);
    p.taskr(["--timeout", "5min", "quick"]).says("write --timeout 5m").exits(2);
    p.taskr(["--timeout", "soon", "quick"]).says("--timeout takes a duration, not `soon`").exits(2);
}

#[test]
fn a_failed_attempt_is_followed_by_others() {
    let p = Project::new(
        r#"
[target.t]
inputs = ["in"]
outputs = ["o"]
retry = { times = 3, backoff = "20ms" }
run = '''
ran t$TASKR_ATTEMPT
test -z "$(ls $OUT; ls $TMPDIR)"
echo left >$OUT/left; echo left >$TMPDIR/left
echo half >o
test $TASKR_ATTEMPT = 3
rm $OUT/left
'''
"#,
    );
    p.write("in", "");
    let run = p.taskr(["t"]).ran(["t1", "t2", "t3"]).makes("o", "half\n").any_warning();
    let output = run.says("(attempt 3)").says("2 retries").ok();
    assert!(output.stdout.contains("t  attempt failed after"), "{output}");
    let told = result(&p, "t");
    assert_eq!((&told["attempts"], &told["outcome"]), (&3.into(), &"ran".into()));
    assert_eq!(told["failed_attempts"][1]["failure"], "exit 1");
    p.fresh("t");
    // It did not do the same under the same key.
    p.taskr(["flaky"]).says("t").ok();
}

#[test]
fn attempts_end_and_only_the_exit_codes_that_are_named_are_tried_again() {
    let p = Project::new(
        r#"
[target.t]
retry = { times = 2, backoff = "10ms", on_exit = [75] }
run = "ran t$TASKR_ATTEMPT; exit 75"
[target.u]
retry = { times = 2, backoff = "10ms", on_exit = [75] }
run = "ran u$TASKR_ATTEMPT; exit 1"
[target.none]
retry = 2
exec = ["no-such-program"]
"#,
    );
    p.taskr(["t"]).ran(["t1", "t2", "t3"]).says("(attempt 3): exit 75").exits(1);
    p.taskr(["u"]).ran(["u1"]).never_says("attempt").exits(1);
    p.taskr(["none"]).never_says("attempt").exits(1);
    let told = events(&p, &["t"], 1);
    let again = of(&told, "task_retrying");
    assert_eq!(again.len(), 2);
    assert_eq!((&again[0]["attempt"], &again[0]["left"]), (&1.into(), &2.into()));
    assert_eq!((&again[1]["failure"], &again[1]["exit_code"]), (&"exit 75".into(), &75.into()));
    assert_eq!(of(&told, "task_started").len(), 3);
    let end = of(&told, "task_finished")[0];
    assert_eq!((&end["attempts"], &end["retries"]), (&3.into(), &2.into()));
    assert_eq!(of(&told, "run_finished")[0]["retries"], 2);
}

/// The other task waits until the first attempt has failed, and the second attempt until that one
/// has run: with one place both end only if waiting takes none.
#[test]
fn the_wait_before_an_attempt_takes_no_place() {
    let p = Project::new(
        "[target.t]\nretry = { times = 1, backoff = '1s', factor = 1.0 }\n\
         run = 'ran t$TASKR_ATTEMPT; test -e ~/go'\n\
         [target.u]\nrun = 'ran u; touch ~/go'\n",
    );
    p.taskr(["-j1", "t", "u"]).ran(["t1", "u", "t2"]).ok();
}

#[test]
fn a_wait_ends_with_the_run() {
    let p = Project::new(
        "[target.t]\nretry = { times = 1, backoff = '1000s', max = '1000s' }\n\
         run = 'ran t; exit 3'\n[target.u]\nrun = 'while ! [ -e ~/go ]; do sleep 0.01; done; exit 1'\n",
    );
    let live = p.spawn(["-j2", "t", "u"]);
    p.await_ran("t");
    p.go();
    let output = live.wait();
    assert_eq!(output.status.code(), Some(1), "{output}");
    assert!(output.stdout.contains("t  failed after") && output.stdout.contains("exit 3"));
    // And with a signal.
    let live = p.spawn(["t"]);
    fs::remove_file(p.outside("ran.log")).expect("it ran");
    p.await_ran("t");
    live.signal(rustix::process::Signal::INT);
    live.dies_by(rustix::process::Signal::INT);
}

#[test]
fn a_time_out_is_tried_again_too() {
    let p = Project::new(
        "[target.t]\ntimeout = '300ms'\nretry = { times = 1, backoff = '10ms' }\n\
         run = 'ran t$TASKR_ATTEMPT; test $TASKR_ATTEMPT = 2 || sleep 1000'\n",
    );
    p.taskr(["t"]).ran(["t1", "t2"]).says("timed out after 300ms").ok();
}

/// `work_ms` of a run, and how long each task of its critical path took.
fn work_and_path(p: &Project, args: &[&str]) -> (u64, Vec<(String, u64)>) {
    let told = events(p, args, 0);
    p.take_ran();
    let end = of(&told, "run_finished")[0];
    let path = end["critical_path"].as_array().expect("a list").iter();
    let step = |step: &Value| {
        let task = step["task"].as_str().expect("a name").to_owned();
        (task, step["duration_ms"].as_u64().expect("a number"))
    };
    (end["work_ms"].as_u64().expect("a number"), path.map(step).collect())
}

#[test]
fn the_critical_path_goes_from_the_first_start_to_the_end() {
    let p = Project::new(
        "[target.again]\nretry = { times = 1, backoff = '600ms' }\n\
         run = 'sleep 0.2; test -e ~/again || { touch ~/again; exit 1; }'\n\
         [target.moved]\ninputs = ['a']\n\
         run = 'sleep 0.2; test -e ~/moved || { touch ~/moved; echo 2 >a; }'\n\
         [target.batch]\nforeach = 'items/*'\nbatch = 2\n\
         run = 'sleep 0.4; : {{ items }}'\n\
         [target.other]\nrun = 'sleep 0.3'\n",
    );
    p.write("a", "1").write("items/x", "1").write("items/y", "1");
    let (work_ms, path) = work_and_path(&p, &["again"]);
    assert!(work_ms >= 400, "both attempts: {work_ms}");
    assert!(path[0].1 >= 700, "and half of the wait at least between: {path:?}");
    let (work_ms, path) = work_and_path(&p, &["moved"]);
    assert!(work_ms >= 400 && path[0].1 >= 400, "{work_ms} {path:?}");
    // Two of one process are not each as long as half of it.
    let (work_ms, path) = work_and_path(&p, &["-j2", "batch", "other"]);
    assert!((700..1400).contains(&work_ms), "0.4 s once, and 0.3 s: {work_ms}");
    assert!(path[0].0.starts_with("batch@") && path[0].1 >= 400, "{path:?}");
}

#[test]
fn the_most_urgent_goes_first() {
    let p = Project::new(
        r#"
[target.a]
run = "echo a >>log"
[target.low]
priority = "low"
run = "echo low >>log"
[target.high]
priority = "high"
inputs = ["in"]
run = "echo high >>log"
[target.five]
priority = 5
run = "echo five >>log"
[target.all]
deps = ["low", "a", "five", "high"]
"#,
    );
    p.write("in", "");
    p.taskr(["-j1", "all"]).any_files().ok();
    assert_eq!(p.read("log"), "high\nfive\na\nlow\n");
}

/// Each writes + and - to a log; how deep they nest is how many ran at once.
fn depth(log: &str) -> usize {
    let mut now = 0_usize;
    let depths = log.lines().map(|line| {
        now = if line == "+" { now + 1 } else { now - 1 };
        now
    });
    depths.max().unwrap_or(0)
}

#[test]
fn a_pool_has_so_many_slots_and_holds_up_nobody_else() {
    let p = Project::new(
        r#"
[pool.db]
slots = 2
[target.q]
matrix = { n = ["1", "2", "3", "4", "5"] }
pool = "db"
run = "echo + >>log; sleep 0.05; echo - >>log"
[target.wide]
pool = { db = 2 }
run = "echo + >>log; echo + >>log; sleep 0.05; echo - >>log; echo - >>log"
[target.holds]
pool = "db"
run = "ran holds; while ! [ -e ~/go ]; do sleep 0.01; done"
[target.waits]
matrix = { n = ["1", "2"] }
pool = { db = 2 }
run = "test -e ~/go; ran waits"
[target.free]
run = "touch ~/go"
"#,
    );
    p.taskr(["-j8", "q", "wide"]).any_files().ok();
    assert_eq!(depth(&p.read("log")), 2);
    // One place is held; those that wait for the pool do not have the other.
    p.taskr(["-j2", "holds", "waits", "free"]).ran(["holds", "waits", "waits"]).ok();
}

#[test]
fn a_rate_spreads_starts() {
    let p = Project::new(
        "[pool.api]\nrate = '5/s'\n[target.t]\nmatrix = { n = ['1', '2', '3'] }\npool = 'api'\n\
         run = 'date +%s%N >>log'\n[target.once]\npool = 'api'\ninputs = []\nrun = 'ran once'\n",
    );
    p.taskr(["-j8", "t"]).any_files().ok();
    let log = p.read("log");
    let mut times: Vec<i64> = log.lines().map(|line| line.parse().expect("a time")).collect();
    times.sort_unstable();
    // Processes begin late at times, so two may be nearer; the first and the last are not.
    assert!(times[2] - times[0] > 300_000_000, "{times:?}");
    // What is up to date takes nothing.
    p.taskr(["once"]).ran(["once"]).ok();
    p.fresh("once");
}

#[test]
fn a_wide_task_counts_as_many() {
    let p = Project::new(
        r#"
[target.one]
matrix = { n = ["1", "2", "3", "4"] }
run = "echo + >>log; sleep 0.05; echo - >>log"
[target.wide]
matrix = { n = ["1", "2"] }
cpus = 2
run = "echo + >>log; echo + >>log; sleep 0.05; echo - >>log; echo - >>log"
[target.all]
matrix = { n = ["1", "2"] }
cpus = "all"
run = "echo + >>log; echo + >>log; echo + >>log; sleep 0.05; echo - >>log; echo - >>log; echo - >>log"
"#,
    );
    p.taskr(["-j3", "one", "wide", "all"]).any_files().ok();
    assert_eq!(depth(&p.read("log")), 3);
}

#[test]
fn a_loaded_machine_runs_one_at_a_time() {
    let p = Project::new(
        "[target.t]\nmatrix = { n = ['1', '2'] }\nrun = 'echo + >>log; sleep 0.1; echo - >>log'\n",
    );
    p.taskr(["-j4", "-l", "0.000001", "t"]).any_files().ok();
    assert_eq!(p.read("log"), "+\n-\n+\n-\n");
    p.taskr(["-l", "0", "t"]).says("-l takes a load average above 0, not `0`").exits(2);
}

#[test]
fn more_memory_than_there_is_means_alone() {
    let p = Project::new(
        "[target.t]\nmatrix = { n = ['1', '2'] }\nmemory = '900T'\n\
         run = 'echo + >>log; sleep 0.1; echo - >>log'\n",
    );
    p.taskr(["-j4", "t"]).any_files().ok();
    assert_eq!(p.read("log"), "+\n-\n+\n-\n");
}

/// What is said of when and how often a task runs says nothing about its result.
#[test]
fn nothing_of_it_is_in_the_key() {
    let base = "[pool.p]\nslots = 3\n[target.t]\ninputs = ['in']\nmatrix = { n = ['1'] }\n\
                run = 'ran t'\n";
    let p = Project::new(base);
    p.write("in", "");
    p.taskr(["t"]).ran(["t"]).ok();
    for field in [
        "timeout = '5m'",
        "grace = '1s'",
        "retry = 2",
        "retry = { times = 1, on_exit = [3] }",
        "priority = 'high'",
        "cpus = 2",
        "pool = 'p'",
        "pool = { p = 2 }",
        "memory = '1M'",
        "allow_failure = true",
        "require = '50%'",
    ] {
        p.write("Taskfile.toml", &format!("{base}{field}\n"));
        p.taskr(["t"]).says("1 task up to date").ok();
    }
}
