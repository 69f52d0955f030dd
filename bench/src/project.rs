//! The projects: tasks, their edges and their sources, the same for all tools.
//!
//! Knows no tool's language. Nothing is random: kind and size decide every byte.

/// The kinds by the names of the command line.
pub(crate) const KINDS: [(&str, Kind); 4] = [
    ("chain", Kind::Chain),
    ("wide", Kind::Wide),
    ("diamond", Kind::Diamond),
    ("c-like", Kind::CLike),
];

/// The shape of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each task reads what the one before it wrote.
    Chain,
    /// Tasks that share nothing.
    Wide,
    /// One, then many that read its output, then one that reads theirs.
    Diamond,
    /// A generated header, objects with depfiles, an archive.
    CLike,
}

impl Kind {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Joins its inputs.
    Copy,
    /// Counts the outputs of the middle. Names none of them: a line has an end.
    Count,
    /// Writes the generated header.
    Header,
    /// Compiles its first input and writes a depfile.
    Compile,
    /// Puts all objects into an archive.
    Archive,
}

impl Command {
    /// Its name where rules have names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Command::Copy => "copy",
            Command::Count => "count",
            Command::Header => "header",
            Command::Compile => "compile",
            Command::Archive => "archive",
        }
    }

    /// Whether its text names its inputs.
    pub(crate) fn names_inputs(self) -> bool {
        matches!(self, Command::Copy | Command::Compile)
    }

    /// The shell's text, with the words that a tool has for inputs, output and depfile.
    pub(crate) fn shell(self, inputs: &str, output: &str, depfile: &str) -> String {
        match self {
            Command::Copy => format!("cat {inputs} > {output}"),
            Command::Count => format!("ls middle | wc -l > {output}"),
            Command::Header => format!("echo '#define GENERATED 1' > {output}"),
            Command::Compile => {
                format!("cc -O0 -Igen -MMD -MF {depfile} -c -o {output} {inputs}")
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
    /// What it does.
    pub(crate) command: Command,
}

impl Task {
    fn new(output: impl Into<String>, inputs: Vec<String>, command: Command) -> Task {
        Task { output: output.into(), inputs, after: None, command }
    }
}

/// A whole project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its shape.
    pub(crate) kind: Kind,
    /// Path and text of each source; all lie in `src`.
    pub(crate) sources: Vec<(String, String)>,
    /// Its tasks in an order in which they can run.
    pub(crate) tasks: Vec<Task>,
}

impl Project {
    /// A project of `size` tasks, at least three.
    pub(crate) fn generate(kind: Kind, size: usize) -> Project {
        match kind {
            Kind::Chain => chain(size),
            Kind::Wide => wide(size),
            Kind::Diamond => diamond(size),
            Kind::CLike => c_like(size),
        }
    }
}

fn source(number: usize) -> (String, String) {
    (format!("src/{number:06}.txt"), format!("source {number}\n"))
}

fn chain(size: usize) -> Project {
    let link = |number: usize| {
        let input = match number {
            0 => source(0).0,
            _ => format!("out/{:06}.txt", number - 1),
        };
        Task::new(format!("out/{number:06}.txt"), vec![input], Command::Copy)
    };
    let tasks = (0..size).map(link).collect();
    Project { kind: Kind::Chain, sources: vec![source(0)], tasks }
}

fn wide(size: usize) -> Project {
    let task =
        |number| Task::new(format!("out/{number:06}.txt"), vec![source(number).0], Command::Copy);
    let tasks = (0..size).map(task).collect();
    Project { kind: Kind::Wide, sources: (0..size).map(source).collect(), tasks }
}

fn diamond(size: usize) -> Project {
    let many = size - 2;
    let top = ("src/top".to_owned(), "top\n".to_owned());
    let mut tasks = vec![Task::new("top.txt", vec![top.0.clone()], Command::Copy)];
    tasks.extend((0..many).map(|number| {
        let inputs = vec![source(number).0, "top.txt".to_owned()];
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
    let mut sources: Vec<(String, String)> = (0..headers)
        .map(|number| (format!("src/h{number}.h"), format!("int from_h{number}(int value);\n")))
        .collect();
    let mut tasks = vec![Task::new("gen/generated.h", Vec::new(), Command::Header)];
    for number in 0..many {
        let path = format!("src/f{number:06}.c");
        sources.push((path.clone(), c_source(number, headers)));
        let mut task = Task::new(format!("obj/f{number:06}.o"), vec![path], Command::Compile);
        task.after = Some("gen/generated.h");
        tasks.push(task);
    }
    let objects = tasks[1..].iter().map(|task| task.output.clone()).collect();
    tasks.push(Task::new("all.a", objects, Command::Archive));
    Project { kind: Kind::CLike, sources, tasks }
}

fn c_source(number: usize, headers: usize) -> String {
    let mut text = "#include \"generated.h\"\n".to_owned();
    for step in 0..5 {
        text += &format!("#include \"h{}.h\"\n", (number * 7 + step) % headers);
    }
    text + &format!("int f{number}(int value) {{ return value + {number} + GENERATED; }}\n")
}
