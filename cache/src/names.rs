//! What a folder lists: the names in it, and what sort of thing each is, as a digest.
//!
//! It stands for a listing where the folder's stamp does not: who saves a file under a new name and
//! moves it to its place, as editors and `git checkout` do, moves the stamp and leaves the names.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::digest::{Digest, KeyHasher};
use crate::stamp::Stamp;

/// So much of a folder is read at once, in bytes.
const BUFFER_BYTES: usize = 32 << 10;

/// The stamp that the folder `path`, from the folder `dir`, had before and after it was read, links
/// followed, and a digest of what is in it. `None`: there is no folder, or it changed meanwhile.
///
/// # Errors
/// It cannot be opened or read.
pub fn names_at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<Option<(Stamp, Digest)>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = match rustix::fs::openat(dir, path, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let stamp = || Ok::<_, io::Error>(Stamp::from_stat(&rustix::fs::fstat(&folder)?));
    let before = stamp()?;
    let digest = digest_of_names(folder.as_fd())?;
    Ok((stamp()? == before).then_some((before, digest)))
}

fn digest_of_names(folder: BorrowedFd<'_>) -> io::Result<Digest> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Not all file systems tell it with the name.
            FileType::Unknown => {
                let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        names.push([&[letter(kind)], name.to_bytes_with_nul()].concat());
    }
    names.sort_unstable();
    let mut hasher = KeyHasher::new("taskr 2026 names in a folder v1");
    names.iter().for_each(|name| hasher.update(name));
    Ok(hasher.finish())
}

fn letter(kind: FileType) -> u8 {
    match kind {
        FileType::RegularFile => b'f',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        _ => b'o',
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn names_and_kinds_count_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("folder");
        let look = || names_at(CWD, &path).unwrap();
        assert_eq!(look(), None);
        fs::create_dir(&path).unwrap();
        let names = || look().unwrap().1;
        let empty = names();
        for name in ["b", "a"] {
            fs::write(path.join(name), name).unwrap();
        }
        let both = names();
        assert_ne!(both, empty);
        let stamp = look().unwrap().0;
        fs::write(path.join("c"), "new").unwrap();
        assert_ne!(names(), both);
        fs::rename(path.join("c"), path.join("a")).unwrap();
        assert_eq!(names(), both, "another file of that name");
        assert_ne!(look().unwrap().0, stamp);
        fs::remove_file(path.join("a")).unwrap();
        for (make, what) in [
            (&|path: &Path| fs::create_dir(path) as io::Result<()>) as &dyn Fn(&Path) -> _,
            &|path: &Path| symlink("b", path),
            &|path: &Path| {
                rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).map_err(Into::into)
            },
        ]
        .into_iter()
        .zip(["a folder", "a link", "a pipe"])
        {
            make(&path.join("a")).unwrap();
            assert_ne!(names(), both, "{what}");
            fs::rename(path.join("a"), root.path().join(what)).unwrap();
        }
        fs::write(path.join("a"), "").unwrap();
        assert_eq!(names(), both);
        fs::rename(&path, root.path().join("moved")).unwrap();
        symlink("moved", &path).unwrap();
        assert_eq!(names(), both, "a link to a folder is followed");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(look(), None, "a file is no folder");
    }

    #[test]
    fn no_two_lists_of_names_are_the_same() {
        let root = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        for (at, names) in
            [&["ab"][..], &["a", "b"], &["a", "fb"], &["af", "b"], &["a"]].iter().enumerate()
        {
            let folder = root.path().join(at.to_string());
            fs::create_dir(&folder).unwrap();
            names.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
            seen.push(names_at(CWD, &folder).unwrap().unwrap().1);
        }
        assert!((1..seen.len()).all(|at| !seen[..at].contains(&seen[at])));
    }

    /// More than one piece of the folder.
    #[test]
    fn large_folders_are_read_to_their_end() {
        let root = tempfile::tempdir().unwrap();
        (0..3000).for_each(|at| fs::write(root.path().join(format!("{at:032}")), "").unwrap());
        let names = || names_at(CWD, root.path()).unwrap().unwrap().1;
        let before = names();
        for at in [0, 1500, 2999] {
            let path = root.path().join(format!("{at:032}"));
            fs::remove_file(&path).unwrap();
            assert_ne!(names(), before, "{at}");
            fs::write(&path, "").unwrap();
            assert_eq!(names(), before);
        }
    }
}
