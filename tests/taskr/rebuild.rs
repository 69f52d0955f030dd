//! After each kind of change exactly the tasks that it concerns run, and no other.

use std::fs;
use std::os::unix::fs::symlink;

use crate::project::Project;

/// `one` reads a glob, a variable and the environment; `two` is beside it; `top` reads both.
const CHAIN: &str = r#"
[vars]
greeting = "hello"
unused   = "u"

[target.one]
inputs     = ["src/*.txt"]
outputs    = ["one.out"]
env        = { COLOUR = "red" }
env_inputs = ["MOOD"]
run        = "ran one; cat {{ inputs }} > {{ outputs }}; echo {{ greeting }} $COLOUR \"${MOOD-unset}\" >> {{ outputs }}"

[target.two]
inputs  = ["other.txt"]
outputs = ["two.out"]
run     = "ran two; cat other.txt > {{ outputs }}"

[target.top]
inputs  = ["@one", "@two"]
outputs = ["top.out"]
run     = "ran top; cat {{ inputs }} > {{ outputs }}"
"#;

fn built() -> Project {
    let p = Project::new(CHAIN);
    p.write("src/a.txt", "A\n").write("src/b.txt", "B\n").write("other.txt", "O\n");
    p.taskr(["top"])
        .ran(["one", "two", "top"])
        .makes("one.out", "A\nB\nhello red unset\n")
        .makes("two.out", "O\n")
        .makes("top.out", "A\nB\nhello red unset\nO\n")
        .ok();
    p.fresh("top");
    p
}

/// A build of `top` after which `one.out` has `text`, and one more that does nothing.
fn one_and_top(p: &Project, text: &str) {
    p.taskr(["top"])
        .ran(["one", "top"])
        .makes("one.out", text)
        .makes("top.out", &format!("{text}O\n"))
        .ok();
    p.fresh("top");
}

#[test]
fn content() {
    let p = built();
    p.write("src/a.txt", "X\n");
    one_and_top(&p, "X\nB\nhello red unset\n");
}

#[test]
fn exec_mode() {
    let p = built();
    p.chmod("src/a.txt", 0o755);
    p.taskr(["top"]).ran(["one"]).ok();
    p.fresh("top");
    p.chmod("src/a.txt", 0o700);
    p.fresh("top");
}

#[test]
fn rename() {
    let p = built();
    p.rename("src/a.txt", "src/c.txt");
    one_and_top(&p, "B\nA\nhello red unset\n");
}

#[test]
fn rename_that_keeps_all_content_in_order() {
    let p = built();
    p.rename("src/b.txt", "src/c.txt");
    p.taskr(["top"]).ran(["one"]).ok();
    p.fresh("top");
}

#[test]
fn added_match() {
    let p = built();
    p.write("src/aa.txt", "AA\n");
    one_and_top(&p, "A\nAA\nB\nhello red unset\n");
}

#[test]
fn added_empty_match() {
    let p = built();
    p.write("src/z.txt", "");
    p.taskr(["top"]).ran(["one"]).ok();
    p.fresh("top");
}

#[test]
fn removed_match() {
    let p = built();
    p.remove("src/a.txt");
    one_and_top(&p, "B\nhello red unset\n");
}

#[test]
fn a_file_beside_the_glob_is_nothing() {
    let p = built();
    p.write("src/notes.md", "n").write("src/.hidden.txt", "h").write("src/deep/d.txt", "d");
    p.fresh("top");
}

#[test]
fn command() {
    let p = built();
    p.write("Taskfile.toml", &CHAIN.replace("echo {{ greeting }}", "echo so, {{ greeting }}"));
    one_and_top(&p, "A\nB\nso, hello red unset\n");
}

#[test]
fn variable() {
    let p = built();
    p.write("Taskfile.toml", &CHAIN.replace("\"hello\"", "\"bye\""));
    one_and_top(&p, "A\nB\nbye red unset\n");
}

#[test]
fn variable_on_the_command_line() {
    let p = built();
    p.taskr(["-D", "greeting=bye", "top"])
        .ran(["one", "top"])
        .makes("one.out", "A\nB\nbye red unset\n")
        .makes("top.out", "A\nB\nbye red unset\nO\n")
        .ok();
    p.taskr(["-D", "greeting=bye", "top"]).ok();
    p.taskr(["top"])
        .any_ran()
        .makes("one.out", "A\nB\nhello red unset\n")
        .makes("top.out", "A\nB\nhello red unset\nO\n")
        .ok();
    p.fresh("top");
}

#[test]
fn what_does_not_count_in_the_taskfile() {
    let p = built();
    let text = CHAIN.replace("\"u\"", "\"v\"").replace("[target.two]", "# Words.\n[target.two]");
    p.write("Taskfile.toml", &text.replace("[target.top]", "[target.top]\ndoc = \"The end\""));
    p.fresh("top");
}

#[test]
fn env_value() {
    let p = built();
    p.write("Taskfile.toml", &CHAIN.replace("\"red\"", "\"blue\""));
    one_and_top(&p, "A\nB\nhello blue unset\n");
}

#[test]
fn env_input_unset_set_and_empty() {
    let p = built();
    for (value, shown) in [(Some("calm"), "calm"), (Some(""), ""), (None, "unset")] {
        let run = || match value {
            Some(value) => p.taskr(["top"]).env("MOOD", value),
            None => p.taskr(["top"]),
        };
        let text = format!("A\nB\nhello red {shown}\n");
        run()
            .ran(["one", "top"])
            .makes("one.out", &text)
            .makes("top.out", &format!("{text}O\n"))
            .ok();
        run().ok();
    }
}

#[test]
fn empty_is_not_unset() {
    let p = Project::new(
        r#"
        [target.a]
        inputs = []
        outputs = ["a"]
        env_inputs = ["MOOD"]
        run = "ran a; echo x > {{ outputs }}"
        "#,
    );
    p.taskr(["a"]).ran(["a"]).makes("a", "x\n").ok();
    p.taskr(["a"]).env("MOOD", "").ran(["a"]).ok();
    p.taskr(["a"]).env("MOOD", "").ok();
    p.taskr(["a"]).ran(["a"]).ok();
}

fn one_task() -> Project {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        outputs = ["sub/a", "sub/b"]
        run     = "ran a; cat in > $OUT/sub/a; cat in in > $OUT/sub/b"
        "#,
    );
    p.write("in", "1\n");
    p.taskr(["a"]).ran(["a"]).makes("sub/a", "1\n").makes("sub/b", "1\n1\n").ok();
    p.fresh("a");
    p
}

#[test]
fn output_deleted() {
    let p = one_task();
    p.remove("sub/a");
    p.taskr(["a"]).ran(["a"]).makes("sub/a", "1\n").ok();
    p.fresh("a");
    fs::remove_dir_all(p.path("sub")).expect("it was there");
    p.accept_files();
    p.taskr(["a"]).ran(["a"]).makes("sub/a", "1\n").makes("sub/b", "1\n1\n").ok();
    p.fresh("a");
}

#[test]
fn output_edited() {
    let p = one_task();
    p.write("sub/a", "2\n");
    p.taskr(["a"]).ran(["a"]).makes("sub/a", "1\n").warns("sub/a").ok();
    p.fresh("a");
    p.chmod("sub/b", 0o755);
    p.taskr(["a"]).ran(["a"]).makes("sub/b", "1\n1\n").any_warning().ok();
    p.fresh("a");
}

/// A deleted output of an early task does not wake those behind it when it comes back equal.
#[test]
fn output_in_the_middle_deleted() {
    let p = built();
    p.remove("one.out");
    p.taskr(["top"]).ran(["one"]).makes("one.out", "A\nB\nhello red unset\n").ok();
    p.fresh("top");
}

const LINKED: &str = r#"
[target.a]
inputs  = ["link"]
outputs = ["a"]
run     = "ran a; cat link > {{ outputs }}"
"#;

#[test]
fn symlink_retargeted() {
    let p = Project::new(LINKED);
    p.write("x", "1\n").write("y", "2\n").write("z", "2\n").link("link", "x");
    p.taskr(["a"]).ran(["a"]).makes("a", "1\n").ok();
    p.fresh("a");
    p.link("link", "y");
    p.taskr(["a"]).ran(["a"]).makes("a", "2\n").ok();
    p.fresh("a");
    p.link("link", "z");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
}

#[test]
fn destination_of_a_symlink_edited() {
    let p = Project::new(LINKED);
    p.write("x", "1\n").link("middle", "x").link("link", "middle");
    p.taskr(["a"]).ran(["a"]).makes("a", "1\n").ok();
    p.fresh("a");
    p.write("x", "2\n");
    p.taskr(["a"]).ran(["a"]).makes("a", "2\n").ok();
    p.fresh("a");
}

#[test]
fn destination_outside_the_workspace_edited() {
    let p = Project::new(LINKED);
    fs::write(p.outside("far"), "1\n").expect("a file");
    p.link("link", "../far");
    p.taskr(["a"]).ran(["a"]).makes("a", "1\n").ok();
    p.fresh("a");
    fs::write(p.outside("far"), "2\n").expect("a file");
    p.taskr(["a"]).ran(["a"]).makes("a", "2\n").ok();
    p.fresh("a");
}

#[test]
fn a_file_becomes_a_link_to_the_same_bytes() {
    let p = Project::new(LINKED);
    p.write("x", "1\n").write("link", "1\n");
    p.taskr(["a"]).ran(["a"]).makes("a", "1\n").ok();
    p.link("link", "x");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
}

#[test]
fn a_folder_as_input_counts_with_all_below_it() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["data"]
        run     = "ran a; true"
        "#,
    );
    p.write("data/x", "1").write("data/deep/y", "1");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
    p.write("data/deep/y", "2");
    p.taskr(["a"]).ran(["a"]).ok();
    p.write("data/deep/z", "");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
}

/// F27: links to folders are not followed, so a loop ends and what lies behind does not count.
#[test]
fn links_to_folders_are_not_followed() {
    let p = Project::new("[target.a]\ninputs = [\"src/**\"]\nrun = \"ran a; true\"\n");
    p.write("src/x", "1").write("far/y", "1");
    symlink(".", p.path("src/loop")).expect("a link");
    symlink("../far", p.path("src/far")).expect("a link");
    p.accept_files();
    p.taskr(["a"]).ran(["a"]).ok();
    p.write("far/y", "2");
    p.fresh("a");
}

#[test]
fn an_optional_input_comes_and_goes() {
    let p =
        Project::new("[target.a]\ninputs = [\"?maybe\", \"?some/*.x\"]\nrun = \"ran a; true\"\n");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
    p.write("maybe", "");
    p.taskr(["a"]).ran(["a"]).ok();
    p.write("some/1.x", "");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
    p.remove("maybe");
    p.taskr(["a"]).any_ran().ok();
    p.fresh("a");
}

#[test]
fn a_pattern_that_takes_away() {
    let p = Project::new(
        "[target.a]\ninputs = [\"src/*\", \"!src/*.tmp\"]\nrun = \"ran a; echo {{ inputs }} > $HOME/list\"\n",
    );
    p.write("src/x", "1").write("src/y.tmp", "1");
    p.taskr(["a"]).ran(["a"]).ok();
    assert_eq!(fs::read_to_string(p.outside("home/list")).expect("a list"), "src/x\n");
    p.write("src/y.tmp", "2").write("src/z.tmp", "1");
    p.fresh("a");
}

#[test]
fn a_task_for_each_file() {
    let p = Project::new(
        r#"
        [target.obj]
        foreach = ["src/*.c"]
        outputs = ["obj/{{ item.stem }}.o"]
        run     = "ran {{ item }}; cat {{ item }} > {{ outputs }}"
        [target.app]
        inputs  = ["@obj"]
        outputs = ["app"]
        run     = "ran app; cat {{ inputs }} > {{ outputs }}"
        "#,
    );
    p.write("src/a.c", "a\n").write("src/b.c", "b\n");
    p.taskr(["app"])
        .ran(["src/a.c", "src/b.c", "app"])
        .makes("obj/a.o", "a\n")
        .makes("obj/b.o", "b\n")
        .makes("app", "a\nb\n")
        .ok();
    p.write("src/b.c", "B\n");
    p.taskr(["app"]).ran(["src/b.c", "app"]).makes("obj/b.o", "B\n").makes("app", "a\nB\n").ok();
    p.write("src/c.c", "c\n");
    p.taskr(["app"]).ran(["src/c.c", "app"]).makes("obj/c.o", "c\n").makes("app", "a\nB\nc\n").ok();
    p.remove("src/a.c");
    p.taskr(["app"]).ran(["app"]).removes("obj/a.o").makes("app", "B\nc\n").ok();
    p.fresh("app");
    p.taskr(["obj@src/b.c"]).ok();
}

#[test]
fn a_task_for_each_combination() {
    let p = Project::new(
        r#"
        [target.m]
        inputs  = ["in"]
        matrix  = { os = ["linux", "mac"], db = ["pg", "my"] }
        outputs = ["m/{{ matrix.os }}-{{ matrix.db }}"]
        run     = "ran {{ matrix.os }}-{{ matrix.db }}; cat in > {{ outputs }}"
        [target.mine]
        deps = ["m@db=my"]
        "#,
    );
    p.write("in", "1");
    p.taskr(["m@os=linux"])
        .ran(["linux-pg", "linux-my"])
        .makes("m/linux-pg", "1")
        .makes("m/linux-my", "1")
        .ok();
    p.taskr(["mine"]).ran(["mac-my"]).makes("m/mac-my", "1").ok();
    p.taskr(["m"]).ran(["mac-pg"]).makes("m/mac-pg", "1").ok();
    p.fresh("m");
}
