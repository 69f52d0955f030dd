//! The state database: opaque ids to opaque bytes, kept from run to run in `<dir>/state.db`.
//!
//! Read in one pass into a [`State`], changed by a [`Writer`] on a thread of its own; there are no
//! queries on the way. Knows nothing of what the rows mean. It may be lost at any time: whatever is
//! damaged, newer, locked or unreadable is an empty state and one sentence, never an error.

mod database;
mod files;
mod snapshot;
mod writer;

#[cfg(test)]
mod tests;

use database::Trouble;
use files::Files;
pub use snapshot::State;
use std::path::{Path, PathBuf};
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
}

/// [`State::open`], with the directory in which copies are made.
fn open_with(dir: &Path, access: Access, temp: &Path) -> (State, Option<String>) {
    let trouble = match load(dir, access, temp) {
        Ok(state) => return (state, None),
        Err(trouble) => trouble,
    };
    let place = dir.join(files::DATABASE);
    let place = place.display();
    let sentence = match (trouble, access) {
        (Trouble::Unreadable(why), _) => {
            format!("the build state {place} cannot be read ({why}) and counts as empty")
        }
        (Trouble::Damaged(why), Access::Read) => {
            format!("the build state {place} cannot be used ({why}) and counts as empty")
        }
        (Trouble::Damaged(why), Access::Write) => match files::set_aside(dir) {
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
    database::require_version()?;
    let database = dir.join(files::DATABASE);
    for _ in 0..ATTEMPTS {
        let files = Files::look(dir)?;
        if !files.has_rows()? {
            return Ok(State::empty());
        }
        let result = match (files.whole_size(), access) {
            (Some(size), _) => database::read_immutable(&database, size),
            (None, Access::Write) => return database::recover(&database),
            (None, Access::Read) => {
                let copy = files::copy(dir, temp)?;
                if Files::look(dir)? != files {
                    continue;
                }
                return database::recover(&copy.path().join(files::DATABASE));
            }
        };
        if Files::look(dir)? == files {
            return result;
        }
    }
    Err(Trouble::Unreadable("it is being written".to_owned()))
}

/// Bytes of `path` as an SQLite URI: everything but letters, digits and `/._-~` is escaped, so that
/// any name the system allows is taken literally.
fn uri(path: &Path, parameters: &str) -> PathBuf {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str(parameters);
    PathBuf::from(uri)
}
