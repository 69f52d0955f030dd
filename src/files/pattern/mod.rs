//! Paths and globs as bytes: joined, made relative, matched and compared without a disk.
//!
//! Knows no files and no Taskfile: whether a path exists is `list`'s matter. A glob is split into
//! components once; a path is then read against them from left to right, keeping the set of
//! components that may come next, so no pattern can make matching exponential. The matcher is our
//! own because pruning and overlap need the components, which compiled regexes do not show.

mod parse;
mod path;
#[cfg(test)]
mod tests;
mod wild;

use std::sync::Arc;

use parse::Alternative;
pub use parse::PatternError;
pub use path::{PathError, normalise, relative_to};
use taskr_cache::{Coded, In, Out};
use wild::{Component, Dots, common};

/// One glob, or one path. Cheap to clone.
///
/// `*`, `?` and classes stay within a component; `**` is a component of its own and stands for any
/// number of them, at least one where it comes last; `{a,b}` may hold anything, `/` and braces
/// included. `?` and classes match one character: a Unicode scalar, or a byte that is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Arc<Inner>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Inner {
    text: Vec<u8>,
    base: Vec<u8>,
    fixed: Vec<u8>,
    /// The only path that matches, if there are no wildcards.
    path: Option<Vec<u8>>,
    /// One for each way through the braces.
    alternatives: Vec<Alternative>,
}

impl Coded for Pattern {
    fn put(&self, out: &mut Out) {
        out.bytes(self.text());
    }

    fn get(from: &mut In<'_>) -> Option<Pattern> {
        Pattern::parse(from.bytes()?).ok()
    }
}

impl Pattern {
    /// Reads a glob whose text [`normalise`] has made relative to the workspace's root.
    ///
    /// # Errors
    /// Names the place of what is no glob, and what to write instead.
    pub fn parse(text: &[u8]) -> Result<Pattern, PatternError> {
        Ok(Pattern::new(text.to_vec(), parse::alternatives(text)?))
    }

    /// Whether the text has a wildcard that no backslash takes away.
    pub fn is_glob(text: &[u8]) -> bool {
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'*' | b'?' | b'[' | b'{' => return true,
                _ => {}
            }
        }
        false
    }

    /// A pattern that matches this path only, whatever characters it has.
    pub fn literal(path: &[u8]) -> Pattern {
        Pattern::new(parse::escape(path), vec![Alternative::literal(path)])
    }

    /// `dir/**`: everything below a directory, at any depth, but not itself. "" is the root.
    pub fn tree(dir: &[u8]) -> Pattern {
        let mut text = parse::escape(dir);
        if !text.is_empty() && !text.ends_with(b"/") {
            text.push(b'/');
        }
        text.extend_from_slice(b"**");
        Pattern::new(text, vec![Alternative::tree(dir)])
    }

    fn new(text: Vec<u8>, alternatives: Vec<Alternative>) -> Pattern {
        let base = parse::base(&alternatives);
        let fixed = parse::fixed(&alternatives);
        let path = match &alternatives[..] {
            [only] => only.path(),
            _ => None,
        };
        Pattern(Arc::new(Inner { text, base, fixed, path, alternatives }))
    }

    /// The text that [`Pattern::parse`] reads as this pattern.
    pub fn text(&self) -> &[u8] {
        &self.0.text
    }

    /// The directory that every match lies below: the longest one without a wildcard. "" is the
    /// root.
    pub fn base(&self) -> &[u8] {
        &self.0.base
    }

    /// What every match begins with, the part of a name before the first wildcard included.
    pub fn fixed(&self) -> &[u8] {
        &self.0.fixed
    }

    /// The only path that matches, backslashes removed; `None` for a glob.
    pub fn as_path(&self) -> Option<&[u8]> {
        self.0.path.as_deref()
    }

    /// Whether the path matches where wildcards skip dot files: a component that starts with a
    /// dot matches only one that is written with the dot, and `**` does not pass it.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.matches_with(path, Dots::Hidden)
    }

    /// Whether the path matches where wildcards take dot files too: for `!globs` and outputs.
    pub fn matches_all(&self, path: &[u8]) -> bool {
        self.matches_with(path, Dots::Shown)
    }

    fn matches_with(&self, path: &[u8], dots: Dots) -> bool {
        match &self.0.path {
            Some(only) => only == path,
            None => self.0.alternatives.iter().any(|way| way.matches(path, dots)),
        }
    }

    /// Whether [`Pattern::matches`] could hold for a path below `dir`, at any depth: else a walk
    /// need not enter it.
    pub fn may_contain(&self, dir: &[u8]) -> bool {
        self.0.alternatives.iter().any(|way| way.may_contain(dir))
    }

    /// Whether [`Pattern::matches_all`] holds for every path below `dir`. May say no where only
    /// several alternatives together cover it.
    pub fn covers(&self, dir: &[u8]) -> bool {
        self.0.alternatives.iter().any(|way| way.covers(dir))
    }

    /// Whether the pattern says that `dir` is a folder: its name is written out, and matches lie
    /// below it, as with `p/*/dist/**` and `p/a/dist`.
    pub fn names_folder(&self, dir: &[u8]) -> bool {
        self.0.alternatives.iter().any(|way| way.names_folder(dir))
    }

    /// Whether one path could match both, dot files included. Exact but for names that mix broken
    /// UTF-8 with classes.
    pub fn overlaps(&self, other: &Pattern) -> bool {
        match (self.as_path(), other.as_path()) {
            (Some(path), _) => other.matches_all(path),
            (_, Some(path)) => self.matches_all(path),
            _ => (self.0.alternatives.iter())
                .any(|a| other.0.alternatives.iter().any(|b| a.overlaps(b))),
        }
    }
}

/// How an [`Alternative`] is held against paths and others of its kind.
impl Alternative {
    fn matches(&self, path: &[u8], dots: Dots) -> bool {
        self.absolute == path.starts_with(b"/") && after(&self.components, path, dots).ends()
    }

    fn may_contain(&self, dir: &[u8]) -> bool {
        self.absolute == dir.starts_with(b"/")
            && after(&self.components, dir, Dots::Hidden).goes_on()
    }

    fn covers(&self, dir: &[u8]) -> bool {
        let Some(above) = self.above_tree() else { return false };
        self.absolute == dir.starts_with(b"/") && after(above, dir, Dots::Shown).ends()
    }

    fn names_folder(&self, dir: &[u8]) -> bool {
        let last = path::names(dir).last();
        let is_last = |at: &usize| matches!(&self.components[*at], Component::Name(name) if Some(&name[..]) == last);
        let mut ends = (0..self.components.len().saturating_sub(1)).filter(is_last);
        self.absolute == dir.starts_with(b"/")
            && ends.any(|at| after(&self.components[..=at], dir, Dots::Shown).ends())
    }

    fn overlaps(&self, other: &Alternative) -> bool {
        self.absolute == other.absolute
            && common(&self.components, &other.components, Component::is_deep, Component::meets)
    }
}

/// Which components may come next, once the names of a path are read.
struct Next {
    /// One more than there are components; the last stands for the end.
    open: Vec<bool>,
}

impl Next {
    fn ends(&self) -> bool {
        self.open[self.open.len() - 1]
    }

    fn goes_on(&self) -> bool {
        self.open[..self.open.len() - 1].contains(&true)
    }
}

/// Reads all names of `path`, each against every component that may come next.
fn after(components: &[Component], path: &[u8], dots: Dots) -> Next {
    let end = components.len();
    let mut open = vec![false; end + 1];
    open[0] = true;
    skip_deep(components, &mut open);
    let mut names = path::names(path).peekable();
    while let Some(name) = names.next() {
        open[end] = false;
        // From the end, so that what a name opens is not read against the same name.
        for at in (0..end).rev() {
            if !std::mem::take(&mut open[at]) {
                continue;
            }
            let deep = components[at].is_deep();
            // The end is of use only behind the last name.
            let useless = at + 1 == end && !deep && names.peek().is_some();
            if !useless && components[at].accepts(name, dots) {
                open[if deep { at } else { at + 1 }] = true;
            }
        }
        skip_deep(components, &mut open);
        if !open.contains(&true) {
            break;
        }
    }
    Next { open }
}

/// `**` may stand for nothing: what comes behind it may come next too.
fn skip_deep(components: &[Component], open: &mut [bool]) {
    for (at, component) in components.iter().enumerate() {
        open[at + 1] |= open[at] && component.is_deep();
    }
}
