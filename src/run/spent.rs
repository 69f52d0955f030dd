//! What taskr's own time goes to: stages, one after another.
//!
//! Asks the clock only if somebody wants to know.

use std::time::Instant;

use super::Listener;
use crate::outcome::Event;

/// Stages that follow one another.
pub(super) struct Laps(Option<Instant>);

impl Laps {
    /// The first stage begins.
    pub(super) fn begin(wanted: bool) -> Laps {
        Laps(wanted.then(Instant::now))
    }

    /// A stage ends, the next begins.
    pub(super) fn end(&mut self, name: &'static str, listener: &mut Listener<'_>) {
        let Some(begun) = self.0 else { return };
        let ended = Instant::now();
        listener(&Event::Stage { name, task: None, begun, ended });
        self.0 = Some(ended);
    }
}
