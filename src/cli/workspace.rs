//! The Taskfile as read, and the graph that it makes.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::ValueEnum;
use taskr_cache::{Access, Digest, Question, State, processors};

use crate::error::{Diagnostic, Error, listed, nearest, quoted};
use crate::graph::{
    Args, AskPlace, Asks, Graph, Profiles, Settings, Surroundings, expand_all, jobs, link, output,
};
use crate::outdir::STATE_DIR;
use crate::packages::{Looked, Where, load};
use crate::parse::{DEFAULT_PROFILE, Taskfile, Text, Var, VarValue, is_below, parse};
use crate::process::Stopper;
use crate::record::Names;
use crate::report::{Mode, one_line};
use crate::run::Partly;
use crate::watch::Sources;

use super::args::{Common, Output};
use super::packages::{full_in, spelt_out};
use super::stages::Stages;
use super::taskfile::{self, Found, NAME};

/// A question, and what an earlier build proved of it.
pub(super) type Asked = (Question, Option<Partly>);

/// A Taskfile, read, and the folder that it rules.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    /// The Taskfile's name in the root.
    pub(super) name: Vec<u8>,
    pub(super) taskfile: Taskfile,
    /// Of all that the Taskfile holds.
    pub(super) digest: Digest,
    /// What its packages rest on.
    pub(super) looked: Looked,
    /// The folder of the package that the current folder lies in; empty for the root.
    pub(super) here: String,
    /// What taskr did before the run, and how long.
    pub(super) stages: Stages,
    /// What was asked of it, if what is up to date may be proved, and what is proved by now.
    pub(super) question: Option<Asked>,
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
    pub(super) fn read(found: Found, question: Option<Asked>) -> Result<Workspace, Error> {
        let stages = Stages::since_the_start();
        let Found { start, path, shown, bytes, digest } = found;
        let (root, name) = (path.parent().unwrap_or(&path), path.file_name().unwrap_or_default());
        let taskfile = stages.time("parse", || parse(&shown, &bytes))?;
        let at = Where::new(root, &start);
        let (taskfile, looked) = stages.time("packages", || load(taskfile, at))?;
        let here = start.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default();
        let dirs = taskfile.every().map(|one| one.package.dir.as_str());
        let here = dirs.filter(|dir| is_below(here, dir)).max_by_key(|dir| dir.len());
        let here = here.unwrap_or_default().to_owned();
        let (root, name) = (root.to_owned(), name.as_bytes().to_vec());
        let env_asked = Arc::default();
        let (asks, stopper) = (OnceCell::new(), OnceCell::new());
        Ok(Workspace {
            root,
            name,
            taskfile,
            digest,
            looked,
            here,
            stages,
            question,
            env_asked,
            asks,
            stopper,
        })
    }

    /// What commands print for variables. None is run unless somebody says so.
    pub(super) fn asks(&self) -> Result<Arc<Asks>, Error> {
        if let Some(asks) = self.asks.get() {
            return Ok(asks.clone());
        }
        let files = || self.taskfile.every();
        let targets = files().flat_map(|file| file.targets.values());
        let own = targets.flat_map(|target| target.vars.values());
        let of_profiles = files().flat_map(|file| file.profiles.values());
        let of_profiles = of_profiles.flat_map(|profile| profile.vars.values());
        let is_asked = |var: &Var| matches!(var.value, VarValue::Sh(_));
        let asks = match files()
            .flat_map(|file| file.vars.values())
            .chain(of_profiles)
            .chain(own)
            .any(is_asked)
        {
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

    /// The files that it was read from, and the folders of its packages.
    pub(super) fn what_was_read(&self) -> Sources {
        let own = self.root.join(OsStr::from_bytes(&self.name));
        let looked = self.looked.files();
        let files = looked.map(|(path, held)| (self.root.join(path), held));
        let folders = self.taskfile.packages.iter().map(|one| one.package.dir.clone());
        let packages = (&self.taskfile.include[..], folders.collect());
        Sources::new(&self.root, files.chain([(own, Some(self.digest))]), packages)
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
        Names::new(&self.name)
    }

    /// The full names of what a hook of the Taskfile runs.
    ///
    /// # Errors
    /// One of them is no target.
    pub(super) fn of_hook(&self, name: &str) -> Result<Vec<String>, Error> {
        let Some((_, targets)) = self.taskfile.hooks.get(name) else { return Ok(Vec::new()) };
        let label = format!("the hook {name} would build it");
        targets.iter().map(|text| self.written_in("", text, &label)).collect()
    }

    /// The full name that a string of the Taskfile of the package in `dir` means.
    fn written_in(&self, dir: &str, text: &Text, label: &str) -> Result<String, Error> {
        let full = full_in(dir, text.template.source());
        let word = match self.here == dir {
            true => text.template.source().to_owned(),
            false => spelt_out(&full),
        };
        let checked = self.full_names([&word]);
        checked.map(|_| full).map_err(|error| at_place(error, text, label))
    }

    /// How many tasks may run at once: the command line, the Taskfile, the processors.
    pub(super) fn jobs(&self, asked: Option<&str>, common: &Common) -> Result<usize, Error> {
        let processors = processors();
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
        if self.taskfile.jobs.is_none() {
            return Ok(processors);
        }
        let settings = self.settings(&common.defines, processors)?;
        let Some(text) = jobs(&self.taskfile, &settings)? else { return Ok(processors) };
        number_of_jobs(&text, processors).ok_or_else(|| {
            let place = self.taskfile.jobs.as_ref().map(|jobs| jobs.place.clone());
            let message = format!(
                "`jobs` takes a number from 1, a part such as \"50%\", or \"auto\", not `{text}`"
            );
            let help = "all processors are `auto`, half of them is \"50%\"";
            Diagnostic::error(message).at(place, "").help(help).into()
        })
    }

    /// Which output of tasks is shown: the command line, the Taskfile.
    pub(super) fn output(&self, asked: Option<Output>, common: &Common) -> Result<Mode, Error> {
        if let Some(asked) = asked {
            return Ok(asked.into());
        }
        if self.taskfile.output.is_none() {
            return Ok(Mode::default());
        }
        let Some(text) = output(&self.taskfile, &self.settings(&common.defines, 1)?)? else {
            return Ok(Mode::default());
        };
        if let Ok(known) = Output::from_str(&text, false) {
            return Ok(known.into());
        }
        let near = nearest(&text, Output::words()).map(|near| format!("output = \"{near}\""));
        let place = self.taskfile.output.as_ref().map(|output| output.place.clone());
        let message = format!(
            "`output` takes \"grouped\", \"stream\", \"failed\" or \"none\", not {}",
            quoted(&one_line(&text))
        );
        let help = near.map(|near| format!("did you mean {near}?"));
        Err(Diagnostic::error(message).at(place, "").help_if(help).into())
    }

    /// What makes the graph, as often as it is asked.
    pub(super) fn loader(
        &self,
        common: &Common,
        jobs: usize,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        self.loader_with(&common.defines, &common.profiles, jobs)
    }

    /// As [`Workspace::loader`], from the values of `-D` and of `--profile`.
    pub(super) fn loader_with(
        &self,
        defines: &[String],
        profiles: &[String],
        jobs: usize,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        self.load(profiles, self.settings(defines, jobs)?)
    }

    /// The same for a build with arguments behind `--`.
    pub(super) fn loader_for(
        &self,
        common: &Common,
        jobs: usize,
        args: Args,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        let settings = Settings { args, ..self.settings(&common.defines, jobs)? };
        self.load(&common.profiles, settings)
    }

    fn load(
        &self,
        profiles: &[String],
        settings: Settings,
    ) -> Result<impl Fn() -> Result<Graph, Error> + use<'_>, Error> {
        let profiles = self.profiles(profiles)?;
        Ok(move || {
            let explain = |error| self.taskfile.explain(error);
            let expand = || expand_all(&self.taskfile, &settings, &profiles).map_err(explain);
            let rules = self.stages.time("expand", expand)?;
            let graph = self.stages.time("link", || link(rules)).map_err(explain)?;
            Ok(graph.of_profiles(profiles.clone()))
        })
    }

    /// The profiles that are asked for.
    pub(super) fn profiles(&self, asked: &[String]) -> Result<Profiles, Error> {
        let declared = self.taskfile.names_of_profiles();
        let mut built: Vec<String> = Vec::new();
        for name in asked.iter().map(|name| name.trim()) {
            if name != DEFAULT_PROFILE && !declared.contains(&name) {
                return Err(self.no_profile(name));
            }
            if !built.iter().any(|known| known == name) {
                built.push(name.to_owned());
            }
        }
        let declared = declared.into_iter().filter(|name| *name != DEFAULT_PROFILE);
        let declared = declared.map(str::to_owned).collect();
        match built.is_empty() {
            true => Ok(Profiles { declared, ..Profiles::default() }),
            false => Ok(Profiles { built, declared }),
        }
    }

    fn no_profile(&self, name: &str) -> Error {
        let known = self.taskfile.names_of_profiles();
        let declared = || known.iter().copied();
        let help = match nearest(name, declared().chain([DEFAULT_PROFILE])) {
            Some(near) => format!("did you mean `{near}`?"),
            None if declared().next().is_none() => {
                "the Taskfile has no profiles: variables of one stand below [profile.NAME.vars]"
                    .to_owned()
            }
            None => listed("there are", declared().chain([DEFAULT_PROFILE])),
        };
        let message = format!("there is no profile {}", quoted(&one_line(name)));
        Error::Usage { message, help: Some(help) }
    }

    /// What the command line and the machine add to the Taskfile.
    pub(super) fn settings(&self, defines: &[String], jobs: usize) -> Result<Settings, Error> {
        let defines = defines.iter().map(|define| match define.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Error::Usage {
                message: format!("-D takes NAME=VALUE, not `{define}`"),
                help: Some(format!("write -D {define}=…")),
            }),
        });
        Ok(Settings {
            root: self.root.clone(),
            taskfile: self.prefix().map(<[u8]>::to_vec),
            defines: defines.collect::<Result<_, _>>()?,
            surroundings: self.surroundings(jobs),
            args: Args::default(),
            asks: self.asks()?,
        })
    }

    pub(super) fn surroundings(&self, jobs: usize) -> Arc<Surroundings> {
        machine(&self.env_asked, jobs)
    }

    /// The full names of what is built if nothing is named.
    pub(super) fn default_targets(&self) -> Result<Vec<String>, Error> {
        self.default_for("nothing to build")
    }

    /// The same for a tool that looks at targets.
    pub(super) fn default_to_look_at(&self) -> Result<Vec<String>, Error> {
        self.default_for("no target is named")
    }

    /// `none`: what that means where there is no `default`.
    fn default_for(&self, none: &str) -> Result<Vec<String>, Error> {
        let package = self.package();
        if package.default.is_empty() {
            return Err(no_default(package, none));
        }
        let label = "a bare `taskr` would build it";
        package.default.iter().map(|text| self.written_in(&self.here, text, label)).collect()
    }
}

/// Nothing was named, and the Taskfile has no `default`.
fn no_default(package: &Taskfile, none: &str) -> Error {
    let known = package.targets.values().filter(|target| !target.private);
    let known: Vec<&str> = known.map(|target| target.name.as_str()).take(10).collect();
    let (named, first) = match known.first() {
        Some(first) => (format!("a target ({})", known.join(", ")), (*first).to_owned()),
        None => {
            ("one of the packages' targets, as in `taskr :build`".to_owned(), ":build".to_owned())
        }
    };
    Error::Usage {
        message: format!("{none}: {} has no `default`", package.source.name),
        help: Some(format!(
            "name {named}, or write `default = [\"{first}\"]` at the top of the file"
        )),
    }
}

/// What is wrong with a name that nobody typed: it stands in the Taskfile.
pub(super) fn at_place(error: Error, text: &Text, label: &str) -> Error {
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

/// More threads than this serve nobody.
const MOST_JOBS: usize = 10_000;

/// What expressions see of the machine, and of the caller's environment what is text.
pub(super) fn machine(env_asked: &Arc<AtomicBool>, jobs: usize) -> Arc<Surroundings> {
    let text = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let (env, profile) = (text.collect(), DEFAULT_PROFILE.to_owned());
    Arc::new(Surroundings { env, env_asked: env_asked.clone(), jobs, profile })
}

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
