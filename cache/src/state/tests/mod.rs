//! The state database against true files: what is put is what is got, whatever happens between.

mod damage;
mod leftovers;

use super::*;
use crate::database::uri;
use crate::random::Random;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;
use tempfile::TempDir;

/// The value that every test puts at an id, so that a row can be known for one that was put.
fn value_of(table: u8, number: u32) -> Vec<u8> {
    let seed = crate::Digest::of(&[&[table][..], &number.to_le_bytes()].concat());
    let bytes = (number * 37 % 600) as usize;
    seed.as_bytes().iter().copied().cycle().take(bytes).collect()
}

fn id_of(number: u32) -> Vec<u8> {
    format!("row {number}\u{e9}").into_bytes()
}

/// Puts rows `0..count` of tables 1 and 2 and closes.
fn fill(dir: &Path, count: u32) {
    let mut writer = Writer::new(dir);
    put(&mut writer, count);
    assert_eq!(writer.close(), None);
}

fn put(writer: &mut Writer, count: u32) {
    for number in 0..count {
        for table in [1, 2] {
            writer.put(table, id_of(number), value_of(table, number));
        }
    }
}

/// How many rows there are; every one must be one of the first `limit` that [`fill`] puts.
fn count_known(state: &State, limit: u32) -> usize {
    let mut count = 0;
    for table in 0..=u8::MAX {
        for (id, value) in state.rows(table) {
            let number = (0..limit).find(|&number| id_of(number) == id);
            let number = number.expect("a row whose id was never put");
            assert!(table == 1 || table == 2);
            assert_eq!(value, value_of(table, number));
            count += 1;
        }
    }
    count
}

/// Opens with a directory for copies of its own, which must be empty afterwards.
fn open(dir: &Path, access: Access) -> (State, Option<String>) {
    let temp = tempfile::tempdir().unwrap();
    let opened = open_with(dir, access, temp.path());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "a copy was left");
    opened
}

fn open_well(dir: &Path, access: Access) -> State {
    let (state, sentence) = open(dir, access);
    assert_eq!(sentence, None);
    state
}

type Listing = Vec<(PathBuf, SystemTime, Option<Vec<u8>>)>;

/// Names, times and bytes of everything in `dir`.
fn listing(dir: &Path) -> Listing {
    let mut listing = vec![(dir.to_owned(), fs::metadata(dir).unwrap().modified().unwrap(), None)];
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let found = entry.metadata().unwrap();
        let bytes = found.is_file().then(|| fs::read(entry.path()).unwrap());
        listing.push((entry.path(), found.modified().unwrap(), bytes));
    }
    listing.sort();
    listing
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A copy of `from` as a crash would have left it, made while its writer is at work.
fn crash(from: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

#[test]
fn the_linked_sqlite_is_new_enough() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    assert!(require_version().is_ok());
}

#[test]
fn what_is_put_is_got() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 500);
    for access in [Access::Read, Access::Write] {
        let state = open_well(dir.path(), access);
        assert_eq!(count_known(&state, 500), 1_000);
        for number in 0..500 {
            assert_eq!(state.get(1, &id_of(number)), Some(&value_of(1, number)[..]));
            assert_eq!(state.get(3, &id_of(number)), None);
        }
        assert_eq!(state.get(1, &id_of(500)), None);
        assert!(state.rows(1).is_sorted());
    }
    assert_eq!(names(dir.path()), ["state.db"]);
}

#[test]
fn what_is_discarded_is_gone_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    State::discard(dir.path()).unwrap();
    let full = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(full.path());
    put(&mut writer, 5);
    assert_eq!(writer.flush(), None);
    let copy = crash(full.path());
    drop(writer);
    assert!(names(copy.path()).contains(&"state.db-wal".to_owned()));
    State::discard(copy.path()).unwrap();
    assert_eq!(names(copy.path()), [""; 0]);
    assert_eq!(count_known(&open_well(copy.path(), Access::Write), 5), 0);
}

/// Enough for the sums to be looked at by several threads.
#[test]
fn many_rows_keep_their_order_and_lose_only_what_does_not_fit() {
    let mut rows = snapshot::Rows::default();
    let id = |number: u32| number.to_be_bytes();
    for number in 0..30_000 {
        let value = value_of(1, number);
        let mut sum = snapshot::sum(1, &id(number), &value).unwrap();
        sum[0] ^= u8::from(number % 1_000 == 999);
        rows.push(1, &id(number), &value, &sum);
    }
    rows.push(1, &id(30_000), b"", b"short");
    let state = rows.into_state();
    assert_eq!(state.rows(1).count(), 30_000 - 30);
    assert!(state.rows(1).is_sorted_by_key(|(id, _)| id));
    for number in 0..=30_000 {
        let expected = (number % 1_000 != 999 && number < 30_000).then(|| value_of(1, number));
        assert_eq!(state.get(1, &id(number)), expected.as_deref());
    }
}

#[test]
fn any_bytes_are_ids_and_values() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![7; 3_000_000];
    let ids: [&[u8]; 6] = [b"", b"\0", b"\xff\xfe", b"a", b"a\0", b"ab"];
    let mut writer = Writer::new(dir.path());
    for table in [0, 255] {
        for id in ids {
            writer.put(table, id.to_vec(), [&[table], id].concat());
        }
    }
    writer.put(9, b"empty".to_vec(), Vec::new());
    writer.put(9, b"large".to_vec(), large.clone());
    assert_eq!(writer.close(), None);
    let state = open_well(dir.path(), Access::Read);
    for table in [0, 255] {
        for id in ids {
            assert_eq!(state.get(table, id), Some(&[&[table], id].concat()[..]));
        }
    }
    assert_eq!(state.get(9, b"empty"), Some(&b""[..]));
    assert_eq!(state.get(9, b"large"), Some(&large[..]));
}

#[test]
fn the_last_change_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(dir.path());
    // More than one batch.
    for round in 0_u32..5 {
        for number in 0_u32..700 {
            writer.put(1, id_of(number), (round * number).to_le_bytes().to_vec());
        }
    }
    for number in 0..350 {
        writer.delete(1, id_of(number));
    }
    writer.delete(1, b"never put".to_vec());
    writer.put(1, id_of(0), b"again".to_vec());
    assert_eq!(writer.close(), None);
    let state = open_well(dir.path(), Access::Read);
    assert_eq!(state.rows(1).count(), 351);
    assert_eq!(state.get(1, &id_of(0)), Some(&b"again"[..]));
    assert_eq!(state.get(1, &id_of(349)), None);
    assert_eq!(state.get(1, &id_of(350)), Some(&(4_u32 * 350).to_le_bytes()[..]));
}

#[test]
fn a_second_writer_goes_on_where_the_first_ended() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    let mut writer = Writer::new(dir.path());
    writer.delete(1, id_of(0));
    drop(writer);
    let state = open_well(dir.path(), Access::Write);
    assert_eq!(count_known(&state, 3), 5);
    assert_eq!(names(dir.path()), ["state.db"]);
}

#[test]
fn some_rows_are_those_that_all_have() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [0, 3, 7, 7000].into_iter().flat_map(|at| [(1, id_of(at)), (3, id_of(at))]);
    let keys: Vec<_> = keys.collect();
    assert!(Reader::open(dir.path()).is_none(), "there is no database");
    fill(dir.path(), 2000);
    let reader = Reader::open(dir.path()).expect("a database that was closed");
    let some = reader.rows(&keys).expect("rows");
    assert_eq!(count_known(&some, 2000), 3);
    assert_eq!(some.get(1, &id_of(7)), Some(&value_of(1, 7)[..]));
    assert_eq!(some.get(1, &id_of(6)), None);
    let many: Vec<_> = (0..1000).map(|at| (1, id_of(at))).collect();
    let all = reader.rows(&many).expect("rows");
    assert_eq!(count_known(&all, 2000), count_known(&open_well(dir.path(), Access::Read), 2000));
    fs::write(dir.path().join("state.db-wal"), "something").unwrap();
    assert!(Reader::open(dir.path()).is_none(), "somebody did not end");
}

#[test]
fn a_reader_reads_what_was_there_whatever_a_writer_beside_it_does() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3000);
    let reader = Reader::open(dir.path()).expect("a database that was closed");
    let mut writer = Writer::beside_reader(dir.path());
    let new = vec![b'n'; 2000];
    for round in 0..3 {
        // More than SQLite leaves in a WAL by itself.
        (0..3000).for_each(|at| writer.put(1, id_of(at), new.clone()));
        assert_eq!(writer.flush(), None, "{round}");
    }
    assert!(fs::metadata(dir.path().join("state.db-wal")).unwrap().len() > 8_000_000);
    let many: Vec<_> = (0..3000).map(|at| (1, id_of(at))).collect();
    for keys in [&many[..5], &many[..]] {
        let rows = reader.rows(keys).expect("rows");
        let count = u32::try_from(keys.len()).unwrap();
        assert!((0..count).all(|at| rows.get(1, &id_of(at)) == Some(&value_of(1, at)[..])));
    }
    fs::remove_file(dir.path().join("state.db")).unwrap();
    assert!(reader.rows(&many).is_some(), "it is still open");
    drop(reader);
    drop(writer);
}

#[test]
fn a_writer_without_changes_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let before = listing(dir.path());
    let mut writer = Writer::new(dir.path());
    assert_eq!(writer.flush(), None);
    assert_eq!(writer.close(), None);
    assert_eq!(listing(dir.path()), before);
    assert_eq!(count_known(&open_well(dir.path(), Access::Write), 0), 0);
    assert_eq!(listing(dir.path()), before);
}

#[test]
fn what_is_flushed_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(dir.path());
    for count in [1, 40] {
        put(&mut writer, count);
        assert_eq!(writer.flush(), None);
        let crashed = crash(dir.path());
        assert_eq!(
            count_known(&open_well(crashed.path(), Access::Write), count),
            2 * count as usize
        );
    }
}

#[test]
fn failure_to_write_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    let mut writer = Writer::new(&absent);
    writer.put(1, id_of(1), Vec::new());
    let sentence = writer.flush().unwrap();
    assert!(sentence.contains("cannot be written"), "{sentence}");
    writer.put(1, id_of(2), Vec::new());
    assert_eq!(writer.flush(), None);
    assert_eq!(writer.close(), None);
    let mut writer = Writer::new(&absent);
    writer.put(1, id_of(1), Vec::new());
    assert_eq!(writer.close(), Some(sentence));
}

#[test]
fn any_path_is_taken_literally() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    for name in [&b"a b%41?mode=memory#x&y"[..], b"\xff\xfe\n'\"\\", b"file:x", b"+%00"] {
        let dir = dir.path().join(OsStr::from_bytes(name));
        fs::create_dir(&dir).unwrap();
        fill(&dir, 2);
        assert_eq!(count_known(&open_well(&dir, Access::Read), 2), 4);
        assert_eq!(names(&dir), ["state.db"]);
    }
    assert_eq!(uri(Path::new("/a-b/c_d.~e f\n"), "?x=1"), Path::new("file:/a-b/c_d.~e%20f%0A?x=1"));
}

#[test]
fn a_remote_file_system_gets_a_rollback_journal() {
    let dir = tempfile::tempdir().unwrap();
    for (remote, expected) in [(true, "delete"), (false, "wal"), (true, "delete")] {
        let connection = crate::database::open_to_write(&LAYOUT, dir.path(), remote).unwrap();
        let mode: String =
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, expected);
        crate::database::close(connection);
        assert_eq!(names(dir.path()), ["state.db"]);
    }
}
