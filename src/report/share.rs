//! The progress file: what a run does now, for `taskr status` in another terminal.
//!
//! `.taskr/running/RUN.json` is replaced whole, and each version is locked before it gets its
//! name: a version that nobody locks is of a taskr that was killed. Where files cannot be locked
//! the process is looked for. All here is a courtesy: what cannot be written is left.

use std::fs::{DirEntry, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};
use serde_json::Value;

use crate::files::open_regular;
use crate::outdir::{Root, STATE_DIR};

/// Where the progress files are, below the state folder.
const FOLDER: &str = "running";

/// A progress file is not read beyond this: a longest command line and the names of tasks.
const LARGEST_BYTES: u64 = 16 * 1024 * 1024;

/// How often a file is opened anew that was replaced just then.
const TRIES: usize = 3;

/// The progress file of one run.
#[derive(Debug)]
pub struct Share {
    at: PathBuf,
    /// Opened when something is written for the first time.
    root: Option<Root>,
    command: String,
    /// The path and its lock, once it is written.
    written: Option<(Vec<u8>, File)>,
    failed: bool,
}

impl Share {
    /// For a run in the workspace at `root` that was asked for by `command`. Opens nothing yet.
    pub fn new(root: &Path, command: String) -> Share {
        Share { at: root.to_owned(), root: None, command, written: None, failed: false }
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
        if self.root.is_none() {
            self.root = begin(&self.at);
        }
        match self.root.as_ref().map(|root| root.write_locked(&path, text.as_bytes())) {
            Some(Ok(lock)) => self.written = Some((path, lock)),
            _ => self.failed = true,
        }
    }

    /// Removes the file.
    pub(super) fn end(&mut self) {
        if let (Some(root), Some((path, lock))) = (&self.root, self.written.take()) {
            let _ = root.remove_file(&path);
            root.remove_empty_dirs(&folder(), STATE_DIR.as_bytes());
            drop(lock);
        }
    }
}

/// Opens the workspace and removes what runs left that were killed; none where the folder cannot
/// be ours.
fn begin(at: &Path) -> Option<Root> {
    if is_folder(at) == Some(false) {
        return None;
    }
    let root = Root::open(at).ok()?;
    for name in names(at) {
        let path = format!("{STATE_DIR}/{FOLDER}/{name}").into_bytes();
        if read_living(&root.absolute(&path)).is_none() {
            let _ = root.remove_file(&path);
        }
    }
    Some(root)
}

/// What the runs do that are at work now in the workspace at `root`; oldest first. The fields are
/// those of the progress file.
pub fn running(root: &Path) -> Vec<Value> {
    let folder = folder_in(root);
    let mut runs: Vec<Value> =
        names(root).iter().filter_map(|name| read_living(&folder.join(name))).collect();
    runs.sort_by_key(|run| run["started_ms"].as_u64());
    runs
}

fn folder() -> Vec<u8> {
    format!("{STATE_DIR}/{FOLDER}").into_bytes()
}

fn folder_in(root: &Path) -> PathBuf {
    root.join(STATE_DIR).join(FOLDER)
}

/// Whether the folder is one, and no link; none if nothing is there.
fn is_folder(root: &Path) -> Option<bool> {
    folder_in(root).symlink_metadata().ok().map(|entry| entry.is_dir())
}

/// The names of the progress files. What a link leads to is not ours, and neither is a file of
/// another kind or name.
fn names(root: &Path) -> Vec<String> {
    let entries = (is_folder(root) == Some(true)).then(|| folder_in(root).read_dir());
    let entries = entries.into_iter().flatten().flatten().flatten();
    entries.filter_map(|entry| name_of_run(&entry)).collect()
}

/// `1795222627000-4711.json`: as a run is named, and a regular file.
fn name_of_run(entry: &DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok()?;
    let (time, process) = name.strip_suffix(".json")?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
    (is_file && is_number(time) && is_number(process)).then_some(name)
}

/// The content of a file whose writer lives.
fn read_living(path: &Path) -> Option<Value> {
    for _ in 0..TRIES {
        let file = open_regular(path).ok()?;
        let mut text = Vec::new();
        (&file).take(LARGEST_BYTES).read_to_end(&mut text).ok()?;
        let value: Value = serde_json::from_slice(&text).ok()?;
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
