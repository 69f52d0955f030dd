//! Brings a task's outputs from the store: all of them, or none.
//!
//! Everything is copied and verified beside the outputs, before anything of theirs is touched;
//! what is already as it should be stays. Then it is published as what a command left is, but for a
//! folder that is not there at all: it is made beside its place and moved there whole. The intent is
//! written in between, so that a crash at any point leaves a dirty task.
//!
//! Knows no key: that the entry is the right one was decided before.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use crossbeam_channel::Sender;
use rustc_hash::{FxHashMap, FxHashSet};
use rustix::fs::Mode;
use taskr_cache::{BlobError, Blobs, Entry, Place, Seen, Stored, What, spread};

use super::attempt::{Attempt, Stop};
use super::collected::{Collected, Found, not_replaced};
use super::job::{Before, Restore, Result, Run, Success};
use super::outputs::{Step, digest, join, look};
use super::standing::Standing;
use super::{Context, Piece, Writer};
use crate::files::list_tree;
use crate::graph::Output;
use crate::outcome::{Made, shown};
use crate::outdir::{Root, dir_of, is_within};

/// So much of a log is told at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A thread beside the worker's own copies at least so many files; or one, if there are so many
/// bytes in all.
const LEAST_FILES: usize = 16;
const MANY_BYTES: u64 = 16 * 1024 * 1024;

impl Attempt<'_> {
    /// Restores the task, or says why that cannot be.
    pub(super) fn restore(&mut self, restore: &Restore, pieces: &Sender<Piece>) -> Step<Result> {
        let begun = Instant::now();
        let done = self.bring(restore);
        self.ended.restore_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if done.is_err() {
            // What cannot be removed now is removed before the next attempt.
            let _ = self.context.root.remove_tree(&self.folder());
        }
        match done {
            Err(Stop::Failed(what)) => Ok(Result::NotRestored { what, broken: false }),
            Err(stop) => Err(stop),
            Ok(success) => {
                if self.run.stream {
                    self.replay(pieces);
                }
                Ok(Result::Success(success))
            }
        }
    }

    fn bring(&mut self, restore: &Restore) -> Step<Success> {
        let root = &self.context.root;
        fits(self.run, &restore.entry)?;
        let (mut files, absent) = self.stage(restore)?;
        let mut standing = Standing::look(root, self.run)?;
        let stays = files.iter().filter(|file| file.from == file.to);
        standing.keeps =
            stays.map(|file| (file.to.clone(), (file.seen, file.made.clone()))).collect();
        self.step_over("copy");
        self.write_intent(&standing)?;
        let done = standing
            .set_aside(self.context, self.run, self.buffer)
            .and_then(|()| self.clear_out(&files))
            .and_then(|()| {
                absent.iter().for_each(|folder| folder.place(root, &mut files));
                let collected = Collected { files, ..Collected::default() };
                collected.publish(self.context, self.run, &mut standing)
            })
            .and_then(|success| self.publish_log().map(|()| success));
        match done {
            Ok(success) => {
                let now = success.outputs.iter().map(|(file, _)| &file.path[..]).collect();
                let globs = self.run.outputs.iter();
                let old = globs.filter_map(|declared| not_replaced(declared, &standing, &now));
                self.ended.warnings.extend(old);
                self.ended.replaced = standing.into_replaced();
                self.step_over("publish");
                Ok(success)
            }
            Err(stop) => {
                let warnings = standing.put_back(&self.context.root, self.run, false);
                self.ended.warnings.extend(warnings);
                Err(stop)
            }
        }
    }

    /// Where the contents wait until all are there. It stays, empty: a folder is dear to make and to
    /// remove.
    fn folder(&self) -> Vec<u8> {
        self.run.dir.join("restore")
    }

    /// Copies what is not there yet; says of each output where it is now, and what can be placed as a
    /// whole.
    fn stage(&mut self, restore: &Restore) -> Step<(Vec<Found>, Vec<Absent>)> {
        let (root, folder) = (&self.context.root, self.folder());
        let failed = |error| Stop::io("prepare", &folder, &error);
        root.make_empty(&folder).map_err(failed)?;
        let path = join(&folder, b"log");
        let (dir, _) = root.parent(&path).map_err(failed)?;
        let before = self.run.before.iter().map(|before| (&before.file.path[..], before)).collect();
        let files = &restore.entry.files;
        let stop_asked = self.context.stop.clone();
        let blobs = restore.blobs.clone().unless(move || stop_asked.requested().is_some());
        let absent = Absent::of(root, self.run, &restore.entry, &folder)?;
        let stage =
            Stage { context: self.context, run: self.run, blobs, folder, dir, absent, before };
        stage.make_folders(files)?;
        let bytes: u64 = files.iter().filter_map(Stored::blob).map(|blob| blob.size).sum();
        let least = if bytes < MANY_BYTES { LEAST_FILES } else { 1 };
        let numbered: Vec<(usize, &Stored)> = files.iter().enumerate().collect();
        let found = spread(&numbered, least, |&(number, stored), buffer: &mut Vec<u8>| {
            stage.bring(number, stored, buffer)
        });
        let mut file = root.create(&path).map_err(|e| Stop::io("write", &path, &e))?;
        if let Some(log) = &restore.entry.log {
            let copied = stage.blobs.copy_to(log, &mut file, self.buffer);
            copied.map_err(|error| stop(&error, "its log: "))?;
        }
        let found: Step<Vec<Found>> = found.into_iter().collect();
        Ok((found?, stage.absent))
    }

    /// What is in `out/` and does not stay goes: it is all taskr's own.
    fn clear_out(&self, files: &[Found]) -> Step<()> {
        let (root, out) = (&self.context.root, self.run.dir.join("out"));
        let stays: FxHashSet<&[u8]> =
            files.iter().filter(|file| file.from == file.to).map(|file| &file.to[..]).collect();
        let standing = list_tree(root.path(), &out).map_err(|e| Stop::io("list", &out, &e))?;
        let (folders, others): (Vec<_>, Vec<_>) =
            standing.into_iter().partition(|(_, folder)| *folder);
        for (path, _) in others.iter().filter(|(path, _)| !stays.contains(&path[..])) {
            root.remove_file(path).map_err(|e| Stop::io("remove", path, &e))?;
        }
        for (folder, _) in folders {
            root.remove_empty_dirs(&folder, &out);
        }
        Ok(())
    }

    fn publish_log(&self) -> Step<()> {
        let (from, to) = (join(&self.folder(), b"log"), self.run.dir.join("log"));
        self.context.root.rename(&from, &to).map_err(|e| Stop::io("write", &to, &e))
    }

    /// Tells what the command once wrote. What cannot be read back is not told.
    fn replay(&mut self, pieces: &Sender<Piece>) {
        let log = self.context.root.absolute(&self.run.dir.join("log"));
        let Ok(mut log) = crate::files::open_regular(&log) else { return };
        self.buffer.resize(PIECE_BYTES, 0);
        while let Ok(len @ 1..) = log.read(self.buffer) {
            // A listener that is gone needs no output.
            let _ = pieces.send((Writer::Task(self.run.task), self.buffer[..len].to_vec()));
        }
    }
}

/// A declared folder that is not there.
struct Absent {
    output: Vec<u8>,
    /// Where it is made.
    staged: Vec<u8>,
}

impl Absent {
    /// Those that the entry has files for, to be made in `folder`.
    fn of(root: &Root, run: &Run, entry: &Entry, folder: &[u8]) -> Step<Vec<Absent>> {
        let mut absent: Vec<Absent> = Vec::new();
        for declared in &run.outputs {
            let output = match &declared.output {
                Output::Path(path) => &path[..],
                Output::Glob(pattern) => pattern.base(),
            };
            let is_below = |file: &Stored| {
                file.place == Place::Workspace
                    && file.path != output
                    && is_within(&file.path, output)
            };
            if entry.files.iter().any(is_below) && look(root, output)?.is_none() {
                let staged = join(folder, format!("whole{}", absent.len()).as_bytes());
                absent.push(Absent { output: output.to_vec(), staged });
            }
        }
        Ok(absent)
    }

    /// Where `path` lies meanwhile, if it is in the folder.
    fn staged(&self, path: &[u8]) -> Option<Vec<u8>> {
        let below = path.strip_prefix(&self.output[..])?.strip_prefix(b"/")?;
        Some(join(&self.staged, below))
    }

    /// Moves the folder to its place. Where that cannot be its files are published one by one.
    fn place(&self, root: &Root, files: &mut [Found]) {
        if root.place(&self.staged, &self.output).is_err() {
            return;
        }
        for file in files {
            if is_within(&file.from, &self.staged) {
                file.from = file.to.clone();
                file.placed = true;
            }
        }
    }
}

/// Where the files of one entry are brought to, beside their places.
struct Stage<'a> {
    context: &'a Context,
    run: &'a Run,
    blobs: Blobs,
    folder: Vec<u8>,
    /// The same, open.
    dir: OwnedFd,
    absent: Vec<Absent>,
    before: FxHashMap<&'a [u8], &'a Before>,
}

impl Stage<'_> {
    /// Copies one file, unless it is in its place already.
    fn bring(&self, number: usize, stored: &Stored, buffer: &mut Vec<u8>) -> Step<Found> {
        if self.context.stop.requested().is_some() {
            return Err(Stop::Stopped);
        }
        let to = match stored.place {
            Place::Workspace => stored.path.clone(),
            Place::Out => join(&self.run.dir.join("out"), &stored.path),
        };
        let (made, published) = (Made::from(&stored.what), stored.published);
        let from = match self.in_absent(&to) {
            Some(from) => {
                let parent = self.context.root.parent(&from);
                let (dir, name) = parent.map_err(|error| Stop::io("write", &from, &error))?;
                self.copy(&stored.what, (dir.as_fd(), name), &from, buffer)?;
                from
            }
            None => {
                if let Some(seen) = self.already(&to, &made, buffer)? {
                    return Ok(Found {
                        from: to.clone(),
                        to,
                        made,
                        seen,
                        published,
                        placed: false,
                    });
                }
                let name = number.to_string();
                let from = join(&self.folder, name.as_bytes());
                self.copy(&stored.what, (self.dir.as_fd(), name.as_ref()), &from, buffer)?;
                from
            }
        };
        let seen = look(&self.context.root, &from)?;
        let seen = seen.ok_or_else(|| Stop::Failed(format!("{} vanished", shown(&from))))?;
        Ok(Found { from, to, made, seen, published, placed: false })
    }

    /// Where a file of a folder that is made as a whole lies until then.
    fn in_absent(&self, to: &[u8]) -> Option<Vec<u8>> {
        self.absent.iter().find_map(|folder| folder.staged(to))
    }

    /// The folders that files of folders that are made as a whole lie in.
    fn make_folders(&self, files: &[Stored]) -> Step<()> {
        let files = files.iter().filter(|file| file.place == Place::Workspace);
        let staged = files.filter_map(|file| self.in_absent(&file.path));
        let folders: BTreeSet<Vec<u8>> = staged.map(|path| dir_of(&path).to_vec()).collect();
        folders.iter().try_for_each(|folder| {
            let made = self.context.root.create_dirs(folder);
            made.map_err(|error| Stop::io("prepare", folder, &error))
        })
    }

    /// The stamps of what stands at `to`, if that is what is to be there.
    fn already(&self, to: &[u8], made: &Made, buffer: &mut Vec<u8>) -> Step<Option<Seen>> {
        let root = &self.context.root;
        // An empty folder makes way, so that it does not pass for an output.
        if *made == Made::Folder {
            return Ok(None);
        }
        let Some(seen) = look(root, to)? else { return Ok(None) };
        let own = self.before.get(to);
        if own.is_some_and(|own| own.seen == Some(seen) && own.file.made == *made) {
            return Ok(Some(seen));
        }
        let now = digest(root, to, to, buffer, None).ok();
        Ok(now.filter(|now| now.made == *made).map(|now| now.seen))
    }

    /// Copies to the new file `name` in the folder `dir`, which is `path`.
    fn copy(
        &self,
        what: &What,
        (dir, name): (BorrowedFd<'_>, &OsStr),
        path: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Step<()> {
        let failed = |error: rustix::io::Errno| Stop::io("write", path, &error.into());
        match what {
            What::File { executable, blob } => self
                .blobs
                .restore(blob, *executable, dir, name, buffer)
                .map_err(|error| stop(&error, "")),
            What::Link(text) => rustix::fs::symlinkat(&text[..], dir, name).map_err(failed),
            What::Folder => {
                rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o777)).map_err(failed)
            }
        }
    }
}

fn stop(error: &BlobError, of: &str) -> Stop {
    let what = format!("{of}{error}");
    match error {
        BlobError::Absent | BlobError::Damaged => Stop::Broken(what),
        BlobError::Io(_) => Stop::Failed(what),
        BlobError::Stopped => Stop::Stopped,
    }
}

/// Whether the entry is of these very outputs: nothing lies outside of them, and none is missing.
fn fits(run: &Run, entry: &Entry) -> Step<()> {
    let placed = || entry.files.iter().filter(|file| file.place == Place::Workspace);
    let strange =
        placed().find(|file| !run.outputs.iter().any(|own| own.output.covers(&file.path)));
    if let Some(file) = strange {
        let path = shown(&file.path);
        return Err(Stop::Broken(format!("the store's result has {path}, which is no output")));
    }
    let missing =
        run.outputs.iter().find(|own| !placed().any(|file| own.output.covers(&file.path)));
    match missing {
        Some(own) => {
            let output = shown(own.output.text());
            Err(Stop::Broken(format!("the store's result lacks {output}")))
        }
        None => Ok(()),
    }
}
