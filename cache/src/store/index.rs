//! The index, `index.db`: opening it to read and to write, and knowing it for this user's.
//!
//! Others may use it at the same time, in this process or another. What its rows hold is known to
//! [`super::rows`].

use super::blobs::is_ours;
use super::rows::Rows;
use crate::database::{self, Files, Layout, Trouble};
use crate::stamp::Stamp;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::io;
use std::path::Path;

/// `PRAGMA user_version` of the index, and part of each row's sum: it also stands for the layout of
/// entries.
pub(super) const FORMAT: i32 = 1;

/// In `entries`, `root` is empty for an entry that serves every workspace; `static` is there only
/// with a depfile; `used` and `ended` are milliseconds since 1970, and not part of the sum: they
/// decide what goes first, never what is right. `totals` has one row. The `application_id` is
/// "stor" in ASCII.
pub(super) const LAYOUT: Layout = Layout {
    file: "index.db",
    what: "a store's index",
    application_id: 0x7374_6f72,
    format: FORMAT,
    schema: &[
        "CREATE TABLE entries(key BLOB, root BLOB, static BLOB, used INTEGER, ended INTEGER, \
         value BLOB, sum BLOB, PRIMARY KEY(key, root)) WITHOUT ROWID",
        "CREATE TABLE totals(value BLOB, sum BLOB)",
        "CREATE INDEX lists ON entries(static, ended) WHERE static IS NOT NULL",
    ],
    // With it all that the store has would be lost.
    synced: true,
};

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    connection: Connection,
    file: (u64, u64),
}

impl Index {
    /// Opens the index of the store at `dir` to be read; `None`: there is none. What a transaction
    /// that was cut short changed is taken back, and nothing else written.
    pub(super) fn open_to_read(dir: &Path) -> Result<Option<Index>, Trouble> {
        database::require_version()?;
        let files = Files::look(&LAYOUT, dir)?;
        if !files.has_rows()? {
            return Ok(None);
        }
        let file = require_owner(dir)?;
        let path = dir.join(LAYOUT.file);
        let flags = match files.has_journal() {
            true => OpenFlags::SQLITE_OPEN_READ_WRITE,
            false => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let open = |parameters| {
            let connection = database::open(&path, parameters, flags)?;
            let new = database::is_new(&connection)?;
            Ok((connection, new))
        };
        // A folder that may not be written has no room for the memory that a WAL's users share.
        let opened = match open("") {
            Err(Trouble::Unreadable(why)) => match Files::look(&LAYOUT, dir)?.whole_size() {
                Some(_) => open("?immutable=1"),
                None => Err(Trouble::Unreadable(why)),
            },
            other => other,
        };
        let (connection, new) = opened?;
        if new {
            return Ok(None);
        }
        database::check(&LAYOUT, &connection)?;
        Ok(Some(Index { connection, file }))
    }

    /// Opens the index of the store at `dir`, made if there is none.
    pub(super) fn open_to_write(dir: &Path) -> Result<Index, Trouble> {
        database::require_version()?;
        if Files::look(&LAYOUT, dir)?.has_rows()? {
            require_owner(dir)?;
        }
        let connection = database::open_to_write(&LAYOUT, dir, database::is_remote(dir))?;
        Ok(Index { connection, file: require_owner(dir)? })
    }

    /// As [`Index::open_to_write`]; one that is damaged is moved aside, and the sentence says so. The
    /// lock is held alone.
    pub(super) fn open_or_replace(dir: &Path) -> Result<(Index, Option<String>), Trouble> {
        match Index::open_to_write(dir) {
            Err(Trouble::Damaged(why)) => {
                let sentence = set_aside(dir, &why)?;
                Ok((Index::open_to_write(dir)?, Some(sentence)))
            }
            other => Ok((other?, None)),
        }
    }

    /// Whether the index at `dir` is still this one: another may have moved it aside.
    pub(super) fn is_at(&self, dir: &Path) -> bool {
        require_owner(dir).is_ok_and(|file| file == self.file)
    }

    /// Removes all rows and gives their room back.
    pub(super) fn clear(&self) -> Result<(), Trouble> {
        let all = "BEGIN IMMEDIATE; DELETE FROM entries; DELETE FROM totals; COMMIT";
        self.connection.execute_batch(all)?;
        // It needs as much room again; without it the next rows take that of the old ones.
        let _ = self.connection.execute_batch("VACUUM");
        Ok(())
    }

    /// Closes it without waiting for the disk.
    pub(super) fn leave(self) {
        database::leave(self.connection);
    }

    /// Closes it, all rows in its one file.
    pub(super) fn close(self) {
        database::close(self.connection);
    }

    /// Its rows, for reading.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { connection: &self.connection }
    }

    /// Makes all changes of `change`, or none.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&Rows<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let done = change(&Rows { connection: &transaction })?;
        transaction.commit()?;
        Ok(done)
    }
}

/// Moves the index at `dir` aside and says so. The lock is held alone.
pub(super) fn set_aside(dir: &Path, why: &str) -> io::Result<String> {
    let aside = database::set_aside(&LAYOUT, dir)?;
    let (place, aside) = (dir.join(LAYOUT.file), aside.display().to_string());
    let place = place.display();
    Ok(format!(
        "the store's index {place} cannot be used ({why}); it was moved to {aside}, \
         and a new one begins"
    ))
}

/// The device and the number of the index's file, which must be this user's.
fn require_owner(dir: &Path) -> Result<(u64, u64), Trouble> {
    let found = rustix::fs::lstat(dir.join(LAYOUT.file)).map_err(io::Error::from)?;
    if is_ours(&found) {
        let stamp = Stamp::from_stat(&found);
        return Ok((stamp.dev, stamp.ino));
    }
    Err(Trouble::Unreadable("it belongs to another user".to_owned()))
}
