//! git, as far as taskr asks it: which files changed, where hooks are. The plain program, started
//! in one place.
//!
//! Knows no Taskfile and no task. Questions write nothing: no lock, no index, no prompt. In a hook
//! git says in its variables which repository and which index are meant; they are obeyed here,
//! and nowhere else ([`LOCAL_VARIABLES`]).

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, nearest};

/// Variables that say which repository git works in: what `git rev-parse --local-env-vars` lists.
/// Inherited by a command that works in another repository, they lead it to the wrong one.
pub const LOCAL_VARIABLES: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Only names, each ended by a NUL; of a rename both; no program that a configuration names.
const NAMES_ONLY: [&str; 6] = [
    "--name-only",
    "-z",
    "--no-renames",
    "--no-ext-diff",
    "--no-relative",
    "--ignore-submodules=none",
];

/// git in this folder, to be asked something: no pager, no prompt, no lock, no monitor of files.
pub fn question(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.args(["--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false"]);
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.current_dir(folder);
    command
}

/// The repository that a folder lies in, and its work tree.
#[derive(Debug)]
pub struct Repository {
    /// The root of the work tree, without links.
    top: PathBuf,
    /// The folder within it.
    folder: Vec<u8>,
    /// The repository, where a variable and not the folder says which.
    named: Option<PathBuf>,
}

impl Repository {
    /// The one that `folder`, a path without links, lies in; in a hook the one that git names.
    ///
    /// # Errors
    /// There is no git, no repository, or none with a work tree.
    pub fn of(folder: &Path) -> Result<Repository, Error> {
        // A repository that is named has its work tree where the hook began.
        let is_named = std::env::var_os("GIT_DIR").is_some();
        let here = std::env::current_dir().ok().filter(|_| is_named);
        let start = here.as_deref().unwrap_or(folder);
        let line = |what: &str| {
            let answer = output(question(start).args(["rev-parse", what]))?;
            match answer.status.success() {
                true => Ok(PathBuf::from(line_of(answer.stdout))),
                false => Err(no_repository(folder, &answer.stderr)),
            }
        };
        let top = line("--show-toplevel")?;
        let top = top.canonicalize().unwrap_or(top);
        let named = if is_named { Some(line("--absolute-git-dir")?) } else { None };
        let Ok(below) = folder.strip_prefix(&top) else {
            return Err(Error::Usage {
                message: format!("{} is not in the work tree {}", shown(folder), shown(&top)),
                help: Some("GIT_DIR and GIT_WORK_TREE name another repository".to_owned()),
            });
        };
        Ok(Repository { folder: below.as_os_str().as_bytes().to_vec(), top, named })
    }

    /// The root of the work tree, without links.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The folder within the work tree; "" is its root.
    pub fn folder(&self) -> &[u8] {
        &self.folder
    }

    /// What in the folder differs between a commit and the work tree, committed since or not;
    /// files that git neither knows nor ignores are among it. Paths are relative to the folder.
    ///
    /// # Errors
    /// There is no such commit here; git fails.
    pub fn changed_since(&self, revision: &str) -> Result<Vec<Vec<u8>>, Error> {
        let Some(commit) = self.commit(revision)? else { return Err(self.no_commit(revision)) };
        let mut changed = self.names(&["diff", &commit])?;
        let others = ["ls-files", "-z", "--full-name", "--others", "--exclude-standard"];
        changed.extend(self.within(&self.ask(&others)?));
        Ok(changed)
    }

    /// What in the folder differs between the last commit and the index: what the next commit
    /// would change. Paths are relative to the folder.
    ///
    /// # Errors
    /// git fails.
    pub fn staged(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.names(&["diff", "--cached"])
    }

    /// What in the folder differs between the index and the work tree, of the files that git knows.
    /// Paths are relative to the folder.
    ///
    /// # Errors
    /// git fails.
    pub fn unstaged(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.names(&["diff"])
    }

    /// Whether a `.gitignore` above the folder differs: between a commit and the work tree, or
    /// without one between the last commit and the index.
    ///
    /// # Errors
    /// As of [`Repository::changed_since`].
    pub fn rules_above_changed(&self, since: Option<&str>) -> Result<bool, Error> {
        let ends = (0..self.folder.len()).filter(|&at| self.folder[at] == b'/');
        let above = ends.map(|end| [&self.folder[..end], b"/.gitignore"].concat());
        let above: Vec<Vec<u8>> = above.chain([b".gitignore".to_vec()]).collect();
        if self.folder.is_empty() {
            return Ok(false);
        }
        let commit = since.map(|revision| self.commit(revision)).transpose()?.flatten();
        let compared = commit.as_deref().unwrap_or("--cached");
        let others = ["ls-files", "-z", "--full-name", "--others", "--exclude-standard"];
        let diff = [&["diff"], &NAMES_ONLY[..], &[compared]].concat();
        for args in [&diff[..]].into_iter().chain(since.is_some().then_some(&others[..])) {
            let mut command = self.command();
            command.args(args).arg("--").args(above.iter().map(|path| OsStr::from_bytes(path)));
            let answer = output(&mut command)?;
            if !answer.status.success() {
                return Err(refused(args[0], &answer.stderr, None));
            }
            if !answer.stdout.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts files of the folder, as they are now, into the index.
    ///
    /// # Errors
    /// git fails.
    pub fn stage(&self, paths: &[Vec<u8>]) -> Result<(), Error> {
        let between: &[u8] = if self.folder.is_empty() { b"" } else { b"/" };
        let lines = paths.iter().map(|path| [&self.folder, between, path, b"\0"].concat());
        let mut command = self.command();
        command.args(["add", "--pathspec-from-file=-", "--pathspec-file-nul"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot_start)?;
        if let Some(mut to) = child.stdin.take() {
            // One that has ended says why by its exit code.
            let _ = to.write_all(&lines.collect::<Vec<_>>().concat());
        }
        let answer = child.wait_with_output().map_err(cannot_start)?;
        match answer.status.success() {
            true => Ok(()),
            false => Err(refused("add", &answer.stderr, None)),
        }
    }

    /// The commit that a revision means, if it is there.
    ///
    /// # Errors
    /// git cannot be started.
    pub fn commit(&self, revision: &str) -> Result<Option<String>, Error> {
        let name = format!("{revision}^{{commit}}");
        let mut command = self.command();
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]);
        let answer = output(&mut command)?;
        let found = answer.status.success().then(|| line_of(answer.stdout));
        Ok(found.and_then(|line| line.into_string().ok()))
    }

    /// Where git looks for hooks, absolute, wherever a configuration or a linked work tree has
    /// put them; and the folder that all work trees of this repository share.
    ///
    /// # Errors
    /// git fails.
    pub fn hooks(&self) -> Result<(PathBuf, PathBuf), Error> {
        let path = |args: &[&str]| -> Result<PathBuf, Error> {
            Ok(resolved(&self.top.join(line_of(self.ask(args)?))))
        };
        Ok((
            path(&["rev-parse", "--git-path", "hooks"])?,
            path(&["rev-parse", "--git-common-dir"])?,
        ))
    }

    fn names(&self, compared: &[&str]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.within(&self.ask(&[&compared[..1], &NAMES_ONLY, &compared[1..]].concat())?))
    }

    /// The answer to a question about the folder.
    fn ask(&self, args: &[&str]) -> Result<Vec<u8>, Error> {
        let mut command = self.command();
        command.args(args);
        if args[0] != "rev-parse" {
            let folder = if self.folder.is_empty() { b"." } else { &self.folder[..] };
            command.arg("--").arg(OsStr::from_bytes(folder));
        }
        let answer = output(&mut command)?;
        match answer.status.success() {
            true => Ok(answer.stdout),
            false => Err(refused(args[0], &answer.stderr, None)),
        }
    }

    fn command(&self) -> Command {
        let mut command = question(&self.top);
        if let Some(repository) = &self.named {
            command.env("GIT_DIR", repository).env("GIT_WORK_TREE", &self.top);
        }
        command
    }

    /// Paths relative to the folder, of those relative to the work tree's root.
    fn within(&self, listed: &[u8]) -> Vec<Vec<u8>> {
        let paths = listed.split(|&byte| byte == 0).filter(|path| !path.is_empty());
        let below = |path: &[u8]| match self.folder.is_empty() {
            true => Some(path.to_vec()),
            false => Some(path.strip_prefix(&self.folder[..])?.strip_prefix(b"/")?.to_vec()),
        };
        // A repository within this one is told with a slash.
        paths.filter_map(|path| below(path.strip_suffix(b"/").unwrap_or(path))).collect()
    }

    /// A commit that is not here, and what brings it.
    fn no_commit(&self, revision: &str) -> Error {
        let lines = |args: &[&str]| {
            let text = self.ask(args).unwrap_or_default();
            String::from_utf8_lossy(&text).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let shallow = lines(&["rev-parse", "--is-shallow-repository"]) == ["true"];
        let remotes = output(self.command().arg("remote")).map(|answer| answer.stdout);
        let remotes = String::from_utf8_lossy(&remotes.unwrap_or_default()).into_owned();
        let remotes: Vec<&str> = remotes.lines().collect();
        let refs = output(self.command().args(["for-each-ref", "--format=%(refname:short)"]));
        let refs =
            String::from_utf8_lossy(&refs.map(|refs| refs.stdout).unwrap_or_default()).into_owned();
        let near = nearest(revision, refs.lines()).filter(|_| !shallow);
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => match fetch(revision, &remotes, shallow) {
                Some(fetch) => format!("get it: `{fetch}`"),
                None => "`git log --oneline` and `git branch --all` show what there is".to_owned(),
            },
        };
        let of = if shallow { " (it is a shallow clone)" } else { "" };
        Error::Usage {
            message: format!("`{revision}` is no commit that this repository has{of}"),
            help: Some(help),
        }
    }
}

/// The line that brings a commit, if one can.
fn fetch(revision: &str, remotes: &[&str], shallow: bool) -> Option<String> {
    let remote = remotes.iter().find(|name| **name == "origin").or(remotes.first())?;
    let depth = if shallow { " --depth=1" } else { "" };
    let branch = remotes.iter().find_map(|remote| {
        let branch = revision.strip_prefix(remote)?.strip_prefix('/')?;
        Some((remote, branch))
    });
    let plain = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
    };
    if let Some((remote, branch)) = branch.filter(|(_, branch)| plain(branch)) {
        return Some(format!(
            "git fetch{depth} {remote} +refs/heads/{branch}:refs/remotes/{remote}/{branch}"
        ));
    }
    let is_digest = revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (is_digest, shallow) {
        (true, _) => Some(format!("git fetch{depth} {remote} {revision}")),
        (false, true) => Some(format!("git fetch --unshallow {remote}")),
        (false, false) => None,
    }
}

fn output(command: &mut Command) -> Result<std::process::Output, Error> {
    command.stdin(Stdio::null()).output().map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => Error::Usage {
            message: "there is no git: no program of that name is in PATH".to_owned(),
            help: Some("install git, or name the files: `--changed FILE...`".to_owned()),
        },
        _ => cannot_start(cause),
    })
}

fn cannot_start(cause: std::io::Error) -> Error {
    Error::Io { doing: "cannot start".to_owned(), path: "git".into(), cause }
}

/// Why git does not work in this folder, by what it said.
fn no_repository(folder: &Path, said: &[u8]) -> Error {
    let text = String::from_utf8_lossy(said);
    let usage = |message: String, help: &str| Error::Usage { message, help: Some(help.to_owned()) };
    if text.contains("not a git repository") {
        if let Some(named) = std::env::var_os("GIT_DIR") {
            return usage(
                format!("GIT_DIR is {}, which is no git repository", shown(Path::new(&named))),
                "without that variable it is the one that the folder lies in: `unset GIT_DIR`",
            );
        }
        return usage(
            format!("{} is in no git repository", shown(folder)),
            "`git init` makes one; without git, name the files: `--changed FILE...`",
        );
    }
    if text.contains("must be run in a work tree") {
        return usage(
            format!("the repository of {} has no work tree: it is bare", shown(folder)),
            "work in a clone of it, or in one that `git worktree add` makes",
        );
    }
    let advice = text.lines().map(str::trim).find(|line| line.starts_with("git config "));
    let help = advice.map(|line| format!("if you trust it: `{line}`"));
    refused("rev-parse", said, help)
}

/// What git said when it failed.
fn refused(what: &str, said: &[u8], help: Option<String>) -> Error {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    let line = line.replace(char::is_control, " ");
    Error::Usage { message: format!("`git {what}` failed: {line}"), help }
}

/// An absolute path without links and `..`, whether all of it is there yet or not.
fn resolved(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, mut resolved)) = there else { return path.to_owned() };
    // Below what is there nothing is a link: `..` leads to the folder above.
    for part in path.strip_prefix(above).unwrap_or(path).components() {
        match part {
            Component::ParentDir => _ = resolved.pop(),
            part => resolved.push(part),
        }
    }
    resolved
}

/// An answer of one line.
fn line_of(mut answer: Vec<u8>) -> OsString {
    answer.pop_if(|last| *last == b'\n');
    OsString::from_vec(answer)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
