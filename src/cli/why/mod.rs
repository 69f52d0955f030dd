//! `taskr why T`: why a task would run, down to the first causes, or why it last ran; with
//! `--not` what was compared and is equal. Changes nothing.
//!
//! A dry run judges; its reasons and what earlier runs left written are the only sources, so
//! that no explanation contradicts a decision.

mod chain;
mod changed;
mod compared;
mod facts;
mod json;
mod reads;
mod text;

use serde_json::{Value, json};

use super::End;
use super::args::Why;
use super::build::{given, plain_request};
use super::out::print;
use super::signals::messages_with_signals;
use super::workspace::Workspace;
use super::{goals, json_out, steps};
use crate::error::Error;
use crate::graph::{Asking, Kind};
use crate::ids::TaskId;
use crate::outcome::Event;
use crate::parse::Pipeline;
use crate::report::one_line;
use crate::run::{dry_run, find};
use compared::Compared;
use facts::{Facts, Heard, Said};
use reads::Asked;

/// Members of a group of which is told what was compared.
const MOST_MEMBERS: usize = 5;

pub(super) fn why(args: &Why, workspace: &Workspace) -> Result<End, Error> {
    let (names, files) = targets_and_files(args, workspace);
    let pipelines = workspace.pipelines_of(&names);
    let wanted = match names.is_empty() {
        true => workspace.default_to_look_at()?,
        false => workspace.full_names(&names)?,
    };
    let wanted = workspace.without_pipelines(&wanted);
    workspace.asks()?.set(Asking::Now);
    let jobs = workspace.jobs(None, &args.common)?;
    let given = given(&args.args, &wanted)?;
    let load = workspace.loader_for(&args.common, jobs, given)?;
    let mut request = plain_request(workspace, &load, jobs, "taskr why")?;
    request.store = super::user::store(None)?;
    request.wanted.clone_from(&wanted);
    request.dry_run = true;
    let messages = messages_with_signals(workspace)?;
    let mut heard = Heard::default();
    let mut listen = |event: &Event<'_>| heard.hear(event);
    let judged = dry_run(&request, &messages, &mut listen)?;
    let end = match judged.summary.signal {
        Some(signal) => return Ok(End::Signal(signal)),
        None => End::Code(judged.summary.exit_code()),
    };
    let facts = Facts::new(judged, heard);
    let mut ids: Vec<TaskId> = Vec::new();
    for name in &wanted {
        ids.extend(find(&facts.judged.graph, name)?);
    }
    let changed = changed::Changed::new(&workspace.root, args.verbose && !args.json);
    let telling = Telling { args, facts: &facts, changed, files };
    let out = match args.json {
        true => {
            let tasks: Vec<Value> = ids.iter().map(|&id| telling.json(id)).collect();
            let pipelines: Vec<Value> = pipelines.into_iter().map(steps::to_json).collect();
            let version = json_out::version();
            let all = json!({ "version": version, "pipelines": pipelines, "tasks": tasks });
            format!("{all}\n")
        }
        false => {
            let steps = pipelines.into_iter().map(steps_of);
            steps.chain(ids.iter().map(|&id| telling.text(id))).collect()
        }
    };
    print(out.as_bytes())?;
    Ok(end)
}

/// A pipeline is no task: its steps are.
fn steps_of(pipeline: &Pipeline) -> String {
    let (name, steps) = (one_line(&pipeline.name), one_line(&steps::as_text(&pipeline.steps)));
    format!("{name} runs its steps in this order: {steps}\n")
}

/// With `--not` a word that names no target may name a file of the workspace; behind a target one
/// that is not there any more, too.
fn targets_and_files(args: &Why, workspace: &Workspace) -> (Vec<String>, Vec<Vec<u8>>) {
    let (mut names, mut files) = (Vec::new(), Vec::new());
    for word in &args.targets {
        let file = (args.not && !workspace.has_target(word))
            .then(|| {
                let absent = || goals::absent(word, workspace).filter(|_| !names.is_empty());
                goals::existing(word, workspace).or_else(absent)
            })
            .flatten();
        match file {
            Some(path) => files.push(path),
            None => names.push(word.clone()),
        }
    }
    (names, files)
}

/// What is asked of each task, and what answers stand on.
struct Telling<'a> {
    args: &'a Why,
    facts: &'a Facts,
    changed: changed::Changed,
    /// Files that were named beside the targets.
    files: Vec<Vec<u8>>,
}

impl Telling<'_> {
    fn text(&self, id: TaskId) -> String {
        let (facts, verbose) = (self.facts, self.args.verbose);
        let tasks = self.compared(id);
        let mut text = match tasks.is_empty() {
            true => text::told(facts, &self.changed, &chain::explain(facts, id, verbose)),
            false => text::equal(facts, id, &tasks, verbose),
        };
        for asked in self.asked(id) {
            text.push_str(&text::line_of(&asked.text(facts)));
        }
        text
    }

    fn json(&self, id: TaskId) -> Value {
        let facts = self.facts;
        let mut value = json::task(facts, &self.changed, &chain::explain(facts, id, true));
        if self.args.not {
            let tasks = self.compared(id);
            let told = tasks.iter().map(|(task, compared)| {
                let mut value = json::compared(compared);
                value["task"] = json!(facts.name(*task));
                value
            });
            value["compared"] = told.collect();
            value["files"] = self.asked(id).iter().map(|asked| json::asked(facts, asked)).collect();
        }
        value
    }

    /// What was compared of the task, or of the tasks of a group; none of one that would run.
    fn compared(&self, id: TaskId) -> Vec<(TaskId, Compared)> {
        let facts = self.facts;
        let graph = &facts.judged.graph;
        let tasks = graph.without_groups(&[id]);
        let is_fresh = |&task: &TaskId| *facts.said(task) == Said::Fresh;
        if !self.args.not || !tasks.iter().all(is_fresh) {
            return Vec::new();
        }
        let is_group = graph.task(id).kind() == Kind::Group;
        let all = !is_group || self.args.verbose || self.args.json;
        let most = if all { usize::MAX } else { MOST_MEMBERS };
        let tasks = tasks.into_iter().take(most);
        tasks.filter_map(|task| Some((task, Compared::of(facts, task)?))).collect()
    }

    fn asked(&self, id: TaskId) -> Vec<Asked> {
        self.files.iter().map(|path| Asked::new(self.facts, id, path)).collect()
    }
}
