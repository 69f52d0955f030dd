//! Why two builds of the same may differ: what stands where they do tells it mostly.
//!
//! A guess, and told as one, but for a place: that is tried.

use std::path::Path;

use super::super::status::unix_ms;

/// What a person would look at first, around the first difference, in bytes.
const AROUND: usize = 48;

/// A path may begin farther away.
const AROUND_PATHS: usize = 512;

/// Fewer bytes are in another order by chance.
const LEAST_ORDER: usize = 64;

/// Why two contents differ, as far as they show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// They name the folder that they were built in, and differ in nothing else.
    Place,
    /// They name it near the first difference.
    NearPlace,
    /// The same lines, or bytes, in another order.
    Order,
    /// When it was built.
    Time,
    /// Who built it, or on which machine.
    Name,
    /// None of these.
    Unknown,
}

impl Cause {
    /// A word for machines.
    pub(super) fn code(self) -> &'static str {
        match self {
            Cause::Place | Cause::NearPlace => "place",
            Cause::Order => "order",
            Cause::Time => "time",
            Cause::Name => "name",
            Cause::Unknown => "unknown",
        }
    }

    /// For people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Cause::Place => "it names the folder in which it was built",
            Cause::NearPlace => "the folder in which it was built stands near",
            Cause::Order => "the same in another order: of files, keys, or what ended first",
            Cause::Time => "it looks like a time",
            Cause::Name => "the user or the machine stands near",
            Cause::Unknown => "no time, place or order: perhaps a random number",
        }
    }
}

/// What guesses are made of.
pub(super) struct Guesser {
    /// Where the two were built.
    roots: [Vec<u8>; 2],
    /// In seconds since 1970: the first of the builds began not earlier.
    begun: u64,
    names: Vec<Vec<u8>>,
}

impl Guesser {
    /// For builds in these two folders, the first of which began at `since_ms`, in milliseconds
    /// since 1970.
    pub(super) fn new(roots: [&Path; 2], since_ms: u64) -> Guesser {
        use std::os::unix::ffi::OsStrExt;
        let host = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
        let user = ["USER", "LOGNAME"].map(|name| std::env::var_os(name).unwrap_or_default());
        let names = user.iter().map(|name| name.as_bytes().to_vec()).chain([host]);
        let names = names.map(|name| name.trim_ascii().to_vec()).filter(|name| name.len() >= 3);
        Guesser {
            roots: roots.map(|root| root.as_os_str().as_bytes().to_vec()),
            begun: (since_ms / 1000).saturating_sub(2),
            names: names.collect(),
        }
    }

    /// Why these may differ, which they do from the byte `at` on.
    pub(super) fn cause(&self, first: &[u8], second: &[u8], at: usize) -> Cause {
        let both = |has: &dyn Fn(&[u8]) -> bool| has(first) && has(second);
        let near = |bytes: &[u8], names: &[u8], reach| contains(around(bytes, at, reach), names);
        if without(first, &self.roots[0]) == without(second, &self.roots[1]) {
            return Cause::Place;
        }
        if same_lines(first, second) {
            return Cause::Order;
        }
        if both(&|bytes| self.is_time(bytes, at)) {
            return Cause::Time;
        }
        if near(first, &self.roots[0], AROUND_PATHS) && near(second, &self.roots[1], AROUND_PATHS) {
            return Cause::NearPlace;
        }
        if first.len() >= LEAST_ORDER && counts(first) == counts(second) {
            return Cause::Order;
        }
        let named = |name: &Vec<u8>| both(&|bytes| near(bytes, name, AROUND));
        if self.names.iter().any(named) { Cause::Name } else { Cause::Unknown }
    }

    /// Whether a date, or a number of seconds since 1970 that lies in these builds, stands at a
    /// byte.
    fn is_time(&self, bytes: &[u8], at: usize) -> bool {
        self.is_decimal(bytes, at)
            || self.is_binary(bytes, at)
            || is_date(around(bytes, at, AROUND))
    }

    fn is_now(&self, seconds: u64) -> bool {
        (self.begun..=unix_ms() / 1000 + 2).contains(&seconds)
    }

    /// Seconds, or thousandths and so on of them; or seconds in octal digits.
    fn is_decimal(&self, bytes: &[u8], at: usize) -> bool {
        let is_digit = |at: &usize| bytes.get(*at).is_some_and(u8::is_ascii_digit);
        let begin = (0..at).rev().take_while(is_digit).last().unwrap_or(at);
        let end = (at..bytes.len()).take_while(is_digit).last().map_or(at, |last| last + 1);
        let digits = std::str::from_utf8(&bytes[begin.min(bytes.len())..end.min(bytes.len())]);
        let digits = digits.unwrap_or_default();
        let seconds = match digits.len() {
            10 | 13 | 16 | 19 => digits[..10].parse(),
            // As tar writes it.
            11 => u64::from_str_radix(digits, 8),
            _ => return false,
        };
        seconds.is_ok_and(|seconds| self.is_now(seconds))
    }

    /// In four or eight bytes, in either order.
    fn is_binary(&self, bytes: &[u8], at: usize) -> bool {
        (0..4).any(|back| {
            let word = at.checked_sub(back).and_then(|at| bytes.get(at..)?.first_chunk::<4>());
            word.is_some_and(|word| {
                self.is_now(u32::from_le_bytes(*word).into())
                    || self.is_now(u32::from_be_bytes(*word).into())
            })
        })
    }
}

/// The year of now, or hours, minutes and seconds.
fn is_date(text: &[u8]) -> bool {
    let years = unix_ms() / 1000 / 31_556_952;
    let year = (1970 + years).to_string();
    let is_clock = |six: &[u8]| {
        six.iter().enumerate().all(|(at, byte)| match at % 3 {
            2 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
    };
    contains(text, year.as_bytes()) || text.windows(8).any(is_clock)
}

fn around(bytes: &[u8], at: usize, reach: usize) -> &[u8] {
    let begin = at.saturating_sub(reach).min(bytes.len());
    &bytes[begin..at.saturating_add(reach).min(bytes.len())]
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

/// The bytes with a mark for each time that they name `root`.
fn without(bytes: &[u8], root: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut left = Vec::with_capacity(bytes.len());
    while let Some((&first, behind)) = rest.split_first() {
        match rest.strip_prefix(root).filter(|_| !root.is_empty()) {
            Some(behind) => {
                left.push(0);
                rest = behind;
            }
            None => {
                left.push(first);
                rest = behind;
            }
        }
    }
    left
}

fn same_lines(first: &[u8], second: &[u8]) -> bool {
    let lines = |bytes: &[u8]| {
        let mut lines: Vec<Vec<u8>> =
            bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort_unstable();
        lines
    };
    first.len() == second.len() && lines(first) == lines(second)
}

fn counts(bytes: &[u8]) -> [u64; 256] {
    let mut counts = [0; 256];
    bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(first: &[u8], second: &[u8]) -> Cause {
        let guesser = Guesser {
            roots: [b"/tmp/one".to_vec(), b"/tmp/run-2".to_vec()],
            begun: unix_ms() / 1000 - 60,
            names: vec![b"carol".to_vec()],
        };
        let at = first.iter().zip(second).take_while(|(one, other)| one == other).count();
        guesser.cause(first, second, at)
    }

    #[test]
    fn what_stands_at_the_difference_tells_the_cause() {
        let now = unix_ms() / 1000;
        let (one, other) = (now - 20, now - 11);
        let year = 1970 + now / 31_556_952;
        let text = |text: String| text.into_bytes();
        let binary =
            |seconds: u64| [b"\x1f\x8b\x08\0", &(seconds as u32).to_le_bytes()[..]].concat();
        let shuffled = (0..100_u8).rev().collect::<Vec<_>>();
        for (first, second, expected) in [
            (b"at /tmp/one/x".to_vec(), b"at /tmp/run-2/x".to_vec(), Cause::Place),
            (b"at /tmp/one/x 17".to_vec(), b"at /tmp/run-2/x 4".to_vec(), Cause::NearPlace),
            (b"b\na\nc\n".to_vec(), b"a\nb\nc\n".to_vec(), Cause::Order),
            ((0..100).collect(), shuffled, Cause::Order),
            (text(format!("t={one}\n")), text(format!("t={other}\n")), Cause::Time),
            (text(format!("{one}123")), text(format!("{other}456")), Cause::Time),
            (text(format!("{one:o}")), text(format!("{other:o}")), Cause::Time),
            (binary(one), binary(other), Cause::Time),
            (text(format!("Mon {year} a")), text(format!("Tue {year} b")), Cause::Time),
            (b"made 10:11:12".to_vec(), b"made 10:11:13".to_vec(), Cause::Time),
            (b"carol 5f3a".to_vec(), b"carol 77b1".to_vec(), Cause::Name),
            (b"5f3a".to_vec(), b"77b1".to_vec(), Cause::Unknown),
            (b"ab".to_vec(), b"ba".to_vec(), Cause::Unknown),
            (b"1234567890".to_vec(), b"1234567891".to_vec(), Cause::Unknown),
            (b"".to_vec(), b"x".to_vec(), Cause::Unknown),
        ] {
            let shown = (first.escape_ascii().to_string(), second.escape_ascii().to_string());
            assert_eq!(cause(&first, &second), expected, "{shown:?}");
        }
    }
}
