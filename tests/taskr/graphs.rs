//! The shape of the graph: cycles are refused with their members, size is no matter.

use std::fmt::Write;

use crate::project::Project;
use crate::repository::ends;

#[test]
fn cycles_are_shown_with_their_members() {
    let two = "[target.a]\ndeps = [\"b\"]\nrun = \"x\"\n[target.b]\ndeps = [\"a\"]\nrun = \"x\"\n";
    let itself = "[target.a]\ninputs = [\"@a\"]\noutputs = [\"o\"]\nrun = \"x\"\n";
    let files = "[target.a]\ninputs = [\"y\"]\noutputs = [\"x\"]\nrun = \"x\"\n[target.b]\ninputs = [\"x\"]\noutputs = [\"y\"]\nrun = \"x\"\n";
    let after = "[target.a]\nafter = [\"c\"]\nrun = \"x\"\n[target.c]\nafter = [\"b\"]\nrun = \"x\"\n[target.b]\ninputs = [\"@a\"]\nrun = \"x\"\n";
    let groups = "[target.a]\ndeps = [\"b\"]\n[target.b]\ndeps = [\"a\"]\n";
    for (text, members) in [
        (two, &["a", "b"][..]),
        (itself, &["a"]),
        (files, &["a", "b"]),
        (after, &["a", "b", "c"]),
        (groups, &["a", "b"]),
    ] {
        let p = Project::new(text);
        let run = p.taskr(["a"]).says("cycle").says("Taskfile.toml");
        members.iter().fold(run, |run, member| run.says(*member)).exits(2);
    }
}

/// A cycle among a hundred targets of which most have no part in it: the others are not named.
#[test]
fn a_long_cycle() {
    let mut text = String::new();
    for n in 0..100 {
        let next = if n == 60 { 40 } else { n + 1 };
        writeln!(text, "[target.member{n}]\ndeps = [\"member{next}\"]\nrun = \"x\"").expect("text");
    }
    text.push_str("[target.member100]\nrun = \"x\"\n");
    let p = Project::new(&text);
    p.taskr(["member0"]).says("cycle").says("member40").never_says("member77").exits(2);
}

/// N09: recursion by depth would overflow the stack long before this.
#[test]
fn a_deep_chain() {
    let mut text = String::from("[target.t0]\ninputs = []\nrun = \"ran t0; true\"\n");
    let depth = 10_000;
    for n in 1..depth {
        writeln!(text, "[target.t{n}]\ndeps = [\"t{}\"]", n - 1).expect("text");
    }
    let p = Project::new(&text);
    let last = format!("t{}", depth - 1);
    p.taskr([&last]).ran(["t0"]).ok();
    p.fresh(&last);
    text = text.replace("[target.t0]\n", &format!("[target.t0]\ndeps = [\"{last}\"]\n"));
    p.write("Taskfile.toml", &text);
    p.taskr([&last]).says("cycle").exits(2);
}

/// The same of tasks with commands: a chain of checks, each remembered.
#[test]
fn a_chain_of_tasks() {
    let mut text = String::from(
        "[target.t0]\ninputs = [\"in\"]\noutputs = [\"o0\"]\nrun = \"ran t; cp in {{ outputs }}\"\n",
    );
    for n in 1..60 {
        writeln!(
            text,
            "[target.t{n}]\ninputs = [\"o{}\"]\noutputs = [\"o{n}\"]\nrun = \"ran t; cp {{{{ inputs }}}} {{{{ outputs }}}}\"",
            n - 1
        )
        .expect("text");
    }
    let p = Project::new(&text);
    p.write("in", "1");
    let build = |text: &str, count: usize| {
        let run = p.taskr(["t59"]).ran(vec!["t"; count]);
        (0..60).fold(run, |run, n| run.makes(format!("o{n}"), text)).ok();
    };
    build("1", 60);
    build("1", 0);
    p.write("in", "2");
    build("2", 60);
}

/// N10: wide.
#[test]
fn thousands_of_tasks() {
    let p = Project::new(
        r#"
        [target.t]
        foreach = ["src/*"]
        outputs = ["gen/{{ item.name }}"]
        exec    = ["cp", "{{ item }}", "{{ outputs }}"]
        "#,
    );
    let count = 1500;
    for n in 0..count {
        p.write(format!("src/{n}"), &n.to_string());
    }
    let run = p.taskr(["-q", "t"]);
    (0..count).fold(run, |run, n| run.makes(format!("gen/{n}"), &n.to_string())).ok();
    p.taskr(["-q", "t"]).ok();
    p.write("src/7", "seven").remove("src/8");
    p.taskr(["-q", "t"]).makes("gen/7", "seven").removes("gen/8").ok();
}

/// Only what the wanted targets need is looked at.
#[test]
fn what_is_not_wanted_is_left_alone() {
    let p = Project::new(
        "[target.a]\ninputs = [\"in\"]\nrun = \"ran a; true\"\n[target.b]\ninputs = [\"no-such-file\"]\nrun = \"ran b\"\n",
    );
    p.write("in", "1");
    p.taskr(["a"]).ran(["a"]).ok();
}

/// A path written out, or a match, that another target makes ties the two.
#[test]
fn plain_paths_tie_tasks() {
    let p = Project::new(
        r#"
        [target.path]
        inputs  = ["gen/x"]
        run     = "ran path; cat gen/x"
        [target.glob]
        inputs  = ["gen/*"]
        run     = "ran glob; cat {{ inputs }}"
        [target.each]
        foreach = ["gen/*"]
        run     = "ran {{ item }}; cat {{ item }}"
        [target.make]
        inputs  = ["in"]
        outputs = ["gen/x", "gen/y"]
        run     = "ran make; cp in $OUT/gen/x; cp in $OUT/gen/y"
        "#,
    );
    p.write("in", "1");
    p.taskr(["path"]).ran(["make", "path"]).makes("gen/x", "1").makes("gen/y", "1").ok();
    p.taskr(["glob"]).ran(["glob"]).ok();
    p.taskr(["each"]).ran(["gen/x", "gen/y"]).ok();
    p.write("in", "2");
    p.taskr(["-j4", "each", "glob", "path"])
        .ran(["make", "path", "glob", "gen/x", "gen/y"])
        .makes("gen/x", "2")
        .makes("gen/y", "2")
        .ok();
}

/// Where the outputs are a glob, the edge must be written; the error prints the line.
#[test]
fn a_glob_of_outputs_must_be_tied_by_hand() {
    let taskfile = r#"
        [target.make]
        inputs  = []
        outputs = ["dist/**"]
        run     = "ran make; mkdir -p $OUT/dist; touch $OUT/dist/x"
        [target.read]
        inputs  = ["dist/x"]
        run     = "ran read; true"
    "#;
    let p = Project::new(taskfile);
    p.taskr(["read"]).says("make").says("after").exits(2);
    p.write(
        "Taskfile.toml",
        &taskfile.replace("inputs  = [\"dist/x\"]", "inputs  = [\"dist/x\"]\ndeps = [\"make\"]"),
    );
    p.taskr(["read"]).ran(["make", "read"]).makes("dist/x", "").ok();
    p.fresh("read");
}

/// An output that is a folder, read by a pattern whose wildcard stands above it.
#[test]
fn a_folder_of_another_below_a_wildcard_ties() {
    let p = Project::new(
        r#"
        include = ["p/*"]
        [template.build]
        inputs  = ["src/**"]
        outputs = ["dist"]
        run     = "ran {{ package.name }}; mkdir -p dist; cp src/x dist/x"
        [target.bundle]
        inputs  = ["p/*/dist/**"]
        outputs = ["bundle.txt"]
        run     = "ran bundle; cat {{ inputs }} > {{ outputs }}"
        "#,
    );
    for name in ["a", "b"] {
        p.write(format!("p/{name}/Taskfile.toml"), "[target.build]\nuse = \"build\"\n");
        p.write(format!("p/{name}/src/x"), "1\n");
    }
    p.taskr(["bundle"])
        .ran(["a", "b", "bundle"])
        .makes("p/a/dist/x", "1\n")
        .makes("p/b/dist/x", "1\n")
        .makes("bundle.txt", "1\n1\n")
        .ok();
    p.fresh("bundle");
    p.write("p/a/src/x", "2\n");
    p.taskr(["bundle"])
        .ran(["a", "bundle"])
        .makes("p/a/dist/x", "2\n")
        .makes("bundle.txt", "2\n1\n")
        .ok();
    p.fresh("bundle");
}

/// Whether a pattern finds something in a folder of another is known only when it is there: then the
/// edge must be written.
#[test]
fn what_a_pattern_finds_in_a_folder_of_another_needs_an_edge() {
    for (output, git) in [("outputs", ""), ("installs", ", or name dist in .gitignore")] {
        let taskfile = format!(
            "[target.make]\n{output} = [\"dist\"]\n\
             run = \"ran make; mkdir -p dist; echo 1 > dist/x.js\"\n\
             [target.read]\ninputs = [\"**/*.js\"]\nrun = \"ran read; cat {{{{ inputs }}}}\"\n"
        );
        let p = Project::new(&taskfile);
        p.write("own.js", "0\n");
        p.taskr(["read"]).ran(["read"]).ok();
        p.taskr(["make"]).ran(["make"]).makes("dist/x.js", "1\n").ok();
        let what = "its input **/*.js matches dist/x.js, which `make` makes, but it does not wait for \
                    `make`";
        let help = format!(
            "add `after = [\"make\"]` to [target.read], or `!//dist/**` behind this input{git}"
        );
        p.taskr(["read"]).says(what).says(&help).exits(2);
        let after = taskfile.replace("inputs =", "after = [\"make\"]\ninputs =");
        p.write("Taskfile.toml", &after);
        p.taskr(["read"]).ran(["read"]).ok();
        p.fresh("read");
        p.write("Taskfile.toml", &taskfile.replace("**/*.js\"", "**/*.js\", \"!//dist/**\""));
        p.taskr(["read"]).ran(["read"]).ok();
        p.fresh("read");
        p.write("Taskfile.toml", &taskfile).write(".gitignore", "dist\n");
        let read = p.taskr(["read"]);
        match output {
            // What is declared as output is not left out.
            "outputs" => read.says(what).exits(2),
            _ => read.ok(),
        };
    }
}

/// What one who does not wait saw behind a link is asked for again for one who waits, whether he was
/// judged by then or only looked ahead for; also where the link itself is what is made.
#[test]
fn what_was_seen_behind_a_link_is_seen_anew() {
    for (link, leads_to, inputs) in [
        ("links/m", "../made/gen", "links/*"),
        ("m", "made/gen", "m"),
        ("links/m", "../made/gen", "links/m"),
        ("links", "made", "links/*"),
        ("links", "made", "links/gen"),
    ] {
        let prepare = |p: &Project| {
            if let Some((folder, _)) = link.split_once('/') {
                std::fs::create_dir(p.path(folder)).expect("a folder");
            }
            p.link(link, leads_to);
        };
        meets_what_is_made((inputs, "made/gen", "cat in >{{ outputs }}"), prepare);
    }
    let prepare = |p: &Project| {
        for text in ["0", "1", "2"] {
            p.write(format!("rel/{text}/f{text}"), text);
        }
    };
    meets_what_is_made(("now/*", "now", "ln -s rel/$(cat in) {{ outputs }}"), prepare);
}

/// Two read `inputs`, one of them behind `gen`, which makes `output` of `in` by this command.
fn meets_what_is_made((inputs, output, command): (&str, &str, &str), prepare: impl Fn(&Project)) {
    for priority in ["high", "low"] {
        let p = Project::new(&format!(
            r#"
default = ["hasty", "gen", "use"]
[target.hasty]
inputs   = ["{inputs}"]
priority = "{priority}"
outputs  = ["hasty.txt"]
run      = "ran hasty; cat {{{{ inputs }}}} >{{{{ outputs }}}}"
[target.gen]
inputs  = ["in"]
outputs = ["{output}"]
run     = 'ran gen; {command}'
[target.use]
inputs  = ["{inputs}"]
after   = ["gen"]
outputs = ["used"]
run     = "ran use; cat {{{{ inputs }}}} >{{{{ outputs }}}}"
"#
        ))
        .with_store();
        prepare(&p);
        p.write("in", "0");
        p.taskr(["use"]).ran(["gen", "use"]).any_files().ok();
        for (text, restored) in [("1", false), ("2", false), ("1", true), ("0", true)] {
            let what = format!("{inputs}, {priority}, {text}, {restored}");
            p.write("in", text);
            // How the hasty one ends depends on what it met.
            let built = ends(&mut p.command(&p.root(), ["-k", "-j1"]));
            let ran = p.take_ran();
            let is_run = |name: &str| ran.iter().any(|one| one == name);
            assert_eq!([is_run("gen"), is_run("use")], [!restored; 2], "{what}: {built}");
            assert_eq!(p.read("used"), text, "{what}");
        }
    }
}

/// What a path leads to, and not how it is written, says who makes it.
#[test]
fn what_another_makes_behind_a_link_needs_an_edge() {
    let make = "[target.make]\ninputs = [\"in\"]\noutputs = [\"build/a\"]\n\
                run = \"ran make; cp in build/a\"\n";
    for (input, what) in [
        ("cur/a", "cur/a is build/a, which"),
        ("cur/*", "cur/* matches cur/a, which"),
        ("cur", "cur matches cur/a, which"),
        ("leaf", "leaf is build/a, which"),
        ("lea*", "leaf is build/a, which"),
    ] {
        let read = format!("[target.read]\n#edge\ninputs = [\"{input}\"]\nrun = \"ran read\"\n");
        let p = Project::new(&format!("{make}{read}"));
        p.write("in", "1\n").link("cur", "build").link("leaf", "build/a");
        p.taskr(["make"]).ran(["make"]).makes("build/a", "1\n").ok();
        let what = format!("its input {what} `make` makes, but it does not wait for `make`");
        p.taskr(["read"]).says(&what).says("add `after = [\"make\"]` to [target.read]").exits(2);
        let text = format!("{make}{read}").replace("#edge", "after = [\"make\"]");
        p.write("Taskfile.toml", &text).write("in", "2\n");
        p.taskr(["read"]).ran(["make", "read"]).makes("build/a", "2\n").ok();
        p.fresh("read");
    }
    let other = "[target.other]\ninputs = [\"in\"]\noutputs = [\"cur/a\"]\n\
                 run = \"ran other; echo x > cur/a\"\n";
    let p = Project::new(&format!("{make}{other}"));
    p.write("in", "1\n").link("cur", "build");
    p.taskr(["make"]).ran(["make"]).makes("build/a", "1\n").ok();
    p.taskr(["other"]).says("its output cur/a is build/a, which `make` makes").exits(2);
    p.fresh("make");
}

/// What is taken away again, and a target without items, are no misspelt inputs.
#[test]
fn inputs_of_which_nothing_is_left() {
    let p = Project::new(
        r#"
        [target.each]
        foreach = ["?src/*.x"]
        run     = "ran each; touch $OUT/x"
        [target.all]
        inputs  = ["@each"]
        run     = "ran all"
        [target.own]
        inputs  = ["src/*.c", "!src/a.c"]
        run     = "ran own"
        "#,
    );
    p.write("src/a.c", "");
    p.taskr(["all"])
        .says("its input @each gives no file: the `foreach` of `each` finds nothing")
        .says("read its files by a pattern, as in `?gen/*`, and add `after = [\"each\"]`")
        .exits(2);
    p.taskr(["own"])
        .says("its input src/*.c matches no file")
        .says("a `!` behind it takes src/a.c away")
        .says("write `?src/*.c` if nothing may be left")
        .exits(2);
}

/// What is read must be there: the answer says what was meant, if anything is near.
#[test]
fn an_input_that_is_not_there() {
    let check = "[target.check]\nrun = \"true\"\n";
    for (input, what, help) in [
        ("sub/a.text", "its input sub/a.text does not exist", "did you mean `sub/a.txt`?"),
        ("far.away", "its input far.away does not exist", "write `?far.away` if it may be absent"),
        (
            "check",
            "its input check does not exist",
            "`check` is a target, and `@check` are its outputs",
        ),
        (
            "@check",
            "its input @check gives no file: `check` declares no outputs",
            "to only wait for it, write `deps = [\"check\"]`",
        ),
    ] {
        let p = Project::new(
            format!("{check}[target.t]\ninputs = [\"{input}\"]\nrun = \"ran t\"\n").as_str(),
        );
        p.write("sub/a.txt", "x");
        let marks = "^".repeat(input.len() + 2);
        let frame = format!(
            "t  failed: {what}\n --> Taskfile.toml:4:11\n  |\n4 | inputs = [\"{input}\"]\n  |           \
             {marks}\n  |\n  = help: {help}\n"
        );
        let output = p.taskr(["t"]).says(&frame).exits(2);
        assert_eq!(output.stdout.matches(help).count(), 1, "{output}");
        assert_eq!(p.take_ran(), [""; 0]);
    }
}

/// One string of `exec` is one word.
#[test]
fn a_line_where_a_program_is_asked() {
    let p = Project::new("[target.t]\nexec = [\"echo a > b\"]\n");
    let answer = "there is no program `echo a > b`: write each word as a string of its own, as in exec = [\"echo\", \"…\"]";
    p.taskr(["t"]).says(answer).exits(1);
}

/// What was meant is told before the way to silence the mistake.
#[test]
fn what_an_absent_input_was_meant_to_be() {
    let maker = "[target.a]\noutputs = [\"gen/x\"]\nrun = \"true\"\n";
    for (dir, input, help) in [
        ("src", "src/a.c", "paths are relative to `dir`: write `a.c`, or `//src/a.c`"),
        ("src", "src/*.c", "paths are relative to `dir`: write `*.c`, or `//src/*.c`"),
        (".", "in.txt, src/a.c", r#"write each as a string of its own: "in.txt", "src/a.c""#),
        (".", "in.txt gen/x", r#"write each as a string of its own: "in.txt", "gen/x""#),
        (".", "gen/x.txt", "did you mean `gen/x`, made by `a`?"),
        (".", "sources/a.c", "did you mean `src/a.c`?"),
        (".", "src/a.cpp", "did you mean `src/a.c`?"),
        (".", "src/*.cc", "did you mean `src/*.c`?"),
        (".", "src/*.rs", "write `?src/*.rs` if there may be none"),
        (".", "far", "write `?far` if it may be absent"),
    ] {
        let taskfile = format!(
            "{maker}[target.t]\ndir = \"{dir}\"\ninputs = [\"{input}\"]\nrun = \"ran t\"\n"
        );
        let p = Project::new(&taskfile);
        p.write("in.txt", "").write("src/a.c", "");
        p.taskr(["t"]).says(format!("= help: {help}\n")).exits(2);
    }
}

/// A link at which the way ends is no input, unless it may be absent.
#[test]
fn an_input_that_is_a_link_to_nothing() {
    let p = Project::new(
        "[target.t]\ninputs = [\"l\"]\noutputs = [\"o\"]\nrun = \"ran t; touch $OUT/o\"\n",
    );
    p.link("l", "nope");
    let what = "t  failed: its input l is a link to nope, which does not exist\n";
    p.taskr(["t"]).says(what).exits(2);
    p.remove("l").link("l", "l");
    p.taskr(["t"]).says("t  failed: its input l is a link to l, which leads nowhere\n").exits(2);
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("\"l\"", "\"?l\""));
    p.taskr(["t"]).ran(["t"]).makes("o", "").ok();
}
