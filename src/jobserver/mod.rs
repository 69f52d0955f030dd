//! One `-j` for all: the job server of GNU make, as one who takes tokens and as one who offers them.
//!
//! A token is a byte in a pipe. Whoever runs one job needs none; each further one at the same time
//! takes a byte, and writes it back when it has ended. As a server taskr fills a pipe of its own and
//! takes from it like everybody else. Knows no task. (GNU make manual, "Sharing Job Slots with GNU
//! make"; the crate `jobserver` sets up children by `pre_exec`, which leaves the fast way to start
//! processes, and offers no fifo.)
//!
//! GNU make 4.4 and ninja take a fifo by its path, and children inherit nothing. Before 4.4 make
//! dies of `fifo:`, so where the machine's make is older children inherit two descriptors.

mod flags;

use std::ffi::{OsStr, OsString};
use std::fs::{File, remove_file};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use flags::Auth;

/// The variable in which make tells its children of its tokens.
pub const MAKEFLAGS: &str = "MAKEFLAGS";

/// Descriptors that children inherit begin here, or here where there are not so many: shells can
/// name those below 10 only.
const FIRST_DESCRIPTORS: [i32; 2] = [100, 10];

/// A pipe of one page holds so many tokens, and a few that others invented.
const MOST_TOKENS: usize = 4000;

/// A pipe with tokens.
#[derive(Debug)]
pub struct Pool {
    auth: Auth,
    jobs: Option<usize>,
    reader: File,
    writer: File,
    /// What others inherit.
    _inherited: Option<(OwnedFd, OwnedFd)>,
    /// To be removed at the end.
    made: Option<PathBuf>,
}

/// What a caller's `MAKEFLAGS` came to.
#[derive(Debug)]
pub enum Offer {
    /// No job server.
    None,
    /// This one.
    Open(Pool),
    /// One that is not open here.
    Closed,
}

impl Offer {
    /// Looks at what a caller says.
    pub fn of(makeflags: Option<&OsStr>) -> Offer {
        let offered = makeflags.and_then(OsStr::to_str).and_then(flags::offered);
        match offered {
            None => Offer::None,
            Some((auth, jobs)) => Pool::join(auth, jobs).map_or(Offer::Closed, Offer::Open),
        }
    }
}

impl Pool {
    fn join(auth: Auth, jobs: Option<usize>) -> Option<Pool> {
        let (read, write) = match &auth {
            Auth::Fifo(path) => (path.clone(), path.clone()),
            Auth::Pipe(read, write) => (descriptor(*read)?, descriptor(*write)?),
        };
        let (reader, writer) = (open(&read, true).ok()?, open(&write, false).ok()?);
        Some(Pool { auth, jobs, reader, writer, _inherited: None, made: None })
    }

    /// A server for `jobs` at once, by a fifo at `path` if it can be one and `fifo` says that the
    /// machine's make takes that.
    ///
    /// # Errors
    /// What the system says, or that it would be more tokens than a pipe is sure to hold.
    pub fn serve(jobs: usize, fifo: bool, path: PathBuf) -> io::Result<Pool> {
        if jobs > MOST_TOKENS {
            return Err(io::Error::from(ErrorKind::InvalidInput));
        }
        let pool = match fifo && is_plain(&path) {
            true => Pool::with_fifo(jobs, path),
            false => Pool::with_pipe(jobs),
        }?;
        pool.fill()?;
        Ok(pool)
    }

    fn fill(&self) -> io::Result<()> {
        let tokens = self.jobs.unwrap_or(1).saturating_sub(1);
        (&self.writer).write_all(&vec![b'+'; tokens])
    }

    /// Of a server of ours, while nobody holds a token: those that died with children are there
    /// again.
    pub fn refill(&self) {
        while self.try_take().is_some() {}
        // What it held a moment ago it holds again.
        let _ = self.fill();
    }

    fn with_fifo(jobs: usize, path: PathBuf) -> io::Result<Pool> {
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        let made = Some(path.clone());
        // One who reads and writes never waits for the other side, and never sees an end.
        let both = open_both(&path)?;
        let (reader, writer) = (both.try_clone()?, both);
        let auth = Auth::Fifo(path);
        Ok(Pool { auth, jobs: Some(jobs), reader, writer, _inherited: None, made })
    }

    fn with_pipe(jobs: usize) -> io::Result<Pool> {
        let (read, write) = io::pipe()?;
        let inherited = (inheritable(&read)?, inheritable(&write)?);
        let (read, write) = (inherited.0.as_raw_fd(), inherited.1.as_raw_fd());
        let auth = Auth::Pipe(read, write);
        let missing = || io::Error::from(ErrorKind::NotFound);
        let reader = open(&descriptor(read).ok_or_else(missing)?, true)?;
        let writer = open(&descriptor(write).ok_or_else(missing)?, false)?;
        let inherited = Some(inherited);
        Ok(Pool { auth, jobs: Some(jobs), reader, writer, _inherited: inherited, made: None })
    }

    /// The `-j` of the server, if it says.
    pub fn jobs(&self) -> Option<usize> {
        self.jobs
    }

    /// What children are told, beside `others`: the value that `MAKEFLAGS` has already.
    pub fn makeflags(&self, others: Option<&OsStr>, jobs: usize) -> OsString {
        let others = others.and_then(OsStr::to_str).unwrap_or_default();
        flags::with(others, self.jobs.unwrap_or(jobs), &self.auth).into()
    }

    /// Takes a token, if there is one now.
    pub fn try_take(&self) -> Option<u8> {
        // Where the descriptor shares its mode with others a read could wait.
        if !is_readable(&self.reader) {
            return None;
        }
        let mut token = [0];
        match (&self.reader).read(&mut token) {
            Ok(1) => Some(token[0]),
            // Somebody was faster; or there is no server any more.
            Ok(_) | Err(_) => None,
        }
    }

    /// Gives a token back.
    pub fn give_back(&self, token: u8) {
        // To a server that has ended nothing can be given.
        let _ = (&self.writer).write_all(&[token]);
    }

    /// Says whenever there may be a token again, once for each time that it is asked.
    ///
    /// # Errors
    /// If the system gives no more threads or descriptors.
    pub fn bell(&self, ring: impl Fn() + Send + 'static) -> io::Result<Bell> {
        let reader = self.reader.try_clone()?;
        let (wake, waker) = io::pipe()?;
        let (asks, asked) = unbounded();
        let thread = std::thread::Builder::new().spawn(move || {
            for () in asked {
                if !wait_readable(&reader, &wake) {
                    return;
                }
                ring();
            }
        })?;
        Ok(Bell { asks: Some(asks), waker: Some(waker), thread: Some(thread) })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            let _ = remove_file(path);
        }
    }
}

/// A flag list without a job server, for those who shall take no tokens.
pub fn makeflags_without(others: &OsStr) -> OsString {
    flags::without(others.to_str().unwrap_or_default()).into()
}

/// Waits for tokens, in a thread of its own.
#[derive(Debug)]
pub struct Bell {
    asks: Option<Sender<()>>,
    waker: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Bell {
    /// Rings once when there may be a token.
    pub fn ask(&self) {
        if let Some(asks) = &self.asks {
            let _ = asks.send(());
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        (self.asks, self.waker) = (None, None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The path of a descriptor of ours, if it is open.
fn descriptor(number: i32) -> Option<PathBuf> {
    let path = PathBuf::from(format!("/dev/fd/{number}"));
    (number >= 0 && path.exists()).then_some(path)
}

/// Opens one end anew: where the system allows, with a mode of its own, so that a read that finds
/// nothing does not wait.
fn open(path: &Path, read: bool) -> io::Result<File> {
    if std::fs::metadata(path)?.file_type().is_fifo() {
        let named = read && path.parent() != Some(Path::new("/dev/fd"));
        let flags = if read { OFlags::NONBLOCK.bits().cast_signed() } else { 0 };
        let mut options = File::options();
        return options.read(read).write(!read || named).custom_flags(flags).open(path);
    }
    Err(io::Error::from(ErrorKind::InvalidInput))
}

fn open_both(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).write(true).custom_flags(flags).open(path)
}

/// A duplicate that children get, with a number that is in nobody's way.
fn inheritable(descriptor: impl std::os::fd::AsFd) -> io::Result<OwnedFd> {
    let [first, lower] = FIRST_DESCRIPTORS;
    let own = fcntl_dupfd_cloexec(&descriptor, first)
        .or_else(|_| fcntl_dupfd_cloexec(&descriptor, lower))?;
    fcntl_setfd(&own, FdFlags::empty())?;
    Ok(own)
}

fn is_readable(file: &File) -> bool {
    let mut descriptors = [PollFd::new(file, PollFlags::IN)];
    let now = rustix::event::Timespec::default();
    poll(&mut descriptors, Some(&now)) == Ok(1) && descriptors[0].revents().contains(PollFlags::IN)
}

/// Blocks until there is something to read; false if it was woken to end.
fn wait_readable(file: &File, wake: &PipeReader) -> bool {
    loop {
        let mut descriptors = [PollFd::new(file, PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        match poll(&mut descriptors, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) => return descriptors[1].revents().is_empty(),
        }
    }
}

/// Whether make's own words can carry the path.
fn is_plain(path: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    path.to_str().is_some_and(|path| path.chars().all(plain))
}

/// Whether a make that answers so to `--version` takes a fifo: GNU make from 4.4 on.
pub fn knows_fifo(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let version = text.lines().next().and_then(|line| line.strip_prefix("GNU Make "));
    let mut numbers = version
        .unwrap_or_default()
        .split('.')
        .map(|number| number.trim().parse::<u32>().unwrap_or_default());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    version >= (4, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools() -> Vec<(tempfile::TempDir, Pool)> {
        let fifo = tempfile::tempdir().expect("a folder");
        let pool = Pool::serve(3, true, fifo.path().join("jobs")).expect("a fifo");
        assert!(matches!(pool.auth, Auth::Fifo(_)));
        let pipe = tempfile::tempdir().expect("a folder");
        let piped = Pool::serve(3, true, pipe.path().join("jo bs")).expect("a pipe");
        assert!(matches!(piped.auth, Auth::Pipe(100.., 100..)));
        vec![(fifo, pool), (pipe, piped)]
    }

    #[test]
    fn a_server_and_one_who_takes() {
        for (folder, pool) in pools() {
            let told = pool.makeflags(None, 3);
            let Offer::Open(other) = Offer::of(Some(&told)) else { panic!("{told:?}") };
            assert_eq!(other.jobs(), Some(3));
            assert_eq!(pool.try_take(), Some(b'+'));
            assert_eq!(other.try_take(), Some(b'+'));
            assert_eq!((pool.try_take(), other.try_take()), (None, None));
            let (rings, rung) = unbounded();
            let bell = pool.bell(move || rings.send(()).expect("heard")).expect("a thread");
            bell.ask();
            other.give_back(b'x');
            rung.recv_timeout(std::time::Duration::from_secs(20)).expect("it rings");
            assert_eq!(pool.try_take(), Some(b'x'), "the very byte");
            bell.ask();
            drop(bell);
            assert_eq!((other.try_take(), other.try_take()), (None, None), "both are lost");
            pool.refill();
            assert_eq!((other.try_take(), other.try_take()), (Some(b'+'), Some(b'+')));
            assert_eq!(other.try_take(), None);
            drop((pool, other));
            assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 0);
        }
    }

    #[test]
    fn a_fifo_is_for_gnu_make_from_4_4_on() {
        for (answer, takes) in [
            ("GNU Make 4.4\nBuilt for x\n", true),
            ("GNU Make 4.4.1\n", true),
            ("GNU Make 5.0", true),
            ("GNU Make 4.3\n", false),
            ("GNU Make 3.81\n", false),
            ("bmake: 20240101 4.4\n", false),
            ("", false),
        ] {
            assert_eq!(knows_fifo(answer.as_bytes()), takes, "{answer}");
        }
    }

    #[test]
    fn what_is_not_open_or_no_pipe() {
        for flags in [
            " -j4 --jobserver-auth=-2,-2",
            " -j4 --jobserver-auth=900,901",
            " -j4 --jobserver-auth=fifo:/nowhere/f",
            " -j4 --jobserver-auth=fifo:/dev/null",
        ] {
            assert!(matches!(Offer::of(Some(OsStr::new(flags))), Offer::Closed), "{flags}");
        }
        assert!(matches!(Offer::of(Some(OsStr::new("k"))), Offer::None));
        assert!(matches!(Offer::of(None), Offer::None));
    }
}
