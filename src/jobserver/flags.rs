//! What `MAKEFLAGS` says of a job server, read and written: text to text.

use std::path::PathBuf;

/// Where the tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    /// Inherited descriptors: to read, to write.
    Pipe(i32, i32),
    /// A pipe with a name (GNU make 4.4).
    Fifo(PathBuf),
}

impl Auth {
    fn parse(text: &str) -> Option<Auth> {
        if let Some(path) = text.strip_prefix("fifo:") {
            return Some(Auth::Fifo(path.into()));
        }
        let (read, write) = text.split_once(',')?;
        Some(Auth::Pipe(read.parse().ok()?, write.parse().ok()?))
    }
}

/// The names of the option; the second is that of make before 4.2.
const OPTIONS: [&str; 2] = ["--jobserver-auth=", "--jobserver-fds="];

/// The job server that a caller's `MAKEFLAGS` offers, and its `-j`, if that is told. Behind `--`
/// stand variables.
pub(super) fn offered(makeflags: &str) -> Option<(Auth, Option<usize>)> {
    let words = || makeflags.split_ascii_whitespace().take_while(|&word| word != "--");
    let auth = words().filter_map(|word| OPTIONS.iter().find_map(|name| word.strip_prefix(name)));
    let jobs = words().filter_map(|word| word.strip_prefix("-j")?.parse().ok());
    Some((Auth::parse(auth.last()?)?, jobs.last().filter(|&jobs| jobs > 0)))
}

/// `others` with this job server instead of its own. Flags that are one word without a dash stay in
/// front, variables behind.
pub(super) fn with(others: &str, jobs: usize, auth: &Auth) -> String {
    let auth = match auth {
        Auth::Pipe(read, write) => format!("{read},{write}"),
        Auth::Fifo(path) => format!("fifo:{}", path.display()),
    };
    let (flags, variables) = parted(others);
    format!("{} -j{jobs} {}{auth}{variables}", without_words(flags), OPTIONS[0])
}

/// `others` without a job server.
pub(super) fn without(others: &str) -> String {
    let (flags, variables) = parted(others);
    format!("{}{variables}", without_words(flags))
}

/// Flags, and ` -- ` with the variables.
fn parted(makeflags: &str) -> (&str, &str) {
    let at = if makeflags.starts_with("-- ") { Some(0) } else { makeflags.find(" -- ") };
    makeflags.split_at(at.unwrap_or(makeflags.len()))
}

fn without_words(flags: &str) -> String {
    let is_own = |word: &&str| {
        let digits = word.strip_prefix("-j");
        let jobs = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        jobs || OPTIONS.iter().any(|name| word.starts_with(name))
    };
    let words: Vec<&str> = flags.split(' ').filter(|word| !is_own(word)).collect();
    words.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_make_offers() {
        let pipe = |jobs| Some((Auth::Pipe(3, 4), jobs));
        for (flags, expected) in [
            (" -j4 --jobserver-auth=3,4", pipe(Some(4))),
            ("kw -j4 --jobserver-auth=3,4 -- CC=gcc", pipe(Some(4))),
            ("w -j --jobserver-fds=3,4", pipe(None)),
            (" -j2 --jobserver-auth=7,8 --jobserver-auth=3,4", pipe(Some(2))),
            (" -j4 --jobserver-auth=-2,-2", Some((Auth::Pipe(-2, -2), Some(4)))),
            (" -j4 --jobserver-auth=fifo:/tmp/f", Some((Auth::Fifo("/tmp/f".into()), Some(4)))),
            (" -j4 --jobserver-auth=x", None),
            ("kw", None),
            ("", None),
            (" -j4 -- A=--jobserver-auth=3,4", None),
            ("w -- --jobserver-auth=3,4", None),
        ] {
            assert_eq!(offered(flags), expected, "{flags}");
        }
    }

    #[test]
    fn what_children_are_told() {
        let pipe = Auth::Pipe(101, 102);
        for (others, expected) in [
            ("", " -j8 --jobserver-auth=101,102"),
            ("k", "k -j8 --jobserver-auth=101,102"),
            (" -j4 --jobserver-auth=3,4", " -j8 --jobserver-auth=101,102"),
            ("kw -j4 --jobserver-fds=3,4 -- A=-j4", "kw -j8 --jobserver-auth=101,102 -- A=-j4"),
            (" -- A=1", " -j8 --jobserver-auth=101,102 -- A=1"),
            (" --no-print-directory", " --no-print-directory -j8 --jobserver-auth=101,102"),
        ] {
            assert_eq!(with(others, 8, &pipe), expected, "{others}");
            assert_eq!(offered(expected), Some((pipe.clone(), Some(8))), "{expected}");
        }
        assert_eq!(without("kw -j4 --jobserver-auth=3,4 -- A=1"), "kw -- A=1");
        let fifo = Auth::Fifo("/tmp/f".into());
        assert_eq!(with("", 2, &fifo), " -j2 --jobserver-auth=fifo:/tmp/f");
    }
}
