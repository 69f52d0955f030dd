//! `taskr fmt`: one layout, and never another meaning.

use std::path::Path;

use taskr::parse::{format, parse};

use crate::project::Project;

const UNTIDY: &str =
    "default=['app'] # all\n[target.app]\ninputs=[ 'a' ,\"b\" ]\nrun   =   'ran app'\n";
const TIDY: &str = "\
default = ['app']  # all

[target.app]
inputs = ['a', \"b\"]
run    = 'ran app'
";

#[test]
fn a_taskfile_is_laid_out_anew() {
    let p = Project::new(UNTIDY);
    p.chmod("Taskfile.toml", 0o600);
    let told = "Taskfile.toml would change:\n";
    p.taskr(["fmt", "--check"])
        .says(told)
        .says("-inputs=[ 'a' ,\"b\" ]")
        .says("+inputs = ['a', \"b\"]")
        .exits(1);
    p.taskr(["fmt"])
        .makes("Taskfile.toml", TIDY)
        .stdout("Taskfile.toml is laid out anew\n")
        .any_files()
        .ok();
    assert_eq!(p.read("Taskfile.toml"), TIDY);
    p.accept_files();
    p.taskr(["fmt"]).stdout("Taskfile.toml is laid out as usual\n").ok();
    p.taskr(["fmt", "--check"]).ok();
    let left: Vec<_> = std::fs::read_dir(p.root()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "no file is left beside it: {left:?}");
}

#[test]
fn what_is_no_toml_is_told_and_left() {
    let p = Project::new("[target.a\nrun = 'x'\n");
    p.taskr(["fmt"]).says("Taskfile.toml:1:1").exits(2);
    // A wrong field is no matter of layout.
    let p = Project::new("[target.a]\nnone='x'\n");
    p.taskr(["fmt"]).any_files().ok();
    assert_eq!(p.read("Taskfile.toml"), "[target.a]\nnone = 'x'\n");
}

/// The bad files of the parser's own tests, the guide's snippets and the examples: whatever is TOML
/// is the same after, a second time changes nothing, and taskr says the same about it.
#[test]
fn nothing_comes_to_mean_something_else() {
    let mut seen = 0;
    for (name, text) in crate::docs::taskfiles().into_iter().chain(bad()) {
        let Ok(before) = toml::from_str::<toml::Table>(&text) else { continue };
        let Ok(once) = format(&name, text.as_bytes()) else { continue };
        seen += 1;
        let after: toml::Table = toml::from_str(&once).expect("TOML");
        assert_eq!(before, after, "{name}:\n{text}\n{once}");
        assert_eq!(format(&name, once.as_bytes()).expect("TOML"), once, "{name}");
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&text), comments(&once), "{name}");
        assert_eq!(
            parse(&name, text.as_bytes()).is_ok(),
            parse(&name, once.as_bytes()).is_ok(),
            "{name}"
        );
    }
    assert!(seen >= 150, "{seen} files");
}

#[test]
fn a_target_of_that_name_comes_first() {
    let p = Project::new("[target]\nfmt = 'ran fmt'\n");
    p.taskr(["fmt"]).ran(["fmt"]).ok();
    p.taskr(["fmt", "--check"])
        .says("`fmt` is a target here; the tool is `taskr tool fmt --check`")
        .exits(2);
    p.taskr(["tool", "fmt", "--check"]).says("is laid out as usual").ok();
}

/// taskr's own Taskfile and the examples.
#[test]
fn ours_are_laid_out_as_usual() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = std::fs::read_to_string(root.join("Taskfile.toml")).expect("a Taskfile");
    let examples = crate::docs::taskfiles().into_iter().filter(|(name, _)| name.ends_with(".toml"));
    for (name, text) in examples.chain([("Taskfile.toml".to_owned(), own)]) {
        assert_eq!(format(&name, text.as_bytes()).expect("TOML"), text, "{name}");
    }
}

/// The Taskfiles that taskr refuses.
pub(crate) fn bad() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for folder in ["src/parse/bad", "src/graph/bad"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one")) {
            let text = std::fs::read_to_string(entry.path()).expect("text");
            for case in text.split("=== ").filter(|case| !case.is_empty()) {
                let (title, rest) = case.split_once('\n').expect("a title");
                let (taskfile, _) = rest.split_once("---\n").expect("a line ---");
                all.push((title.to_owned(), taskfile.to_owned()));
            }
        }
    }
    all
}
