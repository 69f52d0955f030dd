//! `taskr hook run`: what git's script calls. The targets of a hook, as far as what git is about
//! to do reaches them.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use clap::Parser;

use super::super::End;
use super::super::args::{Build, Hook};
use super::super::build::{More, build_with};
use super::super::out::print;
use super::super::packages::spelt_out;
use super::super::workspace::Workspace;
use super::restage::Restage;
use super::{check_names, script};
use crate::error::Error;
use crate::git::Repository;
use crate::outcome::Changes;

/// What tasks are told: the hook's name, and with a number behind it each thing that git passed.
const HOOK_VAR: &str = "TASKR_HOOK";

/// Hooks whose first argument is the file of a message.
const OF_MESSAGES: [&str; 3] = ["applypatch-msg", "commit-msg", "prepare-commit-msg"];

/// More is not read of what git writes to `pre-push`, in bytes.
const MOST_READ: u64 = 1 << 20;

pub(super) fn run(args: Hook, workspace: &Workspace, typed: &str) -> Result<End, Error> {
    let mut words = args.names.iter().chain(&args.args);
    let name = words.next().map(|word| script::name(word)).ok_or_else(|| Error::Usage {
        message: "which hook?".to_owned(),
        help: Some("write `taskr hook run pre-commit`".to_owned()),
    })?;
    check_names(std::slice::from_ref(&name))?;
    let targets = workspace.of_hook(&name)?;
    if targets.is_empty() {
        print(format!("{name}: [hooks] of the Taskfile has nothing for it\n").as_bytes())?;
        return Ok(End::Code(0));
    }
    let passed: Vec<OsString> = words.cloned().collect();
    let mut build = Build::try_parse_from(["taskr"])
        .map_err(|error| Error::Usage { message: error.to_string(), help: None })?;
    build.targets = targets.iter().map(|name| spelt_out(name)).collect();
    build.common = args.common;
    let mut restage = None;
    let changes = match name.as_str() {
        "pre-commit" | "pre-merge-commit" => {
            let changes = staged(workspace)?;
            restage = Restage::before(workspace, &build.common, &targets, &changes.paths)?;
            Some(changes)
        }
        "pre-push" => match pushed(workspace)? {
            Pushed::Nothing => return Ok(End::Code(0)),
            Pushed::Since(changes) => Some(changes),
            Pushed::Unknown => None,
        },
        _ => None,
    };
    let env = told(&name, &passed);
    let end = build_with(&build, workspace, typed, More { changes, env, ..More::default() })?;
    match (restage, end) {
        (Some(restage), End::Code(0)) => restage.after()?,
        (Some(restage), _) => restage.after_failure()?,
        (None, _) => {}
    }
    Ok(end)
}

fn staged(workspace: &Workspace) -> Result<Changes, Error> {
    let paths = Repository::of(&workspace.root)?.staged()?;
    Ok(Changes { by: vec!["--staged".to_owned()], paths })
}

/// What a push brings to the other side.
enum Pushed {
    /// Branches are only removed there.
    Nothing,
    /// The files that differ from what it has.
    Since(Changes),
    /// It has nothing to compare with, or another commit than the present one is pushed.
    Unknown,
}

/// By the lines that git writes: local name and commit, the other side's name and commit.
fn pushed(workspace: &Workspace) -> Result<Pushed, Error> {
    let mut text = String::new();
    if !io::stdin().is_terminal() {
        let read = io::stdin().take(MOST_READ).read_to_string(&mut text);
        if read.is_err() {
            return Ok(Pushed::Unknown);
        }
    }
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    if lines.is_empty() {
        return Ok(Pushed::Unknown);
    }
    let repository = Repository::of(&workspace.root)?;
    let present = repository.commit("HEAD")?;
    let mut changes = Changes::default();
    let is_none = |commit: &str| commit.bytes().all(|byte| byte == b'0');
    for line in &lines {
        let [_, local, _, remote] = line[..] else { return Ok(Pushed::Unknown) };
        if is_none(local) {
            continue;
        }
        let known = !is_none(remote) && repository.commit(remote)?.is_some();
        if !known || present.as_deref() != Some(local) {
            return Ok(Pushed::Unknown);
        }
        changes.by.push(format!("--since {remote}"));
        changes.paths.extend(repository.changed_since(remote)?);
    }
    changes.paths.sort_unstable();
    changes.paths.dedup();
    Ok(if changes.by.is_empty() { Pushed::Nothing } else { Pushed::Since(changes) })
}

/// Variables for the tasks.
fn told(hook: &str, passed: &[OsString]) -> Vec<(OsString, OsString)> {
    let here = std::env::current_dir().unwrap_or_default();
    let numbered = passed.iter().enumerate().map(|(at, word)| {
        // Tasks may run in another folder than git's.
        let is_file = at == 0 && OF_MESSAGES.contains(&hook);
        let word = if is_file { here.join(Path::new(word)).into() } else { word.clone() };
        (OsString::from(format!("{HOOK_VAR}_{}", at + 1)), word)
    });
    std::iter::once((HOOK_VAR.into(), OsStr::new(hook).into())).chain(numbered).collect()
}
