//! The Taskfiles and manifests that a build was made from, and the folders of its packages.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use taskr_cache::Digest;

use super::Looked;
use super::folders::{add_folder_of, add_folders};
use crate::files::open_regular;
use crate::outcome::Change;
use crate::packages::{folders_of, why_of_folders};
use crate::parse::{Include, LARGEST_BYTES};

/// What was read to make a graph.
#[derive(Debug, Default)]
pub struct Sources {
    root: PathBuf,
    /// What each file held, by its absolute path; none where there was none.
    files: BTreeMap<PathBuf, Option<Digest>>,
    include: Vec<Include>,
    /// The folders that `include` meant.
    folders: Vec<String>,
}

impl Sources {
    /// Of the workspace `root`: files with what they held, and its packages' folders.
    pub fn new(
        root: &Path,
        files: impl Iterator<Item = (PathBuf, Option<Digest>)>,
        (include, folders): (&[Include], Vec<String>),
    ) -> Sources {
        let (root, include) = (root.to_owned(), include.to_vec());
        Sources { root, files: files.collect(), include, folders }
    }

    /// Something is wrong with a file, which held this.
    pub fn note(&mut self, path: PathBuf, held: &[u8]) {
        self.files.insert(path, Some(Digest::of(held)));
    }

    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    pub(super) fn look(&mut self, looked: &mut Looked) {
        for (path, was) in &mut self.files {
            add_folder_of(&mut looked.folders, path);
            let now = digest_of(path);
            let change = match (&was, &now) {
                _ if *was == now => continue,
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                _ => Change::Content,
            };
            let shown = path.strip_prefix(&self.root).unwrap_or(path);
            looked.add(shown.as_os_str().as_bytes(), change);
            *was = now;
        }
        if self.include.is_empty() {
            return;
        }
        let why = why_of_folders(&self.include, &self.root).unwrap_or_default();
        add_folders(&mut looked.folders, &self.root, &why);
        let Some(now) = folders_of(&self.include, &self.root) else { return };
        for new in now.iter().filter(|folder| !self.folders.contains(folder)) {
            looked.add(new.as_bytes(), Change::Added);
        }
        for gone in self.folders.iter().filter(|folder| !now.contains(folder)) {
            looked.add(gone.as_bytes(), Change::Removed);
        }
        self.folders = now;
    }
}

/// Of all that a Taskfile may hold; none if there is no file that can be read.
fn digest_of(path: &Path) -> Option<Digest> {
    let most = u64::try_from(LARGEST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    open_regular(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(Digest::of(&bytes))
}
