//! What a task's command had to say of itself, and what was held against that: metrics, acceptance
//! tests, gates.

use serde_json::{Value, json};

use super::Summary;
use super::gate::{Judged, Number};

/// What was checked before a task counted as done. Empty where it has nothing to check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    /// The numbers that it wrote, by name, in the order in which they were first written.
    pub metrics: Vec<(String, Number)>,
    /// How many acceptance tests were run: the first that fails is the last.
    pub accept_run: usize,
    /// How many of them passed.
    pub accepted: usize,
    /// Its gates, all of them, if all acceptance tests passed.
    pub gates: Vec<Judged>,
    /// The acceptance test that failed.
    pub failed: Option<String>,
}

impl Checkup {
    /// The last number of that name.
    pub fn metric(&self, name: &str) -> Option<&Number> {
        Some(&self.metrics.iter().find(|(own, _)| own == name)?.1)
    }
}

/// How many checks a run had, and how many passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Acceptance tests that were run.
    pub accept_run: usize,
    /// Those that passed.
    pub accepted: usize,
    /// Gates that were held against a metric, those of the run included.
    pub gates_checked: usize,
    /// Those that passed.
    pub gates_passed: usize,
}

impl Checks {
    /// Counts what one task had.
    pub fn add(&mut self, checked: &Checkup) {
        self.accept_run += checked.accept_run;
        self.accepted += checked.accepted;
        self.add_gates(&checked.gates);
    }

    /// Counts gates.
    pub fn add_gates(&mut self, gates: &[Judged]) {
        self.gates_checked += gates.len();
        self.gates_passed += gates.iter().filter(|gate| gate.passed()).count();
    }
}

/// What a run itself can be held to, by name, and what it means.
pub const RUN_METRICS: [(&str, &str); 9] = [
    ("speedup", "the work by the time: 3.3"),
    ("wall_s", "seconds from start to end"),
    ("work_s", "seconds of all that ran, one after another"),
    ("saved_s", "seconds that restoring saved"),
    ("fresh", "how many tasks were up to date"),
    ("restored", "how many were restored"),
    ("ran", "how many ran and succeeded"),
    ("failed", "how many failed"),
    ("skipped", "how many did not start"),
];

impl Summary {
    /// One of [`RUN_METRICS`]. A run in which no command ran has no speed-up.
    pub fn metric(&self, name: &str) -> Option<Number> {
        let seconds = |ms: u64| Number::rounded(ms as f64 / 1000.0, 2);
        let count = |count: usize| Number::rounded(count as f64, 0);
        Some(match name {
            "speedup" => Number::rounded(self.speedup()?, 2),
            "wall_s" => seconds(self.wall_ms),
            "work_s" => seconds(self.work_ms),
            "saved_s" => seconds(self.saved_ms),
            "fresh" => count(self.counts.fresh),
            "restored" => count(self.counts.restored),
            "ran" => count(self.counts.ran),
            "failed" => count(self.counts.failed),
            "skipped" => count(self.counts.skipped),
            _ => return None,
        })
    }
}

impl Checkup {
    /// Its acceptance tests, for programs.
    pub fn accept_json(&self) -> Value {
        json!({ "run": self.accept_run, "passed": self.accepted, "failed": self.failed })
    }

    /// Its metrics, for programs: numbers by name.
    pub fn metrics_json(&self) -> Value {
        let metrics = self.metrics.iter().map(|(name, number)| (name.clone(), number.to_json()));
        Value::Object(metrics.collect())
    }
}

/// Gates, for programs.
pub fn gates_json(gates: &[Judged]) -> Value {
    let gate = |gate: &Judged| {
        json!({
            "name": gate.name,
            "must": gate.must,
            "value": gate.value.as_ref().map(Number::to_json),
            "passed": gate.passed(),
        })
    };
    gates.iter().map(gate).collect()
}
