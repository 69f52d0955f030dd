//! Headers that only a depfile names are inputs from then on.

use crate::project::Project;

const HEADERS: &str = r#"
[target.o]
inputs  = ["m.c"]
outputs = ["m.o"]
depfile = "{{ out }}/m.d"
run     = "ran o; cat m.c $(cat uses) > {{ outputs }}; echo m.o: m.c uses $(cat uses) > {{ depfile }}"
"#;

#[test]
fn header_through_a_depfile() {
    let p = Project::new(HEADERS);
    p.write("m.c", "m\n").write("uses", "h1").write("h1", "1\n").write("h2", "2\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n1\n").ok();
    p.fresh("o");
    p.write("h2", "22\n");
    p.fresh("o");
    p.write("h1", "11\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n11\n").ok();
    p.fresh("o");
    p.write("uses", "h2");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n22\n").ok();
    p.fresh("o");
    p.remove("h1");
    p.fresh("o");
    p.write("h2", "222\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n222\n").ok();
}

#[test]
fn a_header_that_vanished_is_a_reason() {
    let p = Project::new(HEADERS);
    p.write("m.c", "m\n").write("uses", "h1").write("h1", "1\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n1\n").ok();
    p.remove("h1");
    p.taskr(["o"]).ran(["o"]).says("h1").exits(1);
    p.write("h1", "1\n");
    p.taskr(["o"]).any_ran().ok();
    p.fresh("o");
}

/// A depfile in the way of compilers: continued lines, escaped spaces and dollars, absolute paths,
/// a phony rule for each header.
#[test]
fn depfile_syntax() {
    let p = Project::new(
        r#"
        [target.o]
        inputs  = ["m.c"]
        outputs = ["m.o"]
        depfile = "m.d"
        run     = "ran o; cat m.c > {{ outputs }}; cp dep.txt {{ depfile }}"
        "#,
    );
    let absolute = p.path("abs.h").display().to_string();
    let depfile = format!("m.o: m.c \\\n a\\ b.h c$$d.h \\\n  {absolute} ./dot.h\n\na\\ b.h:\n");
    p.write("m.c", "m\n").write("dep.txt", &depfile);
    let names = ["a b.h", "c$d.h", "abs.h", "dot.h"];
    for name in names {
        p.write(name, "1");
    }
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n").makes("m.d", &depfile).ok();
    p.fresh("o");
    for name in names {
        p.write(name, "2");
        p.taskr(["o"]).ran(["o"]).ok();
        p.fresh("o");
    }
}

#[test]
fn generated_header_needs_an_edge() {
    let taskfile = r#"
        [target.gen]
        inputs  = ["seed"]
        outputs = ["gen.h"]
        run     = "ran gen; cat seed > {{ outputs }}"
        [target.o]
        inputs  = ["m.c"]
        outputs = ["m.o"]
        #edge
        run     = "ran o; cat m.c gen.h > {{ outputs }}; echo m.o: gen.h > {{ depfile }}"
    "#;
    let p = Project::new(taskfile);
    p.write("seed", "1\n").write("m.c", "m\n");
    p.taskr(["gen"]).ran(["gen"]).makes("gen.h", "1\n").ok();
    p.taskr(["o"]).ran(["o"]).says("gen.h").says("after").exits(1);
    p.write("Taskfile.toml", &taskfile.replace("#edge", "after = [\"gen\"]"));
    p.taskr(["o"]).ran(["o"]).makes("m.o", "m\n1\n").ok();
    p.fresh("o");
    p.write("seed", "2\n");
    p.taskr(["o"]).ran(["gen", "o"]).makes("gen.h", "2\n").makes("m.o", "m\n2\n").ok();
    p.fresh("o");
}

/// A depfile that another task overwrites tells nothing of this one.
#[test]
fn each_task_has_a_depfile_of_its_own() {
    let taskfile = r#"
        [target.obj]
        foreach = ["a.c", "b.c"]
        outputs = ["{{ item.stem }}.o"]
        depfile = "deps.d"
        run     = "ran {{ item }}; cat {{ item }} > {{ outputs }}; echo x.o: {{ item.stem }}.h > deps.d"
        [target.deps]
        outputs = ["list.d"]
        run     = "ran deps; touch list.d"
    "#;
    let p = Project::new(taskfile);
    for name in ["a.c", "b.c", "a.h", "b.h"] {
        p.write(name, "1\n");
    }
    let help = "leave `depfile` out and let the command write to `{{ depfile }}`";
    p.taskr(["obj"]).says("`obj@a.c` and `obj@b.c` both write deps.d").says(help).exits(2);
    let of_another =
        taskfile.replace("\"a.c\", \"b.c\"", "\"a.c\"").replace("\"deps.d\"", "\"list.d\"");
    p.write("Taskfile.toml", &of_another);
    p.taskr(["obj"]).says("`obj@a.c` and `deps` both write list.d").says(help).exits(2);
    let mended = taskfile.replace("deps.d", "{{ item.stem }}.d");
    p.write("Taskfile.toml", &mended);
    p.taskr(["obj"])
        .ran(["a.c", "b.c"])
        .makes("a.o", "1\n")
        .makes("b.o", "1\n")
        .makes("a.d", "x.o: a.h\n")
        .makes("b.d", "x.o: b.h\n")
        .ok();
    p.fresh("obj");
    p.write("a.h", "2\n");
    p.taskr(["obj"]).ran(["a.c"]).ok();
}

/// A compiler writes `ext/../y.h` for what `ext/x.h` includes as `../y.h`.
#[test]
fn dots_behind_a_link_are_followed_on_the_disk() {
    let p = Project::new(
        r#"
        [target.o]
        inputs  = ["m.c"]
        outputs = ["m.o"]
        run     = "ran o; cat ext/../y.h > {{ outputs }}; echo m.o: m.c ext/x.h ext/../y.h > {{ depfile }}"
        "#,
    );
    for base in ["one", "two"] {
        std::fs::create_dir_all(p.outside(base).join("sub")).expect("a folder");
        std::fs::write(p.outside(base).join("sub/x.h"), "x\n").expect("a file");
        std::fs::write(p.outside(base).join("y.h"), format!("{base}\n")).expect("a file");
    }
    p.write("m.c", "m\n").link("ext", "../one/sub");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "one\n").ok();
    p.fresh("o");
    std::fs::write(p.outside("one/y.h"), "edited\n").expect("a file");
    p.taskr(["-v", "o"]).ran(["o"]).makes("m.o", "edited\n").says("y.h changed").ok();
    p.fresh("o");
    // Only what lies above the folder differs: the link itself tells.
    p.link("ext", "../two/sub");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "two\n").ok();
    p.fresh("o");
    // A file more in the folder is none of the link.
    std::fs::write(p.outside("two/sub/more"), "").expect("a file");
    p.fresh("o");
}

/// What a link leads to inside the workspace is a file as any other: who makes it is waited for.
#[test]
fn a_generated_header_behind_a_link_and_dots_needs_an_edge() {
    let p = Project::new(
        r#"
        [target.gen]
        inputs  = ["seed"]
        outputs = ["lib/gen.h"]
        run     = "ran gen; cat seed > {{ outputs }}"
        [target.o]
        inputs  = ["m.c"]
        outputs = ["m.o"]
        run     = "ran o; cat ext/../gen.h > {{ outputs }}; echo m.o: ext/../gen.h > {{ depfile }}"
        "#,
    );
    p.write("seed", "1\n").write("m.c", "m\n").write("lib/sub/x.h", "").link("ext", "lib/sub");
    p.taskr(["gen"]).ran(["gen"]).makes("lib/gen.h", "1\n").ok();
    p.taskr(["o"]).ran(["o"]).says("names lib/gen.h, which `gen` makes").exits(1);
}
