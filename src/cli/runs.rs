//! What runs left written beside their records, as `result.json` and in `runs/`: reading it.

use std::cmp::Reverse;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::files::open_regular;
use crate::outcome::Step;
use crate::outdir::STATE_DIR;

/// A file of an earlier run is not read beyond this, in bytes.
const LARGEST_FILE: u64 = 256 * 1024 * 1024;

/// What a file holds; none if it cannot be read.
pub(super) fn read_json(path: &Path) -> Option<Value> {
    let mut bytes = Vec::new();
    open_regular(path).ok()?.take(LARGEST_FILE).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A run's id begins with the time of its begin, in milliseconds.
pub(super) fn began_ms(run: &str) -> u64 {
    run.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0)
}

/// The files of all runs that left one, the newest first: id and path.
pub(super) fn files(root: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(root.join(STATE_DIR).join("runs")).into_iter().flatten();
    let run = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        Some((name, path))
    };
    let mut files: Vec<(String, PathBuf)> =
        entries.flatten().filter_map(|entry| run(entry.path())).collect();
    files.sort_by_cached_key(|(run, _)| Reverse((began_ms(run), run.clone())));
    files
}

/// The runs whose file can be read, the newest first; read as they are asked for.
pub(super) fn past(root: &Path) -> impl Iterator<Item = Past> {
    files(root).into_iter().filter_map(|(run, path)| Past::of(run, read_json(&path)?))
}

/// The run that a word names: `1` the last, `2` the one before it, or its id. Its number, too.
///
/// # Errors
/// There is none.
pub(super) fn named(root: &Path, word: &str) -> Result<(usize, Past), Error> {
    let mut numbered = (1..).zip(past(root));
    let found = match word.parse::<usize>() {
        Ok(number) => numbered.find(|(at, _)| *at == number),
        Err(_) => numbered.find(|(_, run)| run.id == word),
    };
    found.ok_or_else(|| {
        let known = files(root).len();
        Error::Usage {
            message: match known {
                0 => "no run that ran or restored anything is known here".to_owned(),
                _ => format!("there is no run `{}`", crate::report::one_line(word)),
            },
            help: match known {
                0 => None,
                1 => Some("one is known: 1, the last".to_owned()),
                _ => Some(format!("`taskr history` shows them: 1 is the last, {known} the first")),
            },
        }
    })
}

/// A run that is over, as it left itself written.
pub(super) struct Past {
    pub(super) id: String,
    /// All of it.
    pub(super) value: Value,
}

impl Past {
    fn of(id: String, value: Value) -> Option<Past> {
        value["counts"].is_object().then_some(Past { id, value })
    }

    /// A number of it; 0 if it has none of that name.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.value[name].as_u64().unwrap_or(0)
    }

    /// How many of its tasks ended so.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.value["counts"][name].as_u64().unwrap_or(0)
    }

    /// A text of it; empty if it has none of that name.
    pub(super) fn text(&self, name: &str) -> &str {
        self.value[name].as_str().unwrap_or_default()
    }

    /// What was typed; of runs of older versions what was wanted.
    pub(super) fn command(&self) -> String {
        let wanted = || {
            let wanted = self.value["wanted"].as_array().into_iter().flatten();
            wanted.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        };
        self.value["command"].as_str().map_or_else(wanted, str::to_owned)
    }

    /// `3.2×`; empty where running at once was worth nothing.
    pub(super) fn speed_up(&self) -> String {
        let (work, wall) = (self.number("work_ms"), self.number("wall_ms"));
        if wall == 0 || work.saturating_mul(10) < wall.saturating_mul(11) {
            return String::new();
        }
        format!("{:.1}×", work as f64 / wall as f64)
    }

    /// How it ended: `ok`, `exit 1`, `SIGINT`.
    pub(super) fn end(&self) -> String {
        let signal = self.value["signal"].as_i64().and_then(|signal| i32::try_from(signal).ok());
        if let Some(signal) = signal {
            let name = signal_hook::low_level::signal_name(signal);
            return name.map_or_else(|| format!("signal {signal}"), str::to_owned);
        }
        match self.number("exit_code") {
            0 => "ok".to_owned(),
            code => format!("exit {code}"),
        }
    }

    /// Its critical path, first to last.
    pub(super) fn critical_path(&self) -> Vec<Step> {
        let steps = self.value["critical_path"].as_array().into_iter().flatten();
        let step = |step: &Value| {
            let duration_ms = step["duration_ms"].as_u64()?;
            Some(Step { task: step["task"].as_str()?.to_owned(), duration_ms })
        };
        steps.filter_map(step).collect()
    }
}
