//! What a formatter may change, and which formatters may change what a task reads.
//!
//! Knows no disk: a plain path may be a file or a folder, so some answers are "perhaps". Paths are
//! found by hash and by order, patterns by their folder, so that thousands of formatters, one for
//! each file, and thousands of readers cost no more than their number.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::ancestors;
use super::globs::Globs;
use super::rule::{Input, Placed, Rule};
use super::ties::is_covered;
use crate::error::Place;
use crate::files::{Pattern, in_folder};
use crate::ids::TaskId;
use crate::outdir::is_within;

/// The files that a task's command may change: none unless it is a formatter.
#[derive(Clone, Debug, Default)]
pub struct Fixes(Vec<Vec<Input>>);

impl Fixes {
    /// Whether `path` is one of them.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.0.iter().any(|list| covers(list, path))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Rule {
    /// What its command may change. Where its item is a file, only that: what else it reads is the
    /// same for all items.
    pub fn fixes(&self) -> Fixes {
        let fixable = self.fixable();
        let lists =
            self.lists().into_iter().map(|(_, range)| range.start..range.end.min(fixable.len()));
        let lists = lists.filter(|range| !range.is_empty());
        let values = |range: Range<usize>| fixable[range].iter().map(|input| input.value.clone());
        Fixes(lists.map(|range| values(range).collect()).collect())
    }

    /// The elements of its inputs that [`Rule::fixes`] stands for.
    pub fn fixable(&self) -> &[Placed<Input>] {
        let is_item = self.scope.item().is_some_and(|item| item.file.is_some());
        match self.target.policy.fixes_inputs {
            false => &[],
            // A target that stands for its items has none itself.
            true if is_item => self.inputs.get(..1).unwrap_or_default(),
            true => self.named_inputs(),
        }
    }
}

/// A formatter that may change what a task reads.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// The formatter.
    pub fixer: TaskId,
    /// Which of its inputs.
    pub place: Option<Place>,
    /// Not if a plain path would have to be a folder of which nothing says that it is one.
    pub surely: bool,
}

/// Some formatters, to be asked for what they may change.
#[derive(Debug)]
pub struct Fixers {
    parts: Vec<Part>,
    by_path: FxHashMap<Vec<u8>, Vec<usize>>,
    /// The same in order, for folders.
    sorted: Vec<(Vec<u8>, usize)>,
    globs: Globs<usize>,
}

/// One input that a formatter may change.
#[derive(Debug)]
struct Part {
    fixer: TaskId,
    place: Option<Place>,
    named: Named,
}

/// A path or a pattern, and what is taken away from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    path: Option<Vec<u8>>,
    pattern: Pattern,
    not: Vec<Pattern>,
}

impl Named {
    /// One file.
    pub fn file(path: &[u8]) -> Named {
        Named { path: Some(path.to_vec()), pattern: Pattern::literal(path), not: Vec::new() }
    }

    /// What the first of `inputs` names on the disk; none if it is no path and no pattern.
    pub fn first_of(inputs: &[Placed<Input>]) -> Option<Named> {
        let (first, behind) = inputs.split_first()?;
        let not = behind.iter().filter_map(|input| match &input.value {
            Input::Not(not) => Some(not.clone()),
            _ => None,
        });
        let not = not.collect();
        match &first.value {
            Input::Path { path, .. } => {
                Some(Named { path: Some(path.clone()), pattern: Pattern::literal(path), not })
            }
            Input::Glob { pattern, .. } => {
                Some(Named { path: None, pattern: pattern.clone(), not })
            }
            Input::Not(_) | Input::Outputs { .. } => None,
        }
    }

    /// The path, or the folder that all matches lie in.
    fn base(&self) -> &[u8] {
        self.path.as_deref().unwrap_or(self.pattern.base())
    }

    /// Whether one file can be meant by both, and whether that is sure.
    fn meets(&self, other: &Named) -> Option<bool> {
        let (surely, both) = match (&self.path, &other.path) {
            (Some(a), Some(b)) if is_within(a, b) => (true, self),
            (Some(a), Some(b)) if is_within(b, a) => (true, other),
            (Some(_), Some(_)) => return None,
            (Some(path), None) => (other.is_in(path)?, self),
            (None, Some(path)) => (self.is_in(path)?, other),
            (None, None) if self.pattern.overlaps(&other.pattern) => (true, self),
            (None, None) => return None,
        };
        let against = if std::ptr::eq(both, self) { other } else { self };
        (!both.is_taken_by(against) && !against.is_taken_by(both)).then_some(surely)
    }

    /// Whether this pattern matches `path` or something in it. Surely, if the path itself matches,
    /// or the pattern's folder says that it is one.
    fn is_in(&self, path: &[u8]) -> Option<bool> {
        if self.pattern.matches_all(path) || is_within(self.pattern.base(), path) {
            return Some(true);
        }
        self.pattern.overlaps(&Pattern::tree(path)).then_some(false)
    }

    /// Whether the other takes away whatever this means.
    fn is_taken_by(&self, other: &Named) -> bool {
        other.not.iter().any(|not| match &self.path {
            Some(path) => not.matches_all(path),
            None => is_covered(not, &self.pattern),
        })
    }
}

impl Fixers {
    /// These tasks; those that are no formatters have no part in it.
    pub fn new<'r>(tasks: impl Iterator<Item = (TaskId, &'r Rule)>) -> Fixers {
        let mut parts = Vec::new();
        for (fixer, rule) in tasks {
            let fixable = rule.fixable();
            parts.extend((0..fixable.len()).filter_map(|at| {
                let named = Named::first_of(rule.from_input(at))?;
                Some(Part { fixer, place: fixable[at].place.clone(), named })
            }));
        }
        let mut by_path: FxHashMap<Vec<u8>, Vec<usize>> = FxHashMap::default();
        let mut globs = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            match &part.named.path {
                Some(path) => by_path.entry(path.clone()).or_default().push(at),
                None => globs.push((part.named.pattern.clone(), at)),
            }
        }
        let all = by_path.iter().flat_map(|(path, at)| at.iter().map(|&at| (path.clone(), at)));
        let mut sorted: Vec<(Vec<u8>, usize)> = all.collect();
        sorted.sort_unstable();
        Fixers { parts, by_path, sorted, globs: Globs::new(globs) }
    }

    /// Those that may change what `named` means.
    pub fn of(&self, named: &Named) -> Vec<Meeting> {
        let base = named.base();
        let above = ancestors(base).filter_map(|folder| self.by_path.get(folder)).flatten();
        let below = in_folder(&self.sorted, base, |(path, _)| path).iter();
        let globs = self.globs.above(base).chain(self.globs.below(base)).map(|(_, at)| at);
        let near = above.copied().chain(below.map(|(_, at)| *at)).chain(globs);
        let mut found: Vec<Meeting> = near
            .filter_map(|at| {
                let part = &self.parts[at];
                let surely = part.named.meets(named)?;
                Some(Meeting { fixer: part.fixer, place: part.place.clone(), surely })
            })
            .collect();
        found.sort_by_key(|meeting| (meeting.fixer, !meeting.surely));
        found.dedup_by_key(|meeting| meeting.fixer);
        found
    }
}

fn covers(list: &[Input], path: &[u8]) -> bool {
    list.iter().enumerate().any(|(at, input)| {
        let named = match input {
            Input::Path { path: named, .. } => ancestors(path).any(|path| path == named),
            Input::Glob { pattern, .. } => pattern.matches(path),
            Input::Not(_) | Input::Outputs { .. } => false,
        };
        named && !takes_away(&list[at + 1..], path)
    })
}

fn takes_away(behind: &[Input], path: &[u8]) -> bool {
    behind.iter().any(|input| matches!(input, Input::Not(not) if not.matches_all(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `!` takes away, `*` makes a pattern, all else is a path.
    fn inputs(words: &[&str]) -> Vec<Placed<Input>> {
        let read = |word: &&str| {
            let pattern = |text: &str| Pattern::parse(text.as_bytes()).expect("a pattern");
            let value = match word.strip_prefix('!') {
                Some(not) => Input::Not(pattern(not)),
                None if word.contains('*') => {
                    Input::Glob { pattern: pattern(word), optional: false }
                }
                None => Input::Path { path: word.as_bytes().to_vec(), optional: false },
            };
            Placed { value, place: None }
        };
        words.iter().map(read).collect()
    }

    #[test]
    fn what_two_inputs_have_in_common() {
        let sure = Some(true);
        for (one, other, expected) in [
            (&["a.c"][..], &["a.c"][..], sure),
            (&["a.c"], &["a.cc"], None),
            (&["src"], &["src/a.c"], sure),
            (&["src", "!src/a.c"], &["src/a.c"], None),
            (&["src/*.c"], &["src/a.c"], sure),
            (&["src/*.c"], &["src/net/a.c"], None),
            (&["src/*.c", "!src/a*"], &["src/a.c"], None),
            (&["src/*.c"], &["src"], sure),
            (&["**/*.c"], &["src"], Some(false)),
            (&["**/*.c"], &["src", "!**/*.c"], None),
            (&["**/*.c"], &["src/*"], sure),
            (&["**/*.c"], &["src/*.h"], None),
            (&["**/*.c", "!gen/**"], &["gen/*.c"], None),
            (&["**/*.c"], &["gen/*.c", "!**/*.c"], None),
        ] {
            let [one, other] = [one, other]
                .map(|words| Named::first_of(&inputs(words)).expect("a path or a pattern"));
            assert_eq!(one.meets(&other), expected, "{one:?} and {other:?}");
            assert_eq!(other.meets(&one), expected, "{other:?} and {one:?}");
        }
    }

    #[test]
    fn what_a_formatter_covers() {
        let words = ["src", "!src/gen/**", "*.py", "!old.py"];
        let fixes = Fixes(vec![inputs(&words).into_iter().map(|input| input.value).collect()]);
        for (path, expected) in [
            ("src/a.c", true),
            ("src/gen/a.c", false),
            ("a.py", true),
            ("old.py", false),
            (".hidden.py", false),
            ("other/a.py", false),
        ] {
            assert_eq!(fixes.covers(path.as_bytes()), expected, "{path}");
        }
    }
}
