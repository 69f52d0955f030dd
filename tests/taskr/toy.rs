//! What the toy task writes, as a pure function: `tests/toytask.rs` writes it, the oracle computes
//! it. Knows no files and no taskr, so that the right content of any output is known without a build.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};

/// One input as the toy task sees it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its exec bit.
    pub exec: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Debug for Seen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bits = if self.exec { "x" } else { "-" };
        write!(f, "{bits}{:?}", String::from_utf8_lossy(&self.bytes))
    }
}

/// Everything that the content of an output depends on, but the output's own name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipe {
    /// The task's name.
    pub name: String,
    /// Any text from the command line.
    pub salt: String,
    /// Only the first line of each input counts, so that most edits change no output.
    pub head: bool,
    /// Inputs by their path in the workspace, and the answer of a service; order on the command line does not count.
    pub inputs: BTreeMap<String, Seen>,
    /// Variables, set or not.
    pub env: BTreeMap<String, Option<String>>,
}

impl Recipe {
    /// The content of the output with the logical path `output`: 64 hex digits and a newline.
    pub(crate) fn content(&self, output: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(self.name.as_bytes());
        field(self.salt.as_bytes());
        field(output.as_bytes());
        for (path, seen) in &self.inputs {
            field(path.as_bytes());
            field(if seen.exec { b"x" } else { b"-" });
            field(if self.head { first_line(&seen.bytes) } else { &seen.bytes });
        }
        field(b"env");
        for (name, value) in &self.env {
            field(name.as_bytes());
            field(value.as_ref().map_or(b"unset", |_| b"set"));
            field(value.as_deref().unwrap_or_default().as_bytes());
        }
        format!("{}\n", hasher.finalize().to_hex())
    }

    /// How many files `--spread` writes: one to three, decided by everything in the recipe.
    pub(crate) fn spread(&self) -> usize {
        usize::from(self.content("spread").as_bytes()[0]) % 3 + 1
    }
}

/// The files that the lines `include FILE` of a text name.
pub(crate) fn includes(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().filter_map(|line| line.strip_prefix("include ")).map(str::to_owned).collect()
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == b'\n').next().unwrap_or_default()
}
