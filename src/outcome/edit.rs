//! What somebody did to a file between two builds.

use super::reason::{Change, shown};

/// A file that is no longer what a build stood on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Relative to the workspace, or absolute.
    pub path: Vec<u8>,
    /// Whether it is new, gone, or another.
    pub change: Change,
}

impl Edit {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self.change {
            Change::Added => "new",
            Change::Removed => "gone",
            Change::Content | Change::Mode | Change::Kind => "changed",
        }
    }
}

impl std::fmt::Display for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = shown(&self.path);
        match self.change {
            Change::Added => write!(f, "{path} is new"),
            Change::Removed => write!(f, "{path} is gone"),
            Change::Content | Change::Mode | Change::Kind => write!(f, "{path} changed"),
        }
    }
}
