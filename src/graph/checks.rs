//! From what a target says must hold to the gates of its tasks.

use indexmap::IndexMap;

use super::scope::Scope;
use super::text::nothing_ready;
use crate::error::{Diagnostic, Place, quoted};
use crate::outcome::Gate;
use crate::parse;

/// Limits as they are written: the place of each name, and its text.
type Written = IndexMap<String, (Place, parse::Text)>;

/// The gates of one task, by name.
pub(super) fn gates(written: &Written, scope: &Scope) -> Result<Vec<Gate>, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut gates = Vec::with_capacity(written.len());
    for (name, (_, text)) in written {
        match gate(name, text, scope) {
            Ok(gate) => gates.extend(gate),
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    gates.sort_by(|a, b| a.name.cmp(&b.name));
    if wrong.is_empty() { Ok(gates) } else { Err(wrong) }
}

/// None if the limit needs what a command prints and that is not there.
fn gate(name: &str, text: &parse::Text, scope: &Scope) -> Result<Option<Gate>, Diagnostic> {
    let resolve = |name: &str| scope.value(name, &nothing_ready);
    let limit = scope.settled(text, text.template.text(&resolve))?;
    limit.map(|limit| gate_of(name, text, &limit)).transpose()
}

/// The gate that a limit is; `text` is as it was written.
pub(super) fn gate_of(name: &str, text: &parse::Text, limit: &str) -> Result<Gate, Diagnostic> {
    Gate::parse(name, limit).map_err(|meant| {
        let meant = meant.unwrap_or_else(|| ">= 95".to_owned());
        let message = match text.template.source() == limit {
            true => format!("{} is no limit for `{name}`", quoted(limit)),
            false => format!("the limit for `{name}` comes to {}, which is none", quoted(limit)),
        };
        Diagnostic::error(message).at(text.place.clone(), "").help(format!(
            "write a comparison (`>=`, `<=`, `==`, `!=`, `>` or `<`) and a number:\n{name} = \
             \"{meant}\""
        ))
    })
}
