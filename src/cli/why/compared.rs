//! Why a task is not run: all that was compared with its record, and is equal.

use std::time::UNIX_EPOCH;

use taskr_cache::Content;

use super::facts::Facts;
use crate::ids::TaskId;
use crate::outcome::{Field, Record, Tag, shown};
use crate::report::duration;

/// What is compared, in the order in which it is told: for machines, for one, for several.
const KINDS: [(&str, &str, &str); 7] = [
    ("command", "its command", "commands"),
    ("input", "1 input", "inputs"),
    ("pattern", "1 pattern", "patterns"),
    ("variable", "1 variable", "variables"),
    ("dependency", "1 dependency", "dependencies"),
    ("program", "1 program", "programs"),
    ("output", "1 output", "outputs"),
];

/// One thing that is as it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// A word of [`KINDS`].
    pub(super) kind: &'static str,
    /// Which one: the command's text, a path, a name.
    pub(super) name: String,
    /// What else is known of it, in words; may be empty.
    pub(super) more: &'static str,
}

/// All that is as it was when the task was recorded.
#[derive(Debug)]
pub(super) struct Compared {
    /// Of the run that recorded it, if its `result.json` is there.
    pub(super) run: Option<String>,
    /// When it was recorded, in milliseconds since 1970.
    pub(super) ended_ms: u64,
    pub(super) rows: Vec<Row>,
    /// The input that was written last, and when, in milliseconds since 1970.
    pub(super) newest: Option<(String, u64)>,
}

impl Compared {
    /// None if the task has no record.
    pub(super) fn of(facts: &Facts, id: TaskId) -> Option<Compared> {
        let record = facts.judged.record(id)?;
        let mut rows: Vec<Row> = record.manifest.fields().iter().filter_map(row).collect();
        rows.extend(record.manifest.command().map(|name| Row { kind: "command", name, more: "" }));
        let outputs = record.outputs.iter().map(|output| shown(&output.path));
        rows.extend(outputs.map(|name| Row { kind: "output", name, more: "" }));
        rows.sort_by_key(|row| KINDS.iter().position(|(kind, ..)| *kind == row.kind));
        let run = facts.last(id).map(|kept| kept.run);
        let newest = newest_input(facts, &record);
        Some(Compared { run, ended_ms: record.ended_ms, rows, newest })
    }

    /// `its command, 2 inputs and 1 output`.
    pub(super) fn counts(&self) -> String {
        let count = |kind: &str| self.rows.iter().filter(|row| row.kind == kind).count();
        let told = KINDS.iter().filter_map(|(kind, one, several)| match count(kind) {
            0 => None,
            1 => Some((*one).to_owned()),
            count => Some(format!("{count} {several}")),
        });
        let mut told: Vec<String> = told.collect();
        match (told.pop(), told.is_empty()) {
            (Some(last), false) => format!("{} and {last}", told.join(", ")),
            (last, _) => last.unwrap_or_default(),
        }
    }

    /// How the newest input stands to the record, in words.
    pub(super) fn newest_text(&self) -> Option<String> {
        let (path, written_ms) = self.newest.as_ref()?;
        let apart = duration(written_ms.abs_diff(self.ended_ms));
        Some(match *written_ms > self.ended_ms {
            true => {
                format!("newest input: {path}, written {apart} after that, with the same content")
            }
            false => format!("newest input: {path}, written {apart} before that"),
        })
    }
}

fn row(field: &Field) -> Option<Row> {
    let is_absent = |value: &[u8]| Content::decode(&mut &*value) == Some(Content::Absent);
    let (kind, more) = match field.tag {
        Tag::Input if is_absent(&field.value) => ("input", "absent, as it was"),
        Tag::Input => ("input", ""),
        Tag::Discovered => ("input", "named by its depfile"),
        Tag::Glob => ("pattern", ""),
        Tag::Env => ("variable", "set by the Taskfile"),
        Tag::EnvInput if field.value.is_empty() => ("variable", "unset, as it was"),
        Tag::EnvInput => ("variable", ""),
        Tag::Dependency => ("dependency", ""),
        Tag::Tool => ("program", ""),
        Tag::Check => ("check", ""),
        _ => return None,
    };
    Some(Row { kind, name: shown(&field.name), more })
}

fn newest_input(facts: &Facts, record: &Record) -> Option<(String, u64)> {
    let fields = record.manifest.fields().iter();
    let inputs = fields.filter(|field| matches!(field.tag, Tag::Input | Tag::Discovered));
    let written = inputs.filter_map(|field| {
        let path = facts.judged.root.absolute(&field.name);
        let time = path.symlink_metadata().ok()?.modified().ok()?;
        let ms = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
        Some((&field.name, u64::try_from(ms).ok()?))
    });
    let (path, ms) = written.max_by_key(|&(_, ms)| ms)?;
    Some((shown(path), ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_counted() {
        let row = |kind| Row { kind, name: String::new(), more: "" };
        let compared = |kinds: &[&'static str], newest: Option<u64>| Compared {
            run: None,
            ended_ms: 10_000,
            rows: kinds.iter().map(|&kind| row(kind)).collect(),
            newest: newest.map(|ms| ("a".to_owned(), ms)),
        };
        for (kinds, text) in [
            (&[][..], ""),
            (&["output"], "1 output"),
            (&["command", "output", "input", "input"], "its command, 2 inputs and 1 output"),
        ] {
            assert_eq!(compared(kinds, None).counts(), text);
        }
        let text = |ms| compared(&[], Some(ms)).newest_text();
        assert_eq!(text(8_000).as_deref(), Some("newest input: a, written 2.0s before that"));
        assert_eq!(
            text(12_000).as_deref(),
            Some("newest input: a, written 2.0s after that, with the same content")
        );
    }
}
