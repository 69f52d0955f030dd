//! `taskr merge`: of lines and of folders, in the order in which they are named.

use crate::project::Project;

fn project() -> Project {
    let p = Project::empty();
    p.write("a", "x\ny\n")
        .write("b", "y\nz")
        .write("c", "z\ny\ny\n")
        .write("d", "w\n")
        .write("e", "v\n");
    p
}

#[test]
fn lines_are_merged() {
    let p = project();
    p.taskr(["merge", "union", "b", "a", "c"]).stdout("y\nz\nx\n").ok();
    p.taskr(["merge", "intersection", "a", "b", "c"]).stdout("y\n").ok();
    p.taskr(["merge", "majority", "a", "b", "c"]).stdout("y\nz\n").ok();
    p.taskr(["merge", "majority", "--min", "40%", "a", "b", "c", "d", "e"]).stdout("y\nz\n").ok();
    p.taskr(["merge", "majority", "--min=41%", "a", "b", "c", "d", "e"]).stdout("y\n").ok();
    p.taskr(["merge", "union", "a", "b", "-o", "all"]).makes("all", "x\ny\nz\n").stdout("").ok();
}

#[test]
fn folders_are_merged_and_clashes_are_told() {
    let p = Project::empty();
    p.write("a/same", "1").write("b/same", "1").write("c/same", "1");
    p.write("a/sub/two", "2").write("b/sub/two", "2").write("c/one", "3");
    p.chmod("c/one", 0o755);
    let merge = |how: &str, to: &str| p.taskr(["merge", how, "a", "b", "c", "-o", to]).any_files();
    merge("union", "u").stdout("u: 3 files\n").ok();
    assert_eq!(
        (p.read("u/same"), p.read("u/sub/two"), p.read("u/one")),
        ("1".into(), "2".into(), "3".into())
    );
    merge("intersection", "i").stdout("i: 1 file\n").ok();
    merge("majority", "m").stdout("m: 2 files\n").ok();
    merge("union", "u").says("u is not empty").exits(2);
    p.write("c/same", "other");
    merge("union", "u2").says("error: the folders clash: a/same is not c/same").exits(1);
    merge("intersection", "i2").says("error: the folders clash: a/same is not c/same").exits(1);
    assert!(!p.path("u2").exists(), "nothing is written");
    merge("majority", "m2").stdout("m2: 2 files\n").ok();
    assert_eq!(p.read("m2/same"), "1");
    p.chmod("b/sub/two", 0o755);
    merge("union", "u3")
        .says("error: the folders clash: a/same is not c/same; a/sub/two is not b/sub/two")
        .exits(1);
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let p = project();
    p.write("dir/x", "");
    for (args, says) in [
        ("merge union a dir", "files and folders cannot be merged with each other"),
        ("merge union dir dir", "folders are merged into a new folder"),
        ("merge union --min 2 a b", "`--min` is of `taskr merge majority`"),
        ("merge majority --min 3 a b", "of 2 inputs there are not 3"),
        (
            "merge majority --min 0% a b",
            "`--min` takes a number from 1, or a part such as 40%, not `0%`",
        ),
        ("merge union a nothing", "cannot read nothing"),
        ("merge most a", "most"),
        ("merge union", "INPUT"),
    ] {
        p.taskr(args.split(' ')).says(says).exits(2);
    }
}

/// As a task would use it.
#[test]
fn results_of_tasks_are_merged() {
    let p = Project::new(
        "[target.agent]\nmatrix = { n = ['1', '2', '3'] }\nrun = 'printf \"all\\n%s\\n\" {{ matrix.n }} > {{ out }}/found'\n\
         [target.both]\ninputs = ['@agent']\noutputs = ['found']\nrun = 'taskr merge majority {{ inputs }} > {{ outputs }}'\n",
    );
    let done = p.taskr(["both"]).any_ran().any_files().exits(0);
    assert!(done.stdout.contains("ran"), "{done}");
    assert_eq!(p.read("found"), "all\n");
}
