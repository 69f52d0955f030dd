//! What the oracle's builds came to: that what should be tested was tested.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Model;
use super::session::Build;
use super::world::{Each, Input, World};

/// What of the language worlds have at random.
pub(crate) const LANGUAGE: [&str; 11] = [
    "batch",
    "packages",
    "^b",
    "when",
    "env_file",
    "profile",
    "tables",
    "exclude",
    "service",
    "pipeline",
    "gitignore",
];

/// Proofs that what should be tested was tested.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) builds: usize,
    pub(crate) ran: usize,
    pub(crate) not_run: usize,
    pub(crate) kills: usize,
    /// Of these: taskr lived.
    pub(crate) live_kills: usize,
    /// Of these: a task was in the middle of its work.
    pub(crate) kills_in_a_task: usize,
    pub(crate) failures: usize,
    pub(crate) clean_builds: usize,
    /// Tasks that had to be made right and did not run: they were restored.
    pub(crate) restored: usize,
    /// The store was damaged.
    pub(crate) store_faults: usize,
    /// Builds of what changed files reach.
    pub(crate) by_changes: usize,
    /// Builds whose freshness was proved before something changed.
    pub(crate) proved: usize,
    /// Tasks that ran and have this of [`LANGUAGE`]; for the last two, builds with it.
    pub(crate) language: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Both together.
    pub(crate) fn add(mut self, other: Tally) -> Tally {
        for (word, count) in other.language {
            *self.language.entry(word).or_default() += count;
        }
        Tally {
            builds: self.builds + other.builds,
            ran: self.ran + other.ran,
            not_run: self.not_run + other.not_run,
            kills: self.kills + other.kills,
            live_kills: self.live_kills + other.live_kills,
            kills_in_a_task: self.kills_in_a_task + other.kills_in_a_task,
            failures: self.failures + other.failures,
            clean_builds: self.clean_builds + other.clean_builds,
            restored: self.restored + other.restored,
            store_faults: self.store_faults + other.store_faults,
            by_changes: self.by_changes + other.by_changes,
            proved: self.proved + other.proved,
            language: self.language,
        }
    }
}

impl World {
    /// What a build had of the language, with those who ran by their names in the log.
    pub(crate) fn language_of(
        &self,
        build: &Build,
        model: &Model,
        ran: &BTreeSet<&String>,
    ) -> Vec<&'static str> {
        let mut words = Vec::new();
        for task in model.tasks.values().filter(|task| ran.contains(&task.toy)) {
            let Some(target) = self.target(task.target) else { continue };
            let has = [
                ("batch", target.batches()),
                ("packages", target.package.is_some()),
                ("^b", target.inputs.contains(&Input::Above)),
                ("when", target.when.is_some()),
                ("env_file", !target.dotenv.is_empty()),
                ("profile", target.tied),
                ("tables", target.tables),
                ("exclude", matches!(target.each, Each::Grid(_))),
                ("service", target.served.is_some()),
            ];
            words.extend(has.iter().filter(|(_, has)| *has).map(|(word, _)| *word));
        }
        let ignores = self.files.keys().any(|path| {
            self.is_ignored(path, path.split_once('/').map_or("", |(folder, _)| folder))
        });
        words.extend(build.line.then_some("pipeline"));
        words.extend(ignores.then_some("gitignore"));
        words
    }
}
