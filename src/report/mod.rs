//! What a run shows: events become lines and blocks for people ([`Lines`]), JSON lines for
//! programs ([`Json`]), or a picture of who worked when ([`Trace`]); a [`Board`] shows them on a
//! terminal with a status line below, and to other terminals.
//!
//! Knows events and the writers it was given. It does not know the plan, the graph or whether a
//! writer is a terminal: the caller says. Nothing here fails: a writer that cannot be written to
//! is remembered as broken and left alone, so that `taskr | head` ends quietly.

mod board;
mod clean;
mod json;
mod lines;
mod progress;
mod screen;
mod share;
mod sink;
mod summary;
mod trace;
mod words;

#[cfg(test)]
mod tests;

use crate::outcome::Event;

pub use board::{Board, Size, Terminal};
pub use clean::Clean;
pub use json::{EVENTS_HEAD, EVENTS_VERSION, Json};
pub use lines::Lines;
pub use share::{Share, running};
pub use sink::write_all;
pub use trace::{TRACE_HEAD, Trace};
pub use words::{chain, cut, cut_middle, duration, one_line};

/// Hears what happens in a run, in order.
pub trait Listener {
    /// Something happened. Returns soon: the loop of the run waits for it.
    fn event(&mut self, event: &Event<'_>);
}

/// Which output of tasks is shown, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One block a task when it ends; a task that runs alone is shown as it writes.
    #[default]
    Grouped,
    /// Line by line as it comes, the task's name before each.
    Stream,
    /// As [`Mode::Grouped`] when they end, but only of tasks that failed.
    Failed,
    /// No output of tasks but the last lines of those that failed, at the end.
    None,
}

/// How [`Lines`] writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which output of tasks is shown.
    pub mode: Mode,
    /// -1: failures and warnings only; 0: a line for each task that ran; 1: why it ran, too;
    /// 2: its key and command, too.
    pub verbosity: i8,
    /// Whether taskr's own words are coloured, on both streams.
    pub colour: bool,
    /// Whether a terminal reads this: control sequences of tasks are then shown, not sent. Colours
    /// pass.
    pub terminal: bool,
}
