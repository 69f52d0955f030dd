//! What docs/ci.md promises, played: results exported from one checkout, imported beside another
//! that is fresh in every respect, and nothing runs there. The shell steps of its GitHub recipe are
//! read from the page and typed as they stand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::project::{Entry, Live, Project, Run, tree};
use crate::real_c::{self, LOGGED_CC};

/// The parts of the real project that compile in a few seconds.
const TASKFILE: &str = r#"
default = ["check"]

[vars]
cflags = ["-O0", "-g0", "-DZSTD_DISABLE_ASM", "-Ilib"]
deps   = ["-MD", "-MF", "{{ depfile }}"]

[target.obj]
foreach = ["lib/**/*.c", "src/main.c"]
exec    = ["logged-cc", "{{ cflags }}", "{{ deps }}", "-c", "{{ item }}", "-o", "{{ out }}/{{ item.stem }}.o"]

[target.app]
inputs  = ["@obj"]
outputs = ["bin/app"]
exec    = ["logged-cc", "-o", "{{ outputs }}", "{{ inputs }}"]

[target.check]
inputs = ["@app"]
run    = "ran check; bin/app"
"#;

/// Runs a build to its end. The names of the tasks that began so.
fn begun(run: Run<'_>, events: &Path, word: &str) -> BTreeSet<String> {
    run.any_ran().any_files().ok();
    let text = fs::read_to_string(events).expect("events");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let told: Vec<Value> = events.collect();
    assert!(told.iter().any(|event| event["event"] == "run_finished"), "{text}");
    let began = told.iter().filter(|event| event["event"] == word);
    began.map(|event| event["task"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_fresh_clone_with_the_exported_results_runs_nothing() {
    let p = Project::new(TASKFILE).with_store();
    p.program("logged-cc", LOGGED_CC);
    let clone = p.sibling("another-checkout");
    let metadata = real_c::cargo_metadata();
    real_c::write_zstd(&p.root(), &metadata);
    p.accept_files();
    let (events, export) = (p.outside("events"), p.outside("results.taskr"));
    let option = format!("--events={}", events.display());
    let ran = begun(p.taskr(["-j2", &option]), &events, "task_started");
    assert!(ran.len() > 25 && ran.contains("app") && ran.contains("check"), "{ran:?}");
    let said = p.taskr(["log", "check"]).ok().stdout;
    assert!(said.starts_with("zstd "), "{said}");
    p.taskr([Path::new("cache"), Path::new("export"), &export]).any_files().ok();
    fs::remove_dir_all(p.store()).expect("it was there");
    // Another machine: an empty home, other files with other times.
    fs::write(p.outside("ran.log"), "").expect("a file");
    let home = p.outside("other-home");
    fs::create_dir(&home).expect("a folder");
    clone.write("Taskfile.toml", TASKFILE);
    real_c::write_zstd(&clone.root(), &metadata);
    let here = |words: &[&str]| clone.taskr(words.iter().copied()).env("HOME", &home);
    here(&["cache", "import", &export.to_string_lossy()]).ok();
    let restored = begun(here(&["-j2", &option]), &events, "task_restoring");
    assert_eq!(restored, ran, "restored here, and ran there");
    assert_eq!(p.take_ran(), [""; 0]);
    let started = fs::read_to_string(&events).expect("events").contains("task_started");
    assert!(!started, "a command ran");
    assert_eq!(here(&["log", "check"]).ok().stdout, said);
    let made = |root: &Path| -> Vec<(PathBuf, Entry)> {
        let objects = tree(&root.join(".taskr/tasks")).into_iter();
        let objects = objects.filter(|(path, _)| path.extension().is_some_and(|ext| ext == "o"));
        objects.chain(tree(&root.join("bin"))).collect()
    };
    let outputs = made(&p.root());
    assert!(outputs.len() > 25, "{}", outputs.len());
    assert!(made(&clone.root()) == outputs, "outputs differ");
}

/// The blocks of the page for a program that reads YAML.
fn recipes() -> Vec<Yaml> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let text = fs::read_to_string(page).expect("a page");
    let blocks = text.split("\n```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("\n```\n").next().expect("an end"));
    blocks
        .map(|block| {
            let mut parsed = YamlLoader::load_from_str(block).expect("it is YAML");
            assert_eq!(parsed.len(), 1, "{block}");
            parsed.remove(0)
        })
        .collect()
}

/// A checkout on a machine that has nothing but what the CI's cache brought.
struct Machine {
    p: Project,
}

impl Machine {
    fn new(cache: Option<&[u8]>) -> Machine {
        let taskfile = "[target.build]\ninputs = [\"in\"]\noutputs = [\"dist/out\"]\n\
                        run = \"ran build; cat in > {{ outputs }}\"\n";
        let p = Project::new(taskfile).with_store();
        p.write("in", "input\n");
        let machine = Machine { p };
        if let Some(cache) = cache {
            fs::create_dir_all(machine.p.path(".ci-cache")).expect("a folder");
            machine.p.write(".ci-cache/results.taskr", "");
            for place in machine.places() {
                fs::write(place, cache).expect("a file");
            }
        }
        machine
    }

    /// Where the two recipes have their export.
    fn places(&self) -> [PathBuf; 2] {
        [self.p.outside("home/results.taskr"), self.p.path(".ci-cache/results.taskr")]
    }

    /// Types the steps as the CI system would. What they said.
    fn steps(&self, steps: &[String]) -> String {
        let mut said = String::new();
        for step in steps {
            assert!(!step.contains("${{"), "only the CI system can fill that in: {step}");
            let mut shell = std::process::Command::new("bash");
            shell.args(["-e", "-o", "pipefail", "-c", &format!("exec 2>&1\n{step}")]);
            shell.current_dir(self.p.root());
            self.p.clear_environment(&mut shell);
            let output = Live::start(&mut shell).wait();
            assert!(output.status.success(), "{step}: {output}");
            said += &output.stdout;
        }
        said
    }
}

/// Two machines one after the other, then one whose cache is damaged.
fn plays(steps: &[String], place: usize) {
    let first = Machine::new(None);
    first.steps(steps);
    assert_eq!(first.p.take_ran(), ["build"]);
    let export = fs::read(&first.places()[place]).expect("an export");
    let second = Machine::new(Some(&export));
    let said = second.steps(steps);
    assert_eq!(second.p.take_ran(), [""; 0], "{said}");
    assert!(said.contains("1 restored"), "{said}");
    assert_eq!(second.p.read("dist/out"), "input\n");
    assert!(fs::read(&second.places()[place]).is_ok_and(|again| again == export), "it grew");
    let third = Machine::new(Some(&export[..export.len() - 1]));
    let said = third.steps(steps);
    assert_eq!(third.p.take_ran(), ["build"], "{said}");
    assert!(fs::read(&third.places()[place]).is_ok_and(|export| !export.is_empty()));
}

fn texts(list: &Yaml) -> Vec<String> {
    let list = list.as_vec().expect("a list");
    list.iter().map(|text| text.as_str().expect("text").to_owned()).collect()
}

#[test]
fn the_github_recipe_restores_what_the_run_before_made() {
    let recipe = &recipes()[0];
    let steps = recipe["jobs"]["build"]["steps"].as_vec().expect("steps");
    let shell: Vec<String> =
        steps.iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect();
    assert_eq!(shell.len(), 3, "{shell:?}");
    plays(&shell, 0);
    let uses = |action: &str| {
        let step = steps.iter().find(|step| step["uses"].as_str() == Some(action));
        step.unwrap_or_else(|| panic!("{action} is not used"))["with"].clone()
    };
    let (restore, save) = (uses("actions/cache/restore@v4"), uses("actions/cache/save@v4"));
    assert_eq!((&restore["path"], &restore["key"]), (&save["path"], &save["key"]));
    let prefix = restore["restore-keys"].as_str().expect("a prefix");
    assert!(save["key"].as_str().is_some_and(|key| key.starts_with(prefix)), "{prefix}");
    assert_eq!(save["path"].as_str(), Some("~/results.taskr"));
}

#[test]
fn the_gitlab_recipe_restores_what_the_run_before_made() {
    let job = &recipes()[1]["build"];
    let parts = ["before_script", "script", "after_script"];
    plays(&parts.map(|part| texts(&job[part])).concat(), 1);
    assert_eq!(texts(&job["cache"]["paths"]), [".ci-cache/"]);
}
