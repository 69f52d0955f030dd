//! Where folders of the workspace are, where links lead there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::outdir::dir_of;

/// What was found out so far: each folder that is there is asked for once.
#[derive(Debug, Default)]
pub(super) struct Real {
    known: FxHashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Those of them that are elsewhere, and where.
    linked: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Real {
    /// Where in the workspace a folder is, if it is not where its name says.
    pub(super) fn folder(&mut self, root: &Path, folder: &[u8]) -> Option<Vec<u8>> {
        if folder.is_empty() || folder.starts_with(b"/") {
            return None;
        }
        if let Some(known) = self.known.get(folder) {
            return known.clone();
        }
        let above = self.folder(root, dir_of(folder));
        let path = root.join(OsStr::from_bytes(folder));
        let is_link = path.symlink_metadata().ok().map(|entry| entry.is_symlink());
        let real = match is_link {
            Some(true) => {
                let real = path.canonicalize().ok();
                let real = real.as_deref().and_then(|real| real.strip_prefix(root).ok());
                real.map(|real| real.as_os_str().as_bytes().to_vec())
            }
            _ => above.map(|above| joined(&above, name_of(folder))),
        };
        let real = real.filter(|real| real != folder);
        // What is not there yet may become a link.
        if is_link.is_some() {
            self.linked.extend(real.clone().map(|real| (folder.to_vec(), real)));
            self.known.insert(folder.to_vec(), real.clone());
        }
        real
    }

    /// The other names of a path, by the links to folders that were found so far.
    pub(super) fn others(&self, path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        self.linked.iter().filter_map(move |(folder, real)| {
            let below = match &real[..] {
                [] => path,
                real => path.strip_prefix(real)?.strip_prefix(b"/")?,
            };
            Some(joined(folder, below))
        })
    }

    /// Where in the workspace a path is, links on the way to it followed, if that is not where its
    /// name says. A link at its end is not followed.
    pub(super) fn path(&mut self, root: &Path, path: &[u8]) -> Option<Vec<u8>> {
        let folder = self.folder(root, dir_of(path))?;
        Some(joined(&folder, name_of(path)))
    }
}

fn name_of(path: &[u8]) -> &[u8] {
    let name = &path[dir_of(path).len()..];
    name.strip_prefix(b"/").unwrap_or(name)
}

/// A path in a folder, which may be the workspace itself.
pub(super) fn joined(folder: &[u8], rest: &[u8]) -> Vec<u8> {
    if folder.is_empty() { rest.to_vec() } else { [folder, b"/", rest].concat() }
}
