//! What goes wrong in a session: damaged outputs, lost state, kills, failures, edits meanwhile. Each
//! tells the session what may have to be done again.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use filetime::{FileTime, set_file_mtime};

use super::disk::{decode, see, write_node};
use super::model::{Place, Task};
use super::random::Random;
use super::session::{Build, Built, Check, Owner, Session, no_panic};
use super::steps::{Time, edit};
use crate::project::{Live, tree};
use crate::toy::Seen;

impl Session {
    /// Deletes, edits or replaces an output of a recorded task.
    pub(crate) fn damage(&mut self, random: &mut Random) {
        let recorded = |task: &&Task| self.clean.contains_key(&task.name);
        let tasks = self.model.tasks.values().filter(recorded);
        let tasks: Vec<&Task> = tasks.filter(|task| !task.outputs.is_empty()).collect();
        if tasks.is_empty() {
            return;
        }
        let task = *random.pick(&tasks);
        let places: Vec<&Place> = task.outputs.keys().collect();
        let place = *random.pick(&places);
        let Some(path) = self.locate(task, place).filter(|path| path.is_file()) else { return };
        let how = break_file(&path, random);
        self.trace.push(format!("{how} the output {place:?} of {}", task.name));
        let name = match place {
            Place::Path(path) => {
                self.owners.get(path).map_or(&task.name, |owner| &owner.task).clone()
            }
            Place::Left(_) => task.name.clone(),
        };
        self.damaged.entry(name).or_default().insert(path);
    }

    /// Damages or removes some of `.taskr`.
    pub(crate) fn lose_state(&mut self, random: &mut Random) {
        let folder = self.project.path(".taskr");
        let database = folder.join("state.db");
        let what = match random.below(6) {
            0 => {
                let _ = fs::remove_dir_all(&folder);
                "delete .taskr"
            }
            1 => {
                let _ = fs::remove_file(&database);
                "delete state.db"
            }
            2 => {
                let bytes = fs::read(&database).unwrap_or_default();
                let _ = fs::write(&database, &bytes[..random.below(bytes.len() + 1)]);
                "cut state.db"
            }
            3 => {
                let mut bytes = fs::read(&database).unwrap_or_default();
                for _ in 0..=random.below(4) {
                    let (at, bit) = (random.below(bytes.len()), random.below(8));
                    bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
                }
                let _ = fs::write(&database, bytes);
                "flip bits of state.db"
            }
            _ => {
                let entries = fs::read_dir(folder.join("tasks")).into_iter().flatten().flatten();
                let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
                paths.sort();
                if !paths.is_empty() {
                    let path = random.pick(&paths);
                    fs::remove_dir_all(path).expect("it was there");
                    self.trace.push(format!("delete the folder of {}", decode(path)));
                    self.damaged.entry(decode(path)).or_default();
                }
                return;
            }
        };
        self.trace.push(what.to_owned());
        self.clean.clear();
        self.owners.clear();
        self.sweep();
    }

    /// Loses or breaks some of the store.
    pub(crate) fn damage_store(&mut self, random: &mut Random) {
        let Some(stored) = &mut self.stored else { return };
        let store = self.project.store();
        let mut blobs: Vec<PathBuf> = tree(&store.join("blobs")).into_keys().collect();
        blobs.sort();
        let what = match random.below(5) {
            0 => {
                let _ = fs::remove_dir_all(&store);
                self.rotten = false;
                "delete the store"
            }
            1 => {
                let _ = fs::remove_file(store.join("index.db"));
                "delete the store's index"
            }
            2 => {
                let path = store.join("index.db");
                let mut bytes = fs::read(&path).unwrap_or_default();
                for _ in 0..=random.below(4) {
                    let (at, bit) = (random.below(bytes.len()), random.below(8));
                    bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
                }
                let _ = fs::write(path, bytes);
                "flip bits of the store's index"
            }
            _ if blobs.is_empty() => return,
            3 => {
                let path = store.join("blobs").join(random.pick(&blobs));
                fs::remove_file(path).expect("it was there");
                "delete a blob"
            }
            _ => {
                for blob in &blobs {
                    let path = store.join("blobs").join(blob);
                    let mut bytes = fs::read(&path).expect("it is there");
                    if let Some(first) = bytes.first_mut() {
                        *first ^= 1;
                    }
                    fs::remove_file(&path).expect("it was there");
                    fs::write(&path, bytes).expect("a file");
                }
                self.rotten = true;
                "flip a bit of every blob"
            }
        };
        self.trace.push(what.to_owned());
        self.tally.store_faults += 1;
        stored.clear();
    }

    /// What a fresh checkout has: sources with new times, and nothing else.
    pub(crate) fn clone_afresh(&mut self) {
        let root = self.project.root();
        for entry in fs::read_dir(&root).expect("a folder").flatten() {
            let path = entry.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        for (path, node) in &self.world.disk() {
            write_node(&root.join(path), node, Time::Now);
        }
        self.trace.push("a fresh clone".to_owned());
        self.clean.clear();
        self.owners.clear();
        self.damaged.clear();
    }

    /// Outputs that nobody knows any more are not taskr's to remove: the user does it.
    fn sweep(&self) {
        let expected: BTreeSet<&Place> =
            self.model.tasks.values().flat_map(|task| task.outputs.keys()).collect();
        for path in tree(&self.project.root()).keys() {
            let mut parts = path.components().map(std::path::Component::as_os_str);
            let made = parts.any(|part| part == "gen" || part == "dist");
            if made && !expected.contains(&Place::Path(path.display().to_string())) {
                let path = self.project.path(path);
                fs::remove_file(&path).expect("it was there");
                // A folder in the place of an output goes with what was in it.
                let _ = fs::remove_dir(path.parent().expect("in a folder"));
            }
        }
    }

    /// SIGKILL for taskr and its group in the middle of a build.
    pub(crate) fn kill(&mut self, random: &mut Random) -> Check {
        let longest_us = if random.one_in(3) { 15_000 } else { 80_000 };
        self.kill_within(random, longest_us)
    }

    /// The same at a moment not later than this; in one of three, soon after a task began.
    pub(crate) fn kill_within(&mut self, random: &mut Random, longest_us: usize) -> Check {
        let mut build = Build { sleep_ms: 6, ..self.random_build(random) };
        let in_a_task = random.one_in(3);
        if !build.force && random.one_in(3) {
            build.force = true;
            build.flags.push("-B".to_owned());
        }
        let mut command = self.command(&build);
        let mut live = Live::start(&mut command);
        while in_a_task && live.runs() && !self.log().exists() {
            std::thread::sleep(Duration::from_micros(100));
        }
        let patience_us = random.below(if in_a_task { 2_000 } else { longest_us });
        std::thread::sleep(Duration::from_micros(patience_us as u64));
        let alive = live.kill();
        let built = self.built(live.wait());
        self.tally.kills += 1;
        self.tally.live_kills += usize::from(alive);
        self.tally.kills_in_a_task += usize::from(alive && built.began.len() > built.ended.len());
        self.trace.push(format!(
            "kill {:?} after {patience_us} µs; began {:?}, ended {:?}",
            command.get_args().collect::<Vec<_>>(),
            built.began,
            built.ended
        ));
        self.unsettle(build.force);
        no_panic(&built.output)
    }

    /// Edits a source at a random moment of a build. Whatever that build made of it, the next one
    /// must know.
    pub(crate) fn edit_meanwhile(&mut self, random: &mut Random) -> Check {
        let build = Build { sleep_ms: 6, ..self.all() };
        let mut world = self.world.clone();
        let Some((text, times)) = edit(&mut world, random) else { return Ok(()) };
        self.unsettle(false);
        let live = Live::start(&mut self.command(&build));
        let patience_us = random.below(50_000);
        std::thread::sleep(Duration::from_micros(patience_us as u64));
        self.apply(world, &times);
        let built = self.built(live.wait());
        self.trace.push(format!("{text} after {patience_us} µs of a build: {:?}", built.began));
        self.unsettle(false);
        match built.output.status.code() {
            // 1: a task may have read half of an `include` line.
            Some(0 | 1 | 3) => no_panic(&built.output),
            _ => Err(format!("{}", built.output)),
        }
    }

    /// After a build that did not end well nothing is known of the tasks that it may have run.
    fn unsettle(&mut self, all: bool) {
        let tasks = &self.model.tasks;
        let damaged = &self.damaged;
        self.clean.retain(|name, recorded| {
            let known = tasks.get(name).is_some_and(|task| task.key == recorded.key);
            known && !all && !damaged.contains_key(name)
        });
        // Files that a broken-off run published over older ones are no longer as recorded.
        let clean = &self.clean;
        self.owners.retain(|_, owner| clean.contains_key(&owner.task));
    }

    /// Lets one task that has to run fail, half-way through its outputs.
    pub(crate) fn fail(&mut self, random: &mut Random) -> Check {
        let mut build = self.all();
        build.line = self.world.pipeline.is_some() && random.one_in(2);
        let due = self.may_run(&self.wanted(&build));
        let due: Vec<&String> = due.iter().collect();
        if due.is_empty() {
            return Ok(());
        }
        let is_batched = |name: &&&String| self.model.tasks[**name].batched;
        let batched: Vec<&String> = due.iter().filter(is_batched).copied().collect();
        let chosen = if batched.is_empty() { &due } else { &batched };
        let task = self.model.tasks[*random.pick(chosen)].clone();
        let flag = self.project.outside("fail").join(task.toy.replace('/', "%"));
        fs::write(&flag, "").expect("a file");
        let before = self.owned_outputs(&task);
        build.flags.extend(random.one_in(2).then(|| "-k".to_owned()));
        let built = self.run(&build);
        let failed = fs::read(&flag).is_ok_and(|text| !text.is_empty());
        let _ = fs::remove_file(&flag);
        self.trace.push(format!("fail {}: {failed}; began {:?}", task.name, built.began));
        self.tally.failures += usize::from(failed);
        let expected = i32::from(failed);
        if built.output.status.code() != Some(expected) {
            return Err(format!("exit code of a failing build, not {expected}: {}", built.output));
        }
        let starts = built.began.iter().filter(|toy| **toy == task.toy).count();
        if failed && (built.ended.contains(&task.toy) || starts > 1 && !task.batched) {
            return Err(format!("{} failed and was run again: {}", task.name, built.output));
        }
        if failed {
            self.check_others(&build, &task, &built)?;
        }
        let after = self.owned_outputs(&task);
        if failed && before != after {
            return Err(format!("not put back after a failure: {before:?}, now {after:?}"));
        }
        self.unsettle(false);
        if failed {
            self.clean.remove(&task.name);
            if let Some(stored) = &mut self.stored {
                // What failed is tried again.
                stored.remove(&(task.name.clone(), task.key.clone()));
            }
        } else {
            self.settle(&self.wanted(&build));
        }
        no_panic(&built.output)
    }

    /// After a failure those that need it did not run. Where the build goes on, all others are
    /// right; where a pipeline stops, no later stage has begun.
    fn check_others(&self, build: &Build, failed: &Task, built: &Built) -> Check {
        let (behind, others): (BTreeSet<_>, BTreeSet<_>) =
            self.wanted(build).into_iter().partition(|name| self.model.needs_task(name, failed));
        let ran = |name: &&String| built.began.contains(&self.model.tasks[*name].toy);
        if let Some(name) = behind.iter().filter(|name| **name != failed.name).find(ran) {
            return Err(format!("{name} ran although {} failed: {}", failed.name, built.output));
        }
        let line = self.world.pipeline.as_ref().filter(|_| build.line);
        if build.flags.contains(&"-k".to_owned()) || line.is_some_and(|line| line.goes_on) {
            let checked = self.check_outputs(&others);
            return checked
                .map_err(|wrong| format!("{wrong}, with all that goes on: {}", built.output));
        }
        let Some(line) = line else { return Ok(()) };
        line.check_order(&self.model, &build.profiles, built)?;
        let stages = line.stages_of(&self.model, &build.profiles);
        let last = built.began.iter().filter_map(|toy| stages.get(toy)).max();
        match last > stages.get(&failed.toy) {
            true => Err(format!("stage {last:?} began: {}", built.output)),
            false => Ok(()),
        }
    }

    /// The outputs at plain paths that this task recorded last, as they are on disk. A file that
    /// was published from `out/` stays in place while its task runs; one that takes to writing in
    /// place overwrites it.
    fn owned_outputs(&self, task: &Task) -> Vec<(String, Option<Seen>)> {
        if !self.clean.contains_key(&task.name) || self.damaged.contains_key(&task.name) {
            return Vec::new();
        }
        let paths = task.outputs.keys().filter_map(|place| match place {
            Place::Path(path) => Some(path.clone()),
            Place::Left(_) => None,
        });
        let owner = Owner { task: task.name.clone(), staged: task.staged };
        let owned = paths.filter(|path| self.owners.get(path) == Some(&owner));
        owned.map(|path| (path.clone(), see(&self.project.path(&path)))).collect()
    }
}

/// Breaks a file in some way that must be noticed. How, in words.
fn break_file(path: &Path, random: &mut Random) -> &'static str {
    let metadata = fs::metadata(path).expect("it is there");
    let mut bytes = fs::read(path).expect("it is there");
    match random.below(6) {
        0 => {
            fs::remove_file(path).expect("it was there");
            "delete"
        }
        1 => {
            bytes.push(b'!');
            fs::write(path, bytes).expect("a file");
            "append to"
        }
        2 => {
            bytes[0] ^= 1;
            fs::write(path, bytes).expect("a file");
            set_file_mtime(path, FileTime::from_last_modification_time(&metadata)).expect("times");
            "flip a bit, keeping size and time, of"
        }
        3 => {
            let mode = metadata.permissions().mode() ^ 0o111;
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
            "change the exec bit of"
        }
        4 => {
            fs::remove_file(path).expect("it was there");
            symlink("/etc/hostname", path).expect("a link");
            "replace by a link"
        }
        _ => {
            fs::remove_file(path).expect("it was there");
            fs::create_dir(path).expect("a folder");
            fs::write(path.join("inside"), "").expect("a file");
            "replace by a folder"
        }
    }
}
