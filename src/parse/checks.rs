//! What must hold before a target's task counts as done: acceptance tests and gates. And the gates
//! of a run.
//!
//! A gate's text may hold expressions, so what it means is found when the graph is made.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::read::{Asker, Key, Reader, Value};
use super::{Text, fields::Field};
use crate::error::{Diagnostic, Place, quoted};
use crate::expr::Template;

/// What is checked of a task.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// Lines for the shell, one for each acceptance test.
    pub accept: Vec<Text>,
    /// Limits by the name of a metric: the place of each name, and its text.
    pub gates: IndexMap<String, (Place, Text)>,
}

impl Checks {
    /// All its strings.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.accept.iter().chain(self.gates.values().map(|(_, text)| text))
    }
}

impl Reader {
    /// A list of lines for the shell.
    pub(super) fn commands(&mut self, field: &'static Field, value: &Value<'_>) -> Vec<Text> {
        let lines = self.filled_list(value, field.into()).unwrap_or_default();
        for line in &lines {
            self.check_script(std::slice::from_ref(line), Template::check_shell);
        }
        lines
    }

    /// Limits by name.
    pub(super) fn gates(&mut self, table: &DeTable<'_>) -> IndexMap<String, (Place, Text)> {
        let mut gates = IndexMap::new();
        for (key, value) in table {
            let named = self.metric_name(key);
            if let (true, Some(text)) = (named, self.limit(key, value)) {
                gates.insert(key.get_ref().to_string(), (self.place(key.span()), text));
            }
        }
        gates
    }

    fn metric_name(&mut self, key: &Key<'_>) -> bool {
        let name: &str = key.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let is_plain = !name.is_empty() && name.chars().all(plain);
        if !is_plain {
            let place = self.place(key.span());
            let message = format!("{} cannot be the name of a metric", quoted(name));
            let help = "names hold the letters A to Z and a to z, digits, `_`, `-`, `.` and `/`";
            self.refuse(Diagnostic::error(message).at(place, "").help(help));
        }
        is_plain
    }

    fn limit(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Text> {
        let name: &str = key.get_ref();
        let example = match value.get_ref() {
            DeValue::Integer(number) => format!("{name} = \">= {number}\""),
            DeValue::Float(number) => format!("{name} = \">= {number}\""),
            _ => format!("{name} = \">= 95\""),
        };
        let asks = "a comparison and a number";
        self.text(value, Asker { name, asks, example: &example, filled: false })
    }
}
