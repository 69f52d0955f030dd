//! What a target says about when and how often its tasks run. Nothing of it is in the key.

use taskr_cache::{Coded, In, Out};
use toml::de::DeValue;

use super::fields::Field;
use super::numbers::Range;
use super::read::{Asker, Reader, Value};
use super::{Duration, Retry, Target, Word, size_of};
use crate::error::{Diagnostic, quoted};

/// The fields of a [`Schedule`]. A target without a command has no use for them.
pub const SCHEDULE_FIELDS: [&str; 10] = [
    "timeout",
    "grace",
    "retry",
    "priority",
    "cpus",
    "pool",
    "memory",
    "allow_failure",
    "require",
    "batch",
];

/// When and how often tasks run, and what their failure means.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// From TERM to KILL.
    pub grace: Option<Duration>,
    /// Further attempts after the first.
    pub retry: Option<Retry>,
    /// First among ready tasks is the greatest; where nothing is said, 0.
    pub priority: Option<i32>,
    /// So many of `-j` it counts as.
    pub cpus: Option<Cpus>,
    /// Names of pools and what it takes of each: at least 1.
    pub pools: Vec<(Word, u32)>,
    /// Admitted only while the machine has so much memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Its failure is a warning.
    pub allow_failure: bool,
    /// So many of its tasks must succeed.
    pub require: Option<Require>,
    /// So many items go to one process.
    pub batch: Option<u32>,
}

/// How many of `-j` a task counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cpus {
    /// All of them.
    All,
    /// So many, at least 1.
    Number(u32),
}

impl Coded for Cpus {
    fn put(&self, out: &mut Out) {
        // At least 1 of them is needed.
        out.number(match self {
            Cpus::All => 0,
            Cpus::Number(number) => (*number).into(),
        });
    }

    fn get(from: &mut In<'_>) -> Option<Cpus> {
        Some(match u32::get(from)? {
            0 => Cpus::All,
            number => Cpus::Number(number),
        })
    }
}

impl std::fmt::Display for Cpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cpus::All => f.write_str("all"),
            Cpus::Number(number) => write!(f, "{number}"),
        }
    }
}

/// How many of the tasks of a target, or of a pipeline, must succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Require {
    /// Such a part, from 1 to 100.
    Percent(u32),
    /// So many, at least 1.
    Number(u32),
}

impl Coded for Require {
    fn put(&self, out: &mut Out) {
        match self {
            Require::Percent(percent) => (true, *percent).put(out),
            Require::Number(number) => (false, *number).put(out),
        }
    }

    fn get(from: &mut In<'_>) -> Option<Require> {
        Some(match Coded::get(from)? {
            (true, percent) => Require::Percent(percent),
            (false, number) => Require::Number(number),
        })
    }
}

impl Require {
    /// How many of `tasks` must succeed, rounded up.
    pub fn of(self, tasks: usize) -> usize {
        match self {
            Require::Percent(percent) => (tasks * percent as usize).div_ceil(100),
            Require::Number(number) => number as usize,
        }
    }
}

impl std::fmt::Display for Require {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Require::Percent(percent) => write!(f, "{percent}%"),
            Require::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What words mean as priorities.
const PRIORITIES: [(&str, i32); 3] = [("high", 100), ("normal", 0), ("low", -100)];

impl Reader {
    /// One of [`SCHEDULE_FIELDS`].
    pub(super) fn schedule(
        &mut self,
        schedule: &mut Schedule,
        field: &'static Field,
        value: &Value<'_>,
    ) {
        let asker = Asker::from(field);
        match field.name {
            "timeout" => schedule.timeout = self.duration(value, asker),
            "grace" => schedule.grace = self.duration(value, asker),
            "retry" => schedule.retry = self.retry(value, asker),
            "priority" => schedule.priority = self.priority(value, asker),
            "cpus" => schedule.cpus = self.cpus(value, asker),
            "pool" => schedule.pools = self.pools_of_target(value, asker),
            "memory" => schedule.memory_bytes = self.memory(value, asker),
            "batch" => schedule.batch = self.batch(value, asker),
            "allow_failure" => schedule.allow_failure = self.flag(value, asker).unwrap_or(false),
            "require" => schedule.require = self.require(value, asker),
            _ => {}
        }
    }

    /// A word or a number.
    fn priority(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<i32> {
        let DeValue::String(text) = value.get_ref() else {
            let range = Range { least: -1000, most: 1000 };
            return i32::try_from(self.number(value, asker, range)?).ok();
        };
        let known = PRIORITIES.iter().find(|(word, _)| *word == &**text);
        if known.is_none() {
            let help = "write \"high\", \"normal\", \"low\" or a number: the greatest goes first, \
                        normal is 0";
            self.refuse_word(value, asker, text, help);
        }
        known.map(|(_, priority)| *priority)
    }

    /// A number or `"all"`.
    fn cpus(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Cpus> {
        match value.get_ref() {
            DeValue::String(text) if text == "all" => Some(Cpus::All),
            DeValue::String(text) => {
                self.refuse_word(value, asker, text, "write a number, as in cpus = 4, or \"all\"");
                None
            }
            _ => {
                let number = self.number(value, asker, Range { least: 1, most: 10_000 })?;
                u32::try_from(number).ok().map(Cpus::Number)
            }
        }
    }

    /// A size.
    fn memory(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<u64> {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type(value, asker);
        };
        let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
        let bytes = size_of(text).filter(|&bytes| bytes > 0 && has_unit);
        if bytes.is_none() {
            let help = "write a number and a unit, as in memory = \"2G\" or \"512MiB\"";
            self.refuse_word(value, asker, text, help);
        }
        bytes
    }

    /// A number or a percentage.
    pub(super) fn require(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Require> {
        let DeValue::String(text) = value.get_ref() else {
            let number = self.number(value, asker, Range { least: 1, most: 1_000_000 })?;
            return u32::try_from(number).ok().map(Require::Number);
        };
        let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
        let percent = percent.filter(|percent| (1..=100).contains(percent));
        if percent.is_none() {
            let help = "write a part from \"1%\" to \"100%\", or a number of tasks";
            self.refuse_word(value, asker, text, help);
        }
        percent.map(Require::Percent)
    }

    pub(super) fn refuse_word(
        &mut self,
        value: &Value<'_>,
        asker: Asker<'_>,
        text: &str,
        help: &str,
    ) {
        let problem = Diagnostic::error(format!("`{}` cannot be {}", asker.name, quoted(text)));
        let place = self.place(value.span());
        self.refuse(problem.at(place, "").help(help));
    }

    /// Refuses what has no sense for the target, which has a command.
    pub(super) fn check_schedule(&mut self, target: &Target) {
        self.check_batch(target);
        if target.schedule.require.is_some() && target.foreach.is_none() && target.matrix.is_empty()
        {
            let name = quoted(&target.name);
            let problem = Diagnostic::error(format!(
                "target {name} has `require` and is one task: it succeeds or fails"
            ));
            let place = target.place_of("require").clone();
            self.refuse(problem.at(place, "how many of its tasks must succeed").help(
                "add `foreach` or `matrix`; if its failure is no harm, write allow_failure = true",
            ));
        }
    }
}
