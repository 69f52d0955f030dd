//! `taskr list`: the targets of the Taskfile. Reads nothing else.

use std::io::Write;

use super::args::List;
use super::workspace::Workspace;
use super::{End, TOOLS};
use crate::error::Error;

pub(super) fn list(_args: &List, workspace: &Workspace) -> Result<End, Error> {
    let targets = workspace.taskfile.targets.values().filter(|target| !target.private);
    let rows: Vec<(&str, String)> = targets
        .map(|target| {
            let mut doc = target.doc.clone().unwrap_or_default();
            if TOOLS.contains(&target.name.as_str()) {
                let hides = format!("(hides a tool: `taskr tool {}`)", target.name);
                doc = if doc.is_empty() { hides } else { format!("{doc} {hides}") };
            }
            (target.name.as_str(), doc)
        })
        .collect();
    let wide = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for (name, doc) in rows {
        let line = format!("{name:wide$}  {}", crate::report::one_line(&doc));
        // A reader that has gone needs no more.
        if writeln!(out, "{}", line.trim_end()).is_err() {
            break;
        }
    }
    Ok(End::Code(0))
}
