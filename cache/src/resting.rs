//! The folder of proofs, below that of the state: they are forgotten before taskr changes anything, and
//! each file is written as a whole. Knows nothing of what is in the files.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::stamp::Stamp;

/// What it is called.
pub(crate) const FOLDER: &str = "proofs";

/// So much of a question's digest is the name of its proof.
pub(crate) const NAME_BYTES: usize = 32;

/// Forgets all proofs in `dir`: what they rest on is about to be changed.
///
/// # Errors
/// One of them is still there.
pub(crate) fn forget(dir: &Path) -> io::Result<()> {
    match Folder::open(dir)? {
        Some(folder) => folder.named("")?.iter().try_for_each(|name| folder.remove(name)),
        None => Ok(()),
    }
}

/// The folder of proofs, held open. A link in its place is never followed, and what in it has not
/// the name of a proof is left alone: who knows whose it is.
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// None if there is none.
    pub(crate) fn open(dir: &Path) -> io::Result<Option<Folder>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(dir.join(FOLDER), flags, Mode::empty()) {
            Ok(folder) => Ok(Some(Folder(folder))),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn make(dir: &Path) -> io::Result<Folder> {
        match fs::create_dir(dir.join(FOLDER)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        Folder::open(dir)?.ok_or_else(|| io::ErrorKind::NotADirectory.into())
    }

    /// Writes a file of these pieces as a whole, or not at all.
    pub(crate) fn write(&self, name: &str, pieces: &[&[u8]]) -> io::Result<()> {
        let fresh = format!("{name}.new");
        // Whoever left it half-written is gone: the lock is the caller's.
        self.remove(&CString::new(&*fresh)?)?;
        let written = (|| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&self.0, &*fresh, flags, Mode::from_raw_mode(0o666))?;
            let mut file = BufWriter::new(File::from(file));
            pieces.iter().try_for_each(|piece| file.write_all(piece))?;
            file.flush()?;
            Ok(rustix::fs::renameat(&self.0, &*fresh, &self.0, name)?)
        })();
        if written.is_err() {
            let _ = rustix::fs::unlinkat(&self.0, &*fresh, AtFlags::empty());
        }
        written
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty()).ok()?);
        let length = file.metadata().ok()?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()? + 1);
        (&file).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The names of files that are called as proofs are, with this behind it; half-written ones among
    /// them.
    fn named(&self, ending: &str) -> io::Result<Vec<CString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            let stem = name.strip_suffix(b".new").unwrap_or(name).strip_suffix(ending.as_bytes());
            let is_question =
                |stem: &[u8]| stem.len() == NAME_BYTES && stem.iter().all(u8::is_ascii_hexdigit);
            if stem.is_some_and(is_question) {
                names.push(entry.file_name().to_owned());
            }
        }
        Ok(names)
    }

    fn remove(&self, name: &CStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the oldest of those that are called so, if there are as many as there may be.
    pub(crate) fn leave_room(&self, ending: &str, most: usize) -> io::Result<()> {
        let age = |name: CString| {
            let stat = rustix::fs::statat(&self.0, &*name, AtFlags::SYMLINK_NOFOLLOW);
            (stat.map_or(i64::MIN, |stat| Stamp::from_stat(&stat).ctime_ns), name)
        };
        let mut all: Vec<_> = self.named(ending)?.into_iter().map(age).collect();
        all.sort_unstable();
        let too_many = (all.len() + 1).saturating_sub(most);
        all[..too_many].iter().try_for_each(|(_, name)| self.remove(name))
    }
}
