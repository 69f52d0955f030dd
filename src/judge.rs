//! Fresh, to be restored, or to be run because of this: the decision, pure.
//!
//! Knows no disk, no clock, no state database and no store. Facts that are dear to get (what
//! stands at the outputs, what the store has) are asked for only when they count.

use taskr_cache::Digest;

use crate::outcome::{Manifest, Reason, Record};

/// What is known of a ready task.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Asked for with `-B`.
    pub forced: bool,
    /// `always = true`.
    pub always: bool,
    /// Its last attempt ended in a failure under this very key.
    pub failed: bool,
    /// Its last attempt failed or was broken off: its record is not believed.
    pub unfinished: bool,
    /// Its record is older than its `max_age`.
    pub too_old: bool,
    /// Its record is of another place, and that matters.
    pub moved: bool,
    /// What its last success left.
    pub record: Option<&'a Record>,
    /// All that counts now, with what the recorded depfile named.
    pub manifest: &'a Manifest,
    /// Whether what stands on the disk is what the record says; `None` if not looked at yet.
    pub outputs: Option<Result<(), Reason>>,
    /// Whether the store has a result for a key that holds now; `None` if not asked yet.
    pub stored: Option<bool>,
}

/// The decision.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Up to date.
    Fresh,
    /// Run it; the reasons are never empty.
    Run(Vec<Reason>),
    /// Restore it from the store; why it is not fresh.
    Restore(Vec<Reason>),
    /// Look at the outputs and ask again.
    NeedOutputs,
    /// Look into the store and ask again.
    NeedStore,
}

/// Judges a recorded task whose key is `key`.
pub fn judge(facts: &Facts<'_>, key: &Digest) -> Verdict {
    if facts.forced {
        return Verdict::Run(vec![Reason::Forced]);
    }
    if facts.always {
        return Verdict::Run(vec![Reason::Always]);
    }
    let reasons = match not_fresh(facts, key) {
        Ok(reasons) => reasons,
        Err(verdict) => return verdict,
    };
    match facts.stored {
        _ if facts.failed => Verdict::Run(reasons),
        None => Verdict::NeedStore,
        Some(true) => Verdict::Restore(reasons),
        Some(false) => Verdict::Run(reasons),
    }
}

/// Why it cannot stay as it is; never empty. Or it is fresh, or more must be known.
fn not_fresh(facts: &Facts<'_>, key: &Digest) -> Result<Vec<Reason>, Verdict> {
    let unfinished = facts.unfinished || facts.failed;
    let Some(record) = facts.record else {
        return Ok(vec![if unfinished { Reason::Unfinished } else { Reason::NoRecord }]);
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
        return Ok(reasons);
    }
    if unfinished {
        return Ok(vec![Reason::Unfinished]);
    }
    if facts.too_old {
        return Ok(vec![Reason::TooOld]);
    }
    if facts.moved {
        return Ok(vec![Reason::Place]);
    }
    match &facts.outputs {
        None => Err(Verdict::NeedOutputs),
        Some(Ok(())) => Err(Verdict::Fresh),
        Some(Err(reason)) => Ok(vec![reason.clone()]),
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
            place: None,
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
        for bits in 0..64 {
            let flags = [1, 2, 4, 8, 16, 32].map(|bit| bits & bit != 0);
            for record in &records {
                for outputs in &looked {
                    for stored in [None, Some(false), Some(true)] {
                        let [forced, always, failed, unfinished, too_old, moved] = flags;
                        let facts = Facts {
                            forced,
                            always,
                            failed,
                            unfinished,
                            too_old,
                            moved,
                            record: record.as_ref(),
                            manifest: &now,
                            outputs: outputs.clone(),
                            stored,
                        };
                        let verdict = judge(&facts, &now.key());
                        assert_eq!(verdict, expected(&facts, &now.key()), "{facts:?}");
                        seen.push(verdict);
                    }
                }
            }
        }
        assert_eq!(seen.len(), 1_728);
        // Whatever the store has, and with nothing that speaks against it.
        assert_eq!(seen.iter().filter(|verdict| **verdict == Verdict::Fresh).count(), 3);
    }

    /// The rules of the guide, once more and in other words.
    fn expected(facts: &Facts<'_>, key: &Digest) -> Verdict {
        let same = facts.record.map(|record| record.key == *key);
        let run = |reason: Reason| Verdict::Run(vec![reason]);
        let unfinished = facts.unfinished || facts.failed;
        let reason = match (same, unfinished, facts.too_old, &facts.outputs) {
            _ if facts.forced => return run(Reason::Forced),
            _ if facts.always => return run(Reason::Always),
            (None, true, ..) => Reason::Unfinished,
            (None, false, ..) => Reason::NoRecord,
            (Some(false), ..) => Reason::Command("command"),
            (Some(true), true, ..) => Reason::Unfinished,
            (Some(true), false, true, _) => Reason::TooOld,
            _ if facts.moved => Reason::Place,
            (.., None) => return Verdict::NeedOutputs,
            (.., Some(Ok(()))) => return Verdict::Fresh,
            (.., Some(Err(reason))) => reason.clone(),
        };
        match facts.stored {
            _ if facts.failed => run(reason),
            None => Verdict::NeedStore,
            Some(true) => Verdict::Restore(vec![reason]),
            Some(false) => Verdict::Run(vec![reason]),
        }
    }

    fn reasons(now: &Manifest, record: &Record) -> Vec<Reason> {
        let facts = Facts {
            forced: false,
            always: false,
            failed: false,
            unfinished: false,
            too_old: false,
            moved: false,
            record: Some(record),
            manifest: now,
            outputs: None,
            stored: Some(false),
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
