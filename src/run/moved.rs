//! Inputs that change while the build runs: which files they are, what a person is told and what
//! to write, and which tasks used what is no longer there.
//!
//! That an input moved while its task ran is found by the worker; here it only gets a name.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use taskr_cache::{Content, Seen, measure, spread};

use super::commit::MOST_NAMED;
use super::{Build, Running};
use crate::files::{Pattern, list, open_folder};
use crate::graph::{Input, Rule};
use crate::ids::{FileId, Id, IdVec, Paths, TaskId};
use crate::outcome::shown;
use crate::outdir::{Root, dir_of};

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

/// Files of one folder that one thread asks for in one go, and how many goes it has at least.
const AT_ONCE: usize = 64;
const LEAST_GOES: usize = 8;

/// So many files are worth a thread beside that which writes the state.
const MANY: usize = 512;

/// What the tasks recorded in this run had read.
#[derive(Debug, Default)]
pub(super) struct Used {
    all: Vec<(FileId, Use)>,
    /// Where each file stands in `all`, counted from 1; 0 if it does not.
    places: IdVec<FileId, usize>,
}

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
        self.places.grow(file.index() + 1);
        if self.places[file] == 0 {
            self.all.push((file, Use { seen, content, tasks: 0, outdated: 0 }));
            self.places[file] = self.all.len();
        }
        let used = &mut self.all[self.places[file] - 1].1;
        if used.content != content {
            used.outdated += std::mem::take(&mut used.tasks);
        }
        (used.seen, used.content) = (seen, content);
        used.tasks += 1;
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
        let folder = |file: FileId| dir_of(paths.bytes(file));
        let goes = self.all.chunk_by(|(one, _), (next, _)| folder(*one) == folder(*next));
        let goes: Vec<_> = goes.flat_map(|files| files.chunks(AT_ONCE)).collect();
        let outdated = spread(&goes, LEAST_GOES, |go, buffer: &mut Vec<u8>| {
            let file = go.first().map(|(file, _)| *file);
            let dir = file.and_then(|file| open_folder(&root.absolute(folder(file))));
            let tasks = |(file, used): &(FileId, Use)| {
                let path = paths.bytes(*file);
                let still = used.is_still((dir.as_ref(), path), root, buffer);
                (path, used.outdated + if still { 0 } else { used.tasks })
            };
            go.iter().map(tasks).filter(|(_, tasks)| *tasks > 0).collect::<Vec<_>>()
        });
        let mut outdated = outdated.concat();
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
    /// Whether the path, which lies in that folder if it could be opened, still holds this.
    fn is_still(
        &self,
        (dir, path): (Option<&OwnedFd>, &[u8]),
        root: &Root,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let name = Path::new(OsStr::from_bytes(path)).file_name();
        let seen = match (dir, name) {
            (Some(dir), Some(name)) => Seen::at(dir.as_fd(), Path::new(name)),
            _ => Seen::of(&root.absolute(path)),
        };
        if seen.is_ok_and(|seen| seen == self.seen) {
            return true;
        }
        let now = measure(&root.absolute(path), buffer)
            .map(|now| now.map_or(Content::Absent, |(_, now)| now));
        now.is_ok_and(|now| now == self.content)
    }
}
