//! A command that is asked for what it prints.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Command, Guard, Status, Stop, run};

/// More is not kept, in bytes.
pub const LONGEST_ANSWER: usize = 1 << 20;

/// Of stderr so much is kept, in bytes.
const LONGEST_ERRORS: u64 = 16 * 1024;

/// What a command said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// How it ended.
    pub status: Status,
    /// Its stdout, up to one byte more than [`LONGEST_ANSWER`].
    pub output: Vec<u8>,
    /// The beginning of its stderr.
    pub errors: Vec<u8>,
}

/// Runs `command` to its end, as [`run`] does, and hands out what it printed.
///
/// # Errors
/// Those of [`run`]; no temporary file can be made.
pub fn ask(command: &Command, stop: &Stop, guard: Option<&Guard>) -> io::Result<Said> {
    let errors = Arc::new(temporary()?);
    let command = Command { errors: Some(errors.clone()), ..command.clone() };
    let mut nowhere = File::options().write(true).open("/dev/null")?;
    let mut output = Vec::new();
    let ended = run(&command, &mut nowhere, stop, guard, &mut |bytes| {
        let room = (LONGEST_ANSWER + 1).saturating_sub(output.len());
        output.extend_from_slice(&bytes[..room.min(bytes.len())]);
    })?;
    let mut kept = Vec::new();
    let mut errors = &*errors;
    errors.rewind()?;
    errors.take(LONGEST_ERRORS).read_to_end(&mut kept)?;
    Ok(Said { status: ended.status, output, errors: kept })
}

/// A file without a name, for a stream that nobody reads meanwhile.
fn temporary() -> io::Result<File> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("taskr-{}-{number}", std::process::id()));
        match File::options().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

impl Said {
    /// What it said that may tell why it failed: the last lines of stderr, or else of stdout.
    pub fn last_lines(&self) -> Option<String> {
        const LINES: usize = 5;
        let told = if self.errors.trim_ascii().is_empty() { &self.output } else { &self.errors };
        let text = String::from_utf8_lossy(told.trim_ascii_end()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LINES)..)?.join("\n");
        (!last.is_empty()).then_some(last)
    }
}
