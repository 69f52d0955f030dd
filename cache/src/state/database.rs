//! The rows of the state in SQLite: read in one pass, from a database in one of two conditions.

use super::snapshot::{Rows, State};
use crate::database::{self, Layout, Trouble};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params};
use std::path::Path;

/// `PRAGMA user_version` of the database, and part of each row's sum. It also stands for what
/// callers put into rows: no release has written another layout of them; the first change after
/// a release needs another number.
pub(super) const FORMAT: i32 = 2;

/// The state database. In its one table `tab` is the caller's table, 0 to 255; `sum` is described at
/// [`State`]. The `application_id` is "task" in ASCII.
pub(super) const LAYOUT: Layout = Layout {
    file: "state.db",
    what: "a build state",
    application_id: 0x7461_736b,
    format: FORMAT,
    schema: &["CREATE TABLE rows(tab INTEGER, id BLOB, value BLOB, sum BLOB, \
               PRIMARY KEY(tab, id)) WITHOUT ROWID"],
    // What is torn fails its sums or is out of order, and rows of another boot are believed nothing that
    // the disk does not say, too: a power loss costs time.
    synced: false,
};

/// Reads a database of `size` bytes that has no `-wal` and no journal, without locks and without
/// making a file.
pub(super) fn read_immutable(path: &Path, size: u64) -> Result<State, Trouble> {
    read_rows(&open_immutable(path, size)?, size)
}

/// Opens such a database.
pub(super) fn open_immutable(path: &Path, size: u64) -> Result<Connection, Trouble> {
    let connection = database::open(path, "?immutable=1", OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database::check(&LAYOUT, &connection)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    // SQLite would take the rest of a last page that was cut off for zeros.
    if size < u64::from(number("page_count")?) * u64::from(number("page_size")?) {
        return Err(Trouble::Damaged("it was cut short".to_owned()));
    }
    Ok(connection)
}

/// Some rows of a database: those of these keys, as far as they are there.
pub(super) fn read_some(connection: &Connection, keys: &[(u8, Vec<u8>)]) -> Result<State, Trouble> {
    let mut found = Rows::default();
    let mut statement =
        connection.prepare("SELECT value, sum FROM rows WHERE tab = ?1 AND id = ?2")?;
    for (table, id) in keys {
        let mut rows = statement.query(params![table, id])?;
        if let Some(row) = rows.next()?
            && let (ValueRef::Blob(value), ValueRef::Blob(sum)) = (row.get_ref(0)?, row.get_ref(1)?)
        {
            found.push(*table, id, value, sum);
        }
    }
    Ok(found.into_state())
}

/// Reads a database whose last user did not close it, and finishes what that one began: afterwards
/// all is in the database file, and its `-wal` or journal is gone.
pub(super) fn recover(path: &Path) -> Result<State, Trouble> {
    let connection = database::open(path, "", OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if database::is_new(&connection)? {
        return Ok(State::empty());
    }
    database::check(&LAYOUT, &connection)?;
    let state = read_rows(&connection, 0)?;
    database::close(connection);
    Ok(state)
}

/// All rows in one sequential scan; `size` is about how many bytes they have. A row whose value or sum
/// is wrong counts as absent. Keys that are wrong or do not ascend are another matter: what is sought by
/// its key is not found then, so it could be neither replaced nor removed, and a page that points back to
/// an earlier one gives rows without end.
pub(super) fn read_rows(connection: &Connection, size: u64) -> Result<State, Trouble> {
    let disorder = || Trouble::Damaged("its rows are out of order".to_owned());
    let mut statement = connection.prepare("SELECT tab, id, value, sum FROM rows")?;
    let mut rows = statement.query([])?;
    let mut found = Rows::of_size(size);
    let mut last: Option<(i64, Vec<u8>)> = None;
    while let Some(row) = rows.next()? {
        let (ValueRef::Integer(table), ValueRef::Blob(id)) = (row.get_ref(0)?, row.get_ref(1)?)
        else {
            return Err(disorder());
        };
        match &mut last {
            Some((before, key)) => {
                if (*before, key.as_slice()) >= (table, id) {
                    return Err(disorder());
                }
                *before = table;
                id.clone_into(key);
            }
            None => last = Some((table, id.to_owned())),
        }
        if let (Ok(table), ValueRef::Blob(value), ValueRef::Blob(sum)) =
            (u8::try_from(table), row.get_ref(2)?, row.get_ref(3)?)
        {
            found.push(table, id, value, sum);
        }
    }
    Ok(found.into_state())
}
