//! Whether facts are so now: by their looks first, on a few threads, and then by reading what has
//! another stamp and may hold what it held.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::blocks::Walk;
use super::fact::Fact;
use super::{Moved, Renewed};
use crate::content::{Content, Seen, measure_at};
use crate::names::names_at;
use crate::spread::spread;
use crate::stamp::{FileKind, Stamp};

/// The workspace.
pub(super) struct Root<'r> {
    path: &'r Path,
    folder: OwnedFd,
}

impl<'r> Root<'r> {
    pub(super) fn open(path: &'r Path) -> Option<Root<'r>> {
        Some(Root { path, folder: open_folder(rustix::fs::CWD, path)? })
    }
}

fn open_folder(dir: BorrowedFd<'_>, path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(dir, path, flags, Mode::empty()).ok()
}

/// So many paths in one folder, one behind the other, are worth its being opened.
const WORTH_A_FOLDER: usize = 3;

/// Asks for paths of a workspace from the folder that they lie in, where several lie in one: that costs
/// less.
pub(super) struct Near<'r> {
    root: &'r Root<'r>,
    /// Of the last path, with how many before it lay there, too.
    folder: Vec<u8>,
    count: usize,
    open: Option<OwnedFd>,
}

impl<'r> Near<'r> {
    pub(super) fn to(root: &'r Root<'r>) -> Near<'r> {
        Near { root, folder: Vec::new(), count: 0, open: None }
    }

    /// From where to ask for a path, and by which name. The workspace itself has none but a dot.
    fn place<'p>(&mut self, path: &'p [u8]) -> (BorrowedFd<'_>, &'p Path) {
        let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let (folder, name) = (&path[..slash], path.get(slash + 1..).unwrap_or_default());
        if self.folder != folder {
            (self.count, self.open) = (0, None);
            self.folder.clear();
            self.folder.extend_from_slice(folder);
        }
        self.count += 1;
        if self.count == WORTH_A_FOLDER && !folder.is_empty() {
            self.open = open_folder(self.root.folder.as_fd(), as_path(folder));
        }
        match &self.open {
            Some(open) if !name.is_empty() => (open.as_fd(), as_path(name)),
            _ if path.is_empty() => (self.root.folder.as_fd(), Path::new(".")),
            _ => (self.root.folder.as_fd(), as_path(path)),
        }
    }

    /// What can be told of a fact without reading a file; `None` if it cannot be asked.
    pub(super) fn look(&mut self, path: &[u8], fact: Fact) -> Option<Look> {
        let root = self.root;
        let (dir, name) = self.place(path);
        let now = |flags| match rustix::fs::statat(dir, name, flags) {
            Ok(stat) => Some(Some(Stamp::from_stat(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Some(None),
            Err(_) => None,
        };
        let link = || now(AtFlags::SYMLINK_NOFOLLOW);
        let is_so = match fact {
            Fact::Absent => link()?.is_none(),
            Fact::Is(kind) => link()?.is_some_and(|stamp| stamp.kind() == kind),
            Fact::Same(dev, ino) => {
                link()?.is_some_and(|stamp| (stamp.dev, stamp.ino) == (dev, ino))
            }
            Fact::Seen(expected) => match link()? {
                Some(stamp) if stamp.kind() != FileKind::Symlink => {
                    expected == Seen { link: stamp, file: None }
                }
                // Asked as whoever saw it did, loops of links and folders behind them included.
                _ => Seen::of(&root.path.join(OsStr::from_bytes(path))).ok()? == Some(expected),
            },
            Fact::LeadsTo(expected) => now(AtFlags::empty())? == expected,
            Fact::Lists(stamp, names) => match now(AtFlags::empty())? {
                Some(now) if now == stamp => true,
                // There are few of them, and what is another here ends it for all.
                Some(now) if now.kind() == FileKind::Dir => {
                    let found = names_at(dir, name).ok()?;
                    let is_same = found == Some((now, names));
                    return Some(if is_same { Look::Renewed(now) } else { Look::Other });
                }
                _ => false,
            },
            Fact::Holds(stamp, content) => match link()? {
                now if stamp.is_some() && now == stamp => true,
                Some(now) if now.kind() == FileKind::File => match stamp {
                    // Of another length it is another.
                    Some(stamp) if stamp.size != now.size => false,
                    _ => return Some(Look::Unread(now, content)),
                },
                _ => false,
            },
            Fact::Doubtful => false,
        };
        Some(if is_so { Look::Same } else { Look::Other })
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A thread that asks for facts asks for at least so many blocks: it costs 60 µs, a fact half a
/// microsecond.
pub(super) const LEAST_BLOCKS: usize = 2;

/// What a look at a fact gives.
pub(super) enum Look {
    Same,
    Other,
    /// The file has another stamp, this one, and may hold what it held.
    Unread(Stamp, Content),
    /// It has another stamp, this one, and is as it was.
    Renewed(Stamp),
}

impl Look {
    /// Whether it is so; for this the file is read.
    pub(super) fn read(&self, path: &[u8], near: &mut Near<'_>, buffer: &mut Vec<u8>) -> bool {
        match self {
            Look::Same | Look::Renewed(_) => true,
            Look::Other => false,
            Look::Unread(stamp, content) => {
                let seen = Seen { link: *stamp, file: None };
                let (dir, name) = near.place(path);
                let now = measure_at(dir, name, &seen, buffer);
                now.is_ok_and(|now| now.as_ref() == Some(content))
            }
        }
    }

    /// The stamp that it has instead of the one that it had.
    fn stamp(&self) -> Option<Stamp> {
        match *self {
            Look::Same | Look::Other => None,
            Look::Unread(stamp, _) | Look::Renewed(stamp) => Some(stamp),
        }
    }
}

/// A fact that is not so by its looks.
pub(super) struct Odd {
    path: Vec<u8>,
    readers: Vec<u32>,
    look: Look,
}

/// The facts that are not so by their looks; none if everybody rests on one that is not so whatever is
/// in it.
pub(super) fn others(
    blocks: &[&[u8]],
    root: &Root<'_>,
    in_doubt: &(dyn Fn() + Sync),
) -> Option<Vec<Odd>> {
    let is_lost = AtomicBool::new(false);
    let found = spread(blocks, LEAST_BLOCKS, |block, (): &mut ()| {
        // What the others would find is of no use then.
        if is_lost.load(Ordering::Relaxed) {
            return None;
        }
        let odd = others_in(block, root);
        is_lost.fetch_or(odd.is_none(), Ordering::Relaxed);
        if odd.iter().flatten().any(|odd| matches!(odd.look, Look::Other)) {
            in_doubt();
        }
        odd
    });
    let found: Option<Vec<Vec<Odd>>> = found.into_iter().collect();
    Some(found?.into_iter().flatten().collect())
}

/// As [`others`], in a block. None, too, if it cannot be read or asked.
fn others_in(block: &[u8], root: &Root<'_>) -> Option<Vec<Odd>> {
    let (mut walk, mut near, mut odd) = (Walk::over(block), Near::to(root), Vec::new());
    while let Some(next) = walk.next() {
        next?;
        let look = near.look(&walk.path, walk.fact()?)?;
        match look {
            Look::Same => {}
            Look::Other if walk.is_of_all() => return None,
            Look::Other | Look::Unread(..) | Look::Renewed(_) => {
                let readers = walk.each_reader().collect();
                odd.push(Odd { path: walk.path.clone(), readers, look });
            }
        }
    }
    Some(odd)
}

/// A thread that reads files reads at least so many, or fewer if they are large.
const LEAST_FILES: usize = 16;
const MANY_BYTES: u64 = 1 << 20;

/// Where more than this many files, and more than half of those that were read, hold something else,
/// no other is read: who is in doubt will be judged, and the files read then.
const MOST_IN_VAIN: usize = 16;

/// Reads what has another stamp: what has moved, and what holds what it held. None if everybody rests
/// on something that moved.
pub(super) fn read_again(
    odd: Vec<Odd>,
    root: &Root<'_>,
    in_doubt: &(dyn Fn() + Sync),
) -> Option<(Vec<Moved>, Renewed)> {
    let sizes = odd.iter().filter_map(|odd| odd.look.stamp()).map(|stamp| stamp.size);
    let bytes = sizes.fold(0, u64::saturating_add);
    let least = if bytes < MANY_BYTES { LEAST_FILES } else { 1 };
    let (equal, vain) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let goes: Vec<&[Odd]> = odd.chunks(least).collect();
    let read = |odd: &Odd, near: &mut Near<'_>, buffer: &mut Vec<u8>| {
        let Look::Unread(..) = odd.look else { return odd.look.stamp().is_some() };
        if vain.load(Ordering::Relaxed) > MOST_IN_VAIN.max(equal.load(Ordering::Relaxed)) {
            return false;
        }
        let holds = odd.look.read(&odd.path, near, buffer);
        if holds { &equal } else { &vain }.fetch_add(1, Ordering::Relaxed);
        if !holds {
            in_doubt();
        }
        holds
    };
    let holds: Vec<Vec<bool>> = spread(&goes, 1, |go, buffer: &mut Vec<u8>| {
        let mut near = Near::to(root);
        go.iter().map(|odd| read(odd, &mut near, buffer)).collect()
    });
    let (mut moved, mut renewed) = (Vec::new(), Renewed::default());
    renewed.reserve(odd.len());
    for (odd, holds) in odd.into_iter().zip(holds.into_iter().flatten()) {
        match odd.look.stamp() {
            Some(stamp) if holds => drop(renewed.insert(odd.path, stamp)),
            _ if odd.readers.is_empty() => return None,
            _ => moved.push((odd.path, odd.readers)),
        }
    }
    Some((moved, renewed))
}
