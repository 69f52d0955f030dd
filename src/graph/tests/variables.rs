//! What expressions see while the graph is made.

use super::*;

#[test]
fn the_strongest_value_wins() {
    let text = r#"
        [vars]
        cc = "cc"
        cflags = ["-O2", "-Wall"]
        where = "{{ base }}/lib"
        base = "/usr"
        [target.file]
        exec = ["{{ cc }}", "{{ cflags }}", "{{ where }}"]
        [target.own]
        vars = { cc = "clang", base = "/opt", cflags = [] }
        exec = ["{{ cc }}", "{{ cflags }}", "{{ where }}"]
    "#;
    let world = World::with(&[]);
    let plain = world.graph(text);
    assert_eq!(argv(&plain, "file"), ["cc", "-O2", "-Wall", "/usr/lib"]);
    assert_eq!(argv(&plain, "own"), ["clang", "/opt/lib"]);
    let defined = world
        .define("cc", "x {{ y }}")
        .define("cflags", "-g '-DNAME=a b' \"\"")
        .define("base", "/old")
        .define("base", "/new")
        .graph(text);
    let expected = ["x {{ y }}", "-g", "-DNAME=a b", "", "/new/lib"];
    assert_eq!(argv(&defined, "file"), expected);
    assert_eq!(argv(&defined, "own"), expected);
}

#[test]
fn a_definition_that_fits_nothing_is_refused() {
    let text = "[vars]\ncflags = [\"-O2\"]\n[target.a]\nvars = { mode = \"x\" }\nrun = \"x\"\n";
    let table = [
        (
            ("cflag", "x"),
            "error: -D cflag: the Taskfile has no variable `cflag`\nhelp: did you mean `cflags`?",
        ),
        (
            ("zzz", "x"),
            "error: -D zzz: the Taskfile has no variable `zzz`\nhelp: it has `cflags`, `mode`",
        ),
        (("cflags", "'a"), "error: -D cflags: the quotes in `'a` do not match"),
    ];
    for ((name, value), expected) in table {
        assert_eq!(World::with(&[]).define(name, value).refusal(text), expected, "{name}");
    }
    assert_eq!(names(&World::with(&[]).define("mode", "y").graph(text)), ["a"]);
}

/// What a target's names are worth before it is ready.
#[test]
fn names_that_are_known_at_once() {
    let world = World::with(&["src/net/a.b.c"]);
    let graph = world.graph(
        r#"
        [target.t]
        dir = "."
        foreach = ["src/**/*.c"]
        matrix = { n = [1, "two"] }
        exec = [
            "{{ name }}", "{{ item }}", "{{ item.stem }}", "{{ item.name }}", "{{ item.dir }}",
            "{{ item.ext }}", "{{ item.rel }}", "{{ matrix.n }}", "{{ env.HOME }}", "{{ jobs }}",
            "{{ profile }}", "{{ ci }}", "{{ dir }}", "{{ out }}", "{{ state }}",
        ]
        "#,
    );
    let expected = [
        "t",
        "src/net/a.b.c",
        "a.b",
        "a.b.c",
        "src/net",
        "c",
        "net/a.b.c",
        "1",
        "/home/ann",
        "4",
        "default",
        "false",
        ".",
        ".taskr/tasks/t@src%2Fnet%2Fa.b.c,n=1/out",
        ".taskr/tasks/t@src%2Fnet%2Fa.b.c,n=1/state",
    ];
    assert_eq!(argv(&graph, "t@src/net/a.b.c,n=1"), expected);
    assert_eq!(argv(&graph, "t@src/net/a.b.c,n=two")[7], "two");
}

#[test]
fn paths_of_a_target_are_seen_from_its_folder() {
    let graph = graph(
        r#"
        [target.web]
        dir = "web/[app]"
        inputs = ["a.ts", "src/*.ts", "//root.txt", "../b", "{{ name }}.x", "!gen/*", "?opt"]
        outputs = ["dist/app.js", "gen/**"]
        installs = ["node_modules"]
        depfile = "{{ out }}/x.d"
        exec = ["x", "{{ dir }}", "{{ out }}", "{{ depfile }}"]
        "#,
    );
    let expected = [
        "web/[app]/a.ts",
        "glob web/\\\\[app\\\\]/src/*.ts",
        "root.txt",
        "web/b",
        "web/[app]/web.x",
        "!web/\\\\[app\\\\]/gen/*",
        "?web/[app]/opt",
    ];
    assert_eq!(inputs(&graph, "web"), expected);
    let expected = ["web/[app]/dist/app.js", "glob web/\\\\[app\\\\]/gen/**"];
    assert_eq!(outputs(&graph, "web"), expected);
    let rule = rule(&graph, "web");
    assert_eq!(rule.dir, b"web/[app]");
    assert_eq!(rule.installs[0].value, b"web/[app]/node_modules");
    let depfile = rule.depfile.as_ref().map(|path| &path.value[..]);
    assert_eq!(depfile, Some(&b".taskr/tasks/web/out/x.d"[..]));
    let own = "../../.taskr/tasks/web/out";
    assert_eq!(argv(&graph, "web"), ["x", "web/[app]", own, &format!("{own}/x.d")]);
}

/// What an expression gives stands for itself; what is written out may be a pattern.
#[test]
fn values_in_paths_are_literal() {
    let world = World::with(&["src/[id].c", "src/{a}*.c", "src/@x!.c", "src/back\\slash.c"]);
    let graph = world.graph(
        r#"
        [vars]
        odd = ["*.h", "!no", "@at", "?maybe", "[z]"]
        [target.obj]
        foreach = ["src/*.c"]
        inputs = ["{{ odd }}", "inc/{{ item.stem }}/*.h"]
        outputs = ["{{ item }}.o", "gen/{{ item.stem }}/**"]
        run = "x"
        "#,
    );
    let name = "obj@src/[id].c";
    let expected =
        ["src/[id].c", "*.h", "!no", "@at", "?maybe", "[z]", "glob inc/\\\\[id\\\\]/*.h"];
    assert_eq!(inputs(&graph, name), expected);
    assert_eq!(outputs(&graph, name), ["src/[id].c.o", "glob gen/\\\\[id\\\\]/**"]);
    assert_eq!(outputs(&graph, "obj@src/{a}*.c")[0], "src/{a}*.c.o");
    assert_eq!(outputs(&graph, "obj@src/@x!.c")[0], "src/@x!.c.o");
    assert_eq!(outputs(&graph, "obj@src/back\\slash.c")[0], "src/back\\\\slash.c.o");
}

/// Also what means something only at the beginning, between braces or in a class.
#[test]
fn values_are_literal_wherever_they_stand() {
    let graph = graph(
        r#"
        [vars]
        d  = "$x"
        t  = "~"
        ab = "a,b"
        ac = "a-c"
        [target.t]
        inputs = ["{{ d }}", "{{ t }}/y", "src/{zz,{{ ab }}}", "src/[{{ ac }}]", "{{ ac }}/{{ ab }}.*"]
        run = "x"
        "#,
    );
    let expected = ["$x", "~/y", "glob src/{zz,a\\\\,b}", "glob src/[a\\\\-c]", "glob a-c/a,b.*"];
    assert_eq!(inputs(&graph, "t"), expected);
    let refusal = World::with(&[])
        .refusal("[vars]\ny = \"z\"\n[target.t]\ninputs = [\"$x/{{ y }}\"]\nrun = \"x\"");
    assert!(refusal.starts_with("error: `$x/z` is not expanded"), "{refusal}");
}

#[test]
fn names_of_the_environment_count() {
    let graph = graph(
        r#"
        [vars]
        home = "{{ env.HOME }}"
        [target.t]
        env_inputs = ["CI", "HOME"]
        run = "echo {{ home }} {{ env.EDITOR | default('vi') }}"
        env = { A = "{{ env['PAGER'] | default('') }}" }
        [target.u]
        run = "x"
        "#,
    );
    assert_eq!(rule(&graph, "t").target.env_inputs, ["CI", "EDITOR", "HOME", "PAGER"]);
    assert_eq!(rule(&graph, "u").target.env_inputs, [""; 0]);
}

/// A target that reads a variable that reads a variable, so many of them.
fn nested(depth: usize) -> String {
    let mut text = String::from("[vars]\nv0 = \"x\"\n");
    for n in 1..depth {
        text.push_str(&format!("v{n} = \"{{{{ v{} }}}}\"\n", n - 1));
    }
    text.push_str(&format!("[target.t]\ninputs = [\"{{{{ v{} }}}}\"]\nrun = \"x\"", depth - 1));
    text
}

/// Variables nest as deep as the constant says, and a deeper chain is an error, no overflow.
#[test]
fn variables_nest() {
    assert_eq!(inputs(&graph(&nested(60)), "t"), ["x"]);
    let refusal = World::with(&[]).refusal(&nested(200));
    assert!(refusal.contains("variables nest deeper than 64"), "{refusal}");
}

/// However deep: that would abort the program.
#[test]
fn deeply_nested_variables_overflow_no_stack() {
    let refusal = World::with(&[]).refusal(&nested(5000));
    assert!(refusal.contains("variables nest deeper than 64"), "{refusal}");
}
