//! Checks that every name in a target's expressions means something, before anything runs.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use rustc_hash::FxHashSet;

use super::rule::Text;
use super::scope::{LOAD_NAMES, READY_NAMES, Scope, Variable};
use crate::error::{Diagnostic, Place, nearest};
use crate::expr::{ITEM_FIELDS, Name};
use crate::parse;

/// What the expressions of a target use.
#[derive(Default)]
pub(super) struct Names {
    /// Variables of the caller's environment.
    pub(super) env: BTreeSet<String>,
    /// Whether the command asks for a depfile.
    pub(super) depfile: bool,
    /// Whether it asks for what other targets made.
    pub(super) targets: bool,
}

impl Names {
    /// Checks all strings of `target`.
    ///
    /// # Errors
    /// Unknown names, names that are not known yet where they are used, variables in a circle.
    pub(super) fn check(target: &parse::Target, scope: &Scope) -> Result<Names, Vec<Diagnostic>> {
        let mut check = Check {
            target,
            variables: scope.variables(),
            names: Names::default(),
            seen: FxHashSet::default(),
            open: Vec::new(),
            wrong: circle(scope.variables()).into_iter().collect(),
        };
        if check.wrong.is_empty() {
            check.all();
        }
        if check.wrong.is_empty() { Ok(check.names) } else { Err(check.wrong) }
    }
}

struct Check<'a> {
    target: &'a parse::Target,
    variables: &'a IndexMap<String, Variable>,
    names: Names,
    seen: FxHashSet<(&'a str, bool)>,
    /// Variables whose values are to be looked into, and where they are used.
    open: Vec<(&'a Variable, Place, bool)>,
    wrong: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    fn all(&mut self) {
        let target = self.target;
        let lists = [&target.inputs, &target.outputs, &target.installs, &target.foreach];
        let lists = lists.into_iter().flatten().chain([&target.deps, &target.after]).flatten();
        let matrix = target.matrix.values().flat_map(|(_, texts)| texts);
        for text in lists.chain(matrix).chain(&target.dir).chain(&target.depfile) {
            self.text(text, false);
        }
        let command = match &target.command {
            Some(parse::Command::Shell(texts) | parse::Command::Exec(texts)) => &texts[..],
            None => &[],
        };
        for (name, (place, _)) in &target.env {
            if matches!(name.as_str(), "OUT" | "STATE") || name.starts_with("TASKR_") {
                let wrong = Diagnostic::error(format!("`{name}` is set by taskr itself"))
                    .at(place.clone(), "cannot be set here")
                    .help("choose another name; what taskr sets is the same for every task");
                self.wrong.push(wrong);
            }
        }
        let env = target.env.values().map(|(_, text)| text);
        for text in command.iter().chain(target.shell.iter().flatten()).chain(env) {
            self.text(text, true);
        }
    }

    fn text(&mut self, text: &'a parse::Text, ready: bool) {
        for name in text.template.names() {
            self.name(name, &|| text.place_of(name.range.clone()), ready);
        }
        while let Some((variable, place, ready)) = self.open.pop() {
            self.variable(variable, &place, ready);
        }
    }

    fn name(&mut self, name: &'a Name, place: &dyn Fn() -> Place, ready: bool) {
        let (head, attribute) = name.path.split_once('.').unwrap_or((&name.path, ""));
        if let Some((head, variable)) = self.variables.get_key_value(head) {
            if self.seen.insert((head, ready)) {
                self.open.push((variable, place(), ready));
            }
            return;
        }
        let attribute = attribute.split('.').next().unwrap_or("");
        let problem = match head {
            "item" if self.target.foreach.is_none() => Some((
                "there is no item here".to_owned(),
                Some("`item` needs `foreach = [\"src/*.c\"]`".to_owned()),
            )),
            "item" if !attribute.is_empty() && !ITEM_FIELDS.contains(&attribute) => {
                Some(unknown(&name.path, attribute, ITEM_FIELDS))
            }
            "matrix" if self.target.matrix.is_empty() => Some((
                "there is no matrix here".to_owned(),
                Some(
                    "`matrix` needs an axis, as in `matrix = { os = [\"linux\", \"mac\"] }`"
                        .to_owned(),
                ),
            )),
            "matrix" if !attribute.is_empty() && !self.target.matrix.contains_key(attribute) => {
                Some(unknown(&name.path, attribute, self.target.matrix.keys().map(String::as_str)))
            }
            "env" => {
                self.names.env.extend((!attribute.is_empty()).then(|| attribute.to_owned()));
                None
            }
            "depfile" => {
                self.names.depfile = true;
                None
            }
            "target" if ready => {
                self.names.targets = true;
                None
            }
            _ if LOAD_NAMES.contains(&head) => None,
            _ if READY_NAMES.contains(&head) && ready => None,
            _ if READY_NAMES.contains(&head) => Some((
                format!("`{head}` is not known yet where this is read"),
                Some("it is known in `run`, `exec` and `env`".to_owned()),
            )),
            _ => {
                let known = self.variables.keys().map(String::as_str);
                Some(unknown(head, head, known.chain(LOAD_NAMES).chain(READY_NAMES)))
            }
        };
        if let Some((message, help)) = problem {
            let wrong = Diagnostic::error(message).at(place(), "").help_if(help);
            self.wrong.push(wrong);
        }
    }

    /// The names within a variable's value, as this target would see them.
    fn variable(&mut self, variable: &'a Variable, place: &Place, ready: bool) {
        for text in texts(variable) {
            for name in text.template.names() {
                let inner = || text.place.clone().unwrap_or_else(|| place.clone());
                self.name(name, &inner, ready);
            }
        }
    }
}

fn unknown<'n>(
    shown: &str,
    word: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> (String, Option<String>) {
    let help = nearest(word, known).map(|name| format!("did you mean `{name}`?"));
    (format!("`{shown}` is not defined"), help)
}

fn texts(variable: &Variable) -> &[Text] {
    match variable {
        Variable::One(text) => std::slice::from_ref(text),
        Variable::List(texts) => texts,
    }
}

/// Variables that need each other, with all members. Linear, with an explicit stack.
fn circle(variables: &IndexMap<String, Variable>) -> Option<Diagnostic> {
    let needs = |at: usize| {
        let names = texts(&variables[at]).iter().flat_map(|text| text.template.names());
        names
            .filter_map(|name| variables.get_index_of(name.path.split('.').next()?))
            .collect::<Vec<_>>()
    };
    let mut done = vec![false; variables.len()];
    let mut open = vec![false; variables.len()];
    let mut stack: Vec<(usize, Vec<usize>)> = Vec::new();
    for root in 0..variables.len() {
        if !done[root] {
            open[root] = true;
            stack.push((root, needs(root)));
        }
        while let Some((at, rest)) = stack.last_mut() {
            let Some(need) = rest.pop() else {
                done[*at] = true;
                stack.pop();
                continue;
            };
            if done[need] {
                continue;
            }
            if open[need] {
                let start = stack.iter().position(|(at, _)| *at == need)?;
                let members: Vec<usize> = stack[start..].iter().map(|(at, _)| *at).collect();
                return Some(tell_circle(variables, &members));
            }
            open[need] = true;
            stack.push((need, needs(need)));
        }
    }
    None
}

fn tell_circle(variables: &IndexMap<String, Variable>, members: &[usize]) -> Diagnostic {
    let name = |at: usize| variables.get_index(at).map_or("", |(name, _)| name.as_str());
    let mut shown: Vec<&str> = members.iter().map(|&at| name(at)).collect();
    shown.push(name(members[0]));
    let mut diagnostic =
        Diagnostic::error(format!("these variables need each other: {}", shown.join(" → ")));
    for (number, &at) in members.iter().enumerate() {
        let Some(place) = texts(&variables[at]).iter().find_map(|text| text.place.clone()) else {
            continue;
        };
        let label = format!("`{}` is used here", shown[number + 1]);
        diagnostic = match number {
            0 => diagnostic.at(place, label),
            _ => diagnostic.also(place, label),
        };
    }
    diagnostic.help("give one of them a value of its own")
}
