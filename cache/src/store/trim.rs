//! Keeping the store within its limit: what goes first, and what nobody names.
//!
//! Entries go by the seconds they save, how lately they were used, and how much room they take,
//! all of it from the index: times of files are not looked at. What is referred to is counted
//! anew each time, so that whatever crashes left is found here.

use super::folder::{self, Hold, Lock};
use super::index::Index;
use super::inventory::Inventory;
use super::rows::{Kept, RowId, Totals, now_ms};
use crate::database::Trouble;
use crate::digest::Digest;
use std::path::Path;
use std::time::Duration;

/// How long others that add are waited for when there is too much.
const TRIM_PATIENCE: Duration = Duration::from_secs(1);
/// The default limit is at most this.
const MOST_BYTES: u64 = 10_000_000_000;
const DAY_MS: f64 = 86_400_000.0;

/// What trimming removed, and what is left.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Entries removed.
    pub entries: usize,
    /// Blobs removed.
    pub blobs: usize,
    /// The bytes of all that.
    pub bytes: u64,
    /// Bytes left.
    pub left_bytes: u64,
    /// One sentence, if the index could not be used, and a new one was begun.
    pub warning: Option<String>,
}

/// The lesser of 10 GB and a tenth of the disk that `dir` is on, or will be.
pub(super) fn default_limit(dir: &Path) -> u64 {
    let disk = dir.ancestors().find_map(|dir| rustix::fs::statvfs(dir).ok());
    disk.map_or(MOST_BYTES, |disk| MOST_BYTES.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 10))
}

/// How many bytes there are, whether they are referred to or not.
fn count(dir: &Path, index: &Index) -> Result<u64, Trouble> {
    let (_, mut bytes) = Inventory::of(dir)?.count(false);
    index.rows().each(|_, kept| bytes += kept.map_or(0, |kept| kept.row_bytes))?;
    Ok(bytes)
}

/// Looks at the running total, and trims if that is over the limit. Nothing is counted unless it
/// has to be.
pub(super) fn keep_within(dir: &Path, index: &mut Index, limit: u64) -> Result<(), Trouble> {
    let mut totals = index.rows().totals()?.unwrap_or(Totals::UNCOUNTED);
    if totals.bytes == Totals::UNCOUNTED.bytes {
        totals.bytes = count(dir, index)?;
        index.change(|rows| rows.set_totals(&totals))?;
    }
    // Whoever holds the lock meanwhile adds something, and will look at the limit too.
    if totals.bytes > limit
        && let Some(_alone) = Lock::take(dir, Hold::Exclusive, TRIM_PATIENCE)?
    {
        trim(dir, index, limit)?;
    }
    Ok(())
}

/// Removes entries, from the least worth on, until nine tenths of the limit are left, if it is
/// exceeded; then blobs that no entry names, and what lies in `tmp/`. The lock is held alone.
pub(super) fn trim(dir: &Path, index: &mut Index, limit: u64) -> Result<Trimmed, Trouble> {
    folder::sweep(dir)?;
    let mut blobs = Inventory::of(dir)?;
    let mut entries = Vec::new();
    let (mut gone, mut bytes) = (Vec::new(), 0);
    let now = now_ms();
    index.rows().each(|id, kept| match kept {
        Some(kept) if blobs.has_all(&kept) => {
            blobs.refer(&kept);
            entries.push(Candidate::new(id, &kept, now));
        }
        kept => {
            gone.push(id);
            bytes += kept.map_or(0, |kept| kept.row_bytes);
        }
    })?;
    // First what needs no transaction: on a full disk that makes room for one.
    let (mut removed, unreferred) = blobs.remove_unreferred(dir);
    let rows: u64 = entries.iter().map(|entry| entry.row_bytes).sum();
    let mut left = rows + blobs.count(true).1;
    if left > limit {
        entries.sort_by(|one, other| one.worth.total_cmp(&other.worth));
        for entry in entries {
            if left <= limit / 10 * 9 {
                break;
            }
            left -= entry.row_bytes + blobs.release(&entry.blobs);
            bytes += entry.row_bytes;
            gone.push(entry.id);
        }
    }
    index.change(|rows| {
        gone.iter().try_for_each(|id| rows.remove(id))?;
        let totals = rows.totals()?.unwrap_or(Totals::UNCOUNTED);
        rows.set_totals(&Totals { bytes: left, ..totals })
    })?;
    // Only now: an entry never lacks its blobs, whenever this ends.
    let evicted = blobs.remove_unreferred(dir);
    removed += evicted.0;
    bytes += unreferred + evicted.1;
    Ok(Trimmed { entries: gone.len(), blobs: removed, bytes, left_bytes: left, warning: None })
}

/// An entry that may have to go.
struct Candidate {
    id: RowId,
    row_bytes: u64,
    blobs: Vec<Digest>,
    /// Saved milliseconds × recency ÷ bytes.
    worth: f64,
}

impl Candidate {
    fn new(id: RowId, kept: &Kept, now_ms: u64) -> Candidate {
        let bytes = kept.entry.blobs().fold(kept.row_bytes, |sum, blob| sum + blob.size);
        Candidate {
            id,
            row_bytes: kept.row_bytes,
            blobs: kept.entry.blobs().map(|blob| blob.digest).collect(),
            worth: worth(kept.entry.duration_ms, now_ms.saturating_sub(kept.used_ms), bytes),
        }
    }
}

/// What a day unused costs: half of the worth, two days two thirds, and so on.
fn worth(duration_ms: u64, unused_ms: u64, bytes: u64) -> f64 {
    let recency = 1.0 / (1.0 + unused_ms as f64 / DAY_MS);
    duration_ms.max(1) as f64 * recency / bytes.max(1) as f64
}
