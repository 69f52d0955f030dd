//! Where a program is, as `execvp` would find it.
//!
//! Done here and not by the system, because the path counts in a task's key, and because a program
//! given by its absolute path keeps the start on the fast road.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The program that `name` means in `dir` (absolute) with `path_var` as `PATH`.
///
/// A name with a `/` is relative to `dir`; any other is looked up in the entries of `PATH` in
/// order, of which an empty one means `dir` and a relative one is relative to it. Counts: a regular
/// file that we may execute.
pub fn find_program(name: &OsStr, path_var: &OsStr, dir: &Path) -> Option<PathBuf> {
    places_of(name, path_var, dir).find(|path| is_program(path))
}

/// Where [`find_program`] looks, in order.
pub fn places_of<'p>(
    name: &'p OsStr,
    path_var: &'p OsStr,
    dir: &'p Path,
) -> impl Iterator<Item = PathBuf> + Clone {
    let is_path = name.as_bytes().contains(&b'/');
    let entries = path_var.as_bytes().split(|&byte| byte == b':');
    let looked_up = entries.map(move |entry| dir.join(OsStr::from_bytes(entry)).join(name));
    let given = is_path.then(|| dir.join(name));
    let looked_up = looked_up.filter(move |_| !is_path && !name.is_empty());
    given.into_iter().chain(looked_up)
}

/// Whether a regular file that we may execute is there.
pub fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// What starts a script.
#[derive(Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program that the first line names.
    pub path: PathBuf,
    /// If that is `env`: the program that it looks up in `PATH`.
    pub looked_up: Option<OsString>,
}

/// The interpreter that a script's first line names.
pub fn interpreter(program: &Path) -> Option<Interpreter> {
    let start = first_bytes(program);
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let path = PathBuf::from(OsStr::from_bytes(words.next()?));
    let is_env = path.file_name() == Some(OsStr::new("env"));
    let looked_up = if is_env { program_of_env(words) } else { None };
    Some(Interpreter { path, looked_up: looked_up.map(|word| OsStr::from_bytes(word).to_owned()) })
}

/// The first word behind the options of `env` and the variables that it sets.
fn program_of_env<'w>(mut words: impl Iterator<Item = &'w [u8]>) -> Option<&'w [u8]> {
    loop {
        let word = words.next()?;
        let split = word.strip_prefix(b"-S").or(word.strip_prefix(b"--split-string="));
        match (word, split) {
            (_, Some(first @ [_, ..])) => return Some(first),
            (b"-u" | b"-C" | b"--unset" | b"--chdir", _) => drop(words.next()),
            ([b'-', ..], _) => {}
            (word, _) if word.contains(&b'=') => {}
            (word, _) => return Some(word),
        }
    }
}

/// The first bytes of a file, enough for a script's first line; none if it cannot be read.
pub(super) fn first_bytes(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    if read.is_err() {
        start.clear();
    }
    start
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn finds_what_execvp_would() {
        let root = tempfile::tempdir().expect("dir");
        let dir = root.path();
        let odd = OsStr::from_bytes(b"odd\xff");
        for (name, mode) in [("a/tool", 0o755), ("b/tool", 0o755), ("b/plain", 0o644)] {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("dir");
            fs::write(&path, "").expect("file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        }
        fs::create_dir_all(dir.join("a/plain")).expect("dir");
        fs::copy(dir.join("a/tool"), dir.join(odd)).expect("file");
        std::os::unix::fs::symlink("b/tool", dir.join("link")).expect("link");
        let absolute = dir.join("b").into_os_string();
        let path = |entries: &[&OsStr]| entries.join(OsStr::new(":"));
        let (a, b) = (OsString::from("a"), OsString::from("b"));
        let table: [(&OsStr, OsString, Option<&str>); 12] = [
            ("tool".as_ref(), path(&[&a, &b]), Some("a/tool")),
            ("tool".as_ref(), path(&[&absolute, &a]), Some("b/tool")),
            ("tool".as_ref(), path(&["none".as_ref(), &b]), Some("b/tool")),
            ("tool".as_ref(), path(&["none".as_ref()]), None),
            ("plain".as_ref(), path(&[&a, &b]), None),
            ("link".as_ref(), path(&[&a, "".as_ref(), &b]), Some("link")),
            ("link".as_ref(), OsString::new(), Some("link")),
            ("./link".as_ref(), path(&[&a]), Some("./link")),
            ("a/tool".as_ref(), OsString::new(), Some("a/tool")),
            ("a/plain".as_ref(), OsString::new(), None),
            ("a/../b/tool".as_ref(), OsString::new(), Some("a/../b/tool")),
            ("".as_ref(), path(&[&a]), None),
        ];
        for (name, path_var, expected) in table {
            let found = find_program(name, &path_var, dir);
            assert_eq!(found, expected.map(|found| dir.join(found)), "{name:?} in {path_var:?}");
        }
        assert_eq!(find_program(odd, OsStr::new(""), dir), Some(dir.join(odd)));
        let outside = find_program("/bin/sh".as_ref(), OsStr::new(""), dir);
        assert_eq!(outside, Some(PathBuf::from("/bin/sh")));
    }

    #[test]
    fn the_first_line_names_the_interpreter_and_what_env_looks_up() {
        let dir = tempfile::tempdir().expect("dir");
        let script = dir.path().join("script");
        let table = [
            ("#!/bin/sh -e\n", Some(("/bin/sh", None))),
            ("#! /usr/bin/env  python3\nimport", Some(("/usr/bin/env", Some("python3")))),
            ("#!/usr/bin/env -S node --x\n", Some(("/usr/bin/env", Some("node")))),
            ("#!/usr/bin/env -Snode --x\n", Some(("/usr/bin/env", Some("node")))),
            ("#!/usr/bin/env -i -u A B=1 sh\n", Some(("/usr/bin/env", Some("sh")))),
            ("#!/usr/bin/env -vS --split-string=sh\n", Some(("/usr/bin/env", Some("sh")))),
            ("#!/usr/bin/env\nsh\n", Some(("/usr/bin/env", None))),
            ("#!env sh", Some(("env", Some("sh")))),
            ("#!/my/environment sh\n", Some(("/my/environment", None))),
            ("#!\nsh\n", None),
            ("sh\n", None),
        ];
        for (text, expected) in table {
            fs::write(&script, text).expect("file");
            let expected = expected.map(|(path, looked_up)| Interpreter {
                path: path.into(),
                looked_up: looked_up.map(Into::into),
            });
            assert_eq!(interpreter(&script), expected, "{text}");
        }
    }
}
