//! What Linux tells of a process in `/proc`, whose files are as the processes are: gone at any
//! time.
//!
//! Knows no policy: `system` asks. A process that cannot be read is somebody else's, or gone.

use std::fs::{self, File};
use std::io::{self, Read};
use std::thread;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::system::Backoff;

/// In the flags of `stat`: a thread of the kernel (`PF_KTHREAD` in linux/sched.h).
const KERNEL_THREAD: u32 = 0x0020_0000;
/// How often a process that shows no environment is looked at: for about a second.
const LOOKS: u32 = 32;
/// After how many looks, some 30 ms, an empty environment is believed: one that is being made
/// begins empty.
const EMPTY_LOOKS: u32 = 5;
/// What is read at once of a file in `/proc`; hardly an environment is longer.
const PIECE_BYTES: usize = 16 * 1024;

/// How much memory this process had at most: `VmHWM` of proc_pid_status(5), in kibibytes.
pub(super) fn own_peak_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// From `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    state: u8,
    pub(super) group: i32,
    flags: u32,
    threads: u32,
    /// From where to where in memory; 0 while the process has none, between two programs or dying.
    environment: (u64, u64),
}

impl Stat {
    /// A dead first thread with living others is alive.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X') || self.threads > 1
    }

    /// Whether it runs a program, or is about to.
    fn has_program(&self) -> bool {
        self.is_alive() && self.flags & KERNEL_THREAD == 0
    }

    /// None while it is between two programs.
    fn environment_bytes(&self) -> Option<u64> {
        let (start, end) = self.environment;
        end.checked_sub(start).filter(|_| end != 0)
    }

    /// The name in parentheses may hold anything, parentheses too; fields count from behind it. In
    /// proc_pid_stat(5) they are 3 state, 5 pgrp, 9 flags, 20 num_threads, 50 env_start and 51
    /// env_end.
    fn parse(text: &[u8]) -> Option<Stat> {
        let name_end = text.iter().rposition(|&byte| byte == b')')?;
        let mut fields = str::from_utf8(&text[name_end + 1..]).ok()?.split_ascii_whitespace();
        Some(Stat {
            state: *fields.next()?.as_bytes().first()?,
            group: fields.nth(5 - 4)?.parse().ok()?,
            flags: fields.nth(9 - 6)?.parse().ok()?,
            threads: fields.nth(20 - 10)?.parse().ok()?,
            environment: (fields.nth(50 - 21)?.parse().ok()?, fields.next()?.parse().ok()?),
        })
    }
}

/// The processes there are.
pub(super) fn pids() -> io::Result<impl Iterator<Item = i32>> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

pub(super) fn stat(pid: i32) -> Option<Stat> {
    Stat::parse(&read(pid, "stat").ok()?)
}

/// A file of a process, by one read if it is no longer than a piece. [`fs::read`] begins with 32
/// bytes, as the system says of such a file that it has none: nine calls for what three do.
fn read(pid: i32, name: &str) -> io::Result<Vec<u8>> {
    let mut file = File::open(format!("/proc/{pid}/{name}"))?;
    let mut bytes = vec![0; PIECE_BYTES];
    let length = file.read(&mut bytes)?;
    bytes.truncate(length);
    if length == PIECE_BYTES {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Whether `entry` (`NAME=value`) is in the environment that the process's program was started
/// with.
///
/// In the middle of `execve`, and of dying, a process shows none, or between two reads the beginning
/// of one: it is given time to get through. One read gives all of an environment or nothing
/// (`environ_read` in fs/proc/base.c, and `create_elf_tables`, which says last where it ends), so
/// that most processes are not asked anything else.
pub(super) fn was_started_with(pid: i32, entry: &[u8]) -> bool {
    let mut backoff = Backoff::new();
    for look in 0..LOOKS {
        let environment = match read(pid, "environ") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return false,
            // EIO is what a reader gets whose process has just left that memory.
            read => read.unwrap_or_default(),
        };
        if environment.split(|&byte| byte == 0).any(|found| found == entry) {
            return true;
        }
        if (1..PIECE_BYTES).contains(&environment.len()) {
            return false;
        }
        let Some(stat) = stat(pid).filter(Stat::has_program) else {
            return false;
        };
        let is_whole = stat.environment_bytes() == u64::try_from(environment.len()).ok();
        if is_whole && (look >= EMPTY_LOOKS || !environment.is_empty()) {
            return false;
        }
        thread::sleep(backoff.next());
    }
    false
}

/// Kills the process that has this number now if `still` holds of it: the descriptor is opened
/// first, so what is asked about and what is killed cannot be two processes.
pub(super) fn kill_if(pid: i32, still: impl Fn() -> bool) -> bool {
    Pid::from_raw(pid)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        .filter(|_| still())
        .is_some_and(|process| pidfd_send_signal(process, Signal::KILL).is_ok())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn stat_lines() {
        let numbers =
            b"1 42 43 0 -1 4194560 97 0 0 0 0 0 0 0 20 0 3 0 12345 1 2 3 4 5 6 7 8 9 0 0 0 0 0 0 \
            17 1 0 0 0 0 0 11 12 13 14 15 16 17 0\n";
        let table: [(&[u8], u8); 4] = [
            (b"7 (sleep) S ", b'S'),
            (b"7 (a) Z 9 (b)) R ", b'R'),
            (b"7 (\xff\n) D ", b'D'),
            (b"7 (main gone) Z ", b'Z'),
        ];
        for (head, state) in table {
            let stat = Stat::parse(&[head, numbers].concat()).expect("a stat line");
            let flags = 4_194_560;
            let expected = Stat { state, group: 42, flags, threads: 3, environment: (16, 17) };
            assert_eq!(stat, expected);
            assert!(stat.has_program());
            assert_eq!(stat.environment_bytes(), Some(1));
        }
        for torn in [&b""[..], b"7 (x", b"7 (x)", b"7 (x) S 1", b"7 (x) S 1 a"] {
            assert_eq!(Stat::parse(torn), None);
        }
    }

    #[test]
    fn the_dead_and_the_unborn() {
        let stat =
            |state, flags, environment| Stat { state, group: 42, flags, threads: 1, environment };
        assert!(!stat(b'Z', 0, (0, 0)).is_alive());
        assert!(stat(b'R', 0, (0, 0)).has_program());
        assert!(!stat(b'Z', 0, (0, 0)).has_program());
        assert!(!stat(b'S', KERNEL_THREAD, (0, 0)).has_program());
        for (range, bytes) in [((0, 0), None), ((8, 0), None), ((8, 8), Some(0)), ((8, 9), Some(1))]
        {
            assert_eq!(stat(b'R', 0, range).environment_bytes(), bytes);
        }
    }

    #[test]
    fn our_own_stat_line_reads() {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let stat = stat(pid).expect("ours");
        assert_eq!(stat.group, rustix::process::getpgrp().as_raw_nonzero().get());
        assert!(stat.is_alive() && stat.threads >= 1);
        let environment = fs::read("/proc/self/environ").expect("ours");
        assert_eq!(stat.environment_bytes(), u64::try_from(environment.len()).ok());
    }

    /// A process with this environment and no more.
    fn started_with(words: &[&str], variables: &[(&str, &str)]) -> (Child, i32) {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).env_clear();
        let child = command.envs(variables.iter().copied()).spawn().expect("started");
        let pid = i32::try_from(child.id()).expect("a pid");
        (child, pid)
    }

    fn end(mut child: Child) {
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// What stands last is found wherever pieces end, and nothing else is.
    #[test]
    fn an_environment_of_any_length_is_read_whole() {
        let fixed = "A=\0ZMARK=long-1\0".len();
        for length in [100, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 100_000] {
            let filling = "x".repeat(length - fixed);
            let variables = [("A", &filling[..]), ("ZMARK", "long-1")];
            let (child, pid) = started_with(&["sleep", "60"], &variables);
            assert!(was_started_with(pid, b"ZMARK=long-1"), "{length} bytes");
            assert_eq!(read(pid, "environ").map(|bytes| bytes.len()).ok(), Some(length));
            for other in [&b"ZMARK=long-"[..], b"ZMARK=long-12", b"MARK=long-1"] {
                assert!(!was_started_with(pid, other), "{length} bytes");
            }
            end(child);
        }
    }

    /// The moment between two programs is met by looking often: a chain of `exec`s is always found,
    /// whether its environment is read at once or in pieces.
    #[test]
    fn a_process_that_keeps_changing_its_program_is_never_missed() {
        let script = r#"[ "$1" -lt 100000 ] && exec sh -c "$S" sh $(($1 + 1))"#;
        for filling in [100, 2 * PIECE_BYTES] {
            let filling = "x".repeat(filling);
            let path = std::env::var("PATH").expect("text");
            let variables =
                [("S", script), ("PATH", &path), ("FILL", &filling), ("MARK", "exec-1")];
            let (child, pid) = started_with(&["/bin/sh", "-c", script, "sh", "0"], &variables);
            let (mut looks, mut between, mut missed) = (0, 0, 0);
            while looks < 1_000_000 && between < 50 {
                looks += 1;
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                between += u32::from(environment.is_empty());
                missed += u32::from(!was_started_with(pid, b"MARK=exec-1"));
            }
            end(child);
            assert_eq!((between, missed), (50, 0), "{looks} looks");
        }
    }
}
