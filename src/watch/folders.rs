//! Folders in which something may change.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use taskr_cache::{Fact, FileKind};

/// Adds the folder in which `path` stands, or would; of what is not there the nearest above.
pub(super) fn add_folder_of(folders: &mut BTreeSet<PathBuf>, path: &Path) {
    let mut above = path.ancestors().skip(1);
    let known = path.parent().is_some_and(|folder| folders.contains(folder));
    if let (false, Some(folder)) = (known, above.find(|folder| folder.is_dir())) {
        folders.insert(folder.to_owned());
    }
}

/// Adds the folders that a listing of `root` rests on.
pub(super) fn add_folders(folders: &mut BTreeSet<PathBuf>, root: &Path, why: &[(Vec<u8>, Fact)]) {
    for (path, fact) in why {
        let path = root.join(OsStr::from_bytes(path));
        match fact {
            Fact::LeadsTo(Some(stamp)) if stamp.kind() == FileKind::Dir => {
                folders.insert(path);
            }
            _ => add_folder_of(folders, &path),
        }
    }
}
