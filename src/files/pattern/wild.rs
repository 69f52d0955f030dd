//! One component of a pattern against one name, and what two sequences with wildcards share.
//!
//! Names are read in units: a Unicode scalar, or a byte that is not part of valid UTF-8. So `?`
//! is one character to a person, and every name can be matched.

/// What one `?` matches: a scalar's number, or [`RAW`] and a byte.
pub(super) type Unit = u32;

/// The first number above the scalars; a byte outside UTF-8 is `RAW` + its value.
const RAW: Unit = 0x11_0000;

/// The greatest unit there is.
pub(super) const LAST_UNIT: Unit = RAW + 0xFF;

/// Whether wildcards see names that start with a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dots {
    Hidden,
    Shown,
}

/// What stands between two slashes of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Component {
    /// This name.
    Name(Vec<u8>),
    /// `**`: any number of names, none included.
    Deep,
    /// One name that fits the tokens, of which at least one is a wildcard.
    Wild(Vec<Token>),
}

/// A part of a component.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Token {
    Unit(Unit),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `[a-z]`: ranges, both ends included, sorted and apart.
    Class(Vec<(Unit, Unit)>),
}

impl Component {
    pub(super) fn is_deep(&self) -> bool {
        matches!(self, Component::Deep)
    }

    /// Whether this name may stand here; for `**`, whether it may be among its names.
    pub(super) fn accepts(&self, name: &[u8], dots: Dots) -> bool {
        let hidden = dots == Dots::Hidden && name.starts_with(b".");
        match self {
            Component::Name(own) => own == name,
            Component::Deep => !hidden,
            Component::Wild(tokens) => {
                (!hidden || tokens[0] == Token::Unit(Unit::from(b'.'))) && fits(tokens, name)
            }
        }
    }

    /// Whether one name could stand at both. `**` meets every component.
    pub(super) fn meets(&self, other: &Component) -> bool {
        match (self, other) {
            (Component::Deep, _) | (_, Component::Deep) => true,
            (Component::Name(name), any) | (any, Component::Name(name)) => {
                any.accepts(name, Dots::Shown)
            }
            (Component::Wild(a), Component::Wild(b)) => common(a, b, Token::is_star, Token::meets),
        }
    }
}

impl Token {
    fn is_star(&self) -> bool {
        matches!(self, Token::Star)
    }

    fn accepts(&self, unit: Unit) -> bool {
        match self {
            Token::Unit(own) => *own == unit,
            Token::Any | Token::Star => true,
            Token::Class(ranges) => ranges.iter().any(|&(low, high)| low <= unit && unit <= high),
        }
    }

    fn meets(&self, other: &Token) -> bool {
        match (self, other) {
            (Token::Any | Token::Star, _) | (_, Token::Any | Token::Star) => true,
            (Token::Unit(unit), any) | (any, Token::Unit(unit)) => any.accepts(*unit),
            (Token::Class(a), Token::Class(b)) => {
                a.iter().any(|x| b.iter().any(|y| x.0 <= y.1 && y.0 <= x.1))
            }
        }
    }
}

/// The first unit of `bytes`, which are not empty, and its length in bytes.
pub(super) fn unit(bytes: &[u8]) -> (Unit, usize) {
    let width = match bytes[0] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let text = bytes.get(..width).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match text.and_then(|text| text.chars().next()) {
        Some(scalar) => (scalar.into(), width),
        None => (RAW + Unit::from(bytes[0]), 1),
    }
}

/// The bytes of units that [`unit`] read.
pub(super) fn bytes_of(units: impl Iterator<Item = Unit>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for unit in units {
        match char::from_u32(unit) {
            Some(scalar) => bytes.extend_from_slice(scalar.encode_utf8(&mut [0; 4]).as_bytes()),
            None => bytes.push((unit & 0xFF) as u8),
        }
    }
    bytes
}

/// Whether the whole name fits. Where a token does not fit, the last star takes one unit more;
/// earlier stars never need to, so the cost is at most tokens × units.
fn fits(tokens: &[Token], name: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if tokens.get(token).is_some_and(Token::is_star) {
            token += 1;
            star = Some((token, at));
            if token == tokens.len() {
                return true;
            }
        } else if at == name.len() {
            return token == tokens.len();
        } else {
            let (unit, width) = unit(&name[at..]);
            if tokens.get(token).is_some_and(|token| token.accepts(unit)) {
                (token, at) = (token + 1, at + width);
            } else if let Some((behind, from)) = star {
                (token, at) = (behind, from + self::unit(&name[from..]).1);
                star = Some((token, at));
            } else {
                return false;
            }
        }
    }
}

/// Whether two sequences, in which `is_star` elements stand for any number of things and all
/// others for one that `meets`, have a sequence of things in common. Goes once over the table of
/// all pairs of positions, a row at a time.
pub(super) fn common<T>(
    a: &[T],
    b: &[T],
    is_star: impl Fn(&T) -> bool,
    meets: impl Fn(&T, &T) -> bool,
) -> bool {
    let mut row = vec![false; b.len() + 1];
    row[0] = true;
    for i in 0..=a.len() {
        let x = a.get(i);
        let mut below = vec![false; b.len() + 1];
        for j in 0..=b.len() {
            if !row[j] {
                continue;
            }
            let y = b.get(j);
            let (x_star, y_star) = (x.is_some_and(&is_star), y.is_some_and(&is_star));
            // A star ends, or takes what the other side has here.
            if x_star || (y_star && x.is_some()) {
                below[j] = true;
            }
            if y_star || (x_star && y.is_some()) {
                row[j + 1] = true;
            }
            if let (Some(x), Some(y)) = (x, y)
                && !x_star
                && !y_star
                && meets(x, y)
            {
                below[j + 1] = true;
            }
        }
        if i < a.len() {
            row = below;
        }
    }
    row[b.len()]
}
