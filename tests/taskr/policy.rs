//! What a target says of its results: `keep_outputs`, `fresh_if`.

use std::fs;

use crate::project::Project;

#[test]
fn a_tool_with_a_memory_of_its_own_finds_what_it_left() {
    let p = Project::new(
        r#"
[target.t]
inputs = ["a.in"]
outputs = ["log", "dist/*.txt"]
keep_outputs = true
run = '''
ran t
mkdir -p dist
cat a.in >>log
test -e dist/first.txt || echo first >dist/first.txt
cp a.in dist/$(cat a.in).txt
test ! -e ~/broken
'''
"#,
    );
    p.write("a.in", "1\n");
    p.taskr(["t"])
        .ran(["t"])
        .makes("log", "1\n")
        .makes("dist/first.txt", "first\n")
        .makes("dist/1.txt", "1\n")
        .ok();
    p.fresh("t");
    p.write("a.in", "2\n");
    p.taskr(["t"]).ran(["t"]).makes("log", "1\n2\n").makes("dist/2.txt", "2\n").ok();
    p.fresh("t");
    // What it did not touch counts as well.
    p.write("dist/first.txt", "edited\n");
    p.taskr(["t"]).ran(["t"]).makes("log", "1\n2\n2\n").ok();
    p.fresh("t");
    // A failure leaves what it wrote, and is no success.
    fs::write(p.outside("home/broken"), "").expect("a file");
    p.write("a.in", "3\n");
    p.taskr(["t"]).ran(["t"]).any_files().exits(1);
    assert_eq!(p.read("log"), "1\n2\n2\n3\n");
    fs::remove_file(p.outside("home/broken")).expect("it was there");
    p.taskr(["t"]).ran(["t"]).makes("log", "1\n2\n2\n3\n3\n").ok();
    p.fresh("t");
}

#[test]
fn files_that_were_there_before_such_a_tool_stay_the_users() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['log']\nkeep_outputs = true\n\
         run = 'ran t; cat a.in >>log'\n",
    );
    p.write("a.in", "1\n").write("log", "mine\n");
    p.taskr(["t"]).ran(["t"]).makes("log", "mine\n1\n").ok();
    p.write("a.in", "2\n");
    p.taskr(["t"]).ran(["t"]).makes("log", "mine\n1\n2\n").ok();
    p.taskr(["clean"]).removes("log").says(".taskr/replaced/").ok();
}

#[test]
fn fresh_if_is_asked_before_a_task_counts_as_up_to_date() {
    let p = Project::new(
        r#"
[target.t]
inputs = ["a.in"]
fresh_if = "ran asked; test -e ~/image && test {{ inputs }} = a.in"
run = "ran t; touch ~/image"

[target.u]
deps = ["t"]
inputs = []
cache = false
run = "ran u"
"#,
    )
    .with_store();
    p.write("a.in", "1\n");
    p.taskr(["u"]).ran(["t", "u"]).ok();
    p.taskr(["u"]).ran(["asked"]).ok();
    fs::remove_file(p.outside("home/image")).expect("it was there");
    // A dry run and `why` start nothing.
    p.taskr(["-n", "t"]).says("1 task up to date").ok();
    p.taskr(["t"]).ran(["asked", "t"]).ok();
    // What has to run anyway need not be asked.
    p.write("a.in", "2\n");
    p.taskr(["t"]).ran(["t"]).ok();
    assert!(!p.store().exists(), "what counts lies elsewhere: there is nothing to restore");
}

#[test]
fn a_question_is_asked_in_the_folder_of_the_target() {
    let p = Project::new(
        "[target.t]\ninputs = []\nshell = ['nosuchshell']\nfresh_if = 'true'\nrun = 'ran t'\n",
    );
    p.taskr(["t"]).says("nosuchshell").exits(1);
    p.write(
        "Taskfile.toml",
        "[target.t]\ninputs = ['x']\ndir = 'd'\nfresh_if = 'exit 3'\nrun = 'ran t'\n",
    );
    p.write("d/x", "");
    p.taskr(["t"]).ran(["t"]).ok();
    p.taskr(["t"]).ran(["t"]).ok();

    p.write("Taskfile.toml", "[target.t]\ninputs = []\ndir = 'd'\nfresh_if = ':'\nrun = 'ran t'\n");
    p.taskr(["t"]).ran(["t"]).ok();
    fs::remove_dir(p.remove("d/x").path("d")).unwrap();
    p.taskr(["t"]).says("its folder `d` does not exist").exits(2);
}
