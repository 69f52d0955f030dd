//! The schema of a Taskfile, made of the table that the parser reads by: a key that is ready there
//! is here, with its words and its example.
//!
//! A schema knows types, names and patterns. What needs a second look (two outputs that clash, an
//! expression that is wrong) `taskr check` tells.

use serde_json::{Map, Value, json};

use super::{DIALECT, schedule};
use crate::parse::{FIELDS, Field, HOOKS, INCLUDE, Kind, PACKAGE, PIPELINE, SETTINGS, TOP_LEVEL};

/// A variable's name.
const NAME: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
/// The same, or the beginning of some and `*`.
const PREFIX: &str = r"^[A-Za-z_][A-Za-z0-9_]*\*?$";
pub(super) const TARGET: &str = "^[A-Za-z0-9_][A-Za-z0-9_-]{0,199}$";
/// A metric's name.
const METRIC: &str = "^[A-Za-z0-9_./-]+$";
/// One line, and blanks around it.
const LINE: &str = r"^\s*[^\n]*\s*$";
pub(super) const DURATION: &str = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$";

pub(super) fn taskfile() -> Value {
    let mut schema = table(TOP_LEVEL);
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("Taskfile.toml");
    schema["description"] = json!("What taskr builds, and how.");
    schema["$defs"] = json!({ "target": target(), "steps": steps() });
    schema
}

/// A target with its fields, or only its command.
fn target() -> Value {
    let mut target = table(FIELDS);
    target["title"] = json!("a target");
    target["type"] = json!(["object", "string"]);
    target["minLength"] = json!(1);
    target["dependentSchemas"] = json!({ "run": { "not": { "required": ["exec"] } } });
    target
}

/// Names and lists of the same.
fn steps() -> Value {
    let step =
        json!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "$ref": "#/$defs/steps" }] });
    json!({ "type": "array", "items": step, "minItems": 1 })
}

/// A pipeline with its fields.
fn pipeline() -> Value {
    let mut pipeline = table(PIPELINE);
    pipeline["title"] = json!("a pipeline");
    pipeline["required"] = json!(["steps"]);
    pipeline
}

/// A table with these keys and no others.
fn table(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(field: &Field) -> Value {
    let mut property = value(field);
    let text = format!(
        "{}.\n\nIn the key: {}.\n\n```toml\n{}\n```",
        field.doc, field.in_key, field.example
    );
    property["description"] = json!(text);
    property
}

/// What may stand behind a key.
fn value(field: &Field) -> Value {
    let text = match field.kind.filled() {
        true => json!({ "type": "string", "minLength": 1 }),
        false => json!({ "type": "string" }),
    };
    match field.kind {
        Kind::Line => json!({ "type": "string", "pattern": LINE }),
        Kind::Path | Kind::Command | Kind::Expression => text,
        Kind::Name => text,
        Kind::Folders => one_or_more(&with(text, &table(INCLUDE)), 0),
        Kind::Uses => one_or_more(&json!({ "type": "string", "pattern": TARGET }), 0),
        Kind::Version => text,
        Kind::Inherit => json!({ "const": "inherit" }),
        Kind::Paths => one_or_more(&text, 0),
        Kind::PathLists => {
            let lists = one_or_more(&text, 0);
            let tables = named(NAME, &lists);
            with(lists, &tables)
        }
        Kind::Script | Kind::Commands => one_or_more(&text, 1),
        Kind::Gates => named(METRIC, &text),
        Kind::Steps => json!({ "$ref": "#/$defs/steps" }),
        Kind::OnError => json!({ "enum": ["stop", "continue", "rollback"] }),
        Kind::Argv => {
            let mut words = one_or_more(&text, 1);
            words["pattern"] = json!("^[^ ]+$");
            words
        }
        Kind::Names => one_or_more(&json!({ "type": "string", "pattern": NAME }), 0),
        Kind::Prefixes => one_or_more(&json!({ "type": "string", "pattern": PREFIX }), 0),
        Kind::Vars => {
            let command = json!({ "sh": { "type": "string", "minLength": 1 } });
            let printed = json!({
                "type": "object",
                "properties": command,
                "required": ["sh"],
                "additionalProperties": false,
            });
            named(NAME, &with(one_or_more(&scalar(), 0), &printed))
        }
        Kind::Env => named(NAME, &scalar()),
        Kind::Axes => {
            let mut axes = named(NAME, &one_or_more(&scalar(), 1));
            let mut combination = named(NAME, &scalar());
            combination["minProperties"] = json!(1);
            axes["properties"] = json!({ "exclude": one_or_more(&combination, 0) });
            axes["minProperties"] = json!(1);
            axes
        }
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Cache => json!({ "enum": [true, false, "local"] }),
        Kind::Duration => json!({ "type": "string", "pattern": DURATION }),
        Kind::Jobs => scalar(),
        Kind::Output => json!({
            "type": "string", "pattern": r"^(grouped|stream|failed|none)$|\{\{",
        }),
        Kind::Ready => ready(),
        Kind::Table => known_table(field.name).unwrap_or_else(|| json!({ "type": "object" })),
        kind => schedule::value(kind).unwrap_or_else(|| json!({})),
    }
}

/// What tells that a service is ready: one of four.
fn ready() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let port = json!({
        "type": ["integer", "string"], "minimum": 1, "maximum": u16::MAX, "minLength": 1,
    });
    let one = ["port", "http", "log", "cmd"].map(|kind| json!({ "required": [kind] }));
    json!({
        "type": "object",
        "properties": {
            "port": port,
            "http": { "type": "string", "pattern": "^http://|\\{\\{" },
            "log": text,
            "cmd": text,
            "timeout": { "type": "string", "pattern": DURATION },
        },
        "additionalProperties": false,
        "oneOf": one,
    })
}

/// The tables that have rules of their own.
fn known_table(name: &str) -> Option<Value> {
    Some(match name {
        "target" => named(TARGET, &json!({ "$ref": "#/$defs/target" })),
        "template" => named(TARGET, &table(FIELDS)),
        "defaults" => table(FIELDS),
        "profile" => {
            let vars = TOP_LEVEL.iter().find(|field| field.name == "vars")?;
            let vars = json!({ "vars": property(vars) });
            let profile =
                json!({ "type": "object", "properties": vars, "additionalProperties": false });
            named(TARGET, &profile)
        }
        "taskr" => table(SETTINGS),
        "package" => table(PACKAGE),
        "pool" => schedule::pools(),
        "pipeline" => named(TARGET, &pipeline()),
        "hooks" => {
            let names = one_or_more(&json!({ "type": "string", "minLength": 1 }), 1);
            let hooks = HOOKS.iter().map(|hook| ((*hook).to_owned(), names.clone()));
            let hooks: Map<String, Value> = hooks.collect();
            json!({ "type": "object", "properties": hooks, "additionalProperties": false })
        }
        _ => return None,
    })
}

/// Text, or a number or boolean that becomes it.
fn scalar() -> Value {
    json!({ "type": ["string", "integer", "boolean"] })
}

/// A list, or one of its elements. One schema for both, since what each keyword asks for is asked
/// only of values of its type: validators then say what is wrong, not that neither of two fits.
fn one_or_more(one: &Value, least: usize) -> Value {
    let mut both = one.clone();
    let mut types = match &one["type"] {
        Value::Array(types) => types.clone(),
        of => vec![of.clone()],
    };
    types.push(json!("array"));
    both["type"] = json!(types);
    both["items"] = one.clone();
    both["minItems"] = json!(least);
    both
}

/// What either of two schemas allows, of which no value has both types.
fn with(mut one: Value, other: &Value) -> Value {
    let mut types: Vec<Value> = Vec::new();
    for of in [&one, other] {
        match &of["type"] {
            Value::Array(some) => types.extend(some.iter().cloned()),
            some => types.push(some.clone()),
        }
    }
    for (name, value) in other.as_object().into_iter().flatten() {
        one[name] = value.clone();
    }
    one["type"] = json!(types);
    one
}

/// A table whose keys are names.
pub(super) fn named(pattern: &str, value: &Value) -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": pattern },
        "additionalProperties": value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_there() {
        let schema = taskfile();
        let target = &schema["$defs"]["target"]["properties"];
        let settings = &schema["properties"]["taskr"]["properties"];
        for (fields, found) in
            [(TOP_LEVEL, &schema["properties"]), (FIELDS, target), (SETTINGS, settings)]
        {
            for field in fields {
                let text = found[field.name]["description"].as_str().unwrap_or_default();
                assert!(text.contains(field.doc), "{}", field.name);
            }
        }
    }

    #[test]
    fn every_table_with_rules_of_its_own_is_known() {
        for field in [TOP_LEVEL, FIELDS, SETTINGS].concat() {
            if field.kind == Kind::Table {
                assert!(known_table(field.name).is_some(), "{}", field.name);
            }
        }
    }
}
