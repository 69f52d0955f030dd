//! Figures as a table for people and as JSON.

use serde_json::{Value, json};

use super::what::WHATS;
use super::{Comparison, Row};

const HEAD: &str = "\
| shape | tasks | build | tool | steps | median ms | min ms | CPU ms | peak MiB | ÷ ninja | ÷ make | ÷ limit | CPU ÷ ninja |
| --- | --: | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |
";

/// What stands above the lines: the machine, the tools, the head of the table.
pub(super) fn head(result: &Comparison) -> String {
    let mut text = String::new();
    for (name, fact) in result.facts.all() {
        text += &format!("* {name}: {fact}\n");
    }
    for version in &result.versions {
        text += &format!("* {version}\n");
    }
    text + &format!("* jobs: {}\n\n{HEAD}", result.jobs)
}

/// What stands below: who is absent, and what was odd.
pub(super) fn tail(result: &Comparison) -> String {
    let notes: String = result.notes.iter().map(|note| format!("* {note}\n")).collect();
    if notes.is_empty() { notes } else { format!("\n{notes}") }
}

/// The lines of the table. Ratios are of medians.
pub(super) fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let Row { shape, size, build, tool, summary, steps } = row;
        let to = |other: &str| ratio(rows, row, other, |row| row.summary.median_ms);
        text += &format!(
            "| {shape} | {size} | {build} | {tool} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} | {} | {} |\n",
            steps.map_or("–".to_owned(), |steps| steps.ran.to_string()),
            summary.median_ms,
            summary.min_ms,
            summary.cpu_ms,
            summary.peak_kib as f64 / 1024.0,
            to("ninja"),
            to("make"),
            to(limit(build)),
            ratio(rows, row, "ninja", |row| row.summary.cpu_ms),
        );
    }
    text
}

/// The limit of a scenario.
fn limit(build: &str) -> &'static str {
    let what = WHATS.iter().find(|(name, _)| *name == build);
    what.map_or("empty program", |(_, what)| what.limit().name())
}

/// By what `other` took for the same; a dash if it was not there.
fn ratio(rows: &[Row], row: &Row, other: &str, figure: impl Fn(&Row) -> f64) -> String {
    let same =
        |other: &&Row| (other.shape, other.size, other.build) == (row.shape, row.size, row.build);
    let other = rows.iter().filter(same).find(|candidate| candidate.tool == other);
    match other.map(&figure).filter(|other| *other > 0.0) {
        Some(other) => format!("{:.2}", figure(row) / other),
        None => "–".to_owned(),
    }
}

/// All that was measured, and on what.
pub(super) fn json(result: &Comparison) -> Value {
    let row = |row: &Row| {
        let mut value = json!({
            "shape": row.shape, "tasks": row.size, "build": row.build,
            "tool": row.tool, "runs": row.summary.runs,
            "median_ms": row.summary.median_ms, "min_ms": row.summary.min_ms,
            "cpu_ms": row.summary.cpu_ms, "peak_kib": row.summary.peak_kib,
        });
        if let Some(steps) = row.steps {
            value["steps"] = steps.ran.into();
            value["fewest_steps"] = steps.fewest.into();
            value["most_steps"] = steps.most.into();
        }
        value
    };
    json!({
        "machine": result.facts.json(),
        "tools": result.versions,
        "jobs": result.jobs,
        "notes": result.notes,
        "rows": result.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::compare::bout::Steps;
    use crate::facts::facts;
    use crate::measure::Summary;

    pub(in crate::compare) fn row(
        (size, build): (usize, &'static str),
        tool: &'static str,
        median_ms: f64,
        cpu_ms: f64,
    ) -> Row {
        let summary = Summary { runs: 1, median_ms, min_ms: median_ms, cpu_ms, peak_kib: 2048 };
        Row { shape: "wide", size, build, tool, summary, steps: None }
    }

    #[test]
    fn ratios_are_within_one_build() {
        let mut rows = vec![
            row((10, "cold"), "ninja", 500.0, 400.0),
            row((10, "no-op"), "taskr", 5.0, 4.0),
            row((10, "no-op"), "ninja", 10.0, 16.0),
            row((10, "no-op"), "bare stat", 2.0, 1.0),
            row((20, "no-op"), "ninja", 99.0, 99.0),
        ];
        rows[1].steps = Some(Steps { ran: 0, fewest: 0, most: 0 });
        let lines = text(&rows);
        let expected =
            "| wide | 10 | no-op | taskr | 0 | 5.0 | 5.0 | 4.0 | 2.0 | 0.50 | – | 2.50 | 0.25 |";
        assert_eq!(lines.lines().nth(1), Some(expected));
        assert_eq!(lines.lines().count(), 5);
        let facts = facts(std::path::Path::new("/"));
        let (versions, notes) = (vec!["ninja 1".to_owned()], vec!["tup: absent".to_owned()]);
        let result = Comparison { facts, jobs: 2, versions, rows, notes };
        let json = json(&result);
        assert_eq!(
            (&json["rows"][1]["build"], &json["rows"][1]["steps"]),
            (&"no-op".into(), &0.into())
        );
        assert!(head(&result).contains("* ninja 1\n* jobs: 2\n\n| shape"));
        assert_eq!(tail(&result), "\n* tup: absent\n");
    }
}
