//! Packages: several Taskfiles in one workspace, by folder, by name and by what they depend on.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, SETTLED};
use crate::repository::committed;

/// `ui` depends on `core` by its manifest, `app` on `ui` by its Taskfile.
fn project() -> Project {
    let p = Project::new(
        r#"
include = [{ path = "packages/*", deps_from = "package.json" }, "app"]
default = [":build"]

[vars]
mode = "debug"

[target.gen]
inputs = ["gen.in"]
outputs = ["gen.txt"]
run = "ran gen {{ mode }}; cp gen.in {{ outputs }}"
"#,
    );
    let package = r#"
[target.build]
inputs = ["src/*", "@^build"]
outputs = ["dist/out.txt"]
run = "ran {{ package.name }}; cat {{ inputs }} > {{ outputs }}"

[target.test]
inputs = ["@build"]
run = "ran test {{ package.name }}; test -s {{ inputs }}"
"#;
    p.write("gen.in", "gen\n");
    p.write("packages/core/Taskfile.toml", &package.replace("src/*", "//gen.txt\", \"src/*"));
    p.write("packages/ui/Taskfile.toml", package);
    p.write("packages/core/package.json", r#"{ "name": "@x/core" }"#);
    p.write(
        "packages/ui/package.json",
        r#"{ "name": "@x/ui", "dependencies": { "@x/core": "workspace:*" } }"#,
    );
    p.write("app/Taskfile.toml", &format!("[package]\ndeps = [\"//packages/ui\"]\n{package}"));
    for (package, text) in [("packages/core", "core\n"), ("packages/ui", "ui\n"), ("app", "app\n")]
    {
        p.write(format!("{package}/src/a"), text);
    }
    p
}

/// What `ran` of the target `build` of each, in order.
const BUILT: [&str; 4] = ["gen debug", "@x/core", "@x/ui", "app"];

#[test]
fn a_workspace_builds_in_the_order_of_its_packages() {
    let p = project();
    p.taskr(["-j4"])
        .ran(BUILT)
        .makes("gen.txt", "gen\n")
        .makes("packages/core/dist/out.txt", "gen\ncore\n")
        .makes("packages/ui/dist/out.txt", "ui\ngen\ncore\n")
        .makes("app/dist/out.txt", "app\ngen\ncore\nui\ngen\ncore\n")
        .says("] //packages/ui:build")
        .ok();
    p.taskr::<&str>([]).says("4 tasks up to date").ok();
    p.taskr([":test"]).ran(["test @x/core", "test @x/ui", "test app"]).ok();
    // Only what reads it, directly or not.
    p.write("packages/ui/src/a", "new\n");
    p.taskr::<&str>([]).ran(["@x/ui", "app"]).any_files().ok();
    p.write("app/src/a", "new\n");
    p.taskr(["//...:build"]).ran(["app"]).any_files().ok();
    assert!(p.path(".taskr/tasks/packages%2Fui%3Abuild/result.json").exists());
    assert!(!p.path("packages/ui/.taskr").exists());
}

#[test]
fn below_a_package_bare_names_are_its_own() {
    let p = project();
    p.taskr(["build"])
        .within("packages/ui/src")
        .ran(["gen debug", "@x/core", "@x/ui"])
        .any_files()
        .ok();
    p.taskr(["test"]).within("packages/core").ran(["test @x/core"]).ok();
    p.taskr(["//:gen"]).within("app").ok();
    p.taskr(["-C", "app", "build"]).ran(["app"]).any_files().ok();
    p.taskr(["//packages/...:build"]).within("app").ok();
    p.taskr(["gen"]).within("app").says("that of the root is `//:gen`").exits(2);
    p.taskr(["tset"]).within("app").says("did you mean `test`?").exits(2);
    p.taskr::<&str>([]).within("app").says("Taskfile.toml has no `default`").exits(2);
    for (word, help) in [
        ("build", "3 packages have one: `:build`, or `//app:build`"),
        ("//packages/ui:biuld", "did you mean `//packages/ui:build`?"),
        ("//packages/iu:build", "did you mean `//packages/ui:build`?"),
        ("//packages/ui", "that is a package; its targets: `//packages/ui:build`"),
        (":biuld", "did you mean `:build`?"),
        ("^build", "all of this name are `:build`"),
    ] {
        p.taskr([word]).says(help).exits(2);
    }
    // A Taskfile that no other includes is a workspace of its own.
    p.write("other/Taskfile.toml", "[target]\nx = 'ran x'\n");
    p.taskr(["x"]).within("other").ran(["x"]).any_files().ok();
}

#[test]
fn what_a_task_is_told_of_its_package() {
    let p = Project::new("include = ['a', 'b']\n[vars]\nv = 'root'\nw = 'root'\n");
    p.write(
        "a/Taskfile.toml",
        r#"
[vars]
w = "own"

[target.t]
inputs = ["f"]
outputs = ["o"]
run = [
    "ran t",
    "echo {{ v }} {{ w }} {{ name }} {{ package.name }} {{ package.dir }} {{ dir }} > {{ outputs }}",
    "echo $TASKR_TARGET $TASKR_TASK $TASKR_ROOT >> {{ outputs }}",
]
"#,
    );
    p.write(
        "b/Taskfile.toml",
        r#"
[target.t]
deps = ["//a:t"]
inputs = []
run = "ran {{ target('//a:t').outputs }} {{ w }}"

[target.own]
inputs = []
outputs = ["x"]
run = "echo > x"

[target.u]
deps = ["own"]
inputs = []
run = "ran {{ target('own').outputs }} {{ target('//b:own').outputs }}"
"#,
    );
    p.write("a/f", "");
    p.taskr(["//a:t"]).ran(["t"]).makes("a/o", "root own t a a a\n//a:t //a:t ..\n").ok();
    p.taskr(["-D", "w=given", "//b:t"]).ran(["t", "../a/o given"]).any_files().ok();
    p.taskr(["//b:u"]).ran(["x x"]).any_files().ok();
    // What an expression gives counts.
    p.taskr(["-D", "v=other", "//a:t"]).ran(["t"]).any_files().ok();
}

#[test]
fn one_taskfile_for_many() {
    let p = Project::new(
        "include = [{ path = 'p/*', taskfile = 'make.toml' }]\ndefault = [':build']\n",
    );
    p.write(
        "make.toml",
        "[vars]\nword = 'shared'\n[target.build]\ninputs = ['in']\noutputs = ['out']\n\
         run = 'ran {{ package.dir }} {{ word }}; cp in out'\n",
    );
    p.write("p/a/in", "a\n").write("p/b/in", "b\n");
    p.write("p/b/Taskfile.toml", "[vars]\nword = 'own'\n[target]\nmore = 'ran more'\n");
    p.taskr(["-j1"])
        .ran(["p/a shared", "p/b own"])
        .makes("p/a/out", "a\n")
        .makes("p/b/out", "b\n")
        .ok();
    p.taskr(["more"]).within("p/b").ran(["more"]).ok();
    p.taskr(["build"]).within("p/a").ok();
    p.write("make.toml", &p.read("make.toml").replace("ran", "ran again"));
    p.taskr(["build"]).within("p/a").ran(["again p/a shared"]).any_files().ok();
    p.write("make.toml", "[target.build]\nrum = 'x'\n");
    p.taskr(["build"]).within("p/a").says("make.toml:2:1").says("did you mean `run`").exits(2);
}

#[test]
fn only_changed_packages_are_built() {
    let p = project();
    p.taskr(["-j1"]).ran(BUILT).any_files().ok();
    p.write("packages/ui/src/a", "new\n");
    p.taskr(["--changed", "packages/ui/src/a"]).ran(["@x/ui", "app"]).any_files().ok();
    // A manifest and a Taskfile say what their own package is.
    let tests = |file: &str| p.taskr([":test", "--changed", file]).any_files();
    tests("app/Taskfile.toml").ran(["test app"]).ok();
    tests("packages/ui/package.json").ran(["test @x/ui"]).ok();
    tests("Taskfile.toml").ran(["test @x/core"]).ok();
}

#[test]
fn tools_know_packages() {
    let p = project();
    p.taskr(["check"]).says("3 packages, 7 targets, 7 tasks").ok();
    p.taskr(["list"]).says("gen\n").says("//packages/ui:test\n").ok();
    p.taskr(["list"]).within("packages/ui").says("build\ntest\n//:gen\n//app:build\n").ok();
    let list = p.taskr(["list", "--json"]).within("packages/ui").ok().stdout;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["package"], "packages/ui");
    assert_eq!(list["packages"][2]["name"], "@x/ui");
    assert_eq!(list["packages"][2]["deps"], serde_json::json!(["//packages/core"]));
    assert_eq!(list["targets"][0]["name"], "//packages/ui:build");
    assert_eq!(list["targets"][0]["place"]["file"], "Taskfile.toml");
    p.taskr::<&str>([]).ran(BUILT).any_files().ok();
    let show = p.taskr(["show", "build"]).within("app");
    show.says("packages/ui/dist/out.txt").says("app/src/a").says("app  (its package)").ok();
    p.write("packages/core/src/a", "new\n");
    p.taskr(["why", "build"]).within("app").says("packages/core/src/a").ok();
    p.taskr(["log", "build"]).within("packages/ui").any_warning().ok();
    let clean = p.taskr(["clean", "build"]).within("app");
    clean.removes("app/dist/out.txt").says("app/dist/out.txt").any_files().ok();
    p.taskr(["clean"]).any_files().ok();
    assert!(!p.path("packages/ui/dist/out.txt").exists());
}

#[test]
fn hooks_are_the_workspaces() {
    let p = project();
    let hooks = "\n[hooks]\npre-commit = ['gen', ':test', '//app:build']\n";
    let taskfile = format!("{}{hooks}", p.read("Taskfile.toml"));
    p.write("Taskfile.toml", &taskfile);
    let Some(p) = committed(p) else { return };
    p.taskr(["hook", "run", "post-merge"]).within("app").says("has nothing for it").ok();
    p.taskr(["hook"]).within("app").says("not installed: gen :test //app:build").ok();
    p.write("gen.in", "new\n");
    let add = Command::new("git").args(["add", "gen.in"]).current_dir(p.root()).status();
    assert!(add.expect("git").success());
    let hook = p.taskr(["hook", "run", "pre-commit"]).within("app");
    hook.ran(BUILT.into_iter().chain(["test @x/core", "test @x/ui", "test app"]))
        .any_files()
        .any_warning()
        .ok();
    p.write("Taskfile.toml", &taskfile.replace("//app:build", "//app:biuld"));
    p.taskr(["check"]).says("there is no target `//app:biuld`").exits(2);
}

#[test]
fn a_broken_workspace_above_is_not_passed_over() {
    let p = project();
    p.write("Taskfile.toml", "include = ['app'\n");
    p.taskr(["build"]).within("app").says("Taskfile.toml:1").exits(2);
    // Without an `include` it has nothing to do with the package.
    p.write("Taskfile.toml", "[target\n");
    p.write("app/Taskfile.toml", "[target]\nx = 'ran x'\n");
    p.taskr(["x"]).within("app").ran(["x"]).any_files().ok();
}

#[test]
fn names_of_folders_may_hold_an_at() {
    let p = Project::new("include = ['p/@x/*']\n");
    p.write(
        "p/@x/a/Taskfile.toml",
        "[target.t]\nforeach = ['f@1', 'f2']\noutputs = ['{{ item }}.o']\n\
         run = 'ran {{ item }}; cp {{ item }} {{ outputs }}'\n",
    );
    p.write("p/@x/a/f@1", "1\n").write("p/@x/a/f2", "2\n");
    p.taskr(["//p/@x/a:t@f@1"]).ran(["f@1"]).makes("p/@x/a/f@1.o", "1\n").ok();
    p.taskr(["t@*"]).within("p/@x/a").ran(["f2"]).makes("p/@x/a/f2.o", "2\n").ok();
    p.fresh(":t");
}

/// Files that are written in a workspace that is up to date (none: a package is removed), what runs
/// then, and how it ends.
type Change = (&'static [(&'static str, &'static str)], &'static [&'static str], i32);

const CHANGES: [Change; 7] = [
    (&[("p/a/Taskfile.toml", "[target.build]\ninputs = []\nrun = 'ran new'\n")], &["new", "b"], 0),
    (&[("p/b/package.json", "{ \"dependencies\": {} }")], &["b"], 0),
    (
        &[("p/c/Taskfile.toml", "[target]\nbuild = 'ran c'\n"), ("p/c/package.json", "{}")],
        &["c"],
        0,
    ),
    (&[("s.toml", "[target.build]\ninputs = []\nrun = 'ran shared'\n")], &["shared"], 0),
    (&[("p/c/file", "")], &[], 2),
    (&[("p/b/Taskfile.toml", "[target\n")], &[], 2),
    (&[], &["b"], 0),
];

/// A workspace that was built: `b` depends on `a`, `q` shares a Taskfile.
fn built() -> Project {
    let p = Project::new(
        "include = [{ path = 'p/*', deps_from = 'package.json' }, { path = 'q', taskfile = 's.toml' }]\n\
         default = [':build']\n",
    );
    for name in ["a", "b"] {
        p.write(
            format!("p/{name}/Taskfile.toml"),
            &format!(
                "[target.build]\ninputs = ['?in', '@^build']\noutputs = ['out']\n\
                 run = 'ran {name}; echo {name} > out'\n"
            ),
        );
    }
    p.write("s.toml", "[target.build]\ninputs = []\nrun = 'ran q'\n").write("q/file", "");
    p.write("p/a/package.json", "{ \"name\": \"a\" }");
    p.write("p/b/package.json", "{ \"dependencies\": { \"a\": \"*\" } }");
    p.taskr::<&str>([]).ran(["a", "b", "q"]).any_files().ok();
    p
}

#[test]
fn what_says_what_packages_are_is_looked_at_again() {
    let projects: Vec<Project> = CHANGES.iter().map(|_| built()).collect();
    std::thread::sleep(SETTLED);
    for (p, (files, ran, code)) in projects.iter().zip(CHANGES) {
        p.taskr::<&str>([]).says("3 tasks up to date").ok();
        assert_eq!(fs::read_dir(p.path(".taskr/proofs")).map_or(0, Iterator::count), 1);
        p.taskr::<&str>([]).says("3 tasks up to date").ok();
        for (path, text) in files {
            p.write(path, text);
        }
        if files.is_empty() {
            fs::remove_dir_all(p.path("p/a")).expect("it was there");
        }
        p.taskr::<&str>([]).ran(ran.iter().copied()).any_files().any_warning().exits(code);
    }
}

#[test]
fn names_as_other_tools_write_them_lead_to_the_right_ones() {
    let p = project();
    for (word, told) in [
        ("ui:test", "did you mean `//packages/ui:test`?"),
        ("packages/ui:test", "did you mean `//packages/ui:test`?"),
        ("@x/ui#build", "did you mean `//packages/ui:build`?"),
        ("ui#biuld", "did you mean `//packages/ui:build`?"),
        ("ui:nope", "the targets of that package are `//packages/ui:build`"),
        ("//packages/ui:nope", "the targets of that package are `//packages/ui:build`"),
    ] {
        p.taskr([word]).says(told).exits(2);
    }
    // The default of the root stands for targets of all packages.
    p.taskr(["list"]).says("//app:build            (default)\n").ok();
}
