//! The end of a run: what failed and what that kept from running, then everything in numbers.
//!
//! Knows what it was told of each task, in order. A run can have 100,000 failures: the first are
//! kept with their output, the others with a line.

use std::io::Write;

use super::Options;
use super::sink::Sink;
use super::words::{BAD, ending, indented, interrupted, one_line, paint, speed_up, totals};
use crate::outcome::{Failure, Finish, Summary, shown};

/// So many failures are told with command and output; of others only the line.
const FULL_FAILURES: usize = 10;

/// So many skipped and cancelled tasks are named.
const NAMED: usize = 10;

/// So many lines of a failed command or script are told.
const COMMAND_LINES: usize = 10;

/// The tasks of a run that did not succeed, in the order in which they ended.
#[derive(Default)]
pub(super) struct Ends {
    failures: Vec<Failed>,
    /// Skipped and cancelled ones.
    others: Vec<String>,
    others_count: usize,
}

/// `line` without the sign and colour.
struct Failed {
    line: String,
    failure: Option<Failure>,
}

impl Ends {
    /// A task ended so.
    pub(super) fn note(
        &mut self,
        name: &str,
        finish: &Finish,
        failure: Option<&Failure>,
        duration_ms: u64,
    ) {
        let line = || {
            let what = failure.map(|failure| failure.what.as_str());
            let (word, rest) = ending(finish, what, duration_ms);
            format!("{}  {word}{rest}", one_line(name))
        };
        match finish {
            Finish::Failed | Finish::Unstable => {
                let full = self.failures.len() < FULL_FAILURES;
                let failure = failure.filter(|_| full).cloned();
                self.failures.push(Failed { line: line(), failure });
            }
            Finish::Skipped | Finish::Cancelled => {
                self.others_count += 1;
                if self.others.len() < NAMED {
                    self.others.push(line());
                }
            }
            Finish::Group | Finish::Fresh | Finish::Ran | Finish::WouldRun => {}
        }
    }

    /// Writes the end of the run; quiet, only what went wrong.
    pub(super) fn write<W: Write>(&self, out: &mut Sink<W>, options: Options, summary: &Summary) {
        let quiet = options.verbosity < 0;
        let mut told = self.failures.len();
        if told > 0 && out.used() {
            out.put(b"\n");
        }
        for failed in &self.failures {
            failed.write(out, options);
        }
        if !quiet {
            told += self.others_count;
            self.write_others(out);
            if told > 0 {
                out.put(b"\n");
            }
            out.line(&totals(summary));
            if let Some(line) = speed_up(summary) {
                out.line(&line);
            }
        }
        if let Some(signal) = summary.signal {
            out.line(&interrupted(signal));
        }
    }

    fn write_others<W: Write>(&self, out: &mut Sink<W>) {
        for line in &self.others {
            out.line(&format!("- {line}"));
        }
        if self.others_count > self.others.len() {
            out.line(&format!("- and {} more", self.others_count - self.others.len()));
        }
    }
}

impl Failed {
    fn write<W: Write>(&self, out: &mut Sink<W>, options: Options) {
        out.line(&paint(options.colour, BAD, &format!("✗ {}", self.line)));
        let Some(failure) = &self.failure else { return };
        let command = indented(&failure.command);
        for line in command.lines().take(COMMAND_LINES) {
            out.line(line);
        }
        if command.lines().nth(COMMAND_LINES).is_some() {
            out.line("  …");
        }
        for line in failure.tail.split_inclusive(|&byte| byte == b'\n') {
            out.task_line("  | ", line, options.terminal);
        }
        if !failure.log.is_empty() {
            out.line(&format!("  log: {}", shown(&failure.log)));
        }
    }
}
