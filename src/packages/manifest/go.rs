//! `go.mod`: the module's path, `require` and `replace`. What it does not understand it passes over:
//! the go command reads the file, too.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::{Dep, File, Manifest, Names};

pub(super) fn read(file: &File<'_>) -> Manifest {
    let mut module = None;
    let mut required: Vec<(&str, Range<usize>, bool)> = Vec::new();
    let mut replaced: FxHashMap<&str, &str> = FxHashMap::default();
    let mut block: Option<&str> = None;
    let text = &file.source.text;
    for line in text.split_inclusive('\n') {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let mut words: Vec<&str> = code.split_whitespace().collect();
        let verb = match (block, words.first().copied()) {
            (_, None) => continue,
            (Some(_), Some(")")) => {
                block = None;
                continue;
            }
            (Some(verb), Some(_)) => verb,
            (None, Some(verb)) => {
                words.remove(0);
                verb
            }
        };
        if words == ["("] {
            block = Some(verb);
            continue;
        }
        let Some(&word) = words.first() else { continue };
        let offset = word.as_ptr() as usize - text.as_ptr() as usize;
        let span = offset..offset + word.len();
        let name = unquoted(word);
        match verb {
            "module" => module = Some(file.word(name, span)),
            "require" => required.push((name, span, comment.trim() == "indirect")),
            "replace" => {
                let by = words.iter().skip_while(|word| **word != "=>").nth(1);
                replaced.extend(by.map(|by| (name, unquoted(by))));
            }
            _ => {}
        }
    }
    let deps = required.into_iter().filter_map(|(name, span, weak)| {
        let names = match replaced.get(name) {
            Some(by) if by.starts_with('.') => Names::folder(file.dir, by)?,
            Some(by) => Names::Package((*by).to_owned()),
            None => Names::Package(name.to_owned()),
        };
        Some(Dep { names, place: file.place(span), weak })
    });
    file.says(module, deps.collect())
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}
