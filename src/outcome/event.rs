//! What happens in a run, as values: the screen, lines, JSON and the tests listen to these.

use std::time::{Duration, Instant};

use taskr_cache::Digest;

use super::checkup::{Checks, Checkup};
use super::edit::Edit;
use super::gate::Judged;
use super::pipeline::{Forgiven, PipelineEnd};
use super::reason::Reason;
use crate::error::Diagnostic;
use crate::ids::TaskId;

/// A task as listeners see it.
#[derive(Clone, Copy, Debug)]
pub struct TaskRef<'a> {
    /// Dense number in this run.
    pub id: TaskId,
    /// Its name, printable: bytes that are no text and control characters stand as `%XX`.
    pub name: &'a str,
}

/// How a task ended in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A group: it stands for its dependencies.
    Group,
    /// Up to date.
    Fresh,
    /// Its outputs came from the store.
    Restored,
    /// Ran and succeeded.
    Ran,
    /// Would run (`-n`).
    WouldRun,
    /// Would be restored (`-n`).
    WouldRestore,
    /// Ran and failed, or could not be run.
    Failed,
    /// Ran while its inputs kept changing: published, not recorded.
    Unstable,
    /// Not started, because what it needs failed or nothing new starts after a failure.
    Skipped,
    /// Not started, because its `when` is false: no failure.
    WhenFalse,
    /// Ended by taskr: a signal or another task's failure.
    Cancelled,
}

impl Finish {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Finish::Group => "group",
            Finish::Fresh => "fresh",
            Finish::Restored => "restored",
            Finish::Ran => "ran",
            Finish::WouldRun => "would_run",
            Finish::WouldRestore => "would_restore",
            Finish::Failed => "failed",
            Finish::Unstable => "unstable",
            Finish::Skipped | Finish::WhenFalse => "skipped",
            Finish::Cancelled => "cancelled",
        }
    }
}

/// What else there is to say of how a task came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// How often its command was started.
    pub attempts: usize,
    /// How many of them failed and were followed by another.
    pub retries: usize,
    /// Its last attempt took longer than it may.
    pub timed_out: bool,
    /// It failed, and that is no harm.
    pub allowed: bool,
}

/// A run that took longer than it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedOut {
    /// How long it may take, in milliseconds.
    pub after_ms: u64,
    /// The tasks that were at work then, as declared.
    pub running: Vec<String>,
}

/// Why a task was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because<'a> {
    /// This task, which it needs, failed.
    Needs(&'a str),
    /// Another task failed, and nothing new starts after that.
    Failure,
    /// So many failed, and nothing new starts after that.
    Failures(usize),
    /// A signal came.
    Signal,
    /// This expression, its `when`, is false.
    When(&'a str),
    /// The run took longer than it may.
    Time,
}

impl Because<'_> {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Because::Needs(_) => "needs",
            Because::Failure | Because::Failures(_) => "failure",
            Because::Signal => "signal",
            Because::When(_) => "when",
            Because::Time => "timeout",
        }
    }

    /// The task that failed, if it is one that is needed.
    pub fn task(&self) -> Option<&str> {
        match self {
            Because::Needs(task) => Some(task),
            _ => None,
        }
    }
}

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Because::Needs(task) => write!(f, "{task} failed"),
            Because::Failure => f.write_str("stopped after a failure (-k goes on)"),
            Because::Failures(count) => write!(f, "stopped after {count} failures (-k goes on)"),
            Because::Signal => f.write_str("interrupted"),
            Because::When(text) => write!(f, "its `when` is false: {text}"),
            Because::Time => f.write_str("the run took too long"),
        }
    }
}

/// What a failed task leaves to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong: "exit 1", "signal 9 (SIGKILL)", "did not write bin/app".
    pub what: String,
    /// The command as it ran, for people; empty if it was never rendered.
    pub command: String,
    /// The last lines of its output, bounded (20 lines, 16 KiB).
    pub tail: Vec<u8>,
    /// Where its whole output is, relative to the workspace; empty if there is none.
    pub log: Vec<u8>,
    /// Where the Taskfile is wrong, if that is known, and what to write in it. Its message is
    /// `what`.
    pub wrong: Option<Box<Diagnostic>>,
}

/// Numbers of tasks by how they ended. Groups are not counted, nor services that only others need,
/// unless they failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks wanted in this run.
    pub tasks: usize,
    /// Up to date.
    pub fresh: usize,
    /// Restored from the store; with `-n`, would be.
    pub restored: usize,
    /// Ran and succeeded; with `-n`, would run.
    pub ran: usize,
    /// Failed, those with unstable inputs included.
    pub failed: usize,
    /// Not started.
    pub skipped: usize,
    /// Ended by taskr.
    pub cancelled: usize,
}

/// One task on the critical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The task's name.
    pub task: String,
    /// From its first start to its end, in milliseconds, whatever came between.
    pub duration_ms: u64,
}

/// What a whole run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tasks by how they ended.
    pub counts: Counts,
    /// From start to end, in milliseconds.
    pub wall_ms: u64,
    /// Sum of the durations of what ran, in milliseconds.
    pub work_ms: u64,
    /// How long what was restored had run when it was made, less what restoring took, in
    /// milliseconds.
    pub saved_ms: u64,
    /// The longest chain of tasks that ran, first to last.
    pub critical_path: Vec<Step>,
    /// How many tasks could run at once.
    pub jobs: usize,
    /// Whether nothing was to be changed (`-n`).
    pub dry_run: bool,
    /// The signal that ended the run.
    pub signal: Option<i32>,
    /// How many attempts failed and were followed by another.
    pub retries: usize,
    /// Set if the run was ended because it took too long.
    pub timed_out: Option<TimedOut>,
    /// How many of those that failed did so because their inputs kept changing.
    pub unstable: usize,
    /// How many of those that were skipped are so because their `when` is false.
    pub when_false: usize,
    /// Whether something that was asked for by name is missing because of such a failure.
    pub missed: bool,
    /// Whether a file changed after a task of this run had used it: outputs may be of old sources.
    /// Or `.taskr` was removed, with outputs that were still in it.
    pub outdated: bool,
    /// Whether a task could not be judged because what it declares is not there.
    pub wrong_taskfile: bool,
    /// Whether another taskr ran a task and was not to be waited for.
    pub busy: bool,
    /// The pipelines that were asked for.
    pub pipelines: Vec<PipelineEnd>,
    /// What did not succeed, and that is no harm.
    pub forgiven: Forgiven,
    /// Acceptance tests and gates of all tasks, and the run's own gates.
    pub checks: Checks,
    /// The run's own gates. None in a dry run.
    pub gates: Vec<Judged>,
    /// Files that formatters with `restage` changed, in order, each once.
    pub restage: Vec<Vec<u8>>,
    /// How many services stay up behind the run, as under `taskr watch` they do.
    pub services: usize,
}

impl Summary {
    /// How many times faster than one task after another, to two digits behind the point; none if
    /// no command ran, or no time passed.
    pub fn speedup(&self) -> Option<f64> {
        let times = self.work_ms as f64 / self.wall_ms as f64;
        (self.work_ms > 0 && self.wall_ms > 0).then(|| (times * 100.0).round() / 100.0)
    }

    /// Exit code of the run: 0 all done, 1 a task, a pipeline or a gate of the run failed, or it took
    /// too long, 2 what a task declares is not there, 3 inputs kept changing, or changed after they
    /// were used, or `.taskr` was removed, 75 another taskr works here, or runs a task, and was not
    /// waited for. A signal is not a code: the program ends by it.
    pub fn exit_code(&self) -> u8 {
        let failed = self.counts.failed - self.forgiven.failed.min(self.counts.failed);
        let unstable = self.unstable - self.forgiven.unstable.min(self.unstable);
        match () {
            () if self.wrong_taskfile => 2,
            () if self.busy => 75,
            () if failed > unstable => 1,
            () if self.counts.cancelled > 0 || self.missed => 1,
            () if self.timed_out.is_some() => 1,
            () if unstable > 0 || self.outdated => 3,
            () if self.counts.skipped > self.when_false + self.forgiven.skipped => 1,
            () if self.gates.iter().any(|gate| !gate.passed()) => 1,
            () if self.pipelines.iter().any(|end| !end.is_fine()) => 1,
            () => 0,
        }
    }
}

/// Changed files, where they decide which part of what is wanted is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The options that asked for it, as they are written: `--since main`, `--changed`.
    pub by: Vec<String>,
    /// What changed, relative to the workspace, whether it is there or not; a folder stands for
    /// all that is in it.
    pub paths: Vec<Vec<u8>>,
}

/// Something that happened. Times are milliseconds since the run began.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// First of all.
    RunStarted {
        /// Names of the targets asked for.
        wanted: &'a [String],
        /// Tasks in the plan, groups left out.
        tasks: usize,
        /// So many of them are known to be up to date, and nothing more is told of those.
        fresh: usize,
        /// How many may run at once.
        jobs: usize,
        /// Names this run.
        run_id: &'a str,
        /// `-n`: nothing will be changed.
        dry_run: bool,
        /// Set if only what these can reach is built.
        changes: Option<&'a Changes>,
    },
    /// Everything that the task needs is done.
    TaskReady {
        /// The task.
        task: TaskRef<'a>,
    },
    /// Its command starts (with `-n`: would start).
    TaskStarted {
        /// The task.
        task: TaskRef<'a>,
        /// Why; never empty.
        reasons: &'a [Reason],
        /// What it would be recorded under; none for unrecorded tasks and in a dry run.
        key: Option<Digest>,
        /// The command for people.
        command: &'a str,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// Its outputs are being brought from the store (with `-n`: would be). A task that cannot be
    /// restored after all is started.
    TaskRestoring {
        /// The task.
        task: TaskRef<'a>,
        /// Why it is not fresh; never empty.
        reasons: &'a [Reason],
        /// What it is stored under.
        key: Digest,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// A piece of its output, as it came; of a restored task, as it once came.
    TaskOutput {
        /// The task.
        task: TaskRef<'a>,
        /// Up to 64 KiB.
        bytes: &'a [u8],
    },
    /// An attempt failed, and is followed by another: a `TaskStarted` comes after the wait, unless
    /// the run ends before.
    TaskRetrying {
        /// The task.
        task: TaskRef<'a>,
        /// What went wrong: "exit 75".
        what: &'a str,
        /// Of the command, if it ended by itself.
        exit_code: Option<i32>,
        /// Of the command, in milliseconds.
        duration_ms: u64,
        /// Number of the attempt, from 1.
        attempt: usize,
        /// How many may still follow, at least 1.
        left: usize,
        /// How long it waits, in milliseconds.
        wait_ms: u64,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// It ended, in whatever way. Fresh, restored and skipped tasks have no `TaskStarted`.
    TaskFinished {
        /// The task.
        task: TaskRef<'a>,
        /// How.
        finish: &'a Finish,
        /// Of the command, in milliseconds; 0 if none ran.
        duration_ms: u64,
        /// How long the command of a restored task had run, less what restoring took, in
        /// milliseconds.
        saved_ms: Option<u64>,
        /// Of the command, if it ended by itself.
        exit_code: Option<i32>,
        /// How it came to that.
        course: Course,
        /// Output files: path, size in bytes, digest.
        outputs: &'a [(Vec<u8>, u64, Digest)],
        /// Inputs that it changed, if it is a formatter; also if it failed.
        fixed: &'a [Vec<u8>],
        /// What was checked of it; none if its command did not run.
        checkup: Option<&'a Checkup>,
        /// Where its whole output is, absolute; none if it did not run.
        log: Option<&'a std::path::Path>,
        /// Set if it failed.
        failure: Option<&'a Failure>,
        /// Set if it was skipped.
        because: Option<Because<'a>>,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// A service starts. What it writes is told as [`Event::TaskOutput`].
    ServiceStarted {
        /// The service.
        task: TaskRef<'a>,
        /// The command for people.
        command: &'a str,
        /// Whether the user asked for it, so that it stays until he ends it.
        named: bool,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// A service is ready: what needs it may start.
    ServiceReady {
        /// The service.
        task: TaskRef<'a>,
        /// What that took, in milliseconds.
        after_ms: u64,
        /// Whether the user asked for it.
        named: bool,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// Under `taskr watch`: a service is up since an earlier run.
    ServiceKept {
        /// The service.
        task: TaskRef<'a>,
        /// Whether the user asked for it.
        named: bool,
    },
    /// Under `taskr watch`: what a service is made of has changed; it ends, and starts anew if it
    /// is needed.
    ServiceRestarts {
        /// The service.
        task: TaskRef<'a>,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// A service is gone. If it failed, or the user asked for it, `TaskFinished` follows.
    ServiceEnded {
        /// The service.
        task: TaskRef<'a>,
        /// If it ended by itself.
        exit_code: Option<i32>,
        /// How long it was up, in milliseconds.
        duration_ms: u64,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// From now on the terminal is this task's, until it has finished: who listens writes nothing
    /// to it when this returns.
    TerminalGiven {
        /// The task.
        task: TaskRef<'a>,
    },
    /// What it did was undone, because its pipeline failed; or that failed.
    TaskRolledBack {
        /// The task.
        task: TaskRef<'a>,
        /// Of the command that undid it, in milliseconds.
        duration_ms: u64,
        /// Set if that failed.
        failure: Option<&'a Failure>,
        /// Milliseconds since the run began.
        at_ms: u64,
    },
    /// A stage of taskr's own work is over. Told only if the run was asked to time itself.
    Stage {
        /// What it did.
        name: &'static str,
        /// For which task; none if for all.
        task: Option<TaskRef<'a>>,
        /// When it began.
        begun: Instant,
        /// When it ended.
        ended: Instant,
    },
    /// What the loop spent its time on, in sums. Told as [`Event::Stage`] is.
    Sums {
        /// When the loop began.
        begun: Instant,
        /// Names and sums, the greatest first; together as long as the loop.
        parts: &'a [(&'static str, Duration)],
    },
    /// Something a person should know; `task` if it is about one.
    Warning {
        /// The task.
        task: Option<TaskRef<'a>>,
        /// One sentence.
        message: &'a str,
    },
    /// Under `taskr watch`, after a run: it waits until something changes.
    Waiting {
        /// How many files are looked at.
        files: usize,
        /// In how many folders.
        folders: usize,
    },
    /// Under `taskr watch`: this changed, and another run begins.
    Woken {
        /// What changed, in order; never empty.
        edits: &'a [Edit],
    },
    /// Last of all of a run.
    RunFinished {
        /// Names this run.
        run_id: &'a str,
        /// Everything in numbers.
        summary: &'a Summary,
    },
}
