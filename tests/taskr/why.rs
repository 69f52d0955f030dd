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
             obj@src/a.c would run: it has not been built before\n  \
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
    p.taskr(["why", "app"]).says("  obj@src/c.c would run: it has not been built before\n").ok();
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
    p.taskr(["why"]).stdout("t would run: it has not been built before\n").ok();
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
