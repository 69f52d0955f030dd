//! Which task declares which output: exact paths by hash, all by the folders that they lie in.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::ancestors;
use super::globs::Globs;
use super::rule::{Input, Rule};
use crate::files::{Pattern, in_folder};
use crate::ids::TaskId;

/// What all tasks declare as outputs, and what they install.
#[derive(Debug, Default)]
pub struct Makers {
    pub(super) paths: HashMap<Vec<u8>, TaskId>,
    pub(super) globs: Globs<TaskId>,
    /// The paths in order; made when it is first asked for, by a run in which something failed
    /// without harm.
    sorted: OnceLock<Vec<(Vec<u8>, TaskId)>>,
}

impl Makers {
    pub(super) fn new(paths: HashMap<Vec<u8>, TaskId>, globs: Vec<(Pattern, TaskId)>) -> Makers {
        Makers { paths, globs: Globs::new(globs), sorted: OnceLock::new() }
    }

    /// The task whose declared output `path` is, lies in, or matches.
    pub fn of(&self, path: &[u8]) -> Option<TaskId> {
        ancestors(path)
            .find_map(|prefix| self.paths.get(prefix).copied())
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
        paths.map(|(_, id)| *id).chain(globs.map(|(_, id)| id)).collect()
    }

    /// The tasks of which an output is, holds or lies in `path`.
    fn around(&self, path: &[u8]) -> Vec<TaskId> {
        let tree = Pattern::tree(path);
        let globs = self.globs.above(path).chain(self.globs.below(path));
        let globs = globs.filter(|(glob, _)| glob.matches_all(path) || glob.overlaps(&tree));
        self.paths_around(path).map(|(_, id)| *id).chain(globs.map(|(_, id)| id)).collect()
    }

    /// Declared paths that are `path`, or above or below it.
    fn paths_around<'a>(
        &'a self,
        path: &'a [u8],
    ) -> impl Iterator<Item = (&'a Vec<u8>, &'a TaskId)> + 'a {
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<_> =
                self.paths.iter().map(|(path, &id)| (path.clone(), id)).collect();
            sorted.sort_unstable();
            sorted
        });
        let above = ancestors(path).filter_map(|above| self.paths.get_key_value(above));
        let below = in_folder(sorted, path, |(own, _)| own).iter();
        above.chain(below.map(|(path, id)| (path, id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

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
    }
}
