//! Which blobs there are, and how often entries name them.

use super::folder;
use super::rows::Kept;
use crate::digest::Digest;
use rustc_hash::FxHashMap;
use std::fs::{self, ReadDir};
use std::io;
use std::path::Path;

/// The blobs that were there when they were listed.
pub(super) struct Inventory(FxHashMap<Digest, Item>);

struct Item {
    /// `None`: it is no regular file.
    size: Option<u64>,
    references: usize,
}

impl Inventory {
    /// Lists the blobs of the store at `dir`. What does not have the name of a blob is left alone.
    pub(super) fn of(dir: &Path) -> io::Result<Inventory> {
        let mut items = FxHashMap::default();
        for first in list(&folder::blobs_dir(dir))?.into_iter().flatten() {
            let first = first?;
            if !first.file_type()?.is_dir() {
                continue;
            }
            for rest in list(&first.path())?.into_iter().flatten() {
                let rest = rest?;
                let [Ok(mut name), Ok(end)] =
                    [&first, &rest].map(|part| part.file_name().into_string())
                else {
                    continue;
                };
                name.push_str(&end);
                let (Some(digest), Ok(found)) = (Digest::from_hex(&name), rest.metadata()) else {
                    continue;
                };
                let size = found.is_file().then_some(found.len());
                items.insert(digest, Item { size, references: 0 });
            }
        }
        Ok(Inventory(items))
    }

    /// All digests, each with its size if it is a regular file.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (Digest, Option<u64>)> {
        self.0.iter().map(|(digest, item)| (*digest, item.size))
    }

    /// Whether all blobs of an entry are there, of the right size.
    pub(super) fn has_all(&self, kept: &Kept) -> bool {
        kept.entry
            .blobs()
            .all(|blob| self.0.get(&blob.digest).is_some_and(|item| item.size == Some(blob.size)))
    }

    /// Counts an entry's references.
    pub(super) fn refer(&mut self, kept: &Kept) {
        for blob in kept.entry.blobs() {
            if let Some(item) = self.0.get_mut(&blob.digest) {
                item.references += 1;
            }
        }
    }

    /// Takes references back; says how many bytes nobody refers to any more.
    pub(super) fn release(&mut self, blobs: &[Digest]) -> u64 {
        let mut bytes = 0;
        for digest in blobs {
            if let Some(item) = self.0.get_mut(digest) {
                item.references = item.references.saturating_sub(1);
                if item.references == 0 {
                    bytes += item.size.unwrap_or_default();
                }
            }
        }
        bytes
    }

    /// How many there are that somebody refers to, or nobody, and their bytes.
    pub(super) fn count(&self, referred: bool) -> (usize, u64) {
        let items = self.0.values().filter(|item| (item.references > 0) == referred);
        items
            .fold((0, 0), |(count, bytes), item| (count + 1, bytes + item.size.unwrap_or_default()))
    }

    /// Removes those that nobody refers to, and says how many they were, and their bytes. One that
    /// cannot be removed is left.
    pub(super) fn remove_unreferred(&mut self, dir: &Path) -> (usize, u64) {
        let removed = self.count(false);
        self.0.retain(|digest, item| {
            if item.references == 0 {
                remove(&folder::blob_path(dir, digest));
            }
            item.references > 0
        });
        removed
    }
}

/// Removes what has the name of a blob, be it a folder; what cannot be removed is left.
pub(super) fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

/// The entries of a folder; none if it is not there.
fn list(dir: &Path) -> io::Result<Option<ReadDir>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
