//! `taskr init`: what it writes for small real projects works there, with their real tools.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use taskr::parse::{format, parse};

use crate::project::Project;

/// Whether the machine has a program.
fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    let found = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: there is no {program}");
    }
    found
}

/// Runs `init` and says what it wrote, which is right and laid out as usual.
fn init(p: &Project) -> String {
    let told = p.taskr(["init"]).any_files().ok();
    assert!(told.stdout.starts_with("Taskfile.toml is written"), "{told}");
    let text = p.read("Taskfile.toml");
    p.accept_files();
    parse("Taskfile.toml", text.as_bytes()).expect("a Taskfile");
    assert_eq!(format("Taskfile.toml", text.as_bytes()).expect("TOML"), text);
    builds(p, &["check"], "is fine");
    text
}

/// A build as its user would start it, with the tools of this machine.
fn builds(p: &Project, args: &[&str], says: &str) {
    let mut command = p.command(&p.root(), args);
    for name in ["PATH", "CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let (None, Some(home)) = (std::env::var_os("CARGO_HOME"), std::env::var_os("HOME")) {
        command.env("CARGO_HOME", Path::new(&home).join(".cargo"));
        command.env("RUSTUP_HOME", Path::new(&home).join(".rustup"));
    }
    let output = command.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains(says), "{args:?}: {told}{wrong}");
}

#[test]
fn c_sources_get_objects_and_programs() {
    if !has("cc") {
        return;
    }
    let p = Project::empty();
    p.write("include/n.h", "int n(void);\n")
        .write(
            "src/n.c",
            "#include <math.h>\n#include \"n.h\"\nint n(void) { return (int)floor(4.5); }\n",
        )
        .write(
            "src/one.c",
            "#include \"n.h\"\n#include <stdio.h>\nint main(void) { printf(\"%d\\n\", n()); }\n",
        )
        .write("src/two.c", "int main(void)\n{\n  return 0;\n}\n");
    let text = init(&p);
    assert!(text.contains("default = [\"one\", \"two\"]") && text.contains("-lm"), "{text}");
    builds(&p, &[], "5 ran");
    builds(&p, &[], "5 tasks up to date");
    let said = Command::new(p.path("bin/one")).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "4\n");
    p.write("include/n.h", "int n(void);\n#define N\n");
    builds(&p, &["-v"], "include/n.h changed");
}

#[test]
fn a_cargo_package_builds_and_tests() {
    if !has("cargo") {
        return;
    }
    let p = Project::empty();
    p.write(
        "Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    )
    .write("src/main.rs", "fn main() {}\n#[test]\nfn t() {}\n");
    init(&p);
    builds(&p, &[], "1 ran");
    builds(&p, &["test"], "1 ran");
    builds(&p, &["test"], "1 task up to date");
}

#[test]
fn a_package_of_npm_runs_its_scripts() {
    if !has("npm") {
        return;
    }
    let p = Project::empty();
    p.write("dep/package.json", "{\"name\": \"dep\", \"version\": \"1.0.0\"}");
    p.write("app/package.json", "{}");
    p.write(
        "package.json",
        r#"{"name": "tiny", "version": "1.0.0", "dependencies": {"dep": "file:dep"},
            "scripts": {"build": "echo built", "test": "node -e \"require.resolve('dep/package.json')\"",
                        "posttest": "true", "build:all": "true", "prepare": "true"}}"#,
    );
    let text = init(&p);
    let targets: Vec<&str> = text.lines().filter(|line| line.starts_with("[target.")).collect();
    assert_eq!(
        targets,
        ["[target.packages]", "[target.build]", "[target.build-all]", "[target.test]"]
    );
    builds(&p, &["test"], "2 ran");
    builds(&p, &["test"], "2 tasks up to date");
    builds(&p, &[], "built");
}

#[test]
fn python_tests_run_when_something_changed() {
    if !has("python3") {
        return;
    }
    let test = "import unittest\nimport part\n\nclass T(unittest.TestCase):\n    def test(self):\n        \
                self.assertEqual(part.one(), 1)\n";
    for file in ["test_part.py", "tests/test_part.py"] {
        let p = Project::empty();
        p.write("part.py", "def one():\n    return 1\n").write(file, test);
        init(&p);
        builds(&p, &[], "Ran 1 test");
        builds(&p, &[], "1 task up to date");
        p.write("part.py", "def one():\n    return 0 + 1\n");
        builds(&p, &["-v"], "part.py changed");
    }
}

#[test]
fn several_tools_share_a_folder() {
    let p = Project::empty();
    p.write("Cargo.toml", "[package]\nname = \"a\"\n")
        .write("go.mod", "module a\n")
        .write("a_test.go", "");
    p.write("package.json", r#"{"scripts": {"test": "true"}}"#);
    let text = init(&p);
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("[target.")).collect();
    assert_eq!(names, ["build]", "test]", "test-node]", "build-go]", "test-go]"]);
}

#[test]
fn nothing_is_written_over_and_print_writes_nothing() {
    let p = Project::empty();
    let told = p.taskr(["init", "--print"]).ok();
    assert!(told.stdout.contains("[target.hello]"), "{told}");
    init(&p);
    p.taskr([""; 0]).says("hello").ok();
    p.taskr(["init"])
        .says("Taskfile.toml is there already, and nothing is written over it")
        .exits(2);
    let dangling = Project::empty();
    dangling.link("Taskfile.toml", "nowhere");
    dangling.taskr(["init"]).says("is there already").exits(2);
    assert!(fs::symlink_metadata(dangling.path("nowhere")).is_err());
}

#[test]
fn what_a_makefile_tests_and_tests_in_c_are_targets() {
    let p = Project::empty();
    p.write("Makefile", "all:\n\ttrue\ntest: all\n\ttrue\n");
    let text = init(&p);
    assert!(text.contains("[target.test]\nrun = \"make test\""), "{text}");
    if !has("cc") {
        return;
    }
    let p = Project::empty();
    p.write("src/n.c", "int n(void) { return 4; }\n")
        .write("src/one.c", "int n(void);\nint main(void) { return n() - 4; }\n")
        .write("tests/test_n.c", "int n(void);\nint main(void)\n{\n  return n() != 4;\n}\n");
    p.taskr(["init"]).any_files().says("belongs into .gitignore: bin/\n").ok();
    let text = p.read("Taskfile.toml");
    assert!(text.contains("default = [\"one\"]"), "{text}");
    builds(&p, &["test"], "4 ran");
    builds(&p, &["test"], "4 tasks up to date");
}
