//! What earlier runs left: broken-off tasks, outputs of tasks that are no more, dead intents,
//! users' files that were kept.
//!
//! Only what a record names and what is still as recorded is ever removed.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;
use taskr_cache::{Intent, Intents, State, Writer};

use crate::error::said;
use crate::files::list_tree;
use crate::graph::{Graph, Kind, Rule};
use crate::outcome::{OutFile, Record, Recorded, shown};
use crate::outdir::{Root, STATE_DIR, TaskDir, dir_of};
use crate::record::{self, Names};
use crate::workers::{self, IntentBody};

/// How long things are kept that nobody needs to go on.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Under the workspace's lock, before anything is judged.
pub(super) struct Mend<'m> {
    root: &'m Root,
    names: &'m Names,
    run_id: &'m str,
    /// The Taskfile's name as part of a task's folder, where it is not the usual one.
    prefix: Option<&'m [u8]>,
    /// To be told.
    pub(super) warnings: Vec<String>,
}

impl<'m> Mend<'m> {
    pub(super) fn new(
        root: &'m Root,
        names: &'m Names,
        prefix: Option<&'m [u8]>,
        run_id: &'m str,
    ) -> Mend<'m> {
        Mend { root, names, prefix, run_id, warnings: Vec::new() }
    }

    /// Tasks that a crash broke off: what they wrote moves to `replaced/`, what they had moved
    /// aside stands again. They stay dirty, but for those that the Taskfile no longer has: their
    /// ids are told.
    pub(super) fn interrupted(&mut self, dir: &Path, graph: &Graph, state: &State) -> Vec<Vec<u8>> {
        let intents = Intents::read(dir).unwrap_or_default();
        let broken_off = live_intents(intents, state);
        let mut gone = Vec::new();
        let mut recorded: Option<Recorded> = None;
        for intent in broken_off {
            let Some(name) = self.names.task(&intent.task) else { continue };
            let task = TaskDir::new(self.prefix, name);
            if let Some(body) = IntentBody::decode(&intent.body) {
                let recorded = recorded.get_or_insert_with(|| record::recorded(state));
                self.keep_new(&body, recorded, name);
                self.put_back_replaced(&body, recorded, name);
                let told =
                    workers::restore_aside(self.root, &task.join("aside"), &task.join("out"));
                self.warnings.extend(told);
            }
            if graph.is_gone(name) {
                // What cannot be removed is only litter.
                let _ = self.root.remove_tree(task.path());
                gone.push(intent.task);
            }
        }
        gone
    }

    /// Files of the user that had to give way to a task that never ended stand again; what the task
    /// made in their place moves away. One that cannot stand there is named.
    fn put_back_replaced(&mut self, body: &IntentBody, recorded: &Recorded, name: &str) {
        let folder = workers::replaced_path(&body.run_id, b"");
        for (kept, is_folder) in list_tree(self.root.path(), &folder).unwrap_or_default() {
            let path = &kept[folder.len() + 1..];
            if is_folder || !body.outputs.iter().any(|output| output.covers(path)) {
                continue;
            }
            let has_room =
                !self.is_there(path) || (!self.is_made(path, recorded) && self.keep(path, name));
            if !has_room || self.root.rename(&kept, path).is_err() {
                self.warnings.push(format!("{} is kept in {}", shown(path), shown(&kept)));
            }
        }
    }

    /// Moves away what stands at a broken-off task's outputs and neither stood there before nor
    /// is as recorded.
    fn keep_new(&mut self, body: &IntentBody, recorded: &Recorded, name: &str) {
        let standing =
            body.outputs.iter().flat_map(|output| workers::standing_at(self.root, output));
        let standing: Vec<Vec<u8>> = standing.collect();
        for path in standing {
            if body.standing.contains(&path) || self.is_made(&path, recorded) {
                continue;
            }
            self.keep(&path, name);
        }
    }

    /// Whether what stands at a path is as a record says.
    fn is_made(&self, path: &[u8], recorded: &Recorded) -> bool {
        let mut made = recorded.get(path).into_iter().flatten();
        made.any(|made| workers::is_made(self.root, path, Some(made)))
    }

    /// Moves away what a broken-off task made, and names it. Says whether its place is free now.
    fn keep(&mut self, path: &[u8], name: &str) -> bool {
        let kept = self.place_for(path);
        let moved = self.root.rename(path, &kept);
        self.warnings.push(match &moved {
            Ok(()) => format!(
                "{} is from a run of `{name}` that was broken off: it is kept in {}",
                shown(path),
                shown(&kept)
            ),
            Err(error) => format!("cannot move {}: {}", shown(path), said(error)),
        });
        moved.is_ok()
    }

    /// Where nothing is kept yet. Not in the run's own folder: only what a task of the run replaces
    /// is put back from there, and it may have the same path.
    fn place_for(&self, path: &[u8]) -> Vec<u8> {
        let mut number = 1;
        loop {
            let folder = format!("{}-broken-off-{number}", self.run_id);
            let place = workers::replaced_path(&folder, path);
            if !self.is_there(&place) {
                return place;
            }
            number += 1;
        }
    }

    fn is_there(&self, path: &[u8]) -> bool {
        std::fs::symlink_metadata(self.root.absolute(path)).is_ok()
    }

    /// Outputs that no task of this Taskfile makes any more go: of tasks that it no longer has,
    /// and those that a task no longer declares. Says whether there were any.
    pub(super) fn orphans(&mut self, graph: &Graph, state: &State, dir: &Path) -> bool {
        let mut writer = Writer::new(dir);
        let mut any = false;
        for (id, _, declared) in record::read_fronts(state) {
            let Some(name) = self.names.task(id) else { continue };
            let task = graph.find(name).map(|task| &graph.task(task).rule);
            if task.is_none() && !graph.is_gone(name) {
                continue;
            }
            match task.filter(|rule| rule.target.kind == Kind::Recorded) {
                None => {
                    self.forget(id, name, state, &mut writer);
                    any = true;
                }
                Some(rule) if rule.declared() != declared => {
                    any |= self.no_longer_declared(graph, rule, record::read(state, id));
                }
                Some(_) => {}
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

    /// Removes recorded outputs that the rule no longer declares, nor any other.
    fn no_longer_declared(&self, graph: &Graph, rule: &Rule, record: Option<Record>) -> bool {
        let own_folder = TaskDir::new(self.prefix, &rule.name);
        let outputs = record.into_iter().flat_map(|record| record.outputs);
        let gone = outputs.filter(|file| {
            !file.path.starts_with(own_folder.path())
                && !rule.outputs.iter().any(|output| output.value.covers(&file.path))
                && graph.makers().of(&file.path).is_none()
        });
        gone.filter(|file| self.remove(file)).count() > 0
    }

    /// Removes one output, if it is as recorded. One that may be a file of the user is kept.
    pub(super) fn remove(&self, file: &OutFile) -> bool {
        if !workers::is_made(self.root, &file.path, Some(&file.made)) {
            return false;
        }
        let gone = match file.adopted {
            true => self.root.rename(&file.path, &workers::replaced_path(self.run_id, &file.path)),
            false => self.root.remove_file(&file.path),
        };
        if gone.is_ok() {
            self.root.remove_empty_dirs(dir_of(&file.path), b"");
        }
        gone.is_ok()
    }

    /// Removes a task's outputs, where they are as recorded, its folder and its record.
    pub(super) fn forget(&self, id: &[u8], name: &str, state: &State, writer: &mut Writer) {
        let outputs = record::read(state, id).into_iter().flat_map(|record| record.outputs);
        for file in outputs {
            self.remove(&file);
        }
        // What cannot be removed is only litter.
        let _ = self.root.remove_tree(TaskDir::new(self.prefix, name).path());
        record::forget(writer, id);
    }
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
        record::intent(state, &intent.task).is_none_or(|recorded| recorded < intent.number)
    };
    let mut live: Vec<Intent> = newest.into_values().filter(is_live).collect();
    live.sort_by_key(|intent| intent.number);
    live
}

/// Keeps only these intents in the file. Their tasks are dirty, but in order.
pub(super) fn keep_intents(
    dir: &Path,
    live: &FxHashMap<Vec<u8>, u64>,
    names: &Names,
) -> io::Result<()> {
    if !dir.join("intents").exists() {
        return Ok(());
    }
    let mut intents = Intents::read(dir)?;
    intents.retain(|intent| live.get(&intent.task) == Some(&intent.number));
    // Those of other Taskfiles were not looked at in this run.
    for intent in intents.iter_mut().filter(|intent| names.task(&intent.task).is_some()) {
        intent.body.clear();
    }
    Intents::rewrite(dir, &intents)
}

/// Removes users' files that were kept for longer than seven days. What cannot be removed stays.
pub(super) fn sweep(root: &Root) {
    let name = "replaced";
    let folder = root.path().join(STATE_DIR).join(name);
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age > KEPT) {
            let entry = entry.file_name();
            let path = [format!("{STATE_DIR}/{name}/").as_bytes(), entry.as_bytes()].concat();
            let _ = root.remove_tree(&path);
        }
    }
}
