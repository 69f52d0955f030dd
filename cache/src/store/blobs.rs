//! The contents of files, each under its digest: giving them out, verified.
//!
//! Never by hard link: a task that edits its output would edit the store. Bytes are hashed as they
//! are copied, so what was given out is what was asked for, whatever lay in the store.

use super::entry::Blob;
use super::{folder, inventory};
use crate::digest::Digest;
use crate::said;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes asked of one `read`.
const CHUNK_BYTES: usize = 128 * 1024;

/// The blobs of one store. Little more than a folder's name: cheap to clone, and fit for any thread.
#[derive(Clone)]
pub struct Blobs {
    dir: PathBuf,
    stopped: Option<Arc<Stopped>>,
}

/// Whether nobody wants more.
type Stopped = dyn Fn() -> bool + Send + Sync;

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Why a blob was not given out. All of them are a miss.
#[derive(Debug)]
pub enum BlobError {
    /// It is not there, or not this user's.
    Absent,
    /// It was there with other bytes; it is removed.
    Damaged,
    /// Reading it or writing the copy failed.
    Io(io::Error),
    /// Nobody wants it any more: see [`Blobs::unless`].
    Stopped,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlobError::Absent => f.write_str("it is no longer in the store"),
            BlobError::Damaged => f.write_str("it was damaged in the store"),
            BlobError::Io(error) => f.write_str(&said(error)),
            BlobError::Stopped => f.write_str("it is no longer wanted"),
        }
    }
}

impl std::error::Error for BlobError {}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> BlobError {
        BlobError::Io(error)
    }
}

impl From<Errno> for BlobError {
    fn from(error: Errno) -> BlobError {
        BlobError::Io(error.into())
    }
}

impl Blobs {
    /// Those of the store at `dir`.
    pub(super) fn new(dir: &Path) -> Blobs {
        Blobs { dir: dir.to_owned(), stopped: None }
    }

    /// Those that are given out only as long as this is false: it is asked again and again.
    #[must_use]
    pub fn unless(self, stopped: impl Fn() -> bool + Send + Sync + 'static) -> Blobs {
        Blobs { stopped: Some(Arc::new(stopped)), ..self }
    }

    /// Copies a blob to the new file `name` in the folder `dir`: sharing its blocks where the file
    /// system can, verified by size and digest of what was written, with the mode 0666, or 0777 if
    /// it is executable, less the umask. `buffer` is scratch space.
    ///
    /// # Errors
    /// See [`BlobError`]; the file is then not there. A file that has the name already is an error
    /// and stays.
    #[allow(clippy::too_many_arguments, reason = "what, as what, to where, and scratch space")]
    pub fn restore(
        &self,
        blob: &Blob,
        executable: bool,
        dir: BorrowedFd<'_>,
        name: &OsStr,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BlobError> {
        let from = self.open(blob)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from(if executable { 0o777 } else { 0o666 });
        let mut to = File::from(rustix::fs::openat(dir, name, flags, mode)?);
        let restored = if share_blocks(&to, &from) {
            self.verify(blob, &to, buffer, |_| Ok(()))
        } else {
            self.verify(blob, &from, buffer, |bytes| to.write_all(bytes))
        };
        if restored.is_err() {
            let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        }
        restored
    }

    /// Copies a blob to an open file, from where that stands, and verifies what was read.
    ///
    /// # Errors
    /// See [`BlobError`]; a part of it may be written then.
    pub fn copy_to(
        &self,
        blob: &Blob,
        to: &mut File,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BlobError> {
        self.hand_over(blob, buffer, |bytes| to.write_all(bytes))
    }

    /// Reads a blob to its end and verifies it.
    pub(super) fn read(&self, blob: &Blob, buffer: &mut Vec<u8>) -> Result<(), BlobError> {
        self.hand_over(blob, buffer, |_| Ok(()))
    }

    /// Hands the bytes of a blob to `sink`; only at the end it is known whether they were right.
    pub(super) fn hand_over(
        &self,
        blob: &Blob,
        buffer: &mut Vec<u8>,
        sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), BlobError> {
        let from = self.open(blob)?;
        self.verify(blob, &from, buffer, sink)
    }

    /// Whether the blob is there, as far as can be told without reading it.
    pub(super) fn has(&self, blob: &Blob) -> bool {
        let found = rustix::fs::lstat(self.path(&blob.digest));
        found.is_ok_and(|found| is_ours(&found) && has_size(&found, blob.size))
    }

    /// Where a blob is.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        folder::blob_path(&self.dir, digest)
    }

    /// Opens a blob of the right kind and size. What another user owns is left alone: it is not
    /// this user's to remove.
    fn open(&self, blob: &Blob) -> Result<File, BlobError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(self.path(&blob.digest), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(BlobError::Absent),
            // A link, or a socket.
            Err(Errno::LOOP | Errno::NXIO) => return Err(self.damaged(blob)),
            Err(error) => return Err(error.into()),
        };
        let found = rustix::fs::fstat(&file)?;
        if found.st_uid != rustix::process::geteuid().as_raw() {
            return Err(BlobError::Absent);
        }
        if is_ours(&found) && has_size(&found, blob.size) {
            return Ok(file);
        }
        Err(self.damaged(blob))
    }

    /// Hands the bytes of `file` to `sink` and holds them against the blob's size and digest.
    fn verify(
        &self,
        blob: &Blob,
        file: &File,
        buffer: &mut Vec<u8>,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), BlobError> {
        let mut stopped = false;
        let pumped = pump(file, blob.size, buffer, |bytes| {
            stopped = self.stopped.as_ref().is_some_and(|stopped| stopped());
            if stopped { Err(io::ErrorKind::Interrupted.into()) } else { sink(bytes) }
        });
        match pumped {
            _ if stopped => Err(BlobError::Stopped),
            Ok(found) if found == *blob => Ok(()),
            Ok(_) => Err(self.damaged(blob)),
            Err(Pumped::Read(error) | Pumped::Write(error)) => Err(error.into()),
        }
    }

    /// Removes it, so that the next to store it writes it anew.
    fn damaged(&self, blob: &Blob) -> BlobError {
        inventory::remove(&self.path(&blob.digest));
        BlobError::Damaged
    }
}

/// Whether it is a regular file of this user.
pub(super) fn is_ours(found: &rustix::fs::Stat) -> bool {
    let kind = rustix::fs::FileType::from_raw_mode(found.st_mode);
    kind == rustix::fs::FileType::RegularFile && found.st_uid == rustix::process::geteuid().as_raw()
}

fn has_size(found: &rustix::fs::Stat, size: u64) -> bool {
    u64::try_from(found.st_size) == Ok(size)
}

/// Which side of a copy failed.
pub(super) enum Pumped {
    /// Reading.
    Read(io::Error),
    /// What was done with the bytes.
    Write(io::Error),
}

/// Hands the bytes of `file`, and no more than one read beyond `size` of them, to `sink`; says
/// what they were.
pub(super) fn pump(
    mut file: impl Read,
    size: u64,
    buffer: &mut Vec<u8>,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Blob, Pumped> {
    if buffer.len() < CHUNK_BYTES {
        buffer.resize(CHUNK_BYTES, 0);
    }
    let mut hasher = blake3::Hasher::new();
    let mut total = 0;
    while total <= size {
        let got = match file.read(buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Pumped::Read(error)),
        };
        hasher.update(&buffer[..got]);
        sink(&buffer[..got]).map_err(Pumped::Write)?;
        total += got as u64;
    }
    Ok(Blob { digest: Digest::from_bytes(*hasher.finalize().as_bytes()), size: total })
}

/// Makes the empty file `to` a copy of `from` that shares its blocks, if the file system can.
#[cfg(target_os = "linux")]
pub(super) fn share_blocks(to: &File, from: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// Makes the empty file `to` a copy of `from` that shares its blocks, if the file system can.
#[cfg(not(target_os = "linux"))]
pub(super) fn share_blocks(_: &File, _: &File) -> bool {
    false
}
