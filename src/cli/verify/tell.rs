//! What was found, for people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use taskr_cache::Digest;

use super::super::amounts::count;
use super::super::json_out::version;
use super::compare::{Difference, How};
use super::trial::Trial;
use crate::outcome::shown;
use crate::report::{duration, one_line};

/// So many differences of a task are told; JSON has all.
const MOST_SHOWN: usize = 5;

/// Everything that was found.
#[derive(Default)]
pub(super) struct Report {
    /// By task.
    pub(super) findings: BTreeMap<String, Finding>,
    /// The run that failed.
    pub(super) failed: Option<u8>,
    /// What a sample was taken of.
    pub(super) sampled: Option<Sampled>,
    asked: u8,
    runs: Vec<Run>,
    unrecorded: Vec<String>,
}

/// What a sample was taken of.
pub(super) struct Sampled {
    /// How many results the store has that fit.
    pub(super) stored: usize,
    pub(super) seed: u64,
}

/// What was found of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) key: Digest,
    /// What it is made of differs: this is no fault of its own.
    pub(super) follows: bool,
    /// How long its command took in each run.
    pub(super) durations_ms: Vec<u64>,
    /// With the run in which it was seen first.
    pub(super) differences: Vec<(u8, Difference)>,
}

struct Run {
    jobs: usize,
    wall_ms: u64,
    work_ms: u64,
}

impl Finding {
    pub(super) fn of(key: Digest) -> Finding {
        Finding { key, follows: false, durations_ms: Vec::new(), differences: Vec::new() }
    }

    pub(super) fn is_different(&self) -> bool {
        !self.differences.is_empty()
    }

    /// Adds what was not seen before.
    pub(super) fn add(&mut self, run: u8, differences: Vec<Difference>) {
        for difference in differences {
            if self.differences.iter().all(|(_, known)| known.path != difference.path) {
                self.differences.push((run, difference));
            }
        }
    }

    fn outcome(&self) -> &'static str {
        match (self.is_different(), self.follows) {
            (false, _) => "same",
            (true, false) => "different",
            (true, true) => "follows",
        }
    }
}

impl Report {
    pub(super) fn of_runs(runs: u8, unrecorded: Vec<String>) -> Report {
        Report { asked: runs, unrecorded, ..Report::default() }
    }

    /// Adds a run; a line that tells of it.
    pub(super) fn add_run(&mut self, jobs: usize, trial: &Trial) -> String {
        self.runs.push(Run { jobs, wall_ms: trial.wall_ms, work_ms: trial.work_ms });
        let (number, of, wall) = (self.runs.len(), self.asked, duration(trial.wall_ms));
        format!("run {number} of {of}, with -j{jobs}: {wall}\n")
    }

    /// Whether everything was the same.
    pub(super) fn is_good(&self) -> bool {
        self.failed.is_none() && !self.findings.values().any(Finding::is_different)
    }

    /// All but the lines of [`Report::add_run`].
    pub(super) fn rendered(&self, json: bool) -> String {
        if json { format!("{:#}\n", self.as_json()) } else { self.as_text() }
    }

    fn as_text(&self) -> String {
        let mut text = String::new();
        if let Some(Sampled { stored, seed }) = &self.sampled {
            let stored = count(*stored, "task", "tasks");
            text += &format!(
                "the store has the results of {stored}; {} built again (--seed {seed})\n",
                self.findings.len()
            );
        }
        if let Some(number) = self.failed {
            text += &match number {
                1 => "the build in a copy failed: there is nothing to compare\n".to_owned(),
                _ => format!("run {number} failed, and those before it did not\n"),
            };
            return text + &self.left_out();
        }
        let (own, follow): (Vec<_>, Vec<_>) = self
            .findings
            .iter()
            .filter(|(_, it)| it.is_different())
            .partition(|(_, it)| !it.follows);
        for (task, finding) in own.iter().chain(&follow) {
            text += &self.told(task, finding);
        }
        text += &self.summary(own.len(), follow.len());
        text += &self.spread();
        text + &self.left_out()
    }

    fn told(&self, task: &str, finding: &Finding) -> String {
        let task = one_line(task);
        let mut text = match finding.follows {
            false => format!("{task} is not the same every time\n"),
            true => format!("{task} differs as what it is made of does\n"),
        };
        for (run, difference) in finding.differences.iter().take(MOST_SHOWN) {
            text += &format!("  {}\n", described(difference, &self.sides(*run)));
        }
        if finding.differences.len() > MOST_SHOWN {
            text += &format!("  … and {} more\n", finding.differences.len() - MOST_SHOWN);
        }
        text
    }

    /// What the two that were compared are called.
    fn sides(&self, run: u8) -> [String; 2] {
        match self.sampled {
            Some(_) => ["the store".to_owned(), "now".to_owned()],
            None => ["run 1".to_owned(), format!("run {run}")],
        }
    }

    fn summary(&self, own: usize, follow: usize) -> String {
        let all = count(self.findings.len(), "task", "tasks");
        let of = match (&self.sampled, own + follow) {
            (Some(_), 0) if self.findings.is_empty() => return String::new(),
            (Some(_), 0) => return format!("{all}: the same as in the store\n"),
            (None, 0) => return format!("{all}: the same every time\n"),
            _ => format!("{own} of {all} not the same"),
        };
        let more = match follow {
            0 => String::new(),
            _ => format!("; {follow} more, as what they are made of"),
        };
        format!("{of}{more}\n")
    }

    /// How far durations were apart, if there is something to compare.
    fn spread(&self) -> String {
        if self.sampled.is_some() || self.findings.is_empty() {
            return String::new();
        }
        let widest = self
            .findings
            .iter()
            .map(|(task, finding)| (percent(&finding.durations_ms), task))
            .max_by_key(|(spread, _)| *spread);
        let (most, task) = widest.map_or((0, ""), |(most, task)| (most, task.as_str()));
        let all = percent(&self.work_ms());
        let task = one_line(task);
        format!("durations: all commands together {all}% apart, at most {most}% ({task})\n")
    }

    fn work_ms(&self) -> Vec<u64> {
        self.runs.iter().map(|run| run.work_ms).collect()
    }

    fn left_out(&self) -> String {
        let mut text = String::new();
        if !self.findings.is_empty() {
            text += "not compared: logs, and what `installs` names\n";
        }
        if !self.unrecorded.is_empty() {
            let names: Vec<String> = self.unrecorded.iter().map(|name| one_line(name)).collect();
            text += &format!("not verified, because unrecorded: {}\n", names.join(", "));
        }
        text
    }

    fn as_json(&self) -> Value {
        let runs = self
            .runs
            .iter()
            .map(|run| json!({ "jobs": run.jobs, "wall_ms": run.wall_ms, "work_ms": run.work_ms }));
        let tasks = self.findings.iter().map(|(task, finding)| {
            let differences = finding.differences.iter();
            json!({
                "task": task,
                "outcome": finding.outcome(),
                "durations_ms": finding.durations_ms,
                "spread_percent": percent(&finding.durations_ms),
                "differences": differences.map(|(run, it)| as_json(*run, it)).collect::<Vec<_>>(),
            })
        });
        json!({
            "version": version(),
            "good": self.is_good(),
            "runs": runs.collect::<Vec<_>>(),
            "failed_run": self.failed,
            "spread_percent": percent(&self.work_ms()),
            "stored": self.sampled.as_ref().map(|sampled| sampled.stored),
            "seed": self.sampled.as_ref().map(|sampled| sampled.seed),
            "tasks": tasks.collect::<Vec<_>>(),
            "unrecorded": self.unrecorded,
        })
    }
}

/// How far numbers are apart: of the median, in per cent.
fn percent(numbers: &[u64]) -> u64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return 0 };
    let median = sorted[sorted.len() / 2].max(1);
    (most - least) * 100 / median
}

fn described(difference: &Difference, [first, second]: &[String; 2]) -> String {
    let path = shown(&difference.path);
    match &difference.how {
        How::OnlyFirst => format!("{path}: only {first} made it"),
        How::OnlySecond => format!("{path}: only {second} made it"),
        How::Kind => format!("{path}: a file, a link, a folder: not the same kind"),
        How::Executable => format!("{path}: the same bytes, but only one may be executed"),
        How::Link(one, other) => {
            format!("{path}: a link to {}, then to {}", shown(one), shown(other))
        }
        How::Unread(why) => format!("{path}: other bytes, which cannot be read: {why}"),
        How::Bytes(spot) => format!(
            "{path}: from byte {} on; {}\n    {first}: {}\n    {second}: {}",
            spot.offset,
            spot.cause.text(),
            spot.first.escape_ascii(),
            spot.second.escape_ascii()
        ),
    }
}

fn as_json(run: u8, difference: &Difference) -> Value {
    let mut value = json!({ "path": shown(&difference.path), "run": run });
    value["how"] = json!(match &difference.how {
        How::OnlyFirst => "only_first",
        How::OnlySecond => "only_second",
        How::Kind => "kind",
        How::Executable => "executable",
        How::Link(..) => "link",
        How::Unread(_) => "unread",
        How::Bytes(_) => "bytes",
    });
    if let How::Bytes(spot) = &difference.how {
        value["offset"] = json!(spot.offset);
        value["first"] = json!(spot.first.escape_ascii().to_string());
        value["second"] = json!(spot.second.escape_ascii().to_string());
        value["cause"] = json!(spot.cause.code());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_median() {
        assert_eq!(percent(&[]), 0);
        assert_eq!(percent(&[100]), 0);
        assert_eq!(percent(&[100, 110, 90]), 20);
        assert_eq!(percent(&[0, 0]), 0);
        assert_eq!(percent(&[0, 3]), 100);
    }
}
