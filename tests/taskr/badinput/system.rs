//! What the system refuses: programs, long command lines, open files, processes, room.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::{refused, sh, sh_as_nobody, start};
use crate::project::Project;

const PROGRAMS: &str = r#"
[vars]
nothing = ""
[target]
bare = "./shebang.sh"
nosuch = { exec = ["nosuch"] }
typo = { exec = ["./hi.hs"] }
plain = { exec = ["./plain.sh"] }
folder = { exec = ["./sub"] }
shebang = { exec = ["./shebang.sh"] }
nothing = { exec = ["./nothing"] }
windows = { exec = ["./windows.sh"] }
words = { exec = ["cc -c x.c"] }
link = { exec = ["./link"] }
here = { exec = ["hi.sh"] }
escape = { exec = ["./\u001b[31mred"] }
empty = { exec = ["{{ nothing }}"] }
dir = { dir = "sbu", run = "true" }
file = { dir = "hi.sh", run = "true" }
"#;

/// What is wrong with a program is told where it was called, not what the system calls it.
#[test]
fn programs_that_do_not_start() {
    let p = Project::new(PROGRAMS);
    for (name, text, mode) in [
        ("hi.sh", "#!/bin/sh\n", 0o755),
        ("plain.sh", "#!/bin/sh\n", 0o644),
        ("shebang.sh", "#!/bin/no-shell\n", 0o755),
        ("nothing", "", 0o755),
        ("windows.sh", "#!/bin/sh\r\ntrue\r\n", 0o755),
        ("sub/file", "", 0o644),
    ] {
        p.write(name, text).chmod(name, mode);
    }
    p.link("link", "nowhere");
    for (target, what) in [
        ("nosuch", "there is no program `nosuch` in PATH"),
        ("typo", "there is no program `./hi.hs`; did you mean `./hi.sh`?"),
        (
            "plain",
            "`./plain.sh` is not executable: `chmod +x ./plain.sh`, or [\"sh\", \"./plain.sh\"]",
        ),
        ("folder", "`./sub` is a folder, no program"),
        (
            "shebang",
            "cannot start `./shebang.sh`: its interpreter /bin/no-shell does not exist (see its first line)",
        ),
        (
            "bare",
            "cannot start `./shebang.sh`: its interpreter /bin/no-shell does not exist (see its first line)",
        ),
        (
            "nothing",
            "cannot start `./nothing`: a script begins with the line of its interpreter, such as `#!/bin/sh`",
        ),
        (
            "windows",
            "cannot start `./windows.sh`: its lines end as on Windows: `sed -i 's/\\r$//' ./windows.sh`",
        ),
        (
            "words",
            "there is no program `cc -c x.c`: write each word as a string of its own, as in exec = [\"cc\", \"…\"], or `run` for a line of a shell",
        ),
        ("link", "`./link` is a link to `nowhere`, which does not exist"),
        ("here", "there is no program `hi.sh` in PATH; the one in its folder is `./hi.sh`"),
        ("escape", "there is no program `./\\u{1b}[31mred`"),
        ("empty", "its program is the empty word"),
        ("dir", "its folder `sbu` does not exist; did you mean `sub`?"),
        ("file", "its folder `hi.sh` is a file"),
    ] {
        let output = sh(&p, "", &format!("taskr {target}"));
        assert_eq!(output.status.code(), Some(1), "{output}");
        assert!(output.stdout.contains(&format!("failed: {what}\n")), "{what} {output}");
        assert_eq!(output.stderr, "", "{output}");
        assert!(!output.stdout.contains("os error"), "{output}");
    }
}

/// More than the system takes: which limit, and what to do.
#[test]
fn command_lines_that_are_too_long() {
    let long = "x".repeat(200_000);
    let many = format!("'{}', ", "y".repeat(100_000)).repeat(30);
    let p = Project::new(&format!(
        "[vars]\nlong = '{long}'\nmany = [{many}]\n[target.long]\nexec = ['echo', '{{{{ long }}}}']\n\
         [target.script]\nrun = 'echo {{{{ long }}}}; true'\n\
         [target.many]\nexec = ['echo', '{{{{ many }}}}']\n"
    ));
    let longest = "its longest argument (a script is one) has 2000";
    for (target, program, what) in [
        ("long", "echo", longest),
        ("script", "sh", longest),
        ("many", "echo", "its command line has 3000030 bytes and its environment "),
    ] {
        let output = sh(&p, "", &format!("taskr {target}"));
        assert_eq!(output.status.code(), Some(1), "{output}");
        let line = output.stdout.lines().next().unwrap_or_default();
        assert!(line.contains(&format!("bin/{program}`: {what}")), "{line}");
        assert!(line.len() < 300, "{line}");
    }
}

const FILES: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["out"]
run     = "cat in > {{ outputs }}"
[target.b]
matrix = { n = ["1", "2", "3", "4", "5", "6", "7", "8"] }
run    = "true"
"#;

fn files() -> Project {
    let p = Project::new(FILES);
    p.write("in", "1\n");
    p
}

#[test]
fn few_open_files() {
    let p = files();
    let text = "error: too few files may be open: `ulimit -n` is 16\n\
                help: `ulimit -n 40` is enough for 2 tasks at once";
    refused(&p, &sh(&p, "", "ulimit -n 16; taskr -j2 a"), 2, text);
    let text =
        "warning: at most 3 tasks run at once: `ulimit -n` is 48, and 8 would need 88 open files\n";
    let output = sh(&p, "", "ulimit -n 48; taskr -j8 b");
    assert_eq!((output.status.code(), output.stderr.as_str()), (Some(0), text), "{output}");
    assert!(output.stdout.contains("8 ran") && output.stdout.contains("-j3"), "{output}");
}

/// Wherever the limit of processes strikes: no panic, and afterwards all is well.
#[test]
fn few_processes() {
    let p = files();
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root can become a user without other processes");
        return;
    }
    fs::set_permissions(p.root(), Permissions::from_mode(0o777)).expect("a mode");
    let taskr = |limit: u32| {
        let mut command = Command::new("setpriv");
        let script = format!("ulimit -u {limit}; exec taskr -j4 a");
        command.args(["--reuid=61234", "--regid=61234", "--clear-groups", "bash", "-c", &script]);
        start(&p, "", &mut command)
    };
    let mut failures = 0;
    for limit in 1..12 {
        let output = taskr(limit);
        assert!(!output.stderr.contains("panicked"), "{limit}: {output}");
        assert!(!output.stdout.contains("os error"), "{limit}: {output}");
        let both = format!("{}{}", output.stdout, output.stderr);
        let blamed = both.contains("ulimit -u") || both.contains("fork");
        match output.status.code() {
            Some(0) => assert_eq!(p.read("out"), "1\n", "{output}"),
            Some(1 | 2) if blamed => failures += 1,
            _ => panic!("{limit}: {output}"),
        }
    }
    assert!(failures > 2, "the limit never struck");
    assert_eq!(taskr(100).status.code(), Some(0));
    assert!(taskr(100).stdout.contains("up to date"));
}

/// A file system that is full: nothing is vouched for that was not written, and all is well as
/// soon as there is room.
#[test]
fn a_full_disk() {
    let p = files();
    let script = r#"
        mount -t tmpfs -o size=256k none disk 2>/dev/null || exit 98
        cp Taskfile.toml in disk && cd disk && taskr a || exit 97
        echo 2 > in; head -c 1000000 /dev/zero > fill 2>/dev/null
        if echo x > canary 2>/dev/null && [ -s canary ]; then exit 96; fi
        taskr a >log1 2>&1 | cat; taskr a 2>&1; echo "[$?]"
        [ "$(cat out)" = 1 ] || exit 95
        taskr -n a && taskr why a && taskr list || exit 94
        rm fill; taskr a || exit 93; [ "$(cat out)" = 2 ] || exit 92
        rm -rf .taskr; head -c 1000000 /dev/zero > fill 2>/dev/null
        taskr a 2>&1; echo "[$?]"
        rm -f fill; taskr a && taskr a"#;
    fs::create_dir(p.path("disk")).expect("a folder");
    let mut command = Command::new("unshare");
    let output = start(&p, "", command.args(["-rm", "sh", "-c", script]));
    if output.status.code() == Some(98) || output.stderr.contains("unshare failed") {
        eprintln!("SKIPPED: no file system can be mounted here: {output}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{output}");
    let remedy =
        "No space left on device\nhelp: make room on its disk: `df -h` shows which is full\n[2]\n";
    assert_eq!(output.stdout.matches(remedy).count(), 2, "{output}");
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(last.contains("up to date"), "{output}");
}

/// `ulimit -f` counts blocks of 512 bytes; reaching it must not end taskr in the middle.
#[test]
fn files_that_may_not_grow() {
    let p = files();
    // Written through a pipe, which has no limit.
    let output = sh(&p, "", "{ ulimit -f 0; taskr a; echo \"[$?]\"; } 2>&1 | cat");
    assert!(output.stdout.ends_with("`ulimit -f` shows the limit\n[2]\n"), "{output}");
    for blocks in [1, 2, 8, 16, 64] {
        let script = format!("{{ ulimit -f {blocks}; taskr -B a; echo \"[$?]\"; }} 2>&1 | cat");
        let output = sh(&p, "", &script);
        assert!(output.stdout.ends_with("[0]\n"), "{blocks}: {output}");
        assert!(!output.stdout.contains("os error"), "{output}");
    }
    let log = "{ ulimit -f 8; taskr noisy; echo \"[$?]\"; } 2>&1 | cat";
    let noisy = "[target.noisy]\nrun = 'head -c 100000 /dev/zero | tr \"\\000\" x'\n";
    p.write("Taskfile.toml", &format!("{FILES}{noisy}"));
    let output = sh(&p, "", log);
    assert!(output.stdout.contains("its log is incomplete: File too large"), "{output}");
    assert!(output.stdout.ends_with("[0]\n"), "{output}");
    let output = sh(&p, "", "taskr a && taskr a");
    assert!(output.status.success(), "{output}");
    assert_eq!(p.read("out"), "1\n");
}

/// Something else, or nothing that may be used, stands where the state is kept.
#[test]
fn no_folder_for_the_state() {
    let p = files();
    let state = p.path(".taskr");
    let help = "help: move it away; taskr keeps its state in a folder of that name";
    fs::write(&state, "").expect("a file");
    let text = format!("error: WS/.taskr is a file: taskr needs a folder there\n{help}");
    refused(&p, &sh(&p, "", "taskr a"), 2, &text);
    fs::remove_file(&state).expect("it is there");
    let text = format!("error: WS/.taskr is a link: taskr needs a folder there\n{help}");
    for target in ["nowhere", "/tmp", "/proc/1/root/x"] {
        symlink(target, &state).expect("a link");
        refused(&p, &sh(&p, "", "taskr a"), 2, &text);
        fs::remove_file(&state).expect("it is there");
    }
    let denied = |doing: &str| {
        format!(
            "error: cannot {doing} WS/.taskr: Permission denied\n\
             help: a build keeps its state there; `taskr -n` and `taskr why` only read"
        )
    };
    fs::set_permissions(p.root(), Permissions::from_mode(0o555)).expect("a mode");
    let canary = "! test -w . || exit 99; ";
    refused(&p, &sh_as_nobody(&p, "", &format!("{canary}taskr a")), 2, &denied("write"));
    for tool in ["-n a", "why a", "list", "clean"] {
        let output = sh_as_nobody(&p, "", &format!("{canary}taskr {tool}"));
        assert_eq!((output.status.code(), output.stderr.as_str()), (Some(0), ""), "{output}");
    }
    fs::set_permissions(p.root(), Permissions::from_mode(0o777)).expect("a mode");
    assert!(sh(&p, "", "taskr a").status.success());
    fs::set_permissions(&state, Permissions::from_mode(0o0)).expect("a mode");
    let canary = "! ls .taskr 2>/dev/null || exit 99; ";
    let output = sh_as_nobody(&p, "", &format!("{canary}taskr -n a"));
    let warning = format!(
        "warning: the build state {}/state.db cannot be read (Permission denied) and counts as empty\n",
        state.display()
    );
    assert_eq!((output.status.code(), output.stderr), (Some(0), warning));
    fs::set_permissions(&state, Permissions::from_mode(0o755)).expect("a mode");
}

/// A disk that can only be read: whatever only reads works.
#[test]
fn a_disk_that_is_read_only() {
    let p = files();
    assert!(sh(&p, "", "taskr a").status.success());
    let script = r#"
        here=$PWD; mount --bind . . && mount -o remount,bind,ro . || exit 98
        cd /; cd "$here"; ! touch canary 2>/dev/null || exit 97
        taskr -n a && taskr why a && taskr list && taskr log a 2>&1 || exit 96
        taskr a >&2; echo "[$?]""#;
    let mut command = Command::new("unshare");
    let output = start(&p, "", command.args(["-rm", "sh", "-c", script]));
    if output.status.code() == Some(98) || output.stderr.contains("unshare failed") {
        eprintln!("SKIPPED: no file system can be mounted here: {output}");
        return;
    }
    assert!(output.stdout.ends_with("[2]\n"), "{output}");
    let text = "error: cannot lock WS/.taskr: Read-only file system\n\
                help: a build keeps its state there; `taskr -n` and `taskr why` only read";
    refused(&p, &output, 0, text);
}

/// An input that is there and may not be read is told by name, and as what it is.
#[test]
fn an_unreadable_input() {
    let p = files();
    fs::set_permissions(p.root(), Permissions::from_mode(0o777)).expect("a mode");
    p.chmod("in", 0);
    for tool in ["a", "-n a", "why a"] {
        let output = sh_as_nobody(&p, "", &format!("! test -r in || exit 99; taskr {tool}"));
        assert_eq!(output.status.code(), Some(2), "{output}");
        let line = "cannot read in: Permission denied\n";
        assert!(output.stdout.contains(line), "{output}");
    }
    p.chmod("in", 0o644);
}
