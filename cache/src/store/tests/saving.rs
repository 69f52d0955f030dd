//! Saving and restoring when nothing goes wrong, and what is not stored.

use super::*;
use std::os::unix::fs::symlink;
use std::thread;

/// A random set of outputs, with the bytes of each file.
fn random_tree(random: &mut Random) -> Vec<(Stored, Option<Vec<u8>>)> {
    let mut tree = Vec::new();
    for number in 0..random.below(7) {
        let length = random.below(20);
        let mut name = random.bytes(length);
        name.retain(|byte| ![0, b'/'].contains(byte));
        let path = [format!("{number}/").into_bytes(), name, b"x".to_vec()].concat();
        let place = [Place::Workspace, Place::Out][random.below(2)];
        let published = random.below(2) == 0;
        let (what, bytes) = match random.below(6) {
            0 => (What::Folder, None),
            1 => (What::Link(b"../some where/\xfe".to_vec()), None),
            kind => {
                let size = [0, 1, 300, 5000, 128 * 1024, 300_000][random.below(6)];
                let bytes = random.bytes(size);
                (What::File { executable: kind == 2, blob: blob_of(&bytes) }, Some(bytes))
            }
        };
        tree.push((Stored { place, path, published, what }, bytes));
    }
    tree
}

#[test]
fn random_trees_come_back_byte_for_byte() {
    let world = World::new();
    let mut random = Random(0x5eed_0005);
    let trees: Vec<_> = (0..500).map(|_| random_tree(&mut random)).collect();
    let mut saver = world.saver();
    let mut expected = Vec::new();
    for (number, tree) in trees.iter().enumerate() {
        let mut save = world.success(number, &[]);
        for (at, (stored, bytes)) in tree.iter().enumerate() {
            save.entry.files.push(stored.clone());
            if let Some(bytes) = bytes {
                let source = world.folder.path().join(format!("workspace/{number}-{at}"));
                fs::write(&source, bytes).unwrap();
                save.sources.push(source);
            }
        }
        expected.push(save.entry.clone());
        saver.save(save);
    }
    let saved = saver.close();
    assert_eq!((saved.entries, saved.dropped, saved.warning), (500, 0, None));
    let mut files = 0;
    for (number, tree) in trees.iter().enumerate() {
        let found = world.lookup(number);
        assert_eq!(found.as_ref(), Some(&expected[number]), "{number}");
        for (stored, bytes) in tree {
            if let (What::File { executable, blob }, Some(bytes)) = (&stored.what, bytes) {
                let (restored, mode) = world.restore(blob, *executable).unwrap();
                assert_eq!(restored, *bytes, "{number}");
                let allowed = if *executable { 0o777 } else { 0o666 };
                assert_eq!(mode & !allowed, 0, "{mode:o}");
                assert_eq!(mode & 0o111 != 0, *executable, "{mode:o}");
                assert_eq!(mode & 0o600, 0o600, "{mode:o}");
                files += 1;
            }
        }
    }
    assert!(files > 800, "{files}");
}

#[test]
fn a_store_that_is_not_there_is_empty_and_stays_so() {
    let world = World::new();
    let mut store = world.store();
    assert_eq!(store.lookup(&key(1), &here()), None);
    assert_eq!(store.lists(&key(1), &key(0)), Vec::<Vec<Vec<u8>>>::new());
    assert_eq!(store.warning(), None);
    assert_eq!(world.saver().close(), Saved::default());
    assert!(!world.dir().parent().unwrap().exists());
}

#[test]
fn the_folder_is_for_this_user_alone_and_no_backup() {
    let world = World::new();
    world.save([world.success(1, &[("a", b"content")])]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.dir()), 0o700);
    assert_eq!(mode(&world.blob_path(b"content")) & !0o444, 0);
    let tag = fs::read_to_string(world.dir().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    let names =
        ["CACHEDIR.TAG", "blobs", "index.db", "index.db-shm", "index.db-wal", "lock", "tmp"];
    assert_eq!(world.names("."), names);
    assert_eq!(world.names("tmp"), [""; 0]);
}

#[test]
fn an_entry_that_is_bound_serves_its_place_alone() {
    let world = World::new();
    let mut bound = world.success(1, &[("a", b"of here")]);
    bound.root = Some(here());
    let mut elsewhere = world.success(1, &[("a", b"elsewhere")]);
    elsewhere.root = Some(Digest::of(b"/elsewhere"));
    fs::write(&bound.sources[0], "of here").unwrap();
    world.save([bound.clone()]);
    fs::write(&elsewhere.sources[0], "elsewhere").unwrap();
    world.save([elsewhere.clone()]);
    assert_eq!(world.lookup(1), Some(bound.entry));
    let mut store = world.store();
    assert_eq!(store.lookup(&key(1), &Digest::of(b"/elsewhere")), Some(elsewhere.entry));
    assert_eq!(store.lookup(&key(1), &Digest::of(b"/third")), None);
    let free = world.success(1, &[("a", b"anywhere")]);
    world.save([free.clone()]);
    assert_eq!(world.lookup(1), Some(free.entry.clone()));
    assert_eq!(store.lookup(&key(1), &Digest::of(b"/third")), Some(free.entry));
}

#[test]
fn a_log_is_kept_unless_it_is_empty() {
    let world = World::new();
    let log = world.folder.path().join("log");
    for (number, text) in [(1, ""), (2, "warning: \x1b[1mbold\n")] {
        fs::write(&log, text).unwrap();
        let mut save = world.success(number, &[]);
        save.log = Some(log.clone());
        world.save([save]);
    }
    assert_eq!(world.lookup(1).unwrap().log, None);
    let blob = world.lookup(2).unwrap().log.unwrap();
    let copy = world.folder.path().join("copy");
    fs::write(&copy, "before ").unwrap();
    let mut to = fs::OpenOptions::new().append(true).open(&copy).unwrap();
    world.store().blobs().copy_to(&blob, &mut to, &mut Vec::new()).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), "before warning: \x1b[1mbold\n");
    assert!(world.store().blobs().copy_to(&blob_of(b"none"), &mut to, &mut Vec::new()).is_err());
}

#[test]
fn lists_of_depfiles_come_newest_first_and_once() {
    let world = World::new();
    let list = |number: usize| vec![format!("h{number}").into_bytes(), b"/usr/include/x".to_vec()];
    let successes = (0..40).map(|number| {
        let mut save = world.success(number, &[]);
        save.static_key = key(999);
        save.entry.found = Some(list(number / 2));
        save.entry.ended_ms = number as u64;
        save
    });
    let without = world.success(41, &[]);
    world.save(successes.chain([Save { static_key: key(999), ..without }]));
    let newest: Vec<_> = (4..20).rev().map(list).collect();
    assert_eq!(world.store().lists(&key(999), &key(0)), newest);
    assert_eq!(world.store().lists(&key(998), &key(0)), Vec::<Vec<Vec<u8>>>::new());
}

#[test]
fn a_file_that_is_no_longer_what_it_was_is_not_stored() {
    let world = World::new();
    let fifo = |path: &Path| {
        let mode = rustix::fs::Mode::from(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let changes: [Fault<'_>; 8] = [
        ("other bytes", &|path| fs::write(path, "CONTENT").unwrap()),
        ("longer", &|path| fs::write(path, "content and more").unwrap()),
        ("shorter", &|path| fs::write(path, "cont").unwrap()),
        ("gone", &|path| fs::remove_file(path).unwrap()),
        ("a folder", &|path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a link to the same", &|path| {
            fs::rename(path, path.with_extension("moved")).unwrap();
            symlink(path.with_extension("moved"), path).unwrap();
        }),
        ("a pipe", &|path| {
            fs::remove_file(path).unwrap();
            fifo(path);
        }),
        ("no longer there, nor its folder", &|path| {
            fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }),
    ];
    for (number, (what, change)) in changes.into_iter().enumerate() {
        let save = world.success(number, &[("first", b"whole"), ("second", b"content")]);
        change(&save.sources[1]);
        let saved = world.save([save]);
        assert_eq!((saved.entries, saved.dropped), (0, 1), "{what}");
        assert_eq!(world.lookup(number), None, "{what}");
        assert!(!world.blob_path(b"content").exists(), "{what}");
        assert_eq!(world.names("tmp"), [""; 0], "{what}");
    }
}

#[test]
fn what_breaks_the_rules_is_not_stored() {
    let world = World::new();
    let mut absolute = world.success(1, &[]);
    let what = What::Link(b"/etc/passwd".to_vec());
    let (place, path) = (Place::Workspace, b"link".to_vec());
    absolute.entry.files.push(Stored { place, path, published: false, what });
    let mut without_source = world.success(2, &[("a", b"content")]);
    without_source.sources.clear();
    let saved = world.save([absolute, without_source, world.success(3, &[])]);
    assert_eq!((saved.entries, saved.dropped), (1, 2));
    assert_eq!((world.lookup(1), world.lookup(2)), (None, None));
    assert!(world.lookup(3).is_some());
}

#[test]
fn the_later_of_two_results_stays_and_that_they_differ_is_told() {
    let world = World::new();
    let first = world.success(1, &[("same", b"1"), ("differs", b"1"), ("only first", b"1")]);
    let second = world.success(1, &[("same", b"1"), ("differs", b"2"), ("only second", b"1")]);
    for apart in [true, false] {
        let world = World::new();
        // The sources have the same names; each is saved while they hold its own contents.
        let sources = |save: &Save, contents: [&str; 3]| {
            let dir = tempfile::tempdir().unwrap();
            let write = |(at, text): (usize, &&str)| {
                let path = dir.path().join(at.to_string());
                fs::write(&path, text).unwrap();
                path
            };
            let sources = contents.iter().enumerate().map(write).collect();
            (Save { sources, ..save.clone() }, dir)
        };
        let (one, _one_dir) = sources(&first, ["1", "1", "1"]);
        let (other, _other_dir) = sources(&second, ["1", "2", "1"]);
        let saved = if apart {
            assert_eq!(world.save([one]).differing, []);
            world.save([other])
        } else {
            world.save([one, other])
        };
        let paths = [&b"differs"[..], b"only first", b"only second"].map(<[u8]>::to_vec).to_vec();
        let expected = Differing { key: key(1), task: "task".to_owned(), paths };
        assert_eq!(saved.differing, [expected], "apart: {apart}");
        assert_eq!(world.lookup(1), Some(second.entry.clone()));
    }
}

#[test]
fn the_same_again_is_neither_stored_nor_told() {
    let world = World::new();
    let save = world.success(1, &[("a", b"content")]);
    assert_eq!(world.save([save.clone()]).entries, 1);
    let again = world.save([save.clone(), save.clone()]);
    let expected = Saved { spent_ms: again.spent_ms, ..Saved::default() };
    assert_eq!(again, expected);
    fs::remove_file(world.blob_path(b"content")).unwrap();
    assert_eq!(world.save([save]).bytes, 7, "a blob that was lost is put back");
    assert!(world.blob_path(b"content").exists());
}

#[test]
fn what_is_flushed_is_found_and_what_is_broken_is_gone() {
    let world = World::new();
    let mut saver = world.saver();
    saver.save(world.success(1, &[("a", b"content")]));
    saver.flush();
    assert!(world.lookup(1).is_some());
    saver.broken(key(1));
    saver.flush();
    assert_eq!(world.lookup(1), None);
    saver.save(world.success(1, &[("a", b"other")]));
    assert_eq!(saver.close().entries, 2);
    assert!(world.lookup(1).is_some());
}

/// What is restored in the place of what was broken is no second result.
#[test]
fn what_was_broken_is_not_held_against_what_comes_next() {
    let world = World::new();
    world.save([world.success(1, &[("a", b"content")])]);
    let mut saver = world.saver();
    saver.broken(key(1));
    saver.save(world.success(1, &[("a", b"another")]));
    let saved = saver.close();
    assert_eq!((saved.entries, saved.differing), (1, Vec::new()));
    assert_eq!(world.lookup(1).unwrap().files, [file("a", b"another")]);
}

#[test]
fn the_same_from_a_later_run_is_as_young_as_that() {
    let world = World::new();
    let at = |ended_ms| {
        let mut save = world.success(1, &[("a", b"content")]);
        save.entry.ended_ms = ended_ms;
        save
    };
    for (ended_ms, expected) in [(5, 5), (9, 9), (7, 9)] {
        world.save([at(ended_ms)]);
        assert_eq!(world.lookup(1).unwrap().ended_ms, expected);
    }
    assert_eq!(Admin::new(&world.dir(), None).info().unwrap().stored, 1);
}

#[test]
fn after_a_signal_what_waits_is_dropped() {
    let world = World::new();
    let mut saver = world.saver();
    saver.save(world.success(0, &[("a", b"content")]));
    saver.flush();
    saver.stop_early();
    (1..50).for_each(|number| saver.save(world.success(number, &[("a", b"other")])));
    let saved = saver.close();
    assert_eq!((saved.entries, saved.dropped), (1, 49));
    assert!(world.lookup(0).is_some());
    assert_eq!(world.lookup(1), None);
}

#[test]
fn many_savers_at_once_store_the_same_once() {
    let world = World::new();
    let successes: Vec<Save> = (0..60)
        .map(|number| {
            let own = format!("content {number}");
            world.success(number, &[("a", own.as_bytes()), ("shared", b"shared")])
        })
        .collect();
    let saved: Vec<Saved> = thread::scope(|scope| {
        let savers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| world.save(successes.clone()))).collect();
        savers.into_iter().map(|saver| saver.join().unwrap()).collect()
    });
    assert_eq!(saved.iter().map(|saved| saved.entries).sum::<usize>(), 60);
    assert!(saved.iter().all(|saved| saved.differing.is_empty() && saved.dropped == 0));
    assert!((0..60).all(|number| world.lookup(number) == Some(successes[number].entry.clone())));
    assert_eq!(world.names("tmp"), [""; 0]);
}
