//! Which file system a file lies on, and what may be believed of it.
//!
//! Linux tells by the magic number of `statfs`. Elsewhere every file system is `Other` until
//! somebody proves its stamps; taskr then hashes more and is right all the same.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// What may be believed of a file system.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum FileSystem {
    /// Its stamps follow every change of content: ext2/3/4, XFS, Btrfs, tmpfs.
    Trusted,
    /// Other machines, or a program, stand behind it: shared memory between processes (SQLite's
    /// WAL) and stamps are not to be relied upon.
    Remote,
    /// Local as far as is known; its stamps are not believed.
    Other,
}

/// The file system of an open file.
#[cfg(target_os = "linux")]
pub(crate) fn of_fd(fd: BorrowedFd<'_>) -> io::Result<FileSystem> {
    // The low 32 bits are the magic number; the type's width and sign differ by architecture.
    Ok(classify(rustix::fs::fstatfs(fd)?.f_type as u32))
}

/// The device and the file system of `path`; of the link itself where `follow` is false.
///
/// Both are asked of one `O_PATH` descriptor, so that they belong together; nothing is read, no
/// permission on the file is needed, and a FIFO does not block.
#[cfg(target_os = "linux")]
pub(crate) fn of_path(path: &Path, follow: bool) -> io::Result<(u64, FileSystem)> {
    use rustix::fs::{Mode, OFlags};
    use std::os::fd::AsFd;
    let links = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | links, Mode::empty())?;
    Ok((rustix::fs::fstat(&fd)?.st_dev, of_fd(fd.as_fd())?))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of_fd(_: BorrowedFd<'_>) -> io::Result<FileSystem> {
    Ok(FileSystem::Other)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of_path(_: &Path, _: bool) -> io::Result<(u64, FileSystem)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// By magic number; the numbers are those of `linux/magic.h` and of statfs(2).
#[cfg(target_os = "linux")]
fn classify(magic: u32) -> FileSystem {
    match magic {
        0x0000_EF53 // ext2, ext3, ext4
        | 0x5846_5342 // XFS
        | 0x9123_683E // Btrfs
        | 0x0102_1994 // tmpfs
        => FileSystem::Trusted,
        0x0000_6969 // NFS
        | 0x0000_517B | 0xFF53_4D42 | 0xFE53_4D42 // SMB, CIFS, SMB2
        | 0x0102_1997 // 9p
        | 0x6573_5546 // FUSE, virtiofs
        | 0x5346_414F | 0x6B41_4653 // AFS
        | 0x00C3_6400 // Ceph
        | 0x7375_7245 // Coda
        | 0x0BD0_0BD0 // Lustre
        | 0x4750_4653 // GPFS
        | 0x0116_1970 // GFS2
        | 0x7461_636F // OCFS2
        | 0x786F_4256 // VirtualBox shared folders
        | 0xBACB_ACBC // VMware shared folders
        => FileSystem::Remote,
        _ => FileSystem::Other,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn magic_numbers() {
        let table = [
            (0xEF53, FileSystem::Trusted),
            (0x0102_1994, FileSystem::Trusted),
            (0x6969, FileSystem::Remote),
            (0xFF53_4D42, FileSystem::Remote),
            (0x6573_5546, FileSystem::Remote),
            (0x794C_7630, FileSystem::Other), // overlay
            (0x9FA0, FileSystem::Other),      // proc
            (0, FileSystem::Other),
        ];
        for (magic, expected) in table {
            assert_eq!(classify(magic), expected, "{magic:#x}");
        }
    }

    #[test]
    fn a_path_is_asked_without_opening_it() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/proc/self/status", &link).unwrap();
        let (here, _) = of_path(dir.path(), false).unwrap();
        assert_eq!(of_path(&link, false).unwrap().0, here);
        let (there, kind) = of_path(&link, true).unwrap();
        assert_ne!(there, here);
        assert_eq!(kind, FileSystem::Other);
        assert!(of_path(&dir.path().join("absent"), true).is_err());
    }
}
