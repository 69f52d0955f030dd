//! One run of a tool: how long, how much processor, how much memory. And what many runs come to.

use std::process::{Command, Stdio};

use crate::lay::beside;

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// From start to end, in milliseconds.
    pub(crate) wall_ms: f64,
    /// User and system time of the tool and all it waited for, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// The most memory that it, or one of the processes it waited for, had at once, in KiB.
    pub(crate) peak_kib: u64,
}

/// Runs a command to its end. What it says is only told if it fails.
///
/// # Errors
/// It cannot be started, or fails.
pub(crate) fn run(command: &Command) -> Result<Sample, String> {
    let shown = format!("{command:?}");
    let runner = beside("taskr-bench-run").ok_or("taskr-bench-run is not there")?;
    let mut run = Command::new(runner);
    run.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    if let Some(dir) = command.get_current_dir() {
        run.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    let said = run.output().map_err(|error| format!("{shown}: {error}"))?;
    let (sample, ended) = parse(&String::from_utf8_lossy(&said.stdout))
        .ok_or_else(|| format!("{shown}: it was not measured"))?;
    if ended == "exit status: 0" {
        return Ok(sample);
    }
    let errors = String::from_utf8_lossy(&said.stderr);
    let last: Vec<&str> = errors.lines().rev().take(LINES).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!("{shown}: {ended}\n{}", last.join("\n")).trim_end().to_owned())
}

/// Lines of what a failed command said that are told.
const LINES: usize = 5;

/// Reads what `taskr-bench-run` says: figures, and how the command ended.
fn parse(line: &str) -> Option<(Sample, String)> {
    let mut words = line.trim_end().splitn(4, ' ');
    let wall_ms = words.next()?.parse().ok()?;
    let cpu_ms = words.next()?.parse().ok()?;
    let peak_kib = words.next()?.parse().ok()?;
    Some((Sample { wall_ms, cpu_ms, peak_kib }, words.next()?.to_owned()))
}

/// What several samples come to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    /// How many there were.
    pub(crate) runs: usize,
    /// In milliseconds.
    pub(crate) median_ms: f64,
    /// In milliseconds.
    pub(crate) min_ms: f64,
    /// Median, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// The most of all.
    pub(crate) peak_kib: u64,
}

impl Summary {
    /// None of no samples.
    pub(crate) fn of(samples: &[Sample]) -> Option<Summary> {
        let walls: Vec<f64> = samples.iter().map(|sample| sample.wall_ms).collect();
        let cpus: Vec<f64> = samples.iter().map(|sample| sample.cpu_ms).collect();
        Some(Summary {
            runs: samples.len(),
            median_ms: median(&walls)?,
            min_ms: walls.iter().copied().reduce(f64::min)?,
            cpu_ms: median(&cpus)?,
            peak_kib: samples.iter().map(|sample| sample.peak_kib).max()?,
        })
    }
}

/// The value in the middle; of an even number, the mean of the two.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in [
            (&[][..], None),
            (&[7.0], Some(7.0)),
            (&[9.0, 1.0], Some(5.0)),
            (&[100.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
        ] {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_summary_is_of_all_samples() {
        let sample = |wall_ms, cpu_ms, peak_kib| Sample { wall_ms, cpu_ms, peak_kib };
        let samples = [sample(5.0, 1.0, 10), sample(2.0, 9.0, 30), sample(3.0, 2.0, 20)];
        let expected = Summary { runs: 3, median_ms: 3.0, min_ms: 2.0, cpu_ms: 2.0, peak_kib: 30 };
        assert_eq!(Summary::of(&samples), Some(expected));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_run_is_measured_and_a_failure_is_told() {
        let mut slow = Command::new("sh");
        let sample = run(slow.args(["-c", "sleep 0.05"])).expect("it runs");
        assert!(sample.wall_ms >= 50.0, "{sample:?}");
        assert!(sample.peak_kib > 100, "{sample:?}");
        let failed = run(Command::new("sh").args(["-c", "exit 3"])).expect_err("it fails");
        assert!(failed.contains("exit status: 3"), "{failed}");
        assert!(run(&Command::new("no-such-tool")).is_err());
    }
}
