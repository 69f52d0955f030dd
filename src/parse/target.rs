//! Reading one target: its fields, and which of them go together.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::fields::{FIELDS, Field, Kind, find};
use super::read::{Key, Reader, Value, first_line};
use super::syntax::in_quotes;
use super::{
    Checks, Command, Policy, Reads, SCHEDULE_FIELDS, Schedule, Service, Target, Text, Uses,
};
use crate::error::{Diagnostic, quoted};
use crate::expr::Template;

/// Fields that a target without a command has no use for, and why.
const OF_COMMANDS: &[(&str, &str)] = &[
    ("outputs", "nothing makes them"),
    ("installs", "nothing makes them"),
    ("depfile", "nothing writes it"),
    ("inputs", "nothing reads them"),
    ("env_file", "nothing reads it"),
    ("args", "nothing takes them"),
    ("tools", "nothing is started"),
    ("fresh_if", "nothing is up to date"),
    ("fixes_inputs", "nothing fixes them"),
    ("restage", "nothing is fixed"),
    ("keep_outputs", "nothing makes them"),
    ("cache", "nothing makes a result"),
    ("relocatable", "nothing makes a result"),
    ("max_age", "nothing makes a result"),
    ("service", "nothing stays up"),
    ("ready", "nothing gets ready"),
    ("stop", "nothing stays up"),
    ("restart", "nothing stays up"),
    ("timeout", "nothing runs"),
    ("grace", "nothing runs"),
    ("retry", "nothing runs"),
    ("priority", "nothing runs"),
    ("cpus", "nothing runs"),
    ("pool", "nothing runs"),
    ("memory", "nothing runs"),
    ("allow_failure", "nothing can fail"),
    ("require", "nothing can fail"),
    ("accept", "nothing runs"),
    ("gates", "nothing runs"),
    ("rollback", "nothing is to be undone"),
    ("interactive", "nothing asks"),
    ("batch", "no process takes them"),
];

/// Arguments that were meant for a shell.
const OPERATORS: [&str; 8] = ["|", "||", "&&", "<", ">", ">>", "2>", "2>&1"];

/// Whose fields are read: of the name of a target or a template, or of all.
#[derive(Clone, Copy)]
pub(super) enum Owner<'n> {
    Target(&'n str),
    Template(&'n str),
    Defaults,
}

impl Owner<'_> {
    /// `[target.a]`, `[template.a]`, `[defaults]`.
    pub(super) fn header(self) -> String {
        match self {
            Owner::Target(name) => format!("[target.{name}]"),
            Owner::Template(name) => format!("[template.{name}]"),
            Owner::Defaults => "[defaults]".to_owned(),
        }
    }

    /// The same within a sentence: "target `a`".
    pub(super) fn words(self) -> String {
        match self {
            Owner::Target(name) => format!("target {}", quoted(name)),
            Owner::Template(name) => format!("template {}", quoted(name)),
            Owner::Defaults => self.header(),
        }
    }
}

impl Reader {
    /// `name = "command"`: a command that runs whenever it is asked for.
    pub(super) fn short_target(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Target> {
        let mut target = self.empty_target(key);
        let run = find(FIELDS, "run")?;
        target.command = self.script(value, run.into()).map(Command::Shell);
        target.keys.push((run.name, self.place(key.span())));
        Some(target)
    }

    /// A table of fields. Whether they go together is asked when all layers are there.
    pub(super) fn fields_of(
        &mut self,
        key: &Key<'_>,
        table: &DeTable<'_>,
        owner: Owner<'_>,
    ) -> Target {
        let mut target = self.empty_target(key);
        target.keys.reserve_exact(table.len());
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            match find(FIELDS, key.get_ref()) {
                None => self.unknown_in_target(owner, key, value),
                Some(field) => {
                    target.keys.push((field.name, self.place(key.span())));
                    self.field(&mut target, field, value);
                }
            }
        }
        target
    }

    /// Other shells have other words.
    pub(super) fn check_habits(&mut self, target: &Target) {
        if target.shell.is_some() {
            return;
        }
        for lines in target.scripts() {
            let named = |word: &super::Word, name: &str| match word.text.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => word.text == name,
            };
            let is_set = |name: &str| {
                target.env.contains_key(name)
                    || target
                        .env_inputs
                        .iter()
                        .chain(&target.env_pass)
                        .any(|word| named(word, name))
            };
            self.check_script(lines, |script| script.check_habits(&is_set));
        }
    }

    fn empty_target(&mut self, key: &Key<'_>) -> Target {
        Target {
            name: key.get_ref().to_string(),
            place: self.place(key.span()),
            doc: None,
            inputs: None,
            reads: Reads::default(),
            when: None,
            outputs: None,
            installs: None,
            deps: Vec::new(),
            after: Vec::new(),
            command: None,
            dir: None,
            shell: None,
            vars: IndexMap::new(),
            env: IndexMap::new(),
            env_inputs: Vec::new(),
            env_pass: Vec::new(),
            depfile: None,
            foreach: None,
            matrix: IndexMap::new(),
            exclude: Vec::new(),
            always: false,
            private: false,
            policy: Policy::default(),
            service: Service::default(),
            schedule: Schedule::default(),
            uses: Uses::default(),
            checks: Checks::default(),
            rollback: None,
            interactive: false,
            keys: Vec::new(),
        }
    }

    fn field(&mut self, target: &mut Target, field: &'static Field, value: &Value<'_>) {
        if SCHEDULE_FIELDS.contains(&field.name) {
            return self.schedule(&mut target.schedule, field, value);
        }
        match field.kind {
            Kind::Line => target.doc = self.line(field, value),
            Kind::Path => {
                *(match field.name {
                    "dir" => &mut target.dir,
                    "depfile" => &mut target.depfile,
                    _ => return,
                }) = self.text(value, field.into());
            }
            Kind::Paths | Kind::PathLists => self.paths(target, field, value),
            Kind::Script => {
                let lines = self.script(value, field.into());
                target.command = lines.map(Command::Shell).or(target.command.take());
            }
            Kind::Argv => {
                let words = self.argv(field, value);
                match field.name {
                    "shell" => target.shell = words,
                    "exec" => target.command = words.map(Command::Exec).or(target.command.take()),
                    _ => {}
                }
            }
            Kind::Names => target.env_inputs = self.words(value, field.into(), false),
            Kind::Prefixes => target.env_pass = self.words(value, field.into(), true),
            Kind::Flag => self.flag_field(target, field, value),
            Kind::Cache => target.policy.cache = self.cache(value, field.into()),
            Kind::Duration => target.policy.max_age = self.duration(value, field.into()),
            Kind::Uses => target.uses.templates = self.uses(value, field.into()),
            Kind::Command => {
                let command = self.one_command(value, field.into());
                *(match field.name {
                    "rollback" => &mut target.rollback,
                    "stop" => &mut target.service.stop,
                    "fresh_if" => &mut target.policy.fresh_if,
                    _ => return,
                }) = command;
            }
            Kind::Commands => target.checks.accept = self.commands(field, value),
            Kind::Ready => target.service.ready = self.ready(value, field.into()),
            Kind::Vars | Kind::Env | Kind::Axes | Kind::Gates => {
                self.table_field(target, field, value);
            }
            Kind::Expression => target.when = self.when(value, field.into()),
            _ => {}
        }
    }

    fn flag_field(&mut self, target: &mut Target, field: &'static Field, value: &Value<'_>) {
        let flag = self.flag(value, field.into()).unwrap_or(false);
        *(match field.name {
            "always" => &mut target.always,
            "args" => &mut target.reads.args,
            "private" => &mut target.private,
            "service" => &mut target.service.service,
            "restart" => &mut target.service.restart,
            "inherit" => &mut target.uses.inherit,
            "interactive" => &mut target.interactive,
            "relocatable" => &mut target.policy.relocatable,
            "fixes_inputs" => &mut target.policy.fixes_inputs,
            "restage" => &mut target.policy.restage,
            "keep_outputs" => &mut target.policy.keep_outputs,
            _ => return,
        }) = flag;
    }

    fn table_field(&mut self, target: &mut Target, field: &'static Field, value: &Value<'_>) {
        let Some(table) = self.table(value, field.into()) else { return };
        match field.kind {
            Kind::Vars => target.vars = self.vars(table),
            Kind::Env => target.env = self.env(table),
            Kind::Gates => target.checks.gates = self.gates(table),
            Kind::Axes => self.matrix(target, value, table),
            _ => {}
        }
    }

    fn paths(&mut self, target: &mut Target, field: &'static Field, value: &Value<'_>) {
        match (field.name, value.get_ref()) {
            ("inputs", DeValue::Table(table)) => self.parts(target, table),
            ("foreach", DeValue::Table(_)) => {
                let place = target.place_of(field.name).clone();
                let problem =
                    Diagnostic::error("`foreach` as a table is not there yet").at(place, "");
                self.refuse(
                    problem.help(format!("it is planned; write a list: {}", field.example)),
                );
            }
            ("foreach", _) => target.foreach = self.filled_list(value, field.into()),
            ("inputs", _) => target.inputs = self.list(value, field.into()),
            ("env_file", _) => {
                target.reads.env_files = self.list(value, field.into()).unwrap_or_default();
            }
            ("tools", _) => {
                target.reads.tools = self.list(value, field.into()).unwrap_or_default();
                for text in &target.reads.tools {
                    self.check_script(std::slice::from_ref(text), Template::check_shell);
                }
            }
            ("outputs", _) => target.outputs = self.list(value, field.into()),
            ("installs", _) => target.installs = self.list(value, field.into()),
            ("deps", _) => target.deps = self.list(value, field.into()).unwrap_or_default(),
            ("after", _) => target.after = self.list(value, field.into()).unwrap_or_default(),
            _ => {}
        }
    }

    fn argv(&mut self, field: &'static Field, value: &Value<'_>) -> Option<Vec<Text>> {
        if let DeValue::String(line) = value.get_ref()
            && line.contains(' ')
        {
            self.one_string(field, value, line);
            return None;
        }
        let words = self.filled_list(value, field.into())?;
        if words.first().is_some_and(|program| program.template.source().is_empty()) {
            let place = words[0].place.clone();
            let problem = Diagnostic::error(format!("`{}` names no program", field.name));
            self.refuse(problem.at(place, "empty").help(format!("write {}", field.example)));
        }
        if field.name == "exec" {
            self.no_shell(&words);
        }
        Some(words)
    }

    /// A program and its arguments in one string.
    fn one_string(&mut self, field: &'static Field, value: &Value<'_>, line: &str) {
        let name = field.name;
        let words: Vec<String> = line.split_whitespace().map(in_quotes).collect();
        let list = match line.contains(['"', '\'', '\\', '{']) {
            false => format!("{name} = [{}]", words.join(", ")),
            true => field.example.to_owned(),
        };
        let shell = if name == "exec" { "\nor, for a line of a shell, `run`" } else { "" };
        let problem = Diagnostic::error(format!(
            "`{name}` takes a program and its arguments, each a string of its own"
        ));
        let place = self.place(value.span());
        self.refuse(problem.at(place, "one string").help(format!("write a list: {list}{shell}")));
    }

    /// Refuses an argument that only a shell understands.
    fn no_shell(&mut self, words: &[Text]) {
        let sources = || words.iter().map(|word| word.template.source());
        let Some(word) = words.iter().find(|word| OPERATORS.contains(&word.template.source()))
        else {
            return;
        };
        let operator = word.template.source();
        let is_plain = |word: &str| {
            word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=+:,".contains(c))
                || OPERATORS.contains(&word)
        };
        let run = match sources().all(is_plain) {
            true => format!("run = {}", in_quotes(&sources().collect::<Vec<_>>().join(" "))),
            false => "`run`".to_owned(),
        };
        let problem = Diagnostic::error(format!(
            "{} needs a shell, and `exec` starts none",
            quoted(operator)
        ));
        self.refuse(problem.at(word.place.clone(), "").help(format!(
            "write {run}\nor, if the program itself takes it, \"{{{{ '{operator}' }}}}\""
        )));
    }

    pub(super) fn line(&mut self, field: &'static Field, value: &Value<'_>) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type(value, field.into());
        };
        let line = text.trim();
        if line.contains('\n') {
            let place = self.place(first_line(&self.source.text, value.span()));
            let problem = Diagnostic::error("`doc` is one line").at(place, "");
            self.refuse(problem.help("say the rest in comments, behind `#`"));
        }
        Some(line.to_owned())
    }

    /// Refuses fields that do not go together.
    pub(super) fn check_fields(&mut self, target: &Target) {
        self.check_matrix(target);
        let has = |name: &str| target.has(name);
        if has("run") && has("exec") {
            let message = format!("target {} has two commands", quoted(&target.name));
            let problem = Diagnostic::error(message)
                .at(target.place_of("exec").clone(), "the second")
                .also(target.place_of("run").clone(), "the first");
            self.refuse(problem.help(
                "keep `run` for lines of a shell, or `exec` for one program; or make two targets",
            ));
        }
        if has("run") || has("exec") {
            if self.check_service(target) {
                self.check_policy(target);
                self.check_schedule(target);
            }
            return;
        }
        if let Some((name, why)) = OF_COMMANDS.iter().find(|(name, _)| has(name)) {
            let message = format!("target {} has `{name}` and no command", quoted(&target.name));
            let place = target.place_of(name).clone();
            self.refuse(Diagnostic::error(message).at(place, *why).help(
                "add `run` or `exec`; a target without a command only stands for its `deps`",
            ));
        }
    }
}
