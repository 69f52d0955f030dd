//! Files of lines.

use std::io::Write;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::super::create::Whole;
use super::super::out::print;
use super::failed;
use crate::error::Error;

/// Writes the lines that `least` of the files have, to `output` or to stdout. Empty lines count for
/// nothing.
///
/// # Errors
/// A file cannot be read, or what comes of them not be written.
pub(super) fn merge(files: &[PathBuf], least: usize, output: Option<&Path>) -> Result<(), Error> {
    let mut texts = Vec::new();
    for file in files {
        texts.push(std::fs::read(file).map_err(|cause| failed("cannot read", file, cause))?);
    }
    let text = merged(&texts, least);
    let Some(output) = output else { return print(&text) };
    let written = Whole::instead_of(output).and_then(|mut whole| {
        whole.file().write_all(&text)?;
        whole.keep()
    });
    written.map_err(|cause| failed("cannot write", output, cause))
}

/// In the order in which they are first met.
fn merged(texts: &[Vec<u8>], least: usize) -> Vec<u8> {
    /// In how many texts a line was met, and the last of these.
    type Met = (usize, usize);
    let mut met: IndexMap<&[u8], Met, FxBuildHasher> = IndexMap::default();
    for (at, text) in texts.iter().enumerate() {
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let (times, last) = met.entry(line).or_insert((0, usize::MAX));
            *times += usize::from(*last != at);
            *last = at;
        }
    }
    let enough = met.iter().filter(|(_, (times, _))| *times >= least);
    enough.flat_map(|(line, _)| [*line, b"\n"]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_once_for_each_text() {
        let texts = [&b"b\na\na\n\n"[..], b"a\r\nc", b"c\nd\nb\n"].map(<[u8]>::to_vec);
        let told = |least| String::from_utf8(merged(&texts, least)).expect("text");
        assert_eq!(told(1), "b\na\nc\nd\n");
        assert_eq!(told(2), "b\na\nc\n");
        assert_eq!(told(3), "");
    }
}
