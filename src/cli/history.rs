//! `taskr history`: the last runs, the newest first. Changes nothing.

use std::path::Path;

use serde_json::{Value, json};

use super::End;
use super::amounts::ago;
use super::args::History;
use super::columns::fitting;
use super::json_out::version;
use super::out::print;
use super::runs::{Past, began_ms, files, past};
use super::status::unix_ms;
use super::terminal::out_width;
use super::workspace::Workspace;
use crate::error::Error;
use crate::report::{cut, duration, one_line};

/// A command line is shown so far.
const COMMAND: usize = 40;

pub(super) fn history(args: &History, workspace: &Workspace) -> Result<End, Error> {
    let text = match args.json {
        true => format!("{:#}\n", as_json(past(&workspace.root))),
        false => as_text(&workspace.root, usize::from(args.number), unix_ms()),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

fn as_text(root: &Path, most: usize, now_ms: u64) -> String {
    let heads = ["run", "when", "command", "tasks", "wall", "speed-up", "end"];
    let mut rows = vec![heads.map(str::to_owned)];
    for (number, run) in (1..).zip(past(root).take(most)) {
        rows.push([
            format!("{number:3}"),
            ago(began_ms(&run.id), now_ms),
            cut(&one_line(&run.command()), COMMAND),
            counts(&run),
            duration(run.number("wall_ms")),
            run.speed_up(),
            run.end(),
        ]);
    }
    if rows.len() == 1 {
        return "no run that ran or restored anything is known here\n".to_owned();
    }
    // How a run ended says more than what was typed, and than how many.
    let mut text = fitting(rows, out_width(), &[2, 3]);
    // Not read: each can be large.
    let all = files(root).len();
    if all > most {
        text += &format!("and {} older: `taskr history -n {all}`\n", all - most);
    }
    text
}

/// `2 ran, 1 failed of 212`.
pub(super) fn counts(run: &Past) -> String {
    let words = ["ran", "restored", "failed", "skipped", "cancelled"];
    let parts = words.iter().filter(|word| run.count(word) > 0);
    let parts: Vec<String> = parts.map(|word| format!("{} {word}", run.count(word))).collect();
    let tasks = run.count("tasks");
    match &parts[..] {
        [] => format!("none of {tasks}"),
        parts => format!("{} of {tasks}", parts.join(", ")),
    }
}

/// As the runs left them, but for what each task did.
fn as_json(runs: impl Iterator<Item = Past>) -> Value {
    let runs = runs.map(|run| {
        let started_ms = began_ms(&run.id);
        let Value::Object(mut fields) = run.value else { return Value::Null };
        fields.retain(|name, _| name != "tasks" && name != "version");
        fields.insert("started_ms".to_owned(), json!(started_ms));
        Value::Object(fields)
    });
    json!({ "version": version(), "runs": runs.collect::<Vec<_>>() })
}
