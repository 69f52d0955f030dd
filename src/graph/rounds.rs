//! The rules of all targets. Items may be outputs that another `foreach` target declares, so they are
//! made again until nothing changes.

use rustc_hash::FxHashMap;

use super::MOST_TASKS;
use super::expand::{Expanded, Prepared, Settings, too_many};
use super::item::{Declared, Items, Made};
use super::rule::Rule;
use super::scope::Item;
use crate::error::Diagnostic;
use crate::files::Ignored;

/// So often the items of all `foreach` targets are made again because others grew.
const MOST_ROUNDS: usize = 100;

/// The rules of targets without `foreach`, and how many; none of the others.
fn rules_without_items(
    prepared: &[Prepared<'_>],
) -> Result<(Vec<Vec<Rule>>, usize), Vec<Diagnostic>> {
    let mut rules = Vec::with_capacity(prepared.len());
    let mut wrong = Vec::new();
    let mut count = 0;
    for one in prepared {
        let made = match one.source.foreach {
            None => one.rules(None),
            Some(_) => Ok(Vec::new()),
        };
        let made = made.unwrap_or_else(|diagnostics| {
            wrong.extend(diagnostics);
            Vec::new()
        });
        count += made.len();
        if count > MOST_TASKS {
            return Err(vec![too_many(count, one.source)]);
        }
        rules.push(made);
    }
    if wrong.is_empty() { Ok((rules, count)) } else { Err(wrong) }
}

/// Rules of each target. Items may be outputs that another `foreach` target declares, so items
/// are made again until nothing changes.
pub(super) fn rules_of_all(
    prepared: &[Prepared<'_>],
    settings: &Settings,
    ignored: Ignored,
) -> Result<Expanded, Vec<Diagnostic>> {
    let (mut rules, mut count) = rules_without_items(prepared)?;
    let each: Vec<usize> =
        (0..prepared.len()).filter(|&at| prepared[at].source.foreach.is_some()).collect();
    let mut items: FxHashMap<usize, Vec<Item>> = FxHashMap::default();
    let mut lister = Items::new(&settings.root, ignored);
    let mut names: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (at, one) in prepared.iter().enumerate() {
        names.entry(one.home.own).or_default().push(at);
    }
    for round in 0.. {
        let declared = Declared::of(&rules, prepared);
        let mut grew = None;
        let mut empty = Vec::new();
        for &at in &each {
            let made = Made { names: &names, rules: &rules, makers: prepared };
            let found = lister.find(&prepared[at], &declared, &made);
            let (found, none) = found.map_err(|wrong| vec![wrong])?;
            empty.extend(none);
            if items.get(&at) != Some(&found) {
                let made = prepared[at].rules(Some(&found))?;
                count = count + made.len() - rules[at].len();
                if count > MOST_TASKS {
                    return Err(vec![too_many(count, prepared[at].source)]);
                }
                rules[at] = made;
                items.insert(at, found);
                grew = Some(at);
            }
        }
        let Some(at) = grew else {
            let rules = rules.into_iter().flatten().collect();
            return match empty.is_empty() {
                true => Ok(Expanded { rules, looked: lister.looked, ignored: lister.ignored }),
                false => Err(empty),
            };
        };
        if round > MOST_ROUNDS.max(each.len()) {
            let place = prepared[at].source.place_of("foreach").clone();
            return Err(vec![
                Diagnostic::error("the outputs of `foreach` targets make more items without end")
                    .at(place, "one of them is this")
                    .help("let the outputs of one not match the `foreach` of the other"),
            ]);
        }
    }
    unreachable!("the loop ends by itself")
}
