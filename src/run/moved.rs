//! Inputs that change while the build runs: which files they are, what a person is told and what
//! to write, and which tasks used what is no longer there.
//!
//! That an input moved while its task ran is found by the worker; here it only gets a name.

use rustc_hash::FxHashMap;
use taskr_cache::{Content, Seen, measure, spread};

use super::commit::MOST_NAMED;
use super::{Build, Running};
use crate::files::{Pattern, list};
use crate::graph::{Input, Rule};
use crate::ids::{FileId, Paths, TaskId};
use crate::outcome::shown;
use crate::outdir::Root;

/// A file that changed under a task.
pub(super) struct Moved {
    pub(super) path: Vec<u8>,
    /// "changed", "appeared".
    how: &'static str,
    /// What keeps it from happening each time, if the command itself does it.
    advice: Option<String>,
}

impl Moved {
    fn sentence(&self) -> String {
        format!("{} {}", shown(&self.path), self.how)
    }
}

impl Build<'_> {
    /// The files behind `paths`, in which a pattern stands for those that came.
    pub(super) fn moved_files(
        &self,
        id: TaskId,
        running: &Running,
        paths: &[Vec<u8>],
    ) -> Vec<Moved> {
        let rule = &self.graph.task(id).rule;
        let gathered = &running.due.gathered;
        let is_declared = |path: &[u8]| {
            self.paths.get(path).is_some_and(|file| gathered.declared.contains(&file))
        };
        let mut moved = Vec::new();
        for path in paths {
            let listed = gathered.globs.iter().find(|listed| listed.pattern.text() == &path[..]);
            let Some(listed) = listed.filter(|_| !is_declared(path)) else {
                let advice = is_declared(path).then(|| advice(rule, path));
                moved.push(Moved { path: path.clone(), how: "changed", advice });
                continue;
            };
            let now = list(self.root.path(), &listed.pattern, &listed.skip, self.graph.ignored());
            let now = now.unwrap_or_default();
            if now.iter().all(|path| is_declared(path)) {
                let how = "matches other files: a .gitignore changed";
                moved.push(Moved { path: path.clone(), how, advice: None });
            }
            for path in now.into_iter().filter(|path| !is_declared(path)) {
                let advice = Some(advice(rule, &path));
                moved.push(Moved { path, how: "appeared", advice });
            }
        }
        moved
    }

    /// Says that a task runs once more, and how that is avoided.
    pub(super) fn tell_again(&mut self, id: TaskId, moved: &[Moved]) {
        let Some(first) = moved.first() else { return };
        let more = match moved.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let mut what = format!("runs again: {}{more} while it ran", first.sentence());
        if let Some(advice) = &first.advice {
            what += &format!("; if the command itself writes there, {advice}");
        }
        self.warn(Some(id), &what);
    }
}

/// What went wrong with a task whose inputs moved each time it ran.
pub(super) fn unstable_text(moved: &[Moved]) -> String {
    let names: Vec<String> = moved.iter().take(MOST_NAMED).map(Moved::sentence).collect();
    let mut what = match names.is_empty() {
        true => "its inputs kept changing while it ran".to_owned(),
        false => format!("{} while it ran, each time", names.join(", ")),
    };
    what += ": it is not recorded as up to date";
    if let Some(advice) = moved.iter().find_map(|moved| moved.advice.as_ref()) {
        what += &format!("; if the command itself writes there, {advice}");
    }
    what
}

/// How to take a file out of a task's inputs, literally.
fn advice(rule: &Rule, path: &[u8]) -> String {
    let is_named =
        |input: &Input| matches!(input, Input::Path { path: named, .. } if named == path);
    if rule.inputs.iter().any(|input| is_named(&input.value)) {
        return "take it out of its `inputs`".to_owned();
    }
    let is_cache = path.split(|&byte| byte == b'/').any(|part| part == b"__pycache__");
    let pattern = match (is_cache, rule.dir.is_empty()) {
        (true, _) => "**/__pycache__/**".to_owned(),
        (false, true) => shown(Pattern::literal(path).text()),
        (false, false) => format!("//{}", shown(Pattern::literal(path).text())),
    };
    format!("add \"!{pattern}\" to its `inputs`")
}

/// A thread that asks for files again asks for at least so many.
const LEAST_FILES: usize = 500;

/// What the tasks recorded in this run had read.
#[derive(Debug, Default)]
pub(super) struct Used(FxHashMap<FileId, Use>);

#[derive(Debug)]
struct Use {
    seen: Option<Seen>,
    content: Content,
    /// How many tasks used this content.
    tasks: usize,
    /// How many used an older one.
    outdated: usize,
}

impl Used {
    /// One more task used this.
    pub(super) fn note(&mut self, file: FileId, seen: Option<Seen>, content: Content) {
        let first = Use { seen, content, tasks: 0, outdated: 0 };
        let used = self.0.entry(file).or_insert(first);
        if used.content != content {
            used.outdated += std::mem::take(&mut used.tasks);
        }
        (used.seen, used.content) = (seen, content);
        used.tasks += 1;
    }

    /// Warnings about files that are not what tasks of this run read. One question to the disk
    /// for each file.
    pub(super) fn outdated(&self, paths: &Paths, root: &Root) -> Vec<String> {
        let all: Vec<(&[u8], &Use)> =
            self.0.iter().map(|(&file, used)| (paths.bytes(file), used)).collect();
        let tasks = spread(&all, LEAST_FILES, |(path, used), buffer: &mut Vec<u8>| {
            let still = used.is_still(&root.absolute(path), buffer);
            used.outdated + if still { 0 } else { used.tasks }
        });
        let mut outdated: Vec<(&[u8], usize)> = (all.iter().zip(tasks))
            .filter_map(|((path, _), tasks)| (tasks > 0).then_some((*path, tasks)))
            .collect();
        outdated.sort_unstable();
        let mut warnings: Vec<String> = (outdated.iter().take(MOST_NAMED))
            .map(|(path, tasks)| {
                let many = if *tasks == 1 { "1 task" } else { &format!("{tasks} tasks") };
                format!(
                    "{} changed while the build ran: {many} used its old content; run taskr again",
                    shown(path)
                )
            })
            .collect();
        match outdated.len().saturating_sub(MOST_NAMED) {
            0 => {}
            1 => warnings.push("1 more file changed while the build ran".to_owned()),
            more => warnings.push(format!("{more} more files changed while the build ran")),
        }
        warnings
    }
}

impl Use {
    fn is_still(&self, path: &std::path::Path, buffer: &mut Vec<u8>) -> bool {
        if Seen::of(path).is_ok_and(|seen| seen == self.seen) {
            return true;
        }
        let now = measure(path, buffer).map(|now| now.map_or(Content::Absent, |(_, now)| now));
        now.is_ok_and(|now| now == self.content)
    }
}
