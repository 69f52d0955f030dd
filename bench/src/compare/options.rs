//! The words behind `compare`.

use std::path::PathBuf;
use std::time::Duration;

use super::start::START;
use super::tool::{SORTS, Sort};
use super::what::{WHATS, What};
use crate::project::{BIG_TASKS, KINDS, Kind};

/// What is compared, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) shapes: Vec<(&'static str, Kind)>,
    pub(crate) sizes: Vec<usize>,
    /// Tasks of the shape whose sources are large, whatever the sizes are.
    pub(crate) big: usize,
    pub(crate) whats: Vec<What>,
    /// Whether tools are started that have nothing to build.
    pub(crate) start: bool,
    pub(crate) jobs: usize,
    /// Builds from nothing.
    pub(crate) cold: usize,
    /// Builds with nothing to do.
    pub(crate) runs: usize,
    /// Builds after something was changed, for each way of changing.
    pub(crate) edits: usize,
    /// How old files are let grow before they are changed.
    pub(crate) settle: Duration,
    /// The largest project for tools that take minutes for such.
    pub(crate) slow_to: usize,
    pub(crate) tools: Vec<Sort>,
    /// Where tools are that are not on the PATH.
    pub(crate) programs: Vec<(Sort, PathBuf)>,
    /// Where the projects are generated; a folder for temporary files if not said.
    pub(crate) dir: Option<PathBuf>,
    /// Where the figures go as JSON.
    pub(crate) json: Option<PathBuf>,
    /// Where a folder for table, figures and plots is made.
    pub(crate) out: Option<PathBuf>,
}

/// How they are called.
pub(crate) const USAGE: &str = "taskr-bench compare \
     [--shapes w1,chain,wide,diamond,c-like,big,real-c] [--sizes 1000,10000] \
     [--scenarios start,cold,no-op,…] [--tools taskr,ninja,make,…] [--jobs N] \
     [--cold N] [--runs N] [--edits N] [--big N] [--slow-to N] [--settle-ms N] [--TOOL PATH] \
     [--dir DIR] [--json FILE] [--out DIR]";

/// Longer than the two seconds for which taskr does not trust a stamp, and than the one second
/// within which tup sees no edit.
const SETTLED: Duration = Duration::from_millis(2_500);

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with the first wrong one.
    pub(crate) fn parse(args: &[String]) -> Result<Options, String> {
        let mut options = Options {
            shapes: KINDS.to_vec(),
            sizes: vec![1_000],
            big: BIG_TASKS,
            whats: WHATS.map(|(_, what)| what).to_vec(),
            start: true,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            cold: 1,
            runs: 9,
            edits: 3,
            settle: SETTLED,
            slow_to: 1_000,
            tools: SORTS.map(|(_, sort)| sort).to_vec(),
            programs: Vec::new(),
            dir: None,
            json: None,
            out: None,
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
            "--scenarios" => {
                let known: Vec<(&str, Option<What>)> = std::iter::once((START, None))
                    .chain(WHATS.map(|(name, what)| (name, Some(what))))
                    .collect();
                let some = some_of(&known, option, value)?;
                self.start = some.iter().any(|(_, what)| what.is_none());
                self.whats = some.into_iter().filter_map(|(_, what)| what).collect();
            }
            "--big" => self.big = number(3)?,
            "--slow-to" => self.slow_to = number(0)?,
            "--settle-ms" => self.settle = Duration::from_millis(number(0)? as u64),
            "--jobs" => self.jobs = number(1)?,
            "--cold" => self.cold = number(1)?,
            "--runs" => self.runs = number(1)?,
            "--edits" => self.edits = number(0)?,
            "--dir" => self.dir = Some(value.into()),
            "--json" => self.json = Some(value.into()),
            "--out" => self.out = Some(value.into()),
            _ => match SORTS.iter().find(|(name, _)| option.strip_prefix("--") == Some(name)) {
                Some((_, sort)) => self.programs.push((*sort, value.into())),
                None => return Err(format!("there is no option {option}: {USAGE}")),
            },
        }
        Ok(())
    }

    /// The sizes of a shape.
    pub(crate) fn sizes_of(&self, kind: Kind) -> Vec<usize> {
        match kind {
            Kind::Big => vec![self.big],
            // It is as large as it is.
            Kind::RealC => vec![0],
            _ => self.sizes.clone(),
        }
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
            _ => Ok(sort.command().into()),
        }
    }
}

/// The known ones that are named, with commas between.
fn some_of<'a, T: Copy>(
    known: &[(&'a str, T)],
    option: &str,
    value: &str,
) -> Result<Vec<(&'a str, T)>, String> {
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
        let options = parse("--scenarios start,no-op --big 5 --settle-ms 10 --go-task /t");
        let options = options.expect("right");
        assert_eq!((options.start, &*options.whats), (true, &[What::NoOp][..]));
        assert_eq!(
            (options.sizes_of(Kind::Big), options.sizes_of(Kind::W1)),
            (vec![5], vec![1_000])
        );
        assert_eq!(options.program(Sort::GoTask), Ok("/t".into()));
        assert_eq!(options.program(Sort::Samurai), Ok("samu".into()));
        assert!(!parse("--scenarios cold").expect("right").start);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (words, told) in [
            ("--runs", "--runs takes a value"),
            ("--runs 0", "--runs takes a number from 1, not `0`"),
            ("--sizes 2", "--sizes takes numbers from 3, not `2`"),
            (
                "--shapes ring",
                "--shapes takes some of w1,chain,wide,diamond,c-like,big,real-c, not `ring`",
            ),
            ("--scenarios warm", "--scenarios takes some of start,cold,no-op,touch-one,"),
            ("--tools bazel", "--tools takes some of taskr,ninja,make,samurai,go-task,"),
            ("--speed 3", "there is no option --speed"),
        ] {
            let message = parse(words).expect_err(words);
            assert!(message.contains(told), "{message}");
        }
        let message = parse("").expect("right").program(Sort::Taskr).expect_err("a debug build");
        assert!(message.contains("bench/compare"), "{message}");
    }
}
