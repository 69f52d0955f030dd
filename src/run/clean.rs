//! `taskr clean`: removes what taskr made, where it is still as taskr left it, and forgets that
//! it was made.
//!
//! What somebody edited since is kept and told. What stood at an output before taskr first wrote
//! there may be a file of the user: it moves to where such files are kept.

use std::io;

use rustc_hash::FxHashSet;
use taskr_cache::{Access, Writer};

use super::open::{prefix, read_state, refuse_nested, take_lock};
use super::{Listener, Messages, Request, new_run_id};
use crate::error::{Error, said};
use crate::lock::Note;
use crate::outcome::{Event, Made, OutFile};
use crate::outdir::{Root, STATE_DIR, TaskDir, dir_of};
use crate::record::{self, Names};
use crate::workers::{self, Message};

/// What became of one task's outputs; with `-n`, what would become of them. Paths are relative to
/// the workspace. What was not there any more is in no list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The task's name.
    pub task: String,
    /// Gone: files and links.
    pub removed: Vec<Vec<u8>>,
    /// Not as taskr left them, so they stay.
    pub edited: Vec<Vec<u8>>,
    /// Moved to where files of the user are kept: from, to.
    pub moved: Vec<(Vec<u8>, Vec<u8>)>,
    /// The system refused; the task is then not forgotten.
    pub refused: Vec<(Vec<u8>, String)>,
}

/// Removes what taskr made for these tasks (all of the Taskfile's if none are named), where it is
/// still as recorded. Tells of each task that had a record. Changes nothing if the request is a
/// dry run.
///
/// # Errors
/// The workspace is locked, or cannot be written.
pub fn clean(
    request: &Request<'_>,
    only: Option<&FxHashSet<String>>,
    messages: &Messages,
    listener: &mut Listener<'_>,
) -> Result<Vec<Cleaned>, Error> {
    let dir = request.root.join(STATE_DIR);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    refuse_nested(request, &dir)?;
    let root = Root::open(&request.root).map_err(|cause| Error::Io {
        doing: "cannot open".to_owned(),
        path: request.root.clone(),
        cause,
    })?;
    let command = request.command_line.clone();
    let note = Note { pid: std::process::id(), run_id: new_run_id(), command, stays: false };
    let (_lock, access) = match request.dry_run {
        true => (None, Access::Read),
        false => (Some(take_lock(&dir, &note, request, messages, listener)?), Access::Write),
    };
    let names = Names::new(&request.taskfile);
    let opened = read_state(&dir, access);
    for warning in &opened.warnings {
        listener(&Event::Warning { task: None, message: warning });
    }
    let cleaner = Cleaner { root: &root, run_id: &note.run_id, dry_run: request.dry_run };
    let mut writer = (!request.dry_run).then(|| Writer::new(&dir));
    let mut cleaned = Vec::new();
    let mut signal = None;
    for (id, ..) in record::read_fronts(&opened.state) {
        let name = names.task(id).filter(|name| only.is_none_or(|only| only.contains(*name)));
        let Some(name) = name else { continue };
        if let Ok(Message::Signal(number)) = messages.1.try_recv() {
            signal = Some(number);
            break;
        }
        let folder = TaskDir::new(prefix(&request.taskfile), name);
        let record = record::read(&opened.state, id);
        let outputs = record.map(|record| record.outputs).unwrap_or_default();
        let one = cleaner.task(name, &folder, &outputs);
        if let Some(writer) = writer.as_mut().filter(|_| one.refused.is_empty()) {
            record::forget(writer, id);
        }
        cleaned.push(one);
    }
    if let Some(warning) = writer.and_then(Writer::close) {
        listener(&Event::Warning { task: None, message: &warning });
    }
    signal.map_or(Ok(cleaned), |number| Err(Error::Interrupted(number)))
}

/// Does it, or finds out what it would do.
struct Cleaner<'c> {
    root: &'c Root,
    run_id: &'c str,
    dry_run: bool,
}

impl Cleaner<'_> {
    fn task(&self, name: &str, folder: &TaskDir, outputs: &[OutFile]) -> Cleaned {
        let mut cleaned = Cleaned { task: name.to_owned(), ..Cleaned::default() };
        for file in outputs {
            self.file(file, folder, &mut cleaned);
        }
        if !self.dry_run && cleaned.refused.is_empty() {
            // What cannot be removed is only litter.
            let _ = self.root.remove_tree(folder.path());
        }
        cleaned
    }

    fn file(&self, file: &OutFile, folder: &TaskDir, cleaned: &mut Cleaned) {
        let path = &file.path;
        if std::fs::symlink_metadata(self.root.absolute(path)).is_err() {
            return;
        }
        // The task's own folder goes as a whole.
        if path.starts_with(&folder.join("")) {
            cleaned.removed.push(path.clone());
            return;
        }
        if !workers::is_made(self.root, path, Some(&file.made)) {
            cleaned.edited.push(path.clone());
            return;
        }
        if file.made == Made::Folder {
            if !self.dry_run {
                self.root.remove_empty_dirs(path, b"");
            }
            return;
        }
        let kept = file.adopted.then(|| workers::replaced_path(self.run_id, path));
        match (self.give_way(path, kept.as_deref()), kept) {
            (Ok(()), Some(kept)) => cleaned.moved.push((path.clone(), kept)),
            (Ok(()), None) => cleaned.removed.push(path.clone()),
            (Err(error), _) => cleaned.refused.push((path.clone(), said(&error))),
        }
    }

    /// Removes a file, or moves it to `kept`; and the folders that are empty then.
    fn give_way(&self, path: &[u8], kept: Option<&[u8]>) -> io::Result<()> {
        if self.dry_run {
            return Ok(());
        }
        match kept {
            Some(kept) => self.root.rename(path, kept)?,
            None => self.root.remove_file(path)?,
        }
        self.root.remove_empty_dirs(dir_of(path), b"");
        Ok(())
    }
}
