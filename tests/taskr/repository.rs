//! A git repository around a project, made and used by the real git.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::project::{Live, Output, Project};

/// git here, as a person of the fixture would call it: no configuration but the repository's own.
pub(crate) fn git<S: AsRef<OsStr>>(
    p: &Project,
    folder: &Path,
    args: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
    command.args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]);
    command.args(args).current_dir(folder);
    p.clear_environment(&mut command);
    command
}

/// Runs git in the workspace; it must succeed. What it says.
#[track_caller]
pub(crate) fn does<S: AsRef<OsStr>>(p: &Project, args: impl IntoIterator<Item = S>) -> String {
    let output = ends(&mut git(p, &p.root(), args));
    assert!(output.status.success(), "{output}");
    output.stdout
}

/// Runs a command to its end.
pub(crate) fn ends(command: &mut Command) -> Output {
    Live::start(command).wait()
}

/// A project whose files are committed; none, and a word about it, where there is no git.
pub(crate) fn committed(p: Project) -> Option<Project> {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no git");
        return None;
    }
    does(&p, ["init", "-q", "."]);
    does(&p, ["add", "."]);
    does(&p, ["commit", "-qm", "first"]);
    p.accept_files();
    Some(p)
}
