//! A folder of taskr's own that is held open while much is done in it: one call for each thing, and
//! none to find the folder again.
//!
//! Knows no task. What is asked for by name lies directly in the folder; a link of that name is never
//! followed.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// See the module.
#[derive(Debug)]
pub struct OpenFolder {
    pub(super) fd: OwnedFd,
    pub(super) is_new: bool,
}

impl OpenFolder {
    /// The names of all that lies in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self) -> io::Result<BTreeSet<Vec<u8>>> {
        if self.is_new {
            return Ok(BTreeSet::new());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut entries = fs::Dir::new(fs::openat(&self.fd, ".", flags, Mode::empty())?)?;
        let mut names = BTreeSet::new();
        while let Some(entry) = entries.read() {
            let name = entry?.file_name().to_bytes().to_vec();
            if !matches!(&name[..], b"." | b"..") {
                names.insert(name);
            }
        }
        Ok(names)
    }

    /// Makes a folder in it that is not there, or is.
    ///
    /// # Errors
    /// Something else has the name; no space, no permission; it is itself gone meanwhile.
    pub fn make(&self, name: &str) -> io::Result<()> {
        match fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                Ok(fs::openat(&self.fd, name, flags, Mode::empty()).map(drop)?)
            }
            other => Ok(other?),
        }
    }
}
