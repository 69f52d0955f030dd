//! The text of a glob, read into components: one list of them for each way through its braces.
//!
//! Text becomes pieces (a token or a slash, each with its offset), braces multiply the lists of
//! pieces as they close, and each list is then cut at its slashes. No recursion: depth of braces
//! costs memory, not stack.

use std::fmt;

use super::path::names;
use super::wild::{Component, LAST_UNIT, Token, Unit, bytes_of, unit};

/// Braces may multiply to so many alternatives. A guard against `{a,b}{a,b}…`, far above use.
const MAX_ALTERNATIVES: usize = 1024;

/// What is wrong in the text of a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Where, in bytes from the start of the text.
    pub offset: usize,
    /// What is wrong, as half a sentence.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl PatternError {
    fn new(offset: usize, message: &str, help: impl Into<String>) -> PatternError {
        PatternError { offset, message: message.to_owned(), help: help.into() }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl std::error::Error for PatternError {}

/// A glob without braces.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Alternative {
    pub(super) absolute: bool,
    /// Never two `**` in a row, and none at the end: there it is `**` and `*`.
    pub(super) components: Vec<Component>,
}

impl Alternative {
    pub(super) fn literal(path: &[u8]) -> Alternative {
        let components = names(path).map(|name| Component::Name(name.to_vec())).collect();
        Alternative { absolute: path.starts_with(b"/"), components }
    }

    pub(super) fn tree(dir: &[u8]) -> Alternative {
        let mut tree = Alternative::literal(dir);
        tree.components.extend([Component::Deep, Component::Wild(vec![Token::Star])]);
        tree
    }

    /// The only path that matches, if there are no wildcards.
    pub(super) fn path(&self) -> Option<Vec<u8>> {
        let names: Vec<&[u8]> = self.fixed().collect();
        (names.len() == self.components.len()).then(|| join(self.absolute, &names))
    }

    /// The components before a `**` at the end, and that `**`; `None` if it ends otherwise.
    pub(super) fn above_tree(&self) -> Option<&[Component]> {
        match &self.components[..] {
            [above @ .., Component::Wild(last)]
                if matches!(above, [.., Component::Deep]) && last[..] == [Token::Star] =>
            {
                Some(above)
            }
            _ => None,
        }
    }

    /// What every match begins with.
    fn begin(&self) -> Vec<u8> {
        let names: Vec<&[u8]> = self.fixed().collect();
        let mut begin = join(self.absolute, &names);
        let Some(next) = self.components.get(names.len()) else { return begin };
        if !names.is_empty() {
            begin.push(b'/');
        }
        if let Component::Wild(tokens) = next {
            let units = tokens.iter().map_while(|token| match token {
                Token::Unit(unit) => Some(*unit),
                _ => None,
            });
            begin.extend(bytes_of(units));
        }
        begin
    }

    /// The names before the first wildcard.
    fn fixed(&self) -> impl Iterator<Item = &[u8]> {
        self.components.iter().map_while(|component| match component {
            Component::Name(name) => Some(&name[..]),
            _ => None,
        })
    }
}

fn join(absolute: bool, names: &[&[u8]]) -> Vec<u8> {
    let mut path = if absolute { b"/".to_vec() } else { Vec::new() };
    path.extend_from_slice(&names.join(&b'/'));
    path
}

/// The deepest directory that all matches of all alternatives lie below.
pub(super) fn base(alternatives: &[Alternative]) -> Vec<u8> {
    let above = |way: &Alternative| way.components.len().saturating_sub(1);
    let mut shared: Vec<&[u8]> = alternatives[0].fixed().take(above(&alternatives[0])).collect();
    for way in &alternatives[1..] {
        let own = way.fixed().take(above(way));
        shared.truncate(own.zip(&shared).take_while(|(a, b)| a == *b).count());
    }
    join(alternatives[0].absolute, &shared)
}

/// What all matches of all alternatives begin with.
pub(super) fn fixed(alternatives: &[Alternative]) -> Vec<u8> {
    let mut shared = alternatives[0].begin();
    for way in &alternatives[1..] {
        let same = shared.iter().zip(way.begin()).take_while(|(a, b)| **a == *b).count();
        shared.truncate(same);
    }
    shared
}

/// The text of a glob that matches this path only.
pub(super) fn escape(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len());
    for &byte in path {
        if b"*?[]{}\\,".contains(&byte) {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text
}

/// Reads a glob. At least one alternative; all absolute, or none.
pub(super) fn alternatives(text: &[u8]) -> Result<Vec<Alternative>, PatternError> {
    let ways = expand(text)?;
    let ways = ways.iter().map(|way| alternative(way, text)).collect::<Result<Vec<_>, _>>()?;
    if ways.iter().any(|way| way.absolute != ways[0].absolute) {
        return Err(PatternError::new(
            0,
            "one glob leads both into the workspace and to an absolute path",
            "write two",
        ));
    }
    Ok(ways)
}

/// A token, or the `/` between components.
#[derive(Clone)]
struct Piece {
    token: Option<Token>,
    offset: usize,
}

/// A pair of braces that is being read, or the text around all of them.
struct Group {
    offset: usize,
    /// The branches before the last comma.
    done: Vec<Vec<Piece>>,
    /// The present branch: several lists where braces inside it have multiplied it.
    open: Vec<Vec<Piece>>,
}

impl Group {
    fn new(offset: usize) -> Group {
        Group { offset, done: Vec::new(), open: vec![Vec::new()] }
    }

    fn next_branch(&mut self) {
        self.done.append(&mut self.open);
        self.open.push(Vec::new());
    }

    /// Continues each open list with each of a closed group's.
    fn multiply(&mut self, mut inner: Group) -> Result<(), PatternError> {
        inner.next_branch();
        if self.open.len() * inner.done.len() > MAX_ALTERNATIVES {
            return Err(PatternError::new(
                inner.offset,
                "these braces stand for more than 1024 globs",
                "use wildcards, or several globs",
            ));
        }
        let continued = |list: &Vec<Piece>| {
            let list = list.clone();
            inner.done.iter().map(move |end| [&list[..], end].concat()).collect::<Vec<_>>()
        };
        self.open = self.open.iter().flat_map(continued).collect();
        Ok(())
    }
}

/// All ways through the braces, in the order of the text.
fn expand(text: &[u8]) -> Result<Vec<Vec<Piece>>, PatternError> {
    let mut outer: Vec<Group> = Vec::new();
    let mut group = Group::new(0);
    let mut at = 0;
    while at < text.len() {
        let (offset, byte) = (at, text[at]);
        at += 1;
        match byte {
            b'{' => outer.push(std::mem::replace(&mut group, Group::new(offset))),
            b',' if !outer.is_empty() => group.next_branch(),
            b'}' => {
                let Some(around) = outer.pop() else {
                    let help = r"write `\}` for the character itself";
                    return Err(PatternError::new(offset, "no `{` stands before this `}`", help));
                };
                let inner = std::mem::replace(&mut group, around);
                group.multiply(inner)?;
            }
            _ => {
                let (token, end) = piece(text, offset)?;
                at = end;
                let piece = Piece { token, offset };
                group.open.iter_mut().for_each(|list| list.push(piece.clone()));
            }
        }
    }
    if !outer.is_empty() {
        let help = r"close it with `}`, or write `\{` for the character itself";
        return Err(PatternError::new(group.offset, "this `{` is not closed", help));
    }
    Ok(group.open)
}

/// The token at `at` (`None`: a slash) and the offset behind it.
fn piece(text: &[u8], at: usize) -> Result<(Option<Token>, usize), PatternError> {
    let (token, end) = match text[at] {
        b'/' => return Ok((None, at + 1)),
        b'*' => (Token::Star, at + 1),
        b'?' => (Token::Any, at + 1),
        b'[' => class(text, at)?,
        _ => {
            let (unit, end) = plain(text, at)?;
            (Token::Unit(unit), end)
        }
    };
    Ok((Some(token), end))
}

/// The unit at `at`, which a backslash may make plain, and the offset behind it.
fn plain(text: &[u8], at: usize) -> Result<(Unit, usize), PatternError> {
    let escaped = text[at] == b'\\';
    match &text[at + usize::from(escaped)..] {
        [] | [b'/', ..] if escaped => Err(PatternError::new(
            at,
            "nothing stands behind this backslash",
            r"write `\\` for the character itself",
        )),
        rest => {
            let (unit, width) = unit(rest);
            Ok((unit, at + usize::from(escaped) + width))
        }
    }
}

/// The class that starts at `open`, and the offset behind it. As in shells, a `]` that comes first
/// and a `-` that comes first or last are plain; `^` is read as `!`.
fn class(text: &[u8], open: usize) -> Result<(Token, usize), PatternError> {
    let negated = matches!(text.get(open + 1), Some(b'!' | b'^'));
    let first = open + 1 + usize::from(negated);
    let mut ranges = Vec::new();
    let mut at = first;
    loop {
        match text.get(at) {
            None | Some(b'/') => {
                let help = r"close it with `]`, or write `\[` for the character itself";
                return Err(PatternError::new(open, "this `[` is not closed", help));
            }
            Some(b']') if at > first => break,
            Some(_) => {}
        }
        let start = at;
        let (low, end) = plain(text, at)?;
        at = end;
        let mut high = low;
        if text.get(at) == Some(&b'-') && !matches!(text.get(at + 1), None | Some(b']' | b'/')) {
            (high, at) = plain(text, at + 1)?;
        }
        if high < low {
            return Err(PatternError::new(
                start,
                "this range ends before it starts",
                "write the lower character first",
            ));
        }
        ranges.push((low, high));
    }
    ranges.sort_unstable();
    Ok((Token::Class(if negated { complement(&ranges) } else { ranges }), at + 1))
}

/// The units outside of sorted ranges.
fn complement(ranges: &[(Unit, Unit)]) -> Vec<(Unit, Unit)> {
    let mut gaps = Vec::new();
    let mut next = 0;
    for &(low, high) in ranges {
        if next < low {
            gaps.push((next, low - 1));
        }
        next = next.max(high + 1);
    }
    if next <= LAST_UNIT {
        gaps.push((next, LAST_UNIT));
    }
    gaps
}

/// Cuts one way through the braces at its slashes.
fn alternative(pieces: &[Piece], text: &[u8]) -> Result<Alternative, PatternError> {
    let absolute = pieces.first().is_some_and(|piece| piece.token.is_none());
    let mut components: Vec<Component> = Vec::new();
    for part in pieces.split(|piece| piece.token.is_none()).filter(|part| !part.is_empty()) {
        match component(part, text)? {
            Component::Name(name) if name == b"." => {}
            Component::Deep if components.last().is_some_and(Component::is_deep) => {}
            component => components.push(component),
        }
    }
    if components.last().is_some_and(Component::is_deep) {
        components.push(Component::Wild(vec![Token::Star]));
    }
    if components.is_empty() {
        let help = "write `**` for everything below the workspace's root";
        return Err(PatternError::new(0, "this glob names nothing", help));
    }
    Ok(Alternative { absolute, components })
}

fn component(part: &[Piece], text: &[u8]) -> Result<Component, PatternError> {
    let tokens: Vec<Token> = part.iter().filter_map(|piece| piece.token.clone()).collect();
    if tokens[..] == [Token::Star, Token::Star] {
        return Ok(Component::Deep);
    }
    if let Some(at) = tokens.windows(2).position(|pair| pair == [Token::Star, Token::Star]) {
        return Err(glued(part[at].offset, text));
    }
    let units = tokens.iter().map_while(|token| match token {
        Token::Unit(unit) => Some(*unit),
        _ => None,
    });
    if units.clone().count() < tokens.len() {
        return Ok(Component::Wild(tokens));
    }
    match bytes_of(units) {
        name if name == b".." => Err(PatternError::new(
            part[0].offset,
            "`..` cannot stand inside braces",
            "write the directory out, or two globs",
        )),
        name => Ok(Component::Name(name)),
    }
}

/// The error for `**` beside other characters, with what may have been meant.
fn glued(offset: usize, text: &[u8]) -> PatternError {
    let is_slash = |byte: &u8| *byte == b'/';
    let start = text[..offset].iter().rposition(is_slash).map_or(0, |slash| slash + 1);
    let end = text[offset..].iter().position(is_slash).map_or(text.len(), |len| offset + len);
    let before = String::from_utf8_lossy(&text[start..offset]);
    let behind = String::from_utf8_lossy(&text[offset..end]);
    let behind = behind.trim_start_matches('*');
    let help = match (before.is_empty(), behind.is_empty()) {
        (true, _) => format!("write `**/*{behind}` for any depth, or `*{behind}` for one folder"),
        (_, true) => format!("write `{before}*/**` for any depth, or `{before}*` for one folder"),
        _ => format!(
            "write `{before}*/**/*{behind}` for any depth, or `{before}*{behind}` for one folder"
        ),
    };
    PatternError::new(offset, "`**` must stand alone between slashes", help)
}
