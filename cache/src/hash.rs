//! Hashing files: open, `fstat`, read, `fstat`, so that stamp and digest belong together.
//!
//! Files are read, not mapped: one that shrinks while it is mapped would end the process by
//! SIGBUS. An equal pair of stamps is not yet proof, since a write in progress moves the stamp only
//! where it begins: whether the stamp may stand for the digest later is for `Clock` to say.

use crate::digest::Digest;
use crate::packed::is_packed;
use crate::said;
use crate::stamp::{FileKind, Stamp};
use rustix::fs::{CWD, Mode, OFlags};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// How often a file is hashed before it counts as unstable.
const ATTEMPTS: usize = 3;

/// Bytes asked of one `read`: enough for blake3 to use wide instructions, small enough for a
/// second-level cache.
const CHUNK_BYTES: usize = 128 * 1024;

/// A digest, and the stamp that the file had before and after it was computed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Hashed {
    /// The stamp of what was read; never that of a symbolic link.
    pub stamp: Stamp,
    /// The digest of its content.
    pub digest: Digest,
}

/// Why a file has no digest.
#[derive(Debug)]
pub enum HashError {
    /// It was changed during each of three attempts.
    Unstable,
    /// It could not be opened or read, or is not a regular file (`InvalidInput`).
    Io(io::Error),
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashError::Unstable => f.write_str("it keeps changing while it is read"),
            HashError::Io(error) => f.write_str(&said(error)),
        }
    }
}

impl std::error::Error for HashError {}

impl From<io::Error> for HashError {
    fn from(error: io::Error) -> HashError {
        HashError::Io(error)
    }
}

/// Hashes the regular file that `path` leads to. `buffer` is scratch space, kept by the caller so
/// that it is made once.
///
/// # Errors
/// See [`HashError`].
pub fn hash_file(path: &Path, buffer: &mut Vec<u8>) -> Result<Hashed, HashError> {
    let open = || open_at(CWD, path, OFlags::empty());
    Ok(hash_stable(open, buffer, None)?.0)
}

/// Hashes the regular file `name` beneath the directory `dir`; a symbolic link in the place of the
/// file is an error. Also says whether `needle` may occur in the content: it does, or the content is
/// packed so that nobody can tell. An empty one never does.
///
/// # Errors
/// See [`HashError`].
pub fn hash_at(
    dir: BorrowedFd<'_>,
    name: &Path,
    buffer: &mut Vec<u8>,
    needle: Option<&[u8]>,
) -> Result<(Hashed, bool), HashError> {
    let finder = needle.filter(|needle| !needle.is_empty()).map(Finder::new);
    hash_stable(|| open_at(dir, name, OFlags::NOFOLLOW), buffer, finder.as_ref())
}

/// The digest of the regular file `name` beneath the directory `dir`, which was just seen with this
/// stamp; a symbolic link in its place is an error. `None`: it has another stamp now, or what is
/// there now is another file: then nobody can tell what was read.
pub(crate) fn hash_as(
    dir: BorrowedFd<'_>,
    name: &Path,
    stamp: &Stamp,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Digest>> {
    let file = open_quietly(dir, name)?;
    let (digest, _) = hash_content(&file, stamp.size, buffer, None)?;
    let after = Stamp::from_stat(&rustix::fs::fstat(&file)?);
    Ok((after == *stamp).then_some(digest))
}

/// Opens for reading without leaving a trace, where the file is the caller's: the first read after a
/// write would write the inode.
#[cfg(target_os = "linux")]
fn open_quietly(dir: BorrowedFd<'_>, name: &Path) -> io::Result<File> {
    match open_at(dir, name, OFlags::NOFOLLOW | OFlags::NOATIME) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_at(dir, name, OFlags::NOFOLLOW)
        }
        other => other,
    }
}

/// Opens for reading.
#[cfg(not(target_os = "linux"))]
fn open_quietly(dir: BorrowedFd<'_>, name: &Path) -> io::Result<File> {
    open_at(dir, name, OFlags::NOFOLLOW)
}

/// Opens for reading; `NONBLOCK` so that a FIFO does not wait for a writer.
fn open_at(dir: BorrowedFd<'_>, name: &Path, links: OFlags) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::openat(dir, name, flags | links, Mode::empty())?))
}

/// Each attempt opens anew: a file replaced by a rename is then found under its name.
fn hash_stable(
    open: impl Fn() -> io::Result<File>,
    buffer: &mut Vec<u8>,
    finder: Option<&Finder<'_>>,
) -> Result<(Hashed, bool), HashError> {
    for _ in 0..ATTEMPTS {
        let file = open()?;
        let stamp = Stamp::from_stat(&rustix::fs::fstat(&file).map_err(io::Error::from)?);
        if stamp.kind() != FileKind::File {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(error.into());
        }
        let (digest, found) = hash_content(&file, stamp.size, buffer, finder)?;
        let after = Stamp::from_stat(&rustix::fs::fstat(&file).map_err(io::Error::from)?);
        if after == stamp {
            return Ok((Hashed { stamp, digest }, found));
        }
    }
    Err(HashError::Unstable)
}

/// Reads up to the end, or to `size` where that is known: the second `fstat` sees a file that has
/// become longer. (Size 0 is no knowledge: files of the kernel say it and have content.)
fn hash_content(
    mut file: &File,
    size: u64,
    buffer: &mut Vec<u8>,
    finder: Option<&Finder<'_>>,
) -> io::Result<(Digest, bool)> {
    let overlap = finder.map_or(0, |finder| finder.needle.len() - 1);
    // A small file needs no large buffer, and its end is where its size says.
    let chunk = match usize::try_from(size) {
        Ok(size @ 1..CHUNK_BYTES) => size,
        _ => CHUNK_BYTES,
    };
    if buffer.len() < overlap + chunk {
        buffer.resize(overlap + chunk, 0);
    }
    let mut hasher = blake3::Hasher::new();
    let (mut total, mut found) = (0, false);
    // Bytes at the front of the buffer that are the end of what was read before.
    let mut carried = 0;
    while total == 0 || total != size {
        let got = match file.read(&mut buffer[carried..]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = carried + got;
        if finder.is_none() && total == 0 && got as u64 == size {
            return Ok((Digest::of(&buffer[..got]), false));
        }
        hasher.update(&buffer[carried..filled]);
        if let Some(finder) = finder {
            found = found || finder.is_in(&buffer[..filled]);
            if total == 0 {
                found = found || is_packed(file, &buffer[..filled])?;
            }
            carried = filled.min(overlap);
            buffer.copy_within(filled - carried..filled, 0);
        }
        total += got as u64;
    }
    Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), found))
}

/// Horspool's search for one needle: steps by up to the needle's length.
struct Finder<'n> {
    needle: &'n [u8],
    /// By the byte under the needle's last place: how far the needle may move on.
    skip: [usize; 256],
}

impl<'n> Finder<'n> {
    /// `needle` must not be empty.
    fn new(needle: &'n [u8]) -> Finder<'n> {
        let last = needle.len() - 1;
        let mut skip = [needle.len(); 256];
        for (place, &byte) in needle[..last].iter().enumerate() {
            skip[usize::from(byte)] = last - place;
        }
        Finder { needle, skip }
    }

    fn is_in(&self, hay: &[u8]) -> bool {
        let mut end = self.needle.len();
        while end <= hay.len() {
            if hay[..end].ends_with(self.needle) {
                return true;
            }
            end += self.skip[usize::from(hay[end - 1])];
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use rustix::fs::FileType;
    use std::cell::Cell;
    use std::collections::{BTreeMap, HashSet};
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    fn is_io(result: Result<Hashed, HashError>, kind: io::ErrorKind) -> bool {
        matches!(result, Err(HashError::Io(error)) if error.kind() == kind)
    }

    #[test]
    fn content_of_every_length_around_the_buffer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..3 * CHUNK_BYTES).map(|place| (place % 251) as u8).collect();
        let mut buffer = Vec::new();
        for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, bytes.len()] {
            fs::write(&path, &bytes[..length]).unwrap();
            let hashed = hash_file(&path, &mut buffer).unwrap();
            assert_eq!(hashed.digest, Digest::of(&bytes[..length]), "{length}");
            assert_eq!(Some(hashed.stamp), Stamp::of(&path).unwrap());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_claims_to_be_empty_is_read() {
        let path = Path::new("/proc/sys/kernel/ostype");
        assert_eq!(Stamp::of(path).unwrap().unwrap().size, 0);
        let hashed = hash_file(path, &mut Vec::new()).unwrap();
        assert_eq!(hashed.digest, Digest::of(&fs::read(path).unwrap()));
    }

    #[test]
    fn only_regular_files_have_content() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let kind = FileType::Fifo;
        rustix::fs::mknodat(CWD, &fifo, kind, Mode::from(0o600), 0).unwrap();
        for path in [dir.path(), &fifo, Path::new("/dev/null")] {
            let result = hash_file(path, &mut Vec::new());
            assert!(is_io(result, io::ErrorKind::InvalidInput), "{}", path.display());
        }
        let absent = hash_file(&dir.path().join("absent"), &mut Vec::new());
        assert!(is_io(absent, io::ErrorKind::NotFound));
    }

    #[test]
    fn a_link_is_followed_by_path_and_refused_beneath_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "content").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        let handle = File::open(dir.path()).unwrap();
        let at = |name| hash_at(handle.as_fd(), Path::new(name), &mut Vec::new(), None);
        let through = hash_file(&dir.path().join("link"), &mut Vec::new()).unwrap();
        assert_eq!(through, at("file").unwrap().0);
        assert_eq!(through.digest, Digest::of(b"content"));
        assert!(matches!(at("link"), Err(HashError::Io(_))));
    }

    #[test]
    fn the_needle_is_found_wherever_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let handle = File::open(dir.path()).unwrap();
        let needle = b"/home/me/me/work";
        let mut buffer = Vec::new();
        let mut find = |content: &[u8], needle: &[u8]| {
            fs::write(dir.path().join("file"), content).unwrap();
            let needle = Some(needle);
            let name = Path::new("file");
            let (hashed, found) = hash_at(handle.as_fd(), name, &mut buffer, needle).unwrap();
            assert_eq!(hashed.digest, Digest::of(content));
            found
        };
        // The first read ends at the buffer's length, every other one `needle.len() - 1` earlier.
        let first_border = CHUNK_BYTES + needle.len() - 1;
        for border in [first_border, first_border + CHUNK_BYTES] {
            for place in border - needle.len() - 1..=border + 1 {
                let mut content = vec![b'/'; border + 100];
                content[place..place + needle.len()].copy_from_slice(needle);
                assert!(find(&content, needle), "{place} of {border}");
                content[place + 7] ^= 1;
                assert!(!find(&content, needle), "{place} of {border}, one bit off");
            }
        }
        assert!(find(needle, needle));
        assert!(!find(&needle[1..], needle));
        assert!(!find(b"", needle));
        assert!(!find(b"anything", b""));
        assert!(find(b"anything", b"y"));
    }

    #[test]
    fn the_finder_agrees_with_the_plain_search() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut next = |limit| random.below(limit);
        let mut found = 0;
        for _ in 0..20_000 {
            let hay: Vec<u8> = (0..next(40)).map(|_| b'a' + next(2) as u8).collect();
            let needle: Vec<u8> = (0..=next(6)).map(|_| b'a' + next(2) as u8).collect();
            let plain = hay.windows(needle.len()).any(|window| window == needle);
            assert_eq!(Finder::new(&needle).is_in(&hay), plain, "{needle:?} in {hay:?}");
            found += usize::from(plain);
        }
        assert!((1_000..19_000).contains(&found));
    }

    /// A file of `BASE_BYTES` zeros is changed step by step: a write of one byte somewhere, then one
    /// byte appended. A write of one byte cannot be seen half done, and between two changes in place
    /// the size differs, whatever the grain of the file system's clock. So each size has two
    /// contents, and a digest of any mixture is one of a content that never was.
    const BASE_BYTES: usize = 256 * 1024;
    const MOST_STEPS: usize = 4_000_000;

    fn step(number: usize) -> (usize, u8) {
        let place = number.wrapping_mul(0x9e37_79b9) % BASE_BYTES;
        (place, (number % 255) as u8 + 1)
    }

    /// Takes steps while the file is not to rest.
    fn change(path: &Path, rest: &AtomicBool, done: &AtomicBool) {
        let file = File::options().write(true).open(path).unwrap();
        let mut number = 0;
        while number < MOST_STEPS && !done.load(Ordering::SeqCst) {
            if rest.load(Ordering::SeqCst) {
                thread::yield_now();
                continue;
            }
            let (place, byte) = step(number);
            file.write_all_at(&[byte], place as u64).unwrap();
            file.write_all_at(&[1], (BASE_BYTES + number) as u64).unwrap();
            number += 1;
        }
    }

    /// Whether each digest, with the size of its stamp, is of a content that was there.
    fn all_were_there(results: &BTreeMap<usize, HashSet<Digest>>) -> bool {
        let mut content = vec![0; BASE_BYTES];
        results.iter().all(|(&size, digests)| {
            while content.len() < size {
                let (place, byte) = step(content.len() - BASE_BYTES);
                content[place] = byte;
                content.push(1);
            }
            let before = Digest::of(&content);
            let (place, byte) = step(size - BASE_BYTES);
            let mut next = content.clone();
            next[place] = byte;
            let after = Digest::of(&next);
            digests.iter().all(|&digest| digest == before || digest == after)
        })
    }

    #[test]
    fn a_digest_is_of_a_content_that_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![0; BASE_BYTES]).unwrap();
        let (rest, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let mut results: BTreeMap<usize, HashSet<Digest>> = BTreeMap::new();
        let mut caught = 0;
        thread::scope(|scope| {
            let writer = scope.spawn(|| change(&path, &rest, &done));
            let mut buffer = Vec::new();
            // The file rests once it was caught changing, and changes again once it was hashed.
            while (caught < 20 || results.len() < 10) && !writer.is_finished() {
                let opened = Cell::new(0);
                let open = || {
                    opened.set(opened.get() + 1);
                    open_at(CWD, &path, OFlags::empty())
                };
                let result = hash_stable(open, &mut buffer, None);
                caught += opened.get() - usize::from(result.is_ok());
                rest.store(result.is_err(), Ordering::SeqCst);
                if let Ok((Hashed { stamp, digest }, _)) = result {
                    results.entry(stamp.size as usize).or_default().insert(digest);
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        assert!(caught >= 20, "the file was changed while it was hashed: {caught} times");
        assert!(results.len() >= 10, "the file was hashed between changes");
        assert!(all_were_there(&results));
    }

    #[test]
    fn errors_are_said_in_words() {
        assert_eq!(HashError::Unstable.to_string(), "it keeps changing while it is read");
        let error = hash_file(Path::new("/"), &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
    }
}
