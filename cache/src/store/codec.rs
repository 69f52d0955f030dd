//! Entries as bytes: one layout, written in one way, and read only if it was written so.
//!
//! | bytes | what |
//! | --- | --- |
//! | list | name of the task, UTF-8 |
//! | 8, 8 | `duration_ms`, `ended_ms` |
//! | 1 | 1 if there is a log; then its blob: digest 32, size 8 |
//! | 1 | 1 if there is a depfile; then 4 bytes, how many paths, and each as a list |
//! | 4 | how many files; then each: |
//! | 1, 1 | place: 0 workspace, 1 `out/`; 1 if it was published |
//! | list | path |
//! | 1 | 0 file, 1 program, 2 link, 3 folder |
//! | | of a file or program its blob, of a link its text as a list |
//!
//! A list is its length in 4 bytes, then its bytes; numbers are little-endian. No length is
//! believed before there are as many bytes.

use super::entry::{Blob, Entry, Place, Stored, What};
use super::grammar::{self, Refusal};
use crate::digest::Digest;

/// The most bytes of one entry.
pub(super) const LONGEST_ENTRY: usize = 64 << 20;

/// The entry as bytes, or what forbids to store it.
pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>, Refusal> {
    grammar::check(entry)?;
    let out = write(entry);
    if out.len() > LONGEST_ENTRY { Err("it is too long") } else { Ok(out) }
}

/// As [`encode`], whatever the entry holds.
pub(super) fn write(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    put_list(&mut out, entry.task.as_bytes());
    out.extend_from_slice(&entry.duration_ms.to_le_bytes());
    out.extend_from_slice(&entry.ended_ms.to_le_bytes());
    out.push(u8::from(entry.log.is_some()));
    entry.log.iter().for_each(|log| put_blob(&mut out, log));
    out.push(u8::from(entry.found.is_some()));
    if let Some(found) = &entry.found {
        put_length(&mut out, found.len());
        found.iter().for_each(|path| put_list(&mut out, path));
    }
    put_length(&mut out, entry.files.len());
    for file in &entry.files {
        out.push(u8::from(file.place == Place::Out));
        out.push(u8::from(file.published));
        put_list(&mut out, &file.path);
        match &file.what {
            What::File { executable, blob } => {
                out.push(u8::from(*executable));
                put_blob(&mut out, blob);
            }
            What::Link(text) => {
                out.push(2);
                put_list(&mut out, text);
            }
            What::Folder => out.push(3),
        }
    }
    out
}

/// Reads what [`encode`] wrote, and nothing else.
pub(super) fn decode(bytes: &[u8]) -> Result<Entry, Refusal> {
    if bytes.len() > LONGEST_ENTRY {
        return Err("it is too long");
    }
    let mut reader = Reader(bytes);
    let task = String::from_utf8(reader.list()?).map_err(|_| "the task's name is not UTF-8")?;
    let (duration_ms, ended_ms) = (reader.number()?, reader.number()?);
    let log = if reader.flag()? { Some(reader.blob()?) } else { None };
    let found = if reader.flag()? { Some(reader.each(Reader::list)?) } else { None };
    let files = reader.each(Reader::file)?;
    if !reader.0.is_empty() {
        return Err("something follows its end");
    }
    let entry = Entry { task, files, log, found, duration_ms, ended_ms };
    grammar::check(&entry)?;
    Ok(entry)
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    // What does not fit is longer than an entry may be, and refused as that.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_list(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_blob(out: &mut Vec<u8>, blob: &Blob) {
    out.extend_from_slice(blob.digest.as_bytes());
    out.extend_from_slice(&blob.size.to_le_bytes());
}

/// What is left to be read.
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl Reader<'_> {
    /// The next `N` bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (head, rest) = self.0.split_first_chunk().ok_or("it is cut short")?;
        self.0 = rest;
        Ok(*head)
    }

    /// A number of 8 bytes.
    pub(super) fn number(&mut self) -> Result<u64, Refusal> {
        self.take().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, Refusal> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err("a flag is neither 0 nor 1"),
        }
    }

    fn list(&mut self) -> Result<Vec<u8>, Refusal> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        let (head, rest) = self.0.split_at_checked(length).ok_or("it is cut short")?;
        self.0 = rest;
        Ok(head.to_vec())
    }

    /// As many as the next 4 bytes say; what one takes is at least a byte, so no more than there
    /// are bytes are ever made.
    fn each<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let count = u32::from_le_bytes(self.take()?);
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(read(self)?);
        }
        Ok(all)
    }

    /// A byte that says whether there is a digest, and that.
    pub(super) fn optional_digest(&mut self) -> Result<Option<Digest>, Refusal> {
        Ok(if self.flag()? { Some(Digest::from_bytes(self.take()?)) } else { None })
    }

    /// A blob's name.
    fn blob(&mut self) -> Result<Blob, Refusal> {
        Ok(Blob { digest: Digest::from_bytes(self.take()?), size: self.number()? })
    }

    fn file(&mut self) -> Result<Stored, Refusal> {
        let place = if self.flag()? { Place::Out } else { Place::Workspace };
        let published = self.flag()?;
        let path = self.list()?;
        let what = match self.take()? {
            [executable @ (0 | 1)] => {
                What::File { executable: executable == 1, blob: self.blob()? }
            }
            [2] => What::Link(self.list()?),
            [3] => What::Folder,
            _ => return Err("a file is of no known kind"),
        };
        Ok(Stored { place, path, published, what })
    }
}
