//! `taskr cache` and `taskr stats`: what the store has, keeping it in order, carrying it elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::project::{Live, Output, Project, Workspace, until};

/// Results of some size.
const TASKS: &str = r#"
[target.big]
inputs = ["a.in"]
outputs = ["big.out"]
cache = true
run = "ran big; head -c 100000 /dev/zero | cat a.in - >{{ outputs }}"

[target.small]
inputs = ["a.in"]
outputs = ["small.out"]
cache = true
run = "ran small; sleep 0.1; cp a.in {{ outputs }}"

[target.never]
inputs = ["a.in"]
outputs = ["never.out"]
cache = false
run = "ran never; cp a.in {{ outputs }}"
"#;

const ALL: [&str; 3] = ["big", "never", "small"];

fn built() -> Project {
    let p = Project::new(TASKS).with_store();
    p.write("a.in", "1\n");
    p.taskr(ALL).ran(ALL).any_files().ok();
    p
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn info(p: &Project) -> Value {
    json(&p.taskr(["cache", "--json"]).ok())
}

/// The one blob with this content.
fn blob(p: &Project, content: &str) -> PathBuf {
    let folders = fs::read_dir(p.store().join("blobs")).expect("blobs").flatten();
    let mut files = folders.flat_map(|folder| fs::read_dir(folder.path()).expect("one").flatten());
    let found = files.find(|file| fs::read(file.path()).expect("a blob") == content.as_bytes());
    found.expect("it is stored").path()
}

#[test]
fn the_store_tells_what_it_has_and_what_it_was_good_for() {
    let p = Project::empty().with_store();
    let store = p.store().display().to_string();
    // Without a Taskfile, and without a store.
    p.taskr(["cache"]).says(format!("{store}\n  empty; it may grow to ")).ok();
    p.taskr(["cache", "path"]).stdout(&format!("{store}\n")).ok();
    assert!(!p.store().exists(), "looking makes nothing");
    p.write("Taskfile.toml", TASKS).write("a.in", "1\n");
    p.taskr(ALL).ran(ALL).any_files().ok();
    fs::remove_file(p.path("small.out")).expect("it was there");
    p.taskr(["small"]).any_files().says("1 restored").ok();
    let told = p.taskr(["cache", "info"]).says("2 results of 2 contents").ok();
    assert!(told.stdout.contains("  stored 2 times, restored 1 time: saved 0."), "{told}");
    let known = info(&p);
    assert_eq!((&known["version"], &known["dir"]), (&1.into(), &store.into()), "{known}");
    assert_eq!(
        (&known["entries"], &known["blobs"], &known["hits"]),
        (&2.into(), &2.into(), &1.into())
    );
    assert!(known["saved_ms"].as_u64() >= Some(100), "{known}");
    assert!(known["bytes"].as_u64() > Some(100_000), "{known}");
    assert_eq!(known["on"], true);
    let off = p.taskr(["cache", "--json"]).env("TASKR_CACHE", "off").ok();
    assert_eq!(json(&off)["on"], false);
    p.taskr(["cache"]).env("TASKR_CACHE", "off").says("turned off by TASKR_CACHE").ok();
    p.taskr(["cache"]).env("TASKR_CACHE_SIZE", "5G").says(" of 5.0 GB: ").ok();
    p.taskr(["cache", "path"]).env("TASKR_CACHE_DIR", "/elsewhere").stdout("/elsewhere\n").ok();
}

#[test]
fn trimming_keeps_what_saves_most_for_its_size() {
    let p = built();
    p.taskr(["cache", "trim"]).says("nothing to remove: the store has ").ok();
    let told = p.taskr(["cache", "trim", "--size", "50k", "--json"]).ok();
    assert_eq!((&json(&told)["entries"], &json(&told)["blobs"]), (&1.into(), &1.into()), "{told}");
    fs::remove_file(p.path("small.out")).expect("it was there");
    fs::remove_file(p.path("big.out")).expect("it was there");
    p.taskr(["big", "small"]).ran(["big"]).any_files().ok();
    p.taskr(["cache", "trim", "--size=0"]).says("removed 2 results of 2 contents (").ok();
    assert_eq!(info(&p)["entries"], 0);
}

#[test]
fn verifying_finds_and_removes_what_is_damaged() {
    let p = built();
    p.taskr(["cache", "verify"]).says("verified 2 results of 2 contents (100 kB)\n").ok();
    let blob = blob(&p, "1\n");
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o644)).expect("a mode");
    fs::write(&blob, "2\n").expect("a blob");
    let told = p.taskr(["cache", "verify"]).says("was damaged: removed").exits(1);
    assert!(told.stdout.contains("a result of `small` lacked a file: removed\n"), "{told}");
    assert!(
        told.stdout.ends_with("verified 1 result of 1 content (100 kB); 2 problems, removed\n"),
        "{told}"
    );
    assert!(!blob.exists());
    p.taskr(["cache", "verify"]).says("verified 1 result of 1 content").ok();
    fs::remove_file(p.path("small.out")).expect("it was there");
    p.taskr(["small"]).ran(["small"]).makes("small.out", "1\n").any_files().ok();
    let told = json(&p.taskr(["cache", "verify", "--json"]).ok());
    assert_eq!((&told["entries"], &told["problems"]), (&2.into(), &serde_json::json!([])));
}

#[test]
fn clearing_leaves_nothing_to_restore() {
    let p = built();
    p.taskr(["cache", "clear"]).says("removed 2 results of 2 contents (10").ok();
    p.taskr(["cache", "clear"]).says("nothing to remove: the store was empty").ok();
    fs::remove_file(p.path("small.out")).expect("it was there");
    p.taskr(["small"]).ran(["small"]).any_files().ok();
    assert_eq!(info(&p)["entries"], 1);
}

/// Another home, and another checkout.
fn another_machine<'p>(p: &'p Project, taskfile: &str) -> (PathBuf, Workspace<'p>) {
    let home = p.outside("home2");
    fs::create_dir(&home).expect("a folder");
    let other = p.sibling("other");
    other.write("Taskfile.toml", taskfile);
    (home, other)
}

#[test]
fn an_export_has_what_the_workspace_stands_on_and_nothing_else() {
    let p = built();
    p.write("a.in", "2\n");
    p.taskr(ALL).ran(ALL).any_files().ok();
    assert_eq!(info(&p)["entries"], 4);
    let told = p.taskr(["cache", "export", "../results.taskr"]).ok();
    assert!(told.stdout.starts_with("exported 2 results to ../results.taskr (10"), "{told}");
    assert_eq!(told.stdout.lines().count(), 1, "what is never kept is not missed: {told}");
    let (home, other) = another_machine(&p, TASKS);
    other.write("a.in", "2\n");
    let import = ["cache", "import", "../results.taskr"];
    other.taskr(import).env("HOME", &home).says("imported 2 results from ../results.taskr").ok();
    other.taskr(ALL).env("HOME", &home).ran(["never"]).says("2 restored").ok();
    assert_eq!(fs::read(p.outside("other/small.out")).expect("restored"), b"2\n");
    other.taskr(import).env("HOME", &home).says("2 results were there already").ok();
    let told = other.taskr([import[0], import[1], import[2], "--json"]).env("HOME", &home).ok();
    assert_eq!((&json(&told)["known"], &json(&told)["entries"]), (&2.into(), &0.into()));
    // What was of the first state was not carried.
    other.write("a.in", "1\n");
    other.taskr(["small"]).env("HOME", &home).ran(["small"]).ok();
}

/// A result that holds the path of its checkout, and may be used in another all the same.
#[test]
fn an_export_has_what_is_relocatable() {
    let task = "[target.t]\ninputs = []\noutputs = ['o']\ncache = true\nrelocatable = true\n\
                run = 'ran t; pwd > o'\n";
    let p = Project::new(task).with_store();
    p.taskr(["t"]).ran(["t"]).any_files().ok();
    let told = p.taskr(["cache", "export", "../results.taskr"]).ok();
    assert!(told.stdout.starts_with("exported 1 result to ../results.taskr ("), "{told}");
    assert_eq!(told.stdout.lines().count(), 1, "nothing is missed: {told}");
    let (home, other) = another_machine(&p, task);
    let import = ["cache", "import", "../results.taskr"];
    other.taskr(import).env("HOME", &home).says("imported 1 result from ../results.taskr").ok();
    other.taskr(["t"]).env("HOME", &home).ran::<&str>([]).says("1 restored").ok();
    let made = fs::read(p.path("o")).expect("made");
    assert_eq!(fs::read(p.outside("other/o")).expect("restored"), made);
}

#[test]
fn an_export_tells_how_many_results_are_gone() {
    let p = built();
    p.taskr(["cache", "clear"]).ok();
    let told = p.taskr(["cache", "export", "../results.taskr"]).ok();
    let gone = "2 tasks have nothing in the store: not stored, or gone since\n";
    assert!(told.stdout.ends_with(gone), "{told}");
}

#[test]
fn results_pass_through_a_pipe() {
    let p = built();
    let home = p.outside("home2");
    fs::create_dir(&home).expect("a folder");
    let script = "taskr cache export - | HOME=$0 taskr cache import -";
    let mut shell = Command::new("sh");
    p.clear_environment(shell.args(["-ec", script]).arg(&home).current_dir(p.root()));
    let output = Live::start(&mut shell).wait();
    assert!(output.status.success(), "{output}");
    assert!(output.stderr.starts_with("exported 2 results to stdout"), "{output}");
    assert!(output.stdout.starts_with("imported 2 results from stdin"), "{output}");
}

#[test]
fn an_export_replaces_only_an_export_and_only_when_it_is_whole() {
    let p = built();
    p.write("notes", "mine\n");
    p.taskr(["cache", "export", "notes"])
        .says("error: taskr cache export would replace notes, which is no export of a store\n")
        .exits(2);
    p.taskr(["cache", "export", "r"]).any_files().ok();
    let first = fs::read(p.path("r")).expect("an export");
    p.taskr(["cache", "export", "r"]).says("exported 2 results").ok();
    assert_eq!(fs::read(p.path("r")).expect("an export"), first);
    // Half an export never has the name: here the files are too large for the process.
    let script = "ulimit -f 8; exec taskr cache export r";
    let mut shell = Command::new("sh");
    p.clear_environment(shell.args(["-ec", script]).current_dir(p.root()));
    let output = shell.stdin(Stdio::null()).output().expect("a shell");
    assert!(!output.status.success(), "the fault did not happen: {output:?}");
    assert_eq!(fs::read(p.path("r")).expect("an export"), first);
    p.taskr(["cache", "export", "/dev/full"]).says("No space left on device").exits(1);
    p.taskr(["cache", "export", "no/such/folder"]).says("cannot write the export").exits(2);
}

/// Whether a process has an open file in `folder` that has no name.
fn writes_unnamed(pid: i32, folder: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut paths = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    paths.any(|path| path.starts_with(folder) && path.to_string_lossy().ends_with("(deleted)"))
}

#[test]
fn an_export_that_is_killed_leaves_nothing() {
    let p = Project::new(
        "[target.big]\ninputs = []\noutputs = [\"big\"]\ncache = true\n\
         run = \"head -c 200000000 /dev/zero > {{ outputs }}\"\n",
    )
    .with_store();
    p.taskr(["big"]).any_files().ok();
    let folder = p.outside("exports");
    fs::create_dir(&folder).expect("a folder");
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let live = p.spawn(["cache", "export", "../exports/r"]);
        let pid = live.pid();
        until("it writes", || writes_unnamed(pid.as_raw_nonzero().get(), &folder));
        live.signal(signal);
        live.dies_by(signal);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "{signal:?}");
    }
    p.taskr(["cache", "export", "../exports/r"]).says("exported 1 result").ok();
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);
}

#[test]
fn what_is_no_whole_export_is_refused() {
    let p = built();
    p.taskr(["cache", "export", "r"]).any_files().ok();
    let whole = fs::read(p.path("r")).expect("an export");
    fs::write(p.path("short"), &whole[..whole.len() / 2]).expect("a file");
    p.write("text", "some text that is longer\n");
    p.accept_files();
    p.taskr(["cache", "clear"]).ok();
    for (file, why) in [
        ("short", "cannot import short: it is damaged: "),
        ("text", "cannot import text: it is no export of a store"),
        ("a.in", "cannot import a.in: it is damaged: it is cut short"),
        ("gone", "cannot read gone: No such file or directory"),
    ] {
        p.taskr(["cache", "import", file]).says(why).exits(2);
    }
    assert_eq!(info(&p)["entries"], 0);
}

#[test]
fn words_that_do_not_fit() {
    let p = Project::empty().with_store();
    for (args, says) in [
        ("cache claer", "did you mean"),
        ("cache export", "`taskr cache export` needs a file"),
        ("cache import", "`taskr cache import` needs a file"),
        ("cache clear all", "`taskr cache clear` takes no `all`"),
        ("cache info --size 5G", "`--size` is for `taskr cache trim`, not `info`"),
        ("cache trim --size much", "`--size` takes a size, not `much`"),
        ("cache export x", "Taskfile.toml"),
    ] {
        p.taskr(args.split(' ')).says(says).exits(2);
    }
}

#[test]
fn settings_that_cannot_be_meant() {
    let p = built();
    for (name, value, says) in [
        ("TASKR_CACHE", "maybe", "TASKR_CACHE is \"maybe\"\nhelp: set it to `off` or `local`"),
        ("TASKR_CACHE_SIZE", "much", "TASKR_CACHE_SIZE is \"much\"\nhelp: write a size: 500M"),
    ] {
        p.taskr(["small"]).env(name, value).says(says).exits(2);
        p.taskr(["cache"]).env(name, value).says(says).exits(2);
    }
    fs::create_dir_all(p.outside("home/.config/taskr")).expect("a folder");
    let config = p.outside("home/.config/taskr/config.toml");
    fs::write(&config, "[cache]\nsize = \"5G\"\n").expect("a file");
    p.taskr(["cache"]).says(" of 5.0 GB: ").ok();
    p.taskr(["cache"]).env("TASKR_CACHE_SIZE", "6G").says(" of 6.0 GB: ").ok();
    fs::write(&config, "[cache]\nsiez = \"5G\"\n").expect("a file");
    p.taskr(["cache"]).says("config.toml: there is no setting `cache.siez`").exits(2);
    p.taskr(["small"]).says("did you mean `size`?").exits(2);
}

#[test]
fn stats_tell_what_was_saved_and_spent() {
    let p = Project::new(TASKS).with_store();
    p.write("a.in", "1\n");
    p.taskr(["stats"]).says("in the last 7 days: no run that ran or restored anything").ok();
    p.taskr(ALL).ran(ALL).any_files().ok();
    p.fresh("small");
    fs::remove_file(p.path("small.out")).expect("it was there");
    p.taskr(["small"]).any_files().ok();
    let told = p.taskr(["stats"]).says("in the last 7 days: 2 runs with something to do").ok();
    assert!(told.stdout.contains("  restored 1 task: saved 0."), "{told}");
    assert!(told.stdout.contains("\nslowest targets:\n  small: 0."), "{told}");
    assert!(
        told.stdout.contains("the store, since it was made: stored 2 times, restored 1 time: "),
        "{told}"
    );
    let told = json(&p.taskr(["stats", "--json"]).ok());
    let here = &told["workspace"];
    assert_eq!((&here["runs"], &here["ran"], &here["restored"]), (&2.into(), &3.into(), &1.into()));
    assert!(here["saved_ms"].as_u64() >= Some(100), "{told}");
    assert!(here["work_ms"].as_u64() >= Some(100), "{told}");
    assert_eq!(here["targets"][0]["target"], "small");
    assert_eq!(told["store"]["hits"], 1);
}
