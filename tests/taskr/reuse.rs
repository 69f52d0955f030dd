//! What targets take over from `[defaults]` and `[template.NAME]`, seen from outside.

use serde_json::Value;

use crate::project::Project;

/// Puts `new` in the place of `old` in the Taskfile.
fn edit(p: &Project, old: &str, new: &str) {
    let text = p.read("Taskfile.toml");
    assert!(text.contains(old), "{old}");
    p.write("Taskfile.toml", &text.replace(old, new));
}

#[test]
fn a_template_serves_several_targets_and_each_adds_its_own() {
    let p = Project::new(
        r#"
[defaults]
inputs = ["tools.lock"]
env    = { MODE = "plain" }

[template.join]
inputs = ["head.txt"]
run    = "ran {{ name }} $MODE; cat {{ inputs }} > {{ outputs }}"

[target.a]
use     = "join"
inputs  = ["a.txt"]
outputs = ["a.out"]

[target.b]
use     = "join"
outputs = ["b.out"]
env     = { MODE = "own" }

[target.c]
use     = "join"
inherit = false
outputs = ["c.out"]
run     = "ran c ${MODE:-none}; cat {{ inputs }} > {{ outputs }}"

[target]
fmt = "ran fmt $MODE"
all = { deps = ["a", "b", "c", "fmt"] }
"#,
    );
    p.write("tools.lock", "1\n").write("head.txt", "h\n").write("a.txt", "a\n");
    p.taskr(["all", "-j1"])
        .ran(["a plain", "b own", "c none", "fmt plain"])
        .makes("a.out", "1\nh\na\n")
        .makes("b.out", "1\nh\n")
        .makes("c.out", "h\n")
        .ok();
    // What came from the defaults counts as what the target itself says.
    p.write("tools.lock", "2\n");
    p.taskr(["all", "-j1"])
        .ran(["a plain", "b own", "fmt plain"])
        .makes("a.out", "2\nh\na\n")
        .makes("b.out", "2\nh\n")
        .ok();
    edit(&p, r#"inputs = ["head.txt"]"#, r#"inputs = ["?none.txt", "head.txt"]"#);
    p.taskr(["a", "b", "c", "-j1"]).ran(["a plain", "b own", "c none"]).ok();
    edit(&p, r#"MODE = "plain""#, r#"MODE = "new""#);
    p.taskr(["a", "b", "c", "-j1"]).ran(["a new"]).ok();
}

#[test]
fn what_the_defaults_need_themselves_makes_no_cycle() {
    let p = Project::new(
        r#"
[defaults]
deps   = ["setup"]
inputs = ["@setup"]

[target.setup]
inputs = ["@base"]
run    = "ran setup; echo s > $OUT/s"

[target.base]
outputs = ["base.txt"]
run     = "ran base; echo b > {{ outputs }}"

[target.app]
outputs = ["app.txt"]
run     = "ran app; cat {{ inputs }} > {{ outputs }}"
"#,
    );
    p.taskr(["app"])
        .ran(["base", "setup", "app"])
        .makes("base.txt", "b\n")
        .makes("app.txt", "s\n")
        .ok();
    p.fresh("app");
}

#[test]
fn show_names_the_table_of_each_line() {
    let p = Project::new(
        r#"
[defaults]
env = { MODE = "plain" }

[template.cc]
vars   = { flags = ["-O2", "-g"] }
inputs = ["common.h"]
run    = "cc {{ flags }} {{ inputs }}"

[target.app]
use     = "cc"
inputs  = ["app.c"]
outputs = ["app"]
"#,
    );
    p.write("common.h", "").write("app.c", "");
    let expected = "\
app: runs when what it reads, makes or executes changed  (Taskfile.toml:10:9)
  takes over
    [defaults]     (Taskfile.toml:2:2)
    [template.cc]  (Taskfile.toml:5:11)
  dir
    .  (default)
  inputs
    common.h  ([template.cc] at Taskfile.toml:7:11)
    app.c     (Taskfile.toml:12:12)
  outputs
    app  (Taskfile.toml:13:12)
  run
    cc -O2 -g common.h app.c  ([template.cc] at Taskfile.toml:8:1)
  shell
    sh -eu -c  (default)
  env
    MODE=plain  ([defaults] at Taskfile.toml:3:9)
  variables
    flags = -O2 -g  ([template.cc] at Taskfile.toml:6:21)
";
    p.taskr(["show", "app"]).stdout(expected).ok();
    let output = p.taskr(["show", "app", "--json"]).ok();
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let fields = &json["shown"][0]["fields"];
    assert_eq!(fields["inputs"][0]["table"], "[template.cc]");
    assert_eq!(fields["inputs"][1]["table"], Value::Null);
    assert_eq!(fields["env"][0]["table"], "[defaults]");
}

#[test]
fn an_error_says_for_which_target_and_item_a_template_is_wrong() {
    let p = Project::new(
        r#"
[template.cc]
outputs = ["{{ item.stem }}/../../x"]
run     = "cc {{ itme }}"

[target.obj]
use     = "cc"
foreach = ["*.c"]
"#,
    );
    p.write("a.c", "").write("b.c", "");
    let expected = "\
error: `itme` is not defined
 --> Taskfile.toml:4:18
  |
4 | run     = \"cc {{ itme }}\"
  |                  ^^^^
  |
  = note: from [template.cc], for target `obj` at Taskfile.toml:6:9
  = help: did you mean `item`?
";
    assert_eq!(p.taskr(["obj"]).exits(2).stderr, expected);
    edit(&p, "itme", "item");
    p.taskr(["obj"])
        .says("`a/../../x` leads out of the workspace")
        .says("from [template.cc], for task `obj@a.c` at Taskfile.toml:6:9")
        .exits(2);
    edit(&p, "{{ item.stem }}/../../x", "x");
    p.taskr(["obj"])
        .says("`obj@a.c` and `obj@b.c` both write x")
        .says("from [template.cc], for target `obj`")
        .exits(2);
}

#[test]
fn check_warns_of_what_nobody_takes_over() {
    let p = Project::new(
        r#"
default = ["a", "b"]

[template.used]
vars = { x = "1", y = "2" }
run  = "ran {{ name }}"

[template.lost]
run = "true"

[target.a]
use = "used"
env = { X = "{{ x }}" }

[target.b]
use = "used"
"#,
    );
    let expected = "\
warning: the variable `y` is not used
 --> Taskfile.toml:5:19
  |
5 | vars = { x = \"1\", y = \"2\" }
  |                   ^
  |
  = help: remove it, or write `{{ y }}` where it belongs

warning: the template `lost` is not used
 --> Taskfile.toml:8:11
  |
8 | [template.lost]
  |           ^^^^
  |
  = help: remove it, or write `use = \"lost\"` in a target

";
    let told = "Taskfile.toml is fine, with 2 warnings: 2 targets, 2 tasks\n";
    let output = p.taskr(["check"]).stdout(told).any_warning().ok();
    assert_eq!(output.stderr, expected);
}

/// Variables of all sorts.
fn with_variables() -> Project {
    Project::new(
        r#"
default = ["app"]

[vars]
cc    = "cc"
flags = ["-O2", "two words"]
line  = "{{ cc }} {{ flags }}"
late  = "{{ item }}.o"

[defaults]
vars = { mode = "plain" }

[template.t]
vars = { level = 3 }

[target.app]
use  = "t"
vars = { cc = "own" }
run  = "ran {{ line }} {{ mode }} {{ level }}"

[target.each]
foreach = ["a", "b"]
inherit = false
run     = "ran {{ late }}"
"#,
    )
}

#[test]
fn vars_tells_each_value_and_where_it_is_from() {
    let p = with_variables();
    let expected = "\
cc = cc                      ([vars] at Taskfile.toml:5:9)
flags = -O2 'two words'      ([vars] at Taskfile.toml:6:10)
line = {{ cc }} {{ flags }}  (as written, [vars] at Taskfile.toml:7:9)
late = {{ item }}.o          (as written, [vars] at Taskfile.toml:8:9)
app:
  mode = plain  ([defaults] at Taskfile.toml:11:17)
  level = 3     ([template.t] at Taskfile.toml:14:18)
  cc = own      ([target.app] at Taskfile.toml:18:15)
";
    p.taskr(["vars"]).stdout(expected).ok();
    let expected = "\
app:
  cc = gcc                     (-D)
  flags = -O2 'two words'      ([vars] at Taskfile.toml:6:10)
  line = {{ cc }} {{ flags }}  (as written, [vars] at Taskfile.toml:7:9)
  late = {{ item }}.o          (as written, [vars] at Taskfile.toml:8:9)
  mode = plain                 ([defaults] at Taskfile.toml:11:17)
  level = 3                    ([template.t] at Taskfile.toml:14:18)
";
    p.taskr(["vars", "app", "-D", "cc=gcc"]).stdout(expected).ok();
    let found = p.taskr(["vars", "each@b"]).ok().stdout;
    assert!(found.starts_with("each@b:\n") && found.contains("  late = b.o "), "{found}");
}

#[test]
fn vars_as_json_keeps_lists_and_tells_what_is_not_known_yet() {
    let p = with_variables();
    let output = p.taskr(["vars", "app", "--json", "-D", "cc=x"]).ok();
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(json["shown"][0]["of"], "app");
    let variables = &json["shown"][0]["variables"];
    assert_eq!((&variables[0]["value"], &variables[0]["from"]), (&"x".into(), &"-D".into()));
    assert_eq!(variables[1]["value"], serde_json::json!(["-O2", "two words"]));
    assert_eq!(
        (&variables[1]["table"], &variables[1]["place"]["line"]),
        (&"[vars]".into(), &6.into())
    );
    assert_eq!(variables[3]["value"], Value::Null);
    assert_eq!(variables[3]["written"], "{{ item }}.o");
    let output = p.taskr(["vars", "--json"]).ok();
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((&json["shown"][0]["of"], &json["shown"][1]["of"]), (&Value::Null, &"app".into()));
    p.taskr(["vars", "appp"]).says("did you mean `app`?").exits(2);
}

#[test]
fn what_the_root_shares_reaches_its_packages() {
    let p = Project::new(
        r#"
include = ["lib"]

[vars]
word = "root"

[profile.debug.vars]
word = "debug"

[defaults]
env  = { MODE = "root" }
deps = ["setup"]

[template.say]
inputs = ["a.txt"]
run    = "ran {{ package.name }} {{ word }} $MODE ${OWN:-no}; cat {{ inputs }} > {{ outputs }}"

[target.setup]
inputs = []
run    = "ran setup"

[target.own]
use     = "say"
outputs = ["{{ profile }}.own"]
vars    = { word = "mine" }
run     = "ran own {{ word }}"
inherit = false
"#,
    );
    p.write(
        "lib/Taskfile.toml",
        r#"
[defaults]
env = { OWN = "lib" }
[target.build]
use     = "say"
outputs = ["{{ profile }}.out"]
"#,
    );
    p.write("lib/a.txt", "a\n").write("a.txt", "r\n");
    p.taskr(["//lib:build", "-j1"])
        .ran(["setup", "lib root root lib"])
        .makes("lib/default.out", "a\n")
        .ok();
    p.taskr(["//lib:build", "-j1", "--profile", "default,debug"])
        .ran(["lib debug root lib"])
        .makes("lib/debug.out", "a\n")
        .ok();
    p.taskr(["show", "//lib:build"]).says("[defaults] at Taskfile.toml:11:10").ok();
    p.taskr(["vars", "//lib:build", "--profile", "debug"])
        .says("word = debug  ([profile.debug.vars] at Taskfile.toml:8:8)")
        .ok();
    p.taskr(["check"]).any_warning().ok();
    let text = p.read("lib/Taskfile.toml").replace("\"say\"", "\"sya\"");
    p.write("lib/Taskfile.toml", &text);
    p.taskr(["//lib:build"]).says("lib/Taskfile.toml:5:11").says("did you mean `say`?").exits(2);
}

/// A table of two layers is one: what is left out are combinations of all its axes.
#[test]
fn a_target_leaves_out_combinations_of_its_template() {
    let p = Project::new(
        r#"
[template.t]
matrix = { os = ["linux", "mac"], db = ["pg", "lite"] }
run = "ran {{ matrix.os }} {{ matrix.db }}"
[target.a]
use = "t"
matrix = { exclude = [{ os = "mac", db = "pg" }] }
[target.b]
use = "t"
matrix = { os = ["bsd"], exclude = [{ os = "bsd", db = "pg" }] }
"#,
    );
    p.taskr(["-j1", "a"]).ran(["linux pg", "linux lite", "mac lite"]).ok();
    p.taskr(["-j1", "b"]).ran(["bsd lite"]).ok();
    edit(&p, "os = \"mac\"", "so = \"mac\"");
    p.taskr(["a"]).says("the matrix has no axis `so`").says("did you mean `os`?").exits(2);
    edit(&p, "use = \"t\"", "run = \"x\"");
    p.taskr(["a"]).says("`matrix` is empty").exits(2);
}
