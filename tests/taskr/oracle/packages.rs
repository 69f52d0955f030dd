//! The packages of a world, and how one thing is named from within another.

use std::collections::BTreeSet;

use super::world::{Target, World};

/// A folder `pk/pN` with a Taskfile of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Those that it depends on, of smaller numbers.
    pub(crate) deps: BTreeSet<usize>,
    /// A variable that has a value of its own here.
    pub(crate) var: Option<(usize, String)>,
}

/// The folder of a package; nothing for the root.
pub(crate) fn folder(package: Option<usize>) -> String {
    package.map_or_else(String::new, |n| format!("pk/p{n}"))
}

/// A path of the workspace as commands of this package see it.
pub(crate) fn seen_from(package: Option<usize>, path: &str) -> String {
    let Some(n) = package else { return path.to_owned() };
    if let Some(own) = path.strip_prefix(&format!("pk/p{n}/")) {
        return own.to_owned();
    }
    path.strip_prefix("pk/").map_or_else(|| format!("../../{path}"), |rest| format!("../{rest}"))
}

impl Target {
    /// One of its own paths, seen from the workspace.
    pub(crate) fn in_workspace(&self, path: &str) -> String {
        let folder = folder(self.package);
        if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
    }

    /// Its name seen from the workspace, as taskr shows it.
    pub(crate) fn full_name(&self) -> String {
        match self.package {
            Some(n) => format!("//pk/p{n}:{}", self.name),
            None => self.name.clone(),
        }
    }

    /// A path of the workspace as its Taskfile says it.
    pub(crate) fn says_path(&self, path: &str) -> String {
        let Some(n) = self.package else { return path.to_owned() };
        path.strip_prefix(&format!("pk/p{n}/")).map_or_else(|| format!("//{path}"), str::to_owned)
    }

    /// Another target as its Taskfile says it.
    pub(crate) fn says_name(&self, other: &Target) -> String {
        match (other.package, self.package == other.package && self.id.is_multiple_of(2)) {
            (_, true) => other.name.clone(),
            (None, _) => format!("//:{}", other.name),
            (Some(_), _) => other.full_name(),
        }
    }
}

impl World {
    /// The targets that `^b` means in a package.
    pub(crate) fn above(&self, package: Option<usize>) -> Vec<&Target> {
        let mut waiting: Vec<usize> = package.into_iter().collect();
        let mut reached = BTreeSet::new();
        while let Some(n) = waiting.pop() {
            let new = self.packages[n].deps.iter().filter(|n| reached.insert(**n));
            waiting.extend(new);
        }
        let builds = self.targets.iter().filter(|target| target.name == "b");
        builds.filter(|target| target.package.is_some_and(|n| reached.contains(&n))).collect()
    }
}
