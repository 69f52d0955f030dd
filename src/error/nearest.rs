//! The known word that a mistyped one was meant to be.

/// Words longer than this, in characters, are nobody's typing error.
const LONGEST: usize = 200;

/// The known word with the fewest typing errors between it and `word` (insertions, deletions,
/// replacements, neighbours swapped), at most one for every three characters; of equals the
/// first. Upper and lower case count as the same word.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).take(LONGEST + 1).collect();
    if word.len() > LONGEST {
        return None;
    }
    let mut limit = word.len().max(3) / 3;
    let mut best = None;
    for candidate in known {
        let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        if letters.len().abs_diff(word.len()) > limit {
            continue;
        }
        match distance(&word, &letters) {
            0 => return Some(candidate),
            errors if errors < limit || (errors == limit && best.is_none()) => {
                limit = errors;
                best = Some(candidate);
            }
            _ => {}
        }
    }
    best
}

/// Damerau–Levenshtein distance in the form that edits no part twice. Three rows are enough.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_was_meant() {
        let known = ["run", "inputs", "outputs", "deps", "env", "env_inputs", "build", "tests"];
        let table: &[(&str, Option<&str>)] = &[
            ("run", Some("run")),
            ("rum", Some("run")),
            ("RUN", Some("run")),
            ("imputs", Some("inputs")),
            ("ouputs", Some("outputs")),
            ("env-inputs", Some("env_inputs")),
            ("biuld", Some("build")),
            ("dpes", Some("deps")),
            ("test", Some("tests")),
            ("dependencies", None),
            ("x", None),
            ("", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known), *meant, "{word}");
        }
    }

    #[test]
    fn the_first_of_equals_and_the_best_of_all() {
        assert_eq!(nearest("obj", ["obi", "obk"]), Some("obi"));
        assert_eq!(nearest("objects", ["objecta", "objects2", "objects"]), Some("objects"));
        assert_eq!(nearest(&"a".repeat(1_000_000), ["a"]), None);
    }

    #[test]
    fn distances() {
        let table = [
            ("", "", 0),
            ("", "ab", 2),
            ("abc", "", 3),
            ("ab", "ba", 1),
            ("ca", "abc", 3),
            ("kitten", "sitting", 3),
        ];
        for (a, b, errors) in table {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&a, &b), errors, "{a:?} {b:?}");
        }
    }
}
