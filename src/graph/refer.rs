//! Which tasks a reference picks (`obj`, `test@db=pg`, `obj@src/*.c`), and what to say where
//! there is none.

use std::cell::RefCell;
use std::ops::{Index, Range};

use rustc_hash::FxHashMap;

use super::rule::Ref;
use super::{Members, Scope, Task, printable};
use crate::error::{Diagnostic, listed, nearest, quoted};
use crate::files::Pattern;
use crate::ids::{Id, IdVec, TaskId};
use crate::parse::{seen_from, split_name, split_pick};

/// So many words are listed in full; of more, an example is given.
const FEW: usize = 8;

/// The tasks of a target that `target@db=pg,src/*.c` picks: a word with `=` whose left side is an
/// axis picks by that, anything else by item; all must hold. `*` alone stands for every task of
/// a target that has several, and for every value.
pub(super) fn pick(
    tasks: &impl Index<TaskId, Output = Task>,
    members: impl Fn(&str) -> Option<Range<usize>>,
    text: &str,
) -> Vec<TaskId> {
    let (target, picks) = split_pick(text);
    let members = members(target).unwrap_or_default().map(TaskId::from_index);
    picked(tasks, members, picks)
}

fn picked(
    tasks: &impl Index<TaskId, Output = Task>,
    among: impl Iterator<Item = TaskId>,
    picks: Option<&str>,
) -> Vec<TaskId> {
    let picks: Vec<Pick<'_>> = picks.unwrap_or("").split(',').map(Pick::parse).collect();
    among.filter(|&id| picks.iter().all(|pick| pick.fits(&tasks[id].rule.scope))).collect()
}

/// The tasks of targets by their item, each target on first use: whoever names one item in each of
/// thousands of references does not go through thousands of tasks for each.
#[derive(Default)]
pub(super) struct ByItem(RefCell<FxHashMap<String, Items>>);

type Items = FxHashMap<Vec<u8>, Vec<TaskId>>;

impl ByItem {
    /// As [`pick`].
    pub(super) fn pick(
        &self,
        tasks: &IdVec<TaskId, Task>,
        members: &Members,
        text: &str,
    ) -> Vec<TaskId> {
        let (target, picks) = split_pick(text);
        let word = picks.and_then(|picks| picks.split(',').find(|pick| is_item(pick)));
        let (Some(word), Some(range)) = (word, members.get(target)) else {
            return pick(tasks, |target| members.get(target).cloned(), text);
        };
        let mut known = self.0.borrow_mut();
        if !known.contains_key(target) {
            let mut items = Items::default();
            for id in range.clone().map(TaskId::from_index) {
                if let Some(item) = tasks[id].rule.scope.item() {
                    items.entry(item.written.clone()).or_default().push(id);
                }
            }
            known.insert(target.to_owned(), items);
        }
        let among = known[target].get(word.as_bytes());
        picked(tasks, among.into_iter().flatten().copied(), picks)
    }
}

/// Whether a word can only be one item, as it is written.
fn is_item(pick: &str) -> bool {
    !pick.is_empty() && !pick.contains(['=', '*', '?', '[', ']', '{', '}', '\\'])
}

/// One word behind the `@`.
struct Pick<'a> {
    text: &'a str,
    glob: Option<Pattern>,
    /// The word as `axis=value`.
    axis: Option<(&'a str, &'a str, Option<Pattern>)>,
}

impl<'a> Pick<'a> {
    fn parse(text: &'a str) -> Pick<'a> {
        let glob = |text: &str| Pattern::parse(text.as_bytes()).ok();
        let axis = text.split_once('=').map(|(axis, value)| (axis, value, glob(value)));
        Pick { text, glob: glob(text), axis }
    }

    fn fits(&self, scope: &Scope) -> bool {
        let is_like = |own: &[u8], text: &str, glob: &Option<Pattern>| {
            let glob = glob.as_ref();
            text == "*" || own == text.as_bytes() || glob.is_some_and(|glob| glob.matches_all(own))
        };
        if let Some((axis, value, glob)) = &self.axis {
            let profile = || scope.profile().filter(|_| *axis == "profile");
            if let Some(own) = scope.axis(axis).map(String::as_str).or_else(profile) {
                return is_like(own.as_bytes(), value, glob) || printable(own.as_bytes()) == *value;
            }
        }
        match scope.item() {
            Some(item) => is_like(&item.written, self.text, &self.glob),
            None => self.text == "*" && scope.axes().next().is_some(),
        }
    }
}

/// A target that is not there. Looking for a name that was meant is dear: `look` says whether to.
pub(super) fn no_target(reference: &Ref, members: &Members, look: bool) -> Diagnostic {
    let (dir, target) = split_name(reference.target());
    let diagnostic = Diagnostic::error(format!("there is no target {}", quoted(target)))
        .at(reference.place.clone(), "not a target of this Taskfile");
    if !look {
        return diagnostic;
    }
    let own = members.iter().filter(|(name, _)| split_name(name).0 == dir);
    let mut known: Vec<(&str, usize)> =
        own.map(|(name, range)| (split_name(name).1, range.start)).collect();
    known.sort_unstable_by_key(|(_, start)| *start);
    if let Some(near) = nearest(target, known.iter().map(|(name, _)| *name)) {
        return diagnostic.help(format!("did you mean `{near}`?"));
    }
    if !dir.is_empty() && members.contains_key(target) {
        return diagnostic.help(format!("that of the root is `{}`", seen_from(dir, target)));
    }
    let (_, written) = split_name(&reference.text);
    if written.contains(['/', '.', '*']) {
        return diagnostic
            .help(format!("a file belongs in `inputs`, without `@`: inputs = [\"{written}\"]"));
    }
    let others = members.keys().filter(|name| split_name(name).1 == target);
    if let Some(other) = others.min() {
        return diagnostic.help(format!("another package has one: `{other}`"));
    }
    diagnostic.help(match known.len() {
        1 => format!("the only target is `{}`", known[0].0),
        ..=FEW => listed("the targets are", known.iter().map(|(name, _)| *name)),
        _ => "`taskr list` shows all targets".to_owned(),
    })
}

/// A reference that picks no task of its target.
pub(super) fn no_task(
    reference: &Ref,
    tasks: &IdVec<TaskId, Task>,
    members: &Members,
    look: bool,
) -> Diagnostic {
    let first = &reference.names().first().unwrap_or(&reference.text);
    let (target, picks) = split_pick(first);
    let picks = picks.unwrap_or("");
    let diagnostic = Diagnostic::error(format!("{} names no task", quoted(&reference.text)))
        .at(reference.place.clone(), format!("no task of `{target}` fits"));
    let ids = members.get(target).cloned().unwrap_or_default().map(TaskId::from_index);
    let ids: Vec<TaskId> = ids.collect();
    let name = |id: &TaskId| tasks[*id].rule.name.as_str();
    let Some(first) = ids.first() else { return diagnostic };
    if picks.is_empty() {
        return diagnostic.help(format!("for all of its tasks write `{target}`"));
    }
    if name(first) == target {
        return diagnostic.help(format!("`{target}` has only one task: write `{target}`"));
    }
    if let Some(help) = axis_help(picks, &ids, tasks) {
        return diagnostic.help(help);
    }
    let near = look.then(|| nearest(&reference.text, ids.iter().map(name))).flatten();
    diagnostic.help(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a task of it is `{}`", name(first)),
    })
}

/// What to write for `axis=value`, where the target has a matrix.
fn axis_help(picks: &str, ids: &[TaskId], tasks: &IdVec<TaskId, Task>) -> Option<String> {
    let scope = &tasks[*ids.first()?].rule.scope;
    scope.axes().next()?;
    let wrong = picks.split(',').filter_map(|pick| pick.split_once('='));
    let mut wrong = wrong.filter(|(axis, value)| {
        !ids.iter().any(|id| tasks[*id].rule.scope.axis(axis).is_some_and(|own| own == value))
    });
    let (axis, _) = wrong.next()?;
    if scope.axis(axis).is_none() {
        return Some(listed("its axes:", scope.axes()));
    }
    let mut values: Vec<String> = Vec::new();
    for value in ids.iter().filter_map(|id| tasks[*id].rule.scope.axis(axis)) {
        let value = printable(value.as_bytes());
        if values.len() < FEW && !values.contains(&value) {
            values.push(value);
        }
    }
    Some(listed(&format!("values of `{axis}`:"), values.iter().map(String::as_str)))
}
