//! Under `taskr watch`: what the tasks of a build look at, to see later whether it still is so.

use std::fs::File;
use std::io::Read;

use taskr_cache::{Content, Seen};

use super::Build;
use super::gather::own_patterns;
use crate::files::{Look, Pattern};
use crate::graph::{Graph, Input, Output};
use crate::ids::{FileId, TaskId};
use crate::watch::{Inputs, Near, Stood, is_made};
use crate::workers::Ended;

/// What tasks looked at.
pub(super) struct Noted {
    inputs: Inputs,
    /// Of tasks of which only a depfile tells what they read.
    near: Near,
}

/// So much of a failed task's output is searched for names of files.
const MOST_SEARCHED: u64 = 256 * 1024;

impl Build<'_> {
    /// What wanted tasks declare counts even if this run does not come to them; and what the graph
    /// was made of.
    pub(super) fn note_declared(&mut self) {
        let root = self.root.path();
        let mut noted = Noted { inputs: Inputs::new(root), near: Near::new(root) };
        noted.inputs.note_graph(&self.graph);
        for (id, _) in self.plan.wanted() {
            let rule = &self.graph.task(id).rule;
            if rule.skipped.is_some() {
                continue;
            }
            for (at, input) in rule.inputs.iter().enumerate() {
                match &input.value {
                    Input::Path { path, .. } if !is_made(&self.graph, path) => {
                        noted.inputs.note_now(path);
                    }
                    Input::Glob { pattern, .. } => {
                        let skip = skipped_by(&self.graph, id, at, pattern);
                        noted.inputs.list_now(&self.graph, (pattern, &skip), false);
                    }
                    Input::Path { .. } | Input::Not(_) | Input::Outputs { .. } => {}
                }
            }
            if rule.depfile.is_some() {
                let near = Pattern::tree(&rule.dir);
                noted.near.inputs.list_now(&self.graph, (&near, &[]), true);
            }
        }
        self.noted = Some(noted);
    }

    /// A task looked at a path.
    pub(super) fn note_look(&mut self, file: FileId, look: Look) {
        let Look::Known(seen, content) = look else { return };
        if self.noted.is_none() || is_made(&self.graph, self.paths.bytes(file)) {
            return;
        }
        let settled = seen.is_none_or(|seen| self.is_settled(file, &seen));
        if let Some(noted) = &mut self.noted {
            noted.inputs.note(self.paths.bytes(file), (seen, content), settled);
        }
    }

    /// A path cannot be read.
    pub(super) fn note_unreadable(&mut self, file: FileId) {
        if let Some(noted) = &mut self.noted {
            noted.inputs.note_now(self.paths.bytes(file));
        }
    }

    /// A task listed a pattern.
    pub(super) fn note_list(&mut self, pattern: &Pattern, skip: &[Pattern], found: &[FileId]) {
        let Some(noted) = &mut self.noted else { return };
        let found = found.iter().map(|&file| self.paths.bytes(file));
        let found = found.filter(|path| !is_made(&self.graph, path)).map(<[u8]>::to_vec);
        noted.inputs.note_list(pattern, skip, Some(found.collect()));
    }

    /// A formatter left a path so.
    pub(super) fn note_fixed(&mut self, path: &[u8], now: (Seen, Content)) {
        if let Some(noted) = &mut self.noted {
            noted.inputs.renew(path, (Some(now.0), now.1));
        }
    }

    /// A command failed: what its depfile named all the same, and what its output names.
    pub(super) fn note_failed(&mut self, ended: &Ended) {
        let id = ended.task;
        let log = self.root.absolute(&self.task_dir(id).join("log"));
        let Some(noted) = &mut self.noted else { return };
        if self.graph.task(id).rule.depfile.is_none() {
            return;
        }
        for path in ended.read.iter().filter(|path| !is_made(&self.graph, path)) {
            noted.inputs.note_as(path, &noted.near.inputs);
        }
        let mut output = Vec::new();
        if let Ok(log) = File::open(log) {
            // What cannot be read names nothing.
            let _ = log.take(MOST_SEARCHED).read_to_end(&mut output);
        }
        noted.near.add_output(&output);
    }

    /// All that was noted. The run is over.
    pub(super) fn into_noted(self) -> Option<Stood> {
        let Noted { inputs, near } = self.noted?;
        Some(Stood { inputs, near, graph: self.graph })
    }
}

/// What is taken away from the pattern of an input before other tasks are looked at: its own
/// outputs, and the `!` patterns behind it.
pub(super) fn skipped_by(graph: &Graph, id: TaskId, at: usize, pattern: &Pattern) -> Vec<Pattern> {
    let rule = &graph.task(id).rule;
    let own = |output: &Output| own_patterns(output).into_iter();
    let own = rule.outputs.iter().flat_map(|output| own(&output.value));
    let taken = rule.from_input(at).iter().filter_map(|input| match &input.value {
        Input::Not(pattern) => Some(pattern.clone()),
        _ => None,
    });
    own.filter(|own| own.overlaps(pattern)).chain(taken).collect()
}
