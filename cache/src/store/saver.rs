//! The handle of the thread that writes to the store.
//!
//! Everything returns at once but [`Saver::flush`] and what closes. The thread is started by
//! the first call that has something to write, or knows that there will be: a run that saves nothing
//! makes no folder.

use super::entry::Entry;
use super::keeper::Keeper;
use crate::digest::Digest;
use crate::said;
use crossbeam_channel::{RecvTimeoutError, Sender};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often somebody who waits for the end is asked whether to stop.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A success that is to be stored.
#[derive(Clone, Debug)]
pub struct Save {
    /// What it is found by.
    pub key: Digest,
    /// What the lists of paths that depfiles named are found by.
    pub static_key: Digest,
    /// The digest of the absolute path of the only workspace that it serves.
    pub root: Option<Digest>,
    /// What there is to keep; the log is added.
    pub entry: Entry,
    /// Where the files are now: absolute, one for each [`super::What::File`], in their order.
    pub sources: Vec<PathBuf>,
    /// Where the log is.
    pub log: Option<PathBuf>,
}

/// What a [`Saver`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// One sentence, if the store could not be written.
    pub warning: Option<String>,
    /// How many successes were stored.
    pub entries: usize,
    /// How many were not, since a file was no longer what it had been, or the entry breaks the
    /// rules, or there was no time.
    pub dropped: usize,
    /// How many bytes of contents were added.
    pub bytes: u64,
    /// How long that took, in milliseconds.
    pub spent_ms: u64,
    /// Successes that had other files than what is stored under their key.
    pub differing: Vec<Differing>,
}

/// A key under which two runs made different files. The later one is in the store now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Their key.
    pub key: Digest,
    /// Which task, for people.
    pub task: String,
    /// Where they differ.
    pub paths: Vec<Vec<u8>>,
}

/// Saves successes, on a thread of its own. What cannot be written is dropped.
#[derive(Debug)]
pub struct Saver {
    dir: PathBuf,
    limit_bytes: Option<u64>,
    stopped: Arc<AtomicBool>,
    link: Link,
}

#[derive(Debug)]
enum Link {
    Idle,
    Running(Sender<Message>, JoinHandle<Saved>),
    /// The thread could not be started, or is gone.
    Ended(Saved),
}

/// What the thread is told.
pub(super) enum Message {
    /// Something will come.
    Open,
    Save(Box<Save>),
    /// It was restored.
    Used {
        key: Digest,
        root: Option<Digest>,
        saved_ms: u64,
        spent_ms: u64,
    },
    /// It cannot be restored.
    Broken(Digest),
    /// Do not wait for more to commit together.
    Commit,
    /// Commit, then answer.
    Flush(Sender<()>),
}

impl Saver {
    /// For the store at `dir`, which is made if need be. `limit_bytes` is how much may be kept;
    /// `None` is the default: the lesser of 10 GB and a tenth of the disk.
    pub fn new(dir: &Path, limit_bytes: Option<u64>) -> Saver {
        let stopped = Arc::new(AtomicBool::new(false));
        Saver { dir: dir.to_owned(), limit_bytes, stopped, link: Link::Idle }
    }

    /// Opens a store that is there, if it is not open, while somebody else works: something will come.
    /// Returns at once.
    pub fn open(&mut self) {
        if matches!(self.link, Link::Idle) && self.dir.is_dir() {
            self.send(Message::Open);
        }
    }

    /// Stores a success. Nothing is stored if a file is no longer what its digest says.
    pub fn save(&mut self, save: Save) {
        self.send(Message::Save(Box::new(save)));
    }

    /// Says that the entry was restored: that took `spent_ms`, in the place of a command
    /// that once took `saved_ms`.
    pub fn used(&mut self, key: Digest, root: Option<Digest>, saved_ms: u64, spent_ms: u64) {
        self.send(Message::Used { key, root, saved_ms, spent_ms });
    }

    /// Says that the entries under `key` cannot be restored: they are removed.
    pub fn broken(&mut self, key: Digest) {
        self.send(Message::Broken(key));
    }

    /// Begins what [`Saver::close`] will wait for: that everything so far is stored. Returns at once.
    pub fn commit(&mut self) {
        if let Link::Running(sender, _) = &self.link {
            // As in `send`.
            let _ = sender.send(Message::Commit);
        }
    }

    /// Waits until everything so far is stored, or known not to be.
    pub fn flush(&mut self) {
        if let Link::Running(sender, _) = &self.link {
            let (reply, answer) = crossbeam_channel::bounded(1);
            if sender.send(Message::Flush(reply)).is_err() || answer.recv().is_err() {
                self.stop();
            }
        }
    }

    /// Drops what waits to be saved. What is committed stays.
    #[cfg(test)]
    pub(super) fn stop_early(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Saves what waits, keeps the store within its limit, and ends the thread.
    pub fn close(mut self) -> Saved {
        self.stop();
        match &mut self.link {
            Link::Ended(saved) => std::mem::take(saved),
            Link::Idle | Link::Running(..) => Saved::default(),
        }
    }

    /// As [`Saver::close`], but drops what still waits to be saved as soon as `stopped` says so; it
    /// is asked again and again.
    pub fn close_unless(self, mut stopped: impl FnMut() -> bool) -> Saved {
        let (reply, answer) = crossbeam_channel::bounded(1);
        if let Link::Running(sender, _) = &self.link
            && sender.send(Message::Flush(reply)).is_ok()
        {
            loop {
                self.stopped.fetch_or(stopped(), Ordering::Relaxed);
                match answer.recv_timeout(ASK_EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        }
        self.close()
    }

    fn send(&mut self, message: Message) {
        if matches!(self.link, Link::Idle) {
            self.link = self.start();
        }
        if let Link::Running(sender, _) = &self.link {
            // It fails only when the thread is gone, which `close` tells.
            let _ = sender.send(message);
        }
    }

    fn start(&self) -> Link {
        let (sender, messages) = crossbeam_channel::unbounded();
        let keeper = Keeper::new(&self.dir, self.limit_bytes, Arc::clone(&self.stopped));
        match thread::Builder::new().name("store".to_owned()).spawn(move || keeper.run(&messages)) {
            Ok(thread) => Link::Running(sender, thread),
            Err(error) => {
                let why = said(&error);
                let warning = format!("the store cannot be written ({why}); nothing is stored");
                Link::Ended(Saved { warning: Some(warning), ..Saved::default() })
            }
        }
    }

    fn stop(&mut self) {
        self.link = match std::mem::replace(&mut self.link, Link::Idle) {
            Link::Running(sender, thread) => {
                drop(sender);
                Link::Ended(thread.join().unwrap_or_else(|_| Saved {
                    warning: Some("the thread that writes to the store failed".to_owned()),
                    ..Saved::default()
                }))
            }
            other => other,
        };
    }
}

/// A saver that is dropped saves as one that is closed.
impl Drop for Saver {
    fn drop(&mut self) {
        self.stop();
    }
}
