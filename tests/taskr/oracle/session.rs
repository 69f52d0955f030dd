//! One random workspace on disk, and what is known of it: which tasks are recorded at which key,
//! whose outputs are damaged. Changes it, breaks it, builds it, and compares with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use filetime::{FileTime, set_file_mtime, set_file_times};

use super::model::{Model, Place, Task};
use super::random::Random;
use super::steps::{Time, change};
use super::world::{Node, World};
use crate::project::{Entry, Live, Output, Project, tree};
use crate::toy::Seen;

/// What went wrong, in words.
pub(crate) type Check = Result<(), String>;

/// Proofs that what should be tested was tested.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) builds: usize,
    pub(crate) ran: usize,
    pub(crate) not_run: usize,
    pub(crate) kills: usize,
    /// Of these: taskr lived.
    pub(crate) live_kills: usize,
    /// Of these: a task was in the middle of its work.
    pub(crate) kills_in_a_task: usize,
    pub(crate) failures: usize,
    pub(crate) clean_builds: usize,
}

pub(crate) struct Session {
    project: Project,
    world: World,
    model: Model,
    /// Recorded tasks with their key.
    clean: BTreeMap<String, String>,
    /// Tasks whose outputs were damaged since, with the damaged paths.
    damaged: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Who recorded which path last.
    owners: BTreeMap<String, String>,
    pub(crate) trace: Vec<String>,
    pub(crate) tally: Tally,
}

/// What one build is asked for.
struct Build {
    flags: Vec<String>,
    /// Ids; empty: all.
    targets: Vec<usize>,
    force: bool,
    sleep_ms: usize,
}

/// A build's end and the names in its log.
struct Built {
    output: Output,
    began: Vec<String>,
    ended: Vec<String>,
}

impl Session {
    /// A workspace with this world, not built yet.
    pub(crate) fn new(world: World) -> Session {
        let project = Project::empty();
        fs::create_dir(project.outside("fail")).expect("a folder");
        let model = Model::of(&world);
        let mut session = Session {
            project,
            world: World { files: BTreeMap::new(), ..world.clone() },
            model,
            clean: BTreeMap::new(),
            damaged: BTreeMap::new(),
            owners: BTreeMap::new(),
            trace: Vec::new(),
            tally: Tally::default(),
        };
        session.apply(world, &[]);
        session
    }

    /// Keeps the folder, for a look at it. Where it is.
    pub(crate) fn keep(self) -> String {
        format!("{}\n{}", self.project.keep().display(), self.world.taskfile())
    }

    /// Changes the world, may break something, builds, and checks everything.
    pub(crate) fn step(&mut self, random: &mut Random) -> Check {
        for _ in 0..=random.below(3) {
            let mut world = self.world.clone();
            let (text, times) = change(&mut world, random);
            self.trace.push(text);
            self.apply(world, &times);
        }
        match random.below(12) {
            0 | 1 => self.damage(random),
            2 => self.lose_state(random),
            3 | 4 => self.kill(random)?,
            5 => self.fail(random)?,
            _ => {}
        }
        let build = self.random_build(random);
        self.build_and_check(&build)
    }

    /// A build of everything.
    pub(crate) fn build_all(&mut self) -> Check {
        self.build_and_check(&Build::all())
    }

    fn random_build(&self, random: &mut Random) -> Build {
        let mut build = Build::all();
        build.flags.push(format!("-j{}", random.below(4) + 1));
        build.sleep_ms = if random.one_in(8) { 3 } else { 0 };
        match random.below(12) {
            0 => build.flags.push("--rehash".to_owned()),
            1 => build.force = true,
            2 | 3 => {
                let ids: Vec<usize> = self.world.targets.iter().map(|target| target.id).collect();
                build.targets = (0..=random.below(2)).map(|_| *random.pick(&ids)).collect();
            }
            4 => build.flags.push("-k".to_owned()),
            _ => {}
        }
        if build.force {
            build.flags.push("-B".to_owned());
        }
        build
    }

    // --- the disk ---

    /// Makes the disk what `world` is, and takes care of times.
    fn apply(&mut self, world: World, times: &[(String, Time)]) {
        let root = self.project.root();
        for path in self.world.files.keys().filter(|path| !world.files.contains_key(*path)) {
            fs::remove_file(root.join(path)).expect("it was there");
        }
        for (path, node) in &world.files {
            let time = times.iter().find(|(other, _)| other == path).map(|(_, time)| *time);
            if self.world.files.get(path) != Some(node) || time.is_some() {
                write_node(&root.join(path), node, time.unwrap_or(Time::Now));
            }
        }
        let (path, text) = (root.join("Taskfile.toml"), world.taskfile());
        if fs::read_to_string(&path).unwrap_or_default() != text {
            fs::write(path, text).expect("a file");
        }
        let old = std::mem::replace(&mut self.model, Model::of(&world));
        self.world = world;
        self.clear_up_after(&old);
    }

    /// Outputs that are no more are taskr's to remove only as far as it knows them: files of tasks
    /// without a record, and files that were edited, are removed by the user.
    fn clear_up_after(&mut self, old: &Model) {
        let tasks = &self.model.tasks;
        let expected: BTreeSet<PathBuf> = tasks
            .values()
            .flat_map(|task| task.outputs.keys().filter_map(|place| self.locate(task, place)))
            .collect();
        let places = old.tasks.values().flat_map(|task| task.outputs.keys());
        for place in places {
            let Place::Path(path) = place else { continue };
            let full = self.project.path(path);
            if !self.owners.contains_key(path) && !expected.contains(&full) {
                let _ = fs::remove_file(full);
            }
        }
        for path in self.damaged.values().flatten().filter(|path| !expected.contains(*path)) {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        }
    }

    /// The folder of a task below `.taskr/tasks`: its name with unusual bytes as `%XX`.
    fn task_folder(&self, task: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(self.project.path(".taskr/tasks")).ok()?.flatten();
        let mut paths = entries.map(|entry| entry.path());
        paths.find(|path| decode(path) == task)
    }

    fn locate(&self, task: &Task, place: &Place) -> Option<PathBuf> {
        match place {
            Place::Path(path) => Some(self.project.path(path)),
            Place::Left(name) => Some(self.task_folder(&task.name)?.join("out").join(name)),
        }
    }

    // --- faults ---

    /// Deletes, edits or replaces an output of a recorded task.
    fn damage(&mut self, random: &mut Random) {
        let tasks: Vec<&Task> =
            self.model.tasks.values().filter(|t| !t.outputs.is_empty()).collect();
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
            Place::Path(path) => self.owners.get(path).unwrap_or(&task.name).clone(),
            Place::Left(_) => task.name.clone(),
        };
        self.damaged.entry(name).or_default().insert(path);
    }

    /// Damages or removes some of `.taskr`.
    fn lose_state(&mut self, random: &mut Random) {
        let folder = self.project.path(".taskr");
        let database = folder.join("state.db");
        let what = match random.below(5) {
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

    /// Outputs that nobody knows any more are not taskr's to remove: the user does it.
    fn sweep(&self) {
        let expected: BTreeSet<&Place> =
            self.model.tasks.values().flat_map(|task| task.outputs.keys()).collect();
        for path in tree(&self.project.root()).keys() {
            let made = path.starts_with("gen") || path.starts_with("dist");
            if made && !expected.contains(&Place::Path(path.display().to_string())) {
                fs::remove_file(self.project.path(path)).expect("it was there");
            }
        }
    }

    /// SIGKILL for taskr and its group in the middle of a build.
    fn kill(&mut self, random: &mut Random) -> Check {
        let mut build = Build { sleep_ms: 6, ..self.random_build(random) };
        if !build.force && random.one_in(3) {
            build.force = true;
            build.flags.push("-B".to_owned());
        }
        let mut command = self.command(&build);
        let mut live = Live::start(&mut command);
        let patience_us = if random.one_in(3) { 15_000 } else { 80_000 };
        let patience_us = random.below(patience_us);
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

    /// After a build that did not end well nothing is known of the tasks that it may have run.
    fn unsettle(&mut self, all: bool) {
        let tasks = &self.model.tasks;
        let damaged = &self.damaged;
        self.clean.retain(|name, key| {
            let known = tasks.get(name).is_some_and(|task| task.key == *key);
            known && !all && !damaged.contains_key(name)
        });
        let clean = &self.clean;
        self.owners.retain(|_, name| clean.contains_key(name));
    }

    /// Lets one task that has to run fail, half-way through its outputs.
    fn fail(&mut self, random: &mut Random) -> Check {
        let due = self.may_run(&self.model.tasks.keys().cloned().collect());
        let due: Vec<&String> = due.iter().collect();
        if due.is_empty() {
            return Ok(());
        }
        let task = self.model.tasks[*random.pick(&due)].clone();
        let flag = self.project.outside("fail").join(task.toy.replace('/', "%"));
        fs::write(&flag, "").expect("a file");
        let before = self.owned_outputs(&task);
        let mut build = Build::all();
        build.flags.extend(random.one_in(2).then(|| "-k".to_owned()));
        let built = self.run(&build);
        let failed = !flag.exists();
        let _ = fs::remove_file(&flag);
        self.trace.push(format!("fail {}: {failed}; began {:?}", task.name, built.began));
        self.tally.failures += usize::from(failed);
        let expected = i32::from(failed);
        if built.output.status.code() != Some(expected) {
            return Err(format!("exit code of a failing build, not {expected}: {}", built.output));
        }
        if failed && built.ended.contains(&task.toy) {
            return Err(format!("{} failed and was run again: {}", task.name, built.output));
        }
        let after = self.owned_outputs(&task);
        if failed && before != after {
            return Err(format!("not put back after a failure: {before:?}, now {after:?}"));
        }
        self.unsettle(false);
        if failed {
            self.clean.remove(&task.name);
        } else {
            self.settle(&self.model.tasks.keys().cloned().collect());
        }
        no_panic(&built.output)
    }

    /// The outputs at plain paths that this task recorded last, as they are on disk.
    fn owned_outputs(&self, task: &Task) -> Vec<(String, Option<Seen>)> {
        if !self.clean.contains_key(&task.name) || self.damaged.contains_key(&task.name) {
            return Vec::new();
        }
        let paths = task.outputs.keys().filter_map(|place| match place {
            Place::Path(path) => Some(path.clone()),
            Place::Left(_) => None,
        });
        let owned = paths.filter(|path| self.owners.get(path) == Some(&task.name));
        owned.map(|path| (path.clone(), see(&self.project.path(&path)))).collect()
    }

    // --- builds ---

    fn command(&self, build: &Build) -> std::process::Command {
        let name = |id: &usize| self.world.target(*id).map(|target| target.name.clone());
        let mut args = build.flags.clone();
        args.extend(build.targets.iter().filter_map(name));
        args.extend(build.targets.is_empty().then(|| "all".to_owned()));
        let mut command = self.project.command(&self.project.root(), args);
        command.env("TOY_LOG", self.log());
        command.env("TOY_FAIL", self.project.outside("fail"));
        command.env("TOY_SLEEP", build.sleep_ms.to_string());
        for (n, value) in self.world.env.iter().enumerate() {
            if let Some(value) = value {
                command.env(format!("X{n}"), value);
            }
        }
        command
    }

    fn run(&mut self, build: &Build) -> Built {
        let output = Live::start(&mut self.command(build)).wait();
        self.built(output)
    }

    /// The log of the toy tasks of the next build. Each has its own, since tasks of a killed one
    /// may write theirs a little longer.
    fn log(&self) -> PathBuf {
        self.project.outside(&format!("toy-{}.log", self.tally.builds))
    }

    /// Takes the log of the toy tasks.
    fn built(&mut self, output: Output) -> Built {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        self.tally.builds += 1;
        let sign = |sign: char| {
            text.lines().filter_map(|line| line.strip_prefix(sign)).map(str::to_owned).collect()
        };
        Built { output, began: sign('+'), ended: sign('-') }
    }

    /// Of these tasks those that have a reason to run.
    fn may_run(&self, tasks: &BTreeSet<String>) -> BTreeSet<String> {
        let due = |name: &&String| {
            self.damaged.contains_key(*name)
                || self.clean.get(*name) != Some(&self.model.tasks[*name].key)
        };
        tasks.iter().filter(due).cloned().collect()
    }

    fn build_and_check(&mut self, build: &Build) -> Check {
        let all: Vec<usize> = self.world.targets.iter().map(|target| target.id).collect();
        let wanted = if build.targets.is_empty() { &all } else { &build.targets };
        let wanted = self.model.wanted(wanted);
        let built = self.run(build);
        let shown = format!("{:?}: {}", self.command(build).get_args(), built.output);
        let Build { flags, targets, .. } = build;
        self.trace.push(format!("build {flags:?} of {targets:?} ran {:?}", built.began));
        no_panic(&built.output)?;
        if !built.output.status.success() {
            return Err(format!("the build failed: {shown}"));
        }
        self.check_ran(build, &wanted, &built).map_err(|wrong| format!("{wrong}\n{shown}"))?;
        self.check_outputs(&wanted).map_err(|wrong| format!("{wrong}\n{shown}"))?;
        self.settle(&wanted);
        if build.targets.is_empty() {
            self.check_tree().map_err(|wrong| format!("{wrong}\n{shown}"))?;
        }
        let again = Build { flags: Vec::new(), force: false, ..build.clone() };
        let again = self.run(&again);
        let quiet = again.output.stdout.lines().count() <= 1;
        if !again.began.is_empty() || !again.output.status.success() || !quiet {
            return Err(format!("a second build ran {:?}: {}", again.began, again.output));
        }
        self.check_outputs(&wanted)
    }

    /// Nothing ran that need not, nothing ran twice, and with -B all ran.
    fn check_ran(&mut self, build: &Build, wanted: &BTreeSet<String>, built: &Built) -> Check {
        let due = if build.force { wanted.clone() } else { self.may_run(wanted) };
        let toys: BTreeSet<&String> = due.iter().map(|name| &self.model.tasks[name].toy).collect();
        let ran: BTreeSet<&String> = built.began.iter().collect();
        self.tally.ran += ran.len();
        self.tally.not_run += wanted.len().saturating_sub(ran.len());
        if let Some(name) = ran.iter().find(|name| !toys.contains(*name)) {
            return Err(format!("{name} ran without a reason"));
        }
        if ran.len() < built.began.len() || built.ended.len() < built.began.len() {
            return Err(format!("ran twice or not to the end: {:?}", built.began));
        }
        if build.force && ran.len() < toys.len() {
            return Err(format!("-B ran only {ran:?}"));
        }
        Ok(())
    }

    /// Every output of these tasks is what the model says, to the bit.
    fn check_outputs(&self, tasks: &BTreeSet<String>) -> Check {
        for task in tasks.iter().map(|name| &self.model.tasks[name]) {
            for (place, expected) in &task.outputs {
                let path = self.locate(task, place);
                let found = path.as_deref().and_then(see);
                if found.as_ref() != Some(expected) {
                    return Err(format!("{place:?} of {}: {found:?}, not {expected:?}", task.name));
                }
            }
            self.check_left(task)?;
        }
        Ok(())
    }

    /// Nothing else is in the task's `out/`; the depfile may be there.
    fn check_left(&self, task: &Task) -> Check {
        let left =
            |name: &Path| task.outputs.contains_key(&Place::Left(name.display().to_string()));
        let Some(folder) = self.task_folder(&task.name) else { return Ok(()) };
        let stale = tree(&folder.join("out"))
            .into_keys()
            .find(|name| !left(name) && name.extension().is_none_or(|extension| extension != "d"));
        stale.map_or(Ok(()), |name| Err(format!("{} is left by {}", name.display(), task.name)))
    }

    /// Sources are as they were, and nothing is there that nobody makes.
    fn check_tree(&self) -> Check {
        let mut expected: BTreeSet<PathBuf> = self.world.files.keys().map(PathBuf::from).collect();
        expected.insert("Taskfile.toml".into());
        let places = self.model.tasks.values().flat_map(|task| task.outputs.keys());
        expected.extend(places.filter_map(|place| match place {
            Place::Path(path) => Some(PathBuf::from(path)),
            Place::Left(_) => None,
        }));
        let found = tree(&self.project.root());
        if let Some(path) = found.keys().find(|path| !expected.contains(*path)) {
            return Err(format!("{} is left over", path.display()));
        }
        for (path, node) in &self.world.files {
            let entry = match node {
                Node::File { text, exec } => Entry::File { text: text.clone(), exec: *exec },
                Node::Link(to) => Entry::Link(to.into()),
            };
            if found.get(Path::new(path)) != Some(&entry) {
                return Err(format!("the source {path} was changed"));
            }
        }
        Ok(())
    }

    /// These tasks are recorded now; those that are no more have no record.
    fn settle(&mut self, tasks: &BTreeSet<String>) {
        let model = &self.model;
        self.clean.retain(|name, _| model.tasks.contains_key(name));
        self.owners.retain(|_, name| model.tasks.contains_key(name) && !tasks.contains(name));
        for name in tasks {
            let task = &model.tasks[name];
            self.damaged.remove(name);
            self.clean.insert(name.clone(), task.key.clone());
            for place in task.outputs.keys() {
                if let Place::Path(path) = place {
                    self.owners.insert(path.clone(), name.clone());
                }
            }
        }
    }

    /// Compares with a true build of the same sources in a fresh workspace.
    pub(crate) fn compare_with_clean_build(&mut self) -> Check {
        self.build_all()?;
        let mut fresh = Session::new(self.world.clone());
        fresh.build_all().map_err(|wrong| format!("in a clean build: {wrong}"))?;
        self.tally.clean_builds += 1;
        if tree(&self.project.root()) == tree(&fresh.project.root()) {
            Ok(())
        } else {
            Err("a clean build differs".to_owned())
        }
    }
}

impl Build {
    fn all() -> Build {
        Build { flags: Vec::new(), targets: Vec::new(), force: false, sleep_ms: 0 }
    }
}

impl Clone for Build {
    fn clone(&self) -> Build {
        Build { flags: self.flags.clone(), targets: self.targets.clone(), ..*self }
    }
}

fn no_panic(output: &Output) -> Check {
    let panicked = output.stderr.contains("panicked");
    if panicked { Err(format!("a panic: {output}")) } else { Ok(()) }
}

/// A regular file as the toy task would see it.
fn see(path: &Path) -> Option<Seen> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let exec = metadata.permissions().mode() & 0o100 != 0;
    metadata.is_file().then(|| Seen { exec, bytes: fs::read(path).unwrap_or_default() })
}

/// The task that a folder of `.taskr/tasks` is for.
fn decode(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = name.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (hex, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        let byte = u8::from_str_radix(hex, 16).map_or('%', char::from);
        format!("{text}{byte}{rest}")
    })
}

/// Writes a source as asked; `time` decides about its mtime and its inode.
fn write_node(path: &Path, node: &Node, time: Time) {
    fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    let before = fs::symlink_metadata(path).ok();
    match node {
        Node::Link(to) => {
            let _ = fs::remove_file(path);
            symlink(to, path).expect("a link");
        }
        Node::File { text, exec } => {
            let place =
                if time == Time::Replaced { path.with_extension("new") } else { path.into() };
            fs::write(&place, text).expect("a file");
            let mode = if *exec { 0o755 } else { 0o644 };
            fs::set_permissions(&place, Permissions::from_mode(mode)).expect("a mode");
            fs::rename(&place, path).expect("a file");
            let old = before.map(|metadata| FileTime::from_last_modification_time(&metadata));
            set_time(path, time, old);
        }
    }
}

fn set_time(path: &Path, time: Time, old: Option<FileTime>) {
    let ten_years = Duration::from_secs(10 * 365 * 86_400);
    let wanted = match time {
        Time::Now | Time::Replaced => None,
        Time::Kept => old,
        Time::Past => Some(FileTime::from_system_time(SystemTime::now() - ten_years * 3)),
        Time::Future => Some(FileTime::from_system_time(SystemTime::now() + ten_years)),
    };
    if let Some(wanted) = wanted {
        set_file_times(path, wanted, wanted).expect("times");
    }
}

/// Breaks a file in some way that must be noticed. How, in words.
fn break_file(path: &Path, random: &mut Random) -> &'static str {
    let metadata = fs::metadata(path).expect("it is there");
    let mut bytes = fs::read(path).expect("it is there");
    match random.below(5) {
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
