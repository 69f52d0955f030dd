//! The command line: words to a request, and the request's outcome to streams and a code.
//!
//! Your targets come first: the first bare word decides; it is a target if the Taskfile has one
//! of that name, else a tool. Two parsers stand behind one scan of the arguments.

mod args;
mod build;
mod check;
mod clean;
mod completions;
mod json_out;
mod list;
mod log;
mod man;
mod origin;
mod scan;
mod select;
mod show;
mod status;
mod taskfile;
mod terminal;
mod why;
mod workspace;

use std::ffi::{OsStr, OsString};
use std::io::Write;

use clap::Parser;

use crate::error::{Error, nearest};
use crate::process::{GUARD_ARG, guard_main};
use scan::Scan;
use terminal::Colours;
use workspace::Workspace;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

/// The tools of this version.
const TOOLS: [&str; 9] =
    ["check", "clean", "completions", "list", "log", "man", "show", "status", "why"];

/// Tools that are planned.
const LATER: [&str; 18] = [
    "audit", "cache", "compare", "flaky", "fmt", "graph", "history", "hook", "import", "init",
    "merge", "schema", "stats", "timeline", "vars", "verify", "watch", "tool",
];

/// Does what the arguments (the program's own name first) ask for.
pub fn main(args: Vec<OsString>) -> End {
    if let [_, guard, run_id] = &args[..]
        && guard == GUARD_ARG
    {
        guard_main(&run_id.to_string_lossy());
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
        return parse_build(scan).map_or_else(Ok, |_| Ok(End::Code(0)));
    }
    let word = scan.word.clone();
    let forced =
        word.as_deref().filter(|word| *word == "run" || *word == "tool").map(OsStr::to_owned);
    let workspace = Workspace::find(scan.directory.as_deref(), scan.file.as_deref());
    let word = word.as_deref().and_then(OsStr::to_str);
    let is_target = |word: &str| workspace.as_ref().is_ok_and(|found| found.has_target(word));
    match (forced.as_deref().and_then(OsStr::to_str), word) {
        (Some("run"), _) if !is_target("run") => {
            scan.drop_word();
            build_with(scan, workspace)
        }
        (Some("tool"), _) if !is_target("tool") => {
            scan.drop_word();
            let name = scan.word.clone().unwrap_or_default();
            tool(&name.to_string_lossy(), scan, workspace)
        }
        (_, Some(word)) if !is_target(word) && (TOOLS.contains(&word) || LATER.contains(&word)) => {
            tool(word, scan, workspace)
        }
        _ => build_with(scan, workspace),
    }
}

fn build_with(scan: &Scan, workspace: Result<Workspace, Error>) -> Result<End, Error> {
    match parse_build(scan) {
        Ok(args) => build::build(&args, &workspace?, &scan.command_line()),
        Err(end) => Ok(end),
    }
}

fn parse_build(scan: &Scan) -> Result<args::Build, End> {
    args::Build::try_parse_from(&scan.args).map_err(|error| said(&error))
}

fn tool(name: &str, scan: &Scan, workspace: Result<Workspace, Error>) -> Result<End, Error> {
    match name {
        "check" => parsed(scan, |args| check::check(&args, workspace)),
        "clean" => parsed(scan, |args| clean::clean(&args, &workspace?, &scan.command_line())),
        "completions" => parsed(scan, |args| completions::completions(&args)),
        "list" => parsed(scan, |args| list::list(&args, &workspace?)),
        "log" => parsed(scan, |args| log::log(&args, &workspace?)),
        "man" => parsed(scan, |args| man::man(&args)),
        "show" => parsed(scan, |args| show::show(&args, &workspace?)),
        "status" => parsed(scan, |args| status::status(&args, &workspace?)),
        "why" => parsed(scan, |args| why::why(&args, &workspace?)),
        _ if LATER.contains(&name) => Err(not_there_yet(name)),
        _ => Err(Error::Usage {
            message: format!("there is no tool `{name}`"),
            help: nearest(name, TOOLS).map(|name| format!("did you mean `{name}`?")),
        }),
    }
}

fn not_there_yet(name: &str) -> Error {
    Error::Usage {
        message: format!("`taskr {name}` is not there yet"),
        help: Some("it is planned; this version does not have it".to_owned()),
    }
}

/// Does `act` with a tool's arguments, if they are ones.
fn parsed<T: Parser>(scan: &Scan, act: impl FnOnce(T) -> Result<End, Error>) -> Result<End, Error> {
    match T::try_parse_from(&scan.args) {
        Ok(args) => act(args),
        Err(error) => Ok(said(&error)),
    }
}

/// What clap has to say: help and version go to stdout with code 0, the rest to stderr with 2.
fn said(error: &clap::Error) -> End {
    let _ = error.print();
    End::Code(if error.use_stderr() { 2 } else { 0 })
}
