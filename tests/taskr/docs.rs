//! The examples, and every snippet of README.md and docs/.
//!
//! A fenced block of a page is one of these:
//!
//! | fence | what holds |
//! | --- | --- |
//! | `toml` | it is a Taskfile without an error of its own |
//! | `toml run` | the same, and it becomes the Taskfile of the page's folder |
//! | `sh run` | it succeeds there (`sh -eu`), and prints the text of each comment `# prints: TEXT`, in order |
//! | `yaml`, `json` | it can be read; what is for our own use is played by `precommit` and `ci` |
//! | `sh`, `make`, `just` | nothing: it is only shown |
//!
//! Blocks of a page run one after another in one folder, as a reader would type them. Between
//! `<!-- table: NAME -->` and `<!-- end -->` stands what [`table`] makes of the program's own
//! table; `TASKR_TEST_WRITE=1` writes it there.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use taskr::parse::{FIELDS, Field, INCLUDE, PACKAGE, PIPELINE, SETTINGS, TOP_LEVEL, parse};
use yaml_rust2::YamlLoader;

use crate::project::{Live, Project};

/// README.md, the guide and what stands beside the examples.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("bench/README.md")];
    for folder in ["docs", "examples"] {
        let mut waiting = vec![root.join(folder)];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one")) {
                let path = entry.path();
                if path.is_dir() {
                    waiting.push(path);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    pages.push(path);
                }
            }
        }
    }
    pages.sort();
    pages
}

/// A fenced block.
struct Block {
    /// Page and line.
    place: String,
    fence: String,
    text: String,
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).expect("a page");
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(_), true) => open = false,
            (Some(fence), false) => {
                let place = format!("{}:{}", page.display(), number + 1);
                blocks.push(Block { place, fence: fence.to_owned(), text: String::new() });
                open = true;
            }
            (None, true) => {
                let block = blocks.last_mut().expect("an open block");
                block.text += line;
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "{}: the last block has no end", page.display());
    blocks
}

/// All Taskfiles of the guide and of the examples, by where they are.
pub(crate) fn taskfiles() -> Vec<(String, String)> {
    let blocks = pages().into_iter().flat_map(|page| blocks(&page));
    let snippets = blocks.filter(|block| block.fence.starts_with("toml"));
    let mut all: Vec<(String, String)> = snippets.map(|block| (block.place, block.text)).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in fs::read_dir(root.join("examples")).expect("a folder").flatten() {
        let path = folder.path().join("Taskfile.toml");
        if let Ok(text) = fs::read_to_string(&path) {
            all.push((path.display().to_string(), text));
        }
    }
    all
}

#[test]
fn every_snippet_is_right() {
    let (mut taskfiles, mut sessions) = (0, 0);
    for page in pages() {
        let p = folder_of(&page);
        for block in blocks(&page) {
            match block.fence.as_str() {
                "toml" | "toml run" => {
                    taskfiles += 1;
                    if let Err(error) = parse(&block.place, block.text.as_bytes()) {
                        panic!("{}", taskr::error::render(&error, false, 100));
                    }
                    if block.fence == "toml run" {
                        p.write("Taskfile.toml", &block.text);
                    }
                }
                "sh run" => {
                    sessions += 1;
                    session(&p, &block);
                }
                "yaml" => {
                    let read = YamlLoader::load_from_str(&block.text);
                    assert!(read.is_ok_and(|read| read.len() == 1), "{}", block.place);
                }
                "json" => {
                    let read = serde_json::from_str::<Value>(&block.text);
                    read.unwrap_or_else(|error| panic!("{}: {error}", block.place));
                }
                "sh" | "make" | "just" => {}
                other => panic!("{}: a fence that nobody checks: {other:?}", block.place),
            }
        }
    }
    assert!(taskfiles >= 9 && sessions > 10, "{taskfiles} Taskfiles, {sessions} sessions");
}

/// Where a reader would sit: in a copy of the example, or in an empty folder.
fn folder_of(page: &Path) -> Project {
    let folder = page.parent().expect("a folder");
    match folder.join("Taskfile.toml").exists() && !folder.join("Cargo.toml").exists() {
        true => example(&folder.file_name().expect("a name").to_string_lossy()),
        false => Project::empty().with_store(),
    }
}

/// Types a block into a shell.
fn session(p: &Project, block: &Block) {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", &format!("exec 2>&1\n{}", block.text)]).current_dir(p.root());
    p.clear_environment(&mut shell);
    let output = Live::start(&mut shell).wait();
    assert!(output.status.success(), "{}: {output}", block.place);
    let mut rest = output.stdout.as_str();
    for (_, expected) in block.text.lines().filter_map(|line| line.split_once("# prints: ")) {
        let at = rest.find(expected);
        let at = at.unwrap_or_else(|| panic!("{}: no {expected:?} in {output}", block.place));
        rest = &rest[at + expected.len()..];
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap_or_default();
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.contains("://") {
                continue;
            }
            links += 1;
            let folder = page.parent().expect("a folder");
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            assert!(target.exists(), "{}: {link}", page.display());
            let heads = || fs::read_to_string(&target).unwrap_or_default();
            let found = anchor.is_empty() || heads().lines().any(|line| head(line) == anchor);
            assert!(found, "{}: {link}", page.display());
        }
    }
    assert!(links > 10, "{links}");
}

#[test]
fn the_book_has_every_page_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let book = fs::read_to_string(root.join("book.toml")).expect("a book");
    let book = book.parse::<toml::Table>().expect("TOML");
    assert_eq!(book["book"]["src"].as_str(), Some("docs"));
    let linked = |path: &str, before: &str| -> Vec<String> {
        let text = fs::read_to_string(root.join(path)).expect(path);
        let links =
            text.lines().filter_map(|line| line.strip_prefix("- [").or(line.strip_prefix("* [")));
        let links = links.filter_map(|line| line.split_once("](")?.1.split_once(')'));
        let names = links.filter_map(|(link, _)| link.strip_prefix(before));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    };
    let mut pages: Vec<String> = Vec::new();
    for entry in fs::read_dir(root.join("docs")).expect("a folder") {
        pages.push(entry.expect("an entry").file_name().into_string().expect("text"));
    }
    pages.retain(|name| name.ends_with(".md") && name != "SUMMARY.md");
    pages.sort();
    assert_eq!(linked("docs/SUMMARY.md", ""), pages, "docs/SUMMARY.md");
    assert_eq!(linked("README.md", "docs/"), pages, "README.md");
}

/// The anchor of a heading, as GitHub makes it.
fn head(line: &str) -> String {
    let Some(title) = line.strip_prefix('#') else { return String::new() };
    let title = title.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn the_reference_has_all_fields() {
    let taskfile = [
        ("TOP_LEVEL", TOP_LEVEL),
        ("SETTINGS", SETTINGS),
        ("FIELDS", FIELDS),
        ("PIPELINE", PIPELINE),
    ];
    has_tables("docs/taskfile.md", &taskfile);
    has_tables("docs/packages.md", &[("INCLUDE", INCLUDE), ("PACKAGE", PACKAGE)]);
}

/// Holds the tables of a page, in their order, against the program's.
fn has_tables(page: &str, tables: &[(&str, &[Field])]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&page).expect("a page");
    let mut right = String::new();
    let mut rest = text.as_str();
    for (name, fields) in tables {
        let mark = format!("<!-- table: {name} -->\n");
        let (before, after) = rest.split_once(&mark).unwrap_or_else(|| panic!("no {mark}"));
        let (_, after) = after.split_once("<!-- end -->\n").expect("an end");
        let _ = writeln!(right, "{before}{mark}{}<!-- end -->", table(fields));
        rest = after;
    }
    right += rest;
    if std::env::var_os("TASKR_TEST_WRITE").is_some() {
        fs::write(&page, &right).expect("a page");
    }
    assert!(text == right, "the tables differ from the program's: run with TASKR_TEST_WRITE=1");
}

/// A page of all fields, made of the parser's table alone.
#[test]
fn the_reference_page_is_the_parsers_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let text = fs::read_to_string(&page).unwrap_or_default();
    let mut right = REFERENCE.to_owned();
    for (title, about, fields) in [
        ("Keys of the file", "At the top of the file, above all tables.", TOP_LEVEL),
        ("[taskr]", "Settings of the file.", SETTINGS),
        ("An entry of `include`", "In a table of the list `include`.", INCLUDE),
        ("[package]", "What a package is and depends on.", PACKAGE),
        ("Fields of a target", "In `[target.NAME]`.", FIELDS),
    ] {
        let _ = writeln!(right, "\n## {title}\n\n{about}");
        for field in fields {
            let (name, asks) = (field.name, field.kind.asks());
            let _ = writeln!(right, "\n### `{name}`\n\n{}.\n", field.doc);
            let _ = writeln!(right, "* value: {asks}\n* in the key: {}", field.in_key);
            let _ = writeln!(right, "* as in: `{}`", field.example);
        }
    }
    if std::env::var_os("TASKR_TEST_WRITE").is_some() {
        fs::write(&page, &right).expect("a page");
    }
    assert!(text == right, "the page differs from the table: run with TASKR_TEST_WRITE=1");
}

const REFERENCE: &str = "\
# All fields

What this version of taskr reads, field by field; `taskr schema` has the same for programs. \
[The Taskfile](taskfile.md) explains how they work together. \"In the key\" says whether a change \
of the field runs the task again.
";

/// What is read, as a table.
fn table(fields: &[Field]) -> String {
    let mut text = "| field | in key | meaning | example |\n| --- | --- | --- | --- |\n".to_owned();
    for field in fields {
        let (name, asks) = (field.name, field.kind.asks());
        let _ = writeln!(
            text,
            "| `{name}`: {asks} | {} | {} | `{}` |",
            field.in_key, field.doc, field.example
        );
    }
    text
}

#[test]
fn the_command_line_has_all_options() {
    let p = Project::empty();
    let help = p.taskr(["--help"]).env("COLUMNS", "100").ok().stdout;
    let command = taskr::cli::command();
    let mut right = String::new();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md");
    let text = fs::read_to_string(&page).expect("a page");
    let mut rest = text.as_str();
    for (name, table) in [
        ("OPTIONS", options(&command)),
        ("TOOLS", tools(&command)),
        ("Environment", section(&help, "Environment")),
        ("Exit codes", section(&help, "Exit codes")),
    ] {
        let mark = format!("<!-- table: {name} -->\n");
        let (before, after) = rest.split_once(&mark).unwrap_or_else(|| panic!("no {mark}"));
        let (_, after) = after.split_once("<!-- end -->\n").expect("an end");
        let _ = writeln!(right, "{before}{mark}{table}<!-- end -->");
        rest = after;
    }
    right += rest;
    if std::env::var_os("TASKR_TEST_WRITE").is_some() {
        fs::write(&page, &right).expect("a page");
    }
    assert!(text == right, "the tables differ from the program's: run with TASKR_TEST_WRITE=1");
}

/// The options of a command as a table.
fn options(command: &clap::Command) -> String {
    let mut text = "| option | what it does |\n| --- | --- |\n".to_owned();
    for option in command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional()) {
        let _ = writeln!(text, "| {} | {} |", words_of(option), meaning(option));
    }
    text
}

/// `-j`, `--jobs N`.
fn words_of(option: &clap::Arg) -> String {
    let short = option.get_short().map(|letter| format!("`-{letter}`, ")).unwrap_or_default();
    let value = match option.get_value_names() {
        Some([name]) if option.is_require_equals_set() => format!("[={name}]"),
        Some([name]) if option.get_action().takes_values() => format!(" {name}"),
        _ => String::new(),
    };
    format!("{short}`--{}{value}`", option.get_long().expect("a long name"))
}

/// What its help says, in one line.
fn meaning(option: &clap::Arg) -> String {
    let text = option.get_long_help().or(option.get_help()).expect("help").to_string();
    let sentences = text.split("\n\n").map(|part| part.trim_end_matches('.'));
    sentences.collect::<Vec<_>>().join(". ").replace('\n', " ").replace('|', "\\|")
}

/// Each tool and the options that only tools have.
fn tools(command: &clap::Command) -> String {
    let mut text = "| tool | what it does | its own options |\n| --- | --- | --- |\n".to_owned();
    for tool in command.get_subcommands() {
        let about = tool.get_about().expect("a line");
        let usage = tool.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").replace(" [OPTIONS]", "");
        let common = |id: &str| ["directory", "file", "defines", "color", "profiles"].contains(&id);
        let own = tool.get_arguments().filter(|arg| {
            !arg.is_hide_set() && !arg.is_positional() && !common(arg.get_id().as_str())
        });
        let own: Vec<String> =
            own.map(|option| format!("{}: {}", words_of(option), meaning(option))).collect();
        let _ = writeln!(text, "| `{}` | {about} | {} |", usage.trim(), own.join("; "));
    }
    text
}

/// A part of the help, which has a term and its meaning in each line, as a table.
fn section(help: &str, title: &str) -> String {
    let (_, rows) = help.split_once(&format!("\n{title}:\n")).expect("a part of the help");
    let mut text = "| | |\n| --- | --- |\n".to_owned();
    for row in rows.lines().take_while(|row| !row.is_empty()) {
        let (term, meaning) = row.trim().split_once("  ").expect("a term and its meaning");
        let terms: Vec<String> = term.split(", ").map(|term| format!("`{term}`")).collect();
        let _ = writeln!(text, "| {} | {} |", terms.join(", "), meaning.trim());
    }
    text
}

/// A copy of an example, to be changed and built.
pub(crate) fn example(name: &str) -> Project {
    let p = Project::empty();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(from.join(&folder)).expect("an example") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            let made_here =
                ["bin/app", "bin/shapes", "build", "gen", "generated", ".taskr", "report.txt"];
            match entry.path().is_dir() {
                _ if made_here.iter().any(|made| path == Path::new(made)) => {}
                true => waiting.push(path),
                false => {
                    p.write(&path, &fs::read_to_string(entry.path()).expect("text"));
                }
            }
        }
    }
    p
}

/// Builds what the Taskfile says first. Names of the tasks that ran, sorted.
#[track_caller]
fn build(p: &Project, args: &[&str], code: i32) -> Vec<String> {
    let events = p.outside("events");
    let option = format!("--events={}", events.display());
    let words = args.iter().map(|word| (*word).to_owned()).chain([option]);
    p.taskr(words).any_files().exits(code);
    let text = fs::read_to_string(&events).expect("events");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let mut ran = Vec::new();
    let mut ends = 0;
    for event in events {
        match event["event"].as_str() {
            Some("task_started") => ran.push(event["task"].as_str().expect("a name").to_owned()),
            Some("run_finished") => ends += 1,
            _ => {}
        }
    }
    assert_eq!(ends, 1, "{text}");
    ran.sort();
    ran
}

#[test]
fn example_c_project() {
    let p = example("c-project");
    let objects = ["obj@src/main.c", "obj@src/rectangle.c", "obj@src/square.c"];
    let all = [&["app"], &objects[..], &["test", "version"]].concat();
    assert_eq!(build(&p, &["-j2"], 0), all);
    assert!(p.path("bin/shapes").exists());
    assert_eq!(build(&p, &[], 0), [""; 0]);
    // A comment behind a line of a header: all three read it, and give the same objects.
    p.write("src/shapes.h", &p.read("src/shapes.h").replacen(";\n", "; // in metres\n", 1));
    assert_eq!(build(&p, &[], 0), objects);
    p.write("src/rectangle.c", &p.read("src/rectangle.c").replace('*', "+"));
    assert_eq!(build(&p, &[], 1), ["app", "obj@src/rectangle.c", "test"]);
    assert_eq!(build(&p, &["-D", "version=2.0", "app"], 0), ["app", "obj@src/main.c", "version"]);
    assert_eq!(p.read("gen/version.h"), "#define VERSION \"2.0\"\n");
}

#[test]
fn example_w1() {
    let p = example("w1");
    let three = ["design-review", "security-hardening", "test-framework"];
    let files = ["files@part=one", "files@part=three", "files@part=two"];
    let report = "material/design/retries.md: no decision\nmaterial/modules/twice.sh: no test\n\
                  material/config/mail.ini: tls is off\n3 findings\n";
    let mut all = [&three[..], &files, &["report"]].concat();
    all.sort_unstable();
    assert_eq!(build(&p, &["-j3"], 0), all);
    assert_eq!(p.read("report.txt"), report);
    assert_eq!(p.read("generated/two.txt"), "part two\n");
    assert_eq!(build(&p, &[], 0), [""; 0]);
    for name in three {
        let result = p.read(format!(".taskr/tasks/{name}/result.json"));
        let result: Value = serde_json::from_str(&result).expect("JSON");
        assert_eq!(result["task"], name);
        assert_eq!(result["exit_code"], 0);
        assert!(result["duration_ms"].as_u64() >= Some(150), "{result}");
        assert!(p.path(format!(".taskr/tasks/{name}/log")).exists());
    }
    // A serial run from nothing gives the same.
    p.taskr(["clean"]).any_files().ok();
    assert!(!p.path("report.txt").exists());
    assert_eq!(build(&p, &["-j1", "-D", "nap=0"], 0), all);
    assert_eq!(p.read("report.txt"), report);
    // One failure stops no other, and yet the run fails.
    p.write("material/config/mail.ini", "password = hunter2\n");
    let forced = build(&p, &["-k", "-B"], 1);
    assert_eq!(forced, all.iter().copied().filter(|name| *name != "report").collect::<Vec<_>>());
    assert!(p.read(".taskr/tasks/security-hardening/log").contains("mail.ini:1:password"));
}

#[test]
fn example_codegen() {
    let p = example("codegen");
    let tasks = |table: &str| {
        [format!("format@build/raw/{table}.h"), format!("generate@schema/{table}.txt")]
    };
    let [user, session] = [tasks("user"), tasks("session")];
    let check = ["check".to_owned()];
    let mut all = [&check[..], &session, &user].concat();
    all.sort();
    assert_eq!(build(&p, &[], 0), all);
    let header = "struct user {\n    long   id;\n    char * name;\n    int    admin;\n};\n";
    assert_eq!(p.read("gen/user.h"), header);
    assert_eq!(build(&p, &[], 0), [""; 0]);
    p.write("schema/user.txt", &p.read("schema/user.txt").replace("Who", "Those who"));
    assert_eq!(build(&p, &[], 0), [user[1].clone()]);
    p.write("schema/user.txt", &format!("{}email char *\n", p.read("schema/user.txt")));
    assert_eq!(build(&p, &[], 0), [&check[..], &user].concat());
    assert!(p.read("gen/user.h").contains("    char * email;\n"));
    // What was made of a table goes with it, step by step.
    p.remove("schema/session.txt");
    assert_eq!(build(&p, &[], 0), check);
    assert!(!p.path("build/raw/session.h").exists() && !p.path("gen/session.h").exists());
}
