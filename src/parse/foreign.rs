//! What a Makefile says, and how a Taskfile says it. Knows only the shapes that people bring
//! along: a rule with a recipe, a variable in capitals.

use std::ops::Range;

use super::names::{as_target, is_variable};
use super::syntax::in_quotes;

/// The first line `name: needs` that a recipe follows, and the same as a target.
pub(super) fn rule_of_make(text: &str) -> Option<(Range<usize>, String)> {
    let mut start = 0;
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        let rule = line.trim_end();
        let recipe = lines.peek().and_then(|next| next.strip_prefix('\t'));
        if let (Some((name, needs)), Some(recipe)) = (rule.split_once(':'), recipe)
            && !name.starts_with([' ', '\t', '#'])
            && !rule.contains('=')
        {
            return Some((start..start + rule.len(), as_a_target(name, needs, recipe.trim())));
        }
        start += line.len() + 1;
    }
    None
}

fn as_a_target(name: &str, needs: &str, recipe: &str) -> String {
    let name = as_target(name.trim()).unwrap_or_else(|| "NAME".to_owned());
    let needs: Vec<String> = needs.split_whitespace().map(in_quotes).collect();
    let inputs = match &needs[..] {
        [] => String::new(),
        needs => format!("\ninputs = [{}]", needs.join(", ")),
    };
    let run = if recipe.contains('$') { "…" } else { recipe.trim_start_matches(['@', '-']) };
    format!("a target of taskr is written\n[target.{name}]{inputs}\nrun = {}", in_quotes(run))
}

/// Whether a key is named as variables of make are.
pub(super) fn is_variable_of_make(name: &str) -> bool {
    is_variable(name) && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// A variable, and where it belongs.
pub(super) fn as_variable(name: &str, value: &str) -> String {
    format!("a variable stands below the header [vars]:\n[vars]\n{name} = {value}")
}
