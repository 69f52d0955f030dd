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
use crate::outcome::{Field, OutFile, SKIPPED, Tag, shown};
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
        let own = record::read(&self.held.state, &state_id);
        let is_own = own.is_some();
        let others = self.made_in_other_profiles(id);
        let outputs: Vec<OutFile> =
            own.into_iter().flat_map(|own| own.outputs).chain(others).collect();
        for output in &outputs {
            let file = self.paths.intern(&output.path);
            match self.request.dry_run {
                true => self.files.would_go(file),
                false => {
                    self.forget_paths([&output.path[..]]);
                    self.deeds.emptied.insert(dir_of(&output.path).to_vec());
                }
            }
        }
        if let Some(writer) = &mut self.held.writer {
            let prefix = prefix(&self.request.taskfile);
            let mend = Mend::new(&self.root, &self.names, prefix, &self.run_id);
            outputs.iter().for_each(|output| _ = mend.remove(output));
            if is_own {
                mend.forget(&state_id, &name, &self.held.state, writer);
            }
        }
        for output in &outputs {
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

    /// What stands where this task would write, and was made by it in a profile that is not built
    /// now. The records stay: in their profile it is then not there, and is made or restored.
    fn made_in_other_profiles(&self, id: TaskId) -> Vec<OutFile> {
        let declared = &self.graph.task(id).rule.outputs;
        let names = self.graph.in_other_profiles(id).into_iter();
        let records =
            names.filter_map(|name| record::read(&self.held.state, &self.names.id(&name)));
        let outputs = records.flat_map(|record| record.outputs);
        outputs.filter(|file| declared.iter().any(|own| own.value.covers(&file.path))).collect()
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
