//! Keeping within a limit: what goes, in which order, and what the totals say.

use super::*;
use crate::store::index::Index;
use crate::store::rows::Totals;

const DAY_MS: u64 = 86_400_000;

/// Changes when an entry was used last, to so many days ago.
fn unused_for(world: &World, number: usize, days: u64) {
    let mut index = Index::open_to_write(&world.dir()).unwrap();
    let used = rows::now_ms() - days * DAY_MS;
    index.change(|rows| rows.touch(&key(number), None, used)).unwrap();
    index.close();
}

fn totals(world: &World) -> Totals {
    Index::open_to_read(&world.dir()).unwrap().unwrap().rows().totals().unwrap().unwrap()
}

fn admin(world: &World, limit_bytes: u64) -> Admin {
    Admin::new(&world.dir(), Some(limit_bytes))
}

/// One entry of `kib` KiB that took `seconds`, unused for `days`.
fn add(world: &World, number: usize, kib: usize, seconds: u64, days: u64) {
    let bytes = Random(number as u64 + 1).bytes(kib * 1024);
    let mut save = world.success(number, &[("a", &bytes)]);
    save.entry.duration_ms = seconds * 1000;
    assert_eq!(world.save([save]).entries, 1);
    unused_for(world, number, days);
}

fn there(world: &World, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    numbers.into_iter().filter(|&number| world.lookup(number).is_some()).collect()
}

#[test]
fn what_saves_little_is_old_or_large_goes_first() {
    let world = World::new();
    // Worth: seconds ÷ (1 + days) ÷ KiB.
    let table = [
        (1, 100, 10, 0),  // 0.1
        (2, 100, 1, 0),   // 0.01
        (3, 100, 10, 19), // 0.005
        (4, 100, 1, 19),  // 0.0005
        (5, 400, 10, 0),  // 0.025
        (6, 100, 10, 4),  // 0.02
    ];
    for (number, kib, seconds, days) in table {
        add(&world, number, kib, seconds, days);
    }
    let order = [4, 3, 2, 6, 5, 1];
    for gone in 0..order.len() {
        let left: Vec<usize> = (1..=6).filter(|number| !order[..gone].contains(number)).collect();
        assert_eq!(there(&world, 1..=6), left, "{gone} are gone");
        // There is just too much: to come down to nine tenths, one is enough.
        let bytes = admin(&world, 0).info().unwrap().bytes;
        let trimmed = admin(&world, bytes - 1).trim().unwrap();
        assert_eq!((trimmed.entries, trimmed.blobs), (1, 1), "{gone} were gone");
        assert_eq!(trimmed.bytes + trimmed.left_bytes, bytes, "rows count, too");
        assert_eq!(trimmed.left_bytes, admin(&world, 0).info().unwrap().bytes);
    }
}

#[test]
fn within_the_limit_only_what_nothing_refers_to_goes() {
    let world = World::new();
    add(&world, 1, 10, 1, 0);
    add(&world, 2, 20, 1, 0);
    let index = Index::open_to_write(&world.dir()).unwrap();
    index.rows().remove_all(&key(2)).unwrap();
    index.close();
    assert_eq!(admin(&world, 0).info().unwrap().blobs, 2);
    let trimmed = admin(&world, 1 << 30).trim().unwrap();
    assert_eq!((trimmed.entries, trimmed.blobs, trimmed.bytes), (0, 1, 20 * 1024));
    assert_eq!(there(&world, [1, 2]), [1]);
    assert_eq!(
        admin(&world, 1 << 30).trim().unwrap(),
        Trimmed { left_bytes: trimmed.left_bytes, ..Trimmed::default() }
    );
}

#[test]
fn a_content_that_another_entry_has_stays() {
    let world = World::new();
    let shared = Random(99).bytes(100 * 1024);
    for (number, seconds) in [(1, 1), (2, 100)] {
        let mut save = world.success(number, &[("a", &shared)]);
        save.entry.duration_ms = seconds * 1000;
        world.save([save]);
    }
    add(&world, 3, 100, 100, 0);
    let trimmed = admin(&world, 200 * 1024).trim().unwrap();
    assert_eq!(there(&world, 1..=3).len(), 1, "two had to go for one content");
    assert!(trimmed.left_bytes <= 180 * 1024);
    assert!(trimmed.blobs == 1);
}

#[test]
fn a_saver_leaves_no_more_than_the_limit() {
    let world = World::new();
    let limit = 500 * 1024;
    let save = |numbers: std::ops::Range<usize>| {
        let mut saver = Saver::new(&world.dir(), Some(limit));
        for number in numbers {
            let bytes = Random(number as u64 + 1).bytes(40 * 1024);
            saver.save(world.success(number, &[("a", &bytes)]));
        }
        saver.close()
    };
    for round in 0..4 {
        let saved = save(round * 10..round * 10 + 10);
        assert_eq!((saved.entries, saved.warning), (10, None));
        let info = admin(&world, limit).info().unwrap();
        assert!(info.bytes <= limit, "{info:?}");
        assert!(info.entries >= 10, "{info:?}");
        assert_eq!(totals(&world).bytes, info.bytes, "the running total");
    }
    assert_eq!(totals(&world).stored, 40);
    let mut saver = Saver::new(&world.dir(), Some(limit));
    saver.save(world.success(100, &[("a", &[0; 600 * 1024])]));
    let saved = saver.close();
    assert_eq!((saved.entries, saved.dropped, saved.bytes), (0, 1, 0), "larger than the limit");
}

#[test]
fn totals_add_up_and_survive_their_loss() {
    let world = World::new();
    add(&world, 1, 10, 1, 0);
    let mut saver = world.saver();
    for _ in 0..3 {
        saver.used(key(1), None, 1000, 7);
    }
    saver.close();
    let found = totals(&world);
    assert_eq!((found.hits, found.saved_ms, found.stored), (3, 3000, 1));
    assert!(found.spent_ms >= 21);
    let connection = rusqlite::Connection::open(world.dir().join("index.db")).unwrap();
    connection.execute("UPDATE totals SET value = zeroblob(40)", []).unwrap();
    drop(connection);
    add(&world, 2, 10, 1, 0);
    let found = totals(&world);
    assert_eq!((found.hits, found.stored), (0, 1));
    assert_eq!(found.bytes, admin(&world, 0).info().unwrap().bytes, "counted anew");
}

#[test]
fn what_was_used_is_new_again() {
    let world = World::new();
    add(&world, 1, 100, 1, 10);
    add(&world, 2, 100, 1, 5);
    let mut saver = world.saver();
    saver.used(key(1), Some(here()), 1, 1);
    saver.close();
    admin(&world, 150 * 1024).trim().unwrap();
    assert_eq!(there(&world, [1, 2]), [1]);
}

#[test]
fn the_default_limit_is_a_tenth_of_the_disk_at_most() {
    let world = World::new();
    let limit = trim::default_limit(&world.dir());
    let disk = rustix::fs::statvfs(world.folder.path()).unwrap();
    assert!(limit <= 10_000_000_000);
    assert!(limit <= disk.f_blocks * disk.f_frsize / 10);
    assert_eq!(Admin::new(&world.dir(), None).info().unwrap().limit_bytes, limit);
    assert!(!world.dir().exists(), "looking makes no store");
}
