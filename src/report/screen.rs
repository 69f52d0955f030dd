//! A terminal on which lines pass by above a status that is always last.
//!
//! Knows writers and rows, no events. While the status is shown the cursor stands at its first
//! column: whatever the screen is resized to meanwhile, and whatever the terminal echoes there,
//! erasing from the cursor on erases the status and nothing else.

use std::io::{self, Write};

use super::sink::write_all;

/// From the cursor to the end of the screen.
const ERASE: &[u8] = b"\r\x1b[J";

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// Two streams to one terminal.
pub(super) struct Screen<O, E> {
    out: O,
    err: E,
    shown: bool,
    /// The last line has not ended, or its colours have not.
    open: Open,
}

/// What the text so far leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Open {
    line: bool,
    colour: bool,
}

impl<O: Write, E: Write> Screen<O, E> {
    pub(super) fn new(out: O, err: E) -> Self {
        Screen { out, err, shown: false, open: Open::default() }
    }

    /// Whether the status stands on the screen.
    pub(super) fn shows_status(&self) -> bool {
        self.shown
    }

    /// Writes the texts, then the rows below them; none erases the status. Below a line that has
    /// not ended, and while a colour is on, there is no status.
    ///
    /// # Errors
    /// What `out` gives. An `err` that cannot be written to is nobody's to tell.
    pub(super) fn show(&mut self, texts: &[(Stream, Vec<u8>)], rows: &[String]) -> io::Result<()> {
        let mut frame = Vec::new();
        if self.shown && (!texts.is_empty() || rows.is_empty()) {
            frame.extend_from_slice(ERASE);
            self.shown = false;
        }
        for (stream, text) in texts {
            self.open = self.open.after(text);
            match stream {
                Stream::Out => frame.extend_from_slice(text),
                Stream::Err => {
                    write_all(&mut self.out, &frame)?;
                    frame.clear();
                    let _ = write_all(&mut self.err, text);
                }
            }
        }
        if !rows.is_empty() && self.open == Open::default() {
            draw(&mut frame, rows);
            self.shown = true;
        }
        if frame.is_empty() { Ok(()) } else { write_all(&mut self.out, &frame) }
    }
}

/// The rows over what stands there, and the cursor back where it was.
fn draw(frame: &mut Vec<u8>, rows: &[String]) {
    frame.push(b'\r');
    frame.extend_from_slice(rows.join("\x1b[K\r\n").as_bytes());
    frame.extend_from_slice(b"\x1b[J\r");
    if rows.len() > 1 {
        frame.extend_from_slice(format!("\x1b[{}A", rows.len() - 1).as_bytes());
    }
}

impl Open {
    /// What is open behind `text`. The only sequences in it are colours, each in one piece.
    fn after(mut self, text: &[u8]) -> Open {
        let mut rest = text;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            if byte == 0x1b {
                let end = rest.iter().position(|&byte| byte == b'm').unwrap_or(rest.len());
                self.colour = !matches!(&rest[..end], b"[" | b"[0");
                rest = rest.get(end + 1..).unwrap_or_default();
            } else {
                self.line = byte != b'\n';
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn text_never_mixes_with_the_status() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut screen = Screen::new(&mut out, &mut err);
        let text = |text: &str| vec![(Stream::Out, text.as_bytes().to_vec())];
        screen.show(&[], &rows(&["a", "b"])).expect("memory");
        assert!(screen.shows_status());
        screen.show(&text("half"), &rows(&["a"])).expect("memory");
        assert!(!screen.shows_status(), "below half a line");
        screen.show(&text("\n"), &rows(&["a"])).expect("memory");
        assert!(screen.shows_status());
        screen.show(&[(Stream::Err, b"warning\n".to_vec())], &rows(&["a"])).expect("memory");
        screen.show(&[], &[]).expect("memory");
        assert!(!screen.shows_status());
        screen.show(&[], &[]).expect("memory");
        let expected =
            "\ra\x1b[K\r\nb\x1b[J\r\x1b[1A\r\x1b[Jhalf\n\ra\x1b[J\r\r\x1b[J\ra\x1b[J\r\r\x1b[J";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert_eq!(err, b"warning\n");
    }

    #[test]
    fn colours_that_are_on_keep_the_status_away() {
        for (text, line, colour) in [
            ("", false, false),
            ("x", true, false),
            ("x\n", false, false),
            ("\x1b[31mx\n", false, true),
            ("\x1b[31mx\x1b[0m\n", false, false),
            ("\x1b[31mx\n\x1b[m", false, false),
            ("\x1b[1;31mx\x1b[0m", true, false),
        ] {
            assert_eq!(Open::default().after(text.as_bytes()), Open { line, colour }, "{text:?}");
        }
    }
}
