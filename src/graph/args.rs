//! Arguments of the command line: what stands behind `--`, and which targets get it.
//!
//! Only targets that were asked for: what these need is built as ever, so that an argument for the
//! tests does not rebuild what is tested. A group passes them on to what it stands for.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::expand::Prepared;
use super::text::Element;
use crate::error::Error;
use crate::outcome::shown;
use crate::parse::{Whose, Written, is_below, read_name, split_name, split_pick};

/// What stands behind `--`, and the names of what was asked for.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Each argument.
    pub words: Vec<String>,
    /// Targets and tasks.
    pub wanted: Vec<String>,
}

impl Args {
    /// Gives them to the targets that were asked for and take arguments; none to others.
    ///
    /// # Errors
    /// There are arguments, and nobody takes them.
    pub(super) fn give(&self, prepared: &mut [Prepared<'_>]) -> Result<(), Error> {
        let asked = self.asked(prepared);
        let mut given = false;
        for one in prepared.iter_mut().filter(|one| one.source.reads.args) {
            let is_asked = asked.contains(one.home.own);
            given |= is_asked;
            let words = if is_asked { self.words.clone() } else { Vec::new() };
            one.scope = one.scope.with_args(Arc::from(words));
        }
        if given || self.words.is_empty() {
            return Ok(());
        }
        let takers = prepared.iter().filter(|one| one.source.reads.args && !one.source.private);
        let takers: Vec<String> = takers.map(|one| format!("`{}`", one.home.own)).collect();
        let wanted = self.wanted.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let first = self.wanted.first().map_or("NAME", |name| split_name(split_pick(name).0).1);
        Err(Error::Usage {
            message: format!(
                "{} takes no arguments: {}",
                wanted.join(", "),
                shown_words(&self.words)
            ),
            help: Some(match takers.is_empty() {
                true => format!(
                    "what stands behind `--` is for targets with args = true: add it to \
                     [target.{first}], and write `{{{{ args }}}}` in its command"
                ),
                false => format!(
                    "what stands behind `--` is for targets with args = true that are asked for by \
                     name: {}",
                    takers.join(", ")
                ),
            }),
        })
    }

    /// The names of targets that were asked for, by themselves or through groups.
    fn asked(&self, prepared: &[Prepared<'_>]) -> FxHashSet<String> {
        let mut by_name: FxHashMap<&str, &Prepared<'_>> = FxHashMap::default();
        for one in prepared {
            by_name.entry(one.home.own).or_insert(one);
        }
        let mut asked = FxHashSet::default();
        let targets = |name: &String| meant(name, prepared);
        let mut waiting: Vec<String> = self.wanted.iter().flat_map(targets).collect();
        while let Some(name) = waiting.pop() {
            let one = by_name.get(name.as_str());
            if !asked.insert(name) {
                continue;
            }
            let Some(group) = one.filter(|one| one.source.command.is_none()) else { continue };
            let deps = group.source.deps.iter();
            let elements = deps.filter_map(|text| Element::expand(text, &group.scope).ok());
            let named = elements.flatten().filter_map(|dep| dep.reference(group.home).ok());
            let names: Vec<String> = named.flat_map(|named| named.names().to_vec()).collect();
            waiting.extend(names.iter().map(|name| split_pick(name).0.to_owned()));
        }
        asked
    }
}

/// The full names of the targets that a name on the command line means.
fn meant(name: &str, prepared: &[Prepared<'_>]) -> Vec<String> {
    let Some(Written { whose: Whose::Below(above), target }) = read_name(name) else {
        return vec![split_pick(name).0.to_owned()];
    };
    let bare = split_pick(target).0;
    let names = prepared.iter().map(|one| one.home.own);
    let fits = |own: &&str| {
        let (dir, name) = split_name(own);
        name == bare && is_below(dir, above)
    };
    names.filter(fits).map(str::to_owned).collect()
}

fn shown_words(words: &[String]) -> String {
    let joined = shlex::try_join(words.iter().map(String::as_str));
    shown(joined.unwrap_or_else(|_| words.join(" ")).as_bytes())
}
