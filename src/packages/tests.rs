//! Workspaces on the disk: what is found in them, and every word that a wrong one is answered.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::error::{answered, render};
use crate::parse::parse;

/// A case is a line `=== title`, files that each begin with a line `>>> path`, of which the first
/// is the workspace's Taskfile, a line `---`, and what is shown.
const BAD: &[(&str, &str)] = &[
    ("include", include_str!("bad/include.txt")),
    ("manifests", include_str!("bad/manifests.txt")),
];

/// A workspace of these files.
fn workspace(files: &str) -> TempDir {
    let root = TempDir::new().expect("a folder");
    for file in files.split(">>> ").filter(|file| !file.is_empty()) {
        let (path, text) = file.split_once('\n').expect("a path");
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    root
}

fn loaded(files: &str) -> Result<Taskfile, Error> {
    let root = workspace(files);
    let path = root.path().canonicalize().expect("a folder");
    let text = fs::read(path.join(NAME)).expect("a Taskfile");
    Ok(load(parse(NAME, &text)?, Where::new(&path, &path))?.0)
}

/// Each package: `dir (name): targets -> what it needs`.
fn packages(files: &str) -> Vec<String> {
    let root = match loaded(files) {
        Ok(root) => root,
        Err(error) => panic!("{}", render(&error, false, 100)),
    };
    let every: Vec<&Taskfile> = root.every().collect();
    let told = |one: &&Taskfile| {
        let package = &one.package;
        let needs = package.needs.iter().map(|&at| every[at].package.dir.as_str());
        let needs: Vec<&str> = needs.map(|dir| if dir.is_empty() { "//" } else { dir }).collect();
        let targets: Vec<&str> = one.targets.keys().map(String::as_str).collect();
        let name = package.name.as_deref().unwrap_or("-");
        format!("{} ({name}): {} -> {}", package.dir, targets.join(" "), needs.join(" "))
    };
    every.iter().map(told).collect()
}

#[test]
fn wrong_workspaces_are_answered_word_by_word() {
    answered(BAD, 25, |_, files| match loaded(files) {
        Ok(root) => format!("no error: {} packages", root.packages.len()),
        Err(error) => render(&error, false, 100),
    });
}

#[test]
fn folders_and_the_taskfiles_that_they_share() {
    let found = packages(
        r#">>> Taskfile.toml
include = ["libs/*", { path = ["apps/*", "tools/gen"], taskfile = "app.toml" }, "!libs/old"]
>>> app.toml
default = ["build"]
[vars]
a = "shared"
b = "shared"
[target.build]
run = "make"
[target.lint]
run = "lint"
>>> libs/one/Taskfile.toml
[target.t]
run = "x"
>>> libs/old/Taskfile.toml
[target.t]
run = "x"
>>> libs/left/node_modules/x/index.js
>>> libs/README.md
>>> apps/a/main.c
>>> apps/b/Taskfile.toml
[package]
deps = ["//libs/one", "//apps/a/"]
[vars]
b = "own"
[target.extra]
run = "x"
>>> tools/gen/x
"#,
    );
    assert_eq!(
        found,
        [
            " (-):  -> ",
            "apps/a (a): build lint -> ",
            "apps/b (b): build lint extra -> apps/a libs/one",
            "libs/one (one): t -> ",
            "tools/gen (gen): build lint -> ",
        ]
    );
}

#[test]
fn two_stars_find_what_has_a_taskfile() {
    let found = packages(
        ">>> Taskfile.toml\ninclude = ['packages/**']\n\
         >>> packages/a/Taskfile.toml\n[target.t]\nrun = 'x'\n\
         >>> packages/a/src/main.c\n\
         >>> packages/deep/er/b/Taskfile.toml\n[target.t]\nrun = 'x'\n\
         >>> packages/a/node_modules/c/Taskfile.toml\n[target.t]\nrun = 'x'\n",
    );
    assert_eq!(found[1..], ["packages/a (a): t -> ", "packages/deep/er/b (b): t -> "]);
}

/// A workspace of packages `a`, `b`, … that share a Taskfile and have these manifests.
fn manifests(kind: &str, files: &[(&str, &str)]) -> Vec<String> {
    let mut text = format!(
        ">>> Taskfile.toml\ninclude = [{{ path = 'p/*', taskfile = 's.toml', deps_from = '{kind}' }}]\n\
         >>> s.toml\n[target.t]\nrun = 'x'\n"
    );
    for (path, manifest) in files {
        text.push_str(&format!(">>> {path}\n{manifest}\n"));
    }
    let found = packages(&text);
    let short =
        |line: &String| line.replacen("p/", "", 1).replace(": t ->", " ->").replace("p/", "");
    found[1..].iter().map(|line| short(line).trim_end().to_owned()).collect()
}

#[test]
fn package_json_names_packages() {
    let found = manifests(
        "package.json",
        &[
            ("p/a/package.json", r#"{ "author": {"name": "ann"}, "name": "@x/a" }"#),
            (
                "p/b/package.json",
                r#"{ "name": "b", "dependencies": { "@x/a": "workspace:*", "react": "^19" } }"#,
            ),
            ("p/c/package.json", r#"{ "name": "c", "devDependencies": { "b": "^1.0.0" } }"#),
            ("p/d/package.json", r#"{ "dependencies": { "other": "file:../b", "c": "npm:c@1" } }"#),
            (
                "p/e/package.json",
                r#"{ "name": "e", "optionalDependencies": { "z": "workspace:@x/a@^1" },
                     "peerDependencies": { "c": "*" }, "dependencies": { "d2": "link:../d",
                     "b": "github:me/b" } }"#,
            ),
        ],
    );
    let expected = ["a (@x/a) ->", "b (b) -> a", "c (c) -> b", "d (d) -> b", "e (e) -> a c d"];
    assert_eq!(found, expected);
}

/// A version may mean the published package of that name: it closes no circle.
#[test]
fn a_circle_by_versions_of_package_json_gives_way() {
    let found = manifests(
        "package.json",
        &[
            ("p/a/package.json", r#"{ "name": "a", "dependencies": { "b": "^1.0.0" } }"#),
            ("p/b/package.json", r#"{ "name": "b", "dependencies": { "a": "^1.0.0" } }"#),
            ("p/c/package.json", r#"{ "name": "c", "dependencies": { "d": "workspace:*" } }"#),
            ("p/d/package.json", r#"{ "name": "d", "dependencies": { "c": "*", "a": "1" } }"#),
        ],
    );
    assert_eq!(found, ["a (a) ->", "b (b) ->", "c (c) -> d", "d (d) -> a"]);
}

#[test]
fn cargo_toml_names_folders_and_members() {
    let found = manifests(
        "Cargo.toml",
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = ['p/*']\n[workspace.dependencies]\n\
                 lib-a = { path = 'p/a' }\nserde = '1'\n",
            ),
            (
                "p/a/Cargo.toml",
                "[package]\nname = 'lib-a'\n[dev-dependencies]\nc = { path = '../c' }\n",
            ),
            (
                "p/b/Cargo.toml",
                "[package]\nname = 'b'\n[dependencies]\nlib-a.workspace = true\n\
                 serde = { workspace = true }\n",
            ),
            (
                "p/c/Cargo.toml",
                "[package]\nname = 'c'\n[target.'cfg(unix)'.dependencies]\n\
                 x = { path = '../b' }\n[build-dependencies]\ny = { package = 'lib-a', path = '../a' }\n",
            ),
            (
                "p/d/Cargo.toml",
                "[package]\nname = 'd'\n[dependencies]\nb = { git = 'https://x.org/b' }\nc = '1'\n",
            ),
        ],
    );
    // a -> c is of development only, and would close a circle: cargo takes it, too.
    assert_eq!(found, ["a (lib-a) ->", "b (b) -> a", "c (c) -> a b", "d (d) -> c"]);
}

#[test]
fn pyproject_toml_names_packages() {
    let found = manifests(
        "pyproject.toml",
        &[
            ("p/a/pyproject.toml", "[project]\nname = 'My_Lib.A'\n"),
            (
                "p/b/pyproject.toml",
                "[project]\nname = 'b'\ndependencies = ['my-lib-a[x]>=1; python_version>\"3\"', 'c']\n\
                 [tool.uv.sources]\nc = { git = 'https://x.org/c' }\n",
            ),
            (
                "p/c/pyproject.toml",
                "[tool.poetry]\nname = 'c'\n[tool.poetry.dependencies]\npython = '^3'\n\
                 any = { path = '../b', develop = true }\n",
            ),
            (
                "p/d/pyproject.toml",
                "[project]\nname = 'd'\n[project.optional-dependencies]\nx = ['e']\n\
                 [dependency-groups]\ndev = ['c', { include-group = 'y' }]\n\
                 [tool.uv.sources]\ne = { path = '../b' }\n",
            ),
        ],
    );
    assert_eq!(found, ["a (My_Lib.A) ->", "b (b) -> a", "c (c) -> b", "d (d) -> b c"]);
}

#[test]
fn go_mod_names_modules() {
    let found = manifests(
        "go.mod",
        &[
            ("p/a/go.mod", "module x.org/a // the first\n\ngo 1.24\n"),
            ("p/b/go.mod", "module \"x.org/b\"\nrequire x.org/a v0.0.0\nrequire y.org/z v1.0.0\n"),
            (
                "p/c/go.mod",
                "module x.org/c\nrequire (\n\tx.org/b v0.1.0\n\told.org/a v1.0.0 // indirect\n)\n\
                 replace (\n\told.org/a v1.0.0 => ../a\n)\n",
            ),
        ],
    );
    assert_eq!(found, ["a (x.org/a) ->", "b (x.org/b) -> a", "c (x.org/c) -> a b"]);
}

#[test]
fn a_root_is_a_package_too() {
    let found = packages(
        ">>> Taskfile.toml\ninclude = ['p/*']\n[package]\nname = 'all'\ndeps_from = 'Cargo.toml'\n\
         deps = ['//p/b']\n\
         >>> Cargo.toml\n[package]\nname = 'root'\n[dependencies]\na = { path = 'p/a' }\n\
         >>> p/a/Taskfile.toml\n[target.t]\nrun = 'x'\n\
         >>> p/b/Taskfile.toml\n[package]\nname = 'bee'\n[target.t]\nrun = 'x'\n",
    );
    assert_eq!(found, [" (root):  -> p/a p/b", "p/a (a): t -> ", "p/b (bee): t -> "]);
}

#[test]
fn what_is_covered_by_words() {
    let include = |text: &str| parse(NAME, text.as_bytes()).expect("a Taskfile").include;
    let list =
        include("include = ['packages/*', './apps/web/', '!packages/old', { path = 'libs/**' }]");
    for (dir, covered) in [
        ("packages/a", true),
        ("packages/a/b", false),
        ("packages", false),
        ("packages/old", false),
        ("apps/web", true),
        ("libs/x/y", true),
        ("other", false),
    ] {
        assert_eq!(covers(&list, dir.as_bytes()), covered, "{dir}");
    }
}
