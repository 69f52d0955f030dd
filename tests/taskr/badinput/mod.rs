//! What a stranger may do wrong, and what the system may refuse: one clear message each, the right
//! exit code, no panic, no hang, nothing lost.

mod caller;
mod system;
mod taskfile;

use std::process::Command;

use crate::project::{Live, Output, Project};

/// The smallest Taskfile.
pub(super) const SMALL: &str = "[target.a]\nrun = \"ran a\"\n";

/// Runs a script in a folder below the workspace; `taskr` is on its PATH.
pub(super) fn sh(p: &Project, folder: &str, script: &str) -> Output {
    let mut command = Command::new("sh");
    start(p, folder, command.args(["-c", script]))
}

/// The same as a user who owns nothing here. What must be true of that user comes first in the
/// script, as in `! test -r secret || exit 99`.
pub(super) fn sh_as_nobody(p: &Project, folder: &str, script: &str) -> Output {
    if !rustix::process::getuid().is_root() {
        return sh(p, folder, script);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]);
    start(p, folder, &mut command)
}

pub(super) fn start(p: &Project, folder: &str, command: &mut Command) -> Output {
    p.clear_environment(command);
    Live::start(command.current_dir(p.path(folder))).wait()
}

/// An exit code, and all of stderr with the workspace's root as `WS`.
#[track_caller]
pub(super) fn refused(p: &Project, output: &Output, code: i32, stderr: &str) {
    assert_eq!(output.status.code(), Some(code), "{output}");
    let said = output.stderr.replace(&p.root().display().to_string(), "WS");
    assert_eq!(said.trim_end(), stderr.trim_end(), "{output}");
    assert_eq!(p.take_ran(), [""; 0], "{output}");
}
