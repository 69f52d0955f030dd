//! The words behind `restore` and `monorepo`, which are the same.

use std::path::{Path, PathBuf};

/// How they are called.
pub(crate) const USAGE: &str = "[--runs N] [--jobs N] [--taskr PATH] [--turbo PATH] [--moon PATH] \
     [--task PATH] [--dir DIR] [--json FILE]";

/// What is measured with, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    /// How often each figure is taken.
    pub(crate) runs: usize,
    /// Tasks at once.
    pub(crate) jobs: usize,
    /// The taskr that is measured, if it is not the one beside this program.
    taskr: Option<PathBuf>,
    /// Turborepo's own program.
    pub(crate) turbo: Option<PathBuf>,
    /// moon's own program.
    pub(crate) moon: Option<PathBuf>,
    /// go-task's program.
    pub(crate) task: Option<PathBuf>,
    /// Where projects are made; a folder for temporary files if not said.
    dir: Option<PathBuf>,
    /// Where the figures go as JSON.
    json: Option<PathBuf>,
}

impl Words {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with the first wrong one.
    pub(crate) fn parse(args: &[String]) -> Result<Words, String> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut words = Words {
            runs: 9,
            jobs,
            taskr: None,
            turbo: None,
            moon: None,
            task: None,
            dir: None,
            json: None,
        };
        let mut rest = args.iter();
        while let Some(option) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{option} takes a value: {USAGE}"))?;
            let number = || {
                let number = value.parse().ok().filter(|number| *number > 0);
                number.ok_or_else(|| format!("{option} takes a number from 1, not `{value}`"))
            };
            match option.as_str() {
                "--runs" => words.runs = number()?,
                "--jobs" => words.jobs = number()?,
                "--taskr" => words.taskr = Some(absolute(value)?),
                "--turbo" => words.turbo = Some(absolute(value)?),
                "--moon" => words.moon = Some(absolute(value)?),
                "--task" => words.task = Some(absolute(value)?),
                "--dir" => words.dir = Some(absolute(value)?),
                "--json" => words.json = Some(absolute(value)?),
                _ => return Err(format!("there is no option {option}: {USAGE}")),
            }
        }
        Ok(words)
    }

    /// The taskr that is measured.
    ///
    /// # Errors
    /// It is not named, and this is not a release build, which stands beside its own.
    pub(crate) fn taskr(&self) -> Result<PathBuf, String> {
        match &self.taskr {
            Some(taskr) => Ok(taskr.clone()),
            None if cfg!(debug_assertions) => {
                Err("this is a debug build: name a taskr with --taskr PATH".to_owned())
            }
            None => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                Ok(own.with_file_name("taskr"))
            }
        }
    }

    /// A new folder for a project, removed with what is returned; its path has no links.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn folder(&self) -> Result<(tempfile::TempDir, PathBuf), String> {
        let base = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let failed = |error: std::io::Error| format!("{}: {error}", base.display());
        std::fs::create_dir_all(&base).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix("taskr-bench-").tempdir_in(&base);
        let folder = folder.map_err(failed)?;
        let path = folder.path().canonicalize().map_err(failed)?;
        Ok((folder, path))
    }

    /// Writes the figures where they were asked for.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn keep(&self, figures: &serde_json::Value) -> Result<(), String> {
        let Some(path) = &self.json else { return Ok(()) };
        let written = std::fs::write(path, format!("{figures:#}\n"));
        written.map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(Path::new(path)).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Words, String> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Words::parse(&args)
    }

    #[test]
    fn words_are_read() {
        let words = parse("--runs 3 --jobs 4 --taskr /t --turbo /u").expect("right");
        assert_eq!((words.runs, words.jobs, words.taskr()), (3, 4, Ok("/t".into())));
        assert_eq!((words.turbo, words.task), (Some("/u".into()), None));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (words, told) in [
            ("--runs", "--runs takes a value"),
            ("--runs 0", "--runs takes a number from 1, not `0`"),
            ("--speed 3", "there is no option --speed"),
        ] {
            let message = parse(words).expect_err(words);
            assert!(message.contains(told), "{message}");
        }
        let message = parse("").expect("right").taskr().expect_err("a debug build");
        assert!(message.contains("--taskr PATH"), "{message}");
    }
}
