//! Words on the command line that are wrong: one message that says what to write. And what the
//! help says.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::project::Project;

const SITE: &str = r#"
default = ["site"]
[vars]
site = "mine"
[target.page]
foreach = ["posts/*.md"]
outputs = ["public/{{ item.stem }}.html"]
run     = "ran page; cat {{ item }} > {{ outputs }}"
[target.site]
inputs  = ["@page"]
outputs = ["site.txt"]
run     = "ran site; cat {{ inputs }} > {{ outputs }}"
[target.secret]
private = true
outputs = ["key"]
run     = "ran secret; echo > {{ outputs }}"
"#;

fn site() -> Project {
    let p = Project::new(SITE);
    p.write("posts/new.md", "new\n").write("posts/old.md", "old\n").write("NOTES", "");
    p
}

/// Each is refused with exactly this; nothing runs, nothing changes.
#[track_caller]
fn refused(p: &Project, args: &str, error: &str, help: &str) {
    let output = p.taskr(args.split(' ')).stdout("").exits(2);
    assert_eq!(output.stderr, format!("error: {error}\nhelp: {help}\n"), "taskr {args}");
}

#[test]
fn names_that_no_target_has() {
    let p = site();
    let list = "`taskr list` shows all targets";
    for (args, name, help) in [
        ("public/new.html", "public/new.html", "it is made by `page@posts/new.md`: name that task"),
        ("why ./site.txt", "./site.txt", "it is made by `site`: name that task"),
        ("key", "key", "it is made by `secret`, which is private"),
        (
            "posts/new.md",
            "posts/new.md",
            "it is a source, read by `page@posts/new.md`: name what is made of it",
        ),
        ("NOTES", "NOTES", "no task makes or reads this file; `taskr list` shows all targets"),
        ("site=yours site", "site=yours", "a variable is set by `-D site=yours`"),
        ("stie", "stie", "did you mean `site`?"),
        ("@site", "@site", "write `site`; `@` stands before a name only in `inputs`"),
        ("page:posts/new.md", "page:posts/new.md", "did you mean `page@posts/new.md`?"),
        ("page/posts/new.md", "page/posts/new.md", "did you mean `page@posts/new.md`?"),
        ("site/x", "site/x", "did you mean `site`?"),
        ("all", "all", "`taskr` without a name builds what `default` names"),
        ("lits", "lits", "did you mean `list`?"),
        ("pgae@posts/new.md", "pgae@posts/new.md", "did you mean `page@posts/new.md`?"),
        ("--keep-going 3", "3", "a number stands at its option: `-j4`, `--keep-going=4`"),
        ("nonsense", "nonsense", list),
        ("log nonsense", "nonsense", list),
        ("clean nonsense", "nonsense", list),
    ] {
        refused(&p, args, &format!("there is no target `{name}`"), help);
    }
    let all = "All are `'page@*'`";
    for (item, help) in [
        ("new.md", format!("did you mean `page@posts/new.md`? {all}")),
        ("posts/odl.md", format!("did you mean `page@posts/old.md`? {all}")),
        ("else", "all its tasks are `page`; one is `page@posts/new.md`".to_owned()),
    ] {
        refused(&p, &format!("page@{item}"), &format!("there is no task `page@{item}`"), &help);
    }
    refused(
        &p,
        "site@x",
        "there is no task `site@x`",
        "`site` is one task, without items: write `site`",
    );
}

/// Nobody typed it: the place is that in the Taskfile.
#[test]
fn a_wrong_default_shows_its_line() {
    let p = Project::new("default = [\"ap\"]\n[target.app]\nrun = \"true\"");
    let output = p.taskr([""; 0]).says("did you mean `app`?").exits(2);
    let place = "error: there is no target `ap`\n --> Taskfile.toml:1:12\n";
    assert!(output.stderr.starts_with(place), "{}", output.stderr);
}

/// As make does: a path is meant in the folder where it is typed.
#[test]
fn a_file_is_named_from_where_one_stands() {
    let p = site();
    let says = "it is made by `page@posts/new.md`";
    p.write("public/x", "");
    p.taskr(["new.html"]).within("public").says(says).exits(2);
    p.taskr(["../public/new.html"]).within("posts").says(says).exits(2);
}

#[test]
fn variables_that_are_not_there() {
    let p = site();
    for (name, help) in [("sit", "did you mean `site`?"), ("zzzz", "it has `site`")] {
        let error = format!("-D {name}: the Taskfile has no variable `{name}`");
        refused(&p, &format!("-D {name}=1"), &error, help);
    }
    refused(&p, "-D site", "-D takes NAME=VALUE, not `site`", "write -D site=…");
}

/// Options of other tools, and taskr's own where they do not belong.
#[test]
fn options_that_are_not_there() {
    let p = site();
    for (args, option, help) in [
        ("--list", "--list", "`taskr list` lists the targets"),
        ("-s site", "-s", "`-q` shows only failures and warnings"),
        ("-y", "-y", "taskr asks nothing: leave it away"),
        ("--watch", "--watch", "watching is a tool: write `taskr watch` before the targets"),
        ("-i", "-i", "`-k` goes on after a failure"),
        ("--junit", "--junit", "it is planned; this version does not have it"),
        ("--load 3", "--load", "`-l LOAD` (`--load-average`) starts nothing above that load"),
        ("--init", "--init", "`taskr init` writes a first Taskfile"),
        ("-I", "-I", "`taskr init` writes a first Taskfile"),
        ("--no-cache", "--no-cache", "`-B` runs all of it; `--cache off` leaves the store out"),
        ("--jbos 3", "--jbos", "did you mean `--jobs`?"),
        ("-dry-run", "-d", "did you mean `--dry-run`?"),
        ("--not site", "--not", "it is an option of `taskr why`"),
        ("--nonsense", "--nonsense", "`taskr --help` lists all options"),
    ] {
        refused(&p, args, &format!("there is no option `{option}`"), help);
    }
    for (args, error, help) in [
        (
            "-q why site",
            "`-q` is an option of builds; `taskr why` does not take it",
            "write `taskr why site`",
        ),
        (
            "list --dry-run",
            "`--dry-run` is an option of builds; `taskr list` does not take it",
            "write `taskr list`",
        ),
        (
            "list --width",
            "`taskr list` has no option `--width`",
            "`taskr list --help` lists all options",
        ),
        ("list site", "`taskr list` takes no `site`", "write `taskr list [OPTIONS]`"),
        ("completions", "`<SHELL>` is missing", "write `taskr completions SHELL`"),
        ("tool lsit", "there is no tool `lsit`", "did you mean `list`?"),
    ] {
        refused(&p, args, error, help);
    }
}

#[test]
fn values_that_do_not_fit() {
    let p = site();
    let modes = "grouped, stream, failed or none";
    for (args, error, help) in [
        ("--output", format!("`--output` needs {modes}"), "write `--output grouped`"),
        (
            "--output gruoped",
            format!("`--output` takes {modes}, not `gruoped`"),
            "did you mean `--output grouped`?",
        ),
        ("-k=x", "`--keep-going` takes a number, not `x`".to_owned(), "write `--keep-going=3`"),
        ("--quiet=3", "`--quiet` takes no value".to_owned(), "write `--quiet`"),
        ("-qv", "`--quiet` and `--verbose` exclude each other".to_owned(), "leave `--quiet` away"),
        ("site -f", "`--file` needs FILE".to_owned(), "write `--file FILE`"),
        (
            "-l",
            "`--load-average` needs LOAD".to_owned(),
            "write `-l 3`; `taskr list` lists the targets",
        ),
    ] {
        refused(&p, args, &error, help);
    }
}

#[test]
fn an_argument_that_is_no_text_is_named() {
    let p = site();
    let word = OsString::from_vec(b"caf\xe9".to_vec());
    p.taskr([word]).says("error: `caf\\xe9` is not UTF-8").says("help: ").exits(2);
}

/// Of two values the last counts, as in make: aliases need it.
#[test]
fn options_may_be_repeated() {
    let p = site();
    let made = p.taskr(["-n", "-n", "-j1", "-j2", "--color=always", "--color=never", "site"]);
    let output = made.says("would run").ok();
    assert!(!output.stdout.contains('\u{1b}'), "{output}");
}

#[test]
fn keep_going_takes_its_number_behind_a_sign() {
    let p = Project::new(
        "[target.t]\nmatrix = { n = [\"1\", \"2\", \"3\"] }\nrun = \"ran {{ matrix.n }}; exit 1\"\n",
    );
    for (option, runs) in [("-k", 3), ("-k=2", 2), ("--keep-going=2", 2), ("--keep-going", 3)] {
        p.taskr(["-j1", option, "t"]).any_ran().exits(1);
        let output = p.taskr(["-j1", option, "t"]).ran((1..=runs).map(|n| n.to_string()));
        output.exits(1);
    }
}

#[test]
fn the_short_help_fits_a_screen() {
    let p = Project::empty();
    for args in [&["-h"][..], &["list", "-h"], &["why", "-h"], &["clean", "-h"]] {
        let output = p.taskr(args).env("COLUMNS", "80").says("Usage: taskr").ok();
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert!(lines.len() <= 24, "{} lines: {output}", lines.len());
        let wide = lines.iter().map(|line| line.chars().count()).max();
        assert!(wide <= Some(80), "{wide:?} columns: {output}");
    }
}

#[test]
fn the_long_help_tells_all() {
    let p = Project::empty();
    let whole = p.taskr(["--help"]).ok();
    let command = taskr::cli::command();
    for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
        let name = option.get_long().map_or("TARGET".to_owned(), |name| format!("--{name}"));
        assert!(whole.stdout.contains(&name), "{name}: {whole}");
    }
    let others = ["NO_COLOR", "CLICOLOR_FORCE", "128+n", "docs", "taskr -j4", ".taskr/replaced"];
    for text in others {
        assert!(whole.stdout.contains(text), "{text}: {whole}");
    }
    p.taskr(["help"]).stdout(&whole.stdout).ok();
    for tool in command.get_subcommands() {
        let name = tool.get_name();
        assert!(whole.stdout.contains(&format!("\n  {name}  ")), "{name}: {whole}");
        let own = p.taskr([name, "--help"]).says(format!("Usage: taskr {name}")).ok();
        p.taskr(["help", name]).stdout(&own.stdout).ok();
        p.taskr(["tool", name, "--help"]).stdout(&own.stdout).ok();
    }
}

/// Help is there whatever the Taskfile is like, and a target may be called `help`.
#[test]
fn help_beside_a_taskfile() {
    let p = Project::new("[target.help]\nrun = \"ran help\"\n");
    p.taskr(["help"]).ran(["help"]).ok();
    p.taskr(["--help"]).says("Usage: taskr").ok();
    let broken = Project::new("[target.a\n");
    broken.taskr(["help", "list"]).says("Usage: taskr list").ok();
    broken.taskr(["help", "nonsense"]).says("the tools are cache, check, clean").exits(2);
}
