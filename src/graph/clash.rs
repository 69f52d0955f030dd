//! Refuses what two tasks write where it could be the same file or lie inside one another: outputs,
//! what they install, depfiles.

use std::sync::Arc;

use super::ancestors;
use super::rule::{Output, Rule};
use crate::error::{Diagnostic, Place};
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::outdir::is_within;

/// One declared output.
pub(super) struct Declared {
    pub(super) output: Output,
    /// It is what the command writes its dependencies to.
    pub(super) is_depfile: bool,
    pub(super) task: TaskId,
    pub(super) place: Option<Place>,
}

impl Declared {
    /// What everything it can match begins with.
    fn begin(&self) -> &[u8] {
        match &self.output {
            Output::Path(path) => path,
            Output::Glob(pattern) => pattern.fixed(),
        }
    }

    fn meets(&self, other: &Declared) -> bool {
        match (&self.output, &other.output) {
            (Output::Path(a), Output::Path(b)) => {
                ancestors(a).any(|path| path == b) || ancestors(b).any(|path| path == a)
            }
            (Output::Glob(a), Output::Glob(b)) => a.overlaps(b),
            (Output::Path(path), Output::Glob(glob)) | (Output::Glob(glob), Output::Path(path)) => {
                glob.matches_all(path) || is_within(glob.base(), path) || glob.names_folder(path)
            }
        }
    }
}

/// One diagnostic for each pair of tasks that clash, at most for each task once. Sorted by what
/// they begin with, so that only those are compared of which one begins as all of the other: n log n
/// for outputs that do not nest, for patterns of one folder, too.
pub(super) fn find<'a>(
    mut declared: Vec<Declared>,
    rule: impl Fn(TaskId) -> &'a Rule,
) -> Vec<Diagnostic> {
    declared.sort_by(|a, b| a.begin().cmp(b.begin()));
    let mut clashes = Vec::new();
    let mut open: Vec<&Declared> = Vec::new();
    for one in &declared {
        while open.last().is_some_and(|other| !one.begin().starts_with(other.begin())) {
            open.pop();
        }
        let others = open.iter().filter(|other| other.task != one.task);
        if let Some(other) = others.into_iter().find(|other| other.meets(one)) {
            clashes.push(tell(other, one, &rule));
        }
        open.push(one);
    }
    clashes
}

fn tell<'a>(a: &Declared, b: &Declared, rule: impl Fn(TaskId) -> &'a Rule) -> Diagnostic {
    let (first, second) = if a.task <= b.task { (a, b) } else { (b, a) };
    let text = |one: &Declared| shown(one.output.text());
    let same = first.output.text() == second.output.text();
    let (one, other) = (&rule(first.task).name, &rule(second.task).name);
    let message = match same {
        true => format!("`{one}` and `{other}` both write {}", text(first)),
        false => format!(
            "outputs of `{one}` and `{other}` overlap: {} and {}",
            text(first),
            text(second)
        ),
    };
    let diagnostic = match first.place == second.place {
        true => Diagnostic::error(message)
            .at(first.place.clone(), format!("written by `{one}` and by `{other}`")),
        false => Diagnostic::error(message)
            .at(second.place.clone(), format!("written by `{other}`"))
            .also(first.place.clone(), format!("written by `{one}`")),
    };
    diagnostic.help(match first.is_depfile || second.is_depfile {
        true => "each task needs one of its own: leave `depfile` out and let the command write to \
                 `{{ depfile }}`"
            .to_owned(),
        false => help(rule(first.task), rule(second.task)),
    })
}

/// What to write instead. Tasks of one target have the same text: it must name what they differ
/// in.
fn help(one: &Rule, other: &Rule) -> String {
    if one.target.name == other.target.name && one.scope.profile() != other.scope.profile() {
        return "each profile has tasks of its own: name it in the path, as in\n\
                outputs = [\"bin/{{ profile }}/app\"]"
            .to_owned();
    }
    if !Arc::ptr_eq(&one.target, &other.target) {
        return "give each task outputs of its own, or make one task write them all".to_owned();
    }
    let differs = |axis: &&str| one.scope.axis(axis) != other.scope.axis(axis);
    if let Some(axis) = one.scope.axes().find(differs) {
        return format!(
            "name the axis in it, as in outputs = [\"{{{{ matrix.{axis} }}}}/report.xml\"]"
        );
    }
    let item = |rule: &Rule| rule.scope.item().map(|item| shown(&item.written));
    match (item(one), item(other)) {
        (Some(one), Some(other)) if stem(&one) == stem(&other) => format!(
            "the items {one} and {other} have one stem: name more of them, as in\n\
             outputs = [\"obj/{{{{ item }}}}.o\"]"
        ),
        _ => "name the item in it, as in outputs = [\"obj/{{ item.stem }}.o\"]".to_owned(),
    }
}

/// The name without folder and ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
