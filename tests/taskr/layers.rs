//! The map of the modules, held against the `use` lines: a module imports only from rows below its
//! own, and row-mates never import each other.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom to the top. `ids` and `error` are the library's own foundation.
const ROWS: [&[&str]; 7] = [
    &["ids", "error"],
    &["expr", "files", "outdir", "process", "lock", "outcome"],
    &["parse"],
    &["graph"],
    &["plan", "judge", "record", "workers", "report"],
    &["run"],
    &["cli"],
];

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

#[test]
fn imports_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = 0;
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).expect("below src");
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own = row(module).unwrap_or_else(|| panic!("{module} is on no row of the map"));
        for name in imported(&fs::read_to_string(&path).expect("a source")) {
            let Some(other) = row(&name).filter(|_| name != module) else { continue };
            imports += 1;
            assert!(other < own, "{} imports {name}, which is not below it", inside.display());
        }
    }
    assert!(imports > 0, "no import was looked at");
}

/// The modules of this crate that a source names, in `use` lines or in paths.
fn imported(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    let after = code.split("crate::").skip(1).filter(|rest| !rest.starts_with('{'));
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    after.map(name).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut waiting = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting
                .extend(fs::read_dir(path).expect("a folder").flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
