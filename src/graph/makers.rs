//! Which task declares which output: exact paths by hash, all by the folders that they lie in.

use taskr_cache::{Coded, In, Index, Out, many, put_many};

use super::ancestors;
use super::globs::Globs;
use super::rule::{Input, Rule};
use crate::files::Pattern;
use crate::ids::{Id, TaskId};

/// What all tasks declare as outputs, and what they install.
#[derive(Debug, Default)]
pub struct Makers {
    paths: Index,
    pub(super) globs: Globs<TaskId>,
}

impl Makers {
    /// Of one path that several declare the last counts.
    pub(super) fn new(paths: Vec<(Vec<u8>, TaskId)>, globs: Vec<(Pattern, TaskId)>) -> Makers {
        let number = |(path, id): (Vec<u8>, TaskId)| (path, id.index() as u32);
        let paths = Index::new(paths.into_iter().map(number).collect());
        Makers { paths, globs: Globs::new(globs) }
    }

    /// The task whose declared output `path` is, lies in, or matches.
    pub fn of(&self, path: &[u8]) -> Option<TaskId> {
        self.nearest(path)
            .map(|(_, id)| id)
            .or_else(|| Some(self.globs.above(path).find(|(glob, _)| glob.matches_all(path))?.1))
    }

    /// The tasks with an output glob that may write into `folder`.
    pub fn into_folder(&self, folder: &[u8]) -> Vec<TaskId> {
        let tree = Pattern::tree(folder);
        let near = self.globs.above(folder).chain(self.globs.below(folder));
        near.filter(|(glob, _)| glob.overlaps(&tree)).map(|(_, task)| task).collect()
    }

    /// The tasks of which an output is, holds or lies in a plain path that a rule reads.
    pub fn named_by<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = TaskId> + 'a {
        rule.inputs.iter().flat_map(|input| match &input.value {
            Input::Path { path, .. } => self.around(path),
            _ => Vec::new(),
        })
    }

    /// The tasks of which an output, or what lies in it, may match a glob that a rule reads.
    pub fn matched_by<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = TaskId> + 'a {
        rule.inputs.iter().flat_map(|input| match &input.value {
            Input::Glob { pattern, .. } => self.matching(pattern),
            _ => Vec::new(),
        })
    }

    /// The tasks of which an output, or what lies in it, may match a pattern.
    pub fn matching(&self, pattern: &Pattern) -> Vec<TaskId> {
        let base = pattern.base();
        let may_match = |path: &[u8]| {
            Pattern::literal(path).overlaps(pattern) || Pattern::tree(path).overlaps(pattern)
        };
        let paths = self.paths_around(base).filter(|(path, _)| may_match(path));
        let globs = self.globs.above(base).chain(self.globs.below(base));
        let globs = globs.filter(|(glob, _)| glob.overlaps(pattern));
        paths.map(|(_, id)| id).chain(globs.map(|(_, id)| id)).collect()
    }

    /// Whether no task declares anything that may lie in `folder`, or that it may lie in.
    pub fn are_elsewhere(&self, folder: &[u8]) -> bool {
        let mut globs = self.globs.above(folder).chain(self.globs.below(folder));
        globs.next().is_none() && self.paths_around(folder).next().is_none()
    }

    /// The tasks of which an output is, holds or lies in `path`.
    fn around(&self, path: &[u8]) -> Vec<TaskId> {
        let tree = Pattern::tree(path);
        let globs = self.globs.above(path).chain(self.globs.below(path));
        let globs = globs.filter(|(glob, _)| glob.matches_all(path) || glob.overlaps(&tree));
        self.paths_around(path).map(|(_, id)| id).chain(globs.map(|(_, id)| id)).collect()
    }

    /// Declared paths that are `path`, or above or below it.
    fn paths_around<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = (&'a [u8], TaskId)> + 'a {
        ancestors(path).filter_map(|path| self.at(path)).chain(self.paths_in(path))
    }

    /// Declared paths in a folder, in order.
    pub(super) fn paths_in(&self, folder: &[u8]) -> impl Iterator<Item = (&[u8], TaskId)> {
        let prefix = if folder.is_empty() { Vec::new() } else { [folder, b"/"].concat() };
        self.paths.starting(prefix).map(numbered)
    }

    /// What is declared at, or nearest above, a path.
    pub(super) fn nearest(&self, path: &[u8]) -> Option<(&[u8], TaskId)> {
        ancestors(path).find_map(|path| self.at(path))
    }

    fn at(&self, path: &[u8]) -> Option<(&[u8], TaskId)> {
        self.paths.find(path).map(numbered)
    }
}

fn numbered<T>((path, number): (T, u32)) -> (T, TaskId) {
    (path, TaskId::from_index(number as usize))
}

impl Coded for Makers {
    fn put(&self, out: &mut Out) {
        let Makers { paths, globs } = self;
        paths.put(out);
        put_many(out, globs.all());
    }

    fn get(from: &mut In<'_>) -> Option<Makers> {
        Some(Makers { paths: Coded::get(from)?, globs: Globs::new(many(from)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_found_from_above_and_below() {
        let paths = ["out/a", "out/a/b", "out/c", "outer", "lib"];
        let globs = ["out/**/*.x", "*.y", "gen/*"];
        let id = TaskId::from_index;
        let paths = paths.iter().enumerate().map(|(at, path)| (path.as_bytes().to_vec(), id(at)));
        let globs = globs.iter().enumerate();
        let globs = globs.map(|(at, text)| (Pattern::parse(text.as_bytes()).unwrap(), id(10 + at)));
        let makers = Makers::new(paths.collect(), globs.collect());
        let sorted = |mut ids: Vec<TaskId>| {
            ids.sort_unstable();
            ids.into_iter().map(Id::index).collect::<Vec<_>>()
        };
        let around = |path: &str| sorted(makers.around(path.as_bytes()));
        assert_eq!(around("out"), [0, 1, 2, 10]);
        assert_eq!(around("out/a/b/c"), [0, 1, 10], "what lies below may match");
        assert_eq!(around("out/a/b/c.x"), [0, 1, 10]);
        assert_eq!(around("lib/z"), [4]);
        assert_eq!(around("z.y"), [11]);
        assert_eq!(around("z"), [0; 0]);
        assert_eq!(around("gen"), [12]);
        let matching =
            |text: &str| sorted(makers.matching(&Pattern::parse(text.as_bytes()).unwrap()));
        assert_eq!(matching("out/*"), [0, 2, 10]);
        assert_eq!(matching("out/c*"), [2, 10]);
        assert_eq!(matching("lib/q/*.h"), [4]);
        assert_eq!(matching("gen/*.y"), [12]);
        assert_eq!(matching("*.y"), [11]);
        let elsewhere = |path: &str| makers.are_elsewhere(path.as_bytes());
        assert!(!elsewhere("lib") && !elsewhere("out/a/b/c") && !elsewhere(""));
        assert!(!elsewhere("src"), "*.y may match a file in any folder, for all that is known");
        let makers = Makers::new([(b"lib".to_vec(), id(4))].into_iter().collect(), Vec::new());
        let elsewhere = |path: &str| makers.are_elsewhere(path.as_bytes());
        assert!(elsewhere("src") && elsewhere("li") && elsewhere("library"));
        assert!(!elsewhere("") && !elsewhere("lib") && !elsewhere("lib/x"));
    }
}
