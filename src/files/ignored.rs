//! What wildcards leave out: what `.gitignore` files name, from the top of the git work tree that
//! holds the workspace down to the folder, but for what tasks make.
//!
//! Reads `.gitignore` files and nothing else of git: neither `info/exclude` nor the user's own
//! file, for what a pattern finds must not depend on the user. As in git, a folder that is left out
//! is not entered, the last line that fits decides, and a `.gitignore` that is a link is not read.
//! The part of a pattern that is written out is never left out: lines count for what lies below it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use taskr_cache::{Coded, Fact, In, Index, Out, Stamp, many, put_many};

use super::ancestors;
use super::list::{is_gone, named};
use super::pattern::Pattern;

/// The name of the files.
pub const GITIGNORE: &[u8] = b".gitignore";

/// What wildcards leave out in one workspace. By default nothing.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    rules: Option<Arc<Rules>>,
    made: Arc<Made>,
}

/// What tasks make: it is found although a `.gitignore` names it.
#[derive(Debug, Default)]
struct Made {
    /// Files, and folders with all that is in them.
    paths: Index,
    /// Patterns by the folder before their first wildcard.
    globs: BTreeMap<Vec<u8>, Vec<Pattern>>,
}

/// The content of a file, and what it says.
type Read = (Vec<u8>, Arc<Gitignore>);

/// The files that were read, and where they may be.
#[derive(Debug)]
struct Rules {
    root: PathBuf,
    /// The folders above the workspace that may have one, the top first.
    above: Vec<PathBuf>,
    /// What each file was when it was last read.
    known: Mutex<HashMap<PathBuf, Read>>,
}

/// A line of a `.gitignore` that leaves a file out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredBy {
    /// The file, relative to the workspace or absolute, and the line from 1: `src/.gitignore:3`.
    pub place: String,
    /// What the line says.
    pub line: String,
}

/// A file that a pattern would find, and what leaves it out.
#[derive(Clone, Debug)]
pub struct IgnoredMatch {
    /// The file, in the workspace.
    pub path: Vec<u8>,
    /// What leaves it out.
    pub by: IgnoredBy,
}

impl IgnoredMatch {
    /// What to write instead.
    pub const HELP: &str = "take the line out, write the file without wildcards, or set \
                            `gitignore = false` in [taskr]";

    /// Which file would fit, and why it does not.
    pub fn sentence(&self) -> String {
        let path = String::from_utf8_lossy(&self.path);
        format!("{} would fit, but {}", path.escape_debug(), self.by.sentence())
    }
}

impl IgnoredBy {
    /// That the line leaves it out.
    pub fn sentence(&self) -> String {
        format!("`{}` ({}) leaves it out", self.line.escape_debug(), self.place)
    }
}

impl Ignored {
    /// What the `.gitignore` files for the workspace `root` name.
    pub fn new(root: &Path) -> Ignored {
        let above = above(root);
        let rules = Rules { root: root.to_owned(), above, known: Mutex::default() };
        Ignored { rules: Some(Arc::new(rules)), made: Arc::default() }
    }

    /// Whether it leaves anything out at all.
    pub fn is_on(&self) -> bool {
        self.rules.is_some()
    }

    /// The same, but for these files, folders and patterns, which tasks make.
    #[must_use]
    pub fn but_for(
        &self,
        paths: impl Iterator<Item = Vec<u8>>,
        globs: impl Iterator<Item = Pattern>,
    ) -> Ignored {
        if self.rules.is_none() {
            return self.clone();
        }
        let paths = paths.map(|path| (path, 0)).collect();
        let mut made = Made { paths: Index::new(paths), globs: BTreeMap::new() };
        made.add(globs);
        Ignored { rules: self.rules.clone(), made: Arc::new(made) }
    }

    /// The same, whatever tasks make.
    #[must_use]
    pub fn with_nothing_made(&self) -> Ignored {
        Ignored { rules: self.rules.clone(), made: Arc::default() }
    }

    /// Writes it, without what the files said.
    pub fn put(&self, out: &mut Out) {
        self.is_on().put(out);
        self.made.paths.put(out);
        let globs = self.made.globs.values().flatten().collect::<Vec<_>>();
        put_many(out, globs);
    }

    /// Reads what [`Ignored::put`] wrote, for the workspace `root`.
    pub fn get(from: &mut In<'_>, root: &Path) -> Option<Ignored> {
        let is_on = bool::get(from)?;
        let mut made = Made { paths: Coded::get(from)?, globs: BTreeMap::new() };
        made.add(many::<Pattern, Vec<_>>(from)?);
        let ignored = if is_on { Ignored::new(root) } else { Ignored::default() };
        Some(Ignored { made: Arc::new(made), ..ignored })
    }

    /// That the top of the work tree is where it was. None if it is not, or cannot be asked for.
    pub fn why_of_top(&self) -> Option<Vec<(Vec<u8>, Fact)>> {
        let Some(rules) = &self.rules else { return Some(Vec::new()) };
        let mut facts = Vec::new();
        for folder in rules.root.ancestors() {
            let path = folder.join(".git");
            let fact = Stamp::of_link(&path).ok()?.map_or(Fact::Absent, |at| Fact::Is(at.kind()));
            facts.push((path.as_os_str().as_bytes().to_vec(), fact));
            if fact != Fact::Absent {
                break;
            }
        }
        (above(&rules.root) == rules.above).then_some(facts)
    }

    /// The line that leaves out `path`, which a pattern with the fixed part `base` would find.
    ///
    /// # Errors
    /// A `.gitignore` that cannot be read.
    pub fn by(&self, base: &[u8], path: &[u8]) -> io::Result<Option<IgnoredBy>> {
        let Some(rules) = &self.rules else { return Ok(None) };
        let mut sieve = self.sieve(base, &mut |_, _| {})?;
        let inner = ancestors(path).rev().filter(|entry| entry.len() > base.len());
        for (above, entry) in inner.enumerate() {
            let is_dir = entry.len() < path.len();
            if let Some(by) = sieve.line(entry, is_dir) {
                return Ok((!self.made.is(path)).then_some(by));
            }
            if is_dir {
                let at = rules.root.join(OsStr::from_bytes(entry));
                sieve.add(entry, &at, above + 1, &mut |_, _| {})?;
            }
        }
        Ok(None)
    }

    /// What decides in a walk below `base`. `told` learns of each `.gitignore` that is looked for.
    pub(super) fn sieve(&self, base: &[u8], told: Told<'_>) -> io::Result<Sieve<'_>> {
        let rules = self.rules.as_deref().filter(|_| !base.starts_with(b"/"));
        let mut sieve = Sieve { rules, made: &self.made, levels: Vec::new(), within: None };
        let Some(rules) = rules else { return Ok(sieve) };
        for folder in &rules.above {
            let path = folder.join(OsStr::from_bytes(GITIGNORE));
            told(path.as_os_str().as_bytes(), &path);
            let below = rules.root.strip_prefix(folder).unwrap_or(Path::new(""));
            let lead = [below.as_os_str().as_bytes(), b"/"].concat();
            let says = rules.read(&path, &path)?;
            sieve.levels.extend(says.map(|says| Level { depth: 0, lead, cut: 0, says }));
        }
        let folders = ancestors(base).rev().filter(|folder| !folder.is_empty());
        for folder in std::iter::once(&b""[..]).chain(folders) {
            let at = rules.root.join(OsStr::from_bytes(folder));
            let path = in_folder(folder);
            told(&path, &at.join(OsStr::from_bytes(GITIGNORE)));
            sieve.add(folder, &at, 0, &mut |_, _| {})?;
        }
        Ok(sieve)
    }
}

/// Learns of a `.gitignore`: relative to the workspace or absolute, and as it is opened.
pub(super) type Told<'t> = &'t mut dyn FnMut(&[u8], &Path);

/// The folders above `root` up to the top of its work tree; none if it is no part of one.
fn above(root: &Path) -> Vec<PathBuf> {
    let is_top = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
    let Some(top) = root.ancestors().find(is_top) else { return Vec::new() };
    let above = root.ancestors().skip(1).take_while(|folder| folder.starts_with(top));
    let mut above: Vec<PathBuf> = above.map(Path::to_owned).collect();
    above.reverse();
    above
}

fn in_folder(folder: &[u8]) -> Vec<u8> {
    if folder.is_empty() { GITIGNORE.to_vec() } else { [folder, b"/", GITIGNORE].concat() }
}

impl Rules {
    /// What the file says, if it is there. `shown` is what it is called.
    fn read(&self, path: &Path, shown: &Path) -> io::Result<Option<Arc<Gitignore>>> {
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => {}
            Err(error) if !is_gone(&error) => return Err(named(path, &error)),
            _ => return Ok(None),
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(named(path, &error)),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, says)) = known.get(path).filter(|(was, _)| *was == bytes) {
            return Ok(Some(says.clone()));
        }
        let says = Arc::new(understood(&bytes, shown));
        known.insert(path.to_owned(), (bytes, says.clone()));
        Ok(Some(says))
    }
}

/// What a `.gitignore` says. Lines that git cannot read either fit nothing.
fn understood(bytes: &[u8], shown: &Path) -> Gitignore {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let mut builder = GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    for (at, line) in text.lines().enumerate() {
        let place = format!("{}:{}", shown.display(), at + 1);
        let _ = builder.add_line(Some(place.into()), &without_braces(line));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The line with all braces escaped: in git they mean themselves, in the matcher alternatives.
fn without_braces(line: &str) -> String {
    let (mut text, mut is_escaped, mut in_class) =
        (String::with_capacity(line.len()), false, false);
    for letter in line.chars() {
        if matches!(letter, '{' | '}') && !is_escaped && !in_class {
            text.push('\\');
        }
        text.push(letter);
        if !is_escaped {
            in_class = letter == '[' || (in_class && letter != ']');
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text
}

impl Made {
    fn add(&mut self, globs: impl IntoIterator<Item = Pattern>) {
        for glob in globs {
            self.globs.entry(glob.base().to_vec()).or_default().push(glob);
        }
    }

    fn is(&self, path: &[u8]) -> bool {
        let ends = (1..path.len()).filter(|&at| path[at] == b'/').chain([path.len()]);
        let mut above = ends.map(|end| &path[..end]);
        let of = |folder: &[u8]| self.globs.get(folder).into_iter().flatten();
        above.clone().any(|path| self.paths.get(path).is_some())
            || of(b"").any(|glob| glob.matches_all(path))
            || above.any(|folder| of(folder).any(|glob| glob.matches_all(path)))
    }

    /// Whether some of it is in a folder, or may be.
    fn may_be_in(&self, folder: &[u8]) -> bool {
        let below = [folder, b"/"].concat();
        let from = (Bound::Included(&below[..]), Bound::Unbounded);
        let ends = (0..folder.len()).filter(|&at| at == 0 || folder[at] == b'/');
        let mut above = ends.chain([folder.len()]).map(|end| &folder[..end]);
        let of = |folder: &[u8]| self.globs.get(folder).into_iter().flatten();
        self.is(folder)
            || self.paths.starting(&below).next().is_some()
            || self
                .globs
                .range::<[u8], _>(from)
                .next()
                .is_some_and(|(at, _)| at.starts_with(&below))
            || above.any(|base| of(base).any(|glob| glob.may_contain(folder)))
    }
}

/// One `.gitignore` on the way to where a walk is.
struct Level {
    /// Of its folder, below the start of the walk; 0 for that and all above.
    depth: usize,
    /// What comes before a path of the workspace, and how much of that is cut off, to make it one
    /// of the folder.
    lead: Vec<u8>,
    cut: usize,
    says: Arc<Gitignore>,
}

/// What a walk leaves out where it is. Told of entries in the order of the walk: a folder before
/// what is in it.
pub(super) struct Sieve<'i> {
    rules: Option<&'i Rules>,
    made: &'i Made,
    levels: Vec<Level>,
    /// The depth of a folder that is left out, and entered for what tasks make in it.
    within: Option<usize>,
}

impl Sieve<'_> {
    /// Whether a file or link is left out.
    pub(super) fn leaves_out(&mut self, path: &[u8], depth: usize) -> bool {
        self.back_to(depth);
        self.is_named(path, false) && !self.made.is(path)
    }

    /// Whether a folder is not entered. `told` learns of its `.gitignore`, if it has one.
    pub(super) fn enters(
        &mut self,
        (path, at): (&[u8], &Path),
        depth: usize,
        told: Told<'_>,
    ) -> io::Result<bool> {
        self.back_to(depth);
        if self.is_named(path, true) {
            self.within = self.within.or(Some(depth));
            let enters = self.made.may_be_in(path);
            if !enters && self.within == Some(depth) {
                self.within = None;
            }
            return Ok(enters);
        }
        self.add(path, at, depth, told)?;
        Ok(true)
    }

    fn back_to(&mut self, depth: usize) {
        while self.levels.last().is_some_and(|level| level.depth > 0 && level.depth >= depth) {
            self.levels.pop();
        }
        self.within = self.within.filter(|&within| within < depth);
    }

    fn is_named(&self, path: &[u8], is_dir: bool) -> bool {
        self.within.is_some() || self.line(path, is_dir).is_some()
    }

    /// The line that names this path itself.
    fn line(&self, path: &[u8], is_dir: bool) -> Option<IgnoredBy> {
        for level in self.levels.iter().rev() {
            let own: Cow<'_, [u8]> = match &level.lead[..] {
                [] => path[level.cut..].into(),
                lead => [lead, &path[level.cut..]].concat().into(),
            };
            match level.says.matched(Path::new(OsStr::from_bytes(&own)), is_dir) {
                Match::None => {}
                Match::Whitelist(_) => return None,
                Match::Ignore(glob) => {
                    let place = glob.from().map(|from| from.display().to_string());
                    let (place, line) = (place.unwrap_or_default(), glob.original());
                    let line = line.replace("\\{", "{").replace("\\}", "}");
                    return Some(IgnoredBy { place, line });
                }
            }
        }
        None
    }

    /// From here on the `.gitignore` of a folder counts, too.
    fn add(&mut self, folder: &[u8], at: &Path, depth: usize, told: Told<'_>) -> io::Result<()> {
        let Some(rules) = self.rules else { return Ok(()) };
        let (path, shown) = (at.join(OsStr::from_bytes(GITIGNORE)), in_folder(folder));
        // Before it is read.
        if path.symlink_metadata().is_ok() {
            told(&shown, &path);
        }
        if let Some(says) = rules.read(&path, Path::new(OsStr::from_bytes(&shown)))? {
            let cut = if folder.is_empty() { 0 } else { folder.len() + 1 };
            self.levels.push(Level { depth, lead: Vec::new(), cut, says });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::list::{ignored_match, list, list_and_why};
    use super::*;

    fn workspace(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (path, text) in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        root
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text.as_bytes()).unwrap()
    }

    fn listed(root: &TempDir, text: &str, ignored: &Ignored) -> Vec<String> {
        let found = list(root.path(), &pattern(text), &[], ignored).unwrap();
        found.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn lines_fit_as_they_do_in_git() {
        let table: &[(&str, &[&str])] = &[
            ("*.o", &["a.o", "in/b.o", "in/deep/a.o"]),
            ("/a.o", &["a.o"]),
            ("in/", &["in/b.o", "in/c", "in/deep/a.o"]),
            ("in", &["in/b.o", "in/c", "in/deep/a.o"]),
            ("c/", &[]),
            ("in/*\n!in/deep/", &["in/b.o", "in/c"]),
            ("*\n!in/\n!in/c", &["a.o", "in/b.o", "in/deep/a.o", "x y", "#"]),
            ("deep/a.o", &[]),
            ("**/deep", &["in/deep/a.o"]),
            ("in/**/a.o", &["in/deep/a.o"]),
            ("\\#\r\n# in\r\n", &["#"]),
            ("x y   ", &["x y"]),
            ("\u{FEFF}c", &["in/c"]),
            ("in/[", &[]),
            ("in/?", &["in/c"]),
            // Braces mean themselves.
            ("{a,b}.o", &[]),
            ("[{}a].o", &["a.o", "in/deep/a.o"]),
        ];
        let files = ["a.o", "in/b.o", "in/c", "in/deep/a.o", "x y", "#"];
        for (text, ignored) in table {
            let root = workspace(&files.map(|path| (path, "")));
            fs::write(root.path().join(".gitignore"), text).unwrap();
            let found = listed(&root, "**", &Ignored::new(root.path()));
            let left = files.iter().filter(|path| !found.iter().any(|one| one == *path));
            let left: Vec<&str> = left.copied().collect();
            assert_eq!(left, *ignored, "{text:?}");
        }
    }

    #[test]
    fn made_files_are_found_and_nothing_else_is_entered() {
        let root = workspace(&[
            (".gitignore", "out/\nmodules\nlogs\n"),
            ("out/a/x", ""),
            ("out/b/x", ""),
            ("out/tree/in/x", ""),
            ("out/stray/x", ""),
            ("modules/m/x", ""),
            ("logs/l.x", ""),
        ]);
        let paths = ["out/a/x", "out/tree", "out-other/x"].map(|path| path.as_bytes().to_vec());
        let globs = [pattern("out/b/*"), pattern("l*/*.x")];
        let ignored = Ignored::new(root.path()).but_for(paths.into_iter(), globs.into_iter());
        let (found, why) = list_and_why(root.path(), &pattern("**"), &[], &ignored).unwrap();
        let found: Vec<_> = found.iter().map(|path| String::from_utf8_lossy(path)).collect();
        assert_eq!(found, ["logs/l.x", "out/a/x", "out/b/x", "out/tree/in/x"]);
        let read = |path: &str| why.iter().any(|(read, _)| read == path.as_bytes());
        assert!(read("out/b") && read("out/tree/in") && read(".gitignore"));
        assert!(!read("modules") && !read("out/stray"));
    }

    #[test]
    fn the_line_that_leaves_a_file_out_is_found() {
        let root = workspace(&[("in/.gitignore", "*.o\n!a.o\n"), ("in/a.o", ""), ("in/b.o", "")]);
        let ignored = Ignored::new(root.path());
        let by = |path: &str| ignored.by(b"", path.as_bytes()).unwrap().map(|by| by.place);
        assert_eq!(by("in/b.o").as_deref(), Some("in/.gitignore:1"));
        assert_eq!(by("in/a.o"), None);
        let only = ignored_match(root.path(), &pattern("in/b*"), &[], &ignored).unwrap();
        assert_eq!(only.sentence(), "in/b.o would fit, but `*.o` (in/.gitignore:1) leaves it out");
        assert!(ignored_match(root.path(), &pattern("in/c*"), &[], &ignored).is_none());
    }

    #[test]
    fn a_link_and_a_folder_of_that_name_are_not_read() {
        let root = workspace(&[("rules", "a\n"), ("a", ""), ("in/.gitignore/x", ""), ("in/b", "")]);
        std::os::unix::fs::symlink("rules", root.path().join(".gitignore")).unwrap();
        assert_eq!(listed(&root, "**", &Ignored::new(root.path())), ["a", "in/b", "rules"]);
    }
}
