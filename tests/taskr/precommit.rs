//! `.pre-commit-hooks.yaml` with the real pre-commit program, as a project that uses it would:
//! the configuration is the one of the guide.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{Output, Project};
use crate::repository::{committed, does, ends, git};

/// A check, and a formatter that runs whenever it is asked.
const TASKFILE: &str = r#"
[target.words]
inputs = ["src"]
run = "ran words; cat src/*; ! grep -q bad src/*"
[target.shell]
after = ["words"]
run = "ran shell; sed -i 's/  */ /g' src/*"
"#;

/// The program, where the machine has it.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("pre-commit"));
    let found = found.find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: there is no pre-commit");
    }
    found
}

/// The block of the guide, for a repository that has nothing but our hooks.
fn configuration(hooks: &Path) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hooks.md");
    let page = fs::read_to_string(page).expect("a page");
    let (_, block) = page.split_once("```yaml\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    let url = concat!(env!("CARGO_PKG_REPOSITORY"), "\n");
    assert!(block.contains(url) && block.contains("id: taskr "), "{block}");
    let block = block.replace(url, &format!("{}\n", hooks.display()));
    block.replace("rev: main", "rev: v1").replace("id: taskr ", "id: taskr-system ")
}

/// A project with the program installed in its repository.
fn project() -> Option<Project> {
    let program = program()?;
    let p = Project::new(TASKFILE);
    symlink(program, p.outside("bin/pre-commit")).expect("a link");
    let hooks = p.outside("hooks");
    fs::create_dir(&hooks).expect("a folder");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
    fs::copy(own, hooks.join(".pre-commit-hooks.yaml")).expect("our hooks");
    p.write(".pre-commit-config.yaml", &configuration(&hooks));
    p.write("src/a", "one\n").write("src/b", "one\n").write(".gitignore", ".taskr\n");
    let p = committed(p)?;
    for words in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "hooks"], &["tag", "v1"]] {
        assert!(ends(&mut git(&p, &hooks, words)).status.success());
    }
    let mut install = Command::new(p.outside("bin/pre-commit"));
    install.arg("install").current_dir(p.root());
    p.clear_environment(&mut install);
    let installed = ends(&mut install);
    assert!(installed.status.success(), "{installed}");
    Some(p)
}

fn commits(p: &Project, folder: &Path, args: &[&str]) -> Output {
    ends(&mut git(p, folder, [&["commit", "-m", "more"], args].concat()))
}

#[test]
fn a_commit_passes_or_is_stopped() {
    let Some(p) = project() else { return };
    let tree = p.outside("tree");
    does(&p, ["worktree", "add", "-q", tree.to_str().expect("text")]);
    for top in [p.root(), tree] {
        fs::write(top.join("src/a"), "two\n").expect("a file");
        let output = commits(&p, &top, &["-a"]);
        assert!(output.status.success(), "{output}");
        assert_eq!(p.take_ran(), ["words", "shell"]);
        fs::write(top.join("src/a"), "bad\n").expect("a file");
        let output = commits(&p, &top, &["-a"]);
        assert!(!output.status.success(), "{output}");
        assert!(format!("{output}").contains("✗ words  failed"), "{output}");
        assert_eq!(p.take_ran(), ["words"]);
        assert_eq!(ends(&mut git(&p, &top, ["show", "HEAD:src/a"])).stdout, "two\n");
    }
}

#[test]
fn a_formatter_stops_the_commit_once() {
    let Some(p) = project() else { return };
    p.write("src/a", "two   words\n");
    let output = commits(&p, &p.root(), &["-a"]);
    assert!(!output.status.success(), "{output}");
    assert!(format!("{output}").contains("files were modified by this hook"), "{output}");
    assert_eq!(p.read("src/a"), "two words\n");
    let output = commits(&p, &p.root(), &["-a"]);
    assert!(output.status.success(), "{output}");
    assert_eq!(does(&p, ["show", "HEAD:src/a"]), "two words\n");
}

#[test]
fn what_is_not_staged_is_put_aside_and_a_removed_file_counts() {
    let Some(p) = project() else { return };
    p.write("src/a", "staged\n");
    does(&p, ["add", "src/a"]);
    p.write("src/a", "staged\nbad\n");
    let output = commits(&p, &p.root(), &[]);
    assert!(output.status.success(), "{output}");
    assert_eq!(p.read("src/a"), "staged\nbad\n");
    assert_eq!(does(&p, ["show", "HEAD:src/a"]), "staged\n");
    does(&p, ["checkout", "-q", "src/a"]);
    p.take_ran();
    does(&p, ["rm", "-q", "src/b"]);
    let output = commits(&p, &p.root(), &[]);
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["words", "shell"]);
}
