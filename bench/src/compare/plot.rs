//! Time against size as pictures (SVG): one for each shape that was built in several sizes, with a
//! field for each scenario. Both axes are logarithmic, so that what grows with its size is a
//! straight line, and equal distances are equal ratios.
//!
//! Colours are of a middling lightness, and text follows the reader's scheme, light or dark.

use std::fmt::Write;

use super::Row;
use super::tool::{LIMITS, SORTS};
use super::what::WHATS;

/// Of a field, in pixels: the part that lines are drawn in, and what is around it.
const WIDTH: f64 = 250.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 34.0;
const FIELD_WIDTH: f64 = LEFT + WIDTH + 30.0;
const FIELD_HEIGHT: f64 = TOP + HEIGHT + 46.0;
const COLUMNS: usize = 3;

/// Of the lines that name the tools.
const LEGEND_HEIGHT: f64 = 56.0;
const LEGEND_COLUMNS: usize = 7;

const STYLE: &str = "<style>
text { font: 12px system-ui, sans-serif; fill: #222 }
.name { font-weight: 600 }
.grid { stroke: #e2e2e2 } .axis { stroke: #888; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #3c3c3c } }
</style>
";

const COLOURS: [&str; SORTS.len()] = [
    "#e0592a", "#3b8fd1", "#2fa36b", "#a379d6", "#1fa5b8", "#a8941e", "#cf5f97", "#7f8c99",
    "#a9764b",
];

const DASHES: [&str; LIMITS.len()] = ["6 3", "2 3", "8 3 2 3", "4 5"];

/// From one power of ten to another.
struct Axis {
    low: i32,
    high: i32,
    pixels: f64,
}

impl Axis {
    /// The shortest that holds all values; they are more than nothing.
    fn of(values: impl Iterator<Item = f64> + Clone, pixels: f64) -> Axis {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::MIN_POSITIVE, f64::max);
        let (low, high) = (least.log10().floor() as i32, most.log10().ceil() as i32);
        Axis { low, high: high.max(low + 1), pixels }
    }

    /// Where a value lies, from the axis' beginning.
    fn at(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        part * self.pixels
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| 10_f64.powi(power))
    }
}

/// Shape and picture of each that has several sizes.
pub(super) fn plots(rows: &[Row]) -> Vec<(&'static str, String)> {
    let mut shapes: Vec<&'static str> = rows.iter().map(|row| row.shape).collect();
    shapes.dedup();
    let plot = |shape: &'static str| {
        let rows: Vec<&Row> =
            rows.iter().filter(|row| row.shape == shape && row.size > 0).collect();
        let first = rows.first()?.size;
        rows.iter().any(|row| row.size != first).then(|| (shape, picture(shape, &rows)))
    };
    shapes.into_iter().filter_map(plot).collect()
}

fn picture(shape: &str, rows: &[&Row]) -> String {
    let builds = WHATS.map(|(name, _)| name).into_iter();
    let builds = builds.filter(|build| rows.iter().any(|row| row.build == *build));
    let builds: Vec<&str> = builds.collect();
    let columns = COLUMNS.min(builds.len());
    let width = FIELD_WIDTH * columns as f64;
    let width = width.max(FIELD_WIDTH * 2.0);
    let height = LEGEND_HEIGHT + FIELD_HEIGHT * builds.len().div_ceil(columns) as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"{shape}: time against the number of tasks\">\n{STYLE}"
    );
    text += &legend(rows, width);
    let x = Axis::of(rows.iter().map(|row| row.size as f64), WIDTH);
    for (number, build) in builds.iter().enumerate() {
        let (column, line) = (number % columns, number / columns);
        let (left, top) = (FIELD_WIDTH * column as f64, FIELD_HEIGHT * line as f64);
        let some: Vec<&Row> = rows.iter().filter(|row| row.build == *build).copied().collect();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "<g transform=\"translate({} {})\">\n<text class=\"name\" y=\"-10\">{build}</text>\n{}</g>\n",
            left + LEFT,
            top + TOP + LEGEND_HEIGHT,
            field(&x, &some)
        );
    }
    text + "</svg>\n"
}

/// How the line of a tool looks.
fn stroke(tool: &str) -> String {
    let limit = LIMITS.iter().position(|(name, _)| *name == tool);
    if let Some(dashes) = limit.map(|number| DASHES[number]) {
        return format!("stroke=\"#8a8a8a\" stroke-width=\"1.5\" stroke-dasharray=\"{dashes}\"");
    }
    let number = SORTS.iter().position(|(name, _)| *name == tool).unwrap_or_default();
    let width = if number == 0 { 3.0 } else { 1.5 };
    format!("stroke=\"{}\" stroke-width=\"{width}\"", COLOURS[number])
}

fn tools<'a>(rows: &[&'a Row]) -> Vec<&'a str> {
    let all = SORTS.iter().chain(&LIMITS).map(|(name, _)| *name);
    all.filter(|name| rows.iter().any(|row| row.tool == *name)).collect()
}

fn legend(rows: &[&Row], width: f64) -> String {
    let mut text = String::new();
    let step = width / LEGEND_COLUMNS as f64;
    for (number, tool) in tools(rows).into_iter().enumerate() {
        let left = step * (number % LEGEND_COLUMNS) as f64 + 10.0;
        let y = 20.0 + 22.0 * (number / LEGEND_COLUMNS) as f64;
        let (right, at, base) = (left + 24.0, left + 30.0, y + 4.0);
        let _ = write!(
            text,
            "<line x1=\"{left:.1}\" y1=\"{y}\" x2=\"{right:.1}\" y2=\"{y}\" {}/>\n\
             <text x=\"{at:.1}\" y=\"{base}\">{tool}</text>\n",
            stroke(tool)
        );
    }
    text
}

/// The lines of one scenario, the origin at the upper left.
fn field(x: &Axis, rows: &[&Row]) -> String {
    let y = Axis::of(rows.iter().map(|row| row.summary.median_ms), HEIGHT);
    let mut text = String::new();
    for power in x.powers() {
        let at = x.at(power);
        let _ = write!(
            text,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{HEIGHT}\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            HEIGHT + 16.0,
            thousands(power)
        );
    }
    for power in y.powers() {
        let at = HEIGHT - y.at(power);
        let _ = write!(
            text,
            "<line class=\"grid\" x1=\"0\" y1=\"{at:.1}\" x2=\"{WIDTH}\" y2=\"{at:.1}\"/>\n\
             <text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            at + 4.0,
            time(power)
        );
    }
    let _ = write!(
        text,
        "<rect class=\"axis\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">tasks</text>\n",
        WIDTH / 2.0,
        HEIGHT + 32.0
    );
    // taskr is drawn last, above the others.
    for tool in tools(rows).into_iter().rev() {
        text += &curve(x, &y, tool, rows);
    }
    text
}

/// The line of one tool, with a dot for each size.
fn curve(x: &Axis, y: &Axis, tool: &str, rows: &[&Row]) -> String {
    let mut points: Vec<(usize, f64)> = rows
        .iter()
        .filter(|row| row.tool == tool)
        .map(|row| (row.size, row.summary.median_ms))
        .collect();
    points.sort_by_key(|(size, _)| *size);
    let place = |(size, ms): &(usize, f64)| (x.at(*size as f64), HEIGHT - y.at(*ms));
    let places: Vec<(f64, f64)> = points.iter().map(place).collect();
    let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let stroke = stroke(tool);
    let mut text = format!("<polyline points=\"{}\" fill=\"none\" {stroke}/>\n", line.join(" "));
    let (_, colour) = stroke.split_once('"').unwrap_or_default();
    let colour = colour.split('"').next().unwrap_or_default();
    for (x, y) in places {
        let _ = writeln!(text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
    }
    text
}

fn time(ms: f64) -> String {
    if ms >= 1_000.0 { format!("{} s", thousands(ms / 1_000.0)) } else { format!("{ms} ms") }
}

/// A power of ten with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::table::tests::row;

    #[test]
    fn axes_are_logarithmic() {
        let axis = Axis::of([20.0, 5_000.0].into_iter(), 300.0);
        assert_eq!((axis.low, axis.high), (1, 4));
        assert_eq!(
            [10.0, 100.0, 10_000.0].map(|value| axis.at(value).round()),
            [0.0, 100.0, 300.0]
        );
        let axis = Axis::of([100.0].into_iter(), 300.0);
        assert_eq!((axis.low, axis.high), (2, 3));
    }

    #[test]
    fn numbers_are_read_easily() {
        assert_eq!([0.1, 10.0, 10_000.0].map(time), ["0.1 ms", "10 ms", "10 s"]);
        assert_eq!([1.0, 1_000.0, 100_000.0].map(thousands), ["1", "1,000", "100,000"]);
    }

    #[test]
    fn a_line_goes_through_its_sizes() {
        let rows = [
            row((1_000, "no-op"), "taskr", 10.0, 1.0),
            row((1_000, "no-op"), "bare stat", 1.0, 1.0),
            row((100, "no-op"), "taskr", 1.0, 1.0),
        ];
        let plots = plots(&rows);
        let [(shape, picture)] = &plots[..] else { panic!("one picture") };
        assert_eq!(*shape, "wide");
        let line = "<polyline points=\"0.0,180.0 250.0,0.0\" fill=\"none\" stroke=\"#e0592a\"";
        assert!(picture.contains(line), "{picture}");
        assert!(picture.contains("stroke-dasharray=\"2 3\"/>\n<circle cx=\"250.0\" cy=\"180.0\""));
        for told in [">no-op<", ">taskr<", ">bare stat<", ">tasks<", ">1,000<", ">10 ms<"] {
            assert!(picture.contains(told), "{told}: {picture}");
        }
        assert!(super::plots(&rows[..2]).is_empty(), "one size is no line");
    }
}
