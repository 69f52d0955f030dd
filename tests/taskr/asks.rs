//! Variables whose value is what a command prints.

use crate::project::Project;

fn asked(p: &Project) -> Vec<String> {
    let path = p.outside("home/asked");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    text.lines().map(str::to_owned).collect()
}

const VERSION: &str = r#"
default = ["t"]

[vars]
version = { sh = "echo version >>~/asked; cat VERSION; echo noise >&2" }
other = { sh = "echo other >>~/asked; echo {{ version }}-x" }
fails = { sh = "echo before; echo so sorry >&2; exit 7" }

[target.t]
inputs = []
run = "ran t {{ version }}"

[target.u]
foreach = ["1", "2", "3"]
inputs = []
env = { V = "{{ other }}" }
run = 'ran u "$V"'

[target.plain]
inputs = []
run = "ran plain"

[target.bad]
inputs = []
run = "ran bad {{ fails }}"

[target.badly]
inputs = ["{{ fails }}"]
run = "ran badly"
"#;

#[test]
fn a_command_is_asked_once_and_only_if_it_is_needed() {
    let p = Project::new(VERSION);
    p.write("VERSION", "1.0\n\n");
    p.taskr::<&str>([]).ran(["t 1.0"]).ok();
    assert_eq!(asked(&p), ["version"]);
    p.taskr(["t"]).ok();
    assert_eq!(asked(&p), ["version"]);
    p.taskr(["u", "t"]).ran(["u 1.0-x", "u 1.0-x", "u 1.0-x"]).ok();
    assert_eq!(asked(&p), ["version", "other"]);
    p.taskr(["plain"]).ran(["plain"]).ok();
    assert_eq!(asked(&p), [""; 0]);
    // The value is what counts.
    p.write("VERSION", "1.0\n");
    p.taskr(["t", "u"]).ok();
    p.write("VERSION", "1.1 'x'\n");
    p.taskr(["t", "-v"]).ran(["t 1.1 'x'"]).says("its command changed").ok();
    p.taskr(["why", "u@1"]).says("the variable V changed").ok();
    asked(&p);
    p.taskr(["t", "-D", "version=2"]).ran(["t 2"]).ok();
    assert_eq!(asked(&p), [""; 0]);
    p.taskr(["-n", "t"]).says("would run t").ok();
    assert_eq!(asked(&p), ["version"]);
    p.taskr(["show", "t"]).says("ran t '1.1 '\\''x'\\'''").says("version = 1.1 'x'").ok();
    asked(&p);
    // These run nothing.
    p.taskr(["list"]).says("version = { sh = \"echo version").ok();
    p.taskr(["check"]).ok();
    p.taskr(["log", "t"]).any_warning().ok();
    assert_eq!(asked(&p), [""; 0]);
}

#[test]
fn a_command_that_fails_is_told_to_those_who_need_it() {
    let p = Project::new(VERSION);
    p.write("VERSION", "1");
    for target in ["bad", "badly"] {
        p.taskr([target])
            .says("whose output is `fails`, failed: exit 7")
            .says("Taskfile.toml:7:16")
            .says("it printed: so sorry")
            .any_warning()
            .exits(2);
    }
    p.taskr(["plain", "t"]).ran(["plain", "t 1"]).ok();
    p.taskr(["-k", "bad", "plain"]).says("failed: exit 7").any_warning().exits(2);
    p.taskr(["show", "badly"]).says("failed: exit 7").any_warning().exits(2);
    p.taskr(["why", "badly"]).says("failed: exit 7").any_warning().exits(2);
    p.taskr(["check"]).ok();
}

#[test]
fn names_and_paths_may_depend_on_it() {
    let p = Project::new(
        r#"
[vars]
files = { sh = "ls *.txt" }
folder = { sh = "cat name" }
full = { sh = "cat full" }

[target.t]
foreach = ["{{ files | lines }}"]
outputs = ["{{ folder }}/{{ item.stem }}.out"]
run = "ran {{ item }}; cp {{ item }} {{ outputs }}"

[target.u]
inputs = ["@t"]
when = "full == 'yes'"
run = "ran u {{ inputs }}"
"#,
    );
    p.write("a.txt", "a").write("b.txt", "b").write("name", "x\n").write("full", "no\n");
    p.taskr(["u"]).says("u  skipped: its `when` is false: full == 'yes'").ok();
    p.write("full", "yes\n");
    p.taskr(["u"])
        .ran(["a.txt", "b.txt", "u x/a.out x/b.out"])
        .makes("x/a.out", "a")
        .makes("x/b.out", "b")
        .ok();
    p.taskr(["u"]).ok();
    p.write("name", "y\n").remove("b.txt");
    p.taskr(["u"])
        .ran(["a.txt", "u y/a.out"])
        .removes("x/a.out")
        .removes("x/b.out")
        .makes("y/a.out", "a")
        .ok();
    p.taskr(["check"]).warns("there is no `default`").ok();
    p.taskr(["list"]).ok();
}

#[test]
fn a_signal_ends_what_is_asked() {
    let p = Project::new(
        "[vars]\nv = { sh = 'touch ~/begun; sleep 60' }\n\n[target.t]\ninputs = ['{{ v }}']\nrun = 'ran t'\n",
    );
    let live = p.spawn(["t"]);
    crate::project::until("it is asked", || p.outside("home/begun").exists());
    live.signal(rustix::process::Signal::INT);
    live.dies_by(rustix::process::Signal::INT);
    assert!(p.take_ran().is_empty());
    p.await_no_process();
}

#[test]
fn what_cannot_be_known_removes_nothing() {
    let p = Project::new(
        r#"
[vars]
name = { sh = "cat name" }

[target.t]
outputs = ["{{ folder }}/out"]
vars = { folder = "{{ where }}-t" }
run = "ran t; echo t >{{ outputs }}"

[target.u]
foreach = ["{{ where }}"]
outputs = ["{{ item }}.u"]
run = "ran u; echo u >{{ outputs }}"

[target.other]
inputs = []
run = "ran other"
"#
        .replace("name = {", "where = {")
        .as_str(),
    );
    p.write("name", "x");
    p.taskr(["t", "u"]).ran(["t", "u"]).makes("x-t/out", "t\n").makes("x.u", "u\n").ok();
    p.remove("name");
    p.taskr(["other"]).ran(["other"]).ok();
    p.taskr(["t"]).says("No such file").any_warning().exits(2);
    p.write("name", "x");
    p.taskr(["t", "u"]).ok();
}

/// Tools that run nothing leave out a limit that is not known; a build holds it.
#[test]
fn limits_may_depend_on_it() {
    let p = Project::new(
        r#"
default = ["t"]
[vars]
min = { sh = "cat min" }
[taskr]
jobs = "{{ min }}"
gates = { wall_s = "<= {{ min }}" }
[target.t]
inputs = []
gates = { cov = ">= {{ min }}" }
run = "ran t; echo cov=80 >> $TASKR_METRICS"
"#,
    );
    p.write("min", "90\n");
    for tool in [&["check"][..], &["graph"], &["clean", "-n"], &["list"]] {
        p.taskr(tool).never_says("mistake").ok();
    }
    p.taskr(["t"]).ran(["t"]).says("cov").says("90").exits(1);
    p.taskr(["log", "t"]).warns("t wrote nothing").ok();
    p.taskr(["--failed"]).ran(["t"]).exits(1);
    p.write("min", "70\n");
    p.taskr(["t"]).ran(["t"]).ok();
    p.remove("min");
    p.taskr(["t"]).says("cat min").exits(2);
}
