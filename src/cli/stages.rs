//! How long taskr took for what it does before a run, for `--trace`.
//!
//! A handful of stages in a whole process: they are always timed.

use std::cell::{Ref, RefCell};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Name, begin and end.
type Stage = (&'static str, Instant, Instant);

/// Stages that are over.
#[derive(Debug)]
pub(super) struct Stages {
    begun: Instant,
    done: RefCell<Vec<Stage>>,
}

impl Stages {
    /// The first stage is what the process has done until now: the system starts it, arguments
    /// are scanned. How long ago it was started is not told finely enough; what it has computed
    /// since then is.
    pub(super) fn since_the_start() -> Stages {
        let now = Instant::now();
        let cpu = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
        let begun = now.checked_sub(cpu).unwrap_or(now);
        Stages { begun, done: RefCell::new(vec![("start", begun, now)]) }
    }

    /// When the process began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Does the work of a stage.
    pub(super) fn time<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.done.borrow_mut().push((name, begun, Instant::now()));
        result
    }

    /// The stages that are over.
    pub(super) fn done(&self) -> Ref<'_, Vec<Stage>> {
        self.done.borrow()
    }
}
