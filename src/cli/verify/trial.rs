//! One build in a copy of the workspace, with nothing from the store: what it recorded, and how long
//! it took.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use taskr_cache::Digest;

use super::super::args::Verify;
use super::super::build::plain_request;
use super::super::signals::messages_with_signals;
use super::super::terminal::Colours;
use super::super::workspace::Workspace;
use crate::error::Error;
use crate::outcome::{Event, Record};
use crate::record;
use crate::report::{Lines, Listener as _, Mode, Options};
use crate::run::{Request, run};

/// What a build in a copy came to.
pub(super) struct Trial {
    /// Where the copy is.
    pub(super) root: PathBuf,
    /// What each recorded task left.
    pub(super) records: BTreeMap<String, Record>,
    /// How long all of it took.
    pub(super) wall_ms: u64,
    /// How long its commands took together.
    pub(super) work_ms: u64,
}

/// How a build in a copy ended.
pub(super) enum Built {
    /// All tasks succeeded.
    Whole(Trial),
    /// One did not, which was told on stderr: the keys under which tasks failed.
    Failed(BTreeMap<String, Digest>),
}

/// How tasks are built in a copy.
pub(super) struct How<'h> {
    pub(super) args: &'h Verify,
    /// The Taskfile's name.
    pub(super) taskfile: &'h [u8],
    pub(super) wanted: &'h [String],
    /// As a build here would have it: what the Taskfile is told.
    pub(super) jobs: usize,
}

impl How<'_> {
    /// Builds what is wanted in the copy at `root`, so many tasks at once.
    ///
    /// # Errors
    /// What stops the whole build; a signal.
    pub(super) fn build(&self, root: &Path, jobs: usize) -> Result<Built, Error> {
        let name = OsStr::from_bytes(self.taskfile);
        let copy = Workspace::find(Some(root.as_os_str()), Some(name))?;
        let load = copy.loader(&self.args.common, self.jobs)?;
        let request = Request {
            wanted: self.wanted.to_vec(),
            private: true,
            most_failures: Some(1),
            ..plain_request(&copy, &load, jobs, "taskr verify")?
        };
        let colour = Colours::choose(&self.args.common.color).err;
        let options = Options { mode: Mode::Failed, verbosity: -1, colour, terminal: false };
        let mut lines = Lines::new(options, io::stderr(), io::stderr());
        let mut listen = |event: &Event<'_>| lines.event(event);
        let summary = run(&request, &messages_with_signals(&copy)?, &mut listen)?;
        if let Some(signal) = summary.signal {
            return Err(Error::Interrupted(signal));
        }
        let (state, names) = (copy.state(), copy.names());
        if summary.exit_code() != 0 {
            let key = |task: &crate::graph::Task| {
                let name = &task.rule.name;
                Some((name.clone(), record::failed_key(&state, &names.id(name))?))
            };
            return Ok(Built::Failed(load()?.tasks().iter().filter_map(key).collect()));
        }
        let records = record::read_all(&state)
            .filter_map(|(id, record)| Some((names.task(id)?.to_owned(), record)));
        Ok(Built::Whole(Trial {
            root: copy.root.clone(),
            records: records.collect(),
            wall_ms: summary.wall_ms,
            work_ms: summary.work_ms,
        }))
    }
}
