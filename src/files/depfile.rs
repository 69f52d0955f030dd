//! Makefile-style depfiles, as compilers write them: which files a command has read.
//!
//! Reads what gcc, clang, rustc and their like write, not what make can run: no variables, no
//! recipes. Targets are read over, for a task knows its own outputs. Where writers are ambiguous
//! the reading is the one that loses no dependency. Paths are given as written; to normalise them
//! is the caller's matter.
//!
//! * A backslash before a newline continues the line.
//! * A backslash before a space, tab or `#` makes it plain, and so before a `:` inside a word.
//!   Before a space, 2N+1 backslashes are N and a space of the name, 2N are 2N and the name's end;
//!   elsewhere they are themselves.
//! * `$$` is `$`.
//! * `#` starts a comment where a word could start; inside a word it is a character (rustc does
//!   not escape it).
//! * Prerequisites start behind the first `:` that ends a word, else behind the first `:`.

use std::fmt;

use indexmap::IndexSet;

/// Why a file is no depfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepfileError {
    /// The line where the rule starts that is none, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: &'static str,
}

impl fmt::Display for DepfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for DepfileError {}

/// The prerequisites of all rules, in their order, each once. An empty file has none.
///
/// # Errors
/// [`DepfileError`] at the first line that is no rule.
pub fn parse(bytes: &[u8]) -> Result<Vec<Vec<u8>>, DepfileError> {
    let mut found: IndexSet<Vec<u8>> = IndexSet::new();
    let mut rest = bytes;
    let mut line = 1;
    while !rest.is_empty() {
        let (rule, end) = logical_line(rest);
        let prerequisites =
            prerequisites(&rule).map_err(|message| DepfileError { line, message })?;
        found.extend(prerequisites);
        line += rest[..end].iter().filter(|&&byte| byte == b'\n').count();
        rest = &rest[end..];
    }
    Ok(found.into_iter().collect())
}

/// The first line, with those that continue it joined by spaces, and its length in the file.
fn logical_line(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut joined: Vec<u8> = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let newline = bytes[start..].iter().position(|&byte| byte == b'\n');
        let end = newline.map_or(bytes.len(), |newline| start + newline);
        let line = &bytes[start..end];
        joined.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        start = (end + 1).min(bytes.len());
        let backslashes = joined.iter().rev().take_while(|&&byte| byte == b'\\').count();
        if newline.is_none() || backslashes % 2 == 0 {
            break;
        }
        joined.pop();
        joined.push(b' ');
    }
    (joined, start)
}

fn prerequisites(rule: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut words = words(rule);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    if rule.contains(&0) {
        return Err("a zero byte, which no path can have");
    }
    if rule.starts_with(b"\t") {
        return Err("a recipe, which a depfile cannot have");
    }
    let last_colon = |word: &Word| word.colons.last().copied();
    let ending = words.iter().position(|word| last_colon(word) == word.text.len().checked_sub(1));
    let Some(separator) = ending.or_else(|| words.iter().position(|w| !w.colons.is_empty())) else {
        return Err("expected `target: files`, found no `:`");
    };
    let colons = &words[separator].colons;
    let colon = if ending.is_some() { colons[colons.len() - 1] } else { colons[0] };
    let behind = words[separator].text.split_off(colon + 1);
    if behind.starts_with(b"=") {
        return Err("an assignment, which a depfile cannot have");
    }
    if separator == 0 && colon == 0 {
        return Err("no target stands before the `:`");
    }
    let behind = Some(behind).filter(|text| !text.is_empty());
    Ok(behind.into_iter().chain(words.drain(separator + 1..).map(|word| word.text)).collect())
}

/// A word of a rule, its escapes removed.
#[derive(Default)]
struct Word {
    text: Vec<u8>,
    /// Where it has a `:` that was not escaped.
    colons: Vec<usize>,
}

/// The words of a line, up to a comment.
fn words(line: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        at += line[at..].iter().take_while(|byte| is_blank(**byte)).count();
        if matches!(line.get(at), None | Some(b'#')) {
            return words;
        }
        let (word, end) = word(line, at);
        words.push(word);
        at = end;
    }
}

/// The word that starts at `at`, and the offset behind it.
fn word(line: &[u8], mut at: usize) -> (Word, usize) {
    let mut word = Word::default();
    while let Some(&byte) = line.get(at) {
        match byte {
            b'\\' => {
                let run = line[at..].iter().take_while(|byte| **byte == b'\\').count();
                at += run;
                let (kept, plain) = unescape(run, &line[at..]);
                word.text.resize(word.text.len() + kept, b'\\');
                word.text.extend(plain);
                at += usize::from(plain.is_some());
                continue;
            }
            b'$' if line.get(at + 1) == Some(&b'$') => at += 1,
            b':' => word.colons.push(word.text.len()),
            _ if is_blank(byte) => break,
            _ => {}
        }
        word.text.push(byte);
        at += 1;
    }
    (word, at)
}

/// What a run of backslashes before `rest` stands for: how many of them, and the character behind
/// them if they make it plain.
fn unescape(run: usize, rest: &[u8]) -> (usize, Option<u8>) {
    match rest {
        [blank, ..] if is_blank(*blank) && run % 2 == 1 => (run / 2, Some(*blank)),
        [b'#', ..] => (run - 1, Some(b'#')),
        [b':', next, ..] if !is_blank(*next) => (run - 1, Some(b':')),
        _ => (run, None),
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use super::*;

    fn read(text: &str) -> Vec<String> {
        let found = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        found.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn reads_a_table() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("\n \t\r\n\n", &[]),
            ("a.o: a.c a.h\n", &["a.c", "a.h"]),
            ("a.o: a.c", &["a.c"]),
            ("a.o : a.c", &["a.c"]),
            ("  a.o: a.c", &["a.c"]),
            ("a.o:", &[]),
            ("a.o:a.c b.h", &["a.c", "b.h"]),
            ("a.o: \\\n  a.c \\\n\ta.h\n", &["a.c", "a.h"]),
            ("a.o: a.c\\\nb.h\n", &["a.c", "b.h"]),
            ("a.o: \\\r\n  a.c \\\r\n  a.h\r\n", &["a.c", "a.h"]),
            ("a.o: a.c \\\n", &["a.c"]),
            ("a.o a.d: a.c", &["a.c"]),
            ("a.o: a.c b.h\nb.o: b.c b.h\n", &["a.c", "b.h", "b.c"]),
            ("a.o: a.c b.h\n\nb.h:\n\nc.h:\n", &["a.c", "b.h"]),
            (r"a.o: sp\ ace.c t\ .h", &["sp ace.c", "t .h"]),
            ("a.o: tab\\\tx.h", &["tab\tx.h"]),
            (r"a.o: ha\#sh.h \#x", &["ha#sh.h", "#x"]),
            (r"a.o: a$$b$$$$ $c $(d)", &["a$b$$", "$c", "$(d)"]),
            (r"a.o: a\b a\\b \\x\y", &[r"a\b", r"a\\b", r"\\x\y"]),
            (r"a.o: a\\\ b c\\ d e\\#f", &[r"a\ b", r"c\\", "d", r"e\#f"]),
            (r"a.o: c\:x \\:y", &["c:x", r"\:y"]),
            ("a:b.o: c:d.h x:", &["c:d.h", "x:"]),
            ("a.o: b.c\na:b.h:\nend::\nx\\:\n", &["b.c"]),
            ("a.o:: b.c", &["b.c"]),
            ("# made by x: y\na.o: a.c # z \\\n still\n#\n", &["a.c"]),
            ("a.o: c#.rs d#\n# env-dep:X=y\n", &["c#.rs", "d#"]),
            ("a.o: é.c [id].h %.h q'uote", &["é.c", "[id].h", "%.h", "q'uote"]),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), *expected, "{text:?}");
        }
        assert_eq!(parse(b"\xFF: \xFE\\ \xFD\n"), Ok(vec![b"\xFE \xFD".to_vec()]));
    }

    #[test]
    fn says_which_line_is_no_rule() {
        let table = [
            ("not a rule", 1),
            ("a.o: a.c\n\nhello\n", 3),
            ("a.o: \\\n a.c \\\n a.h\nhello: x\nno\n", 5),
            ("a.o: a.c\n\tcc -c a.c: x\n", 2),
            ("X := a", 1),
            ("X = a", 1),
            (": a", 1),
            (":a", 1),
            ("a.o: a.c\nb: c\0d\n", 2),
            ("a.o \\\n a.c", 1),
            ("{\"a\": 1}\n[\"b\"]\n", 2),
        ];
        for (text, line) in table {
            let error = parse(text.as_bytes()).expect_err(text);
            assert_eq!(error.line, line, "{text:?}: {error}");
        }
    }

    #[test]
    fn many_lines_are_read_once() {
        let names: Vec<String> = (0..200_000).map(|n| format!("include/{n}.h")).collect();
        let text = format!("a.o: {}\n{}:\n", names.join(" \\\n "), names.join(":\n\n"));
        assert_eq!(read(&text), names);
    }

    #[test]
    fn reads_what_gcc_writes() {
        let names: [&[u8]; 22] = [
            b"plain.h",
            b"sp ace.h",
            b" lead.h",
            b"trail.h ",
            b"ha#sh.h",
            b"#first.h",
            b"dol$lar.h",
            b"$$.h",
            b"tab\tx.h",
            b"back\\slash.h",
            b"two\\\\.h",
            b"b\\ space.h",
            b"b\\\\ space.h",
            b"b\\#hash.h",
            b"b\\$dollar.h",
            b"co:lon.h",
            b"end:",
            b"two\\\\",
            b"[id]*?.h",
            b"q'(;&|.h",
            "é日.h".as_bytes(),
            b"\xFF\xFE.h",
        ];
        let root = tempfile::TempDir::new().unwrap();
        fs::create_dir(root.path().join("d d")).unwrap();
        let mut source = Vec::new();
        let mut expected = vec![b"m $#.c".to_vec()];
        for name in names {
            let path = [b"d d/", name].concat();
            fs::write(root.path().join(OsStr::from_bytes(&path)), "").unwrap();
            source.extend([b"#include \"", &path[..], b"\"\n"].concat());
            expected.push(path);
        }
        fs::write(root.path().join("m $#.c"), source).unwrap();
        let made = Command::new("gcc")
            .args(["-MMD", "-MP", "-MF", "m.d", "-c", "m $#.c", "-o", "m $#.o"])
            .current_dir(root.path())
            .output();
        let Ok(made) = made else {
            eprintln!("skipped: there is no gcc to write depfiles");
            return;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let depfile = fs::read(root.path().join("m.d")).unwrap();
        assert!(depfile.windows(2).any(|pair| pair == b"\\#"), "gcc has escaped");
        assert_eq!(parse(&depfile), Ok(expected), "{}", String::from_utf8_lossy(&depfile));
    }
}
