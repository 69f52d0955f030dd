//! The tools: whole texts of what they say, for bare use, wrong names, groups, `foreach`, a
//! Taskfile that cannot be read and a workspace in which nothing was built.

use crate::project::Project;

const TASKFILE: &str = r#"
default = ["all"]
[vars]
word = "file"
[target.one]
doc     = "Makes o"
foreach = ["*.in"]
outputs = ["out/{{ item.stem }}.o"]
run     = "ran {{ item }}; echo made {{ item.stem }}; cp {{ item }} {{ outputs }}"
[target.two]
inputs  = ["@one"]
outputs = ["two"]
run     = "ran two; cat {{ inputs }} > {{ outputs }}"
[target.all]
deps = ["two"]
[target.say]
run = "ran say; printf said"
"#;

fn project() -> Project {
    let p = Project::new(TASKFILE);
    p.write("a.in", "a\n").write("b.in", "b\n");
    p
}

fn built() -> Project {
    let p = project();
    p.taskr([""; 0])
        .ran(["a.in", "b.in", "two"])
        .makes("out/a.o", "a\n")
        .makes("out/b.o", "b\n")
        .makes("two", "a\nb\n")
        .ok();
    p
}

#[test]
fn clean_removes_what_taskr_made_and_says_so() {
    let p = built();
    let would = "would remove 3 files of 3 tasks\n  out/a.o\n  out/b.o\n  two\n";
    p.taskr(["clean", "-n"]).stdout(would).ok();
    p.fresh("all");
    p.taskr(["clean", "two"]).removes("two").stdout("removed 1 file of two\n  two\n").ok();
    p.taskr(["clean", "one"])
        .removes("out/a.o")
        .removes("out/b.o")
        .stdout("removed 2 files of 2 tasks\n  out/a.o\n  out/b.o\n")
        .any_files()
        .ok();
    assert!(!p.path("out").exists(), "an empty folder goes, too");
    let nothing = "nothing to clean: there are no results of this Taskfile\n";
    p.taskr(["clean"]).stdout(nothing).ok();
    p.taskr(["clean", "-n"]).stdout(nothing).ok();
    p.taskr(["clean", "two", "all"])
        .stdout("nothing to clean: there are no results of `two`, `all`\n")
        .ok();
}

#[test]
fn clean_keeps_what_was_edited_and_says_so() {
    let p = built();
    p.write("two", "mine");
    p.taskr(["clean", "-n", "two"])
        .stdout(
            "would forget two: there are no files to remove\n\
             would keep two: it was edited since taskr made it\n",
        )
        .ok();
    p.taskr(["clean", "all"])
        .stdout(
            "forgot two: there were no files to remove\n\
             kept two: it was edited since taskr made it\n",
        )
        .ok();
}

#[test]
fn clean_names_ten_files_and_counts_more() {
    let p = project();
    for number in 0..9 {
        p.write(format!("{number}.in"), "");
    }
    p.taskr(["one"]).any_ran().any_files().ok();
    p.taskr(["clean"]).any_files().stdout("removed 11 files of 11 tasks\n").ok();
    assert!(!p.path("out").exists());
}

#[test]
fn clean_of_what_was_never_built() {
    let p = project();
    p.taskr(["clean"]).stdout("nothing to clean: there are no results of this Taskfile\n").ok();
    assert!(!p.path(".taskr").exists());
}

#[test]
fn log_shows_what_tasks_wrote() {
    let p = built();
    let output = p.taskr(["log"]).stdout("").warns("two wrote nothing").ok();
    assert_eq!(output.stderr, "two wrote nothing\n");
    let both = "==> one@a.in <==\nmade a\n==> one@b.in <==\nmade b\n";
    p.taskr(["log", "one"]).stdout(both).ok();
    p.taskr(["log", "one@b.in"]).stdout("made b\n").ok();
    p.taskr(["say"]).ran(["say"]).says("said").ok();
    let three = format!("==> say <==\nsaid\n{both}");
    p.taskr(["log", "say", "all", "one"]).stdout(&three).warns("two wrote nothing").ok();
}

#[test]
fn log_of_what_never_ran() {
    let p = project();
    let output = p.taskr(["log"]).exits(2);
    assert_eq!(output.stderr, "error: there is no log of `all`: it has not run here yet\n");
    let output = p.taskr(["log", "two", "say"]).exits(2);
    let text = "error: there is no log of `two`, `say`: they have not run here yet\n";
    assert_eq!(output.stderr, text);
}

#[test]
fn wrong_names() {
    let p = project();
    for tool in ["clean", "log"] {
        let output = p.taskr([tool, "tow"]).exits(2);
        assert_eq!(output.stderr, "error: there is no target `tow`\nhelp: did you mean `two`?\n");
        let output = p.taskr([tool, "one@c.in"]).exits(2);
        assert!(output.stderr.starts_with("error: there is no task `one@c.in`\n"), "{output}");
    }
}
