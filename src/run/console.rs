//! Tasks that get the terminal: one at a time, and nothing else beside it, because they count as all
//! of `-j`.

use super::Build;
use crate::ids::TaskId;
use crate::outcome::{Event, TaskRef};
use crate::process::Console;
use crate::workers::{Ended, Result as Outcome};

/// What a terminal sends for Ctrl-C.
const INT: i32 = 2;

/// Who has the terminal.
#[derive(Debug, Default)]
pub(super) struct Held {
    by: Option<TaskId>,
    /// Somebody typed Ctrl-C meanwhile.
    interrupted: bool,
    /// The run was ended by a Ctrl-C whose signal is still to come.
    early: bool,
}

impl Build<'_> {
    fn is_interactive(&self, id: TaskId) -> bool {
        self.graph.task(id).rule.target.interactive
    }

    /// What of taskr's own streams the task gets.
    pub(super) fn console_of(&self, id: TaskId) -> Console {
        if self.is_interactive(id) { self.request.console } else { Console::None }
    }

    /// A task starts: from now on the terminal is its own, if it is interactive.
    pub(super) fn give_console(&mut self, id: TaskId) {
        if !self.is_interactive(id) {
            return;
        }
        self.console = Held { by: Some(id), ..Held::default() };
        if self.request.console == (Console::Terminal { output: true }) {
            let task = TaskRef { id, name: self.graph.name(id) };
            (self.listener)(&Event::TerminalGiven { task });
        }
    }

    /// A task ended. Whether it did so because somebody typed Ctrl-C, which then ends the run.
    pub(super) fn take_console(&mut self, id: TaskId, ended: &Ended) -> bool {
        if self.console.by != Some(id) {
            return false;
        }
        self.hear_signals();
        let well = matches!(ended.result, Outcome::Success(_) | Outcome::Unstable(..));
        let heard = std::mem::take(&mut self.console).interrupted;
        // Its end may be heard of before the signal, which then is still to come.
        let early = !heard && self.has_terminal() && ended.signal == Some(INT);
        let interrupted = (heard || early) && !well;
        if interrupted {
            self.signal(INT);
            self.console.early = early;
        }
        interrupted
    }

    fn has_terminal(&self) -> bool {
        matches!(self.request.console, Console::Terminal { .. })
    }

    /// Whether a signal is the business of the task that has the terminal: it got it, too, and may
    /// go on.
    pub(super) fn is_for_console(&mut self, signal: i32) -> bool {
        if signal != INT || !self.has_terminal() {
            return false;
        }
        let is = self.console.by.is_some();
        self.console.interrupted |= is;
        is || std::mem::take(&mut self.console.early)
    }
}
