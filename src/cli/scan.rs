//! One pass over the arguments, before it is known which parser they are for: where the
//! Taskfile is, and what the first bare word is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The arguments, with `-j` made unambiguous, and what the scan found.
#[derive(Debug)]
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
    about: bool,
}

/// Options whose value is the next argument, if it is not attached.
const WITH_VALUE: [&str; 14] = [
    "-C",
    "-f",
    "-D",
    "--directory",
    "--file",
    "--define",
    "--output",
    "--color",
    "--events",
    "--trace",
    "--jobs",
    "--cache",
    "--since",
    "--profile",
];

/// The option whose values are all words up to the next option.
const WITH_ALL: &str = "--changed";

/// Options whose value is a path, and so any bytes.
const PATHS: [&str; 6] = ["-C", "-f", "--directory", "--file", "--events", "--trace"];

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
            about: false,
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
            scan.about |= matches!(bytes, b"-h" | b"--help" | b"-V" | b"--version");
            let (name, value) = split(arg);
            if name == WITH_ALL && value.is_none() {
                while rest.next_if(|(_, word)| is_bare(word)).is_some() {}
            }
            let value = match value {
                None if WITH_VALUE.iter().any(|option| OsStr::new(option) == name) => {
                    rest.next().map(|(_, value)| value.clone())
                }
                value => value,
            };
            match name.to_str() {
                Some("-C" | "--directory") => {
                    let outer = scan.directory.take().unwrap_or_default();
                    scan.directory = value.map(|inner| Path::new(&outer).join(inner).into());
                }
                Some("-f" | "--file") => scan.file = value,
                Some("--color") => {
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
        self.about && self.word.is_none()
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
            let (name, value) = split(arg);
            if name == WITH_ALL {
                while rest.next_if(|word| is_bare(word)).is_some() {}
            } else if name.to_str().is_some_and(|name| PATHS.contains(&name)) {
                if value.is_none() {
                    rest.next();
                }
            } else if arg.to_str().is_none() {
                return Some(arg);
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
        if arg == "-j" || arg == "--jobs" {
            let value = rest.next_if(|next| is_jobs(next)).unwrap_or_else(|| "auto".into());
            attached.push([OsStr::new("--jobs="), &value].into_iter().collect());
        } else {
            attached.push(arg);
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

/// `--name=value` and `-Cvalue` in two.
fn split(arg: &OsStr) -> (&OsStr, Option<OsString>) {
    let bytes = arg.as_bytes();
    if bytes.starts_with(b"--") {
        return match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (
                OsStr::from_bytes(&bytes[..at]),
                Some(OsString::from_vec(bytes[at + 1..].to_vec())),
            ),
            None => (arg, None),
        };
    }
    let takes_value = matches!(bytes.get(1), Some(b'C' | b'f' | b'D'));
    match takes_value && bytes.len() > 2 {
        true => (OsStr::from_bytes(&bytes[..2]), Some(OsString::from_vec(bytes[2..].to_vec()))),
        false => (arg, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(words: &str) -> Scan {
        let words = words.split(' ').filter(|word| !word.is_empty()).map(OsString::from);
        Scan::of(std::iter::once("taskr".into()).chain(words).collect())
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
            ("", None),
        ] {
            assert_eq!(scan(words).word, word.map(OsString::from), "{words}");
        }
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
