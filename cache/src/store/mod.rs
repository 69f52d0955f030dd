//! The content-addressed store: results under their keys, shared by all checkouts of a user.
//!
//! | file | what |
//! | --- | --- |
//! | `index.db` | key to [`Entry`]: which files a success left, by digest |
//! | `blobs/ab/cdef…` | contents of files, by digest, mode 0444 |
//! | `tmp/` | blobs that are being written |
//! | `lock` | see [`folder`] |
//! | `CACHEDIR.TAG` | for backup programs |
//!
//! A cache in every sense: what is lost, damaged or removed meanwhile is a miss, told by one
//! sentence at most. Nobody waits for the disk but, now and then, for the index: what a power loss
//! tore fails its digest or its sum. Knows no targets and no workspace; where a file is restored to is
//! the caller's, by descriptor.

mod admin;
mod blobs;
mod codec;
mod entry;
mod export;
mod folder;
mod grammar;
mod import;
mod incoming;
mod index;
mod inventory;
mod keeper;
mod rows;
mod saver;
mod trim;

#[cfg(test)]
mod tests;

use crate::database::Trouble;
use crate::digest::Digest;
pub use admin::{Admin, Info, Problem, StoreError, Verified};
pub use blobs::{BlobError, Blobs};
pub use entry::{Blob, Entry, Place, Stored, What};
pub use export::Exported;
use folder::{Hold, Lock};
pub use import::Imported;
use index::Index;
pub use saver::{Differing, Save, Saved, Saver};
use std::path::{Path, PathBuf};
use std::time::Duration;
pub use trim::Trimmed;

/// How long the lock is waited for when the index is opened to be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks results up. Making one touches nothing; the index is opened, to be read only, by the
/// first question. A store that is not there is empty.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    stage: Stage,
    warning: Option<String>,
}

#[derive(Debug)]
enum Stage {
    Unopened,
    Open(Index),
    /// There is none, or it cannot be read.
    Empty,
}

impl Store {
    /// The store at `dir`.
    pub fn new(dir: &Path) -> Store {
        Store { dir: dir.to_owned(), stage: Stage::Unopened, warning: None }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The entry under `key` that serves a workspace: one that is bound to no place, else one
    /// that is bound to this. `root` is the digest of the workspace's absolute path.
    pub fn lookup(&mut self, key: &Digest, root: &Digest) -> Option<Entry> {
        let kept = self.ask(|index| index.rows().serving(key, Some(root)))?;
        kept.into_iter().next().map(|kept| kept.entry)
    }

    /// The lists of paths that depfiles named in runs with this static key, newest first, at most
    /// sixteen; `root` as in [`Store::lookup`].
    pub fn lists(&mut self, static_key: &Digest, root: &Digest) -> Vec<Vec<Vec<u8>>> {
        self.ask(|index| index.rows().lists(static_key, root)).unwrap_or_default()
    }

    /// One sentence, once, if the index could not be read.
    pub fn warning(&mut self) -> Option<String> {
        self.warning.take()
    }

    /// The contents that entries name.
    pub fn blobs(&self) -> Blobs {
        Blobs::new(&self.dir)
    }

    fn ask<T>(&mut self, question: impl FnOnce(&Index) -> Result<T, Trouble>) -> Option<T> {
        if matches!(self.stage, Stage::Unopened) {
            // So that nobody moves the files away meanwhile; a store may be without it.
            let _shared = Lock::take(&self.dir, Hold::Shared, PATIENCE);
            self.stage = match Index::open_to_read(&self.dir) {
                Ok(Some(index)) => Stage::Open(index),
                Ok(None) => Stage::Empty,
                Err(trouble) => return self.give_up(trouble),
            };
        }
        let Stage::Open(index) = &self.stage else { return None };
        match question(index) {
            Ok(answer) => Some(answer),
            Err(trouble) => self.give_up(trouble),
        }
    }

    /// Nothing more is asked of an index that failed once.
    fn give_up<T>(&mut self, trouble: Trouble) -> Option<T> {
        let (place, why) = (self.dir.join(index::LAYOUT.file), trouble.into_why());
        let place = place.display();
        self.warning =
            Some(format!("the store's index {place} cannot be read ({why}) and counts as empty"));
        self.stage = Stage::Empty;
        None
    }
}
