//! What taskr remembers between runs: stamps, digests, the state database and the intents file.
//!
//! This crate knows no targets and no Taskfile. Rows are opaque ids and opaque bytes; what they
//! mean is said where they are encoded. It never prints, and its state never fails a build: what
//! cannot be read is empty, with one sentence that says why.

mod content;
mod database;
mod digest;
mod filesystem;
mod hash;
mod intents;
mod said;
mod stamp;
mod state;

pub use content::{Content, Seen, measure};
pub use digest::{Digest, KeyHasher};
pub use hash::{HashError, Hashed, hash_at, hash_file};
pub use intents::{Intent, Intents};
pub use said::said;
pub use stamp::{Clock, FileKind, Stamp, boot_id};
pub use state::{Access, State, Writer};
