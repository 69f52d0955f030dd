//! Which tasks changed files can reach: those that read one, or made one, by what the Taskfile and
//! their records say, and all that need these. It is never a verdict: what is reached is judged as
//! ever.
//!
//! Where it cannot be known what a task reads, it counts as reached. Changed paths are looked up,
//! not tried one by one: the work grows with the tasks, and with the changes, not with both.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::State;

use super::real::Real;
use crate::expr::plain_words;
use crate::files::{GITIGNORE, Pattern, in_folder, normalise};
use crate::graph::{Action, Fixers, Graph, Input, Kind, Named, Output, Placed, Rule};
use crate::ids::{Id, TaskId};
use crate::outcome::{Changes, Record, Tag};
use crate::outdir::{dir_of, is_within};
use crate::record::{self, Names};

/// What is known of a workspace before anything is judged.
pub(super) struct Before<'b> {
    pub(super) root: &'b Path,
    /// The Taskfile's name in the root.
    pub(super) taskfile: &'b [u8],
    /// The files that say what a package is, each with the package's folder.
    pub(super) sources: &'b [(Vec<u8>, String)],
    pub(super) state: &'b State,
    pub(super) names: &'b Names,
}

/// Of what is wanted, the tasks that `changes` can reach. Groups are not among them: what a group
/// stands for need not be built because one of it is.
pub(super) fn reached(
    graph: &Graph,
    wanted: &[TaskId],
    changes: &Changes,
    before: &Before<'_>,
) -> Vec<TaskId> {
    let mut reach = Reach::new(graph, changes, before);
    if reach.changed.touch(before.taskfile) {
        return wanted.to_vec();
    }
    let packages = before.sources.iter().filter(|(path, _)| reach.changed.touch(path));
    let packages: FxHashSet<&str> = packages.map(|(_, package)| package.as_str()).collect();
    let Some(mut stack) = reach.behind_lost_items() else { return wanted.to_vec() };
    let mut within = vec![false; graph.tasks().len()];
    let mut waiting = wanted.to_vec();
    while let Some(id) = waiting.pop() {
        if !std::mem::replace(&mut within[id.index()], true) {
            waiting.extend(graph.needs(id));
            if packages.contains(graph.task(id).rule.target.package()) {
                stack.extend(graph.without_groups(&[id]));
            } else if reach.directly(id) {
                stack.push(id);
            }
        }
    }
    let found = reach.spread(&within, stack);
    let is_task = |id: &TaskId| found[id.index()] && graph.task(*id).kind() != Kind::Group;
    graph.tasks().ids().filter(is_task).collect()
}

fn is_gitignore(path: &[u8]) -> bool {
    path.rsplit(|&byte| byte == b'/').next() == Some(GITIGNORE)
}

/// Changed paths, ready to be asked for.
struct Changed<'c> {
    exact: FxHashSet<&'c [u8]>,
    sorted: Vec<&'c [u8]>,
    /// Those that are folders, and so stand for what is in them.
    folders: Vec<&'c [u8]>,
}

impl<'c> Changed<'c> {
    fn new(paths: &'c [Vec<u8>], root: &Path) -> Changed<'c> {
        let exact: FxHashSet<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let mut sorted: Vec<&[u8]> = exact.iter().copied().collect();
        sorted.sort_unstable();
        let is_folder = |path: &&&[u8]| {
            let entry = root.join(OsStr::from_bytes(path)).symlink_metadata();
            entry.is_ok_and(|entry| entry.is_dir())
        };
        let folders = sorted.iter().filter(is_folder).copied().collect();
        Changed { exact, sorted, folders }
    }

    /// Those below a folder, at any depth.
    fn below(&self, folder: &[u8]) -> impl Iterator<Item = &'c [u8]> {
        in_folder(&self.sorted, folder, |path| path).iter().copied()
    }

    /// This path, a folder that it is in, and what is in it.
    fn about(&self, path: &[u8]) -> Vec<&'c [u8]> {
        let ends = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(at, _)| at);
        let above = ends.chain([path.len()]).filter_map(|end| self.exact.get(&path[..end]));
        let root = self.exact.get(&b""[..]).filter(|_| !path.is_empty());
        above.chain(root).copied().chain(self.below(path)).collect()
    }

    fn touch(&self, path: &[u8]) -> bool {
        !self.about(path).is_empty()
    }
}

struct Reach<'r> {
    graph: &'r Graph,
    before: &'r Before<'r>,
    changed: Changed<'r>,
    /// The tasks whose declared outputs changed.
    makers: FxHashSet<TaskId>,
    /// What each pattern matches.
    matching: FxHashMap<Pattern, Rc<[&'r [u8]]>>,
    /// Where folders really are, if links lead there.
    real: Real,
}

impl<'r> Reach<'r> {
    fn new(graph: &'r Graph, changes: &'r Changes, before: &'r Before<'r>) -> Reach<'r> {
        let makers = changes.paths.iter().filter_map(|path| graph.makers().of(path));
        Reach {
            makers: makers.collect(),
            changed: Changed::new(&changes.paths, before.root),
            matching: FxHashMap::default(),
            real: Real::default(),
            graph,
            before,
        }
    }

    /// Whoever needs a target of which an item has gone: the task went with it, and what it made.
    /// None if that cannot be known, because there is no task left that one would need.
    fn behind_lost_items(&mut self) -> Option<Vec<TaskId>> {
        let mut behind = Vec::new();
        for &node in self.graph.targets() {
            let target = &self.graph.task(node).rule.target;
            if target.items.is_empty() {
                continue;
            }
            let tasks = self.graph.without_groups(&[node]);
            let items = tasks.iter().filter_map(|&id| self.graph.task(id).rule.scope.item());
            let items: FxHashSet<&[u8]> = items.filter_map(|item| item.file.as_deref()).collect();
            let named = self.named(target.items.iter(), None);
            if named.iter().all(|path| items.contains(path)) {
                continue;
            }
            if tasks.is_empty() {
                return None;
            }
            if named.iter().any(|path| is_gitignore(path)) {
                behind.extend(&tasks);
            }
            let all = tasks.iter().chain([&node]);
            behind.extend(all.flat_map(|&id| self.graph.needed_by(id)));
        }
        Some(behind)
    }

    /// Whether a change reaches the task itself, not by what it needs.
    fn directly(&mut self, id: TaskId) -> bool {
        let rule = &self.graph.task(id).rule;
        match self.graph.task(id).kind() {
            _ if rule.skipped.is_some() => return false,
            Kind::Group => return false,
            Kind::Unrecorded => return true,
            // What a command prints is not looked at here.
            Kind::Recorded if rule.target.asks => return true,
            Kind::Recorded if rule.target.always || rule.inputs.is_empty() => return true,
            Kind::Recorded | Kind::Service => {}
        }
        let record = record::read(self.before.state, &self.before.names.id(&rule.name));
        self.makers.contains(&id)
            || self.writes(rule)
            || self.reads(rule)
            || program(rule).is_some_and(|path| self.touched(&path))
            || match &record {
                Some(record) => self.by_record(rule, record),
                None => rule.depfile.is_some() || self.by_links(rule),
            }
    }

    /// These tasks and all behind them, of those that are within: who needs one, and who reads what
    /// a formatter among them may change.
    fn spread(&self, within: &[bool], mut stack: Vec<TaskId>) -> Vec<bool> {
        let mut found = vec![false; within.len()];
        while !stack.is_empty() {
            let mut fixers = Vec::new();
            while let Some(id) = stack.pop() {
                if within[id.index()] && !std::mem::replace(&mut found[id.index()], true) {
                    stack.extend(self.graph.needed_by(id));
                    let rule = &self.graph.task(id).rule;
                    fixers.extend(rule.target.policy.fixes_inputs.then_some((id, rule)));
                }
            }
            if !fixers.is_empty() {
                let fixers = Fixers::new(fixers.into_iter());
                let ids = self.graph.tasks().ids();
                let others = ids.filter(|id| within[id.index()] && !found[id.index()]);
                stack.extend(others.filter(|&id| self.reads_of(id, &fixers)));
            }
        }
        found
    }

    /// Whether one of these may change what the task reads.
    fn reads_of(&self, id: TaskId, fixers: &Fixers) -> bool {
        let rule = &self.graph.task(id).rule;
        let meets = |inputs: &[Placed<Input>]| {
            Named::first_of(inputs).is_some_and(|named| !fixers.of(&named).is_empty())
        };
        if (0..rule.inputs.len()).any(|at| meets(rule.from_input(at))) {
            return true;
        }
        let state_id = self.before.names.id(&rule.name);
        let record = rule.depfile.as_ref().and_then(|_| record::read(self.before.state, &state_id));
        let found = record.into_iter().flat_map(|record| record.found);
        let found = found.flat_map(|list| list.paths);
        let mut found = found.map(|path| Input::Path { path, optional: true });
        found.any(|value| meets(&[Placed { value, place: None }]))
    }

    fn reads(&mut self, rule: &Rule) -> bool {
        let item = rule.scope.item().and_then(|item| item.file.as_deref());
        rule.lists().into_iter().any(|(_, range)| {
            let list = rule.inputs[range].iter().map(|input| &input.value);
            !self.named(list, item).is_empty()
        })
    }

    /// The changed paths that these elements name. `item` is never taken away.
    fn named<'i>(
        &mut self,
        inputs: impl Iterator<Item = &'i Input>,
        item: Option<&[u8]>,
    ) -> Vec<&'r [u8]> {
        let mut named: Vec<&[u8]> = Vec::new();
        for input in inputs {
            match input {
                Input::Path { path, .. } => {
                    named.extend(self.changed.about(path));
                    named.extend(self.really_about(path));
                    named.extend(self.rules_above(path));
                }
                Input::Glob { pattern, .. } => named.extend(&*self.matching(pattern)),
                Input::Not(pattern) => {
                    named.retain(|path| {
                        Some(*path) == item || is_gitignore(path) || !self.takes(pattern, path)
                    });
                }
                Input::Outputs { .. } => {}
            }
        }
        named
    }

    /// Whether a pattern takes a changed path away; of a folder, all that is in it.
    fn takes(&self, pattern: &Pattern, path: &[u8]) -> bool {
        match self.changed.folders.contains(&path) {
            true => pattern.covers(path),
            false => pattern.matches_all(path),
        }
    }

    /// The changed `.gitignore` files that decide what a pattern with this fixed part matches.
    fn rules_for(&self, base: &[u8]) -> Vec<&'r [u8]> {
        let decides = |path: &&[u8]| {
            let folder = dir_of(path);
            is_gitignore(path) && (is_within(base, folder) || is_within(folder, base))
        };
        match self.graph.ignored().is_on() {
            true => self.changed.sorted.iter().copied().filter(decides).collect(),
            false => Vec::new(),
        }
    }

    /// The same for an input without wildcards: only a folder stands for what is in it.
    fn rules_above(&self, path: &[u8]) -> Vec<&'r [u8]> {
        let rules = self.rules_for(path);
        let is_folder =
            !rules.is_empty() && self.before.root.join(OsStr::from_bytes(path)).is_dir();
        if is_folder { rules } else { Vec::new() }
    }

    fn matching(&mut self, pattern: &Pattern) -> Rc<[&'r [u8]]> {
        if let Some(known) = self.matching.get(pattern) {
            return known.clone();
        }
        let base = pattern.base();
        let below = self.changed.below(base).filter(|path| pattern.matches(path));
        let folders = self.changed.folders.iter().copied().filter(|path| pattern.may_contain(path));
        let mut found: Vec<&[u8]> = below.chain(folders).collect();
        if let Some(real) = self.real.folder(self.before.root, base) {
            found.extend(self.changed.about(&real));
        }
        found.extend(self.rules_for(base));
        let found: Rc<[&[u8]]> = found.into();
        self.matching.insert(pattern.clone(), found.clone());
        found
    }

    /// Of declared outputs only those that a folder stands for are left to be found.
    fn writes(&self, rule: &Rule) -> bool {
        let in_folder = |output: &Output| match output {
            Output::Path(path) => self.changed.touch(path),
            Output::Glob(glob) => {
                self.changed.folders.iter().any(|folder| glob.overlaps(&Pattern::tree(folder)))
            }
        };
        rule.outputs.iter().any(|output| in_folder(&output.value))
            || rule.installs.iter().any(|path| self.changed.touch(&path.value))
    }

    /// By what the task read, started and made when it last succeeded.
    fn by_record(&mut self, rule: &Rule, record: &Record) -> bool {
        let mut paths = record
            .found
            .iter()
            .flat_map(|list| &list.paths)
            .chain(record.outputs.iter().map(|out| &out.path));
        if paths.any(|path| self.touched(path)) {
            return true;
        }
        let fields = record.manifest.fields().iter();
        let mut fields = fields.filter(|field| !field.name.starts_with(b"/"));
        fields.any(|field| match field.tag {
            Tag::Input | Tag::Discovered => {
                field.value.first() == Some(&b'l') && self.by_link(&field.name)
            }
            Tag::Tool if field.name.contains(&b'/') => {
                let program = field.name.split(|&byte| byte == b' ').next();
                normalise(&rule.dir, program.unwrap_or_default())
                    .is_ok_and(|path| self.touched(&path))
            }
            _ => false,
        })
    }

    fn by_links(&mut self, rule: &Rule) -> bool {
        rule.inputs.iter().any(|input| match &input.value {
            Input::Path { path, .. } => self.by_link(path),
            _ => false,
        })
    }

    /// A link counts by what it leads to, too.
    fn by_link(&mut self, path: &[u8]) -> bool {
        let link = self.before.root.join(OsStr::from_bytes(path));
        let Ok(text) = link.read_link() else { return false };
        let next = normalise(dir_of(path), text.as_os_str().as_bytes());
        let last = link.canonicalize().ok();
        let last = last.as_deref().and_then(|last| last.strip_prefix(self.before.root).ok());
        next.is_ok_and(|next| self.touched(&next))
            || last.is_some_and(|last| self.changed.touch(last.as_os_str().as_bytes()))
    }

    fn touched(&mut self, path: &[u8]) -> bool {
        self.changed.touch(path) || !self.really_about(path).is_empty()
    }

    /// As [`Changed::about`], of where links on the way to `path` lead.
    fn really_about(&mut self, path: &[u8]) -> Vec<&'r [u8]> {
        let real = self.real.path(self.before.root, path);
        real.map(|path| self.changed.about(&path)).unwrap_or_default()
    }
}

/// The program of the workspace that the task starts, if it stands there in plain words.
fn program(rule: &Rule) -> Option<Vec<u8>> {
    let word = match rule.target.action.as_ref()? {
        Action::Exec(words) => words.first()?.template.as_literal()?.to_owned(),
        Action::Shell { lines, .. } => match &lines[..] {
            [line] => plain_words(line.template.as_literal()?)?.into_iter().next()?,
            _ => return None,
        },
    };
    let path = normalise(&rule.dir, word.as_bytes()).ok()?;
    word.contains('/').then_some(path)
}
