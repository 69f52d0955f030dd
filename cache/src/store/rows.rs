//! The rows of the index: entries under their keys, and totals.
//!
//! SQLite has no checksum of its own, so every row carries one; a row that does not fit it, or
//! whose entry breaks the rules, is absent. Knows nothing of blobs.

use super::codec::{self, Reader};
use super::entry::Entry;
use super::grammar::Refusal;
use super::index::FORMAT;
use crate::database::Trouble;
use crate::digest::{Digest, checksum};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many lists of paths a static key has.
const LISTS: usize = 16;
/// How many entries are looked at for them.
const LISTS_FROM: usize = 256;

/// What a row takes beside its value, about, in bytes.
const ROW_BYTES: u64 = 256;

/// An entry with what it is kept under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its key.
    pub(super) key: Digest,
    /// The workspace that it is bound to.
    pub(super) root: Option<Digest>,
    /// Its static key, if it has a depfile.
    pub(super) static_key: Option<Digest>,
    /// When it was saved or restored last, in milliseconds since 1970.
    pub(super) used_ms: u64,
    /// What its row takes, about, in bytes; known once it is read.
    pub(super) row_bytes: u64,
    /// Itself.
    pub(super) entry: Entry,
}

impl Kept {
    /// What its row is found by.
    pub(super) fn id(&self) -> RowId {
        let root = bytes_of(self.root.as_ref()).to_vec();
        RowId { key: self.key.as_bytes().to_vec(), root }
    }
}

/// The first columns of a row, as they are found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct RowId {
    key: Vec<u8>,
    root: Vec<u8>,
}

/// Sums over the life of the index.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    /// Of all blobs and entries, as far as is known without counting.
    pub(super) bytes: u64,
    /// What commands took that need not run.
    pub(super) saved_ms: u64,
    /// What saving and restoring took.
    pub(super) spent_ms: u64,
    /// Entries restored.
    pub(super) hits: u64,
    /// Entries saved.
    pub(super) stored: u64,
}

/// The rows of an index that is open, or being changed.
pub(super) struct Rows<'c> {
    pub(super) connection: &'c Connection,
}

const COLUMNS: &str = "SELECT key, root, static, used, value, sum FROM entries";

impl Rows<'_> {
    /// The entries under `key` that serve the workspace: the one bound to no place comes first.
    pub(super) fn serving(
        &self,
        key: &Digest,
        root: Option<&Digest>,
    ) -> Result<Vec<Kept>, Trouble> {
        let sql = format!("{COLUMNS} WHERE key = ?1 AND root IN (x'', ?2) ORDER BY root");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![key.as_bytes(), bytes_of(root)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let fits = |kept: &Kept| {
                kept.key == *key && (kept.root.is_none() || kept.root.as_ref() == root)
            };
            found.extend(kept(row)?.filter(fits));
        }
        Ok(found)
    }

    /// All entries under `key`, whatever they are bound to.
    pub(super) fn under(&self, key: &Digest) -> Result<Vec<Kept>, Trouble> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} WHERE key = ?1"))?;
        let mut rows = statement.query([key.as_bytes()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.extend(kept(row)?.filter(|kept| kept.key == *key));
        }
        Ok(found)
    }

    /// See [`super::Store::lists`].
    pub(super) fn lists(
        &self,
        static_key: &Digest,
        root: &Digest,
    ) -> Result<Vec<Vec<Vec<u8>>>, Trouble> {
        let sql = format!(
            "{COLUMNS} WHERE static = ?1 AND root IN (x'', ?2) ORDER BY ended DESC \
             LIMIT {LISTS_FROM}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![static_key.as_bytes(), root.as_bytes()])?;
        let mut lists = Vec::new();
        while let Some(row) = rows.next()?
            && lists.len() < LISTS
        {
            let kept = kept(row)?.filter(|kept| kept.static_key.as_ref() == Some(static_key));
            if let Some(found) = kept.and_then(|kept| kept.entry.found)
                && !lists.contains(&found)
            {
                lists.push(found);
            }
        }
        Ok(lists)
    }

    /// Hands over every row in the order of keys, with its entry if it has a right one.
    ///
    /// Rows out of order are damage: a page that points back to an earlier one gives rows without
    /// end.
    pub(super) fn each(&self, mut each: impl FnMut(RowId, Option<Kept>)) -> Result<(), Trouble> {
        let mut statement = self.connection.prepare(COLUMNS)?;
        let mut rows = statement.query([])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (ValueRef::Blob(key), ValueRef::Blob(root)) = (row.get_ref(0)?, row.get_ref(1)?)
            else {
                return Err(Trouble::Damaged("its rows are out of order".to_owned()));
            };
            let id = RowId { key: key.to_vec(), root: root.to_vec() };
            if last.as_ref().is_some_and(|last| *last >= id) {
                return Err(Trouble::Damaged("its rows are out of order".to_owned()));
            }
            last = Some(id.clone());
            each(id, kept(row)?);
        }
        Ok(())
    }

    /// Puts an entry in the place of one with the same key and binding. Says how many bytes its
    /// row takes; `None` if the entry cannot be stored.
    pub(super) fn put(&self, kept: &Kept) -> Result<Option<u64>, Trouble> {
        let Ok(value) = codec::encode(&kept.entry) else { return Ok(None) };
        let root = bytes_of(kept.root.as_ref());
        let static_key = kept.static_key.as_ref().map(|key| &key.as_bytes()[..]);
        let sum = sum(kept.key.as_bytes(), root, static_key, &value);
        self.connection.execute(
            "INSERT OR REPLACE INTO entries(key, root, static, used, ended, value, sum) \
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                kept.key.as_bytes(),
                root,
                static_key,
                kept.used_ms.cast_signed(),
                kept.entry.ended_ms.cast_signed(),
                value,
                sum
            ],
        )?;
        Ok(Some(row_bytes(&value)))
    }

    /// Remembers when an entry was used: all under the key that serve the workspace.
    pub(super) fn touch(
        &self,
        key: &Digest,
        root: Option<&Digest>,
        used_ms: u64,
    ) -> Result<(), Trouble> {
        let sql = "UPDATE entries SET used = ?3 WHERE key = ?1 AND root IN (x'', ?2)";
        self.connection
            .execute(sql, params![key.as_bytes(), bytes_of(root), used_ms.cast_signed()])?;
        Ok(())
    }

    /// Removes all entries under a key.
    pub(super) fn remove_all(&self, key: &Digest) -> Result<(), Trouble> {
        self.connection.execute("DELETE FROM entries WHERE key = ?1", [key.as_bytes()])?;
        Ok(())
    }

    /// Removes one row.
    pub(super) fn remove(&self, id: &RowId) -> Result<(), Trouble> {
        let sql = "DELETE FROM entries WHERE key = ?1 AND root = ?2";
        self.connection.execute(sql, params![id.key, id.root])?;
        Ok(())
    }

    /// Makes the index of static keys from the rows, which a scan of them has not looked at.
    pub(super) fn list_anew(&self) -> Result<(), Trouble> {
        Ok(self.connection.execute_batch("REINDEX lists")?)
    }

    /// The totals; `None` if they are not there or do not fit their sum.
    pub(super) fn totals(&self) -> Result<Option<Totals>, Trouble> {
        let mut statement = self.connection.prepare("SELECT value, sum FROM totals LIMIT 1")?;
        let found = statement
            .query_row([], |row| {
                let (value, sum) = (row.get_ref(0)?, row.get_ref(1)?);
                let (ValueRef::Blob(value), ValueRef::Blob(sum)) = (value, sum) else {
                    return Ok(None);
                };
                Ok((checksum(value) == sum).then(|| Totals::decode(value).ok()).flatten())
            })
            .optional()?;
        Ok(found.flatten())
    }

    /// Puts these totals in the place of those that are there.
    pub(super) fn set_totals(&self, totals: &Totals) -> Result<(), Trouble> {
        let value = totals.encode();
        self.connection.execute("DELETE FROM totals", [])?;
        let sql = "INSERT INTO totals(value, sum) VALUES(?1, ?2)";
        self.connection.execute(sql, params![value, checksum(&value)])?;
        Ok(())
    }
}

impl Totals {
    /// Of an index that is new or lost them: there may be blobs, and more bytes than any limit are
    /// assumed until they are counted.
    pub(super) const UNCOUNTED: Totals =
        Totals { bytes: u64::MAX, saved_ms: 0, spent_ms: 0, hits: 0, stored: 0 };

    /// An entry was restored.
    pub(super) fn hit(&mut self, saved_ms: u64) {
        self.hits = self.hits.saturating_add(1);
        self.saved_ms = self.saved_ms.saturating_add(saved_ms);
    }

    /// Saving or restoring took this long.
    pub(super) fn spend(&mut self, spent_ms: u64) {
        self.spent_ms = self.spent_ms.saturating_add(spent_ms);
    }

    /// Adds to what is kept.
    pub(super) fn add_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn encode(&self) -> Vec<u8> {
        let all = [self.bytes, self.saved_ms, self.spent_ms, self.hits, self.stored];
        all.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn decode(bytes: &[u8]) -> Result<Totals, Refusal> {
        let mut reader = Reader(bytes);
        let totals = Totals {
            bytes: reader.number()?,
            saved_ms: reader.number()?,
            spent_ms: reader.number()?,
            hits: reader.number()?,
            stored: reader.number()?,
        };
        if reader.0.is_empty() { Ok(totals) } else { Err("something follows its end") }
    }
}

/// A row of [`COLUMNS`] with a right entry.
fn kept(row: &Row<'_>) -> Result<Option<Kept>, Trouble> {
    let blob = |column| match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(Some(bytes)),
        _ => Ok::<_, rusqlite::Error>(None),
    };
    let (key, root, static_key) = (blob(0)?, blob(1)?, blob(2)?);
    let used = row.get_ref(3)?.as_i64().unwrap_or_default();
    let (value, found) = (blob(4)?, blob(5)?);
    let kept = || {
        let (key, root, value) = (key?, root?, value?);
        if found? != sum(key, root, static_key, value) {
            return None;
        }
        Some(Kept {
            key: digest(key)?,
            root: if root.is_empty() { None } else { Some(digest(root)?) },
            static_key: static_key.map_or(Some(None), |key| digest(key).map(Some))?,
            used_ms: used.cast_unsigned(),
            row_bytes: row_bytes(value),
            entry: codec::decode(value).ok()?,
        })
    };
    Ok(kept())
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest::from_bytes)
}

fn bytes_of(root: Option<&Digest>) -> &[u8] {
    root.map_or(&[], |root| root.as_bytes())
}

fn row_bytes(value: &[u8]) -> u64 {
    value.len() as u64 + ROW_BYTES
}

/// The sum of a row: over the format's number, then key, root and static key, each behind its
/// length in a byte, then the value.
fn sum(key: &[u8], root: &[u8], static_key: Option<&[u8]>, value: &[u8]) -> [u8; 16] {
    let mut bytes = FORMAT.to_le_bytes().to_vec();
    for part in [key, root, static_key.unwrap_or_default()] {
        bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(value);
    checksum(&bytes)
}

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    whole_ms(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A duration as it is kept.
pub(super) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
