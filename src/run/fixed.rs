//! What formatters changed in this run: who did it, how the files stand since, and whose they are.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use taskr_cache::Seen;

use super::finish::End;
use super::{Build, Done, Running};
use crate::graph::Graph;
use crate::ids::{FileId, TaskId};
use crate::outcome::{Record, shown};
use crate::record;
use crate::workers::{Ended, Result as Outcome, Written};

/// What formatters did.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    /// The files that each changed, in all its attempts.
    files: FxHashMap<TaskId, BTreeSet<Vec<u8>>>,
    /// How they left what they wrote.
    left: FxHashMap<FileId, Seen>,
}

impl Fixed {
    /// What a task changed, in order.
    pub(super) fn files(&self, id: TaskId) -> Vec<Vec<u8>> {
        self.files.get(&id).into_iter().flatten().cloned().collect()
    }

    /// Whether a file stands as a formatter left it.
    pub(super) fn is_work(&self, file: FileId, seen: &Seen) -> bool {
        self.left.get(&file) == Some(seen)
    }

    /// What those changed that say `restage`, in order.
    pub(super) fn to_restage(&self, graph: &Graph) -> Vec<Vec<u8>> {
        let restages = |id: &TaskId| graph.task(*id).rule.target.policy.restage;
        let files = self.files.iter().filter(|(id, _)| restages(id)).flat_map(|(_, files)| files);
        files.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }
}

impl Build<'_> {
    /// What a formatter wrote is known as it stands now, so that readers judge by that.
    pub(super) fn take_written(&mut self, ended: &Ended) {
        for Written { path, now, changed } in &ended.written {
            self.forget_paths([&path[..]]);
            if let Some((seen, content)) = *now {
                let file = self.paths.intern(path);
                self.vouched.note_made(file, ended.task);
                self.files.learn(file, Some((seen, content)));
                self.note_fixed(path, (seen, content));
                self.deeds.fixed.left.insert(file, seen);
            }
            if *changed {
                self.deeds.fixed.files.entry(ended.task).or_default().insert(path.clone());
            }
        }
    }

    /// A formatter succeeded: whether it changed something. Then it leaves the run here, without a
    /// record that would be believed and without another attempt: what it would make of what it
    /// left is asked in the next run.
    pub(super) fn has_fixed(&mut self, id: TaskId, running: &Running, ended: &Ended) -> bool {
        if !ended.written.iter().any(|written| written.changed) {
            return false;
        }
        self.keep_unproven(id, running, ended);
        if let Some(what) = self.fixed_of_another(ended) {
            self.fail(id, running, ended, what);
            return true;
        }
        if let Outcome::Success(success) = &ended.result {
            let outputs = success.outputs.iter().map(|(file, _)| file.clone()).collect();
            self.done[id] = Done { outputs, ..Done::default() };
        }
        self.end(id, &End::ran(ended, running));
        true
    }

    /// What a formatter changed and another task makes would be made anew each time.
    fn fixed_of_another(&self, ended: &Ended) -> Option<String> {
        let mut changed = ended.written.iter().filter(|written| written.changed);
        let (path, maker) = changed.find_map(|written| {
            let maker = self.graph.makers().of(&written.path)?;
            (maker != ended.task).then_some((&written.path, maker))
        })?;
        let maker = &self.graph.task(maker).rule.target.name;
        let path = shown(path);
        Some(format!(
            "it changed {path}, which `{maker}` makes: add \"!//{path}\" to its `inputs`, and let \
             `{maker}` format what it makes"
        ))
    }

    /// A wanted formatter that would run and may change what the task read, by what it declares or
    /// by its last depfile.
    pub(super) fn some_fixer_would_run(&self, id: TaskId) -> Option<TaskId> {
        let would_run = |fixer: &TaskId| self.done[*fixer].would_run;
        if let Some(fixer) = self.plan.fixers_before(id).find(would_run) {
            return Some(fixer);
        }
        self.graph.task(id).rule.depfile.as_ref()?;
        if !self.plan.has_fixers() {
            return None;
        }
        let state_id = self.names.id(self.graph.name(id));
        let Record { found, .. } = record::read(&self.held.state, &state_id)?;
        let mut paths = found.first()?.paths.iter();
        paths.find_map(|path| self.plan.fixers_of(path).into_iter().find(would_run))
    }
}
