//! Where a path that a command wrote down lies.
//!
//! For the system `..` behind a link leads above what the link leads to, so of `ext/../y.h` the
//! letters do not tell which file it is: the disk is asked. A link that was followed so is part of
//! the answer, since by another text of it the same name means another file. Where nothing is any
//! more, the letters count.
//!
//! Knows no depfile and no task.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::outdir::{Root, dir_of};

/// So many links are followed for one name; the system follows no more.
const MOST_LINKS: usize = 40;

/// Resolves names that were written in one folder; asks the disk once for each folder.
pub(super) struct Folders<'r> {
    root: &'r Root,
    /// Absolute, as is all in here, and without a slash at its end.
    dir: Vec<u8>,
    parents: FxHashMap<Vec<u8>, Vec<u8>>,
    /// Links whose text decided what a name means, in the workspace's terms.
    pub(super) links: Vec<Vec<u8>>,
}

impl<'r> Folders<'r> {
    pub(super) fn new(root: &'r Root, dir: &Path) -> Folders<'r> {
        let dir = dir.as_os_str().as_bytes();
        let dir = dir.strip_suffix(b"/").unwrap_or(dir).to_vec();
        Folders { root, dir, parents: FxHashMap::default(), links: Vec::new() }
    }

    /// The path that `name` means, relative to the workspace where it lies in it. What it names is
    /// not followed if it is a link.
    pub(super) fn resolve(&mut self, name: &[u8]) -> Vec<u8> {
        let path = self.walk(self.dir.clone(), name, MOST_LINKS);
        self.in_workspace(path)
    }

    fn in_workspace(&self, path: Vec<u8>) -> Vec<u8> {
        let root = self.root.path().as_os_str().as_bytes();
        let below = path.strip_prefix(root).and_then(|rest| rest.strip_prefix(b"/"));
        below.map(<[u8]>::to_vec).unwrap_or(path)
    }

    fn walk(&mut self, dir: Vec<u8>, name: &[u8], links: usize) -> Vec<u8> {
        let mut path = if name.starts_with(b"/") { Vec::new() } else { dir };
        for part in name.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => path = self.parent(&path, links),
                part => path.extend([b"/", part].concat()),
            }
        }
        path
    }

    /// What `folder/..` is.
    fn parent(&mut self, folder: &[u8], links: usize) -> Vec<u8> {
        if let Some(known) = self.parents.get(folder) {
            return known.clone();
        }
        let text = std::fs::read_link(self.root.absolute(folder)).ok().filter(|_| links > 0);
        let parent = match text {
            None => dir_of(folder).to_vec(),
            Some(text) => {
                let link = self.in_workspace(folder.to_vec());
                if !self.links.contains(&link) {
                    self.links.push(link);
                }
                let text = text.as_os_str().as_bytes();
                let leads_to = self.walk(dir_of(folder).to_vec(), text, links - 1);
                self.parent(&leads_to, links - 1)
            }
        };
        self.parents.insert(folder.to_vec(), parent.clone());
        parent
    }
}

#[cfg(test)]
mod tests {
    use std::fs::create_dir_all;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn dots_behind_a_link_lead_above_what_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let base = std::fs::canonicalize(dir.path()).unwrap();
        for folder in ["ws/src/net", "ws/b", "lib/sub/deep"] {
            create_dir_all(base.join(folder)).unwrap();
        }
        let ws = base.join("ws");
        symlink("../lib/sub", ws.join("ext")).unwrap();
        symlink("b", ws.join("a")).unwrap();
        symlink("../src/net", ws.join("b/in")).unwrap();
        symlink("a/in", ws.join("twice")).unwrap();
        symlink("loop", ws.join("loop")).unwrap();
        symlink("src/net", ws.join("y.h")).unwrap();
        let root = Root::open(&ws).unwrap();
        let table = [
            ("", "y.h", "y.h", vec![]),
            ("", "./src//net/../y.h", "src/y.h", vec![]),
            ("", "gone/../y.h", "y.h", vec![]),
            ("", "loop/../y.h", "y.h", vec!["loop"]),
            ("", "ext/x.h", "ext/x.h", vec![]),
            ("", "ext/../y.h", "BASE/lib/y.h", vec!["ext"]),
            ("", "ext/deep/../../y.h", "BASE/lib/y.h", vec!["ext"]),
            ("", "ext/../../ws/y.h", "y.h", vec!["ext"]),
            ("", "a/in/../y.h", "src/y.h", vec!["a/in", "a"]),
            ("", "twice/../y.h", "src/y.h", vec!["twice", "a/in", "a"]),
            ("ext", "../y.h", "BASE/lib/y.h", vec!["ext"]),
            ("src", "../../lib/y.h", "BASE/lib/y.h", vec![]),
            ("src", "/../usr/./y.h", "/usr/y.h", vec![]),
        ];
        for (dir, name, expected, links) in table {
            let mut folders = Folders::new(&root, &root.absolute(dir.as_bytes()));
            let found = String::from_utf8(folders.resolve(name.as_bytes())).unwrap();
            let found = found.replace(&base.display().to_string(), "BASE");
            assert_eq!(found, expected, "{name}");
            let followed: Vec<_> =
                folders.links.iter().map(|l| String::from_utf8_lossy(l)).collect();
            assert_eq!(followed, links, "{name}");
        }
    }
}
