//! What restoring costs at least: files read, digested, held against their digests and written,
//! by a program that does nothing else.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of one `read`, as taskr asks for.
const CHUNK_BYTES: usize = 128 * 1024;

/// Copies all files of `from`, whose names are their digests, to the new folder `to`.
///
/// # Errors
/// A file is not what its name says, or cannot be read or written.
pub(crate) fn copy_verified(from: &Path, to: &Path, threads: usize) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    let entries = fs::read_dir(from).map_err(failed)?;
    let files: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let files = files.map_err(failed)?;
    fs::create_dir_all(to).map_err(failed)?;
    std::thread::scope(|scope| {
        let parts = files.chunks(files.len().div_ceil(threads.max(1)).max(1));
        let copies: Vec<_> = parts.map(|part| scope.spawn(move || copy_all(part, to))).collect();
        copies.into_iter().try_for_each(|copy| copy.join().map_err(|_| "a panic".to_owned())?)
    })
}

fn copy_all(files: &[PathBuf], to: &Path) -> Result<(), String> {
    let mut buffer = vec![0; CHUNK_BYTES];
    for from in files {
        let name = from.file_name().unwrap_or_default();
        let digest = copy(from, &to.join(name), &mut buffer)
            .map_err(|error| format!("{}: {error}", from.display()))?;
        if *name.to_string_lossy() != digest {
            return Err(format!("{} is {digest}", from.display()));
        }
    }
    Ok(())
}

/// Says what the digest is.
fn copy(from: &Path, to: &Path, buffer: &mut [u8]) -> std::io::Result<String> {
    let (mut from, mut to) = (File::open(from)?, File::create_new(to)?);
    let mut hasher = blake3::Hasher::new();
    loop {
        match from.read(buffer)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            read => {
                hasher.update(&buffer[..read]);
                to.write_all(&buffer[..read])?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_copied_and_a_wrong_one_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let from = folder.path().join("from");
        fs::create_dir(&from).expect("a folder");
        let mut names: Vec<String> = Vec::new();
        for text in ["", "one", &"two ".repeat(100_000)] {
            let name = blake3::hash(text.as_bytes()).to_hex().to_string();
            fs::write(from.join(&name), text).expect("a file");
            names.push(name);
        }
        let to = folder.path().join("to");
        copy_verified(&from, &to, 2).expect("all are right");
        assert_eq!(fs::read_to_string(to.join(&names[1])).expect("a copy"), "one");
        assert_eq!(fs::read_dir(&to).expect("a folder").count(), 3);
        fs::write(from.join(&names[1]), "won").expect("a file");
        let wrong = copy_verified(&from, &folder.path().join("again"), 1).expect_err("wrong");
        assert!(wrong.contains(&names[1]), "{wrong}");
    }
}
