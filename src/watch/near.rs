//! Files that a failed task may have read although nobody said so: those near it that its output
//! names.
//!
//! A compiler tells by its depfile what it read. If it ends before it has written that, as it does
//! where a header is not there, its output is all there is to go by.

use std::path::Path;

use rustc_hash::FxHashSet;

use super::Looked;
use super::inputs::Inputs;
use crate::graph::Graph;

/// All sources near such tasks, as they were when the build began, and what their output says.
#[derive(Debug, Default)]
pub struct Near {
    /// The sources.
    pub inputs: Inputs,
    words: FxHashSet<Vec<u8>>,
}

impl Near {
    /// Nothing yet, of the workspace `root`.
    pub fn new(root: &Path) -> Near {
        Near { inputs: Inputs::new(root), words: FxHashSet::default() }
    }

    /// Output of a task that failed.
    pub fn add_output(&mut self, output: &[u8]) {
        let is_mark =
            |byte: &u8| !byte.is_ascii_alphanumeric() && *byte < 0x80 && !b"._-+".contains(byte);
        let words = output.split(is_mark);
        let words = words.map(|word| word.strip_suffix(b".").unwrap_or(word));
        let names = words.filter(|word| word.iter().skip(1).any(|&byte| byte == b'.'));
        self.words.extend(names.map(<[u8]>::to_vec));
    }

    pub(super) fn look(&mut self, graph: &Graph, looked: &mut Looked) {
        if self.words.is_empty() {
            return;
        }
        let mut all = Looked::default();
        self.inputs.look(graph, None, &mut all);
        looked.folders.append(&mut all.folders);
        for (path, change) in all.edits {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(&path);
            if self.words.contains(name) {
                looked.add(&path, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_found_in_what_compilers_say() {
        let mut near = Near::new(Path::new(""));
        near.add_output(
            b"src/a.c:1:10: fatal error: lib/x_y.h: No such file.\nIn 'b.hpp', see c.h.",
        );
        let mut words: Vec<_> =
            near.words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        words.sort();
        assert_eq!(words, ["a.c", "b.hpp", "c.h", "x_y.h"]);
    }
}
