//! The only writable connection, on a thread of its own.
//!
//! Changes are collected and committed in batches, off everybody's path; they are committed in the
//! order in which they were given, so a crash loses the newest and never one in between. Thread and
//! database are opened by the first change, or when somebody knows that it will come: a run that
//! changes nothing writes nothing.

use super::database::LAYOUT;
use super::snapshot;
use crate::database::{self, Files, Trouble};
use crossbeam_channel::{Receiver, Sender};
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest time that a change waits for others before it is committed.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The most changes in one transaction.
const BATCH_CHANGES: usize = 1000;

/// Takes changes to the state; one per workspace, under the workspace's lock.
///
/// Writing that fails does not fail a build: the first failure is told once, by [`Writer::flush`]
/// or [`Writer::close`], and what follows is dropped.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    beside_reader: bool,
    link: Link,
}

#[derive(Debug)]
enum Link {
    /// Nothing was put yet, or announced.
    Idle,
    Running(Sender<Message>, JoinHandle<Option<String>>),
    /// The thread could not be started, or is gone; the sentence, until it was told.
    Broken(Option<String>),
}

enum Message {
    /// Changes will come.
    Open,
    Change(Change),
    /// Commit, and move it into the database file.
    Checkpoint,
    /// Commit, and answer with the sentence about the first failure, if it was not told yet.
    Flush(Sender<Option<String>>),
}

struct Change {
    table: u8,
    id: Vec<u8>,
    /// `None` deletes the row.
    value: Option<Vec<u8>>,
}

impl Writer {
    /// A writer for the database in `dir`, which must exist when it is opened.
    pub fn new(dir: &Path) -> Writer {
        Writer { dir: dir.to_owned(), beside_reader: false, link: Link::Idle }
    }

    /// A writer that leaves the database's file as it is up to its [checkpoint](Writer::checkpoint) or
    /// its end, for a [`Reader`](super::Reader) of the same process.
    pub fn beside_reader(dir: &Path) -> Writer {
        Writer { dir: dir.to_owned(), beside_reader: true, link: Link::Idle }
    }

    /// Opens the database, if it is not, while somebody else works: changes will come. Returns at
    /// once.
    pub fn open(&mut self) {
        if matches!(self.link, Link::Idle) {
            self.send(Message::Open);
        }
    }

    /// Sets the row `id` of `table`. Returns at once.
    pub fn put(&mut self, table: u8, id: Vec<u8>, value: Vec<u8>) {
        self.send(Message::Change(Change { table, id, value: Some(value) }));
    }

    /// Removes the row `id` of `table`, if there is one. Returns at once.
    pub fn delete(&mut self, table: u8, id: Vec<u8>) {
        self.send(Message::Change(Change { table, id, value: None }));
    }

    /// Waits until everything so far is committed, or known not to be. A sentence, once, if writing
    /// failed: nothing from then on is recorded.
    pub fn flush(&mut self) -> Option<String> {
        match &mut self.link {
            Link::Idle => None,
            Link::Broken(sentence) => sentence.take(),
            Link::Running(sender, _) => {
                let (reply, answer) = crossbeam_channel::bounded(1);
                let sent = sender.send(Message::Flush(reply));
                match sent.ok().and_then(|()| answer.recv().ok()) {
                    Some(sentence) => sentence,
                    None => self.stop(),
                }
            }
        }
    }

    /// Begins what [`Writer::close`] will wait for: that everything so far is committed, and in the
    /// database file. Returns at once.
    pub fn checkpoint(&mut self) {
        if let Link::Running(sender, _) = &self.link {
            // As in `send`.
            let _ = sender.send(Message::Checkpoint);
        }
    }

    /// Commits everything, moves it into the database file and ends the thread. The sentence is
    /// that of [`Writer::flush`], if it was not told before.
    pub fn close(mut self) -> Option<String> {
        self.stop()
    }

    fn send(&mut self, message: Message) {
        if matches!(self.link, Link::Idle) {
            self.link = start(&self.dir, self.beside_reader);
        }
        if let Link::Running(sender, _) = &self.link {
            // It fails only when the thread is gone, which `flush` and `close` tell.
            let _ = sender.send(message);
        }
    }

    fn stop(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.link, Link::Broken(None)) {
            Link::Idle => None,
            Link::Broken(sentence) => sentence,
            Link::Running(sender, thread) => {
                drop(sender);
                let gone = || Some("the thread that records the build state failed".to_owned());
                thread.join().unwrap_or_else(|_| gone())
            }
        }
    }
}

/// A writer that is dropped commits as one that is closed.
impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn start(dir: &Path, beside_reader: bool) -> Link {
    if let Err(error) = crate::resting::forget(dir) {
        return Link::Broken(Some(format!(
            "what rests on the build state cannot be forgotten ({}); this run is not recorded",
            crate::said(&error)
        )));
    }
    let (sender, receiver) = crossbeam_channel::unbounded();
    let recorder = Recorder { dir: dir.to_owned(), beside_reader, stage: Stage::Unopened };
    let thread = thread::Builder::new().name("state".to_owned());
    match thread.spawn(move || recorder.run(&receiver)) {
        Ok(thread) => Link::Running(sender, thread),
        Err(error) => Link::Broken(Some(format!(
            "the build state cannot be written ({}); this run is not recorded",
            crate::said(&error)
        ))),
    }
}

/// What runs on the thread.
struct Recorder {
    dir: PathBuf,
    beside_reader: bool,
    stage: Stage,
}

enum Stage {
    Unopened,
    Open(Connection),
    /// Writing failed; the sentence, until it was told.
    Failed(Option<String>),
}

impl Recorder {
    /// Until the writer hangs up; returns the sentence if it was not told.
    fn run(mut self, messages: &Receiver<Message>) -> Option<String> {
        while let Ok(first) = messages.recv() {
            // While others come.
            self.open();
            let (batch, end) = collect(first, messages);
            if !batch.is_empty() {
                self.commit(&batch);
            }
            match (end, &self.stage) {
                (End::Flush(reply), _) => {
                    // A writer that no longer waits for the answer is being dropped.
                    let _ = reply.send(self.sentence());
                }
                (End::Checkpoint, Stage::Open(connection)) => database::checkpoint(connection),
                (End::Checkpoint | End::Batch, _) => {}
            }
        }
        let sentence = self.sentence();
        if let Stage::Open(connection) = self.stage {
            database::close(connection);
        }
        sentence
    }

    fn sentence(&mut self) -> Option<String> {
        match &mut self.stage {
            Stage::Failed(sentence) => sentence.take(),
            _ => None,
        }
    }

    /// Opens the database, or remembers why not.
    fn open(&mut self) {
        if matches!(self.stage, Stage::Unopened) {
            match open_in(&self.dir, self.beside_reader) {
                Ok(connection) => self.stage = Stage::Open(connection),
                Err(trouble) => self.fail(trouble),
            }
        }
    }

    /// Commits a batch, or remembers why not.
    fn commit(&mut self, batch: &[Change]) {
        if let Stage::Open(connection) = &mut self.stage
            && let Err(trouble) = apply(connection, batch)
        {
            self.fail(trouble);
        }
    }

    fn fail(&mut self, trouble: Trouble) {
        // Closes the connection before its files are moved.
        self.stage = Stage::Failed(None);
        self.stage = Stage::Failed(Some(self.explain(trouble)));
    }

    /// A database found damaged only now is moved aside, or every later run would fail here again.
    fn explain(&self, trouble: Trouble) -> String {
        let place = self.dir.join(LAYOUT.file);
        let place = place.display();
        let (why, moved) = match trouble {
            Trouble::Unreadable(why) => (why, String::new()),
            Trouble::Damaged(why) => match database::set_aside(&LAYOUT, &self.dir) {
                Ok(aside) => (why, format!("; it was moved to {}", aside.display())),
                Err(error) => (why, format!("; it cannot be moved away ({})", crate::said(&error))),
            },
        };
        format!(
            "the build state {place} cannot be written ({why}){moved}; \
             the rest of this run is not recorded"
        )
    }
}

fn open_in(dir: &Path, beside_reader: bool) -> Result<Connection, Trouble> {
    database::require_version()?;
    Files::look(&LAYOUT, dir)?;
    let connection = database::open_to_write(&LAYOUT, dir, database::is_remote(dir))?;
    if beside_reader {
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    }
    Ok(connection)
}

/// What ends a batch.
enum End {
    /// Its size, its time, or the end of all.
    Batch,
    Checkpoint,
    Flush(Sender<Option<String>>),
}

/// The first message and what follows it within a batch.
fn collect(first: Message, messages: &Receiver<Message>) -> (Vec<Change>, End) {
    let deadline = Instant::now() + BATCH_TIME;
    let mut batch = Vec::new();
    let mut next = Ok(first);
    while let Ok(message) = next {
        match message {
            Message::Flush(reply) => return (batch, End::Flush(reply)),
            Message::Checkpoint => return (batch, End::Checkpoint),
            Message::Change(change) => batch.push(change),
            // By now it is.
            Message::Open => {}
        }
        if batch.len() == BATCH_CHANGES {
            break;
        }
        next = messages.recv_deadline(deadline);
    }
    (batch, End::Batch)
}

fn apply(connection: &mut Connection, batch: &[Change]) -> Result<(), Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut put = transaction
            .prepare("INSERT OR REPLACE INTO rows(tab, id, value, sum) VALUES(?1, ?2, ?3, ?4)")?;
        let mut delete = transaction.prepare("DELETE FROM rows WHERE tab = ?1 AND id = ?2")?;
        for Change { table, id, value } in batch {
            match value {
                None => delete.execute(params![table, id])?,
                Some(value) => {
                    let Some(sum) = snapshot::sum(*table, id, value) else {
                        return Err(Trouble::Unreadable("a row is too long".to_owned()));
                    };
                    put.execute(params![table, id, value, sum])?
                }
            };
        }
    }
    transaction.commit()?;
    Ok(())
}
