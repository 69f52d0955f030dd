//! Names on the command line and the packages of the workspace: below a package's folder a bare
//! name is that package's.

use super::workspace::Workspace;
use super::{TOOLS, goals};
use crate::error::Error;
use crate::parse::{
    Pipeline, Target, Taskfile, Whose, full_name, is_below, read_name, seen_from, split_name,
    split_pick,
};

impl Workspace {
    /// The package that the current folder lies in; the root where it lies in none.
    pub(super) fn package(&self) -> &Taskfile {
        self.taskfile.package_in(&self.here).unwrap_or(&self.taskfile)
    }

    /// The full name that a word means here. What means several packages' targets, or nothing,
    /// stays as it is.
    pub(super) fn full(&self, word: &str) -> String {
        full_in(&self.here, word)
    }

    /// Whether a word names a target, or public targets of several packages.
    pub(super) fn has_target(&self, word: &str) -> bool {
        let Some(written) = read_name(word) else { return false };
        match written.whose {
            Whose::Here | Whose::Of(_) => {
                self.taskfile.target(split_pick(&self.full(word)).0).is_some()
            }
            Whose::Below(above) => self.taskfile.every().any(|one| {
                is_below(&one.package.dir, above)
                    && one.targets.get(written.bare()).is_some_and(|target| !target.private)
            }),
            Whose::Reached => false,
        }
    }

    /// Whether a word names a pipeline. All are the root's.
    pub(super) fn has_pipeline(&self, word: &str) -> bool {
        self.taskfile.pipelines.contains_key(&self.full(word))
    }

    /// The pipelines among these words.
    pub(super) fn pipelines_of(&self, words: &[String]) -> Vec<&Pipeline> {
        let named = words.iter().filter_map(|word| self.taskfile.pipelines.get(&self.full(word)));
        named.collect()
    }

    /// The names with the steps of a pipeline in its place.
    pub(super) fn without_pipelines(&self, names: &[String]) -> Vec<String> {
        let steps = |name: &String| match self.taskfile.pipelines.get(name) {
            Some(pipeline) => pipeline.names().map(|step| step.text.clone()).collect(),
            None => vec![name.clone()],
        };
        names.iter().flat_map(steps).collect()
    }

    /// The full names of what is to be built: of pipelines and of targets.
    ///
    /// # Errors
    /// A word that means nothing.
    pub(super) fn wanted_names(&self, words: &[String]) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for word in words {
            match self.has_pipeline(word) {
                true => names.push(self.full(word)),
                false => names.extend(self.full_names([word])?),
            }
        }
        Ok(names)
    }

    /// The full names that words on the command line mean; a pipeline means its steps.
    ///
    /// # Errors
    /// A word that means nothing.
    pub(super) fn full_names<'n>(
        &self,
        words: impl IntoIterator<Item = &'n String>,
    ) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for word in words {
            if let Some(pipeline) = self.taskfile.pipelines.get(&self.full(word)) {
                names.extend(pipeline.names().map(|step| step.text.clone()));
                continue;
            }
            if !self.has_target(word) {
                let known = self.package().targets.values().filter(|target| !target.private);
                let known = known.map(|target| target.name.as_str()).chain(TOOLS);
                let graph = self.loader_with(&[], &[], 1).and_then(|load| load()).ok();
                return Err(goals::unknown(word, self, graph.as_ref(), known));
            }
            names.push(self.full(word));
        }
        Ok(names)
    }

    /// All targets with their Taskfiles and full names: those of the current package first.
    pub(super) fn targets(&self) -> impl Iterator<Item = (String, &Taskfile, &Target)> {
        let here = self.package();
        let others = self.taskfile.every().filter(move |one| !std::ptr::eq(*one, here));
        std::iter::once(here).chain(others).flat_map(|file| {
            file.targets.values().map(move |target| (file.full_name(&target.name), file, target))
        })
    }

    /// The files that say what packages are, each with the folder of one.
    pub(super) fn sources(&self) -> Vec<(Vec<u8>, String)> {
        let packages = self.taskfile.every().map(|one| &one.package);
        let sources = packages.flat_map(|one| {
            one.sources.iter().map(|path| (path.clone().into_bytes(), one.dir.clone()))
        });
        sources.collect()
    }

    /// How a full name is written here.
    pub(super) fn seen(&self, full: &str) -> String {
        seen_from(&self.here, full)
    }
}

/// The full name that a word means in the package in `dir`.
pub(super) fn full_in(dir: &str, word: &str) -> String {
    match read_name(word) {
        Some(written) => match written.whose {
            Whose::Here => full_name(dir, written.target),
            Whose::Of(dir) => full_name(dir, written.target),
            Whose::Below(_) | Whose::Reached => word.to_owned(),
        },
        None => word.to_owned(),
    }
}

/// A full name that means the same in every folder.
pub(super) fn spelt_out(full: &str) -> String {
    match split_name(full) {
        ("", name) if !name.starts_with([':', '/', '^']) => format!("//:{name}"),
        _ => full.to_owned(),
    }
}
