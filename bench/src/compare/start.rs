//! What it costs to start a tool that builds nothing: to say its version beside a program that is
//! empty, to list targets, to complete a name.

use std::path::Path;
use std::process::Command;

use super::Row;
use super::options::Options;
use super::tool::{Sort, Tool};
use crate::lay;
use crate::measure::{Summary, run};
use crate::project::{Kind, Project};

/// Its name among the scenarios, and the shape in the table.
pub(crate) const START: &str = "start";

/// Targets of the project: each task of a chain is one.
const TARGETS: usize = 1_000;

const EMPTY: &str = "empty program";

/// Measures them, by turns.
///
/// # Errors
/// One fails.
pub(super) fn start(options: &Options, tools: &[Tool], base: &Path) -> Result<Vec<Row>, String> {
    let folder = base.join(START);
    let project = Project::generate(Kind::Chain, TARGETS)?;
    let mut calls = Vec::new();
    if let Some(empty) = lay::beside("taskr-bench-empty") {
        calls.push(("version", 0, EMPTY, Command::new(empty)));
    }
    for tool in tools {
        for (build, word) in [("version", "--version"), ("help", "--help")] {
            let mut command = Command::new(&tool.program);
            command.arg(word);
            if build == "version" || tool.sort == Sort::Taskr {
                calls.push((build, 0, tool.sort.name(), command));
            }
        }
    }
    for tool in tools {
        let dir = folder.join(tool.sort.name());
        lay::lay(&project, &dir, None).map_err(|error| format!("{}: {error}", dir.display()))?;
        if let Some(list) = list(tool, &dir) {
            calls.push(("list", TARGETS, tool.sort.name(), list));
        }
        if tool.sort == Sort::Taskr {
            calls.push(("complete", TARGETS, tool.sort.name(), complete(tool, &dir)));
        }
    }
    let mut samples = vec![Vec::new(); calls.len()];
    // The first is not counted: it may keep something for the next.
    for round in 0..=options.runs {
        for ((_, _, _, command), samples) in calls.iter().zip(&mut samples) {
            let sample = run(command)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let rows = calls.iter().zip(&samples).filter_map(|(call, samples)| {
        let (build, size, tool, _) = call;
        let summary = Summary::of(samples)?;
        Some(Row { shape: START, size: *size, build, tool, summary, steps: None })
    });
    Ok(rows.collect())
}

/// Its call that lists the targets in `dir`, if it has one.
fn list(tool: &Tool, dir: &Path) -> Option<Command> {
    let words: &[&str] = match tool.sort {
        Sort::Taskr => &["list"],
        Sort::Ninja | Sort::Samurai => &["-t", "targets", "all"],
        Sort::GoTask => &["--list-all", "--silent"],
        Sort::Just => &["--summary"],
        Sort::Doit => &["list", "--all"],
        Sort::Mise => &["tasks", "ls"],
        _ => return None,
    };
    let mut command = tool.call(dir);
    command.args(words);
    Some(command)
}

/// As bash asks when somebody types `taskr t1` and Tab.
fn complete(tool: &Tool, dir: &Path) -> Command {
    let mut command = tool.call(dir);
    command.env("TASKR_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "1");
    command.args(["--", "taskr", "t1"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_called_in_its_own_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = Path::new("true");
        let taskr = Tool { sort: Sort::Taskr, program: program.into(), version: String::new() };
        let make = Tool { sort: Sort::Make, ..taskr.clone() };
        let options = Options::parse(&["--runs".to_owned(), "2".to_owned()]).expect("right");
        let rows = start(&options, &[taskr, make], folder.path());
        let rows = rows.expect("they end well");
        let seen: Vec<_> = rows.iter().map(|row| (row.build, row.tool, row.summary.runs)).collect();
        let expected = [
            ("version", "taskr", 2),
            ("help", "taskr", 2),
            ("version", "make", 2),
            ("list", "taskr", 2),
            ("complete", "taskr", 2),
        ];
        assert_eq!(seen[seen.len() - expected.len()..], expected);
    }
}
