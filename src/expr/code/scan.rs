//! The tokens of an expression, as far as it takes to know what it reads: paths, filters and
//! tests are told apart by what stands around them. The grammar is minijinja's to check.

use std::fmt::Write;
use std::ops::Range;

use minijinja::Value;

use crate::error::{listed, nearest};
use crate::expr::segment::string_end;
use crate::expr::value::{ENGINE, FILTERS};
use crate::expr::{Call, ExprError, Problem};

/// Tokens of one expression. The engine's compiler recurses over chains of operators; this keeps
/// it far from the end of a 2 MiB stack.
const MAX_TOKENS: usize = 1000;

/// What an expression reads.
pub(super) struct Scan {
    /// The paths, each once, as they come.
    pub(super) slots: Vec<Slot>,
    /// The names that are called with one text.
    pub(super) calls: Vec<Call>,
    /// The expression with `vN` in place of the path that is slot N.
    pub(super) code: String,
    /// Whether `| raw` is surely the last thing done to the result.
    pub(super) raw: bool,
}

/// A path that an expression reads.
#[derive(Debug, PartialEq)]
pub(super) struct Slot {
    pub(super) root: String,
    pub(super) keys: Vec<String>,
    /// Where it stands first: bytes within the source.
    pub(super) range: Range<usize>,
    /// `| default` or `is defined` follows wherever it stands.
    pub(super) may_be_undefined: bool,
}

impl Slot {
    /// As it is written with dots.
    pub(super) fn path(&self) -> String {
        self.keys.iter().fold(self.root.clone(), |path, key| path + "." + key)
    }

    /// The same with only its first `keys` attributes.
    pub(super) fn shortened(&self, keys: usize) -> Slot {
        Slot {
            root: self.root.clone(),
            keys: self.keys[..keys].to_vec(),
            range: self.range.clone(),
            may_be_undefined: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Word,
    Number,
    Text,
    Sign,
}

/// A token and where it stands in the source.
#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    range: Range<usize>,
}

/// Scans the expression at `range` of `source`.
pub(super) fn scan(source: &str, range: Range<usize>) -> Result<Scan, ExprError> {
    let tokens = tokens(source, range.clone())?;
    let mut scanner =
        Scanner { source, tokens, slots: Vec::new(), calls: Vec::new(), code: String::new() };
    scanner.run(range)?;
    let raw = scanner.ends_raw();
    Ok(Scan { slots: scanner.slots, calls: scanner.calls, code: scanner.code, raw })
}

fn tokens(source: &str, range: Range<usize>) -> Result<Vec<Token>, ExprError> {
    let bytes = &source.as_bytes()[..range.end];
    let mut tokens = Vec::new();
    let mut at = range.start;
    while let Some(&byte) = bytes.get(at) {
        let run = |more: fn(&u8) -> bool| at + bytes[at..].iter().take_while(|b| more(b)).count();
        let (kind, end) = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => (Kind::Word, run(is_word)),
            b'0'..=b'9' => (Kind::Number, run(is_word)),
            b'"' | b'\'' => (Kind::Text, string_end(bytes, at).map_or(bytes.len(), |end| end + 1)),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'|' | b'.' | b',' | b':' | b'=' | b'!'
            | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => (Kind::Sign, at + 1),
            _ => return Err(strange(source, at)),
        };
        tokens.push(Token { kind, range: at..end });
        at = end;
        if tokens.len() > MAX_TOKENS {
            let message = format!("an expression can have up to {MAX_TOKENS} words and signs");
            return Err(Problem::new(message).help("split it over variables").at(range));
        }
    }
    Ok(tokens)
}

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

fn strange(source: &str, at: usize) -> ExprError {
    let found = source[at..].chars().next().unwrap_or_default();
    let problem =
        Problem::new(format!("`{}` has no meaning in an expression", found.escape_debug()));
    let problem = match found {
        '&' => problem.help("write `and`"),
        '$' => problem.help("names have no `$` here"),
        _ => problem,
    };
    problem.at(at..at + found.len_utf8())
}

/// Signs of other languages, and the word for them here.
fn other_sign(sign: &str, word: &str) -> Problem {
    Problem::new(format!("`{sign}` has no meaning in an expression"))
        .help(format!("write `{word}`"))
}

struct Scanner<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    slots: Vec<Slot>,
    calls: Vec<Call>,
    code: String,
}

impl Scanner<'_> {
    fn run(&mut self, range: Range<usize>) -> Result<(), ExprError> {
        let mut copied = range.start;
        let mut at = 0;
        while at < self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Sign if self.is(at, "|") && self.is(at + 1, "|") => {
                    return Err(other_sign("||", "or").at(self.tokens[at].range.clone()));
                }
                Kind::Sign if self.is(at, "!") && !self.is(at + 1, "=") => {
                    return Err(other_sign("!", "not").at(self.tokens[at].range.clone()));
                }
                Kind::Sign if self.is(at, "|") => at = self.known(at + 1, "filter")?,
                Kind::Word if self.is(at, "is") => {
                    let name = if self.is(at + 1, "not") { at + 2 } else { at + 1 };
                    at = self.known(name, "test")?;
                }
                Kind::Word if self.is_path(at) => {
                    let (slot, end) = self.path(at);
                    self.call(at, end);
                    self.code.push_str(&self.source[copied..slot.range.start]);
                    copied = slot.range.end;
                    let number = self.intern(slot);
                    // Writing to a string never fails.
                    let _ = write!(self.code, "v{number}");
                    at = end;
                }
                _ => at += 1,
            }
        }
        self.code.push_str(&self.source[copied..range.end]);
        Ok(())
    }

    /// Steps over the name of a filter or a test, which must exist.
    fn known(&self, at: usize, what: &str) -> Result<usize, ExprError> {
        let Some(Token { kind: Kind::Word, range }) = self.tokens.get(at) else { return Ok(at) };
        let name = self.text(at);
        let exists = ENGINE.empty_state().perform_test(what, &[Value::from(name)]);
        if exists.unwrap_or(true) {
            return Ok(at + 1);
        }
        let problem = Problem::new(format!("there is no {what} `{name}`"));
        let problem = match name {
            "safe" | "escape" | "e" => problem.help(
                "values are quoted for the shell by themselves; `| raw` inserts one as it is",
            ),
            "basename" => problem.help("did you mean `name`?"),
            "dirname" => problem.help("did you mean `dir`?"),
            _ if what == "filter" => problem.help(match nearest(name, FILTERS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => listed("filters are", FILTERS),
            }),
            _ => problem,
        };
        Err(problem.at(range.clone()))
    }

    /// Whether the word at `at` names a value: not an attribute, an operator, or the name of an
    /// argument.
    fn is_path(&self, at: usize) -> bool {
        let attribute = at > 0 && self.is(at - 1, ".");
        let argument = self.is(at + 1, "=") && !self.is(at + 2, "=");
        !attribute && !argument && !KEYWORDS.contains(&self.text(at))
    }

    /// The path that begins at `at`, and the token behind it. A last attribute that is called is
    /// a method, which is the engine's.
    fn path(&self, at: usize) -> (Slot, usize) {
        let mut keys = Vec::new();
        let mut end = at + 1;
        loop {
            let (key, next) = match self.tokens.get(end + 1).map(|token| token.kind) {
                Some(Kind::Word) if self.is(end, ".") => (self.text(end + 1), end + 2),
                Some(Kind::Text) if self.is(end, "[") && self.is(end + 2, "]") => {
                    let quoted = self.text(end + 1);
                    (&quoted[1..quoted.len() - 1], end + 3)
                }
                _ => break,
            };
            if self.is(next, "(") || key.contains('\\') {
                break;
            }
            keys.push(key.to_owned());
            end = next;
        }
        let slot = Slot {
            root: self.text(at).to_owned(),
            keys,
            range: self.tokens[at].range.start..self.tokens[end - 1].range.end,
            may_be_undefined: self.is_guarded(end),
        };
        (slot, end)
    }

    /// Remembers the name at `at`, if what stands behind it is one text in parentheses.
    fn call(&mut self, at: usize, end: usize) {
        let is_text = self.tokens.get(end + 1).is_some_and(|token| token.kind == Kind::Text);
        if end != at + 1 || !is_text || !self.is(end, "(") || !self.is(end + 2, ")") {
            return;
        }
        let quoted = self.text(end + 1);
        if !quoted.contains('\\') && quoted.len() >= 2 {
            self.calls.push(Call {
                name: self.text(at).to_owned(),
                argument: quoted[1..quoted.len() - 1].to_owned(),
                range: self.tokens[at].range.start..self.tokens[end + 2].range.end,
            });
        }
    }

    /// Whether what stands at `at` copes with an undefined value before it.
    fn is_guarded(&self, at: usize) -> bool {
        let test = if self.is(at + 1, "not") { at + 2 } else { at + 1 };
        (self.is(at, "|") && (self.is(at + 1, "default") || self.is(at + 1, "d")))
            || (self.is(at, "is") && (self.is(test, "defined") || self.is(test, "undefined")))
    }

    /// The number of the slot, which is new if its path is.
    fn intern(&mut self, slot: Slot) -> usize {
        let same = |old: &Slot| old.root == slot.root && old.keys == slot.keys;
        if let Some(number) = self.slots.iter().position(same) {
            self.slots[number].may_be_undefined &= slot.may_be_undefined;
            return number;
        }
        self.slots.push(slot);
        self.slots.len() - 1
    }

    /// Whether the expression is an operand and filters, of which the last is `raw`. An operator
    /// outside of parentheses would bind weaker than the filter.
    fn ends_raw(&self) -> bool {
        let Some(pipe) = self.tokens.len().checked_sub(2) else { return false };
        let mut depth = 0_usize;
        let mut operand = true;
        for at in 0..pipe {
            match self.text(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                "|" | "." => {}
                word if depth == 0 => {
                    operand &= self.tokens[at].kind != Kind::Sign && !OPERATORS.contains(&word);
                }
                _ => {}
            }
        }
        operand && self.is(pipe, "|") && self.is(pipe + 1, "raw")
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| &self.source[token.range.clone()] == text)
    }

    fn text(&self, at: usize) -> &str {
        &self.source[self.tokens[at].range.clone()]
    }
}

/// Words that name no value.
const KEYWORDS: [&str; 13] = [
    "true", "True", "false", "False", "none", "None", "and", "or", "not", "in", "is", "if", "else",
];

/// The words among them that bind weaker than a filter.
const OPERATORS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];
