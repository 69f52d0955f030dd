//! One random workspace on disk, and what is known of it: which tasks are recorded at which key, which
//! results the store has, whose outputs are damaged. Changes it, breaks it, builds it, and compares with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::{decode, see, write_node};
use super::model::{Model, Place, Task};
use super::random::Random;
use super::steps::{Time, change};
use super::world::{Node, World, Writes};
use crate::project::{Entry, Live, Output, Project, tree};

/// Longer than stamps take to settle.
const SETTLED: Duration = Duration::from_millis(2_200);

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
    /// Tasks that had to be made right and did not run: they were restored.
    pub(crate) restored: usize,
    /// The store was damaged.
    pub(crate) store_faults: usize,
    /// Builds of what changed files reach.
    pub(crate) by_changes: usize,
    /// Builds whose freshness was proved before something changed.
    pub(crate) proved: usize,
}

pub(crate) struct Session {
    pub(crate) project: Project,
    pub(crate) world: World,
    pub(crate) model: Model,
    /// Recorded tasks with their key.
    pub(crate) clean: BTreeMap<String, String>,
    /// Tasks whose outputs were damaged since, with the damaged paths.
    pub(crate) damaged: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Who recorded which path last.
    pub(crate) owners: BTreeMap<String, Owner>,
    /// Tasks with keys that the store must have; none where the store is off.
    pub(crate) stored: Option<BTreeSet<(String, String)>>,
    /// Contents of the store were damaged. Saving takes those that are there for what they are
    /// called, so a result that is stored now may turn out to be damaged.
    pub(crate) rotten: bool,
    pub(crate) trace: Vec<String>,
    pub(crate) tally: Tally,
    /// What was proved, to be asked again after the next change.
    asked: Option<Build>,
}

/// Who recorded a path, and whether it was published from the task's `out/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) task: String,
    pub(crate) staged: bool,
}

/// What one build is asked for.
pub(crate) struct Build {
    pub(crate) flags: Vec<String>,
    /// Ids; empty: all.
    pub(crate) targets: Vec<usize>,
    pub(crate) force: bool,
    pub(crate) sleep_ms: usize,
}

/// A build's end and the names in its log.
pub(crate) struct Built {
    pub(crate) output: Output,
    pub(crate) began: Vec<String>,
    pub(crate) ended: Vec<String>,
}

impl Session {
    /// A workspace with this world, not built yet.
    pub(crate) fn new(world: World) -> Session {
        Session::on(Project::empty(), world, None)
    }

    /// The same with a store of its own: nothing is built twice.
    pub(crate) fn with_store(world: World) -> Session {
        Session::on(Project::empty().with_store(), world, Some(BTreeSet::new()))
    }

    fn on(project: Project, world: World, stored: Option<BTreeSet<(String, String)>>) -> Session {
        fs::create_dir(project.outside("fail")).expect("a folder");
        let model = Model::of(&world);
        let mut session = Session {
            project,
            world: World { files: BTreeMap::new(), ..world.clone() },
            model,
            clean: BTreeMap::new(),
            damaged: BTreeMap::new(),
            owners: BTreeMap::new(),
            stored,
            rotten: false,
            trace: Vec::new(),
            tally: Tally::default(),
            asked: None,
        };
        session.apply(world, &[]);
        session
    }

    /// Keeps the folder, for a look at it. Where it is.
    pub(crate) fn keep(self) -> String {
        format!("{}\n{}", self.project.keep().display(), self.world.taskfile())
    }

    /// Changes the world, may break something, builds, and checks everything.
    /// Whether only what changed is built is drawn from `more`.
    pub(crate) fn step(&mut self, random: &mut Random, more: &mut Random) -> Check {
        let before = (more.one_in(2) && self.is_all_built()).then(|| self.world.clone());
        for _ in 0..=random.below(3) {
            let mut world = self.world.clone();
            let (text, times) = change(&mut world, random);
            self.trace.push(text);
            self.apply(world, &times);
        }
        match random.below(14) {
            0 | 1 => self.damage(random),
            2 => self.lose_state(random),
            3 | 4 => self.kill(random)?,
            5 => self.fail(random)?,
            6 => self.edit_meanwhile(random)?,
            7 => self.damage_store(random),
            8 => self.clone_afresh(),
            _ => {
                if let Some(changed) = before.and_then(|before| self.changed_since(&before)) {
                    return self.build_changed(changed, more);
                }
            }
        }
        let build = self.asked.take().unwrap_or_else(|| self.random_build(random));
        self.build_and_check(&build)
    }

    /// Waits until what was built is settled, and builds without a change: that it is fresh is
    /// proved, and asked again after the next change.
    pub(crate) fn rest(&mut self, random: &mut Random) -> Check {
        let mut build = self.random_build(random);
        build.flags.retain(|flag| flag != "--rehash" && flag != "-B");
        build.force = false;
        self.build_and_check(&build)?;
        std::thread::sleep(SETTLED);
        for _ in 0..2 {
            let rested = self.run(&build);
            self.trace.push(format!("rested, and built {:?} of {:?}", build.flags, build.targets));
            if !rested.began.is_empty() || !rested.output.status.success() {
                return Err(format!("after a rest {:?} ran: {}", rested.began, rested.output));
            }
        }
        let proofs = fs::read_dir(self.project.path(".taskr/proofs"));
        self.tally.proved += usize::from(proofs.is_ok_and(|mut proofs| proofs.next().is_some()));
        self.asked = Some(build);
        Ok(())
    }

    fn is_all_built(&self) -> bool {
        self.may_run(&self.model.tasks.keys().cloned().collect()).is_empty()
    }

    /// The files that changed, come or gone; none if something else did.
    fn changed_since(&self, before: &World) -> Option<Vec<String>> {
        let (old, new) = (&before.files, &self.world.files);
        let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut changed: Vec<String> =
            paths.into_iter().filter(|path| old.get(*path) != new.get(*path)).cloned().collect();
        if before.taskfile() != self.world.taskfile() {
            changed.push("Taskfile.toml".to_owned());
        }
        (before.env == self.world.env).then_some(changed)
    }

    /// A build of what these files reach leaves what a build of everything would: that one has
    /// nothing left to do. Some of the outputs may be broken, and are named, too.
    fn build_changed(&mut self, mut changed: Vec<String>, random: &mut Random) -> Check {
        if random.one_in(3) {
            self.damage(random);
            let root = self.project.root();
            let broken = self.damaged.values().flatten();
            let broken = broken.filter_map(|path| path.strip_prefix(&root).ok());
            changed.extend(broken.map(|path| path.display().to_string()));
        }
        self.tally.by_changes += 1;
        let mut build = Build::all();
        build.flags.push("--changed".to_owned());
        build.flags.extend(changed);
        build.flags.push("-j2".to_owned());
        self.build_and_check(&build)
    }

    /// A build of everything.
    pub(crate) fn build_all(&mut self) -> Check {
        self.build_and_check(&Build::all())
    }

    pub(crate) fn random_build(&self, random: &mut Random) -> Build {
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

    /// Makes the disk what `world` is, and takes care of times.
    pub(crate) fn apply(&mut self, world: World, times: &[(String, Time)]) {
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
    pub(crate) fn task_folder(&self, task: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(self.project.path(".taskr/tasks")).ok()?.flatten();
        let mut paths = entries.map(|entry| entry.path());
        paths.find(|path| decode(path) == task)
    }

    pub(crate) fn locate(&self, task: &Task, place: &Place) -> Option<PathBuf> {
        match place {
            Place::Path(path) => Some(self.project.path(path)),
            Place::Left(name) => Some(self.task_folder(&task.name)?.join("out").join(name)),
        }
    }

    pub(crate) fn command(&self, build: &Build) -> std::process::Command {
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

    pub(crate) fn run(&mut self, build: &Build) -> Built {
        let output = Live::start(&mut self.command(build)).wait();
        self.built(output)
    }

    /// The log of the toy tasks of the next build. Each has its own, since tasks of a killed one
    /// may write theirs a little longer.
    fn log(&self) -> PathBuf {
        self.project.outside(&format!("toy-{}.log", self.tally.builds))
    }

    /// Takes the log of the toy tasks.
    pub(crate) fn built(&mut self, output: Output) -> Built {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        self.tally.builds += 1;
        let sign = |sign: char| {
            text.lines().filter_map(|line| line.strip_prefix(sign)).map(str::to_owned).collect()
        };
        Built { output, began: sign('+'), ended: sign('-') }
    }

    /// Of these tasks those that have a reason to run.
    pub(crate) fn may_run(&self, tasks: &BTreeSet<String>) -> BTreeSet<String> {
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
        self.note_stored(&wanted, &built);
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
        if !build.force {
            self.tally.restored += toys.len() - ran.len();
            let stored = |name: &&String| {
                let id = ((*name).clone(), self.model.tasks[*name].key.clone());
                ran.contains(&self.model.tasks[*name].toy)
                    && self.stored.as_ref().is_some_and(|stored| stored.contains(&id))
            };
            if let Some(name) = due.iter().find(stored) {
                return Err(format!("{name} was built although the store has it"));
            }
        }
        if ran.len() < built.began.len() || built.ended.len() < built.began.len() {
            return Err(format!("ran twice or not to the end: {:?}", built.began));
        }
        if build.force && ran.len() < toys.len() {
            return Err(format!("-B ran only {ran:?}"));
        }
        Ok(())
    }

    /// What ran in a build that ended well is in the store now. Outputs under a glob may have files
    /// of others among them, which keeps them out.
    fn note_stored(&mut self, wanted: &BTreeSet<String>, built: &Built) {
        let (model, world) = (&self.model, &self.world);
        let Some(stored) = &mut self.stored else { return };
        for name in wanted {
            let task = &model.tasks[name];
            let target = world.target(task.target).expect("it has a task");
            let spread = matches!(target.writes, Writes::Spread { .. });
            if !spread && !self.rotten && built.began.contains(&task.toy) {
                stored.insert((name.clone(), task.key.clone()));
            }
        }
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
    pub(crate) fn settle(&mut self, tasks: &BTreeSet<String>) {
        let model = &self.model;
        self.clean.retain(|name, _| model.tasks.contains_key(name));
        let is_other = |name: &String| model.tasks.contains_key(name) && !tasks.contains(name);
        self.owners.retain(|_, owner| is_other(&owner.task));
        for name in tasks {
            let task = &model.tasks[name];
            self.damaged.remove(name);
            self.clean.insert(name.clone(), task.key.clone());
            for place in task.outputs.keys() {
                if let Place::Path(path) = place {
                    let owner = Owner { task: name.clone(), staged: task.staged };
                    self.owners.insert(path.clone(), owner);
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
    pub(crate) fn all() -> Build {
        Build { flags: Vec::new(), targets: Vec::new(), force: false, sleep_ms: 0 }
    }
}

impl Clone for Build {
    fn clone(&self) -> Build {
        Build { flags: self.flags.clone(), targets: self.targets.clone(), ..*self }
    }
}

pub(crate) fn no_panic(output: &Output) -> Check {
    let panicked = output.stderr.contains("panicked");
    if panicked { Err(format!("a panic: {output}")) } else { Ok(()) }
}
