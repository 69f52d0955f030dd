//! What goes to a worker and what comes back: owned values, executable without the graph.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use taskr_cache::{Blobs, Content, Digest, Entry, Intents, KeyHasher, Seen, measure};

use super::batch::{Batch, Halved};
use super::undo::{Undo, Undone};
use crate::files::Pattern;
use crate::graph::{Fixes, Output};
use crate::ids::{FileId, ServiceId, TaskId};
use crate::lock::{Note, TaskLock};
use crate::outcome::{Checkup, Gate, Made, OutFile, Recorded};
use crate::outdir::TaskDir;
use crate::process::{Command, Console, Guard, Said, Stop, ask, why_not_started};

/// Work for one thread.
#[derive(Debug)]
pub enum Job {
    /// Read files whose content is not known.
    Read(Vec<Read>),
    /// Run one task, or restore it.
    Run(Box<Run>),
    /// Run several tasks in one process.
    Batch(Box<Batch>),
    /// Ask a command whether its task is up to date.
    Ask(Box<Ask>),
    /// Undo what a task did.
    Undo(Box<Undo>),
    /// Write a file of taskr's own for a task, whole.
    Write(TaskId, Vec<u8>, Vec<u8>),
}

/// A command that is asked.
#[derive(Debug)]
pub struct Ask {
    /// Of the question; comes back.
    pub number: usize,
    /// What is started.
    pub command: Command,
    /// Told of process groups.
    pub guard: Option<Arc<Guard>>,
}

/// What a worker, or the world, has to say.
#[derive(Debug)]
pub enum Message {
    /// Answer to [`Job::Read`].
    Read(Vec<ReadResult>),
    /// In the middle of a [`Job::Run`]: what the depfile named, before anything is published.
    Found(Box<DepfileRead>),
    /// Before a [`Job::Run`]: another taskr, this one if it says so, runs the same unrecorded task
    /// and is waited for.
    Waits(TaskId, Option<Note>),
    /// It waits no more.
    Waited(TaskId),
    /// Answer to [`Job::Run`].
    Ended(Box<Ended>),
    /// Answer to [`Job::Batch`]: of each task.
    Batched(Vec<Ended>),
    /// In the middle of a [`Job::Batch`]: its process failed, and the next has fewer items.
    Halved(Box<Halved>),
    /// Answer to [`Job::Ask`]: what was said, or why it could not be asked.
    Asked(usize, std::result::Result<Said, String>),
    /// There may be a token of the job server.
    Token,
    /// What a service has to say.
    Service(ServiceId, super::service::News),
    /// Answer to [`Job::Undo`].
    Undone(Box<Undone>),
    /// Answer to [`Job::Write`]: why the task's file could not be written, if so.
    Wrote(TaskId, Option<String>),
    /// A signal came to taskr.
    Signal(i32),
}

/// A file to read.
#[derive(Debug)]
pub struct Read {
    /// Which.
    pub file: FileId,
    /// What the asker knew of it; comes back.
    pub version: (u32, u32),
    /// Where, absolute.
    pub path: PathBuf,
}

/// What was found there, or why it could not be read.
#[derive(Debug)]
pub struct ReadResult {
    /// Which.
    pub file: FileId,
    /// Of the [`Read`].
    pub version: (u32, u32),
    /// What it holds.
    pub result: std::result::Result<Option<(Seen, Content)>, String>,
}

impl Read {
    pub(super) fn measure(self, buffer: &mut Vec<u8>) -> ReadResult {
        let result = measure(&self.path, buffer).map_err(|error| error.to_string());
        ReadResult { file: self.file, version: self.version, result }
    }
}

impl Ask {
    pub(super) fn answer(&self, stop: &Stop) -> std::result::Result<Said, String> {
        ask(&self.command, stop, self.guard.as_deref())
            .map_err(|error| why_not_started(&self.command, &error))
    }
}

/// One task to run.
#[derive(Debug)]
pub struct Run {
    /// Which.
    pub task: TaskId,
    /// Its id in the state, for the intent.
    pub id: Vec<u8>,
    /// Its own folder.
    pub dir: TaskDir,
    /// What to start.
    pub launch: Launch,
    /// Number of the intent and where it is written, before anything is changed; none for
    /// unrecorded tasks, which own nothing but their `out/`.
    pub intent: Option<(u64, Intents)>,
    /// Declared outputs.
    pub outputs: Vec<Declared>,
    /// What it sets up in place.
    pub installs: Vec<Vec<u8>>,
    /// What the command writes its dependencies to.
    pub depfile: Option<Vec<u8>>,
    /// What its last success left.
    pub before: Vec<Before>,
    /// What others' records say of paths among its outputs.
    pub others: Arc<Recorded>,
    /// What its key is made of, to be asked for again after the run.
    pub inputs: Vec<Expected>,
    /// The same for globs.
    pub globs: Vec<Listed>,
    /// Which of its inputs the command may change: not none if it is a formatter.
    pub fixes: Fixes,
    /// The command is not the one of the last success: what that one left to taskr to publish
    /// this one may write in place.
    pub new_command: bool,
    /// What stands at the outputs stays for the command, and counts as its outputs afterwards.
    pub keep_outputs: bool,
    /// What must hold before it is published.
    pub checks: Checks,
    /// Warnings are failures, and no file of the user gives way.
    pub strict: bool,
    /// Publish even if inputs moved.
    pub last_attempt: bool,
    /// How its `timeout` is written, if it has one.
    pub timeout: Option<String>,
    /// What of taskr's own streams the command gets.
    pub console: Console,
    /// Whether pieces of output are wanted while it runs.
    pub stream: bool,
    /// Whether it is wanted how long each step takes.
    pub timed: bool,
    /// Told of process groups.
    pub guard: Option<Arc<Guard>>,
    /// Told when this task alone must end.
    pub stop: Option<Stop>,
}

/// What must hold after the command, before anything is published.
#[derive(Debug, Default)]
pub struct Checks {
    /// Acceptance tests, in order.
    pub accept: Vec<Accept>,
    /// Limits for the metrics that the command writes.
    pub gates: Vec<Gate>,
}

/// An acceptance test.
#[derive(Debug)]
pub struct Accept {
    /// For people.
    pub shown: String,
    /// What is started, or why nothing can be.
    pub command: std::result::Result<Command, String>,
}

/// What to start.
#[derive(Clone, Debug)]
pub enum Launch {
    /// This.
    Command(Command),
    /// Nothing can be started, because of this.
    Impossible(String),
    /// Nothing is: the outputs come from the store.
    Restore(Box<Restore>),
    /// What the first of its batch starts.
    Together,
}

/// What the store has, and where its contents are.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The result of an earlier run of this task, wherever that was.
    pub entry: Entry,
    /// Contents by digest.
    pub blobs: Blobs,
}

/// A declared output.
#[derive(Clone, Debug)]
pub struct Declared {
    /// In the workspace.
    pub output: Output,
    /// The folder that paths below `out/` are relative to, besides the workspace.
    pub dir: Vec<u8>,
}

/// One output of the last success.
#[derive(Clone, Debug)]
pub struct Before {
    /// As recorded.
    pub file: OutFile,
    /// Stamps under which it was found to be as recorded in this run; none if not looked at.
    pub seen: Option<Seen>,
}

/// An input as it was when the task was judged.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Relative to the workspace, or absolute.
    pub path: Vec<u8>,
    /// None if it was absent.
    pub seen: Option<Seen>,
    /// What it held.
    pub content: Content,
    /// Whether the stamps alone vouch for the content.
    pub settled: bool,
}

/// A glob as it was listed when the task was judged.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What was looked for.
    pub pattern: Pattern,
    /// What was taken away.
    pub skip: Vec<Pattern>,
    /// Of the list; see [`listing_digest`].
    pub digest: Digest,
}

/// A digest of a sorted list of paths.
pub fn listing_digest<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Digest {
    let mut hasher = KeyHasher::new("taskr 2026 listing v1");
    for path in paths {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path);
    }
    hasher.finish()
}

/// What a depfile named; the worker waits for the answer.
#[derive(Debug)]
pub struct DepfileRead {
    /// Whose.
    pub task: TaskId,
    /// Paths with stamps.
    pub found: Found,
    /// The file system's clock when the command started, in nanoseconds since 1970.
    pub started_ns: i64,
    /// Where the answer goes.
    pub answer: Sender<Checked>,
}

/// What is to be thought of a depfile's paths.
#[derive(Debug)]
pub enum Checked {
    /// They may be inputs.
    Fine,
    /// These changed while the task ran.
    Moved(Vec<Vec<u8>>),
    /// One of them is made by a task that this one does not wait for.
    Wrong(String),
}

/// How one attempt of a task ended.
#[derive(Debug)]
pub struct Ended {
    /// Which.
    pub task: TaskId,
    /// What came of it.
    pub result: Result,
    /// Of the command, in milliseconds; where several tasks had one process, this one's part of it.
    pub duration_ms: u64,
    /// From the start of the first process that was also for this task to the end of the last, in
    /// milliseconds, where it shared them.
    pub shared_ms: Option<u64>,
    /// This task's part of shared processes that failed and were followed by others, in milliseconds.
    pub in_vain_ms: u64,
    /// Of bringing the outputs from the store, in milliseconds.
    pub restore_ms: u64,
    /// If the command ended by itself.
    pub exit_code: Option<i32>,
    /// If a signal ended the command.
    pub signal: Option<i32>,
    /// Whether it was the command that failed, by its exit code or a signal of its own, or what
    /// was checked of it.
    pub command_failed: bool,
    /// Whether its time was over before it ended.
    pub timed_out: bool,
    /// How much memory its command had at most, in bytes, if that is known and much.
    pub peak_bytes: Option<u64>,
    /// What was checked after the command.
    pub checkup: Checkup,
    /// Sentences for the user.
    pub warnings: Vec<String>,
    /// Files that taskr did not make and that had to give way, and where they are kept.
    pub replaced: Vec<(Vec<u8>, Vec<u8>)>,
    /// Inputs that it wrote, if it is a formatter; also if it failed.
    pub written: Vec<Written>,
    /// If it failed: what its depfile names, as far as there is one.
    pub read: Vec<Vec<u8>>,
    /// The last lines of its output.
    pub tail: Vec<u8>,
    /// The lock of an unrecorded task's folder, to be kept while the run may read it.
    pub lock: Option<TaskLock>,
    /// Names, begins and ends of its steps, if they are wanted.
    pub steps: Vec<(&'static str, Instant, Instant)>,
}

impl Ended {
    /// Nothing but its result is known.
    pub(super) fn with(task: TaskId, result: Result) -> Ended {
        Ended {
            task,
            result,
            duration_ms: 0,
            shared_ms: None,
            in_vain_ms: 0,
            restore_ms: 0,
            exit_code: None,
            signal: None,
            command_failed: false,
            timed_out: false,
            peak_bytes: None,
            checkup: Checkup::default(),
            warnings: Vec::new(),
            replaced: Vec::new(),
            written: Vec::new(),
            read: Vec::new(),
            tail: Vec::new(),
            lock: None,
            steps: Vec::new(),
        }
    }
}

/// An input that a formatter wrote.
#[derive(Debug)]
pub struct Written {
    /// Which.
    pub path: Vec<u8>,
    /// As it stands now; none if it is gone or cannot be read.
    pub now: Option<(Seen, Content)>,
    /// Whether it holds something else than before.
    pub changed: bool,
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Result {
    /// Published.
    Success(Success),
    /// Inputs moved while it ran; nothing was published.
    Moved(Vec<Vec<u8>>),
    /// Inputs moved in the last attempt too; published all the same.
    Unstable(Success, Vec<Vec<u8>>),
    /// It failed, by this; what stood before stands again.
    Failed(String),
    /// It was ended by taskr.
    Stopped,
    /// Another taskr, this one if it says so, runs it and was not waited for.
    Busy(Option<Note>),
    /// It cannot be restored; what stood before stands again.
    NotRestored {
        /// Why.
        what: String,
        /// Whether that is the store's fault, and not this workspace's.
        broken: bool,
    },
}

/// Paths that a depfile named, with stamps taken after the run (none if absent).
pub type Found = Vec<(Vec<u8>, Option<Seen>)>;

/// What a success left.
#[derive(Debug, Default)]
pub struct Success {
    /// Outputs with their stamps: declared ones in order, then the rest of `out/`.
    pub outputs: Vec<(OutFile, Seen)>,
    /// Path, device, inode.
    pub installs: Vec<(Vec<u8>, u64, u64)>,
    /// What the depfile named.
    pub found: Option<Found>,
    /// Paths that were there before or are there no more: the caller's memory of them is stale.
    pub touched: Vec<Vec<u8>>,
    /// Whether an output holds the workspace's own path, or may: it is packed.
    pub names_root: bool,
    /// Whether files that are not the task's stand among its outputs: then nobody can say what a
    /// clean build would have left there.
    pub among_foreign: bool,
}

impl Success {
    /// Output files for listeners: path, size in bytes, digest. Links and folders are left out.
    pub fn files(&self) -> Vec<(Vec<u8>, u64, Digest)> {
        let files = self.outputs.iter().filter_map(|(file, _)| match file.made {
            Made::File { size, digest, .. } => Some((file.path.clone(), size, digest)),
            _ => None,
        });
        files.collect()
    }
}

/// What a job was about, to tell of it if the worker breaks.
pub(super) enum Subject {
    Read(Vec<(FileId, (u32, u32))>),
    Run(TaskId),
    Batch(Vec<TaskId>),
    Ask(usize),
    Undo(TaskId),
    Write(TaskId),
}

impl Job {
    pub(super) fn subject(&self) -> Subject {
        match self {
            Job::Read(paths) => {
                Subject::Read(paths.iter().map(|read| (read.file, read.version)).collect())
            }
            Job::Run(run) => Subject::Run(run.task),
            Job::Batch(batch) => Subject::Batch(batch.runs.iter().map(|run| run.task).collect()),
            Job::Ask(ask) => Subject::Ask(ask.number),
            Job::Undo(undo) => Subject::Undo(undo.task),
            Job::Write(task, ..) => Subject::Write(*task),
        }
    }
}

impl Subject {
    pub(super) fn broken(self, panic: &(dyn Any + Send)) -> Message {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        self.failed(&format!("taskr itself broke: {text}; please report it"))
    }

    /// The answer of a job that could not be done.
    pub(super) fn failed(self, what: &str) -> Message {
        match self {
            Subject::Read(files) => {
                let broken =
                    |(file, version)| ReadResult { file, version, result: Err(what.to_owned()) };
                Message::Read(files.into_iter().map(broken).collect())
            }
            Subject::Ask(number) => Message::Asked(number, Err(what.to_owned())),
            Subject::Undo(task) => Message::Undone(Box::new(Undone {
                task,
                failed: Some(what.to_owned()),
                duration_ms: 0,
                tail: Vec::new(),
            })),
            Subject::Write(task) => Message::Wrote(task, Some(what.to_owned())),
            Subject::Batch(tasks) => {
                let failed = |task| Ended::with(task, Result::Failed(what.to_owned()));
                Message::Batched(tasks.into_iter().map(failed).collect())
            }
            Subject::Run(task) => {
                let result = Result::Failed(what.to_owned());
                Message::Ended(Box::new(Ended::with(task, result)))
            }
        }
    }
}
