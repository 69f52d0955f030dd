//! What runs left written beside their records, as `result.json` and in `runs/`: reading it.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::files::open_regular;

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
