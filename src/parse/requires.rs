//! `[taskr] requires`: the versions of taskr that can read a file. It is looked at before anything
//! else, so that an older taskr names the version that it is too old for, and not the first word
//! that it does not know.

use std::sync::Arc;

use semver::{Prerelease, Version, VersionReq};
use toml::de::{DeTable, DeValue};

use super::fields::Field;
use super::read::{Reader, Value};
use crate::error::{Diagnostic, Place, Source, quoted};

/// This version of taskr.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// What keeps this taskr from reading a file; what is wrong with the requirement itself is told
/// with all else.
pub(super) fn refused(source: &Arc<Source>, table: &DeTable<'_>) -> Option<Diagnostic> {
    let DeValue::Table(settings) = table.get("taskr")?.get_ref() else { return None };
    let value = settings.get("requires")?;
    let text = value.get_ref().as_str()?;
    let requirement = VersionReq::parse(text).ok()?;
    let help = misfit(text, &requirement, &Version::parse(OWN).ok()?)?;
    let name = &source.name;
    let message = format!("{name} needs taskr {}, and this is taskr {OWN}", text.trim());
    Some(Diagnostic::error(message).at(Place::new(source, value.span()), "").help(help))
}

/// What to do where a version does not fit. One before a release counts as that release.
fn misfit(text: &str, requirement: &VersionReq, own: &Version) -> Option<String> {
    let own = Version { pre: Prerelease::EMPTY, ..own.clone() };
    if requirement.matches(&own) {
        return None;
    }
    let at_least = VersionReq::parse(&format!(">={}", text.trim())).ok();
    Some(match at_least.filter(|at_least| at_least.matches(&own)) {
        Some(_) => format!(
            "{0} means none that may break with it; for this and all later ones write \">={0}\"",
            text.trim()
        ),
        None => "install one that fits: `taskr --version` tells which one you have".to_owned(),
    })
}

impl Reader {
    /// Refuses what is no requirement.
    pub(super) fn requires(&mut self, value: &Value<'_>, field: &'static Field) {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type::<()>(value, field.into());
            return;
        };
        if let Err(error) = VersionReq::parse(text) {
            let message = format!("{} is no requirement for a version", quoted(text));
            let place = self.place(value.span());
            let problem = Diagnostic::error(message).at(place, error.to_string());
            self.refuse(problem.help(format!("write {}", field.example)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_or_say_what_would() {
        const INSTALL: &str = "install one that fits";
        for (requires, own, expected) in [
            (">=0.3", "0.3.0", None),
            (">=0.3", "0.4.0-alpha.1", None),
            (">=0.3", "0.3.0-rc.1", None),
            (">=0.3", "0.2.9", Some(INSTALL)),
            (">=0.3, <0.5", "0.5.0", Some(INSTALL)),
            (" 0.3", "0.3.7", None),
            ("0.3", "0.4.0", Some("0.3 means none that may break with it")),
            ("=1.2.3", "1.2.4", Some(INSTALL)),
            ("*", "0.0.1", None),
        ] {
            let requirement = VersionReq::parse(requires).expect("a requirement");
            let own = Version::parse(own).expect("a version");
            let help = misfit(requires, &requirement, &own);
            let fits = match (&help, expected) {
                (Some(help), Some(start)) => help.starts_with(start),
                (help, expected) => help.is_none() && expected.is_none(),
            };
            assert!(fits, "{requires} and {own}: {help:?}");
        }
    }
}
