//! `batch`: how many items go to one process, and what that rules out.

use super::Target;
use super::numbers::Range;
use super::read::{Asker, Reader, Value};
use crate::error::{Diagnostic, quoted};

/// Fields that a target with `batch` cannot have, and why.
const NOT_OF_BATCHES: [(&str, &str); 8] = [
    ("depfile", "one process would write one for all its items"),
    ("installs", "what is set up is not of one item"),
    ("keep_outputs", "what one item left would be another's to find"),
    ("fixes_inputs", "what was fixed is asked of each item alone"),
    ("interactive", "it asks for one item at a time"),
    ("accept", "what is tested is not of one item"),
    ("gates", "its numbers are not of one item"),
    ("rollback", "what it undoes is not of one item"),
];

impl Reader {
    /// A number of items.
    pub(super) fn batch(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<u32> {
        let number = self.number(value, asker, Range { least: 1, most: 10_000 })?;
        u32::try_from(number).ok()
    }

    /// Refuses a batch of what has no items, or cannot share a process.
    pub(super) fn check_batch(&mut self, target: &Target) {
        if target.schedule.batch.is_none() {
            return;
        }
        let (name, place) = (quoted(&target.name), target.place_of("batch").clone());
        if target.foreach.is_none() {
            let message = format!("target {name} has `batch` and no `foreach`");
            self.refuse(
                Diagnostic::error(message)
                    .at(place, "how many items go to one process")
                    .help("add foreach = [\"src/*.c\"]; all inputs at once are `{{ inputs }}`"),
            );
            return;
        }
        let wrong = NOT_OF_BATCHES.iter().find(|(field, _)| match *field {
            "keep_outputs" => target.policy.keep_outputs,
            "fixes_inputs" => target.policy.fixes_inputs,
            "interactive" => target.interactive,
            field => target.has(field),
        });
        if let Some((field, why)) = wrong {
            let message = format!("target {name} has `batch` and `{field}`");
            self.refuse(
                Diagnostic::error(message)
                    .at(place, "several items go to one process")
                    .also(target.place_of(field).clone(), *why)
                    .help(format!("remove `batch`, or `{field}`")),
            );
        }
    }
}
