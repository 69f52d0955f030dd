//! `taskr verify`: what does not come out the same is found, with its cause, and nothing else is; the
//! workspace stays as it is, and nothing is left behind.

use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;

use crate::project::{Live, Output, Project, Run, fingerprint};

/// `turn` says whether a task runs for the first time: `one`, then `two`.
const TURN: &str = "[ -e ~/$1 ] && echo two || echo one; : >~/$1";

fn project(taskfile: &str) -> Project {
    let p = Project::new(taskfile);
    p.program("turn", TURN);
    fs::create_dir(p.outside("tmp")).expect("a folder");
    p.write("a.in", "1\n");
    p
}

/// Verifies with temporary files in a folder of their own.
fn verify<'p>(p: &'p Project, args: &[&str]) -> Run<'p> {
    let args = ["verify"].iter().chain(args).map(|arg| (*arg).to_owned());
    p.taskr(args).env("TMPDIR", p.outside("tmp")).any_ran()
}

#[track_caller]
fn nothing_is_left(p: &Project) {
    let left = fs::read_dir(p.outside("tmp")).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn json_of(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

const SAME: &str = r#"
default = ["all"]

[target.one]
private = true
inputs = ["a.in"]
outputs = ["gen/one"]
run = "ran one; mkdir -p gen; cat a.in >gen/one; echo $$"

[target.two]
inputs = ["gen/one"]
outputs = ["two"]
run = "ran two; cat gen/one gen/one >two; ln -s two $OUT/link; mkdir $OUT/hollow"

[target.deploy]
run = "ran deploy"

[target.all]
deps = ["one", "two", "deploy"]
"#;

#[test]
fn tasks_that_do_the_same_are_said_to() {
    let p = project(SAME);
    p.taskr(["two"]).ran(["one", "two"]).any_files().ok();
    let before = fingerprint(&p.root());
    let told = verify(&p, &["--runs=3"]).ran(["one", "one", "one", "two", "two", "two"]).ok();
    assert!(told.stdout.starts_with("run 1 of 3, with -j1: "), "{told}");
    for text in [
        "\n2 tasks: the same every time\n",
        "\ndurations: all commands together ",
        "\nnot compared: logs, and what `installs` names\n",
        "\nnot verified, because unrecorded: deploy\n",
    ] {
        assert!(told.stdout.contains(text), "{text} {told}");
    }
    assert_eq!(fingerprint(&p.root()), before, "the workspace is left alone");
    nothing_is_left(&p);
    let told = json_of(&verify(&p, &["--json", "-j2"]).ok());
    assert_eq!((&told["good"], &told["unrecorded"]), (&true.into(), &json!(["deploy"])));
    assert_eq!(told["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!((&told["runs"][0]["jobs"], &told["runs"][1]["jobs"]), (&1.into(), &2.into()));
    assert_eq!(
        (&told["tasks"][0]["task"], &told["tasks"][0]["outcome"]),
        (&"one".into(), &"same".into())
    );
    p.taskr(["flaky"]).says("no task is known").ok();
}

/// Each of these makes something else each time, in its own way.
const DIFFERENT: &str = r#"
[target.time]
inputs = ["a.in"]
outputs = ["time"]
run = "echo made on day >time; date +%s%N >>time"

[target.place]
inputs = ["a.in"]
outputs = ["place"]
run = "echo at $PWD/x >place"

[target.order]
inputs = ["a.in"]
outputs = ["order"]
run = '''
[ $(turn order) = one ] && printf 'a\nb\nc\n' >order || printf 'c\nb\na\n' >order
'''

[target.random]
inputs = ["a.in"]
outputs = ["random"]
run = "head -c 8 /dev/urandom | od -An -tx1 >random"

[target.files]
inputs = ["a.in"]
outputs = ["out"]
run = '''
mkdir $OUT/out; cd $OUT/out
t=$(turn files)
: >$t; : >exec; : >kind; ln -s $t link
[ $t = one ] || { chmod +x exec; rm kind; mkdir kind; }
'''

[target.after]
inputs = ["random"]
outputs = ["after"]
run = "cat random random >after"

[target.good]
inputs = ["a.in"]
outputs = ["good"]
run = "cat a.in >good"
"#;

#[test]
fn what_is_not_the_same_is_told_with_its_cause() {
    let p = project(DIFFERENT);
    let all = ["time", "place", "order", "random", "files", "after", "good", "--json"];
    let told = json_of(&verify(&p, &all).exits(1));
    let tasks: Vec<&Value> = told["tasks"].as_array().expect("tasks").iter().collect();
    let of = |name: &str| *tasks.iter().find(|task| task["task"] == name).expect("it was built");
    for (name, outcome, cause) in [
        ("time", "different", json!("time")),
        ("place", "different", json!("place")),
        ("order", "different", json!("order")),
        ("random", "different", json!("unknown")),
        ("after", "follows", json!("unknown")),
        ("good", "same", Value::Null),
    ] {
        let task = of(name);
        assert_eq!(
            (&task["outcome"], &task["differences"][0]["cause"]),
            (&outcome.into(), &cause),
            "{task:#}"
        );
    }
    let time = &of("time")["differences"][0];
    assert!(time["offset"].as_u64() > Some(11), "{time}");
    assert!(time["first"].as_str().expect("text").contains("day\\n1"), "{time}");
    let files = of("files")["differences"].as_array().expect("differences");
    let hows: Vec<[&str; 2]> = files
        .iter()
        .map(|one| [&one["path"], &one["how"]].map(|text| text.as_str().expect("text")))
        .collect();
    let expected = [
        ["out/exec", "executable"],
        ["out/kind", "kind"],
        ["out/link", "link"],
        ["out/one", "only_first"],
        ["out/two", "only_second"],
    ];
    assert_eq!(hows, expected, "{files:#?}");
    nothing_is_left(&p);
    // What follows from another is no fault of its own.
    let flaky = json_of(&p.taskr(["flaky", "--json"]).ok());
    let mut known: Vec<&str> = flaky["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| task["task"].as_str().expect("a name"))
        .collect();
    known.sort_unstable();
    assert_eq!(known, ["files", "order", "place", "random", "time"]);
}

#[test]
fn people_are_shown_what_stands_where_it_differs() {
    let p = project(DIFFERENT);
    let told = verify(&p, &["order", "after"]).exits(1);
    for text in [
        "order is not the same every time\n  order: from byte 0 on; the same in another order: ",
        "\n    run 1: a\\nb\\nc\\n\n    run 2: c\\nb\\na\\n\n",
        "random is not the same every time\n",
        "after differs as what it is made of does\n",
        "\n2 of 3 tasks not the same; 1 more, as what they are made of\n",
    ] {
        assert!(told.stdout.contains(text), "{text} {told}");
    }
}

#[test]
fn a_copy_has_the_sources_and_nothing_that_tasks_made() {
    let p = project(
        r#"
[target.made]
inputs = ["a.in"]
outputs = ["made", "gen/*"]
run = "mkdir -p gen; echo 1 >gen/x; echo 1 >made"

[target.look]
inputs = []
outputs = ["list"]
run = "ls -A . .git gen >list; cat inside >>list; test -x tool; readlink here >>list; cat list >>~/kept"
"#,
    );
    p.write(".git/HEAD", "a commit\n").write("tool", "").chmod("tool", 0o755);
    p.link("inside", "a.in").link("here", &p.path("a.in").display().to_string());
    p.taskr(["made"]).any_files().ok();
    // Temporary files in the workspace itself are no part of it.
    fs::create_dir(p.path("tmp")).expect("a folder");
    p.accept_files();
    p.taskr(["verify", "look"]).env("TMPDIR", p.path("tmp")).any_ran().exits(1);
    let kept = fs::read_to_string(p.outside("home/kept")).expect("it ran");
    let (first, second) = kept.split_at(kept.rfind(".:\n").expect("it ran"));
    let expected = ".:\n.git\n.taskr\nTaskfile.toml\na.in\ngen\nhere\ninside\nlist\ntmp\ntool\n\n.git:\nHEAD\n\ngen:\n1\n";
    assert!(first.starts_with(expected), "{first}");
    assert!(first.contains("/tmp/taskr-verify-") && first.ends_with("/run-001/a.in\n"), "{first}");
    assert!(second.contains("/run-002/a.in\n"), "{second}");
    assert!(fs::read_dir(p.path("tmp")).expect("a folder").next().is_none());
}

#[test]
fn a_build_that_fails_in_a_copy_is_told() {
    let p = project(
        r#"
[target.never]
inputs = ["a.in"]
run = "echo words; exit 3"

[target.once]
inputs = ["a.in"]
run = "test $(turn once) = one"
"#,
    );
    let told = verify(&p, &["never"]).says("the build in a copy failed").exits(1);
    assert!(told.stderr.contains("words") && told.stderr.contains("exit 3"), "{told}");
    verify(&p, &["once"]).says("run 2 failed, and those before it did not\n").exits(1);
    p.taskr(["flaky", "once"]).says("it failed, having succeeded before").ok();
    p.taskr(["flaky", "never"]).says("no task of `never`").ok();
    nothing_is_left(&p);
}

#[test]
fn what_cannot_be_the_same_is_refused() {
    let p = project(SAME);
    for (args, says) in [
        (&["deploy"][..], "there is nothing to verify in deploy"),
        (&["gone"], "there is no target `gone`"),
        (&["--runs=1"], "`--runs` takes a number, not `1`"),
        (&["--sample=0%"], "`--sample` takes a part, not `0%`"),
        (&["--sample=1%", "--runs=2"], "exclude each other"),
        (&["--sample=1%"], "there is no store to take a sample of"),
    ] {
        verify(&p, args).ran([""; 0]).says(says).exits(2);
    }
    nothing_is_left(&p);
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let p = project(
        "[target.t]\ninputs = ['a.in']\nrun = 'ran t; until [ -e ~/go ]; do sleep 0.01; done'\n",
    );
    let mut command = p.command(&p.root(), ["verify", "t"]);
    let live = Live::start(command.env("TMPDIR", p.outside("tmp")));
    p.await_ran("t");
    assert_eq!(fs::read_dir(p.outside("tmp")).expect("a folder").count(), 1, "it runs in a copy");
    live.signal(Signal::INT);
    live.dies_by(Signal::INT);
    nothing_is_left(&p);
    p.await_no_process();
}

/// Two tasks whose results are in the store; one can be made to differ.
const STORED: &str = r#"
[target.salted]
inputs = ["a.in"]
outputs = ["salted"]
cache = true
run = "ran salted; cat ~/salt >salted"

[target.dated]
inputs = ["a.in"]
outputs = ["dated"]
cache = true
run = "date +%s >dated; sleep 3"

[target.here]
inputs = ["a.in"]
outputs = ["here"]
cache = true
run = "ran here; pwd >here; chmod +x here; echo 1 >$OUT/left; ln -s left $OUT/link"
"#;

#[test]
fn results_of_the_store_are_held_against_new_ones() {
    let p = project(STORED).with_store();
    let salt = |text: &str| fs::write(p.outside("home/salt"), text).expect("a file");
    salt("1\n");
    verify(&p, &["--sample=100%", "here", "salted"])
        .says("the results of 0 tasks; 0 built")
        .never_says("logs")
        .ok();
    p.taskr(["here", "salted"]).ran(["here", "salted"]).any_files().ok();
    let all = ["--sample=100%", "--seed=7", "here", "salted"];
    let told = verify(&p, &all).ran(["here", "salted"]).ok();
    let expected = "the store has the results of 2 tasks; 2 built again (--seed 7)\n\
                    2 tasks: the same as in the store\n";
    assert!(told.stdout.starts_with(expected), "{told}");
    // One is up to date, one would be restored: both are looked at.
    fs::remove_file(p.path("here")).expect("it was there");
    p.accept_files();
    salt("2\n");
    let told = verify(&p, &all).ran(["here", "salted"]).exits(1);
    assert!(
        told.stdout.contains("\n    the store: 1\\n\n    now: 2\\n\n1 of 2 tasks not the same\n"),
        "{told}"
    );
    p.taskr(["flaky"]).says("it made something else of salted").never_says("here").ok();
    let pick = || {
        let args = ["verify", "--sample=1%", "--seed=5", "here", "salted", "--json"];
        json_of(&Live::start(p.command(&p.root(), args).env("TMPDIR", p.outside("tmp"))).wait())
    };
    let (one, other) = (pick(), pick());
    assert_eq!((&one["seed"], &one["stored"]), (&5.into(), &2.into()));
    assert_eq!(one["tasks"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["tasks"][0]["task"], other["tasks"][0]["task"]);
    nothing_is_left(&p);
}

#[test]
fn a_time_of_long_ago_is_known_as_one() {
    let p = project(STORED).with_store();
    let cause = |args: &[&str]| {
        let told = json_of(&verify(&p, args).exits(1));
        told["tasks"][0]["differences"][0]["cause"].clone()
    };
    assert_eq!(cause(&["dated", "--json"]), "time", "the first run is over by then");
    p.taskr(["dated"]).any_files().ok();
    assert_eq!(cause(&["--sample=100%", "dated", "--json"]), "time", "the store's even longer");
}

#[test]
fn a_busy_workspace_is_verified_too() {
    let p = project(&format!(
        "{DIFFERENT}\n[target.wait]\ninputs = ['a.in']\nrun = 'ran wait; until [ -e ~/go ]; do sleep 0.01; done'\n"
    ));
    let live = p.spawn(["wait"]);
    p.await_ran("wait");
    verify(&p, &["random"]).says("`taskr flaky` will not know of it").exits(1);
    p.go();
    assert!(live.wait().status.success());
}
