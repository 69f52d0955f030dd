//! Reading `[pipeline.NAME]`: steps in an order, and what a failure among them means.
//!
//! Steps are names, as they are written: which tasks they are is found where a run is planned,
//! because steps order tasks only while their pipeline runs.

use toml::de::{DeTable, DeValue};

use super::fields::{Field, Kind, PIPELINE, find};
use super::full_name::{Whose, full_name, read_name};
use super::names::is_target;
use super::read::{Asker, Key, Reader, Value};
use super::{Require, Word};
use crate::error::{Diagnostic, Place, listed, meant, nearest, quoted};

/// A pipeline as it was written.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Its key.
    pub place: Place,
    /// One line about it.
    pub doc: Option<String>,
    /// One after another; never empty.
    pub steps: Vec<Step>,
    /// What a failure means.
    pub on_error: OnError,
    /// How many of its tasks must succeed; none: all.
    pub require: Option<(Require, Place)>,
    /// After so many failures nothing new starts; at least 1.
    pub max_failures: Option<usize>,
}

impl Pipeline {
    /// The names in its steps, in order.
    pub fn names(&self) -> impl Iterator<Item = &Word> {
        self.steps.iter().flat_map(Step::names)
    }
}

impl Step {
    fn names(&self) -> Vec<&Word> {
        match self {
            Step::Name(word) => vec![word],
            Step::List(steps) => steps.iter().flat_map(Step::names).collect(),
        }
    }
}

/// One step of a pipeline.
#[derive(Clone, Debug)]
pub enum Step {
    /// A target or some of its tasks, by the full name.
    Name(Word),
    /// Of a list whose elements run one after another: elements that run at once. And the other
    /// way round. Never empty.
    List(Vec<Step>),
}

/// What becomes of a pipeline after a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Nothing new starts, and what runs is ended.
    #[default]
    Stop,
    /// Everything runs that does not need what failed.
    Continue,
    /// As [`OnError::Stop`]; then what was done is undone.
    Rollback,
}

impl OnError {
    /// As it is written.
    pub fn word(self) -> &'static str {
        ON_ERROR.iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }
}

/// How they are written.
const ON_ERROR: [(&str, OnError); 3] =
    [("stop", OnError::Stop), ("continue", OnError::Continue), ("rollback", OnError::Rollback)];

impl Reader {
    /// A pipeline; none if it is not whole.
    pub(super) fn pipeline(&mut self, key: &Key<'_>, table: &DeTable<'_>) -> Option<Pipeline> {
        let mut pipeline = Pipeline {
            name: key.get_ref().to_string(),
            place: self.place(key.span()),
            doc: None,
            steps: Vec::new(),
            on_error: OnError::default(),
            require: None,
            max_failures: None,
        };
        let mut require_place = None;
        for (key, value) in table {
            let Some(field) = find(PIPELINE, key.get_ref()) else {
                self.unknown_in_pipeline(&pipeline.name, key);
                continue;
            };
            if field.kind == Kind::Part {
                require_place = Some(self.place(key.span()));
            }
            self.pipeline_field(&mut pipeline, field, value);
        }
        if !table.contains_key("steps") {
            let message = format!("the pipeline {} has no `steps`", quoted(&pipeline.name));
            let help = "add steps = [\"first\", [\"these\", \"at-once\"], \"last\"]";
            self.refuse(Diagnostic::error(message).at(pipeline.place.clone(), "").help(help));
        }
        if let (OnError::Rollback, Some(place)) = (pipeline.on_error, require_place) {
            let message = format!(
                "the pipeline {} rolls back after a failure, and has `require`",
                quoted(&pipeline.name)
            );
            let help = "remove `require`, or write on_error = \"stop\" or \"continue\"";
            let problem = Diagnostic::error(message).at(place, "allows failures");
            self.refuse(problem.help(help));
        }
        (!pipeline.steps.is_empty()).then_some(pipeline)
    }

    fn pipeline_field(
        &mut self,
        pipeline: &mut Pipeline,
        field: &'static Field,
        value: &Value<'_>,
    ) {
        match field.kind {
            Kind::Line => pipeline.doc = self.line(field, value),
            Kind::Steps => pipeline.steps = self.steps(field, value),
            Kind::OnError => pipeline.on_error = self.on_error(field, value).unwrap_or_default(),
            Kind::Part => {
                let place = self.place(value.span());
                let require = self.require(value, field.into());
                pipeline.require = require.map(|require| (require, place));
            }
            _ => pipeline.max_failures = self.count(value, field.into()),
        }
    }

    fn steps(&mut self, field: &'static Field, value: &Value<'_>) -> Vec<Step> {
        let Some(list) = self.filled_steps(field, value) else { return Vec::new() };
        list.iter().filter_map(|element| self.step(field, element)).collect()
    }

    fn filled_steps<'v, 't>(
        &mut self,
        field: &'static Field,
        value: &'v Value<'t>,
    ) -> Option<&'v [Value<'t>]> {
        let DeValue::Array(list) = value.get_ref() else {
            return self.wrong_type(value, field.into());
        };
        if list.is_empty() {
            let place = self.place(value.span());
            let problem = Diagnostic::error("this list of steps is empty").at(place, "");
            self.refuse(problem.help(format!("remove it, or write {}", field.example)));
            return None;
        }
        Some(list)
    }

    fn step(&mut self, field: &'static Field, value: &Value<'_>) -> Option<Step> {
        if value.get_ref().is_array() {
            let list = self.filled_steps(field, value)?;
            return Some(Step::List(list.iter().filter_map(|one| self.step(field, one)).collect()));
        }
        let asks = "names of targets and lists of them";
        let asker = Asker { name: "steps", asks, example: field.example, filled: true };
        let text = self.text(value, asker)?;
        let name = text.template.source().to_owned();
        let written = read_name(&name).filter(|written| is_target(written.bare()));
        let full = written.and_then(|written| match written.whose {
            Whose::Here => Some(name.clone()),
            Whose::Of(dir) => Some(full_name(dir, written.target)),
            Whose::Below(_) | Whose::Reached => None,
        });
        let Some(full) = full else {
            let message = format!("{} is no name of a target", quoted(&name));
            let help = match name.contains("{{") {
                true => "steps hold no expressions: write the name out",
                false => {
                    "a step names one target or its tasks: \"test@db=pg\", \"//packages/ui:build\""
                }
            };
            self.refuse(Diagnostic::error(message).at(text.place, "").help(help));
            return None;
        };
        Some(Step::Name(Word { text: full, place: text.place }))
    }

    fn on_error(&mut self, field: &'static Field, value: &Value<'_>) -> Option<OnError> {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type(value, field.into());
        };
        let found = ON_ERROR.iter().find(|(word, _)| word == text);
        if found.is_none() {
            let words = || ON_ERROR.iter().map(|(word, _)| *word);
            let help = match nearest(text, words()) {
                Some(near) => format!("did you mean on_error = \"{near}\"?"),
                None => listed("it can be", words()),
            };
            let place = self.place(value.span());
            let message = format!("`on_error` cannot be {}", quoted(text));
            self.refuse(Diagnostic::error(message).at(place, "").help(help));
        }
        Some(found?.1)
    }

    fn unknown_in_pipeline(&mut self, pipeline: &str, key: &Key<'_>) {
        let name: &str = key.get_ref();
        let help = meant(name, PIPELINE.iter().map(|field| field.name), "a pipeline has");
        let message =
            format!("unknown field {} in the pipeline {}", quoted(name), quoted(pipeline));
        let place = self.place(key.span());
        self.refuse(Diagnostic::error(message).at(place, "").help(help));
    }
}
