//! What no task may declare as output: all of the workspace, and what is another package's.

use super::rule::{Output, Rule};
use crate::error::Diagnostic;
use crate::outdir::{dir_of, is_within};

/// A task cannot own the whole workspace, or the whole of its package.
pub(super) fn outputs_of_the_whole(rule: &Rule) -> Option<Diagnostic> {
    let package = rule.target.package().as_bytes();
    let whole = rule.outputs.iter().find(|output| match &output.value {
        Output::Path(path) => path == package,
        Output::Glob(pattern) => {
            let rest = pattern.text().strip_prefix(package).unwrap_or_default();
            matches!(rest.strip_prefix(b"/").unwrap_or(rest), b"**" | b"**/*")
        }
    })?;
    let what = if package.is_empty() { "workspace" } else { "package" };
    Some(
        Diagnostic::error(format!("`{}` would own the whole {what}", rule.name))
            .at(whole.place.clone(), "matches every file")
            .help("name the folder that the command writes, as in `outputs = [\"dist/**\"]`"),
    )
}

/// What a package writes lies in its folder.
pub(super) fn outputs_of_others(rule: &Rule) -> Option<Diagnostic> {
    let package = rule.target.package();
    let is_within = |path: &[u8]| is_within(path, package.as_bytes());
    if package.is_empty() {
        return None;
    }
    let outputs = rule.outputs.iter().map(|output| match &output.value {
        Output::Path(path) => (&path[..], &output.place),
        Output::Glob(pattern) => (pattern.base(), &output.place),
    });
    let installs = rule.installs.iter().map(|path| (&path.value[..], &path.place));
    let (path, place) = outputs.chain(installs).find(|(path, _)| !is_within(path))?;
    Some(
        Diagnostic::error(format!("`{}` would write outside of its package", rule.name))
            .at(place.clone(), format!("lies in {}/", folder_of(path)))
            .note(format!("outputs of this package lie in {package}/"))
            .help("move the target to the Taskfile of that folder, or write within the package"),
    )
}

fn folder_of(path: &[u8]) -> String {
    match dir_of(path) {
        b"" => ".".to_owned(),
        dir => crate::outcome::shown(dir),
    }
}
