//! Tools that read change no byte: no name, no content, no time, `.taskr` included.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::project::{Live, Output, Project, fingerprint};

const TASKS: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["o"]
run     = "ran a; echo words; cat in > {{ outputs }}"
[target.b]
inputs = ["@a"]
matrix = { n = ["1", "2", "3", "4", "5", "6", "7", "8"] }
outputs = ["gen/{{ matrix.n }}"]
run    = "ran b; cat o > {{ outputs }}"
"#;

const TOOLS: [&[&str]; 15] = [
    &["-n", "b"],
    &["-n", "-v", "b"],
    &["-n", "-B", "b"],
    &["why", "a"],
    &["why", "b"],
    &["list"],
    &["log", "a"],
    &["clean", "-n"],
    &["show", "b"],
    &["show", "b@n=1", "--json"],
    &["check"],
    &["flaky"],
    &["stats"],
    &["cache"],
    &["--help"],
];

fn change_nothing(p: &Project) {
    let before = fingerprint(&p.root());
    for args in TOOLS {
        let output = p.spawn(args).wait();
        assert_eq!(output.status.code(), Some(0), "{args:?} {output}");
        let after = fingerprint(&p.root());
        for (path, entry) in &before {
            assert_eq!(after.get(path), Some(entry), "{} by {args:?}", path.display());
        }
        for path in after.keys() {
            assert!(before.contains_key(path), "{} made by {args:?}", path.display());
        }
    }
    assert_eq!(p.take_ran(), [""; 0]);
}

fn built() -> Project {
    let p = Project::new(TASKS);
    p.write("in", "1");
    assert!(p.spawn(["b"]).wait().status.success());
    p.take_ran();
    p
}

#[test]
fn after_a_build() {
    let p = built();
    change_nothing(&p);
    p.write("in", "2");
    change_nothing(&p);
    p.write("o", "edited");
    change_nothing(&p);
}

#[test]
fn before_any_build() {
    let p = Project::new(TASKS);
    p.write("in", "1");
    let before = fingerprint(&p.root());
    for args in TOOLS.into_iter().filter(|args| args[0] != "log") {
        let output = p.spawn(args).wait();
        assert_eq!(output.status.code(), Some(0), "{args:?} {output}");
    }
    assert_eq!(fingerprint(&p.root()), before);
}

#[test]
fn after_a_failure() {
    let p = built();
    p.write("Taskfile.toml", &TASKS.replace("echo words", "exit 1"));
    assert_eq!(p.spawn(["b"]).wait().status.code(), Some(1));
    p.take_ran();
    change_nothing(&p);
}

/// A killed build leaves a write-ahead log; a reader must neither use it up nor overlook it.
#[test]
fn with_a_left_over_wal() {
    let wal = |p: &Project| {
        fs::metadata(p.path(".taskr/state.db-wal")).is_ok_and(|metadata| metadata.len() > 0)
    };
    for attempt in 0..40 {
        let p = built();
        p.write("in", "2");
        p.write("Taskfile.toml", &TASKS.replace("ran b;", "ran b; sleep 0.15;"));
        let mut live = p.spawn(["-j1", "b"]);
        std::thread::sleep(Duration::from_millis(200 + attempt * 20));
        live.kill();
        let _ = live.wait();
        p.await_no_process();
        p.take_ran();
        if wal(&p) {
            change_nothing(&p);
            assert!(wal(&p), "still there");
            p.write("Taskfile.toml", TASKS);
            assert!(p.spawn(["b"]).wait().status.success());
            assert_eq!(p.read("gen/8"), "2");
            return;
        }
    }
    panic!("no kill left a write-ahead log");
}

/// Runs taskr as somebody who may not write here. Root may write anywhere, so it steps down.
fn as_nobody(p: &Project, args: &[&str]) -> Output {
    let taskr = env!("CARGO_BIN_EXE_taskr");
    let script = format!("test -w . && echo writable >&2; exec {taskr} \"$@\"");
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command.args(["-c", &script, "sh"]).args(args).current_dir(p.root());
    p.clear_environment(&mut command);
    Live::start(&mut command).wait()
}

fn set_modes(root: &Path, folder: u32, file: u32) {
    for path in fingerprint(root).into_keys() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        let mode = if metadata.is_dir() { folder } else { file };
        if !metadata.is_symlink() {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }
}

#[test]
fn a_read_only_workspace() {
    let p = built();
    set_modes(&p.root(), 0o555, 0o444);
    let before = fingerprint(&p.root());
    for args in TOOLS {
        let output = as_nobody(&p, args);
        assert!(!output.stderr.contains("writable"), "the fault did not happen");
        assert_eq!(output.status.code(), Some(0), "{args:?} {output}");
    }
    assert_eq!(fingerprint(&p.root()), before);
    let output = as_nobody(&p, &["-B", "b"]);
    assert!(!output.status.success(), "{output}");
    assert!(!output.stderr.contains("panicked") && !output.stderr.is_empty(), "{output}");
    assert_eq!(fingerprint(&p.root()), before);
    set_modes(&p.root(), 0o755, 0o644);
}
