//! What must hold before a task is done, and before a run is: what a worker is to check, and the
//! gates of the run.

use super::launch::Rendered;
use super::{Build, Due};
use crate::ids::TaskId;
use crate::outcome::Summary;
use crate::process::Command;
use crate::workers::{Accept, Checks};

impl Build<'_> {
    /// What a worker checks after the task's command.
    pub(super) fn checks_of(&self, id: TaskId, due: &Due) -> Checks {
        let rendered = &due.gathered.rendered;
        let tests = rendered.accept.iter().map(|argv| Accept {
            shown: argv.last().map(|script| script.trim().to_owned()).unwrap_or_default(),
            command: self.beside(id, argv, (rendered, due.tries.attempt())),
        });
        Checks { accept: tests.collect(), gates: self.graph.task(id).rule.gates.clone() }
    }

    /// A command beside the task's own: in its folder, with its environment.
    pub(super) fn beside(
        &self,
        id: TaskId,
        argv: &[String],
        (rendered, attempt): (&Rendered, usize),
    ) -> Result<Command, String> {
        let mut command = self.question(id, argv, rendered)?;
        let rule = &self.graph.task(id).rule;
        command.env = self.around().environment(rule, &self.task_dir(id), rendered, attempt);
        Ok(command)
    }

    /// The run's own gates. Where no command ran there was nothing to speed up; what was
    /// interrupted, or only looked at, is not judged.
    pub(super) fn judge_run(&self, summary: &mut Summary) {
        if summary.dry_run || summary.signal.is_some() {
            return;
        }
        let known = self.request.gates.iter().filter_map(|gate| {
            let value = summary.metric(&gate.name)?;
            Some(gate.judge(Some(&value)))
        });
        summary.gates = known.collect();
        summary.checks.add_gates(&summary.gates);
    }
}
