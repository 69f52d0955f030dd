//! Reading `include` and `[package]`: which folders are packages, and what a package says of
//! itself. Looks at no folder: what the words lead to is found in `packages`.

use toml::de::{DeTable, DeValue};

use super::fields::{INCLUDE, PACKAGE, find, meant};
use super::read::{Asker, Key, Reader, Value};
use super::unknown::did_you_mean;
use super::{Taskfile, Text, Word};
use crate::error::{Diagnostic, Place, listed, quoted};

/// One entry of `include`.
#[derive(Clone, Debug)]
pub struct Include {
    /// Folders and patterns of folders, `!` in front of what is taken away. Never empty.
    pub paths: Vec<Word>,
    /// The Taskfile that all of them share.
    pub taskfile: Option<Word>,
    /// The manifest that tells what each depends on.
    pub deps_from: Option<Word>,
}

/// What makes a Taskfile a package: what it says of itself, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its folder, relative to the workspace; empty for the root.
    pub dir: String,
    /// What its manifest or `[package]` calls it; else the last part of its folder, and for the
    /// root nothing.
    pub name: Option<String>,
    /// The packages that it names in `[package] deps`.
    pub deps: Vec<Word>,
    /// The manifest that tells more of them.
    pub deps_from: Option<Word>,
    /// What it depends on: numbers of [`Taskfile::every`].
    pub needs: Vec<usize>,
    /// The files beside its Taskfile that say what it is, relative to the workspace.
    pub sources: Vec<String>,
}

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The Taskfile that rules a workspace.
    Workspace,
    /// The Taskfile of a package.
    Package,
    /// A Taskfile that several packages share.
    Shared,
}

/// Keys that only the workspace's Taskfile has, and why.
const OF_THE_WORKSPACE: [(&str, &str); 5] = [
    ("include", "packages hold no packages"),
    ("pipeline", "its steps may be of every package"),
    ("taskr", "settings are those of the whole workspace"),
    ("pool", "pools are shared by the whole workspace"),
    ("hooks", "git calls the hooks of the whole workspace"),
];

impl Taskfile {
    /// This Taskfile and those of its packages, by their folders.
    pub fn every(&self) -> impl Iterator<Item = &Taskfile> {
        std::iter::once(self).chain(&self.packages)
    }

    /// The Taskfile of the package in `dir`.
    pub fn package_in(&self, dir: &str) -> Option<&Taskfile> {
        if dir.is_empty() {
            return Some(self);
        }
        let at = self.packages.binary_search_by(|one| one.package.dir.as_str().cmp(dir));
        Some(&self.packages[at.ok()?])
    }

    /// A target of any package, by its full name.
    pub fn target(&self, full: &str) -> Option<&super::Target> {
        let (dir, target) = super::split_name(full);
        self.package_in(dir)?.targets.get(target)
    }

    /// The full name of one of its own targets.
    pub fn full_name(&self, target: &str) -> String {
        super::full_name(&self.package.dir, target)
    }
}

impl Reader {
    /// Whether a key has no place in a file of this role; says so.
    pub(super) fn is_of_the_workspace(&mut self, key: &Key<'_>, role: Role) -> bool {
        let known = OF_THE_WORKSPACE.iter().find(|(name, _)| *name == key.get_ref());
        let Some((name, why)) = known.filter(|_| role != Role::Workspace) else { return false };
        let place = self.place(key.span());
        let what = if role == Role::Package { "a package" } else { "a shared Taskfile" };
        let problem = Diagnostic::error(format!("`{name}` has no place in {what}"));
        self.refuse(
            problem.at(place, *why).help("move it to the Taskfile that includes this folder"),
        );
        true
    }

    /// The entries of `include`.
    pub(super) fn includes(&mut self, value: &Value<'_>) -> Vec<Include> {
        let field = find(super::fields::TOP_LEVEL, "include").expect("a key of the file");
        let entries = match value.get_ref() {
            DeValue::Array(entries) => entries.iter().collect(),
            _ => vec![value],
        };
        let mut includes = Vec::new();
        for entry in entries {
            match entry.get_ref() {
                DeValue::Table(table) => includes.extend(self.include_table(entry, table)),
                DeValue::String(_) => {
                    let paths: Vec<Word> = self.word(entry, field.into()).into_iter().collect();
                    if !paths.is_empty() {
                        includes.push(Include { paths, taskfile: None, deps_from: None });
                    }
                }
                _ => {
                    self.wrong_type::<()>(entry, field.into());
                }
            }
        }
        includes
    }

    fn include_table(&mut self, value: &Value<'_>, table: &DeTable<'_>) -> Option<Include> {
        let mut include = Include { paths: Vec::new(), taskfile: None, deps_from: None };
        let mut has_path = false;
        for (key, value) in table {
            match find(INCLUDE, key.get_ref()) {
                None => self.unknown_key(key, INCLUDE, "an entry of `include`"),
                Some(field) if field.name == "path" => {
                    has_path = true;
                    let paths = self.filled_list(value, field.into()).unwrap_or_default();
                    include.paths = paths.into_iter().filter_map(|text| self.plain(text)).collect();
                }
                Some(field) if field.name == "taskfile" => {
                    include.taskfile = self.word(value, field.into());
                }
                Some(field) => include.deps_from = self.word(value, field.into()),
            }
        }
        if !has_path {
            let place = self.place(super::read::first_line(&self.source.text, value.span()));
            let problem = Diagnostic::error("an entry of `include` names no folder");
            self.refuse(problem.at(place, "has no `path`").help("add path = \"packages/*\""));
        }
        (!include.paths.is_empty()).then_some(include)
    }

    /// `[package]`.
    pub(super) fn package(&mut self, table: &DeTable<'_>) -> Package {
        let mut package = Package::default();
        for (key, value) in table {
            match find(PACKAGE, key.get_ref()) {
                None if self.below_table(key, value, "[package]") => {}
                None => self.unknown_key(key, PACKAGE, "[package]"),
                Some(field) if field.name == "name" => {
                    package.name = self.word(value, field.into()).map(|word| word.text);
                }
                Some(field) if field.name == "deps" => {
                    let deps = self.list(value, field.into()).unwrap_or_default();
                    package.deps = deps.into_iter().filter_map(|text| self.plain(text)).collect();
                }
                Some(field) => package.deps_from = self.word(value, field.into()),
            }
        }
        package
    }

    fn unknown_key(&mut self, key: &Key<'_>, known: &'static [super::Field], of: &str) {
        let name: &str = key.get_ref();
        let help = match meant(known, name) {
            Some(near) => did_you_mean(near),
            None => listed("it has", known.iter().map(|field| field.name)),
        };
        self.unknown(key, format!("unknown key {} in {of}", quoted(name)), ("", help));
    }

    /// One string without expressions.
    fn word(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Word> {
        let text = self.text(value, Asker { filled: true, ..asker })?;
        self.plain(text)
    }

    fn plain(&mut self, text: Text) -> Option<Word> {
        if text.template.as_literal().is_some() {
            return Some(Word { text: text.template.source().to_owned(), place: text.place });
        }
        let problem = Diagnostic::error("packages are known before expressions are");
        self.refuse(problem.at(text.place, "").help("write it out, without `{{ … }}`"));
        None
    }
}

impl Include {
    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.paths[0].place
    }
}
