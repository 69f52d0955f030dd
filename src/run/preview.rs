//! What a task would read and execute now, for `taskr show`: nothing is judged, read or changed.
//!
//! Outputs of other tasks are known from their records, else from what they declare; what a task
//! leaves in its own folder is unknown until it has run.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustc_hash::FxHashSet;
use taskr_cache::{Access, State};

use super::gather::own_patterns;
use super::launch::{Ready, Targets};
use super::named::Named;
use super::open::{prefix, read_state};
use crate::error::Diagnostic;
use crate::files::{Ignored, Pattern, Variables, list};
use crate::graph::{Graph, Input, Lack, Output, diagnostic, word_of_path};
use crate::ids::TaskId;
use crate::outcome::{Made, Tag};
use crate::outdir::{Root, STATE_DIR, TaskDir};
use crate::record::{self, Names};

/// What one task would read and execute.
#[derive(Debug)]
pub struct Preview {
    /// Each file once in its list, in order, and the number of the element that names it.
    pub inputs: Vec<(Vec<u8>, usize)>,
    /// Elements of `inputs` whose files are not all known before others have run.
    pub unknown: Vec<usize>,
    /// Elements of `inputs` that are a path at which nothing stands, or a pattern without a match.
    pub absent: Vec<usize>,
    /// How many files each element would match, too, if no `.gitignore` named them.
    pub ignored: Vec<(usize, usize)>,
    /// What it would execute.
    pub command: Result<Texts, Diagnostic>,
}

/// What one task executes, for people.
#[derive(Debug)]
pub struct Texts {
    /// Its command.
    pub command: String,
    /// The variables that the task sets.
    pub env: Vec<(String, String)>,
    /// What is asked before it counts as up to date.
    pub fresh_if: Option<String>,
    /// Its acceptance tests.
    pub accept: Vec<String>,
    /// What undoes it.
    pub rollback: Option<String>,
}

/// Finds out what a task would read and execute. `taskfile` is the Taskfile's name in the root.
///
/// # Errors
/// A folder that cannot be listed.
pub fn preview(
    graph: &Graph,
    root: &Root,
    taskfile: &[u8],
    id: TaskId,
) -> std::io::Result<Preview> {
    let state = read_state(&root.path().join(STATE_DIR), Access::Read).state;
    let known = Known { graph, root: root.path(), taskfile, state: &state };
    let mut found = Found::default();
    let rule = &graph.task(id).rule;
    let mut named: Named<Vec<u8>> = Named::default();
    for (name, range) in rule.lists() {
        for at in range {
            known.input(id, at, &mut found)?;
        }
        named.push(name.clone(), found.end_list());
    }
    let ready = Ready {
        rule,
        dir: &known.task_dir(id),
        inputs: named.words(|path| &path[..]),
        targets: &known.targets_of(id),
        from_files: Variables::default(),
        together: None,
    };
    let command = ready.render().map(|rendered| Texts {
        command: rendered.shown,
        env: rendered.env,
        fresh_if: rendered.fresh_if.and_then(|mut argv| argv.pop()),
        rollback: rendered.rollback.and_then(|mut argv| argv.pop()),
        accept: rendered.accept.into_iter().filter_map(|mut argv| argv.pop()).collect(),
    });
    let command = command.map_err(|(error, text)| match rule.scope.lack() {
        Some(Lack::Failed(wrong)) => *wrong,
        _ => diagnostic(&error, text.place),
    });
    let Found { all: inputs, unknown, absent, ignored, .. } = found;
    Ok(Preview { inputs, unknown, absent, ignored, command })
}

/// The tasks that read a file when they last ran although no line of the Taskfile names it: their
/// depfiles did.
pub fn readers_by_depfile(graph: &Graph, root: &Path, taskfile: &[u8], path: &[u8]) -> Vec<TaskId> {
    let state = read_state(&root.join(STATE_DIR), Access::Read).state;
    let names = Names::new(taskfile);
    let reads = |id: &TaskId| {
        let record = record::read(&state, &names.id(graph.name(*id)));
        record.is_some_and(|record| record.manifest.value(Tag::Discovered, path).is_some())
    };
    graph.tasks().ids().filter(reads).collect()
}

#[derive(Default)]
struct Found {
    /// Of the lists before.
    all: Vec<(Vec<u8>, usize)>,
    /// Of the list that is being read.
    files: Vec<(Vec<u8>, usize)>,
    seen: FxHashSet<Vec<u8>>,
    unknown: Vec<usize>,
    absent: Vec<usize>,
    ignored: Vec<(usize, usize)>,
}

impl Found {
    /// The list that was read is over: its files.
    fn end_list(&mut self) -> Vec<Vec<u8>> {
        self.seen.clear();
        let files = self.files.iter().map(|(path, _)| path.clone()).collect();
        self.all.append(&mut self.files);
        files
    }

    fn push(&mut self, path: Vec<u8>, at: usize) {
        if self.seen.insert(path.clone()) {
            self.files.push((path, at));
        }
    }
}

struct Known<'k> {
    graph: &'k Graph,
    root: &'k Path,
    taskfile: &'k [u8],
    state: &'k State,
}

impl Known<'_> {
    fn input(&self, id: TaskId, at: usize, found: &mut Found) -> std::io::Result<()> {
        let rule = &self.graph.task(id).rule;
        match &rule.inputs[at].value {
            Input::Path { path, .. } => {
                let full = self.root.join(OsStr::from_bytes(path));
                if full.symlink_metadata().is_err() {
                    found.absent.push(at);
                }
                match full.is_dir() {
                    true => self.pattern(id, at, &Pattern::tree(path), found)?,
                    false => found.push(path.clone(), at),
                }
            }
            Input::Glob { pattern, .. } => self.pattern(id, at, pattern, found)?,
            Input::Not(pattern) => {
                let item = rule.scope.item().and_then(|item| item.file.as_deref());
                found
                    .files
                    .retain(|(path, _)| Some(&path[..]) == item || !pattern.matches_all(path));
                found.seen = found.files.iter().map(|(path, _)| path.clone()).collect();
            }
            Input::Outputs { only, .. } => {
                for task in self.graph.without_groups(&self.graph.task(id).sources[at]) {
                    self.outputs(task, only.as_ref(), at, found);
                }
            }
        }
        Ok(())
    }

    fn pattern(
        &self,
        id: TaskId,
        at: usize,
        pattern: &Pattern,
        found: &mut Found,
    ) -> std::io::Result<()> {
        let rule = &self.graph.task(id).rule;
        let own = rule.outputs.iter().flat_map(|output| own_patterns(&output.value));
        let taken = rule.from_input(at).iter().filter_map(|input| match &input.value {
            Input::Not(pattern) => Some(pattern.clone()),
            _ => None,
        });
        let skip: Vec<Pattern> = own.chain(taken).collect();
        let listed = list(self.root, pattern, &skip, self.graph.ignored())?;
        let all = list(self.root, pattern, &skip, &Ignored::default())?;
        if let count @ 1.. = all.len().saturating_sub(listed.len()) {
            found.ignored.push((at, count));
        }
        if listed.is_empty() && matches!(rule.inputs[at].value, Input::Glob { .. }) {
            found.absent.push(at);
        }
        for path in listed {
            found.push(path, at);
        }
        Ok(())
    }

    fn outputs(&self, task: TaskId, only: Option<&Pattern>, at: usize, found: &mut Found) {
        let out = self.task_dir(task).join("out/");
        let (paths, all) = self.outputs_of(task);
        for path in paths {
            let below = path.strip_prefix(&out[..]).unwrap_or(&path);
            if only.is_none_or(|only| only.matches_all(below) || only.matches_all(&path)) {
                found.push(path, at);
            }
        }
        if !all && found.unknown.last() != Some(&at) {
            found.unknown.push(at);
        }
    }

    /// Files that a task left when it last ran, or that it declares; whether that is surely all.
    fn outputs_of(&self, task: TaskId) -> (Vec<Vec<u8>>, bool) {
        let id = Names::new(self.taskfile).id(self.graph.name(task));
        if let Some(record) = record::read(self.state, &id) {
            let files = record.outputs.into_iter().filter(|file| file.made != Made::Folder);
            return (files.map(|file| file.path).collect(), true);
        }
        let declared = self.graph.task(task).rule.outputs.iter();
        let plain = declared.filter_map(|output| match &output.value {
            Output::Path(path) => Some(path.clone()),
            Output::Glob(_) => None,
        });
        (plain.collect(), false)
    }

    fn targets_of(&self, id: TaskId) -> Targets {
        let rule = &self.graph.task(id).rule;
        let mut targets = Targets::default();
        if !rule.target.uses_targets {
            return targets;
        }
        let word = |path: &[u8]| word_of_path(&rule.dir, path);
        for need in self.graph.without_groups(self.graph.needs(id)) {
            let out = word(&self.task_dir(need).join("out"));
            let outputs: Vec<_> = self.outputs_of(need).0.iter().map(|path| word(path)).collect();
            for name in rule.target.spellings(self.graph.task(need).rule.plain_name()) {
                targets.insert(name, (out.clone(), Vec::clone(&outputs)));
            }
        }
        targets
    }

    fn task_dir(&self, id: TaskId) -> TaskDir {
        TaskDir::new(prefix(self.taskfile), self.graph.name(id))
    }
}
