//! `taskr fmt`: the Taskfile in the one usual layout. The file need not be right, only TOML.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;

use similar::TextDiff;

use super::End;
use super::args::Fmt;
use super::create::Whole;
use super::out::print;
use super::taskfile::{self, Found};
use crate::error::Error;
use crate::parse::format;
use crate::report::one_line;

/// Lines shown around a change.
const AROUND: usize = 1;

pub(super) fn fmt(
    args: &Fmt,
    directory: Option<&OsStr>,
    file: Option<&OsStr>,
) -> Result<End, Error> {
    let Found { path, shown, bytes, .. } = taskfile::find(directory, file)?;
    let new = format(&shown, &bytes)?;
    let name = one_line(&shown);
    if new.as_bytes() == bytes {
        print(format!("{name} is laid out as usual\n").as_bytes())?;
        return Ok(End::Code(0));
    }
    if args.check {
        print(changes(&name, &String::from_utf8_lossy(&bytes), &new).as_bytes())?;
        return Ok(End::Code(1));
    }
    replace(&path, new.as_bytes()).map_err(|cause| Error::Io {
        doing: "cannot write".to_owned(),
        path,
        cause,
    })?;
    print(format!("{name} is laid out anew\n").as_bytes())?;
    Ok(End::Code(0))
}

fn changes(name: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut text = format!("{name} would change:\n");
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        for line in hunk.to_string().lines() {
            text += &one_line(line);
            text.push('\n');
        }
    }
    text
}

/// The file keeps its rights, and is never seen half written.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut whole = Whole::instead_of(path)?;
    whole.file().set_permissions(path.metadata()?.permissions())?;
    whole.file().write_all(text)?;
    whole.keep()
}
