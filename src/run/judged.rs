//! A dry run that keeps what it stood on, for tools that explain it: the graph, the records, who
//! makes what, whose attempt was broken off.

use std::path::Path;

use rustc_hash::FxHashMap;
use rustix::process::{Pid, test_kill_process};
use taskr_cache::{Intent, Intents, State};

use super::makers::Folders;
use super::{Build, Listener, Messages, Request};
use crate::error::Error;
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::lock::{self, Note};
use crate::outcome::{Record, Summary};
use crate::outdir::{Root, STATE_DIR, TaskDir};
use crate::record::{self, Names};
use crate::workers::IntentBody;

/// What a dry run came to, and what it knew.
pub struct Judged {
    /// Numbers, and the exit code.
    pub summary: Summary,
    /// Tasks and edges, as they were judged.
    pub graph: Graph,
    /// The workspace.
    pub root: Root,
    state: State,
    names: Names,
    taskfile: Vec<u8>,
    /// The run of each task's last attempt, if that became no record and was not tidied up after.
    attempts: FxHashMap<String, String>,
    working: Option<Note>,
    /// Whose folder is which.
    folders: Folders,
}

/// How far an attempt came that left no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is at work now.
    Running(Note),
    /// taskr ended before it did.
    BrokenOff,
}

/// Judges what is wanted and changes nothing.
///
/// # Errors
/// What stops the whole run; a task that cannot be judged is no error.
pub fn dry_run(
    request: &Request<'_>,
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<Judged, Error> {
    debug_assert!(request.dry_run, "nothing is to be changed");
    let mut build = Build::open(request, messages, listener)?;
    build.begin();
    build.work()?;
    let summary = build.end_run();
    let dir = request.root.join(STATE_DIR);
    let attempts = match build.held.live_intents.is_empty() {
        true => FxHashMap::default(),
        false => open_attempts(&dir, &build),
    };
    let Build { graph, root, held, names, .. } = build;
    let alive = |note: &Note| {
        let pid = i32::try_from(note.pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
    };
    Ok(Judged {
        summary,
        graph,
        root,
        state: held.state,
        names,
        taskfile: request.taskfile.clone(),
        attempts,
        working: lock::holder(&dir).filter(alive),
        folders: Folders::default(),
    })
}

/// For each dirty task the run that its intent names. A run that ends by itself takes its name
/// out.
fn open_attempts(dir: &Path, build: &Build<'_>) -> FxHashMap<String, String> {
    let mut intents = Intents::read(dir).unwrap_or_default();
    intents.retain(|intent| build.held.live_intents.get(&intent.task) == Some(&intent.number));
    let run = |intent: &Intent| {
        let task = build.names.task(&intent.task)?;
        Some((task.to_owned(), IntentBody::decode(&intent.body)?.run_id))
    };
    intents.iter().filter_map(run).collect()
}

impl Judged {
    /// What the task's last success left.
    pub fn record(&self, id: TaskId) -> Option<Record> {
        record::read(&self.state, &self.names.id(self.graph.name(id)))
    }

    /// The task's own folder.
    pub fn folder(&self, id: TaskId) -> TaskDir {
        TaskDir::new(super::open::prefix(&self.taskfile), self.graph.name(id))
    }

    /// The task that declares a path as output, or in whose `out/` it lies.
    pub fn maker_of(&self, path: &[u8]) -> Option<TaskId> {
        self.folders.maker_of(path, &self.graph, &self.taskfile)
    }

    /// What is known of the last attempt of a task that it did not finish. `ended` asks for the
    /// run of its `result.json`.
    pub fn attempt(&self, id: TaskId, ended: impl Fn() -> Option<String>) -> Option<Attempt> {
        let run = self.attempts.get(self.graph.name(id))?;
        match &self.working {
            _ if ended().as_ref() == Some(run) => None,
            Some(note) if note.run_id == *run => Some(Attempt::Running(note.clone())),
            _ => Some(Attempt::BrokenOff),
        }
    }
}
