//! Several tasks in one process. Each goes through the steps of its own attempt, so that a crash at
//! any point leaves of each what it leaves of one; only the process is shared.
//!
//! Where the process fails all is put back, and two with half of the tasks each follow: in the end
//! each task that fails has failed alone, and the others are published.

use std::fs::File;
use std::io;

use crossbeam_channel::{Sender, bounded};
use rustc_hash::FxHashMap;

use super::attempt::{Attempt, Stop, result_of};
use super::job::{Ended, Launch, Message, Result, Run};
use super::standing::Standing;
use super::{Context, Piece, Writer};
use crate::ids::TaskId;

/// Several tasks to run.
#[derive(Debug)]
pub struct Batch {
    /// Which, in order; what they launch is this.
    pub runs: Vec<Run>,
    /// What is started for all.
    pub launch: Launch,
}

/// Asks what to start for fewer tasks.
#[derive(Debug)]
pub struct Halved {
    /// Which.
    pub tasks: Vec<TaskId>,
    /// Where the answer goes.
    pub answer: Sender<Launch>,
}

/// What came of one process: how each task ended, or that it is to be halved, and what is to be said
/// of each.
enum Came {
    Ended(Vec<Ended>),
    Halve(Vec<Vec<String>>),
}

/// Runs all tasks, in as many processes as it takes.
pub(super) fn run(
    context: &Context,
    batch: &Batch,
    pieces: &Sender<Piece>,
    buffer: &mut Vec<u8>,
) -> Vec<Ended> {
    let mut ended: Vec<Ended> = Vec::with_capacity(batch.runs.len());
    let mut said: FxHashMap<TaskId, Vec<String>> = FxHashMap::default();
    let mut open: Vec<(&[Run], Option<Launch>)> = vec![(&batch.runs, Some(batch.launch.clone()))];
    while let Some((runs, launch)) = open.pop() {
        let launch = launch.or_else(|| ask(context, runs));
        let stopped = context.stop.requested().is_some();
        let Some(launch) = launch.filter(|_| !stopped) else {
            ended.extend(runs.iter().map(|run| Ended::with(run.task, Result::Stopped)));
            continue;
        };
        match process(context, runs, (&launch, pieces), buffer) {
            Came::Ended(some) => ended.extend(some),
            Came::Halve(warnings) => {
                for (run, warnings) in runs.iter().zip(warnings) {
                    said.entry(run.task).or_default().extend(warnings);
                }
                let told = format!("taskr: failed with {} items, each half alone:\n", runs.len());
                // A listener that is gone needs no output.
                let _ = pieces.send((Writer::Task(runs[0].task), told.into_bytes()));
                let (first, second) = runs.split_at(runs.len() / 2);
                open.extend([(second, None), (first, None)]);
            }
        }
    }
    for ended in &mut ended {
        ended.warnings.splice(..0, said.remove(&ended.task).unwrap_or_default());
    }
    ended
}

fn ask(context: &Context, runs: &[Run]) -> Option<Launch> {
    let (answer, answered) = bounded(1);
    let half = Halved { tasks: runs.iter().map(|run| run.task).collect(), answer };
    // Who does not listen any more ends the run.
    let _ = context.messages.send(Message::Halved(Box::new(half)));
    answered.recv().ok()
}

/// A task on its way.
struct Member<'a> {
    run: &'a Run,
    ended: Ended,
    /// What stood at its outputs, once that was looked at.
    standing: Option<Standing>,
}

impl Member<'_> {
    /// One step of its attempt.
    fn step<T>(
        &mut self,
        context: &Context,
        buffer: &mut Vec<u8>,
        step: impl FnOnce(&mut Attempt<'_>) -> T,
    ) -> T {
        let ended = std::mem::replace(&mut self.ended, Ended::with(self.run.task, Result::Stopped));
        let mut attempt =
            Attempt { context, run: self.run, buffer, ended, until: None, step: None };
        let done = step(&mut attempt);
        self.ended = attempt.ended;
        done
    }

    /// All that comes before the command.
    fn prepare(
        &mut self,
        context: &Context,
        buffer: &mut Vec<u8>,
    ) -> std::result::Result<(), Stop> {
        let run = self.run;
        let standing = Standing::look(&context.root, run)?;
        self.step(context, buffer, |attempt| attempt.write_intent(&standing))?;
        let standing = self.standing.insert(standing);
        standing.set_aside(context, run, buffer)?;
        standing.make_folders(&context.root, run)
    }

    /// All that comes after it.
    fn finish(&mut self, context: &Context, buffer: &mut Vec<u8>) {
        let Some(mut standing) = self.standing.take() else { return };
        let done = self.step(context, buffer, |attempt| {
            let ran = attempt.collect(&standing, 0)?;
            attempt.publish(&mut standing, ran)
        });
        match done {
            Ok(done) => {
                self.ended.result = done;
                self.ended.replaced = standing.into_replaced();
            }
            Err(stop) => {
                self.standing = Some(standing);
                self.give_up(context, stop, true);
            }
        }
    }

    /// What stood before stands again.
    fn give_up(&mut self, context: &Context, stop: Stop, keep: bool) {
        if let Some(standing) = self.standing.take() {
            let keep = keep && !matches!(stop, Stop::Moved(_));
            let warnings = standing.put_back(&context.root, self.run, keep);
            self.ended.warnings.extend(warnings);
        }
        self.ended.result = result_of(Err(stop));
    }
}

/// One process for some tasks.
fn process(
    context: &Context,
    runs: &[Run],
    (launch, pieces): (&Launch, &Sender<Piece>),
    buffer: &mut Vec<u8>,
) -> Came {
    let member =
        |run| Member { run, ended: Ended::with(run.task, Result::Stopped), standing: None };
    let mut members: Vec<Member<'_>> = runs.iter().map(member).collect();
    let prepared = members.iter_mut().try_for_each(|member| member.prepare(context, buffer));
    let ran = prepared
        .and_then(|()| members[0].step(context, buffer, |first| first.execute(launch, pieces)));
    if let Err(stop) = ran {
        let halve = members.len() > 1 && !matches!(stop, Stop::Stopped);
        if members.len() > 1 {
            let each = members.iter_mut();
            each.for_each(|member| member.give_up(context, Stop::Stopped, false));
        } else {
            members[0].give_up(context, stop, true);
        }
        return match halve {
            true => Came::Halve(members.into_iter().map(|member| member.ended.warnings).collect()),
            false => Came::Ended(members.into_iter().map(|member| member.ended).collect()),
        };
    }
    share(&mut members);
    for at in 0..members.len() {
        let kept = if at == 0 { Ok(()) } else { copy_log(context, runs, at) };
        match kept {
            Ok(()) => members[at].finish(context, buffer),
            Err(error) => {
                let stop = Stop::io("write", &runs[at].dir.join("log"), &error);
                members[at].give_up(context, stop, true);
            }
        }
        if matches!(members[at].ended.result, Result::Failed(_)) {
            let tail = members[0].ended.tail.clone();
            members[at].ended.tail = tail;
        }
    }
    Came::Ended(members.into_iter().map(|member| member.ended).collect())
}

/// Each task has its part of the process's time, so that sums are right, and all else of it.
fn share(members: &mut [Member<'_>]) {
    let count = members.len() as u64;
    let Some((first, others)) = members.split_first_mut() else { return };
    let first = &mut first.ended;
    let each = first.duration_ms / count;
    for member in others {
        let ended = &mut member.ended;
        ended.duration_ms = each;
        ended.exit_code = first.exit_code;
        ended.peak_bytes = first.peak_bytes;
    }
    first.duration_ms -= each * (count - 1);
}

/// Each task has the log of its process.
fn copy_log(context: &Context, runs: &[Run], at: usize) -> io::Result<()> {
    let mut from = File::open(context.root.absolute(&runs[0].dir.join("log")))?;
    let mut to = context.root.create(&runs[at].dir.join("log"))?;
    io::copy(&mut from, &mut to).map(drop)
}
