//! Tokens of the job server: the first running task needs none, each further one takes one.
//!
//! Tokens are taken and given back by the loop alone, so that none can get lost between threads.

use std::ffi::OsStr;

use super::Build;
use crate::jobserver::{Bell, Pool};
use crate::outdir::STATE_DIR;
use crate::process::find_program;
use crate::workers::Message;

/// What a run holds of a job server.
pub(super) struct Tokens<'p> {
    /// That of whoever called taskr.
    shared: Option<&'p Pool>,
    /// Ours.
    own: Option<Pool>,
    /// Whether it was tried to have one.
    opened: bool,
    held: Vec<u8>,
    /// Rings when there may be a token.
    bell: Option<Bell>,
    asked: bool,
    /// A command did not end well since it was last known that no token is lost.
    doubtful: bool,
}

impl<'p> Tokens<'p> {
    pub(super) fn new(shared: Option<&'p Pool>) -> Tokens<'p> {
        let opened = shared.is_some();
        let held = Vec::new();
        Tokens { shared, own: None, opened, held, bell: None, asked: false, doubtful: false }
    }

    /// None before the first process starts, and where the system has none to give.
    pub(super) fn pool(&self) -> Option<&Pool> {
        self.shared.or(self.own.as_ref())
    }

    /// Keeps what so many running tasks need, gives back the rest.
    pub(super) fn keep_for(&mut self, running: usize) {
        let most = running.saturating_sub(1);
        while self.held.len() > most
            && let Some(token) = self.held.pop()
        {
            if let Some(pool) = self.pool() {
                pool.give_back(token);
            }
        }
        // Nobody has any now: what is missing went with a make that was killed.
        if running == 0
            && let Some(own) = self.own.as_ref().filter(|_| std::mem::take(&mut self.doubtful))
        {
            own.refill();
        }
    }

    /// A command did not end well, and perhaps not with all that it had taken.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Takes what one more task needs beside `running` others. Says whether it has that.
    fn take_for(&mut self, running: usize) -> bool {
        let Some(pool) = self.shared.or(self.own.as_ref()) else { return true };
        while self.held.len() < running {
            match pool.try_take() {
                Some(token) => self.held.push(token),
                None => return false,
            }
        }
        true
    }
}

/// Nobody else could give them back.
impl Drop for Tokens<'_> {
    fn drop(&mut self) {
        self.bell = None;
        self.keep_for(0);
    }
}

impl Build<'_> {
    /// The first start of a process also opens the job server.
    pub(super) fn open_pool(&mut self) {
        if std::mem::replace(&mut self.tokens.opened, true) {
            return;
        }
        let folder = format!("{STATE_DIR}/runs").into_bytes();
        let path = self.root.path().join(STATE_DIR).join("runs");
        let path = path.join(format!("{}.jobs", self.run_id));
        let default = OsStr::new("/usr/bin:/bin");
        let search = self.request.env.get(OsStr::new("PATH"));
        let search = search.map_or(default, |search| search.as_os_str());
        let make = find_program(OsStr::new("make"), search, self.root.path());
        let made = self.root.create_dirs(&folder);
        let pool = made.and_then(|()| Pool::serve(self.request.jobs, make.as_deref(), path));
        // Without one each nested build counts for itself, as it does elsewhere.
        self.tokens.own = pool.ok();
    }

    /// Whether there is a token for one more task. Without a place for it none is taken.
    pub(super) fn has_token(&mut self) -> bool {
        if !self.admission.has_place() {
            return false;
        }
        if self.tokens.take_for(self.admission.running()) {
            return true;
        }
        self.ask_for_token();
        // Without anybody who says when there is one it is asked for at each event.
        false
    }

    fn ask_for_token(&mut self) {
        if std::mem::replace(&mut self.tokens.asked, true) {
            return;
        }
        if self.tokens.bell.is_none() {
            let messages = self.messages.0.clone();
            // The receiver lives as long as the run.
            let ring = move || drop(messages.send(Message::Token));
            self.tokens.bell = self.tokens.pool().and_then(|pool| pool.bell(ring).ok());
        }
        if let Some(bell) = &self.tokens.bell {
            bell.ask();
        }
    }

    /// There may be a token.
    pub(super) fn token_came(&mut self) {
        self.tokens.asked = false;
        self.start_runnable();
    }
}
