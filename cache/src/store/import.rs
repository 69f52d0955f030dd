//! Reading what [`super::export`] wrote, as if an enemy had written it.
//!
//! A content is verified while it is written under a temporary name; a result is taken only if it
//! keeps the rules and all it consists of is there; and none is, unless the stream is whole to its
//! end. No length in it is believed: nothing is made larger than what was read.

use super::admin::{Admin, StoreError};
use super::blobs::Blobs;
use super::codec::{self, LONGEST_ENTRY, Reader};
use super::entry::Blob;
use super::export::{BLOB, END, ENTRY, MAGIC};
use super::folder::{self, Hold, Lock};
use super::grammar::Refusal;
use super::incoming::{self, Refused};
use super::index::Index;
use super::rows::{Kept, Totals, now_ms};
use super::trim;
use crate::digest::Digest;
use crate::said;
use std::io::{self, Read};
use std::time::Duration;

/// How long another process that removes something is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Key, root and static key of a result, at most.
const LONGEST_BINDING: usize = 3 * 32 + 2;

/// What was imported.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Results that were not there before.
    pub entries: usize,
    /// Results that were there already; those stay as they were.
    pub known: usize,
    /// Results that were left out, since the stream lacked a content.
    pub incomplete: usize,
    /// Bytes of contents that were not there before.
    pub bytes: u64,
    /// One sentence, if the store's index could not be used, and a new one was begun.
    pub warning: Option<String>,
}

impl Admin {
    /// Adds the results of a stream that [`Admin::export`] wrote; the store is made if need be.
    ///
    /// # Errors
    /// [`StoreError::Refused`] says what is wrong with the stream: no result was added then,
    /// contents may have been.
    pub fn import(&self, from: &mut impl Read) -> Result<Imported, StoreError> {
        folder::make(&self.dir)?;
        let (mut index, warning) = {
            let _alone =
                Lock::take(&self.dir, Hold::Exclusive, PATIENCE)?.ok_or(StoreError::Busy)?;
            Index::open_or_replace(&self.dir)?
        };
        let shared = Lock::take(&self.dir, Hold::Shared, PATIENCE)?.ok_or(StoreError::Busy)?;
        let mut import = Import {
            admin: self,
            from: Hashing { from, hasher: blake3::Hasher::new() },
            kept: Vec::new(),
            imported: Imported { warning, ..Imported::default() },
            buffer: Vec::new(),
        };
        import.read()?;
        let imported = import.commit(&mut index)?;
        drop(shared);
        trim::keep_within(&self.dir, &mut index, self.limit_bytes)?;
        index.close();
        Ok(imported)
    }
}

struct Import<'i, R> {
    admin: &'i Admin,
    from: Hashing<'i, R>,
    kept: Vec<Kept>,
    imported: Imported,
    buffer: Vec<u8>,
}

impl<R: Read> Import<'_, R> {
    fn read(&mut self) -> Result<(), StoreError> {
        self.magic()?;
        loop {
            match self.array()? {
                [BLOB] => self.blob()?,
                [ENTRY] => self.entry()?,
                [END] => return self.end(),
                _ => return Err(damaged("a record is of no known kind")),
            }
        }
    }

    fn magic(&mut self) -> Result<(), StoreError> {
        let found = self.array::<{ MAGIC.len() }>()?;
        let known = MAGIC.len() - 2;
        if found == *MAGIC {
            Ok(())
        } else if found[..known] == MAGIC[..known] {
            let why = "it was exported by a taskr of another version: export it anew";
            Err(StoreError::Refused(why.to_owned()))
        } else {
            Err(StoreError::Refused("it is no export of a store".to_owned()))
        }
    }

    /// Adds a content, or reads past it if it is there.
    fn blob(&mut self) -> Result<(), StoreError> {
        let size = u64::from_le_bytes(self.array()?);
        let digest = Digest::from_bytes(self.array()?);
        let blob = Blob { digest, size };
        let added = incoming::add_stream(&self.admin.dir, &mut self.from, &blob, &mut self.buffer);
        match added {
            Ok(added) => {
                self.imported.bytes += added;
                Ok(())
            }
            Err(Refused::Source) => {
                Err(damaged("a content is cut short, or not what its digest says"))
            }
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    fn entry(&mut self) -> Result<(), StoreError> {
        let length = u32::from_le_bytes(self.array()?);
        if length as usize > LONGEST_ENTRY + LONGEST_BINDING {
            return Err(damaged("a result is too long"));
        }
        let mut record = Vec::new();
        let got = (&mut self.from).take(length.into()).read_to_end(&mut record)?;
        if got < length as usize {
            return Err(cut_short());
        }
        let kept = decode(&record).map_err(damaged)?;
        let blobs = Blobs::new(&self.admin.dir);
        if kept.entry.blobs().all(|blob| blobs.has(blob)) {
            self.kept.push(kept);
        } else {
            self.imported.incomplete += 1;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        let expected = *self.from.hasher.finalize().as_bytes();
        if self.array()? != expected {
            return Err(damaged("its checksum is another"));
        }
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(damaged("something follows its end")),
        }
    }

    fn commit(self, index: &mut Index) -> Result<Imported, StoreError> {
        let mut imported = self.imported;
        index.change(|rows| {
            let mut totals = rows.totals()?.unwrap_or(Totals::UNCOUNTED);
            totals.add_bytes(imported.bytes);
            for kept in &self.kept {
                let there = rows.under(&kept.key)?;
                if there.iter().any(|there| there.root == kept.root) {
                    imported.known += 1;
                } else if let Some(bytes) = rows.put(kept)? {
                    imported.entries += 1;
                    totals.add_bytes(bytes);
                }
            }
            rows.set_totals(&totals)
        })?;
        Ok(imported)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        match self.from.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut_short()),
            Err(error) => Err(StoreError::Failed(format!("it cannot be read: {}", said(&error)))),
        }
    }
}

fn decode(record: &[u8]) -> Result<Kept, Refusal> {
    let mut reader = Reader(record);
    let key = Digest::from_bytes(reader.take()?);
    let (root, static_key) = (reader.optional_digest()?, reader.optional_digest()?);
    let entry = codec::decode(reader.0)?;
    if static_key.is_some() != entry.found.is_some() {
        return Err("a result has a depfile and no static key, or the other way round");
    }
    Ok(Kept { key, root, static_key, used_ms: now_ms(), row_bytes: 0, entry })
}

fn damaged(why: &str) -> StoreError {
    StoreError::Refused(format!("it is damaged: {why}"))
}

fn cut_short() -> StoreError {
    damaged("it is cut short")
}

/// Hashes what is read.
struct Hashing<'r, R> {
    from: &'r mut R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        Ok(got)
    }
}
