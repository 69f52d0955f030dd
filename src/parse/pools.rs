//! Reading pools: `[pool.NAME]`, and what a target takes of them.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::Word;
use super::names::is_target;
use super::numbers::Range;
use super::read::{Asker, Key, Reader, Value};
use crate::error::{Diagnostic, Place, nearest, quoted};

/// What several tasks share: so many at once, so many starts in a time.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its key.
    pub place: Place,
    /// So much may be taken at once, and where that is written; without it any number.
    pub slots: Option<(u32, Place)>,
    /// How often one may start.
    pub rate: Option<Rate>,
}

/// Starts in a time, spread evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// From one start of cost 1 to the next, in nanoseconds; never 0.
    pub interval_ns: u64,
}

/// The keys of a pool and how they are written.
const KEYS: [(&str, &str); 2] = [("slots", "slots = 4"), ("rate", "rate = \"100/min\"")];

/// As in `rate = "100/min"`: the unit and its nanoseconds.
const UNITS: [(&str, u64); 4] = [
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// How else people write them.
const OTHER_UNITS: [(&str, &str); 13] = [
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
];

/// What a task may take of a pool, and what a pool may have.
const COST: Range = Range { least: 1, most: 1_000_000 };

impl Reader {
    /// `[pool.NAME]` and what stands in it.
    pub(super) fn pools(&mut self, table: &DeTable<'_>) -> IndexMap<String, Pool> {
        let mut pools = IndexMap::new();
        for (key, value) in table {
            if self.below_table(key, value, "[pool]") || !self.pool_name(key) {
                continue;
            }
            let name: &str = key.get_ref();
            let example = format!("[pool.{name}] and below it slots = 1");
            let asker = Asker { name, asks: "a table", example: &example, filled: true };
            if let Some(pool) = self.table(value, asker).and_then(|table| self.pool(key, table)) {
                pools.insert(name.to_owned(), pool);
            }
        }
        pools
    }

    fn pool_name(&mut self, key: &Key<'_>) -> bool {
        let name: &str = key.get_ref();
        is_target(name) || {
            let place = self.place(key.span());
            let problem =
                Diagnostic::error(format!("{} cannot be the name of a pool", quoted(name)));
            self.refuse(
                problem
                    .at(place, "")
                    .help("names hold the letters A to Z and a to z, digits, `_` and `-`"),
            );
            false
        }
    }

    fn pool(&mut self, key: &Key<'_>, table: &DeTable<'_>) -> Option<Pool> {
        let mut pool = Pool { place: self.place(key.span()), slots: None, rate: None };
        let mut right = true;
        for (key, value) in table {
            let asker = |asks, at: usize| {
                let (name, example) = KEYS[at];
                Asker { name, asks, example, filled: true }
            };
            match &**key.get_ref() {
                "slots" => {
                    let slots = self.number(value, asker("a number", 0), COST);
                    let slots = slots.and_then(|slots| u32::try_from(slots).ok());
                    pool.slots = slots.map(|slots| (slots, self.place(key.span())));
                    right &= slots.is_some();
                }
                "rate" => {
                    pool.rate = self.rate(value, asker("starts in a time", 1));
                    right &= pool.rate.is_some();
                }
                name => {
                    right = false;
                    self.unknown_in_pool(key, name);
                }
            }
        }
        if right && pool.slots.is_none() && pool.rate.is_none() {
            let name = quoted(key.get_ref());
            let problem = Diagnostic::error(format!("pool {name} has neither `slots` nor `rate`"));
            let help = "write how many may run at once, slots = 1, or how often one may start, \
                        rate = \"100/min\"";
            self.refuse(problem.at(pool.place.clone(), "it bounds nothing").help(help));
        }
        Some(pool)
    }

    fn unknown_in_pool(&mut self, key: &Key<'_>, name: &str) {
        let known = KEYS.map(|(known, _)| known);
        let near = nearest(name, known);
        let near = near.and_then(|near| KEYS.iter().find(|(known, _)| *known == near));
        let help = match near {
            Some((near, example)) => format!("did you mean `{near}`, as in: {example}"),
            None => crate::error::listed("a pool has", known),
        };
        let problem = Diagnostic::error(format!("unknown key {} in a pool", quoted(name)));
        let place = self.place(key.span());
        self.refuse(problem.at(place, "").help(help));
    }

    /// `"100/min"`.
    fn rate(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Rate> {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type(value, asker);
        };
        let help = match interval_ns(text) {
            Ok(interval_ns) => return Some(Rate { interval_ns }),
            Err(Some(instead)) => format!("write rate = \"{instead}\""),
            Err(None) => "write a whole number, `/` and one of `s`, `min`, `h` and `d`, as in \
                          rate = \"100/min\""
                .to_owned(),
        };
        self.refuse_word(value, asker, text, &help);
        None
    }

    /// A name, a list of names, or a table of names and costs.
    pub(super) fn pools_of_target(
        &mut self,
        value: &Value<'_>,
        asker: Asker<'_>,
    ) -> Vec<(Word, u32)> {
        let DeValue::Table(table) = value.get_ref() else {
            let names = self.filled_list(value, asker).unwrap_or_default();
            let word = |text: super::Text| {
                (Word { text: text.template.source().to_owned(), place: text.place }, 1)
            };
            let mut pools: Vec<(Word, u32)> = Vec::new();
            for (name, cost) in names.into_iter().map(word) {
                if pools.iter().all(|(known, _)| known.text != name.text) {
                    pools.push((name, cost));
                }
            }
            return pools;
        };
        let mut pools = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let example = format!("pool = {{ {name} = 2 }}");
            let asker = Asker { name, asks: "a number", example: &example, filled: true };
            let cost = self.number(value, asker, COST).and_then(|cost| u32::try_from(cost).ok());
            if let Some(cost) = cost {
                let place = self.place(key.span());
                pools.push((Word { text: name.to_owned(), place }, cost));
            }
        }
        pools
    }
}

/// From one start to the next; else the text that means the same, if that is plain.
fn interval_ns(text: &str) -> Result<u64, Option<String>> {
    let (number, unit) = text.split_once('/').ok_or(None)?;
    let (number, unit) = (number.trim(), unit.trim());
    let count: u64 = number.parse().map_err(|_| None)?;
    if count == 0 {
        return Err(None);
    }
    let lower = unit.to_lowercase();
    if let Some((known, unit_ns)) = UNITS.iter().find(|(known, _)| *known == lower) {
        let written = format!("{number}/{known}");
        let interval = unit_ns / count;
        return if interval == 0 {
            Err(None)
        } else if written == text {
            Ok(interval)
        } else {
            Err(Some(written))
        };
    }
    let other = OTHER_UNITS.iter().find(|(other, _)| *other == lower);
    Err(other.map(|(_, known)| format!("{number}/{known}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [
            ("100/min", Ok(600_000_000)),
            ("2/s", Ok(500_000_000)),
            ("1/h", Ok(3_600_000_000_000)),
            ("3/d", Ok(28_800_000_000_000)),
            ("5/minute", Err(Some("5/min"))),
            ("5/m", Err(Some("5/min"))),
            ("5 / s", Err(Some("5/s"))),
            ("5/S", Err(Some("5/s"))),
            ("0/s", Err(None)),
            ("-1/s", Err(None)),
            ("5", Err(None)),
            ("5/week", Err(None)),
            ("99999999999/s", Err(None)),
        ] {
            let expected = expected.map_err(|instead: Option<&str>| instead.map(str::to_owned));
            assert_eq!(interval_ns(text), expected, "{text}");
        }
    }
}
