//! What earlier runs left: broken-off tasks, outputs of tasks that are no more, dead intents,
//! users' files that were kept.
//!
//! Only what a record names and what is still as recorded is ever removed.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{Access, Intent, Intents, State, Writer};

use super::open::{prefix, read_state, refuse_nested, take_lock};
use super::{Listener, Messages, Request, new_run_id};
use crate::error::Error;
use crate::graph::{Graph, Kind};
use crate::lock::Note;
use crate::outcome::{Event, OutFile, shown};
use crate::outdir::{Root, STATE_DIR, TaskDir, dir_of};
use crate::record::{self, Names};
use crate::workers;

/// What was kept of users' files goes after seven days.
const KEEP_REPLACED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Under the workspace's lock, before anything is judged.
pub(super) struct Mend<'m> {
    root: &'m Root,
    names: &'m Names,
    /// The Taskfile's name as part of a task's folder, where it is not the usual one.
    prefix: Option<&'m [u8]>,
    /// To be told.
    pub(super) warnings: Vec<String>,
}

impl<'m> Mend<'m> {
    pub(super) fn new(root: &'m Root, names: &'m Names, prefix: Option<&'m [u8]>) -> Mend<'m> {
        Mend { root, names, prefix, warnings: Vec::new() }
    }

    /// Tasks that a crash broke off: what they wrote moves to `replaced/`, what they had moved
    /// aside stands again. They stay dirty.
    pub(super) fn interrupted(&mut self, dir: &Path, run_id: &str, graph: &Graph, state: &State) {
        let intents = Intents::read(dir).unwrap_or_default();
        for intent in live_intents(intents, state) {
            let Some(name) = self.names.task(&intent.task) else { continue };
            if let Some(id) = graph.find(name) {
                let outputs = graph.task(id).rule.outputs.iter();
                let standing =
                    outputs.flat_map(|output| workers::standing_at(self.root, &output.value));
                let record = record::read(state, &intent.task);
                let recorded = record.map_or_else(Vec::new, |record| record.outputs);
                self.keep_new(standing.collect(), &recorded, &intent, (run_id, name));
            }
            let task = TaskDir::new(self.prefix, name);
            let aside = task.join("aside");
            if self.root.absolute(&aside).exists() {
                let told = workers::restore_aside(self.root, &aside, &task.join("out"));
                self.warnings.extend(told);
            }
        }
    }

    /// Moves away what stands at a broken-off task's outputs and neither stood there before nor
    /// is as recorded.
    fn keep_new(
        &mut self,
        standing: Vec<Vec<u8>>,
        recorded: &[OutFile],
        intent: &Intent,
        (run_id, name): (&str, &str),
    ) {
        let listed = decode_paths(&intent.body);
        let recorded: FxHashMap<_, _> =
            recorded.iter().map(|file| (&file.path[..], &file.made)).collect();
        for path in standing {
            let made = recorded.get(&path[..]).copied();
            if listed.contains(&path) || workers::is_made(self.root, &path, made) {
                continue;
            }
            let kept = workers::replaced_path(run_id, &path);
            self.warnings.push(match self.root.rename(&path, &kept) {
                Ok(()) => format!(
                    "{} is from a run of `{name}` that was broken off: it is kept in {}",
                    shown(&path),
                    shown(&kept)
                ),
                Err(error) => format!("cannot move {}: {error}", shown(&path)),
            });
        }
    }

    /// Tasks that this Taskfile no longer has: their outputs go. Says whether there were any.
    pub(super) fn orphans(&mut self, graph: &Graph, state: &State, dir: &Path) -> bool {
        let is_gone = |name: &str| {
            graph.find(name).is_none_or(|task| graph.task(task).kind() != Kind::Recorded)
        };
        let mut writer = Writer::new(dir);
        let mut any = false;
        for id in record::ids(state) {
            if let Some(name) = self.names.task(id).filter(|name| is_gone(name)) {
                self.forget(id, name, state, &mut writer);
                any = true;
            }
        }
        match writer.close() {
            None => any,
            Some(failed) => {
                self.warnings.push(failed);
                false
            }
        }
    }

    /// Removes a task's outputs, where they are as recorded, its folder and its record.
    fn forget(&self, id: &[u8], name: &str, state: &State, writer: &mut Writer) {
        let outputs = record::read(state, id).into_iter().flat_map(|record| record.outputs);
        for file in outputs {
            if workers::is_made(self.root, &file.path, Some(&file.made))
                && self.root.remove_file(&file.path).is_ok()
            {
                self.root.remove_empty_dirs(dir_of(&file.path));
            }
        }
        // What cannot be removed is only litter.
        let _ = self.root.remove_tree(TaskDir::new(self.prefix, name).path());
        record::forget(writer, id);
    }
}

/// `taskr clean`: removes what taskr made for these tasks (all of the Taskfile's if none are
/// named), where it is still as recorded. Tells the names of the tasks that had something.
///
/// # Errors
/// The workspace is locked, or cannot be written.
pub fn forget_outputs(
    request: &Request<'_>,
    only: Option<&FxHashSet<String>>,
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<Vec<String>, Error> {
    let dir = request.root.join(STATE_DIR);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    refuse_nested(request, &dir)?;
    let root = Root::open(&request.root).map_err(|cause| Error::Io {
        doing: "cannot open".to_owned(),
        path: request.root.clone(),
        cause,
    })?;
    let command = request.command_line.clone();
    let note = Note { pid: std::process::id(), run_id: new_run_id(), command };
    let (_lock, _) = take_lock(&dir, &note, request, messages, listener)?;
    let names = Names::new(&request.taskfile, "default");
    let opened = read_state(&dir, Access::Write);
    for warning in &opened.warnings {
        listener(&Event::Warning { task: None, message: warning });
    }
    let mend = Mend::new(&root, &names, prefix(&request.taskfile));
    let mut writer = Writer::new(&dir);
    let mut cleaned = Vec::new();
    for id in record::ids(&opened.state) {
        let name = names.task(id).filter(|name| only.is_none_or(|only| only.contains(*name)));
        if let Some(name) = name {
            mend.forget(id, name, &opened.state, &mut writer);
            cleaned.push(name.to_owned());
        }
    }
    if let Some(warning) = writer.close() {
        listener(&Event::Warning { task: None, message: &warning });
    }
    Ok(cleaned)
}

/// The newest intent of each task, if it is newer than the task's record; in order.
pub(super) fn live_intents(intents: Vec<Intent>, state: &State) -> Vec<Intent> {
    let mut newest: FxHashMap<Vec<u8>, Intent> = FxHashMap::default();
    for intent in intents {
        if newest.get(&intent.task).is_none_or(|known| known.number < intent.number) {
            newest.insert(intent.task.clone(), intent);
        }
    }
    let is_live = |intent: &Intent| {
        record::read(state, &intent.task).is_none_or(|record| record.intent < intent.number)
    };
    let mut live: Vec<Intent> = newest.into_values().filter(is_live).collect();
    live.sort_by_key(|intent| intent.number);
    live
}

/// Keeps only these intents in the file.
pub(super) fn keep_intents(dir: &Path, live: &FxHashMap<Vec<u8>, u64>) -> io::Result<()> {
    if !dir.join("intents").exists() {
        return Ok(());
    }
    let mut intents = Intents::read(dir)?;
    intents.retain(|intent| live.get(&intent.task) == Some(&intent.number));
    Intents::rewrite(dir, &intents)
}

/// The paths of an intent's body; see `Standing::encode`.
fn decode_paths(mut body: &[u8]) -> FxHashSet<Vec<u8>> {
    let mut paths = FxHashSet::default();
    while let Some((len, rest)) = body.split_first_chunk::<4>() {
        let len = u32::from_le_bytes(*len) as usize;
        let Some((path, rest)) = rest.split_at_checked(len) else { break };
        paths.insert(path.to_vec());
        body = rest;
    }
    paths
}

/// Removes what was kept of users' files long ago. What cannot be removed stays.
pub(super) fn sweep_replaced(root: &Root) {
    let folder = root.path().join(STATE_DIR).join("replaced");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age > KEEP_REPLACED) {
            let name = entry.file_name();
            let path = [format!("{STATE_DIR}/replaced/").as_bytes(), name.as_bytes()].concat();
            let _ = root.remove_tree(&path);
        }
    }
}
