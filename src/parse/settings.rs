//! Reading `[taskr]`: how many tasks run at once and what is shown of them, when a whole run has to
//! stop, and its gates.

use toml::de::DeTable;

use super::fields::{Field, SETTINGS, find};
use super::read::{Reader, Value};
use super::{Duration, Taskfile};

/// When a whole run has to stop.
#[derive(Clone, Debug, Default)]
pub struct RunLimits {
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// After so many failures nothing new starts; at least 1.
    pub max_failures: Option<usize>,
    /// The same once more than such a part of what ran has failed, from 0 to 1.
    pub max_failure_rate: Option<f64>,
}

impl Reader {
    pub(super) fn settings(&mut self, file: &mut Taskfile, table: &DeTable<'_>) {
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            match find(SETTINGS, key.get_ref()) {
                None => self.unknown_setting(key, value),
                Some(field) => self.setting(file, field, value),
            }
        }
    }

    fn setting(&mut self, file: &mut Taskfile, field: &'static Field, value: &Value<'_>) {
        let limits = &mut file.limits;
        match field.name {
            "timeout" => limits.timeout = self.duration(value, field.into()),
            "max_failures" => limits.max_failures = self.count(value, field.into()),
            "max_failure_rate" => {
                limits.max_failure_rate = self.decimal(value, field.into(), (0.0, 1.0));
            }
            "gitignore" => file.gitignore = self.flag(value, field.into()).unwrap_or(true),
            "output" => file.output = self.text(value, field.into()),
            "requires" => self.requires(value, field),
            "gates" => {
                let table = self.table(value, field.into());
                file.gates = table.map(|table| self.gates(table)).unwrap_or_default();
            }
            "env" => {
                let inherits = self.inherit(value, field.into());
                file.inherit = inherits.then(|| self.place(value.span()));
            }
            _ => file.jobs = self.scalar(value, field.into()),
        }
    }
}
