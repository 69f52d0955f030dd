//! Reading single values: strings and lists of strings, and what to say where something else
//! stands.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Text;
use super::fields::Field;
use super::syntax::in_quotes;
use crate::error::{Diagnostic, Place, Source, quoted};
use crate::expr::Template;

/// A key with its place in the text.
pub(super) type Key<'t> = Spanned<std::borrow::Cow<'t, str>>;

/// A value with its place in the text.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// After so many problems reading stops: a file that is no Taskfile at all could have millions.
const ENOUGH: usize = 1000;

/// Who asks for a value, for the message about a wrong one.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    /// The key.
    pub(super) name: &'a str,
    /// What it asks for: "a list of strings".
    pub(super) asks: &'a str,
    /// How it may be written.
    pub(super) example: &'a str,
    /// Whether an empty string is refused.
    pub(super) filled: bool,
}

impl From<&'static Field> for Asker<'static> {
    fn from(field: &'static Field) -> Self {
        let (name, asks) = (field.name, field.kind.asks());
        Asker { name, asks, example: field.example, filled: field.kind.filled() }
    }
}

/// Reads one file and collects what is wrong with it.
pub(super) struct Reader {
    pub(super) source: Arc<Source>,
    pub(super) problems: Vec<Diagnostic>,
}

impl Reader {
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::new(&self.source, span)
    }

    pub(super) fn refuse(&mut self, problem: Diagnostic) {
        if !self.has_enough() {
            self.problems.push(problem);
        }
    }

    /// Whether there is no use in looking for more.
    pub(super) fn has_enough(&self) -> bool {
        self.problems.len() >= ENOUGH
    }

    /// One string.
    pub(super) fn text(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Text> {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() && asker.filled => {
                let message = format!("an empty string in `{}` names nothing", asker.name);
                let place = self.place(value.span());
                self.refuse(Diagnostic::error(message).at(place, "empty").help("remove it"));
                None
            }
            DeValue::String(text) => self.template(text, value.span()),
            _ => self.wrong_type(value, asker),
        }
    }

    /// One string, or a number or boolean, which becomes its text.
    pub(super) fn scalar(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Text> {
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Float(_) | DeValue::Datetime(_) => return self.unquoted(value, asker.name),
            _ => return self.text(value, asker),
        };
        Some(Text { template: Template::literal(&text), place: self.place(value.span()) })
    }

    /// A list of strings, or one string.
    pub(super) fn list(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Vec<Text>> {
        match value.get_ref() {
            DeValue::String(_) => Some(vec![self.text(value, asker)?]),
            DeValue::Array(elements) => {
                let texts = elements.iter().filter_map(|element| self.element(element, asker));
                Some(texts.collect())
            }
            _ => self.wrong_type(value, asker),
        }
    }

    /// A list of strings that is not empty, or one string.
    pub(super) fn filled_list(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Vec<Text>> {
        if !matches!(value.get_ref(), DeValue::Array(elements) if elements.is_empty()) {
            return self.list(value, asker);
        }
        let place = self.place(value.span());
        let problem = Diagnostic::error(format!("`{}` is empty", asker.name));
        self.refuse(problem.at(place, "").help(format!("write {}", asker.example)));
        None
    }

    fn element(&mut self, element: &Value<'_>, asker: Asker<'_>) -> Option<Text> {
        if element.get_ref().is_str() {
            return self.text(element, asker);
        }
        let message =
            format!("`{}` asks for strings, and one of them is {}", asker.name, given(element));
        let help = self.quote_it(element).unwrap_or_else(|| format!("write {}", asker.example));
        let place = self.place(element.span());
        self.refuse(Diagnostic::error(message).at(place, this_is(element)).help(help));
        None
    }

    /// A list of scalars, or one scalar.
    pub(super) fn scalars(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Vec<Text>> {
        let DeValue::Array(elements) = value.get_ref() else {
            return Some(vec![self.scalar(value, asker)?]);
        };
        let texts = elements.iter().filter_map(|element| match element.get_ref() {
            DeValue::Array(_) | DeValue::Table(_) => self.element(element, asker),
            _ => self.scalar(element, asker),
        });
        Some(texts.collect())
    }

    /// True or false.
    pub(super) fn flag(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.wrong_type(value, asker),
        }
    }

    /// A table.
    pub(super) fn table<'v, 't>(
        &mut self,
        value: &'v Value<'t>,
        asker: Asker<'_>,
    ) -> Option<&'v DeTable<'t>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => self.wrong_type(value, asker),
        }
    }

    /// Says what is asked and what is there.
    pub(super) fn wrong_type<T>(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<T> {
        let Asker { name, asks, example, .. } = asker;
        let message = format!("{} asks for {asks}, not for {}", quoted(name), given(value));
        let place = self.place(first_line(&self.source.text, value.span()));
        self.refuse(
            Diagnostic::error(message).at(place, this_is(value)).help(format!("write {example}")),
        );
        None
    }

    /// A number with a point or a date, where text is asked: `1.10` would become `1.1`.
    fn unquoted<T>(&mut self, value: &Value<'_>, name: &str) -> Option<T> {
        let raw = self.source.text[value.span()].to_owned();
        let message = format!(
            "{} holds text, and {} without quotes is {}",
            quoted(name),
            quoted(&raw),
            given(value)
        );
        let place = self.place(value.span());
        let help = format!("quote it: {}", in_quotes(&raw));
        self.refuse(Diagnostic::error(message).at(place, this_is(value)).help(help));
        None
    }

    fn quote_it(&self, value: &Value<'_>) -> Option<String> {
        let plain = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        plain.then(|| format!("quote it: {}", in_quotes(&self.source.text[value.span()])))
    }

    fn template(&mut self, text: &str, span: Range<usize>) -> Option<Text> {
        let place = self.place(span);
        match Template::parse(text) {
            Ok(template) => Some(Text { template, place }),
            Err(error) => {
                let text = Text { template: Template::literal(text), place };
                let place = text.place_of(error.range);
                let mut problem = Diagnostic::error(error.message).at(place, "");
                problem.help = error.help;
                self.refuse(problem);
                None
            }
        }
    }
}

/// A span cut at the end of its first line.
pub(super) fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let length = text[span.clone()].find('\n').unwrap_or(span.len());
    span.start..span.start + length
}

/// What a value is, in the user's words.
pub(super) fn given(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn this_is(value: &Value<'_>) -> String {
    format!("this is {}", given(value))
}
