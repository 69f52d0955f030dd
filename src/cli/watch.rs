//! `taskr watch TARGET...`: a build, and another whenever something that it read has changed.
//!
//! Each build reads the Taskfile anew. A mistake in it is shown, and then it is waited for its
//! mending; one at the very beginning ends it, as it ends a build. What counts as a change, and why
//! none is lost, is [`crate::watch`]'s.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crossbeam_channel::unbounded;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::End;
use super::args::{Build, Watch};
use super::build::{More, Streams, board, build_with, listeners};
use super::create::{EVENTS, create};
use super::scan::Scan;
use super::signals::{Asking, catch_signals};
use super::terminal::{self, Colours};
use super::workspace::Workspace;
use crate::error::Error;
use crate::outcome::Event;
use crate::report::Mode;
use crate::run::{Lasting, Listener, Messages, Rested};
use crate::workers::Message;

pub(super) fn watch(args: Watch, workspace: Workspace, scan: &Scan) -> Result<End, Error> {
    let args = args.into_build();
    let session = Session::begin(&args)?;
    let end = session.builds(&args, workspace, scan);
    // Where a build was ended by a signal, or nobody listens any more, they may be up.
    session.lasting.end_services(SIGTERM, &session.messages, &mut |_| {});
    end
}

fn read_again(scan: &Scan) -> Result<Workspace, Error> {
    Workspace::find(scan.directory.as_deref(), scan.file.as_deref())
}

/// Whether stdout is a pipe that nobody reads any more.
fn is_unread() -> bool {
    let stdout = io::stdout();
    let mut stdout = [PollFd::new(&stdout, PollFlags::empty())];
    let asked = poll(&mut stdout, Some(&Timespec::default()));
    asked.is_ok() && stdout[0].revents().contains(PollFlags::ERR)
}

/// What all builds of one `taskr watch` share.
pub(super) struct Session {
    messages: Messages,
    asking: Asking,
    lasting: Lasting,
    events: Option<File>,
    rested: Cell<Option<Rested>>,
}

impl Session {
    fn begin(args: &Build) -> Result<Session, Error> {
        let (messages, asking) = (unbounded(), Asking::default());
        catch_signals(&messages.0, asking.clone())?;
        let path = args.how.events.as_deref().filter(|path| *path != Path::new("-"));
        Ok(Session {
            messages,
            asking,
            lasting: Lasting::default(),
            events: path.map(|path| create(path, &EVENTS)).transpose()?,
            rested: Cell::new(None),
        })
    }

    /// One build after another.
    fn builds(&self, args: &Build, workspace: Workspace, scan: &Scan) -> Result<End, Error> {
        let typed = scan.command_line();
        let (mut read, mut first) = (Ok(workspace), true);
        loop {
            match read.and_then(|workspace| self.build(args, workspace, &typed)) {
                Ok(end @ End::Signal(_)) => return Ok(end),
                Ok(_) => {}
                Err(error @ Error::Interrupted(_)) => return Err(error),
                Err(error) if first => return Err(error),
                Err(error) => self.rest_after(&error, args, scan)?,
            }
            first = false;
            match self.rested.take() {
                Some(Rested::Signal(SIGINT, false)) => return Ok(End::Code(0)),
                Some(Rested::Signal(signal, _)) => return Ok(End::Signal(signal)),
                // Nobody sees what would be built.
                _ if is_unread() => return Ok(End::Code(0)),
                Some(Rested::Woken) | None => read = read_again(scan),
            }
        }
    }

    fn build(&self, args: &Build, mut workspace: Workspace, typed: &str) -> Result<End, Error> {
        workspace.question = None;
        self.lasting.set_sources(workspace.what_was_read());
        let typed_names = !args.targets.is_empty();
        let more = More { session: Some(self), typed_names, ..More::default() };
        build_with(args, &workspace, typed, more)
    }

    /// The channel for a build of this workspace.
    pub(super) fn messages_of(&self, workspace: &Workspace) -> Messages {
        self.asking.is_of(workspace);
        self.messages.clone()
    }

    pub(super) fn lasting(&self) -> &Lasting {
        &self.lasting
    }

    /// Where the events of all builds go, if that is a file.
    pub(super) fn events(&self) -> Result<Option<File>, Error> {
        let again = self.events.as_ref().map(File::try_clone).transpose();
        again.map_err(|cause| Error::Output { to: "the events".to_owned(), cause })
    }

    /// A build has ended: waits until another is due.
    pub(super) fn rest(&self, listener: &mut Listener<'_>) {
        self.rested.set(Some(self.lasting.rest(&self.messages, listener)));
    }

    /// Whether a signal waits to be heard.
    pub(super) fn is_signalled(&self) -> bool {
        let waiting: Vec<Message> = self.messages.1.try_iter().collect();
        let signalled = waiting.iter().any(|message| matches!(message, Message::Signal(_)));
        // The receiver lives as long as `self`.
        waiting.into_iter().for_each(|message| drop(self.messages.0.send(message)));
        signalled
    }

    /// There was no build, because of this mistake: waits until it may be mended.
    fn rest_after(&self, error: &Error, args: &Build, scan: &Scan) -> Result<(), Error> {
        let colours = Colours::choose(scan.color.as_deref().unwrap_or("auto"));
        let text = crate::error::render(error, colours.err, terminal::width());
        // A closed stderr is no reason to end.
        let _ = writeln!(io::stderr(), "{text}");
        let start = std::env::current_dir().unwrap_or_default();
        let start = start.join(scan.directory.as_deref().unwrap_or(OsStr::new("")));
        for source in error.sources() {
            self.lasting.add_source(start.join(&source.name), source.text.as_bytes());
        }
        let (board, streams) = (board(args, None)?, Streams::default());
        let mut listeners = listeners((args, Mode::default()), self.events()?, &board, &streams)?;
        self.rest(&mut |event: &Event<'_>| {
            listeners.iter_mut().for_each(|listener| listener.event(event));
        });
        board.close(&|| self.is_signalled());
        Ok(())
    }
}
