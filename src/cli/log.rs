//! `taskr log T`: what a task wrote when it last ran.

use std::fs::File;
use std::io::{self, Write};

use super::End;
use super::args::Log;
use super::workspace::Workspace;
use crate::error::Error;
use crate::outdir::{Root, TaskDir};
use crate::run::find;

pub(super) fn log(args: &Log, workspace: &Workspace) -> Result<End, Error> {
    workspace.check_names(args.targets.iter())?;
    let jobs = workspace.jobs(None)?;
    let graph = workspace.loader(&args.common, jobs)?()?;
    let root = Root::open(&workspace.root).map_err(|cause| Error::Io {
        doing: "cannot open".to_owned(),
        path: workspace.root.clone(),
        cause,
    })?;
    let mut ids = Vec::new();
    for name in &args.targets {
        ids.extend(find(&graph, name)?);
    }
    let tasks = graph.without_groups(&ids);
    let mut out = io::stdout().lock();
    let mut found = false;
    for &id in &tasks {
        let dir = TaskDir::new(workspace.prefix(), graph.name(id));
        let Ok(mut file) = File::open(root.absolute(&dir.join("log"))) else { continue };
        found = true;
        let header =
            if tasks.len() > 1 { format!("==> {} <==\n", graph.name(id)) } else { String::new() };
        // A reader that has gone needs no more.
        if out.write_all(header.as_bytes()).and_then(|()| io::copy(&mut file, &mut out)).is_err() {
            return Ok(End::Code(0));
        }
    }
    if found {
        return Ok(End::Code(0));
    }
    Err(Error::Usage {
        message: format!("`{}` has no log: it has not run here yet", args.targets.join(", ")),
        help: None,
    })
}
