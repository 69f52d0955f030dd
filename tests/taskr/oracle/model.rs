//! What a world comes to: each task with the right content of its outputs and a key of its own that
//! holds all that may be a reason to run it. Computed without taskr and without a disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::world::{Each, Input, Node, Target, World, Writes};
use crate::toy::{Recipe, Seen, includes, logical};

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
    /// Changes exactly when something changes that may be a reason to run it.
    pub(crate) key: String,
    pub(crate) outputs: BTreeMap<Place, Seen>,
    /// It writes under `$OUT`.
    pub(crate) staged: bool,
}

/// All tasks of a world, by name, and what each target needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) tasks: BTreeMap<String, Task>,
    /// Of each target the targets that it needs, by id.
    needs: BTreeMap<usize, BTreeSet<usize>>,
}

/// One task on the way to its key.
struct Draft<'a> {
    model: &'a Model,
    world: &'a World,
    target: &'a Target,
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
        for target in targets {
            if target.group {
                model.needs.insert(target.id, target.deps.iter().copied().collect());
                continue;
            }
            for item in items(world, target) {
                let (task, needs) = Draft::new(&model, world, target, item.as_deref()).finish();
                model.tasks.insert(task.name.clone(), task);
                model.needs.entry(target.id).or_default().extend(needs);
            }
        }
        model
    }

    /// The tasks of a target; of a group those that it stands for.
    fn tasks_of(&self, world: &World, id: usize) -> Vec<&Task> {
        match world.target(id) {
            Some(target) if target.group => {
                target.deps.iter().flat_map(|id| self.tasks_of(world, *id)).collect()
            }
            _ => self.tasks.values().filter(|task| task.target == id).collect(),
        }
    }

    /// The names of all tasks that these targets need, they included.
    pub(crate) fn wanted(&self, targets: &[usize]) -> BTreeSet<String> {
        let mut waiting = targets.to_vec();
        let mut reached = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if reached.insert(id) {
                waiting.extend(self.needs.get(&id).into_iter().flatten());
            }
        }
        let tasks = self.tasks.values().filter(|task| reached.contains(&task.target));
        tasks.map(|task| task.name.clone()).collect()
    }
}

/// The items of a target's tasks; one without an item if it is one task.
fn items(world: &World, target: &Target) -> Vec<Option<String>> {
    let items = match &target.each {
        Each::One => return vec![None],
        Each::Files(folder) => {
            let inside = |path: &&String| {
                path.strip_prefix(folder.as_str()).is_some_and(|rest| !rest[1..].contains('/'))
            };
            let c = |path: &&String| path.ends_with(".c");
            let files = world.files.keys().filter(|path| path.starts_with(&format!("{folder}/")));
            files.filter(inside).filter(c).cloned().collect()
        }
        Each::Made(id) => world.plain_of_one(*id),
        Each::Matrix(values) => values.clone(),
    };
    items.into_iter().map(Some).collect()
}

impl<'a> Draft<'a> {
    fn new(
        model: &'a Model,
        world: &'a World,
        target: &'a Target,
        item: Option<&'a str>,
    ) -> Draft<'a> {
        let recipe = Recipe::default();
        Draft { model, world, target, item, recipe, key: Vec::new(), needs: BTreeSet::new() }
    }

    /// What an expression of the target gives for this task.
    fn fill(&self, text: &str) -> String {
        let item = self.item.unwrap_or_default();
        let name = item.rsplit('/').next().unwrap_or_default();
        let text = text.replace("{{ item.name }}", name).replace("{{ item }}", item);
        let text = text.replace("{{ matrix.m }}", item);
        let vars = self.world.vars.iter().enumerate();
        vars.fold(text, |text, (n, value)| text.replace(&format!("{{{{ v{n} }}}}"), value))
    }

    fn finish(mut self) -> (Task, BTreeSet<usize>) {
        self.command();
        for input in &self.target.inputs {
            self.key.extend(self.world.input_text(input));
            self.input(input);
        }
        match &self.target.each {
            Each::Files(_) => self.source(self.item.unwrap_or_default()),
            Each::Made(id) => self.made(*id, self.item.unwrap_or_default()),
            Each::One | Each::Matrix(_) => {}
        }
        for id in &self.target.deps {
            self.needs.insert(*id);
            for task in self.model.tasks_of(self.world, *id) {
                self.key.push(contents(task));
            }
        }
        if self.target.depfile {
            let headers = self.world.targets.iter().filter(|target| target.header);
            self.needs.extend(headers.map(|target| target.id));
            self.follow_includes();
        }
        self.key.extend(self.recipe.inputs.iter().map(|input| format!("{input:?}")));
        let name = match (&self.target.each, self.item) {
            (Each::Matrix(_), Some(item)) => format!("{}@m={item}", self.target.name),
            (_, Some(item)) => format!("{}@{item}", self.target.name),
            (_, None) => self.target.name.clone(),
        };
        let outputs = self.outputs();
        let (toy, key) = (self.recipe.name, self.key.join("\n"));
        let staged =
            !matches!(self.target.writes, Writes::InPlace(_) | Writes::Spread { staged: false });
        (Task { name, toy, target: self.target.id, key, outputs, staged }, self.needs)
    }

    /// The command line, the environment and the declared outputs.
    fn command(&mut self) {
        let target = self.target;
        self.key = target.words().iter().map(|word| self.fill(word)).collect();
        self.key.push(format!("{:?}", target.form));
        let declared: Vec<String> = target.declared().iter().map(|path| self.fill(path)).collect();
        self.key.extend(declared);
        self.recipe.name = self.fill(&target.toy_name());
        let var = target.var.map_or("", |n| &self.world.vars[n]);
        self.recipe.salt = format!("{}{var}", target.salt);
        self.recipe.head = target.head;
        if let Some(value) = &target.env {
            self.recipe.env.insert("E".to_owned(), Some(value.clone()));
        }
        if let Some(n) = target.asks {
            self.recipe.env.insert(format!("X{n}"), self.world.env[n].clone());
        }
        self.key.push(format!("{:?}", self.recipe.env));
    }

    fn see(&mut self, path: &str, seen: Seen) {
        self.recipe.inputs.insert(logical(path), seen);
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

    /// An output of another target by its path.
    fn made(&mut self, id: usize, path: &str) {
        self.needs.insert(id);
        let place = Place::Path(path.to_owned());
        let task = self.model.tasks_of(self.world, id)[0];
        self.see(path, task.outputs[&place].clone());
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::File(path) => self.source(path),
            Input::Maybe(path) => {
                if self.world.files.contains_key(path) {
                    self.source(path);
                }
            }
            Input::Glob { folder, deep, skip } => {
                let below =
                    |path: &str| path.strip_prefix(&format!("{folder}/")).map(str::to_owned);
                for path in self.world.files.keys() {
                    if below(path).is_some_and(|rest| *deep || !rest.contains('/')) {
                        self.source(path);
                    }
                }
                // It takes away from all that stands before it.
                let skipped =
                    |path: &str| *skip && below(path).is_some_and(|r| r.contains("_skip"));
                self.recipe.inputs.retain(|path, _| !skipped(path));
            }
            Input::Made(id, index) => self.made(*id, &self.world.plain_of_one(*id)[*index]),
            Input::Layer(layer) => {
                for target in self
                    .world
                    .targets
                    .iter()
                    .filter(|target| target.layer == *layer && !target.header && !target.group)
                {
                    if matches!(target.writes, Writes::Staged(_) | Writes::InPlace(_)) {
                        self.outputs_of(target.id);
                    }
                }
            }
            Input::Of(id) => self.outputs_of(*id),
        }
    }

    fn outputs_of(&mut self, id: usize) {
        self.needs.insert(id);
        for task in self.model.tasks_of(self.world, id) {
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
        let places: Vec<Place> = match self.target.writes {
            Writes::Staged(_) | Writes::InPlace(_) => {
                self.target.declared().iter().map(|path| Place::Path(self.fill(path))).collect()
            }
            Writes::Left(count) => {
                (0..count).map(|n| Place::Left(self.fill(&self.target.left(n)))).collect()
            }
            Writes::Spread { .. } => {
                let folder = self.fill(&self.target.folder());
                let count = self.recipe.spread();
                (0..count).map(|n| Place::Path(format!("{folder}/n{n}"))).collect()
            }
            Writes::Nothing => Vec::new(),
        };
        let seen = |place: &Place| {
            let (Place::Path(path) | Place::Left(path)) = place;
            Seen { exec: self.target.exec, bytes: self.recipe.content(path).into_bytes() }
        };
        places.into_iter().map(|place| (place.clone(), seen(&place))).collect()
    }
}

/// What of a task counts in the keys of those that need it: its outputs, or else its key.
fn contents(task: &Task) -> String {
    if task.outputs.is_empty() { task.key.clone() } else { format!("{:?}", task.outputs) }
}
