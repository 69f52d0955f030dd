//! Reading a number of bytes: `500M`, `2.5 GB`, `1GiB`.

/// `500M`, `10G`, `2.5GB`, `1GiB`, `100000`: thousands, but for those with `i`.
pub fn size_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_uppercase().trim_end_matches('B') {
        "" => 1.0,
        "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "KI" => 1024.0,
        "MI" => 1_048_576.0,
        "GI" => 1_073_741_824.0,
        "TI" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit;
    // 2^53 bytes are exact, and more than there are.
    (0.0..9e15).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("100000", Some(100_000)),
            ("500M", Some(500_000_000)),
            ("10g", Some(10_000_000_000)),
            ("2.5 GB", Some(2_500_000_000)),
            ("1GiB", Some(1 << 30)),
            ("", None),
            ("G", None),
            ("-1G", None),
            ("1.2.3G", None),
            ("10 parsecs", None),
            ("99999999T", None),
        ] {
            assert_eq!(size_of(text), bytes, "{text}");
        }
    }
}
