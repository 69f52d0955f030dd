//! Whether a task applies: its `when`, asked while the graph is made.

use super::expand::Prepared;
use super::rule::Text;
use super::scope::Scope;
use super::text::{diagnostic, nothing_ready};
use crate::error::Diagnostic;
use crate::expr::{ExprError, truth};
use crate::parse;

impl Prepared<'_> {
    /// The `when` that is false for a task with this scope.
    pub(super) fn skipped(&self, scope: &Scope) -> Result<Option<Text>, Diagnostic> {
        let Some(text) = &self.source.when else { return Ok(None) };
        let resolve = |name: &str| scope.value(name, &nothing_ready);
        let value = match text.template.value(&resolve) {
            Ok(value) => value,
            Err(_) if scope.is_lacking() => return Ok(None),
            Err(error) => return Err(without_braces(&error, text)),
        };
        match truth(&value) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(text.into())),
            Err(kind) => {
                let source = text.template.source().trim();
                let example = match source
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
                {
                    true => format!("{source} == 'yes'"),
                    false => "os == 'linux'".to_owned(),
                };
                Err(Diagnostic::error(format!("`when` gives {kind}, where true or false is asked"))
                    .at(text.place.clone(), "")
                    .help(format!("compare it: when = \"{example}\"")))
            }
        }
    }
}

/// The advice for a string is about braces, which an expression by itself has not.
fn without_braces(error: &ExprError, text: &parse::Text) -> Diagnostic {
    let wrong = diagnostic(error, Some(text.place_of(error.range.clone())));
    let help = wrong.help.as_ref().map(|help| help.replace("{{ ", "").replace(" }}", ""));
    Diagnostic { help, ..wrong }
}
