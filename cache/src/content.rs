//! What a path holds, as far as results depend on it, and the stamps that vouch for it.
//!
//! A symbolic link counts by its text *and* by what it leads to, so it has two stamps.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::digest::{Digest, KeyHasher};
use crate::hash::{HashError, hash_as, hash_file};
use crate::stamp::{FileKind, Stamp};
use rustix::fs::CWD;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// The stamps of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of the path itself, links not followed.
    pub link: Stamp,
    /// Of what a link leads to; `None` if the path is no link, or leads nowhere. Of a folder it
    /// tells only that it is one: its times change with files that are no content of the link.
    pub file: Option<Stamp>,
}

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing is there.
    Absent,
    /// A regular file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// Of its bytes.
        digest: Digest,
    },
    /// A symbolic link: a digest of its text and of the file it leads to, if it leads to one.
    Link(Digest),
    /// A folder; its files are paths of their own.
    Folder,
}

impl Content {
    /// [`Content::encode`] appends no more than so many bytes.
    pub const MOST_BYTES: usize = 1 + 32;

    /// One byte for the kind, then the digest if there is one. Injective.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, digest) = match self {
            Content::Absent => (b'-', None),
            Content::Folder => (b'd', None),
            Content::File { executable: false, digest } => (b'f', Some(digest)),
            Content::File { executable: true, digest } => (b'x', Some(digest)),
            Content::Link(digest) => (b'l', Some(digest)),
        };
        out.push(kind);
        out.extend(digest.iter().flat_map(|digest| digest.as_bytes()));
    }

    /// Reads what [`Content::encode`] wrote, and moves `bytes` behind it.
    pub fn decode(bytes: &mut &[u8]) -> Option<Content> {
        let (&kind, rest) = bytes.split_first()?;
        *bytes = rest;
        let mut digest = || {
            let (head, tail) = bytes.split_first_chunk::<32>()?;
            *bytes = tail;
            Some(Digest::from_bytes(*head))
        };
        Some(match kind {
            b'-' => Content::Absent,
            b'd' => Content::Folder,
            b'f' => Content::File { executable: false, digest: digest()? },
            b'x' => Content::File { executable: true, digest: digest()? },
            b'l' => Content::Link(digest()?),
            _ => return None,
        })
    }
}

impl Seen {
    /// Asks for the stamps of `path`; `None` if nothing is there.
    ///
    /// # Errors
    /// Whatever `stat` says, but for absence.
    pub fn of(path: &Path) -> io::Result<Option<Seen>> {
        Seen::at(CWD, path)
    }

    /// As [`Seen::of`], of a path that starts at the folder `dir`: of many files in one folder that
    /// costs less.
    ///
    /// # Errors
    /// As there.
    pub fn at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<Option<Seen>> {
        let Some(link) = Stamp::of_link_at(dir, path)? else { return Ok(None) };
        let file = match link.kind() {
            FileKind::Symlink => {
                Stamp::at(dir, path).or_else(|error| match error.raw_os_error() {
                    Some(code) if code == Errno::LOOP.raw_os_error() => Ok(None),
                    _ => Err(error),
                })?
            }
            _ => None,
        };
        let file = file.map(|file| match file.kind() {
            FileKind::Dir => Stamp { ino: 0, size: 0, mtime_ns: 0, ctime_ns: 0, ..file },
            _ => file,
        });
        Ok(Some(Seen { link, file }))
    }

    /// Appends a fixed layout.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.link.encode(out);
        out.push(u8::from(self.file.is_some()));
        if let Some(file) = &self.file {
            file.encode(out);
        }
    }

    /// Reads what [`Seen::encode`] wrote, and moves `bytes` behind it.
    pub fn decode(bytes: &mut &[u8]) -> Option<Seen> {
        let link = Stamp::decode(bytes)?;
        let (&has_file, rest) = bytes.split_first()?;
        *bytes = rest;
        let file = if has_file == 1 { Some(Stamp::decode(bytes)?) } else { None };
        Some(Seen { link, file })
    }

    /// Both stamps.
    pub fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        std::iter::once(&self.link).chain(&self.file)
    }
}

/// What the regular file `path`, from the folder `dir`, holds: one that was just seen with these
/// stamps. `None`: it is no longer so, or was not all the time.
///
/// # Errors
/// It cannot be opened or read.
pub fn measure_at(
    dir: BorrowedFd<'_>,
    path: &Path,
    seen: &Seen,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Content>> {
    let digest = hash_as(dir, path, &seen.link, buffer)?;
    Ok(digest.map(|digest| Content::File { executable: seen.link.executable(), digest }))
}

/// Whether there is no such file any more, or a link in its place.
fn is_gone(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::NotFound || code == Some(Errno::LOOP.raw_os_error())
}

/// How often a path is read again because it changed meanwhile.
const ATTEMPTS: usize = 3;

/// Reads what `path` holds, with stamps that were the same before and after.
///
/// # Errors
/// [`HashError::Unstable`] if it kept changing; sockets, devices and pipes are no content.
pub fn measure(path: &Path, buffer: &mut Vec<u8>) -> Result<Option<(Seen, Content)>, HashError> {
    for _ in 0..ATTEMPTS {
        let Some(seen) = Seen::of(path).map_err(HashError::Io)? else { return Ok(None) };
        if seen.link.kind() == FileKind::File {
            match measure_at(CWD, path, &seen, buffer) {
                Ok(Some(content)) => return Ok(Some((seen, content))),
                // It gave way to something else meanwhile.
                Ok(None) => continue,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(HashError::Io(error)),
            }
        }
        let content = match (seen.link.kind(), &seen.file) {
            (FileKind::Dir, _) => Content::Folder,
            (FileKind::Symlink, None) => Content::Link(link_digest(path, b"nothing", None)?),
            (FileKind::Symlink, Some(file)) if file.kind() == FileKind::Dir => {
                Content::Link(link_digest(path, b"folder", None)?)
            }
            (kind, _) => {
                let hashed = match hash_file(path, buffer) {
                    Err(HashError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                        continue;
                    }
                    other => other?,
                };
                let executable = hashed.stamp.executable();
                match kind {
                    FileKind::Symlink => {
                        let mode: &[u8] = if executable { b"program" } else { b"file" };
                        Content::Link(link_digest(path, mode, Some(&hashed.digest))?)
                    }
                    _ => Content::File { executable, digest: hashed.digest },
                }
            }
        };
        if Seen::of(path).map_err(HashError::Io)? == Some(seen) {
            return Ok(Some((seen, content)));
        }
    }
    Err(HashError::Unstable)
}

fn link_digest(path: &Path, kind: &[u8], file: Option<&Digest>) -> Result<Digest, HashError> {
    let text = std::fs::read_link(path).map_err(HashError::Io)?;
    let mut hasher = KeyHasher::new("taskr 2026 symbolic link v1");
    for part in [text.as_os_str().as_bytes(), kind, file.map_or(&[], |file| file.as_bytes())] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Ok(hasher.finish())
}
