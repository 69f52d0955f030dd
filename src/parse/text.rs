//! Where a part of a string stands in the file, through the quotes and escapes of TOML.

use std::ops::Range;

use super::Text;
use crate::error::Place;

impl Text {
    /// The place of a part of the template's source. The whole string, where the file does not
    /// hold the text piece by piece (a number that became text).
    pub fn place_of(&self, part: Range<usize>) -> Place {
        place_within(&self.place, part, self.template.source().len())
    }
}

/// The place of a part of the string that stands at `place` and has `length` bytes.
pub fn place_within(place: &Place, part: Range<usize>, length: usize) -> Place {
    match raw_range(place.text(), part, length) {
        Some(inner) => {
            let start = place.span.start;
            Place::new(&place.source, start + inner.start..start + inner.end)
        }
        None => place.clone(),
    }
}

/// The bytes of a raw TOML string that stand for `part` of its value of `length` bytes.
fn raw_range(raw: &str, part: Range<usize>, length: usize) -> Option<Range<usize>> {
    let mut pieces = Pieces::of(raw)?;
    let mut value_at = 0;
    let (mut start, mut end) = (None, None);
    while let Some((piece, value_bytes)) = pieces.next_piece() {
        if start.is_none() && value_at + value_bytes > part.start {
            start = Some(piece.start);
        }
        value_at += value_bytes;
        if end.is_none() && value_at >= part.end {
            end = Some(piece.end);
        }
    }
    if value_at != length {
        return None;
    }
    let start = start.unwrap_or(pieces.end);
    Some(start..if part.is_empty() { start } else { end.unwrap_or(pieces.end) })
}

/// The characters of a raw string's value, each with the bytes that stand for it.
struct Pieces<'r> {
    raw: &'r str,
    at: usize,
    end: usize,
    escapes: bool,
}

impl<'r> Pieces<'r> {
    fn of(raw: &'r str) -> Option<Pieces<'r>> {
        let quote = raw.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let delimiter = String::from(quote).repeat(3);
        let quotes = if raw.len() >= 6 && raw.starts_with(&delimiter) { 3 } else { 1 };
        let first_newline = quotes == 3 && raw[3..].starts_with('\n');
        let at = quotes + usize::from(first_newline);
        let end = raw.len().checked_sub(quotes).filter(|end| *end >= at)?;
        Some(Pieces { raw, at, end, escapes: quote == '"' })
    }

    /// The next character: its raw bytes and how many bytes its value has.
    fn next_piece(&mut self) -> Option<(Range<usize>, usize)> {
        loop {
            let rest = &self.raw[self.at..self.end];
            let first = rest.chars().next()?;
            let start = self.at;
            if first != '\\' || !self.escapes {
                self.at += first.len_utf8();
                return Some((start..self.at, first.len_utf8()));
            }
            let after = &rest[1..];
            if after.starts_with([' ', '\t', '\n']) {
                self.at = self.end - after.trim_start_matches([' ', '\t', '\n']).len();
                continue;
            }
            let digits = match after.chars().next() {
                Some('x') => 2,
                Some('u') => 4,
                Some('U') => 8,
                _ => 0,
            };
            self.at = (start + 2 + digits).min(self.end);
            let code = after.get(1..1 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let value_bytes = code.and_then(char::from_u32).map_or(1, char::len_utf8);
            return Some((start..self.at, value_bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toml::de::DeTable;

    use super::*;
    use crate::error::Source;
    use crate::expr::Template;

    /// The raw text that stands for the first `part` in the value of the string `raw`.
    fn raw_of(raw: &str, part: &str) -> String {
        let source = Arc::new(Source { name: "T".into(), text: format!("a = {raw}\n") });
        let table = DeTable::parse(&source.text).expect("valid").into_inner();
        let (_, value) = table.iter().next().expect("one key");
        let text = Text {
            template: Template::literal(value.get_ref().as_str().expect("a string")),
            place: Place::new(&source, value.span()),
        };
        let at = text.template.source().find(part).expect("part of the value");
        text.place_of(at..at + part.len()).text().to_owned()
    }

    #[test]
    fn parts_through_escapes_and_newlines() {
        let table: &[(&str, &str, &str)] = &[
            (r#""echo {{ x }}""#, "{{ x }}", "{{ x }}"),
            (r"'echo {{ x }}'", "{{ x }}", "{{ x }}"),
            (r#""\t\"é\u00e9\U0001F600\x41 {{ x }} \n""#, "{{ x }}", "{{ x }}"),
            (r#""\t\"{{ x }}""#, "\t\"", r#"\t\""#),
            (r#""a\u00e9b""#, "é", r"\u00e9"),
            (r#""a\x80b""#, "\u{80}b", r"\x80b"),
            (r"'a\nb'", r"\n", r"\n"),
            ("\"\"\"\n\n  {{ x }}\n\"\"\"", "{{ x }}", "{{ x }}"),
            ("\"\"\"\na \\\n   \n  {{ x }} \\\n\"\"\"", "{{ x }}", "{{ x }}"),
            ("\"\"\"\na \\\n   \n  {{ x }} \\\n\"\"\"", "a {{", "a \\\n   \n  {{"),
            ("'''\na \\\n{{ x }}'''", "{{ x }}", "{{ x }}"),
            ("'''{{ x }}'''''", "{{ x }}''", "{{ x }}''"),
            ("\"\"", "", ""),
            ("''''''", "", ""),
        ];
        for (raw, part, expected) in table {
            assert_eq!(raw_of(raw, part), *expected, "{part:?} in {raw}");
        }
    }

    #[test]
    fn every_character_maps_to_what_stands_for_it() {
        let raw = "\"\"\"\n\\u00e9 \\\\ \\\n \n b\\\"\\e\\x41\tü\\U0001F600\\\n\"\"\"";
        let value = "é \\ b\"\u{1b}A\tü😀";
        let mut at = 0;
        for c in value.chars() {
            let part = raw_range(raw, at..at + c.len_utf8(), value.len()).expect("exact");
            let piece = raw[part].to_owned();
            at += c.len_utf8();
            let back = format!("a = \"{piece}\"");
            let back = DeTable::parse(&back).expect("a piece is valid alone").into_inner();
            assert_eq!(
                back.values().next().and_then(|v| v.get_ref().as_str()),
                Some(&*c.to_string())
            );
        }
    }

    #[test]
    fn what_is_no_string_is_shown_whole() {
        let source = Arc::new(Source { name: "T".into(), text: "a = 0xFF".into() });
        let text = Text { template: Template::literal("0xFF"), place: Place::new(&source, 4..8) };
        assert_eq!(text.place_of(1..2).span, 4..8);
    }
}
