//! Bad cases with every word that they are answered, for tests.

/// Groups of cases, each with its name. A case is a line `=== title`, what is wrong, a line `---`,
/// and what is shown. Cases that are answered otherwise are printed as they are now.
///
/// # Panics
/// A case is answered otherwise, or there are fewer than `least`.
pub(crate) fn answered(
    groups: &[(&str, &str)],
    least: usize,
    answer: impl Fn(&str, &str) -> String,
) {
    let mut cases = 0;
    let mut all_right = true;
    for (group, text) in groups {
        let mut wrong = String::new();
        for case in text.split("=== ").filter(|case| !case.is_empty()) {
            let (title, rest) = case.split_once('\n').expect("a title");
            let (bad, expected) = rest.split_once("---\n").expect("a line ---");
            let shown = answer(title, bad);
            cases += 1;
            if shown.trim_end() != expected.trim_end() {
                wrong.push_str(&format!("=== {title}\n{bad}---\n{shown}\n\n"));
            }
        }
        if !wrong.is_empty() {
            all_right = false;
            println!("{group}.txt says otherwise. Now:\n\n{wrong}");
        }
    }
    assert!(all_right, "see above");
    assert!(cases >= least, "{cases} cases");
}
