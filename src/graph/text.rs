//! Strings of the Taskfile to paths, patterns and references.
//!
//! Values that an expression puts into a path are literal: they are escaped before the text is
//! read as a pattern, so a file named `[id].tsx` is that file.

use super::rule::{Input, Output, Placed, Ref, Text};
use super::scope::Scope;
use crate::error::{Diagnostic, Place, quoted};
use crate::expr::{ExprError, Problem, Value};
use crate::files::{PathError, Pattern, normalise, relative_to};
use crate::outcome::shown;
use crate::outdir::STATE_DIR;
use crate::parse;

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

/// Names that only ready tasks know are unknown while the graph is made.
pub(super) fn nothing_ready(_: &str) -> Result<Option<Value>, Problem> {
    Ok(None)
}

/// One element of a list after expansion, still with escapes: what came from an expression is
/// literal.
pub(super) struct Element {
    text: Vec<u8>,
    place: Place,
}

impl Element {
    /// Expands one string of a list field; a whole-element expression may give several.
    pub(super) fn expand(text: &parse::Text, scope: &Scope) -> Result<Vec<Element>, Diagnostic> {
        let resolve = |name: &str| scope.value(name, &nothing_ready);
        let words = text
            .template
            .words_with(&resolve, &escape)
            .map_err(|error| diagnostic(&error, Some(text.place_of(error.range.clone()))))?;
        let place = &text.place;
        Ok(words
            .into_iter()
            .map(|word| Element { text: word.into_bytes(), place: place.clone() })
            .collect())
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The element for people, as it was written.
    pub(super) fn shown(&self) -> String {
        shown(&self.text)
    }

    /// The element as plain text.
    pub(super) fn literal(&self) -> Vec<u8> {
        unescape(&self.text)
    }

    /// The element without its first character, if that is `prefix`.
    fn strip(&self, prefix: u8) -> Option<Element> {
        let text = self.text.strip_prefix(&[prefix])?.to_vec();
        Some(Element { text, place: self.place.clone() })
    }

    /// Reads an element of `inputs`.
    pub(super) fn input(&self, dir: &[u8]) -> Result<Placed<Input>, Diagnostic> {
        let place = Some(self.place.clone());
        if let Some(rest) = self.strip(b'@') {
            let value = rest.outputs_of()?;
            return Ok(Placed { value, place });
        }
        if let Some(rest) = self.strip(b'!') {
            let pattern = match rest.path(dir)? {
                PathOrGlob::Path(path) => {
                    self.pattern(&[&escape_bytes(&path)[..], b"{,/**}"].concat())?
                }
                PathOrGlob::Glob(pattern) => pattern,
            };
            return Ok(Placed { value: Input::Not(pattern), place });
        }
        let (rest, optional) = match self.strip(b'?') {
            Some(rest) => (rest, true),
            None => (Element { text: self.text.clone(), place: self.place.clone() }, false),
        };
        let value = match rest.path(dir)? {
            PathOrGlob::Path(path) => Input::Path { path, optional },
            PathOrGlob::Glob(pattern) => Input::Glob { pattern, optional },
        };
        Ok(Placed { value, place })
    }

    /// Reads an element of `outputs`.
    pub(super) fn output(&self, dir: &[u8]) -> Result<Placed<Output>, Diagnostic> {
        if let [first @ (b'!' | b'?' | b'@'), ..] = &self.text[..] {
            let what = format!("an output cannot start with `{}`", char::from(*first));
            return Err(Diagnostic::error(what)
                .at(self.place.clone(), "")
                .help("outputs are paths, folders or globs, as in `outputs = [\"bin/app\"]`"));
        }
        let value = match self.path(dir)? {
            PathOrGlob::Path(path) => Output::Path(path),
            PathOrGlob::Glob(pattern) => Output::Glob(pattern),
        };
        Ok(Placed { value, place: Some(self.place.clone()) })
    }

    /// Reads an element of `installs`.
    pub(super) fn install(&self, dir: &[u8]) -> Result<Placed<Vec<u8>>, Diagnostic> {
        match self.path(dir)? {
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
        self.path(dir)
    }

    /// A `!glob` without its mark.
    pub(super) fn negated(&self) -> Option<Element> {
        self.strip(b'!')
    }

    /// A `?glob` without its mark.
    pub(super) fn optional(&self) -> Option<Element> {
        self.strip(b'?')
    }

    /// Reads a reference: `obj`, `obj@db=pg`, `obj@src/*.c`.
    pub(super) fn reference(&self) -> Result<Ref, Diagnostic> {
        let text = String::from_utf8_lossy(&self.literal()).into_owned();
        if let Some(name) = text.strip_prefix('@') {
            return Err(Diagnostic::error(format!("{} is not a target's name", quoted(&text)))
                .at(self.place.clone(), "")
                .help(format!("write it without `@`: {}", quoted(name))));
        }
        Ok(Ref { text, place: Some(self.place.clone()) })
    }

    /// Reads what stands behind `@`: a reference, and perhaps `:glob`.
    fn outputs_of(&self) -> Result<Input, Diagnostic> {
        let colon = self.text.iter().position(|&byte| byte == b':');
        let (reference, only) = match colon {
            Some(at) => (&self.text[..at], Some(self.pattern(&self.text[at + 1..])?)),
            None => (&self.text[..], None),
        };
        let reference = Element { text: reference.to_vec(), place: self.place.clone() };
        Ok(Input::Outputs { of: reference.reference()?, only })
    }

    fn pattern(&self, text: &[u8]) -> Result<Pattern, Diagnostic> {
        Pattern::parse(text).map_err(|error| {
            Diagnostic::error(error.message)
                .at(self.place.clone(), "in this pattern")
                .help(error.help)
        })
    }

    fn path(&self, dir: &[u8]) -> Result<PathOrGlob, Diagnostic> {
        let is_glob = Pattern::is_glob(&self.text);
        let path = match is_glob {
            true => normalise(&escape_bytes(dir), &self.text),
            false => normalise(dir, &self.literal()),
        };
        let path = path.map_err(|error| self.refuse_path(error))?;
        if path.starts_with(b"/") {
            let help =
                "write it relative to the target's folder, or with `//` from the workspace's root";
            return Err(self.refuse("is an absolute path", Some(help)));
        }
        if let [b'~', b'/', ..] | [b'$', ..] = &self.text[..] {
            let help = "no shell reads this: outputs and inputs lie in the workspace";
            return Err(self.refuse("is not expanded", Some(help)));
        }
        if path == STATE_DIR.as_bytes() || path.starts_with(format!("{STATE_DIR}/").as_bytes()) {
            let help = "what a task left in its output folder is reached as `@target`";
            return Err(self.refuse("lies in taskr's own folder", Some(help)));
        }
        match is_glob {
            true => Ok(PathOrGlob::Glob(self.pattern(&path)?)),
            false => Ok(PathOrGlob::Path(path)),
        }
    }

    fn refuse_path(&self, error: PathError) -> Diagnostic {
        Diagnostic::error(error.to_string()).at(self.place.clone(), "")
    }

    fn refuse(&self, what: &str, help: Option<&str>) -> Diagnostic {
        Diagnostic::error(format!("`{}` {what}", shown(&self.literal())))
            .at(self.place.clone(), "")
            .help_if(help.map(str::to_owned))
    }
}

/// What an element names.
pub(super) enum PathOrGlob {
    Path(Vec<u8>),
    Glob(Pattern),
}

/// Characters that mean something in a list of paths.
const SPECIAL: &[u8] = b"*?[]{}!@\\";

fn escape(text: String) -> String {
    if !text.bytes().any(|byte| SPECIAL.contains(&byte)) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if u8::try_from(c).is_ok_and(|byte| SPECIAL.contains(&byte)) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
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
