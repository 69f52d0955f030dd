//! Numbers as people read them: how many, how large, how long ago.

use crate::report::duration;

const DAY_MS: u64 = 86_400_000;

/// `1 file`, `2 files`, `1,234 files`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `12 bytes`, `3.4 kB`, `56 MB`, `7.8 GB`: thousands, about two digits.
pub(super) fn size(bytes: u64) -> String {
    let units = [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];
    let Some((unit, one)) = units.iter().rev().find(|(_, one)| bytes as f64 >= *one) else {
        return count(usize::try_from(bytes).unwrap_or(usize::MAX), "byte", "bytes");
    };
    let number = bytes as f64 / one;
    if number < 9.95 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") }
}

/// `3.2s ago`, `2 days ago`.
pub(super) fn ago(then_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) {
        ms if ms < 2 * DAY_MS => format!("{} ago", duration(ms)),
        ms => format!("{} days ago", ms / DAY_MS),
    }
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_few_digits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (9_960, "10 kB"),
            (123_456_789, "123 MB"),
            (10_000_000_000, "10 GB"),
            (1_230_000_000_000, "1.2 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(1_234_567, "file", "files"), "1,234,567 files");
        assert_eq!(count(100, "file", "files"), "100 files");
        assert_eq!(ago(1_000, 2_500), "1.5s ago");
        assert_eq!(ago(0, 3 * DAY_MS), "3 days ago");
        assert_eq!(ago(5, 0), "0.00s ago", "a clock that was put back");
    }
}
