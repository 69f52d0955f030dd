//! What a task leaves at its outputs: collected and digested, then published by rename.
//!
//! It knows what stood there before only as [`Standing`] tells it.

use rustc_hash::{FxHashMap, FxHashSet};
use taskr_cache::{FileKind, Seen};

use super::Context;
use super::attempt::Stop;
use super::job::{Before, Declared, Run, Success};
use super::outputs::{
    Digested, Step, digest, is_dir, is_made, is_still_made, join, look, look_at, make_way, move_to,
    prepared,
};
use super::standing::{Standing, aside};
use crate::files::list_tree;
use crate::graph::Output;
use crate::outcome::{Made, OutFile, shown};
use crate::outdir::{Root, is_within};

/// One output as it was found after the run, or brought from the store.
pub(super) struct Found {
    /// Where it lies now; where it belongs if it is in its place.
    pub(super) from: Vec<u8>,
    /// Where it belongs.
    pub(super) to: Vec<u8>,
    pub(super) made: Made,
    pub(super) seen: Seen,
    /// What its record says of that.
    pub(super) published: bool,
    /// Whether it came to its place with its whole folder: nothing else was there.
    pub(super) placed: bool,
}

/// All outputs of a task, digested, not yet published.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) files: Vec<Found>,
    pub(super) warnings: Vec<String>,
    pub(super) names_root: bool,
}

impl Collected {
    /// Finds what the command wrote: each declared output staged or in place, then all else
    /// that it left in `out/`.
    pub(super) fn find(
        context: &Context,
        run: &Run,
        standing: &Standing,
        buffer: &mut Vec<u8>,
    ) -> Step<Collected> {
        let root = &context.root;
        let out = run.dir.join("out");
        let staged = list_tree(root.path(), &out).map_err(|e| Stop::io("list", &out, &e))?;
        let staged = staged.iter().map(|(path, is_folder)| (&path[out.len() + 1..], *is_folder));
        // What was made for one output is none of another.
        let is_prepared = |path: &[u8]| run.outputs.iter().any(|own| prepared(own) == path);
        let staged = staged.filter(|(path, is_folder)| !(*is_folder && is_prepared(path)));
        let staged: Vec<&[u8]> = staged.map(|(path, _)| path).collect();
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
            if pairs.len() > start {
                let staged = pairs[start..].iter().map(|(_, to)| &to[..]).collect();
                warnings.extend(not_replaced(declared, standing, &staged));
            } else {
                let mut found = in_place(root, declared, standing)?;
                if run.keep_outputs {
                    found.written.append(&mut found.old);
                    found.written.sort_unstable();
                }
                let adopted =
                    found.written.iter().filter(|path| standing.stays.contains_key(*path));
                let adopted = adopted.filter(|_| !run.keep_outputs);
                warnings.extend(adopted.map(|path| overwritten(path)));
                pairs.extend(found.written.into_iter().map(|path| (path.clone(), path)));
                warnings.extend(found.old.first().map(|path| not_touched(path)));
            }
            if pairs.len() == start {
                return Err(Stop::Failed(
                    missing(root, declared) + &left_in_out(root, &out, &staged, &taken),
                ));
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
        let mut collected = Collected { warnings, ..Collected::default() };
        for (from, to) in pairs {
            let digested = digest(root, &from, &to, buffer, Some(&context.place))?;
            let Digested { made, seen, found } = digested;
            let published = from != to;
            collected.names_root |= found;
            collected.files.push(Found { from, to, made, seen, published, placed: false });
        }
        Ok(collected)
    }

    /// Puts everything where it belongs. A file that is what it was before keeps its old self,
    /// so that its times stay still. What the last success had and this one has not is removed.
    /// A file that somebody else wrote there meanwhile is kept.
    pub(super) fn publish(
        self,
        context: &Context,
        run: &Run,
        standing: &mut Standing,
    ) -> Step<Success> {
        let root = &context.root;
        let before: FxHashMap<&[u8], &Before> =
            run.before.iter().map(|before| (&before.file.path[..], before)).collect();
        let touched = remove_stale(context, run, standing, &self.files)?;
        let mut outputs = Vec::with_capacity(self.files.len());
        for file in self.files {
            if file.placed {
                let Found { to: path, made, seen, published, .. } = file;
                outputs.push((OutFile { path, made, published, adopted: false }, seen));
                continue;
            }
            let moves = file.from != file.to;
            let untouched = standing.is_untouched(root, &file.to)?;
            let stays = standing.stays.get(&file.to);
            let equal = stays.is_some_and(|(_, made)| made.as_ref() == Some(&file.made));
            let foreign = stays.is_some_and(|(_, made)| made.is_none());
            let was_adopted = before.get(&file.to[..]).is_some_and(|own| own.file.adopted);
            let adopted = (!file.published && !moves && foreign)
                || (run.keep_outputs && !moves && was_adopted);
            let stayed = moves && equal && untouched;
            let mut now = None;
            if stayed {
                root.remove_file(&file.from).map_err(|e| Stop::io("remove", &file.from, &e))?;
            } else if moves {
                if foreign || !untouched {
                    standing.keep_foreign(context, run, &file.to)?;
                }
                if move_to(root, &file.from, &file.to).is_err() {
                    make_way(root, &file.to);
                    move_to(root, &file.from, &file.to)?;
                }
                now = check_published(root, &file)?;
            }
            let old = before.get(&file.to[..]).filter(|before| before.file.made == file.made);
            if let (Some(old), true) = (old, !moves || (run.new_command && !stayed)) {
                let known = standing.aside.get(&file.to).copied().or(old.seen);
                if keep_old_self(root, run, old, known)? {
                    now = None;
                }
            }
            let now = now.map_or_else(|| look(root, &file.to), |now| Ok(Some(now)))?;
            let seen = now.ok_or_else(|| Stop::Failed(format!("{} vanished", shown(&file.to))))?;
            let Found { to, made, published, .. } = file;
            outputs.push((OutFile { path: to, made, published, adopted }, seen));
        }
        // What cannot be removed now is removed before the next attempt.
        let _ = root.remove_tree(&run.dir.join("aside"));
        let _ = root.remove_filled(&run.dir.join("tmp"));
        Ok(Success {
            outputs,
            touched,
            names_root: self.names_root,
            among_foreign: standing.stays.values().any(|(_, made)| made.is_none()),
            ..Success::default()
        })
    }
}

/// What stands at a declared output after the run.
#[derive(Default)]
struct InPlace {
    written: Vec<Vec<u8>>,
    /// What was there before and was not touched.
    old: Vec<Vec<u8>>,
}

/// What the command wrote in place at a declared output, and what else stood there untouched.
fn in_place(root: &Root, declared: &Declared, standing: &Standing) -> Step<InPlace> {
    let mut found = InPlace::default();
    let mut paths = look_at(root, &declared.output)?;
    paths.extend(empty_folders(root, &declared.output)?);
    for path in paths {
        let before = standing.stays.get(&path).map(|(seen, _)| *seen);
        if before.is_some() && look(root, &path)? == before {
            found.old.push(path);
        } else {
            found.written.push(path);
        }
    }
    Ok(found)
}

/// A match of a glob that was there before as none of the task's, where it staged others, or was
/// restored: after a loss of the state this is all that tells of a file that a clean build would not
/// make.
pub(super) fn not_replaced(
    declared: &Declared,
    standing: &Standing,
    now: &FxHashSet<&[u8]>,
) -> Option<String> {
    let old = standing.stays.iter().filter(|(path, (_, made))| {
        made.is_none() && declared.output.covers(path) && !now.contains(&path[..])
    });
    old.map(|(path, _)| path).min().map(|path| not_touched(path))
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

/// Where the command should have written, and what else it left there.
fn left_in_out(root: &Root, out: &[u8], staged: &[&[u8]], taken: &FxHashSet<&[u8]>) -> String {
    let is_left = |path: &&&[u8]| !taken.contains(**path) && !is_dir(root, &join(out, path));
    let left = staged.iter().find(is_left);
    let left =
        left.map_or_else(String::new, |path| format!(" (`{{{{ out }}}}` has {})", shown(path)));
    format!(": let the command write to `{{{{ outputs }}}}`{left}")
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

/// What was digested is what was published: only the times of the name's own change differ, or
/// the bytes are compared again where a copy had to be made. Says what is there now.
fn check_published(root: &Root, file: &Found) -> Step<Option<Seen>> {
    let Some(now) = look(root, &file.to)? else { return Ok(None) };
    let (a, b) = (&file.seen.link, &now.link);
    let same = (a.ino, a.size, a.mtime_ns, a.mode) == (b.ino, b.size, b.mtime_ns, b.mode);
    if same || file.made == Made::Folder || is_made(root, &file.to, Some(&file.made)) {
        return Ok(Some(now));
    }
    Err(Stop::Failed(format!("{} was changed by another process meanwhile", shown(&file.to))))
}

/// A file that is equal to the one set aside: the old one takes its place again. Says whether it did.
fn keep_old_self(root: &Root, run: &Run, before: &Before, known: Option<Seen>) -> Step<bool> {
    let Some(known) = known else { return Ok(false) };
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
    let is_there = before.file.made != Made::Folder && look(root, &old)?.is_some_and(same);
    if is_there {
        move_to(root, &old, path)?;
    }
    Ok(is_there)
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
        if before.file.made == Made::Folder || !is_still_made(root, path, &before.file.made)? {
            continue;
        }
        match before.file.adopted {
            true => standing.keep_foreign(context, run, path)?,
            false => root.remove_file(path).map_err(|e| Stop::io("remove", path, &e))?,
        }
    }
    Ok(touched)
}
