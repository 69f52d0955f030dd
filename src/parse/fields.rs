//! The keys of a Taskfile: one table for reading, suggesting, explaining and, later, the
//! reference and the schema.

use crate::error::nearest;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One line without expressions.
    Line,
    /// Paths, globs or names of targets: strings that are not empty; one will do.
    Paths,
    /// The same, or a table of such lists.
    PathLists,
    /// One path: a string that is not empty.
    Path,
    /// Lines for a shell.
    Script,
    /// One string for a shell.
    Command,
    /// A list of strings, each for a shell of its own.
    Commands,
    /// `name = ">= 95"`.
    Gates,
    /// A program and its arguments.
    Argv,
    /// Names of environment variables.
    Names,
    /// Names of environment variables, or their beginning and `*`.
    Prefixes,
    /// `name = value`, values strings or lists of strings.
    Vars,
    /// `NAME = "value"`.
    Env,
    /// `axis = [values]`.
    Axes,
    /// `true` or `false`.
    Flag,
    /// Names of templates; one will do.
    Uses,
    /// `true`, `false` or `"local"`.
    Cache,
    /// A number and a unit of time.
    Duration,
    /// When a service is ready.
    Ready,
    /// An expression without braces.
    Expression,
    /// `"inherit"`.
    Inherit,
    /// A requirement for a version.
    Version,
    /// `"auto"`, a number or a percentage.
    Jobs,
    /// `"grouped"`, `"stream"`, `"failed"` or `"none"`.
    Output,
    /// Folders, patterns of folders, or tables about them.
    Folders,
    /// A name.
    Name,
    /// A number, or a table of how often and after which wait.
    Retry,
    /// A word or a number.
    Priority,
    /// A number or `"all"`.
    Cpus,
    /// Names of pools, or a table of what it takes of each.
    Pools,
    /// A number of bytes.
    Size,
    /// A number or a percentage.
    Part,
    /// A whole number.
    Count,
    /// How many items.
    Batch,
    /// A number from 0 to 1.
    Rate,
    /// Names of targets, and lists of them to any depth.
    Steps,
    /// `"stop"`, `"continue"` or `"rollback"`.
    OnError,
    /// A table of its own rules.
    Table,
}

impl Kind {
    /// What is asked for, in the user's words, to follow "asks for".
    pub fn asks(self) -> &'static str {
        match self {
            Kind::Line => "a string",
            Kind::Paths | Kind::Argv => "a list of strings",
            Kind::PathLists => "a list of strings, or a table of lists",
            Kind::Commands => "a list of commands",
            Kind::Gates => "a table of limits",
            Kind::Path => "a path",
            Kind::Script => "a string or a list of strings",
            Kind::Command => "a string",
            Kind::Names | Kind::Prefixes => "a list of names",
            Kind::Vars | Kind::Env => "a table",
            Kind::Axes => "a table of lists",
            Kind::Uses => "a template's name, or a list of them",
            Kind::Flag => "true or false",
            Kind::Cache => "true, false or \"local\"",
            Kind::Duration => "a duration",
            Kind::Expression => "an expression",
            Kind::Inherit => "\"inherit\"",
            Kind::Version => "a version in quotes",
            Kind::Jobs => "a number, a percentage or \"auto\"",
            Kind::Output => "\"grouped\", \"stream\", \"failed\" or \"none\"",
            Kind::Folders => "a list of folders",
            Kind::Name => "a name",
            Kind::Retry => "a number or a table",
            Kind::Priority => "a word or a number",
            Kind::Cpus => "a number or \"all\"",
            Kind::Pools => "a list of names or a table of costs",
            Kind::Size => "a size",
            Kind::Part => "a number or a percentage",
            Kind::Count | Kind::Batch => "a number",
            Kind::Rate => "a number from 0 to 1",
            Kind::Steps => "a list of names and lists",
            Kind::OnError => "\"stop\", \"continue\" or \"rollback\"",
            Kind::Table | Kind::Ready => "a table",
        }
    }

    /// Whether it refuses empty strings, because they name nothing.
    pub fn filled(self) -> bool {
        matches!(
            self,
            Kind::Path
                | Kind::Paths
                | Kind::PathLists
                | Kind::Expression
                | Kind::Folders
                | Kind::Name
                | Kind::Command
                | Kind::Commands
                | Kind::Names
                | Kind::Prefixes
                | Kind::Pools
                | Kind::Uses
                | Kind::Output
        )
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As it is written.
    pub name: &'static str,
    /// What it asks for.
    pub kind: Kind,
    /// Whether a change of it reruns the task: "yes", "no", or what of it counts.
    pub in_key: &'static str,
    /// What it means, one line.
    pub doc: &'static str,
    /// How it may be written: a whole line.
    pub example: &'static str,
}

const fn field(
    name: &'static str,
    kind: Kind,
    in_key: &'static str,
    doc: &'static str,
    example: &'static str,
) -> Field {
    Field { name, kind, in_key, doc, example }
}

/// The fields of a target.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    field("doc", Kind::Line, "no", "One line about the target, shown by `taskr list`", r#"doc = "Compiles the server""#),
    field("inputs", Kind::PathLists, "content", "What it reads: paths, globs, `!glob`, `?path`, `@target`", r#"inputs = ["src/**"]"#),
    field("outputs", Kind::Paths, "paths", "What it makes: paths, folders or globs", r#"outputs = ["bin/app"]"#),
    field("installs", Kind::Paths, "paths", "What it sets up in place for others; not copied, not stored", r#"installs = ["node_modules"]"#),
    field("deps", Kind::Paths, "their outputs", "Built first", r#"deps = ["lib", "test"]"#),
    field("after", Kind::Paths, "no", "Built first, order only", r#"after = ["proto"]"#),
    field("run", Kind::Script, "text", "Lines for one shell", r#"run = "make -C lib""#),
    field("exec", Kind::Argv, "text", "One program and its arguments, no shell", r#"exec = ["cc", "-c", "a.c"]"#),
    field("dir", Kind::Path, "yes", "The folder of its paths and its command", r#"dir = "web""#),
    field("shell", Kind::Argv, "yes", "The program that gets the text of `run`", r#"shell = ["bash", "-euc"]"#),
    field("vars", Kind::Vars, "where used", "Variables of this target", r#"vars = { mode = "debug" }"#),
    field("env", Kind::Env, "yes", "Environment variables set for the command", r#"env = { LANG = "C" }"#),
    field("env_file", Kind::Paths, "content", "Dotenv files", r#"env_file = [".env"]"#),
    field("env_inputs", Kind::Names, "name and value", "Names taken from the caller's environment", r#"env_inputs = ["CI"]"#),
    field("env_pass", Kind::Prefixes, "no", "Names passed on from the caller's environment, not counted", r#"env_pass = ["SSH_AUTH_SOCK", "CARGO_*"]"#),
    field("tools", Kind::Paths, "yes", "Programs whose content, or version, counts", r#"tools = ["protoc"]"#),
    field("depfile", Kind::Path, "no", "The makefile-style depfile that the command writes", r#"depfile = "{{ out }}/a.d""#),
    field("foreach", Kind::Paths, "item", "A task for each", r#"foreach = ["src/**/*.c"]"#),
    field("matrix", Kind::Axes, "values", "A task for each combination", r#"matrix = { os = ["linux", "mac"] }"#),
    field("batch", Kind::Batch, "no", "How many items go to one process", "batch = 20"),
    field("use", Kind::Uses, "via fields", "Templates merged below its own fields", r#"use = "rust""#),
    field("inherit", Kind::Flag, "via fields", "Whether it takes anything from `[defaults]`", "inherit = false"),
    field("when", Kind::Expression, "no", "Skipped where this is false", r#"when = "os == 'linux'""#),
    field("args", Kind::Flag, "yes", "Takes what stands after `--` on the command line", "args = true"),
    field("always", Kind::Flag, "no", "Runs each time it is wanted", "always = true"),
    field("fresh_if", Kind::Command, "no", "A command asked before it counts as up to date", r#"fresh_if = "docker image inspect app""#),
    field("fixes_inputs", Kind::Flag, "no", "A formatter: changes its own inputs", "fixes_inputs = true"),
    field("restage", Kind::Flag, "no", "In a hook, adds again what it fixed", "restage = true"),
    field("keep_outputs", Kind::Flag, "no", "Leaves earlier outputs for the command", "keep_outputs = true"),
    field("cache", Kind::Cache, "no", "Whether outputs are kept for restoring", "cache = false"),
    field("relocatable", Kind::Flag, "no", "Outputs may be restored at another path", "relocatable = true"),
    field("max_age", Kind::Duration, "no", "An older result counts as out of date", r#"max_age = "7d""#),
    field("timeout", Kind::Duration, "no", "How long one attempt may take", r#"timeout = "5m""#),
    field("grace", Kind::Duration, "no", "Time between TERM and KILL", r#"grace = "10s""#),
    field("retry", Kind::Retry, "no", "Further attempts after the first", "retry = 2"),
    field("priority", Kind::Priority, "no", "First among ready tasks", r#"priority = "high""#),
    field("cpus", Kind::Cpus, "no", "How many of `-j` it counts as", "cpus = 4"),
    field("pool", Kind::Pools, "no", "The pools whose slots it takes", r#"pool = "link""#),
    field("memory", Kind::Size, "no", "Admitted only while the machine has it", r#"memory = "2G""#),
    field("allow_failure", Kind::Flag, "no", "Its failure is a warning", "allow_failure = true"),
    field("require", Kind::Part, "no", "How many of its tasks must succeed", r#"require = "80%""#),
    field("accept", Kind::Commands, "text", "Acceptance tests, run after the command", r#"accept = ["test -s out.csv"]"#),
    field("gates", Kind::Gates, "yes", "Limits for the metrics that it writes", r#"gates = { coverage = ">= 95" }"#),
    field("rollback", Kind::Command, "no", "The command that undoes it", r#"rollback = "kubectl rollout undo deploy/app""#),
    field("interactive", Kind::Flag, "no", "Gets the terminal", "interactive = true"),
    field("service", Kind::Flag, "no", "Stays up while others need it", "service = true"),
    field("stop", Kind::Command, "no", "The command that ends a service", r#"stop = "pg_ctl stop""#),
    field("restart", Kind::Flag, "no", "Whether `taskr watch` starts a service anew when what it is made of changes", "restart = false"),
    field("ready", Kind::Ready, "no", "When a service is ready", "ready = { port = 5432 }"),
    field("private", Kind::Flag, "no", "Not listed, not buildable by name", "private = true"),
];

/// The keys of `[taskr]`.
#[rustfmt::skip]
pub const SETTINGS: &[Field] = &[
    field("requires", Kind::Version, "no", "The versions of taskr that can read this file", r#"requires = ">=0.1""#),
    field("jobs", Kind::Jobs, "no", "How many tasks run at once", r#"jobs = "auto""#),
    field("timeout", Kind::Duration, "no", "How long the whole run may take", r#"timeout = "20m""#),
    field("output", Kind::Output, "no", "Which output of tasks is shown, as `--output` says", r#"output = "failed""#),
    field("max_failures", Kind::Count, "no", "No more starts after so many failures", "max_failures = 5"),
    field("max_failure_rate", Kind::Rate, "no", "No more starts when so large a part fails", "max_failure_rate = 0.5"),
    field("gates", Kind::Gates, "no", "Limits for the run itself", r#"gates = { wall_s = "<= 1200" }"#),
    field("env", Kind::Inherit, "yes", r#"`"inherit"`: tasks see the caller's whole environment"#, r#"env = "inherit""#),
    field("gitignore", Kind::Flag, "no", "Whether globs skip what `.gitignore` names", "gitignore = false"),
];

/// The keys of the file itself.
#[rustfmt::skip]
pub const TOP_LEVEL: &[Field] = &[
    field("default", Kind::Paths, "no", "What a bare `taskr` builds", r#"default = ["build"]"#),
    field("include", Kind::Folders, "no", "Folders with a Taskfile.toml of their own: packages", r#"include = ["packages/*"]"#),
    field("vars", Kind::Vars, "where used", "Variables of the file", "[vars]"),
    field("target", Kind::Table, "yes", "The targets", "[target.build]"),
    field("taskr", Kind::Table, "no", "Settings", "[taskr]"),
    field("profile", Kind::Table, "where used", "Variables of a profile", "[profile.debug.vars]"),
    field("defaults", Kind::Table, "via fields", "Fields merged below every target", "[defaults]"),
    field("template", Kind::Table, "via fields", "Fields that targets `use`", "[template.rust]"),
    field("pipeline", Kind::Table, "no", "Steps in an order", "[pipeline.release]"),
    field("pool", Kind::Table, "no", "What tasks share: so many at once, so often", "[pool.link]"),
    field("hooks", Kind::Table, "no", "What git's hooks run: a hook's name and targets", "[hooks]"),
    field("package", Kind::Table, "no", "What this package is and depends on", "[package]"),
];

/// The keys of an entry of `include` that is a table.
#[rustfmt::skip]
pub const INCLUDE: &[Field] = &[
    field("path", Kind::Paths, "no", "Folders and patterns of folders; `!` takes away", r#"path = "packages/*""#),
    field("taskfile", Kind::Path, "no", "A Taskfile that all of them share, below their own", r#"taskfile = "npm.toml""#),
    field("deps_from", Kind::Path, "no", "The manifest in each that names what it depends on", r#"deps_from = "package.json""#),
];

/// The keys of `[package]`.
#[rustfmt::skip]
pub const PACKAGE: &[Field] = &[
    field("name", Kind::Name, "where used", "What `{{ package.name }}` gives, where no manifest says it", r#"name = "ui""#),
    field("deps", Kind::Paths, "no", "The packages that it depends on", r#"deps = ["//packages/core"]"#),
    field("deps_from", Kind::Path, "no", "The manifest that names more of them", r#"deps_from = "Cargo.toml""#),
];

/// The keys of a pipeline.
#[rustfmt::skip]
pub const PIPELINE: &[Field] = &[
    field("doc", Kind::Line, "no", "One line about it, shown by `taskr list`", r#"doc = "From the sources to the users""#),
    field("steps", Kind::Steps, "no", "One after another; those of an inner list at once, and so on", r#"steps = ["fetch", ["analyze", "visualize"], "publish"]"#),
    field("on_error", Kind::OnError, "no", "What a failure means for the others", r#"on_error = "continue""#),
    field("require", Kind::Part, "no", "How many of its tasks must succeed", r#"require = "60%""#),
    field("max_failures", Kind::Count, "no", "No more starts after so many failures", "max_failures = 3"),
];

/// What other tools call these things.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cmd", "run"),
    ("cmds", "run"),
    ("command", "run"),
    ("commands", "run"),
    ("script", "run"),
    ("recipe", "run"),
    ("steps", "run"),
    ("argv", "exec"),
    ("depends", "deps"),
    ("dependsOn", "deps"),
    ("wait_for", "after"),
    ("persistent", "service"),
    ("background", "service"),
    ("daemon", "service"),
    ("passThroughEnv", "env_pass"),
    ("envPassThrough", "env_pass"),
    ("extends", "use"),
    ("template", "use"),
    ("templates", "use"),
    ("hide", "private"),
    ("raw", "interactive"),
    ("tty", "interactive"),
    ("depends_on", "deps"),
    ("dependencies", "deps"),
    ("needs", "deps"),
    ("order_only", "after"),
    ("input", "inputs"),
    ("sources", "inputs"),
    ("srcs", "inputs"),
    ("output", "outputs"),
    ("outs", "outputs"),
    ("generates", "outputs"),
    ("products", "outputs"),
    ("desc", "doc"),
    ("description", "doc"),
    ("summary", "doc"),
    ("help", "doc"),
    ("cwd", "dir"),
    ("workdir", "dir"),
    ("working_dir", "dir"),
    ("directory", "dir"),
    ("environment", "env"),
    ("dotenv", "env_file"),
    ("hidden", "private"),
    ("internal", "private"),
    ("for", "foreach"),
    ("phony", "always"),
    ("retries", "retry"),
    ("retry_times", "retry"),
    ("attempts", "retry"),
    ("time_limit", "timeout"),
    ("kill_after", "grace"),
    ("ignore_error", "allow_failure"),
    ("continue_on_error", "allow_failure"),
    ("mem", "memory"),
    ("threads", "cpus"),
    ("cores", "cpus"),
    ("resources", "pool"),
    ("pools", "pool"),
    ("if", "when"),
    ("tasks", "target"),
    ("task", "target"),
    ("rule", "target"),
    ("rules", "target"),
    ("variables", "vars"),
    ("settings", "taskr"),
    ("includes", "include"),
    ("members", "include"),
    ("packages", "include"),
    ("projects", "include"),
    ("workspace", "include"),
    ("workspaces", "include"),
];

/// What other tools have, and what is done here instead.
const ABSENT: &[(&[&str], &str)] = &[
    (
        &["globalDependencies", "globalEnv", "globalPassThroughEnv", "global_dependencies"],
        "what holds for all targets stands below [defaults], as in inputs = [\"tsconfig.json\"]",
    ),
    (
        &["alias", "aliases"],
        "a target has one name; another is a target with nothing but `deps`:\n\
         [target.OTHER]\ndeps = [\"NAME\"]",
    ),
    (
        &["quiet", "silent", "outputLogs", "output_logs", "outputMode", "logLevel"],
        "how much is shown is said on the command line: `--output failed`, `-q`, `-v`",
    ),
    (
        &["confirm", "prompt"],
        "taskr asks nothing; a command that asks gets the terminal by interactive = true",
    ),
    (
        &["with"],
        "what runs at once has no order: name both in the `deps` of a third target; one that stays \
         up has service = true",
    ),
];

/// What to do in place of a field that only other tools have.
pub(super) fn instead(name: &str) -> Option<&'static str> {
    ABSENT.iter().find(|(names, _)| names.contains(&name)).map(|(_, help)| *help)
}

/// The field of that name.
pub(super) fn find(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name == name)
}

/// The field that an unknown name was meant to be.
pub(super) fn meant(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    let elsewhere = ELSEWHERE.iter().find(|(word, _)| *word == name);
    let elsewhere = elsewhere.and_then(|(_, word)| find(fields, word));
    elsewhere.or_else(|| {
        nearest(name, fields.iter().map(|field| field.name)).and_then(|word| find(fields, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_examples_show_them() {
        for fields in [FIELDS, SETTINGS, TOP_LEVEL, PIPELINE, INCLUDE, PACKAGE] {
            for (at, field) in fields.iter().enumerate() {
                assert!(
                    fields[..at].iter().all(|other| other.name != field.name),
                    "{}",
                    field.name
                );
                assert!(
                    field.example.trim_start_matches('[').starts_with(field.name),
                    "{}",
                    field.name
                );
                assert!(!field.doc.is_empty() && !field.doc.ends_with('.'), "{}", field.name);
            }
        }
    }

    #[test]
    fn words_of_other_tools_lead_to_fields() {
        for (word, name) in ELSEWHERE {
            let known = find(FIELDS, name).or_else(|| find(TOP_LEVEL, name));
            assert!(known.is_some(), "{word} -> {name}");
            assert!(find(FIELDS, word).is_none(), "{word} is a field itself");
        }
        for word in ABSENT.iter().flat_map(|(words, _)| *words) {
            assert!(find(FIELDS, word).is_none(), "{word} is a field");
        }
        assert_eq!(meant(FIELDS, "depends_on").map(|field| field.name), Some("deps"));
        assert_eq!(meant(FIELDS, "ouputs").map(|field| field.name), Some("outputs"));
        assert_eq!(meant(TOP_LEVEL, "tasks").map(|field| field.name), Some("target"));
        assert!(meant(FIELDS, "colour").is_none());
    }
}
