//! Tokens of the job server: the first running task needs none, each further one takes one.
//!
//! Tokens are taken and given back by the loop alone, so that none can get lost between threads.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use taskr_cache::Seen;

use super::ask::Topic;
use super::{Build, Request};
use crate::jobserver::{Bell, MAKEFLAGS, Pool, knows_fifo};
use crate::outdir::STATE_DIR;
use crate::process::{Command, RUN_ID_VAR, Said, Status, find_program};
use crate::record;
use crate::report::one_line;
use crate::workers::Message;

/// What a run holds of a job server.
pub(super) struct Tokens<'p> {
    /// That of whoever called taskr.
    shared: Option<&'p Pool>,
    /// Ours.
    own: Option<Pool>,
    opening: Opening,
    /// A command is to start, and may want tokens.
    pub(super) are_needed: bool,
    held: Vec<u8>,
    /// Rings when there may be a token.
    bell: Option<Bell>,
    asked: bool,
    /// A command did not end well since it was last known that no token is lost.
    doubtful: bool,
}

/// How far a run is with a job server of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Opening {
    /// Nothing has started yet that could ask it for a token.
    NotYet,
    /// This make, with these stamps, is asked what it takes.
    Asking(PathBuf, Option<Seen>),
    /// There is one, or it was tried in vain, or there is one of somebody else.
    Done,
}

/// A make that has not said by then what it takes is told what all take.
const MAKE_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

impl<'p> Tokens<'p> {
    pub(super) fn new(shared: Option<&'p Pool>) -> Tokens<'p> {
        Tokens {
            shared,
            own: None,
            opening: if shared.is_some() { Opening::Done } else { Opening::NotYet },
            are_needed: false,
            held: Vec::new(),
            bell: None,
            asked: false,
            doubtful: false,
        }
    }

    /// None before the first command starts, and where the system has none to give.
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

    /// Whether the first command waits for what make says.
    pub(super) fn is_asking_make(&self) -> bool {
        matches!(self.opening, Opening::Asking(..))
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

/// The machine's make.
pub(super) fn make_of(request: &Request<'_>) -> Option<PathBuf> {
    let default = OsStr::new("/usr/bin:/bin");
    let search = request.env.get(OsStr::new("PATH"));
    let search = search.map_or(default, |search| search.as_os_str());
    find_program(OsStr::new("make"), search, &request.root)
}

/// Whether a program is a make, and not what finds out each time which one to start: a script, or a
/// tool that keeps versions apart.
fn is_itself(make: &Path) -> bool {
    let bytes = std::fs::read(make).unwrap_or_default();
    let name: &[u8] = b"GNU Make";
    bytes.starts_with(b"\x7fELF") && bytes.windows(name.len()).any(|window| window == name)
}

impl Build<'_> {
    /// Before the first command starts the job server is opened, and before that `make` asked what it
    /// takes. Says whether that is done; if not the answer will come as a message.
    pub(super) fn has_opened_pool(&mut self) -> bool {
        match self.tokens.opening {
            Opening::Done => return true,
            Opening::Asking(..) => return false,
            Opening::NotYet => {}
        }
        // The guard shall not inherit what children do.
        self.start_guard();
        let Some(make) = make_of(self.request) else {
            self.open_pool(true);
            return true;
        };
        let seen = Seen::of(&make).ok().flatten();
        let known = seen.filter(|_| !self.request.rehash).and_then(|seen| {
            record::known_make(&self.held.state, make.as_os_str().as_bytes(), &seen)
        });
        if let Some(fifo) = known {
            self.open_pool(fifo);
            return true;
        }
        self.tokens.opening = Opening::Asking(make.clone(), seen);
        let mut env = self.request.env.clone();
        for name in [MAKEFLAGS, "MFLAGS", "MAKELEVEL"] {
            env.remove(OsStr::new(name));
        }
        env.insert(RUN_ID_VAR.into(), self.run_id.clone().into());
        let command = Command {
            program: make,
            args: vec!["--version".into()],
            env: env.into_iter().collect(),
            dir: self.root.path().to_owned(),
            grace: Duration::ZERO,
            timeout: Some(MAKE_ANSWERS_WITHIN),
            errors: None,
        };
        self.ask_one(Topic::Make, command, Vec::new());
        false
    }

    /// What the machine's make said. One that cannot say it takes what all take.
    pub(super) fn make_said(&mut self, said: &Result<Said, String>) {
        let Opening::Asking(make, seen) = self.tokens.opening.clone() else { return };
        let silent = said.as_ref().is_ok_and(|said| matches!(said.status, Status::Signal(_)));
        if silent && !self.plan.is_stopped() {
            let make = one_line(&make.display().to_string());
            let what = "children are told of the shared jobs as makes before 4.4 take it";
            self.warn(None, &format!("`{make} --version` does not answer: {what}"));
        }
        let answer = said.as_ref().ok().filter(|said| said.status.success());
        let fifo = answer.is_some_and(|said| knows_fifo(&said.output));
        if let (Some(seen), Some(_)) = (seen, answer) {
            self.keep_answer(&make, &seen, fifo);
        }
        self.open_pool(fifo);
        self.start_runnable();
    }

    fn keep_answer(&mut self, make: &Path, seen: &Seen, fifo: bool) {
        let path = make.as_os_str().as_bytes();
        let file = self.paths.intern(path);
        if self.is_settled(file, seen)
            && is_itself(make)
            && let Some(writer) = &mut self.held.writer
        {
            record::write_make(writer, path, seen, fifo);
        }
    }

    fn open_pool(&mut self, fifo: bool) {
        self.tokens.opening = Opening::Done;
        let folder = format!("{STATE_DIR}/runs").into_bytes();
        let path = self.root.path().join(STATE_DIR).join("runs");
        let path = path.join(format!("{}.jobs", self.run_id));
        let made = self.root.create_dirs(&folder);
        let pool = made.and_then(|()| Pool::serve(self.request.jobs, fifo, path));
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
