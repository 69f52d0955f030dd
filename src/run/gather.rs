//! All that counts for a ready task: inputs, globs, dependencies, command, variables, program.
//!
//! What is not known of a file is named as a gap, and the task is gathered again when it is
//! known; everything that was known by then is remembered.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;
use taskr_cache::{Content, Digest, FileKind, Seen};

use super::Build;
use super::ask::Question;
use super::launch::{Around, Ready, Rendered, Targets, plain_script};
use super::named::Named;
use super::noted::skipped_by;
use super::spent::Part;
use crate::error::{Diagnostic, said};
use crate::files::{Look, Pattern, Variables};
use crate::graph::{Input, Kind, Lack, Output};
use crate::ids::{FileId, TaskId};
use crate::outcome::{Field, Made, Manifest, Record, Tag, encode_words, shown};
use crate::process::{self, Interpreter};
use crate::record;
use crate::workers::{Before, Expected, Listed, listing_digest};

/// A script whose interpreter is a script, and so on: so many of them count.
const MOST_SCRIPTS: usize = 5;

/// Why a task cannot be judged now.
pub(super) enum Gap {
    /// These files must be read first.
    Unread(Vec<FileId>),
    /// This must be asked first.
    Unasked(Vec<Question>),
    /// What it declares is not there.
    Wrong(Box<Diagnostic>),
}

impl Gap {
    fn wrong(message: impl Into<String>) -> Gap {
        Gap::Wrong(Box::new(Diagnostic::error(message)))
    }
}

/// What a run of the task needs, and what a record of it will hold.
pub(super) struct Gathered {
    /// Without what a depfile finds.
    pub(super) manifest: Manifest,
    /// What is asked for again after the run.
    pub(super) inputs: Vec<(FileId, Option<Seen>, Content)>,
    /// The same files as a set.
    pub(super) declared: FxHashSet<FileId>,
    pub(super) globs: Vec<Listed>,
    pub(super) rendered: Rendered,
    pub(super) record: Option<Record>,
    pub(super) key: Option<Digest>,
    /// Outputs of the last success that were found to be as recorded.
    pub(super) before: Vec<Before>,
}

/// Collects files and gaps of one task.
#[derive(Default)]
pub(super) struct Collector {
    /// Of the list that is being read: each file once.
    words: Vec<FileId>,
    /// The same as a set.
    listed: FxHashSet<FileId>,
    pub(super) fields: Vec<Field>,
    inputs: Vec<(FileId, Option<Seen>, Content)>,
    pub(super) globs: Vec<Listed>,
    seen: FxHashSet<FileId>,
    unread: Vec<FileId>,
}

impl Collector {
    /// One more word of `{{ inputs }}`; each file is one once.
    fn push(&mut self, file: FileId) {
        if self.listed.insert(file) {
            self.words.push(file);
        }
    }
}

impl Build<'_> {
    pub(super) fn gather(&mut self, id: TaskId) -> Result<Gathered, Gap> {
        let mut all = Collector::default();
        let lists = self.gather_inputs(id, &mut all)?;
        self.gather_deps(id, &mut all)?;
        all.fields.extend(self.skipped_needs(id));
        let was = self.spent.enter(Part::Render);
        if !all.unread.is_empty() && !lists.env_files.is_empty() {
            return Err(Gap::Unread(all.unread));
        }
        let from_files = self.env_of_files(id, &lists.env_files)?;
        let rendered = self.render(id, &lists, from_files);
        self.spent.enter(was);
        let rendered = rendered?;
        if matches!(self.graph.task(id).kind(), Kind::Recorded | Kind::Service) {
            self.gather_command(id, &rendered, &mut all)?;
        }
        if !all.unread.is_empty() {
            return Err(Gap::Unread(all.unread));
        }
        let Collector { fields, inputs, globs, seen: declared, .. } = all;
        Ok(Gathered {
            manifest: Manifest::new(fields),
            inputs,
            declared,
            globs,
            rendered,
            record: None,
            key: None,
            before: Vec::new(),
        })
    }

    /// All inputs; the files of each list.
    fn gather_inputs(&mut self, id: TaskId, all: &mut Collector) -> Result<Named<FileId>, Gap> {
        let lists = self.graph.task(id).rule.lists().into_iter();
        let lists: Vec<_> = lists.map(|(name, range)| (name.clone(), range)).collect();
        let mut named = Named::default();
        for (name, range) in lists {
            self.gather_list(id, range, all)?;
            let words = std::mem::take(&mut all.words);
            all.listed.clear();
            for &file in &words {
                if let Some(Content::Link(_)) = self.take_file(file, Tag::Input, all)? {
                    self.check_link(id, file)?;
                }
            }
            named.push(name, words);
        }
        Ok(named)
    }

    fn gather_list(
        &mut self,
        id: TaskId,
        range: Range<usize>,
        all: &mut Collector,
    ) -> Result<(), Gap> {
        for at in range {
            let input = self.graph.task(id).rule.inputs[at].value.clone();
            match input {
                Input::Path { path, optional } => {
                    self.gather_path(id, at, (&path, optional), all)?;
                }
                Input::Glob { pattern, optional } => {
                    let found = self.gather_glob(id, at, &pattern, all)?;
                    if found == 0 && !optional && !self.may_be_skipped(id, &pattern) {
                        let ignored = self.only_ignored(all);
                        let what = ignored
                            .or_else(|| self.all_taken(id, at, &pattern))
                            .unwrap_or_else(|| self.absent_files(id, &pattern));
                        return Err(self.wrong_input(id, at, what));
                    }
                }
                Input::Not(pattern) => {
                    let item = self.graph.task(id).rule.scope.item();
                    let item = item.and_then(|item| self.paths.get(item.file.as_deref()?));
                    let paths = &self.paths;
                    let stays =
                        |file| Some(file) == item || !pattern.matches_all(paths.bytes(file));
                    all.words.retain(|&file| stays(file));
                    all.listed = all.words.iter().copied().collect();
                }
                Input::Outputs { of, only } => {
                    let tasks = self.graph.task(id).sources[at].clone();
                    let found = self.gather_outputs(&tasks, only.as_ref(), all)?;
                    let skipped = |&task: &TaskId| self.graph.is_skipped(task);
                    let may_be = self.graph.without_groups(&tasks).iter().any(skipped);
                    // What several packages have may be what none has.
                    if found == 0 && !may_be && of.each.is_none() {
                        let what = self.absent_outputs((id, at), &of, only.as_ref());
                        return Err(self.wrong_input(id, at, what));
                    }
                }
            }
        }
        Ok(())
    }

    fn gather_path(
        &mut self,
        id: TaskId,
        at: usize,
        (path, optional): (&[u8], bool),
        all: &mut Collector,
    ) -> Result<(), Gap> {
        let file = self.paths.intern(path);
        self.check_way(id, at, path)?;
        match self.look(file)? {
            Look::Known(_, Content::Folder) => {
                self.check_folder(id, at, path)?;
                let found = self.gather_glob(id, at, &Pattern::tree(path), all)?;
                if let (0, false) = (found, optional)
                    && let Some(what) = self.only_ignored(all)
                {
                    return Err(self.wrong_input(id, at, what));
                }
            }
            Look::Known(Some(Seen { file: Some(to), .. }), Content::Link(_))
                if to.kind() == FileKind::Dir =>
            {
                all.push(file);
                self.gather_glob(id, at, &Pattern::tree(path), all)?;
            }
            Look::Known(Some(Seen { file: None, .. }), Content::Link(_))
                if !optional && self.graph.makers().of(path).is_none() =>
            {
                let what = self.dangling(path);
                return Err(self.wrong_input(id, at, what));
            }
            Look::Known(_, Content::Absent)
                if optional || self.may_be_skipped(id, &Pattern::tree(path)) =>
            {
                all.fields.push(Field::input(Tag::Input, path, &Content::Absent));
                all.inputs.push((file, None, Content::Absent));
            }
            Look::Known(_, Content::Absent) => {
                let what = match self.graph.task(id).rule.named_inputs().len() > at {
                    true => self.absent_path(id, path),
                    false => self.absent_env_file(id, path),
                };
                return Err(self.wrong_input(id, at, what));
            }
            Look::Known(..) | Look::Unread => all.push(file),
        }
        Ok(())
    }

    /// A plain path turned out to be a folder: whoever writes into it must be waited for.
    fn check_folder(&mut self, id: TaskId, at: usize, path: &[u8]) -> Result<(), Gap> {
        let makers = self.graph.makers().into_folder(path);
        let untied = |&maker: &TaskId| maker != id && !self.waits_for(id, maker);
        let Some(maker) = makers.into_iter().find(untied) else { return Ok(()) };
        let rule = &self.graph.task(id).rule;
        let maker = rule.target.names(&self.graph.task(maker).rule.target.name);
        let what = Diagnostic::error(format!(
            "`{maker}` may write into its input {}, but is not waited for",
            shown(path)
        ));
        Err(self.wrong_input(id, at, what.help(rule.how_to_wait(&maker, None))))
    }

    /// What is wrong with one input, and where it was written.
    pub(super) fn wrong_input(&self, id: TaskId, at: usize, what: Diagnostic) -> Gap {
        let place = self.graph.task(id).rule.inputs[at].place.clone();
        Gap::Wrong(Box::new(what.at(place, "")))
    }

    /// Adds the files of a pattern. The task's own outputs are none of its inputs.
    fn gather_glob(
        &mut self,
        id: TaskId,
        at: usize,
        pattern: &Pattern,
        all: &mut Collector,
    ) -> Result<usize, Gap> {
        let mut skip = skipped_by(&self.graph, id, at, pattern);
        skip.extend(self.missing_outputs(pattern));
        let was = self.spent.enter(Part::List);
        let listed = self.files.list(&mut self.paths, pattern, &skip);
        self.spent.enter(was);
        let listed = listed.map_err(|error| {
            Gap::wrong(format!("cannot list {}: {}", shown(pattern.text()), said(&error)))
        })?;
        self.note_list(pattern, &skip, &listed);
        self.check_matches(id, at, (pattern, &listed))?;
        let was = self.spent.enter(Part::Look);
        self.look_at_all(&listed);
        self.spent.enter(was);
        let digest = listing_digest(listed.iter().map(|&file| self.paths.bytes(file)));
        let count = (listed.len() as u64).to_le_bytes().to_vec();
        let name = pattern.text().to_vec();
        all.fields.push(Field { tag: Tag::Glob, name, value: count });
        all.globs.push(Listed { pattern: pattern.clone(), skip, digest });
        for &file in &*listed {
            all.push(file);
        }
        Ok(listed.len())
    }

    /// Adds output files of other tasks; says how many.
    fn gather_outputs(
        &mut self,
        tasks: &[TaskId],
        only: Option<&Pattern>,
        all: &mut Collector,
    ) -> Result<usize, Gap> {
        let mut count = 0;
        for task in self.graph.without_groups(tasks) {
            self.gather_missing(task, all);
            let out = self.task_dir(task).join("out/");
            let outputs = self.done[task].outputs.clone();
            for output in outputs.iter().filter(|output| output.made != Made::Folder) {
                let below = output.path.strip_prefix(&out[..]).unwrap_or(&output.path);
                if only
                    .is_some_and(|only| !only.matches_all(below) && !only.matches_all(&output.path))
                {
                    continue;
                }
                let file = self.paths.intern(&output.path);
                all.push(file);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Dependencies count by the contents of their outputs, or by their key.
    fn gather_deps(&mut self, id: TaskId, all: &mut Collector) -> Result<(), Gap> {
        let deps = self.graph.without_groups(&self.graph.task(id).deps);
        for dep in deps {
            self.gather_missing(dep, all);
            let outputs = self.done[dep].outputs.clone();
            for output in outputs.iter().filter(|output| output.made != Made::Folder) {
                let file = self.paths.intern(&output.path);
                self.take_file(file, Tag::Input, all)?;
            }
            // What a formatter did shows in the files that were fixed.
            let rule = &self.graph.task(dep).rule;
            let counts_by_key = (outputs.is_empty() || !rule.installs.is_empty())
                && !rule.target.policy.fixes_inputs;
            if let (true, Some(key)) = (counts_by_key, self.done[dep].key) {
                let name = self.graph.name(dep).as_bytes().to_vec();
                all.fields.push(Field {
                    tag: Tag::Dependency,
                    name,
                    value: key.as_bytes().to_vec(),
                });
            }
        }
        Ok(())
    }

    /// A task without which this one goes on: that it is missing counts.
    fn gather_missing(&self, id: TaskId, all: &mut Collector) {
        let Some(word) = self.missing_word(id) else { return };
        let name = self.graph.name(id).as_bytes().to_vec();
        all.fields.push(Field { tag: Tag::Dependency, name, value: word.to_vec() });
    }

    /// A file whose content counts: what it is, unless that was told before or must be read first.
    fn take_file(
        &mut self,
        file: FileId,
        tag: Tag,
        all: &mut Collector,
    ) -> Result<Option<Content>, Gap> {
        if !all.seen.insert(file) {
            return Ok(None);
        }
        match self.look(file)? {
            Look::Known(seen, content) => {
                all.fields.push(Field::input(tag, self.paths.bytes(file), &content));
                all.inputs.push((file, seen, content));
                Ok(Some(content))
            }
            Look::Unread => {
                all.unread.push(file);
                Ok(None)
            }
        }
    }

    fn gather_command(
        &mut self,
        id: TaskId,
        rendered: &Rendered,
        all: &mut Collector,
    ) -> Result<(), Gap> {
        let rule = &self.graph.task(id).rule;
        // The task's own folder has the Taskfile's name in it where it is not the usual one.
        let taskfile = self.taskfile_prefix().map(|name| [name, b":"].concat());
        let name = [&taskfile.unwrap_or_default(), rule.name.as_bytes()].concat();
        let mut push = |tag, name: &[u8], value: Vec<u8>| {
            all.fields.push(Field { tag, name: name.to_vec(), value });
        };
        push(Tag::Task, b"", name);
        push(Tag::Dir, b"", rule.dir.clone());
        let is_script = matches!(rule.target.action, Some(crate::graph::Action::Shell { .. }));
        let (shell, command) = match is_script {
            true => rendered.argv.split_at(rendered.argv.len() - 1),
            false => (&[][..], &rendered.argv[..]),
        };
        push(Tag::Shell, b"", encode_words(shell));
        push(Tag::Command, b"", encode_words(command));
        for (name, value) in &rendered.env {
            push(Tag::Env, name.as_bytes(), Digest::of(value.as_bytes()).as_bytes().to_vec());
        }
        if let Some(args) = rule.scope.args() {
            push(Tag::Args, b"", encode_words(args));
        }
        if rule.target.inherits {
            push(Tag::Environment, b"", b"inherited".to_vec());
        }
        for name in &rule.target.env_inputs {
            let value =
                self.request.env.get(OsStr::new(name)).map(|value| Digest::of(value.as_bytes()));
            let value = value.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec());
            push(Tag::EnvInput, name.as_bytes(), value);
        }
        let outputs = rule.outputs.iter().map(|output| (output.value.text(), b"output".to_vec()));
        let installs = rule.installs.iter().map(|path| (&path.value[..], b"install".to_vec()));
        for (name, value) in outputs.chain(installs) {
            push(Tag::Output, name, value);
        }
        all.fields.extend(Field::accept(&rendered.accept));
        all.fields.extend(Field::gates(&rule.gates));
        let program = rendered.plain.as_ref().and_then(|words| words.first());
        let program = program.or(if is_script { None } else { rendered.argv.first() });
        let tests = rendered.accept.iter().filter_map(|test| plain_script(test));
        let tests = tests.filter_map(|words| words.into_iter().next());
        for program in program.cloned().into_iter().chain(tests) {
            self.gather_program(id, &program, rendered, all)?;
        }
        self.gather_tools(id, rendered, all)
    }

    /// The program counts by its content, and so does what starts it if it is a script.
    pub(super) fn gather_program(
        &mut self,
        id: TaskId,
        name: &str,
        rendered: &Rendered,
        all: &mut Collector,
    ) -> Result<(), Gap> {
        let mut name = name.to_owned();
        for _ in 0..MOST_SCRIPTS {
            match self.gather_script(id, &name, rendered, all)? {
                Some(next) => name = next,
                None => break,
            }
        }
        Ok(())
    }

    /// A program and the interpreter that its first line names. If that is `env`: what it looks up.
    fn gather_script(
        &mut self,
        id: TaskId,
        name: &str,
        rendered: &Rendered,
        all: &mut Collector,
    ) -> Result<Option<String>, Gap> {
        let dir = self.graph.task(id).rule.dir.clone();
        let Some(path) = self.find_program(name, &dir, rendered) else {
            all.fields.push(Field {
                tag: Tag::Tool,
                name: name.into(),
                value: b"missing".to_vec(),
            });
            return Ok(None);
        };
        let file = self.intern_absolute(&path);
        if !all.seen.contains(&file) {
            self.take_program(file, name.as_bytes(), all)?;
        }
        let Some((file, looked_up)) = self.interpreter(file, &path) else { return Ok(None) };
        let name = self.paths.bytes(file).to_vec();
        self.take_program(file, &name, all)?;
        Ok(looked_up)
    }

    /// What a program's first line names, each asked for once.
    fn interpreter(&mut self, file: FileId, program: &Path) -> Option<(FileId, Option<String>)> {
        if let Some(known) = self.lookups.interpreters.get(&file) {
            return known.clone();
        }
        let found = process::interpreter(program).map(|Interpreter { path, looked_up }| {
            (self.intern_absolute(&path), looked_up.and_then(|word| word.into_string().ok()))
        });
        self.lookups.interpreters.insert(file, found.clone());
        found
    }

    /// Looks a program up, each once: ten folders of PATH are ten questions to the disk.
    pub(super) fn find_program(
        &mut self,
        name: &str,
        dir: &[u8],
        rendered: &Rendered,
    ) -> Option<PathBuf> {
        let usual = !name.contains('/') && rendered.variables().all(|(name, _)| name != "PATH");
        if !usual {
            return self.search(name, dir, rendered);
        }
        // PATH may have relative entries.
        let key = (name.to_owned(), dir.to_vec());
        if let Some(known) = self.lookups.programs.get(&key) {
            return known.clone();
        }
        let found = self.search(name, dir, rendered);
        self.lookups.programs.insert(key, found.clone());
        found
    }

    fn search(&mut self, name: &str, dir: &[u8], rendered: &Rendered) -> Option<PathBuf> {
        let path = self.around().path_variable(rendered).to_owned();
        let at = self.root.path().join(OsStr::from_bytes(dir));
        let found = self.around().find(name, dir, rendered);
        self.lookups.searched.insert((name.to_owned(), path, at), found.clone());
        found
    }

    fn take_program(&mut self, file: FileId, name: &[u8], all: &mut Collector) -> Result<(), Gap> {
        match self.look(file)? {
            Look::Known(_, content) => {
                let field = Field::input(Tag::Tool, name, &content);
                all.fields.push(field);
            }
            Look::Unread => all.unread.push(file),
        }
        Ok(())
    }

    fn intern_absolute(&mut self, path: &Path) -> FileId {
        let path = path.strip_prefix(self.root.path()).unwrap_or(path);
        self.paths.intern(path.as_os_str().as_bytes())
    }

    pub(super) fn around(&self) -> Around<'_> {
        Around {
            root: self.root.path(),
            env: &self.request.env,
            run_id: &self.run_id,
            pool: self.tokens.pool(),
            jobs: self.request.jobs,
        }
    }

    fn render(
        &self,
        id: TaskId,
        named: &Named<FileId>,
        from_files: Variables,
    ) -> Result<Rendered, Gap> {
        let task = self.graph.task(id);
        let targets = match task.rule.target.uses_targets {
            true => self.targets_of(id),
            false => Targets::default(),
        };
        let ready = Ready {
            together: None,
            rule: &task.rule,
            dir: &self.task_dir(id),
            inputs: named.words(|&file| self.paths.bytes(file)),
            targets: &targets,
            from_files,
        };
        ready.render().map_err(|(error, text)| match self.request.asks.lack() {
            Some(Lack::Unasked(scripts)) => Gap::Unasked(self.questions_of_values(scripts)),
            Some(Lack::Failed(wrong)) => Gap::Wrong(wrong),
            None => {
                let what = Diagnostic::error(format!("an expression fails: {}", error.message));
                let place = match error.range.is_empty() {
                    true => text.place,
                    false => text.place_of(error.range),
                };
                Gap::Wrong(Box::new(what.at(place, "").help_if(error.help)))
            }
        })
    }

    /// What a path holds, by its stamps if they are believed.
    pub(super) fn look(&mut self, file: FileId) -> Result<Look, Gap> {
        if self.request.ask.is_some() {
            self.vouched.note(file);
        }
        if let Some(what) = self.waiting.unreadable.get(&file) {
            return Err(Gap::wrong(format!(
                "cannot read {}: {what}",
                shown(self.paths.bytes(file))
            )));
        }
        let (state, boot) = (&self.held.state, &self.boot);
        let path = self.paths.bytes(file);
        let was = self.spent.enter(Part::Look);
        let look = match self.remembers() {
            true => {
                let recall = |seen: &Seen| record::known_content(state, path, seen, boot);
                self.files.look(&self.paths, file, recall)
            }
            false => Ok(self.files.known(&self.paths, file)),
        };
        self.spent.enter(was);
        let look = look.map_err(|error| {
            Gap::wrong(format!(
                "cannot look at {}: {}",
                shown(self.paths.bytes(file)),
                said(&error)
            ))
        })?;
        self.note_look(file, look);
        Ok(look)
    }

    /// Whether contents that earlier runs read may stand for files with the same stamps.
    pub(super) fn remembers(&self) -> bool {
        !self.request.rehash && !self.held.state.is_empty()
    }

    /// Manifest fields of the files that the last run's depfile named.
    pub(super) fn discovered(&mut self, list: &[Vec<u8>]) -> Result<Vec<Field>, Gap> {
        let mut fields = Vec::with_capacity(list.len());
        let mut unread = Vec::new();
        for path in list {
            let file = self.paths.intern(path);
            match self.look(file)? {
                Look::Known(_, content) => {
                    fields.push(Field::input(Tag::Discovered, path, &content));
                }
                Look::Unread => unread.push(file),
            }
        }
        if unread.is_empty() { Ok(fields) } else { Err(Gap::Unread(unread)) }
    }

    pub(super) fn expected(&mut self, gathered: &Gathered) -> Vec<Expected> {
        let mut all = Vec::with_capacity(gathered.inputs.len());
        for &(file, seen, content) in &gathered.inputs {
            let settled = seen.is_none_or(|seen| self.is_settled(file, &seen));
            let path = self.paths.bytes(file).to_vec();
            all.push(Expected { path, seen, content, settled });
        }
        all
    }
}

pub(super) fn own_patterns(output: &Output) -> Vec<Pattern> {
    match output {
        Output::Path(path) => vec![Pattern::literal(path), Pattern::tree(path)],
        Output::Glob(pattern) => vec![pattern.clone()],
    }
}
