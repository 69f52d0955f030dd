//! `--since`, `--staged` and `--changed`: only what changes can reach is built, and never less.

use std::fs;

use crate::project::Project;
use crate::repository::{committed, does, ends, git};

/// Two chains that share a header, and a target of each sort.
const TASKFILE: &str = r#"
default = ["all"]

[target.obj]
foreach = ["src/*.c", "!src/skip.c"]
outputs = ["{{ item.stem }}.o"]
depfile = "{{ out }}/d"
run = "ran {{ item }}; cat {{ item }} > {{ outputs }}; echo 'o: include/x.h' > {{ out }}/d"

[target.app]
inputs = ["@obj"]
outputs = ["app"]
run = "ran app; cat {{ inputs }} > {{ outputs }}"

[target.page]
inputs = ["docs/**", "!docs/draft/**"]
outputs = ["page"]
run = "ran page; cat docs/*.md > {{ outputs }}"

[target.tool]
inputs = ["data"]
outputs = ["out.txt"]
exec = ["./gen.sh", "{{ outputs }}"]

[target.check]
inputs = ["page"]
run = "ran check"

[target.all]
deps = ["app", "check", "tool"]
"#;

const ALL: [&str; 6] = ["src/a.c", "src/b.c", "app", "page", "check", "gen"];

fn project() -> Project {
    let p = Project::new(TASKFILE);
    p.write("src/a.c", "a\n")
        .write("src/b.c", "b\n")
        .write("src/skip.c", "")
        .write("include/x.h", "");
    p.write("docs/a.md", "a\n").write("docs/draft/b.md", "b\n").write("data", "1\n");
    p.write("gen.sh", "#!/bin/sh\nran gen\ncat data > $1\n").chmod("gen.sh", 0o755);
    p.write(".gitignore", "*.o\napp\npage\nout.txt\n");
    p
}

/// A project that is built and whose files are committed.
fn built() -> Option<Project> {
    let p = committed(project())?;
    p.taskr(["-j1"]).ran(ALL).any_files().ok();
    Some(p)
}

/// What taskr would run or ask: the tasks in its plan.
fn plan(p: &Project, args: &[&str]) -> usize {
    let args = args.iter().copied().chain(["-n", "--events", "-"]);
    let output = p.taskr(args).any_warning().any_files().ok();
    let first = output.stdout.lines().next().expect("an event");
    let event: serde_json::Value = serde_json::from_str(first).expect("JSON");
    usize::try_from(event["tasks"].as_u64().expect("a number")).expect("few")
}

#[test]
fn a_changed_file_reaches_its_readers_and_theirs() {
    let p = project();
    p.taskr(["-j1"]).ran(ALL).any_files().ok();
    for (file, tasks) in [
        ("src/a.c", 3),
        ("include/x.h", 3),
        ("docs/a.md", 2),
        ("docs/draft/b.md", 0),
        ("docs/new.md", 2),
        ("data", 1),
        ("gen.sh", 1),
        ("README", 0),
        ("src/skip.c", 0),
        // An output that was edited is of the task that made it.
        ("page", 2),
        ("a.o", 3),
        // A file that went, one that came, and a folder.
        ("src/gone.c", 3),
        ("src", 3),
        ("docs", 2),
        ("docs/draft", 0),
        ("Taskfile.toml", 6),
        (".", 6),
        ("../elsewhere", 0),
    ] {
        assert_eq!(plan(&p, &["--changed", file]), tasks, "{file}");
    }
    // Within what is wanted, and together.
    assert_eq!(plan(&p, &["check", "--changed", "src/a.c"]), 0);
    assert_eq!(plan(&p, &["--changed", "data", "docs/a.md", "src/a.c"]), 6);
    assert_eq!(plan(&p, &["--changed=data", "--changed", "docs/a.md", "-j1"]), 3);
}

#[test]
fn what_nothing_reaches_is_told_in_one_line() {
    let p = project();
    p.taskr(["check", "--changed", "data", "README", "-q"]).stdout("").any_files().ok();
    p.taskr(["check", "tool", "--changed", "README"])
        .stdout(
            "nothing to do: 1 file changed (--changed), and no task of check tool can be reached\n",
        )
        .ok();
    p.taskr(["check", "--changed"])
        .stdout("nothing to do: no file changed (--changed), and no task of check can be reached\n")
        .ok();
    let events = p.taskr(["check", "--changed", "README", "--events", "-"]).any_warning().ok();
    let by = r#""changes":{"by":["--changed"],"files":1}}"#;
    assert!(events.stdout.lines().next().is_some_and(|line| line.ends_with(by)), "{events}");
}

#[test]
fn what_is_reached_is_built_with_all_it_needs_and_judged_as_usual() {
    let p = project();
    p.taskr(["--changed", "src/a.c"]).ran(["src/a.c", "src/b.c", "app"]).any_files().ok();
    p.taskr(["--changed", "src/a.c"]).says("3 tasks up to date").ok();
    p.write("data", "2\n").write("docs/a.md", "aa\n");
    p.taskr(["--changed", "docs/a.md"]).ran(["page", "check"]).any_files().ok();
    assert!(!p.path("out.txt").exists(), "data was not among the changes");
}

#[test]
fn what_cannot_be_known_counts_as_reached() {
    let p = Project::new(
        r#"
        [target.deploy]
        run = "ran deploy"
        [target.cargo]
        inputs = ["in"]
        outputs = ["c"]
        always = true
        run = "ran cargo; touch {{ outputs }}"
        [target.stamp]
        outputs = ["s"]
        run = "ran stamp; touch {{ outputs }}"
        [target.obj]
        inputs = ["in"]
        depfile = "{{ out }}/d"
        run = "ran obj; echo 'o: in' > {{ out }}/d"
        [target.plain]
        inputs = ["in"]
        run = "ran plain"
        "#,
    );
    p.write("in", "");
    let all = ["deploy", "cargo", "stamp", "obj", "plain"];
    let args = all.iter().copied().chain(["--changed", "other"]);
    p.taskr(args).ran(["deploy", "cargo", "stamp", "obj"]).any_files().ok();
    let args = all.iter().copied().chain(["--changed", "other"]);
    p.taskr(args).ran(["deploy", "cargo"]).any_files().ok();
}

#[test]
fn an_item_that_went_reaches_who_read_what_was_made_of_it() {
    let p = project();
    p.taskr(["-j1"]).ran(ALL).any_files().ok();
    p.remove("src/b.c");
    // Another run tidies up first, and nothing of the item is left to be seen.
    p.taskr(["check"]).any_files().ok();
    p.taskr(["--changed", "src/b.c"]).ran(["app"]).any_files().ok();
    assert_eq!(p.read("app"), "a\n");
}

#[test]
fn a_formatter_that_is_reached_reaches_who_reads_what_it_may_change() {
    let p = Project::new(
        r#"
        [target.fmt]
        inputs = ["src/*", "style"]
        fixes_inputs = true
        run = "ran fmt; cp style src/b"
        [target.b]
        inputs = ["src/b"]
        run = "ran b"
        [target.header]
        inputs = ["x"]
        depfile = "{{ out }}/d"
        run = "ran header; echo 'o: src/b' > {{ out }}/d"
        [target.other]
        inputs = ["x"]
        run = "ran other"
        [target.all]
        deps = ["fmt", "b", "header", "other"]
        "#,
    );
    p.write("src/a", "").write("src/b", "1").write("style", "1").write("x", "");
    p.taskr(["all"]).any_ran().any_files().ok();
    p.taskr(["all"]).any_ran().any_files().ok();
    p.write("style", "2");
    assert_eq!(plan(&p, &["all", "--changed", "style"]), 3);
    assert_eq!(plan(&p, &["b", "header", "--changed", "style"]), 0, "nobody asked to format");
    p.taskr(["all", "--changed", "style"]).ran(["fmt", "b", "header"]).any_files().ok();
}

#[test]
fn links_are_followed_to_what_they_lead_to() {
    let p = Project::new(
        r#"
        [target.t]
        inputs = ["link", "via/x"]
        outputs = ["o"]
        run = "ran t; cat {{ inputs }} > {{ outputs }}"
        "#,
    );
    p.write("real/file", "1")
        .write("real/dir/x", "2")
        .link("link", "real/file")
        .link("via", "real/dir");
    for _ in 0..2 {
        for file in ["real/file", "real/dir/x", "link", "via", "via/x"] {
            assert_eq!(plan(&p, &["t", "--changed", file]), 1, "{file}");
        }
        assert_eq!(plan(&p, &["t", "--changed", "real/other"]), 0);
        p.taskr(["t"]).any_ran().any_files().ok();
    }
}

/// A folder that is taken away holds no items, for the graph and for what changes reach.
#[test]
fn a_folder_that_is_taken_away_has_no_items() {
    let p = Project::new(
        r#"
        [target.obj]
        foreach = ["src/**/*.c", "!src/gen"]
        run     = "ran {{ item }}"
        "#,
    );
    p.write("src/a.c", "1\n").write("src/gen/b.c", "1\n");
    p.taskr(["obj"]).ran(["src/a.c"]).ok();
    p.write("src/gen/b.c", "2\n");
    p.taskr(["obj", "--changed", "src/gen/b.c"]).says("no task of obj can be reached").ok();
    p.fresh("obj");
}

#[test]
fn names_are_of_the_current_folder() {
    let p = project();
    p.taskr(["-j1"]).ran(ALL).any_files().ok();
    p.write("docs/a.md", "b\n");
    p.taskr(["--changed", "a.md"]).within("docs").ran(["page", "check"]).any_files().ok();
    p.taskr(["check", "--changed", "app"]).says("no task of check can be reached").any_files().ok();
    p.taskr(["--changed", "check"])
        .says("error: `--changed` takes files, and `check` is a target")
        .says("help: write it before: `taskr check --changed …`; a file of that name is `./check`")
        .exits(2);
}

#[test]
fn since_compares_the_files_as_they_are_with_a_commit() {
    let Some(p) = built() else { return };
    assert_eq!(plan(&p, &["--since", "HEAD"]), 0);
    // Committed, staged, not staged, new; a rename counts by both names.
    does(&p, ["mv", "docs/a.md", "docs/b.md"]);
    does(&p, ["commit", "-qm", "second"]);
    assert_eq!(plan(&p, &["--since", "HEAD~1"]), 2);
    assert_eq!(plan(&p, &["--since", "HEAD"]), 0);
    p.write("data", "2\n");
    does(&p, ["add", "data"]);
    assert_eq!(plan(&p, &["--since", "HEAD"]), 1);
    p.write("src/a.c", "aa\n");
    assert_eq!(plan(&p, &["--since", "HEAD"]), 4);
    p.write("src/new.c", "n\n");
    assert_eq!(plan(&p, &["--since", "HEAD"]), 5);
    assert_eq!(plan(&p, &["check", "--since", "HEAD"]), 0);
    assert_eq!(plan(&p, &["--since", "HEAD~1"]), 7);
    p.taskr(["--since", "HEAD~1"])
        .ran(["src/a.c", "src/new.c", "app", "page", "gen"])
        .any_files()
        .ok();
}

#[test]
fn staged_is_what_the_next_commit_would_change() {
    let p = project();
    let Some(p) = committed(p) else { return };
    p.taskr(["-j1"]).ran(ALL).any_files().ok();
    p.write("data", "2\n").write("docs/a.md", "c\n");
    assert_eq!(plan(&p, &["--staged"]), 0);
    does(&p, ["add", "data"]);
    assert_eq!(plan(&p, &["--staged"]), 1);
    does(&p, ["rm", "-q", "--cached", "src/b.c"]);
    assert_eq!(plan(&p, &["--staged"]), 4);
    // Another index, as `git commit -a` and `git commit FILE` make one.
    let index = p.outside("index");
    ends(git(&p, &p.root(), ["add", "docs/a.md"]).env("GIT_INDEX_FILE", &index));
    let run = p.taskr(["-n", "check", "--staged"]).env("GIT_INDEX_FILE", &index);
    run.says("would run page").any_files().ok();
}

#[test]
fn the_first_commit_has_everything_staged() {
    let p = project();
    if ends(&mut git(&p, &p.root(), ["init", "-q"])).status.success() {
        does(&p, ["add", "data"]);
        assert_eq!(plan(&p, &["check", "tool", "--staged"]), 1);
        p.taskr(["tool", "--since", "HEAD"]).says("`HEAD` is no commit").any_files().exits(2);
    }
}

#[test]
fn a_workspace_may_be_a_folder_of_its_repository() {
    let p = Project::empty();
    p.write("sub/Taskfile.toml", "[target.t]\ninputs = [\"in\"]\nrun = \"ran t\"\n");
    p.write("sub/in", "").write("in", "").write("subway/in", "");
    let Some(p) = committed(p) else { return };
    p.write("in", "x").write("subway/in", "x");
    p.taskr(["t", "--since", "HEAD"]).within("sub").says("no file changed").any_files().ok();
    p.write("sub/in", "x").write("sub/new", "x");
    p.taskr(["t", "--since", "HEAD"]).within("sub").ran(["t"]).any_files().ok();
    p.taskr(["-C", "sub", "t", "--changed", "in"]).says("no file changed").any_files().ok();
    p.taskr(["-C", "sub", "t", "--changed", "sub/in"]).says("1 task up to date").any_files().ok();
}

#[test]
fn a_commit_that_is_not_here_is_an_error_and_never_everything() {
    let Some(p) = built() else { return };
    does(&p, ["commit", "-q", "--allow-empty", "-m", "second"]);
    does(&p, ["branch", "release"]);
    p.taskr(["--since", "relaese"])
        .says("error: `relaese` is no commit that this repository has\nhelp: did you mean `release`?\n")
        .any_files()
        .exits(2);
    let url = format!("file://{}", p.root().display());
    let clone = p.outside("clone");
    let args = ["clone", "-q", "--depth=1", &url, clone.to_str().expect("text")];
    assert!(ends(&mut git(&p, &p.root(), args)).status.success());
    let first = does(&p, ["rev-parse", "HEAD~1"]);
    let since =
        |revision: &str| ends(&mut p.command(&clone, ["check", "--since", revision])).stderr;
    let shallow = "(it is a shallow clone)\nhelp: get it: ";
    let told = since("HEAD~1");
    assert!(told.contains(&format!("{shallow}`git fetch --unshallow origin`\n")), "{told}");
    let told = since("origin/release");
    let fetch = "git fetch --depth=1 origin +refs/heads/release:refs/remotes/origin/release";
    assert!(told.contains(&format!("{shallow}`{fetch}`\n")), "{told}");
    // The line that is printed brings the commit.
    let told = since(first.trim());
    let (_, line) = told.rsplit_once("get it: `git ").expect("a line to run");
    let words = line.trim_end().trim_end_matches('`').split(' ');
    assert!(ends(&mut git(&p, &clone, words)).status.success(), "{line}");
    assert_eq!(ends(&mut p.command(&clone, ["-n", "check", "--since", first.trim()])).stderr, "");
    assert!(ends(&mut git(&p, &clone, fetch.split(' ').skip(1))).status.success());
    assert_eq!(since("origin/release"), "");
}

#[test]
fn where_git_cannot_tell_it_is_said_why() {
    let p = project();
    let run = || p.taskr(["check", "--since", "HEAD"]);
    let bare = p.outside("bare.git");
    if !ends(&mut git(&p, &p.root(), ["init", "-q", "--bare", bare.to_str().expect("text")]))
        .status
        .success()
    {
        return;
    }
    run().says("is in no git repository").says("help: `git init` makes one").exits(2);
    let named = "error: GIT_DIR is /nowhere, which is no git repository\n";
    run().env("GIT_DIR", "/nowhere").says(named).says("`unset GIT_DIR`").exits(2);
    fs::write(bare.join("Taskfile.toml"), TASKFILE).expect("a file");
    let told = ends(&mut p.command(&bare, ["check", "--staged"])).stderr;
    assert!(told.contains("has no work tree: it is bare"), "{told}");
    let run = run().env("PATH", p.outside("bin"));
    run.says("error: there is no git").says("help: install git").exits(2);
}

#[test]
fn a_thousand_changes_and_two_thousand_tasks_are_no_product() {
    let p = Project::new(
        "[target.t]\nforeach = \"in/*\"\ninputs = [\"?{{ item | replace('in/', 'more/') }}/**\"]\nrun = \"true\"\n",
    );
    for number in 0..2_000 {
        fs::create_dir_all(p.path("in")).expect("a folder");
        fs::write(p.path(format!("in/{number}")), "").expect("a file");
    }
    p.accept_files();
    let files = (0..1_000).map(|number| format!("more/{number}/x"));
    let args = ["-n", "-q", "t", "--changed"].map(str::to_owned).into_iter().chain(files);
    // A run that takes longer than a minute and a half is ended.
    p.taskr(args).any_warning().any_files().ok();
}
