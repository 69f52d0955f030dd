//! The graph as a picture that every browser shows, without a program that draws.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::layers::Layers;
use super::{Node, Picture};
use crate::graph::Kind;

/// A character of the font, in pixels: wide enough for any.
const CHARACTER: f64 = 8.0;
const HEIGHT: f64 = 40.0;
/// Between two places of a column, and around the picture.
const GAP: f64 = 14.0;
/// Between two columns, for the arrows.
const AISLE: f64 = 56.0;

const STYLE: &str = "\
:root { color-scheme: light dark; }
text { font: 13px ui-monospace, monospace; text-anchor: middle; fill: #222; }
.small { font-size: 11px; fill: #777; }
rect { fill: #f6f8fa; stroke: #555; }
path { fill: none; stroke: #888; }
marker path { fill: #888; stroke: none; }
.group, .order { stroke-dasharray: 5 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd; } .small { fill: #999; } rect { fill: #22272e; stroke: #aaa; }
}";

/// Where a place is: its left and right end, and its middle from above.
#[derive(Clone, Copy, Default)]
struct Spot {
    left: f64,
    right: f64,
    middle: f64,
}

pub(super) fn svg(picture: &Picture) -> String {
    let layers = Layers::of(picture);
    let (spots, width, height) = spots(picture, &layers);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\">\n<style>\n{STYLE}\n</style>\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" \
         refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\"/>\
         </marker></defs>\n"
    );
    for (edge, way) in picture.edges.iter().zip(&layers.ways) {
        let class = if edge.order_only { " class=\"order\"" } else { "" };
        let _ =
            writeln!(text, "<path{class} d=\"{}\" marker-end=\"url(#tip)\"/>", line(way, &spots));
    }
    for (node, spot) in picture.nodes.iter().zip(&spots) {
        text += &drawn(node, *spot);
    }
    text + "</svg>\n"
}

/// A box for each node, below each other in their layer, the layers side by side.
fn spots(picture: &Picture, layers: &Layers) -> (Vec<Spot>, f64, f64) {
    let mut spots = vec![Spot::default(); layers.places.len()];
    let highest = layers.columns.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let height = highest * (HEIGHT + GAP) + GAP;
    let mut left = GAP;
    for column in &layers.columns {
        let width =
            |place: usize| layers.places[place].map_or(0.0, |node| width(&picture.nodes[node]));
        let widest = column.iter().map(|&place| width(place)).fold(0.0, f64::max);
        let top = (height - column.len() as f64 * (HEIGHT + GAP)) / 2.0;
        for (at, &place) in column.iter().enumerate() {
            let wide = if layers.places[place].is_some() { widest } else { 0.0 };
            let from = left + (widest - wide) / 2.0;
            let middle = top + (at as f64 + 0.5) * (HEIGHT + GAP);
            spots[place] = Spot { left: from, right: from + wide, middle };
        }
        left += widest + AISLE;
    }
    let width = (left - AISLE).max(0.0) + GAP;
    (spots, width, height)
}

fn width(node: &Node) -> f64 {
    let (name, tasks) = node.label();
    let most = name.width().max(tasks.map_or(0, |tasks| tasks.width()));
    (most as f64 * CHARACTER + 20.0).max(48.0)
}

/// A curve along a way, level at each place.
fn line(way: &[usize], spots: &[Spot]) -> String {
    let mut text = String::new();
    for pair in way.windows(2) {
        let (from, to) = (spots[pair[0]], spots[pair[1]]);
        if text.is_empty() {
            let _ = write!(text, "M{:.1} {:.1}", from.right, from.middle);
        }
        let half = (from.right + to.left) / 2.0;
        let _ = write!(
            text,
            "C{half:.1} {:.1} {half:.1} {:.1} {:.1} {:.1}",
            from.middle, to.middle, to.left, to.middle
        );
    }
    text
}

fn drawn(node: &Node, spot: Spot) -> String {
    let (name, tasks) = node.label();
    let class = if node.kind == Kind::Group { " class=\"group\"" } else { "" };
    let round = if node.kind == Kind::Recorded { 3 } else { 14 };
    let (x, top, wide) = (spot.left, spot.middle - HEIGHT / 2.0, spot.right - spot.left);
    let (half, base) = (spot.left + wide / 2.0, if tasks.is_some() { -2.0 } else { 4.0 });
    let mut text = format!(
        "<g>{}<rect{class} x=\"{x:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{HEIGHT}\" \
         rx=\"{round}\"/><text x=\"{half:.1}\" y=\"{:.1}\">{}</text>",
        node.doc
            .as_deref()
            .map_or_else(String::new, |doc| format!("<title>{}</title>", escaped(doc))),
        spot.middle + base,
        escaped(name)
    );
    if let Some(tasks) = tasks {
        let base = spot.middle + 13.0;
        let _ =
            write!(text, "<text class=\"small\" x=\"{half:.1}\" y=\"{base:.1}\">{tasks}</text>");
    }
    text + "</g>\n"
}

/// As XML has it. Characters that XML cannot have are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}
