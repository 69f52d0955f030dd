//! `taskr-bench restore`: results brought back from the store, beside the same files copied and
//! verified by hand, a build from nothing, and a build with nothing to do.
//!
//! The hand is a process of its own, as taskr is, in the same language, with as many threads as
//! taskr has jobs. It knows where each file belongs, keeps no state and no intent, and asks nobody
//! whether the file is right: what taskr takes beyond it is the price of those.

mod hand;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::facts::{Facts, facts};
use crate::measure::{Sample, Summary, run};
use crate::words::Words;

/// Results to be restored.
struct Case {
    name: &'static str,
    tasks: usize,
    files: usize,
    bytes: usize,
}

const CASES: [Case; 2] = [
    Case { name: "one task", tasks: 1, files: 1_000, bytes: 100 * 1024 },
    Case { name: "many tasks", tasks: 10_000, files: 10_000, bytes: 2 * 1024 },
];

/// Longer than the two seconds for which taskr does not trust a stamp.
const SETTLED: Duration = Duration::from_millis(2_500);

/// What is measured of a case, in the order of the table.
const WAYS: [&str; 4] = ["cold", "restored", "by hand", "no-op"];

/// Measures, prints, writes.
///
/// # Errors
/// A wrong word, a build that fails, a restored file that is another.
pub(crate) fn restore(args: &[String]) -> Result<(), String> {
    let words = Words::parse(args)?;
    let taskr = words.taskr()?;
    let mut cases = Vec::new();
    for case in CASES {
        let (folder, dir) = words.folder()?;
        let facts = facts(&dir);
        let ways = Bench { case: &case, dir: &dir, taskr: &taskr, jobs: words.jobs };
        let ways = ways.measure(words.runs)?;
        drop(folder);
        print!("{}", table(&case, &ways));
        cases.push(figures(&case, &ways, &facts));
    }
    words.keep(&json!({ "jobs": words.jobs, "cases": cases }))
}

/// `taskr-bench by-hand FROM TO THREADS`, which `restore` calls.
///
/// # Errors
/// See [`hand::copy_verified`].
pub(crate) fn by_hand(args: &[String]) -> Result<(), String> {
    let [from, to, threads] = args else { return Err("by-hand FROM TO THREADS".to_owned()) };
    let threads = threads.parse().map_err(|_| format!("{threads} is no number of threads"))?;
    hand::copy_verified(Path::new(from), Path::new(to), threads)
}

struct Bench<'a> {
    case: &'a Case,
    dir: &'a Path,
    taskr: &'a Path,
    jobs: usize,
}

impl Bench<'_> {
    /// A summary for each of [`WAYS`].
    fn measure(&self, runs: usize) -> Result<Vec<Summary>, String> {
        let (project, kept) = (self.dir.join("project"), self.dir.join("kept"));
        let data = project.join("data");
        self.write(&project).map_err(|error| format!("{}: {error}", project.display()))?;
        let mut samples = [const { Vec::new() }; WAYS.len()];
        samples[0].push(run(&self.build())?);
        let made = read_all(&data)?;
        if made.len() != self.case.files {
            return Err(format!("{} files instead of {}", made.len(), self.case.files));
        }
        keep(&made, &kept)?;
        // The first restore after a build finds what that wrote still on its way to the disk.
        for round in 0..=runs {
            set_aside(&data, &self.dir.join(format!("data-{round}")))?;
            let restored = run(&self.build())?;
            if read_all(&data)? != made {
                return Err("what was restored is not what was built".to_owned());
            }
            let copies = self.dir.join(format!("copies-{round}"));
            let copied = run(&self.copy(&kept, &copies)?)?;
            // What has just been written is looked at once more.
            std::thread::sleep(SETTLED);
            run(&self.build())?;
            let nothing = run(&self.build())?;
            if round > 0 {
                samples[1].push(restored);
                samples[2].push(copied);
                samples[3].push(nothing);
            }
        }
        let summaries = samples.iter().map(|samples: &Vec<Sample>| Summary::of(samples));
        summaries.collect::<Option<_>>().ok_or_else(|| "nothing was measured".to_owned())
    }

    fn write(&self, project: &Path) -> std::io::Result<()> {
        fs::create_dir_all(project.join("src"))?;
        fs::write(project.join("Taskfile.toml"), taskfile(self.case))?;
        let text = |number: usize| line(number).into_bytes().into_iter().cycle();
        if self.case.tasks == 1 {
            let each = |number| text(number).take(self.case.bytes);
            let all: Vec<u8> = (0..self.case.files).flat_map(each).collect();
            return fs::write(project.join("src/all"), all);
        }
        for number in 0..self.case.files {
            let bytes: Vec<u8> = text(number).take(self.case.bytes).collect();
            fs::write(project.join(format!("src/{number:06}")), bytes)?;
        }
        Ok(())
    }

    fn build(&self) -> Command {
        let mut command = Command::new(self.taskr);
        command.current_dir(self.dir.join("project")).env("TASKR_CACHE", "local");
        command.env("TASKR_CACHE_DIR", self.dir.join("store")).env_remove("TASKR_CACHE_SIZE");
        command.args(["-q", &format!("-j{}", self.jobs)]);
        command
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Command, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(own);
        command.arg("by-hand").arg(from).arg(to).arg(self.jobs.to_string());
        Ok(command)
    }
}

fn taskfile(case: &Case) -> String {
    let bytes = case.bytes;
    match case.tasks {
        1 => format!(
            "default = [\"data\"]\n\n[target.data]\ninputs  = [\"src/all\"]\n\
             outputs = [\"data\"]\ncache   = true\n\
             run     = \"mkdir -p {{{{ outputs }}}} && split -a 4 -b {bytes} {{{{ inputs }}}} \
             {{{{ outputs }}}}/\"\n"
        ),
        _ => "default = [\"data\"]\n\n[target.data]\nforeach = [\"src/*\"]\n\
              outputs = [\"data/{{ item.stem }}\"]\ncache   = true\n\
              exec    = [\"cp\", \"{{ item }}\", \"{{ outputs }}\"]\n"
            .to_owned(),
    }
}

/// What a file consists of, again and again: no two are alike.
fn line(number: usize) -> String {
    format!("{number} {:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Path and content of every file, sorted.
fn read_all(dir: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let bytes = fs::read(&path).map_err(failed)?;
        files.push((path, bytes));
    }
    files.sort();
    Ok(files)
}

/// Lays files out as the hand expects them.
fn keep(files: &[(PathBuf, Vec<u8>)], to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    fs::create_dir_all(to).map_err(failed)?;
    for (_, bytes) in files {
        fs::write(to.join(blake3::hash(bytes).to_hex().as_str()), bytes).map_err(failed)?;
    }
    Ok(())
}

/// Takes a folder away. It is not deleted: ext4 looks for a minute, file by file, whether the
/// number of a deleted file may be given to a new one, and that would be what is measured.
fn set_aside(dir: &Path, to: &Path) -> Result<(), String> {
    fs::rename(dir, to).map_err(|error| format!("{}: {error}", dir.display()))
}

/// Figures of a case for people; ratios are of medians, to the hand's.
fn table(case: &Case, ways: &[Summary]) -> String {
    let Case { name, tasks, files, bytes } = case;
    let mut text = format!(
        "{name}: {tasks} tasks, {files} files of {bytes} bytes\n\n\
         | what | median ms | min ms | CPU ms | ÷ by hand | CPU ÷ by hand |\n\
         | --- | --: | --: | --: | --: | --: |\n"
    );
    let hand = &ways[2];
    for (way, summary) in WAYS.iter().zip(ways) {
        let Summary { median_ms, min_ms, cpu_ms, .. } = summary;
        let (wall, cpu) = (median_ms / hand.median_ms, cpu_ms / hand.cpu_ms);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {way} | {median_ms:.1} | {min_ms:.1} | {cpu_ms:.1} | {wall:.2} | {cpu:.2} |"
        );
    }
    text + "\n"
}

fn figures(case: &Case, ways: &[Summary], facts: &Facts) -> Value {
    let rows = WAYS.iter().zip(ways).map(|(way, summary)| {
        json!({
            "what": way, "runs": summary.runs, "median_ms": summary.median_ms,
            "min_ms": summary.min_ms, "cpu_ms": summary.cpu_ms, "peak_kib": summary.peak_kib,
        })
    });
    json!({
        "case": case.name, "tasks": case.tasks, "files": case.files, "bytes": case.bytes,
        "machine": facts.json(), "rows": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_hand() {
        let summary =
            |median_ms| Summary { runs: 1, median_ms, min_ms: 1.0, cpu_ms: 8.0, peak_kib: 1 };
        let ways = [500.0, 130.0, 100.0, 5.0].map(summary);
        let text = table(&CASES[0], &ways);
        assert!(text.contains("| restored | 130.0 | 1.0 | 8.0 | 1.30 | 1.00 |"), "{text}");
        assert_eq!(figures(&CASES[0], &ways, &facts(Path::new("/")))["rows"][3]["what"], "no-op");
    }

    #[test]
    fn taskfiles_are_right() {
        for case in CASES {
            let text = taskfile(&case);
            assert!(taskr::parse::parse("Taskfile.toml", text.as_bytes()).is_ok(), "{text}");
        }
    }
}
