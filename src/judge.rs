//! Fresh, or to be run because of this: the decision, pure.
//!
//! Knows no disk, no clock and no state database. Facts that are dear to get (what stands at the
//! outputs) are asked for only when they count.

use taskr_cache::Digest;

use crate::outcome::{Manifest, Reason, Record};

/// What is known of a ready task.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Asked for with `-B`.
    pub forced: bool,
    /// `always = true`.
    pub always: bool,
    /// Its last attempt failed or was broken off: its record is not believed.
    pub unfinished: bool,
    /// What its last success left.
    pub record: Option<&'a Record>,
    /// All that counts now, with what the recorded depfile named.
    pub manifest: &'a Manifest,
    /// Whether what stands on the disk is what the record says; `None` if not looked at yet.
    pub outputs: Option<Result<(), Reason>>,
}

/// The decision.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Up to date.
    Fresh,
    /// Run it; the reasons are never empty.
    Run(Vec<Reason>),
    /// Look at the outputs and ask again.
    NeedOutputs,
}

/// Judges a recorded task whose key is `key`.
pub fn judge(facts: &Facts<'_>, key: &Digest) -> Verdict {
    if facts.forced {
        return Verdict::Run(vec![Reason::Forced]);
    }
    if facts.always {
        return Verdict::Run(vec![Reason::Always]);
    }
    let Some(record) = facts.record else {
        let reason = if facts.unfinished { Reason::Unfinished } else { Reason::NoRecord };
        return Verdict::Run(vec![reason]);
    };
    if record.key != *key {
        let mut reasons = facts.manifest.diff(&record.manifest);
        // What the last depfile named was not asked for if something declared changed already.
        if facts.manifest.static_key() != record.manifest.static_key() {
            reasons.retain(|reason| !matches!(reason, Reason::Found(..)));
        }
        if reasons.is_empty() {
            reasons.push(Reason::Format);
        }
        return Verdict::Run(reasons);
    }
    if facts.unfinished {
        return Verdict::Run(vec![Reason::Unfinished]);
    }
    match &facts.outputs {
        None => Verdict::NeedOutputs,
        Some(Ok(())) => Verdict::Fresh,
        Some(Err(reason)) => Verdict::Run(vec![reason.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Change, Field, Tag};

    fn field(tag: Tag, name: &str, value: &str) -> Field {
        Field { tag, name: name.into(), value: value.into() }
    }

    fn manifest(command: &str, found: Option<&str>) -> Manifest {
        let found = found.map(|value| field(Tag::Discovered, "a.h", value));
        Manifest::new([field(Tag::Command, "", command)].into_iter().chain(found).collect())
    }

    fn record_of(manifest: &Manifest) -> Record {
        Record {
            key: manifest.key(),
            manifest: manifest.clone(),
            declared: Digest::of(b""),
            outputs: Vec::new(),
            installs: Vec::new(),
            found: Vec::new(),
            unstable: false,
            intent: 1,
            ended_ms: 0,
            duration_ms: 0,
            reason: String::new(),
        }
    }

    /// Every combination of what is known, against the rules one below the other.
    #[test]
    fn all_that_can_be_known() {
        let now = manifest("cc", Some("f1"));
        let missing = Reason::OutputMissing(b"x".to_vec());
        let looked = [None, Some(Ok(())), Some(Err(missing))];
        let records = [None, Some(manifest("cc", Some("f1"))), Some(manifest("gcc", Some("f1")))];
        let records = records.map(|manifest| manifest.as_ref().map(record_of));
        let mut seen = Vec::new();
        for bits in 0..8 {
            let [forced, always, unfinished] = [1, 2, 4].map(|bit| bits & bit != 0);
            for record in &records {
                for outputs in &looked {
                    let facts = Facts {
                        forced,
                        always,
                        unfinished,
                        record: record.as_ref(),
                        manifest: &now,
                        outputs: outputs.clone(),
                    };
                    let same = record.as_ref().map(|record| record.key == now.key());
                    let run = |reason: Reason| Verdict::Run(vec![reason]);
                    let expected = match (forced, always, same, unfinished, outputs) {
                        (true, ..) => run(Reason::Forced),
                        (_, true, ..) => run(Reason::Always),
                        (_, _, None, true, _) => run(Reason::Unfinished),
                        (_, _, None, false, _) => run(Reason::NoRecord),
                        (_, _, Some(false), ..) => run(Reason::Command("command")),
                        (_, _, Some(true), true, _) => run(Reason::Unfinished),
                        (.., None) => Verdict::NeedOutputs,
                        (.., Some(Ok(()))) => Verdict::Fresh,
                        (.., Some(Err(reason))) => run(reason.clone()),
                    };
                    let verdict = judge(&facts, &now.key());
                    assert_eq!(verdict, expected, "{facts:?}");
                    seen.push(verdict);
                }
            }
        }
        assert_eq!(seen.len(), 72);
        assert_eq!(seen.iter().filter(|verdict| **verdict == Verdict::Fresh).count(), 1);
    }

    fn reasons(now: &Manifest, record: &Record) -> Vec<Reason> {
        let facts = Facts {
            forced: false,
            always: false,
            unfinished: false,
            record: Some(record),
            manifest: now,
            outputs: None,
        };
        match judge(&facts, &now.key()) {
            Verdict::Run(reasons) => reasons,
            other => panic!("{other:?}"),
        }
    }

    /// What the last depfile named was not gathered if something declared changed already: then
    /// it is no reason; else it is the only one.
    #[test]
    fn found_files_are_told_only_where_they_were_looked_at() {
        let record = record_of(&manifest("cc", Some("f1")));
        let found = |change| vec![Reason::Found(b"a.h".to_vec(), change)];
        assert_eq!(reasons(&manifest("cc", Some("f2")), &record), found(Change::Content));
        assert_eq!(reasons(&manifest("cc", Some("-")), &record), found(Change::Removed));
        assert_eq!(reasons(&manifest("gcc", None), &record), [Reason::Command("command")]);
    }

    /// A key that another version of taskr computed differs although no field does.
    #[test]
    fn a_run_always_has_a_reason() {
        let now = manifest("cc", None);
        let record = Record { key: Digest::of(b"another"), ..record_of(&now) };
        assert_eq!(reasons(&now, &record), [Reason::Format]);
    }
}
