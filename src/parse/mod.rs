//! Taskfile.toml to a [`Taskfile`]: what was written, every piece with its place.
//!
//! Knows one file: no other Taskfile, no disk, no other target than the one it reads. Expands
//! nothing; references and expressions are checked for their form only. What it does not
//! understand it refuses, and collects all that is wrong before it gives up.

mod batch;
mod checks;
mod document;
mod duplicate;
mod duration;
mod fields;
mod file;
mod foreign;
mod format;
mod full_name;
mod hooks;
mod inherit;
mod lex;
mod matrix;
mod merge;
mod names;
mod numbers;
mod package;
mod pipeline;
mod policy;
mod pools;
mod profile;
mod read;
mod reads;
mod requires;
mod retry;
mod reuse;
mod schedule;
mod service;
mod settings;
mod size;
mod syntax;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod values;
mod whose;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::error::{Error, Place, Source};
use crate::expr::Template;

pub use checks::Checks;
pub use document::LARGEST_BYTES;
pub use duration::{Duration, milliseconds_of};
pub use fields::{FIELDS, Field, INCLUDE, Kind, PACKAGE, PIPELINE, SETTINGS, TOP_LEVEL};
pub use format::format;
pub use full_name::{
    Whose, Written, full_name, is_below, read_name, seen_from, split_name, split_pick,
};
pub use hooks::HOOKS;
pub use matrix::Exclusion;
pub use names::as_target;
pub use package::{Include, Package, Role};
pub use pipeline::{OnError, Pipeline, Step};
pub use policy::{POLICY_FIELDS, Policy};
pub use pools::{Pool, Rate};
pub use profile::{DEFAULT_PROFILE, Profile};
pub use reads::Reads;
pub use retry::Retry;
pub use reuse::{Layer, Reuse, Uses};
pub use schedule::{Cpus, Require, SCHEDULE_FIELDS, Schedule};
pub use service::{Address, NOT_OF_SERVICES, Probe, Ready, Service, port_of};
pub use settings::RunLimits;
pub use size::size_of;
pub use text::place_within;
pub use whose::told_once;

/// One Taskfile as it was written.
#[derive(Clone, Debug)]
pub struct Taskfile {
    /// Its text, without a byte order mark and with plain newlines. All places lie in it.
    pub source: Arc<Source>,
    /// What a bare `taskr` builds.
    pub default: Vec<Text>,
    /// Its variables.
    pub vars: IndexMap<String, Var>,
    /// `[taskr] jobs`.
    pub jobs: Option<Text>,
    /// `[taskr] output`.
    pub output: Option<Text>,
    /// Whether wildcards skip what `.gitignore` names: `[taskr] gitignore`.
    pub gitignore: bool,
    /// `[taskr] env = "inherit"`: its place.
    pub inherit: Option<Place>,
    /// When a whole run has to stop, from `[taskr]`.
    pub limits: RunLimits,
    /// Its pools.
    pub pools: IndexMap<String, Pool>,
    /// `[taskr] gates`: limits for the run itself, as in [`Checks`].
    pub gates: IndexMap<String, (Place, Text)>,
    /// What git's hooks run: the place of each name, which is one of [`HOOKS`], and targets.
    pub hooks: IndexMap<String, (Place, Vec<Text>)>,
    /// Its profiles by name, in the order of the file.
    pub profiles: IndexMap<String, Profile>,
    /// What its targets take over.
    pub reuse: Reuse,
    /// Its pipelines. None has the name of a target.
    pub pipelines: IndexMap<String, Pipeline>,
    /// Its targets in the order of the file, each with what it takes over. Never empty in a
    /// workspace without packages.
    pub targets: IndexMap<String, Target>,
    /// Which folders are packages.
    pub include: Vec<Include>,
    /// What it is as a package.
    pub package: Package,
    /// The packages themselves, by their folders; empty until they were looked for.
    pub packages: Vec<Taskfile>,
}

/// One string of the file, which may hold expressions.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its value.
    pub template: Template,
    /// Where it stands, quotes included.
    pub place: Place,
}

/// A string that may hold no expression, because it is a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its value.
    pub text: String,
    /// Where it stands, quotes included.
    pub place: Place,
}

/// The value of a variable.
#[derive(Clone, Debug)]
pub enum VarValue {
    /// A string; numbers and booleans become their text.
    One(Text),
    /// A list, which stays one: each element is one word.
    List(Vec<Text>),
    /// What a command for the shell prints.
    Sh(Text),
}

/// One variable.
#[derive(Clone, Debug)]
pub struct Var {
    /// Its key.
    pub name_place: Place,
    /// What it stands for.
    pub value: VarValue,
}

impl Var {
    /// Its strings.
    pub fn texts(&self) -> &[Text] {
        match &self.value {
            VarValue::One(text) | VarValue::Sh(text) => std::slice::from_ref(text),
            VarValue::List(texts) => texts,
        }
    }
}

/// What a target does.
#[derive(Clone, Debug)]
pub enum Command {
    /// Text for a shell: lines, to be joined by newlines. Never empty.
    Shell(Vec<Text>),
    /// A program and its arguments. Never empty.
    Exec(Vec<Text>),
}

/// One target, or what targets take over, as it was written. `None` means that a field is absent, which is not the same as
/// an empty list.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its key.
    pub place: Place,
    /// One line about it.
    pub doc: Option<String>,
    /// What it reads.
    pub inputs: Option<Vec<Text>>,
    /// What else its result depends on.
    pub reads: Reads,
    /// Skipped where this expression is false.
    pub when: Option<Text>,
    /// What it makes.
    pub outputs: Option<Vec<Text>>,
    /// What it sets up in place.
    pub installs: Option<Vec<Text>>,
    /// Built first.
    pub deps: Vec<Text>,
    /// Built first, order only.
    pub after: Vec<Text>,
    /// What runs; a group has none.
    pub command: Option<Command>,
    /// The folder of its paths and its command.
    pub dir: Option<Text>,
    /// The shell of `run`, never empty.
    pub shell: Option<Vec<Text>>,
    /// Variables of this target.
    pub vars: IndexMap<String, Var>,
    /// Environment set for the command: the place of each name and its value.
    pub env: IndexMap<String, (Place, Text)>,
    /// Names of the caller's environment that count in the key.
    pub env_inputs: Vec<Word>,
    /// Names, or `PREFIX_*`, of the caller's environment that are passed on uncounted.
    pub env_pass: Vec<Word>,
    /// The depfile that the command writes.
    pub depfile: Option<Text>,
    /// A task for each of these; never an empty list.
    pub foreach: Option<Vec<Text>>,
    /// A task for each combination: the place of each axis and its values, never none.
    pub matrix: IndexMap<String, (Place, Vec<Text>)>,
    /// Combinations without a task.
    pub exclude: Vec<Exclusion>,
    /// Runs each time it is wanted.
    pub always: bool,
    /// Cannot be asked for on the command line.
    pub private: bool,
    /// What becomes of its results and its inputs.
    pub policy: Policy,
    /// Whether it stays up, and how.
    pub service: Service,
    /// When and how often its tasks run.
    pub schedule: Schedule,
    /// What it takes over, and from where.
    pub uses: Uses,
    /// What must hold before it counts as done.
    pub checks: Checks,
    /// A line for the shell that undoes it.
    pub rollback: Option<Text>,
    /// It gets the terminal.
    pub interactive: bool,
    /// The keys that were written, by the name of the field.
    keys: Vec<(&'static str, Place)>,
}

impl Target {
    /// The key of a field, or the target's own where the field is not written. Of one that stands in
    /// several layers: the strongest's.
    pub fn place_of(&self, field: &str) -> &Place {
        let key = self.keys.iter().find(|(name, _)| *name == field);
        key.map_or(&self.place, |(_, place)| place)
    }

    /// All its strings that may hold expressions, those of its variables too.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        let lists = [&self.inputs, &self.outputs, &self.installs, &self.foreach, &self.shell];
        let command = match &self.command {
            Some(Command::Shell(texts) | Command::Exec(texts)) => &texts[..],
            None => &[],
        };
        let lists = lists.into_iter().flatten().flatten();
        let tables = self.matrix.values().flat_map(|(_, texts)| texts);
        let exclude = self.exclude.iter().flat_map(|one| one.values.values());
        let tables = tables.chain(exclude.map(|(_, text)| text));
        let tables = tables.chain(self.env.values().map(|(_, text)| text));
        lists
            .chain(&self.deps)
            .chain(&self.after)
            .chain(command)
            .chain(tables)
            .chain(self.vars.values().flat_map(Var::texts))
            .chain(&self.dir)
            .chain(&self.depfile)
            .chain(&self.reads.env_files)
            .chain(&self.reads.tools)
            .chain(&self.when)
            .chain(&self.policy.fresh_if)
            .chain(self.service.texts())
            .chain(self.checks.texts())
            .chain(&self.rollback)
    }
}

/// Reads the Taskfile of a workspace. `name` is what errors call the file.
///
/// # Errors
/// [`Error::Taskfile`] with all that is wrong, in the order of the file: of TOML's syntax only the
/// first error, else one for each cause.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Taskfile, Error> {
    parse_as(name, bytes, Role::Workspace)
}

/// Reads a Taskfile of this role. Those of packages may have no targets.
///
/// # Errors
/// As of [`parse`].
pub fn parse_as(name: &str, bytes: &[u8], role: Role) -> Result<Taskfile, Error> {
    let source = document::source(name, bytes)?;
    let table = document::table(&source)?;
    file::taskfile(&source, &table, role)
}

/// What a Taskfile includes, whatever else is wrong with it.
///
/// # Errors
/// It is no TOML.
pub fn includes(name: &str, bytes: &[u8]) -> Result<Vec<Include>, Error> {
    let source = document::source(name, bytes)?;
    let table = document::table(&source)?;
    Ok(file::includes(&source, &table))
}
