//! A walk through every system call that changes a disk: killed before the Nth, or the Nth fails.
//! Whatever happened, the next build is right, and the one after it does nothing.
//!
//! strace does the harm (it counts calls by thread), so that taskr needs no code for it; where there
//! is no strace the tests say so and end. Every seventh point by default, all with `TASKR_CRASH=1`.

use std::fs;
use std::process::Command;

use crate::project::{Live, Output, Project, tree};

const CALLS: &str = "write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,fsync,fdatasync,\
                     ftruncate,mkdir,mkdirat,fchmod,copy_file_range,symlinkat,rmdir";

/// Outputs staged, in place, under a glob, and left; two of each.
const TASKS: &str = r#"
[target.staged]
inputs  = ["in"]
outputs = ["gen/s1", "gen/s2"]
run     = "cat in > $OUT/gen/s1; cat in in > $OUT/gen/s2"
[target.place]
inputs  = ["@staged"]
outputs = ["gen/p1", "gen/p2"]
run     = "cat gen/s1 > gen/p1; cat gen/s2 > gen/p2"
[target.glob]
inputs  = ["@place"]
outputs = ["dist/**"]
run     = "for n in $(cat in); do mkdir -p $OUT/dist/$n; cat gen/p1 > $OUT/dist/$n/g; done"
[target.left]
inputs  = ["@glob"]
outputs = ["all"]
run     = "cat {{ inputs }} > $OUT/own; cat $OUT/own > $OUT/all"
"#;

/// What stands there when `in` has this text.
fn expected(text: &str) -> Vec<(String, String)> {
    let names = text.split_whitespace();
    let glob: Vec<_> = names.map(|name| (format!("dist/{name}/g"), text.to_owned())).collect();
    let all = text.repeat(glob.len());
    let plain = [("gen/s1", 1), ("gen/s2", 2), ("gen/p1", 1), ("gen/p2", 2)];
    let plain = plain.map(|(path, times)| (path.to_owned(), text.repeat(times)));
    glob.into_iter().chain(plain).chain([("all".to_owned(), all)]).collect()
}

fn has_strace() -> bool {
    let there = Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success());
    if !there {
        eprintln!("not tested: there is no strace here");
    }
    there
}

/// A build in which the Nth of these calls of each thread meets with `harm`, and whether any did.
fn harmed(p: &Project, harm: &str, point: usize) -> (Output, bool) {
    let trace = p.outside("trace");
    let mut command = Command::new("strace");
    p.clear_environment(&mut command);
    command.args(["-f", "-o"]).arg(&trace).args(["-e", &format!("trace={CALLS}")]);
    command.args(["-e", &format!("inject={CALLS}:{harm}:when={point}")]);
    command.arg(env!("CARGO_BIN_EXE_taskr")).args(["-j1", "-q", "left"]).current_dir(p.root());
    let output = Live::start(&mut command).wait();
    // The guard is traced too and may write a little longer; what counts here came before.
    let trace = fs::read(trace).expect("a trace");
    let trace = String::from_utf8_lossy(&trace);
    let met = trace.contains("INJECTED") || trace.contains("killed by SIGKILL");
    (output, met)
}

/// One build must make everything right, the next has nothing to do.
fn comes_through(p: &Project, text: &str, what: &str) {
    let build = p.spawn(["left"]).wait();
    assert!(build.status.success() && !build.stderr.contains("panicked"), "{what}: {build}");
    let mut files: Vec<_> = tree(&p.root()).into_keys().collect();
    files.retain(|path| path.starts_with("gen") || path.starts_with("dist"));
    assert_eq!(files.len(), expected(text).len() - 1, "{what}: {files:?}");
    for (path, content) in expected(text) {
        assert_eq!(p.read(&path), content, "{path} after {what}: {build}");
    }
    let again = p.spawn(["left"]).wait();
    assert!(again.status.success() && again.stderr.is_empty(), "{what}: {again}");
    assert!(again.stdout.contains("4 tasks up to date"), "{what}: {again}");
}

/// Walks until a build gets through unharmed; `texts` are the contents of `in` in turn.
fn walk(harm: &str) {
    if !has_strace() {
        return;
    }
    let stride = if std::env::var_os("TASKR_CRASH").is_some() { 1 } else { 7 };
    let p = Project::new(TASKS);
    p.write("in", "a b\n");
    comes_through(&p, "a b\n", "nothing");
    let mut failed = 0;
    for point in (1..).step_by(stride) {
        let text = ["b c d\n", "a b\n", "c\n"][point % 3];
        p.write("in", text);
        let (output, met) = harmed(&p, harm, point);
        if !met {
            eprintln!("{harm}: {failed} failed builds in {point} points");
            break;
        }
        let what = format!("{harm} at {point}: {output}");
        assert!(!output.stderr.contains("panicked"), "{what}");
        failed += usize::from(!output.status.success());
        comes_through(&p, text, &what);
    }
    assert!(failed > 2, "only {failed} builds felt it");
}

#[test]
fn killed_at_every_point() {
    walk("signal=SIGKILL");
}

#[test]
fn disk_full_at_every_point() {
    walk("error=ENOSPC");
}

#[test]
fn input_and_output_errors_at_every_point() {
    walk("error=EIO");
}
