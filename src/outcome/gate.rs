//! Gates: limits for numbers (`>= 95`), the numbers held against them, and by how much one is off.
//!
//! Pure: knows no file and no task. What a limit and a metric mean is the same for a task's
//! metrics and for those of a run.

use std::fmt;

use taskr_cache::{Coded, In, Out};

/// A finite decimal number as somebody wrote it.
#[derive(Clone, Debug)]
pub struct Number {
    value: f64,
    written: String,
}

impl Number {
    /// Reads one; none if the text is no finite number. `1e3` and `+5` are numbers, `95%` is none.
    pub fn parse(text: &str) -> Option<Number> {
        let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
        Some(Number { value, written: text.to_owned() })
    }

    /// A number of taskr's own, with so many decimals.
    pub fn rounded(value: f64, decimals: usize) -> Number {
        let written = format!("{value:.decimals$}");
        Number { value: written.parse().unwrap_or(value), written }
    }

    /// Its value.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// As JSON has it: without a point where it is whole.
    pub fn to_json(&self) -> serde_json::Value {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.value {
            value if value.fract() == 0.0 && value.abs() < EXACT => (value as i64).into(),
            value => value.into(),
        }
    }

    /// How many digits stand behind its point; none if it is written with an exponent.
    fn decimals(&self) -> Option<usize> {
        if self.written.contains(['e', 'E']) {
            return None;
        }
        Some(self.written.split_once('.').map_or(0, |(_, decimals)| decimals.len()))
    }

    /// How far apart two are, in as many decimals as they were written with: 95 and 94.9 are 0.1.
    fn distance(&self, other: &Number) -> String {
        let distance = (self.value - other.value).abs();
        match (self.decimals(), other.decimals()) {
            (Some(one), Some(another)) => {
                let decimals = one.max(another);
                let text = format!("{distance:.decimals$}");
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                }
            }
            _ => distance.to_string(),
        }
    }
}

/// Two are equal if they are the same number, however they are written.
impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.value == other.value
    }
}

/// Never not a number.
impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// How a number is held against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    AtMost,
    More,
    Less,
    Equal,
    Unequal,
}

/// As they are written; the longer ones first, as others begin like them.
const COMPARISONS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    (">", Comparison::More),
    ("<", Comparison::Less),
];

/// How else people write them.
const OTHER_WORDS: [(&str, &str); 7] =
    [("=>", ">="), ("≥", ">="), ("=<", "<="), ("≤", "<="), ("≠", "!="), ("<>", "!="), ("=", "==")];

/// A limit for one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Of what.
    pub name: String,
    comparison: Comparison,
    limit: Number,
}

impl Coded for Gate {
    fn put(&self, out: &mut Out) {
        let Gate { name, comparison, limit } = self;
        name.put(out);
        let at = COMPARISONS.iter().position(|(_, other)| other == comparison);
        at.put(out);
        limit.written.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Gate> {
        let name = Coded::get(from)?;
        let (_, comparison) = *COMPARISONS.get(Option::<usize>::get(from)??)?;
        let limit = Number::parse(&String::get(from)?)?;
        Some(Gate { name, comparison, limit })
    }
}

impl Gate {
    /// Reads `>= 95`.
    ///
    /// # Errors
    /// What is meant instead, as it would be written, where that is plain.
    pub fn parse(name: &str, text: &str) -> Result<Gate, Option<String>> {
        let text = text.trim();
        let found = COMPARISONS.iter().find_map(|(sign, comparison)| {
            let limit = Number::parse(text.strip_prefix(sign)?.trim_start())?;
            Some(Gate { name: name.to_owned(), comparison: *comparison, limit })
        });
        found.ok_or_else(|| meant(text))
    }

    /// Holds a number against the limit.
    pub fn judge(&self, value: Option<&Number>) -> Judged {
        let (name, must) = (self.name.clone(), self.to_string());
        let Some(value) = value else { return Judged { name, must, value: None, off: None } };
        let off = (!self.passes(value)).then(|| self.off(value));
        Judged { name, must, value: Some(value.clone()), off }
    }

    fn passes(&self, value: &Number) -> bool {
        let (value, limit) = (value.value, self.limit.value);
        match self.comparison {
            Comparison::AtLeast => value >= limit,
            Comparison::AtMost => value <= limit,
            Comparison::More => value > limit,
            Comparison::Less => value < limit,
            Comparison::Equal => value == limit,
            Comparison::Unequal => value != limit,
        }
    }

    /// By how much a number fails: `1.5 short`, `3 over`; empty where it is the limit itself.
    fn off(&self, value: &Number) -> String {
        let distance = value.distance(&self.limit);
        match () {
            () if value.value < self.limit.value => format!("{distance} short"),
            () if value.value > self.limit.value => format!("{distance} over"),
            () => String::new(),
        }
    }
}

/// As it stands in a key and in messages: the same limit is the same text.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = COMPARISONS.iter().find(|(_, comparison)| *comparison == self.comparison);
        write!(f, "{} {}", sign.map_or("", |(sign, _)| sign), self.limit.value)
    }
}

/// What a text that is no limit was surely meant to be.
fn meant(text: &str) -> Option<String> {
    let signs = COMPARISONS.iter().map(|(sign, _)| (*sign, *sign));
    let signs = signs.chain(OTHER_WORDS).chain([("", ">=")]);
    let plain = |number: &str| number.trim().trim_end_matches(['%', 's']).trim_end().to_owned();
    signs
        .filter_map(|(written, sign)| {
            let number = plain(text.strip_prefix(written)?);
            Number::parse(&number).map(|number| format!("{sign} {number}"))
        })
        .find(|meant| meant != text)
}

/// A gate after it was held against a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Of what.
    pub name: String,
    /// The limit: `>= 95`.
    pub must: String,
    /// What it was held against; none if there was no such number.
    pub value: Option<Number>,
    /// Set if it failed and there was a number: by how much.
    off: Option<String>,
}

impl Judged {
    /// Whether the number is within the limit.
    pub fn passed(&self) -> bool {
        self.value.is_some() && self.off.is_none()
    }
}

/// `coverage is 93.5, must be >= 95: 1.5 short`.
impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judged { name, must, value, off } = self;
        match value {
            Some(value) => write!(f, "{name} is {value}, must be {must}")?,
            None => write!(f, "{name} is missing, must be {must}")?,
        }
        match off.as_deref() {
            None | Some("") => Ok(()),
            Some(off) => write!(f, ": {off}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limit: &str, value: &str) -> String {
        let gate = Gate::parse("x", limit).expect("a limit");
        let judged = gate.judge(Number::parse(value).as_ref());
        assert_eq!(judged.passed(), !judged.to_string().contains(':') && value != "95", "{judged}");
        judged.to_string()
    }

    #[test]
    fn a_gate_says_by_how_much_a_number_is_off() {
        for (limit, value, text) in [
            (">= 95", "93.5", "x is 93.5, must be >= 95: 1.5 short"),
            (">= 95", "94.9", "x is 94.9, must be >= 95: 0.1 short"),
            (">= 95", "95.0", "x is 95.0, must be >= 95"),
            (">=95", "1e2", "x is 1e2, must be >= 95"),
            ("== 0", "3", "x is 3, must be == 0: 3 over"),
            ("<= 0.5", "0.75", "x is 0.75, must be <= 0.5: 0.25 over"),
            ("< 20", "1200", "x is 1200, must be < 20: 1180 over"),
            ("> 95", "95", "x is 95, must be > 95"),
            ("!= 0", "-1", "x is -1, must be != 0"),
            ("== -2", "-3.25", "x is -3.25, must be == -2: 1.25 short"),
        ] {
            assert_eq!(told(limit, value), text);
        }
        let missing = Gate::parse("x", ">= 1").expect("a limit").judge(None);
        assert_eq!(
            (missing.passed(), &*missing.to_string()),
            (false, "x is missing, must be >= 1")
        );
    }

    #[test]
    fn what_is_no_limit_is_answered_with_what_was_meant() {
        for (text, expected) in [
            ("95", Some(">= 95")),
            ("=> 95", Some(">= 95")),
            ("= 0", Some("== 0")),
            ("≤ 3", Some("<= 3")),
            (">= 95%", Some(">= 95")),
            ("<= 20s", Some("<= 20")),
            (">= ", None),
            ("high", None),
            (">= nan", None),
            (">= inf", None),
            ("", None),
        ] {
            assert_eq!(Gate::parse("x", text), Err(expected.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn the_same_limit_is_the_same_text() {
        let text = |text| Gate::parse("x", text).expect("a limit").to_string();
        assert_eq!(text(">=95.0"), text("  >=  95 "));
        assert_ne!(text("> 95"), text(">= 95"));
    }

    #[test]
    fn numbers_are_finite() {
        for text in ["", "x", "nan", "inf", "-infinity", "1e999", "95%", "1,5", "0x10", " 1"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert_eq!(Number::rounded(2.999, 2), Number::parse("3").expect("a number"));
    }
}
