//! What `[taskr]` says of a run as a whole, its expressions evaluated: how many tasks at once, which
//! output is shown, the gates of the run. They see the variables of the workspace's own file, and nothing of one profile: a run
//! may build several.

use super::Lack;
use super::checks::gate_of;
use super::expand::Settings;
use super::names::reads;
use super::scope::Scope;
use super::text::{diagnostic, nothing_ready};
use super::vars::file_scope;
use crate::error::{Diagnostic, Error, listed, nearest, quoted};
use crate::outcome::{Gate, RUN_METRICS};
use crate::parse::{Taskfile, Text};

/// The value of `[taskr] jobs`: the number of processors, a part of it, or a number. None if it is
/// not written, or needs what a command prints and none is run.
///
/// # Errors
/// An expression that means nothing, or differs from profile to profile.
pub fn jobs(taskfile: &Taskfile, settings: &Settings) -> Result<Option<String>, Error> {
    let Some(text) = &taskfile.jobs else { return Ok(None) };
    let scope = file_scope(taskfile, taskfile, settings)?;
    let help = "the number of jobs, or give it with -j";
    Ok(value(taskfile, &scope, ("jobs", help), text)?)
}

/// The value of `[taskr] output`: which output of tasks is shown.
///
/// # Errors
/// As of [`jobs`].
pub fn output(taskfile: &Taskfile, settings: &Settings) -> Result<Option<String>, Error> {
    let Some(text) = &taskfile.output else { return Ok(None) };
    let scope = file_scope(taskfile, taskfile, settings)?;
    let help = "one of the words, or give it with --output";
    Ok(value(taskfile, &scope, ("output", help), text)?)
}

/// The gates of the run itself: `[taskr] gates`.
///
/// # Errors
/// A name that means nothing for a run, a text that is no limit, or differs from profile to profile.
pub fn run_gates(taskfile: &Taskfile, settings: &Settings) -> Result<Vec<Gate>, Error> {
    let scope = file_scope(taskfile, taskfile, settings)?;
    let names = || RUN_METRICS.iter().map(|(name, _)| *name);
    let (mut gates, mut wrong) = (Vec::new(), Vec::new());
    for (name, (place, text)) in &taskfile.gates {
        if !names().any(|known| known == name) {
            let near = nearest(name, names()).map(|near| format!("did you mean `{near}`?\n"));
            let all = listed("a run has", names());
            let problem = Diagnostic::error(format!("a run has no {}", quoted(name)));
            wrong.push(problem.at(place.clone(), "").help(near.unwrap_or_default() + &all));
            continue;
        }
        match value(taskfile, &scope, (name, "the limit"), text) {
            Ok(limit) => match limit.map(|limit| gate_of(name, text, &limit)).transpose() {
                Ok(gate) => gates.extend(gate),
                Err(problem) => wrong.push(problem),
            },
            Err(problem) => wrong.push(problem),
        }
    }
    gates.sort_by(|a: &Gate, b| a.name.cmp(&b.name));
    if wrong.is_empty() { Ok(gates) } else { Err(Error::Taskfile(wrong)) }
}

/// None if it needs what a command prints and none is run. `help` is what to write where it differs
/// from profile to profile.
fn value(
    taskfile: &Taskfile,
    scope: &Scope,
    (field, help): (&str, &str),
    text: &Text,
) -> Result<Option<String>, Diagnostic> {
    let is_set = |name: &str| taskfile.set_by_profile(name).is_some();
    let differs = reads(text, scope).into_iter().find(|read| match read.variable {
        true => is_set(&read.head),
        false => read.head == "profile",
    });
    if let Some(read) = differs {
        let problem =
            format!("`{field}` holds for all profiles, and `{}` differs in them", read.head);
        let problem = Diagnostic::error(problem).at(read.place, "");
        return Err(problem.help(format!("several may be built at once: write {help}")));
    }
    let resolve = |name: &str| scope.value(name, &nothing_ready);
    match (text.template.text(&resolve), scope.lack()) {
        (Ok(value), _) => Ok(Some(value)),
        (Err(_), Some(Lack::Unasked(_))) => Ok(None),
        (Err(_), Some(Lack::Failed(wrong))) => Err(*wrong),
        (Err(error), None) => Err(diagnostic(&error, Some(text.place_of(error.range.clone())))),
    }
}
