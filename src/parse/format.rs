//! The one way in which a Taskfile is laid out: for `taskr fmt`.
//!
//! Only blanks and ends of lines change, and only outside of strings, so that nothing can come to
//! mean something else. Comments, the order of things, quotes and which values take several lines
//! stay as they are.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::document;
use super::lex::{Kind, tokens};
use crate::error::Error;

/// Within brackets that take several lines.
const INDENT: &str = "    ";

/// Comments are put in one column if none of them then ends behind this one.
const WIDEST: usize = 100;

/// The text of a Taskfile, laid out anew.
///
/// # Errors
/// It is no TOML. That it is no right Taskfile does not matter.
pub fn format(name: &str, bytes: &[u8]) -> Result<String, Error> {
    let source = document::source(name, bytes)?;
    document::table(&source)?;
    Ok(laid_out(&lines(&source.text)))
}

/// A line outside of all brackets, or a value's lines as one.
enum Line<'t> {
    Blank,
    Comment(&'t str),
    Header(String, Option<Comment<'t>>),
    Row { key: String, value: String, comment: Option<Comment<'t>> },
}

/// A comment, and the column in which it stood, from 0.
#[derive(Clone, Copy)]
struct Comment<'t> {
    text: &'t str,
    column: usize,
}

/// What a line is made of, without blanks.
#[derive(Clone, Copy)]
enum Part<'t> {
    Token(Kind, &'t str),
    Comment(Comment<'t>),
    Newline,
}

impl<'t> Part<'t> {
    fn text(self) -> &'t str {
        match self {
            Part::Token(_, text) => text,
            Part::Comment(comment) => comment.text,
            Part::Newline => "",
        }
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let (mut parts, mut depth, mut behind) = (Vec::new(), 0_usize, 0);
    for token in tokens(text) {
        parts.extend(comment(text, behind..token.span.start));
        behind = token.span.end;
        match token.kind {
            Kind::Newline if depth == 0 => lines.push(line(std::mem::take(&mut parts))),
            Kind::Newline => parts.push(Part::Newline),
            kind => {
                match kind {
                    Kind::Open(_) => depth += 1,
                    Kind::Close(_) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                parts.push(Part::Token(kind, &text[token.span]));
            }
        }
    }
    parts.extend(comment(text, behind..text.len()));
    lines.push(line(parts));
    lines
}

/// The comment between two tokens, if there is one.
fn comment(text: &str, between: Range<usize>) -> Option<Part<'_>> {
    let at = between.start + text[between.clone()].find('#')?;
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let column = text[line..at].width();
    Some(Part::Comment(Comment { text: text[at..between.end].trim_end(), column }))
}

fn line(mut parts: Vec<Part<'_>>) -> Line<'_> {
    let comment = match parts.last() {
        None => return Line::Blank,
        Some(Part::Comment(comment)) => Some(*comment),
        Some(_) => None,
    };
    if comment.is_some() {
        parts.pop();
    }
    let is_equals = |part: &Part<'_>| matches!(part, Part::Token(Kind::Equals, _));
    let joined = |parts: &[Part<'_>]| parts.iter().map(|part| part.text()).collect::<String>();
    match (&parts[..], comment) {
        ([], Some(comment)) => Line::Comment(comment.text),
        ([Part::Token(Kind::Open(_), _), ..], _) => Line::Header(joined(&parts), comment),
        (parts, _) => {
            let equals = parts.iter().position(is_equals).unwrap_or(parts.len());
            let value = value(parts.get(equals + 1..).unwrap_or_default());
            Line::Row { key: joined(&parts[..equals]), value, comment }
        }
    }
}

/// A value with one blank where one belongs. Where a line ended within brackets one ends again.
fn value(parts: &[Part<'_>]) -> String {
    let (mut text, mut depth, mut ends) = (String::new(), 0_usize, 0);
    let mut last = None;
    for &part in parts {
        if matches!(part, Part::Newline) {
            ends += 1;
            continue;
        }
        let closes = matches!(part, Part::Token(Kind::Close(_), _));
        depth -= usize::from(closes && depth > 0);
        if ends > 0 {
            let opened = matches!(last, Some(Part::Token(Kind::Open(_), _)));
            text += &"\n".repeat(if opened || closes { 1 } else { ends.min(2) });
            text += &INDENT.repeat(depth);
        } else if let Some(last) = last {
            text += between(last, part);
        }
        text += part.text();
        depth += usize::from(matches!(part, Part::Token(Kind::Open(_), _)));
        (last, ends) = (Some(part), 0);
    }
    text
}

/// What stands between two parts of one line.
fn between(last: Part<'_>, next: Part<'_>) -> &'static str {
    use Kind::{Close, Comma, Dot, Open};
    match (last, next) {
        (_, Part::Comment(_)) => "  ",
        (_, Part::Token(Comma | Dot, _)) | (Part::Token(Dot, _), _) => "",
        (Part::Token(Open(_), _), Part::Token(Close(_), _)) => "",
        (Part::Token(Open(b'['), _), _) | (_, Part::Token(Close(b']'), _)) => "",
        _ => " ",
    }
}

fn laid_out(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    let mut open = 0;
    // A blank line is written when something follows it.
    let mut blank = false;
    while let Some(line) = lines.get(open) {
        let rows = match line {
            Line::Blank => {
                blank = true;
                open += 1;
                continue;
            }
            _ => block(&lines[open..]),
        };
        let block = &lines[open..open + rows];
        blank |= is_head(&lines[open..]);
        if blank && !text.is_empty() {
            text.push('\n');
        }
        blank = false;
        put_block(block, &mut text);
        open += rows;
    }
    text
}

/// Whether these lines begin with a header, comments above it included.
fn is_head(lines: &[Line<'_>]) -> bool {
    let first = lines.iter().find(|line| !matches!(line, Line::Comment(_)));
    matches!(first, Some(Line::Header(..)))
}

/// How many lines stand together: a header with the comments above it; or rows, and comments among
/// them, up to a blank line, a header's comments, or behind a value of several lines.
fn block(lines: &[Line<'_>]) -> usize {
    if is_head(lines) {
        return 1 + lines.iter().take_while(|line| matches!(line, Line::Comment(_))).count();
    }
    for (at, line) in lines.iter().enumerate() {
        match line {
            Line::Row { value, .. } if value.contains('\n') => return at + 1,
            Line::Row { .. } => {}
            Line::Comment(_) if !is_head(&lines[at..]) => {}
            _ => return at,
        }
    }
    lines.len()
}

fn put_block(lines: &[Line<'_>], text: &mut String) {
    let keys = lines.iter().map(|line| match line {
        Line::Row { key, .. } => key.width(),
        _ => 0,
    });
    let column = keys.max().unwrap_or(0);
    let rows: Vec<(String, Option<Comment<'_>>)> =
        lines.iter().map(|line| row(line, column)).collect();
    let is_head = lines.iter().any(|line| matches!(line, Line::Header(..)));
    for together in rows.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
        // Behind a header nothing stands below.
        let column = if is_head { None } else { comment_column(together) };
        for (row, comment) in together {
            *text += row;
            if let Some(comment) = comment {
                let fill = column.map_or(2, |column| column - row.width());
                *text += &format!("{}{}", " ".repeat(fill), comment.text);
            }
            text.push('\n');
        }
    }
}

/// Where the comments behind these rows go: where they stood, if that was one column and there is
/// room; else two blanks behind the longest row. None if some would then be too far to the right,
/// or stand behind several lines.
fn comment_column(rows: &[(String, Option<Comment<'_>>)]) -> Option<usize> {
    if rows.iter().any(|(row, _)| row.contains('\n')) {
        return None;
    }
    let least = rows.iter().map(|(row, _)| row.width()).max().unwrap_or(0) + 2;
    let comments = || rows.iter().filter_map(|(_, comment)| *comment);
    let first = comments().next()?.column;
    if first >= least && comments().all(|comment| comment.column == first) {
        return Some(first);
    }
    comments().all(|comment| least + comment.text.width() <= WIDEST).then_some(least)
}

/// A line without the comment behind it, and that comment.
fn row<'t>(line: &Line<'t>, column: usize) -> (String, Option<Comment<'t>>) {
    match line {
        Line::Blank => (String::new(), None),
        Line::Comment(comment) => ((*comment).to_owned(), None),
        Line::Header(header, comment) => (header.clone(), *comment),
        Line::Row { key, value, comment } => {
            let fill = " ".repeat(column.saturating_sub(key.width()));
            (format!("{key}{fill} = {value}"), *comment)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(text: &str) -> String {
        let once = format("Taskfile.toml", text.as_bytes()).expect("TOML");
        let twice = format("Taskfile.toml", once.as_bytes()).expect("TOML");
        assert_eq!(once, twice, "twice changes nothing");
        once
    }

    #[test]
    fn what_stands_together_is_put_in_columns() {
        let text = "\n\n#:schema x.json\ndefault=['a']  \n[ vars ]   # of all\na=1 # one\nlonger   =  2 # two\n\n\n# alone\nb = 3\n# of a\n[target . \"a\"]\nrun='x'\ninputs=[]\n\n\n";
        let expected = "\
#:schema x.json
default = ['a']

[vars]  # of all
a      = 1  # one
longer = 2  # two

# alone
b = 3

# of a
[target.\"a\"]
run    = 'x'
inputs = []
";
        assert_eq!(laid(text), expected);
    }

    #[test]
    fn values_keep_their_lines_and_their_strings() {
        let text = "[target]\nx={run='a  b',vars={},inputs=['*.c' , \"b\"],env.A=1.5,d=1979-05-27 07:32:00}\n[target.long]\ninputs=[ # which\n'a','b', # both\n\n\n  ['c'  ],\n\n]\nrun = '''\n  x   # no comment  \n'''  # end\nexec=[]\n";
        let expected = "\
[target]
x = { run = 'a  b', vars = {}, inputs = ['*.c', \"b\"], env.A = 1.5, d = 1979-05-27 07:32:00 }

[target.long]
inputs = [  # which
    'a', 'b',  # both

    ['c'],
]
run = '''
  x   # no comment  
'''  # end
exec = []
";
        assert_eq!(laid(text), expected);
    }

    #[test]
    fn comments_keep_the_column_that_they_have_together() {
        let text = "a=1       # one\nbcd = 2   # two\n\ne = 3 # x\nfg = 4      # y\n";
        let expected = "\
a   = 1   # one
bcd = 2   # two

e  = 3  # x
fg = 4  # y
";
        assert_eq!(laid(text), expected);
        let long = format!("a = 1  # {0}\nbcd = 2 # two\n", "x".repeat(100));
        assert_eq!(laid(&long), format!("a   = 1  # {0}\nbcd = 2  # two\n", "x".repeat(100)));
    }

    #[test]
    fn a_comment_behind_a_header_follows_it() {
        assert_eq!(
            laid("[target.b]     # c\nrun='true'  # d\n"),
            "[target.b]  # c\nrun = 'true'  # d\n"
        );
    }

    #[test]
    fn what_is_no_toml_stays_alone() {
        assert!(format("Taskfile.toml", b"a = [").is_err());
        assert_eq!(laid(""), "");
        assert_eq!(laid("\r\n# a \r\n"), "# a\n");
        assert_eq!(laid("'ключ'=1\nk=2"), "'ключ' = 1\nk      = 2\n");
    }
}
