//! Tasks that need one which is in doubt: judged only if that one made something else, or if a command
//! was started at all.

use crate::faults::{lacks, times_looked_at};
use crate::project::{Project, SETTLED};

/// `pack` needs `app`, that all `obj`; `loose` reads what stands among the outputs of `gen`, which did
/// not make all of it.
const TASKFILE: &str = r#"
default = ["pack", "loose"]

[target.obj]
foreach = ["src/*.c"]
inputs  = ["?poke"]
outputs = ["obj/{{ item.stem }}.o"]
run     = '''
ran {{ item.stem }}
[ ! -e poke ] || echo poked >> notes.txt
grep -v '^//' {{ item }} > {{ outputs }}
'''

[target.app]
inputs  = ["@obj", "notes.txt"]
outputs = ["app"]
run     = "ran app; cat {{ inputs }} > {{ outputs }}"

[target.pack]
inputs  = ["@app"]
outputs = ["packed"]
run     = "ran pack; cat {{ inputs }} > {{ outputs }}"

[target.gen]
inputs  = ["word.txt"]
outputs = ["gen/*.txt"]
depfile = "{{ out }}/made.d"
run     = "ran gen; mkdir -p {{ out }}/gen; cp word.txt {{ out }}/gen/made.txt; echo made: gen/own.txt > {{ depfile }}"

[target.loose]
after   = ["gen"]
inputs  = ["gen/made.txt", "gen/own.txt"]
outputs = ["loose"]
run     = "ran loose; cat {{ inputs }} > {{ outputs }}"
"#;

/// A workspace that was built and edited until its graph was kept, with a proof that all is up to date.
fn proved(count: usize) -> Vec<Project> {
    let projects: Vec<Project> = (0..count).map(|_| Project::new(TASKFILE).with_store()).collect();
    for p in &projects {
        for number in 0..8 {
            p.write(format!("src/{number}.c"), &format!("int c{number};\n"));
        }
        p.write("notes.txt", "notes\n").write("word.txt", "word\n").write("gen/own.txt", "own\n");
        build(p, 0);
    }
    for text in ["int c0, more;\n", "int c0;\n"] {
        settle(&projects);
        projects.iter().for_each(|p| _ = build(p.write("src/0.c", text), 0));
    }
    settle(&projects);
    projects
}

fn settle(projects: &[Project]) {
    std::thread::sleep(SETTLED);
    for p in projects {
        assert_eq!(build(p, 0).1, NONE, "what was written is looked at again, nothing is run");
        assert_eq!(build(p, 0), (1, names(NONE)), "all is proved");
    }
}

/// How often the input of `app` was looked at: twice and more if that was judged. And what ran.
fn build(p: &Project, code: i32) -> (usize, Vec<String>) {
    let looks = times_looked_at(p, "notes.txt", &[], code);
    let mut ran = p.take_ran();
    p.accept_files();
    ran.sort();
    (looks, ran)
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

const NONE: [&str; 0] = [];

#[test]
fn who_needs_what_is_as_it_was_is_not_judged() {
    if lacks("strace", "-V") {
        return;
    }
    let projects = proved(4);
    let [touched, removed, edited, both] = &projects[..] else { unreachable!() };
    let all = "int c0;\nint c1;\nint c2;\nint c3;\nint c4;\nint c5;\nint c6;\nint c7;\nnotes\n";

    touched.write("src/1.c", "int c1;\n");
    assert_eq!(build(touched, 0), (1, names(NONE)));
    removed.remove("obj/2.o");
    assert_eq!(build(removed, 0), (1, names(NONE)));
    assert_eq!(removed.read("obj/2.o"), "int c2;\n");
    edited.write("obj/3.o", "by hand\n");
    assert_eq!(build(edited, 0), (1, names(NONE)));
    assert_eq!(edited.read("obj/3.o"), "int c3;\n");
    both.write("src/1.c", "int c1;\n").remove("app");
    assert_eq!(build(both, 0).1, NONE);
    for p in &projects {
        assert_eq!((p.read("app"), p.read("packed")), (all.to_owned(), all.to_owned()));
    }
    settle(&projects);

    // All that they rest on is still known.
    touched.write("notes.txt", "other\n");
    assert_eq!(build(touched, 0).1, ["app", "pack"]);
    assert_eq!(touched.read("packed"), all.replace("notes", "other"));
    removed.write("obj/2.o", "by hand\n");
    assert_eq!(build(removed, 0), (1, names(NONE)));
    removed.write("src/2.c", "int two;\n");
    assert_eq!(build(removed, 0).1, ["2", "app", "pack"]);
    assert_eq!(removed.read("packed"), all.replace("c2", "two"));
    edited.write("src/3.c", "int three;\n").remove("obj/4.o");
    assert_eq!(build(edited, 0).1, ["3", "app", "pack"]);
    assert_eq!(edited.read("packed"), all.replace("c3", "three"));
    both.remove("obj/1.o").remove("packed");
    assert_eq!(build(both, 0), (1, names(NONE)));
    assert_eq!(both.read("packed"), all);
}

#[test]
fn who_may_find_something_else_is_judged() {
    if lacks("strace", "-V") {
        return;
    }
    let projects = proved(4);
    let [comment, poked, own, failed] = &projects[..] else { unreachable!() };
    comment.write("src/1.c", "// a comment\nint c1;\n");
    let (looks, ran) = build(comment, 0);
    assert!(looks > 1 && ran == ["1"], "{looks} {ran:?}");

    // A command that changes what nobody declares, although its output is the same.
    poked.write("src/1.c", "// a comment\nint c1;\n").write("poke", "");
    let (_, ran) = build(poked, 0);
    assert!(ran.contains(&"app".to_owned()), "{ran:?}");
    assert!(poked.read("packed").contains("poked\n"));

    // It stands among the outputs of `gen`, which has what it had and did not make it.
    own.write("gen/own.txt", "another\n");
    assert_eq!(build(own, 0).1, ["gen", "loose"]);
    assert_eq!(own.read("loose"), "word\nanother\n");
    own.write("gen/own.txt", "own\n");
    assert_eq!(build(own, 0).1, ["gen"], "what is among files of others is not stored");
    assert_eq!(own.read("loose"), "word\nown\n");

    failed.write("src/1.c", "// nothing else\n");
    assert_eq!(build(failed, 1).1, ["1"]);
    failed.write("src/1.c", "int c1;\n");
    assert_eq!(build(failed, 0).1, names(NONE));
    failed.write("src/1.c", "int one;\n").write("src/2.c", "int two;\n");
    assert_eq!(build(failed, 0).1, ["1", "2", "app", "pack"]);
    assert!(failed.read("packed").contains("int one;\nint two;\nint c3;\n"));
}

/// What else a proof may not lose sight of, each beside tasks enough that few are in doubt.
const CHAINS: &str = r#"
default = ["b2", "reader", "counts", "many"]

[target.many]
foreach = ["src/*.c"]
outputs = ["many/{{ item.stem }}"]
run     = "cp {{ item }} {{ outputs }}"

[target.a1]
inputs  = ["a1.txt"]
outputs = ["o/a1"]
run     = "ran a1; cp a1.txt {{ outputs }}"

[target.b1]
inputs  = ["@a1", "notes.txt"]
outputs = ["o/b1"]
run     = "ran b1; cat {{ inputs }} > {{ outputs }}"

[target.a2]
inputs  = ["@b1", "a2.txt"]
outputs = ["o/a2"]
run     = "ran a2; cat {{ inputs }} > {{ outputs }}"

[target.b2]
inputs  = ["@a2"]
outputs = ["o/b2"]
run     = "ran b2; cat {{ inputs }} > {{ outputs }}"

[target.linked]
inputs  = ["which.txt"]
outputs = ["o/link"]
run     = 'ran linked; ln -s "../$(cat which.txt)" {{ outputs }}'

[target.reader]
inputs  = ["@linked"]
outputs = ["o/reader"]
run     = "ran reader; cat {{ inputs }} > {{ outputs }}"

[target.part]
foreach = ["parts/*.txt"]
require = 2
outputs = ["o/part/{{ item.stem }}"]
run     = "ran part{{ item.stem }}; grep -v wrong {{ item }} > {{ outputs }}"

[target.counts]
inputs  = ["@part"]
outputs = ["o/counts"]
run     = "ran counts; cat {{ inputs }} > {{ outputs }}"

[target.never]
inputs  = ["notes.txt"]
outputs = ["o/never"]
run     = "ran never; cp {{ inputs }} {{ outputs }}"

[target.release]
inputs  = ["@a1", "@never"]
outputs = ["o/release"]
run     = "ran release; cat {{ inputs }} > {{ outputs }}"
"#;

#[test]
fn what_was_passed_over_stays_in_sight() {
    let projects: Vec<Project> = (0..4).map(|_| Project::new(CHAINS).with_store()).collect();
    let wait = || std::thread::sleep(SETTLED);
    // Without the names of what was asked.
    let ran = |p: &Project, code: i32| {
        let output = p.spawn([""; 0]).wait();
        assert_eq!(output.status.code(), Some(code), "{output}");
        let mut ran = p.take_ran();
        p.accept_files();
        ran.sort();
        ran
    };
    for p in &projects {
        (0..20).for_each(|number| _ = p.write(format!("src/{number}.c"), &number.to_string()));
        for (path, text) in [("a1.txt", "a1"), ("a2.txt", "a2"), ("notes.txt", "notes")] {
            p.write(path, text);
        }
        p.write("data.txt", "data").write("which.txt", "data.txt");
        for number in 1..4 {
            p.write(format!("parts/{number}.txt"), &format!("part {number}\n"));
        }
        ran(p, 0);
    }
    for text in ["more", "1"] {
        wait();
        for p in &projects {
            ran(p, 0);
            ran(p.write("src/1.c", text), 0);
        }
    }
    wait();
    let [early, link, missing, outside] = &projects[..] else { unreachable!() };
    projects.iter().for_each(|p| assert_eq!((ran(p, 0), ran(p, 0)), (names(NONE), names(NONE))));

    early.write("a1.txt", "a1").write("a2.txt", "x");
    assert_eq!(ran(early, 0), ["a2", "b2"]);
    link.write("data.txt", "other");
    assert_eq!(ran(link, 0), ["reader"]);
    assert_eq!(link.read("o/reader"), "other");
    missing.write("parts/2.txt", "wrong\n");
    assert_eq!(ran(missing, 0), ["counts", "part2"]);
    outside.write("a1.txt", "another");
    assert_eq!(ran(outside, 0), ["a1", "a2", "b1", "b2"]);
    wait();
    projects.iter().for_each(|p| _ = (ran(p, 0), ran(p, 0)));

    early.write("notes.txt", "final");
    assert_eq!(ran(early, 0), ["a2", "b1", "b2"], "`b1` ended before the others were judged");
    assert_eq!(early.read("o/b2"), "a1finalx");
    missing.write("parts/2.txt", "part 2\n");
    assert_eq!(ran(missing, 0), names(NONE), "all is stored");
    assert_eq!(missing.read("o/counts"), "part 1\npart 2\npart 3\n");
    outside.write("a1.txt", "a1");
    assert_eq!(ran(outside, 0), names(NONE), "all is stored");
    assert_eq!(outside.read("o/b2"), "a1notesa2");
}

/// A state that is lost while a command runs costs no build.
#[test]
fn what_is_behind_is_judged_although_the_state_is_gone() {
    if lacks("strace", "-V") {
        return;
    }
    let projects = proved(1);
    let p = &projects[0];
    p.write("poke", "");
    build(p, 0);
    p.remove("poke");
    settle(&projects);
    let remover = "[ ! -e lose ] || { rm .taskr/state.db && mv lose lost; }";
    p.program("grep", &format!("{remover}; /bin/grep \"$@\""));
    build(p, 0);
    settle(&projects);
    p.write("src/1.c", "int one;\n").write("lose", "");
    p.taskr([""; 0]).any_ran().any_files().any_warning().ok();
    assert!(p.read("packed").contains("int one;\nint c2;\n"));
    assert!(p.path("lost").exists(), "it was taken away");
}
