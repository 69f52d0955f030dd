//! A file of the user that stood at an output when a task was killed: the next build puts it back
//! where it was, and what the task made there is kept apart. Both are named, none is lost.

use std::fs;
use std::path::Path;

use super::lacks;
use super::strace::{Point, harmed};
use crate::project::{Output, Project, tree};

/// Writes in place, and then waits to be killed.
const TASKS: &str = r#"
[target.o]
inputs  = ["in"]
outputs = ["o.txt"]
run     = "cat in > o.txt; ran o; until [ -e ~/go ]; do sleep 0.01; done"
[target.other]
run     = "true"
"#;

fn written(text: &str) -> Project {
    let p = Project::new(TASKS);
    p.write("in", text);
    p
}

/// Kills a build of `o` when its command has written.
fn kill_in_the_command(p: &Project) {
    let mut live = p.spawn(["o"]);
    p.await_ran("o");
    assert!(live.kill(), "it was alive");
    let _ = live.wait();
    p.await_no_process();
    assert_eq!(p.take_ran(), ["o"]);
    assert_eq!(p.read("o.txt"), p.read("in"), "its command had written");
    assert_eq!(kept(p), ["mine\n"], "the user's file had given way");
}

/// The texts of all files that were kept.
fn kept(p: &Project) -> Vec<String> {
    let folder = p.path(".taskr/replaced");
    let paths = tree(&folder).into_keys();
    let mut texts: Vec<String> = paths.map(|path| p.read(folder.join(path))).collect();
    texts.sort();
    texts
}

/// The text of the file that is said to be kept, in a line with `about`.
#[track_caller]
fn named(p: &Project, output: &Output, about: &str) -> String {
    let line = output.stderr.lines().find(|line| line.contains(about));
    let line = line.unwrap_or_else(|| panic!("no {about:?} in {output}"));
    let (_, path) = line.split_once("kept in ").unwrap_or_else(|| panic!("no path in {line:?}"));
    p.read(Path::new(path))
}

#[test]
fn a_users_file_stands_again_and_both_are_named() {
    let p = written("half\n");
    p.write("o.txt", "mine\n");
    kill_in_the_command(&p);
    let output = p.taskr(["other"]).any_warning().any_files().ok();
    assert_eq!(named(&p, &output, "o.txt is from a run of `o`"), "half\n");
    assert_eq!(p.read("o.txt"), "mine\n");
    p.go();
    let output = p.taskr(["o"]).ran(["o"]).makes("o.txt", "half\n").any_warning().ok();
    assert_eq!(named(&p, &output, "o.txt was not as taskr left it"), "mine\n");
    assert_eq!(kept(&p), ["half\n", "mine\n"]);
    p.fresh("o");
}

/// What the killed run made and the user's file come to be kept in one run, by one path.
#[test]
fn neither_takes_the_place_of_the_other() {
    let p = written("half\n");
    p.write("o.txt", "mine\n");
    kill_in_the_command(&p);
    p.go();
    p.write("in", "whole\n");
    let output = p.taskr(["o"]).ran(["o"]).makes("o.txt", "whole\n").any_warning().ok();
    assert_eq!(named(&p, &output, "o.txt is from a run of `o`"), "half\n");
    assert_eq!(named(&p, &output, "o.txt was not as taskr left it"), "mine\n");
    assert_eq!(kept(&p), ["half\n", "mine\n"]);
    p.fresh("o");
}

#[test]
fn an_output_that_is_as_recorded_stays_and_the_users_file_is_named() {
    let p = written("whole\n");
    p.go();
    p.taskr(["o"]).ran(["o"]).makes("o.txt", "whole\n").ok();
    fs::remove_file(p.outside("home/go")).expect("it is there");
    p.write("o.txt", "mine\n");
    kill_in_the_command(&p);
    let output = p.taskr(["other"]).any_warning().any_files().ok();
    assert_eq!(named(&p, &output, "o.txt is kept in"), "mine\n");
    assert_eq!(p.read("o.txt"), "whole\n");
    assert_eq!(kept(&p), ["mine\n"]);
}

#[test]
fn the_same_holds_for_a_restore_and_its_folder_goes() {
    if lacks("strace", "-V") {
        return;
    }
    let taskfile = TASKS.replace("; until [ -e ~/go ]; do sleep 0.01; done", "; echo log");
    let p = Project::new(&taskfile).with_store();
    p.write("in", "whole\n");
    p.taskr(["o"]).ran(["o"]).makes("o.txt", "whole\n").ok();
    fs::remove_dir_all(p.path(".taskr")).expect("it was there");
    p.write("o.txt", "mine\n");
    // The log comes last of what is published, before the record.
    let log = Point::new("renameat", &p.path(".taskr/tasks/o"));
    let (output, killed) = harmed(&p, &log, "signal=SIGKILL", &["o"]);
    assert!(killed && p.read("o.txt") == "whole\n" && kept(&p) == ["mine\n"], "{output}");
    assert!(p.path(".taskr/tasks/o/restore").exists(), "{output}");
    let output = p.taskr(["other"]).any_warning().any_files().ok();
    assert_eq!(named(&p, &output, "o.txt is from a run of `o`"), "whole\n");
    assert_eq!(p.read("o.txt"), "mine\n");
    p.taskr(["--cache", "off", "o"]).ran(["o"]).makes("o.txt", "whole\n").any_warning().ok();
    assert!(!p.path(".taskr/tasks/o/restore").exists(), "what a restore left goes before a run");
    assert_eq!(kept(&p), ["mine\n", "whole\n"]);
}
