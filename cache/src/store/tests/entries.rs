//! Entries as bytes: every truncation and every hostile one is refused.

use super::*;
use crate::store::codec::{decode, encode, write};

fn stored(place: Place, path: &[u8], what: What) -> Stored {
    Stored { place, path: path.to_vec(), published: true, what }
}

/// An entry with one of everything.
fn full() -> Entry {
    let program = What::File { executable: true, blob: blob_of(b"program") };
    let mut full = entry(vec![
        file("bin/a", b"a"),
        stored(Place::Workspace, b"bin/program", program.clone()),
        stored(Place::Workspace, b"lib/link", What::Link(b"../bin/a".to_vec())),
        stored(Place::Out, b"bin/a", program),
        stored(Place::Out, b"empty", What::Folder),
    ]);
    full.files[0].published = false;
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

const NONE: &str = "a path is none";
const ABSOLUTE: &str = "a path is absolute or has an empty component";
const DOTS: &str = "a path has a component `.` or `..`";
const RESERVED: &str = "a path leads to what is not built";
const LONG_NAME: &str = "a name is too long";
const NO_TEXT: &str = "a link's text is none";
const LINK_ABSOLUTE: &str = "a link is absolute";
const LINK_OUT: &str = "a link leads out of its place";
const LINK_BEHIND: &str = "a link climbs behind a name";
const LINK_RESERVED: &str = "a link leads to what is not built";
const TWICE: &str = "a path is there twice";
const BELOW: &str = "a path lies below a file or a link";
const LARGE: &str = "the sizes are too large";
const FOUND: &str = "a discovered path is none";
const SHORT: &str = "it is cut short";

/// Paths that no file may have, the place it would have, and why not.
fn hostile_paths() -> Vec<(Place, Vec<u8>, &'static str)> {
    use Place::{Out, Workspace};
    let table: [(Place, &[u8], &str); 34] = [
        (Workspace, b"", NONE),
        (Workspace, b"/", ABSOLUTE),
        (Workspace, b"/etc/passwd", ABSOLUTE),
        (Workspace, b"//etc/passwd", ABSOLUTE),
        (Workspace, b"a//b", ABSOLUTE),
        (Workspace, b"a/", ABSOLUTE),
        (Workspace, b".", DOTS),
        (Workspace, b"./a", DOTS),
        (Workspace, b"a/.", DOTS),
        (Workspace, b"a/./b", DOTS),
        (Workspace, b"..", DOTS),
        (Workspace, b"../a", DOTS),
        (Workspace, b"a/..", DOTS),
        (Workspace, b"a/../b", DOTS),
        (Workspace, b"a/../../b", DOTS),
        (Workspace, b"a/b/../../../../etc/passwd", DOTS),
        (Workspace, b"a\0b", NONE),
        (Workspace, b"\0", NONE),
        (Workspace, b".taskr", RESERVED),
        (Workspace, b".taskr/state.db", RESERVED),
        (Workspace, b".TASKR/lock", RESERVED),
        (Workspace, b".git", RESERVED),
        (Workspace, b".git/hooks/pre-commit", RESERVED),
        (Workspace, b".Git/config", RESERVED),
        (Workspace, &[b'a'; 256], LONG_NAME),
        (Out, b"", NONE),
        (Out, b"/etc/passwd", ABSOLUTE),
        (Out, b"..", DOTS),
        (Out, b"../a", DOTS),
        (Out, b"../../../.ssh/authorized_keys", DOTS),
        (Out, b"a/../../b", DOTS),
        (Out, b"a//b", ABSOLUTE),
        (Out, b"a/", ABSOLUTE),
        (Out, b"a\0", NONE),
    ];
    let mut all: Vec<_> =
        table.into_iter().map(|(place, path, why)| (place, path.to_vec(), why)).collect();
    all.push((Workspace, b"a/".repeat(2047).into_iter().chain(*b"ab").collect(), NONE));
    all
}

/// Links that there may not be: place, path, text, and why not.
const HOSTILE_LINKS: [(Place, &[u8], &[u8], &str); 24] = [
    (Place::Workspace, b"l", b"", NO_TEXT),
    (Place::Workspace, b"l", b"a\0b", NO_TEXT),
    (Place::Workspace, b"l", &[b'a'; 4096], NO_TEXT),
    (Place::Workspace, b"l", b"/", LINK_ABSOLUTE),
    (Place::Workspace, b"l", b"/etc/passwd", LINK_ABSOLUTE),
    (Place::Workspace, b"l", b"//etc", LINK_ABSOLUTE),
    (Place::Workspace, b"l", b"..", LINK_OUT),
    (Place::Workspace, b"l", b"../x", LINK_OUT),
    (Place::Workspace, b"l", b"./../x", LINK_OUT),
    (Place::Workspace, b"a/l", b"../../x", LINK_OUT),
    (Place::Workspace, b"a/l", b"..//..", LINK_OUT),
    (Place::Workspace, b"a/b/l", b"../../../../etc/passwd", LINK_OUT),
    (Place::Workspace, b"a/l", b"b/..", LINK_BEHIND),
    (Place::Workspace, b"a/l", b"b/../../../etc", LINK_BEHIND),
    (Place::Workspace, b"a/l", b"../b/../c", LINK_BEHIND),
    (Place::Workspace, b"l", b".git", LINK_RESERVED),
    (Place::Workspace, b"l", b"./.git//hooks", LINK_RESERVED),
    (Place::Workspace, b"a/l", b"../.GIT/hooks", LINK_RESERVED),
    (Place::Workspace, b"a/l", b"../.taskr/state.db", LINK_RESERVED),
    (Place::Workspace, b".git", b"a", RESERVED),
    (Place::Out, b"l", b"/etc/passwd", LINK_ABSOLUTE),
    (Place::Out, b"l", b"..", LINK_OUT),
    (Place::Out, b"a/l", b"../../x", LINK_OUT),
    (Place::Out, b"a/l", b"x/../../..", LINK_BEHIND),
];

/// Entries whose parts are right and that are wrong as a whole.
fn hostile_wholes() -> Vec<(&'static str, Entry, &'static str)> {
    let link = |path: &[u8]| stored(Place::Workspace, path, What::Link(b"a".to_vec()));
    let folder = |path: &[u8]| stored(Place::Workspace, path, What::Folder);
    let sized = |path: &str, size| {
        let blob = Blob { digest: Digest::of(b""), size };
        let what = What::File { executable: false, blob };
        stored(Place::Workspace, path.as_bytes(), what)
    };
    let log = |size| Some(Blob { digest: Digest::of(b""), size });
    let found = |path: &[u8]| Entry { found: Some(vec![path.to_vec()]), ..entry(Vec::new()) };
    let files = |files| entry(files);
    let half = i64::MAX as u64 / 2;
    vec![
        ("twice", files(vec![file("a", b"1"), file("a", b"1")]), TWICE),
        ("file and folder", files(vec![file("a", b"1"), folder(b"a")]), TWICE),
        ("file and link", files(vec![link(b"b"), file("b", b"1")]), TWICE),
        ("below a file", files(vec![file("b", b"1"), file("b/c", b"1")]), BELOW),
        ("far below a file", files(vec![file("b/c/d/e", b"1"), file("b", b"1")]), BELOW),
        ("below a link", files(vec![link(b"b"), file("b/hooks", b"1")]), BELOW),
        ("a folder below a link", files(vec![folder(b"b/c"), link(b"b")]), BELOW),
        ("a link below a link", files(vec![link(b"b"), link(b"b/c")]), BELOW),
        ("size", files(vec![sized("a", u64::MAX)]), LARGE),
        ("negative size", files(vec![sized("a", 1 << 63)]), LARGE),
        ("sum of sizes", files(vec![sized("a", u64::MAX), sized("b", 2)]), LARGE),
        ("sum beyond i64", files(vec![sized("a", half), sized("b", half + 2)]), LARGE),
        ("size of the log", Entry { log: log(u64::MAX), ..files(Vec::new()) }, LARGE),
        ("duration", Entry { duration_ms: u64::MAX, ..files(Vec::new()) }, LARGE),
        ("found nothing", found(b""), FOUND),
        ("found a zero", found(b"a\0b"), FOUND),
        ("found too much", found(&[b'a'; 4096]), FOUND),
        (
            "task",
            Entry { task: "t".repeat(20_000), ..files(Vec::new()) },
            "the task's name is too long",
        ),
    ]
}

/// Where the parts of an entry of one file `p` of the task `t` are.
const SMALL: [(&str, usize, &[u8], &str); 13] = [
    ("length of the task", 0, &[255; 4], SHORT),
    ("task", 4, &[0xff], "the task's name is not UTF-8"),
    ("flag of the log", 21, &[2], "a flag is neither 0 nor 1"),
    ("flag of the depfile", 22, &[255], "a flag is neither 0 nor 1"),
    ("a depfile that is not there", 22, &[1], SHORT),
    ("no files", 23, &[0; 4], "something follows its end"),
    ("two files", 23, &[2], SHORT),
    ("how many files", 23, &[255; 4], SHORT),
    ("place", 27, &[2], "a flag is neither 0 nor 1"),
    ("published", 28, &[2], "a flag is neither 0 nor 1"),
    ("length of the path", 29, &[255; 4], SHORT),
    ("kind", 34, &[4], "a file is of no known kind"),
    ("a kind for setuid", 34, &[255], "a file is of no known kind"),
];

#[test]
fn hostile_entries_are_refused_when_they_are_read_and_when_they_are_written() {
    let mut cases: Vec<(String, Entry, &str)> = Vec::new();
    for (place, path, why) in hostile_paths() {
        for what in [What::Folder, What::File { executable: true, blob: blob_of(b"x") }] {
            let name = format!("{place:?} {:?}", path.escape_ascii().to_string());
            cases.push((name, entry(vec![stored(place, &path, what)]), why));
        }
    }
    for (place, path, text, why) in HOSTILE_LINKS {
        let name = format!("{place:?} {} -> {}", path.escape_ascii(), text.escape_ascii());
        cases.push((name, entry(vec![stored(place, path, What::Link(text.to_vec()))]), why));
    }
    let wholes = hostile_wholes().into_iter();
    cases.extend(wholes.map(|(name, entry, why)| (name.to_owned(), entry, why)));
    assert!(cases.len() > 100, "{}", cases.len());
    for (name, entry, why) in &cases {
        assert_eq!(decode(&write(entry)), Err(*why), "{name}");
        assert_eq!(encode(entry), Err(*why), "{name}");
    }
}

#[test]
fn hostile_bytes_are_refused() {
    let small = Entry { task: "t".to_owned(), ..entry(vec![file("p", b"content")]) };
    let bytes = encode(&small).unwrap();
    assert_eq!(bytes.len(), 75, "the places in the table");
    assert_eq!((bytes[4], bytes[33]), (b't', b'p'));
    for (what, place, replacement, why) in SMALL {
        let mut hostile = bytes.clone();
        hostile[place..place + replacement.len()].copy_from_slice(replacement);
        assert_eq!(decode(&hostile), Err(why), "{what}");
    }
}

#[test]
fn random_bytes_and_flipped_ones_never_panic_and_what_is_taken_keeps_the_rules() {
    let mut random = Random(0x5eed_0006);
    let bytes = encode(&full()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut hostile = bytes.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(hostile.len());
            hostile[place] = random.below(256) as u8;
        }
        match decode(&hostile) {
            Ok(entry) => {
                assert_eq!(encode(&entry).as_deref(), Ok(&hostile[..]), "one entry, one layout");
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 1000 && refused > 1000, "{taken} {refused}");
}

#[test]
fn what_is_unusual_and_harmless_is_stored() {
    let link = |path: &[u8], text: &[u8]| stored(Place::Workspace, path, What::Link(text.to_vec()));
    let folder = |place, path: &[u8]| stored(place, path, What::Folder);
    let usual = entry(vec![
        folder(Place::Workspace, b"..."),
        folder(Place::Workspace, b"..a"),
        folder(Place::Workspace, b".gitignore"),
        folder(Place::Workspace, b"vendor/.git"),
        folder(Place::Workspace, b" \n\xff\x1b[31m"),
        folder(Place::Workspace, &[b'a'; 255]),
        folder(Place::Out, b".git"),
        folder(Place::Out, b"..."),
        link(b"a/b", b".."),
        link(b"a/c", b"../x//y/./z"),
        link(b"here", b"."),
        link(b"itself", b"itself"),
        link(b"a/d", b"..a/...".as_slice()),
        file("b", b"1"),
        file("b.c", b"1"),
        stored(Place::Out, b"b/c", What::Folder),
        folder(Place::Workspace, b"f"),
        file("f/g", b"1"),
    ]);
    assert_eq!(decode(&encode(&usual).unwrap()), Ok(usual));
}
