//! The tools that `monorepo` compares: how they are called, where their stores are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Taskr,
    Turbo,
    /// Its store lies in the workspace, see [`Sort::kept`].
    Moon,
    /// Has no store: what is not there is built.
    GoTask,
    /// Has none either, and lists no folders: its file names all sources.
    Ninja,
}

/// A tool that is there.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) sort: Sort,
    program: PathBuf,
    /// What it says of itself.
    pub(crate) version: String,
}

impl Sort {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Taskr => "taskr",
            Sort::Turbo => "Turborepo",
            Sort::Moon => "moon",
            Sort::GoTask => "go-task",
            Sort::Ninja => "ninja",
        }
    }

    /// Where in the workspace its store lies, if none can be named to it: CI carries these folders
    /// from one clone to the next.
    pub(crate) fn kept(self) -> &'static [&'static str] {
        match self {
            Sort::Moon => &[".moon/cache/hashes", ".moon/cache/outputs"],
            _ => &[],
        }
    }
}

impl Tool {
    /// Asks the tool for its version, which shows that it is there.
    ///
    /// # Errors
    /// It is not, and how to get it.
    pub(crate) fn find(sort: Sort, program: Option<&Path>) -> Result<Tool, String> {
        let absent = || format!("{}: not there (bench/install-peers gets it)", sort.name());
        let program = program.ok_or_else(absent)?;
        let said = Command::new(program).arg("--version").output().map_err(|_| absent())?;
        if !said.status.success() {
            return Err(absent());
        }
        let text = String::from_utf8_lossy(&said.stdout);
        let version = text.split_whitespace().last().unwrap_or_default();
        let version = format!("{} {version}", sort.name());
        Ok(Tool { sort, program: program.to_owned(), version })
    }

    /// Its call for a build of everything in `dir`, as silent as it can be.
    pub(crate) fn build(&self, dir: &Path, store: &Path, jobs: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(dir).env_remove("MAKEFLAGS").env_remove("CI");
        match self.sort {
            Sort::Taskr => {
                command.env("TASKR_CACHE", "local").env("TASKR_CACHE_DIR", store);
                command.env_remove("TASKR_CACHE_SIZE").args(["-q", &format!("-j{jobs}")]);
            }
            Sort::Turbo => {
                command.env("TURBO_GLOBAL_WARNING_DISABLED", "1");
                command.env("TURBO_TELEMETRY_DISABLED", "1").env("DO_NOT_TRACK", "1");
                command.args(["run", "build", "--ui=stream", "--output-logs=errors-only"]);
                command.arg("--cache-dir").arg(store).arg(format!("--concurrency={jobs}"));
            }
            Sort::Moon => {
                // What it unpacks and translates for itself; nothing is fetched.
                command.env("MOON_HOME", store).env("PROTO_HOME", store.join("proto"));
                command.env("XDG_CACHE_HOME", store.join("cache")).env("PROTO_OFFLINE", "1");
                command.args(["run", ":build", "--quiet", &format!("--concurrency={jobs}")]);
            }
            Sort::Ninja => {
                command.args(["--quiet", &format!("-j{jobs}")]);
            }
            Sort::GoTask => {
                command.args(["--silent", &format!("--concurrency={jobs}")]);
            }
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_tool_is_named() {
        for program in [None, Some(Path::new("/no/turbo"))] {
            let absent = Tool::find(Sort::Turbo, program).expect_err("absent");
            assert_eq!(absent, "Turborepo: not there (bench/install-peers gets it)");
        }
    }
}
