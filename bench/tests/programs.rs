//! The small programs that projects and measurements need, as they are built.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(dir).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_run_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let runner = env!("CARGO_BIN_EXE_taskr-bench-run");
    let slow = said(&run(folder.path(), &[runner, "sh", "-c", "echo unseen; sleep 0.05"]));
    let words: Vec<&str> = slow.trim_end().splitn(4, ' ').collect();
    let [wall_ms, cpu_ms, peak_kib, "exit status: 0"] = words[..] else { panic!("{slow}") };
    assert!(wall_ms.parse::<f64>().expect("a number") >= 50.0, "{slow}");
    assert!(cpu_ms.parse::<f64>().expect("a number") < 50.0, "{slow}");
    assert!(peak_kib.parse::<u64>().expect("a number") > 100, "{slow}");
    let failed = said(&run(folder.path(), &[runner, "sh", "-c", "exit 3"]));
    assert!(failed.ends_with(" exit status: 3\n"), "{failed}");
    assert!(said(&run(folder.path(), &[runner, "no-such-tool"])).contains("No such file"));
}

#[test]
fn help_is_no_mistake() {
    let bench = env!("CARGO_BIN_EXE_taskr-bench");
    for words in [&["--help"][..], &["compare", "-h"], &["goals", "--help"]] {
        let output = run(Path::new("."), &[&[bench], words].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let said = said(&output);
        assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
        for verb in ["generate", "compare", "restore", "monorepo", "load", "goals"] {
            assert!(said.contains(&format!("  taskr-bench {verb} ")), "{said}");
        }
    }
}

#[test]
fn a_project_is_built_by_its_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = env!("CARGO_BIN_EXE_taskr-bench");
    let made = run(folder.path(), &[bench, "generate", "w1", "3", "project"]);
    assert!(made.status.success(), "{made:?}");
    let project = folder.path().join("project");
    fs::write(folder.path().join("steps"), "").expect("a file");
    fs::create_dir(project.join("limits")).expect("a folder");
    let commands = "tools/step join obj/000000.o src/000000.c\n\n$ cat src/shared.h > all\n\
                    tools/step list app obj\n";
    fs::write(project.join("limits/commands"), commands).expect("commands");
    let built = run(&project, &[bench, "limit", "spawn", "2"]);
    assert!(built.status.success(), "{built:?}");
    let read = |path: &str| fs::read_to_string(project.join(path)).expect("an output");
    assert_eq!(read("obj/000000.o"), read("src/000000.c"));
    assert_eq!((read("all"), read("app")), (read("src/shared.h"), "1\n".to_owned()));
    assert_eq!(fs::read_to_string(folder.path().join("steps")).expect("steps"), "..");
}

#[test]
fn the_empty_program_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &[env!("CARGO_BIN_EXE_taskr-bench-empty")]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
}
