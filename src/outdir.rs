//! All writes that taskr itself makes in the workspace, and where a task's own folder lies.
//!
//! Every path is resolved beneath the workspace's root by descriptor, so that a link, or a
//! folder swapped for one meanwhile, cannot lead a write outside. Knows nothing of what the
//! files mean. The state database and the intents have their own writers in `taskr-cache`.

mod open_folder;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use taskr_cache::Digest;

pub use open_folder::OpenFolder;

/// Removes a folder that only taskr and its tasks wrote into; absence is no error.
///
/// # Errors
/// No permission.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path);
            std::fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// Tools leave folders that not even their owner may write (Go's module cache does).
fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let folders = walkdir::WalkDir::new(path).follow_links(false);
    for entry in folders.into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
        let _ = std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o700));
    }
}

/// The state folder, relative to the workspace.
pub const STATE_DIR: &str = ".taskr";

/// The workspace's root, held open.
#[derive(Clone, Debug)]
pub struct Root {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    temporary: Arc<AtomicU64>,
}

impl Root {
    /// Opens the workspace at `path`, which must be absolute.
    ///
    /// # Errors
    /// Whatever opening a folder may give.
    pub fn open(path: &Path) -> io::Result<Root> {
        let fd = fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Root { fd: Arc::new(fd), path: path.to_owned(), temporary: Arc::default() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The absolute path of a workspace path.
    pub fn absolute(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    /// Makes `dir` and all above it, if they are not there.
    ///
    /// # Errors
    /// A file stands in the way, or no permission.
    pub fn create_dirs(&self, dir: &[u8]) -> io::Result<()> {
        self.hold(dir).map(drop)
    }

    /// Opens the folder `dir`, made with all above it if it is not there.
    ///
    /// # Errors
    /// A file stands in the way, or no permission.
    pub fn hold(&self, dir: &[u8]) -> io::Result<OpenFolder> {
        match self.folder(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.is_empty() => {
                // From below: what is there is mostly all but the last.
                let above = self.hold(dir_of(dir))?;
                let made = fs::mkdirat(&above.fd, name_of(dir), Mode::from_raw_mode(0o777));
                match made {
                    Err(error) if error != Errno::EXIST => Err(error.into()),
                    _ => Ok(OpenFolder { fd: self.folder(dir)?, is_new: made.is_ok() }),
                }
            }
            found => Ok(OpenFolder { fd: found?, is_new: false }),
        }
    }

    /// Makes an empty folder of taskr's own, below [`STATE_DIR`], whatever stood there.
    ///
    /// # Errors
    /// No permission.
    pub fn make_empty(&self, path: &[u8]) -> io::Result<()> {
        if self.is_empty_folder(path) {
            return Ok(());
        }
        self.remove_tree(path)?;
        self.create_dirs(path)
    }

    /// As [`Root::remove_tree`], but a folder that is empty and may be used as the one that it lies in
    /// stays. To look costs less than to remove it and make it again; and ext4 looks at each file that
    /// was removed within the last minutes before it makes another near it (`recently_deleted`).
    ///
    /// # Errors
    /// No permission.
    pub fn remove_filled(&self, path: &[u8]) -> io::Result<()> {
        let rights = |stat: fs::Stat| (stat.st_mode, stat.st_uid, stat.st_gid);
        let stays = || -> io::Result<bool> {
            let (fd, above) = (self.folder(path)?, self.folder(dir_of(path))?);
            let is_as_new = rights(fs::fstat(&fd)?) == rights(fs::fstat(&above)?);
            Ok(is_as_new && OpenFolder { fd, is_new: false }.names()?.is_empty())
        };
        if stays().unwrap_or(false) { Ok(()) } else { self.remove_tree(path) }
    }

    fn is_empty_folder(&self, path: &[u8]) -> bool {
        self.folder(path).is_ok_and(|fd| {
            OpenFolder { fd, is_new: false }.names().is_ok_and(|names| names.is_empty())
        })
    }

    /// Moves a file, a link or a folder; what stood at `to` is replaced in one step. Folders
    /// above `to` are made. Across file systems a copy is made beside `to` and renamed.
    ///
    /// # Errors
    /// A folder stands at `to`, no space, no permission.
    pub fn rename(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let (source, source_name) = self.parent(from)?;
        let (target, target_name) = self.in_made_folder(to, || self.parent(to))?;
        match fs::renameat(&source, source_name, &target, target_name) {
            Err(Errno::XDEV) => self.copy_across(from, to),
            other => Ok(other?),
        }
    }

    /// Moves a folder to where nothing is. Folders above `to` are made.
    ///
    /// # Errors
    /// Something stands at `to`, be it an empty folder; it is another file system; no permission.
    pub fn place(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let (source, source_name) = self.parent(from)?;
        self.create_dirs(dir_of(to))?;
        let (target, target_name) = self.parent(to)?;
        let flags = RenameFlags::NOREPLACE;
        Ok(fs::renameat_with(&source, source_name, &target, target_name, flags)?)
    }

    /// Removes a file or a link; absence is no error.
    ///
    /// # Errors
    /// It is a folder, or no permission.
    pub fn remove_file(&self, path: &[u8]) -> io::Result<()> {
        let (parent, name) = match self.parent(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        match fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the folder `dir` if it is empty, then the one above, and so on up to `keep`, which
    /// stays. A folder that several tasks write into may be gone so only when none of them runs.
    pub fn remove_empty_dirs(&self, mut dir: &[u8], keep: &[u8]) {
        while dir.len() > keep.len() {
            let removed = self
                .parent(dir)
                .and_then(|(parent, name)| Ok(fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?));
            if removed.is_err() {
                return;
            }
            dir = dir_of(dir);
        }
    }

    /// Removes a whole folder of taskr's own, below [`STATE_DIR`]; absence is no error.
    ///
    /// # Errors
    /// No permission.
    pub fn remove_tree(&self, path: &[u8]) -> io::Result<()> {
        debug_assert!(path.starts_with(STATE_DIR.as_bytes()), "only what taskr made is removed");
        let (parent, name) = match self.parent(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        // Most are empty, or not there.
        match fs::unlinkat(&parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::NOTDIR) => Ok(fs::unlinkat(&parent, name, AtFlags::empty())?),
            Err(_) => remove_folder(&self.absolute(path)),
        }
    }

    /// Writes a file whole, by a temporary name and a rename.
    ///
    /// # Errors
    /// No space, no permission.
    pub fn write(&self, path: &[u8], bytes: &[u8]) -> io::Result<()> {
        self.in_made_folder(path, || self.replace(path, |file| file.write_all(bytes)))
    }

    /// As [`Root::write`], and locks the file before it gets its name. The lock lasts as long as
    /// what is returned; there is none where files cannot be locked.
    ///
    /// # Errors
    /// No space, no permission.
    pub fn write_locked(&self, path: &[u8], bytes: &[u8]) -> io::Result<std::fs::File> {
        self.create_dirs(dir_of(path))?;
        let mut locked = None;
        self.replace(path, |file| {
            // Nobody else knows the file yet.
            let _ = file.try_lock();
            locked = Some(file.try_clone()?);
            file.write_all(bytes)
        })?;
        locked.ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Opens a file for writing, emptied; made with its folders if it is not there.
    ///
    /// # Errors
    /// No space, no permission.
    pub fn create(&self, path: &[u8]) -> io::Result<std::fs::File> {
        let flags =
            OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.in_made_folder(path, || {
            let (parent, name) = self.parent(path)?;
            Ok(fs::openat(&parent, name, flags, Mode::from_raw_mode(0o666))?.into())
        })
    }

    /// Does `work`, and once more if the folder of `path` was not there and is made now.
    fn in_made_folder<T>(&self, path: &[u8], work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_dirs(dir_of(path))?;
                work()
            }
            other => other,
        }
    }

    /// The folder that `path` lies in, by descriptor, and its last component.
    ///
    /// # Errors
    /// The folder is not there, or does not lie beneath the root.
    pub fn parent<'a>(&self, path: &'a [u8]) -> io::Result<(OwnedFd, &'a OsStr)> {
        Ok((self.folder(dir_of(path))?, name_of(path)))
    }

    fn folder(&self, dir: &[u8]) -> io::Result<OwnedFd> {
        let dir = if dir.is_empty() { b"." } else { dir };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let is_own = is_within(dir, STATE_DIR.as_bytes());
        if is_own {
            // What taskr removes there must be its own, whatever a repository brings.
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        match fs::openat2(&*self.fd, OsStr::from_bytes(dir), flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => self.walk(dir),
            Err(Errno::LOOP) if is_own => Err(io::Error::other(
                "a link stands where taskr keeps a folder of its own: remove the link",
            )),
            Err(Errno::XDEV) => Err(io::Error::other("a link leads out of the workspace")),
            other => Ok(other?),
        }
    }

    /// For kernels without `openat2`: component by component, through no link.
    fn walk(&self, dir: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut fd = self.fd.as_fd().try_clone_to_owned()?;
        for component in dir.split(|&byte| byte == b'/') {
            fd = fs::openat(&fd, OsStr::from_bytes(component), flags, Mode::empty())?;
        }
        Ok(fd)
    }

    fn copy_across(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let (source, name) = self.parent(from)?;
        if fs::statat(&source, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode & 0o170_000 == 0o120_000 {
            let text = fs::readlinkat(&source, name, Vec::new())?;
            self.remove_file(to)?;
            let (target, target_name) = self.parent(to)?;
            fs::symlinkat(&*text, &target, target_name)?;
        } else {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = std::fs::File::from(fs::openat(&source, name, flags, Mode::empty())?);
            let permissions = file.metadata()?.permissions();
            self.replace(to, |copy| {
                io::copy(&mut file, copy)?;
                copy.set_permissions(permissions)
            })?;
        }
        self.remove_file(from)
    }

    fn replace(
        &self,
        path: &[u8],
        fill: impl FnOnce(&mut std::fs::File) -> io::Result<()>,
    ) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".taskr-{}-{number}", std::process::id());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let fd = fs::openat(&parent, &*temporary, flags, Mode::from_raw_mode(0o666))?;
        let written = fill(&mut std::fs::File::from(fd))
            .and_then(|()| Ok(fs::renameat(&parent, &*temporary, &parent, name)?));
        if written.is_err() {
            let _ = fs::unlinkat(&parent, &*temporary, AtFlags::empty());
        }
        written
    }
}

/// A task's own folder: no other task writes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDir {
    path: Vec<u8>,
}

impl TaskDir {
    /// The folder of a task. `taskfile` is the Taskfile's name where it is not the usual one.
    pub fn new(taskfile: Option<&[u8]>, task: &str) -> TaskDir {
        let mut name = taskfile.map_or_else(Vec::new, |name| [name, b":"].concat());
        // No task of the root has a `:` before its `@`: the name of one of a package stays unlike.
        let of_package = task.strip_prefix("//").and_then(|rest| rest.split_once(':'));
        let is_plain = of_package.is_some_and(|(dir, _)| !dir.contains('@'));
        name.extend_from_slice(if is_plain { &task.as_bytes()[2..] } else { task.as_bytes() });
        let path = format!("{STATE_DIR}/tasks/{}", component(&name));
        TaskDir { path: path.into_bytes() }
    }

    /// The folder itself, relative to the workspace.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, below: &str) -> Vec<u8> {
        [&self.path[..], b"/", below.as_bytes()].concat()
    }
}

/// Longest name of a folder; file systems allow 255 bytes.
const LONGEST: usize = 200;

/// A name as one path component: `/` and unusual bytes as `%XX`; over-long ones are cut and
/// ended by a digest, so that no two share a folder.
fn component(name: &[u8]) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, &byte) in name.iter().enumerate() {
        match byte {
            b'.' if at == 0 => escaped.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'@' | b'=' | b',' | b'+' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    if escaped.len() > LONGEST {
        let digest = Digest::of(name).to_string();
        escaped.truncate(LONGEST - 33);
        escaped.push('~');
        escaped.push_str(&digest[..32]);
    }
    escaped
}

/// The folder part of a path, empty at the root.
pub fn dir_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(b"", |at| &path[..at])
}

/// The last component of a path.
fn name_of(path: &[u8]) -> &OsStr {
    let dir = dir_of(path);
    OsStr::from_bytes(if dir.is_empty() { path } else { &path[dir.len() + 1..] })
}

/// Where a path of a target in the folder `dir` lies below its `out/`: relative to the folder if
/// it is below it, else to the workspace.
pub fn below<'a>(path: &'a [u8], dir: &[u8]) -> &'a [u8] {
    match path.strip_prefix(dir) {
        Some(rest) if dir.is_empty() => rest,
        Some([b'/', rest @ ..]) => rest,
        _ => path,
    }
}

/// Whether a path is this folder, or lies below it. Everything lies in the workspace, `""`.
pub fn is_within(path: &[u8], dir: &[u8]) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_become_distinct_components() {
        assert_eq!(component(b"obj@src/a.c"), "obj@src%2Fa.c");
        assert_eq!(component(b"a%2Fb"), "a%252Fb");
        assert_eq!(component(b".."), "%2E.");
        let long = |end: &str| component(format!("{}{end}", "x".repeat(300)).as_bytes());
        assert_eq!(long("a").len(), LONGEST);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn a_folder_is_made_empty_whatever_stood_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let folder = b".taskr/tasks/t/restore";
        let path = root.absolute(folder);
        let is_empty = || std::fs::read_dir(&path).unwrap().count() == 0;
        root.make_empty(folder).unwrap();
        assert!(is_empty());
        let made = path.metadata().unwrap();
        root.make_empty(folder).unwrap();
        let ino = |of: &std::fs::Metadata| std::os::unix::fs::MetadataExt::ino(of);
        assert_eq!(ino(&made), ino(&path.metadata().unwrap()), "it stays if it is empty");
        std::fs::create_dir_all(path.join(".a/b")).unwrap();
        std::fs::write(path.join("0"), "x").unwrap();
        root.make_empty(folder).unwrap();
        assert!(is_empty());
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "x").unwrap();
        root.make_empty(folder).unwrap();
        assert!(is_empty());
    }

    #[test]
    fn writes_stay_beneath_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        symlink(&outside, inside.join("absolute")).unwrap();
        symlink("../out", inside.join("relative")).unwrap();
        let root = Root::open(&inside).unwrap();
        for path in ["absolute/x", "relative/x", "../out/x", "a/../../out/x"] {
            assert!(root.write(path.as_bytes(), b"x").is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        root.write(b"a/b/c", b"x").unwrap();
        assert_eq!(std::fs::read(inside.join("a/b/c")).unwrap(), b"x");
        root.rename(b"a/b/c", b"d/e").unwrap();
        root.remove_empty_dirs(b"a/b", b"");
        assert!(!inside.join("a").exists() && inside.join("d/e").exists());
    }
}
