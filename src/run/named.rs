//! What `{{ inputs }}` stands for: the files of each list of a task's inputs, and of all of them.

use crate::graph::ListName;

/// Files by list; each once in a list.
#[derive(Debug)]
pub(super) struct Named<F> {
    /// Of all lists in order, each once.
    all: Vec<F>,
    parts: Vec<(String, Vec<F>)>,
    /// Environment files, which `{{ inputs }}` does not name.
    pub(super) env_files: Vec<F>,
}

/// The words of a command: those of `{{ inputs }}`, and those of `{{ inputs.NAME }}`.
#[derive(Debug, Default)]
pub(super) struct Words<'w> {
    pub(super) all: Vec<&'w [u8]>,
    pub(super) parts: Vec<(&'w str, Vec<&'w [u8]>)>,
}

impl<F> Default for Named<F> {
    fn default() -> Named<F> {
        Named { all: Vec::new(), parts: Vec::new(), env_files: Vec::new() }
    }
}

impl<F: Clone + Eq + std::hash::Hash> Named<F> {
    /// One list more.
    pub(super) fn push(&mut self, name: ListName, files: Vec<F>) {
        match name {
            ListName::Plain => self.all.extend(files),
            ListName::Part(name) => {
                self.all.extend(files.iter().cloned());
                self.parts.push((name, files));
            }
            ListName::EnvFiles => self.env_files = files,
        }
    }

    /// Their paths.
    pub(super) fn words<'w>(&'w self, path: impl Fn(&'w F) -> &'w [u8]) -> Words<'w> {
        let mut seen = rustc_hash::FxHashSet::default();
        let all = self.all.iter().filter(|file| seen.insert(*file)).map(&path).collect();
        let parts = self.parts.iter();
        let parts = parts.map(|(name, files)| (name.as_str(), files.iter().map(&path).collect()));
        Words { all, parts: parts.collect() }
    }
}
