//! Where each node of a picture stands: layers from left to right, few crossings within.
//!
//! After Sugiyama, Tagawa, Toda (1981): a node's layer is the longest way to it; an edge over
//! several layers bends at a place of its own in each; the order within a layer follows the mean
//! place of its neighbours, swept to and fro.

use super::Picture;

/// Sweeps to and fro; more change little.
const SWEEPS: usize = 8;

/// Layers of places.
pub(super) struct Layers {
    /// From left to right; in each the places from top to bottom.
    pub(super) columns: Vec<Vec<usize>>,
    /// Which node stands at a place; none where an edge only bends.
    pub(super) places: Vec<Option<usize>>,
    /// The places that each edge of the picture leads along.
    pub(super) ways: Vec<Vec<usize>>,
}

impl Layers {
    pub(super) fn of(picture: &Picture) -> Layers {
        let layer = layers(picture);
        let count = layer.iter().max().map_or(0, |last| last + 1);
        let mut columns = vec![Vec::new(); count];
        let mut places: Vec<Option<usize>> = (0..picture.nodes.len()).map(Some).collect();
        for (node, &at) in layer.iter().enumerate() {
            columns[at].push(node);
        }
        let mut ways = Vec::new();
        for edge in &picture.edges {
            let mut way = vec![edge.from];
            let to = layer[edge.to];
            for column in &mut columns[(layer[edge.from] + 1).min(to)..to] {
                column.push(places.len());
                way.push(places.len());
                places.push(None);
            }
            way.push(edge.to);
            ways.push(way);
        }
        let mut layers = Layers { columns, places, ways };
        layers.order();
        layers
    }

    fn order(&mut self) {
        let mut before = vec![Vec::new(); self.places.len()];
        let mut behind = before.clone();
        for pair in self.ways.iter().flat_map(|way| way.windows(2)) {
            before[pair[1]].push(pair[0]);
            behind[pair[0]].push(pair[1]);
        }
        let mut at = vec![0.0; self.places.len()];
        self.columns.iter().for_each(|column| number(column, &mut at));
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            let neighbours = if forth { &before } else { &behind };
            let count = self.columns.len();
            for step in 0..count {
                let column = &mut self.columns[if forth { step } else { count - 1 - step }];
                let mean = |place: usize| {
                    let near = &neighbours[place];
                    let sum: f64 = near.iter().map(|&near| at[near]).sum();
                    if near.is_empty() { at[place] } else { sum / near.len() as f64 }
                };
                column.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
                number(column, &mut at);
            }
        }
    }
}

/// Places of a column count from its middle, so that columns of different heights compare.
fn number(column: &[usize], at: &mut [f64]) {
    for (index, &place) in column.iter().enumerate() {
        at[place] = index as f64 - (column.len() - 1) as f64 / 2.0;
    }
}

/// For each node the number of edges on the longest way to it. Tasks have no cycle, but targets may,
/// where tasks of two of them wait for each other in turn: then an edge of it leads backward.
fn layers(picture: &Picture) -> Vec<usize> {
    let count = picture.nodes.len();
    let mut layer = vec![0; count];
    let mut missing = vec![0_usize; count];
    let mut behind = vec![Vec::new(); count];
    for edge in &picture.edges {
        missing[edge.to] += 1;
        behind[edge.from].push(edge.to);
    }
    let mut ready: Vec<usize> = (0..count).filter(|&node| missing[node] == 0).collect();
    let mut placed = vec![false; count];
    loop {
        while let Some(node) = ready.pop() {
            placed[node] = true;
            for &next in behind[node].iter().filter(|&&next| !placed[next]) {
                layer[next] = layer[next].max(layer[node] + 1);
                missing[next] -= 1;
                if missing[next] == 0 {
                    ready.push(next);
                }
            }
        }
        match placed.iter().position(|placed| !placed) {
            Some(node) => ready.push(node),
            None => return layer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Edge, Node};
    use super::*;
    use crate::graph::Kind;

    fn picture(count: usize, edges: &[(usize, usize)]) -> Picture {
        let node = |at: usize| Node {
            name: at.to_string(),
            doc: None,
            private: false,
            kind: Kind::Recorded,
            tasks: 1,
        };
        let edge = |&(from, to): &(usize, usize)| Edge { from, to, order_only: false };
        Picture {
            nodes: (0..count).map(node).collect(),
            edges: edges.iter().map(edge).collect(),
            last: Vec::new(),
        }
    }

    #[test]
    fn a_long_edge_bends_in_each_layer() {
        let layers = Layers::of(&picture(3, &[(0, 1), (1, 2), (0, 2)]));
        assert_eq!(layers.columns, [vec![0], vec![1, 3], vec![2]]);
        assert_eq!(layers.ways, [vec![0, 1], vec![1, 2], vec![0, 3, 2]]);
        assert_eq!(layers.places, [Some(0), Some(1), Some(2), None]);
    }

    #[test]
    fn crossings_are_undone() {
        let layers = Layers::of(&picture(4, &[(0, 3), (1, 2)]));
        assert_eq!(layers.columns, [[0, 1], [3, 2]]);
    }

    #[test]
    fn a_cycle_of_targets_has_a_place_for_each() {
        let layers = Layers::of(&picture(3, &[(0, 1), (1, 2), (2, 1), (2, 2)]));
        assert_eq!(layers.columns.concat().len(), 3);
    }
}
