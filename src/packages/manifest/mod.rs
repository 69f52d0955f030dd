//! What the manifests of other tools say: a package's name, and what it depends on.
//!
//! Reads as much as that takes and judges nothing: versions, features and markers are the matter of
//! their own tools. Where it cannot be told whether a dependency is the package of this name here or
//! a published one, it counts as this one: an edge too many costs time, one too few a wrong result.
//! Such edges, and those of development, are *weak*: they give way where they would close a circle.

mod cargo;
mod go;
mod node;
mod python;

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use toml::de::{DeTable, DeValue};

use super::{Where, refused};
use crate::error::{Diagnostic, Place, Source, listed, nearest, quoted};
use crate::files::normalise;
use crate::parse::Word;

/// The manifests that are understood.
const KINDS: [&str; 4] = ["package.json", "Cargo.toml", "pyproject.toml", "go.mod"];

/// What one manifest says.
#[derive(Debug)]
pub(super) struct Manifest {
    /// Its file name: names of different kinds have nothing to do with one another.
    pub(super) kind: &'static str,
    /// As it is written.
    pub(super) name: Option<Word>,
    /// The name as others' dependencies find it.
    pub(super) key: String,
    pub(super) deps: Vec<Dep>,
    /// The files that were read, relative to the workspace.
    pub(super) sources: Vec<String>,
}

/// One dependency.
#[derive(Debug)]
pub(super) struct Dep {
    pub(super) names: Names,
    pub(super) place: Place,
    /// Whether a circle may do without it.
    pub(super) weak: bool,
}

/// How a dependency names a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// By its folder, relative to the workspace.
    Folder(String),
    /// By its name.
    Package(String),
}

impl Names {
    /// A path as it is written in the folder `dir`; none if it leads outside.
    fn folder(dir: &str, path: &str) -> Option<Names> {
        let path = normalise(dir.as_bytes(), path.as_bytes()).ok()?;
        Some(Names::Folder(String::from_utf8(path).ok()?))
    }
}

/// Reads manifests, and what several of them share once.
pub(super) struct Reads<'r> {
    at: &'r Where<'r>,
    /// What the nearest workspace of cargo above a folder offers its members.
    cargo: FxHashMap<String, Arc<cargo::Offer>>,
}

/// One manifest as text.
struct File<'f> {
    dir: &'f str,
    /// Relative to the workspace.
    path: String,
    source: Arc<Source>,
}

impl<'r> Reads<'r> {
    pub(super) fn new(at: &'r Where<'r>) -> Reads<'r> {
        Reads { at, cargo: FxHashMap::default() }
    }

    /// The manifest that `word` names in the package in `dir`, which an entry of `include` names.
    pub(super) fn manifest(
        &mut self,
        dir: &str,
        word: &Word,
        included: Option<&Place>,
    ) -> Result<Manifest, Diagnostic> {
        let Some(kind) = KINDS.into_iter().find(|kind| *kind == word.text) else {
            let message = format!("{} is no manifest that taskr reads", quoted(&word.text));
            let help = match nearest(&word.text, KINDS) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => listed("it reads", KINDS),
            };
            return Err(Diagnostic::error(message).at(word.place.clone(), "").help(help));
        };
        let path = if dir.is_empty() { kind.to_owned() } else { format!("{dir}/{kind}") };
        let file = self.open(dir, path, word).map_err(|diagnostic| {
            let diagnostic = match included.filter(|place| **place != word.place) {
                Some(place) => diagnostic.also(place.clone(), "the package is included here"),
                None => diagnostic,
            };
            diagnostic
                .help("make it right, remove `deps_from`, or take the folder out of `include`")
        })?;
        let said = match kind {
            "package.json" => node::read(&file)?,
            "Cargo.toml" => cargo::read(&file, self)?,
            "pyproject.toml" => python::read(&file)?,
            _ => go::read(&file),
        };
        Ok(Manifest { kind, ..said })
    }

    fn open<'f>(&self, dir: &'f str, path: String, word: &Word) -> Result<File<'f>, Diagnostic> {
        let bytes = self
            .at
            .read(&path)
            .and_then(|bytes| bytes.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(|cause| refused(&cause, &path, &word.place))?;
        let name = self.at.shown(&path);
        let text = String::from_utf8(bytes).map_err(|_| {
            Diagnostic::error(format!("{name} is not UTF-8"))
                .at(word.place.clone(), "is asked for here")
        })?;
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        Ok(File { dir, path, source: Arc::new(Source { name, text }) })
    }
}

impl File<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::new(&self.source, span)
    }

    fn word(&self, text: &str, span: Range<usize>) -> Word {
        Word { text: text.to_owned(), place: self.place(span) }
    }

    /// A manifest of this name and these dependencies.
    fn says(&self, name: Option<Word>, deps: Vec<Dep>) -> Manifest {
        let key = name.as_ref().map(|name| name.text.clone()).unwrap_or_default();
        Manifest { kind: "", name, key, deps, sources: vec![self.path.clone()] }
    }

    fn table(&self) -> Result<DeTable<'_>, Diagnostic> {
        let table = DeTable::parse(&self.source.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            Diagnostic::error(format!("{} cannot be read: {}", self.source.name, error.message()))
                .at(self.place(span), "")
                .help("its own tool would not read it either: correct it")
        })?;
        Ok(table.into_inner())
    }
}

/// What stands at a path of keys.
fn at<'t>(table: &'t DeTable<'t>, keys: &[&str]) -> Option<&'t toml::Spanned<DeValue<'t>>> {
    let (last, above) = keys.split_last()?;
    let mut table = table;
    for key in above {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    table.get(*last)
}

fn table_at<'t>(table: &'t DeTable<'t>, keys: &[&str]) -> Option<&'t DeTable<'t>> {
    at(table, keys)?.get_ref().as_table()
}

fn text_at<'t>(table: &'t DeTable<'t>, key: &str) -> Option<&'t str> {
    table.get(key)?.get_ref().as_str()
}
