//! The state database: opaque ids to opaque bytes, kept from run to run in `<dir>/state.db`.
//!
//! Read into a [`State`], in one pass or the few rows that are needed, and changed by a [`Writer`] on a
//! thread of its own; there are no queries on the way. Knows nothing of what the rows mean. It may be lost at any time: whatever is
//! damaged, newer, locked or unreadable is an empty state and one sentence, never an error.

mod database;
mod snapshot;
mod writer;

#[cfg(test)]
mod tests;

use crate::database::{Files, Trouble, copy, is_remote, remove, require_version, set_aside};
use database::LAYOUT;
use rusqlite::Connection;
pub use snapshot::State;
use std::io;
use std::path::Path;
pub use writer::Writer;

/// What opening the state may do to the workspace.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// The caller holds the workspace's lock and no [`Writer`]: what a crash left is recovered,
    /// what is damaged is moved to `<dir>/damaged/<unix_ms>/`.
    Write,
    /// No byte is changed and no file made; others may be writing.
    Read,
}

/// A row takes about so many bytes of the database.
const ROW_BYTES: u64 = 256;

/// To look up one row takes as long as reading so many of all.
const LOOKUP_ROWS: u64 = 8;

/// How often a database that others are writing is copied or read before giving up.
const ATTEMPTS: usize = 5;

impl State {
    /// Reads the database in `dir`. The sentence, for the user, says why rows are missing; a
    /// database that is not there is an empty state without a sentence.
    ///
    /// Must not be called while a [`Writer`] of this process is open on `dir`: closing any
    /// descriptor of a file gives up the process's POSIX locks on it, SQLite's among them.
    pub fn open(dir: &Path, access: Access) -> (State, Option<String>) {
        open_with(dir, access, &std::env::temp_dir())
    }

    /// Removes the database in `dir`, which no [`Writer`] of this process has open: what it says is
    /// no longer so.
    ///
    /// # Errors
    /// What the system says.
    pub fn discard(dir: &Path) -> io::Result<()> {
        remove(&LAYOUT, dir)
    }
}

/// The database as it was when this was opened, to read some rows of it now and others later. For as
/// long only a [`Writer`] may write there that is [beside a reader](Writer::beside_reader).
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    size: u64,
}

impl Reader {
    /// Opens the database in `dir`. None if something of it lies elsewhere, or is not right:
    /// [`State::open`] knows what to do then.
    ///
    /// The same holds for a [`Writer`] as there.
    pub fn open(dir: &Path) -> Option<Reader> {
        require_version().ok()?;
        let size = Files::look(&LAYOUT, dir).ok()?.whole_size()?;
        // There a writer has no other place than the file.
        if is_remote(dir) {
            return None;
        }
        let connection = database::open_immutable(&dir.join(LAYOUT.file), size).ok()?;
        Some(Reader { connection, size })
    }

    /// The rows of these keys, each once, as far as they are there; all rows where that takes less time.
    /// None if they cannot be read.
    pub fn rows(&self, keys: &[(u8, Vec<u8>)]) -> Option<State> {
        let are_few = (keys.len() as u64).saturating_mul(LOOKUP_ROWS) <= self.size / ROW_BYTES;
        match are_few {
            true => database::read_some(&self.connection, keys).ok(),
            false => database::read_rows(&self.connection, self.size).ok(),
        }
    }
}

/// [`State::open`], with the directory in which copies are made.
fn open_with(dir: &Path, access: Access, temp: &Path) -> (State, Option<String>) {
    let trouble = match load(dir, access, temp) {
        Ok(state) => return (state, None),
        Err(trouble) => trouble,
    };
    let place = dir.join(LAYOUT.file);
    let place = place.display();
    let sentence = match (trouble, access) {
        (Trouble::Unreadable(why), _) => {
            format!("the build state {place} cannot be read ({why}) and counts as empty")
        }
        (Trouble::Damaged(why), Access::Read) => {
            format!("the build state {place} cannot be used ({why}) and counts as empty")
        }
        (Trouble::Damaged(why), Access::Write) => match set_aside(&LAYOUT, dir) {
            Ok(aside) => format!(
                "the build state {place} cannot be used ({why}); it was moved to {}, and a new one begins",
                aside.display()
            ),
            Err(error) => format!(
                "the build state {place} cannot be used ({why}) nor moved away ({}); it counts as empty",
                crate::said(&error)
            ),
        },
    };
    (State::empty(), Some(sentence))
}

fn load(dir: &Path, access: Access, temp: &Path) -> Result<State, Trouble> {
    require_version()?;
    let database = dir.join(LAYOUT.file);
    for _ in 0..ATTEMPTS {
        let files = Files::look(&LAYOUT, dir)?;
        if !files.has_rows()? {
            return Ok(State::empty());
        }
        let result = match (files.whole_size(), access) {
            (Some(size), _) => database::read_immutable(&database, size),
            (None, Access::Write) => return database::recover(&database),
            (None, Access::Read) => {
                let copy = copy(&LAYOUT, dir, temp)?;
                if Files::look(&LAYOUT, dir)? != files {
                    continue;
                }
                return database::recover(&copy.path().join(LAYOUT.file));
            }
        };
        if Files::look(&LAYOUT, dir)? == files {
            return result;
        }
    }
    Err(Trouble::Unreadable("it is being written".to_owned()))
}
