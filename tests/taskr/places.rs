//! Results that hold where they were made, and those that hold elsewhere too: paths in outputs, files
//! beside the workspace, headers that hide others.

use std::fs;

use crate::project::Project;

/// Two tasks that write where they are; one says that this does not matter.
const PLACES: &str = r#"
[target.here]
inputs = ["a.in"]
outputs = ["here"]
run = "ran here; pwd >{{ outputs }}"

[target.moves]
inputs = ["a.in"]
outputs = ["moves"]
relocatable = true
run = "ran moves; pwd >{{ outputs }}"
"#;

#[test]
fn an_output_that_names_its_place_serves_that_place_only() {
    let p = Project::new(PLACES).with_store();
    p.write("a.in", "1\n");
    p.taskr(["here", "moves"]).ran(["here", "moves"]).any_files().ok();
    let root = format!("{}\n", p.root().display());
    assert_eq!(p.read("here"), root);
    p.remove("here").remove("moves");
    p.taskr(["here", "moves"]).makes("here", &root).makes("moves", &root).ok();
    let other = p.sibling("other");
    other.write("Taskfile.toml", PLACES).write("a.in", "1\n");
    other.taskr(["here", "moves"]).ran(["here"]).says("1 restored, 1 ran").ok();
    let there = |name: &str| fs::read_to_string(p.outside("other").join(name)).expect("a file");
    let other_root = format!("{}\n", p.outside("other").display());
    assert_eq!((there("here"), there("moves")), (other_root.clone(), root.clone()));
    // Each place has its own.
    fs::remove_file(p.outside("other/here")).expect("it was there");
    other.taskr(["here"]).says("1 restored").ok();
    assert_eq!(there("here"), other_root);
    p.remove("here");
    p.taskr(["here"]).makes("here", &root).ok();
}

#[test]
fn what_is_packed_may_name_its_place_and_serves_that_only() {
    let taskfile = r#"
[target.packed]
inputs = ["a.c"]
outputs = ["packed.gz"]
run = "ran packed; pwd | gzip -n >{{ outputs }}"

[target.object]
inputs = ["a.c"]
outputs = ["a.o"]
run = "ran object; cc -g -gz -c a.c -o {{ outputs }}"

[target.plain]
inputs = ["a.c"]
outputs = ["plain.o"]
run = "ran plain; cc -c a.c -o {{ outputs }}"
"#;
    let p = Project::new(taskfile).with_store();
    let source = "int a(void) { return 1; }\n";
    p.write("a.c", source);
    let all = ["packed", "object", "plain"];
    p.taskr(all).ran(all).any_files().ok();
    fs::remove_file(p.path("packed.gz")).expect("it was there");
    fs::remove_file(p.path("a.o")).expect("it was there");
    p.taskr(all).any_files().says("2 restored").ok();
    let other = p.sibling("other");
    other.write("Taskfile.toml", taskfile).write("a.c", source);
    other.taskr(all).ran(["packed", "object"]).says("1 restored").ok();
}

/// Two work trees of one repository, each with a Taskfile in a folder of it.
#[test]
fn a_header_beside_the_workspace_is_another_one_in_another_place() {
    let taskfile = "[target.app]\ninputs = ['a.c']\noutputs = ['app']\n\
                    run = 'ran app; cc -MMD -MF {{ depfile }} -o {{ outputs }} a.c'\n";
    let source = "#include \"../lib/x.h\"\nint main(void) { return X; }\n";
    let p = Project::empty().with_store();
    for (place, header) in [("one", "#define X 1\n"), ("two", "#define X 2\n")] {
        fs::create_dir_all(p.outside(place).join("lib")).expect("a folder");
        fs::write(p.outside(place).join("lib/x.h"), header).expect("a file");
    }
    let [one, two] = ["one/app", "two/app"].map(|name| p.sibling(name));
    for workspace in [&one, &two] {
        workspace.write("Taskfile.toml", taskfile).write("a.c", source);
    }
    let says = |place: &str| {
        let status = std::process::Command::new(p.outside(place).join("app/app")).status();
        status.expect("it starts").code()
    };
    one.taskr(["app"]).ran(["app"]).ok();
    two.taskr(["app"]).ran(["app"]).ok();
    assert_eq!((says("one"), says("two")), (Some(1), Some(2)));
    // Each has its own, and sees its own header.
    for place in ["one", "two"] {
        fs::remove_file(p.outside(place).join("app/app")).expect("it was there");
    }
    one.taskr(["app"]).says("1 restored").ok();
    two.taskr(["app"]).says("1 restored").ok();
    assert_eq!((says("one"), says("two")), (Some(1), Some(2)));
    fs::write(p.outside("two/lib/x.h"), "#define X 3\n").expect("a file");
    one.taskr(["app"]).says("up to date").ok();
    two.taskr(["app"]).ran(["app"]).ok();
    assert_eq!(says("two"), Some(3));
}

#[test]
fn what_may_be_used_elsewhere_serves_only_those_who_say_so() {
    let p = Project::new(&PLACES.replace("relocatable = true\n", "")).with_store();
    let other = p.sibling("other");
    other.write("Taskfile.toml", PLACES).write("a.in", "1\n");
    p.write("a.in", "1\n");
    other.taskr(["moves"]).ran(["moves"]).ok();
    p.taskr(["moves"]).ran(["moves"]).any_files().ok();
    assert_eq!(p.read("moves"), format!("{}\n", p.root().display()));
}

#[test]
fn what_lies_beside_the_workspace_in_its_repository_is_of_its_place_too() {
    let taskfile = "[target.t]\ninputs = ['a.in']\noutputs = ['o']\n\
                    run = 'ran t; (cd .. && pwd) >{{ outputs }}'\n";
    let p = Project::empty().with_store();
    let [one, two] = ["one/app", "two/app"].map(|name| p.sibling(name));
    for (place, workspace) in [("one", &one), ("two", &two)] {
        fs::create_dir(p.outside(place).join(".git")).expect("a folder");
        workspace.write("Taskfile.toml", taskfile).write("a.in", "1\n");
        workspace.taskr(["t"]).ran(["t"]).ok();
        let text = fs::read_to_string(p.outside(place).join("app/o")).expect("a file");
        assert_eq!(text, format!("{}\n", p.outside(place).display()));
    }
}

#[test]
fn another_taskfile_has_results_of_its_own() {
    let taskfile = "[target.t]\ninputs = ['a.in']\noutputs = ['o']\n\
                    run = 'ran t; echo $OUT >{{ outputs }}'\n";
    let p = Project::new(taskfile).with_store();
    p.write("a.in", "1\n").write("Other.toml", taskfile);
    p.taskr(["t"]).ran(["t"]).makes("o", ".taskr/tasks/t/out\n").ok();
    let run = p.taskr(["-f", "Other.toml", "t"]).ran(["t"]);
    run.makes("o", ".taskr/tasks/Other.toml%3At/out\n").any_warning().ok();
}

#[test]
fn a_workspace_that_was_moved_makes_what_holds_its_path_anew() {
    let p = Project::empty().with_store();
    let old = p.sibling("old");
    old.write("Taskfile.toml", PLACES).write("a.in", "1\n");
    old.taskr(["here", "moves"]).ran(["here", "moves"]).ok();
    fs::rename(p.outside("old"), p.outside("new")).expect("it was there");
    let new = p.known("new");
    new.taskr(["why", "here"]).says("the workspace was moved").ok();
    new.taskr(["here", "moves"]).ran(["here"]).says("1 fresh, 1 ran").ok();
    let text = fs::read_to_string(p.outside("new/here")).expect("a file");
    assert_eq!(text, format!("{}\n", p.outside("new").display()));
    new.taskr(["here", "moves"]).says("2 tasks up to date").ok();
}

/// A depfile does not say what was looked for in vain.
#[test]
fn a_header_that_comes_back_and_hides_another_one_is_seen() {
    let p = Project::new(
        "[target.app]\ninputs = ['a.c']\noutputs = ['app']\n\
         run = 'ran app; cc -Ii1 -Ii2 -MMD -MF {{ depfile }} -o {{ outputs }} a.c'\n",
    )
    .with_store();
    p.write("a.c", "#include <h.h>\nint main(void) { return X; }\n");
    p.write("i1/h.h", "#define X 1\n").write("i2/h.h", "#define X 2\n");
    let says = || std::process::Command::new(p.path("app")).status().expect("it starts").code();
    p.taskr(["app"]).ran(["app"]).any_files().ok();
    assert_eq!(says(), Some(1));
    p.remove("i1/h.h");
    p.taskr(["app"]).ran(["app"]).any_files().ok();
    assert_eq!(says(), Some(2));
    p.write("i1/h.h", "#define X 1\n");
    p.taskr(["why", "app"]).says("an earlier run that read other files fits as well").ok();
    p.taskr(["app"]).ran(["app"]).any_files().ok();
    assert_eq!(says(), Some(1));
    p.fresh("app");
    // In a fresh clone both results fit: it runs.
    fs::remove_dir_all(p.path(".taskr")).expect("it was there");
    fs::remove_file(p.path("app")).expect("it was there");
    p.taskr(["app"]).ran(["app"]).any_files().ok();
    assert_eq!(says(), Some(1));
}
