//! A program that stays up: started, watched until it is ready, ended.
//!
//! It has threads of its own, so that it takes nothing from those of tasks: one runs it, one knows
//! when it is too late to get ready, one looks whether it is, and one ends it by its own command
//! where it has one. Knows no graph and no other service: what needs it is the caller's.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use rustix::process::Signal;

use super::attempt::{Stop as Why, Tail, lock_folder};
use super::probe::{Finder, Probe, last_line, run_silently};
use super::{Context, Message, Piece, Writer};
use crate::error::said;
use crate::ids::{ServiceId, TaskId};
use crate::lock::Note;
use crate::outdir::TaskDir;
use crate::process::{self, Command, Guard, Status, Stop, Stopper, why_not_started};

/// Pauses between two looks: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How it begins what is said of one that was not ready in time.
pub const NOT_READY: &str = "it was not ready within ";

/// So many threads wait for its start at most.
const WATCHERS: usize = 2;

/// A service to start.
#[derive(Clone, Debug)]
pub struct Up {
    /// Which, in the run that starts it.
    pub task: TaskId,
    /// Which, for as long as it is up.
    pub number: ServiceId,
    /// Its own folder.
    pub dir: TaskDir,
    /// What runs.
    pub command: Command,
    /// What tells that it is ready.
    pub probe: Probe,
    /// How long that may take.
    pub timeout: Duration,
    /// What ends it; none for a signal.
    pub stop: Option<Command>,
    /// Told of process groups.
    pub guard: Option<Arc<Guard>>,
    /// Whether pieces of its output are wanted while it runs.
    pub stream: bool,
    /// Whether it is up until the user ends it.
    pub stays: bool,
}

/// What a service has to say.
#[derive(Debug)]
pub enum News {
    /// It is ready.
    Ready,
    /// It was not in time, because of this.
    NotReady(String),
    /// A sentence for the user.
    Warning(String),
    /// It is gone, and all that it started in its group. The last of all but warnings.
    Ended(Down),
}

/// How a service ended.
#[derive(Debug, Default)]
pub struct Down {
    /// None if it never started.
    pub status: Option<Status>,
    /// Why it never started.
    pub refused: Option<String>,
    /// Another taskr, this one if it says so, runs it and was not waited for: that was not asked
    /// for, or it would run for ever.
    pub busy: Option<Option<Note>>,
    /// How long it was up, in milliseconds.
    pub duration_ms: u64,
    /// The last lines of its output.
    pub tail: Vec<u8>,
}

impl Down {
    /// Of the program, if it ended by itself.
    pub fn exit_code(&self) -> Option<i32> {
        match self.status? {
            Status::Code(code) => Some(code),
            Status::Signal(_) => None,
        }
    }

    fn broken() -> Down {
        let what = "taskr itself broke while it ran; please report it";
        Down { refused: Some(what.to_owned()), ..Down::default() }
    }
}

/// A service at work.
#[derive(Debug)]
pub struct Running {
    service: Stopper,
    asker: Stopper,
    ender: Stopper,
    /// Closed when it is gone.
    gone: Receiver<()>,
    up: Arc<Up>,
    messages: Sender<Message>,
    threads: Vec<JoinHandle<()>>,
    /// The threads that end it by its own command.
    enders: Enders,
}

type Enders = Arc<Mutex<Vec<JoinHandle<()>>>>;

impl Running {
    /// Starts a service. What becomes of it is told as [`News`].
    ///
    /// # Errors
    /// If the system gives no more threads or descriptors; nothing runs then.
    pub(super) fn start(
        context: &Arc<Context>,
        up: Up,
        pieces: &Sender<Piece>,
    ) -> io::Result<Running> {
        let (leaves, gone) = bounded(0);
        let mut running = Running {
            service: Stopper::new()?,
            asker: Stopper::new()?,
            ender: Stopper::new()?,
            gone,
            up: Arc::new(up),
            messages: context.messages.clone(),
            threads: Vec::new(),
            enders: Enders::default(),
        };
        let (begins, begun) = bounded(WATCHERS);
        let watch = Arc::new(Watch {
            number: running.up.number,
            messages: context.messages.clone(),
            told: AtomicBool::new(false),
            missing: Mutex::default(),
        });
        running.spawn_watchers(&watch, &begun)?;
        let serve = Serve {
            context: Arc::clone(context),
            up: Arc::clone(&running.up),
            stop: running.service.watch(),
            watch,
            pieces: pieces.clone(),
        };
        let (messages, enders) = (context.messages.clone(), Arc::clone(&running.enders));
        running.threads.push(Builder::new().spawn(move || {
            let work = || serve.to_its_end(&begins);
            let down = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Down::broken());
            drop(leaves);
            join_all(&enders);
            // The receiver lives as long as the run.
            let _ = messages.send(Message::Service(serve.up.number, News::Ended(down)));
        })?);
        Ok(running)
    }

    /// They wait until it is about to start, and end when it is gone or never starts.
    fn spawn_watchers(&mut self, watch: &Arc<Watch>, begun: &Receiver<()>) -> io::Result<()> {
        let (timeout, asker) = (self.up.timeout, self.asker.clone());
        let (own, started, gone) = (Arc::clone(watch), begun.clone(), self.gone.clone());
        self.threads.push(Builder::new().spawn(move || {
            if started.recv().is_err() {
                return;
            }
            if gone.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
                own.too_late(timeout);
            }
            asker.kill();
        })?);
        if matches!(self.up.probe, Probe::Log(_)) {
            watch.miss(self.up.probe.look(&self.asker.watch(), None));
            return Ok(());
        }
        let (own, started, gone) = (Arc::clone(watch), begun.clone(), self.gone.clone());
        let (up, stop) = (Arc::clone(&self.up), self.asker.watch());
        self.threads.push(Builder::new().spawn(move || {
            if started.recv().is_ok() {
                own.look_until_told(&up, &stop, &gone);
            }
        })?);
        Ok(())
    }

    /// Whether the program itself has ended, be it told or not.
    pub fn has_ended(&self) -> bool {
        self.service.saw_end()
    }

    /// Ends it: by its own command if it has one, else by this signal; if that does not do it
    /// within its grace by TERM, and at last by KILL.
    pub fn end(&mut self, signal: i32) {
        let Some(command) = self.up.stop.clone() else { return self.service.stop(signal) };
        let (ends, ended) = bounded(1);
        let (stop, up) = (self.ender.watch(), Arc::clone(&self.up));
        let runs = Builder::new().spawn(move || {
            let mut tail = Tail::default();
            let result = run_silently(&command, &stop, up.guard.as_deref(), &mut tail);
            let _ = ends.send(match result {
                Ok(ended) if ended.status.success() || ended.stopped => Ok(()),
                Ok(ended) => Err(format!("{}{}", ended.status, last_line(tail))),
                Err(error) => Err(why_not_started(&command, &error)),
            });
        });
        let end = End {
            service: self.service.clone(),
            ender: self.ender.clone(),
            gone: self.gone.clone(),
            ended,
            grace: self.up.command.grace,
        };
        let (messages, number) = (self.messages.clone(), self.up.number);
        let ends = Builder::new().spawn(move || {
            if let Err(what) = end.wait() {
                let warning = format!("its `stop` failed, so it was ended by TERM: {what}");
                let _ = messages.send(Message::Service(number, News::Warning(warning)));
            }
        });
        if runs.is_err() || ends.is_err() {
            self.service.stop(signal);
        }
        lock(&self.enders).extend(runs.into_iter().chain(ends));
    }

    /// Ends it and all that looks after it, now.
    pub fn kill(&self) {
        self.ender.kill();
        self.asker.kill();
        self.service.kill();
    }

    /// Waits for its threads, and for its guard if that is nobody else's any more; to be called when
    /// it is gone.
    pub fn join(self) {
        for thread in self.threads {
            // A panic in one was told when it happened.
            let _ = thread.join();
        }
        join_all(&self.enders);
        let guard = Arc::into_inner(self.up).and_then(|up| up.guard);
        if let Some(guard) = guard.and_then(Arc::into_inner) {
            guard.finish();
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn join_all(threads: &Enders) {
    let threads = std::mem::take(&mut *lock(threads));
    for thread in threads {
        let _ = thread.join();
    }
}

/// Says once whether a service got ready.
#[derive(Debug)]
struct Watch {
    number: ServiceId,
    messages: Sender<Message>,
    told: AtomicBool,
    /// What the last look missed.
    missing: Mutex<String>,
}

impl Watch {
    fn tell(&self, news: News) {
        if !self.told.swap(true, Ordering::SeqCst) {
            // The receiver lives as long as the run.
            let _ = self.messages.send(Message::Service(self.number, news));
        }
    }

    fn too_late(&self, timeout: Duration) {
        let missing = lock(&self.missing).clone();
        let seconds = timeout.as_secs_f64();
        let why = if missing.is_empty() { String::new() } else { format!(": {missing}") };
        self.tell(News::NotReady(format!("{NOT_READY}{seconds}s{why}")));
    }

    fn miss(&self, looked: Result<(), String>) {
        if let Err(missing) = looked {
            *lock(&self.missing) = missing;
        }
    }

    fn look_until_told(&self, up: &Up, stop: &Stop, gone: &Receiver<()>) {
        let mut pause = FIRST_PAUSE;
        while !self.told.load(Ordering::SeqCst) {
            match up.probe.look(stop, up.guard.as_deref()) {
                Ok(()) => return self.tell(News::Ready),
                // What was cut off says nothing.
                looked if stop.requested().is_none() => self.miss(looked),
                Err(_) => return,
            }
            if gone.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The thread that runs it.
struct Serve {
    context: Arc<Context>,
    up: Arc<Up>,
    stop: Stop,
    watch: Arc<Watch>,
    pieces: Sender<Piece>,
}

impl Serve {
    fn to_its_end(&self, begins: &Sender<()>) -> Down {
        let mut down = Down::default();
        let lock =
            lock_folder(&self.context, self.up.task, &self.up.dir, &self.stop, self.up.stays);
        let _lock = match lock {
            Ok(lock) => lock,
            Err(Why::Busy(holder)) => return Down { busy: Some(holder), ..down },
            Err(Why::Failed(what)) => return Down { refused: Some(what), ..down },
            Err(_) => return down,
        };
        if let Some(taken) = self.up.probe.taken() {
            let what = format!("{taken} is in use already, before it was started");
            return Down { refused: Some(what), ..down };
        }
        if let Err(error) = self.prepare() {
            let what = format!("cannot prepare its folder: {}", said(&error));
            return Down { refused: Some(what), ..down };
        }
        for _ in 0..WATCHERS {
            // It has room for all.
            let _ = begins.try_send(());
        }
        match self.run(&mut down) {
            Ok(()) => down,
            Err(what) => Down { refused: Some(what), ..down },
        }
    }

    fn prepare(&self) -> io::Result<()> {
        let (root, dir) = (&self.context.root, &self.up.dir);
        for name in ["out", "tmp"] {
            root.remove_tree(&dir.join(name))?;
        }
        ["out", "tmp", "state"].into_iter().try_for_each(|name| root.create_dirs(&dir.join(name)))
    }

    fn run(&self, down: &mut Down) -> Result<(), String> {
        let (up, root) = (&self.up, &self.context.root);
        let path = up.dir.join("log");
        let log = root.create(&path);
        let mut log = log.map_err(|error| format!("cannot write its log: {}", said(&error)))?;
        let mut tail = Tail::default();
        let mut finder = match &up.probe {
            Probe::Log(text) => Some(Finder::new(text)),
            _ => None,
        };
        let mut output = |bytes: &[u8]| {
            tail.push(bytes);
            if finder.as_mut().is_some_and(|finder| finder.push(bytes)) {
                finder = None;
                self.watch.tell(News::Ready);
            }
            if up.stream {
                // A listener that is gone needs no output.
                let _ = self.pieces.send((Writer::Service(up.number), bytes.to_vec()));
            }
        };
        let guard = up.guard.as_deref();
        let ended = process::run(&up.command, &mut log, &self.stop, guard, &mut output);
        down.tail = tail.finish();
        let ended = ended.map_err(|error| why_not_started(&up.command, &error))?;
        down.status = Some(ended.status);
        down.duration_ms = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// The end of a service by a command of its own.
struct End {
    service: Stopper,
    ender: Stopper,
    gone: Receiver<()>,
    ended: Receiver<Result<(), String>>,
    grace: Duration,
}

impl End {
    /// Until both are gone. What went wrong with the command.
    fn wait(&self) -> Result<(), String> {
        let term = Signal::TERM.as_raw();
        let mut said = None;
        select! {
            recv(self.gone) -> _ => {}
            recv(self.ended) -> result => {
                let result = result.unwrap_or(Ok(()));
                let patience = if result.is_ok() { self.grace } else { Duration::ZERO };
                said = Some(result);
                if self.gone.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    self.service.stop(term);
                }
            }
            default(self.grace) => self.service.stop(term),
        }
        said.unwrap_or_else(|| {
            let late = self.ended.recv_timeout(self.grace);
            if late.is_err() {
                self.ender.stop(term);
            }
            late.unwrap_or_else(|_| Err("it did not end".to_owned()))
        })
    }
}
