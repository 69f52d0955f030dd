//! Commands that are asked while tasks are judged, each once a run: `fresh_if`, `tools`, and
//! commands of which a variable is what they print.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustc_hash::{FxHashMap, FxHashSet};

use super::gather::Gap;
use super::launch::Rendered;
use super::{Build, Request};
use crate::error::{Diagnostic, Error};
use crate::graph::{Asking, Graph, ask_command};
use crate::ids::TaskId;
use crate::plan::Plan;
use crate::process::{Command, RUN_ID_VAR, Said, Status, why_not_found, why_not_in};
use crate::workers::{Ask, Job};

/// What a command is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// Whether a task is fresh.
    FreshIf(TaskId),
    /// Which tool it is: its words, its folder, and the variables that it sees.
    Tool(Vec<String>, PathBuf, Vec<(OsString, OsString)>),
    /// The value of a variable.
    Value(String),
    /// Which make it is.
    Make,
}

/// What was asked in this run.
#[derive(Debug, Default)]
pub(super) struct Questions {
    topics: Vec<Topic>,
    pub(super) known: FxHashMap<Topic, Asked>,
}

impl Questions {
    /// Whether a verdict on a task rests on an answer.
    pub(super) fn decide(&self) -> bool {
        self.known.keys().any(|topic| *topic != Topic::Make)
    }

    /// Whether one is being answered.
    pub(super) fn are_open(&self) -> bool {
        self.known.values().any(|asked| matches!(asked, Asked::Waits(_)))
    }
}

#[derive(Debug)]
pub(super) enum Asked {
    /// These tasks wait for the answer.
    Waits(Vec<TaskId>),
    Said(Result<Said, String>),
}

/// One question of a task.
pub(super) type Question = (Topic, Command);

impl Build<'_> {
    /// What the `fresh_if` of a task says, if it has one and was asked.
    pub(super) fn answer(&self, id: TaskId, rendered: &Rendered) -> Result<bool, Gap> {
        // Without a lock and a guard nothing is started.
        let asked = rendered.fresh_if.as_ref().filter(|_| !self.request.dry_run);
        let Some(argv) = asked else { return Ok(true) };
        let wrong = |what: &str| {
            let message = format!("its `fresh_if` cannot be asked: {what}");
            Gap::Wrong(Box::new(Diagnostic::error(message)))
        };
        let topic = Topic::FreshIf(id);
        match self.lookups.questions.known.get(&topic) {
            Some(Asked::Said(Ok(said))) => Ok(said.status.success()),
            Some(Asked::Said(Err(what))) => Err(wrong(what)),
            Some(Asked::Waits(_)) | None => {
                let command = self.beside(id, argv, (rendered, 1)).map_err(|what| wrong(&what))?;
                Err(Gap::Unasked(vec![(topic, command)]))
            }
        }
    }

    /// The commands of variables that were found to be needed and not known.
    pub(super) fn questions_of_values(&self, scripts: Vec<String>) -> Vec<Question> {
        let env = self.request.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        let env: Vec<(OsString, OsString)> = env.collect();
        let question = |script: String| {
            let mut command = ask_command(&script, self.root.path(), &env);
            command.env.push((RUN_ID_VAR.into(), self.run_id.clone().into()));
            (Topic::Value(script), command)
        };
        scripts.into_iter().map(question).collect()
    }

    /// A program of the task with its words, as it would be started there. It sees the variables of
    /// the task, but for those that are another's for each task.
    pub(super) fn question(
        &self,
        id: TaskId,
        argv: &[String],
        rendered: &Rendered,
    ) -> Result<Command, String> {
        let (around, rule) = (self.around(), &self.graph.task(id).rule);
        let dir = self.root.path().join(OsStr::from_bytes(&rule.dir));
        if let Some(why) = why_not_in(&dir, self.root.path()) {
            return Err(why);
        }
        let (name, args) = argv.split_first().ok_or("its command is empty")?;
        let program = around
            .find(name, &rule.dir, rendered)
            .ok_or_else(|| why_not_found(name, around.path_variable(rendered), &dir))?;
        let mut env = around.environment(rule, &self.task_dir(id), rendered, 1);
        env.retain(|(name, _)| {
            let name = name.as_bytes();
            name == RUN_ID_VAR.as_bytes()
                || !(name.starts_with(b"TASKR_")
                    || matches!(name, b"OUT" | b"STATE" | b"TMPDIR" | b"MAKEFLAGS"))
        });
        let args = args.iter().map(OsString::from).collect();
        let schedule = &rule.target.schedule;
        let (grace, timeout) = (schedule.grace, schedule.timeout());
        Ok(Command { program, args, env, dir, grace, timeout, errors: None })
    }

    /// Asks what was not asked yet; the task goes on when something was answered.
    pub(super) fn ask(&mut self, id: TaskId, questions: Vec<Question>) {
        if !self.request.dry_run {
            self.start_guard();
        }
        for (topic, command) in questions {
            if let Some(Asked::Waits(tasks)) = self.lookups.questions.known.get_mut(&topic) {
                tasks.push(id);
                continue;
            }
            if matches!(topic, Topic::FreshIf(_)) {
                // Its $TMPDIR; what cannot be made it will say itself.
                let _ = self.root.create_dirs(&self.task_dir(id).join("tmp"));
            }
            self.ask_one(topic, command, vec![id]);
        }
    }

    /// Asks for what these tasks wait for.
    pub(super) fn ask_one(&mut self, topic: Topic, command: Command, waits: Vec<TaskId>) {
        self.deeds.commands = true;
        self.deeds.alone = None;
        let number = self.lookups.questions.topics.len();
        self.lookups.questions.topics.push(topic.clone());
        self.lookups.questions.known.insert(topic, Asked::Waits(waits));
        let guard = self.guard.clone();
        self.workers.start(Job::Ask(Box::new(Ask { number, command, guard })));
    }

    /// An answer came; a task that was given up meanwhile needs none.
    pub(super) fn was_asked(
        &mut self,
        number: usize,
        said: Result<Said, String>,
    ) -> Result<(), Error> {
        self.workers.answered();
        let questions = &mut self.lookups.questions;
        let topic = questions.topics[number].clone();
        if topic == Topic::Make {
            self.make_said(&said);
            return Ok(());
        }
        if let Topic::Value(script) = &topic {
            let said = said.clone().unwrap_or_else(|what| Said {
                status: Status::Code(127),
                output: Vec::new(),
                errors: what.into_bytes(),
            });
            self.request.asks.learn(script, &said);
        }
        let waited = questions.known.insert(topic, Asked::Said(said));
        let Some(Asked::Waits(mut tasks)) = waited else { return Ok(()) };
        tasks.dedup();
        tasks.into_iter().try_for_each(|id| self.judge_again(id))
    }
}

/// The graph is made. Targets of which a path or an item needs what a command prints, and it failed:
/// that is told where they are wanted. What is still to be asked workers ask.
pub(super) fn asked_so_far(graph: &Graph, request: &Request<'_>, plan: &Plan) -> Result<(), Error> {
    request.asks.set(Asking::Later);
    let mut broken = request.asks.broken();
    if !broken.is_empty() {
        let wanted: FxHashSet<&str> =
            plan.wanted().map(|(id, _)| graph.task(id).rule.target.name.as_str()).collect();
        broken.retain(|(target, _)| wanted.contains(target.as_str()));
    }
    let mut wrong: Vec<Diagnostic> = broken.into_iter().map(|(_, wrong)| wrong).collect();
    wrong.dedup();
    if wrong.is_empty() { Ok(()) } else { Err(Error::Taskfile(wrong)) }
}
