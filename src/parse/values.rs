//! Reading values with rules of their own: variables, environment, axes, names, commands.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::names::{BUILT_IN, KEYWORDS, as_variable, is_variable};
use super::read::{Asker, Key, Reader, Value};
use super::{Text, Var, VarValue, Word};
use crate::error::{Diagnostic, Place, quoted};
use crate::expr::{ExprError, Template};

impl Reader {
    /// Variables of the file or of a target.
    pub(super) fn vars(&mut self, table: &DeTable<'_>) -> IndexMap<String, Var> {
        let mut vars = IndexMap::new();
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            let named = self.variable_name(key);
            if let (true, Some(value)) = (named, self.var_value(key, value)) {
                let name_place = self.place(key.span());
                vars.insert(key.get_ref().to_string(), Var { name_place, value });
            }
        }
        vars
    }

    fn var_value(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<VarValue> {
        let name: &str = key.get_ref();
        let example = format!("{name} = \"…\" or {name} = [\"…\", \"…\"]");
        let asks = "a string or a list of strings";
        let asker = Asker { name, asks, example: &example, filled: false };
        match value.get_ref() {
            DeValue::Array(_) => self.scalars(value, asker).map(VarValue::List),
            DeValue::Table(table) if table.contains_key("sh") => self.sh(table),
            _ => self.scalar(value, asker).map(VarValue::One),
        }
    }

    /// `{ sh = "a command" }`: what it prints is the value.
    fn sh(&mut self, table: &DeTable<'_>) -> Option<VarValue> {
        let example = "{ sh = \"git rev-parse HEAD\" }";
        if let Some((key, _)) = table.iter().find(|(key, _)| key.get_ref() != "sh") {
            let message = format!("{} does not go with `sh`", quoted(key.get_ref()));
            let place = self.place(key.span());
            self.refuse(Diagnostic::error(message).at(place, "").help(format!("write {example}")));
            return None;
        }
        let asker = Asker { name: "sh", asks: "a command", example, filled: true };
        let text = self.text(table.get("sh")?, asker)?;
        self.check_script(std::slice::from_ref(&text), Template::check_shell);
        Some(VarValue::Sh(text))
    }

    /// Whether a variable may be called so.
    fn variable_name(&mut self, key: &Key<'_>) -> bool {
        let name: &str = key.get_ref();
        let problem = if !is_variable(name) {
            return self.plain_name(key, "variable");
        } else if BUILT_IN.contains(&name) {
            Diagnostic::error(format!("`{name}` is a name that expressions have already"))
        } else if KEYWORDS.contains(&name) {
            Diagnostic::error(format!("`{name}` is a word of the expression language"))
        } else {
            return true;
        };
        let place = self.place(key.span());
        self.refuse(problem.at(place, "").help(format!("choose another name, `my_{name}`")));
        false
    }

    /// Whether a variable, an axis or an environment variable may be called so.
    pub(super) fn plain_name(&mut self, key: &Key<'_>, what: &str) -> bool {
        let name: &str = key.get_ref();
        is_variable(name) || {
            let place = self.place(key.span());
            let problem =
                Diagnostic::error(format!("{} cannot be the name of {}", quoted(name), a(what)));
            self.refuse(problem.at(place, "").help(name_help(name)));
            false
        }
    }

    /// Environment set for a command.
    pub(super) fn env(&mut self, table: &DeTable<'_>) -> IndexMap<String, (Place, Text)> {
        let mut env = IndexMap::new();
        for (key, value) in table {
            let asker =
                Asker { name: key.get_ref(), asks: "a string", example: "\"…\"", filled: false };
            let named = self.plain_name(key, "environment variable");
            if let (true, Some(text)) = (named, self.scalar(value, asker)) {
                env.insert(key.get_ref().to_string(), (self.place(key.span()), text));
            }
        }
        env
    }

    /// Names of environment variables; with `prefixes` also `CARGO_*`.
    pub(super) fn words(
        &mut self,
        value: &Value<'_>,
        asker: Asker<'_>,
        prefixes: bool,
    ) -> Vec<Word> {
        let mut words = Vec::new();
        for text in self.list(value, asker).unwrap_or_default() {
            let name = text.template.source();
            let stem = if prefixes { name.strip_suffix('*').unwrap_or(name) } else { name };
            if is_variable(stem) {
                words.push(Word { text: name.to_owned(), place: text.place });
                continue;
            }
            let help = if name.contains("{{") {
                "names hold no expressions: write them out".to_owned()
            } else if name.ends_with('*') && !prefixes {
                "write each name out: each one counts in the key".to_owned()
            } else if name == "*" {
                "write each name out, or the beginning of some: \"CARGO_*\"".to_owned()
            } else if let Some(list) = as_a_list(name) {
                format!("each name is a string of its own: [{list}]")
            } else {
                name_help(name)
            };
            let message = format!("{} cannot be the name of an environment variable", quoted(name));
            self.refuse(Diagnostic::error(message).at(text.place, "").help(help));
        }
        words
    }

    /// Lines for a shell. Expressions where quoting could not hold are refused.
    pub(super) fn script(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Vec<Text>> {
        let lines = self.filled_list(value, asker)?;
        if lines.iter().all(|line| line.template.source().trim().is_empty()) {
            if !lines.is_empty() {
                let place = self.place(value.span());
                let problem = Diagnostic::error(format!("`{}` is empty", asker.name));
                self.refuse(problem.at(place, "").help(
                    "write a command, or leave it out: a target without one stands for its `deps`",
                ));
            }
            return None;
        }
        self.check_script(&lines, Template::check_shell);
        Some(lines)
    }

    /// Checks lines as the one script that they are: a quote may span several.
    pub(super) fn check_script(
        &mut self,
        lines: &[Text],
        check: impl Fn(&Template) -> Result<(), ExprError>,
    ) {
        let sources = || lines.iter().map(|line| line.template.source()).collect::<Vec<&str>>();
        let checked = match lines {
            [line] => check(&line.template),
            _ => Template::parse(&sources().join("\n")).and_then(|script| check(&script)),
        };
        let Err(error) = checked else { return };
        let sources = sources();
        let mut start = error.range.start;
        let mut at = 0;
        while at + 1 < sources.len() && start > sources[at].len() {
            start -= sources[at].len() + 1;
            at += 1;
        }
        let end = (start + error.range.len()).min(sources[at].len());
        let mut problem = Diagnostic::error(error.message).at(lines[at].place_of(start..end), "");
        problem.help = error.help;
        self.refuse(problem);
    }
}

fn name_help(name: &str) -> String {
    let rule = "names hold letters, digits and `_`, and start with no digit";
    as_variable(name).map_or_else(|| rule.to_owned(), |near| format!("{rule}: `{near}`"))
}

fn a(what: &str) -> String {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {what}")
}

/// Several names in one string, as a list of them.
fn as_a_list(names: &str) -> Option<String> {
    let words: Vec<&str> = names.split([',', ' ', ';']).filter(|word| !word.is_empty()).collect();
    let are_names = words.len() > 1 && words.iter().all(|word| is_variable(word));
    are_names.then(|| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}
