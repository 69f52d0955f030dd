//! `taskr check`: the whole Taskfile, without running anything: its mistakes, and what is allowed
//! but surely not meant.

use std::io::Write;

use indexmap::IndexMap;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::End;
use super::args::Check;
use super::doubts::doubts;
use super::json_out;
use super::out::print;
use super::packages::full_in;
use super::steps;
use super::terminal::{Colours, width};
use super::workspace::{Workspace, at_place};
use crate::error::{Diagnostic, Error, Level, nearest, quoted, render_all};
use crate::graph::{Graph, Kind, run_gates};
use crate::ids::IdVec;
use crate::parse::{self, Target, Taskfile, Text, Var, split_pick};
use crate::plan::Plan;
use crate::run::find;

pub(super) fn check(args: &Check, workspace: Result<Workspace, Error>) -> Result<End, Error> {
    let checked = workspace.and_then(|workspace| {
        let graph = graph(args, &workspace)?;
        let mut warnings = warnings(&workspace.taskfile, &graph);
        warnings.extend(without_order(&graph));
        warnings.extend(steps::untied(&workspace.taskfile, &graph));
        warnings.extend(doubts(&workspace, &graph));
        let tasks = graph.tasks().iter().filter(|task| task.kind() != Kind::Group).count();
        let name = workspace.taskfile.source.name.clone();
        let targets = graph.targets().len();
        let packages = workspace.taskfile.packages.len();
        Ok(Fine { name, packages, targets, tasks, warnings })
    });
    let code = match &checked {
        Ok(fine) if fine.warnings.is_empty() || !args.strict => 0,
        Ok(_) => 2,
        Err(error) => error.exit_code(),
    };
    if args.json {
        print(format!("{:#}\n", as_json(&checked)).as_bytes())?;
        return Ok(End::Code(code));
    }
    match &checked {
        Ok(fine) => tell(fine, args)?,
        Err(Error::Taskfile(wrong)) => tell_wrong(wrong, args),
        Err(_) => return checked.map(|_| End::Code(code)),
    }
    Ok(End::Code(code))
}

/// All mistakes, and that this need not be all of them.
fn tell_wrong(wrong: &[Diagnostic], args: &Check) {
    let colours = Colours::choose(&args.common.color);
    let text = render_all(wrong, colours.err, width());
    let more = "what builds on that was not checked: mend it and run `taskr check` again";
    let _ = writeln!(std::io::stderr(), "{text}\n\n{}; {more}", counted(wrong.len(), "mistake"));
}

/// A Taskfile without mistakes.
struct Fine {
    name: String,
    packages: usize,
    targets: usize,
    tasks: usize,
    warnings: Vec<Diagnostic>,
}

/// The graph, or all mistakes of the stages that could be looked at.
fn graph(args: &Check, workspace: &Workspace) -> Result<Graph, Error> {
    let jobs = workspace.jobs(None, &args.common);
    let made = workspace.loader(&args.common, jobs.as_ref().copied().unwrap_or(1))?();
    let mut wrong = Vec::new();
    let gates = run_gates(&workspace.taskfile, &workspace.settings(&args.common.defines, 1)?);
    wrong.extend(diagnostics(jobs.map(|_| ()))?);
    wrong.extend(diagnostics(workspace.output(None, &args.common).map(|_| ()))?);
    wrong.extend(diagnostics(gates.map(|_| ()))?);
    let graph = match made {
        Ok(graph) => {
            wrong.extend(wrong_names(&workspace.taskfile, &graph)?);
            wrong.extend(steps::wrong(&workspace.taskfile, &graph));
            Some(graph)
        }
        Err(error) => {
            wrong.extend(diagnostics(Err(error))?);
            None
        }
    };
    match graph {
        Some(graph) if wrong.is_empty() => Ok(graph),
        _ => Err(Error::Taskfile(wrong)),
    }
}

/// Mistakes of the Taskfile are collected, any other error is one at once.
fn diagnostics(result: Result<(), Error>) -> Result<Vec<Diagnostic>, Error> {
    match result {
        Ok(()) => Ok(Vec::new()),
        Err(Error::Taskfile(wrong)) => Ok(wrong),
        Err(error) => Err(error),
    }
}

/// Names in `default` and `[hooks]` that cannot be built.
fn wrong_names(taskfile: &Taskfile, graph: &Graph) -> Result<Vec<Diagnostic>, Error> {
    let default = taskfile.every().flat_map(|file| {
        file.default.iter().map(move |text| (file, text, "a bare `taskr`".to_owned()))
    });
    let hooks = taskfile.hooks.iter().flat_map(|(hook, (_, targets))| {
        targets.iter().map(move |text| (taskfile, text, format!("the hook {hook}")))
    });
    let mut wrong = Vec::new();
    for (file, text, who) in default.chain(hooks) {
        let name = text.template.source();
        let label = format!("{who} would build it");
        if taskfile.pipelines.contains_key(&full_in(&file.package.dir, name)) {
            continue;
        }
        let full = full_in(&file.package.dir, name);
        let found = graph.select(&full);
        let Some(&id) = found.first() else {
            if let (Some(_), Err(error)) = (graph.target(split_pick(&full).0), find(graph, &full)) {
                wrong.extend(diagnostics(Err(at_place(error, text, &label)))?);
                continue;
            }
            let public = file.targets.values().filter(|target| !target.private);
            let near = nearest(name, public.map(|target| target.name.as_str()));
            wrong.push(
                Diagnostic::error(format!("there is no target {}", quoted(name)))
                    .at(text.place.clone(), label)
                    .help_if(near.map(|near| format!("did you mean `{near}`?"))),
            );
            continue;
        };
        if graph.task(id).rule.target.private {
            wrong.push(
                Diagnostic::error(format!(
                    "{} is private: it is built only for others",
                    quoted(name)
                ))
                .at(text.place.clone(), label)
                .help("remove `private = true` from its target, or name another here"),
            );
        }
    }
    Ok(wrong)
}

/// What taskr takes, and nobody means.
fn warnings(taskfile: &Taskfile, graph: &Graph) -> Vec<Diagnostic> {
    let mut warnings = unused_variables(taskfile);
    warnings.extend(unused_templates(taskfile));
    warnings.extend(unneeded(taskfile, graph));
    warnings.extend(same_names(taskfile));
    if let Some(place) = &taskfile.inherit {
        warnings.push(
            Diagnostic::warning("recorded tasks see the caller's whole environment")
                .at(place.clone(), "what they read of it does not count in their keys")
                .help("remove it, and name what a task needs in its `env_inputs`, or `env_pass`"),
        );
    }
    warnings.extend(same_in_all_profiles(taskfile, graph));
    if let (true, Some(first)) = (taskfile.default.is_empty(), to_be_built(taskfile, graph)) {
        warnings.push(
            Diagnostic::warning("there is no `default`: a bare `taskr` builds nothing")
                .help(format!("write `default = [\"{}\"]` at the top of the file", first.name)),
        );
    }
    warnings
}

/// The first target that a bare `taskr` could build: files are made, nothing is deployed.
fn to_be_built<'f>(taskfile: &'f Taskfile, graph: &Graph) -> Option<&'f Target> {
    let is_recorded = |target: &&Target| {
        let node = graph.target(&taskfile.full_name(&target.name));
        let tasks = node.map(|node| graph.without_groups(&[node])).unwrap_or_default();
        let mut kinds = tasks.iter().map(|&id| graph.task(id).kind());
        !tasks.is_empty() && kinds.all(|kind| kind == Kind::Recorded)
    };
    taskfile.targets.values().filter(|target| !target.private).find(is_recorded)
}

/// Variables by their places: name, variable, whether something names it.
type Seen<'f> = IndexMap<(usize, usize, usize), (&'f str, &'f Var, bool)>;

fn see<'f>(seen: &mut Seen<'f>, vars: &'f IndexMap<String, Var>, used: &FxHashSet<&str>) {
    for (name, var) in vars {
        seen.entry(var.name_place.id()).or_insert((name, var, false)).2 |=
            used.contains(name.as_str());
    }
}

/// Variables that nothing names. Those of a shared Taskfile serve any of its packages, those of
/// the root every package; a variable of a file may use one that only targets have.
fn unused_variables(root: &Taskfile) -> Vec<Diagnostic> {
    let of_profiles = || {
        let profiles = root.every().flat_map(|file| file.profiles.values());
        profiles.map(|profile| &profile.vars)
    };
    let by_files = root.every().map(|file| &file.vars).chain(of_profiles());
    let by_files = by_files.flat_map(|vars| vars.values());
    let by_files: FxHashSet<&str> = by_files.flat_map(Var::texts).flat_map(heads).collect();
    let mut seen = Seen::new();
    let of_the_run = root.jobs.iter().chain(&root.output);
    let of_the_run = of_the_run.chain(root.gates.values().map(|(_, text)| text));
    let mut anywhere: FxHashSet<&str> = of_the_run.flat_map(heads).collect();
    for file in root.every() {
        let mut in_file = FxHashSet::default();
        for target in file.targets.values() {
            let used: FxHashSet<&str> = target.texts().flat_map(heads).collect();
            see(&mut seen, &target.vars, &used);
            in_file.extend(used);
        }
        if !file.package.dir.is_empty() {
            see(&mut seen, &file.vars, &in_file);
        }
        anywhere.extend(in_file);
    }
    see(&mut seen, &root.vars, &anywhere);
    for vars in of_profiles() {
        see(&mut seen, vars, &anywhere);
    }
    let unused = seen.into_values().filter(|(name, _, used)| !used && !by_files.contains(name));
    let warning = |(name, var, _): (&str, &Var, bool)| {
        Diagnostic::warning(format!("the variable {} is not used", quoted(name)))
            .at(var.name_place.clone(), "")
            .help(format!("remove it, or write `{{{{ {name} }}}}` where it belongs"))
    };
    unused.map(warning).collect()
}

/// Templates that no target takes over: nothing but their form was checked.
fn unused_templates(taskfile: &Taskfile) -> Vec<Diagnostic> {
    let targets = || taskfile.every().flat_map(|file| file.targets.values());
    let used = targets().flat_map(|target| &target.uses.layers);
    let used: FxHashSet<_> = used.map(|layer| layer.fields.place.id()).collect();
    let all = taskfile.every().flat_map(|file| file.reuse.templates.values());
    let mut told = FxHashSet::default();
    let unused = all.filter(|layer| {
        let id = layer.fields.place.id();
        !used.contains(&id) && told.insert(id)
    });
    unused
        .map(|layer| {
            let name = &layer.fields.name;
            Diagnostic::warning(format!("the template {} is not used", quoted(name)))
                .at(layer.fields.place.clone(), "")
                .help(format!("remove it, or write `use = \"{name}\"` in a target"))
        })
        .collect()
}

/// The names that a string's expressions begin with.
fn heads(text: &Text) -> impl Iterator<Item = &str> {
    text.template.names().iter().filter_map(|name| name.path.split('.').next())
}

/// Packages that give themselves the same name. Folders may be called alike.
fn same_names(taskfile: &Taskfile) -> Vec<Diagnostic> {
    let mut known: IndexMap<&str, &str> = IndexMap::new();
    let mut warnings = Vec::new();
    for one in &taskfile.packages {
        let (dir, name) = (one.package.dir.as_str(), one.package.name.as_deref());
        let Some(name) = name.filter(|name| dir.rsplit('/').next() != Some(*name)) else {
            continue;
        };
        if let Some(first) = known.insert(name, dir) {
            let message =
                format!("two packages are called {}: //{first} and //{dir}", quoted(name));
            let help = "`{{ package.name }}` is the same in both: give one another `name`";
            warnings.push(Diagnostic::warning(message).help(help));
        }
    }
    warnings
}

/// Private targets that no other needs: nothing can ever build them.
fn unneeded(taskfile: &Taskfile, graph: &Graph) -> Vec<Diagnostic> {
    let steps = taskfile.pipelines.values().flat_map(parse::Pipeline::names);
    let steps: FxHashSet<&str> = steps.map(|word| split_pick(&word.text).0).collect();
    let needed = |full: &str| {
        if steps.contains(full) {
            return true;
        }
        let Some(node) = graph.target(full) else { return true };
        let mut tasks = graph.without_groups(&[node]);
        tasks.push(node);
        let of_others = |id: &_| graph.task(*id).rule.target.name != full;
        tasks.iter().any(|&task| graph.needed_by(task).iter().any(of_others))
    };
    let all = taskfile.every().flat_map(|file| {
        file.targets.values().map(move |target| (file.full_name(&target.name), target))
    });
    let lost = all.filter(|(full, target)| target.private && !needed(full));
    lost.map(|(full, target)| {
        Diagnostic::warning(format!("nothing can build {}", quoted(&full)))
            .at(target.place.clone(), "is private, and no other target needs it")
            .help("remove `private = true`, or name it in the `deps` of a target")
    })
    .collect()
}

/// Targets with tasks of their own in each profile, all of which write the same file: each build
/// replaces that of another profile, and several cannot be built at once.
fn same_in_all_profiles(root: &Taskfile, graph: &Graph) -> Vec<Diagnostic> {
    if root.names_of_profiles().is_empty() {
        return Vec::new();
    }
    let all = root.every().flat_map(|file| file.targets.values().map(move |target| (file, target)));
    let warnings = all.filter_map(|(file, target)| {
        let full = file.full_name(&target.name);
        let (_, tie) = graph.tie(graph.target(&full)?)?;
        let files = [file, root];
        let outputs = target.outputs.iter().flatten();
        let output = outputs.clone().find(|text| !differs(&files, target, text))?;
        let (name, written) = (quoted(&full), quoted(output.template.source()));
        Some(
            Diagnostic::warning(format!("{name} makes {written} in each profile"))
                .at(output.place.clone(), "one profile replaces what another made")
                .also(tie.place.clone(), format!("`{}` differs from profile to profile", tie.word))
                .help("name the profile in the path, as in \"bin/{{ profile }}/app\""),
        )
    });
    warnings.collect()
}

/// Whether a string of a target is another one in another profile.
fn differs(files: &[&Taskfile], target: &Target, text: &Text) -> bool {
    let mut waiting: Vec<&str> = heads(text).collect();
    let mut seen = FxHashSet::default();
    while let Some(name) = waiting.pop() {
        let own = target.vars.get(name);
        let is_set = || files.iter().any(|file| file.set_by_profile(name).is_some());
        if own.is_none() && (name == "profile" || is_set()) {
            return true;
        }
        if seen.insert(name) {
            let var = own.or_else(|| files.iter().find_map(|file| file.vars.get(name)));
            waiting.extend(var.into_iter().flat_map(Var::texts).flat_map(heads));
        }
    }
    false
}

/// Formatters that could not be wanted at once.
fn without_order(graph: &Graph) -> Vec<Diagnostic> {
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let wrong = Plan::new(graph, graph.targets(), &durations).err().unwrap_or_default();
    wrong.into_iter().map(|wrong| Diagnostic { level: Level::Warning, ..wrong }).collect()
}

fn tell(fine: &Fine, args: &Check) -> Result<(), Error> {
    let mut with = " is fine".to_owned();
    if !fine.warnings.is_empty() {
        let colours = Colours::choose(&args.common.color);
        let text = render_all(&fine.warnings, colours.err, width());
        let _ = writeln!(std::io::stderr(), "{text}\n");
        let warnings = counted(fine.warnings.len(), "warning");
        with = match args.strict {
            true => format!(" has {warnings}, which --strict refuses"),
            false => format!(" is fine, with {warnings}"),
        };
    }
    let targets = counted(fine.targets, "target");
    let tasks = counted(fine.tasks, "task");
    let packages = match fine.packages {
        0 => String::new(),
        count => format!("{}, ", counted(count, "package")),
    };
    print(format!("{}{with}: {packages}{targets}, {tasks}\n", fine.name).as_bytes())
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn as_json(checked: &Result<Fine, Error>) -> Value {
    let list = |all: &[Diagnostic]| all.iter().map(json_out::diagnostic).collect::<Vec<_>>();
    let (fine, found) = match checked {
        Ok(fine) => (Some(fine), list(&fine.warnings)),
        Err(Error::Taskfile(wrong)) => (None, list(wrong)),
        Err(error) => (None, list(&[without_place(error)])),
    };
    json!({
        "version": json_out::version(),
        "fine": fine.is_some(),
        "packages": fine.map(|fine| fine.packages),
        "targets": fine.map(|fine| fine.targets),
        "tasks": fine.map(|fine| fine.tasks),
        "diagnostics": found,
    })
}

/// An error that is of no line of the Taskfile: the file cannot be read, an option is wrong.
fn without_place(error: &Error) -> Diagnostic {
    match error {
        Error::Usage { message, help } => Diagnostic::error(message).help_if(help.clone()),
        other => {
            let text = crate::error::render(other, false, usize::MAX);
            Diagnostic::error(text.strip_prefix("error: ").unwrap_or(&text))
        }
    }
}
