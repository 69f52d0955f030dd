//! What becomes of outputs: where they may stand, who owns them, what is removed and what is kept.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::project::{Entry, Project, bytes, tree};

/// All files kept below `.taskr/replaced`, with their text.
fn replaced(p: &Project) -> Vec<(PathBuf, String)> {
    let found = tree(&p.path(".taskr/replaced"));
    let text = |entry| match entry {
        Entry::File { text, .. } => text,
        Entry::Link(path) => path.display().to_string(),
    };
    found.into_iter().map(|(path, entry)| (path, text(entry))).collect()
}

#[test]
fn staged_in_place_and_left() {
    let p = Project::new(
        r#"
        [target.staged]
        inputs  = ["in"]
        outputs = ["gen/deep/staged"]
        run     = "ran staged; cat in > {{ outputs }}"
        [target.place]
        inputs  = ["in"]
        outputs = ["gen/wide/place"]
        run     = "ran place; cat in > gen/wide/place"
        [target.left]
        inputs  = ["in"]
        run     = "ran left; cat in > $OUT/one; mkdir {{ out }}/sub; cat in > {{ out }}/sub/two"
        [target.all]
        inputs  = ["@staged", "@place", "@left"]
        outputs = ["all"]
        run     = "ran all; echo {{ inputs }} > {{ outputs }}; cat {{ inputs }} >> {{ outputs }}"
        "#,
    );
    p.write("in", "1\n");
    let list =
        "gen/deep/staged gen/wide/place .taskr/tasks/left/out/one .taskr/tasks/left/out/sub/two\n";
    p.taskr(["all"])
        .ran(["staged", "place", "left", "all"])
        .makes("gen/deep/staged", "1\n")
        .makes("gen/wide/place", "1\n")
        .makes("all", &format!("{list}1\n1\n1\n1\n"))
        .ok();
    p.fresh("all");
    fs::write(p.path(".taskr/tasks/left/out/one"), "2\n").expect("a file");
    p.taskr(["all"]).ran(["left"]).any_warning().ok();
    p.fresh("all");
    fs::remove_dir_all(p.path(".taskr/tasks/left")).expect("it was there");
    p.taskr(["all"]).ran(["left"]).ok();
    p.fresh("all");
}

#[test]
fn out_is_emptied_before_each_run() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\nrun = \"ran t; touch $OUT/$(cat in); ls $OUT > $HOME/list\"\n",
    );
    for name in ["x", "y"] {
        p.write("in", name);
        p.taskr(["t"]).ran(["t"]).ok();
        let list = fs::read_to_string(p.outside("home/list")).expect("a list");
        assert_eq!(list, format!("{name}\n"));
    }
}

#[test]
fn state_is_kept_between_runs() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\nrun = \"ran t; cat in >> $STATE/seen; cat {{ state }}/seen > $HOME/seen\"\n",
    );
    for name in ["x", "y"] {
        p.write("in", name);
        p.taskr(["t"]).ran(["t"]).ok();
    }
    assert_eq!(fs::read_to_string(p.outside("home/seen")).expect("seen"), "xy");
}

/// Exec bits, links inside the workspace and empty files are outputs as they are.
#[test]
fn kinds_of_outputs() {
    let p = Project::new(
        r#"
        [target.t]
        inputs  = []
        outputs = ["bin/x", "bin/link", "bin/empty"]
        run     = "ran t; cd $OUT/bin; echo x > x; chmod 755 x; ln -s x link; : > empty"
        "#,
    );
    p.taskr(["t"])
        .ran(["t"])
        .makes_entry("bin/x", Entry::File { text: "x\n".to_owned(), exec: true })
        .makes_entry("bin/link", Entry::Link("x".into()))
        .makes("bin/empty", "")
        .ok();
    p.fresh("t");
    p.link("bin/link", "empty");
    p.taskr(["t"]).ran(["t"]).makes_entry("bin/link", Entry::Link("x".into())).any_warning().ok();
    p.fresh("t");
}

/// N22: a socket is no output.
#[test]
fn a_socket_as_output_is_an_error() {
    let p = Project::new("[target.t]\ninputs = []\nrun = \"ran t; mkfifo $OUT/pipe\"\n");
    p.taskr(["t"]).ran(["t"]).says("pipe").exits(1);
}

#[test]
fn a_glob_of_outputs_follows_what_is_written() {
    for place in ["$OUT/dist", "dist"] {
        let p = Project::new(&format!(
            r#"
            [target.t]
            inputs  = ["names"]
            outputs = ["dist/**"]
            run     = "ran t; for n in $(cat names); do mkdir -p {place}/$n; echo $n > {place}/$n/f; done"
            [target.list]
            inputs  = ["@t"]
            outputs = ["list"]
            run     = "ran list; echo {{{{ inputs }}}} > {{{{ outputs }}}}"
            "#
        ));
        p.write("names", "x y");
        p.taskr(["list"])
            .ran(["t", "list"])
            .makes("dist/x/f", "x\n")
            .makes("dist/y/f", "y\n")
            .makes("list", "dist/x/f dist/y/f\n")
            .ok();
        p.fresh("list");
        p.write("names", "y z");
        p.taskr(["list"])
            .ran(["t", "list"])
            .removes("dist/x/f")
            .makes("dist/z/f", "z\n")
            .makes("list", "dist/y/f dist/z/f\n")
            .ok();
        p.fresh("list");
    }
}

#[test]
fn outputs_that_moved_leave_nothing_behind() {
    let taskfile = "[target.t]\ninputs = [\"in\"]\noutputs = [\"old/x\"]\nrun = \"ran t; cat in > {{ outputs }}\"\n";
    let p = Project::new(taskfile);
    p.write("in", "1");
    p.taskr(["t"]).ran(["t"]).makes("old/x", "1").ok();
    p.write("Taskfile.toml", &taskfile.replace("old/x", "new/x"));
    p.taskr(["t"]).ran(["t"]).removes("old/x").makes("new/x", "1").ok();
    p.fresh("t");
}

const TWO: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["gen/a"]
run     = "ran a; cat in > {{ outputs }}"
[target.b]
inputs  = ["in"]
outputs = ["gen/b"]
run     = "ran b; cat in in > {{ outputs }}"
"#;

fn two() -> Project {
    let p = Project::new(TWO);
    p.write("in", "1");
    p.taskr(["a", "b"]).ran(["a", "b"]).makes("gen/a", "1").makes("gen/b", "11").ok();
    p
}

fn without_a(p: &Project) {
    p.write("Taskfile.toml", TWO.split_once("[target.b]").map_or("", |(_, b)| b));
    let text = format!("[target.b]{}", p.read("Taskfile.toml"));
    p.write("Taskfile.toml", &text);
}

#[test]
fn outputs_of_removed_targets_are_removed() {
    let p = two();
    without_a(&p);
    p.taskr(["b"]).removes("gen/a").ok();
    p.fresh("b");
}

#[test]
fn an_orphan_that_was_edited_is_kept() {
    let p = two();
    p.write("gen/a", "mine now");
    without_a(&p);
    p.taskr(["b"]).any_warning().ok();
    assert_eq!(p.read("gen/a"), "mine now");
}

/// An orphan is gone before globs are read: it is never mistaken for a source.
#[test]
fn an_orphan_is_not_an_input() {
    let taskfile = r#"
        [target.obj]
        foreach = ["src/*.c"]
        outputs = ["lib/{{ item.stem }}.o"]
        run     = "ran {{ item }}; cat {{ item }} > {{ outputs }}"
        [target.all]
        inputs  = ["lib/*"]
        outputs = ["all"]
        run     = "ran all; cat {{ inputs }} > {{ outputs }}"
    "#;
    let p = Project::new(taskfile);
    p.write("src/a.c", "a").write("src/b.c", "b").write("lib/own", "own");
    p.taskr(["all"])
        .ran(["src/a.c", "src/b.c", "all"])
        .makes("lib/a.o", "a")
        .makes("lib/b.o", "b")
        .makes("all", "abown")
        .ok();
    p.remove("src/a.c");
    p.taskr(["all"]).ran(["all"]).removes("lib/a.o").makes("all", "bown").ok();
    p.fresh("all");
}

/// A target is renamed and keeps its outputs: the file is the new one's, not an orphan.
#[test]
fn a_renamed_target_keeps_its_file() {
    let p = two();
    p.write("Taskfile.toml", &TWO.replace("target.a]", "target.z]"));
    p.taskr(["z"]).ran(["a"]).ok();
    p.taskr(["z", "b"]).ok();
}

#[test]
fn two_targets_swap_their_outputs() {
    let p = two();
    let text = TWO.replace("gen/a", "gen/?").replace("gen/b", "gen/a").replace("gen/?", "gen/b");
    p.write("Taskfile.toml", &text);
    p.taskr(["a", "b"]).ran(["a", "b"]).makes("gen/b", "1").makes("gen/a", "11").ok();
    p.fresh("a");
    p.fresh("b");
    assert_eq!(replaced(&p), [], "nothing of it was made by hand");
}

#[test]
fn a_hand_edited_output_is_kept_aside() {
    let p = two();
    p.write("gen/a", "my edit");
    p.taskr(["a"]).ran(["a"]).makes("gen/a", "1").warns("gen/a").ok();
    let kept = replaced(&p);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].0.ends_with("gen/a") && kept[0].1 == "my edit", "{kept:?}");
    p.fresh("a");
}

/// The same when the task runs for another reason.
#[test]
fn a_hand_edited_output_of_a_dirty_task_is_kept_aside() {
    let p = two();
    p.write("gen/a", "my edit").write("in", "2");
    p.taskr(["a"]).ran(["a"]).makes("gen/a", "2").warns("gen/a").ok();
    assert_eq!(replaced(&p).len(), 1);
}

/// A mistyped `outputs` must not cost a source file.
#[test]
fn a_source_at_a_declared_output_is_kept_aside() {
    let p = Project::new(TWO);
    p.write("in", "1").write("gen/a", "precious");
    p.taskr(["a"]).ran(["a"]).makes("gen/a", "1").warns("gen/a").ok();
    let kept = replaced(&p);
    assert!(kept.len() == 1 && kept[0].1 == "precious", "{kept:?}");
}

/// Two tasks that could write one path are refused when the file is loaded, both places shown.
#[test]
fn clashing_outputs() {
    let clashes = [
        ("out/x", "out/x"),
        ("out/x", "out/./x"),
        ("out", "out/x"),
        ("out/x/y", "out/x"),
        ("out/**", "out/x"),
        ("out/*.o", "out/a*"),
        ("a/*/c", "a/b/*"),
    ];
    for (first, second) in clashes {
        let p = Project::new(&format!(
            "[target.one]\ninputs = []\noutputs = [\"{first}\"]\nrun = \"ran one\"\n\n[target.two]\ninputs = []\noutputs = [\"{second}\"]\nrun = \"ran two\"\n"
        ));
        p.taskr(["one"]).says("Taskfile.toml").says("3 |").says("8 |").exits(2);
    }
}

#[test]
fn outputs_that_do_not_clash() {
    let p = Project::new(
        "[target.one]\ninputs = []\noutputs = [\"out/*.o\"]\nrun = \"ran one; touch $OUT/out/x.o\"\n\n[target.two]\ninputs = []\noutputs = [\"out/x.d\"]\nrun = \"ran two; touch $OUT/out/x.d\"\n",
    );
    p.taskr(["one", "two"]).ran(["one", "two"]).makes("out/x.o", "").makes("out/x.d", "").ok();
}

#[test]
fn outputs_that_may_not_be() {
    for output in ["../x", "/tmp/x", "a/../../x", ".taskr/x", ".taskr", "."] {
        let p = Project::new(&format!(
            "[target.one]\ninputs = []\noutputs = [\"{output}\"]\nrun = \"ran one\"\n"
        ));
        p.taskr(["one"]).says("Taskfile.toml:3").exits(2);
    }
}

/// N06: a link in the way must not lead a write out of the workspace.
#[test]
fn a_link_out_of_the_workspace_is_not_followed() {
    let p = Project::new(
        "[target.a]\ninputs = []\noutputs = [\"sub/a\"]\nrun = \"ran a; echo a > $OUT/sub/a\"\n",
    );
    fs::create_dir(p.outside("far")).expect("a folder");
    p.link("sub", "../far");
    let output = p.spawn(["a"]).wait();
    assert!(!output.stderr.contains("panicked"), "{output}");
    assert_eq!(fs::read_dir(p.outside("far")).expect("it is there").count(), 0, "{output}");
}

/// A task that is wanted each time; what is behind it stops where its outputs are unchanged.
#[test]
fn always() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = []
        outputs = ["a"]
        always  = true
        run     = "ran a; cat $HOME/value > {{ outputs }}"
        [target.b]
        inputs  = ["@a"]
        outputs = ["b"]
        run     = "ran b; cat a > {{ outputs }}"
        "#,
    );
    let value = p.outside("home/value");
    fs::write(&value, "1").expect("a file");
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "1").makes("b", "1").ok();
    p.taskr(["b"]).ran(["a"]).ok();
    fs::write(&value, "2").expect("a file");
    p.taskr(["b"]).ran(["a", "b"]).makes("a", "2").makes("b", "2").ok();
}

#[test]
fn an_unrecorded_target_runs_each_time() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        outputs = ["a"]
        run     = "ran a; cat in > {{ outputs }}"
        [target.deploy]
        deps = ["a"]
        run  = "ran deploy; cat a"
        [target]
        fmt = "ran fmt"
        "#,
    );
    p.write("in", "1\n");
    p.taskr(["deploy"]).ran(["a", "deploy"]).makes("a", "1\n").says("1").ok();
    p.taskr(["deploy"]).ran(["deploy"]).ok();
    p.taskr(["fmt"]).ran(["fmt"]).ok();
    p.taskr(["fmt"]).ran(["fmt"]).ok();
}

/// The files that an unrecorded task leaves in its `$OUT` are inputs like others.
#[test]
fn files_of_an_unrecorded_target_count_by_content() {
    let p = Project::new(
        r#"
        [target.gen]
        run = "ran gen; cat $HOME/value > $OUT/g"
        [target.b]
        inputs  = ["@gen"]
        outputs = ["b"]
        run     = "ran b; cat {{ inputs }} > {{ outputs }}"
        "#,
    );
    let value = p.outside("home/value");
    fs::write(&value, "1").expect("a file");
    p.taskr(["b"]).ran(["gen", "b"]).makes("b", "1").ok();
    p.taskr(["b"]).ran(["gen"]).ok();
    fs::write(&value, "2").expect("a file");
    p.taskr(["b"]).ran(["gen", "b"]).makes("b", "2").ok();
}

#[test]
fn groups() {
    let p = Project::new(
        &[
            TWO,
            r#"
            [target.both]
            deps = ["a", "b"]
            [target.outer]
            deps = ["both"]
            [target.list]
            inputs  = ["@outer"]
            outputs = ["list"]
            run     = "ran list; echo {{ inputs }} > {{ outputs }}"
            [target.dependent]
            inputs = []
            deps   = ["outer"]
            run    = "ran dependent"
            "#,
        ]
        .concat(),
    );
    p.write("in", "1");
    p.taskr(["outer"]).ran(["a", "b"]).makes("gen/a", "1").makes("gen/b", "11").ok();
    p.fresh("outer");
    p.taskr(["list", "dependent"]).ran(["list", "dependent"]).makes("list", "gen/a gen/b\n").ok();
    p.write("in", "2");
    p.taskr(["list", "dependent"])
        .ran(["a", "b", "list", "dependent"])
        .makes("gen/a", "2")
        .makes("gen/b", "22")
        .ok();
    p.fresh("dependent");
}

/// A check is remembered; what depends on it follows its key.
#[test]
fn a_check_and_what_depends_on_it() {
    let p = Project::new(
        r#"
        [target.check]
        inputs = ["in"]
        run    = "ran check; echo checked"
        [target.next]
        inputs = []
        deps   = ["check"]
        run    = "ran next; true"
        "#,
    );
    p.write("in", "1");
    p.taskr(["next"]).ran(["check", "next"]).ok();
    p.fresh("next");
    p.write("in", "2");
    p.taskr(["next"]).ran(["check", "next"]).ok();
    p.fresh("next");
}

#[test]
fn after_is_order_only() {
    let p = Project::new(
        r#"
        [target.first]
        inputs  = ["in"]
        outputs = ["first"]
        run     = "ran first; cat in > {{ outputs }}"
        [target.second]
        inputs  = []
        after   = ["first"]
        run     = "ran second; test -e first"
        "#,
    );
    p.write("in", "1");
    p.taskr(["second"]).ran(["first", "second"]).makes("first", "1").ok();
    p.write("in", "2");
    p.taskr(["second"]).ran(["first"]).makes("first", "2").ok();
}

const INSTALLS: &str = r#"
[target.install]
inputs   = ["lock.json"]
installs = "modules"
run      = "ran install; mkdir -p modules; cp lock.json modules/"
[target.use]
inputs  = ["in"]
deps    = ["install"]
outputs = ["used"]
run     = "ran use; cat modules/lock.json in > {{ outputs }}"
"#;

#[test]
fn installs() {
    let p = Project::new(INSTALLS);
    p.write("lock.json", "1\n").write("in", "i\n");
    p.taskr(["use"])
        .ran(["install", "use"])
        .makes("modules/lock.json", "1\n")
        .makes("used", "1\ni\n")
        .ok();
    p.fresh("use");
    // What lies in it is nobody's business.
    p.write("modules/.cache", "c");
    p.fresh("use");
    // Its key counts in the keys of those behind it.
    p.write("lock.json", "2\n");
    p.taskr(["use"])
        .ran(["install", "use"])
        .makes("modules/lock.json", "2\n")
        .makes("used", "2\ni\n")
        .ok();
    assert_eq!(p.read("modules/.cache"), "c", "never moved aside");
}

#[test]
fn installs_again_when_the_folder_is_gone_or_another() {
    let p = Project::new(INSTALLS);
    p.write("lock.json", "1\n").write("in", "i\n");
    p.taskr(["install"]).ran(["install"]).makes("modules/lock.json", "1\n").ok();
    fs::remove_dir_all(p.path("modules")).expect("it was there");
    p.accept_files();
    p.taskr(["install"]).ran(["install"]).makes("modules/lock.json", "1\n").ok();
    fs::rename(p.path("modules"), p.path("old")).expect("a rename");
    fs::create_dir(p.path("modules")).expect("a folder");
    p.accept_files();
    p.taskr(["install"]).ran(["install"]).makes("modules/lock.json", "1\n").ok();
    p.fresh("install");
}

/// N17: modes other than the exec bit do not count, whatever the umask.
#[test]
fn umask_is_nothing() {
    let p = two();
    fs::set_permissions(p.path("gen/a"), fs::Permissions::from_mode(0o600)).expect("a mode");
    p.fresh("a");
    let mode = |path| fs::metadata(p.path(path)).expect("it is there").mode() & 0o777;
    assert_eq!(mode("gen/b"), 0o644);
    p.write("in", "3");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 077; exec taskr a b"]).current_dir(p.root());
    p.clear_environment(&mut command);
    assert!(command.output().expect("sh").status.success());
    assert_eq!(mode("gen/b"), 0o600);
    p.take_ran();
    p.accept_files();
    p.fresh("a");
    p.fresh("b");
}

/// Names that no shell likes, staged and in place.
#[test]
fn outputs_with_odd_names() {
    let p = Project::new(
        r#"
        [target.t]
        inputs  = ["in"]
        outputs = ["odd/**"]
        run     = "ran t; mkdir -p $OUT/odd; printf 1 > $OUT/odd/'a b'; printf 2 > $OUT/odd/\"$(printf 'x\\377')\"; printf 3 > $OUT/odd/-rf"
        "#,
    );
    p.write("in", "1");
    p.taskr(["t"])
        .ran(["t"])
        .makes("odd/a b", "1")
        .makes(bytes(b"odd/x\xff"), "2")
        .makes("odd/-rf", "3")
        .ok();
    p.fresh("t");
    p.remove("odd/-rf");
    p.taskr(["t"]).ran(["t"]).makes("odd/-rf", "3").ok();
}

/// What the last command left to taskr to publish, the next one writes in place, and fails.
#[test]
fn a_command_that_turns_to_writing_in_place_and_fails() {
    let task = |run: &str| {
        format!("[target.t]\ninputs = [\"in\"]\noutputs = [\"o\", \"dist/*\"]\nrun = '{run}'\n")
    };
    let staged = task("ran t; cat in > $OUT/o; cat in > $OUT/dist/d");
    let p = Project::new(&staged);
    p.write("in", "1");
    p.taskr(["t"]).ran(["t"]).makes("o", "1").makes("dist/d", "1").ok();
    let time = |path| fs::metadata(p.path(path)).expect("it is there").mtime_nsec();
    let times = (time("o"), time("dist/d"));
    p.write("Taskfile.toml", &task("ran t; echo half > o; echo half > dist/d; exit 1"));
    p.taskr(["t"]).ran(["t"]).says("what the failed attempt wrote is kept").exits(1);
    assert_eq!(p.read(".taskr/tasks/t/failed/ws/o"), "half\n");
    assert_eq!((time("o"), time("dist/d")), times, "the old ones stand again");
    // Another command that makes the same bytes leaves the old files.
    p.write("Taskfile.toml", &task("ran t; true; cat in > $OUT/o; cat in > $OUT/dist/d"));
    p.taskr(["t"]).ran(["t"]).ok();
    assert_eq!((time("o"), time("dist/d")), times, "nothing new was written");
    p.fresh("t");
}

/// With `--strict` a file of the user stays where it is, and the command does not even start.
#[test]
fn a_strict_failure_takes_no_file_away() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"ran t; cat in > {{ outputs }}\"\n",
    );
    p.write("in", "1").write("o", "mine");
    p.taskr(["--strict", "t"]).says("o is not as taskr left it").says("--strict").exits(1);
    assert!(!p.path(".taskr/replaced").exists());
    p.taskr(["t"]).ran(["t"]).makes("o", "1").warns("o was not as taskr left it").ok();
}

/// With `--strict` a warning comes before anything is published.
#[test]
fn a_strict_warning_publishes_nothing() {
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\noutputs = [\"o\"]\nrun = \"ran t; cat in > {{ outputs }}; sleep 30 &\"\n",
    );
    p.write("in", "1");
    p.taskr(["--strict", "t"]).ran(["t"]).says("(--strict)").exits(1);
    p.taskr(["t"]).ran(["t"]).makes("o", "1").warns("left behind").ok();
}
