//! Where tasks are built once more: copies of the workspace in a folder of their own, which goes
//! when this is over.
//!
//! A copy is what a fresh clone of the working tree would be: without taskr's state, without what
//! tasks made, every file as old as the copy. Blocks are shared where the file system can.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;
use walkdir::{DirEntry, WalkDir};

use super::super::status::unix_ms;
use super::super::workspace::Workspace;
use crate::error::Error;
use crate::outdir::{STATE_DIR, remove_folder};
use crate::record;
use crate::run::Messages;
use crate::workers::Message;

/// A folder that is removed when this is dropped.
pub(super) struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// A new folder where temporary files go, which nobody else may enter.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new() -> Result<Scratch, Error> {
        let parent = std::env::temp_dir();
        let parent = parent.canonicalize().unwrap_or(parent);
        let name = format!("taskr-verify-{}-{}", std::process::id(), unix_ms());
        let dir = parent.join(name);
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|cause| io("cannot make", &dir, cause))?;
        Ok(Scratch { dir })
    }

    /// A path in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Removes a copy that is needed no more.
    pub(super) fn remove(&self, name: &str) {
        // What is left goes with the rest.
        let _ = remove_folder(&self.path(name));
    }

    /// Copies the workspace to a folder of this name. Where that is.
    ///
    /// # Errors
    /// A file cannot be read or written; a signal came.
    pub(super) fn copy(
        &self,
        workspace: &Workspace,
        name: &str,
        messages: &Messages,
    ) -> Result<PathBuf, Error> {
        let copy = Copy {
            from: &workspace.root,
            to: self.path(name),
            without: made_by_tasks(workspace),
            scratch: &self.dir,
        };
        let walk = WalkDir::new(copy.from).follow_links(false).into_iter();
        for entry in walk.filter_entry(|entry| copy.takes(entry)) {
            refuse_signal(messages)?;
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(copy.from).to_owned();
                io("cannot copy", &path, error.into())
            })?;
            copy.one(&entry).map_err(|cause| io("cannot copy", entry.path(), cause))?;
        }
        Ok(copy.to)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies where temporary files do.
        let _ = remove_folder(&self.dir);
    }
}

/// Ends what is being done if a signal came.
pub(super) fn refuse_signal(messages: &Messages) -> Result<(), Error> {
    match messages.1.try_recv() {
        Ok(Message::Signal(signal)) => Err(Error::Interrupted(signal)),
        _ => Ok(()),
    }
}

/// Outputs that the tasks of this Taskfile left, and what they set up in place.
fn made_by_tasks(workspace: &Workspace) -> FxHashSet<PathBuf> {
    let (state, names) = (workspace.state(), workspace.names());
    let own = record::read_all(&state).filter(|(id, _)| names.task(id).is_some());
    let paths = own.flat_map(|(_, record)| {
        let installs = record.installs.into_iter().map(|(path, ..)| path);
        record.outputs.into_iter().map(|file| file.path).chain(installs)
    });
    paths.map(|path| workspace.root.join(OsStr::from_bytes(&path))).collect()
}

/// One copy that is being made.
struct Copy<'c> {
    from: &'c Path,
    to: PathBuf,
    without: FxHashSet<PathBuf>,
    scratch: &'c Path,
}

impl Copy<'_> {
    fn takes(&self, entry: &DirEntry) -> bool {
        entry.file_name() != STATE_DIR
            && entry.path() != self.scratch
            && !self.without.contains(entry.path())
    }

    fn one(&self, entry: &DirEntry) -> io::Result<()> {
        let to = self.to.join(entry.path().strip_prefix(self.from).unwrap_or(entry.path()));
        let kind = entry.file_type();
        if kind.is_dir() {
            return fs::create_dir(to);
        }
        if kind.is_symlink() {
            return symlink(self.leads_to(&fs::read_link(entry.path())?), to);
        }
        // Pipes and sockets are no sources.
        if kind.is_file() { fs::copy(entry.path(), to).map(drop) } else { Ok(()) }
    }

    /// What a link of the copy says: one that leads into the workspace leads into the copy.
    fn leads_to(&self, text: &Path) -> PathBuf {
        match text.strip_prefix(self.from) {
            Ok(below) if text.is_absolute() => self.to.join(below),
            _ => text.to_owned(),
        }
    }
}

fn io(doing: &str, path: &Path, cause: io::Error) -> Error {
    Error::Io { doing: doing.to_owned(), path: path.to_owned(), cause }
}
