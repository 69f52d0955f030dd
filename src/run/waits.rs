//! What a task reads or writes although another task makes it, where only the disk can tell: in the
//! folders that patterns look into, and behind links. Such a task must wait for the other.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Build;
use super::gather::Gap;
use super::real::joined;
use crate::error::Diagnostic;
use crate::files::Pattern;
use crate::graph::{Input, Output, Rule};
use crate::ids::{FileId, TaskId};
use crate::outcome::shown;
use crate::outdir::{STATE_DIR, is_within};

/// Who waits for whom is remembered for so many pairs.
const MOST_PAIRS: usize = 1 << 22;

/// From so many files on it is worth while to ask first whether anything is made near them.
const MANY: usize = 64;

/// Who waits for whom, as far as it was asked.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// What the task that was asked for last needs directly.
    direct: Option<(TaskId, FxHashSet<TaskId>)>,
    /// All that cannot start before a task is done.
    behind: FxHashMap<TaskId, FxHashSet<TaskId>>,
    pairs: usize,
}

impl Build<'_> {
    /// Whether a task cannot start before another is done.
    pub(super) fn waits_for(&mut self, id: TaskId, other: TaskId) -> bool {
        let (graph, waits) = (&self.graph, &mut self.lookups.waits);
        if waits.direct.as_ref().is_none_or(|(of, _)| *of != id) {
            waits.direct = Some((id, graph.needs(id).iter().copied().collect()));
        }
        if waits.direct.as_ref().is_some_and(|(_, needs)| needs.contains(&other)) {
            return true;
        }
        if let Some(behind) = waits.behind.get(&other) {
            return behind.contains(&id);
        }
        let behind = graph.behind(other);
        let waiting = behind.contains(&id);
        waits.pairs += behind.len() + 1;
        if waits.pairs > MOST_PAIRS {
            waits.behind.clear();
            waits.pairs = behind.len() + 1;
        }
        waits.behind.insert(other, behind);
        waiting
    }

    /// The task that makes a file, of which another does not wait for it.
    fn stranger(&mut self, id: TaskId, path: &[u8]) -> Option<TaskId> {
        let file = self.paths.intern(path);
        let maker = self.known_maker(file).filter(|&maker| maker != id)?;
        (!self.waits_for(id, maker)).then_some(maker)
    }

    /// [`Build::maker_of`], each file once.
    pub(super) fn known_maker(&mut self, file: FileId) -> Option<TaskId> {
        if let Some(known) = self.lookups.makers.get(&file) {
            return *known;
        }
        let path = self.paths.bytes(file).to_vec();
        let maker = self.maker_of(&path);
        self.lookups.makers.insert(file, maker);
        maker
    }

    /// What a pattern matched: whoever makes it must be waited for. Which of it is made in a folder
    /// that is an output as a whole, the Taskfile does not say.
    pub(super) fn check_matches(
        &mut self,
        id: TaskId,
        at: usize,
        (pattern, found): (&Pattern, &[FileId]),
    ) -> Result<(), Gap> {
        let base = pattern.base();
        let real = self.lookups.real.folder(self.root.path(), base);
        let is_state = is_within(base, STATE_DIR.as_bytes());
        let may_be_plain = found.len() >= MANY && real.is_none() && !is_state;
        if may_be_plain && self.graph.makers().are_elsewhere(base) {
            return Ok(());
        }
        for &file in found {
            let maker = match &real {
                None => self.known_maker(file).filter(|&maker| maker != id),
                Some(real) => {
                    let path = self.paths.bytes(file);
                    let rest = if base.is_empty() { path } else { &path[base.len() + 1..] };
                    let path = joined(real, rest);
                    self.stranger(id, &path)
                }
            };
            let Some(maker) = maker.filter(|&maker| !self.waits_for(id, maker)) else { continue };
            let path = self.paths.bytes(file).to_vec();
            return Err(self.not_waited_for((id, at), &path, maker));
        }
        Ok(())
    }

    /// A path that is written out, and leads through links to where another task writes.
    pub(super) fn check_way(&mut self, id: TaskId, at: usize, path: &[u8]) -> Result<(), Gap> {
        let Some(real) = self.lookups.real.path(self.root.path(), path) else { return Ok(()) };
        match self.stranger(id, &real) {
            Some(maker) => Err(self.behind_link((id, at), (path, &real), maker)),
            None => Ok(()),
        }
    }

    /// An input that is a link: whoever makes what it leads to must be waited for.
    pub(super) fn check_link(&mut self, id: TaskId, file: FileId) -> Result<(), Gap> {
        use std::os::unix::ffi::OsStrExt;
        let path = self.paths.bytes(file).to_vec();
        let Ok(real) = self.root.absolute(&path).canonicalize() else { return Ok(()) };
        let Ok(real) = real.strip_prefix(self.root.path()) else { return Ok(()) };
        let real = real.as_os_str().as_bytes().to_vec();
        let Some(maker) = self.stranger(id, &real) else { return Ok(()) };
        let at = naming(&self.graph.task(id).rule, &path);
        Err(self.behind_link((id, at.unwrap_or(0)), (&path, &real), maker))
    }

    /// Nothing of what the task is about to write may lie, behind links, where another writes.
    pub(super) fn check_outputs(&mut self, id: TaskId) -> Result<(), Gap> {
        let outputs = self.graph.task(id).rule.outputs.clone();
        for output in outputs {
            let (path, real) = match &output.value {
                Output::Path(path) => (path, self.lookups.real.path(self.root.path(), path)),
                Output::Glob(_) => continue,
            };
            let Some(real) = real else { continue };
            let Some(maker) = self.maker_of(&real).filter(|&maker| maker != id) else { continue };
            let maker = self.graph.name(maker);
            let what = Diagnostic::error(format!(
                "its output {} is {}, which `{maker}` makes",
                shown(path),
                shown(&real)
            ));
            let what = what.at(output.place.clone(), "behind a link");
            let help = "give each task outputs of its own, or make one task write them all";
            return Err(Gap::Wrong(Box::new(what.help(help))));
        }
        Ok(())
    }

    fn behind_link(
        &self,
        (id, at): (TaskId, usize),
        (path, real): (&[u8], &[u8]),
        maker: TaskId,
    ) -> Gap {
        let rule = &self.graph.task(id).rule;
        let maker = rule.target.names(&self.graph.task(maker).rule.target.name);
        let what = Diagnostic::error(format!(
            "its input {} is {}, which `{maker}` makes, but it does not wait for `{maker}`",
            shown(path),
            shown(real)
        ));
        self.wrong_input(id, at, what.help(rule.how_to_wait(&maker, None)))
    }

    /// A match that lies in what another task makes.
    fn not_waited_for(&self, (id, at): (TaskId, usize), path: &[u8], maker: TaskId) -> Gap {
        let rule = &self.graph.task(id).rule;
        let made = &self.graph.task(maker).rule;
        let name = rule.target.names(&made.target.name);
        let input = match &rule.inputs[at].value {
            Input::Glob { pattern, .. } => shown(pattern.text()),
            Input::Path { path, .. } => shown(path),
            Input::Not(_) | Input::Outputs { .. } => String::new(),
        };
        let what = Diagnostic::error(format!(
            "its input {input} matches {}, which `{name}` makes, but it does not wait for `{name}`",
            shown(path)
        ));
        let mut help = rule.how_to_wait(&name, Some(without(made, path).text()));
        let installed = made.installs.iter().find(|installed| is_within(path, &installed.value));
        if let Some(installed) = installed {
            help += &format!(", or name {} in .gitignore", shown(&installed.value));
        }
        self.wrong_input(id, at, what.help(help))
    }
}

/// What an input leaves out if it is not to read what a task makes: the folder or the pattern that a
/// path is of, else the path.
fn without(maker: &Rule, path: &[u8]) -> Pattern {
    let folder = |output: &[u8]| match output == path {
        true => Pattern::literal(path),
        false => Pattern::tree(output),
    };
    let outputs = maker.outputs.iter().find_map(|output| match &output.value {
        Output::Path(output) => is_within(path, output).then(|| folder(output)),
        Output::Glob(glob) => glob.matches_all(path).then(|| glob.clone()),
    });
    let installs = || maker.installs.iter().find(|output| is_within(path, &output.value));
    outputs
        .or_else(|| installs().map(|output| folder(&output.value)))
        .unwrap_or_else(|| Pattern::literal(path))
}

/// The first input that names a path.
fn naming(rule: &Rule, path: &[u8]) -> Option<usize> {
    rule.inputs.iter().position(|input| match &input.value {
        Input::Path { path: folder, .. } => is_within(path, folder),
        Input::Glob { pattern, .. } => pattern.matches(path),
        Input::Not(_) | Input::Outputs { .. } => false,
    })
}
