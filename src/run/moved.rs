//! Inputs that change while the build runs: which files they are, what a person is told and what
//! to write, and which tasks used what is no longer there.
//!
//! That an input moved while its task ran is found by the worker; here it only gets a name.

use std::io;
use std::time::Instant;

use taskr_cache::{Content, Seen, measure};

use super::commit::MOST_NAMED;
use super::{Build, Running};
use crate::files::{Pattern, ask_again, list};
use crate::graph::{Input, Rule};
use crate::ids::{FileId, Id, IdVec, Paths, TaskId};
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

/// So many files are worth a thread beside that which writes the state.
const MANY: usize = 512;

/// What the tasks recorded in this run had read.
#[derive(Debug, Default)]
pub(super) struct Used {
    all: Vec<(FileId, Use)>,
    /// Where each file stands in `all`, counted from 1; 0 if it does not.
    places: IdVec<FileId, usize>,
}

/// What a task read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) seen: Option<Seen>,
    pub(super) content: Content,
    /// If that was asked for again after the task's command, and nothing else was at work: when the
    /// command was started.
    pub(super) asked: Option<Instant>,
}

#[derive(Debug)]
struct Use {
    last: Reading,
    /// How many tasks used this content.
    tasks: usize,
    /// How many used an older one.
    outdated: usize,
}

impl Used {
    /// One more task used this.
    pub(super) fn note(&mut self, file: FileId, reading: Reading) {
        self.places.grow(file.index() + 1);
        if self.places[file] == 0 {
            self.all.push((file, Use { last: reading, tasks: 0, outdated: 0 }));
            self.places[file] = self.all.len();
        }
        let used = &mut self.all[self.places[file] - 1].1;
        if used.last.content != reading.content {
            used.outdated += std::mem::take(&mut used.tasks);
        }
        used.last = reading;
        used.tasks += 1;
    }

    /// Does without another look at what was asked for since the last command was started, at `begun`,
    /// and is to be told of by nobody.
    pub(super) fn forget_asked_since(&mut self, begun: Instant) {
        self.places = IdVec::default();
        self.all.retain(|(_, used)| used.outdated > 0 || used.last.asked != Some(begun));
    }

    /// As [`Used::outdated`], if anything is asked, while this thread does something else.
    pub(super) fn outdated_while<T>(
        &self,
        paths: &Paths,
        root: &Root,
        asks: bool,
        other: impl FnOnce() -> T,
    ) -> (T, Vec<String>) {
        if !asks {
            return (other(), Vec::new());
        }
        if self.all.len() < MANY {
            return (other(), self.outdated(paths, root));
        }
        std::thread::scope(|scope| {
            let look = || self.outdated(paths, root);
            let thread = std::thread::Builder::new().spawn_scoped(scope, look);
            let done = other();
            // One that could not be started, or broke, is done without.
            let outdated = thread.ok().and_then(|thread| thread.join().ok());
            (done, outdated.unwrap_or_else(look))
        })
    }

    /// Warnings about files that are not what tasks of this run read. One question to the disk
    /// for each file.
    fn outdated(&self, paths: &Paths, root: &Root) -> Vec<String> {
        let count = |(file, used): &(FileId, Use), now, buffer: &mut Vec<u8>| {
            let path = paths.bytes(*file);
            let still = used.is_still(now, (root, path), buffer);
            (path, used.outdated + if still { 0 } else { used.tasks })
        };
        let mut outdated = ask_again(root.path(), &self.all, |(file, _)| paths.bytes(*file), count);
        outdated.retain(|(_, tasks)| *tasks > 0);
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
    /// Whether the path, at which this stands now, still holds what was read.
    fn is_still(
        &self,
        now: io::Result<Option<Seen>>,
        (root, path): (&Root, &[u8]),
        buffer: &mut Vec<u8>,
    ) -> bool {
        if now.is_ok_and(|now| now == self.last.seen) {
            return true;
        }
        let now = measure(&root.absolute(path), buffer)
            .map(|now| now.map_or(Content::Absent, |(_, now)| now));
        now.is_ok_and(|now| now == self.last.content)
    }
}
