//! Reading `matrix`: its axes, and the combinations that are left out.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::read::{Asker, Reader, Value, first_line};
use super::{Target, Text};
use crate::error::{Diagnostic, Place, meant, quoted};

/// The key that is no axis.
const EXCLUDE: &str = "exclude";

/// How exclusions are written.
const EXAMPLE: &str = "exclude = [{ os = \"mac\", db = \"pg\" }]";

/// Combinations that have no task: all that have each of these values.
#[derive(Clone, Debug)]
pub struct Exclusion {
    /// Where it stands.
    pub place: Place,
    /// The place of each axis and its value; never none.
    pub values: IndexMap<String, (Place, Text)>,
}

impl Reader {
    /// The axes of a matrix, and what is left out.
    pub(super) fn matrix(&mut self, target: &mut Target, value: &Value<'_>, table: &DeTable<'_>) {
        let axes = table.iter().filter(|(key, _)| key.get_ref() != EXCLUDE);
        for (key, value) in axes {
            let name: &str = key.get_ref();
            let example = format!("{name} = [\"a\", \"b\"]");
            let asker = Asker { name, asks: "a list of strings", example: &example, filled: true };
            let named = self.plain_name(key, "axis");
            let values = match value.get_ref() {
                DeValue::Array(elements) if elements.is_empty() => self.filled_list(value, asker),
                _ => self.scalars(value, asker),
            };
            if let (true, Some(values)) = (named, values) {
                target.matrix.insert(name.to_owned(), (self.place(key.span()), values));
            }
        }
        match table.iter().find(|(key, _)| key.get_ref() == EXCLUDE) {
            Some((_, value)) => self.exclude(target, value),
            None if table.is_empty() => {
                self.no_axis(self.place(first_line(&self.source.text, value.span())));
            }
            None => {}
        }
    }

    fn no_axis(&mut self, place: Place) {
        let problem = Diagnostic::error("`matrix` is empty").at(place, "no axis");
        self.refuse(problem.help("write matrix = { os = [\"linux\", \"mac\"] }"));
    }

    /// Whether what is left out are combinations of the axes, whichever layers these are from.
    pub(super) fn check_matrix(&mut self, target: &Target) {
        if target.exclude.is_empty() {
            return;
        }
        if target.matrix.is_empty() {
            return self.no_axis(target.place_of("matrix").clone());
        }
        for (name, (place, _)) in target.exclude.iter().flat_map(|one| &one.values) {
            if target.matrix.contains_key(name) {
                continue;
            }
            let help = meant(name, target.matrix.keys().map(String::as_str), "its axes:");
            let problem = Diagnostic::error(format!("the matrix has no axis {}", quoted(name)));
            self.refuse(problem.at(place.clone(), "").help(help));
        }
    }

    fn exclude(&mut self, target: &mut Target, value: &Value<'_>) {
        let asks = "a list of tables";
        let asker = Asker { name: EXCLUDE, asks, example: EXAMPLE, filled: true };
        let elements = match value.get_ref() {
            DeValue::Array(elements) => elements.iter().collect(),
            _ => vec![value],
        };
        for element in elements {
            let Some(table) = self.table(element, asker) else { return };
            let place = self.place(first_line(&self.source.text, element.span()));
            if table.is_empty() {
                let problem =
                    Diagnostic::error("an empty table in `exclude` leaves out everything");
                self.refuse(problem.at(place, "names no axis").help(format!("write {EXAMPLE}")));
                return;
            }
            let values = self.exclusion(table);
            target.exclude.push(Exclusion { place, values });
        }
    }

    fn exclusion(&mut self, table: &DeTable<'_>) -> IndexMap<String, (Place, Text)> {
        let mut values = IndexMap::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let place = self.place(key.span());
            let example = format!("{name} = \"…\"; for two values, write two tables");
            let asker = Asker { name, asks: "one value", example: &example, filled: false };
            if let Some(text) = self.scalar(value, asker) {
                values.insert(name.to_owned(), (place, text));
            }
        }
        values
    }
}
