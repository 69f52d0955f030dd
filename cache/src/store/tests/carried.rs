//! Results carried from one store to another, and streams that are not what was exported.

use super::*;

fn admin(world: &World) -> Admin {
    Admin::new(&world.dir(), None)
}

fn saved(numbers: std::ops::Range<usize>) -> World {
    let world = World::new();
    world.save(numbers.map(|number| {
        let own = format!("content {number} ").repeat(number * 20 + 1);
        let mut save =
            world.success(number, &[("a", own.as_bytes()), ("shared", b"shared"), ("empty", b"")]);
        let text = b"../elsewhere".to_vec();
        save.entry.files.push(Stored {
            place: Place::Out,
            path: b"x/link".to_vec(),
            published: false,
            what: What::Link(text),
        });
        if number % 2 == 0 {
            save.entry.found = Some(vec![b"src/a.h".to_vec()]);
            save.static_key = key(777);
        }
        save.root = (number % 3 == 0).then(here);
        save
    }));
    world
}

fn export(world: &World, numbers: std::ops::Range<usize>) -> (Exported, Vec<u8>) {
    let keys = numbers.map(|number| vec![key(number)]).collect();
    let mut stream = Vec::new();
    let exported = admin(world).export(&keys, &mut stream).unwrap();
    assert_eq!(exported.bytes, stream.len() as u64);
    (exported, stream)
}

fn import(world: &World, stream: &[u8]) -> Result<Imported, String> {
    admin(world).import(&mut &*stream).map_err(|error| match error {
        StoreError::Refused(why) => why,
        other => panic!("{other}"),
    })
}

/// No result, and nothing half done; contents are what their digests say.
fn assert_nothing_wrong(world: &World) {
    let verified = admin(world).verify(|problem| panic!("{problem}")).unwrap();
    assert_eq!(verified.entries, 0);
    assert_eq!(world.names("tmp"), [""; 0]);
}

#[test]
fn what_is_exported_is_imported() {
    let from = saved(0..12);
    let (exported, stream) = export(&from, 2..20);
    assert_eq!((exported.entries, exported.blobs, exported.missing), (10, 12, 8));
    let to = World::new();
    let imported = import(&to, &stream).unwrap();
    assert_eq!((imported.entries, imported.known, imported.incomplete), (10, 0, 0));
    for number in 0..12 {
        let expected = if number < 2 { None } else { from.lookup(number) };
        assert_eq!(to.lookup(number), expected, "{number}");
        for blob in expected.iter().flat_map(Entry::blobs) {
            assert_eq!(to.restore(blob, false).unwrap(), from.restore(blob, false).unwrap());
        }
    }
    assert_eq!(to.store().lists(&key(777), &key(0)), [[b"src/a.h".to_vec()]]);
    let mut other = to.store();
    assert_eq!(other.lookup(&key(3), &Digest::of(b"/elsewhere")), None, "it is bound");
    let again = import(&to, &stream).unwrap();
    assert_eq!((again.entries, again.known, again.bytes), (0, 10, 0));
    assert_eq!(export(&to, 2..20).1, stream, "the same results are the same stream");
    assert_eq!(admin(&to).verify(|problem| panic!("{problem}")).unwrap().entries, 10);
}

#[test]
fn what_is_damaged_is_not_exported() {
    let world = saved(0..4);
    let shared = world.blob_path(b"content 0 ");
    fs::remove_file(&shared).unwrap();
    fs::write(&shared, "c0ntent 0 ").unwrap();
    let (exported, stream) = export(&world, 0..4);
    assert_eq!((exported.entries, exported.missing), (3, 1));
    assert_eq!(import(&World::new(), &stream).unwrap().entries, 3);
}

#[test]
fn no_truncated_stream_is_taken() {
    let (_, stream) = export(&saved(0..6), 0..6);
    let to = World::new();
    for length in (0..stream.len()).step_by(7).chain(stream.len() - 40..stream.len()) {
        let why = import(&to, &stream[..length]).unwrap_err();
        assert!(why.contains("cut short"), "{length}: {why}");
    }
    assert_nothing_wrong(&to);
    let mut longer = stream.clone();
    longer.push(b'\n');
    assert!(import(&to, &longer).unwrap_err().contains("something follows its end"));
    assert_nothing_wrong(&to);
    assert_eq!(import(&to, &stream).unwrap().entries, 6);
}

#[test]
fn no_stream_with_a_flipped_bit_is_taken() {
    let (_, stream) = export(&saved(0..6), 0..6);
    let to = World::new();
    let mut random = Random(0x5eed_0008);
    for _ in 0..500 {
        let mut hostile = stream.clone();
        let bit = random.below(stream.len() * 8);
        hostile[bit / 8] ^= 1 << (bit % 8);
        assert!(import(&to, &hostile).is_err(), "bit {bit}");
    }
    assert_nothing_wrong(&to);
}

/// A stream of these records, with its right end.
fn stream_of(records: &[&[u8]]) -> Vec<u8> {
    let mut stream = b"taskr store 1\n".to_vec();
    stream.extend(records.iter().copied().flatten());
    stream.push(b'.');
    let sum = Digest::of(&stream);
    stream.extend_from_slice(sum.as_bytes());
    stream
}

fn blob_record(size: u64, digest: &Digest, bytes: &[u8]) -> Vec<u8> {
    [b"b", &size.to_le_bytes()[..], digest.as_bytes(), bytes].concat()
}

fn entry_record(length: Option<u32>, binding: &[u8], entry: &[u8]) -> Vec<u8> {
    let length = length.unwrap_or((32 + binding.len() + entry.len()) as u32);
    [b"e", &length.to_le_bytes()[..], key(1).as_bytes(), binding, entry].concat()
}

#[test]
fn hostile_streams_are_refused_with_a_reason() {
    let content = blob_record(7, &Digest::of(b"content"), b"content");
    let good = codec::write(&entry(vec![file("a", b"content")]));
    let escape = codec::write(&entry(vec![file("../a", b"content")]));
    let good_record = entry_record(None, &[0, 0], &good);
    assert_eq!(import(&World::new(), &stream_of(&[&content, &good_record])).unwrap().entries, 1);
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("nothing", Vec::new(), "cut short"),
        ("another file", b"PK\x03\x04 and much more of that".to_vec(), "no export"),
        ("a version to come", b"taskr store 2\n.".to_vec(), "another version"),
        ("an unknown record", stream_of(&[b"x"]), "no known kind"),
        ("a path out", stream_of(&[&content, &entry_record(None, &[0, 0], &escape)]), "component"),
        ("a flag", stream_of(&[&content, &entry_record(None, &[2, 0], &good)]), "flag"),
        ("no entry", stream_of(&[&entry_record(None, &[0, 0], &[])]), "cut short"),
        ("a key alone", stream_of(&[&entry_record(None, &[], &[])]), "cut short"),
        ("too long", stream_of(&[&entry_record(Some(u32::MAX), &[0, 0], &good)]), "too long"),
        ("longer", stream_of(&[&entry_record(Some(60 << 20), &[0, 0], &good)]), "cut short"),
        (
            "an endless content",
            stream_of(&[&blob_record(u64::MAX, &Digest::of(b"content"), b"content")]),
            "cut short, or not what",
        ),
        (
            "another content",
            stream_of(&[&blob_record(7, &Digest::of(b"content"), b"CONTENT")]),
            "not what its digest says",
        ),
        (
            "a static key without a depfile",
            stream_of(&[&content, &entry_record(None, &[&[0, 1][..], &[7; 32]].concat(), &good)]),
            "static key",
        ),
        ("another end", [&stream_of(&[&content])[..63], &[0; 32]].concat(), "checksum"),
    ];
    for (what, stream, why) in cases {
        let to = World::new();
        let found = import(&to, &stream).unwrap_err();
        assert!(found.contains(why), "{what}: {found}");
        assert_nothing_wrong(&to);
    }
}

#[test]
fn a_result_without_its_contents_is_left_out() {
    let good = codec::write(&entry(vec![file("a", b"content")]));
    let record = entry_record(None, &[0, 0], &good);
    let content = blob_record(7, &Digest::of(b"content"), b"content");
    let to = World::new();
    let imported = import(&to, &stream_of(&[&record, &content])).unwrap();
    assert_eq!((imported.entries, imported.incomplete), (0, 1), "contents come first");
    assert_nothing_wrong(&to);
    assert_eq!(import(&to, &stream_of(&[&record])).unwrap().entries, 1, "it is there by now");
}

#[test]
fn a_digest_that_is_claimed_for_other_bytes_replaces_nothing() {
    let to = World::new();
    to.save([to.success(1, &[("a", b"content")])]);
    let lie = stream_of(&[&blob_record(7, &Digest::of(b"content"), b"CONTENT")]);
    assert!(import(&to, &lie).is_err());
    assert_eq!(to.restore(&blob_of(b"content"), false).unwrap().0, b"content");
}

#[test]
fn an_import_keeps_to_the_limit() {
    let (_, stream) = export(&saved(0..12), 0..12);
    let to = World::new();
    let admin = Admin::new(&to.dir(), Some(8000));
    assert_eq!(admin.import(&mut &stream[..]).unwrap().entries, 12);
    let info = admin.info().unwrap();
    assert!(info.bytes <= 8000 && info.entries > 0 && info.entries < 12, "{info:?}");
}
