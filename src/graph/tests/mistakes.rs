//! Mistakes that only the whole Taskfile shows, with every word that they are answered.

use super::*;

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
    let mut cases = 0;
    let mut all_right = true;
    for (group, text) in BAD {
        let mut wrong = String::new();
        for case in text.split("=== ").filter(|case| !case.is_empty()) {
            let (title, rest) = case.split_once('\n').expect("a title");
            let (taskfile, expected) = rest.split_once("---\n").expect("a line ---");
            let files = title.split_once(" | ").map_or("", |(_, files)| files);
            let files: Vec<&str> = files.split_whitespace().collect();
            let shown = World::with(&files).refusal(taskfile);
            cases += 1;
            if shown.trim_end() != expected.trim_end() {
                wrong.push_str(&format!("=== {title}\n{taskfile}---\n{shown}\n\n"));
            }
        }
        if !wrong.is_empty() {
            all_right = false;
            println!("{group}.txt says otherwise. Now:\n\n{wrong}");
        }
    }
    assert!(all_right, "see above");
    assert!(cases >= 85, "{cases} cases");
}
