//! What people do with the store as a whole: looking at it, and keeping it in order.
//!
//! Nothing here makes a store that is not there. Whoever removes something waits a while for
//! builds that are saving, and says so if they do not end.

use super::blobs::{BlobError, Blobs};
use super::entry::Blob;
use super::folder::{self, Hold, Lock};
use super::index::{self, Index};
use super::inventory::{self, Inventory};
use super::rows::Totals;
use super::trim::{self, Trimmed};
use crate::database::Trouble;
use crate::digest::Digest;
use crate::said::absent_is_fine;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long builds that are saving are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store as a whole.
#[derive(Clone, Debug)]
pub struct Admin {
    pub(super) dir: PathBuf,
    pub(super) limit_bytes: u64,
}

/// What there is.
#[derive(Copy, Clone, Default, Debug, PartialEq, Eq)]
pub struct Info {
    /// How many results.
    pub entries: usize,
    /// How many different contents they consist of, with those that nothing refers to any more.
    pub blobs: usize,
    /// How much that is.
    pub bytes: u64,
    /// How much may be kept.
    pub limit_bytes: u64,
    /// How often a result was restored.
    pub hits: u64,
    /// How often one was stored.
    pub stored: u64,
    /// What commands took that need not run, in milliseconds.
    pub saved_ms: u64,
    /// What storing and restoring took, in milliseconds.
    pub spent_ms: u64,
}

/// What [`Admin::verify`] found.
#[derive(Copy, Clone, Default, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Contents that were read and are what their digest says.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Results that are whole.
    pub entries: usize,
    /// Problems; each was told. What they concern was removed.
    pub problems: usize,
    /// Contents that nothing refers to any more; they are removed when the store is trimmed.
    pub orphans: usize,
    /// Their bytes.
    pub orphan_bytes: u64,
}

/// Something that was wrong in a store, and is no longer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The index could not be used; the sentence says what was done.
    Index(String),
    /// A content is not what its digest says, or cannot be read.
    Blob(Digest),
    /// A row of the index is damaged.
    Row,
    /// A result lacks a content; this is its task.
    Incomplete(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Index(sentence) => f.write_str(sentence),
            Problem::Blob(digest) => write!(f, "the content {digest} was damaged: removed"),
            Problem::Row => f.write_str("a result in the index was damaged: removed"),
            Problem::Incomplete(task) => {
                write!(f, "a result of `{}` lacked a file: removed", task.escape_debug())
            }
        }
    }
}

/// Why something was not done with a store.
#[derive(Debug)]
pub enum StoreError {
    /// Others are saving into it, and did not end.
    Busy,
    /// What is to be imported is refused; why.
    Refused(String),
    /// It cannot be read or written; why.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Busy => f.write_str("a build is saving into the store; try again later"),
            StoreError::Refused(why) | StoreError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> StoreError {
        StoreError::Failed(trouble.into_why())
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        StoreError::Failed(crate::said(&error))
    }
}

impl Admin {
    /// The store at `dir`; `limit_bytes` as in [`super::Saver::new`].
    pub fn new(dir: &Path, limit_bytes: Option<u64>) -> Admin {
        let limit_bytes = limit_bytes.unwrap_or_else(|| trim::default_limit(dir));
        Admin { dir: dir.to_owned(), limit_bytes }
    }

    /// Counts what there is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn info(&self) -> Result<Info, StoreError> {
        let mut info = Info { limit_bytes: self.limit_bytes, ..Info::default() };
        (info.blobs, info.bytes) = Inventory::of(&self.dir)?.count(false);
        if let Some(index) = Index::open_to_read(&self.dir)? {
            index.rows().each(|_, kept| {
                info.entries += usize::from(kept.is_some());
                info.bytes += kept.map_or(0, |kept| kept.row_bytes);
            })?;
            let totals = index.rows().totals()?.unwrap_or(Totals::UNCOUNTED);
            info.hits = totals.hits;
            info.stored = totals.stored;
            info.saved_ms = totals.saved_ms;
            info.spent_ms = totals.spent_ms;
        }
        Ok(info)
    }

    /// Removes what exceeds the limit, and what nothing refers to any more.
    ///
    /// # Errors
    /// [`StoreError::Busy`], or it cannot be written.
    pub fn trim(&self) -> Result<Trimmed, StoreError> {
        let trimmed = self.alone(|index| trim::trim(&self.dir, index, self.limit_bytes))?;
        Ok(trimmed.map_or_else(Trimmed::default, |(done, warning)| Trimmed { warning, ..done }))
    }

    /// Removes everything but the folder. What there was is said.
    ///
    /// # Errors
    /// [`StoreError::Busy`], or it cannot be written.
    pub fn clear(&self) -> Result<Info, StoreError> {
        let before = self.info().unwrap_or_default();
        self.alone(|index| {
            // In this order: on a full disk it is the contents that make room for the rest.
            Inventory::of(&self.dir)?.remove_unreferred(&self.dir);
            folder::sweep(&self.dir)?;
            absent_is_fine(fs::remove_dir_all(self.dir.join("damaged")))?;
            index.clear()
        })?;
        Ok(before)
    }

    /// Reads every content and removes what is damaged, then results that are not whole.
    ///
    /// # Errors
    /// [`StoreError::Busy`], or it cannot be written.
    pub fn verify(&self, mut tell: impl FnMut(&Problem)) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        let mut problem = |verified: &mut Verified, problem: &Problem| {
            verified.problems += 1;
            tell(problem);
        };
        // Without the lock: it takes long, and a content removed in error is a miss.
        let blobs = Blobs::new(&self.dir);
        let mut buffer = Vec::new();
        for (digest, size) in Inventory::of(&self.dir)?.sizes() {
            match size.map(|size| blobs.read(&Blob { digest, size }, &mut buffer)) {
                Some(Ok(())) => {
                    verified.blobs += 1;
                    verified.bytes += size.unwrap_or_default();
                }
                Some(Err(BlobError::Absent)) => {}
                _ => {
                    inventory::remove(&blobs.path(&digest));
                    problem(&mut verified, &Problem::Blob(digest));
                }
            }
        }
        let Some((entries, sentence)) = self.alone(|index| self.remove_broken(index))? else {
            return Ok(verified);
        };
        let replaced = sentence.map(Problem::Index);
        replaced.iter().chain(&entries.problems).for_each(|found| problem(&mut verified, found));
        verified.entries = entries.whole;
        (verified.orphans, verified.orphan_bytes) = entries.orphans;
        Ok(verified)
    }

    fn remove_broken(&self, index: &mut Index) -> Result<Entries, Trouble> {
        let mut inventory = Inventory::of(&self.dir)?;
        let mut entries = Entries { whole: 0, problems: Vec::new(), orphans: (0, 0) };
        let mut gone = Vec::new();
        index.rows().each(|id, kept| {
            let found = match kept {
                Some(kept) if inventory.has_all(&kept) => {
                    entries.whole += 1;
                    return inventory.refer(&kept);
                }
                Some(kept) => Problem::Incomplete(kept.entry.task),
                None => Problem::Row,
            };
            entries.problems.push(found);
            gone.push(id);
        })?;
        index.change(|rows| {
            gone.iter().try_for_each(|id| rows.remove(id))?;
            rows.list_anew()
        })?;
        entries.orphans = inventory.count(false);
        Ok(entries)
    }

    /// Does something with the index while the lock is held alone. An index that turns out to be
    /// damaged is moved aside and it is done with a new one; the sentence says so. `None`: there is
    /// no store.
    fn alone<T>(
        &self,
        mut work: impl FnMut(&mut Index) -> Result<T, Trouble>,
    ) -> Result<Option<(T, Option<String>)>, StoreError> {
        if !folder::blobs_dir(&self.dir).is_dir() {
            return Ok(None);
        }
        folder::require_own(&self.dir)?;
        let _alone = Lock::take(&self.dir, Hold::Exclusive, PATIENCE)?.ok_or(StoreError::Busy)?;
        let (mut index, mut sentence) = Index::open_or_replace(&self.dir)?;
        let done = match work(&mut index) {
            Err(Trouble::Damaged(why)) => {
                index.close();
                sentence = Some(index::set_aside(&self.dir, &why)?);
                index = Index::open_to_write(&self.dir)?;
                work(&mut index)?
            }
            done => done?,
        };
        index.close();
        Ok(Some((done, sentence)))
    }
}

/// What was found among the entries.
struct Entries {
    whole: usize,
    problems: Vec<Problem>,
    orphans: (usize, u64),
}
