//! Two sets of outputs held against each other: what is not the same, and where it begins.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::guess::{Cause, Guesser};
use crate::outcome::{Made, OutFile};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// So much of a file is looked at for the cause, in bytes.
const MOST_READ: u64 = 16 * 1024 * 1024;

/// So much is shown before and behind the first byte that differs.
const SHOWN_BEFORE: usize = 16;
const SHOWN_BEHIND: usize = 32;

/// What a task left, by path.
pub(super) type Files<'f> = BTreeMap<&'f [u8], &'f Made>;

/// One output that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: Vec<u8>,
    pub(super) how: How,
}

/// How an output differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Only the first has it.
    OnlyFirst,
    /// Only the second has it.
    OnlySecond,
    /// One is a file, the other a link or a folder.
    Kind,
    /// The same bytes, but only one may be executed.
    Executable,
    /// Links that lead elsewhere.
    Link(Vec<u8>, Vec<u8>),
    /// Other bytes.
    Bytes(Spot),
    /// They could not be compared; why.
    Unread(String),
}

/// Where two contents begin to differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The first byte that is not the same.
    pub(super) offset: u64,
    /// What stands around it in the first; ...
    pub(super) first: Vec<u8>,
    /// ... and in the second.
    pub(super) second: Vec<u8>,
    pub(super) cause: Cause,
}

/// The outputs of a record.
pub(super) fn files(outputs: &[OutFile]) -> Files<'_> {
    outputs.iter().map(|file| (&file.path[..], &file.made)).collect()
}

/// What is not the same. `sides` says where the bytes of a path are.
pub(super) fn compare(
    first: &Files<'_>,
    second: &Files<'_>,
    guesser: &Guesser,
    sides: &mut dyn FnMut(&[u8]) -> io::Result<[PathBuf; 2]>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut note = |path: &[u8], how| differences.push(Difference { path: path.to_vec(), how });
    for (path, made) in first {
        match second.get(path) {
            None => note(path, How::OnlyFirst),
            Some(other) if other == made => {}
            Some(other) => note(path, how(made, other, guesser, || sides(path))),
        }
    }
    for path in second.keys().filter(|path| !first.contains_key(*path)) {
        note(path, How::OnlySecond);
    }
    differences
}

fn how(
    first: &Made,
    second: &Made,
    guesser: &Guesser,
    sides: impl FnOnce() -> io::Result<[PathBuf; 2]>,
) -> How {
    match (first, second) {
        (Made::File { digest, .. }, Made::File { digest: other, .. }) if digest == other => {
            How::Executable
        }
        (Made::File { .. }, Made::File { .. }) => {
            let spot = sides().and_then(|sides| spot(&sides, guesser));
            spot.map_or_else(|error| How::Unread(crate::error::said(&error)), How::Bytes)
        }
        (Made::Link(first), Made::Link(second)) => How::Link(first.clone(), second.clone()),
        _ => How::Kind,
    }
}

fn spot([first, second]: &[PathBuf; 2], guesser: &Guesser) -> io::Result<Spot> {
    let offset = first_difference(first, second)?;
    let (first, second) = (beginning(first)?, beginning(second)?);
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    let is_whole = first.len().max(second.len()) < MOST_READ as usize;
    let cause = match guesser.cause(&first, &second, at) {
        _ if at >= first.len().max(second.len()) => Cause::Unknown,
        // Of what was not read nothing is known.
        Cause::Place if !is_whole => Cause::NearPlace,
        cause => cause,
    };
    let around = |bytes: &[u8]| {
        let begin = at.saturating_sub(SHOWN_BEFORE).min(bytes.len());
        bytes[begin..at.saturating_add(SHOWN_BEHIND).min(bytes.len())].to_vec()
    };
    Ok(Spot { offset, first: around(&first), second: around(&second), cause })
}

/// The offset of the first byte that is not the same; the length of the shorter if it is the
/// beginning of the other.
fn first_difference(first: &Path, second: &Path) -> io::Result<u64> {
    let mut files = [File::open(first)?, File::open(second)?];
    let mut chunks = [Vec::new(), Vec::new()];
    let mut before = 0;
    loop {
        for (file, chunk) in files.iter_mut().zip(&mut chunks) {
            chunk.clear();
            file.take(CHUNK_BYTES as u64).read_to_end(chunk)?;
        }
        let [one, other] = &chunks;
        let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
        before += same as u64;
        if same < CHUNK_BYTES {
            return Ok(before);
        }
    }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::super::status::unix_ms;
    use super::*;
    use taskr_cache::Digest;

    fn made(bytes: &[u8], executable: bool) -> Made {
        Made::File { executable, size: bytes.len() as u64, digest: Digest::of(bytes) }
    }

    #[test]
    fn every_difference_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        let long = vec![b'x'; 3 * CHUNK_BYTES];
        let (one, two) = ([&long[..], b"1 tail"].concat(), [&long[..], b"2 tail"].concat());
        put("1", &one);
        put("2", &two);
        let links = [b"a", b"b"].map(|text| Made::Link(text.to_vec()));
        let (one, two) = (made(&one, false), made(&two, false));
        let (plain, program) = (made(b"x", false), made(b"x", true));
        let folder = Made::Folder;
        let first: Files<'_> = [
            (&b"bytes"[..], &one),
            (b"exec", &plain),
            (b"gone", &plain),
            (b"kind", &plain),
            (b"link", &links[0]),
            (b"same", &plain),
        ]
        .into();
        let second: Files<'_> = [
            (&b"bytes"[..], &two),
            (b"exec", &program),
            (b"kind", &folder),
            (b"link", &links[1]),
            (b"new", &plain),
            (b"same", &plain),
        ]
        .into();
        let guesser = Guesser::new([dir.path(), dir.path()], unix_ms());
        let mut sides = |_: &[u8]| Ok(["1", "2"].map(|name| dir.path().join(name)));
        let found = compare(&first, &second, &guesser, &mut sides);
        let told: Vec<_> = found
            .iter()
            .map(|found| (String::from_utf8_lossy(&found.path).into_owned(), &found.how))
            .collect();
        let spot = Spot {
            offset: 3 * CHUNK_BYTES as u64,
            first: b"xxxxxxxxxxxxxxxx1 tail".to_vec(),
            second: b"xxxxxxxxxxxxxxxx2 tail".to_vec(),
            cause: Cause::Unknown,
        };
        let expected = [
            ("bytes", How::Bytes(spot)),
            ("exec", How::Executable),
            ("gone", How::OnlyFirst),
            ("kind", How::Kind),
            ("link", How::Link(b"a".to_vec(), b"b".to_vec())),
            ("new", How::OnlySecond),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(path, how)| ((*path).to_owned(), how)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_content_that_goes_on_differs_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let paths = [("1", "abc"), ("2", "abcd")].map(|(name, text)| {
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        });
        let spot = spot(&paths, &Guesser::new([dir.path(), dir.path()], unix_ms())).unwrap();
        assert_eq!(
            (spot.offset, &spot.first[..], &spot.second[..]),
            (3, &b"abc"[..], &b"abcd"[..])
        );
    }
}
