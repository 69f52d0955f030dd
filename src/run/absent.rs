//! What to say of an input that gives no file: asked only when a task fails because of it.

use std::os::unix::ffi::OsStrExt;

use super::Build;
use super::gather::Collector;
use crate::error::{Diagnostic, nearest};
use crate::files::{IgnoredMatch, Pattern, ignored_match, list, normalise, relative_to};
use crate::graph::{Input, Output, Ref};
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::outdir::dir_of;
use crate::workers::Listed;

/// Of a larger folder, and of more outputs, only so many names are compared.
const MOST_NAMES: usize = 10_000;

/// A string of more words is no list of paths.
const MOST_WORDS: usize = 100;

impl Build<'_> {
    /// A plain path at which nothing stands.
    pub(super) fn absent_path(&self, id: TaskId, path: &[u8]) -> Diagnostic {
        let word = relative_to(&self.graph.task(id).rule.dir, path);
        let name = shown(&word);
        let target = || {
            let is_target = self.graph.target(&name).is_some();
            is_target.then(|| format!("`{name}` is a target, and `@{name}` are its outputs"))
        };
        let near = || self.neighbour(path, &word).or_else(|| self.in_a_folder_beside(id, path));
        let advice = target()
            .or_else(|| self.written_from_the_workspace(id, &word))
            .or_else(|| self.several(id, &word))
            .or_else(|| self.near_output(id, path))
            .or_else(|| near().map(|near| format!("did you mean `{near}`?")))
            .unwrap_or_else(|| format!("write `?{name}` if it may be absent"));
        Diagnostic::error(format!("its input {} does not exist", shown(path))).help(advice)
    }

    /// The same where an environment file should be.
    pub(super) fn absent_env_file(&self, id: TaskId, path: &[u8]) -> Diagnostic {
        let name = shown(&relative_to(&self.graph.task(id).rule.dir, path));
        Diagnostic::error(format!("its environment file {} does not exist", shown(path)))
            .help(format!("write `?{name}` if it may be absent"))
    }

    /// A link at which the way ends.
    pub(super) fn dangling(&self, path: &[u8]) -> Diagnostic {
        let link = self.root.absolute(path);
        let to = std::fs::read_link(&link).unwrap_or_default();
        let there = link.with_file_name(&to).symlink_metadata().is_ok();
        let end = if there { "leads nowhere" } else { "does not exist" };
        let (name, to) = (shown(path), shown(to.as_os_str().as_bytes()));
        Diagnostic::error(format!("its input {name} is a link to {to}, which {end}"))
    }

    /// The word is a path from the workspace, where one from `dir` is asked for.
    fn written_from_the_workspace(&self, id: TaskId, word: &[u8]) -> Option<String> {
        let dir = &self.graph.task(id).rule.dir;
        if dir.is_empty() || !self.exists(word) {
            return None;
        }
        let (here, word) = (shown(&relative_to(dir, word)), shown(word));
        Some(format!("paths are relative to `dir`: write `{here}`, or `//{word}`"))
    }

    /// The word is several paths that are all there or will be made.
    fn several(&self, id: TaskId, word: &[u8]) -> Option<String> {
        let dir = &self.graph.task(id).rule.dir;
        let separates = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
        let words = word.split(separates).filter(|word| !word.is_empty());
        let words: Vec<&[u8]> = words.take(MOST_WORDS + 1).collect();
        let there = |word: &&[u8]| {
            normalise(dir, word)
                .is_ok_and(|path| self.exists(&path) || self.graph.makers().of(&path).is_some())
        };
        if !(2..=MOST_WORDS).contains(&words.len()) || !words.iter().all(there) {
            return None;
        }
        let words: Vec<String> = words.iter().map(|word| format!("\"{}\"", shown(word))).collect();
        Some(format!("write each as a string of its own: {}", words.join(", ")))
    }

    /// The output of another task that was meant: without or with an ending, or misspelt.
    fn near_output(&self, id: TaskId, path: &[u8]) -> Option<String> {
        let outputs = self.graph.tasks().iter().flat_map(|task| &task.rule.outputs);
        let paths = outputs.filter_map(|output| match &output.value {
            Output::Path(path) => std::str::from_utf8(path).ok(),
            Output::Glob(_) => None,
        });
        let paths: Vec<&str> = paths.take(MOST_NAMES).collect();
        let text = std::str::from_utf8(path).ok()?;
        let extends = |long: &str, short: &str| {
            long.strip_prefix(short).is_some_and(|end| end.starts_with('.') && !end.contains('/'))
        };
        let same = |other: &&&str| extends(other, text) || extends(text, other);
        let near = paths.iter().find(same).copied();
        let near = near.or_else(|| nearest(text, paths.iter().copied()))?;
        let maker = self.graph.makers().of(near.as_bytes()).filter(|&maker| maker != id)?;
        let word = relative_to(&self.graph.task(id).rule.dir, near.as_bytes());
        Some(format!("did you mean `{}`, made by `{}`?", shown(&word), self.graph.name(maker)))
    }

    /// The file of the same folder whose name is nearest, or differs by its ending alone, as it
    /// would be written.
    fn neighbour(&self, path: &[u8], word: &[u8]) -> Option<String> {
        let dir = dir_of(path);
        let file = std::str::from_utf8(path.get(dir.len()..)?).ok()?.trim_start_matches('/');
        let names = self.names_in(dir);
        let near = nearest(file, names.iter().map(String::as_str)).or_else(|| {
            let stem = file.rsplit_once('.')?.0;
            let ends =
                |name: &&String| name.rsplit_once('.').is_some_and(|(other, _)| other == stem);
            let mut same = names.iter().filter(ends);
            same.next().filter(|_| same.next().is_none()).map(String::as_str)
        })?;
        let before = word.strip_suffix(file.as_bytes())?;
        Some(shown(&[before, near.as_bytes()].concat()))
    }

    /// Its folder is not there, but just one beside it has such a file.
    fn in_a_folder_beside(&self, id: TaskId, path: &[u8]) -> Option<String> {
        let folder = dir_of(path);
        let above = dir_of(folder);
        if folder.is_empty() || self.exists(folder) {
            return None;
        }
        let rest = &path[folder.len()..];
        let paths = self.names_in(above).into_iter().filter(|name| !name.starts_with('.'));
        let paths = paths.filter_map(|name| {
            let path = [above, b"/", name.as_bytes(), rest].concat();
            normalise(b"", path.strip_prefix(b"/").unwrap_or(&path)).ok()
        });
        let mut there = paths.filter(|path| self.exists(path));
        let only = there.next().filter(|_| there.next().is_none())?;
        Some(shown(&relative_to(&self.graph.task(id).rule.dir, &only)))
    }

    /// A pattern that matches nothing.
    pub(super) fn absent_files(&self, id: TaskId, pattern: &Pattern) -> Diagnostic {
        let dir = &self.graph.task(id).rule.dir;
        let text = pattern.text();
        let word = relative_to(dir, text);
        let advice = if !dir.is_empty() && self.has_files(&word) {
            let (here, word) = (shown(&relative_to(dir, &word)), shown(&word));
            format!("paths are relative to `dir`: write `{here}`, or `//{word}`")
        } else if let Some(near) = self.other_ending(text) {
            format!("did you mean `{}`?", shown(&relative_to(dir, &near)))
        } else {
            format!("write `?{}` if there may be none", shown(&word))
        };
        Diagnostic::error(format!("its input {} matches no file", shown(text))).help(advice)
    }

    /// The last pattern that was listed matches nothing, and only because of a `.gitignore`.
    pub(super) fn only_ignored(&self, all: &Collector) -> Option<Diagnostic> {
        let Listed { pattern, skip, .. } = all.globs.last()?;
        let only = ignored_match(self.root.path(), pattern, skip, self.graph.ignored())?;
        let message = format!("its input {} matches no file", shown(pattern.text()));
        Some(Diagnostic::error(message).note(only.sentence()).help(IgnoredMatch::HELP))
    }

    /// The pattern `DIR/*.END` with the only other ending that begins as this one does, or is the
    /// beginning of it: `*.c` for `*.cc`.
    fn other_ending(&self, text: &[u8]) -> Option<Vec<u8>> {
        let (before, ending) = std::str::from_utf8(text).ok()?.rsplit_once("*.")?;
        let names = self.names_in(before.strip_suffix('/').unwrap_or(before).as_bytes());
        let mut endings: Vec<&str> =
            names.iter().filter_map(|name| Some(name.rsplit_once('.')?.1)).collect();
        endings.retain(|other| ending.starts_with(other) || other.starts_with(ending));
        endings.sort_unstable();
        endings.dedup();
        let [only] = endings[..] else { return None };
        Some(format!("{before}*.{only}").into_bytes())
    }

    fn has_files(&self, pattern: &[u8]) -> bool {
        let listed = Pattern::parse(pattern)
            .map(|pattern| list(self.root.path(), &pattern, &[], self.graph.ignored()));
        listed.is_ok_and(|listed| listed.is_ok_and(|files| !files.is_empty()))
    }

    fn exists(&self, path: &[u8]) -> bool {
        self.root.absolute(path).symlink_metadata().is_ok()
    }

    /// Names in a folder, in order; none where it cannot be listed.
    fn names_in(&self, dir: &[u8]) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.root.absolute(dir)) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(MOST_NAMES).collect();
        names.sort_unstable();
        names
    }

    /// A target that has no tasks because its `foreach` finds nothing.
    fn no_items(&self, of: &Ref) -> Option<Diagnostic> {
        let target = &self.graph.task(self.graph.target(of.target())?).rule.target;
        let name = &of.text;
        target.action.as_ref()?;
        let what =
            format!("its input @{name} gives no file: the `foreach` of `{name}` finds nothing");
        Some(Diagnostic::error(what).help(format!(
            "to go on without, read its files by a pattern, as in `?gen/*`, and add \
             `after = [\"{name}\"]`"
        )))
    }

    /// Whether all that a pattern matches is taken away again by what stands behind it.
    pub(super) fn all_taken(&self, id: TaskId, at: usize, pattern: &Pattern) -> Option<Diagnostic> {
        let rule = &self.graph.task(id).rule;
        let found = list(self.root.path(), pattern, &[], self.graph.ignored()).ok()?;
        let taken = rule.from_input(at).iter().find_map(|input| match &input.value {
            Input::Not(not) => found.iter().find(|path| not.matches_all(path)),
            _ => None,
        })?;
        let word = |path: &[u8]| shown(&relative_to(&rule.dir, path));
        let what = format!("its input {} matches no file", shown(pattern.text()));
        let what = Diagnostic::error(what);
        let what = what.note(format!("a `!` behind it takes {} away", word(taken)));
        Some(what.help(format!("write `?{}` if nothing may be left", word(pattern.text()))))
    }

    /// A reference to tasks of which no file is there.
    pub(super) fn absent_outputs(
        &self,
        at: (TaskId, usize),
        of: &Ref,
        only: Option<&Pattern>,
    ) -> Diagnostic {
        let (name, tasks) = (&of.text, &self.graph.task(at.0).sources[at.1]);
        let tasks = self.graph.without_groups(tasks);
        if tasks.is_empty()
            && let Some(what) = self.no_items(of)
        {
            return what;
        }
        let declares = tasks.iter().any(|&task| !self.graph.task(task).rule.outputs.is_empty());
        match only {
            Some(only) => Diagnostic::error(format!(
                "its input @{name}: no output of `{name}` matches {}",
                shown(only.text())
            )),
            None if declares => Diagnostic::error(format!("its input @{name} gives no file")),
            None => Diagnostic::error(format!(
                "its input @{name} gives no file: `{name}` declares no outputs"
            ))
            .help(format!("to only wait for it, write `deps = [\"{name}\"]`")),
        }
    }
}
