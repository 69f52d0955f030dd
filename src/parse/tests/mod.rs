//! Whole files: bad ones with every word that they are answered, good ones with what is read.

mod reuse;

use super::*;
use crate::error::{answered, render};

/// Bad Taskfiles by what is wrong with them. A case is a line `=== title`, the Taskfile, a line
/// `---`, and what is shown.
const BAD: &[(&str, &str)] = &[
    ("syntax", include_str!("../bad/syntax.txt")),
    ("keys", include_str!("../bad/keys.txt")),
    ("values", include_str!("../bad/values.txt")),
    ("targets", include_str!("../bad/targets.txt")),
    ("reads", include_str!("../bad/reads.txt")),
    ("reuse", include_str!("../bad/reuse.txt")),
    ("packages", include_str!("../bad/packages.txt")),
    ("services", include_str!("../bad/services.txt")),
    ("schedule", include_str!("../bad/schedule.txt")),
];

fn answer(bytes: &[u8]) -> String {
    match parse("Taskfile.toml", bytes) {
        Ok(file) => format!("no error: {:?}", file.targets.keys()),
        Err(error) => {
            let own = concat!("taskr ", env!("CARGO_PKG_VERSION"));
            render(&error, false, 100).replace(own, "taskr VERSION")
        }
    }
}

#[test]
fn bad_files_are_answered_word_by_word() {
    answered(BAD, 60, |_, taskfile| answer(taskfile.as_bytes()));
}

/// The part of the design's first example that this version reads.
const AT_A_GLANCE: &str = r#"# Taskfile.toml
default = ["build"]

[vars]
cc     = "cc"
cflags = ["-O2", "-Wall"]
level  = 3
debug  = false

[taskr]
jobs = "{{ env.MAX_WORKERS | default('auto') }}"

[target.proto]
inputs  = ["api/*.proto"]
outputs = ["gen/api.pb-c.c", "gen/api.pb-c.h"]
run     = "protoc-c -Iapi --c_out={{ out }}/gen {{ inputs }}"

[target.obj]
foreach = ["src/**/*.c", "gen/api.pb-c.c"]
after   = ["proto"]
depfile = "{{ out }}/{{ item.stem }}.d"
exec    = ["{{ cc }}", "{{ cflags }}", "-c", "{{ item }}", "-o", "{{ out }}/{{ item.stem }}.o"]

[target.app]
inputs  = "@obj"
outputs = ["bin/app"]
exec    = ["{{ cc }}", "-o", "{{ outputs }}", "{{ inputs }}"]

[target.test]
inputs = ["@app", "tests/**"]
run    = ["set -x", "tests/run.sh bin/app"]
shell  = ["bash", "-euc"]
env    = { LANG = "C", PORT = 8080 }
env_inputs = "CI"
env_pass   = ["CARGO_*", "TOKEN"]
vars   = { mode = "fast" }
matrix = { os = ["linux", "mac"], node = [18, 20], db = "pg" }
always = true
private = true

[target.build]
doc  = "Everything a release needs"
deps = ["app", "test"]

[target]
fmt  = "cargo fmt"
web  = { dir = "web", inputs = ["package*.json"], installs = "node_modules", run = "npm ci" }
"#;

fn good(text: &str) -> Taskfile {
    match parse("Taskfile.toml", text.as_bytes()) {
        Ok(file) => file,
        Err(error) => panic!("{}", render(&error, false, 100)),
    }
}

fn sources(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(|text| text.template.source()).collect()
}

#[test]
fn the_first_example_is_read() {
    let file = good(AT_A_GLANCE);
    assert_eq!(sources(&file.default), ["build"]);
    let mut names: Vec<&str> = file.targets.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["app", "build", "fmt", "obj", "proto", "test", "web"]);
    let VarValue::List(flags) = &file.vars["cflags"].value else { panic!("a list stays one") };
    assert_eq!(sources(flags), ["-O2", "-Wall"]);
    let one = |name: &str| match &file.vars[name].value {
        VarValue::One(text) => text.template.source().to_owned(),
        VarValue::List(_) | VarValue::Sh(_) => panic!("{name} is one"),
    };
    assert_eq!([one("cc"), one("level"), one("debug")], ["cc", "3", "false"]);
    assert_eq!(file.jobs.expect("jobs").place.line(), 11);

    let obj = &file.targets["obj"];
    assert_eq!(sources(obj.foreach.as_deref().expect("foreach")), ["src/**/*.c", "gen/api.pb-c.c"]);
    assert_eq!(sources(&obj.after), ["proto"]);
    assert!(obj.inputs.is_none() && obj.depfile.is_some());
    let Some(Command::Exec(argv)) = &obj.command else { panic!("a program") };
    assert_eq!((argv.len(), argv[3].place.text()), (6, "\"{{ item }}\""));
    assert_eq!((obj.place.text(), obj.place.line()), ("obj", 18));
    assert_eq!(obj.place_of("after").line(), 20);
    assert_eq!(obj.place_of("run"), &obj.place, "what is not written is at the target");

    let app = &file.targets["app"];
    assert_eq!(sources(app.inputs.as_deref().expect("inputs")), ["@obj"]);
    assert!(file.targets["build"].command.is_none());
    assert_eq!(file.targets["build"].doc.as_deref(), Some("Everything a release needs"));
    let Some(Command::Shell(fmt)) = &file.targets["fmt"].command else { panic!("a shell") };
    assert_eq!(sources(fmt), ["cargo fmt"]);
    let web = &file.targets["web"];
    assert_eq!(web.dir.as_ref().map(|dir| dir.template.source()), Some("web"));
    assert_eq!(sources(web.installs.as_deref().expect("installs")), ["node_modules"]);
}

#[test]
fn every_field_of_a_target_is_read() {
    let file = good(AT_A_GLANCE);
    let test = &file.targets["test"];
    let Some(Command::Shell(lines)) = &test.command else { panic!("a shell") };
    assert_eq!(sources(lines), ["set -x", "tests/run.sh bin/app"]);
    assert_eq!(sources(test.shell.as_deref().expect("shell")), ["bash", "-euc"]);
    assert_eq!(test.env["PORT"].1.template.source(), "8080");
    assert_eq!(test.env["PORT"].0.text(), "PORT");
    let words = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    assert_eq!(words(&test.env_inputs), ["CI"]);
    assert_eq!(words(&test.env_pass), ["CARGO_*", "TOKEN"]);
    assert!(test.vars.contains_key("mode") && test.always && test.private);
    let axes: Vec<_> =
        test.matrix.iter().map(|(axis, (_, v))| (axis.as_str(), sources(v))).collect();
    assert_eq!(
        axes,
        [("os", vec!["linux", "mac"]), ("node", vec!["18", "20"]), ("db", vec!["pg"])]
    );
}

#[test]
fn what_becomes_of_results_is_read() {
    let file = good(
        "[target.a]\ninputs = []\nmax_age = '1.5h'\nrelocatable = true\ncache = 'local'\nrun = 'a'\n\
         [target.b]\ninputs = []\nfresh_if = 'test {{ name }}'\ncache = false\nrun = 'b'\n\
         [target.c]\ninputs = 'x'\nfixes_inputs = true\nrestage = true\nrun = 'c'\n\
         [target.d]\ninputs = 'x'\noutputs = 'y'\nkeep_outputs = true\nrun = 'd'\n",
    );
    let policy = |name: &str| &file.targets[name].policy;
    let age = policy("a").max_age.as_ref().expect("an age");
    assert_eq!((age.ms, age.written.text.as_str()), (5_400_000, "1.5h"));
    assert_eq!(age.written.place.text(), "'1.5h'");
    assert_eq!((policy("a").relocatable, policy("a").cache), (true, Some(true)));
    let fresh_if = policy("b").fresh_if.as_ref().expect("a command");
    assert_eq!((fresh_if.template.source(), policy("b").cache), ("test {{ name }}", Some(false)));
    assert!(file.targets["b"].texts().any(|text| text.template.source() == "test {{ name }}"));
    assert_eq!(
        (policy("c").fixes_inputs, policy("c").restage, policy("c").cache),
        (true, true, None)
    );
    assert!(policy("d").keep_outputs && !policy("d").fixes_inputs && !policy("d").relocatable);
}

#[test]
fn targets_come_in_the_order_of_the_file() {
    let file = good(
        "[target.b]\nrun='b'\n[vars]\nx='y'\n[target.a]\nrun='a'\n[target.c.env]\nA='1'\n[target.c]\nrun='c'\n[target]\nd='d'",
    );
    let names: Vec<&String> = file.targets.keys().collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
}

#[test]
fn a_byte_order_mark_and_windows_newlines_change_nothing() {
    let text = "[target.a]\r\nrun = '''\r\none\r\ntwo'''\r\n";
    let marked = good(&format!("\u{feff}{text}"));
    let Some(Command::Shell(lines)) = &marked.targets["a"].command else { panic!("a shell") };
    assert_eq!(sources(lines), ["one\ntwo"]);
    assert_eq!(marked.targets["a"].place_of("run").line(), 2);
    let wrong = answer(format!("\u{feff}{}", text.replace("run", "rum")).as_bytes());
    assert!(wrong.contains("Taskfile.toml:2:1\n"), "{wrong}");
}

#[test]
fn bytes_that_are_no_text() {
    let utf16 = answer(b"\xff\xfea\0");
    assert!(utf16.starts_with("error: Taskfile.toml is not UTF-8: byte 0 is 0xFF\n"), "{utf16}");
    let latin = answer(b"\xef\xbb\xbf[target.a]\r\nrun = 'caf\xe9'\r\n");
    assert!(latin.contains("not UTF-8: byte 25 is 0xE9\n --> Taskfile.toml:2:11\n"), "{latin}");
    assert!(latin.contains("help: save the file as UTF-8"), "{latin}");
    let nul = answer(b"[target.a]\nrun = 'a\0b'\n");
    assert!(nul.contains("has a NUL byte, byte 19\n --> Taskfile.toml:2:9\n"), "{nul}");
    let lone = answer(b"[target.a]\rrun = 'a'\n");
    assert!(lone.starts_with("error: a carriage return without a newline"), "{lone}");
}

#[test]
fn sizes_at_the_limits() {
    let large = answer(&vec![b'#'; (64 << 20) + 1]);
    assert!(large.starts_with("error: Taskfile.toml is larger than 64 MiB"), "{large}");

    let mut text = String::from("default = 't0'\n");
    for n in 0..50_000 {
        text.push_str(&format!("[target.t{n}]\ninputs = ['src/{n}/**']\nrun = 'make -C {n}'\n"));
    }
    assert!(text.len() > 2 << 20);
    assert_eq!(good(&text).targets.len(), 50_000);
    text.push_str("[target.last]\nrun = 3\n");
    let wrong = answer(text.as_bytes());
    assert!(wrong.contains("--> Taskfile.toml:150003:7\n"), "{wrong}");
}

#[test]
fn depth_is_an_error_and_no_crash() {
    let deep = "error: more than 80 levels, one within the other";
    for (before, unit) in [("a = ", "["), ("a = ", "{a="), ("", "a."), ("[", "a."), ("b = {", "a.")]
    {
        for times in [1000, 300_000] {
            let shown = answer(format!("{before}{}", unit.repeat(times)).as_bytes());
            assert!(shown.starts_with("error: "), "{before}{unit}: {shown}");
        }
    }
    assert!(answer(format!("a = {}", "[".repeat(300_000)).as_bytes()).starts_with(deep));
    let closed = answer(format!("a = {}{}", "[".repeat(81), "]".repeat(81)).as_bytes());
    assert!(closed.starts_with(deep), "{closed}");
    let dotted = answer(format!("[{}a]\n", "a.".repeat(100)).as_bytes());
    assert!(dotted.starts_with(deep) && dotted.contains("Taskfile.toml:1:162\n"), "{dotted}");
    let brackets = answer("[".repeat(300_000).as_bytes());
    assert!(brackets.starts_with("error: a name is missing here"), "{brackets}");
}

#[test]
fn a_file_full_of_errors_ends() {
    for line in ["x = 1\n", "[x]\n", "x\n", "[target.x]\n"] {
        let shown = answer(line.repeat(100_000).as_bytes());
        assert!(shown.starts_with("error: "), "{shown}");
    }
    let mut text = String::from("[target.a]\n");
    for n in 0..50_000 {
        text.push_str(&format!("inputz{n} = [1, 2, 3]\n"));
    }
    let shown = answer(text.as_bytes());
    assert!(shown.ends_with("… and 990 more: `taskr check` shows all"), "{shown}");
}

#[test]
fn all_errors_of_a_file_come_in_its_order() {
    let text =
        "[target.b]\nrun = 1\n[vars]\nc-c = ''\n[target.a]\nrun = 2\n[target.b.env]\nA = []\n";
    let Err(Error::Taskfile(problems)) = parse("T", text.as_bytes()) else { panic!("wrong") };
    let lines: Vec<usize> =
        problems.iter().map(|problem| problem.place.as_ref().map_or(0, Place::line)).collect();
    assert_eq!(lines, [2, 4, 6, 8]);
}

/// A field of the table that nobody reads would be taken, and mean nothing; one that is read as
/// another would be worse. Each example changes what is read, and no two in the same way.
#[test]
fn each_field_of_a_target_is_read_as_itself() {
    let read = |line: &str| {
        let text = format!("[target.x]\nrun = \"x\"\n[template.rust]\n[template.t]\n{line}\n");
        let file = parse("Taskfile.toml", text.as_bytes()).expect(line);
        let mut fields = file.reuse.templates["t"].fields.clone();
        fields.keys.clear();
        let text = format!("{fields:?}");
        // What of it differs from nothing, but for places.
        let known = |c: char| c.is_ascii_alphabetic() || c == '_';
        text.split(|c| !known(c)).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let nothing = read("");
    let mut seen: Vec<(&str, String)> = Vec::new();
    for field in FIELDS {
        let fields = read(field.example);
        assert_ne!(fields, nothing, "{}", field.example);
        let same = seen.iter().find(|(_, other)| *other == fields);
        assert!(same.is_none(), "{} is read as {}", field.name, same.map_or("", |one| one.0));
        seen.push((field.name, fields));
    }
}
