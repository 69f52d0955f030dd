//! Reading numbers within bounds.

use toml::de::DeValue;

use super::read::{Asker, Reader, Value};
use crate::error::Diagnostic;

/// What a number may be, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) least: i64,
    pub(super) most: i64,
}

impl Reader {
    /// A whole number of a range.
    pub(super) fn number(
        &mut self,
        value: &Value<'_>,
        asker: Asker<'_>,
        range: Range,
    ) -> Option<i64> {
        let DeValue::Integer(number) = value.get_ref() else {
            return self.wrong_type(value, asker);
        };
        let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let read = read.filter(|read| (range.least..=range.most).contains(read));
        if read.is_none() {
            let Range { least, most } = range;
            self.out_of_range(value, asker, &format!("{least} to {most}"));
        }
        read
    }

    /// A number of tasks: at least 1.
    pub(super) fn count(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<usize> {
        let number = self.number(value, asker, Range { least: 1, most: 1_000_000 })?;
        usize::try_from(number).ok()
    }

    /// A number that may have a point, between two, both included.
    pub(super) fn decimal(
        &mut self,
        value: &Value<'_>,
        asker: Asker<'_>,
        (least, most): (f64, f64),
    ) -> Option<f64> {
        let read = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number as f64),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => return self.wrong_type(value, asker),
        };
        let read = read.filter(|read| (least..=most).contains(read));
        if read.is_none() {
            self.out_of_range(value, asker, &format!("{least} to {most}"));
        }
        read
    }

    fn out_of_range(&mut self, value: &Value<'_>, asker: Asker<'_>, range: &str) {
        let given = self.source.text[value.span()].to_owned();
        let problem = Diagnostic::error(format!("`{}` cannot be {given}", asker.name));
        let place = self.place(value.span());
        self.refuse(
            problem
                .at(place, "")
                .help(format!("it takes a number from {range}, as in {}", asker.example)),
        );
    }
}
