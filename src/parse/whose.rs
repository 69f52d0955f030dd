//! Whose a value is that a target took over: what is wrong with it is told with the table that it is
//! from and the target that has it, and once for all targets that do.

use std::sync::Arc;

use super::{Layer, Target, Taskfile};
use crate::error::{self, Diagnostic, Error, Place, quoted};

impl Target {
    /// The table that a place of this target lies in, if not in the target's own.
    pub fn layer_of(&self, place: &Place) -> Option<&Layer> {
        self.uses.layers.iter().find(|layer| layer.holds(place)).map(Arc::as_ref)
    }

    /// Whether what stands at a place of a table was taken over: not every target takes all.
    fn took(&self, place: &Place) -> bool {
        let mut places = self.texts().map(|text| &text.place);
        let is_there = |all: &Place| all.span.contains(&place.span.start);
        self.layer_of(place).is_some()
            && (places.any(is_there) || self.keys.iter().any(|(_, key)| is_there(key)))
    }

    /// Adds to what is wrong with a value that was taken over whose it is. `task` is the one of
    /// several, if it is known.
    pub fn explain(&self, wrong: Diagnostic, task: Option<&str>) -> Diagnostic {
        let places = wrong.place.iter().chain(wrong.also.iter().map(|(place, _)| place));
        let Some(layer) = places.filter_map(|place| self.layer_of(place)).next() else {
            return wrong;
        };
        let of = match task.filter(|task| *task != self.name) {
            Some(task) => format!("task {}", quoted(task)),
            None => format!("target {}", quoted(&self.name)),
        };
        let what = match wrong.place.as_ref().and_then(|place| self.layer_of(place)) {
            Some(_) => "from",
            None => "in part from",
        };
        let note = format!("{what} {}, for {of} at {}", layer.header, self.place);
        if wrong.notes.contains(&note) { wrong } else { wrong.note(note) }
    }
}

impl Taskfile {
    /// Adds to what is wrong with values that were taken over by whom they are.
    pub fn explain(&self, error: Error) -> Error {
        let Error::Taskfile(wrong) = error else { return error };
        Error::Taskfile(wrong.into_iter().map(|one| self.explained(one)).collect())
    }

    fn explained(&self, wrong: Diagnostic) -> Diagnostic {
        let Some(place) = &wrong.place else { return wrong };
        let mut layers = self.every().flat_map(|file| file.reuse.layers());
        let Some(layer) = layers.find(|layer| layer.holds(place)) else { return wrong };
        let from = format!("from {}", layer.header);
        if wrong.notes.iter().any(|note| note.starts_with(&from)) {
            return wrong;
        }
        let targets = self.every().flat_map(|file| file.targets.values());
        let users = targets.filter(|target| target.took(place));
        let users: Vec<&str> = users.map(|target| target.name.as_str()).collect();
        match users[..] {
            [] => wrong,
            [only] => wrong.note(format!("{from}, for target {}", quoted(only))),
            [first, ..] => {
                let more = users.len() - 1;
                wrong.note(format!("{from}, for target {} and {more} more", quoted(first)))
            }
        }
    }
}

/// What is wrong with a table that several targets take over is told once, for the first of them.
pub fn told_once(wrong: Vec<Diagnostic>, layers: &[Arc<Layer>]) -> Vec<Diagnostic> {
    error::told_once(wrong, "target", |place| layers.iter().any(|layer| layer.holds(place)))
}
