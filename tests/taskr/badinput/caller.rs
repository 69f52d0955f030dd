//! What a caller may hand over: arguments that are no text, streams that are closed or full, an
//! environment without anything in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::{refused, sh};
use crate::project::{Project, bytes};

const TASKS: &str = r#"
[vars]
word = "x"
[target.a]
inputs  = ["in"]
outputs = ["out"]
run     = "ran a; echo {{ word }}; cat in > {{ outputs }}"
"#;

fn tasks() -> Project {
    let p = Project::new(TASKS);
    p.write("in", "1\n");
    p
}

/// Names of targets and values of variables are text, and the odd one is shown; paths may be any
/// bytes.
#[test]
fn arguments_that_are_no_text() {
    let p = tasks();
    for (args, word) in [
        ("\"$b\"", "x\\xff"),
        ("why \"$b\"", "x\\xff"),
        ("log \"$b\"", "x\\xff"),
        ("-D \"$b=1\" a", "x\\xff=1"),
        ("-D \"word=$b\" a", "word=x\\xff"),
        ("\"--define=word=$b\" a", "--define=word=x\\xff"),
    ] {
        let output = sh(&p, "", &format!("b=$(printf 'x\\377'); taskr {args}"));
        let help = "`taskr list` shows the names that there are";
        refused(&p, &output, 2, &format!("error: `{word}` is not UTF-8\nhelp: {help}"));
    }
    let folder = bytes(b"fold\xff");
    p.write(folder.join("Taskfile.toml"), TASKS).write(folder.join("in"), "2\n");
    let odd = OsStr::from_bytes(b"fold\xff/odd\xff.toml");
    fs::write(p.path(odd), TASKS).expect("a file");
    for script in [
        "taskr -C \"$(printf 'fold\\377')\" a",
        "taskr -B -f \"$(printf 'fold\\377/odd\\377.toml')\" a",
        "cd \"$(printf 'fold\\377')\"; taskr -B a --events \"$(printf '/dev/null')\"",
    ] {
        let output = sh(&p, "", script);
        assert!(output.status.success(), "{script}: {output}");
        assert_eq!(p.take_ran(), ["a"], "{script}");
        assert_eq!(p.read(folder.join("out")), "2\n");
    }
    let missing = sh(&p, "", "taskr -f \"$(printf 'no\\377')\" a");
    refused(&p, &missing, 2, "error: there is no file WS/no\\xff");
}

/// A descriptor that is closed is not given to a file of taskr's own, which messages would then
/// overwrite.
#[test]
fn streams_that_are_closed() {
    let p = tasks();
    for closed in ["<&- >&- 2>&-", "<&-", ">&-", "2>&-", "0<&- 1>&-", "1>&- 2>&-"] {
        let output = sh(&p, "", &format!("taskr -B a {closed}"));
        assert!(output.status.success(), "{closed}: {output}");
        assert_eq!(p.take_ran(), ["a"], "{closed}");
        assert_eq!(p.read(".taskr/tasks/a/log"), "x\n", "{closed}");
        let again = sh(&p, "", "taskr a");
        assert!(again.status.success() && again.stderr.is_empty(), "{closed}: {again}");
        assert!(again.stdout.contains("up to date"), "{closed}: {again}");
        let state = fs::read(p.path(".taskr/state.db")).expect("a database");
        assert!(state.starts_with(b"SQLite format 3\0"), "{closed}");
    }
    let failed = sh(&p, "", "taskr nonsense 2>&-");
    assert_eq!(failed.status.code(), Some(2), "a mistake that nobody hears is one");
}

/// What is built does not depend on who reads about it; but who asked for events and does not get
/// them all is told so by the exit code, too.
#[test]
fn streams_that_take_nothing() {
    let p = tasks();
    let said = "warning: cannot write to stdout: No space left on device\n\
                help: make room on its disk: `df -h` shows which is full\n";
    let of_file = &said.replace("stdout", "/dev/full");
    for (script, code, stderr) in [
        ("taskr -B a >/dev/full", 0, said),
        ("taskr -B a 2>/dev/full", 0, ""),
        ("taskr -B a >/dev/full 2>&1", 0, ""),
        ("taskr -B --events - a >/dev/full 2>err; code=$?; tail -n 2 err >&2; exit $code", 1, said),
        ("taskr -B --events /dev/full a", 1, of_file),
        ("taskr -B a | true", 0, ""),
    ] {
        let output = sh(&p, "", script);
        assert_eq!(output.status.code(), Some(code), "{script}: {output}");
        assert_eq!(output.stderr, stderr, "{script}");
        assert_eq!(p.take_ran(), ["a"], "{script}");
    }
    let output = sh(&p, "", "taskr nonsense 2>/dev/full");
    assert_eq!(output.status.code(), Some(2), "{output}");
}

/// An answer that is cut short does not pass for a whole one; that nobody reads is no mistake.
#[test]
fn answers_that_cannot_be_written() {
    let p = tasks();
    assert!(sh(&p, "", "taskr a").status.success());
    assert_eq!(p.take_ran(), ["a"]);
    let error = "error: cannot write to stdout: No space left on device\n\
                 help: make room on its disk: `df -h` shows which is full\n";
    for tool in [
        "list",
        "list --json",
        "why a",
        "log a",
        "show a",
        "show --json a",
        "check",
        "check --json",
        "status",
        "clean -n",
        "man",
        "completions bash",
        "--help",
        "--version",
    ] {
        let output = sh(&p, "", &format!("taskr {tool} >/dev/full"));
        assert_eq!(output.status.code(), Some(1), "{tool}: {output}");
        assert!(output.stderr.ends_with(error), "{tool}: {output}");
        for stream in [">&-", "| true"] {
            let output = sh(&p, "", &format!("taskr {tool} {stream}"));
            assert!(!output.stderr.contains("error:"), "{tool} {stream}: {output}");
            assert!(output.status.success(), "{tool} {stream}: {output}");
        }
    }
}

#[test]
fn an_environment_of_nothing_or_nonsense() {
    let p = tasks();
    let usual = p.outside("bin").display().to_string();
    let run = |set: &str| sh(&p, "", &format!("env -i {set} $(command -v taskr) -B a"));
    for set in [
        format!("PATH={usual}:/usr/bin:/bin"),
        format!("PATH={usual}:/usr/bin:/bin HOME= TMPDIR="),
        format!("PATH={usual}:/usr/bin:/bin HOME=relative TMPDIR=/nonexistent USER=nobody"),
        format!("PATH=:/nonexistent::{usual}:/usr/bin:/bin TERM=nonsense COLUMNS=x"),
    ] {
        let output = run(&set);
        assert_eq!(
            (output.status.code(), output.stderr.as_str()),
            (Some(0), ""),
            "{set}: {output}"
        );
        assert_eq!(p.take_ran(), ["a"], "{set}");
    }
    for (set, what) in [
        ("PATH=/nonexistent", "there is no program `sh` in PATH\n"),
        ("PATH=", "there is no program `sh` in PATH, which is empty\n"),
    ] {
        let output = run(set);
        assert_eq!(output.status.code(), Some(1), "{output}");
        assert!(output.stdout.contains(what), "{output}");
    }
    // Without a PATH the usual folders count, as for a shell.
    let output = sh(&p, "", "t=$(command -v taskr); env -u PATH \"$t\" -B a");
    assert!(output.stdout.contains("ran: not found"), "{output}");
}
