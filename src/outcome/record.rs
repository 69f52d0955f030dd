//! What one success of a task left: the value that makes a later "up to date" possible.

use rustc_hash::FxHashMap;
use taskr_cache::{Digest, What};

use super::Manifest;

/// What stands at one output path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// A regular file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// In bytes.
        size: u64,
        /// Of its bytes.
        digest: Digest,
    },
    /// A symbolic link with this text; what it leads to is not the task's.
    Link(Vec<u8>),
    /// An empty folder.
    Folder,
}

/// What any record says of each path: where profiles or Taskfiles share one, each of them may be
/// what stands there.
pub type Recorded = FxHashMap<Vec<u8>, Vec<Made>>;

/// As the store keeps it.
impl From<&What> for Made {
    fn from(what: &What) -> Made {
        match what {
            What::File { executable, blob } => {
                Made::File { executable: *executable, size: blob.size, digest: blob.digest }
            }
            What::Link(text) => Made::Link(text.clone()),
            What::Folder => Made::Folder,
        }
    }
}

/// One output of a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFile {
    /// Relative to the workspace.
    pub path: Vec<u8>,
    /// What the task left there.
    pub made: Made,
    /// Whether taskr put it there from `out/`; else the command wrote it in place, or it is in
    /// `out/` still.
    pub published: bool,
    /// Whether it was there before as none of taskr's, and the command wrote it anew. Such a file
    /// is never removed, only moved to where files of the user are kept.
    pub adopted: bool,
}

/// Paths that the depfile of one success named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundList {
    /// Relative to the workspace, or absolute.
    pub paths: Vec<Vec<u8>>,
    /// What it succeeded under.
    pub key: Digest,
}

/// What one success of a recorded task left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of the manifest, with what the depfile of that run found.
    pub key: Digest,
    /// What the key is made of.
    pub manifest: Manifest,
    /// All outputs: declared ones in their order, then the rest of `out/`.
    pub outputs: Vec<OutFile>,
    /// What it set up in place: path, device, inode.
    pub installs: Vec<(Vec<u8>, u64, u64)>,
    /// What depfiles of successes named, newest first, at most sixteen.
    pub found: Vec<FoundList>,
    /// The digest of the workspace's path, if an output may hold that path.
    pub place: Option<Digest>,
    /// Its inputs changed while it ran: the task is not up to date, but what stands at the outputs
    /// is its own work.
    pub unstable: bool,
    /// Number of the intent that the run wrote.
    pub intent: u64,
    /// Of the outputs that were declared then: tells at a glance whether others are now.
    pub declared: Digest,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: u64,
    /// How long the command took, in milliseconds.
    pub duration_ms: u64,
    /// Why it ran, for people.
    pub reason: String,
}
