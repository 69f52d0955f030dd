//! Locks by file: one build per workspace, one user per task directory.
//!
//! Knows no task and no child process. A lock is `flock` on an open file: the system gives it up
//! when the last descriptor of that open file is closed, however its holder died, and only a
//! descriptor that was duplicated on purpose (the guard's) prolongs it; all others are
//! close-on-exec. Lock files are never deleted: two processes could then hold "the" lock, of two
//! files. Where the file system cannot lock, work goes on, with a sentence.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// How often a lock that is waited for is tried.
const TRY_EVERY: Duration = Duration::from_millis(50);
/// More of a note is not read.
const NOTE_LIMIT_BYTES: usize = 16 * 1024;

/// Who holds a workspace's lock.
///
/// On disk it is the content of the lock file: three lines, `pid`, run id, command line, each ended
/// by a newline, control characters replaced by spaces, and a fourth, `stays`, if that is so; written
/// in place by the holder after locking, emptied when it is given up. It is for people: whether the
/// lock is held is known to the system alone, and a note may be that of a process that was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The process id.
    pub pid: u32,
    /// The id of its run.
    pub run_id: String,
    /// Its command line, for display.
    pub command: String,
    /// The lock is held until the user ends that process: who waits for it would wait for ever.
    pub stays: bool,
}

/// The fourth line of a note.
const STAYS: &str = "stays";

impl Note {
    fn encode(&self) -> Vec<u8> {
        let line = |text: &str| text.replace(char::is_control, " ");
        let stays = if self.stays { format!("{STAYS}\n") } else { String::new() };
        let (run_id, command) = (line(&self.run_id), line(&self.command));
        format!("{}\n{run_id}\n{command}\n{stays}", self.pid).into_bytes()
    }

    /// None unless it is whole.
    fn decode(text: &str) -> Option<Note> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut note = Note {
            pid: lines.next()?.parse().ok()?,
            run_id: lines.next()?.to_owned(),
            command: lines.next()?.replace(char::is_control, " "),
            stays: false,
        };
        let more = lines.next();
        note.stays = more == Some(STAYS);
        ((more.is_none() || note.stays) && lines.next().is_none()).then_some(note)
    }
}

/// What to do about a lock that another holds.
pub enum Wait<'a> {
    /// Come back at once.
    No,
    /// Wait, but for one that stays.
    Until {
        /// Is told once, before the waiting begins, for whom.
        tell: &'a mut dyn FnMut(Option<&Note>),
        /// Ends the waiting; asked some twenty times a second.
        stopped: &'a dyn Fn() -> bool,
    },
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Acquired<L> {
    /// It is ours.
    Held(L),
    /// Another has it: this one, if it says so.
    Busy(Option<Note>),
    /// The waiting was ended.
    Stopped,
}

/// The workspace's lock. Dropping it gives it up, as soon as the guard, which shares it, has ended
/// too.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    note: Note,
    held: bool,
    locking: Locking,
}

impl Lock {
    /// Takes the lock of the state directory `dir` (`.taskr`), which must exist, and leaves `note`
    /// in it.
    ///
    /// # Errors
    /// If `dir/lock` cannot be opened, locked or written.
    pub fn acquire(dir: &Path, note: &Note, mut wait: Wait<'_>) -> io::Result<Acquired<Lock>> {
        let path = dir.join("lock");
        let (file, locking) = match take_path(&path, &mut wait)? {
            Acquired::Held(taken) => taken,
            Acquired::Busy(holder) => return Ok(Acquired::Busy(holder)),
            Acquired::Stopped => return Ok(Acquired::Stopped),
        };
        write_note(&file, note)?;
        Ok(Acquired::Held(Lock { file, path, note: note.clone(), held: true, locking }))
    }

    /// The open file that carries the lock: who has a duplicate of it has the lock too.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether somebody removed the lock's file, and with it, for all that is known, the rest of the
    /// state directory.
    pub fn is_lost(&self) -> bool {
        !is_at(&self.file, &self.path)
    }

    /// What to tell the user if the file system cannot lock, so that nothing keeps a second taskr
    /// away.
    pub fn caution(&self) -> Option<String> {
        (self.locking == Locking::Unsupported).then(|| {
            format!(
                "{} cannot be locked on this file system: do not build twice at once",
                self.path.display()
            )
        })
    }

    /// Lets others have the lock, for all who share it, without closing the file.
    ///
    /// # Errors
    /// What the system says.
    pub fn pause(&mut self) -> io::Result<()> {
        if self.held && self.locking == Locking::Supported {
            self.file.unlock()?;
        }
        self.held = false;
        Ok(())
    }

    /// Takes the lock again after [`Lock::pause`]. What it protects may have changed meanwhile.
    ///
    /// # Errors
    /// What the system says, or that the lock's file was deleted by somebody.
    pub fn resume(&mut self, mut wait: Wait<'_>) -> io::Result<Acquired<()>> {
        if !self.held {
            match take(&self.file, &mut wait)? {
                Acquired::Held(_) => {}
                Acquired::Busy(holder) => return Ok(Acquired::Busy(holder)),
                Acquired::Stopped => return Ok(Acquired::Stopped),
            }
            if !is_at(&self.file, &self.path) {
                let text = format!("{} was replaced while it was not locked", self.path.display());
                return Err(io::Error::other(text));
            }
            self.held = true;
            write_note(&self.file, &self.note)?;
        }
        Ok(Acquired::Held(()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.held {
            // A note that stays is out of date, as after a crash: no harm.
            let _ = self.file.set_len(0);
        }
    }
}

/// The lock of one task's directory; dropping it gives it up.
#[derive(Debug)]
pub struct TaskLock {
    file: File,
}

impl TaskLock {
    /// Takes the lock whose file is `path`, and leaves `note` in it; its directory must exist.
    /// Where the file system cannot lock, it is held without effect: the workspace's lock tells
    /// the user.
    ///
    /// # Errors
    /// If the file cannot be opened, locked or written.
    pub fn acquire(path: &Path, note: &Note, mut wait: Wait<'_>) -> io::Result<Acquired<TaskLock>> {
        Ok(match take_path(path, &mut wait)? {
            Acquired::Held((file, _)) => {
                write_note(&file, note)?;
                Acquired::Held(TaskLock { file })
            }
            Acquired::Busy(holder) => Acquired::Busy(holder),
            Acquired::Stopped => Acquired::Stopped,
        })
    }
}

impl Drop for TaskLock {
    fn drop(&mut self) {
        // A note that stays is out of date, as after a crash: no harm.
        let _ = self.file.set_len(0);
    }
}

/// Who last took the lock of the state directory `dir` and has not given it up; see [`Note`].
pub fn holder(dir: &Path) -> Option<Note> {
    read_note(&File::open(dir.join("lock")).ok()?)
}

/// Whether the file system can lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locking {
    Supported,
    Unsupported,
}

/// Opens and locks what is at `path`, again if that is another file by then.
fn take_path(path: &Path, wait: &mut Wait<'_>) -> io::Result<Acquired<(File, Locking)>> {
    loop {
        let file = open(path)?;
        match take(&file, wait)? {
            Acquired::Held(locking) if is_at(&file, path) => {
                return Ok(Acquired::Held((file, locking)));
            }
            Acquired::Held(_) => {}
            Acquired::Busy(holder) => return Ok(Acquired::Busy(holder)),
            Acquired::Stopped => return Ok(Acquired::Stopped),
        }
    }
}

fn take(file: &File, wait: &mut Wait<'_>) -> io::Result<Acquired<Locking>> {
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Acquired::Held(Locking::Supported)),
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {
                return Ok(Acquired::Held(Locking::Unsupported));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        let note = read_note(file);
        let stays = note.as_ref().is_some_and(|note| note.stays);
        let Wait::Until { tell, stopped } = wait else { return Ok(Acquired::Busy(note)) };
        if stays {
            return Ok(Acquired::Busy(note));
        }
        if !told {
            tell(note.as_ref());
            told = true;
        }
        if stopped() {
            return Ok(Acquired::Stopped);
        }
        thread::sleep(TRY_EVERY);
    }
}

/// What some network file systems answer; those that hang when asked to wait are never asked to.
fn is_unsupported(error: &io::Error) -> bool {
    let unsupported = [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOLCK, Errno::NOSYS];
    Errno::from_io_error(error).is_some_and(|errno| unsupported.contains(&errno))
}

/// A link is not followed: the note would overwrite what it leads to.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags)
        .open(path)
}

/// Whether the file is still the one that others will find.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

fn write_note(file: &File, note: &Note) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(&note.encode(), 0)
}

fn read_note(file: &File) -> Option<Note> {
    let mut bytes = vec![0; NOTE_LIMIT_BYTES];
    let length = file.read_at(&mut bytes, 0).ok()?;
    Note::decode(std::str::from_utf8(&bytes[..length]).ok()?)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    fn note(pid: u32) -> Note {
        Note { pid, run_id: "run".into(), command: "taskr build".into(), stays: false }
    }

    /// Takes what nobody holds. A child that another test is just starting may for a moment have a
    /// copy of the descriptor that was closed, up to its `exec`.
    fn held(dir: &Path, pid: u32) -> Lock {
        let tries = AtomicU32::new(0);
        let wait = Wait::Until {
            tell: &mut |_| {},
            stopped: &|| tries.fetch_add(1, Ordering::SeqCst) > 100,
        };
        match Lock::acquire(dir, &note(pid), wait).expect("no error") {
            Acquired::Held(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    fn is_busy(dir: &Path) -> Option<Option<Note>> {
        match Lock::acquire(dir, &note(99), Wait::No).expect("no error") {
            Acquired::Busy(holder) => Some(holder),
            _ => None,
        }
    }

    #[test]
    fn notes() {
        let command = "taskr\n\x1b[31m 'é'".into();
        let odd = Note { pid: 7, run_id: "a".into(), command, stays: true };
        let read = Note::decode(str::from_utf8(&odd.encode()).expect("text")).expect("whole");
        assert_eq!(read, Note { command: "taskr  [31m 'é'".into(), ..odd });
        let whole = note(12).encode();
        for length in 0..whole.len() {
            assert_eq!(Note::decode(str::from_utf8(&whole[..length]).expect("text")), None);
        }
        for bad in ["\n\n\n", "x\na\nb\n", "1\na\nb\nc\n", "-1\na\nb\n"] {
            assert_eq!(Note::decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn busy_names_the_holder_and_the_file_stays() {
        let dir = tempfile::tempdir().expect("dir");
        assert_eq!(holder(dir.path()), None);
        let lock = held(dir.path(), 1);
        let inode = fs::metadata(dir.path().join("lock")).expect("there").ino();
        assert_eq!(is_busy(dir.path()), Some(Some(note(1))));
        assert_eq!(holder(dir.path()), Some(note(1)));
        assert_eq!(lock.caution(), None);
        drop(lock);
        assert_eq!(holder(dir.path()), None, "emptied");
        let _again = held(dir.path(), 2);
        assert_eq!(fs::metadata(dir.path().join("lock")).expect("there").ino(), inode);
        assert_eq!(holder(dir.path()), Some(note(2)));
    }

    #[test]
    fn never_two_holders() {
        let dir = tempfile::tempdir().expect("dir");
        let (inside, count) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for pid in 0..4 {
                let (dir, inside, count) = (dir.path(), &inside, &count);
                scope.spawn(move || {
                    let mut rounds = 0;
                    while rounds < 100 {
                        let got = Lock::acquire(dir, &note(pid), Wait::No).expect("no error");
                        let Acquired::Held(lock) = got else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(holder(dir), Some(note(pid)));
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                        count.fetch_add(1, Ordering::SeqCst);
                        rounds += 1;
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 400);
    }

    #[test]
    fn another_process_excludes_us_and_we_it() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("lock");
        let flock = |wait_s: &str, script: &str| {
            let mut command = Command::new("flock");
            command.args(["-w", wait_s, "-E", "75"]).arg(&path).args(["sh", "-c", script]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command
        };
        let lock = held(dir.path(), 1);
        assert_eq!(flock("0", "exit 0").status().expect("flock(1)").code(), Some(75));
        drop(lock);
        let mut other = flock("10", "echo ready; read x").spawn().expect("flock(1)");
        let mut ready = [0; 6];
        io::Read::read_exact(other.stdout.as_mut().expect("piped"), &mut ready).expect("ready");
        assert_eq!(is_busy(dir.path()), Some(None));
        drop(other.stdin.take());
        other.wait().expect("waited");
        held(dir.path(), 2);
    }

    #[test]
    fn a_child_does_not_keep_it_but_a_duplicate_does() {
        let dir = tempfile::tempdir().expect("dir");
        let lock = held(dir.path(), 1);
        let mut child = Command::new("sleep").arg("60").spawn().expect("started");
        let duplicate = lock.file().try_clone().expect("duplicate");
        let mut guard = Command::new("sleep").arg("60").stdout(duplicate).spawn().expect("started");
        drop(lock);
        assert_eq!(is_busy(dir.path()), Some(None));
        guard.kill().expect("killed");
        guard.wait().expect("reaped");
        held(dir.path(), 2);
        assert!(child.try_wait().expect("asked").is_none(), "the child still lives");
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    #[test]
    fn waiting_tells_once_for_whom_and_ends_with_the_holder() {
        let dir = tempfile::tempdir().expect("dir");
        let lock = Arc::new(std::sync::Mutex::new(Some(held(dir.path(), 1))));
        let (mut told, tries) = (Vec::new(), AtomicU32::new(0));
        let holder = Arc::clone(&lock);
        let got = Lock::acquire(
            dir.path(),
            &note(2),
            Wait::Until {
                tell: &mut |note| told.push(note.cloned()),
                stopped: &|| {
                    if tries.fetch_add(1, Ordering::SeqCst) == 2 {
                        holder.lock().expect("no panic").take();
                    }
                    false
                },
            },
        );
        assert!(matches!(got.expect("no error"), Acquired::Held(_)));
        assert_eq!(told, [Some(note(1))]);
        assert_eq!(tries.into_inner(), 3);
    }

    #[test]
    fn waiting_ends_when_a_stop_is_requested() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("task.lock");
        let Acquired::Held(lock) = TaskLock::acquire(&path, &note(1), Wait::No).expect("no error")
        else {
            panic!("it is free");
        };
        let second = TaskLock::acquire(&path, &note(2), Wait::No);
        assert!(matches!(second, Ok(Acquired::Busy(Some(holder))) if holder == note(1)));
        let (asked, mut told) = (AtomicBool::new(false), 0);
        let wait = Wait::Until {
            tell: &mut |_| told += 1,
            stopped: &|| asked.swap(true, Ordering::SeqCst),
        };
        assert!(matches!(TaskLock::acquire(&path, &note(2), wait), Ok(Acquired::Stopped)));
        assert_eq!(told, 1);
        drop(lock);
        let wait = Wait::Until { tell: &mut |_| {}, stopped: &|| false };
        assert!(matches!(TaskLock::acquire(&path, &note(2), wait), Ok(Acquired::Held(_))));
    }

    #[test]
    fn a_pause_lets_others_in_even_when_shared() {
        let dir = tempfile::tempdir().expect("dir");
        let mut lock = held(dir.path(), 1);
        let _shared = lock.file().try_clone().expect("duplicate");
        lock.pause().expect("paused");
        let other = held(dir.path(), 2);
        assert!(matches!(lock.resume(Wait::No), Ok(Acquired::Busy(Some(by))) if by == note(2)));
        drop(other);
        let wait = Wait::Until { tell: &mut |_| {}, stopped: &|| false };
        assert!(matches!(lock.resume(wait), Ok(Acquired::Held(()))));
        assert_eq!(is_busy(dir.path()), Some(Some(note(1))));
        lock.pause().expect("paused");
        let other = held(dir.path(), 3);
        drop(lock);
        assert_eq!(holder(dir.path()), Some(note(3)), "a paused lock owns no note");
        drop(other);
    }

    #[test]
    fn a_deleted_file_makes_no_second_holder_of_the_path() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("lock");
        let file = open(&path).expect("open");
        fs::remove_file(&path).expect("removed");
        assert!(!is_at(&file, &path));
        let mut lock = held(dir.path(), 1);
        assert!(is_at(lock.file(), &path));
        lock.pause().expect("paused");
        fs::remove_file(&path).expect("removed");
        assert!(lock.resume(Wait::No).is_err());
    }

    #[test]
    fn what_is_no_lock_file_is_refused_untouched() {
        let dir = tempfile::tempdir().expect("dir");
        let precious = dir.path().join("precious");
        fs::write(&precious, "text").expect("written");
        std::os::unix::fs::symlink(&precious, dir.path().join("lock")).expect("link");
        assert!(Lock::acquire(dir.path(), &note(1), Wait::No).is_err());
        assert_eq!(fs::read(&precious).expect("there"), b"text");
        assert!(Lock::acquire(&dir.path().join("none"), &note(1), Wait::No).is_err());
    }

    #[test]
    fn where_locking_is_not_supported_work_goes_on() {
        for errno in [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOLCK, Errno::NOSYS] {
            assert!(is_unsupported(&errno.into()), "{errno:?}");
        }
        for errno in [Errno::IO, Errno::BADF, Errno::ACCESS] {
            assert!(!is_unsupported(&errno.into()), "{errno:?}");
        }
        assert!(!is_unsupported(&io::Error::other("x")));
    }
}
