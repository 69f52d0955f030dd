//! Several items in one process: how many processes, what each item keeps of its own, and who is
//! named when one of them fails.

use serde_json::Value;

use crate::project::Project;

const TASKFILE: &str = "[target.obj]\nforeach = ['src/*.c']\nbatch = 5\n\
    outputs = ['build/{{ item.stem }}.o']\nrun = 'compile {{ items }}'\n";

/// So many sources, and a compiler that refuses those that are bad.
fn project(taskfile: &str, count: usize) -> Project {
    let p = Project::new(taskfile);
    let script = "ran \"$*\"; for f; do if grep -q bad $f; then echo $f is bad; exit 1; fi; \
                  n=${f##*/}; cat $f >build/${n%.c}.o; done";
    p.program("compile", script);
    for number in 0..count {
        p.write(format!("src/{number:02}.c"), &format!("{number}\n"));
    }
    p
}

fn result(p: &Project, number: usize) -> Value {
    let text = p.read(format!(".taskr/tasks/obj@src%2F{number:02}.c/result.json"));
    serde_json::from_str(&text).expect("JSON")
}

fn sources(numbers: impl IntoIterator<Item = usize>) -> String {
    let names: Vec<String> =
        numbers.into_iter().map(|number| format!("src/{number:02}.c")).collect();
    names.join(" ")
}

#[test]
fn twelve_items_take_three_processes_and_an_edit_takes_one() {
    for jobs in ["-j1", "-j2"] {
        let p = project(TASKFILE, 12);
        let all = [sources(0..5), sources(5..10), sources(10..12)];
        p.taskr([jobs, "obj"]).ran(all).any_files().ok();
        p.accept_files();
        p.fresh("obj");
        p.write("src/07.c", "new\n");
        p.taskr([jobs, "obj"]).ran(["src/07.c"]).makes("build/07.o", "new\n").ok();
        p.remove("build/03.o");
        p.taskr([jobs, "obj"]).ran(["src/03.c"]).makes("build/03.o", "3\n").ok();
        p.fresh("obj");
    }
}

#[test]
fn one_bad_item_of_eight_fails_alone() {
    for jobs in ["-j1", "-j2"] {
        let p = project(&TASKFILE.replace("batch = 5", "batch = 8"), 8);
        p.write("src/05.c", "bad\n");
        let processes = [
            sources(0..8),
            sources(0..4),
            sources(4..8),
            sources(4..6),
            sources([4]),
            sources([5]),
            sources(6..8),
        ];
        let output = p.taskr([jobs, "obj"]).ran(processes).any_files().exits(1);
        assert!(output.stdout.contains("7 ran") && output.stdout.contains("1 failed"), "{output}");
        assert!(!p.path("build/05.o").exists());
        for number in 0..8 {
            let outcome = if number == 5 { "failed" } else { "ran" };
            assert_eq!(result(&p, number)["outcome"], outcome, "{number}");
        }
        assert!(p.read(".taskr/tasks/obj@src%2F05.c/log").contains("src/05.c is bad"));
        p.accept_files();
        p.taskr([jobs, "obj"]).ran(["src/05.c"]).exits(1);
        p.write("src/05.c", "good\n");
        p.taskr([jobs, "obj"]).ran(["src/05.c"]).makes("build/05.o", "good\n").ok();
        p.fresh("obj");
    }
}

#[test]
fn keys_do_not_tell_how_many_went_together() {
    let p = project(TASKFILE, 3);
    p.taskr(["obj"]).ran([sources(0..3)]).any_files().ok();
    p.accept_files();
    let keys = |p: &Project| -> Vec<Value> {
        (0..3).map(|number| result(p, number)["key"].clone()).collect()
    };
    let together = keys(&p);
    assert!(together.iter().all(Value::is_string), "{together:?}");
    for batch in ["1", "2"] {
        p.write("Taskfile.toml", &TASKFILE.replace("batch = 5", &format!("batch = {batch}")));
        p.fresh("obj");
    }
    let alone = p.write("Taskfile.toml", &TASKFILE.replace("batch = 5", "batch = 1"));
    alone.taskr(["-B", "obj"]).ran([0, 1, 2].map(|number| sources([number]))).ok();
    assert_eq!(keys(&p), together);
}

#[test]
fn outputs_are_staged_each_in_the_folder_of_its_own_item() {
    let taskfile = "[target.up]\nforeach = ['src/*.c']\nbatch = 3\n\
        outputs = ['up/{{ item.name }}']\nrun = 'upper {{ items }} -- {{ outputs }}'\n";
    let p = project(taskfile, 3);
    // Writes the first half of its words to the second.
    let script = "ran up; n=$(( ($# - 1) / 2 )); for i in $(seq $n); do \
                  eval \"from=\\${$i} to=\\${$(( i + n + 1 ))}\"; cat \"$from\" >\"$to\"; done";
    p.program("upper", script);
    let run = p.taskr(["up"]).ran(["up"]);
    let run = run.makes("up/00.c", "0\n").makes("up/01.c", "1\n").makes("up/02.c", "2\n");
    run.ok();
    p.fresh("up");
}

#[test]
fn an_item_without_its_output_fails_and_the_others_do_not() {
    let taskfile = TASKFILE.replace("compile {{ items }}", "compile {{ items }}; rm -f build/01.o");
    let p = project(&taskfile, 3);
    let output = p.taskr(["obj"]).ran([sources(0..3)]).any_files().exits(1);
    assert!(output.stdout.contains("did not write build/01.o"), "{output}");
    assert_eq!([0, 1, 2].map(|at| result(&p, at)["outcome"].clone()), ["ran", "failed", "ran"]);
}

#[test]
fn only_the_item_whose_input_moved_runs_again_and_alone() {
    let taskfile = TASKFILE.replace(
        "compile {{ items }}",
        "compile {{ items }}; if [ ! -e ../moved ]; then touch ../moved; echo new >src/01.c; fi",
    );
    let p = project(&taskfile, 3);
    p.taskr(["obj"]).ran([sources(0..3), sources([1])]).any_files().any_warning().ok();
    assert_eq!(p.read("build/01.o"), "new\n");
    p.accept_files();
    p.fresh("obj");
}

#[test]
fn what_stood_before_a_failed_batch_stands_again() {
    let p = project(TASKFILE, 3);
    p.taskr(["obj"]).any_ran().any_files().ok();
    p.accept_files();
    for number in 0..3 {
        p.write(format!("src/{number:02}.c"), "bad\n");
    }
    let processes = [sources(0..3), sources([0]), sources(1..3), sources([1]), sources([2])];
    p.taskr(["-k", "obj"]).ran(processes).exits(1);
    assert_eq!(p.read("build/02.o"), "2\n");
}

#[test]
fn items_of_another_combination_take_another_process() {
    let taskfile = "[target.lint]\nforeach = ['src/*.c']\nmatrix = { mode = ['a', 'b'] }\n\
        batch = 10\nrun = 'ran {{ matrix.mode }} {{ items }}'\n";
    let p = project(taskfile, 2);
    p.taskr(["lint"]).ran(["a src/00.c src/01.c", "b src/00.c src/01.c"]).ok();
    p.fresh("lint");
}

#[test]
fn a_batch_takes_one_place_and_one_start_of_its_pool() {
    let taskfile = "[pool.one]\nslots = 1\n".to_owned()
        + &TASKFILE.replace("batch = 5", "batch = 2\npool = 'one'")
        + "[target.all]\ndeps = ['obj']\n";
    let p = project(&taskfile, 4);
    p.taskr(["-j4", "all"]).ran([sources(0..2), sources(2..4)]).any_files().ok();
    p.accept_files();
    p.fresh("all");
}
