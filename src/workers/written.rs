//! What a formatter wrote: its own inputs, by content.
//!
//! Files with the same bytes under new stamps are no change, or a formatter that writes all it
//! reads would never be done. So somebody who edits a file and takes it back while a formatter
//! runs is not noticed.

use std::io;

use rustc_hash::FxHashSet;
use taskr_cache::{Content, Seen, measure};

use super::job::{Listed, Run, Written};
use crate::files::{Ignored, list};
use crate::outdir::Root;

/// The inputs that the command wrote, of those that it may change, and files that came to its
/// patterns.
pub(super) fn written(
    (root, ignored): (&Root, &Ignored),
    run: &Run,
    buffer: &mut Vec<u8>,
) -> io::Result<Vec<Written>> {
    let mut found = Vec::new();
    if run.fixes.is_empty() {
        return Ok(found);
    }
    for input in run.inputs.iter().filter(|input| run.fixes.covers(&input.path)) {
        let path = root.absolute(&input.path);
        let same = Seen::of(&path).is_ok_and(|seen| seen == input.seen);
        if same && input.settled {
            continue;
        }
        let now = measure(&path, buffer);
        let changed = match &now {
            Ok(now) => now.as_ref().map_or(Content::Absent, |(_, now)| *now) != input.content,
            Err(_) => true,
        };
        if changed || !same {
            found.push(Written { path: input.path.clone(), now: now.ok().flatten(), changed });
        }
    }
    let known = known(run);
    for listed in &run.globs {
        for path in list(root.path(), &listed.pattern, &listed.skip, ignored)? {
            if !known.contains(&path[..]) && run.fixes.covers(&path) {
                let now = measure(&root.absolute(&path), buffer).ok().flatten();
                found.push(Written { path, now, changed: true });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

/// Whether a listing is another than it was, by files that the command itself may not change.
pub(super) fn has_other_files(run: &Run, listed: &Listed, now: &[Vec<u8>]) -> bool {
    let known = known(run);
    let is_there: FxHashSet<&[u8]> = now.iter().map(|path| &path[..]).collect();
    let came = now.iter().map(|path| &path[..]).filter(|path| !known.contains(path));
    let was_listed = |path: &&[u8]| listed.pattern.matches(path) && !is_there.contains(path);
    let went = known.iter().copied().filter(was_listed);
    came.chain(went).any(|path| !run.fixes.covers(path))
}

fn known(run: &Run) -> FxHashSet<&[u8]> {
    run.inputs.iter().map(|input| &input.path[..]).collect()
}
