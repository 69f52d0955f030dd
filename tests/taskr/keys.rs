//! What each field of a target does to the key of its tasks is what the table of fields says: one
//! change of each, and a look at what would run.

use taskr::parse::FIELDS;

use crate::project::Project;

/// Fields that decide whether a task is recorded at all, or that stay up: what they do is told and
/// tested elsewhere.
const OTHERWISE: [(&str, &str); 6] = [
    ("always", "runs each time"),
    ("interactive", "is never recorded"),
    ("service", "is never recorded; what defines it counts for those that need it"),
    ("ready", "of a service"),
    ("stop", "of a service"),
    ("restart", "of a service"),
];

/// A target that every field can be added to.
const PLAIN: &str = "inputs = [\"a.txt\"]\noutputs = [\"o.txt\"]\n\
                     run = \"cat a.txt > {{ outputs }}; touch {{ out }}/p.txt\"\n";

/// Fields that are added to [`PLAIN`], as they are written.
const ADDED: &[(&str, &str)] = &[
    ("doc", "doc = \"about\""),
    ("installs", "installs = [\"i\"]"),
    ("deps", "deps = [\"dep\"]"),
    ("after", "after = [\"dep\"]"),
    ("shell", "shell = [\"sh\", \"-e\", \"-c\"]"),
    ("env", "env = { E = \"1\" }"),
    ("env_file", "env_file = [\"e.env\"]"),
    ("env_inputs", "env_inputs = [\"LEVEL\"]"),
    ("env_pass", "env_pass = [\"LEVEL\"]"),
    ("tools", "tools = [\"cat\"]"),
    ("use", "use = \"t\""),
    ("when", "when = \"true\""),
    ("args", "args = true"),
    ("fresh_if", "fresh_if = \"true\""),
    ("keep_outputs", "keep_outputs = true"),
    ("cache", "cache = false"),
    ("relocatable", "relocatable = true"),
    ("max_age", "max_age = \"1d\""),
    ("timeout", "timeout = \"1m\""),
    ("grace", "grace = \"1s\""),
    ("retry", "retry = 2"),
    ("priority", "priority = \"high\""),
    ("cpus", "cpus = 2"),
    ("pool", "pool = \"p\""),
    ("memory", "memory = \"1M\""),
    ("allow_failure", "allow_failure = true"),
    ("accept", "accept = [\"true\"]"),
    ("gates", "gates = { m = \">= 1\" }"),
    ("rollback", "rollback = \"true\""),
    ("private", "private = true"),
];

/// Fields that need another target: the field, what is common, and the two that differ.
const BETWEEN: &[(&str, &str, &str, &str)] = &[
    (
        "exec",
        "outputs = [\"o.txt\"]",
        "exec = [\"cp\", \"a.txt\", \"o.txt\"]",
        "exec = [\"cp\", \"-f\", \"a.txt\", \"o.txt\"]",
    ),
    ("dir", "inputs = [\"//a.txt\"]\nrun = \"true\"", "dir = \".\"", "dir = \"sub\""),
    (
        "vars",
        "outputs = [\"o.txt\"]\nrun = \"echo {{ v }} > {{ outputs }}\"",
        "vars = { v = \"1\" }",
        "vars = { v = \"2\" }",
    ),
    (
        "foreach",
        "run = \"echo {{ item }}\"\ninputs = []",
        "foreach = [\"x\"]",
        "foreach = [\"x\", \"y\"]",
    ),
    (
        "matrix",
        "run = \"echo {{ matrix.m }}\"\ninputs = []",
        "matrix = { m = [\"x\"] }",
        "matrix = { m = [\"y\"] }",
    ),
    (
        "batch",
        "foreach = [\"*.txt\"]\noutputs = [\"made/{{ item.stem }}\"]\n\
         run = \"for i in {{ items }}; do cp $i made/${i%.txt}; done\"",
        "batch = 2",
        "batch = 3",
    ),
    (
        "require",
        "run = \"echo {{ matrix.m }}\"\ninputs = []\nmatrix = { m = [\"x\", \"y\"] }",
        "",
        "require = 1",
    ),
    ("restage", "inputs = [\"a.txt\"]\nfixes_inputs = true\nrun = \"true\"", "", "restage = true"),
    ("fixes_inputs", "inputs = [\"a.txt\"]\nrun = \"true\"", "", "fixes_inputs = true"),
    ("inherit", "inputs = []\nrun = \"true\"", "", "inherit = false"),
    ("depfile", "inputs = [\"a.txt\"]\nrun = \"echo 'x: b.txt' > x.d\"", "", "depfile = \"x.d\""),
];

/// A field, and two targets that differ in it alone.
fn cases() -> Vec<(&'static str, String, String)> {
    let changed = |field, from: &str, to: &str| {
        assert!(PLAIN.contains(from), "{from}");
        (field, PLAIN.to_owned(), PLAIN.replace(from, to))
    };
    let mut cases = vec![
        changed("inputs", "[\"a.txt\"]", "[\"a.txt\", \"b.txt\"]"),
        changed("outputs", "[\"o.txt\"]", "[\"o.txt\", \"p.txt\"]"),
        changed("run", "touch", "touch -c"),
    ];
    let with = |common: &str, line: &str| format!("{common}\n{line}\n");
    cases.extend(ADDED.iter().map(|(field, line)| (*field, PLAIN.to_owned(), with(PLAIN, line))));
    let between = |(field, common, from, to): &(&'static str, &str, &str, &str)| {
        (*field, with(common, from), with(common, to))
    };
    cases.extend(BETWEEN.iter().map(between));
    cases
}

#[test]
fn each_field_counts_as_its_table_says() {
    let cases = cases();
    for field in FIELDS {
        let other = OTHERWISE.iter().any(|(name, _)| *name == field.name);
        let has_case = cases.iter().any(|(name, ..)| *name == field.name);
        assert!(other != has_case, "`{}` has no case, or two", field.name);
    }
    let mut wrong = Vec::new();
    for (name, before, after) in cases {
        let field = FIELDS.iter().find(|field| field.name == name).expect("a field");
        let taskfile = |target: &str| {
            format!(
                "[defaults]\nenv = {{ D = \"1\" }}\n[template.t]\nenv = {{ T = \"1\" }}\n[pool.p]\nslots = 1\n\
                 [target.all]\ndeps = [\"t\"]\n[target.dep]\noutputs = [\"dep.txt\"]\n\
                 run = \"echo > {{{{ outputs }}}}\"\n[target.t]\n{target}"
            )
        };
        let p = Project::new(&taskfile(&before));
        p.write("a.txt", "a")
            .write("b.txt", "b")
            .write("e.env", "F=1\n")
            .write("sub/c", "")
            .write("made/x", "");
        p.taskr(["dep", "all"]).any_files().ok();
        p.accept_files();
        p.write("Taskfile.toml", &taskfile(&after));
        let told = p.taskr(["-n", "all"]).any_files().ok().stdout;
        if told.contains("would run t") != (field.in_key != "no") {
            wrong.push(format!("{name} ({}): {told}", field.in_key));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
