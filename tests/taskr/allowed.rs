//! Failures that do no harm: `allow_failure`, `require`, and how many of the others are enough.

use std::fs;

use crate::project::Project;

/// `lint` fails as long as there is `home/broken`.
fn lint(more: &str) -> Project {
    let p = Project::new(&format!(
        "default = ['ci']\n[target.lint]\nallow_failure = true\ninputs = ['in']\n\
         run = 'ran lint; test ! -e ~/broken'\n\
         [target.build]\nrun = 'ran build'\n[target.ci]\ndeps = ['lint', 'build']\n{more}"
    ));
    p.write("in", "");
    fs::write(p.outside("home/broken"), "").expect("a file");
    p
}

#[test]
fn what_may_fail_is_a_warning() {
    let p = lint("");
    let told = "lint  failed (allowed) after";
    let output = p.taskr(["-j1"]).ran(["lint", "build"]).says(told).ok();
    assert!(output.stdout.contains("2 tasks: 1 ran, 1 failed (allowed)"), "{output}");
    assert!(output.stdout.contains("! lint"), "{output}");
    // It is not forgotten.
    p.taskr(["ci"]).ran(["lint", "build"]).ok();
    let result = p.read(".taskr/tasks/lint/result.json");
    assert!(result.contains("\"allowed\": true") && result.contains("\"failed\""), "{result}");
    // Who asks for it by name wants to know.
    p.taskr(["lint"]).ran(["lint"]).says("failed (allowed)").exits(1);
    fs::remove_file(p.outside("home/broken")).expect("it was there");
    p.taskr(["ci"]).ran(["lint", "build"]).never_says("failed").ok();
    p.fresh("lint");
}

#[test]
fn who_needs_what_may_fail_is_skipped() {
    let p = lint(
        "[target.report]\ninputs = []\ndeps = ['lint']\nrun = 'ran report'\n\
         [target.later]\nafter = ['lint']\nrun = 'ran later'\n[target.all]\ndeps = ['report', 'later']\n",
    );
    // A group stands for what it names: of that something is missing.
    let output = p.taskr(["-j1", "all"]).ran(["lint", "later"]).exits(1);
    assert!(output.stdout.contains("- report  skipped: lint failed"), "{output}");
    p.taskr(["report"]).ran(["lint"]).says("skipped: lint failed").exits(1);
}

#[test]
fn what_default_stands_for_is_asked_for() {
    let p = Project::new(
        "default = ['all']\n[target.lint]\noutputs = ['l']\nallow_failure = true\n\
         run = 'ran lint; false'\n\
         [target.rep]\ninputs = ['@lint']\noutputs = ['r']\nrun = 'ran rep; cp l r'\n\
         [target.some]\ndeps = ['rep']\n[target.all]\ndeps = ['some']\n",
    );
    for args in [&[][..], &["all"], &["some"]] {
        p.taskr(args).ran(["lint"]).says("- rep  skipped: lint failed").exits(1);
    }
}

#[test]
fn a_strict_run_allows_no_failure() {
    let p = lint("");
    p.taskr(["-j1", "--strict", "ci"]).ran(["lint"]).says("✗ lint  failed").exits(1);
    p.taskr(["-j1", "ci"]).ran(["lint", "build"]).ok();
    // How many of a target are enough is no warning.
    let p = fetch("2");
    fs::write(p.outside("home/2"), "").expect("a file");
    p.taskr(["--strict", "sum"]).ran(["get", "get", "get", "sum"]).any_files().ok();
}

/// `get` fails for every number of which there is a file in home.
fn fetch(require: &str) -> Project {
    Project::new(&format!(
        r#"
[target.get]
matrix = {{ n = ["1", "2", "3"] }}
inputs = []
outputs = ["got/{{{{ matrix.n }}}}"]
require = {require}
run = "ran get; echo {{{{ matrix.n }}}} >{{{{ outputs }}}}; test ! -e ~/{{{{ matrix.n }}}}"

[target.sum]
inputs = ["@get"]
outputs = ["sum"]
run = "ran sum; cat {{{{ inputs }}}} >{{{{ outputs }}}}"
"#
    ))
}

#[test]
fn enough_successes_are_enough_and_dependents_see_what_there_is() {
    let p = fetch("'60%'");
    let (two, three) = (p.outside("home/2"), p.outside("home/3"));
    fs::write(&two, "").expect("a file");
    let run = p.taskr(["sum"]).ran(["get", "get", "get", "sum"]);
    run.makes("got/1", "1\n").makes("got/3", "3\n").makes("sum", "1\n3\n").any_files().ok();
    assert_eq!(p.read("sum"), "1\n3\n");
    // That one is missing counts, and so does that it is there again.
    p.taskr(["sum"]).ran(["get"]).any_files().ok();
    assert_eq!(p.read("sum"), "1\n3\n");
    fs::remove_file(&two).expect("it was there");
    p.taskr(["sum"]).ran(["get", "sum"]).makes("got/2", "2\n").makes("sum", "1\n2\n3\n").ok();
    p.fresh("sum");
    // An older result of what fails now is none.
    fs::write(&two, "").expect("a file");
    p.taskr(["-B=get", "sum"]).ran(["get", "get", "get", "sum"]).any_files().ok();
    assert_eq!(p.read("sum"), "1\n3\n");
    // One too many.
    fs::write(&three, "").expect("a file");
    let told = "get: fewer than 2 of its 3 tasks can succeed";
    p.taskr(["-k", "-B=get", "sum"]).any_ran().any_files().says(told).exits(1);
}

#[test]
fn a_glob_over_the_outputs_sees_what_there_is_too() {
    let p = Project::new(
        r#"
[target.get]
matrix = { n = ["1", "2"] }
inputs = []
outputs = ["got/{{ matrix.n }}"]
require = 1
run = "ran get; echo {{ matrix.n }} >{{ outputs }}; test ! -e ~/{{ matrix.n }}"

[target.sum]
inputs = ["got/*"]
deps = ["get"]
outputs = ["sum"]
run = "ran sum; cat {{ inputs }} >{{ outputs }}"

[target.one]
inputs = ["got/2"]
deps = ["get"]
run = "ran one"
"#,
    );
    p.taskr(["sum"]).ran(["get", "get", "sum"]).any_files().ok();
    fs::write(p.outside("home/2"), "").expect("a file");
    let run = p.taskr(["-B=get", "sum", "one"]).ran(["get", "get", "sum"]).any_files();
    run.says("- one  skipped: get@n=2 failed").exits(1);
    assert_eq!(p.read("sum"), "1\n", "the older got/2 is none of its input");
}

/// What an earlier run left at the outputs of a task that fails now is nobody's input.
#[test]
fn outputs_of_an_earlier_run_are_no_input() {
    let p = Project::new(
        r#"
[target.get]
matrix = { n = ["1", "2"] }
inputs = []
outputs = ["dist/{{ matrix.n }}/*"]
require = 1
run = "ran get; mkdir -p dist/{{ matrix.n }}; echo {{ matrix.n }} >dist/{{ matrix.n }}/x; test ! -e ~/{{ matrix.n }}"

[target.page]
inputs = ["dist/2/x"]
deps = ["get"]
run = "ran page"

[target.compile]
inputs = []
after = ["get"]
run = "ran compile; echo 'x: dist/2/x' >{{ depfile }}"
"#,
    );
    p.taskr(["page", "compile"]).ran(["get", "get", "page", "compile"]).any_files().ok();
    fs::write(p.outside("home/2"), "").expect("a file");
    let run = p.taskr(["-B=get", "page"]).ran(["get", "get"]).any_files();
    run.says("- page  skipped: get@n=2 failed").exits(1);
    let run = p.taskr(["-B=get", "compile"]).ran(["get", "get", "compile"]).any_files();
    run.says("which is of an earlier run: `get@n=2` did not succeed").exits(1);
    fs::remove_file(p.outside("home/2")).expect("it was there");
    p.taskr(["page", "compile"]).ran(["get", "compile"]).any_files().ok();
    p.fresh("page");
}

/// All tasks fail.
fn many(settings: &str) -> Project {
    let numbers: Vec<String> = (0..30).map(|n| format!("'{n}'")).collect();
    Project::new(&format!(
        "{settings}[target.t]\nmatrix = {{ n = [{}] }}\nrun = 'ran t; exit 1'\n",
        numbers.join(", ")
    ))
}

#[test]
fn a_run_that_is_too_unhealthy_starts_nothing_new() {
    let ran = |p: &Project, args: &[&str]| {
        let output = p.taskr(args.iter().chain(&["-j1", "t"])).any_ran().exits(1);
        let failed = output.stdout.matches("] t@n=").count();
        (failed, output)
    };
    let p = many("");
    assert_eq!(ran(&p, &[]).0, 1);
    assert_eq!(ran(&p, &["-k=4"]).0, 4);
    let p = many("[taskr]\nmax_failures = 3\n");
    let (failed, output) = ran(&p, &[]);
    assert_eq!(failed, 3);
    assert!(output.stdout.contains("stopped after 3 failures (-k goes on)"), "{output}");
    assert_eq!(ran(&p, &["-k"]).0, 30, "the command line counts more");
    let p = many("[taskr]\nmax_failure_rate = 0.5\n");
    assert_eq!(ran(&p, &[]).0, 10, "before ten have run a rate says nothing");
}
