//! From a ready task to what becomes of it: judged with what is known, and again when the files that
//! it waits for were read. What a read content is worth later is decided here, too.

use taskr_cache::{Clock, Content, Seen};

use super::finish::End;
use super::gather::Gap;
use super::spent::Part;
use super::{Active, Build};
use crate::error::Error;
use crate::files::Files;
use crate::graph::Kind;
use crate::ids::{FileId, Paths, TaskId};
use crate::outcome::{Because, Event, Reason, TaskRef};
use crate::outdir::Root;
use crate::workers::{Read, ReadResult};

impl Build<'_> {
    pub(super) fn judge(&mut self, id: TaskId) -> Result<(), Error> {
        match self.graph.task(id).kind() {
            Kind::Group => {
                self.active.remove(&id);
                self.done[id].would_run = self.some_need_would_run(id).is_some();
                self.pass(id);
                return Ok(());
            }
            Kind::Recorded | Kind::Service if !self.is_at_home(id)? => return Ok(()),
            Kind::Recorded | Kind::Service | Kind::Unrecorded => {}
        }
        if let Some(when) = self.graph.task(id).rule.skipped.clone() {
            self.leave_out(id, &when);
            return Ok(());
        }
        if self.is_vouched(id) {
            return Ok(());
        }
        self.look_ahead(id);
        if !self.waiting.missing.contains_key(&id) {
            let task = self.task_ref(id);
            (self.listener)(&Event::TaskReady { task: TaskRef { id, name: &task } });
        }
        self.judge_again(id)
    }

    /// Judges with what is known now; waits for files if that is not enough.
    pub(super) fn judge_again(&mut self, id: TaskId) -> Result<(), Error> {
        let Some(Active::Judging(again)) = self.active.remove(&id) else {
            return Ok(());
        };
        if let Some(missing) = self.lacks(id) {
            let name = self.graph.name(missing).to_owned();
            self.end(id, &End::skipped_softly(Because::Needs(&name)));
            return Ok(());
        }
        if self.request.dry_run
            && let Some(need) =
                self.some_need_would_run(id).or_else(|| self.some_fixer_would_run(id))
        {
            let need = self.graph.name(need).to_owned();
            if self.graph.task(id).kind() == Kind::Service {
                self.service_may_change(id, need);
                return Ok(());
            }
            self.would_run(id, &[Reason::MayChange(need)], "");
            return Ok(());
        }
        let was = self.spent.enter(Part::Judge);
        let decided = self.decide(id, &again);
        self.spent.enter(was);
        match decided {
            Ok(due) if self.graph.task(id).kind() == Kind::Service => self.service_judged(id, due),
            Ok(due) if due.reasons.is_empty() => self.is_fresh(id, due.gathered),
            Ok(due) if self.request.dry_run => match &due.hit {
                Some(hit) => self.would_restore(id, &due, hit),
                None => self.would_run(id, &due.reasons, &due.gathered.rendered.shown),
            },
            Ok(due) => {
                self.must_run(id, due);
            }
            Err(Gap::Unread(files)) => {
                self.active.insert(id, Active::Judging(again));
                self.wait_for(id, files);
            }
            Err(Gap::Unasked(questions)) => {
                self.active.insert(id, Active::Judging(again));
                self.ask(id, questions);
            }
            Err(Gap::Wrong(wrong)) => self.cannot_be_judged(id, wrong),
        }
        Ok(())
    }

    pub(super) fn wait_for(&mut self, id: TaskId, files: Vec<FileId>) {
        let mut count = 0;
        for file in files {
            let readers = self.waiting.readers.entry(file).or_default();
            if readers.contains(&id) {
                continue;
            }
            if readers.is_empty() {
                self.waiting.reads.push_back(read_of(&self.files, &self.paths, &self.root, file));
            }
            readers.push(id);
            count += 1;
        }
        self.waiting.missing.insert(id, count);
    }

    pub(super) fn files_were_read(&mut self, results: Vec<ReadResult>) -> Result<(), Error> {
        self.workers.answered();
        for ReadResult { file, version, result } in results {
            // What was read may be of before a task wrote it.
            if version != self.files.version(file) {
                self.waiting.reads.push_back(read_of(&self.files, &self.paths, &self.root, file));
                continue;
            }
            match result {
                Ok(read) => {
                    self.files.learn(file, read);
                    self.keep_content(file, read);
                }
                Err(what) => {
                    self.waiting.unreadable.insert(file, what);
                    self.note_unreadable(file);
                }
            }
            for id in self.waiting.readers.remove(&file).unwrap_or_default() {
                let Some(missing) = self.waiting.missing.get_mut(&id) else { continue };
                *missing -= 1;
                if *missing == 0 {
                    self.go_on(id)?;
                }
            }
        }
        Ok(())
    }

    /// A task has all the files it waited for.
    pub(super) fn go_on(&mut self, id: TaskId) -> Result<(), Error> {
        let result = match self.active.get(&id) {
            Some(Active::Judging(_)) => self.judge_again(id),
            Some(Active::Recording(..)) => {
                self.record_success(id);
                Ok(())
            }
            Some(Active::Away | Active::Runnable(_) | Active::Running(_) | Active::Resting(_))
            | None => Ok(()),
        };
        if self.waiting.missing.get(&id) == Some(&0) {
            self.waiting.missing.remove(&id);
        }
        result
    }

    /// Stamps that were settled when the content was read vouch for it from now on.
    pub(super) fn keep_content(&mut self, file: FileId, read: Option<(Seen, Content)>) {
        let Some((seen, content)) = read else { return };
        if self.held.writer.is_none() || !self.is_settled(file, &seen) {
            return;
        }
        let path = self.paths.bytes(file);
        if let Some(writer) = &mut self.held.writer {
            crate::record::write_content(writer, path, &seen, &content, &self.boot);
        }
    }

    /// Whether these stamps are old enough to be believed later. Touches the clock file on first
    /// use.
    pub(super) fn is_settled(&mut self, file: FileId, seen: &Seen) -> bool {
        if self.clock.is_none() {
            self.clock = Clock::read(&self.root.path().join(crate::outdir::STATE_DIR)).ok();
        }
        let Some(clock) = &mut self.clock else { return false };
        let (root, path) = (self.root.path(), self.paths.path(file));
        seen.stamps().all(|stamp| {
            if !clock.knows(stamp.dev) {
                clock.learn(stamp.dev, &root.join(path));
            }
            clock.settled(stamp)
        })
    }
}

fn read_of(files: &Files, paths: &Paths, root: &Root, file: FileId) -> Read {
    Read { file, version: files.version(file), path: root.path().join(paths.path(file)) }
}
