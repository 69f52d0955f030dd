//! The lists that a task's inputs consist of: its item, `inputs` or each list of its table, and
//! `env_file`. What is taken away by `!glob` is taken from its own list alone.

use std::ops::Range;

use super::expand::{Keep, Prepared, elements};
use super::rule::{Input, Placed, Rule};
use super::scope::Scope;
use crate::error::Diagnostic;

/// What a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListName {
    /// The item, or `inputs` where that is one list.
    Plain,
    /// A list in the table `inputs`.
    Part(String),
    /// `env_file`: inputs that `{{ inputs }}` does not name.
    EnvFiles,
}

/// The lists in order, each with the end of it among the inputs. Empty where there are only the item
/// and one plain list: most tasks are so, and there may be a million.
#[derive(Clone, Debug, Default)]
pub struct Lists(pub(super) Vec<(ListName, usize)>);

impl Rule {
    /// The lists of its inputs, in order.
    pub fn lists(&self) -> Vec<(&ListName, Range<usize>)> {
        let items = self.items();
        let mut lists = Vec::with_capacity(self.lists.0.len() + 2);
        if items > 0 {
            lists.push((&ListName::Plain, 0..items));
        }
        let mut start = items;
        for (name, end) in &self.lists.0 {
            lists.push((name, start..*end));
            start = *end;
        }
        if self.lists.0.is_empty() {
            lists.push((&ListName::Plain, items..self.inputs.len()));
        }
        lists
    }

    /// An input and what stands behind it in its list.
    pub fn from_input(&self, at: usize) -> &[Placed<Input>] {
        let ends = self.lists.0.iter().map(|(_, end)| *end);
        let end = std::iter::once(self.items()).chain(ends).find(|&end| end > at);
        &self.inputs[at..end.unwrap_or(self.inputs.len())]
    }

    /// How many inputs are its item.
    fn items(&self) -> usize {
        let is_file = self.scope.item().is_some_and(|item| item.file.is_some());
        usize::from(is_file).min(self.inputs.len())
    }

    /// What `{{ inputs }}` stands for: all but environment files, which are last.
    pub fn named_inputs(&self) -> &[Placed<Input>] {
        let lists = self.lists().into_iter();
        let last = lists.rev().find(|(name, _)| **name == ListName::EnvFiles);
        &self.inputs[..last.map_or(self.inputs.len(), |(_, range)| range.start)]
    }
}

impl Prepared<'_> {
    /// The inputs of one task, by lists.
    pub(super) fn inputs(
        &self,
        scope: &Scope,
        wrong: &mut Vec<Diagnostic>,
    ) -> (Vec<Placed<Input>>, Lists) {
        let source = self.source;
        let (mut inputs, mut lists) = (Vec::new(), Vec::new());
        if let Some(path) = scope.item().and_then(|item| item.file.clone()) {
            let value = Input::Path { path, optional: false };
            inputs.push(Placed { value, place: Some(source.place_of("foreach").clone()) });
        }
        let texts = source.inputs.as_deref().unwrap_or_default();
        let parts = source.reads.parts.iter();
        let parts = parts.map(|(name, range)| (ListName::Part(name.text.clone()), range.clone()));
        let plain = source.plain_inputs().map(|range| (ListName::Plain, range));
        for (name, range) in plain.into_iter().chain(parts) {
            let elements = elements(&texts[range], scope, wrong);
            inputs.extend(Keep(wrong).all(&elements, |one| one.input(&self.dir, self.home)));
            lists.push((name, inputs.len()));
        }
        if !source.reads.env_files.is_empty() {
            let elements = elements(&source.reads.env_files, scope, wrong);
            inputs.extend(Keep(wrong).all(&elements, |one| one.env_file(&self.dir, self.home)));
            lists.push((ListName::EnvFiles, inputs.len()));
        }
        if let [(ListName::Plain, _)] = lists[..] {
            lists = Vec::new();
        }
        (inputs, Lists(lists))
    }
}
