//! The machine that figures are of.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What is known of it.
pub(crate) struct Facts {
    processors: usize,
    model: String,
    kernel: String,
    file_system: String,
    load: String,
    /// The day, as in `2026-11-27`.
    date: String,
}

/// Looks at the machine, and at the file system that `dir` lies on.
pub(crate) fn facts(dir: &Path) -> Facts {
    let date = Command::new("date").arg("+%F").output();
    Facts {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        model: processor(),
        kernel: read("/proc/sys/kernel/osrelease"),
        file_system: file_system(&read("/proc/self/mountinfo"), dir),
        load: read("/proc/loadavg"),
        date: date.map_or_else(
            |_| "undated".to_owned(),
            |date| String::from_utf8_lossy(&date.stdout).trim().to_owned(),
        ),
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
            ("date", self.date.clone()),
        ]
    }

    /// The same for JSON.
    pub(crate) fn json(&self) -> Value {
        self.all().into_iter().map(|(name, fact)| (name.to_owned(), Value::from(fact))).collect()
    }

    /// The day, as in `2026-11-27`.
    pub(crate) fn date(&self) -> &str {
        &self.date
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
