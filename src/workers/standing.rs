//! What stands at a task's outputs before it runs: set aside, put back.
//!
//! A file that taskr did not make is never removed: what is not as some record says moves to
//! `replaced/`, and is named.

use std::collections::BTreeSet;
use std::io;

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{FileKind, Seen};

use super::Context;
use super::attempt::Stop;
use super::intent::IntentBody;
use super::job::{Before, Declared, Run};
use super::outputs::{
    Step, holds, is_dir, join, look, look_at, make_way, move_to, prepared, standing_at,
};
use crate::error::said;
use crate::files::list_tree;
use crate::graph::Output;
use crate::outcome::{Made, Recorded, shown};
use crate::outdir::{Root, STATE_DIR, dir_of, is_within};

/// What stood at the declared outputs when the task was about to run.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) found: Vec<(Vec<u8>, Seen)>,
    /// Not moved away: published by the last success, or none of ours below a glob.
    pub(super) stays: FxHashMap<Vec<u8>, (Seen, Option<Made>)>,
    /// Moved to `aside/`, as the record says it is.
    pub(super) aside: FxHashMap<Vec<u8>, Seen>,
    /// What is to stay because it is already what is to be there.
    pub(super) keeps: FxHashMap<Vec<u8>, (Seen, Made)>,
    replaced: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether all that stood there was seen to: only then is what stands there now the command's.
    is_set_aside: bool,
}

impl Standing {
    /// Lists it.
    pub(super) fn look(root: &Root, run: &Run) -> Step<Standing> {
        let (mut found, mut listed) = (Vec::new(), FxHashSet::default());
        for Declared { output, .. } in &run.outputs {
            for path in look_at(root, output)? {
                // A file may be of two of them.
                if let Some(seen) = look(root, &path)?
                    && listed.insert(path.clone())
                {
                    found.push((path, seen));
                }
            }
        }
        Ok(Standing { found, ..Standing::default() })
    }

    /// What the intent says of it.
    pub(super) fn intent(&self, run: &Run, run_id: &str) -> IntentBody {
        IntentBody {
            run_id: run_id.to_owned(),
            standing: self.found.iter().map(|(path, _)| path.clone()).collect(),
            outputs: run.outputs.iter().map(|declared| declared.output.clone()).collect(),
        }
    }

    /// Files that taskr did not make, and where they are kept now.
    pub(super) fn into_replaced(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.replaced
    }

    /// Moves away what the command must not meet.
    pub(super) fn set_aside(
        &mut self,
        context: &Context,
        run: &Run,
        buffer: &mut Vec<u8>,
    ) -> Step<()> {
        let root = &context.root;
        let before: FxHashMap<&[u8], &Before> =
            run.before.iter().map(|before| (&before.file.path[..], before)).collect();
        if run.keep_outputs {
            let made = |path: &[u8]| before.get(path).map(|before| before.file.made.clone());
            let found = self.found.iter();
            self.stays = found.map(|(path, seen)| (path.clone(), (*seen, made(path)))).collect();
            return Ok(());
        }
        let own = run.dir.join("aside");
        root.remove_tree(&own).map_err(|e| Stop::io("remove", &own, &e))?;
        for at in 0..self.found.len() {
            let (path, seen) = self.found[at].clone();
            let kept = self.keeps.get(&path).filter(|(kept, _)| *kept == seen);
            if let Some((_, made)) = kept {
                self.stays.insert(path, (seen, Some(made.clone())));
                continue;
            }
            let ours = before.get(&path[..]).copied();
            let made = ours.filter(|before| is_as_recorded(root, before, &seen, buffer));
            let staged = made.filter(|before| before.file.published && !run.new_command);
            if let Some(before) = staged {
                self.stays.insert(path, (seen, Some(before.file.made.clone())));
            } else if made.is_some_and(|before| !before.file.adopted)
                || is_of_others(root, &path, &run.others, buffer)
            {
                move_to(root, &path, &aside(run, &path))?;
                if made.is_some() {
                    self.aside.insert(path, seen);
                }
            } else if is_plain(run, &path) || ours.is_some() {
                self.give_way(context, run, &path)?;
            } else {
                self.stays.insert(path, (seen, None));
            }
        }
        self.is_set_aside = true;
        // Folders that are empty now would pass for outputs.
        for declared in &run.outputs {
            if let Output::Path(path) = &declared.output {
                make_way(root, path);
            }
        }
        for file in run.before.iter().map(|before| &before.file) {
            if file.made == Made::Folder
                || !is_dir(root, &file.path)
                || !is_declared(run, &file.path)
            {
                continue;
            }
            make_way(root, &file.path);
            if is_dir(root, &file.path) {
                self.give_way(context, run, &file.path)?;
            }
        }
        Ok(())
    }

    /// Fresh `out/` and `tmp/`, and the folders of plain outputs, staged and in place. What was
    /// in `out/` goes aside. What earlier attempts left otherwise goes.
    pub(super) fn make_folders(&self, root: &Root, run: &Run) -> Step<()> {
        let failed = |path: &[u8]| {
            let path = path.to_vec();
            move |error: io::Error| match file_in_the_way(root, &path) {
                Some(file) => Stop::Failed(format!(
                    "{} is a file, and its outputs need a folder there: move it away",
                    shown(file)
                )),
                None => Stop::io("prepare", &path, &error),
            }
        };
        let (own, out) = (run.dir.path(), run.dir.join("out"));
        let held = root.hold(own).map_err(failed(own))?;
        let there = held.names().map_err(failed(own))?;
        let is_there = |name: &str| there.contains(name.as_bytes());
        for name in ["failed", "restore"].into_iter().filter(|name| is_there(name)) {
            let path = run.dir.join(name);
            root.remove_tree(&path).map_err(failed(&path))?;
        }
        if is_there("tmp") {
            let path = run.dir.join("tmp");
            root.remove_filled(&path).map_err(failed(&path))?;
        }
        if is_there("out") {
            let gone = match run.intent.is_some() {
                true => root.rename(&out, &run.dir.join("aside/out")),
                false => root.remove_tree(&out),
            };
            gone.map_err(failed(&out))?;
        }
        for name in ["out", "tmp", "state"] {
            let path = run.dir.join(name);
            // What else has the name the other way tells.
            held.make(name).or_else(|_| root.create_dirs(&path)).map_err(failed(&path))?;
        }
        for declared in &run.outputs {
            let dir = match &declared.output {
                Output::Path(path) => dir_of(path),
                Output::Glob(_) => b"".as_slice(),
            };
            for folder in [dir.to_vec(), join(&out, prepared(declared))] {
                if !folder.is_empty() && folder != out {
                    root.create_dirs(&folder).map_err(failed(&folder))?;
                }
            }
        }
        Ok(())
    }

    /// After an attempt that came to nothing: what it wrote at its outputs moves to `failed/`
    /// (told if `keep`; the next attempt clears it), what stood there before stands again. A file
    /// that was there before and is none of ours stays. Says what went wrong; the task is dirty
    /// anyway.
    pub(super) fn put_back(&self, root: &Root, run: &Run, keep: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let failed = run.dir.join("failed");
        let mut kept = 0;
        let may_have_written = run.intent.is_some() && self.is_set_aside;
        let written = if may_have_written { self.written(root, run) } else { Vec::new() };
        for path in written {
            if let Some((_, None)) = self.stays.get(&path) {
                warnings
                    .push(format!("{} changed while it ran: it is left as it is", shown(&path)));
                continue;
            }
            match root.rename(&path, &join(&join(&failed, b"ws"), &path)) {
                Ok(()) => kept += usize::from(keep),
                Err(error) => {
                    warnings.push(format!("cannot move {}: {}", shown(&path), said(&error)));
                }
            }
        }
        if kept > 0 {
            warnings.push(format!("what the failed attempt wrote is kept in {}", shown(&failed)));
        }
        warnings.extend(restore_aside(root, &run.dir.join("aside"), &run.dir.join("out")));
        for (path, kept) in &self.replaced {
            let restored = match look(root, path) {
                Ok(None) => root.rename(kept, path).is_ok(),
                _ => false,
            };
            if !restored {
                warnings.push(format!("{} is kept in {}", shown(path), shown(kept)));
            }
        }
        warnings
    }

    /// Whether what stands at `path` is what stood there when the task began.
    pub(super) fn is_untouched(&self, root: &Root, path: &[u8]) -> Step<bool> {
        let now = look(root, path)?.filter(|seen| seen.link.kind() != FileKind::Dir);
        Ok(now == self.stays.get(path).map(|(seen, _)| *seen))
    }

    /// Moves what taskr did not make out of the way, to be named. With `--strict` nothing does.
    fn give_way(&mut self, context: &Context, run: &Run, path: &[u8]) -> Step<()> {
        if run.strict {
            return Err(Stop::Failed(format!(
                "{} is not as taskr left it, and with --strict it does not give way: move it \
                 away, or build without --strict",
                shown(path)
            )));
        }
        let kept = replaced_path(&context.run_id, path);
        move_to(&context.root, path, &kept)?;
        self.replaced.push((path.to_vec(), kept));
        Ok(())
    }

    /// The same for a file that may be there.
    pub(super) fn keep_foreign(&mut self, context: &Context, run: &Run, path: &[u8]) -> Step<()> {
        match look(&context.root, path)? {
            Some(seen) if seen.link.kind() != FileKind::Dir => self.give_way(context, run, path),
            _ => Ok(()),
        }
    }

    /// What the attempt wrote at its outputs.
    fn written(&self, root: &Root, run: &Run) -> Vec<Vec<u8>> {
        let standing = run.outputs.iter().flat_map(|declared| standing_at(root, &declared.output));
        let is_new = |path: &Vec<u8>| {
            let now = look(root, path).ok().flatten();
            self.stays.get(path).is_none_or(|(seen, _)| now.as_ref() != Some(seen))
        };
        let written: BTreeSet<Vec<u8>> = standing.filter(is_new).collect();
        written.into_iter().collect()
    }
}

/// Puts back what a task folder's `aside/` holds, where its place is free.
pub fn restore_aside(root: &Root, aside: &[u8], out: &[u8]) -> Vec<String> {
    let mut warnings = Vec::new();
    let workspace = join(aside, b"ws");
    for (from, _) in list_tree(root.path(), &workspace).unwrap_or_default() {
        let to = &from[workspace.len() + 1..];
        if look(root, to).is_ok_and(|seen| seen.is_none())
            && let Err(error) = root.rename(&from, to)
        {
            warnings.push(format!("cannot put back {}: {}", shown(to), said(&error)));
        }
    }
    let old = join(aside, b"out");
    if look(root, &old).is_ok_and(|seen| seen.is_some()) {
        let moved = root.remove_tree(out).and_then(|()| root.rename(&old, out));
        warnings.extend(
            moved.err().map(|error| format!("cannot put back {}: {}", shown(out), said(&error))),
        );
    }
    warnings
}

/// What stands where the folder `path`, or one above it, must be made.
fn file_in_the_way<'p>(root: &Root, path: &'p [u8]) -> Option<&'p [u8]> {
    let mut folder = path;
    while !folder.is_empty() {
        if look(root, folder).is_ok_and(|seen| seen.is_some()) {
            return (!root.absolute(folder).is_dir()).then_some(folder);
        }
        folder = dir_of(folder);
    }
    None
}

/// Whether the file is what the record says; the digest is asked for only if the stamps do not
/// tell.
fn is_as_recorded(root: &Root, before: &Before, seen: &Seen, buffer: &mut Vec<u8>) -> bool {
    before.seen == Some(*seen) || holds(root, &before.file.path, Some(&before.file.made), buffer)
}

/// Whether the file is what another task recorded.
fn is_of_others(root: &Root, path: &[u8], others: &Recorded, buffer: &mut Vec<u8>) -> bool {
    let mut made = others.get(path).into_iter().flatten();
    made.any(|made| holds(root, path, Some(made), buffer))
}

/// Whether the path belongs to a plain output; such a path is the task's own, whatever stands
/// there.
fn is_plain(run: &Run, path: &[u8]) -> bool {
    run.outputs.iter().any(|declared| match &declared.output {
        Output::Path(output) => is_within(path, output),
        Output::Glob(_) => false,
    })
}

/// Whether a path is of a declared output, not only left in `out/`.
fn is_declared(run: &Run, path: &[u8]) -> bool {
    run.outputs.iter().any(|declared| declared.output.covers(path))
}

/// Where a file that taskr did not make is kept.
pub fn replaced_path(run_id: &str, path: &[u8]) -> Vec<u8> {
    join(format!("{STATE_DIR}/replaced/{run_id}").as_bytes(), path)
}

pub(super) fn aside(run: &Run, path: &[u8]) -> Vec<u8> {
    join(&run.dir.join("aside/ws"), path)
}
