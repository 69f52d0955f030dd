//! Questions about the files at an output, and moves of one: what both [`super::standing`] and
//! [`super::collected`] ask of the disk.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use taskr_cache::{FileKind, HashError, Seen, hash_at};

use super::attempt::Stop;
use super::job::Declared;
use crate::files::{Ignored, Pattern, list, list_tree};
use crate::graph::Output;
use crate::outcome::{Made, shown};
use crate::outdir::{Root, below, dir_of};

/// What a step of an attempt comes to.
pub(super) type Step<T> = Result<T, Stop>;

/// Files and links that stand at a declared output now. None where they cannot be listed.
pub fn standing_at(root: &Root, output: &Output) -> Vec<Vec<u8>> {
    look_at(root, output).unwrap_or_default()
}

pub(super) fn look_at(root: &Root, output: &Output) -> Step<Vec<Vec<u8>>> {
    let path = match output {
        Output::Glob(pattern) => return matches_in_place(root, pattern),
        Output::Path(path) => path,
    };
    match look(root, path)? {
        None => Ok(Vec::new()),
        Some(seen) if seen.link.kind() == FileKind::Dir => {
            let files = list_tree(root.path(), path).map_err(|e| Stop::io("list", path, &e))?;
            Ok(files.into_iter().filter(|(_, folder)| !folder).map(|(path, _)| path).collect())
        }
        Some(_) => Ok(vec![path.clone()]),
    }
}

fn matches_in_place(root: &Root, pattern: &Pattern) -> Step<Vec<Vec<u8>>> {
    let failed = |e: io::Error| Stop::io("list", pattern.text(), &e);
    if pattern.base().is_empty() {
        return list(root.path(), pattern, &[], &Ignored::default()).map_err(failed);
    }
    if look(root, pattern.base())?.is_none() {
        return Ok(Vec::new());
    }
    let files = list_tree(root.path(), pattern.base()).map_err(failed)?;
    let files = files.into_iter().filter(|(path, folder)| !folder && pattern.matches_all(path));
    Ok(files.map(|(path, _)| path).collect())
}

pub(super) fn is_dir(root: &Root, path: &[u8]) -> bool {
    look(root, path).is_ok_and(|seen| seen.is_some_and(|seen| seen.link.kind() == FileKind::Dir))
}

/// What lies at a path.
pub(super) struct Digested {
    pub(super) made: Made,
    pub(super) seen: Seen,
    /// Whether `needle` occurs in it.
    pub(super) found: bool,
}

/// What lies at `from`. `to` is what it is called if it cannot be an output.
///
/// # Errors
/// It vanished, keeps changing, cannot be read, or is neither file, link nor folder.
pub(super) fn digest(
    root: &Root,
    from: &[u8],
    to: &[u8],
    buffer: &mut Vec<u8>,
    needle: Option<&[u8]>,
) -> Step<Digested> {
    let mut found = false;
    let seen =
        look(root, from)?.ok_or_else(|| Stop::Failed(format!("{} vanished", shown(from))))?;
    let (made, stamp) = match seen.link.kind() {
        FileKind::Dir => (Made::Folder, seen.link),
        FileKind::Symlink => {
            let text = link_text(root, from)?;
            found = needle.is_some_and(|needle| text.windows(needle.len()).any(|at| at == needle));
            (Made::Link(text), seen.link)
        }
        FileKind::File => {
            let (dir, name) = root.parent(from).map_err(|e| Stop::io("open", from, &e))?;
            let hashed = hash_at(dir.as_fd(), name.as_ref(), buffer, needle);
            let (hashed, occurs) = hashed.map_err(|error| match error {
                HashError::Unstable => {
                    Stop::Failed(format!("{} keeps changing after the command ended", shown(from)))
                }
                HashError::Io(error) => Stop::io("read", from, &error),
            })?;
            found = occurs;
            let (size, executable) = (hashed.stamp.size, hashed.stamp.executable());
            (Made::File { executable, size, digest: hashed.digest }, hashed.stamp)
        }
        FileKind::Other => {
            return Err(Stop::Failed(format!(
                "{} is no file, link or folder: it cannot be an output",
                shown(to)
            )));
        }
    };
    Ok(Digested { made, seen: Seen { link: stamp, file: seen.file }, found })
}

fn link_text(root: &Root, path: &[u8]) -> Step<Vec<u8>> {
    let text = std::fs::read_link(root.absolute(path)).map_err(|e| Stop::io("read", path, &e))?;
    Ok(text.as_os_str().as_bytes().to_vec())
}

/// An empty folder where a file belongs gives way; one with something in it makes the rename
/// fail with a message of its own.
pub(super) fn make_way(root: &Root, path: &[u8]) {
    if is_dir(root, path) {
        for (dir, _) in list_tree(root.path(), path).unwrap_or_default() {
            root.remove_empty_dirs(&dir, dir_of(path));
        }
        root.remove_empty_dirs(path, dir_of(path));
    }
}

/// Whether `path` holds exactly this.
pub fn is_made(root: &Root, path: &[u8], made: Option<&Made>) -> bool {
    holds(root, path, made, &mut Vec::new())
}

/// The same for one who removes the file if so: that it cannot be read is no "no".
pub(super) fn is_still_made(root: &Root, path: &[u8], made: &Made) -> Step<bool> {
    match look(root, path)? {
        None => Ok(false),
        Some(seen) if seen.link.kind() == FileKind::Other => Ok(false),
        Some(_) => Ok(digest(root, path, path, &mut Vec::new(), None)?.made == *made),
    }
}

pub(super) fn holds(root: &Root, path: &[u8], made: Option<&Made>, buffer: &mut Vec<u8>) -> bool {
    let Some(made) = made else { return false };
    digest(root, path, path, buffer, None).is_ok_and(|now| now.made == *made)
}

/// The folder that is made for an output before the command runs, below `out/`.
pub(super) fn prepared(declared: &Declared) -> &[u8] {
    match &declared.output {
        Output::Path(path) => dir_of(below(path, &declared.dir)),
        Output::Glob(pattern) => below(pattern.base(), &declared.dir),
    }
}

pub(super) fn move_to(root: &Root, from: &[u8], to: &[u8]) -> Step<()> {
    root.rename(from, to).map_err(|error| Stop::io("write", to, &error))
}

pub(super) fn look(root: &Root, path: &[u8]) -> Step<Option<Seen>> {
    Seen::of(&root.absolute(path)).map_err(|error| Stop::io("look at", path, &error))
}

pub(super) fn join(dir: &[u8], path: &[u8]) -> Vec<u8> {
    match (dir, path) {
        ([], path) => path.to_vec(),
        (dir, []) => dir.to_vec(),
        (dir, path) => [dir, b"/", path].concat(),
    }
}
