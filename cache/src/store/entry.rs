//! What one success left, as the store keeps it: the values, without their bytes on disk.

use crate::digest::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// What one success left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which task it was, for people.
    pub task: String,
    /// Declared outputs in their order, then the rest of `out/`.
    pub files: Vec<Stored>,
    /// What the command wrote to its standard output and error; `None` if that was nothing.
    pub log: Option<Blob>,
    /// The paths that the depfile of that run named, but for declared ones; `None` if the task
    /// has no depfile.
    pub found: Option<Vec<Vec<u8>>>,
    /// How long the command took, in milliseconds.
    pub duration_ms: u64,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: u64,
}

/// One output of a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What the path is relative to.
    pub place: Place,
    /// Relative, without `.` and `..`.
    pub path: Vec<u8>,
    /// Whether taskr put it there from `out/`; else the command wrote it in place, or it is in
    /// `out/` still.
    pub published: bool,
    /// What stood there.
    pub what: What,
}

/// Where a stored file belongs.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the workspace.
    Workspace,
    /// In the task's own `out/`.
    Out,
}

/// What stood at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// Its content.
        blob: Blob,
    },
    /// A symbolic link with this text.
    Link(Vec<u8>),
    /// An empty folder.
    Folder,
}

/// The content of one file, by name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Of the content.
    pub digest: Digest,
    /// Of the content, in bytes.
    pub size: u64,
}

impl Entry {
    /// The contents it consists of, that of the log last; one that several files share is named
    /// for each.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.files.iter().filter_map(Stored::blob).chain(&self.log)
    }

    /// The paths at which two entries hold something else, or only one of them holds anything.
    pub(super) fn differing(&self, other: &Entry) -> Vec<Vec<u8>> {
        let (first, second) = (self.by_path(), other.by_path());
        let both = first.keys().chain(second.keys());
        let differing = both.filter(|key| first.get(key) != second.get(key));
        let paths: BTreeSet<_> = differing.map(|(_, path)| path.to_vec()).collect();
        paths.into_iter().collect()
    }

    fn by_path(&self) -> BTreeMap<(Place, &[u8]), &What> {
        self.files.iter().map(|file| ((file.place, &file.path[..]), &file.what)).collect()
    }
}

impl Stored {
    /// The content, if it is a file.
    pub fn blob(&self) -> Option<&Blob> {
        match &self.what {
            What::File { blob, .. } => Some(blob),
            What::Link(_) | What::Folder => None,
        }
    }
}
