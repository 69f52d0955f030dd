//! Proofs: what a build saw of the disk, so that the next one need only look whether it is as it was.
//!
//! A proof says: whoever asks this question again, and finds each of these facts as it was, gets
//! the same answer. It is one file, read in one piece and checked on a few threads: no state is
//! read, no Taskfile understood, nothing decided. Each fact has its readers, numbers that mean
//! something to the caller alone: if it is no longer so, the answer is in doubt only as far as it
//! rests on them. A fact without readers is everybody's. Knows neither tasks nor what the answer
//! means. Whether the facts are all that it depends on is the matter of who writes it.
//!
//! A proof may be lost at any time. It is forgotten before anything that it rests on is changed by
//! taskr itself: [`Writer`](crate::Writer) and [`Intents`](crate::Intents) do so by themselves.

mod blocks;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use blocks::{Walk, merged};

use crate::content::{Content, Seen, measure_at};
use crate::digest::{Digest, checksum, checksum_of};
use crate::names::names_at;
use crate::resting::{Folder, NAME_BYTES};
use crate::spread::spread;
use crate::stamp::{FileKind, Stamp};

pub use blocks::Basis;

/// So many are kept: one for each question that is asked in turn.
const MOST: usize = 16;

/// How a proof begins. The number moves with the layout and with what facts mean.
const MAGIC: &[u8; 16] = b"taskr proof v5\r\n";

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
    /// A regular file with this content. What has this stamp has it, and is not read; none if no stamp
    /// may stand for it.
    Holds(Option<Stamp>, Content),
    /// What the path leads to, links followed: nothing, or something with this stamp.
    LeadsTo(Option<Stamp>),
    /// It leads to a folder with these names in it, as of [`names_at`]. What has this stamp has them,
    /// and is not read.
    Lists(Stamp, Digest),
    /// Nothing that can be told by looking again: it never counts as being so.
    Doubtful,
}

/// A fact, and who rests on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Relative to the workspace, or absolute.
    pub path: Vec<u8>,
    /// What was seen there.
    pub fact: Fact,
    /// Whose answer is in doubt if it is no longer so, ascending; nobody: everybody's.
    pub readers: Vec<u32>,
}

impl Claim {
    /// A fact that everybody rests on.
    pub fn of_all(path: Vec<u8>, fact: Fact) -> Claim {
        Claim { path, fact, readers: Vec::new() }
    }
}

/// What more read than so many is everybody's: it takes room, and if it changes most is in doubt.
const MOST_READERS: usize = 255;

/// A question: what was asked, and by whom. Two that differ in anything have different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question(pub Digest);

/// A proof, and how it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The whole file, looked over once.
    bytes: Arc<Vec<u8>>,
    moved: Vec<Moved>,
    renewed: Renewed,
}

/// Files and folders that were read and hold what they held, and the stamps that they have now.
type Renewed = FxHashMap<Vec<u8>, Stamp>;

/// The path of a fact that is no longer so, and who rests on it.
pub type Moved = (Vec<u8>, Vec<u32>);

/// What of a proof still counts beside what was seen anew.
pub struct Again<'a> {
    /// Who was judged again: of his all is new.
    pub is_judged: &'a dyn Fn(u32) -> bool,
    /// What is left out.
    pub is_gone: &'a dyn Fn(&[u8]) -> bool,
    /// Whether one who was not judged would make the same of what was seen anew at a path.
    pub is_same: &'a dyn Fn(&[u8], u32) -> bool,
}

impl Standing {
    /// The answer.
    pub fn answer(&self) -> &[u8] {
        Parts::of(&self.bytes).map_or(&[], |parts| parts.answer)
    }

    /// The facts that are no longer so.
    pub fn moved(&self) -> &[Moved] {
        &self.moved
    }

    /// Whether files or folders have other stamps and hold what they held.
    pub fn is_renewed(&self) -> bool {
        !self.renewed.is_empty()
    }

    /// Keeps only those of the new stamps that may stand for what was read.
    pub fn settle(&mut self, mut is_settled: impl FnMut(&[u8], &Stamp) -> bool) {
        self.renewed.retain(|path, stamp| is_settled(path, stamp));
    }

    /// Who rests on these, ascending, each once.
    pub fn doubted(&self) -> Vec<u32> {
        let mut doubted: Vec<u32> =
            self.moved.iter().flat_map(|(_, readers)| readers).copied().collect();
        doubted.sort_unstable();
        doubted.dedup();
        doubted
    }

    /// The paths of facts that some of these rest on, as far as these alone are asked about.
    pub fn paths_of(&self, is_one: impl Fn(u32) -> bool) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        for block in self.blocks() {
            let mut walk = Walk::over(block);
            while let Some(Some(())) = walk.next() {
                if walk.each_reader().any(&is_one) {
                    paths.push(walk.path.clone());
                }
            }
        }
        paths
    }

    /// What it rests on, with what was seen anew: of those that were judged again all is new, of the
    /// others nothing.
    ///
    /// Where both looked at the same file and saw different things, nobody can tell what the former
    /// would make of it, if not `again` does: then it is doubtful. Files that hold what they held have
    /// their new stamps. None if it cannot be read.
    pub fn basis_with(&self, new: Vec<Claim>, again: &Again<'_>) -> Option<Basis<'_>> {
        let (shared, mut others): (Vec<Claim>, Vec<Claim>) =
            new.into_iter().partition(|claim| !claim.readers.is_empty());
        let mut shared: FxHashMap<Vec<u8>, Claim> =
            shared.into_iter().map(|claim| (claim.path.clone(), claim)).collect();
        let mut blocks = Vec::new();
        for block in self.blocks() {
            let mut walk = Walk::over(block);
            let mut moves = false;
            while let Some(next) = walk.next() {
                next?;
                moves |= walk.each_reader().any(again.is_judged)
                    || shared.contains_key(&walk.path)
                    || self.renewed.contains_key(&walk.path)
                    || (again.is_gone)(&walk.path);
            }
            match moves {
                false => blocks.push(Cow::Borrowed(block)),
                true => {
                    let all = merged(block, &mut shared, &self.renewed, again)?;
                    blocks.push(Cow::Owned(all));
                }
            }
        }
        others.extend(shared.into_values());
        blocks.extend(Basis::new(others).blocks);
        Some(Basis { blocks })
    }

    fn blocks(&self) -> Vec<&[u8]> {
        Parts::of(&self.bytes).map(|parts| parts.blocks).unwrap_or_default()
    }

    /// Whether what everybody rests on is so now, in the workspace `root`.
    pub fn still_holds_for_all(&self, root: &Path) -> bool {
        let holds = || {
            let (root, mut buffer) = (Root::open(root)?, Vec::new());
            for block in Parts::of(&self.bytes)?.blocks {
                let mut walk = Walk::over(block);
                while let Some(next) = walk.next() {
                    next?;
                    let path = OsStr::from_bytes(&walk.path);
                    let holds = match walk.is_of_all() {
                        true => walk.fact()?.look(path, &root)?.read(path, &root, &mut buffer),
                        false => true,
                    };
                    holds.then_some(())?;
                }
            }
            Some(())
        };
        holds().is_some()
    }
}

impl Question {
    fn name(self) -> String {
        self.0.to_string()[..NAME_BYTES].to_owned()
    }

    /// Keeps the answer, and what it rests on, in `dir`.
    ///
    /// # Errors
    /// It could not be written. Then there is none.
    pub fn prove(self, dir: &Path, answer: &[u8], basis: &Basis<'_>) -> io::Result<()> {
        let folder = Folder::make(dir)?;
        folder.leave_room("", MOST)?;
        encoded(self, answer, basis, |pieces| folder.write(&self.name(), pieces))
    }

    /// Keeps the proof that stands so with the new stamps of what holds what it held, if it is still
    /// there: nobody has changed anything then. The lock is the caller's.
    ///
    /// # Errors
    /// It could not be written.
    pub fn renew(self, dir: &Path, standing: &Standing) -> io::Result<()> {
        let folder = Folder::make(dir)?;
        let nobody = Again { is_judged: &|_| false, is_gone: &|_| false, is_same: &|_, _| false };
        match (folder.read(&self.name()), standing.basis_with(Vec::new(), &nobody)) {
            (Some(there), Some(basis)) if there == *standing.bytes => {
                encoded(self, standing.answer(), &basis, |pieces| {
                    folder.write(&self.name(), pieces)
                })
            }
            _ => Ok(()),
        }
    }

    /// Keeps what goes with proofs of this question in `dir`: it stays when they are forgotten. Of
    /// which proof it is who proves has to say.
    ///
    /// # Errors
    /// It could not be written.
    pub fn keep(self, dir: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = Folder::make(dir)?;
        folder.leave_room(KEPT, MOST_KEPT)?;
        folder.write(&format!("{}{KEPT}", self.name()), &[bytes])
    }

    /// What was kept in `dir`, if it can be read.
    pub fn kept(self, dir: &Path) -> Option<Vec<u8>> {
        Folder::open(dir).ok()??.read(&format!("{}{KEPT}", self.name()))
    }

    /// The proof in `dir`, if there is one and all that everybody rests on is so now, in the
    /// workspace `root`. Whatever cannot be read or asked is no proof. As soon as somebody is in
    /// doubt `in_doubt` is called, on any thread and once or more, while others go on.
    pub fn standing(
        self,
        dir: &Path,
        root: &Path,
        in_doubt: &(dyn Fn() + Sync),
    ) -> Option<Standing> {
        let bytes = Folder::open(dir).ok()??.read(&self.name())?;
        let parts = if is_whole(self, &bytes) { Parts::of(&bytes)? } else { return None };
        let root = Root::open(root)?;
        let other = others(&parts.blocks, &root, in_doubt)?;
        let (moved, renewed) = read_again(other, &root, in_doubt)?;
        Some(Standing { bytes: Arc::new(bytes), moved, renewed })
    }
}

/// What is kept with proofs has their name and this.
const KEPT: &str = ".kept";

/// So many of that there may be: it can be large.
const MOST_KEPT: usize = 4;

/// After [`MAGIC`]: the checksum of all that follows (16 bytes); the question (32); the answer with
/// its length; then blocks with their lengths, each of a few hundred claims. Lengths are 4 bytes,
/// little-endian. Its pieces are not copied: most of it may be another proof's.
fn encoded<T>(
    question: Question,
    answer: &[u8],
    basis: &Basis<'_>,
    hand_over: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    let parts: Vec<&[u8]> =
        [answer].into_iter().chain(basis.blocks.iter().map(|block| &**block)).collect();
    let length = |part: &&[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
    let lengths: Vec<[u8; 4]> = parts.iter().map(length).collect();
    let parts = lengths.iter().zip(parts).flat_map(|(length, part)| [&length[..], part]);
    let body: Vec<&[u8]> = [&question.0.as_bytes()[..]].into_iter().chain(parts).collect();
    let sum = checksum_of(&body);
    hand_over(&[&[&MAGIC[..], &sum], &body[..]].concat())
}

/// What stands before the answer: [`MAGIC`], the checksum, the question.
const HEAD_BYTES: usize = 16 + 16 + 32;

/// Whether this is the proof of a question, and undamaged.
fn is_whole(question: Question, bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(MAGIC).and_then(<[u8]>::split_first_chunk::<16>);
    rest.is_some_and(|(sum, body)| {
        body.starts_with(question.0.as_bytes()) && checksum(body) == *sum
    })
}

/// The answer and the blocks of claims.
struct Parts<'b> {
    answer: &'b [u8],
    blocks: Vec<&'b [u8]>,
}

impl Parts<'_> {
    fn of(bytes: &[u8]) -> Option<Parts<'_>> {
        let mut rest = bytes.get(HEAD_BYTES..)?;
        let answer = take(&mut rest)?;
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            blocks.push(take(&mut rest)?);
        }
        Some(Parts { answer, blocks })
    }
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

impl<'r> Root<'r> {
    fn open(path: &'r Path) -> Option<Root<'r>> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).ok()?;
        Some(Root { path, folder })
    }
}

/// A thread that asks for facts asks for at least so many blocks: it costs 60 µs, a fact half a
/// microsecond.
const LEAST_BLOCKS: usize = 2;

/// What a look at a fact gives.
enum Look {
    Same,
    Other,
    /// The file has another stamp, this one, and may hold what it held.
    Unread(Stamp, Content),
    /// It has another stamp, this one, and is as it was.
    Renewed(Stamp),
}

impl Look {
    /// Whether it is so; for this the file is read.
    fn read(&self, path: &OsStr, root: &Root<'_>, buffer: &mut Vec<u8>) -> bool {
        match self {
            Look::Same | Look::Renewed(_) => true,
            Look::Other => false,
            Look::Unread(stamp, content) => {
                let seen = Seen { link: *stamp, file: None };
                let now = measure_at(root.folder.as_fd(), Path::new(path), &seen, buffer);
                now.is_ok_and(|now| now.as_ref() == Some(content))
            }
        }
    }

    /// The stamp that it has instead of the one that it had.
    fn stamp(&self) -> Option<Stamp> {
        match *self {
            Look::Same | Look::Other => None,
            Look::Unread(stamp, _) | Look::Renewed(stamp) => Some(stamp),
        }
    }
}

/// A fact that is not so by its looks.
struct Odd {
    path: Vec<u8>,
    readers: Vec<u32>,
    look: Look,
}

/// The facts that are not so by their looks; none if everybody rests on one that is not so whatever is
/// in it.
fn others(blocks: &[&[u8]], root: &Root<'_>, in_doubt: &(dyn Fn() + Sync)) -> Option<Vec<Odd>> {
    let is_lost = AtomicBool::new(false);
    let found = spread(blocks, LEAST_BLOCKS, |block, (): &mut ()| {
        // What the others would find is of no use then.
        if is_lost.load(Ordering::Relaxed) {
            return None;
        }
        let odd = others_in(block, root);
        is_lost.fetch_or(odd.is_none(), Ordering::Relaxed);
        if odd.iter().flatten().any(|odd| matches!(odd.look, Look::Other)) {
            in_doubt();
        }
        odd
    });
    let found: Option<Vec<Vec<Odd>>> = found.into_iter().collect();
    Some(found?.into_iter().flatten().collect())
}

/// As [`others`], in a block. None, too, if it cannot be read or asked.
fn others_in(block: &[u8], root: &Root<'_>) -> Option<Vec<Odd>> {
    let (mut walk, mut odd) = (Walk::over(block), Vec::new());
    while let Some(next) = walk.next() {
        next?;
        let look = walk.fact()?.look(OsStr::from_bytes(&walk.path), root)?;
        match look {
            Look::Same => {}
            Look::Other if walk.is_of_all() => return None,
            Look::Other | Look::Unread(..) | Look::Renewed(_) => {
                let readers = walk.each_reader().collect();
                odd.push(Odd { path: walk.path.clone(), readers, look });
            }
        }
    }
    Some(odd)
}

/// A thread that reads files reads at least so many, or fewer if they are large.
const LEAST_FILES: usize = 16;
const MANY_BYTES: u64 = 1 << 20;

/// Where more than this many files, and more than half of those that were read, hold something else,
/// no other is read: who is in doubt will be judged, and the files read then.
const MOST_IN_VAIN: usize = 16;

/// Reads what has another stamp: what has moved, and what holds what it held. None if everybody rests
/// on something that moved.
fn read_again(
    odd: Vec<Odd>,
    root: &Root<'_>,
    in_doubt: &(dyn Fn() + Sync),
) -> Option<(Vec<Moved>, Renewed)> {
    let sizes = odd.iter().filter_map(|odd| odd.look.stamp()).map(|stamp| stamp.size);
    let bytes = sizes.fold(0, u64::saturating_add);
    let least = if bytes < MANY_BYTES { LEAST_FILES } else { 1 };
    let (equal, vain) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let holds = spread(&odd, least, |odd, buffer: &mut Vec<u8>| {
        let Look::Unread(..) = odd.look else { return odd.look.stamp().is_some() };
        if vain.load(Ordering::Relaxed) > MOST_IN_VAIN.max(equal.load(Ordering::Relaxed)) {
            return false;
        }
        let holds = odd.look.read(OsStr::from_bytes(&odd.path), root, buffer);
        if holds { &equal } else { &vain }.fetch_add(1, Ordering::Relaxed);
        if !holds {
            in_doubt();
        }
        holds
    });
    let (mut moved, mut renewed) = (Vec::new(), Renewed::default());
    for (odd, holds) in odd.into_iter().zip(holds) {
        match odd.look.stamp() {
            Some(stamp) if holds => drop(renewed.insert(odd.path, stamp)),
            _ if odd.readers.is_empty() => return None,
            _ => moved.push((odd.path, odd.readers)),
        }
    }
    Some((moved, renewed))
}

impl Fact {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
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
            Fact::Doubtful => out.push(6),
            Fact::Holds(stamp, content) => {
                out.extend_from_slice(&[7, u8::from(stamp.is_some())]);
                stamp.iter().for_each(|stamp| stamp.encode(out));
                content.encode(out);
            }
            Fact::Lists(stamp, names) => {
                out.push(8);
                stamp.encode(out);
                out.extend_from_slice(names.as_bytes());
            }
        }
    }

    /// How many bytes at the front of these [`Fact::decode`] would read.
    fn bytes(bytes: &[u8]) -> Option<usize> {
        Some(match bytes.first()? {
            0 | 4 | 6 => 1,
            1 => 2,
            2 => 1 + 16,
            // Two stamps, of which the second may be none.
            3 => match bytes.get(1 + Stamp::BYTES)? {
                0 => 2 + Stamp::BYTES,
                1 => 2 + 2 * Stamp::BYTES,
                _ => return None,
            },
            5 => 1 + Stamp::BYTES,
            // A stamp, which may be none, and the content of a file.
            7 => match bytes.get(1)? {
                0 => 2 + Content::MOST_BYTES,
                1 => 2 + Stamp::BYTES + Content::MOST_BYTES,
                _ => return None,
            },
            8 => 1 + Stamp::BYTES + 32,
            _ => return None,
        })
    }

    /// Reads what [`Fact::encode`] wrote, and moves `bytes` behind it.
    fn decode(bytes: &mut &[u8]) -> Option<Fact> {
        let (&sort, rest) = bytes.split_first()?;
        *bytes = rest;
        Some(match sort {
            0 => Fact::Absent,
            1 => {
                let (&kind, rest) = bytes.split_first()?;
                *bytes = rest;
                Fact::Is(*KINDS.get(usize::from(kind))?)
            }
            2 => {
                let (dev, rest) = bytes.split_first_chunk()?;
                let (ino, rest) = rest.split_first_chunk()?;
                *bytes = rest;
                Fact::Same(u64::from_le_bytes(*dev), u64::from_le_bytes(*ino))
            }
            3 => Fact::Seen(Seen::decode(bytes)?),
            4 => Fact::LeadsTo(None),
            5 => Fact::LeadsTo(Some(Stamp::decode(bytes)?)),
            6 => Fact::Doubtful,
            7 => {
                let (&has_stamp, rest) = bytes.split_first()?;
                *bytes = rest;
                let stamp = if has_stamp == 1 { Some(Stamp::decode(bytes)?) } else { None };
                Fact::Holds(stamp, Content::decode(bytes)?)
            }
            8 => {
                let stamp = Stamp::decode(bytes)?;
                let (names, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Fact::Lists(stamp, Digest::from_bytes(*names))
            }
            _ => return None,
        })
    }

    /// The stamps that it rests on.
    pub fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let (first, second) = match self {
            Fact::Seen(seen) => (Some(&seen.link), seen.file.as_ref()),
            Fact::LeadsTo(stamp) | Fact::Holds(stamp, _) => (stamp.as_ref(), None),
            Fact::Lists(stamp, _) => (Some(stamp), None),
            Fact::Absent | Fact::Is(_) | Fact::Same(..) | Fact::Doubtful => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The same with another stamp.
    fn with(self, stamp: Stamp) -> Fact {
        match self {
            Fact::Holds(_, content) => Fact::Holds(Some(stamp), content),
            Fact::Lists(_, names) => Fact::Lists(stamp, names),
            other => other,
        }
    }

    /// Whether both say the same of what lies there, whatever its stamps.
    fn agrees(&self, other: &Fact) -> bool {
        match (self, other) {
            (Fact::Holds(_, one), Fact::Holds(_, other)) => one == other,
            (Fact::Lists(_, one), Fact::Lists(_, other)) => one == other,
            _ => self == other,
        }
    }

    /// What can be told without reading a file; `None` if it cannot be asked.
    fn look(&self, path: &OsStr, root: &Root<'_>) -> Option<Look> {
        let now = |flags| match rustix::fs::statat(&root.folder, path_or_dot(path), flags) {
            Ok(stat) => Some(Some(Stamp::from_stat(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Some(None),
            Err(_) => None,
        };
        let link = || now(AtFlags::SYMLINK_NOFOLLOW);
        let is_so = match *self {
            Fact::Absent => link()?.is_none(),
            Fact::Is(kind) => link()?.is_some_and(|stamp| stamp.kind() == kind),
            Fact::Same(dev, ino) => {
                link()?.is_some_and(|stamp| (stamp.dev, stamp.ino) == (dev, ino))
            }
            Fact::Seen(expected) => match link()? {
                Some(stamp) if stamp.kind() != FileKind::Symlink => {
                    expected == Seen { link: stamp, file: None }
                }
                // Asked as whoever saw it did, loops of links and folders behind them included.
                _ => Seen::of(&root.path.join(path)).ok()? == Some(expected),
            },
            Fact::LeadsTo(expected) => now(AtFlags::empty())? == expected,
            Fact::Lists(stamp, names) => match now(AtFlags::empty())? {
                Some(now) if now == stamp => true,
                // There are few of them, and what is another here ends it for all.
                Some(now) if now.kind() == FileKind::Dir => {
                    let found = names_at(root.folder.as_fd(), Path::new(path_or_dot(path))).ok()?;
                    let is_same = found == Some((now, names));
                    return Some(if is_same { Look::Renewed(now) } else { Look::Other });
                }
                _ => false,
            },
            Fact::Holds(stamp, content) => match link()? {
                now if stamp.is_some() && now == stamp => true,
                Some(now) if now.kind() == FileKind::File => match stamp {
                    // Of another length it is another.
                    Some(stamp) if stamp.size != now.size => false,
                    _ => return Some(Look::Unread(now, content)),
                },
                _ => false,
            },
            Fact::Doubtful => false,
        };
        Some(if is_so { Look::Same } else { Look::Other })
    }
}

/// In the order of their numbers.
const KINDS: [FileKind; 4] = [FileKind::File, FileKind::Dir, FileKind::Symlink, FileKind::Other];

/// A folder is asked for by name; the workspace itself has none.
fn path_or_dot(path: &OsStr) -> &OsStr {
    if path.is_empty() { OsStr::new(".") } else { path }
}
