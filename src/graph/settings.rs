//! What `[taskr]` says of the run as a whole, its expressions evaluated.

use std::sync::Arc;

use super::scope::{Scope, Surroundings};
use super::text::{diagnostic, nothing_ready};
use crate::error::{Diagnostic, Error};
use crate::parse::{self, Taskfile};

/// The value of `[taskr] jobs`: the number of processors, a part of it, or a number.
///
/// # Errors
/// Its expression fails, or asks for the profile.
pub fn jobs(
    taskfile: &Taskfile,
    surroundings: &Arc<Surroundings>,
) -> Result<Option<String>, Error> {
    let help = "name the number of jobs, or give it with -j";
    value(taskfile.jobs.as_ref(), ("jobs", help), surroundings)
}

/// The value of `[taskr] output`: which output of tasks is shown.
///
/// # Errors
/// As of [`jobs`].
pub fn output(
    taskfile: &Taskfile,
    surroundings: &Arc<Surroundings>,
) -> Result<Option<String>, Error> {
    let help = "write one of the words, or give it with --output";
    value(taskfile.output.as_ref(), ("output", help), surroundings)
}

/// The value of a setting: what it is called, and what to write instead of the profile.
fn value(
    text: Option<&parse::Text>,
    (name, help): (&str, &str),
    surroundings: &Arc<Surroundings>,
) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    let mut names = text.template.names().iter();
    if let Some(profile) = names.find(|name| name.path == "profile") {
        let message = format!("`{name}` holds for all profiles: several may be built at once");
        let wrong = Diagnostic::error(message).at(text.place_of(profile.range.clone()), "");
        return Err(wrong.help(help).into());
    }
    let scope = Scope::new(surroundings.clone(), Arc::default(), "");
    let resolve = |name: &str| scope.value(name, &nothing_ready);
    let value = text.template.text(&resolve).map_err(|error| {
        Error::Taskfile(vec![diagnostic(&error, Some(text.place_of(error.range.clone())))])
    })?;
    Ok(Some(value))
}
