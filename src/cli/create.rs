//! The files that are named to be written: `--events FILE`, `--trace FILE`, `taskr cache export FILE`.
//!
//! A wrong word on the command line must not cost a source, and a pipe that nobody reads must
//! not hold the build.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::error::Error;
use crate::files::open_regular;
use crate::report::{EVENTS_HEAD, TRACE_HEAD, one_line};

/// Where Linux shows what this process has open.
const OWN_FILES: &str = "/proc/self/fd";

/// What is written to such a file.
pub(super) struct Kind {
    option: &'static str,
    /// In words, with what one is called.
    what: &'static str,
    one: &'static str,
    /// A name for such a file.
    example: &'static str,
    /// What each begins with.
    head: &'static str,
}

pub(super) const TRACE: Kind = Kind {
    option: "--trace",
    what: "the trace",
    one: "trace",
    example: "trace.json",
    head: TRACE_HEAD,
};

pub(super) const EVENTS: Kind = Kind {
    option: "--events",
    what: "the events",
    one: "file of events",
    example: "events.json",
    head: EVENTS_HEAD,
};

pub(super) const EXPORT: Kind = Kind {
    option: "taskr cache export",
    what: "the export",
    one: "export of a store",
    example: "results.taskr",
    head: "taskr store ",
};

/// A file that has its name only when it is whole: until then what had it stays.
pub(super) struct Whole {
    file: File,
    /// Where it is, and what it will be called; none if it is no regular file.
    names: Option<(PathBuf, PathBuf)>,
    /// It has no name yet, so that nothing is left of it however taskr ends.
    unnamed: bool,
}

impl Whole {
    /// What stands at `path` will be replaced by a file that is not written yet.
    ///
    /// # Errors
    /// There can be no new file beside it.
    pub(super) fn instead_of(path: &Path) -> io::Result<Whole> {
        // A link stays one: what it leads to is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let (file, unnamed) = match create_unnamed(&path) {
            Some(file) => (file, true),
            None => (File::options().write(true).create_new(true).open(&temporary)?, false),
        };
        Ok(Whole { file, names: Some((temporary, path)), unnamed })
    }

    /// To be written.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// It is whole.
    ///
    /// # Errors
    /// It cannot get its name.
    pub(super) fn keep(mut self) -> io::Result<()> {
        let Some((temporary, path)) = &self.names else { return Ok(()) };
        if self.unnamed {
            give_name(&self.file, temporary)?;
            self.unnamed = false;
        }
        std::fs::rename(temporary, path)?;
        self.names = None;
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let (Some((temporary, _)), false) = (&self.names, self.unnamed) {
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// As [`create`], but what stands at `path` is replaced only by a whole file.
///
/// # Errors
/// As [`create`].
pub(super) fn create_whole(path: &Path, kind: &Kind) -> Result<Whole, Error> {
    let failed = |cause| kind.cannot_write(path, cause);
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Ok(Whole { file: create(path, kind)?, names: None, unnamed: false });
    }
    kind.check(path)?;
    Whole::instead_of(path).map_err(failed)
}

/// A file without a name in the folder of `path`, if the system and its file system have such.
#[cfg(target_os = "linux")]
fn create_unnamed(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mode = Mode::from(0o666);
    let file = rustix::fs::open(folder.unwrap_or(Path::new(".")), flags, mode).ok()?;
    Path::new(OWN_FILES).exists().then(|| file.into())
}

#[cfg(not(target_os = "linux"))]
fn create_unnamed(_: &Path) -> Option<File> {
    None
}

/// Gives a file that has none a name.
fn give_name(file: &File, name: &Path) -> io::Result<()> {
    let file = Path::new(OWN_FILES).join(file.as_raw_fd().to_string());
    Ok(rustix::fs::linkat(CWD, &file, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

/// Opens the file for writing, emptied. It is a new one, empty, an earlier one of its kind, or no
/// regular file at all.
///
/// # Errors
/// It is something else, a pipe without a reader, or cannot be written.
pub(super) fn create(path: &Path, kind: &Kind) -> Result<File, Error> {
    kind.check(path)?;
    open(path).map_err(|cause| match is_unread_pipe(path, &cause) {
        true => Error::Usage {
            message: format!("nobody reads the pipe {}", one_line(&path.display().to_string())),
            help: Some("start what reads it before taskr".to_owned()),
        },
        false => kind.cannot_write(path, cause),
    })
}

impl Kind {
    /// Refuses to replace a file of another kind.
    fn check(&self, path: &Path) -> Result<(), Error> {
        if may_replace(path, self.head).map_err(|cause| self.cannot_write(path, cause))? {
            return Ok(());
        }
        let shown = one_line(&path.display().to_string());
        Err(Error::Usage {
            message: format!("{} would replace {shown}, which is no {}", self.option, self.one),
            help: Some(format!("name a file for it, as in `{} {}`", self.option, self.example)),
        })
    }

    fn cannot_write(&self, path: &Path, cause: io::Error) -> Error {
        let (doing, path) = (format!("cannot write {}", self.what), path.to_owned());
        Error::Io { doing, path, cause }
    }
}

fn may_replace(path: &Path, head: &str) -> io::Result<bool> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Ok(found) if !found.is_file() => return Ok(true),
        found => found?,
    };
    let mut start = Vec::new();
    open_regular(path)?.take(head.len() as u64).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == head.as_bytes())
}

/// Does not wait for the reader of a pipe, but then for what it reads.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(true).custom_flags(flags).open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn is_unread_pipe(path: &Path, cause: &io::Error) -> bool {
    Errno::from_io_error(cause) == Some(Errno::NXIO)
        && path.metadata().is_ok_and(|entry| entry.file_type().is_fifo())
}
