//! Lexical paths: bytes between slashes, resolved without looking at the disk.
//!
//! A normalised path has no `.`, no `..`, no empty component and no slash at its end; it is
//! relative to the workspace's root ("" is the root itself) or absolute.

use std::fmt;

/// Why a text is no path of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Its `..` lead above the workspace's root.
    Outside,
    /// It has a zero byte, which no file's name can have.
    Nul,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathError::Outside => "this path leads out of the workspace",
            PathError::Nul => "a path cannot have a zero byte",
        })
    }
}

impl std::error::Error for PathError {}

/// The names of a path, in order. The root has none.
pub(super) fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

/// Joins a text as written in a Taskfile to `base`, the directory of its target, and resolves
/// `.`, `..` and `//` by their letters alone. `//x` starts at the root, `/x` stays absolute.
///
/// # Errors
/// [`PathError::Outside`] where `..` leave the root; [`PathError::Nul`].
pub fn normalise(base: &[u8], text: &[u8]) -> Result<Vec<u8>, PathError> {
    if text.contains(&0) {
        return Err(PathError::Nul);
    }
    let base = if text.starts_with(b"/") { b"" } else { base };
    let absolute = base.starts_with(b"/") || (text.starts_with(b"/") && !text.starts_with(b"//"));
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in names(base).chain(names(text)) {
        match name {
            b"." => {}
            b".." if kept.pop().is_none() && !absolute => return Err(PathError::Outside),
            b".." => {}
            _ => kept.push(name),
        }
    }
    let mut path = if absolute { b"/".to_vec() } else { Vec::new() };
    path.extend_from_slice(&kept.join(&b'/'));
    Ok(path)
}

/// How a normalised path is written from a directory of the workspace: `src/a.c` seen from
/// `src/net` is `../a.c`, a directory seen from itself is `.`. Absolute paths stay.
pub fn relative_to(dir: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") || dir.starts_with(b"/") {
        return path.to_vec();
    }
    let shared = names(dir).zip(names(path)).take_while(|(a, b)| a == b).count();
    let up = names(dir).skip(shared).map(|_| &b".."[..]);
    let parts: Vec<&[u8]> = up.chain(names(path).skip(shared)).collect();
    if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') }
}
