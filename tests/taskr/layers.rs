//! The map in the header of `src/lib.rs`, held against the source: every module is on it, and
//! imports only from rows below its own. The map itself is parsed, so that there is no second one.
//!
//! Knows Rust as rustfmt writes it, no more: what is reached from `lib.rs` by `mod` lines without
//! `#[cfg(test)]`, and paths that begin with `crate::` or lead to the crate by `super::`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The row of each module.
type Rows = BTreeMap<String, u32>;

#[test]
fn imports_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let library = fs::read_to_string(source.join("lib.rs")).expect("src/lib.rs");
    let rows = rows(&library);
    let mut waiting: Vec<Vec<String>> =
        modules(&without_tests(&library)).into_iter().map(|name| vec![name]).collect();
    let listed: BTreeSet<_> = rows.keys().cloned().collect();
    assert_eq!(listed, waiting.concat().into_iter().collect(), "the map and the `mod` lines");
    let mut wrong = Vec::new();
    let mut imports = 0;
    while let Some(path) = waiting.pop() {
        let text = without_tests(&read(&source, &path));
        let found = imported(&text, path.len());
        imports += found.len();
        wrong.extend(forbidden(&rows, &path, &found));
        waiting.extend(modules(&text).into_iter().map(|name| [&path[..], &[name]].concat()));
    }
    assert_eq!(wrong, [""; 0]);
    assert!(imports > 100, "only {imports} imports were seen");
}

/// A module's text: `a/b.rs` or `a/b/mod.rs`.
fn read(source: &Path, module: &[String]) -> String {
    let stem = source.join(module.join("/"));
    let file = fs::read_to_string(stem.with_extension("rs"));
    file.or_else(|_| fs::read_to_string(stem.join("mod.rs")))
        .unwrap_or_else(|error| panic!("{}: {error}", stem.display()))
}

/// The table of the header: `//! | 3 | [`graph`] | what it does |`, or several names in a row.
fn rows(library: &str) -> Rows {
    let mut rows = Rows::new();
    for line in library.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = line.split(" | ");
        let (Some(Ok(row)), Some(names)) = (cells.next().map(str::parse), cells.next()) else {
            continue;
        };
        for name in names.split(", ") {
            let name = name.trim_matches(['[', ']', '`']);
            assert!(rows.insert(name.to_owned(), row).is_none(), "{name} is on the map twice");
        }
    }
    rows
}

/// Code alone: without comment lines and without items under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim_start() != "#[cfg(test)]" {
            kept += line;
            kept.push('\n');
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let mut item = lines.by_ref().skip_while(|line| line.trim_start().starts_with("#["));
        let first = item.next().unwrap_or_default();
        if !first.ends_with(';') && !first.ends_with('}') {
            item.find(|line| *line == end);
        }
    }
    kept
}

/// The names of `mod NAME;` lines.
fn modules(code: &str) -> Vec<String> {
    let words = code.lines().filter_map(|line| line.strip_suffix(';'));
    words.filter_map(|line| Some(line.rsplit_once("mod ")?.1.to_owned())).collect()
}

/// The modules of the crate's root that code names. `depth` is how many `super::` lead there.
fn imported(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        heads(&code[at + "crate::".len()..], &mut found);
    }
    let up = "super::".repeat(depth);
    for (at, _) in code.match_indices(&up) {
        heads(&code[at + up.len()..], &mut found);
    }
    found
}

/// The first name of a path, or of each path of a `{group}`.
fn heads(path: &str, found: &mut Vec<String>) {
    let Some(group) = path.strip_prefix('{') else {
        return found.push(name(path));
    };
    let mut level = 0;
    let mut starts = true;
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => level += 1,
            b'}' if level == 0 => return,
            b'}' => level -= 1,
            b',' if level == 0 => starts = true,
            _ if byte.is_ascii_whitespace() => {}
            _ if starts => {
                found.push(name(&group[at..]));
                starts = false;
            }
            _ => {}
        }
    }
}

fn name(path: &str) -> String {
    path.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// A sentence for each import that does not go down.
fn forbidden(rows: &Rows, module: &[String], imported: &[String]) -> Vec<String> {
    let own = &module[0];
    let others = imported.iter().filter(|other| *other != own);
    let up = others.filter(|other| rows.get(*other).is_some_and(|row| *row >= rows[own]));
    up.map(|other| format!("{} imports {other}", module.join("::"))).collect()
}

#[test]
fn what_is_forbidden_is_found() {
    let rows = rows(
        "//! | row | module |\n//! | --- | --- |\n//! | 2 | [`c`] | x |\n//! | 1 | [`a`], [`b`] | y |\n",
    );
    assert_eq!(
        rows.iter().map(|(name, row)| (&name[..], *row)).collect::<Vec<_>>(),
        [("a", 1), ("b", 1), ("c", 2)]
    );
    let check = |module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|&name| name.to_owned()).collect();
        forbidden(&rows, &module, &imported(&without_tests(text), module.len()))
    };
    for (module, text, wrong) in [
        (&["c"][..], "use crate::a::x;\nuse std::fs;\n", &[][..]),
        (&["a"], "use crate::a::x;\nuse crate::other::y;\n", &[]),
        (&["a"], "use crate::c;\n", &["a imports c"]),
        (&["a"], "pub(crate) use crate::b::x as y;\n", &["a imports b"]),
        (&["a"], "fn f() {\n    crate::c::g();\n}\n", &["a imports c"]),
        (&["a"], "use crate::{\n    a::{c, x},\n    b::y,\n};\n", &["a imports b"]),
        (&["a"], "use super::c::x;\n", &["a imports c"]),
        (&["a", "inner"], "use super::c::x;\n", &[]),
        (&["a", "inner"], "use super::super::c::x;\n", &["a::inner imports c"]),
        (&["a"], "/// See [`crate::c`].\nfn f() {}\n", &[]),
        (
            &["a"],
            "#[cfg(test)]\nmod tests {\n    use crate::c;\n}\nuse crate::b;\n",
            &["a imports b"],
        ),
        (&["a"], "#[cfg(test)]\nmod tests;\nuse crate::b;\n", &["a imports b"]),
        (
            &["a"],
            "impl A {\n    #[cfg(test)]\n    #[inline]\n    fn f() {\n        crate::c::g();\n    }\n}\n",
            &[],
        ),
    ] {
        assert_eq!(check(module, text), wrong, "{text}");
    }
}
