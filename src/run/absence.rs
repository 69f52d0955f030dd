//! Tasks that are skipped because their `when` is false: what they had made goes, and those that
//! need them see nothing of them.

use super::Build;
use super::finish::End;
use super::gather::own_patterns;
use super::mend::Mend;
use super::open::prefix;
use crate::files::Pattern;
use crate::graph::Text;
use crate::ids::TaskId;
use crate::outcome::{Field, SKIPPED, Tag, shown};
use crate::outdir::dir_of;
use crate::record;

impl Build<'_> {
    /// The task is skipped. Its outputs of an earlier run would be mistaken for what it makes now.
    pub(super) fn leave_out(&mut self, id: TaskId, when: &Text) {
        self.active.remove(&id);
        self.remove_made(id);
        let when = when.template.source().trim();
        self.end(id, &End::when_false(when));
    }

    fn remove_made(&mut self, id: TaskId) {
        let name = self.graph.name(id).to_owned();
        let state_id = self.names.id(&name);
        let Some(record) = record::read(&self.held.state, &state_id) else { return };
        for output in &record.outputs {
            let file = self.paths.intern(&output.path);
            match self.request.dry_run {
                true => self.files.learn(file, None),
                false => {
                    self.files.forget(&self.paths, &output.path);
                    self.deeds.emptied.insert(dir_of(&output.path).to_vec());
                }
            }
        }
        if let Some(writer) = &mut self.held.writer {
            let prefix = prefix(&self.request.taskfile);
            let mend = Mend::new(&self.root, &self.names, prefix, &self.run_id);
            mend.forget(&state_id, &name, &self.held.state, writer);
        }
        for output in &record.outputs {
            if !self.request.dry_run && self.root.absolute(&output.path).symlink_metadata().is_ok()
            {
                let what = format!(
                    "{} was edited since this task made it: it stays although the task is skipped",
                    shown(&output.path)
                );
                self.warn(Some(id), &what);
            }
        }
    }

    /// That a task which this one needs is skipped counts.
    pub(super) fn skipped_needs(&self, id: TaskId) -> Vec<Field> {
        if !self.graph.skips() {
            return Vec::new();
        }
        let task = self.graph.task(id);
        let counts = |need: &&TaskId| !task.after.contains(need) || task.deps.contains(need);
        let needs: Vec<TaskId> = self.graph.needs(id).iter().filter(counts).copied().collect();
        let field = |need: TaskId| Field {
            tag: Tag::Dependency,
            name: self.graph.name(need).as_bytes().to_vec(),
            value: SKIPPED.to_vec(),
        };
        let needs = self.graph.without_groups(&needs).into_iter();
        needs.filter(|&need| self.graph.is_skipped(need)).map(field).collect()
    }

    /// Whether what `pattern` means may be absent because the task that makes it is skipped.
    pub(super) fn may_be_skipped(&self, id: TaskId, pattern: &Pattern) -> bool {
        self.graph.skips() && {
            let needs = self.graph.without_groups(self.graph.needs(id));
            let mut skipped = needs.into_iter().filter(|&need| self.graph.is_skipped(need));
            skipped.any(|need| {
                let outputs = self.graph.task(need).rule.outputs.iter();
                let mut own = outputs.flat_map(|output| own_patterns(&output.value));
                own.any(|own| own.overlaps(pattern))
            })
        }
    }
}
