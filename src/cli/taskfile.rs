//! Which Taskfile rules: the one that `-f` names, or the nearest one upward; and its bytes.
//!
//! Knows no TOML. Whatever stands where a Taskfile is looked for gets an answer, at once: a folder,
//! a pipe, a link to nothing, a file of a stranger.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use taskr_cache::Digest;

use crate::error::{Error, nearest};
use crate::files::{open_at_once, read_up_to};
use crate::outcome::shown;
use crate::packages::covers;
use crate::parse::{LARGEST_BYTES, includes};

/// What a Taskfile is called where nothing else is said.
pub(super) const NAME: &str = "Taskfile.toml";

const FIRST_ONE: &str = "make one with `taskr init`, or by hand, as in:

[target.hello]
outputs = [\"hello.txt\"]
run = \"echo hello > {{ outputs }}\"

then run `taskr hello`";

/// Files of other tools that a newcomer may have in its place, in lower case.
const OF_OTHERS: [(&str, &str); 12] = [
    ("taskfile.yml", "Task"),
    ("taskfile.yaml", "Task"),
    ("taskfile.dist.yml", "Task"),
    ("taskfile.dist.yaml", "Task"),
    ("makefile.toml", "cargo-make"),
    ("makefile", "make"),
    ("gnumakefile", "make"),
    ("justfile", "just"),
    (".justfile", "just"),
    ("build.ninja", "ninja"),
    ("rakefile", "rake"),
    ("sconstruct", "scons"),
];

/// A Taskfile that was read.
pub(super) struct Found {
    /// The folder in which the search began.
    pub(super) start: PathBuf,
    /// Absolute and without links.
    pub(super) path: PathBuf,
    /// What messages call it.
    pub(super) shown: String,
    /// All of it; of one that is too large so much that this shows.
    pub(super) bytes: Vec<u8>,
    /// Of these bytes.
    pub(super) digest: Digest,
}

/// The Taskfile named by `-f`, or the nearest one from `directory` upward; of that, farther up, the
/// one that includes it.
///
/// # Errors
/// [`Error::Usage`] if there is none, if it is no file, or if it was found above and belongs to
/// somebody else; [`Error::Io`] if it cannot be read.
pub(super) fn find(directory: Option<&OsStr>, file: Option<&OsStr>) -> Result<Found, Error> {
    let start = start(directory)?;
    let path = match file {
        Some(file) => start.join(file),
        None => upward(&start)?,
    };
    let bytes = read(&path)?;
    let path = path.canonicalize().map_err(|cause| cannot_read(&path, cause))?;
    let (path, bytes) = match file {
        None => including(&path, &start)?.unwrap_or((path, bytes)),
        Some(_) => (path, bytes),
    };
    let shown = shown_from(&start, &path);
    let digest = Digest::of(&bytes);
    Ok(Found { start, path, shown, bytes, digest })
}

/// The Taskfile above that includes the folder of the one at `path`. One above that is no TOML
/// counts as such if it has an `include` at all: to go on without it could be another build.
fn including(path: &Path, start: &Path) -> Result<Option<(PathBuf, Vec<u8>)>, Error> {
    let Some(folder) = path.parent() else { return Ok(None) };
    for above in folder.ancestors().skip(1) {
        let candidate = above.join(NAME);
        let Ok(entry) = candidate.symlink_metadata() else { continue };
        // What cannot be read is somebody else's.
        let Ok(bytes) = read(&candidate) else { continue };
        if !has_include(&bytes) {
            continue;
        }
        let below = folder.strip_prefix(above).unwrap_or(folder).as_os_str().as_bytes();
        let includes = includes(&shown_from(start, &candidate), &bytes);
        if includes.as_ref().is_ok_and(|includes| !covers(includes, below)) {
            continue;
        }
        refuse_stranger(&candidate, &entry)?;
        includes?;
        return Ok(Some((candidate, bytes)));
    }
    Ok(None)
}

fn has_include(bytes: &[u8]) -> bool {
    let is_mark = |byte: &&u8| byte.is_ascii_whitespace() || b"[\"'".contains(byte);
    let mut lines = bytes.split(|&byte| byte == b'\n');
    lines.any(|line| line[line.iter().take_while(is_mark).count()..].starts_with(b"include"))
}

fn shown_from(start: &Path, path: &Path) -> String {
    path.strip_prefix(start).unwrap_or(path).display().to_string()
}

/// Where the search begins.
fn start(directory: Option<&OsStr>) -> Result<PathBuf, Error> {
    let here = std::env::current_dir();
    let wanted = match (directory.map(Path::new), here) {
        (Some(directory), Ok(here)) => here.join(directory),
        (Some(directory), Err(_)) if directory.is_absolute() => directory.to_owned(),
        (None, Ok(here)) => here,
        (_, Err(cause)) if cause.kind() == io::ErrorKind::NotFound => {
            return Err(usage(
                "the folder that taskr was started in does not exist any more",
                "`cd` to one that does, or name one: `taskr -C /path/to/folder`",
            ));
        }
        (_, Err(cause)) => return Err(cannot("cannot work in", Path::new("."), cause)),
    };
    let found = wanted.canonicalize().map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => not_there("folder", &wanted, directory),
        _ => cannot("cannot work in", &wanted, cause),
    })?;
    match found.is_dir() {
        true => Ok(found),
        false => Err(usage(
            &format!("{} is no folder", name(&wanted)),
            "`-C` takes a folder; for a Taskfile of another name write `-f FILE`",
        )),
    }
}

/// The nearest path upward at which anything has the Taskfile's name.
fn upward(start: &Path) -> Result<PathBuf, Error> {
    for dir in start.ancestors() {
        let path = dir.join(NAME);
        let Ok(entry) = path.symlink_metadata() else { continue };
        if dir != start {
            refuse_stranger(&path, &entry)?;
        }
        return Ok(path);
    }
    Err(Error::Usage {
        message: format!("there is no {NAME} in {} or above it", name(start)),
        help: Some(instead(start).unwrap_or_else(|| FIRST_ONE.to_owned())),
    })
}

/// Anybody may put a Taskfile into a folder such as `/tmp`, and its commands would run with the
/// rights of whoever calls taskr somewhere below (as with git, CVE-2022-24765). Root counts as
/// nobody's stranger; to root under sudo, neither does the user who called sudo.
fn refuse_stranger(path: &Path, entry: &Metadata) -> Result<(), Error> {
    let own = rustix::process::geteuid().as_raw();
    let caller = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let caller = caller.filter(|_| own == 0);
    let stranger = |uid: u32| uid != own && uid != 0 && Some(uid) != caller;
    let target = path.metadata().ok();
    let owners = [Some(entry.uid()), target.map(|target| target.uid())];
    let Some(uid) = owners.into_iter().flatten().find(|&uid| stranger(uid)) else {
        return Ok(());
    };
    Err(usage(
        &format!("{} belongs to another user (uid {uid}): its commands are not run", name(path)),
        &format!("if you trust it, name it: `taskr -f {}`", name(path)),
    ))
}

/// What to do about a file that is nearly a Taskfile, or one of another tool.
fn instead(dir: &Path) -> Option<String> {
    let names = names_in(dir);
    let is_dir = |name: &str| dir.join(name).is_dir();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !is_dir(name)).collect();
    let of_others = |found: &&str| OF_OTHERS.iter().find(|(name, _)| found.to_lowercase() == *name);
    let (others, own): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| of_others(name).is_some());
    let misspelt = own.iter().find(|name| name.eq_ignore_ascii_case("taskfile"));
    if let Some(near) = misspelt.copied().or_else(|| nearest(NAME, own.iter().copied())) {
        return Some(format!("there is `{near}`: `mv {near} {NAME}`"));
    }
    let (found, tool) = others.first().and_then(|found| Some((found, of_others(found)?.1)))?;
    Some(format!(
        "`{found}` is for {tool}, and taskr does not read it; {}",
        FIRST_ONE.replacen("one", &format!("a {NAME}"), 1)
    ))
}

/// The whole file. Never waits for a pipe, and never reads much more than is allowed.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = open_at_once(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => match path.read_link() {
            Ok(target) => usage(
                &format!("{} is a link to {}, which does not exist", name(path), name(&target)),
                "make what it leads to, or remove the link",
            ),
            Err(_) => not_there("file", path, None),
        },
        _ => cannot_read(path, cause),
    })?;
    refuse_other_kinds(path, &file)?;
    read_up_to(file, LARGEST_BYTES).map_err(|cause| cannot_read(path, cause))
}

fn refuse_other_kinds(path: &Path, file: &File) -> Result<(), Error> {
    let kind = file.metadata().map_err(|cause| cannot_read(path, cause))?.file_type();
    let (what, help) = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() && path.join(NAME).is_file() => {
            ("a folder", format!("write `-f {}`, or `-C {}`", name(&path.join(NAME)), name(path)))
        }
        kind if kind.is_dir() && path.file_name() != Some(OsStr::new(NAME)) => (
            "a folder",
            format!("`-f` takes a file; to work in a folder write `-C {}`", name(path)),
        ),
        kind if kind.is_dir() => ("a folder", format!("rename the folder; {FIRST_ONE}")),
        kind if kind.is_fifo() => ("a pipe", "a Taskfile is a file: write it to one".to_owned()),
        _ => ("a device", "a Taskfile is a file: write it to one".to_owned()),
    };
    Err(usage(&format!("{} is {what}", name(path)), &help))
}

/// An error about something that was named and is not there. `written` is how, if not as `path`.
fn not_there(what: &str, path: &Path, written: Option<&OsStr>) -> Error {
    let near = path.parent().zip(path.file_name()).and_then(|(dir, missing)| {
        let names = names_in(dir);
        let fits = |name: &&String| what != "folder" || dir.join(name).is_dir();
        let known = names.iter().filter(fits).map(String::as_str);
        Some(format!("did you mean `{}`?", nearest(missing.to_str()?, known)?))
    });
    let written = written.map_or(path, Path::new);
    Error::Usage { message: format!("there is no {what} {}", name(written)), help: near }
}

/// The names in a folder that are text, in order; none if it cannot be read.
fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn name(path: &Path) -> String {
    shown(path.as_os_str().as_bytes())
}

fn usage(message: &str, help: &str) -> Error {
    Error::Usage { message: message.to_owned(), help: Some(help.to_owned()) }
}

fn cannot_read(path: &Path, cause: io::Error) -> Error {
    cannot("cannot read", path, cause)
}

fn cannot(doing: &str, path: &Path, cause: io::Error) -> Error {
    Error::Io { doing: doing.to_owned(), path: path.to_owned(), cause }
}
