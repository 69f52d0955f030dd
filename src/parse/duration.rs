//! Reading a length of time: `"90s"`, `"1.5h"`, `"7d"`.
//!
//! One number and one unit, so that a value reads the same way everywhere. What other tools take
//! (`"1h30m"`, `90`, `"5 min"`) is answered with the same length as it is written here.

use toml::de::DeValue;

use super::Word;
use super::read::{Asker, Reader, Value};
use super::syntax::in_quotes;
use crate::error::{Diagnostic, quoted};

/// A length of time as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duration {
    /// In milliseconds, never 0.
    pub ms: u64,
    /// Its text.
    pub written: Word,
}

/// The units, largest first, and their milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// How else people call them.
const OTHER_WORDS: [(&str, &str, u64); 18] = [
    ("day", "d", 1),
    ("days", "d", 1),
    ("w", "d", 7),
    ("week", "d", 7),
    ("weeks", "d", 7),
    ("hour", "h", 1),
    ("hours", "h", 1),
    ("hr", "h", 1),
    ("min", "m", 1),
    ("mins", "m", 1),
    ("minute", "m", 1),
    ("minutes", "m", 1),
    ("sec", "s", 1),
    ("secs", "s", 1),
    ("second", "s", 1),
    ("seconds", "s", 1),
    ("millis", "ms", 1),
    ("milliseconds", "ms", 1),
];

/// The longest: a thousand years.
const MOST_MS: u64 = 365_000 * 86_400_000;

impl Reader {
    /// A length of time.
    pub(super) fn duration(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Duration> {
        let place = self.place(value.span());
        let name = asker.name;
        let text = match value.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(number) => {
                let text = format!("{name} = {}", in_quotes(&format!("{number}s")));
                let problem = Diagnostic::error(format!("`{name}` has no unit"));
                self.refuse(
                    problem.at(place, "a number").help(format!("for seconds write {text}")),
                );
                return None;
            }
            _ => return self.wrong_type(value, asker),
        };
        match milliseconds(text) {
            Ok(ms) => {
                let written = Word { text: text.to_string(), place };
                Some(Duration { ms, written })
            }
            Err(wrong) => {
                let message = format!("{} {}", quoted(text), wrong.what());
                let help = wrong.help(name, asker.example);
                self.refuse(Diagnostic::error(message).at(place, "").help(help));
                None
            }
        }
    }
}

/// The milliseconds that a text of the command line means.
///
/// # Errors
/// It means none, or is not written so; how it is, where that is plain.
pub fn milliseconds_of(text: &str) -> Result<u64, Option<String>> {
    milliseconds(text).map_err(|wrong| match wrong {
        Wrong::Other(instead) => instead,
        _ => None,
    })
}

/// Why a text is no length of time.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// Something else; how the same is written, where that is plain.
    Other(Option<String>),
    Expression,
    Zero,
    TooLong,
}

impl Wrong {
    fn what(&self) -> &'static str {
        match self {
            Wrong::Other(_) => "is no duration",
            Wrong::Expression => "is no duration: an expression cannot stand here",
            Wrong::Zero => "is no time at all",
            Wrong::TooLong => "is longer than a thousand years",
        }
    }

    fn help(&self, name: &str, example: &str) -> String {
        match self {
            Wrong::Other(Some(text)) => format!("write {name} = \"{text}\""),
            Wrong::Zero => format!("write {example}, or leave `{name}` out"),
            Wrong::TooLong => format!("write less, as in {example}, or leave `{name}` out"),
            Wrong::Other(None) | Wrong::Expression => format!(
                "write a number and one of the units `ms`, `s`, `m`, `h` and `d`, as in {example}"
            ),
        }
    }
}

/// The milliseconds that a text means.
fn milliseconds(text: &str) -> Result<u64, Wrong> {
    if text.contains("{{") {
        return Err(Wrong::Expression);
    }
    let parts = parts(text).ok_or(Wrong::Other(None))?;
    let total = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.ms()?));
    let total = total.filter(|&ms| ms <= MOST_MS).ok_or(Wrong::TooLong)?;
    match &parts[..] {
        _ if total == 0 => Err(Wrong::Zero),
        [part] if part.as_written() == text => Ok(total),
        [part] if part.times == 1 => Err(Wrong::Other(Some(part.as_written()))),
        _ => Err(Wrong::Other(Some(shortest(total)))),
    }
}

/// A number and its unit.
struct Part<'t> {
    whole: &'t str,
    fraction: &'t str,
    unit: &'static str,
    /// So many of the unit for one of what was written: a week has 7 days.
    times: u64,
}

impl Part<'_> {
    fn as_written(&self) -> String {
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{}{point}{}{}", self.whole, self.fraction, self.unit)
    }

    /// Rounded down. None if it is too long.
    fn ms(&self) -> Option<u64> {
        let unit = UNITS.iter().find(|(name, _)| *name == self.unit).map_or(0, |(_, ms)| *ms);
        let unit = unit * self.times;
        let whole = self.whole.parse::<u64>().ok()?.checked_mul(unit)?;
        let digits = self.fraction.bytes().take(9);
        let (fraction, scale) = digits.fold((0, 1), |(sum, scale): (u64, u64), digit| {
            (sum * 10 + u64::from(digit - b'0'), scale * 10)
        });
        let fraction = u128::from(fraction) * u128::from(unit) / u128::from(scale);
        whole.checked_add(u64::try_from(fraction).ok()?)
    }
}

/// The numbers of a text and their units, read as generously as they can be.
fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let whole = digits(&mut rest)?;
        let point = rest.strip_prefix(['.', ',']);
        let fraction = match point {
            Some(behind) => {
                rest = behind;
                digits(&mut rest)?
            }
            None => "",
        };
        rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind.trim_start();
        let (unit, times) = unit(&word.to_lowercase())?;
        parts.push(Part { whole, fraction, unit, times });
    }
    (!parts.is_empty()).then_some(parts)
}

/// The digits at the start of a text, at least one.
fn digits<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, behind) = rest.split_at(end);
    *rest = behind;
    (!digits.is_empty()).then_some(digits)
}

fn unit(word: &str) -> Option<(&'static str, u64)> {
    let own = UNITS.iter().find(|(name, _)| *name == word).map(|(name, _)| (*name, 1));
    let other = || OTHER_WORDS.iter().find(|(other, ..)| *other == word);
    own.or_else(|| other().map(|&(_, unit, times)| (unit, times)))
}

/// In the largest unit that gives a whole number.
fn shortest(ms: u64) -> String {
    let fits = UNITS.iter().find(|(_, unit)| ms.is_multiple_of(*unit));
    let (name, unit) = fits.copied().unwrap_or(("ms", 1));
    format!("{}{name}", ms / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, ms) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("1.5h", 5_400_000),
            ("0.25s", 250),
            ("500ms", 500),
            ("0.0015s", 1),
            ("1.99999999999999999999s", 1_999),
            ("365000d", MOST_MS),
        ] {
            assert_eq!(milliseconds(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_else_means_a_time_is_told_as_it_is_written_here() {
        for (text, instead) in [
            ("5 min", "5m"),
            (" 90s ", "90s"),
            ("90S", "90s"),
            ("1,5h", "1.5h"),
            ("2 weeks", "14d"),
            ("1h30m", "90m"),
            ("1d 12h", "36h"),
            ("1m 30.5s", "90500ms"),
        ] {
            assert_eq!(milliseconds(text), Err(Wrong::Other(Some(instead.to_owned()))), "{text}");
            assert!(milliseconds(instead).is_ok(), "{instead}");
        }
    }

    #[test]
    fn what_means_no_time_is_refused() {
        for text in ["", "s", "7", "-1s", "1e3s", ".5s", "1.s", "P7D", "12:30", "7 parsecs", "٣s"]
        {
            assert_eq!(milliseconds(text), Err(Wrong::Other(None)), "{text}");
        }
        assert_eq!(milliseconds("{{ age }}"), Err(Wrong::Expression));
        for text in ["0s", "0.0001s", "0d0h"] {
            assert_eq!(milliseconds(text), Err(Wrong::Zero), "{text}");
        }
        for text in ["365001d", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(milliseconds(text), Err(Wrong::TooLong), "{text}");
        }
    }
}
