//! The files of a database: what stands there, moving it aside, copying it.
//!
//! They belong together: a database without its `-wal` lacks rows, a `-wal` beside another database
//! destroys it. So they are looked at, moved and copied as one. Nothing is opened before `lstat`
//! has said that it is a regular file: a FIFO would hang.

use super::{Layout, Trouble};
use crate::said::absent_is_fine;
use crate::stamp::{FileKind, Stamp};
use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The database itself.
const DATABASE: &str = "";
/// Transactions not yet in the database.
const WAL: &str = "-wal";
/// What a transaction cut short overwrote, where there is no WAL.
const JOURNAL: &str = "-journal";
/// Shared memory of the WAL's users; holds nothing that lasts.
const SHARED: &str = "-shm";

/// In the order in which they are moved: a crash in between leaves a `-wal` without a database,
/// which is recognized, and never a database that lacks its `-wal`.
const ALL: [&str; 4] = [DATABASE, WAL, JOURNAL, SHARED];

/// The stamps of what stands there.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Files {
    database: Option<Stamp>,
    wal: Option<Stamp>,
    journal: Option<Stamp>,
}

impl Files {
    /// Asks for the stamps; anything but a regular file under one of the names is damage.
    pub(crate) fn look(layout: &Layout, dir: &Path) -> Result<Files, Trouble> {
        let stamp = |suffix: &str| {
            let name = format!("{}{suffix}", layout.file);
            match Stamp::of_link(&dir.join(&name)) {
                Ok(Some(stamp)) if stamp.kind() != FileKind::File => {
                    Err(Trouble::Damaged(format!("{name} is not a regular file")))
                }
                Ok(stamp) => Ok(stamp),
                Err(error) => Err(error.into()),
            }
        };
        stamp(SHARED)?;
        Ok(Files { database: stamp(DATABASE)?, wal: stamp(WAL)?, journal: stamp(JOURNAL)? })
    }

    /// Whether there is a database to be read. An empty file is none: that is what a crash leaves
    /// of the very first transaction. Only a `-wal` that has lost its database is damage.
    pub(crate) fn has_rows(&self) -> Result<bool, Trouble> {
        match (has_content(self.database), has_content(self.wal)) {
            (false, true) => Err(Trouble::Damaged("its main file is missing".to_owned())),
            (database, _) => Ok(database),
        }
    }

    /// Whether there is a journal: a transaction is going on without a WAL, or was cut short.
    pub(crate) fn has_journal(&self) -> bool {
        has_content(self.journal)
    }

    /// The size of the database in bytes, if all that was committed is in it, and nothing else is.
    pub(crate) fn whole_size(&self) -> Option<u64> {
        let whole = !has_content(self.wal) && !has_content(self.journal);
        self.database.filter(|_| whole).map(|stamp| stamp.size)
    }
}

fn has_content(stamp: Option<Stamp>) -> bool {
    stamp.is_some_and(|stamp| stamp.size > 0)
}

/// Moves all files of the database to `<dir>/damaged/<unix_ms>/` and returns that directory.
pub(crate) fn set_aside(layout: &Layout, dir: &Path) -> io::Result<PathBuf> {
    let aside = new_directory(&dir.join("damaged"))?;
    for suffix in ALL {
        let name = format!("{}{suffix}", layout.file);
        absent_is_fine(fs::rename(dir.join(&name), aside.join(&name)))?;
    }
    Ok(aside)
}

/// Removes all files of the database, in the same order.
pub(crate) fn remove(layout: &Layout, dir: &Path) -> io::Result<()> {
    for suffix in ALL {
        absent_is_fine(fs::remove_file(dir.join(format!("{}{suffix}", layout.file))))?;
    }
    Ok(())
}

/// A new directory in `parent`, made if absent, named by the time; a later one if that is taken.
fn new_directory(parent: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).create(parent)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut unix_ms = now.as_millis();
    loop {
        let path = parent.join(unix_ms.to_string());
        match DirBuilder::new().create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => unix_ms += 1,
            result => return result.map(|()| path),
        }
    }
}

/// Copies the database with what is needed to recover it to a new directory in `temp` that only
/// this user may enter.
pub(crate) fn copy(layout: &Layout, dir: &Path, temp: &Path) -> io::Result<Copy> {
    let name = format!("taskr-{:016x}", RandomState::new().hash_one(std::process::id()));
    let copy = Copy { path: temp.join(name) };
    DirBuilder::new().mode(0o700).create(&copy.path)?;
    for suffix in [DATABASE, WAL, JOURNAL] {
        let name = format!("{}{suffix}", layout.file);
        absent_is_fine(fs::copy(dir.join(&name), copy.path.join(&name)).map(drop))?;
    }
    Ok(copy)
}

/// A directory of copies; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Copy {
    path: PathBuf,
}

impl Copy {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's care for its temporary directory.
        let _ = fs::remove_dir_all(&self.path);
    }
}
