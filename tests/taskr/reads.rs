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
    p.taskr(["show", "t"]).says("matrix.exclude\n    os=mac,db=pg  (Taskfile.toml:7:").ok();
}
