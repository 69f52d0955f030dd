//! What a target reads beside one list of inputs (several lists, environment files, arguments), and
//! when it applies.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::read::{Asker, Reader, Value, first_line};
use super::syntax::in_quotes;
use super::{Target, Text, Word};
use crate::error::{Diagnostic, quoted};
use crate::expr::Template;

/// What a result depends on beside the command and plain inputs.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// The lists of `inputs`, if it is a table: their names, and which of the inputs they are.
    pub parts: Vec<(Word, Range<usize>)>,
    /// Environment files.
    pub env_files: Vec<Text>,
    /// Programs that count: names, or questions such as `cc --version`.
    pub tools: Vec<Text>,
    /// Takes what stands behind `--` on the command line.
    pub args: bool,
}

impl Target {
    /// Which of its inputs have no name: all where they are one list, else those that it took over
    /// from one, which stand first.
    pub fn plain_inputs(&self) -> Option<Range<usize>> {
        let all = self.inputs.as_ref().map_or(0, Vec::len);
        match self.reads.parts.first() {
            None => Some(0..all),
            Some((_, first)) => (first.start > 0).then_some(0..first.start),
        }
    }
}

impl Reader {
    /// When a target applies: an expression, or true or false.
    pub(super) fn when(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Text> {
        let text = self.scalar(value, asker)?;
        let source = text.template.source();
        let place = self.place(value.span());
        if value.get_ref().is_str() && source.trim().is_empty() {
            let problem = Diagnostic::error("`when` is empty").at(place, "");
            self.refuse(problem.help(format!("write {}", asker.example)));
            return None;
        }
        if source.contains("{{") {
            let bare = source.replace("{{", "").replace("}}", "");
            let problem = Diagnostic::error("`when` is an expression by itself, without braces");
            let help = format!("write when = {}", in_quotes(bare.trim()));
            self.refuse(problem.at(place, "").help(help));
            return None;
        }
        match Template::expression(source) {
            Ok(template) => Some(Text { template, place }),
            Err(error) => {
                let problem = Diagnostic::error(error.message);
                let compares = source.replace("==", "").replace(['<', '>', '!'], "=");
                let one = (compares.matches('=').count() > 0).then_some("`==` compares");
                let is_command = problem.message.starts_with("this is not an expression");
                let none = "it is an expression, no command, as in when = \"os == 'linux'\"";
                let one = one.or(is_command.then_some(none));
                let help = error.help.or(one.map(str::to_owned));
                self.refuse(problem.at(text.place_of(error.range), "").help_if(help));
                None
            }
        }
    }

    /// `[taskr] env`.
    pub(super) fn inherit(&mut self, value: &Value<'_>, asker: Asker<'_>) -> bool {
        match value.get_ref() {
            DeValue::String(text) if text == "inherit" => true,
            DeValue::String(text) => {
                let message = format!("`env` cannot be {}", quoted(text));
                let place = self.place(value.span());
                self.refuse(Diagnostic::error(message).at(place, "").help(
                    "write env = \"inherit\", or leave it out: tasks then see what they name",
                ));
                false
            }
            DeValue::Table(_) => {
                let message = "`env` in [taskr] is no table of variables";
                let place = self.place(first_line(&self.source.text, value.span()));
                self.refuse(
                    Diagnostic::error(message)
                        .at(place, "")
                        .help("variables are set in each target: env = { LANG = \"C\" }"),
                );
                false
            }
            _ => self.wrong_type::<()>(value, asker).is_some(),
        }
    }

    /// `inputs` as a table: a list for each name.
    pub(super) fn parts(&mut self, target: &mut Target, table: &DeTable<'_>) {
        let mut inputs: Vec<Text> = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let example = format!("{name} = [\"src/**\"]");
            let asks = "a list of strings";
            let asker = Asker { name, asks, example: &example, filled: true };
            let named = self.plain_name(key, "list of inputs");
            if let (true, Some(texts)) = (named, self.list(value, asker)) {
                let start = inputs.len();
                inputs.extend(texts);
                let word = Word { text: name.to_owned(), place: self.place(key.span()) };
                target.reads.parts.push((word, start..inputs.len()));
            }
        }
        target.inputs = Some(inputs);
    }
}
