//! Whether the command of a target with `batch` is the same whichever items are in it: each item's
//! key counts the command as it is for that item alone, so nothing else of an item may be in it.

use super::names::reads;
use super::scope::Scope;
use crate::error::{Diagnostic, quoted};
use crate::parse;

/// Names that are one task's own, and what to write instead.
const OF_ONE_TASK: [(&str, &str); 5] = [
    ("item", "write `{{ items }}`: all that go to one process, one or many"),
    ("inputs", "write `{{ items }}`; what else it reads it names by its path"),
    ("out", "write to the paths of `{{ outputs }}`, or in place: build/NAME.o"),
    ("state", "name a folder of your own, and take care that processes can share it"),
    ("depfile", "a target with `batch` has no depfile"),
];

/// Variables that are one task's own.
const VARIABLES: [&str; 5] = ["OUT", "STATE", "TASKR_ITEM", "TASKR_TASK", "TASKR_METRICS"];

/// Checks the command and the outputs.
///
/// # Errors
/// What of the command differs from item to item, and outputs that do not.
pub(super) fn check(source: &parse::Target, scope: &Scope) -> Result<(), Vec<Diagnostic>> {
    if source.schedule.batch.is_none() {
        return Ok(());
    }
    let command = match &source.command {
        Some(parse::Command::Shell(texts) | parse::Command::Exec(texts)) => &texts[..],
        None => return Ok(()),
    };
    let name = quoted(&source.name);
    let mut wrong = Vec::new();
    let env = source.env.values().map(|(_, text)| text);
    let around = source.shell.iter().flatten().chain(env).chain(&source.reads.tools);
    for text in command.iter().chain(around) {
        let reads = reads(text, scope);
        let own = OF_ONE_TASK.iter().find_map(|(own, help)| {
            let read = reads.iter().find(|read| read.is(own))?;
            Some((*own, *help, read.place.clone()))
        });
        if let Some((own, help, place)) = own {
            let message = format!(
                "target {name} has `batch`, and its command names `{own}`, which is of one item"
            );
            let batch = source.place_of("batch").clone();
            let problem = Diagnostic::error(message).at(place, "");
            wrong.push(problem.also(batch, "several items go to one process").help(help));
        } else if let Some(variable) = variable_in(text.template.source()) {
            let message = format!(
                "target {name} has `batch`, and its command names `${variable}`, which is of one \
                 item"
            );
            let help = "write `{{ items }}` and `{{ outputs }}`: in a batch no variable is of one \
                        item";
            wrong.push(Diagnostic::error(message).at(text.place.clone(), "").help(help));
        }
    }
    let names_items = |text: &parse::Text| reads(text, scope).iter().any(|read| read.is("items"));
    if wrong.is_empty() && !command.iter().any(names_items) {
        let message = format!("target {name} has `batch`, and its command does not name `items`");
        let problem = Diagnostic::error(message).at(source.place_of("batch").clone(), "");
        wrong.push(problem.help("let it take them, as in run = \"lint {{ items }}\""));
    }
    for text in source.outputs.iter().flatten() {
        if !reads(text, scope).iter().any(|read| read.is("item")) {
            let message =
                format!("target {name} has `batch`, and this output does not name `item`");
            let problem = Diagnostic::error(message).at(text.place.clone(), "");
            wrong.push(
                problem.help("each item has outputs of its own, as in \"build/{{ item.stem }}.o\""),
            );
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The first variable of the shell that is one task's own.
fn variable_in(script: &str) -> Option<&'static str> {
    VARIABLES.into_iter().find(|name| {
        script.match_indices('$').any(|(at, _)| {
            let rest = &script[at + 1..];
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let rest = rest.strip_prefix(*name);
            rest.is_some_and(|rest| {
                !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
            })
        })
    })
}
