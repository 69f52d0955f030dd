//! What exactly changed: the lines of a file, the words of a command.
//!
//! The old text of a file is only known by its digest. A revision of it that git has is shown
//! if it has that digest, and nothing is shown else. git is asked without anything that writes,
//! runs hooks or waits for a person, and for two seconds at most.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use similar::{ChangeTag, TextDiff};
use taskr_cache::Digest;

use crate::files::open_regular;
use crate::git::question;
use crate::outcome::Cause;
use crate::report::one_line;

/// Files beyond this are not compared, in bytes.
const LARGEST: u64 = 256 * 1024;
/// Revisions of a file that are looked at, beside the last one and the index.
const MOST_REVISIONS: &str = "20";
/// All that is read from git for one file, in bytes.
const MOST_READ: u64 = 8 * 1024 * 1024;
/// For all questions to git.
const PATIENCE: Duration = Duration::from_secs(2);
/// Lines that are shown of one change, and columns of each.
const MOST_LINES: usize = 10;
const WIDEST: usize = 160;

/// Finds what changed in the files of one workspace.
pub(super) struct Changed {
    root: PathBuf,
    until: Instant,
    /// Whether it is told of a file that its old text is not known.
    verbose: bool,
}

impl Changed {
    pub(super) fn new(root: &Path, verbose: bool) -> Changed {
        Changed { root: root.to_owned(), until: Instant::now() + PATIENCE, verbose }
    }

    pub(super) fn verbose(&self) -> bool {
        self.verbose
    }

    /// The lines that tell one cause apart from what was before; none if that is not known.
    pub(super) fn lines(&self, cause: &Cause) -> Vec<String> {
        if let Some((was, now)) = &cause.commands {
            return difference(was, now);
        }
        let file = cause.path.as_deref().filter(|_| cause.task.is_none());
        match (file, cause.was) {
            (Some(path), Some(was)) => match self.of_file(path, was, cause.now) {
                Err(why) if self.verbose => vec![format!("(its old text is not known: {why})")],
                lines => lines.unwrap_or_default(),
            },
            _ => Vec::new(),
        }
    }

    /// `now` is what the file held then; none means that it holds it now.
    ///
    /// # Errors
    /// Why no lines can be shown, in words.
    fn of_file(
        &self,
        path: &str,
        was: Digest,
        now: Option<Digest>,
    ) -> Result<Vec<String>, &'static str> {
        let new = self.present(path).ok_or("the file cannot be read now, or is too large")?;
        if now.is_some_and(|now| now != Digest::of(&new)) {
            return Err("the file has changed again since");
        }
        let new = text(new).ok_or("the file is not text")?;
        let old = self.revision(path, &was).ok_or("no commit that git told of has it")?;
        Ok(difference(&text(old).ok_or("it was not text")?, &new))
    }

    /// What a file holds, if it is not too large.
    fn present(&self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        open_regular(&self.root.join(path)).ok()?.take(LARGEST + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LARGEST).then_some(bytes)
    }

    /// The revision of a file that has this digest.
    fn revision(&self, path: &str, digest: &Digest) -> Option<Vec<u8>> {
        if path.contains('\n') || path.len() > 1_000 {
            return None;
        }
        let names = ["HEAD".to_owned(), String::new()];
        let found = |names: &[String]| {
            let asked: String = names.iter().map(|name| format!("{name}:./{path}\n")).collect();
            let blobs = self.git(&["cat-file", "--batch"], &asked)?;
            blobs_of(&blobs)
                .into_iter()
                .find(|blob| Digest::of(blob) == *digest)
                .map(<[u8]>::to_vec)
        };
        found(&names).or_else(|| {
            let list = ["rev-list", "-n", MOST_REVISIONS, "HEAD", "--", path];
            let older = String::from_utf8(self.git(&list, "")?).ok()?;
            found(&older.lines().map(str::to_owned).collect::<Vec<_>>())
        })
    }

    /// What git answers; none if it fails, is not there or takes too long.
    fn git(&self, args: &[&str], input: &str) -> Option<Vec<u8>> {
        if Instant::now() >= self.until {
            return None;
        }
        let mut command = question(&self.root);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
        // A group of its own: what a wrapper of git started ends with it.
        let mut child = command.stderr(Stdio::null()).process_group(0).spawn().ok()?;
        let answer = self.answer(&mut child, input);
        // It is ended in any case: one that has ended already is not harmed.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
        answer
    }

    fn answer(&self, child: &mut Child, input: &str) -> Option<Vec<u8>> {
        // The questions fit into the pipe.
        child.stdin.take()?.write_all(input.as_bytes()).ok()?;
        let out = child.stdout.take()?.take(MOST_READ);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut out, mut bytes) = (out, Vec::new());
            let read = out.read_to_end(&mut bytes);
            let _ = sender.send(read.map(|_| bytes));
        });
        let left = self.until.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).ok()?.ok()
    }
}

/// The blobs in an answer of `git cat-file --batch`; what is missing is left out.
fn blobs_of(mut answer: &[u8]) -> Vec<&[u8]> {
    let mut blobs = Vec::new();
    while let Some(end) = answer.iter().position(|&byte| byte == b'\n') {
        let (line, rest) = (&answer[..end], &answer[end + 1..]);
        answer = rest;
        let words: Vec<&str> = str::from_utf8(line).unwrap_or_default().split(' ').collect();
        let [_, "blob", size] = words[..] else { continue };
        let Some(size) = size.parse::<usize>().ok().filter(|&size| size < rest.len()) else {
            break;
        };
        blobs.push(&rest[..size]);
        answer = &rest[size + 1..];
    }
    blobs
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Changed lines with their number in the new text (old for those that are gone). Of one line
/// that became another, and is long, only the words that differ.
fn difference(old: &str, new: &str) -> Vec<String> {
    let is_line = |text: &str| !text.trim_end().contains('\n');
    if is_line(old) && is_line(new) {
        return words(old, new);
    }
    let diff = TextDiff::from_lines(old, new);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let mut lines: Vec<String> = changes
        .map(|change| {
            let (sign, at) = match change.tag() {
                ChangeTag::Delete => ('-', change.old_index()),
                _ => ('+', change.new_index()),
            };
            let line = cut(change.value().trim_end_matches(['\n', '\r']));
            format!("{:>4} {sign} {line}", at.unwrap_or(0) + 1)
        })
        .collect();
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("     and {more} more changed lines"));
    }
    lines
}

/// A line before and after, and below it a mark under each word that is new.
fn words(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (old.trim_end(), new.trim_end());
    let diff = TextDiff::from_words(old, new);
    let pick = |tag| {
        let changes = diff.iter_all_changes().filter(move |change| change.tag() == tag);
        let words = changes.map(|change| change.value().trim().to_owned());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    if old.chars().count().max(new.chars().count()) > WIDEST {
        let (gone, come) = (pick(ChangeTag::Delete), pick(ChangeTag::Insert));
        return vec![format!("- … {} …", cut(&gone)), format!("+ … {} …", cut(&come))];
    }
    let mut marks = String::new();
    for change in diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Delete) {
        let is_new = change.tag() == ChangeTag::Insert && !change.value().trim().is_empty();
        let mark = if is_new { "^" } else { " " };
        marks.push_str(&mark.repeat(one_line(change.value()).chars().count()));
    }
    let mut lines = vec![format!("- {}", one_line(old)), format!("+ {}", one_line(new))];
    if !marks.trim().is_empty() {
        lines.push(format!("  {}", marks.trim_end()));
    }
    lines
}

/// Safe for a terminal, and not too wide.
fn cut(line: &str) -> String {
    crate::report::cut(&one_line(&line.replace('\t', "    ")), WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        for (old, new, lines) in [
            ("a\nb\nc\n", "a\nB\nc\n", &["   2 - b", "   2 + B"][..]),
            ("a\n\n", "a\n\nb\n", &["   3 + b"]),
            ("cc -O1 a", "cc -O2 a", &["- cc -O1 a", "+ cc -O2 a", "     ^^^"]),
            ("cc -g a", "cc a", &["- cc -g a", "+ cc a"]),
            ("a\nb\n", "a\nb\u{1b}[2J\n", &["   2 - b", "   2 + b\\u{1b}[2J"]),
        ] {
            assert_eq!(difference(old, new), lines, "{old:?} {new:?}");
        }
        let many = difference("a\nb\n", &"x\n".repeat(30));
        assert_eq!(many.len(), MOST_LINES + 1);
        assert_eq!(many[MOST_LINES], "     and 22 more changed lines");
    }

    #[test]
    fn an_answer_of_git_is_taken_apart() {
        let answer = b"aa blob 3\na\nb\nHEAD:./x missing\nbb tree 0\n\ncc blob 0\n\n";
        assert_eq!(blobs_of(answer), [&b"a\nb"[..], b""]);
        assert_eq!(blobs_of(b"aa blob 9\nabc"), Vec::<&[u8]>::new());
    }
}
