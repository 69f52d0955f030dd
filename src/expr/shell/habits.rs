//! Words of make and of templates that a shell would take for something else. Refuses only what
//! can mean nothing: quoted, in a comment or in a here-document each of them is plain text.

use std::ops::Range;

use super::context::{VALUE, unsafe_values};
use crate::expr::{ExprError, Part, Problem, Template};

/// Keywords that follow `{%` where a statement was meant.
const STATEMENTS: [&str; 9] =
    ["if", "elif", "else", "endif", "for", "endfor", "set", "macro", "block"];

/// A word that may be one, and its bytes in the template's source.
struct Found {
    /// Where it stands in the script that the shell's grammar is asked about.
    at: usize,
    start: usize,
    word: &'static str,
}

/// Words of make, ninja and others that stand alone, and what is written here.
const WORDS: [(&str, &str); 20] = [
    ("$@", "outputs"),
    ("$<", "inputs"),
    ("$^", "inputs"),
    ("$in", "inputs"),
    ("$out", "outputs"),
    ("$inputs", "inputs"),
    ("$outputs", "outputs"),
    ("$item", "item"),
    ("{inputs}", "inputs"),
    ("{outputs}", "outputs"),
    ("$(inputs)", "inputs"),
    ("$(outputs)", "outputs"),
    ("$(item)", "item"),
    ("$(CC)", "CC"),
    ("$(CXX)", "CXX"),
    ("$(CFLAGS)", "CFLAGS"),
    ("$(CXXFLAGS)", "CXXFLAGS"),
    ("$(CPPFLAGS)", "CPPFLAGS"),
    ("$(LDFLAGS)", "LDFLAGS"),
    ("$(LDLIBS)", "LDLIBS"),
];

/// Refuses the first such word of a script. `is_set` says which variables its environment has.
pub(super) fn check(template: &Template, is_set: &dyn Fn(&str) -> bool) -> Result<(), ExprError> {
    if let Some((range, problem)) = beginning(template.source()) {
        return Err(problem.at(range));
    }
    let (script, found) = candidates(template);
    if found.is_empty() {
        return Ok(());
    }
    let quoted: Vec<usize> = unsafe_values(&script).into_iter().map(|(at, _)| at).collect();
    let has_arguments = has_arguments(template.source());
    for Found { at, start, word } in found {
        let is_text = quoted.binary_search(&at).is_ok();
        let has_value = match word {
            "$<" | "$^" | "{%" | "$$" => false,
            "$@" => has_arguments,
            _ if word.starts_with("$(") => has_arguments,
            _ if word.starts_with('{') => template.source().contains("-I"),
            _ => has_arguments || is_set(&word[1..]) || names(template.source(), &word[1..]),
        };
        if !is_text && !has_value {
            return Err(refusal(word).at(start..start + word.len()));
        }
    }
    Ok(())
}

/// How a line of a Makefile or a script of its own begins.
fn beginning(source: &str) -> Option<(Range<usize>, Problem)> {
    let line = source.lines().next().unwrap_or_default();
    if let Some(interpreter) = line.strip_prefix("#!") {
        let name = interpreter.split(['/', ' ']).rfind(|word| !word.is_empty())?;
        if matches!(name, "sh" | "dash" | "ash" | "-eu" | "-e") {
            return None;
        }
        let problem = Problem::new("`run` is for `sh`, for which this line is a comment");
        let code = if matches!(name, "bash" | "zsh" | "ksh") { "-euc" } else { "-c" };
        let help = format!("write shell = [\"{name}\", \"{code}\"], or put the script into a file");
        return Some((0..line.len(), problem.help(help)));
    }
    let rest = line.trim_start();
    let at = line.len() - rest.len();
    let command = rest.strip_prefix(['@', '-'])?;
    if !command.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let word = command.split_whitespace().next().unwrap_or_default();
    let problem = match rest.starts_with('@') {
        true => Problem::new("`@` before a command is of make")
            .help(format!("write `{word}`: a command is shown only where it fails")),
        false => Problem::new("`-` before a command is of make")
            .help(format!("write `{word} … || true`, or allow_failure = true for the target")),
    };
    Some((at..at + 1, problem))
}

/// The script with one byte in place of each word that may be meant.
fn candidates(template: &Template) -> (Vec<u8>, Vec<Found>) {
    let source = template.source();
    let (mut script, mut found) = (Vec::with_capacity(source.len()), Vec::new());
    for part in &template.0.parts {
        let range = match part {
            Part::Text(range) => range.clone(),
            Part::Expr(_) => {
                script.push(b'x');
                continue;
            }
        };
        let mut at = range.start;
        while at < range.end {
            let starts_word = script.last().is_none_or(|byte| b" \t\n;".contains(byte));
            match starts_word.then(|| word_at(source, at, range.end)).flatten() {
                Some(word) => {
                    found.push(Found { at: script.len(), start: at, word });
                    script.push(VALUE);
                    at += word.len();
                }
                None => {
                    script.push(source.as_bytes()[at]);
                    at += 1;
                }
            }
        }
    }
    (script, found)
}

/// The word of another tool at `at`, if it stands alone.
fn word_at(source: &str, at: usize, end: usize) -> Option<&'static str> {
    let rest = source.as_bytes().get(at..end)?;
    let alone = |rest: &[u8]| rest.first().is_none_or(|byte| b" \t\n;".contains(byte));
    for (word, _) in WORDS {
        if rest.strip_prefix(word.as_bytes()).is_some_and(alone) {
            return Some(word);
        }
    }
    if matches!(rest, [b'$', b'$', b'A'..=b'Z', ..]) {
        return Some("$$");
    }
    let inside = rest.strip_prefix(b"{%")?;
    let text = std::str::from_utf8(inside).ok()?.trim_start_matches('-').trim_start();
    let keyword = text.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    (STATEMENTS.contains(&keyword) && text.contains("%}")).then_some("{%")
}

/// Whether `$@` or a variable may hold something: a function has arguments, `set` gives some, and
/// another script sets what it likes.
fn has_arguments(source: &str) -> bool {
    let mut words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    source.split_whitespace().any(|word| word == ".")
        || source.contains("()")
        || source.contains("( )")
        || words.any(|word| matches!(word, "set" | "function" | "eval" | "source"))
}

/// Whether a script has `name` in it other than as `$name`: it may set it.
fn names(source: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    source.match_indices(name).any(|(at, _)| {
        let (before, after) = (&source[..at], &source[at + name.len()..]);
        let is_used = before.ends_with('$') || before.ends_with("${");
        !is_used && !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

fn refusal(word: &str) -> Problem {
    let value = WORDS.iter().find(|(one, _)| *one == word).map_or("", |(_, value)| value);
    let write = format!("write `{{{{ {value} }}}}`");
    match word {
        "$@" => Problem::new("`$@` is empty: a `run` has no arguments")
            .help("what make calls `$@` is `{{ outputs }}`"),
        "$<" => Problem::new("`$<` is a name of make")
            .help("write `{{ inputs }}`, or `{{ item }}` in a target with `foreach`"),
        "$^" => Problem::new("`$^` is a name of make").help(write),
        "$$" => Problem::new("make writes `$$`; for a shell that is the number of its process")
            .help("write one `$`"),
        "{%" => Problem::new("there are no statements, only expressions")
            .help("as in `{{ 'debug' if ci else 'release' }}`"),
        _ if word.starts_with('{') => {
            Problem::new(format!("`{word}` is no expression: they have two braces")).help(write)
        }
        _ if value.starts_with(|first: char| first.is_ascii_uppercase()) => {
            Problem::new(format!("for a shell `{word}` is the output of a program `{value}`"))
                .help(format!("set it below the header [vars], {value} = \"…\", and {write}"))
        }
        _ if word.starts_with("$(") => {
            Problem::new(format!("for a shell `{word}` is the output of a program `{value}`"))
                .help(write)
        }
        _ => Problem::new(format!("the variable `{word}` is not set")).help(write),
    }
}
