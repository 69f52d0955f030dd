//! A task that ran, from its end to its record, or to its failure.

use taskr_cache::{Content, Digest, FileKind, Seen};

use super::away::described;
use super::date::unix_ms;
use super::finish::{End, reasons_text};
use super::gather::Gap;
use super::moved::{Reading, unstable_text};
use super::real::Real;
use super::spent::Part;
use super::{Active, Again, Build, Done, Running};
use crate::error::Error;
use crate::files::Look;
use crate::graph::Kind;
use crate::ids::{FileId, TaskId};
use crate::outcome::{
    Event, Field, Finish, FoundList, Made, Manifest, OutFile, Reason, Record, Tag, TaskRef, shown,
};
use crate::outdir::dir_of;
use crate::record;
use crate::workers::{Checked, DepfileRead, Ended, Result as Outcome, Success};

/// So many files that had to give way are named one by one.
pub(super) const MOST_NAMED: usize = 3;

/// A task runs once more if its inputs moved, then no more.
pub(super) const MOST_MOVED: usize = 2;

/// Whether a link among a task's outputs, to a folder or where one was before, leads elsewhere than it
/// did.
fn turns_links(running: &Running, ended: &Ended) -> bool {
    let (Outcome::Success(success) | Outcome::Unstable(success, _)) = &ended.result else {
        return false;
    };
    fn link(file: &OutFile) -> Option<(&[u8], &Made)> {
        matches!(file.made, Made::Link(_)).then_some((&file.path, &file.made))
    }
    let before = &running.due.gathered.before;
    let was: Vec<_> = before.iter().filter_map(|before| link(&before.file)).collect();
    let now: Vec<_> = success.outputs.iter().filter_map(|(file, _)| link(file)).collect();
    let to_folder = success.outputs.iter().any(|(file, seen)| {
        link(file).is_some() && seen.file.is_some_and(|at| at.kind() == FileKind::Dir)
    });
    (to_folder || !was.is_empty()) && was != now
}

impl Build<'_> {
    /// A worker is done with a task.
    pub(super) fn task_ended(&mut self, ended: Ended) -> Result<(), Error> {
        self.workers.answered();
        self.attempt_ended(ended)
    }

    /// One attempt of a task has come to its end.
    pub(super) fn attempt_ended(&mut self, mut ended: Ended) -> Result<(), Error> {
        self.admission.ended(ended.task);
        if !matches!(ended.result, Outcome::Success(_)) {
            self.tokens.doubt();
        }
        self.tell_steps(&ended);
        if !matches!(ended.result, Outcome::Failed(_)) {
            self.task_locks.extend(ended.lock.take());
        }
        let id = ended.task;
        let Some(Active::Running(running)) = self.active.remove(&id) else { return Ok(()) };
        let interrupted = self.take_console(id, &ended);
        let warnings = std::mem::take(&mut ended.warnings);
        for warning in &warnings {
            self.warn(Some(id), warning);
        }
        self.forget_outputs_of(id, &running, &ended);
        self.take_written(&ended);
        self.tell_replaced(id, &ended);
        if let Some(lost) = self.lost_service(id, &running, &ended) {
            self.fail_for_service(id, &running, &ended, lost);
            return Ok(());
        }
        match ended.result {
            Outcome::Stopped => self.end(id, &End::stopped(&ended, &running)),
            Outcome::Failed(_) if interrupted => self.end(id, &End::stopped(&ended, &running)),
            Outcome::Failed(ref what) => {
                let what = what.clone();
                self.note_failed(&ended);
                self.attempt_failed(id, running, ended, what);
            }
            // Its folder is another's: nothing is written there.
            Outcome::Busy(holder) => {
                self.tally.summary.busy = true;
                let holder = described(holder.as_ref());
                self.cannot_start(id, format!("another taskr runs it{holder}"), None);
            }
            Outcome::Success(_) if running.due.hit.is_some() => {
                self.record_restored(id, &running, &ended);
            }
            Outcome::Success(_) => {
                self.active.insert(id, Active::Recording(running, Box::new(ended)));
                self.record_success(id);
            }
            Outcome::NotRestored { .. } => self.not_restored(id, *running, &ended),
            Outcome::Moved(ref paths) => {
                self.run_again(id, (&running, &ended), paths.clone(), Vec::new())?;
            }
            Outcome::Unstable(..) => self.unstable(id, &running, &ended),
        }
        Ok(())
    }

    /// How long each of a worker's steps took.
    fn tell_steps(&mut self, ended: &Ended) {
        let (id, name) = (ended.task, self.graph.name(ended.task));
        for &(name_of_step, begun, ended) in &ended.steps {
            let task = Some(TaskRef { id, name });
            (self.listener)(&Event::Stage { name: name_of_step, task, begun, ended });
        }
    }

    /// What was known of a task's outputs is stale; what was found after publishing is known.
    fn forget_outputs_of(&mut self, id: TaskId, running: &Running, ended: &Ended) {
        let before = running.due.gathered.before.iter().map(|before| before.file.path.clone());
        let mut stale: Vec<Vec<u8>> = before.collect();
        if let Outcome::Success(success) | Outcome::Unstable(success, _) = &ended.result {
            stale.extend(success.touched.iter().cloned());
            stale.extend(success.outputs.iter().map(|(file, _)| file.path.clone()));
        }
        self.lookups.interpreters.clear();
        self.lookups.programs.clear();
        // Who declares no outputs, or sets up whole folders, may have written anywhere.
        let rule = &self.graph.task(id).rule;
        let anywhere = rule.target.kind == Kind::Unrecorded || !rule.installs.is_empty();
        // And what is found behind a link to a folder is elsewhere now.
        if anywhere || turns_links(running, ended) {
            self.forget_everything();
            self.lookups.real = Real::default();
        }
        self.forget_paths(stale.iter().map(Vec::as_slice));
        let Outcome::Success(success) = &ended.result else { return };
        self.deeds.emptied.extend(success.touched.iter().map(|path| dir_of(path).to_vec()));
        for (file, seen) in &success.outputs {
            let made = self.paths.intern(&file.path);
            self.deeds.made.insert(made);
            self.vouched.note_made(made, id);
            if let Made::File { executable, digest, .. } = file.made {
                self.files.learn(made, Some((*seen, Content::File { executable, digest })));
            }
        }
    }

    /// Its inputs moved while it ran: what was known of them is asked for anew.
    fn run_again(
        &mut self,
        id: TaskId,
        (running, ended): (&Running, &Ended),
        paths: Vec<Vec<u8>>,
        left: Vec<OutFile>,
    ) -> Result<(), Error> {
        self.tally.repeated(ended.duration_ms + ended.in_vain_ms);
        self.forget_everything();
        if self.plan.is_stopped() {
            self.end(id, &End::without_run(Finish::Cancelled));
            return Ok(());
        }
        let moved = self.moved_files(id, running, &paths);
        self.tell_again(id, &moved);
        let because = match moved.is_empty() {
            true => paths.into_iter().map(Reason::Moved).collect(),
            false => moved.into_iter().map(|moved| Reason::Moved(moved.path)).collect(),
        };
        let again = Again { tries: running.due.tries.once_more(running.begun_ms), because, left };
        self.plan.judges(id);
        self.active.insert(id, Active::Judging(again));
        self.judge_again(id)
    }

    fn unstable(&mut self, id: TaskId, running: &Running, ended: &Ended) {
        let Outcome::Unstable(_, paths) = &ended.result else { return };
        self.keep_unproven(id, running, ended);
        self.forget_everything();
        let what = unstable_text(&self.moved_files(id, running, paths));
        let failure = self.failure(id, running, ended, what);
        self.end(id, &End::failed(Finish::Unstable, ended, &failure, running));
    }

    /// The commit: one record, once all that the depfile found is known.
    pub(super) fn record_success(&mut self, id: TaskId) {
        let Some(Active::Recording(running, ended)) = self.active.remove(&id) else { return };
        let Outcome::Success(success) = &ended.result else { return };
        self.vouched.ask_for(id);
        if self.graph.task(id).kind() == Kind::Unrecorded {
            let outputs = success.outputs.iter().map(|(file, _)| file.clone()).collect();
            self.done[id] = Done { outputs, ..Done::default() };
            self.end(id, &End::ran(&ended, &running));
            return;
        }
        if !ended.written.is_empty() && self.has_fixed(id, &running, &ended) {
            return;
        }
        let manifest = match self.found_fields(&running, success) {
            Ok(found) => running.due.gathered.manifest.with_found(&found),
            Err(Found::Unread(files)) => {
                self.active.insert(id, Active::Recording(running, ended));
                self.wait_for(id, files);
                return;
            }
            Err(Found::Moved(path)) if !running.due.tries.is_last() => {
                self.keep_unproven(id, &running, &ended);
                let left = success.outputs.iter().map(|(file, _)| file.clone()).collect();
                if let Err(error) = self.run_again(id, (&running, &ended), vec![path], left) {
                    self.warn(Some(id), &crate::error::render(&error, false, 100));
                }
                return;
            }
            Err(Found::Moved(path)) => {
                self.keep_unproven(id, &running, &ended);
                let what = unstable_text(&self.moved_files(id, &running, &[path]));
                let failure = self.failure(id, &running, &ended, what);
                self.end(id, &End::failed(Finish::Unstable, &ended, &failure, &running));
                return;
            }
            Err(Found::Wrong(what)) => {
                self.keep_unproven(id, &running, &ended);
                self.fail(id, &running, &ended, what);
                return;
            }
        };
        let was = self.spent.enter(Part::Record);
        let own = self.found_list(&running, success, manifest.key());
        let found = self.lists_after(id, &running, own);
        let record = self.new_record(id, &running, (&ended, success, found), manifest);
        self.done[id] = Done {
            outputs: record.outputs.clone().into(),
            key: Some(record.key),
            ..Done::default()
        };
        self.compare_with_before(id, &running, &record);
        self.write_record(id, &record);
        if !self.graph.task(id).rule.target.policy.fixes_inputs {
            self.note_used(id, &running, success);
        }
        self.save(id, &record, success);
        self.spent.enter(was);
        self.end(id, &End::ran(&ended, &running));
    }

    /// Keeps in mind what a task read, to see at the end whether it is still that. Not of
    /// formatters: another may go on with what one has left, and they make nothing of it.
    fn note_used(&mut self, id: TaskId, running: &Running, success: &Success) {
        let asked = self.deeds.alone.filter(|&(alone, _)| alone == id).map(|(_, begun)| begun);
        for &(file, seen, content) in &running.due.gathered.inputs {
            self.deeds.used.note(file, Reading { seen, content, asked });
        }
        for (path, seen) in success.found.iter().flatten() {
            let Some(file) = self.paths.get(path).filter(|&file| !is_declared(running, file))
            else {
                continue;
            };
            if let Ok(Look::Known(_, content)) = self.look(file) {
                self.deeds.used.note(file, Reading { seen: *seen, content, asked });
            }
        }
    }

    /// Published, but who knows from which inputs: the record says no more than that what stands
    /// at the outputs is taskr's work.
    pub(super) fn keep_unproven(&mut self, id: TaskId, running: &Running, ended: &Ended) {
        let (Outcome::Success(success) | Outcome::Unstable(success, _)) = &ended.result else {
            return;
        };
        if self.graph.task(id).kind() == Kind::Recorded {
            let manifest = running.due.gathered.manifest.clone();
            let own = self.found_list(running, success, manifest.key());
            let found = self.lists_after(id, running, own);
            let record = self.new_record(id, running, (ended, success, found), manifest);
            self.write_record(id, &Record { unstable: true, ..record });
        }
    }

    /// What the depfile named beside declared inputs.
    fn found_list(&self, running: &Running, success: &Success, key: Digest) -> Option<FoundList> {
        let paths = success.found.as_ref()?.iter().map(|(path, _)| path);
        let others = paths
            .filter(|path| !self.paths.get(path).is_some_and(|file| is_declared(running, file)));
        Some(FoundList { paths: others.cloned().collect(), key })
    }

    pub(super) fn new_record(
        &self,
        id: TaskId,
        running: &Running,
        (ended, success, found): (&Ended, &Success, Vec<FoundList>),
        manifest: Manifest,
    ) -> Record {
        let relocatable = self.graph.task(id).rule.target.policy.relocatable;
        let names_place = success.names_root && !relocatable;
        Record {
            key: manifest.key(),
            manifest,
            outputs: success.outputs.iter().map(|(file, _)| file.clone()).collect(),
            installs: success.installs.clone(),
            found,
            place: names_place.then_some(self.place),
            unstable: false,
            intent: running.intent,
            declared: self.graph.task(id).rule.declared(),
            ended_ms: unix_ms(),
            duration_ms: ended.duration_ms,
            reason: reasons_text(&running.due.reasons),
        }
    }

    pub(super) fn write_record(&mut self, id: TaskId, record: &Record) {
        let state_id = self.names.id(self.graph.name(id));
        let failed = record::failed_key(&self.held.state, &state_id).is_some();
        if let Some(writer) = &mut self.held.writer {
            self.held.live_intents.remove(&state_id);
            if failed {
                record::forget_failure(writer, state_id.clone());
            }
            record::write(writer, state_id, record);
        }
    }

    /// While nothing changes that counts, what failed is not restored but tried again.
    pub(super) fn note_failure(&mut self, id: TaskId, running: &Running) {
        let state_id = self.names.id(self.graph.name(id));
        let key = running.due.gathered.key.filter(|_| self.graph.task(id).kind() == Kind::Recorded);
        if let (Some(writer), Some(key)) = (&mut self.held.writer, key) {
            record::write_failure(writer, state_id, &key);
            self.compare_failure(id, running, key);
        }
    }

    /// Manifest fields of what the depfile of this run found.
    fn found_fields(&mut self, running: &Running, success: &Success) -> Result<Vec<Field>, Found> {
        let mut fields = Vec::new();
        let mut unread = Vec::new();
        for (path, seen) in success.found.iter().flatten() {
            let file = self.paths.intern(path);
            if is_declared(running, file) {
                continue;
            }
            match self.look(file) {
                Ok(Look::Unread) => unread.push(file),
                Ok(Look::Known(known, _)) if known != *seen => {
                    return Err(Found::Moved(path.clone()));
                }
                Ok(Look::Known(_, content)) => {
                    fields.push(Field::input(Tag::Discovered, path, &content));
                }
                Err(Gap::Wrong(what)) => return Err(Found::Wrong(what.message)),
                Err(Gap::Unread(files)) => unread.extend(files),
                // Nobody is asked about a file.
                Err(Gap::Unasked(_)) => {}
            }
        }
        if unread.is_empty() { Ok(fields) } else { Err(Found::Unread(unread)) }
    }

    /// Answers a worker that waits to publish: may what its depfile names be inputs?
    pub(super) fn check_found(&mut self, read: &DepfileRead) {
        let mut moved = Vec::new();
        let mut checked = Checked::Fine;
        for (path, seen) in &read.found {
            let file = self.paths.intern(path);
            let Some(Active::Running(running)) = self.active.get(&read.task) else { break };
            if is_declared(running, file) {
                continue;
            }
            if let Err(what) = self.check_maker(read.task, path) {
                checked = Checked::Wrong(what);
                break;
            }
            if self.may_have_moved(file, *seen, read.started_ns) {
                moved.push(path.clone());
            }
        }
        if let (Checked::Fine, false) = (&checked, moved.is_empty()) {
            checked = Checked::Moved(moved);
        }
        // A worker that is gone needs no answer.
        let _ = read.answer.send(checked);
    }

    /// A file that was first heard of after the run: it may have changed while the task read it,
    /// unless its stamps are older than the start.
    fn may_have_moved(&self, file: FileId, seen: Option<Seen>, started_ns: i64) -> bool {
        let is_ours =
            |seen: &Seen| self.deeds.made.contains(&file) || self.deeds.fixed.is_work(file, seen);
        let Some(seen) = seen.filter(|seen| !is_ours(seen)) else { return false };
        // Every write moves the ctime to the file system's own clock; an mtime can be set.
        let newest = seen.stamps().map(|stamp| stamp.ctime_ns).max();
        newest.is_some_and(|newest| newest >= started_ns)
    }

    /// A found file that another task makes needs an edge to that task.
    fn check_maker(&mut self, id: TaskId, path: &[u8]) -> Result<(), String> {
        let Some(maker) = self.maker_of(path).filter(|&maker| maker != id) else { return Ok(()) };
        if self.plan.is_missing(maker) {
            let (path, maker) = (shown(path), self.graph.name(maker));
            return Err(format!(
                "its depfile names {path}, which is of an earlier run: `{maker}` did not succeed"
            ));
        }
        if self.waits_for(id, maker) {
            return Ok(());
        }
        let rule = &self.graph.task(id).rule;
        let name = rule.target.names(&self.graph.task(maker).rule.target.name);
        Err(format!(
            "its depfile names {}, which `{name}` makes, but it does not wait for `{name}`: {}",
            shown(path),
            rule.how_to_wait(&name, None)
        ))
    }

    /// Names files that had to give way: the first few, the rest as a number at the end.
    fn tell_replaced(&mut self, id: TaskId, ended: &Ended) {
        for (path, kept) in &ended.replaced {
            self.deeds.replaced += 1;
            if self.deeds.replaced <= MOST_NAMED {
                let what = format!(
                    "{} was not as taskr left it: it is kept in {}",
                    shown(path),
                    shown(kept)
                );
                self.warn(Some(id), &what);
            }
        }
    }

    /// The task that declares a path as output, or in whose `out/` it lies.
    pub(super) fn maker_of(&self, path: &[u8]) -> Option<TaskId> {
        self.lookups.folders.maker_of(path, &self.graph, &self.request.taskfile)
    }
}

/// Whether a file is a declared input: then it counts as that, and was looked at as that.
fn is_declared(running: &Running, file: FileId) -> bool {
    running.due.gathered.declared.contains(&file)
}

/// Why what a depfile found cannot be taken.
enum Found {
    Unread(Vec<FileId>),
    Moved(Vec<u8>),
    Wrong(String),
}
