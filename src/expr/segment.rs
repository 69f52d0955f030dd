//! Where the expressions of a string begin and end. Knows the strings and braces of an
//! expression, and nothing else of it.

use std::ops::Range;

use super::{ExprError, Problem};

/// A stretch of a template's source, in bytes.
pub(super) enum Segment {
    /// Plain text, never empty.
    Text(Range<usize>),
    /// An expression: with its braces, and what is between them.
    Expr { outer: Range<usize>, inner: Range<usize> },
}

/// Splits a template's source into text and expressions.
pub(super) fn split(source: &str) -> Result<Vec<Segment>, ExprError> {
    let mut segments = Vec::new();
    let mut text = 0;
    let mut at = 0;
    while let Some(open) = opening(source.as_bytes(), at) {
        let inner = open + 2;
        if source[inner..].starts_with('.') {
            at = inner;
            continue;
        }
        let close = closing(source.as_bytes(), inner).map_err(|problem| problem.at(open..inner))?;
        if text < open {
            segments.push(Segment::Text(text..open));
        }
        segments.push(Segment::Expr { outer: open..close + 2, inner: inner..close });
        at = close + 2;
        text = at;
    }
    if text < source.len() {
        segments.push(Segment::Text(text..source.len()));
    }
    Ok(segments)
}

/// Where the next two braces stand. Most strings are too short to prepare a search for.
fn opening(source: &[u8], at: usize) -> Option<usize> {
    source[at..].windows(2).position(|two| two == b"{{").map(|found| at + found)
}

/// Where the `}}` stands that closes the expression that begins at `at`.
fn closing(source: &[u8], mut at: usize) -> Result<usize, Problem> {
    let mut depth = 0_usize;
    while let Some(&byte) = source.get(at) {
        match byte {
            b'"' | b'\'' => at = string_end(source, at).ok_or_else(open_string)?,
            b'}' if depth == 0 && source.get(at + 1) == Some(&b'}') => return Ok(at),
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Err(Problem::new("the expression that begins here is never closed by `}}`")
        .help("`{{ '{{' }}` gives two braces as text"))
}

/// Where the string that begins at `at` ends: its closing quote.
pub(super) fn string_end(source: &[u8], at: usize) -> Option<usize> {
    let quote = source[at];
    let mut end = at + 1;
    while let Some(&byte) = source.get(end) {
        match byte {
            b'\\' => end += 2,
            _ if byte == quote => return Some(end),
            _ => end += 1,
        }
    }
    None
}

fn open_string() -> Problem {
    Problem::new("the expression that begins here has a string that is never closed")
        .help("`{{ '{{' }}` gives two braces as text")
}
