//! What undoes a task: one command, whose output has a log of its own in the task's folder.

use std::io::Write;
use std::sync::Arc;

use super::Context;
use super::attempt::{Tail, out_of_time};
use super::job::Message;
use crate::error::said;
use crate::ids::TaskId;
use crate::outdir::TaskDir;
use crate::process::{self, Command, Guard, Stop, why_not_started};

/// A command that undoes what a task did.
#[derive(Debug)]
pub struct Undo {
    /// Which.
    pub task: TaskId,
    /// Its own folder.
    pub dir: TaskDir,
    /// What is started, or why nothing can be.
    pub command: Result<Command, String>,
    /// How its timeout is written, if it has one.
    pub timeout: Option<String>,
    /// The run may have been stopped long since; this stops only what undoes it.
    pub stop: Stop,
    /// Told of process groups.
    pub guard: Option<Arc<Guard>>,
}

/// How it ended.
#[derive(Debug)]
pub struct Undone {
    /// Which.
    pub task: TaskId,
    /// Why it failed, if it did.
    pub failed: Option<String>,
    /// Of the command, in milliseconds.
    pub duration_ms: u64,
    /// The last lines of its output.
    pub tail: Vec<u8>,
}

/// The log of what undoes a task, below its folder.
pub const UNDO_LOG: &str = "rollback.log";

impl Undo {
    pub(super) fn run(&self, context: &Context) -> Message {
        let mut undone = Undone { task: self.task, failed: None, duration_ms: 0, tail: Vec::new() };
        undone.failed = self.execute(context, &mut undone).err();
        Message::Undone(Box::new(undone))
    }

    fn execute(&self, context: &Context, undone: &mut Undone) -> Result<(), String> {
        let path = self.dir.join(UNDO_LOG);
        let log = context.root.create(&path);
        let mut log = log.map_err(|error| format!("cannot write its log: {}", said(&error)))?;
        // Its $TMPDIR; what cannot be made it will say itself.
        let _ = context.root.create_dirs(&self.dir.join("tmp"));
        let command = self.command.as_ref().map_err(Clone::clone)?;
        let mut tail = Tail::default();
        let mut output = |bytes: &[u8]| tail.push(bytes);
        let ended = process::run(command, &mut log, &self.stop, self.guard.as_deref(), &mut output);
        undone.tail = tail.finish();
        let ended = ended.map_err(|error| {
            let what = why_not_started(command, &error);
            let _ = writeln!(log, "{what}");
            what
        })?;
        undone.duration_ms = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
        match ended.status {
            _ if ended.stopped => Err("interrupted".to_owned()),
            status if ended.timed_out => Err(out_of_time(self.timeout.as_deref(), status)),
            status if status.success() => Ok(()),
            status => Err(status.to_string()),
        }
    }
}
