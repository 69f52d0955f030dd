//! `taskr watch`: what wakes it, what does not, and how it ends.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::project::{Live, Output, Project, until};

/// Long enough for a build that should not be.
const LONGER_THAN_A_BUILD: Duration = Duration::from_secs(1);

/// A `taskr watch` at work.
pub(crate) struct Watching<'p> {
    project: &'p Project,
    pub(crate) live: Live,
    events: PathBuf,
}

impl<'p> Watching<'p> {
    /// Starts it and waits until its first build is over.
    pub(crate) fn of(project: &'p Project, args: &[&str]) -> Watching<'p> {
        let watching = Watching::begin(project, args);
        watching.rests(1);
        watching
    }

    pub(crate) fn begin(project: &'p Project, args: &[&str]) -> Watching<'p> {
        let events = project.outside("home/events");
        let all = ["watch", "--events", events.to_str().expect("text")];
        let live = project.spawn(all.iter().chain(args));
        Watching { project, live, events }
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        let text = fs::read_to_string(&self.events).unwrap_or_default();
        text.matches(&format!("\"event\":\"{event}\"")).count()
    }

    /// Waits until it waits for the so many-th time.
    #[track_caller]
    pub(crate) fn rests(&self, times: usize) -> &Self {
        until(&format!("it waits, {times} times"), || self.count("waiting") >= times);
        self
    }

    /// What ran since the last question, in any order, once it waits again.
    #[track_caller]
    pub(crate) fn ran(&self, times: usize, names: &[&str]) -> &Self {
        self.rests(times);
        let (mut ran, mut names) = (self.project.take_ran(), names.to_vec());
        ran.sort();
        names.sort_unstable();
        assert_eq!(ran, names, "until it waits, {times} times");
        self
    }

    /// Ctrl-C. Nothing is left of it.
    #[track_caller]
    pub(crate) fn ends(self) -> Output {
        self.live.signal(Signal::INT);
        let output = self.live.wait();
        assert_eq!(output.status.code(), Some(0), "{output}");
        self.project.await_no_process();
        output
    }
}

fn one() -> Project {
    let p = Project::new(
        "[target.t]\ninputs = ['a']\noutputs = ['o']\nrun = 'ran t; cat a > {{ outputs }}'\n",
    );
    p.write("a", "1");
    p
}

#[test]
fn an_edit_is_built() {
    let p = one();
    let watching = Watching::of(&p, &["t"]);
    watching.ran(1, &["t"]);
    p.write("a", "2");
    watching.ran(2, &["t"]);
    assert_eq!(p.read("o"), "2");
    // As editors save.
    p.write("a.new", "3").rename("a.new", "a");
    watching.ran(3, &["t"]);
    assert_eq!(p.read("o"), "3");
    let output = watching.ends();
    let lines: Vec<&str> = output.stdout.lines().filter(|line| !line.contains("in 0.")).collect();
    let waits = "watching 2 files in 1 folder; Ctrl-C ends";
    let again = "a changed: building again";
    let of_taskr = |line: &&&str| **line == waits || **line == again;
    let of_taskr: Vec<&str> = lines.iter().filter(of_taskr).copied().collect();
    assert_eq!(of_taskr, [waits, again, waits, again, waits], "{output}");
}

/// What a file holds counts, not that it was written.
#[test]
fn what_is_written_and_stays_the_same_is_no_edit() {
    let p = one();
    let watching = Watching::of(&p, &["t"]);
    p.write("a", "1").write("b", "of nobody");
    p.chmod("b", 0o755).remove("b");
    sleep(LONGER_THAN_A_BUILD);
    assert_eq!(watching.count("run_started"), 1);
    // It still watches.
    p.write("a", "2");
    watching.rests(2);
    assert_eq!(watching.count("run_started"), 2);
    watching.ends();
}

/// A source that changes after its task has read it, and before the build is over.
#[test]
fn an_edit_during_a_build_causes_another() {
    let p = Project::new(
        "[target.one]\ninputs = ['a']\noutputs = ['o']\nrun = 'ran one; cat a > {{ outputs }}'\n\
         [target.two]\ninputs = ['o']\n\
         run = 'ran two; until [ -e ~/go ]; do sleep 0.01; done'\n",
    );
    p.write("a", "1");
    let watching = Watching::begin(&p, &["two"]);
    p.await_ran("two");
    p.write("a", "2");
    p.go();
    watching.ran(1, &["one", "two", "one", "two"]);
    assert_eq!(watching.count("run_started"), 2);
    assert_eq!(p.read("o"), "2");
    sleep(LONGER_THAN_A_BUILD);
    assert_eq!(watching.count("run_started"), 2, "one build more is enough");
    watching.ends();
}

#[test]
fn edits_come_in_bursts() {
    let p = Project::new("[target.t]\ninputs = ['src/*']\nrun = 'ran t; cat src/* > /dev/null'\n");
    p.write("src/0", "0");
    let watching = Watching::of(&p, &["t"]);
    watching.ran(1, &["t"]);
    for at in 0..200 {
        p.write(format!("src/{at}"), "of a checkout");
    }
    until("the last edit is built", || p.spawn(["-n", "t"]).wait().stdout.contains("up to date"));
    assert!(p.take_ran().len() <= 3, "a build for each of a few bursts, not for each file");
    watching.ends();
}

#[test]
fn files_that_come_and_go() {
    let p = Project::new(
        "[target.all]\ninputs = ['src/**/*.c', '!src/no.c']\nrun = 'ran all'\n\
         [target.each]\nforeach = ['src/**/*.c']\nrun = 'ran {{ item }}'\n\
         [target.both]\ndeps = ['all', 'each']\n",
    );
    p.write("src/a.c", "a");
    let watching = Watching::of(&p, &["-j1", "both"]);
    watching.ran(1, &["all", "src/a.c"]);
    p.write("src/in/deep/b.c", "b");
    watching.ran(2, &["all", "src/in/deep/b.c"]);
    // A folder that was not there at the beginning is watched, too.
    p.write("src/in/deep/b.c", "B");
    watching.ran(3, &["all", "src/in/deep/b.c"]);
    p.remove("src/a.c");
    watching.ran(4, &["all"]);
    p.write("src/readme", "of nobody");
    sleep(LONGER_THAN_A_BUILD / 2);
    assert_eq!(watching.count("run_started"), 4);
    let output = watching.ends();
    for why in ["src/in/deep/b.c is new: building", "deep/b.c changed: b", "src/a.c is gone: b"] {
        assert!(output.stdout.contains(why), "{output}");
    }
}

/// Outputs lie among what is watched, and change; nobody waits for that.
#[test]
fn what_tasks_make_wakes_nobody() {
    let p = Project::new(
        "[target.gen]\ninputs = ['a']\noutputs = ['src/gen.h']\n\
         run = 'ran gen; date +%s%N > {{ outputs }}'\n\
         [target.t]\ninputs = ['src/**']\ndeps = ['gen']\noutputs = ['src/out/**']\n\
         run = 'ran t; mkdir -p src/out; date +%s%N > src/out/t'\n\
         [target.always]\ndeps = ['t']\nrun = 'ran always; date +%s%N > of-nobody'\n",
    );
    p.write("a", "1").write("src/a.c", "a");
    let watching = Watching::of(&p, &["always"]);
    watching.ran(1, &["gen", "t", "always"]);
    sleep(LONGER_THAN_A_BUILD);
    assert_eq!((watching.count("run_started"), watching.count("woken")), (1, 0));
    p.write("src/gen.h", "edited by hand").remove("src/out/t");
    sleep(LONGER_THAN_A_BUILD / 2);
    assert_eq!(watching.count("run_started"), 1, "it is made again when a source changes");
    p.write("src/a.c", "b");
    watching.ran(2, &["gen", "t", "always"]);
    watching.ends();
}

/// A formatter changes its inputs; that is no edit, and the next build need not be.
#[test]
fn what_a_formatter_fixes_wakes_nobody() {
    let p = Project::new(
        "[target.fmt]\ninputs = ['*.txt']\nfixes_inputs = true\n\
         run = 'ran fmt; sed -i s/bad/good/ {{ inputs }}'\n",
    );
    p.write("a.txt", "bad\n");
    let watching = Watching::of(&p, &["fmt"]);
    watching.ran(1, &["fmt"]);
    assert_eq!(p.read("a.txt"), "good\n");
    sleep(LONGER_THAN_A_BUILD / 2);
    assert_eq!(watching.count("run_started"), 1);
    p.write("a.txt", "bad again\n");
    watching.ran(2, &["fmt"]);
    assert_eq!(p.read("a.txt"), "good again\n");
    watching.ends();
}

#[test]
fn a_failure_is_waited_out() {
    let p = one();
    p.write("Taskfile.toml", &p.read("Taskfile.toml").replace("cat", "grep -v bad"));
    p.write("a", "bad\n");
    let watching = Watching::of(&p, &["t"]);
    p.write("a", "fine\n");
    watching.ran(2, &["t", "t"]);
    p.remove("a");
    watching.rests(3);
    p.write("a", "there again\n");
    watching.ran(4, &["t"]);
    assert_eq!(p.read("o"), "there again\n");
    watching.ends();
}

/// What a task behind a failed one reads counts, although nobody came to it.
#[test]
fn what_was_not_reached_is_watched() {
    let p = Project::new(
        "[target.one]\ninputs = ['a']\noutputs = ['o']\nrun = 'ran one; cp a o; false'\n\
         [target.two]\ninputs = ['o', 'b']\nrun = 'ran two'\n",
    );
    p.write("a", "1").write("b", "1");
    let watching = Watching::of(&p, &["two"]);
    p.write("b", "2");
    watching.ran(2, &["one", "one"]);
    watching.ends();
}

/// A mistake in the Taskfile is shown; its mending is waited for.
#[test]
fn a_taskfile_is_mended() {
    let p = one();
    let right = p.read("Taskfile.toml");
    let watching = Watching::of(&p, &["t"]);
    watching.ran(1, &["t"]);
    for (times, wrong) in [(2, "[target.t"), (4, "[target.t]\ninputs = ['@x']\nrun = 'true'\n")] {
        p.write("Taskfile.toml", wrong);
        watching.ran(times, &[]);
        p.write("Taskfile.toml", &right);
        watching.ran(times + 1, &[]);
    }
    p.write("Taskfile.toml", &right.replace("ran t", "ran other"));
    watching.ran(6, &["other"]);
    p.remove("Taskfile.toml");
    watching.rests(7);
    p.write("Taskfile.toml", &right).write("a", "2");
    watching.ran(8, &["t"]);
    assert_eq!(p.read("o"), "2");
    let output = watching.ends();
    assert!(output.stderr.contains("there is no target `x`"), "{output}");
}

/// At the very beginning it ends as a build does.
#[test]
fn what_is_wrong_from_the_beginning_ends_it() {
    let p = one();
    p.taskr(["watch", "x"]).says("there is no target `x`").exits(2);
    p.taskr(["watch", "-n", "t"]).says("`-n` is an option of builds").exits(2);
    p.taskr(["--watch", "t"]).says("write `taskr watch` before the targets").exits(2);
    p.write("Taskfile.toml", "[");
    p.taskr(["watch", "t"]).exits(2);
}

#[test]
fn packages_come_and_are_mended() {
    let p = Project::new("include = ['packages/*']\n");
    let package = |name: &str| format!("[target.t]\ninputs = ['a']\nrun = 'ran {name}'\n");
    p.write("packages/x/Taskfile.toml", &package("x")).write("packages/x/a", "1");
    let watching = Watching::of(&p, &[":t"]);
    watching.ran(1, &["x"]);
    p.write("packages/y/a", "1").write("packages/y/Taskfile.toml", &package("y"));
    until("y is built", || p.path(".taskr/tasks").read_dir().is_ok_and(|all| all.count() == 2));
    let rests = watching.count("waiting") + 1;
    p.write("packages/y/Taskfile.toml", "[target.t");
    watching.rests(rests);
    p.take_ran();
    p.write("packages/y/Taskfile.toml", &package("again"));
    watching.ran(rests + 1, &["again"]);
    watching.ends();
}

/// What leads to inputs by other ways than a path in `inputs`.
#[test]
fn all_that_counts_is_watched() {
    let p = Project::new(
        "[target.t]\ninputs = ['src/**', '?maybe', 'link']\nenv_file = ['.env']\n\
         tools = ['./tool.sh']\nrun = 'ran t'\n",
    );
    p.write("src/a", "1").write("src/b", "1").write(".env", "A=1\n").write("far/b", "1");
    p.link("link", "far/b").write("tool.sh", "#!/bin/sh\n").chmod("tool.sh", 0o755);
    let watching = Watching::of(&p, &["t"]);
    watching.ran(1, &["t"]);
    let edits: [(&str, &str); 6] = [
        (".env", "A=2\n"),
        ("maybe", "now"),
        ("far/b", "2"),
        ("tool.sh", "#!/bin/sh\ntrue\n"),
        (".gitignore", "b\n"),
        (".gitignore", ""),
    ];
    for (at, (path, text)) in edits.into_iter().enumerate() {
        p.write(path, text);
        watching.ran(at + 2, &["t"]);
    }
    p.chmod("src/a", 0o755);
    watching.ran(8, &["t"]);
    watching.ends();
}

/// A header that only the depfile names; one that is missing, which only the output names; and one
/// that is wrong, of which no record tells.
#[test]
fn headers_are_watched() {
    let p = Project::new(
        "[target.t]\ninputs = ['a.c']\ndepfile = '{{ out }}/d'\n\
         run = 'ran t; cc -MMD -MF {{ depfile }} -c a.c -o {{ out }}/a.o'\n",
    );
    p.write("a.c", "#include \"in/x.h\"\nint f(void) { return X; }\n");
    let watching = Watching::of(&p, &["t"]);
    watching.ran(1, &["t"]);
    p.write("in/x.h", "#define X 1 +\n");
    watching.ran(2, &["t"]);
    p.write("in/x.h", "#define X 1\n");
    watching.ran(3, &["t"]);
    p.write("in/x.h", "#define X 2\n");
    watching.ran(4, &["t"]);
    p.write("in/y.h", "of nobody");
    sleep(LONGER_THAN_A_BUILD / 2);
    assert_eq!(watching.count("run_started"), 4);
    watching.ends();
}

#[test]
fn signals_end_it() {
    let p = one();
    for signal in [Signal::TERM, Signal::HUP] {
        let watching = Watching::of(&p, &["t"]);
        watching.live.signal(signal);
        watching.live.dies_by(signal);
    }
    p.write("Taskfile.toml", "[target.t]\nrun = 'ran long; exec sleep 50'\n");
    p.take_ran();
    let watching = Watching::begin(&p, &["t"]);
    p.await_ran("long");
    watching.live.signal(Signal::INT);
    watching.live.dies_by(Signal::INT);
    p.await_no_process();
}

/// `taskr watch | head`: nobody sees what would be built next.
#[test]
fn a_reader_that_has_gone_ends_it() {
    let p = one();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = p.command(&p.root(), ["watch", "t"]);
    let mut child = command.stdout(writer).spawn().expect("taskr starts");
    drop(command);
    until("it is built", || p.path("o").exists());
    drop(reader);
    let mut written = 1;
    until("it ends", || {
        written += 1;
        p.write("a", &written.to_string());
        child.try_wait().expect("a child").is_some()
    });
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn quiet_and_options() {
    let p = one();
    let watching = Watching::of(&p, &["-q", "-j2", "--output", "none", "t"]);
    p.write("a", "2");
    watching.rests(2);
    assert_eq!(watching.count("woken"), 1);
    let output = watching.ends();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

/// Where the system watches no more folders taskr says so, names the setting, and looks by itself.
#[test]
fn without_watches_it_looks_by_itself() {
    let alone = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", script, "sh"]);
        command
    };
    let none_left = "echo 0 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
    if !alone(none_left).arg("true").output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let p = one();
    let events = p.outside("home/events");
    let usual = p.command(&p.root(), ["watch", "--events"]);
    let mut command = alone(none_left);
    command.arg(usual.get_program()).args(usual.get_args()).arg(&events).arg("t");
    p.clear_environment(&mut command);
    let live = Live::start(command.current_dir(p.root()));
    let watching = Watching { project: &p, live, events };
    watching.rests(1);
    p.write("a", "2");
    watching.ran(2, &["t", "t"]);
    let output = watching.ends();
    assert!(output.stderr.contains("`sudo sysctl fs.inotify.max_user_watches="), "{output}");
    assert!(output.stderr.contains("taskr looks every 1s instead"), "{output}");
    assert_eq!(output.stderr.matches("warning").count(), 1, "told once: {output}");
}
