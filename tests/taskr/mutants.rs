//! The planted bugs of `tests/mutants` still fit the source; whether the suite catches them is asked
//! by `tests/mutants/run`, which takes longer.

use std::path::Path;
use std::process::Command;

#[test]
fn each_planted_bug_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join("tests/mutants")).expect("a folder").flatten();
    let patches = entries.map(|entry| entry.path());
    let patches: Vec<_> =
        patches.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    assert_eq!(patches.len(), 15);
    for patch in patches {
        let text = std::fs::read_to_string(&patch).expect("a patch");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("Promise: ") && lines[1].starts_with("Caught by: -p "));
        let mut git = Command::new("git");
        let check = git.args(["apply", "--check"]).arg(&patch).current_dir(root).output();
        let check = check.expect("git");
        let said = String::from_utf8_lossy(&check.stderr);
        assert!(check.status.success(), "{}: {said}", patch.display());
    }
}
