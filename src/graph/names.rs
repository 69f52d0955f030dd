//! Checks that every name in a target's expressions means something, before anything runs.

use std::collections::BTreeSet;
use std::ops::Range;

use indexmap::IndexMap;
use rustc_hash::FxHashSet;

use super::meaning::{Fault, Sight};
use super::rule::{Ref, Text, Tie};
use super::scope::{Scope, Variable};
use crate::error::{Diagnostic, Place};
use crate::expr::{Name, Template};
use crate::parse;

/// What the expressions of a target use.
#[derive(Default)]
pub(super) struct Names {
    /// Variables of the caller's environment.
    pub(super) env: BTreeSet<String>,
    /// Whether the command asks for a depfile.
    pub(super) depfile: bool,
    /// Whether a value is what a command prints.
    pub(super) asks: bool,
    /// Whether it asks for what other targets made.
    pub(super) targets: bool,
    /// The names of those, as far as they are written out.
    pub(super) asked: Vec<Ref>,
    /// The first word that differs from profile to profile.
    pub(super) tie: Option<Tie>,
}

/// Which variables some profile sets: the profile, and where.
pub(super) type Sets<'s> = &'s dyn Fn(&str) -> Option<(String, Place)>;

impl Names {
    /// Checks all strings of `target`.
    ///
    /// # Errors
    /// Unknown names, names that are not known yet where they are used, variables in a circle.
    pub(super) fn check(
        target: &parse::Target,
        scope: &Scope,
        sets: Sets<'_>,
    ) -> Result<Names, Vec<Diagnostic>> {
        let mut check = Check {
            target,
            sets,
            sight: Sight { target, scope },
            variables: scope.variables(),
            names: Names::default(),
            seen: FxHashSet::default(),
            open: Vec::new(),
            wrong: circle(scope).into_iter().collect(),
        };
        if check.wrong.is_empty() {
            check.once();
        }
        if check.wrong.is_empty() {
            check.all();
        }
        if check.wrong.is_empty() { Ok(check.names) } else { Err(check.wrong) }
    }
}

struct Check<'a> {
    target: &'a parse::Target,
    sets: Sets<'a>,
    sight: Sight<'a>,
    variables: &'a IndexMap<String, Variable>,
    names: Names,
    seen: FxHashSet<(&'a str, bool)>,
    /// Variables whose values are to be looked into.
    open: Vec<(&'a Variable, Use<'a>)>,
    wrong: Vec<Diagnostic>,
}

/// How a variable's value came to be read.
#[derive(Clone)]
struct Use<'a> {
    /// The variable that the target names, which may lead to others.
    name: &'a str,
    /// Where it names it.
    place: Place,
    /// Whether the text is read when the task is about to run.
    ready: bool,
}

/// Names that every task has, and each for itself.
const OF_ONE_TASK: [&str; 3] = ["out", "state", "depfile"];

impl<'a> Check<'a> {
    /// Fields that are worked out once for all tasks of a target.
    fn once(&mut self) {
        let target = self.target;
        let matrix = target.matrix.values().flat_map(|(_, texts)| texts);
        let exclude = target.exclude.iter().flat_map(|one| one.values.values());
        let matrix = matrix.chain(exclude.map(|(_, text)| text));
        let foreach = target.foreach.iter().flatten();
        self.once_in("dir", target.dir.iter());
        self.once_in("foreach", foreach);
        self.once_in("matrix", matrix);
    }

    fn once_in(&mut self, field: &str, texts: impl Iterator<Item = &'a parse::Text>) {
        let target = self.target;
        let is_of_one = |read: &&Read| match &*read.head {
            _ if read.variable => false,
            "item" => target.foreach.is_some(),
            "matrix" => !target.matrix.is_empty(),
            "args" => target.reads.args && field == "dir",
            head => OF_ONE_TASK.contains(&head),
        };
        for text in texts {
            let reads = reads(text, self.sight.scope);
            let Some(read) = reads.iter().find(is_of_one) else { continue };
            let what = match field {
                "dir" => "`dir` is one folder",
                "foreach" => "`foreach` is one list",
                _ => "a `matrix` is the same",
            };
            let help = match field {
                "dir" => format!(
                    "let the command go there: run = \"cd {} && …\"\npaths in the other fields then \
                     name that folder themselves",
                    text.template.source().trim()
                ),
                "foreach" => {
                    "name files, patterns, words, or a variable that holds them".to_owned()
                }
                _ => "name values, or a variable that holds them".to_owned(),
            };
            let message =
                format!("{what} for all tasks of a target: `{}` is not known there", read.head);
            self.wrong.push(Diagnostic::error(message).at(read.place.clone(), "").help(help));
        }
    }

    fn all(&mut self) {
        let target = self.target;
        let lists = [&target.inputs, &target.outputs, &target.installs, &target.foreach];
        let lists = lists.into_iter().flatten().chain([&target.deps, &target.after]).flatten();
        let matrix = target.matrix.values().flat_map(|(_, texts)| texts);
        let exclude = target.exclude.iter().flat_map(|one| one.values.values());
        let matrix = matrix.chain(exclude.map(|(_, text)| text));
        let gates = target.checks.gates.values().map(|(_, text)| text);
        for text in lists
            .chain(matrix)
            .chain(&target.dir)
            .chain(&target.depfile)
            .chain(&target.reads.env_files)
            .chain(gates)
        {
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
        let asked = command.iter().chain(target.shell.iter().flatten()).chain(env);
        let asked = asked.chain(&target.reads.tools).chain(target.service.texts());
        let asked = asked.chain(&target.checks.accept).chain(&target.rollback);
        for text in asked.chain(&target.policy.fresh_if) {
            self.text(text, true);
        }
        self.when();
    }

    /// What `when` reads of the environment decides whether the task runs, not what it makes.
    fn when(&mut self) {
        if let Some(text) = &self.target.when {
            let env = self.names.env.clone();
            self.text(text, false);
            self.names.env = env;
        }
    }

    fn text(&mut self, text: &'a parse::Text, ready: bool) {
        self.asks(&text.template, &|part| Some(text.place_of(part)));
        for name in text.template.names() {
            let place = text.place_of(name.range.clone());
            self.ties(name, &|| Some(place.clone()));
            match self.enter(name) {
                Some((name, variable)) => {
                    if self.seen.insert((name, ready)) {
                        self.open.push((variable, Use { name, place, ready }));
                    }
                }
                None => self.own(name, place, ready),
            }
        }
        while let Some((variable, of)) = self.open.pop() {
            self.variable(variable, &of);
        }
    }

    /// The variable that a name begins with.
    fn enter(&self, name: &Name) -> Option<(&'a str, &'a Variable)> {
        let (name, variable) = self.variables.get_key_value(head(name))?;
        Some((name, variable))
    }

    /// A name in a string of the target itself.
    fn own(&mut self, name: &Name, place: Place, ready: bool) {
        self.take(name);
        let problem = match self.sight.fault(&name.path, ready) {
            Some(Fault::Unknown(problem) | Fault::NotHere(problem)) => Some(problem),
            None => self.sight.stands_for_nothing(head(name)),
        };
        if let Some(problem) = problem {
            let wrong = Diagnostic::error(problem.message).at(place, "").help_if(problem.help);
            self.wrong.push(wrong);
        }
    }

    /// The names within a variable's value, as this target would see them.
    fn variable(&mut self, variable: &'a Variable, of: &Use<'a>) {
        self.names.asks |= matches!(variable, Variable::Sh(_));
        for text in texts(variable) {
            self.asks(&text.template, &|part| text.place_of(part));
            for name in text.template.names() {
                self.ties(name, &|| text.place_of(name.range.clone()));
                match self.enter(name) {
                    Some((inner, variable)) => {
                        if self.seen.insert((inner, of.ready)) {
                            self.open.push((variable, of.clone()));
                        }
                    }
                    None => self.within(name, text, of),
                }
            }
        }
    }

    /// A name in a variable's value: the first place is that of what is to be changed.
    fn within(&mut self, name: &Name, text: &Text, of: &Use<'a>) {
        self.take(name);
        let inner = text.place_of(name.range.clone());
        let used = of.place.clone();
        let wrong = match self.sight.fault(&name.path, of.ready) {
            None => return,
            Some(Fault::Unknown(problem)) => Diagnostic::error(problem.message)
                .at(inner.unwrap_or_else(|| used.clone()), "")
                .also(used, format!("`{}` is used here", of.name))
                .help_if(problem.help),
            Some(Fault::NotHere(problem)) => Diagnostic::error(problem.message)
                .at(used, format!("`{}` needs `{}`", of.name, head(name)))
                .also(inner, "named here")
                .help_if(problem.help),
        };
        self.wrong.push(wrong);
    }

    /// Remembers which targets' outputs are asked for by name.
    fn asks(&mut self, template: &Template, place: &dyn Fn(Range<usize>) -> Option<Place>) {
        let calls = template.calls().iter().filter(|call| call.name == "target");
        self.names.asked.extend(calls.map(|call| Ref {
            text: call.argument.clone(),
            place: place(call.range.clone()),
            each: None,
        }));
    }

    /// Remembers the first name that differs from profile to profile.
    fn ties(&mut self, name: &Name, place: &dyn Fn() -> Option<Place>) {
        let word = head(name);
        if self.names.tie.is_some() {
            return;
        }
        let set = (self.sets)(word);
        if set.is_some() || (word == "profile" && !self.variables.contains_key(word)) {
            self.names.tie = Some(Tie { word: word.to_owned(), place: place(), set });
        }
    }

    /// Remembers what a name asks for.
    fn take(&mut self, name: &Name) {
        let field = name.path.split('.').nth(1).filter(|field| !field.is_empty());
        match head(name) {
            "env" => self.names.env.extend(field.map(str::to_owned)),
            "depfile" => self.names.depfile = true,
            "target" => self.names.targets = true,
            _ => {}
        }
    }
}

fn head(name: &Name) -> &str {
    name.path.split('.').next().unwrap_or(&name.path)
}

/// A name that a string reads, itself or by a variable.
pub(super) struct Read {
    /// Its first word.
    pub(super) head: String,
    /// Where the string names it, or the variable that leads to it.
    pub(super) place: Place,
    pub(super) variable: bool,
}

impl Read {
    /// Whether it is this name of taskr, and no variable that is called so.
    pub(super) fn is(&self, name: &str) -> bool {
        !self.variable && self.head == name
    }
}

/// All names that a string reads.
pub(super) fn reads(text: &parse::Text, scope: &Scope) -> Vec<Read> {
    let mut found = Vec::new();
    let mut seen = FxHashSet::default();
    for name in text.template.names() {
        let mut open = vec![head(name).to_owned()];
        while let Some(head_of) = open.pop() {
            let variable = scope.variables().get(&head_of);
            let place = text.place_of(name.range.clone());
            if let Some(variable) = variable {
                if !seen.insert(head_of.clone()) {
                    continue;
                }
                let names = variable.texts().iter().flat_map(|text| text.template.names());
                open.extend(names.map(|name| head(name).to_owned()));
            }
            found.push(Read { head: head_of, place, variable: variable.is_some() });
        }
    }
    found
}

fn texts(variable: &Variable) -> &[Text] {
    match variable {
        Variable::One(text) | Variable::Sh(text) => std::slice::from_ref(text),
        Variable::List(texts) => texts,
    }
}

/// Variables that need each other, with all members. Linear, with an explicit stack.
fn circle(scope: &Scope) -> Option<Diagnostic> {
    let variables = scope.variables();
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
                return Some(tell_circle(scope, &members));
            }
            open[need] = true;
            stack.push((need, needs(need)));
        }
    }
    None
}

fn tell_circle(scope: &Scope, members: &[usize]) -> Diagnostic {
    let variables = scope.variables();
    let name = |at: usize| variables.get_index(at).map_or("", |(name, _)| name.as_str());
    let mut shown: Vec<&str> = members.iter().map(|&at| name(at)).collect();
    shown.push(name(members[0]));
    let message = match members {
        [only] => format!("`{}` needs itself", name(*only)),
        _ => format!("these variables need each other: {}", shown.join(" → ")),
    };
    let mut diagnostic = Diagnostic::error(message);
    for (number, &at) in members.iter().enumerate() {
        let needed = shown[number + 1];
        let place = texts(&variables[at]).iter().find_map(|text| {
            let uses = text.template.names().iter().find(|name| head(name) == needed)?;
            text.place_of(uses.range.clone())
        });
        let Some(place) = place else { continue };
        let label = format!("`{needed}` is used here");
        diagnostic = match number {
            0 => diagnostic.at(place, label),
            _ => diagnostic.also(place, label),
        };
    }
    let caller = match members {
        [only] => scope.caller_variable(name(*only)),
        _ => None,
    };
    diagnostic.help(match caller {
        Some(name) => format!("for the environment variable write `{{{{ env.{name} }}}}`"),
        None => "give one of them a value of its own".to_owned(),
    })
}
