//! The store against true files: what is saved is what is restored, whatever happens between.

mod carried;
mod damage;
mod entries;
mod limits;
mod saving;
mod together;
mod upkeep;

use super::*;
use crate::random::Random;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// A key of its own for each number.
fn key(number: usize) -> Digest {
    Digest::of(&number.to_le_bytes())
}

/// The workspace that tests look up for.
fn here() -> Digest {
    Digest::of(b"/here")
}

fn blob_of(bytes: &[u8]) -> Blob {
    Blob { digest: Digest::of(bytes), size: bytes.len() as u64 }
}

fn file(path: &str, bytes: &[u8]) -> Stored {
    let what = What::File { executable: false, blob: blob_of(bytes) };
    Stored { place: Place::Workspace, path: path.into(), published: true, what }
}

fn entry(files: Vec<Stored>) -> Entry {
    let task = "task".to_owned();
    Entry { task, files, log: None, found: None, duration_ms: 1000, ended_ms: 1_700_000_000_000 }
}

/// A store, and a folder with the files that are saved to it.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("workspace")).unwrap();
        World { folder }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("cache/store")
    }

    fn saver(&self) -> Saver {
        Saver::new(&self.dir(), None)
    }

    fn store(&self) -> Store {
        Store::new(&self.dir())
    }

    /// A success that left files with these names and contents; they are made.
    fn success(&self, number: usize, files: &[(&str, &[u8])]) -> Save {
        let mut sources = Vec::new();
        for (at, (_, bytes)) in files.iter().enumerate() {
            let source = self.folder.path().join(format!("workspace/{number}-{at}"));
            fs::write(&source, bytes).unwrap();
            sources.push(source);
        }
        let files = files.iter().map(|(path, bytes)| file(path, bytes)).collect();
        Save {
            key: key(number),
            static_key: key(number),
            root: None,
            entry: entry(files),
            sources,
            log: None,
        }
    }

    /// Saves successes and closes; all is well.
    fn save(&self, successes: impl IntoIterator<Item = Save>) -> Saved {
        let mut saver = self.saver();
        successes.into_iter().for_each(|save| saver.save(save));
        let saved = saver.close();
        assert_eq!(saved.warning, None);
        saved
    }

    fn lookup(&self, number: usize) -> Option<Entry> {
        let mut store = self.store();
        let found = store.lookup(&key(number), &here());
        assert_eq!(store.warning(), None);
        found
    }

    /// Restores one blob to a file of its own, and gives its bytes and mode.
    fn restore(&self, blob: &Blob, executable: bool) -> Result<(Vec<u8>, u32), BlobError> {
        let to = tempfile::tempdir().unwrap();
        let folder = fs::File::open(to.path()).unwrap();
        let name = OsStr::from_bytes(b"new \xff\n");
        let blobs = self.store().blobs();
        let restored = blobs.restore(blob, executable, folder.as_fd(), name, &mut Vec::new());
        let path = to.path().join(name);
        assert_eq!(path.exists(), restored.is_ok(), "nothing half done is left");
        restored.map(|()| {
            (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().permissions().mode() & 0o7777)
        })
    }

    fn blob_path(&self, bytes: &[u8]) -> PathBuf {
        folder::blob_path(&self.dir(), &Digest::of(bytes))
    }

    /// Names in a folder of the store, in order.
    fn names(&self, below: &str) -> Vec<String> {
        let found = fs::read_dir(self.dir().join(below)).unwrap();
        let mut names: Vec<_> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// What is done to a file, and what that is called.
type Fault<'f> = (&'static str, &'f dyn Fn(&Path));
