//! Bytes to a table of TOML, or to what keeps them from being one.
//!
//! Knows nothing of taskr's keys. Limits are checked before anything is parsed, and the TOML crate
//! counts nesting while it descends, so no input overflows the stack.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use super::duplicate::first_places;
use super::lex::headers;
use super::requires::refused;
use super::syntax;
use crate::error::{Diagnostic, Error, Place, Source, quoted};

/// Larger Taskfiles are refused.
pub const LARGEST_BYTES: usize = 64 << 20;

/// Up to this size all duplicate keys are told, above it the first: the list of errors of a
/// generated file could be larger than the file.
const ALL_DUPLICATES_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The text of a Taskfile: UTF-8 without a byte order mark, lines ended by `\n` alone.
pub(super) fn source(name: &str, bytes: &[u8]) -> Result<Arc<Source>, Error> {
    if bytes.len() > LARGEST_BYTES {
        let message = format!("{name} is larger than 64 MiB, the most that taskr reads");
        let help = "a target with `foreach` or `matrix` says in a few lines what thousands say";
        return Err(Diagnostic::error(message).help(help).into());
    }
    let mark = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let body = &bytes[mark..];
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        let message = format!("{name} is not UTF-8: byte {} is 0x{:02X}", mark + at, body[at]);
        unreadable(name, body, (at, message), "save the file as UTF-8")
    })?;
    if let Some(at) = text.find('\0') {
        let message = format!("{name} has a NUL byte, byte {}", mark + at);
        return Err(unreadable(name, body, (at, message), "remove it; a Taskfile is plain text"));
    }
    let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text.to_owned() };
    Ok(Arc::new(Source { name: name.to_owned(), text }))
}

/// An error at a byte of a text that is shown as far as it can be.
fn unreadable(name: &str, body: &[u8], (at, message): (usize, String), help: &str) -> Error {
    let text = String::from_utf8_lossy(body).into_owned();
    let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
    let source = Arc::new(Source { name: name.to_owned(), text });
    Diagnostic::error(message).at(Place::new(&source, at..end), "").help(help).into()
}

/// The document's table.
pub(super) fn table(source: &Arc<Source>) -> Result<DeTable<'_>, Error> {
    let error = match DeTable::parse(&source.text) {
        Ok(table) => return Ok(table.into_inner()),
        Err(error) => error,
    };
    // A newer taskr may know more of TOML.
    if let Some(refused) = refused(source, DeTable::parse_recoverable(&source.text).0.get_ref()) {
        return Err(refused.into());
    }
    match is_duplicate(&error) {
        true => Err(Error::Taskfile(duplicates(source, error))),
        false => Err(syntax::diagnostic(source, &error).into()),
    }
}

fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message() == "duplicate key" || error.message().starts_with("cannot extend value")
}

/// What is given twice, and the first error of another kind behind it.
fn duplicates(source: &Arc<Source>, first: toml::de::Error) -> Vec<Diagnostic> {
    let errors = if source.text.len() <= ALL_DUPLICATES_BYTES {
        DeTable::parse_recoverable(&source.text).1
    } else {
        vec![first]
    };
    let (again, others): (Vec<_>, Vec<_>) = errors.into_iter().partition(is_duplicate);
    let spans: Vec<_> = again.iter().filter_map(toml::de::Error::span).collect();
    let spans = one_for_each_cause(&source.text, spans);
    let starts: HashSet<usize> = spans.iter().map(|span| span.start).collect();
    let firsts = first_places(&source.text, &starts);
    let twice = spans.into_iter().map(|span| {
        let first = firsts.get(&span.start).map(|first| Place::new(source, first.clone()));
        given_twice(Place::new(source, span), first)
    });
    let other = others.iter().min_by_key(|error| error.span().map(|span| span.start));
    twice.chain(other.map(|error| syntax::diagnostic(source, error))).collect()
}

/// The places without those below a header that stands twice itself: they follow from it.
fn one_for_each_cause(text: &str, spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let headers: Vec<usize> = headers(text).collect();
    let header_of = |span: &Range<usize>| {
        let above = headers.partition_point(|start| *start < span.start);
        above.checked_sub(1).map(|above| headers[above])
    };
    let is_header = |span: &Range<usize>| {
        header_of(span).is_some_and(|start| !text[start..span.start].contains('\n'))
    };
    let again: HashSet<usize> =
        spans.iter().filter(|span| is_header(span)).filter_map(header_of).collect();
    let follows = |span: &Range<usize>| {
        !is_header(span) && header_of(span).is_some_and(|start| again.contains(&start))
    };
    spans.into_iter().filter(|span| !follows(span)).collect()
}

fn given_twice(again: Place, first: Option<Place>) -> Diagnostic {
    let name = quoted(again.text().trim_matches(['"', '\'']));
    let Some(first) = first else {
        return Diagnostic::error(format!("the table of {name} is complete before this line"))
            .at(again, "nothing can be added here")
            .help("put all keys of a table under one header");
    };
    let (message, help) = match (header_around(&first), header_around(&again)) {
        (Some(_), Some(header)) => (
            format!("{} stands twice", quoted(header)),
            "put all of its lines under one of the two, or give one another name",
        ),
        _ => (format!("{name} is given twice"), "keep one of the two"),
    };
    Diagnostic::error(message).at(again, "again here").also(first, "first here").help(help)
}

/// The header that a place lies in.
fn header_around(place: &Place) -> Option<&str> {
    let text = &place.source.text;
    let start = text[..place.span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next()?.trim_start();
    let end = line.rfind(']')?;
    line.starts_with('[').then(|| &line[..=end])
}
