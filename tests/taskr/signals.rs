//! Signals, kills and what a task leaves behind: no process survives, no half-done output counts.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::project::{Live, Project, until};

fn taskfile(script: &str) -> String {
    format!(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"\"\"\n{script}\n\"\"\"\n[target.next]\ninputs = [\"@t\"]\nrun = \"ran next\"\n"
    )
}

/// A task with a grandchild, which ends at once by TERM or INT; `before` is prepended.
fn sleeper(before: &str) -> (Project, Live) {
    sleeper_with("", before)
}

/// The same with a setting of the target.
fn sleeper_with(setting: &str, before: &str) -> (Project, Live) {
    let text = taskfile(&format!("{before}\necho half > o\nsleep 1000 &\nran t\nwait"));
    let p = Project::new(&text.replace("[target.t]\n", &format!("[target.t]\n{setting}\n")));
    p.write("in", "1");
    let live = p.spawn(["next"]);
    p.await_ran("t");
    (p, live)
}

/// Nothing survived, nothing half-done stands, and the next build does the work.
fn comes_through(p: &Project) {
    p.await_no_process();
    assert_eq!(p.take_ran(), ["t"]);
    p.write("Taskfile.toml", &taskfile("echo whole > o; ran t"));
    p.taskr(["next"]).ran(["t", "next"]).makes("o", "whole\n").any_warning().ok();
    p.fresh("next");
}

#[test]
fn interrupt_terminate_and_hang_up() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (p, live) = sleeper("");
        live.signal(signal);
        live.dies_by(signal);
        assert!(!p.path("o").exists(), "half an output after {signal:?}");
        comes_through(&p);
    }
}

/// S01: as a terminal does it, to the whole foreground group.
#[test]
fn interrupt_of_the_group() {
    let (p, live) = sleeper("");
    rustix::process::kill_process_group(live.pid(), Signal::INT).expect("it lives");
    live.dies_by(Signal::INT);
    comes_through(&p);
}

/// S02, S15: a task that will not end; the second Ctrl-C is the last.
#[test]
fn the_second_interrupt_kills() {
    let within = || {
        let (p, mut live) = sleeper_with("grace = '60s'", "trap '' INT TERM HUP");
        live.signal(Signal::INT);
        std::thread::sleep(Duration::from_millis(300));
        assert!(live.runs(), "the first one waits for the task's grace");
        let second = Instant::now();
        live.signal(Signal::INT);
        live.dies_by(Signal::INT);
        let within = second.elapsed();
        assert!(within < Duration::from_secs(30), "its grace: {within:?}");
        comes_through(&p);
        within
    };
    // The promise itself is a second; what others do on the machine may cost one try more, or two.
    let promised = (0..3).any(|_| within() < Duration::from_secs(3));
    assert!(promised, "three times later than after three seconds");
}

/// S15: after the grace (5 s) it is killed without being asked again.
#[test]
fn a_task_that_ignores_signals_is_killed_after_its_grace() {
    let (p, live) = sleeper("trap '' INT TERM HUP");
    live.signal(Signal::TERM);
    live.dies_by(Signal::TERM);
    comes_through(&p);
}

/// S05: nothing can be done by taskr itself; its guard does it.
#[test]
fn sigkill_leaves_nothing() {
    for before in ["", "trap '' INT TERM HUP", "setsid sleep 1000 &"] {
        let (p, mut live) = sleeper(before);
        assert!(p.processes().len() >= 3, "taskr, its guard and the task live");
        assert!(live.kill(), "it was alive");
        let _ = live.wait();
        comes_through(&p);
    }
}

/// Somebody who removes what is old has the store for long: what was built is recorded, and one
/// signal is enough, whenever it comes.
#[test]
fn a_store_that_others_hold_does_not_hold_an_interrupt() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\ncache = true\nrun = \"cp in o; ran t\"\n",
    )
    .with_store();
    p.write("in", "1");
    p.taskr(["t"]).ran(["t"]).makes("o", "1").ok();
    p.write("in", "2");
    let lock = std::fs::File::open(p.store().join("lock")).expect("the lock");
    lock.lock().expect("locked");
    let mut live = p.spawn(["t"]);
    p.await_ran("t");
    std::thread::sleep(Duration::from_millis(500));
    assert!(live.runs(), "it waits for the store");
    let told = Instant::now();
    live.signal(Signal::INT);
    live.dies_by(Signal::INT);
    assert!(told.elapsed() < Duration::from_secs(10), "a store has twenty: {:?}", told.elapsed());
    drop(lock);
    assert_eq!(p.take_ran(), ["t"]);
    p.accept_files();
    p.fresh("t");
}

/// S06: grandchildren in a session of their own.
#[test]
fn a_session_of_its_own_is_no_escape() {
    let (p, live) = sleeper("setsid sh -c 'sleep 1000; true' &");
    live.signal(Signal::INT);
    live.dies_by(Signal::INT);
    comes_through(&p);
}

/// A finished build leaves nothing either, not even for a moment: who waited for it may begin.
#[test]
fn what_a_task_leaves_behind_is_ended() {
    let leaves = [
        "sleep 1000 &",
        "setsid sleep 1000 &",
        // As a daemon does it: nobody knows any more who began it.
        "(setsid sh -c 'sleep 1000 >/dev/null 2>&1 &' &)",
    ];
    for leaves in leaves {
        let script = format!("ran t\n{leaves}\necho o > {{{{ outputs }}}}");
        let p = Project::new(&taskfile(&script));
        p.write("in", "1");
        p.taskr(["t"]).ran(["t"]).makes("o", "o\n").any_warning().ok();
        assert_eq!(p.processes(), Vec::<i32>::new(), "{leaves}");
    }
}

/// A shell that becomes taskr leaves it children that no task began.
#[test]
fn a_child_that_taskr_did_not_start_is_left_alone() {
    let p = Project::new("[target.t]\ninputs = []\nrun = \"ran t\"\n");
    let taskr = p.command(&p.root(), ["t"]);
    let script = "sleep 1000 </dev/null >/dev/null 2>&1 & exec \"$@\"";
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(taskr.get_program()).args(taskr.get_args());
    p.clear_environment(command.current_dir(p.root()));
    let output = Live::start(&mut command).wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["t"]);
    let [own] = p.processes()[..] else { panic!("{:?} live", p.processes()) };
    let own = rustix::process::Pid::from_raw(own).expect("a pid");
    rustix::process::kill_process(own, Signal::KILL).expect("it lives");
}

/// S09: a child in the background that keeps the pipe open does not keep the build.
#[test]
fn a_background_child_holds_the_pipe() {
    let p = Project::new("[target.t]\ninputs = []\nrun = \"ran t; sleep 1000 & exit 0\"\n");
    let started = Instant::now();
    p.taskr(["t"]).ran(["t"]).any_warning().ok();
    assert!(started.elapsed() < Duration::from_secs(30), "it did not wait for the child");
    p.await_no_process();
    p.fresh("t");
}

/// S07: a writer in the background is ended before outputs are looked at.
#[test]
fn a_late_writer_never_changes_what_was_recorded() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = [\"o\"]\nrun = \"ran t; (while :; do date +%N > o; done) & sleep 0.05\"\n",
    );
    p.taskr(["t"]).ran(["t"]).any_warning().any_files().ok();
    p.await_no_process();
    p.accept_files();
    p.fresh("t");
}

/// After the first Ctrl-C running tasks end, and none of what ended early is taken as done.
#[test]
fn interrupts_at_any_time() {
    let mut hit = 0;
    for round in 0..30 {
        let p = Project::new(
            "[target.t]\ninputs = [\"in\"]\nmatrix = { n = [\"1\", \"2\", \"3\"] }\noutputs = [\"gen/{{ matrix.n }}\"]\nrun = \"ran {{ matrix.n }}; cat in > gen/{{ matrix.n }}; sleep 0.01; cat in >> gen/{{ matrix.n }}\"\n",
        );
        p.write("in", "x");
        let live = p.spawn(["-j2", "t"]);
        std::thread::sleep(Duration::from_millis(round * 2));
        let signalled = rustix::process::kill_process(live.pid(), Signal::TERM).is_ok();
        let output = live.wait();
        hit += usize::from(signalled && !output.status.success());
        p.accept_files();
        p.take_ran();
        let run = p.taskr(["t"]).any_ran().any_warning();
        run.makes("gen/1", "xx").makes("gen/2", "xx").makes("gen/3", "xx").ok();
        p.fresh("t");
    }
    assert!(hit > 3, "only {hit} signals hit a living build");
}

/// S17, C07: children get default signals, an empty mask, and three descriptors.
#[test]
fn children_start_clean() {
    let p = Project::new(
        r#"
        [target.t]
        inputs = []
        run    = """
        grep -E '^Sig(Ign|Blk)' /proc/self/status
        ls /proc/self/fd > $HOME/fds
        readlink /proc/self/fd/0
        """
        "#,
    );
    // Before 4.4 make can have its job server only by two more.
    p.program("make", "echo GNU Make 4.4.1");
    let output = p.taskr(["t"]).says("/dev/null").ok();
    // Numbers 32 and 33 belong to the C library, which ignores them in what it spawns.
    let own = 0x1_8000_0000_u64;
    let masks = output.stdout.lines().filter_map(|line| line.strip_prefix("Sig"));
    let masks: Vec<_> = masks.filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(masks.len(), 2, "{output}");
    for mask in masks {
        let mask = u64::from_str_radix(mask, 16).expect("a number");
        assert_eq!(mask & !own, 0, "{output}");
    }
    let fds = std::fs::read_to_string(p.outside("home/fds")).expect("a list");
    // What the test itself was given by its caller is nobody's fault here.
    let plain = std::process::Command::new("ls").arg("/proc/self/fd").output().expect("ls");
    assert_eq!(fds, String::from_utf8_lossy(&plain.stdout));
}

/// S18: a task may close its streams.
#[test]
fn a_task_without_streams() {
    let p =
        Project::new("[target.t]\ninputs = []\nrun = \"exec >&- 2>&-; ran t; sleep 0.1; ran u\"\n");
    p.taskr(["t"]).ran(["t", "u"]).ok();
}

/// D02: a task that is killed from outside is a failed task.
#[test]
fn a_killed_task_is_a_failed_task() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = [\"o\"]\nrun = \"echo o > {{ outputs }}; echo $$ > $HOME/pid; ran t; sleep 1000\"\n",
    );
    let live = p.spawn(["t"]);
    p.await_ran("t");
    let pid = std::fs::read_to_string(p.outside("home/pid")).expect("a number");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a number")).expect("a pid");
    rustix::process::kill_process(pid, Signal::KILL).expect("it lives");
    let output = live.wait();
    assert_eq!(output.status.code(), Some(1), "{output}");
    assert!(!p.path("o").exists(), "{output}");
    until("it is gone", || p.processes().is_empty());
}
