//! The guard: taskr started once more, to end what taskr could not.
//!
//! It knows process groups and one run's id, nothing of tasks. It must outlive taskr in every way
//! taskr may die, SIGKILL included, so it is a process of its own in a group of its own, and what
//! it waits for is the end of a pipe whose other end only taskr holds. Its stdout is the
//! workspace's lock: `flock` belongs to the open file, which both share, so no other taskr enters
//! before the last process of this one is gone. The pipe carries lines: `+<group>` when a group
//! began, `-<group>` when it is empty.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio, exit};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::system::{Backoff, Group, kill_marked};

/// The argument that makes taskr a guard; the run's id follows.
pub const GUARD_ARG: &str = "__guard";
/// In the environment of tasks, never in that of taskr or its guard: the id of the run.
pub const RUN_ID_VAR: &str = "TASKR_RUN_ID";
/// How long the guard tries to end what is left, before it gives up the lock all the same.
const LIMIT: Duration = Duration::from_secs(5);

/// taskr's side. Dropping it without [`Guard::finish`] leaves the guard to do its work alone.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    pipe: PipeWriter,
}

impl Guard {
    /// Starts `taskr` (its own program, absolute) as guard of the run, as second holder of `lock`.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(taskr: &Path, lock: &File, run_id: &str) -> io::Result<Guard> {
        let (reader, pipe) = io::pipe()?;
        // Without taskr's environment: were that itself a task of another, its id would be the guard's
        // death. Not without any: other guards would look at it for 30 ms, whether it is beginning.
        let child = Command::new(taskr)
            .args([GUARD_ARG, run_id])
            .env_clear()
            .env("PWD", "/")
            .current_dir("/")
            .process_group(0)
            .stdin(reader)
            .stdout(lock.try_clone()?)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Guard { child, pipe })
    }

    /// `group` has members from now on.
    pub fn began(&self, group: i32) {
        self.tell('+', group);
    }

    /// `group` is empty.
    pub fn ended(&self, group: i32) {
        self.tell('-', group);
    }

    /// Says that no more tasks come, and waits until the guard has ended what they left behind.
    pub fn finish(self) {
        let Guard { mut child, pipe } = self;
        drop(pipe);
        // Nothing to be done about a guard that somebody else ended.
        let _ = child.wait();
    }

    /// One write, which a pipe takes as a whole. A guard that is gone costs its protection, not the
    /// build.
    fn tell(&self, sign: char, group: i32) {
        let _ = (&self.pipe).write_all(format!("{sign}{group}\n").as_bytes());
    }
}

/// What the guard process does; it returns to nobody.
pub fn guard_main(run_id: &str) -> ! {
    // A TERM to all of a container or session must not end the one who tidies up after it.
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // If it cannot be caught the guard is mortal, and still of use.
        let _ = signal_hook::flag::register(signal.as_raw(), Arc::new(AtomicBool::new(false)));
    }
    serve(io::stdin().lock(), run_id);
    exit(0)
}

/// Follows the groups of a run until the pipe ends, then ends what is left.
fn serve(pipe: impl Read, run_id: &str) {
    let mut groups = BTreeSet::new();
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        if let Some(id) = line.strip_prefix('+').and_then(|id| id.parse::<i32>().ok()) {
            groups.insert(id);
        } else if let Some(id) = line.strip_prefix('-').and_then(|id| id.parse::<i32>().ok()) {
            groups.remove(&id);
        }
    }
    let groups: Vec<Group> = groups.into_iter().filter_map(Group::from_id).collect();
    end_all(&groups, run_id);
}

/// Kills the groups and every process that carries the run's id, until a look finds neither.
fn end_all(groups: &[Group], run_id: &str) {
    let mark = format!("{RUN_ID_VAR}={run_id}");
    let begin = Instant::now();
    let mut backoff = Backoff::new();
    loop {
        let mut found = false;
        for group in groups.iter().filter(|group| !group.is_empty()) {
            group.signal(Signal::KILL);
            found = true;
        }
        found |= kill_marked(mark.as_bytes());
        if !found || begin.elapsed() > LIMIT {
            return;
        }
        thread::sleep(backoff.next());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::super::{BUSY_LIMIT, retry_busy};
    use super::*;

    /// `sleep 60` in a group of its own, with or without a mark.
    fn sleeper(run_id: Option<&str>) -> Child {
        let mut command = Command::new("sleep");
        command.arg("60").process_group(0).stdin(Stdio::null());
        command.envs(run_id.map(|id| (RUN_ID_VAR, id)));
        command.spawn().expect("started")
    }

    fn group_of(child: &Child) -> i32 {
        i32::try_from(child.id()).expect("a pid")
    }

    fn was_killed(mut child: Child) -> bool {
        child.wait().expect("waited").signal() == Some(Signal::KILL.as_raw())
    }

    fn is_running(child: &mut Child) -> bool {
        child.try_wait().expect("asked").is_none()
    }

    /// The guard's own loop in a thread, over a real pipe.
    fn guarded(run_id: &'static str) -> (PipeWriter, thread::JoinHandle<()>) {
        let (reader, writer) = io::pipe().expect("pipe");
        (writer, thread::spawn(move || serve(reader, run_id)))
    }

    #[test]
    fn groups_still_listed_at_the_end_are_killed() {
        let (mut pipe, guard) = guarded("groups-1");
        let (left, mut ended) = (sleeper(None), sleeper(None));
        let lines = format!("+{}\n+{}\nrubbish\n+x\n", group_of(&left), group_of(&ended));
        pipe.write_all(lines.as_bytes()).expect("told");
        // A number that would mean everybody: were it used, this test would not live to tell.
        pipe.write_all(format!("+1\n+0\n+-1\n-{}\n", group_of(&ended)).as_bytes()).expect("told");
        drop(pipe);
        assert!(was_killed(left));
        guard.join().expect("guard ended");
        assert!(is_running(&mut ended));
        ended.kill().expect("killed");
        ended.wait().expect("reaped");
    }

    #[test]
    fn marked_processes_are_killed_wherever_they_are_and_no_others() {
        let (pipe, guard) = guarded("marked-1");
        let marked = sleeper(Some("marked-1"));
        let mut others = [sleeper(Some("marked-12")), sleeper(Some("marked-")), sleeper(None)];
        drop(pipe);
        assert!(was_killed(marked));
        guard.join().expect("guard ended");
        for other in &mut others {
            assert!(is_running(other));
            other.kill().expect("killed");
            other.wait().expect("reaped");
        }
    }

    #[test]
    fn a_daemon_in_its_own_session_is_found() {
        let (pipe, guard) = guarded("daemon-1");
        let script = "setsid sleep 61 >/dev/null 2>&1 </dev/null & echo $!";
        let output = Command::new("sh")
            .args(["-c", script])
            .env(RUN_ID_VAR, "daemon-1")
            .output()
            .expect("started");
        let pid: i32 = str::from_utf8(&output.stdout).expect("text").trim().parse().expect("pid");
        assert!(is_alive(pid), "the fault happened: it outlived its parent");
        drop(pipe);
        guard.join().expect("guard ended");
        assert!(!is_alive(pid));
    }

    fn is_alive(pid: i32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    }

    #[test]
    fn a_clean_end_ends_the_guard() {
        let (mut pipe, guard) = guarded("clean-1");
        pipe.write_all(b"+99999999\n-99999999\n").expect("told");
        assert!(!guard.is_finished(), "it waits for the end of the pipe");
        drop(pipe);
        guard.join().expect("guard ended");
    }

    /// Everything but the program: a shell stands in for taskr.
    #[test]
    fn the_guard_process_has_the_lock_and_little_else() {
        let dir = tempfile::tempdir().expect("dir");
        let program = dir.path().join("taskr");
        let seen = dir.path().join("seen");
        let script = format!(
            "#!/bin/sh\n\
             {{ echo $1 $2; ls -l /proc/$$/fd; env; cut -d' ' -f1,5 /proc/$$/stat; cat; }} > {}\n",
            seen.display()
        );
        std::fs::write(&program, script).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("mode");
        let lock = File::create(dir.path().join("lock")).expect("lock");
        let start = || Guard::start(&program, &lock, "run-1");
        let guard = retry_busy(BUSY_LIMIT, start).expect("started");
        guard.began(1234);
        guard.ended(1234);
        guard.finish();
        let text = std::fs::read_to_string(seen).expect("the guard ran to its end");
        assert!(text.starts_with("__guard run-1\n"), "{text}");
        assert!(text.contains("0 -> pipe:") && text.contains("/lock\n"), "{text}");
        assert!(text.contains("2 -> /dev/null"), "{text}");
        assert!(!text.contains(RUN_ID_VAR) && !text.contains("HOME="), "{text}");
        assert!(text.ends_with("+1234\n-1234\n"), "{text}");
        let numbers: Vec<&str> = text.lines().rev().nth(2).expect("stat").split(' ').collect();
        assert_eq!(numbers[0], numbers[1], "a group of its own");
    }
}
