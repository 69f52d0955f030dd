//! The projects: tasks, their edges and their sources, the same for all tools.
//!
//! Knows no tool's language. Nothing is random: kind and size decide every byte, but for what
//! others wrote.

mod real_c;

/// The kinds by the names of the command line.
pub(crate) const KINDS: [(&str, Kind); 7] = [
    ("w1", Kind::W1),
    ("chain", Kind::Chain),
    ("wide", Kind::Wide),
    ("diamond", Kind::Diamond),
    ("c-like", Kind::CLike),
    ("big", Kind::Big),
    ("real-c", Kind::RealC),
];

/// Tasks of [`Kind::Big`] if nothing else is said: 200 inputs and what lists them.
pub(crate) const BIG_TASKS: usize = 201;

/// Bytes of each input of [`Kind::Big`].
const BIG_BYTES: usize = 5 * 1024 * 1024;

/// Bytes of each source of [`Kind::W1`].
const W1_BYTES: usize = 2 * 1024;

/// The shape of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Like a compiler's work without the compiler: each joins a source of its own and a header
    /// that all share, and one lists what they made. Plain words, no shell.
    W1,
    /// Each task reads what the one before it wrote. Plain words, no shell.
    Chain,
    /// Tasks that share nothing.
    Wide,
    /// One, then many that read its output, then one that reads theirs.
    Diamond,
    /// A generated header, objects with depfiles, an archive.
    CLike,
    /// Large sources, of which only the sizes are written, and a list of what was written.
    Big,
    /// What zstd is made of: objects with depfiles, an archive.
    RealC,
}

impl Kind {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// The small program that tasks of plain words call, by its path in the project.
pub(crate) const STEP: &str = "tools/step";

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Joins its inputs with [`STEP`].
    Join,
    /// Writes the size of its inputs with [`STEP`].
    Size,
    /// Counts what lies in `obj` with [`STEP`].
    List,
    /// Joins its inputs with a shell.
    Copy,
    /// Counts the outputs of the middle. Names none of them: a line has an end.
    Count,
    /// Writes the generated header.
    Header,
    /// Compiles its one input and writes a depfile.
    Compile,
    /// The same for sources that nobody here wrote. Its depfile names the system's headers too.
    CompileReal,
    /// Puts all objects into an archive.
    Archive,
}

impl Command {
    /// Its name where rules have names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Command::Join => "join",
            Command::Size => "size",
            Command::List => "list",
            Command::Copy => "copy",
            Command::Count => "count",
            Command::Header => "header",
            Command::Compile | Command::CompileReal => "compile",
            Command::Archive => "archive",
        }
    }

    /// Whether its text names its inputs.
    pub(crate) fn names_inputs(self) -> bool {
        self.has_depfile() || matches!(self, Command::Join | Command::Size | Command::Copy)
    }

    /// Whether it writes what else it read.
    pub(crate) fn has_depfile(self) -> bool {
        matches!(self, Command::Compile | Command::CompileReal)
    }

    /// Whether it is words for [`STEP`], which counts how often it is called.
    pub(crate) fn is_step(self) -> bool {
        matches!(self, Command::Join | Command::Size | Command::List)
    }

    /// Whether it is more than words.
    pub(crate) fn needs_a_shell(self) -> bool {
        !self.is_step() && !self.has_depfile()
    }

    /// The shell's text, with the words that a tool has for inputs, output and depfile.
    pub(crate) fn shell(self, inputs: &str, output: &str, depfile: &str) -> String {
        match self {
            Command::Join => format!("{STEP} join {output} {inputs}"),
            Command::Size => format!("{STEP} size {output} {inputs}"),
            Command::List => format!("{STEP} list {output} obj"),
            Command::Copy => format!("cat {inputs} > {output}"),
            Command::Count => format!("ls middle | wc -l > {output}"),
            Command::Header => format!("echo '#define GENERATED 1' > {output}"),
            Command::Compile => {
                format!("cc -O0 -Igen -MMD -MF {depfile} -c -o {output} {inputs}")
            }
            Command::CompileReal => {
                format!("cc -O1 -DZSTD_DISABLE_ASM -MD -MF {depfile} -c -o {output} {inputs}")
            }
            Command::Archive => {
                format!("rm -f {output}; find obj -name '*.o' | sort | xargs ar rcsD {output}")
            }
        }
    }
}

/// One task. It has one output, as in all three tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// What it makes.
    pub(crate) output: String,
    /// What it reads.
    pub(crate) inputs: Vec<String>,
    /// What is made before, for the order only.
    pub(crate) after: Option<&'static str>,
    /// What it reads besides, which tools with depfiles find out by themselves.
    pub(crate) includes: Vec<String>,
    /// What it does.
    pub(crate) command: Command,
}

impl Task {
    fn new(output: impl Into<String>, inputs: Vec<String>, command: Command) -> Task {
        Task { output: output.into(), inputs, after: None, includes: Vec::new(), command }
    }

    /// The folder of its output, if that is not the project's.
    pub(crate) fn folder(&self) -> Option<&str> {
        self.output.rsplit_once('/').map(|(folder, _)| folder)
    }
}

/// A source: its text, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it lies, in `src` or deeper.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
    /// How often it says so.
    pub(crate) times: usize,
}

impl Source {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Source {
        Source { path: path.into(), text: text.into(), times: 1 }
    }

    /// The folder that it lies in.
    pub(crate) fn folder(&self) -> Option<&str> {
        self.path.rsplit_once('/').map(|(folder, _)| folder)
    }

    /// A source of about so many bytes.
    fn of_bytes(path: String, text: String, bytes: usize) -> Source {
        let times = bytes.div_ceil(text.len());
        Source { path, text, times }
    }
}

/// A whole project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its shape.
    pub(crate) kind: Kind,
    /// Its sources.
    pub(crate) sources: Vec<Source>,
    /// Its tasks in an order in which they can run.
    pub(crate) tasks: Vec<Task>,
}

impl Project {
    /// A project of `size` tasks, at least three; [`Kind::RealC`] is as large as it is.
    ///
    /// # Errors
    /// Sources that nobody here wrote are not there.
    pub(crate) fn generate(kind: Kind, size: usize) -> Result<Project, String> {
        Ok(match kind {
            Kind::W1 => w1(size),
            Kind::Big => big(size),
            Kind::Chain => chain(size),
            Kind::Wide => wide(size),
            Kind::Diamond => diamond(size),
            Kind::CLike => c_like(size),
            Kind::RealC => real_c::project()?,
        })
    }

    /// Whether all tasks call [`STEP`], so that what ran can be counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.tasks.iter().all(|task| task.command.is_step())
    }

    /// The source that gets a line: the first that only few tasks read.
    pub(crate) fn own_source(&self) -> Option<&str> {
        let own = |path: &&str| [".c", ".txt", ".bin"].iter().any(|end| path.ends_with(end));
        self.sources.iter().map(|source| &*source.path).find(own)
    }

    /// The source that many tasks read.
    pub(crate) fn shared_source(&self) -> Option<&'static str> {
        match self.kind {
            Kind::W1 => Some(W1_HEADER),
            Kind::Diamond => Some(DIAMOND_TOP),
            Kind::CLike => Some("src/h0.h"),
            Kind::RealC => Some(real_c::HEADER),
            Kind::Chain | Kind::Wide | Kind::Big => None,
        }
    }
}

const W1_HEADER: &str = "src/shared.h";

const DIAMOND_TOP: &str = "src/top";

fn source(number: usize) -> Source {
    Source::new(format!("src/{number:06}.txt"), format!("source {number}\n"))
}

/// The last lists what all others made.
fn listed(kind: Kind, sources: Vec<Source>, mut tasks: Vec<Task>) -> Project {
    let all = tasks.iter().map(|task| task.output.clone()).collect();
    tasks.push(Task::new("app", all, Command::List));
    Project { kind, sources, tasks }
}

fn w1(size: usize) -> Project {
    let header = Source::new(W1_HEADER, "int shared(int value);\n".repeat(5));
    let own = |number: usize| {
        let (path, line) = (format!("src/{number:06}.c"), format!("int line{number};\n"));
        Source::of_bytes(path, line, W1_BYTES)
    };
    let sources: Vec<Source> = (0..size - 1).map(own).chain([header]).collect();
    let compile = |number: usize| {
        let inputs = vec![sources[number].path.clone(), W1_HEADER.to_owned()];
        Task::new(format!("obj/{number:06}.o"), inputs, Command::Join)
    };
    let tasks = (0..size - 1).map(compile).collect();
    listed(Kind::W1, sources, tasks)
}

fn big(size: usize) -> Project {
    let own = |number: usize| {
        let (path, line) = (format!("src/{number:06}.bin"), format!("{number:06} and on\n"));
        Source::of_bytes(path, line.repeat(64), BIG_BYTES)
    };
    let sources: Vec<Source> = (0..size - 1).map(own).collect();
    let measure = |(number, source): (usize, &Source)| {
        Task::new(format!("obj/{number:06}.size"), vec![source.path.clone()], Command::Size)
    };
    let tasks = sources.iter().enumerate().map(measure).collect();
    listed(Kind::Big, sources, tasks)
}

fn chain(size: usize) -> Project {
    let link = |number: usize| {
        let input = match number {
            0 => source(0).path,
            _ => format!("out/{:06}.txt", number - 1),
        };
        Task::new(format!("out/{number:06}.txt"), vec![input], Command::Join)
    };
    let tasks = (0..size).map(link).collect();
    Project { kind: Kind::Chain, sources: vec![source(0)], tasks }
}

fn wide(size: usize) -> Project {
    let task = |number| {
        Task::new(format!("out/{number:06}.txt"), vec![source(number).path], Command::Copy)
    };
    let tasks = (0..size).map(task).collect();
    Project { kind: Kind::Wide, sources: (0..size).map(source).collect(), tasks }
}

fn diamond(size: usize) -> Project {
    let many = size - 2;
    let top = Source::new(DIAMOND_TOP, "top\n");
    let mut tasks = vec![Task::new("top.txt", vec![top.path.clone()], Command::Copy)];
    tasks.extend((0..many).map(|number| {
        let inputs = vec![source(number).path, "top.txt".to_owned()];
        Task::new(format!("middle/{number:06}.txt"), inputs, Command::Copy)
    }));
    let middle = tasks[1..].iter().map(|task| task.output.clone()).collect();
    tasks.push(Task::new("bottom.txt", middle, Command::Count));
    let sources = std::iter::once(top).chain((0..many).map(source)).collect();
    Project { kind: Kind::Diamond, sources, tasks }
}

/// A header for ten sources; each source includes five of them.
fn c_like(size: usize) -> Project {
    let many = size - 2;
    let headers = (many / 10).max(5);
    let header = |number| {
        Source::new(format!("src/h{number}.h"), format!("int from_h{number}(int value);\n"))
    };
    let mut sources: Vec<Source> = (0..headers).map(header).collect();
    let mut tasks = vec![Task::new("gen/generated.h", Vec::new(), Command::Header)];
    for number in 0..many {
        let path = format!("src/f{number:06}.c");
        sources.push(Source::new(&path, c_source(number, headers)));
        let mut task = Task::new(format!("obj/f{number:06}.o"), vec![path], Command::Compile);
        task.after = Some("gen/generated.h");
        task.includes = included(number, headers).map(|header| format!("src/{header}")).collect();
        tasks.push(task);
    }
    let objects = tasks[1..].iter().map(|task| task.output.clone()).collect();
    tasks.push(Task::new("all.a", objects, Command::Archive));
    Project { kind: Kind::CLike, sources, tasks }
}

/// What the source of that number includes.
fn included(number: usize, headers: usize) -> impl Iterator<Item = String> {
    (0..5).map(move |step| format!("h{}.h", (number * 7 + step) % headers))
}

fn c_source(number: usize, headers: usize) -> String {
    let mut text = "#include \"generated.h\"\n".to_owned();
    for header in included(number, headers) {
        text += &format!("#include \"{header}\"\n");
    }
    text + &format!("int f{number}(int value) {{ return value + {number} + GENERATED; }}\n")
}
