//! Errors as text for people: what is wrong, the lines it stands in, what to write instead.
//!
//! The only place that knows `annotate-snippets`, whose interface changes about once a year.
//! Text of the user is made harmless for a terminal on the way.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level as Title, Renderer, Snippet, normalize_untrusted_str,
};

use super::{Diagnostic, Error, Level, Place, Source, remedy, said};

/// More than this many diagnostics at once help nobody.
const SHOWN: usize = 10;

/// Lines farther apart than this many bytes are shown as two pieces, so that a large file is
/// never laid out whole.
const ONE_PIECE_BYTES: usize = 64 * 1024;

/// An error as lines of text, without a newline at the end. `width` is the terminal's, in
/// columns; longer source lines are cut around their place. Of a wrong Taskfile the first ten
/// diagnostics are shown, by position.
pub fn render(error: &Error, colour: bool, width: usize) -> String {
    match error {
        Error::Taskfile(diagnostics) => render_diagnostics(diagnostics, colour, width),
        Error::Usage { message, help } => {
            let mut diagnostic = Diagnostic::error(message);
            diagnostic.help.clone_from(help);
            render_one(&diagnostic, colour, width)
        }
        Error::Busy(message) => render_one(&Diagnostic::error(message), colour, width),
        Error::Interrupted(signal) => {
            render_one(&Diagnostic::error(format!("ended by signal {signal}")), colour, width)
        }
        Error::Io { doing, path, cause } => {
            let message = format!("{doing} {}: {}", path.display(), said(cause));
            let help = remedy(cause).map(str::to_owned);
            render_one(&Diagnostic::error(message).help_if(help), colour, width)
        }
        Error::Output { to, cause } => {
            let message = format!("cannot write to {to}: {}", said(cause));
            let help = remedy(cause).map(str::to_owned);
            render_one(&Diagnostic::error(message).help_if(help), colour, width)
        }
    }
}

/// Diagnostics as lines of text, by position, a blank line between two; after ten only their
/// number is told.
pub fn render_diagnostics(diagnostics: &[Diagnostic], colour: bool, width: usize) -> String {
    let mut blocks = blocks(diagnostics, SHOWN, colour, width);
    if diagnostics.len() > SHOWN {
        let more = diagnostics.len() - SHOWN;
        blocks.push(format!("… and {more} more: `taskr check` shows all"));
    }
    blocks.join("\n\n")
}

/// The same of all of them.
pub fn render_all(diagnostics: &[Diagnostic], colour: bool, width: usize) -> String {
    blocks(diagnostics, usize::MAX, colour, width).join("\n\n")
}

fn blocks(diagnostics: &[Diagnostic], most: usize, colour: bool, width: usize) -> Vec<String> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by(|a, b| position(a).cmp(&position(b)));
    sorted.iter().take(most).map(|one| render_one(one, colour, width)).collect()
}

/// Diagnostics without a place come first.
fn position(diagnostic: &Diagnostic) -> Option<(&str, usize)> {
    diagnostic.place.as_ref().map(|place| (place.source.name.as_str(), place.span.start))
}

fn render_one(diagnostic: &Diagnostic, colour: bool, width: usize) -> String {
    let level = match diagnostic.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(harmless(&diagnostic.message)));
    for piece in pieces(diagnostic) {
        group = group.element(piece.snippet());
    }
    let notes = diagnostic.notes.iter().map(|note| (Title::NOTE, note));
    let notes = notes.chain(diagnostic.help.iter().map(|help| (Title::HELP, help)));
    let mut behind = Vec::new();
    for (kind, text) in notes {
        if diagnostic.place.is_some() {
            group = group.element(kind.message(harmless(text)));
        } else {
            behind.push(Group::with_title(kind.secondary_title(harmless(text))));
        }
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(width);
    let mut lines = Vec::new();
    for group in [group].into_iter().chain(behind) {
        lines.extend(renderer.render(&[group]).lines().map(|line| line.trim_end().to_owned()));
    }
    lines.join("\n")
}

/// Some lines of one source and the places in them.
struct Piece<'d> {
    source: &'d Arc<Source>,
    lines: Range<usize>,
    marks: Vec<(AnnotationKind, Range<usize>, &'d str)>,
}

/// The place and the other places, those near each other in one piece.
fn pieces(diagnostic: &Diagnostic) -> Vec<Piece<'_>> {
    let first =
        diagnostic.place.iter().map(|place| (AnnotationKind::Primary, place, &diagnostic.label));
    let also = diagnostic.also.iter().map(|(place, label)| (AnnotationKind::Context, place, label));
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (kind, place, label) in first.chain(also) {
        let lines = lines_around(place);
        let mark = (kind, place.span.clone(), label.as_str());
        match pieces.iter_mut().find(|piece| piece.is_near(place, &lines)) {
            Some(piece) => {
                let (start, end) =
                    (piece.lines.start.min(lines.start), piece.lines.end.max(lines.end));
                piece.lines = start..end;
                piece.marks.push(mark);
            }
            None => pieces.push(Piece { source: &place.source, lines, marks: vec![mark] }),
        }
    }
    pieces
}

/// The bytes of the whole lines that hold a place.
fn lines_around(place: &Place) -> Range<usize> {
    let text = place.source.text.as_bytes();
    let start = text[..place.span.start].iter().rposition(|byte| *byte == b'\n');
    let end = text[place.span.end..].iter().position(|byte| *byte == b'\n');
    start.map_or(0, |at| at + 1)..end.map_or(text.len(), |length| place.span.end + length)
}

impl<'d> Piece<'d> {
    fn is_near(&self, place: &Place, lines: &Range<usize>) -> bool {
        let gap = self.lines.start.max(lines.start).saturating_sub(self.lines.end.min(lines.end));
        Arc::ptr_eq(self.source, &place.source) && gap <= ONE_PIECE_BYTES
    }

    fn snippet(&self) -> Snippet<'d, Annotation<'d>> {
        let start = self.lines.start;
        let text = &self.source.text[self.lines.clone()];
        let marks = self.marks.iter().map(|(kind, span, label)| {
            let annotation = kind.span(span.start - start..span.end - start);
            if label.is_empty() { annotation } else { annotation.label(harmless(label)) }
        });
        let line = Place::new(self.source, start..start).line();
        Snippet::source(same_length(text))
            .line_start(line)
            .path(harmless(&self.source.name))
            .annotations(marks)
    }
}

/// Text without control characters, which could steer a terminal.
fn harmless(text: &str) -> String {
    same_length(&normalize_untrusted_str(text))
}

/// Text without the control characters U+0080 to U+009F, which `annotate-snippets` lets through,
/// each replaced by a character of the same two bytes so that spans stay right.
fn same_length(text: &str) -> String {
    text.chars().map(|c| if ('\u{80}'..'\u{a0}').contains(&c) { '¿' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source { name: "Taskfile.toml".into(), text: text.into() })
    }

    fn shown(diagnostic: Diagnostic) -> String {
        render(&diagnostic.into(), false, 100)
    }

    #[test]
    fn a_diagnostic_with_everything() {
        let source = source("one = 1\ntwo = 2\nthree = 3\n");
        let diagnostic = Diagnostic::error("`two` is wrong")
            .at(Place::new(&source, 8..11), "here")
            .also(Place::new(&source, 0..3), "because of this")
            .note("a note")
            .help("write\n  three");
        let expected = "\
error: `two` is wrong
 --> Taskfile.toml:2:1
  |
1 | one = 1
  | --- because of this
2 | two = 2
  | ^^^ here
  |
  = note: a note
  = help: write
            three";
        assert_eq!(shown(diagnostic), expected);
    }

    #[test]
    fn errors_without_a_place() {
        let usage = Error::Usage { message: "no target `x`".into(), help: Some("try `y`".into()) };
        assert_eq!(render(&usage, false, 80), "error: no target `x`\nhelp: try `y`");
        let io = Error::Io {
            doing: "cannot read".into(),
            path: "Taskfile.toml".into(),
            cause: std::io::Error::from_raw_os_error(13),
        };
        assert_eq!(render(&io, false, 80), "error: cannot read Taskfile.toml: Permission denied");
    }

    #[test]
    fn ten_are_shown_by_position_and_the_rest_counted() {
        let source = source(&"x\n".repeat(20));
        let list = (0..13).rev().map(|n| {
            Diagnostic::warning(format!("number {n:02}"))
                .at(Place::new(&source, n * 2..n * 2 + 1), "")
        });
        let text = render(&Error::Taskfile(list.collect()), false, 80);
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("warning")).collect();
        assert_eq!(heads.len(), 10);
        assert_eq!((heads[0], heads[9]), ("warning: number 00", "warning: number 09"));
        assert!(text.ends_with("\n\n… and 3 more: `taskr check` shows all"), "{text}");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let source = source("key = \"\u{1b}[31m\u{9b}31m\"");
        let diagnostic = Diagnostic::error("bad \u{1b}]0;x\u{7}\u{9b}2J")
            .at(Place::new(&source, 0..3), "\u{1b}c")
            .help("\u{8}");
        let text = shown(diagnostic);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("key = \"␛[31m¿31m\""), "{text}");
    }

    #[test]
    fn colours_only_when_asked() {
        let diagnostic = Diagnostic::error("x");
        assert!(render_one(&diagnostic, true, 80).contains('\u{1b}'));
        assert!(!render_one(&diagnostic, false, 80).contains('\u{1b}'));
    }

    #[test]
    fn places_far_apart_are_two_pieces_with_right_lines() {
        let source = source(&"abcdefg\n".repeat(100_000));
        let diagnostic = Diagnostic::error("twice")
            .at(Place::new(&source, 799_992..799_995), "again")
            .also(Place::new(&source, 8..11), "first");
        let text = shown(diagnostic);
        assert!(text.contains("Taskfile.toml:100000:1"), "{text}");
        assert!(text.contains("Taskfile.toml:2:1"), "{text}");
        assert!(text.lines().count() < 15, "{text}");
    }

    #[test]
    fn a_very_long_line_is_cut() {
        let source =
            source(&format!("a = \"{}\" b \"{}\"", "x".repeat(1_000_000), "y".repeat(1_000_000)));
        let at = 5 + 1_000_000 + 2;
        let text = shown(Diagnostic::error("x").at(Place::new(&source, at..at + 1), "this one"));
        assert!(text.lines().all(|line| line.chars().count() < 140), "{}", text.len());
        assert!(text.contains("this one"));
    }

    #[test]
    fn the_end_of_the_text_has_a_place() {
        let source = source("a = ");
        assert!(
            shown(Diagnostic::error("x").at(Place::new(&source, 4..4), "nothing"))
                .contains("^ nothing")
        );
    }
}
