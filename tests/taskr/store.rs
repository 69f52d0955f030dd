//! Results that were made once are restored: the same bytes, modes, links, folders and log, into any
//! checkout, and never where something else counts.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use filetime::FileTime;

use crate::project::{Entry, Project, fingerprint, tree, until};

/// One task that copies its input.
const COPY: &str = r#"
[target.a]
inputs = ["a.in"]
outputs = ["a.out"]
run = "ran a; cat a.in >{{ outputs }}; echo said; echo more >&2"
"#;

fn copying() -> Project {
    let p = Project::new(COPY).with_store();
    p.write("a.in", "1\n");
    p.taskr(["a"]).ran(["a"]).makes("a.out", "1\n").ok();
    p
}

/// All files of the store that hold content.
fn blobs(p: &Project) -> Vec<PathBuf> {
    let folders = fs::read_dir(p.store().join("blobs")).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).expect("a folder").flatten());
    files.map(|file| file.path()).collect()
}

fn forget_state(p: &Project) {
    fs::remove_dir_all(p.path(".taskr")).expect("it was there");
}

#[test]
fn an_output_that_is_gone_comes_back_without_a_run() {
    let p = copying();
    p.remove("a.out");
    p.taskr(["a"]).makes("a.out", "1\n").says("a  restored").says("said\nmore\n").ok();
    p.fresh("a");
    p.taskr(["log", "a"]).stdout("said\nmore\n").ok();
}

#[test]
fn a_branch_that_was_built_once_is_not_built_again() {
    let p = copying();
    p.write("a.in", "2\n");
    p.taskr(["a"]).ran(["a"]).makes("a.out", "2\n").ok();
    p.write("a.in", "1\n");
    p.taskr(["a"]).makes("a.out", "1\n").says("1 restored").ok();
    p.write("a.in", "2\n");
    p.taskr(["why", "a"]).says("a would be restored from the store: a.in changed").ok();
    p.taskr(["-n", "a"]).says("would restore a: a.in changed").says("1 would be restored").ok();
    p.taskr(["a"]).makes("a.out", "2\n").says("1 restored").ok();
    p.taskr(["why", "a"]).says("it was last restored because a.in changed").ok();
}

#[test]
fn what_needs_a_restored_task_stops_early_as_after_a_run() {
    let p = Project::new(
        r#"
[target.a]
inputs = ["a.in"]
outputs = ["a.out"]
run = "ran a; cut -c1 a.in >{{ outputs }}"

[target.b]
inputs = ["a.out"]
outputs = ["b.out"]
run = "ran b; cat a.out a.out >{{ outputs }}"
"#,
    )
    .with_store();
    p.write("a.in", "1x\n");
    p.taskr(["b"]).ran(["a", "b"]).makes("a.out", "1\n").makes("b.out", "1\n1\n").ok();
    p.write("a.in", "1y\n");
    p.taskr(["b"]).ran(["a"]).ok();
    p.write("a.in", "1x\n");
    p.taskr(["b"]).says("1 fresh, 1 restored").ok();
    p.write("a.in", "2\n");
    p.taskr(["b"]).ran(["a", "b"]).makes("a.out", "2\n").makes("b.out", "2\n2\n").ok();
    p.write("a.in", "1y\n");
    p.taskr(["b"]).makes("a.out", "1\n").makes("b.out", "1\n1\n").says("2 restored").ok();
}

/// A task with all sorts of outputs, and one that reads them.
const ALL_SORTS: &str = r#"
[target.tree]
inputs = ["a.in"]
outputs = ["dist", "bin/run"]
run = '''
ran tree
mkdir -p {{ out }}/dist/deep/er {{ out }}/dist/hollow {{ out }}/bin
echo plain >"$OUT/dist/deep/er/ odd name"
: >{{ out }}/dist/empty
ln -s deep/er {{ out }}/dist/link
echo 'echo it runs' >{{ out }}/bin/run
chmod +x {{ out }}/bin/run
echo kept >{{ out }}/left
'''

[target.use]
inputs = ["@tree"]
outputs = ["list"]
run = "ran use; printf '%s\n' {{ inputs }} >{{ outputs }}; cat {{ target('tree').out }}/left >>{{ outputs }}"
"#;

#[test]
fn a_fresh_checkout_elsewhere_gets_everything() {
    let p = Project::new(ALL_SORTS).with_store();
    p.write("a.in", "1\n");
    p.taskr(["use"]).ran(["tree", "use"]).any_files().ok();
    let other = p.sibling("another");
    other.write("Taskfile.toml", ALL_SORTS).write("a.in", "1\n");
    other.taskr(["use"]).says("2 restored").ok();
    let (here, there) = (p.root(), p.outside("another"));
    let trees = [&here, &there].map(|root| tree(root));
    assert_eq!(trees[0], trees[1]);
    assert!(trees[0].len() > 6, "{:?}", trees[0]);
    assert!(there.join("dist/hollow").is_dir(), "an empty folder is a result, too");
    let run = fs::metadata(there.join("bin/run")).expect("it is there");
    assert_eq!((run.permissions().mode() & 0o700, run.nlink()), (0o700, 1));
    let empty = fs::metadata(there.join("dist/empty")).expect("it is there");
    assert_ne!(empty.permissions().mode() & 0o200, 0, "its owner may write it");
    other.taskr(["use"]).says("2 tasks up to date").ok();
}

#[test]
fn a_check_that_succeeded_elsewhere_is_not_repeated() {
    let p = Project::new("[target.lint]\ninputs = ['a.in']\nrun = 'ran lint; echo all is well'\n")
        .with_store();
    p.write("a.in", "1\n");
    p.taskr(["lint"]).ran(["lint"]).ok();
    forget_state(&p);
    p.taskr(["lint"]).says("all is well").says("1 restored").ok();
}

#[test]
fn each_state_of_the_headers_has_a_result_of_its_own() {
    let p = Project::new(
        r#"
[target.o]
inputs = ["m.c"]
outputs = ["m.o"]
run = '''
ran o
header=$(cut -d' ' -f2 m.c)
cat m.c $header >{{ outputs }}
echo "m.o: $header" >{{ depfile }}
'''
"#,
    )
    .with_store();
    p.write("m.c", "include a.h\n").write("a.h", "1\n").write("b.h", "b\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "include a.h\n1\n").ok();
    p.write("a.h", "2\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "include a.h\n2\n").ok();
    p.write("a.h", "1\n");
    p.taskr(["o"]).makes("m.o", "include a.h\n1\n").says("1 restored").ok();
    p.write("m.c", "include b.h\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "include b.h\nb\n").ok();
    p.write("m.c", "include a.h\n").write("a.h", "2\n");
    p.taskr(["o"]).makes("m.o", "include a.h\n2\n").says("1 restored").ok();
    // What was restored is watched as what was built.
    p.write("b.h", "c\n");
    p.fresh("o");
    p.write("a.h", "3\n");
    p.taskr(["o"]).ran(["o"]).makes("m.o", "include a.h\n3\n").ok();
    forget_state(&p);
    p.remove("m.o").write("a.h", "1\n");
    p.taskr(["o"]).makes("m.o", "include a.h\n1\n").says("1 restored").ok();
}

#[test]
fn what_failed_at_this_key_is_tried_again_although_it_once_succeeded() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['o']\n\
         run = 'ran t; test ! -e ~/broken; cp a.in {{ outputs }}'\n",
    )
    .with_store();
    p.write("a.in", "1\n");
    p.taskr(["t"]).ran(["t"]).makes("o", "1\n").ok();
    fs::write(p.outside("home/broken"), "").expect("a file");
    p.taskr(["-B", "t"]).ran(["t"]).exits(1);
    p.taskr(["t"]).ran(["t"]).exits(1);
    // Another key is another matter.
    p.write("a.in", "2\n");
    p.taskr(["t"]).ran(["t"]).exits(1);
    fs::remove_file(p.outside("home/broken")).expect("it was there");
    p.taskr(["t"]).ran(["t"]).makes("o", "2\n").ok();
    p.write("a.in", "1\n");
    p.taskr(["t"]).makes("o", "1\n").says("1 restored").ok();
}

#[test]
fn who_asks_for_a_run_gets_one() {
    let p = copying();
    p.taskr(["-B", "a"]).ran(["a"]).ok();
    p.remove("a.out");
    p.taskr(["--cache=off", "a"]).ran(["a"]).makes("a.out", "1\n").ok();
    p.remove("a.out");
    p.taskr(["a"]).env("TASKR_CACHE", "off").ran(["a"]).makes("a.out", "1\n").ok();
    p.remove("a.out");
    p.taskr(["--cache=local", "a"]).env("TASKR_CACHE", "off").makes("a.out", "1\n").ok();
    p.taskr(["a"]).env("TASKR_CACHE", "on").says("TASKR_CACHE is \"on\"").says("`off` or").exits(2);
    p.taskr(["a"]).env("TASKR_CACHE_SIZE", "much").says("TASKR_CACHE_SIZE is \"much\"").exits(2);
}

#[test]
fn tasks_that_say_no_are_not_kept() {
    let p = Project::new(
        r#"
[target.no]
inputs = ["a.in"]
outputs = ["no"]
cache = false
run = "ran no; cat a.in >{{ outputs }}"

[target.always]
inputs = ["a.in"]
outputs = ["always"]
always = true
run = "ran always; cat a.in >{{ outputs }}"

[target.sets_up]
inputs = ["a.in"]
installs = ["env"]
run = "ran sets_up; mkdir -p env"
"#,
    )
    .with_store();
    p.write("a.in", "1\n");
    let all = ["no", "always", "sets_up"];
    p.taskr(all).ran(all).any_files().ok();
    assert!(blobs(&p).is_empty());
    p.remove("no").remove("always");
    fs::remove_dir_all(p.path("env")).expect("it was there");
    p.accept_files();
    p.taskr(all).ran(all).any_files().ok();
}

#[test]
fn what_is_made_again_in_no_time_is_kept_only_if_wanted() {
    let taskfile = |cache: &str| {
        format!(
            "[target.t]\ninputs = ['a.in']\noutputs = ['big']\n{cache}\n\
             run = 'ran t; truncate -s 200M {{{{ outputs }}}}'\n"
        )
    };
    let p = Project::new(&taskfile("")).with_store();
    p.write("a.in", "1\n");
    p.taskr(["t"]).ran(["t"]).any_files().ok();
    assert_eq!(blobs(&p).len(), 0);
    p.write("Taskfile.toml", &taskfile("cache = true"));
    p.taskr(["-B", "t"]).ran(["t"]).any_files().ok();
    assert_eq!(blobs(&p).len(), 1);
    p.remove("big");
    p.taskr(["t"]).any_files().says("1 restored").ok();
    assert_eq!(fs::metadata(p.path("big")).expect("it is there").len(), 200 << 20);
}

#[test]
fn a_result_that_is_too_old_is_made_again() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['o']\nmax_age = '2s'\n\
         run = 'ran t; cat a.in >{{ outputs }}'\n",
    )
    .with_store();
    p.write("a.in", "1\n");
    p.taskr(["t"]).ran(["t"]).makes("o", "1\n").ok();
    p.remove("o");
    p.taskr(["t"]).makes("o", "1\n").says("1 restored").ok();
    std::thread::sleep(Duration::from_millis(2_100));
    p.taskr(["why", "t"]).says("its result is older than `max_age`").ok();
    p.taskr(["t"]).ran(["t"]).ok();
    p.fresh("t");
}

#[test]
fn files_that_are_right_already_stay_as_they_are() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['one', 'two']\n\
         run = 'ran t; cp a.in {{ out }}/one; cp a.in {{ out }}/two; cp a.in {{ out }}/left'\n",
    )
    .with_store();
    p.write("a.in", "1\n");
    p.taskr(["t"]).ran(["t"]).makes("one", "1\n").makes("two", "1\n").ok();
    let stamp = |path: &str| {
        let metadata = fs::symlink_metadata(p.path(path)).expect("it is there");
        (metadata.ino(), FileTime::from_last_modification_time(&metadata))
    };
    let paths = ["two", ".taskr/tasks/t/out/left"];
    let before = paths.map(stamp);
    p.remove("one");
    p.taskr(["t"]).makes("one", "1\n").ok();
    assert_eq!(paths.map(stamp), before);
}

#[test]
fn an_edited_output_gives_way_and_is_kept() {
    let p = copying();
    p.write("a.out", "mine\n");
    p.taskr(["a"]).makes("a.out", "1\n").warns("a.out was not as taskr left it").ok();
    let kept = fs::read_dir(p.path(".taskr/replaced")).expect("a folder").flatten();
    let kept = kept.map(|run| fs::read_to_string(run.path().join("a.out")).expect("it is there"));
    assert_eq!(kept.collect::<Vec<_>>(), ["mine\n"]);
    p.write("a.out", "mine\n");
    p.taskr(["--strict", "a"]).says("with --strict it does not give way").any_warning().exits(1);
    assert_eq!(p.read("a.out"), "mine\n");
}

#[test]
fn a_file_of_the_user_among_the_outputs_is_neither_stored_nor_lost() {
    let taskfile = "[target.t]\ninputs = ['a.in']\noutputs = ['gen/*.txt']\n\
                    run = 'ran t; mkdir -p {{ out }}/gen; cp a.in {{ out }}/gen/a.txt'\n";
    let p = Project::new(taskfile).with_store();
    p.write("a.in", "1\n").write("gen/mine.txt", "mine\n");
    p.taskr(["t"]).ran(["t"]).makes("gen/a.txt", "1\n").warns("gen/mine.txt was there before").ok();
    assert_eq!(blobs(&p).len(), 0, "nobody can say what a clean build would leave there");
    let other = p.sibling("other");
    other.write("Taskfile.toml", taskfile).write("a.in", "1\n");
    other.taskr(["t"]).ran(["t"]).ok();
    assert_eq!(blobs(&p).len(), 1);
    // Restored onto a file of the user: that one is kept and named.
    forget_state(&p);
    p.write("gen/a.txt", "also mine\n");
    p.taskr(["t"]).makes("gen/a.txt", "1\n").warns("gen/a.txt was not as taskr left it").ok();
}

#[test]
fn a_damaged_or_missing_blob_costs_a_run_and_nothing_else() {
    type Damage = fn(&Path);
    let table: [(&str, Damage); 4] = [
        ("deleted", |path| fs::remove_file(path).expect("it was there")),
        ("cut", |path| {
            let file = fs::File::options().write(true).open(path).expect("a file");
            file.set_len(1).expect("shorter");
        }),
        ("flipped", |path| {
            let mut bytes = fs::read(path).expect("a file");
            bytes[0] ^= 1;
            fs::write(path, bytes).expect("a file");
        }),
        ("grown", |path| {
            let mut bytes = fs::read(path).expect("a file");
            bytes.push(0);
            fs::write(path, bytes).expect("a file");
        }),
    ];
    for (how, damage) in table {
        let p = Project::new(
            "[target.t]\ninputs = ['a.in']\noutputs = ['o']\nrun = 'ran t; cat a.in >{{ outputs }}'\n",
        )
        .with_store();
        p.write("a.in", "1\n");
        p.taskr(["t"]).ran(["t"]).makes("o", "1\n").ok();
        let before = blobs(&p);
        assert_eq!(before.len(), 1, "{how}");
        fs::set_permissions(&before[0], fs::Permissions::from_mode(0o644)).expect("a mode");
        damage(&before[0]);
        p.remove("o");
        p.taskr(["t"]).ran(["t"]).makes("o", "1\n").warns("cannot be restored, so it runs").ok();
        p.remove("o");
        p.taskr(["t"]).makes("o", "1\n").says("1 restored").ok();
    }
}

#[test]
fn nothing_of_a_task_whose_input_moved_is_stored() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['o']\nrun = '''\n\
         ran t; cat a.in >{{ outputs }}\n\
         until [ -e ~/go ]; do sleep 0.01; done; cat a.in >>{{ outputs }}'''\n",
    )
    .with_store();
    p.write("a.in", "1\n");
    // There and back again: the content is that of the key, what was read is not.
    let live = p.spawn(["t"]);
    p.await_ran("t");
    until("it has read", || p.path(".taskr/tasks/t/out/o").metadata().is_ok_and(|o| o.len() == 2));
    p.write("a.in", "2\n");
    p.write("a.in", "1\n");
    p.go();
    let output = live.wait();
    assert_eq!(output.status.code(), Some(0), "{output}");
    assert!(output.stderr.contains("runs again"), "{output}");
    p.accept_files();
    assert_eq!(p.take_ran(), ["t", "t"]);
    // Only the second, undisturbed attempt was kept.
    assert_eq!(blobs(&p).len(), 1);
    p.remove("o");
    p.taskr(["t"]).makes("o", "1\n1\n").says("1 restored").ok();
}

#[test]
fn events_tell_what_was_restored_and_what_it_saved() {
    let p = copying();
    p.remove("a.out");
    let run = p.taskr(["--events", "-", "a"]).makes("a.out", "1\n").any_warning().ok();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    let middle = ["task_ready", "task_restoring", "task_output", "task_finished"];
    assert_eq!(names, [&["run_started"], &middle[..], &["run_finished"]].concat());
    assert_eq!(lines[2]["reasons"][0]["code"], "output_missing");
    assert_eq!(lines[3]["text"], "said\nmore\n");
    assert_eq!(lines[4]["outcome"], "restored");
    assert_eq!(lines[4]["outputs"][0]["path"], "a.out");
    assert!(lines[4]["saved_ms"].is_u64(), "{}", lines[4]);
    assert_eq!(lines[5]["counts"]["restored"], 1);
    let result: serde_json::Value =
        serde_json::from_str(&p.read(".taskr/tasks/a/result.json")).expect("JSON");
    assert_eq!(result["outcome"], "restored");
}

#[test]
fn a_dry_run_changes_no_byte_of_the_store() {
    let p = copying();
    p.remove("a.out");
    // But for what SQLite's readers share with each other while they read.
    let state = || {
        let mut all = fingerprint(&p.store());
        let shared = |path: &str| path.ends_with("index.db-shm") || path.ends_with("index.db-wal");
        all.retain(|path, _| path.is_file() && !shared(&path.display().to_string()));
        all
    };
    let before = state();
    assert!(before.len() > 3, "{before:?}");
    p.taskr(["-n", "a"]).says("would restore a").ok();
    p.taskr(["why", "a"]).says("would be restored").ok();
    assert_eq!(state(), before);
}

#[test]
fn a_store_that_cannot_be_used_never_fails_a_build() {
    let p = Project::new(COPY).with_store();
    p.write("a.in", "1\n");
    fs::create_dir(p.outside("home/.cache")).expect("a folder");
    fs::write(p.store(), "a file").expect("a file");
    p.taskr(["a"]).ran(["a"]).makes("a.out", "1\n").warns("store").ok();
    p.fresh("a");
    assert_eq!(fs::read_to_string(p.store()).expect("it is there"), "a file");
}

#[test]
fn the_store_is_where_the_user_says() {
    let p = Project::new(COPY).with_store();
    p.write("a.in", "1\n");
    let place = p.outside("elsewhere");
    p.taskr(["a"]).env("TASKR_CACHE_DIR", &place).ran(["a"]).makes("a.out", "1\n").ok();
    assert!(place.join("blobs").is_dir() && !p.store().exists());
    let relative = p.taskr(["a"]).env("TASKR_CACHE_DIR", "elsewhere");
    relative.says("TASKR_CACHE_DIR is a relative path: elsewhere").exits(2);
    fs::create_dir_all(p.outside("home/.config/taskr")).expect("a folder");
    let config = format!("[cache]\ndir = \"{}\"\n", place.display());
    fs::write(p.outside("home/.config/taskr/config.toml"), config).expect("a file");
    p.remove("a.out");
    p.taskr(["a"]).makes("a.out", "1\n").says("1 restored").ok();
    assert!(!p.store().exists());
}

#[test]
fn a_header_of_a_task_that_is_no_longer_waited_for_is_not_trusted() {
    let taskfile = |after: &str| {
        format!(
            r#"
[target.gen]
inputs = ["gen.in"]
outputs = ["gen.h"]
run = "ran gen; cat gen.in >{{{{ outputs }}}}"

[target.o]
inputs = ["m.c"]
outputs = ["m.o"]
{after}
run = '''
ran o
cat m.c gen.h >{{{{ outputs }}}}
echo "m.o: gen.h" >{{{{ depfile }}}}
'''
"#
        )
    };
    let p = Project::new(&taskfile("after = ['gen']")).with_store();
    p.write("m.c", "m\n").write("gen.in", "1\n");
    p.taskr(["o"]).ran(["gen", "o"]).makes("gen.h", "1\n").makes("m.o", "m\n1\n").ok();
    p.write("Taskfile.toml", &taskfile("")).write("gen.in", "2\n");
    p.taskr(["why", "o"]).says("gen makes gen.h, and is not waited for").ok();
    p.taskr(["o"]).ran(["o"]).says("add `after = [\"gen\"]`").exits(1);
}

#[test]
fn a_link_comes_back_as_a_link() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['d']\n\
         run = 'ran t; mkdir {{ out }}/d; cp a.in {{ out }}/d/f; ln -s f {{ out }}/d/l'\n",
    )
    .with_store();
    p.write("a.in", "1\n");
    p.taskr(["t"]).ran(["t"]).any_files().ok();
    fs::remove_dir_all(p.path("d")).expect("it was there");
    p.accept_files();
    let link = Entry::Link("f".into());
    p.taskr(["t"]).makes("d/f", "1\n").makes_entry("d/l", link).says("1 restored").ok();
}

#[test]
fn a_newer_result_takes_the_place_of_one_that_is_too_old() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.in']\noutputs = ['o']\nmax_age = '1s'\n\
         run = 'ran t; cat ~/world >{{ outputs }}'\n",
    )
    .with_store();
    fs::write(p.outside("home/world"), "old\n").expect("a file");
    p.write("a.in", "1\n");
    p.taskr(["t"]).ran(["t"]).makes("o", "old\n").ok();
    std::thread::sleep(Duration::from_millis(1_100));
    fs::write(p.outside("home/world"), "new\n").expect("a file");
    p.taskr(["t"]).ran(["t"]).makes("o", "new\n").ok();
    p.remove("o");
    p.taskr(["t"]).makes("o", "new\n").says("1 restored").ok();
    p.taskr(["flaky"]).says("no task is known").ok();
}

#[test]
fn outputs_with_rights_of_their_own_are_not_stored() {
    for mode in ["4755", "2755", "600"] {
        let p = Project::new(&format!(
            "[target.t]\ninputs = ['a.in']\noutputs = ['o']\n\
             run = 'ran t; cp a.in {{{{ outputs }}}}; chmod {mode} {{{{ outputs }}}}'\n"
        ))
        .with_store();
        p.write("a.in", "1\n");
        p.taskr(["t"]).ran(["t"]).any_files().ok();
        let rights =
            || fs::metadata(p.path("o")).expect("it is there").permissions().mode() & 0o7777;
        let made = rights();
        assert_eq!(format!("{made:o}"), mode);
        fs::remove_file(p.path("o")).expect("it was there");
        p.taskr(["t"]).ran(["t"]).any_files().ok();
        assert_eq!(rights(), made);
    }
}

#[test]
fn a_folder_of_somebody_else_never_becomes_a_store() {
    let p = Project::new(COPY).with_store();
    p.write("a.in", "1\n");
    let place = p.outside("documents");
    fs::create_dir_all(place.join("tmp/folder")).expect("a folder");
    fs::write(place.join("tmp/precious"), "mine").expect("a file");
    // Nothing in it speaks against a store: it becomes one, and what it had stays.
    p.taskr(["a"]).env("TASKR_CACHE_DIR", &place).ran(["a"]).makes("a.out", "1\n").ok();
    p.taskr(["cache", "trim", "--size", "0"]).env("TASKR_CACHE_DIR", &place).ok();
    p.taskr(["cache", "clear"]).env("TASKR_CACHE_DIR", &place).ok();
    assert_eq!(fs::read_to_string(place.join("tmp/precious")).expect("it is there"), "mine");
    assert!(place.join("tmp/folder").is_dir());
    let place = p.outside("home");
    let before = tree(&place);
    fs::write(place.join("letter"), "mine").expect("a file");
    let run = p.taskr(["-B", "a"]).env("TASKR_CACHE_DIR", &place).ran(["a"]);
    run.warns("the folder holds letter, so it is no store").ok();
    fs::remove_file(place.join("letter")).expect("it was there");
    assert_eq!(tree(&place), before);
}

#[test]
fn a_result_that_was_made_anew_takes_the_place_of_the_old_one() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = ['o']\nrun = 'ran t; cat ~/world >{{ outputs }}'\n",
    )
    .with_store();
    let world = |text: &str| fs::write(p.outside("home/world"), text).expect("a file");
    world("old\n");
    p.taskr(["t"]).ran(["t"]).makes("o", "old\n").ok();
    world("new\n");
    p.taskr(["-B", "t"]).ran(["t"]).makes("o", "new\n").ok();
    p.remove("o");
    p.taskr(["t"]).makes("o", "new\n").says("1 restored").ok();
    p.taskr(["flaky"]).says("it made something else of o").ok();
    // Another checkout made it otherwise since: that is not what this one has recorded.
    let other = p.sibling("other");
    world("newest\n");
    other.write("Taskfile.toml", &p.read("Taskfile.toml"));
    other.taskr(["-B", "t"]).ran(["t"]).ok();
    p.remove("o");
    world("newer than that\n");
    p.taskr(["t"]).ran(["t"]).makes("o", "newer than that\n").ok();
}

#[test]
fn what_keeps_one_workspace_from_restoring_costs_the_others_nothing() {
    let p = copying();
    let other = p.sibling("other");
    other.write("Taskfile.toml", COPY).write("a.in", "1\n").write("a.out", "mine\n");
    let refused = other.taskr(["--strict", "a"]).says("with --strict it does not give way");
    refused.never_says("so it runs").exits(1);
    fs::remove_file(p.outside("other/a.out")).expect("it was there");
    other.taskr(["--strict", "a"]).says("1 restored").ok();
}

/// Folders that are not there come back as a whole, all else file by file: it is the same.
#[test]
fn folders_that_are_gone_and_folders_that_lack_something() {
    let p = Project::new(
        "[target.t]\ninputs = []\noutputs = ['o', 'g/**', 'g/h/deep']\ncache = true\n\
         run = \"\"\"ran t; mkdir -p o/deep/er o/none g/h/deep; echo 1 > o/deep/er/f\n\
         ln -s deep/er/f o/link; echo x > o/x; chmod +x o/x; echo 2 > g/h/i; echo 3 > g/h/deep/j\"\"\"\n",
    )
    .with_store();
    let shell = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(p.root());
        let output = shell.output().expect("sh");
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let list =
        || shell("find o g -printf '%p %y %m %l\\n' | sort; cat o/deep/er/f o/x g/h/i g/h/deep/j");
    p.taskr(["t"]).ran(["t"]).any_files().ok();
    let made = list();
    assert_eq!(made.lines().count(), 16, "{made}");
    for (gone, told) in [
        ("rm -r o g", "1 restored"),
        ("rm -r o", "1 restored"),
        ("rm -r g", "1 restored"),
        ("rm -r g/h/deep", "1 restored"),
        ("rm o/x", "1 restored"),
        ("rm -r o; mkdir o", "1 restored"),
        ("rm -r o; mkdir o; echo 9 > o/x", "o/x was not as taskr left it: it is kept in "),
        ("rm -r o; echo 9 > o", "o was not as taskr left it: it is kept in "),
    ] {
        shell(gone);
        let output = p.spawn(["t"]).wait();
        assert!(output.stdout.contains("1 restored"), "{gone}: {output}");
        assert!(output.to_string().contains(told), "{gone}: {output}");
        assert_eq!(list(), made, "{gone}");
        p.accept_files();
        p.fresh("t");
        assert_eq!(shell("ls -A .taskr/tasks/t/restore"), "", "{gone}");
    }
}
