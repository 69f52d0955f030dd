//! The combinations of a matrix.

use rustc_hash::FxHashSet;

use super::MOST_TASKS;
use super::expand::Prepared;
use super::text::nothing_ready;
use crate::error::{Diagnostic, listed, nearest, quoted};
use crate::parse::{self, Exclusion};

/// Axes and values, in the order of the axes.
pub(super) type Combination = Vec<(String, String)>;

impl Prepared<'_> {
    /// All combinations of the matrix but those that are left out: the last axis moves fastest.
    pub(super) fn combinations(&self) -> Result<Vec<Combination>, Vec<Diagnostic>> {
        let mut axes = Vec::with_capacity(self.source.matrix.len());
        let mut count = 1usize;
        for (axis, (place, texts)) in &self.source.matrix {
            let values = self.axis(axis, texts).map_err(|wrong| vec![wrong])?;
            count = count.saturating_mul(values.len());
            if count > MOST_TASKS {
                let what =
                    "this matrix has more combinations than the million tasks that taskr takes";
                return Err(vec![Diagnostic::error(what).at(place.clone(), "with this axis")]);
            }
            axes.push((axis, values));
        }
        let mut combinations: Vec<Combination> = vec![Vec::new()];
        for (axis, values) in &axes {
            let longer = |combination: Combination| {
                values.iter().map(move |value| {
                    let own = std::iter::once(((*axis).clone(), value.clone()));
                    combination.iter().cloned().chain(own).collect()
                })
            };
            combinations = combinations.into_iter().flat_map(longer).collect();
        }
        self.without_excluded(combinations)
    }

    /// The values of an axis, each once.
    fn axis(&self, axis: &str, texts: &[parse::Text]) -> Result<Vec<String>, Diagnostic> {
        let mut values = Vec::new();
        let mut seen = FxHashSet::default();
        for text in texts {
            for value in self.values(text)? {
                if !seen.insert(value.clone()) {
                    let what = format!("the axis `{axis}` has the value {} twice", quoted(&value));
                    return Err(Diagnostic::error(what)
                        .at(text.place.clone(), "")
                        .help("remove one: there is a task for each value"));
                }
                values.push(value);
            }
        }
        Ok(values)
    }

    fn values(&self, text: &parse::Text) -> Result<Vec<String>, Diagnostic> {
        let resolve = |name: &str| self.scope.value(name, &nothing_ready);
        let words = self.scope.settled(text, text.template.words(&resolve))?;
        Ok(words.unwrap_or_default())
    }

    fn without_excluded(
        &self,
        mut combinations: Vec<Combination>,
    ) -> Result<Vec<Combination>, Vec<Diagnostic>> {
        let mut wrong = Vec::new();
        for exclusion in &self.source.exclude {
            match self.excluded(exclusion, &combinations) {
                Ok(excluded) => {
                    combinations.retain(|one| !excluded.iter().all(|value| one.contains(value)));
                }
                Err(diagnostics) => wrong.extend(diagnostics),
            }
            if combinations.is_empty() && wrong.is_empty() {
                wrong.push(
                    Diagnostic::error("`exclude` leaves no combination")
                        .at(exclusion.place.clone(), "the last one goes here")
                        .help("leave out fewer; to skip the target, write `when`"),
                );
                break;
            }
        }
        if wrong.is_empty() { Ok(combinations) } else { Err(wrong) }
    }

    /// The values that one exclusion names.
    fn excluded(
        &self,
        exclusion: &Exclusion,
        left: &[Combination],
    ) -> Result<Combination, Vec<Diagnostic>> {
        let (mut all, mut wrong) = (Vec::new(), Vec::new());
        for (axis, (_, text)) in &exclusion.values {
            match self.values(text).as_deref() {
                Ok([value]) => all.push((axis.clone(), value.clone())),
                Ok(_) => wrong.push(
                    Diagnostic::error("an exclusion takes one value for each axis")
                        .at(text.place.clone(), "gives a list")
                        .help("write a table for each value"),
                ),
                Err(diagnostic) => wrong.push(diagnostic.clone()),
            }
        }
        wrong.extend(all.iter().filter_map(|(axis, value)| self.no_value(exclusion, axis, value)));
        let is_left =
            |one: &Combination| all.iter().all(|value: &(String, String)| one.contains(value));
        if wrong.is_empty() && !left.iter().any(is_left) {
            wrong.push(
                Diagnostic::error("this combination is left out already")
                    .at(exclusion.place.clone(), "")
                    .help("remove it"),
            );
        }
        if wrong.is_empty() { Ok(all) } else { Err(wrong) }
    }

    fn no_value(&self, exclusion: &Exclusion, axis: &str, value: &str) -> Option<Diagnostic> {
        let (_, texts) = self.source.matrix.get(axis)?;
        let values = texts.iter().flat_map(|text| self.values(text).unwrap_or_default());
        let values: Vec<String> = values.collect();
        if values.iter().any(|own| own == value) {
            return None;
        }
        let all = || values.iter().map(String::as_str);
        let help = match nearest(value, all()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => listed(&format!("values of `{axis}`:"), all()),
        };
        let place = exclusion.values.get(axis).map(|(_, text)| text.place.clone());
        let message = format!("the axis `{axis}` has no value {}", quoted(value));
        Some(Diagnostic::error(message).at(place, "").help(help))
    }
}
