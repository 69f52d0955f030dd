//! Items that go to one process: who waits for whom, the command of several, and what comes of it.
//!
//! Items may share a process if their commands are the same but for `{{ items }}` and
//! `{{ outputs }}`: that is compared, not believed. They wait for those of their target that are
//! being judged, so that as many as may be go together.

use rustc_hash::FxHashMap;
use taskr_cache::{Digest, KeyHasher};

use super::launch::{Ready, Rendered, Targets, Together};
use super::named::Words;
use super::{Active, Build, Due};
use crate::error::Error;
use crate::files::Variables;
use crate::graph::Kind;
use crate::ids::TaskId;
use crate::workers::{Batch, Ended, Halved, Job, Launch};

/// Items that must run.
#[derive(Default)]
pub(super) struct Batches {
    groups: FxHashMap<Digest, Group>,
    /// What group a task is of.
    of: FxHashMap<TaskId, Digest>,
}

/// Items that may share a process.
#[derive(Default)]
struct Group {
    /// They wait for others.
    held: Vec<TaskId>,
    /// They wait to be admitted.
    open: Vec<TaskId>,
}

impl Batches {
    /// Nobody waits any more.
    pub(super) fn clear(&mut self) {
        *self = Batches::default();
    }
}

impl Build<'_> {
    /// A task that must run waits for others to go with, if it may share a process.
    pub(super) fn joins_batch(&mut self, id: TaskId) -> bool {
        let Some(most) = self.graph.task(id).rule.target.schedule.batch else { return false };
        let Some(group) = self.group_of(id) else { return false };
        self.batches.of.insert(id, group);
        let held = &mut self.batches.groups.entry(group).or_default().held;
        held.push(id);
        if held.len() >= most {
            self.open_group(group);
            self.start_runnable();
        }
        true
    }

    /// All that its command has in common with those of others; none if it runs alone.
    fn group_of(&self, id: TaskId) -> Option<Digest> {
        let task = self.graph.task(id);
        let Some(Active::Runnable(due)) = self.active.get(&id) else { return None };
        let alone = due.hit.is_some() || due.tries.attempt() > 1 || self.uses_services(id);
        if alone || task.kind() != Kind::Recorded {
            return None;
        }
        let from_files = &due.gathered.rendered.from_files;
        let frame = self.render_together(id, from_files, &Together::default())?;
        let scope = &task.rule.scope;
        let mut hasher = KeyHasher::new("taskr 2026 batch v1");
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        part(&task.rule.target.name);
        part(scope.profile_name());
        for axis in scope.axes() {
            part(axis);
            part(scope.axis(axis).map_or("", String::as_str));
        }
        let plain = frame.plain.as_deref().unwrap_or_default();
        for words in [&frame.argv[..], plain] {
            part(&words.len().to_string());
            words.iter().for_each(|word| part(word));
        }
        for (name, value) in frame.variables() {
            part(name);
            part(value);
        }
        Some(hasher.finish())
    }

    fn render_together(
        &self,
        id: TaskId,
        from_files: &Variables,
        together: &Together,
    ) -> Option<Rendered> {
        let rule = &self.graph.task(id).rule;
        let targets = match rule.target.uses_targets {
            true => self.targets_of(id),
            false => Targets::default(),
        };
        let ready = Ready {
            rule,
            dir: &self.task_dir(id),
            inputs: Words::default(),
            targets: &targets,
            from_files: from_files.clone(),
            together: Some(together),
        };
        ready.render().ok()
    }

    fn open_group(&mut self, group: Digest) {
        let Some(group) = self.batches.groups.get_mut(&group) else { return };
        for id in std::mem::take(&mut group.held) {
            self.admission.wait(self.plan.rank(id), false);
            group.open.push(id);
        }
    }

    /// Items that wait for nobody any more may start. Says whether there are such, and a place.
    pub(super) fn open_batches(&mut self) -> bool {
        if !self.admission.has_place() {
            return false;
        }
        let waits =
            |group: &Group| group.held.first().is_some_and(|&id| !self.plan.judges_mates(id));
        let groups = self.batches.groups.iter().filter(|(_, group)| waits(group));
        let groups: Vec<Digest> = groups.map(|(group, _)| *group).collect();
        groups.iter().for_each(|&group| self.open_group(group));
        !groups.is_empty()
    }

    /// Starts a task, and others that may share its process.
    pub(super) fn start_with_mates(&mut self, id: TaskId, due: Due) {
        let mut all = self.take_mates(id);
        if all.is_empty() {
            return self.start(id, due);
        }
        self.start_guard();
        all.push((id, due));
        all.sort_by_key(|(id, _)| *id);
        if self.held.intents.is_none()
            && let Err(what) = self.open_intents()
        {
            self.admission.ended(id);
            for (id, _) in all {
                self.cannot_start(id, what.clone(), None);
            }
            return;
        }
        let mut runs = Vec::with_capacity(all.len());
        for (id, due) in all {
            self.plan.runs(id);
            self.tell_started(id, &due);
            runs.push(self.enter(id, due, Launch::Together));
        }
        let ids: Vec<TaskId> = runs.iter().map(|run| run.task).collect();
        let launch = self.launch_of(&ids);
        self.workers.start(Job::Batch(Box::new(Batch { runs, launch })));
    }

    /// Those of the group of `id` that go first, as many as may go with it.
    fn take_mates(&mut self, id: TaskId) -> Vec<(TaskId, Due)> {
        let Some(group) = self.batches.of.remove(&id) else { return Vec::new() };
        let most = self.graph.task(id).rule.target.schedule.batch.unwrap_or(1);
        let Some(group) = self.batches.groups.get_mut(&group) else { return Vec::new() };
        let mut ids: Vec<TaskId> = group.open.drain(..).chain(group.held.drain(..)).collect();
        ids.retain(|&mate| mate != id);
        ids.sort_by_key(|&id| std::cmp::Reverse(self.plan.rank(id)));
        let stay = ids.split_off(ids.len().min(most - 1));
        for id in stay {
            // Who waits to be admitted already is not told from who does not: once is enough.
            self.admission.withdraw(id, &[id]);
            self.admission.wait(self.plan.rank(id), false);
            group.open.push(id);
        }
        self.admission.withdraw(id, &ids);
        let mut mates = Vec::with_capacity(ids.len());
        for id in ids {
            self.batches.of.remove(&id);
            if let Some(Active::Runnable(due)) = self.active.remove(&id) {
                mates.push((id, *due));
            }
        }
        mates
    }

    /// The command of several tasks at work.
    fn launch_of(&self, ids: &[TaskId]) -> Launch {
        let broken =
            || Launch::Impossible("its command cannot be made for several items".to_owned());
        let mut together = Together::default();
        let mut first = None;
        for &id in ids {
            let Some(Active::Running(running)) = self.active.get(&id) else { return broken() };
            let from_files = &running.due.gathered.rendered.from_files;
            let ready = Ready {
                rule: &self.graph.task(id).rule,
                dir: &self.task_dir(id),
                inputs: Words::default(),
                targets: &Targets::default(),
                from_files: Variables::default(),
                together: None,
            };
            let (Some(Ok(item)), Ok(outputs)) = (ready.item(), ready.outputs()) else {
                return broken();
            };
            together.items.push(item);
            together.outputs.extend(outputs);
            first.get_or_insert((id, from_files));
        }
        let Some((id, from_files)) = first else { return broken() };
        let Some(rendered) = self.render_together(id, from_files, &together) else {
            return broken();
        };
        let (rule, dir) = (&self.graph.task(id).rule, self.task_dir(id));
        match self.around().command(rule, &dir, &rendered, 1) {
            Ok(command) => Launch::Command(command),
            Err(what) => Launch::Impossible(what),
        }
    }

    /// A process failed: what the next one with only these items starts.
    pub(super) fn render_half(&mut self, half: &Halved) {
        self.tokens.doubt();
        // A worker that is gone needs no answer.
        let _ = half.answer.send(self.launch_of(&half.tasks));
    }

    /// A worker is done with the items of a batch.
    pub(super) fn batch_ended(&mut self, all: Vec<Ended>) -> Result<(), Error> {
        self.workers.answered();
        // The place is that of one of them.
        all.iter().for_each(|ended| self.admission.ended(ended.task));
        for ended in all {
            self.attempt_ended(ended)?;
        }
        Ok(())
    }
}
