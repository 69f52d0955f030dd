//! What `taskr check` doubts after a look at the disk: inputs that nothing gives, folders and
//! programs that are not there, a depfile that is written past taskr.
//!
//! A build may still make it right, so these are warnings. Of each place in the Taskfile only the
//! first task's is told; paths and patterns are looked at once.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use super::commands::{bash_word, lossy_pipe, not_for_exec, other_template, plain_program};
use super::workspace::Workspace;
use crate::error::{Diagnostic, Place, quoted};
use crate::expr::literal_words;
use crate::files::{Pattern, list, relative_to};
use crate::graph::{Action, Graph, Input, Kind, Output, Rule, Text};
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::outdir::TaskDir;
use crate::parse::{self, Command, Taskfile};
use crate::process::{find_program, why_not_found, why_not_in};

/// Options of compilers that write a depfile.
const DEPFILE_OPTIONS: [&str; 3] = ["-MMD", "-MD", "-MF"];

/// Commands that leave no file in a task's own folder that nobody wrote into their line.
const HARMLESS: [&str; 12] =
    ["true", "false", ":", "echo", "printf", "test", "[", "sleep", "cat", "ls", "grep", "exit"];

/// What a build would stumble over now.
pub(super) fn doubts(workspace: &Workspace, graph: &Graph) -> Vec<Diagnostic> {
    let mut doubts = Doubts {
        taskfile: &workspace.taskfile,
        graph,
        root: &workspace.root,
        prefix: workspace.prefix().map(<[u8]>::to_vec),
        path_var: std::env::var_os("PATH").unwrap_or_default(),
        there: FxHashMap::default(),
        told: FxHashSet::default(),
        found: Vec::new(),
    };
    for (id, task) in graph.tasks().enumerate() {
        if task.kind() != Kind::Group && task.rule.skipped.is_none() {
            doubts.of_task(id);
        }
    }
    doubts.found
}

struct Doubts<'d> {
    taskfile: &'d Taskfile,
    graph: &'d Graph,
    root: &'d Path,
    /// Of tasks' own folders.
    prefix: Option<Vec<u8>>,
    path_var: OsString,
    /// Whether a path is there, or a pattern matches something.
    there: FxHashMap<Vec<u8>, bool>,
    /// Where in a Taskfile something was told.
    told: FxHashSet<Option<(usize, usize, usize)>>,
    found: Vec<Diagnostic>,
}

impl Doubts<'_> {
    fn of_task(&mut self, id: TaskId) {
        let graph = self.graph;
        let rule = &graph.task(id).rule;
        self.depfile(rule);
        if let Some(target) = self.taskfile.target(&rule.target.name) {
            let lossy = lossy_pipe(target).filter(|_| rule.target.kind == Kind::Recorded);
            let other = other_template(target, &self.taskfile.vars);
            let doubts = bash_word(target).into_iter().chain(lossy).chain(not_for_exec(target));
            let doubts = doubts.chain(other).collect::<Vec<_>>().into_iter();
            doubts.for_each(|doubt| self.tell(doubt));
        }
        for at in 0..rule.inputs.len() {
            self.reference(id, at);
        }
        for input in &rule.inputs {
            self.input(id, &input.value, input.place.as_ref());
        }
        if self.folder(id) {
            self.program(id);
            self.tools(id);
        }
    }

    /// Whether something was told of this place; asked before what takes long.
    fn is_told(&self, place: Option<&Place>) -> bool {
        self.told.contains(&place.map(Place::id))
    }

    fn tell(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.place.as_ref().map(Place::id);
        if self.told.insert(place) {
            self.found.push(diagnostic);
        }
    }

    /// `@NAME` of tasks that declare no outputs.
    fn reference(&mut self, id: TaskId, at: usize) {
        let task = self.graph.task(id);
        let input = &task.rule.inputs[at];
        let Input::Outputs { of, .. } = &input.value else { return };
        let makers = self.graph.without_groups(&task.sources[at]);
        let gives = |&id: &TaskId| self.gives(&self.graph.task(id).rule);
        if makers.is_empty() || of.each.is_some() || makers.iter().any(gives) {
            return;
        }
        let name = &of.text;
        self.tell(
            Diagnostic::warning(format!("`@{name}` gives no file"))
                .at(input.place.clone(), format!("`{name}` declares no outputs"))
                .help(format!("to only wait for it, write `deps = [\"{name}\"]`")),
        );
    }

    /// Whether a task declares outputs, or may leave some in its own folder: what a program does
    /// there with `$OUT` nobody sees.
    fn gives(&self, rule: &Rule) -> bool {
        if !rule.outputs.is_empty() || self.left_files(rule) {
            return true;
        }
        let Some(target) = self.taskfile.target(&rule.target.name) else { return true };
        let mut texts = target.texts();
        let names_out = texts.any(|text| {
            let source = text.template.source();
            let mut names = text.template.names().iter();
            source.contains("$OUT")
                || source.contains("${OUT")
                || names.any(|name| name.path.split('.').next() == Some("out"))
        });
        let is_harmless = |text: &parse::Text| {
            let words = text.template.as_literal().and_then(literal_words);
            words.is_some_and(|words| HARMLESS.contains(&words[0].as_str()))
        };
        let may_write = match &target.command {
            None => false,
            Some(Command::Shell(lines)) => !lines.iter().all(is_harmless),
            Some(Command::Exec(words)) => {
                !words.first().is_some_and(|word| HARMLESS.contains(&word.template.source()))
            }
        };
        names_out || may_write
    }

    /// Whether its own folder holds outputs of an earlier run.
    fn left_files(&self, rule: &Rule) -> bool {
        let prefix = self.prefix.as_deref();
        let out = TaskDir::new(prefix, &rule.name).join("out");
        let mut entries = self.root.join(OsStr::from_bytes(&out)).read_dir();
        entries.as_mut().is_ok_and(|entries| entries.next().is_some())
    }

    /// A path or pattern that neither the disk nor a task gives.
    fn input(&mut self, id: TaskId, input: &Input, place: Option<&Place>) {
        let (path, pattern) = match input {
            Input::Path { path, optional: false } => (&path[..], None),
            Input::Glob { pattern, optional: false } => (pattern.text(), Some(pattern)),
            _ => return,
        };
        if self.is_there(path, pattern) || self.is_told(place) {
            return;
        }
        let tree = Pattern::tree(path);
        if self.may_make(id, path, pattern.unwrap_or(&tree)) {
            return;
        }
        let name = shown(&relative_to(&self.graph.task(id).rule.dir, path));
        let message = match pattern {
            Some(_) => format!("{} matches no file", quoted(&shown(path))),
            None => format!("{} does not exist", quoted(&shown(path))),
        };
        self.tell(
            Diagnostic::warning(message)
                .at(place.cloned(), "and no task makes it")
                .help(format!("correct the name, or write `?{name}` if it may be absent")),
        );
    }

    fn is_there(&mut self, path: &[u8], pattern: Option<&Pattern>) -> bool {
        if let Some(&there) = self.there.get(path) {
            return there;
        }
        let there = match pattern {
            // What cannot be listed is no matter of the Taskfile.
            Some(pattern) => list(self.root, pattern, &[], self.graph.ignored())
                .map_or(true, |found| !found.is_empty()),
            None => self.root.join(OsStr::from_bytes(path)).symlink_metadata().is_ok(),
        };
        self.there.insert(path.to_vec(), there);
        there
    }

    /// Whether a task that `id` waits for declares what is, lies in, or matches an input. What an
    /// unrecorded task does is known to nobody.
    fn may_make(&self, id: TaskId, path: &[u8], pattern: &Pattern) -> bool {
        let graph = self.graph;
        graph.without_groups(graph.needs(id)).iter().any(|&need| {
            let made = &graph.task(need).rule;
            if made.target.kind != Kind::Recorded {
                return true;
            }
            let is = |made: &[u8]| made == path || pattern.matches_all(made);
            made.installs.iter().any(|one| is(&one.value) || path.starts_with(&one.value))
                || made.outputs.iter().any(|output| match &output.value {
                    Output::Path(made) => is(made) || output.value.covers(path),
                    Output::Glob(glob) => glob.matches_all(path) || glob.overlaps(pattern),
                })
        })
    }

    /// Whether the command's folder is there, or will be.
    fn folder(&mut self, id: TaskId) -> bool {
        let rule = &self.graph.task(id).rule;
        let Some(text) = self.taskfile.target(&rule.target.name).and_then(|one| one.dir.as_ref())
        else {
            return true;
        };
        let dir = self.root.join(OsStr::from_bytes(&rule.dir));
        let Some(why) = why_not_in(&dir, self.root) else { return true };
        if self.is_told(Some(&text.place))
            || self.may_make(id, &rule.dir, &Pattern::tree(&rule.dir))
        {
            return false;
        }
        self.tell(
            Diagnostic::warning(format!("{} cannot run: {why}", quoted(&rule.target.name)))
                .at(text.place.clone(), "a command starts in a folder that is there")
                .help("correct the name, or make the folder"),
        );
        false
    }

    /// A program that is written out and not found.
    fn program(&mut self, id: TaskId) {
        let rule = &self.graph.task(id).rule;
        let target = &rule.target;
        let (field, word) = match &target.action {
            Some(Action::Exec(words)) => ("exec", words.first()),
            Some(Action::Shell { shell, .. }) => ("shell", shell.first()),
            None => return,
        };
        let plain = self.taskfile.target(&target.name).and_then(plain_program);
        let (field, name, place) = match (&plain, word) {
            (Some((name, text)), _) => ("run", name.as_str(), &text.place),
            (None, Some(Text { template, place: Some(place) })) => {
                let Some(name) = template.as_literal() else { return };
                (field, name, place)
            }
            _ => return,
        };
        let own_path = target.env.iter().any(|(name, _)| name == "PATH");
        let dir = self.root.join(OsStr::from_bytes(&rule.dir));
        if own_path || find_program(OsStr::new(name), &self.path_var, &dir).is_some() {
            return;
        }
        // Another task may make it, or bring it.
        let needs = self.graph.needs(id);
        let brings = |&need: &TaskId| self.graph.task(need).kind() != Kind::Recorded;
        if self.is_told(Some(place)) || needs.iter().any(|need| name.contains('/') || brings(need))
        {
            return;
        }
        let why = why_not_found(name, &self.path_var, &dir);
        // One that is not executable says so, and what to do.
        let help = (!why.contains("chmod")).then(|| "install it, or correct its name".to_owned());
        let label = format!("the program of `{field}`");
        self.tell(Diagnostic::warning(why).at(place.clone(), label).help_if(help));
    }

    /// Tools that are written out and not found.
    fn tools(&mut self, id: TaskId) {
        let rule = &self.graph.task(id).rule;
        let dir = self.root.join(OsStr::from_bytes(&rule.dir));
        let own_path = rule.target.env.iter().any(|(name, _)| name == "PATH");
        for text in rule.target.tools.iter().filter(|_| !own_path) {
            let name = text.template.as_literal().and_then(|line| line.split(' ').next());
            let (Some(name), Some(place)) = (name, &text.place) else { continue };
            if !self.is_told(Some(place))
                && find_program(OsStr::new(name), &self.path_var, &dir).is_none()
            {
                let why = why_not_found(name, &self.path_var, &dir);
                self.tell(
                    Diagnostic::warning(why)
                        .at(place.clone(), "one of its `tools`")
                        .help("install it, or take it out"),
                );
            }
        }
    }

    /// A compiler's depfile of which taskr does not know.
    fn depfile(&mut self, rule: &Rule) {
        if rule.depfile.is_some() || rule.target.kind != Kind::Recorded {
            return;
        }
        let source = self.taskfile.target(&rule.target.name);
        let Some(Command::Shell(texts) | Command::Exec(texts)) =
            source.and_then(|source| source.command.as_ref())
        else {
            return;
        };
        let writes = |text: &&parse::Text| {
            let mut words = text.template.source().split_whitespace();
            words.any(|word| DEPFILE_OPTIONS.contains(&word))
        };
        let Some(text) = texts.iter().find(writes) else { return };
        let help = match source.and_then(|source| source.command.as_ref()) {
            Some(Command::Exec(_)) => "write \"-MMD\", \"-MF\", \"{{ depfile }}\"",
            _ => "write `-MMD -MF {{ depfile }}`",
        };
        self.tell(
            Diagnostic::warning("the command writes a depfile that taskr does not read")
                .at(text.place.clone(), "a changed header would not run it again")
                .help(help),
        );
    }
}
