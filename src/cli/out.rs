//! Where taskr writes what it was asked for: stdout, a file of events.
//!
//! A reader that has gone (`taskr list | head`) needs no more: that is no mistake. Any other
//! error is told, because an answer that is cut short must not pass for a whole one.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, OnceLock};

use crate::error::{Diagnostic, Error, remedy, render_diagnostics, said};
use crate::report::write_all;

/// What messages call it.
const STDOUT: &str = "stdout";

/// Writes the answer of a tool to stdout.
///
/// # Errors
/// It cannot be written, although somebody reads it.
pub(super) fn print(text: &[u8]) -> Result<(), Error> {
    told(write_all(&mut io::stdout().lock(), text))
}

/// The result of a write to stdout; that nobody reads is no error.
///
/// # Errors
/// It could not be written, although somebody reads it.
pub(super) fn told(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Output { to: STDOUT.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

/// The first error of a writer, for whoever ends the run.
#[derive(Clone, Default)]
pub(super) struct FirstError(Arc<OnceLock<io::Error>>);

impl FirstError {
    /// Watches a writer.
    pub(super) fn of<W: Write>(&self, to: W) -> Watched<W> {
        Watched { to, first: self.clone() }
    }

    /// The error, when all that was watched is gone.
    pub(super) fn into_cause(self) -> Option<io::Error> {
        Arc::into_inner(self.0)?.into_inner()
    }

    /// Says on stderr that `to` is incomplete, if it is. Whether it is.
    pub(super) fn tell(&self, to: &str, colour: bool, width: usize) -> bool {
        let Some(cause) = self.0.get() else { return false };
        let warning = Diagnostic::warning(format!("cannot write to {to}: {}", said(cause)))
            .help_if(remedy(cause).map(str::to_owned));
        let text = render_diagnostics(&[warning], colour, width);
        let _ = writeln!(io::stderr(), "{text}");
        true
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let passing = [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::BrokenPipe];
        result.map_err(|error| {
            if passing.contains(&error.kind()) {
                return error;
            }
            let kind = error.kind();
            let _ = self.0.set(error);
            kind.into()
        })
    }
}

/// A writer whose first error is remembered.
pub(super) struct Watched<W> {
    to: W,
    first: FirstError,
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.to.write(bytes);
        self.first.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.to.flush();
        self.first.note(result)
    }
}
