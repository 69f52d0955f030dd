//! Errors as values, and the one way they are shown.
//!
//! An error says what is wrong in the user's words, where, and what to write instead. It does
//! not know who shows it: `render` gives text, the caller chooses the stream, the colours and the
//! width. That a user's command fails is no error here; it travels as data.

#[cfg(test)]
mod cases;
mod nearest;
mod render;
mod system;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(test)]
pub(crate) use cases::answered;
use rustc_hash::FxHashMap;
use taskr_cache::{Coded, In, Out};

pub use nearest::nearest;
pub use render::{render, render_all, render_diagnostics};
pub use system::{remedy, said};

/// A text that errors point into.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as it is shown: `Taskfile.toml`.
    pub name: String,
    /// The whole text. Spans are byte ranges of it.
    pub text: String,
}

impl Coded for Source {
    fn put(&self, out: &mut Out) {
        let Source { name, text } = self;
        name.put(out);
        text.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Source> {
        Some(Source { name: Coded::get(from)?, text: Coded::get(from)? })
    }
}

/// A piece of a source.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The text it lies in.
    pub source: Arc<Source>,
    /// Bytes of that text, on character boundaries.
    pub span: Range<usize>,
}

impl Coded for Place {
    fn put(&self, out: &mut Out) {
        let Place { source, span } = self;
        out.shared(source);
        span.start.put(out);
        span.end.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Place> {
        Some(Place { source: from.shared()?, span: Coded::get(from)?..Coded::get(from)? })
    }
}

impl Place {
    /// The bytes `span` of `source`.
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Place {
        Place { source: Arc::clone(source), span }
    }

    /// The same for equal places of one source, and for no others while both live.
    pub fn id(&self) -> (usize, usize, usize) {
        (Arc::as_ptr(&self.source) as usize, self.span.start, self.span.end)
    }

    /// What stands there.
    pub fn text(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or("")
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        let before = &self.source.text.as_bytes()[..self.span.start];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The column, in characters, counted from 1.
    pub fn column(&self) -> usize {
        let before = &self.source.text[..self.span.start];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        before[line..].chars().count() + 1
    }
}

/// `Taskfile.toml:3:12`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line(), self.column())
    }
}

/// `Taskfile.toml:12..17`: short, because places hang on everything that was read.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.source.name, self.span.start, self.span.end)
    }
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// taskr does not go on.
    Error,
    /// taskr goes on.
    Warning,
}

/// One thing that is wrong in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Level,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// A few words under the place; may be empty.
    pub label: String,
    /// Other places that belong to it, each with its label.
    pub also: Vec<(Place, String)>,
    /// Facts worth knowing.
    pub notes: Vec<String>,
    /// What to write or do instead; may have several lines.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Level::Error, message.into())
    }

    /// A warning.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Level::Warning, message.into())
    }

    /// The texts that it points into.
    fn sources(&self) -> impl Iterator<Item = &Source> {
        let places = self.place.iter().chain(self.also.iter().map(|(place, _)| place));
        places.map(|place| &*place.source)
    }

    fn new(level: Level, message: String) -> Diagnostic {
        Diagnostic {
            level,
            message,
            place: None,
            label: String::new(),
            also: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Sets the place, if it is known, and what stands under it.
    #[must_use]
    pub fn at(mut self, place: impl Into<Option<Place>>, label: impl Into<String>) -> Diagnostic {
        self.place = place.into();
        self.label = label.into();
        self
    }

    /// Adds another place, if it is known.
    #[must_use]
    pub fn also(mut self, place: impl Into<Option<Place>>, label: impl Into<String>) -> Diagnostic {
        self.also.extend(place.into().map(|place| (place, label.into())));
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// Says what to do instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Says what to do instead, if anything is known.
    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Diagnostic {
        self.help = help;
        self
    }
}

/// What ends taskr before, or instead of, a build.
#[derive(Debug)]
pub enum Error {
    /// The command line asks for something that does not exist or does not fit.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead.
        help: Option<String>,
    },
    /// The Taskfile is wrong. Never empty; the order does not matter.
    Taskfile(Vec<Diagnostic>),
    /// Another taskr works in this workspace, and the user does not want to wait. The text says
    /// which one.
    Busy(String),
    /// A signal came before anything was started; its number.
    Interrupted(i32),
    /// The system refused something that taskr cannot do without.
    Io {
        /// What was being done, to be followed by the path: `cannot read`.
        doing: String,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// What was asked for is there, but cannot be told.
    Output {
        /// Where it was to go: `stdout`.
        to: String,
        /// What the system said.
        cause: io::Error,
    },
}

impl Error {
    /// The texts that are wrong.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let wrong = match self {
            Error::Taskfile(wrong) => &wrong[..],
            _ => &[],
        };
        wrong.iter().flat_map(Diagnostic::sources)
    }

    /// The exit code of a taskr that ends with this error. 75 is `EX_TEMPFAIL` of sysexits.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage { .. } | Error::Taskfile(_) | Error::Io { .. } => 2,
            Error::Output { .. } => 1,
            Error::Busy(_) => 75,
            // 128 + n as shells say it; the program ends by the signal itself where it can.
            Error::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(1),
        }
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Error {
        Error::Taskfile(vec![diagnostic])
    }
}

/// A word of the user within a message: in backquotes, cut when it is long.
pub fn quoted(word: &str) -> String {
    const LONGEST: usize = 60;
    if word.is_empty() {
        return "\"\"".to_owned();
    }
    match word.char_indices().nth(LONGEST) {
        None => format!("`{word}`"),
        Some((end, _)) => format!("`{}…`", &word[..end]),
    }
}

/// Many targets that share one mistake are answered once: what is said twice with one place.
pub fn each_once(mut wrong: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut told = HashSet::new();
    wrong.retain(|one| {
        let place = one.place.as_ref().map(Place::id);
        place.is_none_or(|place| told.insert((place, one.message.clone())))
    });
    wrong
}

/// What was meant by a word that is not known: the nearest one, or all behind `before`.
pub fn meant<'w, I>(word: &str, known: I, before: &str) -> String
where
    I: IntoIterator<Item = &'w str> + Clone,
{
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => listed(before, known),
    }
}

/// Words of taskr behind some others, each in backquotes, in lines of about 70 columns.
pub fn listed<'w>(before: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let mut text = before.to_owned();
    let mut column = text.len();
    for (at, word) in words.iter().enumerate() {
        let and = if at > 0 && at + 1 == words.len() { "and " } else { "" };
        let comma = if at + 2 < words.len() { "," } else { "" };
        let word = format!("{and}`{word}`{comma}");
        let blank = if column + word.len() > 70 { '\n' } else { ' ' };
        column = if blank == '\n' { word.len() } else { column + 1 + word.len() };
        text.push(blank);
        text.push_str(&word);
    }
    text
}

/// What is wrong at one place is told once, with how many more `things` it holds for. What `shared`
/// does not hold for is told each time.
pub fn told_once(
    wrong: Vec<Diagnostic>,
    thing: &str,
    shared: impl Fn(&Place) -> bool,
) -> Vec<Diagnostic> {
    let mut told: Vec<(Diagnostic, usize)> = Vec::new();
    let mut places: FxHashMap<(usize, usize, usize), usize> = FxHashMap::default();
    for one in wrong {
        let place = one.place.as_ref().filter(|place| shared(place)).map(Place::id);
        match place.and_then(|place| places.get(&place).copied()) {
            Some(at) => told[at].1 += 1,
            None => {
                places.extend(place.map(|place| (place, told.len())));
                told.push((one, 0));
            }
        }
    }
    let with_count = |(one, more): (Diagnostic, usize)| match more {
        0 => one,
        1 => one.note(format!("the same holds for one more {thing}")),
        more => one.note(format!("the same holds for {more} more {thing}s")),
    };
    told.into_iter().map(with_count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_line_and_text() {
        let source = Arc::new(Source { name: "T".into(), text: "a\nbc\nd".into() });
        let place = Place::new(&source, 2..4);
        assert_eq!((place.line(), place.text()), (2, "bc"));
        assert_eq!(format!("{place:?}"), "T:2..4");
        assert_eq!(Place::new(&source, 0..0).line(), 1);
        assert_eq!(place.to_string(), "T:2:1");
        assert_eq!(Place::new(&source, 3..4).to_string(), "T:2:2");
    }

    #[test]
    fn exit_codes() {
        let usage = Error::Usage { message: "x".into(), help: None };
        let io = Error::Io {
            doing: "cannot read".into(),
            path: "x".into(),
            cause: io::Error::from_raw_os_error(13),
        };
        let full = io::Error::from_raw_os_error(28);
        let out = Error::Output { to: "stdout".into(), cause: full };
        let codes = [usage, Diagnostic::error("x").into(), io, out, Error::Busy("x".into())]
            .map(|e| e.exit_code());
        assert_eq!(codes, [2, 2, 2, 1, 75]);
    }

    #[test]
    fn long_words_are_cut_on_a_character() {
        assert_eq!(quoted("run"), "`run`");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted(&"é".repeat(100)), format!("`{}…`", "é".repeat(60)));
    }
}
