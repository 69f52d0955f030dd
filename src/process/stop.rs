//! The request to stop, from one thread to any number that block in `poll`.
//!
//! Knows no process. One pipe carries both levels to all: a byte that nobody reads says "stop" to
//! everyone who polls for input, closing the other end says "kill" to those who heard the first. So
//! no thread can consume another's wake-up, and a thread that has heard is not woken again.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

/// What was requested so far; it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    /// Pass this signal on, and kill after the grace.
    Stop(Signal),
    /// Kill now.
    Kill,
}

impl Asked {
    /// 0 to 2.
    pub(super) fn level(self) -> u8 {
        match self {
            Asked::Nothing => 0,
            Asked::Stop(_) => 1,
            Asked::Kill => 2,
        }
    }
}

#[derive(Debug)]
struct Shared {
    /// 0: none yet.
    signal: AtomicI32,
    killed: AtomicBool,
    /// A process that was run with this has ended.
    ended: AtomicBool,
    wake: PipeReader,
    /// Absent once "kill" was said.
    waker: Mutex<Option<PipeWriter>>,
}

/// The side that requests. It takes two file descriptors, until it and all its [`Stop`]s are gone.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Shared>);

/// The side that is asked to stop.
#[derive(Clone, Debug)]
pub struct Stop(Arc<Shared>);

impl Stopper {
    /// A stopper of its own.
    ///
    /// # Errors
    /// If there are no more file descriptors.
    pub fn new() -> io::Result<Stopper> {
        let (wake, waker) = io::pipe()?;
        Ok(Stopper(Arc::new(Shared {
            signal: AtomicI32::new(0),
            killed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            wake,
            waker: Mutex::new(Some(waker)),
        })))
    }

    /// What is handed to those who shall stop.
    pub fn watch(&self) -> Stop {
        Stop(Arc::clone(&self.0))
    }

    /// Requests a stop by `signal` (an unknown number counts as TERM). Only the first request
    /// counts.
    pub fn stop(&self, signal: i32) {
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM).as_raw();
        let first = self.0.signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok()
            && let Some(waker) = &mut *self.0.waker()
        {
            // Cannot fail: we hold the other end, and one byte fits.
            let _ = waker.write(b"s");
        }
    }

    /// Whether a process that was run with one of its [`Stop`]s has ended. Of use where there is
    /// just one.
    pub fn saw_end(&self) -> bool {
        self.0.ended.load(Ordering::SeqCst)
    }

    /// Requests that everything be killed now.
    pub fn kill(&self) {
        self.0.killed.store(true, Ordering::SeqCst);
        self.stop(Signal::KILL.as_raw());
        *self.0.waker() = None;
    }
}

impl Stop {
    /// A process that was run with this has ended, though not yet all that it started.
    pub(super) fn note_end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }

    /// The signal of the first request, if there was one.
    pub fn requested(&self) -> Option<i32> {
        match self.0.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Whether everything shall be killed now.
    pub fn killed(&self) -> bool {
        self.0.killed.load(Ordering::SeqCst)
    }

    pub(super) fn asked(&self) -> Asked {
        if self.killed() {
            return Asked::Kill;
        }
        match self.requested().and_then(Signal::from_named_raw) {
            Some(signal) => Asked::Stop(signal),
            None => Asked::Nothing,
        }
    }

    /// What to poll for the next request by one who has heard `heard`; nothing comes after "kill".
    pub(super) fn poll_fd(&self, heard: Asked) -> Option<PollFd<'_>> {
        match heard {
            Asked::Nothing => Some(PollFd::new(&self.0.wake, PollFlags::IN)),
            // Without IN the unread byte does not wake; a closed other end always does.
            Asked::Stop(_) => Some(PollFd::new(&self.0.wake, PollFlags::empty())),
            Asked::Kill => None,
        }
    }
}

impl Shared {
    fn waker(&self) -> std::sync::MutexGuard<'_, Option<PipeWriter>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
