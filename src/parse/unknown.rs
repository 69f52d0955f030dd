//! What to say about a key that is not one.

use toml::de::DeValue;

use super::fields::{FIELDS, Field, SETTINGS, TOP_LEVEL, find, instead, meant};
use super::foreign::{as_variable, is_variable_of_make};
use super::lex::headers;
use super::read::{Asker, Key, Reader, Value};
use super::syntax::in_quotes;
use super::target::Owner;
use crate::error::{Diagnostic, quoted};

/// What stands before the list of all fields.
const ALL_FIELDS: &str = "a target has";

impl Reader {
    /// A key of the file that does not exist.
    pub(super) fn unknown_in_file(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let name: &str = key.get_ref();
        let table = value.get_ref().is_table();
        let (label, help) = if let Some(field) = find(FIELDS, name).filter(|_| !table) {
            let below = "put it below the header of its target: [target.NAME]";
            ("a field of a target", format!("{below}\n{}", field.example))
        } else if find(FIELDS, name).is_some() && find(TOP_LEVEL, name).is_none() {
            let of_one = format!("of one: [target.NAME.{name}]");
            ("a field of targets", format!("of all targets it is [defaults.{name}], {of_one}"))
        } else if let Some(instead) = instead(name) {
            ("", instead.to_owned())
        } else if let Some(field) = find(SETTINGS, name).filter(|_| !table) {
            ("a setting", format!("put it below the header [taskr]\n{}", field.example))
        } else if let Some(field) = meant(TOP_LEVEL, name) {
            ("", did_you_mean(field))
        } else if let (DeValue::String(text), true) = (value.get_ref(), is_variable_of_make(name)) {
            ("", as_variable(name, &in_quotes(text)))
        } else if table {
            ("", format!("a target is written [target.{name}]"))
        } else {
            ("", listed("at the top of the file stand", TOP_LEVEL))
        };
        let what = if table { "table" } else { "key" };
        self.unknown(key, format!("unknown {what} {}", quoted(name)), (label, help));
    }

    /// A key of `[taskr]` that does not exist.
    pub(super) fn unknown_setting(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let name: &str = key.get_ref();
        if self.below_table(key, value, "[taskr]") {
            return;
        }
        let near = meant(SETTINGS, name).map(did_you_mean);
        let help = near.unwrap_or_else(|| listed("[taskr] has", SETTINGS));
        self.unknown(key, format!("unknown setting {}", quoted(name)), ("", help));
    }

    /// A field of a target that does not exist.
    pub(super) fn unknown_in_target(&mut self, owner: Owner<'_>, key: &Key<'_>, value: &Value<'_>) {
        let name: &str = key.get_ref();
        let (header, words) = (&owner.header(), &owner.words());
        if self.below_table(key, value, header) {
            return;
        }
        let near = meant(FIELDS, name);
        // `output = ["app"]` is no setting of the whole build.
        let is_list = near.is_some() && matches!(value.get_ref(), DeValue::Array(_));
        let is_setting = !is_list && !value.get_ref().is_table();
        if let Some(setting) = find(SETTINGS, name).filter(|_| is_setting) {
            let message = format!("`{name}` belongs to [taskr], not to {words}");
            let mut help = format!("put it below the header [taskr]\n{}", setting.example);
            if let Some(field) = near {
                help.push_str(&format!(
                    "\nor, if the field `{}` was meant, write that",
                    field.name
                ));
            }
            return self.unknown(key, message, ("a setting of the whole build", help));
        }
        if value.get_ref().is_table() {
            let message = format!("a dot makes {} a part of {words}", quoted(name));
            let outer = header.trim_end_matches(']');
            let mut help = match outer[1..].split_once('.') {
                Some((what, _)) => format!("names of {what}s hold no dots; write {outer}-{name}]"),
                None => format!("what only some targets take over is written [template.{name}]"),
            };
            if let Some(field) = near {
                help.push_str(&format!(
                    "\nor, if the field `{0}` was meant, {outer}.{0}]",
                    field.name
                ));
            }
            return self.unknown(key, message, ("no field of a target", help));
        }
        let help = match instead(name) {
            Some(instead) => instead.to_owned(),
            None => near.map(did_you_mean).unwrap_or_else(|| self.all_fields()),
        };
        let message = format!("unknown field {} in {words}", quoted(name));
        self.unknown(key, message, ("", help));
    }

    /// The fields of a target; where they were listed already only that they were.
    fn all_fields(&self) -> String {
        let helps = self.problems.iter().filter_map(|problem| problem.help.as_deref());
        match helps.into_iter().any(|help| help.starts_with(ALL_FIELDS)) {
            true => "all fields are listed with another of these mistakes".to_owned(),
            false => listed(ALL_FIELDS, FIELDS),
        }
    }

    /// A key of the file that landed under a table, because TOML gives every line to the table
    /// above it. Says so, and whether it was one.
    pub(super) fn below_table(&mut self, key: &Key<'_>, value: &Value<'_>, header: &str) -> bool {
        let name: &str = key.get_ref();
        let is_table = matches!(value.get_ref(), DeValue::Table(_));
        if is_table || !matches!(name, "default" | "include") {
            return false;
        }
        let first = headers(&self.source.text).next().filter(|at| *at < key.span().start);
        let help = match first {
            Some(at) => format!(
                "in TOML every line belongs to the table above it:\nmove this one above line {}",
                self.place(at..at).line()
            ),
            None => format!("put it at the top of the file: {name} = …"),
        };
        let place = self.place(key.span());
        let problem =
            Diagnostic::error(format!("`{name}` belongs at the top of the file, not in {header}"));
        self.refuse(problem.at(place, "").help(help));
        true
    }

    /// A field of a target that stands right under `[target]`, where names of targets stand.
    pub(super) fn field_without_target(&mut self, key: &Key<'_>, value: &Value<'_>) -> bool {
        let Some(field) = find(FIELDS, key.get_ref()) else { return false };
        let Asker { asks, .. } = field.into();
        if matches!(value.get_ref(), DeValue::Table(_) | DeValue::String(_)) {
            return false;
        }
        let place = self.place(key.span());
        let problem = Diagnostic::error(format!("`{}` stands in [target] itself", field.name));
        let help = format!(
            "below [target] stand names of targets. `{}`, {asks}, is a field of one:\n[target.NAME]\n{}",
            field.name, field.example
        );
        self.refuse(problem.at(place, "read as the name of a target").help(help));
        true
    }

    pub(super) fn unknown(
        &mut self,
        key: &Key<'_>,
        message: String,
        (label, help): (&str, String),
    ) {
        let place = self.place(key.span());
        self.refuse(Diagnostic::error(message).at(place, label).help(help));
    }
}

pub(super) fn did_you_mean(field: &Field) -> String {
    format!("did you mean `{}`, as in: {}", field.name, field.example)
}

/// The names of fields behind some words.
fn listed(before: &str, fields: &[Field]) -> String {
    crate::error::listed(before, fields.iter().map(|field| field.name))
}
