//! Items: which files and words become tasks.

use super::*;

/// The items of `each` in a Taskfile, by the names of its tasks.
fn items(world: &World, foreach: &str, rest: &str) -> Vec<String> {
    let text = format!("[target.each]\nforeach = {foreach}\nrun = \"x\"\n{rest}");
    let graph = world.graph(&text);
    let of_each = names(&graph).into_iter().filter_map(|name| name.strip_prefix("each@"));
    of_each.map(str::to_owned).collect()
}

#[test]
fn items_are_files_and_words_in_order() {
    let world = World::with(&["src/b.c", "src/a.c", "src/net/c.c", "src/.d.c", "z.c", "README"]);
    let table: &[(&str, &[&str])] = &[
        (r#"["src/*.c"]"#, &["src/a.c", "src/b.c"]),
        (r#""src/*.c""#, &["src/a.c", "src/b.c"]),
        (r#"["src/**/*.c"]"#, &["src/a.c", "src/b.c", "src/net/c.c"]),
        (r#"["z.c", "src/*.c", "src/**"]"#, &["z.c", "src/a.c", "src/b.c", "src/net/c.c"]),
        (r#"["src/**", "!src/net/**"]"#, &["src/a.c", "src/b.c"]),
        (r#"["src/**", "!src/a.c"]"#, &["src/b.c", "src/net/c.c"]),
        (r#"["src/**", "!src/net"]"#, &["src/a.c", "src/b.c"]),
        (r#"["src/**", "z.c", "!src"]"#, &["z.c"]),
        (r#"["!src/a.c", "src/*.c"]"#, &["src/a.c", "src/b.c"]),
        (r#"["src/*.c", "!src/a.c", "src/a.c"]"#, &["src/b.c", "src/a.c"]),
        (r#"["?src/*.h", "z.c"]"#, &["z.c"]),
        (r#"["?none.h", "?README", "z.c"]"#, &["README", "z.c"]),
        (r#"["?src/*.h"]"#, &[]),
        (r#"["linux", "mac", "linux"]"#, &["linux", "mac"]),
        (r#"["README", "word", "!word"]"#, &["README"]),
        (r#"["not/there.c"]"#, &["not/there.c"]),
        (r#"["{{ ['p', 'q r'] }}", "s"]"#, &["p", "q r", "s"]),
    ];
    for (foreach, expected) in table {
        assert_eq!(items(&world, foreach, ""), *expected, "{foreach}");
    }
}

/// Words written with wildcards by an expression are words, not globs.
#[test]
fn items_from_expressions_are_literal() {
    let world = World::with(&["a.c", "b.c"]);
    let vars = "[vars]\nall = [\"*.c\", \"!a.c\", \"?x\"]";
    assert_eq!(items(&world, "\"{{ all }}\"", vars), ["*.c", "!a.c", "?x"]);
}

/// A file is an input, and the first; a plain word is none.
#[test]
fn files_are_inputs() {
    let world = World::with(&["src/a.c", "there"]);
    let graph = world.graph(
        "[target.t]\nforeach = [\"src/*.c\", \"there\", \"word\", \"to/come\"]\ninputs = [\"x.h\"]\nrun = \"x\"",
    );
    assert_eq!(inputs(&graph, "t@src/a.c"), ["src/a.c", "x.h"]);
    assert_eq!(inputs(&graph, "t@there"), ["there", "x.h"]);
    assert_eq!(inputs(&graph, "t@word"), ["x.h"]);
    assert_eq!(inputs(&graph, "t@to/come"), ["to/come", "x.h"]);
}

#[test]
fn items_are_seen_from_the_targets_folder() {
    let world = World::with(&["web/src/a.ts", "shared/b.ts"]);
    let graph = world.graph(
        "[target.t]\ndir = \"web\"\nforeach = [\"src/*.ts\", \"//shared/*.ts\"]\nexec = [\"x\", \"{{ item }}\", \"{{ item.rel }}\"]",
    );
    assert_eq!(names(&graph), ["t@src/a.ts", "t@../shared/b.ts", "t"]);
    assert_eq!(argv(&graph, "t@src/a.ts"), ["x", "src/a.ts", "a.ts"]);
    assert_eq!(argv(&graph, "t@../shared/b.ts"), ["x", "../shared/b.ts", "b.ts"]);
    assert_eq!(inputs(&graph, "t@../shared/b.ts"), ["shared/b.ts"]);
}

/// Declared plain outputs of other targets are items, there or not; what stands at an output is
/// no file of its own.
#[test]
fn declared_outputs_are_items() {
    let world = World::with(&["gen/old.c", "gen/stale.o", "gen/glob/x.c"]);
    let rest = r#"
        [target.gen]
        outputs = ["gen/new.c", "gen/stale.o", "gen/other.h"]
        run = "x"
        [target.more]
        outputs = ["gen/glob/*.c"]
        run = "x"
    "#;
    assert_eq!(items(&world, "[\"gen/*.c\"]", rest), ["gen/new.c", "gen/old.c"]);
    assert_eq!(
        items(&world, "[\"gen/**\"]", rest),
        ["gen/new.c", "gen/old.c", "gen/other.h", "gen/stale.o"]
    );
    assert_eq!(items(&world, "[\"?gen/glob/*.c\"]", rest), [""; 0]);
}

/// A second build sees the outputs of the first one: they must not become items.
#[test]
fn own_outputs_are_no_items() {
    let text = r#"
        [target.twice]
        foreach = ["data/*.csv"]
        outputs = ["data/{{ item.stem }}.big.csv"]
        run = "x"
    "#;
    let fresh = World::with(&["data/a.csv"]);
    let built = World::with(&["data/a.csv", "data/a.big.csv"]);
    assert_eq!(names(&fresh.graph(text)), ["twice@data/a.csv", "twice"]);
    assert_eq!(names(&built.graph(text)), ["twice@data/a.csv", "twice"]);
}

/// Stages declared in the wrong order, each over the outputs of the one below: as many rounds.
#[test]
fn items_go_through_stages() {
    let world = World::with(&["a.0", "b.0"]);
    let mut text = String::new();
    for n in (1..6).rev() {
        let last = n - 1;
        text.push_str(&format!(
            "[target.s{n}]\nforeach = [\"*.{last}\"]\noutputs = [\"{{{{ item.stem }}}}.{n}\"]\nrun = \"x\"\n"
        ));
    }
    // A glob must match when it is first asked: only the lowest one does.
    text = text.replace("foreach = [\"*.", "foreach = [\"?*.");
    let graph = world.graph(&text);
    for n in 1..6 {
        let last = n - 1;
        let tasks = graph.tasks().iter().filter(|task| task.rule.target.name == format!("s{n}"));
        let tasks: Vec<&str> = tasks.map(|task| &task.rule.name[..]).collect();
        assert_eq!(tasks, [format!("s{n}@a.{last}"), format!("s{n}@b.{last}"), format!("s{n}")]);
    }
    assert!(edges(&graph).contains(&"s5@b.4 <- s4@b.3".to_owned()), "{:#?}", edges(&graph));
}

/// The same without `?`: what a lower stage declares counts, whatever the order.
#[test]
fn stages_need_no_question_mark() {
    let world = World::with(&["a.0"]);
    let up = "[target.one]\nforeach = [\"*.0\"]\noutputs = [\"{{ item.stem }}.1\"]\nrun = \"x\"\n";
    let down = "[target.two]\nforeach = [\"*.1\"]\nrun = \"x\"\n";
    for text in [format!("{up}{down}"), format!("{down}{up}")] {
        let graph = world.graph(&text);
        assert!(edges(&graph).contains(&"two@a.1 <- one@a.0".to_owned()), "{text}");
    }
}

#[test]
fn items_that_make_items_without_end_are_refused() {
    let world = World::with(&["a.x"]);
    let refusal = world.refusal(
        "[target.p]\nforeach = [\"*.x\"]\noutputs = [\"{{ item.stem }}p.y\"]\nrun = \"x\"\n\
         [target.q]\nforeach = [\"?*.y\"]\noutputs = [\"{{ item.stem }}q.x\"]\nrun = \"x\"\n",
    );
    assert!(refusal.contains("make more items without end"), "{refusal}");
}

#[test]
fn names_that_are_not_utf_8_work_and_stay_apart() {
    let world = World::with_bytes(&[b"\xff.c", b"%FF.c", b"a\nb.c"]);
    let graph = world.graph("[target.t]\nforeach = [\"*.c\"]\nrun = \"x\"");
    assert_eq!(names(&graph), ["t@%25FF.c", "t@a%0Ab.c", "t@%FF.c", "t"]);
    let path = match &rule(&graph, "t@%FF.c").inputs[0].value {
        Input::Path { path, .. } => path.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(path, b"\xff.c");
    assert_eq!(
        World::with_bytes(&[b"\xff.c"])
            .refusal("[target.t]\nforeach = [\"*.c\"]\noutputs = [\"{{ item }}.o\"]\nrun = \"x\"")
            .lines()
            .next(),
        Some("error: the file name `\\xff.c` is not UTF-8")
    );
}

/// A target none of whose items is there still has a name.
#[test]
fn no_items_is_an_empty_group() {
    let graph = graph("[target.t]\nforeach = [\"?*.c\"]\nrun = \"x\"\n[target.u]\ndeps = [\"t\"]");
    assert_eq!(names(&graph), ["t", "u"]);
    assert_eq!(graph.task(graph.find("t").expect("declared")).kind(), Kind::Group);
    assert_eq!(edges(&graph), ["u <- t"]);
}
