//! From what a target says about its results and inputs to what holds for its tasks; refuses what
//! has no sense for them.

use super::rule::{Action, Cache, Input, Kind, Placed, Policy, Rule};
use crate::error::{Diagnostic, quoted};
use crate::parse::{self, POLICY_FIELDS};

impl Policy {
    /// The policy of a target; `shell` gets the text of `fresh_if`.
    pub(super) fn of(source: &parse::Policy, shell: Vec<super::Text>) -> Policy {
        let fresh_if = source.fresh_if.as_ref();
        let never = fresh_if.is_some() || source.keep_outputs || source.fixes_inputs;
        Policy {
            cache: match source.cache {
                _ if never => Cache::Never,
                None => Cache::WhereItPays,
                Some(true) => Cache::Always,
                Some(false) => Cache::Never,
            },
            relocatable: source.relocatable,
            max_age_ms: source.max_age.as_ref().map(|age| age.ms),
            fresh_if: fresh_if.map(|text| Action::Shell { shell, lines: vec![text.into()] }),
            fixes_inputs: source.fixes_inputs,
            restage: source.restage,
            keep_outputs: source.keep_outputs,
        }
    }
}

/// A task that runs whenever it is asked for has no result that could hold or be kept.
pub(super) fn of_unrecorded(source: &parse::Target, kind: Kind) -> Option<Diagnostic> {
    let field = POLICY_FIELDS.into_iter().chain(["tools", "batch"]).find(|field| source.has(field));
    let field = field.filter(|_| kind == Kind::Unrecorded)?;
    let message = format!("target {} has `{field}` and is never up to date", quoted(&source.name));
    Some(
        Diagnostic::error(message)
            .at(source.place_of(field).clone(), "it has no `inputs` and no `outputs`")
            .help(format!(
                "without them it runs whenever it is asked for:\nadd `inputs` (an empty list will \
                 do), or remove `{field}`"
            )),
    )
}

/// A task that is never up to date needs no depfile.
pub(super) fn depfile_of_interactive(source: &parse::Target) -> Diagnostic {
    let message = format!("target {} is interactive and uses `depfile`", quoted(&source.name));
    Diagnostic::error(message)
        .at(source.place_of("interactive").clone(), "it is never up to date")
        .help("leave `{{ depfile }}` out: it says what a result depends on, and it has none")
}

/// What `@target` means belongs to that target: nobody else may change it.
pub(super) fn fixes_nothing(source: &parse::Target, rule: &Rule) -> Option<Diagnostic> {
    let of_its_own =
        |input: &Placed<Input>| matches!(input.value, Input::Path { .. } | Input::Glob { .. });
    if !rule.target.policy.fixes_inputs || rule.fixable().iter().any(of_its_own) {
        return None;
    }
    let message =
        format!("target {} fixes its inputs and has none of its own", quoted(&source.name));
    Some(
        Diagnostic::error(message)
            .at(source.place_of("fixes_inputs").clone(), "what `@NAME` means is never fixed")
            .help("add the files that it may change, as in inputs = [\"src/**/*.c\"]"),
    )
}
