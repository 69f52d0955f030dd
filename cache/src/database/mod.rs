//! The SQLite databases of this program: opening one, and knowing it for one of ours.
//!
//! Which tables it has is said by a [`Layout`]; what its rows mean is known where they are written.
//! What is said to the user when it cannot be used, and what is done with it then, is decided by
//! the callers; here is only told apart whether the file is at fault or the way to it.

mod files;

use crate::filesystem::{self, FileSystem};
pub(crate) use files::{Files, copy, remove, set_aside};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What tells one sort of database from all others.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The name of its file.
    pub(crate) file: &'static str,
    /// What it is, for people.
    pub(crate) what: &'static str,
    /// `PRAGMA application_id`.
    pub(crate) application_id: i32,
    /// `PRAGMA user_version`.
    pub(crate) format: i32,
    /// The statements that make its tables, then its indices, as SQLite keeps them. In another
    /// order `VACUUM` would make another database of it.
    pub(crate) schema: &'static [&'static str],
    /// Whether it is worth waiting for the disk so that no power loss tears it.
    pub(crate) synced: bool,
}

/// With more pages in its `-wal` a commit moves them into the database file, which waits for the disk. As
/// many are read by whoever opens a database that was [left](leave).
const MOST_LEFT_PAGES: i32 = 128;

/// Before 3.51.3 a WAL that two connections wrote and checkpointed at once could be corrupted.
const MINIMUM_SQLITE: i32 = 3_051_003;

/// How long a locked database is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a database gives or takes no rows.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The file is not one of this program's, of this version, and whole.
    Damaged(String),
    /// The file may be all right: no permission, no space, locked, an error of the disk.
    Unreadable(String),
}

impl Trouble {
    /// In words.
    pub(crate) fn into_why(self) -> String {
        let (Trouble::Damaged(why) | Trouble::Unreadable(why)) = self;
        why
    }
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
pub(crate) fn require_version() -> Result<(), Trouble> {
    if rusqlite::version_number() >= MINIMUM_SQLITE {
        return Ok(());
    }
    let version = rusqlite::version();
    Err(Trouble::Unreadable(format!("SQLite {version} is older than 3.51.3")))
}

/// Opens the database for the writer, made if there is none.
pub(crate) fn open_to_write(
    layout: &Layout,
    dir: &Path,
    remote: bool,
) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open(&dir.join(layout.file), "", flags)?;
    if is_new(&connection)? {
        // One transaction, before there is a WAL: a crash leaves a database or none.
        let first = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have made it while this one waited for the transaction, which itself
        // makes the first page.
        let query = "SELECT count(*) = 0 FROM sqlite_schema";
        if first.query_row(query, [], |row| row.get(0))? {
            for statement in layout.schema {
                first.execute(statement, [])?;
            }
            first.pragma_update(None, "application_id", layout.application_id)?;
            first.pragma_update(None, "user_version", layout.format)?;
        }
        first.commit()?;
    }
    check(layout, &connection)?;
    // The WAL needs memory shared between processes, which a remote file system does not give.
    // Where it is refused the mode stays as it was, which is safe.
    let mode = if remote { "DELETE" } else { "WAL" };
    connection.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
    match (remote, layout.synced) {
        (true, _) => {}
        (false, true) => {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "wal_autocheckpoint", MOST_LEFT_PAGES)?;
        }
        (false, false) => connection.pragma_update(None, "synchronous", "OFF")?,
    }
    Ok(connection)
}

/// Closes it without waiting for the disk: what was committed last stays in the `-wal`, until that has
/// [`MOST_LEFT_PAGES`].
pub(crate) fn leave(connection: Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    let _ = connection.close();
}

/// Moves all rows into the database file, as far as no other connection hinders that; [`close`] has
/// then less to do.
pub(crate) fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}

/// Moves all rows into the database file and closes it. If that fails (a full disk), they are safe
/// in the `-wal`, and the next to open it goes on.
pub(crate) fn close(connection: Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = connection.close();
}

/// Whether shared memory between processes is not to be relied upon in `dir`.
pub(crate) fn is_remote(dir: &Path) -> bool {
    filesystem::of_path(dir, true).is_ok_and(|(_, kind)| kind == FileSystem::Remote)
}

/// Opens a file, in the way that the URI's parameters and the flags say.
pub(crate) fn open(path: &Path, parameters: &str, flags: OpenFlags) -> Result<Connection, Trouble> {
    let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, parameters), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Whether the file has no page yet: just made, or its first transaction was cut short.
pub(crate) fn is_new(connection: &Connection) -> Result<bool, Trouble> {
    Ok(connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))? == 0)
}

/// That the database is ours, of this version, and holds our tables and nothing else.
pub(crate) fn check(layout: &Layout, connection: &Connection) -> Result<(), Trouble> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if number("application_id")? != layout.application_id {
        return Err(Trouble::Damaged(format!("it is not {}", layout.what)));
    }
    if number("user_version")? != layout.format {
        return Err(Trouble::Damaged("it is of another version".to_owned()));
    }
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
    let mut rows = statement.query([])?;
    let mut expected = layout.schema.iter();
    while let Some(row) = rows.next()? {
        if row.get_ref(0)?.as_str().ok() != expected.next().copied() {
            return Err(unexpected());
        }
    }
    if expected.next().is_some() { Err(unexpected()) } else { Ok(()) }
}

fn unexpected() -> Trouble {
    Trouble::Damaged("its tables are not the expected ones".to_owned())
}

/// Bytes of `path` as an SQLite URI: everything but letters, digits and `/._-~` is escaped, so that
/// any name the system allows is taken literally.
pub(crate) fn uri(path: &Path, parameters: &str) -> PathBuf {
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
