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
fn a_folder_in_the_place_of_a_blob_is_a_miss() {
    let world = world();
    let path = world.blob_path(CONTENT);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(world.restore(&blob_of(CONTENT), false), Err(BlobError::Damaged)));
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
