//! What `taskr check` doubts of commands and references, and that it shows all that it found.

use crate::project::Project;

#[test]
fn a_pipe_that_drops_an_exit_code_is_doubted() {
    let p = Project::new(
        "default = ['a']\n[target.a]\ninputs = []\noutputs = ['x']\nrun = 'sed q Taskfile.toml | sort > x'\n",
    );
    p.taskr(["check"])
        .warns("the exit code of what stands before `|` is lost")
        .says("Taskfile.toml:5:28")
        .says("shell = [\"bash\", \"-eu\", \"-o\", \"pipefail\", \"-c\"]")
        .ok();
    p.write(
        "Taskfile.toml",
        "default = ['a']\n[defaults]\nshell = ['bash', '-eu', '-o', 'pipefail', '-c']\n\
         [target.a]\ninputs = []\noutputs = ['x']\nrun = 'false | sort > x'\n",
    );
    p.taskr(["check"]).stdout("Taskfile.toml is fine: 1 target, 1 task\n").ok();
    // The way out is one.
    p.taskr(["a"]).exits(1);
    // What runs each time records nothing.
    p.write("Taskfile.toml", "[target.a]\nrun = 'sed q Taskfile.toml | sort'\n");
    p.taskr(["check"]).stdout("Taskfile.toml is fine: 1 target, 1 task\n").ok();
}

#[test]
fn own_folders_may_hold_what_nobody_declares() {
    let text = |run: &str| {
        format!(
            "default = ['b']\n[target.a]\ninputs = []\n{run}\n[target.b]\ninputs = ['@a']\nrun = 'ran b'\n"
        )
    };
    let p = Project::new(&text("run = 'echo hi > $OUT/x'"));
    let fine = "Taskfile.toml is fine: 2 targets, 2 tasks\n";
    p.taskr(["check"]).stdout(fine).ok();
    for run in ["run = 'touch ${OUT}/x'", "exec = ['sh', 'gen.sh']", "run = 'sh gen.sh'"] {
        p.write("Taskfile.toml", &text(run));
        p.taskr(["check"]).stdout(fine).ok();
    }
    p.write("Taskfile.toml", &text("run = 'echo hi'"));
    p.taskr(["check"]).warns("`@a` gives no file").ok();
    std::fs::create_dir_all(p.path(".taskr/tasks/a/out")).expect("a folder");
    std::fs::write(p.path(".taskr/tasks/a/out/x"), "").expect("a file");
    p.taskr(["check"]).any_files().stdout(fine).ok();
}

#[test]
fn exec_gets_words_that_only_a_shell_replaces_as_they_stand() {
    for (word, label) in [
        ("$HOME/x", "a shell would put the variable's value here"),
        ("~/x", "a shell would put your home here"),
        ("src/*.c", "a shell would put the files here that it matches"),
        (">out", "a shell would write to a file"),
    ] {
        let p = Project::new(&format!("[target.a]\nexec = ['cat', '{word}']\n"));
        let told = format!("`exec` has no shell: the program gets `{word}` as it stands");
        p.taskr(["check"]).warns(&told).says(label).says("write `run`").ok();
        p.write("Taskfile.toml", &format!("[target.a]\nexec = ['cat', \"{{{{ '{word}' }}}}\"]\n"));
        p.taskr(["check"]).stdout("Taskfile.toml is fine: 1 target, 1 task\n").ok();
    }
}

#[test]
fn programs_of_plain_lines_and_words_of_bash_are_looked_at() {
    let p = Project::new("[target.a]\nrun = 'no-such-program x'\n[target.b]\nrun = './gen.sh x'\n");
    p.write("gen.sh", "#!/bin/sh\n");
    p.taskr(["check"])
        .warns("there is no program `no-such-program` in PATH")
        .warns("`./gen.sh` is not executable: `chmod +x ./gen.sh`")
        .says("the program of `run`")
        .says("help: install it, or correct its name")
        .ok();
    p.write("Taskfile.toml", "[target.a]\nrun = 'if [[ -f x ]]; then echo y; fi'\n");
    p.taskr(["check"]).warns("`[[` is of bash, and `run` is for `sh`").ok();
    p.write("Taskfile.toml", "[target.a]\nshell = ['bash', '-euc']\nrun = '[[ -f x ]]'\n");
    p.taskr(["check"]).stdout("Taskfile.toml is fine: 1 target, 1 task\n").ok();
}

#[test]
fn check_shows_all_mistakes_and_says_that_there_may_be_more() {
    let targets = |wrong: &str| -> String {
        (10..24).map(|n| format!("[target.t{n}]\nrun = 'true'\n{wrong}")).collect()
    };
    let p = Project::new(&targets("inpts = 1\n"));
    let output =
        p.taskr(["check"]).says("14 mistakes; what builds on that was not checked").exits(2);
    assert_eq!(output.stderr.matches("unknown field `inpts`").count(), 14, "{output}");
    // A build shows ten, and where the others are.
    p.taskr(["t10"]).says("… and 4 more: `taskr check` shows all").exits(2);
    // Nothing is near: the list of all fields stands there once.
    p.write("Taskfile.toml", &targets("colour = 1\n"));
    let output = p.taskr(["check"]).says("all fields are listed with another of these").exits(2);
    assert_eq!(output.stderr.matches("a target has `doc`").count(), 1, "{output}");
    p.write(
        "Taskfile.toml",
        &(targets("")
            + "[vars]\n"
            + &(10..24).map(|n| format!("v{n} = '1'\n")).collect::<String>()),
    );
    let output = p.taskr(["check"]).any_warning().ok();
    assert_eq!(output.stderr.matches("is not used").count(), 14, "{output}");
}

#[test]
fn a_strict_check_is_not_fine_with_warnings() {
    let p = Project::new("[vars]\nv = '1'\n[target.a]\nrun = 'true'\n");
    p.taskr(["check"])
        .stdout("Taskfile.toml is fine, with 1 warning: 1 target, 1 task\n")
        .any_warning()
        .ok();
    p.taskr(["check", "--strict"])
        .stdout("Taskfile.toml has 1 warning, which --strict refuses: 1 target, 1 task\n")
        .any_warning()
        .exits(2);
    // Who has nothing but commands to run needs no `default`.
    p.write("Taskfile.toml", "[target]\nupload = 'true'\n[target.web]\nservice = true\nready = { port = 1 }\nrun = 'true'\n");
    p.taskr(["check", "--strict"]).stdout("Taskfile.toml is fine: 2 targets, 2 tasks\n").ok();
}

#[test]
fn other_tools_words_lead_to_those_of_taskr() {
    for (line, told) in [
        ("dependsOn = ['^build']", "did you mean `deps`"),
        ("persistent = true", "did you mean `service`"),
        ("passThroughEnv = ['CI']", "did you mean `env_pass`"),
        ("wait_for = ['b']", "did you mean `after`"),
        ("extends = 'x'", "did you mean `use`"),
        ("hide = true", "did you mean `private`"),
        ("alias = 'b'", "a target has one name"),
        ("silent = true", "`--output failed`"),
        ("confirm = 'sure?'", "interactive = true"),
        ("env_inputs = 'CI,FOO'", "each name is a string of its own: [\"CI\", \"FOO\"]"),
        ("when = \"os == linux\"", "a text stands in quotes, as in os == 'linux'"),
        ("when = \"os == 'a' && ci\"", "write `and`"),
        ("when = \"os == 'a' || ci\"", "write `or`"),
        ("when = \"!ci\"", "write `not`"),
        ("when = \"test -f x\"", "it is an expression, no command"),
        ("env = { A = '{{ invocation_directory() }}' }", "paths are those of the workspace"),
    ] {
        let p = Project::new(&format!("[target.a]\n{line}\nrun = 'true'\n"));
        p.taskr(["check"]).says(told).exits(2);
    }
    for (run, told) in [
        ("@echo hi", "`@` before a command is of make"),
        ("-rm x", "`-` before a command is of make"),
        ("#!/usr/bin/env python3", "write shell = [\"python3\", \"-c\"]"),
    ] {
        let p = Project::new(&format!("[target.a]\nrun = '{run}'\n"));
        p.taskr(["check"]).says(told).exits(2);
    }
    let p = Project::new("[vars]\nNAME = '1'\n[target.a]\nrun = 'echo \"{{.NAME}}\" {{ NAME }}'\n");
    p.taskr(["check"]).warns("`{{.NAME}}` is plain text").says("write `{{ NAME }}`").ok();
    let p = Project::new("[env]\nA = '1'\n[target.a]\nrun = 'true'\n");
    p.taskr(["check"]).says("[defaults.env]").exits(2);
    for (args, told) in [
        (["--filter=ui", "a"], "taskr //packages/ui:build"),
        (["--affected", "a"], "`--since REV`"),
        (["-w", "a"], "write `taskr watch`"),
        (["-k=0", "a"], "`--keep-going` takes a number, not `0`"),
        (["cache", "nope"], "write `taskr cache info`"),
        (["run", "clean"], "it is a tool: `taskr clean`"),
    ] {
        p.write("Taskfile.toml", "[target.a]\nrun = 'true'\n");
        p.taskr(args).says(told).exits(2);
    }
}

#[test]
fn an_expression_that_gives_nothing_is_the_one_that_is_shown() {
    let p = Project::new(
        "[target.a]\nforeach = ['*.in']\nrun = \"\"\"\necho hi\necho {{ item.stem }} {{ inputs[5] }}\n\"\"\"\n",
    );
    p.write("a.in", "");
    let output = p.taskr(["a"]).says("this expression gives nothing").exits(2);
    let both = output.to_string();
    assert!(both.contains("--> Taskfile.toml:5:25"), "{both}");
    assert!(!both.contains("_____"), "no more than that: {both}");
}

#[test]
fn packages_of_one_name_are_doubted() {
    let p = Project::new("include = ['a/*']\n");
    for (dir, name) in [("a/one", "x"), ("a/two", "x"), ("a/three", "y")] {
        p.write(
            format!("{dir}/Taskfile.toml"),
            &format!("[package]\nname = '{name}'\n[target.t]\nrun = 'true'\n"),
        );
    }
    p.taskr(["check"])
        .warns("two packages are called `x`: //a/one and //a/two")
        .never_says("`y`")
        .ok();
}
