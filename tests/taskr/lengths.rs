//! How long Taskfiles are beside the files of other tools that do the same: `examples/lengths/`,
//! a folder for each case. Holds the table of docs/lengths.md against the files
//! (`TASKR_TEST_WRITE=1` writes it), and the Taskfiles against what they are said to do.
//!
//! The Makefile of the C project is played as well, with the real compiler. The files of the
//! other tools were played when they were written; here they are only parsed. npm and Python are
//! stood in for by scripts: what is proved is which command runs when, not what it does.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yaml_rust2::YamlLoader;

use crate::docs::example;
use crate::project::Project;
use crate::real_c::LOGGED_CC;
use crate::repository::{committed, does, ends, git};

/// A tool and its files.
type Tool = (&'static str, &'static [&'static str]);

/// The cases: a title, the folder, and the tools that have words for it.
const CASES: [(&str, &str, &[Tool]); 4] = [
    (
        "C, generated headers",
        "c",
        &[("taskr", &["Taskfile.toml"]), ("make", &["Makefile"]), ("go-task", &["Taskfile.yml"])],
    ),
    (
        "npm, six packages",
        "monorepo",
        &[
            ("taskr", &["Taskfile.toml", "npm.toml"]),
            (
                "Turborepo",
                &[
                    "turbo.json",
                    "packages/app/package.json",
                    "packages/core/package.json",
                    "packages/server/package.json",
                    "packages/store/package.json",
                    "packages/text/package.json",
                    "packages/ui/package.json",
                ],
            ),
            ("go-task", &["Taskfile.yml", "npm.yml"]),
        ],
    ),
    (
        "Python: lint, types, tests, coverage",
        "python",
        &[
            ("taskr", &["Taskfile.toml"]),
            ("make", &["Makefile"]),
            ("just", &["justfile"]),
            ("go-task", &["Taskfile.yml"]),
            ("mise", &["mise.toml"]),
        ],
    ),
    (
        "git hooks",
        "hook",
        &[
            ("taskr", &["Taskfile.toml"]),
            ("lefthook", &["lefthook.yml"]),
            ("pre-commit", &[".pre-commit-config.yaml"]),
        ],
    ),
];

/// The part of a file that says what to run: all of it, but of a `package.json` only the scripts.
fn counted(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    match file.extension().and_then(|extension| extension.to_str()).unwrap_or(name) {
        "toml" => drop(text.parse::<toml::Table>().expect(name)),
        "json" => drop(serde_json::from_str::<serde_json::Value>(&text).expect(name)),
        "yml" | "yaml" => assert_eq!(YamlLoader::load_from_str(&text).expect(name).len(), 1),
        "Makefile" | "justfile" => {}
        other => panic!("{other}: nobody reads it"),
    }
    if name != "package.json" {
        return text;
    }
    let (_, rest) = text.split_once("  \"scripts\": {\n").expect("scripts");
    let (scripts, _) = rest.split_once("\n  }").expect("their end");
    format!("  \"scripts\": {{\n{scripts}\n  }},\n")
}

/// Lines and bytes, without comments and empty lines.
fn length(text: &str) -> (usize, usize) {
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    text.lines()
        .filter(says)
        .fold((0, 0), |(lines, bytes), line| (lines + 1, bytes + line.len() + 1))
}

#[test]
fn the_table_is_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut table =
        "| | tool | files | lines | bytes |\n| --- | --- | --- | --: | --: |\n".to_owned();
    for (title, folder, tools) in CASES {
        for (at, (tool, files)) in tools.iter().enumerate() {
            let paths = files.iter().map(|file| format!("examples/lengths/{folder}/{file}"));
            let text: String = paths.clone().map(|path| counted(&root.join(path))).collect();
            let (lines, bytes) = length(&text);
            let [first, more @ ..] = files else { panic!("{tool} has no files") };
            let mut links = format!("[{first}](../examples/lengths/{folder}/{first})");
            match more {
                [] => {}
                [second] => {
                    let _ = write!(links, ", [{second}](../examples/lengths/{folder}/{second})");
                }
                _ => {
                    let _ = write!(links, ", `scripts` of {} `package.json`", more.len());
                }
            }
            let title = if at == 0 { title } else { "" };
            let _ = writeln!(table, "| {title} | {tool} | {links} | {lines} | {bytes} |");
        }
    }
    let page = root.join("docs/lengths.md");
    let text = fs::read_to_string(&page).expect("a page");
    let (before, after) = text.split_once("<!-- table: LENGTHS -->\n").expect("a mark");
    let (_, after) = after.split_once("<!-- end -->\n").expect("an end");
    let right = format!("{before}<!-- table: LENGTHS -->\n{table}<!-- end -->\n{after}");
    if std::env::var_os("TASKR_TEST_WRITE").is_some() {
        fs::write(&page, &right).expect("a page");
    }
    assert!(text == right, "the table differs from the files: run with TASKR_TEST_WRITE=1");
}

/// The C project with programs that tell what they were called for.
fn c_project() -> Project {
    let p = example("lengths/c");
    p.program("cc", &LOGGED_CC.replace("exec cc", "exec /usr/bin/cc"));
    p.program("awk", "ran awk; exec /usr/bin/awk \"$@\"");
    p.program("diff", "ran diff; exec /usr/bin/diff \"$@\"");
    p
}

/// Runs make. What ran, sorted.
fn make(p: &Project) -> Vec<String> {
    let mut make = Command::new("make");
    make.arg("-j2").current_dir(p.root());
    p.clear_environment(&mut make);
    let output = ends(&mut make);
    assert!(output.status.success(), "{output}");
    let mut ran = p.take_ran();
    ran.sort();
    ran
}

#[test]
fn taskr_and_make_build_the_same_c_program() {
    let all = ["app", "awk", "diff", "src/check.c", "src/main.c", "src/report.c"];
    let ours = c_project();
    ours.taskr(["-j2"]).ran(all).any_files().ok();
    ours.taskr(["-j2"]).says("7 tasks up to date").ok();
    // A text that only its user's object could hold, and does not.
    let edited = ours.read("messages.txt").replace("cannot be opened", "is not there");
    ours.write("messages.txt", &edited);
    ours.taskr(["-j2"]).ran(["awk", "src/check.c"]).any_files().ok();
    if Command::new("make").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: there is no make");
    }
    let theirs = c_project();
    assert_eq!(make(&theirs), all);
    assert_eq!(make(&theirs), [""; 0]);
    theirs.write("messages.txt", &edited);
    assert_eq!(make(&theirs), ["app", "awk", "diff", "src/check.c"]);
    let program = |p: &Project| fs::read(p.path("bin/app")).expect("a program");
    assert!(program(&ours) == program(&theirs), "the programs differ");
}

#[test]
fn the_monorepo_builds_what_needs_it() {
    let p = example("lengths/monorepo");
    p.program("npm", "ran install; mkdir -p node_modules");
    p.program("node", "ran test ${PWD##*/}; test -e dist/index.js");
    // A build reads what it imports, as tsc does.
    p.program(
        "npx",
        "test $1 = tsc || { ran lint ${PWD##*/}; exit; }\n\
         ran build ${PWD##*/}; mkdir -p dist; cp src/index.ts dist/index.js\n\
         for name in $(grep -o '@shop/[a-z]*' src/index.ts); do\n\
         cat ../${name#@shop/}/dist/index.js >> dist/index.js || exit; done",
    );
    let packages = ["app", "core", "server", "store", "text", "ui"];
    let each = |words: &[&str], packages: &[&str]| -> Vec<String> {
        let lines =
            words.iter().flat_map(|word| packages.iter().map(move |p| format!("{word} {p}")));
        lines.collect()
    };
    let mut all = each(&["build", "lint", "test"], &packages);
    all.push("install".to_owned());
    p.taskr(["-j2"]).ran(all).any_files().ok();
    p.taskr(["-j2"]).says("19 tasks up to date").ok();
    let source = "packages/store/src/index.ts";
    p.write(source, &format!("{}// More.\n", p.read(source)));
    let mut after = each(&["build", "test"], &["store", "server", "app"]);
    after.push("lint store".to_owned());
    p.taskr(["-j2"]).ran(after).any_files().ok();
    p.write("package-lock.json", &p.read("package-lock.json").replace("\n}", "\n\n}"));
    let mut all = each(&["build", "lint", "test"], &packages);
    all.push("install".to_owned());
    p.taskr(["-j2"]).ran(all).any_files().ok();
}

#[test]
fn python_is_checked_where_it_changed() {
    let p = example("lengths/python");
    let bin = "mkdir -p .venv/bin\n\
               for n in pip ruff mypy coverage; do ln -sf $(command -v tool) .venv/bin/$n; done";
    p.program("python3", &format!("ran venv; {bin}"));
    p.program(
        "tool",
        "case ${0##*/}-$1 in\n\
         coverage-run) echo covered > ${2#*=} ;;\n\
         coverage-html) mkdir -p ${3#*=}; echo page > ${3#*=}/index.html ;;\n\
         esac; ran ${0##*/} $1",
    );
    let checks = [
        "ruff check",
        "ruff format",
        "mypy src",
        "coverage run",
        "coverage html",
        "coverage report",
    ];
    p.taskr(["-j2"]).ran([&checks[..], &["venv", "pip install"]].concat()).any_files().ok();
    p.taskr(["-j2"]).says("5 tasks up to date").ok();
    p.write("tests/test_more.py", "# More.\n");
    p.taskr(["-j2"]).ran(checks).any_files().ok();
}

#[test]
fn hooks_fix_check_and_test() {
    let p = example("lengths/hook");
    p.program("ruff", "ran \"$@\"; test $1 = check || sed -i 's/  *$//' $2");
    p.program("mypy", "ran mypy").program("pytest", "ran pytest");
    p.write(".gitignore", ".taskr\n");
    let Some(p) = committed(p) else { return };
    p.taskr(["hook", "install"]).says("pre-push").any_files().ok();
    p.write("tests/test_tally.py", &format!("{}x = 1  \n", p.read("tests/test_tally.py")));
    does(&p, ["add", "tests"]);
    does(&p, ["commit", "-qm", "more"]);
    let [first, checks @ ..] = &mut p.take_ran()[..] else { panic!("nothing ran") };
    checks.sort();
    assert_eq!(first, "format tests/test_tally.py");
    assert_eq!(checks, ["check tests/test_tally.py", "mypy"]);
    assert!(does(&p, ["show", "HEAD"]).contains("\n+x = 1\n"), "the fix is not in the commit");
    assert_eq!(does(&p, ["status", "--porcelain"]), "");
    let other: PathBuf = p.outside("other.git");
    let made = ends(git(&p, &p.root(), ["init", "-q", "--bare"]).arg(&other));
    assert!(made.status.success(), "{made}");
    does(&p, ["push", "-q", &other.to_string_lossy(), "HEAD:main"]);
    assert_eq!(p.take_ran(), ["pytest"]);
}
