//! Pieces of what tools print with `--json`: the same shape in all of them.

use serde_json::{Value, json};

use crate::error::{Diagnostic, Level, Place};

/// The version of these shapes. Within a version fields are only added.
pub(super) fn version() -> u32 {
    1
}

/// A place: lines and columns count from 1, columns in characters; the end is behind the last.
pub(super) fn place(place: Option<&Place>) -> Value {
    let Some(place) = place else { return Value::Null };
    let end = Place::new(&place.source, place.span.end..place.span.end);
    json!({
        "file": place.source.name,
        "line": place.line(),
        "column": place.column(),
        "end_line": end.line(),
        "end_column": end.column(),
    })
}

/// A diagnostic, flat for editors: its place, if it has one, stands among its fields.
pub(super) fn diagnostic(diagnostic: &Diagnostic) -> Value {
    let mut value = place(diagnostic.place.as_ref());
    if value.is_null() {
        let names = ["file", "line", "column", "end_line", "end_column"];
        value = names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
    }
    let labels = diagnostic.also.iter().map(|(at, label)| {
        let mut value = place(Some(at));
        value["message"] = json!(label);
        value
    });
    value["level"] = json!(match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
    });
    value["message"] = json!(diagnostic.message);
    value["label"] = json!(diagnostic.label);
    value["labels"] = labels.collect();
    value["notes"] = json!(diagnostic.notes);
    value["help"] = json!(diagnostic.help);
    value
}
