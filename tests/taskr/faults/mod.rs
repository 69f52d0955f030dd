//! "Never wrong" under attack. Each test does harm, proves that the harm was done, and then asks for
//! two things: the next build makes every output what can be computed without a build, and the one
//! after it has nothing to do.
//!
//! The test command plays a part of the cases; each file names the variable that plays them all. Who
//! is not root, or lacks a program, is told `SKIPPED` with the reason.

mod broken_off;
mod busy;
mod full;
mod gone;
mod inject;
mod many;
mod racy;
mod strace;
mod wal;
mod walk;

use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) use strace::{times_looked_at, times_opened};

use crate::project::{Entry, Live, Output, Project, Tree, tree};

/// Outputs staged, in place, under a glob, and left; two of each. Only taskr's own calls are
/// harmed, so these commands do what they say or fail.
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

/// The outputs when `in` has this text.
fn expected(text: &str) -> Vec<(String, String)> {
    let names = text.split_whitespace();
    let glob: Vec<_> = names.map(|name| (format!("dist/{name}/g"), text.to_owned())).collect();
    let all = text.repeat(glob.len());
    let plain = [("gen/s1", 1), ("gen/s2", 2), ("gen/p1", 1), ("gen/p2", 2)];
    let plain = plain.map(|(path, times)| (path.to_owned(), text.repeat(times)));
    glob.into_iter().chain(plain).chain([("all".to_owned(), all)]).collect()
}

/// What went wrong, in words.
type Check = Result<(), String>;

/// Every output is what `in` asks for, and none is left of what was there before.
fn are_right(p: &Project, text: &str) -> Check {
    let made = ["gen", "dist", "all"];
    let found = tree(&p.root());
    let expected: Tree = expected(text)
        .into_iter()
        .map(|(path, text)| (path.into(), Entry::File { text, exec: false }))
        .collect();
    let outputs =
        found.into_iter().filter(|(path, _)| made.iter().any(|name| path.starts_with(name)));
    let outputs: Tree = outputs.collect();
    if outputs == expected { Ok(()) } else { Err(format!("{outputs:?}, not {expected:?}")) }
}

/// Of a file under an output glob whose record was lost nobody knows who made it: taskr leaves it and
/// names it, and who built removes it.
fn remove_named(p: &Project, build: &Output) {
    let old = "dist/a/g";
    if build.stderr.contains(&format!("{old} was there before and was not written")) {
        fs::remove_file(p.path(old)).expect("it is there");
    }
}

/// One build must make everything right, the next has nothing to do. What the store has by then may
/// be used by anybody.
fn comes_through(p: &Project, text: &str) -> Check {
    build(p, text)?;
    let again = p.spawn(["left"]).wait();
    let quiet = again.stderr.is_empty() && again.stdout.contains("4 tasks up to date");
    if !again.status.success() || !quiet {
        return Err(format!("the third build: {again}"));
    }
    if !p.store().exists() {
        return Ok(());
    }
    check_blobs(&p.store())?;
    for made in [".taskr", "gen", "dist"] {
        fs::remove_dir_all(p.path(made)).expect("it is there");
    }
    build(p, text).map_err(|wrong| format!("from the store: {wrong}"))
}

/// A build, and whether everything is right then.
fn build(p: &Project, text: &str) -> Check {
    let build = p.spawn(["left"]).wait();
    if !build.status.success() || build.stderr.contains("panicked") {
        return Err(format!("the next build: {build}"));
    }
    remove_named(p, &build);
    are_right(p, text).map_err(|wrong| format!("{wrong}\nafter the next build: {build}"))
}

/// Every content in the store is what its name says; there is none that was half written.
fn check_blobs(store: &Path) -> Check {
    for path in tree(&store.join("blobs")).into_keys() {
        let bytes = fs::read(store.join("blobs").join(&path)).expect("a blob");
        let name = path.display().to_string().replace('/', "");
        if blake3::hash(&bytes).to_hex().as_str() != name {
            return Err(format!("the blob {name} has {} other bytes", bytes.len()));
        }
    }
    Ok(())
}

/// Shows what went wrong, the first cases whole.
#[track_caller]
fn none_of(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} cases\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n\n")
    );
}

/// What a build under attack starts from, so that each attack meets the same build.
struct Start {
    name: &'static str,
    /// What was built before, one after the other; the last stands there.
    built: &'static [&'static str],
    /// What is to be built.
    text: &'static str,
    store: Store,
}

enum Store {
    Off,
    On,
    /// On, and too small for what is in it.
    Small(&'static str),
}

const COLD: Start = Start { name: "cold", built: &[], text: "a b\n", store: Store::Off };
/// One output of the glob goes, two come; all others change.
const EDIT: Start = Start { name: "edit", built: &["a b\n"], text: "b c d\n", store: Store::Off };
const SAVE: Start = Start { name: "save", built: &["a b\n"], text: "b c d\n", store: Store::On };
const RESTORE: Start =
    Start { name: "restore", built: &["b c d\n", "a b\n"], text: "b c d\n", store: Store::On };
/// The end of this build keeps the store within a limit that it exceeds.
const TRIM: Start = Start {
    name: "trim",
    built: &["a b\n", "b c d\n", "c d\n"],
    text: "d e\n",
    store: Store::Small("2K"),
};

impl Start {
    /// A workspace that stands there, and what is to be taken for it by [`Start::again`].
    fn project(&self) -> Project {
        let mut p = Project::new(TASKS);
        if !matches!(self.store, Store::Off) {
            p = p.with_store();
        }
        for text in self.built {
            p.write("in", text);
            build(&p, text).expect("a build without harm");
        }
        if let Store::Small(size) = self.store {
            let folder = p.outside("home/.config/taskr");
            fs::create_dir_all(&folder).expect("a folder");
            let text = format!("[cache]\nsize = \"{size}\"\n");
            fs::write(folder.join("config.toml"), text).expect("a file");
        }
        copy(&p.root(), &p.outside("start"));
        copy(&p.outside("home"), &p.outside("start-home"));
        p
    }

    /// Everything as it was at the start, and then the edit.
    fn again(&self, p: &Project) {
        for (folder, start) in [("ws", "start"), ("home", "start-home")] {
            fs::remove_dir_all(p.outside(folder)).expect("it is there");
            copy(&p.outside(start), &p.outside(folder));
        }
        fs::write(p.path("in"), self.text).expect("a file");
    }
}

fn copy(from: &Path, to: &Path) {
    let mut cp = Command::new("cp");
    let status = cp.arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success(), "{} is copied", from.display());
}

/// Whether this machine lacks a program; says what is not tested for it.
pub(crate) fn lacks(program: &str, version: &str) -> bool {
    let there = Command::new(program).arg(version).output().is_ok_and(|out| out.status.success());
    if !there {
        eprintln!("SKIPPED: there is no {program}");
    }
    !there
}

/// The number in a variable, if it is set.
fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs a script in the workspace that mounts what it likes, seen by nobody else. `None`, and a
/// word about it, where that is not allowed: the script exits with 98 if a mount fails.
fn with_mounts(p: &Project, script: &str) -> Option<Output> {
    let mut command = Command::new("unshare");
    let user = if rustix::process::getuid().is_root() { "-m" } else { "-rm" };
    p.clear_environment(command.args([user, "bash", "-c", script]).current_dir(p.root()));
    let output = Live::start(&mut command).wait();
    if output.status.code() == Some(98) || output.stderr.contains("unshare failed") {
        eprintln!("SKIPPED: no file system can be mounted here: {output}");
        return None;
    }
    Some(output)
}
