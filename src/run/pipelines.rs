//! What a failure means for the pipelines of a run: what stops, what goes on, what is undone, and
//! whether enough succeeded.
//!
//! Which task comes when is the plan's business. Here is counted what ended.

use rustc_hash::FxHashSet;

use super::finish::End;
use super::open::find;
use super::services::TERM;
use super::{Build, Request};
use crate::error::Error;
use crate::graph::{Graph, Kind};
use crate::ids::TaskId;
use crate::outcome::{Event, Failure, Finish, Forgiven, PipelineEnd, TaskRef};
use crate::parse::{self, OnError};
use crate::plan::{Pipeline, Plan, State};
use crate::process::{Command, Stopper};
use crate::record;
use crate::workers::{Job, Message, UNDO_LOG, Undo, Undone};

/// The pipelines that a run was asked for. Often none.
#[derive(Default)]
pub(super) struct Pipelines {
    courses: Vec<Course>,
    /// What did not succeed and had to, each with the pipelines that it belongs to.
    losses: Vec<(Vec<usize>, Finish)>,
    /// How many failures belong to pipelines.
    failures: usize,
    /// Tasks that ran and can be undone, in the order in which they ended.
    undo: Vec<Undoing>,
    /// `-k`: a failure stops nothing.
    keep_going: bool,
}

/// One pipeline on its way.
struct Course {
    name: String,
    on_error: OnError,
    /// The tasks of its steps.
    tasks: FxHashSet<TaskId>,
    /// Those, and all they need.
    reach: FxHashSet<TaskId>,
    /// How many must succeed.
    required: usize,
    /// All that may not fail must.
    needs_all: bool,
    max_failures: Option<usize>,
    succeeded: usize,
    lost: usize,
    failures: usize,
    rolled_back: Vec<String>,
    not_rolled_back: Vec<String>,
}

impl Course {
    /// `resumed`: what is not in the plan succeeded before.
    fn of(
        (graph, plan): (&Graph, &Plan),
        pipeline: &Pipeline,
        written: &parse::Pipeline,
        resumed: bool,
    ) -> Course {
        let mut named = graph.without_groups(&pipeline.tasks());
        // Of a service nobody can say that it succeeded.
        named.retain(|id| graph.task(*id).kind() != Kind::Service);
        let planned = |id: &TaskId| plan.state(*id) != State::Unwanted;
        let tasks: FxHashSet<TaskId> = named.iter().copied().filter(planned).collect();
        let mut reach: FxHashSet<TaskId> = pipeline.tasks().into_iter().collect();
        let mut stack: Vec<TaskId> = reach.iter().copied().collect();
        while let Some(id) = stack.pop() {
            stack.extend(graph.needs(id).iter().filter(|&&id| reach.insert(id)));
        }
        let required = written.require.as_ref().map_or(tasks.len(), |(require, _)| {
            let before = if resumed { named.len() - tasks.len() } else { 0 };
            // A part of what changes reach, where they decide.
            let all = tasks.len() + before;
            require.of(all).saturating_sub(before).min(tasks.len())
        });
        Course {
            name: pipeline.name.clone(),
            on_error: written.on_error,
            tasks,
            reach,
            required,
            needs_all: written.require.is_none(),
            max_failures: written.max_failures,
            succeeded: 0,
            lost: 0,
            failures: 0,
            rolled_back: Vec::new(),
            not_rolled_back: Vec::new(),
        }
    }

    /// A task did not succeed. `excused`: and did not have to.
    fn lose(&mut self, loss: &Loss, excused: bool) {
        self.failures += usize::from(loss.is_failure());
        if self.tasks.contains(&loss.id) {
            self.lost += 1;
            self.required -= usize::from(excused && self.needs_all);
        }
    }

    /// Whether as many as are required can still succeed.
    fn may_succeed(&self) -> bool {
        self.tasks.len() - self.lost >= self.required
    }
}

/// A task that did not succeed.
pub(super) struct Loss {
    pub(super) id: TaskId,
    pub(super) finish: Finish,
    /// That is no harm.
    pub(super) allowed: bool,
}

impl Loss {
    fn is_failure(&self) -> bool {
        !self.allowed && matches!(self.finish, Finish::Failed | Finish::Unstable)
    }
}

/// How a task is undone.
struct Undoing {
    task: TaskId,
    command: Result<Command, String>,
    shown: String,
}

/// What a failure asks for.
#[derive(Clone, Copy, Default)]
pub(super) struct After {
    /// Nothing new may start.
    pub(super) stop: bool,
    /// What runs is to be ended.
    pub(super) end: bool,
}

impl Pipelines {
    pub(super) fn new(
        graph: &Graph,
        plan: &Plan,
        pipelines: &[Pipeline],
        request: &Request<'_>,
    ) -> Pipelines {
        let course = |pipeline: &Pipeline| {
            let written = request.pipelines.iter().find(|own| own.name == pipeline.name)?;
            Some(Course::of((graph, plan), pipeline, written, request.only.is_some()))
        };
        Pipelines {
            courses: pipelines.iter().filter_map(course).collect(),
            keep_going: request.keep_going,
            ..Pipelines::default()
        }
    }

    fn succeeded(&mut self, id: TaskId) {
        for course in self.courses.iter_mut().filter(|course| course.tasks.contains(&id)) {
            course.succeeded += 1;
        }
    }

    /// How many failures belong to pipelines, which say what they mean.
    pub(super) fn failures(&self) -> usize {
        self.failures
    }

    /// A task did not succeed. `excused`: none of its pipelines needs it to.
    fn lose(&mut self, loss: Loss, excused: bool) {
        let mut of = Vec::new();
        for (at, course) in self.courses.iter_mut().enumerate() {
            if course.reach.contains(&loss.id) {
                course.lose(&loss, excused);
                of.push(at);
            }
        }
        if of.is_empty() {
            return;
        }
        self.failures += usize::from(loss.is_failure());
        if !loss.allowed {
            self.losses.push((of, loss.finish));
        }
    }

    /// What the pipelines make of what did not succeed up to now.
    fn after(&self) -> After {
        let mut after = After::default();
        for course in &self.courses {
            let stops = course.on_error != OnError::Continue && !course.may_succeed();
            after.end |= stops && !self.keep_going;
            let enough = course.max_failures.is_some_and(|most| course.failures >= most);
            after.stop |= after.end || enough;
        }
        after
    }

    /// How they ended, and what of that was allowed.
    pub(super) fn ends(&mut self) -> (Vec<PipelineEnd>, Forgiven) {
        let mut forgiven = Forgiven::default();
        for (of, finish) in &self.losses {
            let fine = |&at: &usize| self.courses[at].succeeded >= self.courses[at].required;
            if of.iter().all(fine) {
                forgiven.add(finish);
            }
        }
        let end = |course: &mut Course| PipelineEnd {
            name: course.name.clone(),
            tasks: course.tasks.len(),
            succeeded: course.succeeded,
            required: course.required,
            rolled_back: std::mem::take(&mut course.rolled_back),
            not_rolled_back: std::mem::take(&mut course.not_rolled_back),
        };
        (self.courses.iter_mut().map(end).collect(), forgiven)
    }

    /// Whether a task is undone if a pipeline fails.
    fn may_undo(&self, id: TaskId) -> bool {
        let rolls_back = |course: &Course| course.on_error == OnError::Rollback;
        self.courses.iter().any(|course| rolls_back(course) && course.reach.contains(&id))
    }

    /// What is to be undone now, the last first.
    fn take_undo(&mut self) -> Vec<Undoing> {
        let failed = |course: &&Course| {
            course.on_error == OnError::Rollback && course.succeeded < course.required
        };
        let mut undo = std::mem::take(&mut self.undo);
        undo.retain(|one| {
            self.courses.iter().filter(failed).any(|course| course.reach.contains(&one.task))
        });
        undo.reverse();
        undo
    }

    fn undone(&mut self, id: TaskId, name: &str, well: bool) {
        let rolls_back = |course: &&mut Course| course.on_error == OnError::Rollback;
        for course in self.courses.iter_mut().filter(rolls_back) {
            if course.reach.contains(&id) {
                let told = if well { &mut course.rolled_back } else { &mut course.not_rolled_back };
                told.push(name.to_owned());
            }
        }
    }
}

/// What is asked for: targets, tasks, and the steps of pipelines with all their tasks.
pub(super) fn find_wanted(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = find_named(graph, request)?;
    ids.extend(pipelines(graph, request)?.iter().flat_map(Pipeline::tasks));
    Ok(ids)
}

/// The same without those tasks: what names stand for.
pub(super) fn find_each(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = find_named(graph, request)?;
    for pipeline in pipelines(graph, request)? {
        ids.extend(pipeline.steps.steps().into_iter().flat_map(|step| graph.select(&step.name)));
    }
    Ok(ids)
}

/// What is asked for but by pipelines.
pub(super) fn find_named(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = Vec::new();
    for name in request.wanted.iter().filter(|name| pipeline(request, name).is_none()) {
        let selected = if request.private { graph.select(name) } else { Vec::new() };
        ids.extend(if selected.is_empty() { find(graph, name)? } else { selected });
    }
    Ok(ids)
}

fn pipeline<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r parse::Pipeline> {
    request.pipelines.iter().find(|pipeline| pipeline.name == name)
}

/// The pipelines that are wanted, each once.
pub(super) fn pipelines(graph: &Graph, request: &Request<'_>) -> Result<Vec<Pipeline>, Error> {
    let wanted = request.pipelines.iter().filter(|own| request.wanted.contains(&own.name));
    let all = wanted.map(|pipeline| Pipeline::of(graph, pipeline).map_err(Error::Taskfile));
    all.collect()
}

impl Build<'_> {
    /// A task succeeded: it counts for its pipelines, and may be undone if one of them fails.
    pub(super) fn note_success(&mut self, id: TaskId, end: &End<'_>) {
        if self.pipelines.courses.is_empty() || end.is_bad() {
            return;
        }
        self.pipelines.succeeded(id);
        let Some(running) = end.running.filter(|_| end.finish == Finish::Ran) else { return };
        let rendered = &running.due.gathered.rendered;
        if let (Some(argv), true) = (&rendered.rollback, self.pipelines.may_undo(id)) {
            let shown = argv.last().map(|script| script.trim().to_owned()).unwrap_or_default();
            let command = self.beside(id, argv, (rendered, running.due.tries.attempt()));
            self.pipelines.undo.push(Undoing { task: id, command, shown });
        }
    }

    /// A task did not succeed, others were skipped. What their pipelines, or else the run, make of
    /// that.
    pub(super) fn after_loss(&mut self, first: Option<Loss>, skipped: &[TaskId]) {
        let works = |id: &&TaskId| self.graph.task(**id).kind() != Kind::Group;
        let skipped = skipped.iter().filter(works).map(|&id| {
            let allowed = self.plan.is_soft(id);
            Loss { id, finish: Finish::Skipped, allowed }
        });
        for loss in first.into_iter().chain(skipped).collect::<Vec<_>>() {
            // A step that is missing is missed, as what is asked for by name.
            let missed = loss.finish == Finish::Skipped && self.asked.all.contains(&loss.id);
            let excused = loss.allowed && !missed;
            self.pipelines.lose(loss, excused);
        }
        let after = self.pipelines.after();
        if (after.stop || self.is_unhealthy()) && !self.plan.is_stopped() {
            self.plan.stop();
            self.give_up_judging();
        }
        if after.end {
            self.stopper.stop(TERM);
            self.services.stop_users(TERM);
        }
    }

    /// Undoes what pipelines did that failed and roll back, one after another, the last first. One
    /// that fails keeps nobody else.
    pub(super) fn roll_back(&mut self) -> Result<(), Error> {
        let undo = self.pipelines.take_undo();
        let recorded = |one: &Undoing| self.graph.task(one.task).kind() == Kind::Recorded;
        if undo.is_empty() || (undo.iter().any(recorded) && !self.take_back_lock()?) {
            return self.tell_not_undone(&undo);
        }
        // The run itself was stopped.
        self.stopper = Stopper::new().map_err(|cause| Error::Io {
            doing: "cannot make a pipe for".to_owned(),
            path: self.request.root.clone(),
            cause,
        })?;
        for (at, one) in undo.iter().enumerate() {
            if self.tally.summary.signal.is_some() {
                return self.tell_not_undone(&undo[at..]);
            }
            self.is_not_done(one.task);
            self.workers.start(Job::Undo(Box::new(Undo {
                task: one.task,
                dir: self.task_dir(one.task),
                command: one.command.clone(),
                timeout: self.timeout_of(one.task),
                stop: self.stopper.watch(),
                guard: self.guard.clone(),
            })));
            let undone = self.wait_for_undone();
            self.tell_undone(one, undone);
        }
        Ok(())
    }

    /// What was undone is not up to date, whatever its outputs say. This is on the disk before
    /// anything is undone.
    fn is_not_done(&mut self, id: TaskId) {
        let key = self.done[id].key.filter(|_| self.graph.task(id).kind() == Kind::Recorded);
        let state_id = self.names.id(self.graph.name(id));
        let Some((writer, key)) = self.held.writer.as_mut().zip(key) else { return };
        record::write_failure(writer, state_id, &key);
        if let Some(warning) = writer.flush() {
            self.warn(None, &warning);
        }
    }

    /// Nothing else is at work, but signals are heard.
    fn wait_for_undone(&mut self) -> Undone {
        loop {
            match self.wait_until(None) {
                Some(Message::Undone(undone)) => {
                    self.workers.answered();
                    return *undone;
                }
                Some(Message::Signal(signal)) => self.signal(signal),
                Some(Message::Read(_) | Message::Asked(..) | Message::Ended(_)) => {
                    self.workers.answered();
                }
                _ => {}
            }
        }
    }

    fn tell_undone(&mut self, one: &Undoing, undone: Undone) {
        let Undone { failed, duration_ms, tail, .. } = undone;
        let failure = failed.map(|what| Failure {
            what,
            command: one.shown.clone(),
            tail,
            log: self.task_dir(one.task).join(UNDO_LOG),
            wrong: None,
        });
        let name = self.graph.name(one.task).to_owned();
        self.pipelines.undone(one.task, &name, failure.is_none());
        let (task, at_ms) = (TaskRef { id: one.task, name: &name }, self.now_ms());
        let failure = failure.as_ref();
        (self.listener)(&Event::TaskRolledBack { task, duration_ms, failure, at_ms });
    }

    /// A signal came first.
    fn tell_not_undone(&mut self, undo: &[Undoing]) -> Result<(), Error> {
        if undo.is_empty() {
            return Ok(());
        }
        let names: Vec<String> =
            undo.iter().map(|one| self.graph.name(one.task).to_owned()).collect();
        for (one, name) in undo.iter().zip(&names) {
            self.pipelines.undone(one.task, name, false);
        }
        self.warn(None, &format!("interrupted: not rolled back: {}", names.join(", ")));
        Ok(())
    }
}
