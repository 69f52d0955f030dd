//! That all is up to date is proved once, and then believed as long as everything that it rests on
//! is as it was: a build with nothing to do reads no state and no Taskfile. Whatever moves, the
//! build goes the long way.

use std::fs;

use crate::faults::{lacks, times_looked_at, times_opened};
use crate::project::{Project, SETTLED, fingerprint};

const TASKFILE: &str = "
[target.copy]
foreach = [\"src/*.txt\"]
run = \"ran {{ item.stem }}; tool >/dev/null; cat {{ item }} > {{ out }}/copy\"

[target.list]
inputs = [\"data/**\", \"?maybe\"]
outputs = [\"made\"]
env_inputs = [\"LEVEL\"]
run = \"ran list; mkdir -p {{ out }}/made; cat data/x > {{ out }}/made/all\"

[target.deep]
inputs = [\"@copy\", \"link\"]
outputs = [\"deep.txt\"]
exec = [\"tool\", \"{{ outputs }}\"]

[target.all]
deps = [\"list\", \"deep\"]
";

/// A workspace that was built, is settled, and whose freshness is proved; the time is shared by all.
fn proved(count: usize) -> Vec<Project> {
    let projects: Vec<Project> = (0..count).map(|_| built()).collect();
    std::thread::sleep(SETTLED);
    for p in &projects {
        assert_eq!(proofs(p), 0, "nothing is proved before it is settled");
        p.fresh("all");
        assert_eq!(proofs(p), 1);
    }
    projects
}

fn built() -> Project {
    let p = Project::new(TASKFILE);
    p.program("tool", "ran tool $#; [ $# = 0 ] || echo tool > \"$1\"");
    fs::create_dir(p.outside("first")).expect("a folder");
    p.write("src/a.txt", "a").write("src/b.txt", "b").write("data/x", "x").write("data/in/y", "y");
    p.write("target.txt", "t").link("link", "target.txt");
    p.taskr(["all"]).any_ran().any_files().ok();
    p.accept_files();
    p
}

fn proofs(p: &Project) -> usize {
    in_proofs(p, |name| !name.contains('.'))
}

/// How many graphs are kept with proofs.
fn graphs(p: &Project) -> usize {
    in_proofs(p, |name| name.ends_with(".kept"))
}

fn in_proofs(p: &Project, is_one: impl Fn(&str) -> bool) -> usize {
    let entries = fs::read_dir(p.path(".taskr/proofs")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_one)).count()
}

#[test]
fn a_proved_build_reads_nothing_and_writes_nothing() {
    let p = proved(1).remove(0);
    // Whoever read one of these would say so.
    for name in [".taskr/state.db", ".taskr/lock"] {
        assert!(p.path(name).exists());
    }
    let before = fingerprint(&p.root());
    for args in [&["all"][..], &["all"], &["all"]] {
        p.taskr(args.iter().copied()).says("4 tasks up to date in ").ok();
    }
    assert_eq!(fingerprint(&p.root()), before, "the lock is not taken either");
    // Another question is asked the long way, which takes the lock.
    p.taskr(["run", "all"]).says("4 tasks up to date in ").ok();
    assert_ne!(fingerprint(&p.root()), before);
    assert_eq!(proofs(&p), 2);
    p.taskr(["run", "all", "-q"]).stdout("").ok();
    p.taskr(["run", "all", "-q"]).stdout("").ok();
}

type Change = fn(&Project);

/// What is changed in a proved workspace, and what runs then.
const CHANGES: &[(&str, Change, &[&str])] = &[
    ("nothing", |_| {}, &[]),
    ("an item", |p| _ = p.write("src/a.txt", "A"), &["a", "tool 0", "tool 1"]),
    ("a new item", |p| _ = p.write("src/c.txt", "c"), &["c", "tool 0", "tool 1"]),
    ("an item less", |p| _ = p.remove("src/b.txt"), &["tool 1"]),
    ("an input of a glob", |p| _ = p.write("data/x", "X"), &["list"]),
    ("a new input deep in a glob", |p| _ = p.write("data/in/z", "z"), &["list"]),
    ("an input that may be absent", |p| _ = p.write("maybe", ""), &["list"]),
    ("what a link leads to", |p| _ = p.write("target.txt", "T"), &["tool 1"]),
    ("an output", |p| _ = p.write("deep.txt", "edited"), &["tool 1"]),
    ("an output in a folder", |p| fs::write(p.path("made/all"), "edited").unwrap(), &["list"]),
    ("a file more in an output", |p| fs::write(p.path("made/more"), "").unwrap(), &["list"]),
    ("an output that is gone", |p| fs::remove_file(p.path("deep.txt")).unwrap(), &["tool 1"]),
    (
        "a program",
        |p| _ = p.program("tool", "ran new $#; [ $# = 0 ] || echo tool > \"$1\""),
        &["new 1"],
    ),
    (
        "the state",
        |p| fs::remove_file(p.path(".taskr/state.db")).unwrap(),
        &["a", "b", "list", "tool 0", "tool 0", "tool 1"],
    ),
    (
        "the Taskfile",
        |p| _ = p.write("Taskfile.toml", &TASKFILE.replace("ran list;", "ran list; ran more;")),
        &["list", "more"],
    ),
];

#[test]
fn whatever_moves_is_seen() {
    let projects = proved(CHANGES.len());
    for (p, (what, change, expected)) in projects.iter().zip(CHANGES) {
        change(p);
        eprintln!("{what}");
        p.taskr(["all"]).ran(expected.iter().copied()).any_files().any_warning().ok();
        p.taskr(["all"]).ran([""; 0]).any_files().ok();
    }
}

/// What stands before it on PATH is another program.
#[test]
fn a_program_that_is_found_elsewhere_is_seen() {
    let p = Project::new("[target.t]\noutputs = [\"o\"]\nexec = [\"tool\", \"{{ outputs }}\"]\n");
    p.program("tool", "ran old; echo old > \"$1\"");
    let first = p.outside("first");
    fs::create_dir(&first).expect("a folder");
    let path = format!("{}:{}:/usr/bin:/bin", first.display(), p.outside("bin").display());
    let run = || p.taskr(["t"]).env("PATH", &path).any_files();
    run().ran(["old"]).ok();
    p.accept_files();
    std::thread::sleep(SETTLED);
    run().ok();
    assert_eq!(proofs(&p), 1);
    run().ok();
    fs::copy(p.outside("bin/tool"), first.join("tool")).expect("a program");
    let script = fs::read_to_string(first.join("tool")).expect("a script").replace("old", "new");
    fs::write(first.join("tool"), script.replace("${0%/*}", "${0%/*}/../bin")).expect("a script");
    run().ran(["new"]).ok();
}

#[test]
fn variables_count_where_they_are_named() {
    let p = proved(1).remove(0);
    let run = |name: &str, value: &str| p.taskr(["all"]).env(name, value).any_files();
    // A variable that nobody names is no other question.
    let before = fingerprint(&p.root());
    run("UNNAMED", "1").ok();
    assert_eq!(fingerprint(&p.root()), before);
    run("LEVEL", "2").ran(["list"]).ok();
    run("LEVEL", "2").ok();
    run("LEVEL", "3").ran(["list"]).ok();
}

/// Once an expression asks for the environment, all of it counts.
#[test]
fn an_expression_that_asks_for_the_environment_makes_all_of_it_count() {
    let p = Project::new(
        "[taskr]\njobs = \"{{ env.WORKERS | default('2') }}\"\n\
         [target.t]\noutputs = [\"o\"]\nrun = \"ran {{ jobs }}; echo > o\"\n",
    );
    let run = |value: &str| p.taskr(["t"]).env("WORKERS", value).any_files();
    run("1").ran(["1"]).ok();
    p.accept_files();
    std::thread::sleep(SETTLED);
    run("1").ok();
    assert_eq!(proofs(&p), 1);
    run("1").ok();
    run("3").ran(["3"]).ok();
    run("1").ran(["1"]).ok();
}

/// What runs, ages or is asked each time is proved by nothing.
#[test]
fn what_rests_on_more_than_files_is_not_proved() {
    let taskfile =
        |line: &str| format!("[target.t]\noutputs = [\"o\"]\nrun = \"ran t; echo > o\"\n{line}\n");
    let lines = [
        "max_age = \"1h\"",
        "fresh_if = \"true\"",
        "tools = [\"echo 1\"]",
        "env = { V = \"{{ asked }}\" }\nvars = { asked = { sh = \"echo 1\" } }",
        "",
    ];
    let projects = lines.map(|line| Project::new(&taskfile(line)));
    for p in &projects {
        p.taskr(["t"]).ran(["t"]).any_files().ok();
        p.accept_files();
    }
    std::thread::sleep(SETTLED);
    for (p, line) in projects.iter().zip(lines) {
        p.fresh("t");
        assert_eq!(proofs(p), usize::from(line.is_empty()), "{line}");
    }
}

/// A build that is killed in the middle of its work leaves no proof of what was before.
#[test]
fn a_build_that_starts_forgets_what_was_proved() {
    let p = Project::new(
        "[target.t]\ninputs = []\nrun = \"ran t; ${WAIT:-true}\"\nenv_pass = [\"WAIT\"]\n",
    );
    p.taskr(["t"]).ran(["t"]).ok();
    std::thread::sleep(SETTLED);
    p.fresh("t");
    assert_eq!(proofs(&p), 1);
    let mut command = p.command(&p.root(), ["-B", "t"]);
    let mut live = crate::project::Live::start(command.env("WAIT", "sleep 60"));
    p.await_ran("t");
    assert_eq!(proofs(&p), 0);
    live.kill();
    p.await_no_process();
    p.take_ran();
    p.taskr(["t"]).ran(["t"]).any_warning().ok();
}

#[test]
fn what_commands_print_is_never_proved_and_what_files_say_is() {
    let asks = Project::new(
        "[vars]\nv = { sh = 'cat ~/v' }\n\n\
         [target.tool]\ninputs = []\ntools = ['tool --version']\nrun = 'ran tool'\n\n\
         [target.value]\ninputs = []\nrun = 'ran value {{ v }}'\n\n\
         [target.path]\ninputs = ['{{ v }}']\nrun = 'ran path'\n",
    );
    asks.program("tool", "cat ~/v");
    asks.write("one", "").write("two", "");
    fs::write(asks.outside("home/v"), "one").expect("a file");
    asks.taskr(["value", "tool", "path"]).ran(["tool", "value one", "path"]).ok();
    let files = Project::new(
        "[target.t]\nargs = true\ninputs = { a = ['a'] }\nenv_file = ['.env', '?more.env']\n\
         run = 'ran $A {{ args }}'\n",
    );
    files.write("a", "").write(".env", "A=1\n");
    files.taskr(["t", "--", "x"]).ran(["1 x"]).ok();
    std::thread::sleep(SETTLED);

    for target in ["tool", "value", "path"] {
        asks.fresh(target);
    }
    assert_eq!(proofs(&asks), 0);
    fs::write(asks.outside("home/v"), "two").expect("a file");
    asks.taskr(["value", "tool", "path"]).ran(["tool", "value two", "path"]).ok();

    files.taskr(["t", "--", "x"]).ok();
    assert_eq!(proofs(&files), 1);
    files.taskr(["t", "--", "x"]).ok();
    files.taskr(["t", "--", "y"]).ran(["1 y"]).ok();
    files.write("more.env", "A=2\n");
    files.taskr(["t", "--", "y"]).ran(["2 y"]).ok();
    files.write(".env", "A=3\n");
    files.taskr(["t", "--", "x"]).ran(["2 x"]).ok();
}

/// How many tasks may run at once is in a command that asks for it, and a make that calls taskr
/// decides it, or `ulimit -n`.
#[test]
fn who_asks_for_jobs_is_asked_again_where_they_are_others() {
    let p = Project::new("[target.t]\noutputs = [\"o\"]\nrun = \"ran {{ jobs }}; echo > o\"\n");
    let shell = |line: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-euc", line]).current_dir(p.root());
        p.clear_environment(&mut command);
        let output = crate::project::Live::start(&mut command).wait();
        assert!(output.status.success(), "{output}");
        p.take_ran()
    };
    p.write("Makefile", "t:\n\t+taskr t\n");
    p.accept_files();
    let alone = shell("taskr t");
    assert_eq!(alone.len(), 1);
    p.accept_files();
    std::thread::sleep(SETTLED);
    assert_eq!(shell("taskr t"), [""; 0]);
    assert_eq!((shell("taskr t"), proofs(&p)), (vec![], 1));
    // More than any machine of these tests has, and less than any.
    assert_eq!(shell("make -s -j97 t"), ["97"]);
    assert_eq!(shell("taskr t"), alone);
    assert_eq!(shell("ulimit -n 32; taskr t"), ["1"]);
}

/// Copies of eight files, and one more that all of them are put into.
/// No output is called like a source: who asks for a file from its folder names only that.
const EIGHT: &str = "
[target.copy]
foreach = [\"src/*.txt\"]
outputs = [\"out/{{ item.stem }}.made\"]
run = \"ran {{ item.stem }}; cat {{ item }} > {{ outputs }}; ! grep -q wrong {{ item }}\"

[target.pair]
inputs = [\"@copy@src/[01].txt\"]
outputs = [\"pair.txt\"]
run = \"ran pair; cat {{ inputs }} > {{ outputs }}\"

[target.all]
deps = [\"copy\", \"pair\"]
";

/// What has not moved vouches for who looked at it: it is asked for once, and not judged. What was
/// built is in doubt until it is settled, what failed until it succeeds.
#[test]
fn after_a_change_only_what_it_reaches_is_judged() {
    if lacks("strace", "-V") {
        return;
    }
    let p = Project::new(EIGHT);
    (0..8).for_each(|number| _ = p.write(format!("src/{number}.txt"), "first"));
    p.taskr(["all"]).any_ran().any_files().ok();
    p.accept_files();
    std::thread::sleep(SETTLED);
    // Where there is a proof and a task is judged nevertheless, its file is asked for twice.
    let far = |ran: &[&str], code: i32| {
        assert_eq!(proofs(&p), 1, "before {ran:?}");
        let looks = times_looked_at(&p, "src/7.txt", &["all"], code);
        // Two may run at once.
        let mut all = p.take_ran();
        all.sort();
        assert_eq!(all, ran);
        p.accept_files();
        looks
    };
    p.fresh("all");
    p.write("src/6.txt", "second");
    assert_eq!(far(&["6"], 0), 1);
    // At once, so that nothing is settled; the one behind is reached, too.
    p.write("src/0.txt", "second");
    assert_eq!(far(&["0", "pair"], 0), 1);
    assert_eq!(p.read("pair.txt"), "secondfirst");
    p.write("src/6.txt", "wrong");
    assert_eq!(far(&["6"], 1), 1);
    assert_eq!(far(&["6"], 1), 1, "a failure is never vouched for");
    p.remove("out/1.made");
    p.write("src/6.txt", "right");
    assert_eq!(far(&["1", "6"], 0), 1, "an output that is gone reaches its task");
    p.write("src/8.txt", "new");
    assert_eq!(far(&["8"], 0), 1, "a folder that was listed is everybody's: the long way");

    std::thread::sleep(SETTLED);
    p.fresh("all");
    let before = fingerprint(&p.root());
    p.taskr(["all"]).says("10 tasks up to date").ok();
    assert_eq!(fingerprint(&p.root()), before, "all is proved again");
}

/// A file with other stamps is read, and if it holds what it held nothing is in doubt, nor if a folder
/// lists the same names: the state is not read. The new stamps are kept once they are settled, and
/// stand for no other content.
#[test]
fn what_has_other_stamps_and_holds_the_same_is_up_to_date() {
    if lacks("strace", "-V") {
        return;
    }
    let p = proved(1).remove(0);
    let proof = || {
        let entries = fs::read_dir(p.path(".taskr/proofs")).expect("proofs").flatten();
        fs::read(entries.map(|entry| entry.path()).next().expect("a proof")).expect("a proof")
    };
    let opened = |path: &str| {
        let opened = times_opened(&p, path, &["all"], 0);
        assert_eq!(p.take_ran(), [""; 0]);
        opened
    };
    let before = proof();
    let all = [
        ("src/a.txt", "a"),
        ("data/in/y", "y"),
        ("deep.txt", "tool\n"),
        ("Taskfile.toml", TASKFILE),
    ];
    for (path, text) in all {
        // As `git checkout` and editors do: another file of the same name.
        let new = format!("{path}.new");
        p.write(&new, text);
        fs::rename(p.path(&new), p.path(path)).expect("another file");
    }
    p.accept_files();
    assert_eq!((opened(".taskr/state.db"), opened("src/a.txt")), (0, 1));
    assert!(proof() == before, "what is not settled stands for nothing");
    std::thread::sleep(SETTLED);
    assert_eq!((opened("src/a.txt"), opened(".taskr/state.db")), (1, 0));
    assert!(proof() != before);
    let renewed = fingerprint(&p.root());
    assert_eq!((opened(".taskr/state.db"), opened("src/a.txt")), (0, 0));
    assert_eq!(fingerprint(&p.root()), renewed);
    p.write("src/a.txt", "A").write("data/in/y", "y");
    p.taskr(["all"]).ran(["a", "tool 0", "tool 1"]).any_files().ok();
    p.write("data/in/y", "Y");
    p.taskr(["all"]).ran(["list"]).any_files().ok();
}

/// Who was found up to date before a command changed what he reads is not vouched for by what others
/// saw of it later, be it as young as the command.
#[test]
fn what_was_told_before_a_command_and_is_another_since_is_in_doubt() {
    let p = Project::new(
        r#"
[target.lint]
inputs = ["src/**"]
run = "ran lint; ! grep -q BAD src/a.txt"

[target.install]
inputs = ["lock"]
installs = ["made"]
run = "ran install; mkdir -p made; if test -e ../edit; then cat ../edit > src/a.txt; fi"

[target.test]
deps = ["install"]
inputs = ["src/**"]
run = "ran test"

# A proof needs that half of all is not in doubt, and that all which these read was asked for again.
[target.style]
inputs = ["src/**"]
run = "true"

[target.all]
deps = ["lint", "test", "style"]
"#,
    );
    p.write("src/a.txt", "good").write("lock", "1");
    p.taskr(["all"]).any_ran().any_files().ok();
    p.accept_files();
    std::thread::sleep(SETTLED);
    fs::write(p.outside("edit"), "BAD").expect("a file");
    p.write("lock", "2");
    p.taskr(["all"]).ran(["install", "test"]).any_files().ok();
    assert_eq!(p.read("src/a.txt"), "BAD", "the command has changed it");
    p.accept_files();
    for _ in 0..2 {
        p.taskr(["all"]).ran(["lint"]).any_files().exits(1);
        std::thread::sleep(SETTLED);
    }
}

/// From the second edit on neither Taskfiles are read nor is the graph made, until one of them, or a
/// folder that was listed, is another; what is kept and damaged is nothing.
#[test]
fn after_a_second_change_no_taskfile_is_read() {
    if lacks("strace", "-V") {
        return;
    }
    let p = Project::new("include = [\"p/*\"]\ndefault = [\":build\"]\n");
    let taskfile = "[vars]\nword = \"one\"\n\n[target.build]\nforeach = [\"*.txt\"]\n\
                    outputs = [\"out/{{ item.stem }}\"]\nenv_inputs = [\"MORE\"]\n\
                    run = \"ran {{ package.name }} {{ item.stem }}; \
                    echo {{ word }} ${MORE-} $(cat {{ item }}) > {{ outputs }}\"\n";
    for name in ["a", "b"] {
        p.write(format!("p/{name}/Taskfile.toml"), taskfile);
        (0..4).for_each(|number| _ = p.write(format!("p/{name}/{number}.txt"), "first"));
    }
    let reads = |ran: &[&str]| {
        let opened = times_opened(&p, "p/b/Taskfile.toml", &[], 0);
        let mut all = p.take_ran();
        all.sort();
        assert_eq!(all, ran);
        p.accept_files();
        opened > 0
    };
    p.taskr([""; 0]).any_ran().any_files().ok();
    p.accept_files();
    std::thread::sleep(SETTLED);
    p.taskr([""; 0]).ok();
    assert_eq!(graphs(&p), 0, "nobody has edited anything");
    p.write("p/a/0.txt", "second");
    assert!(reads(&["a 0"]), "the graph is made once more, to be kept");
    assert_eq!((proofs(&p), graphs(&p)), (1, 1));
    p.write("p/a/1.txt", "second");
    assert!(!reads(&["a 1"]));
    assert_eq!(p.read("p/a/out/1"), "one second\n");
    p.write("p/b/0.txt", "second").remove("p/a/out/0");
    assert!(!reads(&["a 0", "b 0"]));

    p.write("p/a/Taskfile.toml", &taskfile.replace("one", "two"));
    assert!(reads(&["a 0", "a 1", "a 2", "a 3"]));
    std::thread::sleep(SETTLED);
    assert!(reads(&[]), "nothing vouches for a graph of files that may have changed since");
    p.write("p/b/1.txt", "third");
    assert!(reads(&["b 1"]), "the former graph is not the one of this proof");
    p.write("p/b/2.txt", "third");
    assert!(!reads(&["b 2"]));
    assert_eq!(p.read("p/b/out/2"), "one third\n");

    let kept = fs::read_dir(p.path(".taskr/proofs")).expect("proofs").flatten();
    let kept = kept.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with("kept"));
    let kept = kept.expect("a graph");
    let mut bytes = fs::read(&kept).expect("a graph");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&kept, bytes).expect("a graph");
    p.write("p/b/3.txt", "third");
    assert!(reads(&["b 3"]));
    p.write("p/b/3.txt", "fourth");
    p.taskr([""; 0]).env("MORE", "more").any_ran().any_files().ok();
    assert_eq!(p.read("p/a/out/1"), "two more second\n", "the environment is another");
}

/// What a name means is decided by the folder that `-C` names, however it is reached.
#[test]
fn a_link_that_leads_to_another_package_asks_another_question() {
    let p = Project::new("include = [\"p/*\"]\n");
    for name in ["a", "b"] {
        let taskfile = "[target.build]\ninputs = [\"in\"]\nrun = \"ran $(cat in)\"\n";
        p.write(format!("p/{name}/Taskfile.toml"), taskfile).write(format!("p/{name}/in"), name);
    }
    p.link("here", "p/a");
    p.taskr(["-C", "here", "build"]).ran(["a"]).ok();
    std::thread::sleep(SETTLED);
    p.taskr(["-C", "here", "build"]).ok();
    assert_eq!(proofs(&p), 1);
    p.link("here", "p/b");
    p.taskr(["-C", "here", "build"]).ran(["b"]).ok();
}
