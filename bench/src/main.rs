//! `taskr-bench`: projects to measure build tools with, and what tools make of them.

mod compare;
mod facts;
mod goals;
mod lay;
mod load;
mod measure;
mod monorepo;
mod project;
mod render;
mod restore;
mod words;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use project::{KINDS, Kind, Project};

const USAGE: &str = "taskr-bench generate KIND SIZE DIR, or taskr-bench VERB [OPTIONS], where VERB \
     is compare, restore, monorepo, load or goals";

/// What `--help` says, behind whatever verb.
fn help() -> String {
    format!(
        "taskr-bench measures taskr beside its peers, on projects that it makes.

  taskr-bench generate KIND SIZE DIR  a project, the same for each tool
  taskr-bench compare [OPTIONS]       builds from nothing, with nothing to do, after edits
  taskr-bench restore [OPTIONS]       large outputs that come back, beside a copy by hand
  taskr-bench monorepo [OPTIONS]      many packages: a fresh clone, outputs deleted, new times
  taskr-bench load [OPTIONS]          reading Taskfiles of growing size, with --sizes 1000,10000
  taskr-bench goals FILE...           what was measured, held against what was aimed at

{}

restore, monorepo and load take
    {}

What each of them means, and the last figures: bench/README.md
",
        in_lines(compare::USAGE),
        in_lines(words::USAGE),
    )
}

/// Options in lines that fit a terminal.
fn in_lines(options: &str) -> String {
    let mut text = String::new();
    let mut column = 4;
    for option in options.split_inclusive("] ") {
        if column + option.len() > 80 {
            text.push_str("\n    ");
            column = 4;
        }
        text.push_str(option);
        column += option.len();
    }
    text
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn start(args: &[String]) -> Result<(), String> {
    if let Some((verb, rest)) = args.split_first() {
        match verb.as_str() {
            "compare" => return compare::compare(rest),
            "limit" => return compare::limit(rest),
            "goals" => return goals::goals(rest),
            "restore" => return restore::restore(rest),
            "by-hand" => return restore::by_hand(rest),
            "monorepo" => return monorepo::monorepo(rest),
            "load" => return load::load(rest),
            _ => {}
        }
    }
    let [verb, kind, size, dir] = args else { return Err(USAGE.to_owned()) };
    if verb != "generate" {
        return Err(USAGE.to_owned());
    }
    let known = || KINDS.map(|(name, _)| name).join(", ");
    let kind = Kind::named(kind).ok_or_else(|| format!("KIND is one of {}", known()))?;
    let size = size.parse().ok().filter(|size| (3..=1_000_000).contains(size));
    let size = size.ok_or("SIZE is a number of tasks from 3 to 1000000")?;
    let project = Project::generate(kind, size)?;
    write(&project, Path::new(dir)).map_err(|error| format!("{dir}: {error}"))
}

/// Writes the sources and a file for each tool.
///
/// # Errors
/// See [`lay::lay`].
fn write(project: &Project, dir: &Path) -> io::Result<()> {
    lay::lay(project, dir, None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::sync::Arc;

    use taskr::graph::{Args, Graph, Kind as Sort, Settings, Surroundings, expand, link};

    use super::*;

    const SIZE: usize = 20;

    /// The graph that taskr makes of a generated project.
    fn graph(dir: &Path) -> Graph {
        let bytes = fs::read(dir.join("Taskfile.toml")).expect("a Taskfile");
        let taskfile = taskr::parse::parse("Taskfile.toml", &bytes).expect("a right Taskfile");
        let env = BTreeMap::new();
        let surroundings = Arc::new(Surroundings {
            env,
            env_asked: Arc::default(),
            jobs: 2,
            profile: "default".to_owned(),
        });
        let settings = Settings {
            root: dir.to_owned(),
            taskfile: None,
            defines: Vec::new(),
            surroundings,
            args: Args::default(),
            asks: Arc::default(),
        };
        link(expand(&taskfile, &settings).expect("rules")).expect("a graph")
    }

    #[test]
    fn every_tool_gets_as_many_tasks() {
        for (name, kind) in KINDS.into_iter().filter(|(_, kind)| *kind != Kind::Big) {
            let folder = tempfile::tempdir().expect("a folder");
            let dir = folder.path().join(name);
            let project = Project::generate(kind, SIZE).expect(name);
            let size = project.tasks.len();
            assert!(size == SIZE || kind == Kind::RealC, "{name}: {size}");
            write(&project, &dir).expect(name);
            let graph = graph(&dir);
            let tasks = graph.tasks().iter().filter(|task| task.kind() == Sort::Recorded);
            assert_eq!(tasks.count(), size, "{name}: Taskfile.toml");
            let count = |file: &str, begins: &str| {
                let text = fs::read_to_string(dir.join(file)).expect(file);
                text.lines().filter(|line| line.starts_with(begins)).count()
            };
            assert_eq!(count("build.ninja", "build "), size, "{name}: build.ninja");
            assert_eq!(count("Makefile", "\t"), size, "{name}: Makefile");
            assert_eq!(count("Taskfile.yml", "    generates: "), size, "{name}: Taskfile.yml");
            assert_eq!(count("dodo.py", "    (["), size, "{name}: dodo.py");
            assert_eq!(count("Tupfile", ": "), size, "{name}: Tupfile");
            assert_eq!(count("mise.toml", "[tasks.t"), size, "{name}: mise.toml");
            assert_eq!(count("justfile", "t"), size, "{name}: justfile");
        }
    }

    #[test]
    fn the_same_is_generated_again() {
        for (name, kind) in KINDS {
            let [one, two] = [(); 2].map(|()| Project::generate(kind, SIZE).expect(name));
            assert_eq!(render::files(&one), render::files(&two), "{name}");
            assert_eq!(one.sources, two.sources, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let start = |words: &str| {
            let args: Vec<String> = words.split(' ').map(str::to_owned).collect();
            start(&args).expect_err(words)
        };
        assert_eq!(start("generate"), USAGE);
        assert_eq!(start("make chain 10 x"), USAGE);
        assert!(start("generate ring 10 x").contains("c-like"));
        assert!(start("generate chain ten x").contains("number"));
        assert!(start("generate chain 2 x").contains("from 3"));
        let full = env!("CARGO_MANIFEST_DIR");
        assert!(start(&format!("generate chain 10 {full}")).contains("not empty"));
    }
}
