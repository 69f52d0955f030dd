//! `taskr list`: the targets of the Taskfile, and the variables that `-D` may set.
//!
//! The graph is made only to count tasks, and only where there are some to count: where it cannot be
//! made, the list has no numbers.

use std::fmt::Write as _;
use std::io::Write;
use std::mem::ManuallyDrop;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::args::List;
use super::json_out::{place, version};
use super::out::print;
use super::packages::full_in;
use super::steps;
use super::terminal::out_width;
use super::workspace::Workspace;
use super::{End, TOOLS};
use crate::error::Error;
use crate::graph::{Graph, Kind};
use crate::parse::{Pipeline, Target, Taskfile, Var, VarValue, Whose, is_below, read_name};
use crate::report::one_line;

pub(super) fn list(args: &List, workspace: &Workspace) -> Result<End, Error> {
    let graph = ManuallyDrop::new(count(args, workspace)?);
    let text = match args.json {
        true => format!("{:#}\n", as_json(workspace, graph.as_ref())),
        false => as_text(workspace, graph.as_ref(), out_width()),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// The graph; none, and a word about it, if the Taskfile has a mistake.
fn count(args: &List, workspace: &Workspace) -> Result<Option<Graph>, Error> {
    if !workspace.package().default.is_empty() && workspace.default_targets().is_err() {
        let what = "`default` names something that is not there";
        let _ = writeln!(std::io::stderr(), "warning: {what}\nhelp: `taskr check` shows it");
    }
    let load = workspace.loader(&args.common, 1)?;
    if !args.json && !listed(workspace).iter().any(Listed::is_counted) {
        return Ok(None);
    }
    match load() {
        Ok(graph) => Ok(Some(graph)),
        Err(Error::Taskfile(_)) => {
            let what = "tasks are not counted, because the Taskfile has a mistake";
            let _ = writeln!(std::io::stderr(), "warning: {what}\nhelp: `taskr check` shows it");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// One target of some package.
struct Listed<'l> {
    /// Its full name.
    full: String,
    file: &'l Taskfile,
    target: &'l Target,
}

impl Listed<'_> {
    /// How many tasks it has; none for a group.
    fn tasks(&self, graph: &Graph) -> usize {
        let Some(id) = graph.target(&self.full) else { return 0 };
        match (&self.target.command, graph.task(id).kind()) {
            (None, _) => 0,
            (_, Kind::Group) => graph.task(id).deps.len(),
            _ => 1,
        }
    }

    /// Whether the list says how many tasks it has.
    fn is_counted(&self) -> bool {
        let target = self.target;
        let many = target.foreach.is_some() || !target.matrix.is_empty();
        many && target.command.is_some() && !target.private
    }

    /// Whether a bare `taskr` builds it: in the folder of its package, or `here`.
    fn is_default(&self, here: &Taskfile) -> bool {
        let dir = &self.file.package.dir;
        let is_own = |name: &str| full_in(dir, name) == self.full;
        let is_one_of_them = |name: &str| {
            let written = read_name(name).filter(|written| written.bare() == self.target.name);
            matches!(written.map(|one| one.whose), Some(Whose::Below(above)) if is_below(dir, above))
        };
        let mut of_all = here.default.iter().filter(|_| !self.target.private);
        self.file.default.iter().any(|text| is_own(text.template.source()))
            || of_all.any(|text| is_one_of_them(text.template.source()))
    }

    /// What stands behind the name: the doc, and in brackets what else is worth knowing.
    fn about(&self, graph: Option<&Graph>, here: &Taskfile) -> String {
        let target = self.target;
        let mut notes = Vec::new();
        if self.is_default(here) {
            notes.push("default".to_owned());
        }
        if target.service.service {
            notes.push("service".to_owned());
        }
        if target.command.is_none() {
            notes.push("group".to_owned());
        }
        if let Some(graph) = graph.filter(|_| self.is_counted()) {
            let count = self.tasks(graph);
            notes.push(if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") });
        }
        if TOOLS.contains(&target.name.as_str()) && std::ptr::eq(self.file, here) {
            notes.push(format!("hides a tool: `taskr tool {}`", target.name));
        }
        let mut words: Vec<String> = target.doc.iter().map(|doc| one_line(doc)).collect();
        if !notes.is_empty() {
            words.push(format!("({})", notes.join(", ")));
        }
        words.join(" ")
    }

    /// `group`, `recorded` or `unrecorded`; unknown without a graph.
    fn kind(&self, graph: Option<&Graph>) -> Option<&'static str> {
        if self.target.command.is_none() {
            return Some("group");
        }
        let graph = graph?;
        let id = graph.target(&self.full)?;
        let first = *graph.without_groups(&[id]).first()?;
        Some(graph.task(first).kind().word())
    }
}

fn listed(workspace: &Workspace) -> Vec<Listed<'_>> {
    workspace.targets().map(|(full, file, target)| Listed { full, file, target }).collect()
}

fn as_text(workspace: &Workspace, graph: Option<&Graph>, width: Option<usize>) -> String {
    let all = listed(workspace);
    let public = all.iter().filter(|one| !one.target.private);
    let rows: Vec<(String, String)> = public
        .map(|one| (workspace.seen(&one.full), one.about(graph, workspace.package())))
        .collect();
    let mut text = table(&rows, width);
    if rows.is_empty() {
        text.push_str("every target is private: none can be asked for\n");
    }
    text.push_str(&pipelines(workspace, width));
    let variables = variables(workspace, &all);
    if !variables.is_empty() {
        text.push_str("\nvariables (-D NAME=VALUE sets one):\n");
    }
    for (name, owners, var) in variables {
        let of = owners.map_or_else(String::new, |owners| format!("  (of {owners})"));
        let line = format!("  {name} = {}{of}", one_line(&written(var)));
        let _ = writeln!(text, "{}", cut(&line, width));
    }
    let names = workspace.taskfile.names_of_profiles();
    if !names.is_empty() {
        let line = format!("\nprofiles (--profile NAME builds one): {}", names.join(", "));
        let _ = writeln!(text, "{}", cut(&line, width));
    }
    text
}

/// The pipelines below a heading, with their steps; nothing if there are none.
fn pipelines(workspace: &Workspace, width: Option<usize>) -> String {
    let about = |pipeline: &Pipeline| {
        let doc = pipeline.doc.iter().map(|doc| one_line(doc) + ": ").collect::<String>();
        let mut notes = Vec::new();
        if is_default(&workspace.taskfile, &pipeline.name) {
            notes.push("default");
        }
        if TOOLS.contains(&pipeline.name.as_str()) {
            notes.push("hides a tool");
        }
        let notes = match notes.is_empty() {
            true => String::new(),
            false => format!(" ({})", notes.join(", ")),
        };
        format!("{doc}{}{notes}", steps::as_text(&pipeline.steps))
    };
    let rows: Vec<(String, String)> = (workspace.taskfile.pipelines.values())
        .map(|pipeline| (workspace.seen(&pipeline.name), about(pipeline)))
        .collect();
    if rows.is_empty() { String::new() } else { format!("\npipelines:\n{}", table(&rows, width)) }
}

fn is_default(taskfile: &Taskfile, name: &str) -> bool {
    taskfile.default.iter().any(|text| text.template.source() == name)
}

/// Two columns; the second is wrapped at the width of the terminal.
fn table(rows: &[(String, String)], width: Option<usize>) -> String {
    let most = width.map_or(40, |width| (width / 2).max(8));
    let column = rows.iter().map(|(name, _)| name.len()).filter(|&len| len <= most).max();
    let column = column.unwrap_or(0);
    let mut text = String::new();
    for (name, about) in rows {
        let lines = wrapped(about, width.map(|width| width.saturating_sub(column + 2).max(8)));
        let mut lines = lines.into_iter();
        // A name that is too long for its column has a line of its own.
        let first =
            if name.len() <= column { lines.next().unwrap_or_default() } else { String::new() };
        let _ = writeln!(text, "{}", format!("{name:column$}  {first}").trim_end());
        for line in lines {
            let _ = writeln!(text, "{:column$}  {line}", "");
        }
    }
    text
}

/// Lines of at most `width` characters, where no word is longer.
fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn cut(line: &str, width: Option<usize>) -> String {
    width.map_or_else(|| line.to_owned(), |width| crate::report::cut(line, width))
}

/// Each variable once: its name, who has it if the root does not, its default.
fn variables<'l>(
    workspace: &'l Workspace,
    all: &[Listed<'l>],
) -> Vec<(&'l str, Option<String>, &'l Var)> {
    let root = &workspace.taskfile.vars;
    let mut listed: Vec<(&str, Option<String>, &Var)> =
        root.iter().map(|(name, var)| (name.as_str(), None, var)).collect();
    let mut own: IndexMap<&str, Vec<(String, &Var)>> = IndexMap::new();
    for package in &workspace.taskfile.packages {
        for (name, var) in package.vars.iter().filter(|(name, _)| !root.contains_key(*name)) {
            own.entry(name).or_default().push((format!("//{}", package.package.dir), var));
        }
    }
    for one in all {
        let of_files = |name: &str| root.contains_key(name) || one.file.vars.contains_key(name);
        for (name, var) in one.target.vars.iter().filter(|(name, _)| !of_files(name)) {
            own.entry(name).or_default().push((one.full.clone(), var));
        }
    }
    listed.extend(own.into_iter().map(|(name, owners)| {
        let of = match &owners[..] {
            [(one, _)] => one.clone(),
            _ if owners
                .iter()
                .all(|(owner, _)| owner.contains(':') || !owner.starts_with("//")) =>
            {
                format!("{} targets", owners.len())
            }
            _ => format!("{} places", owners.len()),
        };
        (name, Some(of), owners[0].1)
    }));
    listed
}

/// The value as it stands in the file.
fn written(var: &Var) -> String {
    let words: Vec<&str> = var.texts().iter().map(|text| text.place.text()).collect();
    match var.value {
        VarValue::One(_) => words.concat(),
        VarValue::Sh(_) => format!("{{ sh = {} }}", words.concat()),
        VarValue::List(_) => format!("[{}]", words.join(", ")),
    }
}

fn as_json(workspace: &Workspace, graph: Option<&Graph>) -> Value {
    let all = listed(workspace);
    let targets = all.iter().map(|one| {
        json!({
            "name": one.full,
            "package": one.file.package.dir,
            "doc": one.target.doc,
            "default": one.is_default(workspace.package()),
            "private": one.target.private,
            "kind": one.kind(graph),
            "tasks": graph.map(|graph| one.tasks(graph)),
            "place": place(Some(&one.target.place)),
        })
    });
    let value = |var: &Var| match &var.value {
        VarValue::One(text) => json!(text.template.source()),
        VarValue::Sh(text) => json!({ "sh": text.template.source() }),
        VarValue::List(texts) => texts.iter().map(|text| json!(text.template.source())).collect(),
    };
    let variables = variables(workspace, &all).into_iter().map(|(name, owners, var)| {
        json!({
            "name": name,
            "default": value(var),
            "of": owners,
            "place": place(Some(&var.name_place)),
        })
    });
    let pipelines = workspace.taskfile.pipelines.values().map(|pipeline| {
        let mut value = steps::to_json(pipeline);
        value["default"] = json!(is_default(&workspace.taskfile, &pipeline.name));
        value
    });
    let here = workspace.package();
    let default = here.default.iter().map(|text| text.template.source());
    let files: Vec<&Taskfile> = workspace.taskfile.every().collect();
    let packages = workspace.taskfile.packages.iter().map(|one| {
        let deps = one.package.needs.iter().map(|&at| format!("//{}", files[at].package.dir));
        json!({
            "dir": one.package.dir,
            "name": one.package.name,
            "deps": deps.collect::<Vec<_>>(),
            "taskfile": one.source.name,
        })
    });
    json!({
        "version": version(),
        "package": here.package.dir,
        "default": default.collect::<Vec<_>>(),
        "packages": packages.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
        "pipelines": pipelines.collect::<Vec<_>>(),
        "variables": variables.collect::<Vec<_>>(),
        "profiles": workspace.taskfile.names_of_profiles(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_terminals_get_wrapped_docs() {
        let rows = [
            ("app".to_owned(), "Links the program for all who want it (default)".to_owned()),
            ("a-name-that-is-longer-than-half".to_owned(), "Doc".to_owned()),
            ("b".to_owned(), String::new()),
        ];
        let expected = "\
app  Links the program for all who want
     it (default)
a-name-that-is-longer-than-half
     Doc
b
";
        assert_eq!(table(&rows, Some(40)), expected);
        let wide = "\
app                              Links the program for all who want it (default)
a-name-that-is-longer-than-half  Doc
b
";
        assert_eq!(table(&rows, None), wide);
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(cut("  name = \"value\"", Some(10)), "  name = …");
        assert_eq!(cut("  é = 1", Some(7)), "  é = 1");
        assert_eq!(cut("  é = 1", None), "  é = 1");
    }
}
