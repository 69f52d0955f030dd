//! What a failure means for the pipelines of a run: what stops, what goes on, and whether enough
//! succeeded.
//!
//! Which task comes when is the plan's business. Here is counted what ended.

use rustc_hash::FxHashSet;

use super::finish::End;
use super::rollback::Undoing;
use super::services::TERM;
use super::wanted::find_named;
use super::{Build, Request};
use crate::error::Error;
use crate::graph::{Graph, Kind};
use crate::ids::TaskId;
use crate::outcome::{Finish, Forgiven, PipelineEnd};
use crate::parse::{self, OnError};
use crate::plan::{Pipeline, Plan, State};

/// The pipelines that a run was asked for. Often none.
#[derive(Default)]
pub(super) struct Pipelines {
    pub(super) courses: Vec<Course>,
    /// What is asked for beside pipelines, and all it needs: no pipeline can forgive its failures.
    also_asked: FxHashSet<TaskId>,
    /// What did not succeed and had to for pipelines alone, each with those that it belongs to.
    losses: Vec<(Vec<usize>, Finish)>,
    /// How many failures belong to pipelines.
    failures: usize,
    /// Tasks that ran and can be undone, in the order in which they ended.
    pub(super) undo: Vec<Undoing>,
    /// `-k`: a failure stops nothing.
    keep_going: bool,
}

/// One pipeline on its way.
pub(super) struct Course {
    name: String,
    pub(super) on_error: OnError,
    /// The tasks of its steps.
    tasks: FxHashSet<TaskId>,
    /// Those, and all they need.
    pub(super) reach: FxHashSet<TaskId>,
    /// How many must succeed.
    required: usize,
    /// All that may not fail must.
    needs_all: bool,
    max_failures: Option<usize>,
    succeeded: usize,
    lost: usize,
    failures: usize,
    pub(super) rolled_back: Vec<String>,
    pub(super) not_rolled_back: Vec<String>,
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
        let reach = graph.with_needed(&pipeline.tasks());
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

    /// Whether fewer succeeded than are required.
    pub(super) fn has_failed(&self) -> bool {
        self.succeeded < self.required
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
    ) -> Result<Pipelines, Error> {
        let course = |pipeline: &Pipeline| {
            let written = request.pipelines.iter().find(|own| own.name == pipeline.name)?;
            Some(Course::of((graph, plan), pipeline, written, request.only.is_some()))
        };
        let also = if pipelines.is_empty() { Vec::new() } else { find_named(graph, request)? };
        Ok(Pipelines {
            courses: pipelines.iter().filter_map(course).collect(),
            also_asked: graph.with_needed(&also),
            keep_going: request.keep_going,
            ..Pipelines::default()
        })
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
        if !loss.allowed && !self.also_asked.contains(&loss.id) {
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
            let fine = |&at: &usize| !self.courses[at].has_failed();
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
}

impl Build<'_> {
    /// A task succeeded: it counts for its pipelines, and may be undone if one of them fails.
    pub(super) fn note_success(&mut self, id: TaskId, end: &End<'_>) {
        if self.pipelines.courses.is_empty() || end.is_bad() {
            return;
        }
        self.pipelines.succeeded(id);
        self.may_be_undone(id, end);
    }

    /// A task did not succeed, others were skipped. What their pipelines, or else the run, make of
    /// that.
    pub(super) fn after_loss(&mut self, first: Option<Loss>, skipped: &[TaskId]) {
        let skipped = skipped.iter().filter(|&&id| self.is_told(id)).map(|&id| {
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
            self.stop_tasks(TERM);
        }
    }
}
