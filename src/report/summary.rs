//! The end of a run: what failed and what that kept from running, then everything in numbers.
//!
//! Knows what it was told of each task, in order. A run can have 100,000 failures: the first are
//! kept with their output, the others with a line.

use std::io::Write;

use super::Options;
use super::sink::Sink;
use super::words::{
    BAD, CARE, checked, indented, interrupted, out_of_time, paint, pipeline, saved, speed_up,
    totals,
};
use crate::error::render_diagnostics;
use crate::outcome::{Failure, Summary, shown};

/// So many failures are told with command and output; of others only the line.
const FULL_FAILURES: usize = 10;

/// So many skipped and cancelled tasks are named.
const NAMED: usize = 10;

/// So many lines of a failed command or script are told.
const COMMAND_LINES: usize = 10;

/// So many characters of it.
const COMMAND_CHARACTERS: usize = 1_000;

/// Longer lines of the Taskfile are cut around their place.
const WIDTH: usize = 100;

/// A failure that was shown no more lines ago is still on the screen, and not shown again.
const SHORT_AGO: usize = 20;

/// The tasks of a run that did not succeed, in the order in which they ended.
#[derive(Default)]
pub(super) struct Ends {
    failures: Vec<Failed>,
    skipped: Vec<String>,
    skipped_count: usize,
}

/// A failed task. All is printable; `brief` and `line` are without the sign and colour.
pub(super) struct Failed {
    /// Its name.
    pub(super) task: String,
    /// `app  failed`
    pub(super) brief: String,
    /// `app  failed after 0.3s: exit 1`
    pub(super) line: String,
    pub(super) failure: Option<Failure>,
    /// It is no harm.
    pub(super) allowed: bool,
    /// Where among the lines it was shown whole, if it was.
    pub(super) shown_at: Option<usize>,
}

impl Ends {
    /// A task failed.
    pub(super) fn failed(&mut self, mut failed: Failed) {
        if self.failures.len() >= FULL_FAILURES {
            failed.failure = None;
        }
        self.failures.push(failed);
    }

    /// A task was skipped: `app  skipped: lib failed`.
    pub(super) fn skipped(&mut self, line: impl FnOnce() -> String) {
        self.skipped_count += 1;
        if self.skipped.len() < NAMED {
            self.skipped.push(line());
        }
    }

    /// Writes the end of the run; quiet, only what went wrong.
    pub(super) fn write<W: Write>(&self, out: &mut Sink<W>, options: Options, summary: &Summary) {
        let quiet = options.verbosity < 0;
        let mut told = self.failures.len();
        let lines = out.lines();
        if told > 0 && lines > 0 {
            out.put(b"\n");
        }
        for gate in summary.gates.iter().filter(|gate| !gate.passed()) {
            told += 1;
            out.line(&paint(options.colour, BAD, &format!("✗ the run: {gate}")));
        }
        for failed in &self.failures {
            match failed.shown_at {
                Some(at) if lines - at <= SHORT_AGO => failed.write_brief(out, options),
                _ => failed.write(out, options),
            }
        }
        if !quiet {
            told += self.skipped_count;
            self.write_skipped(out);
            if told > 0 {
                out.put(b"\n");
            }
            out.line(&totals(summary));
            let asked = options.verbosity > 0;
            for line in summary.pipelines.iter().filter_map(pipeline) {
                out.line(&line);
            }
            for line in checked(summary)
                .into_iter()
                .chain(speed_up(summary, asked))
                .chain(saved(summary, asked))
            {
                out.line(&line);
            }
        }
        if let Some(time) = &summary.timed_out {
            out.line(&out_of_time(time));
        }
        if let Some(signal) = summary.signal {
            out.line(&interrupted(signal));
        }
    }

    fn write_skipped<W: Write>(&self, out: &mut Sink<W>) {
        for line in &self.skipped {
            out.line(&format!("- {line}"));
        }
        if self.skipped_count > self.skipped.len() {
            out.line(&format!("- and {} more", self.skipped_count - self.skipped.len()));
        }
    }
}

impl Failed {
    fn signed(&self, options: Options, line: &str) -> String {
        match self.allowed {
            true => paint(options.colour, CARE, &format!("! {line}")),
            false => paint(options.colour, BAD, &format!("✗ {line}")),
        }
    }

    /// One line: all else stands a little above.
    fn write_brief<W: Write>(&self, out: &mut Sink<W>, options: Options) {
        let mut line = self.signed(options, &self.brief);
        if let Some(failure) = self.failure.as_ref().filter(|failure| !failure.log.is_empty()) {
            line += &format!("   log: {}", shown(&failure.log));
        }
        out.line(&line);
    }

    fn write<W: Write>(&self, out: &mut Sink<W>, options: Options) {
        out.line(&self.signed(options, &self.line));
        let Some(failure) = &self.failure else { return };
        put_place(out, failure, options.colour);
        put_command(out, &failure.command, &self.task);
        for line in failure.tail.split_inclusive(|&byte| byte == b'\n') {
            out.task_line("  | ", line, options.terminal);
        }
        if !failure.log.is_empty() {
            out.line(&format!("  log: {}", shown(&failure.log)));
        }
    }
}

/// Where the Taskfile is wrong and what to write instead. What is wrong stands above.
pub(super) fn put_place<W: Write>(out: &mut Sink<W>, failure: &Failure, colour: bool) {
    let Some(wrong) = failure.wrong.as_deref() else { return };
    let text = render_diagnostics(std::slice::from_ref(wrong), colour, WIDTH);
    for line in text.lines().skip(1) {
        out.line(line);
    }
}

/// The beginning of a failed command or script, and what shows the rest.
pub(super) fn put_command<W: Write>(out: &mut Sink<W>, command: &str, task: &str) {
    let end = command.char_indices().nth(COMMAND_CHARACTERS).map_or(command.len(), |(at, _)| at);
    let lines: Vec<&str> = command[..end].lines().take(COMMAND_LINES).collect();
    for line in indented(&lines.join("\n")).lines() {
        out.line(line);
    }
    if end < command.len() || command.lines().nth(COMMAND_LINES).is_some() {
        out.line(&format!("  … (all of it: `taskr show --json {task}`)"));
    }
}
