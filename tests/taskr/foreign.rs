//! Files that taskr did not make: none of them is lost, and none passes for a result, whatever a
//! person does while a task runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use crate::project::Project;

/// A task that waits at the gate and writes `gen` into a folder with a file of the user.
const BESIDE: &str = r#"
[target.t]
inputs  = ["a"]
outputs = ["docs/*.md"]
run     = "ran t; until [ -e $HOME/go ]; do sleep 0.01; done; cp a docs/gen.md"
"#;

fn run_while(p: &Project, change: impl FnOnce(&Project)) -> String {
    let live = p.spawn(["t"]);
    p.await_ran("t");
    change(p);
    p.go();
    let output = live.wait();
    assert_eq!(output.status.code(), Some(0), "{output}");
    p.take_ran();
    p.accept_files();
    output.stderr
}

fn kept(p: &Project, name: &str) -> Option<String> {
    let runs = fs::read_dir(p.path(".taskr/replaced")).ok()?;
    let mut files = runs.flatten().map(|run| run.path().join(name));
    files.find_map(|file| fs::read_to_string(file).ok())
}

#[test]
fn a_file_below_an_output_glob_outlives_an_attempt_that_is_repeated() {
    let p = Project::new(BESIDE);
    p.write("a", "1").write("docs/hand.md", "mine");
    let told = run_while(&p, |p| {
        p.write("docs/hand.md", "mine, edited").write("a", "2");
    });
    assert_eq!(p.read("docs/hand.md"), "mine, edited", "{told}");
    assert_eq!(p.read("docs/gen.md"), "2");
}

/// It cannot be told from a file that the command wrote anew: it is adopted, that is said, and it
/// is never removed.
#[test]
fn an_edited_file_below_an_output_glob_is_adopted_but_never_removed() {
    let p = Project::new(BESIDE);
    p.write("a", "1").write("docs/hand.md", "mine");
    let told = run_while(&p, |p| {
        p.write("docs/hand.md", "mine, edited");
    });
    assert!(told.contains("docs/hand.md was there before"), "{told}");
    p.write("a", "2");
    p.taskr(["t"]).ran(["t"]).any_files().warns("docs/hand.md").ok();
    assert_eq!(kept(&p, "docs/hand.md").as_deref(), Some("mine, edited"));
}

/// After a loss of the state nobody knows whose it is, so it is left; that it is no output is said.
#[test]
fn a_match_of_a_glob_that_no_record_knows_is_named() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"d/*\"]\n\
         run = \"for n in $(cat in); do echo $n > $OUT/d/$n; done\"\n",
    );
    p.write("in", "a b");
    p.taskr(["t"]).makes("d/a", "a\n").makes("d/b", "b\n").ok();
    p.write("in", "b");
    fs::remove_dir_all(p.path(".taskr")).expect("it is there");
    let told = "d/a was there before and was not written: it is not counted as an output";
    p.taskr(["t"]).warns(told).ok();
    p.fresh("t");
}

const STAGED: &str = r#"
[target.t]
inputs  = ["a"]
outputs = ["b"]
run     = "ran t; until [ -e $HOME/go ]; do sleep 0.01; done; head -c 1 a > {{ outputs }}"
[target.q]
inputs  = ["b"]
outputs = ["c"]
run     = "cat b > {{ outputs }}"
"#;

#[test]
fn a_file_written_by_hand_during_the_run_is_kept() {
    let p = Project::new(STAGED);
    p.write("a", "1");
    let told = run_while(&p, |p| {
        p.write("b", "precious");
    });
    assert_eq!(p.read("b"), "1");
    assert!(told.contains("b was not as taskr left it"), "{told}");
    assert_eq!(kept(&p, "b").as_deref(), Some("precious"));
}

/// The new run gives the same bytes as the last, so nothing would have to be published.
#[test]
fn an_edit_of_an_unchanged_output_during_the_run_is_not_vouched_for() {
    let p = Project::new(STAGED);
    p.write("a", "1");
    p.go();
    p.taskr(["q"]).ran(["t"]).makes("b", "1").makes("c", "1").ok();
    fs::remove_file(p.outside("home/go")).expect("the gate");
    p.write("a", "1 and more");
    run_while(&p, |p| {
        p.write("b", "hacked");
    });
    assert_eq!(p.read("b"), "1");
    p.taskr(["q"]).ok();
    assert_eq!(p.read("c"), "1");
    assert_eq!(kept(&p, "b").as_deref(), Some("hacked"));
}

#[test]
fn what_lies_behind_a_link_to_a_folder_is_an_input() {
    let p = Project::new(
        "[target.t]\ninputs = [\"data\"]\noutputs = [\"o\"]\nrun = \"ran t; cat data/f > {{ outputs }}\"\n",
    );
    p.write("real/f", "1").link("data", "real");
    p.taskr(["t"]).ran(["t"]).makes("o", "1").ok();
    p.fresh("t");
    p.write("real/f", "2");
    p.taskr(["t"]).ran(["t"]).makes("o", "2").ok();
}

#[test]
fn a_foreign_file_in_an_output_folder_is_noticed() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = [\"dist\"]\nrun = \"ran t; mkdir dist; echo 1 > dist/x\"\n",
    );
    p.taskr(["t"]).ran(["t"]).makes("dist/x", "1\n").ok();
    p.fresh("t");
    p.write("dist/extra", "mine");
    p.taskr(["t"]).ran(["t"]).removes("dist/extra").warns("dist/extra").ok();
    assert_eq!(kept(&p, "dist/extra").as_deref(), Some("mine"));
    p.fresh("t");
}

/// What stood in the way of a run that was killed stands again after the next one began.
#[test]
fn a_displaced_file_comes_back_after_a_kill() {
    let p = Project::new(STAGED);
    p.write("a", "1").write("b", "precious");
    let mut live = p.spawn(["t"]);
    p.await_ran("t");
    assert!(live.kill(), "it was alive");
    live.wait();
    assert!(!p.path("b").exists(), "it had to give way");
    p.take_ran();
    p.write("z", "");
    let more = p.read("Taskfile.toml") + "[target.z]\ninputs = [\"z\"]\nrun = \"true\"\n";
    p.write("Taskfile.toml", &more);
    p.taskr(["z"]).any_files().any_warning().ok();
    assert_eq!(p.read("b"), "precious");
}

/// `-n` and `why` say what the next run does, also where only a depfile knows the header.
#[test]
fn a_dry_run_knows_what_a_depfile_named() {
    let p = Project::new(
        r#"
        [target.h]
        inputs  = ["v"]
        outputs = ["h.h"]
        run     = "ran h; cp v {{ outputs }}"
        [target.o]
        inputs  = ["m.c"]
        after   = ["h"]
        run     = "ran o; cat m.c h.h > {{ out }}/m.o; echo m.o: m.c h.h > {{ depfile }}"
        "#,
    );
    p.write("v", "1").write("m.c", "m");
    p.taskr(["o"]).ran(["h", "o"]).makes("h.h", "1").ok();
    p.write("v", "2");
    p.taskr(["why", "o"]).says("o would run: h would run first").says("v changed").ok();
    p.taskr(["-n", "o"]).says("2 would run").ok();
    p.taskr(["o"]).ran(["h", "o"]).makes("h.h", "2").ok();
}

/// A repository may bring links in the place of taskr's own folders. Nothing behind them is lost.
#[test]
fn a_link_in_the_place_of_a_folder_of_taskr_costs_no_file() {
    let links = [
        (".taskr/proofs", "../own", 0),
        (".taskr/runs", "../own", 0),
        (".taskr/replaced", "../own", 0),
        (".taskr/tasks", "../own", 1),
        (".taskr/tasks/t", "../../own", 1),
    ];
    for (link, leads_to, code) in links {
        let p = Project::new("[target.t]\ninputs = []\nrun = \"true\"\n");
        fs::create_dir_all(p.path(link).parent().expect("a folder")).expect("a folder");
        let own = ["thesis.txt", "out/a", "tmp/a", "t/out/a", "2019/a", "report-1.json"];
        for name in own {
            p.write(format!("own/{name}"), "mine");
            let file = fs::File::options().write(true).open(p.path(format!("own/{name}")));
            let old = SystemTime::now() - Duration::from_secs(86_400 * 60);
            file.and_then(|file| file.set_modified(old)).expect("an old file");
        }
        p.accept_files();
        symlink(leads_to, p.path(link)).expect("a link");
        for _ in 0..2 {
            let run = p.taskr(["t"]).any_warning();
            let run = if code == 0 { run } else { run.says("a link stands where taskr keeps") };
            run.exits(code);
        }
        for name in own {
            assert!(p.path(format!("own/{name}")).exists(), "{link}: {name}");
        }
    }
}
