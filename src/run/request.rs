//! What a run is asked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Ask, Lasting, StoreAt};
use crate::error::Error;
use crate::graph::{Asks, Graph};
use crate::jobserver::Pool;
use crate::outcome::{Changes, Gate};
use crate::parse;
use crate::process::Console;

/// Which tasks run although they are fresh.
#[derive(Clone, Debug, Default)]
pub enum Force {
    /// None.
    #[default]
    No,
    /// All that is wanted, and all they need.
    All,
    /// These, by name.
    Only(Vec<String>),
}

/// What a run is asked for.
pub struct Request<'a> {
    /// The workspace, absolute.
    pub root: PathBuf,
    /// The Taskfile's name, relative to the workspace: records are kept by it.
    pub taskfile: Vec<u8>,
    /// The Taskfiles and manifests that say what packages are, relative to the workspace, each with
    /// a folder of such a package.
    pub sources: Vec<(Vec<u8>, String)>,
    /// Makes the graph; asked again when the files it listed may have changed.
    pub load: &'a dyn Fn() -> Result<Graph, Error>,
    /// What the graph's variables ask of commands.
    pub asks: Arc<Asks>,
    /// Names of targets and tasks.
    pub wanted: Vec<String>,
    /// The pipelines that `wanted` may name.
    pub pipelines: Vec<parse::Pipeline>,
    /// Of these only such tasks, and what they need, by name; none: all.
    pub only: Option<Vec<String>>,
    /// Whether private targets may be named, too.
    pub private: bool,
    /// Only what these can reach is built; none means all that is wanted.
    pub changes: Option<Changes>,
    /// How many may run at once; at least 1.
    pub jobs: usize,
    /// The job server of whoever called; none if this run is one itself.
    pub shared: Option<Pool>,
    /// Nothing starts above this load of the machine, unless nothing runs.
    pub most_load: Option<f64>,
    /// `-k`: a failure ends no pipeline.
    pub keep_going: bool,
    /// After so many failures nothing new starts; none means never.
    pub most_failures: Option<usize>,
    /// The same once more than such a part of what ran has failed, from 0 to 1.
    pub most_failure_rate: Option<f64>,
    /// Whether the names of `wanted` were typed; else the Taskfile has them.
    pub typed: bool,
    /// How long the whole run may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// `-n`: change nothing.
    pub dry_run: bool,
    /// `-B`.
    pub force: Force,
    /// Trust no stamp.
    pub rehash: bool,
    /// Where results are kept that may be restored; none: nowhere.
    pub store: Option<StoreAt>,
    /// Limits for the run itself.
    pub gates: Vec<Gate>,
    /// Warnings of tasks are failures, and so are failures that are allowed.
    pub strict: bool,
    /// Wait for another taskr in this workspace.
    pub wait: bool,
    /// The caller's environment.
    pub env: BTreeMap<OsString, OsString>,
    /// This program, for the guard.
    pub taskr: PathBuf,
    /// What was typed, for those who wait.
    pub command_line: String,
    /// Whether the listener wants output while tasks run.
    pub stream: bool,
    /// Set if that all is up to date may be proved to who asks the same.
    pub ask: Option<Ask<'a>>,
    /// What of taskr's own streams interactive tasks get.
    pub console: Console,
    /// Whether the listener wants to know how long taskr's own stages take.
    pub timed: bool,
    /// Whether the process ends after this run: what its end frees at once is left to it.
    pub is_last: bool,
    /// Set under `taskr watch`: what outlives this build.
    pub lasting: Option<&'a Lasting>,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("root", &self.root).field("wanted", &self.wanted).finish()
    }
}
