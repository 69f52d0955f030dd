//! One attempt of one task: the order of the steps is the protocol that keeps a crash at any
//! point from ever looking like a success.
//!
//! 1. The intent is written: what stands at the outputs. From here on the task is dirty.
//! 2. What stands there moves aside; `out/` and `tmp/` are fresh.
//! 3. The command runs.
//! 4. Outputs are collected and digested.
//! 5. Inputs are asked for again. If one moved, everything is put back.
//! 6. Outputs are published by rename.
//!
//! The record, which is the commit, is written by the caller.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use rustix::process::Signal;
use taskr_cache::{Clock, Intent, Seen, measure};

use super::collected::Collected;
use super::folders::Folders;
use super::job::{
    Checked, DepfileRead, Ended, Expected, Found, Launch, Listed, Message, Result, Run, Success,
    listing_digest,
};
use super::standing::Standing;
use super::written::{has_other_files, written};
use super::{Context, Piece, Writer};
use crate::error::said;
use crate::files::{ask_again, list, parse_depfile};
use crate::ids::TaskId;
use crate::lock::{Acquired, Note, TaskLock, Wait};
use crate::outcome::shown;
use crate::outdir::{Root, STATE_DIR, TaskDir};
use crate::process::{self, Command, Console, Status, why_not_started};

/// A failed task shows so many lines of its output, and so many bytes at most.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: usize = 16 * 1024;

/// Less memory than this is nothing to make room for.
const MUCH_BYTES: u64 = 256 << 20;

/// Why an attempt did not come to its end.
pub(super) enum Stop {
    Failed(String),
    Stopped,
    Moved(Vec<Vec<u8>>),
    Busy(Option<Note>),
    /// What the store has is not what it should be.
    Broken(String),
}

impl Stop {
    pub(super) fn io(doing: &str, path: &[u8], error: &io::Error) -> Stop {
        Stop::Failed(format!("cannot {doing} {}: {}", shown(path), said(error)))
    }
}

/// Runs a task once. Never panics on what the disk or the command do.
pub(super) fn run(
    context: &Context,
    run: &Run,
    pieces: &Sender<Piece>,
    buffer: &mut Vec<u8>,
) -> Ended {
    let mut attempt = Attempt {
        context,
        run,
        buffer,
        ended: Ended::with(run.task, Result::Stopped),
        until: None,
        step: run.timed.then(Instant::now),
    };
    let result = attempt.steps(pieces);
    let mut ended = attempt.ended;
    ended.result = result_of(result);
    ended
}

/// What is told of an attempt that came to this.
pub(super) fn result_of(result: std::result::Result<Result, Stop>) -> Result {
    match result {
        Ok(result) => result,
        Err(Stop::Failed(what)) => Result::Failed(what),
        Err(Stop::Stopped) => Result::Stopped,
        Err(Stop::Moved(paths)) => Result::Moved(paths),
        Err(Stop::Busy(holder)) => Result::Busy(holder),
        Err(Stop::Broken(what)) => Result::NotRestored { what, broken: true },
    }
}

/// What a command left, not yet published.
pub(super) struct Ran {
    collected: Collected,
    found: Option<Found>,
    installs: Vec<Install>,
    /// Inputs that changed meanwhile.
    moved: Vec<Vec<u8>>,
}

/// Path, device, inode.
type Install = (Vec<u8>, u64, u64);

pub(super) struct Attempt<'a> {
    pub(super) context: &'a Context,
    pub(super) run: &'a Run,
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) ended: Ended,
    /// When its time is over.
    pub(super) until: Option<Instant>,
    /// When the present step began, if that is wanted.
    pub(super) step: Option<Instant>,
}

/// What to say of a command that was ended because it took too long.
pub(super) fn out_of_time(timeout: Option<&str>, status: Status) -> String {
    let timeout = timeout.unwrap_or("its timeout");
    match status == Status::Signal(Signal::KILL.as_raw()) {
        true => format!("timed out after {timeout}, did not end when asked to, and was killed"),
        false => format!("timed out after {timeout}"),
    }
}

impl Attempt<'_> {
    /// A step is over, the next begins.
    pub(super) fn step_over(&mut self, name: &'static str) {
        let Some(begun) = self.step else { return };
        let ended = Instant::now();
        self.ended.steps.push((name, begun, ended));
        self.step = Some(ended);
    }

    fn steps(&mut self, pieces: &Sender<Piece>) -> std::result::Result<Result, Stop> {
        if let Launch::Restore(restore) = &self.run.launch {
            return self.restore(restore, pieces);
        }
        if self.run.intent.is_none() {
            let (context, run) = (self.context, self.run);
            self.ended.lock = Some(lock_folder(context, run.task, &run.dir, &context.stop, false)?);
        }
        let mut standing = Standing::look(&self.context.root, self.run)?;
        self.write_intent(&standing)?;
        let done = standing
            .set_aside(self.context, self.run, self.buffer)
            .and_then(|()| self.run_and_collect(pieces, &standing))
            .and_then(|ran| self.publish(&mut standing, ran));
        match &done {
            Ok(_) => self.ended.replaced = standing.into_replaced(),
            Err(stop) => {
                let keep = !matches!(stop, Stop::Moved(_));
                let found = self.read_depfile().ok().flatten();
                self.ended.read = found.into_iter().flatten().map(|(path, _)| path).collect();
                let warnings = standing.put_back(&self.context.root, self.run, keep);
                self.ended.warnings.extend(warnings);
            }
        }
        self.step_over(if done.is_ok() { "publish" } else { "put back" });
        done
    }

    pub(super) fn write_intent(&self, standing: &Standing) -> std::result::Result<(), Stop> {
        let Some((number, intents)) = &self.run.intent else { return Ok(()) };
        let body = standing.intent(self.run, &self.context.run_id).encode();
        let intent = Intent { number: *number, task: self.run.id.clone(), body };
        let path = format!("{STATE_DIR}/intents").into_bytes();
        intents.append(&intent).map_err(|error| Stop::io("write", &path, &error))
    }

    fn run_and_collect(
        &mut self,
        pieces: &Sender<Piece>,
        standing: &Standing,
    ) -> std::result::Result<Ran, Stop> {
        let root = &self.context.root;
        standing.make_folders(root, self.run)?;
        let clock = Clock::read(&root.path().join(STATE_DIR))
            .map_err(|error| Stop::io("touch", b".taskr/clock", &error))?;
        self.step_over("prepare");
        let run = self.run;
        let executed = self.execute(&run.launch, pieces);
        self.step_over("command");
        let looked = self.look_at_written();
        executed.and(looked)?;
        self.collect(standing, clock.now_ns())
    }

    /// What the command left, and whether its inputs are what they were.
    pub(super) fn collect(
        &mut self,
        standing: &Standing,
        started_ns: i64,
    ) -> std::result::Result<Ran, Stop> {
        let collected = Collected::find(self.context, self.run, standing, self.buffer)?;
        self.ended.warnings.extend(collected.warnings.iter().cloned());
        let mut moved = self.moved_inputs()?;
        let found = self.read_depfile()?;
        if let Some(found) = &found {
            moved.extend(self.check_found(found, started_ns)?);
        }
        if !moved.is_empty() && !self.run.last_attempt {
            return Err(Stop::Moved(moved));
        }
        let installs = self.installs()?;
        self.step_over("collect");
        Ok(Ran { collected, found, installs, moved })
    }

    /// What a formatter wrote stays, whether it failed or not.
    fn look_at_written(&mut self) -> std::result::Result<(), Stop> {
        let place = (&self.context.root, &self.context.ignored);
        let written = written(place, self.run, self.buffer);
        self.ended.written = written.map_err(|error| Stop::io("list", b"its inputs", &error))?;
        Ok(())
    }

    /// Asks whether what the depfile names may be inputs. Says which of them moved.
    fn check_found(
        &self,
        found: &Found,
        started_ns: i64,
    ) -> std::result::Result<Vec<Vec<u8>>, Stop> {
        let (answer, answered) = bounded(1);
        let read = DepfileRead { task: self.run.task, found: found.clone(), started_ns, answer };
        // Who does not listen any more ends the run.
        let _ = self.context.messages.send(Message::Found(Box::new(read)));
        match answered.recv() {
            Ok(Checked::Fine) => Ok(Vec::new()),
            Ok(Checked::Moved(paths)) => Ok(paths),
            Ok(Checked::Wrong(what)) => Err(Stop::Failed(what)),
            Err(_) => Err(Stop::Stopped),
        }
    }

    /// Starts what is to be started, and waits for its end.
    pub(super) fn execute(
        &mut self,
        launch: &Launch,
        pieces: &Sender<Piece>,
    ) -> std::result::Result<(), Stop> {
        let path = self.run.dir.join("log");
        let mut log =
            self.context.root.create(&path).map_err(|error| Stop::io("write", &path, &error))?;
        let command = match launch {
            Launch::Command(command) => command,
            Launch::Impossible(what) => {
                self.ended.tail = format!("{what}\n").into_bytes();
                let _ = log.write_all(&self.ended.tail);
                return Err(Stop::Failed(what.clone()));
            }
            Launch::Restore(_) | Launch::Together => return Ok(()),
        };
        let console = self.run.console;
        if console == (Console::Terminal { output: true }) {
            // A log that cannot be written is told with the output that follows.
            let _ = log.write_all(b"(what it wrote went to the terminal)\n");
        }
        self.until = command.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let ended = self.run_command((command, console), &mut log, pieces)?;
        match ended.status {
            Status::Code(code) => self.ended.exit_code = Some(code),
            Status::Signal(signal) => self.ended.signal = Some(signal),
        }
        let status = self.by_itself(&ended, &mut log)?;
        if !status.success() {
            self.ended.command_failed = true;
            return Err(Stop::Failed(status.to_string()));
        }
        self.check(&mut log, pieces)
    }

    /// Runs a command with its output to the log. Its last lines are the tail.
    pub(super) fn run_command(
        &mut self,
        (command, console): (&Command, Console),
        log: &mut File,
        pieces: &Sender<Piece>,
    ) -> std::result::Result<process::Ended, Stop> {
        let mut tail = Tail::default();
        let mut output = |bytes: &[u8]| {
            tail.push(bytes);
            if self.run.stream {
                // A listener that is gone needs no output.
                let _ = pieces.send((Writer::Task(self.run.task), bytes.to_vec()));
            }
        };
        let guard = self.run.guard.as_deref();
        let stop = self.run.stop.as_ref().unwrap_or(&self.context.stop);
        let ended = process::run_on((command, console), log, stop, guard, &mut output);
        self.ended.tail = tail.finish();
        let ended = ended.map_err(|error| {
            let what = why_not_started(command, &error);
            let _ = writeln!(log, "{what}");
            Stop::Failed(what)
        })?;
        self.ended.duration_ms += u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
        if let Some(error) = &ended.log_error {
            self.ended.warnings.push(format!("its log is incomplete: {}", said(error)));
        }
        if ended.left_over {
            let warning = "a process that it left behind still ran, and was ended";
            self.ended.warnings.push(warning.to_owned());
        }
        let peak = ended.peak_bytes.filter(|&peak| peak >= MUCH_BYTES);
        self.ended.peak_bytes = self.ended.peak_bytes.max(peak);
        Ok(ended)
    }

    /// How a command ended, if neither taskr nor its timeout ended it.
    pub(super) fn by_itself(
        &mut self,
        ended: &process::Ended,
        log: &mut File,
    ) -> std::result::Result<Status, Stop> {
        if ended.stopped {
            return Err(Stop::Stopped);
        }
        if !ended.timed_out {
            return Ok(ended.status);
        }
        self.ended.timed_out = true;
        let what = out_of_time(self.run.timeout.as_deref(), ended.status);
        let _ = writeln!(log, "taskr: {what}");
        Err(Stop::Failed(what))
    }

    /// How much of its timeout an attempt has left.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// The inputs that are not what they were when the task was judged, but for those that its
    /// command may change.
    fn moved_inputs(&self) -> std::result::Result<Vec<Vec<u8>>, Stop> {
        let (root, fixes) = (self.context.root.path(), &self.run.fixes);
        let still = |input: &Expected, now, buffer: &mut Vec<u8>| {
            fixes.covers(&input.path) || !has_moved(&now, &self.context.root, input, buffer)
        };
        let still = ask_again(root, &self.run.inputs, |input| &input.path, still);
        let inputs = self.run.inputs.iter().zip(still).filter(|(_, still)| !still);
        let mut moved: Vec<_> = inputs.map(|(input, _)| input.path.clone()).collect();
        for listed in &self.run.globs {
            let Listed { pattern, skip, digest } = listed;
            let now = list(root, pattern, skip, &self.context.ignored)
                .map_err(|error| Stop::io("list", pattern.text(), &error))?;
            if listing_digest(now.iter().map(|path| &path[..])) != *digest
                && has_other_files(self.run, listed, &now)
            {
                moved.push(pattern.text().to_vec());
            }
        }
        Ok(moved)
    }

    pub(super) fn publish(
        &self,
        standing: &mut Standing,
        ran: Ran,
    ) -> std::result::Result<Result, Stop> {
        if let (true, Some(warning)) = (self.run.strict, self.ended.warnings.first()) {
            return Err(Stop::Failed(format!("{warning} (--strict)")));
        }
        let Ran { collected, found, installs, moved } = ran;
        let published = collected.publish(self.context, self.run, standing)?;
        self.check_folder()?;
        let success = Success { installs, found, ..published };
        Ok(if moved.is_empty() {
            Result::Success(success)
        } else {
            Result::Unstable(success, moved)
        })
    }

    /// Who removes the task's folder while it runs takes outputs away before they are collected; of
    /// those that only a glob declares nothing else would tell.
    fn check_folder(&self) -> std::result::Result<(), Stop> {
        let log = self.run.dir.join("log");
        match Seen::of(&self.context.root.absolute(&log)) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                let dir = shown(self.run.dir.path());
                Err(Stop::Failed(format!("its folder {dir} was removed while it ran")))
            }
            Err(error) => Err(Stop::io("look at", &log, &error)),
        }
    }

    fn installs(&self) -> std::result::Result<Vec<Install>, Stop> {
        let mut installs = Vec::new();
        for path in &self.run.installs {
            match Seen::of(&self.context.root.absolute(path)) {
                Ok(Some(seen)) => installs.push((path.clone(), seen.link.dev, seen.link.ino)),
                Ok(None) => return Err(Stop::Failed(format!("it did not set up {}", shown(path)))),
                Err(error) => return Err(Stop::io("look at", path, &error)),
            }
        }
        Ok(installs)
    }

    /// What the depfile names, relative to the workspace where it lies in it.
    fn read_depfile(&self) -> std::result::Result<Option<Found>, Stop> {
        let Some(path) = &self.run.depfile else { return Ok(None) };
        let root = &self.context.root;
        let bytes = std::fs::read(root.absolute(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Stop::Failed(format!(
                "it did not write its depfile {}: give the command `{{{{ depfile }}}}`, as in \
                     `-MF {{{{ depfile }}}}`",
                shown(path)
            )),
            _ => Stop::io("read", path, &error),
        })?;
        let names = parse_depfile(&bytes).map_err(|error| {
            Stop::Failed(format!(
                "its depfile {}, line {}: {}",
                shown(path),
                error.line,
                error.message
            ))
        })?;
        let dir = match &self.run.launch {
            Launch::Command(command) => &command.dir,
            Launch::Impossible(_) | Launch::Restore(_) | Launch::Together => root.path(),
        };
        let mut folders = Folders::new(root, dir);
        let mut found: Vec<Vec<u8>> = names.iter().map(|name| folders.resolve(name)).collect();
        found.append(&mut folders.links);
        let found = found.into_iter().map(|name| {
            let seen = Seen::of(&root.absolute(&name))
                .map_err(|error| Stop::io("look at", &name, &error))?;
            Ok((name, seen))
        });
        found.collect::<std::result::Result<_, _>>().map(Some)
    }
}

/// What is not recorded may run while another taskr has the workspace: its folder has a lock of its
/// own. `stays`: until the user ends this run.
pub(super) fn lock_folder(
    context: &Context,
    task: TaskId,
    dir: &TaskDir,
    stop: &process::Stop,
    stays: bool,
) -> std::result::Result<TaskLock, Stop> {
    let failed = |error| Stop::io("lock", dir.path(), &error);
    context.root.create_dirs(dir.path()).map_err(failed)?;
    let path = context.root.absolute(&dir.join("lock"));
    let mut waited = false;
    let mut tell = |holder: Option<&Note>| {
        waited = true;
        // Who does not listen any more ends the run.
        let _ = context.messages.send(Message::Waits(task, holder.cloned()));
    };
    let stopped = || stop.requested().is_some();
    let wait = match context.wait {
        true => Wait::Until { tell: &mut tell, stopped: &stopped },
        false => Wait::No,
    };
    let note = Note { stays, ..context.note.clone() };
    let acquired = TaskLock::acquire(&path, &note, wait).map_err(failed)?;
    if waited {
        let _ = context.messages.send(Message::Waited(task));
    }
    match acquired {
        Acquired::Held(lock) => Ok(lock),
        Acquired::Busy(holder) => Err(Stop::Busy(holder)),
        Acquired::Stopped => Err(Stop::Stopped),
    }
}

/// Whether the path of an input, at which this stands now, holds something else.
fn has_moved(
    now: &io::Result<Option<Seen>>,
    root: &Root,
    expected: &Expected,
    buffer: &mut Vec<u8>,
) -> bool {
    match now {
        Ok(seen) if *seen != expected.seen => true,
        Err(_) => true,
        Ok(None) => false,
        Ok(Some(_)) if expected.settled => false,
        Ok(Some(_)) => match measure(&root.absolute(&expected.path), buffer) {
            Ok(Some((_, content))) => content != expected.content,
            _ => true,
        },
    }
}

/// Keeps the end of a stream.
#[derive(Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let keep = TAIL_BYTES.saturating_sub(bytes.len());
        let cut = self.0.len().saturating_sub(keep);
        self.0.drain(..cut);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let end = self.0.len() - usize::from(self.0.ends_with(b"\n"));
        let newlines = self.0[..end].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        match newlines.map(|(at, _)| at + 1).nth(TAIL_LINES - 1) {
            Some(start) => self.0[start..].to_vec(),
            None => self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_within_bounds() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let text = String::from_utf8(tail.finish()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!((lines[0], lines[19]), ("line 9980", "line 9999"));
        let mut tail = Tail::default();
        tail.push(&vec![b'x'; 1_000_000]);
        tail.push(b"end");
        let bytes = tail.finish();
        assert_eq!((bytes.len(), &bytes[bytes.len() - 3..]), (TAIL_BYTES, &b"end"[..]));
    }
}
