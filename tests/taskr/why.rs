//! `taskr why`: the chain from a task down to what a person changed, now and for the last run.

use crate::project::Project;

/// Three hops: generated header, two objects by depfile, a program.
const CHAIN: &str = r#"
[target.gen]
inputs = ["version"]
outputs = ["gen.h"]
run = "ran gen; cat version > {{ outputs }}"

[target.obj]
foreach = "src/*.c"
after = ["gen"]
outputs = ["{{ item.rel | stem }}.o"]
depfile = "{{ out }}/d"
run = """
ran {{ item }}
cat {{ item }} gen.h include/x.h > {{ outputs }}
echo "o: gen.h include/x.h" > {{ out }}/d
"""

[target.app]
inputs = ["@obj"]
outputs = ["app"]
run = "ran app; cat {{ inputs }} > {{ outputs }}"

[target.all]
deps = ["app"]
"#;

fn chain() -> Project {
    let p = Project::new(CHAIN);
    p.write("version", "1\n").write("include/x.h", "x\n");
    p.write("src/a.c", "a\n").write("src/b.c", "b\n");
    p
}

const ALL: [&str; 4] = ["gen", "src/a.c", "src/b.c", "app"];

#[test]
fn a_first_build_has_one_cause() {
    let p = chain();
    p.taskr(["why", "app"])
        .stdout(
            "app would run: obj@src/a.c would run first (and 1 more)\n  \
             obj@src/a.c would run: it has no result yet\n  \
             and 1 more task for the same causes: `taskr -n app` lists all\n",
        )
        .ok();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    let fresh = "app is up to date; it last ran because it had not been built before\n";
    p.taskr(["why", "app"]).stdout(fresh).ok();
    p.taskr(["why", "all"]).stdout(&format!("all: its task is up to date\n  {fresh}")).ok();
}

#[test]
fn a_header_is_followed_to_what_it_made_run() {
    let p = chain();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.write("include/x.h", "y\n");
    p.taskr(["why", "app"])
        .stdout(
            "app would run: obj@src/a.c would run first (and 1 more)\n  \
             obj@src/a.c would run: include/x.h changed\n  \
             and 1 more task for the same causes: `taskr -n app` lists all\n",
        )
        .ok();
    // Half of it has run: the rest of the chain is what was kept.
    p.taskr(["obj@src/a.c"]).ran(["src/a.c"]).any_files().ok();
    p.write("include/x.h", "x\n");
    p.taskr(["obj@src/b.c"]).any_files().ok();
    p.taskr(["obj@src/a.c"]).any_ran().any_files().ok();
    p.write("src/b.c", "bb\n");
    p.taskr(["obj"]).ran(["src/b.c"]).any_files().ok();
    p.taskr(["why", "app"])
        .stdout(
            "app would run: obj@src/b.c changed its output b.o\n  \
             obj@src/b.c ran because src/b.c changed\n",
        )
        .ok();
    p.taskr(["app"]).ran(["app"]).any_files().ok();
    p.taskr(["why", "app"])
        .stdout(
            "app is up to date; it last ran because obj@src/b.c changed its output b.o\n  \
             obj@src/b.c ran because src/b.c changed\n",
        )
        .ok();
}

#[test]
fn the_last_run_is_told_over_three_hops() {
    let p = chain();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.write("version", "2\n");
    p.taskr(["app"]).ran(ALL).any_files().ok();
    let told = "app is up to date; it last ran because obj@src/a.c changed its output a.o; \
                obj@src/b.c changed its output b.o\n  \
                obj@src/a.c ran because gen changed its output gen.h\n    \
                gen ran because version changed\n";
    p.taskr(["why", "app"]).stdout(told).ok();
    // A later run of a part that changes nothing for the rest does not blur it.
    p.write("src/a.c", "a \n");
    p.taskr(["obj"]).ran(["src/a.c"]).any_files().ok();
    p.write("src/a.c", "a\n");
    p.taskr(["app"]).ran(["src/a.c"]).any_files().ok();
    p.taskr(["why", "app"]).stdout(told).ok();
}

#[test]
fn a_list_is_told_before_the_command_that_it_changes() {
    let p = chain();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.rename("src/b.c", "src/c.c");
    p.taskr(["why", "app"]).says("  obj@src/c.c would run: it has no result yet\n").ok();
    p.taskr(["app"]).ran(["src/c.c", "app"]).any_files().ok();
    p.taskr(["why", "app"])
        .says("it last ran because b.o was no longer an input; c.o was a new input, an output of obj@src/c.c; its command changed\n")
        .says("  obj@src/c.c ran because it had not been built before\n")
        .ok();
}

#[test]
fn what_failed_is_named() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"ran t; cp in {{ outputs }}; grep -q good in\"\n",
    );
    p.write("in", "good");
    p.taskr(["t"]).ran(["t"]).makes("o", "good").ok();
    p.write("in", "bad");
    p.taskr(["t"]).ran(["t"]).exits(1);
    p.taskr(["why", "t"]).stdout("t would run: in changed (its last run failed: exit 1)\n").ok();
    p.write("in", "good");
    p.taskr(["why", "t"]).stdout("t would run: its last run failed: exit 1\n").ok();
}

#[test]
fn a_task_at_work_is_said_to_be() {
    let p = Project::new(
        "[target.t]\noutputs = [\"o\"]\nrun = \"touch {{ out }}/../started; while ! test -e go; do sleep 0.05; done; touch {{ outputs }}\"\n",
    );
    let live = p.spawn(["t"]);
    crate::project::until("the task is at work", || p.path(".taskr/tasks/t/started").exists());
    p.taskr(["why", "t"]).says("t is running now (process ").says(": taskr t)\n").ok();
    p.write("go", "");
    assert!(live.wait().status.success());
    p.accept_files();
    p.taskr(["why", "t"]).says("t is up to date").ok();
}

#[test]
fn a_target_is_not_needed() {
    let p = Project::new(
        "default = [\"t\"]\n[target.t]\noutputs = [\"o\"]\nrun = \"touch {{ outputs }}\"\n",
    );
    p.taskr(["why"]).stdout("t would run: it has no result yet\n").ok();
}

/// git in the workspace, without a configuration of the machine. False if there is none.
fn git(p: &Project, args: &[&str]) -> bool {
    let mut command = std::process::Command::new("git");
    p.clear_environment(&mut command);
    command.args(["-c", "user.name=n", "-c", "user.email=e@example.org"]).args(args);
    command.current_dir(p.root());
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            true
        }
        Err(_) => false,
    }
}

#[test]
fn changed_lines_are_shown_against_a_text_that_is_proven_to_be_the_old_one() {
    let p = chain();
    p.write("include/x.h", "one\ntwo\nthree\n");
    if !git(&p, &["init", "-q", "."]) {
        eprintln!("SKIPPED: there is no git");
        return;
    }
    p.write(".gitignore", "*.o\napp\n");
    for args in [["add", "."].as_slice(), &["commit", "-qm", "x"]] {
        git(&p, args);
    }
    p.accept_files();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.write("include/x.h", "one\n2\nthree\n");
    let lines = "include/x.h changed\n         2 - two\n         2 + 2\n";
    p.taskr(["why", "app"]).says(lines).any_files().ok();
    // An older revision is found, too.
    git(&p, &["commit", "-qam", "y"]);
    p.taskr(["why", "app"]).says(lines).any_files().ok();
    p.taskr(["app"]).any_ran().any_files().ok();
    p.taskr(["why", "app"])
        .says("ran because include/x.h changed")
        .says("2 + 2\n")
        .any_files()
        .ok();
    // What no revision has is not shown, and neither is what the file no longer holds.
    p.write("include/x.h", "never committed\n");
    p.taskr(["app"]).any_ran().any_files().ok();
    p.write("include/x.h", "one\n");
    p.taskr(["why", "app"]).says("include/x.h changed\n").never_says(" - ").any_files().ok();
}

#[test]
fn a_changed_command_is_shown_before_and_after() {
    let p = Project::new("[target.t]\noutputs = [\"o\"]\nrun = \"echo one > {{ outputs }}\"\n");
    p.taskr(["t"]).makes("o", "one\n").ok();
    p.write("Taskfile.toml", "[target.t]\noutputs = [\"o\"]\nrun = \"echo two > {{ outputs }}\"\n");
    let shown = "its command changed\n    - echo one > .taskr/tasks/t/out/o\n    \
                 + echo two > .taskr/tasks/t/out/o\n           ^^^\n";
    p.taskr(["why", "t"]).says(shown).ok();
    p.taskr(["t"]).makes("o", "two\n").ok();
    p.taskr(["why", "t"]).says(shown).ok();
}

#[test]
fn what_was_compared_is_told_of_a_task_that_is_not_run() {
    let p = chain();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    let told = p.taskr(["why", "--not", "app"]).ok().stdout;
    let (line, newest) = told.split_once('\n').expect("lines");
    assert!(
        line.starts_with("app is up to date: its command, 2 inputs and 1 output are"),
        "{told}"
    );
    assert!(line.contains(" are as recorded ") && line.contains("s ago (run "), "{told}");
    assert!(newest.starts_with("  newest input: "), "{told}");
    assert!(newest.ends_with(" before that\n  `-v` lists all\n"), "{told}");
    p.taskr(["why", "--not", "-v", "obj@src/a.c"])
        .says("  input      gen.h  (named by its depfile)\n")
        .says("  input      include/x.h  (named by its depfile)\n")
        .says("  input      src/a.c\n")
        .says("  output     a.o\n")
        .never_says("lists all")
        .ok();
    p.taskr(["why", "--not", "all"])
        .says("all: its task is up to date\n  app is up to date: its command, 2 inputs and 1 output are as ")
        .ok();
    // What would run is told as without `--not`.
    p.write("src/b.c", "bb\n");
    let would = p.taskr(["why", "app"]).ok().stdout;
    assert!(would.contains("obj@src/b.c would run: src/b.c changed"), "{would}");
    p.taskr(["why", "--not", "app"]).stdout(&would).ok();
}

#[test]
fn a_file_is_an_input_or_it_is_told_who_reads_it() {
    let p = Project::new(
        r#"
[target.obj]
foreach = "src/*.c"
inputs = ["conf/*", "!conf/b"]
outputs = ["{{ item.rel | stem }}.o"]
depfile = "{{ out }}/d"
run = "cat {{ item }} x.h > {{ outputs }}; echo 'o: x.h' > {{ out }}/d"

[target.app]
inputs = ["@obj"]
outputs = ["app"]
run = "cat {{ inputs }} > {{ outputs }}"

[target.all]
deps = ["app"]
"#,
    );
    for file in ["src/a.c", "src/b.c", "x.h", "lonely", "conf/a", "conf/b"] {
        p.write(file, "1\n");
    }
    p.taskr(["app"]).any_files().ok();
    for (task, file, told) in [
        ("app", "a.o", "a.o is an input of app: obj@src/a.c makes it\n"),
        ("app", "app", "app is an output of app, not an input\n"),
        (
            "app",
            "x.h",
            "x.h is not an input of app: if its command reads it, add \"x.h\" to its `inputs`; \
             obj@src/a.c and 1 more read it\n",
        ),
        (
            "app",
            "lonely",
            "lonely is not an input of app: if its command reads it, add \"lonely\" to its `inputs`\n",
        ),
        (
            "all",
            "src/b.c",
            "src/b.c is not an input of all, which is a group; obj@src/b.c reads it\n",
        ),
        (
            "app",
            "src/gone.h",
            "src/gone.h is not an input of app: if its command reads it, add \"src/gone.h\" to its \
             `inputs`\n",
        ),
        (
            "obj@src/a.c",
            "x.h",
            "x.h is an input of obj@src/a.c: its depfile named it when it last ran\n",
        ),
        (
            "obj@src/a.c",
            "src/a.c",
            "src/a.c is an input of obj@src/a.c: by `foreach` (Taskfile.toml:3:1)\n",
        ),
        (
            "obj@src/a.c",
            "conf/a",
            "conf/a is an input of obj@src/a.c: by `conf/*` (Taskfile.toml:4:11)\n",
        ),
        (
            "obj@src/a.c",
            "conf/b",
            "conf/b is not an input of obj@src/a.c: `!conf/b` (Taskfile.toml:4:21) leaves it out\n",
        ),
    ] {
        // A word that is a target is one: its file is named as a path.
        let word = format!("./{file}");
        p.taskr(["why", "--not", task, &word]).says(told).ok();
    }
    // From a folder below, and without a task: the default.
    p.taskr(["why", "--not", "obj@src/a.c", "a.c"]).within("src").says("by `foreach`").ok();
    p.taskr(["why", "--not", "./lonely"]).says("has no `default`").exits(2);
    // Without `--not`, and for what is not there, it is no target.
    p.taskr(["why", "app", "x.h"]).says("there is no target `x.h`").exits(2);
    p.taskr(["why", "--not", "app", "y.h"]).says("there is no target `y.h`").exits(2);
}

/// What `taskr why --json` prints.
fn json(p: &Project, args: &[&str]) -> serde_json::Value {
    let output = p.taskr([&["why", "--json"], args].concat()).any_files().ok();
    serde_json::from_str(&output.stdout).expect("JSON")
}

fn fields(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_shape_of_the_json_is_held() {
    let p = chain();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.write("include/x.h", "y\n");
    let told = json(&p, &["app"]);
    assert_eq!(
        (fields(&told), &told["version"]),
        (vec!["pipelines", "tasks", "version"], &1.into())
    );
    let task = &told["tasks"][0];
    assert_eq!(fields(task), ["hops", "more_causes", "more_tasks", "state", "task"]);
    assert_eq!((&task["task"], &task["state"]), (&"app".into(), &"would_run".into()));
    let hops = task["hops"].as_array().expect("hops");
    let names: Vec<&str> = hops.iter().filter_map(|hop| hop["task"].as_str()).collect();
    assert_eq!(names, ["app", "obj@src/a.c", "obj@src/b.c"], "nothing is left out");
    assert_eq!(
        fields(&hops[1]),
        ["causes", "depth", "failure", "left_out_above", "more_causes", "run", "state", "task"]
    );
    let cause = &hops[1]["causes"][0];
    assert_eq!(fields(cause), ["code", "lines", "path", "text", "was"]);
    assert_eq!((&cause["code"], &cause["path"]), (&"found".into(), &"include/x.h".into()));

    p.taskr(["app"]).any_ran().any_files().ok();
    let told = json(&p, &["--not", "app", "include/x.h"]);
    let task = &told["tasks"][0];
    assert_eq!(
        fields(task),
        ["compared", "files", "hops", "more_causes", "more_tasks", "state", "task"]
    );
    assert_eq!((&task["state"], &task["hops"][1]["state"]), (&"up_to_date".into(), &"ran".into()));
    assert!(task["hops"][1]["run"].is_string());
    let compared = &task["compared"][0];
    assert_eq!(fields(compared), ["equal", "newest_input", "recorded_ms", "run", "task"]);
    assert_eq!(fields(&compared["newest_input"]), ["path", "written_ms"]);
    let equal = compared["equal"].as_array().expect("rows");
    assert_eq!(fields(&equal[0]), ["kind", "name", "note"]);
    assert!(equal.iter().any(|row| row["kind"] == "output" && row["name"] == "app"), "{equal:?}");
    let file = &task["files"][0];
    assert_eq!(fields(file), ["file", "how", "is_input", "made_by", "place", "readers", "text"]);
    assert_eq!((&file["is_input"], &file["how"]), (&false.into(), &"none".into()));
    assert_eq!(file["readers"], serde_json::json!(["obj@src/a.c", "obj@src/b.c"]));
}

#[test]
fn more_is_told_on_demand() {
    let p = Project::new(
        "[target.t]\nforeach = [\"*.in\"]\noutputs = [\"{{ item }}.o\"]\nrun = \"cp {{ item }} {{ outputs }}\"\n",
    );
    for number in 0..9 {
        p.write(format!("{number}.in"), "1\n");
    }
    p.taskr(["t"]).any_files().ok();
    for number in 0..9 {
        p.write(format!("{number}.in"), "2\n");
    }
    p.taskr(["why", "t"]).says("and 4 more causes").never_says("8.in").never_says("(its").ok();
    p.taskr(["why", "-v", "t"])
        .says("t@8.in would run: 8.in changed\n      (its old text is not known: ")
        .never_says("more")
        .ok();
}

#[test]
fn a_variable_and_an_output_are_first_causes() {
    let p = Project::new(
        "[target.t]\noutputs = [\"o\"]\nenv_inputs = [\"MOOD\"]\nrun = \"echo ${MOOD-} > {{ outputs }}\"\n",
    );
    p.taskr(["t"]).makes("o", "\n").ok();
    let set = "t would run: the variable MOOD was unset, is set now\n";
    p.taskr(["why", "t"]).env("MOOD", "good").stdout(set).ok();
    p.taskr(["t"]).env("MOOD", "good").makes("o", "good\n").ok();
    p.taskr(["why", "t"])
        .env("MOOD", "good")
        .stdout(
            "t is up to date; it last ran because the variable MOOD was set, and unset before\n",
        )
        .ok();
    let changed = "t would run: the variable MOOD changed\n";
    p.taskr(["why", "t"]).env("MOOD", "bad").stdout(changed).never_says("good").ok();
    p.remove("o");
    p.taskr(["why", "t"]).env("MOOD", "good").stdout("t would run: o is missing\n").ok();
    p.taskr(["t"]).env("MOOD", "good").makes("o", "good\n").ok();
    p.taskr(["why", "t"])
        .env("MOOD", "good")
        .stdout("t is up to date; it last ran because o was missing\n")
        .ok();
}

#[test]
fn a_git_that_does_not_answer_is_given_up_and_ended() {
    let p = chain();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.write("include/x.h", "y\n");
    p.program("git", "ran git; sleep 600 & wait");
    // A run that takes longer than a minute and a half is ended.
    p.taskr(["why", "app"]).ran(["git"]).says("include/x.h changed\n").never_says(" - ").ok();
    p.await_no_process();
}

#[test]
fn the_configuration_of_a_repository_runs_no_program() {
    let p = chain();
    p.write("include/x.h", "one\ntwo\n");
    if !git(&p, &["init", "-q", "."]) {
        eprintln!("SKIPPED: there is no git");
        return;
    }
    p.write(".gitignore", "*.o\napp\n");
    git(&p, &["add", "."]);
    git(&p, &["commit", "-qm", "x"]);
    p.accept_files();
    p.taskr(["app"]).ran(ALL).any_files().ok();
    p.write("include/x.h", "one\n2\n");
    let canary = p.outside("canary");
    let program = format!("touch {}; cat \"$@\"; exit 0; :", canary.display());
    for key in ["core.fsmonitor", "diff.x.textconv", "diff.x.command", "diff.external"]
        .into_iter()
        .chain(["core.pager", "pager.cat-file", "pager.rev-list", "filter.x.smudge"])
        .chain(["filter.x.clean", "alias.cat-file", "core.sshCommand", "core.editor"])
    {
        git(&p, &["config", key, &program]);
    }
    p.write(".gitattributes", "* diff=x filter=x\n");
    for hook in ["post-index-change", "post-checkout", "reference-transaction"] {
        p.write(format!(".git/hooks/{hook}"), &format!("#!/bin/sh\n{program}\n"));
        p.chmod(&format!(".git/hooks/{hook}"), 0o755);
    }
    p.accept_files();
    // Both ways: the last commit, and an older one.
    p.taskr(["why", "app"]).says("   2 - two\n").ok();
    assert!(!canary.exists(), "a program of the repository ran");
    git(
        &p,
        &[
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
            "rm",
            "-q",
            "--cached",
            "include/x.h",
        ],
    );
    git(
        &p,
        &["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "commit", "-qm", "y"],
    );
    let _ = std::fs::remove_file(&canary);
    p.accept_files();
    p.taskr(["why", "app"]).says("   2 - two\n").ok();
    assert!(!canary.exists(), "a program of the repository ran");
    // The trap works.
    git(&p, &["status", "--short"]);
    assert!(canary.exists(), "the canary cannot sing");
}
