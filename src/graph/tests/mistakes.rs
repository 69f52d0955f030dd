//! Mistakes that only the whole Taskfile shows, with every word that they are answered.

use super::*;
use crate::error::answered;

/// A case is a line `=== title`, behind a `|` the files that are there, the Taskfile, a line
/// `---`, and what is shown.
const BAD: &[(&str, &str)] = &[
    ("names", include_str!("../bad/names.txt")),
    ("expressions", include_str!("../bad/expressions.txt")),
    ("paths", include_str!("../bad/paths.txt")),
    ("outputs", include_str!("../bad/outputs.txt")),
    ("policy", include_str!("../bad/policy.txt")),
    ("edges", include_str!("../bad/edges.txt")),
    ("services", include_str!("../bad/services.txt")),
    ("reads", include_str!("../bad/reads.txt")),
    ("packages", include_str!("../bad/packages.txt")),
    ("schedule", include_str!("../bad/schedule.txt")),
];

#[test]
fn mistakes_are_answered_word_by_word() {
    answered(BAD, 85, |title, taskfile| {
        let files = title.split_once(" | ").map_or("", |(_, files)| files);
        let files: Vec<&str> = files.split_whitespace().collect();
        World::with(&files).refusal(taskfile)
    });
}
