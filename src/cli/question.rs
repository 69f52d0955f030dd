//! What a command line asks, as one digest: all that its answer may rest on beside the files that a
//! build looks at, and the variables that its tasks name.
//!
//! The arguments are taken as they were typed, so that nothing need be understood to know that it
//! is the same question: two that mean the same are two questions.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use taskr_cache::{KeyHasher, Question, Seen, boot_id, processors};

use super::limits::open_files;
use super::scan::Scan;
use super::taskfile::Found;

/// The question of this process. None if it cannot be put: no folder, no program.
pub(super) fn question(scan: &Scan, found: &Found) -> Option<Question> {
    let mut hasher = KeyHasher::new("taskr 2026 question v1");
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    let program = std::env::current_exe().ok()?;
    let mut stamps = Vec::new();
    Seen::of(&program).ok()??.encode(&mut stamps);
    part(env!("CARGO_PKG_VERSION").as_bytes());
    part(&stamps);
    part(boot_id().as_bytes());
    part(&rustix::process::geteuid().as_raw().to_le_bytes());
    part(&processors().to_le_bytes());
    // Both decide how many tasks run at once, which an expression may ask for.
    part(&open_files().to_le_bytes());
    part(std::env::current_dir().ok()?.as_os_str().as_bytes());
    // What names without a package mean.
    part(found.start.as_os_str().as_bytes());
    part(found.path.as_os_str().as_bytes());
    part(found.digest.as_bytes());
    part(&scan.args.len().to_le_bytes());
    for arg in scan.args.iter().skip(1) {
        part(arg.as_bytes());
    }
    let mut own: Vec<_> = std::env::vars_os().collect();
    own.retain(|(name, _)| name.as_bytes().starts_with(b"TASKR_"));
    own.sort();
    for (name, value) in own {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    Some(Question(hasher.finish()))
}

/// The workspace of a Taskfile.
pub(super) fn root_of(found: &Found) -> &Path {
    found.path.parent().unwrap_or(Path::new("/"))
}
