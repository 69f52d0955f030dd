//! The script that stands for taskr in git's folder of hooks: written, recognised, removed.
//!
//! Knows no target: what a hook runs is looked up when git calls it. What taskr did not write, or
//! wrote for another Taskfile, is never replaced nor removed.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::git::Repository;
use crate::outcome::shown;

/// The second line of each script of taskr's.
const MARK: &str = "# Installed by `taskr hook install`; `taskr hook uninstall` removes it.";

/// What stands where git looks for a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// The script that calls taskr with this Taskfile.
    Ours,
    /// A script of taskr's, for another Taskfile.
    OfOther,
    /// Something that taskr did not write.
    Foreign,
}

/// Git's folder of hooks for a workspace.
pub(super) struct Scripts {
    folder: PathBuf,
    /// The Taskfile, from where git starts hooks.
    taskfile: Vec<u8>,
}

impl Scripts {
    /// # Errors
    /// There is no repository; its hooks stand in a folder of other repositories, too.
    pub(super) fn of(root: &Path, taskfile: &[u8]) -> Result<Scripts, Error> {
        let repository = Repository::of(root)?;
        let (folder, shared) = repository.hooks()?;
        if !folder.starts_with(repository.top()) && !folder.starts_with(&shared) {
            return Err(Error::Usage {
                message: format!(
                    "core.hooksPath is {}, outside of this repository: others use it, too",
                    folder.display()
                ),
                help: Some(
                    "give this one its own: `git config core.hooksPath \"$(git rev-parse \
                     --path-format=absolute --git-common-dir)/hooks\"`"
                        .to_owned(),
                ),
            });
        }
        let below = repository.folder();
        let between: &[u8] = if below.is_empty() { b"" } else { b"/" };
        Ok(Scripts { folder, taskfile: [below, between, taskfile].concat() })
    }

    /// Where the script of a hook is.
    pub(super) fn path(&self, hook: &str) -> PathBuf {
        self.folder.join(hook)
    }

    /// Whose what stands there is.
    pub(super) fn there(&self, hook: &str) -> There {
        let path = self.path(hook);
        let Ok(entry) = path.symlink_metadata() else { return There::Nothing };
        let text = if entry.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let mut lines = text.split(|&byte| byte == b'\n');
        match lines.nth(1) == Some(MARK.as_bytes()) {
            false => There::Foreign,
            true if lines.next() == Some(&self.line_of_taskfile()[..]) => There::Ours,
            true => There::OfOther,
        }
    }

    /// Writes the script of a hook, unless something else stands there.
    pub(super) fn install(&self, hook: &str) -> Result<(), Error> {
        if let There::OfOther | There::Foreign = self.there(hook) {
            return Err(self.in_the_way(hook));
        }
        let path = self.path(hook);
        self.write(&path, &self.text(hook)).map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => self.in_the_way(hook),
            _ => Error::Io { doing: "cannot write".to_owned(), path, cause },
        })
    }

    /// Removes the script of a hook if it is ours. Whether it was there.
    pub(super) fn uninstall(&self, hook: &str) -> Result<bool, Error> {
        if self.there(hook) != There::Ours {
            return Ok(false);
        }
        let path = self.path(hook);
        let removed = fs::remove_file(&path);
        removed.map_err(|cause| Error::Io { doing: "cannot remove".to_owned(), path, cause })?;
        Ok(true)
    }

    /// What to do about a hook that is not ours.
    pub(super) fn in_the_way(&self, hook: &str) -> Error {
        let path = self.path(hook);
        let (what, line) = match self.there(hook) {
            There::OfOther => ("calls taskr for another Taskfile", self.call(hook, "")),
            _ => ("is not taskr's", self.call(hook, "")),
        };
        Error::Usage {
            message: format!("{} {what}: it is left as it is", path.display()),
            help: Some(format!("call taskr from it: `{line}`")),
        }
    }

    fn write(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        // Another process may be starting the one that stands there.
        let new = path.with_extension(format!("taskr-{}", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o755);
        options.open(&new)?.write_all(text)?;
        fs::rename(&new, path)
    }

    fn text(&self, hook: &str) -> Vec<u8> {
        let lines = [
            "[ -e \"$taskfile\" ] || exit 0 # a branch may have none".to_owned(),
            "command -v taskr >/dev/null 2>&1 || {".to_owned(),
            format!(
                "    echo \"{hook}: there is no taskr in PATH: install it, or pass git's --no-verify to go without\" >&2"
            ),
            "    exit 1".to_owned(),
            "}".to_owned(),
            format!("exec {}", self.call(hook, "\"$taskfile\"")),
        ];
        let head =
            [b"#!/bin/sh\n", MARK.as_bytes(), b"\n", &self.line_of_taskfile(), b"\n"].concat();
        [&head[..], lines.join("\n").as_bytes(), b"\n"].concat()
    }

    fn line_of_taskfile(&self) -> Vec<u8> {
        let quoted = shlex::bytes::try_quote(&self.taskfile).unwrap_or_default();
        [b"taskfile=", &quoted[..]].concat()
    }

    /// The line that calls taskr; the Taskfile is written out where no variable has it.
    fn call(&self, hook: &str, taskfile: &str) -> String {
        let written = shown(&shlex::bytes::try_quote(&self.taskfile).unwrap_or_default());
        let taskfile = if taskfile.is_empty() { &written } else { taskfile };
        format!("taskr -f {taskfile} hook run {hook} -- \"$@\"")
    }
}

/// The name of a hook as text.
pub(super) fn name(word: &OsStr) -> String {
    shown(word.as_bytes())
}
