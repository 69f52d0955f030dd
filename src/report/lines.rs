//! Events as lines and blocks for people.
//!
//! Knows what was written last, so that the output of one task never stands under the name of
//! another. Output may be large: at most [`HELD_BYTES`] of each running task are in memory, a
//! longer one is read back from its log.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rustc_hash::FxHashMap;
use taskr_cache::Digest;

use super::clean::{Clean, RESET};
use super::sink::Sink;
use super::summary::{Ends, Failed, put_command, put_place};
use super::words::{
    BAD, CARE, FAINT, again, because, duration, ending, first_reason, fixed, indented,
    nothing_reached, nth_attempt, one_line, paint, rollback_failed, waiting, woken,
};
use super::{Listener, Mode, Options};
use crate::files::open_regular;
use crate::ids::TaskId;
use crate::outcome::{Because, Course, Event, Failure, Finish, Reason, Summary, TaskRef, shown};

/// So much output of each running task waits in memory for its block. Also the longest line that
/// stream mode waits for.
const HELD_BYTES: usize = 64 * 1024;

/// A restored task that saved less is not said to have saved anything.
const LEAST_SAVED_MS: u64 = 100;

/// Writes a run for people: what happens and the summary to `out`, warnings to `err`.
///
/// Both get colours if the options say so; a caller whose `err` is a file and whose `out` is a
/// terminal wraps `err` to strip them.
pub struct Lines<W: Write, E: Write> {
    options: Options,
    out: Sink<W>,
    err: Sink<E>,
    run: Run,
}

/// What is known of the present run.
#[derive(Default)]
struct Run {
    dry: bool,
    /// What there is to say of a run that was to build what changes reach, which is nothing.
    untouched: Option<String>,
    /// Tasks that ran or may still have to.
    tasks: usize,
    /// Tasks whose end was told.
    told: usize,
    running: FxHashMap<TaskId, Running>,
    /// The task whose output is shown as it comes.
    live: Option<TaskId>,
    /// The live task, while nothing else was written since its header.
    under: Option<TaskId>,
    ends: Ends,
}

/// A task between its start and its end.
#[derive(Default)]
struct Running {
    /// Lines to go below its header: reasons, key, command.
    details: String,
    /// Output not yet shown.
    held: Vec<u8>,
    /// Whether there was output for which `held` had no room.
    cut: bool,
    /// Set where a terminal reads.
    clean: Option<Clean>,
    /// How many lines there were when it started.
    began: usize,
    /// It is a service; the user asked for it.
    service: bool,
    named: bool,
}

/// Why and how a task starts.
struct Start<'a> {
    reasons: &'a [Reason],
    key: Option<Digest>,
    command: &'a str,
    /// It is not its command that starts.
    restores: bool,
}

/// How a task ended.
struct End<'a> {
    finish: &'a Finish,
    duration_ms: u64,
    saved_ms: Option<u64>,
    course: Course,
    log: Option<&'a Path>,
    fixed: &'a [Vec<u8>],
    failure: Option<&'a Failure>,
    because: Option<Because<'a>>,
}

impl<W: Write, E: Write> Lines<W, E> {
    /// Writes what happens to `out` and warnings to `err`.
    pub fn new(options: Options, out: W, err: E) -> Self {
        Lines { options, out: Sink::new(out), err: Sink::new(err), run: Run::default() }
    }

    /// Whether a write to `out` failed; nothing was written to it since.
    #[cfg(test)]
    pub(super) fn broken(&self) -> bool {
        self.out.broken()
    }

    fn started(&mut self, task: TaskRef<'_>, start: &Start<'_>) {
        let name = one_line(task.name);
        let mut running = Running {
            details: start.details(self.options.verbosity),
            clean: self.options.terminal.then(Clean::default),
            began: self.out.lines(),
            ..Running::default()
        };
        self.earlier_attempt(task, &mut running);
        if self.run.dry {
            self.would_run(&name, start);
        } else if self.options.mode == Mode::Stream && !self.quiet() && !start.restores {
            self.out.line(&format!("started {name}"));
            self.out.put(std::mem::take(&mut running.details).as_bytes());
        }
        self.run.running.insert(task.id, running);
    }

    /// A task that is tried again goes on where it was.
    fn earlier_attempt(&mut self, task: TaskRef<'_>, running: &mut Running) {
        if self.run.under == Some(task.id) {
            self.interrupt();
        }
        match self.run.running.remove(&task.id) {
            Some(earlier) if self.options.mode == Mode::Stream => self.partial_line(task, &earlier),
            Some(earlier) => (running.held, running.cut) = (earlier.held, earlier.cut),
            None => {}
        }
    }

    fn would_run(&mut self, name: &str, start: &Start<'_>) {
        if self.quiet() {
            return;
        }
        let would = if start.restores { "would restore" } else { "would run" };
        self.out.line(&format!("{would} {name}: {}", first_reason(start.reasons)));
        if self.options.verbosity > 0 {
            self.out.put(indented(start.command).as_bytes());
        }
    }

    fn output(&mut self, task: TaskRef<'_>, bytes: &[u8]) {
        let alone = self.run.running.len() == 1;
        let Some(running) = self.run.running.get_mut(&task.id) else { return };
        let apart = running.service && !alone && self.run.live != Some(task.id);
        match self.options.mode {
            _ if self.options.verbosity < 0 => {}
            Mode::None => {}
            Mode::Failed => running.hold(bytes),
            Mode::Stream => self.output_by_line(task, bytes),
            Mode::Grouped if apart => self.output_by_line(task, bytes),
            Mode::Grouped if self.run.live == Some(task.id) || (alone && !running.cut) => {
                self.live_output(task, bytes);
            }
            Mode::Grouped => running.hold(bytes),
        }
    }

    /// Whole lines, the task's name before each.
    fn output_by_line(&mut self, task: TaskRef<'_>, bytes: &[u8]) {
        self.interrupt();
        let Some(running) = self.run.running.get_mut(&task.id) else { return };
        let prefix = prefix(task);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            running.held.extend_from_slice(piece);
            if running.held.ends_with(b"\n") || running.held.len() >= HELD_BYTES {
                self.out.task_line(&prefix, &running.held, self.options.terminal);
                running.held.clear();
            }
        }
    }

    /// Output of a service is shown if the user asked for it: there is no end to wait for.
    fn service_started(&mut self, task: TaskRef<'_>, command: &str, named: bool) {
        if self.options.mode == Mode::Stream && !self.quiet() {
            self.out.line(&format!("started {}", one_line(task.name)));
        }
        self.service_shown(task, command, named);
    }

    /// From now on what it writes is shown, if it is to be.
    fn service_shown(&mut self, task: TaskRef<'_>, command: &str, named: bool) {
        if !named && (self.options.mode != Mode::Stream || self.quiet()) {
            return;
        }
        let start = Start { reasons: &[], key: None, command, restores: false };
        let running = Running {
            details: if self.options.verbosity > 1 { start.details(2) } else { String::new() },
            clean: self.options.terminal.then(Clean::default),
            began: self.out.lines(),
            service: true,
            named,
            ..Running::default()
        };
        self.run.running.insert(task.id, running);
    }

    fn service_ready(&mut self, task: TaskRef<'_>, after_ms: u64, named: bool) {
        if self.quiet() {
            return;
        }
        self.interrupt();
        let end = if named { " (Ctrl-C ends it)" } else { "" };
        let name = one_line(task.name);
        self.out.line(&format!("{name} is ready after {}{end}", duration(after_ms)));
    }

    /// A service that only others needed is gone.
    fn service_ended(&mut self, task: TaskRef<'_>) {
        let is_needed = |running: &Running| running.service && !running.named;
        if self.run.running.get(&task.id).is_some_and(is_needed)
            && let Some(running) = self.run.running.remove(&task.id)
        {
            self.partial_line(task, &running);
        }
    }

    /// Shows output as it comes, below a header.
    fn live_output(&mut self, task: TaskRef<'_>, bytes: &[u8]) {
        if self.run.under != Some(task.id) {
            self.interrupt();
            self.out.line(&format!("{}:", one_line(task.name)));
            self.run.live = Some(task.id);
            self.run.under = Some(task.id);
        }
        if let Some(running) = self.run.running.get_mut(&task.id) {
            self.out.put(std::mem::take(&mut running.details).as_bytes());
            let held = std::mem::take(&mut running.held);
            pour(&mut self.out, &mut running.clean, &held);
            pour(&mut self.out, &mut running.clean, bytes);
        }
    }

    fn rolled_back(&mut self, task: TaskRef<'_>, duration_ms: u64, failure: Option<&Failure>) {
        let name = one_line(task.name);
        if let Some(failure) = failure {
            self.out.line(&rollback_failed(&name, failure, self.options.colour));
            put_command(&mut self.out, &failure.command, task.name);
            for line in failure.tail.split_inclusive(|&byte| byte == b'\n') {
                self.out.task_line("  | ", line, self.options.terminal);
            }
            self.out.line(&format!("  log: {}", shown(&failure.log)));
        } else if !self.quiet() {
            self.out.line(&format!("rolled back {name} in {}", duration(duration_ms)));
        }
    }

    /// Something else comes between the output of the live task.
    fn interrupt(&mut self) {
        let under = self.run.under.take();
        if let Some(running) = under.and_then(|id| self.run.running.get_mut(&id)) {
            reset(&mut self.out, &mut running.clean);
        }
        self.out.end_line();
    }

    fn finished(&mut self, task: TaskRef<'_>, end: &End<'_>) {
        let running = self.run.running.remove(&task.id).unwrap_or_else(|| end.unseen());
        let was_live = self.run.live.take_if(|live| *live == task.id).is_some();
        match end.finish {
            Finish::Fresh => self.run.tasks = self.run.tasks.saturating_sub(1),
            Finish::Skipped | Finish::WhenFalse => self.run.ends.skipped(|| end.line(task)),
            _ => {}
        }
        let told = end.failed()
            || matches!(end.finish, Finish::Ran | Finish::Restored | Finish::Cancelled);
        let mut shown_at = None;
        if told && !self.quiet() {
            shown_at = self.told(task, end, was_live, running).filter(|_| end.failed());
        }
        if end.failed() {
            let failure = end.failure.cloned();
            let (name, word) = (one_line(task.name), end.words().0);
            self.run.ends.failed(Failed {
                brief: format!("{name}  {word}"),
                allowed: end.course.allowed,
                task: name,
                line: end.line(task),
                failure,
                shown_at,
            });
        }
    }

    /// Says how a task ended, below its output. Where among the lines both stand, if they are
    /// shown.
    fn told(
        &mut self,
        task: TaskRef<'_>,
        end: &End<'_>,
        was_live: bool,
        mut running: Running,
    ) -> Option<usize> {
        self.run.told += 1;
        let began = running.began;
        if self.options.mode == Mode::Stream {
            self.stream_end(task, end, &running);
            return Some(began);
        }
        if was_live {
            self.run.under = None;
            settle(&mut self.out, &mut running.clean);
        } else {
            self.interrupt();
            self.block(task, end, &mut running);
        }
        self.ending(task, end);
        self.out.put(fixed(end.fixed).as_bytes());
        self.out.put(running.details.as_bytes());
        if self.options.mode == Mode::None {
            return None;
        }
        self.place_and_command(task, end);
        Some(self.out.lines())
    }

    /// Where the Taskfile is wrong; what a failed task ran, unless that stands there already.
    fn place_and_command(&mut self, task: TaskRef<'_>, end: &End<'_>) {
        let Some(failure) = end.failure.filter(|_| end.failed()) else { return };
        put_place(&mut self.out, failure, self.options.colour);
        if self.options.verbosity < 2 {
            put_command(&mut self.out, &failure.command, &one_line(task.name));
        }
    }

    /// An attempt failed and another follows.
    fn retrying(&mut self, task: TaskRef<'_>, words: &str) {
        if self.quiet() || matches!(self.options.mode, Mode::None) {
            return;
        }
        self.interrupt();
        self.out.line(&format!("{}  {words}", one_line(task.name)));
    }

    /// Under stream, the line that a task had begun when it ended.
    fn partial_line(&mut self, task: TaskRef<'_>, running: &Running) {
        if !running.held.is_empty() {
            self.out.task_line(&prefix(task), &running.held, self.options.terminal);
        }
    }

    fn stream_end(&mut self, task: TaskRef<'_>, end: &End<'_>, running: &Running) {
        self.partial_line(task, running);
        let (word, rest) = end.words();
        let text = format!("{word} {}{rest}", one_line(task.name));
        self.out.line(&self.painted(end, &text));
        self.out.put(fixed(end.fixed).as_bytes());
        self.place_and_command(task, end);
    }

    /// `[3/212] app  0.3s`: the third of those that had to run, of which there are at most 212.
    fn ending(&mut self, task: TaskRef<'_>, end: &End<'_>) {
        let tasks = self.run.tasks.max(self.run.told);
        let place = format!("[{}/{tasks}]", self.run.told);
        let name = one_line(task.name);
        let words = match end.finish {
            Finish::Ran => duration(end.duration_ms) + &nth_attempt(end.course),
            _ => {
                let (word, rest) = end.words();
                self.painted(end, &format!("{word}{rest}"))
            }
        };
        let place = paint(self.options.colour, FAINT, &place);
        self.out.line(&format!("{place} {name}  {words}"));
    }

    fn painted(&self, end: &End<'_>, text: &str) -> String {
        let style = if end.course.allowed { CARE } else { BAD };
        paint(self.options.colour && end.failed(), style, text)
    }

    /// The whole output of a task that has ended below its name, if there is any and the mode
    /// wants it.
    fn block(&mut self, task: TaskRef<'_>, end: &End<'_>, running: &mut Running) {
        let wanted = match self.options.mode {
            Mode::Grouped => true,
            Mode::Failed => end.failed(),
            Mode::Stream | Mode::None => false,
        };
        if !wanted || running.held.is_empty() {
            return;
        }
        self.out.line(&format!("{}:", one_line(task.name)));
        self.out.put(std::mem::take(&mut running.details).as_bytes());
        let log = end.log.filter(|_| running.cut).and_then(|path| open_regular(path).ok());
        let whole = match log {
            Some(log) => copy(log, &mut self.out, &mut running.clean).is_ok(),
            None => {
                pour(&mut self.out, &mut running.clean, &running.held);
                !running.cut
            }
        };
        settle(&mut self.out, &mut running.clean);
        if !whole {
            self.warning(Some(task), "the rest of its output cannot be read back from its log");
        }
    }

    fn warning(&mut self, task: Option<TaskRef<'_>>, message: &str) {
        self.interrupt();
        self.out.flush();
        let word = paint(self.options.colour, CARE, "warning:");
        let about = task.map_or_else(String::new, |task| format!("{}: ", task.name));
        self.err.line(&format!("{word} {}", one_line(&format!("{about}{message}"))));
    }

    fn run_finished(&mut self, summary: &Summary) {
        self.interrupt();
        match &self.run.untouched {
            Some(line) if summary.signal.is_none() => {
                if !self.quiet() {
                    self.out.line(line);
                }
            }
            _ => self.run.ends.write(&mut self.out, self.options, summary),
        }
    }

    /// One line of taskr's own.
    fn say(&mut self, line: &str) {
        if !self.quiet() {
            self.interrupt();
            self.out.line(line);
        }
    }

    fn quiet(&self) -> bool {
        self.options.verbosity < 0
    }
}

impl<W: Write, E: Write> Lines<W, E> {
    fn service(&mut self, event: &Event<'_>) {
        match *event {
            Event::ServiceStarted { task, command, named, .. } => {
                self.service_started(task, command, named);
            }
            Event::ServiceReady { task, after_ms, named, .. } => {
                self.service_ready(task, after_ms, named);
            }
            Event::ServiceKept { task, named } => self.service_shown(task, "", named),
            Event::ServiceRestarts { task, .. } => {
                self.say(&format!("{} changed: it starts anew", one_line(task.name)));
            }
            Event::ServiceEnded { task, .. } => self.service_ended(task),
            _ => {}
        }
    }
}

impl<W: Write, E: Write> Listener for Lines<W, E> {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::RunStarted { tasks, fresh, dry_run, wanted, changes, .. } => {
                let untouched = changes.filter(|_| tasks == 0);
                let untouched = untouched.map(|changes| nothing_reached(wanted, changes));
                let tasks = tasks - fresh;
                self.run = Run { tasks, dry: dry_run, untouched, ..Run::default() };
            }
            Event::TaskReady { .. }
            | Event::TerminalGiven { .. }
            | Event::Stage { .. }
            | Event::Sums { .. } => {}
            Event::ServiceStarted { .. }
            | Event::ServiceKept { .. }
            | Event::ServiceRestarts { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceEnded { .. } => self.service(event),
            Event::TaskStarted { task, reasons, key, command, .. } => {
                self.started(task, &Start { reasons, key, command, restores: false });
            }
            Event::TaskRestoring { task, reasons, key, .. } => {
                self.started(task, &Start { reasons, key: Some(key), command: "", restores: true });
            }
            Event::TaskOutput { task, bytes } => self.output(task, bytes),
            Event::TaskRetrying { task, what, duration_ms, wait_ms, left, .. } => {
                self.retrying(task, &again(what, duration_ms, (wait_ms, left)));
            }
            Event::TaskFinished {
                task,
                finish,
                duration_ms,
                saved_ms,
                course,
                fixed,
                log,
                failure,
                because,
                ..
            } => {
                let end =
                    End { finish, duration_ms, saved_ms, course, fixed, log, failure, because };
                self.finished(task, &end);
            }
            Event::TaskRolledBack { task, duration_ms, failure, .. } => {
                self.rolled_back(task, duration_ms, failure);
            }
            Event::Warning { task, message } => self.warning(task, message),
            Event::Waiting { files, folders } => self.say(&waiting(files, folders)),
            Event::Woken { edits } => self.say(&woken(edits)),
            Event::RunFinished { summary, .. } => self.run_finished(summary),
        }
        self.out.flush();
        self.err.flush();
    }
}

impl Start<'_> {
    /// The lines below the task's header.
    fn details(&self, verbosity: i8) -> String {
        let mut text = String::new();
        if verbosity > 0 {
            text += &because(self.reasons);
        }
        if verbosity > 1 {
            text.extend(self.key.map(|key| format!("  key {key}\n")));
            text += &indented(self.command);
        }
        text
    }
}

impl End<'_> {
    /// What failed without having been shown as running: the end of its output is all there is.
    fn unseen(&self) -> Running {
        let tail = self.failure.map_or_else(Vec::new, |failure| failure.tail.clone());
        Running { held: tail, ..Running::default() }
    }

    fn failed(&self) -> bool {
        matches!(self.finish, Finish::Failed | Finish::Unstable)
    }

    fn words(&self) -> (&'static str, String) {
        let what = self.failure.map(|failure| failure.what.as_str());
        let because = self.because.map(|because| because.to_string());
        let saved = self.saved_ms.filter(|&ms| ms >= LEAST_SAVED_MS);
        let saved = saved.map(|ms| format!("saved {}", duration(ms)));
        let what = what.or(because.as_deref()).or(saved.as_deref());
        ending(self.finish, what, self.duration_ms, self.course)
    }

    /// `app  failed after 0.3s: exit 1`
    fn line(&self, task: TaskRef<'_>) -> String {
        let (word, rest) = self.words();
        format!("{}  {word}{rest}", one_line(task.name))
    }
}

impl Running {
    fn hold(&mut self, bytes: &[u8]) {
        let room = HELD_BYTES - self.held.len();
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.cut |= bytes.len() > room;
    }
}

/// What stands before each line under stream.
fn prefix(task: TaskRef<'_>) -> String {
    format!("{} | ", one_line(task.name))
}

/// Puts task output, made harmless where a terminal reads.
fn pour<W: Write>(out: &mut Sink<W>, clean: &mut Option<Clean>, bytes: &[u8]) {
    match clean {
        None => out.put(bytes),
        Some(clean) => {
            let mut text = Vec::with_capacity(bytes.len());
            clean.feed(bytes, &mut text);
            out.put(&text);
        }
    }
}

/// Ends the colours of task output.
fn reset<W: Write>(out: &mut Sink<W>, clean: &mut Option<Clean>) {
    if clean.as_mut().is_some_and(Clean::take_coloured) {
        out.put_invisible(RESET);
    }
}

/// Ends the output of a task: what was held back, colours, the line.
fn settle<W: Write>(out: &mut Sink<W>, clean: &mut Option<Clean>) {
    if let Some(clean) = clean {
        let mut text = Vec::new();
        clean.finish(&mut text);
        out.put(&text);
    }
    reset(out, clean);
    out.end_line();
}

/// A log of any length, piece by piece.
fn copy<W: Write>(mut log: File, out: &mut Sink<W>, clean: &mut Option<Clean>) -> io::Result<()> {
    let mut piece = vec![0; HELD_BYTES];
    loop {
        match log.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(_) if out.broken() => return Ok(()),
            Ok(len) => pour(out, clean, &piece[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
