//! Links rules to a graph: names to tasks, paths to the tasks that make them, edges both ways.
//!
//! Every mistake found is told, not only the first. All steps are linear in tasks, paths and
//! edges.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::Index;

use super::expand::{Expanded, in_profile};
use super::item::Looked;
use super::profile::Profiles;
use super::rule::{Input, Kind, Output, Ref, Rule, Target};
use super::tasks::{Ranges, Tasks};
use super::{Edges, Graph, Makers, Members, Task, ancestors, clash, cycle, refer, service, ties};
use crate::error::{Diagnostic, Error, Place, quoted, told_once};
use crate::files::Ignored;
use crate::ids::{Id, IdVec, TaskId};
use crate::outcome::shown;
use crate::outdir::{STATE_DIR, is_within};

/// Makes the graph of these rules, which stand in order of declaration, those of one target
/// together.
///
/// # Errors
/// Clashing outputs, unknown names, paths that need an edge and have none, cycles.
pub fn link(expanded: Expanded) -> Result<Graph, Error> {
    let Expanded { rules, looked, ignored } = expanded;
    let mut linker = Linker::new(rules);
    linker.resolve_names();
    linker.wrong.extend(service::refuse_misused(&linker.tasks, &linker.members));
    let makers = linker.find_makers();
    linker.wrong.extend(ties::tie(&mut linker.tasks, &mut linker.needs, &makers));
    let ignored = but_for_outputs(&ignored, &linker.tasks);
    Ok(Graph { looked, ignored, ..linker.finish(makers)? })
}

/// What wildcards leave out: never what a task declares as output.
fn but_for_outputs(ignored: &Ignored, tasks: &IdVec<TaskId, Task>) -> Ignored {
    let outputs = || tasks.iter().flat_map(|task| &task.rule.outputs).map(|output| &output.value);
    let paths = outputs().filter_map(|output| match output {
        Output::Path(path) => Some(path.clone()),
        Output::Glob(_) => None,
    });
    let globs = outputs().filter_map(|output| match output {
        Output::Path(_) => None,
        Output::Glob(glob) => Some(glob.clone()),
    });
    ignored.but_for(paths, globs)
}

struct Linker {
    tasks: IdVec<TaskId, Task>,
    needs: Vec<Vec<TaskId>>,
    names: FxHashMap<String, TaskId>,
    /// The node of each target as a whole.
    whole: FxHashMap<String, TaskId>,
    members: Members,
    by_item: refer::ByItem,
    targets: Vec<TaskId>,
    wrong: Vec<Diagnostic>,
}

impl Linker {
    fn new(rules: Vec<Rule>) -> Linker {
        let mut linker = Linker {
            tasks: IdVec::new(),
            needs: Vec::new(),
            names: FxHashMap::default(),
            whole: FxHashMap::default(),
            members: FxHashMap::default(),
            by_item: refer::ByItem::default(),
            targets: Vec::new(),
            wrong: Vec::new(),
        };
        let mut rules = rules.into_iter().peekable();
        while let Some(first) = rules.next() {
            let target = first.target.name.clone();
            let start = linker.tasks.len();
            let mut profiles = Vec::new();
            let mut next = Some(first);
            while let Some(first) = next {
                let start = linker.tasks.len();
                let target = first.target.clone();
                linker.push(first);
                while let Some(rule) = rules.next_if(|rule| Arc::ptr_eq(&rule.target, &target)) {
                    linker.push(rule);
                }
                profiles.push(start..linker.tasks.len());
                next = rules.next_if(|rule| rule.target.name == target.name);
            }
            linker.members.insert(target.clone(), start..linker.tasks.len());
            let whole = linker.push_target(&target, profiles);
            linker.whole.insert(target, whole);
            linker.targets.push(whole);
        }
        linker
    }

    /// The node that stands for a target: its only task, or a group; over several profiles a group of
    /// those.
    fn push_target(&mut self, target: &str, profiles: Vec<Range<usize>>) -> TaskId {
        let nodes: Vec<TaskId> =
            profiles.into_iter().map(|tasks| self.push_profile(tasks)).collect();
        match nodes[..] {
            [node] => node,
            _ => self.push_group(format!("{target}@profile=*"), nodes),
        }
    }

    fn push_profile(&mut self, tasks: Range<usize>) -> TaskId {
        let first = TaskId::from_index(tasks.start);
        let rule = &self.tasks[first].rule;
        let name = in_profile(rule.target.name.clone(), rule.scope.profile());
        match rule.name == name {
            true => first,
            false => self.push_group(name, tasks.map(TaskId::from_index).collect()),
        }
    }

    fn push(&mut self, rule: Rule) -> TaskId {
        let name = rule.name.clone();
        let sources = vec![Vec::new(); rule.inputs.len()];
        let id = self.tasks.push(Task { rule, sources, deps: Vec::new(), after: Vec::new() });
        self.needs.push(Vec::new());
        if self.names.insert(name, id).is_some() {
            let rule = &self.tasks[id].rule;
            let what = format!("two tasks are called {}", quoted(&rule.name));
            self.wrong.push(
                Diagnostic::error(what).at(rule.target.place.clone(), "").help(
                    "an item or a value with `,` and `=` in it reads like an axis: rename it",
                ),
            );
        }
        id
    }

    /// The node that stands for several, so that whoever needs them all has one edge and not one for
    /// each task.
    fn push_group(&mut self, name: String, members: Vec<TaskId>) -> TaskId {
        let first = &self.tasks[members[0]].rule;
        let (kind, action, asked) = (Kind::Group, None, Vec::new());
        let group = Target { kind, action, asked, ..Target::clone(&first.target) };
        let scope = first.scope.clone();
        let id = self.push(Rule::group(name, Arc::new(group), scope));
        self.needs[id.index()].clone_from(&members);
        self.tasks[id].deps = members;
        id
    }

    fn resolve_names(&mut self) {
        for id in self.tasks.ids() {
            let rule = &self.tasks[id].rule;
            let mut wrong = Vec::new();
            let mut resolve = |reference: &Ref| {
                self.resolve(reference, rule.scope.profile()).unwrap_or_else(|diagnostic| {
                    wrong.push(diagnostic);
                    Vec::new()
                })
            };
            let deps: Vec<_> = rule.deps.iter().flat_map(&mut resolve).collect();
            let after: Vec<_> = rule.after.iter().flat_map(&mut resolve).collect();
            let sources: Vec<Vec<TaskId>> = rule
                .inputs
                .iter()
                .map(|input| match &input.value {
                    Input::Outputs { of, .. } => resolve(of),
                    _ => Vec::new(),
                })
                .collect();
            self.wrong.extend(wrong);
            // What is skipped needs nothing.
            if self.tasks[id].rule.skipped.is_some() {
                continue;
            }
            let needs = &mut self.needs[id.index()];
            needs.extend(deps.iter().chain(&after).chain(sources.iter().flatten()));
            self.tasks[id].sources = sources;
            self.tasks[id].deps.extend(deps);
            self.tasks[id].after = after;
        }
    }

    /// The tasks that a task of `profile` means.
    fn resolve(&self, reference: &Ref, profile: Option<&str>) -> Result<Vec<TaskId>, Diagnostic> {
        if let (None, Some(id)) = (&reference.each, self.named(&reference.text, profile)) {
            return Ok(vec![id]);
        }
        if reference.each.is_none() && !self.members.contains_key(reference.target()) {
            return Err(refer::no_target(reference, &self.members, self.is_looking()));
        }
        let picked: Vec<TaskId> =
            reference.names().iter().flat_map(|name| self.picked(name, profile)).collect();
        if picked.is_empty() && !reference.names().is_empty() {
            return Err(refer::no_task(reference, &self.tasks, &self.members, self.is_looking()));
        }
        Ok(picked)
    }

    /// What one name picks, as a task of `profile` means it.
    fn picked(&self, name: &str, profile: Option<&str>) -> Vec<TaskId> {
        if let Some(id) = self.named(name, profile) {
            return vec![id];
        }
        let mut picked = self.by_item.pick(&self.tasks, &self.members, name);
        picked.retain(|&id| {
            let other = self.tasks[id].rule.scope.profile();
            profile.is_none() || other.is_none() || other == profile
        });
        picked
    }

    /// The node of that name, as a task of `profile` means it.
    fn named(&self, name: &str, profile: Option<&str>) -> Option<TaskId> {
        let own = profile.map(|profile| in_profile(name.to_owned(), Some(profile)));
        let own = own.and_then(|own| self.names.get(&own));
        own.or_else(|| self.whole.get(name)).or_else(|| self.names.get(name)).copied()
    }

    /// More than ten errors are not shown; looking for names is dear.
    fn is_looking(&self) -> bool {
        self.wrong.len() < 10
    }

    fn find_makers(&mut self) -> Makers {
        let mut declared = Vec::new();
        let mut depfiles = Vec::new();
        for (id, task) in self.tasks.enumerate() {
            let rule = &task.rule;
            let one = |output: Output, place: &Option<Place>, is_depfile| clash::Declared {
                output,
                is_depfile,
                task: id,
                place: place.clone(),
            };
            let outputs = rule.outputs.iter();
            declared.extend(outputs.map(|output| one(output.value.clone(), &output.place, false)));
            let installs = rule.installs.iter();
            declared.extend(
                installs.map(|path| one(Output::Path(path.value.clone()), &path.place, false)),
            );
            // A folder of taskr's own is one task's alone.
            let depfile = rule.depfile.iter();
            let depfile = depfile.filter(|path| !is_within(&path.value, STATE_DIR.as_bytes()));
            depfiles.extend(
                depfile.map(|path| one(Output::Path(path.value.clone()), &path.place, true)),
            );
        }
        let (mut paths, mut globs) = (Vec::new(), Vec::new());
        for one in &declared {
            match &one.output {
                Output::Path(path) => paths.push((path.clone(), one.task)),
                Output::Glob(pattern) => globs.push((pattern.clone(), one.task)),
            }
        }
        declared.extend(depfiles);
        self.wrong.extend(clash::find(declared, |id| &self.tasks[id].rule));
        Makers::new(paths, globs)
    }

    /// `target('NAME')` gives what a dependency made: any other name would fail when the command
    /// is about to run.
    fn refuse_strangers(&mut self) {
        for id in self.tasks.ids() {
            let asked = &self.tasks[id].rule.target.asked;
            if !asked.is_empty() && self.tasks[id].rule.skipped.is_none() {
                let known = self.behind_groups(id);
                let wrong: Vec<_> =
                    asked.iter().filter_map(|asked| self.stranger(id, asked, &known)).collect();
                self.wrong.extend(wrong);
            }
        }
    }

    /// What a task needs, without groups.
    fn behind_groups(&self, id: TaskId) -> FxHashSet<TaskId> {
        let mut found = FxHashSet::default();
        let mut stack = self.needs[id.index()].clone();
        while let Some(id) = stack.pop() {
            if found.insert(id) && self.tasks[id].kind() == Kind::Group {
                stack.extend(&self.tasks[id].deps);
            }
        }
        found.retain(|&id| self.tasks[id].kind() != Kind::Group);
        found
    }

    fn stranger(&self, id: TaskId, asked: &Ref, known: &FxHashSet<TaskId>) -> Option<Diagnostic> {
        let profile = self.tasks[id].rule.scope.profile();
        let Some(other) = self.named(&asked.text, profile) else {
            return Some(match self.members.contains_key(asked.target()) {
                true => refer::no_task(asked, &self.tasks, &self.members, self.is_looking()),
                false => refer::no_target(asked, &self.members, self.is_looking()),
            });
        };
        if known.contains(&other) {
            return None;
        }
        let (name, task) = (quoted(&asked.text), &self.tasks[other]);
        Some(if task.kind() == Kind::Group {
            let example = task.deps.first().map_or("", |&id| &self.tasks[id].rule.name);
            Diagnostic::error(format!("{name} is a group: it makes nothing itself"))
                .at(asked.place.clone(), "")
                .help(format!("name one task of it, as in target('{example}')"))
        } else {
            let target = &self.tasks[id].rule.target;
            Diagnostic::error(format!("{name} is not a dependency of `{}`", target.name))
                .at(asked.place.clone(), "not made before this runs")
                .help(format!(
                    "add deps = [\"{0}\"] to [target.{1}], or `@{0}` to its inputs",
                    target.names(&asked.text),
                    target.own_name()
                ))
        })
    }

    fn finish(mut self, makers: Makers) -> Result<Graph, Error> {
        for list in &mut self.needs {
            let mut seen = FxHashSet::default();
            list.retain(|&id| seen.insert(id));
        }
        for id in self.tasks.ids() {
            let mut seen = FxHashSet::default();
            self.tasks[id].deps.retain(|&dep| seen.insert(dep));
        }
        if self.wrong.is_empty() {
            self.refuse_strangers();
        }
        let needs = Edges::new(&self.needs);
        // Tasks of one target repeat its mistakes.
        self.wrong = told_once(self.wrong, "task", |_| true);
        if self.wrong.is_empty() {
            self.wrong.extend(cycle::find(&self.tasks, &needs));
        }
        if !self.wrong.is_empty() {
            return Err(Error::Taskfile(self.wrong));
        }
        let needed_by = needs.reversed();
        let skips = self.tasks.iter().any(|task| task.rule.skipped.is_some());
        Ok(Graph {
            kinds: self.tasks.iter().map(Task::kind).collect(),
            tasks: Tasks::Made(self.tasks),
            needs,
            needed_by,
            names: by_name(&self.names),
            whole: by_name(&self.whole),
            profiles: Profiles::default(),
            makers,
            targets: self.targets,
            members: Ranges::of(&self.members),
            looked: Looked::default(),
            ignored: Ignored::default(),
            skips,
        })
    }
}

fn by_name(names: &FxHashMap<String, TaskId>) -> Index {
    Index::new(names.iter().map(|(name, id)| (name.as_bytes(), id.index() as u32)).collect())
}

/// Where an edge from one task to another was written, and what makes it one.
pub(super) fn place_of_edge(task: &Task, to: &Task) -> (Option<Place>, String) {
    let (rule, other) = (&task.rule, &to.rule);
    let references = rule.inputs.iter().filter_map(|input| match &input.value {
        Input::Outputs { of, .. } => Some(of),
        _ => None,
    });
    let mut named = rule.deps.iter().chain(&rule.after).chain(references);
    if let Some(reference) = named.find(|reference| reference.means(&other.target.name)) {
        let label = format!("`{}` needs `{}`", rule.name, other.name);
        return (reference.place.clone(), label);
    }
    let read = rule.inputs.iter().find_map(|input| {
        let text = read_of(&input.value, other)?;
        Some((input.place.clone(), shown(text)))
    });
    let (place, text) = read.unwrap_or_else(|| (rule.target.place.clone(), "what".to_owned()));
    (place, format!("`{}` reads {text}, which `{}` makes", rule.name, other.name))
}

/// The output of `maker` that an input reads; of one that is a folder or a pattern, its text.
fn read_of<'a>(input: &'a Input, maker: &'a Rule) -> Option<&'a [u8]> {
    let outputs = maker.outputs.iter().map(|output| output.value.text());
    let mut made = outputs.chain(maker.installs.iter().map(|path| &path.value[..]));
    match input {
        Input::Path { path, .. } => made
            .any(|output| {
                ancestors(path).any(|path| path == output)
                    || ancestors(output).any(|output| output == path.as_slice())
            })
            .then_some(path),
        Input::Glob { pattern, .. } => made.find(|output| {
            pattern.matches(output)
                || pattern.names_folder(output)
                || is_within(pattern.base(), output)
        }),
        Input::Not(_) | Input::Outputs { .. } => None,
    }
}
