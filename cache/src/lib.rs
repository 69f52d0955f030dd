//! What taskr remembers between runs: stamps, digests, proofs, the state database, the intents file and
//! the store; and values in one piece of bytes, for what is kept whole.
//!
//! This crate knows no targets and no Taskfile. Rows of the state are opaque ids and opaque bytes;
//! what they mean is said where they are encoded. It never prints, and neither state nor store
//! fails a build: what cannot be read is empty, with one sentence that says why.

mod content;
mod database;
mod digest;
mod filesystem;
mod flat;
mod hash;
mod intents;
mod names;
mod packed;
mod proof;
#[cfg(test)]
mod random;
mod resting;
mod said;
mod spread;
mod stamp;
mod state;
mod store;

pub use content::{Content, Seen, measure, measure_at};
pub use digest::{Digest, KeyHasher};
pub use flat::{Coded, In, Index, Out, Piece, Pieces, digest_of, many, put_many};
pub use hash::{HashError, Hashed, hash_at, hash_file};
pub use intents::{Intent, Intents};
pub use names::names_at;
pub use proof::{Again, Basis, Claim, Fact, Moved, Question, Standing};
pub use said::said;
pub use spread::{processors, spread};
pub use stamp::{Clock, FileKind, Stamp, boot_id};
pub use state::{Access, Reader, State, Writer};
pub use store::{
    Admin, Blob, BlobError, Blobs, Differing, Entry, Exported, Imported, Info, Place, Problem,
    Save, Saved, Saver, Store, StoreError, Stored, Trimmed, Verified, What,
};
