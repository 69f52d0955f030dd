//! What stands on the disk, asked once a run: stamps, contents, listings by pattern.
//!
//! Knows no task. What earlier runs knew of a path is handed in by the caller; what must be
//! read to be known is measured elsewhere and told to [`Files::learn`].

mod again;
mod ahead;
mod depfile;
mod dotenv;
mod ignored;
mod list;
mod pattern;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use taskr_cache::{Content, FileKind, Seen};

use crate::ids::{FileId, Id, IdVec, Paths};

pub use again::ask_again;
pub use ahead::Beside;
pub use depfile::{DepfileError, parse as parse_depfile};
pub use dotenv::{DotenvError, Variables, parse as parse_dotenv};
pub use ignored::{GITIGNORE, Ignored, IgnoredBy, IgnoredMatch};
pub use list::{
    Listing, ignored_match, is_there_and_why, list, list_and_why, list_folders,
    list_folders_and_why, list_tree, why_of_tree, with_what_is_held,
};
pub use pattern::{PathError, Pattern, PatternError, normalise, relative_to};

/// Opens a file to read it. Never waits, as one does at a pipe that nobody writes.
///
/// # Errors
/// It is not there, is no regular file, or may not be read.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = open_at_once(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// The same for what may be of any kind.
///
/// # Errors
/// It is not there, or may not be read.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    File::options().read(true).custom_flags(flags).open(path)
}

/// The whole file; of one that is larger than `most` bytes one byte more.
///
/// # Errors
/// It cannot be read.
pub fn read_up_to(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The path and the folders that it is in, the innermost first: `a/b/c`, `a/b`, `a`.
pub fn ancestors(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let ends = (1..path.len()).rev().filter(|&at| path[at] == b'/');
    std::iter::once(path).chain(ends.map(|at| &path[..at]))
}

/// Of what is in the order of its paths, that whose path lies in a folder, at any depth. Everything
/// lies in the workspace, `""`.
pub fn in_folder<'s, T>(sorted: &'s [T], folder: &[u8], path: impl Fn(&T) -> &[u8]) -> &'s [T] {
    let mut prefix = folder.to_vec();
    if !prefix.is_empty() {
        prefix.push(b'/');
    }
    let rest = &sorted[sorted.partition_point(|one| path(one) < &prefix[..])..];
    &rest[..rest.partition_point(|one| path(one).starts_with(&prefix))]
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, Default)]
enum Fact {
    #[default]
    Unasked,
    Absent,
    /// Something is there; whether its content is remembered was not asked.
    Stamped(Seen),
    Present(Seen, Option<Content>),
}

/// What was told of a path that was forgotten since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    /// That it is a folder.
    Folder,
    Something,
}

/// The answer about one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// This is there, with these stamps (none if it is absent).
    Known(Option<Seen>, Content),
    /// Something is there that has to be read first.
    Unread,
}

/// A glob and what is taken away from it.
pub type Query = (Pattern, Vec<Pattern>);

/// All paths of one workspace, in one run.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    facts: IdVec<FileId, Fact>,
    /// Whether somebody was told what is known of a path.
    told: IdVec<FileId, bool>,
    /// What somebody was told of a path before it was forgotten.
    before: IdVec<FileId, Before>,
    /// How often each path was forgotten, and all of them.
    versions: IdVec<FileId, u32>,
    forgotten: u32,
    /// Paths that were links when they were asked for.
    links: HashSet<FileId>,
    listings: HashMap<Query, Arc<[FileId]>>,
    /// Those that somebody was told.
    told_lists: HashSet<Query>,
    /// What no listing finds.
    ignored: Ignored,
    would_go: HashSet<FileId>,
}

impl Files {
    /// Nothing is known yet of the workspace at `root`.
    pub fn new(root: &Path, ignored: Ignored) -> Files {
        Files {
            root: root.to_owned(),
            facts: IdVec::new(),
            told: IdVec::new(),
            before: IdVec::new(),
            versions: IdVec::new(),
            forgotten: 0,
            links: HashSet::new(),
            listings: HashMap::new(),
            told_lists: HashSet::new(),
            ignored,
            would_go: HashSet::new(),
        }
    }

    /// What `id` holds. The disk is asked at most once, absence included; `recall` may know the
    /// content that goes with these stamps.
    ///
    /// # Errors
    /// What `stat` says, but for absence.
    pub fn look(
        &mut self,
        paths: &Paths,
        id: FileId,
        recall: impl FnOnce(&Seen) -> Option<Content>,
    ) -> io::Result<Look> {
        self.facts.grow(paths.len());
        if let Fact::Unasked = self.facts[id] {
            let fact = stamped(Seen::of(&self.root.join(paths.path(id)))?);
            self.keep(id, fact);
        }
        if let Fact::Stamped(seen) = self.facts[id] {
            self.facts[id] = Fact::Present(seen, recall(&seen));
        }
        Ok(self.known(paths, id))
    }

    /// What is known of `id` without asking the disk: for who remembers no content, and would have
    /// to read whatever is there.
    pub fn known(&mut self, paths: &Paths, id: FileId) -> Look {
        self.facts.grow(paths.len());
        self.told.grow(paths.len());
        self.told[id] = true;
        match self.facts[id] {
            Fact::Absent => Look::Known(None, Content::Absent),
            Fact::Present(seen, Some(content)) => Look::Known(Some(seen), content),
            Fact::Present(_, None) | Fact::Stamped(_) | Fact::Unasked => Look::Unread,
        }
    }

    /// All paths that were asked for: their stamps, none if nothing is there; and what they hold, as
    /// far as that is known.
    pub fn asked(&self) -> impl Iterator<Item = (FileId, Option<Seen>, Option<Content>)> {
        self.facts.enumerate().filter_map(|(id, fact)| match *fact {
            Fact::Unasked => None,
            Fact::Absent => Some((id, None, Some(Content::Absent))),
            Fact::Stamped(seen) => Some((id, Some(seen), None)),
            Fact::Present(seen, content) => Some((id, Some(seen), content)),
        })
    }

    /// All patterns that were listed, with what was taken away from them and what was found.
    pub fn listings(&self) -> impl Iterator<Item = (&Pattern, &[Pattern], &[FileId])> {
        self.listings.iter().map(|((pattern, skip), found)| (pattern, &skip[..], &found[..]))
    }

    /// What was read at `id`.
    pub fn learn(&mut self, id: FileId, read: Option<(Seen, Content)>) {
        self.facts.grow(id.index() + 1);
        let present = |(seen, content)| Fact::Present(seen, Some(content));
        self.keep(id, read.map_or(Fact::Absent, present));
    }

    /// This is known of a path now.
    fn keep(&mut self, id: FileId, fact: Fact) {
        if let Fact::Stamped(seen) | Fact::Present(seen, _) = fact
            && seen.link.kind() == FileKind::Symlink
        {
            self.links.insert(id);
        }
        self.facts[id] = fact;
    }

    /// In a run that changes nothing: this would be removed, and is seen no more.
    pub fn would_go(&mut self, id: FileId) {
        self.learn(id, None);
        self.listings.retain(|_, found| !found.contains(&id));
        self.would_go.insert(id);
    }

    /// Whether all who were told of `id` were told the same, whatever its stamps: nobody was before it
    /// was forgotten, or it was a folder then and is one now.
    pub fn is_steady(&self, id: FileId) -> bool {
        let before = if id.index() < self.before.len() { self.before[id] } else { Before::Nothing };
        match before {
            Before::Nothing => true,
            Before::Folder => self.is_folder(id),
            Before::Something => false,
        }
    }

    /// A task may have changed what links lead to: they are asked for again.
    pub fn forget_links(&mut self) {
        for id in std::mem::take(&mut self.links) {
            self.note_before(id);
            self.facts[id] = Fact::Unasked;
            self.versions.grow(id.index() + 1);
            self.versions[id] += 1;
        }
    }

    /// A task may have changed `path`: it and the folders above it are asked for again, and
    /// listings that it may stand in are made again.
    pub fn forget(&mut self, paths: &Paths, path: &[u8]) {
        self.facts.grow(paths.len());
        self.versions.grow(paths.len());
        for path in ancestors(path) {
            if let Some(id) = paths.get(path) {
                self.note_before(id);
                self.facts[id] = Fact::Unasked;
                self.versions[id] += 1;
            }
        }
        match path.rsplit(|&byte| byte == b'/').next() {
            Some(GITIGNORE) => self.listings.clear(),
            _ => self.listings.retain(|(pattern, _), _| !pattern.matches_all(path)),
        }
    }

    /// All that was known is asked for again.
    pub fn forget_all(&mut self) {
        let ids: Vec<FileId> = self.told.ids().collect();
        ids.into_iter().for_each(|id| self.note_before(id));
        let (ignored, before) =
            (std::mem::take(&mut self.ignored), std::mem::take(&mut self.before));
        let forgotten = self.forgotten + 1;
        *self = Files { forgotten, before, ..Files::new(&self.root, ignored) };
    }

    fn is_folder(&self, id: FileId) -> bool {
        matches!(self.facts[id], Fact::Present(_, Some(Content::Folder)))
    }

    fn note_before(&mut self, id: FileId) {
        if id.index() >= self.told.len() || !self.told[id] {
            return;
        }
        self.before.grow(id.index() + 1);
        self.before[id] = match (self.is_folder(id), self.before[id]) {
            (true, Before::Nothing | Before::Folder) => Before::Folder,
            _ => Before::Something,
        };
        self.told[id] = false;
    }

    /// Moves whenever `id` is forgotten: what was read under another version is out of date.
    pub fn version(&self, id: FileId) -> (u32, u32) {
        let own = if id.index() < self.versions.len() { self.versions[id] } else { 0 };
        (self.forgotten, own)
    }

    /// The files that `pattern` matches and no `skip` does, by bytes.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(
        &mut self,
        paths: &mut Paths,
        pattern: &Pattern,
        skip: &[Pattern],
    ) -> io::Result<Arc<[FileId]>> {
        let query = (pattern.clone(), skip.to_vec());
        self.told_lists.insert(query.clone());
        if let Some(known) = self.listings.get(&query) {
            return Ok(known.clone());
        }
        let found = list(&self.root, pattern, skip, &self.ignored)?;
        Ok(self.keep_list(paths, query, &found))
    }

    fn keep_list(&mut self, paths: &mut Paths, query: Query, found: &[Vec<u8>]) -> Arc<[FileId]> {
        let found = found.iter().map(|path| paths.intern(path));
        let found: Arc<[FileId]> = found.filter(|id| !self.would_go.contains(id)).collect();
        self.listings.insert(query, found.clone());
        found
    }
}

/// What stamps say by themselves.
fn stamped(seen: Option<Seen>) -> Fact {
    match seen {
        None => Fact::Absent,
        Some(seen) if seen.link.kind() == FileKind::Dir => {
            Fact::Present(seen, Some(Content::Folder))
        }
        Some(seen) => Fact::Stamped(seen),
    }
}
