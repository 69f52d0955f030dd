//! The schema of one line of `--events`. The words behind the fields stand at `report::Json`, which
//! writes them; a test holds both against each other.

use serde_json::{Map, Value, json};

use super::DIALECT;
use crate::report::EVENTS_VERSION;

/// What is of an event: its fields and their types. `?` behind a type: or null; `~` before a
/// field: not always there.
type Fields = &'static [(&'static str, &'static str)];

const TASK: Fields = &[("task", "string"), ("task_id", "count")];

/// Each event, whether it is about a task, and what only it has.
const EVENTS: [(&str, bool, Fields); 17] = [
    (
        "run_started",
        false,
        &[
            ("wanted", "strings"),
            ("tasks", "count"),
            ("jobs", "count"),
            ("dry_run", "boolean"),
            ("changes", "changes?"),
        ],
    ),
    ("task_ready", true, &[]),
    (
        "task_started",
        true,
        &[("reasons", "reasons"), ("key", "digest?"), ("command", "string"), ("at_ms", "count")],
    ),
    ("task_restoring", true, &[("reasons", "reasons"), ("key", "digest"), ("at_ms", "count")]),
    ("task_output", true, &[("~text", "string"), ("~base64", "string")]),
    (
        "task_retrying",
        true,
        &[
            ("failure", "string"),
            ("exit_code", "integer?"),
            ("duration_ms", "count"),
            ("attempt", "count"),
            ("left", "count"),
            ("wait_ms", "count"),
            ("at_ms", "count"),
        ],
    ),
    (
        "task_finished",
        true,
        &[
            ("outcome", "outcome"),
            ("duration_ms", "count"),
            ("saved_ms", "count?"),
            ("exit_code", "integer?"),
            ("attempts", "count"),
            ("retries", "count"),
            ("timed_out", "boolean"),
            ("allowed", "boolean"),
            ("outputs", "outputs"),
            ("fixed", "paths"),
            ("metrics", "metrics?"),
            ("accept", "accept?"),
            ("gates", "gates?"),
            ("log", "bytes?"),
            ("failure", "failure?"),
            ("because", "because?"),
            ("at_ms", "count"),
        ],
    ),
    ("service_started", true, &[("command", "string"), ("named", "boolean"), ("at_ms", "count")]),
    ("service_kept", true, &[("named", "boolean")]),
    ("service_restarts", true, &[("at_ms", "count")]),
    ("service_ready", true, &[("after_ms", "count"), ("named", "boolean"), ("at_ms", "count")]),
    (
        "service_ended",
        true,
        &[("exit_code", "integer?"), ("duration_ms", "count"), ("at_ms", "count")],
    ),
    (
        "task_rolled_back",
        true,
        &[("duration_ms", "count"), ("failure", "failure?"), ("at_ms", "count")],
    ),
    ("waiting", false, &[("files", "count"), ("folders", "count")]),
    ("woken", false, &[("edits", "edits")]),
    ("warning", false, &[("~task", "string"), ("~task_id", "count"), ("message", "string")]),
    (
        "run_finished",
        false,
        &[
            ("counts", "counts"),
            ("wall_ms", "count"),
            ("work_ms", "count"),
            ("critical_path", "steps"),
            ("speedup", "number?"),
            ("jobs", "count"),
            ("dry_run", "boolean"),
            ("signal", "integer?"),
            ("allowed", "count"),
            ("retries", "count"),
            ("timed_out", "timed_out?"),
            ("unstable", "count"),
            ("saved_ms", "count"),
            ("services", "count"),
            ("restage", "paths"),
            ("checks", "checks"),
            ("gates", "gates"),
            ("pipelines", "pipelines"),
            ("exit_code", "integer"),
        ],
    ),
];

/// Objects within events.
const OBJECTS: [(&str, Fields); 14] = [
    ("changes", &[("by", "strings"), ("files", "count")]),
    ("reason", &[("code", "string"), ("path", "bytes?"), ("text", "string")]),
    ("output", &[("path", "bytes"), ("size_bytes", "count"), ("digest", "digest")]),
    (
        "failure",
        &[
            ("what", "string"),
            ("command", "string"),
            ("tail", "bytes"),
            ("log", "bytes"),
            ("place", "place?"),
            ("help", "string?"),
        ],
    ),
    ("place", &[("file", "string"), ("line", "count"), ("column", "count")]),
    ("because", &[("code", "string"), ("task", "string?"), ("text", "string")]),
    ("edit", &[("path", "bytes"), ("how", "string")]),
    ("timed_out", &[("after_ms", "count"), ("running", "strings")]),
    ("step", &[("task", "string"), ("duration_ms", "count")]),
    ("accept", &[("run", "count"), ("passed", "count"), ("failed", "string?")]),
    (
        "gate",
        &[("name", "string"), ("must", "string"), ("value", "number?"), ("passed", "boolean")],
    ),
    (
        "checks",
        &[
            ("accept_run", "count"),
            ("accepted", "count"),
            ("gates_checked", "count"),
            ("gates_passed", "count"),
        ],
    ),
    (
        "pipeline",
        &[
            ("name", "string"),
            ("tasks", "count"),
            ("succeeded", "count"),
            ("required", "count"),
            ("fine", "boolean"),
            ("rolled_back", "strings"),
            ("not_rolled_back", "strings"),
        ],
    ),
    (
        "counts",
        &[
            ("tasks", "count"),
            ("fresh", "count"),
            ("restored", "count"),
            ("ran", "count"),
            ("failed", "count"),
            ("skipped", "count"),
            ("cancelled", "count"),
        ],
    ),
];

/// Lists, and what is in them.
const LISTS: [(&str, &str); 8] = [
    ("strings", "string"),
    ("reasons", "reason"),
    ("outputs", "output"),
    ("paths", "bytes"),
    ("edits", "edit"),
    ("steps", "step"),
    ("gates", "gate"),
    ("pipelines", "pipeline"),
];

const OUTCOMES: [&str; 10] = [
    "group",
    "fresh",
    "restored",
    "ran",
    "would_run",
    "would_restore",
    "failed",
    "unstable",
    "skipped",
    "cancelled",
];

pub(super) fn events() -> Value {
    let mut defs: Map<String, Value> =
        OBJECTS.iter().map(|(name, fields)| ((*name).to_owned(), object(fields))).collect();
    for (name, of) in LISTS {
        defs.insert(name.to_owned(), json!({ "type": "array", "items": typed(of) }));
    }
    defs.insert("bytes".to_owned(), bytes());
    let number = json!({ "type": "number" });
    let metrics = json!({ "type": "object", "additionalProperties": number });
    defs.insert("metrics".to_owned(), metrics);
    let one_of: Vec<Value> = EVENTS.iter().map(event_of).collect();
    json!({
        "$schema": DIALECT,
        "title": "an event of taskr",
        "description": "One line of what `taskr --events FILE` writes. Within a version fields are only added.",
        "oneOf": one_of,
        "$defs": defs,
    })
}

fn event_of((name, of_task, fields): &(&str, bool, Fields)) -> Value {
    let mut all = vec![("run", "string")];
    all.extend(TASK.iter().filter(|_| *of_task));
    all.extend(*fields);
    let mut event = object(&all);
    event["title"] = json!(name);
    event["properties"]["v"] = json!({ "const": EVENTS_VERSION });
    event["properties"]["event"] = json!({ "const": name });
    if let Some(required) = event["required"].as_array_mut() {
        required.extend([json!("v"), json!("event")]);
    }
    event
}

fn object(fields: &[(&str, &str)]) -> Value {
    let properties =
        fields.iter().map(|(name, of)| (name.trim_start_matches('~').to_owned(), typed(of)));
    let properties: Map<String, Value> = properties.collect();
    let required = fields.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('~'));
    json!({
        "type": "object",
        "properties": properties,
        "required": required.collect::<Vec<_>>(),
    })
}

fn typed(of: &str) -> Value {
    if let Some(of) = of.strip_suffix('?') {
        return json!({ "anyOf": [typed(of), { "type": "null" }] });
    }
    match of {
        "string" | "boolean" | "integer" | "number" => json!({ "type": of }),
        "count" => json!({ "type": "integer", "minimum": 0 }),
        "digest" => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        "outcome" => json!({ "enum": OUTCOMES }),
        _ => json!({ "$ref": format!("#/$defs/{of}") }),
    }
}

/// A string if they are UTF-8, else base64.
fn bytes() -> Value {
    json!({ "anyOf": [{ "type": "string" }, object(&[("base64", "string")])] })
}
