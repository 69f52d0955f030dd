//! Figures as a table for people and as JSON.

use serde_json::{Value, json};

use super::tool::Tool;
use super::{Row, What};

/// The head of the table.
pub(crate) const HEAD: &str = "\
| shape | tasks | build | tool | median ms | min ms | CPU ms | peak MiB | ÷ ninja | ÷ make | CPU ÷ ninja |
| --- | --: | --- | --- | --: | --: | --: | --: | --: | --: | --: |";

/// The lines of one project. Ratios are of medians.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let Row { shape, size, what, tool, summary } = row;
        let to = |other: &str| ratio(rows, row, other, |row| row.summary.median_ms);
        text += &format!(
            "| {shape} | {size} | {} | {tool} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} | {} |\n",
            what.name(),
            summary.median_ms,
            summary.min_ms,
            summary.cpu_ms,
            summary.peak_kib as f64 / 1024.0,
            to("ninja"),
            to("make"),
            ratio(rows, row, "ninja", |row| row.summary.cpu_ms),
        );
    }
    text
}

/// By what `other` took for the same; a dash if it was not there.
fn ratio(rows: &[Row], row: &Row, other: &str, figure: impl Fn(&Row) -> f64) -> String {
    let other = rows.iter().find(|candidate| candidate.tool == other && candidate.what == row.what);
    match other.map(&figure).filter(|other| *other > 0.0) {
        Some(other) => format!("{:.2}", figure(row) / other),
        None => "–".to_owned(),
    }
}

/// All that was measured, and on what.
pub(crate) fn json(
    facts: &[(&'static str, String)],
    tools: &[Tool],
    jobs: usize,
    rows: &[Row],
) -> Value {
    let facts: serde_json::Map<String, Value> =
        facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.as_str().into())).collect();
    let row = |row: &Row| {
        json!({
            "shape": row.shape, "tasks": row.size, "build": What::name(row.what),
            "tool": row.tool, "runs": row.summary.runs,
            "median_ms": row.summary.median_ms, "min_ms": row.summary.min_ms,
            "cpu_ms": row.summary.cpu_ms, "peak_kib": row.summary.peak_kib,
        })
    };
    json!({
        "machine": facts,
        "tools": tools.iter().map(|tool| tool.version.clone()).collect::<Vec<_>>(),
        "jobs": jobs,
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Summary;

    fn row(what: What, tool: &'static str, median_ms: f64, cpu_ms: f64) -> Row {
        let summary = Summary { runs: 1, median_ms, min_ms: median_ms, cpu_ms, peak_kib: 2048 };
        Row { shape: "wide", size: 10, what, tool, summary }
    }

    #[test]
    fn ratios_are_within_one_build() {
        let rows = [
            row(What::Cold, "ninja", 500.0, 400.0),
            row(What::NoOp, "taskr", 5.0, 4.0),
            row(What::NoOp, "ninja", 10.0, 16.0),
        ];
        let text = text(&rows);
        let expected = "| wide | 10 | no-op | taskr | 5.0 | 5.0 | 4.0 | 2.0 | 0.50 | – | 0.25 |";
        assert_eq!(text.lines().nth(1), Some(expected));
        assert_eq!(text.lines().count(), 3);
        assert_eq!(json(&[], &[], 2, &rows)["rows"][1]["build"], "no-op");
    }
}
