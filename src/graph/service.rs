//! Programs that stay up while others need them: from what was written to what holds for the
//! tasks, and what others may not ask of them.

use super::rule::{Action, Input, Kind, Ref, Target, Text};
use super::{Members, Task};
use crate::error::{Diagnostic, quoted};
use crate::ids::{Id, IdVec, TaskId};
use crate::parse::{self, split_pick};

/// What a service takes to get ready, unless it says otherwise.
const READY_WITHIN_MS: u64 = 30_000;

/// What makes a target one that stays up. None of this counts: what counts for those that need it is
/// its command and what that reads.
#[derive(Clone, Debug)]
pub struct Service {
    /// What tells that it is ready.
    pub probe: Probe,
    /// How long that may take.
    pub timeout_ms: u64,
    /// What ends it; none for a signal.
    pub stop: Option<Action>,
    /// Whether `taskr watch` starts it anew when what it is made of has changed.
    pub restart: bool,
}

/// What tells that a service is ready.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Somebody listens on this port of this machine.
    Port(Text),
    /// A request for this address is answered with a status below 400.
    Http(Text),
    /// It wrote this.
    Log(Text),
    /// This command succeeds.
    Cmd(Action),
}

impl Service {
    /// None if the target is none; `shell` gets the text of its commands.
    pub(super) fn of(source: &parse::Service, shell: &[Text]) -> Option<Service> {
        let ready = source.ready.as_ref().filter(|_| source.service)?;
        let command =
            |text: &parse::Text| Action::Shell { shell: shell.to_vec(), lines: vec![text.into()] };
        let probe = match &ready.probe {
            parse::Probe::Port(text) => Probe::Port(text.into()),
            parse::Probe::Http(text) => Probe::Http(text.into()),
            parse::Probe::Log(text) => Probe::Log(text.into()),
            parse::Probe::Cmd(text) => Probe::Cmd(command(text)),
        };
        let timeout_ms = ready.timeout.as_ref().map_or(READY_WITHIN_MS, |timeout| timeout.ms);
        let stop = source.stop.as_ref().map(command);
        Some(Service { probe, timeout_ms, stop, restart: source.restart })
    }
}

/// A service makes no files, and is never done: it is needed, no more.
pub(super) fn refuse_misused(tasks: &IdVec<TaskId, Task>, members: &Members) -> Vec<Diagnostic> {
    let is_service = |name: &str| {
        let first = members.get(name).map(|range| TaskId::from_index(range.start));
        first.is_some_and(|id| tasks[id].kind() == Kind::Service)
    };
    let mut wrong = Vec::new();
    for (_, task) in tasks.enumerate() {
        let rule = &task.rule;
        let read = rule.inputs.iter().filter_map(|input| match &input.value {
            Input::Outputs { of, .. } => Some((of, true)),
            _ => None,
        });
        let after = rule.after.iter().map(|of| (of, false));
        for (of, read) in read.chain(after) {
            let mut names = of.names().iter();
            if let Some(service) = names.find(|name| is_service(split_pick(name).0)) {
                wrong.push(misused(of, service, read, &rule.target));
            }
        }
    }
    wrong
}

fn misused(of: &Ref, service: &str, read: bool, target: &Target) -> Diagnostic {
    let name = match of.each {
        None => format!("{} is", quoted(&of.text)),
        Some(_) => format!("{} means {}, which is", quoted(&of.text), quoted(service)),
    };
    let (message, label) = match read {
        true => (format!("{name} a service: it makes no files to read"), "gives no file"),
        false => (format!("{name} a service: nothing comes after it"), "is never done"),
    };
    let up = target.names(service);
    let help = format!("to have it up while `{}` runs, write deps = [\"{up}\"]", target.name);
    Diagnostic::error(message).at(of.place.clone(), label).help(help)
}
