//! A word that names no target: what it may have been meant for.
//!
//! Targets are names, not files. Who names a file is told which task makes or reads it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::TOOLS;
use super::packages::spelt_out;
use super::workspace::Workspace;
use crate::error::{Error, listed, nearest, quoted};
use crate::files::normalise;
use crate::graph::{Graph, Input, Task};
use crate::parse::{Taskfile, Whose, read_name, split_pick};
use crate::report::one_line;
use crate::run::readers_by_depfile;

/// The error about a word that names no target. `graph` is what the Taskfile makes, if it makes
/// one; `names` are all that would have been right.
pub(super) fn unknown<'n>(
    name: &str,
    workspace: &Workspace,
    graph: Option<&Graph>,
    names: impl Iterator<Item = &'n str>,
) -> Error {
    let (target, item) = split_pick(name);
    let near = || {
        // A tool of this very name is no target.
        let near = nearest(target, names.filter(|one| *one != target))?;
        Some(item.map_or_else(|| near.to_owned(), |item| format!("{near}@{item}")))
    };
    let tool = TOOLS.contains(&name).then(|| format!("it is a tool: `taskr {name}`"));
    let help = variable(name)
        .or(tool)
        .or_else(|| in_a_package(name, workspace))
        .or_else(|| of_others_packages(name, workspace))
        .or_else(|| file(name, workspace, graph?))
        .or_else(|| other_spelling(name, workspace))
        .or_else(|| Some(format!("did you mean {}?", quoted(&one_line(&near()?)))))
        .or_else(|| elsewhere(target, workspace))
        .or_else(|| special(name).map(str::to_owned))
        .or_else(|| lonely_file(name, workspace))
        .unwrap_or_else(|| "`taskr list` shows all targets".to_owned());
    Error::Usage {
        message: format!("there is no target {}", quoted(&one_line(name))),
        help: Some(help),
    }
}

/// `NAME=VALUE`, as make takes it.
fn variable(name: &str) -> Option<String> {
    let (variable, value) = name.split_once('=')?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = !variable.is_empty() && variable.bytes().all(letters);
    let value = one_line(&shlex::try_quote(value).ok()?);
    is_name.then(|| format!("a variable is set by `-D {variable}={value}`"))
}

/// `@obj`, `obj:src/a.c`, `obj/src/a.c`: a target's name that is written in another way.
fn other_spelling(name: &str, workspace: &Workspace) -> Option<String> {
    if let Some(target) = name.strip_prefix('@').filter(|target| workspace.has_target(target)) {
        return Some(format!("write `{target}`; `@` stands before a name only in `inputs`"));
    }
    let (target, item) = name.split_once([':', '/'])?;
    let several = workspace.package().targets.get(target)?;
    let item = shlex::try_quote(item).ok().filter(|item| !item.is_empty());
    match item {
        Some(item) if several.foreach.is_some() || !several.matrix.is_empty() => {
            Some(format!("did you mean `{target}@{}`?", one_line(&item)))
        }
        _ => Some(format!("did you mean `{target}`?")),
    }
}

/// What to write for a name that begins as one with a package does.
fn in_a_package(name: &str, workspace: &Workspace) -> Option<String> {
    if !name.starts_with(['/', ':', '^']) {
        return None;
    }
    let root = &workspace.taskfile;
    let dirs = || root.packages.iter().map(|one| one.package.dir.as_str());
    let Some(written) = read_name(name) else {
        let dir = name.strip_prefix("//")?.trim_end_matches('/');
        if dir.ends_with("...") {
            return Some(format!("add the name of a target, as in `//{dir}:build`"));
        }
        let file = root.package_in(dir)?;
        let names: Vec<String> = public(file).iter().map(|one| format!("//{dir}:{one}")).collect();
        return Some(listed("that is a package; its targets:", names.iter().map(String::as_str)));
    };
    let start = name.strip_suffix(written.target)?;
    if written.target.is_empty() {
        return Some(format!("add the name of a target, as in `{start}build`"));
    }
    let names = match written.whose {
        Whose::Reached => {
            return Some(format!(
                "`^` means something in a Taskfile only; all of this name are `:{}`",
                written.target
            ));
        }
        Whose::Of(dir) => match root.package_in(dir) {
            Some(file) => public(file),
            None => {
                return Some(match nearest(dir, dirs()) {
                    Some(near) => format!("did you mean `//{near}:{}`?", written.target),
                    None if dirs().next().is_none() => "this workspace has no packages".to_owned(),
                    None => listed("the packages are", dirs().take(8)),
                });
            }
        },
        _ => root.every().flat_map(public).collect(),
    };
    let near = nearest(written.bare(), names.iter().map(String::as_str));
    Some(match (near, written.whose) {
        (Some(near), _) => format!("did you mean `{start}{near}`?"),
        (None, Whose::Of(_)) => {
            let names: Vec<String> = names.iter().map(|one| format!("{start}{one}")).collect();
            listed("the targets of that package are", names.iter().map(String::as_str))
        }
        (None, _) => "`taskr list` shows all targets".to_owned(),
    })
}

/// `ui:test`, `packages/ui:test`, `ui#test`: a package's target as other tools write it.
fn of_others_packages(name: &str, workspace: &Workspace) -> Option<String> {
    let (package, target) = name.rsplit_once(['#', ':'])?;
    let package = package.trim_matches('/');
    let is_it = |file: &&Taskfile| {
        let (dir, own) = (&file.package.dir, file.package.name.as_deref());
        let last = dir.rsplit('/').next();
        !dir.is_empty() && (dir == package || last == Some(package) || own == Some(package))
    };
    let file = workspace.taskfile.packages.iter().find(is_it)?;
    let dir = &file.package.dir;
    let names = public(file);
    let known = || names.iter().map(String::as_str);
    Some(match known().find(|one| *one == target).or_else(|| nearest(target, known())) {
        Some(near) => format!("did you mean `//{dir}:{near}`?"),
        None => {
            let full: Vec<String> = known().map(|one| format!("//{dir}:{one}")).collect();
            listed("the targets of that package are", full.iter().map(String::as_str))
        }
    })
}

/// The names of the targets of a Taskfile that may be built by name.
fn public(file: &Taskfile) -> Vec<String> {
    let public = file.targets.values().filter(|target| !target.private);
    public.map(|target| target.name.clone()).collect()
}

/// A target of that name of another package.
fn elsewhere(target: &str, workspace: &Workspace) -> Option<String> {
    let public = |file: &&Taskfile| file.targets.get(target).is_some_and(|target| !target.private);
    let mut files = workspace.taskfile.every().filter(public);
    let first = files.next()?;
    let one = spelt_out(&first.full_name(target));
    Some(match (first.package.dir.as_str(), files.count()) {
        ("", _) => format!("that of the root is `{one}`"),
        (_, 0) => format!("it is one of another package: `{one}`"),
        (_, more) => format!("{} packages have one: `:{target}`, or `{one}`", more + 1),
    })
}

/// Words that other tools know.
fn special(name: &str) -> Option<&'static str> {
    match name {
        _ if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some("a number stands at its option: `-j4`, `--keep-going=4`")
        }
        "" => Some("an empty word names nothing: is a variable of your shell empty?"),
        "all" => Some("`taskr` without a name builds what `default` names"),
        "version" => Some("`taskr --version` prints the version"),
        "ls" | "tasks" | "targets" => Some("`taskr list` shows all targets"),
        "explain" => Some("`taskr why` says why a target would run"),
        "logs" => Some("`taskr log` shows what a task wrote"),
        _ => None,
    }
}

/// Which task makes this file, or reads it.
fn file(name: &str, workspace: &Workspace, graph: &Graph) -> Option<String> {
    let paths = paths(name, workspace);
    for path in &paths {
        if let Some(id) = graph.makers().of(path) {
            let task = graph.task(id);
            return Some(match task.rule.target.private {
                true => format!("it is made by {}, which is private", shown(task)),
                false => format!("it is made by {}: name that task", shown(task)),
            });
        }
    }
    let exists = |path: &&Vec<u8>| on_disk(path, workspace);
    let path = paths.iter().find(exists).filter(|path| !path.is_empty())?;
    let mut readers = graph.tasks().iter().filter(|task| reads(task, path));
    let Some(first) = readers.next() else { return header(path, workspace, graph) };
    let more = and_more(readers.count());
    Some(format!("it is a source, read by {}{more}: name what is made of it", shown(first)))
}

/// Which task's depfile named this file.
fn header(path: &[u8], workspace: &Workspace, graph: &Graph) -> Option<String> {
    let readers = readers_by_depfile(graph, &workspace.root, &workspace.name, path);
    let (&first, rest) = readers.split_first()?;
    let (task, more) = (shown(graph.task(first)), and_more(rest.len()));
    Some(format!("it is a source, read by {task}{more} (by depfile): name what is made of it"))
}

fn and_more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" and {count} more") }
}

/// A file that means nothing to the Taskfile.
fn lonely_file(name: &str, workspace: &Workspace) -> Option<String> {
    let found = paths(name, workspace).iter().any(|path| on_disk(path, workspace));
    let text = "no task makes or reads this file; `taskr list` shows all targets";
    found.then(|| text.to_owned())
}

/// The path of the workspace that a word names, if something is there.
pub(super) fn existing(name: &str, workspace: &Workspace) -> Option<Vec<u8>> {
    let mut paths = paths(name, workspace).into_iter();
    paths.find(|path| !path.is_empty() && on_disk(path, workspace))
}

/// The path that a word names if it is surely meant as one.
pub(super) fn absent(name: &str, workspace: &Workspace) -> Option<Vec<u8>> {
    paths(name, workspace).into_iter().find(|path| name.contains('/') && !path.is_empty())
}

fn on_disk(path: &[u8], workspace: &Workspace) -> bool {
    workspace.root.join(Path::new(std::ffi::OsStr::from_bytes(path))).symlink_metadata().is_ok()
}

/// The path as it is meant in the current folder, and as it is written in the Taskfile.
fn paths(name: &str, workspace: &Workspace) -> Vec<Vec<u8>> {
    let here = std::env::current_dir().ok();
    let here = here.as_deref().and_then(|here| here.strip_prefix(&workspace.root).ok());
    let bases = here.map(|here| here.as_os_str().as_bytes()).into_iter().chain([&b""[..]]);
    bases.filter_map(|base| normalise(base, name.as_bytes()).ok()).collect()
}

/// Whether the file is named by the task's inputs.
fn reads(task: &Task, file: &[u8]) -> bool {
    let rule = &task.rule;
    rule.lists().into_iter().any(|(_, range)| {
        let list = rule.inputs[range].iter();
        list.fold(false, |reads, input| match &input.value {
            Input::Path { path, .. } => {
                let rest = file.strip_prefix(&path[..]);
                reads || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            }
            Input::Glob { pattern, .. } => reads || pattern.matches_all(file),
            Input::Not(pattern) => reads && !pattern.matches_all(file),
            Input::Outputs { .. } => reads,
        })
    })
}

/// The task's name, ready for a shell.
fn shown(task: &Task) -> String {
    let name = one_line(&task.rule.name);
    shlex::try_quote(&name).map_or_else(|_| quoted(&name), |word| format!("`{word}`"))
}
