//! The tokens of a TOML text, as far as an error needs them: where strings start, which line is
//! the first header, where a key stood before.
//!
//! Never fails and knows no grammar; the TOML crate has judged the text already. Splits it as
//! that crate's lexer does.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[` or `{`.
    Open(u8),
    /// `]` or `}`.
    Close(u8),
    /// `.`
    Dot,
    /// `=`
    Equals,
    /// `,`
    Comma,
    /// The end of a line.
    Newline,
    /// A string with its quotes, closed or not.
    Quoted,
    /// Any other run of characters.
    Bare,
}

/// A token and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// All tokens of a text but blanks and comments.
pub(super) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text: text.as_bytes(), at: 0 }
}

/// See [`tokens`].
pub(super) struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'#' => self.at = self.next_such(self.at, |byte| byte == b'\n'),
                _ => break,
            }
        }
        let start = self.at;
        let (kind, end) = match self.text[start] {
            open @ (b'[' | b'{') => (Kind::Open(open), start + 1),
            close @ (b']' | b'}') => (Kind::Close(close), start + 1),
            b'.' => (Kind::Dot, start + 1),
            b'=' => (Kind::Equals, start + 1),
            b',' => (Kind::Comma, start + 1),
            b'\n' => (Kind::Newline, start + 1),
            quote @ (b'"' | b'\'') => (Kind::Quoted, self.string_end(start, quote)),
            _ => (Kind::Bare, self.next_such(start, |byte| b".=,[]{} \t#\r\n".contains(&byte))),
        };
        self.at = end;
        Some(Token { kind, span: start..end })
    }
}

impl Tokens<'_> {
    fn next_such(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let found = self.text[from..].iter().position(|byte| wanted(*byte));
        found.map_or(self.text.len(), |at| from + at)
    }

    /// The end of the string that `quote` opens at `start`: behind its closing quotes, at the end
    /// of the line where it has none, at the end of the text where a multi-line one has none.
    fn string_end(&self, start: usize, quote: u8) -> usize {
        let delimiter = [quote; 3];
        let long = self.text[start..].starts_with(&delimiter);
        let mut at = start + if long { 3 } else { 1 };
        while at < self.text.len() {
            let rest = &self.text[at..];
            match rest[0] {
                b'\\' if quote == b'"' => {
                    at += if matches!(rest.get(1), Some(b'\\' | b'"')) { 2 } else { 1 };
                }
                b'\n' if !long => return at,
                byte if byte == quote && !long => return at + 1,
                _ if long && rest.starts_with(&delimiter) => {
                    let more = rest[3..].iter().take(2).take_while(|byte| **byte == quote).count();
                    return at + 3 + more;
                }
                _ => at += 1,
            }
        }
        self.text.len()
    }
}

/// Where the `[table]` headers of a text start.
pub(super) fn headers(text: &str) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    let mut line_start = true;
    tokens(text).filter_map(move |token| {
        let header = line_start && depth == 0 && token.kind == Kind::Open(b'[');
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        line_start = token.kind == Kind::Newline;
        header.then_some(token.span.start)
    })
}

/// The string that holds or ends at the byte `at`.
pub(super) fn string_at(text: &str, at: usize) -> Option<Range<usize>> {
    let near = tokens(text).take_while(|token| token.span.start <= at);
    let strings = near.filter(|token| token.kind == Kind::Quoted && token.span.end >= at);
    strings.last().map(|token| token.span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).map(|token| &text[token.span]).collect()
    }

    #[test]
    fn strings_are_one_token() {
        let table: &[(&str, &[&str])] = &[
            ("a = \"b # c\" # d", &["a", "=", "\"b # c\""]),
            ("a = \"\\\"\" 1", &["a", "=", "\"\\\"\"", "1"]),
            ("a='\\'\n", &["a", "=", "'\\'", "\n"]),
            ("\"\"\"a\n\"b\"\"\"\"\"x", &["\"\"\"a\n\"b\"\"\"\"\"", "x"]),
            ("'''\\''' .", &["'''\\'''", "."]),
            ("\"open\n1", &["\"open", "\n", "1"]),
            ("'''open\n1", &["'''open\n1"]),
            ("\"\"", &["\"\""]),
            ("[[a.b]]{,}", &["[", "[", "a", ".", "b", "]", "]", "{", ",", "}"]),
            ("\"\\", &["\"\\"]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), *expected, "{text}");
        }
    }

    #[test]
    fn a_header_is_no_array_and_no_string() {
        let text = "a = [\n[1],\n]\nb = '''\n[x]'''\n # [y]\n [z]\n[[y.x]]\nc = 1";
        let starts: Vec<&str> = headers(text).map(|at| &text[at..at + 3]).collect();
        assert_eq!(starts, ["[z]", "[[y"]);
        assert_eq!(headers("a = 1\n").next(), None);
    }

    #[test]
    fn the_string_around_a_byte() {
        let text = "a = \"x\ty\"\nb = 'open\n";
        assert_eq!(string_at(text, 6), Some(4..9));
        assert_eq!(string_at(text, 19), Some(14..19));
        assert_eq!(string_at(text, 1), None);
    }
}
