//! An explanation for programs: the facts that are told to people, as one object.

use serde_json::{Value, json};

use super::chain::{Chain, Hop, State};
use super::changed::Changed;
use super::compared::Compared;
use super::facts::Facts;
use super::reads::{Asked, How};
use crate::cli::json_out;
use crate::outcome::{Cause, shown};

/// One task with all that is said of it.
pub(super) fn task(facts: &Facts, changed: &Changed, chain: &Chain) -> Value {
    let hops: Vec<Value> = chain.hops.iter().map(|at| hop(facts, changed, at)).collect();
    let first = chain.hops.first();
    json!({
        "task": first.map(|first| facts.name(first.task)),
        "state": first.map(|first| state(&first.state)),
        "hops": hops,
        "more_causes": chain.more_causes,
        "more_tasks": chain.more_tasks,
    })
}

fn hop(facts: &Facts, changed: &Changed, hop: &Hop) -> Value {
    let (run, failure) = match &hop.state {
        State::Fresh(Some(kept)) | State::Ran(kept) => (Some(&kept.run), kept.failure.clone()),
        State::WouldRun => (None, facts.last_failure(hop.task)),
        State::Failed(what) => (None, Some(what.clone())),
        _ => (None, None),
    };
    let causes: Vec<Value> = hop.causes.iter().map(|told| cause(changed, told)).collect();
    json!({
        "task": facts.name(hop.task),
        "state": state(&hop.state),
        "depth": hop.depth,
        "left_out_above": hop.between,
        "run": run,
        "failure": failure,
        "causes": causes,
        "more_causes": hop.more,
    })
}

fn cause(changed: &Changed, cause: &Cause) -> Value {
    let mut value = cause.to_json();
    value["lines"] = json!(changed.lines(cause));
    value
}

fn state(state: &State) -> &'static str {
    match state {
        State::Fresh(_) => "up_to_date",
        State::WouldRun => "would_run",
        State::WouldRestore => "would_restore",
        State::Running(_) => "running",
        State::Ran(_) => "ran",
        State::Failed(_) => "failed",
        State::Skipped | State::WhenFalse(_) => "skipped",
        State::Group(_) => "group",
    }
}

/// All that was compared.
pub(super) fn compared(compared: &Compared) -> Value {
    let rows = compared.rows.iter();
    let rows: Vec<Value> =
        rows.map(|row| json!({ "kind": row.kind, "name": row.name, "note": row.more })).collect();
    let newest = compared.newest.as_ref();
    json!({
        "run": compared.run,
        "recorded_ms": compared.ended_ms,
        "equal": rows,
        "newest_input": newest.map(|(path, ms)| json!({ "path": path, "written_ms": ms })),
    })
}

/// How a file stands to a task.
pub(super) fn asked(facts: &Facts, asked: &Asked) -> Value {
    let maker = match &asked.how {
        How::Made(maker) => Some(facts.name(*maker)),
        _ => None,
    };
    let readers: Vec<&str> = asked.readers.iter().map(|&task| facts.name(task)).collect();
    json!({
        "file": shown(&asked.path),
        "is_input": asked.how.is_input(),
        "how": asked.how.code(),
        "made_by": maker,
        "place": json_out::place(asked.how.place()),
        "readers": readers,
        "text": asked.text(facts),
    })
}
