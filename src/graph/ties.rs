//! Edges that follow from paths: what a task reads and another declares as output.
//!
//! Knows no disk: where only the disk can tell whether the two meet, whoever gathers a task's inputs
//! asks again ([`Makers::of`]). Each distinct pattern is tried once on the outputs below its folder.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::rule::{Input, Placed, Rule};
use super::{Edges, Makers, Task, ancestors};
use crate::error::Diagnostic;
use crate::files::Pattern;
use crate::ids::{Id, IdVec, TaskId};
use crate::outcome::shown;

/// Adds what paths ask for to `needs` and `deps`.
///
/// Returns what is wrong: inputs that are outputs of the same task, and such as meet what another
/// may write, of which nothing says that it is waited for.
pub(super) fn tie(
    tasks: &mut IdVec<TaskId, Task>,
    needs: &mut [Vec<TaskId>],
    makers: &Makers,
) -> Vec<Diagnostic> {
    let mut meeting = Meeting::new(makers);
    let (mut untied, mut wrong) = (Vec::new(), Vec::new());
    for id in tasks.ids() {
        let rule = &tasks[id].rule;
        if rule.skipped.is_some() {
            continue;
        }
        let mut found = Vec::new();
        for at in 0..rule.inputs.len() {
            wrong.extend(own_output(id, rule, at, makers));
            let met = meeting.with(rule.from_input(at));
            found.extend(met.makers.iter().filter(|&&maker| maker != id));
            let globs = met.globs.into_iter().filter(|(_, maker)| *maker != id);
            untied.extend(globs.map(|(pattern, maker)| Untied { reader: id, at, pattern, maker }));
        }
        let installs = |maker: &TaskId| !tasks[*maker].rule.installs.is_empty();
        let deps: Vec<TaskId> = found.iter().copied().filter(installs).collect();
        needs[id.index()].extend(found);
        tasks[id].deps.extend(deps);
    }
    wrong.splice(0..0, refuse_untied(tasks, needs, untied));
    wrong
}

/// An input that another task may write, which only a written edge can order.
struct Untied<'m> {
    reader: TaskId,
    /// Which of its inputs.
    at: usize,
    /// The output.
    pattern: &'m Pattern,
    maker: TaskId,
}

/// What one input meets.
struct Met<'m> {
    makers: Vec<TaskId>,
    globs: Vec<(&'m Pattern, TaskId)>,
}

/// What a pattern meets before anything is taken away: declared paths, and whether the pattern
/// matches the path itself, not only what lies in it; output globs.
struct Near<'m> {
    paths: Vec<(&'m [u8], TaskId, bool)>,
    globs: Vec<(&'m Pattern, TaskId)>,
}

struct Meeting<'m> {
    makers: &'m Makers,
    patterns: FxHashMap<Pattern, Rc<Near<'m>>>,
}

impl<'m> Meeting<'m> {
    fn new(makers: &'m Makers) -> Meeting<'m> {
        Meeting { makers, patterns: FxHashMap::default() }
    }

    /// What the first of `inputs` meets and no `!glob` behind it takes away.
    fn with(&mut self, inputs: &[Placed<Input>]) -> Met<'m> {
        let (input, behind) = inputs.split_first().expect("called with an input");
        let near = match &input.value {
            Input::Path { path, .. } => Rc::new(self.near_path(path)),
            Input::Glob { pattern, .. } => match self.patterns.get(pattern) {
                Some(known) => Rc::clone(known),
                None => {
                    let near = Rc::new(self.near_pattern(pattern));
                    self.patterns.insert(pattern.clone(), Rc::clone(&near));
                    near
                }
            },
            Input::Not(_) | Input::Outputs { .. } => {
                return Met { makers: Vec::new(), globs: Vec::new() };
            }
        };
        let taken: Vec<&Pattern> = behind.iter().filter_map(taken_away).collect();
        // What is written out stays, if it is an item.
        let written = match &input.value {
            Input::Path { path, .. } => Some(&path[..]),
            _ => None,
        };
        let stays = |(path, _, whole): &&(&[u8], TaskId, bool)| {
            written.is_some_and(|written| ancestors(written).any(|above| above == *path))
                || !taken.iter().any(|not| not.covers(path) || (*whole && not.matches_all(path)))
        };
        let globs = near.globs.iter().copied();
        Met {
            makers: near.paths.iter().filter(stays).map(|(_, maker, _)| *maker).collect(),
            globs: globs
                .filter(|(glob, _)| !taken.iter().any(|not| is_covered(not, glob)))
                .collect(),
        }
    }

    /// A plain path: what it lies in, and what lies in it. It is taken for a folder only where
    /// something lies in it.
    fn near_path(&self, path: &[u8]) -> Near<'m> {
        let above = self.makers.nearest(path).map(|(path, maker)| (path, maker, true));
        let below = self.makers.paths_in(path).map(|(path, maker)| (path, maker, true));
        let globs = self.makers.globs.above(path).filter(|(glob, _)| glob.matches_all(path));
        let globs = globs.chain(self.makers.globs.below(path)).collect();
        Near { paths: above.into_iter().chain(below).collect(), globs }
    }

    /// A pattern: what it lies in, what it matches, and what it says to be a folder that it matches
    /// something in.
    fn near_pattern(&self, pattern: &Pattern) -> Near<'m> {
        let base = pattern.base();
        let above = self.makers.nearest(base).map(|(path, maker)| (path, maker, false));
        let below = self.makers.paths_in(base).filter_map(|(path, maker)| {
            let whole = pattern.matches(path);
            (whole || pattern.names_folder(path)).then_some((path, maker, whole))
        });
        let globs = &self.makers.globs;
        let globs = globs.above(base).chain(globs.below(base));
        let globs = globs.filter(|(glob, _)| pattern.overlaps(glob)).collect();
        Near { paths: above.into_iter().chain(below).collect(), globs }
    }
}

fn taken_away(input: &Placed<Input>) -> Option<&Pattern> {
    match &input.value {
        Input::Not(not) => Some(not),
        _ => None,
    }
}

/// Whether whatever `pattern` matches is taken away by `not`.
pub(super) fn is_covered(not: &Pattern, pattern: &Pattern) -> bool {
    not == pattern || not.covers(pattern.base())
}

/// What stands at a task's outputs is moved away before it runs.
fn own_output(id: TaskId, rule: &Rule, at: usize, makers: &Makers) -> Option<Diagnostic> {
    let Input::Path { path, .. } = &rule.inputs[at].value else { return None };
    let is_own = rule.outputs.iter().any(|output| output.value.covers(path));
    if !is_own || makers.of(path).is_some_and(|maker| maker != id) {
        return None;
    }
    let message = format!("`{}` reads {} and also declares it as output", rule.name, shown(path));
    Some(
        Diagnostic::error(message)
            .at(rule.inputs[at].place.clone(), "would be moved away before the command runs")
            .help(
                "a formatter has `fixes_inputs = true` and no `outputs`; another task that edits \
                 files in place has neither `inputs` nor `outputs`",
            ),
    )
}

/// A task that reads what matches another's output glob must be ordered behind it by hand: which
/// files those are is known only afterwards.
fn refuse_untied(
    tasks: &IdVec<TaskId, Task>,
    needs: &[Vec<TaskId>],
    untied: Vec<Untied<'_>>,
) -> Vec<Diagnostic> {
    if untied.is_empty() {
        return Vec::new();
    }
    let needed_by = Edges::new(needs).reversed();
    let mut behind: FxHashMap<TaskId, FxHashSet<TaskId>> = FxHashMap::default();
    let mut wrong = Vec::new();
    for Untied { reader, at, pattern, maker } in untied {
        if behind.entry(maker).or_insert_with(|| needed_by.closure(&[maker])).contains(&reader) {
            continue;
        }
        let rule = &tasks[reader].rule;
        let name = rule.target.names(&tasks[maker].rule.target.name);
        let output = shown(pattern.text());
        wrong.push(
            Diagnostic::error(format!(
                "`{}` reads what `{name}` may write, but does not wait for it",
                rule.name
            ))
            .at(rule.inputs[at].place.clone(), format!("meets `{output}`, an output of `{name}`"))
            .help(rule.how_to_wait(&name, Some(pattern.text()))),
        );
    }
    wrong
}

impl Rule {
    /// What to write where a task reads what another makes and does not wait for it: the other as this
    /// Taskfile names it, and what an input would have to leave out instead.
    pub fn how_to_wait(&self, maker: &str, without: Option<&[u8]>) -> String {
        let own = self.target.own_name();
        let line = format!("add `after = [\"{maker}\"]` to [target.{own}]");
        match without.and_then(|text| std::str::from_utf8(text).ok()) {
            Some(text) => format!("{line}, or `!//{text}` behind this input"),
            None => line,
        }
    }
}
