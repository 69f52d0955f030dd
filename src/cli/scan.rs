//! One pass over the arguments, before it is known which parser they are for: where the
//! Taskfile is, and what the first bare word is.
//!
//! Knows which options of builds take a value, and how; options that only a tool has stand behind
//! its name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The arguments, with `-j` made unambiguous, and what the scan found.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// All arguments, the program's name first.
    pub(super) args: Vec<OsString>,
    /// The first bare word.
    pub(super) word: Option<OsString>,
    /// Where it stands in `args`.
    at: usize,
    /// Of `-C`.
    pub(super) directory: Option<OsString>,
    /// Of `-f`.
    pub(super) file: Option<OsString>,
    /// Of `--color`.
    pub(super) color: Option<String>,
    /// Whether `-q` is there.
    pub(super) quiet: bool,
    about: About,
}

/// What is asked about taskr itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    #[default]
    Nothing,
    Version,
    Help,
}

impl About {
    fn by_name(name: &[u8]) -> About {
        match name {
            b"help" => About::Help,
            b"version" => About::Version,
            _ => About::Nothing,
        }
    }

    fn by_letter(letter: u8) -> About {
        match letter {
            b'h' => About::Help,
            b'V' => About::Version,
            _ => About::Nothing,
        }
    }
}

/// How an option takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// `-k=3`, and never the next argument.
    Attached,
    /// The next argument, if it is not attached.
    Next,
    /// All words up to the next option.
    All,
}

/// An option of builds or of every tool: its letter, its name, how it takes a value, and whether
/// that is a path, and so any bytes.
type Known = (Option<u8>, &'static str, Takes, bool);

/// All options that take something, and all letters: where the first bare word is hangs on these
/// alone. A test holds them against what is really parsed.
const KNOWN: [Known; 21] = [
    (Some(b'B'), "force", Takes::Attached, false),
    (Some(b'C'), "directory", Takes::Next, true),
    (Some(b'D'), "define", Takes::Next, false),
    (Some(b'V'), "version", Takes::Nothing, false),
    (Some(b'f'), "file", Takes::Next, true),
    (Some(b'h'), "help", Takes::Nothing, false),
    (Some(b'j'), "jobs", Takes::Next, false),
    (Some(b'k'), "keep-going", Takes::Attached, false),
    (Some(b'l'), "load-average", Takes::Next, false),
    (Some(b'n'), "dry-run", Takes::Nothing, false),
    (Some(b'q'), "quiet", Takes::Nothing, false),
    (Some(b'v'), "verbose", Takes::Nothing, false),
    (None, "cache", Takes::Next, false),
    (None, "changed", Takes::All, true),
    (None, "color", Takes::Next, false),
    (None, "events", Takes::Next, true),
    (None, "output", Takes::Next, false),
    (None, "profile", Takes::Next, false),
    (None, "since", Takes::Next, false),
    (None, "timeout", Takes::Next, false),
    (None, "trace", Takes::Next, true),
];

/// What one argument that is no bare word says.
#[derive(Debug, Default)]
struct Said {
    /// Whether it asks for help or for the version.
    about: About,
    quiet: bool,
    /// The option that takes something, the last of a group of letters, and what is attached to it.
    taker: Option<(&'static Known, Option<OsString>)>,
}

impl Said {
    fn by(arg: &OsStr) -> Said {
        match arg.as_bytes() {
            [b'-', b'-', name @ ..] => Said::by_name(name),
            [b'-', letters @ ..] => Said::by_letters(letters),
            _ => Said::default(),
        }
    }

    fn by_name(word: &[u8]) -> Said {
        let at = word.iter().position(|&byte| byte == b'=');
        let name = &word[..at.unwrap_or(word.len())];
        let value = at.map(|at| OsString::from_vec(word[at + 1..].to_vec()));
        let known = KNOWN.iter().find(|known| known.1.as_bytes() == name);
        Said {
            about: About::by_name(name),
            quiet: name == b"quiet",
            taker: known.filter(|known| known.2 != Takes::Nothing).map(|known| (known, value)),
        }
    }

    /// A group of letters goes on up to the first that takes a value: the rest is that.
    fn by_letters(letters: &[u8]) -> Said {
        let mut said = Said::default();
        for (at, letter) in letters.iter().enumerate() {
            let Some(known) = KNOWN.iter().find(|known| known.0 == Some(*letter)) else { break };
            said.about = said.about.max(About::by_letter(*letter));
            said.quiet |= *letter == b'q';
            let rest = &letters[at + 1..];
            let value = rest.strip_prefix(b"=");
            let takes = match known.2 {
                Takes::Nothing => false,
                Takes::Attached => value.is_some(),
                Takes::Next | Takes::All => true,
            };
            if takes {
                let value = value.or((!rest.is_empty()).then_some(rest));
                said.taker = Some((known, value.map(|value| OsString::from_vec(value.to_vec()))));
                break;
            }
        }
        said
    }
}

impl Scan {
    pub(super) fn of(args: Vec<OsString>) -> Scan {
        let args = with_attached_jobs(args);
        let mut scan = Scan {
            args: Vec::new(),
            word: None,
            at: 0,
            directory: None,
            file: None,
            color: None,
            quiet: false,
            about: About::Nothing,
        };
        let mut rest = args.iter().enumerate().skip(1).peekable();
        while let Some((at, arg)) = rest.next() {
            let bytes = arg.as_bytes();
            if bytes == b"--" {
                break;
            }
            if is_bare(arg) {
                if scan.word.is_none() {
                    (scan.word, scan.at) = (Some(arg.clone()), at);
                }
                continue;
            }
            let said = Said::by(arg);
            scan.about = scan.about.max(said.about);
            scan.quiet |= said.quiet;
            let Some(((_, name, takes, _), attached)) = said.taker else { continue };
            let value = match (takes, attached) {
                (Takes::Next, None) => rest.next().map(|(_, value)| value.clone()),
                (Takes::All, None) => {
                    while rest.next_if(|(_, word)| is_bare(word)).is_some() {}
                    None
                }
                (_, attached) => attached,
            };
            match *name {
                "directory" => {
                    let outer = scan.directory.take().unwrap_or_default();
                    scan.directory = value.map(|inner| Path::new(&outer).join(inner).into());
                }
                "file" => scan.file = value,
                "color" => {
                    scan.color = value.map(|value| value.to_string_lossy().into_owned());
                }
                _ => {}
            }
        }
        scan.args = args;
        scan
    }

    /// Whether only taskr's own help or version is asked for.
    pub(super) fn only_about_taskr(&self) -> bool {
        self.about != About::Nothing && self.word.is_none()
    }

    /// Whether somewhere before `--` help is asked for.
    pub(super) fn asks_for_help(&self) -> bool {
        self.about == About::Help
    }

    /// Whether another bare word stands behind the first.
    pub(super) fn has_next_word(&self) -> bool {
        let mut rest = self.args.clone();
        if self.word.is_some() {
            rest.remove(self.at);
        }
        Scan::of(rest).word.is_some()
    }

    /// Forgets the first bare word; the next one takes its place.
    pub(super) fn drop_word(&mut self) {
        if self.word.is_some() {
            self.args.remove(self.at);
        }
        *self = Scan::of(std::mem::take(&mut self.args));
    }

    /// Forgets the `run` of `taskr run TARGET`.
    pub(super) fn drop_run(&mut self) {
        if self.word.as_deref() == Some(OsStr::new("run")) {
            self.drop_word();
        }
    }

    /// Asks for the whole help of what the arguments mean.
    pub(super) fn ask_for_help(&mut self) {
        self.args.insert(1, "--help".into());
        *self = Scan::of(std::mem::take(&mut self.args));
    }

    /// The first argument that is no text although it should be one: not the value of an option
    /// that takes a path.
    pub(super) fn not_text(&self) -> Option<&OsStr> {
        let mut rest = self.args.iter().skip(1).peekable();
        while let Some(arg) = rest.next() {
            match Said::by(arg).taker {
                Some(((_, _, Takes::All, true), None)) => {
                    while rest.next_if(|word| is_bare(word)).is_some() {}
                }
                Some(((_, _, Takes::Next, true), None)) => {
                    rest.next();
                }
                Some(((_, _, _, true), Some(_))) => {}
                _ if arg.to_str().is_none() => return Some(arg),
                _ => {}
            }
        }
        None
    }

    /// How taskr was called.
    pub(super) fn program(&self) -> &OsStr {
        self.args.first().map_or(OsStr::new("taskr"), |name| name)
    }

    /// What was typed, for whoever has to wait for this taskr.
    pub(super) fn command_line(&self) -> String {
        let rest = self.args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned());
        std::iter::once("taskr".to_owned()).chain(rest).collect::<Vec<_>>().join(" ")
    }
}

/// No option.
fn is_bare(word: &OsStr) -> bool {
    !word.as_bytes().starts_with(b"-") || word == "-"
}

/// `-j` takes the next argument only if that is a number of jobs: `taskr -j build` builds
/// `build`, as make does.
fn with_attached_jobs(args: Vec<OsString>) -> Vec<OsString> {
    let mut attached = Vec::with_capacity(args.len());
    let mut rest = args.into_iter().peekable();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            attached.push(arg);
            attached.extend(rest);
            return attached;
        }
        match Said::by(&arg).taker {
            Some(((_, "jobs", ..), None)) => {
                let value = rest.next_if(|next| is_jobs(next)).unwrap_or_else(|| "auto".into());
                let sign = if arg == "--jobs" { "=" } else { "" };
                attached.push([&arg, OsStr::new(sign), &value].into_iter().collect());
            }
            _ => attached.push(arg),
        }
    }
    attached
}

fn is_jobs(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    // A negative number is a mistake about jobs, no option.
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    word == "auto" || bytes.first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::error::ErrorKind;
    use clap::{Arg, CommandFactory, Parser};

    use super::*;
    use crate::cli::args::Build;

    fn scan(words: &str) -> Scan {
        let words = words.split(' ').filter(|word| !word.is_empty()).map(OsString::from);
        Scan::of(std::iter::once("taskr".into()).chain(words).collect())
    }

    #[test]
    fn quiet_is_found_where_the_parser_finds_it() {
        for (words, quiet) in [
            ("build", false),
            ("-q", true),
            ("build -qj2", true),
            ("-kq", true),
            ("--quiet build", true),
            ("-j2 -C q build", false),
            ("-f q", false),
            ("-fq", false),
            ("-D q=1", false),
            ("build -- -q", false),
        ] {
            assert_eq!(scan(words).quiet, quiet, "{words}");
            let parsed = Build::try_parse_from(scan(words).args).expect("a build");
            assert_eq!(parsed.how.quiet, quiet, "{words}");
        }
    }

    #[test]
    fn the_first_bare_word_is_found_behind_options() {
        for (words, word) in [
            ("build", Some("build")),
            ("-j4 build", Some("build")),
            ("-j 4 build", Some("build")),
            ("-j build", Some("build")),
            ("-C dir -f x.toml list", Some("list")),
            ("--directory=dir list", Some("list")),
            ("-Cdir why app", Some("why")),
            ("-D a=b -k", None),
            ("-- build", None),
            ("--cache off list", Some("list")),
            ("--since main build", Some("build")),
            ("--changed a b -j2 build", Some("build")),
            ("--changed=a build", Some("build")),
            ("--changed a b", None),
            ("-vC sub list", Some("list")),
            ("-vCsub -kf x list", Some("list")),
            ("-kj 4 list", Some("list")),
            ("-kj list", Some("list")),
            ("--timeout 20m list", Some("list")),
            ("-l 3 list", Some("list")),
            ("--load-average 3 list", Some("list")),
            ("", None),
        ] {
            assert_eq!(scan(words).word, word.map(OsString::from), "{words}");
        }
    }

    /// How clap takes what is behind an option.
    fn takes(arg: &Arg) -> Takes {
        let most = arg.get_num_args().map_or(0, |range| range.max_values());
        match (arg.get_action().takes_values(), arg.is_require_equals_set()) {
            (false, _) => Takes::Nothing,
            (true, true) => Takes::Attached,
            (true, false) if most > 1 => Takes::All,
            (true, false) => Takes::Next,
        }
    }

    #[test]
    fn the_options_are_those_that_are_parsed() {
        let mut build = Build::command();
        build.build();
        let mut parsed: Vec<(Option<u8>, String, Takes)> = build
            .get_opts()
            .chain(build.get_arguments().filter(|arg| !arg.get_action().takes_values()))
            .filter_map(|arg| {
                let letter = arg.get_short().map(|letter| u8::try_from(letter).unwrap());
                Some((letter, arg.get_long()?.to_owned(), takes(arg)))
            })
            .filter(|(letter, _, takes)| letter.is_some() || *takes != Takes::Nothing)
            .collect();
        parsed.sort_by_key(|(letter, name, _)| (letter.is_none(), *letter, name.clone()));
        let known =
            KNOWN.iter().map(|(letter, name, takes, _)| (*letter, (*name).to_owned(), *takes));
        assert_eq!(known.collect::<Vec<_>>(), parsed);
    }

    /// Command lines of up to four of these: where clap takes one, the scan found the same in it.
    #[test]
    fn the_scan_finds_what_is_parsed() {
        const WORDS: [&str; 24] = [
            "a",
            "list",
            "4",
            "-",
            "-v",
            "-k",
            "-vC",
            "-kC",
            "-nf",
            "-C",
            "-Cd",
            "-C=d",
            "-vCd",
            "-f",
            "-kf=x",
            "-k=2",
            "-B=a",
            "-j",
            "-vj",
            "-j4",
            "-Dx=f",
            "--file=y",
            "--changed",
            "--timeout",
        ];
        let mut taken = 0;
        for number in 0..WORDS.len().pow(4) {
            let digits = [1, 24, 576, 13824].map(|power| number / power % WORDS.len());
            let line: Vec<&str> = digits.into_iter().map(|digit| WORDS[digit]).collect();
            // Each shorter line is a part of a longer one; a few thousands will do.
            if number % 37 > 0 {
                continue;
            }
            let found = Scan::of(
                std::iter::once("taskr").chain(line.iter().copied()).map(OsString::from).collect(),
            );
            let Ok(parsed) = Build::try_parse_from(&found.args) else { continue };
            taken += 1;
            let folders = parsed.common.directory.iter();
            let folder = folders.fold(None, |outer: Option<PathBuf>, inner| {
                Some(outer.unwrap_or_default().join(inner))
            });
            assert_eq!(found.directory.as_ref().map(PathBuf::from), folder, "{line:?}");
            assert_eq!(found.file.as_ref().map(PathBuf::from), parsed.common.file, "{line:?}");
            assert_eq!(
                found.word.as_ref().and_then(|word| word.to_str()),
                parsed.targets.first().map(String::as_str),
                "{line:?}"
            );
        }
        assert!(taken > 500, "{taken}");
    }

    /// What stands below the options of a help is made only where the scan sees that one is asked for.
    #[test]
    fn whoever_asks_for_help_is_seen() {
        let words =
            ["-h", "--help", "-qh", "-hV", "-V", "--version", "-q", "a", "--", "-Ch", "-C", "-j"];
        for line in (0..words.len().pow(3))
            .map(|number| [1, 12, 144].map(|power| words[number / power % words.len()]))
        {
            let found =
                Scan::of(std::iter::once("taskr").chain(line).map(OsString::from).collect());
            let shown = Build::try_parse_from(&found.args).err().map(|error| error.kind());
            if shown == Some(ErrorKind::DisplayHelp) {
                assert!(found.asks_for_help(), "{line:?}");
            }
        }
        assert!(!scan("-V").asks_for_help() && !scan("-- -h").asks_for_help());
    }

    #[test]
    fn a_dropped_word_makes_way_for_the_next() {
        let mut found = scan("-j2 run list");
        assert!(found.has_next_word() && !scan("run -j2 -- list").has_next_word());
        found.drop_word();
        assert_eq!(found.word, Some("list".into()));
        assert_eq!(found.args, ["taskr", "-j2", "list"]);
        let mut found = scan("-C list list list");
        found.drop_word();
        assert_eq!(found.args, ["taskr", "-C", "list", "list"]);
    }
}
