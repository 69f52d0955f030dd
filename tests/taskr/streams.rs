//! What tasks write and who reads it: any amount, any bytes, any reader.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::project::{Live, Project};

/// S19: memory is bounded whatever is written. `VmHWM` is the most that taskr ever had resident.
#[test]
fn a_task_that_writes_without_end() {
    let p = Project::new(
        r#"
        [target.small]
        run = "grep VmHWM /proc/$PPID/status > $HOME/before"
        [target.big]
        run = """
        head -c 60000000 /dev/zero | tr '\\0' 'x'
        yes | head -c 30000000
        grep VmHWM /proc/$PPID/status > $HOME/after
        """
        "#,
    );
    for mode in ["grouped", "stream", "failed", "none"] {
        let small = p.spawn(["--output", mode, "small"]).wait();
        assert!(small.status.success(), "{small}");
        let output = p.spawn(["--output", mode, "big"]).wait();
        assert!(output.status.success(), "{}", output.stderr);
        let kib = |name: &str| {
            let line = fs::read_to_string(p.outside("home").join(name)).expect("a line");
            line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok())
        };
        let (before, after) = (kib("before").expect("KiB"), kib("after").expect("KiB"));
        assert!(after < before + 32 * 1024, "{mode}: from {before} to {after} KiB");
    }
}

/// S16: a reader that goes away is no reason to panic; what was built is right.
#[test]
fn a_reader_that_goes_away() {
    let p = Project::new(
        r#"
        [target.t]
        inputs  = ["in"]
        matrix  = { n = ["1", "2", "3", "4", "5", "6", "7", "8"] }
        outputs = ["gen/{{ matrix.n }}"]
        run     = "echo words; head -c 200000 /dev/zero | tr '\\0' 'x'; cat in > {{ outputs }}"
        "#,
    );
    p.write("in", "1");
    for args in [["-j2", "t"].as_slice(), &["-j2", "-B", "--output=stream", "t"], &["list"]] {
        let mut command = p.command(&p.root(), args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("taskr");
        let mut stdout = child.stdout.take().expect("piped");
        let _ = stdout.read(&mut [0; 1]);
        drop(stdout);
        let output = child.wait_with_output().expect("an end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        p.await_no_process();
    }
    let run = p.taskr(["--output=none", "t"]).any_ran().any_warning();
    (1..=8).fold(run, |run, n| run.makes(format!("gen/{n}"), "1")).ok();
}

/// S20: bytes come through as they are, in the log and on stdout.
#[test]
fn any_bytes() {
    let p = Project::new(
        r#"
        [target.t]
        inputs = []
        run    = "printf 'a\\377\\000b\\r\\nno newline'"
        "#,
    );
    let output = p.command(&p.root(), ["t"]).output().expect("taskr");
    assert!(output.status.success());
    let bytes = b"a\xff\0b\r\nno newline";
    assert_eq!(fs::read(p.path(".taskr/tasks/t/log")).expect("a log"), bytes);
    assert!(output.stdout.windows(bytes.len()).any(|window| window == bytes), "{output:?}");
}

/// stdout and stderr come in the order in which they were written.
#[test]
fn one_order() {
    let p = Project::new(
        "[target.t]\ninputs = []\nrun = \"for n in $(seq 1 50); do echo out $n; echo err $n >&2; done\"\n",
    );
    p.taskr(["t"]).ok();
    let expected: String = (1..=50).map(|n| format!("out {n}\nerr {n}\n")).collect();
    assert_eq!(p.read(".taskr/tasks/t/log"), expected);
}

/// Blocks of different tasks are not mixed in the default mode.
#[test]
fn grouped_output_is_in_blocks() {
    let p = Project::new(
        r#"
        [target.t]
        inputs = []
        matrix = { n = ["1", "2", "3", "4"] }
        run    = "for i in $(seq 1 30); do echo line-{{ matrix.n }}; sleep 0.001; done"
        "#,
    );
    let output = p.taskr(["-j4", "t"]).ok();
    let mut lines: Vec<&str> =
        output.stdout.lines().filter(|line| line.contains("line-")).collect();
    assert_eq!(lines.len(), 120, "{output}");
    lines.dedup();
    assert_eq!(lines.len(), 4, "four blocks: {output}");
}

#[test]
fn output_modes() {
    let p = Project::new(
        r#"
        [target.good]
        run = "echo words of good"
        [target.bad]
        run = "echo words of bad; exit 1"
        "#,
    );
    let says = |mode: &str, target: &str| {
        let live: Live = p.spawn([format!("--output={mode}").as_str(), target]);
        let output = live.wait();
        assert_eq!(output.status.success(), target == "good", "{mode} {output}");
        format!("{}{}", output.stdout, output.stderr).contains(&format!("words of {target}"))
    };
    assert!(says("grouped", "good") && says("grouped", "bad"));
    assert!(says("stream", "good") && says("stream", "bad"));
    assert!(!says("failed", "good") && says("failed", "bad"));
    assert!(!says("none", "good"));
    p.taskr(["--output=nonsense", "good"]).says("nonsense").says("grouped").exits(2);
}

/// Lines of `stream` carry the task's name.
#[test]
fn streamed_lines_are_prefixed() {
    let p = Project::new(
        "[target.t]\nrun = \"echo one; echo two\"\n[target.u]\nrun = \"echo three\"\n",
    );
    let output = p.taskr(["--output=stream", "t", "u"]).ok();
    for (name, words) in [("t", "one"), ("t", "two"), ("u", "three")] {
        let found = output.stdout.lines().any(|line| line.contains(words) && line.contains(name));
        assert!(found, "{words} of {name} in {output}");
    }
}

/// X16, in part: no colour and no cursor movement where nobody looks.
#[test]
fn no_escape_sequences_into_a_pipe() {
    let p = Project::new("[target.t]\ninputs = []\nrun = \"exit 1\"\n");
    let output = p.taskr(["t"]).never_says("\x1b").exits(1);
    assert!(!output.stdout.contains('\r'));
    p.taskr(["--color=always", "t"]).says("\x1b[").exits(1);
    p.taskr(["t"]).env("CLICOLOR_FORCE", "1").says("\x1b[").exits(1);
    p.taskr(["t"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").never_says("\x1b[").exits(1);
}

/// `[taskr] output` is what `--output` says where nothing is typed; a value may be an expression.
#[test]
fn the_taskfile_says_which_output_is_shown() {
    let p = Project::new(
        r#"
        [taskr]
        output = "{{ 'stream' if ci else 'failed' }}"
        [target]
        good = "echo is $((40 + 2))"
        bad  = "echo is $((50 + 2)); false"
        "#,
    );
    p.taskr(["good"]).any_ran().never_says("is 42").ok();
    p.taskr(["bad"]).any_ran().says("is 52").exits(1);
    p.taskr(["--output", "grouped", "good"]).any_ran().says("is 42").ok();
    p.taskr(["good"]).env("CI", "true").any_ran().says("good | is 42").ok();
    let wrong = p.read("Taskfile.toml").replace("'failed'", "'faild'");
    p.write("Taskfile.toml", &wrong);
    for args in [&["good"][..], &["check"]] {
        let output = p.taskr(args).says("did you mean output = \"failed\"?").exits(2);
        assert!(output.stderr.starts_with("error: `output` takes "), "{output}");
    }
}
