//! What lies in a folder, as far as it says which tools are used: names, and the beginnings of
//! files.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::files::open_regular;

/// No more files are looked at.
const MOST_FILES: usize = 20_000;

/// Of a file no more is read, in bytes.
const MOST_READ: u64 = 1 << 20;

/// Folders of what tools made or brought.
pub(super) const NOT_OURS: [&str; 8] =
    ["node_modules", "target", "build", "dist", "vendor", "venv", "__pycache__", "third_party"];

/// See [`Found::in_folder`].
pub(super) struct Found {
    folder: PathBuf,
    /// Regular files, relative, in order; without those in hidden folders and in [`NOT_OURS`].
    pub(super) files: Vec<String>,
}

impl Found {
    /// Looks around in a folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn in_folder(folder: &Path) -> io::Result<Found> {
        fs::read_dir(folder)?;
        let hidden = |name: &str| name.starts_with('.');
        let ours = |entry: &DirEntry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0
                || !entry.file_type().is_dir()
                || !(hidden(&name) || NOT_OURS.contains(&&*name))
        };
        let walk = WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(ours);
        let files = walk.flatten().filter(|entry| entry.file_type().is_file());
        let names = files
            .filter_map(|entry| Some(entry.path().strip_prefix(folder).ok()?.to_str()?.to_owned()));
        // These would be taken for expressions.
        let names = names.filter(|name| !name.contains("{{"));
        Ok(Found { folder: folder.to_owned(), files: names.take(MOST_FILES).collect() })
    }

    /// Whether the file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.folder.join(path).is_file()
    }

    /// Whether a file has this ending.
    pub(super) fn any(&self, ending: &str) -> bool {
        self.files.iter().any(|file| file.ends_with(ending))
    }

    /// What a file holds; empty if it cannot be read.
    pub(super) fn text(&self, path: &str) -> String {
        let mut bytes = Vec::new();
        let file = open_regular(&self.folder.join(path)).ok();
        let _ = file.map(|file| file.take(MOST_READ).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The name of the folder, if a file may be called so.
    pub(super) fn name(&self) -> Option<String> {
        let folder = self.folder.canonicalize().ok()?;
        let name = folder.file_name()?.to_str()?.to_owned();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        name.bytes().all(allowed).then_some(name)
    }
}
