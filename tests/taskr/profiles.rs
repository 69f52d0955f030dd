//! Profiles: which targets have tasks of their own in each, and what they share.

use std::fs;

use serde_json::Value;

use crate::project::{Project, SETTLED};

const TASKFILE: &str = r#"
default = ["app", "doc"]

[vars]
flags = "-O2"

[profile.debug.vars]
flags = "-g"

[profile.release.vars]
flags = "-O3"

[target.gen]
outputs = ["gen.h"]
run     = "ran gen; echo h > {{ outputs }}"

[target.obj]
foreach = ["*.c"]
inputs  = ["gen.h"]
run     = "ran {{ name }} {{ item }} {{ flags }}; echo {{ flags }} > $OUT/{{ item.stem }}.o"

[target.app]
inputs  = ["@obj"]
outputs = ["bin/{{ profile }}/app"]
run     = "ran app {{ profile }}; cat {{ inputs }} > {{ outputs }}"

[target.test]
inputs = ["@app"]
run    = "ran test; grep -q . {{ inputs }}"

[target.doc]
inputs = []
run    = "ran doc"
"#;

fn project() -> Project {
    let p = Project::new(TASKFILE);
    p.write("a.c", "").write("b.c", "");
    p
}

#[test]
fn what_differs_has_tasks_in_each_profile_and_all_else_is_shared() {
    let p = project();
    p.taskr(["-j1"])
        .ran(["gen", "obj a.c -O2", "obj b.c -O2", "app default", "doc"])
        .makes("gen.h", "h\n")
        .makes("bin/default/app", "-O2\n-O2\n")
        .ok();
    p.taskr(["-j1", "--profile", "debug"])
        .ran(["obj a.c -g", "obj b.c -g", "app debug"])
        .makes("bin/debug/app", "-g\n-g\n")
        .says("app@profile=debug")
        .ok();
    p.taskr(["--profile", "debug"]).ran([""; 0]).ok();
    p.taskr([""; 0]).ran([""; 0]).ok();
    p.taskr(["-j1", "--profile=debug,release", "app", "test"])
        .ran(["obj a.c -O3", "obj b.c -O3", "app release", "test", "test"])
        .makes("bin/release/app", "-O3\n-O3\n")
        .ok();
    // One profile alone finds what several built, and the default beside others is itself.
    p.taskr(["--profile", "release", "test"]).ran([""; 0]).ok();
    p.taskr(["--profile", "default,debug"]).ran([""; 0]).ok();
    p.write("a.c", "new");
    p.taskr(["-j1", "--profile", "default,debug", "app"]).ran(["obj a.c -O2", "obj a.c -g"]).ok();
}

#[test]
fn outputs_of_other_profiles_stay_until_they_are_gone_there() {
    let p = project();
    p.taskr(["--profile", "default,debug", "app"]).any_ran().any_files().ok();
    let obj = |name: &str| p.path(format!(".taskr/tasks/{name}/out/a.o"));
    let (own, debug) = (obj("obj@a.c"), obj("obj@a.c,profile=debug"));
    assert!(own.exists() && debug.exists());
    p.remove("a.c");
    p.taskr(["app"]).ran(["app default"]).makes("bin/default/app", "-O2\n").ok();
    assert!(!own.exists() && debug.exists(), "it is gone in the default profile only");
    p.taskr(["app", "--profile", "debug"]).ran(["app debug"]).makes("bin/debug/app", "-g\n").ok();
    assert!(!debug.exists());
    // A profile that the Taskfile no longer has can never be built again.
    let without = p.read("Taskfile.toml").replace("[profile.debug.vars]\nflags = \"-g\"\n", "");
    p.write("Taskfile.toml", &without);
    p.taskr(["app"]).ran([""; 0]).removes("bin/debug/app").ok();
    // So are those of a target that is gone in all.
    p.taskr(["app", "--profile", "release"]).any_ran().makes("bin/release/app", "-O3\n").ok();
    let without = p.read("Taskfile.toml");
    let at = without.find("[target.app]").expect("a target");
    p.write("Taskfile.toml", &(without[..at].to_owned() + "[target]\ndoc = \"ran doc\"\n"));
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("\"app\", ", ""));
    p.taskr([""; 0]).ran(["doc"]).removes("bin/release/app").removes("bin/default/app").ok();
}

#[test]
fn a_target_may_stop_to_differ() {
    let p = Project::new(
        "[profile.debug.vars]\nx = 'd'\n[vars]\nx = 'o'\n[target.t]\noutputs = ['{{ x }}.txt']\n\
         run = 'ran t; echo 1 > {{ outputs }}'\n",
    );
    p.taskr(["t"]).ran(["t"]).makes("o.txt", "1\n").ok();
    p.taskr(["t", "--profile", "debug"]).ran(["t"]).makes("d.txt", "1\n").ok();
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("'{{ x }}.txt'", "'o.txt'"));
    p.taskr(["t"]).ran([""; 0]).ok();
    p.taskr(["t", "--profile", "debug"]).ran([""; 0]).removes("d.txt").ok();
    p.fresh("t");
}

#[test]
fn one_path_for_several_profiles_is_refused_where_they_are_built_at_once() {
    let p = project();
    p.write("Taskfile.toml", &TASKFILE.replace("bin/{{ profile }}/app", "bin/app"));
    let expected = "\
error: `app@profile=debug` and `app@profile=release` both write bin/app
  --> Taskfile.toml:24:12
   |
24 | outputs = [\"bin/app\"]
   |            ^^^^^^^^^ written by `app@profile=debug` and by `app@profile=release`
   |
   = help: each profile has tasks of its own: name it in the path, as in
           outputs = [\"bin/{{ profile }}/app\"]
";
    let output = p.taskr(["app", "--profile", "debug,release"]).exits(2);
    assert_eq!(output.stderr, expected);
    let output = p.taskr(["check"]).any_warning().ok();
    assert!(output.stderr.contains("`app` makes `bin/app` in each profile"), "{output}");
    // One after another they replace one another, and neither is ever taken for the other.
    p.taskr(["app"]).any_ran().makes("gen.h", "h\n").makes("bin/app", "-O2\n-O2\n").ok();
    p.taskr(["app", "--profile", "debug"]).any_ran().makes("bin/app", "-g\n-g\n").ok();
    p.taskr(["app"]).ran(["app default"]).makes("bin/app", "-O2\n-O2\n").ok();
    p.fresh("app");
}

/// A build that reads of the state what a few tasks need knows nevertheless that what stands there is
/// another profile's, and nobody's own.
#[test]
fn a_build_of_few_tasks_knows_what_another_profile_made() {
    // Of a smaller state all would be read.
    let others: Vec<String> = (0..150).map(|number| format!("'{number}'")).collect();
    let others = others.join(", ");
    let p = Project::new(&format!(
        "[profile.debug.vars]\nx = 'd'\n[vars]\nx = 'o'\n\
         [target.app]\ninputs = ['in']\noutputs = ['app']\n\
         run = 'ran app; echo {{{{ x }}}} > {{{{ outputs }}}}; ! grep -q wrong in'\n\
         [target.other]\nmatrix = {{ n = [{others}] }}\ninputs = []\nrun = 'true'\n\
         [target.all]\ndeps = ['app', 'other']\n",
    ));
    let debug = ["all", "--profile", "debug"];
    p.write("in", "right");
    p.taskr(debug).any_ran().any_files().ok();
    p.taskr(["all"]).any_ran().any_files().ok();
    p.accept_files();
    std::thread::sleep(SETTLED);
    for text in ["wrong", "wrong again"] {
        p.write("in", text);
        p.taskr(debug).ran(["app"]).exits(1);
    }
    p.write("in", "right again");
    p.taskr(debug).ran(["app"]).makes("app", "d\n").never_says("not as taskr left it").ok();
    assert!(!p.path(".taskr/replaced").exists());
}

#[test]
fn a_profile_that_is_not_there() {
    let p = project();
    p.taskr(["--profile", "debgu"])
        .says("error: there is no profile `debgu`\nhelp: did you mean `debug`?\n")
        .exits(2);
    p.taskr(["show", "app", "--profile", "zz"])
        .says("help: there are `debug`, `release` and `default`")
        .exits(2);
    let p = Project::new("[target]\na = 'true'\n");
    p.taskr(["a", "--profile", "x"]).says("the Taskfile has no profiles").exits(2);
    let p = Project::new("[taskr]\njobs = '{{ profile }}'\n[target]\na = 'true'\n");
    p.taskr(["a"]).says("Taskfile.toml:2:12").says("`jobs` holds for all profiles").exits(2);
}

#[test]
fn names_of_a_task_mean_its_own_profile() {
    let p = Project::new(
        r#"
[profile.debug]
[target.lib]
matrix  = { os = ["a", "b"] }
inputs  = []
run     = "ran lib {{ matrix.os }} {{ profile }}; echo {{ profile }} > $OUT/{{ matrix.os }}"

[target.use]
inputs  = ["@lib@os=b"]
deps    = ["lib"]
run     = "ran use {{ inputs }} {{ target('lib@os=a').out }}; cat {{ inputs }} > $OUT/x"

[target.none]
foreach = ["?*.none"]
deps    = ["use"]
run     = "ran none {{ item }}"

[target.all]
deps = ["use", "none"]
"#,
    );
    p.taskr(["all", "-j1", "--profile", "default,debug"])
        .ran([
            "lib a default",
            "lib b default",
            "lib a debug",
            "lib b debug",
            "use .taskr/tasks/lib@os=b/out/b .taskr/tasks/lib@os=a/out",
            "use .taskr/tasks/lib@os=b,profile=debug/out/b .taskr/tasks/lib@os=a,profile=debug/out",
        ])
        .ok();
    let made =
        |task: &str| fs::read_to_string(p.path(format!(".taskr/tasks/{task}/out/x"))).unwrap();
    assert_eq!([made("use"), made("use@profile=debug")], ["default\n", "debug\n"]);
    p.taskr(["use@profile=debug", "-B", "-j1", "--profile", "default,debug"])
        .ran([
            "lib a debug",
            "lib b debug",
            "use .taskr/tasks/lib@os=b,profile=debug/out/b .taskr/tasks/lib@os=a,profile=debug/out",
        ])
        .ok();
    p.taskr(["-n", "use", "--profile", "debug"]).says("up to date").ok();
    p.taskr(["log", "lib@os=a", "--profile", "debug"]).any_warning().ok();
    p.taskr(["why", "use", "--profile", "debug"]).says("use@profile=debug is up to date").ok();
}

#[test]
fn show_names_the_word_that_ties_a_target_to_its_profile() {
    let p = project();
    let of = |args: &[&str]| {
        let shown = p.taskr([&["show", "--json"], args].concat()).ok().stdout;
        let json: Value = serde_json::from_str(&shown).expect("JSON");
        let row = &json["shown"][0]["fields"]["profile"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(&row["value"]).zip(text(&row["from"])).zip(row["place"]["line"].as_u64())
    };
    let by = |profile: &str, from: &str, line| Some(((profile.to_owned(), from.to_owned()), line));
    let flags = "`{{ flags }}`, which [profile.debug.vars] sets at Taskfile.toml:8:1";
    assert_eq!(of(&["obj"]), by("default", flags, 20));
    assert_eq!(of(&["app", "--profile", "debug"]), by("debug", "`{{ profile }}`", 24));
    assert_eq!(
        of(&["test", "--profile", "debug"]),
        by("debug", "through `app` by `{{ profile }}`", 24)
    );
    assert_eq!(of(&["gen", "--profile", "debug"]), None);
}

#[test]
fn vars_and_list_know_the_profiles() {
    let p = project();
    let line = "  flags = -g  ([profile.debug.vars] at Taskfile.toml:8:9)\n";
    p.taskr(["vars", "--profile", "debug"]).stdout(line.trim_start()).ok();
    let both = "profile default:\n  flags = -O2  ([vars] at Taskfile.toml:5:9)\nprofile debug:\n";
    p.taskr(["vars", "--profile", "default,debug"]).stdout(&format!("{both}{line}")).ok();
    let own = format!("app@profile=debug:\n{line}");
    p.taskr(["vars", "app", "--profile", "debug"]).stdout(&own).ok();
    p.taskr(["list"]).says("profiles (--profile NAME builds one): debug, release\n").ok();
    // A variable that the command line sets is the same in all, but the targets stay apart.
    p.taskr(["app", "-D", "flags=x", "--profile", "debug"])
        .any_ran()
        .makes("gen.h", "h\n")
        .makes("bin/debug/app", "x\nx\n")
        .ok();
}

#[test]
fn what_a_target_sets_itself_does_not_tie_it() {
    let p = Project::new(
        r#"
[profile.debug.vars]
x = "d"
[target.t]
vars   = { x = "own" }
inputs = []
run    = "ran t {{ x }}"
[target.unset]
inputs = []
run    = "ran unset {{ x }}"
"#,
    );
    p.taskr(["t", "unset"]).says("`x` is not defined").exits(2);
    p.taskr(["t", "unset", "--profile", "debug"]).ran(["t own", "unset d"]).ok();
    p.taskr(["t", "--profile", "debug"]).says("1 task up to date").ok();
    assert!(p.path(".taskr/tasks/t").exists() && !p.path(".taskr/tasks/t@profile=debug").exists());
}

/// An item that is called as a profile's task would be.
#[test]
fn an_item_cannot_have_the_name_of_a_task_in_a_profile() {
    let p = Project::new(
        r#"
        [profile.release.vars]
        level = "3"
        [vars]
        level = "0"
        [target.t]
        foreach = ["b", "b,profile=release"]
        outputs = ["{{ profile }}/{{ item }}"]
        run     = "ran {{ level }}; echo {{ level }} > {{ outputs }}"
        "#,
    );
    p.taskr(["--profile", "default,release", "t"])
        .says("error: two tasks are called `t@b,profile=release`")
        .exits(2);
}
