//! Several taskr at once: one build per workspace, the others wait or give up, none spoils another.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::project::{Live, Project, until, within};

const GATED: &str = r#"
[target.t]
inputs  = ["in"]
outputs = ["o"]
run     = "ran t; until [ -e $HOME/go ]; do sleep 0.01; done; cat in > {{ outputs }}"
[target.u]
inputs  = ["in"]
outputs = ["u"]
run     = "ran u; cat in > {{ outputs }}"
"#;

fn gated() -> (Project, Live) {
    let p = Project::new(GATED);
    p.write("in", "1");
    let first = p.spawn(["t"]);
    p.await_ran("t");
    (p, first)
}

#[test]
fn the_second_waits_and_says_for_whom() {
    let (p, first) = gated();
    let pid = first.pid().as_raw_nonzero().to_string();
    let mut second = p.spawn(["t", "u"]);
    assert!(!within(std::time::Duration::from_millis(400), || !second.runs()), "it waits");
    assert!(p.take_ran() == ["t"], "it starts nothing meanwhile");
    p.go();
    assert!(first.wait().status.success());
    let output = second.wait();
    assert!(output.status.success(), "{output}");
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains(&pid), "for whom: {pid} in {output}");
    assert_eq!(p.take_ran(), ["u"]);
}

#[test]
fn no_wait_gives_up() {
    let (p, first) = gated();
    p.take_ran();
    let pid = first.pid().as_raw_nonzero().to_string();
    p.taskr(["--no-wait", "u"]).says(pid).exits(75);
    p.go();
    assert!(first.wait().status.success());
    p.accept_files();
    p.taskr(["--no-wait", "u"]).ran(["u"]).makes("u", "1").ok();
}

/// An unrecorded task does not need the workspace, but its own folder.
#[test]
fn one_taskr_at_a_time_runs_an_unrecorded_task() {
    let p = Project::new(
        "[target.s]\nrun = \"ran s; until [ -e $HOME/go ]; do sleep 0.01; done\"\n\
         [target.other]\ninputs = []\nrun = 'ran other'\n",
    );
    let first = p.spawn(["s"]);
    p.await_ran("s");
    // From a moment after its task has begun.
    until("the workspace is free", || p.spawn(["--no-wait", "other"]).wait().status.success());
    assert_eq!(p.take_ran(), ["s", "other"]);
    let holder = format!("another taskr runs it (process {}:", first.pid().as_raw_nonzero());
    p.taskr(["--no-wait", "s"]).says(holder).exits(75);
    let mut second = p.spawn(["s"]);
    assert!(!within(std::time::Duration::from_millis(400), || !second.runs()), "it waits");
    assert_eq!(p.take_ran(), [""; 0], "it starts nothing meanwhile");
    p.go();
    let pid = first.pid().as_raw_nonzero();
    assert!(first.wait().status.success());
    let output = second.wait();
    assert!(output.status.success(), "{output}");
    let told = format!("warning: s: waiting for another taskr (process {pid}:");
    assert!(output.stderr.contains(&told), "for whom: {told} in {output}");
    assert_eq!(p.take_ran(), ["s"]);
}

/// A run that gave the workspace away and wants it back, for `rec`; `holder` holds it until `~/go`.
/// The run starts with `slow`, which ends when the other has the lock.
fn gave_way(more: &str, args: &[&str]) -> (Project, Live, Live) {
    let p = Project::new(&format!(
        "{more}\n[target.slow]\nrun = 'ran slow; until [ -e ~/held ]; do sleep 0.01; done'\n\
         [target.rec]\ndeps = ['slow']\ninputs = []\nrun = 'ran rec'\n\
         [target.holder]\ninputs = []\nalways = true\n\
         run = 'touch ~/held; until [ -e ~/go ]; do sleep 0.01; done; ran holder'\n"
    ));
    let run = p.spawn(args);
    p.await_ran("slow");
    let holder = p.spawn(["holder"]);
    (p, run, holder)
}

#[test]
fn while_one_task_waits_for_the_workspace_the_others_go_on() {
    // Its output is more than waits unheard anywhere, and the other taskr waits for its end.
    let chatty = "[target.chatty]\nrun = '''until [ -e ~/held ]; do sleep 0.01; done\n\
                  i=0; while [ $i -lt 300 ]; do printf '%02000d\\n' $i; i=$((i+1)); sleep 0.002; done\n\
                  ran chatty; touch ~/go'''\n";
    let (p, run, holder) = gave_way(chatty, &["-j3", "--output", "stream", "chatty", "rec"]);
    assert!(holder.wait().status.success());
    let output = run.wait();
    assert!(output.status.success(), "{output}");
    assert!(output.stderr.contains("waiting for another taskr (process "), "{output}");
    assert_eq!(p.take_ran(), ["slow", "chatty", "holder", "rec"]);
}

#[test]
fn no_wait_gives_up_in_the_middle_of_a_run_too() {
    let (p, run, holder) = gave_way("", &["--no-wait", "rec"]);
    let output = run.wait();
    assert_eq!(output.status.code(), Some(75), "{output}");
    assert!(output.stdout.contains("another taskr works here (process "), "{output}");
    p.go();
    assert!(holder.wait().status.success());
    assert_eq!(p.take_ran(), ["slow", "holder"]);
}

#[test]
fn waiting_does_not_count_for_the_time_of_a_run() {
    let (p, mut run, holder) = gave_way("", &["--timeout", "1500ms", "rec"]);
    assert!(!within(std::time::Duration::from_millis(1800), || !run.runs()), "it waits");
    p.go();
    assert!(holder.wait().status.success());
    let output = run.wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["slow", "holder", "rec"]);
}

/// A waiting taskr can be ended like any other.
#[test]
fn waiting_ends_by_a_signal() {
    let (p, first) = gated();
    let mut second = p.spawn(["u"]);
    assert!(!within(std::time::Duration::from_millis(300), || !second.runs()), "it waits");
    second.signal(Signal::INT);
    second.dies_by(Signal::INT);
    p.go();
    assert!(first.wait().status.success());
}

/// C02: the lock file is never deleted, and a killed holder holds nothing.
#[test]
fn a_killed_holder_holds_nothing() {
    let (p, mut first) = gated();
    assert!(first.kill(), "it was alive");
    let output = first.wait();
    assert!(p.path(".taskr/lock").exists(), "{output}");
    p.go();
    p.take_ran();
    // Its guard may still be ending the task: that is waited for.
    p.taskr(["t"]).ran(["t"]).makes("o", "1").any_warning().ok();
    assert!(p.path(".taskr/lock").exists());
}

/// Readers never wait.
#[test]
fn readers_do_not_wait() {
    let (p, first) = gated();
    p.take_ran();
    for args in [["-n", "t"].as_slice(), &["why", "t"], &["list"]] {
        let output = p.spawn(args).wait();
        assert!(output.status.success(), "{args:?} {output}");
    }
    p.go();
    assert!(first.wait().status.success());
    assert_eq!(p.take_ran(), [""; 0]);
}

/// C01: eight at once, each wanting something else; each task runs once and is right.
#[test]
fn eight_at_once() {
    let mut taskfile = String::new();
    for n in 0..12_usize {
        let input = if n < 3 { "in".to_owned() } else { format!("@t{}\", \"@t{}", n / 2, n - 3) };
        taskfile.push_str(&format!(
            "[target.t{n}]\ninputs = [\"{input}\"]\noutputs = [\"gen/t{n}\"]\nrun = \"ran t{n}; cat {{{{ inputs }}}} > {{{{ outputs }}}}; echo {n} >> {{{{ outputs }}}}\"\n"
        ));
    }
    let p = Project::new(&taskfile);
    let mut expected: Vec<String> = Vec::new();
    for round in 0..4 {
        p.write("in", &format!("{round}\n"));
        expected.clear();
        for n in 0..12_usize {
            let input = match n {
                0..3 => format!("{round}\n"),
                _ if n / 2 == n - 3 => expected[n - 3].clone(),
                _ => format!("{}{}", expected[n / 2], expected[n - 3]),
            };
            expected.push(format!("{input}{n}\n"));
        }
        let wanted =
            |seed: usize| [format!("t{}", (seed * 5 + round) % 12), format!("t{}", 11 - seed)];
        let runs: Vec<Live> = (0..8).map(|seed| p.spawn(wanted(seed))).collect();
        for live in runs {
            let output = live.wait();
            assert_eq!(output.status.code(), Some(0), "{output}");
        }
        for (n, text) in expected.iter().enumerate().skip(4) {
            assert_eq!(&p.read(format!("gen/t{n}")), text, "t{n} in round {round}");
        }
        let mut ran = p.take_ran();
        ran.sort();
        let count = ran.len();
        ran.dedup();
        assert_eq!(ran.len(), count, "each ran once: {ran:?}");
    }
}

/// S22: a task that builds in its own workspace gets an error, not a deadlock.
#[test]
fn taskr_within_taskr() {
    let taskfile = "[target.outer]\ninputs = []\nrun = \"ran outer; taskr inner\"\n[target.inner]\ninputs = []\nrun = \"ran inner; true\"\n";
    let p = Project::new(taskfile);
    let output = p.taskr(["outer"]).ran(["outer"]).exits(1);
    assert!(p.read(".taskr/tasks/outer/log").contains("taskr"), "a clear error: {output}");
    // While only unrecorded tasks run the lock is given up: either answer, but an answer.
    p.write("Taskfile.toml", &taskfile.replacen("inputs = []\n", "", 1));
    let output = p.spawn(["outer"]).wait();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output}");
}

#[test]
fn taskr_within_taskr_elsewhere() {
    let p =
        Project::new("[target.outer]\ninputs = []\nrun = \"ran outer; taskr -C ../other inner\"\n");
    let other = p.sibling("other");
    other.write("Taskfile.toml", "[target.inner]\ninputs = []\nrun = \"ran inner; true\"\n");
    p.taskr(["outer"]).ran(["outer", "inner"]).ok();
}

/// C06: a daemon that a task left does not keep the lock (nor its life).
#[test]
fn a_daemon_does_not_keep_the_lock() {
    let p = Project::new(
        "[target.t]\nrun = \"ran t; setsid sleep 1000 >/dev/null 2>&1 </dev/null &\"\n",
    );
    for _ in 0..2 {
        let output = p.spawn(["t"]).wait();
        assert!(output.status.success(), "{output}");
        p.await_no_process();
    }
    assert_eq!(p.take_ran(), ["t", "t"]);
}

/// A reader beside a build at full speed: never a panic, never a wrong exit code.
#[test]
fn readers_beside_a_writer() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\nmatrix = { n = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\"] }\noutputs = [\"gen/{{ matrix.n }}\"]\nrun = \"cat in > {{ outputs }}\"\n",
    );
    p.write("in", "0");
    for round in 0..5 {
        fs::write(p.path("in"), format!("{round}")).expect("a file");
        let mut build = p.spawn(["t"]);
        let mut readers = 0;
        while build.runs() || readers < 2 {
            let args = [["why", "t"], ["-n", "t"], ["list", "--json"]][readers % 2];
            let output = p.spawn(args).wait();
            assert!(output.status.success() && !output.stderr.contains("panicked"), "{output}");
            readers += 1;
        }
        assert!(build.wait().status.success());
    }
}

/// The workspace may be reached through a link: it is the same one.
#[test]
fn a_link_to_the_workspace_is_the_same_workspace() {
    let (p, first) = gated();
    p.take_ran();
    std::os::unix::fs::symlink(p.root(), p.outside("alias")).expect("a link");
    let mut command: Command = p.command(&p.outside("alias"), ["--no-wait", "u"]);
    command.stdin(Stdio::null());
    let output = Live::start(&mut command).wait();
    assert_eq!(output.status.code(), Some(75), "{output}");
    p.go();
    assert!(first.wait().status.success());
    until("the lock is free", || p.spawn(["--no-wait", "t"]).wait().status.success());
    assert_eq!(p.take_ran(), [""; 0], "fresh through the other name");
}
