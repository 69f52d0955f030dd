//! The machine that figures are of.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

/// What is known of it.
pub(crate) struct Facts {
    processors: usize,
    model: String,
    kernel: String,
    file_system: String,
    load: String,
    /// Seconds since 1970.
    now_s: u64,
}

/// Looks at the machine, and at the file system that `dir` lies on.
pub(crate) fn facts(dir: &Path) -> Facts {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Facts {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        model: processor(),
        kernel: read("/proc/sys/kernel/osrelease"),
        file_system: file_system(&read("/proc/self/mountinfo"), dir),
        load: read("/proc/loadavg"),
        now_s: now.map_or(0, |now| now.as_secs()),
    }
}

impl Facts {
    /// Name and text of each.
    pub(crate) fn all(&self) -> [(&'static str, String); 5] {
        [
            ("processors", format!("{}, {}", self.processors, self.model)),
            ("kernel", self.kernel.clone()),
            ("file system", self.file_system.clone()),
            ("load before", self.load.clone()),
            ("date", self.date()),
        ]
    }

    /// The same for JSON.
    pub(crate) fn json(&self) -> Value {
        self.all().into_iter().map(|(name, fact)| (name.to_owned(), Value::from(fact))).collect()
    }

    /// The day, as in `2026-11-27`.
    pub(crate) fn date(&self) -> String {
        date(self.now_s / 86_400)
    }

    /// A name for a folder: how many processors of which kind.
    pub(crate) fn machine(&self) -> String {
        let model = self.model.replace("(R)", "").replace("(TM)", "").to_lowercase();
        let words: Vec<&str> = model
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        format!("{}x-{}", self.processors, words.join("-"))
    }
}

/// The date of a day by its number since 1970 (Hinnant's `civil_from_days`, from then on only).
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned())
}

/// The type of the file system that `dir` lies on, by the kernel's list of mounts.
fn file_system(mounts: &str, dir: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        dir.starts_with(point).then(|| (point.len(), source.split(' ').next().unwrap_or_default()))
    });
    let last = mounts.max_by_key(|(len, _)| *len);
    last.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_784, "2026-11-27"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn a_machine_has_a_name() {
        let mut facts = facts(Path::new("/"));
        facts.processors = 2;
        facts.model = "Intel(R) Xeon(R) CPU @ 2.20GHz".to_owned();
        assert_eq!(facts.machine(), "2x-intel-xeon-cpu-2-20ghz");
    }

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      22 21 0:5 / /tmp rw shared:1 - tmpfs tmpfs rw\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/home")), "ext4");
        assert_eq!(file_system("", Path::new("/home")), "unknown");
    }
}
