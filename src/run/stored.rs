//! Results from the store and into it: what is looked for under which keys, how a task is
//! restored instead of run, what of a success is worth keeping.
//!
//! A store never fails a build: what cannot be read is not there, what cannot be written is told
//! once. Restoring that fails leads to a run.

use std::path::PathBuf;

use rustc_hash::FxHashSet;
use taskr_cache::{Blob, Digest, Entry, FileKind, Place, Save, Saver, Seen, Store, Stored, What};

use super::date::unix_ms;
use super::finish::End;
use super::gather::{Gap, Gathered};
use super::moved::Reading;
use super::{Build, Done, Due, Running};
use crate::files::Look;
use crate::graph::Cache;
use crate::ids::TaskId;
use crate::judge::Facts;
use crate::outcome::{Event, Finish, FoundList, Made, Manifest, OutFile, Record, Tag, TaskRef};
use crate::workers::{Ended, Launch, Message, Restore, Result as Outcome, Success};

/// Where the store is, and how large it may get.
#[derive(Clone, Debug)]
pub struct StoreAt {
    /// Its folder, absolute; made when something is stored.
    pub dir: PathBuf,
    /// In bytes; none: what the store itself thinks right for the disk.
    pub limit_bytes: Option<u64>,
}

/// The store as a run uses it.
pub(super) struct Kept {
    store: Store,
    /// None in a dry run, which writes nothing.
    saver: Option<Saver>,
    /// What this run gave to it.
    saved: Vec<Digest>,
    /// Asked for when the first success is stored.
    umask: Option<u32>,
}

/// A result that holds for what a task is now.
pub(super) struct Hit {
    manifest: Manifest,
    entry: Entry,
    /// What it is stored under.
    key: Digest,
}

impl Hit {
    /// What the task is now.
    pub(super) fn key(&self) -> Digest {
        self.manifest.key()
    }

    /// How long the command ran that made it, in milliseconds.
    pub(super) fn command_ms(&self) -> u64 {
        self.entry.duration_ms
    }
}

/// What a restore costs (measured, `bench/restore`): so much for each task, for each file, and for
/// each byte, in microseconds of processor time. A task is 250 on tmpfs and 1,300 on an ext4 without
/// a journal; a file of 100 KiB is 125, of which copying and verifying it by hand are 95.
const RESTORE_US: u64 = 1_000;
const RESTORE_FILE_US: u64 = 50;
const RESTORE_BYTES_PER_US: u64 = 1_300;

/// What costs so many times its run to restore is not stored unless it is asked for.
const CLEARLY_DEARER: u64 = 2;

/// Folders that are the same for all workspaces of a machine.
const SYSTEM: [&str; 6] = ["/usr/", "/lib", "/opt/", "/etc/", "/nix/store/", "/gnu/store/"];

/// Where the kernel does not tell it.
const USUAL_UMASK: u32 = 0o022;

/// A longer log is not kept a second time, in bytes; its task is not stored.
const LONGEST_LOG: u64 = 64 * 1024 * 1024;

impl Kept {
    pub(super) fn new(at: &StoreAt, dry_run: bool) -> Kept {
        Kept {
            store: Store::new(&at.dir),
            saver: (!dry_run).then(|| Saver::new(&at.dir, at.limit_bytes)),
            saved: Vec::new(),
            umask: None,
        }
    }
}

impl Build<'_> {
    /// Whether results of the task are kept and looked for.
    pub(super) fn has_store(&self, id: TaskId) -> bool {
        let rule = &self.graph.task(id).rule;
        // What a depfile named may be an output that is missing now.
        let may_lack = rule.depfile.is_some() && self.plan.has_soft();
        self.kept.is_some() && rule.may_be_kept() && !may_lack
    }

    /// The result in the store for what the task is now. A task with a depfile has a key for each
    /// list of files that some run of it named; if more than one has a result, none is taken.
    pub(super) fn find_hit(
        &mut self,
        id: TaskId,
        gathered: &Gathered,
        facts: &Facts<'_>,
    ) -> Result<Option<Hit>, Gap> {
        let known = facts.record.is_some_and(|record| record.key == facts.manifest.key());
        if known || self.graph.task(id).rule.depfile.is_none() {
            return Ok(self.hit_of(id, facts.manifest.clone(), facts.record));
        }
        let static_key = facts.manifest.static_key();
        let same = facts.record.filter(|record| record.manifest.static_key() == static_key);
        let recorded = same.into_iter().flat_map(|record| &record.found);
        let mut lists: Vec<Vec<Vec<u8>>> = recorded.map(|list| list.paths.clone()).collect();
        if let Some(kept) = &mut self.kept {
            lists.extend(kept.store.lists(&static_key, &self.place));
        }
        let mut tried = FxHashSet::default();
        let mut found = None;
        for list in lists {
            let Some(manifest) = self.manifest_with(id, &gathered.manifest, &list)? else {
                continue;
            };
            if !tried.insert(manifest.key()) {
                continue;
            }
            let hit = self.hit_of(id, manifest, facts.record);
            if hit.is_some() && found.is_some() {
                return Ok(None);
            }
            found = found.or(hit);
        }
        Ok(found)
    }

    /// What the store has for a manifest, if it may be used. Where a record has this key, too, both
    /// must say the same: else one of them is of another run.
    fn hit_of(&mut self, id: TaskId, manifest: Manifest, record: Option<&Record>) -> Option<Hit> {
        let policy = &self.graph.task(id).rule.target.policy;
        let (relocatable, max_age_ms) = (policy.relocatable, policy.max_age_ms);
        let out = self.task_dir(id).join("out/");
        let (kept, key) = (self.kept.as_mut()?, manifest.key());
        let anywhere = relocatable.then(|| manifest.key_anywhere());
        let mut stored = anywhere.into_iter().chain([key]);
        let (key, entry) =
            stored.find_map(|key| Some((key, kept.store.lookup(&key, &self.place)?)))?;
        let too_old = max_age_ms.is_some_and(|most| is_older(entry.ended_ms, most));
        let record = record.filter(|record| record.key == manifest.key() && !record.unstable);
        let is_other = record.is_some_and(|record| {
            let recorded = record.outputs.iter().map(|file| self::stored(file, &out));
            !recorded.eq(entry.files.iter().cloned())
        });
        (!too_old && !is_other).then_some(Hit { manifest, entry, key })
    }

    /// In a dry run: says that the task would be restored.
    pub(super) fn would_restore(&mut self, id: TaskId, due: &Due, hit: &Hit) {
        self.done[id].would_run = true;
        self.tell_restoring(id, due, hit);
        self.end(id, &End::without_run(Finish::WouldRestore));
    }

    pub(super) fn tell_restoring(&mut self, id: TaskId, due: &Due, hit: &Hit) {
        let task = TaskRef { id, name: self.graph.name(id) };
        let (key, at_ms) = (hit.key(), self.now_ms());
        (self.listener)(&Event::TaskRestoring { task, reasons: &due.reasons, key, at_ms });
    }

    /// What a worker needs to restore a task.
    pub(super) fn restore_of(&self, hit: &Hit) -> Option<Launch> {
        let blobs = self.kept.as_ref()?.store.blobs();
        Some(Launch::Restore(Box::new(Restore { entry: hit.entry.clone(), blobs })))
    }

    /// It could not be restored: it runs, for the same reasons. Where a file of the user must not
    /// give way it would not even start.
    pub(super) fn not_restored(&mut self, id: TaskId, mut running: Running, ended: &Ended) {
        let Outcome::NotRestored { what, broken } = &ended.result else { return };
        if self.request.strict && !broken {
            self.fail(id, &running, ended, what.clone());
            return;
        }
        let key = running.due.hit.take().map(|hit| hit.key);
        let saver = self.kept.as_mut().and_then(|kept| kept.saver.as_mut());
        if let (Some(saver), Some(key), true) = (saver, key, broken) {
            saver.broken(key);
        }
        self.warn(Some(id), &format!("it cannot be restored, so it runs: {what}"));
        match self.plan.is_stopped() {
            true => self.end(id, &End::without_run(Finish::Cancelled)),
            false => {
                self.must_run(id, running.due);
            }
        }
    }

    /// The commit of a restored task.
    pub(super) fn record_restored(&mut self, id: TaskId, running: &Running, ended: &Ended) {
        let (Some(hit), Outcome::Success(success)) = (&running.due.hit, &ended.result) else {
            return;
        };
        let own = hit.entry.found.clone().map(|paths| FoundList { paths, key: hit.key() });
        let found = self.lists_after(id, running, own);
        let record = Record {
            ended_ms: hit.entry.ended_ms,
            duration_ms: hit.command_ms(),
            ..self.new_record(id, running, (ended, success, found), hit.manifest.clone())
        };
        self.done[id] = Done {
            outputs: record.outputs.clone().into(),
            key: Some(record.key),
            ..Done::default()
        };
        self.write_record(id, &record);
        self.note_read(running, &hit.manifest);
        let saved_ms = hit.command_ms().saturating_sub(ended.restore_ms);
        self.tally.summary.saved_ms += saved_ms;
        if let Some(kept) = &mut self.kept
            && let Some(saver) = &mut kept.saver
        {
            saver.used(hit.key, Some(self.place), hit.command_ms(), ended.restore_ms);
        }
        self.end(id, &End::restored(ended, running, saved_ms));
    }

    /// Keeps in mind what the result stands on, to see at the end whether it is still that.
    fn note_read(&mut self, running: &Running, manifest: &Manifest) {
        for &(file, seen, content) in &running.due.gathered.inputs {
            self.deeds.used.note(file, Reading { seen, content, asked: None });
        }
        let found = manifest.fields().iter().filter(|field| field.tag == Tag::Discovered);
        for field in found {
            let file = self.paths.intern(&field.name);
            if let Ok(Look::Known(seen, content)) = self.look(file) {
                self.deeds.used.note(file, Reading { seen, content, asked: None });
            }
        }
    }

    /// Keeps a success in the store, behind everybody's back, if it is worth that.
    pub(super) fn save(&mut self, id: TaskId, record: &Record, own: &Success) {
        let log = self.root.absolute(&self.task_dir(id).join("log"));
        if !self.has_store(id)
            || !self.is_as_others_make(own)
            || !self.pays(id, record)
            || log.metadata().is_ok_and(|log| log.len() > LONGEST_LOG)
        {
            return;
        }
        let out = self.task_dir(id).join("out/");
        let is_file = |file: &&OutFile| matches!(file.made, Made::File { .. });
        let files = record.outputs.iter().filter(is_file);
        let sources = files.map(|file| self.root.absolute(&file.path)).collect();
        let entry = Entry {
            task: self.graph.name(id).to_owned(),
            files: record.outputs.iter().map(|file| stored(file, &out)).collect(),
            log: None,
            found: record.found.first().map(|list| list.paths.clone()),
            duration_ms: record.duration_ms,
            ended_ms: record.ended_ms,
        };
        let static_key = record.manifest.static_key();
        let relocatable = self.graph.task(id).rule.target.policy.relocatable;
        let elsewhere = entry.found.iter().flatten().any(|path| is_of_this_place(path));
        let root = (elsewhere || (own.names_root && !relocatable)).then_some(self.place);
        let anywhere = own.names_root && root.is_none();
        let key = if anywhere { record.manifest.key_anywhere() } else { record.key };
        let Some(kept) = &mut self.kept else { return };
        if let Some(saver) = &mut kept.saver {
            kept.saved.push(key);
            saver.save(Save { key, static_key, root, entry, sources, log: Some(log) });
        }
    }

    /// Whether a clean build would leave the same there, and a restore, too.
    fn is_as_others_make(&mut self, own: &Success) -> bool {
        let Some(kept) = &mut self.kept else { return false };
        let umask = *kept.umask.get_or_insert_with(read_umask);
        let is_usual = |(file, seen): &(OutFile, Seen)| !file.adopted && is_usual(seen, umask);
        !own.among_foreign && own.outputs.iter().all(is_usual)
    }

    /// Whether it is to be kept whatever it costs, or costs less than it saves.
    fn pays(&self, id: TaskId, record: &Record) -> bool {
        self.graph.task(id).rule.target.policy.cache == Cache::Always
            || is_worth_storing(&record.outputs, record.duration_ms)
    }

    /// Something will be stored.
    pub(super) fn open_store(&mut self) {
        let saver = self.kept.as_mut().and_then(|kept| kept.saver.as_mut());
        saver.into_iter().for_each(Saver::open);
    }

    /// Begins what [`close_store`](Build::close_store) waits for.
    pub(super) fn commit_store(&mut self) {
        let saver = self.kept.as_mut().and_then(|kept| kept.saver.as_mut());
        saver.into_iter().for_each(Saver::commit);
    }

    /// Waits until the store has what it is to have. Sentences for the user.
    pub(super) fn close_store(&mut self) -> Vec<String> {
        let Some(Kept { mut store, saver, saved, .. }) = self.kept.take() else {
            return Vec::new();
        };
        let mut warnings: Vec<String> = store.warning().into_iter().collect();
        if let Some(mut saver) = saver {
            if self.held.is_lost() {
                // Outputs were lost with it: what was kept of the others is no result.
                saved.into_iter().for_each(|key| saver.broken(key));
            }
            let (messages, signal) = (self.messages, &mut self.tally.summary.signal);
            let saved = saver.close_unless(|| {
                let mut arrived = messages.1.try_iter().filter_map(|message| match message {
                    Message::Signal(number) => Some(number),
                    _ => None,
                });
                *signal = signal.or_else(|| arrived.next());
                signal.is_some()
            });
            warnings.extend(saved.warning.filter(|_| warnings.is_empty()));
            self.deeds.differing = saved.differing;
        }
        warnings
    }
}

/// An output as the store names it: what lies in `out/` lies elsewhere in other places.
fn stored(file: &OutFile, out: &[u8]) -> Stored {
    let (place, path) = match file.path.strip_prefix(out) {
        Some(below) => (Place::Out, below.to_vec()),
        None => (Place::Workspace, file.path.clone()),
    };
    let what = match &file.made {
        Made::File { executable, size, digest } => {
            let blob = Blob { digest: *digest, size: *size };
            What::File { executable: *executable, blob }
        }
        Made::Link(text) => What::Link(text.clone()),
        Made::Folder => What::Folder,
    };
    Stored { place, path, published: file.published, what }
}

/// Whether a file that a depfile named may be another one in another place: what lies outside of
/// the workspace and is not the system's may have been named from it (`../lib/x.h`).
fn is_of_this_place(path: &[u8]) -> bool {
    path.starts_with(b"/") && !SYSTEM.iter().any(|folder| path.starts_with(folder.as_bytes()))
}

/// Whether a file is as everybody's are: of its mode only the exec bit is restored. One with other
/// rights (setuid), or that was made private although the umask does not, is not stored.
fn is_usual(seen: &Seen, umask: u32) -> bool {
    let mode = seen.link.mode;
    let is_private = mode & 0o044 == 0 && umask & 0o044 != 0o044;
    seen.link.kind() != FileKind::File || (mode & 0o7000 == 0 && !is_private)
}

/// This process's umask, as the kernel tells it: asking for it in the usual way would change it.
fn read_umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(USUAL_UMASK)
}

/// Whether a result that ended then is older than this. One of the future is of a wrong clock.
pub(super) fn is_older(ended_ms: u64, max_age_ms: u64) -> bool {
    unix_ms().checked_sub(ended_ms).is_none_or(|age_ms| age_ms > max_age_ms)
}

/// Whether bringing these files from the store is not clearly dearer than making them again.
fn is_worth_storing(files: &[OutFile], duration_ms: u64) -> bool {
    let bytes = files.iter().map(|file| match file.made {
        Made::File { size, .. } => size,
        _ => 0,
    });
    let restore_us = RESTORE_US
        + RESTORE_FILE_US * files.len() as u64
        + bytes.sum::<u64>() / RESTORE_BYTES_PER_US;
    // A started millisecond counts.
    restore_us <= CLEARLY_DEARER * 1_000 * (duration_ms + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize, size: u64) -> Vec<OutFile> {
        let made = Made::File { executable: false, size, digest: Digest::of(b"") };
        let file = OutFile { path: b"a".to_vec(), made, published: true, adopted: false };
        vec![file; count]
    }

    #[test]
    fn what_is_made_again_in_no_time_is_not_stored() {
        for (count, size, duration_ms, worth) in [
            (0, 0, 0, true),
            (1, 100, 0, true),
            (1, 100_000_000, 10, false),
            (1, 100_000_000, 200, true),
            (1_000, 100, 10, false),
            (1_000, 100, 100, true),
        ] {
            let files = files(count, size);
            assert_eq!(
                is_worth_storing(&files, duration_ms),
                worth,
                "{count} {size} {duration_ms}"
            );
        }
    }
}
