//! Names of tasks, and references to them.

use super::*;

/// Targets that all references below go to.
const MANY: &str = r#"
[target.one]
outputs = ["o"]
run = "x"

[target.obj]
foreach = ["src/*.c"]
outputs = ["{{ item.stem }}.o"]
run = "x"

[target.test]
matrix = { os = ["linux", "mac"], db = ["pg", "sqlite"] }
run = "x"

[target.both]
foreach = ["src/*.c", "plain"]
matrix = { mode = ["debug", "release"] }
run = "x"
"#;

fn many() -> World {
    World::with(&["src/a.c", "src/b.c"])
}

#[test]
fn tasks_are_named_by_item_and_axes_in_order() {
    let graph = many().graph(MANY);
    let expected = [
        "one",
        "obj@src/a.c",
        "obj@src/b.c",
        "obj",
        "test@os=linux,db=pg",
        "test@os=linux,db=sqlite",
        "test@os=mac,db=pg",
        "test@os=mac,db=sqlite",
        "test",
        "both@src/a.c,mode=debug",
        "both@src/a.c,mode=release",
        "both@src/b.c,mode=debug",
        "both@src/b.c,mode=release",
        "both@plain,mode=debug",
        "both@plain,mode=release",
        "both",
    ];
    assert_eq!(names(&graph), expected);
    let targets: Vec<&str> = graph.targets().iter().map(|&id| graph.name(id)).collect();
    assert_eq!(targets, ["one", "obj", "test", "both"]);
    for name in expected {
        assert_eq!(graph.find(name).map(|id| graph.name(id)), Some(name));
    }
    for name in ["two", "obj@", "obj@src/c.c", "test@os=linux", ""] {
        assert!(graph.find(name).is_none(), "{name}");
    }
}

/// The group of a target's tasks is one node, so that whoever needs the target has one edge.
#[test]
fn references_pick_tasks() {
    let world = many();
    let table: &[(&str, &[&str])] = &[
        ("one", &["one"]),
        ("obj", &["obj"]),
        ("obj@src/a.c", &["obj@src/a.c"]),
        ("obj@src/*.c", &["obj@src/a.c", "obj@src/b.c"]),
        ("obj@src/[!a].c", &["obj@src/b.c"]),
        ("obj@**/b.c", &["obj@src/b.c"]),
        ("obj@*", &["obj@src/a.c", "obj@src/b.c"]),
        ("obj@src/*", &["obj@src/a.c", "obj@src/b.c"]),
        ("test", &["test"]),
        ("test@os=l*,db=pg", &["test@os=linux,db=pg"]),
        ("test@os=*,db=pg", &["test@os=linux,db=pg", "test@os=mac,db=pg"]),
        ("test@*,db=pg", &["test@os=linux,db=pg", "test@os=mac,db=pg"]),
        (
            "both@*,mode=d*",
            &["both@src/a.c,mode=debug", "both@src/b.c,mode=debug", "both@plain,mode=debug"],
        ),
        ("test@os=linux,db=pg", &["test@os=linux,db=pg"]),
        ("test@db=pg,os=linux", &["test@os=linux,db=pg"]),
        ("test@db=pg", &["test@os=linux,db=pg", "test@os=mac,db=pg"]),
        ("both@src/a.c", &["both@src/a.c,mode=debug", "both@src/a.c,mode=release"]),
        ("both@mode=debug,src/*", &["both@src/a.c,mode=debug", "both@src/b.c,mode=debug"]),
        ("both@plain,mode=release", &["both@plain,mode=release"]),
    ];
    for (reference, expected) in table {
        for field in ["deps", "after"] {
            let text = format!("{MANY}\n[target.user]\n{field} = [\"{reference}\"]\nrun = \"x\"");
            let graph = world.graph(&text);
            let id = graph.find("user").expect("declared");
            let needs: Vec<&str> = graph.needs(id).iter().map(|&need| graph.name(need)).collect();
            assert_eq!(needs, *expected, "{field} {reference}");
            let (deps, after) = (graph.task(id).deps.len(), graph.task(id).after.len());
            let count = expected.len();
            let split = if field == "deps" { (count, 0) } else { (0, count) };
            assert_eq!((deps, after), split, "{field} {reference}");
        }
    }
}

#[test]
fn outputs_of_tasks_are_inputs() {
    let text = format!(
        "{MANY}\n[target.link]\ninputs = [\"x\", \"@obj@src/*.c:*.o\", \"@one\"]\nrun = \"x\""
    );
    let graph = many().graph(&text);
    assert_eq!(inputs(&graph, "link"), ["x", "@obj@src/*.c:*.o", "@one"]);
    let task = graph.task(graph.find("link").expect("declared"));
    let sources: Vec<Vec<&str>> =
        (task.sources.iter()).map(|ids| ids.iter().map(|&id| graph.name(id)).collect()).collect();
    assert_eq!(sources, [vec![], vec!["obj@src/a.c", "obj@src/b.c"], vec!["one"]]);
    assert_eq!(
        edges(&graph).last().map(String::as_str),
        Some("link <- obj@src/a.c, obj@src/b.c, one")
    );
}

/// A word with `=` picks by item where its left side is no axis of that target.
#[test]
fn an_item_may_hold_an_equals_sign() {
    let graph = graph(
        "[target.t]\nforeach = [\"a=1\", \"a=2\"]\nrun = \"x\"\n[target.u]\ndeps = [\"t@a=*\"]\n[target.v]\ndeps = [\"t@a=2\"]",
    );
    assert_eq!(edges(&graph), ["t <- t@a=1, t@a=2", "u <- t@a=1, t@a=2", "v <- t@a=2"]);
}

/// `{{ item }}` in a reference is that item, whatever characters it has.
#[test]
fn items_in_references_are_literal() {
    let world = World::with(&["[id].c", "a*.c", "a,b.c", "i.c", "p%.c", "x=y.c"]);
    let graph = world.graph(
        r#"
        [target.obj]
        foreach = ["*.c"]
        outputs = ["{{ item }}.o"]
        run = "x"
        [target.check]
        foreach = ["*.c"]
        inputs = ["@obj@{{ item }}"]
        run = "x"
        "#,
    );
    for item in ["[id].c", "a*.c", "a,b.c", "i.c", "p%25.c", "x=y.c"] {
        let line = format!("check@{item} <- obj@{item}");
        assert!(edges(&graph).contains(&line), "{line} in {:#?}", edges(&graph));
    }
}

#[test]
fn edges_are_told_once_and_both_ways() {
    let graph = graph(
        r#"
        [target.a]
        outputs = ["x", "y"]
        run = "x"
        [target.b]
        inputs = ["x", "y", "@a"]
        deps = ["a"]
        after = ["a"]
        run = "x"
        "#,
    );
    let (a, b) = (graph.find("a").expect("a"), graph.find("b").expect("b"));
    assert_eq!((graph.needs(b), graph.needed_by(a)), (&[a][..], &[b][..]));
    assert!(graph.reaches(b, a) && !graph.reaches(a, b) && !graph.reaches(a, a));
}

#[test]
fn groups_are_replaced_by_what_they_stand_for() {
    let graph = many().graph(&format!(
        "{MANY}\n[target.inner]\ndeps = [\"one\", \"obj\"]\n[target.all]\ndeps = [\"inner\", \"obj\", \"one\"]"
    ));
    let ids = [graph.find("all").expect("all"), graph.find("one").expect("one")];
    let found: Vec<&str> = graph.without_groups(&ids).iter().map(|&id| graph.name(id)).collect();
    assert_eq!(found, ["one", "obj@src/a.c", "obj@src/b.c"]);
}

#[test]
fn kinds_follow_from_what_is_declared() {
    let world = World::with(&["a.c"]);
    let table = [
        ("deps = []", Kind::Group),
        ("run = \"x\"", Kind::Unrecorded),
        ("deps = [\"z\"]\nrun = \"x\"", Kind::Unrecorded),
        ("env_inputs = [\"CI\"]\nrun = \"x\"", Kind::Unrecorded),
        ("foreach = [\"plain\"]\nrun = \"x {{ item }}\"", Kind::Unrecorded),
        ("matrix = { os = [\"a\"] }\nrun = \"x\"", Kind::Unrecorded),
        ("inputs = []\nrun = \"x\"", Kind::Recorded),
        ("outputs = []\nrun = \"x\"", Kind::Recorded),
        ("outputs = [\"o\"]\nrun = \"x\"", Kind::Recorded),
        ("installs = [\".venv\"]\nrun = \"x\"", Kind::Recorded),
        ("run = \"x -MF {{ depfile }}\"", Kind::Recorded),
        ("foreach = [\"*.c\"]\nrun = \"x\"", Kind::Recorded),
        ("foreach = [\"a.c\"]\nrun = \"x\"", Kind::Recorded),
    ];
    for (fields, kind) in table {
        let graph = world.graph(&format!("[target.z]\nrun = \"z\"\n[target.t]\n{fields}"));
        let tasks = graph.tasks().iter().filter(|task| task.rule.target.name == "t");
        let first = tasks.map(Task::kind).next();
        assert_eq!(first, Some(kind), "{fields}");
    }
}

#[test]
fn a_depfile_makes_a_task_recorded() {
    let graph = graph("[target.t]\ndepfile = \"d\"\nrun = \"x -MF d\"");
    assert_eq!(graph.task(graph.find("t").expect("declared")).kind(), Kind::Recorded);
}
