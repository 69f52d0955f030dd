//! A world as its Taskfiles and all else that its user writes. Runs nothing and computes nothing.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::packages::{folder, seen_from};
use super::world::{Each, Form, Input, Node, Target, When, World, Writes};

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

impl World {
    /// All files that its user writes.
    pub(crate) fn disk(&self) -> BTreeMap<String, Node> {
        let plain = |text: String| Node::File { text, exec: false };
        let within = |folder: &str, name: &str| match folder {
            "" => name.to_owned(),
            _ => format!("{folder}/{name}"),
        };
        let mut disk = self.files.clone();
        for (folder, lines) in &self.ignores {
            let text = lines.iter().flat_map(|line| [line, "\n"]).collect();
            disk.insert(within(folder, ".gitignore"), plain(text));
        }
        for (n, lines) in self.dotenv.iter().enumerate() {
            let Some(lines) = lines else { continue };
            let form = |(at, (name, value)): (usize, &(String, String))| match (at + n) % 3 {
                0 => format!("{name}={value}\n"),
                1 => format!("# {n}\nexport {name}='{value}'\n"),
                _ => format!("{name}=\"{value}\" # {n}\n"),
            };
            disk.insert(dotenv(n), plain(lines.iter().enumerate().map(form).collect()));
        }
        let packages = (0..self.packages.len()).map(Some);
        for package in packages.chain([None]) {
            let text = plain(self.taskfile(package));
            disk.insert(within(&folder(package), "Taskfile.toml"), text);
        }
        disk
    }

    /// The Taskfile of the root or of a package.
    pub(crate) fn taskfile(&self, package: Option<usize>) -> String {
        let mut text = match package {
            Some(n) => self.package_head(n),
            None => self.root_head(),
        };
        for target in self.targets.iter().filter(|target| target.package == package) {
            self.write_target(&mut text, target);
        }
        if package.is_none() {
            let names = |keep: &dyn Fn(&&Target) -> bool| {
                self.targets.iter().filter(keep).map(Target::full_name).collect::<Vec<_>>()
            };
            let headers = names(&|target| target.header);
            if !headers.is_empty() {
                write!(text, "\n[target.headers]\ndeps = {headers:?}\n").expect("text");
            }
            let all = names(&|target| !target.service);
            write!(text, "\n[target.all]\ndeps = {all:?}\n").expect("text");
        }
        text
    }

    fn root_head(&self) -> String {
        let mut text = String::new();
        if !self.packages.is_empty() {
            text.push_str("include = [\"pk/*\"]\n");
        }
        text.push_str("[pool.p]\nslots = 2\n[pool.q]\nrate = \"1000/s\"\n[vars]\n");
        for (n, value) in self.vars.iter().enumerate() {
            writeln!(text, "v{n} = \"{value}\"").expect("text");
        }
        text.push_str("[defaults]\nenv_pass = [\"TOY_*\"]\n");
        if let Some((n, value)) = &self.profile {
            writeln!(text, "[profile.q.vars]\nv{n} = \"{value}\"").expect("text");
        }
        if let Some(pipeline) = &self.pipeline {
            let name = |id: &usize| self.target(*id).expect("mended").full_name();
            let stages = pipeline.stages.iter();
            let steps: Vec<Vec<String>> =
                stages.map(|stage| stage.iter().map(name).collect()).collect();
            let on_error = if pipeline.goes_on { "continue" } else { "stop" };
            writeln!(text, "[pipeline.line]\nsteps = {steps:?}\non_error = \"{on_error}\"")
                .expect("text");
        }
        text
    }

    fn package_head(&self, n: usize) -> String {
        let package = &self.packages[n];
        let deps: Vec<String> =
            package.deps.iter().map(|n| format!("//{}", folder(Some(*n)))).collect();
        let mut text = format!("[package]\ndeps = {deps:?}\n");
        if let Some((n, value)) = &package.var {
            writeln!(text, "[vars]\nv{n} = \"{value}\"").expect("text");
        }
        // A package without targets is an error.
        text.push_str("[target.idle]\nrun = \"true\"\n");
        text
    }

    /// A target on its own, or on top of a template that has the first part of it: where a field
    /// stands must change nothing.
    fn write_target(&self, text: &mut String, target: &Target) {
        let mut own: Vec<(&str, String)> = Vec::new();
        if target.doc > 0 {
            own.push(("doc", format!("\"{}\"", target.doc)));
        }
        let deps = target.deps.iter().chain(&target.served);
        let deps: Vec<String> =
            deps.map(|id| target.says_name(self.target(*id).expect("mended"))).collect();
        if !deps.is_empty() {
            own.push(("deps", format!("{deps:?}")));
        }
        let mut shared: Vec<(&str, String)> = Vec::new();
        if !target.group {
            let is_split = (target.id + target.doc) % 3 == 1;
            let [first, rest] = self.input_lists(target, is_split);
            own.push(("inputs", rest));
            let fields = self.fields(target);
            let half = if is_split { fields.len().div_ceil(2) } else { 0 };
            if is_split {
                shared.push(("inputs", first));
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

    /// What of `inputs` stands in the template, and what in the target.
    fn input_lists(&self, target: &Target, is_split: bool) -> [String; 2] {
        let text = |inputs: &[Input]| -> Vec<String> {
            inputs.iter().flat_map(|input| self.input_text(target, input)).collect()
        };
        if target.tables {
            let [a, b] = target.lists().map(text);
            return match is_split {
                true => [format!("{{ a = {a:?} }}"), format!("{{ b = {b:?} }}")],
                false => [String::new(), format!("{{ a = {a:?}, b = {b:?} }}")],
            };
        }
        let all = text(&target.inputs);
        let (first, rest) = all.split_at(if is_split { all.len() / 2 } else { 0 });
        [first, rest].map(|list| format!("{list:?}"))
    }

    /// All fields of a command but its inputs.
    fn fields(&self, target: &Target) -> Vec<(&'static str, String)> {
        let list = |items: &[String]| format!("{items:?}");
        let mut fields = Vec::new();
        if let Some((key, value)) = SCHEDULES.get((target.id + target.doc) % 9)
            && !target.service
        {
            fields.push((*key, (*value).to_owned()));
        }
        let outputs = target.declared();
        if !outputs.is_empty() {
            fields.push(("outputs", list(&outputs)));
        }
        fields.extend(self.items_field(target));
        if target.batches() {
            fields.push(("batch", target.batch.to_string()));
        }
        if let Some(when) = &target.when {
            fields.push(("when", format!("{:?}", when.text(&target.each))));
        }
        if target.depfile && self.targets.iter().any(|target| target.header) {
            fields.push(("after", list(&["//:headers".to_owned()])));
        }
        if !target.dotenv.is_empty() {
            let may = |n: usize| if n == 2 { "?" } else { "" };
            let path = |n: &usize| format!("{}{}", may(*n), target.says_path(&dotenv(*n)));
            fields.push(("env_file", list(&target.dotenv.iter().map(path).collect::<Vec<_>>())));
        }
        if let Some(value) = &target.env {
            fields.push(("env", format!("{{ E = {value:?} }}")));
        }
        if let Some(n) = target.asks {
            fields.push(("env_inputs", list(&[format!("X{n}")])));
        }
        if target.service {
            fields.push(("service", "true".to_owned()));
            fields.push(("ready", "{ log = \"ready\" }".to_owned()));
        }
        fields.push((if target.form == Form::Exec { "exec" } else { "run" }, self.command(target)));
        fields
    }

    fn items_field(&self, target: &Target) -> Option<(&'static str, String)> {
        Some(match &target.each {
            Each::One => return None,
            Each::Files(folder) => {
                ("foreach", format!("{:?}", [target.says_path(&format!("{folder}/*.c"))]))
            }
            Each::Made(id) => {
                let paths = self.plain_of_one(*id);
                let paths = paths.iter().map(|path| target.says_path(path));
                ("foreach", format!("{:?}", paths.collect::<Vec<_>>()))
            }
            Each::Matrix(values) => ("matrix", format!("{{ m = {values:?} }}")),
            Each::Grid(without) => {
                let pair = |(m, k): &(usize, usize)| format!("{{ m = \"m{m}\", k = \"k{k}\" }}");
                let without: Vec<String> = without.iter().map(pair).collect();
                let without = without.join(", ");
                let axes = "m = [\"m0\", \"m1\"], k = [\"k0\", \"k1\"]";
                ("matrix", format!("{{ {axes}, exclude = [{without}] }}"))
            }
        })
    }

    /// An input as the target's Taskfile says it.
    pub(crate) fn input_text(&self, target: &Target, input: &Input) -> Vec<String> {
        let says = |path: &str| target.says_path(path);
        match input {
            Input::File(path) => vec![says(path)],
            Input::Maybe(path) => vec![format!("?{}", says(path))],
            Input::Glob { folder, deep, skip } => {
                let mut text = vec![says(&format!("{folder}/{}", if *deep { "**" } else { "*" }))];
                text.extend(skip.then(|| format!("!{}", says(&format!("{folder}/**/*_skip*")))));
                text
            }
            Input::Made(id, index) => vec![says(&self.plain_of_one(*id)[*index])],
            Input::Layer(layer) => vec![format!("?{}", says(&format!("gen/{layer}/**")))],
            Input::Of(id) => {
                let other = self.target(*id).expect("mended");
                vec![format!("@{}", target.says_name(other))]
            }
            Input::Above => vec!["@^b".to_owned()],
        }
    }

    fn command(&self, target: &Target) -> String {
        let words = self.words(target);
        match target.form {
            Form::Exec => format!("{words:?}"),
            Form::PlainWords => format!("{:?}", words.join(" ")),
            Form::Shell => {
                let exec = if target.service { "exec " } else { "" };
                format!("{:?}", format!("set -e; {exec}{}", words.join(" ")))
            }
        }
    }

    /// The words of the command.
    pub(crate) fn words(&self, target: &Target) -> Vec<String> {
        let mut words = vec!["toytask".to_owned(), target.toy_name()];
        let mut say = |new: &[&str]| words.extend(new.iter().map(|&word| word.to_owned()));
        target.say_outputs(&mut say);
        say(&["--in"]);
        for word in self.input_words(target) {
            say(&[&word]);
        }
        let var = target.var.map_or_else(String::new, |n| format!("{{{{ v{n} }}}}"));
        say(&["--salt", &format!("{}{var}", target.salt)]);
        let flags = [("--head", target.head), ("--exec", target.exec), ("--serve", target.service)];
        flags.iter().filter(|(_, is_set)| *is_set).for_each(|(flag, _)| say(&[flag]));
        for name in target.asked() {
            say(&["--env", &name]);
        }
        if target.depfile {
            say(&["--depfile", "{{ depfile }}"]);
        }
        if target.package.is_some() {
            say(&["--dir", "{{ package.dir }}"]);
        }
        if let Some(service) = target.served.and_then(|id| self.target(id)) {
            say(&["--ask", &service.toy_name()]);
        }
        words
    }

    fn input_words(&self, target: &Target) -> Vec<String> {
        if target.batches() {
            let paths = target.inputs.iter().filter_map(Input::file);
            return paths.map(|path| seen_from(target.package, path)).collect();
        }
        let mut words = vec!["{{ inputs }}".to_owned()];
        if target.tables {
            words = vec!["{{ inputs.a }}".to_owned(), "{{ inputs.b }}".to_owned()];
            if let Each::Files(_) | Each::Made(_) = target.each {
                words.push("{{ item }}".to_owned());
            }
        }
        words
    }
}

/// The path of an environment file.
pub(crate) fn dotenv(n: usize) -> String {
    format!("conf/e{n}.env")
}

impl When {
    /// The expression.
    pub(crate) fn text(&self, each: &Each) -> String {
        match (self, each) {
            (When::Env(n), _) => format!("env.X{n} | default('') < 'x5'"),
            (When::Item, Each::Files(_)) => "item.name < 'n2'".to_owned(),
            (When::Item, Each::Made(_)) => "item.name < 's5'".to_owned(),
            (When::Item, Each::Matrix(_) | Each::Grid(_)) => "matrix.m < 'm1'".to_owned(),
            (When::Var(n), _) => format!("v{n} < 'v5'"),
            (When::Item, Each::One) => "v0 < 'v5'".to_owned(),
        }
    }
}

impl Target {
    /// The part of an output's path that tells the tasks of a target apart, as an expression.
    fn part(&self) -> &'static str {
        match self.each {
            Each::One => "",
            Each::Files(_) | Each::Made(_) => "/{{ item.name }}",
            Each::Matrix(_) => "/{{ matrix.m }}",
            Each::Grid(_) => "/{{ matrix.m }}-{{ matrix.k }}",
        }
    }

    /// The folder for one that differs in each profile.
    fn profile_part(&self) -> &'static str {
        if self.tied { "p/{{ profile }}/" } else { "" }
    }

    /// The plain output `index` of each of its tasks, as its Taskfile says it.
    pub(crate) fn plain(&self, index: usize) -> String {
        if self.header {
            return format!("gen/h/s{}.h", self.slot);
        }
        let (profile, part) = (self.profile_part(), self.part());
        format!("gen/{profile}{}/s{}{part}.{index}", self.layer, self.slot)
    }

    /// All plain outputs.
    pub(crate) fn plains(&self) -> Vec<String> {
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
        format!("dist/{}s{}{}", self.profile_part(), self.slot, self.part())
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

    /// The name in the log, as an expression. Of a batch the part that all items have.
    pub(crate) fn toy_name(&self) -> String {
        let package =
            if self.name == "b" { folder(self.package).replace('/', ".") } else { String::new() };
        // Others see theirs from their task's name: they differ only through what they need.
        let says = self.tied && (self.service || self.batches());
        let profile = if says { "@{{ profile }}" } else { "" };
        let item = match self.each {
            Each::Files(_) | Each::Made(_) if self.batches() => "",
            Each::One => "",
            Each::Files(_) | Each::Made(_) => ":{{ item }}",
            Each::Matrix(_) => ":{{ matrix.m }}",
            Each::Grid(_) => ":{{ matrix.m }}-{{ matrix.k }}",
        };
        format!("{}{package}{profile}{item}", self.name)
    }

    fn say_outputs(&self, say: &mut impl FnMut(&[&str])) {
        let in_place: Vec<String> = self.plains();
        if self.batches() {
            say(&["--items", "{{ items }}"]);
            match self.writes {
                Writes::Staged(_) => say(&["--to", "{{ outputs }}"]),
                _ => in_place
                    .iter()
                    .for_each(|path| say(&["--at", &path.replace("{{ item.name }}", "%")])),
            }
            return;
        }
        match self.writes {
            Writes::Staged(_) => say(&["{{ outputs }}"]),
            Writes::InPlace(_) => in_place.iter().for_each(|path| say(&[path])),
            Writes::Left(count) => {
                (0..count).for_each(|n| say(&[&format!("{{{{ out }}}}/{}", self.left(n))]));
            }
            Writes::Spread { staged: true } => say(&["--spread", "{{ outputs }}"]),
            Writes::Spread { staged: false } => say(&["--spread", &self.folder()]),
            Writes::Nothing => {}
        }
    }
}
