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
mod allowed;
mod ask;
mod batch;
mod checks;
mod clean;
mod commit;
mod console;
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
mod machine;
mod mend;
mod moved;
mod named;
mod noted;
mod open;
mod pipelines;
mod preview;
mod proof;
mod reach;
mod rest;
mod retry;
mod served;
mod services;
mod serving;
mod spent;
mod stored;
mod tally;
mod time;
mod tokens;
mod tools;
mod vouch;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, at, never, select};
use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{Clock, Differing, Digest};

use crate::error::Error;
use crate::files::{Files, Pattern};
use crate::graph::{Asks, Graph, Kind};
use crate::ids::{FileId, IdVec, Paths, TaskId};
use crate::jobserver::Pool;
use crate::lock::TaskLock;
use crate::outcome::{Changes, Event, Finish, Gate, OutFile, Reason, Recorded, Summary, TaskRef};
use crate::outdir::{Root, TaskDir};
use crate::parse;
use crate::plan::{Admission, Next, Plan, Rests};
use crate::process::{Console, Guard, Stopper};
use crate::record::Names;
use crate::workers::{Ended, Job, Message, Read, Workers, Writer};

use allowed::Asked;
use batch::Batches;
use finish::End;
use gather::Gathered;
use launch::Targets;
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
pub use open::find;
pub use preview::{Preview, Texts, preview, readers_by_depfile};
pub use proof::{Ask, Partly, Proved, UpToDate};
pub use rest::{Lasting, Rested};
pub use stored::StoreAt;

/// Which tasks run although they are fresh.
#[derive(Clone, Debug, Default)]
pub enum Force {
    /// None.
    #[default]
    No,
    /// All that is wanted, and all they need.
    All,
    /// These, by name.
    Only(Vec<String>),
}

/// What a run is asked for.
pub struct Request<'a> {
    /// The workspace, absolute.
    pub root: PathBuf,
    /// The Taskfile's name, relative to the workspace: records are kept by it.
    pub taskfile: Vec<u8>,
    /// The Taskfiles and manifests that say what packages are, relative to the workspace, each with
    /// a folder of such a package.
    pub sources: Vec<(Vec<u8>, String)>,
    /// Makes the graph; asked again when the files it listed may have changed.
    pub load: &'a dyn Fn() -> Result<Graph, Error>,
    /// What the graph's variables ask of commands.
    pub asks: Arc<Asks>,
    /// Names of targets and tasks.
    pub wanted: Vec<String>,
    /// The pipelines that `wanted` may name.
    pub pipelines: Vec<parse::Pipeline>,
    /// Of these only such tasks, and what they need, by name; none: all.
    pub only: Option<Vec<String>>,
    /// Whether private targets may be named, too.
    pub private: bool,
    /// Only what these can reach is built; none means all that is wanted.
    pub changes: Option<Changes>,
    /// How many may run at once; at least 1.
    pub jobs: usize,
    /// The job server of whoever called; none if this run is one itself.
    pub shared: Option<Pool>,
    /// Nothing starts above this load of the machine, unless nothing runs.
    pub most_load: Option<f64>,
    /// `-k`: a failure ends no pipeline.
    pub keep_going: bool,
    /// After so many failures nothing new starts; none means never.
    pub most_failures: Option<usize>,
    /// The same once more than such a part of what ran has failed, from 0 to 1.
    pub most_failure_rate: Option<f64>,
    /// Whether the names of `wanted` were typed; else the Taskfile has them.
    pub typed: bool,
    /// How long the whole run may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// `-n`: change nothing.
    pub dry_run: bool,
    /// `-B`.
    pub force: Force,
    /// Trust no stamp.
    pub rehash: bool,
    /// Where results are kept that may be restored; none: nowhere.
    pub store: Option<StoreAt>,
    /// Limits for the run itself.
    pub gates: Vec<Gate>,
    /// Warnings of tasks are failures, and so are failures that are allowed.
    pub strict: bool,
    /// Wait for another taskr in this workspace.
    pub wait: bool,
    /// The caller's environment.
    pub env: BTreeMap<OsString, OsString>,
    /// This program, for the guard.
    pub taskr: PathBuf,
    /// What was typed, for those who wait.
    pub command_line: String,
    /// Whether the listener wants output while tasks run.
    pub stream: bool,
    /// Set if that all is up to date may be proved to who asks the same.
    pub ask: Option<Ask<'a>>,
    /// What of taskr's own streams interactive tasks get.
    pub console: Console,
    /// Whether the listener wants to know how long taskr's own stages take.
    pub timed: bool,
    /// Whether the process ends after this run: what its end frees at once is left to it.
    pub is_last: bool,
    /// Set under `taskr watch`: what outlives this build.
    pub lasting: Option<&'a Lasting>,
}

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
    build.begin();
    build.vouch();
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

/// A task that waits for files to be read, or runs.
enum Active {
    /// To be judged.
    Judging(Again),
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
    /// Whose folder is which; made on first use.
    folders: Option<FxHashMap<Vec<u8>, TaskId>>,
    /// Who makes a file that a depfile named.
    makers: FxHashMap<FileId, Option<TaskId>>,
    /// What environment files say.
    env_files: FxHashMap<FileId, env_files::Known>,
    /// What was asked of commands.
    questions: ask::Questions,
    /// For how many tasks that did not succeed without harm this was made: what they declare as
    /// outputs.
    missing: (usize, Arc<[Pattern]>),
}

/// What this run did to the workspace, for its end.
#[derive(Default)]
struct Deeds {
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
    /// Since when the workspace is this run's.
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
        let counts = |id| match self.graph.task(id).kind() {
            Kind::Group => false,
            // Under `taskr watch` it stays, and is not over when the run is.
            Kind::Service => self.services.is_named(id) && self.request.lasting.is_none(),
            Kind::Recorded | Kind::Unrecorded => true,
        };
        let tasks = self.plan.wanted().filter(|&(id, _)| counts(id));
        let tasks = tasks.count();
        self.tally.summary.counts.tasks = tasks;
        self.tally.summary.jobs = self.request.jobs;
        self.tally.summary.dry_run = self.request.dry_run;
        (self.listener)(&Event::RunStarted {
            wanted: &self.request.wanted,
            tasks,
            jobs: self.request.jobs,
            run_id: &self.run_id,
            dry_run: self.request.dry_run,
            changes: self.request.changes.as_ref(),
        });
        self.meet_kept();
    }

    /// Until nothing is left to do.
    fn work(&mut self) -> Result<(), Error> {
        loop {
            self.end_in_time();
            self.wake()?;
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
                    let holder = open::described(holder.as_ref());
                    self.warn(Some(id), &format!("waiting for another taskr{holder}"));
                }
                Message::Ended(ended) => {
                    let was = self.spent.enter(Part::Record);
                    self.task_ended(*ended)?;
                    self.spent.enter(was);
                }
                Message::Token => self.token_came(),
                Message::Service(number, news) => self.service_said(number, news),
                Message::Signal(signal) => self.signal(signal),
                // Nothing is undone before all has ended.
                Message::Undone(_) => {}
            }
        }
    }

    fn start_what_may(&mut self) -> Result<(), Error> {
        loop {
            self.hear_signals();
            self.start_runnable();
            let free = usize::from(self.admission.has_place());
            let was = self.spent.enter(Part::Plan);
            let next = self.plan.next(free);
            self.spent.enter(was);
            match next {
                Next::Start(id) => {
                    self.active.insert(id, Active::Judging(Again::default()));
                    self.judge(id)?;
                }
                Next::Wait | Next::Done if self.open_batches() => {}
                Next::Wait | Next::Done => return Ok(()),
            }
        }
    }

    /// A long stretch of fresh tasks must not make a signal wait; what workers say keeps its turn.
    fn hear_signals(&mut self) {
        while let Ok(message) = self.messages.1.try_recv() {
            match message {
                Message::Signal(signal) => self.signal(signal),
                other => self.postponed.push_back(other),
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
        let due = [self.deadline(), self.rests.next(), self.admits_at].into_iter().flatten().min();
        self.wait_until(due)
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

    /// The first signal stops new starts and is forwarded; the second kills, and so does the first
    /// if tasks were asked to end before.
    fn signal(&mut self, signal: i32) {
        if self.is_for_console(signal) {
            return;
        }
        let asked = self.tally.summary.timed_out.is_some();
        if self.tally.summary.signal.is_some() || asked || self.services_were_told() {
            self.tally.summary.signal.get_or_insert(signal);
            self.stopper.kill();
            self.services.kill();
            return;
        }
        if self.ends_services(signal) {
            return;
        }
        self.tally.summary.signal = Some(signal);
        self.plan.stop();
        self.stopper.stop(signal);
        self.services.stop_users(signal);
        self.give_up_judging();
    }

    /// Tasks that only wait, for files to be read, for a place or for their next attempt, end here.
    fn give_up_judging(&mut self) {
        let judging: Vec<TaskId> = self
            .active
            .iter()
            .filter(|(_, active)| !matches!(active, Active::Running(_) | Active::Recording(..)))
            .map(|(&id, _)| id)
            .collect();
        self.admission.clear();
        self.batches.clear();
        self.rests.clear();
        let signalled = self.tally.summary.signal.is_some();
        for id in judging {
            let active = self.active.remove(&id);
            self.waiting.missing.remove(&id);
            match active {
                Some(Active::Resting(resting)) if signalled => {
                    self.end(id, &End::stopped(&resting.ended, &resting.running));
                }
                Some(Active::Resting(resting)) => {
                    let Resting { running, ended, what } = *resting;
                    self.fail(id, &running, &ended, what);
                }
                _ if signalled => self.end(id, &End::without_run(Finish::Cancelled)),
                _ => self.end(id, &End::skipped(self.because_stopped())),
            }
        }
    }

    /// All that was known of files is asked for anew.
    fn forget_everything(&mut self) {
        self.files.forget_all();
        self.waiting.unreadable.clear();
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

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("root", &self.root).field("wanted", &self.wanted).finish()
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
