//! `taskr show T`: what a target or task came to: each field with its value and where that is
//! from, the files that its inputs mean now, its command, and why it waits for others.
//!
//! Text and JSON are two renderings of the same sections. Runs and changes nothing.

use serde_json::{Map, Value, json};

use super::End;
use super::args::Show;
use super::json_out;
use super::origin::{Row, Section, common, sections_of_task, with_brackets};
use super::out::print;
use super::select::{named_or_default, select};
use super::steps;
use super::workspace::Workspace;
use crate::error::{Diagnostic, Error};
use crate::graph::{Asking, Graph, Kind};
use crate::ids::TaskId;
use crate::outdir::Root;
use crate::parse::{Pipeline, Target};
use crate::report::one_line;
use crate::run::preview;

/// So many tasks of a target, and rows of a section, are shown; JSON has all.
const MOST_SHOWN: usize = 10;

pub(super) fn show(args: &Show, workspace: &Workspace) -> Result<End, Error> {
    let names = named_or_default(workspace, &args.targets)?;
    workspace.asks()?.set(Asking::Now);
    let graph = workspace.loader(&args.common, workspace.jobs(None, &args.common)?)?()?;
    let ids = select(&graph, &names)?;
    let broken = workspace.asks()?.broken().into_iter();
    let is_shown = |(target, _): &(String, _)| {
        ids.iter().any(|&id| graph.task(id).rule.target.name == *target)
    };
    let wrong: Vec<Diagnostic> = broken.filter(is_shown).map(|(_, wrong)| wrong).collect();
    if !wrong.is_empty() {
        return Err(Error::Taskfile(wrong));
    }
    let most = if args.json { ids.len() } else { MOST_SHOWN };
    let shown = ids.iter().take(most).map(|&id| shown(workspace, &graph, id));
    let shown = shown.collect::<Result<Vec<_>, _>>()?;
    let pipelines = workspace.pipelines_of(&args.targets);
    let text = match args.json {
        true => format!("{:#}\n", as_json(&pipelines, &shown)),
        false => {
            let mut blocks: Vec<String> = pipelines.iter().map(|one| pipeline(one)).collect();
            blocks.extend(shown.iter().map(as_text));
            if ids.len() > most {
                blocks.push(format!("… and {} more tasks\n", ids.len() - most));
            }
            blocks.join("\n")
        }
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// One target or task.
struct Shown {
    name: String,
    /// `group`, `recorded`, `unrecorded`, or `target` for one that has several tasks.
    kind: &'static str,
    declared: Row,
    sections: Vec<Section>,
}

fn shown(workspace: &Workspace, graph: &Graph, id: TaskId) -> Result<Shown, Error> {
    let rule = &graph.task(id).rule;
    let name = rule.name.clone();
    let Some(source) = workspace.taskfile.target(&rule.target.name) else {
        return Err(Error::Usage { message: format!("there is no target `{name}`"), help: None });
    };
    let declared = Row::new(&rule.target.name).at(rule.target.place.clone());
    if graph.task(id).kind() == Kind::Group {
        let mut sections = common(source, graph, id);
        let many = source.command.is_some();
        sections.extend(members(graph, id, source));
        let sections = with_tables(sections, source);
        let kind = if many { "target" } else { "group" };
        return Ok(Shown { name, kind, declared, sections });
    }
    let io = |cause| Error::Io {
        doing: "cannot list the inputs in".to_owned(),
        path: workspace.root.clone(),
        cause,
    };
    let root = Root::open(&workspace.root).map_err(io)?;
    let preview = preview(graph, &root, &workspace.name, id).map_err(io)?;
    let sections = with_tables(sections_of_task(source, graph, id, &preview), source);
    let kind = graph.task(id).kind().word();
    Ok(Shown { name, kind, declared, sections })
}

fn with_tables(sections: Vec<Section>, source: &Target) -> Vec<Section> {
    sections.into_iter().map(|section| section.with_tables(source)).collect()
}

/// What a group stands for, or the tasks of a target.
fn members(graph: &Graph, id: TaskId, source: &Target) -> Option<Section> {
    let members = &graph.task(id).deps;
    let title = if source.command.is_some() { "tasks" } else { "members" };
    if members.is_empty() && source.command.is_none() {
        return None;
    }
    let rows = match members.is_empty() {
        true => vec![Row::new("none: `foreach` found nothing")],
        false => members.iter().map(|&id| Row::new(graph.name(id))).collect(),
    };
    Some(Section { title: title.to_owned(), rows })
}

fn as_text(shown: &Shown) -> String {
    let what = match shown.kind {
        "recorded" => "runs when what it reads, makes or executes changed",
        "unrecorded" => "runs whenever it is asked for",
        "service" => "stays up while others need it, or until Ctrl-C",
        "group" => "stands for others",
        _ => "a target of several tasks",
    };
    let at = shown.declared.origin();
    let mut text = format!("{}: {what}{}\n", one_line(&shown.name), in_brackets(&at));
    for section in &shown.sections {
        text.push_str(&format!("  {}\n", section.title));
        let rows: Vec<&Row> = section.rows.iter().take(MOST_SHOWN).collect();
        for line in with_brackets(&rows) {
            text.push_str(&format!("    {line}\n"));
        }
        if section.rows.len() > MOST_SHOWN {
            text.push_str(&format!("    … and {} more\n", section.rows.len() - MOST_SHOWN));
        }
    }
    text
}

/// A pipeline, whose steps follow.
fn pipeline(written: &Pipeline) -> String {
    let name = one_line(&written.name);
    let mut text = format!("{name}: a pipeline of what follows  ({})\n", written.place);
    for (field, value) in steps::fields(written) {
        text.push_str(&format!("  {field}\n    {}\n", one_line(&value)));
    }
    text
}

fn in_brackets(origin: &str) -> String {
    if origin.is_empty() { String::new() } else { format!("  ({})", one_line(origin)) }
}

fn as_json(pipelines: &[&Pipeline], shown: &[Shown]) -> Value {
    let row = |row: &Row| {
        json!({
            "value": row.value,
            "from": row.from,
            "table": row.table,
            "place": json_out::place(row.place.as_ref()),
        })
    };
    let one = |one: &Shown| {
        let fields = one.sections.iter().map(|section| {
            (section.title.clone(), section.rows.iter().map(row).collect::<Value>())
        });
        json!({
            "name": one.name,
            "target": one.declared.value,
            "kind": one.kind,
            "place": json_out::place(one.declared.place.as_ref()),
            "fields": fields.collect::<Map<String, Value>>(),
        })
    };
    json!({
        "version": json_out::version(),
        "pipelines": pipelines.iter().map(|pipeline| steps::to_json(pipeline)).collect::<Vec<_>>(),
        "shown": shown.iter().map(one).collect::<Vec<_>>(),
    })
}
