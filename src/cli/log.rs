//! `taskr log [T]`: what tasks wrote when they last ran. Changes nothing.
//!
//! The bytes go out as they are, but on a terminal control characters are shown and not sent.

use std::io::{self, IsTerminal, Read, Write};

use rustc_hash::FxHashSet;

use super::End;
use super::args::Log;
use super::out::told;
use super::select::{named_or_default, select};
use super::workspace::Workspace;
use crate::error::{Error, quoted};
use crate::files::open_regular;
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::outdir::{Root, TaskDir};
use crate::report::{Clean, one_line, write_all};

/// So many tasks that wrote nothing are named; of more only their number is told.
const MOST_NAMED: usize = 10;

const PIECE_BYTES: usize = 64 * 1024;

pub(super) fn log(args: &Log, workspace: &Workspace) -> Result<End, Error> {
    let names = named_or_default(workspace, &args.targets)?;
    let graph = workspace.loader(&args.common, workspace.jobs(None, &args.common)?)?()?;
    let root = Root::open(&workspace.root).map_err(|cause| Error::Io {
        doing: "cannot open".to_owned(),
        path: workspace.root.clone(),
        cause,
    })?;
    let tasks = graph.without_groups(&select(&graph, &names)?);
    let stdout = io::stdout();
    let mut shown = Shown { terminal: stdout.is_terminal(), to: stdout.lock(), line_open: false };
    let (mut found, mut silent) = (false, Vec::new());
    for &id in &tasks {
        let dir = TaskDir::new(workspace.prefix(), graph.name(id));
        let path = root.absolute(&dir.join("log"));
        let unreadable =
            |cause| Error::Io { doing: "cannot read".to_owned(), path: path.clone(), cause };
        let file = match open_regular(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(unreadable)?,
        };
        found = true;
        let header = (tasks.len() > 1).then(|| graph.name(id));
        match shown.log(file, header).map_err(unreadable)? {
            Put::Nothing => silent.push(graph.name(id)),
            Put::All => {}
            Put::Refused(cause) => return told(Err(cause)).map(|()| End::Code(0)),
        }
    }
    if !found {
        return Err(no_log(&names, last_log(&root, workspace, &graph, &tasks)));
    }
    tell_silent(&silent);
    Ok(End::Code(0))
}

/// Of the tasks that these wait for, the one that wrote its log last.
fn last_log(root: &Root, workspace: &Workspace, graph: &Graph, of: &[TaskId]) -> Option<String> {
    let (mut seen, mut waiting) = (FxHashSet::default(), of.to_vec());
    let mut last = None;
    while let Some(id) = waiting.pop() {
        waiting.extend(graph.needs(id).iter().filter(|&&need| seen.insert(need)));
        let path = root.absolute(&TaskDir::new(workspace.prefix(), graph.name(id)).join("log"));
        let written = path.metadata().and_then(|found| found.modified()).ok();
        last = last.max(written.map(|written| (written, id)));
    }
    last.map(|(_, id)| graph.name(id).to_owned())
}

fn no_log(names: &[String], other: Option<String>) -> Error {
    let quotes: Vec<String> = names.iter().map(|name| quoted(&one_line(name))).collect();
    let has_not = if names.len() == 1 { "it has not" } else { "they have not" };
    Error::Usage {
        message: format!("there is no log of {}: {has_not} run here yet", quotes.join(", ")),
        help: other.map(|other| {
            let other = one_line(&other);
            let word = shlex::try_quote(&other).unwrap_or_else(|_| other.as_str().into());
            format!("it waits for {}, which has: `taskr log {word}`", quoted(&other))
        }),
    }
}

fn tell_silent(silent: &[&str]) {
    let mut err = io::stderr().lock();
    let told = match silent.len() {
        0 => Ok(()),
        1..=MOST_NAMED => {
            silent.iter().try_for_each(|name| writeln!(err, "{} wrote nothing", one_line(name)))
        }
        many => writeln!(err, "{many} tasks wrote nothing"),
    };
    // A reader that has gone needs no more.
    let _ = told;
}

/// What became of one log.
enum Put {
    Nothing,
    All,
    /// The writer takes no more.
    Refused(io::Error),
}

/// Where logs are shown.
struct Shown<W> {
    to: W,
    terminal: bool,
    line_open: bool,
}

impl<W: Write> Shown<W> {
    /// Shows one log, behind a header if there are several.
    ///
    /// # Errors
    /// The log cannot be read.
    fn log(&mut self, mut file: impl Read, mut header: Option<&str>) -> io::Result<Put> {
        let mut clean = Clean::default();
        let mut piece = vec![0; PIECE_BYTES];
        let mut put = Put::Nothing;
        loop {
            let len = file.read(&mut piece)?;
            let mut text = Vec::new();
            match (self.terminal, len) {
                (false, _) => text.extend_from_slice(&piece[..len]),
                (true, 0) => clean.finish(&mut text),
                (true, _) => clean.feed(&piece[..len], &mut text),
            }
            if len > 0 {
                put = Put::All;
                if let Some(name) = header.take() {
                    let gap = if self.line_open { "\n" } else { "" };
                    let line = format!("{gap}==> {} <==\n", one_line(name));
                    text.splice(0..0, line.into_bytes());
                }
            }
            if let Some(&last) = text.last() {
                self.line_open = last != b'\n';
            }
            if let Err(cause) = write_all(&mut self.to, &text) {
                return Ok(Put::Refused(cause));
            }
            if len == 0 {
                return Ok(put);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(terminal: bool) -> String {
        let mut shown = Shown { to: Vec::new(), terminal, line_open: false };
        for (name, log) in [("a", "\x1b[31mred\x1b[0m \x1b]0;title\x07"), ("b", ""), ("c", "c\n")] {
            let put = shown.log(log.as_bytes(), Some(name)).unwrap();
            assert_eq!(matches!(put, Put::Nothing), log.is_empty(), "{name}");
        }
        String::from_utf8(shown.to).unwrap()
    }

    #[test]
    fn only_a_terminal_is_spared_control_characters() {
        let raw = "==> a <==\n\x1b[31mred\x1b[0m \x1b]0;title\x07\n==> c <==\nc\n";
        assert_eq!(shown(false), raw);
        let safe = "==> a <==\n\x1b[31mred\x1b[0m ^[]0;title^G\n==> c <==\nc\n";
        assert_eq!(shown(true), safe);
    }
}
