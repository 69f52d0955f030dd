//! What a path holds, as far as results depend on it, and the stamps that vouch for it.
//!
//! A symbolic link counts by its text *and* by what it leads to, so it has two stamps.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::digest::{Digest, KeyHasher};
use crate::hash::{HashError, hash_at, hash_file};
use crate::stamp::{FileKind, Stamp};

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
        let Some(link) = Stamp::of_link(path)? else { return Ok(None) };
        let file = match link.kind() {
            FileKind::Symlink => Stamp::of(path).or_else(|error| match error.raw_os_error() {
                Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => Ok(None),
                _ => Err(error),
            })?,
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

/// How often a path is read again because it changed meanwhile.
const ATTEMPTS: usize = 3;

/// Reads what `path` holds, with stamps that were the same before and after.
///
/// # Errors
/// [`HashError::Unstable`] if it kept changing; sockets, devices and pipes are no content.
pub fn measure(path: &Path, buffer: &mut Vec<u8>) -> Result<Option<(Seen, Content)>, HashError> {
    for _ in 0..ATTEMPTS {
        // Most paths are regular files: their stamps come with the digest. What is none is told by
        // the way below.
        match hash_at(rustix::fs::CWD, path, buffer, None) {
            Err(HashError::Unstable) => return Err(HashError::Unstable),
            Err(HashError::Io(_)) => {}
            Ok((hashed, _)) => {
                let seen = Seen { link: hashed.stamp, file: None };
                if Seen::of(path).map_err(HashError::Io)? != Some(seen) {
                    continue;
                }
                let executable = hashed.stamp.executable();
                return Ok(Some((seen, Content::File { executable, digest: hashed.digest })));
            }
        }
        let Some(seen) = Seen::of(path).map_err(HashError::Io)? else { return Ok(None) };
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
