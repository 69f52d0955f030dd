//! Who makes a file: who declares it, or in whose `out/` it lies.

use std::cell::OnceCell;

use rustc_hash::FxHashMap;

use super::open::prefix;
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::outdir::{STATE_DIR, TaskDir};

/// Whose folder is which, relative to the workspace; made on first use.
#[derive(Default)]
pub(super) struct Folders(OnceCell<FxHashMap<Vec<u8>, TaskId>>);

impl Folders {
    /// The task that declares a path as output, or in whose `out/` it lies.
    pub(super) fn maker_of(&self, path: &[u8], graph: &Graph, taskfile: &[u8]) -> Option<TaskId> {
        let declared = graph.makers().of(path);
        declared.or_else(|| self.owner_of_out(path, graph, taskfile))
    }

    fn owner_of_out(&self, path: &[u8], graph: &Graph, taskfile: &[u8]) -> Option<TaskId> {
        let below = path.strip_prefix(STATE_DIR.as_bytes())?;
        let end = below.windows(5).position(|bytes| bytes == b"/out/")?;
        let folders = self.0.get_or_init(|| {
            let tasks = graph.tasks().enumerate();
            let folder = |name: &str| TaskDir::new(prefix(taskfile), name).path().to_vec();
            tasks.map(|(id, task)| (folder(&task.rule.name), id)).collect()
        });
        folders.get(&path[..STATE_DIR.len() + end]).copied()
    }
}
