//! The Taskfile that is not there, is no file, is too large, is somebody else's; and where one
//! stands.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{SMALL, refused, sh, sh_as_nobody};
use crate::project::{Output, Project};

const FIRST_ONE: &str = "

      [target.hello]
      outputs = [\"hello.txt\"]
      run = \"echo hello > {{ outputs }}\"

      then run `taskr hello`";

#[test]
fn a_missing_taskfile() {
    for (present, help) in [
        ("", "make one with `taskr init`, or by hand, as in:"),
        ("taskfile.toml", "there is `taskfile.toml`: `mv taskfile.toml Taskfile.toml`"),
        ("Takfile.toml", "there is `Takfile.toml`: `mv Takfile.toml Taskfile.toml`"),
        ("Taskfile", "there is `Taskfile`: `mv Taskfile Taskfile.toml`"),
        (
            "Taskfile.yml",
            "`Taskfile.yml` is for Task, and taskr does not read it; make a Taskfile.toml with `taskr init`, or by hand, as in:",
        ),
        (
            "Makefile",
            "`Makefile` is for make, and taskr does not read it; make a Taskfile.toml with `taskr init`, or by hand, as in:",
        ),
        (
            "justfile",
            "`justfile` is for just, and taskr does not read it; make a Taskfile.toml with `taskr init`, or by hand, as in:",
        ),
    ] {
        let p = Project::empty();
        if !present.is_empty() {
            p.write(present, SMALL);
        }
        let example = if help.ends_with(':') { FIRST_ONE } else { "" };
        let text =
            format!("error: there is no Taskfile.toml in WS or above it\nhelp: {help}{example}");
        for tool in ["", "a", "list", "why a", "log a", "clean"] {
            refused(&p, &sh(&p, "", &format!("taskr {tool}")), 2, &text);
        }
    }
}

/// Something else has its name.
#[test]
fn no_file_but_something_else() {
    let p = Project::empty();
    let path = p.path("Taskfile.toml");
    fs::create_dir(&path).expect("a folder");
    let help = format!(
        "help: rename the folder; make one with `taskr init`, or by hand, as in:{FIRST_ONE}"
    );
    let text = format!("error: WS/Taskfile.toml is a folder\n{help}");
    refused(&p, &sh(&p, "", "taskr a"), 2, &text);
    refused(&p, &sh(&p, "", "taskr -f Taskfile.toml a"), 2, &text);
    fs::remove_dir(&path).expect("it is there");

    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    let text = "error: WS/Taskfile.toml is a pipe\nhelp: a Taskfile is a file: write it to one";
    refused(&p, &sh(&p, "", "taskr a"), 2, text);
    refused(&p, &sh(&p, "", "taskr -f Taskfile.toml a"), 2, text);
    fs::remove_file(&path).expect("it is there");

    symlink("nowhere", &path).expect("a link");
    let text = "error: WS/Taskfile.toml is a link to nowhere, which does not exist\n\
                help: make what it leads to, or remove the link";
    refused(&p, &sh(&p, "", "taskr a"), 2, text);
    fs::remove_file(&path).expect("it is there");

    symlink("Taskfile.toml", &path).expect("a link");
    let output = sh(&p, "", "taskr a");
    assert!(output.stderr.starts_with("error: cannot read "), "{output}");
    assert_eq!(output.status.code(), Some(2), "{output}");
    fs::remove_file(&path).expect("it is there");

    let device = "error: /dev/zero is a device\nhelp: a Taskfile is a file: write it to one";
    refused(&p, &sh(&p, "", "taskr -f /dev/zero a"), 2, device);
    p.write("sub/Taskfile.toml", SMALL);
    let folder = "error: WS/sub is a folder\nhelp: write `-f WS/sub/Taskfile.toml`, or `-C WS/sub`";
    refused(&p, &sh(&p, "", "taskr -f sub a"), 2, folder);
}

#[test]
fn an_unreadable_taskfile() {
    let p = Project::new(SMALL);
    p.chmod("Taskfile.toml", 0);
    let output = sh_as_nobody(&p, "", "! test -r Taskfile.toml || exit 99; taskr a");
    assert_eq!(output.status.code(), Some(2), "{output}");
    assert!(output.stderr.contains("cannot read "), "{output}");
    assert!(output.stderr.contains("Taskfile.toml: Permission denied"), "{output}");
    p.chmod("Taskfile.toml", 0o644);
}

#[test]
fn odd_bytes() {
    let p = Project::empty();
    let write = |bytes: &[u8]| fs::write(p.path("Taskfile.toml"), bytes).expect("a file");
    write(b"");
    let output = sh(&p, "", "taskr a");
    assert!(output.stderr.starts_with("error: Taskfile.toml has no targets\nhelp: "), "{output}");
    assert_eq!(output.status.code(), Some(2), "{output}");
    write(b"[target.a]\n# caf\xe9\nrun = \"x\"\n");
    let text = "error: Taskfile.toml is not UTF-8: byte 16 is 0xE9\n --> Taskfile.toml:2:6\n  |\n\
                2 | # caf\u{fffd}\n  |      ^\n  |\n  = help: save the file as UTF-8";
    refused(&p, &sh(&p, "", "taskr a"), 2, text);
    write(b"\xef\xbb\xbf[target.a]\r\nrun = \"ran a\"\r\n");
    let output = sh(&p, "", "taskr a");
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["a"], "a mark and CRLF are nothing special");
}

#[test]
fn large_files() {
    let p = Project::empty();
    let comments = "# a line that says nothing at all, again and again and again\n";
    p.write("Taskfile.toml", &format!("{SMALL}{}", comments.repeat((10 << 20) / comments.len())));
    let began = Instant::now();
    let output = sh(&p, "", "taskr a");
    assert!(output.status.success(), "{output}");
    assert_eq!(p.take_ran(), ["a"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let text = "error: Taskfile.toml is larger than 64 MiB, the most that taskr reads\n\
                help: a target with `foreach` or `matrix` says in a few lines what thousands say";
    // 8 TiB would not fit into memory: it is not read.
    for size in [(64 << 20) + 1, 8 << 40] {
        let file = fs::File::create(p.path("Taskfile.toml")).expect("a file");
        file.set_len(size).expect("a sparse file");
        refused(&p, &sh(&p, "", "taskr a"), 2, text);
    }
}

#[test]
fn nested_ten_thousand_deep() {
    let p = Project::empty();
    let many = |text: &str| text.repeat(10_000);
    let (open, close) = (many("["), many("]"));
    for text in [
        format!("x = {open}{close}\n"),
        format!("[target.a]\nrun = 'x'\ninputs = {}1{}\n", many("{a = "), many("}")),
        format!("[{}b]\nrun = 'x'\n", many("a.")),
        format!("[target.a]\nrun = \"{{{{ {}1{} }}}}\"\n", many("("), many(")")),
        format!("[target.a]\nrun = \"{{{{ {}1 }}}}\"\n", many("not ")),
        format!("[target.a]\ninputs = [\"{}b{}\"]\nrun = 'x'\n", many("{a,"), many("}")),
        format!("[target.a]\nrun = \"{}\"\n", many("$(")),
    ] {
        p.write("Taskfile.toml", &text);
        let output = sh(&p, "", "taskr -n a");
        let code = if text.contains("$(") { 0 } else { 2 };
        assert_eq!(output.status.code(), Some(code), "{} {output}", &text[..60]);
        assert!(output.stderr.len() < 2000, "{output}");
    }
}

/// Who owns a Taskfile that is found above decides whether its commands run.
#[test]
fn the_taskfile_of_a_stranger() {
    let p = Project::new(SMALL);
    p.write("sub/file", "");
    let taskfile = p.path("Taskfile.toml");
    if chown(&taskfile, Some(4321), None).is_err() {
        eprintln!("SKIPPED: only root can give a file away");
        return;
    }
    fs::set_permissions(p.outside("."), Permissions::from_mode(0o777)).expect("a mode");
    fs::set_permissions(p.root(), Permissions::from_mode(0o777)).expect("a mode");
    let text = "error: WS/Taskfile.toml belongs to another user (uid 4321): its commands are not run\n\
                help: if you trust it, name it: `taskr -f WS/Taskfile.toml`";
    for tool in ["a", "-n a", "list", "why a"] {
        refused(&p, &sh_as_nobody(&p, "sub", &format!("taskr {tool}")), 2, text);
        refused(&p, &sh(&p, "sub", &format!("taskr {tool}")), 2, text);
        refused(&p, &sh(&p, "", &format!("taskr -C sub {tool}")), 2, text);
    }
    // Only root is believed who called sudo.
    refused(&p, &sh_as_nobody(&p, "sub", "SUDO_UID=4321 taskr a"), 2, text);
    refused(&p, &sh(&p, "sub", "SUDO_UID=12 taskr a"), 2, text);
    let ran = |output: &Output| {
        assert!(output.status.success(), "{output}");
        assert_eq!(p.take_ran(), ["a"], "{output}");
    };
    ran(&sh_as_nobody(&p, "sub", "taskr -f ../Taskfile.toml a"));
    fs::remove_dir_all(p.path(".taskr")).expect("it is there");
    ran(&sh(&p, "sub", "SUDO_UID=4321 taskr a"));
    ran(&sh(&p, "", "taskr a"));
    // A link of a stranger to a file that is one's own.
    chown(&taskfile, Some(0), None).expect("root may");
    ran(&sh(&p, "sub", "taskr a"));
    fs::rename(&taskfile, p.path("own.toml")).expect("it is there");
    symlink("own.toml", &taskfile).expect("a link");
    std::os::unix::fs::lchown(&taskfile, Some(4321), None).expect("root may");
    refused(&p, &sh(&p, "sub", "taskr a"), 2, text);
}

#[test]
fn numbers_of_jobs() {
    let p = Project::new(SMALL);
    for (typed, word) in [
        ("-j0", "0"),
        ("-jx", "x"),
        ("-j -1", "-1"),
        ("-j-1", "-1"),
        ("-j 99999999999", "99999999999"),
        ("-j 1.5", "1.5"),
        ("--jobs=", ""),
    ] {
        let output = sh(&p, "", &format!("taskr {typed} a"));
        let text = format!(
            "error: -j takes a number from 1, a part such as 50%, or auto, not `{word}`\nhelp: this machine has "
        );
        assert!(output.stderr.starts_with(&text), "{output}");
        assert_eq!((output.status.code(), output.stderr.lines().count()), (Some(2), 2), "{output}");
    }
}

/// Whoever stands in a folder that is gone gets the same answer from each tool.
#[test]
fn a_folder_that_is_gone() {
    let p = Project::new(SMALL);
    let text = "error: the folder that taskr was started in does not exist any more\n\
                help: `cd` to one that does, or name one: `taskr -C /path/to/folder`";
    for tool in
        ["", "a", "-n a", "-C .. a", "-f ../Taskfile.toml a", "list", "why a", "log a", "clean"]
    {
        let script = format!("mkdir gone; cd gone; rmdir ../gone; taskr {tool}");
        refused(&p, &sh(&p, "", &script), 2, text);
    }
    for about in ["--help", "--version"] {
        let output = sh(&p, "", &format!("mkdir gone; cd gone; rmdir ../gone; taskr {about}"));
        assert!(output.status.success(), "{output}");
    }
    let script = format!("mkdir gone; cd gone; rmdir ../gone; taskr -C {} a", p.root().display());
    let output = sh(&p, "", &script);
    assert!(output.status.success() && p.take_ran() == ["a"], "{output}");
    let near = sh(&p, "", "mkdir folder; taskr -C foldr a");
    refused(&p, &near, 2, "error: there is no folder foldr\nhelp: did you mean `folder`?");
    let near = sh(&p, "", "taskr -f Taskfil.toml a");
    let text = "error: there is no file WS/Taskfil.toml\nhelp: did you mean `Taskfile.toml`?";
    refused(&p, &near, 2, text);
    assert!(!p.path("gone").exists());
}
