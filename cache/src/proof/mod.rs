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
mod fact;
mod look;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use blocks::{Walk, merged};
use look::{LEAST_BLOCKS, Near, Root, others, read_again};

use crate::digest::{Digest, checksum, checksum_of};
use crate::resting::{Folder, NAME_BYTES};
use crate::spread::spread;
use crate::stamp::Stamp;

pub use blocks::Basis;
pub use fact::Fact;

/// So many are kept: one for each question that is asked in turn.
const MOST: usize = 16;

/// How a proof begins. The number moves with the layout and with what facts mean.
const MAGIC: &[u8; 16] = b"taskr proof v5\r\n";

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

    /// What it rests on, with the new stamps.
    fn renewed_basis(&self) -> Option<Basis<'_>> {
        let renewed = spread(&self.blocks(), LEAST_BLOCKS, |block, (): &mut ()| {
            let nobody =
                Again { is_judged: &|_| false, is_gone: &|_| false, is_same: &|_, _| false };
            merged(block, &mut FxHashMap::default(), &self.renewed, &nobody).map(Cow::Owned)
        });
        Some(Basis { blocks: renewed.into_iter().collect::<Option<_>>()? })
    }

    fn blocks(&self) -> Vec<&[u8]> {
        Parts::of(&self.bytes).map(|parts| parts.blocks).unwrap_or_default()
    }

    /// Whether what everybody rests on is so now, in the workspace `root`.
    pub fn still_holds_for_all(&self, root: &Path) -> bool {
        let holds = || {
            let (root, mut buffer) = (Root::open(root)?, Vec::new());
            let mut near = Near::to(&root);
            for block in Parts::of(&self.bytes)?.blocks {
                let mut walk = Walk::over(block);
                while let Some(next) = walk.next() {
                    next?;
                    if walk.is_of_all() {
                        let look = near.look(&walk.path, walk.fact()?)?;
                        look.read(&walk.path, &mut near, &mut buffer).then_some(())?;
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
        match (folder.read(&self.name()), standing.renewed_basis()) {
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
