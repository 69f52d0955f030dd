//! `taskr merge`: what several files of lines, or several folders, have together: all of it, what
//! all have, or what enough of them have. In the order in which they are named.
//!
//! A line is one line of a file and counts once for each. In a folder a file counts by its path and
//! what it holds; one path with two contents is a clash, and nothing is written.

mod folders;
mod lines;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::End;
use super::amounts::count;
use super::args::{Merge, MergeWord};
use super::out::print;
use crate::error::Error;
use crate::report::one_line;
use folders::Merged;

pub(super) fn merge(args: &Merge) -> Result<End, Error> {
    let least = least(args)?;
    let folders = args.inputs.iter().filter(|input| input.is_dir()).count();
    match (folders, &args.output) {
        (0, output) => lines::merge(&args.inputs, least, output.as_deref())?,
        (some, _) if some < args.inputs.len() => {
            return Err(usage(
                "files and folders cannot be merged with each other",
                "name files of lines, or folders",
            ));
        }
        (_, None) => {
            return Err(usage(
                "folders are merged into a new folder",
                "name it: `taskr merge … -o FOLDER`",
            ));
        }
        (_, Some(output)) => match folders::merge(&args.inputs, least, output)? {
            Merged::Files(made) => {
                let made = count(made, "file", "files");
                print(format!("{}: {made}\n", shown(output)).as_bytes())?;
            }
            Merged::Clash(what) => {
                let _ = writeln!(std::io::stderr(), "error: {what}");
                return Ok(End::Code(1));
            }
        },
    }
    Ok(End::Code(0))
}

/// In how many of the inputs something must be.
fn least(args: &Merge) -> Result<usize, Error> {
    let all = args.inputs.len();
    let least = match (args.word, args.min.as_deref()) {
        (MergeWord::Union, None) => 1,
        (MergeWord::Intersection, None) => all,
        (MergeWord::Majority, None) => all / 2 + 1,
        (MergeWord::Majority, Some(min)) => part(min, all).ok_or_else(|| {
            usage(
                &format!(
                    "`--min` takes a number from 1, or a part such as 40%, not `{}`",
                    one_line(min)
                ),
                &format!("there are {}", count(all, "input", "inputs")),
            )
        })?,
        (_, Some(_)) => return Err(usage("`--min` is of `taskr merge majority`", "leave it out")),
    };
    match least > all {
        true => Err(usage(
            &format!("of {} there are not {least}", count(all, "input", "inputs")),
            "name more of them, or a smaller `--min`",
        )),
        false => Ok(least),
    }
}

/// `2`, or `40%` of all, rounded up: no fewer than that part.
fn part(text: &str, all: usize) -> Option<usize> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: usize =
                percent.parse().ok().filter(|percent| (1..=100).contains(percent))?;
            Some((all * percent).div_ceil(100))
        }
        None => text.parse().ok().filter(|&least| least > 0),
    }
}

fn usage(message: &str, help: &str) -> Error {
    Error::Usage { message: message.to_owned(), help: Some(help.to_owned()) }
}

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

fn failed(doing: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::Io { doing: doing.to_owned(), path: PathBuf::from(path), cause }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_are_rounded_up() {
        for (text, all, least) in [
            ("2", 5, Some(2)),
            ("40%", 5, Some(2)),
            ("41%", 5, Some(3)),
            ("1%", 5, Some(1)),
            ("100%", 3, Some(3)),
            ("0", 5, None),
            ("0%", 5, None),
            ("101%", 5, None),
            ("x", 5, None),
            ("-1", 5, None),
        ] {
            assert_eq!(part(text, all), least, "{text} of {all}");
        }
    }
}
