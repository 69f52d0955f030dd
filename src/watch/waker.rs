//! Wakes who waits when something changes in some folders; what it is nobody is told.
//!
//! On Linux the system says so (inotify). Elsewhere, and where the system watches no more folders,
//! the waker has no answer, and who waits has to look from time to time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crossbeam_channel::{Receiver, never};

/// Tells that something changed in the folders that it was given.
#[derive(Debug)]
pub struct Waker {
    #[cfg(target_os = "linux")]
    inotify: Option<linux::Inotify>,
    woken: Receiver<()>,
    /// Why it cannot tell; to be told once.
    deaf: Option<String>,
}

#[cfg(not(target_os = "linux"))]
impl Waker {
    /// One that cannot tell.
    pub fn new() -> Waker {
        let why = "this system does not tell what changes";
        Waker { woken: never(), deaf: Some(why.to_owned()) }
    }

    /// Whether folders are among these that were not watched until now.
    pub fn watch(&mut self, _: &BTreeSet<PathBuf>) -> bool {
        false
    }
}

impl Waker {
    /// Where it tells; one message stands for any number of changes.
    pub fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// Why it tells nothing, if it does not.
    pub fn deaf(&self) -> Option<&str> {
        self.deaf.as_deref()
    }
}

#[cfg(target_os = "linux")]
impl Waker {
    /// One that watches nothing yet.
    pub fn new() -> Waker {
        match linux::Inotify::start() {
            Ok((inotify, woken)) => Waker { inotify: Some(inotify), woken, deaf: None },
            Err(why) => Waker { inotify: None, woken: never(), deaf: Some(why) },
        }
    }

    /// From now on these are watched and no others. Whether some of them were not until now: what
    /// changed there before is not told.
    pub fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        let Some(inotify) = &mut self.inotify else { return false };
        match inotify.watch(folders) {
            Ok(more) => more,
            Err(why) => {
                (self.inotify, self.woken, self.deaf) = (None, never(), Some(why));
                false
            }
        }
    }
}

impl Default for Waker {
    fn default() -> Waker {
        Waker::new()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::os::fd::OwnedFd;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::thread;

    use crossbeam_channel::{Receiver, Sender, bounded};
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
    use rustix::io::Errno;

    use crate::error::said;

    /// All that may stand behind an edit: files that come, go, are written, or get other rights;
    /// and the folder itself that goes.
    const EDITS: WatchFlags = WatchFlags::CREATE
        .union(WatchFlags::DELETE)
        .union(WatchFlags::MOVED_FROM)
        .union(WatchFlags::MOVED_TO)
        .union(WatchFlags::MODIFY)
        .union(WatchFlags::CLOSE_WRITE)
        .union(WatchFlags::ATTRIB)
        .union(WatchFlags::DELETE_SELF)
        .union(WatchFlags::MOVE_SELF)
        .union(WatchFlags::ONLYDIR);

    /// What the system says is read in pieces of so many bytes; one event takes up to 272.
    const PIECE_BYTES: usize = 4096;

    /// Watches of folders. A folder that went is watched no more, whatever has its name now.
    #[derive(Debug)]
    pub(super) struct Inotify {
        fd: Arc<OwnedFd>,
        watches: BTreeSet<i32>,
        /// A channel without a sender would say all the time that it is closed.
        _tells: Sender<()>,
    }

    impl Inotify {
        pub(super) fn start() -> Result<(Inotify, Receiver<()>), String> {
            let fd = init(CreateFlags::CLOEXEC).map_err(|errno| match errno {
                Errno::MFILE => "all of this user's watchers are in use (`sysctl \
                                 fs.inotify.max_user_instances` says how many there may be)"
                    .to_owned(),
                other => format!("the system does not tell what changes: {}", said(&other.into())),
            })?;
            let fd = Arc::new(fd);
            let (tells, woken) = bounded(1);
            let (own, _tells) = (Arc::clone(&fd), tells.clone());
            let listens = thread::Builder::new().spawn(move || {
                let mut piece = [0; PIECE_BYTES];
                loop {
                    match rustix::io::read(&own, &mut piece) {
                        // One message that nobody has read yet is enough.
                        Ok(_) => drop(tells.try_send(())),
                        Err(Errno::INTR) => {}
                        Err(_) => return,
                    }
                }
            });
            listens.map_err(|error| format!("no thread can be started: {}", said(&error)))?;
            Ok((Inotify { fd, watches: BTreeSet::new(), _tells }, woken))
        }

        pub(super) fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> Result<bool, String> {
            let mut now = BTreeSet::new();
            for folder in folders {
                match add_watch(&*self.fd, folder, EDITS) {
                    Ok(watch) => now.extend([watch]),
                    Err(Errno::NOSPC) => return Err(too_many(folders.len())),
                    // It went meanwhile, which somebody above it is told; or nobody may read it.
                    Err(_) => {}
                }
            }
            let more = now.difference(&self.watches).next().is_some();
            for &old in self.watches.difference(&now) {
                // One whose folder went is gone already.
                let _ = remove_watch(&*self.fd, old);
            }
            self.watches = now;
            Ok(more)
        }
    }

    fn too_many(folders: usize) -> String {
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
        let limit = limit.map_or_else(|_| String::new(), |limit| format!(", {}", limit.trim()));
        format!(
            "{folders} folders are more than the system still watches (fs.inotify.max_user_watches\
             {limit}); `sudo sysctl fs.inotify.max_user_watches=1048576` raises that"
        )
    }
}
