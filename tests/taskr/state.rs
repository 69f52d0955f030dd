//! `.taskr` may be lost, damaged or half written at any time: it costs time, never a wrong answer.
//!
//! `TASKR_STATE=all` cuts the database at every length of its first two pages and at every 97th
//! behind, and flips 2,000 times instead of 40; `cache/src/state/tests` does so always, in process.

use std::fs;
use std::process::Command;

use crate::oracle::random::Random;
use crate::project::Project;

const TASKS: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["a"]
run     = "ran a; cat in > {{ outputs }}"
[target.b]
inputs  = ["@a", "src/*"]
outputs = ["b"]
run     = "ran b; cat {{ inputs }} > b"
[target.c]
inputs  = ["@b"]
run     = "ran c; cat b > $OUT/c"
"#;

fn built() -> Project {
    let p = Project::new(TASKS);
    p.write("in", "1\n").write("src/x", "x\n");
    p.taskr(["c"]).ran(["a", "b", "c"]).makes("a", "1\n").makes("b", "1\nx\n").ok();
    p
}

/// After any damage: a build is right, runs at most everything once, and the next does nothing.
fn comes_through(p: &Project, damage: &str) {
    p.write("in", "2\n");
    let output = p.spawn(["c"]).wait();
    assert_eq!(output.status.code(), Some(0), "{damage}: {output}");
    assert!(!output.stderr.contains("panicked"), "{damage}: {output}");
    let about_state = output.stderr.lines().filter(|line| !line.contains(".taskr/replaced/"));
    assert!(about_state.count() <= 1, "one sentence: {damage}: {output}");
    assert_eq!(p.read("b"), "2\nx\n", "{damage}: {output}");
    assert!(p.take_ran().len() <= 3, "{damage}: {output}");
    let mut again = p.spawn(["c"]).wait();
    if output.stderr.contains("the rest of this run is not recorded") {
        // The harm was found only when it was written: that costs one build more, as was told.
        assert_eq!(again.status.code(), Some(0), "{damage}: {again}");
        assert_eq!(p.read("b"), "2\nx\n", "{damage}: {again}");
        p.take_ran();
        again = p.spawn(["c"]).wait();
    }
    let quiet = (Some(0), "");
    assert_eq!((again.status.code(), again.stderr.as_str()), quiet, "{damage}: {output} {again}");
    assert_eq!(p.take_ran(), [""; 0], "{damage}: {again}");
    p.write("in", "1\n");
    assert!(p.spawn(["c"]).wait().status.success());
    p.take_ran();
}

fn plays_all() -> bool {
    std::env::var_os("TASKR_STATE").is_some()
}

/// D13: anything may stand where the database should be, and nothing hangs.
#[test]
fn something_else_in_its_place() {
    let p = built();
    let path = p.path(".taskr/state.db");
    let wipe = || {
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
    };
    let places: [(&str, &dyn Fn()); 6] = [
        ("garbage", &|| fs::write(&path, "not a database").expect("a file")),
        ("nothing", &wipe),
        ("empty", &|| fs::write(&path, "").expect("a file")),
        ("a folder", &|| {
            wipe();
            fs::create_dir(&path).expect("a folder");
        }),
        ("a pipe", &|| {
            wipe();
            assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        }),
        ("zeros", &|| {
            wipe();
            fs::write(&path, [0; 20_000]).expect("a file");
        }),
    ];
    for (name, place) in places {
        place();
        comes_through(&p, name);
    }
}

/// D11: cut at any length.
#[test]
fn a_database_cut_short() {
    let p = built();
    let path = p.path(".taskr/state.db");
    let bytes = fs::read(&path).expect("a database");
    assert!(!p.path(".taskr/state.db-wal").exists(), "a clean end leaves no log");
    let lengths: Vec<usize> = match plays_all() {
        true => (0..8192).chain((8192..bytes.len()).step_by(97)).collect(),
        false => (0..bytes.len()).step_by(bytes.len() / 25 + 1).collect(),
    };
    for length in lengths {
        fs::write(&path, &bytes[..length]).expect("a file");
        comes_through(&p, &format!("cut to {length} bytes"));
    }
}

/// D12: SQLite's own check does not see a flipped payload.
#[test]
fn flipped_bits() {
    let p = built();
    let path = p.path(".taskr/state.db");
    let mut random = Random::new(7);
    for round in 0..if plays_all() { 2000 } else { 40 } {
        let mut bytes = fs::read(&path).expect("a database");
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        fs::write(&path, bytes).expect("a file");
        comes_through(&p, &format!("flips of round {round}"));
    }
}

/// A page of a B-tree that leads back to an earlier one: a scan without a bound of its own would
/// never end.
#[test]
fn a_tree_that_is_a_circle() {
    const PAGE: usize = 4096;
    let p = Project::new(
        "[target.t]\ninputs = [\"in\"]\nforeach = [\"src/*\"]\nrun = \"cat {{ item }} in\"\n",
    );
    p.write("in", "1");
    for n in 0..60 {
        p.write(format!("src/{n}"), "");
    }
    assert!(p.spawn(["-q", "t"]).wait().status.success());
    let path = p.path(".taskr/state.db");
    let good = fs::read(&path).expect("a database");
    let pages = good.len() / PAGE;
    // The first byte of an interior page, and where its right-most child is named.
    let interior = [2, 5];
    let mut circles = 0;
    for page in (1..pages).filter(|page| interior.contains(&good[page * PAGE])) {
        let mut bytes = good.clone();
        let child = page * PAGE + 8;
        bytes[child..child + 4]
            .copy_from_slice(&u32::try_from(page + 1).expect("few").to_be_bytes());
        fs::write(&path, bytes).expect("a file");
        for args in [["why", "t"], ["-n", "t"], ["-q", "t"]] {
            let output = p.spawn(args).wait();
            assert!(output.status.success(), "{args:?} {output}");
        }
        circles += 1;
    }
    assert!(circles > 0, "no interior page in {pages} pages");
    p.taskr(["t"]).ok();
}

/// Oracle seed 335: a flipped bit puts a row out of order, so that a scan finds rows which a write by
/// key does not. Records of tasks that are no more could then not be removed, for ever.
#[test]
fn rows_out_of_order() {
    let name = |n: usize| format!("t{n:02}");
    let text = |n: usize| format!("[target.{}]\ninputs = [\"in\"]\nrun = \"ran t\"\n", name(n));
    let p = Project::new(&(0..16).map(text).collect::<String>());
    p.write("in", "1");
    p.taskr((0..16).map(name)).ran(["t"; 16]).ok();
    p.write("Taskfile.toml", &(0..16).step_by(2).map(text).collect::<String>());
    let path = p.path(".taskr/state.db");
    let good = fs::read(&path).expect("a database");
    let id = b"Taskfile.toml\0default\0t";
    let rows: Vec<_> =
        (1..good.len() - id.len()).filter(|&at| good[at..].starts_with(id)).collect();
    assert!(rows.len() >= 16, "only {} rows were found", rows.len());
    for row in rows {
        let mut bytes = good.clone();
        // The number of the table stands before the id.
        bytes[row - 1] ^= 16;
        fs::write(&path, bytes).expect("a file");
        let output = p.spawn((0..16).step_by(2).map(name)).wait();
        assert!(output.status.success(), "row at {row}: {output}");
        p.take_ran();
        let again = p.spawn((0..16).step_by(2).map(name)).wait();
        assert!(again.status.success() && p.take_ran().is_empty(), "row at {row}: {again}");
    }
}

/// D14: a log of another database beside this one.
#[test]
fn a_stale_write_ahead_log() {
    let p = built();
    fs::write(p.path(".taskr/state.db-wal"), [7; 5000]).expect("a file");
    fs::write(p.path(".taskr/state.db-shm"), [7; 32768]).expect("a file");
    comes_through(&p, "garbage as a log");
    fs::remove_file(p.path(".taskr/state.db")).expect("it was there");
    fs::write(p.path(".taskr/state.db-wal"), [7; 5000]).expect("a file");
    comes_through(&p, "a log without its database");
}

/// D19 and its parts.
#[test]
fn parts_of_the_folder_are_gone() {
    let p = built();
    for part in
        ["", "tasks", "tasks/a", "tasks/c", "tasks/c/out", "intents", "runs", "clock", "lock"]
    {
        let path = p.path(".taskr").join(part);
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
        comes_through(&p, &format!("no {part:?}"));
    }
    assert_eq!(p.read(".taskr/.gitignore"), "*\n");
}

/// D19: it goes while a task runs.
#[test]
fn the_folder_goes_during_the_build() {
    let p = Project::new(&TASKS.replace("ran b;", "ran b; rm -rf .taskr; mkdir -p $TMPDIR;"));
    p.write("in", "1\n").write("src/x", "x\n");
    let output = p.spawn(["c"]).wait();
    assert!(!output.stderr.contains("panicked"), "{output}");
    p.take_ran();
    p.write("Taskfile.toml", TASKS);
    comes_through(&p, "gone during the build");
}

/// A torn intent is ignored, garbage in it too.
#[test]
fn damaged_intents() {
    let p = built();
    for bytes in [&[0_u8; 3][..], &[255; 4096], b"words"] {
        fs::write(p.path(".taskr/intents"), bytes).expect("a file");
        comes_through(&p, "garbage as intents");
    }
}
