//! `Cargo.toml`: path dependencies, members by name, and what the workspace of cargo offers.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Dep, File, Manifest, Names, Reads, at, table_at, text_at};
use crate::error::{Diagnostic, Source};

/// The tables of dependencies, and whether they are weak.
const TABLES: [(&str, bool); 5] = [
    ("dependencies", false),
    ("build-dependencies", false),
    ("build_dependencies", false),
    ("dev-dependencies", true),
    ("dev_dependencies", true),
];

/// What `[workspace.dependencies]` gives to members that say `workspace = true`.
#[derive(Debug, Default)]
pub(super) struct Offer {
    names: FxHashMap<String, (Names, bool)>,
    /// The file, relative to taskr's workspace.
    path: Option<String>,
}

pub(super) fn read(file: &File<'_>, reads: &mut Reads<'_>) -> Result<Manifest, Diagnostic> {
    let table = file.table()?;
    let offer = reads.offer(file.dir);
    let name = at(&table, &["package", "name"]);
    let name = name.and_then(|name| Some(file.word(name.get_ref().as_str()?, name.span())));
    let mut deps = Vec::new();
    let targets = table_at(&table, &["target"]).into_iter().flat_map(|targets| targets.values());
    let targets = targets.filter_map(|target| target.get_ref().as_table());
    for table in std::iter::once(&table).chain(targets) {
        for (key, weak) in TABLES {
            for (name, value) in table_at(table, &[key]).into_iter().flatten() {
                let Some((names, by_name)) = names(file.dir, name.get_ref(), value, &offer) else {
                    continue;
                };
                deps.push(Dep { names, place: file.place(name.span()), weak: weak || by_name });
            }
        }
    }
    let mut manifest = file.says(name, deps);
    manifest.sources.extend(offer.path.clone().filter(|path| *path != file.path));
    Ok(manifest)
}

/// The package that a dependency is, and whether only its name says so.
fn names(
    dir: &str,
    key: &str,
    value: &Spanned<DeValue<'_>>,
    offer: &Offer,
) -> Option<(Names, bool)> {
    let Some(table) = value.get_ref().as_table() else {
        return Some((Names::Package(key.to_owned()), true));
    };
    if let Some(path) = text_at(table, "path") {
        return Some((Names::folder(dir, path)?, false));
    }
    if table.get("workspace").is_some_and(|value| value.get_ref().as_bool() == Some(true)) {
        return offer.names.get(key).cloned();
    }
    if table.contains_key("git") || table.contains_key("registry") {
        return None;
    }
    Some((Names::Package(text_at(table, "package").unwrap_or(key).to_owned()), true))
}

impl Reads<'_> {
    /// What the nearest workspace of cargo offers: that of `dir` itself, or above it.
    fn offer(&mut self, dir: &str) -> Arc<Offer> {
        if let Some(known) = self.cargo.get(dir) {
            return Arc::clone(known);
        }
        let offer = match self.offer_in(dir) {
            Some(offer) => Arc::new(offer),
            None if dir.is_empty() => Arc::default(),
            None => self.offer(dir.rsplit_once('/').map_or("", |(above, _)| above)),
        };
        self.cargo.insert(dir.to_owned(), Arc::clone(&offer));
        offer
    }

    /// What the workspace of cargo in this folder offers, if there is one. A file that cannot be
    /// read offers nothing: it is told where it is a package's own.
    fn offer_in(&self, dir: &str) -> Option<Offer> {
        let path =
            if dir.is_empty() { "Cargo.toml".to_owned() } else { format!("{dir}/Cargo.toml") };
        let text = String::from_utf8(self.at.read(&path).ok()??).ok()?;
        let source = Arc::new(Source { name: String::new(), text });
        let table: DeTable<'_> = DeTable::parse(&source.text).ok()?.into_inner();
        let workspace = table_at(&table, &["workspace"])?;
        let entries = table_at(workspace, &["dependencies"]).into_iter().flatten();
        let none = Offer::default();
        let names = entries.filter_map(|(name, value)| {
            Some((name.get_ref().to_string(), names(dir, name.get_ref(), value, &none)?))
        });
        Some(Offer { names: names.collect(), path: Some(path) })
    }
}
