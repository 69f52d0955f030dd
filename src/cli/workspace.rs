//! The Taskfile as read, and the graph that it makes.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use taskr_cache::{Access, Question, State};

use crate::error::{Diagnostic, Error};
use crate::graph::{Args, AskPlace, Asks, Graph, Settings, Surroundings, expand, jobs, link};
use crate::outdir::STATE_DIR;
use crate::parse::{Taskfile, Text, Var, VarValue, parse};
use crate::process::Stopper;
use crate::record::Names;

use super::args::Common;
use super::stages::Stages;
use super::taskfile::{self, Found, NAME};
use super::{TOOLS, goals};

/// A Taskfile, read, and the folder that it rules.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    /// The Taskfile's name in the root.
    pub(super) name: Vec<u8>,
    pub(super) taskfile: Taskfile,
    /// What taskr did before the run, and how long.
    pub(super) stages: Stages,
    /// What was asked of it, if that all is up to date may be proved.
    pub(super) question: Option<Question>,
    /// Whether an expression asked for the caller's environment.
    pub(super) env_asked: Arc<AtomicBool>,
    /// What commands print for variables; made when the graph is.
    pub(super) asks: OnceCell<Arc<Asks>>,
    /// Ends such commands.
    pub(super) stopper: OnceCell<Stopper>,
}

impl Workspace {
    /// The Taskfile named by `-f`, or the nearest one upward.
    pub(super) fn find(
        directory: Option<&OsStr>,
        file: Option<&OsStr>,
    ) -> Result<Workspace, Error> {
        Workspace::read(taskfile::find(directory, file)?, None)
    }

    /// A Taskfile that was found.
    pub(super) fn read(found: Found, question: Option<Question>) -> Result<Workspace, Error> {
        let stages = Stages::since_the_start();
        let Found { path, shown, bytes } = found;
        let (root, name) = (path.parent().unwrap_or(&path), path.file_name().unwrap_or_default());
        let taskfile = stages.time("parse", || parse(&shown, &bytes))?;
        let (root, name) = (root.to_owned(), name.as_bytes().to_vec());
        let env_asked = Arc::default();
        let (asks, stopper) = (OnceCell::new(), OnceCell::new());
        Ok(Workspace { root, name, taskfile, stages, question, env_asked, asks, stopper })
    }

    /// What commands print for variables. None is run unless somebody says so.
    pub(super) fn asks(&self) -> Result<Arc<Asks>, Error> {
        if let Some(asks) = self.asks.get() {
            return Ok(asks.clone());
        }
        let taskfile = &self.taskfile;
        let own = taskfile.targets.values().flat_map(|target| target.vars.values());
        let is_asked = |var: &Var| matches!(var.value, VarValue::Sh(_));
        let asks = match taskfile.vars.values().chain(own).any(is_asked) {
            false => Arc::default(),
            true => {
                let stopper = Stopper::new().map_err(|cause| Error::Io {
                    doing: "cannot make a pipe for".to_owned(),
                    path: self.root.clone(),
                    cause,
                })?;
                let env = environment().into_iter().collect();
                let (root, stop) = (self.root.clone(), stopper.watch());
                let _ = self.stopper.set(stopper);
                Arc::new(Asks::at(AskPlace { root, env, stop }))
            }
        };
        Ok(self.asks.get_or_init(|| asks).clone())
    }

    /// The Taskfile's name as part of a task's folder, where it is not the usual one.
    pub(super) fn prefix(&self) -> Option<&[u8]> {
        (self.name != NAME.as_bytes()).then_some(&self.name)
    }

    /// What earlier runs left, to be read. That it cannot be is told on stderr.
    pub(super) fn state(&self) -> State {
        let (state, warning) = State::open(&self.root.join(STATE_DIR), Access::Read);
        if let Some(warning) = warning {
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        state
    }

    /// What the tasks of this Taskfile are called in the state.
    pub(super) fn names(&self) -> Names {
        Names::new(&self.name, PROFILE)
    }

    pub(super) fn has_target(&self, name: &str) -> bool {
        self.taskfile.targets.contains_key(name)
    }

    /// Says so if a name on the command line means nothing.
    pub(super) fn check_names<'n>(
        &self,
        names: impl Iterator<Item = &'n String>,
    ) -> Result<(), Error> {
        for name in names {
            let target = name.split('@').next().unwrap_or(name);
            if self.has_target(target) {
                continue;
            }
            let targets = self.taskfile.targets.values().filter(|target| !target.private);
            let known = targets.map(|target| target.name.as_str()).chain(TOOLS);
            let graph = self.loader_with(&[], 1).and_then(|load| load()).ok();
            return Err(goals::unknown(name, self, graph.as_ref(), known));
        }
        Ok(())
    }

    /// Says so if a hook of the Taskfile names what is no target.
    pub(super) fn check_hook(&self, name: &str) -> Result<(), Error> {
        let Some((_, targets)) = self.taskfile.hooks.get(name) else { return Ok(()) };
        for text in targets {
            let target = text.template.source().to_owned();
            let label = format!("the hook {name} would build it");
            let checked = self.check_names([&target].into_iter());
            checked.map_err(|error| at_place(error, text, &label))?;
        }
        Ok(())
    }

    /// How many tasks may run at once: the command line, the Taskfile, the processors.
    pub(super) fn jobs(&self, asked: Option<&str>) -> Result<usize, Error> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        if let Some(asked) = asked {
            let large = asked.parse::<u64>().is_ok_and(|jobs| jobs > 0);
            let most = if large { format!("; the most is {MOST_JOBS}") } else { String::new() };
            return number_of_jobs(asked, processors).ok_or_else(|| Error::Usage {
                message: format!(
                    "-j takes a number from 1, a part such as 50%, or auto, not `{asked}`"
                ),
                help: Some(format!("this machine has {processors} processors{most}")),
            });
        }
        let Some(text) = jobs(&self.taskfile, &self.surroundings(processors))? else {
            return Ok(processors);
        };
        number_of_jobs(&text, processors).ok_or_else(|| {
            let place = self.taskfile.jobs.as_ref().map(|jobs| jobs.place.clone());
            let message = format!(
                "`jobs` takes a number from 1, a part such as \"50%\", or \"auto\", not `{text}`"
            );
            Diagnostic::error(message).at(place, "").into()
        })
    }

    /// What makes the graph, as often as it is asked.
    pub(super) fn loader(
        &self,
        common: &Common,
        jobs: usize,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        self.loader_with(&common.defines, jobs)
    }

    /// As [`Workspace::loader`], from the values of `-D` alone.
    pub(super) fn loader_with(
        &self,
        defines: &[String],
        jobs: usize,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        self.loader_for(defines, jobs, Args::default())
    }

    /// The same for a build with arguments behind `--`.
    pub(super) fn loader_for(
        &self,
        defines: &[String],
        jobs: usize,
        args: Args,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        let defines = defines.iter().map(|define| match define.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Error::Usage {
                message: format!("-D takes NAME=VALUE, not `{define}`"),
                help: Some(format!("write -D {define}=…")),
            }),
        });
        let settings = Settings {
            root: self.root.clone(),
            taskfile: self.prefix().map(<[u8]>::to_vec),
            defines: defines.collect::<Result<_, _>>()?,
            surroundings: self.surroundings(jobs),
            args,
            asks: self.asks()?,
        };
        Ok(move || {
            let rules = self.stages.time("expand", || expand(&self.taskfile, &settings))?;
            self.stages.time("link", || link(rules))
        })
    }

    fn surroundings(&self, jobs: usize) -> Arc<Surroundings> {
        let text = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let (env, profile) = (text.collect(), PROFILE.to_owned());
        Arc::new(Surroundings { env, env_asked: self.env_asked.clone(), jobs, profile })
    }

    /// What is built if nothing is named.
    pub(super) fn default_targets(&self) -> Result<Vec<String>, Error> {
        let names = self.taskfile.default.iter().map(|text| text.template.source().to_owned());
        let names: Vec<String> = names.collect();
        if names.is_empty() {
            let known = self.taskfile.targets.values().filter(|target| !target.private);
            let known: Vec<&str> = known.map(|target| target.name.as_str()).take(10).collect();
            return Err(Error::Usage {
                message: format!("nothing to build: {NAME} has no `default`"),
                help: Some(format!(
                    "name a target ({}), or write `default = [\"{}\"]` at the top of the file",
                    known.join(", "),
                    known.first().unwrap_or(&"build")
                )),
            });
        }
        for (name, text) in names.iter().zip(&self.taskfile.default) {
            let checked = self.check_names([name].into_iter());
            checked.map_err(|error| at_place(error, text, "a bare `taskr` would build it"))?;
        }
        Ok(names)
    }
}

/// What is wrong with a name that nobody typed: it stands in the Taskfile.
fn at_place(error: Error, text: &Text, label: &str) -> Error {
    let Error::Usage { message, help } = error else { return error };
    Diagnostic::error(message).at(text.place.clone(), label).help_if(help).into()
}

fn number_of_jobs(text: &str, processors: usize) -> Option<usize> {
    match text.trim().strip_suffix('%') {
        Some(part) => {
            let part: usize = part.parse().ok().filter(|part| (1..=1000).contains(part))?;
            Some((processors * part / 100).max(1))
        }
        None if text.trim() == "auto" => Some(processors),
        None => text.trim().parse().ok().filter(|jobs| (1..=MOST_JOBS).contains(jobs)),
    }
}

/// The only profile there is.
const PROFILE: &str = "default";

/// More threads than this serve nobody.
const MOST_JOBS: usize = 10_000;

/// The caller's environment.
pub(super) fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_numbers_parts_or_auto() {
        for (text, expected) in [
            ("4", Some(4)),
            ("auto", Some(8)),
            ("50%", Some(4)),
            ("1%", Some(1)),
            ("0", None),
            ("x", None),
            ("-1", None),
            ("0%", None),
            ("99999999", None),
        ] {
            assert_eq!(number_of_jobs(text, 8), expected, "{text}");
        }
    }
}
