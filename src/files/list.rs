//! What is on the disk: the files that a pattern matches, and all that lies below a directory.
//!
//! Reads directories: no Taskfile, no contents but for who wants to know later whether it would find the
//! same, and stamps only of the directories that it reads, for the same end. Each call walks anew;
//! what may be remembered between calls is the caller's matter. Links to directories are never
//! followed, so every walk ends; only the part of a pattern that is written out may lead through
//! one, as it does when a command opens it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use taskr_cache::{Fact, FileKind, Seen, Stamp, measure_at, names_at, spread};
use walkdir::{DirEntry, WalkDir};

use super::ignored::{Ignored, IgnoredMatch};
use super::pattern::Pattern;

/// Directories that hold no sources: a wildcard never finds them, or anything below.
const NEVER: [&[u8]; 2] = [b".taskr", b".git"];

/// The files and links that match `pattern` and none of `skip`, sorted by bytes, but for those that
/// are `ignored`. Directories, sockets, pipes and devices are no matches. A pattern whose fixed part
/// is not there matches nothing; one without wildcards is never ignored.
///
/// # Errors
/// A directory or `.gitignore` that cannot be read, by name: for want of rights, or because its path
/// is longer than the system takes. One that vanished meanwhile is no error.
pub fn list(
    root: &Path,
    pattern: &Pattern,
    skip: &[Pattern],
    ignored: &Ignored,
) -> io::Result<Vec<Vec<u8>>> {
    walk_matches((root, pattern, skip), ignored, &mut |_, _| {})
}

/// As [`list`], and what it rests on: the stamps of all directories and `.gitignore` files from
/// before they were read. As long as these are so, and were settled then, the list is the same.
///
/// # Errors
/// As of [`list`]; or a directory cannot be asked for its stamp.
pub fn list_and_why(
    root: &Path,
    pattern: &Pattern,
    skip: &[Pattern],
    ignored: &Ignored,
) -> io::Result<Listing> {
    let mut facts = Facts::default();
    if let Some(path) = pattern.as_path() {
        facts.add(path, Stamp::of_link(&absolute(root, path)), kind);
    }
    let found =
        walk_matches((root, pattern, skip), ignored, &mut |path, at| facts.led_to(path, at))?;
    Ok((found, facts.all()?))
}

/// The first file that `pattern` would match if no `.gitignore` left it out; none, too, where it
/// cannot be listed.
pub fn ignored_match(
    root: &Path,
    pattern: &Pattern,
    skip: &[Pattern],
    ignored: &Ignored,
) -> Option<IgnoredMatch> {
    let all = list(root, pattern, skip, &Ignored::default()).ok()?;
    let by = |path: &Vec<u8>| ignored.by(pattern.base(), path).ok().flatten();
    all.into_iter().find_map(|path| by(&path).map(|by| IgnoredMatch { path, by }))
}

/// Paths, and the facts that they rest on.
pub type Listing = (Vec<Vec<u8>>, Vec<(Vec<u8>, Fact)>);

/// What was asked along the way, or the first error.
#[derive(Default)]
struct Facts {
    all: Vec<(Vec<u8>, Fact)>,
    failed: Option<io::Error>,
}

impl Facts {
    fn led_to(&mut self, path: &[u8], at: &Path) {
        self.add(path, Stamp::of(at), Fact::LeadsTo);
    }

    fn add(
        &mut self,
        path: &[u8],
        stamp: io::Result<Option<Stamp>>,
        fact: impl FnOnce(Option<Stamp>) -> Fact,
    ) {
        match stamp {
            Ok(stamp) => self.all.push((path.to_vec(), fact(stamp))),
            Err(error) => self.failed = Some(error),
        }
    }

    fn all(self) -> io::Result<Vec<(Vec<u8>, Fact)>> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.all),
        }
    }
}

/// Facts about folders and files that listings rest on, with what these hold beside their stamps, where
/// it can be told: the names in a folder, the content of a file that is no link. Each was read behind
/// the listing; that it has the stamp that it had before tells that it was so all the time, if that
/// stamp is settled.
pub fn with_what_is_held(root: &Path, facts: Vec<(Vec<u8>, Fact)>) -> Vec<(Vec<u8>, Fact)> {
    let held = spread(&facts, LEAST_FACTS, |(path, fact), (): &mut ()| match fact {
        Fact::LeadsTo(Some(stamp)) => held(&absolute(root, path), stamp).unwrap_or(*fact),
        _ => *fact,
    });
    facts.into_iter().map(|(path, _)| path).zip(held).collect()
}

/// So many folders are worth a thread.
const LEAST_FACTS: usize = 16;

fn held(at: &Path, stamp: &Stamp) -> Option<Fact> {
    match stamp.kind() {
        FileKind::Dir => {
            let (now, names) = names_at(CWD, at).ok()??;
            (now == *stamp).then_some(Fact::Lists(now, names))
        }
        FileKind::File => {
            let seen = Seen { link: *stamp, file: None };
            let content = measure_at(CWD, at, &seen, &mut Vec::new()).ok()??;
            Some(Fact::Holds(Some(*stamp), content))
        }
        FileKind::Symlink | FileKind::Other => None,
    }
}

/// That something of this kind is there, or nothing.
fn kind(stamp: Option<Stamp>) -> Fact {
    stamp.map_or(Fact::Absent, |stamp| Fact::Is(stamp.kind()))
}

/// Whether a path that is written out is there, and the fact.
///
/// # Errors
/// It cannot be asked for.
pub fn is_there_and_why(root: &Path, path: &[u8]) -> io::Result<(bool, Fact)> {
    let fact = kind(Stamp::of_link(&absolute(root, path))?);
    Ok((fact != Fact::Absent, fact))
}

/// What [`list`] gives. `told` learns of each directory and `.gitignore` before it is read: as a
/// path of the workspace, and as it is opened.
fn walk_matches(
    (root, pattern, skip): (&Path, &Pattern, &[Pattern]),
    ignored: &Ignored,
    told: &mut dyn FnMut(&[u8], &Path),
) -> io::Result<Vec<Vec<u8>>> {
    let skipped = |path: &[u8]| skip.iter().any(|skip| skip.matches_all(path));
    if let Some(path) = pattern.as_path() {
        let there = !skipped(path) && is_match(root, path)?;
        return Ok(if there { vec![path.to_vec()] } else { Vec::new() });
    }
    let mut found = Vec::new();
    let walk = Walk::new(root, pattern.base());
    told(pattern.base(), &walk.start);
    let mut sieve = ignored.sieve(pattern.base(), told)?;
    let mut entries = WalkDir::new(&walk.start).min_depth(1).into_iter();
    while let Some(entry) = entries.next() {
        let Some(entry) = still_there(entry)? else { continue };
        let (path, depth) = (walk.relative(&entry), entry.depth());
        let kind = entry.file_type();
        let is_never = NEVER.contains(&entry.file_name().as_bytes());
        if kind.is_dir() {
            let enters = !is_never
                && pattern.may_contain(path)
                && !skip.iter().any(|skip| skip.covers(path))
                && sieve.enters((path, entry.path()), depth, told)?;
            match enters {
                true => told(path, entry.path()),
                false => entries.skip_current_dir(),
            }
        } else if (kind.is_file() || kind.is_symlink())
            && !is_never
            && pattern.matches(path)
            && !skipped(path)
            && !sieve.leaves_out(path, depth)
        {
            found.push(path.to_vec());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The directories that match `pattern`, sorted by bytes; links to directories are none.
///
/// # Errors
/// As of [`list`].
pub fn list_folders(root: &Path, pattern: &Pattern) -> io::Result<Vec<Vec<u8>>> {
    walk_folders(root, pattern, &mut |_, _| {})
}

/// As [`list_folders`], and what it rests on, as of [`list_and_why`]: the directories that match
/// among them.
///
/// # Errors
/// As there.
pub fn list_folders_and_why(root: &Path, pattern: &Pattern) -> io::Result<Listing> {
    let mut facts = Facts::default();
    let found = walk_folders(root, pattern, &mut |path, at| facts.led_to(path, at))?;
    Ok((found, facts.all()?))
}

fn walk_folders(
    root: &Path,
    pattern: &Pattern,
    folder: &mut dyn FnMut(&[u8], &Path),
) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let walk = Walk::new(root, pattern.base());
    folder(pattern.base(), &walk.start);
    let entries = WalkDir::new(&walk.start).min_depth(1).into_iter().filter_entry(|entry| {
        let path = walk.relative(entry);
        let enters = entry.file_type().is_dir()
            && !NEVER.contains(&entry.file_name().as_bytes())
            && (pattern.may_contain(path) || pattern.matches(path));
        if enters {
            folder(path, entry.path());
        }
        enters
    });
    for entry in entries {
        let Some(entry) = still_there(entry)? else { continue };
        let path = walk.relative(&entry);
        if pattern.matches(path) {
            found.push(path.to_vec());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Everything below `dir`, dot files included, sorted by bytes: all that is no directory, and with
/// `true` each directory that has nothing in it. `dir` itself is not followed if it is a link.
/// What sorts of files may be outputs is the caller's matter.
///
/// # Errors
/// As of [`list`].
pub fn list_tree(root: &Path, dir: &[u8]) -> io::Result<Vec<(Vec<u8>, bool)>> {
    walk_tree(root, dir, &mut |_, _| {})
}

/// What [`list_tree`] rests on, as of [`list_and_why`].
///
/// # Errors
/// As there.
pub fn why_of_tree(root: &Path, dir: &[u8]) -> io::Result<Vec<(Vec<u8>, Fact)>> {
    let mut facts = Facts::default();
    facts.add(dir, Stamp::of_link(&absolute(root, dir)), kind);
    walk_tree(root, dir, &mut |path, at| facts.led_to(path, at))?;
    facts.all()
}

fn walk_tree(
    root: &Path,
    dir: &[u8],
    folder: &mut dyn FnMut(&[u8], &Path),
) -> io::Result<Vec<(Vec<u8>, bool)>> {
    let mut found: Vec<(Vec<u8>, bool)> = Vec::new();
    let walk = Walk::new(root, dir);
    folder(dir, &walk.start);
    let entries = WalkDir::new(&walk.start).follow_root_links(false).min_depth(1);
    // A directory is empty until an entry below it follows.
    let mut depth_above = usize::MAX;
    for entry in entries {
        let Some(entry) = still_there(entry)? else { continue };
        if entry.depth() > depth_above {
            found.pop();
        }
        let is_dir = entry.file_type().is_dir();
        if is_dir {
            folder(walk.relative(&entry), entry.path());
        }
        depth_above = if is_dir { entry.depth() } else { usize::MAX };
        found.push((walk.relative(&entry).to_vec(), is_dir));
    }
    found.sort_unstable();
    Ok(found)
}

/// Where a walk starts, and how many bytes of its paths come before the workspace's own.
struct Walk {
    start: PathBuf,
    prefix: usize,
}

impl Walk {
    fn new(root: &Path, base: &[u8]) -> Walk {
        let base = Path::new(OsStr::from_bytes(base));
        let outside = if base.is_absolute() { Path::new("") } else { root };
        let prefix = outside.join("x").as_os_str().len() - 1;
        let start = if base.as_os_str().is_empty() { root.into() } else { outside.join(base) };
        Walk { start, prefix }
    }

    fn relative<'a>(&self, entry: &'a DirEntry) -> &'a [u8] {
        &entry.path().as_os_str().as_bytes()[self.prefix..]
    }
}

fn absolute(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}

/// Whether a path that is written out is there and may be a match.
fn is_match(root: &Path, path: &[u8]) -> io::Result<bool> {
    let path = absolute(root, path);
    match path.symlink_metadata() {
        Ok(metadata) => Ok(metadata.is_file() || metadata.is_symlink()),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(named(&path, &error)),
    }
}

/// The entry; `None` for one that has vanished, or is no directory any more.
fn still_there(entry: walkdir::Result<DirEntry>) -> io::Result<Option<DirEntry>> {
    let error = match entry {
        Ok(entry) => return Ok(Some(entry)),
        Err(error) => error,
    };
    let path = error.path().unwrap_or(Path::new("")).to_owned();
    let error = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
    if is_gone(&error) { Ok(None) } else { Err(named(&path, &error)) }
}

pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub(super) fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    use tempfile::TempDir;

    use super::*;

    /// A workspace with these paths: `dir/`, `link -> text`, or a file.
    fn workspace(paths: &[&str]) -> TempDir {
        let root = TempDir::new().unwrap();
        for path in paths {
            let (path, link) = path.split_once(" -> ").map_or((*path, None), |(a, b)| (a, Some(b)));
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            match link {
                Some(text) => symlink(text, full).unwrap(),
                None if path.ends_with('/') => fs::create_dir_all(full).unwrap(),
                None => fs::write(full, path).unwrap(),
            }
        }
        root
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text.as_bytes()).unwrap()
    }

    fn listed(root: &Path, text: &str, skip: &[&str]) -> Vec<String> {
        let skip: Vec<Pattern> = skip.iter().map(|text| pattern(text)).collect();
        let found = list(root, &pattern(text), &skip, &Ignored::default()).unwrap();
        found.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn lists_a_table() {
        let root = workspace(&[
            "a.c",
            "src/a.c",
            "src/b.h",
            "src/net/c.c",
            "src/.hidden/d.c",
            "src/.e.c",
            "src/empty/",
            "src-old/a.c",
            "l.c -> src/a.c",
            "broken.c -> nowhere",
            "folder.c -> src",
            "loop -> .",
            "ping -> pong",
            "pong -> ping",
            ".git/HEAD",
            ".taskr/state.c",
            "src/vendor/.git/x.c",
            "src/vendor/v.c",
        ]);
        let table: &[(&str, &[&str], &[&str])] = &[
            ("*.c", &[], &["a.c", "broken.c", "folder.c", "l.c"]),
            ("src/*.c", &[], &["src/a.c"]),
            ("src/**", &[], &["src/a.c", "src/b.h", "src/net/c.c", "src/vendor/v.c"]),
            ("src/**", &["src/net/**", "**/*.h"], &["src/a.c", "src/vendor/v.c"]),
            ("src/**/*.c", &["src/vendor/v.c"], &["src/a.c", "src/net/c.c"]),
            ("**/.*", &[], &["src/.e.c"]),
            ("src/.hidden/*", &[], &["src/.hidden/d.c"]),
            ("{src,src-old}/*.c", &[], &["src-old/a.c", "src/a.c"]),
            ("missing/**", &[], &[]),
            ("a.c/*", &[], &[]),
            ("src/empty/**", &[], &[]),
            ("sr?", &[], &[]),
            ("**/.git/**", &[], &[]),
            ("loop/src/*.h", &[], &["loop/src/b.h"]),
            ("ping", &[], &["ping"]),
            ("p?ng", &[], &["ping", "pong"]),
            // Written out: found wherever it is, if it is a file or link.
            (".git/HEAD", &[], &[".git/HEAD"]),
            (".git/*", &[], &[".git/HEAD"]),
            ("src/.e.c", &[], &["src/.e.c"]),
            ("src/.e.c", &["src/**"], &[]),
            ("src", &[], &[]),
            ("src/none.c", &[], &[]),
            ("a.c/none", &[], &[]),
        ];
        for (text, skip, expected) in table {
            assert_eq!(listed(root.path(), text, skip), *expected, "{text} without {skip:?}");
        }
    }

    #[test]
    fn absolute_patterns_give_absolute_paths() {
        let root = workspace(&["x/a.c", "x/y/b.c"]);
        let base = root.path().to_str().unwrap();
        let found = listed(Path::new("/nowhere"), &format!("{base}/x/**/*.c"), &[]);
        assert_eq!(found, [format!("{base}/x/a.c"), format!("{base}/x/y/b.c")]);
    }

    #[test]
    fn sockets_and_pipes_are_no_matches() {
        let root = workspace(&["file"]);
        let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
        assert_eq!(listed(root.path(), "*", &[]), ["file"]);
        assert_eq!(listed(root.path(), "socket", &[]), [""; 0]);
        let tree = list_tree(root.path(), b"").unwrap();
        assert_eq!(tree, [(b"file".to_vec(), false), (b"socket".to_vec(), false)]);
    }

    #[test]
    fn lists_a_tree_with_empty_directories() {
        let root = workspace(&[
            "out/a/b",
            "out/a.c",
            "out/e/",
            "out/f/g/",
            "out/.dot/.x",
            "out/.git/HEAD",
            "out/h/i/j",
            "out/link -> a",
            "link -> out",
            "other/k",
        ]);
        let found = list_tree(root.path(), b"out").unwrap();
        let expected = [
            ("out/.dot/.x", false),
            ("out/.git/HEAD", false),
            ("out/a.c", false),
            ("out/a/b", false),
            ("out/e", true),
            ("out/f/g", true),
            ("out/h/i/j", false),
            ("out/link", false),
        ];
        assert_eq!(found, expected.map(|(path, empty)| (path.as_bytes().to_vec(), empty)));
        for nothing in ["link", "missing", "other/k", "out/e"] {
            assert_eq!(list_tree(root.path(), nothing.as_bytes()).unwrap(), [], "{nothing}");
        }
    }

    #[test]
    fn a_directory_that_may_not_be_read_is_named() {
        let root = workspace(&["src/secret/a.c", "src/b.c"]);
        let secret = root.path().join("src/secret");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read_dir(&secret).is_ok() {
            eprintln!("skipped: this user may read every directory");
            return;
        }
        let error = list(root.path(), &pattern("src/**"), &[], &Ignored::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("src/secret"), "{error}");
        assert_eq!(listed(root.path(), "src/**", &["src/secret/**"]), ["src/b.c"]);
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Makes directories below each other by descriptor, so that their path may be too long.
    fn deepen(root: &Path, name: &str, levels: usize) {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut dir = open(root, flags, Mode::empty()).unwrap();
        for _ in 0..levels {
            mkdirat(&dir, name, Mode::RWXU).unwrap();
            dir = openat(&dir, name, flags, Mode::empty()).unwrap();
        }
        openat(&dir, "leaf", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    }

    #[test]
    fn deep_trees_are_walked() {
        let root = workspace(&[]);
        deepen(root.path(), "d", 1000);
        let leaf = "d/".repeat(1000) + "leaf";
        assert_eq!(listed(root.path(), "**/leaf", &[]), std::slice::from_ref(&leaf));
        assert_eq!(list_tree(root.path(), b"d").unwrap(), [(leaf.into_bytes(), false)]);
    }

    #[test]
    fn paths_that_the_system_cannot_take_are_errors() {
        let root = workspace(&[]);
        let name = "n".repeat(200);
        deepen(root.path(), &name, 30);
        let error = list(root.path(), &pattern("**"), &[], &Ignored::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidFilename);
        assert!(error.to_string().contains(&name));
        assert!(list_tree(root.path(), b"").is_err());
        assert_eq!(listed(root.path(), "*", &[]), [""; 0]);
    }

    /// All files and links below `dir` by plain recursion, but for what no wildcard finds.
    fn slow_walk(root: &Path, dir: &[u8], found: &mut Vec<Vec<u8>>) {
        for entry in fs::read_dir(root.join(OsStr::from_bytes(dir))).unwrap() {
            let entry = entry.unwrap();
            let slash: &[u8] = if dir.is_empty() { b"" } else { b"/" };
            let path = [dir, slash, entry.file_name().as_bytes()].concat();
            match entry.file_type().unwrap() {
                _ if NEVER.contains(&entry.file_name().as_bytes()) => {}
                kind if kind.is_dir() => slow_walk(root, &path, found),
                _ => found.push(path),
            }
        }
    }

    #[test]
    fn lists_as_the_slow_walk_does() {
        let names: [&[u8]; 8] = [b"a", b"b", b"a.c", b".h", b"\xFF", b"x \n$", b".git", b"ab"];
        let texts: [&[u8]; 14] = [
            b"**",
            b"*",
            b"a/**",
            b"**/a",
            b"**/*.c",
            b"a*/**/b",
            b".h/**",
            b"**/.h/*",
            b"{a,b}/*",
            b"**/\xFF",
            b"?",
            b"[!a]*/**",
            b"**/{a,\xFF}/**",
            b"a/a/*",
        ];
        let patterns = texts.map(|text| Pattern::parse(text).unwrap());
        let mut state = 7_usize;
        let mut chance = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        let mut listed = 0;
        for round in 0..60 {
            let root = TempDir::new().unwrap();
            let mut dirs = vec![root.path().to_owned()];
            for _ in 0..60 {
                let dir = dirs[chance(dirs.len())].clone();
                let path = dir.join(OsStr::from_bytes(names[chance(names.len())]));
                // A name may be taken: then nothing is made.
                let made_dir = match chance(4) {
                    0 => fs::File::create_new(&path).is_err(),
                    1 => symlink(&dir, &path).is_err(),
                    _ => {
                        fs::create_dir(&path).is_ok() && {
                            dirs.push(path.clone());
                            true
                        }
                    }
                };
                assert!(made_dir || path.symlink_metadata().is_ok());
            }
            for pattern in &patterns {
                let skip = [patterns[chance(14)].clone(), Pattern::tree(names[chance(8)])];
                let skip = &skip[..chance(3)];
                let mut expected = Vec::new();
                // The base may be a link; it is written out, so it is followed.
                if root.path().join(OsStr::from_bytes(pattern.base())).is_dir() {
                    slow_walk(root.path(), pattern.base(), &mut expected);
                }
                expected.retain(|path| pattern.matches(path));
                expected.retain(|path| !skip.iter().any(|skip| skip.matches_all(path)));
                expected.sort();
                let found = list(root.path(), pattern, skip, &Ignored::default()).unwrap();
                assert_eq!(found, expected, "round {round}: {pattern:?} without {skip:?}");
                listed += found.len();
            }
        }
        assert!(listed > 1000, "the test sees matches: {listed}");
    }
}
