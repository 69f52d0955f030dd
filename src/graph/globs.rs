//! Output globs, found by the folder that each one lies in.

use std::ops::Range;

use super::ancestors;
use crate::files::Pattern;

/// Globs with what belongs to each, in the order of their folders.
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
        globs.sort_by(|(a, _), (b, _)| a.base().cmp(b.base()));
        Globs { sorted: globs }
    }

    /// Those that may match `path` itself: in its folder, or in one above.
    pub(super) fn above(&self, path: &[u8]) -> impl Iterator<Item = (&Pattern, T)> {
        let folders = ancestors(path).chain((!path.is_empty()).then_some(&b""[..]));
        let ranges: Vec<Range<usize>> = folders.map(|folder| self.of(folder)).collect();
        ranges.into_iter().flat_map(|range| &self.sorted[range]).map(|(glob, of)| (glob, *of))
    }

    /// Those whose folder lies below `folder`.
    pub(super) fn below(&self, folder: &[u8]) -> impl Iterator<Item = (&Pattern, T)> {
        let mut prefix = folder.to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let start = self.sorted.partition_point(|(glob, _)| glob.base() < &prefix[..]);
        let own = if folder.is_empty() { self.of(folder).end } else { start };
        self.sorted[start.max(own)..]
            .iter()
            .take_while(move |(glob, _)| glob.base().starts_with(&prefix))
            .map(|(glob, of)| (glob, *of))
    }

    fn of(&self, folder: &[u8]) -> Range<usize> {
        let start = self.sorted.partition_point(|(glob, _)| glob.base() < folder);
        let end = self.sorted.partition_point(|(glob, _)| glob.base() <= folder);
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_found_by_their_folder() {
        let texts = ["*.x", "a/*", "a/b/**", "a-b/*", "c/**"];
        let globs = texts.iter().map(|text| (Pattern::parse(text.as_bytes()).unwrap(), *text));
        let globs = Globs::new(globs.collect());
        let above = |path: &str| globs.above(path.as_bytes()).map(|(_, of)| of).collect::<Vec<_>>();
        let below = |path: &str| globs.below(path.as_bytes()).map(|(_, of)| of).collect::<Vec<_>>();
        assert_eq!(above("a/b/x"), ["a/b/**", "a/*", "*.x"]);
        assert_eq!(above("x"), ["*.x"]);
        assert_eq!(above(""), ["*.x"]);
        assert_eq!(below("a"), ["a/b/**"]);
        assert_eq!(below(""), ["a/*", "a-b/*", "a/b/**", "c/**"].into_iter().collect::<Vec<_>>());
        assert!(below("c").is_empty());
    }
}
