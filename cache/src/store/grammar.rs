//! Which entries there can be: the rules that paths, link texts and sizes keep.
//!
//! An entry comes from a file that others may have written, so it is held against these rules
//! whenever it is read, and also before it is written. Knows nothing of the disk: that a folder on
//! the way is no link must be seen where files are restored.

use super::entry::{Entry, Place, Stored, What};
use std::collections::BTreeSet;

/// The longest path or link text, in bytes: systems allow one more, for a zero.
const LONGEST_PATH: usize = 4095;
/// The longest component of a path, in bytes.
const LONGEST_NAME: usize = 255;
/// The longest name of a task, in bytes.
const LONGEST_TASK: usize = 16 * 1024;
/// First components that no entry may touch.
const RESERVED: [&[u8]; 2] = [b".taskr", b".git"];

/// What is wrong with an entry.
pub(super) type Refusal = &'static str;

/// Says what is wrong with the entry, if anything is.
pub(super) fn check(entry: &Entry) -> Result<(), Refusal> {
    if entry.task.len() > LONGEST_TASK {
        return Err("the task's name is too long");
    }
    // Every sum of sizes fits where sizes are kept.
    let mut total = 0_u64;
    for blob in entry.blobs() {
        total = total.checked_add(blob.size).ok_or("the sizes are too large")?;
    }
    if i64::try_from(total).is_err() || i64::try_from(entry.duration_ms).is_err() {
        return Err("the sizes are too large");
    }
    entry.files.iter().try_for_each(check_file)?;
    for path in entry.found.iter().flatten() {
        if path.is_empty() || path.len() > LONGEST_PATH || path.contains(&0) {
            return Err("a discovered path is none");
        }
    }
    check_tree(&entry.files)
}

fn check_file(file: &Stored) -> Result<(), Refusal> {
    check_path(&file.path)?;
    let reserved = file.place == Place::Workspace && is_reserved(first_component(&file.path));
    if reserved {
        return Err("a path leads to what is not built");
    }
    match &file.what {
        What::Link(text) => check_link(file, text),
        What::File { .. } | What::Folder => Ok(()),
    }
}

fn check_path(path: &[u8]) -> Result<(), Refusal> {
    if path.is_empty() || path.len() > LONGEST_PATH || path.contains(&0) {
        return Err("a path is none");
    }
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" => return Err("a path is absolute or has an empty component"),
            b"." | b".." => return Err("a path has a component `.` or `..`"),
            name if name.len() > LONGEST_NAME => return Err("a name is too long"),
            _ => {}
        }
    }
    Ok(())
}

/// A link may climb to the top of its place and no further. It climbs only at the front: where
/// `a/..` leads depends on whether `a` is a link, and that is not known here.
fn check_link(file: &Stored, text: &[u8]) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > LONGEST_PATH || text.contains(&0) {
        return Err("a link's text is none");
    }
    if text[0] == b'/' {
        return Err("a link is absolute");
    }
    let mut above: Vec<&[u8]> = file.path.split(|&byte| byte == b'/').collect();
    above.pop();
    let mut descended = false;
    for component in text.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if descended => return Err("a link climbs behind a name"),
            b".." => {
                above.pop().ok_or("a link leads out of its place")?;
            }
            name => {
                above.push(name);
                descended = true;
            }
        }
    }
    if file.place == Place::Workspace && above.first().is_some_and(|name| is_reserved(name)) {
        return Err("a link leads to what is not built");
    }
    Ok(())
}

/// No path twice, and none below a file or a link.
fn check_tree(files: &[Stored]) -> Result<(), Refusal> {
    let mut paths = BTreeSet::new();
    let mut ends = BTreeSet::new();
    for file in files {
        if !paths.insert((file.place, &file.path[..])) {
            return Err("a path is there twice");
        }
        if file.what != What::Folder {
            ends.insert((file.place, &file.path[..]));
        }
    }
    for &(place, path) in &paths {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        if slashes.into_iter().any(|(at, _)| ends.contains(&(place, &path[..at]))) {
            return Err("a path lies below a file or a link");
        }
    }
    Ok(())
}

fn first_component(path: &[u8]) -> &[u8] {
    path.split(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Whatever the case: some file systems see no difference.
fn is_reserved(name: &[u8]) -> bool {
    RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}
