//! The words behind `compare`.

use std::path::PathBuf;

use super::tool::{SORTS, Sort};
use crate::project::{KINDS, Kind};

/// What is compared, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shapes: Vec<(&'static str, Kind)>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) jobs: usize,
    /// Builds from nothing.
    pub(crate) cold: usize,
    /// Builds with nothing to do.
    pub(crate) runs: usize,
    /// Builds after one file was edited.
    pub(crate) edits: usize,
    pub(crate) tools: Vec<Sort>,
    /// Where tools are that are not on the PATH.
    pub(crate) programs: Vec<(Sort, PathBuf)>,
    /// Where the projects are generated; a folder for temporary files if not said.
    pub(crate) dir: Option<PathBuf>,
    /// Where the figures go as JSON.
    pub(crate) json: Option<PathBuf>,
}

/// How they are called.
pub(crate) const USAGE: &str = "taskr-bench compare [--shapes chain,wide,diamond,c-like] \
     [--sizes 1000,10000] [--jobs N] [--cold N] [--runs N] [--edits N] [--tools taskr,ninja,make] \
     [--taskr PATH] [--ninja PATH] [--make PATH] [--dir DIR] [--json FILE]";

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with the first wrong one.
    pub(crate) fn parse(args: &[String]) -> Result<Options, String> {
        let mut options = Options {
            shapes: KINDS.to_vec(),
            sizes: vec![1_000],
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            cold: 1,
            runs: 9,
            edits: 3,
            tools: SORTS.map(|(_, sort)| sort).to_vec(),
            programs: Vec::new(),
            dir: None,
            json: None,
        };
        let mut words = args.iter();
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("{option} takes a value: {USAGE}"))?;
            options.set(option, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let number = |least: usize| {
            let number = value.parse().ok().filter(|number| *number >= least);
            number.ok_or_else(|| format!("{option} takes a number from {least}, not `{value}`"))
        };
        match option {
            "--shapes" => self.shapes = some_of(&KINDS, option, value)?,
            "--tools" => {
                let tools = some_of(&SORTS, option, value)?;
                self.tools = tools.into_iter().map(|(_, sort)| sort).collect();
            }
            "--sizes" => {
                let sizes =
                    value.split(',').map(|size| size.parse().ok().filter(|size| *size >= 3));
                let sizes: Option<Vec<usize>> = sizes.collect();
                self.sizes =
                    sizes.ok_or_else(|| format!("{option} takes numbers from 3, not `{value}`"))?;
            }
            "--jobs" => self.jobs = number(1)?,
            "--cold" => self.cold = number(1)?,
            "--runs" => self.runs = number(1)?,
            "--edits" => self.edits = number(0)?,
            "--dir" => self.dir = Some(value.into()),
            "--json" => self.json = Some(value.into()),
            _ => match SORTS.iter().find(|(name, _)| option.strip_prefix("--") == Some(name)) {
                Some((_, sort)) => self.programs.push((*sort, value.into())),
                None => return Err(format!("there is no option {option}: {USAGE}")),
            },
        }
        Ok(())
    }

    /// Where a tool is.
    ///
    /// # Errors
    /// taskr is not named and this is not a release build, which stands beside its own.
    pub(crate) fn program(&self, sort: Sort) -> Result<PathBuf, String> {
        if let Some((_, path)) = self.programs.iter().rfind(|(of, _)| *of == sort) {
            return std::path::absolute(path).map_err(|error| error.to_string());
        }
        match sort {
            Sort::Taskr if cfg!(debug_assertions) => {
                Err("this is a debug build: run `bench/compare`, or name one with --taskr PATH"
                    .to_owned())
            }
            Sort::Taskr => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                Ok(own.with_file_name("taskr"))
            }
            Sort::Ninja | Sort::Make => Ok(sort.name().into()),
        }
    }
}

/// The known ones that are named, with commas between.
fn some_of<T: Copy>(
    known: &[(&'static str, T)],
    option: &str,
    value: &str,
) -> Result<Vec<(&'static str, T)>, String> {
    let find = |name: &str| known.iter().find(|(known, _)| *known == name).copied();
    let found: Option<Vec<_>> = value.split(',').map(find).collect();
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!("{option} takes some of {}, not `{value}`", names.join(","))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options, String> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args)
    }

    #[test]
    fn options_are_read() {
        let options = parse("--shapes wide,chain --sizes 10,20 --jobs 3 --runs 1 --tools make")
            .expect("right");
        let shapes: Vec<&str> = options.shapes.iter().map(|(name, _)| *name).collect();
        assert_eq!((shapes, options.sizes), (vec!["wide", "chain"], vec![10, 20]));
        assert_eq!((options.jobs, options.runs, options.tools), (3, 1, vec![Sort::Make]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (words, told) in [
            ("--runs", "--runs takes a value"),
            ("--runs 0", "--runs takes a number from 1, not `0`"),
            ("--sizes 2", "--sizes takes numbers from 3, not `2`"),
            ("--shapes ring", "--shapes takes some of chain,wide,diamond,c-like, not `ring`"),
            ("--tools bazel", "--tools takes some of taskr,ninja,make, not `bazel`"),
            ("--speed 3", "there is no option --speed"),
        ] {
            let message = parse(words).expect_err(words);
            assert!(message.contains(told), "{message}");
        }
        let message = parse("").expect("right").program(Sort::Taskr).expect_err("a debug build");
        assert!(message.contains("bench/compare"), "{message}");
    }
}
