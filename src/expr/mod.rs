//! Strings of a Taskfile with `{{ expression }}` in them, and their rendering to text, to words
//! or to the text of a shell.
//!
//! Expressions are those of minijinja; there are no statements. Which names exist and what they
//! are is the caller's: a [`Scope`] answers for one name at a time. What an expression reads is
//! known when it is parsed ([`Template::names`]), so the graph needs no evaluation to be drawn.
//! Knows nothing of Taskfiles, targets or places in a file: a range is within the template.

mod code;
mod render;
mod segment;
mod shell;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use minijinja::Value;
use taskr_cache::{Coded, In, Out};

use code::Code;
use segment::Segment;
pub use shell::{literal_words, plain_words};
pub use value::{ITEM_FIELDS, failure, item_value, map_value, parts_value, truth, words_value};

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// Bytes within the template's source.
    pub range: Range<usize>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What is wrong, before it is known where: what a [`Scope`] refuses with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Problem {
    /// A problem without advice.
    pub fn new(message: impl Into<String>) -> Problem {
        Problem { message: message.into(), help: None }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    /// The same problem at a place.
    pub fn at(self, range: Range<usize>) -> ExprError {
        ExprError { range, message: self.message, help: self.help }
    }
}

impl From<ExprError> for Problem {
    /// Within the value of a name: the place is that of whoever uses the name.
    fn from(error: ExprError) -> Problem {
        Problem { message: error.message, help: error.help }
    }
}

/// Answers for one top-level name: its value, `None` where there is no such name, or why the
/// value cannot be had. Asked when, and only when, an expression comes to use the name.
pub type Scope<'a> = dyn Fn(&str) -> Result<Option<Value>, Problem> + 'a;

/// A name that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name with the attributes that are written out: `cflags`, `matrix.os`, `env.HOME`
    /// (also for `env['HOME']`).
    pub path: String,
    /// Where the expression names it first: bytes within the template's source.
    pub range: Range<usize>,
}

/// A name that an expression calls with one text that is written out: `target('lib')`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name.
    pub name: String,
    /// The text.
    pub argument: String,
    /// Where the call stands: bytes within the template's source.
    pub range: Range<usize>,
}

/// A parsed string. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    source: String,
    parts: Box<[Part]>,
    names: Box<[Name]>,
    calls: Box<[Call]>,
}

/// A stretch of a template.
enum Part {
    Text(Range<usize>),
    Expr(Expr),
}

/// An expression with its place.
struct Expr {
    /// With the braces.
    outer: Range<usize>,
    code: Code,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.0.source).finish()
    }
}

impl Coded for Template {
    fn put(&self, out: &mut Out) {
        out.bytes(self.source().as_bytes());
    }

    fn get(from: &mut In<'_>) -> Option<Template> {
        Template::parse(std::str::from_utf8(from.bytes()?).ok()?).ok()
    }
}

impl Template {
    /// Parses a string. `{{` opens an expression unless a `.` follows (those of docker and Go are
    /// left alone); `{%` and `{#` are plain text.
    ///
    /// # Errors
    /// An expression that is not closed or cannot be understood; filters and tests that do not
    /// exist.
    pub fn parse(source: &str) -> Result<Template, ExprError> {
        let segments = segment::split(source)?;
        let mut parts = Vec::with_capacity(segments.len());
        let mut names = Vec::new();
        let mut calls = Vec::new();
        for segment in segments {
            match segment {
                Segment::Text(range) => parts.push(Part::Text(range)),
                Segment::Expr { outer, inner } => {
                    let mut code = Code::parse(source, inner)?;
                    calls.append(&mut code.calls);
                    names.extend(code.names());
                    parts.push(Part::Expr(Expr { outer, code }));
                }
            }
        }
        Ok(Template::of(source, parts, (names, calls)))
    }

    /// A string that is one expression, without braces around it.
    ///
    /// # Errors
    /// As [`Template::parse`]; it must not be blank.
    pub fn expression(source: &str) -> Result<Template, ExprError> {
        let mut code = Code::parse(source, 0..source.len())?;
        let (names, calls) = (code.names().collect(), std::mem::take(&mut code.calls));
        let parts = vec![Part::Expr(Expr { outer: 0..source.len(), code })];
        Ok(Template::of(source, parts, (names, calls)))
    }

    /// A string in which braces mean nothing.
    pub fn literal(text: &str) -> Template {
        let parts = vec![Part::Text(0..text.len())];
        Template::of(text, parts, (Vec::new(), Vec::new()))
    }

    fn of(source: &str, parts: Vec<Part>, (names, calls): (Vec<Name>, Vec<Call>)) -> Template {
        let (names, calls) = (names.into_boxed_slice(), calls.into_boxed_slice());
        let (source, parts) = (source.to_owned(), parts.into_boxed_slice());
        Template(Arc::new(Inner { source, parts, names, calls }))
    }

    /// The string as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The text, if there is no expression in it.
    pub fn as_literal(&self) -> Option<&str> {
        self.exprs().next().is_none().then_some(&self.0.source)
    }

    /// Whether this is exactly one expression and nothing else: one that may give several words.
    pub fn is_whole(&self) -> bool {
        matches!(*self.0.parts, [Part::Expr(_)])
    }

    /// Every name that the expressions read, as they come, once for each expression.
    pub fn names(&self) -> &[Name] {
        &self.0.names
    }

    /// Every call with one text that is written out, as they come.
    pub fn calls(&self) -> &[Call] {
        &self.0.calls
    }

    /// The template as one string.
    ///
    /// # Errors
    /// What the scope refuses; names that are not defined; values that are no text: none, tables,
    /// and lists, unless they hold exactly one element; values with a NUL byte.
    pub fn text(&self, scope: &Scope) -> Result<String, ExprError> {
        render::text(self, scope, &|text| text)
    }

    /// The template as arguments: one word, but a list that is the whole template gives as many
    /// words as it has elements. Nothing is ever split.
    ///
    /// # Errors
    /// As [`Template::text`].
    pub fn words(&self, scope: &Scope) -> Result<Vec<String>, ExprError> {
        render::words(self, scope, &|word| word)
    }

    /// As [`Template::words`], with each value that an expression gives passed through `escape`
    /// before it stands beside what was written out.
    ///
    /// # Errors
    /// As [`Template::text`].
    pub fn words_with(
        &self,
        scope: &Scope,
        escape: &dyn Fn(String) -> String,
    ) -> Result<Vec<String>, ExprError> {
        render::words(self, scope, escape)
    }

    /// The value of a template that is exactly one expression, else its text: what a variable
    /// stands for.
    ///
    /// # Errors
    /// As [`Template::text`].
    pub fn value(&self, scope: &Scope) -> Result<Value, ExprError> {
        render::value(self, scope)
    }

    /// The template as text for `sh`: what expressions give is quoted where it must be, lists
    /// word by word with spaces between, so that the shell takes each value for plain text. What
    /// went through `| raw` or `| quote` stands as it is.
    ///
    /// Holds only where [`Template::check_shell`] finds nothing.
    ///
    /// # Errors
    /// As [`Template::text`], but a list of any length is fine.
    pub fn shell(&self, scope: &Scope) -> Result<String, ExprError> {
        render::shell(self, scope)
    }

    /// Refuses expressions at places of a shell text where quoting their value would not hold,
    /// such as inside quotes. What ends in `| raw` is let through.
    ///
    /// # Errors
    /// The first such expression, with what to write instead.
    pub fn check_shell(&self) -> Result<(), ExprError> {
        shell::check(self)
    }

    /// Refuses what a user of make or of a template language would write and what means nothing
    /// to `sh`: `$@`, `$in`, `$(CC)`, `{inputs}`, `{% if … %}` outside of quotes. `is_set` says
    /// which variables the environment of the script has.
    ///
    /// # Errors
    /// The first such word, with what to write instead.
    pub fn check_habits(&self, is_set: &dyn Fn(&str) -> bool) -> Result<(), ExprError> {
        shell::check_habits(self, is_set)
    }

    /// Of a script the first `|` that drops the exit code of a command, which may fail unnoticed in a
    /// shell without `pipefail`: its bytes in the source.
    pub fn lossy_pipe(&self) -> Option<Range<usize>> {
        shell::lossy_pipe(self)
    }

    fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.0.parts.iter().filter_map(|part| match part {
            Part::Expr(expr) => Some(expr),
            Part::Text(_) => None,
        })
    }
}
