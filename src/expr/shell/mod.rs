//! Values in the text of a shell: their quoting, where in a text it holds, and texts that need
//! no shell. Knows the grammar of `sh` as far as these three ask; runs nothing.

mod context;
mod habits;
mod pipes;
mod plain;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::{ExprError, Part, Problem, Template};
use context::{Place, VALUE};
pub use plain::{literal_words, plain_words};

/// What stands behind a value in a template.
#[derive(Clone, Copy)]
pub(super) enum Follows {
    End,
    Byte(u8),
    /// Another value, of which nothing is known.
    Value,
}

/// Words that begin a construct of `sh` or `bash` where a command may begin.
const RESERVED: [&str; 19] = [
    "if", "then", "elif", "else", "fi", "do", "done", "case", "esac", "while", "until", "for",
    "in", "function", "select", "time", "coproc", "[[", "]]",
];

/// The text as one word of any POSIX shell, always in single quotes.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Appends words to a shell text, with spaces between, each so that the shell reads it as plain
/// text: quoted, unless the bare word surely means the same at this place.
pub(super) fn push_words(out: &mut String, words: &[String], follows: Follows) {
    for (at, word) in words.iter().enumerate() {
        let last = at + 1 == words.len();
        if at > 0 {
            out.push(' ');
        }
        if is_bare(word, out, if last { follows } else { Follows::Byte(b' ') }) {
            out.push_str(word);
        } else {
            out.push_str(&quote(word));
        }
    }
}

/// Whether `word` needs no quotes behind `before`. What it must not do: take part in an expansion
/// (`$NAME`), in a redirection's number (`2>`), in an assignment (`NAME=`), in a function's
/// definition (`name()`), or become a reserved word.
fn is_bare(word: &str, before: &str, follows: Follows) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:+@%".contains(&byte);
    if word.is_empty() || !word.bytes().all(|b| harmless(b) || (b == b'=' && word.starts_with('-')))
    {
        return false;
    }
    let head = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let anchored = match head.as_bytes() {
        [.., b'\\', b'\n'] => false,
        [.., last] => b" \t\n-./:,+@%=".contains(last),
        [] => true,
    };
    let ends = match follows {
        Follows::End => true,
        Follows::Byte(byte) => b" \t\n-./:,+@%;)&|".contains(&byte),
        Follows::Value => false,
    };
    let joined = [&before[head.len()..], word].concat();
    anchored && ends && !RESERVED.contains(&joined.as_str())
}

/// The first pipe of a script that drops an exit code.
pub(super) fn lossy_pipe(template: &Template) -> Option<Range<usize>> {
    pipes::first_lossy(template)
}

/// Refuses words of other tools that mean nothing to a shell.
pub(super) fn check_habits(
    template: &Template,
    is_set: &dyn Fn(&str) -> bool,
) -> Result<(), ExprError> {
    habits::check(template, is_set)
}

/// Refuses values of a template at places where [`push_words`] could not keep its promise.
pub(super) fn check(template: &Template) -> Result<(), ExprError> {
    if template.as_literal().is_some() {
        return Ok(());
    }
    let mut script = Vec::with_capacity(template.source().len());
    let mut values = Vec::new();
    for part in &template.0.parts {
        match part {
            Part::Text(range) => script.extend(template.source()[range.clone()].bytes()),
            Part::Expr(expr) => {
                values.push((script.len(), expr));
                script.push(VALUE);
            }
        }
    }
    for (at, place) in context::unsafe_values(&script) {
        let found = values.binary_search_by_key(&at, |(at, _)| *at);
        let Ok((_, expr)) = found.map(|index| values[index]) else { continue };
        if !expr.code.raw {
            let around = (at.checked_sub(1).map(|at| script[at]), script.get(at + 1).copied());
            let source = &template.source()[expr.code.range.clone()];
            return Err(refusal(place, source, around).at(expr.outer.clone()));
        }
    }
    Ok(())
}

/// Why a value cannot stand at a place, and what to write there.
fn refusal(place: Place, expression: &str, around: (Option<u8>, Option<u8>)) -> Problem {
    let braces = format!("{{{{ {expression} }}}}");
    let quote = if braces.contains('"') { '\'' } else { '"' };
    let env = format!("set `env = {{ NAME = {quote}{braces}{quote} }}` and write");
    let (whereabouts, help) = match (place, around) {
        (Place::Single, (Some(b'\''), Some(b'\''))) => {
            ("inside single quotes", "leave the quotes out: a value is quoted by itself".to_owned())
        }
        (Place::Double, (Some(b'"'), Some(b'"'))) => {
            ("inside double quotes", "leave the quotes out: a value is quoted by itself".to_owned())
        }
        (Place::Single, _) => ("inside single quotes", format!(r#"{env} `'…'"$NAME"'…'`"#)),
        (Place::Double, _) => ("inside double quotes", format!("{env} `$NAME` there")),
        (Place::Back, _) => (
            "inside backquotes",
            "write `$( … )` in place of the backquotes: in it a value can stand".to_owned(),
        ),
        (Place::Comment, _) => {
            ("in a comment, which a value with a newline would end", "leave it out".to_owned())
        }
        (Place::HereDoc, _) => ("in a here-document", format!("{env} `$NAME` there")),
        (Place::HereWord, _) => {
            ("in the end mark of a here-document", "write the end mark out".to_owned())
        }
        (Place::Arithmetic, _) => ("inside `$(( … ))`", format!("{env} `NAME` there")),
        (Place::Parameter, _) => ("in this part of a `${ … }`", format!(r#"{env} `"$NAME"`"#)),
        (Place::Dollar, _) => ("right behind a `$`", format!(r#"{env} `"$NAME"`"#)),
        (Place::Backslash, _) => {
            ("right behind a backslash, which would undo its quote", format!(r#"{env} `"$NAME"`"#))
        }
        (Place::Unclear, _) => (
            "behind a construct that shells read differently, so that its quotes might not hold",
            format!(r#"{env} `"$NAME"`"#),
        ),
    };
    Problem::new(format!("a value cannot stand {whereabouts}")).help(help)
}
