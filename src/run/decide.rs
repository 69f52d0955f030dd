//! Whether a ready task is up to date: what was gathered is held against its record, its outputs
//! and the store.
//!
//! The decision itself is [`crate::judge`]'s; here it gets to know what it asks for.

use std::os::unix::ffi::OsStrExt;

use rustc_hash::FxHashSet;
use taskr_cache::{Content, Seen};

use super::gather::{Gap, Gathered};
use super::spent::Part;
use super::stored::{Hit, is_older};
use super::{Again, Build, Due};
use crate::files::Look;
use crate::graph::{Kind, Output};
use crate::ids::TaskId;
use crate::judge::{Facts, Verdict, judge};
use crate::outcome::{Made, Manifest, OutFile, Reason, Record};
use crate::record;
use crate::workers::{Before, standing_at};

impl Build<'_> {
    /// Gathers and judges. No reasons: it is fresh.
    pub(super) fn decide(&mut self, id: TaskId, again: &Again) -> Result<Due, Gap> {
        self.vouched.ask_for(id);
        let due = self.decided(id, again)?;
        if !due.reasons.is_empty() {
            self.check_outputs(id)?;
        }
        Ok(due)
    }

    fn decided(&mut self, id: TaskId, again: &Again) -> Result<Due, Gap> {
        let mut gathered = self.gather(id)?;
        let tries = again.tries.clone();
        if self.graph.task(id).kind() != Kind::Recorded {
            return Ok(Due { gathered, reasons: vec![Reason::Unrecorded], tries, hit: None });
        }
        let state_id = self.names.id(self.graph.name(id));
        let was = self.spent.enter(Part::Recall);
        let record = record::read(&self.held.state, &state_id);
        self.spent.enter(was);
        let mut doubt = None;
        let mut manifest = gathered.manifest.clone();
        if let Some(record) = &record
            && let Some(list) = record.found.first()
            && manifest.static_key() == record.manifest.static_key()
        {
            // What cannot be looked at any more is no longer what it was.
            match self.discovered(&list.paths) {
                Err(Gap::Wrong(_)) => {}
                found => manifest = manifest.with_found(&found?),
            }
            doubt = self.untied(id, &list.paths);
        }
        let was = self.spent.enter(Part::Key);
        let key = manifest.key();
        self.spent.enter(was);
        gathered.key = Some(key);
        gathered.before = before_of(record.as_ref(), &again.left);
        if let Some(record) = record.as_ref().filter(|record| doubt.is_none() && record.key == key)
            && self.another_fits(id, &gathered, record)?
        {
            doubt = Some(Reason::Ambiguous);
        }
        let because = match doubt {
            Some(doubt) if again.because.is_empty() => vec![doubt],
            _ => again.because.clone(),
        };
        if !because.is_empty() {
            gathered.record = record;
            return Ok(Due { gathered, reasons: because, tries, hit: None });
        }
        let facts = self.facts(id, &state_id, record.as_ref(), &manifest);
        let (mut reasons, hit) = self.judged(id, facts, &gathered)?;
        self.name_services(&mut reasons);
        for before in &mut gathered.before {
            before.seen = self.seen_as_recorded(&before.file);
        }
        gathered.record = record;
        Ok(Due { gathered, reasons, tries, hit })
    }

    /// What is known without asking for outputs or the store.
    fn facts<'f>(
        &self,
        id: TaskId,
        state_id: &[u8],
        record: Option<&'f Record>,
        manifest: &'f Manifest,
    ) -> Facts<'f> {
        let policy = &self.graph.task(id).rule.target.policy;
        let ended_ms = record.map_or(0, |record| record.ended_ms);
        let failed = record::failed_key(&self.held.state, state_id);
        Facts {
            forced: self.forced.contains(&id),
            always: self.graph.task(id).rule.target.always,
            failed: failed == Some(manifest.key()),
            unfinished: self.held.live_intents.contains_key(state_id)
                || record.is_some_and(|record| record.unstable),
            too_old: policy.max_age_ms.is_some_and(|most| is_older(ended_ms, most)),
            moved: record.and_then(|record| record.place).is_some_and(|place| place != self.place),
            record,
            manifest,
            outputs: None,
            stored: (!self.has_store(id)).then_some(false),
        }
    }

    /// Judges, and finds out what that needs to know.
    fn judged(
        &mut self,
        id: TaskId,
        mut facts: Facts<'_>,
        gathered: &Gathered,
    ) -> Result<(Vec<Reason>, Option<Box<Hit>>), Gap> {
        let key = facts.manifest.key();
        let mut hit = None;
        loop {
            match judge(&facts, &key) {
                Verdict::Fresh => {
                    let is_fresh = self.answer(id, &gathered.rendered)?;
                    let reasons = if is_fresh { Vec::new() } else { vec![Reason::FreshIf] };
                    return Ok((reasons, None));
                }
                Verdict::Run(reasons) => return Ok((reasons, None)),
                Verdict::Restore(reasons) => return Ok((reasons, hit.map(Box::new))),
                Verdict::NeedOutputs => {
                    facts.outputs = Some(self.outputs_as_recorded(id, facts.record)?);
                }
                Verdict::NeedStore => {
                    let was = self.spent.enter(Part::Store);
                    let found = self.find_hit(id, gathered, &facts);
                    self.spent.enter(was);
                    hit = found?;
                    facts.stored = Some(hit.is_some());
                }
            }
        }
    }

    /// Whether what stands at the outputs is exactly what the record says.
    fn outputs_as_recorded(
        &mut self,
        id: TaskId,
        record: Option<&Record>,
    ) -> Result<Result<(), Reason>, Gap> {
        let Some(record) = record else { return Ok(Ok(())) };
        let mut unread = Vec::new();
        for output in &record.outputs {
            let file = self.paths.intern(&output.path);
            match self.look(file)? {
                Look::Unread if matches!(output.made, Made::Link(_)) => {}
                Look::Unread => unread.push(file),
                Look::Known(_, Content::Absent) => {
                    return Ok(Err(Reason::OutputMissing(output.path.clone())));
                }
                Look::Known(_, content) if !holds(&content, &output.made) => {
                    return Ok(Err(Reason::OutputChanged(output.path.clone())));
                }
                Look::Known(..) => {}
            }
            if !self.link_is(output) {
                return Ok(Err(Reason::OutputChanged(output.path.clone())));
            }
        }
        if !unread.is_empty() {
            return Err(Gap::Unread(unread));
        }
        if let Some(extra) = self.extra_in_folder(id, record) {
            return Ok(Err(Reason::OutputChanged(extra)));
        }
        for (path, dev, ino) in &record.installs {
            let seen = Seen::of(&self.root.absolute(path)).ok().flatten();
            if seen.is_none_or(|seen| (seen.link.dev, seen.link.ino) != (*dev, *ino)) {
                return Ok(Err(Reason::InstallChanged(path.clone())));
            }
        }
        Ok(Ok(()))
    }

    /// A file in a folder that is an output as a whole, but not one that the task left there.
    pub(super) fn extra_in_folder(&self, id: TaskId, record: &Record) -> Option<Vec<u8>> {
        let folders = self.folders_of_outputs(id, record);
        let recorded: FxHashSet<&[u8]> = record.outputs.iter().map(|file| &file.path[..]).collect();
        let mut standing = folders.flat_map(|output| standing_at(&self.root, output));
        standing.find(|path| !recorded.contains(&path[..]))
    }

    /// Outputs that are folders as a whole.
    pub(super) fn folders_of_outputs(
        &self,
        id: TaskId,
        record: &Record,
    ) -> impl Iterator<Item = &Output> {
        let declared = self.graph.task(id).rule.outputs.iter().map(|output| &output.value);
        declared.filter(|output| match output {
            Output::Path(path) => record.outputs.iter().all(|file| file.path != *path),
            Output::Glob(_) => false,
        })
    }

    /// Of a link that is an output only its text counts.
    fn link_is(&self, output: &OutFile) -> bool {
        let Made::Link(text) = &output.made else { return true };
        let now = std::fs::read_link(self.root.absolute(&output.path));
        now.is_ok_and(|now| now.as_os_str().as_bytes() == &text[..])
    }

    /// The stamps of an output, if they vouch for what is recorded.
    fn seen_as_recorded(&mut self, output: &OutFile) -> Option<Seen> {
        let file = self.paths.get(&output.path)?;
        match self.look(file) {
            Ok(Look::Known(seen, content)) if holds(&content, &output.made) => seen,
            _ => None,
        }
    }
}

/// Whether a path that holds `content` is the output `made`. A link's text is compared apart.
fn holds(content: &Content, made: &Made) -> bool {
    match (content, made) {
        (
            Content::File { executable, digest },
            Made::File { executable: recorded, digest: of_record, .. },
        ) => executable == recorded && digest == of_record,
        (Content::Link(_), Made::Link(_)) | (Content::Folder, Made::Folder) => true,
        _ => false,
    }
}

/// What stands at the outputs by taskr's own doing: by the record, or by an attempt of this run.
fn before_of(record: Option<&Record>, left: &[OutFile]) -> Vec<Before> {
    let recorded = record.map_or(&[][..], |record| &record.outputs).iter();
    let older = recorded.filter(|file| !left.iter().any(|newer| newer.path == file.path));
    left.iter().chain(older).map(|file| Before { file: file.clone(), seen: None }).collect()
}
