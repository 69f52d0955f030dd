//! What a target says about how long its results hold, whether they are kept, and whether it
//! changes what it reads; and which of these cannot both be meant.

use toml::de::DeValue;

use super::read::{Asker, Reader, Value};
use super::{Command, Duration, Target, Text};
use crate::error::{Diagnostic, quoted};
use crate::expr::Template;

/// The fields of a [`Policy`]. Only a task that can be up to date has a use for them.
pub const POLICY_FIELDS: [&str; 7] =
    ["fresh_if", "fixes_inputs", "restage", "keep_outputs", "cache", "relocatable", "max_age"];

/// What becomes of a target's results and of its inputs.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether outputs are kept for restoring; none where that is taskr's choice.
    pub cache: Option<bool>,
    /// Outputs may be restored at another path although they contain this one.
    pub relocatable: bool,
    /// An older result counts as out of date.
    pub max_age: Option<Duration>,
    /// A line for the shell, asked before it counts as up to date.
    pub fresh_if: Option<Text>,
    /// A formatter: changes its own inputs.
    pub fixes_inputs: bool,
    /// In a hook, adds again what it fixed.
    pub restage: bool,
    /// Leaves earlier outputs for the command.
    pub keep_outputs: bool,
}

impl Policy {
    /// Whether one of the fields that rule others out is set.
    fn is_set(&self, field: &str) -> bool {
        match field {
            "fresh_if" => self.fresh_if.is_some(),
            "keep_outputs" => self.keep_outputs,
            "fixes_inputs" => self.fixes_inputs,
            _ => self.max_age.is_some(),
        }
    }
}

/// Fields that rule out `cache = true`, and why.
const NEVER_KEPT: [(&str, &str); 3] = [
    ("fresh_if", "what `fresh_if` asks about is not among the outputs, and cannot be restored"),
    ("keep_outputs", "outputs that earlier runs had a part in are never restored"),
    ("fixes_inputs", "a formatter makes nothing that could be restored"),
];

/// Fields that a formatter cannot have.
const NOT_OF_FIXERS: [&str; 3] = ["outputs", "installs", "depfile"];

impl Reader {
    /// `true`, `false` or `"local"`.
    pub(super) fn cache(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            DeValue::String(text) if text == "local" => Some(true),
            DeValue::String(text) => {
                let message = format!("`cache` cannot be {}", quoted(text));
                let place = self.place(value.span());
                let help = "write cache = true, false or \"local\": kept on this machine";
                self.refuse(Diagnostic::error(message).at(place, "").help(help));
                None
            }
            _ => self.wrong_type(value, asker),
        }
    }

    /// One string for the shell.
    pub(super) fn one_command(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Text> {
        let text = self.text(value, asker)?;
        self.check_script(std::slice::from_ref(&text), Template::check_shell);
        Some(text)
    }

    /// Refuses what cannot both be meant. The target has a command.
    pub(super) fn check_policy(&mut self, target: &Target) {
        self.check_interactive(target);
        let policy = &target.policy;
        let never = NEVER_KEPT.iter().find(|(name, _)| policy.is_set(name));
        if let (Some(true), Some((name, why))) = (policy.cache, never) {
            let message = format!("no result of target {} can be kept", quoted(&target.name));
            let problem = Diagnostic::error(message);
            let problem = problem.at(target.place_of("cache").clone(), "asks to keep it");
            let problem = problem.also(target.place_of(name).clone(), "rules that out");
            self.refuse(problem.help(format!("remove `cache`: {why}")));
        }
        let timed = ["fresh_if", "max_age"].into_iter().find(|name| policy.is_set(name));
        if let (true, Some(name)) = (target.always, timed) {
            let message = format!("target {} has `always` and `{name}`", quoted(&target.name));
            let problem = Diagnostic::error(message).at(target.place_of(name).clone(), "");
            let problem =
                problem.also(target.place_of("always").clone(), "runs each time it is wanted");
            self.refuse(problem.help(format!("remove `always`, or `{name}`, which has no say")));
        }
        if policy.keep_outputs && target.outputs.as_ref().is_none_or(Vec::is_empty) {
            let message = format!("target {} keeps outputs and names none", quoted(&target.name));
            let place = target.place_of("keep_outputs").clone();
            self.refuse(Diagnostic::error(message).at(place, "").help(
                "add what the command finds again, as in outputs = [\"build/**\"];\nwhat lies in \
                 `{{ out }}` is emptied before each run, `{{ state }}` is kept",
            ));
        }
        self.check_fixer(target);
    }

    /// What somebody typed is no result that could be up to date.
    fn check_interactive(&mut self, target: &Target) {
        if !target.interactive {
            return;
        }
        let fields = NOT_OF_FIXERS.into_iter().chain(["always"]).chain(POLICY_FIELDS);
        let Some(field) = fields.into_iter().find(|field| target.has(field)) else { return };
        let name = quoted(&target.name);
        let problem = Diagnostic::error(format!("target {name} is interactive and has `{field}`"));
        let place = target.place_of(field).clone();
        let problem = problem.at(place, "is for what can be up to date");
        let problem = problem.also(
            target.place_of("interactive").clone(),
            "never is: it runs whenever it is asked for",
        );
        self.refuse(problem.help(format!(
            "remove `{field}`; what it leaves for others it can write to \"$OUT\", which they read \
             as \"@{}\"",
            target.name
        )));
    }

    fn check_fixer(&mut self, target: &Target) {
        let policy = &target.policy;
        if !policy.restage && !policy.fixes_inputs {
            return;
        }
        let name = quoted(&target.name);
        if policy.restage && !policy.fixes_inputs {
            let problem =
                Diagnostic::error(format!("target {name} has `restage` and fixes nothing"));
            self.refuse(
                problem
                    .at(target.place_of("restage").clone(), "adds again what a formatter changed")
                    .help("add fixes_inputs = true, or remove `restage`"),
            );
        }
        if !policy.fixes_inputs {
            return;
        }
        let place = target.place_of("fixes_inputs").clone();
        if target.inputs.as_ref().is_none_or(Vec::is_empty) && target.foreach.is_none() {
            let problem = Diagnostic::error(format!("target {name} fixes its inputs and has none"));
            self.refuse(
                problem
                    .at(place.clone(), "")
                    .help("add the files that it may change, as in inputs = [\"src/**/*.c\"]"),
            );
        }
        if let Some(field) = NOT_OF_FIXERS.into_iter().find(|field| target.has(field)) {
            let problem =
                Diagnostic::error(format!("target {name} fixes its inputs and has `{field}`"));
            self.refuse(
                problem
                    .at(target.place_of(field).clone(), "")
                    .also(place, "a run that fixed something is not recorded")
                    .help(
                        "make two targets: one that fixes files, one that reads them and makes \
                         something of them",
                    ),
            );
        }
    }
}

impl Target {
    /// Whether the field is written.
    pub fn has(&self, field: &str) -> bool {
        self.keys.iter().any(|(name, _)| *name == field)
    }

    /// The lines for a shell of its own fields, one script each.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &[Text]> {
        let run = match &self.command {
            Some(Command::Shell(lines)) => Some(&lines[..]),
            _ => None,
        };
        let asked = self.policy.fresh_if.iter().chain(self.service.scripts());
        let asked = asked.chain(&self.checks.accept).chain(&self.rollback);
        run.into_iter().chain(asked.map(std::slice::from_ref))
    }
}
