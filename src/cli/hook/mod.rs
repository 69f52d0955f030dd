//! `taskr hook`: what `[hooks]` of the Taskfile says, brought into git's folder of hooks, and what
//! git calls then.

mod restage;
mod run;
mod script;

use std::fmt::Write as _;

use serde_json::json;

use super::End;
use super::args::{Hook, HookAction};
use super::json_out::version;
use super::out::print;
use super::workspace::Workspace;
use crate::error::{Error, listed, nearest, quoted};
use crate::parse::HOOKS;
use crate::report::one_line;
use script::{Scripts, There};

pub(super) fn hook(args: Hook, workspace: &Workspace, typed: &str) -> Result<End, Error> {
    if args.action == Some(HookAction::Run) {
        return run::run(args, workspace, typed);
    }
    let names: Vec<String> = args.names.iter().map(|name| script::name(name)).collect();
    check_names(&names)?;
    let scripts = Scripts::of(&workspace.root, &workspace.name)?;
    let text = match args.action {
        Some(HookAction::Install) => install(&names, workspace, &scripts)?,
        Some(HookAction::Uninstall) => uninstall(&names, &scripts)?,
        _ if args.json => format!("{:#}\n", as_json(workspace, &scripts)),
        _ => as_text(workspace, &scripts),
    };
    print(text.as_bytes())?;
    Ok(End::Code(0))
}

/// Says so if a word is the name of no hook.
fn check_names(names: &[String]) -> Result<(), Error> {
    let Some(wrong) = names.iter().find(|name| !HOOKS.contains(&name.as_str())) else {
        return Ok(());
    };
    Err(Error::Usage {
        message: format!("git has no hook {}", quoted(&one_line(wrong))),
        help: Some(match nearest(wrong, HOOKS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => listed("git's hooks are", HOOKS),
        }),
    })
}

fn install(names: &[String], workspace: &Workspace, scripts: &Scripts) -> Result<String, Error> {
    let hooks = &workspace.taskfile.hooks;
    if hooks.is_empty() {
        return Err(Error::Usage {
            message: "the Taskfile has no [hooks]".to_owned(),
            help: Some("write what git is to run:\n[hooks]\npre-commit = [\"lint\"]".to_owned()),
        });
    }
    if let Some(name) = names.iter().find(|name| !hooks.contains_key(*name)) {
        return Err(Error::Usage {
            message: format!("[hooks] of the Taskfile has no `{name}`"),
            help: Some(listed("it has", hooks.keys().map(String::as_str))),
        });
    }
    let named = |name: &&String| names.is_empty() || names.contains(name);
    let wanted: Vec<&String> = hooks.keys().filter(named).collect();
    for name in &wanted {
        workspace.of_hook(name)?;
    }
    // Nothing is written if one cannot be.
    if let Some(name) =
        wanted.iter().find(|name| matches!(scripts.there(name), There::OfOther | There::Foreign))
    {
        return Err(scripts.in_the_way(name));
    }
    let mut text = String::new();
    for name in wanted {
        scripts.install(name)?;
        let _ = writeln!(text, "installed {}", scripts.path(name).display());
    }
    Ok(text)
}

fn uninstall(names: &[String], scripts: &Scripts) -> Result<String, Error> {
    let foreign = |name: &&String| matches!(scripts.there(name), There::OfOther | There::Foreign);
    if let Some(name) = names.iter().find(foreign) {
        let path = scripts.path(name);
        return Err(Error::Usage {
            message: format!("{} is not of this Taskfile: it is left as it is", path.display()),
            help: Some(format!("if nobody needs it: `rm {}`", path.display())),
        });
    }
    let named = |name: &&str| names.is_empty() || names.iter().any(|other| other == name);
    let mut text = String::new();
    for name in HOOKS.into_iter().filter(named) {
        if scripts.uninstall(name)? {
            let _ = writeln!(text, "removed {}", scripts.path(name).display());
        }
    }
    if text.is_empty() {
        text.push_str("nothing to remove: no hook of this Taskfile is installed\n");
    }
    Ok(text)
}

/// The hooks that the Taskfile has or that are installed for it, with what they run and what
/// stands in git's folder.
fn known<'w>(
    workspace: &'w Workspace,
    scripts: &Scripts,
) -> Vec<(&'static str, Vec<&'w str>, There)> {
    let hooks = &workspace.taskfile.hooks;
    let one = |name: &'static str| {
        let targets = hooks.get(name).map(|(_, targets)| targets.as_slice()).unwrap_or_default();
        let targets = targets.iter().map(|text| text.template.source()).collect();
        (name, targets, scripts.there(name))
    };
    let known = HOOKS.into_iter().map(one);
    known.filter(|(name, _, there)| hooks.contains_key(*name) || *there == There::Ours).collect()
}

fn as_text(workspace: &Workspace, scripts: &Scripts) -> String {
    let known = known(workspace, scripts);
    if known.is_empty() {
        return "there are no hooks: write [hooks] into the Taskfile, as in\n[hooks]\n\
                pre-commit = [\"lint\"]\n"
            .to_owned();
    }
    let wide = known.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, targets, there) in known {
        let targets = one_line(&targets.join(" "));
        let _ = match there {
            There::Ours if targets.is_empty() => {
                writeln!(text, "{name:wide$}  installed, and [hooks] no longer has it")
            }
            There::Ours => writeln!(text, "{name:wide$}  installed: {targets}"),
            There::Nothing => writeln!(text, "{name:wide$}  not installed: {targets}"),
            There::OfOther => writeln!(text, "{name:wide$}  of another Taskfile: {targets}"),
            There::Foreign => writeln!(text, "{name:wide$}  another hook is there: {targets}"),
        };
    }
    text
}

fn as_json(workspace: &Workspace, scripts: &Scripts) -> serde_json::Value {
    let hooks = known(workspace, scripts).into_iter().map(|(name, targets, there)| {
        json!({
            "name": name,
            "targets": targets,
            "there": match there {
                There::Nothing => "nothing",
                There::Ours => "installed",
                There::OfOther => "other_taskfile",
                There::Foreign => "foreign",
            },
            "path": scripts.path(name).to_string_lossy(),
        })
    });
    json!({ "version": version(), "hooks": hooks.collect::<Vec<_>>() })
}
