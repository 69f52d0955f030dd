//! `taskr verify [T]`: whether tasks do the same every time. They are built in copies of the
//! workspace, first one after another, then at once, and everything they made is compared; or, as
//! a sample, held against what the store has.
//!
//! Changes nothing here but the ledger, which is told of what is not the same.

mod compare;
mod guess;
mod sample;
mod scratch;
mod tell;
mod trial;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use taskr_cache::Digest;

use super::End;
use super::args::Verify;
use super::build::plain_request;
use super::limits::jobs_within_limits;
use super::out::print;
use super::select::named_or_default;
use super::signals::messages_with_signals;
use super::status::unix_ms;
use super::terminal::width;
use super::workspace::Workspace;
use crate::error::{Error, render};
use crate::graph::{Asking, Kind};
use crate::outcome::{Difference as Differed, Event, Flaw, Record};
use crate::run::{Messages, Request, add_to_ledger, find};
use compare::{compare, files};
use guess::Guesser;
use scratch::Scratch;
use tell::{Finding, Report};
use trial::{Built, How, Trial};

pub(super) fn verify(args: &Verify, workspace: &Workspace) -> Result<End, Error> {
    let part = args.sample.as_deref().map(sample::part).transpose()?;
    let asked = Asked::new(args, workspace)?;
    let messages = messages_with_signals(workspace)?;
    let (report, flaws) = match part {
        Some(part) => sample::sample(&asked, part, &messages)?,
        None => asked.runs(&messages)?,
    };
    print(report.rendered(args.json).as_bytes())?;
    asked.tell_ledger(&flaws, &messages)?;
    Ok(End::Code(u8::from(!report.is_good())))
}

/// What is to be verified, and how.
struct Asked<'a> {
    args: &'a Verify,
    workspace: &'a Workspace,
    /// Names of recorded tasks.
    wanted: Vec<String>,
    unrecorded: Vec<String>,
    /// At once.
    jobs: usize,
}

/// What the ledger is to be told, by task.
type Flaws = Vec<(String, Flaw)>;

impl<'a> Asked<'a> {
    fn new(args: &'a Verify, workspace: &'a Workspace) -> Result<Asked<'a>, Error> {
        let names = named_or_default(workspace, &args.targets)?;
        workspace.asks()?.set(Asking::Now);
        let jobs = workspace.jobs(args.jobs.as_deref(), &args.common)?;
        let (jobs, warning) = jobs_within_limits(jobs)?;
        if let Some(warning) = warning {
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        let graph = workspace.loader(&args.common, jobs)?()?;
        let mut ids = Vec::new();
        for name in &names {
            ids.extend(find(&graph, name)?);
        }
        let (mut wanted, mut unrecorded) = (Vec::new(), Vec::new());
        for id in graph.without_groups(&ids) {
            let list = match graph.task(id).kind() {
                Kind::Recorded => &mut wanted,
                Kind::Unrecorded | Kind::Service | Kind::Group => &mut unrecorded,
            };
            list.push(graph.name(id).to_owned());
        }
        if wanted.is_empty() {
            return Err(Error::Usage {
                message: format!("there is nothing to verify in {}", names.join(", ")),
                help: Some("only what a recorded task makes can be the same again".to_owned()),
            });
        }
        Ok(Asked { args, workspace, wanted, unrecorded, jobs })
    }

    fn how<'h>(&'h self, wanted: &'h [String]) -> How<'h> {
        How { args: self.args, taskfile: &self.workspace.name, wanted, jobs: self.jobs }
    }

    /// Builds it so many times, and compares each time with the first.
    fn runs(&self, messages: &Messages) -> Result<(Report, Flaws), Error> {
        let (scratch, since_ms) = (Scratch::new()?, unix_ms());
        let mut report = Report::of_runs(self.args.runs, self.unrecorded.clone());
        let mut first: Option<Trial> = None;
        for number in 1..=self.args.runs {
            // As long as the others: a path that is written down moves nothing behind it.
            let name = format!("run-{number:03}");
            let root = scratch.copy(self.workspace, &name, messages)?;
            let jobs = if number == 1 { 1 } else { self.jobs };
            let trial = match self.how(&self.wanted).build(&root, jobs)? {
                Built::Whole(trial) => trial,
                Built::Failed(failed) => {
                    report.failed = Some(number);
                    let flaws = first.map(|first| broke(&first, &failed));
                    return Ok((report, flaws.unwrap_or_default()));
                }
            };
            let line = report.add_run(jobs, &trial);
            if !self.args.json {
                print(line.as_bytes())?;
            }
            match &first {
                None => {
                    report.findings = findings(&trial);
                    first = Some(trial);
                }
                Some(first) => {
                    let guesser = Guesser::new([&first.root, &trial.root], since_ms);
                    hold_against(first, &trial, &guesser, number, &mut report.findings);
                    scratch.remove(&name);
                }
            }
        }
        let flaws = flaws(&report.findings);
        Ok((report, flaws))
    }

    /// That the ledger cannot be written is a warning: the answer was given.
    fn tell_ledger(&self, flaws: &Flaws, messages: &Messages) -> Result<(), Error> {
        if flaws.is_empty() {
            return Ok(());
        }
        let load = self.workspace.loader(&self.args.common, self.jobs)?;
        let request = Request {
            wait: false,
            ..plain_request(self.workspace, &load, self.jobs, "taskr verify")?
        };
        let mut listen = |event: &Event<'_>| {
            if let Event::Warning { message, .. } = event {
                let _ = writeln!(std::io::stderr(), "warning: {message}");
            }
        };
        if let Err(error) = add_to_ledger(&request, flaws, messages, &mut listen) {
            let why = render(&error, false, width());
            let what = "warning: `taskr flaky` will not know of it";
            let _ = writeln!(std::io::stderr(), "{what}\n{why}");
        }
        Ok(())
    }
}

fn findings(trial: &Trial) -> BTreeMap<String, Finding> {
    let of = |(task, record): (&String, &Record)| {
        let finding = Finding { durations_ms: vec![record.duration_ms], ..Finding::of(record.key) };
        (task.clone(), finding)
    };
    trial.records.iter().map(of).collect()
}

/// Compares a later build with the first, task by task.
fn hold_against(
    first: &Trial,
    trial: &Trial,
    guesser: &Guesser,
    number: u8,
    findings: &mut BTreeMap<String, Finding>,
) {
    let mut sides =
        |path: &[u8]| Ok([&first.root, &trial.root].map(|root| root.join(OsStr::from_bytes(path))));
    for (task, finding) in findings {
        let (Some(old), Some(new)) = (first.records.get(task), trial.records.get(task)) else {
            continue;
        };
        finding.durations_ms.push(new.duration_ms);
        let (before, after) = (files(&old.outputs), files(&new.outputs));
        let differences = compare(&before, &after, guesser, &mut sides);
        if !differences.is_empty() && finding.differences.is_empty() {
            finding.follows = old.key != new.key;
        }
        finding.add(number, differences);
    }
}

/// Tasks that failed under the key under which they had succeeded.
fn broke(first: &Trial, failed: &BTreeMap<String, Digest>) -> Flaws {
    let broke =
        first.records.iter().filter(|(task, record)| failed.get(*task) == Some(&record.key));
    let flaw = |(task, record): (&String, &Record)| {
        (task.clone(), Flaw::new(unix_ms(), record.key, Differed::Broke, &[]))
    };
    broke.map(flaw).collect()
}

/// What is not the same although nothing before it differs.
fn flaws(findings: &BTreeMap<String, Finding>) -> Flaws {
    let own = findings.iter().filter(|(_, finding)| finding.is_different() && !finding.follows);
    let flaw = |(task, finding): (&String, &Finding)| {
        let paths: Vec<Vec<u8>> =
            finding.differences.iter().map(|(_, difference)| difference.path.clone()).collect();
        let flaw = Flaw::new(unix_ms(), finding.key, Differed::Outputs, &paths);
        (task.clone(), flaw)
    };
    own.map(flaw).collect()
}
