//! What the packages of a workspace rest on: the files that were read to know them, and the folders
//! that were listed. As long as all of that is so, they are the same.

use std::collections::BTreeMap;
use std::path::Path;

use taskr_cache::{Content, Digest, Fact, Seen};

use super::folders::find;
use super::{Where, read};
use crate::files::{Pattern, is_there_and_why, list_folders_and_why, normalise};
use crate::parse::{Include, Taskfile};

/// The files that were read, and what they held; none where there was none.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub(super) files: BTreeMap<String, Option<Digest>>,
}

impl Looked {
    /// The facts that the packages of `root` rest on, asked anew. None if something is no longer as
    /// it was looked at, or cannot be asked. Stamps are taken before what they stand for is read.
    pub fn why(&self, taskfile: &Taskfile, root: &Path) -> Option<Vec<(Vec<u8>, Fact)>> {
        let mut facts = Vec::new();
        for (path, digest) in &self.files {
            let file = root.join(path);
            let seen = Seen::of(&file).ok()?;
            let now = read(&file).ok()?.as_deref().map(Digest::of);
            let fact = match (seen, *digest) {
                (None, _) => Fact::Absent,
                (Some(Seen { link, file: None }), Some(digest)) => {
                    Fact::Holds(Some(link), Content::File { executable: link.executable(), digest })
                }
                (Some(seen), _) => Fact::Seen(seen),
            };
            (now == *digest).then(|| facts.push((path.clone().into_bytes(), fact)))?;
        }
        facts.extend(why_of_folders(&taskfile.include, root)?);
        let now = folders_of(&taskfile.include, root)?;
        let known = taskfile.packages.iter().map(|one| &one.package.dir);
        now.iter().eq(known).then_some(facts)
    }

    /// The files, relative to the workspace, and what they held.
    pub fn files(&self) -> impl Iterator<Item = (&str, Option<Digest>)> {
        self.files.iter().map(|(path, held)| (path.as_str(), *held))
    }
}

/// What the folders that `include` means rest on; none if it cannot be asked.
pub fn why_of_folders(include: &[Include], root: &Path) -> Option<Vec<(Vec<u8>, Fact)>> {
    let mut facts = Vec::new();
    for word in include.iter().flat_map(|include| &include.paths) {
        let text = word.text.strip_prefix('!').unwrap_or(&word.text);
        let path = normalise(b"", text.as_bytes()).ok()?;
        if Pattern::is_glob(&path) {
            let pattern = Pattern::parse(&path).ok()?;
            facts.extend(list_folders_and_why(root, &pattern).ok()?.1);
        } else {
            let (_, fact) = is_there_and_why(root, &path).ok()?;
            facts.push((path, fact));
        }
    }
    Some(facts)
}

/// The folders of the packages that `include` means now, in order; none if it means nothing sound.
pub fn folders_of(include: &[Include], root: &Path) -> Option<Vec<String>> {
    let found = find(include, &Where::new(root, root)).ok()?;
    Some(found.into_iter().map(|folder| folder.dir).collect())
}
