//! TOML's syntax errors in the user's words: what is wrong, and how the line should read.
//!
//! The TOML crate says which token it did not expect. People ask why: a command that needed
//! single quotes, a value without quotes, a bracket left open lines before. What is not known here
//! is shown in the crate's words.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use super::foreign;
use super::lex::{Kind, headers, string_at, tokens};
use crate::error::{Diagnostic, Place, Source, quoted};

/// What the crate says; what we say; what to do.
const PLAIN: &[(&str, &str, &str)] = &[
    (
        "unquoted keys cannot be empty",
        "a name is missing here",
        "write `name = value`, or `[target.name]`",
    ),
    ("extra `=`", "one `=` is too many", "write `name = value`"),
    ("extra comma in array", "one comma is too many", "between two values stands one comma"),
    ("extra comma in inline table", "one comma is too many", "between two values stands one comma"),
    (
        "missing comma between array elements",
        "a comma is missing before this value",
        "between two values stands a comma: [\"a\", \"b\"]",
    ),
    (
        "missing comma between key-value pairs",
        "a comma is missing before this key",
        "between two keys stands a comma: { a = \"x\", b = \"y\" }",
    ),
    (
        "extra assignment between key-value pairs",
        "a value is missing before this `=`",
        "write { name = \"value\" }",
    ),
    (
        "missing assignment between key-value pairs",
        "`=` is missing here",
        "write { name = \"value\" }",
    ),
    (
        "missing key for inline table element",
        "a name is missing here",
        "write { name = \"value\" }",
    ),
    ("missing value for key", "a value is missing here", "write `name = value`"),
    ("missing inline table opening", "this bracket closes nothing", "remove it"),
    ("missing array opening", "this bracket closes nothing", "remove it"),
    ("missing table open", "this bracket closes nothing", "remove it"),
    ("invalid comment character", "a control character stands in this comment", "remove it"),
    (
        "carriage return must be followed by newline",
        "a carriage return without a newline",
        "end lines with a newline",
    ),
    (
        "keys cannot be multi-line",
        "a name cannot stand in triple quotes",
        "write it without quotes",
    ),
];

/// So many lines of a string are shown as they should be written.
const MOST_LINES: usize = 6;

/// Quotes of texts and of other languages.
const FOREIGN_QUOTES: [char; 6] = ['“', '”', '„', '‘', '’', '`'];

/// An error of the TOML crate as a diagnostic.
pub(super) fn diagnostic(source: &Arc<Source>, error: &toml::de::Error) -> Diagnostic {
    let text = &source.text;
    let said = error.message().split(", expected").next().unwrap_or_default();
    let Some(span) = error.span().or_else(|| too_deep_key(text)) else {
        return Diagnostic::error(format!("{} is no TOML: {said}", source.name));
    };
    let case = Case {
        source,
        text,
        span: text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end),
    };
    if let Some(diagnostic) = case.merge_conflict() {
        return diagnostic;
    }
    if let Some(diagnostic) = case.over_lines().or_else(|| case.rule_of_make()) {
        return diagnostic;
    }
    if said.starts_with("missing comma") && case.may_be_left_open() {
        return case.left_open();
    }
    if let Some((_, message, help)) = PLAIN.iter().find(|(start, ..)| said.starts_with(start)) {
        return case.say(*message, case.span.clone(), "", *help);
    }
    match said {
        "missing escaped value" | "too few unicode value digits" => case.bad_escape(),
        "string values must be quoted" | "invalid boolean" => case.unquoted(case.span.clone()),
        "key with no value" | "invalid key-value pair" => case.no_value(),
        "unexpected key or value" => case.more_on_the_line(),
        "unclosed array" | "unclosed inline table" | "unexpected `=` in array" => case.left_open(),
        "unclosed table" | "unclosed array table" => case.open_header(),
        "invalid unquoted key" => case.bad_key(),
        "recursion limit" | "cannot recurse further; max recursion depth met" => case.too_deep(),
        _ if said.starts_with("invalid") && said.ends_with("string") => case.bad_string(),
        _ => case.bad_scalar(said),
    }
}

/// The 80th part of the first key that has so many: the crate gives no place for it.
fn too_deep_key(text: &str) -> Option<Range<usize>> {
    let mut dots = 0;
    for token in tokens(text) {
        match token.kind {
            Kind::Dot => dots += 1,
            Kind::Bare | Kind::Quoted if dots >= 80 => return Some(token.span),
            Kind::Bare | Kind::Quoted => {}
            _ => dots = 0,
        }
    }
    None
}

/// One error: where it is, and what stands around it.
struct Case<'s> {
    source: &'s Arc<Source>,
    text: &'s str,
    span: Range<usize>,
}

impl Case<'_> {
    fn say(
        &self,
        message: impl Into<String>,
        span: Range<usize>,
        label: &str,
        help: impl Into<String>,
    ) -> Diagnostic {
        let first = self.text[span.start..].chars().next().filter(|c| *c != '\n');
        let end =
            if span.is_empty() { span.start + first.map_or(0, char::len_utf8) } else { span.end };
        let place = Place::new(self.source, span.start..end);
        Diagnostic::error(message).at(place, label).help(help)
    }

    /// The line of the error: its range, without the newline.
    fn line(&self) -> Range<usize> {
        let start = self.text[..self.span.start].rfind('\n').map_or(0, |at| at + 1);
        let length = self.text[start..].find('\n').unwrap_or(self.text.len() - start);
        start..start + length
    }

    fn merge_conflict(&self) -> Option<Diagnostic> {
        let line = self.line();
        let marks = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
        marks.iter().any(|mark| self.text[line.clone()].starts_with(mark)).then(|| {
            let help = "keep one of the two sides and remove the marks";
            self.say("a merge conflict was left here", line, "", help)
        })
    }

    /// A Makefile, which has rules and no header.
    fn rule_of_make(&self) -> Option<Diagnostic> {
        let (line, help) = foreign::rule_of_make(self.text)?;
        headers(self.text)
            .next()
            .is_none()
            .then(|| self.say("this is no TOML; it looks like a Makefile", line, "", help))
    }

    /// A string that starts before the error and goes on in the lines below, as in a shell.
    fn over_lines(&self) -> Option<Diagnostic> {
        let start = self.open_string()?;
        let quote = self.text[start..].chars().next()?;
        let end = start + self.text[start..].find('\n')?;
        let mut below = self.text[end..].match_indices(quote).map(|(at, _)| end + at);
        let close = below.find(|at| quote == '\'' || !self.text[..*at].ends_with('\\'))?;
        let behind = self.text[close + 1..].lines().next().unwrap_or_default();
        let behind = behind.split('#').next().unwrap_or_default();
        if !behind.trim_matches([' ', '\t', '\r', ',', ']', '}']).is_empty() {
            return None;
        }
        let lines: Vec<&str> = self.text[start + 1..close].lines().map(str::trim_end).collect();
        let text = lines.join("\n").replace("\\\"", "\"");
        let mut help = "a text of several lines stands between three quotes".to_owned();
        if lines.len() <= MOST_LINES && !text.contains("'''") {
            help.push_str(&format!(":\n'''\n{}\n'''", text.trim_end()));
        }
        let first = start..start + self.text[start..end].trim_end().len();
        Some(self.say("this string does not end in its line", first, "starts here", help))
    }

    /// Where the first value starts that is a string without an end in its line.
    fn open_string(&self) -> Option<usize> {
        let mut is_value = false;
        for token in tokens(self.text).take_while(|token| token.span.start <= self.span.start) {
            let raw = &self.text[token.span.clone()];
            if is_value && token.kind == Kind::Quoted && is_open(raw) {
                return Some(token.span.start);
            }
            if token.kind != Kind::Newline {
                is_value = matches!(token.kind, Kind::Equals | Kind::Open(b'[') | Kind::Comma);
            }
        }
        None
    }

    fn bad_escape(&self) -> Diagnostic {
        let at = self.span.start;
        let slash = self.text[..at].rfind('\\').unwrap_or(at);
        let next = self.text[at..].chars().next().filter(|c| *c != '\n' && *c != '"');
        let cut_short = slash + 1 < at;
        let end = if cut_short { at } else { at + next.map_or(0, char::len_utf8) };
        let escape = quoted(&self.text[slash..end]);
        let (message, label) = if cut_short {
            let digits = match self.text.as_bytes()[slash + 1] {
                b'x' => 2,
                b'u' => 4,
                _ => 8,
            };
            (format!("{escape} is cut short"), format!("{digits} hexadecimal digits are asked"))
        } else {
            let message = format!("{escape} means nothing between double quotes");
            (message, "no escape of TOML".to_owned())
        };
        let string = string_at(self.text, at).unwrap_or(slash..end);
        let help = in_single_quotes(&self.text[string]).map_or_else(
            || "write `\\\\` for one backslash".to_owned(),
            |literal| format!("between single quotes a backslash is a backslash: {literal}"),
        );
        self.say(message, slash..end, &label, help)
    }

    /// A value, at `span`, that needs quotes or another word.
    fn unquoted(&self, span: Range<usize>) -> Diagnostic {
        let raw = self.text[span.clone()].trim_end();
        let span = span.start..span.start + raw.len();
        if let Some((value, _)) = raw.split_once(" //").filter(|(value, _)| !value.is_empty()) {
            let comment = span.start + value.len() + 1..span.end;
            return self.say("this is no comment", comment, "", "a comment starts with `#`");
        }
        let no_value = format!("{} is no value", quoted(raw));
        let (message, help) = match raw {
            "" => ("a value is missing here".to_owned(), "write `name = value`".to_owned()),
            "True" | "TRUE" | "yes" | "Yes" | "on" | "On" => (no_value, "write true".to_owned()),
            "False" | "FALSE" | "no" | "No" | "off" | "Off" => (no_value, "write false".to_owned()),
            "null" | "nil" | "None" | "~" => (no_value, "leave the whole line out".to_owned()),
            _ if raw.starts_with(FOREIGN_QUOTES) => {
                let inner = raw.trim_matches(FOREIGN_QUOTES);
                ("these are not TOML's quotes".to_owned(), format!("write {}", in_quotes(inner)))
            }
            _ => {
                let help = self.variable(span.start, raw);
                let help = help.unwrap_or_else(|| format!("write {}", in_quotes(raw)));
                ("this text needs quotes".to_owned(), help)
            }
        };
        self.say(message, span, "", help)
    }

    /// What to write for `CC = gcc` at the top of the file, whose value is at `at`.
    fn variable(&self, at: usize, raw: &str) -> Option<String> {
        let line = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let name = self.text[line..at].trim().strip_suffix('=')?.trim_end();
        let top = headers(self.text).next().is_none_or(|header| header > at);
        (top && foreign::is_variable_of_make(name))
            .then(|| foreign::as_variable(name, &in_quotes(raw)))
    }

    fn no_value(&self) -> Diagnostic {
        let range = self.line();
        let line = self.text[range.clone()].trim();
        let start = range.start + self.text[range.clone()].len()
            - self.text[range.clone()].trim_start().len();
        let whole = start..start + line.len();
        let above = self.text[..range.start].trim_end();
        if above.ends_with("= |") || above.ends_with("= >") {
            let help = "write ''' here, and ''' again behind the last line";
            let sign = above.len() - 1..above.len();
            return self.say("a text of several lines stands in triple quotes", sign, "", help);
        }
        if line.starts_with("//") || line.starts_with("/*") {
            return self.say("this is no comment", whole, "", "a comment starts with `#`");
        }
        if line.starts_with('{') {
            let help = "TOML writes `[target.build]`, and below it `run = \"make\"`";
            return self.say("this is no TOML; it looks like JSON", whole, "", help);
        }
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        if name != "default" && line.contains(':') && headers(self.text).next().is_none() {
            let help = "TOML writes `[target.build]`, and below it `run = \"make\"`";
            return self.say("this is no TOML; it looks like YAML", whole, "", help);
        }
        let help = match (line.contains(':'), rest.trim()) {
            (false, _) => "write `name = value`".to_owned(),
            (true, "") if matches!(name, "target" | "targets" | "tasks") => {
                "a target starts with its name: `[target.NAME]`".to_owned()
            }
            (true, "") => format!("a target starts with `[target.{name}]`"),
            (true, value) => {
                let value = if value.starts_with(['"', '\'', '[']) {
                    value.to_owned()
                } else {
                    in_quotes(value)
                };
                format!("write {name} = {value}")
            }
        };
        self.say(format!("{} has no value", quoted(name)), whole, "`=` is missing", help)
    }

    fn more_on_the_line(&self) -> Diagnostic {
        let line = self.line();
        let rest = self.text[self.span.start..line.end].trim_end();
        let whole = self.span.start..self.span.start + rest.len();
        if rest.starts_with("//") {
            return self.say("this is no comment", whole, "", "a comment starts with `#`");
        }
        let equals = self.text[line.clone()].find('=').map_or(line.start, |at| line.start + at + 1);
        let value_start = line.end - self.text[equals..line.end].trim_start().len();
        let value = &self.text[value_start.min(self.span.start)..self.span.start];
        if DeValue::parse(value.trim_end()).is_err() {
            return self.unquoted(value_start..line.end);
        }
        if !value.ends_with(['"', '\'']) {
            let help = "write one `name = value` in a line";
            return self.say("this stands behind the value", whole, "", help);
        }
        let (quote, outer) = (&value[value.len() - 1..], &self.text[value_start..whole.end]);
        let inner = outer.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
        let help = inner.map_or_else(
            || "use the other kind of quotes around the whole".to_owned(),
            |inner| format!("use other quotes around the whole: {}", in_quotes(inner)),
        );
        self.say("the string ends before this", whole, "no longer in the string", help)
    }

    /// The bracket that is open where the error is, and its place.
    fn open_bracket(&self) -> Option<(u8, Range<usize>)> {
        let mut open = Vec::new();
        for token in tokens(self.text).take_while(|token| token.span.end <= self.span.end) {
            match token.kind {
                Kind::Open(bracket) => open.push((bracket, token.span)),
                Kind::Close(_) => drop(open.pop()),
                _ => {}
            }
        }
        open.pop()
    }

    /// Whether a comma is missing because a bracket is: the line starts with a key, and the
    /// bracket stands above it.
    fn may_be_left_open(&self) -> bool {
        let line = self.line();
        let mut first = tokens(&self.text[line.clone()]).skip(1);
        let is_key = first.next().is_some_and(|token| token.kind == Kind::Equals);
        is_key && self.open_bracket().is_some_and(|(_, span)| span.start < line.start)
    }

    fn left_open(&self) -> Diagnostic {
        let Some((bracket, span)) = self.open_bracket() else {
            return self.bad_scalar("a bracket is left open");
        };
        let (what, close) = if bracket == b'[' { ("list", ']') } else { ("table", '}') };
        let help = format!("write `{close}` behind its last value");
        self.say(format!("this {what} is not closed"), span, "opens here", help)
    }

    fn open_header(&self) -> Diagnostic {
        let line = self.line();
        let header = self.text[line.clone()].trim_end();
        let name = header.split('#').next().unwrap_or_default().trim_matches(['[', ']', ' ', '\t']);
        let list = header.trim_start().starts_with("[[");
        let whole = line.start..line.start + header.len();
        if let Some((first, rest)) = name.split_once([' ', '\t']) {
            let help = format!("write [{first}.{}]", rest.trim().replace([' ', '\t'], "-"));
            return self.say("a header holds no blanks", whole, "", help);
        }
        let single = if list { ", with single brackets" } else { "" };
        self.say("this header is not closed", whole, "", format!("write [{name}]{single}"))
    }

    fn bad_key(&self) -> Diagnostic {
        let word = self.word_around();
        let message = format!("{} is no name", quoted(&self.text[word.clone()]));
        self.say(message, word, "", "names hold the letters A to Z and a to z, digits, `_` and `-`")
    }

    fn too_deep(&self) -> Diagnostic {
        let help = "a Taskfile needs four levels";
        self.say("more than 80 levels, one within the other", self.span.clone(), "level 80", help)
    }

    fn bad_string(&self) -> Diagnostic {
        let at = self.span.start;
        let here = self.text[at..].chars().next();
        if let Some(control) = here.filter(|c| c.is_control() && *c != '\n') {
            let help =
                format!("remove it, or write \"\\u{:04X}\" between double quotes", control as u32);
            return self.say("a control character stands in this string", at..at, "", help);
        }
        let string = string_at(self.text, at).unwrap_or(self.span.clone());
        let raw = &self.text[string.clone()];
        let quote = raw.chars().next().unwrap_or('"');
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        let close = String::from(quote).repeat(quotes);
        let first_line = raw.lines().next().map_or(0, |line| line.trim_end().len());
        let help = match raw.chars().last() {
            Some(last @ ('"' | '\'')) if quotes == 1 && last != quote => {
                format!("it starts with {quote} and ends with {last}: use the same at both ends")
            }
            _ if quotes == 3 => format!("write {close} behind its last line"),
            _ => {
                format!("write {close} at its end; a text of several lines stands in triple quotes")
            }
        };
        self.say(
            "this string is not closed",
            string.start..string.start + first_line,
            "starts here",
            help,
        )
    }

    /// A value that the crate took for a number or a date, shown whole.
    fn bad_scalar(&self, said: &str) -> Diagnostic {
        let word = self.word_around();
        let raw = &self.text[word.clone()];
        if raw.is_empty() {
            return self.say(format!("this is no TOML: {said}"), word, "", "write `name = value`");
        }
        if !raw.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
            return self.unquoted(word);
        }
        let message = format!("{} is neither a number nor a date", quoted(raw));
        self.say(message, word, "", format!("as text, write {}", in_quotes(raw)))
    }

    /// The blank-separated word that the error is in.
    fn word_around(&self) -> Range<usize> {
        let ends = |c: char| " \t\n,[]{}#=".contains(c);
        let (before, after) = self.text.split_at(self.span.start);
        let start = before.rfind(ends).map_or(0, |at| at + 1);
        let length = after.find(ends).unwrap_or(after.len());
        start..self.span.start + length
    }
}

/// Whether a string of one line lacks its closing quote.
fn is_open(raw: &str) -> bool {
    let long = raw.starts_with("\"\"\"") || raw.starts_with("'''");
    let quote = &raw[..1];
    let Some(inner) = raw[1..].strip_suffix(quote) else { return !long };
    let slashes = inner.bytes().rev().take_while(|byte| *byte == b'\\').count();
    !long && quote == "\"" && slashes % 2 == 1
}

/// A text as a TOML string, with the quotes that need no escapes.
pub(super) fn in_quotes(text: &str) -> String {
    match (text.contains(['"', '\\']), text.contains('\'')) {
        (false, _) => format!("\"{text}\""),
        (true, false) => format!("'{text}'"),
        (true, true) => format!("'''{text}'''"),
    }
}

/// A string in double quotes rewritten in single ones, where its text allows that.
fn in_single_quotes(raw: &str) -> Option<String> {
    if raw.starts_with("\"\"\"") {
        return Some("'''…'''".to_owned());
    }
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let quotes = if inner.contains('\'') { "'''" } else { "'" };
    let fits = !inner.contains("'''") && inner.chars().count() <= 72;
    let literal = inner.replace("\\\"", "\"").replace("\\\\", "\\");
    fits.then(|| format!("{quotes}{literal}{quotes}"))
}
