//! `when`: what is skipped, and what those that need it see.

use crate::project::Project;

const TWO: &str = r#"
[target.gen]
when = "env.FULL | default('') == '1'"
inputs = ["in"]
outputs = ["gen.txt", "more/*.txt"]
run = "ran gen; cp in gen.txt; mkdir -p more; cp in more/a.txt; cp in {{ out }}/left"

[target.use]
inputs = ["@gen", "in"]
run = "ran use {{ inputs }}"

[target.path]
inputs = ["gen.txt", "in"]
run = "ran path {{ inputs }}"

[target.glob]
inputs = ["*.txt", "in"]
run = "ran glob {{ inputs }}"

[target.dep]
deps = ["gen"]
inputs = ["in"]
run = "ran dep"

[target.after]
after = ["gen"]
inputs = ["in"]
run = "ran after"

[target.all]
deps = ["use", "path", "glob", "dep", "after"]
"#;

#[test]
fn what_is_skipped_is_absent_for_others() {
    let p = Project::new(TWO);
    p.write("in", "1");
    let without = ["use in", "path in", "glob in", "dep", "after"];
    p.taskr(["all"])
        .ran(without)
        .says("- gen  skipped: its `when` is false: env.FULL | default('') == '1'")
        .says("6 tasks: 5 ran, 1 skipped")
        .ok();
    p.taskr(["all"]).says("6 tasks: 5 fresh, 1 skipped").ok();

    let with = [
        "gen",
        "use gen.txt more/a.txt .taskr/tasks/gen/out/left in",
        "path gen.txt in",
        "glob gen.txt in",
        "dep",
    ];
    let run = p.taskr(["all", "-v"]).env("FULL", "1").ran(with);
    run.makes("gen.txt", "1").makes("more/a.txt", "1").ok();
    p.taskr(["all"]).env("FULL", "1").says("6 tasks up to date").ok();

    // What it made before is gone with it, for a command could read it. A dry run only says so.
    p.taskr(["-n", "path"]).says("would run path: gen.txt is no longer an input").ok();
    p.taskr(["why", "gen"]).says("gen is skipped: its `when` is false").ok();
    p.taskr(["all"]).ran(without[..4].to_vec()).removes("gen.txt").removes("more/a.txt").ok();
    p.taskr(["all"]).ok();
}

#[test]
fn outputs_that_were_edited_stay() {
    let p = Project::new(TWO);
    p.write("in", "1");
    p.taskr(["gen"])
        .env("FULL", "1")
        .ran(["gen"])
        .makes("gen.txt", "1")
        .makes("more/a.txt", "1")
        .ok();
    p.write("gen.txt", "mine");
    p.taskr(["path"])
        .ran(["path gen.txt in"])
        .removes("more/a.txt")
        .warns("gen.txt was edited")
        .ok();
    p.write("gen.txt", "mine too");
    p.taskr(["path"]).ran(["path gen.txt in"]).ok();
}

#[test]
fn a_skipped_task_needs_nothing_and_fails_nobody() {
    let p = Project::new(
        r#"
default = ["deploy"]

[target.broken]
run = "ran broken; exit 1"

[target.deploy]
when = "ci"
deps = ["broken"]
inputs = ["absent"]
exec = ["no-such-program"]

[target.group]
when = "ci"
deps = ["broken"]

[target.each]
foreach = ["a", "b"]
matrix = { os = ["linux", "mac"] }
when = "item == 'a' and matrix.os == 'linux' and level == '2'"
run = "ran {{ name }} {{ item }} {{ matrix.os }}"
vars = { level = 2 }

[target.never]
when = false
run = "ran never"
"#,
    );
    p.taskr::<&str>([]).says("- deploy  skipped: its `when` is false: ci").ok();
    p.taskr(["deploy", "group"]).says("- group  skipped").ok();
    p.taskr(["deploy", "-n"]).says("1 task: 1 skipped").ok();
    p.taskr(["each"]).ran(["each a linux"]).says("4 tasks: 1 ran, 3 skipped").ok();
    p.taskr(["each@b,os=mac"]).says("each@b,os=mac  skipped").ok();
    p.taskr(["each", "-D", "level=3"]).says("4 skipped").ok();
    p.taskr(["never"]).says("its `when` is false: false").ok();
    p.taskr(["group"]).env("CI", "1").ran(["broken"]).any_warning().exits(1);
    p.taskr(["show", "deploy"]).says("when\n    ci  (false: skipped, Taskfile.toml:8:").ok();
    p.taskr(["check"]).ok();
    let events = p.taskr(["deploy", "--events", "-"]).any_warning().ok();
    let line = events.stdout.lines().find(|line| line.contains("task_finished")).expect("it ended");
    assert!(line.contains(r#""code":"when""#) && line.contains(r#""outcome":"skipped""#), "{line}");
}

#[test]
fn outputs_of_what_is_skipped_are_no_items() {
    let p = Project::new(
        r#"
[target.gen]
when = "env.FULL | default('') == '1'"
outputs = ["gen.c"]
run = "ran gen; touch gen.c"

[target.obj]
foreach = ["*.c"]
run = "ran {{ item }}"
"#,
    );
    p.write("a.c", "");
    p.taskr(["obj"]).ran(["a.c"]).ok();
    p.taskr(["obj"]).env("FULL", "1").ran(["gen", "gen.c"]).makes("gen.c", "").ok();
    p.taskr(["obj"]).ok();
}

#[test]
fn nor_is_one_that_is_written_out() {
    let p = Project::new(
        r#"
[target.gen]
when = "env.FULL | default('') == '1'"
outputs = ["gen.c", "made/gen.c"]
run = "ran gen; touch gen.c made/gen.c"

[target.obj]
foreach = ["a.c", "gen.c", "made/gen.c"]
run = "ran {{ item }}"
"#,
    );
    p.write("a.c", "");
    p.taskr(["obj"]).ran(["a.c"]).ok();
    let run = p.taskr(["obj"]).env("FULL", "1").ran(["gen", "gen.c", "made/gen.c"]);
    run.makes("gen.c", "").makes("made/gen.c", "").ok();
    // Nothing needs it any more: its files are no items, and go when it is asked for.
    p.taskr(["obj"]).says("1 task up to date").ok();
    p.taskr(["obj", "gen"]).removes("gen.c").removes("made/gen.c").ok();
}

#[test]
fn the_expression_is_not_in_the_key() {
    let p = Project::new(
        "[target.t]\ninputs = []\nwhen = \"env.A == '1'\"\nrun = 'ran t; test -z \"${A-}\"'\n",
    );
    p.taskr(["t"]).env("A", "1").ran(["t"]).ok();
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("== '1'", "!= '3'"));
    p.taskr(["t"]).env("A", "2").says("1 task up to date").ok();
    p.taskr(["t"]).env("A", "3").says("1 skipped").ok();
}

/// What is skipped is absent, whichever profile made it.
#[test]
fn what_another_profile_made_goes_too() {
    let p = Project::new(
        r#"
[vars]
on = "no"
[profile.rel.vars]
on = "yes"
[profile.off.vars]
on = "never"
[target.extra]
when = "on == 'yes'"
inputs = []
outputs = ["extra.txt", "{{ profile }}.own"]
run = "ran extra; echo extra > extra.txt; echo own > {{ profile }}.own"
[target.pack]
inputs = ["?*.txt"]
run = "ran pack {{ inputs }}"
"#,
    );
    p.taskr(["pack"]).ran(["pack"]).ok();
    let run = p.taskr(["--profile", "rel", "pack"]).ran(["extra", "pack extra.txt"]);
    run.makes("extra.txt", "extra\n").makes("rel.own", "own\n").ok();
    p.taskr(["-n", "pack"]).says("2 tasks: 1 fresh, 1 skipped").ok();
    p.taskr(["pack"]).removes("extra.txt").ok();
    p.taskr(["pack"]).says("2 tasks: 1 fresh, 1 skipped").ok();
    // Its own profile makes it again, or has it from the store.
    p.taskr(["--profile", "rel", "pack"]).any_ran().makes("extra.txt", "extra\n").ok();
    p.taskr(["--profile", "off", "pack"]).any_ran().removes("extra.txt").ok();
    p.taskr(["--profile", "rel", "pack"]).any_ran().makes("extra.txt", "extra\n").ok();
    p.write("extra.txt", "edited\n");
    p.taskr(["pack"]).any_ran().warns("extra.txt was edited since this task made it").ok();
    assert_eq!(p.read("extra.txt"), "edited\n");
}

/// A profile that skips what the default one made.
#[test]
fn what_the_default_profile_made_goes_too() {
    let p = Project::new(
        r#"
[vars]
on = "yes"
[profile.rel.vars]
on = "no"
[target.extra]
when = "on == 'yes'"
inputs = []
outputs = ["extra.txt"]
run = "ran extra; echo extra > extra.txt"
[target.pack]
inputs = ["?*.txt"]
run = "ran pack {{ inputs }}"
"#,
    );
    p.taskr(["pack"]).ran(["extra", "pack extra.txt"]).makes("extra.txt", "extra\n").ok();
    p.taskr(["--profile", "rel", "pack"]).ran(["pack"]).removes("extra.txt").ok();
    p.taskr(["pack"]).any_ran().makes("extra.txt", "extra\n").ok();
}
