//! The loop: what may start next is judged, run if it must, recorded, finished.
//!
//! One thread owns the plan, what is known of files, the state and the listener; workers get
//! owned jobs and answer on one channel, on which signals arrive too. Nothing here prints or
//! exits: what happens is told as events, what it came to is the summary.

mod absence;
mod absent;
mod account;
mod admit;
mod advice;
mod ahead;
mod allowed;
mod ask;
mod away;
mod batch;
mod checks;
mod clean;
mod commit;
mod console;
mod date;
mod decide;
mod env_files;
mod finish;
mod fixed;
mod found;
mod gather;
mod judged;
mod judging;
mod kept;
mod launch;
mod ledger;
mod limit;
mod machine;
mod makers;
mod mend;
mod moved;
mod named;
mod narrow;
mod noted;
mod open;
mod pipelines;
mod preview;
mod proof;
mod reach;
mod real;
mod request;
mod rest;
mod retry;
mod rollback;
mod served;
mod services;
mod serving;
mod signals;
mod spent;
mod start;
mod stored;
mod tally;
mod tokens;
mod tools;
mod vouch;
mod waits;
mod wanted;

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, at, never, select};
use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{Clock, Differing, Digest};

use crate::error::Error;
use crate::files::Files;
use crate::graph::{Graph, Kind};
use crate::ids::{FileId, IdVec, Paths, TaskId};
use crate::lock::TaskLock;
use crate::outcome::{Event, OutFile, Reason, Recorded, Summary, TaskRef};
use crate::outdir::{Root, TaskDir};
use crate::plan::{Admission, Next, Plan, Rests};
use crate::process::{Guard, Stopper};
use crate::record::Names;
use crate::workers::{Ended, Job, Message, Read, Workers, Writer};

use allowed::Asked;
use away::Away;
use batch::Batches;
use gather::Gathered;
use launch::Targets;
use makers::Folders;
use noted::Noted;
use open::Held;
use pipelines::Pipelines;
use retry::{Resting, Tries};
use services::Services;
use spent::{Part, Spent};
use stored::{Hit, Kept};
use tally::Tally;
use tokens::Tokens;
use vouch::Vouched;

pub use clean::{Cleaned, clean};
pub use judged::{Attempt, Judged, dry_run};
pub use ledger::add_to_ledger;
pub use narrow::run_narrow;
pub use preview::{Preview, Texts, preview, readers_by_depfile};
pub use proof::{Ask, Partly, Proved, UpToDate};
pub use request::{Force, Request};
pub use rest::{Lasting, Rested};
pub use stored::StoreAt;
pub use wanted::find;

/// Hears what happens.
pub type Listener<'a> = dyn FnMut(&Event<'_>) + 'a;

/// The channel on which workers and signals tell what happened.
pub type Messages = (Sender<Message>, Receiver<Message>);

/// Builds what is asked for.
///
/// # Errors
/// What stops the whole run before anything was started. A task that fails is no error.
pub fn run(
    request: &Request<'_>,
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<Summary, Error> {
    let warned = Cell::new(false);
    let mut listen = |event: &Event<'_>| {
        warned.set(warned.get() || matches!(event, Event::Warning { .. }));
        listener(event);
    };
    let mut build = Build::open(request, messages, &mut listen)?;
    if request.lasting.is_some() {
        build.note_declared();
    }
    build.vouch();
    finish(build, &warned)
}

/// From the first task to what the run leaves.
fn finish(mut build: Build<'_>, warned: &Cell<bool>) -> Result<Summary, Error> {
    let request = build.request;
    build.begin();
    build.spent = Spent::begin(request.timed);
    let worked = build.work().and_then(|()| build.roll_back());
    build.spent.end(build.listener);
    let summary = worked.map(|()| build.end_run());
    if let (Ok(summary), Some(ask), false) = (&summary, &request.ask, warned.get()) {
        build.prove(ask, summary);
    }
    match request.lasting {
        Some(lasting) => lasting.keep(build),
        None if request.is_last => build.leave(),
        None => {}
    }
    summary
}

/// How a wanted task ended in this run, as far as those that need it care.
#[derive(Debug, Default)]
struct Done {
    outputs: Arc<[OutFile]>,
    key: Option<Digest>,
    would_run: bool,
    is_fresh: bool,
}

impl Done {
    /// Of a task that is up to date: as its last success left it.
    fn fresh(outputs: Vec<OutFile>, key: Option<Digest>) -> Done {
        Done { outputs: outputs.into(), key, would_run: false, is_fresh: true }
    }
}

/// A task that waits for files to be read, or runs.
enum Active {
    /// To be judged.
    Judging(Again),
    /// To be judged once the workspace is this run's again.
    Away,
    /// Must run or be restored, as soon as there is a place.
    Runnable(Box<Due>),
    /// At work.
    Running(Box<Running>),
    /// Failed, and waits for its next attempt.
    Resting(Box<Resting>),
    /// Succeeded; what its depfile found is being read.
    Recording(Box<Running>, Box<Ended>),
}

/// What earlier attempts of this run leave to the next.
#[derive(Debug, Default)]
struct Again {
    /// How they ended.
    tries: Tries,
    /// Why it runs in any case; empty if it is to be judged.
    because: Vec<Reason>,
    /// What they published without a record.
    left: Vec<OutFile>,
}

/// A task that is not up to date.
struct Due {
    gathered: Gathered,
    reasons: Vec<Reason>,
    /// The attempts of this run, up to this one.
    tries: Tries,
    /// What the store has for it.
    hit: Option<Box<Hit>>,
}

/// A task at work.
struct Running {
    due: Due,
    intent: u64,
    /// When it began, in milliseconds since the run did.
    begun_ms: u64,
}

/// Files are read in jobs of so many.
const READS_PER_JOB: usize = 32;

/// Files that must be read, and the tasks that wait for them.
#[derive(Default)]
struct Waiting {
    reads: VecDeque<Read>,
    readers: FxHashMap<FileId, Vec<TaskId>>,
    /// For how many files a task waits.
    missing: FxHashMap<TaskId, usize>,
    unreadable: FxHashMap<FileId, String>,
}

/// What is dear to find out and asked for often.
#[derive(Default)]
struct Lookups {
    /// The interpreters that programs name in their first line, and what `env` looks up for them.
    interpreters: FxHashMap<FileId, Option<(FileId, Option<String>)>>,
    /// Programs by name and folder, as PATH gives them.
    programs: FxHashMap<(String, Vec<u8>), Option<PathBuf>>,
    /// What was looked up, by its name, PATH and the folder, and where it was.
    searched: FxHashMap<(String, OsString, PathBuf), Option<PathBuf>>,
    /// What all records say of paths; made on first use.
    recorded: Option<Arc<Recorded>>,
    /// Whose folder is which.
    folders: Folders,
    /// Who makes a file that is read.
    makers: FxHashMap<FileId, Option<TaskId>>,
    /// Who waits for whom.
    waits: waits::Waits,
    /// Where folders are that links lead to.
    real: real::Real,
    /// What environment files say.
    env_files: FxHashMap<FileId, env_files::Known>,
    /// What was asked of commands.
    questions: ask::Questions,
}

/// What this run did to the workspace, for its end.
#[derive(Default)]
struct Deeds {
    /// Whether a command was started, be it a service's or a question's.
    commands: bool,
    /// The task whose command was started last, and when, if nothing else was at work: what its worker
    /// asked for after it no other command has changed.
    alone: Option<(TaskId, Instant)>,
    /// Outputs of its tasks.
    made: FxHashSet<FileId>,
    /// Folders that may be empty now; they go when nothing runs any more.
    emptied: FxHashSet<Vec<u8>>,
    /// How many files that taskr did not make had to give way.
    replaced: usize,
    /// What tasks that were recorded had read.
    used: moved::Used,
    /// What formatters changed.
    fixed: fixed::Fixed,
    /// What ran, for the run's own file.
    ran: Vec<serde_json::Value>,
    /// What did not succeed, in the order of its end, for the same file.
    not_done: Vec<serde_json::Value>,
    /// What the store has otherwise under the same key.
    differing: Vec<Differing>,
    /// Tasks of which the ledger was told something.
    flawed: FxHashSet<TaskId>,
}

struct Build<'a> {
    request: &'a Request<'a>,
    messages: &'a Messages,
    listener: &'a mut Listener<'a>,
    begun: Instant,
    /// Since when the workspace is this run's, without the time in which it only waited for others.
    worked_since: Instant,
    run_id: String,
    root: Root,
    graph: Graph,
    names: Names,
    plan: Plan,
    forced: FxHashSet<TaskId>,
    asked: Asked,
    paths: Paths,
    files: Files,
    boot: Digest,
    /// Of the workspace's absolute path.
    place: Digest,
    clock: Option<Clock>,
    held: Held,
    away: Away,
    kept: Option<Kept>,
    task_locks: Vec<TaskLock>,
    stopper: Stopper,
    workers: Workers,
    guard: Option<Arc<Guard>>,
    /// The guard could not be started, which was told.
    unguarded: bool,
    done: IdVec<TaskId, Done>,
    active: FxHashMap<TaskId, Active>,
    admission: Admission,
    /// When something may be admitted although nothing happened.
    admits_at: Option<Instant>,
    rests: Rests,
    batches: Batches,
    ahead: ahead::Ahead,
    /// What workers said while signals were listened for.
    postponed: VecDeque<Message>,
    waiting: Waiting,
    services: Services,
    tokens: Tokens<'a>,
    lookups: Lookups,
    deeds: Deeds,
    tally: Tally,
    pipelines: Pipelines,
    vouched: Vouched,
    /// How many tasks there are, if those that are done by now are no part of the plan.
    known_tasks: Option<usize>,
    console: console::Held,
    spent: Spent,
    /// Set under `taskr watch`.
    noted: Option<Noted>,
}

impl Build<'_> {
    /// Ends it without giving back, piece by piece, what is large.
    fn leave(self) {
        let Build { graph, plan, names, paths, files, done, tally, lookups, vouched, held, .. } =
            self;
        let large = (graph, plan, names, paths, files, done, tally, lookups, vouched, held.state);
        std::mem::forget(large);
    }

    fn begin(&mut self) {
        let planned = self.plan.wanted().filter(|&(id, _)| self.counts(id)).count();
        let tasks = self.known_tasks.unwrap_or(planned);
        let fresh = tasks.saturating_sub(planned);
        self.tally.summary.counts.tasks = tasks;
        self.tally.summary.counts.fresh = fresh;
        self.tally.summary.jobs = self.request.jobs;
        self.tally.summary.dry_run = self.request.dry_run;
        (self.listener)(&Event::RunStarted {
            wanted: &self.request.wanted,
            tasks,
            fresh,
            jobs: self.request.jobs,
            run_id: &self.run_id,
            dry_run: self.request.dry_run,
            changes: self.request.changes.as_ref(),
        });
        self.meet_kept();
    }

    /// Whether its end is told, whatever that is: not of what stands for others, nor of a service that
    /// is only there for others. Of such a service only a failure is told.
    fn is_told(&self, id: TaskId) -> bool {
        match self.graph.task(id).kind() {
            Kind::Group => false,
            Kind::Service => self.services.is_named(id),
            Kind::Recorded | Kind::Unrecorded => true,
        }
    }

    /// Whether it is one of the tasks of this run, whatever becomes of it. Others join them when
    /// their end is told: under `taskr watch` a service stays, and is not over when the run is.
    fn counts(&self, id: TaskId) -> bool {
        let lasts = self.request.lasting.is_some() && self.graph.task(id).kind() == Kind::Service;
        self.is_told(id) && !lasts
    }

    /// Until nothing is left to do.
    fn work(&mut self) -> Result<(), Error> {
        loop {
            self.end_in_time();
            self.wake()?;
            self.come_back_in_time()?;
            self.start_what_may()?;
            self.send_reads();
            self.tend_services();
            if self.active.is_empty() && (self.services.are_down() || self.leaves_services()) {
                return Ok(());
            }
            self.give_way();
            self.tokens.keep_for(self.admission.running());
            let was = self.spent.enter(Part::Wait);
            let message = self.wait();
            self.spent.enter(was);
            let Some(message) = message else { continue };
            match message {
                Message::Read(results) => self.files_were_read(results)?,
                Message::Found(read) => self.check_found(&read),
                Message::Batched(all) => {
                    let was = self.spent.enter(Part::Record);
                    self.batch_ended(all)?;
                    self.spent.enter(was);
                }
                Message::Halved(half) => self.render_half(&half),
                Message::Asked(number, said) => self.was_asked(number, said)?,
                Message::Waits(id, holder) => {
                    let holder = away::described(holder.as_ref());
                    self.warn(Some(id), &format!("waiting for another taskr{holder}"));
                    self.away.behind_others.insert(id);
                }
                Message::Waited(id) => drop(self.away.behind_others.remove(&id)),
                Message::Ended(ended) => {
                    let was = self.spent.enter(Part::Record);
                    self.task_ended(*ended)?;
                    self.spent.enter(was);
                }
                Message::Token => self.token_came(),
                Message::Service(number, news) => self.service_said(number, news),
                Message::Signal(signal) => self.signal(signal),
                Message::Wrote(id, failed) => self.was_written(id, failed),
                // Nothing is undone before all has ended.
                Message::Undone(_) => {}
            }
        }
    }

    fn start_what_may(&mut self) -> Result<(), Error> {
        loop {
            self.hear_signals();
            self.start_runnable();
            // More tasks would only be judged earlier than they can start.
            let free = self.admission.has_place() && !self.tokens.is_asking_make();
            let free = usize::from(free);
            let was = self.spent.enter(Part::Plan);
            let next = self.plan.next(free);
            self.spent.enter(was);
            match next {
                Next::Start(id) => {
                    self.ahead.add(self.plan.newly_ready());
                    self.active.insert(id, Active::Judging(Again::default()));
                    self.judge(id)?;
                }
                Next::Wait | Next::Done if self.open_batches() => {}
                Next::Wait | Next::Done => return Ok(()),
            }
        }
    }

    fn send_reads(&mut self) {
        while !self.waiting.reads.is_empty() {
            let some =
                self.waiting.reads.drain(..self.waiting.reads.len().min(READS_PER_JOB)).collect();
            self.workers.start(Job::Read(some));
        }
    }

    /// Waits for a message, or until something is due without one; passes output on meanwhile. All
    /// output of a task has been passed on before its end is returned.
    fn wait(&mut self) -> Option<Message> {
        let due = [self.deadline(), self.rests.next(), self.admits_at, self.away.asks_at()];
        let stands_still = self.only_waits().then(Instant::now);
        let message = self.wait_until(due.into_iter().flatten().min());
        if let Some(since) = stands_still {
            self.worked_since += since.elapsed();
        }
        message
    }

    /// Waits for a message, to that time if there is one.
    fn wait_until(&mut self, due: Option<Instant>) -> Option<Message> {
        let output = self.workers.output().clone();
        if let Some(message) = self.postponed.pop_front() {
            for (writer, bytes) in output.try_iter() {
                self.tell_output(writer, &bytes);
            }
            return Some(message);
        }
        let timer = due.map_or_else(never, at);
        loop {
            select! {
                recv(self.messages.1) -> message => {
                    // The sender lives in `self.messages`.
                    let message = message.unwrap_or(Message::Signal(0));
                    for (writer, bytes) in output.try_iter() {
                        self.tell_output(writer, &bytes);
                    }
                    return Some(message);
                }
                recv(timer) -> _ => return None,
                recv(output) -> piece => {
                    if let Ok((writer, bytes)) = piece {
                        self.tell_output(writer, &bytes);
                    }
                }
            }
        }
    }

    /// All that was known of files is asked for anew.
    fn forget_everything(&mut self) {
        self.files.forget_all();
        self.waiting.unreadable.clear();
    }

    /// These paths are something else now, or may be: they are asked for anew, by all names that links
    /// give them.
    fn forget_paths<'p>(&mut self, changed: impl IntoIterator<Item = &'p [u8]>) {
        for path in changed {
            self.files.forget(&self.paths, path);
            for other in self.lookups.real.others(path) {
                self.files.forget(&self.paths, &other);
            }
        }
        self.files.forget_links();
    }

    fn task_ref(&self, id: TaskId) -> String {
        self.graph.name(id).to_owned()
    }

    fn tell_output(&mut self, writer: Writer, bytes: &[u8]) {
        let id = match writer {
            Writer::Task(id) => Some(id),
            Writer::Service(number) => self.services.numbers.get(&number).copied(),
        };
        let Some(id) = id else { return };
        let name = self.graph.name(id);
        (self.listener)(&Event::TaskOutput { task: TaskRef { id, name }, bytes });
    }

    fn warn(&mut self, id: Option<TaskId>, message: &str) {
        let task = id.map(|id| TaskRef { id, name: self.graph.name(id) });
        (self.listener)(&Event::Warning { task, message });
    }

    fn task_dir(&self, id: TaskId) -> TaskDir {
        TaskDir::new(self.taskfile_prefix(), self.graph.name(id))
    }

    fn taskfile_prefix(&self) -> Option<&[u8]> {
        open::prefix(&self.request.taskfile)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A dependency of which it is only known that it would run. Those that count for the order
    /// alone matter if the last depfile named something of theirs.
    fn some_need_would_run(&mut self, id: TaskId) -> Option<TaskId> {
        let task = self.graph.task(id);
        let would_run = |need: &&TaskId| self.done[**need].would_run;
        let mut needs = self.graph.needs(id).iter().filter(would_run);
        if let Some(&need) = needs.clone().find(|need| !task.after.contains(need)) {
            // A group would run because one of its own would.
            let behind = self.graph.without_groups(&[need]);
            return behind.into_iter().find(|need| self.done[*need].would_run);
        }
        needs.next()?;
        task.rule.depfile.as_ref()?;
        let state_id = self.names.id(self.graph.name(id));
        let record = crate::record::read(&self.held.state, &state_id)?;
        let found = record.found.into_iter().next()?;
        found
            .paths
            .iter()
            .find_map(|path| self.maker_of(path).filter(|&maker| self.done[maker].would_run))
    }

    /// `out/` and outputs of all dependencies, for `target('NAME')`.
    fn targets_of(&self, id: TaskId) -> Targets {
        let task = self.graph.task(id);
        let mut targets = Targets::default();
        for need in self.graph.without_groups(self.graph.needs(id)) {
            let rule = &self.graph.task(need).rule;
            let word = |path: &[u8]| crate::graph::word_of_path(&task.rule.dir, path);
            let out = word(&self.task_dir(need).join("out"));
            let outputs: Vec<_> =
                self.done[need].outputs.iter().map(|file| word(&file.path)).collect();
            for name in task.rule.target.spellings(rule.plain_name()) {
                targets.insert(name, (out.clone(), Vec::clone(&outputs)));
            }
        }
        targets
    }
}

/// A new name for a run: time and process, unique on this machine.
fn new_run_id() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_millis());
    format!("{now}-{}", std::process::id())
}

fn default_done(count: usize) -> IdVec<TaskId, Done> {
    (0..count).map(|_| Done::default()).collect()
}
