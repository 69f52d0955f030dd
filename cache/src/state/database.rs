//! SQLite: opening a database in one of three ways, and knowing it for one of ours.
//!
//! What is said to the user when it cannot be used, and what is done with it then, is decided by
//! the callers; here is only told apart whether the file is at fault or the way to it.

use super::snapshot::{Rows, State};
use super::uri;
use crate::filesystem::{self, FileSystem};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::io;
use std::path::Path;
use std::time::Duration;

/// `PRAGMA application_id` of the database: "task" in ASCII.
const APPLICATION_ID: i32 = 0x7461_736b;
/// `PRAGMA user_version` of the database, and part of each row's sum. It also stands for what
/// callers put into rows: no release has written another layout of them; the first change after
/// a release needs another number.
pub(super) const FORMAT: i32 = 1;

/// The one table. `tab` is the caller's table, 0 to 255; `sum` is described at [`State`].
const SCHEMA: &str = "CREATE TABLE rows(tab INTEGER, id BLOB, value BLOB, sum BLOB, \
                      PRIMARY KEY(tab, id)) WITHOUT ROWID";

/// Before 3.51.3 a WAL that two connections wrote and checkpointed at once could be corrupted.
const MINIMUM_SQLITE: i32 = 3_051_003;

/// How long a locked database is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a database gives or takes no rows.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The file is not one of this program's, of this version, and whole.
    Damaged(String),
    /// The file may be all right: no permission, no space, locked, an error of the disk.
    Unreadable(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed,
            OperationInterrupted, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        match error.sqlite_error_code() {
            Some(
                CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | OperationInterrupted
                | OutOfMemory
                | PermissionDenied
                | ReadOnly
                | SystemIoFailure,
            ) => Trouble::Unreadable(error.to_string()),
            _ => Trouble::Damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Unreadable(crate::said(&error))
    }
}

/// Refuses an SQLite with a known way to corrupt databases, should one ever be linked.
pub(super) fn require_version() -> Result<(), Trouble> {
    if rusqlite::version_number() >= MINIMUM_SQLITE {
        return Ok(());
    }
    let version = rusqlite::version();
    Err(Trouble::Unreadable(format!("SQLite {version} is older than 3.51.3")))
}

/// Reads a database of `size` bytes that has no `-wal` and no journal, without locks and without
/// making a file.
pub(super) fn read_immutable(path: &Path, size: u64) -> Result<State, Trouble> {
    let connection = open(path, "?immutable=1", OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check(&connection)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    // SQLite would take the rest of a last page that was cut off for zeros.
    if size < u64::from(number("page_count")?) * u64::from(number("page_size")?) {
        return Err(Trouble::Damaged("it was cut short".to_owned()));
    }
    read_rows(&connection)
}

/// Reads a database whose last user did not close it, and finishes what that one began: afterwards
/// all is in the database file, and its `-wal` or journal is gone.
pub(super) fn recover(path: &Path) -> Result<State, Trouble> {
    let connection = open(path, "", OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if is_new(&connection)? {
        return Ok(State::empty());
    }
    check(&connection)?;
    let state = read_rows(&connection)?;
    close(connection);
    Ok(state)
}

/// Opens the database for the writer, made if there is none.
pub(super) fn open_to_write(path: &Path, remote: bool) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open(path, "", flags)?;
    if is_new(&connection)? {
        // One transaction, before there is a WAL: a crash leaves a database or none.
        let first = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        first.execute_batch(SCHEMA)?;
        first.pragma_update(None, "application_id", APPLICATION_ID)?;
        first.pragma_update(None, "user_version", FORMAT)?;
        first.commit()?;
    }
    check(&connection)?;
    // The WAL needs memory shared between processes, which a remote file system does not give.
    // Where it is refused the mode stays as it was, which is safe.
    let mode = if remote { "DELETE" } else { "WAL" };
    connection.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
    if !remote {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    Ok(connection)
}

/// Moves all rows into the database file and closes it. If that fails (a full disk), they are safe
/// in the `-wal`, and the next to open it goes on.
pub(super) fn close(connection: Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = connection.close();
}

/// Whether shared memory between processes is not to be relied upon in `dir`.
pub(super) fn is_remote(dir: &Path) -> bool {
    filesystem::of_path(dir, true).is_ok_and(|(_, kind)| kind == FileSystem::Remote)
}

fn open(path: &Path, parameters: &str, flags: OpenFlags) -> Result<Connection, Trouble> {
    let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, parameters), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Whether the file has no page yet: just made, or its first transaction was cut short.
fn is_new(connection: &Connection) -> Result<bool, Trouble> {
    Ok(connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))? == 0)
}

/// That the database is ours, of this version, and holds our table and nothing else.
fn check(connection: &Connection) -> Result<(), Trouble> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id")? != APPLICATION_ID {
        return Err(Trouble::Damaged("it is not a build state".to_owned()));
    }
    if number("user_version")? != FORMAT {
        return Err(Trouble::Damaged("it is of another version".to_owned()));
    }
    let query = "SELECT count(*) = 1 AND max(sql) = ?1 FROM sqlite_schema";
    if connection.query_row(query, [SCHEMA], |row| row.get(0))? {
        return Ok(());
    }
    Err(Trouble::Damaged("its table is not the expected one".to_owned()))
}

/// All rows in one sequential scan. A row whose value or sum is wrong counts as absent. Keys that
/// are wrong or do not ascend are another matter: what is sought by its key is not found then, so
/// it could be neither replaced nor removed, and a page that points back to an earlier one gives
/// rows without end.
fn read_rows(connection: &Connection) -> Result<State, Trouble> {
    let disorder = || Trouble::Damaged("its rows are out of order".to_owned());
    let mut statement = connection.prepare("SELECT tab, id, value, sum FROM rows")?;
    let mut rows = statement.query([])?;
    let mut found = Rows::default();
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
