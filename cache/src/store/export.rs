//! Results as one stream, to be carried to another store.
//!
//! | bytes | what |
//! | --- | --- |
//! | 14 | `taskr store 1` and a newline; the number is the format's |
//! | | records, each begun by one of: |
//! | 1 | `b`: a content: size 8, digest 32, then the content |
//! | 1 | `e`: a result, behind all of its contents: length 4, then key 32, a byte and root 32, a byte and static key 32 (the byte is 0, and nothing follows it, where there is none), and the entry as in the index |
//! | 1 | `.`: the end; then blake3 of all before it, 32 |
//!
//! Numbers are little-endian. Contents are not compressed: what carries the stream does that.

use super::admin::{Admin, StoreError};
use super::blobs::Blobs;
use super::codec;
use super::index::Index;
use super::rows::Kept;
use crate::digest::Digest;
use crate::said;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The first line.
pub(super) const MAGIC: &[u8; 14] = b"taskr store 1\n";

/// Begins a content.
pub(super) const BLOB: u8 = b'b';
/// Begins a result.
pub(super) const ENTRY: u8 = b'e';
/// Begins the end.
pub(super) const END: u8 = b'.';

/// What was exported.
#[derive(Copy, Clone, Default, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Results.
    pub entries: usize,
    /// Different contents.
    pub blobs: usize,
    /// How long the stream is.
    pub bytes: u64,
    /// Tasks of which there is nothing whole.
    pub missing: usize,
}

impl Admin {
    /// Writes the results of tasks, each under the keys that it may have. What is damaged is left
    /// out.
    ///
    /// # Errors
    /// The store cannot be read, or the stream not be written.
    pub fn export(
        &self,
        tasks: &BTreeSet<Vec<Digest>>,
        to: &mut impl Write,
    ) -> Result<Exported, StoreError> {
        let mut export = Export {
            blobs: Blobs::new(&self.dir),
            to: Hashing { to, hasher: blake3::Hasher::new(), bytes: 0 },
            written: FxHashSet::default(),
            exported: Exported::default(),
            buffer: Vec::new(),
        };
        export.write(MAGIC)?;
        let index = Index::open_to_read(&self.dir)?;
        for keys in tasks {
            let under = |key| index.iter().map(move |index| index.rows().under(key));
            let kept = keys.iter().flat_map(under).collect::<Result<Vec<_>, _>>()?.concat();
            let mut whole = false;
            for kept in kept {
                whole |= export.entry(&kept)?;
            }
            export.exported.missing += usize::from(!whole);
        }
        export.end()
    }
}

struct Export<'w, W> {
    blobs: Blobs,
    to: Hashing<'w, W>,
    written: FxHashSet<Digest>,
    exported: Exported,
    buffer: Vec<u8>,
}

impl<W: Write> Export<'_, W> {
    /// Writes a result behind those of its contents that were not written yet. False: it is not
    /// whole, and left out.
    fn entry(&mut self, kept: &Kept) -> Result<bool, StoreError> {
        // All are read before any is written: what is in the stream is right.
        for blob in kept.entry.blobs() {
            if !self.written.contains(&blob.digest)
                && self.blobs.read(blob, &mut self.buffer).is_err()
            {
                return Ok(false);
            }
        }
        let Ok(value) = codec::encode(&kept.entry) else { return Ok(false) };
        for blob in kept.entry.blobs() {
            if self.written.insert(blob.digest) {
                self.write(&[BLOB])?;
                self.write(&blob.size.to_le_bytes())?;
                self.write(blob.digest.as_bytes())?;
                let to = &mut self.to;
                self.blobs
                    .hand_over(blob, &mut self.buffer, |bytes| to.write(bytes))
                    .map_err(|error| StoreError::Failed(error.to_string()))?;
                self.exported.blobs += 1;
            }
        }
        let mut record = kept.key.as_bytes().to_vec();
        for bound in [kept.root, kept.static_key] {
            record.push(u8::from(bound.is_some()));
            record.extend(bound.iter().flat_map(Digest::as_bytes));
        }
        record.extend_from_slice(&value);
        self.write(&[ENTRY])?;
        self.write(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        self.write(&record)?;
        self.exported.entries += 1;
        Ok(true)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let written = self.to.write(bytes);
        written
            .map_err(|error| StoreError::Failed(format!("it cannot be written: {}", said(&error))))
    }

    fn end(mut self) -> Result<Exported, StoreError> {
        self.write(&[END])?;
        let digest = *self.to.hasher.finalize().as_bytes();
        self.write(&digest)?;
        self.to.to.flush()?;
        Ok(Exported { bytes: self.to.bytes, ..self.exported })
    }
}

/// Hashes and counts what is written.
struct Hashing<'w, W> {
    to: &'w mut W,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<W: Write> Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}
