//! Sources and outputs on disk: written with the times that a step asks for, and looked at.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use filetime::{FileTime, set_file_times};

use super::steps::Time;
use super::world::Node;
use crate::toy::Seen;

/// A regular file as the toy task would see it.
pub(crate) fn see(path: &Path) -> Option<Seen> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let exec = metadata.permissions().mode() & 0o100 != 0;
    metadata.is_file().then(|| Seen { exec, bytes: fs::read(path).unwrap_or_default() })
}

/// The task that a folder of `.taskr/tasks` is for.
pub(crate) fn decode(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = name.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    let name = parts.fold(first, |text, part| {
        let (hex, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        let byte = u8::from_str_radix(hex, 16).map_or('%', char::from);
        format!("{text}{byte}{rest}")
    });
    // The names of packages begin with slashes, those of their folders do not.
    if name.starts_with("pk/") { format!("//{name}") } else { name }
}

/// Writes a source as asked; `time` decides about its mtime and its inode.
pub(crate) fn write_node(path: &Path, node: &Node, time: Time) {
    fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    let before = fs::symlink_metadata(path).ok();
    match node {
        Node::Link(to) => {
            let _ = fs::remove_file(path);
            symlink(to, path).expect("a link");
        }
        Node::File { text, exec } => {
            let place =
                if time == Time::Replaced { path.with_extension("new") } else { path.into() };
            fs::write(&place, text).expect("a file");
            let mode = if *exec { 0o755 } else { 0o644 };
            fs::set_permissions(&place, Permissions::from_mode(mode)).expect("a mode");
            fs::rename(&place, path).expect("a file");
            let old = before.map(|metadata| FileTime::from_last_modification_time(&metadata));
            set_time(path, time, old);
        }
    }
}

fn set_time(path: &Path, time: Time, old: Option<FileTime>) {
    let ten_years = Duration::from_secs(10 * 365 * 86_400);
    let wanted = match time {
        Time::Now | Time::Replaced => None,
        Time::Kept => old,
        Time::Past => Some(FileTime::from_system_time(SystemTime::now() - ten_years * 3)),
        Time::Future => Some(FileTime::from_system_time(SystemTime::now() + ten_years)),
    };
    if let Some(wanted) = wanted {
        set_file_times(path, wanted, wanted).expect("times");
    }
}
