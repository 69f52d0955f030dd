//! What lies below a folder, as a value to be compared.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is expected at a path of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { text: String, exec: bool },
    Link(PathBuf),
}

/// Everything below a folder, by relative path; folders themselves do not count.
pub(crate) type Tree = BTreeMap<PathBuf, Entry>;

/// All files and links below a folder but `.taskr`.
pub(crate) fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    walk(root, &mut |path, _| {
        let relative = path.strip_prefix(root).expect("below the root");
        if relative.starts_with(".taskr") {
            return false;
        }
        if let Some(entry) = entry(path) {
            found.insert(relative.to_owned(), entry);
        }
        true
    });
    found
}

/// A file or a link; nothing else counts.
pub(crate) fn entry(path: &Path) -> Option<Entry> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if metadata.is_symlink() {
        Some(Entry::Link(fs::read_link(path).ok()?))
    } else if metadata.is_file() {
        let text = fs::read(path).map(|bytes| lossy(&bytes)).unwrap_or_default();
        Some(Entry::File { text, exec: metadata.mode() & 0o100 != 0 })
    } else {
        None
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every name below a folder with its type, mode, size, times, link text and content: to prove
/// that a command changed no byte.
pub(crate) fn fingerprint(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    walk(root, &mut |path, metadata| {
        let content = match entry(path) {
            Some(Entry::Link(text)) => format!("{text:?}"),
            Some(_) => blake3::hash(&fs::read(path).unwrap_or_default()).to_hex().to_string(),
            None => String::new(),
        };
        let (mode, size, inode) = (metadata.mode(), metadata.size(), metadata.ino());
        let time = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec());
        found.insert(path.to_owned(), format!("{mode:o} {size} {inode} {time:?} {content}"));
        true
    });
    found
}

/// Visits everything below `root`, it included; `enter` tells whether to go below a folder.
fn walk(root: &Path, enter: &mut dyn FnMut(&Path, &fs::Metadata) -> bool) {
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if enter(&path, &metadata) && metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(entries.map(|entry| entry.path()));
        }
    }
}

/// Every path of both is the same in both.
#[track_caller]
pub(crate) fn compare(found: &Tree, expected: &Tree, shown: &str) {
    for (path, entry) in expected {
        assert_eq!(found.get(path), Some(entry), "{} after {shown}", path.display());
    }
    for path in found.keys() {
        assert!(expected.contains_key(path), "{} is there after {shown}", path.display());
    }
}
