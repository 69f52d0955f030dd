//! The store's folder: what lies where, and the lock that keeps removal away from saving.
//!
//! Whoever adds blobs and names them in the index holds the lock shared from the first blob until
//! the index is committed; whoever removes what no entry names holds it alone. Reading needs no
//! lock: what is gone by then is a miss. Where the file system cannot lock, work goes on without,
//! and a lost race is a miss too.

use crate::digest::Digest;
use crate::said::absent_is_fine;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Tells backup programs that everything here can be made again.
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
                            # This folder is taskr's store. It may be removed at any time.\n";
/// The file that has it.
const TAG: &str = "CACHEDIR.TAG";
/// How the names in a store begin.
const OWN: [&str; 6] = [TAG, "lock", "blobs", "tmp", "damaged", "index.db"];
/// The lock's file; it is never removed, or two processes could hold "the" lock, of two files.
const LOCK: &str = "lock";
/// How often a lock that another holds is tried.
const TRY_EVERY: Duration = Duration::from_millis(2);

/// How a lock is held.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// With others that add.
    Shared,
    /// Alone.
    Exclusive,
}

/// The lock; it is given up when this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: OwnedFd,
}

impl Lock {
    /// Takes the lock of the store at `dir`, which is there; `None` if others held it for as long as
    /// `patience`.
    pub(super) fn take(dir: &Path, hold: Hold, patience: Duration) -> io::Result<Option<Lock>> {
        let deadline = Instant::now() + patience;
        Lock::take_while(dir, hold, || Instant::now() < deadline)
    }

    /// As [`Lock::take`]; others are waited for as long as that holds.
    pub(super) fn take_while(
        dir: &Path,
        hold: Hold,
        waits: impl Fn() -> bool,
    ) -> io::Result<Option<Lock>> {
        // NFS locks alone only what may be written.
        let (operation, mode) = match hold {
            Hold::Shared => (FlockOperation::NonBlockingLockShared, OFlags::RDONLY),
            Hold::Exclusive => (FlockOperation::NonBlockingLockExclusive, OFlags::RDWR),
        };
        let flags = mode | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(dir.join(LOCK), flags, Mode::empty())?;
        loop {
            match rustix::fs::flock(&file, operation) {
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Ok(()) | Err(Errno::NOSYS | Errno::NOLCK | Errno::OPNOTSUPP | Errno::INVAL) => {
                    return Ok(Some(Lock { _file: file }));
                }
                Err(error) => return Err(error.into()),
            }
            if !waits() {
                return Ok(None);
            }
            thread::sleep(TRY_EVERY);
        }
    }
}

/// Makes the folder and what belongs into it, where it is not there.
///
/// # Errors
/// It is there and somebody else's: nothing is put into it, and nothing ever removed.
pub(super) fn make(dir: &Path) -> io::Result<()> {
    require_own(dir)?;
    if !dir.is_dir() {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    for below in [blobs_dir(dir), temporary_dir(dir)] {
        DirBuilder::new().recursive(true).mode(0o700).create(below)?;
    }
    for (name, content) in [(LOCK, ""), (TAG, CACHEDIR_TAG)] {
        match File::create_new(dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => created?.write_all(content.as_bytes())?,
        }
    }
    Ok(())
}

/// That a folder is a store, or may become one: it has our tag, or nothing but what a store has.
pub(super) fn require_own(dir: &Path) -> io::Result<()> {
    if fs::read(dir.join(TAG)).is_ok_and(|tag| tag == CACHEDIR_TAG.as_bytes()) || !dir.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if !OWN.iter().any(|own| name.as_encoded_bytes().starts_with(own.as_bytes())) {
            let name = name.display();
            return Err(io::Error::other(format!(
                "the folder holds {name}, so it is no store: name an empty or a new folder"
            )));
        }
    }
    Ok(())
}

/// Where the blobs are.
pub(super) fn blobs_dir(dir: &Path) -> PathBuf {
    dir.join("blobs")
}

/// Where a blob is.
pub(super) fn blob_path(dir: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    let (first, rest) = name.split_at(2);
    blobs_dir(dir).join(first).join(rest)
}

/// Where blobs are written until they have their name.
pub(super) fn temporary_dir(dir: &Path) -> PathBuf {
    dir.join("tmp")
}

/// The path of a new temporary file; `number` is random.
pub(super) fn temporary_path(dir: &Path, number: u64) -> PathBuf {
    temporary_dir(dir).join(format!("{number:016x}"))
}

/// Removes what others that died left among the temporary files, and nothing that has another name
/// than these. The lock is held alone.
pub(super) fn sweep(dir: &Path) -> io::Result<()> {
    for left in fs::read_dir(temporary_dir(dir))? {
        let left = left?;
        let name = left.file_name();
        let is_number = name.len() == 16
            && name.as_encoded_bytes().iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_number && left.file_type()?.is_file() {
            absent_is_fine(fs::remove_file(left.path()))?;
        }
    }
    Ok(())
}
