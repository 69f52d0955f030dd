//! Makes task output harmless on a terminal: colours pass, every other control is shown.
//!
//! Knows bytes only, as they come: a sequence or character may be cut anywhere between two
//! pieces. Moving the cursor, titles, the clipboard and links are ways to show what is not there
//! or to type for the user, so they stand as `^[` and what follows.

/// A colour sequence longer than this is none.
const COLOUR_BYTES: usize = 32;

/// Ends all colours.
pub(super) const RESET: &[u8] = b"\x1b[0m";

/// The state between two pieces of one text.
#[derive(Default)]
pub struct Clean {
    /// The beginning of something whose end has not come; at most [`COLOUR_BYTES`].
    pending: Vec<u8>,
    coloured: bool,
}

/// What stands at the head of the bytes.
enum Head {
    /// This many bytes can pass.
    Pass(usize),
    /// This many bytes, to be shown so.
    Show(usize, String),
    /// More bytes are needed to tell.
    Cut,
}

impl Clean {
    /// Appends to `out` what of `bytes` can be shown by now.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut input = std::mem::take(&mut self.pending);
        input.extend_from_slice(bytes);
        let mut rest = &input[..];
        while !rest.is_empty() {
            match head(rest) {
                Head::Pass(len) => {
                    if rest[0] == 0x1b {
                        self.coloured = !matches!(&rest[2..len - 1], b"" | b"0");
                    }
                    out.extend_from_slice(&rest[..len]);
                    rest = &rest[len..];
                }
                Head::Show(len, text) => {
                    out.extend_from_slice(text.as_bytes());
                    rest = &rest[len..];
                }
                Head::Cut => {
                    self.pending = rest.to_vec();
                    return;
                }
            }
        }
    }

    /// The output ends: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        for byte in std::mem::take(&mut self.pending) {
            match byte {
                b' '..=b'~' => out.push(byte),
                0..0x80 => out.extend_from_slice(caret(byte).as_bytes()),
                _ => out.extend_from_slice(hex(&[byte]).as_bytes()),
            }
        }
    }

    /// Whether a colour is on; to be followed by [`RESET`]. Says so once.
    pub(super) fn take_coloured(&mut self) -> bool {
        std::mem::take(&mut self.coloured)
    }
}

/// One whole line without its end, made harmless, with colours reset behind it.
pub(super) fn clean_line(line: &[u8]) -> Vec<u8> {
    let mut clean = Clean::default();
    let mut out = Vec::new();
    clean.feed(line.strip_suffix(b"\r").unwrap_or(line), &mut out);
    clean.finish(&mut out);
    if clean.coloured {
        out.extend_from_slice(RESET);
    }
    out
}

/// Looks at the first thing in `bytes`, which are not empty.
fn head(bytes: &[u8]) -> Head {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    match bytes {
        [0x1b, ..] => colour(bytes),
        [b'\r'] => Head::Cut,
        [b'\r', b'\n', ..] => Head::Pass(2),
        [byte, ..] if plain(byte) => {
            Head::Pass(bytes.iter().position(|byte| !plain(byte)).unwrap_or(bytes.len()))
        }
        [byte, ..] if byte.is_ascii() => Head::Show(1, caret(*byte)),
        _ => character(bytes),
    }
}

/// A colour sequence: ESC, `[`, digits and separators, `m`.
fn colour(bytes: &[u8]) -> Head {
    let no = || Head::Show(1, "^[".to_owned());
    let is_parameter = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b':');
    match bytes {
        [_] => Head::Cut,
        [_, b'[', rest @ ..] => {
            let window = &rest[..rest.len().min(COLOUR_BYTES - 3)];
            match window.iter().find(|byte| !is_parameter(byte)) {
                Some(b'm') => {
                    Head::Pass(3 + window.iter().take_while(|byte| is_parameter(byte)).count())
                }
                None if window.len() == rest.len() => Head::Cut,
                _ => no(),
            }
        }
        _ => no(),
    }
}

/// One character beyond ASCII, or bytes that are none.
fn character(bytes: &[u8]) -> Head {
    let window = &bytes[..bytes.len().min(4)];
    let (valid, error) = match std::str::from_utf8(window) {
        Ok(text) => (text, None),
        Err(error) => (window.utf8_chunks().next().map_or("", |c| c.valid()), Some(error)),
    };
    match (valid.chars().next(), error.map(|error| error.error_len())) {
        // The C1 controls: each is ESC and a letter in one character.
        (Some(c), _) if c.is_control() => {
            Head::Show(c.len_utf8(), format!("^[{}", char::from(c as u8 - 0x40)))
        }
        (Some(c), _) => Head::Pass(c.len_utf8()),
        (None, Some(Some(len))) => Head::Show(len, hex(&bytes[..len])),
        (None, _) => Head::Cut,
    }
}

fn caret(byte: u8) -> String {
    format!("^{}", char::from(byte ^ 0x40))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(&[u8], &str)] = &[
        (b"plain\ttext\r\n", "plain\ttext\r\n"),
        ("n\u{e4}ive \u{1f980}".as_bytes(), "n\u{e4}ive \u{1f980}"),
        (b"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        (b"\x1b[38:2::1:2:3mx\x1b[m", "\x1b[38:2::1:2:3mx\x1b[m"),
        (b"\x1b[2J\x1b[H", "^[[2J^[[H"),
        (b"\x1b]0;title\x07", "^[]0;title^G"),
        (b"\x1b]52;c;ZXZpbA==\x1b\\", "^[]52;c;ZXZpbA==^[\\"),
        (b"\x1b[?1049h", "^[[?1049h"),
        (b"over\rwritten", "over^Mwritten"),
        (b"bell\x07 back\x08 nul\x00 del\x7f", "bell^G back^H nul^@ del^?"),
        ("c1 \u{9b}2J \u{9d}0;t\u{9c}".as_bytes(), "c1 ^[[2J ^[]0;t^[\\"),
        (b"raw c1 \x9b2J", "raw c1 \\x9b2J"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\xe2\x82", "\\xe2\\x82"),
        (b"\xe2\x82z", "\\xe2\\x82z"),
        (b"\x1b", "^["),
        (b"\x1b[31", "^[[31"),
        (b"x\r", "x^M"),
        (b"\x1b[1111111111111111111111111111111111m", "^[[1111111111111111111111111111111111m"),
    ];

    fn cleaned<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
        let (mut clean, mut out) = (Clean::default(), Vec::new());
        pieces.for_each(|piece| clean.feed(piece, &mut out));
        clean.finish(&mut out);
        String::from_utf8(out).expect("only text reaches a terminal")
    }

    #[test]
    fn only_colours_pass_however_the_bytes_are_cut() {
        for (input, expected) in TABLE {
            assert_eq!(cleaned([*input].into_iter()), *expected, "{input:?}");
            for size in 1..4 {
                assert_eq!(cleaned(input.chunks(size)), *expected, "{input:?} by {size}");
            }
        }
    }

    #[test]
    fn no_byte_sequence_leaves_a_live_control() {
        for second in 0..=255u8 {
            for first in 0..=255u8 {
                let text = cleaned([&[b'a', first, second, b'b'][..]].into_iter());
                let live = text
                    .replace("\r\n", "")
                    .chars()
                    .any(|c| c.is_control() && c != '\n' && c != '\t');
                assert!(!live, "{first:#x} {second:#x} gave {text:?}");
            }
        }
    }

    #[test]
    fn an_open_colour_is_told_once() {
        let (mut clean, mut out) = (Clean::default(), Vec::new());
        clean.feed(b"\x1b[31mred", &mut out);
        assert!(clean.take_coloured());
        assert!(!clean.take_coloured());
        clean.feed(b"\x1b[31mred\x1b[0m", &mut out);
        assert!(!clean.take_coloured());
        assert_eq!(clean_line(b"\x1b[1mx\r"), b"\x1b[1mx\x1b[0m");
    }
}
