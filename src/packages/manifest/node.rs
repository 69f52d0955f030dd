//! `package.json`, as npm, pnpm, yarn and bun read it.

use std::ops::Range;

use serde_json::Value;

use super::{Dep, File, Manifest, Names};
use crate::error::Diagnostic;

/// The tables of dependencies, and whether they are weak.
const TABLES: [(&str, bool); 4] = [
    ("dependencies", false),
    ("optionalDependencies", false),
    ("devDependencies", true),
    ("peerDependencies", true),
];

/// Beginnings of what leads to a folder.
const FOLDERS: [&str; 3] = ["file:", "link:", "portal:"];

/// Beginnings of what lies somewhere else, whatever it is called.
const ELSEWHERE: [&str; 7] = ["npm:", "git", "http:", "https:", "ssh:", "bitbucket:", "gist:"];

pub(super) fn read(file: &File<'_>) -> Result<Manifest, Diagnostic> {
    let text = &file.source.text;
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let at = offset(text, error.line(), error.column());
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or(&said);
        Diagnostic::error(format!("{} is no JSON: {said}", file.source.name))
            .at(file.place(at..at), "")
            .help("its own tool would not read it either: correct it")
    })?;
    let name = value.get("name").and_then(Value::as_str);
    let name = name.map(|name| file.word(name, place_of_name(text, name).unwrap_or(0..0)));
    let mut deps = Vec::new();
    for (table, weak) in TABLES {
        let start = key(text, table, 0).map_or(0, |span| span.end);
        for (name, spec) in value.get(table).and_then(Value::as_object).into_iter().flatten() {
            let spec = spec.as_str().unwrap_or("*");
            let Some((names, by_name)) = names(file.dir, name, spec) else { continue };
            let span = key(text, name, start).unwrap_or(0..0);
            deps.push(Dep { names, place: file.place(span), weak: weak || by_name });
        }
    }
    Ok(file.says(name, deps))
}

/// The package that a dependency of this name and specification is, and whether only its name says
/// so: a version may mean the published one.
fn names(dir: &str, name: &str, spec: &str) -> Option<(Names, bool)> {
    let sure = |names| (names, false);
    if let Some(rest) = spec.strip_prefix("workspace:") {
        if rest.starts_with('.') {
            return Names::folder(dir, rest).map(sure);
        }
        // `workspace:other@*` gives another package this name.
        let real = rest.rsplit_once('@').map(|(real, _)| real).filter(|real| !real.is_empty());
        return Some(sure(Names::Package(real.unwrap_or(name).to_owned())));
    }
    if let Some(path) = FOLDERS.iter().find_map(|start| spec.strip_prefix(start)) {
        return Names::folder(dir, path).map(sure);
    }
    let is_elsewhere = ELSEWHERE.iter().any(|start| spec.starts_with(start));
    (!is_elsewhere).then(|| (Names::Package(name.to_owned()), true))
}

/// Where the text has `"name": "VALUE"`.
fn place_of_name(text: &str, value: &str) -> Option<Range<usize>> {
    let quoted = format!("\"{value}\"");
    let mut from = 0;
    while let Some(span) = key(text, "name", from) {
        let rest = text[span.end..].trim_start().trim_start_matches(':').trim_start();
        if rest.starts_with(&quoted) {
            let start = text.len() - rest.len();
            return Some(start..start + quoted.len());
        }
        from = span.end;
    }
    None
}

/// Where the first key of this name stands behind `from`, quotes included.
fn key(text: &str, name: &str, from: usize) -> Option<Range<usize>> {
    let quoted = format!("\"{name}\"");
    let mut spans = text[from..].match_indices(&quoted);
    let is_key = |end: usize| text[end..].trim_start().starts_with(':');
    spans.find_map(|(at, _)| {
        let span = from + at..from + at + quoted.len();
        is_key(span.end).then_some(span)
    })
}

/// The byte at a line and a column, both counted from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
