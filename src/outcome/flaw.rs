//! What was seen of a task that did not do the same under the same key: the row of the ledger that
//! `taskr flaky` shows.

use serde_json::{Value, json};
use taskr_cache::Digest;

use super::reason::shown;

/// Paths that one row keeps.
const MOST_PATHS: usize = 20;

/// How two runs under one key differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Both succeeded, with other outputs.
    Outputs,
    /// The earlier one failed, the later one succeeded.
    Recovered,
    /// The earlier one succeeded, the later one failed.
    Broke,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// What both runs were made of.
    pub key: Digest,
    /// How they differed.
    pub difference: Difference,
    /// Outputs that differ, as a person reads them; the first twenty.
    pub paths: Vec<String>,
}

impl Difference {
    /// A word for machines.
    pub fn code(self) -> &'static str {
        match self {
            Difference::Outputs => "outputs",
            Difference::Recovered => "recovered",
            Difference::Broke => "broke",
        }
    }

    fn from_code(code: &str) -> Option<Difference> {
        let all = [Difference::Outputs, Difference::Recovered, Difference::Broke];
        all.into_iter().find(|difference| difference.code() == code)
    }
}

impl Flaw {
    /// An observation of now.
    pub fn new(unix_ms: u64, key: Digest, difference: Difference, paths: &[Vec<u8>]) -> Flaw {
        let paths = paths.iter().take(MOST_PATHS).map(|path| shown(path)).collect();
        Flaw { unix_ms, key, difference, paths }
    }

    /// For the ledger, and for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "unix_ms": self.unix_ms,
            "key": self.key.to_string(),
            "difference": self.difference.code(),
            "paths": self.paths,
        })
    }

    /// Reads what [`Flaw::to_json`] wrote.
    pub fn from_json(value: &Value) -> Option<Flaw> {
        let text = |name: &str| value.get(name)?.as_str();
        let paths = value.get("paths")?.as_array()?.iter();
        Some(Flaw {
            unix_ms: value.get("unix_ms")?.as_u64()?,
            key: Digest::from_hex(text("key")?)?,
            difference: Difference::from_code(text("difference")?)?,
            paths: paths.map(|path| path.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_goes_there_and_back() {
        for difference in [Difference::Outputs, Difference::Recovered, Difference::Broke] {
            let flaw = Flaw::new(7, Digest::of(b"k"), difference, &[b"a\xff".to_vec()]);
            assert_eq!(flaw.paths, ["a\\xff"]);
            assert_eq!(Flaw::from_json(&flaw.to_json()), Some(flaw));
        }
        assert_eq!(Flaw::from_json(&json!({"unix_ms": 1})), None);
    }
}
