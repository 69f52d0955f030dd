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
