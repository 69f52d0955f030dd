//! The tools that are compared: where they are, how they are called, what to do if one is absent.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Taskr,
    Ninja,
    Make,
}

/// By the names of the command line, in the order of the table.
pub(crate) const SORTS: [(&str, Sort); 3] =
    [("taskr", Sort::Taskr), ("ninja", Sort::Ninja), ("make", Sort::Make)];

/// A tool that is there.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) sort: Sort,
    pub(crate) program: PathBuf,
    /// The first line that it says of itself.
    pub(crate) version: String,
}

impl Sort {
    /// Its name on the command line and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Taskr => "taskr",
            Sort::Ninja => "ninja",
            Sort::Make => "make",
        }
    }

    fn how_to_get(self) -> &'static str {
        match self {
            Sort::Taskr => "cargo build --release, or --taskr PATH",
            Sort::Ninja => "apt install ninja-build, or --ninja PATH",
            Sort::Make => "apt install make, or --make PATH",
        }
    }
}

impl Tool {
    /// Asks the tool for its version, which shows that it is there.
    ///
    /// # Errors
    /// It is not, and how to get it.
    pub(crate) fn find(sort: Sort, program: &Path) -> Result<Tool, String> {
        let said = Command::new(program).arg("--version").output();
        let said = said.ok().filter(|said| said.status.success());
        let said =
            said.ok_or_else(|| format!("{}: not installed ({})", sort.name(), sort.how_to_get()))?;
        let text = String::from_utf8_lossy(&said.stdout);
        let line = text.lines().next().unwrap_or_default().trim();
        let version = if line.starts_with(|first: char| first.is_ascii_digit()) {
            format!("{} {line}", sort.name())
        } else {
            line.to_owned()
        };
        Ok(Tool { sort, program: program.to_owned(), version })
    }

    /// Its call for a build in `dir`, as silent as it can be.
    pub(crate) fn build(&self, dir: &Path, jobs: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(dir).env_remove("MAKEFLAGS").arg(format!("-j{jobs}"));
        match self.sort {
            Sort::Taskr => command.arg("-q"),
            Sort::Ninja => command.arg("--quiet"),
            Sort::Make => command.args(["-rR", "-s"]),
        };
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_tool_is_named() {
        let absent = Tool::find(Sort::Ninja, Path::new("/no/ninja")).expect_err("absent");
        assert_eq!(absent, "ninja: not installed (apt install ninja-build, or --ninja PATH)");
    }
}
