//! The progress file: what a run does now, for `taskr status` in another terminal.
//!
//! `.taskr/running/RUN.json` is replaced whole, and each version is locked before it gets its
//! name: a version that nobody locks is of a taskr that was killed. Where files cannot be locked
//! the process is looked for. All here is a courtesy: what cannot be written is left.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, test_kill_process};
use serde_json::Value;

use crate::outdir::{Root, STATE_DIR};

/// Where the progress files are, below the state folder.
const FOLDER: &str = "running";

/// How often a file is opened anew that was replaced just then.
const TRIES: usize = 3;

/// The progress file of one run.
#[derive(Debug)]
pub struct Share {
    root: Root,
    command: String,
    /// The path and its lock, once it is written.
    written: Option<(Vec<u8>, File)>,
    failed: bool,
}

impl Share {
    /// For a run that was asked for by `command`. Writes nothing yet.
    pub fn new(root: Root, command: String) -> Share {
        Share { root, command, written: None, failed: false }
    }

    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Replaces the file.
    pub(super) fn write(&mut self, run_id: &str, text: &str) {
        if self.failed {
            return;
        }
        let path = format!("{STATE_DIR}/{FOLDER}/{run_id}.json").into_bytes();
        if self.written.is_none() {
            self.sweep();
        }
        match self.root.write_locked(&path, text.as_bytes()) {
            Ok(lock) => self.written = Some((path, lock)),
            Err(_) => self.failed = true,
        }
    }

    /// Removes the file.
    pub(super) fn end(&mut self) {
        if let Some((path, lock)) = self.written.take() {
            let _ = self.root.remove_file(&path);
            self.root.remove_empty_dirs(&folder(), STATE_DIR.as_bytes());
            drop(lock);
        }
    }

    /// Removes what runs left that were killed.
    fn sweep(&self) {
        for name in names(self.root.path()) {
            let path = [&folder()[..], b"/", name.as_bytes()].concat();
            if read_living(&self.root.absolute(&path)).is_none() {
                let _ = self.root.remove_file(&path);
            }
        }
    }
}

/// What the runs do that are at work now in the workspace at `root`; oldest first. The fields are
/// those of the progress file.
pub fn running(root: &Path) -> Vec<Value> {
    let folder = root.join(STATE_DIR).join(FOLDER);
    let mut runs: Vec<Value> =
        names(root).iter().filter_map(|name| read_living(&folder.join(name))).collect();
    runs.sort_by_key(|run| run["started_ms"].as_u64());
    runs
}

fn folder() -> Vec<u8> {
    format!("{STATE_DIR}/{FOLDER}").into_bytes()
}

fn names(root: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(root.join(OsStr::from_bytes(&folder())));
    entries.into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

/// The content of a file whose writer lives.
fn read_living(path: &Path) -> Option<Value> {
    for _ in 0..TRIES {
        let mut file = File::open(path).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Some(value),
            // Left by one that was killed, or replaced since it was opened.
            Ok(()) => {}
            Err(TryLockError::Error(_)) => {
                let pid = value["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
                let pid = pid.and_then(Pid::from_raw)?;
                return test_kill_process(pid).is_ok().then_some(value);
            }
        }
    }
    None
}
