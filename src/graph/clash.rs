//! Refuses outputs of two tasks that could be the same file or lie inside one another.

use super::ancestors;
use super::rule::Output;
use crate::error::{Diagnostic, Place};
use crate::ids::TaskId;

/// One declared output.
pub(super) struct Declared {
    pub(super) output: Output,
    pub(super) task: TaskId,
    pub(super) place: Option<Place>,
}

impl Declared {
    /// The folder that everything it can match lies in; of a plain path the path itself.
    fn base(&self) -> &[u8] {
        match &self.output {
            Output::Path(path) => path,
            Output::Glob(pattern) => pattern.base(),
        }
    }

    fn meets(&self, other: &Declared) -> bool {
        match (&self.output, &other.output) {
            (Output::Path(a), Output::Path(b)) => {
                ancestors(a).any(|path| path == b) || ancestors(b).any(|path| path == a)
            }
            (Output::Glob(a), Output::Glob(b)) => a.overlaps(b),
            (Output::Path(path), Output::Glob(glob)) | (Output::Glob(glob), Output::Path(path)) => {
                glob.matches_all(path) || is_within(glob.base(), path)
            }
        }
    }
}

/// One diagnostic for each pair of tasks that clash, at most for each task once. Outputs are
/// sorted by their folder, so that only those below one another are compared: n log n for
/// outputs that do not nest.
pub(super) fn find<'a>(
    mut declared: Vec<Declared>,
    name: impl Fn(TaskId) -> &'a String,
) -> Vec<Diagnostic> {
    let by_component =
        |path: &[u8]| path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
    declared.sort_by_cached_key(|one| match one.base() {
        b"" => Vec::new(),
        base => by_component(base),
    });
    let mut clashes = Vec::new();
    let mut open: Vec<&Declared> = Vec::new();
    for one in &declared {
        open.retain(|other| is_within(one.base(), other.base()));
        let same_task = |other: &&&Declared| other.task == one.task;
        if let Some(other) =
            open.iter().filter(|other| !same_task(other)).find(|other| other.meets(one))
        {
            clashes.push(tell(other, one, &name));
        }
        open.push(one);
    }
    clashes
}

fn is_within(path: &[u8], dir: &[u8]) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

fn tell<'a>(a: &Declared, b: &Declared, name: impl Fn(TaskId) -> &'a String) -> Diagnostic {
    let (first, second) = if a.task <= b.task { (a, b) } else { (b, a) };
    let shown = |one: &Declared| String::from_utf8_lossy(one.output.text()).into_owned();
    let same = first.output.text() == second.output.text();
    let (one, other) = (name(first.task), name(second.task));
    let message = match same {
        true => format!("`{one}` and `{other}` both write {}", shown(first)),
        false => format!(
            "outputs of `{one}` and `{other}` overlap: {} and {}",
            shown(first),
            shown(second)
        ),
    };
    Diagnostic::error(message)
        .at(second.place.clone(), format!("written by `{other}`"))
        .also(first.place.clone(), format!("and by `{one}`"))
        .help("give each task outputs of its own, or make one task write them all".to_owned())
}
