//! What the system can tell of processes and groups: Linux's way, and the portable way beside it.
//!
//! Knows no command and no policy. Linux has descriptors that say when a process ended, and
//! `/proc`; where they are missing we look again after a while, and a group counts by `kill(2)`
//! alone.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, kill_process_group, test_kill_process_group, waitpgid,
};

#[cfg(target_os = "linux")]
use rustix::process::{WaitId, WaitIdOptions, waitid};
#[cfg(target_os = "linux")]
use wait4::Wait4;

#[cfg(target_os = "linux")]
use super::linux;

/// Less is not asked about: it may be our own.
#[cfg(target_os = "linux")]
const MAY_BE_OURS_BYTES: u64 = 64 << 20;

/// Pauses between looks: from one millisecond, doubled up to 32.
#[derive(Clone, Debug)]
pub(super) struct Backoff(u32);

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff(0)
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(1 << self.0);
        self.0 = (self.0 + 1).min(5);
        pause
    }
}

/// A process group that one of our children leads, or led; or a child that stays in ours, so
/// that the terminal is its as well as ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    leader: Pid,
    /// It leads none: signals are for it alone.
    alone: bool,
}

impl Group {
    pub(super) fn led_by(child: &Child) -> Group {
        Group { leader: Pid::from_child(child), alone: false }
    }

    pub(super) fn only(child: &Child) -> Group {
        Group { leader: Pid::from_child(child), alone: true }
    }

    /// None for a number that no group of ours can have; 1 would mean everybody to `kill(2)`.
    pub(super) fn from_id(id: i32) -> Option<Group> {
        let leader = (id > 1).then(|| Pid::from_raw(id)).flatten()?;
        Some(Group { leader, alone: false })
    }

    pub(super) fn id(self) -> i32 {
        self.leader.as_raw_nonzero().get()
    }

    /// To all its members. Its number cannot belong to another group while its leader is not
    /// reaped, nor while it has a member (bazel#11910). That nobody is left to be signalled is no
    /// error.
    pub(super) fn signal(self, signal: Signal) {
        let _ = match self.alone {
            true => kill_process(self.leader, signal),
            false => kill_process_group(self.leader, signal),
        };
    }

    /// Whether nobody lives in it; not to be asked by the leader's parent before it was reaped.
    /// Dead members that their parent does not reap do not count.
    pub(super) fn is_empty(self) -> bool {
        self.alone
            || test_kill_process_group(self.leader) == Err(Errno::SRCH)
            || !has_live_member(self)
    }

    /// As process 1 of a container we are the parent of what the dead leave; to be called after the
    /// leader was reaped.
    pub(super) fn reap_orphans(self) {
        while !self.alone && matches!(waitpgid(self.leader, WaitOptions::NOHANG), Ok(Some(_))) {}
    }
}

/// Readable once the child has ended; None where the system has no such descriptor, or no more of
/// them.
#[cfg(target_os = "linux")]
pub(super) fn exit_descriptor(child: &Child) -> Option<OwnedFd> {
    rustix::process::pidfd_open(Pid::from_child(child), rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn exit_descriptor(_child: &Child) -> Option<OwnedFd> {
    None
}

/// How a child ended, and how much memory it or one of what it waited for had at most, in bytes,
/// where the system tells; none while it lives. To be asked until it is told, and not again.
#[cfg(target_os = "linux")]
pub(super) fn reap(child: &mut Child) -> io::Result<Option<(ExitStatus, Option<u64>)>> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if waitid(WaitId::Pid(Pid::from_child(child)), look)?.is_none() {
        return Ok(None);
    }
    let ended = child.wait4()?;
    // In the books of Linux a child begins with what the process had that started it.
    let peak = Some(ended.rusage.maxrss).filter(|&peak| peak > MAY_BE_OURS_BYTES);
    let peak = peak.filter(|&peak| linux::own_peak_bytes().is_some_and(|own| peak > own));
    Ok(Some((ended.status, peak)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reap(child: &mut Child) -> io::Result<Option<(ExitStatus, Option<u64>)>> {
    Ok(child.try_wait()?.map(|status| (status, None)))
}

/// Of a group that has members, dead or alive; true where that cannot be told.
#[cfg(target_os = "linux")]
fn has_live_member(group: Group) -> bool {
    let Ok(mut pids) = linux::pids() else {
        return true;
    };
    pids.any(|pid| linux::stat(pid).is_some_and(|stat| stat.group == group.id() && stat.is_alive()))
}

#[cfg(not(target_os = "linux"))]
fn has_live_member(_group: Group) -> bool {
    true
}

/// Kills every process but ourselves that has `entry` (`NAME=value`) in the environment it was
/// started with; true if there was one.
#[cfg(target_os = "linux")]
pub(super) fn kill_marked(entry: &[u8]) -> bool {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found = false;
    for pid in linux::pids().into_iter().flatten().filter(|&pid| pid != own) {
        if linux::was_started_with(pid, entry) {
            found |= linux::kill_if(pid, || linux::was_started_with(pid, entry));
        }
    }
    found
}

/// Environments of others cannot be read portably.
#[cfg(not(target_os = "linux"))]
pub(super) fn kill_marked(_entry: &[u8]) -> bool {
    false
}

/// What a signal is called.
pub(super) fn signal_name(signal: i32) -> Option<&'static str> {
    const NAMES: [(Signal, &str); 24] = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::STOP, "SIGSTOP"),
        (Signal::TSTP, "SIGTSTP"),
        (Signal::TTIN, "SIGTTIN"),
        (Signal::TTOU, "SIGTTOU"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::VTALARM, "SIGVTALRM"),
        (Signal::PROF, "SIGPROF"),
        (Signal::SYS, "SIGSYS"),
    ];
    NAMES.iter().find(|(known, _)| known.as_raw() == signal).map(|&(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_mean_everybody_are_no_groups() {
        for id in [i32::MIN, -5, -1, 0, 1] {
            assert_eq!(Group::from_id(id), None);
        }
        assert_eq!(Group::from_id(2).map(Group::id), Some(2));
    }

    #[test]
    fn pauses_grow_and_stay_short() {
        let mut backoff = Backoff::new();
        let pauses: Vec<_> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
    }
}
