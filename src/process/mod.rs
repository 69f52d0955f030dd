//! One child process, from its start to the end of everything it started in its group.
//!
//! Knows no task, no target and no graph: a program, its words, its whole environment, a directory
//! and a log. Each child leads a process group of its own, so that stopping it reaches what it
//! started and a signal typed at the terminal reaches nobody twice. The start stays on the standard
//! library's `posix_spawn` path, whose cost does not grow with our memory: no `pre_exec`, and an
//! absolute program. The calling thread blocks in `poll`; what is done when is decided in `ending`,
//! without a clock.

mod ask;
mod ending;
mod find;
mod guard;
#[cfg(target_os = "linux")]
mod linux;
mod refusal;
mod stop;
mod system;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

pub use ask::{LONGEST_ANSWER, Said, ask};
use ending::{Act, Ending};
pub use find::{Interpreter, find_program, interpreter, is_program, places_of};
pub use guard::{GUARD_ARG, Guard, RUN_ID_VAR, guard_main};
pub use refusal::{why_not_found, why_not_in, why_not_started};
pub use stop::{Stop, Stopper};
use system::{Backoff, Group};

/// One read takes what a pipe holds by default on Linux.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long a program that is "busy" (still open for writing somewhere) is tried again.
const BUSY_LIMIT: Duration = Duration::from_secs(1);

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Command {
    /// Absolute; see [`find_program`].
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Absolute.
    pub dir: PathBuf,
    /// From the signal that asks it to stop to the one that makes it.
    pub grace: Duration,
    /// Where its stderr goes, if not where its stdout goes.
    pub errors: Option<Arc<File>>,
    /// How long it may run; then it is asked to stop.
    pub timeout: Option<Duration>,
}

/// What of taskr's own streams a process gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// Nothing: it reads nothing, and what it writes goes to its log.
    #[default]
    None,
    /// Its standard input, which is no terminal.
    Input,
    /// Its standard input, which is the terminal: the process stays in taskr's own process group, as
    /// the terminal lets no other read. With `output` it writes to the terminal as well, past its
    /// log.
    Terminal {
        /// Whether its output goes there.
        output: bool,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Status {
    /// Whether it exited with 0.
    pub fn success(self) -> bool {
        self == Status::Code(0)
    }
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Status {
        match status.signal() {
            Some(signal) => Status::Signal(signal),
            None => Status::Code(status.code().unwrap_or(-1)),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Status::Code(code) => write!(out, "exit {code}"),
            Status::Signal(signal) => match system::signal_name(signal) {
                Some(name) => write!(out, "signal {signal} ({name})"),
                None => write!(out, "signal {signal}"),
            },
        }
    }
}

/// What became of a command.
#[derive(Debug)]
pub struct Ended {
    /// How the process itself ended.
    pub status: Status,
    /// We signalled it before it ended, because a stop was requested.
    pub stopped: bool,
    /// We signalled it before it ended, because its time was over.
    pub timed_out: bool,
    /// How much memory it, or one of what it waited for, had at most, in bytes, where the system
    /// tells and it was more than this process had.
    pub peak_bytes: Option<u64>,
    /// A second after it ended something it started still ran in its group, and was ended,
    /// or held its output open from another group, and was no longer listened to.
    pub left_over: bool,
    /// From the start to the end of the process itself.
    pub duration: Duration,
    /// Why the log is incomplete: the first error of writing it.
    pub log_error: Option<io::Error>,
}

/// Runs `command` to its end, with all its output, in order, to `log` and to `output`.
///
/// Returns when nothing of its process group lives any more, at most about two seconds after the
/// process itself ended. If a stop was requested before the start, nothing is started. The group is
/// announced to `guard` while it may have members.
///
/// # Errors
/// Only if the program could not be started, or could not be waited for (it is killed then).
pub fn run(
    command: &Command,
    log: &mut File,
    stop: &Stop,
    guard: Option<&Guard>,
    output: &mut dyn FnMut(&[u8]),
) -> io::Result<Ended> {
    run_on((command, Console::None), log, stop, guard, output)
}

/// The same for a process that gets some of taskr's own streams.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    (command, console): (&Command, Console),
    log: &mut File,
    stop: &Stop,
    guard: Option<&Guard>,
    output: &mut dyn FnMut(&[u8]),
) -> io::Result<Ended> {
    if let Some(signal) = stop.requested() {
        return Ok(Ended::before_start(signal));
    }
    let begin = Instant::now();
    let (child, pipe) = spawn(command, console)?;
    let sink = Sink { log, output, buffer: vec![0; BUFFER_BYTES], error: None };
    let until = command.timeout.and_then(|timeout| begin.checked_add(timeout));
    let ending = Ending::new(command.grace).until(until);
    let group = match console {
        Console::Terminal { .. } => Group::only(&child),
        Console::None | Console::Input => Group::led_by(&child),
    };
    let mut running = Running::new((child, group), pipe, ending, sink);
    let group = running.group.id();
    if let Some(guard) = guard {
        guard.began(group);
    }
    let watched = running.watch(stop);
    if watched.is_err() {
        running.abandon();
    }
    if let Some(guard) = guard {
        guard.ended(group);
    }
    let (status, end) = watched?;
    Ok(Ended {
        status,
        stopped: running.stopped,
        timed_out: running.timed_out,
        peak_bytes: running.peak_bytes,
        left_over: running.left_over,
        duration: end - begin,
        log_error: running.sink.error,
    })
}

impl Ended {
    fn before_start(signal: i32) -> Ended {
        Ended {
            status: Status::Signal(signal),
            stopped: true,
            timed_out: false,
            peak_bytes: None,
            left_over: false,
            duration: Duration::ZERO,
            log_error: None,
        }
    }
}

/// Starts the process; its output is the pipe. Our copies of the pipe's other end are closed on
/// return.
fn spawn(command: &Command, console: Console) -> io::Result<(Child, Option<PipeReader>)> {
    let (reader, writer) = io::pipe()?;
    let mut builder = std::process::Command::new(&command.program);
    builder
        .args(&command.args)
        .env_clear()
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&command.dir);
    match console {
        Console::None => builder.process_group(0).stdin(Stdio::null()),
        Console::Input => builder.process_group(0).stdin(Stdio::inherit()),
        Console::Terminal { .. } => builder.stdin(Stdio::inherit()),
    };
    let inherits = console == Console::Terminal { output: true };
    match inherits {
        true => builder.stdout(Stdio::inherit()),
        false => builder.stdout(writer.try_clone()?),
    };
    match &command.errors {
        Some(errors) => builder.stderr(errors.try_clone()?),
        None if inherits => builder.stderr(Stdio::inherit()),
        None => builder.stderr(writer),
    };
    let child = retry_busy(BUSY_LIMIT, || builder.spawn())?;
    Ok((child, (!inherits).then_some(reader)))
}

/// A program that was just written may for a moment be open for writing in a child that another
/// thread is starting (ETXTBSY, golang/go#22315): that passes.
fn retry_busy<T>(limit: Duration, mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begin = Instant::now();
    let mut backoff = Backoff::new();
    loop {
        match start() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy && begin.elapsed() < limit =>
            {
                thread::sleep(backoff.next());
            }
            result => return result,
        }
    }
}

/// Where output goes.
struct Sink<'a> {
    log: &'a mut File,
    output: &'a mut dyn FnMut(&[u8]),
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl Sink<'_> {
    /// Passes one buffer on; true at the end of the pipe. A log that failed once is left alone,
    /// so that it has no gap, only an end.
    fn pass_on(&mut self, pipe: &mut PipeReader) -> bool {
        match pipe.read(&mut self.buffer) {
            Ok(0) => true,
            Ok(length) => {
                let bytes = &self.buffer[..length];
                if self.error.is_none() {
                    self.error = self.log.write_all(bytes).err();
                }
                (self.output)(bytes);
                false
            }
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        }
    }
}

/// A started process, and what is still open of it.
struct Running<'a> {
    child: Child,
    group: Group,
    /// Readable when the process has ended; absent where the system has no such thing.
    exit: Option<OwnedFd>,
    /// Absent after its end.
    pipe: Option<PipeReader>,
    /// How and when the process itself ended; it is reaped then, not before.
    ended: Option<(Status, Instant)>,
    ending: Ending,
    backoff: Backoff,
    sink: Sink<'a>,
    stopped: bool,
    timed_out: bool,
    peak_bytes: Option<u64>,
    left_over: bool,
    /// Seen empty after the leader was reaped: its number may be another's by now (bazel#11910).
    group_gone: bool,
}

impl<'a> Running<'a> {
    fn new(
        (child, group): (Child, Group),
        pipe: Option<PipeReader>,
        ending: Ending,
        sink: Sink<'a>,
    ) -> Running<'a> {
        Running {
            exit: system::exit_descriptor(&child),
            child,
            group,
            pipe,
            ended: None,
            ending,
            backoff: Backoff::new(),
            sink,
            stopped: false,
            timed_out: false,
            peak_bytes: None,
            left_over: false,
            group_gone: false,
        }
    }

    /// Waits until the process and its group have ended and all output is read, or until it is time
    /// to give up on what cannot be ended.
    fn watch(&mut self, stop: &Stop) -> io::Result<(Status, Instant)> {
        loop {
            self.reap()?;
            if self.ended.is_some() {
                stop.note_end();
            }
            self.group_gone |= self.ended.is_some() && self.group.is_empty();
            let finished = self.nothing_left() || self.act(stop);
            if let Some(end) = self.ended
                && finished
            {
                self.drain();
                self.group.reap_orphans();
                return Ok(end);
            }
            if self.wait(stop)?
                && let Some(pipe) = &mut self.pipe
                && self.sink.pass_on(pipe)
            {
                self.pipe = None;
            }
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        if self.ended.is_none()
            && let Some((status, peak_bytes)) = system::reap(&mut self.child)?
        {
            self.peak_bytes = peak_bytes;
            let now = Instant::now();
            self.ended = Some((status.into(), now));
            self.ending.leader_ended(now);
            self.backoff = Backoff::new();
        }
        Ok(())
    }

    /// Sends the signals that are due; true when it is time to give up.
    fn act(&mut self, stop: &Stop) -> bool {
        while let Some(act) = self.ending.due(Instant::now(), stop.asked()) {
            match act {
                Act::GiveUp => return true,
                Act::EndLeftOver => {
                    self.left_over = true;
                    self.signal_group(Signal::TERM);
                }
                Act::TimeOut => {
                    self.timed_out = true;
                    self.signal_group(Signal::TERM);
                }
                Act::Signal(signal) => {
                    // Who is killed when its time and its grace are over was not asked to stop.
                    self.stopped |= self.ended.is_none() && self.ending.heard().level() > 0;
                    self.signal_group(signal);
                }
            }
        }
        false
    }

    fn signal_group(&self, signal: Signal) {
        if !self.group_gone {
            self.group.signal(signal);
        }
    }

    /// Whether the process and its group have ended and the pipe is at its end. Past the time for
    /// left-overs a pipe that a process of another group keeps open is no reason to stay.
    fn nothing_left(&self) -> bool {
        self.ended.is_some() && (self.pipe.is_none() || self.ending.is_cut()) && self.group_gone
    }

    /// Blocks until something may have happened; true if the pipe has something to say.
    fn wait(&mut self, stop: &Stop) -> io::Result<bool> {
        let timeout = self.timeout();
        let mut descriptors = Vec::with_capacity(3);
        if let Some(pipe) = &self.pipe {
            descriptors.push(PollFd::new(pipe, PollFlags::IN));
        }
        if self.ended.is_none()
            && let Some(exit) = &self.exit
        {
            descriptors.push(PollFd::new(exit, PollFlags::IN));
        }
        descriptors.extend(stop.poll_fd(self.ending.heard()));
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) => Ok(self.pipe.is_some() && !descriptors[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Until the next signal is due, or sooner while we wait for something that does not wake us:
    /// a group becoming empty, or the end of a process without a descriptor for it.
    fn timeout(&mut self) -> Option<Timespec> {
        let due = self.ending.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let unseen = match self.ended {
            Some(_) => self.pipe.is_none() || self.ending.is_cut(),
            None => self.exit.is_none(),
        };
        let tick = unseen.then(|| self.backoff.next());
        let sooner = due.into_iter().chain(tick).min()?;
        Timespec::try_from(sooner).ok()
    }

    /// Takes what a pipe that stays open still holds, without waiting.
    fn drain(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut descriptors = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        if poll(&mut descriptors, Some(&Timespec::default())) == Ok(1) {
            self.sink.pass_on(pipe);
        }
    }

    /// The way out when we cannot watch: nothing may be left running.
    fn abandon(&mut self) {
        if self.ended.is_none() {
            self.group.signal(Signal::KILL);
            // The error of watching is the one to tell.
            let _ = self.child.wait();
        }
    }
}
