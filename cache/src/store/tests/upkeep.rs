//! Looking at the whole store, verifying and clearing it.

use super::*;
use crate::store::index::Index;

fn admin(world: &World) -> Admin {
    Admin::new(&world.dir(), None)
}

fn verify(world: &World) -> (Verified, Vec<Problem>) {
    let mut problems = Vec::new();
    let verified = admin(world).verify(|problem| problems.push(problem.clone())).unwrap();
    assert_eq!(verified.problems, problems.len());
    (verified, problems)
}

/// Three entries of two files each, one of which is in all of them.
fn world() -> World {
    let world = World::new();
    world.save((1..=3).map(|number| {
        let own = format!("content {number}");
        world.success(number, &[("a", own.as_bytes()), ("shared", b"shared")])
    }));
    world
}

#[test]
fn a_store_that_is_well_has_no_problems() {
    let world = world();
    let (verified, problems) = verify(&world);
    assert_eq!(problems, []);
    assert_eq!((verified.entries, verified.blobs, verified.bytes), (3, 4, 3 * 9 + 6));
    let info = admin(&world).info().unwrap();
    assert_eq!((info.entries, info.blobs, info.stored, info.hits), (3, 4, 3, 0));
    assert!(info.bytes > verified.bytes);
}

#[test]
fn what_is_damaged_is_told_and_removed() {
    let world = world();
    let damage = |bytes: &[u8], by: &[u8]| {
        let path = world.blob_path(bytes);
        fs::remove_file(&path).unwrap();
        fs::write(path, by).unwrap();
    };
    damage(b"content 1", b"c0ntent 1");
    fs::remove_file(world.blob_path(b"content 2")).unwrap();
    let orphan = world.blob_path(b"orphan");
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "orphan").unwrap();
    let connection = rusqlite::Connection::open(world.dir().join("index.db")).unwrap();
    connection
        .execute("UPDATE entries SET value = x'00' WHERE key = ?1", [key(3).as_bytes()])
        .unwrap();
    drop(connection);
    let (verified, mut problems) = verify(&world);
    problems.sort_by_key(ToString::to_string);
    let incomplete = || Problem::Incomplete("task".to_owned());
    let damaged = Problem::Blob(Digest::of(b"content 1"));
    assert_eq!(problems, [Problem::Row, incomplete(), incomplete(), damaged]);
    assert_eq!((verified.entries, verified.blobs), (0, 3));
    // The two contents of the entry 3, whose row is gone, and the one that was planted.
    assert_eq!((verified.orphans, verified.orphan_bytes), (3, 9 + 6 + 6));
    assert_eq!(verify(&world), (Verified { problems: 0, ..verified }, Vec::new()));
    admin(&world).trim().unwrap();
    assert_eq!(verify(&world).0, Verified::default());
}

#[test]
fn an_index_that_is_damaged_is_a_problem() {
    let world = world();
    fs::write(world.dir().join("index.db"), "hello").unwrap();
    let (verified, problems) = verify(&world);
    assert!(matches!(&problems[..], [Problem::Index(it)] if it.contains("it was moved to")));
    assert_eq!((verified.entries, verified.blobs, verified.orphans), (0, 4, 4));
    assert!(admin(&world).info().is_ok());
}

#[test]
fn clearing_leaves_nothing_but_the_folder() {
    let world = world();
    fs::write(world.dir().join("tmp/0123456789abcdef"), "by a crash").unwrap();
    fs::create_dir_all(world.dir().join("damaged/1")).unwrap();
    let mut reader = world.store();
    assert!(reader.lookup(&key(1), &here()).is_some());
    let before = admin(&world).clear().unwrap();
    assert_eq!((before.entries, before.blobs), (3, 4));
    assert_eq!(reader.lookup(&key(1), &here()), None);
    assert_eq!(verify(&world).0, Verified::default());
    assert_eq!(world.names("tmp"), [""; 0]);
    assert!(!world.dir().join("damaged").exists());
    world.save([world.success(1, &[("a", b"again")])]);
    assert!(reader.lookup(&key(1), &here()).is_some());
}

#[test]
fn what_is_damaged_is_cleared_too() {
    let world = world();
    fs::write(world.dir().join("index.db"), "hello").unwrap();
    admin(&world).clear().unwrap();
    assert_eq!(verify(&world).0, Verified::default());
}

#[test]
fn without_a_store_nothing_is_made() {
    let world = World::new();
    assert_eq!(admin(&world).trim().unwrap(), Trimmed::default());
    assert_eq!(verify(&world), (Verified::default(), Vec::new()));
    assert_eq!(admin(&world).clear().unwrap().entries, 0);
    assert_eq!(admin(&world).info().unwrap().entries, 0);
    assert_eq!(admin(&world).export(&[vec![key(1)]].into(), &mut Vec::new()).unwrap().missing, 1);
    assert!(!world.dir().exists());
}

#[test]
fn whoever_removes_waits_for_those_who_save() {
    let world = world();
    let index = Index::open_to_write(&world.dir()).unwrap();
    let take = |hold| Lock::take(&world.dir(), hold, Duration::ZERO).unwrap();
    let shared = take(Hold::Shared);
    assert!(shared.is_some() && take(Hold::Shared).is_some());
    assert!(take(Hold::Exclusive).is_none());
    drop(shared);
    let alone = take(Hold::Exclusive);
    assert!(alone.is_some() && take(Hold::Shared).is_none());
    index.close();
}
