//! The command line: which Taskfile, which targets, which options, which exit code.

use crate::project::Project;

const SMALL: &str = r#"
default = ["a"]
[vars]
word = "file"
list = ["x y", "z"]
[target.a]
doc    = "Makes nothing of it"
inputs = []
run    = "ran a; echo {{ word }} {{ list }}"
[target.b]
run = "ran b"
[target.hidden]
private = true
run     = "ran hidden"
"#;

#[test]
fn targets() {
    let p = Project::new(SMALL);
    p.taskr([""; 0]).ran(["a"]).ok();
    p.taskr(["a"]).ok();
    p.taskr(["b"]).ran(["b"]).ok();
    p.taskr(["a", "b", "b"]).ran(["b"]).ok();
    p.taskr(["run", "b"]).ran(["b"]).ok();
}

#[test]
fn usage_errors() {
    let p = Project::new(SMALL);
    let cases: &[(&[&str], &str)] = &[
        (&["bb"], "b"),
        (&["nonsense"], "nonsense"),
        (&["hidden"], "hidden"),
        (&["-j0", "a"], "-j"),
        (&["-jx", "a"], "x"),
        (&["-j", "-3", "a"], "3"),
        (&["--no-such-option", "a"], "--no-such-option"),
        (&["-C", "no-such-folder", "a"], "no-such-folder"),
        (&["-f", "no-such-file.toml", "a"], "no-such-file.toml"),
        (&["-D", "word", "a"], "word"),
        (&["-D", "wrod=x", "a"], "word"),
        (&["a@x"], "a@x"),
        (&["why", "nonsense"], "nonsense"),
        (&["log", "nonsense"], "nonsense"),
    ];
    for (args, says) in cases {
        p.taskr(*args).says(*says).exits(2);
    }
}

#[test]
fn no_taskfile() {
    let p = Project::empty();
    p.taskr(["a"]).says("Taskfile.toml").exits(2);
    p.taskr([""; 0]).says("Taskfile.toml").exits(2);
}

#[test]
fn no_default() {
    let p = Project::new("[target.a]\nrun = \"ran a\"\n");
    p.taskr([""; 0]).says("default").exits(2);
}

#[test]
fn help_and_version() {
    let p = Project::empty();
    p.taskr(["--help"]).says("--keep-going").says("TARGET").ok();
    p.taskr(["--version"]).stdout(concat!("taskr ", env!("CARGO_PKG_VERSION"), "\n")).ok();
}

#[test]
fn jobs() {
    let p = Project::new(
        r#"
        [target.t]
        matrix = { n = ["1", "2", "3", "4"] }
        run    = "ran +; sleep 0.2; ran -"
        "#,
    );
    let most = |args: &[&str]| {
        let output = p.spawn(args).wait();
        assert!(output.status.success(), "{output}");
        let mut now = 0_i32;
        let levels = p.take_ran().into_iter().map(|sign| {
            now += if sign == "+" { 1 } else { -1 };
            now
        });
        levels.max()
    };
    assert_eq!(most(&["-j1", "t"]), Some(1));
    assert_eq!(most(&["-j", "2", "t"]), Some(2));
    assert_eq!(most(&["-j4", "t"]), Some(4));
    assert!(most(&["-j", "auto", "t"]).is_some());
    assert!(most(&["-j50%", "t"]).is_some());
}

#[test]
fn folder_and_file() {
    let p = Project::new(SMALL);
    p.write("sub/deep/x", "")
        .write("other.toml", "[target.c]\ninputs = []\nrun = \"ran c; pwd\"\n");
    p.taskr(["-f", "other.toml", "c"]).ran(["c"]).says(p.root().display().to_string()).ok();
    p.taskr(["b"]).within("sub/deep").ran(["b"]).ok();
    let other = p.sibling("other");
    other.taskr(["-C", "../ws", "b"]).ran(["b"]).ok();
    other.taskr(["-C", "..", "-C", "ws", "b"]).ran(["b"]).ok();
    other.taskr(["b"]).says("Taskfile.toml").exits(2);
    // Records are kept by Taskfile.
    p.taskr(["a"]).ran(["a"]).ok();
    p.taskr(["-f", "other.toml", "c"]).ok();
    p.taskr(["a"]).ok();
}

#[test]
fn variables() {
    let p = Project::new(SMALL);
    p.taskr(["a"]).ran(["a"]).says("file x y z").ok();
    p.taskr(["-Dword=a b", "a"]).ran(["a"]).says("a b x y z").ok();
    p.taskr(["-D", "word=k=v", "a"]).ran(["a"]).says("k=v x y z").ok();
}

#[test]
fn quiet_and_loud() {
    let p = Project::new(
        "[target.a]\ninputs = [\"in\"]\nrun = \"ran a; true\"\n[target.bad]\ninputs = []\nrun = \"echo words; exit 1\"\n",
    );
    p.write("in", "1");
    p.taskr(["-q", "a"]).ran(["a"]).stdout("").ok();
    p.taskr(["-q", "a"]).stdout("").ok();
    p.write("in", "2");
    // Reasons: the very file that moved.
    p.taskr(["-v", "a"]).ran(["a"]).says("in").says("a").ok();
    p.taskr(["-q", "bad"]).says("words").exits(1);
}

#[test]
fn a_build_with_nothing_to_do_prints_one_line() {
    let p = Project::new(SMALL);
    p.taskr(["a"]).ran(["a"]).ok();
    let output = p.taskr(["a"]).ok();
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
}

#[test]
fn dry_run() {
    let p = Project::new(
        "[target.a]\ninputs = [\"in\"]\noutputs = [\"a\"]\nrun = \"ran a; cat in > {{ outputs }}\"\n[target.b]\ninputs = [\"@a\"]\nrun = \"ran b\"\n",
    );
    p.write("in", "1");
    p.taskr(["-n", "b"]).says("a").says("b").ok();
    assert!(!p.path(".taskr").exists());
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "1").ok();
    let output = p.taskr(["-n", "b"]).ok();
    assert_eq!(output.stdout.lines().count(), 1, "nothing would run: {output}");
    p.write("in", "2");
    p.taskr(["-n", "b"]).says("in").ok();
}

#[test]
fn list_shows_what_can_be_built() {
    let p = Project::new(SMALL);
    p.taskr(["list"]).says("a").says("Makes nothing of it").says("b").never_says("hidden").ok();
}

/// The first bare word decides: a target hides a tool of its name.
#[test]
fn a_target_named_like_a_tool() {
    let p = Project::new("[target.list]\nrun = \"ran list\"\n[target.why]\nrun = \"ran why\"\n");
    p.taskr(["list"]).ran(["list"]).ok();
    p.taskr(["tool", "list"]).says("why").ok();
    p.taskr(["run", "why"]).ran(["why"]).ok();
    // They mean the same whatever targets are called; alone a target's name is one.
    p.write("Taskfile.toml", "[target]\nrun = 'ran run'\ntool = 'ran tool'\nlist = 'ran list'\n");
    p.taskr(["run", "list"]).ran(["list"]).ok();
    p.taskr(["tool", "list"]).says("hides a tool").ok();
    p.taskr(["run"]).ran(["run"]).ok();
    p.taskr(["run", "run", "tool"]).ran(["run", "tool"]).ok();
}

#[test]
fn why_tells_the_very_thing_that_moved() {
    let taskfile = "[vars]\nv = \"1\"\n[target.a]\ninputs = [\"src/*\"]\noutputs = [\"o\"]\nenv = { COLOUR = \"red\" }\nenv_inputs = [\"MOOD\"]\nrun = \"ran a; echo {{ v }} > {{ outputs }}\"\n";
    let p = Project::new(taskfile);
    p.write("src/x", "1").write("src/y", "1");
    p.taskr(["why", "a"]).says("a").ok();
    p.taskr(["a"]).ran(["a"]).makes("o", "1\n").ok();
    p.taskr(["why", "a"]).says("up to date").ok();
    p.write("src/x", "2");
    p.taskr(["why", "a"]).says("src/x").never_says("src/y").ok();
    p.write("src/x", "1").write("src/z", "");
    p.taskr(["why", "a"]).says("src/z").ok();
    p.remove("src/z").remove("src/y");
    p.taskr(["why", "a"]).says("src/y").ok();
    p.write("src/y", "1").write("Taskfile.toml", &taskfile.replace("red", "blue"));
    p.taskr(["why", "a"]).says("COLOUR").ok();
    p.write("Taskfile.toml", &taskfile.replace("echo", "printf"));
    p.taskr(["why", "a"]).says("command").ok();
    p.write("Taskfile.toml", taskfile);
    p.taskr(["why", "a"]).env("MOOD", "bad").says("MOOD").ok();
    p.remove("o");
    p.taskr(["why", "a"]).says("o").never_says("up to date").ok();
}

#[test]
fn log_prints_what_the_task_wrote() {
    let p = Project::new("[target.a]\ninputs = []\nrun = \"ran a; echo some words\"\n");
    p.taskr(["a"]).ran(["a"]).ok();
    p.taskr(["log", "a"]).says("some words").ok();
}

/// Every error about the Taskfile names file, line and column and shows the line.
#[test]
fn taskfile_errors() {
    let cases = [
        ("[target.a]\ninpust = []\n", "Taskfile.toml:2:1", "inputs"),
        (
            "[target.a]\nrun = \"echo {{ wrod }}\"\n[vars]\nword = \"w\"\n",
            "Taskfile.toml:2:",
            "word",
        ),
        ("[target.a]\ninputs = [\"@b\"]\nrun = \"x\"\n", "Taskfile.toml:2:", "b"),
        ("[target.a]\nrun = \"x\"\nrun = \"y\"\n", "Taskfile.toml:", "run"),
        ("[target.a]\nrun = 7\n", "Taskfile.toml:2:", "run"),
        ("[target.a\nrun = \"x\"\n", "Taskfile.toml:1:", "]"),
        ("[target.a]\nrun = \"x\"\ndefault = [\"a\"]\n", "Taskfile.toml:3:1", "default"),
    ];
    for (text, place, says) in cases {
        let p = Project::new(text);
        p.taskr(["a"]).says(place).says(says).exits(2);
    }
}

/// F20, F22: nothing there where something must be.
#[test]
fn inputs_that_are_not_there() {
    for input in ["missing.txt", "src/*.c", "missing/"] {
        let p = Project::new(&format!("[target.a]\ninputs = [\"{input}\"]\nrun = \"ran a\"\n"));
        p.taskr(["a"]).says(input.trim_end_matches('/')).says("a").exits(2);
    }
}

/// Letters in one word, the last of which takes a value.
#[test]
fn a_group_of_letters_finds_the_taskfile() {
    let p = Project::new(SMALL);
    let inner = "[target.b]\nrun = \"ran inner\"\n";
    p.write("sub/Taskfile.toml", inner).write("other.toml", &inner.replace("inner", "other"));
    for args in
        [&["-vC", "sub", "b"][..], &["-kC", "sub", "b"], &["-vCsub", "b"], &["-kC=sub", "b"]]
    {
        p.taskr(args).ran(["inner"]).any_files().ok();
    }
    p.taskr(["-kf", "other.toml", "b"]).ran(["other"]).any_files().ok();
    p.taskr(["-nf", "other.toml", "b"]).says("would run").ok();
    p.taskr(["-vj", "b"]).ran(["b"]).ok();
    for args in [&["--timeout", "20m", "list"][..], &["-l", "3", "list"]] {
        p.taskr(args).says("is an option of builds").exits(2);
    }
}
