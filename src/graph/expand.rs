//! Targets to rules: `foreach`, `matrix`, and every path in the workspace's terms.
//!
//! Lists files for `foreach` only. Collects all that is wrong before it gives up.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::MOST_TASKS;
use super::args::Args;
use super::asks::Asks;
use super::batch;
use super::item::{self, Looked};
use super::names::Names;
use super::packages::{Home, Packages};
use super::rounds::rules_of_all;
use super::rule::{Action, Kind, Placed, PlacedPath, Policy, Ref, Rule, Target, Tie};
use super::schedule::{Pools, Schedule, pools_of};
use super::scope::{Item, Own, Scope, Surroundings, printable};
use super::service::Service;
use super::text::{Element, nothing_ready, outside, word_of_path};
use super::vars::{check_defines, variables_of};
use super::{bounds, checks, policy};
use crate::error::{Diagnostic, Error, Place, each_once};
use crate::expr::Template;
use crate::files::{Ignored, normalise};
use crate::outdir::{STATE_DIR, TaskDir, is_within};
use crate::parse::{self, Command, Taskfile};

/// What the command line and the machine add to a Taskfile.
#[derive(Debug)]
pub struct Settings {
    /// The workspace.
    pub root: PathBuf,
    /// The Taskfile's name below the root, where it is not the usual one.
    pub taskfile: Option<Vec<u8>>,
    /// `-D NAME=VALUE`, in order.
    pub defines: Vec<(String, String)>,
    /// What is the same for all tasks.
    pub surroundings: Arc<Surroundings>,
    /// What stands behind `--`, and for whom.
    pub args: Args,
    /// What commands print for variables.
    pub asks: Arc<Asks>,
}

/// Makes the rules of a Taskfile in one profile, in order of declaration.
///
/// # Errors
/// All that is wrong in the Taskfile, or a `-D` of a variable that nobody has.
pub fn expand(taskfile: &Taskfile, settings: &Settings) -> Result<Expanded, Error> {
    expand_in(taskfile, std::slice::from_ref(settings), &|_| false)
}

/// The same in several profiles, each with its settings: targets that are tied to their profile
/// have tasks in each, all others in the first.
pub(super) fn expand_in(
    taskfile: &Taskfile,
    profiles: &[Settings],
    is_tied: &dyn Fn(&str) -> bool,
) -> Result<Expanded, Error> {
    check_defines(taskfile, &profiles[0])?;
    profiles[0].asks.begin();
    let layers: Vec<_> = taskfile.every().flat_map(|file| file.reuse.layers()).cloned().collect();
    let refused = |wrong| Error::Taskfile(each_once(parse::told_once(wrong, &layers)));
    let packages = Packages::of(taskfile);
    let full = |package: &'_ Taskfile| -> Vec<String> {
        package.targets.keys().map(|name| package.full_name(name)).collect()
    };
    let names: Vec<Vec<String>> = taskfile.every().map(full).collect();
    let mut wrong = Vec::new();
    let mut prepared = Vec::new();
    let pools = pools_of(taskfile);
    for (number, (package, names)) in taskfile.every().zip(&names).enumerate() {
        for (target, own) in package.targets.values().zip(names) {
            let home = Home { packages: &packages, number, own };
            let tied = is_tied(own);
            for settings in if tied { profiles } else { &profiles[..1] } {
                match Prepared::new(home, target, (settings, &pools, tied)) {
                    Ok(one) => prepared.push(one),
                    Err(diagnostics) => {
                        wrong.extend(diagnostics.into_iter().map(|one| target.explain(one, None)));
                    }
                }
            }
        }
    }
    if !wrong.is_empty() {
        return Err(refused(wrong));
    }
    profiles[0].args.give(&mut prepared)?;
    let ignored = match taskfile.gitignore {
        true => Ignored::new(&profiles[0].root),
        false => Ignored::default(),
    };
    let expanded = rules_of_all(&prepared, &profiles[0], ignored);
    profiles[0].asks.interrupted()?;
    expanded.map_err(refused)
}

/// Rules, and what their making saw of the disk.
#[derive(Debug)]
pub struct Expanded {
    pub(super) rules: Vec<Rule>,
    pub(super) looked: Looked,
    pub(super) ignored: Ignored,
}

/// One target, ready to give its rules.
pub(super) struct Prepared<'a> {
    pub(super) source: &'a parse::Target,
    pub(super) home: Home<'a>,
    schedule: Schedule,
    pub(super) scope: Scope,
    pub(super) dir: Vec<u8>,
    uses_depfile: bool,
    uses_targets: bool,
    asked: Vec<Ref>,
    tie: Option<Tie>,
    env_inputs: BTreeSet<String>,
    inherits: bool,
    asks: bool,
    settings: &'a Settings,
}

impl<'a> Prepared<'a> {
    fn new(
        home: Home<'a>,
        source: &'a parse::Target,
        (settings, pools, tied): (&'a Settings, &Pools, bool),
    ) -> Result<Prepared<'a>, Vec<Diagnostic>> {
        let variables = variables_of(home, Some(source), settings)?;
        let scope = Scope::new(settings.surroundings.clone(), variables, home.own);
        let scope = scope.with_asks(settings.asks.clone());
        let scope = scope.in_package(home.scope());
        let scope = if tied { scope.tied() } else { scope };
        if let (true, Some((place, _))) = (tied, source.matrix.get("profile")) {
            return Err(vec![axis_profile(place)]);
        }
        let sets = |name: &str| {
            let mut files = home.files();
            let (profile, var) = files.find_map(|file| file.set_by_profile(name))?;
            let shadowed = source.vars.contains_key(name);
            (!shadowed).then(|| (profile.to_owned(), var.name_place.clone()))
        };
        let names = Names::check(source, &scope, &sets)?;
        batch::check(source, &scope)?;
        let dir = dir_of_target(source, &scope).map_err(|wrong| vec![wrong])?;
        let asked = names.asked.into_iter().map(|asked| home.refer_to_one(asked));
        let asked = asked.collect::<Result<_, _>>().map_err(|wrong| vec![wrong])?;
        let env_inputs = source.env_inputs.iter().map(|word| word.text.clone());
        let env_inputs = env_inputs.chain(names.env).collect();
        let schedule = Schedule::of(home.packages.all()[0], source, pools)?;
        Ok(Prepared {
            source,
            home,
            schedule,
            scope,
            dir,
            uses_depfile: names.depfile,
            uses_targets: names.targets,
            asked,
            tie: names.tie,
            env_inputs,
            inherits: home.packages.all()[0].inherit.is_some(),
            asks: names.asks,
            settings,
        })
    }

    /// The rules of this target for these items (none if it has no `foreach`).
    pub(super) fn rules(&self, items: Option<&[Item]>) -> Result<Vec<Rule>, Vec<Diagnostic>> {
        let target = Arc::new(self.target(items));
        if self.uses_depfile && self.source.interactive {
            return Err(vec![policy::depfile_of_interactive(self.source)]);
        }
        if let Some(wrong) = policy::of_unrecorded(self.source, target.kind) {
            return Err(vec![self.source.explain(wrong, None)]);
        }
        let combinations = self.combinations()?;
        let each: Vec<Option<&Item>> = match items {
            None => vec![None],
            Some(items) => items.iter().map(Some).collect(),
        };
        let count = each.len().saturating_mul(combinations.len());
        if count > MOST_TASKS {
            return Err(vec![too_many(count, self.source)]);
        }
        let mut rules = Vec::with_capacity(count);
        for item in each {
            for matrix in &combinations {
                let scope = self.scope.of(item.cloned(), matrix);
                let name = in_profile(task_name(&target.name, item, matrix), self.scope.profile());
                let rule = self.rule(&target, &scope, name.clone());
                let explain = |one| self.source.explain(one, Some(&name));
                rules.push(
                    rule.map_err(|wrong| wrong.into_iter().map(explain).collect::<Vec<_>>())?,
                );
            }
        }
        if rules.is_empty() {
            let name = in_profile(target.name.clone(), self.scope.profile());
            rules.push(Rule::group(name, target, self.scope.clone()));
        }
        Ok(rules)
    }

    fn target(&self, items: Option<&[Item]>) -> Target {
        let source = self.source;
        let over_files = items.is_some_and(|items| items.iter().any(|item| item.file.is_some()));
        let declares = source.inputs.is_some()
            || source.outputs.is_some()
            || source.installs.is_some()
            || source.depfile.is_some();
        let kind = match &source.command {
            None => Kind::Group,
            _ if items.is_some_and(<[Item]>::is_empty) => Kind::Group,
            _ if source.service.service => Kind::Service,
            _ if source.interactive => Kind::Unrecorded,
            _ if declares || over_files || self.uses_depfile => Kind::Recorded,
            _ => Kind::Unrecorded,
        };
        let shell = shell_of(source.shell.as_deref());
        Target {
            name: self.home.own.to_owned(),
            place: Some(source.place.clone()),
            doc: source.doc.clone(),
            private: source.private,
            kind,
            always: source.always,
            service: Service::of(&source.service, &shell),
            policy: Policy::of(&source.policy, shell),
            schedule: self.schedule.clone(),
            uses_targets: self.uses_targets,
            asked: self.asked.clone(),
            accept: source.checks.accept.iter().map(|text| script(source, text)).collect(),
            interactive: source.interactive,
            rollback: source.rollback.as_ref().map(|text| script(source, text)),
            action: source.command.as_ref().map(|command| action(command, source.shell.as_deref())),
            env: source.env.iter().map(|(name, (_, text))| (name.clone(), text.into())).collect(),
            env_inputs: self.env_inputs.iter().cloned().collect(),
            inherits: self.inherits,
            env_pass: source.env_pass.iter().map(|word| word.text.clone()).collect(),
            tools: source.reads.tools.iter().map(Into::into).collect(),
            asks: self.asks,
            items: item::patterns(self),
            tie: self.tie.clone(),
        }
    }

    fn rule(
        &self,
        target: &Arc<Target>,
        scope: &Scope,
        name: String,
    ) -> Result<Rule, Vec<Diagnostic>> {
        let (scope, depfile) = self.own_paths(scope, &name).map_err(|wrong| vec![wrong])?;
        let mut wrong = Vec::new();
        let source = self.source;
        let skipped = self.skipped(&scope).unwrap_or_else(|diagnostic| {
            wrong.push(diagnostic);
            None
        });
        let gates = checks::gates(&source.checks.gates, &scope);
        let gates = gates.map_err(|more| wrong.extend(more)).unwrap_or_default();
        let mut list = |texts: &[parse::Text]| elements(texts, &scope, &mut wrong);
        let outputs = list(source.outputs.as_deref().unwrap_or_default());
        let installs = list(source.installs.as_deref().unwrap_or_default());
        let (deps, after) = (list(&source.deps), list(&source.after));
        let (inputs, lists) = self.inputs(&scope, &mut wrong);
        let mut keep = Keep(&mut wrong);
        let rule = Rule {
            target: target.clone(),
            inputs,
            lists,
            outputs: keep.all(&outputs, |one| one.output(&self.dir)),
            installs: keep.all(&installs, |one| one.install(&self.dir)),
            deps: keep.all(&deps, |one| one.reference(self.home)),
            after: keep.all(&after, |one| one.reference(self.home)),
            dir: self.dir.clone(),
            depfile,
            skipped,
            gates,
            scope,
            name,
        };
        wrong.extend(bounds::outputs_of_the_whole(&rule));
        wrong.extend(bounds::outputs_of_others(&rule));
        wrong.extend(policy::fixes_nothing(source, &rule));
        if wrong.is_empty() { Ok(rule) } else { Err(wrong) }
    }

    /// Adds the paths of one task's own folder to its scope, and finds its depfile.
    fn own_paths(
        &self,
        scope: &Scope,
        name: &str,
    ) -> Result<(Scope, Option<PlacedPath>), Diagnostic> {
        let task_dir = TaskDir::new(self.settings.taskfile.as_deref(), name);
        let text = |path| String::from_utf8(path).expect("a Taskfile's folders are text");
        let word = |path: &[u8]| text(word_of_path(&self.dir, path));
        let mut own = Own {
            dir: if self.dir.is_empty() { ".".to_owned() } else { text(self.dir.clone()) },
            out: word(&task_dir.join("out")),
            state: word(&task_dir.join("state")),
            depfile: String::new(),
        };
        let Some(text) = &self.source.depfile else {
            if !self.uses_depfile {
                return Ok((scope.with_own(own), None));
            }
            let path = task_dir.join("deps.d");
            own.depfile = word(&path);
            return Ok((scope.with_own(own), Some(Placed { value: path, place: None })));
        };
        let with_out = scope.with_own(own.clone());
        let resolve = |name: &str| with_out.value(name, &nothing_ready);
        let Some(depfile) = scope.settled(text, text.template.text(&resolve))? else {
            return Ok((scope.with_own(own), None));
        };
        own.depfile = depfile;
        let help = "leave `depfile` out and let the command write to `{{ depfile }}`";
        let path = normalise(&self.dir, own.depfile.as_bytes()).map_err(|error| {
            outside(error, (own.depfile.as_bytes(), &self.dir), &text.place).help(help)
        })?;
        if is_within(&path, STATE_DIR.as_bytes()) && !is_within(&path, task_dir.path()) {
            let what = format!("`{}` lies in taskr's own folder", own.depfile);
            return Err(Diagnostic::error(what).at(text.place.clone(), "").help(help));
        }
        let depfile = Placed { value: path, place: Some(text.place.clone()) };
        Ok((scope.with_own(own), Some(depfile)))
    }
}

/// Takes results apart, keeping what is wrong.
pub(super) struct Keep<'a>(pub(super) &'a mut Vec<Diagnostic>);

impl Keep<'_> {
    pub(super) fn all<T>(
        &mut self,
        elements: &[Element],
        read: impl Fn(&Element) -> Result<T, Diagnostic>,
    ) -> Vec<T> {
        let mut all = Vec::with_capacity(elements.len());
        for element in elements {
            match read(element) {
                Ok(one) => all.push(one),
                Err(wrong) => self.0.push(wrong),
            }
        }
        all
    }
}

pub(super) fn elements(
    texts: &[parse::Text],
    scope: &Scope,
    wrong: &mut Vec<Diagnostic>,
) -> Vec<Element> {
    let mut all = Vec::with_capacity(texts.len());
    for text in texts {
        match Element::expand(text, scope) {
            Ok(elements) => all.extend(elements),
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    all
}

fn action(command: &Command, shell: Option<&[parse::Text]>) -> Action {
    let texts = |texts: &[parse::Text]| texts.iter().map(Into::into).collect();
    match command {
        Command::Exec(words) => Action::Exec(texts(words)),
        Command::Shell(lines) => Action::Shell { shell: shell_of(shell), lines: texts(lines) },
    }
}

/// A command beside the target's own, for its shell.
fn script(source: &parse::Target, text: &parse::Text) -> Action {
    Action::Shell { shell: shell_of(source.shell.as_deref()), lines: vec![text.into()] }
}

fn shell_of(own: Option<&[parse::Text]>) -> Vec<super::rule::Text> {
    if let Some(own) = own {
        return own.iter().map(Into::into).collect();
    }
    let words = ["sh", "-eu", "-c"].into_iter();
    words.map(|word| super::rule::Text { template: Template::literal(word), place: None }).collect()
}

fn task_name(target: &str, item: Option<&Item>, matrix: &[(String, String)]) -> String {
    let item = item.map(|item| printable(&item.written));
    let axes = matrix.iter().map(|(axis, value)| format!("{axis}={}", printable(value.as_bytes())));
    let parts: Vec<String> = item.into_iter().chain(axes).collect();
    if parts.is_empty() { target.to_owned() } else { format!("{target}@{}", parts.join(",")) }
}

/// The name of a task in its profile: the last of its axes, which the default profile does not show.
pub(super) fn in_profile(name: String, profile: Option<&str>) -> String {
    match profile.filter(|profile| *profile != parse::DEFAULT_PROFILE) {
        None => name,
        Some(profile) if parse::split_pick(&name).1.is_some() => {
            format!("{name},profile={profile}")
        }
        Some(profile) => format!("{name}@profile={profile}"),
    }
}

fn axis_profile(place: &Place) -> Diagnostic {
    Diagnostic::error("an axis cannot be called `profile` in a target that profiles differ in")
        .at(place.clone(), "its tasks have their profile as an axis already")
        .help("choose another name, or leave it out and build with --profile A,B")
}

fn dir_of_target(source: &parse::Target, scope: &Scope) -> Result<Vec<u8>, Diagnostic> {
    let package = match scope.package().dir.as_str() {
        "." => b"",
        dir => dir.as_bytes(),
    };
    let Some(text) = &source.dir else { return Ok(package.to_vec()) };
    let resolve = |name: &str| scope.value(name, &nothing_ready);
    let Some(dir) = scope.settled(text, text.template.text(&resolve))? else {
        return Ok(Vec::new());
    };
    let wrong = |what: String| {
        Diagnostic::error(what)
            .at(text.place.clone(), "")
            .help("name a folder of the workspace, relative to the Taskfile")
    };
    match normalise(package, dir.as_bytes()) {
        Ok(path) if path.starts_with(b"/") => Err(wrong("`dir` is an absolute path".to_owned())),
        Ok(path) => Ok(path),
        Err(error) => Err(outside(error, (dir.as_bytes(), package), &text.place)
            .help("name a folder of the workspace, relative to the Taskfile")),
    }
}

pub(super) fn too_many(count: usize, source: &parse::Target) -> Diagnostic {
    Diagnostic::error(format!("{count} tasks are more than the million that taskr takes"))
        .at(source.place.clone(), "with this target")
}
