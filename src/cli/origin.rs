//! Where each value of a target or task is from: a line of the Taskfile, `-D`, the environment,
//! an item, another target, or taskr's default.

use std::collections::BTreeSet;
use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::error::Place;
use crate::expr::Value;
use crate::graph::{Graph, Input, ListName, Output, Rule, Variable};
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::parse::{Command, Duration, Exclusion, Probe, Target, Text, Word};
use crate::report::one_line;
use crate::run::Preview;

/// One value and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) value: String,
    /// Words, such as `default`; may be empty.
    pub(super) from: String,
    /// The table that the place lies in, where it is not the target's own: `[template.cc]`.
    pub(super) table: Option<String>,
    pub(super) place: Option<Place>,
}

impl Row {
    pub(super) fn new(value: impl Into<String>) -> Row {
        Row { value: value.into(), from: String::new(), table: None, place: None }
    }

    pub(super) fn at(mut self, place: impl Into<Option<Place>>) -> Row {
        self.place = place.into();
        self
    }

    pub(super) fn from(mut self, from: impl Into<String>) -> Row {
        self.from = from.into();
        self
    }

    pub(super) fn in_table(mut self, table: impl Into<String>) -> Row {
        self.table = Some(table.into());
        self
    }

    /// The words, the table and the place in one text.
    pub(super) fn origin(&self) -> String {
        let words = (!self.from.is_empty()).then(|| self.from.clone());
        let place = self.place.as_ref().map(|place| match &self.table {
            Some(table) => format!("{table} at {place}"),
            None => place.to_string(),
        });
        words.into_iter().chain(place).collect::<Vec<_>>().join(", ")
    }
}

/// Each value on a line, and in brackets, below one another, where it is from.
pub(super) fn with_brackets(rows: &[&Row]) -> Vec<String> {
    /// A longer value does not move the others' brackets.
    const LONGEST: usize = 50;
    let values: Vec<String> = rows.iter().map(|row| one_line(&row.value)).collect();
    let lengths = values.iter().map(|value| value.chars().count());
    let wide = lengths.filter(|&length| length <= LONGEST).max().unwrap_or(0);
    let line = |(value, row): (&String, &&Row)| match row.origin() {
        origin if origin.is_empty() => value.clone(),
        origin => format!("{value:wide$}  ({})", one_line(&origin)),
    };
    values.iter().zip(rows).map(line).collect()
}

/// A field and its values.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

impl Section {
    /// The same with the table of each row that the target took over.
    pub(super) fn with_tables(mut self, source: &Target) -> Section {
        for row in &mut self.rows {
            let layer = row.place.as_ref().and_then(|place| source.layer_of(place));
            row.table = layer.map(|layer| layer.header.clone());
        }
        self
    }
}

/// Collects sections, leaving out those without rows.
#[derive(Default)]
struct Sections(Vec<Section>);

impl Sections {
    fn add(&mut self, title: &str, rows: Vec<Row>) {
        match self.0.last_mut() {
            _ if rows.is_empty() => {}
            Some(last) if last.title == title => last.rows.extend(rows),
            _ => self.0.push(Section { title: title.to_owned(), rows }),
        }
    }
}

/// What all tasks of a target share, as it was written; its variables with their values.
pub(super) fn common(source: &Target, graph: &Graph, id: TaskId) -> Vec<Section> {
    let rule = &graph.task(id).rule;
    let mut all = Sections::default();
    let written = |text: &Text| Row::new(text.template.source()).at(text.place.clone());
    let list = |texts: &Option<Vec<Text>>| texts.iter().flatten().map(written).collect();
    all.add("doc", doc(source));
    all.add("takes over", layers(source));
    all.add("profile", profile(graph, id));
    all.add("foreach", list(&source.foreach));
    all.add("when", source.when.iter().map(written).collect());
    for (axis, (_, texts)) in &source.matrix {
        all.add(&format!("matrix.{axis}"), texts.iter().map(written).collect());
    }
    all.add("matrix.exclude", source.exclude.iter().map(exclusion).collect());
    all.add("dir", source.dir.iter().map(written).collect());
    for (title, range) in lists_of(source) {
        let texts = source.inputs.iter().flatten();
        all.add(&title, texts.skip(range.start).take(range.len()).map(written).collect());
    }
    all.add("env_file", source.reads.env_files.iter().map(written).collect());
    all.add("tools", source.reads.tools.iter().map(written).collect());
    all.add("outputs", list(&source.outputs));
    all.add("installs", list(&source.installs));
    all.add("depfile", source.depfile.iter().map(written).collect());
    match &source.command {
        Some(Command::Shell(lines)) => all.add("run", lines.iter().map(written).collect()),
        Some(Command::Exec(words)) => all.add("exec", words.iter().map(written).collect()),
        None => {}
    }
    all.add("shell", shell(source));
    let env = source.env.iter().map(|(name, (place, text))| {
        Row::new(format!("{name}={}", text.template.source())).at(place.clone())
    });
    all.add("env", env.collect());
    all.add("deps", source.deps.iter().map(written).collect());
    all.add("after", source.after.iter().map(written).collect());
    all.add("fresh_if", source.policy.fresh_if.iter().map(written).collect());
    service(&mut all, source);
    all.add("accept", source.checks.accept.iter().map(written).collect());
    all.add("rollback", source.rollback.iter().map(written).collect());
    settings(&mut all, source);
    all.add("variables", variables(source, rule));
    all.0
}

/// Everything about one task.
pub(super) fn sections_of_task(
    source: &Target,
    graph: &Graph,
    id: TaskId,
    preview: &Preview,
) -> Vec<Section> {
    let rule = &graph.task(id).rule;
    let mut all = Sections::default();
    all.add("doc", doc(source));
    all.add("takes over", layers(source));
    all.add("profile", profile(graph, id));
    let when = source.when.iter().map(|text| {
        let row = Row::new(text.template.source()).at(text.place.clone());
        row.from(if rule.skipped.is_some() { "false: skipped" } else { "true" })
    });
    all.add("when", when.collect());
    if let Some(item) = rule.scope.item() {
        let place = source.place_of("foreach").clone();
        all.add("item", vec![Row::new(shown(&item.written)).from("`foreach`").at(place)]);
    }
    for (axis, (place, _)) in &source.matrix {
        let value = rule.scope.axis(axis).cloned().unwrap_or_default();
        all.add(&format!("matrix.{axis}"), vec![Row::new(value).at(place.clone())]);
    }
    all.add("dir", vec![dir(source, rule)]);
    for (name, range) in rule.lists() {
        let title = match name {
            ListName::Plain => "inputs".to_owned(),
            ListName::Part(name) => format!("inputs.{name}"),
            ListName::EnvFiles => "env_file".to_owned(),
        };
        all.add(&title, inputs(source, (graph, id), preview, &range));
    }
    let outputs = rule.outputs.iter();
    let outputs = outputs.map(|one| Row::new(shown(one.value.text())).at(one.place.clone()));
    all.add("outputs", outputs.collect());
    let installs = rule.installs.iter();
    let installs = installs.map(|one| Row::new(shown(&one.value)).at(one.place.clone()));
    all.add("installs", installs.collect());
    all.add("depfile", depfile(source, rule));
    command(&mut all, source, preview);
    let tools = source.reads.tools.iter();
    let tools = tools.map(|text| Row::new(text.template.source()).at(text.place.clone()));
    all.add("tools", tools.collect());
    all.add("waits for", waits(graph, id));
    service(&mut all, source);
    settings(&mut all, source);
    all.add("variables", variables(source, rule));
    all.0
}

/// The lists of `inputs`, each with a title, and which of its strings they are.
fn lists_of(source: &Target) -> Vec<(String, Range<usize>)> {
    let plain = source.plain_inputs().map(|range| ("inputs".to_owned(), range));
    let parts = source.reads.parts.iter();
    let parts = parts.map(|(name, range)| (format!("inputs.{}", name.text), range.clone()));
    plain.into_iter().chain(parts).collect()
}

fn exclusion(one: &Exclusion) -> Row {
    let values = one.values.iter();
    let values = values.map(|(axis, (_, text))| format!("{axis}={}", text.template.source()));
    Row::new(values.collect::<Vec<_>>().join(",")).at(one.place.clone())
}

/// The profile of a task that is one of its profile alone, and the word that ties it.
fn profile(graph: &Graph, id: TaskId) -> Vec<Row> {
    let rule = &graph.task(id).rule;
    let Some((target, tie)) = graph.tie(id) else { return Vec::new() };
    let mut from = format!("`{{{{ {} }}}}`", tie.word);
    if let Some((profile, place)) = &tie.set {
        from = format!("{from}, which [profile.{profile}.vars] sets at {place}");
    }
    if target != rule.target.name {
        from = format!("through `{target}` by {from}");
    }
    let profiles = &graph.profiles().built;
    let profile = rule.scope.profile().filter(|_| profiles.len() == 1);
    let profiles = profile.map_or_else(|| profiles.join(", "), str::to_owned);
    vec![Row::new(profiles).from(from).at(tie.place.clone())]
}

/// The tables that a target takes fields from, the weakest first.
fn layers(source: &Target) -> Vec<Row> {
    let layers = source.uses.layers.iter();
    layers.map(|layer| Row::new(&layer.header).at(layer.fields.place.clone())).collect()
}

fn doc(source: &Target) -> Vec<Row> {
    let rows = source.doc.iter().map(|doc| Row::new(doc).at(source.place_of("doc").clone()));
    rows.collect()
}

fn dir(source: &Target, rule: &Rule) -> Row {
    match &source.dir {
        Some(text) => Row::new(shown(&rule.dir)).at(text.place.clone()),
        None if rule.dir.is_empty() => Row::new(".").from("default"),
        None => Row::new(shown(&rule.dir)).from("its package"),
    }
}

/// When a service is ready, and what ends it, as they were written.
fn service(all: &mut Sections, source: &Target) {
    let row = |what: &str, text: &Text| {
        Row::new(format!("{what}{}", text.template.source())).at(text.place.clone())
    };
    let ready = source.service.ready.as_ref().map(|ready| match &ready.probe {
        Probe::Port(text) => row("port ", text),
        Probe::Http(text) => row("http ", text),
        Probe::Log(text) => row("log ", text),
        Probe::Cmd(text) => row("cmd ", text),
    });
    all.add("ready", ready.into_iter().collect());
    let stays = (!source.service.restart).then(|| Row::new("false".to_owned()));
    let stays = stays.map(|row| row.at(source.place_of("restart").clone()));
    all.add("restart", stays.into_iter().collect());
    all.add("stop", source.service.stop.iter().map(|text| row("", text)).collect());
}

/// Files, each with the element that names it; and elements whose files are not known yet.
fn inputs(
    source: &Target,
    (graph, id): (&Graph, TaskId),
    preview: &Preview,
    list: &Range<usize>,
) -> Vec<Row> {
    let rule = &graph.task(id).rule;
    let origin = |row: Row, at: usize| {
        let input = &rule.inputs[at];
        let is_item = rule.scope.item().is_some_and(|item| item.file.is_some()) && at == 0;
        match &input.value {
            _ if is_item => row.from("`foreach`").at(source.place_of("foreach").clone()),
            Input::Glob { pattern, .. } => {
                row.from(format!("`{}`", shown(pattern.text()))).at(input.place.clone())
            }
            Input::Outputs { of, .. } => {
                row.from(format!("`@{}`", of.text)).at(input.place.clone())
            }
            Input::Path { .. } | Input::Not(_) => row.at(input.place.clone()),
        }
    };
    let files = preview.inputs.iter().filter(|(_, at)| list.contains(at)).map(|(path, at)| {
        let row = origin(Row::new(shown(path)), *at);
        let absent = preview.absent.contains(at) && graph.makers().of(path).is_none();
        if absent { row.from("does not exist") } else { row }
    });
    let within = |at: &&usize| list.contains(at);
    let empty =
        preview.absent.iter().filter(within).filter_map(|&at| match &rule.inputs[at].value {
            Input::Glob { pattern, .. } => {
                let row = Row::new(shown(pattern.text())).from("matches no file");
                Some(row.at(rule.inputs[at].place.clone()))
            }
            _ => None,
        });
    let unknown = preview.unknown.iter().filter(within);
    let unknown = unknown.map(|&at| origin(Row::new("… not known before it has run"), at));
    let ignored = preview.ignored.iter().filter(|(at, _)| list.contains(at)).map(|&(at, count)| {
        let files = if count == 1 { "1 file is" } else { &format!("{count} files are") };
        let row = Row::new(format!("… {files} left out because of .gitignore"));
        origin(row, at)
    });
    files.chain(empty).chain(unknown).chain(ignored).collect()
}

fn depfile(source: &Target, rule: &Rule) -> Vec<Row> {
    let from = |row: Row| match &source.depfile {
        Some(text) => row.at(text.place.clone()),
        None => row.from("`{{ depfile }}`"),
    };
    rule.depfile.iter().map(|path| from(Row::new(shown(&path.value)))).collect()
}

fn command(all: &mut Sections, source: &Target, preview: &Preview) {
    let field = match source.command {
        Some(Command::Exec(_)) => "exec",
        _ => "run",
    };
    let place = source.place_of(field).clone();
    match &preview.command {
        Ok(texts) => {
            let mut lines: Vec<Row> =
                texts.command.lines().map(|line| Row::new(line).at(place.clone())).collect();
            if !preview.unknown.is_empty() {
                lines.push(Row::new("… and the inputs that are not known yet"));
            }
            all.add(field, lines);
            all.add("shell", shell(source));
            let env = texts.env.iter().map(|(name, value)| {
                let place = source.env.get(name).map(|(place, _)| place.clone());
                Row::new(format!("{name}={value}")).at(place)
            });
            all.add("env", env.collect());
            let place = source.place_of("fresh_if").clone();
            let asked = texts.fresh_if.iter().map(|asked| Row::new(asked).at(place.clone()));
            all.add("fresh_if", asked.collect());
            let tests = texts.accept.iter().zip(&source.checks.accept);
            let tests = tests.map(|(test, text)| Row::new(test).at(text.place.clone()));
            all.add("accept", tests.collect());
            let place = source.place_of("rollback").clone();
            let undo = texts.rollback.iter().map(|undo| Row::new(undo).at(place.clone()));
            all.add("rollback", undo.collect());
        }
        Err(wrong) => {
            let row = Row::new(format!("cannot be told: {}", wrong.message));
            all.add(field, vec![row.at(wrong.place.clone().unwrap_or(place))]);
        }
    }
}

fn shell(source: &Target) -> Vec<Row> {
    match (&source.shell, &source.command) {
        (Some(words), _) => {
            let written: Vec<&str> = words.iter().map(|word| word.template.source()).collect();
            vec![Row::new(written.join(" ")).at(source.place_of("shell").clone())]
        }
        (None, Some(Command::Shell(_))) => vec![Row::new("sh -eu -c").from("default")],
        _ => Vec::new(),
    }
}

fn settings(all: &mut Sections, source: &Target) {
    let words = |words: &[Word]| {
        words.iter().map(|word| Row::new(&word.text).at(word.place.clone())).collect()
    };
    all.add("env_inputs", words(&source.env_inputs));
    all.add("env_pass", words(&source.env_pass));
    for (name, set) in [
        ("always", source.always),
        ("interactive", source.interactive),
        ("private", source.private),
        ("args", source.reads.args),
    ] {
        if set {
            all.add(name, vec![Row::new("true").at(source.place_of(name).clone())]);
        }
    }
    let gates = source.checks.gates.iter().map(|(name, (place, text))| {
        Row::new(format!("{name} {}", text.template.source())).at(place.clone())
    });
    all.add("gates", gates.collect());
    policy(all, source);
    schedule(all, source);
}

/// When and how often it runs, as it counts.
fn schedule(all: &mut Sections, source: &Target) {
    let schedule = &source.schedule;
    let time = |time: &Option<Duration>| time.as_ref().map(|time| time.written.text.clone());
    let mut add = |name: &str, value: Option<String>| {
        let place = source.place_of(name).clone();
        let row = value.map(|value| Row::new(value).at(place));
        all.add(name, row.into_iter().collect());
    };
    add("timeout", time(&schedule.timeout));
    add("grace", time(&schedule.grace));
    add("retry", schedule.retry.as_ref().map(ToString::to_string));
    add("priority", schedule.priority.map(|priority| priority.to_string()));
    add("cpus", schedule.cpus.map(|cpus| cpus.to_string()));
    add("memory", schedule.memory_bytes.map(|bytes| format!("{bytes} bytes")));
    add("allow_failure", schedule.allow_failure.then(|| "true".to_owned()));
    add("require", schedule.require.map(|require| require.to_string()));
    let pool = |(name, cost): &(Word, u32)| {
        Row::new(format!("{} (takes {cost})", name.text)).at(name.place.clone())
    };
    all.add("pool", schedule.pools.iter().map(pool).collect());
}

fn policy(all: &mut Sections, source: &Target) {
    let policy = &source.policy;
    let is_true = |set: bool| set.then(|| "true".to_owned());
    for (name, value) in [
        ("fixes_inputs", is_true(policy.fixes_inputs)),
        ("restage", is_true(policy.restage)),
        ("keep_outputs", is_true(policy.keep_outputs)),
        ("cache", policy.cache.map(|cache| cache.to_string())),
        ("relocatable", is_true(policy.relocatable)),
        ("max_age", policy.max_age.as_ref().map(|age| age.written.text.clone())),
    ] {
        let rows = value.map(|value| Row::new(value).at(source.place_of(name).clone()));
        all.add(name, rows.into_iter().collect());
    }
}

/// Tasks that are done first, and what makes them so.
fn waits(graph: &Graph, id: TaskId) -> Vec<Row> {
    let named = named(graph, id);
    let why = |need: TaskId| {
        let row = Row::new(graph.name(need));
        if let Some((from, place)) = named.get(&need) {
            return row.from(from).at(place.clone());
        }
        match made_by(graph, id, need) {
            Some((path, place)) => row.from(format!("makes {}", shown(&path))).at(place),
            None => row,
        }
    };
    graph.needs(id).iter().map(|&need| why(need)).collect()
}

/// The tasks that a task names, each with the first field that does, and where.
fn named(graph: &Graph, id: TaskId) -> FxHashMap<TaskId, (String, Option<Place>)> {
    let task = graph.task(id);
    let mut named = FxHashMap::default();
    for (of, input) in task.sources.iter().zip(&task.rule.inputs) {
        let Input::Outputs { of: reference, .. } = &input.value else { continue };
        for &need in of {
            let from = format!("`@{}` in `inputs`", reference.text);
            named.entry(need).or_insert_with(|| (from, input.place.clone()));
        }
    }
    for (field, refs) in [("deps", &task.rule.deps), ("after", &task.rule.after)] {
        for reference in refs {
            for need in graph.select(&reference.text) {
                let entry = || (format!("`{field}`"), reference.place.clone());
                named.entry(need).or_insert_with(entry);
            }
        }
    }
    named
}

/// The first declared output of `need` that an input of the task reads, and the input's place.
fn made_by(graph: &Graph, id: TaskId, need: TaskId) -> Option<(Vec<u8>, Option<Place>)> {
    let made = &graph.task(need).rule;
    let outputs = made.outputs.iter().filter_map(|output| match &output.value {
        Output::Path(path) => Some(path),
        Output::Glob(_) => None,
    });
    let paths: Vec<&Vec<u8>> =
        outputs.chain(made.installs.iter().map(|path| &path.value)).collect();
    graph.task(id).rule.inputs.iter().find_map(|input| {
        let path = match &input.value {
            Input::Path { path, .. } if graph.makers().of(path) == Some(need) => path,
            Input::Path { path, .. } => {
                *paths.iter().find(|made| made.starts_with(&[&path[..], b"/"].concat()))?
            }
            Input::Glob { pattern, .. } => *paths.iter().find(|path| pattern.matches(path))?,
            _ => return None,
        };
        Some((path.clone(), input.place.clone()))
    })
}

/// The variables that a target's strings use, also within one another, with their values.
fn variables(source: &Target, rule: &Rule) -> Vec<Row> {
    let known = rule.scope.variables();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: Vec<&str> =
        source.texts().flat_map(|text| text.template.names()).map(|name| &*name.path).collect();
    while let Some(path) = waiting.pop() {
        let head = path.split('.').next().unwrap_or(path);
        let name = if head == "env" { path } else { head };
        if !used.insert(name) {
            continue;
        }
        let inner = known.get(name).map_or(&[][..], Variable::texts);
        waiting.extend(inner.iter().flat_map(|text| text.template.names()).map(|name| &*name.path));
    }
    used.into_iter().filter_map(|name| variable(rule, name)).collect()
}

fn variable(rule: &Rule, name: &str) -> Option<Row> {
    let value = |name: &str| rule.scope.value(name, &|_| Ok(None)).ok().flatten();
    if let Some(variable) = name.strip_prefix("env.") {
        let value = value("env")?.get_attr(variable).ok().filter(|value| !value.is_undefined());
        let value = value.map_or_else(|| "is not set".to_owned(), |value| format!("= {value}"));
        return Some(Row::new(format!("{name} {value}")).from("the environment"));
    }
    let texts = rule.scope.variables().get(name)?.texts();
    let written = || texts.iter().map(|text| text.template.source().to_owned()).collect();
    let words = value(name).map_or_else(written, |value: Value| match value.as_str() {
        Some(text) => vec![text.to_owned()],
        None => value.try_iter().map_or_else(
            |_| vec![value.to_string()],
            |words| words.map(|word| word.to_string()).collect(),
        ),
    });
    let value = words.join(" ");
    let row = Row::new(format!("{name} = {value}"));
    Some(match texts.first().map(|text| text.place.clone()) {
        Some(Some(place)) => row.at(place),
        _ => row.from("-D"),
    })
}
