//! `taskr-bench goals RESULT.json…`: what was measured, held against the goals.
//!
//! Reads what `compare`, `monorepo` and `restore` write with `--json`. A ratio is of figures of one
//! file: those of two were not taken by turns.

use std::fmt::Write;

use serde_json::Value;

/// What was measured of one tool in one scenario.
#[derive(Clone, Debug, PartialEq)]
struct Figure {
    shape: String,
    size: u64,
    build: String,
    tool: String,
    ms: f64,
    cpu_ms: f64,
    peak_kib: f64,
    steps: Option<f64>,
}

/// All of one file.
struct Figures(Vec<Figure>);

/// What is aimed at.
struct Goal {
    what: &'static str,
    /// What the number is.
    of: &'static str,
    /// More is a defect.
    must: f64,
    /// Where we are going.
    aim: Option<f64>,
    measure: fn(&Figures) -> Option<f64>,
}

const fn goal(
    what: &'static str,
    of: &'static str,
    must: f64,
    aim: Option<f64>,
    measure: fn(&Figures) -> Option<f64>,
) -> Goal {
    Goal { what, of, must, aim, measure }
}

const TASKR: &str = "taskr";

/// The sizes that goals are set for.
const MANY: u64 = 10_000;
const MOST: u64 = 100_000;

const NO_OP: [Goal; 6] = [
    goal("no-op, 100 tasks", "÷ ninja", 0.7, Some(0.55), |f| f.to("w1", 100, "no-op", "ninja")),
    goal("no-op, 1,000", "÷ ninja", 0.6, Some(0.4), |f| f.to("w1", 1_000, "no-op", "ninja")),
    goal("no-op, 10,000", "÷ ninja", 0.5, Some(0.3), |f| f.to("w1", MANY, "no-op", "ninja")),
    goal("no-op, 10,000", "CPU ÷ ninja", 0.75, None, |f| {
        f.both("w1", MANY, "no-op", "ninja").map(|(own, other)| own.cpu_ms / other.cpu_ms)
    }),
    goal("no-op, 10,000", "memory ÷ ninja", 1.0, None, |f| {
        f.both("w1", MANY, "no-op", "ninja").map(|(own, other)| own.peak_kib / other.peak_kib)
    }),
    goal("all mtimes new, 10,000", "÷ (no-op + bare hash)", 1.3, Some(1.1), |f| {
        let own = f.find("w1", MANY, "touch-all", TASKR)?.ms;
        let hash = f.find("w1", MANY, "touch-all", "bare hash")?.ms;
        Some(own / (f.find("w1", MANY, "no-op", TASKR)?.ms + hash))
    }),
];

const START: [Goal; 4] = [
    goal("--version", "÷ empty program", 1.5, Some(1.2), |f| {
        f.to("start", 0, "version", "empty program")
    }),
    goal("--help", "÷ empty program", 1.5, Some(1.2), |f| {
        let empty = f.find("start", 0, "version", "empty program")?;
        Some(f.find("start", 0, "help", TASKR)?.ms / empty.ms)
    }),
    goal("list, 1,000 targets", "ms", 10.0, None, |f| {
        f.find("start", 1_000, "list", TASKR).map(|own| own.ms)
    }),
    goal("completion, 1,000 targets", "ms", 10.0, None, |f| {
        f.find("start", 1_000, "complete", TASKR).map(|own| own.ms)
    }),
];

const BUILDS: [Goal; 10] = [
    goal("one edit, 10,000", "÷ ninja", 0.65, Some(0.45), |f| {
        f.to("w1", MANY, "edit-one", "ninja")
    }),
    goal("one output deleted, 10,000", "÷ ninja", 0.5, Some(0.4), |f| {
        f.to("w1", MANY, "delete-one", "ninja")
    }),
    goal("one output deleted, 10,000", "actions", 1.0, None, |f| {
        f.find("w1", MANY, "delete-one", TASKR)?.steps
    }),
    goal("cold, 10,000, plain words", "÷ bare spawn", 1.15, Some(1.05), |f| {
        f.to("w1", MANY, "cold", "bare spawn")
    }),
    goal("cold, 10,000, plain words", "÷ make", 1.08, Some(1.0), |f| {
        f.to("w1", MANY, "cold", "make")
    }),
    goal("cold, 10,000, plain words", "÷ ninja", 0.5, Some(0.43), |f| {
        f.to("w1", MANY, "cold", "ninja")
    }),
    goal("own cost of a started task", "µs of CPU", 60.0, Some(30.0), |f| {
        let (own, bare) = f.both("w1", MANY, "cold", "bare spawn")?;
        Some((own.cpu_ms - bare.cpu_ms) * 1_000.0 / MANY as f64)
    }),
    goal("cold, 10,000, with a shell", "÷ ninja", 1.05, Some(1.0), |f| {
        f.to("wide", MANY, "cold", "ninja")
    }),
    goal("chain of 1,000, cold", "÷ make", 1.08, Some(1.0), |f| {
        f.to("chain", 1_000, "cold", "make")
    }),
    goal("1 GiB in 200 inputs, all mtimes new", "÷ bare hash", 1.25, Some(1.1), |f| {
        f.to("big", 201, "touch-all", "bare hash")
    }),
];

const STORE: [Goal; 6] = [
    goal("monorepo, no-op", "÷ ninja", 0.8, Some(0.5), |f| f.to("monorepo", 0, "no-op", "ninja")),
    goal("monorepo, no-op", "÷ Turborepo", 0.18, Some(0.1), |f| {
        f.to("monorepo", 0, "no-op", "Turborepo")
    }),
    goal("monorepo, all mtimes new", "÷ Turborepo", 0.35, Some(0.25), |f| {
        f.to("monorepo", 0, "touch-all", "Turborepo")
    }),
    goal("monorepo, fresh clone, full store", "÷ Turborepo", 0.4, Some(0.25), |f| {
        f.to("monorepo", 0, "fresh clone", "Turborepo")
    }),
    goal("monorepo, outputs deleted", "÷ Turborepo", 0.25, Some(0.1), |f| {
        f.to("monorepo", 0, "outputs deleted", "Turborepo")
    }),
    goal("restore of 1,000 × 100 KiB", "÷ by hand", 1.3, Some(1.1), |f| {
        let hand = f.find("restore", 1, "one task", "by hand")?;
        Some(f.find("restore", 1, "one task", "restored")?.ms / hand.ms)
    }),
];

/// Growth from the one to the other size. `linear` is taken for a quarter more at the most.
const GROWTH: [Goal; 2] = [
    goal("no-op, 100,000", "time per task ÷ that at 10,000", 1.25, None, |f| {
        let many = f.find("w1", MANY, "no-op", TASKR)?.ms / MANY as f64;
        Some(f.find("w1", MOST, "no-op", TASKR)?.ms / MOST as f64 / many)
    }),
    goal("no-op, 100,000", "KiB for each task more", 1.0, None, |f| {
        let many = f.find("w1", MANY, "no-op", TASKR)?.peak_kib;
        Some((f.find("w1", MOST, "no-op", TASKR)?.peak_kib - many) / (MOST - MANY) as f64)
    }),
];

/// Reads, holds against each other, prints.
///
/// # Errors
/// No file, or one that cannot be read.
pub(crate) fn goals(args: &[String]) -> Result<(), String> {
    if args.is_empty() {
        return Err("taskr-bench goals RESULT.json…".to_owned());
    }
    let read = |path: &String| {
        let failed = |error: &dyn std::fmt::Display| format!("{path}: {error}");
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let figures = Figures::of(&value);
        figures.ok_or_else(|| failed(&"these are no figures of compare, monorepo or restore"))
    };
    let files: Result<Vec<Figures>, String> = args.iter().map(read).collect();
    print!("{}", table(&files?));
    Ok(())
}

/// All goals; of several files the last counts that holds all of a goal.
fn table(files: &[Figures]) -> String {
    let mut text = "| what | figure | must | aim | measured | |\n\
                    | --- | --- | --: | --: | --: | --- |\n"
        .to_owned();
    for goal in START.iter().chain(&NO_OP).chain(&BUILDS).chain(&STORE).chain(&GROWTH) {
        let measured = files.iter().rev().find_map(goal.measure);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            goal.what,
            goal.of,
            goal.must,
            goal.aim.map_or("–".to_owned(), |aim| aim.to_string()),
            measured.map_or("–".to_owned(), |measured| format!("{measured:.2}")),
            verdict(goal, measured),
        );
    }
    text
}

fn verdict(goal: &Goal, measured: Option<f64>) -> &'static str {
    match (measured, goal.aim) {
        (None, _) => "not measured",
        (Some(measured), _) if measured > goal.must => "**missed**",
        (Some(measured), Some(aim)) if measured <= aim => "met, the aim too",
        _ => "met",
    }
}

impl Figures {
    /// Those of a file, whichever verb wrote it.
    fn of(value: &Value) -> Option<Figures> {
        if let Some(cases) = value["cases"].as_array() {
            let of_case = |case: &Value| {
                let (name, size) = (case["case"].as_str()?, case["tasks"].as_u64()?);
                let rows = case["rows"].as_array()?.iter();
                let figure = |row| Figure::of(row, ("restore", size), name, row["what"].as_str()?);
                rows.map(figure).collect::<Option<Vec<Figure>>>()
            };
            let all: Option<Vec<Vec<Figure>>> = cases.iter().map(of_case).collect();
            return Some(Figures(all?.concat()));
        }
        let figure = |row: &Value| {
            let tool = row["tool"].as_str()?;
            match row["what"].as_str() {
                Some(what) => Figure::of(row, ("monorepo", 0), what, tool),
                None => {
                    let (shape, size) = (row["shape"].as_str()?, row["tasks"].as_u64()?);
                    Figure::of(row, (shape, size), row["build"].as_str()?, tool)
                }
            }
        };
        value["rows"].as_array()?.iter().map(figure).collect::<Option<_>>().map(Figures)
    }

    fn find(&self, shape: &str, size: u64, build: &str, tool: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| {
            (&*figure.shape, figure.size, &*figure.build, &*figure.tool)
                == (shape, size, build, tool)
        })
    }

    /// taskr's and another's.
    fn both(&self, shape: &str, size: u64, build: &str, tool: &str) -> Option<(&Figure, &Figure)> {
        self.find(shape, size, build, TASKR).zip(self.find(shape, size, build, tool))
    }

    /// taskr's time by another's.
    fn to(&self, shape: &str, size: u64, build: &str, tool: &str) -> Option<f64> {
        self.both(shape, size, build, tool).map(|(own, other)| own.ms / other.ms)
    }
}

impl Figure {
    fn of(row: &Value, (shape, size): (&str, u64), build: &str, tool: &str) -> Option<Figure> {
        Some(Figure {
            shape: shape.to_owned(),
            size,
            build: build.to_owned(),
            tool: tool.to_owned(),
            ms: row["median_ms"].as_f64()?,
            cpu_ms: row["cpu_ms"].as_f64()?,
            peak_kib: row["peak_kib"].as_f64()?,
            steps: row["steps"].as_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(of: &Value, ms: f64) -> Value {
        let mut row = json!({ "median_ms": ms, "cpu_ms": ms * 2.0, "peak_kib": 1000 });
        for (name, value) in of.as_object().expect("an object") {
            row[name] = value.clone();
        }
        row
    }

    fn build(shape: &str, tasks: u64, build: &str, tool: &str, ms: f64) -> Value {
        row(&json!({ "shape": shape, "tasks": tasks, "build": build, "tool": tool }), ms)
    }

    fn line(files: &[Value], begin: &str) -> String {
        let files: Vec<Figures> =
            files.iter().map(|file| Figures::of(file).expect("figures")).collect();
        let text = table(&files);
        let line = text.lines().find(|line| line.starts_with(begin));
        line.unwrap_or_else(|| panic!("{begin}: {text}")).to_owned()
    }

    #[test]
    fn goals_are_met_or_missed_or_not_measured() {
        for (ms, expected) in [
            (2.0, "0.20 | met, the aim too |"),
            (4.0, "0.40 | met |"),
            (6.0, "0.60 | **missed** |"),
        ] {
            let rows = [
                build("w1", 10_000, "no-op", "taskr", ms),
                build("w1", 10_000, "no-op", "ninja", 10.0),
            ];
            let file = json!({ "rows": rows });
            let line = line(&[file], "| no-op, 10,000 | ÷ ninja | 0.5 | 0.3 | ");
            assert!(line.ends_with(expected), "{line}");
        }
        let none = json!({ "rows": [] });
        let expected = "| chain of 1,000, cold | ÷ make | 1.08 | 1 | – | not measured |";
        assert_eq!(line(&[none], "| chain"), expected);
    }

    #[test]
    fn ratios_are_not_of_two_files() {
        let own = json!({ "rows": [build("w1", 100, "no-op", "taskr", 1.0)] });
        let other = json!({ "rows": [build("w1", 100, "no-op", "ninja", 2.0)] });
        assert!(line(&[own, other], "| no-op, 100 ").ends_with("not measured |"));
    }

    #[test]
    fn sums_and_differences_are_right() {
        let rows = [
            build("w1", 10_000, "no-op", "taskr", 10.0),
            build("w1", 10_000, "touch-all", "taskr", 36.0),
            build("w1", 10_000, "touch-all", "bare hash", 20.0),
            build("w1", 10_000, "cold", "taskr", 2_000.0),
            build("w1", 10_000, "cold", "bare spawn", 1_800.0),
            build("w1", 100_000, "no-op", "taskr", 120.0),
        ];
        let file = json!({ "rows": rows });
        for (begin, expected) in [
            ("| all mtimes new, 10,000 ", "| 1.20 | met |"),
            ("| own cost of a started task ", "| 40.00 | met |"),
            ("| no-op, 100,000 | time", "| 1.20 | met |"),
            ("| no-op, 100,000 | KiB", "| 0.00 | met |"),
        ] {
            let line = line(std::slice::from_ref(&file), begin);
            assert!(line.ends_with(expected), "{line}");
        }
    }

    #[test]
    fn all_kinds_of_files_are_read() {
        let monorepo = json!({ "rows": [
            row(&json!({ "what": "fresh clone", "tool": "taskr" }), 30.0),
            row(&json!({ "what": "fresh clone", "tool": "Turborepo" }), 100.0),
        ]});
        let rows =
            [row(&json!({ "what": "restored" }), 120.0), row(&json!({ "what": "by hand" }), 100.0)];
        let restore = json!({ "cases": [{ "case": "one task", "tasks": 1, "rows": rows }] });
        let files = [monorepo, restore];
        assert!(line(&files, "| monorepo, fresh").ends_with("| 0.4 | 0.25 | 0.30 | met |"));
        assert!(line(&files, "| restore").ends_with("| 1.3 | 1.1 | 1.20 | met |"));
        assert!(Figures::of(&json!({ "tools": [] })).is_none());
        assert!(goals(&[]).is_err());
        assert!(goals(&["/no/such.json".to_owned()]).is_err());
    }
}
