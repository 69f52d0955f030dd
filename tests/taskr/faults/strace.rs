//! Harm to one system call, by strace: taskr is killed before it, or it fails.
//!
//! strace counts calls by thread, so "the 12th write" of a build with many threads is not one place.
//! Here a place is a call on a path: a build is recorded once, and of each of its calls it is known
//! which path to name (`-P`) and how many such calls on that path to let pass (`when=`). A place that
//! another process reaches first is left out, so that commands of tasks are never harmed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::project::{Live, Output, Project};

/// The calls by which something on a disk changes. `openat` counts if it may make or empty a file.
pub(super) const CHANGES: &str = "openat,openat2,write,pwrite64,writev,rename,renameat,renameat2,\
    link,linkat,unlink,unlinkat,rmdir,fsync,fdatasync,ftruncate,mkdir,mkdirat,fchmod,fchmodat,\
    symlink,symlinkat,copy_file_range,ioctl,utimensat";

/// The calls that may fail.
pub(super) const MAY_FAIL: &str = "openat,openat2,read,pread64,write,pwrite64,rename,renameat,\
    renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,ftruncate,statx,newfstatat,fstat,mkdir,mkdirat,\
    getdents64,flock,copy_file_range,symlinkat,readlinkat,utimensat";

/// Calls whose first text is data, no path.
const OF_DATA: [&str; 5] = ["read", "pread64", "write", "pwrite64", "writev"];

/// One call of a build.
#[derive(Clone, Debug)]
pub(super) struct Point {
    call: String,
    /// A path that this call names, as strace compares it.
    path: String,
    nth: usize,
}

impl Point {
    /// The first such call on a path.
    pub(super) fn new(call: &str, path: &Path) -> Point {
        Point { call: call.to_owned(), path: path.display().to_string(), nth: 1 }
    }
}

/// What a recorded build did.
pub(super) struct Recorded {
    /// Where taskr can be harmed, in order.
    pub(super) points: Vec<Point>,
    /// How many calls of taskr there were; those on names that differ from run to run are no point.
    pub(super) calls: usize,
}

impl Recorded {
    /// Whether one of the points is such a call on a path with this part.
    pub(super) fn has(&self, call: &str, part: &str) -> bool {
        self.points.iter().any(|point| point.call == call && point.path.contains(part))
    }
}

/// Runs a build and tells its calls.
pub(super) fn record(p: &Project, calls: &str, args: &[&str]) -> Recorded {
    let filter = format!("trace={calls},clone,clone3");
    let (output, trace) = strace(p, &["--seccomp-bpf", "-y", "-e", &filter], args);
    assert!(output.status.success(), "{output}");
    let lines: Vec<Line<'_>> = trace.lines().filter_map(Line::parse).collect();
    let taskr = threads(&lines);
    let mut passed: BTreeMap<(u32, &str, &str), usize> = BTreeMap::new();
    let mut reached: BTreeSet<(&str, &str, usize)> = BTreeSet::new();
    let mut recorded = Recorded { points: Vec::new(), calls: 0 };
    let wanted = |line: &&Line<'_>| !line.name.starts_with("clone") && !line.resumed;
    for line in lines.iter().filter(wanted) {
        let ours = taskr.contains(&line.thread) && !line.is_loader() && line.counts(calls);
        let chosen = line.paths().into_iter().find(|path| is_stable(path, &taskr));
        recorded.calls += usize::from(ours);
        for path in line.paths() {
            let nth = passed.entry((line.thread, line.name, path)).or_default();
            *nth += 1;
            let first = reached.insert((line.name, path, *nth));
            if ours && first && Some(path) == chosen {
                let (call, path) = (line.name.to_owned(), path.to_owned());
                recorded.points.push(Point { call, path, nth: *nth });
            }
        }
    }
    recorded
}

/// Runs a build with this harm at one point, and whether it was done.
pub(super) fn harmed(p: &Project, point: &Point, harm: &str, args: &[&str]) -> (Output, bool) {
    let Point { call, path, nth } = point;
    let inject = format!("inject={call}:{harm}:when={nth}");
    let trace = format!("trace={call}");
    // strace sends no signal at a call that it has from the kernel's filter.
    let filter = if harm.starts_with("signal") { "-qq" } else { "--seccomp-bpf" };
    let (output, trace) = strace(p, &[filter, "-P", path, "-e", &trace, "-e", &inject], args);
    // strace ends as taskr did.
    let killed = output.status.signal() == Some(Signal::KILL.as_raw());
    (output, killed || trace.contains("(INJECTED)"))
}

/// How often a build that ends with `code` asks for the stamps of a path.
pub(crate) fn times_looked_at(p: &Project, path: &str, args: &[&str], code: i32) -> usize {
    times_named("trace=%%stat", p, (path, args), code)
}

/// How often a file is opened in a build.
pub(crate) fn times_opened(p: &Project, path: &str, args: &[&str], code: i32) -> usize {
    times_named("trace=open,openat,openat2", p, (path, args), code)
}

fn times_named(calls: &str, p: &Project, (path, args): (&str, &[&str]), code: i32) -> usize {
    let (output, trace) = strace(p, &["--seccomp-bpf", "-e", calls], args);
    assert_eq!(output.status.code(), Some(code), "{output}");
    // Also where it is asked for from its folder.
    let name = path.rsplit('/').next().unwrap_or_default();
    let ends = [format!("{path}\""), format!("\"{name}\"")];
    trace.lines().filter(|line| ends.iter().any(|end| line.contains(end))).count()
}

fn strace(p: &Project, how: &[&str], args: &[&str]) -> (Output, String) {
    let trace = p.outside("trace");
    let mut command = Command::new("strace");
    p.clear_environment(&mut command);
    command.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(&trace).args(how);
    command.arg(env!("CARGO_BIN_EXE_taskr")).args(args).current_dir(p.root());
    // It ends when all that it follows has ended, the guard of a killed taskr too.
    let output = Live::start(&mut command).wait();
    (output, String::from_utf8_lossy(&fs::read(trace).expect("a trace")).into_owned())
}

/// `THREAD call(arguments` or `THREAD <... call resumed>rest`.
struct Line<'t> {
    thread: u32,
    name: &'t str,
    rest: &'t str,
    resumed: bool,
}

impl<'t> Line<'t> {
    fn parse(line: &'t str) -> Option<Line<'t>> {
        let (thread, rest) = line.split_once(' ')?;
        let (thread, rest) = (thread.parse().ok()?, rest.trim_start());
        if let Some(rest) = rest.strip_prefix("<... ") {
            let (name, rest) = rest.split_once(" resumed>")?;
            return Some(Line { thread, name, rest, resumed: true });
        }
        let (name, rest) = rest.split_once('(')?;
        Some(Line { thread, name, rest, resumed: false })
    }

    /// The paths by which strace finds this call: its texts, and the files of its descriptors.
    fn paths(&self) -> Vec<&'t str> {
        let mut found = Vec::new();
        if !OF_DATA.contains(&self.name) {
            let texts = self.rest.split('"').skip(1).step_by(2);
            found.extend(texts.filter(|text| !text.is_empty()));
        }
        let descriptors = self.rest.split(", ").filter(|arg| !arg.starts_with("AT_FDCWD"));
        found.extend(descriptors.filter_map(|arg| {
            let path = arg.split_once("</")?.1.split_once('>')?.0;
            // With the slash before it.
            Some(&arg[arg.find("</")? + 1..][..=path.len()])
        }));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether it is one of the calls asked for. Among those that change a disk, only if it does.
    fn counts(&self, calls: &str) -> bool {
        let makes = self.rest.contains("O_CREAT") || self.rest.contains("O_TRUNC");
        calls != CHANGES
            || !self.rest.contains(" = -1 ") && (makes || !self.name.starts_with("open"))
    }

    /// Before `main` the loader reads libraries; what becomes of that is not taskr's doing.
    fn is_loader(&self) -> bool {
        let own = ["/lib", "/usr/lib", "/etc/ld.so", "/proc/self/maps", "/maps"];
        self.paths().iter().any(|path| own.iter().any(|own| path.starts_with(own)))
            || self.paths().iter().any(|path| path.ends_with("/maps"))
    }
}

/// Whether a path has the same name in the next run: names of temporary files carry the process.
fn is_stable(path: &str, taskr: &BTreeSet<u32>) -> bool {
    let digits = |text: &str| text.parse().is_ok_and(|number| taskr.contains(&number));
    !path.split(['-', '/', '.']).any(digits)
}

/// The threads of taskr itself: the first process, and what it cloned as a thread.
fn threads(lines: &[Line<'_>]) -> BTreeSet<u32> {
    let mut found: BTreeSet<u32> = lines.iter().take(1).map(|line| line.thread).collect();
    let mut thread_in_making = BTreeSet::new();
    for line in lines.iter().filter(|line| line.name.starts_with("clone")) {
        if line.rest.contains("CLONE_THREAD") {
            thread_in_making.insert(line.thread);
        }
        let result = line.rest.rsplit_once(" = ").and_then(|(_, result)| result.parse().ok());
        if let Some(result) = result
            && thread_in_making.remove(&line.thread)
        {
            found.insert(result);
        }
    }
    found
}
