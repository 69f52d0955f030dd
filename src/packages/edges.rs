//! What each package depends on: `[package] deps` and its manifest, as edges between packages.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::folders::Folder;
use super::manifest::{Dep, Manifest, Names, Reads};
use super::{Where, cycle};
use crate::error::{Diagnostic, Error, Place, nearest, quoted};
use crate::files::normalise;
use crate::parse::{Taskfile, Word};

/// What may be the reason where there is no package at all.
const NO_PACKAGES: &str = "this Taskfile includes no packages; if another includes its folder, that \
                           one knows them: leave out `-f`";

/// One edge: to which package, where it is written, and whether a circle may do without it.
pub(super) struct Edge {
    pub(super) to: usize,
    pub(super) place: Option<Place>,
    pub(super) weak: bool,
}

/// Finds names and edges, and writes them into the packages.
pub(super) fn find(root: &mut Taskfile, folders: &[Folder], at: &Where<'_>) -> Result<(), Error> {
    let (manifests, mut wrong) = manifests(root, folders, at);
    if !wrong.is_empty() {
        return Err(Error::Taskfile(wrong));
    }
    let found = Found::new(root, &manifests);
    let mut edges: Vec<Vec<Edge>> = Vec::new();
    for (number, package) in root.every().enumerate() {
        let mut own = Vec::new();
        for word in &package.package.deps {
            match found.named(number, word) {
                Ok(to) => own.push(Edge { to, place: Some(word.place.clone()), weak: false }),
                Err(diagnostic) => wrong.push(diagnostic),
            }
        }
        let manifest = manifests[number].iter();
        own.extend(manifest.flat_map(|one| &one.deps).filter_map(|dep| found.meant(number, dep)));
        edges.push(own);
    }
    wrong.extend(same_names(&manifests));
    if wrong.is_empty() {
        wrong.extend(cycle::without(&mut edges, &found.dirs));
    }
    if !wrong.is_empty() {
        return Err(Error::Taskfile(wrong));
    }
    for (number, (own, manifest)) in edges.into_iter().zip(manifests).enumerate() {
        let package = match number {
            0 => &mut root.package,
            _ => &mut root.packages[number - 1].package,
        };
        package.needs = own.into_iter().map(|edge| edge.to).collect();
        package.needs.sort_unstable();
        package.needs.dedup();
        if let Some(manifest) = manifest {
            package.sources.extend(manifest.sources);
            package.name = manifest.name.map(|word| word.text).or(package.name.take());
        }
        if package.name.is_none() && number > 0 {
            package.name = package.dir.rsplit('/').next().map(str::to_owned);
        }
    }
    Ok(())
}

/// The manifest of each package that has one, and what is wrong with some.
fn manifests(
    root: &Taskfile,
    folders: &[Folder],
    at: &Where<'_>,
) -> (Vec<Option<Manifest>>, Vec<Diagnostic>) {
    let mut reads = Reads::new(at);
    let mut manifests = Vec::new();
    let mut wrong = Vec::new();
    for (number, package) in root.every().enumerate() {
        let Some(word) = &package.package.deps_from else {
            manifests.push(None);
            continue;
        };
        let included = number.checked_sub(1).map(|at| &folders[at].place);
        match reads.manifest(&package.package.dir, word, included) {
            Ok(manifest) => manifests.push(Some(manifest)),
            Err(diagnostic) => {
                manifests.push(None);
                // One word of an `include` is that of many packages.
                if !wrong.contains(&diagnostic) {
                    wrong.push(diagnostic);
                }
            }
        }
    }
    (manifests, wrong)
}

/// Two packages that a manifest's tool could not tell apart.
fn same_names(manifests: &[Option<Manifest>]) -> Vec<Diagnostic> {
    let mut first: FxHashMap<(&'static str, &str), &Word> = FxHashMap::default();
    let mut wrong = Vec::new();
    for manifest in manifests.iter().flatten() {
        let Some(name) = &manifest.name else { continue };
        let key = (manifest.kind, manifest.key.as_str());
        match first.get(&key) {
            Some(other) => wrong.push(
                Diagnostic::error(format!("two packages are called {}", quoted(&name.text)))
                    .at(name.place.clone(), "again here")
                    .also(other.place.clone(), "first here")
                    .help("give one of them another name, or take its folder out of `include`"),
            ),
            None => {
                first.insert(key, name);
            }
        }
    }
    wrong
}

/// The packages by their folders, and by the names that their manifests give them.
struct Found<'f> {
    dirs: Vec<String>,
    by_dir: BTreeMap<String, usize>,
    by_name: FxHashMap<(&'static str, &'f str), usize>,
    kinds: Vec<Option<&'static str>>,
}

impl<'f> Found<'f> {
    fn new(root: &Taskfile, manifests: &'f [Option<Manifest>]) -> Found<'f> {
        let dirs: Vec<String> = root.every().map(|one| one.package.dir.clone()).collect();
        let by_dir = dirs.iter().cloned().enumerate().map(|(at, dir)| (dir, at)).collect();
        let named = manifests.iter().enumerate().filter_map(|(at, manifest)| {
            let manifest = manifest.as_ref()?;
            manifest.name.as_ref()?;
            Some(((manifest.kind, manifest.key.as_str()), at))
        });
        let kinds = manifests.iter().map(|one| one.as_ref().map(|one| one.kind)).collect();
        Found { dirs, by_dir, by_name: named.collect(), kinds }
    }

    /// The package that an entry of `[package] deps` names.
    fn named(&self, own: usize, word: &Word) -> Result<usize, Diagnostic> {
        let refuse = |what: String, help: Option<String>| {
            Diagnostic::error(what).at(word.place.clone(), "").help_if(help)
        };
        let Some(dir) = word.text.strip_prefix("//") else {
            let near = normalise(b"", word.text.as_bytes()).ok();
            let near = near.and_then(|path| String::from_utf8(path).ok());
            let near = near.filter(|dir| self.by_dir.contains_key(dir));
            let help = near.map_or_else(
                || "a package is written with its folder: \"//packages/core\"".to_owned(),
                |dir| format!("write \"//{dir}\""),
            );
            return Err(refuse(format!("{} is no package", quoted(&word.text)), Some(help)));
        };
        let dir = dir.trim_end_matches('/');
        if let Some((package, target)) = dir.split_once(':') {
            let help = format!(
                "write \"//{package}\"; for one target, deps = [\"{}\"] below a [target.NAME]",
                word.text
            );
            let what = format!("{} is a target", quoted(&word.text));
            return Err(refuse(what, Some(help)).help_if(match target.is_empty() {
                true => Some(format!("write \"//{package}\"")),
                false => None,
            }));
        }
        match self.by_dir.get(dir) {
            Some(&to) if to == own => Err(refuse(
                "a package cannot depend on itself".to_owned(),
                Some("remove it".to_owned()),
            )),
            Some(&to) => Ok(to),
            None => {
                let near = nearest(dir, self.dirs.iter().skip(1).map(String::as_str));
                let help = near.map(|near| format!("did you mean \"//{near}\"?"));
                let help = help.or_else(|| (self.dirs.len() == 1).then(|| NO_PACKAGES.to_owned()));
                let what = format!("there is no package {}", quoted(&word.text));
                Err(refuse(what, help))
            }
        }
    }

    /// The package of this workspace that a manifest's dependency is.
    fn meant(&self, own: usize, dep: &Dep) -> Option<Edge> {
        let kind = self.kinds[own]?;
        let to = match &dep.names {
            Names::Folder(dir) => self.by_dir.get(dir),
            Names::Package(name) => self.by_name.get(&(kind, name.as_str())),
        };
        let to = *to?;
        (to != own).then(|| Edge { to, place: Some(dep.place.clone()), weak: dep.weak })
    }
}
