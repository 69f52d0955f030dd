//! Threads that do what takes time: read files, and carry tasks from their intent to their
//! published outputs.
//!
//! Workers own nothing and know no graph and no state: an owned [`Job`] comes in, a [`Message`]
//! goes out. Threads are started when there is work for them. A panic in a worker is a failed
//! job, not the end of the run.

mod attempt;
mod batch;
mod check;
mod collected;
mod folders;
mod intent;
mod job;
mod outputs;
mod probe;
mod restore;
mod service;
mod standing;
mod undo;
mod written;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

pub use batch::{Batch, Halved};
pub use check::METRICS;
pub use intent::IntentBody;
pub use job::{
    Accept, Ask, Before, Checked, Checks, Declared, DepfileRead, Ended, Expected, Found, Job,
    Launch, Listed, Message, Read, ReadResult, Restore, Result, Run, Success, Written,
    listing_digest,
};

pub use probe::Probe;
pub use service::{Down, NOT_READY, News, Running as RunningService, Up};

pub use outputs::{is_made, standing_at};
pub use standing::{replaced_path, restore_aside};
pub use undo::{UNDO_LOG, Undo, Undone};

use crate::error::{remedy, said};
use crate::files::Ignored;
use crate::ids::{ServiceId, TaskId};
use crate::lock::Note;
use crate::outcome::shown;
use crate::outdir::Root;
use crate::process::Stop;

/// What all workers share.
#[derive(Clone, Debug)]
pub struct Context {
    /// The workspace.
    pub root: Root,
    /// What listings of inputs leave out.
    pub ignored: Ignored,
    /// The path that is not to be in outputs that other places get.
    pub place: Vec<u8>,
    /// Names the run; also the folder below `replaced/`.
    pub run_id: String,
    /// What this taskr says of itself to those who wait for it.
    pub note: Note,
    /// Wait for another taskr that runs the same unrecorded task.
    pub wait: bool,
    /// Told when the run must end.
    pub stop: Stop,
    /// Where workers say what happened.
    pub messages: Sender<Message>,
}

/// Pieces of output wait for the listener at most so many at a time.
const WAITING_PIECES: usize = 64;

/// The threads.
#[derive(Debug)]
pub struct Workers {
    most: usize,
    busy: usize,
    context: Arc<Context>,
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    pieces: Sender<Piece>,
    output: Receiver<Piece>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Who wrote a piece of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A task.
    Task(TaskId),
    /// A service.
    Service(ServiceId),
}

/// A piece of output, as it came.
pub type Piece = (Writer, Vec<u8>);

/// On which pieces of output come.
pub type Output = (Sender<Piece>, Receiver<Piece>);

/// A channel for pieces of output.
pub fn output() -> Output {
    bounded(WAITING_PIECES)
}

impl Workers {
    /// At most `most` threads; none is started yet.
    pub fn new(most: usize, context: Context, (pieces, output): Output) -> Workers {
        let (jobs, queue) = unbounded();
        let context = Arc::new(context);
        Workers { most, busy: 0, context, jobs, queue, pieces, output, threads: Vec::new() }
    }

    /// Hands out a job. Each job is answered by one message.
    ///
    /// Where the system gives no more threads, those that there are do the work; without any the
    /// job has failed.
    pub fn start(&mut self, job: Job) {
        self.busy += 1;
        if self.busy > self.threads.len() && self.threads.len() < self.most {
            match self.spawn() {
                Ok(thread) => self.threads.push(thread),
                Err(error) if self.threads.is_empty() => {
                    let why = remedy(&error).map_or_else(String::new, |why| format!("; {why}"));
                    let what = format!("cannot start a thread: {}{why}", said(&error));
                    // The receiver lives as long as the run.
                    let _ = self.context.messages.send(job.subject().failed(&what));
                    return;
                }
                Err(_) => {}
            }
        }
        // The receiver lives as long as `self`.
        let _ = self.jobs.send(job);
    }

    /// Starts a service, which takes none of these threads.
    ///
    /// # Errors
    /// If the system gives no more threads or descriptors.
    pub fn serve(&self, up: Up) -> io::Result<RunningService> {
        RunningService::start(&self.context, up, &self.pieces)
    }

    /// A job was answered.
    pub fn answered(&mut self) {
        self.busy -= 1;
    }

    /// What tasks write while they run. All pieces of a task are here before its end is told.
    pub fn output(&self) -> &Receiver<Piece> {
        &self.output
    }

    /// Waits for all threads; jobs that wait are done first.
    pub fn finish(&mut self) {
        // Threads end when there is nobody left who could send them a job.
        self.jobs = unbounded().0;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn spawn(&self) -> io::Result<thread::JoinHandle<()>> {
        let (context, queue) = (self.context.clone(), self.queue.clone());
        let pieces = self.pieces.clone();
        thread::Builder::new().spawn(move || {
            let mut buffer = Vec::new();
            for job in queue {
                let subject = job.subject();
                let work = || answer(&context, job, &pieces, &mut buffer);
                let message = catch_unwind(AssertUnwindSafe(work))
                    .unwrap_or_else(|panic| subject.broken(panic.as_ref()));
                if context.messages.send(message).is_err() {
                    return;
                }
            }
        })
    }
}

fn answer(context: &Context, job: Job, pieces: &Sender<Piece>, buffer: &mut Vec<u8>) -> Message {
    match job {
        Job::Read(paths) => {
            Message::Read(paths.into_iter().map(|read| read.measure(buffer)).collect())
        }
        Job::Undo(undo) => undo.run(context),
        Job::Write(task, path, text) => {
            let failed = context.root.write(&path, &text).err();
            let what = |error| format!("cannot write {}: {}", shown(&path), said(&error));
            Message::Wrote(task, failed.map(what))
        }
        Job::Run(run) => Message::Ended(Box::new(attempt::run(context, &run, pieces, buffer))),
        Job::Batch(batch) => Message::Batched(batch::run(context, &batch, pieces, buffer)),
        Job::Ask(ask) => Message::Asked(ask.number, ask.answer(&context.stop)),
    }
}
