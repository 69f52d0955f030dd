//! The command line: words to a request, and the request's outcome to streams and a code.
//!
//! Your targets come first: the first bare word decides; it is a target if the Taskfile has one
//! of that name, else a tool. Two parsers stand behind one scan of the arguments.

mod amounts;
mod args;
mod bounds;
mod build;
mod cache;
mod changes;
mod check;
mod clean;
mod columns;
mod commands;
mod compare;
mod completions;
mod create;
mod doubts;
mod failed;
mod flaky;
mod fmt;
mod goals;
mod graph;
mod help;
mod history;
mod hook;
mod init;
mod json_out;
mod limits;
mod list;
mod log;
mod man;
mod merge;
mod narrow;
mod origin;
mod out;
mod packages;
mod question;
mod runs;
mod scan;
mod schema;
mod select;
mod show;
mod signals;
mod stages;
mod stats;
mod status;
mod steps;
mod taskfile;
mod terminal;
mod timeline;
mod usage;
mod user;
mod vars;
mod verify;
mod watch;
mod why;
mod workspace;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::mem::ManuallyDrop;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;

use crate::error::{Error, nearest, quoted};
use crate::process::{GUARD_ARG, guard_main};
use crate::report::one_line;
use crate::run::{Partly, Proved};
use question::{question, root_of};
use scan::Scan;
use taskfile::Found;
use terminal::Colours;
use workspace::Workspace;

pub use help::command;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

/// The tools of this version.
const TOOLS: [&str; 24] = [
    "cache",
    "check",
    "clean",
    "compare",
    "completions",
    "flaky",
    "fmt",
    "graph",
    "history",
    "hook",
    "init",
    "list",
    "log",
    "man",
    "merge",
    "schema",
    "show",
    "stats",
    "status",
    "timeline",
    "vars",
    "verify",
    "watch",
    "why",
];

/// Tools that are planned.
const LATER: [&str; 3] = ["audit", "import", "tool"];

/// Does what the arguments (the program's own name first) ask for.
pub fn main(args: Vec<OsString>) -> End {
    if let [_, guard, run_id] = &args[..]
        && guard == GUARD_ARG
    {
        guard_main(&run_id.to_string_lossy());
    }
    if let Some(shell) = completions::asked() {
        return completions::answer(&shell, &args);
    }
    let mut scan = Scan::of(args);
    let result = start(&mut scan);
    match result {
        Ok(end) => end,
        Err(Error::Interrupted(signal)) => End::Signal(signal),
        Err(error) => {
            let colours = Colours::choose(scan.color.as_deref().unwrap_or("auto"));
            let text = crate::error::render(&error, colours.err, terminal::width());
            // A closed stderr changes nothing about the exit code.
            let _ = writeln!(std::io::stderr(), "{text}");
            End::Code(error.exit_code())
        }
    }
}

fn start(scan: &mut Scan) -> Result<End, Error> {
    if scan.only_about_taskr() {
        return parsed(scan, |_: args::Build| Ok(End::Code(0)));
    }
    let begun = Instant::now();
    let found = taskfile::find(scan.directory.as_deref(), scan.file.as_deref());
    let asked = found.as_ref().ok().and_then(|found| question(scan, found));
    let proved = found.as_ref().ok().zip(asked).and_then(|(found, asked)| {
        let (root, env) = (root_of(found), workspace::environment());
        Proved::of(asked, root, &env, &|| scan.command_line())
    });
    let before = match proved {
        Some(Proved::All(proved)) => {
            return Ok(build::up_to_date(scan, proved, begun));
        }
        Some(Proved::Partly(before)) => Some(before),
        None => None,
    };
    if let (Ok(found), Some(before)) = (&found, &before)
        && let Some(end) = narrow_build(scan, found, before)?
    {
        return Ok(end);
    }
    let workspace =
        found.and_then(|found| Workspace::read(found, asked.map(|asked| (asked, before))));
    let word = scan.word.clone();
    let Some(word) = word.as_deref().and_then(OsStr::to_str) else {
        return build_with(scan, workspace);
    };
    // With a name behind them these say what it is, whatever targets are called.
    let says_what = matches!(word, "run" | "tool") && scan.has_next_word();
    if !says_what && is_own(&workspace, word) {
        return build_with(scan, workspace);
    }
    match word {
        "run" => {
            scan.drop_word();
            build_with(scan, workspace)
        }
        "tool" => {
            scan.drop_word();
            let name = scan.word.clone().unwrap_or_default();
            tool(&name.to_string_lossy(), scan, workspace)
        }
        "help" => {
            scan.drop_word();
            scan.ask_for_help();
            let Some(name) = scan.word.clone() else { return build_with(scan, workspace) };
            let name = name.to_string_lossy();
            let is_hidden = is_own(&workspace, &name);
            let end = tool(&name, scan, workspace)?;
            if is_hidden {
                out::print(hidden(&name).as_bytes())?;
            }
            Ok(end)
        }
        _ if TOOLS.contains(&word) || LATER.contains(&word) => tool(word, scan, workspace),
        _ => build_with(scan, workspace),
    }
}

/// A build of what is in doubt, if that is all that is asked.
fn narrow_build(scan: &Scan, found: &Found, before: &Partly) -> Result<Option<End>, Error> {
    let typed = scan.command_line();
    let mut scan = scan.clone();
    scan.drop_run();
    match args::Build::try_parse_from(&scan.args) {
        Ok(args) => narrow::narrow(&args, found, before, &typed),
        // It was understood when it was first asked.
        Err(_) => Ok(None),
    }
}

/// Whether the Taskfile has it: then it comes before a tool of that name.
fn is_own(workspace: &Result<Workspace, Error>, word: &str) -> bool {
    workspace.as_ref().is_ok_and(|found| found.has_target(word) || found.has_pipeline(word))
}

/// What is said behind the help of a tool that a name of the Taskfile hides.
fn hidden(name: &str) -> String {
    format!("\nThe Taskfile has a target `{name}`: write `taskr tool {name}` for the tool.\n")
}

fn build_with(scan: &Scan, workspace: Result<Workspace, Error>) -> Result<End, Error> {
    parsed(scan, |args| build::build(&args, &workspace?, &scan.command_line()))
}

fn tool(name: &str, scan: &mut Scan, workspace: Result<Workspace, Error>) -> Result<End, Error> {
    let typed = scan.command_line();
    scan.drop_word();
    match name {
        "cache" => parsed(scan, |args| cache::cache(&args, workspace)),
        "check" => parsed(scan, |args| check::check(&args, workspace)),
        "clean" => parsed(scan, |args| clean::clean(&args, &workspace?, &typed)),
        "compare" => parsed(scan, |args| compare::compare(&args, &workspace?)),
        "completions" => parsed(scan, |args| completions::completions(&args, scan.program())),
        "flaky" => parsed(scan, |args| flaky::flaky(&args, &workspace?)),
        "fmt" => {
            parsed(scan, |args| fmt::fmt(&args, scan.directory.as_deref(), scan.file.as_deref()))
        }
        "graph" => parsed(scan, |args| graph::graph(&args, &workspace?)),
        "history" => parsed(scan, |args| history::history(&args, &workspace?)),
        "hook" => parsed(scan, |args| hook::hook(args, &workspace?, &typed)),
        "init" => parsed(scan, |args| init::init(&args)),
        "list" => parsed(scan, |args| list::list(&args, &ManuallyDrop::new(workspace?))),
        "log" => parsed(scan, |args| log::log(&args, &workspace?)),
        "man" => parsed(scan, |_: args::Man| man::man()),
        "merge" => parsed(scan, |args| merge::merge(&args)),
        "schema" => parsed(scan, |args| schema::schema(&args)),
        "show" => parsed(scan, |args| show::show(&args, &workspace?)),
        "stats" => parsed(scan, |args| stats::stats(&args, &workspace?)),
        "status" => parsed(scan, |args| status::status(&args, &workspace?)),
        "timeline" => parsed(scan, |args| timeline::timeline(&args, &workspace?)),
        "vars" => parsed(scan, |args| vars::vars(&args, &workspace?)),
        "verify" => parsed(scan, |args| verify::verify(&args, &workspace?)),
        "watch" => parsed(scan, |args| watch::watch(args, workspace?, scan)),
        "why" => parsed(scan, |args| why::why(&args, &workspace?)),
        _ if LATER.contains(&name) => Err(not_there_yet(name)),
        _ => Err(no_such_tool(name)),
    }
}

fn no_such_tool(name: &str) -> Error {
    let message = match name {
        "" => "which tool?".to_owned(),
        _ => format!("there is no tool {}", quoted(&one_line(name))),
    };
    let help = match nearest(name, TOOLS) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the tools are {}", TOOLS.join(", ")),
    };
    Error::Usage { message, help: Some(help) }
}

fn not_there_yet(name: &str) -> Error {
    Error::Usage {
        message: format!("`taskr {name}` is not there yet"),
        help: Some("it is planned; this version does not have it".to_owned()),
    }
}

/// Does `act` with the arguments of a command, if they are ones; else prints its help, or says
/// what is wrong with them.
fn parsed<T: Parser>(scan: &Scan, act: impl FnOnce(T) -> Result<End, Error>) -> Result<End, Error> {
    // Like all that lives as long as the process, not torn down.
    let command = T::command();
    let command = if scan.asks_for_help() { help::with_more(command) } else { command };
    let mut command = ManuallyDrop::new(command);
    let found = command.try_get_matches_from_mut(&scan.args);
    match found.and_then(|mut matches| T::from_arg_matches_mut(&mut matches)) {
        Ok(args) => act(args),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            let text = error.render();
            let coloured = Colours::choose(scan.color.as_deref().unwrap_or("auto")).out;
            let text = if coloured { text.ansi().to_string() } else { text.to_string() };
            out::print(text.as_bytes())?;
            Ok(End::Code(0))
        }
        Err(error) => Err(usage::refused(&error, &command, scan)),
    }
}
