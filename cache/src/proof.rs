//! Proofs: what a build that had nothing to do saw of the disk, so that the next one need only see
//! the same.
//!
//! A proof says: whoever asks this question again, and finds each of these facts as it was, gets
//! the same answer. It is one file, read in one piece and checked on a few threads: no state is
//! read, no Taskfile understood, nothing decided. Knows neither tasks nor what the answer means.
//! Whether the facts are all that the answer depends on is the matter of who writes it.
//!
//! A proof may be lost at any time. It is forgotten before anything that it rests on is changed by
//! taskr itself: [`Writer`](crate::Writer) and [`Intents`](crate::Intents) do so by themselves.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::content::Seen;
use crate::digest::{Digest, checksum};
use crate::stamp::{FileKind, Stamp};

/// The folder of proofs, below that of the state.
const FOLDER: &str = "proofs";

/// So many are kept: one for each question that is asked in turn.
const MOST: usize = 16;

/// How a proof begins. The number moves with the layout and with what facts mean.
const MAGIC: &[u8; 16] = b"taskr proof v1\r\n";

/// What was seen at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Nothing.
    Absent,
    /// Something of this kind; a link is not followed.
    Is(FileKind),
    /// The same thing, whatever is in it: device and inode; a link is not followed.
    Same(u64, u64),
    /// These stamps.
    Seen(Seen),
    /// What the path leads to, links followed: nothing, or something with this stamp. Of a folder
    /// it stands for the names in it.
    LeadsTo(Option<Stamp>),
}

/// A question: what was asked, and by whom. Two that differ in anything have different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question(pub Digest);

impl Question {
    fn path(self, dir: &Path) -> PathBuf {
        dir.join(FOLDER).join(&self.0.to_string()[..32])
    }

    /// Keeps the answer, and the facts that it rests on, in `dir`. Paths are relative to the
    /// workspace, or absolute.
    ///
    /// # Errors
    /// It could not be written. Then there is none.
    pub fn prove(self, dir: &Path, answer: &[u8], facts: Vec<(Vec<u8>, Fact)>) -> io::Result<()> {
        let folder = dir.join(FOLDER);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if fs::read_dir(&folder)?.count() >= MOST {
            forget(dir)?;
        }
        let path = self.path(dir);
        let fresh = path.with_extension("new");
        let bytes = encode(self, answer, facts);
        let written = (|| {
            let mut file = File::create(&fresh)?;
            file.write_all(&bytes)?;
            fs::rename(&fresh, &path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        written
    }

    /// The answer, if there is a proof in `dir` and each of its facts is so now, in the workspace
    /// `root`. Whatever cannot be read or asked is no proof.
    pub fn answer(self, dir: &Path, root: &Path) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::open(self.path(dir), flags, Mode::empty()).ok()?;
        File::from(file).read_to_end(&mut bytes).ok()?;
        let (answer, blocks) = decode(self, &bytes)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(root, flags, Mode::empty()).ok()?;
        hold(&blocks, &Root { path: root, folder }).then(|| answer.to_vec())
    }
}

/// Forgets all proofs in `dir`.
///
/// # Errors
/// One of them is still there.
pub(crate) fn forget(dir: &Path) -> io::Result<()> {
    let folder = dir.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        match fs::remove_file(entry?.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Facts in one block, whose paths are written one from the other.
const BLOCK: usize = 512;

/// After [`MAGIC`]: the checksum of all that follows (16 bytes); the question (32); the answer with
/// its length; then blocks with their lengths, each of up to [`BLOCK`] facts. A fact: how many bytes
/// its path shares with the one before it in the block (2), the rest with its length (2), a byte for
/// the sort of fact, and its value. All numbers are little-endian; lengths are 4 bytes.
fn encode(question: Question, answer: &[u8], mut facts: Vec<(Vec<u8>, Fact)>) -> Vec<u8> {
    facts.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut body = question.0.as_bytes().to_vec();
    put(&mut body, answer);
    for block in facts.chunks(BLOCK) {
        let mut bytes = Vec::new();
        let mut before: &[u8] = b"";
        for (path, fact) in block {
            let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
            // No system has longer paths, and what is cut off would be no fact that holds.
            let shared = shared.min(usize::from(u16::MAX));
            let rest = &path[shared..path.len().min(shared + usize::from(u16::MAX))];
            bytes.extend_from_slice(&(shared as u16).to_le_bytes());
            bytes.extend_from_slice(&(rest.len() as u16).to_le_bytes());
            bytes.extend_from_slice(rest);
            put_fact(&mut bytes, fact);
            before = path;
        }
        put(&mut body, &bytes);
    }
    [&MAGIC[..], &checksum(&body), &body].concat()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_fact(out: &mut Vec<u8>, fact: &Fact) {
    match fact {
        Fact::Absent => out.push(0),
        Fact::Is(kind) => out.extend_from_slice(&[1, *kind as u8]),
        Fact::Same(dev, ino) => {
            out.push(2);
            out.extend_from_slice(&dev.to_le_bytes());
            out.extend_from_slice(&ino.to_le_bytes());
        }
        Fact::Seen(seen) => {
            out.push(3);
            seen.encode(out);
        }
        Fact::LeadsTo(None) => out.push(4),
        Fact::LeadsTo(Some(stamp)) => {
            out.push(5);
            stamp.encode(out);
        }
    }
}

/// The answer and the blocks.
fn decode(question: Question, bytes: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let (sum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<16>()?;
    if checksum(body) != *sum {
        return None;
    }
    let mut rest = body.strip_prefix(question.0.as_bytes())?;
    let answer = take(&mut rest)?;
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        blocks.push(take(&mut rest)?);
    }
    Some((answer, blocks))
}

fn take<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some(taken)
}

/// The workspace. Most paths are asked for from the open folder, which costs less.
struct Root<'r> {
    path: &'r Path,
    folder: OwnedFd,
}

/// A thread that asks for facts asks for at least so many blocks: it costs 60 µs, a fact half a
/// microsecond.
const LEAST_BLOCKS: usize = 2;

/// More threads only wait for each other.
const MOST_THREADS: usize = 8;

/// Whether each fact of all blocks is so.
fn hold(blocks: &[&[u8]], root: &Root<'_>) -> bool {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let threads = (blocks.len() / LEAST_BLOCKS).clamp(1, processors);
    let of = |part: &[&[u8]]| part.iter().all(|block| block_holds(block, root).unwrap_or(false));
    thread::scope(|scope| {
        let mut parts = blocks.chunks(blocks.len().div_ceil(threads).max(1));
        let own = parts.next().unwrap_or_default();
        let spawn = |part| (part, thread::Builder::new().spawn_scoped(scope, move || of(part)));
        let others: Vec<_> = parts.map(spawn).collect();
        let mut all = of(own);
        for (part, thread) in others {
            // Where the system gives no thread, this one asks.
            all &= match thread {
                Ok(thread) => thread.join().unwrap_or(false),
                Err(_) => of(part),
            };
        }
        all
    })
}

/// Whether each fact of a block is so; `None` if it cannot be read or asked.
fn block_holds(mut block: &[u8], root: &Root<'_>) -> Option<bool> {
    let mut path = Vec::new();
    while !block.is_empty() {
        let (shared, rest) = block.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (tail, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        path.truncate(usize::from(u16::from_le_bytes(*shared)));
        path.extend_from_slice(tail);
        let (&sort, rest) = rest.split_first()?;
        block = rest;
        if !fact_holds(sort, &mut block, OsStr::from_bytes(&path), root)? {
            return Some(false);
        }
    }
    Some(true)
}

fn fact_holds(sort: u8, value: &mut &[u8], path: &OsStr, root: &Root<'_>) -> Option<bool> {
    let now = |flags| match rustix::fs::statat(&root.folder, path_or_dot(path), flags) {
        Ok(stat) => Some(Some(Stamp::from_stat(&stat))),
        Err(Errno::NOENT | Errno::NOTDIR) => Some(None),
        Err(_) => None,
    };
    let link = || now(AtFlags::SYMLINK_NOFOLLOW);
    Some(match sort {
        0 => link()?.is_none(),
        1 => {
            let (&kind, rest) = value.split_first()?;
            *value = rest;
            link()?.is_some_and(|stamp| stamp.kind() as u8 == kind)
        }
        2 => {
            let (dev, rest) = value.split_first_chunk()?;
            let (ino, rest) = rest.split_first_chunk()?;
            *value = rest;
            let expected = (u64::from_le_bytes(*dev), u64::from_le_bytes(*ino));
            link()?.is_some_and(|stamp| (stamp.dev, stamp.ino) == expected)
        }
        3 => {
            let expected = Seen::decode(value)?;
            match link()? {
                Some(stamp) if stamp.kind() != FileKind::Symlink => {
                    expected == Seen { link: stamp, file: None }
                }
                // Asked as whoever saw it did, loops of links and folders behind them included.
                _ => Seen::of(&root.path.join(path)).ok()? == Some(expected),
            }
        }
        4 => now(AtFlags::empty())?.is_none(),
        5 => {
            let expected = Stamp::decode(value)?;
            now(AtFlags::empty())? == Some(expected)
        }
        _ => return None,
    })
}

/// A folder is asked for by name; the workspace itself has none.
fn path_or_dot(path: &OsStr) -> &OsStr {
    if path.is_empty() { OsStr::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::random::Random;

    const ASKED: Question = Question(Digest::from_bytes([7; 32]));

    /// A workspace with a folder of state, and facts of all sorts that are so.
    fn world() -> (tempfile::TempDir, Vec<(Vec<u8>, Fact)>) {
        let world = tempfile::tempdir().unwrap();
        let root = world.path();
        fs::create_dir(root.join("state")).unwrap();
        fs::create_dir_all(root.join("src/deep")).unwrap();
        let mut facts = Vec::new();
        for number in 0..3 * BLOCK {
            let path = format!("src/{number:05}.c");
            fs::write(root.join(&path), "x").unwrap();
            let seen = Seen::of(&root.join(&path)).unwrap().unwrap();
            facts.push((path.into_bytes(), Fact::Seen(seen)));
        }
        symlink("00001.c", root.join("src/link")).unwrap();
        symlink("nowhere", root.join("src/broken")).unwrap();
        for link in ["src/link", "src/broken"] {
            let seen = Seen::of(&root.join(link)).unwrap().unwrap();
            facts.push((link.into(), Fact::Seen(seen)));
        }
        let deep = Stamp::of(&root.join("src/deep")).unwrap().unwrap();
        facts.push((b"src/none".to_vec(), Fact::Absent));
        facts.push((b"src".to_vec(), Fact::Is(FileKind::Dir)));
        facts.push((b"src/deep".to_vec(), Fact::Same(deep.dev, deep.ino)));
        facts.push((b"src/deep".to_vec(), Fact::LeadsTo(Some(deep))));
        facts.push((b"".to_vec(), Fact::LeadsTo(Stamp::of(root).unwrap())));
        facts.push((b"src/broken".to_vec(), Fact::LeadsTo(None)));
        facts.push((
            root.join("src/00003.c").into_os_string().into_encoded_bytes(),
            Fact::LeadsTo(Stamp::of(&root.join("src/00003.c")).unwrap()),
        ));
        (world, facts)
    }

    fn proved() -> (tempfile::TempDir, PathBuf) {
        let (world, facts) = world();
        let state = world.path().join("state");
        ASKED.prove(&state, b"answer", facts).unwrap();
        (world, state)
    }

    fn answer(world: &tempfile::TempDir) -> Option<Vec<u8>> {
        ASKED.answer(&world.path().join("state"), world.path())
    }

    #[test]
    fn what_is_as_it_was_has_its_answer_and_each_change_has_none() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 12] = [
            ("first", |root| fs::write(root.join("src/00000.c"), "yy").unwrap()),
            ("last", |root| fs::write(root.join("src/01535.c"), "yy").unwrap()),
            ("gone", |root| fs::remove_file(root.join("src/00700.c")).unwrap()),
            ("appeared", |root| fs::write(root.join("src/none"), "").unwrap()),
            ("in a folder", |root| fs::write(root.join("src/deep/new"), "").unwrap()),
            ("in the workspace", |root| fs::write(root.join("new"), "").unwrap()),
            ("another folder", |root| {
                fs::rename(root.join("src/deep"), root.join("src/old")).unwrap();
                fs::create_dir(root.join("src/deep")).unwrap();
            }),
            ("no folder", |root| {
                fs::rename(root.join("src"), root.join("old")).unwrap();
                fs::write(root.join("src"), "").unwrap();
            }),
            ("behind a link", |root| fs::write(root.join("src/00001.c"), "yy").unwrap()),
            ("a link that leads somewhere", |root| {
                fs::write(root.join("src/nowhere"), "").unwrap();
            }),
            ("another link", |root| {
                fs::remove_file(root.join("src/link")).unwrap();
                symlink("00002.c", root.join("src/link")).unwrap();
            }),
            ("the same bytes", |root| {
                let path = root.join("src/00009.c");
                fs::write(root.join("copy"), "x").unwrap();
                fs::rename(root.join("copy"), path).unwrap();
            }),
        ];
        for (what, change) in changes {
            let (world, _) = proved();
            assert_eq!(answer(&world).as_deref(), Some(&b"answer"[..]), "{what}");
            change(world.path());
            assert_eq!(answer(&world), None, "{what}");
        }
    }

    #[test]
    fn another_question_and_a_forgotten_proof_have_no_answer() {
        let (world, state) = proved();
        let other = Question(Digest::from_bytes([8; 32]));
        assert_eq!(other.answer(&state, world.path()), None);
        // Its name alone makes a proof no other's.
        fs::copy(ASKED.path(&state), other.path(&state)).unwrap();
        assert_eq!(other.answer(&state, world.path()), None);
        forget(&state).unwrap();
        assert_eq!(answer(&world), None);
        forget(&state).unwrap();
        forget(&world.path().join("none")).unwrap();
    }

    #[test]
    fn each_truncation_and_each_flipped_byte_is_no_proof() {
        let (world, state) = proved();
        let path = ASKED.path(&state);
        let bytes = fs::read(&path).unwrap();
        let mut random = Random(1);
        for round in 0..300 {
            let mut damaged = bytes.clone();
            match round % 2 {
                0 => damaged.truncate(random.below(bytes.len())),
                _ => damaged[random.below(bytes.len())] ^= 1 << random.below(8),
            }
            fs::write(&path, damaged).unwrap();
            assert_eq!(answer(&world), None, "{round}");
        }
        fs::write(&path, &bytes).unwrap();
        assert!(answer(&world).is_some());
    }

    #[test]
    fn so_many_are_kept() {
        let (world, facts) = world();
        let state = world.path().join("state");
        for number in 0..3 * MOST as u8 {
            let question = Question(Digest::from_bytes([number; 32]));
            question.prove(&state, &[number], facts[..3].to_vec()).unwrap();
            assert_eq!(question.answer(&state, world.path()), Some(vec![number]));
            assert!(fs::read_dir(state.join(FOLDER)).unwrap().count() <= MOST);
        }
    }
}
