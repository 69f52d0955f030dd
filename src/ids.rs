//! Typed dense ids and the vectors they index; one interner for paths.
//!
//! Knows nothing of files or tasks. Facts of different lifetimes (declared, on disk, in this
//! run) live in different `IdVec`s over the same ids and never mix in one struct.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustc_hash::FxHashMap;

/// A dense number that stands for one thing of its kind.
pub trait Id: Copy + Eq {
    /// The id of position `index`.
    fn from_index(index: usize) -> Self;
    /// The position in an [`IdVec`].
    fn index(self) -> usize;
}

/// One unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u32);

/// One path: relative to the workspace, or absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A service at work. Under `taskr watch` it outlives the run that started it, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u64);

impl Id for TaskId {
    fn from_index(index: usize) -> Self {
        TaskId(u32::try_from(index).expect("tasks are limited to a million"))
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Id for FileId {
    fn from_index(index: usize) -> Self {
        FileId(u32::try_from(index).expect("fewer than 2^32 paths"))
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A vector indexed by one kind of id, so that the compiler refuses a file's number where a
/// task's is due.
#[derive(Clone, Debug)]
pub struct IdVec<I, T> {
    items: Vec<T>,
    id: PhantomData<fn(I)>,
}

impl<I: Id, T> IdVec<I, T> {
    /// An empty vector.
    pub fn new() -> Self {
        IdVec { items: Vec::new(), id: PhantomData }
    }

    /// `len` copies of `value`.
    pub fn filled(len: usize, value: T) -> Self
    where
        T: Clone,
    {
        IdVec { items: vec![value; len], id: PhantomData }
    }

    /// Appends, and tells the new item's id.
    pub fn push(&mut self, item: T) -> I {
        let id = I::from_index(self.items.len());
        self.items.push(item);
        id
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::from_index)
    }

    /// All items in order of their ids.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// All items with their ids.
    pub fn enumerate(&self) -> impl Iterator<Item = (I, &T)> {
        self.items.iter().enumerate().map(|(index, item)| (I::from_index(index), item))
    }

    /// Lengthens to at least `len` items.
    pub fn grow(&mut self, len: usize)
    where
        T: Default + Clone,
    {
        if self.items.len() < len {
            self.items.resize(len, T::default());
        }
    }
}

impl<I: Id, T> Default for IdVec<I, T> {
    fn default() -> Self {
        IdVec::new()
    }
}

impl<I: Id, T> Index<I> for IdVec<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for IdVec<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

impl<I: Id, T> FromIterator<T> for IdVec<I, T> {
    fn from_iter<It: IntoIterator<Item = T>>(items: It) -> Self {
        IdVec { items: items.into_iter().collect(), id: PhantomData }
    }
}

/// Gives every distinct path one [`FileId`]. Paths are bytes; no normalisation happens here.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    ids: FxHashMap<Box<[u8]>, FileId>,
    names: IdVec<FileId, Box<[u8]>>,
}

impl Paths {
    /// The id of `path`, made on first sight.
    pub fn intern(&mut self, path: &[u8]) -> FileId {
        if let Some(&id) = self.ids.get(path) {
            return id;
        }
        let id = self.names.push(path.into());
        self.ids.insert(path.into(), id);
        id
    }

    /// The id of `path`, if it was interned.
    pub fn get(&self, path: &[u8]) -> Option<FileId> {
        self.ids.get(path).copied()
    }

    /// The bytes of a path.
    pub fn bytes(&self, id: FileId) -> &[u8] {
        &self.names[id]
    }

    /// The path itself.
    pub fn path(&self, id: FileId) -> &Path {
        Path::new(OsStr::from_bytes(&self.names[id]))
    }

    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_id() {
        let mut paths = Paths::default();
        let a = paths.intern(b"src/a.c");
        let b = paths.intern(b"src/\xff.c");
        assert_eq!(paths.intern(b"src/a.c"), a);
        assert_ne!(a, b);
        assert_eq!(paths.bytes(b), b"src/\xff.c");
        assert_eq!(paths.get(b"absent"), None);
    }
}
