//! A recorded task sees what it declares and a short list of things that belong to the user.

use std::collections::BTreeMap;

use crate::project::Project;

/// What `env` prints in a task, by name.
fn environment(p: &Project, caller: &[(&str, &str)]) -> BTreeMap<String, String> {
    let run = p.taskr(["-B", "t"]).any_warning();
    let output = caller.iter().fold(run, |run, (name, value)| run.env(name, value)).ok();
    assert!(!output.stdout.is_empty());
    let log = p.read(".taskr/tasks/t/log");
    log.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn an_undeclared_variable_is_not_seen() {
    let p = Project::new(
        r#"
        [target.t]
        inputs     = []
        env        = { MINE = "mine", TZ = "CET" }
        env_inputs = ["ASKED", "EMPTY", "ABSENT"]
        env_pass   = ["TOKEN", "AGENT_*"]
        run        = "env"
        "#,
    );
    let caller = [
        ("UNDECLARED", "u"),
        ("ASKED", "a"),
        ("EMPTY", ""),
        ("TOKEN", "t"),
        ("AGENT_SOCK", "s"),
        ("AGENT", "no"),
        ("USER", "me"),
        ("LOGNAME", "me"),
        ("SHELL", "/bin/fish"),
        ("XDG_CACHE_HOME", "/x"),
        ("SSL_CERT_FILE", "/c"),
        ("https_proxy", "p"),
        ("HTTP_PROXY", "P"),
        ("LANG", "de_DE.UTF-8"),
        ("LC_ALL", "de_DE.UTF-8"),
        ("TERM", "xterm"),
        ("GIT_DIR", "/elsewhere"),
        ("MAKEFLAGS", "-j8"),
        ("CI", "1"),
    ];
    let env = environment(&p, &caller);
    let expected = [
        ("MINE", "mine"),
        ("TZ", "CET"),
        ("ASKED", "a"),
        ("EMPTY", ""),
        ("TOKEN", "t"),
        ("AGENT_SOCK", "s"),
        ("USER", "me"),
        ("LOGNAME", "me"),
        ("SHELL", "/bin/fish"),
        ("XDG_CACHE_HOME", "/x"),
        ("SSL_CERT_FILE", "/c"),
        ("https_proxy", "p"),
        ("HTTP_PROXY", "P"),
        ("LC_ALL", "C.UTF-8"),
        ("TERM", "dumb"),
    ];
    for (name, value) in expected {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    for name in ["UNDECLARED", "ABSENT", "AGENT", "LANG", "GIT_DIR", "CI"] {
        assert_eq!(env.get(name), None, "{name}");
    }
    assert_eq!(env["HOME"], p.outside("home").display().to_string());
}

/// Set by taskr, and relative: results do not depend on where the checkout lies.
#[test]
fn what_taskr_sets() {
    let p = Project::new(
        r#"
        [target.t]
        foreach = ["*.c"]
        dir     = "sub"
        run     = "env; test -d $OUT; test -d $STATE; test -d $TMPDIR"
        "#,
    );
    p.write("sub/x.c", "");
    p.taskr(["t"]).ok();
    let folders: Vec<_> = std::fs::read_dir(p.path(".taskr/tasks")).expect("tasks").collect();
    assert_eq!(folders.len(), 1);
    let folder = folders[0].as_ref().expect("a folder").path();
    let name = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let log = std::fs::read_to_string(folder.join("log")).expect("a log");
    let env: BTreeMap<_, _> = log.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(env["OUT"], format!("../.taskr/tasks/{name}/out"));
    assert_eq!(env["STATE"], format!("../.taskr/tasks/{name}/state"));
    assert_eq!(env["TMPDIR"], folder.join("tmp").display().to_string());
    assert_eq!(env["TASKR_TARGET"], "t");
    assert_eq!(env["TASKR_TASK"], "t@x.c");
    assert_eq!(env["TASKR_ITEM"], "x.c");
    assert_eq!(env["TASKR_ROOT"], "..");
    assert_eq!(env["TASKR_ATTEMPT"], "1");
    assert!(!env["TASKR_RUN_ID"].is_empty());
}

/// What is passed on and not declared is in no key.
#[test]
fn passed_and_unknown_variables_are_not_in_the_key() {
    let p = Project::new(
        "[target.t]\ninputs = []\nenv_pass = [\"TOKEN\"]\nrun = \"ran t; echo ${TOKEN:-}\"\n",
    );
    p.taskr(["t"]).env("TOKEN", "1").ran(["t"]).ok();
    let volatile = ["TOKEN", "OTHER", "MAKEFLAGS", "TASKR_RUN_ID", "USER", "LANG", "PWD", "SHLVL"];
    for name in volatile {
        p.taskr(["t"]).env(name, "2").any_warning().ok();
    }
}

/// X18, in part: the value of a passed variable is written nowhere by taskr.
#[test]
fn a_passed_value_is_never_printed() {
    let p = Project::new(
        "[target.t]\ninputs = []\nenv_pass = [\"TOKEN\"]\nrun = \"test -n $TOKEN; exit 1\"\n",
    );
    let secret = "s3cr3t-canary";
    p.taskr(["-vv", "t"]).env("TOKEN", secret).never_says(secret).exits(1);
    let mut command = std::process::Command::new("grep");
    let found = command.args(["-r", secret]).arg(p.path(".taskr")).output().expect("grep");
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}

/// An unrecorded task is a command of its caller.
#[test]
fn an_unrecorded_task_inherits() {
    let p = Project::new("[target.t]\nrun = \"env\"\n");
    let caller = [("UNDECLARED", "u"), ("LC_ALL", "de_DE.UTF-8"), ("TERM", "xterm")];
    let env = environment(&p, &caller);
    for (name, value) in caller {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(env["TASKR_TARGET"], "t");
}

/// Wherever taskr was called, a command runs in its target's folder.
#[test]
fn the_working_folder_is_the_targets() {
    let p = Project::new("[target.t]\ninputs = []\ndir = \"a/b\"\nrun = \"pwd\"\n");
    p.write("a/b/x", "");
    for folder in ["", "a"] {
        let output = p.taskr(["-B", "t"]).within(folder).ok();
        assert!(output.stdout.contains(&p.path("a/b").display().to_string()), "{output}");
    }
}
