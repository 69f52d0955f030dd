//! `taskr completions`: the script for a shell, and the answers to what that script asks.
//!
//! The script calls `taskr` back with [`ASK`] set and the words typed so far. The answer reads
//! the Taskfile and nothing else; it says nothing about a Taskfile that is wrong.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;

use clap::{Command, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;

use super::args::{Build, Completions};
use super::out::print;
use super::packages::spelt_out;
use super::scan::Scan;
use super::workspace::Workspace;
use super::{End, help};
use crate::error::{Error, nearest, quoted};
use crate::graph::Kind;
use crate::parse::{Pipeline, Target, split_pick};
use crate::report::one_line;

/// Where the line for each shell goes.
pub(super) const INSTALL: &str = "\
One line in your shell's own file turns it on:
  bash: ~/.bashrc
    eval \"$(taskr completions bash)\"
  zsh: ~/.zshrc, behind compinit
    eval \"$(taskr completions zsh)\"
  fish: ~/.config/fish/config.fish
    taskr completions fish | source
  powershell: $PROFILE
    taskr completions powershell | Out-String | Invoke-Expression
  elvish: ~/.config/elvish/rc.elv
    eval (taskr completions elvish | slurp)";

/// Else bash takes what stands behind an `@` or a `:` for a word of its own, and offers host names.
const WHOLE_NAMES: &[u8] = b"COMP_WORDBREAKS=${COMP_WORDBREAKS//[@:]}\n";

/// The variable by which a script asks: it holds the shell's name.
const ASK: &str = "TASKR_COMPLETE";

/// The place of the word under the cursor, where a script tells it.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

pub(super) fn completions(args: &Completions, program: &OsStr) -> Result<End, Error> {
    let shells = Shells::builtins();
    let name = args.shell.as_str();
    let shell = shells.completer(name).ok_or_else(|| Error::Usage {
        message: format!("{} is no shell that taskr knows", quoted(&one_line(name))),
        help: Some(match nearest(name, SHELLS) {
            Some(near) => format!("did you mean `taskr completions {near}`?"),
            None => format!("it knows {}", SHELLS.join(", ")),
        }),
    })?;
    let mut script = Vec::new();
    let completer = callable(program);
    let written = shell.write_registration(ASK, "taskr", "taskr", &completer, &mut script);
    written.map_err(|cause| Error::Io {
        doing: "cannot write".to_owned(),
        path: "the script".into(),
        cause,
    })?;
    if name == "bash" {
        script.extend_from_slice(WHOLE_NAMES);
    }
    print(&script)?;
    Ok(End::Code(0))
}

/// The program's name if it is found in `PATH`, else its path from everywhere.
fn callable(program: &OsStr) -> String {
    let program = Path::new(program);
    let path = match std::env::current_dir() {
        Ok(here) if program.components().count() > 1 => here.join(program),
        _ => program.to_owned(),
    };
    path.to_string_lossy().into_owned()
}

/// The shell whose script asks, if one does.
pub(super) fn asked() -> Option<String> {
    std::env::var(ASK).ok().filter(|shell| !shell.is_empty())
}

/// Writes what may stand at the cursor: in `args` behind `--` are the words typed so far. In
/// silence if there is nothing to say.
pub(super) fn answer(shell: &str, args: &[OsString]) -> End {
    let words: Vec<OsString> =
        args.iter().skip_while(|arg| *arg != "--").skip(1).cloned().collect();
    let shells = Shells::builtins();
    let (Some(shell), false) = (shells.completer(shell), words.is_empty()) else {
        return End::Code(2);
    };
    let index = std::env::var(INDEX).ok().and_then(|index| index.parse().ok());
    let current = words.get(index.unwrap_or(words.len() - 1));
    let options = current.is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let scan = Scan::of(words.clone());
    // The process ends with the answer: nothing is torn down.
    let workspace = Workspace::find(scan.directory.as_deref(), scan.file.as_deref()).ok();
    let workspace = ManuallyDrop::new(workspace);
    let word = current.and_then(|word| word.to_str()).unwrap_or_default();
    let mut command = ManuallyDrop::new(possible(workspace.as_ref(), options, word));
    let here = std::env::current_dir().ok();
    let mut text = Vec::new();
    if shell.write_complete(&mut command, words, here.as_deref(), &mut text).is_err() {
        return End::Code(1);
    }
    // A shell that no longer listens needs no answer.
    let _ = print(&text);
    End::Code(0)
}

/// The command line with the names of this workspace in it. Options are offered only to who has
/// begun one, the tasks of a target to who has written its name and `@`, and names with their
/// package to who has begun such a one: there are many.
fn possible(workspace: Option<&Workspace>, options: bool, word: &str) -> Command {
    let mut targets = workspace.map(|workspace| targets(workspace, word)).unwrap_or_default();
    if let (target, Some(_)) = split_pick(word) {
        targets.extend(workspace.map(|workspace| tasks(workspace, target)).unwrap_or_default());
    }
    let variables = workspace.map(variables).unwrap_or_default();
    let profiles = workspace.map(profiles).unwrap_or_default();
    let names = Offered {
        targets: targets.clone().into(),
        variables: variables.into(),
        profiles: profiles.into(),
        shells: SHELLS.map(|shell| (shell.to_owned(), None)).into(),
    };
    let is_target = |word: &Command| targets.iter().any(|(name, _)| name == word.get_name());
    let tools = || help::tools().map(|tool| with_names(tool, &names, options));
    let build = |word: &'static str| with_names(Build::command().name(word), &names, options);
    let words = [
        build("run").hide(true),
        Command::new("tool").hide(true).subcommands(tools()),
        Command::new("help").hide(true).subcommands(help::tools()),
    ];
    let words = tools().into_iter().chain(words).filter(|word| !is_target(word));
    with_names(Build::command(), &names, options)
        .disable_help_subcommand(true)
        .mut_arg("jobs", |jobs| jobs.num_args(0..=1))
        .subcommands(words)
}

/// A name and what it stands for.
type Named = (String, Option<String>);

/// Names for the places where they may stand: each list once, however many commands take it.
struct Offered {
    targets: Arc<[Named]>,
    variables: Arc<[Named]>,
    profiles: Arc<[Named]>,
    shells: Arc<[Named]>,
}

fn with_names(command: Command, names: &Offered, options: bool) -> Command {
    let command = command.disable_help_flag(!options).disable_version_flag(!options);
    command.mut_args(|arg| {
        let arg = if options || arg.is_positional() { arg } else { arg.hide(true) };
        match arg.get_id().as_str() {
            "targets" | "force" => arg.add(candidates(&names.targets)),
            "defines" => arg.add(candidates(&names.variables)),
            "profiles" => arg.add(candidates(&names.profiles)),
            "shell" => arg.add(candidates(&names.shells)),
            _ => arg,
        }
    })
}

fn candidates(names: &Arc<[Named]>) -> ArgValueCandidates {
    let names = Arc::clone(names);
    ArgValueCandidates::new(move || {
        let one =
            |(name, doc): &Named| CompletionCandidate::new(name).help(doc.clone().map(Into::into));
        names.iter().map(one).collect()
    })
}

/// The names of the current package's targets; of those of others if `word` has begun so.
fn targets(workspace: &Workspace, word: &str) -> Vec<Named> {
    let doc = |target: &Target| target.doc.as_deref().map(one_line);
    let public = || workspace.targets().filter(|(_, _, target)| !target.private);
    if word.starts_with(':') {
        let names: BTreeSet<String> =
            public().map(|(_, _, one)| format!(":{}", one.name)).collect();
        return names.into_iter().map(|name| (name, None)).collect();
    }
    let pipelines = || workspace.taskfile.pipelines.values();
    let about = |pipeline: &Pipeline| pipeline.doc.as_deref().map(one_line);
    if word.starts_with('/') {
        let targets = public().map(|(full, _, one)| (spelt_out(&full), doc(one)));
        let pipelines = pipelines().map(|one| (spelt_out(&one.name), about(one)));
        return targets.chain(pipelines).collect();
    }
    let package = workspace.package();
    let own = package.targets.values().filter(|target| !target.private);
    let own = own.map(|target| (target.name.clone(), doc(target)));
    own.chain(package.pipelines.values().map(|one| (one.name.clone(), about(one)))).collect()
}

/// The tasks of a target with `foreach` or `matrix`; none if the Taskfile is wrong.
fn tasks(workspace: &Workspace, target: &str) -> Vec<Named> {
    let full = workspace.full(target);
    let public = workspace.taskfile.target(&full).is_some_and(|target| !target.private);
    let graph = workspace.loader_with(&[], &[], 1).and_then(|load| load());
    let Some(graph) = graph.ok().filter(|_| public) else { return Vec::new() };
    let all = graph.tasks().iter().filter(|task| task.rule.target.name == full);
    let several = all.filter(|task| task.kind() != Kind::Group);
    let name = |task: &str| match target.starts_with('/') {
        true => spelt_out(task),
        false => workspace.seen(task),
    };
    several.map(|task| (name(&task.rule.name), None)).collect()
}

fn variables(workspace: &Workspace) -> Vec<Named> {
    let mut names: Vec<&str> = workspace.taskfile.names_of_variables().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (format!("{name}="), None)).collect()
}

fn profiles(workspace: &Workspace) -> Vec<Named> {
    let names = workspace.taskfile.names_of_profiles().into_iter();
    names.map(|name| (name.to_owned(), None)).collect()
}
