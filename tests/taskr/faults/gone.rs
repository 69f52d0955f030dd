//! `.taskr` is deleted at a random moment of a build (D19): that build may fail, the next is right.
//!
//! Ten times in the test command, `TASKR_GONE=1000` for more, `TASKR_GONE_SEED=7` for others.

use std::fs;
use std::time::Duration;

use super::{COLD, EDIT, SAVE, comes_through, none_of, number, remove_named};
use crate::oracle::random::Random;

#[test]
fn the_state_goes_at_any_moment() {
    let rounds = number("TASKR_GONE").unwrap_or(10);
    let seed = number("TASKR_GONE_SEED").unwrap_or(1);
    let mut random = Random::new(seed as u64);
    let (mut hit, mut wrong) = (0, Vec::new());
    for start in [COLD, EDIT, SAVE] {
        let p = start.project();
        for _ in 0..rounds {
            start.again(&p);
            let mut live = p.spawn(["-j2", "left"]);
            let patience_us = random.below(60_000);
            std::thread::sleep(Duration::from_micros(patience_us as u64));
            let runs = live.runs();
            // Files may come while others go.
            let _ = fs::remove_dir_all(p.path(".taskr"));
            hit += usize::from(runs && live.runs());
            let output = live.wait();
            remove_named(&p, &output);
            let panicked = output.stderr.contains("panicked");
            let check = match output.status.code() {
                Some(0..=3) if !panicked => comes_through(&p, start.text),
                _ => Err("a wrong end".to_owned()),
            };
            let name = start.name;
            wrong
                .extend(check.err().map(|why| format!("{name} {patience_us} µs: {output}\n{why}")));
        }
    }
    eprintln!("TASKR_GONE_SEED={seed}: {hit} of {} deletions fell into a build", 3 * rounds);
    none_of(&wrong);
    assert!(hit > rounds / 3, "only {hit} deletions fell into a build");
}
