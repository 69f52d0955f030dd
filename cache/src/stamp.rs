//! Stamps: what `stat` says of a file, and when that may stand for its content.
//!
//! A stamp is compared for equality, never for order: an older file is as different as a newer
//! one. Whether an equal stamp proves equal content is decided by [`Clock`]: a file changed again
//! within one tick of its file system can keep its stamp, so a stamp counts only if it was already
//! old when the content was hashed.

use crate::digest::Digest;
use crate::filesystem::{self, FileSystem};
use rustc_hash::FxHashMap;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// A stamp is settled when it is at least this much older than the file system's clock, in
/// nanoseconds: twice the coarsest tick in use (ext4 with 128-byte inodes: 1 s).
const SETTLE_NS: i64 = 2_000_000_000;

/// What sort of thing a path names.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link; only [`Stamp::of_link`] gives one.
    Symlink,
    /// A FIFO, socket or device.
    Other,
}

/// What `stat` says of a file, as far as a change of content moves it.
///
/// Times before 1677 and after 2262 are taken for the end of that span. `ctime`, which nobody can
/// set, moves all the same; and a stamp of after 2262 is never settled, so it stands for nothing.
///
/// On disk ([`Stamp::encode`]): `dev` 8, `ino` 8, `mode` 4, `size` 8, `mtime_ns` 8 and `ctime_ns` 8
/// bytes, all little-endian, 44 bytes in all. Equal bytes and equal stamps are the same thing.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub struct Stamp {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits, as `lstat` gives them.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Last change of content, in nanoseconds since 1970; anybody may set it.
    pub mtime_ns: i64,
    /// Last change of the inode, in nanoseconds since 1970; only the kernel sets it.
    pub ctime_ns: i64,
}

impl Stamp {
    /// The stamp of `path` itself: a symbolic link is not followed. `None`: there is no such path.
    ///
    /// # Errors
    /// Whatever `lstat` says, except that the path or a directory on the way is absent.
    pub fn of_link(path: &Path) -> io::Result<Option<Stamp>> {
        Stamp::of_link_at(CWD, path)
    }

    /// As [`Stamp::of_link`], of a path that starts at the folder `dir`.
    ///
    /// # Errors
    /// As there.
    pub fn of_link_at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<Option<Stamp>> {
        present(rustix::fs::statat(dir, path, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// The stamp of what `path` leads to. `None`: it leads nowhere.
    ///
    /// # Errors
    /// Whatever `stat` says, except that the path or a directory on the way is absent; a loop of
    /// links is an error.
    pub fn of(path: &Path) -> io::Result<Option<Stamp>> {
        Stamp::at(CWD, path)
    }

    /// As [`Stamp::of`], of a path that starts at the folder `dir`.
    ///
    /// # Errors
    /// As there.
    pub fn at(dir: BorrowedFd<'_>, path: &Path) -> io::Result<Option<Stamp>> {
        present(rustix::fs::statat(dir, path, AtFlags::empty()))
    }

    /// For callers that ask `fstatat` or `fstat` themselves.
    #[allow(clippy::unnecessary_cast, reason = "the fields' types differ by platform")]
    pub fn from_stat(stat: &Stat) -> Stamp {
        let ns = |seconds: i64, ns: u64| {
            let nanoseconds = i64::try_from(ns).unwrap_or(i64::MAX);
            seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
        };
        Stamp {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            size: stat.st_size as u64,
            mtime_ns: ns(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            ctime_ns: ns(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }

    /// What sort of thing this is the stamp of.
    pub fn kind(&self) -> FileKind {
        match FileType::from_raw_mode(self.mode as rustix::fs::RawMode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Dir,
            FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Other,
        }
    }

    /// Whether it is a regular file that somebody may execute.
    pub fn executable(&self) -> bool {
        self.kind() == FileKind::File && self.mode & 0o111 != 0
    }

    /// How many bytes [`Stamp::encode`] appends.
    pub(crate) const BYTES: usize = 44;

    /// Appends the 44 bytes described at the type.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.dev.to_le_bytes());
        out.extend_from_slice(&self.ino.to_le_bytes());
        out.extend_from_slice(&self.mode.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.mtime_ns.to_le_bytes());
        out.extend_from_slice(&self.ctime_ns.to_le_bytes());
    }

    /// Reads a stamp off the front of `bytes` and moves them on; `None` when they are too short.
    pub fn decode(bytes: &mut &[u8]) -> Option<Stamp> {
        Some(Stamp {
            dev: u64::from_le_bytes(take(bytes)?),
            ino: u64::from_le_bytes(take(bytes)?),
            mode: u32::from_le_bytes(take(bytes)?),
            size: u64::from_le_bytes(take(bytes)?),
            mtime_ns: i64::from_le_bytes(take(bytes)?),
            ctime_ns: i64::from_le_bytes(take(bytes)?),
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

fn present(stat: rustix::io::Result<Stat>) -> io::Result<Option<Stamp>> {
    match stat {
        Ok(stat) => Ok(Some(Stamp::from_stat(&stat))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The file system's own clock, and which devices' stamps may be compared with it.
///
/// The process's clock is not asked: on a network file system it is another machine's. The kernel
/// gives all local file systems one clock, so devices beside that of the clock file are admitted
/// too, once [`Clock::learn`] has seen that their file system is one whose stamps are believed.
#[derive(Debug)]
pub struct Clock {
    now_ns: i64,
    trusted: FxHashMap<u64, bool>,
}

impl Clock {
    /// Touches `<dir>/clock`, made if absent, and reads the time that the file system gave it.
    ///
    /// # Errors
    /// The file cannot be made or touched, or something else than a regular file has its name.
    pub fn read(dir: &Path) -> io::Result<Clock> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::open(dir.join("clock"), flags | careful, Mode::from(0o666))?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now })?;
        let stamp = Stamp::from_stat(&rustix::fs::fstat(&file)?);
        if stamp.kind() != FileKind::File {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let trusted = filesystem::of_fd(file.as_fd())? == FileSystem::Trusted;
        let now_ns = stamp.mtime_ns.min(stamp.ctime_ns);
        Ok(Clock { now_ns, trusted: FxHashMap::from_iter([(stamp.dev, trusted)]) })
    }

    /// A clock that stands at `now_ns` and believes the stamps of `trusted_devices`, for tests of
    /// what is decided by a clock.
    pub fn at(now_ns: i64, trusted_devices: &[u64]) -> Clock {
        let trusted = trusted_devices.iter().map(|&dev| (dev, true)).collect();
        Clock { now_ns, trusted }
    }

    /// The same clock, `ago` before it was read.
    pub fn back(mut self, ago: std::time::Duration) -> Clock {
        let ago_ns = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
        self.now_ns = self.now_ns.saturating_sub(ago_ns);
        self
    }

    /// What the clock said, in nanoseconds since 1970.
    pub fn now_ns(&self) -> i64 {
        self.now_ns
    }

    /// Whether [`Clock::learn`] has nothing to learn of device `dev` any more.
    pub fn knows(&self, dev: u64) -> bool {
        self.trusted.contains_key(&dev)
    }

    /// Finds out whether stamps of device `dev` are believed, by asking for the file system of
    /// `path`, a path whose stamp named that device. Asks once per device; a path that has gone to
    /// another device teaches nothing.
    pub fn learn(&mut self, dev: u64, path: &Path) {
        if self.knows(dev) {
            return;
        }
        for follow in [false, true] {
            match filesystem::of_path(path, follow) {
                Ok((found, kind)) if found == dev => {
                    self.trusted.insert(dev, kind == FileSystem::Trusted);
                    return;
                }
                _ => {}
            }
        }
    }

    /// Whether the stamp, taken when the content was hashed, will stand for that content: its
    /// device's stamps are believed, and neither of its times is in the future or less than 2 s
    /// old by this clock.
    pub fn settled(&self, stamp: &Stamp) -> bool {
        let newest = stamp.mtime_ns.max(stamp.ctime_ns);
        self.trusted.get(&stamp.dev) == Some(&true)
            && self.now_ns.checked_sub(newest).is_some_and(|age| age >= SETTLE_NS)
    }
}

/// Names this boot of this machine; rows written in another may describe writes that a power loss
/// took back.
///
/// Where the kernel does not tell, a random value, so that nothing of another run is believed: ask
/// once per run.
pub fn boot_id() -> Digest {
    match std::fs::read("/proc/sys/kernel/random/boot_id") {
        Ok(id) if !id.trim_ascii().is_empty() => Digest::of(id.trim_ascii()),
        _ => Digest::of(&RandomState::new().hash_one(0).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const SECOND: i64 = 1_000_000_000;
    const NOW: i64 = 1_800_000_000 * SECOND;

    fn stamp(dev: u64, mtime_ns: i64, ctime_ns: i64) -> Stamp {
        Stamp { dev, ino: 2, mode: 0o100_644, size: 3, mtime_ns, ctime_ns }
    }

    fn mkfifo(path: &Path) {
        let kind = FileType::Fifo;
        rustix::fs::mknodat(CWD, path, kind, Mode::from(0o600), 0).unwrap();
    }

    #[test]
    fn kinds_and_links() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
        fs::write(at(b"file\xff"), "12345").unwrap();
        fs::create_dir(at(b"dir")).unwrap();
        symlink("file\u{fffd}", at(b"dangling")).unwrap();
        symlink("dir", at(b"to-dir")).unwrap();
        symlink("loop", at(b"loop")).unwrap();
        mkfifo(&at(b"fifo"));
        let kinds = |name: &[u8]| {
            let kind = |stamp: io::Result<Option<Stamp>>| stamp.unwrap().map(|stamp| stamp.kind());
            (kind(Stamp::of_link(&at(name))), kind(Stamp::of(&at(name))))
        };
        let both = |kind| (Some(kind), Some(kind));
        assert_eq!(kinds(b"file\xff"), both(FileKind::File));
        assert_eq!(kinds(b"dir"), both(FileKind::Dir));
        assert_eq!(kinds(b"fifo"), both(FileKind::Other));
        assert_eq!(kinds(b"to-dir"), (Some(FileKind::Symlink), Some(FileKind::Dir)));
        assert_eq!(kinds(b"dangling"), (Some(FileKind::Symlink), None));
        assert_eq!(kinds(b"absent"), (None, None));
        assert_eq!(kinds(b"file\xff/beneath"), (None, None));
        assert!(Stamp::of(&at(b"loop")).is_err());
        assert_eq!(Stamp::of_link(&at(b"file\xff")).unwrap().unwrap().size, 5);
    }

    #[test]
    fn executable_is_said_of_files_only() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Stamp::of(dir.path()).unwrap().unwrap().executable());
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for (mode, expected) in [(0o644, false), (0o100, true), (0o010, true), (0o601, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Stamp::of(&file).unwrap().unwrap().executable(), expected, "{mode:o}");
        }
    }

    #[test]
    fn every_change_moves_the_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "a").unwrap();
        let old = filetime::FileTime::from_unix_time(315_532_800, 0);
        filetime::set_file_mtime(&file, old).unwrap();
        let first = Stamp::of(&file).unwrap().unwrap();
        assert_eq!(first.mtime_ns, 315_532_800 * SECOND);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(Stamp::of(&file).unwrap().unwrap(), first);
    }

    #[test]
    fn encoding_goes_there_and_back_and_no_shorter() {
        let extreme = Stamp {
            dev: u64::MAX,
            ino: 0,
            mode: u32::MAX,
            size: u64::MAX,
            mtime_ns: i64::MIN,
            ctime_ns: i64::MAX,
        };
        for stamp in [stamp(1, NOW, NOW), stamp(1, -5, 7), extreme] {
            let mut bytes = Vec::new();
            stamp.encode(&mut bytes);
            assert_eq!(bytes.len(), 44);
            for length in 0..bytes.len() {
                assert_eq!(Stamp::decode(&mut &bytes[..length]), None);
            }
            bytes.push(9);
            let mut rest = &bytes[..];
            assert_eq!(Stamp::decode(&mut rest), Some(stamp));
            assert_eq!(rest, [9]);
        }
    }

    #[test]
    fn what_is_settled() {
        let clock = Clock::at(NOW, &[1]);
        let year = 365 * 86_400 * SECOND;
        let old = NOW - 10 * SECOND;
        let table = [
            ("both old", 1, old, old, true),
            ("exactly 2 s", 1, NOW - 2 * SECOND, NOW - 2 * SECOND, true),
            ("a nanosecond short of 2 s", 1, NOW - 2 * SECOND + 1, old, false),
            ("just changed", 1, NOW, NOW, false),
            ("1980, restored just now", 1, 315_532_800 * SECOND, NOW, false),
            ("1980, restored long ago", 1, 315_532_800 * SECOND, old, true),
            ("before 1970", 1, -5 * SECOND, old, true),
            ("mtime in the future", 1, NOW + 10 * year, old, false),
            ("ctime in the future: the clock was set back", 1, old, NOW + 1, false),
            ("absurd", 1, i64::MIN, i64::MIN, false),
            ("unknown device", 2, old, old, false),
        ];
        for (what, dev, mtime_ns, ctime_ns, expected) in table {
            assert_eq!(clock.settled(&stamp(dev, mtime_ns, ctime_ns)), expected, "{what}");
        }
    }

    #[test]
    fn devices_are_learned_from_paths_that_lie_on_them() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Stamp::of(Path::new("/proc/self")).unwrap().unwrap().dev;
        let here = Stamp::of(dir.path()).unwrap().unwrap().dev;
        let mut clock = Clock::at(NOW, &[]);
        clock.learn(proc, Path::new("/proc/self/status"));
        assert_eq!(clock.trusted.get(&proc), Some(&false), "no file system of the list");
        clock.learn(here, &dir.path().join("absent"));
        clock.learn(here, Path::new("/proc/self/status"));
        assert_eq!(clock.trusted.get(&here), None, "nothing was asked of that device");
        clock.learn(here, dir.path());
        let (_, kind) = filesystem::of_path(dir.path(), true).unwrap();
        assert_eq!(clock.trusted.get(&here), Some(&(kind == FileSystem::Trusted)));
    }

    #[test]
    fn the_clock_is_that_of_the_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let first = Clock::read(dir.path()).unwrap();
        let long_ago = filetime::FileTime::from_unix_time(5, 0);
        filetime::set_file_mtime(&path, long_ago).unwrap();
        let second = Clock::read(dir.path()).unwrap();
        assert!(second.now_ns() >= first.now_ns());
        let stamp = Stamp::of(&path).unwrap().unwrap();
        assert_eq!(stamp.mtime_ns, second.now_ns());
        assert!(!second.settled(&stamp), "a file just written is never settled");
    }

    #[test]
    fn something_else_in_the_place_of_the_clock_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Clock::read(&dir.path().join("absent")).is_err());
        let path = dir.path().join("clock");
        mkfifo(&path);
        assert!(Clock::read(dir.path()).is_err());
        fs::remove_file(&path).unwrap();
        symlink("elsewhere", &path).unwrap();
        assert!(Clock::read(dir.path()).is_err());
        assert!(!dir.path().join("elsewhere").exists());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(Clock::read(dir.path()).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_boot_has_one_name() {
        assert_eq!(boot_id(), boot_id());
    }
}
