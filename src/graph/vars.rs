//! The variables that a target sees, and what expressions outside of all targets give.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::expand::Settings;
use super::packages::{Home, Packages};
use super::rule::Text;
use super::scope::{Scope, Variable};
use crate::error::{Diagnostic, Error, nearest};
use crate::expr::Template;
use crate::parse::{self, Taskfile, VarValue};

/// The variables that a target sees. Strongest first: `-D`, its own, those of the profile (its
/// package's, the root's), its package's, the root's.
pub(super) fn variables_of(
    home: Home<'_>,
    source: Option<&parse::Target>,
    settings: &Settings,
) -> Result<IndexMap<String, Variable>, Vec<Diagnostic>> {
    let mut variables = IndexMap::new();
    let profile = &settings.surroundings.profile;
    let of_profile = home.files().filter_map(|file| file.profiles.get(profile));
    let of_profile = of_profile.map(|profile| &profile.vars);
    let of_files = home.files().map(|file| &file.vars).chain(of_profile).flatten();
    let own = source.iter().flat_map(|source| &source.vars);
    for (name, var) in of_files.chain(own) {
        variables.insert(name.clone(), variable(&var.value));
    }
    for (name, value) in &settings.defines {
        let Some(old) = variables.get_mut(name) else { continue };
        *old = define(old, name, value).map_err(|message| vec![Diagnostic::error(message)])?;
    }
    Ok(variables)
}

fn variable(value: &VarValue) -> Variable {
    match value {
        VarValue::One(text) => Variable::One(text.into()),
        VarValue::List(texts) => Variable::List(texts.iter().map(Into::into).collect()),
        VarValue::Sh(text) => Variable::Sh(text.into()),
    }
}

/// A `-D` of a list is split into words as a shell would.
fn define(old: &Variable, name: &str, value: &str) -> Result<Variable, String> {
    let literal = |text: &str| Text { template: Template::literal(text), place: None };
    match old {
        Variable::One(_) | Variable::Sh(_) => Ok(Variable::One(literal(value))),
        Variable::List(_) => match shlex::split(value) {
            Some(words) => Ok(Variable::List(words.iter().map(|word| literal(word)).collect())),
            None => Err(format!("-D {name}: the quotes in `{value}` do not match")),
        },
    }
}

/// Every `-D` must be of a variable that somebody has.
pub(super) fn check_defines(taskfile: &Taskfile, settings: &Settings) -> Result<(), Error> {
    let known = || taskfile.names_of_variables();
    for (name, _) in &settings.defines {
        if !known().any(|known| known == name) {
            return Err(Error::Usage {
                message: format!("-D {name}: the Taskfile has no variable `{name}`"),
                help: Some(match nearest(name, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => names_of_variables(known()),
                }),
            });
        }
    }
    Ok(())
}

/// Those that `-D` may set, if they are few enough to read.
fn names_of_variables<'n>(known: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 12;
    let names: BTreeSet<String> = known.map(|name| format!("`{name}`")).collect();
    let more = if names.len() > MOST { " and others" } else { "" };
    let names: Vec<String> = names.into_iter().take(MOST).collect();
    match names.is_empty() {
        true => "it has none: `-D` sets what is in [vars]".to_owned(),
        false => format!("it has {}{more}", names.join(", ")),
    }
}

/// What an expression in the file of a package, outside of all targets, sees.
///
/// # Errors
/// A `-D` that does not fit.
pub fn file_scope(
    taskfile: &Taskfile,
    package: &Taskfile,
    settings: &Settings,
) -> Result<Scope, Error> {
    let packages = Packages::of(taskfile);
    let number = packages.all().iter().position(|one| std::ptr::eq(*one, package));
    let home = Home { packages: &packages, number: number.unwrap_or(0), own: "" };
    let variables = variables_of(home, None, settings).map_err(Error::Taskfile)?;
    let scope = Scope::new(settings.surroundings.clone(), variables, "");
    Ok(scope.with_asks(settings.asks.clone()).in_package(home.scope()))
}
