//! Edges that follow from paths, cycles, and graphs of any depth.

use super::*;

/// A maker and a reader; whether reading ties the two.
#[test]
fn reading_what_another_makes_is_an_edge() {
    let table = [
        (r#"outputs = ["x"]"#, r#"inputs = ["x"]"#, true),
        (r#"outputs = ["x"]"#, r#"inputs = ["?x"]"#, true),
        (r#"outputs = ["x"]"#, r#"inputs = ["./a/../x"]"#, true),
        (r#"outputs = ["x"]"#, r#"inputs = ["//x"]"#, true),
        (r#"outputs = ["x"]"#, r#"inputs = ["xy", "y/x"]"#, false),
        // A folder is all that lies in it.
        (r#"outputs = ["gen/a"]"#, r#"inputs = ["gen"]"#, true),
        (r#"outputs = ["gen/a"]"#, r#"inputs = ["ge"]"#, false),
        (r#"outputs = ["gen"]"#, r#"inputs = ["gen/deep/a"]"#, true),
        (r#"outputs = ["gen"]"#, r#"inputs = ["generated/a"]"#, false),
        // A glob that matches a plain output, or reads within one.
        (r#"outputs = ["gen/a.c"]"#, r#"inputs = ["gen/*.c"]"#, true),
        (r#"outputs = ["gen/a.c"]"#, r#"inputs = ["**/a.c"]"#, true),
        (r#"outputs = ["gen/a.c"]"#, r#"inputs = ["gen/*.h"]"#, false),
        (r#"outputs = ["gen"]"#, r#"inputs = ["gen/*.h"]"#, true),
        (r#"outputs = ["gen"]"#, r#"inputs = ["gen/**"]"#, true),
        (r#"outputs = ["gen/.hidden"]"#, r#"inputs = ["gen/*"]"#, false),
        // A wildcard above a folder whose name is written out.
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["p/*/gen/**"]"#, true),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["**/gen/*.c"]"#, true),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["{q,p/a}/gen/x/*.c"]"#, true),
        (r#"installs = ["p/a/gen"]"#, r#"inputs = ["p/*/gen/x"]"#, true),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["p/*/gem/**"]"#, false),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["p/*/*/x.c"]"#, false),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["**/*.c"]"#, false),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["p/*/gen/**", "!p/a/gen/**"]"#, false),
        (r#"outputs = ["p/a/gen"]"#, r#"inputs = ["p/*/gen/**", "!p/*/gen"]"#, true),
        // What is taken away is not read.
        (r#"outputs = ["gen/a.c"]"#, r#"inputs = ["gen/*.c", "!gen/a.c"]"#, false),
        (r#"outputs = ["gen/a.c"]"#, r#"inputs = ["!gen/a.c", "gen/*.c"]"#, true),
        (r#"outputs = ["gen/a.c", "gen/b.c"]"#, r#"inputs = ["gen/*.c", "!gen/a.c"]"#, true),
        (r#"outputs = ["gen/a.c"]"#, r#"inputs = ["**", "!gen"]"#, false),
        (r#"outputs = ["gen"]"#, r#"inputs = ["**", "!gen/**"]"#, false),
        (r#"outputs = ["gen/a.c", "b.c"]"#, r#"inputs = ["gen/*.c", "!gen/a.c"]"#, false),
        // What is set up in place for others.
        (r#"installs = ["node_modules"]"#, r#"inputs = ["node_modules/x/y.js"]"#, true),
        (r#"installs = ["node_modules"]"#, r#"inputs = ["node_modules"]"#, true),
        // An item is an input.
        (r#"outputs = ["gen/a.c"]"#, r#"foreach = ["gen/a.c"]"#, true),
    ];
    for (maker, reader, tied) in table {
        let text =
            format!("[target.user]\n{reader}\nrun = \"x\"\n[target.make]\n{maker}\nrun = \"x\"");
        let graph = graph(&text);
        let make = graph.find("make").expect("declared");
        assert_eq!(!graph.needed_by(make).is_empty(), tied, "{maker} {reader}");
    }
}

/// A task that reads what it makes itself does not wait for itself.
#[test]
fn own_outputs_tie_nothing() {
    let graph = graph(
        "[target.a]\ninputs = [\"gen/**\"]\noutputs = [\"gen/y\", \"x\", \"gen/z/**\"]\nrun = \"x\"",
    );
    assert_eq!(edges(&graph), [""; 0]);
}

/// Whoever reads what is installed depends on the installing task by its key.
#[test]
fn an_install_counts_by_its_key() {
    let graph = graph(
        r#"
        [target.npm]
        installs = ["node_modules"]
        run = "x"
        [target.lint]
        inputs = ["node_modules/.bin/eslint", "x"]
        run = "x"
        [target.gen]
        outputs = ["x"]
        run = "x"
        "#,
    );
    let lint = graph.task(graph.find("lint").expect("declared"));
    let deps: Vec<&str> = lint.deps.iter().map(|&id| graph.name(id)).collect();
    assert_eq!(deps, ["npm"]);
    assert_eq!(edges(&graph), ["lint <- gen, npm"]);
}

/// Where the outputs are a glob, which files those are is known only afterwards.
#[test]
fn output_globs_must_be_tied_by_hand() {
    let accepted = [
        ("", r#"inputs = ["dist/**"]"#, false),
        ("", r#"inputs = ["dist/app.js"]"#, false),
        ("", r#"inputs = ["dist"]"#, false),
        ("", r#"inputs = ["**/*.js"]"#, false),
        ("", r#"inputs = ["?dist/app.js"]"#, false),
        ("", r#"foreach = ["dist/x.js"]"#, false),
        ("", r#"inputs = ["dist/*.css"]"#, true),
        ("", r#"inputs = ["src/**"]"#, true),
        ("", r#"inputs = ["**", "!dist/**"]"#, true),
        ("", r#"inputs = ["**", "!dist"]"#, true),
        ("", r#"inputs = ["!dist/**", "**"]"#, false),
        (r#"after = ["make"]"#, r#"inputs = ["dist/**"]"#, true),
        (r#"deps = ["make"]"#, r#"inputs = ["dist/**"]"#, true),
        (r#"after = ["group"]"#, r#"inputs = ["dist/**"]"#, true),
        ("", r#"inputs = ["@make", "dist/**"]"#, true),
        ("", r#"inputs = ["dist/**", "@make:*.js"]"#, true),
    ];
    for (edge, reader, right) in accepted {
        let text = format!(
            "[target.user]\n{edge}\n{reader}\nrun = \"x\"\n[target.make]\noutputs = [\"dist/**/*.js\"]\nrun = \"x\"\n[target.group]\ndeps = [\"make\"]"
        );
        let refusal = World::with(&[]).refusal(&text);
        assert_eq!(refusal.starts_with("no error"), right, "{edge} {reader}\n{refusal}");
        if !right {
            assert!(refusal.contains("add `after = [\"make\"]` to [target.user]"), "{refusal}");
        }
    }
}

/// A line of `count` targets, the last one at the end of it, closed to a cycle if asked.
fn line(count: usize, closed: bool) -> String {
    let first =
        if closed { format!("deps = [\"t{}\"]", count - 1) } else { "deps = []".to_owned() };
    let mut text = format!("[target.t0]\n{first}\n");
    for n in 1..count {
        text.push_str(&format!("[target.t{n}]\ndeps = [\"t{}\"]\n", n - 1));
    }
    text
}

/// Runs with 2 MiB of stack, as other threads than the first one have.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread");
    thread.join().expect("no overflow and no failed assertion");
}

#[test]
fn a_line_of_30_000_overflows_nothing() {
    on_a_small_stack(|| {
        let graph = graph(&line(30_000, false));
        let last = graph.find("t29999").expect("declared");
        let first = graph.find("t0").expect("declared");
        assert!(graph.reaches(last, first));
        assert_eq!(graph.without_groups(&[last]), []);
    });
}

#[test]
fn a_cycle_of_30_000_is_told_shortly() {
    on_a_small_stack(|| {
        let refusal = World::with(&[]).refusal(&line(30_000, true));
        let first = refusal.lines().next().unwrap_or_default();
        let (start, end) = first.split_once(" → … 29992 more … → ").expect(first);
        assert!(start.starts_with("error: a cycle of 30000 tasks: t0 → t29999 → "), "{first}");
        assert_eq!(end, "t0");
        assert!(refusal.lines().count() < 60, "{refusal}");
    });
}

/// Paths, names, order and groups make one cycle; its members stand in the order of need.
#[test]
fn members_of_a_cycle_stand_in_order() {
    let table = [
        ("[target.a]\ndeps = [\"a\"]\nrun = \"x\"", "`a` needs itself: a cycle of one"),
        ("[target.a]\ninputs = [\"@a\"]\nrun = \"x\"", "`a` needs itself: a cycle of one"),
        ("[target.a]\ndeps = [\"b\"]\n[target.b]\ndeps = [\"a\"]", "a cycle of 2 tasks: a → b → a"),
        (
            "[target.z]\ndeps = [\"a\"]\n[target.a]\nafter = [\"b\"]\nrun = \"x\"\n\
             [target.b]\ninputs = [\"x\"]\noutputs = [\"y\"]\nrun = \"x\"\n\
             [target.c]\ninputs = [\"@a\"]\noutputs = [\"x\"]\nrun = \"x\"",
            "a cycle of 3 tasks: a → b → c → a",
        ),
        (
            "[target.t]\nforeach = [\"p\", \"q\"]\ndeps = [\"t@q\"]\nrun = \"x\"",
            "`t@q` needs itself: a cycle of one",
        ),
        (
            "[target.t]\nforeach = [\"p\", \"q\"]\ndeps = [\"u\"]\nrun = \"x\"\n[target.u]\ndeps = [\"t\"]",
            "a cycle of 2 tasks: t@p → u → t@p",
        ),
    ];
    for (text, expected) in table {
        let refusal = World::with(&[]).refusal(text);
        assert_eq!(refusal.lines().next(), Some(&*format!("error: {expected}")), "{refusal}");
    }
}

/// Outputs that two tasks could both write.
#[test]
fn clashes_are_refused_and_neighbours_are_not() {
    let table: &[(&str, &str, bool)] = &[
        ("x", "x", true),
        ("x", "./x", true),
        ("x", "x/y", true),
        ("x/y", "x", true),
        ("x", "xy", false),
        ("x/y", "x/z", false),
        ("x-", "x/y", false),
        ("x", "x*", true),
        ("x*", "*y", true),
        ("*.a", "*.b", false),
        ("gen/**", "gen/a", true),
        ("gen/a", "gen/**", true),
        ("gen/**", "gen", true),
        ("gen/*", "gen/a/b", false),
        ("gen/*", "gen/a/**", false),
        ("gen/**/x", "gen/a/x/b", false),
        ("dist/index.html", "dist/**/*.js", false),
        ("**/x", "gen/x", true),
        ("{a,b}/*.c", "b/*.c", true),
        ("{a,b}/*.c", "c/*.c", false),
        ("[a-m]*", "[n-z]*", false),
        (".hidden/*", "*/x", true),
        ("a", "a.d/x", false),
        ("a/b", "a.d", false),
        ("p/*/dist/x", "p/a/dist", true),
        ("a/b.*", "a/b.c", true),
        ("a/b.*", "a/bc.*", false),
        ("a/b*.c", "a/bc.*", true),
        ("a{/x,/y}/*", "a/x", true),
    ];
    for (one, other, clash) in table {
        let text = format!(
            "[target.one]\noutputs = [\"{one}\"]\nrun = \"x\"\n[target.other]\noutputs = [\"{other}\"]\nrun = \"x\""
        );
        let refusal = World::with(&[]).refusal(&text);
        assert_eq!(!refusal.starts_with("no error"), *clash, "{one} and {other}\n{refusal}");
    }
}

/// A clash is found whatever is declared between the two.
#[test]
fn clashes_are_found_among_many() {
    let mut text = String::from("[target.top]\noutputs = [\"gen/deep\"]\nrun = \"x\"\n");
    for n in 0..200 {
        let odd = if n % 2 == 0 { "gen/deep-" } else { "gen/deep.d/" };
        text.push_str(&format!("[target.n{n}]\noutputs = [\"{odd}{n}\"]\nrun = \"x\"\n"));
    }
    assert!(World::with(&[]).refusal(&text).starts_with("no error"));
    text.push_str("[target.low]\noutputs = [\"gen/deep/x/y\"]\nrun = \"x\"\n");
    let refusal = World::with(&[]).refusal(&text);
    assert_eq!(
        refusal.lines().next(),
        Some("error: outputs of `top` and `low` overlap: gen/deep and gen/deep/x/y")
    );
}

/// Thousands of patterns in one folder are no product, nor is the chain of those who read one: as
/// products they take minutes.
#[test]
fn many_patterns_and_many_readers_are_no_product() {
    let items: Vec<String> = (0..6000).map(|n| format!("\"i{n}\"")).collect();
    let items = items.join(", ");
    let mut text = format!(
        "[target.o]\nforeach = [{items}]\noutputs = [\"o/{{{{ item }}}}.*\"]\nrun = \"x\"\n\
         [target.m]\nforeach = [{items}]\nmatrix = {{ n = [\"1\", \"2\"] }}\nrun = \"x\"\n\
         [target.p]\nforeach = [{items}]\ndeps = [\"m@{{{{ item }}}}\"]\nrun = \"x\"\n\
         [target.r0]\nafter = [\"o\"]\ninputs = []\nrun = \"x\"\n"
    );
    for n in 1..3000 {
        let before = n - 1;
        text.push_str(&format!(
            "[target.r{n}]\nafter = [\"r{before}\"]\ninputs = [\"o/i1.c\"]\nrun = \"x\"\n"
        ));
    }
    let graph = graph(&text);
    assert_eq!(graph.makers().of(b"o/i77.c").map(|id| graph.name(id)), Some("o@i77"));
    let needs = graph.needs(graph.find("p@i77").expect("declared"));
    assert_eq!(
        needs.iter().map(|&id| graph.name(id)).collect::<Vec<_>>(),
        ["m@i77,n=1", "m@i77,n=2"]
    );
}

/// Installs are outputs like others where it comes to clashes.
#[test]
fn installs_clash_too() {
    let refusal = World::with(&[]).refusal(
        "[target.a]\ninstalls = [\".venv\"]\nrun = \"x\"\n[target.b]\noutputs = [\".venv/bin/x\"]\nrun = \"x\"",
    );
    assert!(refusal.contains("outputs of `a` and `b` overlap"), "{refusal}");
}

#[test]
fn makers_are_found_by_path_folder_and_pattern() {
    let graph = graph(
        r#"
        [target.path]
        outputs = ["bin/app", "lib"]
        run = "x"
        [target.glob]
        outputs = ["gen/**/*.c"]
        run = "x"
        [target.venv]
        installs = [".venv"]
        run = "x"
        "#,
    );
    let table: &[(&str, Option<&str>)] = &[
        ("bin/app", Some("path")),
        ("bin/app/x", Some("path")),
        ("bin", None),
        ("bin/apple", None),
        ("lib/a/b", Some("path")),
        ("gen/a.c", Some("glob")),
        ("gen/.x/.y.c", Some("glob")),
        ("gen/a.h", None),
        (".venv/bin/python", Some("venv")),
        ("", None),
    ];
    for (path, expected) in table {
        let maker = graph.makers().of(path.as_bytes()).map(|id| graph.name(id));
        assert_eq!(maker, *expected, "{path}");
    }
}
