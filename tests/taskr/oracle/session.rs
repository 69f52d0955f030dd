//! One random workspace on disk, and what is known of it: which tasks are recorded at which key, which
//! results the store has, whose outputs are damaged. Changes it, breaks it, builds it, and compares with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{decode, see, write_node};
use super::model::{Model, Place, Task};
use super::pipeline::Pipeline;
use super::random::Random;
use super::settings::change_ignores;
use super::steps::{Time, change};
use super::tally::Tally;
use super::world::{Node, World, Writes};
use crate::project::{Entry, Live, Output, Project, SETTLED, tree};

/// What went wrong, in words.
pub(crate) type Check = Result<(), String>;

pub(crate) struct Session {
    pub(crate) project: Project,
    pub(crate) world: World,
    pub(crate) model: Model,
    /// All that its user has written.
    disk: BTreeMap<String, Node>,
    /// Recorded tasks.
    pub(crate) clean: BTreeMap<String, Recorded>,
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

/// What a task was recorded with.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) key: String,
    recipe: String,
}

/// Who recorded a path, and whether it was published from the task's `out/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) task: String,
    pub(crate) staged: bool,
}

/// What one build is asked for.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) flags: Vec<String>,
    /// Ids; empty: all.
    pub(crate) targets: Vec<usize>,
    /// The pipeline, in place of targets.
    pub(crate) line: bool,
    /// Without others the usual one.
    pub(crate) profiles: Vec<String>,
    pub(crate) force: bool,
    pub(crate) sleep_ms: usize,
}

/// A build's end and the names in its log.
pub(crate) struct Built {
    pub(crate) output: Output,
    /// True where a task began, and its name.
    pub(crate) log: Vec<(bool, String)>,
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
        for folder in ["fail", "served"] {
            fs::create_dir(project.outside(folder)).expect("a folder");
        }
        let model = Model::of(&world);
        let mut session = Session {
            project,
            world: world.clone(),
            model,
            disk: BTreeMap::new(),
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
        let mut text = self.project.keep().display().to_string();
        for package in [None, Some(0), Some(1), Some(2)] {
            if package.is_none_or(|n| n < self.world.packages.len()) {
                text += &format!("\n--- {package:?}\n{}", self.world.taskfile(package));
            }
        }
        text
    }

    /// Changes the world, may break something, builds, and checks everything.
    /// Whether only what changed is built is drawn from `more`.
    pub(crate) fn step(&mut self, random: &mut Random, more: &mut Random) -> Check {
        let before = (more.one_in(2) && self.is_all_built())
            .then(|| (self.disk.clone(), self.world.env.clone()));
        for _ in 0..=random.below(3) {
            let mut world = self.world.clone();
            let (text, times) = change(&mut world, random);
            self.trace.push(text);
            self.apply(world, &times);
        }
        if self.asked.is_some() && more.one_in(3) {
            // Nothing else looks where these stand.
            let mut world = self.world.clone();
            let text = change_ignores(&mut world, more);
            self.trace.push(text);
            self.apply(world, &[]);
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
                if let Some((disk, env)) = before
                    && env == self.world.env
                {
                    return self.build_changed(self.changed_since(&disk), more);
                }
            }
        }
        let asked = self.asked.take().filter(|build| self.has_all_of(build));
        let build = asked.unwrap_or_else(|| self.random_build(random));
        self.build_and_check(&build)
    }

    /// Waits until what was built is settled, and builds without a change: that it is fresh is
    /// proved, and asked again after the next change.
    pub(crate) fn rest(&mut self, random: &mut Random) -> Check {
        // The same again and again, so that its graph is kept.
        let mut build = match random.one_in(2) {
            true => Build { flags: vec!["-j2".to_owned()], ..self.all() },
            false => self.random_build(random),
        };
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

    /// The files that changed, come or gone.
    fn changed_since(&self, old: &BTreeMap<String, Node>) -> Vec<String> {
        let paths: BTreeSet<&String> = old.keys().chain(self.disk.keys()).collect();
        let is_changed = |path: &&String| old.get(*path) != self.disk.get(*path);
        paths.into_iter().filter(is_changed).cloned().collect()
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
        let mut build = self.all();
        build.flags.push("--changed".to_owned());
        build.flags.extend(changed);
        build.flags.push("-j2".to_owned());
        self.build_and_check(&build)
    }

    /// A build of everything.
    pub(crate) fn build_all(&mut self) -> Check {
        self.build_and_check(&self.all())
    }

    /// Everything, in all profiles.
    pub(crate) fn all(&self) -> Build {
        Build::all(self.world.profiles())
    }

    /// Whether what was asked for is still there.
    fn has_all_of(&self, build: &Build) -> bool {
        let is_there = |id: &usize| self.world.targets.iter().any(|target| target.id == *id);
        (!build.line || self.world.pipeline.is_some()) && build.targets.iter().all(is_there)
    }

    pub(crate) fn random_build(&self, random: &mut Random) -> Build {
        let mut build = self.all();
        if build.profiles.len() > 1 && random.one_in(2) {
            build.profiles.remove(random.below(2));
        }
        build.flags.push(format!("-j{}", random.below(4) + 1));
        build.sleep_ms = if random.one_in(8) { 3 } else { 0 };
        match random.below(12) {
            0 => build.flags.push("--rehash".to_owned()),
            1 => build.force = true,
            2 | 3 => {
                let ids = self.world.targets.iter().filter(|target| !target.service);
                let ids: Vec<usize> = ids.map(|target| target.id).collect();
                if !ids.is_empty() {
                    build.targets = (0..=random.below(2)).map(|_| *random.pick(&ids)).collect();
                }
            }
            5..8 => build.line = self.world.pipeline.is_some(),
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
        let disk = world.disk();
        for path in self.disk.keys().filter(|path| !disk.contains_key(*path)) {
            fs::remove_file(root.join(path)).expect("it was there");
        }
        for (path, node) in &disk {
            let time = times.iter().find(|(other, _)| other == path).map(|(_, time)| *time);
            if self.disk.get(path) != Some(node) || time.is_some() {
                write_node(&root.join(path), node, time.unwrap_or(Time::Now));
            }
        }
        self.disk = disk;
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
        let name = |id: &usize| self.world.target(*id).map(super::world::Target::full_name);
        let mut args = build.flags.clone();
        if build.profiles != ["default"] {
            args.push(format!("--profile={}", build.profiles.join(",")));
        }
        match build.line {
            true => args.push("line".to_owned()),
            false if build.targets.is_empty() => args.push("all".to_owned()),
            false => args.extend(build.targets.iter().filter_map(name)),
        }
        let mut command = self.project.command(&self.project.root(), args);
        command.env("TOY_LOG", self.log());
        command.env("TOY_FAIL", self.project.outside("fail"));
        command.env("TOY_SERVED", self.project.outside("served"));
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
    pub(crate) fn log(&self) -> PathBuf {
        self.project.outside(&format!("toy-{}.log", self.tally.builds))
    }

    /// Takes the log of the toy tasks.
    pub(crate) fn built(&mut self, output: Output) -> Built {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        self.tally.builds += 1;
        let sign = |sign: char| {
            text.lines().filter_map(|line| line.strip_prefix(sign)).map(str::to_owned).collect()
        };
        let lines = text.lines().filter_map(|line| line.split_at_checked(1));
        let log = lines.map(|(sign, name)| (sign == "+", name.to_owned())).collect();
        Built { output, log, began: sign('+'), ended: sign('-') }
    }

    /// The names of all tasks of a build.
    pub(crate) fn wanted(&self, build: &Build) -> BTreeSet<String> {
        let all: Vec<usize> = self.world.targets.iter().map(|target| target.id).collect();
        let line = self.world.pipeline.as_ref().filter(|_| build.line).map(Pipeline::steps);
        let targets = line.unwrap_or_else(|| match build.targets.is_empty() {
            true => all.into_iter().filter(|id| !self.is_service(*id)).collect(),
            false => build.targets.clone(),
        });
        self.model.wanted(&targets, &build.profiles)
    }

    fn is_service(&self, id: usize) -> bool {
        self.world.target(id).is_some_and(|target| target.service)
    }

    /// Of these tasks those that have a reason to run.
    pub(crate) fn may_run(&self, tasks: &BTreeSet<String>) -> BTreeSet<String> {
        let due = |name: &&String| {
            self.damaged.contains_key(*name)
                || self.clean.get(*name).map(|recorded| &recorded.key)
                    != Some(&self.model.tasks[*name].key)
        };
        tasks.iter().filter(due).cloned().collect()
    }

    fn build_and_check(&mut self, build: &Build) -> Check {
        let wanted = self.wanted(build);
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
        if build.targets.is_empty() && !build.line && build.profiles == self.world.profiles() {
            self.check_tree().map_err(|wrong| format!("{wrong}\n{shown}"))?;
        }
        let again = Build { flags: Vec::new(), force: false, ..build.clone() };
        let again = self.run(&again);
        // What does not apply is told each time.
        let lines = again.output.stdout.lines().filter(|line| !line.starts_with("- "));
        let quiet = lines.filter(|line| !line.is_empty()).count() <= 1;
        // A state that shows only when it is written that it is damaged is moved aside, which is told.
        let lost = built.output.stderr.contains("the rest of this run is not recorded");
        let idle = again.began.is_empty() && quiet;
        if !again.output.status.success() || !(idle || lost) {
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
        let language = self.world.language_of(build, &self.model, &ran);
        language.into_iter().for_each(|word| *self.tally.language.entry(word).or_default() += 1);
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
        let due = due.iter().filter(|name| self.must_run(name));
        if let Some(name) = due.into_iter().find(|name| !ran.contains(&self.model.tasks[*name].toy))
        {
            return Err(format!("{name} did not run, and what it is made of is another"));
        }
        match self.world.pipeline.as_ref().filter(|_| build.line) {
            Some(pipeline) => pipeline.check_order(&self.model, &build.profiles, built),
            None => Ok(()),
        }
    }

    /// Whether what a task is made of is not what it was recorded with, and no store can have it.
    fn must_run(&self, name: &str) -> bool {
        let is_other = |recorded: &Recorded| recorded.recipe != self.model.tasks[name].recipe;
        self.stored.is_none() && self.clean.get(name).is_some_and(is_other)
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
    pub(crate) fn check_outputs(&self, tasks: &BTreeSet<String>) -> Check {
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
        let mut expected: BTreeSet<PathBuf> = self.disk.keys().map(PathBuf::from).collect();
        let places = self.model.tasks.values().flat_map(|task| task.outputs.keys());
        expected.extend(places.filter_map(|place| match place {
            Place::Path(path) => Some(PathBuf::from(path)),
            Place::Left(_) => None,
        }));
        let found = tree(&self.project.root());
        if let Some(path) = found.keys().find(|path| !expected.contains(*path)) {
            return Err(format!("{} is left over", path.display()));
        }
        for (path, node) in &self.disk {
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
            let (key, recipe) = (task.key.clone(), task.recipe.clone());
            self.clean.insert(name.clone(), Recorded { key, recipe });
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
    fn all(profiles: Vec<String>) -> Build {
        let (flags, targets) = (Vec::new(), Vec::new());
        Build { flags, targets, line: false, profiles, force: false, sleep_ms: 0 }
    }
}

pub(crate) fn no_panic(output: &Output) -> Check {
    let panicked = output.stderr.contains("panicked");
    if panicked { Err(format!("a panic: {output}")) } else { Ok(()) }
}
