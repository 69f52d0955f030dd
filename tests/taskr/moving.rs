//! Inputs that change while the task reads them: nothing is recorded that no clean build would
//! give. Each test holds the task at a gate, so that the edit surely falls into the run.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::project::Project;

/// Copies `in`, but not before `~/go` exists. What it read at the start is kept as well.
const GATED: &str = r#"
[target.t]
inputs  = ["in", "src/*"]
outputs = ["early", "late"]
run     = "cat in > $OUT/early; ran t; until [ -e $HOME/go ]; do sleep 0.01; done; cat in src/* > $OUT/late"
"#;

fn gated(change: impl FnOnce(&Project)) -> Project {
    let p = Project::new(GATED);
    p.write("in", "1").write("src/x", "x");
    let live = p.spawn(["t"]);
    p.await_ran("t");
    change(&p);
    p.go();
    let output = live.wait();
    assert_eq!(output.status.code(), Some(0), "{output}");
    assert_eq!(p.take_ran(), ["t", "t"], "once more, because an input moved: {output}");
    p.accept_files();
    p
}

#[test]
fn an_edit_during_the_run() {
    let p = gated(|p| {
        p.write("in", "2");
    });
    assert_eq!(p.read("early"), "2");
    assert_eq!(p.read("late"), "2x");
    p.fresh("t");
    // Nothing was kept for the content that was there at first.
    p.write("in", "1");
    p.taskr(["t"]).ran(["t"]).makes("early", "1").makes("late", "1x").ok();
}

/// F07: the content came back, but who knows what the task saw.
#[test]
fn there_and_back_again() {
    let p = gated(|p| {
        p.write("in", "2").write("in", "1");
    });
    assert_eq!(p.read("late"), "1x");
    p.fresh("t");
}

#[test]
fn a_match_that_comes_during_the_run() {
    let p = gated(|p| {
        p.write("src/y", "y");
    });
    assert_eq!(p.read("late"), "1xy");
    p.fresh("t");
}

#[test]
fn a_match_that_goes_during_the_run() {
    let p = Project::new(GATED);
    p.write("in", "1").write("src/x", "x").write("src/y", "y");
    let live = p.spawn(["t"]);
    p.await_ran("t");
    p.remove("src/y");
    p.go();
    let output = live.wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["t", "t"], "{output}");
    assert_eq!(p.read("late"), "1x");
}

#[test]
fn a_discovered_header_that_moves_during_the_run() {
    let p = Project::new(
        r#"
        [target.t]
        inputs  = ["in"]
        outputs = ["o"]
        run     = "cat h > $OUT/o; ran t; until [ -e $HOME/go ]; do sleep 0.01; done; echo o: h > {{ depfile }}"
        "#,
    );
    p.write("in", "1").write("h", "old");
    // A header that was there long before the run.
    std::thread::sleep(Duration::from_millis(50));
    let live = p.spawn(["t"]);
    p.await_ran("t");
    p.write("h", "new");
    p.go();
    let output = live.wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["t", "t"], "{output}");
    assert_eq!(p.read("o"), "new");
    p.accept_files();
    p.fresh("t");
}

/// Dependents wait until it is settled what they read.
#[test]
fn dependents_never_see_the_unsettled_output() {
    let p = Project::new(&format!(
        "{GATED}\n[target.u]\ninputs = [\"@t\"]\noutputs = [\"u\"]\nrun = \"ran u; cat late > {{{{ outputs }}}}\"\n"
    ));
    p.write("in", "1").write("src/x", "x");
    let live = p.spawn(["-j4", "u"]);
    p.await_ran("t");
    p.write("in", "2");
    p.go();
    let output = live.wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["t", "t", "u"], "{output}");
    assert_eq!(p.read("u"), "2x");
}

/// A task that writes its own input never settles: it is published, named, and the exit code is 3.
#[test]
fn an_input_that_keeps_moving() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"ran t; cat in > {{ outputs }}; echo more >> in\"\n",
    );
    p.write("in", "1\n");
    p.taskr(["t"])
        .ran(["t", "t"])
        .makes("in", "1\nmore\nmore\n")
        .makes("o", "1\nmore\n")
        .says("in")
        .exits(3);
    p.taskr(["t"]).ran(["t", "t"]).any_files().says("in").exits(3);
}

/// What an unstable task published is its own: nothing is kept or said of it. An edit after that
/// is the user's.
#[test]
fn outputs_of_an_unstable_task_are_its_own() {
    let p = Project::new(
        "[target.t]\ninputs = [\"*.log\"]\noutputs = [\"o\"]\nrun = \"cat *.log > {{ outputs }}; date +%N >> x.log\"\n",
    );
    p.write("x.log", "");
    for _ in 0..2 {
        p.taskr(["t"]).any_files().never_says("not as taskr left it").exits(3);
        assert!(p.path("o").exists() && !p.path(".taskr/replaced").exists());
    }
    p.write("o", "mine");
    let output = p.taskr(["t"]).any_files().says("o was not as taskr left it").exits(3);
    let kept = fs::read_dir(p.path(".taskr/replaced")).expect("a folder").flatten().next();
    let kept = kept.expect("a run").path().join("o");
    assert_eq!(fs::read_to_string(kept).expect("kept"), "mine", "{output}");
    // Settled, it is built as ever; its outputs go with it.
    p.write("Taskfile.toml", "[target.u]\nrun = \"true\"\n");
    p.taskr(["u"]).removes("o").ok();
}

/// The second run is told, with the file and with what to write.
#[test]
fn a_second_run_says_why() {
    let run =
        "ran t; mkdir -p src/__pycache__; [ -e src/__pycache__/x ] || echo > src/__pycache__/x";
    let p = Project::new(&format!("[target.t]\ninputs = [\"src/**\"]\nrun = \"{run}\"\n"));
    p.write("src/m.py", "");
    p.taskr(["t"])
        .ran(["t", "t"])
        .makes("src/__pycache__/x", "\n")
        .warns(
            "t: runs again: src/__pycache__/x appeared while it ran; if the command itself writes \
             there, add \"!**/__pycache__/**\" to its `inputs`",
        )
        .ok();
    p.fresh("t");
}

/// What to write is right, literally, from the target's own folder too.
#[test]
fn the_advice_for_litter_works() {
    let task = |inputs: &str| {
        format!(
            "[target.t]\ndir = \"d\"\ninputs = [{inputs}]\nrun = \"ran t; date +%N > 's/[x]'\"\n"
        )
    };
    let p = Project::new(&task("\"s/*\""));
    p.write("d/s/a", "");
    let output = p.taskr(["t"]).any_ran().any_files().exits(3);
    let told = output.to_string();
    let start = told.find("add \"").unwrap_or_else(|| panic!("{told}")) + 4;
    let line = told[start..].split(" to its").next().expect("an end");
    p.write("Taskfile.toml", &task(&format!("\"s/*\", {line}")));
    p.taskr(["t"]).ran(["t"]).any_files().ok();
    p.fresh("t");
}

/// A source that changes after a task was recorded with it, in the same build.
#[test]
fn an_edit_behind_a_recorded_task_is_told_at_the_end() {
    let p = Project::new(concat!(
        "[target.a]\ninputs = [\"in\"]\noutputs = [\"a\"]\nrun = \"ran a; cat in > {{ outputs }}\"\n",
        "[target.b]\ninputs = [\"@a\"]\noutputs = [\"b\"]\n",
        "run = \"ran b; until [ -e $HOME/go ]; do sleep 0.01; done; cat a > {{ outputs }}\"\n",
    ));
    p.write("in", "1");
    let live = p.spawn(["b"]);
    p.await_ran("b");
    p.write("in", "2");
    p.go();
    let output = live.wait();
    assert_eq!(output.status.code(), Some(3), "{output}");
    let told = "in changed while the build ran: 1 task used its old content; run taskr again";
    assert!(output.stderr.contains(told), "{output}");
    p.accept_files();
    p.take_ran();
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2").makes("b", "2").ok();
    p.fresh("b");
}

/// A tool that drops its cache among the inputs is told what to write.
#[test]
fn litter_among_the_inputs_is_named() {
    let p = Project::new(
        "[target.t]\ninputs = [\"src/**\"]\nrun = \"ran t; mkdir -p src/__pycache__; date +%N > src/__pycache__/x$$\"\n",
    );
    p.write("src/m.py", "");
    p.taskr(["t"]).any_ran().any_files().says("__pycache__").exits(3);
}

/// An edit after the task began to read and before it was recorded is never taken as built, however
/// often and whenever it happens.
#[test]
fn a_stream_of_edits() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"cat in > {{ outputs }}\"\n",
    );
    p.write("in", "0");
    for round in 1..40 {
        let live = p.spawn(["t"]);
        std::thread::sleep(Duration::from_micros(700 * round));
        fs::write(p.path("in"), format!("{round}")).expect("a file");
        let output = live.wait();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{output}");
        let again = p.spawn(["t"]).wait();
        assert!(again.status.success(), "{again}");
        assert_eq!(p.read("o"), format!("{round}"), "{output}{again}");
    }
}

/// F09: a file that is written while taskr reads it gives no digest that no content of it had, neither
/// in a record nor in the store.
#[test]
fn an_input_that_is_written_while_it_is_read() {
    const MEGABYTES: usize = 16;
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"cksum < in > {{ outputs }}\"\n",
    )
    .with_store();
    let path = p.path("in");
    let write = |byte: u8| {
        let mut file = fs::OpenOptions::new().write(true).open(&path).expect("a file");
        (0..MEGABYTES).for_each(|_| file.write_all(&vec![byte; 1 << 20]).expect("room"));
    };
    fs::write(p.path("in"), vec![b'a'; MEGABYTES << 20]).expect("a file");
    let done = AtomicBool::new(false);
    let mut disturbed = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for byte in (b'a'..=b'c').cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                write(byte);
            }
        });
        for _ in 0..8 {
            let output = p.spawn(["t"]).wait();
            let code = output.status.code();
            assert!(matches!(code, Some(0..=3)) && !output.stderr.contains("panicked"), "{output}");
            disturbed += usize::from(code != Some(0) || output.stderr.contains("runs again"));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(disturbed > 0, "no build was disturbed");
    for byte in b'a'..=b'c' {
        write(byte);
        fs::remove_dir_all(p.path(".taskr")).expect("it is there");
        let output = p.spawn(["t"]).wait();
        let sum = std::process::Command::new("cksum")
            .stdin(fs::File::open(p.path("in")).expect("a file"))
            .output();
        let sum = String::from_utf8(sum.expect("cksum").stdout).expect("text");
        assert_eq!(p.read("o"), sum, "{output}");
    }
}

/// The Taskfile is read once: an edit during the build belongs to the next one.
#[test]
fn the_taskfile_changes_during_the_build() {
    let p = Project::new(GATED);
    p.write("in", "1").write("src/x", "x");
    let live = p.spawn(["t"]);
    p.await_ran("t");
    p.write("Taskfile.toml", &GATED.replace("cat in src/*", "echo new; cat in src/*"));
    p.go();
    let output = live.wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.read("late"), "1x");
    p.accept_files();
    p.take_ran();
    p.taskr(["t"]).ran(["t"]).makes("late", "1x").says("new").ok();
    p.fresh("t");
}
