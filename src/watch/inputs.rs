//! The files that tasks of a build read, and the patterns that they listed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use taskr_cache::{Clock, Content, FileKind, Seen, measure};

use super::Looked;
use super::folders::{add_folder_of, add_folders};
use crate::files::{Ignored, Listing, Pattern, list_and_why};
use crate::graph::Graph;
use crate::outcome::Change;
use crate::outdir::{STATE_DIR, is_within};

/// What a file was.
#[derive(Clone, Copy, Debug)]
struct Was {
    seen: Option<Seen>,
    /// None if no task got to know it.
    content: Option<Content>,
    /// Whether the same stamps mean the same content.
    settled: bool,
}

/// A pattern, what is taken away from it, and whether what tasks make is found though git ignores
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Query {
    pattern: Pattern,
    skip: Vec<Pattern>,
    with_made: bool,
}

/// What tasks read. Of a path that was looked at more than once in a build the first time counts:
/// a task may have used what was there then.
#[derive(Debug, Default)]
pub struct Inputs {
    root: PathBuf,
    files: BTreeMap<Vec<u8>, Was>,
    /// What each pattern found; none if it could not be listed.
    lists: FxHashMap<Query, Option<Vec<Vec<u8>>>>,
}

/// Whether tasks make it, or taskr itself: nobody waits for a change of it.
pub fn is_made(graph: &Graph, path: &[u8]) -> bool {
    is_within(path, STATE_DIR.as_bytes()) || graph.makers().of(path).is_some()
}

impl Inputs {
    /// Nothing yet, of the workspace `root`.
    pub fn new(root: &Path) -> Inputs {
        Inputs { root: root.to_owned(), ..Inputs::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    /// Whether what a path held is known.
    pub fn has(&self, path: &[u8]) -> bool {
        self.files.get(path).is_some_and(|was| was.content.is_some())
    }

    /// A task looked at a path. `settled`: the same stamps will mean the same content.
    pub fn note(&mut self, path: &[u8], (seen, content): (Option<Seen>, Content), settled: bool) {
        if !self.has(path) {
            self.files.insert(path.to_vec(), Was { seen, content: Some(content), settled });
        }
    }

    /// A task left a path so, and that is not to count as a change.
    pub fn renew(&mut self, path: &[u8], (seen, content): (Option<Seen>, Content)) {
        if let Some(was) = self.files.get_mut(path) {
            *was = Was { seen, content: Some(content), settled: false };
        }
    }

    /// A path counts that no task may get to: as it is now.
    pub fn note_now(&mut self, path: &[u8]) {
        if !self.files.contains_key(path) {
            let seen = Seen::of(&self.path(path)).ok().flatten();
            let is_folder = seen.is_some_and(|seen| seen.link.kind() == FileKind::Dir);
            let content = is_folder.then_some(Content::Folder);
            self.files.insert(path.to_vec(), Was { seen, content, settled: true });
        }
    }

    /// What a pattern found, none if it could not be listed.
    pub fn note_list(&mut self, pattern: &Pattern, skip: &[Pattern], found: Option<Vec<Vec<u8>>>) {
        let query = Query { pattern: pattern.clone(), skip: skip.to_vec(), with_made: true };
        self.lists.entry(query).or_insert(found);
    }

    /// A pattern counts that no task may get to: as it is now. And so do its files, if `deep`.
    pub fn list_now(&mut self, graph: &Graph, (pattern, skip): (&Pattern, &[Pattern]), deep: bool) {
        let query = Query { pattern: pattern.clone(), skip: skip.to_vec(), with_made: true };
        if self.lists.contains_key(&query) {
            return;
        }
        let found = list_and_why(&self.root, pattern, skip, graph.ignored());
        let found = found.ok().map(|(found, _)| without_made(graph, found));
        if deep {
            found.iter().flatten().for_each(|path| self.note_now(path));
        }
        self.lists.insert(query, found);
    }

    /// What the making of the graph listed and looked for.
    pub fn note_graph(&mut self, graph: &Graph) {
        for (pattern, found) in &graph.looked().listed {
            let query = Query { pattern: pattern.clone(), skip: Vec::new(), with_made: false };
            let found = without_made(graph, found.to_vec());
            self.lists.entry(query).or_insert(Some(found));
        }
        for (path, &was_there) in &graph.looked().there {
            match was_there {
                _ if is_made(graph, path) => {}
                true => self.note_now(path),
                false => self.note(path, (None, Content::Absent), true),
            }
        }
    }

    /// A path counts, too: as another knew it, else as it is now.
    pub fn note_as(&mut self, path: &[u8], other: &Inputs) {
        match other.files.get(path) {
            Some(was) => drop(self.files.entry(path.to_vec()).or_insert(*was)),
            None => self.note_now(path),
        }
    }

    pub(super) fn look(&mut self, graph: &Graph, clock: Option<Clock>, looked: &mut Looked) {
        self.look_at_lists(graph, looked);
        self.look_at_files(clock, looked);
    }

    fn look_at_lists(&mut self, graph: &Graph, looked: &mut Looked) {
        let (ignored, all) = (graph.ignored(), graph.ignored().with_nothing_made());
        for (query, was) in &mut self.lists {
            let ignored = if query.with_made { ignored } else { &all };
            let now = match list(&self.root, query, ignored) {
                Ok((now, why)) => {
                    add_folders(&mut looked.folders, &self.root, &why);
                    Some(without_made(graph, now))
                }
                Err(_) => None,
            };
            match (&now, &was) {
                (Some(now), Some(was)) => compare(was, now, looked),
                (None, None) => {}
                _ => looked.add(query.pattern.base(), Change::Content),
            }
            *was = now;
        }
    }

    fn look_at_files(&mut self, mut clock: Option<Clock>, looked: &mut Looked) {
        let mut buffer = Vec::new();
        let mut links = BTreeSet::new();
        for (path, was) in &mut self.files {
            let full = self.root.join(OsStr::from_bytes(path));
            add_folder_of(&mut looked.folders, &full);
            if was.seen.is_some_and(|seen| seen.file.is_some()) {
                links.extend(full.canonicalize());
            }
            if let Some(change) = was.renewed(&full, clock.as_mut(), &mut buffer) {
                looked.add(path, change);
            }
        }
        links.iter().for_each(|path| add_folder_of(&mut looked.folders, path));
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }
}

impl Was {
    /// Becomes what the file is now; says how it changed, if it did.
    fn renewed(
        &mut self,
        path: &Path,
        clock: Option<&mut Clock>,
        buffer: &mut Vec<u8>,
    ) -> Option<Change> {
        let seen = Seen::of(path).ok().flatten();
        let before = *self;
        if seen == before.seen && (before.settled || seen.is_none()) {
            return None;
        }
        let (seen, content) = match measure(path, buffer) {
            Ok(Some((seen, content))) => (Some(seen), Some(content)),
            Ok(None) => (None, Some(Content::Absent)),
            Err(_) => (seen, None),
        };
        let settled = match (&seen, clock) {
            (Some(seen), Some(clock)) => seen.stamps().all(|stamp| {
                clock.learn(stamp.dev, path);
                clock.settled(stamp)
            }),
            (seen, _) => seen.is_none(),
        };
        *self = Was { seen, content, settled };
        let same = match before.content {
            Some(before) => content == Some(before),
            None => before.seen == seen,
        };
        (!same).then_some(match (before.seen.is_some(), seen.is_some()) {
            (false, true) => Change::Added,
            (true, false) => Change::Removed,
            _ => Change::Content,
        })
    }
}

fn list(root: &Path, query: &Query, ignored: &Ignored) -> io::Result<Listing> {
    list_and_why(root, &query.pattern, &query.skip, ignored)
}

fn without_made(graph: &Graph, mut found: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    found.retain(|path| !is_made(graph, path));
    found
}

/// Names what joined and what left; both are sorted.
fn compare(was: &[Vec<u8>], now: &[Vec<u8>], looked: &mut Looked) {
    for path in now.iter().filter(|path| was.binary_search(path).is_err()) {
        looked.add(path, Change::Added);
    }
    for path in was.iter().filter(|path| now.binary_search(path).is_err()) {
        looked.add(path, Change::Removed);
    }
}
