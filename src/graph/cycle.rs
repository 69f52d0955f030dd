//! Finds a cycle of tasks and tells its members in order, with the place of each edge.

use super::link::place_of_edge;
use super::rule::Kind;
use super::{Edges, Task};
use crate::error::Diagnostic;
use crate::ids::{Id, IdVec, TaskId};

#[derive(Clone, Copy, PartialEq)]
enum Colour {
    White,
    Open,
    Done,
}

/// The first cycle, by order of declaration. Linear, with an explicit stack.
pub(super) fn find(tasks: &IdVec<TaskId, Task>, needs: &Edges) -> Option<Diagnostic> {
    let mut colour = vec![Colour::White; tasks.len()];
    let mut stack: Vec<(TaskId, usize)> = Vec::new();
    for root in tasks.ids() {
        if colour[root.index()] != Colour::White {
            continue;
        }
        colour[root.index()] = Colour::Open;
        stack.push((root, 0));
        while let Some((id, next)) = stack.last_mut() {
            let Some(&need) = needs.of(*id).get(*next) else {
                colour[id.index()] = Colour::Done;
                stack.pop();
                continue;
            };
            *next += 1;
            match colour[need.index()] {
                Colour::White => {
                    colour[need.index()] = Colour::Open;
                    stack.push((need, 0));
                }
                Colour::Open => {
                    let start = stack.iter().position(|(id, _)| *id == need)?;
                    let members: Vec<TaskId> = stack[start..].iter().map(|(id, _)| *id).collect();
                    return Some(tell(tasks, &members));
                }
                Colour::Done => {}
            }
        }
    }
    None
}

/// At most so many members are named; the rest is counted.
const MOST_SHOWN: usize = 8;

fn tell(tasks: &IdVec<TaskId, Task>, cycle: &[TaskId]) -> Diagnostic {
    let name = |id: TaskId| tasks[id].rule.name.as_str();
    // A node that stands for all tasks of a target was written nowhere.
    let is_written =
        |id: &TaskId| tasks[*id].kind() != Kind::Group || !tasks[*id].rule.deps.is_empty();
    let members: Vec<TaskId> = cycle.iter().copied().filter(is_written).collect();
    let mut shown: Vec<&str> = members.iter().take(MOST_SHOWN).map(|&id| name(id)).collect();
    let more = format!("… {} more …", members.len().saturating_sub(MOST_SHOWN));
    if members.len() > MOST_SHOWN {
        shown.push(&more);
    }
    shown.extend(members.first().map(|&id| name(id)));
    let edges = cycle.iter().zip(cycle.iter().cycle().skip(1)).filter(|(from, _)| is_written(from));
    let edges = edges.map(|(&from, &to)| place_of_edge(&tasks[from], &tasks[to]));
    let mut edges: Vec<_> = edges.take(MOST_SHOWN).collect();
    edges.dedup_by(|a, b| a.0 == b.0);
    let mut edges = edges.into_iter();
    let (place, label) = edges.next().unwrap_or_default();
    let message = match &members[..] {
        [only] => format!("`{}` needs itself: a cycle of one", name(*only)),
        _ => format!("a cycle of {} tasks: {}", members.len(), shown.join(" → ")),
    };
    let mut diagnostic = Diagnostic::error(message).at(place, label);
    for (place, label) in edges {
        diagnostic = diagnostic.also(place, label);
    }
    diagnostic.help("remove one of these edges, or split a target in two".to_owned())
}
