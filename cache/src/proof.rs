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

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::content::Seen;
use crate::digest::{Digest, checksum};
use crate::resting::{Folder, NAME_BYTES};
use crate::spread::spread;
use crate::stamp::{FileKind, Stamp};

/// So many are kept: one for each question that is asked in turn.
const MOST: usize = 16;

/// How a proof begins. The number moves with the layout and with what facts mean.
const MAGIC: &[u8; 16] = b"taskr proof v3\r\n";

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
    doubted: Vec<u32>,
}

impl Standing {
    /// The answer.
    pub fn answer(&self) -> &[u8] {
        Parts::of(&self.bytes).map_or(&[], |parts| parts.answer)
    }

    /// Who rests on facts that are no longer so, ascending, each once.
    pub fn doubted(&self) -> &[u32] {
        &self.doubted
    }

    /// The paths of facts that some of these rest on, as far as these alone are asked about.
    pub fn paths_of(&self, is_one: impl Fn(u32) -> bool) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        for block in self.blocks() {
            let mut walk = Walk::over(block);
            while let Some(Some(_)) = walk.next() {
                if walk.each_reader().any(&is_one) {
                    paths.push(walk.path.clone());
                }
            }
        }
        paths
    }

    /// What it rests on, with what was seen anew: of those that were judged again all is new, of the
    /// others nothing. What is `gone` is left out.
    ///
    /// Where both looked at the same file and saw different things, nobody can tell what the former
    /// would make of it: then it is doubtful.
    pub fn basis_with(
        &self,
        new: Vec<Claim>,
        is_judged: impl Fn(u32) -> bool,
        is_gone: impl Fn(&[u8]) -> bool,
    ) -> Basis {
        let (shared, mut others): (Vec<Claim>, Vec<Claim>) =
            new.into_iter().partition(|claim| !claim.readers.is_empty());
        let mut shared: FxHashMap<Vec<u8>, Claim> =
            shared.into_iter().map(|claim| (claim.path.clone(), claim)).collect();
        let mut blocks = Vec::new();
        for block in self.blocks() {
            let mut walk = Walk::over(block);
            let mut moves = false;
            while let Some(Some(_)) = walk.next() {
                moves |= walk.each_reader().any(&is_judged)
                    || shared.contains_key(&walk.path)
                    || is_gone(&walk.path);
            }
            match moves {
                false => blocks.push(block.to_vec()),
                true => blocks.push(merged(block, &mut shared, (&is_judged, &is_gone))),
            }
        }
        others.extend(shared.into_values());
        blocks.extend(Basis::new(others).blocks);
        Basis { blocks }
    }

    fn blocks(&self) -> Vec<&[u8]> {
        Parts::of(&self.bytes).map(|parts| parts.blocks).unwrap_or_default()
    }

    /// Whether what everybody rests on is so now, in the workspace `root`.
    pub fn still_holds_for_all(&self, root: &Path) -> bool {
        let holds = || {
            let root = Root::open(root)?;
            for block in Parts::of(&self.bytes)?.blocks {
                let mut walk = Walk::over(block);
                while let Some(fact) = walk.next() {
                    let (fact, path) = (fact?, OsStr::from_bytes(&walk.path));
                    if walk.readers.is_empty() && !fact.is_so(path, &root)? {
                        return None;
                    }
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
    pub fn prove(self, dir: &Path, answer: &[u8], basis: &Basis) -> io::Result<()> {
        let folder = Folder::make(dir)?;
        folder.leave_room("", MOST)?;
        folder.write(&self.name(), &encode(self, answer, basis))
    }

    /// Keeps what goes with proofs of this question in `dir`: it stays when they are forgotten. Of
    /// which proof it is who proves has to say.
    ///
    /// # Errors
    /// It could not be written.
    pub fn keep(self, dir: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = Folder::make(dir)?;
        folder.leave_room(KEPT, MOST_KEPT)?;
        folder.write(&format!("{}{KEPT}", self.name()), bytes)
    }

    /// What was kept in `dir`, if it can be read.
    pub fn kept(self, dir: &Path) -> Option<Vec<u8>> {
        Folder::open(dir).ok()??.read(&format!("{}{KEPT}", self.name()))
    }

    /// The proof in `dir`, if there is one and all that everybody rests on is so now, in the
    /// workspace `root`. Whatever cannot be read or asked is no proof.
    pub fn standing(self, dir: &Path, root: &Path) -> Option<Standing> {
        let bytes = Folder::open(dir).ok()??.read(&self.name())?;
        let parts = if is_whole(self, &bytes) { Parts::of(&bytes)? } else { return None };
        let doubted = doubted(&parts.blocks, &Root::open(root)?)?;
        Some(Standing { bytes: Arc::new(bytes), doubted })
    }
}

/// What is kept with proofs has their name and this.
const KEPT: &str = ".kept";

/// So many of that there may be: it can be large.
const MOST_KEPT: usize = 4;

/// Claims in one block, whose paths are written one from the other.
const BLOCK: usize = 512;

/// What a proof rests on, as it is written: blocks of claims.
#[derive(Clone, Debug, Default)]
pub struct Basis {
    blocks: Vec<Vec<u8>>,
}

impl Basis {
    /// Of these claims.
    pub fn new(mut claims: Vec<Claim>) -> Basis {
        claims.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Basis { blocks: claims.chunks(BLOCK).map(block_of).collect() }
    }
}

/// A claim: how many bytes its path shares with the one before it in the block (2), the rest with its
/// length (2), the number of readers (1), these (4 each), a byte for the sort of fact, and its value.
/// All numbers are little-endian.
fn block_of(claims: &[Claim]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before: &[u8] = b"";
    for Claim { path, fact, readers } in claims {
        let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
        // No system has longer paths, and what is cut off would be no fact that holds.
        let shared = shared.min(usize::from(u16::MAX));
        let rest = &path[shared..path.len().min(shared + usize::from(u16::MAX))];
        bytes.extend_from_slice(&(shared as u16).to_le_bytes());
        bytes.extend_from_slice(&(rest.len() as u16).to_le_bytes());
        bytes.extend_from_slice(rest);
        let few = if readers.len() > MOST_READERS { &[] } else { &readers[..] };
        bytes.push(few.len() as u8);
        few.iter().for_each(|reader| bytes.extend_from_slice(&reader.to_le_bytes()));
        fact.encode(&mut bytes);
        before = path;
    }
    bytes
}

/// A block without what was judged again or is gone, and with what was seen anew of its paths, which
/// is taken from there.
fn merged(
    block: &[u8],
    new: &mut FxHashMap<Vec<u8>, Claim>,
    (is_judged, is_gone): (impl Fn(u32) -> bool, impl Fn(&[u8]) -> bool),
) -> Vec<u8> {
    let (mut claims, mut walk) = (Vec::new(), Walk::over(block));
    while let Some(Some(fact)) = walk.next() {
        let all = walk.each_reader().next().is_none();
        let readers: Vec<u32> = walk.each_reader().filter(|&one| !is_judged(one)).collect();
        if is_gone(&walk.path) {
            continue;
        }
        let other = if all { None } else { new.remove(&walk.path) };
        if readers.is_empty() && !all {
            claims.extend(other);
            continue;
        }
        let mut claim = Claim { path: walk.path.clone(), fact, readers };
        if let Some(other) = other {
            if claim.fact != other.fact {
                claim.fact = Fact::Doubtful;
            }
            claim.readers.extend(other.readers);
            claim.readers.sort_unstable();
            claim.readers.dedup();
        }
        claims.push(claim);
    }
    block_of(&claims)
}

/// After [`MAGIC`]: the checksum of all that follows (16 bytes); the question (32); the answer with
/// its length; then blocks with their lengths, each of a few hundred claims. Lengths are 4 bytes,
/// little-endian.
fn encode(question: Question, answer: &[u8], basis: &Basis) -> Vec<u8> {
    let mut body = question.0.as_bytes().to_vec();
    put(&mut body, answer);
    basis.blocks.iter().for_each(|block| put(&mut body, block));
    [&MAGIC[..], &checksum(&body), &body].concat()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
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

/// Goes through the claims of a block.
struct Walk<'b> {
    rest: &'b [u8],
    path: Vec<u8>,
    readers: &'b [u8],
}

impl<'b> Walk<'b> {
    fn over(block: &'b [u8]) -> Walk<'b> {
        Walk { rest: block, path: Vec::new(), readers: &[] }
    }

    /// The next fact, none within if it cannot be read; path and readers are those of it.
    fn next(&mut self) -> Option<Option<Fact>> {
        (!self.rest.is_empty()).then(|| self.read())
    }

    fn read(&mut self) -> Option<Fact> {
        let (shared, rest) = self.rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (tail, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        self.path.truncate(usize::from(u16::from_le_bytes(*shared)));
        self.path.extend_from_slice(tail);
        let (&count, rest) = rest.split_first()?;
        (self.readers, self.rest) = rest.split_at_checked(4 * usize::from(count))?;
        Fact::decode(&mut self.rest)
    }

    fn each_reader(&self) -> impl Iterator<Item = u32> {
        self.readers.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }
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

/// Who rests on facts that are not so; none if everybody does.
fn doubted(blocks: &[&[u8]], root: &Root<'_>) -> Option<Vec<u32>> {
    let is_lost = AtomicBool::new(false);
    let found = spread(blocks, LEAST_BLOCKS, |block, (): &mut ()| {
        // What the others would find is of no use then.
        if is_lost.load(Ordering::Relaxed) {
            return None;
        }
        let doubted = doubted_in(block, root);
        is_lost.fetch_or(doubted.is_none(), Ordering::Relaxed);
        doubted
    });
    let found: Option<Vec<Vec<u32>>> = found.into_iter().collect();
    let mut doubted = found?.concat();
    doubted.sort_unstable();
    doubted.dedup();
    Some(doubted)
}

/// The readers of facts of a block that are not so; `None` if one of these is everybody's, or cannot
/// be read or asked.
fn doubted_in(block: &[u8], root: &Root<'_>) -> Option<Vec<u32>> {
    let (mut walk, mut doubted) = (Walk::over(block), Vec::new());
    while let Some(fact) = walk.next() {
        if !fact?.is_so(OsStr::from_bytes(&walk.path), root)? {
            if walk.readers.is_empty() {
                return None;
            }
            doubted.extend(walk.each_reader());
        }
    }
    Some(doubted)
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
        }
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
            _ => return None,
        })
    }

    /// Whether it is so now; `None` if that cannot be asked.
    fn is_so(&self, path: &OsStr, root: &Root<'_>) -> Option<bool> {
        let now = |flags| match rustix::fs::statat(&root.folder, path_or_dot(path), flags) {
            Ok(stat) => Some(Some(Stamp::from_stat(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Some(None),
            Err(_) => None,
        };
        let link = || now(AtFlags::SYMLINK_NOFOLLOW);
        Some(match *self {
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
            Fact::Doubtful => false,
        })
    }
}

/// In the order of their numbers.
const KINDS: [FileKind; 4] = [FileKind::File, FileKind::Dir, FileKind::Symlink, FileKind::Other];

/// A folder is asked for by name; the workspace itself has none.
fn path_or_dot(path: &OsStr) -> &OsStr {
    if path.is_empty() { OsStr::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::random::Random;
    use crate::resting::{FOLDER, forget};

    const ASKED: Question = Question(Digest::from_bytes([7; 32]));

    /// A workspace with a folder of state, and facts of all sorts that are so.
    fn world() -> (tempfile::TempDir, Vec<Claim>) {
        let world = tempfile::tempdir().unwrap();
        let root = world.path();
        fs::create_dir(root.join("state")).unwrap();
        fs::create_dir_all(root.join("src/deep")).unwrap();
        let mut facts: Vec<(Vec<u8>, Fact)> = Vec::new();
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
        let claims = facts.into_iter().map(|(path, fact)| Claim::of_all(path, fact));
        (world, claims.collect())
    }

    fn proved() -> (tempfile::TempDir, PathBuf) {
        let (world, facts) = world();
        let state = world.path().join("state");
        ASKED.prove(&state, b"answer", &Basis::new(facts)).unwrap();
        (world, state)
    }

    /// The answer, if nothing is in doubt.
    fn answer_to(question: Question, root: &Path) -> Option<Vec<u8>> {
        let standing = question.standing(&root.join("state"), root)?;
        standing.doubted().is_empty().then(|| standing.answer().to_vec())
    }

    fn answer(world: &tempfile::TempDir) -> Option<Vec<u8>> {
        answer_to(ASKED, world.path())
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
        assert_eq!(answer_to(other, world.path()), None);
        // Its name alone makes a proof no other's.
        let path = |question: Question| state.join(FOLDER).join(question.name());
        fs::copy(path(ASKED), path(other)).unwrap();
        assert_eq!(answer_to(other, world.path()), None);
        forget(&state).unwrap();
        assert_eq!(answer(&world), None);
        forget(&state).unwrap();
        forget(&world.path().join("none")).unwrap();
    }

    #[test]
    fn each_truncation_and_each_flipped_byte_is_no_proof() {
        let (world, state) = proved();
        let path = state.join(FOLDER).join(ASKED.name());
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
            question.prove(&state, &[number], &Basis::new(facts[..3].to_vec())).unwrap();
            assert_eq!(answer_to(question, world.path()), Some(vec![number]));
            assert!(fs::read_dir(state.join(FOLDER)).unwrap().count() <= MOST);
        }
        assert_eq!(fs::read_dir(state.join(FOLDER)).unwrap().count(), MOST);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed_and_what_others_put_there_stays() {
        let (world, claims) = world();
        let (state, strange) = (world.path().join("state"), world.path().join("strange"));
        fs::create_dir(&strange).unwrap();
        fs::write(strange.join("thesis.txt"), "mine").unwrap();
        fs::write(strange.join(ASKED.name()), "mine").unwrap();
        symlink("../strange", state.join(FOLDER)).unwrap();
        forget(&state).unwrap();
        assert!(ASKED.prove(&state, b"answer", &Basis::new(claims.clone())).is_err());
        assert!(answer(&world).is_none());
        assert_eq!(fs::read_dir(&strange).unwrap().count(), 2);

        fs::remove_file(state.join(FOLDER)).unwrap();
        ASKED.prove(&state, b"answer", &Basis::new(claims)).unwrap();
        fs::create_dir(state.join(FOLDER).join("folder")).unwrap();
        fs::write(state.join(FOLDER).join("notes"), "mine").unwrap();
        forget(&state).unwrap();
        assert_eq!(fs::read_dir(state.join(FOLDER)).unwrap().count(), 2);
    }

    #[test]
    fn what_is_no_longer_so_puts_its_readers_in_doubt_and_nobody_else() {
        let (world, mut claims) = world();
        let root = world.path();
        let state = root.join("state");
        for (number, claim) in claims.iter_mut().enumerate() {
            if claim.path.ends_with(b".c") && claim.path.starts_with(b"src") {
                claim.readers = vec![number as u32 % 7, 100];
            }
        }
        claims[5].readers = (0..1000).collect();
        claims.push(Claim { path: b"src/x".to_vec(), fact: Fact::Doubtful, readers: vec![50] });
        ASKED.prove(&state, b"answer", &Basis::new(claims.clone())).unwrap();
        let standing = || ASKED.standing(&state, root);
        assert_eq!(standing().unwrap().doubted(), [50], "what is doubtful is never so");
        assert_eq!(standing().unwrap().answer(), b"answer");

        fs::write(root.join("src/00008.c"), "yy").unwrap();
        fs::remove_file(root.join("src/00600.c")).unwrap();
        let now = standing().unwrap();
        assert_eq!(now.doubted(), [1, 5, 50, 100]);
        assert!(now.still_holds_for_all(root));
        claims.sort_by(|a, b| a.path.cmp(&b.path));
        claims.iter_mut().filter(|claim| claim.readers.len() > 2).for_each(|c| c.readers.clear());
        let mut kept = claims_in(now.blocks());
        kept.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(kept.len(), claims.len());
        assert!(claims.iter().all(|claim| kept.contains(claim)));

        // What too many read is everybody's.
        fs::write(root.join("src/00005.c"), "yy").unwrap();
        assert!(!now.still_holds_for_all(root));
        assert!(standing().is_none());
    }

    fn claims_in(blocks: Vec<&[u8]>) -> Vec<Claim> {
        let mut claims = Vec::new();
        for block in blocks {
            let mut walk = Walk::over(block);
            while let Some(Some(fact)) = walk.next() {
                let readers = walk.each_reader().collect();
                claims.push(Claim { path: walk.path.clone(), fact, readers });
            }
        }
        claims
    }

    fn claim(path: &str, fact: Fact, readers: &[u32]) -> Claim {
        Claim { path: path.into(), fact, readers: readers.to_vec() }
    }

    #[test]
    fn what_was_judged_again_rests_on_what_it_saw_now() {
        let (was, is) = (Fact::Same(1, 1), Fact::Same(2, 2));
        let old = vec![
            claim("all", was, &[]),
            claim("changed", was, &[1]),
            claim("gone", was, &[]),
            claim("no longer read", was, &[1]),
            claim("of others", was, &[2, 3]),
            claim("shared", was, &[1, 2]),
            claim("shared, changed", was, &[1, 2]),
        ];
        let new = vec![
            claim("all", is, &[]),
            claim("changed", is, &[1]),
            claim("gone", is, &[]),
            claim("new", Fact::Doubtful, &[4]),
            claim("shared", was, &[1, 4]),
            claim("shared, changed", is, &[1]),
        ];
        let bytes = Arc::new(encode(ASKED, b"", &Basis::new(old)));
        let standing = Standing { bytes, doubted: Vec::new() };
        let judged = |reader| reader == 1 || reader == 4;
        let basis = standing.basis_with(new, judged, |path| path == b"gone");
        let mut merged = claims_in(basis.blocks.iter().map(|block| &block[..]).collect());
        merged.sort_by(|a, b| a.path.cmp(&b.path));
        let expected = [
            // Both count: whoever comes next sees that they are not so.
            claim("all", was, &[]),
            claim("all", is, &[]),
            claim("changed", is, &[1]),
            claim("gone", is, &[]),
            claim("new", Fact::Doubtful, &[4]),
            claim("of others", was, &[2, 3]),
            claim("shared", was, &[1, 2, 4]),
            claim("shared, changed", Fact::Doubtful, &[1, 2]),
        ];
        assert_eq!(merged, expected);
        let mut paths = standing.paths_of(|reader| reader == 3);
        paths.sort();
        assert_eq!(paths, [b"of others"]);
    }

    /// Blocks in which nothing is another stay as they are; all together say the same as one by one.
    #[test]
    fn many_claims_are_merged_as_few() {
        let mut random = Random(11);
        let path = |number: usize| format!("src/{number:04}.c");
        let fact = |value: usize| Fact::Same(value as u64, 7);
        let old: Vec<Claim> =
            (0..5 * BLOCK).map(|at| claim(&path(at), fact(0), &[at as u32 / 2])).collect();
        for round in 0..20 {
            let judged: Vec<u32> =
                (0..random.below(6)).map(|_| random.below(1500) as u32).collect();
            let is_judged = |reader| judged.contains(&reader);
            let new: Vec<Claim> = (0..random.below(9))
                .filter(|_| !judged.is_empty())
                .map(|_| random.below(6 * BLOCK))
                .collect::<std::collections::BTreeSet<usize>>()
                .into_iter()
                .map(|at| claim(&path(at), fact(random.below(2)), &judged[..1]))
                .collect();
            let bytes = Arc::new(encode(ASKED, b"", &Basis::new(old.clone())));
            let standing = Standing { bytes, doubted: Vec::new() };
            let basis = standing.basis_with(new.clone(), is_judged, |_| false);
            let mut merged = claims_in(basis.blocks.iter().map(|block| &block[..]).collect());
            merged.sort_by(|a, b| a.path.cmp(&b.path));
            let mut expected: BTreeMap<Vec<u8>, Claim> = BTreeMap::new();
            for one in old.iter().filter(|one| !is_judged(one.readers[0])).chain(&new) {
                match expected.get_mut(&one.path) {
                    None => _ = expected.insert(one.path.clone(), one.clone()),
                    Some(known) => {
                        if known.fact != one.fact {
                            known.fact = Fact::Doubtful;
                        }
                        known.readers.extend(&one.readers);
                        known.readers.sort_unstable();
                    }
                }
            }
            assert_eq!(merged, expected.into_values().collect::<Vec<_>>(), "round {round}");
        }
    }
}
