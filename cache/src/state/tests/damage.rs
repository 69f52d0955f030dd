//! Truncated, flipped, foreign: never a panic, never a row that was not put.

use super::super::database::FORMAT;
use super::*;
use rusqlite::Connection;
use std::os::unix::fs::symlink;

/// A database of a few dozen pages, as bytes.
const ROWS: u32 = 60;

fn base() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), ROWS);
    fs::read(dir.path().join(LAYOUT.file)).unwrap()
}

/// A directory whose database consists of `bytes`.
fn with(bytes: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(LAYOUT.file), bytes).unwrap();
    dir
}

/// Whatever stood there, a run that writes leaves a database that is well.
fn assert_recovers(dir: &Path) {
    let (state, sentence) = open(dir, Access::Write);
    let known = count_known(&state, ROWS);
    assert!(sentence.is_none() || known == 0);
    if sentence.is_some() {
        assert_eq!(open_well(dir, Access::Write).rows(1).count(), 0);
    }
    let mut writer = Writer::new(dir);
    put(&mut writer, 5);
    if writer.close().is_some() {
        // Seen only when writing, and moved away then.
        assert_eq!(count_known(&open_well(dir, Access::Write), ROWS), 0);
        fill(dir, 5);
    }
    let (state, _) = open(dir, Access::Write);
    count_known(&state, ROWS);
}

#[test]
fn every_truncation_of_the_first_pages_and_many_behind() {
    let bytes = base();
    assert!(bytes.len() > 10 * 4096, "{}", bytes.len());
    let dir = with(&[]);
    let path = dir.path().join(LAYOUT.file);
    let (mut damaged, lengths) = (0, (0..8192).chain((8192..bytes.len()).step_by(97)));
    for length in lengths {
        fs::write(&path, &bytes[..length]).unwrap();
        let (state, sentence) = open_with(dir.path(), Access::Read, dir.path());
        assert_eq!(count_known(&state, ROWS), 0, "{length}");
        damaged += usize::from(sentence.is_some());
        if length % 509 == 0 {
            assert_recovers(with(&bytes[..length]).path());
        }
    }
    assert!(damaged >= 8191, "all but the empty file are told of: {damaged}");
}

#[test]
fn two_thousand_flipped_bits() {
    let bytes = base();
    let dir = with(&bytes);
    let path = dir.path().join(LAYOUT.file);
    let all = count_known(&open_well(dir.path(), Access::Read), ROWS);
    assert_eq!(all, 2 * ROWS as usize);
    let mut random = Random(0x5eed_0001);
    let (mut told, mut silent, mut unharmed) = (0, 0, 0);
    for round in 0..2_000 {
        let mut damaged = bytes.clone();
        let bit = random.below(bytes.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &damaged).unwrap();
        let (state, sentence) = open_with(dir.path(), Access::Read, dir.path());
        match (sentence, count_known(&state, ROWS)) {
            (Some(_), count) => {
                assert_eq!(count, 0);
                told += 1;
            }
            (None, count) if count < all => silent += 1,
            (None, _) => unharmed += 1,
        }
        if round % 10 == 0 {
            assert_recovers(with(&damaged).path());
        }
    }
    assert!(told > 0 && silent > 500 && unharmed > 0, "{told} {silent} {unharmed}");
}

/// SQLite itself does not see a changed value; the row's sum does.
#[test]
fn a_flipped_value_costs_its_row_and_no_other() {
    let mut bytes = base();
    let value = value_of(1, 10);
    let place = bytes.windows(value.len()).position(|window| window == value).unwrap();
    bytes[place + 5] ^= 1;
    let dir = with(&bytes);
    let connection = Connection::open(dir.path().join(LAYOUT.file)).unwrap();
    let check = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    assert_eq!(connection.query_row("PRAGMA integrity_check", [], check).unwrap(), "ok");
    drop(connection);
    let state = open_well(dir.path(), Access::Read);
    assert_eq!(count_known(&state, ROWS), 2 * ROWS as usize - 1);
    assert_eq!(state.get(1, &id_of(10)), None);
}

/// A row moved to another table or id by whatever means is not believed either.
#[test]
fn a_row_is_bound_to_its_place() {
    let dir = with(&base());
    let connection = Connection::open(dir.path().join(LAYOUT.file)).unwrap();
    let sql = "UPDATE rows SET tab = 3 WHERE tab = 1; UPDATE rows SET id = CAST('x' AS BLOB)
               WHERE rows.id = (SELECT min(id) FROM rows WHERE tab = 2) AND tab = 2;
               INSERT INTO rows VALUES(300, x'00', x'00', x'00'), (9, x'00', 2.5, NULL);";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let state = open_well(dir.path(), Access::Read);
    assert_eq!(count_known(&state, ROWS), ROWS as usize - 1);
}

/// What is sought by its key is not found among keys in disorder: it could not be removed, and who
/// removes until nothing is left would go on for ever.
#[test]
fn keys_that_do_not_ascend_are_damage() {
    let dir = with(&base());
    let connection = Connection::open(dir.path().join(LAYOUT.file)).unwrap();
    connection.execute_batch("INSERT INTO rows VALUES('text', 1, x'00', x'00')").unwrap();
    drop(connection);
    let (state, sentence) = open(dir.path(), Access::Write);
    assert!(sentence.is_some_and(|it| it.contains("out of order")));
    assert_eq!(state.rows(1).count(), 0);
    let mut bytes = base();
    let id = id_of(ROWS / 2);
    let at = bytes.windows(id.len()).position(|part| part == id).unwrap();
    bytes[at] ^= 0x80;
    let dir = with(&bytes);
    let (state, sentence) = open(dir.path(), Access::Write);
    assert!(sentence.is_some_and(|it| it.contains("out of order")));
    assert_eq!(state.rows(1).count(), 0);
}

/// Makes something in the place of the database that is none of ours.
fn foreign(what: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(LAYOUT.file);
    let alter = |sql: &str| {
        fill(dir.path(), 2);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    let fifo = |path: &Path| {
        let mode = rustix::fs::Mode::from(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    match what {
        "garbage" => fs::write(&path, [0xa5; 10_000]).unwrap(),
        "text" => fs::write(&path, "hello").unwrap(),
        "zeros" => fs::write(&path, [0; 8192]).unwrap(),
        "directory" => fs::create_dir(&path).unwrap(),
        "full directory" => fs::create_dir_all(path.join("beneath")).unwrap(),
        "fifo" => fifo(&path),
        "dangling link" => symlink("elsewhere", &path).unwrap(),
        "link" => symlink("/dev/null", &path).unwrap(),
        "fifo as wal" => {
            fill(dir.path(), 2);
            fifo(&dir.path().join("state.db-wal"));
        }
        "newer version" => alter(&format!("PRAGMA user_version = {}", FORMAT + 1)),
        "no version" => alter("PRAGMA user_version = 0"),
        "another program" => alter("PRAGMA application_id = 7"),
        "second table" => alter("CREATE TABLE more(x)"),
        "view" => alter("DROP TABLE rows; CREATE VIEW rows AS SELECT 1 tab, x'' id, x'' value"),
        "no table" => alter("DROP TABLE rows"),
        "other columns" => alter("ALTER TABLE rows RENAME COLUMN sum TO total"),
        "trigger" => alter("CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END"),
        other => panic!("{other}"),
    }
    dir
}

const FOREIGN: [&str; 17] = [
    "garbage",
    "text",
    "zeros",
    "directory",
    "full directory",
    "fifo",
    "dangling link",
    "link",
    "fifo as wal",
    "newer version",
    "no version",
    "another program",
    "second table",
    "view",
    "no table",
    "other columns",
    "trigger",
];

#[test]
fn what_is_not_ours_is_moved_aside_whole() {
    for what in FOREIGN {
        let dir = foreign(what);
        let before = names(dir.path());
        let (state, sentence) = open(dir.path(), Access::Write);
        assert_eq!(count_known(&state, 0), 0, "{what}");
        let sentence = sentence.expect(what);
        let aside: Vec<PathBuf> = fs::read_dir(dir.path().join("damaged"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(aside.len(), 1, "{what}");
        assert_eq!(names(&aside[0]), before, "{what}");
        assert!(sentence.contains(&aside[0].display().to_string()), "{sentence}");
        fill(dir.path(), 3);
        assert_eq!(count_known(&open_well(dir.path(), Access::Write), 3), 6, "{what}");
    }
}

#[test]
fn reading_what_is_not_ours_changes_nothing() {
    for what in FOREIGN {
        let dir = foreign(what);
        let before = listing(dir.path());
        let (state, sentence) = open(dir.path(), Access::Read);
        assert_eq!(count_known(&state, 0), 0, "{what}");
        assert!(sentence.is_some(), "{what}");
        assert_eq!(listing(dir.path()), before, "{what}");
    }
}

#[test]
fn a_writer_does_not_touch_what_is_not_ours_but_moves_it() {
    for what in FOREIGN {
        let dir = foreign(what);
        let mut writer = Writer::new(dir.path());
        put(&mut writer, 1);
        assert!(writer.close().is_some(), "{what}");
        assert_eq!(names(dir.path()), ["damaged"], "{what}");
    }
}

#[test]
fn places_for_what_is_damaged_do_not_clash() {
    let dir = tempfile::tempdir().unwrap();
    let mut places = std::collections::HashSet::new();
    for _ in 0..20 {
        fs::write(dir.path().join(LAYOUT.file), "junk").unwrap();
        places.insert(set_aside(&LAYOUT, dir.path()).unwrap());
    }
    assert_eq!(names(&dir.path().join("damaged")).len(), places.len());
    assert_eq!(places.len(), 20);
}

#[test]
fn a_state_that_cannot_be_moved_away_counts_as_empty() {
    let dir = with(b"junk");
    fs::write(dir.path().join("damaged"), "in the way").unwrap();
    let before = listing(dir.path());
    let (state, sentence) = open(dir.path(), Access::Write);
    assert_eq!(count_known(&state, 0), 0);
    assert!(sentence.unwrap().contains("nor moved away"));
    assert_eq!(listing(dir.path()), before);
}

/// A page that leads back to where the scan came from gives rows again and again, to a depth of
/// twenty pages: more than anybody can wait for.
#[test]
fn pages_that_go_round_in_circles_end() {
    const PAGE: usize = 4096;
    const INNER: u8 = 2;
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 2000);
    let bytes = fs::read(dir.path().join(LAYOUT.file)).unwrap();
    let cells_of =
        |page: usize| u16::from_be_bytes([bytes[page * PAGE + 3], bytes[page * PAGE + 4]]);
    let inner = (1..bytes.len() / PAGE).filter(|page| bytes[page * PAGE] == INNER);
    let inner = inner.max_by_key(|&page| cells_of(page)).unwrap();
    let (start, cells) = (inner * PAGE, cells_of(inner));
    assert!(cells > 3, "an inner page with {cells} cells");
    let mut circular = bytes.clone();
    for cell in (0..usize::from(cells)).rev() {
        let at = start + 12 + 2 * cell;
        let offset = usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        let number = u32::try_from(inner + 1).unwrap();
        circular[start + offset..start + offset + 4].copy_from_slice(&number.to_be_bytes());
        let damaged = with(&circular);
        let (state, sentence) = open(damaged.path(), Access::Write);
        assert!(sentence.is_some(), "cell {cell}");
        assert_eq!(state.rows(1).count(), 0);
    }
}
