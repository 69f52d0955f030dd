//! Formatters: who reads what they may change comes later.

use super::*;
use crate::error::{Error, render};

/// A plan for a whole Taskfile.
fn drive(text: &str, wanted: &[&str]) -> Drive {
    let graph = of_text(text);
    let wanted: Vec<TaskId> =
        wanted.iter().map(|name| graph.find(name).expect("declared")).collect();
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let plan = Plan::new(&graph, &wanted, &durations).expect("an order");
    Drive { graph, plan }
}

/// What is said of a plan that cannot be made.
fn refusal(text: &str, wanted: &[&str]) -> String {
    let graph = of_text(text);
    let wanted: Vec<TaskId> =
        wanted.iter().map(|name| graph.find(name).expect("declared")).collect();
    let durations = IdVec::filled(graph.tasks().len(), 0);
    match Plan::new(&graph, &wanted, &durations) {
        Ok(_) => "no error".to_owned(),
        Err(wrong) => render(&Error::Taskfile(wrong), false, 100),
    }
}

const FORMATTER: &str = r#"
[target.fmt]
inputs = ["src/**/*.c", "!src/gen/**"]
fixes_inputs = true
run = "x"
"#;

/// Readers in front of the formatter in the Taskfile, one at a time in the order of the plan.
#[test]
fn who_reads_what_a_formatter_may_change_comes_later() {
    for (reader, later) in [
        ("inputs = ['src/a.c']", true),
        ("inputs = ['src']", true),
        ("inputs = ['src/*']", true),
        ("inputs = ['**/*.c', '!src/a.c']", true),
        ("inputs = []\ndepfile = 'x.d'", true),
        ("inputs = ['include/a.h']", false),
        ("inputs = ['src/gen/a.c']", false),
        ("inputs = ['src/gen/*.c']", false),
        ("inputs = ['**/*.c', '!src/**']", false),
        ("inputs = ['src/*.h']", false),
        ("inputs = []", false),
        ("deps = []", false),
        ("inputs = ['@made']", false),
    ] {
        let text = format!(
            "[target.made]\ninputs = []\nrun = 'x'\n[target.reader]\n{reader}\nrun = 'x'\n{FORMATTER}"
        );
        let order = drive(&text, &["reader", "fmt"]).order();
        let at = |name: &str| order.iter().position(|other| other == name).expect("it ran");
        assert_eq!(at("fmt") < at("reader"), later, "{reader}: {order:?}");
        let alone = drive(&text, &["reader"]).order();
        assert!(!alone.contains(&"fmt".to_owned()), "{alone:?}");
    }
}

/// Where each formatter has a file of its own, only who reads that file waits for it.
#[test]
fn formatters_of_one_file_each() {
    let text = r#"
        [target.check]
        matrix = { n = ["a", "b"] }
        inputs = ["{{ matrix.n }}.c"]
        run = "x"
        [target.fmt]
        matrix = { n = ["a", "b"] }
        inputs = ["{{ matrix.n }}.c"]
        fixes_inputs = true
        run = "x"
    "#;
    let mut d = drive(text, &["check", "fmt"]);
    assert_eq!((d.next(2), d.next(1)), ("fmt@n=a".to_owned(), "fmt@n=b".to_owned()));
    assert_eq!(d.next(1), "wait");
    assert_eq!(d.succeed("fmt@n=b"), ["check@n=b"]);
    assert_eq!(d.succeed("fmt@n=a"), ["fmt", "check@n=a"]);
}

/// A reader needs nothing of a formatter: its failure holds nobody up, and neither does that of
/// what it needs.
#[test]
fn a_formatter_that_fails_or_is_skipped_holds_nobody_up() {
    let text = format!(
        "{FORMATTER}deps = ['tool']\n[target.tool]\nrun = 'x'\n\
         [target.app]\ninputs = ['src/a.c']\nrun = 'x'\n\
         [target.release]\ndeps = ['fmt']\nrun = 'x'\n"
    );
    let mut d = drive(&text, &["app", "release"]);
    assert_eq!((d.next(9), d.next(9)), ("tool".to_owned(), "wait".to_owned()));
    d.succeed("tool");
    assert_eq!(d.next(9), "fmt");
    assert_eq!(d.fail("fmt"), ["release"]);
    assert_eq!(d.next(9), "app");
    let mut d = drive(&text, &["app", "release"]);
    assert_eq!(d.next(9), "tool");
    assert_eq!(d.fail("tool"), ["fmt", "release"]);
    assert_eq!((d.next(9), d.next(9)), ("app".to_owned(), "wait".to_owned()));
}

/// The formatter is built from what it formats: what it needs comes first, with depfile or without.
#[test]
fn what_a_formatter_needs_does_not_wait_for_it() {
    let text = r#"
        [target.obj]
        inputs = ["src/a.c"]
        depfile = "a.d"
        run = "x"
        [target.fmt]
        inputs = ["src/*.c"]
        deps = ["obj"]
        fixes_inputs = true
        run = "x"
        [target.other]
        depfile = "b.d"
        run = "x"
    "#;
    assert_eq!(drive(text, &["other", "fmt"]).order(), ["obj", "fmt", "other"]);
}

/// Each needs a tool that is made of what the other fixes: somebody has to be first.
#[test]
fn formatters_that_would_wait_in_a_circle() {
    let text = r#"
        [target.tool-a]
        inputs = ["b.c"]
        run = "x"
        [target.tool-b]
        inputs = ["a.c"]
        run = "x"
        [target.fix-a]
        inputs = ["a.c"]
        deps = ["tool-a"]
        fixes_inputs = true
        run = "x"
        [target.fix-b]
        inputs = ["b.c"]
        deps = ["tool-b"]
        fixes_inputs = true
        run = "x"
    "#;
    let order = drive(text, &["fix-a", "fix-b"]).order();
    assert_eq!(order.len(), 4, "{order:?}");
}

#[test]
fn two_formatters_of_one_file_need_an_order() {
    let text = format!(
        "{FORMATTER}[target.sort]\ninputs = ['a.h', 'src/a.c']\nfixes_inputs = true\nrun = 'x'\n"
    );
    let expected = "\
error: `fmt` and `sort` may fix the same file
 --> Taskfile.toml:7:18
  |
3 | inputs = [\"src/**/*.c\", \"!src/gen/**\"]
  |           ------------ fixed by `fmt`
...
7 | inputs = ['a.h', 'src/a.c']
  |                  ^^^^^^^^^ fixed by `sort`
  |
  = help: say which comes first: after = [\"fmt\"] in [target.sort], or the other way round";
    assert_eq!(refusal(&text, &["fmt", "sort"]), expected);
    assert_eq!(refusal(&text, &["sort", "fmt"]), expected);
    assert_eq!(refusal(&text, &["sort"]), "no error");
    for line in ["after = ['fmt']", "deps = ['fmt']"] {
        let text = format!("{text}{line}\n");
        assert_eq!(drive(&text, &["sort"]).order(), ["fmt", "sort"], "{line}");
    }
    let same = "[target.fmt]\nmatrix = { n = ['a', 'b'] }\ninputs = ['x.c']\nfixes_inputs = true\nrun = 'x'\n";
    let told = refusal(same, &["fmt"]);
    assert!(told.starts_with("error: `fmt@n=a` and `fmt@n=b` may fix the same file\n"), "{told}");
    assert!(
        told.ends_with("name the item or an axis, so that each fixes files of its own"),
        "{told}"
    );
}

/// A plain path that might be a folder is no reason to refuse, but one to go one after the other.
#[test]
fn formatters_that_perhaps_meet_go_in_their_order() {
    let text = "[target.one]\ninputs = ['src']\nfixes_inputs = true\nrun = 'x'\n\
                [target.two]\ninputs = ['**/*.c']\nfixes_inputs = true\nrun = 'x'\n";
    let mut d = drive(text, &["two", "one"]);
    assert_eq!((d.next(2), d.next(2)), ("one".to_owned(), "wait".to_owned()));
    assert_eq!(d.succeed("one"), ["two"]);
}

/// 5,000 formatters, 5,000 that sort behind them, 10,000 readers of one file and of all others by
/// depfile or pattern: memory and time by their sum.
#[test]
fn twenty_thousand_tasks() {
    let many: Vec<String> = (0..5000).map(|n| format!("\"{n}\"")).collect();
    let many = many.join(", ");
    let mut text = String::new();
    for (name, fields) in [
        ("fmt", "fixes_inputs = true"),
        ("sort", "fixes_inputs = true\nafter = [\"fmt\"]"),
        ("obj", "depfile = \"{{ matrix.n }}.d\""),
        ("lint", ""),
    ] {
        let more = if name == "lint" { ", \"src/**\"" } else { "" };
        text.push_str(&format!(
            "[target.{name}]\nmatrix = {{ n = [{many}] }}\n\
             inputs = [\"src/{{{{ matrix.n }}}}.c\"{more}]\n{fields}\nrun = \"x\"\n"
        ));
    }
    let mut d = drive(&text, &["lint", "obj", "sort", "fmt"]);
    let order = d.order();
    assert_eq!(order.len(), 20_004, "the tasks and their targets");
    let at = |name: &str| order.iter().position(|other| other == name).expect("it ran");
    assert!(at("fmt@n=4999") < at("sort@n=0"));
    assert!(at("sort@n=4999") < at("obj@n=0") && at("sort@n=4999") < at("lint@n=0"));
}

/// 300 random runs with formatters: whoever reads a file starts only after all wanted formatters
/// of that file ended, unless one of them waits for the reader; and every plan ends.
#[test]
fn random_readers_never_start_before_a_formatter_of_theirs() {
    let mut state = 4_u64;
    let mut chance = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits") % bound
    };
    let mut held_back = 0;
    for round in 0..300 {
        let count = 2 + chance(20);
        let mut text = String::new();
        let mut files: Vec<Vec<usize>> = Vec::new();
        for at in 0..count {
            let fixes = chance(3) == 0;
            // Formatters have a file each: two of one need an order.
            let own =
                if fixes { vec![at] } else { (0..chance(3)).map(|_| chance(count)).collect() };
            let inputs: Vec<String> = own.iter().map(|file| format!("'f{file}'")).collect();
            let deps: Vec<String> =
                (0..chance(3)).filter(|_| at > 0).map(|_| format!("'t{}'", chance(at))).collect();
            let more = if fixes { "fixes_inputs = true\n" } else { "" };
            text.push_str(&format!(
                "[target.t{at}]\ninputs = [{}]\ndeps = [{}]\n{more}run = 'x'\n",
                inputs.join(", "),
                deps.join(", ")
            ));
            files.push(own);
        }
        let wanted: Vec<String> = (0..count).map(|at| format!("t{at}")).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let order = drive(&text, &wanted).order();
        assert_eq!(order.len(), count, "round {round}: {order:?}\n{text}");
        let d = drive(&text, &wanted);
        let at = |task: usize| order.iter().position(|name| *name == format!("t{task}"));
        for (reader, read) in files.iter().enumerate() {
            for &file in read.iter().filter(|&&file| file != reader) {
                let [one, fixer] = [reader, file].map(|task| d.id(&format!("t{task}")));
                let is_fixer = d.graph.task(fixer).rule.target.policy.fixes_inputs;
                let is_early = d.plan.later.is_early(one);
                if is_fixer && !is_early {
                    assert!(
                        at(file) < at(reader),
                        "round {round}: t{reader} reads f{file}\n{text}"
                    );
                    held_back += 1;
                }
            }
        }
    }
    assert!(held_back > 200, "{held_back}: too tame");
}
