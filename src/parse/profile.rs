//! Reading `[profile.NAME]`: variables that hold while that profile is built.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::read::{Asker, Reader};
use super::{Taskfile, Var};
use crate::error::{Diagnostic, Place, quoted};

/// The profile that is built where none is named.
pub const DEFAULT_PROFILE: &str = "default";

/// One profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub place: Place,
    /// Its variables: stronger than the file's, weaker than a target's.
    pub vars: IndexMap<String, Var>,
}

impl Taskfile {
    /// The first profile that sets a variable, and the variable there.
    pub fn set_by_profile(&self, name: &str) -> Option<(&str, &Var)> {
        let mut sets = self.profiles.iter();
        sets.find_map(|(profile, its)| Some((profile.as_str(), its.vars.get(name)?)))
    }

    /// The names of all profiles, its packages' too, each once, in the order of the files.
    pub fn names_of_profiles(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.every().flat_map(|file| file.profiles.keys()) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// All variables that a target may see, of its packages too: the files', the profiles', the
    /// targets' own.
    pub fn names_of_variables(&self) -> impl Iterator<Item = &str> {
        self.every().flat_map(|file| {
            let profiles = file.profiles.values().flat_map(|profile| profile.vars.keys());
            let own = file.targets.values().flat_map(|target| target.vars.keys());
            file.vars.keys().chain(profiles).chain(own).map(String::as_str)
        })
    }
}

impl Reader {
    /// The profiles, each with its variables.
    pub(super) fn profiles(&mut self, table: &DeTable<'_>) -> IndexMap<String, Profile> {
        let mut profiles = IndexMap::new();
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            let name: &str = key.get_ref();
            if self.below_table(key, value, "[profile]") || !self.entity_name(key, "profile") {
                continue;
            }
            let DeValue::Table(fields) = value.get_ref() else {
                let example = format!("[profile.{name}.vars] and its variables below");
                let asker = Asker { name, asks: "a table", example: &example, filled: true };
                self.wrong_type::<()>(value, asker);
                continue;
            };
            let place = self.place(key.span());
            profiles.insert(name.to_owned(), Profile { place, vars: self.profile(name, fields) });
        }
        profiles
    }

    fn profile(&mut self, profile: &str, fields: &DeTable<'_>) -> IndexMap<String, Var> {
        let mut vars = IndexMap::new();
        for (key, value) in fields {
            let name: &str = key.get_ref();
            let header = format!("[profile.{profile}]");
            if self.below_table(key, value, &header) {
                continue;
            }
            if name != "vars" {
                let place = self.place(key.span());
                let problem = Diagnostic::error(format!("a profile has no {}", quoted(name)));
                self.refuse(problem.at(place, "").help(format!(
                    "a profile has variables, which fields of targets use:\n[profile.{profile}.vars]"
                )));
                continue;
            }
            let example = format!("[profile.{profile}.vars] and its variables below");
            let asker = Asker { name, asks: "a table", example: &example, filled: true };
            if let Some(table) = self.table(value, asker) {
                vars = self.vars(table);
            }
        }
        vars
    }
}
