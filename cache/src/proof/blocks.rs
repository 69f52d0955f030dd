//! What a proof rests on as bytes: claims in blocks, whose paths are written one from the other, so that
//! a block in which nothing is another is taken over as it is.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::{Again, Claim, Fact, MOST_READERS, Renewed};

/// Claims in one block, whose paths are written one from the other.
pub(super) const BLOCK: usize = 512;

/// What a proof rests on, as it is written: blocks of claims, of which some are another proof's.
#[derive(Clone, Debug, Default)]
pub struct Basis<'b> {
    pub(super) blocks: Vec<Cow<'b, [u8]>>,
}

impl Basis<'_> {
    /// Of these claims.
    pub fn new(mut claims: Vec<Claim>) -> Basis<'static> {
        claims.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Basis { blocks: claims.chunks(BLOCK).map(|claims| Cow::Owned(block_of(claims))).collect() }
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
/// is taken from there, and with new stamps. None if it cannot be read.
pub(super) fn merged(
    block: &[u8],
    new: &mut FxHashMap<Vec<u8>, Claim>,
    renewed: &Renewed,
    again: &Again<'_>,
) -> Option<Vec<u8>> {
    let (mut claims, mut walk) = (Vec::new(), Walk::over(block));
    while let Some(next) = walk.next() {
        next?;
        let fact = walk.fact()?;
        let fact = renewed.get(&walk.path).map_or(fact, |stamp| fact.with(*stamp));
        let all = walk.is_of_all();
        let readers: Vec<u32> = walk.each_reader().filter(|&one| !(again.is_judged)(one)).collect();
        if (again.is_gone)(&walk.path) {
            continue;
        }
        let other = if all { None } else { new.remove(&walk.path) };
        if readers.is_empty() && !all {
            claims.extend(other);
            continue;
        }
        let mut claim = Claim { path: walk.path.clone(), fact, readers };
        if let Some(other) = other {
            let is_same = |&reader: &u32| (again.is_same)(&claim.path, reader);
            claim.fact = match claim.fact.agrees(&other.fact) || claim.readers.iter().all(is_same) {
                true => other.fact,
                false => Fact::Doubtful,
            };
            claim.readers.extend(other.readers);
            claim.readers.sort_unstable();
            claim.readers.dedup();
        }
        claims.push(claim);
    }
    Some(block_of(&claims))
}

/// Goes through the claims of a block.
pub(super) struct Walk<'b> {
    rest: &'b [u8],
    /// The path of the last fact.
    pub(super) path: Vec<u8>,
    readers: &'b [u8],
    fact: &'b [u8],
}

impl<'b> Walk<'b> {
    pub(super) fn over(block: &'b [u8]) -> Walk<'b> {
        Walk { rest: block, path: Vec::new(), readers: &[], fact: &[] }
    }

    /// Goes to the next fact, none within if it cannot be read; path and readers are those of it.
    pub(super) fn next(&mut self) -> Option<Option<()>> {
        (!self.rest.is_empty()).then(|| self.read())
    }

    fn read(&mut self) -> Option<()> {
        let (shared, rest) = self.rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (tail, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        self.path.truncate(usize::from(u16::from_le_bytes(*shared)));
        self.path.extend_from_slice(tail);
        let (&count, rest) = rest.split_first()?;
        let (readers, rest) = rest.split_at_checked(4 * usize::from(count))?;
        self.readers = readers;
        (self.fact, self.rest) = rest.split_at_checked(Fact::bytes(rest)?)?;
        Some(())
    }

    /// The fact; none if it cannot be read.
    pub(super) fn fact(&self) -> Option<Fact> {
        Fact::decode(&mut { self.fact })
    }

    /// Whether everybody rests on the last fact.
    pub(super) fn is_of_all(&self) -> bool {
        self.readers.is_empty()
    }

    /// Who rests on the last fact.
    pub(super) fn each_reader(&self) -> impl Iterator<Item = u32> {
        self.readers.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }
}
