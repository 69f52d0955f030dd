//! Blobs and indices that are not what they were.

use super::*;
use std::os::unix::fs::symlink;

const CONTENT: &[u8] = b"content";

/// A store with the entry 1 of one file.
fn world() -> World {
    let world = World::new();
    world.save([world.success(1, &[("a", CONTENT)])]);
    assert_eq!(world.restore(&blob_of(CONTENT), false).unwrap().0, CONTENT);
    world
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// Puts bytes in the place of a file, whatever its mode.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_not_the_blob_is_a_miss_and_removed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let same = elsewhere.path().join("same");
    fs::write(&same, CONTENT).unwrap();
    let faults: [Fault<'_>; 8] = [
        ("gone", &|path| fs::remove_file(path).unwrap()),
        ("truncated", &|path| overwrite(path, &CONTENT[..3])),
        ("empty", &|path| overwrite(path, b"")),
        ("longer", &|path| overwrite(path, b"content and more")),
        ("flipped", &|path| overwrite(path, b"contenu")),
        ("a link to the same bytes", &|path| {
            fs::remove_file(path).unwrap();
            symlink(&same, path).unwrap();
        }),
        ("a dangling link", &|path| {
            fs::remove_file(path).unwrap();
            symlink("nowhere", path).unwrap();
        }),
        ("a pipe", &|path| {
            fs::remove_file(path).unwrap();
            fifo(path);
        }),
    ];
    for (what, fault) in faults {
        let world = world();
        let path = world.blob_path(CONTENT);
        fault(&path);
        let error = world.restore(&blob_of(CONTENT), false).unwrap_err();
        assert_eq!(matches!(error, BlobError::Absent), what == "gone", "{what}: {error}");
        assert!(fs::symlink_metadata(&path).is_err(), "{what}");
        assert_eq!(fs::read(&same).unwrap(), CONTENT);
        world.save([world.success(1, &[("a", CONTENT)])]);
        assert_eq!(world.restore(&blob_of(CONTENT), false).unwrap().0, CONTENT, "{what}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_blob_is_a_miss_and_removed() {
    let world = world();
    let path = world.blob_path(CONTENT);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(world.restore(&blob_of(CONTENT), false), Err(BlobError::Damaged)));
    assert!(!path.exists());
    fs::create_dir_all(path.join("beneath")).unwrap();
    let mut problems = 0;
    Admin::new(&world.dir(), None).verify(|_| problems += 1).unwrap();
    assert_eq!((problems, path.exists()), (2, false), "the content, and the entry without it");
}

#[test]
fn a_file_that_has_the_name_is_not_touched() {
    let world = world();
    let to = tempfile::tempdir().unwrap();
    let folder = fs::File::open(to.path()).unwrap();
    fs::write(to.path().join("mine"), "mine").unwrap();
    symlink("target", to.path().join("link")).unwrap();
    let blobs = world.store().blobs();
    for name in ["mine", "link"] {
        let restored =
            blobs.restore(&blob_of(CONTENT), false, folder.as_fd(), name.as_ref(), &mut Vec::new());
        assert!(matches!(restored, Err(BlobError::Io(_))), "{name}");
    }
    assert_eq!(fs::read_to_string(to.path().join("mine")).unwrap(), "mine");
    assert!(!to.path().join("target").exists());
    assert!(fs::symlink_metadata(to.path().join("link")).unwrap().is_symlink());
}

/// How many entries the index of [`base`] has.
const ENTRIES: usize = 40;

/// What the entry of a number is.
fn expected(number: usize) -> Entry {
    let names: Vec<String> =
        (0..number % 9).map(|at| format!("folder {at}/file {number}")).collect();
    let files = names.iter().map(|name| file(name, CONTENT)).collect();
    let list = names.iter().map(|name| format!("include/{name}.h").into_bytes()).collect();
    Entry { found: Some(list), ended_ms: number as u64, ..entry(files) }
}

/// A store with an index of a dozen pages, and that index as bytes.
fn base() -> (World, Vec<u8>) {
    let world = left();
    Index::open_to_write(&world.dir()).unwrap().close();
    let bytes = fs::read(world.dir().join(index::LAYOUT.file)).unwrap();
    (world, bytes)
}

/// The same store as it is left behind a run: what was committed last lies beside the index.
fn left() -> World {
    let world = World::new();
    let source = world.folder.path().join("workspace/source");
    fs::write(&source, CONTENT).unwrap();
    world.save((0..ENTRIES).map(|number| {
        let entry = expected(number);
        let sources = vec![source.clone(); entry.files.len()];
        Save { entry, sources, static_key: key(1000), ..world.success(number, &[]) }
    }));
    world
}

/// Puts these bytes in the place of the index.
fn put_index(world: &World, bytes: &[u8]) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(world.dir().join(format!("index.db{suffix}")));
    }
    fs::write(world.dir().join(index::LAYOUT.file), bytes).unwrap();
}

/// Puts the one content there that all entries have: a trim of an index that lost them removed it.
fn put_blob(world: &World) {
    world.save([world.success(3000, &[("a", CONTENT)])]);
}

/// How many entries are found; all of them are what was saved under their key. And whether the
/// reader said something.
fn count_right(world: &World) -> (usize, bool) {
    let mut store = world.store();
    let found = |number: &usize| {
        let found = store.lookup(&key(*number), &here());
        assert!(found.is_none() || found == Some(expected(*number)), "{number}");
        found.is_some()
    };
    let count = (0..ENTRIES).filter(found).count();
    for list in store.lists(&key(1000), &key(0)) {
        assert!((0..ENTRIES).any(|number| expected(number).found.as_ref() == Some(&list)));
    }
    (count, store.warning().is_some())
}

/// Whatever stood there, a run that saves leaves a store that is well.
fn assert_recovers(world: &World) {
    let saving = || {
        let mut saver = world.saver();
        saver.save(world.success(2000, &[("a", CONTENT)]));
        saver.used(key(3), None, 1, 1);
        saver.close()
    };
    let saved = saving();
    if saved.entries == 0 {
        assert!(saved.warning.is_some());
        assert_eq!(saving().warning, None);
    }
    assert!(!count_right(world).1, "nothing is to be told");
    assert!(world.lookup(2000).is_some());
}

#[test]
fn every_truncation_of_the_index_is_a_miss_and_told() {
    let (world, bytes) = base();
    assert!(bytes.len() > 8 * 4096, "{}", bytes.len());
    assert_eq!(count_right(&world), (ENTRIES, false));
    let mut told = 0;
    let lengths = (0..8192).step_by(61).chain((8192..bytes.len()).step_by(1999));
    for (round, length) in lengths.enumerate() {
        put_index(&world, &bytes[..length]);
        let (count, warned) = count_right(&world);
        assert!(length == 0 || warned || count > 0, "{length}");
        told += usize::from(warned);
        if round % 16 == 0 {
            assert_recovers(&world);
        }
    }
    assert!(told > 100, "{told}");
}

#[test]
fn five_hundred_flipped_bits_give_no_wrong_entry() {
    let (world, bytes) = base();
    let mut random = Random(0x5eed_0007);
    let (mut told, mut fewer, mut mended) = (0, 0, 0);
    for round in 0..500 {
        let mut damaged = bytes.clone();
        let bit = random.below(bytes.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        put_index(&world, &damaged);
        let (count, warned) = count_right(&world);
        told += usize::from(warned);
        fewer += usize::from(count < ENTRIES);
        if round % 20 == 0 {
            assert_recovers(&world);
        }
        if round % 10 == 5 {
            // Whatever it was, verifying mends it.
            let admin = Admin::new(&world.dir(), None);
            let verified = admin.verify(|_| ()).unwrap();
            mended += verified.problems;
            assert_eq!(admin.verify(|_| ()).unwrap().problems, 0);
            assert_eq!(count_right(&world), (verified.entries, false));
            admin.trim().unwrap();
            put_blob(&world);
        }
    }
    assert!(told > 0 && fewer > 100 && mended > 10, "{told} {fewer} {mended}");
}

#[test]
fn flipped_bits_beside_the_index_give_no_wrong_entry() {
    let world = left();
    let names = ["index.db", "index.db-wal"].map(|name| world.dir().join(name));
    let [whole, beside] = names.each_ref().map(|path| fs::read(path).unwrap());
    assert!(beside.len() > 8 * 4096, "{}", beside.len());
    let mut random = Random(0x5eed_0008);
    let mut fewer = 0;
    for round in 0..200 {
        let mut damaged = beside.clone();
        let bit = random.below(beside.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        put_index(&world, &whole);
        fs::write(&names[1], &damaged).unwrap();
        fewer += usize::from(count_right(&world).0 < ENTRIES);
        if round % 20 == 0 {
            assert_recovers(&world);
        }
    }
    assert!(fewer > 100, "{fewer}");
}

#[test]
fn an_index_that_is_not_ours_is_moved_aside_and_blobs_are_used_again() {
    let alter = |sql: &'static str| {
        move |path: &Path| rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap()
    };
    let faults: [Fault<'_>; 8] = [
        ("garbage", &|path| overwrite(path, &[0xa5; 9000])),
        ("text", &|path| overwrite(path, b"hello")),
        ("a newer version", &alter("PRAGMA user_version = 2")),
        ("another program's", &alter("PRAGMA application_id = 7")),
        ("a table more", &alter("CREATE TABLE more(x)")),
        ("a trigger", &alter("CREATE TRIGGER t AFTER INSERT ON totals BEGIN SELECT 1; END")),
        ("a pipe", &|path| {
            fs::remove_file(path).unwrap();
            fifo(path);
        }),
        ("a folder", &|path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (what, fault) in faults {
        let world = world();
        fault(&world.dir().join(index::LAYOUT.file));
        let mut store = world.store();
        assert_eq!(store.lookup(&key(1), &here()), None, "{what}");
        assert!(store.warning().unwrap().contains("counts as empty"), "{what}");
        assert_eq!(store.warning(), None, "told once");
        let mut saver = world.saver();
        saver.save(world.success(1, &[("a", CONTENT)]));
        let saved = saver.close();
        assert!(saved.warning.unwrap().contains("it was moved to"), "{what}");
        assert_eq!((saved.entries, saved.bytes), (1, 0), "{what}: the blob is used again");
        assert_eq!(world.names("damaged").len(), 1, "{what}");
        assert!(world.lookup(1).is_some(), "{what}");
    }
}

/// What belongs to another user may have been made to harm this one.
#[test]
fn what_belongs_to_another_user_is_a_miss_and_stays() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested: only root can give files away");
        return;
    }
    let world = world();
    let blob = world.blob_path(CONTENT);
    std::os::unix::fs::chown(&blob, Some(12345), None).unwrap();
    assert!(matches!(world.restore(&blob_of(CONTENT), false), Err(BlobError::Absent)));
    assert!(blob.exists());
    world.save([world.success(2, &[("a", CONTENT)])]);
    assert_eq!(world.restore(&blob_of(CONTENT), false).unwrap().0, CONTENT, "it was replaced");
    std::os::unix::fs::chown(world.dir().join("index.db"), Some(12345), None).unwrap();
    let mut store = world.store();
    assert_eq!(store.lookup(&key(1), &here()), None);
    assert!(store.warning().unwrap().contains("belongs to another user"));
    let mut saver = world.saver();
    saver.save(world.success(3, &[]));
    let saved = saver.close();
    assert!(saved.warning.unwrap().contains("belongs to another user"));
    assert_eq!((saved.entries, saved.dropped), (0, 1));
}

#[test]
fn a_store_that_cannot_be_made_is_one_sentence() {
    let world = World::new();
    fs::write(world.folder.path().join("cache"), "in the way").unwrap();
    let mut saver = world.saver();
    (0..3).for_each(|number| saver.save(world.success(number, &[])));
    saver.flush();
    let saved = saver.close();
    assert!(saved.warning.unwrap().contains("the rest of this run is not stored"));
    assert_eq!((saved.entries, saved.dropped), (0, 3));
    assert_eq!(world.lookup(1), None);
}

#[test]
fn a_store_that_is_removed_meanwhile_begins_anew() {
    let world = World::new();
    let mut saver = world.saver();
    saver.save(world.success(1, &[("a", CONTENT)]));
    saver.flush();
    fs::remove_dir_all(world.dir()).unwrap();
    saver.save(world.success(2, &[("a", CONTENT)]));
    let saved = saver.close();
    assert_eq!((saved.entries, saved.warning), (2, None));
    assert_eq!(world.lookup(1), None);
    assert!(world.lookup(2).is_some());
    assert_eq!(world.restore(&blob_of(CONTENT), false).unwrap().0, CONTENT);
}

#[test]
fn what_a_crash_left_in_tmp_is_swept() {
    let world = world();
    let left = world.dir().join("tmp/0123456789abcdef");
    fs::write(&left, "half a blob").unwrap();
    world.store().lookup(&key(1), &here());
    assert!(left.exists());
    let held = Lock::take(&world.dir(), Hold::Shared, Duration::ZERO);
    world.save([world.success(2, &[])]);
    assert!(left.exists(), "it may be that of another process that is saving");
    drop(held);
    world.save([world.success(3, &[])]);
    assert!(!left.exists());
}
