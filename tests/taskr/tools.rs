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

/// A file that stood there before taskr first wrote it may be one of the user.
#[test]
fn clean_moves_what_may_be_of_the_user() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = [\"d/*\"]\nrun = \"ran t; echo new > d/o; echo > d/p\"\n",
    );
    p.write("d/o", "mine");
    p.taskr(["t"]).ran(["t"]).makes("d/o", "new\n").makes("d/p", "\n").any_warning().ok();
    let would = "would remove 1 file of t\n  d/p\n\
                 would move d/o to .taskr/replaced: it was there before taskr first wrote it\n";
    p.taskr(["clean", "-n"]).stdout(would).ok();
    let output = p.taskr(["clean"]).any_files().ok();
    let kept = output.stdout.lines().last().and_then(|line| {
        let line = line.strip_prefix("moved d/o to ")?;
        line.strip_suffix(": it was there before taskr first wrote it")
    });
    assert_eq!(p.read(kept.unwrap_or_else(|| panic!("{output}"))), "new\n");
    assert!(!p.path("d").exists());
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

/// After a failure one wants the log of what failed, not of what waits for it.
#[test]
fn log_of_what_waited_for_a_failure() {
    let p = Project::new(
        "[target.a]\nrun = \"echo bad; false\"\n[target.e]\ndeps = [\"a\"]\nrun = \"true\"\n",
    );
    p.taskr(["e"]).any_warning().exits(1);
    let output = p.taskr(["log", "e"]).exits(2);
    let text = "error: there is no log of `e`: it has not run here yet\n\
                help: it waits for `a`, which has: `taskr log a`\n";
    assert_eq!(output.stderr, text);
}

#[test]
fn wrong_names() {
    let p = project();
    for tool in ["clean", "log", "show"] {
        let output = p.taskr([tool, "tow"]).exits(2);
        assert_eq!(output.stderr, "error: there is no target `tow`\nhelp: did you mean `two`?\n");
        let output = p.taskr([tool, "one@c.in"]).exits(2);
        assert!(output.stderr.starts_with("error: there is no task `one@c.in`\n"), "{output}");
    }
}

const MANY: &str = r#"default = ["app"]
[vars]
cc = "cc"
flags = ["-O2", "two words"]
[target.gen]
inputs  = ["v"]
outputs = ["gen.h"]
run     = "cp v {{ outputs }}"
[target.obj]
doc     = "Compiles"
foreach = ["*.c"]
inputs  = ["gen.h"]
exec    = ["{{ cc }}", "{{ flags }}", "{{ item }}", "{{ out }}/{{ item.stem }}.o"]
[target.app]
inputs  = ["@obj"]
outputs = ["bin/app"]
vars    = { mode = "{{ env.MODE | default('fast') }}" }
env     = { M = "{{ mode }}" }
run     = "{{ cc }} {{ inputs }} {{ outputs }}"
[target.both]
deps = ["app", "list"]
[target.list]
run = "ran list"
[target.own]
private = true
run = "ran own"
deps = ["gen"]
[target.last]
after = ["own"]
run = "ran last"
"#;

fn many() -> Project {
    let p = Project::new(MANY);
    p.write("v", "1").write("a.c", "").write("b.c", "");
    p
}

#[test]
fn list_tells_what_can_be_built() {
    let p = many();
    let expected = "\
gen
obj   Compiles (2 tasks)
app   (default)
both  (group)
list  (hides a tool: `taskr tool list`)
last

variables (-D NAME=VALUE sets one):
  cc = \"cc\"
  flags = [\"-O2\", \"two words\"]
  mode = \"{{ env.MODE | default('fast') }}\"  (of app)
";
    p.taskr(["tool", "list"]).stdout(expected).ok();
    let output = p.taskr(["tool", "list", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(json["version"], 1);
    assert_eq!(json["default"], serde_json::json!(["app"]));
    let obj = serde_json::json!({
        "name": "obj", "package": "", "doc": "Compiles", "default": false, "private": false,
        "kind": "recorded", "tasks": 2,
        "place": {
            "file": "Taskfile.toml", "line": 9, "column": 9, "end_line": 9, "end_column": 12,
        },
    });
    assert_eq!(json["targets"][1], obj);
    assert_eq!(json["targets"][3]["kind"], "group");
    assert_eq!(json["targets"][4]["kind"], "unrecorded");
    assert_eq!(json["variables"][1]["default"], serde_json::json!(["-O2", "two words"]));
}

#[test]
fn list_of_a_taskfile_with_a_mistake() {
    let p = Project::new("[target.a]\nforeach = [\"*.c\"]\nrun = \"true\"\n");
    let output = p.taskr(["list"]).stdout("a\n").any_warning().ok();
    let text = "warning: tasks are not counted, because the Taskfile has a mistake\n\
                help: `taskr check` shows it\n";
    assert_eq!(output.stderr, text);
    let output = p.taskr(["list", "--json"]).any_warning().ok();
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert!(json["targets"][0]["tasks"].is_null());
    p.taskr(["list", "-D", "x=1"]).says("has no variable `x`").exits(2);
}

/// Where no number would stand none is missing: the names need no graph.
#[test]
fn list_counts_only_what_it_tells() {
    let plain = "[target.a]\ndeps = [\"b\"]\nrun = \"true\"\n";
    let p = Project::new(plain);
    let output = p.taskr(["list"]).stdout("a\n").ok();
    assert_eq!(output.stderr, "");
    p.taskr(["list", "--json"]).any_warning().ok();
    p.write(
        "Taskfile.toml",
        &format!("{plain}[target.c]\nforeach = [\"Task*\"]\nrun = \"true\"\n"),
    );
    p.taskr(["list"]).stdout("a\nc\n").warns("tasks are not counted").ok();
}

#[test]
fn show_tells_what_a_task_came_to() {
    let p = many();
    let expected = "\
obj@a.c: runs when what it reads, makes or executes changed  (Taskfile.toml:9:9)
  doc
    Compiles  (Taskfile.toml:10:1)
  item
    a.c  (`foreach`, Taskfile.toml:11:1)
  dir
    .  (default)
  inputs
    a.c    (`foreach`, Taskfile.toml:11:1)
    gen.h  (Taskfile.toml:12:12)
  exec
    clang -O2 'two words' a.c .taskr/tasks/obj@a.c/out/a.o  (Taskfile.toml:13:1)
  waits for
    gen  (makes gen.h, Taskfile.toml:12:12)
  variables
    cc = clang             (-D)
    flags = -O2 two words  (Taskfile.toml:4:10)
";
    p.taskr(["show", "obj@a.c", "-D", "cc=clang"]).stdout(expected).ok();
    let expected = "\
app: runs when what it reads, makes or executes changed  (Taskfile.toml:14:9)
  dir
    .  (default)
  inputs
    … not known before it has run  (`@obj`, Taskfile.toml:15:12)
  outputs
    bin/app  (Taskfile.toml:16:12)
  run
    cc  .taskr/tasks/app/out/bin/app         (Taskfile.toml:19:1)
    … and the inputs that are not known yet
  shell
    sh -eu -c  (default)
  env
    M=fast  (Taskfile.toml:18:13)
  waits for
    obj  (`@obj` in `inputs`, Taskfile.toml:15:12)
  variables
    cc = cc              (Taskfile.toml:3:6)
    env.MODE is not set  (the environment)
    mode = fast          (Taskfile.toml:17:20)
";
    let output = p.taskr(["show"]).ok();
    assert_eq!(output.stdout, expected);
}

#[test]
fn show_tells_what_becomes_of_results() {
    let p = Project::new(
        "[target.image]\ninputs = []\nvars = { tag = \"a b\" }\nrun = \"true\"\nmax_age = \"1.5h\"\n\
         fresh_if = \"test -e {{ tag }}\"\ncache = false\n\
         [target.fmt]\nforeach = [\"a\", \"b\"]\ninputs = [\"{{ item }}\"]\nfixes_inputs = true\n\
         restage = true\nrun = \"fmt {{ item }}\"\n",
    );
    let image = p.taskr(["show", "image"]).ok().stdout;
    let settings = "\
  fresh_if
    test -e 'a b'  (Taskfile.toml:6:1)
  cache
    false  (Taskfile.toml:7:1)
  max_age
    1.5h  (Taskfile.toml:5:1)
";
    assert!(image.contains(settings), "{image}");
    let fmt = p.taskr(["show", "fmt"]).ok().stdout;
    let settings = "\
  fixes_inputs
    true  (Taskfile.toml:11:1)
  restage
    true  (Taskfile.toml:12:1)
";
    assert!(fmt.contains(settings), "{fmt}");
    p.taskr(["check"])
        .any_warning()
        .stdout("Taskfile.toml is fine, with 2 warnings: 2 targets, 3 tasks\n")
        .ok();
}

#[test]
fn show_tells_what_the_tasks_of_a_target_share() {
    let p = many();
    for number in 0..11 {
        p.write(format!("c{number:02}.c"), "");
    }
    let output = p.taskr(["show", "obj"]).ok();
    let (head, tasks) = output.stdout.split_once("  tasks\n").expect("tasks");
    assert!(head.starts_with("obj: a target of several tasks  (Taskfile.toml:9:9)\n"), "{head}");
    assert!(head.contains("  foreach\n    *.c  (Taskfile.toml:11:12)\n"), "{head}");
    let expected: String = (0..8).map(|number| format!("    obj@c{number:02}.c\n")).collect();
    let expected = format!("    obj@a.c\n    obj@b.c\n{expected}    … and 3 more\n");
    assert_eq!(tasks, expected);
    let output = p.taskr(["show", "obj", "own", "both", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(json["version"], 1);
    let shown = &json["shown"];
    assert_eq!(shown[0]["fields"]["tasks"].as_array().map(Vec::len), Some(13));
    assert_eq!((&shown[1]["name"], &shown[1]["kind"]), (&"own".into(), &"unrecorded".into()));
    assert_eq!(shown[1]["fields"]["waits for"][0]["from"], "`deps`");
    assert_eq!(shown[2]["fields"]["members"][1]["value"], "list");
}

#[test]
fn check_of_a_taskfile_that_is_fine() {
    let p = many();
    p.taskr(["check"]).stdout("Taskfile.toml is fine: 7 targets, 7 tasks\n").ok();
}

#[test]
fn check_warns_of_what_nobody_means() {
    let p = Project::new(
        "vars = { used = \"1\", lost = \"2\" }\n[target.a]\nrun = \"{{ used }}\"\n\
         [target.b]\nprivate = true\nrun = \"true\"\n",
    );
    let output = p
        .taskr(["check"])
        .stdout("Taskfile.toml is fine, with 2 warnings: 2 targets, 2 tasks\n")
        .any_warning()
        .ok();
    let expected = "\
warning: the variable `lost` is not used
 --> Taskfile.toml:1:22
  |
1 | vars = { used = \"1\", lost = \"2\" }
  |                      ^^^^
  |
  = help: remove it, or write `{{ lost }}` where it belongs

warning: nothing can build `b`
 --> Taskfile.toml:4:9
  |
4 | [target.b]
  |         ^ is private, and no other target needs it
  |
  = help: remove `private = true`, or name it in the `deps` of a target

";
    assert_eq!(output.stderr, expected);
    p.taskr(["check", "--strict"]).any_warning().exits(2);
}

/// A build would end with 2 here, or never see an edited header: `check` says so before.
#[test]
fn check_doubts_what_is_not_there() {
    let p = Project::new(
        r#"default = ["app", "sub", "own", "late", "uses"]
[target.app]
inputs  = ["nope.c", "sr/*.c", "?maybe", "in"]
outputs = ["app"]
run     = "cat {{ inputs }} -MF a.d > {{ outputs }}"
[target.all]
deps = ["sub"]
[target.sub]
dir = "zz"
run = "true"
[target.own]
shell = ["no-shell", "-c"]
run   = "true"
[target.gen]
outputs = ["gen/x", "made/*.h"]
exec    = ["no-program"]
[target.late]
inputs  = ["gen/x", "gen", "made/a.h", "made/*"]
outputs = ["late"]
run     = "cat {{ inputs }} > {{ outputs }}"
[target.uses]
inputs = ["@all"]
run    = "true"
"#,
    );
    p.write("in", "");
    let told = "Taskfile.toml is fine, with 7 warnings: 7 targets, 6 tasks\n";
    let output = p.taskr(["check"]).stdout(told).any_warning().ok();
    for text in [
        "the command writes a depfile that taskr does not read\n --> Taskfile.toml:5:11\n",
        "write `-MMD -MF {{ depfile }}`\n",
        "`@all` gives no file\n  --> Taskfile.toml:22:11\n",
        "to only wait for it, write `deps = [\"all\"]`\n",
        "`nope.c` does not exist\n --> Taskfile.toml:3:12\n",
        "correct the name, or write `?nope.c` if it may be absent\n",
        "`sr/*.c` matches no file\n --> Taskfile.toml:3:22\n",
        "`sub` cannot run: its folder `zz` does not exist\n --> Taskfile.toml:9:7\n",
        "there is no program `no-shell` in PATH\n  --> Taskfile.toml:12:10\n",
        "there is no program `no-program` in PATH\n  --> Taskfile.toml:16:12\n",
    ] {
        assert!(output.stderr.contains(text), "{text}\n{output}");
    }
    p.taskr(["check", "--strict"]).any_warning().exits(2);
}

#[test]
fn show_tells_what_is_not_there() {
    let p = Project::new(
        "[target.app]\ninputs = [\"nope.c\", \"sr/*.c\", \"in\"]\noutputs = [\"app\"]\n\
         run = \"cat {{ inputs }} > {{ outputs }}\"\n",
    );
    p.write("in", "");
    let output = p.taskr(["show", "app"]).any_warning().ok();
    for text in [
        "    nope.c  (does not exist, Taskfile.toml:2:11)\n",
        "    sr/*.c  (matches no file, Taskfile.toml:2:21)\n",
        "    in      (Taskfile.toml:2:31)\n",
    ] {
        assert!(output.stdout.contains(text), "{text}\n{output}");
    }
}

#[test]
fn a_header_is_known_by_the_depfile() {
    let p = Project::new(
        "[target.obj]\ninputs = [\"a.c\"]\noutputs = [\"a.o\"]\n\
         run = \"ran obj; echo a.o: a.c util.h > {{ depfile }}; cp a.c {{ outputs }}\"\n",
    );
    p.write("a.c", "a").write("util.h", "");
    p.taskr(["obj"]).ran(["obj"]).makes("a.o", "a").ok();
    let output = p.taskr(["util.h"]).exits(2);
    let text = "error: there is no target `util.h`\n\
                help: it is a source, read by `obj` (by depfile): name what is made of it\n";
    assert_eq!(output.stderr, text);
}

#[test]
fn check_tells_all_mistakes() {
    let p = Project::new("default = [\"aa\"]\n[taskr]\njobs = \"x\"\n[target.a]\nrun = \"true\"\n");
    let output = p.taskr(["check"]).stdout("").exits(2);
    let expected = "\
error: there is no target `aa`
 --> Taskfile.toml:1:12
  |
1 | default = [\"aa\"]
  |            ^^^^ a bare `taskr` would build it
  |
  = help: did you mean `a`?

error: `jobs` takes ";
    assert!(output.stderr.starts_with(expected), "{output}");
    let output = p.taskr(["check", "--json"]).exits(2);
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((&json["fine"], &json["version"]), (&false.into(), &1.into()));
    let lines: Vec<_> =
        json["diagnostics"].as_array().expect("a list").iter().map(|one| &one["line"]).collect();
    assert_eq!(lines.len(), 2, "{json}");
    assert!(lines.contains(&&3.into()) && lines.contains(&&1.into()), "{json}");
    assert_eq!(output.stderr, "");
}

/// Where there is no Taskfile, or none that can be read, editors get the same shape.
#[test]
fn check_of_what_cannot_be_read() {
    let p = Project::empty();
    let output = p.taskr(["check", "--json"]).exits(2);
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let found = &json["diagnostics"][0];
    assert!(found["message"].as_str().is_some_and(|text| text.contains("Taskfile.toml")));
    assert!(found["line"].is_null() && found["file"].is_null());
    p.write("Taskfile.toml", "x = [");
    for tool in ["list", "show", "log", "clean", "check"] {
        let output = p.taskr([tool]).stdout("").exits(2);
        assert!(output.stderr.starts_with("error: this list is not closed\n"), "{output}");
    }
    let output = p.taskr(["check", "--json"]).exits(2);
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let found = &json["diagnostics"][0];
    assert_eq!((&found["line"], &found["column"]), (&1.into(), &5.into()));
}

/// `taskr list | head`: the reader has gone before the first line.
#[test]
fn a_closed_pipe_is_no_error() {
    let p = many();
    for args in [&["tool", "list"][..], &["show", "obj"], &["check"], &["clean"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = p.command(&p.root(), args).stdout(writer).status().expect("taskr starts");
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}

/// `check` answers a default that names no task as the build does.
#[test]
fn check_tells_the_task_that_was_meant() {
    let p = Project::new(
        "default = [\"t@x=2\"]\n[target.t]\nmatrix = { x = [\"1\"] }\nrun = \"ran t\"\n",
    );
    for args in [&["check"][..], &[]] {
        let run = p.taskr(args).says("there is no task `t@x=2`");
        run.says("did you mean `t@x=1`?").exits(2);
    }
    p.taskr(["check"]).says("Taskfile.toml:1:12").says("a bare `taskr` would build it").exits(2);
}

/// A target of a tool's name comes first; how the tool is reached is said wherever it is asked for.
#[test]
fn a_tool_that_a_target_hides_is_reached() {
    let p = Project::new("default = [\"check\"]\n[target.check]\nrun = \"ran check\"\n");
    p.taskr(["check"]).ran(["check"]).ok();
    p.taskr(["tool", "check"]).says("Taskfile.toml is fine").ok();
    p.taskr(["list"]).says("hides a tool: `taskr tool check`").ok();
    let help = p.taskr(["help", "check"]).says("Check the Taskfile without running anything").ok();
    assert!(help.stdout.ends_with("write `taskr tool check` for the tool.\n"), "{help}");
    let help = p.taskr(["help", "list"]).ok();
    assert!(!help.stdout.contains("has a target"), "{help}");
}
