//! The ledger of tasks that did not do the same under the same key: noticed in passing, by
//! whatever runs anyway.

use std::collections::BTreeMap;

use super::date::unix_ms;
use super::open::{make_state_dir, read_state, refuse_nested, take_lock};
use super::{Build, Listener, Messages, Request, Running, new_run_id};
use crate::error::Error;
use crate::ids::TaskId;
use crate::lock::Note;
use crate::outcome::{Difference, Event, Flaw, Made, OutFile, Record};
use crate::outdir::{Root, STATE_DIR};
use crate::record::{self, Names};
use taskr_cache::{Access, Digest, Writer};

impl Build<'_> {
    /// A success: was there another outcome under its key?
    pub(super) fn compare_with_before(&mut self, id: TaskId, running: &Running, record: &Record) {
        let state_id = self.names.id(self.graph.name(id));
        let tried = running.due.tries.failed.last().and_then(|tried| tried.key);
        let failed = tried.or_else(|| record::failed_key(&self.held.state, &state_id));
        if failed == Some(record.key) {
            self.note_flaw(id, record.key, Difference::Recovered, &[]);
        }
        let old = running.due.gathered.record.as_ref().filter(|_| self.is_function(id));
        if let Some(old) = old.filter(|old| old.key == record.key && !old.unstable) {
            let paths = differing(&old.outputs, &record.outputs);
            if !paths.is_empty() {
                self.note_flaw(id, record.key, Difference::Outputs, &paths);
            }
        }
    }

    /// A failure under `key`: did it succeed before?
    pub(super) fn compare_failure(&mut self, id: TaskId, running: &Running, key: Digest) {
        let old = running.due.gathered.record.as_ref();
        if old.is_some_and(|old| old.key == key && !old.unstable) {
            self.note_flaw(id, key, Difference::Broke, &[]);
        }
    }

    /// What the store has otherwise, unless the last record told that already.
    pub(super) fn note_differing(&mut self) {
        for differing in std::mem::take(&mut self.deeds.differing) {
            let Some(id) = self.graph.find(&differing.task) else { continue };
            let is_of_now = self.done[id].key == Some(differing.key);
            if is_of_now && self.is_function(id) && !self.deeds.flawed.contains(&id) {
                self.note_flaw(id, differing.key, Difference::Outputs, &differing.paths);
            }
        }
    }

    /// Whether its outputs are to depend on its inputs alone, and not on the time or on what earlier
    /// runs left.
    fn is_function(&self, id: TaskId) -> bool {
        let policy = &self.graph.task(id).rule.target.policy;
        policy.max_age_ms.is_none() && !policy.keep_outputs
    }

    fn note_flaw(&mut self, id: TaskId, key: Digest, difference: Difference, paths: &[Vec<u8>]) {
        self.deeds.flawed.insert(id);
        let state_id = self.names.id(self.graph.name(id));
        let flaw = Flaw::new(unix_ms(), key, difference, paths);
        if let Some(writer) = &mut self.held.writer {
            record::write_flaw(writer, &self.held.state, state_id, &flaw);
        }
    }
}

/// Tells the ledger of a workspace what was seen elsewhere of its tasks: one observation of each.
///
/// # Errors
/// The workspace is locked, or cannot be written.
pub fn add_to_ledger(
    request: &Request<'_>,
    flaws: &[(String, Flaw)],
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<(), Error> {
    let dir = request.root.join(STATE_DIR);
    refuse_nested(request, &dir)?;
    let root = Root::open(&request.root).map_err(|cause| Error::Io {
        doing: "cannot open".to_owned(),
        path: request.root.clone(),
        cause,
    })?;
    make_state_dir(&root)?;
    let command = request.command_line.clone();
    let note = Note { pid: std::process::id(), run_id: new_run_id(), command, stays: false };
    let (_lock, _) = take_lock(&dir, &note, request, messages, listener)?;
    let opened = read_state(&dir, Access::Write);
    let names = Names::new(&request.taskfile);
    let mut writer = Writer::new(&dir);
    for (task, flaw) in flaws {
        record::write_flaw(&mut writer, &opened.state, names.id(task), flaw);
    }
    for warning in opened.warnings.into_iter().chain(writer.close()) {
        listener(&Event::Warning { task: None, message: &warning });
    }
    Ok(())
}

/// Paths that are not the same in both.
fn differing(old: &[OutFile], new: &[OutFile]) -> Vec<Vec<u8>> {
    let of = |files: &'_ [OutFile]| -> BTreeMap<Vec<u8>, Made> {
        files.iter().map(|file| (file.path.clone(), file.made.clone())).collect()
    };
    let (old, new) = (of(old), of(new));
    let changed = new.iter().filter(|(path, made)| old.get(*path) != Some(made));
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    changed.map(|(path, _)| path).chain(gone).cloned().collect()
}
