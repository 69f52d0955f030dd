//! Completion: what taskr offers to a shell, in a real bash and over the wire for the others. And
//! the manual page.

use std::process::Command;

use crate::project::{Live, Output, Project};

const TASKFILE: &str = r#"
[vars]
colour = "red"
[target.page]
doc = "One page for each post"
foreach = ["?posts/*.md"]
run = "ran page"
[target.paint]
vars = { brush = "thin" }
run  = "ran paint"
[target.secret]
private = true
run     = "ran secret"
[target.clean]
run = "ran clean"
"#;

/// Types a line into a bash that has the script, and presses the key. What may stand there.
const PRESS: &str = r#"
eval "$(taskr completions bash)"
[[ $COMP_WORDBREAKS != *[@:]* ]] || exit 8
complete -p taskr | grep -q _clap_complete_taskr || exit 9
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
read -ra COMP_WORDS <<< "$LINE"
[[ $LINE == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_clap_complete_taskr taskr "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn bash(p: &Project, line: &str) -> String {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", PRESS]).current_dir(p.root());
    p.clear_environment(&mut bash);
    let output = Live::start(bash.env("LINE", line)).wait();
    assert!(output.status.success(), "{line}: {output}");
    assert_eq!(output.stderr, "", "{line}");
    output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn bash_completes() {
    let p = Project::new(TASKFILE);
    p.write("posts/a.md", "").write("posts/b.md", "");
    p.write("sub/Taskfile.toml", "[target.inner]\nrun = \"x\"\n").write("other.toml", TASKFILE);
    for (line, expected) in [
        ("taskr pa", "page paint"),
        ("taskr page pai", "paint"),
        ("taskr why ", "page paint clean"),
        ("taskr sec", ""),
        ("taskr page@", "page@posts/a.md page@posts/b.md"),
        ("taskr why page@posts/b", "page@posts/b.md"),
        ("taskr secret@", ""),
        ("taskr sta", "status stats"),
        ("taskr c", "check compare cache completions clean"),
        ("taskr -j pai", "paint"),
        ("taskr -j 4 pai", "paint"),
        ("taskr -C sub in", "init inner"),
        ("taskr -C su", "sub/"),
        ("taskr -f o", "other.toml"),
        ("taskr -f other.toml pai", "paint"),
        ("taskr --keep", "--keep-going"),
        ("taskr list --j", "--json"),
        ("taskr --output ", "grouped stream failed none"),
        ("taskr -D ", "brush= colour="),
        ("taskr completions po", "powershell"),
        ("taskr run pai", "paint"),
        ("taskr tool cl", "clean"),
        ("taskr tool w", "why watch"),
        ("taskr help w", "why watch"),
        ("taskr watch pai", "paint"),
        ("taskr watch --out", "--output"),
    ] {
        assert_eq!(bash(&p, line), expected, "{line}");
    }
    assert!(bash(&p, "taskr ").contains("page"), "targets at once");
    assert!(!bash(&p, "taskr ").contains("--"), "options only behind a `-`");
    assert!(!p.path(".taskr").exists(), "completion changes nothing");
    assert_eq!(p.take_ran(), [""; 0]);
}

#[test]
fn names_with_a_package_are_offered_to_who_has_begun_one() {
    let p = Project::new("include = ['p/*']\n[target]\ngen = 'x'\n");
    p.write("p/a/Taskfile.toml", "[target.build]\nforeach = ['x', 'y']\nrun = 'x'\n");
    p.write("p/b/Taskfile.toml", "[target]\nbuild = 'x'\ntest = 'x'\n");
    for (line, expected) in [
        ("taskr g", "graph gen"),
        ("taskr b", ""),
        ("taskr :", ":build :gen :test"),
        ("taskr //", "//:gen //p/a:build //p/b:build //p/b:test"),
        ("taskr why //p/b:t", "//p/b:test"),
        ("taskr //p/a:build@", "//p/a:build@x //p/a:build@y"),
        ("taskr -C p/a b", "build"),
        ("taskr -C p/a build@", "build@x build@y"),
    ] {
        assert_eq!(bash(&p, line), expected, "{line}");
    }
}

/// What a shell's script asks. Each says in its own way where the cursor is.
fn asked(p: &Project, shell: &str, words: &[&str]) -> Output {
    let mut command = p.command(&p.root(), ["--"].iter().chain(words));
    let index = (words.len() - 1).to_string();
    command.env("TASKR_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", index);
    Live::start(command.env("_CLAP_IFS", "\n")).wait()
}

#[test]
fn every_shell_gets_its_answer() {
    let p = Project::new(TASKFILE);
    let doc = "One page for each post";
    for (shell, expected) in [
        ("bash", "page\npaint".to_owned()),
        ("elvish", "page\npaint".to_owned()),
        ("zsh", format!("page:{doc}\npaint")),
        ("fish", format!("page\t{doc}\npaint\n")),
        ("powershell", format!("page\t{doc}\npaint\n")),
    ] {
        p.taskr(["completions", shell]).says("TASKR_COMPLETE").says("taskr").ok();
        let output = asked(&p, shell, &["taskr", "pa"]);
        assert_eq!(output.stdout, expected, "{shell}");
        assert_eq!(output.stderr, "", "{shell}");
        assert!(output.status.success(), "{shell}: {output}");
    }
}

#[test]
fn a_broken_taskfile_is_silent() {
    for text in ["[target.a\n", "", "default = 7\n"] {
        let p = Project::new(text);
        let output = asked(&p, "fish", &["taskr", "wh"]);
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("why\tSay why a task would run or last ran, down to the first cause\n", "")
        );
    }
    let p = Project::empty();
    assert_eq!(asked(&p, "fish", &["taskr", "page"]).stdout, "");
}

#[test]
fn shells_that_are_not_known() {
    let p = Project::empty();
    for (shell, help) in [
        ("bahs", "did you mean `taskr completions bash`?"),
        ("nonsense", "it knows bash, zsh, fish, powershell, elvish"),
    ] {
        p.taskr(["completions", shell])
            .says(format!("error: `{shell}` is no shell that taskr knows\nhelp: {help}\n"))
            .exits(2);
    }
    assert_eq!(asked(&p, "nonsense", &["taskr", "x"]).status.code(), Some(2));
}

#[test]
fn the_manual_page() {
    let p = Project::empty();
    let page = p.taskr(["man"]).ok().stdout;
    assert!(page.contains(".TH taskr 1"), "{page}");
    for head in ["NAME", "SYNOPSIS", "OPTIONS", "TOOLS", "ENVIRONMENT", "FILES", "EXIT STATUS"] {
        assert!(
            page.lines().any(|line| line.trim_end() == format!(".SH {head}")
                || line == format!(".SH \"{head}\"")),
            "{head}: {page}"
        );
    }
    let command = taskr::cli::command();
    for tool in command.get_subcommands() {
        assert!(page.contains(&format!(".SS \"taskr {}", tool.get_name())), "{page}");
    }
    // Read by the real formatter, where there is one.
    p.write("taskr.1", &page);
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tascii", "-ww", "-P-c", "taskr.1"]).current_dir(p.root());
    p.clear_environment(&mut groff);
    let Ok(output) = groff.output() else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    // Words alone: lines are justified, letters struck twice.
    let text = String::from_utf8_lossy(&output.stdout);
    let mut letters: Vec<char> = Vec::new();
    for letter in text.chars() {
        match letter {
            '\u{8}' => drop(letters.pop()),
            letter => letters.push(letter),
        }
    }
    let text = letters.into_iter().collect::<String>();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "--rehash Trust no time stamp: read everything",
        "--not Why it is not run",
        "NO_COLOR if it is set and not empty: no colours",
        "75 another taskr works here",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
