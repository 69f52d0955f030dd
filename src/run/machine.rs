//! What the machine says of itself: its load, the memory that is left.
//!
//! Only Linux tells in a way that is cheap to read; elsewhere nothing waits for it.

use crate::plan::Machine;

/// Asks for what is wanted.
pub(super) fn machine(load: bool, memory: bool) -> Machine {
    let read =
        |wanted: bool, path: &str| wanted.then(|| std::fs::read_to_string(path).ok()).flatten();
    Machine {
        load: read(load, "/proc/loadavg").as_deref().and_then(load_of),
        available_bytes: read(memory, "/proc/meminfo").as_deref().and_then(available_bytes),
    }
}

/// The average of the last minute: the first field of proc_loadavg(5).
fn load_of(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// `MemAvailable` of proc_meminfo(5), which is in kibibytes.
fn available_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_read() {
        assert_eq!(load_of("0.52 0.58 0.59 1/467 12345\n"), Some(0.52));
        let text = "MemTotal:       16384 kB\nMemAvailable:    2048 kB\nBuffers: 1 kB\n";
        assert_eq!(available_bytes(text), Some(2 << 20));
        assert_eq!((load_of(""), available_bytes("MemTotal: 1 kB")), (None, None));
    }
}
