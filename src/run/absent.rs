//! What to say of an input that gives no file: asked only when a task fails because of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::Build;
use crate::error::{Diagnostic, nearest};
use crate::files::{Pattern, relative_to};
use crate::graph::Ref;
use crate::ids::TaskId;
use crate::outcome::shown;

/// Of a larger folder only so many names are compared.
const MOST_NAMES: usize = 10_000;

impl Build<'_> {
    /// A plain path at which nothing stands.
    pub(super) fn absent_path(&self, id: TaskId, path: &[u8]) -> Diagnostic {
        let word = relative_to(&self.graph.task(id).rule.dir, path);
        let name = shown(&word);
        let advice = if self.graph.find(&name).is_some() {
            format!("`{name}` is a target, and `@{name}` are its outputs")
        } else if let Some(near) = self.neighbour(path, &word) {
            format!("did you mean `{near}`?")
        } else {
            format!("write `?{name}` if it may be absent")
        };
        Diagnostic::error(format!("its input {} does not exist", shown(path))).help(advice)
    }

    /// The file of the same folder whose name is nearest, as it would be written.
    fn neighbour(&self, path: &[u8], word: &[u8]) -> Option<String> {
        let dir = crate::outdir::dir_of(path);
        let file = std::str::from_utf8(path.get(dir.len()..)?).ok()?.trim_start_matches('/');
        let entries = std::fs::read_dir(self.root.path().join(OsStr::from_bytes(dir))).ok()?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(MOST_NAMES).collect();
        names.sort_unstable();
        let near = nearest(file, names.iter().map(String::as_str))?;
        let before = word.strip_suffix(file.as_bytes())?;
        Some(shown(&[before, near.as_bytes()].concat()))
    }

    /// A reference to tasks of which no file is there.
    pub(super) fn absent_outputs(
        &self,
        at: (TaskId, usize),
        of: &Ref,
        only: Option<&Pattern>,
    ) -> Diagnostic {
        let (name, tasks) = (&of.text, &self.graph.task(at.0).sources[at.1]);
        let tasks = self.graph.without_groups(tasks);
        let declares = tasks.iter().any(|&task| !self.graph.task(task).rule.outputs.is_empty());
        match only {
            Some(only) => Diagnostic::error(format!(
                "its input @{name}: no output of `{name}` matches {}",
                shown(only.text())
            )),
            None if declares => Diagnostic::error(format!("its input @{name} gives no file")),
            None => Diagnostic::error(format!(
                "its input @{name} gives no file: `{name}` declares no outputs"
            ))
            .help(format!("to only wait for it, write `deps = [\"{name}\"]`")),
        }
    }
}
