//! Asking for many paths before they are needed one by one: on several threads, and from the folder
//! that they lie in, which spares the system most of the way to each.
//!
//! Nothing is known afterwards that asking one by one would not find out. An error is left for that
//! to meet.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use taskr_cache::{Content, FileKind, Seen, measure_at, spread};

use super::list::list;
use super::{Fact, Files, Query, stamped};
use crate::ids::{FileId, Id, Paths};

/// A larger file is read by itself, in bytes.
const LARGEST_BYTES: u64 = 64 * 1024;

/// Files of one folder that one thread asks for in one go.
const AT_ONCE: usize = 64;

/// A thread that asks for files has at least so many goes: it costs as much as one of them.
pub(super) const LEAST_GOES: usize = 4;

/// What is known beside the disk.
pub struct Beside<'b> {
    /// The content that goes with stamps, if an earlier run read it.
    pub recall: &'b (dyn Fn(&[u8], &Seen) -> Option<Content> + Sync),
    /// Is called before a file is read.
    pub reads: &'b (dyn Fn() + Sync),
}

impl Files {
    /// Lists these patterns; gives what each found, nothing for those that cannot be listed.
    pub fn list_ahead(&mut self, paths: &mut Paths, queries: &[Query]) -> Vec<Arc<[FileId]>> {
        let is_unknown = |query: &&Query| !self.listings.contains_key(*query);
        let unknown: Vec<Query> = queries.iter().filter(is_unknown).cloned().collect();
        let (root, ignored) = (&self.root, &self.ignored);
        let listed =
            spread(&unknown, 1, |(pattern, skip), (): &mut ()| list(root, pattern, skip, ignored));
        for (query, found) in unknown.into_iter().zip(listed) {
            if let Ok(found) = found {
                self.keep_list(paths, query, &found);
            }
        }
        queries.iter().map(|query| self.listings.get(query).cloned().unwrap_or_default()).collect()
    }

    /// Whether nobody asked for it yet.
    pub fn is_unasked(&self, id: FileId) -> bool {
        id.index() >= self.facts.len() || matches!(self.facts[id], Fact::Unasked)
    }

    /// Of this what nobody was told is not known any more. What somebody was told stays: it is what
    /// he goes by.
    pub fn take_back(&mut self, queries: &[Query], ids: &[FileId]) {
        for query in queries.iter().filter(|query| !self.told_lists.contains(*query)) {
            self.listings.remove(query);
        }
        self.told.grow(self.facts.len());
        for &id in ids {
            if !self.is_unasked(id) && !self.told[id] {
                self.facts[id] = Fact::Unasked;
            }
        }
    }

    /// Asks for all of these that were not asked for yet, and reads small files whose content is not
    /// known. Gives those that it read, with what they hold.
    pub fn look_ahead(
        &mut self,
        paths: &Paths,
        ids: &[FileId],
        beside: &Beside<'_>,
    ) -> Vec<(FileId, Seen, Content)> {
        self.facts.grow(paths.len());
        let unasked = ids.iter().copied().filter(|&id| matches!(self.facts[id], Fact::Unasked));
        let mut unasked: Vec<FileId> = unasked.collect();
        unasked.sort_unstable();
        unasked.dedup();
        let goes = in_folders(&unasked, |&id| paths.bytes(id));
        let root = &self.root;
        let looked = spread(&goes, LEAST_GOES, |go, buffer: &mut Vec<u8>| {
            look_at(root, paths, go, beside, buffer)
        });
        let mut read = Vec::new();
        for (id, fact, was_read) in looked.into_iter().flatten() {
            self.keep(id, fact);
            if let (true, Fact::Present(seen, Some(content))) = (was_read, fact) {
                read.push((id, seen, content));
            }
        }
        read
    }
}

/// A folder, to ask for what lies in it.
pub(super) fn open_folder(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

/// Files that follow one another and lie in the same folder.
pub(super) fn in_folders<'i, T>(
    mut items: &'i [T],
    path: impl Fn(&'i T) -> &'i [u8],
) -> Vec<&'i [T]> {
    let folders: Vec<&[u8]> = items.iter().map(|item| folder_and_name(path(item)).0).collect();
    let mut goes = Vec::new();
    for same in folders.chunk_by(|one, next| one == next) {
        let (files, others) = items.split_at(same.len());
        goes.extend(files.chunks(AT_ONCE));
        items = others;
    }
    goes
}

pub(super) fn folder_and_name(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => path.split_at(1),
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// What is there, and whether it was read. Of what cannot be asked for nothing is said.
fn look_at(
    root: &Path,
    paths: &Paths,
    files: &[FileId],
    beside: &Beside<'_>,
    buffer: &mut Vec<u8>,
) -> Vec<(FileId, Fact, bool)> {
    let mut looked = Vec::with_capacity(files.len());
    let path = |bytes| Path::new(OsStr::from_bytes(bytes));
    let Some(&first) = files.first() else { return looked };
    let (folder, _) = folder_and_name(paths.bytes(first));
    let Some(folder) = open_folder(&root.join(path(folder))) else { return looked };
    for &id in files {
        let (_, name) = folder_and_name(paths.bytes(id));
        if name.is_empty() {
            continue;
        }
        let name = path(name);
        let Ok(seen) = Seen::at(folder.as_fd(), name) else { continue };
        let mut fact = stamped(seen);
        let mut was_read = false;
        if let Fact::Stamped(seen) = fact {
            let mut content = (beside.recall)(paths.bytes(id), &seen);
            if content.is_none() && is_small(&seen) {
                (beside.reads)();
                // What changes meanwhile is asked for again.
                let Ok(Some(now)) = measure_at(folder.as_fd(), name, &seen, buffer) else {
                    continue;
                };
                (content, was_read) = (Some(now), true);
            }
            fact = Fact::Present(seen, content);
        }
        looked.push((id, fact, was_read));
    }
    looked
}

fn is_small(seen: &Seen) -> bool {
    seen.link.kind() == FileKind::File && seen.link.size <= LARGEST_BYTES
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::files::{Ignored, Look, Pattern};

    /// Every sort of thing, asked for at once, against what is found one by one.
    #[test]
    fn at_once_as_one_by_one() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path();
        fs::create_dir_all(dir.join("a/b")).unwrap();
        for number in 0..300 {
            fs::write(dir.join(format!("a/{number}")), format!("{number}")).unwrap();
        }
        fs::write(dir.join("a/large"), vec![b'x'; 100 * 1024]).unwrap();
        fs::write(dir.join("top"), "top").unwrap();
        symlink("top", dir.join("link")).unwrap();
        symlink("nowhere", dir.join("broken")).unwrap();
        symlink("a", dir.join("folder")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
        let absolute = dir.join("top").to_str().unwrap().to_owned();
        let mut paths = Paths::default();
        let numbers = (0..300).map(|number| format!("a/{number}"));
        let others = [
            "a", "a/b", "a/large", "top", "link", "broken", "folder", "folder/7", "loop", "none",
            "none/x", "top/x", "", &absolute,
        ];
        let names = numbers.chain(others.map(str::to_owned));
        let ids: Vec<FileId> = names.map(|name| paths.intern(name.as_bytes())).collect();
        let (mut once, mut single) =
            (Files::new(dir, Ignored::default()), Files::new(dir, Ignored::default()));
        let (recalled, reads) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // The content of every third file is remembered.
        let content = Content::Link(taskr_cache::Digest::of(b"remembered"));
        let recall = |path: &[u8], seen: &Seen| {
            recalled.fetch_add(1, Ordering::Relaxed);
            assert!(seen.link.kind() != FileKind::Dir);
            path.ends_with(b"7").then_some(content)
        };
        let beside =
            Beside { recall: &recall, reads: &|| _ = reads.fetch_add(1, Ordering::Relaxed) };
        let read: Vec<FileId> =
            once.look_ahead(&paths, &ids, &beside).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(read.len(), reads.load(Ordering::Relaxed));
        assert!(recalled.load(Ordering::Relaxed) > 300);
        let mut buffer = Vec::new();
        for &id in &ids {
            let path = dir.join(paths.path(id));
            let one = single.look(&paths, id, |seen| recall(paths.bytes(id), seen)).unwrap();
            // Of what lies in no folder nothing is said.
            let at_once = once.look(&paths, id, |_| panic!("it was asked for")).unwrap();
            if !read.contains(&id) {
                assert_eq!(at_once, one, "{}", path.display());
                continue;
            }
            let (seen, content) = taskr_cache::measure(&path, &mut buffer).unwrap().unwrap();
            assert_eq!(one, Look::Unread, "{}", path.display());
            assert_eq!(at_once, Look::Known(Some(seen), content), "{}", path.display());
        }
        assert_eq!(read.len(), 300 - 30 + 2, "small files, but for those that are remembered");
        assert!(once.look_ahead(&paths, &ids, &beside_nothing()).is_empty(), "each once");
    }

    fn beside_nothing() -> Beside<'static> {
        Beside { recall: &|_, _| None, reads: &|| panic!("nothing is read") }
    }

    #[test]
    fn lists_at_once_as_one_by_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        for name in ["a/x", "a/y.c", "z.c"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let query = |text: &str, skip: &[&str]| {
            let skip = skip.iter().map(|text| Pattern::parse(text.as_bytes()).unwrap());
            (Pattern::parse(text.as_bytes()).unwrap(), skip.collect::<Vec<_>>())
        };
        let queries = [query("a/**", &[]), query("**/*.c", &["z.c"]), query("none/**", &[])];
        let mut paths = Paths::default();
        let mut files = Files::new(root.path(), Ignored::default());
        let ahead = files.list_ahead(&mut paths, &queries);
        let names = |found: &[FileId]| -> Vec<String> {
            let name = |&id: &FileId| String::from_utf8(paths.bytes(id).to_vec()).unwrap();
            found.iter().map(name).collect()
        };
        let found: Vec<Vec<String>> = ahead.iter().map(|found| names(found)).collect();
        assert_eq!(found, [vec!["a/x", "a/y.c"], vec!["a/y.c"], vec![]]);
        // They are known now.
        fs::remove_file(root.path().join("a/x")).unwrap();
        assert_eq!(files.list_ahead(&mut paths, &queries), ahead);
        assert_eq!(files.list(&mut paths, &queries[0].0, &queries[0].1).unwrap(), ahead[0]);
        files.take_back(&queries, &ahead[0]);
        assert_eq!(files.list(&mut paths, &queries[0].0, &queries[0].1).unwrap(), ahead[0]);
        fs::remove_file(root.path().join("z.c")).unwrap();
        fs::remove_file(root.path().join("a/y.c")).unwrap();
        assert_eq!(files.list(&mut paths, &queries[1].0, &queries[1].1).unwrap().len(), 0);
    }

    #[test]
    fn links_are_asked_for_again_whoever_asked() {
        let root = tempfile::tempdir().unwrap();
        let mut paths = Paths::default();
        let names = ["ahead", "alone", "file"];
        let ids = names.map(|name| paths.intern(name.as_bytes()));
        fs::write(root.path().join("file"), "file").unwrap();
        for name in &names[..2] {
            symlink("file", root.path().join(name)).unwrap();
        }
        let mut files = Files::new(root.path(), Ignored::default());
        files.look_ahead(&paths, &[ids[0], ids[2]], &Beside { reads: &|| (), ..beside_nothing() });
        files.look(&paths, ids[1], |_| None).unwrap();
        assert_eq!(ids.map(|id| files.is_unasked(id)), [false; 3]);
        files.forget_links();
        assert_eq!(ids.map(|id| files.is_unasked(id)), [true, true, false]);
    }

    #[test]
    fn what_somebody_was_told_is_not_taken_back() {
        let root = tempfile::tempdir().unwrap();
        let mut paths = Paths::default();
        let ids = ["told", "untold"].map(|name| {
            fs::write(root.path().join(name), name).unwrap();
            paths.intern(name.as_bytes())
        });
        let mut files = Files::new(root.path(), Ignored::default());
        let beside = Beside { recall: &|_, _| None, reads: &|| () };
        files.look_ahead(&paths, &ids, &beside);
        let told = files.look(&paths, ids[0], |_| None).unwrap();
        files.take_back(&[], &ids);
        assert_eq!(ids.map(|id| files.is_unasked(id)), [false, true]);
        assert_eq!(files.known(&paths, ids[0]), told);
    }
}
