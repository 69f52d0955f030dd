//! Between two builds of `taskr watch`: until something that the last one stood on has changed.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, after, never, select};

use super::{Build, Listener, Messages};
use crate::outcome::{Edit, Event};
use crate::watch::{Looked, Sources, Waker, Watched};
use crate::workers::Message;

/// Edits come in bursts: an editor writes, renames and sets rights; git changes thousands of files.
/// A build begins when nothing happened for so long,
const QUIET: Duration = Duration::from_millis(50);

/// or after so long in any case.
const LONGEST_BURST: Duration = Duration::from_secs(1);

/// How often is looked where the system does not tell.
const POLLED_EVERY: Duration = Duration::from_secs(1);

/// So many builds one after another, each because of what changed during the one before, are
/// remarkable.
const REMARKABLE: usize = 3;

/// What outlives a build under `taskr watch`.
#[derive(Default)]
pub struct Lasting {
    watched: RefCell<Watched>,
    waker: RefCell<Waker>,
    /// Whether it was told that the waker says nothing.
    told_deaf: Cell<bool>,
    /// How many builds in a row found their inputs changed when they ended.
    in_a_row: Cell<usize>,
}

/// What ended the waiting.
#[derive(Debug)]
pub enum Rested {
    /// Another build is due.
    Woken,
    /// This signal came.
    Signal(i32),
}

impl Lasting {
    /// What the next build is made from; to be said before it begins.
    pub fn set_sources(&self, sources: Sources) {
        self.watched.borrow_mut().sources = sources;
    }

    /// More that it is made from.
    pub fn add_source(&self, path: std::path::PathBuf, held: &[u8]) {
        self.watched.borrow_mut().sources.note(path, held);
    }

    /// What a build stood on.
    pub(super) fn keep(&self, build: Build<'_>) {
        self.watched.borrow_mut().stood = build.into_noted();
    }

    /// Waits until something is no longer as the last build saw it. Another look says what changed
    /// since this one.
    pub fn rest(&self, messages: &Messages, listener: &mut Listener<'_>) -> Rested {
        let mut told = false;
        loop {
            let looked = self.look();
            if !looked.is_same() {
                return self.wake(looked, told, messages, listener);
            }
            if !std::mem::replace(&mut told, true) {
                self.tell(&looked, listener);
            }
            if let Some(signal) = self.wait(messages) {
                return Rested::Signal(signal);
            }
        }
    }

    /// Looks at everything from behind watches: what changes later wakes.
    fn look(&self) -> Looked {
        let (mut watched, mut waker) = (self.watched.borrow_mut(), self.waker.borrow_mut());
        let mut looked = watched.look();
        while waker.watch(&looked.folders) {
            looked = watched.look().with(looked);
        }
        looked
    }

    fn tell(&self, looked: &Looked, listener: &mut Listener<'_>) {
        let waker = self.waker.borrow();
        if let Some(why) = waker.deaf().filter(|_| !self.told_deaf.replace(true)) {
            let every = POLLED_EVERY.as_secs();
            let message = format!("{why}; taskr looks every {every}s instead");
            listener(&Event::Warning { task: None, message: &message });
        }
        let (files, folders) = (self.watched.borrow().files(), looked.folders.len());
        listener(&Event::Waiting { files, folders });
    }

    /// Until somebody says that something happened, or it is time to look; or a signal.
    fn wait(&self, messages: &Messages) -> Option<i32> {
        let waker = self.waker.borrow();
        let tick = if waker.deaf().is_some() { after(POLLED_EVERY) } else { never() };
        loop {
            select! {
                recv(waker.woken()) -> _ => break,
                recv(tick) -> _ => return None,
                recv(messages.1) -> message => if let Ok(Message::Signal(signal)) = message {
                    return Some(signal);
                },
            }
        }
        drop(waker);
        self.settle(messages)
    }

    /// Until the burst is over.
    fn settle(&self, messages: &Messages) -> Option<i32> {
        let waker = self.waker.borrow();
        let begun = Instant::now();
        while begun.elapsed() < LONGEST_BURST {
            if waker.woken().recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        messages.1.try_iter().find_map(|message| match message {
            Message::Signal(signal) => Some(signal),
            _ => None,
        })
    }

    /// Something changed: all of the burst is told.
    fn wake(
        &self,
        mut looked: Looked,
        waited: bool,
        messages: &Messages,
        listener: &mut Listener<'_>,
    ) -> Rested {
        let is_heard = waited && self.waker.borrow().deaf().is_none();
        if !is_heard && let Some(signal) = self.settle(messages) {
            return Rested::Signal(signal);
        }
        looked = self.look().with(looked);
        let edits = looked.edits();
        let in_a_row = if waited { 0 } else { self.in_a_row.get() + 1 };
        self.in_a_row.set(in_a_row);
        if in_a_row == REMARKABLE {
            listener(&Event::Warning { task: None, message: &endless(&edits) });
        }
        listener(&Event::Woken { edits: &edits });
        Rested::Woken
    }
}

/// What to do about builds that are the cause of each other.
fn endless(edits: &[Edit]) -> String {
    let first = edits.first().map(ToString::to_string).unwrap_or_default();
    format!(
        "{first} during each of the last {REMARKABLE} builds: if a task writes it, declare it among \
         its `outputs`, or take it out of the `inputs` of others"
    )
}
