//! A writer that never fails its user.
//!
//! Knows nothing of events. Bytes gather in a buffer and leave at the end of each event; the
//! first error closes the sink for good, because who has gone away does not come back.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use super::clean::clean_line;

/// The buffer leaves when it holds this much, whatever the event.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often a writer that is full and does not block is asked again.
const RETRY: Duration = Duration::from_millis(1);

/// A writer, what it has not yet been given, and whether it still works.
pub(super) struct Sink<W> {
    to: W,
    buffer: Vec<u8>,
    broken: bool,
    line_open: bool,
    /// Ends of lines that were put.
    lines: usize,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(to: W) -> Self {
        Sink { to, buffer: Vec::new(), broken: false, line_open: false, lines: 0 }
    }

    /// Whether a write failed. Nothing was written since.
    pub(super) fn broken(&self) -> bool {
        self.broken
    }

    /// How many lines were ever put.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Appends bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.line_open = last != b'\n';
            self.lines += bytes.iter().filter(|&&byte| byte == b'\n').count();
            self.put_invisible(bytes);
        }
    }

    /// Appends bytes that take no place on a line: colours.
    pub(super) fn put_invisible(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Appends `text` as lines of its own.
    pub(super) fn line(&mut self, text: &str) {
        self.end_line();
        self.put(text.as_bytes());
        self.end_line();
    }

    /// Appends one line of a task's output behind a prefix; `clean` if a terminal reads it.
    pub(super) fn task_line(&mut self, prefix: &str, line: &[u8], clean: bool) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        self.end_line();
        self.put(prefix.as_bytes());
        self.put(&if clean { Cow::Owned(clean_line(line)) } else { Cow::Borrowed(line) });
        self.put(b"\n");
    }

    /// Ends the line, if one has begun.
    pub(super) fn end_line(&mut self) {
        if self.line_open {
            self.put(b"\n");
        }
    }

    /// Gives all that has gathered to the writer; a broken one gathers nothing.
    pub(super) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.broken = write_all(&mut self.to, &self.buffer).is_err();
        }
        self.buffer.clear();
    }
}

/// As `Write::write_all` with a flush, but waits for a full pipe or terminal which some other
/// program has set not to block.
///
/// # Errors
/// As `Write::write_all`.
pub fn write_all(to: &mut impl Write, mut bytes: &[u8]) -> std::io::Result<()> {
    loop {
        let done = match bytes {
            [] => to.flush().map(|()| None),
            _ => to.write(bytes).map(Some),
        };
        match done {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => return Err(ErrorKind::WriteZero.into()),
            Ok(Some(count)) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// Takes one byte a call, after an interruption and a full moment each.
    struct Slow {
        taken: Vec<u8>,
        turn: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.turn += 1;
            match self.turn % 3 {
                1 => Err(ErrorKind::Interrupted.into()),
                2 => Err(ErrorKind::WouldBlock.into()),
                _ => self.taken.write(&bytes[..1]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_writer_gets_every_byte() {
        let mut sink = Sink::new(Slow { taken: Vec::new(), turn: 0 });
        sink.put(b"ab");
        sink.end_line();
        sink.end_line();
        sink.flush();
        assert_eq!(sink.to.taken, b"ab\n");
        assert!(!sink.broken());
    }

    #[test]
    fn the_first_error_closes_it() {
        struct Closed(usize);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut sink = Sink::new(Closed(0));
        for _ in 0..3 {
            sink.line("x");
            sink.flush();
        }
        assert!(sink.broken());
        assert_eq!(sink.to.0, 1, "tried once, then never again");
        assert!(sink.buffer.is_empty(), "what cannot be written is not kept");
    }
}
