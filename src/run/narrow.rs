//! A run of nothing but the tasks that an earlier one leaves in doubt: the graph is the one that was
//! kept, of which only those tasks are made that are looked at, and all others are done.
//!
//! It takes the lock only if that is free, and then looks once more whether what vouches still holds.
//! Whatever is not so, the run is none, nothing was done, and the usual one follows.

use std::cell::Cell;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Instant;

use rustc_hash::FxHashSet;
use taskr_cache::{Intent, Intents, Reader, State, Writer};

use super::open::{Held, Opened, duration_ms, io, make_state_dir, note_of, refuse_nested};
use super::tokens::make_of;
use super::vouch::{Stand, Stands, with_needs};
use super::wanted::find_wanted;
use super::{Build, Done, Listener, Messages, Partly, Request, new_run_id};
use crate::error::Error;
use crate::graph::{Graph, Kind};
use crate::ids::{Id, IdVec, TaskId};
use crate::lock::{Acquired, Lock, Wait};
use crate::outcome::{Event, Summary};
use crate::outdir::{Root, STATE_DIR};
use crate::plan::{Course, Plan};
use crate::record::{self, Names};

/// Builds of this graph nothing but the tasks that an earlier run leaves in doubt. None if that cannot
/// be: then nothing was done, and nothing told.
///
/// # Errors
/// As of [`run`](super::run).
pub fn run_narrow(
    request: &Request<'_>,
    graph: Graph,
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<Option<Summary>, Error> {
    let warned = Cell::new(false);
    let mut listen = |event: &Event<'_>| {
        warned.set(warned.get() || matches!(event, Event::Warning { .. }));
        listener(event);
    };
    match Build::open_narrow(request, graph, messages, &mut listen)? {
        Some(build) => super::finish(build, &warned).map(Some),
        None => Ok(None),
    }
}

impl<'a> Build<'a> {
    /// None if there is no such run.
    pub(super) fn open_narrow(
        request: &'a Request<'a>,
        graph: Graph,
        messages: &'a Messages,
        listener: &'a mut Listener<'a>,
    ) -> Result<Option<Build<'a>>, Error> {
        let before = request.ask.as_ref().and_then(|ask| ask.before.as_ref());
        let Some(before) = before else { return Ok(None) };
        let (begun, run_id) = (Instant::now(), new_run_id());
        let root =
            Root::open(&request.root).map_err(|cause| io("cannot open", &request.root, cause))?;
        refuse_nested(request, &request.root.join(STATE_DIR))?;
        let planned = with_needs(&graph, find_wanted(&graph, request)?);
        let Some(mut stands) = Stands::of(&graph, before, &planned) else { return Ok(None) };
        stands.find_needed(&graph, &[Stand::InDoubt]);
        let names = Names::new(&request.taskfile);
        let lookup = Lookup { request, graph: &graph, stands: &stands, names: &names };
        let Some(held) = hold(&root, &run_id, before, &lookup)? else { return Ok(None) };
        let Some(done) = done_before(&graph, &stands, (&held.state, &names)) else {
            return Ok(None);
        };
        let plan = plan(&graph, request, &stands, (&held, &names))?;
        for warning in &held.warnings {
            listener(&Event::Warning { task: None, message: warning });
        }
        let ordered = Vec::new();
        let opened = Opened { begun, run_id, root, graph, names, held, plan, ordered };
        let mut build = Build::of(opened, request, messages, listener)?;
        for (id, one) in done {
            build.done[id] = one;
        }
        build.known_tasks = Some(before.tasks);
        build.vouched.vouch(stands, &before.standing);
        Ok(Some(build))
    }

    /// Reads what the state said of tasks that are in doubt only now, and of those that they need. None
    /// if it cannot be read any more.
    pub(super) fn read_for(&mut self, stands: &Stands) -> Option<()> {
        let before = self.request.ask.as_ref()?.before.as_ref()?;
        let Build { request, graph, names, .. } = self;
        let lookup = Lookup { request, graph, stands, names };
        let state = self.held.reader.take()?.rows(&lookup.keys(&[], before))?;
        for (id, one) in done_before(graph, stands, (&state, names))? {
            self.done[id] = one;
        }
        self.held.state = state;
        Some(())
    }
}

/// Of whom the state is asked.
struct Lookup<'l> {
    request: &'l Request<'l>,
    graph: &'l Graph,
    stands: &'l Stands,
    names: &'l Names,
}

impl Lookup<'_> {
    /// What the state says of the tasks that are in doubt, of the files that they looked at and of make,
    /// and the records of tasks that they need or that are the same in other profiles.
    fn read(&self, dir: &Path, before: &Partly) -> Option<Held> {
        let intents = Intents::read(dir).ok()?;
        // What is wrong with it the usual run mends, and tells.
        let reader = Reader::open(dir)?;
        let state = reader.rows(&self.keys(&intents, before))?;
        let mut held = Held::of(state, intents, before.next_intent);
        held.reader = Some(reader);
        Some(held)
    }

    /// The rows in question, each once.
    fn keys(&self, intents: &[Intent], before: &Partly) -> Vec<(u8, Vec<u8>)> {
        let ids = |stand| self.stands.ids(stand);
        let state_id = |id| self.names.id(self.graph.name(id));
        let judged = ids(Stand::InDoubt).map(state_id);
        let judged = judged.chain(intents.iter().map(|intent| intent.task.clone()));
        let judged = judged.flat_map(|id| record::keys_of(&id));
        let others = ids(Stand::InDoubt).flat_map(|id| self.graph.in_other_profiles(id));
        let needed = ids(Stand::Needed).map(state_id);
        let behind = ids(Stand::Behind).map(state_id).flat_map(|id| record::keys_of(&id));
        let needed = needed.chain(others.map(|name| self.names.id(&name)));
        let needed = needed.map(record::key_of_record);
        let in_doubt =
            |number: u32| self.stands.is(TaskId::from_index(number as usize), Stand::InDoubt);
        let files = before.standing.paths_of(in_doubt).into_iter().map(record::key_of_file);
        let make = make_of(self.request);
        let make = make.map(|make| record::key_of_make(make.into_os_string().into_vec()));
        let all = judged.chain(needed).chain(behind).chain(files).chain(make);
        let mut keys: Vec<_> = all.collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// The lock and the state, if nobody else has that and all that vouches for the graph is still so.
fn hold(
    root: &Root,
    run_id: &str,
    before: &Partly,
    lookup: &Lookup<'_>,
) -> Result<Option<Held>, Error> {
    let dir = root.path().join(STATE_DIR);
    make_state_dir(root)?;
    let note = note_of(lookup.request, run_id);
    // Why it cannot be had the usual run tells.
    let Ok(Acquired::Held(lock)) = Lock::acquire(&dir, &note, Wait::No) else { return Ok(None) };
    if !before.standing.still_holds_for_all(root.path()) {
        return Ok(None);
    }
    let Some(mut held) = lookup.read(&dir, before) else { return Ok(None) };
    held.warnings.extend(lock.caution());
    held.lock = Some(lock);
    held.writer = Some(Writer::beside_reader(&dir));
    Ok(Some(held))
}

/// What is known of tasks that are done, and needed by some that may not be. None if it is not known.
fn done_before(
    graph: &Graph,
    stands: &Stands,
    (state, names): (&State, &Names),
) -> Option<Vec<(TaskId, Done)>> {
    let needed = graph.tasks().ids().filter(|&id| stands.is(id, Stand::Needed));
    let tasks = needed.filter(|&id| graph.kind(id) != Kind::Group);
    let done = tasks.map(|id| {
        let (outputs, key) = record::read_result(state, &names.id(graph.name(id)))?;
        Some((id, Done::fresh(outputs, Some(key))))
    });
    done.collect()
}

/// What is wanted and in doubt.
fn plan(
    graph: &Graph,
    request: &Request<'_>,
    stands: &Stands,
    (held, names): (&Held, &Names),
) -> Result<Plan, Error> {
    let only: FxHashSet<TaskId> =
        stands.ids(Stand::InDoubt).chain(stands.ids(Stand::Behind)).collect();
    let mut durations = IdVec::filled(graph.tasks().len(), 0);
    for &id in &only {
        durations[id] = duration_ms(graph, id, (&held.state, names));
    }
    let wanted = find_wanted(graph, request)?;
    let course = Course { only: Some(&only), ..Course::default() };
    Plan::in_steps(graph, &wanted, &durations, course).map_err(Error::Taskfile)
}
