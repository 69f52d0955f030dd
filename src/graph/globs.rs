//! Output globs, found by what all their matches begin with.

use std::ops::Range;

use crate::files::Pattern;

/// Globs with what belongs to each, in the order of what their matches begin with.
#[derive(Debug)]
pub(super) struct Globs<T> {
    sorted: Vec<(Pattern, T)>,
}

impl<T> Default for Globs<T> {
    fn default() -> Self {
        Globs { sorted: Vec::new() }
    }
}

impl<T: Copy> Globs<T> {
    pub(super) fn new(mut globs: Vec<(Pattern, T)>) -> Globs<T> {
        globs.sort_by(|(a, _), (b, _)| a.fixed().cmp(b.fixed()));
        Globs { sorted: globs }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[(Pattern, T)] {
        &self.sorted
    }

    /// Those that may match `path` itself, the nearest first: what they begin with is the beginning
    /// of it. Goes down from one beginning to the next longer one, never through all.
    pub(super) fn above(&self, path: &[u8]) -> impl Iterator<Item = (&Pattern, T)> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut left = 0..self.sorted.len();
        while !left.is_empty() {
            let shared = self.shared(&left);
            if !path.starts_with(shared) {
                break;
            }
            let length = shared.len();
            let exact = self.first_of(&left, |fixed| fixed.len() > length);
            found.push(left.start..exact);
            let Some(next) = path.get(length) else { break };
            let start = self.first_of(&(exact..left.end), |fixed| fixed[length] >= *next);
            let end = self.first_of(&(start..left.end), |fixed| fixed[length] > *next);
            left = start..end;
        }
        found.into_iter().rev().flat_map(|range| &self.sorted[range]).map(|(glob, of)| (glob, *of))
    }

    /// Those of which all matches lie in `folder`.
    pub(super) fn below(&self, folder: &[u8]) -> impl Iterator<Item = (&Pattern, T)> {
        let mut prefix = folder.to_vec();
        if !prefix.is_empty() && !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        // Whatever begins with nothing is above the workspace, and not below it, too.
        let start = match folder.is_empty() {
            true => self.first_of(&(0..self.sorted.len()), |fixed| !fixed.is_empty()),
            false => self.first_of(&(0..self.sorted.len()), |fixed| fixed >= &prefix[..]),
        };
        self.sorted[start..]
            .iter()
            .take_while(move |(glob, _)| glob.fixed().starts_with(&prefix))
            .map(|(glob, of)| (glob, *of))
    }

    /// What all of these begin with: what the first and the last have in common.
    fn shared(&self, range: &Range<usize>) -> &[u8] {
        let first = self.sorted[range.start].0.fixed();
        let last = self.sorted[range.end - 1].0.fixed();
        let same = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        &first[..same]
    }

    /// The first of these that is `behind` something; the end if none is.
    fn first_of(&self, range: &Range<usize>, behind: impl Fn(&[u8]) -> bool) -> usize {
        let found = self.sorted[range.clone()].partition_point(|(glob, _)| !behind(glob.fixed()));
        range.start + found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&'static str]) -> Globs<&'static str> {
        let pattern = |text: &str| Pattern::parse(text.as_bytes()).unwrap();
        Globs::new(texts.iter().map(|text| (pattern(text), *text)).collect())
    }

    #[test]
    fn globs_are_found_by_what_they_begin_with() {
        let globs = globs(&["*.x", "a/*", "a/b/**", "a-b/*", "c/**", "c/x*", "c/xy.*"]);
        let above = |path: &str| globs.above(path.as_bytes()).map(|(_, of)| of).collect::<Vec<_>>();
        let below = |path: &str| globs.below(path.as_bytes()).map(|(_, of)| of).collect::<Vec<_>>();
        assert_eq!(above("a/b/x"), ["a/b/**", "a/*", "*.x"]);
        assert_eq!(above("x"), ["*.x"]);
        assert_eq!(above(""), ["*.x"]);
        assert_eq!(above("c/xy.o"), ["c/xy.*", "c/x*", "c/**", "*.x"]);
        assert_eq!(above("c/xz"), ["c/x*", "c/**", "*.x"]);
        assert_eq!(below("a"), ["a/*", "a/b/**"]);
        assert_eq!(below("a/b"), ["a/b/**"]);
        assert_eq!(below(""), ["a-b/*", "a/*", "a/b/**", "c/**", "c/x*", "c/xy.*"]);
        assert_eq!(below("c"), ["c/**", "c/x*", "c/xy.*"]);
        assert!(below("c/x").is_empty());
    }

    /// Every glob that may match a path, or something below it, is among those of the two.
    #[test]
    fn no_glob_that_may_match_is_left_out() {
        let texts = ["*", "a*", "a/*", "ab/*", "a/b*/c", "{a,ab}/x", "a{/b,b}/*", "**/b", "a/b/c*"];
        let globs = globs(&texts);
        for path in ["", "a", "ab", "a/b", "a/bb", "a/b/c", "ab/x", "b"] {
            let near = globs.above(path.as_bytes()).chain(globs.below(path.as_bytes()));
            let near: Vec<&str> = near.map(|(_, of)| of).collect();
            let tree = Pattern::tree(path.as_bytes());
            for (glob, text) in &globs.sorted {
                let meets = glob.matches_all(path.as_bytes()) || glob.overlaps(&tree);
                assert!(!meets || near.contains(text), "{text} and {path}: {near:?}");
            }
            let once: std::collections::BTreeSet<&str> = near.iter().copied().collect();
            assert_eq!(once.len(), near.len(), "{path}: {near:?}");
        }
    }
}
