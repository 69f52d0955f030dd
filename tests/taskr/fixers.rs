//! Formatters: targets that change what they read. `sed -i` writes each file anew, with the same
//! bytes too, so that a formatter which is done is one whose bytes stay.

use std::fs;

use serde_json::Value;

use crate::oracle::random::Random;
use crate::project::Project;
use crate::tree::fingerprint;

/// Takes blanks off the ends of lines; and a C program of the same files.
const C: &str = r#"
default = ["fmt", "app"]

[target.app]
inputs  = ["@obj"]
outputs = ["app"]
run     = "ran app; cc -o {{ outputs }} {{ inputs }}"

[target.obj]
foreach = ["src/*.c"]
run     = "ran {{ item.stem }}; cc -O0 -MMD -MF {{ depfile }} -c {{ item }} -o {{ out }}/{{ item.stem }}.o"

[target.fmt]
inputs       = ["src/*"]
fixes_inputs = true
run          = "ran fmt; sed -i 's/[ ]*$//' {{ inputs }}"
"#;

fn c() -> Project {
    let p = Project::new(C);
    p.write("src/one.c", "#include \"one.h\"  \nint one(void) { return ONE; }\n")
        .write("src/one.h", "#define ONE 1\n")
        .write("src/main.c", "int one(void);\nint main(void) { return one() - 1; } \n");
    p
}

fn result(p: &Project, task: &str) -> Value {
    serde_json::from_str(&p.read(format!(".taskr/tasks/{task}/result.json"))).expect("JSON")
}

/// Compilers see what was fixed: the second run asks only the formatter, the third nobody.
#[test]
fn compilers_come_after_the_formatter() {
    let p = c();
    p.taskr(["-j4"])
        .ran(["fmt", "one", "main", "app"])
        .any_files()
        .says("  fixed 2 files: src/main.c, src/one.c\n")
        .ok();
    assert_eq!(p.read("src/one.c"), "#include \"one.h\"\nint one(void) { return ONE; }\n");
    p.taskr(["-j4"]).ran(["fmt"]).never_says("fixed").ok();
    p.taskr(["-j4"]).ran([""; 0]).ok();
}

/// A header that only the depfile names was fixed to what it was: no compiler runs.
#[test]
fn a_header_that_is_fixed_to_what_it_was_compiles_nothing() {
    let p = c();
    p.taskr(["-j4"]).any_ran().any_files().ok();
    p.taskr(["-j4"]).ran(["fmt"]).ok();
    p.write("src/one.h", "#define ONE 1 \n");
    p.taskr(["-j4"]).ran(["fmt"]).makes("src/one.h", "#define ONE 1\n").ok();
    p.write("src/one.h", "#define ONE 1\n#define TWO 2 \n");
    p.taskr(["-j4"]).ran(["fmt", "one"]).makes("src/one.h", "#define ONE 1\n#define TWO 2\n").ok();
    p.taskr(["-j4"]).ran(["fmt"]).ok();
    p.taskr(["-j4"]).ran([""; 0]).ok();
}

#[test]
fn a_dry_run_changes_nothing_and_tells_the_readers() {
    let p = c();
    p.taskr(["-j4"]).any_ran().any_files().ok();
    p.taskr(["-j4"]).ran(["fmt"]).ok();
    p.write("src/one.h", "#define ONE 1 \n");
    let before = fingerprint(&p.root());
    p.taskr(["-n"])
        .says("would run fmt: src/one.h changed\n")
        .says("would run obj@src/one.c: fmt would run first\n")
        .says("would run obj@src/main.c: fmt would run first\n")
        .says("4 tasks: 4 would run\n")
        .ok();
    assert_eq!(fingerprint(&p.root()), before);
    // Who does not read it has nothing to do with it.
    p.taskr(["-n", "app"])
        .says("would run obj@src/one.c: src/one.h changed\n")
        .never_says("fmt")
        .ok();
}

/// Events, the task's own file and the reason of the next run.
#[test]
fn what_was_fixed_is_told_everywhere() {
    let p = Project::new(
        "[target.fmt]\ninputs = [\"*.txt\"]\nfixes_inputs = true\nrestage = true\n\
         run = \"ran fmt; sed -i 's/a/b/' {{ inputs }}\"\n\
         [target.other]\ninputs = [\"x.md\"]\nfixes_inputs = true\n\
         run = \"ran other; sed -i 's/a/b/' {{ inputs }}\"\n",
    );
    for number in 0..7 {
        p.write(format!("{number}.txt"), "a");
    }
    p.write("x.md", "a");
    let events = p.outside("events");
    let args = ["--events".into(), events.clone().into_os_string(), "fmt".into(), "other".into()];
    let output = p.spawn::<std::ffi::OsString>(args).wait();
    assert!(output.status.success(), "{output}");
    let line = "  fixed 7 files: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more\n";
    assert!(output.stdout.contains(line), "{output}");
    let names: Vec<String> = (0..7).map(|number| format!("{number}.txt")).collect();
    let text = fs::read_to_string(&events).expect("events");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ended =
        events.iter().find(|event| event["event"] == "task_finished" && event["task"] == "fmt");
    let ended = ended.expect("an end");
    assert_eq!((&ended["outcome"], &ended["fixed"]), (&"ran".into(), &names.clone().into()));
    let last = events.last().expect("the last");
    assert_eq!(last["restage"], Value::from(names.clone()), "not what `other` fixed");
    assert_eq!(result(&p, "fmt")["fixed"], Value::from(names));
    assert_eq!(result(&p, "fmt")["key"], Value::Null, "it is not recorded");
    assert_eq!(p.take_ran().len(), 2);
    p.accept_files();
    p.taskr(["why", "fmt"]).says("0.txt changed").ok();
    p.taskr(["fmt"]).ran(["fmt"]).ok();
    assert_eq!(result(&p, "fmt")["fixed"], Value::Array(Vec::new()));
    p.fresh("fmt");
}

/// One after the other, each on what the other left; done after the second run.
#[test]
fn two_formatters_of_the_same_files() {
    let p = Project::new(
        "[target.sort]\ninputs = [\"*.txt\"]\nafter = [\"trim\"]\nfixes_inputs = true\n\
         run = \"ran sort; for f in {{ inputs }}; do sort -o $f $f; done\"\n\
         [target.trim]\ninputs = [\"*.txt\"]\nfixes_inputs = true\n\
         run = \"ran trim; sed -i 's/^ *//' {{ inputs }}\"\n",
    );
    p.write("x.txt", "b\n  c\n a\n");
    p.taskr(["-j4", "sort", "trim"]).ran(["sort", "trim"]).makes("x.txt", "a\nb\nc\n").ok();
    p.taskr(["-j4", "sort", "trim"]).ran(["sort", "trim"]).ok();
    p.fresh("sort");
    p.fresh("trim");
}

#[test]
fn two_formatters_of_the_same_files_without_an_order() {
    let p = Project::new(
        "[target.sort]\ninputs = [\"*.txt\"]\nfixes_inputs = true\nrun = \"ran sort\"\n\
         [target.trim]\ninputs = [\"*.txt\"]\nfixes_inputs = true\nrun = \"ran trim\"\n",
    );
    p.write("x.txt", "");
    let what = "`sort` and `trim` may fix the same file";
    p.taskr(["sort", "trim"])
        .says(what)
        .says("after = [\"sort\"] in [target.trim], or the other way round")
        .exits(2);
    p.taskr(["check"]).any_warning().says(what).ok();
    p.taskr(["sort"]).ran(["sort"]).ok();
}

/// A task for each file: only what changed is looked at again. The style is read and not fixed.
#[test]
fn a_formatter_for_each_file() {
    let p = Project::new(
        "[target.lint]\nforeach = [\"*.txt\"]\nrun = \"ran lint-{{ item }}; ! grep x {{ item }}\"\n\
         [target.fmt]\nforeach = [\"*.txt\"]\ninputs = [\".style\"]\nfixes_inputs = true\n\
         run = \"ran fmt-{{ item }}; sed -i -f .style {{ item }}\"\n",
    );
    p.write("a.txt", "x").write("b.txt", "y").write(".style", "s/x/y/");
    p.taskr(["-j4", "lint", "fmt"])
        .ran(["fmt-a.txt", "fmt-b.txt", "lint-a.txt", "lint-b.txt"])
        .makes("a.txt", "y")
        .ok();
    p.taskr(["-j4", "lint", "fmt"]).ran(["fmt-a.txt"]).ok();
    p.write("b.txt", "xy");
    p.taskr(["-j4", "lint", "fmt"]).ran(["fmt-b.txt", "lint-b.txt"]).makes("b.txt", "yy").ok();
    p.taskr(["-j4", "lint", "fmt"]).ran(["fmt-b.txt"]).ok();
    p.taskr(["-j4", "lint", "fmt"]).ran([""; 0]).ok();
}

/// What a formatter reads and does not fix moves as any input does.
#[test]
fn the_style_changes_while_a_formatter_runs() {
    let p = Project::new(
        "[target.fmt]\nforeach = [\"*.txt\"]\ninputs = [\".style\"]\nfixes_inputs = true\n\
         run = \"sed -i -f .style {{ item }}; ran fmt; until [ -e $HOME/go ]; do sleep 0.01; done\"\n",
    );
    p.write("a.txt", "x").write(".style", "s/x/y/");
    let live = p.spawn(["fmt"]);
    p.await_ran("fmt");
    p.write(".style", "s/[xy]/z/");
    p.go();
    let output = live.wait();
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["fmt", "fmt"], "once more, because of the style: {output}");
    assert_eq!(p.read("a.txt"), "z");
    assert!(output.stdout.contains("  fixed 1 file: a.txt\n"), "{output}");
    p.accept_files();
    p.taskr(["fmt"]).ran(["fmt"]).ok();
    p.fresh("fmt");
}

/// What a failed formatter wrote stays, and is told; others go on with it under `-k`.
#[test]
fn a_formatter_that_fails_leaves_what_it_wrote() {
    let p = Project::new(
        "[target.fmt]\ninputs = [\"*.txt\"]\nfixes_inputs = true\n\
         run = \"ran fmt; sed -i 's/x/y/' a.txt; grep -q ok b.txt\"\n\
         [target.copy]\ninputs = [\"a.txt\"]\noutputs = [\"copy\"]\nrun = \"ran copy; cp a.txt {{ outputs }}\"\n",
    );
    p.write("a.txt", "x").write("b.txt", "bad");
    p.taskr(["-j4", "copy", "fmt"])
        .ran(["fmt"])
        .makes("a.txt", "y")
        .says("  fixed 1 file: a.txt\n")
        .exits(1);
    assert_eq!(result(&p, "fmt")["fixed"], Value::from(vec!["a.txt"]));
    p.taskr(["-k", "copy", "fmt"])
        .ran(["fmt", "copy"])
        .makes("copy", "y")
        .never_says("fixed")
        .exits(1);
    p.write("b.txt", "ok");
    p.taskr(["copy", "fmt"]).ran(["fmt"]).ok();
    p.taskr(["copy", "fmt"]).ran([""; 0]).ok();
}

/// Files that come to its patterns, and files that go, are its work as well.
#[test]
fn a_formatter_that_splits_and_removes_files() {
    let p = Project::new(
        "[target.split]\ninputs = [\"*.txt\"]\nfixes_inputs = true\n\
         run = \"ran split; [ ! -e whole.txt ] || { cp whole.txt a.txt; mv whole.txt b.txt; }\"\n\
         [target.cat]\ninputs = [\"*.txt\"]\noutputs = [\"all\"]\nrun = \"ran cat; cat {{ inputs }} > {{ outputs }}\"\n",
    );
    p.write("whole.txt", "x");
    p.taskr(["cat", "split"])
        .ran(["split", "cat"])
        .removes("whole.txt")
        .makes("a.txt", "x")
        .makes("b.txt", "x")
        .makes("all", "xx")
        .says("  fixed 3 files: a.txt, b.txt, whole.txt\n")
        .ok();
    p.taskr(["cat", "split"]).ran(["split"]).ok();
    p.taskr(["cat", "split"]).ran([""; 0]).ok();
}

/// What another task makes would be made anew each time.
#[test]
fn a_formatter_of_what_another_task_makes() {
    let p = Project::new(
        "[target.gen]\noutputs = [\"gen.txt\"]\ninputs = []\nrun = \"ran gen; echo x > gen.txt\"\n\
         [target.fmt]\ninputs = [\"*.txt\"]\nfixes_inputs = true\nrun = \"ran fmt; sed -i 's/x/y/' *.txt\"\n",
    );
    p.taskr(["fmt"])
        .ran(["gen", "fmt"])
        .makes("gen.txt", "y\n")
        .says(
            "it changed gen.txt, which `gen` makes: add \"!//gen.txt\" to its `inputs`, and let \
             `gen` format what it makes",
        )
        .exits(1);
    p.write(
        "Taskfile.toml",
        &p.read("Taskfile.toml")
            .replace("\"*.txt\"", "\"*.txt\", \"?a.txt\", \"!//gen.txt\"")
            .replace("' *.txt", "' a.txt"),
    );
    p.write("a.txt", "x");
    p.taskr(["fmt", "gen"])
        .ran(["gen", "fmt"])
        .makes("gen.txt", "x\n")
        .makes("a.txt", "y")
        .any_warning()
        .ok();
}

/// A task that waits for a formatter by `deps` counts what was fixed, not that it ran.
#[test]
fn needing_a_formatter_is_no_reason_to_run() {
    let p = Project::new(
        "[target.fmt]\ninputs = [\"*.txt\"]\nfixes_inputs = true\nrun = \"ran fmt; sed -i 's/x/y/' {{ inputs }}\"\n\
         [target.copy]\ndeps = [\"fmt\"]\ninputs = [\"a.txt\"]\noutputs = [\"copy\"]\nrun = \"ran copy; cp a.txt {{ outputs }}\"\n",
    );
    p.write("a.txt", "x").write("b.txt", "");
    p.taskr(["copy"]).ran(["fmt", "copy"]).makes("a.txt", "y").makes("copy", "y").ok();
    p.taskr(["copy"]).ran(["fmt"]).ok();
    p.write("b.txt", "x");
    p.taskr(["copy"]).ran(["fmt"]).makes("b.txt", "y").ok();
    p.taskr(["copy"]).ran(["fmt"]).ok();
    p.taskr(["copy"]).ran([""; 0]).ok();
}

/// A tool that is made of what it formats has read the old text: the run says so, the next one
/// makes it again.
#[test]
fn a_formatter_that_is_made_of_what_it_formats() {
    let p = Project::new(
        "[target.tool]\ninputs = [\"tool.txt\"]\noutputs = [\"tool\"]\nrun = \"ran tool; cp tool.txt {{ outputs }}\"\n\
         [target.fmt]\ninputs = [\"*.txt\"]\nafter = [\"tool\"]\nfixes_inputs = true\nrun = \"ran fmt; sed -i -f tool *.txt\"\n",
    );
    p.write("tool.txt", "s/ *$//  \n");
    p.taskr(["fmt"])
        .ran(["tool", "fmt"])
        .makes("tool.txt", "s/ *$//\n")
        .makes("tool", "s/ *$//  \n")
        .says("tool.txt changed while the build ran: 1 task used its old content; run taskr again")
        .exits(3);
    p.taskr(["fmt"]).ran(["tool", "fmt"]).makes("tool", "s/ *$//\n").ok();
    p.taskr(["fmt"]).ran([""; 0]).ok();
}

/// What the formatters of [`RANDOM`] make of a file.
fn fixed(name: &str, text: &str) -> String {
    let trimmed = text.replace(" \n", "\n");
    if name.ends_with(".h") { trimmed.replace('x', "y") } else { trimmed }
}

/// Two formatters, one behind the other, one of them with a task for each file; readers by path,
/// by pattern and by depfile.
const RANDOM: &str = r#"
[target.all]
deps = ["glob", "path", "found", "trim", "swap"]

[target.glob]
inputs  = ["src/*"]
outputs = ["glob"]
run     = "ran glob; cat {{ inputs }} > {{ outputs }}"

[target.path]
inputs  = ["src/1.h"]
outputs = ["path"]
run     = "ran path; cat {{ inputs }} > {{ outputs }}"

[target.found]
inputs  = []
outputs = ["found"]
run     = "ran found; cat src/0.c src/0.h > {{ outputs }}; echo 'found: src/0.c src/0.h' > {{ depfile }}"

[target.trim]
inputs       = ["src/*"]
fixes_inputs = true
run          = "ran trim; sed -i 's/ $//' {{ inputs }}"

[target.swap]
foreach      = ["src/*.h"]
after        = ["trim"]
fixes_inputs = true
run          = "ran swap; sed -i 's/x/y/g' {{ item }}"
"#;

/// Random edits, then builds with two to four jobs: what is built is built of fixed files, the
/// second build runs formatters only, the third nothing.
#[test]
fn random_edits_are_fixed_before_they_are_read() {
    let p = Project::new(RANDOM);
    let mut random = Random::new(12);
    let names = ["0.c", "0.h", "1.c", "1.h"].map(|name| (name, format!("src/{name}")));
    for (_, path) in &names {
        p.write(path, "start \n");
    }
    let (mut second, mut quiet) = (0, 0);
    for round in 0..25 {
        for (_, path) in &names {
            if random.one_in(2) {
                let line = *random.pick(&["x", "y", "x ", "y ", "z"]);
                let count = random.below(3);
                p.write(path, &format!("{round}\n{}", format!("{line}\n").repeat(count)));
            }
        }
        let right: Vec<String> =
            names.iter().map(|(name, path)| fixed(name, &p.read(path))).collect();
        let jobs = format!("-j{}", random.below(3) + 2);
        p.taskr([&jobs, "all"]).any_ran().any_files().ok();
        for ((_, path), right) in names.iter().zip(&right) {
            assert_eq!(p.read(path), *right, "round {round}: {path}");
        }
        assert_eq!(p.read("glob"), right.concat(), "round {round}");
        assert_eq!(p.read("path"), right[3], "round {round}");
        assert_eq!(p.read("found"), format!("{}{}", right[0], right[1]), "round {round}");
        let output = p.spawn([&jobs, "all"]).wait();
        assert!(output.status.success(), "round {round}: {output}");
        let ran = p.take_ran();
        assert!(ran.iter().all(|name| name == "trim" || name == "swap"), "round {round}: {ran:?}");
        second += ran.len();
        quiet += usize::from(ran.is_empty());
        p.accept_files();
        p.taskr([&jobs, "all"]).ran([""; 0]).ok();
    }
    assert!(
        second > 10 && quiet > 0,
        "{second} formatters asked again, {quiet} builds were done: too tame"
    );
}
