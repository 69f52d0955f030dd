//! What `--help` and the manual page say beside the options: tools, examples, environment, files,
//! exit codes. And the whole command line as one value, for those who tell or complete all of it.

use clap::{Command, CommandFactory};

use super::args;

/// Rows of a term and its meaning, under a title.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: &'static [(&'static str, &'static str)],
}

/// In the order in which they are shown.
pub(super) const SECTIONS: [Section; 4] = [
    Section {
        title: "Examples",
        rows: &[
            ("taskr", "build the Taskfile's `default`"),
            ("taskr -j4 app test", "build two targets, four tasks at once"),
            ("taskr 'test@*'", "all tasks of a target with `foreach` or `matrix`"),
            ("taskr -n app; taskr why app", "what would run; why"),
            ("taskr -D mode=debug app", "set a variable"),
            ("taskr run list", "the target `list`, never the tool"),
            ("taskr tool list", "the tool `list`, never a target"),
        ],
    },
    Section {
        title: "Environment",
        rows: &[
            ("NO_COLOR", "if it is set and not empty: no colours"),
            ("FORCE_COLOR, CLICOLOR_FORCE", "if set, not empty and not 0: colours everywhere"),
            ("TERM", "`dumb`: no colours"),
            ("COLUMNS", "the width of this help"),
            ("PATH", "where programs are looked for"),
            ("TASKR_CACHE", "`off` or `local`: whether the store is used; --cache wins"),
            ("TASKR_CACHE_DIR", "where the store is; usually taskr in XDG_CACHE_HOME or ~/.cache"),
            ("TASKR_CACHE_SIZE", "how large it may get, as in 20G"),
        ],
    },
    Section {
        title: "Files",
        rows: &[
            ("Taskfile.toml", "what to build; looked for here and above"),
            (".taskr/", "beside the Taskfile: records, logs, results; may be removed"),
            ("~/.cache/taskr/", "the store: results of all your checkouts; may be removed"),
            ("~/.config/taskr/config.toml", "your settings: where the store is, its size"),
            (".taskr/replaced/", "your files that stood where outputs go, for seven days"),
        ],
    },
    Section {
        title: "Exit codes",
        rows: &[
            ("0", "all done"),
            ("1", "a task failed, or what was asked for cannot be written"),
            ("2", "the command line or the Taskfile is wrong, or an input is not there"),
            ("3", "inputs kept changing while their task ran, or changed after it had read them"),
            ("75", "another taskr works here (with --no-wait)"),
            ("128+n", "ended by signal n"),
        ],
    },
];

/// What each tool does, as they stand in lists: a help asks none of them for it.
const OF_TOOLS: [(&str, &str); 24] = [
    ("init", "Write a first Taskfile, for what is in the folder"),
    ("list", "List the targets"),
    ("show", "Show what a target came to, and from which line each value is"),
    ("vars", "Show the value of each variable, and where it is from"),
    ("graph", "Draw which target waits for which"),
    ("why", "Say why a task would run or last ran, down to the first cause"),
    ("log", "Show what a task wrote when it last ran"),
    ("check", "Check the Taskfile without running anything"),
    ("fmt", "Lay out the Taskfile in the one usual way"),
    ("watch", "Build, and build again whenever something changes that was read"),
    ("clean", "Remove what taskr made, where it is still as taskr left it"),
    ("status", "Show how far a build is that runs now, in another terminal"),
    ("history", "Show the last runs, the newest first"),
    ("timeline", "Draw what ran when in a run that is over"),
    ("compare", "Show two runs side by side: what became slower, what ended otherwise"),
    ("stats", "Show how much time was saved and spent, here and by the store"),
    ("cache", "Look at the store, keep it in order, carry results elsewhere"),
    ("flaky", "Show tasks that did not do the same under the same key"),
    ("verify", "Build again in scratch, several times, and compare every byte"),
    ("hook", "Run targets in git's hooks, as [hooks] of the Taskfile says"),
    ("merge", "Merge files of lines, or folders: what all have, what enough have, or everything"),
    ("schema", "Print the JSON schema of a Taskfile, for editors"),
    ("completions", "Print a script that completes taskr's options, tools and targets"),
    ("man", "Print the manual page (roff)"),
];

/// Where the guide is.
pub(super) const GUIDE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/tree/main/docs");

/// All tools, as they stand in lists.
pub(super) fn tools() -> [Command; 24] {
    [
        args::Init::command(),
        args::List::command(),
        args::Show::command(),
        args::Vars::command(),
        args::Graph::command(),
        args::Why::command(),
        args::Log::command(),
        args::Check::command(),
        args::Fmt::command(),
        args::Watch::command(),
        args::Clean::command(),
        args::Status::command(),
        args::History::command(),
        args::Timeline::command(),
        args::Compare::command(),
        args::Stats::command(),
        args::Cache::command(),
        args::Flaky::command(),
        args::Verify::command(),
        args::Hook::command(),
        args::Merge::command(),
        args::Schema::command(),
        args::Completions::command(),
        args::Man::command(),
    ]
}

/// The whole command line: a build's options, and the tools as subcommands.
pub fn command() -> Command {
    args::Build::command().disable_help_subcommand(true).subcommands(tools())
}

/// A command with what its help says below the options.
pub(super) fn with_more(command: Command) -> Command {
    if command.get_name() != "taskr" {
        return command;
    }
    command.after_help(short()).after_long_help(long())
}

fn short() -> String {
    let names = OF_TOOLS.map(|(name, _)| name);
    format!("Tools: {}  (taskr TOOL -h)\n`taskr --help` tells all.", names.join(" "))
}

fn long() -> String {
    let mut text =
        "Tools (`taskr TOOL --help` for each; a target of that name comes first):\n".to_owned();
    text += &table(&OF_TOOLS);
    for section in &SECTIONS {
        text += &format!("\n{}:\n{}", section.title, table(section.rows));
    }
    text + &format!("\nGuide: {GUIDE}")
}

fn table(rows: &[(&str, &str)]) -> String {
    let wide = rows.iter().map(|(term, _)| term.len()).max().unwrap_or(0);
    rows.iter().map(|(term, meaning)| format!("  {term:wide$}  {meaning}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_say_the_same_of_themselves() {
        let own = tools().map(|tool| {
            let about = tool.get_about().map(ToString::to_string);
            (tool.get_name().to_owned(), about.unwrap_or_default())
        });
        let told = OF_TOOLS.map(|(name, about)| (name.to_owned(), about.to_owned()));
        assert_eq!(told, own);
    }

    #[test]
    fn the_command_line_is_sound_and_has_all_tools() {
        command().debug_assert();
        let mut names: Vec<String> =
            tools().iter().map(|tool| tool.get_name().to_owned()).collect();
        names.sort();
        assert_eq!(names, crate::cli::TOOLS);
    }
}
