//! The fixture: a temporary workspace, the true binary, a cleared environment.
//!
//! A test reads like a session: write files, run taskr, say what it should have run, written and
//! told. Each run compares the exit code, both streams, what ran and *every* file of the workspace
//! outside `.taskr`. What ran is told by the commands themselves: `ran NAME`, a script on the
//! PATH, writes a line outside the workspace.
//!
//! The store is off unless a test asks for it: what a test of rebuilding sees is a build.
//!
//! `TASKR_TEST_KEEP=1` keeps the folders and prints where they are.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

// A test gets all its words from here.
pub(crate) use crate::live::{Live, Output, SETTLED, until, within};
pub(crate) use crate::tree::{Entry, Tree, fingerprint, tree};
use crate::tree::{compare, entry};

/// A workspace with a home, a folder of programs and a log of what ran beside it.
pub(crate) struct Project {
    base: PathBuf,
    tree: RefCell<Tree>,
    has_store: bool,
}

impl Project {
    /// A fresh workspace with this Taskfile.
    pub(crate) fn new(taskfile: &str) -> Project {
        let project = Project::empty();
        project.write("Taskfile.toml", taskfile);
        project
    }

    /// A fresh workspace without a Taskfile.
    pub(crate) fn empty() -> Project {
        let base = tempfile::Builder::new().prefix("taskr-test-").tempdir().expect("a folder");
        let base = fs::canonicalize(base.keep()).expect("a folder");
        for folder in ["ws", "home", "bin"] {
            fs::create_dir(base.join(folder)).expect("a folder");
        }
        // Others may enter, for the tests that run as nobody.
        fs::set_permissions(&base, Permissions::from_mode(0o755)).expect("a mode");
        let project = Project { base, tree: RefCell::default(), has_store: false };
        project.program("ran", "printf '%s\\n' \"$*\" >>\"${0%/*}/../ran.log\"");
        symlink(env!("CARGO_BIN_EXE_taskr"), project.base.join("bin/taskr")).expect("a link");
        symlink(toytask(), project.base.join("bin/toytask")).expect("a link");
        project
    }

    /// The same with a store, in its home as usual.
    pub(crate) fn with_store(mut self) -> Project {
        self.has_store = true;
        self
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.outside("home/.cache/taskr")
    }

    /// A second workspace that shares home, programs and log with this one.
    pub(crate) fn sibling(&self, name: &str) -> Workspace<'_> {
        let root = self.base.join(name);
        fs::create_dir_all(&root).expect("a folder");
        Workspace { project: self, root }
    }

    /// The same of a folder that is there.
    pub(crate) fn known(&self, name: &str) -> Workspace<'_> {
        Workspace { project: self, root: self.base.join(name) }
    }

    /// Leaves the folders there. Where they are.
    pub(crate) fn keep(self) -> PathBuf {
        let base = self.base.clone();
        std::mem::forget(self);
        base
    }

    /// The workspace's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("ws")
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join(path)
    }

    /// A path outside the workspace: beside it.
    pub(crate) fn outside(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Writes a file, and its folders. An exec bit stays.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: &str) -> &Self {
        let full = self.path(&path);
        fs::create_dir_all(full.parent().expect("below the root")).expect("a folder");
        fs::write(&full, text).expect("a file");
        self.note(path.as_ref())
    }

    /// Sets or takes the exec bit.
    pub(crate) fn chmod(&self, path: &str, mode: u32) -> &Self {
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).expect("a mode");
        self.note(Path::new(path))
    }

    /// Makes or retargets a symbolic link.
    pub(crate) fn link(&self, path: &str, leads_to: &str) -> &Self {
        let _ = fs::remove_file(self.path(path));
        symlink(leads_to, self.path(path)).expect("a link");
        self.note(Path::new(path))
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) -> &Self {
        fs::remove_file(self.path(&path)).expect("it was there");
        self.tree.borrow_mut().remove(path.as_ref());
        self
    }

    /// Renames a file.
    pub(crate) fn rename(&self, from: &str, to: &str) -> &Self {
        fs::rename(self.path(from), self.path(to)).expect("it was there");
        self.tree.borrow_mut().remove(Path::new(from));
        self.note(Path::new(to))
    }

    /// A shell script on the PATH of all tasks.
    pub(crate) fn program(&self, name: &str, script: &str) -> &Self {
        let path = self.outside("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a mode");
        self
    }

    /// Takes the workspace as it is now for what it should be.
    pub(crate) fn accept_files(&self) -> &Self {
        *self.tree.borrow_mut() = tree(&self.root());
        self
    }

    fn note(&self, path: &Path) -> &Self {
        if let Some(entry) = entry(&self.path(path)) {
            self.tree.borrow_mut().insert(path.to_owned(), entry);
        }
        self
    }

    /// The text of a file of the workspace.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        let bytes = fs::read(self.path(&path));
        let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A run of taskr, to be described and then ended by [`Run::ok`] or [`Run::exits`].
    pub(crate) fn taskr<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run<'_> {
        Run::new(self, &self.root(), args)
    }

    /// A build of `target` that must run nothing and change nothing.
    #[track_caller]
    pub(crate) fn fresh(&self, target: &str) {
        self.taskr([target]).ok();
    }

    /// Starts taskr in a process group of its own and lets it run.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Live {
        Live::start(&mut self.command(&self.root(), args))
    }

    /// The bare command, for what the fixture has no words for.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskr"));
        command.args(args).current_dir(folder);
        self.clear_environment(&mut command);
        command
    }

    /// Leaves only PATH and HOME, and turns the store off where it is not wanted.
    pub(crate) fn clear_environment(&self, command: &mut Command) {
        let mut path = self.outside("bin").into_os_string();
        path.push(":/usr/bin:/bin");
        command.env_clear().env("PATH", path).env("HOME", self.outside("home"));
        if !self.has_store {
            command.env("TASKR_CACHE", "off");
        }
    }

    /// What ran since the last question, in order.
    pub(crate) fn take_ran(&self) -> Vec<String> {
        let log = self.outside("ran.log");
        let lines = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        lines.lines().map(str::to_owned).collect()
    }

    /// Waits until the log of what ran has this line.
    pub(crate) fn await_ran(&self, name: &str) {
        let log = self.outside("ran.log");
        until(&format!("{name} runs"), || {
            fs::read_to_string(&log).is_ok_and(|text| text.lines().any(|line| line == name))
        });
    }

    /// Makes `home/go`, for which tasks wait in `until [ -e ~/go ]; do sleep 0.01; done`.
    pub(crate) fn go(&self) {
        fs::write(self.outside("home/go"), "").expect("a file");
    }

    /// All living processes that carry this project's home in their environment.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let marker = [b"HOME=", self.outside("home").as_os_str().as_bytes()].concat();
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|&byte| byte == 0).any(|entry| entry == marker)
        })
        .collect()
    }

    /// Waits until no process of this project is left.
    pub(crate) fn await_no_process(&self) {
        let mut left = Vec::new();
        let gone = within(Duration::from_secs(60), || {
            left = self.processes();
            left.is_empty()
        });
        let names = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline"));
        assert!(gone, "left: {:?}", left.iter().map(names).collect::<Vec<_>>());
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::env::var_os("TASKR_TEST_KEEP").is_some() {
            eprintln!("kept: {}", self.base.display());
        } else {
            let _ = fs::remove_dir_all(&self.base);
        }
    }
}

/// Another workspace of a [`Project`]. Its files are compared by the test itself.
pub(crate) struct Workspace<'a> {
    project: &'a Project,
    root: PathBuf,
}

impl Workspace<'_> {
    /// Its root.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let full = self.root.join(path);
        fs::create_dir_all(full.parent().expect("below the root")).expect("a folder");
        fs::write(full, text).expect("a file");
        self
    }

    /// A run of taskr here.
    pub(crate) fn taskr<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run<'_> {
        Run::new(self.project, &self.root, args).any_files()
    }
}

/// One run of taskr and all that is expected of it. Unless said otherwise: nothing ran, nothing
/// changed, nothing was written to stderr.
#[must_use]
pub(crate) struct Run<'a> {
    project: &'a Project,
    command: Command,
    ran: Option<Vec<String>>,
    tree: Option<Tree>,
    says: Vec<String>,
    never_says: Vec<String>,
    stdout: Option<String>,
    warns: bool,
}

impl<'p> Run<'p> {
    fn new<S: AsRef<OsStr>>(
        project: &'p Project,
        folder: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Run<'p> {
        let command = project.command(folder, args);
        let tree = Some(project.tree.borrow().clone());
        let (says, never_says) = (Vec::new(), vec!["panicked".to_owned()]);
        let ran = Some(Vec::new());
        Run { project, command, ran, tree, says, never_says, stdout: None, warns: false }
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in this folder, relative to the workspace.
    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.command.current_dir(self.project.path(folder));
        self
    }

    /// What ran, in any order.
    pub(crate) fn ran<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.ran = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// What ran does not matter here.
    pub(crate) fn any_ran(mut self) -> Self {
        self.ran = None;
        self
    }

    /// A file that is there afterwards with this text.
    pub(crate) fn makes(mut self, path: impl AsRef<Path>, text: &str) -> Self {
        let entry = Entry::File { text: text.to_owned(), exec: false };
        self.expected().insert(path.as_ref().to_owned(), entry);
        self
    }

    /// An entry that is there afterwards.
    pub(crate) fn makes_entry(mut self, path: &str, entry: Entry) -> Self {
        self.expected().insert(path.into(), entry);
        self
    }

    /// A file that is gone afterwards.
    pub(crate) fn removes(mut self, path: impl AsRef<Path>) -> Self {
        let was = self.expected().remove(path.as_ref());
        assert!(was.is_some(), "{} was never there", path.as_ref().display());
        self
    }

    /// The files are compared by the test itself.
    pub(crate) fn any_files(mut self) -> Self {
        self.tree = None;
        self
    }

    fn expected(&mut self) -> &mut Tree {
        self.tree.as_mut().expect("files are compared")
    }

    /// Text that stdout or stderr has.
    pub(crate) fn says(mut self, text: impl Into<String>) -> Self {
        self.says.push(text.into());
        self
    }

    /// Text that neither stream has.
    pub(crate) fn never_says(mut self, text: &str) -> Self {
        self.never_says.push(text.to_owned());
        self
    }

    /// All of stdout.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        self.stdout = Some(text.to_owned());
        self
    }

    /// A warning with this text: stderr is not empty although the run succeeds.
    pub(crate) fn warns(mut self, text: &str) -> Self {
        self.warns = true;
        self.says(text)
    }

    /// Warnings do not matter here.
    pub(crate) fn any_warning(mut self) -> Self {
        self.warns = true;
        self
    }

    /// Runs and compares; exit code 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Output {
        self.exits(0)
    }

    /// Runs and compares.
    #[track_caller]
    pub(crate) fn exits(mut self, code: i32) -> Output {
        let output = Live::start(&mut self.command).wait();
        let shown = format!("{:?}\n{output}", self.command.get_args());
        assert_eq!(output.status.code(), Some(code), "exit code of {shown}");
        self.compare_streams(&output, &shown);
        let mut ran = self.project.take_ran();
        ran.sort();
        if let Some(mut expected) = self.ran {
            expected.sort();
            assert_eq!(ran, expected, "what ran (left) in {shown}");
        }
        if let Some(expected) = self.tree {
            compare(&tree(&self.project.root()), &expected, &shown);
            *self.project.tree.borrow_mut() = expected;
        } else {
            self.project.accept_files();
        }
        output
    }

    #[track_caller]
    fn compare_streams(&self, output: &Output, shown: &str) {
        let both = format!("{}{}", output.stdout, output.stderr);
        for text in &self.says {
            assert!(both.contains(text), "no {text:?} in {shown}");
        }
        for text in &self.never_says {
            assert!(!both.contains(text), "{text:?} in {shown}");
        }
        if let Some(expected) = &self.stdout {
            assert_eq!(&output.stdout, expected, "stdout of {shown}");
        }
        if output.status.success() && !self.warns {
            assert_eq!(output.stderr, "", "stderr of {shown}");
        }
        assert!(output.status.success() || !both.is_empty(), "fails in silence: {shown}");
    }
}

/// A path made of bytes.
pub(crate) fn bytes(path: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(path.to_vec()))
}

/// The toy task: an example of the package, built by `cargo test` beside the test.
fn toytask() -> PathBuf {
    let test = std::env::current_exe().expect("a running test");
    let folder = test.parent().and_then(Path::parent).expect("in target/PROFILE/deps");
    let toytask = folder.join("examples/toytask");
    assert!(toytask.exists(), "not built: cargo build --example toytask");
    toytask
}

/// Makes a pipe with a name.
pub(crate) fn mkfifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
}
