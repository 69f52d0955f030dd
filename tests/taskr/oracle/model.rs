//! What a world comes to: each task with the right content of its outputs and a key of its own that
//! holds all that may be a reason to run it. Computed without taskr and without a disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ignore::below;
use super::packages::{folder, seen_from};
use super::world::{Each, Input, Node, Target, When, World, Writes};
use super::write::dotenv;
use crate::toy::{Recipe, Seen, includes};

/// Where an output stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In the workspace.
    Path(String),
    /// In the task's own `out/`.
    Left(String),
}

/// One task and what it must have made.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// As taskr names it.
    pub(crate) name: String,
    /// As its own log names it.
    pub(crate) toy: String,
    /// Its target's id.
    pub(crate) target: usize,
    /// `default` where all profiles share it.
    profile: String,
    /// Changes exactly when something changes that may be a reason to run it.
    pub(crate) key: String,
    /// Changes only if it must run.
    pub(crate) recipe: String,
    pub(crate) outputs: BTreeMap<Place, Seen>,
    /// It writes under `$OUT`.
    pub(crate) staged: bool,
    /// Others may go to its process with it.
    pub(crate) batched: bool,
}

/// A target in a profile.
type Home = (usize, String);

/// All tasks of a world, by name, and what each target needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) tasks: BTreeMap<String, Task>,
    /// The services; what they answer stands for their output.
    services: BTreeMap<Home, Task>,
    /// The names of tasks that do not apply.
    skipped: BTreeMap<Home, Vec<String>>,
    /// Of each target the targets that it needs, by id.
    needs: BTreeMap<Home, BTreeSet<usize>>,
    /// The targets whose tasks all profiles share.
    shared: BTreeSet<usize>,
}

/// One task on the way to its key.
struct Draft<'a> {
    model: &'a Model,
    world: &'a World,
    target: &'a Target,
    profile: &'a str,
    item: Option<&'a str>,
    recipe: Recipe,
    key: Vec<String>,
    needs: BTreeSet<usize>,
}

impl Model {
    /// Computes a whole world, layer by layer.
    pub(crate) fn of(world: &World) -> Model {
        let mut model = Model::default();
        let mut targets: Vec<&Target> = world.targets.iter().collect();
        targets.sort_by_key(|target| (target.layer, target.id));
        let profiles = world.profiles();
        for target in targets {
            if !target.tied {
                model.shared.insert(target.id);
            }
            for profile in profiles.iter().filter(|profile| target.home(profile) == *profile) {
                model.add(world, target, profile);
            }
        }
        model
    }

    /// Adds the tasks of a target in a profile.
    fn add(&mut self, world: &World, target: &Target, profile: &str) {
        let home = (target.id, profile.to_owned());
        if target.group {
            self.needs.insert(home, target.deps.iter().copied().collect());
            return;
        }
        let mut items = vec![None];
        if target.each != Each::One {
            let draft = Draft::new(self, world, target, profile);
            items = draft.items().into_iter().map(Some).collect();
        }
        for item in items {
            let draft = Draft { item: item.as_deref(), ..Draft::new(self, world, target, profile) };
            if !draft.applies() {
                let name = draft.name();
                self.skipped.entry(home.clone()).or_default().push(name);
                continue;
            }
            let (task, needs) = draft.finish();
            self.needs.entry(home.clone()).or_default().extend(needs);
            if target.service {
                self.services.insert(home.clone(), task);
            } else {
                self.tasks.insert(task.name.clone(), task);
            }
        }
    }

    /// Where the tasks of a target are that one in `profile` needs.
    fn home(&self, id: usize, profile: &str) -> Home {
        let profile = if self.shared.contains(&id) { "default" } else { profile };
        (id, profile.to_owned())
    }

    /// The tasks of a target; of a group those that it stands for.
    fn tasks_of(&self, world: &World, id: usize, profile: &str) -> Vec<&Task> {
        match world.target(id) {
            Some(target) if target.group => {
                target.deps.iter().flat_map(|id| self.tasks_of(world, *id, profile)).collect()
            }
            _ => {
                let home = self.home(id, profile);
                let is_of = |task: &&Task| task.target == home.0 && task.profile == home.1;
                self.tasks.values().filter(is_of).collect()
            }
        }
    }

    /// Whether a task needs another, directly or not, or is that one.
    pub(crate) fn needs_task(&self, name: &str, other: &Task) -> bool {
        let task = &self.tasks[name];
        let needs = self.needs.get(&(task.target, task.profile.clone())).into_iter().flatten();
        let needs: Vec<usize> = needs.copied().collect();
        name == other.name
            || self.wanted(&needs, std::slice::from_ref(&task.profile)).contains(&other.name)
    }

    /// The names of all tasks that these targets need in these profiles, they included.
    pub(crate) fn wanted(&self, targets: &[usize], profiles: &[String]) -> BTreeSet<String> {
        let mut waiting: Vec<Home> = Vec::new();
        for profile in profiles {
            waiting.extend(targets.iter().map(|id| (*id, profile.clone())));
        }
        let mut reached = BTreeSet::new();
        while let Some((id, profile)) = waiting.pop() {
            let home = self.home(id, &profile);
            if reached.insert(home.clone()) {
                let needs = self.needs.get(&home).into_iter().flatten();
                waiting.extend(needs.map(|id| (*id, profile.clone())));
            }
        }
        let is_reached = |task: &&Task| reached.contains(&(task.target, task.profile.clone()));
        self.tasks.values().filter(is_reached).map(|task| task.name.clone()).collect()
    }
}

impl<'a> Draft<'a> {
    fn new(model: &'a Model, world: &'a World, target: &'a Target, profile: &'a str) -> Draft<'a> {
        Draft {
            model,
            world,
            target,
            profile,
            item: None,
            recipe: Recipe::default(),
            key: Vec::new(),
            needs: BTreeSet::new(),
        }
    }

    /// The items of the target, files by their path in the workspace.
    fn items(&self) -> Vec<String> {
        match &self.target.each {
            Each::One => Vec::new(),
            Each::Files(folder) => {
                let c = |path: &&String| path.ends_with(".c");
                found(self.world, folder, false).filter(c).cloned().collect()
            }
            Each::Made(id) if self.model.tasks_of(self.world, *id, self.profile).is_empty() => {
                Vec::new()
            }
            Each::Made(id) => {
                self.world.plain_of_one(*id).iter().map(|path| self.fill(path)).collect()
            }
            Each::Matrix(values) => values.clone(),
            Each::Grid(without) => {
                let all = [(0, 0), (0, 1), (1, 0), (1, 1)];
                let left = all.iter().filter(|pair| !without.contains(pair));
                left.map(|(m, k)| format!("m{m}-k{k}")).collect()
            }
        }
    }

    /// What an expression of the target gives for this task.
    fn fill(&self, text: &str) -> String {
        let item = self.item.unwrap_or_default();
        let name = item.rsplit('/').next().unwrap_or_default();
        let (m, k) = item.split_once('-').unwrap_or((item, ""));
        let seen = seen_from(self.target.package, item);
        let values = [
            ("item.name", name),
            ("item", &seen),
            ("items", &seen),
            ("matrix.m", m),
            ("matrix.k", k),
            ("profile", self.profile),
            ("package.dir", &folder(self.target.package)),
        ];
        let fill = |text: String, (name, value): (&str, &str)| {
            text.replace(&format!("{{{{ {name} }}}}"), value)
        };
        let text = values.into_iter().fold(text.to_owned(), fill);
        (0..self.world.vars.len())
            .fold(text, |text, n| fill(text, (&format!("v{n}"), self.value(n))))
    }

    fn value(&self, n: usize) -> &str {
        self.world.value(n, self.target.package, self.profile)
    }

    /// Whether its `when` is true.
    fn applies(&self) -> bool {
        let item = self.item.unwrap_or_default();
        let name = item.rsplit('/').next().unwrap_or_default();
        match (self.target.when, &self.target.each) {
            (None, _) => true,
            (Some(When::Var(n)), _) => self.value(n) < "v5",
            (Some(When::Env(n)), _) => self.world.env[n].as_deref().unwrap_or_default() < "x5",
            (Some(When::Item), Each::One) => self.value(0) < "v5",
            (Some(When::Item), Each::Files(_)) => name < "n2",
            (Some(When::Item), Each::Made(_)) => name < "s5",
            (Some(When::Item), Each::Matrix(_) | Each::Grid(_)) => item < "m1",
        }
    }

    /// As taskr names it.
    fn name(&self) -> String {
        let mut picks = match (&self.target.each, self.item) {
            (_, None) => Vec::new(),
            (Each::Matrix(_), Some(item)) => vec![format!("m={item}")],
            (Each::Grid(_), Some(_)) => vec![self.fill("m={{ matrix.m }},k={{ matrix.k }}")],
            (_, Some(_)) => vec![self.fill("{{ item }}")],
        };
        if self.profile != "default" {
            picks.push(format!("profile={}", self.profile));
        }
        let name = self.target.full_name();
        if picks.is_empty() { name } else { format!("{name}@{}", picks.join(",")) }
    }

    fn finish(mut self) -> (Task, BTreeSet<usize>) {
        self.command();
        if self.target.tables {
            self.target.lists().into_iter().for_each(|list| self.list(list));
        } else {
            self.list(&self.target.inputs);
        }
        match &self.target.each {
            Each::Files(_) => self.source(self.item.unwrap_or_default()),
            Each::Made(id) => self.made(*id, self.item.unwrap_or_default()),
            Each::One | Each::Matrix(_) | Each::Grid(_) => {}
        }
        for id in &self.target.deps {
            self.need(*id);
            for task in self.model.tasks_of(self.world, *id, self.profile) {
                self.key.push(contents(task));
            }
        }
        self.ask_service();
        if self.target.depfile {
            let headers = self.world.targets.iter().filter(|target| target.header);
            self.needs.extend(headers.map(|target| target.id));
            self.follow_includes();
        }
        self.key.extend(self.recipe.inputs.iter().map(|input| format!("{input:?}")));
        let staged =
            !matches!(self.target.writes, Writes::InPlace(_) | Writes::Spread { staged: false });
        let task = Task {
            name: self.name(),
            toy: self.recipe.name.clone(),
            target: self.target.id,
            profile: self.profile.to_owned(),
            key: self.key.join("\n"),
            recipe: format!("{:?}", self.recipe),
            outputs: self.outputs(),
            staged,
            batched: self.target.batches(),
        };
        (task, self.needs)
    }

    /// The command line, the environment and the declared outputs.
    fn command(&mut self) {
        let target = self.target;
        self.key = self.world.words(target).iter().map(|word| self.fill(word)).collect();
        self.key.push(format!("{:?}", target.form));
        let declared: Vec<String> = target.declared().iter().map(|path| self.fill(path)).collect();
        self.key.extend(declared);
        self.recipe.name = self.fill(&target.toy_name());
        if self.profile == "q" && !target.service && !target.batches() {
            self.recipe.name += "@q";
        }
        if target.batches() {
            self.recipe.name = format!("{}:{}", self.recipe.name, self.fill("{{ item }}"));
        }
        let var = target.var.map_or("", |n| self.value(n));
        self.recipe.salt = format!("{}{var}", target.salt);
        self.recipe.head = target.head;
        let names = target.asked().into_iter().map(|name| (name, None));
        self.recipe.env = names.collect();
        for n in &target.dotenv {
            let lines = &self.world.dotenv[*n];
            self.key.push(format!("{} {lines:?}", dotenv(*n)));
            for (name, value) in lines.iter().flatten() {
                self.recipe.env.entry(name.clone()).and_modify(|old| *old = Some(value.clone()));
            }
        }
        if let Some(value) = &target.env {
            self.recipe.env.insert("E".to_owned(), Some(value.clone()));
        }
        if let Some(n) = target.asks {
            self.recipe.env.insert(format!("X{n}"), self.world.env[n].clone());
        }
        self.key.push(format!("{:?}", self.recipe.env));
    }

    /// Notes a target that it waits for, and which of its tasks do not apply.
    fn need(&mut self, id: usize) {
        self.needs.insert(id);
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            let skipped = self.model.skipped.get(&self.model.home(id, self.profile));
            self.key.extend(skipped.into_iter().flatten().map(|name| format!("without {name}")));
            let group = self.world.target(id).filter(|target| target.group);
            waiting.extend(group.iter().flat_map(|target| &target.deps));
        }
    }

    /// What the service is counts, and what it answers is read.
    fn ask_service(&mut self) {
        let Some(id) = self.target.served else { return };
        self.needs.insert(id);
        let service = &self.model.services[&self.model.home(id, self.profile)];
        self.key.push(service.key.clone());
        let (_, answer) = service.outputs.first_key_value().expect("it answers");
        self.recipe.inputs.insert("served".to_owned(), answer.clone());
    }

    /// One list of inputs. What a `!glob` takes away is what stands before it there.
    fn list(&mut self, inputs: &[Input]) {
        let before = std::mem::take(&mut self.recipe.inputs);
        for input in inputs {
            self.key.extend(self.world.input_text(self.target, input));
            self.input(input);
        }
        self.recipe.inputs.extend(before);
    }

    fn see(&mut self, path: &str, seen: Seen) {
        self.recipe.inputs.insert(path.to_owned(), seen);
    }

    /// A source file, or the one that a link leads to.
    fn source(&mut self, path: &str) {
        let mut node = &self.world.files[path];
        if let Node::Link(to) = node {
            let folder = path.rsplit_once('/').expect("in a folder").0;
            self.key.push(format!("{path} -> {to}"));
            node = &self.world.files[&format!("{folder}/{to}")];
        }
        let Node::File { text, exec } = node else { panic!("a link to a link: {path}") };
        self.see(path, Seen { exec: *exec, bytes: text.clone().into_bytes() });
    }

    /// An output of another target by its path in the workspace; absent where that is skipped.
    fn made(&mut self, id: usize, path: &str) {
        self.need(id);
        let place = Place::Path(path.to_owned());
        if let Some(task) = self.model.tasks_of(self.world, id, self.profile).first() {
            self.see(path, task.outputs[&place].clone());
        }
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::File(path) => self.source(path),
            Input::Maybe(path) => {
                if self.world.files.contains_key(path) {
                    self.source(path);
                }
            }
            Input::Glob { folder, deep, skip } => self.glob(folder, *deep, *skip),
            Input::Made(id, index) => {
                let path = self.fill(&self.world.plain_of_one(*id)[*index]);
                self.made(*id, &path);
            }
            Input::Layer(layer) => {
                let plain = |target: &&Target| {
                    let here = target.layer == *layer && target.package.is_none();
                    let shown = !target.header && !target.group && !target.tied;
                    let writes = matches!(target.writes, Writes::Staged(_) | Writes::InPlace(_));
                    here && shown && writes
                };
                self.world
                    .targets
                    .iter()
                    .filter(plain)
                    .for_each(|target| self.outputs_of(target.id));
            }
            Input::Of(id) => self.outputs_of(*id),
            Input::Above => {
                let above = self.world.above(self.target.package);
                above.iter().for_each(|target| self.outputs_of(target.id));
            }
        }
    }

    fn glob(&mut self, folder: &str, deep: bool, skip: bool) {
        let found: Vec<String> = found(self.world, folder, deep).cloned().collect();
        // How many a pattern finds counts, too.
        self.key.push(format!("{found:?}"));
        found.iter().for_each(|path| self.source(path));
        // It takes away from all that stands before it.
        let skipped = |path: &str| skip && below(folder, path).is_some_and(|r| r.contains("_skip"));
        self.recipe.inputs.retain(|path, _| !skipped(path));
    }

    fn outputs_of(&mut self, id: usize) {
        self.need(id);
        for task in self.model.tasks_of(self.world, id, self.profile) {
            self.key.push(contents(task));
            for (place, seen) in &task.outputs {
                let (Place::Path(path) | Place::Left(path)) = place;
                self.see(path, seen.clone());
            }
        }
    }

    /// Everything that the inputs include, directly or not.
    fn follow_includes(&mut self) {
        let inputs = self.recipe.inputs.values();
        let mut waiting: VecDeque<String> = inputs.flat_map(|seen| includes(&seen.bytes)).collect();
        while let Some(path) = waiting.pop_front() {
            if self.recipe.inputs.contains_key(&path) {
                continue;
            }
            let maker = self.world.targets.iter().find(|t| t.header && t.plain(0) == path);
            match maker {
                Some(target) => self.made(target.id, &path),
                None => self.source(&path),
            }
            waiting.extend(includes(&self.recipe.inputs[&path].bytes));
        }
    }

    fn outputs(&self) -> BTreeMap<Place, Seen> {
        let (target, recipe) = (self.target, &self.recipe);
        let files: Vec<String> = match target.writes {
            Writes::Staged(_) | Writes::InPlace(_) => target.declared(),
            Writes::Left(count) => (0..count).map(|n| target.left(n)).collect(),
            Writes::Spread { .. } => {
                (0..recipe.spread()).map(|n| format!("{}/n{n}", target.folder())).collect()
            }
            Writes::Nothing if target.service => vec!["served".to_owned()],
            Writes::Nothing => Vec::new(),
        };
        let is_left = target.service || matches!(target.writes, Writes::Left(_));
        let output = |file: &String| {
            let path = self.fill(file);
            let bytes = recipe.content(&path).into_bytes();
            let seen = Seen { exec: target.exec && !target.service, bytes };
            let there = target.in_workspace(&path);
            (if is_left { Place::Left(path) } else { Place::Path(there) }, seen)
        };
        files.iter().map(output).collect()
    }
}

/// The sources that a pattern for a folder finds.
fn found<'a>(
    world: &'a World,
    folder: &'a str,
    deep: bool,
) -> impl Iterator<Item = &'a String> + use<'a> {
    world.files.keys().filter(move |path| {
        let rest = below(folder, path);
        let fits = rest.is_some_and(|rest| deep || !rest.contains('/'));
        fits && !world.is_ignored(path, folder)
    })
}

/// What of a task counts in the keys of those that need it: its outputs, or else its key.
fn contents(task: &Task) -> String {
    if task.outputs.is_empty() { task.key.clone() } else { format!("{:?}", task.outputs) }
}
