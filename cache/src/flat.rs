//! Values in one piece of bytes, read when they are asked for: what is large and made again only to
//! be looked into here and there is kept so.
//!
//! A value is a row of numbers and byte strings without names or types: who writes and who reads are
//! the same program. What several values share is a *piece* of its own and made once. Knows nothing
//! of what is kept, nor where.

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::Hasher;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHasher};

use crate::digest::{Digest, checksum};

/// What can be written to bytes, and read from those.
pub trait Coded: Sized {
    /// Writes it.
    fn put(&self, out: &mut Out);

    /// Reads it; `None` if the bytes are no such thing.
    fn get(from: &mut In<'_>) -> Option<Self>;
}

/// What may be shared, and is made when it is asked for.
pub trait Piece: Coded + Any + Send + Sync {}

impl<T: Coded + Any + Send + Sync> Piece for T {}

/// Values that are being written.
#[derive(Default)]
pub struct Out {
    /// The piece that is being written.
    bytes: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    /// The numbers of shared pieces by where the value lies.
    known: FxHashMap<usize, u32>,
    /// The same by their type and a hash of their bytes.
    alike: FxHashMap<(TypeId, u64), u32>,
}

impl Out {
    /// Writes a number.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Writes bytes with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a piece of its own, and tells its number.
    pub fn piece(&mut self, value: &impl Coded) -> u32 {
        let outer = std::mem::take(&mut self.bytes);
        value.put(self);
        let own = std::mem::replace(&mut self.bytes, outer);
        self.pieces.push(own);
        u32::try_from(self.pieces.len() - 1).expect("fewer than 2^32 pieces")
    }

    /// Writes what others may have, too, or its like: once. It must live until all is written.
    pub fn shared<T: Piece>(&mut self, value: &Arc<T>) {
        let place = Arc::as_ptr(value).addr();
        let number = match self.known.get(&place) {
            Some(&number) => number,
            None => {
                let number = self.piece(&**value);
                let number = self.like(TypeId::of::<T>(), number);
                self.known.insert(place, number);
                number
            }
        };
        self.number(number.into());
    }

    /// The first piece like the last one. If that is another, the last one is taken back.
    fn like(&mut self, of: TypeId, last: u32) -> u32 {
        let own = &self.pieces[last as usize];
        let mut hasher = FxHasher::default();
        hasher.write(own);
        let first = *self.alike.entry((of, hasher.finish())).or_insert(last);
        if first == last || self.pieces[first as usize] != *own {
            return last;
        }
        self.pieces.pop();
        first
    }

    /// All of it: [`MAGIC`], the checksum of the rest (16 bytes), the number of pieces (8), where each
    /// ends (8 each), the pieces. Numbers are little-endian; the last piece is the one that nobody
    /// asked for by [`Out::piece`].
    pub fn finish(mut self) -> Vec<u8> {
        self.pieces.push(std::mem::take(&mut self.bytes));
        let mut whole = [&MAGIC[..], &[0; 16], &(self.pieces.len() as u64).to_le_bytes()].concat();
        let mut end = 0u64;
        for piece in &self.pieces {
            end += piece.len() as u64;
            whole.extend_from_slice(&end.to_le_bytes());
        }
        whole.extend(self.pieces.iter().flatten());
        let sum = checksum(&whole[BODY..]);
        whole[MAGIC.len()..BODY].copy_from_slice(&sum);
        whole
    }
}

/// A digest of what [`Out::finish`] gave, if it is whole.
pub fn digest_of(whole: &[u8]) -> Digest {
    Digest::of(&whole[..whole.len().min(BODY)])
}

/// How it begins. The number moves with the layout.
const MAGIC: &[u8; 16] = b"taskr pieces v1\n";

/// What stands before all that the checksum is of.
const BODY: usize = MAGIC.len() + 16;

/// What was written, undamaged; made piece by piece.
pub struct Pieces {
    whole: Arc<Vec<u8>>,
    /// Where each piece lies.
    ranges: Vec<Range<usize>>,
    made: Vec<OnceLock<Arc<dyn Any + Send + Sync>>>,
    /// What values are made with beside their bytes.
    with: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pieces", self.ranges.len())
    }
}

impl Pieces {
    /// What [`Out::finish`] gave; values are made with `with`. None if it is not whole.
    pub fn read(whole: Arc<Vec<u8>>, with: Box<dyn Any + Send + Sync>) -> Option<Pieces> {
        let (sum, body) = whole.strip_prefix(MAGIC)?.split_first_chunk::<16>()?;
        if checksum(body) != *sum {
            return None;
        }
        let (count, rest) = body.split_first_chunk()?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
        let (ends, bytes) = rest.split_at_checked(count.checked_mul(8)?)?;
        let first = whole.len() - bytes.len();
        let mut start = first;
        let mut ranges = Vec::with_capacity(count);
        for end in ends.as_chunks().0 {
            let end = first + usize::try_from(u64::from_le_bytes(*end)).ok()?;
            (start <= end && end <= whole.len()).then_some(())?;
            ranges.push(start..end);
            start = end;
        }
        let made = ranges.iter().map(|_| OnceLock::new()).collect();
        Some(Pieces { whole, ranges, made, with })
    }

    /// The piece that all begins with.
    pub fn first(&self) -> In<'_> {
        self.within(self.ranges.len().saturating_sub(1)).unwrap_or(In {
            rest: &[],
            at: 0,
            pieces: self,
        })
    }

    /// A piece, as it was made when it was first asked for. None if it is no such thing.
    pub fn piece<T: Piece>(&self, number: u32) -> Option<&T> {
        self.any::<T>(number)?.downcast_ref()
    }

    fn any<T: Piece>(&self, number: u32) -> Option<&Arc<dyn Any + Send + Sync>> {
        let slot = self.made.get(number as usize)?;
        if slot.get().is_none() {
            let value = T::get(&mut self.within(number as usize)?)?;
            // Whoever was quicker made the same.
            let _ = slot.set(Arc::new(value));
        }
        slot.get()
    }

    fn within(&self, number: usize) -> Option<In<'_>> {
        let range = self.ranges.get(number)?;
        Some(In { rest: &self.whole[range.clone()], at: range.end, pieces: self })
    }
}

/// Bytes that are being read.
pub struct In<'p> {
    rest: &'p [u8],
    /// Where `rest` ends in the whole.
    at: usize,
    pieces: &'p Pieces,
}

impl<'p> In<'p> {
    /// Reads a number.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads a number that is a length, a place or the like.
    pub fn length(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    /// Reads bytes.
    pub fn bytes(&mut self) -> Option<&'p [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Reads what others may have, too.
    pub fn shared<T: Piece>(&mut self) -> Option<Arc<T>> {
        let number = u32::try_from(self.number()?).ok()?;
        self.pieces.any::<T>(number)?.clone().downcast().ok()
    }

    /// What values are made with.
    pub fn with<T: Any>(&self) -> Option<&'p T> {
        self.pieces.with.downcast_ref()
    }
}

impl Coded for u64 {
    fn put(&self, out: &mut Out) {
        out.number(*self);
    }

    fn get(from: &mut In<'_>) -> Option<u64> {
        from.number()
    }
}

impl Coded for u32 {
    fn put(&self, out: &mut Out) {
        out.number((*self).into());
    }

    fn get(from: &mut In<'_>) -> Option<u32> {
        from.number()?.try_into().ok()
    }
}

impl Coded for usize {
    fn put(&self, out: &mut Out) {
        out.number(*self as u64);
    }

    fn get(from: &mut In<'_>) -> Option<usize> {
        from.length()
    }
}

impl Coded for i32 {
    fn put(&self, out: &mut Out) {
        out.number(u64::from(self.cast_unsigned()));
    }

    fn get(from: &mut In<'_>) -> Option<i32> {
        u32::get(from).map(u32::cast_signed)
    }
}

impl Coded for bool {
    fn put(&self, out: &mut Out) {
        out.number((*self).into());
    }

    fn get(from: &mut In<'_>) -> Option<bool> {
        match from.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Coded for Vec<u8> {
    fn put(&self, out: &mut Out) {
        out.bytes(self);
    }

    fn get(from: &mut In<'_>) -> Option<Vec<u8>> {
        from.bytes().map(<[u8]>::to_vec)
    }
}

impl Coded for String {
    fn put(&self, out: &mut Out) {
        out.bytes(self.as_bytes());
    }

    fn get(from: &mut In<'_>) -> Option<String> {
        std::str::from_utf8(from.bytes()?).ok().map(str::to_owned)
    }
}

impl Coded for Duration {
    fn put(&self, out: &mut Out) {
        out.number(self.as_secs());
        out.number(self.subsec_nanos().into());
    }

    fn get(from: &mut In<'_>) -> Option<Duration> {
        let (seconds, nanos) = (from.number()?, u32::get(from)?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }
}

impl<T: Coded> Coded for Option<T> {
    fn put(&self, out: &mut Out) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(from: &mut In<'_>) -> Option<Option<T>> {
        match bool::get(from)? {
            true => T::get(from).map(Some),
            false => Some(None),
        }
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn put(&self, out: &mut Out) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<(A, B)> {
        Some((A::get(from)?, B::get(from)?))
    }
}

/// Writes values, which [`many`] reads.
pub fn put_many<'v, T: Coded + 'v>(
    out: &mut Out,
    values: impl IntoIterator<Item = &'v T, IntoIter: ExactSizeIterator>,
) {
    let values = values.into_iter();
    out.number(values.len() as u64);
    values.for_each(|value| value.put(out));
}

/// Reads what [`put_many`] wrote.
pub fn many<T: Coded, C: FromIterator<T>>(from: &mut In<'_>) -> Option<C> {
    let count = from.length()?;
    (0..count).map(|_| T::get(from)).collect()
}

/// Byte strings, each once, in order, with a number for each: in one piece of memory, so that one that
/// was written is there without being made.
///
/// The layout: how many (4), the number of slots (4; a power of two), the slots of a hash table with
/// linear probing (4 each: a place in the order plus one, or 0), where each string ends (8 each), the
/// numbers (4 each), the strings. All little-endian.
#[derive(Clone)]
pub struct Index {
    whole: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Default for Index {
    fn default() -> Index {
        Index::new(Vec::<(Vec<u8>, u32)>::new())
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(key, number)| (String::from_utf8_lossy(key), number));
        f.debug_map().entries(shown).finish()
    }
}

impl Index {
    /// Of these; of equal strings the last counts.
    pub fn new<K: AsRef<[u8]>>(mut pairs: Vec<(K, u32)>) -> Index {
        // Stable, so that the last of equal ones stays the last.
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let keys = pairs.iter().map(|pair| Some(pair.0.as_ref()));
        let next: Vec<Option<&[u8]>> = keys.skip(1).chain([None]).collect();
        let is_last = |(at, pair): &(usize, &(K, u32))| next[*at] != Some(pair.0.as_ref());
        let pairs: Vec<(&[u8], u32)> = pairs
            .iter()
            .enumerate()
            .filter(is_last)
            .map(|(_, (key, number))| (key.as_ref(), *number))
            .collect();
        let mut slots = vec![0u32; (2 * pairs.len()).next_power_of_two()];
        for (at, (key, _)) in pairs.iter().enumerate() {
            let mut slot = slot_of(key, slots.len());
            while slots[slot] != 0 {
                slot = (slot + 1) & (slots.len() - 1);
            }
            slots[slot] = at as u32 + 1;
        }
        let mut whole = Vec::new();
        for number in [pairs.len() as u32, slots.len() as u32].into_iter().chain(slots) {
            whole.extend_from_slice(&number.to_le_bytes());
        }
        let mut end = 0u64;
        for (key, _) in &pairs {
            end += key.len() as u64;
            whole.extend_from_slice(&end.to_le_bytes());
        }
        pairs.iter().for_each(|(_, number)| whole.extend_from_slice(&number.to_le_bytes()));
        pairs.iter().for_each(|(key, _)| whole.extend_from_slice(key));
        let range = 0..whole.len();
        Index { whole: Arc::new(whole), range }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.small(0) as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a string.
    pub fn get(&self, key: &[u8]) -> Option<u32> {
        self.find(key).map(|(_, number)| number)
    }

    /// A string as it lies here, with its number.
    pub fn find(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        let slots = self.slots();
        let mut slot = slot_of(key, slots);
        loop {
            let at = self.small(8 + 4 * slot).checked_sub(1)? as usize;
            if self.key(at) == key {
                return Some((self.key(at), self.value(at)));
            }
            slot = (slot + 1) & (slots - 1);
        }
    }

    /// The string at a place of the order, of which there are [`Index::len`].
    pub fn at(&self, place: usize) -> &[u8] {
        self.key(place)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u32)> {
        (0..self.len()).map(|at| (self.key(at), self.value(at)))
    }

    /// Those that begin with `prefix`, in order.
    pub fn starting(&self, prefix: impl AsRef<[u8]>) -> impl Iterator<Item = (&[u8], u32)> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.key(middle) < prefix.as_ref() {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let all = (low..self.len()).map(|at| (self.key(at), self.value(at)));
        all.take_while(move |(key, _)| key.starts_with(prefix.as_ref()))
    }

    fn bytes(&self) -> &[u8] {
        &self.whole[self.range.clone()]
    }

    fn small(&self, at: usize) -> u32 {
        let bytes: [u8; 4] = std::array::from_fn(|place| self.bytes()[at + place]);
        u32::from_le_bytes(bytes)
    }

    fn slots(&self) -> usize {
        self.small(4) as usize
    }

    /// Where the ends of strings stand.
    fn ends(&self) -> usize {
        8 + 4 * self.slots()
    }

    fn end(&self, at: usize) -> usize {
        let at = self.ends() + 8 * at;
        let bytes: [u8; 8] = std::array::from_fn(|place| self.bytes()[at + place]);
        u64::from_le_bytes(bytes) as usize
    }

    fn key(&self, at: usize) -> &[u8] {
        let first = self.ends() + 12 * self.len();
        let start = at.checked_sub(1).map_or(0, |before| self.end(before));
        &self.bytes()[first + start..first + self.end(at)]
    }

    fn value(&self, at: usize) -> u32 {
        self.small(self.ends() + 8 * self.len() + 4 * at)
    }
}

fn slot_of(key: &[u8], slots: usize) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(key);
    hasher.finish() as usize & (slots - 1)
}

impl Coded for Index {
    fn put(&self, out: &mut Out) {
        out.bytes(self.bytes());
    }

    fn get(from: &mut In<'_>) -> Option<Index> {
        let bytes = from.bytes()?;
        let end = from.at - from.rest.len();
        Some(Index { whole: from.pieces.whole.clone(), range: end - bytes.len()..end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf {
        name: String,
        books: Vec<Arc<Book>>,
        index: Index,
    }

    #[derive(Debug, PartialEq)]
    struct Book(Vec<u8>, Option<u32>);

    impl Coded for Book {
        fn put(&self, out: &mut Out) {
            self.0.put(out);
            self.1.put(out);
        }

        fn get(from: &mut In<'_>) -> Option<Book> {
            Some(Book(Coded::get(from)?, Coded::get(from)?))
        }
    }

    fn index(keys: &[&str]) -> Index {
        Index::new(keys.iter().zip(1..).map(|(key, number)| (*key, number)).collect())
    }

    fn shelf() -> Vec<u8> {
        let one = Arc::new(Book(b"\xff".to_vec(), Some(300)));
        let books = vec![one.clone(), Arc::new(Book(Vec::new(), None)), one];
        let shelf = Shelf { name: "s".into(), books, index: index(&["b", "a", "b"]) };
        let mut out = Out::default();
        shelf.name.put(&mut out);
        shelf.books.iter().for_each(|book| out.shared(book));
        shelf.index.put(&mut out);
        out.finish()
    }

    #[test]
    fn what_is_written_is_read_and_shared_things_are_shared() {
        let pieces = Pieces::read(Arc::new(shelf()), Box::new(7u8)).expect("it is whole");
        let mut from = pieces.first();
        assert_eq!(String::get(&mut from).as_deref(), Some("s"));
        let books: Vec<Arc<Book>> = (0..3).map(|_| from.shared().expect("a book")).collect();
        assert_eq!(*books[0], Book(b"\xff".to_vec(), Some(300)));
        assert_eq!(*books[1], Book(Vec::new(), None));
        assert!(Arc::ptr_eq(&books[0], &books[2]));
        let index: Index = Coded::get(&mut from).expect("an index");
        assert_eq!(index.iter().collect::<Vec<_>>(), [(&b"a"[..], 2), (b"b", 3)]);
        assert_eq!(from.with::<u8>(), Some(&7));
        assert_eq!(u64::get(&mut from), None, "nothing is left");
        assert_eq!(pieces.piece::<Book>(0), Some(&*books[0]));
        assert_eq!(pieces.piece::<Book>(9), None);
    }

    #[test]
    fn what_is_damaged_anywhere_is_nothing() {
        let whole = shelf();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(Pieces::read(Arc::new(damaged), Box::new(())).is_none(), "byte {at}");
            assert!(
                Pieces::read(Arc::new(whole[..at].to_vec()), Box::new(())).is_none(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn numbers_of_all_sizes() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX];
        let mut out = Out::default();
        put_many(&mut out, &numbers);
        (-5i32).put(&mut out);
        let pieces = Pieces::read(Arc::new(out.finish()), Box::new(())).expect("it is whole");
        let mut from = pieces.first();
        assert_eq!(many::<u64, Vec<u64>>(&mut from).as_deref(), Some(&numbers[..]));
        assert_eq!(i32::get(&mut from), Some(-5));
    }

    #[test]
    fn strings_are_found_by_name_and_by_what_they_begin_with() {
        let index = index(&["lib/a", "lib", "lib-x", "", "lib/b/c"]);
        let expected = [("", 4), ("lib", 2), ("lib-x", 3), ("lib/a", 1), ("lib/b/c", 5)];
        for (key, number) in expected {
            assert_eq!(index.get(key.as_bytes()), Some(number), "{key}");
        }
        assert_eq!(index.get(b"li"), None);
        let below: Vec<u32> = index.starting(b"lib/").map(|(_, number)| number).collect();
        assert_eq!(below, [1, 5]);
        assert_eq!(index.starting(b"z").count(), 0);
        assert_eq!((index.at(0), index.at(4)), (&b""[..], &b"lib/b/c"[..]));
        assert_eq!(Index::default().get(b"a"), None);
        assert!(Index::default().is_empty());
        let many: Vec<(String, u32)> = (0..1000).map(|at| (format!("k{at}"), at)).collect();
        let index = Index::new(many.clone());
        assert!(many.iter().all(|(key, at)| index.get(key.as_bytes()) == Some(*at)));
        assert_eq!(index.len(), 1000);
    }
}
