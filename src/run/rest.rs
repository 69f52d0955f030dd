//! Between two builds of `taskr watch`: until something that the last one stood on has changed.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crossbeam_channel::{after, never, select};

use super::kept::Standing;
use super::{Build, Listener, Messages};
use crate::ids::ServiceId;
use crate::outcome::{Edit, Event};
use crate::watch::{Looked, Sources, Waker, Watched};
use crate::workers::{self, Message, Output};

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
pub struct Lasting {
    watched: RefCell<Watched>,
    standing: RefCell<Standing>,
    /// How many services were started by now.
    services: Cell<u64>,
    output: Output,
    waker: RefCell<Waker>,
    /// Whether it was told that the waker says nothing.
    told_deaf: Cell<bool>,
    /// How many builds in a row found their inputs changed when they ended.
    in_a_row: Cell<usize>,
}

impl Default for Lasting {
    fn default() -> Lasting {
        Lasting {
            watched: RefCell::default(),
            standing: RefCell::default(),
            services: Cell::new(0),
            output: workers::output(),
            waker: RefCell::default(),
            told_deaf: Cell::new(false),
            in_a_row: Cell::new(0),
        }
    }
}

/// What ended the waiting.
#[derive(Debug)]
pub enum Rested {
    /// Another build is due.
    Woken,
    /// This signal came, and no service is up any more; whether some had to be killed.
    Signal(i32, bool),
}

/// What ended a while.
enum Passed {
    Time,
    Woken,
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

    /// Of a service that is about to start.
    pub(super) fn next_number(&self) -> ServiceId {
        let next = self.services.get();
        self.services.set(next + 1);
        ServiceId(next)
    }

    /// On which all builds, and what they leave up, write.
    pub(super) fn output(&self) -> Output {
        self.output.clone()
    }

    /// What the last build has left up.
    pub(super) fn take_standing(&self) -> Standing {
        self.standing.take()
    }

    /// What a build stood on, and what it leaves up.
    pub(super) fn keep(&self, mut build: Build<'_>) {
        self.standing.replace(build.leave_services());
        self.watched.borrow_mut().stood = build.into_noted();
    }

    /// Ends the services that are up. Whether some had to be killed because another signal came.
    pub fn end_services(
        &self,
        signal: i32,
        messages: &Messages,
        listener: &mut Listener<'_>,
    ) -> bool {
        let mut standing = self.standing.take();
        standing.end(signal, (messages, self.output()), listener).killed
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
            if let Some(signal) = self.wait(messages, listener) {
                return self.end(signal, messages, listener);
            }
        }
    }

    fn end(&self, signal: i32, messages: &Messages, listener: &mut Listener<'_>) -> Rested {
        Rested::Signal(signal, self.end_services(signal, messages, listener))
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
    fn wait(&self, messages: &Messages, listener: &mut Listener<'_>) -> Option<i32> {
        let is_deaf = self.waker.borrow().deaf().is_some();
        match self.pass(is_deaf.then_some(POLLED_EVERY), messages, listener) {
            Passed::Woken => self.settle(messages, listener),
            Passed::Time => None,
            Passed::Signal(signal) => Some(signal),
        }
    }

    /// Until the burst is over, or a signal.
    fn settle(&self, messages: &Messages, listener: &mut Listener<'_>) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < LONGEST_BURST {
            match self.pass(Some(QUIET), messages, listener) {
                Passed::Woken => {}
                Passed::Time => break,
                Passed::Signal(signal) => return Some(signal),
            }
        }
        None
    }

    /// So long at most, while services write and say what they have to.
    fn pass(
        &self,
        time: Option<Duration>,
        messages: &Messages,
        listener: &mut Listener<'_>,
    ) -> Passed {
        let waker = self.waker.borrow();
        let timer = time.map_or_else(never, after);
        loop {
            select! {
                recv(waker.woken()) -> _ => return Passed::Woken,
                recv(timer) -> _ => return Passed::Time,
                recv(self.output.1) -> piece => {
                    let standing = self.standing.borrow();
                    piece.iter().for_each(|piece| standing.wrote(piece, listener));
                }
                recv(messages.1) -> message => match message {
                    Ok(Message::Signal(signal)) => return Passed::Signal(signal),
                    Ok(Message::Service(number, news)) => {
                        self.standing.borrow_mut().said_at_rest(number, news, listener);
                    }
                    // Of a run that is over.
                    _ => {}
                },
            }
        }
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
        if !is_heard && let Some(signal) = self.settle(messages, listener) {
            return self.end(signal, messages, listener);
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
