//! What a target reads beside one list of files: lists by name, combinations of a matrix,
//! environment files, arguments, programs.

use crate::project::Project;

#[test]
fn inputs_by_name() {
    let p = Project::new(
        r#"
[target.t]
inputs = { src = ["*.c", "!b.c"], all = ["b.c", "a.c"], one = "x.h" }
outputs = ["out"]
run = "ran t; echo {{ inputs.src }} : {{ inputs.all }} : {{ inputs.one }} : {{ inputs }} >{{ outputs }}"

[target.u]
foreach = ["*.h"]
inputs.lib = ["a.c"]
run = "ran u; test '{{ item | raw }} a.c' = \"$(echo {{ inputs }})\"; test a.c = {{ inputs.lib | first }}"
"#,
    );
    p.write("a.c", "1").write("b.c", "2").write("c.c", "3").write("x.h", "4");
    // What is taken away from one list stays in the other; all of them name each file once.
    let text = "a.c c.c : b.c a.c : x.h : a.c c.c b.c x.h\n";
    p.taskr(["t"]).ran(["t"]).makes("out", text).ok();
    p.fresh("t");
    for file in ["a.c", "b.c", "c.c", "x.h"] {
        p.write(file, "changed");
        p.taskr(["t", "-v"]).ran(["t"]).says(format!("{file} changed")).ok();
        p.fresh("t");
    }
    p.write("d.c", "5");
    let text = "a.c c.c d.c : b.c a.c : x.h : a.c c.c d.c b.c x.h\n";
    p.taskr(["t"]).ran(["t"]).makes("out", text).ok();
    p.taskr(["u"]).ran(["u"]).ok();
    p.fresh("u");
    p.write("a.c", "6");
    p.taskr(["why", "u"]).says("a.c changed").ok();
    p.taskr(["why", "--not", "t", "b.c"]).says("t").ok();
    p.taskr(["show", "t"])
        .says("inputs.src\n    a.c  (`*.c`, Taskfile.toml:3:19)")
        .says("inputs.all\n    b.c  (Taskfile.toml:3:42)\n    a.c")
        .ok();
    p.taskr(["show", "u"]).says("inputs.lib").ok();
    let json = p.taskr(["show", "--json", "t"]).ok();
    assert!(json.stdout.contains("\"inputs.one\""), "{}", json.stdout);
}

#[test]
fn changes_reach_each_list_by_itself() {
    let p = Project::new(
        "[target.t]\ninputs = { a = ['*.c'], b = ['*.h', '!**/x.*'] }\nrun = 'ran t'\n",
    );
    p.write("x.c", "1").write("x.h", "1").write("y.h", "1");
    p.taskr(["t"]).ran(["t"]).ok();
    p.taskr(["t", "--changed", "x.h"]).says("nothing to do").ok();
    p.write("x.c", "2");
    p.taskr(["t", "--changed", "x.c"]).ran(["t"]).ok();
}

#[test]
fn combinations_are_left_out() {
    let p = Project::new(
        r#"
[vars]
slow = "lite"

[target.t]
foreach = ["a", "b"]
matrix = { os = ["linux", "mac"], db = ["pg", "lite"], exclude = [{ os = "mac", db = "pg" }, { db = "{{ slow }}", os = "linux" }] }
run = "ran {{ item }}-{{ matrix.os }}-{{ matrix.db }}"
"#,
    );
    p.taskr(["t"]).ran(["a-linux-pg", "a-mac-lite", "b-linux-pg", "b-mac-lite"]).ok();
    p.taskr(["t@b,os=mac,db=lite"]).ran(["b-mac-lite"]).ok();
    p.taskr(["t@os=mac,db=pg"]).says("there is no task").exits(2);
    p.taskr(["t", "-D", "slow=nix"]).says("no value `nix`").exits(2);
    p.taskr(["show", "t"]).says("matrix.exclude\n    os=mac,db=pg ").ok();
}

#[test]
fn environment_files() {
    let p = Project::new(
        r#"
[target.t]
inputs = []
env_file = [".env", "?local.env"]
env = { MINE = "taskfile" }
run = 'ran t; echo "$A|$B|$MINE"'

[target.u]
env_file = "conf/u.env"
run = "ran u; test $WHO = $(echo generated)"

[target.conf]
inputs = ["who"]
outputs = ["conf/u.env"]
run = 'ran conf; echo "export WHO=$(cat who) # made" >{{ outputs }}'
"#,
    );
    p.write(".env", "A=1\nB='two  words' # comment\nMINE=file\n");
    p.taskr(["t"]).ran(["t"]).says("1|two  words|taskfile\n").ok();
    p.fresh("t");
    p.write("local.env", "B=local\n");
    p.taskr(["t", "-v"])
        .ran(["t"])
        .says("local.env is a new input")
        .says("1|local|taskfile\n")
        .ok();
    p.fresh("t");
    p.write(".env", "A=2\n");
    p.taskr(["why", "t"]).says(".env changed").ok();
    p.taskr(["t"]).ran(["t"]).says("2|local|taskfile\n").ok();
    p.taskr(["show", "t"]).says("env_file\n    .env ").never_says("local\n").ok();
    // One that another target makes is waited for, also by what is never up to date.
    p.write("who", "generated");
    p.taskr(["u"]).ran(["conf", "u"]).makes("conf/u.env", "export WHO=generated # made\n").ok();
    p.taskr(["u"]).ran(["u"]).ok();

    p.write(".env", "A=1\n\nB=$A\n");
    p.taskr(["t"])
        .says(
            "t  failed: .env:3: `$` in the value of `B` means one thing to some and another to others",
        )
        .says("Taskfile.toml:4:13")
        .says("put the whole value in single quotes")
        .any_warning()
        .exits(2);
    p.write(".env", "TASKR_ROOT=/\n");
    p.taskr(["t"]).says(".env sets `TASKR_ROOT`, which taskr itself sets").any_warning().exits(2);
    p.remove(".env");
    p.taskr(["t"])
        .says("its environment file .env does not exist")
        .says("`?.env`")
        .any_warning()
        .exits(2);
    p.taskr(["check"]).warns("`.env` does not exist").ok();
}

#[test]
fn a_path_from_an_environment_file_finds_programs() {
    let p = Project::new("[target.t]\ninputs = []\nenv_file = '.env'\nexec = ['mine']\n");
    let path = format!("PATH={}:/usr/bin:/bin\n", p.path("tools").display());
    p.write(".env", &path).write("tools/mine", "#!/bin/sh\necho one\n").chmod("tools/mine", 0o755);
    p.taskr(["t"]).says("one\n").ok();
    p.fresh("t");
    p.write("tools/mine", "#!/bin/sh\necho two\n");
    p.taskr(["t", "-v"]).says("the program mine changed").says("two\n").ok();
}

#[test]
fn the_whole_environment() {
    let p = Project::new("[target.t]\ninputs = []\nrun = 'ran t; echo \"<${MY_OWN-}|$TZ>\"'\n");
    p.taskr(["t"]).env("MY_OWN", "x").env("TZ", "CET").ran(["t"]).says("<|UTC>").ok();
    let text = p.read("Taskfile.toml");
    p.write("Taskfile.toml", &format!("[taskr]\nenv = 'inherit'\n\n{text}"));
    let run = p.taskr(["t", "-v"]).env("MY_OWN", "x").env("TZ", "CET");
    run.ran(["t"]).says("its environment changed").says("<x|CET>").ok();
    p.taskr(["t"]).env("MY_OWN", "y").ok();
    p.taskr(["check"]).warns("recorded tasks see the caller's whole environment").ok();
}

#[test]
fn arguments_go_to_what_was_asked_for() {
    let p = Project::new(
        r#"
default = ["all"]

[target.lib]
args = true
inputs = []
outputs = ["lib.txt"]
run = "ran lib {{ args }}; echo lib >{{ outputs }}"

[target.test]
args = true
inputs = ["@lib"]
run = "ran test {{ args }}"

[target.all]
deps = ["test", "other"]

[target.other]
run = "ran other"

[target.start]
args = true
exec = ["ran", "start", "{{ args }}", "end"]
"#,
    );
    p.taskr(["test", "--", "-k", "a b", "$x"])
        .ran(["lib", "test -k a b $x"])
        .makes("lib.txt", "lib\n")
        .ok();
    p.taskr(["test", "--", "-k", "a b", "$x"]).ok();
    p.taskr(["why", "test"]).says("its arguments are others; its command changed").ok();
    p.taskr(["why", "test", "--", "-k", "a b", "$x"]).says("test is up to date").ok();
    p.taskr(["-n", "test", "--", "-x"]).says("would run test: its arguments are others").ok();
    p.taskr(["test"]).ran(["test"]).ok();
    // Through a group, and the default.
    p.taskr(["--", "one"]).ran(["test one", "other"]).ok();
    p.taskr(["lib", "--", "two"]).ran(["lib two"]).ok();
    p.taskr(["start", "--", "a", "", "b  c"]).ran(["start a  b  c end"]).ok();
    p.taskr(["start"]).ran(["start end"]).ok();

    p.taskr(["other", "--", "x y"])
        .says("`other` takes no arguments: 'x y'")
        .says("asked for by name: `lib`, `test`, `start`")
        .exits(2);
    p.write("Taskfile.toml", "[target]\nt = 'ran t'\n");
    p.taskr(["t", "--", "x"]).says("add it to [target.t], and write `{{ args }}`").exits(2);
    p.taskr(["t", "--"]).ran(["t"]).removes("lib.txt").ok();
}

#[test]
fn tools_count_by_content_or_by_what_they_print() {
    let p = Project::new(
        r#"
[target.t]
foreach = ["a", "b", "c"]
inputs = []
tools = ["helper", "compiler --version"]
run = "ran {{ item }}"
"#,
    );
    let compiler = |version: &str, more: &str| {
        let script = format!("echo asked >>~/asked; echo {version}; echo note >&2 {more}");
        p.program("compiler", &script);
    };
    compiler("1.0", "");
    p.program("helper", "echo one");
    let asked = || {
        let path = p.outside("home/asked");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().count()
    };
    p.taskr(["t"]).ran(["a", "b", "c"]).ok();
    assert_eq!(asked(), 1, "once a run");
    p.fresh("t");
    // Another content that says the same is the same compiler, but not the same helper.
    compiler("1.0", "# rebuilt");
    p.fresh("t");
    compiler("1.1", "");
    asked();
    p.taskr(["-n", "t@a"]).says("would run t@a: `compiler --version` prints something else").ok();
    assert_eq!(asked(), 1, "a dry run asks, too");
    p.taskr(["why", "t@a"]).says("`compiler --version` prints something else").ok();
    p.taskr(["t"]).ran(["a", "b", "c"]).ok();
    p.program("helper", "echo two");
    p.taskr(["t@a", "-v"]).ran(["a"]).says("the program helper changed").ok();
    p.taskr(["show", "t@a"]).says("tools\n    helper").ok();

    compiler("1.2", "; exit 3");
    p.taskr(["t@a"])
        .says("its tool `compiler --version` failed: exit 3")
        .says("it printed: note")
        .says("Taskfile.toml:5:20")
        .any_warning()
        .exits(2);
    std::fs::remove_file(p.outside("bin/helper")).expect("it was there");
    p.taskr(["t@a"])
        .says("its `tools`: there is no program `helper`")
        .says("Taskfile.toml:5:10")
        .any_warning()
        .exits(2);
    p.write("Taskfile.toml", "[target.t]\ninputs = []\ntools = ['a | b']\nrun = 'ran t'\n");
    p.taskr(["t"]).says("`a | b` is no program with plain words").any_warning().exits(2);
}

#[test]
fn a_task_for_each_output_of_another() {
    let p = Project::new(
        r#"
[target.gen]
matrix = { name = ["x", "y"] }
inputs = ["{{ matrix.name }}.in"]
outputs = ["gen/{{ matrix.name }}.c", "gen/{{ matrix.name }}.h"]
run = "ran gen; for f in {{ outputs }}; do cp {{ inputs }} $f; done"

[target.obj]
foreach = ["@gen:**/*.c", "own.c"]
inputs = []
outputs = ["{{ item.stem }}.o"]
run = "ran {{ item }}; cp {{ item }} {{ outputs }}"

[target.lint]
foreach = ["@obj", "!own.o"]
run = "ran lint {{ item.rel }}"
"#,
    );
    p.write("x.in", "x").write("y.in", "y").write("own.c", "own");
    let run = p.taskr(["lint"]).ran(["gen", "gen", "gen/x.c", "gen/y.c", "lint x.o", "lint y.o"]);
    run.makes("gen/x.c", "x")
        .makes("gen/x.h", "x")
        .makes("gen/y.c", "y")
        .makes("gen/y.h", "y")
        .makes("x.o", "x")
        .makes("y.o", "y")
        .ok();
    p.fresh("lint");
    p.write("x.in", "z");
    let run = p.taskr(["lint"]).ran(["gen", "gen/x.c", "lint x.o"]);
    run.makes("gen/x.c", "z").makes("gen/x.h", "z").makes("x.o", "z").ok();
    p.taskr(["show", "obj@gen/x.c"]).says("waits for\n    gen@name=x  (makes gen/x.c").ok();
}
