//! What the machine needs for the least that any tool must do: start all commands, look at all
//! files, digest all sources, copy all outputs. No more: no order but that of who needs whom,
//! nothing remembered, nothing decided.
//!
//! Each is a process of its own, `taskr-bench limit WHICH THREADS` in a project whose lists
//! [`write_lists`] wrote, so that its time is taken as a tool's is.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use crate::project::Project;

/// Commands, one a line; an empty line stands where those behind it need some before it.
const COMMANDS: &str = "limits/commands";

/// Paths of sources and outputs, each with a NUL behind it.
const SOURCES: &str = "limits/sources";
const OUTPUTS: &str = "limits/outputs";

/// Stands before a command that needs a shell.
const SHELL: &str = "$ ";

/// Bytes of one `read`.
const CHUNK_BYTES: usize = 256 * 1024;

/// Files that a thread takes at once.
const CHUNK: usize = 64;

/// Writes into a project's folder what the limits are measured with.
///
/// # Errors
/// What the file system says.
pub(super) fn write_lists(project: &Project, dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join("limits"))?;
    let list = |paths: &mut dyn Iterator<Item = &str>| -> String {
        paths.map(|path| format!("{path}\0")).collect()
    };
    let sources = list(&mut project.sources.iter().map(|source| &*source.path));
    fs::write(dir.join(SOURCES), sources)?;
    let outputs = list(&mut project.tasks.iter().map(|task| &*task.output));
    fs::write(dir.join(OUTPUTS), outputs)?;
    fs::write(dir.join(COMMANDS), commands(project))
}

/// The commands by how many others must run before them, one after another.
fn commands(project: &Project) -> String {
    let mut depths: HashMap<&str, usize> = HashMap::new();
    let mut stages: Vec<Vec<String>> = Vec::new();
    for task in &project.tasks {
        let needs = task.inputs.iter().map(|input| &**input).chain(task.after);
        let depth = needs.filter_map(|path| depths.get(path)).max().map_or(0, |depth| depth + 1);
        depths.insert(&task.output, depth);
        if stages.len() <= depth {
            stages.resize(depth + 1, Vec::new());
        }
        let before = if task.command.needs_a_shell() { SHELL } else { "" };
        stages[depth].push(format!("{before}{}\n", crate::render::line(task)));
    }
    stages.iter().map(|stage| stage.concat()).collect::<Vec<_>>().join("\n")
}

/// `limit WHICH THREADS`.
///
/// # Errors
/// A wrong word, or what the system says.
pub(crate) fn limit(args: &[String]) -> Result<(), String> {
    let [which, threads] = args else { return Err("limit WHICH THREADS".to_owned()) };
    let threads = threads.parse().ok().filter(|threads| *threads > 0);
    let threads = threads.ok_or("THREADS is a number from 1")?;
    let done = match which.as_str() {
        "spawn" => spawn(threads),
        "stat" => stat(threads),
        "hash" => hash(threads),
        "copy" => copy(threads),
        _ => return Err("WHICH is spawn, stat, hash or copy".to_owned()),
    };
    done.map_err(|error| format!("limit {which}: {error}"))
}

/// Does something with each of so many, in chunks, on threads; the first error is told.
fn each(
    many: usize,
    chunk: usize,
    threads: usize,
    work: impl Fn(usize, &mut Vec<u8>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let all = || {
        let mut buffer = Vec::new();
        loop {
            let begin = next.fetch_add(chunk, Ordering::Relaxed);
            if begin >= many {
                return Ok(());
            }
            for number in begin..many.min(begin + chunk) {
                work(number, &mut buffer)?;
            }
        }
    };
    let threads = threads.min(many.div_ceil(chunk));
    if threads <= 1 {
        return all();
    }
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(all)).collect();
        all()?;
        let joined = others.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .into_iter()
            .try_for_each(|ended| ended.map_err(|_| io::Error::other("a thread panicked"))?)
    })
}

fn spawn(threads: usize) -> io::Result<()> {
    let commands = fs::read_to_string(COMMANDS)?;
    for stage in commands.split("\n\n") {
        let stage: Vec<&str> = stage.lines().collect();
        each(stage.len(), 1, threads, |number, _| start(stage[number]))?;
    }
    Ok(())
}

fn start(line: &str) -> io::Result<()> {
    let mut command = match line.strip_prefix(SHELL) {
        Some(text) => {
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            command
        }
        None => {
            let mut words = line.split(' ');
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words);
            command
        }
    };
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{line}: {status}"))) }
}

/// Paths of a list; they end with a NUL, as the kernel wants them.
fn paths(list: &[u8]) -> impl Iterator<Item = &CStr> {
    list.split_inclusive(|byte| *byte == 0).filter_map(|path| CStr::from_bytes_with_nul(path).ok())
}

fn stat(threads: usize) -> io::Result<()> {
    let mut list = fs::read(SOURCES)?;
    list.extend(fs::read(OUTPUTS)?);
    let paths: Vec<&CStr> = paths(&list).collect();
    each(paths.len(), CHUNK, threads, |number, _| {
        // What was taken away is looked for as well.
        match statx(CWD, paths[number], AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) {
            Err(error) if error != rustix::io::Errno::NOENT => Err(error.into()),
            _ => Ok(()),
        }
    })
}

fn read_paths(list: &str) -> io::Result<Vec<PathBuf>> {
    let list = fs::read_to_string(list)?;
    Ok(list.split_terminator('\0').map(PathBuf::from).collect())
}

fn hash(threads: usize) -> io::Result<()> {
    let paths = read_paths(SOURCES)?;
    // A few large files are shared out one by one.
    let chunk = if paths.len() < 1_000 { 1 } else { CHUNK };
    each(paths.len(), chunk, threads, |number, buffer| {
        buffer.resize(CHUNK_BYTES, 0);
        std::hint::black_box(digest(&paths[number], buffer)?);
        Ok(())
    })
}

fn digest(path: &Path, buffer: &mut [u8]) -> io::Result<blake3::Hash> {
    let (mut file, mut hasher) = (File::open(path)?, blake3::Hasher::new());
    loop {
        match file.read(buffer)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(&buffer[..read]),
        };
    }
}

fn copy(threads: usize) -> io::Result<()> {
    let paths = read_paths(OUTPUTS)?;
    let free = (0..).map(|number| PathBuf::from(format!("limits/copies-{number}")));
    let to = free.into_iter().find(|to| !to.exists()).unwrap_or_default();
    fs::create_dir(&to)?;
    each(paths.len(), CHUNK, threads, |number, _| {
        fs::copy(&paths[number], to.join(number.to_string())).map(|_| ())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Kind;

    #[test]
    fn commands_wait_for_those_they_need() {
        let text = commands(&Project::generate(Kind::W1, 3).expect("sources"));
        let expected = "tools/step join obj/000000.o src/000000.c src/shared.h\n\
                        tools/step join obj/000001.o src/000001.c src/shared.h\n\
                        \ntools/step list app obj\n";
        assert_eq!(text, expected);
        let text = commands(&Project::generate(Kind::CLike, 3).expect("sources"));
        let first: Vec<&str> = text.split("\n\n").collect();
        assert_eq!(first[0], "$ echo '#define GENERATED 1' > gen/generated.h");
        assert!(first[1].starts_with("cc -O0") && first[2].starts_with("$ rm -f all.a"), "{text}");
    }

    #[test]
    fn each_is_done_once() {
        for (many, chunk, threads) in [(0, 1, 2), (1, 64, 2), (200, 64, 3), (5, 1, 1)] {
            let sum = AtomicUsize::new(0);
            let done = each(many, chunk, threads, |number, _| {
                sum.fetch_add(number + 1, Ordering::Relaxed);
                Ok(())
            });
            assert!(done.is_ok());
            assert_eq!(sum.into_inner(), many * (many + 1) / 2);
        }
        let failed = each(100, 1, 2, |number, _| match number {
            40 => Err(io::Error::other("forty")),
            _ => Ok(()),
        });
        assert_eq!(failed.expect_err("one failed").to_string(), "forty");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let limit = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            limit(&words).expect_err("wrong")
        };
        assert_eq!(limit("stat"), "limit WHICH THREADS");
        assert!(limit("stat 0").contains("from 1"));
        assert!(limit("read 1").contains("spawn, stat, hash or copy"));
        // There are no lists here.
        assert!(limit("hash 1").starts_with("limit hash: "));
    }
}
