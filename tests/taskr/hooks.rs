//! `[hooks]` and `taskr hook`, with the real git: what it runs before a commit and a push, where
//! it looks for hooks, and what its variables must not lead astray.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{Output, Project};
use crate::repository::{committed, does, ends, git};

/// A check of one file, one of another, and one of messages.
const TASKFILE: &str = r#"
[target.lint]
inputs = ["src"]
run = "ran lint; ! grep -q bad src/*"
[target.page]
inputs = ["docs"]
run = "ran page"
[target.message]
run = "ran message $TASKR_HOOK; grep -q '^fix' \"$TASKR_HOOK_1\""

[hooks]
pre-commit = ["lint", "page"]
pre-push   = "page"
commit-msg = "message"
"#;

fn project() -> Option<Project> {
    let p = Project::new(TASKFILE);
    p.write("src/a", "good\n").write("docs/a", "good\n").write(".gitignore", ".taskr\n");
    committed(p)
}

/// git as in `does`, with what came of it.
fn tries(p: &Project, args: &[&str]) -> Output {
    ends(&mut git(p, &p.root(), args))
}

fn hook(p: &Project, name: &str) -> PathBuf {
    p.path(".git/hooks").join(name)
}

#[test]
fn names_in_the_table_are_checked() {
    for (line, told) in [
        ("pre-comit = [\"t\"]", "error: git has no hook `pre-comit`\n"),
        ("pre-comit = [\"t\"]", "help: did you mean `pre-commit`?"),
        ("update = [\"t\"]", "help: git's hooks are `applypatch-msg`, `commit-msg`,"),
        ("pre-commit = 3", "error: `pre-commit` asks for names of targets, not for a number"),
        ("pre-commit = []", "error: `pre-commit` is empty"),
        ("pre-commit = [\"tt\"]", "error: there is no target `tt`"),
        ("pre-commit = [\"tt\"]", "the hook pre-commit would build it"),
        ("pre-commit = [\"tt\"]", "help: did you mean `t`?"),
        ("pre-push = [\"p\"]", "error: `p` is private: it is built only for others"),
    ] {
        let p = Project::new(&format!(
            "[hooks]\n{line}\n[target.t]\nrun = \"true\"\ndeps = [\"p\"]\n[target.p]\nprivate = true\nrun = \"true\"\n"
        ));
        p.taskr(["check"]).says(told).exits(2);
    }
}

#[test]
fn hooks_are_installed_listed_and_removed() {
    let Some(p) = project() else { return };
    p.taskr(["hook"])
        .stdout(
            "commit-msg  not installed: message\npre-commit  not installed: lint page\n\
             pre-push    not installed: page\n",
        )
        .ok();
    let path = hook(&p, "pre-commit");
    p.taskr(["hook", "install", "pre-commit"])
        .stdout(&format!("installed {}\n", path.display()))
        .any_files()
        .ok();
    let script = fs::read_to_string(&path).expect("a script");
    p.taskr(["hook", "install"]).any_files().ok();
    assert_eq!(fs::read_to_string(&path).expect("a script"), script, "once more is no change");
    p.taskr(["hook"]).says("pre-commit  installed: lint page\n").ok();
    let list = p.taskr(["hook", "--json"]).ok().stdout;
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["hooks"][1]["there"], "installed", "{list}");
    assert_eq!(list["hooks"][1]["targets"], serde_json::json!(["lint", "page"]));
    // One that the Taskfile no longer has goes, too.
    p.write("Taskfile.toml", &TASKFILE.replace("pre-push", "pre-merge-commit"));
    p.taskr(["hook"]).says("pre-push          installed, and [hooks] no longer has it\n").ok();
    p.taskr(["hook", "uninstall"]).says(format!("removed {}\n", path.display())).any_files().ok();
    assert!(!path.exists() && !hook(&p, "pre-push").exists() && !hook(&p, "commit-msg").exists());
    p.taskr(["hook", "uninstall"]).says("nothing to remove").ok();
    for (words, told) in [
        (&["install", "pre-comit"][..], "help: did you mean `pre-commit`?"),
        (&["install", "post-merge"], "error: [hooks] of the Taskfile has no `post-merge`"),
        (&["instal"], "did you mean"),
        (&["run"], "error: which hook?"),
    ] {
        p.taskr(["hook"].iter().chain(words)).says(told).exits(2);
    }
    p.taskr(["hook", "run", "post-merge"]).says("has nothing for it").ok();
}

#[test]
fn a_hook_of_others_is_neither_replaced_nor_removed() {
    let Some(p) = project() else { return };
    let other = |text: &str| {
        fs::create_dir_all(p.path(".git/hooks")).expect("a folder");
        fs::write(hook(&p, "pre-push"), text).expect("a file");
        p.accept_files();
    };
    other("#!/bin/sh\necho mine\n");
    let call = "help: call taskr from it: `taskr -f Taskfile.toml hook run pre-push -- \"$@\"`";
    p.taskr(["hook", "install"]).says("is not taskr's: it is left as it is").says(call).exits(2);
    assert!(!hook(&p, "pre-commit").exists(), "all or nothing");
    p.taskr(["hook"]).says("pre-push    another hook is there: page\n").ok();
    p.taskr(["hook", "uninstall", "pre-push"]).says("it is left as it is").exits(2);
    p.taskr(["hook", "uninstall"]).says("nothing to remove").ok();
    // Another Taskfile of the same repository has it.
    fs::remove_file(hook(&p, "pre-push")).expect("a file");
    p.write("sub/Taskfile.toml", "[target.t]\nrun = \"true\"\n[hooks]\npre-push = \"t\"\n");
    p.taskr(["-C", "sub", "hook", "install"]).any_files().ok();
    p.taskr(["hook", "install"]).says("calls taskr for another Taskfile").says(call).exits(2);
    p.taskr(["hook", "uninstall", "pre-push"]).says("is not of this Taskfile").exits(2);
    p.taskr(["-C", "sub", "hook", "uninstall"]).says("removed ").any_files().ok();
    // A link is not followed.
    std::os::unix::fs::symlink("/nowhere", hook(&p, "pre-push")).expect("a link");
    p.accept_files();
    p.taskr(["hook", "install"]).says("is not taskr's").exits(2);
}

#[test]
fn a_commit_runs_what_it_reaches_and_stops_if_that_fails() {
    let Some(p) = project() else { return };
    p.taskr(["hook", "install", "pre-commit"]).any_files().ok();
    p.write("src/a", "better\n").write("docs/a", "not staged\n");
    does(&p, ["add", "src/a"]);
    does(&p, ["commit", "-qm", "second"]);
    assert_eq!(p.take_ran(), ["lint"]);
    p.write("src/a", "bad\n");
    let output = tries(&p, &["commit", "-qam", "third"]);
    assert_eq!(output.status.code(), Some(1), "{output}");
    // Whether `page` has begun before the other failed is nobody's promise.
    assert!(p.take_ran().contains(&"lint".to_owned()), "{output}");
    assert!(format!("{output}").contains("2 tasks: "), "-a stages both: {output}");
    assert!(format!("{output}").contains("✗ lint  failed"), "{output}");
    assert_eq!(does(&p, ["rev-list", "--count", "HEAD"]), "2\n");
    // Nothing that a task reads: nothing runs.
    p.write("README", "x\n");
    does(&p, ["add", "README"]);
    let output = tries(&p, &["commit", "-qm", "third"]);
    assert!(format!("{output}").contains("nothing to do: 1 file changed"), "{output}");
    assert_eq!(p.take_ran(), [""; 0]);
}

#[test]
fn a_message_is_checked_by_the_file_that_git_passes() {
    let Some(p) = project() else { return };
    p.taskr(["hook", "install", "commit-msg"]).any_files().ok();
    assert!(!tries(&p, &["commit", "--allow-empty", "-qm", "second"]).status.success());
    does(&p, ["commit", "--allow-empty", "-qm", "fix: second"]);
    assert_eq!(p.take_ran(), ["message commit-msg"; 2]);
}

#[test]
fn a_push_runs_what_the_other_side_does_not_have() {
    let Some(p) = project() else { return };
    let bare = p.outside("bare.git");
    let bare = bare.to_str().expect("text");
    does(&p, ["init", "-q", "--bare", bare]);
    does(&p, ["remote", "add", "origin", bare]);
    p.taskr(["hook", "install", "pre-push"]).any_files().ok();
    let push = |args: &[&str]| {
        let output = tries(&p, &[&["push", "-q", "origin"], args].concat());
        (output.status.success(), p.take_ran().join(" "))
    };
    assert_eq!(push(&["main"]), (true, "page".to_owned()), "a new branch: all of it");
    p.write("src/a", "better\n");
    does(&p, ["commit", "-qam", "second"]);
    assert_eq!(push(&["main"]), (true, String::new()), "no page");
    p.write("docs/a", "better\n");
    does(&p, ["commit", "-qam", "third"]);
    assert_eq!(push(&["main"]), (true, "page".to_owned()));
    p.taskr(["-B", "page"]).ran(["page"]).any_files().ok();
    assert_eq!(push(&["HEAD~1:refs/heads/old"]), (true, String::new()), "up to date, but judged");
    assert_eq!(push(&["--delete", "old"]), (true, String::new()));
}

#[test]
fn hooks_work_from_a_folder_and_in_all_work_trees() {
    let p = Project::empty();
    p.write("a b/Taskfile.toml", &TASKFILE.replace("commit-msg", "post-commit"));
    p.write("a b/src/a", "good\n").write("a b/docs/a", "").write(".gitignore", ".taskr\n");
    let Some(p) = committed(p) else { return };
    p.taskr(["-C", "a b", "hook", "install", "pre-commit"]).any_files().ok();
    let tree = p.outside("tree");
    does(&p, ["worktree", "add", "-q", tree.to_str().expect("text")]);
    for top in [p.root(), tree.clone()] {
        fs::write(top.join("a b/src/a"), format!("of {}\n", top.display())).expect("a file");
        let output = ends(&mut git(&p, &top.join("a b"), ["commit", "-qam", "second"]));
        assert!(output.status.success(), "{output}");
        assert_eq!(p.take_ran(), ["lint"], "{}", top.display());
    }
    // It is installed once for all of them.
    let list = ends(&mut p.command(&tree.join("a b"), ["hook"])).stdout;
    assert!(
        list.contains("pre-commit        installed") || list.contains("pre-commit   installed"),
        "{list}"
    );
    // A branch without a Taskfile can be committed to.
    does(&p, ["checkout", "-q", "--orphan", "other"]);
    does(&p, ["rm", "-rqf", "."]);
    does(&p, ["commit", "-q", "--allow-empty", "-m", "empty"]);
    assert_eq!(p.take_ran(), [""; 0]);
}

#[test]
fn another_folder_of_hooks_is_used_if_it_is_of_this_repository() {
    let Some(p) = project() else { return };
    does(&p, ["config", "core.hooksPath", ".hooks"]);
    p.taskr(["hook", "install", "pre-commit"]).any_files().ok();
    assert!(p.path(".hooks/pre-commit").exists() && !hook(&p, "pre-commit").exists());
    p.write("src/a", "bad\n");
    assert!(!tries(&p, &["commit", "-qam", "second"]).status.success());
    assert_eq!(p.take_ran(), ["lint"]);
    let shared = p.outside("shared");
    does(&p, ["config", "core.hooksPath", shared.to_str().expect("text")]);
    p.accept_files();
    p.taskr(["hook", "install"]).says("outside of this repository").exits(2);
    assert!(!shared.exists());
    // By a way back that is not there yet, too.
    for way in ["../shared/hooks", "new/../../shared", "src/../../shared"] {
        does(&p, ["config", "core.hooksPath", way]);
        p.accept_files();
        p.taskr(["hook", "install"]).says("outside of this repository").exits(2);
        assert!(!shared.exists() && !p.path("new").exists(), "{way}");
    }
    // The line that is printed helps, wherever it is typed.
    let line = "git config core.hooksPath \
                \"$(git rev-parse --path-format=absolute --git-common-dir)/hooks\"";
    p.taskr(["hook", "install"]).says(format!("help: give this one its own: `{line}`")).exits(2);
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(p.path("src"));
    p.clear_environment(&mut shell);
    assert!(ends(&mut shell).status.success());
    p.accept_files();
    p.taskr(["hook", "install"])
        .says(format!("installed {}\n", hook(&p, "pre-commit").display()))
        .any_files()
        .ok();
}

#[test]
fn where_taskr_is_missing_the_hook_says_so() {
    let Some(p) = project() else { return };
    p.taskr(["hook", "install", "pre-commit"]).any_files().ok();
    fs::remove_file(p.outside("bin/taskr")).expect("a link");
    let output = tries(&p, &["commit", "--allow-empty", "-qm", "second"]);
    assert!(!output.status.success());
    assert!(
        output.stderr.contains("pre-commit: there is no taskr in PATH: install it"),
        "{output}"
    );
    does(&p, ["commit", "--no-verify", "--allow-empty", "-qm", "second"]);
}

/// A formatter, and who reads what it fixes.
const FORMATTED: &str = r#"
[target.fmt]
inputs = ["src"]
fixes_inputs = true
restage = true
run = "sed -i 's/  */ /g' src/*"
[target.lint]
inputs = ["src"]
run = "ran lint; ! grep '  ' src/*"
[hooks]
pre-commit = ["fmt", "lint"]
"#;

fn formatted() -> Option<Project> {
    let p = Project::new(FORMATTED);
    p.write("src/a", "a a\n").write("src/b", "b b\n").write(".gitignore", ".taskr\n");
    let p = committed(p)?;
    p.taskr(["hook", "install"]).any_files().ok();
    Some(p)
}

#[test]
fn what_a_formatter_fixed_is_in_the_commit() {
    let Some(p) = formatted() else { return };
    // By hand, and by an index of the commit's own.
    for (text, words) in [("1", &["add", "src/a"][..]), ("2", &["status"])] {
        p.write("src/a", &format!("{text}   {text}\n")).write("src/b", "not   staged\n");
        if text == "2" {
            does(&p, ["checkout", "-q", "src/b"]);
        }
        does(&p, words);
        let all = if text == "2" { "-qam" } else { "-qm" };
        let output = tries(&p, &["commit", all, text]);
        assert!(output.status.success(), "{output}");
        assert!(format!("{output}").contains("staged again: src/a\n"), "{output}");
        assert_eq!(does(&p, ["show", "HEAD:src/a"]), format!("{text} {text}\n"));
        assert_eq!(does(&p, ["show", "HEAD:src/b"]), "b b\n", "it was not staged");
    }
    assert_eq!(does(&p, ["status", "--porcelain"]), "");
    assert!(!p.take_ran().is_empty());
}

#[test]
fn a_file_that_is_staged_in_part_is_never_mixed() {
    let Some(p) = formatted() else { return };
    p.write("src/a", "1   1\n");
    does(&p, ["add", "src/a"]);
    p.write("src/a", "1   1\nmine   of later\n");
    let output = tries(&p, &["commit", "-qm", "second"]);
    assert!(!output.status.success(), "{output}");
    let told = "src/a is staged in part, and `fmt` may change it";
    assert!(output.stderr.contains(told), "{output}");
    assert_eq!(p.read("src/a"), "1   1\nmine   of later\n", "nothing ran");
    assert_eq!(p.take_ran(), [""; 0]);
    assert_eq!(does(&p, ["show", ":src/a"]), "1   1\n");
    // The index of `git commit FILE` is gone with it: what was fixed could not stay staged.
    p.write("src/a", "2   2\n");
    let output = tries(&p, &["commit", "-qm", "second", "src/a"]);
    assert!(!output.status.success(), "{output}");
    assert!(output.stderr.contains("fixed, but not staged: src/a"), "{output}");
    assert_eq!(p.read("src/a"), "2 2\n");
    let output = tries(&p, &["commit", "-qm", "second", "src/a"]);
    assert!(output.status.success(), "{output}");
    assert_eq!(does(&p, ["status", "--porcelain"]), "");
}

#[test]
fn what_was_fixed_before_a_check_failed_is_named() {
    let Some(p) = formatted() else { return };
    p.write("Taskfile.toml", &FORMATTED.replace("grep '  '", "grep bad"));
    p.write("src/a", "1   1\n").write("src/b", "bad\n").write("src/c", "of   later\n");
    does(&p, ["add", "src/a", "src/b"]);
    let output = tries(&p, &["commit", "-qm", "second"]);
    assert!(!output.status.success(), "{output}");
    let told = "changed, and not staged again: src/a; `git add` them, then commit\n";
    assert!(format!("{output}").contains(told), "{output}");
    assert_eq!(p.read("src/a"), "1 1\n");
    assert_eq!(does(&p, ["show", ":src/a"]), "1   1\n", "the index is as it was");
    p.write("src/b", "good\n");
    does(&p, ["add", "src/a", "src/b"]);
    let output = tries(&p, &["commit", "-qm", "second"]);
    assert!(output.status.success(), "{output}");
    assert!(!format!("{output}").contains("not staged again"), "{output}");
    assert_eq!(does(&p, ["show", "HEAD:src/a"]), "1 1\n");
    assert!(!p.take_ran().is_empty());
}

/// N24: git tells its hooks by variables which repository and index are meant. A task that works in
/// another repository must not write into this one.
#[test]
fn the_git_of_a_task_works_where_the_task_is() {
    let p = Project::new(
        r#"
        [target.inner]
        inputs = ["src"]
        run = "ran inner; cd ../inner; git init -q; touch new; git add new"
        [target.deploy]
        run = "ran deploy; env | grep '^GIT_' | sort > ../seen"
        [target.asks]
        inputs = ["src"]
        env_pass = ["GIT_*"]
        run = "ran asks; test -n \"$GIT_INDEX_FILE\""
        [hooks]
        pre-commit = ["inner", "deploy", "asks"]
        "#,
    );
    p.write("src/a", "1\n").write("src/b", "1\n").write(".gitignore", ".taskr\n");
    let Some(p) = committed(p) else { return };
    p.taskr(["hook", "install"]).any_files().ok();
    let tree = p.outside("tree");
    does(&p, ["worktree", "add", "-q", tree.to_str().expect("text")]);
    fs::create_dir(p.outside("inner")).expect("a folder");
    fs::write(tree.join("src/a"), "2\n").expect("a file");
    // What the hook sees is what would do harm.
    let trap = p.outside("trap");
    fs::remove_file(p.outside("bin/taskr")).expect("a link");
    p.program(
        "taskr",
        &format!("env > {}; exec {} \"$@\"", trap.display(), env!("CARGO_BIN_EXE_taskr")),
    );
    let mut commit = git(&p, &tree, ["commit", "-qam", "second"]);
    let output = ends(commit.env("GIT_SSH_COMMAND", "ssh -v"));
    assert!(output.status.success(), "{output}");
    let seen = fs::read_to_string(&trap).expect("an environment");
    assert!(seen.contains("\nGIT_INDEX_FILE=") && seen.contains("\nGIT_DIR="), "{seen}");
    let mut ran = p.take_ran();
    ran.sort();
    assert_eq!(ran, ["asks", "deploy", "inner"]);
    let at = |folder: &Path, args: &[&str]| ends(&mut git(&p, folder, args)).stdout;
    assert_eq!(at(&tree, &["status", "--porcelain"]), "");
    assert_eq!(at(&tree, &["show", "--format=", "--name-only"]), "src/a\n");
    assert_eq!(at(&tree, &["ls-files"]), ".gitignore\nTaskfile.toml\nsrc/a\nsrc/b\n");
    assert_eq!(at(&p.outside("inner"), &["ls-files"]), "new\n");
    let inherited = fs::read_to_string(p.outside("seen")).expect("what deploy saw");
    assert!(inherited.contains("GIT_SSH_COMMAND=ssh -v\n"), "{inherited}");
    for name in ["GIT_DIR=", "GIT_INDEX_FILE=", "GIT_WORK_TREE=", "GIT_CONFIG_PARAMETERS="] {
        assert!(!inherited.contains(name), "{inherited}");
    }
}

#[test]
fn all_variables_that_name_a_repository_are_known() {
    let Ok(output) = Command::new("git").args(["rev-parse", "--local-env-vars"]).output() else {
        eprintln!("SKIPPED: there is no git");
        return;
    };
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.lines().count() > 10, "{text}");
    for name in text.lines() {
        assert!(taskr::git::LOCAL_VARIABLES.contains(&name), "{name}");
    }
}

#[test]
fn formatters_of_single_files_restage_theirs() {
    let taskfile = "[target.fmt]\nforeach = [\"src/*\"]\nfixes_inputs = true\nrestage = true\n\
                    run = \"sed -i 's/  */ /g' {{ item }}\"\n[hooks]\npre-commit = [\"fmt\"]\n";
    let p = Project::new(taskfile);
    p.write("src/a", "a a\n").write("src/b", "b b\n").write(".gitignore", ".taskr\n");
    let Some(p) = committed(p) else { return };
    p.taskr(["hook", "install"]).any_files().ok();
    p.write("src/a", "1   1\n");
    does(&p, ["add", "src/a"]);
    let output = tries(&p, &["commit", "-qm", "second"]);
    assert!(output.status.success(), "{output}");
    assert_eq!(does(&p, ["show", "HEAD:src/a"]), "1 1\n");
    assert_eq!(does(&p, ["status", "--porcelain"]), "");
}
