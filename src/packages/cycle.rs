//! Circles of packages. Those that only a weak edge closes (dependencies of development, which
//! the tools of manifests allow to go round) lose their weak edges; any other is an error.

use super::edges::Edge;
use crate::error::Diagnostic;

/// Takes weak edges out of circles, and tells the first circle that is left.
pub(super) fn without(edges: &mut [Vec<Edge>], dirs: &[String]) -> Option<Diagnostic> {
    let circles = components(edges);
    for (from, own) in edges.iter_mut().enumerate() {
        own.retain(|edge| !edge.weak || circles[edge.to] != circles[from]);
    }
    let circles = components(edges);
    let first = (0..edges.len())
        .find(|&at| edges[at].iter().any(|edge| circles[edge.to] == circles[at]))?;
    Some(tell(&way_round(edges, &circles, first), edges, dirs))
}

/// The number of each package's strongly connected component (Tarjan 1972), with an explicit
/// stack.
fn components(edges: &[Vec<Edge>]) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let count = edges.len();
    let (mut index, mut low) = (vec![NONE; count], vec![0; count]);
    let mut component = vec![NONE; count];
    let (mut next, mut found) = (0, 0);
    let mut open: Vec<usize> = Vec::new();
    for root in 0..count {
        let mut stack = if index[root] == NONE { vec![(root, 0)] } else { Vec::new() };
        while let Some((at, edge)) = stack.pop() {
            if edge == 0 {
                (index[at], low[at]) = (next, next);
                next += 1;
                open.push(at);
            } else {
                low[at] = low[at].min(low[edges[at][edge - 1].to]);
            }
            let mut waits = None;
            for (number, edge) in edges[at].iter().enumerate().skip(edge) {
                if index[edge.to] == NONE {
                    waits = Some((number, edge.to));
                    break;
                }
                if component[edge.to] == NONE {
                    low[at] = low[at].min(index[edge.to]);
                }
            }
            if let Some((number, to)) = waits {
                stack.extend([(at, number + 1), (to, 0)]);
                continue;
            }
            if low[at] == index[at] {
                while let Some(member) = open.pop() {
                    component[member] = found;
                    if member == at {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}

/// The packages of a shortest circle through `start`, each with the number of its edge.
fn way_round(edges: &[Vec<Edge>], circles: &[usize], start: usize) -> Vec<(usize, usize)> {
    let mut from: Vec<Option<(usize, usize)>> = vec![None; edges.len()];
    let mut waiting = std::collections::VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for (number, edge) in edges[at].iter().enumerate() {
            if circles[edge.to] != circles[start] || from[edge.to].is_some() {
                continue;
            }
            from[edge.to] = Some((at, number));
            waiting.push_back(edge.to);
        }
    }
    let mut way = Vec::new();
    let mut at = start;
    while let Some((before, edge)) = from[at] {
        way.push((before, edge));
        at = before;
        if at == start {
            break;
        }
    }
    way.reverse();
    way
}

fn tell(way: &[(usize, usize)], edges: &[Vec<Edge>], dirs: &[String]) -> Diagnostic {
    let name = |at: usize| format!("//{}", dirs[at]);
    let mut names: Vec<String> = way.iter().map(|&(at, _)| name(at)).collect();
    names.extend(names.first().cloned());
    let message = format!("packages depend on each other: {}", names.join(" → "));
    let mut diagnostic = Diagnostic::error(message);
    for (number, &(at, edge)) in way.iter().enumerate() {
        let edge = &edges[at][edge];
        let label = format!("`{}` needs `{}`", name(at), name(edge.to));
        match &edge.place {
            Some(place) if number == 0 => diagnostic = diagnostic.at(place.clone(), label),
            Some(place) => diagnostic = diagnostic.also(place.clone(), label),
            None => {}
        }
    }
    diagnostic.help("remove one of these edges: move what both need into a package of its own")
}
