//! What is wrong with the options: clap's findings in the words and the look of all other errors.
//!
//! Knows the options of taskr's peers, so that a hand that is used to them learns taskr's.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};

use super::args::Build;
use super::help::tools;
use super::scan::Scan;
use crate::error::{Error, nearest, quoted};
use crate::report::one_line;

/// Options that are planned.
const LATER: [&str; 2] = ["--junit", "--report"];

/// Options of make, ninja, just, Task, npm and their like, and what to write for them here.
const OF_OTHERS: &[(&[&str], &str)] = &[
    (
        &["--list", "--list-all", "--tasks", "--targets", "--summary", "-a", "-T", "--choose"],
        "`taskr list` lists the targets",
    ),
    (&["--load", "--max-load"], "`-l LOAD` (`--load-average`) starts nothing above that load"),
    (&["-t"], "tools are words: `taskr list`, `taskr clean`; nothing needs to be touched"),
    (&["--touch", "-o", "-W"], "taskr compares contents: what did not change is not built"),
    (&["-s", "--silent"], "`-q` shows only failures and warnings"),
    (&["-y", "--yes", "--no-input"], "taskr asks nothing: leave it away"),
    (
        &["-r", "-R", "--no-print-directory", "--no-builtin-rules"],
        "taskr does so by itself: leave it away",
    ),
    (&["--watch", "-w"], "watching is a tool: write `taskr watch` before the targets"),
    (
        &["--filter"],
        "name the targets: taskr //packages/ui:build, or for all packages taskr :build",
    ),
    (
        &["--affected"],
        "`--since REV` builds what the changes since a commit can reach: `--since main`",
    ),
    (
        &["--output-logs", "--log-order", "--log-prefix"],
        "`--output failed` shows less, `--output stream` more",
    ),
    (&["--summarize"], "`--events FILE` tells all that happens, `taskr history` what happened"),
    (
        &["-p", "--parallel", "-P", "--max-parallel", "-c", "--concurrency", "--threads"],
        "tasks run at once by themselves; `-j N` says how many",
    ),
    (&["-i", "--ignore-errors", "--continue", "--no-bail"], "`-k` goes on after a failure"),
    (&["-S", "--stop", "--no-keep-going"], "taskr stops after a failure unless `-k` is given"),
    (
        &["-d", "--debug", "--explain", "--why"],
        "`taskr -v` shows reasons, `taskr why` one target's",
    ),
    (&["--trace-rules"], "`-v` shows reasons"),
    (&["--just-print", "--recon", "--dry", "--plan", "--status"], "`-n` says what would run"),
    (&["--always-make", "--rerun-tasks", "--rebuild"], "`-B` runs all of it"),
    (&["--no-cache"], "`-B` runs all of it; `--cache off` leaves the store out"),
    (&["--affected"], "`--since REV` builds what the changes since a commit can reach"),
    (&["--makefile", "--justfile", "--taskfile", "-F"], "`-f FILE` names the Taskfile"),
    (
        &["--working-directory", "--dir", "--cwd", "--prefix", "--chdir", "--root"],
        "`-C DIR` works in another folder",
    ),
    (&["--set", "--var", "--eval", "-e", "-E"], "`-D NAME=VALUE` sets a variable"),
    (
        &["--dump", "--evaluate", "--print-data-base"],
        "`taskr show` tells what a target came to, `taskr vars` what variables are",
    ),
    (&["--completion", "--completions"], "`taskr completions SHELL`"),
    (&["--man"], "`taskr man`"),
    (&["--init", "-I"], "`taskr init` writes a first Taskfile"),
    (&["--fmt", "--graph", "--tree", "--clean"], "tools are words, as in `taskr clean`"),
    (&["--no-color", "--no-colour", "--colour"], "`--color never`"),
];

/// Why clap refused the arguments of `command`.
pub(super) fn refused(error: &clap::Error, command: &Command, scan: &Scan) -> Error {
    let option = context(error, ContextKind::InvalidArg);
    let value = context(error, ContextKind::InvalidValue);
    let (message, help) = match error.kind() {
        ErrorKind::UnknownArgument if option.starts_with('-') => unknown(&option, command, scan),
        ErrorKind::UnknownArgument => surplus(&option, command),
        ErrorKind::InvalidUtf8 => {
            let arg = scan.not_text().map(|arg| arg.as_encoded_bytes().escape_ascii().to_string());
            let message = format!("`{}` is not UTF-8", arg.unwrap_or_default());
            (message, "`taskr list` shows the names that there are".to_owned())
        }
        ErrorKind::ArgumentConflict => {
            let other = context(error, ContextKind::PriorArg);
            let (one, other) = (bare(&option), bare(&other));
            (format!("`{one}` and `{other}` exclude each other"), format!("leave `{one}` away"))
        }
        ErrorKind::TooManyValues => {
            let name = bare(&option);
            (format!("`{name}` takes no value"), format!("write `{name}`"))
        }
        ErrorKind::MissingRequiredArgument => {
            (format!("`{}` is missing", bare(&option)), usage(command))
        }
        _ if !option.is_empty() => wrong_value(error, &option, &value, command),
        _ => (one_line(error.to_string().lines().next().unwrap_or("")), usage(command)),
    };
    Error::Usage { message, help: Some(help) }
}

fn unknown(option: &str, command: &Command, scan: &Scan) -> (String, String) {
    let shown = quoted(&one_line(option));
    let tool = command.get_name();
    let of_builds = Build::command();
    if tool != "taskr" && has(&of_builds, option) {
        let message = format!("{shown} is an option of builds; `taskr {tool}` does not take it");
        let rest = scan.args.iter().skip(1).filter(|arg| *arg != option);
        let rest: Vec<_> = rest.map(|arg| one_line(&arg.to_string_lossy())).collect();
        let help = match rest.len() + 1 < scan.args.len() {
            true => format!("write `{}`", format!("taskr {tool} {}", rest.join(" ")).trim_end()),
            false => usage(command),
        };
        return (message, help);
    }
    let message = match tool {
        "taskr" => format!("there is no option {shown}"),
        _ => format!("`taskr {tool}` has no option {shown}"),
    };
    (message, instead(option, command, scan))
}

/// What to write for an option that does not exist.
fn instead(option: &str, command: &Command, scan: &Scan) -> String {
    if let Some(help) = by_habit(option, command, scan) {
        return help;
    }
    if LATER.contains(&option) {
        return "it is planned; this version does not have it".to_owned();
    }
    // `-dry-run` is read as a row of letters.
    let mut typed = scan.args.iter().filter_map(|arg| arg.to_str());
    let longs = || command.get_arguments().filter_map(Arg::get_long);
    if let Some(long) = typed.find_map(|arg| {
        let name = arg.strip_prefix('-').filter(|name| name.len() > 2 && !name.starts_with('-'))?;
        longs().find(|long| *long == name)
    }) {
        return format!("did you mean `--{long}`?");
    }
    if let Some((_, help)) = OF_OTHERS.iter().find(|(names, _)| names.contains(&option)) {
        return (*help).to_owned();
    }
    if let Some(near) = option.strip_prefix("--").and_then(|name| nearest(name, longs())) {
        return format!("did you mean `--{near}`?");
    }
    // A target of a tool's name comes first.
    let word = scan.word.as_deref().and_then(std::ffi::OsStr::to_str);
    let hidden = tools().into_iter().find(|tool| word == Some(tool.get_name()));
    if let Some(tool) = hidden.filter(|tool| command.get_name() == "taskr" && has(tool, option)) {
        let name = tool.get_name();
        return format!("`{name}` is a target here; the tool is `taskr tool {name} {option}`");
    }
    let has_it: Vec<String> = tools()
        .iter()
        .filter(|tool| has(tool, option))
        .map(|tool| format!("`taskr {}`", tool.get_name()))
        .collect();
    if !has_it.is_empty() {
        return format!("it is an option of {}", has_it.join(", "));
    }
    match command.get_name() {
        "taskr" => "`taskr --help` lists all options".to_owned(),
        tool => format!("`taskr {tool} --help` lists all options"),
    }
}

/// `-k3` of make, which clap takes for `-k -3`; `-t clean` of ninja.
fn by_habit(option: &str, command: &Command, scan: &Scan) -> Option<String> {
    let tool = command.get_name();
    if option == "-t" && tool != "taskr" {
        return Some(format!("tools are words: write `taskr {tool}`"));
    }
    let mut typed = scan.args.iter().filter_map(|arg| arg.to_str()?.strip_prefix("-k"));
    let is_number = |text: &&str| text.starts_with(&option[1..]) && text.parse::<u32>().is_ok();
    typed.find(is_number).map(|number| format!("write `-k={number}`"))
}

fn has(command: &Command, option: &str) -> bool {
    command.get_arguments().any(|arg| match option.strip_prefix("--") {
        Some(name) => arg.get_long() == Some(name),
        None => {
            arg.get_short().is_some_and(|letter| option[1..] == *letter.encode_utf8(&mut [0; 4]))
        }
    })
}

/// A word too many.
fn surplus(word: &str, command: &Command) -> (String, String) {
    let message = format!("`taskr {}` takes no {}", command.get_name(), quoted(&one_line(word)));
    (message, usage(command))
}

fn wrong_value(
    error: &clap::Error,
    option: &str,
    value: &str,
    command: &Command,
) -> (String, String) {
    let name = bare(option);
    let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == name.strip_prefix("--"))
    else {
        return (format!("{} is no {name}", quoted(&one_line(value))), usage(command));
    };
    let known = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(known)) => known.clone(),
        _ => Vec::new(),
    };
    let asks = match &known[..] {
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
        [] => match arg.get_value_names() {
            Some([name, ..]) if name == "N" => "a number".to_owned(),
            names => names.into_iter().flatten().next().map_or("a value", |name| name).to_owned(),
        },
    };
    // What stands at a place has no name that anybody types.
    let of_tool = format!("taskr {}", command.get_name());
    let name = if name.starts_with('-') { name } else { &of_tool };
    let message = match value.is_empty() {
        true => format!("`{name}` needs {asks}"),
        false => format!("`{name}` takes {asks}, not {}", quoted(&one_line(value))),
    };
    if name == "--load-average" && value.is_empty() {
        // `-l` lists the targets elsewhere.
        return (message, "write `-l 3`; `taskr list` lists the targets".to_owned());
    }
    let near = nearest(value, known.iter().map(String::as_str));
    let example = near.or(known.first().map(String::as_str)).unwrap_or("3");
    let help = match arg.get_value_names() {
        _ if near.is_some() => format!("did you mean `{name} {example}`?"),
        _ if arg.is_require_equals_set() => format!("write `{name}={example}`"),
        Some([names]) if known.is_empty() => format!("write `{name} {names}`"),
        _ => format!("write `{name} {example}`"),
    };
    (message, help)
}

/// How the command is written.
fn usage(command: &Command) -> String {
    let text = command.clone().render_usage().to_string();
    let line = text.lines().next().unwrap_or_default();
    format!("write `{}`", line.trim_start_matches("Usage:").trim())
}

/// `--output <MODE>` without the rest.
fn bare(option: &str) -> &str {
    option.split([' ', '=', '[', '.']).next().filter(|name| !name.is_empty()).unwrap_or(option)
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_others_are_not_ours() {
        let own = Build::command();
        for option in OF_OTHERS.iter().flat_map(|(names, _)| *names).chain(&LATER) {
            assert!(!has(&own, option), "{option} is an option of builds");
        }
    }

    #[test]
    fn what_is_to_be_written_instead_is_there() {
        let tools = tools();
        for (names, help) in OF_OTHERS {
            let words = help.split('`').skip(1).step_by(2);
            for word in words.filter(|_| !help.contains("is planned")) {
                let first = word.trim_start_matches("taskr ").split(' ').next().unwrap_or_default();
                let is_known = match first.chars().next() {
                    Some('-') => has(&Build::command(), first),
                    // A target of a package.
                    Some('/') => first.contains(':'),
                    _ => tools.iter().any(|tool| tool.get_name() == first),
                };
                assert!(is_known, "{names:?}: {word}");
            }
        }
    }
}
