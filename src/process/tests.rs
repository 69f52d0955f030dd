//! Real processes, real signals, real pipes.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process;
use std::sync::mpsc;
use std::thread::JoinHandle;

use super::*;

/// What a run left: how it ended, what was heard, what was logged, how long we were in it.
struct Outcome {
    ended: Ended,
    heard: Vec<u8>,
    logged: Vec<u8>,
    took: Duration,
}

impl Outcome {
    fn text(&self) -> &str {
        str::from_utf8(&self.heard).expect("text")
    }
}

fn sh(script: &str) -> Command {
    Command {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        dir: "/".into(),
        grace: Duration::from_secs(60),
        errors: None,
        timeout: None,
    }
}

fn run_with(command: &Command, stop: &Stop, heard_first: Option<&mpsc::Sender<()>>) -> Outcome {
    let mut log = tempfile::tempfile().expect("a log");
    let mut heard = Vec::new();
    let begin = Instant::now();
    let mut output = |bytes: &[u8]| {
        heard.extend_from_slice(bytes);
        if let Some(sender) = heard_first {
            // The receiver may have heard enough.
            let _ = sender.send(());
        }
    };
    let ended = run(command, &mut log, stop, None, &mut output).expect("started");
    let took = begin.elapsed();
    let mut logged = Vec::new();
    io::Seek::rewind(&mut log).expect("rewind");
    log.read_to_end(&mut logged).expect("read");
    Outcome { ended, heard, logged, took }
}

fn run_sh(script: &str) -> Outcome {
    run_with(&sh(script), &Stopper::new().expect("pipe").watch(), None)
}

/// Runs in a thread, and returns once the command has written something.
fn start(command: Command) -> (Stopper, JoinHandle<Outcome>) {
    let stopper = Stopper::new().expect("pipe");
    let stop = stopper.watch();
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || run_with(&command, &stop, Some(&sender)));
    receiver.recv().expect("first output");
    (stopper, thread)
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[test]
fn statuses() {
    let table = [
        ("exit 0", Status::Code(0), "exit 0"),
        ("exit 1", Status::Code(1), "exit 1"),
        ("exit 255", Status::Code(255), "exit 255"),
        ("kill -SEGV $$", Status::Signal(11), "signal 11 (SIGSEGV)"),
        ("kill -KILL $$", Status::Signal(9), "signal 9 (SIGKILL)"),
    ];
    for (script, status, text) in table {
        let outcome = run_sh(script);
        assert_eq!(outcome.ended.status, status, "{script}");
        assert_eq!(outcome.ended.status.to_string(), text);
        assert_eq!(outcome.ended.status.success(), script == "exit 0");
        assert!(!outcome.ended.stopped && !outcome.ended.left_over, "{script}");
    }
    assert_eq!(Status::Signal(63).to_string(), "signal 63");
}

#[test]
fn both_streams_arrive_in_order_as_bytes() {
    let outcome =
        run_sh("for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf '\\377\\000x'");
    let expected = b"out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n\xff\0x";
    assert_eq!(outcome.heard, expected);
    assert_eq!(outcome.logged, expected);
}

#[test]
fn what_cannot_be_started_is_an_error() {
    let stop = Stopper::new().expect("pipe").watch();
    let mut log = tempfile::tempfile().expect("a log");
    for (program, dir) in [("/no/such/program", "/"), ("/bin/sh", "/no/such/dir"), ("/", "/")] {
        let command = Command { program: program.into(), dir: dir.into(), ..sh("exit 0") };
        assert!(run(&command, &mut log, &stop, None, &mut |_| {}).is_err(), "{program} in {dir}");
    }
}

#[test]
fn the_environment_and_directory_are_the_given_ones() {
    let dir = tempfile::tempdir().expect("dir");
    let mut command = sh("");
    command.program = "/usr/bin/env".into();
    command.args = vec!["-0".into()];
    command.env = vec![("A".into(), "1\n2".into()), ("PATH".into(), "/nowhere".into())];
    let stop = Stopper::new().expect("pipe").watch();
    assert_eq!(run_with(&command, &stop, None).text(), "A=1\n2\0PATH=/nowhere\0");
    let command = Command { dir: dir.path().into(), ..sh("pwd -P") };
    let shown = run_with(&command, &stop, None);
    let real = fs::canonicalize(dir.path()).expect("real path");
    assert_eq!(Path::new(shown.text().trim_end()), real);
}

#[test]
fn a_child_inherits_no_descriptor_of_ours() {
    let own = tempfile::tempfile().expect("a descriptor that must not be inherited");
    let number = std::os::fd::AsRawFd::as_raw_fd(&own);
    let outcome = run_sh("ls /proc/$$/fd; exit 0");
    let mut found: Vec<i32> =
        outcome.text().split_whitespace().map(|name| name.parse().expect("a number")).collect();
    // What we were started with ourselves goes on to the child: a make above us counts on it.
    found.retain(|&descriptor| descriptor > 2 && !is_inherited(descriptor));
    assert!(found.is_empty(), "{found:?}; we have {number}");
    assert!(!is_inherited(number));
}

/// Whether a descriptor of ours is passed on to children.
fn is_inherited(descriptor: i32) -> bool {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:\t"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags, 8).ok());
    flags.is_some_and(|flags| flags & rustix::fs::OFlags::CLOEXEC.bits() == 0)
}

#[test]
fn a_child_has_default_signals_and_a_group_of_its_own() {
    let outcome = run_sh("exec cat /proc/self/status");
    assert!(outcome.text().contains("SigBlk:\t0000000000000000\n"), "{}", outcome.text());
    let own = fs::read_to_string("/proc/self/status").expect("status");
    let sigpipe = 1 << 12;
    assert_ne!(ignored(&own) & sigpipe, 0, "the fault to be kept from the child: it is ignored");
    assert_eq!(ignored(outcome.text()), ignored(&own) & !sigpipe, "what our parent ignores stays");
    let group = run_sh("echo $$; cut -d' ' -f5 /proc/$$/stat");
    let lines: Vec<&str> = group.text().lines().collect();
    assert_eq!(lines[0], lines[1]);
}

/// The set of ignored signals from a `status` file: the 31 that have names, not those of the C
/// library.
fn ignored(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).expect("SigIgn");
    u64::from_str_radix(set, 16).expect("hex") & ((1 << 31) - 1)
}

#[test]
fn stdin_is_empty_and_a_closed_stdout_is_fine() {
    assert_eq!(run_sh("cat; read x || echo none").text(), "none\n");
    let outcome = run_sh("exec >&- 2>&-; sleep 0.2; exit 7");
    assert_eq!(outcome.ended.status, Status::Code(7));
    assert!(outcome.ended.duration >= Duration::from_millis(200), "waited for the process itself");
}

#[test]
fn what_is_left_in_the_group_is_ended_after_a_second() {
    let outcome = run_sh("sleep 60 & echo $!; exit 3");
    assert_eq!(outcome.ended.status, Status::Code(3));
    assert!(outcome.ended.left_over && !outcome.ended.stopped);
    assert!(!is_alive(outcome.text()));
    assert!(outcome.took >= Duration::from_secs(1), "it had its second");
    assert!(outcome.took < Duration::from_secs(30), "nobody waited for the sleep");
    assert!(outcome.ended.duration < Duration::from_secs(1));
}

#[test]
fn what_is_left_is_killed_if_it_ignores_term_and_keeps_no_pipe() {
    let script =
        "(trap '' TERM; echo ready; exec >/dev/null 2>&1; while :; do sleep 1; done) & echo $!";
    let outcome = run_sh(&format!("{script}; sleep 0.2"));
    let pid = outcome.text().lines().find(|line| *line != "ready").expect("a pid");
    assert!(outcome.text().contains("ready"));
    assert!(outcome.ended.left_over);
    assert!(!is_alive(pid));
}

#[test]
fn one_that_ends_within_the_second_is_no_left_over() {
    let dir = tempfile::tempdir().expect("dir");
    let late = dir.path().join("late");
    let outcome = run_sh(&format!("(sleep 0.2; echo x > '{}') >/dev/null 2>&1 &", late.display()));
    assert!(!outcome.ended.left_over);
    assert_eq!(fs::read(late).expect("was waited for"), b"x\n");
}

#[test]
fn an_escaped_process_cannot_hold_us_by_the_pipe() {
    let outcome = run_sh("setsid sleep 60 & echo $!; sleep 0.1; exit 0");
    assert!(is_alive(outcome.text()), "it left the group: the guard's business");
    assert!(outcome.ended.left_over);
    assert!(outcome.took < Duration::from_secs(30));
    let killed = process::Command::new("kill").args(["-KILL", outcome.text().trim()]).status();
    assert!(killed.expect("kill").success());
}

#[test]
fn an_escaped_process_that_never_stops_writing_cannot_hold_us() {
    let outcome = run_sh("setsid sh -c 'while :; do echo $$; done' & sleep 0.2");
    assert!(outcome.ended.left_over);
    let pid = outcome.text().lines().next().expect("a pid");
    assert!(outcome.took < Duration::from_secs(30));
    for _ in 0..500 {
        if !is_alive(pid) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("a closed pipe should have ended the writer");
}

#[test]
fn a_stop_is_forwarded_to_the_whole_group() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let script =
            "trap 'echo got; exit 9' INT TERM HUP; echo ready; while :; do sleep 0.05; done";
        let (stopper, thread) = start(sh(script));
        stopper.stop(signal.as_raw());
        let outcome = thread.join().expect("joined");
        // The shell may say in between how its sleep ended.
        assert!(outcome.text().ends_with("got\n"), "{signal:?}: {}", outcome.text());
        assert_eq!(outcome.ended.status, Status::Code(9));
        assert!(outcome.ended.stopped && !outcome.ended.left_over);
        assert!(outcome.took < Duration::from_secs(30));
    }
}

#[test]
fn after_the_grace_it_is_killed() {
    let mut command = sh("trap '' TERM INT; echo $$; while :; do sleep 0.05; done");
    command.grace = Duration::from_millis(200);
    let (stopper, thread) = start(command);
    stopper.stop(Signal::TERM.as_raw());
    let outcome = thread.join().expect("joined");
    assert_eq!(outcome.ended.status, Status::Signal(Signal::KILL.as_raw()));
    assert!(outcome.ended.stopped && !outcome.ended.left_over);
    assert!(outcome.ended.duration >= Duration::from_millis(200), "it had its grace");
}

#[test]
fn a_second_request_kills_all_at_once() {
    let commands = (0..4).map(|_| sh("trap '' TERM INT; echo x; while :; do sleep 0.05; done"));
    let stopper = Stopper::new().expect("pipe");
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = commands
        .map(|command| {
            let (stop, sender) = (stopper.watch(), sender.clone());
            thread::spawn(move || run_with(&command, &stop, Some(&sender)))
        })
        .collect();
    threads.iter().for_each(|_| receiver.recv().expect("first output"));
    stopper.stop(Signal::INT.as_raw());
    thread::sleep(Duration::from_millis(200));
    assert!(threads.iter().all(|thread| !thread.is_finished()), "the signal is ignored");
    stopper.kill();
    for thread in threads {
        let outcome = thread.join().expect("joined");
        assert_eq!(outcome.ended.status, Status::Signal(Signal::KILL.as_raw()));
        assert!(outcome.took < Duration::from_secs(30), "the grace is 60 s");
    }
    assert_eq!(stopper.watch().requested(), Some(Signal::INT.as_raw()));
}

/// One block of so many bytes is read and written at once.
#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_what_it_waited_for_is_told() {
    // This process may have had more by now: then nothing can be told.
    let peak = |script: &str| run_sh(script).ended.peak_bytes;
    let block = peak("dd if=/dev/zero of=/dev/null bs=200000000 count=1 2>/dev/null; true");
    assert!(block.is_none_or(|bytes| bytes > 200_000_000), "{block:?}");
    assert!(peak("exit 3").is_none_or(|bytes| bytes < 200_000_000));
}

#[test]
fn a_group_whose_time_is_over_is_asked_to_end_as_a_whole() {
    let mut command = sh("trap 'echo asked; exit 7' TERM; (trap 'echo child; exit' TERM; \
                         while :; do sleep 0.01; done) & echo up; wait");
    command.timeout = Some(Duration::from_millis(300));
    let outcome = run_with(&command, &Stopper::new().expect("pipe").watch(), None);
    assert!(outcome.ended.timed_out && !outcome.ended.stopped, "{:?}", outcome.ended);
    assert_eq!(outcome.ended.status, Status::Code(7));
    assert!(outcome.text().contains("asked") && outcome.text().contains("child"));
}

#[test]
fn who_ignores_the_end_of_its_time_is_killed_after_the_grace() {
    let mut command = sh("trap '' TERM; while :; do sleep 0.01; done");
    (command.timeout, command.grace) =
        (Some(Duration::from_millis(100)), Duration::from_millis(200));
    let outcome = run_with(&command, &Stopper::new().expect("pipe").watch(), None);
    assert!(outcome.ended.timed_out && !outcome.ended.stopped, "{:?}", outcome.ended);
    assert_eq!(outcome.ended.status, Status::Signal(9));
    assert!(outcome.ended.duration >= Duration::from_millis(300), "both were waited for");
}

#[test]
fn waiting_for_the_grace_costs_no_processor() {
    let mut command = sh("trap '' TERM; echo x; sleep 1");
    command.program = "/usr/bin/env".into();
    command.args = ["sh", "-c", "trap '' TERM; echo x; sleep 1"].map(OsString::from).to_vec();
    let stopper = Stopper::new().expect("pipe");
    let stop = stopper.watch();
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let outcome = run_with(&command, &stop, Some(&sender));
        let stat = fs::read_to_string("/proc/thread-self/stat").expect("stat");
        let fields = stat.rsplit(')').next().expect("fields").split_ascii_whitespace();
        let ticks = fields.skip(11).take(2).map(|ticks| ticks.parse::<u32>().expect("a number"));
        (outcome, ticks.sum::<u32>())
    });
    receiver.recv().expect("first output");
    stopper.stop(Signal::TERM.as_raw());
    let (outcome, ticks) = thread.join().expect("joined");
    assert!(outcome.ended.duration >= Duration::from_millis(900));
    assert!(ticks < 30, "{ticks} ticks of 10 ms: the byte that woke us is still there");
}

#[test]
fn nothing_is_started_after_a_stop() {
    let dir = tempfile::tempdir().expect("dir");
    let mark = dir.path().join("mark");
    let stopper = Stopper::new().expect("pipe");
    stopper.stop(Signal::INT.as_raw());
    let outcome = run_with(&sh(&format!("touch '{}'", mark.display())), &stopper.watch(), None);
    assert!(outcome.ended.stopped);
    assert_eq!(outcome.ended.status, Status::Signal(Signal::INT.as_raw()));
    assert!(!mark.exists());
}

#[test]
fn a_full_disk_does_not_stop_the_command() {
    let mut log = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let stop = Stopper::new().expect("pipe").watch();
    let mut heard = 0;
    let mut output = |bytes: &[u8]| heard += bytes.len();
    let command = sh("head -c 300000 /dev/zero; exit 4");
    let ended = run(&command, &mut log, &stop, None, &mut output).expect("started");
    assert_eq!(ended.status, Status::Code(4));
    assert_eq!(ended.log_error.expect("ENOSPC").kind(), io::ErrorKind::StorageFull);
    assert_eq!(heard, 300_000);
}

#[test]
fn memory_does_not_grow_with_output() {
    fn resident_kib() -> u64 {
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
    let mut log = OpenOptions::new().write(true).open("/dev/null").expect("/dev/null");
    let stop = Stopper::new().expect("pipe").watch();
    let before = resident_kib();
    let (mut heard, mut most) = (0, 0);
    let mut output = |bytes: &[u8]| {
        heard += bytes.len();
        most = most.max(bytes.len());
    };
    let command = sh("head -c 209715200 /dev/zero");
    run(&command, &mut log, &stop, None, &mut output).expect("started");
    assert_eq!(heard, 200 * 1024 * 1024);
    assert!(most <= BUFFER_BYTES);
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB");
}

#[test]
fn no_zombie_stays() {
    for _ in 0..20 {
        let outcome = run_sh("(exit 1) & echo $$; wait");
        let path = format!("/proc/{}", outcome.text().trim());
        assert!(!Path::new(&path).exists(), "{path}");
    }
}

#[test]
fn a_busy_program_is_tried_again() {
    let dir = tempfile::tempdir().expect("dir");
    let program = dir.path().join("program");
    fs::copy("/bin/true", &program).expect("copied");
    let writer = OpenOptions::new().append(true).open(&program).expect("open for writing");
    let start = || process::Command::new(&program).spawn();
    let refused = start().expect_err("the fault happens");
    assert_eq!(refused.kind(), io::ErrorKind::ExecutableFileBusy);
    let refused = retry_busy(Duration::from_millis(20), start).expect_err("not for ever");
    assert_eq!(refused.kind(), io::ErrorKind::ExecutableFileBusy);
    let mut writer = Some(writer);
    let mut tries = 0;
    let mut child = retry_busy(BUSY_LIMIT, || {
        tries += 1;
        if tries == 3 {
            writer = None;
        }
        start()
    })
    .expect("started");
    assert!(tries >= 3);
    assert!(child.wait().expect("waited").success());
}

#[test]
fn without_a_descriptor_for_its_end_it_is_seen_all_the_same() {
    let (child, pipe) =
        spawn(&sh("exec >&- 2>&-; sleep 0.1; exit 5"), Console::None).expect("started");
    let mut log = tempfile::tempfile().expect("a log");
    let sink = Sink { log: &mut log, output: &mut |_| {}, buffer: vec![0; 16], error: None };
    let group = Group::led_by(&child);
    let mut running = Running::new((child, group), pipe, Ending::new(Duration::ZERO), sink);
    running.exit = None;
    let stop = Stopper::new().expect("pipe").watch();
    assert_eq!(running.watch(&stop).expect("watched").0, Status::Code(5));
}

#[test]
fn many_at_once_do_not_mix() {
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                for round in 0..25 {
                    let outcome = run_sh(&format!("echo {number} {round}; exit {number}"));
                    assert_eq!(outcome.text(), format!("{number} {round}\n"));
                    assert_eq!(outcome.ended.status, Status::Code(number));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread failed"));
}
