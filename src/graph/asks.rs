//! Variables whose value is what a command prints: `{ sh = "git rev-parse HEAD" }`.
//!
//! Each command is run once, in the workspace's folder, when the first expression that needs its
//! value is evaluated. While a build runs, that would hold up everything else: then it is only
//! noted that the value is needed, and whoever evaluates asks elsewhere and tries again. Tools that
//! run nothing leave out what depends on such a value.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::rule::Text;
use crate::error::{Diagnostic, Error, quoted, said as said_of};
use crate::expr::{Problem, Value};
use crate::git::LOCAL_VARIABLES;
use crate::process::{Command, LONGEST_ANSWER, Said, Stop, ask, find_program};

/// When a command is run of which the value is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// Never: the value is unknown.
    #[default]
    Never,
    /// At once.
    Now,
    /// Later: somebody else asks.
    Later,
}

/// Why a value is not there.
#[derive(Debug)]
pub enum Lack {
    /// Nobody asked for what these commands print.
    Unasked(Vec<String>),
    /// The command failed.
    Failed(Box<Diagnostic>),
}

/// Where and how commands are run.
#[derive(Clone, Debug)]
pub struct Place {
    /// The workspace.
    pub root: PathBuf,
    /// The caller's environment.
    pub env: Vec<(OsString, OsString)>,
    /// Ends what runs.
    pub stop: Stop,
}

/// What commands printed for variables, in one invocation of taskr.
#[derive(Debug, Default)]
pub struct Asks {
    place: Option<Place>,
    // For `Sync` alone: one thread asks and evaluates.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asking: Asking,
    /// By command: what it printed, or why there is no value.
    known: FxHashMap<String, Result<String, Trouble>>,
    lack: Option<Lack>,
    /// Targets whose paths could not be worked out, and why.
    broken: Vec<(String, Diagnostic)>,
}

/// Why a command has no value.
#[derive(Clone, Debug)]
struct Trouble {
    what: String,
    printed: Option<String>,
}

impl Asks {
    /// Commands are run there.
    pub fn at(place: Place) -> Asks {
        Asks { place: Some(place), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on commands are run so. Where there is no place to run them they never are.
    pub fn set(&self, asking: Asking) {
        self.state().asking = if self.place.is_some() { asking } else { Asking::Never };
    }

    /// Whether any command may be run.
    pub(super) fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// Whether any command was run.
    pub fn have_answers(&self) -> bool {
        !self.state().known.is_empty()
    }

    /// A graph is about to be made.
    pub(super) fn begin(&self) {
        self.state().broken.clear();
    }

    /// Says so if a signal came.
    ///
    /// # Errors
    /// The signal.
    pub(super) fn interrupted(&self) -> Result<(), Error> {
        match self.place.as_ref().and_then(|place| place.stop.requested()) {
            Some(signal) => Err(Error::Interrupted(signal)),
            None => Ok(()),
        }
    }

    /// The value of the variable `name`, whose command is `script`.
    ///
    /// # Errors
    /// There is none: [`Asks::lack`] says why.
    pub(super) fn value(&self, name: &str, script: &str, text: &Text) -> Result<Value, Problem> {
        let asking = self.state().asking;
        let known = self.state().known.get(script).cloned();
        let known = match (known, asking, &self.place) {
            (None, Asking::Now, Some(place)) => {
                let said = place.ask(script);
                self.learn_result(script, said.as_ref().map_err(Clone::clone))
            }
            (known, ..) => known,
        };
        let problem = Problem::new(format!("the value of `{name}` is not known"));
        let mut state = self.state();
        match known {
            Some(Ok(value)) => return Ok(Value::from(value)),
            Some(Err(trouble)) => {
                state.lack = Some(Lack::Failed(Box::new(trouble.of(name, script, text))));
            }
            None => match &mut state.lack {
                Some(Lack::Unasked(scripts)) => scripts.push(script.to_owned()),
                lack => *lack = Some(Lack::Unasked(vec![script.to_owned()])),
            },
        }
        Err(problem)
    }

    /// What a command said that somebody else has asked.
    pub fn learn(&self, script: &str, said: &Said) {
        let _ = self.learn_result(script, Ok(said));
    }

    fn learn_result(
        &self,
        script: &str,
        said: Result<&Said, String>,
    ) -> Option<Result<String, Trouble>> {
        let value = said.map_err(|what| Trouble { what, printed: None }).and_then(value_of);
        self.state().known.insert(script.to_owned(), value.clone());
        Some(value)
    }

    /// Why the last value was not there, if that is why an expression failed.
    pub fn lack(&self) -> Option<Lack> {
        self.state().lack.take()
    }

    /// Whether an expression failed because such a value is not there. That a command failed is
    /// kept for `target`: only who wants it is told.
    pub(super) fn is_lacking(&self, target: &str) -> bool {
        match self.lack() {
            None => false,
            Some(Lack::Unasked(_)) => true,
            Some(Lack::Failed(wrong)) => {
                self.state().broken.push((target.to_owned(), *wrong));
                true
            }
        }
    }

    /// Targets whose paths could not be worked out, and why.
    pub fn broken(&self) -> Vec<(String, Diagnostic)> {
        self.state().broken.clone()
    }
}

impl Place {
    fn ask(&self, script: &str) -> Result<Said, String> {
        let command = ask_command(script, &self.root, &self.env);
        ask(&command, &self.stop, None).map_err(|error| said_of(&error))
    }
}

/// How the command of a variable is run: by `sh -eu -c` in the workspace's folder, in the caller's
/// environment. Variables by which git leads a hook to its repository are left out.
pub fn ask_command(script: &str, root: &Path, env: &[(OsString, OsString)]) -> Command {
    let local = |name: &OsString| LOCAL_VARIABLES.iter().any(|local| name == *local);
    let env: Vec<_> = env.iter().filter(|(name, _)| !local(name)).cloned().collect();
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str());
    let shell = path.and_then(|path| find_program(OsStr::new("sh"), path, root));
    Command {
        program: shell.unwrap_or_else(|| PathBuf::from("/bin/sh")),
        args: ["-eu", "-c", script].map(OsString::from).to_vec(),
        env,
        dir: root.to_owned(),
        grace: Duration::from_secs(5),
        timeout: None,
        errors: None,
    }
}

/// What was printed, without the newlines at its end.
fn value_of(said: &Said) -> Result<String, Trouble> {
    let trouble = |what: String| Trouble { what, printed: said.last_lines() };
    if !said.status.success() {
        return Err(trouble(format!("failed: {}", said.status)));
    }
    if said.output.len() > LONGEST_ANSWER {
        return Err(Trouble { what: "prints more than 1 MiB".to_owned(), printed: None });
    }
    match std::str::from_utf8(&said.output) {
        Ok(text) if !text.contains('\0') => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
        _ => Err(Trouble { what: "prints what is no text".to_owned(), printed: None }),
    }
}

impl Trouble {
    fn of(&self, name: &str, script: &str, text: &Text) -> Diagnostic {
        let message = format!("{}, whose output is `{name}`, {}", quoted(script), self.what);
        let wrong = Diagnostic::error(message).at(text.place.clone(), "");
        match &self.printed {
            Some(printed) => wrong.note(format!("it printed: {printed}")),
            None => wrong,
        }
    }
}
