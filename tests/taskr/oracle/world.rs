//! A random workspace as a value: sources, variables, the caller's environment and targets. Runs
//! nothing and computes nothing; `grow` makes one, `write` writes it as Taskfiles.
//!
//! Targets stand in layers and refer only to lower ones, so every world is without cycles. Plain
//! outputs lie in `gen/LAYER/`, generated headers in `gen/h/`, glob outputs in `dist/`, those of a
//! package in its folder; sources in `src/`, `hdr/` and `data/`.

use std::collections::BTreeMap;

use super::packages::Package;
use super::pipeline::Pipeline;
use super::random::Random;

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File {
        text: String,
        exec: bool,
    },
    /// To a file of the same folder.
    Link(String),
}

/// An element of a target's `inputs`. Targets are named by id, which survives a rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    File(String),
    /// `?path`
    Maybe(String),
    /// `FOLDER/*`, or `FOLDER/**`; takes away `*_skip*` where `skip` is set.
    Glob {
        folder: String,
        deep: bool,
        skip: bool,
    },
    /// A plain output of another target, written out.
    Made(usize, usize),
    /// `?gen/LAYER/**`: whatever the targets of a lower layer make at plain paths.
    Layer(usize),
    /// `@target`
    Of(usize),
    /// `@^b`: what the targets `b` make of the packages that its own depends on.
    Above,
}

/// How many tasks a target has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Each {
    One,
    /// For each file of a source folder.
    Files(String),
    /// For each plain output of another target.
    Made(usize),
    Matrix(Vec<String>),
    /// Two by two, without these combinations.
    Grid(Vec<(usize, usize)>),
}

/// Where a target applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// By a variable.
    Var(usize),
    /// By a variable of the caller's environment.
    Env(usize),
    /// By its item or its axis.
    Item,
}

/// Where a task writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// So many plain paths through `{{ outputs }}`.
    Staged(usize),
    /// So many plain paths, written themselves.
    InPlace(usize),
    /// So many files left in `$OUT`.
    Left(usize),
    /// One to three files under a glob; staged or not.
    Spread { staged: bool },
    /// A check.
    Nothing,
}

/// How the command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Exec,
    PlainWords,
    Shell,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) id: usize,
    pub(crate) name: String,
    pub(crate) layer: usize,
    /// Names its outputs.
    pub(crate) slot: usize,
    /// Its one output is a header that sources may include.
    pub(crate) header: bool,
    /// It stays up for others, who read its answer.
    pub(crate) service: bool,
    /// No command, only `deps`.
    pub(crate) group: bool,
    pub(crate) each: Each,
    pub(crate) inputs: Vec<Input>,
    /// Its inputs are a table of two lists.
    pub(crate) tables: bool,
    pub(crate) writes: Writes,
    pub(crate) deps: Vec<usize>,
    pub(crate) depfile: bool,
    pub(crate) form: Form,
    pub(crate) salt: String,
    /// A variable that the command uses.
    pub(crate) var: Option<usize>,
    pub(crate) head: bool,
    pub(crate) exec: bool,
    pub(crate) env: Option<String>,
    /// A variable of the caller's environment.
    pub(crate) asks: Option<usize>,
    /// Its environment files, by number.
    pub(crate) dotenv: Vec<usize>,
    pub(crate) when: Option<When>,
    /// So many items may go to one process; with 0 each has its own.
    pub(crate) batch: usize,
    /// The service that it asks.
    pub(crate) served: Option<usize>,
    pub(crate) package: Option<usize>,
    /// It has tasks of its own in each profile. Follows from all else.
    pub(crate) tied: bool,
    /// Counts for nothing.
    pub(crate) doc: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<String, Node>,
    pub(crate) vars: Vec<String>,
    /// The caller's `X0`, `X1`…
    pub(crate) env: Vec<Option<String>>,
    pub(crate) targets: Vec<Target>,
    /// The next id and slot.
    pub(crate) next: usize,
    /// The lines of the `.gitignore` of a folder.
    pub(crate) ignores: BTreeMap<String, Vec<&'static str>>,
    /// Names and values of `conf/e0.env`…; only the third may be absent.
    pub(crate) dotenv: Vec<Option<Vec<(String, String)>>>,
    pub(crate) packages: Vec<Package>,
    /// The variable that the profile `q` sets, and its value there.
    pub(crate) profile: Option<(usize, String)>,
    pub(crate) pipeline: Option<Pipeline>,
    /// Some targets are services.
    pub(crate) serves: bool,
}

impl World {
    /// A new file with two lines: what `--head` sees and what it does not.
    pub(crate) fn add_file(&mut self, random: &mut Random, path: String) {
        let (head, body) = (random.below(1_000_000), random.below(1_000_000));
        let text = format!("head {head:06}\nbody {body:06}\n");
        self.files.insert(path, Node::File { text, exec: random.one_in(8) });
    }

    /// Files (no links) whose path begins so.
    pub(crate) fn sources(&self, prefix: &str) -> Vec<String> {
        let below = self.files.iter().filter(|(path, _)| path.starts_with(prefix));
        below
            .filter(|(_, node)| matches!(node, Node::File { .. }))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// All headers that a source may include, generated ones too.
    pub(crate) fn headers(&self) -> Vec<String> {
        let made = self.targets.iter().filter(|target| target.header);
        let made = made.map(|target| target.plain(0));
        self.sources("hdr/").into_iter().chain(made).collect()
    }

    /// Lets a source include some header, if there is one.
    pub(crate) fn add_include(&mut self, random: &mut Random, path: &str) -> bool {
        let headers = self.headers();
        let Some(Node::File { text, .. }) = self.files.get_mut(path) else { return false };
        if headers.is_empty() {
            return false;
        }
        let line = format!("include {}\n", random.pick(&headers));
        let missing = !text.contains(&line);
        if missing {
            text.push_str(&line);
        }
        missing
    }

    /// The target with this id.
    pub(crate) fn target(&self, id: usize) -> Option<&Target> {
        self.targets.iter().find(|target| target.id == id)
    }

    /// Takes away what refers to nothing: after a change the world must be a valid Taskfile again.
    pub(crate) fn mend(&mut self) {
        // One after another: a group without members is no group.
        loop {
            let whole = self.clone();
            for target in &mut self.targets {
                target.mend(&whole);
            }
            if self.targets == whole.targets {
                break;
            }
        }
        if let Some(pipeline) = &mut self.pipeline {
            let targets = &self.targets;
            let is_step =
                |id: &usize| targets.iter().any(|target| target.id == *id && !target.group);
            pipeline.stages.iter_mut().for_each(|stage| stage.retain(is_step));
            pipeline.stages.retain(|stage| !stage.is_empty());
        }
        if self.pipeline.as_ref().is_some_and(|pipeline| pipeline.stages.is_empty()) {
            self.pipeline = None;
        }
        let headers = self.headers();
        for node in self.files.values_mut() {
            if let Node::File { text, .. } = node {
                let known = |line: &&str| {
                    line.strip_prefix("include ")
                        .is_none_or(|name| headers.iter().any(|h| h == name))
                };
                *text = text.lines().filter(known).flat_map(|line| [line, "\n"]).collect();
            }
        }
    }

    fn is_valid(&self, target: &Target, input: &Input) -> bool {
        match input {
            Input::File(path) => self.files.contains_key(path),
            Input::Made(id, index) => self.plain_of_one(*id).len() > *index,
            Input::Of(id) => self.has_files(*id),
            Input::Glob { folder, deep: false, .. } => folder != "src",
            Input::Above => {
                let above = self.above(target.package);
                let fits = |b: &&Target| b.layer < target.layer && self.has_files(b.id);
                !above.is_empty() && above.iter().all(fits)
            }
            Input::Maybe(_) | Input::Glob { .. } | Input::Layer(_) => true,
        }
    }

    /// The plain outputs of a target that is one task, seen from the workspace. They may hold an
    /// expression.
    pub(crate) fn plain_of_one(&self, id: usize) -> Vec<String> {
        match self.target(id) {
            Some(target) if !target.group && target.each == Each::One => {
                target.plains().iter().map(|path| target.in_workspace(path)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether `@target` stands for files and nothing else.
    fn has_files(&self, id: usize) -> bool {
        self.target(id).is_some_and(|target| {
            if target.group {
                target.deps.iter().all(|id| self.has_files(*id))
            } else {
                target.writes != Writes::Nothing
            }
        })
    }

    /// The profiles that can be built.
    pub(crate) fn profiles(&self) -> Vec<String> {
        let all = ["default".to_owned(), "q".to_owned()];
        all[..1 + usize::from(self.profile.is_some())].to_vec()
    }

    /// The value of a variable in a package and a profile.
    pub(crate) fn value(&self, n: usize, package: Option<usize>, profile: &str) -> &str {
        let of_profile = self.profile.as_ref().filter(|_| profile != "default");
        let of_package = package.and_then(|package| self.packages[package].var.as_ref());
        let mut values = of_profile.into_iter().chain(of_package);
        values.find(|(other, _)| *other == n).map_or(&self.vars[n], |(_, value)| value)
    }
}

impl Input {
    /// The source that it is.
    pub(crate) fn file(&self) -> Option<&str> {
        if let Input::File(path) = self { Some(path) } else { None }
    }
}

impl Target {
    /// Takes away what refers to nothing in this world.
    fn mend(&mut self, world: &World) {
        let whole = self.clone();
        self.inputs.retain(|input| world.is_valid(&whole, input));
        let mut seen = Vec::new();
        self.inputs.retain(|input| {
            let new = !seen.contains(input);
            seen.push(input.clone());
            new
        });
        self.deps.retain(|id| world.target(*id).is_some());
        self.served = self.served.filter(|id| world.target(*id).is_some());
        if let Each::Made(id) = self.each
            && world.plain_of_one(id).is_empty()
        {
            self.each = Each::One;
        }
        self.group &= !self.deps.is_empty();
        let varies = world.profile.as_ref().map(|(n, _)| *n);
        if self.header && self.var.is_some() && self.var == varies {
            // All profiles include one header.
            self.var = None;
        }
        let own = !self.group && (self.var == varies || self.when_var() == varies);
        let tied = |id: usize| world.target(id).is_some_and(|target| target.tied);
        self.tied = varies.is_some() && (own || self.needs(world).into_iter().any(tied));
    }

    /// The variable that its `when` names.
    fn when_var(&self) -> Option<usize> {
        match (self.when?, &self.each) {
            (When::Var(n), _) => Some(n),
            (When::Item, Each::One) => Some(0),
            (When::Item | When::Env(_), _) => None,
        }
    }

    /// The targets that it names, and those that `^b` means. Headers and what patterns find are
    /// the same in all profiles.
    fn needs(&self, world: &World) -> Vec<usize> {
        let mut needs: Vec<usize> = self.deps.iter().chain(&self.served).copied().collect();
        for input in &self.inputs {
            match input {
                Input::Made(id, _) | Input::Of(id) => needs.push(*id),
                Input::Above => needs.extend(world.above(self.package).iter().map(|b| b.id)),
                _ => {}
            }
        }
        if let Each::Made(id) = self.each {
            needs.push(id);
        }
        needs
    }

    /// The profile whose task this target has in a profile: tasks are shared but for those tied.
    pub(crate) fn home<'a>(&self, profile: &'a str) -> &'a str {
        if self.tied { profile } else { "default" }
    }

    /// Whether several items go to one process. Its command names no single item.
    pub(crate) fn batches(&self) -> bool {
        let items = matches!(self.each, Each::Files(_) | Each::Made(_));
        let writes =
            matches!(self.writes, Writes::Staged(_) | Writes::InPlace(_) | Writes::Nothing);
        let plain = !self.depfile && !self.service && self.served.is_none();
        self.batch > 0
            && items
            && writes
            && plain
            && self.inputs.iter().all(|input| input.file().is_some())
    }

    /// The lists of its table.
    pub(crate) fn lists(&self) -> [&[Input]; 2] {
        let (a, b) = self.inputs.split_at(self.inputs.len().div_ceil(2));
        [a, b]
    }

    /// The variables that its command asks for.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut names = Vec::new();
        if !self.dotenv.is_empty() {
            names.extend(["E".to_owned(), "F0".to_owned(), "F1".to_owned()]);
        } else if self.env.is_some() {
            names.push("E".to_owned());
        }
        names.extend(self.asks.map(|n| format!("X{n}")));
        names
    }
}
