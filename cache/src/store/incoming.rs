//! A blob that is being added: written under a temporary name, renamed when it is whole.

use super::blobs::{Blobs, Pumped, pump, share_blocks};
use super::entry::Blob;
use super::folder;
use crate::digest::Digest;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a blob was not added.
#[derive(Debug)]
pub(super) enum Refused {
    /// The file is not what it was said to be, cannot be read, or is no longer wanted; the store is
    /// well.
    Source,
    /// The store cannot be written.
    Store(io::Error),
}

/// Adds the content of the file `source` as `blob`, unless it is there or `stopped` is set; says
/// how many bytes that took.
pub(super) fn add(
    dir: &Path,
    source: &Path,
    blob: &Blob,
    buffer: &mut Vec<u8>,
    stopped: &AtomicBool,
) -> Result<u64, Refused> {
    if Blobs::new(dir).has(blob) {
        return Ok(0);
    }
    let (file, size) = open_source(source)?;
    if size != blob.size {
        return Err(Refused::Source);
    }
    let incoming = Incoming::of_file(dir, &file, size, buffer, stopped)?;
    if incoming.blob != *blob {
        return Err(Refused::Source);
    }
    incoming.settle(dir)?;
    Ok(blob.size)
}

/// Adds the content of the file `source`, whatever it is. `None`: it is empty.
pub(super) fn add_any(
    dir: &Path,
    source: &Path,
    buffer: &mut Vec<u8>,
) -> Result<Option<(Blob, u64)>, Refused> {
    let (file, size) = open_source(source)?;
    if size == 0 {
        return Ok(None);
    }
    let incoming = Incoming::of_file(dir, &file, size, buffer, &AtomicBool::new(false))?;
    let blob = incoming.blob;
    if blob.size != size {
        return Err(Refused::Source);
    }
    if Blobs::new(dir).has(&blob) {
        return Ok(Some((blob, 0)));
    }
    incoming.settle(dir)?;
    Ok(Some((blob, size)))
}

/// Adds the next `blob.size` bytes of a stream, which must be those of `blob`. If it is there they
/// are only read.
pub(super) fn add_stream(
    dir: &Path,
    from: &mut impl Read,
    blob: &Blob,
    buffer: &mut Vec<u8>,
) -> Result<u64, Refused> {
    let from = from.take(blob.size);
    let known = Blobs::new(dir).has(blob);
    let (found, incoming) = if known {
        (pump(from, blob.size, buffer, |_| Ok(()))?, None)
    } else {
        let (mut file, mut incoming) = Incoming::begin(dir)?;
        incoming.blob = pump(from, blob.size, buffer, |bytes| file.write_all(bytes))?;
        (incoming.blob, Some(incoming))
    };
    if found != *blob {
        return Err(Refused::Source);
    }
    match incoming {
        None => Ok(0),
        Some(incoming) => incoming.settle(dir).map(|()| blob.size),
    }
}

fn open_source(source: &Path) -> Result<(File, u64), Refused> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(source, flags, Mode::empty()).map_err(|_| Refused::Source)?;
    let found = rustix::fs::fstat(&file).map_err(|_| Refused::Source)?;
    let kind = rustix::fs::FileType::from_raw_mode(found.st_mode);
    match u64::try_from(found.st_size) {
        Ok(size) if kind == rustix::fs::FileType::RegularFile => Ok((file.into(), size)),
        _ => Err(Refused::Source),
    }
}

/// A temporary file and what it holds; one that is not settled is removed when this is dropped.
pub(super) struct Incoming {
    /// Empty once it is settled.
    path: PathBuf,
    /// What it holds.
    pub(super) blob: Blob,
}

impl Incoming {
    fn of_file(
        dir: &Path,
        from: &File,
        size: u64,
        buffer: &mut Vec<u8>,
        stopped: &AtomicBool,
    ) -> Result<Incoming, Refused> {
        let (mut file, mut incoming) = Incoming::begin(dir)?;
        let is_stopped = || stopped.load(Ordering::Relaxed);
        let wanted = || match is_stopped() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted)),
            false => Ok(()),
        };
        let pumped = if share_blocks(&file, from) {
            pump(&file, size, buffer, |_| wanted())
        } else {
            pump(from, size, buffer, |bytes| wanted().and_then(|()| file.write_all(bytes)))
        };
        match pumped {
            Err(_) if is_stopped() => Err(Refused::Source),
            pumped => {
                incoming.blob = pumped?;
                Ok(incoming)
            }
        }
    }

    fn begin(dir: &Path) -> Result<(File, Incoming), Refused> {
        let path = folder::temporary_path(dir, RandomState::new().hash_one(std::process::id()));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::from(0o444))
            .map_err(|error| Refused::Store(error.into()))?;
        let blob = Blob { digest: Digest::of(b""), size: 0 };
        Ok((file.into(), Incoming { path, blob }))
    }

    /// Gives it its name; what stood there under it is replaced.
    fn settle(mut self, dir: &Path) -> Result<(), Refused> {
        let path = folder::blob_path(dir, &self.blob.digest);
        let renamed = match (fs::rename(&self.path, &path), path.parent()) {
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
                made.and_then(|()| fs::rename(&self.path, &path))
            }
            (renamed, _) => renamed,
        };
        renamed.map_err(Refused::Store)?;
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl From<Pumped> for Refused {
    fn from(pumped: Pumped) -> Refused {
        match pumped {
            Pumped::Read(_) => Refused::Source,
            Pumped::Write(error) => Refused::Store(error),
        }
    }
}
