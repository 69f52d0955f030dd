//! Profiles: which targets differ in them, and so have tasks of their own in each.
//!
//! A target is tied to its profile if its strings use `{{ profile }}` or a variable that a profile
//! sets, or if it needs a target that is tied. What is tied is known only when the graph is made: so
//! where a profile is asked for, the graph of each is made once to learn it. Without one there is
//! nothing to learn: tasks of the default profile are named as those of all.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::expand::{expand_in, in_profile};
use super::{Expanded, Graph, Looked, Settings, Tie, link};
use crate::error::Error;
use crate::ids::{Id, TaskId};
use crate::parse::{DEFAULT_PROFILE, Taskfile, split_pick};

/// The profiles of one invocation.
#[derive(Clone, Debug)]
pub struct Profiles {
    /// Those that are built, in order, each once. Never empty.
    pub built: Vec<String>,
    /// Those that the Taskfile has, besides the default.
    pub declared: Vec<String>,
}

impl Default for Profiles {
    fn default() -> Profiles {
        Profiles { built: vec![DEFAULT_PROFILE.to_owned()], declared: Vec::new() }
    }
}

impl Profiles {
    fn builds(&self, profile: &str) -> bool {
        self.built.iter().any(|built| built == profile)
    }

    /// The profile that a task's name shows.
    fn of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (before, profile) = name.rsplit_once("profile=")?;
        before.strip_suffix(['@', ','])?;
        self.declared.iter().any(|declared| declared == profile).then_some(profile)
    }
}

/// Makes the rules of a Taskfile in these profiles, in order of declaration. Targets that are tied
/// to their profile have tasks in each, all others are the same for all.
///
/// # Errors
/// As of [`expand`](super::expand); where profiles are asked for, also what is wrong with the graph
/// of one of them.
pub fn expand_all(
    taskfile: &Taskfile,
    settings: &Settings,
    profiles: &Profiles,
) -> Result<Expanded, Error> {
    let each: Vec<Settings> =
        profiles.built.iter().map(|profile| settings.in_profile(profile)).collect();
    if profiles.built == [DEFAULT_PROFILE] {
        return expand_in(taskfile, &each, &|_| false);
    }
    let mut tied = FxHashSet::default();
    let mut looked = Looked::default();
    for settings in &each {
        let mut expanded = expand_in(taskfile, std::slice::from_ref(settings), &|_| false)?;
        looked.add(std::mem::take(&mut expanded.looked));
        if expanded.rules.iter().any(|rule| rule.target.tie.is_some()) {
            let graph = link(expanded)?;
            tied.extend(tied_targets(&graph).map(str::to_owned));
        }
    }
    let mut expanded = expand_in(taskfile, &each, &|target| tied.contains(target))?;
    expanded.looked.add(looked);
    Ok(expanded)
}

impl Settings {
    /// The same in another profile.
    #[must_use]
    pub fn in_profile(&self, profile: &str) -> Settings {
        Settings {
            root: self.root.clone(),
            taskfile: self.taskfile.clone(),
            defines: self.defines.clone(),
            surroundings: Arc::new(self.surroundings.in_profile(profile)),
            args: self.args.clone(),
            asks: self.asks.clone(),
        }
    }
}

/// The targets that are tied themselves, and all that need one of them.
fn tied_targets(graph: &Graph) -> impl Iterator<Item = &str> {
    let mut tied: FxHashSet<&str> = FxHashSet::default();
    let all = graph.tasks().ids();
    let mut open: Vec<TaskId> =
        all.filter(|&id| graph.task(id).rule.target.tie.is_some()).collect();
    while let Some(id) = open.pop() {
        let target = graph.task(id).rule.target.name.as_str();
        if tied.insert(target) {
            open.extend(graph.target(target));
            let tasks = graph.members.get(target).unwrap_or_default();
            open.extend(tasks.map(TaskId::from_index));
        }
        let others = graph.needed_by(id).iter();
        open.extend(others.filter(|&&id| !tied.contains(&*graph.task(id).rule.target.name)));
    }
    tied.into_iter()
}

impl Graph {
    /// The same, of these profiles.
    #[must_use]
    pub fn of_profiles(self, profiles: Profiles) -> Graph {
        Graph { profiles, ..self }
    }

    /// The profiles of this graph.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Whether a task that was once there is no more: not one that belongs to a profile that is not
    /// built now.
    pub fn is_gone(&self, name: &str) -> bool {
        if self.find(name).is_some() {
            return false;
        }
        let target = split_pick(name).0;
        let Some(members) = self.members.get(target) else { return true };
        match self.profiles.of(name) {
            Some(profile) => self.profiles.builds(profile),
            None => {
                let mut tasks = members.clone().map(TaskId::from_index);
                let is_tied = tasks.any(|id| self.task(id).rule.scope.profile().is_some());
                !is_tied || self.profiles.builds(DEFAULT_PROFILE)
            }
        }
    }

    /// What a task is called in the profiles that are not built now.
    pub fn in_other_profiles(&self, id: TaskId) -> Vec<String> {
        let (name, own) = (self.name(id), self.task(id).rule.scope.profile());
        let own = own.filter(|own| *own != DEFAULT_PROFILE);
        let plain = own.and_then(|own| {
            let rest = name.strip_suffix(own)?.strip_suffix("profile=")?;
            rest.strip_suffix(['@', ','])
        });
        let plain = plain.unwrap_or(name);
        let declared = self.profiles.declared.iter().map(String::as_str);
        let others = declared.chain([DEFAULT_PROFILE]).filter(|other| !self.profiles.builds(other));
        let names = others.map(|other| in_profile(plain.to_owned(), Some(other)));
        names.filter(|other| other != name && self.find(other).is_none()).collect()
    }

    /// What ties a target to its profile: the nearest word, and the target that has it.
    pub fn tie(&self, id: TaskId) -> Option<(&str, &Tie)> {
        let mut seen = FxHashSet::default();
        let mut open = VecDeque::from([id]);
        while let Some(id) = open.pop_front() {
            let target = &self.task(id).rule.target;
            if let Some(tie) = &target.tie {
                return Some((&target.name, tie));
            }
            let whole = self.target(&target.name).into_iter();
            let needs = self.needs(id).iter().copied();
            open.extend(needs.chain(whole).filter(|&id| seen.insert(id)));
        }
        None
    }
}
