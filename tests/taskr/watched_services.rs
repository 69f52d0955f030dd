//! Services under `taskr watch`: they stay up from build to build, and start anew when what they
//! are made of changes.

use rustix::process::Signal;

use crate::project::{Project, until};
use crate::watch::Watching;

/// A service that says when it comes and goes; `more` are further fields.
fn service(name: &str, more: &str) -> String {
    format!(
        "[target.{name}]\nservice = true\nready = {{ log = 'listening' }}\n{more}\n\
         run = '''\ntrap \"ran {name} down; exit 0\" TERM\ntrap \"ran {name} int; exit 0\" INT\nran {name} up\n\
         echo listening\nwhile :; do sleep 0.01; done\n'''\n"
    )
}

fn task(name: &str, needs: &str) -> String {
    format!("[target.{name}]\ninputs = ['{name}.in']\ndeps = [{needs}]\nrun = 'ran {name}'\n")
}

fn project(parts: &[String]) -> Project {
    let p = Project::new(&parts.concat());
    p.write("test.in", "1").write("conf", "1");
    p
}

/// What ran since the last question, in order, once it waits again.
#[track_caller]
fn order(watching: &Watching<'_>, p: &Project, times: usize, expected: &[&str]) {
    watching.rests(times);
    assert_eq!(p.take_ran(), expected, "until it waits, {times} times");
}

#[test]
fn what_others_need_stays_up() {
    let p = project(&[service("db", "inputs = ['conf']"), task("test", "'db'")]);
    let watching = Watching::of(&p, &["test"]);
    order(&watching, &p, 1, &["db up", "test"]);
    p.write("test.in", "2");
    order(&watching, &p, 2, &["test"]);
    p.write("conf", "2");
    order(&watching, &p, 3, &["db down", "db up", "test"]);
    // Nothing that defines it.
    p.write("Taskfile.toml", &format!("{}\n[target]\nother = 'x'\n", p.read("Taskfile.toml")));
    order(&watching, &p, 4, &[]);
    // The workspace is free for others meanwhile.
    assert!(p.spawn(["-n", "test"]).wait().stdout.contains("up to date"));
    let events = |event| watching.count(event);
    assert_eq!(["service_started", "service_restarts", "service_kept"].map(events), [2, 1, 3]);
    watching.ends();
    assert_eq!(p.take_ran(), ["db down"]);
}

#[test]
fn what_was_asked_for_starts_anew() {
    let p = project(&[service("server", "inputs = ['conf']"), task("test", "")]);
    let watching = Watching::of(&p, &["-j1", "server", "test"]);
    watching.ran(1, &["server up", "test"]);
    p.write("conf", "2");
    order(&watching, &p, 2, &["server down", "server up"]);
    p.write("test.in", "2");
    order(&watching, &p, 3, &["test"]);
    // Its command.
    let changed = p.read("Taskfile.toml").replace("echo listening", "echo now; echo listening");
    p.write("Taskfile.toml", &changed);
    order(&watching, &p, 4, &["server down", "server up"]);
    let output = watching.ends();
    assert_eq!(p.take_ran(), ["server int"], "Ctrl-C is how it ends");
    assert!(output.stdout.contains("server changed: it starts anew\n"), "{output}");
    assert!(output.stdout.contains("now\n"), "what it writes is shown: {output}");
    assert_eq!(output.stderr, "");
}

#[test]
fn without_restart_it_stays() {
    let more = "inputs = ['conf']\nrestart = false";
    let p = project(&[service("server", more), task("test", "'server'")]);
    let watching = Watching::of(&p, &["server", "test"]);
    order(&watching, &p, 1, &["server up", "test"]);
    p.write("conf", "2");
    order(&watching, &p, 2, &["test"]);
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("restart = false", ""));
    order(&watching, &p, 3, &["server down", "server up"]);
    watching.ends();
}

/// Nothing but a service.
#[test]
fn a_service_alone() {
    let p = project(&[service("server", "inputs = ['conf']")]);
    let watching = Watching::of(&p, &["server"]);
    p.write("conf", "2");
    order(&watching, &p, 2, &["server up", "server down", "server up"]);
    let output = watching.ends();
    assert_eq!(output.stdout.matches("1 service is up\n").count(), 2, "{output}");
}

/// Of two that stand on each other the upper one ends first, and starts last.
#[test]
fn services_of_services() {
    let p = project(&[
        service("db", "inputs = ['conf']"),
        service("server", "deps = ['db']"),
        task("test", "'server'"),
    ]);
    let watching = Watching::of(&p, &["test"]);
    order(&watching, &p, 1, &["db up", "server up", "test"]);
    p.write("conf", "2");
    order(&watching, &p, 2, &["server down", "db down", "db up", "server up", "test"]);
    watching.ends();
    assert_eq!(p.take_ran(), ["server down", "db down"]);
}

/// A failure, a mistake in the Taskfile and a target that is gone.
#[test]
fn what_becomes_of_them_when_something_is_wrong() {
    let p = project(&[
        service("db", ""),
        task("test", "'db'").replace("'ran test'", "'ran test; grep -v bad test.in'"),
    ]);
    let right = p.read("Taskfile.toml");
    let watching = Watching::of(&p, &["test"]);
    order(&watching, &p, 1, &["db up", "test"]);
    p.write("test.in", "bad\n");
    order(&watching, &p, 2, &["test"]);
    p.write("Taskfile.toml", "[");
    order(&watching, &p, 3, &[]);
    p.write("Taskfile.toml", &right).write("test.in", "fine\n");
    watching.rests(4);
    until("it is built", || p.spawn(["-n", "test"]).wait().stdout.contains("up to date"));
    assert!(p.take_ran().iter().all(|name| name == "test"), "the service stayed");
    let rests = watching.count("waiting") + 1;
    p.write("Taskfile.toml", &task("test", "").replace("ran test", "ran alone"));
    order(&watching, &p, rests, &["db down", "alone"]);
    watching.ends();
}

/// One that dies while nobody needs it is missed when somebody does.
#[test]
fn one_that_dies_is_told_and_started_again() {
    let run =
        "ran db up; echo listening; until [ -e ~/die ]; do sleep 0.01; done; rm ~/die; exit 7";
    let db = format!(
        "[target.db]\nservice = true\nready = {{ log = 'listening' }}\nrun = '''\n{run}\n'''\n"
    );
    let p = project(&[db, task("test", "'db'")]);
    let watching = Watching::of(&p, &["test"]);
    order(&watching, &p, 1, &["db up", "test"]);
    std::fs::write(p.outside("home/die"), "").expect("a file");
    until("it is told", || watching.count("service_ended") == 1);
    p.write("test.in", "2");
    order(&watching, &p, 2, &["db up", "test"]);
    let output = watching.ends();
    let told = "warning: db: it ended: exit 7; the next build starts it again\n";
    assert_eq!(output.stderr, told, "{output}");
}

/// Whatever ends taskr, nothing is left of them.
#[test]
fn nothing_outlives_taskr() {
    for signal in [Signal::TERM, Signal::KILL] {
        let p = project(&[service("server", ""), task("test", "")]);
        let watching = Watching::of(&p, &["server", "test"]);
        p.write("test.in", "2");
        watching.rests(2);
        watching.live.signal(signal);
        watching.live.dies_by(signal);
        p.await_no_process();
    }
}
