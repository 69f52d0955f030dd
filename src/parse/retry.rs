//! Reading `retry`: how often a failed attempt is followed by another, and after which wait.

use taskr_cache::{Coded, In, Out, many, put_many};
use toml::de::{DeTable, DeValue};

use super::numbers::Range;
use super::read::{Asker, Key, Reader, Value};
use crate::error::{Diagnostic, meant, quoted};

/// Further attempts after the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How many.
    pub times: u32,
    /// The wait before the second attempt, in milliseconds.
    pub backoff_ms: u64,
    /// So many times as long is each further wait; at least 1.
    pub factor: f64,
    /// No wait is longer, in milliseconds.
    pub max_ms: u64,
    /// Only these exit codes are tried again; all failures if there is none.
    pub on_exit: Vec<i32>,
}

impl Coded for Retry {
    fn put(&self, out: &mut Out) {
        let Retry { times, backoff_ms, factor, max_ms, on_exit } = self;
        times.put(out);
        backoff_ms.put(out);
        factor.to_bits().put(out);
        max_ms.put(out);
        put_many(out, on_exit);
    }

    fn get(from: &mut In<'_>) -> Option<Retry> {
        Some(Retry {
            times: Coded::get(from)?,
            backoff_ms: Coded::get(from)?,
            factor: f64::from_bits(Coded::get(from)?),
            max_ms: Coded::get(from)?,
            on_exit: many(from)?,
        })
    }
}

impl Retry {
    /// So many further attempts, with the usual waits: about one second, then twice as long each
    /// time, at most half a minute.
    fn times(times: u32) -> Retry {
        Retry { times, backoff_ms: 1000, factor: 2.0, max_ms: 30_000, on_exit: Vec::new() }
    }
}

impl std::fmt::Display for Retry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Retry { times, backoff_ms, factor, max_ms, on_exit } = self;
        write!(f, "{times} times; waits from {backoff_ms} ms, times {factor}, to {max_ms} ms")?;
        match &on_exit[..] {
            [] => Ok(()),
            codes => {
                let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
                write!(f, "; of exit codes {}", codes.join(", "))
            }
        }
    }
}

/// The keys of the table.
const KEYS: [&str; 5] = ["times", "backoff", "factor", "max", "on_exit"];

/// How the table is written.
const TABLE: &str = r#"retry = { times = 3, backoff = "2s" }"#;

/// More attempts than this serve nobody.
const TIMES: Range = Range { least: 0, most: 1000 };

impl Reader {
    /// A number, or a table.
    pub(super) fn retry(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Retry> {
        match value.get_ref() {
            DeValue::Integer(_) => {
                let times = self.number(value, asker, TIMES)?;
                Some(Retry::times(u32::try_from(times).ok()?))
            }
            DeValue::Table(table) => self.retry_table(value, table),
            _ => self.wrong_type(value, asker),
        }
    }

    fn retry_table(&mut self, value: &Value<'_>, table: &DeTable<'_>) -> Option<Retry> {
        let mut retry = Retry::times(1);
        let mut all = Some(());
        for (key, value) in table {
            let read = self.retry_key(&mut retry, key, value);
            all = all.and(read);
        }
        if !table.contains_key("times") {
            let problem = Diagnostic::error("`retry` does not say how often");
            let place = self.place(super::read::first_line(&self.source.text, value.span()));
            self.refuse(problem.at(place, "no `times`").help(format!("write {TABLE}")));
            return None;
        }
        all.map(|()| retry)
    }

    fn retry_key(&mut self, retry: &mut Retry, key: &Key<'_>, value: &Value<'_>) -> Option<()> {
        let asker = |name, asks, example| Asker { name, asks, example, filled: true };
        match &**key.get_ref() {
            "times" => {
                let asker = asker("times", "a number", "times = 3");
                retry.times = u32::try_from(self.number(value, asker, TIMES)?).ok()?;
            }
            "backoff" => {
                let asker = asker("backoff", "a duration", r#"backoff = "1s""#);
                retry.backoff_ms = self.duration(value, asker)?.ms;
            }
            "max" => {
                let asker = asker("max", "a duration", r#"max = "30s""#);
                retry.max_ms = self.duration(value, asker)?.ms;
            }
            "factor" => {
                let asker = asker("factor", "a number", "factor = 2.0");
                retry.factor = self.decimal(value, asker, (1.0, 100.0))?;
            }
            "on_exit" => retry.on_exit = self.exit_codes(value)?,
            name => {
                let help = meant(name, KEYS, "`retry` has");
                let problem = Diagnostic::error(format!("unknown key {} in `retry`", quoted(name)));
                let place = self.place(key.span());
                self.refuse(problem.at(place, "").help(help));
                return None;
            }
        }
        Some(())
    }

    /// A list of exit codes, or one.
    fn exit_codes(&mut self, value: &Value<'_>) -> Option<Vec<i32>> {
        let example = "on_exit = [75]";
        let asker = Asker { name: "on_exit", asks: "a list of exit codes", example, filled: true };
        let range = Range { least: 1, most: 255 };
        let mut code = |value: &Value<'_>| {
            self.number(value, asker, range).and_then(|code| i32::try_from(code).ok())
        };
        match value.get_ref() {
            DeValue::Integer(_) => Some(vec![code(value)?]),
            DeValue::Array(codes) if !codes.is_empty() => {
                let codes: Vec<Option<i32>> = codes.iter().map(code).collect();
                codes.into_iter().collect()
            }
            DeValue::Array(_) => {
                let place = self.place(value.span());
                let problem = Diagnostic::error("`on_exit` is empty").at(place, "");
                self.refuse(
                    problem.help("write on_exit = [75], or leave it out: all are tried again"),
                );
                None
            }
            _ => self.wrong_type(value, asker),
        }
    }
}
