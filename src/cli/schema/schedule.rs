//! The part of the schema about when and how often tasks run.

use serde_json::{Value, json};

use super::taskfile::{DURATION, TARGET, named};
use crate::parse::Kind;

/// What may stand behind a key of such a kind; none of another.
pub(super) fn value(kind: Kind) -> Option<Value> {
    let number_or = |least: i64, most: i64, pattern: &str| {
        json!({
            "type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": pattern,
        })
    };
    Some(match kind {
        Kind::Retry => retry(),
        Kind::Priority => number_or(-1000, 1000, "^(high|normal|low)$"),
        Kind::Cpus => number_or(1, 10_000, "^all$"),
        Kind::Pools => {
            let mut pools = named(TARGET, &cost());
            pools["type"] = json!(["string", "array", "object"]);
            pools["minLength"] = json!(1);
            pools["items"] = json!({ "type": "string", "minLength": 1 });
            pools["minItems"] = json!(1);
            pools
        }
        Kind::Size => json!({
            "type": "string",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT][iI]?[bB]?)\s*$",
        }),
        Kind::Part => number_or(1, 1_000_000, "^([1-9][0-9]?|100)%$"),
        Kind::Count => json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 }),
        Kind::Batch => json!({ "type": "integer", "minimum": 1, "maximum": 10_000 }),
        Kind::Rate => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        _ => return None,
    })
}

/// `[pool.NAME]`.
pub(super) fn pools() -> Value {
    let rate = json!({ "type": "string", "pattern": "^[1-9][0-9]*/(s|min|h|d)$" });
    let pool = json!({
        "type": "object",
        "properties": { "slots": cost(), "rate": rate },
        "minProperties": 1,
        "additionalProperties": false,
    });
    named(TARGET, &pool)
}

fn cost() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 })
}

fn retry() -> Value {
    let code = json!({ "type": "integer", "minimum": 1, "maximum": 255 });
    let mut codes = code.clone();
    codes["type"] = json!(["integer", "array"]);
    codes["items"] = code;
    codes["minItems"] = json!(1);
    let time = json!({ "type": "string", "pattern": DURATION });
    json!({
        "type": ["integer", "object"], "minimum": 0, "maximum": 1000,
        "properties": {
            "times": { "type": "integer", "minimum": 0, "maximum": 1000 },
            "backoff": time,
            "factor": { "type": "number", "minimum": 1, "maximum": 100 },
            "max": time,
            "on_exit": codes,
        },
        "required": ["times"],
        "additionalProperties": false,
    })
}
