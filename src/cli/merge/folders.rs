//! Folders: files, links and exec bits; empty folders count for nothing.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use taskr_cache::{HashError, hash_file};
use walkdir::{DirEntry, WalkDir};

use super::{failed, shown, usage};
use crate::error::Error;

/// What makes two files the same: what they hold or where they lead.
type Holds = Vec<u8>;

/// At a path, what is there by content, and in which folders so.
type Met = IndexMap<PathBuf, IndexMap<Holds, Vec<usize>>>;

/// What came of it.
pub(super) enum Merged {
    /// So many files.
    Files(usize),
    /// Nothing: what clashes, in words.
    Clash(String),
}

/// So many clashes are told.
const MOST_TOLD: usize = 5;

/// Writes what `least` of the folders have to a new folder. Where enough have a path, and do not
/// agree on what it holds, they clash.
///
/// # Errors
/// The new folder has something in it already;
/// something cannot be read or written. Nothing is written before all is read.
pub(super) fn merge(folders: &[PathBuf], least: usize, output: &Path) -> Result<Merged, Error> {
    if fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(usage(&format!("{} is not empty", shown(output)), "name a new folder"));
    }
    let mut met = Met::new();
    for (at, folder) in folders.iter().enumerate() {
        gather(folder, at, &mut met)?;
    }
    let mut chosen = Vec::new();
    let mut clashes = Vec::new();
    for (path, contents) in &met {
        let have_it: usize = contents.values().map(Vec::len).sum();
        let agree: Vec<_> = contents.values().filter(|folders| folders.len() >= least).collect();
        match agree[..] {
            [folders] => chosen.push((path, folders[0])),
            _ if have_it >= least => clashes.push((path, contents)),
            _ => {}
        }
    }
    if !clashes.is_empty() {
        return Ok(Merged::Clash(clash(folders, &clashes)));
    }
    for &(path, from) in &chosen {
        let (from, to) = (folders[from].join(path), output.join(path));
        copy(&from, &to).map_err(|cause| failed("cannot write", &to, cause))?;
    }
    fs::create_dir_all(output).map_err(|cause| failed("cannot make", output, cause))?;
    Ok(Merged::Files(chosen.len()))
}

fn gather(folder: &Path, at: usize, met: &mut Met) -> Result<(), Error> {
    let mut buffer = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| failed("cannot read", folder, error.into()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path();
        let holds =
            holds(&entry, &mut buffer).map_err(|cause| failed("cannot read", path, cause))?;
        let relative = path.strip_prefix(folder).unwrap_or(path).to_owned();
        met.entry(relative).or_default().entry(holds).or_default().push(at);
    }
    Ok(())
}

fn holds(entry: &DirEntry, buffer: &mut Vec<u8>) -> io::Result<Holds> {
    let path = entry.path();
    if entry.path_is_symlink() {
        return Ok([b"link ", path.read_link()?.as_os_str().as_encoded_bytes()].concat());
    }
    let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
    match hash_file(path, buffer) {
        Ok(hashed) => Ok(format!("{} {executable}", hashed.digest).into_bytes()),
        Err(HashError::Io(error)) => Err(error),
        Err(error @ HashError::Unstable) => Err(io::Error::other(error)),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    match from.symlink_metadata()?.file_type().is_symlink() {
        true => symlink(from.read_link()?, to),
        false => fs::copy(from, to).map(drop),
    }
}

fn clash(folders: &[PathBuf], clashes: &[(&PathBuf, &IndexMap<Holds, Vec<usize>>)]) -> String {
    let told = clashes.iter().take(MOST_TOLD).map(|(path, contents)| {
        let first = contents.values().map(|of| shown(&folders[of[0]].join(path)));
        first.take(2).collect::<Vec<_>>().join(" is not ")
    });
    let more = match clashes.len().saturating_sub(MOST_TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("the folders clash: {}{more}", told.collect::<Vec<_>>().join("; "))
}
