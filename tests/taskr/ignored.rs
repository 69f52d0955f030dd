//! Wildcards skip what `.gitignore` names, and nothing else is skipped: no path that is written
//! out, no output of another task. An edit of a `.gitignore` is a change as any other.

use std::fs;

use crate::project::{Project, SETTLED};

/// A project whose target `list` writes down the files that its inputs are.
fn listing(inputs: &str) -> Project {
    Project::new(&format!(
        "[target.list]\ninputs = [{inputs}]\noutputs = [\"list.txt\"]\n\
         run = \"ran list; echo {{{{ inputs }}}} > {{{{ outputs }}}}\"\n"
    ))
}

/// What it wrote down when it was built now.
fn listed(p: &Project) -> String {
    p.taskr(["list"]).any_ran().any_files().ok();
    p.read("list.txt").trim_end().to_owned()
}

#[test]
fn nested_files_negations_anchors_and_folders() {
    let p = listing("\"**/*.c\"");
    for path in ["a.c", "x.gen.c", "keep.gen.c", "build/b.c", "src/build/b.c", "src/top.c", "top.c"]
    {
        p.write(path, "");
    }
    for path in ["src/a.c", "src/old/a.c", "src/old/b.c", "lib/old/c.c", "node_modules/m/m.c"] {
        p.write(path, "");
    }
    p.write(".gitignore", "# sources\n*.gen.c\n!keep.gen.c\nbuild/\n/top.c\nnode_modules\n");
    p.write("src/.gitignore", "old/*\n!old/b.c\n");
    assert_eq!(listed(&p), "a.c keep.gen.c lib/old/c.c src/a.c src/old/b.c src/top.c");
    // Within a folder that is left out nothing is taken back.
    p.write(".gitignore", "src/\n!src/a.c\n");
    assert_eq!(listed(&p), "a.c build/b.c keep.gen.c lib/old/c.c node_modules/m/m.c top.c x.gen.c");
}

#[test]
fn what_is_written_out_is_read() {
    let p = listing("\"gen/a.c\", \"vendor\", \"dist/*.js\"");
    p.write("gen/a.c", "").write("vendor/v.c", "").write("vendor/v.o", "").write("dist/d.js", "");
    p.write(".gitignore", "gen/\nvendor\ndist/\n*.o\n*.c\n!v.c\n");
    assert_eq!(listed(&p), "gen/a.c vendor/v.c dist/d.js");
}

#[test]
fn files_count_from_the_top_of_the_work_tree_and_not_above() {
    let p = listing("\"*.c\"");
    p.write("a.c", "").write("b.c", "").write("c.c", "");
    fs::write(p.outside(".gitignore"), "b.c\n").unwrap();
    assert_eq!(listed(&p), "a.c b.c c.c");
    fs::create_dir(p.outside(".git")).unwrap();
    assert_eq!(listed(&p), "a.c c.c");
    p.write(".gitignore", "!b.c\nc.c\n");
    assert_eq!(listed(&p), "a.c b.c");
    fs::create_dir(p.path(".git")).unwrap();
    p.write(".gitignore", "a.c\n");
    assert_eq!(listed(&p), "b.c c.c");
}

#[test]
fn the_rules_of_the_user_do_not_count() {
    let p = listing("\"*.c\"");
    p.write("a.c", "").write("b.c", "").write(".git/info/exclude", "a.c\n");
    fs::create_dir_all(p.outside("home/.config/git")).unwrap();
    fs::write(p.outside("home/.config/git/ignore"), "b.c\n").unwrap();
    assert_eq!(listed(&p), "a.c b.c");
}

const MADE: &str = r#"
[target.gen]
inputs = ["seed"]
outputs = ["gen/made.c", "tree/**"]
run = "ran gen; cat seed > gen/made.c; mkdir -p tree/in; cat seed > tree/in/t.c"

[target.list]
inputs = ["**/*.c"]
after = ["gen"]
outputs = ["list.txt"]
run = "ran list; echo {{ inputs }} > {{ outputs }}"
"#;

#[test]
fn an_output_of_another_task_is_an_input_although_it_is_ignored() {
    let p = Project::new(MADE);
    p.write("seed", "1").write("a.c", "").write("gen/stray.c", "");
    p.write(".gitignore", "gen/\ntree/\nlist.txt\n");
    assert_eq!(listed(&p), "a.c gen/made.c tree/in/t.c");
    p.write("seed", "2");
    p.taskr(["list"]).ran(["gen", "list"]).any_files().any_warning().ok();
    p.write("gen/stray.c", "other");
    p.taskr(["list"]).any_files().any_warning().ok();
}

#[test]
fn foreach_skips_them_but_no_declared_output() {
    let taskfile = r#"
[target.gen]
inputs = ["seed"]
outputs = ["gen.c"]
run = "cat seed > {{ outputs }}"

[target.each]
foreach = ["*.c"]
run = "ran {{ item }}; cat {{ item }} > {{ out }}/copy"
"#;
    let p = Project::new(taskfile);
    p.write("seed", "1").write("a.c", "").write("tmp.c", "").write(".gitignore", "gen.c\ntmp.c\n");
    p.taskr(["each"]).ran(["a.c", "gen.c"]).any_files().ok();
    p.write(".gitignore", "gen.c\n");
    p.taskr(["each"]).ran(["tmp.c"]).any_files().ok();
}

#[test]
fn an_edit_of_a_gitignore_is_a_change() {
    let p = listing("\"src/**\"");
    p.write("src/a", "").write("src/b", "").write("src/in/c", "").write("src/in/d", "");
    p.write(".gitignore", "b\n").write("src/in/.gitignore", "c\n");
    assert_eq!(listed(&p), "src/a src/in/d");
    for (file, text, files) in [
        (".gitignore", "a\n", "src/b src/in/d"),
        ("src/in/.gitignore", "d\n", "src/b src/in/c"),
        ("src/.gitignore", "b\n", "src/in/c"),
    ] {
        p.write(file, text);
        p.taskr(["list"]).ran(["list"]).any_files().ok();
        assert_eq!(p.read("list.txt").trim_end(), files, "{file}");
    }
    p.remove(".gitignore");
    p.taskr(["list"]).ran(["list"]).any_files().ok();
    assert_eq!(p.read("list.txt").trim_end(), "src/a src/in/c");
    p.accept_files();
    p.fresh("list");
}

#[test]
fn an_edit_is_noticed_where_nothing_to_do_was_proved() {
    let edits: [fn(&Project); 5] = [
        |p| _ = p.write(".gitignore", "a\n"),
        |p| _ = p.write("src/in/.gitignore", "d\n"),
        |p| _ = p.write("src/.gitignore", "a\n"),
        |p| _ = p.remove(".gitignore"),
        |p| {
            fs::write(p.outside(".gitignore"), "a\n").unwrap();
            fs::create_dir(p.outside(".git")).unwrap();
        },
    ];
    let projects = edits.map(|edit| {
        let p = listing("\"src/**\"");
        p.write("src/a", "").write("src/b", "").write("src/in/c", "").write("src/in/d", "");
        p.write(".gitignore", "b\n").write("src/in/.gitignore", "c\n");
        assert_eq!(listed(&p), "src/a src/in/d");
        p.accept_files();
        (p, edit)
    });
    std::thread::sleep(SETTLED);
    for (p, edit) in projects {
        p.fresh("list");
        let proofs = fs::read_dir(p.path(".taskr/proofs")).map_or(0, Iterator::count);
        assert_eq!(proofs, 1);
        p.fresh("list");
        edit(&p);
        p.taskr(["list"]).ran(["list"]).any_files().ok();
    }
}

#[test]
fn a_setting_turns_it_off() {
    let p = Project::new(
        "[taskr]\ngitignore = false\n[target.list]\ninputs = [\"*.c\"]\noutputs = [\"list.txt\"]\n\
         run = \"ran list; echo {{ inputs }} > {{ outputs }}\"\n",
    );
    p.write("a.c", "").write("b.c", "").write(".gitignore", "b.c\n");
    assert_eq!(listed(&p), "a.c b.c");
    let p = Project::new("[taskr]\ngitignore = \"no\"\n[target.a]\nrun = \"true\"\n");
    p.taskr(["a"]).says("Taskfile.toml:2:13").exits(2);
}

#[test]
fn a_pattern_without_matches_names_the_line_that_leaves_them_out() {
    for inputs in ["\"gen/**/*.c\"", "\"gen\""] {
        let p = listing(inputs);
        p.write("gen/in/a.c", "").write("gen/.gitignore", "# all\n\nin/\n");
        p.taskr(["list"])
            .says("gen/in/a.c would fit, but `in/` (gen/.gitignore:3) leaves it out")
            .says("or set `gitignore = false` in [taskr]")
            .exits(2);
    }
    let p = Project::new("[target.each]\nforeach = [\"*.c\"]\nrun = \"ran {{ item }}\"\n");
    p.write("a.c", "").write(".gitignore", "*.c\n");
    p.taskr(["each"]).says("a.c would fit, but `*.c` (.gitignore:1) leaves it out").exits(2);
}

#[test]
fn show_counts_them_and_why_names_the_line() {
    let p = listing("\"*.c\"");
    p.write("a.c", "").write("b.c", "").write("d.c", "").write(".gitignore", "\nb.c\nd.c\n");
    p.taskr(["show", "list"]).says("… 2 files are left out because of .gitignore").ok();
    p.taskr(["why", "--not", "list", "b.c"])
        .says("b.c is not an input of list: `*.c` (Taskfile.toml:2:11) would match it, but `b.c` (.gitignore:2) leaves it out")
        .ok();
    p.taskr(["why", "--not", "list", "a.c"]).says("a.c is an input of list").ok();
}

#[test]
fn a_changed_gitignore_reaches_the_tasks_with_wildcards_that_it_decides_on() {
    let p = Project::new(
        r#"
[target.a]
inputs = ["src/a/*.c"]
run = "ran a"

[target.b]
inputs = ["src/b"]
run = "ran b"

[target.plain]
inputs = ["plain.txt"]
run = "ran plain"

[target.all]
deps = ["a", "b", "plain"]
"#,
    );
    p.write("src/a/a.c", "").write("src/b/b.c", "").write("plain.txt", "");
    for (file, reached) in [
        (".gitignore", &["a", "b"][..]),
        ("src/.gitignore", &["a", "b"]),
        ("src/a/.gitignore", &["a"]),
        ("src/b/in/.gitignore", &["b"]),
        ("other/.gitignore", &[]),
        ("../.gitignore", &["a", "b"]),
    ] {
        let events = p.taskr(["all", "--changed", file, "-n", "--events", "-"]).any_warning().ok();
        let first = events.stdout.lines().next().expect("an event");
        let event: serde_json::Value = serde_json::from_str(first).expect("JSON");
        assert_eq!(event["tasks"], reached.len(), "{file}");
    }
}
