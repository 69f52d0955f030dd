//! `taskr-bench load`: how long a Taskfile takes from its bytes to a graph, stage by stage, and how
//! that grows with the number of targets.
//!
//! taskr is asked, without building anything, for one target that needs no other. The stages are
//! those that it writes into its own trace; what is judged and planned of one task is next to
//! nothing.

mod shape;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::facts::facts;
use crate::measure::{Sample, median, run};
use crate::words::Words;
use shape::{ONE, SHAPES, Shape};

/// The stages, in order. A workspace without packages spends nothing on the second.
const STAGES: [&str; 4] = ["parse", "packages", "expand", "link"];

/// Sizes if none are named.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// What one shape of one size took: medians, in milliseconds.
#[derive(Debug)]
struct Loaded {
    shape: &'static str,
    targets: usize,
    stages_ms: [f64; STAGES.len()],
    /// Of the whole process, from its start to its end.
    cpu_ms: f64,
    wall_ms: f64,
    peak_kib: u64,
}

impl Loaded {
    fn total_ms(&self) -> f64 {
        self.stages_ms.iter().sum()
    }

    /// Microseconds of CPU for each target, its part of the process's start and end included: what
    /// else the machine does disturbs that least.
    fn each_us(&self) -> f64 {
        self.cpu_ms * 1_000.0 / usize_to_f64(self.targets)
    }
}

/// Measures, prints, writes.
///
/// # Errors
/// A wrong word, a Taskfile that taskr refuses.
pub(crate) fn load(args: &[String]) -> Result<(), String> {
    let (sizes, rest) = sizes(args)?;
    let words = Words::parse(&rest)?;
    let taskr = words.taskr()?;
    let mut all: Vec<Loaded> = Vec::new();
    let mut machine = Value::Null;
    print!("{}", head());
    for shape in SHAPES {
        let mut smaller: Option<f64> = None;
        for &targets in &sizes {
            let (folder, dir) = words.folder()?;
            machine = facts(&dir).json();
            shape.write(targets, &dir).map_err(|error| format!("{}: {error}", dir.display()))?;
            let loaded = measure(&shape, targets, (&dir, &taskr, words.runs))?;
            drop(folder);
            print!("{}", row(&loaded, smaller));
            smaller = Some(loaded.each_us());
            all.push(loaded);
        }
    }
    let all: Vec<Value> = all.iter().map(as_json).collect();
    words.keep(&json!({ "facts": machine, "runs": words.runs, "loads": all }))
}

/// Takes `--sizes A,B` from the words.
fn sizes(args: &[String]) -> Result<(Vec<usize>, Vec<String>), String> {
    let Some(at) = args.iter().position(|word| word == "--sizes") else {
        return Ok((SIZES.to_vec(), args.to_vec()));
    };
    let list = args.get(at + 1).ok_or("--sizes takes numbers with commas between")?;
    let number = |word: &str| word.parse().ok().filter(|size| (10..=1_000_000).contains(size));
    let sizes: Option<Vec<usize>> = list.split(',').map(number).collect();
    let sizes = sizes.ok_or("--sizes takes numbers from 10 to 1000000, with commas between")?;
    let rest = args[..at].iter().chain(&args[at + 2..]).cloned().collect();
    Ok((sizes, rest))
}

/// One run that does not count, then so many that do.
fn measure(
    shape: &Shape,
    targets: usize,
    (dir, taskr, runs): (&Path, &Path, usize),
) -> Result<Loaded, String> {
    let trace = dir.join("trace.json");
    let mut stages: [Vec<f64>; STAGES.len()] = Default::default();
    let mut samples: Vec<Sample> = Vec::new();
    for round in 0..=runs {
        let mut command = Command::new(taskr);
        command.current_dir(dir).env("TASKR_CACHE", "off").args(["-q", "-n", ONE, "--trace"]);
        let sample = run(command.arg(&trace))?;
        let taken = stages_of(&fs::read(&trace).map_err(|error| error.to_string())?)?;
        fs::remove_file(&trace).map_err(|error| error.to_string())?;
        if round > 0 {
            samples.push(sample);
            stages.iter_mut().zip(taken).for_each(|(all, one)| all.push(one));
        }
    }
    let walls: Vec<f64> = samples.iter().map(|sample| sample.wall_ms).collect();
    let cpus: Vec<f64> = samples.iter().map(|sample| sample.cpu_ms).collect();
    Ok(Loaded {
        shape: shape.name,
        targets,
        stages_ms: stages.map(|times| median(&times).unwrap_or_default()),
        cpu_ms: median(&cpus).unwrap_or_default(),
        wall_ms: median(&walls).unwrap_or_default(),
        peak_kib: samples.iter().map(|sample| sample.peak_kib).max().unwrap_or_default(),
    })
}

/// How long each stage took by a trace, in milliseconds; the sum of a stage that came several times.
fn stages_of(trace: &[u8]) -> Result<[f64; STAGES.len()], String> {
    let events: Value = serde_json::from_slice(trace).map_err(|error| format!("trace: {error}"))?;
    let events = events.as_array().ok_or("the trace is no list")?;
    let taken = |stage: &str| -> f64 {
        let own = events.iter().filter(|event| event["name"] == stage && event["cat"] == "taskr");
        own.filter_map(|event| event["dur"].as_f64()).sum::<f64>() / 1_000.0
    };
    if events.iter().all(|event| event["name"] != "link") {
        return Err("the trace has no stage `link`".to_owned());
    }
    Ok(STAGES.map(taken))
}

fn head() -> String {
    let stages = STAGES.map(|stage| format!("{stage} | ")).concat();
    let lines = "--: | ".repeat(STAGES.len());
    format!(
        "| shape | targets | {stages}sum ms | CPU ms | µs each | growth | MiB |\n\
         | --- | --: | {lines}--: | --: | --: | --: | --: |\n"
    )
}

/// `smaller` is what a target took in the size before.
fn row(loaded: &Loaded, smaller: Option<f64>) -> String {
    let mut text = format!("| {} | {} |", loaded.shape, loaded.targets);
    for ms in loaded.stages_ms {
        let _ = write!(text, " {ms:.1} |");
    }
    let growth = smaller.map_or(String::new(), |each| format!("{:.2}", loaded.each_us() / each));
    let (total, each) = (loaded.total_ms(), loaded.each_us());
    let (cpu, peak) = (loaded.cpu_ms, loaded.peak_kib / 1024);
    let _ = writeln!(text, " {total:.1} | {cpu:.1} | {each:.1} | {growth} | {peak} |");
    text
}

fn as_json(loaded: &Loaded) -> Value {
    let stages = STAGES.iter().zip(loaded.stages_ms);
    let stages: serde_json::Map<String, Value> =
        stages.map(|(stage, ms)| ((*stage).to_owned(), json!(ms))).collect();
    json!({
        "shape": loaded.shape,
        "targets": loaded.targets,
        "stages_ms": stages,
        "sum_ms": loaded.total_ms(),
        "each_us": loaded.each_us(),
        "cpu_ms": loaded.cpu_ms,
        "wall_ms": loaded.wall_ms,
        "peak_kib": loaded.peak_kib,
    })
}

/// Sizes are far below the numbers that a double cannot hold.
#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn usize_to_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_taken_from_the_words() {
        let parse = |words: &str| {
            let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            sizes(&args)
        };
        let (sizes, rest) = parse("--runs 3 --sizes 10,200 --jobs 1").expect("right");
        assert_eq!((sizes, rest.join(" ")), (vec![10, 200], "--runs 3 --jobs 1".to_owned()));
        assert_eq!(parse("").expect("right").0, SIZES);
        for wrong in ["--sizes", "--sizes 1", "--sizes 10,x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn stages_are_summed_up() {
        let trace = r#"[{"name":"x","ph":"M"},
            {"name":"parse","cat":"taskr","ph":"X","ts":0,"dur":1500},
            {"name":"link","cat":"taskr","ph":"X","ts":0,"dur":250},
            {"name":"link","cat":"taskr","ph":"X","ts":0,"dur":250},
            {"name":"link","cat":"task","ph":"X","ts":0,"dur":9}]"#;
        assert_eq!(stages_of(trace.as_bytes()), Ok([1.5, 0.0, 0.0, 0.5]));
        assert!(stages_of(b"[]").is_err());
    }
}
