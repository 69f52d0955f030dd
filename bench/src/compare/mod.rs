//! `taskr-bench compare`: the same projects built by taskr, ninja and make, side by side.
//!
//! Figures of one run are compared with each other only. Tools take turns, so that what disturbs
//! the machine disturbs all; nothing is told of a project whose outputs differ between tools.

mod options;
mod table;
mod tool;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use options::Options;
use tool::Tool;

use crate::facts::facts;
use crate::measure::{Sample, Summary, run};
use crate::project::{Kind, Project};

/// Longer than a file system's clock stands still: make and ninja do not see an edit that is as
/// old as what they built.
const TICK: Duration = Duration::from_millis(50);

/// A tool and the folder that is its own.
struct Entrant {
    tool: Tool,
    dir: PathBuf,
}

/// What is measured, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// From nothing.
    Cold,
    /// With nothing to do.
    NoOp,
    /// After a line was added to one source.
    Edit,
}

impl What {
    /// For people and for JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Cold => "cold",
            What::NoOp => "no-op",
            What::Edit => "one edit",
        }
    }
}

/// One line of the result.
pub(crate) struct Row {
    pub(crate) shape: &'static str,
    pub(crate) size: usize,
    pub(crate) what: What,
    pub(crate) tool: &'static str,
    pub(crate) summary: Summary,
}

/// Compares, prints, writes.
///
/// # Errors
/// A wrong word, a build that fails, outputs that differ.
pub(crate) fn compare(args: &[String]) -> Result<(), String> {
    let options = Options::parse(args)?;
    let mut tools = Vec::new();
    for &sort in &options.tools {
        match Tool::find(sort, &options.program(sort)?) {
            Ok(tool) => tools.push(tool),
            Err(absent) => println!("{absent}"),
        }
    }
    if tools.is_empty() {
        return Err("there is no tool to compare".to_owned());
    }
    let base = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let failed = |error: std::io::Error| format!("{}: {error}", base.display());
    fs::create_dir_all(&base).map_err(failed)?;
    let base = base.canonicalize().map_err(failed)?;
    let facts = facts(&base);
    for (name, fact) in &facts {
        println!("{name}: {fact}");
    }
    for tool in &tools {
        println!("{}: {}", tool.sort.name(), tool.version);
    }
    println!("jobs: {}\n\n{}", options.jobs, table::HEAD);
    let mut rows = Vec::new();
    for &size in &options.sizes {
        for &(shape, kind) in &options.shapes {
            let some = compare_one(&options, &tools, &base, (shape, kind, size))?;
            print!("{}", table::text(&some));
            rows.extend(some);
        }
    }
    let Some(path) = &options.json else { return Ok(()) };
    let text = format!("{:#}\n", table::json(&facts, &tools, options.jobs, &rows));
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Compares the tools on one project.
fn compare_one(
    options: &Options,
    tools: &[Tool],
    base: &Path,
    (shape, kind, size): (&'static str, Kind, usize),
) -> Result<Vec<Row>, String> {
    let project = Project::generate(kind, size);
    let mut cold = vec![Vec::new(); tools.len()];
    let mut kept = Vec::new();
    for _ in 0..options.cold {
        let folder = tempfile::Builder::new().prefix("taskr-bench-").tempdir_in(base);
        let folder = folder.map_err(|error| format!("{}: {error}", base.display()))?;
        let entrants = entrants(&project, tools, folder.path())?;
        take_turns(&entrants, options.jobs, &mut cold)?;
        same_outputs(&project, &entrants)?;
        kept = vec![(folder, entrants)];
    }
    let Some((_, entrants)) = kept.first() else { return Ok(Vec::new()) };
    let mut warm_up = vec![Vec::new(); tools.len()];
    take_turns(entrants, options.jobs, &mut warm_up)?;
    let mut no_op = vec![Vec::new(); tools.len()];
    for _ in 0..options.runs {
        take_turns(entrants, options.jobs, &mut no_op)?;
    }
    let mut edit = vec![Vec::new(); tools.len()];
    for number in 0..options.edits {
        std::thread::sleep(TICK);
        for entrant in entrants {
            add_a_line(&entrant.dir.join(edited(&project)), number)?;
        }
        take_turns(entrants, options.jobs, &mut edit)?;
        same_outputs(&project, entrants)?;
    }
    let all = [(What::Cold, cold), (What::NoOp, no_op), (What::Edit, edit)];
    let rows = all.into_iter().flat_map(|(what, samples)| {
        tools.iter().zip(samples).filter_map(move |(tool, samples)| {
            let summary = Summary::of(&samples)?;
            Some(Row { shape, size, what, tool: tool.sort.name(), summary })
        })
    });
    Ok(rows.collect())
}

fn entrants(project: &Project, tools: &[Tool], folder: &Path) -> Result<Vec<Entrant>, String> {
    let entrant = |tool: &Tool| {
        let dir = folder.join(tool.sort.name());
        crate::write(project, &dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Entrant { tool: tool.clone(), dir })
    };
    tools.iter().map(entrant).collect()
}

/// One build by each.
fn take_turns(
    entrants: &[Entrant],
    jobs: usize,
    samples: &mut [Vec<Sample>],
) -> Result<(), String> {
    for (entrant, samples) in entrants.iter().zip(samples) {
        samples.push(run(&mut entrant.tool.build(&entrant.dir, jobs))?);
    }
    Ok(())
}

/// Every output is there and the same for all tools, byte for byte.
fn same_outputs(project: &Project, entrants: &[Entrant]) -> Result<(), String> {
    let Some((first, others)) = entrants.split_first() else { return Ok(()) };
    let read = |entrant: &Entrant, output: &str| {
        let bytes = fs::read(entrant.dir.join(output));
        bytes.map_err(|error| format!("{} left no {output}: {error}", entrant.tool.sort.name()))
    };
    for task in &project.tasks {
        let expected = read(first, &task.output)?;
        for other in others {
            if read(other, &task.output)? != expected {
                let (one, two) = (first.tool.sort.name(), other.tool.sort.name());
                return Err(format!("{one} and {two} differ in {}", task.output));
            }
        }
    }
    Ok(())
}

/// The source that gets a line: the first that only few tasks read, if there is one.
fn edited(project: &Project) -> &str {
    let few = |path: &&String| path.ends_with(".c") || path.ends_with(".txt");
    let mut paths = project.sources.iter().map(|(path, _)| path);
    paths.find(few).map_or("", |path| path)
}

fn add_a_line(path: &Path, number: usize) -> Result<(), String> {
    let line = match path.extension().is_some_and(|extension| extension == "c") {
        true => format!("int edit{number}(void) {{ return {number}; }}\n"),
        false => format!("edit {number}\n"),
    };
    let added = OpenOptions::new().append(true).open(path);
    let added = added.and_then(|mut file| file.write_all(line.as_bytes()));
    added.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::tool::Sort;
    use super::*;

    const FEW: &str = "--sizes 3 --cold 1 --runs 2 --edits 1 --jobs 1";

    /// A tool that makes the outputs of a chain of three in its own way.
    fn fake(dir: &Path, sort: Sort, text: &str) -> Tool {
        let program = dir.join(sort.name());
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo 1.0 && exit\nmkdir -p out\n\
             for n in 0 1 2; do {text} > out/00000$n.txt; done\n"
        );
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        Tool::find(sort, &program).expect("it says its version")
    }

    fn compared(ninja: &str) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let args: Vec<String> = FEW.split(' ').map(str::to_owned).collect();
        let tools = [
            fake(folder.path(), Sort::Make, "cat src/000000.txt"),
            fake(folder.path(), Sort::Ninja, ninja),
        ];
        let options = Options::parse(&args).expect("right");
        compare_one(&options, &tools, folder.path(), ("chain", Kind::Chain, 3))
    }

    #[test]
    fn equal_outputs_are_measured() {
        let rows = compared("cat src/000000.txt").expect("the same");
        let seen: Vec<_> =
            rows.iter().map(|row| (row.what.name(), row.tool, row.summary.runs)).collect();
        let expected = [
            ("cold", "make", 1),
            ("cold", "ninja", 1),
            ("no-op", "make", 2),
            ("no-op", "ninja", 2),
            ("one edit", "make", 1),
            ("one edit", "ninja", 1),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_wrong_output_makes_it_fail() {
        for (wrong, told) in [
            ("echo wrong", "make and ninja differ in out/000000.txt"),
            ("[ $n = 2 ] && exit; cat src/000000.txt", "ninja left no out/000002.txt"),
            ("exit 1", "exit status: 1"),
            // Right from nothing, wrong after an edit.
            ("head -n1 src/000000.txt", "make and ninja differ in out/000000.txt"),
        ] {
            let message = compared(wrong).map(|_| ()).expect_err(wrong);
            assert!(message.contains(told), "{wrong}: {message}");
        }
    }

    #[test]
    fn few_tasks_read_what_is_edited() {
        for (kind, path) in [
            (Kind::Wide, "src/000000.txt"),
            (Kind::Diamond, "src/000000.txt"),
            (Kind::CLike, "src/f000000.c"),
        ] {
            assert_eq!(edited(&Project::generate(kind, 20)), path);
        }
    }
}
