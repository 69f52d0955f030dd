//! Reading `[hooks]`: names of git's hooks, and the targets that each runs.

use indexmap::IndexMap;
use toml::de::DeTable;

use super::Text;
use super::read::{Asker, Key, Reader};
use crate::error::{Diagnostic, Place, listed, nearest, quoted};

/// The hooks that git calls in a work tree; those of a server have none.
pub const HOOKS: [&str; 15] = [
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "sendemail-validate",
];

impl Reader {
    /// The hooks by name, with the place of the name and the targets: never none.
    pub(super) fn hooks(&mut self, table: &DeTable<'_>) -> IndexMap<String, (Place, Vec<Text>)> {
        let mut hooks = IndexMap::new();
        for (key, value) in table {
            if self.has_enough() {
                break;
            }
            let name: &str = key.get_ref();
            if !HOOKS.contains(&name) {
                if !self.below_table(key, value, "[hooks]") {
                    self.no_hook(key);
                }
                continue;
            }
            let example = format!("{name} = [\"lint\"]");
            let asker = Asker { name, asks: "names of targets", example: &example, filled: true };
            if let Some(targets) = self.filled_list(value, asker) {
                hooks.insert(name.to_owned(), (self.place(key.span()), targets));
            }
        }
        hooks
    }

    fn no_hook(&mut self, key: &Key<'_>) {
        let name: &str = key.get_ref();
        let help = match nearest(name, HOOKS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => listed("git's hooks are", HOOKS),
        };
        let problem = Diagnostic::error(format!("git has no hook {}", quoted(name)));
        let place = self.place(key.span());
        self.refuse(problem.at(place, "").help(help));
    }
}
