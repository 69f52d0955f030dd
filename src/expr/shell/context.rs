//! Where in a shell text its values stand: as plain parts of words, or at places where quotes
//! around them would not hold.
//!
//! A reader of the grammar of `sh`, one byte after the other with a stack for what nests. It
//! follows quotes, expansions, here-documents, comments and `case`, whose patterns end in a `)`
//! that closes nothing. Where `dash` and `bash` would part ways, it refuses what follows.

/// Stands for a value in the text to be read: a byte that no UTF-8 text has.
pub(super) const VALUE: u8 = 0xFF;

/// A place where a value cannot stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Single,
    Double,
    Back,
    Comment,
    HereDoc,
    HereWord,
    Arithmetic,
    Parameter,
    Dollar,
    Backslash,
    Unclear,
}

/// The values of a script that stand at such a place: byte in the script, and why. In order.
pub(super) fn unsafe_values(script: &[u8]) -> Vec<(usize, Place)> {
    let bottom = vec![Frame::Code(Code::new())];
    let mut reader = Reader { text: script, at: 0, stack: bottom, found: Vec::new(), lost: false };
    while reader.at < script.len() {
        match reader.stack.last() {
            Some(Frame::Double) => reader.double(),
            Some(Frame::Parameter(inside)) => reader.parameter(*inside),
            Some(Frame::Arithmetic(depth)) => reader.arithmetic(*depth),
            Some(Frame::Code(_)) | None => reader.code(),
        }
    }
    reader.found
}

enum Frame {
    Code(Code),
    Double,
    Parameter(Parameter),
    /// `$(( … ))`, and how many parentheses are open in it.
    Arithmetic(usize),
}

/// Commands: the script, `$( … )`, `( … )`.
struct Code {
    cases: Vec<Case>,
    /// Whether the next word may be a reserved one.
    command: bool,
    /// The word that is being read. Of what is quoted or expanded only the first byte is here,
    /// which no reserved word has.
    word: Option<Vec<u8>>,
    /// Here-documents whose bodies begin at the next newline.
    docs: Vec<Doc>,
}

/// How far a `case` is read.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    Subject,
    In,
    Pattern,
    Body,
}

struct Doc {
    end_mark: Vec<u8>,
    /// `<<-`: tabs before a line do not count.
    tabs: bool,
    /// The end mark was quoted: a backslash does not join lines.
    quoted: bool,
}

/// The inside of `${ … }`.
#[derive(Clone, Copy)]
struct Parameter {
    /// What a value here is refused for, if it is.
    refused: Option<Place>,
    /// Single quotes are plain characters.
    plain_quotes: bool,
}

impl Code {
    fn new() -> Code {
        Code { cases: Vec::new(), command: true, word: None, docs: Vec::new() }
    }

    /// Ends the word that is being read.
    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        let word = &word[..];
        match self.cases.last_mut() {
            Some(case @ Case::Subject) => *case = Case::In,
            Some(case @ Case::In) if word == b"in" => *case = Case::Pattern,
            Some(Case::Pattern) if word == b"esac" => self.end_case(),
            Some(Case::In | Case::Pattern) => {}
            Some(Case::Body) | None if self.command => self.command_word(word),
            Some(Case::Body) | None => {}
        }
    }

    /// A word where a command may begin.
    fn command_word(&mut self, word: &[u8]) {
        match word {
            b"case" => {
                self.cases.push(Case::Subject);
                self.command = false;
            }
            b"esac" => self.end_case(),
            b"if" | b"then" | b"elif" | b"else" | b"do" | b"while" | b"until" | b"{" | b"!"
            | b"time" => {}
            _ => self.command = false,
        }
    }

    fn end_case(&mut self) {
        self.cases.pop();
        self.command = false;
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Never empty; the script itself is at the bottom.
    stack: Vec<Frame>,
    found: Vec<(usize, Place)>,
    /// Set when it is no longer sure what is quoted.
    lost: bool,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// Steps over a value that cannot stand where it is.
    fn refuse(&mut self, place: Place) {
        self.found.push((self.at, place));
        self.at += 1;
    }

    /// Steps over a value that can stand where it is, as long as that is known.
    fn allow(&mut self) {
        if self.lost {
            self.refuse(Place::Unclear);
        } else {
            self.at += 1;
        }
    }

    /// Steps over a backslash and what it quotes, but for a value.
    fn escape(&mut self) {
        self.at += if self.peek(1) == Some(VALUE) { 1 } else { 2 };
    }

    fn commands(&mut self) -> Option<&mut Code> {
        match self.stack.last_mut() {
            Some(Frame::Code(code)) => Some(code),
            _ => None,
        }
    }

    /// Ends a word; a command may begin behind it if `command` says so.
    fn end_word(&mut self, command: bool) {
        if let Some(code) = self.commands() {
            code.end_word();
            code.command |= command;
        }
    }

    fn case(&mut self) -> Option<&mut Case> {
        self.commands()?.cases.last_mut()
    }

    fn code(&mut self) {
        match self.text[self.at] {
            b' ' | b'\t' => {
                self.end_word(false);
                self.at += 1;
            }
            b'\n' => self.newline(),
            b';' | b'&' | b'|' => self.operator(),
            b'(' => self.open(),
            b')' => self.close(),
            b'<' | b'>' => self.redirection(),
            b'\\' if self.peek(1) == Some(b'\n') => self.at += 2,
            byte => self.word_byte(byte),
        }
    }

    /// A byte that begins or continues a word, or begins a comment.
    fn word_byte(&mut self, byte: u8) {
        let Some(code) = self.commands() else { return };
        if byte == b'#' && code.word.is_none() {
            self.comment();
        } else {
            code.word.get_or_insert_default().push(byte);
            self.word_part(byte);
        }
    }

    /// A byte of a word of commands.
    fn word_part(&mut self, byte: u8) {
        match byte {
            b'\\' if self.peek(1) == Some(VALUE) => {
                self.at += 1;
                self.refuse(Place::Backslash);
            }
            b'\\' => self.escape(),
            b'\'' => self.single(),
            b'"' => self.push(Frame::Double, 1),
            b'`' => self.back(),
            b'$' => self.dollar(),
            VALUE => self.allow(),
            _ => self.at += 1,
        }
    }

    fn push(&mut self, frame: Frame, bytes: usize) {
        self.stack.push(frame);
        self.at += bytes;
    }

    fn pop(&mut self, bytes: usize) {
        self.stack.pop();
        self.at += bytes;
    }

    fn double(&mut self) {
        match self.text[self.at] {
            b'\\' => self.escape(),
            b'"' => self.pop(1),
            b'`' => self.back(),
            b'$' => self.dollar(),
            VALUE => self.refuse(Place::Double),
            _ => self.at += 1,
        }
    }

    fn parameter(&mut self, inside: Parameter) {
        match (self.text[self.at], inside.refused) {
            (b'\\', None) if self.peek(1) == Some(VALUE) => {
                self.at += 1;
                self.refuse(Place::Backslash);
            }
            (b'\\', _) => self.escape(),
            (b'}', _) => self.pop(1),
            (b'\'', _) if !inside.plain_quotes => self.single(),
            (b'"', _) => self.push(Frame::Double, 1),
            (b'`', _) => self.back(),
            (b'$', _) => self.dollar(),
            (VALUE, Some(place)) => self.refuse(place),
            (VALUE, None) => self.allow(),
            _ => self.at += 1,
        }
    }

    fn arithmetic(&mut self, depth: usize) {
        match self.text[self.at] {
            b'\\' => self.escape(),
            b'(' => self.nest(depth + 1),
            b')' if depth > 0 => self.nest(depth - 1),
            b')' if self.peek(1) == Some(b')') => self.pop(2),
            // It was `$( (…) … )` to some shells.
            b')' => {
                self.lost = true;
                self.pop(1);
            }
            b'`' => self.back(),
            b'$' => self.dollar(),
            VALUE => self.refuse(Place::Arithmetic),
            _ => self.at += 1,
        }
    }

    fn nest(&mut self, depth: usize) {
        self.pop(1);
        self.stack.push(Frame::Arithmetic(depth));
    }

    /// `'…'`, from its first quote on.
    fn single(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                VALUE => self.refuse(Place::Single),
                _ => self.at += 1,
            }
            if byte == b'\'' {
                return;
            }
        }
    }

    /// Backquotes end at the next one that no backslash stands before, whatever is between.
    fn back(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                VALUE => self.refuse(Place::Back),
                b'\\' => self.escape(),
                _ => self.at += 1,
            }
            if byte == b'`' {
                return;
            }
        }
    }

    /// What a `$` begins, in commands and in double quotes.
    fn dollar(&mut self) {
        self.at += 1;
        while self.text[self.at..].starts_with(b"\\\n") {
            self.at += 2;
        }
        let commands = self.commands().is_some();
        match (self.peek(0), self.peek(1)) {
            (Some(b'('), Some(b'(')) => self.push(Frame::Arithmetic(0), 2),
            (Some(b'('), _) => self.push(Frame::Code(Code::new()), 1),
            (Some(b'{'), _) => self.open_parameter(),
            (Some(b'\''), _) if commands => self.dollar_single(),
            (Some(b'$'), _) => self.at += 1,
            (Some(VALUE), _) if commands => self.refuse(Place::Dollar),
            _ => {}
        }
    }

    /// `$'…\'…'` is one quote to `bash` and the end of one to `dash`.
    fn dollar_single(&mut self) {
        let start = self.at;
        self.single();
        self.lost |= self.text[start..self.at].ends_with(b"\\'");
    }

    fn open_parameter(&mut self) {
        let inherited = match self.stack.last() {
            Some(Frame::Double) => Some(Place::Double),
            Some(Frame::Arithmetic(_)) => Some(Place::Arithmetic),
            Some(Frame::Parameter(outer)) => outer.refused,
            Some(Frame::Code(_)) | None => None,
        };
        self.at += 1;
        let name = self.text[self.at..].iter().take_while(|b| is_name(**b)).count();
        self.at += match (name, self.peek(0), self.peek(1)) {
            (0, Some(b'@' | b'*' | b'?' | b'$' | b'-'), _) => 1,
            // `${#x}` is a length, `${#-x}` the number of arguments or `x`.
            (0, Some(b'#' | b'!'), Some(next)) if !is_name(next) => 1,
            _ => name,
        };
        let colon = self.peek(0) == Some(b':');
        let operator = self.peek(usize::from(colon));
        let pattern = !colon && name > 0 && matches!(operator, Some(b'#' | b'%' | b'/'));
        let word = matches!(operator, Some(b'-' | b'=' | b'?' | b'+'))
            || (pattern && operator != Some(b'/'));
        let refused = inherited.or((!word).then_some(Place::Parameter));
        let plain_quotes = inherited.is_some() && !pattern;
        self.stack.push(Frame::Parameter(Parameter { refused, plain_quotes }));
    }

    fn comment(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => return,
                VALUE => self.refuse(Place::Comment),
                _ => self.at += 1,
            }
        }
    }

    fn operator(&mut self) {
        self.end_word(true);
        let next = self.peek(1);
        if self.text[self.at] == b';' && matches!(next, Some(b';' | b'&')) {
            if let Some(case @ Case::Body) = self.case() {
                *case = Case::Pattern;
            }
            self.at += 1;
        }
        self.at += 1;
    }

    fn open(&mut self) {
        self.end_word(true);
        if self.case() == Some(&mut Case::Pattern) {
            self.at += 1;
        } else {
            self.push(Frame::Code(Code::new()), 1);
        }
    }

    fn close(&mut self) {
        self.end_word(false);
        if let Some(case @ Case::Pattern) = self.case() {
            *case = Case::Body;
            self.end_word(true);
            self.at += 1;
        } else if self.stack.len() > 1 {
            // A here-document without its body: shells differ in where they look for it.
            self.lost |= self.commands().is_some_and(|code| !code.docs.is_empty());
            self.pop(1);
        } else {
            self.at += 1;
        }
    }

    fn redirection(&mut self) {
        self.end_word(false);
        let rest = &self.text[self.at..];
        if rest.starts_with(b"<<<") {
            self.at += 3;
        } else if rest.starts_with(b"<<") {
            self.here_word();
        } else {
            self.at += if matches!(self.peek(1), Some(b'&' | b'|' | b'>')) { 2 } else { 1 };
        }
    }

    /// `<<` and the end mark behind it.
    fn here_word(&mut self) {
        self.at += 2;
        let tabs = self.peek(0) == Some(b'-');
        self.at += usize::from(tabs);
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let mut doc = Doc { end_mark: Vec::new(), tabs, quoted: false };
        let mut quote = None;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => break,
                VALUE => {
                    self.refuse(Place::HereWord);
                    self.lost = true;
                    continue;
                }
                _ if quote == Some(byte) => quote = None,
                b'\'' | b'"' if quote.is_none() => {
                    quote = Some(byte);
                    doc.quoted = true;
                }
                b'\\' if quote.is_none() => {
                    doc.quoted = true;
                    doc.end_mark.extend(self.peek(1).filter(|byte| *byte != VALUE));
                    self.escape();
                    continue;
                }
                b' ' | b'\t' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
                    if quote.is_none() =>
                {
                    break;
                }
                _ => doc.end_mark.push(byte),
            }
            self.at += 1;
        }
        if let Some(code) = self.commands() {
            code.docs.push(doc);
        }
    }

    fn newline(&mut self) {
        self.end_word(true);
        self.at += 1;
        let docs = self.commands().map(|code| std::mem::take(&mut code.docs));
        for doc in docs.unwrap_or_default() {
            self.here_doc(&doc);
        }
    }

    /// Reads the body of a here-document with its end mark.
    fn here_doc(&mut self, doc: &Doc) {
        let mut joined = false;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let line = &rest[..rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())];
            let tabs = line.iter().take_while(|b| doc.tabs && **b == b'\t').count();
            let next = self.at + line.len() + 1;
            if !joined && line[tabs..] == doc.end_mark {
                self.at = next.min(self.text.len());
                return;
            }
            let backslashes = line.iter().rev().take_while(|b| **b == b'\\').count();
            joined = !doc.quoted && backslashes % 2 == 1;
            let values = line.iter().enumerate().filter(|(_, b)| **b == VALUE);
            self.found.extend(values.map(|(at, _)| (self.at + at, Place::HereDoc)));
            self.at = next.min(self.text.len());
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
