//! What stands at a task's outputs before it runs, and what it leaves there: set aside, put
//! back, collected, published.
//!
//! A file that taskr did not make is never removed: what is not as some record says moves to
//! `replaced/`, and is named.

use std::io;
use std::os::unix::ffi::OsStrExt;

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{FileKind, HashError, Seen, hash_at};

use super::Context;
use super::attempt::Stop;
use super::intent::IntentBody;
use super::job::{Before, Declared, Run, Success};
use crate::error::said;
use crate::files::{Pattern, list, list_tree};
use crate::graph::Output;
use crate::outcome::{Made, OutFile, shown};
use crate::outdir::{Root, STATE_DIR, below, dir_of};

type Step<T> = Result<T, Stop>;

/// Outputs with their stamps.
type Outputs = Vec<(OutFile, Seen)>;

/// What stood at the declared outputs when the task was about to run.
#[derive(Default)]
pub(super) struct Standing {
    found: Vec<(Vec<u8>, Seen)>,
    /// Not moved away: published by the last success, or none of ours below a glob.
    stays: FxHashMap<Vec<u8>, (Seen, Option<Made>)>,
    /// Moved to `aside/`, as the record says it is.
    aside: FxHashMap<Vec<u8>, Seen>,
    replaced: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether all that stood there was seen to: only then is what stands there now the command's.
    is_set_aside: bool,
}

impl Standing {
    /// Lists it.
    pub(super) fn look(root: &Root, run: &Run) -> Step<Standing> {
        let mut found = Vec::new();
        for Declared { output, .. } in &run.outputs {
            for path in look_at(root, output)? {
                if let Some(seen) = look(root, &path)? {
                    found.push((path, seen));
                }
            }
        }
        Ok(Standing { found, ..Standing::default() })
    }

    /// What the intent says of it.
    pub(super) fn intent(&self, run: &Run, run_id: &str) -> IntentBody {
        IntentBody {
            run_id: run_id.to_owned(),
            standing: self.found.iter().map(|(path, _)| path.clone()).collect(),
            outputs: run.outputs.iter().map(|declared| declared.output.clone()).collect(),
        }
    }

    /// Files that taskr did not make, and where they are kept now.
    pub(super) fn into_replaced(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.replaced
    }

    /// Moves away what the command must not meet.
    pub(super) fn set_aside(
        &mut self,
        context: &Context,
        run: &Run,
        buffer: &mut Vec<u8>,
    ) -> Step<()> {
        let root = &context.root;
        let before: FxHashMap<&[u8], &Before> =
            run.before.iter().map(|before| (&before.file.path[..], before)).collect();
        let own = run.dir.join("aside");
        root.remove_tree(&own).map_err(|e| Stop::io("remove", &own, &e))?;
        for at in 0..self.found.len() {
            let (path, seen) = self.found[at].clone();
            let ours = before.get(&path[..]).copied();
            let made = ours.filter(|before| is_as_recorded(root, before, &seen, buffer));
            let staged = made.filter(|before| before.file.published && !run.new_command);
            if let Some(before) = staged {
                self.stays.insert(path, (seen, Some(before.file.made.clone())));
            } else if made.is_some_and(|before| !before.file.adopted)
                || holds(root, &path, run.others.get(&path), buffer)
            {
                move_to(root, &path, &aside(run, &path))?;
                if made.is_some() {
                    self.aside.insert(path, seen);
                }
            } else if is_plain(run, &path) || ours.is_some() {
                self.give_way(context, run, &path)?;
            } else {
                self.stays.insert(path, (seen, None));
            }
        }
        self.is_set_aside = true;
        // Folders that are empty now would pass for outputs.
        for declared in &run.outputs {
            if let Output::Path(path) = &declared.output {
                make_way(root, path);
            }
        }
        for file in run.before.iter().map(|before| &before.file) {
            if file.made == Made::Folder
                || !is_dir(root, &file.path)
                || !is_declared(run, &file.path)
            {
                continue;
            }
            make_way(root, &file.path);
            if is_dir(root, &file.path) {
                self.give_way(context, run, &file.path)?;
            }
        }
        Ok(())
    }

    /// Fresh `out/` and `tmp/`, and the folders of plain outputs, staged and in place. What was
    /// in `out/` goes aside.
    pub(super) fn make_folders(&self, root: &Root, run: &Run) -> Step<()> {
        let failed = |path: &[u8]| {
            let path = path.to_vec();
            move |error: io::Error| Stop::io("prepare", &path, &error)
        };
        let (out, old) = (run.dir.join("out"), run.dir.join("aside/out"));
        for name in ["tmp", "failed"] {
            let path = run.dir.join(name);
            root.remove_tree(&path).map_err(failed(&path))?;
        }
        if run.intent.is_some() && look(root, &out)?.is_some() {
            root.rename(&out, &old).map_err(failed(&out))?;
        }
        root.remove_tree(&out).map_err(failed(&out))?;
        for path in [out.clone(), run.dir.join("tmp"), run.dir.join("state")] {
            root.create_dirs(&path).map_err(failed(&path))?;
        }
        for declared in &run.outputs {
            let (dir, staged) = match &declared.output {
                Output::Path(path) => (dir_of(path), dir_of(below(path, &declared.dir))),
                Output::Glob(pattern) => (b"".as_slice(), below(pattern.base(), &declared.dir)),
            };
            root.create_dirs(dir).map_err(failed(dir))?;
            let staged = join(&out, staged);
            root.create_dirs(&staged).map_err(failed(&staged))?;
        }
        Ok(())
    }

    /// After an attempt that came to nothing: what it wrote at its outputs moves to `failed/`
    /// (told if `keep`; the next attempt clears it), what stood there before stands again. A file
    /// that was there before and is none of ours stays. Says what went wrong; the task is dirty
    /// anyway.
    pub(super) fn put_back(&self, root: &Root, run: &Run, keep: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let failed = run.dir.join("failed");
        let mut kept = 0;
        let may_have_written = run.intent.is_some() && self.is_set_aside;
        let written = if may_have_written { self.written(root, run) } else { Vec::new() };
        for path in written {
            if let Some((_, None)) = self.stays.get(&path) {
                warnings
                    .push(format!("{} changed while it ran: it is left as it is", shown(&path)));
                continue;
            }
            match root.rename(&path, &join(&join(&failed, b"ws"), &path)) {
                Ok(()) => kept += usize::from(keep),
                Err(error) => {
                    warnings.push(format!("cannot move {}: {}", shown(&path), said(&error)));
                }
            }
        }
        if kept > 0 {
            warnings.push(format!("what the failed attempt wrote is kept in {}", shown(&failed)));
        }
        warnings.extend(restore_aside(root, &run.dir.join("aside"), &run.dir.join("out")));
        for (path, kept) in &self.replaced {
            let restored = match look(root, path) {
                Ok(None) => root.rename(kept, path).is_ok(),
                _ => false,
            };
            if !restored {
                warnings.push(format!("{} is kept in {}", shown(path), shown(kept)));
            }
        }
        warnings
    }

    /// Whether what stands at `path` is what stood there when the task began.
    fn is_untouched(&self, root: &Root, path: &[u8]) -> Step<bool> {
        let now = look(root, path)?.filter(|seen| seen.link.kind() != FileKind::Dir);
        Ok(now == self.stays.get(path).map(|(seen, _)| *seen))
    }

    /// Moves what taskr did not make out of the way, to be named. With `--strict` nothing does.
    fn give_way(&mut self, context: &Context, run: &Run, path: &[u8]) -> Step<()> {
        if run.strict {
            return Err(Stop::Failed(format!(
                "{} is not as taskr left it, and with --strict it does not give way: move it \
                 away, or build without --strict",
                shown(path)
            )));
        }
        let kept = replaced_path(&context.run_id, path);
        move_to(&context.root, path, &kept)?;
        self.replaced.push((path.to_vec(), kept));
        Ok(())
    }

    /// The same for a file that may be there.
    fn keep_foreign(&mut self, context: &Context, run: &Run, path: &[u8]) -> Step<()> {
        match look(&context.root, path)? {
            Some(seen) if seen.link.kind() != FileKind::Dir => self.give_way(context, run, path),
            _ => Ok(()),
        }
    }

    /// What the attempt wrote at its outputs.
    fn written(&self, root: &Root, run: &Run) -> Vec<Vec<u8>> {
        let standing = run.outputs.iter().flat_map(|declared| standing_at(root, &declared.output));
        let is_new = |path: &Vec<u8>| {
            let now = look(root, path).ok().flatten();
            self.stays.get(path).is_none_or(|(seen, _)| now.as_ref() != Some(seen))
        };
        standing.filter(is_new).collect()
    }
}

/// Puts back what a task folder's `aside/` holds, where its place is free.
pub fn restore_aside(root: &Root, aside: &[u8], out: &[u8]) -> Vec<String> {
    let mut warnings = Vec::new();
    let workspace = join(aside, b"ws");
    for (from, _) in list_tree(root.path(), &workspace).unwrap_or_default() {
        let to = &from[workspace.len() + 1..];
        if look(root, to).is_ok_and(|seen| seen.is_none())
            && let Err(error) = root.rename(&from, to)
        {
            warnings.push(format!("cannot put back {}: {}", shown(to), said(&error)));
        }
    }
    let old = join(aside, b"out");
    if look(root, &old).is_ok_and(|seen| seen.is_some()) {
        let moved = root.remove_tree(out).and_then(|()| root.rename(&old, out));
        warnings.extend(
            moved.err().map(|error| format!("cannot put back {}: {}", shown(out), said(&error))),
        );
    }
    warnings
}

/// One output as it was found after the run.
struct Found {
    /// Where it lies now.
    from: Vec<u8>,
    /// Where it belongs.
    to: Vec<u8>,
    made: Made,
    seen: Seen,
}

/// All outputs of a run, digested, not yet published.
pub(super) struct Collected {
    files: Vec<Found>,
    pub(super) warnings: Vec<String>,
}

impl Collected {
    /// Finds what the command wrote: each declared output staged or in place, then all else
    /// that it left in `out/`.
    pub(super) fn find(
        root: &Root,
        run: &Run,
        standing: &Standing,
        buffer: &mut Vec<u8>,
    ) -> Step<Collected> {
        let out = run.dir.join("out");
        let staged = list_tree(root.path(), &out).map_err(|e| Stop::io("list", &out, &e))?;
        let staged: Vec<&[u8]> = staged.iter().map(|(path, _)| &path[out.len() + 1..]).collect();
        let mut taken: FxHashSet<&[u8]> = FxHashSet::default();
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut warnings = Vec::new();
        for declared in &run.outputs {
            let start = pairs.len();
            for &path in &staged {
                if let Some(to) = place_of_staged(path, declared)
                    && taken.insert(path)
                {
                    pairs.push((join(&out, path), to));
                }
            }
            if pairs.len() == start {
                let found = in_place(root, declared, standing)?;
                let adopted =
                    found.written.iter().filter(|path| standing.stays.contains_key(*path));
                warnings.extend(adopted.map(|path| overwritten(path)));
                pairs.extend(found.written.into_iter().map(|path| (path.clone(), path)));
                warnings.extend(found.old.map(|path| not_touched(&path)));
            }
            if pairs.len() == start {
                return Err(Stop::Failed(missing(root, declared)));
            }
        }
        let depfile = run.depfile.as_deref();
        for path in staged.iter().filter(|path| !taken.contains(*path)) {
            let path = join(&out, path);
            if Some(&path[..]) != depfile && !is_dir(root, &path) {
                pairs.push((path.clone(), path));
            }
        }
        let mut seen = FxHashSet::default();
        pairs.retain(|(_, to)| seen.insert(to.clone()) && Some(&to[..]) != depfile);
        let files = pairs.into_iter().map(|(from, to)| digest(root, from, to, buffer));
        Ok(Collected { files: files.collect::<Step<_>>()?, warnings })
    }

    /// Puts everything where it belongs. A file that is what it was before keeps its old self,
    /// so that its times stay still. What the last success had and this one has not is removed.
    /// A file that somebody else wrote there meanwhile is kept.
    pub(super) fn publish(
        self,
        context: &Context,
        run: &Run,
        standing: &mut Standing,
    ) -> Step<(Outputs, Vec<Vec<u8>>)> {
        let root = &context.root;
        let before: FxHashMap<&[u8], &Before> =
            run.before.iter().map(|before| (&before.file.path[..], before)).collect();
        let touched = remove_stale(context, run, standing, &self.files)?;
        let mut outputs = Vec::with_capacity(self.files.len());
        for file in self.files {
            let published = file.from != file.to;
            let untouched = standing.is_untouched(root, &file.to)?;
            let stays = standing.stays.get(&file.to);
            let equal = stays.is_some_and(|(_, made)| made.as_ref() == Some(&file.made));
            let adopted = !published && stays.is_some_and(|(_, made)| made.is_none());
            let stayed = published && equal && untouched;
            if stayed {
                root.remove_file(&file.from).map_err(|e| Stop::io("remove", &file.from, &e))?;
            } else if published {
                if !untouched {
                    standing.keep_foreign(context, run, &file.to)?;
                }
                make_way(root, &file.to);
                move_to(root, &file.from, &file.to)?;
                check_published(root, &file)?;
            }
            let old = before.get(&file.to[..]).filter(|before| before.file.made == file.made);
            if let (Some(old), true) = (old, !published || (run.new_command && !stayed)) {
                let known = standing.aside.get(&file.to).copied().or(old.seen);
                keep_old_self(root, run, old, known)?;
            }
            let seen = look(root, &file.to)?;
            let seen = seen.ok_or_else(|| Stop::Failed(format!("{} vanished", shown(&file.to))))?;
            outputs.push((OutFile { path: file.to, made: file.made, published, adopted }, seen));
        }
        for name in ["aside", "tmp"] {
            // What cannot be removed now is removed before the next attempt.
            let _ = root.remove_tree(&run.dir.join(name));
        }
        Ok((outputs, touched))
    }
}

/// Files and links that stand at a declared output now. None where they cannot be listed.
pub fn standing_at(root: &Root, output: &Output) -> Vec<Vec<u8>> {
    look_at(root, output).unwrap_or_default()
}

fn look_at(root: &Root, output: &Output) -> Step<Vec<Vec<u8>>> {
    let path = match output {
        Output::Glob(pattern) => return matches_in_place(root, pattern),
        Output::Path(path) => path,
    };
    match look(root, path)? {
        None => Ok(Vec::new()),
        Some(seen) if seen.link.kind() == FileKind::Dir => {
            let files = list_tree(root.path(), path).map_err(|e| Stop::io("list", path, &e))?;
            Ok(files.into_iter().filter(|(_, folder)| !folder).map(|(path, _)| path).collect())
        }
        Some(_) => Ok(vec![path.clone()]),
    }
}

fn matches_in_place(root: &Root, pattern: &Pattern) -> Step<Vec<Vec<u8>>> {
    let failed = |e: io::Error| Stop::io("list", pattern.text(), &e);
    if pattern.base().is_empty() {
        return list(root.path(), pattern, &[]).map_err(failed);
    }
    if look(root, pattern.base())?.is_none() {
        return Ok(Vec::new());
    }
    let files = list_tree(root.path(), pattern.base()).map_err(failed)?;
    let files = files.into_iter().filter(|(path, folder)| !folder && pattern.matches_all(path));
    Ok(files.map(|(path, _)| path).collect())
}

/// What stands at a declared output after the run.
#[derive(Default)]
struct InPlace {
    written: Vec<Vec<u8>>,
    /// One that was there before and was not touched.
    old: Option<Vec<u8>>,
}

/// What the command wrote in place at a declared output, and what else stood there untouched.
fn in_place(root: &Root, declared: &Declared, standing: &Standing) -> Step<InPlace> {
    let mut found = InPlace::default();
    let mut paths = look_at(root, &declared.output)?;
    paths.extend(empty_folders(root, &declared.output)?);
    for path in paths {
        let before = standing.stays.get(&path).map(|(seen, _)| *seen);
        if before.is_some() && look(root, &path)? == before {
            found.old = Some(path);
        } else {
            found.written.push(path);
        }
    }
    Ok(found)
}

/// Empty folders at a plain output, itself included.
fn empty_folders(root: &Root, output: &Output) -> Step<Vec<Vec<u8>>> {
    let Output::Path(path) = output else { return Ok(Vec::new()) };
    if look(root, path)?.is_none_or(|seen| seen.link.kind() != FileKind::Dir) {
        return Ok(Vec::new());
    }
    let below = list_tree(root.path(), path).map_err(|e| Stop::io("list", path, &e))?;
    if below.is_empty() {
        return Ok(vec![path.clone()]);
    }
    Ok(below.into_iter().filter(|(_, folder)| *folder).map(|(path, _)| path).collect())
}

fn not_touched(path: &[u8]) -> String {
    format!("{} was there before and was not written: it is not counted as an output", shown(path))
}

fn overwritten(path: &[u8]) -> String {
    format!("{} was there before and was written anew: from now on it is an output", shown(path))
}

fn missing(root: &Root, declared: &Declared) -> String {
    match &declared.output {
        Output::Path(path) if look(root, path).is_ok_and(|seen| seen.is_some()) => {
            format!("it did not write {}: what stands there is from before", shown(path))
        }
        Output::Path(path) => {
            format!("it did not write {}, which it declares as output", shown(path))
        }
        Output::Glob(pattern) => {
            format!(
                "it wrote nothing that matches {}, which it declares as output",
                shown(pattern.text())
            )
        }
    }
}

/// Where a file below `out/` belongs, if it is of this output. Paths below `out/` are relative
/// to the target's folder, or to the workspace.
fn place_of_staged(path: &[u8], declared: &Declared) -> Option<Vec<u8>> {
    let belongs = |place: &[u8]| match &declared.output {
        Output::Path(output) => is_within(place, output),
        Output::Glob(pattern) => pattern.matches_all(place),
    };
    [join(&declared.dir, path), path.to_vec()].into_iter().find(|place| belongs(place))
}

fn is_within(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

fn is_dir(root: &Root, path: &[u8]) -> bool {
    look(root, path).is_ok_and(|seen| seen.is_some_and(|seen| seen.link.kind() == FileKind::Dir))
}

fn digest(root: &Root, from: Vec<u8>, to: Vec<u8>, buffer: &mut Vec<u8>) -> Step<Found> {
    let seen =
        look(root, &from)?.ok_or_else(|| Stop::Failed(format!("{} vanished", shown(&from))))?;
    let (made, stamp) = match seen.link.kind() {
        FileKind::Dir => (Made::Folder, seen.link),
        FileKind::Symlink => (Made::Link(link_text(root, &from)?), seen.link),
        FileKind::File => {
            let (dir, name) = root.parent(&from).map_err(|e| Stop::io("open", &from, &e))?;
            let hashed = hash_at(std::os::fd::AsFd::as_fd(&dir), name.as_ref(), buffer, None);
            let (hashed, _) = hashed.map_err(|error| match error {
                HashError::Unstable => {
                    Stop::Failed(format!("{} keeps changing after the command ended", shown(&from)))
                }
                HashError::Io(error) => Stop::io("read", &from, &error),
            })?;
            let (size, executable) = (hashed.stamp.size, hashed.stamp.executable());
            (Made::File { executable, size, digest: hashed.digest }, hashed.stamp)
        }
        FileKind::Other => {
            return Err(Stop::Failed(format!(
                "{} is no file, link or folder: it cannot be an output",
                shown(&to)
            )));
        }
    };
    Ok(Found { from, to, made, seen: Seen { link: stamp, file: seen.file } })
}

fn link_text(root: &Root, path: &[u8]) -> Step<Vec<u8>> {
    let text = std::fs::read_link(root.absolute(path)).map_err(|e| Stop::io("read", path, &e))?;
    Ok(text.as_os_str().as_bytes().to_vec())
}

/// What was digested is what was published: only the times of the name's own change differ, or
/// the bytes are compared again where a copy had to be made.
fn check_published(root: &Root, file: &Found) -> Step<()> {
    let Some(now) = look(root, &file.to)? else { return Ok(()) };
    let (a, b) = (&file.seen.link, &now.link);
    let same = (a.ino, a.size, a.mtime_ns, a.mode) == (b.ino, b.size, b.mtime_ns, b.mode);
    if same || file.made == Made::Folder || is_made(root, &file.to, Some(&file.made)) {
        return Ok(());
    }
    Err(Stop::Failed(format!("{} was changed by another process meanwhile", shown(&file.to))))
}

/// A file that is equal to the one set aside: the old one
/// takes its place again.
fn keep_old_self(root: &Root, run: &Run, before: &Before, known: Option<Seen>) -> Step<()> {
    let Some(known) = known else { return Ok(()) };
    let path = &before.file.path;
    let out = run.dir.join("out");
    let old = match path.strip_prefix(&out[..]) {
        Some(rest) => [&run.dir.join("aside/out"), rest].concat(),
        None => aside(run, path),
    };
    // A rename changes the time of the name only.
    let same = |seen: Seen| {
        let (a, b) = (seen.link, known.link);
        (a.ino, a.size, a.mtime_ns, a.mode) == (b.ino, b.size, b.mtime_ns, b.mode)
    };
    if before.file.made != Made::Folder && look(root, &old)?.is_some_and(same) {
        move_to(root, &old, path)?;
    }
    Ok(())
}

/// Removes what the last success left in place and this one did not write again, also where it
/// is no longer declared. Tells all paths whose old state is gone.
fn remove_stale(
    context: &Context,
    run: &Run,
    standing: &mut Standing,
    files: &[Found],
) -> Step<Vec<Vec<u8>>> {
    let root = &context.root;
    let now: FxHashSet<&[u8]> = files.iter().map(|file| &file.to[..]).collect();
    let mut touched: Vec<Vec<u8>> = standing.found.iter().map(|(path, _)| path.clone()).collect();
    for before in &run.before {
        let path = &before.file.path;
        if now.contains(&path[..]) {
            continue;
        }
        touched.push(path.clone());
        if before.file.made == Made::Folder || !is_made(root, path, Some(&before.file.made)) {
            continue;
        }
        match before.file.adopted {
            true => standing.keep_foreign(context, run, path)?,
            false => root.remove_file(path).map_err(|e| Stop::io("remove", path, &e))?,
        }
    }
    Ok(touched)
}

/// An empty folder where a file belongs gives way; one with something in it makes the rename
/// fail with a message of its own.
fn make_way(root: &Root, path: &[u8]) {
    if is_dir(root, path) {
        for (dir, _) in list_tree(root.path(), path).unwrap_or_default() {
            root.remove_empty_dirs(&dir, dir_of(path));
        }
        root.remove_empty_dirs(path, dir_of(path));
    }
}

/// Whether the file is what the record says; the digest is asked for only if the stamps do not
/// tell.
fn is_as_recorded(root: &Root, before: &Before, seen: &Seen, buffer: &mut Vec<u8>) -> bool {
    before.seen == Some(*seen) || holds(root, &before.file.path, Some(&before.file.made), buffer)
}

/// Whether `path` holds exactly this.
pub fn is_made(root: &Root, path: &[u8], made: Option<&Made>) -> bool {
    holds(root, path, made, &mut Vec::new())
}

fn holds(root: &Root, path: &[u8], made: Option<&Made>, buffer: &mut Vec<u8>) -> bool {
    let Some(made) = made else { return false };
    digest(root, path.to_vec(), path.to_vec(), buffer).is_ok_and(|found| found.made == *made)
}

/// Whether the path belongs to a plain output; such a path is the task's own, whatever stands
/// there.
fn is_plain(run: &Run, path: &[u8]) -> bool {
    run.outputs.iter().any(|declared| match &declared.output {
        Output::Path(output) => is_within(path, output),
        Output::Glob(_) => false,
    })
}

/// Whether a path is of a declared output, not only left in `out/`.
fn is_declared(run: &Run, path: &[u8]) -> bool {
    run.outputs.iter().any(|declared| declared.output.covers(path))
}

/// Where a file that taskr did not make is kept.
pub fn replaced_path(run_id: &str, path: &[u8]) -> Vec<u8> {
    join(format!("{STATE_DIR}/replaced/{run_id}").as_bytes(), path)
}

fn aside(run: &Run, path: &[u8]) -> Vec<u8> {
    join(&run.dir.join("aside/ws"), path)
}

fn move_to(root: &Root, from: &[u8], to: &[u8]) -> Step<()> {
    root.rename(from, to).map_err(|error| Stop::io("write", to, &error))
}

fn look(root: &Root, path: &[u8]) -> Step<Option<Seen>> {
    Seen::of(&root.absolute(path)).map_err(|error| Stop::io("look at", path, &error))
}

fn join(dir: &[u8], path: &[u8]) -> Vec<u8> {
    match (dir, path) {
        ([], path) => path.to_vec(),
        (dir, []) => dir.to_vec(),
        (dir, path) => [dir, b"/", path].concat(),
    }
}

impl Success {
    /// Output files for listeners: path, size in bytes, digest. Links and folders are left out.
    pub fn files(&self) -> Vec<(Vec<u8>, u64, taskr_cache::Digest)> {
        let files = self.outputs.iter().filter_map(|(file, _)| match file.made {
            Made::File { size, digest, .. } => Some((file.path.clone(), size, digest)),
            _ => None,
        });
        files.collect()
    }
}
