//! What a failure means for the pipelines of a run: what stops, what goes on, what is undone, and
//! whether enough succeeded.
//!
//! Which task comes when is the plan's business. Here is counted what ended.

use rustc_hash::FxHashSet;

use super::finish::End;
use super::open::find;
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

/// `kill` without a number sends this.
const TERM: i32 = 15;

/// The pipelines that a run was asked for. Often none.
#[derive(Default)]
pub(super) struct Pipelines {
    courses: Vec<Course>,
    losses: Vec<Loss>,
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
    required: usize,
    max_failures: Option<usize>,
    succeeded: usize,
    lost: usize,
    failures: usize,
    rolled_back: Vec<String>,
    not_rolled_back: Vec<String>,
}

impl Course {
    fn of(graph: &Graph, plan: &Plan, pipeline: &Pipeline, written: &parse::Pipeline) -> Course {
        let named = graph.without_groups(&pipeline.tasks());
        let planned = |id: &TaskId| plan.state(*id) != State::Unwanted;
        let tasks: FxHashSet<TaskId> = named.iter().copied().filter(planned).collect();
        let mut reach: FxHashSet<TaskId> = pipeline.tasks().into_iter().collect();
        let mut stack: Vec<TaskId> = reach.iter().copied().collect();
        while let Some(id) = stack.pop() {
            stack.extend(graph.needs(id).iter().filter(|&&id| reach.insert(id)));
        }
        let required = written.require.as_ref().map_or(tasks.len(), |(enough, _)| {
            // A part of what changes reach, where they decide.
            enough.of(tasks.len()).min(tasks.len())
        });
        Course {
            name: pipeline.name.clone(),
            on_error: written.on_error,
            tasks,
            reach,
            required,
            max_failures: written.max_failures,
            succeeded: 0,
            lost: 0,
            failures: 0,
            rolled_back: Vec::new(),
            not_rolled_back: Vec::new(),
        }
    }

    /// Whether as many as are required can still succeed.
    fn may_succeed(&self) -> bool {
        self.tasks.len() - self.lost >= self.required
    }
}

/// Tasks that did not succeed, and the pipelines that they belong to.
struct Loss {
    courses: Vec<usize>,
    finishes: Vec<Finish>,
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
    /// Pipelines say what it means.
    pub(super) governed: bool,
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
            Some(Course::of(graph, plan, pipeline, written))
        };
        Pipelines {
            courses: pipelines.iter().filter_map(course).collect(),
            keep_going: request.most_failures != Some(1),
            ..Pipelines::default()
        }
    }

    fn succeeded(&mut self, id: TaskId) {
        for course in self.courses.iter_mut().filter(|course| course.tasks.contains(&id)) {
            course.succeeded += 1;
        }
    }

    /// A task did not succeed, which others had to be skipped for.
    pub(super) fn lost(&mut self, id: TaskId, finish: &Finish, skipped: &[TaskId]) -> After {
        if self.courses.is_empty() {
            return After::default();
        }
        let failed = matches!(finish, Finish::Failed | Finish::Unstable);
        let mut after = After::default();
        let mut by = Vec::new();
        for (at, course) in self.courses.iter_mut().enumerate() {
            if !course.reach.contains(&id) {
                continue;
            }
            by.push(at);
            let all = std::iter::once(&id).chain(skipped);
            course.lost += all.filter(|id| course.tasks.contains(id)).count();
            course.failures += usize::from(failed);
            let stops = course.on_error != OnError::Continue && !course.may_succeed();
            after.end |= stops && !self.keep_going;
            let enough = course.max_failures.is_some_and(|most| course.failures >= most);
            after.stop |= after.end || enough;
        }
        after.governed = !by.is_empty();
        let reached = |id: &&TaskId| by.iter().all(|&at| self.courses[at].reach.contains(id));
        let skipped = skipped.iter().filter(reached).map(|_| Finish::Skipped);
        let finishes = std::iter::once(finish.clone()).chain(skipped).collect();
        if after.governed {
            self.losses.push(Loss { courses: by, finishes });
        }
        after
    }

    /// How they ended, and what of that was allowed.
    pub(super) fn ends(&mut self) -> (Vec<PipelineEnd>, Forgiven) {
        let mut forgiven = Forgiven::default();
        for loss in &self.losses {
            let fine = |&at: &usize| self.courses[at].succeeded >= self.courses[at].required;
            if loss.courses.iter().all(fine) {
                loss.finishes.iter().for_each(|finish| forgiven.add(finish));
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

/// What is asked for: targets, tasks, and the steps of pipelines.
pub(super) fn find_wanted(graph: &Graph, request: &Request<'_>) -> Result<Vec<TaskId>, Error> {
    let mut ids = Vec::new();
    for name in &request.wanted {
        if let Some(pipeline) = pipeline(request, name) {
            ids.extend(Pipeline::of(graph, pipeline).map_err(Error::Taskfile)?.tasks());
            continue;
        }
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
            let command = self.beside(id, argv, (rendered, running.due.attempt));
            self.pipelines.undo.push(Undoing { task: id, command, shown });
        }
    }

    /// A task did not succeed. What its pipelines, or `-k`, make of that.
    pub(super) fn after_loss(&mut self, id: TaskId, finish: &Finish, skipped: &[TaskId]) {
        let works = |id: &TaskId| self.graph.task(*id).kind() != Kind::Group;
        let skipped: Vec<TaskId> = skipped.iter().copied().filter(works).collect();
        let after = self.pipelines.lost(id, finish, &skipped);
        let failed = matches!(finish, Finish::Failed | Finish::Unstable);
        let enough = match self.request.most_failures {
            Some(1) => failed && !after.governed,
            Some(most) => self.tally.failures >= most,
            None => false,
        };
        if (enough || after.stop) && !self.plan.is_stopped() {
            self.plan.stop();
            self.give_up_judging();
        }
        if after.end {
            self.stopper.stop(TERM);
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
            match self.wait() {
                Message::Undone(undone) => {
                    self.workers.answered();
                    return *undone;
                }
                Message::Signal(signal) => self.signal(signal),
                Message::Read(_) | Message::Asked(..) | Message::Ended(_) => {
                    self.workers.answered();
                }
                Message::Found(_) | Message::Waits(..) => {}
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
