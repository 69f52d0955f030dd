//! What to do about what the system said.

use std::io;

use rustix::io::Errno;

pub use taskr_cache::said;

/// What to do about it, where that is the same whatever was being done.
pub fn remedy(cause: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(cause)? {
        Errno::NOSPC => "make room on its disk: `df -h` shows which is full",
        Errno::DQUOT => "make room: your quota on its disk is used up",
        Errno::FBIG => "files may not be as large: `ulimit -f` shows the limit",
        Errno::MFILE => "allow more open files, as in `ulimit -n 1024`",
        Errno::AGAIN => "allow more processes: `ulimit -u` shows how many",
        Errno::ROFS => "its disk is mounted to be read only",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_machines() {
        let cause = io::Error::from_raw_os_error(28);
        assert_eq!(said(&cause), "No space left on device");
        assert_eq!(remedy(&cause), Some("make room on its disk: `df -h` shows which is full"));
        let wrapped = io::Error::other(format!("cannot read `x`: {cause}"));
        assert_eq!(said(&wrapped), "cannot read `x`: No space left on device");
        assert_eq!(remedy(&wrapped), None);
    }
}
