//! From a workspace's Taskfile to all of its packages: which folders `include` means, what each
//! is made of, and what it depends on.
//!
//! Reads Taskfiles and manifests, and lists folders; knows no tasks and no command line. Edges are
//! those between packages of this workspace: what else a manifest names is its own tool's matter.

mod cycle;
mod edges;
mod folders;
mod looked;
mod manifest;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use taskr_cache::Digest;

use crate::error::{Diagnostic, Error, Place, quoted, said};
use crate::files::{normalise, open_regular, read_up_to};
use crate::parse::{LARGEST_BYTES, Profile, Role, Taskfile, Word, parse_as};
use folders::Folder;

pub use folders::covers;
pub use looked::{Looked, folders_of, why_of_folders};

/// What the Taskfile of a package is called.
const NAME: &str = "Taskfile.toml";

/// Where a workspace lies, and what was read there.
#[derive(Debug)]
pub struct Where<'w> {
    root: &'w Path,
    here: &'w Path,
    read: RefCell<BTreeMap<String, Option<Digest>>>,
}

impl<'w> Where<'w> {
    /// The workspace `root`, whose files messages name from the folder `here`.
    pub fn new(root: &'w Path, here: &'w Path) -> Where<'w> {
        Where { root, here, read: RefCell::default() }
    }

    /// The whole file, as far as any may be; none if there is none.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let bytes = read(&self.path(path))?;
        let digest = bytes.as_deref().map(Digest::of);
        self.read.borrow_mut().insert(path.to_owned(), digest);
        Ok(bytes)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// What messages call a path of the workspace.
    fn shown(&self, path: &str) -> String {
        let path = self.path(path);
        path.strip_prefix(self.here).unwrap_or(&path).display().to_string()
    }
}

/// The same Taskfile with its packages, in the order of their folders, and with the edges between
/// them.
///
/// # Errors
/// All that is wrong with the folders; else with the Taskfiles; else with the manifests.
pub fn load(root: Taskfile, at: Where<'_>) -> Result<(Taskfile, Looked), Error> {
    let root = with_packages(root, &at)?;
    Ok((root, Looked { files: at.read.into_inner() }))
}

fn with_packages(mut root: Taskfile, at: &Where<'_>) -> Result<Taskfile, Error> {
    let folders = folders::find(&root.include, at)?;
    let reuse = root.reuse.for_packages();
    let mut shared = Shared { at, read: FxHashMap::default() };
    let mut packages = Vec::with_capacity(folders.len());
    let mut wrong = Vec::new();
    for folder in &folders {
        let package = shared.package(&root, folder);
        match package.and_then(|package| package.with_reuse(&reuse)) {
            Ok(package) => packages.push(package),
            Err(Error::Taskfile(diagnostics)) => {
                // What is wrong with a shared file is told once.
                let new = diagnostics.into_iter().filter(|one| !wrong.contains(one));
                let new: Vec<Diagnostic> = new.collect();
                wrong.extend(new);
            }
            Err(error) => return Err(error),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Taskfile(wrong));
    }
    root.packages = packages;
    edges::find(&mut root, &folders, at)?;
    Ok(root)
}

/// Taskfiles that packages share, each read once.
struct Shared<'s> {
    at: &'s Where<'s>,
    read: FxHashMap<String, Taskfile>,
}

impl Shared<'_> {
    /// The package in a folder: its own Taskfile above the one it shares.
    fn package(&mut self, root: &Taskfile, folder: &Folder) -> Result<Taskfile, Error> {
        let include = &root.include[folder.entry];
        let own_path = format!("{}/{NAME}", folder.dir);
        let own = self.at.read(&own_path).map_err(|cause| cannot_read(&cause, &own_path))?;
        let own = own.map(|bytes| parse_as(&self.at.shown(&own_path), &bytes, Role::Package));
        let own = own.transpose()?;
        let below = include.taskfile.as_ref().map(|word| self.shared(word)).transpose()?;
        let mut sources = vec![own_path];
        sources.extend(include.taskfile.as_ref().map(shared_path).transpose()?);
        let mut package = match (own, below) {
            (Some(own), Some(below)) => merged(own, below)?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Err(folders::without_taskfile(folder, self.at).into()),
        };
        if package.targets.is_empty() {
            let message = format!("the package {} has no targets", quoted(&folder.dir));
            let problem = Diagnostic::error(message).at(folder.place.clone(), "is included here");
            let file = &package.source.name;
            return Err(problem
                .help(format!("write some into {file}, as in [target.build]"))
                .into());
        }
        package.package.dir.clone_from(&folder.dir);
        package.package.sources = sources;
        if package.package.deps_from.is_none() {
            package.package.deps_from.clone_from(&include.deps_from);
        }
        Ok(package)
    }

    fn shared(&mut self, word: &Word) -> Result<Taskfile, Error> {
        if let Some(known) = self.read.get(&word.text) {
            return Ok(known.clone());
        }
        let path = shared_path(word)?;
        let bytes = self
            .at
            .read(&path)
            .and_then(|bytes| bytes.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(|cause| refused(&cause, &path, &word.place))?;
        let taskfile = parse_as(&self.at.shown(&path), &bytes, Role::Shared)?;
        self.read.insert(word.text.clone(), taskfile.clone());
        Ok(taskfile)
    }
}

/// Where a shared Taskfile lies.
fn shared_path(word: &Word) -> Result<String, Diagnostic> {
    let path = normalise(b"", word.text.as_bytes()).ok().filter(|path| !path.starts_with(b"/"));
    path.and_then(|path| String::from_utf8(path).ok()).ok_or_else(|| {
        Diagnostic::error(format!("{} leads out of the workspace", quoted(&word.text)))
            .at(word.place.clone(), "")
            .help("a shared Taskfile lies beside the one that includes")
    })
}

/// A package's own Taskfile above the one that it shares.
fn merged(mut own: Taskfile, below: Taskfile) -> Result<Taskfile, Error> {
    if own.default.is_empty() {
        own.default = below.default;
    }
    let mut vars = below.vars;
    vars.extend(std::mem::take(&mut own.vars));
    own.vars = vars;
    let mut targets = below.targets;
    targets.extend(std::mem::take(&mut own.targets));
    own.targets = targets;
    own.reuse = own.reuse.on_top_of(below.reuse);
    let mut profiles = below.profiles;
    for (name, mut profile) in std::mem::take(&mut own.profiles) {
        let below: Option<Profile> = profiles.swap_remove(&name);
        let mut vars = below.map(|below| below.vars).unwrap_or_default();
        vars.extend(std::mem::take(&mut profile.vars));
        profiles.insert(name, Profile { vars, ..profile });
    }
    own.profiles = profiles;
    let package = below.package;
    own.package.deps.splice(0..0, package.deps);
    own.package.name = own.package.name.or(package.name);
    own.package.deps_from = own.package.deps_from.or(package.deps_from);
    Ok(own)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file: File = match open_regular(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    read_up_to(file, LARGEST_BYTES).map(Some)
}

fn cannot_read(cause: &io::Error, path: &str) -> Error {
    Error::Io {
        doing: "cannot read".to_owned(),
        path: path.into(),
        cause: io::Error::new(cause.kind(), said(cause)),
    }
}

/// A file that a line of the Taskfile asks for, and that cannot be read.
fn refused(cause: &io::Error, path: &str, place: &Place) -> Diagnostic {
    let message = match cause.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}", quoted(path)),
        _ => format!("cannot read {}: {}", quoted(path), said(cause)),
    };
    Diagnostic::error(message).at(place.clone(), "is asked for here")
}
