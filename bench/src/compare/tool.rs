//! The tools that are compared: where they are, how they are called, what to do if one is absent.
//!
//! The limits are among them: what the machine needs for the least that any tool must do. They
//! take part as programs of their own, so that all is measured in the same way.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::what::What;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Taskr,
    Ninja,
    Make,
    Samurai,
    GoTask,
    Just,
    Doit,
    Tup,
    Mise,
    /// All commands started, and nothing asked.
    Spawn,
    /// All files looked at.
    Stat,
    /// All sources digested.
    Hash,
    /// All outputs copied.
    Copy,
}

/// By the names of the command line, in the order of the table.
pub(crate) const SORTS: [(&str, Sort); 9] = [
    ("taskr", Sort::Taskr),
    ("ninja", Sort::Ninja),
    ("make", Sort::Make),
    ("samurai", Sort::Samurai),
    ("go-task", Sort::GoTask),
    ("just", Sort::Just),
    ("doit", Sort::Doit),
    ("tup", Sort::Tup),
    ("mise", Sort::Mise),
];

/// The limits, in the order in which they are measured: the third copies what the first made.
pub(crate) const LIMITS: [(&str, Sort); 4] = [
    ("bare spawn", Sort::Spawn),
    ("bare stat", Sort::Stat),
    ("bare hash", Sort::Hash),
    ("bare copy", Sort::Copy),
];

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
        let mut all = SORTS.iter().chain(&LIMITS);
        all.find(|(_, sort)| *sort == self).map_or("", |(name, _)| name)
    }

    /// What it is called on the `PATH`.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Sort::Samurai => "samu",
            Sort::GoTask => "task",
            _ => self.name(),
        }
    }

    fn how_to_get(self) -> &'static str {
        match self {
            Sort::Taskr => "cargo build --release, or --taskr PATH",
            Sort::Ninja => "apt install ninja-build, or --ninja PATH",
            Sort::Make => "apt install make, or --make PATH",
            Sort::Samurai => "build it from its source, --samurai PATH",
            _ => "bench/install-peers gets it",
        }
    }

    pub(crate) fn is_limit(self) -> bool {
        LIMITS.iter().any(|(_, limit)| *limit == self)
    }

    /// Whether its fault ends the comparison. Other peers are left out where they fail.
    pub(crate) fn must_be_right(self) -> bool {
        self.is_limit() || matches!(self, Sort::Taskr | Sort::Ninja | Sort::Make)
    }

    /// Whether it takes minutes for large projects.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Sort::GoTask | Sort::Just | Sort::Doit | Sort::Tup | Sort::Mise)
    }

    /// Whether it must be told what a source includes: it neither reads depfiles nor watches.
    pub(crate) fn must_be_told(self) -> bool {
        matches!(self, Sort::GoTask | Sort::Doit | Sort::Mise)
    }

    /// Whether a figure of it means something there.
    pub(crate) fn takes_part(self, what: What) -> bool {
        match self {
            // It does not know what is up to date.
            Sort::Just => what == What::Cold,
            Sort::Spawn => {
                matches!(what, What::Cold | What::EditHeader | What::DeleteAll)
            }
            Sort::Stat => what.limit() == Sort::Stat || what == What::TouchAll,
            Sort::Hash => matches!(what, What::Cold | What::TouchAll),
            Sort::Copy => what == What::DeleteAll,
            _ => true,
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

    /// The limits: this program.
    ///
    /// # Errors
    /// It cannot be found.
    pub(crate) fn limits() -> Result<Vec<Tool>, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let limit = |(name, sort): &(&str, Sort)| Tool {
            sort: *sort,
            program: own.clone(),
            version: (*name).to_owned(),
        };
        Ok(LIMITS.iter().map(limit).collect())
    }

    /// What must be done in `dir` before its first build, if something.
    pub(crate) fn prepare(&self, dir: &Path) -> Option<Command> {
        let mut command = self.call(dir);
        command.arg("init");
        (self.sort == Sort::Tup).then_some(command)
    }

    /// The program in `dir`, with nothing of the user's in it: settings, plugins, updates.
    pub(crate) fn call(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(dir).env_remove("MAKEFLAGS").env_remove("CI");
        if self.sort == Sort::Taskr {
            // A store of its own beside the project: nothing that was built before.
            command.env("TASKR_CACHE_DIR", dir.with_file_name("store"));
            command.env_remove("TASKR_CACHE").env_remove("TASKR_CACHE_SIZE");
        }
        if self.sort == Sort::Mise {
            for kind in ["DATA", "CACHE", "STATE", "CONFIG"] {
                command.env(format!("MISE_{kind}_DIR"), dir.join(".mise"));
            }
            command.env("MISE_TRUSTED_CONFIG_PATHS", dir).env("MISE_OFFLINE", "1");
        }
        command
    }

    /// Its call for a build in `dir`, as silent as it can be.
    pub(crate) fn build(&self, dir: &Path, jobs: usize) -> Command {
        let mut command = self.call(dir);
        let joined = format!("-j{jobs}");
        match self.sort {
            Sort::Taskr => command.args(["-q", &joined]),
            Sort::Ninja => command.args(["--quiet", &joined]),
            Sort::Make => command.args(["-rR", "-s", &joined]),
            Sort::Samurai => command.arg(joined),
            Sort::GoTask => command.args(["--silent", &format!("--concurrency={jobs}")]),
            Sort::Just => command.arg("--quiet"),
            Sort::Doit => {
                command.args(["run", "--parallel-type=thread", "--verbosity=0"]);
                command.arg(format!("--process={jobs}"))
            }
            Sort::Tup => command.args(["--quiet", &joined]),
            Sort::Mise => command.args(["run", "--quiet", &format!("--jobs={jobs}"), "all"]),
            Sort::Spawn => command.args(["limit", "spawn", &jobs.to_string()]),
            Sort::Stat => command.args(["limit", "stat", &jobs.to_string()]),
            Sort::Hash => command.args(["limit", "hash", &jobs.to_string()]),
            Sort::Copy => command.args(["limit", "copy", &jobs.to_string()]),
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
        let absent = Tool::find(Sort::Mise, Path::new("/no/mise")).expect_err("absent");
        assert_eq!(absent, "mise: not installed (bench/install-peers gets it)");
    }

    #[test]
    fn each_has_a_name() {
        assert_eq!(Sort::GoTask.name(), "go-task");
        assert_eq!(Sort::Stat.name(), "bare stat");
        assert_eq!(Sort::Samurai.command(), "samu");
    }
}
