//! Names are bytes: spaces, newlines, quotes, `$()`, leading dashes, 255 bytes, no UTF-8. A file's
//! name is a file's name, whatever a shell would make of it.

use std::fs;
use std::path::Path;

use crate::project::{Project, bytes};

fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "a b",
        " lead",
        "trail ",
        "new\nline",
        "tab\there",
        "q'uote",
        "q\"uote",
        "$(touch pwned)",
        "`touch pwned`",
        "a;touch pwned;b",
        "a|b",
        "a&b",
        "a>b",
        "*",
        "a?b",
        "[id]",
        "{a,b}",
        "~",
        "~root",
        "#hash",
        "!bang",
        "$HOME",
        "${HOME}",
        "a=b",
        "a,b",
        "a@b",
        "a%2Fb",
        "back\\slash",
        "-rf",
        "--help",
        "-",
        "{{ item }}",
        "{% x %}",
        "ünïcödé",
        "e\u{301}",
        "\u{e9}",
        "日本",
        "\u{202e}x",
        "\u{1b}[31m",
        "con",
        "CON",
        "...",
        "..x",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("l".repeat(255));
    names.push(format!("{}x", "é".repeat(127)));
    names
}

/// Each name goes through a glob, `foreach`, `{{ item }}`, `{{ inputs }}`, `{{ outputs }}` and back.
#[test]
fn hostile_names_through_foreach() {
    for line in [
        r#"run  = "ran x; cat {{ item }} {{ inputs }} > {{ outputs }}""#,
        r#"exec = ["sh", "-c", 'ran x; cat "$1" "$1" > "$2"', "sh", "{{ item }}", "{{ outputs }}"]"#,
    ] {
        let p = Project::new(&format!(
            "[target.t]\nforeach = [\"src/*\", \"src/...\", \"src/..x\"]\noutputs = [\"out/{{{{ item.name }}}}\"]\n{line}\n"
        ));
        let names = hostile();
        for name in &names {
            p.write(Path::new("src").join(name), name);
        }
        let run = p.taskr(["t"]).ran(vec!["x"; names.len()]);
        let made = |run, name: &String| {
            crate::project::Run::makes(run, Path::new("out").join(name), &name.repeat(2))
        };
        names.iter().fold(run, made).ok();
        p.fresh("t");
        for name in [&names[0], &names[3], &names[8], &names[names.len() - 1]] {
            p.write(Path::new("src").join(name), "2");
            p.taskr(["t"]).ran(["x"]).makes(Path::new("out").join(name), "22").ok();
        }
        p.fresh("t");
        assert!(!p.path("pwned").exists() && !p.outside("home/pwned").exists());
    }
}

/// All names at once on one command line, in the order of their bytes.
#[test]
fn hostile_names_through_a_glob() {
    let p = Project::new(
        "[target.t]\ninputs = [\"src/*\"]\noutputs = [\"list\"]\nrun = \"printf '%s\\\\0' {{ inputs }} > {{ outputs }}\"\n",
    );
    let mut names = hostile();
    names.retain(|name| !name.starts_with('.'));
    for name in &names {
        p.write(Path::new("src").join(name), name);
    }
    names.sort();
    let list: String = names.iter().map(|name| format!("src/{name}\0")).collect();
    p.taskr(["t"]).makes("list", &list).ok();
    p.fresh("t");
}

/// N01: at the root of the target's folder a name with a dash could be taken for an option.
#[test]
fn a_leading_dash_is_no_option() {
    let p = Project::new(
        "[target.t]\ndir = \"src\"\ninputs = [\"*\"]\noutputs = [\"../list\"]\nrun = \"cat {{ inputs }} > {{ outputs }}\"\n",
    );
    p.write("src/-n", "1\n").write("src/--help", "2\n").write("src/-", "3\n");
    p.taskr(["t"]).makes("list", "3\n2\n1\n").ok();
}

/// Through a glob a name that is no UTF-8 works; where an expression would need text, it is an
/// error that shows the name.
#[test]
fn names_without_utf8() {
    let p = Project::new(
        "[target.t]\ninputs = [\"src/*\"]\noutputs = [\"all\"]\nrun = \"ran t; cat src/* > {{ outputs }}\"\n",
    );
    let name = bytes(b"src/caf\xe9");
    p.write(&name, "1").write("src/z", "z");
    p.taskr(["t"]).ran(["t"]).makes("all", "1z").ok();
    p.fresh("t");
    p.write(&name, "2");
    p.taskr(["t"]).ran(["t"]).makes("all", "2z").ok();
    p.remove(&name).write(bytes(b"src/caf\xe8"), "2");
    p.taskr(["t"]).ran(["t"]).ok();
    p.fresh("t");
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("cat src/*", "cat {{ inputs }}"));
    let output = p.spawn(["t"]).wait();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{output}");
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("caf") && !said.contains("panicked"), "{output}");
}

/// A depfile names them as they are.
#[test]
fn a_depfile_without_utf8() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\nrun = \"ran t; printf 'x: h\\\\377.h\\\\n' > {{ depfile }}\"\n",
    );
    let name = bytes(b"h\xff.h");
    p.write("in", "1").write(&name, "1");
    p.taskr(["t"]).ran(["t"]).ok();
    p.fresh("t");
    p.write(&name, "2");
    p.taskr(["t"]).ran(["t"]).ok();
    p.fresh("t");
}

/// A pattern as a name: what an expression puts into `inputs` is literal.
#[test]
fn values_of_expressions_are_literal() {
    let p = Project::new(
        "[vars]\npage = \"src/[id].tsx\"\n[target.t]\ninputs = [\"{{ page }}\"]\noutputs = [\"out/{{ page }}\"]\nrun = \"ran t; cat {{ inputs }} > {{ outputs }}\"\n",
    );
    p.write("src/[id].tsx", "1").write("src/i.tsx", "other");
    p.taskr(["t"]).ran(["t"]).makes("out/src/[id].tsx", "1").ok();
    p.write("src/i.tsx", "2");
    p.fresh("t");
}

/// N05: folders in folders, and a path that no single system call would take.
#[test]
fn deep_folders() {
    let p = Project::new("[target.t]\ninputs = [\"src/**\"]\nrun = \"ran t; true\"\n");
    let deep = format!("src/{}x", "folder/".repeat(120));
    p.write(&deep, "1");
    p.taskr(["t"]).ran(["t"]).ok();
    p.write(&deep, "2");
    p.taskr(["t"]).ran(["t"]).ok();
    p.fresh("t");
}

/// The workspace itself may stand at any path.
#[test]
fn a_workspace_with_an_odd_name() {
    let p = Project::empty();
    for name in [bytes(b"a b"), bytes(b"x\xffy"), bytes(b"q'uo\"te $(x)"), bytes(b"%41 ?#&")] {
        let root = p.outside("odd").join(name);
        fs::create_dir_all(&root).expect("a folder");
        fs::write(
            root.join("Taskfile.toml"),
            "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"ran t; cat in > {{ outputs }}\"\n",
        )
        .expect("a file");
        fs::write(root.join("in"), "1").expect("a file");
        for ran in [&["t"][..], &[]] {
            let output = crate::project::Live::start(&mut p.command(&root, ["t"])).wait();
            assert!(output.status.success() && output.stderr.is_empty(), "{output}");
            assert_eq!(p.take_ran(), ran, "{output}");
        }
        for args in [["why", "t"], ["-n", "t"]] {
            let output = crate::project::Live::start(&mut p.command(&root, args)).wait();
            assert!(output.status.success() && output.stderr.is_empty(), "{output}");
        }
    }
}

/// What an axis or a plain word gives is as it was written; only names of tasks are made printable.
#[test]
fn values_are_not_names() {
    let p = Project::new(
        r#"
[target.t]
matrix = { r = ['\d+\.txt', "50%", "a\nb", "a*", 'c:\x'] }
run = "printf '%s\n' {{ matrix.r }} > {{ 'out' ~ (matrix.r | length) }}; ran {{ name }}"
[target.one]
deps = ["t@r=50%"]
[target.each]
matrix = { r = ["50%", 'c:\x'] }
deps = ["t@r={{ matrix.r }}"]
[target.words]
foreach = ['a\d', 'b\*', "{{ 'c\\d*' }}"]
run = "printf '%s\n' {{ item }} > {{ 'word' ~ item[0] }}; ran {{ name }}"
"#,
    );
    let run = p.taskr(["t", "words"]).any_ran();
    let run = run.makes("out8", "\\d+\\.txt\n").makes("out3", "50%\n").makes("out2", "a*\n");
    run.any_files().ok();
    assert_eq!(p.read("out4"), "c:\\x\n");
    assert_eq!(p.read("worda"), "a\\d\n");
    assert_eq!(p.read("wordb"), "b*\n");
    assert_eq!(p.read("wordc"), "c\\d*\n");
    p.taskr(["t@r=50%25"]).ran(["t"]).says("t@r=50%25").any_files().ok();
    p.taskr(["t@r=50%"]).ran(["t"]).says("t@r=50%25").any_files().ok();
    p.taskr(["t@r=a%0Ab"]).ran(["t"]).any_files().ok();
    p.taskr(["one"]).ran(["t"]).any_files().ok();
    p.taskr(["each"]).ran(["t", "t"]).any_files().ok();
}
