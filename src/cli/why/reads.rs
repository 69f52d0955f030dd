//! Whether a task reads a file, and through what: a line of the Taskfile, another task, its
//! depfile. Who asks why a task is not run often means a file that is none of its inputs.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use super::facts::Facts;
use crate::error::Place;
use crate::files::{Ignored, IgnoredBy};
use crate::graph::{Input, Kind, Placed, Task};
use crate::ids::TaskId;
use crate::outcome::{Tag, shown};
use crate::outdir::is_within;
use crate::report::one_line;

/// How a file stands to a task.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// An element of `inputs` or `foreach` names or matches it.
    Named(Option<Place>),
    /// It is an output of a task that this one depends on.
    Made(TaskId),
    /// Its depfile named it when it last ran.
    Depfile,
    /// It is recorded as an input.
    Recorded,
    /// An element of `inputs` that begins with `!` leaves it out.
    LeftOut(Option<Place>),
    /// A line of a `.gitignore` leaves it out of what an element matches.
    Ignored(Option<Place>, IgnoredBy),
    /// The task makes it.
    Output,
    /// In no way that is known.
    None,
}

impl How {
    pub(super) fn is_input(&self) -> bool {
        matches!(self, How::Named(_) | How::Made(_) | How::Depfile | How::Recorded)
    }

    /// A word for machines.
    pub(super) fn code(&self) -> &'static str {
        match self {
            How::Named(_) => "named",
            How::Made(_) => "made",
            How::Depfile => "depfile",
            How::Recorded => "recorded",
            How::LeftOut(_) => "left_out",
            How::Ignored(..) => "ignored",
            How::Output => "output",
            How::None => "none",
        }
    }

    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            How::Named(place) | How::LeftOut(place) | How::Ignored(place, _) => place.as_ref(),
            _ => None,
        }
    }
}

/// What is known of one task and one file.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) task: TaskId,
    pub(super) path: Vec<u8>,
    pub(super) how: How,
    /// If the task does not read it: those before it, or in the group, that do.
    pub(super) readers: Vec<TaskId>,
}

impl Asked {
    pub(super) fn new(facts: &Facts, task: TaskId, path: &[u8]) -> Asked {
        let how = how(facts, task, path);
        let readers = if how.is_input() { Vec::new() } else { readers(facts, task, path) };
        Asked { task, path: path.to_vec(), how, readers }
    }

    /// In one line.
    pub(super) fn text(&self, facts: &Facts) -> String {
        let (path, task) = (shown(&self.path), facts.name(self.task));
        let place = || match self.how.place() {
            Some(at) => {
                let text = one_line(at.text().trim_matches(['"', '\'']));
                format!("`{text}` ({}:{}:{})", at.source.name, at.line(), at.column())
            }
            None => "its `inputs`".to_owned(),
        };
        let is_group = facts.judged.graph.task(self.task).kind() == Kind::Group;
        let is = format!("{path} is an input of {task}");
        let is_not = format!("{path} is not an input of {task}");
        let text = match &self.how {
            How::Named(_) => format!("{is}: by {}", place()),
            How::Made(maker) => format!("{is}: {} makes it", facts.name(*maker)),
            How::Depfile => format!("{is}: its depfile named it when it last ran"),
            How::Recorded => format!("{is}: it is in its record"),
            How::LeftOut(_) => format!("{is_not}: {} leaves it out", place()),
            How::Ignored(_, by) => {
                format!("{is_not}: {} would match it, but {}", place(), by.sentence())
            }
            How::Output => format!("{path} is an output of {task}, not an input"),
            How::None if is_group => format!("{is_not}, which is a group"),
            How::None => {
                format!("{is_not}: if its command reads it, add \"{path}\" to its `inputs`")
            }
        };
        match &self.readers[..] {
            [] => text,
            [one] => format!("{text}; {} reads it", facts.name(*one)),
            [first, rest @ ..] => {
                format!("{text}; {} and {} more read it", facts.name(*first), rest.len())
            }
        }
    }
}

/// The tasks that `id` stands for or waits for, nearest first, and that read the file.
fn readers(facts: &Facts, id: TaskId, path: &[u8]) -> Vec<TaskId> {
    let graph = &facts.judged.graph;
    let mut seen = FxHashSet::from_iter([id]);
    let (mut waiting, mut found) = (VecDeque::from([id]), Vec::new());
    while let Some(task) = waiting.pop_front() {
        if task != id && how(facts, task, path).is_input() {
            found.push(task);
        }
        waiting.extend(graph.needs(task).iter().filter(|&&need| seen.insert(need)));
    }
    found
}

fn how(facts: &Facts, id: TaskId, path: &[u8]) -> How {
    let task = facts.judged.graph.task(id);
    if task.kind() == Kind::Group {
        return How::None;
    }
    let written = as_written(facts, task, path);
    if written.is_input() {
        return written;
    }
    let manifest = facts.judged.record(id).map(|record| record.manifest);
    let recorded = |tag| manifest.as_ref().is_some_and(|old| old.value(tag, path).is_some());
    let maker = facts.judged.maker_of(path).filter(|maker| *maker != id);
    match maker {
        Some(maker) if recorded(Tag::Input) => How::Made(maker),
        _ if recorded(Tag::Input) => How::Recorded,
        _ if recorded(Tag::Discovered) => How::Depfile,
        _ if task.rule.outputs.iter().any(|output| output.value.covers(path)) => How::Output,
        _ => written,
    }
}

/// What the elements of `inputs` say, each after the one before it.
fn as_written(facts: &Facts, task: &Task, path: &[u8]) -> How {
    let item = task.rule.scope.item().and_then(|item| item.file.as_deref());
    let ignored = facts.judged.graph.ignored();
    let lists = task
        .rule
        .lists()
        .into_iter()
        .map(|(_, range)| in_list(&task.rule.inputs[range], path, (item, ignored)));
    let mut lists: Vec<How> = lists.collect();
    let named = lists.iter().position(|how| matches!(how, How::Named(_)));
    let is_left_out = |how: &How| matches!(how, How::LeftOut(_) | How::Ignored(..));
    let left_out = || lists.iter().position(is_left_out);
    named.or_else(left_out).map_or(How::None, |at| lists.swap_remove(at))
}

fn in_list(list: &[Placed<Input>], path: &[u8], (item, ignored): (Option<&[u8]>, &Ignored)) -> How {
    let found = |base: &[u8], place: Option<Place>| match ignored.by(base, path) {
        Ok(Some(by)) => How::Ignored(place, by),
        _ => How::Named(place),
    };
    let mut how = How::None;
    for input in list {
        let place = || input.place.clone();
        match &input.value {
            _ if how.is_input() && !matches!(input.value, Input::Not(_)) => {}
            Input::Path { path: named, .. } if path == named => how = How::Named(place()),
            Input::Path { path: named, .. } if is_within(path, named) => {
                how = found(named, place());
            }
            Input::Glob { pattern, .. } if pattern.matches_all(path) => {
                how = found(pattern.base(), place());
            }
            Input::Not(pattern) if pattern.matches_all(path) && item != Some(path) => {
                how = How::LeftOut(place());
            }
            _ => {}
        }
    }
    how
}
