//! From what a target says must hold to the gates of its tasks; and the gates of a run.

use std::sync::Arc;

use indexmap::IndexMap;

use super::scope::{Scope, Surroundings};
use super::text::{diagnostic, nothing_ready};
use crate::error::{Diagnostic, Error, Place, listed, nearest, quoted};
use crate::outcome::{Gate, RUN_METRICS};
use crate::parse::{self, Taskfile};

/// Limits as they are written: the place of each name, and its text.
type Written = IndexMap<String, (Place, parse::Text)>;

/// The gates of one task, by name.
pub(super) fn gates(written: &Written, scope: &Scope) -> Result<Vec<Gate>, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut gates = Vec::with_capacity(written.len());
    for (name, (_, text)) in written {
        match gate(name, text, scope) {
            Ok(gate) => gates.push(gate),
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    gates.sort_by(|a, b| a.name.cmp(&b.name));
    if wrong.is_empty() { Ok(gates) } else { Err(wrong) }
}

fn gate(name: &str, text: &parse::Text, scope: &Scope) -> Result<Gate, Diagnostic> {
    let resolve = |name: &str| scope.value(name, &nothing_ready);
    let limit = text
        .template
        .text(&resolve)
        .map_err(|error| diagnostic(&error, Some(text.place_of(error.range.clone()))))?;
    Gate::parse(name, &limit).map_err(|meant| {
        let meant = meant.unwrap_or_else(|| ">= 95".to_owned());
        let message = match text.template.source() == limit {
            true => format!("{} is no limit for `{name}`", quoted(&limit)),
            false => format!("the limit for `{name}` comes to {}, which is none", quoted(&limit)),
        };
        Diagnostic::error(message).at(text.place.clone(), "").help(format!(
            "write a comparison (`>=`, `<=`, `==`, `!=`, `>` or `<`) and a number:\n{name} = \
             \"{meant}\""
        ))
    })
}

/// The gates of the run itself: `[taskr] gates`.
///
/// # Errors
/// A name that means nothing for a run, a text that is no limit.
pub fn run_gates(
    taskfile: &Taskfile,
    surroundings: &Arc<Surroundings>,
) -> Result<Vec<Gate>, Error> {
    let scope = Scope::new(surroundings.clone(), Arc::default(), "");
    let names = || RUN_METRICS.iter().map(|(name, _)| *name);
    let unknown = taskfile.gates.iter().filter(|(name, _)| !names().any(|known| known == **name));
    let mut wrong: Vec<Diagnostic> = unknown
        .map(|(name, (place, _))| {
            let near = nearest(name, names()).map(|near| format!("did you mean `{near}`?\n"));
            let all = listed("a run has", names());
            Diagnostic::error(format!("a run has no {}", quoted(name)))
                .at(place.clone(), "")
                .help(near.unwrap_or_default() + &all)
        })
        .collect();
    let gates = gates(&taskfile.gates, &scope).map_err(|more| wrong.extend(more));
    match gates {
        Ok(gates) if wrong.is_empty() => Ok(gates),
        _ => Err(Error::Taskfile(wrong)),
    }
}
