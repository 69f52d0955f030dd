//! Size is no matter: 4,000 tasks in a chain, side by side, or as items, from the Taskfile's text to
//! a build with nothing to do, on a thread with 2 MiB of stack: a function that calls itself for
//! each of them would need more.
//!
//! Nothing here spawns 4,000 processes. A workspace of a few tasks is built for real; what the
//! program recorded of one of them is written down for all others, with their own numbers in it.
//! So the records are those that the program itself makes: were they not, tasks would not be
//! fresh, and the first one that starts ends the test.
//!
//! `TASKR_SCALE=100000` takes so many and asserts growth: ten times the tasks may take forty times as
//! long, four times what is linear; what is quadratic takes a hundred times as long. Phases that take
//! next to nothing are let off. That is for a machine that has nothing else to do.

use std::collections::BTreeMap;
use std::env::var_os;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use taskr::error::{Error, render};
use taskr::graph::{Args, Graph, Settings, Surroundings, expand, link};
use taskr::ids::IdVec;
use taskr::outcome::{Event, Field, Manifest, OutFile, Record, Tag};
use taskr::parse::parse;
use taskr::plan::{Next, Plan};
use taskr::process::Console;
use taskr::record::{self, Names};
use taskr::run::{Force, Request, run};
use taskr_cache::{Access, Seen, State, Writer, boot_id};

use crate::project::SETTLED;

/// The number of tasks, if nothing else is asked for.
const USUAL: usize = 4_000;

/// How much larger the large workspace is than the small one.
const TIMES: usize = 10;

/// Growth beyond this is not linear: ten times as many tasks, and a factor of four for noise.
const MOST_GROWTH: u32 = 40;

/// Shorter than this, a phase says nothing about growth.
const NOISE: Duration = Duration::from_millis(10);

/// A Taskfile of any size. Numbers have six digits, so that one task's record becomes another's
/// by putting numbers for numbers.
struct Shape {
    taskfile: fn(usize) -> String,
    /// The name of a task by its number.
    task: fn(usize) -> String,
    /// What is wanted, of so many tasks.
    wanted: fn(usize) -> String,
    /// Files that are there before, of so many tasks.
    sources: fn(usize) -> Vec<String>,
    /// What a task makes.
    output: fn(usize) -> String,
}

const CHAIN: Shape = Shape {
    taskfile: |count| {
        let mut text = String::new();
        for n in 0..count {
            let input = if n == 0 { "in".to_owned() } else { format!("o/{:06}", n - 1) };
            declare(&mut text, n, &input);
        }
        text
    },
    task: |n| format!("t{n:06}"),
    wanted: |count| format!("t{:06}", count - 1),
    sources: |_| vec!["in".to_owned()],
    output: |n| format!("o/{n:06}"),
};

const WIDE: Shape = Shape {
    taskfile: |count| {
        let mut text = String::from("[target.all]\ndeps = [\n");
        for n in 0..count {
            writeln!(text, "  \"t{n:06}\",").expect("text");
        }
        text.push_str("]\n");
        (0..count).for_each(|n| declare(&mut text, n, "in"));
        text
    },
    wanted: |_| "all".to_owned(),
    ..CHAIN
};

const ITEMS: Shape = Shape {
    taskfile: |_| {
        "[target.t]\nforeach = [\"src/*\"]\noutputs = [\"o/{{ item.name }}\"]\n\
         exec = [\"cp\", \"{{ inputs }}\", \"{{ outputs }}\"]\n"
            .to_owned()
    },
    task: |n| format!("t@src/{n:06}"),
    wanted: |_| "t".to_owned(),
    sources: |count| (0..count).map(|n| format!("src/{n:06}")).collect(),
    ..CHAIN
};

fn declare(text: &mut String, n: usize, input: &str) {
    writeln!(
        text,
        "[target.t{n:06}]\ninputs = [\"{input}\"]\noutputs = [\"o/{n:06}\"]\n\
         exec = [\"cp\", \"{{{{ inputs }}}}\", \"{{{{ outputs }}}}\"]"
    )
    .expect("text");
}

#[test]
fn a_long_chain() {
    holds(CHAIN);
}

#[test]
fn many_side_by_side() {
    holds(WIDE);
}

#[test]
fn many_items() {
    holds(ITEMS);
}

fn holds(shape: Shape) {
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let asked = var_os("TASKR_SCALE").map(|most| {
            let most = most.to_str().and_then(|most| most.parse().ok());
            most.expect("TASKR_SCALE is a number of tasks")
        });
        match asked {
            Some(most) => grows(&shape, [most / TIMES, most]),
            None => drop(measured(&shape, [USUAL])),
        }
    });
    thread.expect("a thread").join().expect("no overflow and no failed assertion");
}

/// Each phase of builds of so many tasks, and how long it took.
fn measured<const N: usize>(
    shape: &Shape,
    counts: [usize; N],
) -> [Vec<(&'static str, Duration)>; N] {
    let workspaces = counts.map(|count| Workspace::seeded(shape, count));
    thread::sleep(SETTLED);
    workspaces.map(|workspace| workspace.measure(shape))
}

fn grows(shape: &Shape, counts: [usize; 2]) {
    let [small, large] = measured(shape, counts);
    for ((phase, small), (_, large)) in small.into_iter().zip(large) {
        let [few, many] = counts;
        println!("{phase:>8}: {few} tasks {small:.1?}, {many} tasks {large:.1?}");
        assert!(large <= small.max(NOISE) * MOST_GROWTH, "{phase}: {small:?} to {large:?}");
    }
}

/// A workspace in which everything is built.
struct Workspace {
    dir: tempfile::TempDir,
    text: String,
    count: usize,
}

impl Workspace {
    fn seeded(shape: &Shape, count: usize) -> Workspace {
        let sample = Workspace::new(shape, 3);
        sample.build(&(shape.wanted)(3), |_| {}).expect("three tasks are built");
        let state = State::open(&sample.state_dir(), Access::Read).0;
        let record_of = |n| record::read(&state, &names().id(&(shape.task)(n)));
        let (first, other) = (record_of(0).expect("recorded"), record_of(2).expect("recorded"));

        let workspace = Workspace::new(shape, count);
        fs::create_dir_all(workspace.state_dir()).expect("a folder");
        let graph = workspace.graph().expect("a graph");
        let mut writer = Writer::new(&workspace.state_dir());
        for n in 0..count {
            let name = (shape.task)(n);
            let rule = &graph.task(graph.find(&name).expect("declared")).rule;
            let sample = if n == 0 { &first } else { &other };
            let record = Record { declared: rule.declared(), ..renumbered(sample, n) };
            record::write(&mut writer, names().id(&name), &record);
        }
        assert_eq!(writer.close(), None);
        workspace.write((0..count).map(shape.output));
        workspace
    }

    /// With its Taskfile and sources, nothing built.
    fn new(shape: &Shape, count: usize) -> Workspace {
        let dir = tempfile::tempdir().expect("a folder");
        let workspace = Workspace { dir, text: (shape.taskfile)(count), count };
        workspace.write((shape.sources)(count).into_iter());
        workspace
    }

    /// Files of one letter. Most are links to one of them: ten times faster, and all the same to
    /// who asks for stamps. File systems take about so many links to a file.
    fn write(&self, paths: impl Iterator<Item = String>) {
        let mut original = PathBuf::new();
        for (n, path) in paths.enumerate() {
            let path = self.root().join(path);
            if n % 20_000 == 0 {
                fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
                fs::write(&path, "x").expect("a file");
                original = path;
            } else {
                fs::hard_link(&original, path).expect("a link");
            }
        }
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn state_dir(&self) -> PathBuf {
        self.root().join(".taskr")
    }

    fn settings(&self) -> Settings {
        let surroundings = Surroundings {
            env: BTreeMap::new(),
            env_asked: Arc::default(),
            jobs: 2,
            profile: "default".to_owned(),
        };
        Settings {
            root: self.root().to_owned(),
            taskfile: None,
            defines: Vec::new(),
            args: Args::default(),
            asks: Arc::default(),
            surroundings: Arc::new(surroundings),
        }
    }

    fn graph(&self) -> Result<Graph, Error> {
        link(expand(&parse("Taskfile.toml", self.text.as_bytes())?, &self.settings())?)
    }

    /// Builds what is wanted; how many tasks were found fresh.
    fn build(&self, wanted: &str, mut hear: impl FnMut(&Event<'_>)) -> Result<usize, Error> {
        let request = Request {
            asks: Arc::default(),
            root: self.root().to_owned(),
            taskfile: b"Taskfile.toml".to_vec(),
            sources: Vec::new(),
            load: &|| self.graph(),
            wanted: vec![wanted.to_owned()],
            pipelines: Vec::new(),
            only: None,
            private: false,
            changes: None,
            jobs: 2,
            shared: None,
            keep_going: false,
            most_failures: Some(1),
            most_failure_rate: None,
            typed: true,
            timeout_ms: None,
            most_load: None,
            dry_run: false,
            force: Force::No,
            rehash: false,
            store: None,
            strict: true,
            gates: Vec::new(),
            wait: false,
            env: [("PATH".into(), var_os("PATH").expect("a PATH"))].into(),
            taskr: Path::new(env!("CARGO_BIN_EXE_taskr")).to_owned(),
            command_line: "taskr".to_owned(),
            stream: false,
            console: Console::None,
            timed: false,
            is_last: false,
            lasting: None,
            ask: None,
        };
        let summary = run(&request, &crossbeam_channel::unbounded(), &mut hear)?;
        assert_eq!(summary.exit_code(), 0, "{summary:?}");
        Ok(summary.counts.fresh)
    }

    /// Each phase and how long it took.
    fn measure(&self, shape: &Shape) -> Vec<(&'static str, Duration)> {
        let mut phases = Vec::new();
        let mut begun = Instant::now();
        let mut over = |phase| {
            phases.push((phase, begun.elapsed()));
            begun = Instant::now();
        };
        let taskfile = parse("Taskfile.toml", self.text.as_bytes())
            .map_err(|error| told(&error))
            .expect("right");
        over("parse");
        let rules =
            expand(&taskfile, &self.settings()).map_err(|error| told(&error)).expect("right");
        over("expand");
        let graph = link(rules).map_err(|error| told(&error)).expect("right");
        over("link");
        let wanted = (shape.wanted)(self.count);
        let order = order(&graph, &wanted);
        over("plan");
        assert!(order >= self.count, "{order} tasks of {}", self.count);

        self.with_nothing_to_do(&wanted);
        over("hash");
        let known = self.stamps_known(shape);
        assert!(known, "stamps are believed from now on");
        over("");
        self.with_nothing_to_do(&wanted);
        over("stamps");
        phases.retain(|(phase, _)| !phase.is_empty());
        phases
    }

    fn with_nothing_to_do(&self, wanted: &str) {
        let fresh = self.build(wanted, |event| {
            if let Event::TaskStarted { task, reasons, .. } = event {
                panic!("{} starts: {reasons:?}", task.name);
            }
        });
        assert_eq!(fresh.map_err(|error| told(&error)), Ok(self.count));
    }

    /// Whether the last output can be taken for what it is by its stamps.
    fn stamps_known(&self, shape: &Shape) -> bool {
        let (state, warning) = State::open(&self.state_dir(), Access::Read);
        assert_eq!(warning, None);
        let output = (shape.output)(self.count - 1);
        let seen = Seen::of(&self.root().join(&output)).expect("stamps").expect("it is there");
        record::known_content(&state, output.as_bytes(), &seen, &boot_id()).is_some()
    }
}

fn names() -> Names {
    Names::new(b"Taskfile.toml")
}

fn told(error: &Error) -> String {
    render(error, false, 100)
}

/// All that is wanted, handed out and ended one by one; how many there were.
fn order(graph: &Graph, wanted: &str) -> usize {
    let wanted = graph.find(wanted).expect("declared");
    let mut plan =
        Plan::new(graph, &[wanted], &IdVec::filled(graph.tasks().len(), 1)).expect("an order");
    let mut count = 0;
    while let Next::Start(id) = plan.next(1) {
        plan.succeed(graph, id);
        count += 1;
    }
    count
}

/// The record of the third task, as if it were that of task `n`: 2 becomes `n`, 1 the one before.
/// All files hold the same, so digests stay.
fn renumbered(sample: &Record, n: usize) -> Record {
    let own = format!("{n:06}");
    let before = format!("{:06}", n.saturating_sub(1));
    let renumber = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while at + 6 <= bytes.len() {
            let new = match &bytes[at..at + 6] {
                b"000002" => &own,
                b"000001" => &before,
                _ => {
                    at += 1;
                    continue;
                }
            };
            bytes[at..at + 6].copy_from_slice(new.as_bytes());
            at += 6;
        }
        bytes
    };
    let fields = sample.manifest.fields().iter();
    let fields = fields.filter(|field| !matches!(field.tag, Tag::Format | Tag::Platform));
    let fields = fields.map(|field| Field {
        tag: field.tag,
        name: renumber(&field.name),
        value: renumber(&field.value),
    });
    let manifest = Manifest::new(fields.collect());
    let outputs = sample.outputs.iter();
    let outputs = outputs.map(|file| OutFile { path: renumber(&file.path), ..file.clone() });
    Record { key: manifest.key(), manifest, outputs: outputs.collect(), ..sample.clone() }
}
