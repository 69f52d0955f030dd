//! `--sample`: some of the results that the store has for what tasks are now, taken at random, are
//! built again and compared with what the store would give.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use taskr_cache::{Blob, Blobs, Digest, Entry, Place, Store};

use super::super::build::plain_request;
use super::super::status::unix_ms;
use super::super::user;
use super::compare::{How, compare, files};
use super::guess::{Cause, Guesser};
use super::scratch::Scratch;
use super::tell::{Finding, Report, Sampled};
use super::trial::{Built, Trial};
use super::{Asked, Flaws, flaws};
use crate::error::{Error, quoted};
use crate::outcome::{Event, Finish, Made};
use crate::outdir::TaskDir;
use crate::report::one_line;
use crate::run::{Messages, Request, dry_run};

/// `10%`, `2.5`: a part of all.
pub(super) fn part(text: &str) -> Result<f64, Error> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    number.ok().filter(|part| *part > 0.0 && *part <= 100.0).map(|part| part / 100.0).ok_or_else(
        || Error::Usage {
            message: format!("`--sample` takes a part, not {}", quoted(&one_line(text))),
            help: Some("write a part of all: 5%, 100%".to_owned()),
        },
    )
}

/// A result in the store, and what it is kept under.
type Candidate = (Digest, Entry);

pub(super) fn sample(
    asked: &Asked<'_>,
    part: f64,
    messages: &Messages,
) -> Result<(Report, Flaws), Error> {
    let at = user::store(None)?.ok_or_else(|| Error::Usage {
        message: "there is no store to take a sample of".to_owned(),
        help: Some("it is turned off; `TASKR_CACHE=local` turns it on".to_owned()),
    })?;
    let mut store = Store::new(&at.dir);
    let all = candidates(asked, &mut store, messages)?;
    let seed = asked.args.seed.unwrap_or_else(|| unix_ms() ^ u64::from(std::process::id()) << 32);
    let mut report = Report::of_runs(1, asked.unrecorded.clone());
    report.sampled = Some(Sampled { stored: all.len(), seed });
    let picked = pick(all, part, seed);
    if picked.is_empty() {
        return Ok((report, Vec::new()));
    }
    let scratch = Scratch::new()?;
    let root = scratch.copy(asked.workspace, "sample", messages)?;
    let names: Vec<String> = picked.keys().cloned().collect();
    let trial = match asked.how(&names).build(&root, asked.jobs)? {
        Built::Whole(trial) => trial,
        Built::Failed(_) => {
            report.failed = Some(1);
            return Ok((report, Vec::new()));
        }
    };
    let _ = report.add_run(asked.jobs, &trial);
    let held = Held { asked, scratch: &scratch, blobs: store.blobs(), trial: &trial };
    for (task, candidate) in &picked {
        report.findings.insert(task.clone(), held.against(task, candidate));
    }
    let flaws = flaws(&report.findings);
    Ok((report, flaws))
}

/// What the store has for what tasks are now; nothing is run to find that out.
fn candidates(
    asked: &Asked<'_>,
    store: &mut Store,
    messages: &Messages,
) -> Result<BTreeMap<String, Candidate>, Error> {
    let load = asked.workspace.loader(&asked.args.common, asked.jobs)?;
    let request = Request {
        wanted: asked.wanted.clone(),
        private: true,
        dry_run: true,
        store: user::store(None)?,
        ..plain_request(asked.workspace, &load, asked.jobs, "taskr verify")?
    };
    let mut keys = Vec::new();
    let mut fresh = Vec::new();
    let mut listen = |event: &Event<'_>| match event {
        Event::TaskRestoring { task, key, .. } => keys.push((task.name.to_owned(), *key)),
        Event::TaskFinished { task, finish: Finish::Fresh, .. } => fresh.push(task.id),
        Event::Warning { message, .. } => {
            let _ = writeln!(io::stderr(), "warning: {message}");
        }
        _ => {}
    };
    let judged = dry_run(&request, messages, &mut listen)?;
    if let Some(signal) = judged.summary.signal {
        return Err(Error::Interrupted(signal));
    }
    keys.extend(
        fresh
            .into_iter()
            .filter_map(|id| Some((judged.graph.name(id).to_owned(), judged.record(id)?.key))),
    );
    let root = Digest::of(asked.workspace.root.as_os_str().as_bytes());
    let entry = |(task, key): (String, Digest)| Some((task, (key, store.lookup(&key, &root)?)));
    let all = keys.into_iter().filter_map(entry).collect();
    if let Some(warning) = store.warning() {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    Ok(all)
}

/// A part of all, at least one; the same for the same seed.
fn pick<T>(all: BTreeMap<String, T>, part: f64, seed: u64) -> BTreeMap<String, T> {
    let many = (all.len() as f64 * part).ceil() as usize;
    let mut state = seed;
    let mut ranked: Vec<(u64, (String, T))> =
        all.into_iter().map(|one| (next_random(&mut state), one)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(many).map(|(_, one)| one).collect()
}

/// The generator `splitmix64`.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What results of the store are held against.
struct Held<'h> {
    asked: &'h Asked<'h>,
    scratch: &'h Scratch,
    blobs: Blobs,
    trial: &'h Trial,
}

impl Held<'_> {
    fn against(&self, task: &str, (key, entry): &Candidate) -> Finding {
        let mut finding = Finding::of(*key);
        let Some(record) = self.trial.records.get(task) else { return finding };
        finding.durations_ms = vec![entry.duration_ms, record.duration_ms];
        let out = TaskDir::new(self.asked.workspace.prefix(), task).join("out/");
        let stored: Vec<(Vec<u8>, Made)> = entry
            .files
            .iter()
            .map(|file| match file.place {
                Place::Workspace => (file.path.clone(), Made::from(&file.what)),
                Place::Out => ([&out[..], &file.path].concat(), Made::from(&file.what)),
            })
            .collect();
        let before = stored.iter().map(|(path, made)| (&path[..], made)).collect();
        let roots = [&*self.asked.workspace.root, &*self.trial.root];
        let mut sides = |path: &[u8]| {
            let made = stored.iter().find(|(stored, _)| stored == path).map(|(_, made)| made);
            let copy = self.scratch.path("stored");
            if let Some(Made::File { size, digest, .. }) = made {
                self.write(&Blob { digest: *digest, size: *size }, &copy)?;
            }
            Ok([copy, self.trial.root.join(OsStr::from_bytes(path))])
        };
        let after = files(&record.outputs);
        let guesser = Guesser::new(roots, entry.ended_ms.saturating_sub(entry.duration_ms));
        let mut differences = compare(&before, &after, &guesser, &mut sides);
        // A result that names its place is given to that place only.
        differences
            .retain(|one| !matches!(&one.how, How::Bytes(spot) if spot.cause == Cause::Place));
        finding.follows = record.key != *key;
        finding.add(1, differences);
        finding
    }

    fn write(&self, blob: &Blob, to: &std::path::Path) -> io::Result<()> {
        let mut file = File::create(to)?;
        let copied = self.blobs.copy_to(blob, &mut file, &mut Vec::new());
        copied.map_err(|error| io::Error::other(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_picked_by_its_seed() {
        let all = || (0..100).map(|number| (number.to_string(), ())).collect::<BTreeMap<_, _>>();
        assert_eq!(pick(all(), 0.1, 7).len(), 10);
        assert_eq!(pick(all(), 0.001, 7).len(), 1, "one at least");
        assert_eq!(pick(all(), 1.0, 7).len(), 100);
        assert_eq!(pick(all(), 0.1, 7), pick(all(), 0.1, 7));
        assert_ne!(pick(all(), 0.1, 7), pick(all(), 0.1, 8));
        assert!(pick(BTreeMap::<String, ()>::new(), 1.0, 7).is_empty());
    }

    #[test]
    fn a_part_is_more_than_nothing_and_not_more_than_all() {
        for (text, expected) in [("10%", Some(0.1)), ("100", Some(1.0)), ("0", None), ("-1%", None)]
        {
            assert_eq!(part(text).ok(), expected, "{text}");
        }
        assert!(part("101%").is_err() && part("many").is_err() && part("nan").is_err());
    }
}
