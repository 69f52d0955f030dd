//! Strings of the Taskfile to paths, patterns and references.
//!
//! Values that an expression puts into a path are literal: they are escaped before the text is
//! read as a pattern, so a file named `[id].tsx` is that file.

use std::ops::Range;

use super::packages::Home;
use super::rule::{Input, Output, Placed, Ref, Text};
use super::scope::Scope;
use crate::error::{Diagnostic, Place, quoted};
use crate::expr::{ExprError, Problem, Value};
use crate::files::{PathError, Pattern, normalise, relative_to};
use crate::outcome::shown;
use crate::outdir::STATE_DIR;
use crate::parse::{self, split_pick};

/// A path as a command of the folder `dir` sees it. One that would look like an option gets
/// `./` in front.
pub fn word_of_path(dir: &[u8], path: &[u8]) -> Vec<u8> {
    let word = relative_to(dir, path);
    if word.starts_with(b"-") { [b"./", &word[..]].concat() } else { word }
}

/// The diagnostic of an error within a string.
pub fn diagnostic(error: &ExprError, place: Option<Place>) -> Diagnostic {
    Diagnostic::error(error.message.clone()).at(place, "").help_if(error.help.clone())
}

impl From<&parse::Text> for Text {
    fn from(text: &parse::Text) -> Text {
        Text { template: text.template.clone(), place: Some(text.place.clone()) }
    }
}

impl Text {
    /// The place of a part of the template's source.
    pub fn place_of(&self, part: Range<usize>) -> Option<Place> {
        let place = self.place.as_ref()?;
        Some(parse::place_within(place, part, self.template.source().len()))
    }
}

impl Scope {
    /// What an expression gave; none if it needs what a command prints and that is not there.
    pub(super) fn settled<T>(
        &self,
        text: &parse::Text,
        result: Result<T, ExprError>,
    ) -> Result<Option<T>, Diagnostic> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.is_lacking() => Ok(None),
            Err(error) => Err(diagnostic(&error, Some(text.place_of(error.range.clone())))),
        }
    }
}

/// Names that only ready tasks know are unknown while the graph is made.
pub(super) fn nothing_ready(_: &str) -> Result<Option<Value>, Problem> {
    Ok(None)
}

/// One element of a list after expansion, still with escapes: what came from an expression is
/// literal.
pub(super) struct Element {
    text: Vec<u8>,
    place: Place,
    /// Where the text begins in the string that was written, and that string's length; none if
    /// an expression gave a part of it.
    written: Option<(usize, usize)>,
}

/// Whether a path is one that a task reads or one that it writes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Use {
    Reads,
    Writes,
}

impl Element {
    /// Expands one string of a list field; a whole-element expression may give several.
    pub(super) fn expand(text: &parse::Text, scope: &Scope) -> Result<Vec<Element>, Diagnostic> {
        let resolve = |name: &str| scope.value(name, &nothing_ready);
        let words = scope.settled(text, text.template.words_with(&resolve, &escape))?;
        let words = words.unwrap_or_default();
        let place = &text.place;
        let written = text.template.as_literal().map(|literal| (0, literal.len()));
        Ok(words
            .into_iter()
            .map(|word| Element { text: word.into_bytes(), place: place.clone(), written })
            .collect())
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The element for people, as it was written.
    pub(super) fn shown(&self) -> String {
        match self.written {
            Some(_) => shown(&self.text),
            None => shown(&without_needless(&self.text)),
        }
    }

    /// The element as plain text.
    pub(super) fn literal(&self) -> Vec<u8> {
        unescape(&self.text)
    }

    /// The element as a word that is no path: there a backslash is one, but before a character
    /// that would mean something in a list.
    pub(super) fn word(&self) -> Vec<u8> {
        let mut word = Vec::with_capacity(self.text.len());
        let mut bytes = self.text.iter().peekable();
        while let Some(&byte) = bytes.next() {
            let escaped = bytes.next_if(|next| byte == b'\\' && SPECIAL.contains(next));
            word.push(escaped.copied().unwrap_or(byte));
        }
        word
    }

    /// The element without its first character, if that is `prefix`.
    fn strip(&self, prefix: u8) -> Option<Element> {
        self.text.strip_prefix(&[prefix])?;
        Some(self.part(1..self.text.len()))
    }

    /// A part of the element.
    fn part(&self, part: Range<usize>) -> Element {
        let written = self.written.map(|(start, length)| (start + part.start, length));
        Element { text: self.text[part].to_vec(), place: self.place.clone(), written }
    }

    /// Reads an element of `inputs`.
    pub(super) fn input(&self, dir: &[u8], home: Home<'_>) -> Result<Placed<Input>, Diagnostic> {
        let place = Some(self.place.clone());
        if let Some(rest) = self.strip(b'@') {
            let value = rest.outputs_of(home)?;
            return Ok(Placed { value, place });
        }
        if let Some(rest) = self.negated()? {
            return Ok(Placed { value: Input::Not(rest.taken_away(dir)?), place });
        }
        let (rest, optional) = match self.optional()? {
            Some(rest) => (rest, true),
            None => (self.part(0..self.text.len()), false),
        };
        let value = match rest.path(dir, Use::Reads)? {
            PathOrGlob::Path(path) => Input::Path { path, optional },
            PathOrGlob::Glob(pattern) => Input::Glob { pattern, optional },
        };
        Ok(Placed { value, place })
    }

    /// Reads an element of `env_file`.
    pub(super) fn env_file(&self, dir: &[u8], home: Home<'_>) -> Result<Placed<Input>, Diagnostic> {
        let input = self.input(dir, home)?;
        match input.value {
            Input::Path { .. } => Ok(input),
            _ => Err(self.refuse(
                "is no file",
                "`env_file` takes plain paths, and `?path` for one that may be absent: their order \
                 says which value counts",
            )),
        }
    }

    /// Reads an element of `outputs`.
    pub(super) fn output(&self, dir: &[u8]) -> Result<Placed<Output>, Diagnostic> {
        if let [first @ (b'!' | b'?' | b'@'), ..] = &self.text[..] {
            let what = format!("an output cannot start with `{}`", char::from(*first));
            return Err(Diagnostic::error(what)
                .at(self.place.clone(), "")
                .help("outputs are paths, folders or globs, as in `outputs = [\"bin/app\"]`"));
        }
        let value = match self.path(dir, Use::Writes)? {
            PathOrGlob::Path(path) => Output::Path(path),
            PathOrGlob::Glob(pattern) => Output::Glob(pattern),
        };
        Ok(Placed { value, place: Some(self.place.clone()) })
    }

    /// Reads an element of `installs`.
    pub(super) fn install(&self, dir: &[u8]) -> Result<Placed<Vec<u8>>, Diagnostic> {
        match self.path(dir, Use::Writes)? {
            PathOrGlob::Path(path) => Ok(Placed { value: path, place: Some(self.place.clone()) }),
            PathOrGlob::Glob(_) => Err(Diagnostic::error("`installs` takes plain paths, no globs")
                .at(self.place.clone(), "has a wildcard")
                .help(
                    "name the folder that the command sets up, as in `installs = \"node_modules\"`",
                )),
        }
    }

    /// Reads an element of `foreach`.
    pub(super) fn path_or_glob(&self, dir: &[u8]) -> Result<PathOrGlob, Diagnostic> {
        self.path(dir, Use::Reads)
    }

    /// A `!glob` without its mark.
    pub(super) fn negated(&self) -> Result<Option<Element>, Diagnostic> {
        self.behind(b'!')
    }

    /// A `?glob` without its mark.
    pub(super) fn optional(&self) -> Result<Option<Element>, Diagnostic> {
        self.behind(b'?')
    }

    /// What stands behind a mark: no other one, which would be the beginning of a file's name.
    fn behind(&self, mark: u8) -> Result<Option<Element>, Diagnostic> {
        let Some(rest) = self.strip(mark) else { return Ok(None) };
        let (mark, written) = (char::from(mark), rest.shown());
        let help = match (mark, rest.text.first()) {
            (_, Some(b'!')) => "write one of the two marks".to_owned(),
            ('!', Some(b'@')) => {
                "what a target made is left out by its path, as in `!dist/**`".to_owned()
            }
            (_, Some(b'@')) => format!("write `{written}`"),
            _ => return Ok(Some(rest)),
        };
        Err(Diagnostic::error(format!("`{mark}` cannot stand before `{written}`"))
            .at(self.place.clone(), "")
            .help(format!("{help}; a file of that name is `{mark}./{written}`")))
    }

    /// What `!` before this element takes away: of a plain path what lies in it, too.
    pub(super) fn taken_away(&self, dir: &[u8]) -> Result<Pattern, Diagnostic> {
        match self.path(dir, Use::Reads)? {
            PathOrGlob::Path(path) => self.pattern(&[&escape_bytes(&path)[..], b"{,/**}"].concat()),
            PathOrGlob::Glob(pattern) => Ok(pattern),
        }
    }

    /// Reads `@NAME` or `@NAME:GLOB` of a `foreach`: the target, and which of its outputs. None if
    /// it is nothing like that.
    pub(super) fn made_by(
        &self,
        home: Home<'_>,
    ) -> Result<Option<(String, Option<Pattern>)>, Diagnostic> {
        let Some(rest) = self.strip(b'@') else { return Ok(None) };
        let Input::Outputs { of, only } = rest.outputs_of(home)? else { return Ok(None) };
        let of = of.one()?;
        match split_pick(&of.text).1.is_some() {
            true => Err(self.refuse(
                "names some tasks of a target",
                "`foreach` takes the outputs of a whole target, `@NAME`, or `@NAME:*.c`",
            )),
            false => Ok(Some((of.text, only))),
        }
    }

    /// Reads a reference: `obj`, `obj@db=pg`, `obj@src/*.c`.
    pub(super) fn reference(&self, home: Home<'_>) -> Result<Ref, Diagnostic> {
        let text = String::from_utf8_lossy(&self.literal()).into_owned();
        if let Some(name) = text.strip_prefix('@') {
            return Err(Diagnostic::error(format!("{} is not a target's name", quoted(&text)))
                .at(self.place.clone(), "")
                .help(format!("write it without `@`: {}", quoted(name))));
        }
        home.refer(&text, Some(self.place.clone()))
    }

    /// Reads what stands behind `@`: a reference, and perhaps `:glob`.
    fn outputs_of(&self, home: Home<'_>) -> Result<Input, Diagnostic> {
        // The first colon of `//lib:obj` and of `:obj` is that of the name.
        let colon = |from: usize| {
            let found = self.text[from..].iter().position(|&byte| byte == b':');
            found.map(|at| from + at)
        };
        let named = self.text.starts_with(b"//") || self.text.starts_with(b":");
        let colon = match (named, colon(0)) {
            (true, Some(first)) => colon(first + 1),
            (_, first) => first,
        };
        let (reference, only) = match colon {
            Some(at) => {
                let (name, only) = (self.part(0..at), self.part(at + 1..self.text.len()));
                if only.text.is_empty() {
                    let name = name.shown();
                    return Err(Diagnostic::error(format!("nothing stands behind `@{name}:`"))
                        .at(self.place.clone(), "")
                        .help(format!(
                            "write `@{name}` for all that it makes, or which of it, as in \
                             `@{name}:*.o`"
                        )));
                }
                let only = only.pattern(&only.text)?;
                (name, Some(only))
            }
            None => (self.part(0..self.text.len()), None),
        };
        Ok(Input::Outputs { of: reference.reference(home)?, only })
    }

    /// Parses a pattern that was made of this element.
    fn pattern(&self, text: &[u8]) -> Result<Pattern, Diagnostic> {
        let parsed = match self.written {
            Some(_) => Pattern::parse(text),
            None => Pattern::parse(&without_needless(text)),
        };
        parsed.map_err(|error| {
            let (place, label) = match self.place_of_error() {
                Some(place) => (place, ""),
                None => (self.place.clone(), "in this pattern"),
            };
            Diagnostic::error(error.message).at(place, label).help(error.help)
        })
    }

    /// The character that makes the element, as it was written, no pattern.
    fn place_of_error(&self) -> Option<Place> {
        let (start, length) = self.written?;
        let error = Pattern::parse(&self.text).err()?;
        let rest = std::str::from_utf8(self.text.get(error.offset..)?).ok()?;
        let at = start + error.offset;
        let end = at + rest.chars().next().map_or(0, char::len_utf8);
        Some(parse::place_within(&self.place, at..end, length))
    }

    fn path(&self, dir: &[u8], of: Use) -> Result<PathOrGlob, Diagnostic> {
        if self.text.is_empty() {
            return Err(Diagnostic::error("an empty text names no file")
                .at(self.place.clone(), "is empty")
                .help("the target's folder is `.`; what may be nothing is an empty list, `[]`"));
        }
        let is_glob = Pattern::is_glob(&self.text);
        let path = match is_glob {
            true => normalise(&escape_bytes(dir), &self.text),
            false => normalise(dir, &self.literal()),
        };
        let path = path.map_err(|error| {
            outside(error, (&self.literal(), dir), &self.place).help(match of {
                Use::Reads => {
                    "inputs lie in the workspace, the folder of Taskfile.toml: move the file or \
                     Taskfile.toml,\nor let a target copy it there"
                }
                Use::Writes => {
                    "outputs lie in the workspace, the folder of Taskfile.toml:\na target without \
                     `outputs` may write anywhere, and runs whenever it is asked for"
                }
            })
        })?;
        self.check_path(&path, of)?;
        match is_glob {
            true => Ok(PathOrGlob::Glob(self.pattern(&path)?)),
            false => Ok(PathOrGlob::Path(path)),
        }
    }

    fn check_path(&self, path: &[u8], of: Use) -> Result<(), Diagnostic> {
        if path.starts_with(b"/") {
            let help = match of {
                Use::Reads => {
                    "write it relative to the target's folder, or with `//` from the workspace's root"
                }
                Use::Writes => {
                    "outputs lie in the workspace: write it relative to the target's folder;\na \
                     target without `outputs` may write anywhere, and runs whenever it is asked for"
                }
            };
            return Err(self.refuse("is an absolute path", help));
        }
        match &self.text[..] {
            [b'~', b'/', ..] => {
                let help = "no shell reads this: outputs and inputs lie in the workspace";
                return Err(self.refuse("is not expanded", help));
            }
            [b'$', rest @ ..] => {
                let named = rest.iter().take_while(|&&b| b.is_ascii_alphanumeric() || b == b'_');
                let name = String::from_utf8_lossy(&rest[..named.count()]);
                let help = format!(
                    "no shell reads this: a variable is `{{{{ {name} }}}}`, one of the environment \
                     `{{{{ env.{name} }}}}`"
                );
                return Err(self.refuse("is not expanded", help));
            }
            _ => {}
        }
        if path == STATE_DIR.as_bytes() || path.starts_with(format!("{STATE_DIR}/").as_bytes()) {
            let help = match of {
                Use::Reads => "what a task left in its output folder is reached as `@target`",
                Use::Writes => {
                    "let the command write to `{{ out }}`: what it leaves there is an output \
                     without being declared"
                }
            };
            return Err(self.refuse("lies in taskr's own folder", help));
        }
        Ok(())
    }

    fn refuse(&self, what: &str, help: impl Into<String>) -> Diagnostic {
        Diagnostic::error(format!("`{}` {what}", shown(&self.literal())))
            .at(self.place.clone(), "")
            .help(help)
    }
}

/// A path that leads nowhere: as it was written, and the folder that it starts in.
pub(super) fn outside(
    error: PathError,
    (written, dir): (&[u8], &[u8]),
    place: &Place,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(match error {
        PathError::Outside => format!("`{}` leads out of the workspace", shown(written)),
        PathError::Nul => error.to_string(),
    });
    let diagnostic = diagnostic.at(place.clone(), "");
    match dir {
        [] => diagnostic,
        _ => diagnostic.note(format!("paths of this target start in {}/", shown(dir))),
    }
}

/// What an element names.
pub(super) enum PathOrGlob {
    Path(Vec<u8>),
    Glob(Pattern),
}

/// Characters that mean something in a list of paths.
const SPECIAL: &[u8] = b"*?[]{}!@\\";

/// Characters that mean something somewhere in it: between braces, in a class, at its beginning.
const SPECIAL_SOMEWHERE: &[u8] = b",-^$~";

/// A value, for any place of a text.
fn escape(text: String) -> String {
    let special = |byte: u8| SPECIAL.contains(&byte) || SPECIAL_SOMEWHERE.contains(&byte);
    if !text.bytes().any(special) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if u8::try_from(c).is_ok_and(special) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The same text without the escapes that [`escape`] made and that its place does not need, so that
/// it reads like one that was written.
fn without_needless(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let (mut braces, mut in_class) = (0usize, false);
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'\\', [escaped, behind @ ..]) => {
                let is_needed = match escaped {
                    b'$' | b'~' => false,
                    b',' => braces > 0,
                    b'-' | b'^' => in_class,
                    _ => true,
                };
                if is_needed {
                    plain.push(b'\\');
                }
                plain.push(*escaped);
                rest = behind;
                continue;
            }
            (b'[', _) if !in_class => in_class = true,
            (b']', _) => in_class = false,
            (b'{', _) if !in_class => braces += 1,
            (b'}', _) if !in_class => braces = braces.saturating_sub(1),
            _ => {}
        }
        plain.push(*first);
    }
    plain
}

fn escape_bytes(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for &byte in text {
        if SPECIAL.contains(&byte) {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    escaped
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(byte),
        }
    }
    plain
}
