//! INT, TERM and HUP as messages, and a signal that is to harm nobody.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::workspace::Workspace;
use crate::error::Error;
use crate::process::Stopper;
use crate::run::Messages;
use crate::workers::Message;

/// What ends what is asked of commands before a run; of `taskr watch` each build has its own.
#[derive(Clone, Default)]
pub(super) struct Asking(Arc<Mutex<Option<Stopper>>>);

impl Asking {
    /// From now on signals end what this workspace asks.
    pub(super) fn is_of(&self, workspace: &Workspace) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *own = workspace.stopper.get().cloned();
    }

    fn end(&self, signal: i32) {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stopper) = &*own else { return };
        match stopper.watch().requested() {
            None => stopper.stop(signal),
            Some(_) => stopper.kill(),
        }
    }
}

/// The channel for a run, with signals on it.
pub(super) fn messages_with_signals(workspace: &Workspace) -> Result<Messages, Error> {
    let (messages, asking) = (unbounded(), Asking::default());
    asking.is_of(workspace);
    catch_signals(&messages.0, asking)?;
    Ok(messages)
}

/// INT, TERM and HUP arrive as messages from now on. They end what is asked before a run, too.
pub(super) fn catch_signals(messages: &Sender<Message>, asking: Asking) -> Result<(), Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|cause| Error::Io {
        doing: "cannot catch signals in".to_owned(),
        path: PathBuf::from("this process"),
        cause,
    })?;
    outlive_large_files();
    let messages = messages.clone();
    let listens = thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            asking.end(signal);
            if messages.send(Message::Signal(signal)).is_err() {
                return;
            }
        }
    });
    listens.map(drop).map_err(no_thread)
}

/// From now on a file that grows beyond `ulimit -f` is an error of its write, not taskr's death.
pub(super) fn outlive_large_files() {
    let ignored = Arc::default();
    let _ = signal_hook::flag::register(SIGXFSZ, ignored);
}

pub(super) fn no_thread(cause: io::Error) -> Error {
    Error::Io {
        doing: "cannot start a thread in".to_owned(),
        path: PathBuf::from("this process"),
        cause,
    }
}
