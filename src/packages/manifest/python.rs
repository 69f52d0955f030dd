//! `pyproject.toml`: `[project]`, dependency groups, and the sources of uv and Poetry.

use rustc_hash::FxHashMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Dep, File, Manifest, Names, at, table_at, text_at};
use crate::error::Diagnostic;

pub(super) fn read(file: &File<'_>) -> Result<Manifest, Diagnostic> {
    let table = file.table()?;
    let name = at(&table, &["project", "name"]).or_else(|| at(&table, &["tool", "poetry", "name"]));
    let name = name.and_then(|name| Some(file.word(name.get_ref().as_str()?, name.span())));
    let mut found = Found { file, sources: sources(file.dir, &table), deps: Vec::new() };
    found.list(at(&table, &["project", "dependencies"]), false);
    found.list(at(&table, &["build-system", "requires"]), false);
    for list in table_at(&table, &["project", "optional-dependencies"]).into_iter().flatten() {
        found.list(Some(list.1), false);
    }
    for list in table_at(&table, &["dependency-groups"]).into_iter().flatten() {
        found.list(Some(list.1), true);
    }
    found.list(at(&table, &["tool", "uv", "dev-dependencies"]), true);
    if let Some(poetry) = table_at(&table, &["tool", "poetry"]) {
        found.poetry(table_at(poetry, &["dependencies"]), false);
        found.poetry(table_at(poetry, &["dev-dependencies"]), true);
        for (_, group) in table_at(poetry, &["group"]).into_iter().flatten() {
            let group = group.get_ref().as_table();
            found.poetry(group.and_then(|group| table_at(group, &["dependencies"])), true);
        }
    }
    let deps = found.deps;
    let mut manifest = file.says(name, deps);
    manifest.key = normalised(&manifest.key);
    Ok(manifest)
}

/// Where uv takes packages from: a folder, or (`None`) from elsewhere.
fn sources(dir: &str, table: &DeTable<'_>) -> FxHashMap<String, Option<Names>> {
    let mut sources = FxHashMap::default();
    for (name, value) in table_at(table, &["tool", "uv", "sources"]).into_iter().flatten() {
        let name = normalised(name.get_ref());
        let entries = match value.get_ref() {
            DeValue::Array(entries) => entries.iter().collect(),
            _ => vec![value],
        };
        for entry in entries.into_iter().filter_map(|entry| entry.get_ref().as_table()) {
            let names = match text_at(entry, "path") {
                Some(path) => Names::folder(dir, path),
                None if entry.contains_key("workspace") => Some(Names::Package(name.clone())),
                None => None,
            };
            let known = sources.entry(name.clone()).or_insert(None);
            *known = known.take().or(names);
        }
    }
    sources
}

struct Found<'f> {
    file: &'f File<'f>,
    sources: FxHashMap<String, Option<Names>>,
    deps: Vec<Dep>,
}

impl Found<'_> {
    /// A list of requirements: `core >= 1.0 ; python_version > "3"`.
    fn list(&mut self, list: Option<&Spanned<DeValue<'_>>>, weak: bool) {
        for entry in list.and_then(|list| list.get_ref().as_array()).into_iter().flatten() {
            let Some(text) = entry.get_ref().as_str() else { continue };
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let name = normalised(text.trim_start().split(|c| !is_name(c)).next().unwrap_or(""));
            let (names, weak) = match self.sources.get(&name) {
                Some(Some(names)) => (names.clone(), weak),
                Some(None) => continue,
                None => (Names::Package(name), true),
            };
            self.deps.push(Dep { names, place: self.file.place(entry.span()), weak });
        }
    }

    fn poetry(&mut self, table: Option<&DeTable<'_>>, weak: bool) {
        for (name, value) in table.into_iter().flatten() {
            let path = value.get_ref().as_table().and_then(|table| text_at(table, "path"));
            let names = match path {
                Some(path) => Names::folder(self.file.dir, path),
                None => Some(Names::Package(normalised(name.get_ref()))),
            };
            let weak = weak || path.is_none();
            let place = self.file.place(name.span());
            self.deps.extend(names.map(|names| Dep { names, place, weak }));
        }
    }
}

/// A name as PEP 503 compares it: lower case, runs of `-`, `_` and `.` as one `-`.
fn normalised(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if text.ends_with('-') => {}
            '-' | '_' | '.' => text.push('-'),
            _ => text.push(c.to_ascii_lowercase()),
        }
    }
    text
}
