//! The files that options name to be written: `--events FILE` and `--trace FILE`.
//!
//! A wrong word on the command line must not cost a source, and a pipe that nobody reads must
//! not hold the build.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::error::Error;
use crate::files::open_regular;
use crate::report::{EVENTS_HEAD, TRACE_HEAD, one_line};

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

/// Opens the file for writing, emptied. It is a new one, empty, an earlier one of its kind, or no
/// regular file at all.
///
/// # Errors
/// It is something else, a pipe without a reader, or cannot be written.
pub(super) fn create(path: &Path, kind: &Kind) -> Result<File, Error> {
    let failed = |cause| Error::Io {
        doing: format!("cannot write {}", kind.what),
        path: path.to_owned(),
        cause,
    };
    let shown = one_line(&path.display().to_string());
    if !may_replace(path, kind.head).map_err(failed)? {
        return Err(Error::Usage {
            message: format!("{} would replace {shown}, which is no {}", kind.option, kind.one),
            help: Some(format!("name a file for it, as in `{} {}`", kind.option, kind.example)),
        });
    }
    open(path).map_err(|cause| match is_unread_pipe(path, &cause) {
        true => Error::Usage {
            message: format!("nobody reads the pipe {shown}"),
            help: Some("start what reads it before taskr".to_owned()),
        },
        false => failed(cause),
    })
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
