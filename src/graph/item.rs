//! The items of a `foreach`: the only thing that is listed while the graph is made.
//!
//! Items are files that no target declares as output, plus declared plain output paths,
//! whether present or not; what an output glob matches adds no items.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::ancestors;
use super::expand::Prepared;
use super::globs::Globs;
use super::rule::{Input, Kind, Output, Rule};
use super::scope::Item;
use super::text::{Element, PathOrGlob};
use crate::error::{Diagnostic, nearest, quoted};
use crate::files::{Ignored, IgnoredMatch, Pattern, ignored_match, in_folder, list, relative_to};

/// The outputs that targets declare, by the number of the target in its profile.
pub(super) struct Declared<'a> {
    /// None: by a task that is skipped, so that nothing will be there.
    paths: FxHashMap<Vec<u8>, Option<usize>>,
    /// Those that will be there, in order.
    sorted: Vec<(Vec<u8>, usize)>,
    globs: Globs<usize>,
    makers: &'a [Prepared<'a>],
}

impl<'a> Declared<'a> {
    pub(super) fn of(rules: &[Vec<Rule>], makers: &'a [Prepared<'a>]) -> Declared<'a> {
        let (paths, globs) = (FxHashMap::default(), Globs::default());
        let mut declared = Declared { paths, sorted: Vec::new(), globs, makers };
        let mut globs = Vec::new();
        for (target, rules) in rules.iter().enumerate() {
            for rule in rules {
                for output in &rule.outputs {
                    match &output.value {
                        Output::Path(path) => {
                            let made = rule.skipped.is_none().then_some(target);
                            declared.paths.insert(path.clone(), made);
                        }
                        Output::Glob(pattern) => globs.push((pattern.clone(), target)),
                    }
                }
            }
        }
        globs.dedup();
        declared.globs = Globs::new(globs);
        let made =
            declared.paths.iter().filter_map(|(path, maker)| Some((path.clone(), (*maker)?)));
        declared.sorted = made.collect();
        declared.sorted.sort_unstable();
        declared
    }

    /// Whether what a target makes may be an item of another: not its own, in no profile, and
    /// nothing of a profile that is built beside its own.
    fn may_be_item(&self, maker: usize, of: &Prepared<'_>) -> bool {
        let maker = &self.makers[maker];
        let profile = maker.scope.profile();
        !std::ptr::eq(maker.source, of.source)
            && (profile.is_none() || profile == of.scope.profile())
    }

    /// The paths that will be there and that `pattern` matches, in order.
    fn matching(&self, pattern: &Pattern) -> impl Iterator<Item = (&Vec<u8>, usize)> {
        let below = in_folder(&self.sorted, pattern.base(), |(path, _)| path);
        below.iter().filter(|(path, _)| pattern.matches(path)).map(|(path, maker)| (path, *maker))
    }

    /// Whether only a task that is skipped makes this path.
    fn skips(&self, path: &[u8]) -> bool {
        matches!(self.paths.get(path), Some(None))
    }

    fn owns(&self, path: &[u8]) -> bool {
        ancestors(path).any(|path| self.paths.contains_key(path))
            || self.globs.above(path).any(|(glob, _)| glob.matches_all(path))
    }
}

/// What the disk said while the graph was made, and the graph rests on.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// The files of patterns.
    pub listed: HashMap<Pattern, Arc<[Vec<u8>]>>,
    /// Whether paths that are written out were there.
    pub there: HashMap<Vec<u8>, bool>,
}

impl Looked {
    /// Adds what was seen at another time of the same run.
    pub(super) fn add(&mut self, other: Looked) {
        self.listed.extend(other.listed);
        self.there.extend(other.there);
    }
}

/// All rules by the name of their target, for items that are another's outputs.
pub(super) struct Made<'r> {
    pub(super) names: &'r FxHashMap<&'r str, Vec<usize>>,
    pub(super) rules: &'r [Vec<Rule>],
    pub(super) makers: &'r [Prepared<'r>],
}

impl Made<'_> {
    /// The target of that name, of several profiles in the same.
    fn number(&self, name: &str, of: &Prepared<'_>) -> Option<usize> {
        let all = self.names.get(name)?;
        let own = |at: &&usize| self.makers[**at].scope.profile() == of.scope.profile();
        all.iter().find(own).or(all.first()).copied()
    }

    /// The outputs that `@NAME` or `@NAME:GLOB` stands for; none if the element is no such thing.
    fn outputs_of(
        &self,
        element: &Element,
        target: &Prepared<'_>,
    ) -> Result<Option<Vec<Vec<u8>>>, Diagnostic> {
        let Some((name, only)) = element.made_by(target.home)? else { return Ok(None) };
        let wrong = |what: String| Diagnostic::error(what).at(element.place().clone(), "");
        let Some(number) = self.number(&name, target) else {
            let near = nearest(&name, self.names.keys().copied());
            let help = near.map(|near| format!("did you mean `@{near}`?"));
            return Err(wrong(format!("there is no target {}", quoted(&name))).help_if(help));
        };
        if name == target.home.own {
            return Err(wrong(format!("`{name}` cannot make a task for each of its own outputs")));
        }
        let outputs = || self.rules[number].iter().flat_map(|rule| &rule.outputs);
        let pattern = outputs().find(|output| matches!(output.value, Output::Glob(_)));
        if let Some(pattern) = pattern {
            let text = crate::outcome::shown(pattern.value.text());
            return Err(wrong(format!(
                "`@{name}` gives no items: its output `{text}` is a pattern"
            ))
            .also(pattern.place.clone(), "which files it matches is known only afterwards")
            .help(format!("list the outputs of `{name}` one by one")));
        }
        // A target without tasks, because its own `foreach` finds nothing, gives no items.
        let makes = |rule: &Rule| rule.target.kind != Kind::Group || rule.target.action.is_none();
        if outputs().next().is_none() && self.rules[number].iter().any(makes) {
            let what = format!("`@{name}` gives no items: `{name}` declares no outputs");
            return Err(wrong(what).help("add `outputs` there: one plain path for each item here"));
        }
        let made = self.rules[number].iter().filter(|rule| rule.skipped.is_none());
        let paths = made.flat_map(|rule| &rule.outputs).filter_map(|output| match &output.value {
            Output::Path(path) => Some(path.clone()),
            Output::Glob(_) => None,
        });
        let fits = |path: &Vec<u8>| only.as_ref().is_none_or(|only| only.matches_all(path));
        Ok(Some(paths.filter(fits).collect()))
    }
}

/// Lists files, each pattern once.
pub(super) struct Items {
    root: PathBuf,
    pub(super) ignored: Ignored,
    pub(super) looked: Looked,
}

impl Items {
    pub(super) fn new(root: &Path, ignored: Ignored) -> Items {
        Items { root: root.to_owned(), ignored, looked: Looked::default() }
    }

    /// The items of one target, in the order of its list, each once; and what is wrong if a
    /// pattern matches nothing, and goes on doing so when others have their outputs.
    pub(super) fn find(
        &mut self,
        target: &Prepared<'_>,
        declared: &Declared<'_>,
        made: &Made<'_>,
    ) -> Result<(Vec<Item>, Option<Diagnostic>), Diagnostic> {
        let mut items: Vec<Item> = Vec::new();
        let mut empty = None;
        for text in target.source.foreach.iter().flatten() {
            for element in Element::expand(text, &target.scope)? {
                if let Some(negated) = element.negated()? {
                    let files = negated.taken_away(&target.dir)?;
                    let words = negated.taken_away(b"")?;
                    items.retain(|item| match &item.file {
                        Some(file) => !files.matches_all(file),
                        None => !words.matches_all(&item.written),
                    });
                    continue;
                }
                if let Some(paths) = made.outputs_of(&element, target)? {
                    let file = |path: &Vec<u8>| file(path, &Pattern::literal(path), &target.dir);
                    items.extend(paths.iter().map(file));
                    continue;
                }
                let optional = element.optional()?;
                let inner = optional.as_ref().unwrap_or(&element);
                match inner.path_or_glob(&target.dir)? {
                    PathOrGlob::Path(path) if declared.skips(&path) => {}
                    PathOrGlob::Path(path) => {
                        let there = self.is_there(&path, declared);
                        if there || optional.is_none() {
                            items.push(plain(inner, &path, &target.dir, there));
                        }
                    }
                    PathOrGlob::Glob(pattern) => {
                        let found = self.matching(&pattern, inner, (target, declared))?;
                        if found.is_empty() && optional.is_none() {
                            empty.get_or_insert_with(|| {
                                match ignored_match(&self.root, &pattern, &[], &self.ignored) {
                                    Some(only) => only_ignored(inner, &only),
                                    None => matches_nothing(inner, &pattern),
                                }
                            });
                        }
                        items.extend(found.iter().map(|path| file(path, &pattern, &target.dir)));
                    }
                }
            }
        }
        let mut seen = FxHashSet::default();
        items.retain(|item| seen.insert(item.written.clone()));
        Ok((items, empty))
    }

    fn is_there(&mut self, path: &[u8], declared: &Declared<'_>) -> bool {
        if let Some(maker) = declared.paths.get(path) {
            return maker.is_some();
        }
        let there = !path.is_empty() && std::fs::symlink_metadata(self.absolute(path)).is_ok();
        self.looked.there.insert(path.to_vec(), there);
        there
    }

    fn matching(
        &mut self,
        pattern: &Pattern,
        element: &Element,
        (target, declared): (&Prepared<'_>, &Declared<'_>),
    ) -> Result<Vec<Vec<u8>>, Diagnostic> {
        if !self.looked.listed.contains_key(pattern) {
            let found = list(&self.root, pattern, &[], &self.ignored).map_err(|error| {
                Diagnostic::error(format!("cannot list files: {error}"))
                    .at(element.place().clone(), "for this pattern")
            })?;
            self.looked.listed.insert(pattern.clone(), found.into());
        }
        let on_disk = self.looked.listed[pattern].iter().filter(|path| !declared.owns(path));
        let made = declared.matching(pattern);
        let made = made.filter(|(_, maker)| declared.may_be_item(*maker, target));
        let made = made.map(|(path, _)| path);
        let mut found: Vec<Vec<u8>> = on_disk.chain(made).cloned().collect();
        found.sort_unstable();
        Ok(found)
    }

    fn absolute(&self, path: &[u8]) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        self.root.join(std::ffi::OsStr::from_bytes(path))
    }
}

/// Which files are items of a target's `foreach`. What cannot be read as a path was refused before.
pub(super) fn patterns(target: &Prepared<'_>) -> Vec<Input> {
    let texts = target.source.foreach.iter().flatten();
    let elements = texts.filter_map(|text| Element::expand(text, &target.scope).ok()).flatten();
    elements
        .filter_map(|element| Some(element.input(&target.dir, target.home).ok()?.value))
        .collect()
}

/// An element without wildcards is a file if one is there or a target makes one, or if it is
/// written with a slash; else a plain word.
fn plain(element: &Element, path: &[u8], dir: &[u8], there: bool) -> Item {
    match there || element.literal().contains(&b'/') {
        true => file(path, &Pattern::literal(path), dir),
        false => Item { rel: element.word(), written: element.word(), file: None },
    }
}

fn file(path: &[u8], pattern: &Pattern, dir: &[u8]) -> Item {
    let base = pattern.base();
    let rel = path.strip_prefix(base).and_then(|rest| rest.strip_prefix(b"/"));
    let rel = if base.is_empty() { path } else { rel.unwrap_or(path) };
    let name = &path[crate::outdir::dir_of(path).len()..];
    let rel =
        if rel == path && base == path { name.strip_prefix(b"/").unwrap_or(name) } else { rel };
    Item { written: relative_to(dir, path), rel: rel.to_vec(), file: Some(path.to_vec()) }
}

/// What fits is named in a `.gitignore`.
fn only_ignored(element: &Element, only: &IgnoredMatch) -> Diagnostic {
    Diagnostic::error(format!("`{}` matches no file", element.shown()))
        .at(element.place().clone(), only.sentence())
        .help(IgnoredMatch::HELP)
}

fn matches_nothing(element: &Element, pattern: &Pattern) -> Diagnostic {
    let written = element.shown();
    let diagnostic = Diagnostic::error(format!("`{written}` matches no file"))
        .at(element.place().clone(), "no file fits this pattern")
        .help(format!("write `?{written}` if it may match nothing"));
    let looked_for = crate::outcome::shown(pattern.text());
    match looked_for == written {
        true => diagnostic,
        false => diagnostic.note(format!("looked for {looked_for} in the workspace")),
    }
}
