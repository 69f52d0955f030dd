//! `taskr vars [T]`: the value of each variable and where it is from: `-D`, a target, a template,
//! the defaults, the file.
//!
//! Without a target: those of the file, then what targets have of their own. Runs and changes
//! nothing.

use serde_json::{Value, json};

use super::End;
use super::args::Vars;
use super::json_out::{place, version};
use super::origin::{Row, with_brackets};
use super::out::print;
use super::select::select;
use super::workspace::Workspace;
use crate::error::Error;
use crate::expr;
use crate::graph::{Asking, Graph, Scope, file_scope};
use crate::ids::TaskId;
use crate::parse::{Target, Var, VarValue};

pub(super) fn vars(args: &Vars, workspace: &Workspace) -> Result<End, Error> {
    let names = workspace.full_names(&args.targets)?;
    workspace.asks()?.set(Asking::Now);
    let jobs = workspace.jobs(None, &args.common)?;
    let settings = workspace.settings(&args.common.defines, jobs)?;
    let defined = |name: &str| settings.defines.iter().any(|(defined, _)| defined == name);
    let graph = workspace.loader(&args.common, jobs)?()?;
    let ids = select(&graph, &names)?;
    let shown = Shown { workspace, graph: &graph, defined: &defined };
    let blocks: Vec<Block> = match ids.is_empty() {
        false => ids.into_iter().map(|id| shown.all_of(id)).collect(),
        true => {
            let of_file = |profile: &String| {
                let settings = settings.in_profile(profile);
                Ok(shown.of_file(
                    &file_scope(&workspace.taskfile, workspace.package(), &settings)?,
                    profile,
                ))
            };
            let of_file = graph.profiles().built.iter().map(of_file);
            let mut blocks = of_file.collect::<Result<Vec<_>, Error>>()?;
            blocks.extend(shown.of_targets());
            blocks
        }
    };
    let text = match args.json {
        true => format!("{:#}\n", as_json(&blocks)),
        false => as_text(&blocks),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// Variables of the file, or of one target or task.
struct Block {
    /// The target or task.
    name: Option<String>,
    variables: Vec<Shape>,
}

/// One variable.
struct Shape {
    name: String,
    value: Known,
    row: Row,
}

/// A variable's value.
enum Known {
    One(String),
    List(Vec<String>),
    /// It needs what only a task knows, or is text with a list in it, which only a command takes: as
    /// it is written.
    Written(String),
}

impl Known {
    fn of(scope: &Scope, name: &str) -> Option<Known> {
        let variable = scope.variables().get(name)?;
        let value = scope.value(name, &|_| Ok(None)).ok().flatten();
        Some(match value {
            None => {
                let texts = variable.texts().iter().map(|text| text.template.source());
                Known::Written(texts.collect::<Vec<_>>().join(" "))
            }
            Some(value) => known(&value),
        })
    }

    /// As a shell would read it back.
    fn shown(&self) -> String {
        match self {
            Known::One(text) | Known::Written(text) => text.clone(),
            Known::List(words) => {
                let line = shlex::try_join(words.iter().map(String::as_str));
                line.unwrap_or_else(|_| words.join(" "))
            }
        }
    }
}

fn known(value: &expr::Value) -> Known {
    if let Some(text) = value.as_str() {
        return Known::One(text.to_owned());
    }
    match value.try_iter() {
        Ok(words) => Known::List(words.map(|word| word.to_string()).collect()),
        Err(_) => Known::One(value.to_string()),
    }
}

/// Whose variables are shown.
struct Shown<'a> {
    workspace: &'a Workspace,
    graph: &'a Graph,
    /// Whether `-D` sets it.
    defined: &'a dyn Fn(&str) -> bool,
}

impl Shown<'_> {
    /// Everything that the expressions of one target or task see.
    fn all_of(&self, id: TaskId) -> Block {
        let rule = &self.graph.task(id).rule;
        let source = self.workspace.taskfile.target(&rule.target.name);
        let names = rule.scope.variables().keys();
        let variables = names.filter_map(|name| self.variable(&rule.scope, source, name));
        Block { name: Some(rule.name.clone()), variables: variables.collect() }
    }

    fn of_file(&self, scope: &Scope, profile: &str) -> Block {
        let names = scope.variables().keys();
        let variables = names.filter_map(|name| self.variable(scope, None, name));
        let several = self.graph.profiles().built.len() > 1;
        let name = several.then(|| format!("profile {profile}"));
        Block { name, variables: variables.collect() }
    }

    /// What targets have besides the file's, each with those of them that it has itself.
    fn of_targets(&self) -> Vec<Block> {
        let file = self.workspace.package();
        let with_own = file.targets.values().filter(|target| !target.vars.is_empty());
        let blocks = with_own.filter_map(|target| {
            let full = file.full_name(&target.name);
            let scope = &self.graph.task(self.graph.target(&full)?).rule.scope;
            let names = target.vars.keys();
            let variables = names.filter_map(|name| self.variable(scope, Some(target), name));
            Some(Block { name: Some(target.name.clone()), variables: variables.collect() })
        });
        blocks.collect()
    }

    fn variable(&self, scope: &Scope, source: Option<&Target>, name: &str) -> Option<Shape> {
        let value = Known::of(scope, name)?;
        let row = Row::new(format!("{name} = {}", value.shown()));
        let row = match self.origin(scope, source, name) {
            _ if (self.defined)(name) => row.from("-D"),
            Some((table, var)) => {
                let row = match (&value, &var.value) {
                    (Known::Written(_), VarValue::Sh(_)) => row.from("what this prints"),
                    (Known::Written(_), _) => row.from("as written"),
                    _ => row,
                };
                let at = var.texts().first().map_or(&var.name_place, |text| &text.place);
                row.at(at.clone()).in_table(table)
            }
            None => row,
        };
        Some(Shape { name: name.to_owned(), value, row })
    }

    /// The table that gives a variable its value, and the variable there.
    fn origin<'s>(
        &'s self,
        scope: &Scope,
        source: Option<&'s Target>,
        name: &str,
    ) -> Option<(String, &'s Var)> {
        if let Some((target, var)) = source.and_then(|one| Some((one, one.vars.get(name)?))) {
            let layer = target.layer_of(&var.name_place).map(|layer| layer.header.clone());
            return Some((layer.unwrap_or_else(|| format!("[target.{}]", target.name)), var));
        }
        let root = &self.workspace.taskfile;
        let dir = scope.package().dir.strip_prefix('.').unwrap_or(&scope.package().dir);
        let files = [root.package_in(dir).unwrap_or(root), root];
        let profile = scope.profile_name();
        let mut of_profile = files.iter().filter_map(|file| file.profiles.get(profile));
        if let Some(var) = of_profile.find_map(|its| its.vars.get(name)) {
            return Some((format!("[profile.{profile}.vars]"), var));
        }
        let var = files.iter().find_map(|file| file.vars.get(name))?;
        Some(("[vars]".to_owned(), var))
    }
}

fn as_text(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        let name = block.name.as_ref().map(|name| format!("{}:\n", crate::report::one_line(name)));
        let indent = if name.is_some() { "  " } else { "" };
        text.push_str(&name.unwrap_or_default());
        if block.variables.is_empty() {
            text.push_str(&format!("{indent}no variables\n"));
        }
        let rows: Vec<&Row> = block.variables.iter().map(|shape| &shape.row).collect();
        for line in with_brackets(&rows) {
            text.push_str(&format!("{indent}{line}\n"));
        }
    }
    text
}

fn as_json(blocks: &[Block]) -> Value {
    let variable = |shape: &Shape| {
        json!({
            "name": shape.name,
            "value": match &shape.value {
                Known::One(text) => json!(text),
                Known::List(words) => json!(words),
                Known::Written(_) => Value::Null,
            },
            "written": match &shape.value {
                Known::Written(text) => json!(text),
                _ => Value::Null,
            },
            "from": shape.row.from,
            "table": shape.row.table,
            "place": place(shape.row.place.as_ref()),
        })
    };
    let block = |block: &Block| {
        json!({
            "of": block.name,
            "variables": block.variables.iter().map(variable).collect::<Vec<_>>(),
        })
    };
    json!({ "version": version(), "shown": blocks.iter().map(block).collect::<Vec<_>>() })
}
