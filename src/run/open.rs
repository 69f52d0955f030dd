//! The beginning and the end of a run: the lock, the state, what a crash left, outputs of tasks
//! that are no more.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{Access, Digest, Intent, Intents, Reader, State, Writer, boot_id};

use super::admit::admission;
use super::allowed::asked;
use super::ask::asked_so_far;
use super::away::{Away, described, waited_since, waiting_for};
use super::batch::Batches;
use super::commit::MOST_NAMED;
use super::mend::{Mend, keep_intents, live_intents, sweep};
use super::pipelines::Pipelines;
use super::reach::{Before, reached};
use super::services::Services;
use super::spent::{Laps, Spent};
use super::stored::Kept;
use super::tally::Tally;
use super::tokens::Tokens;
use super::wanted::{find_all, find_named, find_wanted, pipelines};
use super::{
    Build, Deeds, Force, Lasting, Listener, Lookups, Messages, Request, Waiting, default_done,
    new_run_id,
};
use crate::error::{Error, said};
use crate::files::Files;
use crate::graph::{Asking, Graph, Kind};
use crate::ids::{IdVec, Paths, TaskId};
use crate::lock::{self, Acquired, Lock, Note, Wait};
use crate::outcome::{Event, Summary};
use crate::outdir::{Root, STATE_DIR};
use crate::plan::{Course, Pipeline, Plan, Rests, State as Stage};
use crate::process::{RUN_ID_VAR, Stopper};
use crate::record::{self, Names};
use crate::workers::{self, Context, Message, Workers};

/// So little time behind the last command, or in a run without one, that nobody can tell an edit in it from
/// one behind it.
const MOMENT: Duration = Duration::from_millis(500);

/// The Taskfile's name as part of a task's folder, where it is not the usual one.
pub(super) fn prefix(taskfile: &[u8]) -> Option<&[u8]> {
    (taskfile != b"Taskfile.toml").then_some(taskfile)
}

/// What a run holds of the workspace: the lock, and what is remembered.
pub(super) struct Held {
    /// None in a dry run.
    pub(super) lock: Option<Lock>,
    pub(super) state: State,
    /// Of a run that read only some of the state, for the rest.
    pub(super) reader: Option<Reader>,
    /// None in a dry run, and while another taskr has the workspace.
    pub(super) writer: Option<Writer>,
    /// None until the first task starts.
    pub(super) intents: Option<Intents>,
    /// Tasks that are dirty because their last attempt did not become a record: their id in the
    /// state, and the number of that attempt's intent.
    pub(super) live_intents: FxHashMap<Vec<u8>, u64>,
    pub(super) next_intent: u64,
    /// To be told.
    pub(super) warnings: Vec<String>,
}

impl Held {
    /// Without a lock, of what was read.
    pub(super) fn of(state: State, intents: Vec<Intent>, next_intent: u64) -> Held {
        let live = live_intents(intents, &state);
        Held {
            live_intents: live.into_iter().map(|intent| (intent.task, intent.number)).collect(),
            next_intent,
            lock: None,
            reader: None,
            writer: None,
            intents: None,
            state,
            warnings: Vec::new(),
        }
    }

    /// Somebody removed `.taskr` meanwhile.
    pub(super) fn is_lost(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_lost)
    }

    /// Writes what is left to write. While another taskr has the workspace nothing is.
    fn close(&mut self, root: &Root, names: &Names) -> Vec<String> {
        let Some(writer) = self.writer.take() else { return Vec::new() };
        let dir = root.path().join(STATE_DIR);
        if let Some(failed) = writer.close() {
            return vec![failed];
        }
        if self.is_lost() {
            // Outputs were lost with it, so that even what was recorded before may be wrong.
            let failed = State::discard(&dir).err();
            let failed =
                failed.map(|error| format!("cannot remove {STATE_DIR}/state.db: {}", said(&error)));
            let told = format!(
                "{STATE_DIR} was removed while taskr ran: nothing of this run is recorded; \
                 run taskr again"
            );
            return [told].into_iter().chain(failed).collect();
        }
        sweep(root);
        let kept = keep_intents(&dir, &self.live_intents, names);
        let failed =
            kept.err().map(|error| format!("cannot write {STATE_DIR}/intents: {}", said(&error)));
        failed.into_iter().collect()
    }
}

/// What a run begins with.
pub(super) struct Opened {
    pub(super) begun: Instant,
    pub(super) run_id: String,
    pub(super) root: Root,
    pub(super) graph: Graph,
    pub(super) names: Names,
    pub(super) held: Held,
    pub(super) plan: Plan,
    /// The pipelines of the run.
    pub(super) ordered: Vec<Pipeline>,
}

impl<'a> Build<'a> {
    pub(super) fn open(
        request: &'a Request<'a>,
        messages: &'a Messages,
        listener: &'a mut Listener<'a>,
    ) -> Result<Build<'a>, Error> {
        let (begun, run_id) = (Instant::now(), new_run_id());
        let dir = request.root.join(STATE_DIR);
        let root =
            Root::open(&request.root).map_err(|cause| io("cannot open", &request.root, cause))?;
        refuse_nested(request, &dir)?;
        request.asks.set(Asking::Now);
        let graph = (request.load)()?;
        find_wanted(&graph, request)?;
        let names = Names::new(&request.taskfile);
        let known = (&run_id[..], messages, &names);
        let (held, graph) = take_hold(&root, request, known, graph, listener)?;
        let (plan, ordered) = plan(&graph, request, (&held.state, &names), listener)?;
        asked_so_far(&graph, request, &plan)?;
        let opened = Opened { begun, run_id, root, graph, names, held, plan, ordered };
        Build::of(opened, request, messages, listener)
    }

    /// A run that is about to begin.
    pub(super) fn of(
        opened: Opened,
        request: &'a Request<'a>,
        messages: &'a Messages,
        listener: &'a mut Listener<'a>,
    ) -> Result<Build<'a>, Error> {
        let Opened { begun, run_id, root, graph, names, held, plan, ordered } = opened;
        let dir = request.root.join(STATE_DIR);
        let admission = admission(&graph, &plan, (&held.state, &names), request);
        let stopper = Stopper::new().map_err(|cause| io("cannot make a pipe for", &dir, cause))?;
        Ok(Build {
            forced: forced(&graph, request, &plan)?,
            asked: asked(&graph, request)?,
            pipelines: Pipelines::new(&graph, &plan, &ordered, request)?,
            workers: workers(&root, (request, &run_id), &graph, &stopper, messages),
            files: Files::new(&request.root, graph.ignored().clone()),
            spent: Spent::begin(false),
            tally: Tally::new(graph.tasks().len()),
            done: default_done(graph.tasks().len()),
            boot: boot_id(),
            place: Digest::of(request.root.as_os_str().as_bytes()),
            clock: None,
            kept: request.store.as_ref().map(|at| Kept::new(at, request.dry_run)),
            held,
            away: Away::default(),
            paths: Paths::default(),
            task_locks: Vec::new(),
            guard: None,
            unguarded: false,
            active: FxHashMap::default(),
            admission,
            batches: Batches::default(),
            ahead: super::ahead::Ahead::new(graph.tasks().len()),
            admits_at: None,
            rests: Rests::default(),
            waiting: Waiting::default(),
            services: Services::new(&graph, &plan, &find_named(&graph, request)?),
            tokens: Tokens::new(request.shared.as_ref()),
            vouched: super::vouch::Vouched::default(),
            known_tasks: None,
            console: super::console::Held::default(),
            postponed: std::collections::VecDeque::new(),
            lookups: Lookups::default(),
            deeds: Deeds::default(),
            noted: None,
            request,
            messages,
            listener,
            begun,
            worked_since: Instant::now(),
            run_id,
            root,
            graph,
            names,
            plan,
            stopper,
        })
    }

    /// Ends the run: what could not start is told, everything is written, nothing is left behind.
    pub(super) fn end_run(&mut self) -> Summary {
        let mut laps = Laps::begin(self.request.timed);
        let left: Vec<TaskId> = self
            .plan
            .wanted()
            .filter(|(_, stage)| matches!(stage, Stage::Waiting(_) | Stage::Ready))
            .map(|(id, _)| id)
            .collect();
        self.tell_skipped(&left, self.because_stopped());
        self.after_loss(None, &left);
        self.workers.finish();
        self.hear_the_last();
        self.tokens.keep_for(0);
        self.checkpoint();
        if let Some(guard) = self.guard.take().and_then(Arc::into_inner) {
            guard.finish();
        }
        laps.end("finish workers", self.listener);
        let unstored = self.close_store();
        self.note_differing();
        laps.end("finish writing the store", self.listener);
        // Not while another taskr has the workspace.
        if self.held.writer.is_some() {
            for dir in self.deeds.emptied.drain() {
                self.root.remove_empty_dirs(&dir, b"");
            }
        }
        let lost = self.held.is_lost();
        let (mut warnings, outdated) = self.close_state();
        laps.end("finish writing the state", self.listener);
        warnings.extend(unstored);
        if self.deeds.replaced > MOST_NAMED {
            let files = match self.deeds.replaced - MOST_NAMED {
                1 => "1 more file was not as taskr left it: it is".to_owned(),
                more => format!("{more} more files were not as taskr left them: they are"),
            };
            let folder = format!("{STATE_DIR}/replaced/{}", self.run_id);
            warnings.push(format!("{files} kept in {folder}"));
        }
        if self.tally.summary.signal.is_none() {
            self.tally.summary.outdated = lost || !outdated.is_empty();
            // Under `taskr watch` another build follows.
            warnings.extend(outdated.into_iter().filter(|_| self.request.lasting.is_none()));
        }
        let mut summary = self.tally.summary.clone();
        summary.critical_path = self.tally.critical_path(&self.graph);
        summary.restage = self.deeds.fixed.to_restage(&self.graph);
        summary.services = self.services.up();
        let (pipelines, forgiven) = self.pipelines.ends();
        summary.pipelines = pipelines;
        summary.forgiven.add_all(forgiven);
        summary.wall_ms = self.now_ms();
        self.judge_run(&mut summary);
        warnings.extend(self.write_run(&summary));
        laps.end("summary", self.listener);
        for warning in &warnings {
            (self.listener)(&Event::Warning { task: None, message: warning });
        }
        (self.listener)(&Event::RunFinished { run_id: &self.run_id, summary: &summary });
        summary
    }

    /// What is to be said of the state that is written now, and of files that are not what tasks of
    /// this run read, which is asked meanwhile.
    fn close_state(&mut self) -> (Vec<String>, Vec<String>) {
        let Build { held, deeds, paths, root, names, begun, .. } = self;
        let asks = deeds.commands || begun.elapsed() >= MOMENT;
        if let Some((_, begun)) = deeds.alone.filter(|(_, begun)| begun.elapsed() < MOMENT) {
            deeds.used.forget_asked_since(begun);
        }
        deeds.used.outdated_while(paths, root, asks, || held.close(root, names))
    }

    /// Store and state are written while the guard looks whether anything was left behind.
    fn checkpoint(&mut self) {
        if !self.held.is_lost() {
            self.commit_store();
            self.held.writer.iter_mut().for_each(Writer::checkpoint);
        }
    }

    /// The intents file is made when the first task starts, so that a run with nothing to do
    /// writes nothing.
    pub(super) fn open_intents(&mut self) -> Result<(), String> {
        let opened = Intents::open(&self.root.path().join(STATE_DIR));
        self.held.intents = Some(
            opened
                .map_err(|error| format!("cannot write {STATE_DIR}/intents: {}", said(&error)))?,
        );
        Ok(())
    }
}

pub(super) fn io(doing: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::Io { doing: doing.to_owned(), path: path.to_owned(), cause }
}

/// taskr cannot keep its state in `dir`.
fn no_state(doing: &str, dir: &Path, cause: std::io::Error) -> Error {
    let kind = dir.symlink_metadata().map(|metadata| metadata.file_type());
    let in_the_way = match kind {
        Ok(kind) if kind.is_symlink() => "a link",
        Ok(kind) if !kind.is_dir() => "a file",
        _ => match cause.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                return Error::Usage {
                    message: format!("{doing} {}: {}", dir.display(), said(&cause)),
                    help: Some(
                        "a build keeps its state there; `taskr -n` and `taskr why` only read"
                            .to_owned(),
                    ),
                };
            }
            _ => return io(doing, dir, cause),
        },
    };
    Error::Usage {
        message: format!("{} is {in_the_way}: taskr needs a folder there", dir.display()),
        help: Some("move it away; taskr keeps its state in a folder of that name".to_owned()),
    }
}

/// A task that calls taskr on its own workspace would wait for itself.
pub(super) fn refuse_nested(request: &Request<'_>, dir: &Path) -> Result<(), Error> {
    let Some(id) = request.env.get(OsStr::new(RUN_ID_VAR)).filter(|_| !request.dry_run) else {
        return Ok(());
    };
    match lock::holder(dir) {
        Some(note) if note.run_id.as_bytes() == id.as_bytes() => Err(Error::Usage {
            message: "a task of this workspace calls taskr on the same workspace".to_owned(),
            help: Some("let the outer task name the inner one in its `deps` instead".to_owned()),
        }),
        _ => Ok(()),
    }
}

/// Reads the state and which tasks are dirty.
pub(super) fn read_state(dir: &Path, access: Access) -> Held {
    let (mut state, warning) = State::open(dir, access);
    let mut warnings: Vec<String> = warning.into_iter().collect();
    let intents = Intents::read(dir).unwrap_or_else(|error| {
        state = State::empty();
        // Where neither can be read, one sentence is enough.
        if warnings.is_empty() {
            let what = format!("cannot read {STATE_DIR}/intents: {}", said(&error));
            warnings.push(format!("{what}; everything is built anew"));
        }
        Vec::new()
    });
    let recorded = record::read_fronts(&state).map(|(_, intent, _)| intent).max();
    let newest = intents.iter().map(|intent| intent.number).max();
    let next_intent = recorded.max(newest).unwrap_or(0) + 1;
    Held { warnings, ..Held::of(state, intents, next_intent) }
}

/// What is known of a run before it has the lock.
type Known<'k> = (&'k str, &'k Messages, &'k Names);

/// Reads the state, and takes the lock if the run may change anything.
fn take_hold(
    root: &Root,
    request: &Request<'_>,
    known: Known<'_>,
    graph: Graph,
    listener: &mut Listener<'_>,
) -> Result<(Held, Graph), Error> {
    let (held, graph) = match request.dry_run {
        true => (read_state(&root.path().join(STATE_DIR), Access::Read), graph),
        false => for_writing(root, request, known, graph, listener)?,
    };
    for warning in &held.warnings {
        listener(&Event::Warning { task: None, message: warning });
    }
    Ok((held, graph))
}

/// Takes the lock and reads the state; mends what a crash left and removes what no task makes
/// any more. The graph is made again as often as files that it listed may have changed.
fn for_writing(
    root: &Root,
    request: &Request<'_>,
    (run_id, messages, names): Known<'_>,
    mut graph: Graph,
    listener: &mut Listener<'_>,
) -> Result<(Held, Graph), Error> {
    let dir = root.path().join(STATE_DIR);
    let mut laps = Laps::begin(request.timed);
    make_state_dir(root)?;
    let note = note_of(request, run_id);
    let (lock, waited) = take_lock(&dir, &note, request, messages, listener)?;
    if waited {
        graph = (request.load)()?;
    }
    laps.end("lock", listener);
    let mut held = read_state(&dir, Access::Write);
    laps.end("read the state", listener);
    held.warnings.extend(lock.caution());
    held.lock = Some(lock);
    let mut mend = Mend::new(root, names, prefix(&request.taskfile), run_id);
    for gone in mend.interrupted(&dir, &graph, &held.state) {
        held.live_intents.remove(&gone);
    }
    // What a task that is no more had made may have been an item of another.
    // Of targets whose paths are not known it cannot be said what they no longer make.
    while request.asks.broken().is_empty() && mend.orphans(&graph, &held.state, &dir) {
        held.state = State::open(&dir, Access::Read).0;
        graph = (request.load)()?;
    }
    held.warnings.append(&mut mend.warnings);
    held.writer = Some(Writer::new(&dir));
    laps.end("mend", listener);
    Ok((held, graph))
}

/// Makes the folder that taskr keeps its state in, where it is not there.
pub(super) fn make_state_dir(root: &Root) -> Result<(), Error> {
    let dir = root.path().join(STATE_DIR);
    let failed = |cause| no_state("cannot write", &dir, cause);
    root.create_dirs(STATE_DIR.as_bytes()).map_err(failed)?;
    if !dir.join(".gitignore").exists() {
        root.write(format!("{STATE_DIR}/.gitignore").as_bytes(), b"*\n").map_err(failed)?;
    }
    Ok(())
}

pub(super) fn take_lock(
    dir: &Path,
    note: &Note,
    request: &Request<'_>,
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<(Lock, bool), Error> {
    let failed = |cause| no_state("cannot lock", dir, cause);
    if let Acquired::Held(lock) = Lock::acquire(dir, note, Wait::No).map_err(failed)? {
        return Ok((lock, false));
    }
    if !request.wait {
        let holder = lock::holder(dir);
        return Err(Error::Busy(format!("another taskr works here{}", described(holder.as_ref()))));
    }
    let begun = Instant::now();
    let mut tell = |note: Option<&Note>| waiting_for(note, listener);
    let signal = Cell::new(None);
    let interrupted = || {
        // What services say that are up since an earlier build is heard later.
        for message in messages.1.try_iter().collect::<Vec<_>>() {
            match message {
                Message::Signal(came) => signal.set(Some(came)),
                // The receiver is at hand.
                other => drop(messages.0.send(other)),
            }
        }
        signal.get().is_some()
    };
    let wait = Wait::Until { tell: &mut tell, stopped: &interrupted };
    match Lock::acquire(dir, note, wait).map_err(failed)? {
        Acquired::Held(lock) => {
            waited_since(begun, listener);
            Ok((lock, true))
        }
        Acquired::Busy(_) | Acquired::Stopped => Err(Error::Interrupted(signal.get().unwrap_or(0))),
    }
}

fn workers(
    root: &Root,
    (request, run_id): (&Request<'_>, &str),
    graph: &Graph,
    stopper: &Stopper,
    messages: &Messages,
) -> Workers {
    let context = context(root, (request, run_id), graph, stopper, messages);
    let output = request.lasting.map_or_else(workers::output, Lasting::output);
    Workers::new(request.jobs, context, output)
}

/// What workers need to know of the run.
fn context(
    root: &Root,
    (request, run_id): (&Request<'_>, &str),
    graph: &Graph,
    stopper: &Stopper,
    messages: &Messages,
) -> Context {
    Context {
        root: root.clone(),
        run_id: run_id.to_owned(),
        ignored: graph.ignored().clone(),
        place: place_of(&request.root),
        note: note_of(request, run_id),
        wait: request.wait,
        stop: stopper.watch(),
        messages: messages.0.clone(),
    }
}

/// The path that outputs are searched for: where the workspace lies in a work tree of git, the top
/// of that, for they may name what lies beside the workspace as well.
fn place_of(root: &Path) -> Vec<u8> {
    let top = root.ancestors().find(|folder| folder.join(".git").exists());
    top.unwrap_or(root).as_os_str().as_bytes().to_vec()
}

pub(super) fn note_of(request: &Request<'_>, run_id: &str) -> Note {
    Note {
        pid: std::process::id(),
        run_id: run_id.to_owned(),
        command: request.command_line.clone(),
        stays: false,
    }
}

/// What is wanted, in an order by what it took before, and the pipelines of it.
fn plan(
    graph: &Graph,
    request: &Request<'_>,
    (state, names): (&State, &Names),
    listener: &mut Listener<'_>,
) -> Result<(Plan, Vec<Pipeline>), Error> {
    let wanted = wanted_now(graph, request, (state, names))?;
    let (pipelines, beside) = (pipelines(graph, request)?, find_named(graph, request)?);
    let mut laps = Laps::begin(request.timed);
    let durations = durations(graph, state, names);
    let course = Course { pipelines: &pipelines, beside: &beside, only: None };
    let plan = Plan::in_steps(graph, &wanted, &durations, course);
    laps.end("plan", listener);
    Ok((plan.map_err(Error::Taskfile)?, pipelines))
}

fn durations(graph: &Graph, state: &State, names: &Names) -> IdVec<TaskId, u64> {
    graph.tasks().ids().map(|id| duration_ms(graph, id, (state, names))).collect()
}

/// How long a task took when it last ran, in milliseconds; 0 if that is not known.
pub(super) fn duration_ms(graph: &Graph, id: TaskId, (state, names): (&State, &Names)) -> u64 {
    match graph.kind(id) {
        Kind::Group | Kind::Service => 0,
        _ => record::duration_ms(state, &names.id(graph.name(id))).unwrap_or(0),
    }
}

/// What is wanted, as far as changes reach it if they are to decide; a part, if only that is.
fn wanted_now(
    graph: &Graph,
    request: &Request<'_>,
    (state, names): (&State, &Names),
) -> Result<Vec<TaskId>, Error> {
    let only = request.only.as_ref().map(|names| names.iter().filter_map(|name| graph.find(name)));
    let wanted = match only {
        Some(only) => only.collect(),
        None => find_wanted(graph, request)?,
    };
    let Some(changes) = &request.changes else { return Ok(wanted) };
    let known = Before {
        root: &request.root,
        taskfile: &request.taskfile,
        sources: &request.sources,
        state,
        names,
    };
    Ok(reached(graph, &wanted, changes, &known))
}

fn forced(graph: &Graph, request: &Request<'_>, plan: &Plan) -> Result<FxHashSet<TaskId>, Error> {
    match &request.force {
        Force::No => Ok(FxHashSet::default()),
        Force::All => Ok(plan.wanted().map(|(id, _)| id).collect()),
        Force::Only(names) => {
            let ids = find_all(graph, names)?;
            Ok(graph.without_groups(&ids).into_iter().collect())
        }
    }
}
