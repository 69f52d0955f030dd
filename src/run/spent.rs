//! What taskr's own time goes to: stages, one after another, and sums of what the loop does.
//!
//! Asks the clock only if somebody wants to know.

use std::time::{Duration, Instant};

use super::Listener;
use crate::outcome::Event;

/// Stages that follow one another.
pub(super) struct Laps(Option<Instant>);

impl Laps {
    /// The first stage begins.
    pub(super) fn begin(wanted: bool) -> Laps {
        Laps(wanted.then(Instant::now))
    }

    /// A stage ends, the next begins.
    pub(super) fn end(&mut self, name: &'static str, listener: &mut Listener<'_>) {
        let Some(begun) = self.0 else { return };
        let ended = Instant::now();
        listener(&Event::Stage { name, task: None, begun, ended });
        self.0 = Some(ended);
    }
}

/// What the loop does. Time counts for the innermost alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What is none of the others.
    Loop,
    /// Asking the plan what may start, and telling it what ended.
    Plan,
    /// Decisions: fields, expected outputs.
    Judge,
    /// Listing patterns.
    List,
    /// Stamps, and what is remembered of them.
    Look,
    /// Commands to text.
    Render,
    /// Reading records.
    Recall,
    /// Making keys and comparing them with records.
    Key,
    /// Asking the store.
    Store,
    /// Handing tasks to workers.
    Start,
    /// Taking what workers bring, and recording it.
    Record,
    /// `result.json` of each task.
    Result,
    /// Listeners: the terminal, the event stream.
    Tell,
    /// For workers.
    Wait,
}

const NAMES: [&str; 14] = [
    "other",
    "plan",
    "judge",
    "list patterns",
    "look at files",
    "render commands",
    "recall records",
    "make keys",
    "ask the store",
    "start tasks",
    "record",
    "write result.json",
    "tell listeners",
    "wait for workers",
];

/// Sums of what the loop does.
pub(super) struct Spent {
    /// When the loop began, and until when time is accounted for; none if nobody wants to know.
    clock: Option<(Instant, Instant)>,
    now: Part,
    sums: [Duration; NAMES.len()],
}

impl Spent {
    /// The loop begins.
    pub(super) fn begin(wanted: bool) -> Spent {
        let now = wanted.then(Instant::now);
        Spent { clock: now.map(|now| (now, now)), now: Part::Loop, sums: Default::default() }
    }

    /// From now on time counts for `part`. Returns what it counted for, to be entered again
    /// afterwards.
    pub(super) fn enter(&mut self, part: Part) -> Part {
        let Some((_, since)) = &mut self.clock else { return part };
        let now = Instant::now();
        self.sums[self.now as usize] += now - *since;
        *since = now;
        std::mem::replace(&mut self.now, part)
    }

    /// The loop is over.
    pub(super) fn end(&mut self, listener: &mut Listener<'_>) {
        self.enter(Part::Loop);
        let Some((begun, ended)) = self.clock.take() else { return };
        listener(&Event::Stage { name: "loop", task: None, begun, ended });
        let mut parts: Vec<_> = NAMES.into_iter().zip(self.sums).collect();
        parts.retain(|(_, sum)| !sum.is_zero());
        parts.sort_by_key(|&(_, sum)| std::cmp::Reverse(sum));
        listener(&Event::Sums { begun, parts: &parts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_as_long_as_the_loop() {
        let mut spent = Spent::begin(true);
        let outer = spent.enter(Part::Judge);
        let inner = spent.enter(Part::Look);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!((outer, inner), (Part::Loop, Part::Judge));
        spent.enter(inner);
        spent.enter(outer);
        let mut whole = Duration::ZERO;
        let mut told = Vec::new();
        spent.end(&mut |event| match event {
            Event::Stage { begun, ended, .. } => whole = *ended - *begun,
            Event::Sums { parts, .. } => told = parts.to_vec(),
            _ => {}
        });
        assert_eq!(told[0].0, "look at files", "the greatest is first");
        assert!(told[0].1 >= Duration::from_millis(5));
        assert_eq!(told.iter().map(|(_, sum)| *sum).sum::<Duration>(), whole);
    }

    #[test]
    fn nobody_is_told_who_did_not_ask() {
        let mut spent = Spent::begin(false);
        spent.enter(Part::Judge);
        spent.end(&mut |event| panic!("{event:?}"));
    }
}
