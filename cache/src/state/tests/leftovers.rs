//! What a crash leaves beside the database, and reading while another process writes.

use super::*;
use rusqlite::Connection;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const ROWS: u32 = 80;

/// A directory as a crash leaves it: half of the rows in the database, half in its `-wal`.
fn crashed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), ROWS / 2);
    let mut writer = Writer::new(dir.path());
    put(&mut writer, ROWS);
    assert_eq!(writer.flush(), None);
    let copy = crash(dir.path());
    assert_eq!(names(copy.path()), ["state.db", "state.db-shm", "state.db-wal"]);
    copy
}

/// The same for a rollback journal: a transaction was cut short half way through the database.
fn crashed_with_journal() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), ROWS);
    let path = dir.path().join(LAYOUT.file);
    let connection = crate::database::open_to_write(&LAYOUT, dir.path(), true).unwrap();
    connection
        .execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE rows SET value = x'00'")
        .unwrap();
    let copy = crash(dir.path());
    assert_eq!(names(copy.path()), ["state.db", "state.db-journal"]);
    let database = fs::read(copy.path().join(LAYOUT.file)).unwrap();
    drop(connection);
    assert_ne!(fs::read(&path).unwrap(), database, "the transaction had reached the database");
    copy
}

#[test]
fn a_leftover_is_recovered_and_gone() {
    for dir in [crashed(), crashed_with_journal()] {
        let state = open_well(dir.path(), Access::Write);
        assert_eq!(count_known(&state, ROWS), 2 * ROWS as usize);
        assert_eq!(names(dir.path()), ["state.db"]);
        assert_eq!(count_known(&open_well(dir.path(), Access::Read), ROWS), 2 * ROWS as usize);
    }
}

#[test]
fn reading_changes_no_byte() {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path(), ROWS);
    for dir in [whole, crashed(), crashed_with_journal()] {
        let before = listing(dir.path());
        let state = open_well(dir.path(), Access::Read);
        assert_eq!(count_known(&state, ROWS), 2 * ROWS as usize);
        assert_eq!(listing(dir.path()), before);
    }
    let empty = tempfile::tempdir().unwrap();
    let before = listing(empty.path());
    assert_eq!(count_known(&open_well(empty.path(), Access::Read), 0), 0);
    assert_eq!(count_known(&open_well(&empty.path().join("absent"), Access::Read), 0), 0);
    assert_eq!(listing(empty.path()), before);
}

#[test]
fn the_copy_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, temp) = (crashed(), tempfile::tempdir().unwrap());
    let one = copy(&LAYOUT, dir.path(), temp.path()).unwrap();
    let other = copy(&LAYOUT, dir.path(), temp.path()).unwrap();
    assert_ne!(one.path(), other.path());
    assert_eq!(fs::metadata(one.path()).unwrap().permissions().mode() & 0o777, 0o700);
    drop((one, other));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn without_room_for_a_copy_the_state_counts_as_empty() {
    let dir = crashed();
    let before = listing(dir.path());
    let (state, sentence) = open_with(dir.path(), Access::Read, &dir.path().join("absent"));
    assert_eq!(count_known(&state, 0), 0);
    assert!(sentence.unwrap().contains("cannot be read"));
    assert_eq!(listing(dir.path()), before);
}

#[test]
fn a_wal_without_its_database_is_moved_aside() {
    let dir = crashed();
    fs::remove_file(dir.path().join(LAYOUT.file)).unwrap();
    let (state, sentence) = open(dir.path(), Access::Read);
    assert_eq!((count_known(&state, 0), sentence.is_some()), (0, true));
    let (state, sentence) = open(dir.path(), Access::Write);
    assert_eq!((count_known(&state, 0), sentence.is_some()), (0, true));
    assert_eq!(names(dir.path()), ["damaged"]);
    fill(dir.path(), 2);
    assert_eq!(count_known(&open_well(dir.path(), Access::Write), 2), 4);
}

/// A crash of the very first transaction: SQLite drops a journal whose database is empty.
#[test]
fn a_database_that_was_never_begun_is_none() {
    for database in [Some(""), None] {
        let dir = tempfile::tempdir().unwrap();
        if let Some(bytes) = database {
            fs::write(dir.path().join(LAYOUT.file), bytes).unwrap();
        }
        fs::write(dir.path().join("state.db-journal"), [0xd9; 600]).unwrap();
        assert_eq!(count_known(&open_well(dir.path(), Access::Write), 0), 0);
        fill(dir.path(), 2);
        assert_eq!(count_known(&open_well(dir.path(), Access::Read), 2), 4);
        assert_eq!(names(dir.path()), ["state.db"]);
    }
}

#[test]
fn a_first_transaction_cut_short_leaves_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join(LAYOUT.file)).unwrap();
    let sql = "PRAGMA cache_size = 1; BEGIN; CREATE TABLE t(x);
               INSERT INTO t SELECT randomblob(999) FROM (VALUES(1), (2), (3), (4), (5), (6), (7)),
               (VALUES(1), (2), (3), (4), (5), (6), (7))";
    connection.execute_batch(sql).unwrap();
    let copy = crash(dir.path());
    assert_eq!(names(copy.path()), ["state.db", "state.db-journal"]);
    assert!(fs::metadata(copy.path().join(LAYOUT.file)).unwrap().len() > 0);
    for access in [Access::Read, Access::Write] {
        assert_eq!(count_known(&open_well(copy.path(), access), 0), 0);
    }
    fill(copy.path(), 2);
    assert_eq!(count_known(&open_well(copy.path(), Access::Read), 2), 4);
}

#[test]
fn the_wal_of_another_database_gives_no_row_that_was_not_put() {
    let (dir, other) = (tempfile::tempdir().unwrap(), crashed());
    fill(dir.path(), 7);
    fs::copy(other.path().join("state.db-wal"), dir.path().join("state.db-wal")).unwrap();
    let before = listing(dir.path());
    count_known(&open(dir.path(), Access::Read).0, ROWS);
    assert_eq!(listing(dir.path()), before);
    count_known(&open(dir.path(), Access::Write).0, ROWS);
    fill(dir.path(), 2);
    assert!(count_known(&open_well(dir.path(), Access::Write), ROWS) >= 4);
}

#[test]
fn a_damaged_wal_loses_rows_and_invents_none() {
    let base = crashed();
    let wal = fs::read(base.path().join("state.db-wal")).unwrap();
    let mut random = Random(0x5eed_0002);
    let mut fewer = 0;
    for round in 0..300 {
        let dir = crash(base.path());
        let mut damaged = wal.clone();
        if round % 2 == 0 {
            let bit = random.below(wal.len() * 8);
            damaged[bit / 8] ^= 1 << (bit % 8);
        } else {
            damaged.truncate(1 + random.below(wal.len() - 1));
        }
        fs::write(dir.path().join("state.db-wal"), damaged).unwrap();
        let (read, _) = open(dir.path(), Access::Read);
        let (written, _) = open(dir.path(), Access::Write);
        let count = count_known(&read, ROWS);
        assert_eq!(count_known(&written, ROWS), count);
        fewer += usize::from(count < 2 * ROWS as usize);
    }
    assert!(fewer > 100, "{fewer}");
}

#[test]
fn reading_beside_a_writer_gives_rows_that_were_put() {
    let dir = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..30 {
                let mut writer = Writer::new(dir.path());
                for number in 0..ROWS {
                    match (number + round) % 3 {
                        0 => writer.delete(1, id_of(number)),
                        _ => writer.put(1, id_of(number), value_of(1, number)),
                    }
                }
                assert_eq!(writer.flush(), None);
                assert_eq!(writer.close(), None);
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut most = 0;
        while !done.load(Ordering::SeqCst) {
            most = most.max(count_known(&open(dir.path(), Access::Read).0, ROWS));
        }
        assert!(most > 0);
    });
    assert!(count_known(&open_well(dir.path(), Access::Read), ROWS) > 0);
}

/// Others hold a lock for longer than is waited: no damage, one sentence, nothing moved.
#[test]
fn trouble_on_the_way_is_not_damage() {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let trouble = |error| Trouble::from(rusqlite::Error::SqliteFailure(error, None));
    assert!(matches!(trouble(busy), Trouble::Unreadable(_)));
    assert!(matches!(trouble(corrupt), Trouble::Damaged(_)));
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 2);
    let deep = dir.path().join("d".repeat(250)).join("d".repeat(250));
    fs::create_dir_all(&deep).unwrap();
    fs::copy(dir.path().join(LAYOUT.file), deep.join(LAYOUT.file)).unwrap();
    let before = listing(&deep);
    let (state, sentence) = open(&deep, Access::Write);
    assert_eq!(count_known(&state, 2), 0);
    assert!(sentence.unwrap().contains("cannot be read"), "longer than SQLite's 512 bytes");
    assert_eq!(listing(&deep), before);
    assert!(Connection::open(deep.join(LAYOUT.file)).is_err());
}
