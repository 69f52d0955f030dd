//! Taskfile text to graph: tables of what is made, and of what is refused with which words.

mod edges;
mod foreach;
mod kept;
mod mistakes;
mod names;
mod packages;
mod policy;
mod variables;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::error::{Error, render};
use crate::expr::Value;
use crate::parse::{Role, Taskfile, parse, parse_as};

/// A workspace on the disk and what the command line says.
struct World {
    root: TempDir,
    defines: Vec<(String, String)>,
}

impl World {
    /// With these files, each empty, below their folders.
    fn with(files: &[&str]) -> World {
        World::with_bytes(&files.iter().map(|file| file.as_bytes()).collect::<Vec<_>>())
    }

    fn with_bytes(files: &[&[u8]]) -> World {
        let root = TempDir::new().expect("a folder");
        for file in files {
            let path = root.path().join(OsStr::from_bytes(file));
            fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        World { root, defines: Vec::new() }
    }

    fn define(mut self, name: &str, value: &str) -> World {
        self.defines.push((name.to_owned(), value.to_owned()));
        self
    }

    fn settings(&self) -> Settings {
        let env = BTreeMap::from([("HOME", "/home/ann"), ("PATH", "/bin")].map(owned));
        let surroundings =
            Surroundings { env, env_asked: Arc::default(), jobs: 4, profile: "default".to_owned() };
        Settings {
            root: self.root.path().to_owned(),
            taskfile: None,
            defines: self.defines.clone(),
            surroundings: Arc::new(surroundings),
            args: Args::default(),
            asks: Arc::default(),
        }
    }

    fn try_graph(&self, text: &str) -> Result<Graph, Error> {
        let (own, packages) = text.split_once(">>> ").unwrap_or((text, ""));
        let mut taskfile = parse("Taskfile.toml", own.as_bytes())?;
        for package in packages.split(">>> ").filter(|package| !package.is_empty()) {
            taskfile.packages.push(package_of(package)?);
        }
        let graph = link(expand(&taskfile, &self.settings())?)?;
        kept::compare_with_kept(&graph, &self.settings());
        Ok(graph)
    }

    fn graph(&self, text: &str) -> Graph {
        self.try_graph(text).unwrap_or_else(|error| panic!("{text}\n{}", shown(&error)))
    }

    /// The answer to a Taskfile that is wrong.
    fn refusal(&self, text: &str) -> String {
        match self.try_graph(text) {
            Ok(graph) => format!("no error: {:?}", names(&graph)),
            Err(error) => shown(&error),
        }
    }
}

/// A package by a line `dir`, perhaps with the numbers of the packages that it needs, and its
/// Taskfile. They stand in the order of their folders.
fn package_of(text: &str) -> Result<Taskfile, Error> {
    let (head, body) = text.split_once('\n').expect("a folder");
    let mut words = head.split_whitespace();
    let dir = words.next().expect("a folder");
    let mut file = parse_as(&format!("{dir}/Taskfile.toml"), body.as_bytes(), Role::Package)?;
    file.package.dir = dir.to_owned();
    file.package.name = dir.rsplit('/').next().map(str::to_owned);
    file.package.needs = words.map(|word| word.parse().expect("a number")).collect();
    Ok(file)
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The graph of a Taskfile that lists no files.
fn graph(text: &str) -> Graph {
    World::with(&[]).graph(text)
}

fn shown(error: &Error) -> String {
    render(error, false, 100)
}

fn names(graph: &Graph) -> Vec<&str> {
    graph.tasks().ids().map(|id| graph.name(id)).collect()
}

/// Every task that needs something, in order of declaration: `app <- obj, lib`.
fn edges(graph: &Graph) -> Vec<String> {
    let told = |id: TaskId| {
        let mut needs: Vec<&str> = graph.needs(id).iter().map(|&need| graph.name(need)).collect();
        needs.sort_unstable();
        (!needs.is_empty()).then(|| format!("{} <- {}", graph.name(id), needs.join(", ")))
    };
    graph.tasks().ids().filter_map(told).collect()
}

fn rule<'g>(graph: &'g Graph, name: &str) -> &'g Rule {
    let id = graph.find(name).unwrap_or_else(|| panic!("no {name} in {:?}", names(graph)));
    &graph.task(id).rule
}

/// Inputs as they were understood: `path`, `?path`, `glob g`, `!glob`, `@ref`, `@ref:glob`.
fn inputs(graph: &Graph, name: &str) -> Vec<String> {
    let text = |bytes: &[u8]| crate::outcome::shown(bytes);
    let told = |input: &Placed<Input>| match &input.value {
        Input::Path { path, optional } => format!("{}{}", mark(*optional), text(path)),
        Input::Glob { pattern, optional } => {
            format!("{}glob {}", mark(*optional), text(pattern.text()))
        }
        Input::Not(pattern) => format!("!{}", text(pattern.text())),
        Input::Outputs { of, only: None } => format!("@{}", of.text),
        Input::Outputs { of, only: Some(only) } => format!("@{}:{}", of.text, text(only.text())),
    };
    rule(graph, name).inputs.iter().map(told).collect()
}

fn mark(optional: bool) -> &'static str {
    if optional { "?" } else { "" }
}

/// Outputs as they were understood: `path`, `glob g`.
fn outputs(graph: &Graph, name: &str) -> Vec<String> {
    let told = |output: &Placed<Output>| match &output.value {
        Output::Path(path) => crate::outcome::shown(path),
        Output::Glob(pattern) => format!("glob {}", crate::outcome::shown(pattern.text())),
    };
    rule(graph, name).outputs.iter().map(told).collect()
}

/// The words that the command of an `exec` target starts with, as far as they are known before
/// it is ready.
fn argv(graph: &Graph, name: &str) -> Vec<String> {
    let rule = rule(graph, name);
    let Some(Action::Exec(texts)) = &rule.target.action else { panic!("{name} has no exec") };
    let unknown = |_: &str| Ok(None::<Value>);
    let resolve = |name: &str| rule.scope.value(name, &unknown);
    texts.iter().flat_map(|text| text.template.words(&resolve).expect("known")).collect()
}
