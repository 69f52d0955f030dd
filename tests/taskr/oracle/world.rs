//! A random workspace as a value: sources, variables, the caller's environment and targets. Knows
//! how to write itself as a Taskfile; runs nothing and computes nothing.
//!
//! Targets stand in layers and refer only to lower ones, so every world is without cycles. Plain
//! outputs lie in `gen/LAYER/`, generated headers in `gen/h/`, glob outputs in `dist/`; sources in
//! `src/`, `hdr/` and `data/`.

use std::collections::BTreeMap;
use std::fmt::Write;

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

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) id: usize,
    pub(crate) name: String,
    pub(crate) layer: usize,
    /// Names its outputs.
    pub(crate) slot: usize,
    /// Its one output is a header that sources may include.
    pub(crate) header: bool,
    /// No command, only `deps`.
    pub(crate) group: bool,
    pub(crate) each: Each,
    pub(crate) inputs: Vec<Input>,
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
}

impl World {
    /// A world with so many targets.
    pub(crate) fn random(random: &mut Random, targets: usize) -> World {
        let mut world = World {
            files: BTreeMap::new(),
            vars: vec!["v000000".to_owned(); 3],
            env: vec![None, Some(String::new()), Some("x".to_owned())],
            targets: Vec::new(),
            next: 0,
        };
        for folder in ["src/d0", "src/d1", "src/d1/sub", "data"] {
            for n in 0..=random.below(3) {
                let skip = if n > 0 && random.one_in(4) { "_skip" } else { "" };
                world.add_file(random, format!("{folder}/f{n}{skip}.c"));
            }
        }
        for n in 0..random.below(4) {
            world.add_file(random, format!("hdr/h{n}.h"));
        }
        if random.one_in(2) {
            world.files.insert("data/link".to_owned(), Node::Link("f0.c".to_owned()));
        }
        for _ in 0..targets {
            world.add_target(random);
        }
        for path in world.sources("src/") {
            world.add_include(random, &path);
        }
        world
    }

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

    /// Adds a random target in a random layer.
    pub(crate) fn add_target(&mut self, random: &mut Random) -> String {
        let id = self.next;
        self.next += 1;
        let highest = self.targets.iter().map(|target| target.layer + 1).max().unwrap_or(0);
        let header = random.one_in(7);
        let layer = if header { 0 } else { random.below(highest.min(3) + 1) };
        let mut target = Target {
            id,
            name: format!("t{id}"),
            layer,
            slot: id,
            header,
            group: !header && layer > 0 && random.one_in(9),
            each: Each::One,
            inputs: Vec::new(),
            writes: Writes::Staged(1),
            deps: Vec::new(),
            depfile: !header && layer > 0 && random.one_in(3),
            form: *random.pick(&[Form::Exec, Form::PlainWords, Form::Shell]),
            salt: format!("s{}", random.below(1000)),
            var: random.one_in(3).then(|| random.below(3)),
            head: random.one_in(3),
            exec: random.one_in(6),
            env: random.one_in(4).then(|| format!("e{}", random.below(100))),
            asks: random.one_in(4).then(|| random.below(3)),
            doc: 0,
        };
        if !header && !target.group {
            target.each = self.random_each(random, layer);
            target.writes = random_writes(random);
        }
        for _ in 0..random.below(4) {
            target.inputs.extend(self.random_input(random, layer));
        }
        if target.group || random.one_in(4) {
            target.deps.extend(self.pick_below(random, layer));
            target.deps.extend(self.pick_below(random, layer));
            target.deps.dedup();
        }
        self.targets.push(target);
        self.mend();
        format!("add t{id}")
    }

    /// Some target of a lower layer.
    fn pick_below(&self, random: &mut Random, layer: usize) -> Option<usize> {
        let below: Vec<_> = self.targets.iter().filter(|target| target.layer < layer).collect();
        (!below.is_empty()).then(|| random.pick(&below).id)
    }

    /// How many tasks, at random.
    pub(crate) fn random_each(&self, random: &mut Random, layer: usize) -> Each {
        match random.below(9) {
            0 | 1 => Each::Files((*random.pick(&["src/d0", "src/d1", "data"])).to_owned()),
            2 => Each::Matrix((0..=random.below(2)).map(|n| format!("m{n}")).collect()),
            3 => self.pick_below(random, layer).map_or(Each::One, Each::Made),
            _ => Each::One,
        }
    }

    /// An input that is there, at random.
    pub(crate) fn random_input(&self, random: &mut Random, layer: usize) -> Option<Input> {
        Some(match random.below(8) {
            0 => Input::File(random.pick(&self.sources("data/")).clone()),
            1 => Input::Maybe(format!("data/maybe{}", random.below(2))),
            2 | 3 => Input::Glob {
                folder: (*random.pick(&["src", "src/d0", "src/d1", "data"])).to_owned(),
                deep: random.one_in(2),
                skip: random.one_in(3),
            },
            4 => Input::Made(self.pick_below(random, layer)?, random.below(2)),
            5 => Input::Layer(random.below(layer).min(layer.checked_sub(1)?)),
            _ => Input::Of(self.pick_below(random, layer)?),
        })
    }

    /// Takes away what refers to nothing: after a change the world must be a valid Taskfile again.
    pub(crate) fn mend(&mut self) {
        let whole = self.clone();
        for target in &mut self.targets {
            target.inputs.retain(|input| whole.is_valid(input));
            let mut seen = Vec::new();
            target.inputs.retain(|input| {
                let new = !seen.contains(input);
                seen.push(input.clone());
                new
            });
            target.deps.retain(|id| whole.target(*id).is_some());
            if let Each::Made(id) = target.each
                && whole.plain_of_one(id).is_empty()
            {
                target.each = Each::One;
            }
            if target.group && target.deps.is_empty() {
                target.group = false;
            }
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

    fn is_valid(&self, input: &Input) -> bool {
        match input {
            Input::File(path) => self.files.contains_key(path),
            Input::Made(id, index) => self.plain_of_one(*id).len() > *index,
            Input::Of(id) => self.has_files(*id),
            Input::Glob { folder, deep: false, .. } => folder != "src",
            Input::Maybe(_) | Input::Glob { .. } | Input::Layer(_) => true,
        }
    }

    /// The plain outputs of a target that is one task.
    pub(crate) fn plain_of_one(&self, id: usize) -> Vec<String> {
        match self.target(id) {
            Some(target) if !target.group && target.each == Each::One => target.plains(),
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

    /// Everything as Taskfile.toml.
    pub(crate) fn taskfile(&self) -> String {
        let mut text = String::from("[pool.p]\nslots = 2\n[pool.q]\nrate = \"1000/s\"\n[vars]\n");
        for (n, value) in self.vars.iter().enumerate() {
            writeln!(text, "v{n} = \"{value}\"").expect("text");
        }
        text.push_str("[defaults]\nenv_pass = [\"TOY_*\"]\n");
        for target in &self.targets {
            self.write_target(&mut text, target);
        }
        let names = |keep: &dyn Fn(&&Target) -> bool| {
            let names = self.targets.iter().filter(keep).map(|target| format!("{:?}", target.name));
            names.collect::<Vec<_>>().join(", ")
        };
        let headers = names(&|target| target.header);
        if !headers.is_empty() {
            write!(text, "[target.headers]\ndeps = [{headers}]\n\n").expect("text");
        }
        write!(text, "[target.all]\ndeps = [{}]\n", names(&|_| true)).expect("text");
        text
    }

    /// A target on its own, or on top of a template that has the first part of it: where a field
    /// stands must change nothing.
    fn write_target(&self, text: &mut String, target: &Target) {
        let list = |items: &[String]| format!("{items:?}");
        let name = |id: &usize| self.target(*id).expect("mended").name.clone();
        let mut own: Vec<(&str, String)> = Vec::new();
        if target.doc > 0 {
            own.push(("doc", format!("\"{}\"", target.doc)));
        }
        if !target.deps.is_empty() {
            own.push(("deps", list(&target.deps.iter().map(name).collect::<Vec<_>>())));
        }
        let mut shared: Vec<(&str, String)> = Vec::new();
        if !target.group {
            let inputs = target.inputs.iter().flat_map(|input| self.input_text(input));
            let inputs: Vec<String> = inputs.collect();
            let is_split = (target.id + target.doc) % 3 == 1;
            let (first, rest) = inputs.split_at(if is_split { inputs.len() / 2 } else { 0 });
            own.push(("inputs", list(rest)));
            let fields = self.fields(target);
            let half = if is_split { fields.len().div_ceil(2) } else { 0 };
            if is_split {
                shared.push(("inputs", list(first)));
                own.push(("use", format!("{:?}", target.name)));
            }
            shared.extend_from_slice(&fields[..half]);
            own.extend_from_slice(&fields[half..]);
        }
        for (header, lines) in [("template", shared), ("target", own)] {
            if header == "target" || !lines.is_empty() {
                writeln!(text, "\n[{header}.{}]", target.name).expect("text");
            }
            for (key, value) in lines {
                writeln!(text, "{key} = {value}").expect("text");
            }
        }
    }

    /// All fields of a command but its inputs.
    fn fields(&self, target: &Target) -> Vec<(&'static str, String)> {
        let list = |items: &[String]| format!("{items:?}");
        let mut fields = Vec::new();
        if let Some((key, value)) = SCHEDULES.get((target.id + target.doc) % 9) {
            fields.push((*key, (*value).to_owned()));
        }
        let outputs = target.declared();
        if !outputs.is_empty() {
            fields.push(("outputs", list(&outputs)));
        }
        match &target.each {
            Each::One => {}
            Each::Files(folder) => fields.push(("foreach", list(&[format!("{folder}/*.c")]))),
            Each::Made(id) => fields.push(("foreach", list(&self.plain_of_one(*id)))),
            Each::Matrix(values) => fields.push(("matrix", format!("{{ m = {values:?} }}"))),
        }
        if target.depfile && self.targets.iter().any(|target| target.header) {
            fields.push(("after", list(&["headers".to_owned()])));
        }
        if let Some(value) = &target.env {
            fields.push(("env", format!("{{ E = {value:?} }}")));
        }
        if let Some(n) = target.asks {
            fields.push(("env_inputs", list(&[format!("X{n}")])));
        }
        fields.push((if target.form == Form::Exec { "exec" } else { "run" }, target.command()));
        fields
    }

    /// An input as the Taskfile says it.
    pub(crate) fn input_text(&self, input: &Input) -> Vec<String> {
        match input {
            Input::File(path) => vec![path.clone()],
            Input::Maybe(path) => vec![format!("?{path}")],
            Input::Glob { folder, deep, skip } => {
                let mut text = vec![format!("{folder}/{}", if *deep { "**" } else { "*" })];
                text.extend(skip.then(|| format!("!{folder}/**/*_skip*")));
                text
            }
            Input::Made(id, index) => vec![self.plain_of_one(*id)[*index].clone()],
            Input::Layer(layer) => vec![format!("?gen/{layer}/**")],
            Input::Of(id) => vec![format!("@{}", self.target(*id).expect("mended").name)],
        }
    }
}

/// When and how a target runs: no result may depend on it.
const SCHEDULES: [(&str, &str); 7] = [
    ("priority", "\"high\""),
    ("priority", "-3"),
    ("pool", "[\"p\", \"q\"]"),
    ("pool", "{ p = 2 }"),
    ("cpus", "\"all\""),
    ("retry", "{ times = 1, on_exit = 77 }"),
    ("timeout", "\"1h\""),
];

/// Where to write, at random.
pub(crate) fn random_writes(random: &mut Random) -> Writes {
    let count = random.below(2) + 1;
    match random.below(10) {
        0..3 => Writes::Staged(count),
        3..6 => Writes::InPlace(count),
        6 | 7 => Writes::Left(count),
        8 => Writes::Spread { staged: random.one_in(2) },
        _ => Writes::Nothing,
    }
}

impl Target {
    /// The part of an output's path that tells the tasks of a target apart, as an expression.
    fn part(&self) -> &'static str {
        match self.each {
            Each::One => "",
            Each::Files(_) | Each::Made(_) => "/{{ item.name }}",
            Each::Matrix(_) => "/{{ matrix.m }}",
        }
    }

    /// The plain output `index` of each of its tasks, as the Taskfile says it.
    pub(crate) fn plain(&self, index: usize) -> String {
        if self.header {
            return format!("gen/h/s{}.h", self.slot);
        }
        format!("gen/{}/s{}{}.{index}", self.layer, self.slot, self.part())
    }

    /// All plain outputs.
    fn plains(&self) -> Vec<String> {
        match self.writes {
            Writes::Staged(count) | Writes::InPlace(count) => {
                (0..count).map(|index| self.plain(index)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The name of a file left in `$OUT`; no two tasks use one.
    pub(crate) fn left(&self, index: usize) -> String {
        format!("l{}.{index}{}", self.slot, self.part().replacen('/', ".", 1))
    }

    /// The folder of glob outputs.
    pub(crate) fn folder(&self) -> String {
        format!("dist/s{}{}", self.slot, self.part())
    }

    /// The field `outputs`.
    pub(crate) fn declared(&self) -> Vec<String> {
        if let Writes::Spread { .. } = self.writes {
            let stars = if self.slot.is_multiple_of(2) { "**" } else { "*" };
            vec![format!("{}/{stars}", self.folder())]
        } else {
            self.plains()
        }
    }

    /// The name in the log, as an expression.
    pub(crate) fn toy_name(&self) -> String {
        match self.each {
            Each::One => self.name.clone(),
            Each::Files(_) | Each::Made(_) => format!("{}:{{{{ item }}}}", self.name),
            Each::Matrix(_) => format!("{}:{{{{ matrix.m }}}}", self.name),
        }
    }

    /// The words of the command.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec!["toytask".to_owned(), self.toy_name()];
        let mut say = |new: &[&str]| words.extend(new.iter().map(|&word| word.to_owned()));
        match self.writes {
            Writes::Staged(_) => say(&["{{ outputs }}"]),
            Writes::InPlace(_) => self.plains().iter().for_each(|path| say(&[path])),
            Writes::Left(count) => {
                (0..count).for_each(|n| say(&[&format!("{{{{ out }}}}/{}", self.left(n))]));
            }
            Writes::Spread { staged: true } => say(&["--spread", "{{ outputs }}"]),
            Writes::Spread { staged: false } => say(&["--spread", &self.folder()]),
            Writes::Nothing => {}
        }
        say(&["--in", "{{ inputs }}"]);
        let var = self.var.map_or_else(String::new, |n| format!("{{{{ v{n} }}}}"));
        say(&["--salt", &format!("{}{var}", self.salt)]);
        if self.head {
            say(&["--head"]);
        }
        if self.exec {
            say(&["--exec"]);
        }
        if self.env.is_some() {
            say(&["--env", "E"]);
        }
        if let Some(n) = self.asks {
            say(&["--env", &format!("X{n}")]);
        }
        if self.depfile {
            say(&["--depfile", "{{ depfile }}"]);
        }
        words
    }

    fn command(&self) -> String {
        match self.form {
            Form::Exec => format!("{:?}", self.words()),
            Form::PlainWords => format!("{:?}", self.words().join(" ")),
            Form::Shell => format!("{:?}", format!("set -e; {}", self.words().join(" "))),
        }
    }
}
