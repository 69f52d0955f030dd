//! `taskr-bench monorepo`: one repository of many packages, built by taskr, Turborepo, moon,
//! go-task and ninja from a fresh clone whose results are in the store, after all outputs were
//! deleted, with nothing to do, and after all sources got new times.
//!
//! Each clone lies at another path and all its files are new. Tools take turns, and nothing is
//! told if their outputs differ. go-task and ninja have no store and build what the others restore;
//! their figures say what a store is worth.

mod project;
mod tool;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::facts::{Facts, facts};
use crate::measure::{Sample, Summary, run};
use crate::words::Words;
use project::{OUTPUTS, Size};
use tool::{Sort, Tool};

/// Longer than the two seconds for which taskr does not trust a stamp.
const SETTLED: Duration = Duration::from_millis(2_500);

const SIZE: Size = Size { packages: 50, files: 20_000 };

/// What is measured, in the order of the table.
const WAYS: [&str; 5] = ["cold", "fresh clone", "outputs deleted", "no-op", "touch-all"];

/// Summaries of a tool, one for each of [`WAYS`].
type Ways = Vec<Summary>;

/// Measures, prints, writes.
///
/// # Errors
/// A wrong word, a build that fails, outputs that differ.
pub(crate) fn monorepo(args: &[String]) -> Result<(), String> {
    let words = Words::parse(args)?;
    let taskr = words.taskr()?;
    let programs = [
        (Sort::Taskr, Some(&*taskr)),
        (Sort::Turbo, words.turbo.as_deref()),
        (Sort::Moon, words.moon.as_deref()),
        (Sort::GoTask, words.task.as_deref()),
        (Sort::Ninja, Some(Path::new("ninja"))),
    ];
    let mut tools = Vec::new();
    for (sort, program) in programs {
        match Tool::find(sort, program) {
            Ok(tool) => tools.push(tool),
            Err(absent) => println!("{absent}"),
        }
    }
    let (_folder, dir) = words.folder()?;
    let facts = facts(&dir);
    let origin = dir.join("origin");
    write(&origin, SIZE)?;
    let bench =
        Bench { size: SIZE, dir: &dir, origin: &origin, jobs: words.jobs, settled: SETTLED };
    let ways = bench.measure(&tools, words.runs)?;
    print!("{}", table(&tools, &ways));
    words.keep(&figures(&tools, &ways, &facts))
}

/// Writes the repository and commits it.
fn write(origin: &Path, size: Size) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", origin.display());
    for (path, text) in project::files(size) {
        let path = origin.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(path, text).map_err(failed)?;
    }
    git(origin, &["init", "-q"])?;
    git(origin, &["add", "."])?;
    let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
    git(origin, &[&who[..], &["commit", "-q", "-m", "all"]].concat())
}

fn git(dir: &Path, words: &[&str]) -> Result<(), String> {
    let mut command = Command::new("git");
    // Objects are not packed behind its back while they are cloned.
    command.current_dir(dir).args(["-c", "gc.auto=0"]).args(words);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let status = command.status().map_err(|error| format!("git: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("git {words:?}: {status}")) }
}

struct Bench<'a> {
    size: Size,
    dir: &'a Path,
    origin: &'a Path,
    jobs: usize,
    /// After so long a file counts as older than any build that looks at it.
    settled: Duration,
}

impl Bench<'_> {
    fn measure(&self, tools: &[Tool], runs: usize) -> Result<Vec<Ways>, String> {
        let mut samples = vec![vec![Vec::new(); WAYS.len()]; tools.len()];
        // The first round fills the stores.
        for round in 0..=runs {
            let mut clones = Vec::new();
            for (tool, samples) in tools.iter().zip(&mut samples) {
                let clone = self.clone_for(tool, round)?;
                if round == 0 {
                    samples[0].push(run(&self.build(tool, &clone))?);
                } else {
                    self.carry(tool, &clone)?;
                    samples[1].push(run(&self.build(tool, &clone))?);
                    self.again(tool, &clone, samples)?;
                }
                clones.push((tool, clone));
            }
            // Nothing is deleted before the end: ext4 looks for a minute, file by file, whether the
            // number of a deleted file may be given to a new one, and that would be measured.
            self.same_outputs(&clones)?;
        }
        let of_tool = |ways: Vec<Vec<Sample>>| ways.iter().map(|all| Summary::of(all)).collect();
        let summaries: Option<Vec<Ways>> = samples.into_iter().map(of_tool).collect();
        summaries.ok_or_else(|| "nothing was measured".to_owned())
    }

    /// In a clone that was built.
    fn again(&self, tool: &Tool, clone: &Path, samples: &mut [Vec<Sample>]) -> Result<(), String> {
        // What has just been written may have to be looked at once more.
        std::thread::sleep(self.settled);
        run(&self.build(tool, clone))?;
        for package in 0..self.size.packages {
            let dist = clone.join(format!("packages/p{package:02}/dist"));
            let away = self.dir.join(format!("dist-{}-{package}", clone_name(clone)));
            fs::rename(&dist, away).map_err(|error| format!("{}: {error}", dist.display()))?;
        }
        samples[2].push(run(&self.build(tool, clone))?);
        std::thread::sleep(self.settled);
        run(&self.build(tool, clone))?;
        samples[3].push(run(&self.build(tool, clone))?);
        self.touch(clone).map_err(|error| format!("{}: {error}", clone.display()))?;
        samples[4].push(run(&self.build(tool, clone))?);
        Ok(())
    }

    /// Gives all sources the time that it is.
    fn touch(&self, clone: &Path) -> std::io::Result<()> {
        for number in 0..self.size.files {
            let path = clone.join(project::source(self.size, number));
            let file = fs::File::options().append(true).open(path)?;
            file.set_modified(std::time::SystemTime::now())?;
        }
        Ok(())
    }

    fn build(&self, tool: &Tool, clone: &Path) -> Command {
        let store = self.dir.join(format!("store-{}", tool.sort.name()));
        tool.build(clone, &store, self.jobs)
    }

    fn clone_for(&self, tool: &Tool, round: usize) -> Result<PathBuf, String> {
        let clone = self.clone_of(tool, round);
        let origin = self.origin.to_string_lossy();
        git(self.dir, &["clone", "-q", &origin, &clone.to_string_lossy()])?;
        Ok(clone)
    }

    fn clone_of(&self, tool: &Tool, round: usize) -> PathBuf {
        self.dir.join(format!("{}-{round}", tool.sort.name()))
    }

    /// Copies what a tool keeps in its workspace from the clone of the first round into a new one.
    fn carry(&self, tool: &Tool, clone: &Path) -> Result<(), String> {
        let first = self.clone_of(tool, 0);
        tool.sort.kept().iter().try_for_each(|kept| {
            let from = first.join(kept);
            let copied = copy(&from, &clone.join(kept));
            copied.map_err(|error| format!("{}: {error}", from.display()))
        })
    }

    /// Every output is there and the same for all tools, byte for byte.
    fn same_outputs(&self, clones: &[(&Tool, PathBuf)]) -> Result<(), String> {
        let Some(((first, place), others)) = clones.split_first() else { return Ok(()) };
        for package in 0..self.size.packages {
            for output in OUTPUTS {
                let path = format!("packages/p{package:02}/dist/{output}");
                let read = |tool: &Tool, clone: &Path| {
                    let bytes = fs::read(clone.join(&path));
                    bytes.map_err(|error| format!("{} left no {path}: {error}", tool.sort.name()))
                };
                let expected = read(first, place)?;
                for (tool, clone) in others {
                    if read(tool, clone)? != expected {
                        let (one, two) = (first.sort.name(), tool.sort.name());
                        return Err(format!("{one} and {two} differ in {path}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Copies a folder of files into a new one.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn clone_name(clone: &Path) -> String {
    clone.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Figures for people; ratios are of medians, to Turborepo's.
fn table(tools: &[Tool], ways: &[Ways]) -> String {
    let mut text = "| what | tool | median ms | min ms | CPU ms | peak MiB | ÷ Turborepo | \
                    CPU ÷ Turborepo |\n| --- | --- | --: | --: | --: | --: | --: | --: |\n"
        .to_owned();
    let turbo = tools.iter().position(|tool| tool.sort == Sort::Turbo);
    for (number, way) in WAYS.iter().enumerate() {
        for (tool, own) in tools.iter().zip(ways) {
            let own = &own[number];
            let to = |figure: fn(&Summary) -> f64| match turbo {
                Some(turbo) => format!("{:.2}", figure(own) / figure(&ways[turbo][number])),
                None => "–".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {way} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} |",
                tool.sort.name(),
                own.median_ms,
                own.min_ms,
                own.cpu_ms,
                own.peak_kib as f64 / 1024.0,
                to(|summary| summary.median_ms),
                to(|summary| summary.cpu_ms),
            );
        }
    }
    text
}

fn figures(tools: &[Tool], ways: &[Ways], facts: &Facts) -> Value {
    let rows = tools.iter().zip(ways).flat_map(|(tool, ways)| {
        WAYS.iter().zip(ways).map(|(way, summary)| {
            json!({
                "what": way, "tool": tool.sort.name(), "runs": summary.runs,
                "median_ms": summary.median_ms, "min_ms": summary.min_ms,
                "cpu_ms": summary.cpu_ms, "peak_kib": summary.peak_kib,
            })
        })
    });
    json!({
        "machine": facts.json(), "packages": SIZE.packages, "files": SIZE.files,
        "tools": tools.iter().map(|tool| tool.version.clone()).collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SMALL: Size = Size { packages: 3, files: 6 };

    /// A tool's part played by a script that builds each package with its own command.
    fn measured(sort: Sort, script: &str) -> Result<Vec<Ways>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = |name: &str, script: &str| {
            let path = folder.path().join(name);
            let text = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 1.0 && exit\n{script}");
            fs::write(&path, text).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
            path
        };
        let right = "for p in packages/*; do mkdir -p $p/dist; for o in all names size; do \
                     cat $p/src/* > $p/dist/$o.txt; done; done";
        let (one, two) = (program("one", right), program("two", &format!("{right}\n{script}")));
        let tools = [
            Tool::find(Sort::Turbo, Some(&one)).expect("it says its version"),
            Tool::find(sort, Some(&two)).expect("it says its version"),
        ];
        let origin = folder.path().join("origin");
        write(&origin, SMALL)?;
        let settled = Duration::ZERO;
        let bench = Bench { size: SMALL, dir: folder.path(), origin: &origin, jobs: 1, settled };
        bench.measure(&tools, 2)
    }

    #[test]
    fn each_way_is_measured_for_each_tool() {
        let ways = measured(Sort::GoTask, "").expect("the same");
        let runs: Vec<Vec<usize>> =
            ways.iter().map(|ways| ways.iter().map(|way| way.runs).collect()).collect();
        assert_eq!(runs, [[1, 2, 2, 2, 2], [1, 2, 2, 2, 2]]);
    }

    #[test]
    fn a_wrong_output_makes_it_fail() {
        for (wrong, told) in [
            ("echo x > packages/p01/dist/size.txt", "differ in packages/p01/dist/size.txt"),
            ("rm packages/p02/dist/all.txt", "go-task left no packages/p02/dist/all.txt"),
            ("exit 1", "exit status: 1"),
        ] {
            let message = measured(Sort::GoTask, wrong).expect_err(wrong);
            assert!(message.contains(told), "{wrong}: {message}");
        }
    }

    #[test]
    fn what_is_kept_in_the_workspace_comes_into_the_next() {
        let script = "case $PWD in *-0) mkdir -p .moon/cache/hashes .moon/cache/outputs
                      echo p00 > .moon/cache/outputs/p00.tar.gz ;; esac
                      grep -q p00 .moon/cache/outputs/p00.tar.gz";
        assert_eq!(measured(Sort::Moon, script).expect("it is there").len(), 2);
    }

    #[test]
    fn ratios_are_to_turborepo() {
        let tool = |sort| Tool::find(sort, Some(Path::new("true"))).expect("it ends well");
        let summary =
            |median_ms| Summary { runs: 1, median_ms, min_ms: 1.0, cpu_ms: 8.0, peak_kib: 1024 };
        let ways = [50.0, 200.0].map(|ms| vec![summary(ms); WAYS.len()]);
        let text = table(&[tool(Sort::Taskr), tool(Sort::Turbo)], &ways);
        let line = "| fresh clone | taskr | 50.0 | 1.0 | 8.0 | 1.0 | 0.25 | 1.00 |";
        assert!(text.contains(line), "{text}");
    }
}
