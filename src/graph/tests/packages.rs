//! What names mean across packages, and what a target of a package is made of.

use super::*;

/// Two packages on a third, and a root that builds all.
const WORKSPACE: &str = r#"
include = ["p/*"]
[vars]
mode = "debug"
level = "1"
[target.gen]
outputs = ["gen.txt"]
run = "x"
[target.build]
deps = [":build"]
>>> p/a
[vars]
mode = "own"
[target.build]
foreach = ["one", "two"]
inputs = ["src/*", "//gen.txt", "?../top"]
outputs = ["{{ item }}.o"]
exec = ["{{ mode }}", "{{ level }}", "{{ name }}", "{{ package.name }}", "{{ package.dir }}", "{{ dir }}"]
[target.pack]
inputs = ["@build@one", "@build:*.o"]
run = "x"
[target.private]
private = true
run = "x"
>>> p/b 1
[target.build]
inputs = ["@^build", "@^build:*.o"]
deps = ["//:gen"]
outputs = ["b.txt"]
run = "x"
[target.test]
dir = "sub"
inputs = ["f", "//p/x"]
outputs = ["../t"]
deps = ["//p/a:build@two"]
run = "x"
>>> p/c 2
[target.build]
deps = ["^build", "^gen"]
after = ["//p/...:test"]
run = "x"
"#;

#[test]
fn names_lead_to_other_packages() {
    let graph = graph(WORKSPACE);
    assert_eq!(
        edges(&graph),
        [
            "build <- //p/a:build, //p/b:build, //p/c:build",
            "//p/a:build@one <- gen",
            "//p/a:build@two <- gen",
            "//p/a:build <- //p/a:build@one, //p/a:build@two",
            "//p/a:pack <- //p/a:build, //p/a:build@one",
            "//p/b:build <- //p/a:build, gen",
            "//p/b:test <- //p/a:build@two",
            "//p/c:build <- //p/a:build, //p/b:build, //p/b:test",
        ]
    );
}

#[test]
fn paths_variables_and_names_are_those_of_the_package() {
    let graph = graph(WORKSPACE);
    let own = ["glob p/a/src/*", "gen.txt", "?p/top"];
    assert_eq!(inputs(&graph, "//p/a:build@one"), own);
    assert_eq!(outputs(&graph, "//p/a:build@one"), ["p/a/one.o"]);
    assert_eq!(argv(&graph, "//p/a:build@one"), ["own", "1", "build", "a", "p/a", "p/a"]);
    assert_eq!(inputs(&graph, "//p/b:test"), ["p/b/sub/f", "p/x"]);
    assert_eq!(outputs(&graph, "//p/b:test"), ["p/b/t"]);
    assert_eq!(inputs(&graph, "//p/a:pack"), ["@//p/a:build@one", "@//p/a:build:*.o"]);
    assert_eq!(inputs(&graph, "//p/b:build"), ["@^build", "@^build:*.o"]);
}

#[test]
fn the_command_line_selects_many() {
    let graph = graph(WORKSPACE);
    let selected = |name: &str| -> Vec<&str> {
        graph.select(name).into_iter().map(|id| graph.name(id)).collect()
    };
    let all = ["build", "//p/a:build", "//p/b:build", "//p/c:build"];
    assert_eq!(selected(":build"), all);
    assert_eq!(selected("//...:build"), all);
    assert_eq!(selected("//p/...:build"), all[1..]);
    assert_eq!(selected("//p/a/...:build"), all[1..2]);
    assert_eq!(selected(":build@two"), ["//p/a:build@two"]);
    assert_eq!(selected("//p/a:build@*"), ["//p/a:build@one", "//p/a:build@two"]);
    assert_eq!(selected(":private"), [""; 0]);
    assert_eq!(selected("//p/a:private"), ["//p/a:private"]);
    assert_eq!(selected("//...:nothing"), [""; 0]);
}

#[test]
fn what_a_package_reaches_without_the_target_is_passed_over() {
    let text = "include = ['p/*']\n[target]\nx = 'y'\n\
                >>> p/a\n[target.t]\ninputs = []\nrun = 'x'\n\
                >>> p/b 1\n[target.u]\nrun = 'x'\n\
                >>> p/c 1 2\n[target.t]\ndeps = ['^t']\nrun = 'x'\n";
    assert_eq!(edges(&graph(text)), ["//p/c:t <- //p/a:t"]);
}
