//! `fresh_if`: a command that is asked before a task counts as up to date, once a run.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Build;
use super::gather::Gap;
use super::launch::{GRACE, Rendered};
use crate::error::{Diagnostic, Error};
use crate::ids::TaskId;
use crate::process::{Command, why_not_found, why_not_in};
use crate::workers::{Ask, Job};

impl Build<'_> {
    /// What the `fresh_if` of a task says, if it has one and was asked.
    pub(super) fn answer(&self, id: TaskId, rendered: &Rendered) -> Result<bool, Gap> {
        // Without a lock and a guard nothing is started.
        let asked = rendered.fresh_if.as_ref().filter(|_| !self.request.dry_run);
        let Some(argv) = asked else { return Ok(true) };
        let known = self.lookups.fresh_if.get(&id).copied();
        known.ok_or_else(|| match self.shell_command(id, argv, rendered) {
            Ok(command) => Gap::Unasked(Box::new(command)),
            Err(what) => {
                let message = format!("its `fresh_if` cannot be asked: {what}");
                Gap::Wrong(Box::new(Diagnostic::error(message)))
            }
        })
    }

    /// A command beside the task's own, in its folder and environment.
    pub(super) fn shell_command(
        &self,
        id: TaskId,
        argv: &[String],
        rendered: &Rendered,
    ) -> Result<Command, String> {
        let (around, rule) = (self.around(), &self.graph.task(id).rule);
        let dir = self.root.path().join(std::ffi::OsStr::from_bytes(&rule.dir));
        if let Some(why) = why_not_in(&dir, self.root.path()) {
            return Err(why);
        }
        let (name, args) = argv.split_first().ok_or("its command is empty")?;
        let program = around
            .find(name, &rule.dir, rendered)
            .ok_or_else(|| why_not_found(name, around.path_variable(rendered), &dir))?;
        Ok(Command {
            program,
            args: args.iter().map(OsString::from).collect(),
            env: around.environment(rule, &self.task_dir(id), rendered, 1),
            dir,
            grace: GRACE,
        })
    }

    pub(super) fn ask(&mut self, id: TaskId, command: Command) {
        self.start_guard();
        // Its $TMPDIR; what cannot be made it will say itself.
        let _ = self.root.create_dirs(&self.task_dir(id).join("tmp"));
        self.workers.start(Job::Ask(Box::new(Ask {
            task: id,
            command,
            guard: self.guard.clone(),
        })));
    }

    /// An answer came; a task that was given up meanwhile needs none.
    pub(super) fn was_asked(
        &mut self,
        id: TaskId,
        said: Result<bool, String>,
    ) -> Result<(), Error> {
        self.workers.answered();
        match said {
            Ok(yes) => {
                self.lookups.fresh_if.insert(id, yes);
                self.judge_again(id)
            }
            Err(what) => {
                if self.active.remove(&id).is_some() {
                    let message = format!("its `fresh_if` cannot be asked: {what}");
                    self.cannot_be_judged(id, Box::new(Diagnostic::error(message)));
                }
                Ok(())
            }
        }
    }
}
