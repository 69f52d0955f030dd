//! Environment files: `NAME=value` lines, as dotenv libraries and docker read them.
//!
//! They differ in what they make of `$`, of a name that stands twice and of quotes within a value.
//! A file that means different things to different programs is refused, with what to write instead:
//! what is read here means the same everywhere.

/// Variables in the order of the file.
pub type Variables = Vec<(String, String)>;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotenvError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// Reads the bytes of an environment file. Lines are empty, comments behind `#`, or
/// `NAME=value` with `export` before it or not. A value is bare (to the end of the line, or to a
/// `#` behind a blank), or in single quotes (as it is) or double ones (with `\n`, `\t`, `\r`,
/// `\"`, `\$` and `\\`); quoted ones may have several lines.
///
/// # Errors
/// The first thing that is none of this.
pub fn parse(bytes: &[u8]) -> Result<Variables, DotenvError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        wrong(line, "this is not UTF-8", "save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, line: 1 };
    let mut variables: Variables = Vec::new();
    while let Some((name, value)) = reader.next_variable()? {
        if variables.iter().any(|(known, _)| *known == name) {
            let message = format!("`{name}` stands here a second time");
            return Err(wrong(reader.line, message, "remove one: which one counts differs"));
        }
        variables.push((name, value));
        reader.end_of_line()?;
    }
    Ok(variables)
}

fn wrong(line: usize, message: impl Into<String>, help: impl Into<String>) -> DotenvError {
    DotenvError { line, message: message.into(), help: help.into() }
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl Reader<'_> {
    fn wrong(&self, message: impl Into<String>, help: impl Into<String>) -> DotenvError {
        wrong(self.line, message, help)
    }

    /// Takes so many bytes.
    fn take(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count();
        self.rest = &self.rest[bytes..];
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// The next name and its value; the line is not over then.
    fn next_variable(&mut self) -> Result<Option<(String, String)>, DotenvError> {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.take(blanks);
            match self.rest.chars().next() {
                None => return Ok(None),
                Some('#') => self.take(self.rest.find('\n').unwrap_or(self.rest.len())),
                Some(_) => break,
            }
        }
        if let Some(rest) = self.rest.strip_prefix("export")
            && rest.starts_with([' ', '\t'])
        {
            self.rest = rest;
            self.skip_blanks();
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let name = self.rest[..length].to_owned();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let line = self.rest.lines().next().unwrap_or_default();
            let start: String = line.chars().take(30).collect();
            return Err(self.wrong(
                format!("a line begins with a name, and `{start}` does not"),
                "write NAME=value; names hold letters, digits and `_`; comments begin with `#`",
            ));
        }
        self.take(length);
        if !self.rest.starts_with('=') {
            return Err(self.wrong(
                format!("there is no `=` behind `{name}`"),
                format!("write {name}=value, without blanks around the `=`"),
            ));
        }
        self.take(1);
        let value = match self.rest.chars().next() {
            Some('\'') => self.quoted('\'', &name)?,
            Some('"') => self.quoted('"', &name)?,
            _ => self.bare(&name)?,
        };
        match value.contains('\0') {
            true => Err(self.wrong(
                format!("the value of `{name}` has a NUL byte"),
                "no variable can hold one",
            )),
            false => Ok(Some((name, value))),
        }
    }

    fn bare(&mut self, name: &str) -> Result<String, DotenvError> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let end = [" #", "\t#"].iter().filter_map(|mark| line.find(mark)).min();
        let value = line[..end.unwrap_or(line.len())].trim_end_matches([' ', '\t']);
        if value.starts_with([' ', '\t']) {
            return Err(self.wrong(
                format!("there is a blank behind `{name}=`"),
                "remove it, or quote the value",
            ));
        }
        if let Some(odd) = value.chars().find(|c| "'\"`$\\".contains(*c)) {
            return Err(self.wrong(
                format!(
                    "`{odd}` in the value of `{name}` means one thing to some and another to others"
                ),
                "put the whole value in single quotes: there it stands for itself",
            ));
        }
        let value = value.to_owned();
        self.take(value.len());
        Ok(value)
    }

    fn quoted(&mut self, quote: char, name: &str) -> Result<String, DotenvError> {
        let begun = self.line;
        let mut value = String::new();
        let text = self.rest;
        let mut chars = text.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.take(at + 1);
                    return Ok(value.replace("\r\n", "\n"));
                }
                '\\' if quote == '"' => match chars.next().map(|(_, c)| c) {
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some('r') => value.push('\r'),
                    Some(c @ ('"' | '$' | '\\')) => value.push(c),
                    Some(c) => {
                        self.take(at);
                        return Err(self.wrong(
                            format!("`\\{c}` in the value of `{name}` means nothing"),
                            "write `\\\\` for a backslash, or take single quotes",
                        ));
                    }
                    None => break,
                },
                '$' | '`' if quote == '"' => {
                    self.take(at);
                    return Err(self.wrong(
                        format!(
                            "`{c}` in the value of `{name}` means one thing to some and another to others"
                        ),
                        "put the value in single quotes: there it stands for itself",
                    ));
                }
                _ => value.push(c),
            }
        }
        Err(wrong(begun, format!("the value of `{name}` has no closing {quote}"), "close it"))
    }

    /// Nothing but a comment stands behind a value.
    fn end_of_line(&mut self) -> Result<(), DotenvError> {
        let had_blank = self.rest.starts_with([' ', '\t']);
        self.skip_blanks();
        let line = self.rest.split('\n').next().unwrap_or_default();
        match line.trim_end_matches('\r') {
            "" => Ok(()),
            comment if had_blank && comment.starts_with('#') => Ok(()),
            _ => Err(self.wrong(
                "something stands behind the closing quote",
                "put the whole value in quotes; a comment has a blank before it",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        parse(text.as_bytes())
            .map(|all| all.iter().map(|(name, value)| format!("{name}={value}")).collect())
            .map_err(|error| format!("{}: {}", error.line, error.message))
    }

    #[test]
    fn what_is_read() {
        for (text, expected) in [
            ("", &[][..]),
            ("\u{feff}A=1\r\nB=2\r\n", &["A=1", "B=2"]),
            ("# c\n\n  A=1 # c\n\texport B=a#b", &["A=1", "B=a#b"]),
            ("A=\nB=''\nC=\"\"", &["A=", "B=", "C="]),
            ("A=a b  c  \nexport=1", &["A=a b  c", "export=1"]),
            ("A='$x `y` \\n \"z\"'", &["A=$x `y` \\n \"z\""]),
            ("A=\"a\\n\\t\\\"\\$\\\\ 'z'\" # c", &["A=a\n\t\"$\\ 'z'"]),
            ("A='a\r\nb'\nB=2", &["A=a\nb", "B=2"]),
            ("URL=postgres://u:p@h:5432/db?x=y&z=%20", &["URL=postgres://u:p@h:5432/db?x=y&z=%20"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|&one| one.to_owned()).collect();
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_refused_and_in_which_line() {
        for (text, expected) in [
            ("A=1\n=2", "2: a line begins with a name"),
            ("1A=1", "1: a line begins with a name"),
            ("\n\nA 1", "3: there is no `=` behind `A`"),
            ("A = 1", "1: there is no `=` behind `A`"),
            ("A= 1", "1: there is a blank behind `A=`"),
            ("A=a$b", "1: `$` in the value of `A`"),
            ("A=\"\n$b\"", "2: `$` in the value of `A`"),
            ("A=it's", "1: `'` in the value of `A`"),
            ("A=C:\\x", "1: `\\` in the value of `A`"),
            ("A=\"\\x\"", "1: `\\x` in the value of `A`"),
            ("A='a'b", "1: something stands behind the closing quote"),
            ("A='a'#b", "1: something stands behind the closing quote"),
            ("A='a\nb", "1: the value of `A` has no closing '"),
            ("A=\"a\\", "1: the value of `A` has no closing \""),
            ("A=1\nB=2\nA=3", "3: `A` stands here a second time"),
            ("A=a\0b", "1: the value of `A` has a NUL byte"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.starts_with(expected), "{text:?}: {said}");
        }
        assert_eq!(parse(b"A=1\nB=\xff").expect_err("no text").line, 2);
    }
}
