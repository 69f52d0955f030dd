//! `taskr graph [T]...`: which target waits for which, as text or as a picture. Changes nothing.
//!
//! A target is one node however many tasks it has; with `--tasks` each task is one. An arrow leads
//! from what is built first to what waits for it.

mod draw;
mod layers;
mod svg;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};

use super::End;
use super::amounts::count;
use super::args::{Graph as Args, GraphFormat};
use super::json_out::version;
use super::out::print;
use super::select::select;
use super::steps;
use super::workspace::Workspace;
use crate::error::Error;
use crate::graph::{Graph, Kind};
use crate::ids::TaskId;
use crate::parse::Pipeline;
use crate::report::one_line;

/// More nodes make no picture that anybody could read.
const MOST_DRAWN: usize = 3_000;

/// What is drawn.
#[derive(Debug, Default)]
struct Picture {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// What was named, or what nothing waits for.
    last: Vec<usize>,
}

#[derive(Debug)]
struct Node {
    /// Printable.
    name: String,
    doc: Option<String>,
    private: bool,
    /// A group stands for what it waits for.
    kind: Kind,
    tasks: usize,
}

impl Node {
    /// `obj` and `3 tasks`.
    fn label(&self) -> (&str, Option<String>) {
        let several = self.kind != Kind::Group && self.tasks != 1;
        (&self.name, several.then(|| count(self.tasks, "task", "tasks")))
    }
}

/// `to` waits for `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    /// For the order only (`after`).
    order_only: bool,
}

pub(super) fn graph(args: &Args, workspace: &Workspace) -> Result<End, Error> {
    let named = workspace.full_names(&args.targets)?;
    let graph = workspace.loader(&args.common, workspace.jobs(None, &args.common)?)?()?;
    let pipelines = workspace.pipelines_of(&args.targets);
    let order = steps::order(&graph, &pipelines)?;
    let picture = Picture::of(&graph, &select(&graph, &named)?, &order, args.tasks);
    let all = args.targets.is_empty().then(|| workspace.taskfile.pipelines.values());
    let pipelines: Vec<&Pipeline> = all.into_iter().flatten().chain(pipelines).collect();
    let format = if args.json { GraphFormat::Json } else { args.format };
    let text = match format {
        GraphFormat::Text => draw::text(&picture) + &in_lines(&pipelines),
        GraphFormat::Dot => draw::dot(&picture),
        GraphFormat::Mermaid => draw::mermaid(&picture),
        GraphFormat::Json => format!("{:#}\n", as_json(&picture, &pipelines)),
        GraphFormat::Svg if picture.nodes.len() > MOST_DRAWN => {
            return Err(too_many(picture.nodes.len(), args.tasks));
        }
        GraphFormat::Svg => svg::svg(&picture),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// Pipelines with their order, which is no edge of the graph.
fn in_lines(pipelines: &[&Pipeline]) -> String {
    let line = |pipeline: &&Pipeline| {
        format!("{}: {}\n", one_line(&pipeline.name), one_line(&steps::as_text(&pipeline.steps)))
    };
    let lines: String = pipelines.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\npipelines:\n{lines}") }
}

fn too_many(nodes: usize, tasks: bool) -> Error {
    let help = if tasks { "leave out `--tasks`, or name a target" } else { "name a target" };
    Error::Usage {
        message: format!("{} are too many for a picture", count(nodes, "node", "nodes")),
        help: Some(help.to_owned()),
    }
}

impl Picture {
    /// Of these and all that they need; of everything if none is named. `order`: which comes later
    /// than which without needing it.
    fn of(graph: &Graph, named: &[TaskId], order: &[(TaskId, TaskId)], each_task: bool) -> Picture {
        let mut picture = Picture::default();
        let mut at: FxHashMap<&str, usize> = FxHashMap::default();
        let wanted = needed(graph, named);
        let name = |id: TaskId| match each_task {
            true => graph.name(id),
            false => graph.task(id).rule.target.name.as_str(),
        };
        for &id in &wanted {
            let target = &graph.task(id).rule.target;
            let node = *at.entry(name(id)).or_insert_with(|| {
                let kind = graph.task(id).kind();
                let (name, doc) = (one_line(name(id)), target.doc.clone());
                picture.nodes.push(Node { name, doc, private: target.private, kind, tasks: 0 });
                picture.nodes.len() - 1
            });
            let node = &mut picture.nodes[node];
            if graph.task(id).kind() != Kind::Group {
                node.kind = graph.task(id).kind();
                node.tasks += 1;
            }
        }
        picture.edges = edges(graph, &wanted, |id| at[name(id)]);
        for &(first, then) in order {
            let (from, to) = (at[name(first)], at[name(then)]);
            if from != to && picture.edges.iter().all(|edge| (edge.from, edge.to) != (from, to)) {
                picture.edges.push(Edge { from, to, order_only: true });
            }
        }
        let mut named: FxHashSet<usize> = named.iter().map(|&id| at[name(id)]).collect();
        // The last steps of a pipeline have the others below them.
        for (first, _) in order {
            named.remove(&at[name(*first)]);
        }
        let waited_for: FxHashSet<usize> = picture.edges.iter().map(|edge| edge.from).collect();
        let all = 0..picture.nodes.len();
        picture.last = all
            .filter(|node| {
                if named.is_empty() { !waited_for.contains(node) } else { named.contains(node) }
            })
            .collect();
        picture
    }

    /// For each node what it waits for.
    fn needs(&self) -> Vec<Vec<Edge>> {
        let mut needs = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            needs[edge.to].push(*edge);
        }
        needs
    }
}

/// These tasks and all that they need, in order of declaration.
fn needed(graph: &Graph, named: &[TaskId]) -> Vec<TaskId> {
    let all = graph.tasks().ids();
    if named.is_empty() {
        return all.collect();
    }
    let found = graph.with_needed(named);
    all.filter(|id| found.contains(id)).collect()
}

/// Each edge between two nodes once; for the order only if nothing more ties them.
fn edges(graph: &Graph, tasks: &[TaskId], node: impl Fn(TaskId) -> usize) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let mut known: FxHashMap<(usize, usize), usize> = FxHashMap::default();
    for &id in tasks {
        let task = graph.task(id);
        let counts = |need: &TaskId| {
            task.deps.contains(need) || task.sources.iter().any(|source| source.contains(need))
        };
        for need in graph.needs(id) {
            let (from, to) = (node(*need), node(id));
            if from == to {
                continue;
            }
            let order_only = task.after.contains(need) && !counts(need);
            let edge = known.entry((from, to)).or_insert_with(|| {
                edges.push(Edge { from, to, order_only });
                edges.len() - 1
            });
            edges[*edge].order_only &= order_only;
        }
    }
    edges
}

fn as_json(picture: &Picture, pipelines: &[&Pipeline]) -> Value {
    let nodes = picture.nodes.iter().map(|node| {
        json!({
            "name": node.name,
            "doc": node.doc,
            "private": node.private,
            "kind": node.kind.word(),
            "tasks": node.tasks,
        })
    });
    let name = |at: usize| picture.nodes[at].name.as_str();
    let edges = picture.edges.iter().map(|edge| {
        json!({ "from": name(edge.from), "to": name(edge.to), "order_only": edge.order_only })
    });
    json!({
        "version": version(),
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "pipelines": pipelines.iter().map(|pipeline| steps::to_json(pipeline)).collect::<Vec<_>>(),
    })
}
