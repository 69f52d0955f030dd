//! Reading the file's own keys: `default`, `[vars]`, `[pool]`, `[hooks]`, profiles, what targets
//! take over, and the targets.

use std::sync::Arc;

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::fields::{Kind, TOP_LEVEL, find};
use super::names::{LONGEST_NAME_BYTES, as_target, is_target};
use super::read::{Asker, Key, Reader, Value};
use super::requires::refused;
use super::target::Owner;
use super::{Include, Package, Pipeline, Reuse, Role, RunLimits, Target, Taskfile, Word};
use crate::error::{Diagnostic, Error, Source, quoted};

/// Shown to who has no target yet.
const EXAMPLE: &str = "a first Taskfile.toml:
default = [\"build\"]

[target.build]
inputs  = [\"main.c\"]
outputs = [\"main\"]
run     = \"cc -o {{ outputs }} {{ inputs }}\"";

/// The Taskfile that a document says.
pub(super) fn taskfile(
    source: &Arc<Source>,
    table: &DeTable<'_>,
    role: Role,
) -> Result<Taskfile, Error> {
    if let Some(refused) = refused(source, table) {
        return Err(refused.into());
    }
    let mut reader = Reader { source: Arc::clone(source), problems: Vec::new() };
    let mut file = Taskfile {
        source: Arc::clone(source),
        default: Vec::new(),
        vars: IndexMap::new(),
        jobs: None,
        output: None,
        gitignore: true,
        inherit: None,
        limits: RunLimits::default(),
        pools: IndexMap::new(),
        gates: IndexMap::new(),
        pipelines: IndexMap::new(),
        hooks: IndexMap::new(),
        profiles: IndexMap::new(),
        reuse: Reuse::default(),
        targets: IndexMap::new(),
        include: Vec::new(),
        package: Package::default(),
        packages: Vec::new(),
    };
    let mut targets = Vec::new();
    for (key, value) in table {
        if reader.has_enough() {
            break;
        }
        if !reader.is_of_the_workspace(key, role) {
            reader.top_level((&mut file, &mut targets), key, value);
        }
    }
    // A package's are merged when it is known what else it takes over.
    file.targets = match role {
        Role::Workspace => reader.merged(targets, &file.reuse, &[]),
        _ => targets.into_iter().map(|target| (target.name.clone(), target)).collect(),
    };
    reader.check_pipelines(&file);
    let mut problems = reader.problems;
    let needs_targets = role == Role::Workspace && file.include.is_empty();
    if problems.is_empty() && file.targets.is_empty() && needs_targets {
        problems.push(Diagnostic::error(format!("{} has no targets", source.name)).help(EXAMPLE));
    }
    if problems.is_empty() {
        return Ok(file);
    }
    problems.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
    Err(Error::Taskfile(problems))
}

/// The entries of `include` that can be read.
pub(super) fn includes(source: &Arc<Source>, table: &DeTable<'_>) -> Vec<Include> {
    let mut reader = Reader { source: Arc::clone(source), problems: Vec::new() };
    table.get("include").map(|value| reader.includes(value)).unwrap_or_default()
}

impl Reader {
    /// One key of the file; its targets as they stand there, each alone.
    fn top_level(
        &mut self,
        (file, targets): (&mut Taskfile, &mut Vec<Target>),
        key: &Key<'_>,
        value: &Value<'_>,
    ) {
        let Some(field) = find(TOP_LEVEL, key.get_ref()) else {
            return self.unknown_in_file(key, value);
        };
        if field.kind == Kind::Paths {
            file.default = self.list(value, field.into()).unwrap_or_default();
            return;
        }
        if field.kind == Kind::Folders {
            file.include = self.includes(value);
            return;
        }
        let Some(table) = self.table(value, field.into()) else { return };
        match field.name {
            "vars" => file.vars = self.file_vars(table),
            "taskr" => self.settings(file, table),
            "pool" => file.pools = self.pools(table),
            "hooks" => file.hooks = self.hooks(table),
            "package" => file.package = self.package(table),
            "pipeline" => self.pipelines(file, table),
            "profile" => file.profiles = self.profiles(table),
            "defaults" => file.reuse.defaults.push(self.defaults(key, table)),
            "template" => file.reuse.templates = self.templates(table),
            _ => self.targets(targets, table),
        }
    }

    /// The variables, without the keys of the file that landed among them.
    fn file_vars(&mut self, table: &DeTable<'_>) -> IndexMap<String, super::Var> {
        for (key, value) in table {
            self.below_table(key, value, "[vars]");
        }
        self.vars(table)
    }

    fn pipelines(&mut self, file: &mut Taskfile, table: &DeTable<'_>) {
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            let named = self.entity_name(key, "pipeline");
            let name: &str = key.get_ref();
            let example = format!("[pipeline.{name}] and `steps` below");
            let asker = Asker { name, asks: "a table", example: &example, filled: true };
            let Some(table) = self.table(value, asker) else { continue };
            if let (true, Some(pipeline)) = (named, self.pipeline(key, table)) {
                file.pipelines.insert(pipeline.name.clone(), pipeline);
            }
        }
    }

    /// Targets and pipelines are asked for by name in the same way.
    fn check_pipelines(&mut self, file: &Taskfile) {
        for pipeline in file.pipelines.values() {
            self.no_pipeline_in(file, pipeline);
            let Some(target) = file.targets.get(&pipeline.name) else { continue };
            let name = quoted(&pipeline.name);
            let message = format!("{name} is the name of a target and of a pipeline");
            let problem = Diagnostic::error(message).at(pipeline.place.clone(), "the pipeline");
            let problem = problem.also(target.place.clone(), "the target");
            self.refuse(problem.help("both are asked for by name: give one of them another"));
        }
    }

    /// What a failure means in an inner pipeline would have to be said for the outer one.
    fn no_pipeline_in(&mut self, file: &Taskfile, pipeline: &Pipeline) {
        let inner = |word: &&Word| {
            file.pipelines.contains_key(&word.text) && !file.targets.contains_key(&word.text)
        };
        for word in pipeline.names().filter(inner) {
            let message =
                format!("{} is a pipeline, and a step names a target", quoted(&word.text));
            self.refuse(
                Diagnostic::error(message)
                    .at(word.place.clone(), "")
                    .help("write its steps here, as a list in a list: [[\"first\", \"second\"]]"),
            );
        }
    }

    fn targets(&mut self, targets: &mut Vec<Target>, table: &DeTable<'_>) {
        targets.reserve_exact(table.len());
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            targets.extend(self.any_target(key, value));
        }
    }

    /// A target in its long form or as a command alone.
    fn any_target(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Target> {
        if self.below_table(key, value, "[target]") || self.field_without_target(key, value) {
            return None;
        }
        let name: &str = key.get_ref();
        let named = self.entity_name(key, "target");
        let target = match value.get_ref() {
            DeValue::Table(table) => Some(self.fields_of(key, table, Owner::Target(name))),
            DeValue::String(_) => self.short_target(key, value),
            DeValue::Array(elements) if elements.iter().any(|one| one.get_ref().is_table()) => {
                let problem =
                    Diagnostic::error(format!("target {} stands in double brackets", quoted(name)));
                let place = self.place(value.span());
                self.refuse(problem.at(place, "").help(format!("write [target.{name}]")));
                None
            }
            _ => {
                let example =
                    format!("{name} = \"a command\", or [target.{name}] and its fields below");
                let asks = "a command or a table";
                self.wrong_type(value, Asker { name, asks, example: &example, filled: true })
            }
        };
        target.filter(|_| named)
    }

    /// Whether a target or a template, `what`, may be called so.
    pub(super) fn entity_name(&mut self, key: &Key<'_>, what: &str) -> bool {
        let name: &str = key.get_ref();
        if is_target(name) {
            return true;
        }
        let place = self.place(key.span());
        let problem = if name.len() > LONGEST_NAME_BYTES {
            Diagnostic::error(format!(
                "the name of a {what} has at most {LONGEST_NAME_BYTES} bytes"
            ))
            .at(place, format!("this has {}", name.len()))
            .help("choose a shorter name")
        } else {
            let rule = "names hold the letters A to Z and a to z, digits, `_` and `-`";
            let help = as_target(name)
                .map_or_else(|| rule.to_owned(), |near| format!("{rule}:\n[{what}.{near}]"));
            Diagnostic::error(format!("{} cannot be the name of a {what}", quoted(name)))
                .at(place, "")
                .help(help)
        };
        self.refuse(problem);
        false
    }
}
