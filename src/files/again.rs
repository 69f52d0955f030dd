//! Asking once more for many paths that were asked for before: from the folder that they lie in, and on
//! several threads where there are enough.
//!
//! Knows nothing of what they held: who asks judges.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use taskr_cache::{Seen, spread};

use super::ahead::{LEAST_GOES, folder_and_name, in_folders, open_folder};

/// So many files of one folder are worth its being opened.
const WORTH_A_FOLDER: usize = 3;

/// What `judge` makes of each item and of what stands at its path now, in their order. Paths are
/// absolute, or start at `root`; the vector is scratch space.
pub fn ask_again<'i, T: Sync, R: Send>(
    root: &Path,
    items: &'i [T],
    path: impl Fn(&'i T) -> &'i [u8] + Sync,
    judge: impl Fn(&'i T, io::Result<Option<Seen>>, &mut Vec<u8>) -> R + Sync,
) -> Vec<R> {
    let folder = |item: &'i T| folder_and_name(path(item)).0;
    let goes = in_folders(items, &path);
    let absolute = |path| root.join(OsStr::from_bytes(path));
    let judged = spread(&goes, LEAST_GOES, |go, buffer: &mut Vec<u8>| {
        let first = go.first().filter(|_| go.len() >= WORTH_A_FOLDER);
        let dir = first.and_then(|item| open_folder(&absolute(folder(item))));
        let now = |item| match (&dir, folder_and_name(path(item)).1) {
            (Some(dir), name) if !name.is_empty() => {
                Seen::at(dir.as_fd(), Path::new(OsStr::from_bytes(name)))
            }
            _ => Seen::of(&absolute(path(item))),
        };
        go.iter().map(|item| judge(item, now(item), buffer)).collect::<Vec<R>>()
    });
    judged.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_asked_for_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let mut paths: Vec<Vec<u8>> = Vec::new();
        for folder in ["many", "few"] {
            std::fs::create_dir(root.join(folder)).unwrap();
            let count = if folder == "many" { 1_000 } else { 2 };
            for number in 0..count {
                let path = format!("{folder}/{number}");
                if number % 3 > 0 {
                    std::fs::write(root.join(&path), &path).unwrap();
                }
                paths.push(path.into_bytes());
            }
        }
        let elsewhere = [&b"few"[..], b"gone/a", b"gone/b", b"gone/c", b"/", b"few/"];
        paths.extend(elsewhere.map(<[u8]>::to_vec));
        let seen = ask_again(root, &paths, |path| path, |_, seen, _| seen.ok());
        let one_by_one =
            paths.iter().map(|path| Seen::of(&root.join(OsStr::from_bytes(path))).ok());
        assert_eq!(seen, one_by_one.collect::<Vec<_>>());
        assert_eq!(seen.iter().flatten().flatten().count(), 666 + 1 + 3);
    }
}
