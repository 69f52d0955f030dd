//! Entries as bytes: every truncation and every hostile one is refused.

use super::*;
use crate::store::codec::{decode, encode};

/// An entry with one of everything.
fn full() -> Entry {
    let stored = |place, path: &str, what| Stored {
        place,
        path: path.into(),
        published: place == Place::Workspace,
        what,
    };
    let program = What::File { executable: true, blob: blob_of(b"program") };
    let mut full = entry(vec![
        file("bin/a", b"a"),
        stored(Place::Workspace, "bin/program", program.clone()),
        stored(Place::Workspace, "lib/link", What::Link(b"../bin/a".to_vec())),
        stored(Place::Out, "bin/a", program),
        stored(Place::Out, "empty", What::Folder),
    ]);
    full.log = Some(blob_of(b"log"));
    full.found = Some(vec![b"src/a.h".to_vec(), b"/usr/include/stdio.h".to_vec()]);
    full
}

#[test]
fn what_is_encoded_is_decoded() {
    for entry in [full(), entry(Vec::new()), Entry { found: Some(Vec::new()), ..full() }] {
        assert_eq!(decode(&encode(&entry).unwrap()), Ok(entry));
    }
}

#[test]
fn no_truncation_and_nothing_behind_is_an_entry() {
    let mut bytes = encode(&full()).unwrap();
    for length in 0..bytes.len() {
        assert_eq!(decode(&bytes[..length]), Err("it is cut short"), "{length}");
    }
    bytes.push(0);
    assert_eq!(decode(&bytes), Err("something follows its end"));
}
