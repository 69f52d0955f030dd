//! What a target takes from `[defaults]`: they never make one recorded that is not, and never close a
//! circle. Knows no graph: what the defaults themselves need is found by the names and paths that are
//! written out.

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Command, Layer, NOT_OF_SERVICES, POLICY_FIELDS, Target, Text};
use crate::files::{Pattern, normalise};

/// What a target without a command takes from the defaults.
const OF_GROUPS: [&str; 5] = ["doc", "deps", "after", "vars", "private"];

/// What one target takes from the defaults: they never make it recorded, and never a circle.
pub(super) struct Takes {
    has_command: bool,
    is_recorded: bool,
    always: bool,
    has_outputs: bool,
    is_reached: bool,
    is_service: bool,
    /// Whether it has tasks for several items or values.
    is_many: bool,
    has_items: bool,
}

impl Takes {
    /// `is_reached`: whether the defaults themselves need the target.
    pub(super) fn of(target: &Target, is_reached: bool) -> Takes {
        Takes {
            has_command: target.command.is_some(),
            is_recorded: target.command.is_some() && is_recorded(target),
            always: target.always,
            has_outputs: target.outputs.as_ref().is_some_and(|outputs| !outputs.is_empty()),
            is_reached,
            is_service: target.service.service,
            has_items: target.foreach.is_some(),
            is_many: target.foreach.is_some() || !target.matrix.is_empty(),
        }
    }

    /// Whether it takes a field.
    pub(super) fn field(&self, field: &str) -> bool {
        match field {
            "use" => false,
            "require" => self.is_many,
            "batch" => self.has_items && self.is_recorded,
            _ if self.is_service && NOT_OF_SERVICES.contains(&field) => false,
            "inputs" => self.is_recorded && !self.is_reached,
            "deps" | "after" => !self.is_reached,
            "outputs" => self.is_recorded,
            "keep_outputs" => self.is_recorded && self.has_outputs,
            "fresh_if" | "max_age" => self.is_recorded && !self.always,
            _ if POLICY_FIELDS.contains(&field) => self.is_recorded,
            _ => self.has_command || OF_GROUPS.contains(&field),
        }
    }
}

/// Whether a target can be up to date without the defaults. A `foreach` counts where it surely is
/// one over files.
fn is_recorded(target: &Target) -> bool {
    let is_of_files = |text: &Text| {
        let written = text.template.source();
        written.contains('/') || written.starts_with('@') || Pattern::is_glob(written.as_bytes())
    };
    let command = match &target.command {
        Some(Command::Shell(texts) | Command::Exec(texts)) => &texts[..],
        None => &[],
    };
    let mut names = command.iter().flat_map(|text| text.template.names());
    target.inputs.is_some()
        || target.outputs.is_some()
        || target.installs.is_some()
        || target.depfile.is_some()
        || target.foreach.iter().flatten().any(is_of_files)
        || names.any(|name| &*name.path == "depfile")
}

/// The targets that the defaults themselves need, as far as names and paths are written out.
pub(super) fn reached(
    layers: &[Arc<Layer>],
    targets: &IndexMap<String, Target>,
) -> FxHashSet<String> {
    let mut makers: FxHashMap<String, &str> = FxHashMap::default();
    for target in targets.values() {
        let outputs = target.outputs.iter().chain(&target.installs).flatten();
        let paths = outputs.filter_map(|text| path_of(target, text));
        makers.extend(paths.map(|path| (path, target.name.as_str())));
    }
    let mut found = FxHashSet::default();
    let mut open: Vec<&Target> = layers.iter().map(|layer| &layer.fields).collect();
    while let Some(of) = open.pop() {
        let inputs = of.inputs.iter().chain(&of.foreach).flatten();
        let read = inputs.filter_map(|text| path_of(of, text));
        let made = read.filter_map(|path| {
            let mut ends = path.match_indices('/').map(|(at, _)| &path[..at]);
            makers.get(&path).or_else(|| ends.find_map(|folder| makers.get(folder))).copied()
        });
        let names: Vec<&str> = references(of).chain(made).collect();
        let new = names.into_iter().filter_map(|name| targets.get(name));
        open.extend(new.filter(|target| found.insert(target.name.clone())));
    }
    found
}

/// A path that is written out, from the file's folder.
fn path_of(target: &Target, text: &Text) -> Option<String> {
    let written = text.template.as_literal()?;
    let path = written.strip_prefix('?').unwrap_or(written);
    let dir = target.dir.as_ref().map_or(Some(""), |dir| dir.template.as_literal())?;
    let path = normalise(dir.as_bytes(), path.as_bytes()).ok()?;
    String::from_utf8(path).ok()
}

/// The targets that one names in `deps`, `after` and `inputs`.
fn references(target: &Target) -> impl Iterator<Item = &str> {
    let ordered = target.deps.iter().chain(&target.after);
    let ordered = ordered.map(|text| text.template.source());
    let inputs = target.inputs.iter().flatten();
    let read = inputs.filter_map(|text| text.template.source().strip_prefix('@'));
    ordered.chain(read).filter_map(|name| name.split(['@', ':']).next())
}
