//! Several at once: threads, processes, one that removes beside those that add, and one that is
//! killed.

use super::*;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where a child process finds its store, and nothing else does.
const CHILD: &str = "TASKR_TEST_STORE_CHILD";

/// The content of a file of a number; each number shares one with the next.
fn content(number: usize) -> Vec<u8> {
    Random(number as u64 + 1).bytes(5_000 + number % 7 * 2_000)
}

/// The success of a number, from sources that are made once.
fn success(world: &World, number: usize) -> Save {
    let save = world.success(number, &[("own", &content(number)), ("next", &content(number + 1))]);
    Save { root: number.is_multiple_of(5).then(here), ..save }
}

/// Looks a number up and restores what is found. The bytes are right or it is a miss.
fn restore(world: &World, number: usize) -> bool {
    let mut store = world.store();
    let found = store.lookup(&key(number), &here());
    assert_eq!(store.warning(), None);
    let Some(entry) = found else { return false };
    entry.files.iter().enumerate().all(|(at, file)| {
        match world.restore(file.blob().unwrap(), false) {
            Ok((bytes, _)) => {
                assert_eq!(bytes, content(number + at));
                true
            }
            Err(BlobError::Absent) => false,
            Err(error) => panic!("{error}"),
        }
    })
}

/// All entries are whole and all contents right.
fn assert_well(world: &World) -> Verified {
    Admin::new(&world.dir(), None).verify(|problem| panic!("{problem}")).unwrap()
}

#[test]
fn removing_beside_saving_and_restoring_is_a_miss_at_worst() {
    const NUMBERS: usize = 40;
    let world = World::new();
    let successes: Vec<Save> = (0..NUMBERS).map(|number| success(&world, number)).collect();
    let stop = AtomicBool::new(false);
    let (saves, hits, misses) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    // Who saves all the time never lets anybody remove: each round waits for one removal.
    let removals = AtomicUsize::new(0);
    let mut removed = 0;
    thread::scope(|scope| {
        for first in [0, 1] {
            let (world, successes, stop, saves) = (&world, &successes, &stop, &saves);
            let removals = &removals;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let before = removals.load(Ordering::Relaxed);
                    let own = successes.iter().skip(first).step_by(2).cloned();
                    saves.fetch_add(world.save(own).entries, Ordering::Relaxed);
                    while removals.load(Ordering::Relaxed) == before
                        && !stop.load(Ordering::Relaxed)
                    {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut random = Random(0x5eed_0009);
            while !stop.load(Ordering::Relaxed) {
                let restored = restore(&world, random.below(NUMBERS));
                [&misses, &hits][usize::from(restored)].fetch_add(1, Ordering::Relaxed);
            }
        });
        let admin = Admin::new(&world.dir(), Some(100_000));
        let deadline = Instant::now() + Duration::from_secs(120);
        let many = |count: &AtomicUsize| count.load(Ordering::Relaxed) > 20;
        while !(removed > 50 && many(&saves) && many(&hits) && many(&misses))
            && Instant::now() < deadline
        {
            removed += admin.trim().map_or(0, |trimmed| trimmed.entries);
            removals.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(removed > 50, "{removed}");
    assert!(saves.into_inner() > 20 && hits.into_inner() > 20 && misses.into_inner() > 20);
    let verified = assert_well(&world);
    assert!(verified.entries > 0);
}

/// Somebody else removes what is old, and that takes long.
#[test]
fn a_saver_that_is_stopped_waits_for_nobody() {
    let world = World::new();
    let successes = [success(&world, 1), success(&world, 2)];
    world.save([successes[0].clone()]);
    let alone = Lock::take(&world.dir(), Hold::Exclusive, Duration::ZERO).unwrap();
    assert!(alone.is_some());
    let mut saver = world.saver();
    saver.save(successes[1].clone());
    saver.used(key(1), None, 5, 1);
    thread::sleep(Duration::from_millis(100));
    let told = Instant::now();
    saver.stop_early();
    let saved = saver.close();
    assert!(told.elapsed() < Duration::from_secs(10), "it has twenty: {:?}", told.elapsed());
    assert_eq!((saved.entries, saved.dropped), (0, 1));
    // Told while it waits for the end.
    let mut saver = world.saver();
    saver.save(successes[1].clone());
    let mut asked = 0;
    let saved = saver.close_unless(|| {
        asked += 1;
        asked == 3
    });
    assert_eq!((saved.entries, saved.dropped, asked), (0, 1, 3));
    drop(alone);
    assert_eq!((world.lookup(1).is_some(), world.lookup(2)), (true, None));
}

/// A large file is given up where it stands.
#[test]
fn what_is_stopped_in_the_middle_of_a_file_leaves_nothing() {
    let world = World::new();
    let large = Random(7).bytes(5_000_000);
    let save = world.success(1, &[("large", &large)]);
    world.save([save.clone()]);
    let blob = blob_of(&large);
    let to = tempfile::tempdir().unwrap();
    let folder = fs::File::open(to.path()).unwrap();
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&asked);
    let blobs = world.store().blobs();
    let blobs = blobs.unless(move || counted.fetch_add(1, Ordering::Relaxed) == 9);
    let restored = blobs.restore(&blob, false, folder.as_fd(), "new".as_ref(), &mut Vec::new());
    assert!(matches!(restored, Err(BlobError::Stopped)), "{restored:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 10, "it went on until then, and not beyond");
    assert!(!to.path().join("new").exists());
    assert_eq!(world.restore(&blob, false).unwrap().0, large, "it is no damage");
    // The other way round.
    fs::remove_file(world.blob_path(&large)).unwrap();
    let add = |stopped| {
        let stopped = AtomicBool::new(stopped);
        incoming::add(&world.dir(), &save.sources[0], &blob, &mut Vec::new(), &stopped)
    };
    assert!(matches!(add(true), Err(incoming::Refused::Source)));
    assert_eq!(world.names("tmp"), [""; 0]);
    assert!(!world.blob_path(&large).exists());
    assert_eq!(add(false).unwrap(), 5_000_000);
}

/// What a child process does: save the same as all others, again and again.
#[test]
fn as_a_child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let world = World { folder: tempfile::tempdir().unwrap() };
    fs::create_dir(world.folder.path().join("workspace")).unwrap();
    let dir = Path::new(&folder);
    loop {
        let mut saver = Saver::new(dir, Some(100_000));
        for number in 0..30 {
            saver.save(success(&world, number));
            saver.used(key(number), None, 5, 1);
        }
        let saved = saver.close();
        assert_eq!((saved.warning, saved.differing), (None, Vec::new()));
    }
}

/// A child process; one that is dropped is killed.
struct Saving(Child);

impl Saving {
    fn start(world: &World) -> Saving {
        let program = std::env::current_exe().unwrap();
        let name = "store::tests::together::as_a_child";
        let mut command = Command::new(program);
        command.args(["--exact", name]).env(CHILD, world.dir());
        Saving(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Killed at any moment, a process leaves entries that are whole and contents that are right.
#[test]
fn processes_that_are_killed_leave_a_store_that_is_well() {
    let world = World::new();
    let mut random = Random(0x5eed_000a);
    let mut children: Vec<Saving> = (0..2).map(|_| Saving::start(&world)).collect();
    let (mut killed, mut found) = (0, 0);
    for round in 0..24 {
        thread::sleep(Duration::from_millis(20 + random.below(150) as u64));
        let mut victim = children.remove(0);
        killed += usize::from(victim.0.try_wait().unwrap().is_none());
        drop(victim);
        found += (0..30).filter(|&number| restore(&world, number)).count();
        if round % 4 == 3 {
            assert_well(&world);
        }
        children.push(Saving::start(&world));
    }
    drop(children);
    assert_eq!(killed, 24, "they were alive when they were killed");
    assert!(found > 30, "{found}");
    let verified = assert_well(&world);
    assert!(verified.entries > 0);
    let trimmed = Admin::new(&world.dir(), None).trim().unwrap();
    assert_eq!((trimmed.entries, world.names("tmp")), (0, Vec::new()));
    assert_eq!(assert_well(&world).orphans, 0);
}
