//! `[defaults]` and `[template.NAME]`: fields that are written once and belong to many targets.
//!
//! Says which layers a target has, and in which order. How two layers become one is said in `merge`,
//! what of the defaults a target takes in `inherit`, how a mistake in one is told in `whose`.

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxHashSet;
use toml::de::{DeTable, DeValue};

use super::full_name::split_pick;
use super::inherit::{Takes, reached};
use super::merge::merge;
use super::names::is_target;
use super::read::{Asker, Key, Reader, Value};
use super::target::Owner;
use super::{Target, Taskfile, Text, Word, told_once};
use crate::error::{Diagnostic, Error, Place, each_once, listed, nearest, quoted};
use crate::expr::Template;

/// A table of fields that targets take over.
#[derive(Debug)]
pub struct Layer {
    /// As it stands in the file: `[defaults]`, `[template.cc]`.
    pub header: String,
    /// Its fields. The name and the place are those of the table.
    pub fields: Target,
    /// The bytes of its lines, piece by piece.
    extent: Vec<Range<usize>>,
    /// Whether it was read without a mistake.
    is_sound: bool,
}

impl Layer {
    fn for_packages(&self) -> Layer {
        let mut fields = self.fields.clone();
        for text in fields.deps.iter_mut().chain(&mut fields.after) {
            name_the_root(text, "");
        }
        for text in fields.inputs.iter_mut().chain(&mut fields.foreach).flatten() {
            name_the_root(text, "@");
        }
        let (header, extent) = (self.header.clone(), self.extent.clone());
        Layer { header, fields, extent, is_sound: self.is_sound }
    }

    /// Whether a place lies in its lines.
    pub(super) fn holds(&self, place: &Place) -> bool {
        Arc::ptr_eq(&self.fields.place.source, &place.source)
            && self.extent.iter().any(|lines| lines.contains(&place.span.start))
    }
}

/// What targets of a file can take over, and those of the packages below it.
#[derive(Clone, Debug, Default)]
pub struct Reuse {
    /// `[defaults]`, and those of a Taskfile that several packages share; the strongest first.
    pub defaults: Vec<Arc<Layer>>,
    /// `[template.NAME]` by the name, in the order of the file.
    pub templates: IndexMap<String, Arc<Layer>>,
}

impl Reuse {
    /// All of them.
    pub fn layers(&self) -> impl Iterator<Item = &Arc<Layer>> {
        self.templates.values().chain(&self.defaults)
    }

    /// The same on top of what a Taskfile has that several packages share.
    #[must_use]
    pub fn on_top_of(self, below: Reuse) -> Reuse {
        let mut templates = below.templates;
        templates.extend(self.templates);
        let mut defaults = self.defaults;
        defaults.extend(below.defaults);
        Reuse { defaults, templates }
    }

    /// The same as the packages of its workspace take it over: a bare name of a target in it still
    /// means the workspace's own Taskfile.
    #[must_use]
    pub fn for_packages(&self) -> Reuse {
        let layer = |layer: &Arc<Layer>| Arc::new(layer.for_packages());
        let templates = self.templates.iter().map(|(name, one)| (name.clone(), layer(one)));
        Reuse {
            defaults: self.defaults.iter().map(layer).collect(),
            templates: templates.collect(),
        }
    }
}

/// What a target takes over, and from where.
#[derive(Clone, Debug)]
pub struct Uses {
    /// The templates that it names.
    pub templates: Vec<Word>,
    /// Whether it takes anything from the defaults.
    pub inherit: bool,
    /// The layers that lie below its own fields, the weakest first.
    pub layers: Vec<Arc<Layer>>,
}

impl Default for Uses {
    fn default() -> Uses {
        Uses { templates: Vec::new(), inherit: true, layers: Vec::new() }
    }
}

/// Writes the package before a bare name of a target, that of the root.
fn name_the_root(text: &mut Text, mark: &str) {
    let Some(name) = text.template.as_literal().and_then(|text| text.strip_prefix(mark)) else {
        return;
    };
    let bare = split_pick(name).0.split(':').next().unwrap_or(name);
    if is_target(bare) {
        text.template = Template::literal(&format!("{mark}//:{name}"));
    }
}

impl Taskfile {
    /// The same with all that its targets take over: of the workspace, whose own is `root`, and of
    /// itself.
    ///
    /// # Errors
    /// Templates that are not there, fields that do not go together.
    pub fn with_reuse(mut self, root: &Reuse) -> Result<Taskfile, Error> {
        let mut reader = Reader { source: Arc::clone(&self.source), problems: Vec::new() };
        let targets = std::mem::take(&mut self.targets).into_values().collect();
        self.targets = reader.merged(targets, &self.reuse, &[root]);
        match reader.problems.is_empty() {
            true => Ok(self),
            false => Err(Error::Taskfile(reader.problems)),
        }
    }
}

/// Fields that say what one target does, and why not all can.
const NOT_OF_ALL: [(&str, &str); 10] = [
    ("run", "a target without a command only stands for its `deps`"),
    ("exec", "a target without a command only stands for its `deps`"),
    ("foreach", "not every target has a task for each of these"),
    ("installs", "two targets cannot set up the same"),
    ("depfile", "not every command writes one"),
    ("service", "not every command stays up"),
    ("ready", "not every command stays up"),
    ("stop", "not every command stays up"),
    ("restart", "not every command stays up"),
    ("inherit", "it says whether a target takes anything from here"),
];

/// Templates use one another at most so deep.
const DEEPEST: usize = 64;

impl Reader {
    /// `[defaults]`.
    pub(super) fn defaults(&mut self, key: &Key<'_>, table: &DeTable<'_>) -> Arc<Layer> {
        let layer = self.layer(key, table, Owner::Defaults);
        for (field, why) in NOT_OF_ALL.iter().filter(|(field, _)| layer.fields.has(field)) {
            let problem = Diagnostic::error(format!("`{field}` cannot stand in [defaults]"));
            let place = layer.fields.place_of(field).clone();
            let help = match *field {
                "inherit" => "remove it; a target that takes nothing from here has inherit = false",
                _ => "put it below [template.NAME], which a target takes over with use = \"NAME\"",
            };
            self.refuse(problem.at(place, *why).help(help));
        }
        Arc::new(layer)
    }

    /// `[template.NAME]`, each.
    pub(super) fn templates(&mut self, table: &DeTable<'_>) -> IndexMap<String, Arc<Layer>> {
        let mut templates = IndexMap::new();
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            let name: &str = key.get_ref();
            let owner = Owner::Template(name);
            if self.below_table(key, value, "[template]") || !self.entity_name(key, "template") {
                continue;
            }
            let DeValue::Table(fields) = value.get_ref() else {
                let example = format!("{} and its fields below", owner.header());
                let asker = Asker { name, asks: "a table", example: &example, filled: true };
                self.wrong_type::<()>(value, asker);
                continue;
            };
            let layer = self.layer(key, fields, owner);
            templates.insert(name.to_owned(), Arc::new(layer));
        }
        templates
    }

    fn layer(&mut self, key: &Key<'_>, table: &DeTable<'_>, owner: Owner<'_>) -> Layer {
        let before = self.problems.len();
        let fields = self.fields_of(key, table, owner);
        let mut extent = Vec::new();
        extent_of(table, &mut extent);
        let header = owner.header();
        Layer { header, fields, extent, is_sound: self.problems.len() == before }
    }

    /// The names of templates.
    pub(super) fn uses(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Vec<Word> {
        let mut words = Vec::new();
        for text in self.list(value, asker).unwrap_or_default() {
            let name = text.template.source();
            if is_target(name) {
                words.push(Word { text: name.to_owned(), place: text.place });
                continue;
            }
            let help = match name.contains("{{") {
                true => "names of templates hold no expressions: write them out",
                false => "write use = \"NAME\" for what stands below [template.NAME]",
            };
            let message = format!("{} is no name of a template", quoted(name));
            self.refuse(Diagnostic::error(message).at(text.place.clone(), "").help(help));
        }
        words
    }

    /// Targets with all that they take over, each checked as a whole. Of the files above `own` the
    /// nearest stands first.
    pub(super) fn merged(
        &mut self,
        targets: Vec<Target>,
        own: &Reuse,
        above: &[&Reuse],
    ) -> IndexMap<String, Target> {
        let files: Vec<&Reuse> = std::iter::once(own).chain(above.iter().copied()).collect();
        let names = targets.iter().map(|target| target.name.clone()).collect();
        let circles = FxHashSet::default();
        let mut finder = Finder { files: &files, targets: names, circles, wrong: Vec::new() };
        for template in own.templates.values() {
            finder.layers(&template.fields.uses.templates, Some(&template.fields.name));
        }
        let mut merged = IndexMap::with_capacity(targets.len());
        let mut unsound = FxHashSet::default();
        for mut target in targets {
            let layers = finder.layers(&target.uses.templates, None);
            let is_sound = layers.iter().flatten().all(|layer| layer.is_sound);
            if layers.is_none() || !is_sound {
                unsound.insert(target.name.clone());
            }
            target = layers
                .iter()
                .flatten()
                .rev()
                .fold(target, |above, layer| merge(&layer.fields, above, &|_| true));
            target.uses.layers = layers.unwrap_or_default();
            merged.insert(target.name.clone(), target);
        }
        for file in &files {
            for defaults in &file.defaults {
                finder.below_all(&mut merged, defaults);
                unsound.extend(if defaults.is_sound {
                    Vec::new()
                } else {
                    merged.keys().cloned().collect()
                });
            }
        }
        for problem in each_once(finder.wrong) {
            self.refuse(problem);
        }
        self.check_merged(&merged, &unsound);
        merged
    }

    /// Whether the fields of each target go together.
    fn check_merged(&mut self, merged: &IndexMap<String, Target>, unsound: &FxHashSet<String>) {
        let before = std::mem::take(&mut self.problems);
        let mut all: Vec<Arc<Layer>> = Vec::new();
        let mut wrong = Vec::new();
        for target in merged.values().filter(|target| !unsound.contains(&target.name)) {
            self.check_fields(target);
            self.check_habits(target);
            if !self.problems.is_empty() {
                all.extend(target.uses.layers.iter().cloned());
                wrong.extend(self.problems.drain(..).map(|one| target.explain(one, None)));
            }
        }
        self.problems = before;
        for problem in told_once(wrong, &all) {
            self.refuse(problem);
        }
    }
}

/// The places of all keys and values of a table, whether they stand below its header or below one
/// of a table in it.
fn extent_of(table: &DeTable<'_>, extent: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => {
                extent.push(key.span());
                extent_of(inner, extent);
            }
            _ => extent.push(key.span().start..value.span().end),
        }
    }
}

/// Finds the layers of targets.
struct Finder<'a> {
    /// The file, and those above it, the nearest first.
    files: &'a [&'a Reuse],
    targets: FxHashSet<String>,
    /// Templates whose circle is told.
    circles: FxHashSet<String>,
    wrong: Vec<Diagnostic>,
}

impl Finder<'_> {
    /// The templates of these names and those that they use, the weakest first, each once. None if
    /// one is not there or needs itself. `of` is the template that names them.
    fn layers(&mut self, names: &[Word], of: Option<&str>) -> Option<Vec<Arc<Layer>>> {
        let mut found = Vec::new();
        let mut open: Vec<String> = of.into_iter().map(str::to_owned).collect();
        self.add(names, &mut open, &mut found).then_some(found)
    }

    fn add(&mut self, names: &[Word], open: &mut Vec<String>, found: &mut Vec<Arc<Layer>>) -> bool {
        let mut all = true;
        for word in names {
            let Some(layer) = self.template(word) else {
                all = false;
                continue;
            };
            if let Some(start) = open.iter().position(|name| *name == word.text) {
                if !self.circles.contains(&word.text) {
                    self.circles.extend(open[start..].iter().cloned());
                    self.wrong.push(circle(&open[start..], word));
                }
                all = false;
            } else if open.len() >= DEEPEST {
                let problem = format!("templates use one another deeper than {DEEPEST}");
                self.wrong.push(Diagnostic::error(problem).at(word.place.clone(), ""));
                all = false;
            } else if !found.iter().any(|known| Arc::ptr_eq(known, &layer)) {
                open.push(word.text.clone());
                all &= self.add(&layer.fields.uses.templates, open, found);
                open.pop();
                found.push(layer);
            }
        }
        all
    }

    fn template(&mut self, word: &Word) -> Option<Arc<Layer>> {
        let name = &word.text;
        if let Some(layer) = self.files.iter().find_map(|file| file.templates.get(name)) {
            return Some(layer.clone());
        }
        let known = || self.files.iter().flat_map(|file| file.templates.keys()).map(String::as_str);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.targets.contains(name) => {
                format!("`{name}` is a target; what several take over stands below [template.NAME]")
            }
            None if known().next().is_none() => {
                format!("there are no templates: write its fields below [template.{name}]")
            }
            None => listed("there are", known().take(12)),
        };
        let problem = Diagnostic::error(format!("there is no template {}", quoted(name)));
        self.wrong.push(problem.at(word.place.clone(), "").help(help));
        None
    }

    /// Puts a file's defaults below all targets.
    fn below_all(&mut self, targets: &mut IndexMap<String, Target>, defaults: &Arc<Layer>) {
        let Some(mut layers) = self.layers(&defaults.fields.uses.templates, None) else { return };
        layers.push(defaults.clone());
        let reached = reached(&layers, targets);
        let with_defaults = |target: Target| {
            if !target.uses.inherit {
                return target;
            }
            let takes = Takes::of(&target, reached.contains(&target.name));
            let takes = |field: &str| takes.field(field);
            let mut merged = layers
                .iter()
                .rev()
                .fold(target, |above, layer| merge(&layer.fields, above, &takes));
            merged.uses.layers.splice(0..0, layers.iter().cloned());
            merged
        };
        let all = std::mem::take(targets).into_iter();
        *targets = all.map(|(name, target)| (name, with_defaults(target))).collect();
    }
}

fn circle(open: &[String], again: &Word) -> Diagnostic {
    let message = match open {
        [only] => format!("template {} uses itself", quoted(only)),
        _ => {
            let names = open.iter().map(String::as_str).chain([open[0].as_str()]);
            format!("templates use each other: {}", names.collect::<Vec<_>>().join(" → "))
        }
    };
    Diagnostic::error(message)
        .at(again.place.clone(), "the circle closes here")
        .help("move what they share to a template that uses none of them")
}
