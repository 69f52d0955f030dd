//! `taskr cache export` and `import`: results as a file, from one machine to the next.
//!
//! What is exported is what the records of this workspace stand on now, so that the cache of a CI
//! holds what its last runs used, and nothing else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use serde_json::json;
use taskr_cache::{Admin, Digest, Exported, StoreError};

use super::super::End;
use super::super::amounts::{count, size};
use super::super::args::Cache;
use super::super::create::{EXPORT, create_whole};
use super::super::out::FirstError;
use super::super::signals::outlive_large_files;
use super::super::workspace::Workspace;
use super::{answer, failed, told, warn};
use crate::error::Error;
use crate::graph::Graph;
use crate::record;
use crate::report::one_line;
use crate::run::StoreAt;

pub(super) fn export(
    args: &Cache,
    workspace: &Workspace,
    at: &StoreAt,
    admin: &Admin,
) -> Result<End, Error> {
    outlive_large_files();
    let path = args.carried.as_deref().unwrap_or(Path::new("-"));
    let keys = keys(workspace);
    let to_stdout = path == Path::new("-");
    let (exported, shown) = match to_stdout {
        true => {
            let exported = write(admin, &keys, io::stdout().lock(), "stdout", at)?;
            (exported, "stdout".to_owned())
        }
        false => {
            let shown = one_line(&path.display().to_string());
            let mut whole = create_whole(path, &EXPORT)?;
            let exported = write(admin, &keys, whole.file(), &shown, at)?;
            whole.keep().map_err(|cause| Error::Output { to: shown.clone(), cause })?;
            (exported, shown)
        }
    };
    let text = || {
        let what = count(exported.entries, "result", "results");
        let mut text = format!("exported {what} to {shown} ({})\n", size(exported.bytes));
        if exported.missing > 0 {
            let missing = count(exported.missing, "task has", "tasks have");
            text.push_str(&format!("{missing} nothing in the store: not stored, or gone since\n"));
        }
        text
    };
    let json = || {
        json!({
            "records": keys.len(),
            "entries": exported.entries,
            "blobs": exported.blobs,
            "bytes": exported.bytes,
            "missing": exported.missing,
        })
    };
    if to_stdout {
        // What stdout has is the export.
        let _ = io::stderr().write_all(answer(args, text, json).as_bytes());
        return Ok(End::Code(0));
    }
    told(args, text, json)
}

/// The keys of all records of the workspace, whichever Taskfile they are of, but of tasks of which
/// nothing is ever kept. One whose results may be used in any place has two.
fn keys(workspace: &Workspace) -> BTreeSet<Vec<Digest>> {
    let state = workspace.state();
    let (names, graph) = (workspace.names(), graph(workspace));
    let rule = |id: &[u8]| {
        let (name, graph) = names.task(id).zip(graph.as_ref())?;
        Some(&graph.task(graph.find(name)?).rule)
    };
    let mut keys = BTreeSet::new();
    for (id, record) in record::read_all(&state).filter(|(_, record)| !record.unstable) {
        let rule = rule(id);
        if rule.is_some_and(|rule| !rule.may_be_kept()) {
            continue;
        }
        let anywhere = rule.is_some_and(|rule| rule.target.policy.relocatable);
        let anywhere = anywhere.then(|| record.manifest.key_anywhere());
        keys.insert(anywhere.into_iter().chain([record.key]).collect());
    }
    keys
}

/// The tasks of the Taskfile. One that is wrong keeps nobody from carrying results.
fn graph(workspace: &Workspace) -> Option<Graph> {
    workspace.loader_with(&[], &[], 1).and_then(|load| load()).ok()
}

fn write(
    admin: &Admin,
    keys: &BTreeSet<Vec<Digest>>,
    to: impl Write,
    shown: &str,
    at: &StoreAt,
) -> Result<Exported, Error> {
    let first = FirstError::default();
    let mut to = BufWriter::new(first.of(to));
    let exported = admin.export(keys, &mut to);
    // What it holds still was either flushed, or is of an export that failed.
    drop(to.into_parts());
    match (exported, first.into_cause()) {
        (_, Some(cause)) => Err(Error::Output { to: shown.to_owned(), cause }),
        (Err(error), None) => Err(failed("cannot export from the store", &at.dir, error)),
        (Ok(exported), None) => Ok(exported),
    }
}

pub(super) fn import(args: &Cache, at: &StoreAt, admin: &Admin) -> Result<End, Error> {
    let path = args.carried.as_deref().unwrap_or(Path::new("-"));
    let (imported, shown) = match path == Path::new("-") {
        true => (admin.import(&mut BufReader::new(io::stdin().lock())), "stdin".to_owned()),
        false => {
            let file = File::open(path).map_err(|cause| Error::Io {
                doing: "cannot read".to_owned(),
                path: path.to_owned(),
                cause,
            })?;
            let shown = one_line(&path.display().to_string());
            (admin.import(&mut BufReader::new(file)), shown)
        }
    };
    let imported = imported.map_err(|error| match error {
        StoreError::Refused(why) => Error::Usage {
            message: format!("cannot import {shown}: {why}"),
            help: Some("`taskr cache export FILE` makes what can be imported".to_owned()),
        },
        error => failed("cannot import into the store", &at.dir, error),
    })?;
    warn(imported.warning.as_deref());
    let text = || {
        let what = count(imported.entries, "result", "results");
        let mut text = format!("imported {what} from {shown} ({})\n", size(imported.bytes));
        if imported.known > 0 {
            let known = count(imported.known, "result was", "results were");
            text.push_str(&format!("{known} there already\n"));
        }
        if imported.incomplete > 0 {
            let left = count(imported.incomplete, "result lacks", "results lack");
            text.push_str(&format!("{left} a file: left out\n"));
        }
        text
    };
    let json = || {
        json!({
            "entries": imported.entries,
            "known": imported.known,
            "incomplete": imported.incomplete,
            "bytes": imported.bytes,
        })
    };
    told(args, text, json)
}
