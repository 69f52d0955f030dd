//! Programs that stay up while others need them, or until Ctrl-C.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::project::{Live, Project, until};

/// A service that says when it comes and goes; `more` are further fields.
fn service(name: &str, more: &str) -> String {
    format!(
        "[target.{name}]\nservice = true\nready = {{ log = 'listening' }}\n{more}\n\
         run = '''\ntrap \"ran {name} down; exit 0\" TERM\ntrap \"ran {name} int; exit 0\" INT\nran {name} up\n\
         echo listening\nwhile :; do sleep 0.01; done\n'''\n"
    )
}

fn task(name: &str, needs: &str) -> String {
    format!("[target.{name}]\ninputs = ['a']\ndeps = [{needs}]\nrun = 'ran {name}'\n")
}

fn project(parts: &[String]) -> Project {
    let p = Project::new(&parts.concat());
    p.write("a", "1");
    p
}

/// A run that must succeed. What ran, in order.
#[track_caller]
fn order(p: &Project, args: &[&str]) -> Vec<String> {
    let output = p.spawn(args).wait();
    assert!(output.status.success(), "{output}");
    p.await_no_process();
    p.take_ran()
}

/// Starts taskr and waits until so many services are ready.
fn ready(p: &Project, args: &[&str], count: usize) -> Live {
    let events = p.outside("home/events");
    let events = events.to_str().expect("text");
    let live = p.spawn(["--events", events].iter().chain(args));
    until("they are ready", || {
        let text = fs::read_to_string(events).unwrap_or_default();
        text.matches("\"service_ready\"").count() == count
    });
    live
}

/// A port that nobody listens on, as far as anybody can know.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_service_is_up_while_a_task_that_needs_it_runs() {
    let p = project(&[service("db", ""), task("test", "'db'")]);
    assert_eq!(order(&p, &["-j1", "test"]), ["db up", "test", "db down"]);
    p.fresh("test");
    p.taskr(["-n", "-B", "test"]).says("would run test").never_says("db").ok();
    // What defines it counts; when it is ready and how it ends does not.
    let changed = |service: String| p.write("Taskfile.toml", &(service + &task("test", "'db'")));
    changed(service("db", "stop = 'true'").replace("'listening'", "'listen'"));
    p.fresh("test");
    changed(service("db", "env = { MODE = 'x' }"));
    p.taskr(["why", "test"]).says("the service db was changed").ok();
    assert_eq!(order(&p, &["test"]), ["db up", "test", "db down"]);
    p.accept_files();
    p.fresh("test");
}

#[test]
fn what_a_service_reads_counts_for_those_that_need_it() {
    let build =
        "[target.build]\ninputs = ['src']\noutputs = ['app']\nrun = 'cp src app; ran build'\n";
    let p = project(&[
        build.to_owned(),
        service("db", "inputs = ['db.conf']"),
        service("api", "deps = ['db', 'build']"),
        task("test", "'api'"),
    ]);
    p.write("src", "1").write("db.conf", "1");
    let ran = ["build", "db up", "api up", "test", "api down", "db down"];
    assert_eq!(order(&p, &["test"]), ran);
    p.accept_files();
    p.fresh("test");
    p.write("db.conf", "2");
    assert_eq!(order(&p, &["test"]), ran[1..]);
    p.write("src", "2");
    assert_eq!(order(&p, &["test"]), ran);
}

#[test]
fn one_service_for_many_and_many_for_one() {
    let p = project(&[
        service("db", ""),
        service("mq", ""),
        "[target.all]\ndeps = ['one', 'two']\n[target.both]\ndeps = ['db', 'mq']\n".to_owned(),
        task("one", "'both'"),
        task("two", "'db'"),
    ]);
    let ran = order(&p, &["all", "-j1"]);
    let at = |line: &str| ran.iter().position(|ran| ran == line).expect("it ran");
    assert_eq!(ran.len(), 6, "each service was started once: {ran:?}");
    assert!(at("db down") > at("one").max(at("two")), "{ran:?}");
    assert!(at("mq up") < at("one") && at("mq down") > at("one"), "{ran:?}");
}

#[test]
fn asked_for_by_name_a_service_runs_until_ctrl_c() {
    let p = project(&[
        service("db", ""),
        service("web", "deps = ['db']"),
        "[target.other]\ninputs = ['a']\nrun = 'ran other'\n".to_owned(),
    ]);
    let live = ready(&p, &["web"], 2);
    // From a moment after they are ready.
    until("the workspace is free", || p.spawn(["--no-wait", "other"]).wait().status.success());
    live.signal(Signal::INT);
    let output = live.wait();
    assert_eq!(output.status.code(), Some(0), "Ctrl-C is how it ends: {output}");
    assert!(output.stdout.contains("listening\n"), "{output}");
    assert!(output.stdout.contains("web is ready after"), "{output}");
    assert_eq!(p.take_ran(), ["db up", "web up", "other", "web int", "db down"]);
    p.await_no_process();
}

#[test]
fn one_that_another_taskr_keeps_up_is_not_waited_for() {
    let p = project(&[service("web", ""), task("test", "'web'")]);
    let live = ready(&p, &["web"], 1);
    // Without --no-wait: it would have to wait for ever.
    let output = p.spawn(["test"]).wait();
    assert_eq!(output.status.code(), Some(75), "{output}");
    let holder = "it is up already, until another taskr is ended (process ";
    assert!(output.stdout.contains(holder), "{output}");
    assert!(output.to_string().contains("web test`"), "it says how both go in one: {output}");
    assert!(output.stdout.contains("- test  skipped: web failed"), "{output}");
    live.signal(Signal::INT);
    assert!(live.wait().status.success());
    assert_eq!(p.take_ran(), ["web up", "web int"]);
    p.await_no_process();
}

#[test]
fn one_that_is_up_for_tests_of_another_taskr_is_waited_for() {
    let p = project(&[
        service("web", ""),
        task("test", "'web'"),
        "[target.slow]\ndeps = ['web']\nrun = 'ran slow; until [ -e ~/go ]; do sleep 0.01; done'\n"
            .to_owned(),
    ]);
    let slow = p.spawn(["slow"]);
    p.await_ran("slow");
    let busy = p.spawn(["--no-wait", "test"]).wait();
    assert_eq!(busy.status.code(), Some(75), "{busy}");
    let test = p.spawn(["test"]);
    p.go();
    assert!(slow.wait().status.success());
    let output = test.wait();
    assert!(output.status.success(), "{output}");
    p.await_no_process();
}

#[test]
fn status_names_services() {
    let p = project(&[service("web", "")]);
    let live = ready(&p, &["web"], 1);
    let status = |args: &[&str]| p.spawn(["status"].iter().chain(args)).wait().stdout;
    until("it is told", || status(&[]).contains("web  a service, up for "));
    let told: serde_json::Value = serde_json::from_str(&status(&["--json"])).expect("JSON");
    assert_eq!(told["version"], 1);
    assert_eq!(told["runs"][0]["services"][0]["task"], "web");
    live.signal(Signal::INT);
    assert!(live.wait().status.success());
    assert_eq!(status(&[]), "no task runs here now\n");
}

#[test]
fn one_that_goes_to_the_background_is_told_to_stay() {
    let p = Project::new(
        "[target.web]\nservice = true\nready = { log = 'never' }\nrun = 'sleep 0.1 &'\n\
         [target.test]\ndeps = ['web']\nrun = 'ran test'\n",
    );
    p.taskr(["test"])
        .says("it ended before it was ready: exit 0")
        .says("a service stays in the foreground")
        .exits(1);
    p.await_no_process();
}

#[test]
fn other_signals_and_other_times_end_taskr_by_the_signal() {
    let p = project(&[service("db", ""), task("test", "'db'")]);
    let live = p.spawn(["db"]);
    p.await_ran("db up");
    live.signal(Signal::TERM);
    live.dies_by(Signal::TERM);
    assert_eq!(p.take_ran(), ["db up", "db down"]);
    let slow = "[target.test]\ninputs = ['a']\ndeps = ['db']\n\
                run = 'trap \"ran test int; exit 1\" INT; ran test; while :; do sleep 0.01; done'\n";
    p.write("Taskfile.toml", &(service("db", "") + slow));
    let live = p.spawn(["test"]);
    p.await_ran("test");
    live.signal(Signal::INT);
    live.dies_by(Signal::INT);
    assert_eq!(p.take_ran(), ["db up", "test", "test int", "db down"], "what needs it ends first");
    p.await_no_process();
}

#[test]
fn a_second_ctrl_c_kills() {
    let p = Project::new(
        "[target.web]\nservice = true\nready = { log = 'l' }\n\
         run = 'trap \"\" INT TERM; echo l; while :; do sleep 0.01; done'\n",
    );
    let mut live = ready(&p, &["web"], 1);
    live.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(live.runs(), "the first one waits for its grace");
    live.signal(Signal::INT);
    live.dies_by(Signal::INT);
    p.await_no_process();
}

#[test]
fn a_service_that_the_user_had_killed_has_not_failed() {
    let p = project(&[
        "[target.db]\nservice = true\nready = { log = 'up' }\n\
         run = 'echo up; trap \"\" TERM; while :; do sleep 0.1; done'\n"
            .to_owned(),
        "[target.t]\ndeps = ['db']\nrun = 'trap \"\" INT TERM; ran t; sleep 300'\n".to_owned(),
    ]);
    let live = p.spawn(["t"]);
    p.await_ran("t");
    live.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(100));
    live.signal(Signal::INT);
    let output = live.dies_by(Signal::INT);
    assert!(output.stdout.contains("1 task: 1 cancelled"), "{output}");
    assert!(!output.to_string().contains("db failed"), "{output}");
    assert!(!output.stdout.contains("✗"), "{output}");
    p.await_no_process();
}

#[test]
fn the_time_of_the_run_ends_those_that_need_services() {
    let p = project(&[
        service("db", ""),
        "[target.t]\ndeps = ['db']\nrun = 'ran t; exec sleep 1000'\n".to_owned(),
    ]);
    p.taskr(["--timeout", "1s", "t"])
        .ran(["db up", "t", "db down"])
        .says("timed out after 1.0s: t was still at work")
        .exits(1);
    p.await_no_process();
}

#[test]
fn nothing_survives_a_kill() {
    let p = project(&[
        service("db", ""),
        "[target.t]\ndeps = ['db']\nrun = 'ran t; sleep 100'\n".to_owned(),
    ]);
    let mut live = p.spawn(["t"]);
    p.await_ran("t");
    assert!(live.kill(), "it was alive");
    let _ = live.wait();
    p.await_no_process();
}

#[test]
fn a_service_that_never_gets_ready_fails() {
    let p = project(&[
        "[target.db]\nservice = true\nready = { log = 'up', timeout = '200ms' }\n\
         run = 'echo about to; exec sleep 100'\n"
            .to_owned(),
        task("test", "'db'"),
        task("other", ""),
    ]);
    let output = p
        .taskr(["test"])
        .says("it was not ready within 0.2s: it did not write \"up\"")
        .says("`python3 -u`")
        .says("about to")
        .says("- test  skipped: db failed")
        .exits(1);
    assert!(output.stdout.contains(".taskr/tasks/db/log"), "{output}");
    let result = p.read(".taskr/tasks/db/result.json");
    assert!(result.contains("\"outcome\": \"failed\""), "{result}");
    p.taskr(["-k", "test", "other"]).ran(["other"]).exits(1);
    p.await_no_process();
}

#[test]
fn a_service_that_ends_too_early_fails() {
    let db = |run: &str| {
        format!("[target.db]\nservice = true\nready = {{ log = 'up' }}\nrun = '''{run}'''\n")
    };
    let p = project(&[db("echo no config; exit 3"), task("test", "'db'")]);
    p.taskr(["test"]).says("it ended before it was ready: exit 3").says("no config").exits(1);
    p.write("Taskfile.toml", &(db("true") + &task("test", "'db'")));
    p.taskr(["test"]).says("it ended before it was ready: exit 0").exits(1);
    // One that ends while a task runs takes it along, and what that made does not count.
    let slow = "[target.test]\ninputs = ['a']\noutputs = ['o']\ndeps = ['db']\n\
                run = 'ran test; touch ~/go; sleep 100; echo o >o'\n";
    let db = db("echo up; until [ -e ~/go ]; do sleep 0.01; done; rm ~/go; exit 4");
    p.write("Taskfile.toml", &(db.clone() + slow));
    p.taskr(["test"])
        .ran(["test"])
        .says("it ended while others need it: exit 4")
        .says("the service `db` ended while it ran")
        .exits(1);
    // Nor does a success after it was gone.
    let quick = slow
        .replace("sleep 100", "while [ -e ~/go ]; do sleep 0.01; done; sleep 0.1; trap '' TERM");
    let quick = quick.replace("run = 'ran test", "run = '''ran test").replace(">o'", ">o'''");
    p.write("Taskfile.toml", &(db + &quick));
    p.taskr(["test"]).ran(["test"]).any_files().exits(1);
    p.taskr(["test"]).ran(["test"]).any_files().exits(1);
    p.await_no_process();
}

#[test]
fn of_services_that_nobody_asked_for_only_failures_count() {
    let p = project(&[
        "[target.db]\nservice = true\nready = { log = 'up' }\nrun = 'exit 3'\n".to_owned(),
        service("app", "deps = ['db']"),
        task("t", "'db'"),
        task("t2", "'app'"),
    ]);
    p.taskr(["-k", "t", "t2"])
        .says("3 tasks: 1 failed, 2 skipped")
        .says("- t  skipped: db failed")
        .says("- t2  skipped: db failed")
        .never_says("app")
        .exits(1);
    // The same where what a service needs is no service.
    p.write(
        "Taskfile.toml",
        &("[target.db]\nrun = 'exit 3'\n".to_owned()
            + &service("app", "deps = ['db']")
            + &task("t2", "'app'")),
    );
    p.taskr(["-k", "t2"]).says("2 tasks: 1 failed, 1 skipped").never_says("app").exits(1);
    p.taskr(["-k", "app"])
        .says("2 tasks: 1 failed, 1 skipped")
        .says("- app  skipped: db failed")
        .exits(1);
}

#[test]
fn a_service_takes_along_those_that_need_it() {
    let p = project(&[
        service("db", "").replace("while :;", "while [ ! -e ~/go ];"),
        service("api", "deps = ['db']"),
        "[target.test]\ninputs = ['a']\ndeps = ['api']\n\
         run = 'ran test; touch ~/go; sleep 100'\n"
            .to_owned(),
    ]);
    p.taskr(["test"])
        .ran(["db up", "api up", "test", "api down"])
        .says("it ended while others need it: exit 0")
        .says("the service `db` ended, which it needs")
        .says("the service `api` ended while it ran")
        .exits(1);
    p.await_no_process();
}

#[test]
fn a_port_tells() {
    let port = free_port();
    let p = project(&[
        format!(
            "[vars]\nport = {port}\n[target.db]\nservice = true\nready = {{ port = \"{{{{ port }}}}\" }}\n\
             exec = ['toytask', 'serve', '{{{{ port }}}}']\n"
        ),
        task("test", "'db'"),
    ]);
    p.taskr(["test"]).ran(["test"]).says("db is ready").ok();
    p.await_no_process();
    let other = TcpListener::bind(("127.0.0.1", port)).expect("it is free again");
    p.write("a", "2");
    p.taskr(["test"])
        .says(format!("port {port} is in use already, before it was started"))
        .exits(1);
    drop(other);
    p.taskr(["-D", "port=70000", "test"]).says("`70000` is no port").exits(2);
}

#[test]
fn an_answer_tells() {
    let port = free_port();
    let db = |statuses: &str, timeout: &str| {
        format!(
            "[target.db]\nservice = true\n\
             ready = {{ http = 'http://localhost:{port}/health'{timeout} }}\n\
             run = 'exec toytask serve {port} {statuses}'\n"
        )
    };
    let p = project(&[db("503 404 204", ""), task("test", "'db'")]);
    p.taskr(["test"]).ran(["test"]).says("db is ready").ok();
    assert!(p.read(".taskr/tasks/db/log").ends_with("answered 503\nanswered 404\nanswered 204\n"));
    p.write("Taskfile.toml", &(db("500", ", timeout = '300ms'") + &task("test", "'db'")));
    p.taskr(["-B", "test"])
        .says(format!("not ready within 0.3s: http://localhost:{port}/health answers 500"))
        .exits(1);
    p.await_no_process();
}

#[test]
fn a_command_tells() {
    let db = |cmd: &str| {
        format!(
            "[target.db]\nservice = true\nready = {{ cmd = '{cmd}', timeout = '500ms' }}\n\
             run = 'sleep 0.1; touch $STATE/up; exec sleep 100'\n"
        )
    };
    let p = project(&[db("test -e $STATE/up && rm $STATE/up"), task("test", "'db'")]);
    p.taskr(["test"]).ran(["test"]).ok();
    p.write("Taskfile.toml", &(db("echo no answer; exit 2") + &task("test", "'db'")));
    p.taskr(["-B", "test"])
        .says("not ready within 0.5s: its `cmd` ended with exit 2: no answer")
        .exits(1);
    // One that hangs is ended, too.
    p.write("Taskfile.toml", &(db("sleep 100") + &task("test", "'db'")));
    p.taskr(["-B", "test"]).says("not ready within 0.5s").exits(1);
    p.await_no_process();
}

#[test]
fn a_command_ends_it() {
    let p = project(&[service("db", "stop = 'ran stop; touch ~/stop'"), task("test", "'db'")]);
    let own = "while :; do sleep 0.01; done";
    let text = p.read("Taskfile.toml");
    let text = text.replace(own, "until [ -e ~/stop ]; do sleep 0.01; done; ran db ends");
    p.write("Taskfile.toml", &text);
    assert_eq!(order(&p, &["test"]), ["db up", "test", "stop", "db ends"]);
    // If it fails there is still the signal.
    p.write("Taskfile.toml", &(service("db", "stop = 'echo oh; exit 2'") + &task("test", "'db'")));
    p.taskr(["-B", "test"])
        .ran(["db up", "test", "db down"])
        .warns("its `stop` failed, so it was ended by TERM: exit 2: oh")
        .ok();
}

#[test]
fn a_restored_task_needs_no_service() {
    let make = "[target.make]\ninputs = ['a']\noutputs = ['o']\ncache = true\ndeps = ['db']\n\
                run = 'ran make; cp a o'\n";
    let p = project(&[service("db", ""), make.to_owned()]).with_store();
    p.taskr(["make"]).ran(["db up", "make", "db down"]).makes("o", "1").ok();
    p.remove("o");
    p.taskr(["make"]).makes("o", "1").ok();
}

#[test]
fn what_changes_under_a_service_is_not_recorded() {
    let slow = "[target.test]\ninputs = ['a']\ndeps = ['db']\n\
                run = 'ran test; echo $TASKR_ATTEMPT-changed >db.conf'\n";
    let p = project(&[service("db", "inputs = ['db.conf']"), slow.to_owned()]);
    p.write("db.conf", "1");
    p.taskr(["test"]).any_ran().any_files().says("db.conf").exits(3);
}

#[test]
fn its_environment_is_that_of_recorded_tasks() {
    let p = project(&[
        "[target.db]\nservice = true\nready = { log = 'up' }\nenv_inputs = ['SEEN']\n\
         run = 'echo ${SEEN-unset} ${OTHER-unset} ${MAKEFLAGS-unset} >~/seen; echo up; exec sleep 100'\n"
            .to_owned(),
        task("test", "'db'"),
    ]);
    p.taskr(["test"]).env("SEEN", "1").env("OTHER", "1").ran(["test"]).ok();
    assert_eq!(fs::read_to_string(p.outside("home/seen")).expect("written"), "1 unset unset\n");
    p.taskr(["test"]).env("SEEN", "1").env("OTHER", "2").ok();
    p.taskr(["test"]).env("SEEN", "2").ran(["test"]).ok();
}

#[test]
fn events_tell_of_services() {
    let p = project(&[service("db", ""), task("test", "'db'")]);
    let output = p.taskr(["--events", "-", "test"]).any_ran().any_warning().ok();
    let events: Vec<serde_json::Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<&str> = events
        .iter()
        .filter(|event| event["task"] == "db" && event["event"] != "task_output")
        .map(|event| event["event"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["task_ready", "service_started", "service_ready", "service_ended"]);
    assert_eq!(events[0]["tasks"], 1, "only what must run is counted");
    assert_eq!(events.last().expect("some")["exit_code"], 0);
}

#[test]
fn two_at_once_are_told_apart() {
    let p = project(&[
        service("db", ""),
        service("web", ""),
        "[target.dev]\ndeps = ['db', 'web']\n".to_owned(),
    ]);
    let live = ready(&p, &["--output", "stream", "dev"], 2);
    live.signal(Signal::INT);
    let output = live.wait();
    assert_eq!(output.status.code(), Some(0), "{output}");
    for line in ["db | listening\n", "web | listening\n"] {
        assert!(output.stdout.contains(line), "{output}");
    }
    p.await_no_process();
}
