//! One `-j` for taskr, make and cargo within each other: how many commands ran at once is told by
//! what they write.

use std::cell::Cell;
use std::fs;
use std::process::Command;
use std::thread::sleep;

use rustix::process::{Pid, Signal, kill_process};

use crate::project::{Live, Project, SETTLED, until};

/// `job` runs for a moment, `meet N` until N of them run at once.
fn project(taskfile: &str) -> Project {
    let p = Project::new(taskfile);
    p.program("job", "echo + >>~/jobs; sleep 0.05; echo - >>~/jobs");
    p.program(
        "meet",
        "echo + >>~/jobs; n=0\n\
         until [ $(grep -c + ~/jobs) -ge $1 ]; do n=$((n+1)); [ $n -lt 1000 ] || exit 9; sleep 0.01; done\n\
         echo - >>~/jobs",
    );
    p
}

/// Forgets what ran. How many did, and how many at once at most.
fn ran_at_once(p: &Project) -> (usize, usize) {
    let log = p.outside("home/jobs");
    let text = fs::read_to_string(&log).expect("some ran");
    fs::remove_file(log).expect("it was there");
    let (mut now, mut most, mut all) = (0, 0, 0);
    for line in text.lines() {
        match line {
            "+" => (now, all) = (now + 1, all + 1),
            _ => now -= 1,
        }
        most = most.max(now);
    }
    assert_eq!(now, 0, "all ended: {text}");
    (all, most)
}

const MAKEFILE: &str = "all: a b c d\na b c d: ; job\nmeet: x y z\nx y z: ; meet 3\n";

/// Make of this machine, in the workspace.
fn make(p: &Project, args: &[&str]) -> Live {
    let mut command = Command::new("make");
    p.clear_environment(&mut command);
    Live::start(command.args(args).current_dir(p.root()))
}

#[test]
fn a_make_within_shares_the_jobs() {
    let p = project(
        "[target.one]\ninputs = []\nrun = 'make -s all'\n[target.two]\ninputs = []\nrun = 'make -s all'\n\
         [target.meet]\ninputs = []\nrun = 'make -s meet'\n",
    );
    p.write("Makefile", MAKEFILE);
    p.taskr(["-j3", "one", "two"]).never_says("warning").never_says("INTERNAL").ok();
    let (all, most) = ran_at_once(&p);
    assert_eq!(all, 8);
    assert!(most <= 3, "{most} at once");
    p.taskr(["-j3", "meet"]).never_says("warning").ok();
    assert_eq!(ran_at_once(&p), (3, 3), "what is free is used");
    p.taskr(["-j1", "-B", "one", "two"]).never_says("warning").ok();
    assert_eq!(ran_at_once(&p), (8, 1));
    // How many there are is no reason to run.
    p.taskr(["-j4", "one", "two", "meet"]).ok();
}

#[test]
fn within_a_make_the_jobs_are_shared() {
    let tasks = |name: &str, command: &str, count: usize| {
        let tasks = (0..count).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
        format!("[target.{name}]\nmatrix = {{ n = [{tasks}] }}\nrun = '{command}'\n")
    };
    let p = project(&(tasks("all", "job", 5) + &tasks("meet", "meet 3", 3)));
    p.write(
        "Makefile",
        &(MAKEFILE.to_owned() + "both: a b c d t\nt: ; +taskr all\nm: ; +taskr meet\n"),
    );
    let output = make(&p, &["-j3", "both"]).wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(output.stderr, "", "no token is missing, and none too many");
    let (all, most) = ran_at_once(&p);
    assert_eq!(all, 9);
    assert!(most <= 3, "{most} at once");
    let output = make(&p, &["-j3", "m"]).wait();
    assert!(output.status.success() && output.stderr.is_empty(), "{output}");
    assert_eq!(ran_at_once(&p), (3, 3), "what is free is used");
    assert!(output.stdout.contains("with -j3"), "{output}");
    // What is said to taskr itself counts.
    p.write("Makefile", "t: ; +taskr -j1 all\n");
    let output = make(&p, &["-j3", "t"]).wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(ran_at_once(&p), (5, 1));
}

#[test]
fn tokens_come_back_whatever_ends_taskr() {
    let p = project(
        "[target.all]\nmatrix = { n = ['1', '2', '3'] }\nrun = 'echo $PPID >~/taskr; ran t; exec sleep 100'\n\
         [target.bad]\nmatrix = { n = ['1', '2', '3'] }\nrun = 'meet 3; exit 1'\n",
    );
    p.write("Makefile", "t: ; +taskr all\nbad: ; +taskr bad\n");
    let live = make(&p, &["-j3", "t"]);
    until("all run", || {
        fs::read_to_string(p.outside("ran.log")).is_ok_and(|ran| ran.lines().count() == 3)
    });
    let pid = fs::read_to_string(p.outside("home/taskr")).expect("a number");
    let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a pid");
    kill_process(pid, Signal::INT).expect("taskr lives");
    let output = live.wait();
    assert!(!output.status.success() && !output.stderr.contains("INTERNAL"), "{output}");
    let output = make(&p, &["-j3", "bad"]).wait();
    assert!(!output.status.success() && !output.stderr.contains("INTERNAL"), "{output}");
    p.await_no_process();
}

#[test]
fn without_the_plus_of_make_it_is_told() {
    let p = project("[target.all]\nmatrix = { n = ['1', '2', '3'] }\nrun = 'job'\n");
    p.write("Makefile", "t: ; taskr all\n");
    // Make from 4.4 on hands its tokens to everybody, by a fifo, unless it is told otherwise.
    let help = make(&p, &["--help"]).wait().stdout;
    let style = help.contains("--jobserver-style").then_some("--jobserver-style=pipe");
    let args: Vec<&str> = ["-j3", "t"].into_iter().chain(style).collect();
    let output = make(&p, &args).wait();
    assert!(output.status.success(), "{output}");
    assert!(output.stderr.contains("write `+` before"), "{output}");
    assert_eq!(ran_at_once(&p), (3, 1));
    // No server, no word about it.
    let output = make(&p, &["t"]).wait();
    assert_eq!(output.stderr, "", "{output}");
    ran_at_once(&p);
}

#[test]
fn newer_makes_and_taskr_within_taskr_share_a_fifo() {
    let p = project(
        "[target.inner]\nmatrix = { n = ['1', '2'] }\nrun = 'taskr -C ../other all'\n\
         [target.meet]\nrun = 'echo \"flags:$MAKEFLAGS\"; taskr -C ../other meet'\n\
         [target.own]\nenv = { MAKEFLAGS = 'k' }\nrun = 'echo \"[$MAKEFLAGS]\"'\n",
    );
    p.program("make", "echo GNU Make 4.4.1");
    let other = p.sibling("other");
    other.write(
        "Taskfile.toml",
        "[target.all]\nmatrix = { n = ['1', '2', '3', '4'] }\nrun = 'job'\n\
         [target.meet]\nmatrix = { n = ['1', '2', '3'] }\nrun = 'meet 3'\n",
    );
    p.taskr(["-j3", "inner"]).any_warning().ok();
    let (all, most) = ran_at_once(&p);
    assert_eq!(all, 8);
    assert!(most <= 3, "{most} at once");
    let output = p.taskr(["-j3", "meet"]).ok();
    assert_eq!(ran_at_once(&p), (3, 3));
    assert!(output.stdout.contains("flags: -j3 --jobserver-auth=fifo:/"), "{output}");
    let left = fs::read_dir(p.path(".taskr/runs")).expect("there").flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "jobs")).collect();
    assert!(left.is_empty(), "{left:?}");
    p.taskr(["own"]).says("[k]\n").ok();
}

#[test]
fn a_make_that_does_not_answer_holds_up_nobody_for_long() {
    let p = Project::new(
        "[target.t]\nrun = 'ran t; echo \"[$MAKEFLAGS]\"'\n[target.slow]\nrun = 'exec sleep 1000'\n\
         [target.o]\noutputs = ['o']\nrun = 'echo o > {{ outputs }}'\n",
    )
    .with_store();
    p.program("make", "ran make; exec sleep 1000");
    p.taskr(["t"])
        .ran(["make", "t"])
        .warns("make --version` does not answer")
        .says("--jobserver-auth=1")
        .ok();
    p.await_no_process();
    let live = p.spawn(["slow"]);
    p.await_ran("make");
    live.signal(Signal::INT);
    live.dies_by(Signal::INT);
    p.await_no_process();
    p.take_ran();
    // What is only restored, and what is up to date, asks nobody.
    p.program("make", "ran make; echo GNU Make 4.4");
    p.taskr(["o"]).ran(["make"]).makes("o", "o\n").ok();
    p.remove("o");
    p.taskr(["o"]).makes("o", "o\n").says("restored").ok();
    p.taskr(["o"]).ok();
}

/// What a make says of itself is kept until it is another, if it has been there for a while; a script
/// may start another each time.
#[test]
fn a_make_that_is_known_is_not_asked() {
    let p = Project::new(
        "[target.t]\ninputs = ['in']\nrun = 'ran t; echo \"[$MAKEFLAGS]\"'\n\
         [target.u]\nrun = 'ran u'\n",
    );
    let compile = |version: &str| {
        let source = p.outside("make.c");
        let text = format!(
            "#include <stdio.h>\n#include <stdlib.h>\n\
             int main(void) {{ if (system(\"ran make\")) return 1; puts(\"GNU Make {version}\"); }}\n"
        );
        fs::write(&source, text).expect("a source");
        let mut cc = Command::new("cc");
        let compiled = cc.arg(source).arg("-o").arg(p.outside("bin/make")).status();
        assert!(compiled.expect("a compiler").success());
    };
    let edits = Cell::new(0);
    let build = |ran: &[&str], flag: &str| {
        edits.set(edits.get() + 1);
        p.write("in", &edits.get().to_string());
        p.taskr(["t"]).ran(ran.to_vec()).says(flag).ok();
    };
    compile("4.3");
    (0..2).for_each(|_| build(&["make", "t"], "--jobserver-auth=1"));
    sleep(SETTLED);
    p.taskr(["u"]).ran(["make", "u"]).ok();
    p.taskr(["u"]).ran(["u"]).ok();
    build(&["t"], "--jobserver-auth=1");
    compile("4.4");
    build(&["make", "t"], "--jobserver-auth=fifo:");
    sleep(SETTLED);
    build(&["make", "t"], "--jobserver-auth=fifo:");
    // So is it where the graph of an earlier build is taken.
    p.fresh("t");
    (0..3).for_each(|_| build(&["t"], "--jobserver-auth=fifo:"));
    p.taskr(["-B", "--rehash", "t"]).ran(["make", "t"]).ok();
    p.program("make", "ran make; echo GNU Make 4.3");
    build(&["make", "t"], "--jobserver-auth=1");
    build(&["make", "t"], "--jobserver-auth=1");
}

#[test]
fn cargo_takes_what_it_is_given() {
    let cargo = std::path::Path::new(env!("CARGO"));
    let folder = cargo.parent().expect("a folder").display().to_string();
    let p = project(
        "[target.build]\ninputs = ['crates/**']\nenv_pass = ['PATH', 'CARGO_HOME']\n\
         env = { RUSTC_WRAPPER = 'counted' }\n\
         run = 'cargo build -q --offline --manifest-path crates/Cargo.toml --target-dir $OUT'\n",
    );
    p.program(
        "counted",
        "echo + >>~/jobs; status=0; \"$@\" || status=$?; echo - >>~/jobs; exit $status",
    );
    p.write("crates/Cargo.toml", "[workspace]\nresolver = '2'\nmembers = ['a', 'b', 'c']\n");
    for name in ["a", "b", "c"] {
        let manifest = format!("[package]\nname = '{name}'\nversion = '0.1.0'\nedition = '2021'\n");
        p.write(format!("crates/{name}/Cargo.toml"), &manifest);
        p.write(format!("crates/{name}/src/lib.rs"), "pub fn f() {}\n");
    }
    let path = format!("{}:{folder}:/usr/bin:/bin", p.outside("bin").display());
    p.taskr(["-j1", "build"]).env("PATH", &path).any_warning().any_files().ok();
    let (all, most) = ran_at_once(&p);
    assert!(all >= 3, "{all} ran");
    assert_eq!(most, 1, "one at a time");
}
