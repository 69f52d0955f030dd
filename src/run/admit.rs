//! Tasks that must run wait here for what they need: a place, their pools, memory.

use std::time::Instant;

use taskr_cache::State;

use super::machine::machine;
use super::spent::Part;
use super::{Active, Build, Due, Request};
use crate::graph::Graph;
use crate::ids::TaskId;
use crate::plan::{Admission, Admit, Bounds, Plan};
use crate::record::{self, Names};

/// What decides which tasks may run, with what earlier runs of them needed.
pub(super) fn admission(
    graph: &Graph,
    plan: &Plan,
    (state, names): (&State, &Names),
    request: &Request<'_>,
) -> Admission {
    let bounds = Bounds { jobs: request.jobs, load: request.most_load };
    let mut admission = plan.admission(bounds);
    for (id, bytes) in record::memory_bytes(state) {
        if let Some(id) = names.task(id).and_then(|name| graph.find(name)) {
            admission.learn(id, bytes);
        }
    }
    admission
}

impl Build<'_> {
    /// Starts tasks that must run and have all they need for it.
    pub(super) fn start_runnable(&mut self) {
        while self.admission.is_waited_for() && self.may_share() && self.has_token() {
            let (load, memory) = (self.admission.asks_for_load(), self.admission.asks_for_memory());
            let machine = machine(load, memory);
            let least = self.plan.most_urgent();
            match self.admission.next(Instant::now(), machine, least) {
                Admit::Start(id) => {
                    self.plan.runs(id);
                    if let Some(Active::Runnable(due)) = self.active.remove(&id) {
                        let was = self.spent.enter(Part::Start);
                        self.start_with_mates(id, *due);
                        self.spent.enter(was);
                    }
                }
                Admit::WaitUntil(at) => {
                    self.admits_at = Some(at);
                    return;
                }
                Admit::Wait => {
                    self.admits_at = None;
                    return;
                }
            }
        }
        self.admits_at = None;
    }

    /// Whether the first command may start; what is only restored asks nobody for jobs.
    fn may_share(&mut self) -> bool {
        !self.tokens.are_needed || self.has_opened_pool()
    }

    /// A task must run: it starts as soon as there is what it needs.
    pub(super) fn must_run(&mut self, id: TaskId, due: Due) {
        self.plan.is_due(id);
        self.active.insert(id, Active::Runnable(Box::new(due)));
        self.admit(id);
    }
}
