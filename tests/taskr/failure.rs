//! A failure stops what needs it, is told, is never taken for a success, and destroys nothing.

use std::fs;

use crate::project::{Project, tree};

/// `bad` fails until `~/go` exists; `on_bad` needs it; `good` and `later` do not.
const MIXED: &str = r#"
[target.bad]
inputs  = ["in"]
outputs = ["bad.out"]
run     = "ran bad; echo half > bad.out; echo words of bad; test -e $HOME/go; echo whole > bad.out"

[target.on_bad]
inputs  = ["@bad"]
outputs = ["on_bad.out"]
run     = "ran on_bad; cat bad.out > {{ outputs }}"

[target.good]
inputs  = ["in"]
outputs = ["good.out"]
run     = "ran good; cat in > {{ outputs }}"

[target.later]
inputs  = ["@good"]
outputs = ["later.out"]
run     = "ran later; cat good.out > {{ outputs }}"
"#;

fn mixed() -> Project {
    let p = Project::new(MIXED);
    p.write("in", "i\n");
    p
}

#[test]
fn stops_without_keep_going() {
    let p = mixed();
    p.taskr(["-j1", "on_bad"]).ran(["bad"]).says("bad").says("words of bad").exits(1);
}

#[test]
fn nothing_new_starts_after_a_failure() {
    let p = Project::new(
        r#"
        [target.first]
        inputs = []
        run    = "ran first; exit 3"
        [target.second]
        inputs = []
        after  = ["slow"]
        run    = "ran second; true"
        [target.slow]
        inputs  = []
        outputs = ["slow.out"]
        run     = "ran slow; until [ -e $HOME/go ]; do sleep 0.01; done; echo s > {{ outputs }}"
        "#,
    );
    let live = p.spawn(["-j2", "first", "second"]);
    p.await_ran("first");
    p.await_ran("slow");
    // The failure of `first` is known well before `slow` may end.
    std::thread::sleep(std::time::Duration::from_millis(300));
    p.go();
    let output = live.wait();
    assert_eq!(output.status.code(), Some(1), "{output}");
    let mut ran = p.take_ran();
    ran.sort();
    assert_eq!(ran, ["first", "slow"], "{output}");
    assert_eq!(p.read("slow.out"), "s\n", "a running task finishes");
    p.accept_files();
    p.taskr(["slow"]).ok();
}

#[test]
fn keep_going_does_what_does_not_need_the_failed_task() {
    let p = mixed();
    p.taskr(["-k", "-j1", "on_bad", "later"])
        .ran(["bad", "good", "later"])
        .makes("good.out", "i\n")
        .makes("later.out", "i\n")
        .says("bad")
        .exits(1);
    p.taskr(["-k", "-j1", "on_bad", "later"]).ran(["bad"]).says("bad").exits(1);
}

#[test]
fn keep_going_until_so_many_failures() {
    let p = Project::new(
        r#"
        [target.f]
        inputs = []
        matrix = { n = ["1", "2", "3", "4", "5"] }
        run    = "ran f; exit 1"
        "#,
    );
    p.taskr(["-j1", "f"]).ran(["f"]).exits(1);
    p.taskr(["-j1", "--keep-going=3", "f"]).ran(["f"; 3]).exits(1);
    p.taskr(["-j1", "-k", "f"]).ran(["f"; 5]).exits(1);
}

#[test]
fn a_failed_run_is_not_taken_as_fresh() {
    let p = mixed();
    for _ in 0..3 {
        p.taskr(["on_bad"]).ran(["bad"]).exits(1);
    }
    p.go();
    p.taskr(["on_bad"])
        .ran(["bad", "on_bad"])
        .makes("bad.out", "whole\n")
        .makes("on_bad.out", "whole\n")
        .ok();
    p.fresh("on_bad");
}

/// What stood there before a failed attempt stands there after it.
#[test]
fn outputs_are_put_back_after_a_failed_attempt() {
    let p = mixed();
    p.go();
    p.taskr(["bad"]).ran(["bad"]).makes("bad.out", "whole\n").ok();
    fs::remove_file(p.outside("home/go")).expect("it was there");
    p.write("in", "2\n");
    let output = p.taskr(["bad"]).ran(["bad"]).exits(1);
    let wrecks = tree(&p.path(".taskr/tasks/bad/failed"));
    assert_eq!(wrecks.len(), 1, "what the attempt wrote: {wrecks:?}\n{output}");
    assert!(format!("{output}").contains("failed"), "it is named: {output}");
    p.taskr(["bad"]).ran(["bad"]).exits(1);
    // The old output is no success at the old inputs' key either, as long as nobody says so.
    p.write("in", "i\n");
    p.go();
    p.taskr(["bad"]).any_ran().ok();
    p.fresh("bad");
}

#[test]
fn a_staged_output_is_never_seen_half_done() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        outputs = ["a", "b"]
        run     = "ran a; echo half > $OUT/a; test $(cat in) = good; cp in $OUT/a; cp in $OUT/b"
        "#,
    );
    p.write("in", "bad\n");
    p.taskr(["a"]).ran(["a"]).exits(1);
    p.write("in", "good\n");
    p.taskr(["a"]).ran(["a"]).makes("a", "good\n").makes("b", "good\n").ok();
    p.write("in", "bad\n");
    p.taskr(["a"]).ran(["a"]).exits(1);
}

/// F23.
#[test]
fn a_missing_output_after_success_is_a_failure() {
    for (outputs, named) in [("\"a\", \"deep/b\"", "deep/b"), ("\"a\", \"some/*.x\"", "some/*.x")] {
        let p = Project::new(&format!(
            "[target.t]\ninputs = []\noutputs = [{outputs}]\nrun = \"ran t; echo a > $OUT/a\"\n"
        ));
        p.taskr(["t"]).ran(["t"]).says(named).exits(1);
        p.taskr(["t"]).ran(["t"]).says(named).exits(1);
    }
}

/// A file that stood at a declared output and was not written by the run is not its output.
#[test]
fn an_old_file_does_not_pass_for_an_output() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = [\"a\", \"b\"]\nrun = \"ran t; echo a > a\"\n",
    );
    p.write("b", "mine");
    p.taskr(["t"]).ran(["t"]).says("b").exits(1);
    assert_eq!(p.read("b"), "mine", "it was put back");
}

/// The same where an earlier success left it, and this run forgets it.
#[test]
fn an_output_that_is_no_longer_written_is_a_failure() {
    let taskfile = "[target.t]\ninputs = [\"in\"]\noutputs = [\"a\", \"b\"]\nrun = \"ran t; cp in a; grep -q both in && cp in b; true\"\n";
    let p = Project::new(taskfile);
    p.write("in", "both 1\n");
    p.taskr(["t"]).ran(["t"]).makes("a", "both 1\n").makes("b", "both 1\n").ok();
    p.write("in", "one\n");
    p.taskr(["t"]).ran(["t"]).says("b").exits(1);
    p.write("in", "both 2\n");
    p.taskr(["t"]).ran(["t"]).makes("a", "both 2\n").makes("b", "both 2\n").ok();
}

#[test]
fn a_signal_is_a_failure() {
    let p = Project::new("[target.t]\ninputs = []\nrun = \"ran t; kill -SEGV $$\"\n");
    p.taskr(["t"]).ran(["t"]).says("SEGV").exits(1);
}

#[test]
fn a_program_that_is_not_there() {
    for line in ["exec = [\"no-such-program\"]", "run = \"no-such-program x\""] {
        let p = Project::new(&format!("[target.t]\ninputs = []\n{line}\n"));
        p.taskr(["t"]).says("no-such-program").exits(1);
    }
}

#[test]
fn a_line_that_fails_ends_the_script() {
    let p = Project::new(
        "[target.t]\ninputs = []\nrun = [\"ran one\", \"false\", \"ran two\"]\n[target.u]\ninputs = []\nrun = \"echo $NO_SUCH_NAME; ran u\"\n",
    );
    p.taskr(["t"]).ran(["one"]).exits(1);
    p.taskr(["u"]).ran([""; 0]).says("NO_SUCH_NAME").exits(1);
}

/// The last words of a failed task are shown, and where the rest is.
#[test]
fn shows_the_end_of_the_output_and_the_log() {
    let p = Project::new(
        "[target.t]\ninputs = []\nrun = \"for n in $(seq 1 500); do echo line $n; done; exit 7\"\n",
    );
    p.taskr(["t"]).says("line 500").says("7").says(".taskr/tasks/t/log").exits(1);
    let log = p.read(".taskr/tasks/t/log");
    assert!(log.starts_with("line 1\n") && log.ends_with("line 500\n"));
}

/// A dependent that was asked for by name and skipped makes the exit code 1, and is told.
#[test]
fn a_skipped_dependent_is_told() {
    let p = mixed();
    p.taskr(["-k", "on_bad"]).ran(["bad"]).says("- on_bad  skipped: bad failed").exits(1);
}

/// After a failure what taskr knows of the command is told.
#[test]
fn a_failed_command_gets_advice() {
    let maker = "[target.a]\noutputs = [\"gen/x\"]\nrun = \"true\"\n";
    for (run, help) in [
        (
            "test $FOO = bar",
            "FOO is set here, but a task sees only the variables that it names: \
             `env_inputs = [\"FOO\"]`",
        ),
        ("cat gen/x", "gen/x is made by `a`: add it, `inputs = [\"gen/x\"]`"),
        ("./b.sh", "`chmod +x ./b.sh`, or write `sh ./b.sh`"),
        ("gccc", "there is no program `gccc` in PATH"),
    ] {
        let p = Project::new(&format!("{maker}[target.t]\ninputs = []\nrun = '{run}'\n"));
        p.write("b.sh", "true\n");
        p.taskr(["t"]).env("FOO", "bar").says(format!("help: {help}\n")).exits(1);
    }
    let p = Project::new("[target.t]\ninputs = []\nrun = 'FOO=1; test $FOO = 2'\n");
    p.taskr(["t"]).env("FOO", "bar").never_says("help:").exits(1);
}

/// What stands in the way of an output, and what the command forgot, is said.
#[test]
fn what_a_task_did_not_write() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = [\"build/o\"]\nrun = \"touch {{ out }}/x\"\n\
         [target.z]\ninputs = []\nshell = [\"no-such\", \"-c\"]\nrun = \"true\"\n",
    );
    p.write("build", "");
    let way = "build is a file, and its outputs need a folder there: move it away";
    p.taskr(["t"]).says(way).exits(1);
    p.remove("build");
    let left = "let the command write to `{{ outputs }}` (`{{ out }}` has x)";
    p.taskr(["t"]).says(left).any_files().exits(1);
    p.taskr(["z"]).says("its `shell`: there is no program `no-such` in PATH").any_files().exits(1);
}
