//! What runs on the saver's thread: blobs first, then their rows, in batches.
//!
//! The lock is held shared from the first blob of a batch until its commit, and not between
//! batches, so that a long build keeps nobody from removing what is old.

use super::codec;
use super::entry::Entry;
use super::folder::{self, Hold, Lock};
use super::incoming::{self, Refused};
use super::index::{self, Index};
use super::rows::{Kept, Rows, Totals, now_ms, whole_ms};
use super::saver::{Differing, Message, Save, Saved};
use super::trim;
use crate::database::Trouble;
use crate::digest::Digest;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest time that a change waits for others before it is committed.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The most changes in one transaction.
const BATCH_CHANGES: usize = 1000;
/// How long another process that removes what is old is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often an index that others replace meanwhile is opened.
const ATTEMPTS: usize = 4;

/// The state of the thread.
pub(super) struct Keeper {
    dir: PathBuf,
    /// How much may be kept; known once the folder is there.
    limit_bytes: Option<u64>,
    stopped: Arc<AtomicBool>,
    index: Option<Index>,
    batch: Option<Batch>,
    /// Nothing more is written.
    failed: bool,
    saved: Saved,
    spent: Duration,
    buffer: Vec<u8>,
}

/// What is to be committed together.
struct Batch {
    _lock: Lock,
    deadline: Instant,
    changes: Vec<Change>,
    /// Bytes of blobs that were added, be they named by an entry or not.
    added: u64,
    spent: Duration,
}

impl Batch {
    fn is_due(&self) -> bool {
        // What is saved next under a key that is broken must not be held against what was there.
        matches!(self.changes.last(), Some(Change::Broken(_)))
            || self.changes.len() >= BATCH_CHANGES
            || Instant::now() >= self.deadline
    }
}

enum Change {
    Put(Box<Kept>),
    Used { key: Digest, root: Option<Digest>, saved_ms: u64, spent_ms: u64 },
    Broken(Digest),
}

impl Keeper {
    /// For the store at `dir`.
    pub(super) fn new(dir: &Path, limit_bytes: Option<u64>, stopped: Arc<AtomicBool>) -> Keeper {
        Keeper {
            dir: dir.to_owned(),
            limit_bytes,
            stopped,
            index: None,
            batch: None,
            failed: false,
            saved: Saved::default(),
            spent: Duration::ZERO,
            buffer: Vec::new(),
        }
    }

    /// Until the saver hangs up.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Saved {
        loop {
            let message = match &self.batch {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(batch) => messages.recv_deadline(batch.deadline),
            };
            match message {
                // What is wrong with it, or who holds it, meets who writes first.
                Ok(Message::Open) => self.index = self.open(Duration::ZERO).ok(),
                Ok(Message::Flush(reply)) => {
                    self.commit();
                    // A saver that no longer waits for the answer is being dropped.
                    let _ = reply.send(());
                }
                Ok(Message::Commit) => self.commit(),
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.commit();
        self.finish()
    }

    fn take(&mut self, message: Message) {
        let saves = usize::from(matches!(message, Message::Save(_)));
        if self.failed || (saves > 0 && self.stopped.load(Ordering::Relaxed)) {
            self.saved.dropped += saves;
            return;
        }
        let taken = self.begin().and_then(|()| match message {
            Message::Save(save) => self.save(*save),
            Message::Used { key, root, saved_ms, spent_ms } => {
                Ok(Some(Change::Used { key, root, saved_ms, spent_ms }))
            }
            Message::Broken(key) => Ok(Some(Change::Broken(key))),
            Message::Open | Message::Commit | Message::Flush(_) => Ok(None),
        });
        match (taken, &mut self.batch) {
            (Ok(Some(change)), Some(batch)) => batch.changes.push(change),
            (Ok(_), _) => {}
            (Err(trouble), _) => {
                self.saved.dropped += saves;
                self.fail(trouble);
            }
        }
        if self.batch.as_ref().is_some_and(Batch::is_due) {
            self.commit();
        }
    }

    /// Makes sure of a batch: the lock is held and the index is that of the store.
    fn begin(&mut self) -> Result<(), Trouble> {
        if self.batch.is_some() {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            if !self.index.as_ref().is_some_and(|index| index.is_at(&self.dir)) {
                self.index = None;
                self.index = Some(self.open(PATIENCE)?);
            }
            let lock = self.wait_for(Hold::Shared, PATIENCE)?.ok_or_else(in_use)?;
            // Whoever moves the index aside holds the lock alone.
            if self.index.as_ref().is_some_and(|index| index.is_at(&self.dir)) {
                self.batch = Some(Batch {
                    _lock: lock,
                    deadline: Instant::now() + BATCH_TIME,
                    changes: Vec::new(),
                    added: 0,
                    spent: Duration::ZERO,
                });
                return Ok(());
            }
        }
        Err(Trouble::Unreadable("others keep replacing it".to_owned()))
    }

    /// The lock, unless others hold it too long, or nobody wants to wait any more.
    fn wait_for(&self, hold: Hold, patience: Duration) -> io::Result<Option<Lock>> {
        let deadline = Instant::now() + patience;
        let waits = || Instant::now() < deadline && !self.stopped.load(Ordering::Relaxed);
        Lock::take_while(&self.dir, hold, waits)
    }

    fn open(&mut self, patience: Duration) -> Result<Index, Trouble> {
        folder::make(&self.dir)?;
        self.limit_bytes.get_or_insert_with(|| trim::default_limit(&self.dir));
        let mut alone = Lock::take(&self.dir, Hold::Exclusive, Duration::ZERO)?;
        if alone.is_some() {
            folder::sweep(&self.dir)?;
        } else {
            // Nobody moves the files away while they are opened.
            let shared = self.wait_for(Hold::Shared, patience)?.ok_or_else(in_use)?;
            match Index::open_to_write(&self.dir) {
                Err(Trouble::Damaged(_)) => drop(shared),
                other => return other,
            }
            alone = self.wait_for(Hold::Exclusive, patience)?;
        }
        let _alone = alone.ok_or_else(in_use)?;
        let (index, sentence) = Index::open_or_replace(&self.dir)?;
        sentence.into_iter().for_each(|sentence| self.warn(sentence));
        Ok(index)
    }

    /// Adds what a success left; `None` if it is not to be stored.
    fn save(&mut self, save: Save) -> Result<Option<Change>, Trouble> {
        let begun = Instant::now();
        let result = self.add(save).map(Some);
        if let Some(batch) = &mut self.batch {
            batch.spent += begun.elapsed();
        }
        match result {
            Ok(change) => Ok(change),
            Err(Refused::Store(error)) => Err(error.into()),
            Err(Refused::Source) => {
                self.saved.dropped += 1;
                Ok(None)
            }
        }
    }

    fn add(&mut self, mut save: Save) -> Result<Change, Refused> {
        let blobs: Vec<_> =
            save.entry.files.iter().filter_map(|file| file.blob()).copied().collect();
        let bytes = blobs.iter().fold(0_u64, |sum, blob| sum.saturating_add(blob.size));
        let fits = self.limit_bytes.is_none_or(|limit| bytes <= limit);
        if codec::encode(&save.entry).is_err() || blobs.len() != save.sources.len() || !fits {
            return Err(Refused::Source);
        }
        for (blob, source) in blobs.iter().zip(&save.sources) {
            let (buffer, stopped) = (&mut self.buffer, &*self.stopped);
            let added = incoming::add(&self.dir, source, blob, buffer, stopped)?;
            self.count(added);
        }
        save.entry.log = None;
        if let Some(log) = &save.log
            && let Some((blob, added)) = incoming::add_any(&self.dir, log, &mut self.buffer)?
        {
            self.count(added);
            save.entry.log = Some(blob);
        }
        let static_key = save.entry.found.is_some().then_some(save.static_key);
        Ok(Change::Put(Box::new(Kept {
            key: save.key,
            root: save.root,
            static_key,
            used_ms: now_ms(),
            row_bytes: 0,
            entry: save.entry,
        })))
    }

    fn count(&mut self, added: u64) {
        self.saved.bytes += added;
        if let Some(batch) = &mut self.batch {
            batch.added += added;
        }
    }

    /// Commits the batch, or remembers why not.
    fn commit(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        let Some(index) = &mut self.index else { return };
        let begun = Instant::now();
        let applied = index.change(|rows| apply(rows, &batch));
        self.spent += batch.spent + begun.elapsed();
        match applied {
            Ok(applied) => {
                self.saved.entries += applied.entries;
                self.saved.differing.extend(applied.differing);
            }
            Err(trouble) => {
                self.lose(&batch);
                drop(batch);
                self.fail(trouble);
            }
        }
    }

    fn lose(&mut self, batch: &Batch) {
        let puts = batch.changes.iter().filter(|change| matches!(change, Change::Put(_)));
        self.saved.dropped += puts.count();
    }

    /// An index found damaged is moved away, and the next batch begins anew; anything else ends
    /// the saving.
    fn fail(&mut self, trouble: Trouble) {
        let why = match trouble {
            Trouble::Unreadable(why) => why,
            Trouble::Damaged(why) => {
                if let Some(batch) = self.batch.take() {
                    self.lose(&batch);
                }
                match self.set_aside(&why) {
                    Ok(()) => return,
                    Err(trouble) => trouble.into_why(),
                }
            }
        };
        self.failed = true;
        let place = self.dir.display();
        self.warn(format!(
            "the store {place} cannot be written ({why}); the rest of this run is not stored"
        ));
        self.commit();
    }

    fn set_aside(&mut self, why: &str) -> Result<(), Trouble> {
        let index = self.index.take();
        let _alone = self.wait_for(Hold::Exclusive, PATIENCE)?.ok_or_else(in_use)?;
        // Another process may have done so meanwhile.
        if index.is_none_or(|index| index.is_at(&self.dir)) {
            let sentence = index::set_aside(&self.dir, why)?;
            self.warn(sentence);
        }
        Ok(())
    }

    /// The first sentence is the one that counts.
    fn warn(&mut self, sentence: String) {
        self.saved.warning.get_or_insert(sentence);
    }

    /// Keeps the store within its limit and closes the index.
    fn finish(mut self) -> Saved {
        let looks = self.saved.entries > 0 && !self.stopped.load(Ordering::Relaxed);
        if let (Some(index), Some(limit), true) = (&mut self.index, self.limit_bytes, looks)
            // A store that stays too large is looked at again by the next run.
            && let Err(Trouble::Damaged(why)) = trim::keep_within(&self.dir, index, limit)
        {
            let _ = self.set_aside(&why);
        }
        if let Some(index) = self.index.take() {
            index.leave();
        }
        self.saved.spent_ms = whole_ms(self.spent);
        self.saved
    }
}

fn in_use() -> Trouble {
    Trouble::Unreadable("others are using it".to_owned())
}

struct Applied {
    entries: usize,
    differing: Vec<Differing>,
}

fn apply(rows: &Rows<'_>, batch: &Batch) -> Result<Applied, Trouble> {
    let mut applied = Applied { entries: 0, differing: Vec::new() };
    let mut totals = rows.totals()?.unwrap_or(Totals::UNCOUNTED);
    totals.add_bytes(batch.added);
    totals.spend(whole_ms(batch.spent));
    for change in &batch.changes {
        match change {
            Change::Put(kept) => put(rows, kept, &mut totals, &mut applied)?,
            Change::Used { key, root, saved_ms, spent_ms } => {
                rows.touch(key, root.as_ref(), now_ms())?;
                totals.hit(*saved_ms);
                totals.spend(*spent_ms);
            }
            Change::Broken(key) => rows.remove_all(key)?,
        }
    }
    rows.set_totals(&totals)?;
    Ok(applied)
}

/// The newest result is the one that stays, be it equal, so that it does not grow old, or another,
/// so that who runs a task again gets back what that made.
fn put(
    rows: &Rows<'_>,
    kept: &Kept,
    totals: &mut Totals,
    applied: &mut Applied,
) -> Result<(), Trouble> {
    let mut known = false;
    for old in rows.serving(&kept.key, kept.root.as_ref())? {
        if old.entry.ended_ms > kept.entry.ended_ms {
            return rows.touch(&kept.key, kept.root.as_ref(), kept.used_ms);
        }
        known |= old.root == kept.root;
        if let Some(differing) = Differing::between(&old.entry, &kept.key, &kept.entry) {
            applied.differing.push(differing);
            rows.remove(&old.id())?;
        }
    }
    if let Some(bytes) = rows.put(kept)?
        && !known
    {
        totals.add_bytes(bytes);
        totals.stored += 1;
        applied.entries += 1;
    }
    Ok(())
}

impl Differing {
    fn between(first: &Entry, key: &Digest, second: &Entry) -> Option<Differing> {
        let paths = first.differing(second);
        let differs = !paths.is_empty();
        differs.then(|| Differing { key: *key, task: second.task.clone(), paths })
    }
}
