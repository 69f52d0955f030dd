//! What a success leaves, encoded; the only user of the state database.
//!
//! Seven tables of the state, all values checksummed below this module:
//!
//! | table | id | value |
//! | --- | --- | --- |
//! | 1 stamps | path | boot, [`Seen`], [`Content`]: what the path held when its stamps were settled |
//! | 2 records | Taskfile, task | a [`Record`] |
//! | 3 durations | Taskfile, task | milliseconds of the last run, success or not, u64 LE |
//! | 4 failures | Taskfile, task | the key under which its last run failed, 32 bytes |
//! | 5 ledger | Taskfile, task | a JSON array of [`Flaw`]s, oldest first, the last twenty |
//! | 6 memory | Taskfile, task | bytes that its last run had at most, u64 LE; only much of it |
//! | 7 makes | path | [`Seen`], whether this make takes tokens from a named pipe: 1 or 0 |
//!
//! Numbers are little-endian, lists carry their count, bytes their length. Any row may be lost
//! at any time and costs a rerun. A row that does not decode is absent. The version of all this
//! is [`Tag::Format`](crate::outcome::Tag) in the key: a record of another format never fits.

use taskr_cache::{Content, Digest, Seen, State, Writer};

use crate::outcome::{Flaw, FoundList, Made, Manifest, OutFile, Record, Recorded};

const STAMPS: u8 = 1;
const RECORDS: u8 = 2;
const DURATIONS: u8 = 3;
const FAILURES: u8 = 4;
const LEDGER: u8 = 5;
const MEMORY: u8 = 6;
const MAKES: u8 = 7;

/// So many flaws of a task are kept.
const MOST_FLAWS: usize = 20;

/// Names a task across runs: Taskfile, task, whose name shows its profile. No two give the same bytes,
/// because no file's name holds a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: Vec<u8>,
}

impl Names {
    /// For the tasks of one Taskfile, relative to the workspace. The word between is of an earlier
    /// form.
    pub fn new(taskfile: &[u8]) -> Names {
        Names { prefix: [taskfile, b"\0default\0"].concat() }
    }

    /// The id of one task.
    pub fn id(&self, task: &str) -> Vec<u8> {
        [&self.prefix, task.as_bytes()].concat()
    }

    /// The task that an id names, if it is of this Taskfile.
    pub fn task<'a>(&self, id: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(id.strip_prefix(&self.prefix[..])?).ok()
    }
}

/// The keys of all that is kept of a task.
pub fn keys_of(id: &[u8]) -> impl Iterator<Item = (u8, Vec<u8>)> + use<> {
    [RECORDS, DURATIONS, FAILURES, LEDGER, MEMORY].map(|table| (table, id.to_vec())).into_iter()
}

/// The key of the record under `id`.
pub fn key_of_record(id: Vec<u8>) -> (u8, Vec<u8>) {
    (RECORDS, id)
}

/// The key of what is kept of a file.
pub fn key_of_file(path: Vec<u8>) -> (u8, Vec<u8>) {
    (STAMPS, path)
}

/// The key of what is kept of a make.
pub fn key_of_make(path: Vec<u8>) -> (u8, Vec<u8>) {
    (MAKES, path)
}

/// Whether the make at `path` takes tokens from a named pipe, if that was said when it had exactly
/// these stamps.
pub fn known_make(state: &State, path: &[u8], seen: &Seen) -> Option<bool> {
    let mut value = state.get(MAKES, path)?;
    match (Seen::decode(&mut value)? == *seen, value) {
        (true, [0]) => Some(false),
        (true, [1]) => Some(true),
        _ => None,
    }
}

/// Keeps what a make said of itself.
pub fn write_make(writer: &mut Writer, path: &[u8], seen: &Seen, fifo: bool) {
    let mut value = Vec::new();
    seen.encode(&mut value);
    value.push(u8::from(fifo));
    writer.put(MAKES, path.to_vec(), value);
}

/// The record under `id`.
pub fn read(state: &State, id: &[u8]) -> Option<Record> {
    decode(state.get(RECORDS, id)?)
}

/// What others need of the record under `id`: what the task made, and its key.
pub fn read_result(state: &State, id: &[u8]) -> Option<(Vec<OutFile>, Digest)> {
    let mut rest = Reader(state.get(RECORDS, id)?);
    let (_intent, _declared) = (rest.number()?, rest.array::<32>()?);
    let key = Digest::from_bytes(rest.array()?);
    Manifest::skip(&mut rest.0)?;
    Some((rest.list(decode_output)?, key))
}

/// All records with their ids.
pub fn read_all(state: &State) -> impl Iterator<Item = (&[u8], Record)> {
    state.rows(RECORDS).filter_map(|(id, value)| Some((id, decode(value)?)))
}

/// What the records of all tasks, of all Taskfiles and profiles, say of each path.
pub fn recorded(state: &State) -> Recorded {
    let mut recorded = Recorded::default();
    for file in read_all(state).flat_map(|(_, record)| record.outputs) {
        let all = recorded.entry(file.path).or_default();
        if !all.contains(&file.made) {
            all.push(file.made);
        }
    }
    recorded
}

/// What stands at the front of each record, so that it is had without the rest: number of the
/// intent, digest of the declared outputs.
pub fn read_fronts(state: &State) -> impl Iterator<Item = (&[u8], u64, Digest)> {
    state.rows(RECORDS).filter_map(|(id, value)| {
        let mut rest = Reader(value);
        Some((id, rest.number()?, Digest::from_bytes(rest.array()?)))
    })
}

/// The number of the intent of one record.
pub fn intent(state: &State, id: &[u8]) -> Option<u64> {
    Reader(state.get(RECORDS, id)?).number()
}

/// Keeps a success.
pub fn write(writer: &mut Writer, id: Vec<u8>, record: &Record) {
    writer.put(RECORDS, id, encode(record));
}

/// Forgets a task.
pub fn forget(writer: &mut Writer, id: &[u8]) {
    writer.delete(RECORDS, id.to_vec());
    writer.delete(DURATIONS, id.to_vec());
    writer.delete(MEMORY, id.to_vec());
    writer.delete(FAILURES, id.to_vec());
}

/// The key under which the task failed, if its last run did.
pub fn failed_key(state: &State, id: &[u8]) -> Option<Digest> {
    Some(Digest::from_bytes(state.get(FAILURES, id)?.try_into().ok()?))
}

/// Keeps under which key a task failed.
pub fn write_failure(writer: &mut Writer, id: Vec<u8>, key: &Digest) {
    writer.put(FAILURES, id, key.as_bytes().to_vec());
}

/// The task's last run did not fail.
pub fn forget_failure(writer: &mut Writer, id: Vec<u8>) {
    writer.delete(FAILURES, id);
}

/// How long the task took when it last ran, in milliseconds.
pub fn duration_ms(state: &State, id: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(state.get(DURATIONS, id)?.try_into().ok()?))
}

/// Keeps how long a task took.
pub fn write_duration(writer: &mut Writer, id: Vec<u8>, duration_ms: u64) {
    writer.put(DURATIONS, id, duration_ms.to_le_bytes().to_vec());
}

/// How much memory tasks had at most when they last ran, in bytes, by their ids.
pub fn memory_bytes(state: &State) -> impl Iterator<Item = (&[u8], u64)> {
    state
        .rows(MEMORY)
        .filter_map(|(id, value)| Some((id, u64::from_le_bytes(value.try_into().ok()?))))
}

/// Keeps how much memory a task had at most.
pub fn write_memory(writer: &mut Writer, id: Vec<u8>, bytes: u64) {
    writer.put(MEMORY, id, bytes.to_le_bytes().to_vec());
}

/// What was seen of a task that did not do the same under the same key, oldest first.
pub fn flaws(state: &State, id: &[u8]) -> Vec<Flaw> {
    state.get(LEDGER, id).map(decode_flaws).unwrap_or_default()
}

/// The same of all tasks, by their ids.
pub fn all_flaws(state: &State) -> impl Iterator<Item = (&[u8], Vec<Flaw>)> {
    state.rows(LEDGER).map(|(id, value)| (id, decode_flaws(value)))
}

/// Adds to what was seen of a task.
pub fn write_flaw(writer: &mut Writer, state: &State, id: Vec<u8>, flaw: &Flaw) {
    let mut all = flaws(state, &id);
    all.push(flaw.clone());
    let kept = &all[all.len().saturating_sub(MOST_FLAWS)..];
    let rows = kept.iter().map(Flaw::to_json).collect::<Vec<_>>();
    writer.put(LEDGER, id, serde_json::Value::from(rows).to_string().into_bytes());
}

fn decode_flaws(value: &[u8]) -> Vec<Flaw> {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(value).unwrap_or_default();
    rows.iter().filter_map(Flaw::from_json).collect()
}

/// What `path` held when it had exactly these stamps, if that was in this boot.
pub fn known_content(state: &State, path: &[u8], seen: &Seen, boot: &Digest) -> Option<Content> {
    let mut value = state.get(STAMPS, path)?.strip_prefix(boot.as_bytes())?;
    (Seen::decode(&mut value)? == *seen).then(|| Content::decode(&mut value))?
}

/// Keeps what `path` held. The caller has made sure that the stamps were settled.
pub fn write_content(
    writer: &mut Writer,
    path: &[u8],
    seen: &Seen,
    content: &Content,
    boot: &Digest,
) {
    let mut value = boot.as_bytes().to_vec();
    seen.encode(&mut value);
    content.encode(&mut value);
    writer.put(STAMPS, path.to_vec(), value);
}

fn encode(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&record.intent.to_le_bytes());
    out.extend_from_slice(record.declared.as_bytes());
    out.extend_from_slice(record.key.as_bytes());
    record.manifest.encode(&mut out);
    put_count(&mut out, record.outputs.len());
    for file in &record.outputs {
        put_bytes(&mut out, &file.path);
        out.push(u8::from(file.published) | u8::from(file.adopted) << 1);
        encode_made(&mut out, &file.made);
    }
    put_count(&mut out, record.installs.len());
    for (path, dev, ino) in &record.installs {
        put_bytes(&mut out, path);
        out.extend_from_slice(&dev.to_le_bytes());
        out.extend_from_slice(&ino.to_le_bytes());
    }
    put_count(&mut out, record.found.len());
    for list in &record.found {
        put_count(&mut out, list.paths.len());
        for path in &list.paths {
            put_bytes(&mut out, path);
        }
        out.extend_from_slice(list.key.as_bytes());
    }
    out.push(u8::from(record.place.is_some()));
    out.extend(record.place.iter().flat_map(Digest::as_bytes));
    out.push(u8::from(record.unstable));
    for number in [record.ended_ms, record.duration_ms] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    put_bytes(&mut out, record.reason.as_bytes());
    out
}

fn encode_made(out: &mut Vec<u8>, made: &Made) {
    match made {
        Made::File { executable, size, digest } => {
            out.push(if *executable { b'x' } else { b'f' });
            out.extend_from_slice(&size.to_le_bytes());
            out.extend_from_slice(digest.as_bytes());
        }
        Made::Link(text) => {
            out.push(b'l');
            put_bytes(out, text);
        }
        Made::Folder => out.push(b'd'),
    }
}

fn decode(value: &[u8]) -> Option<Record> {
    let mut rest = Reader(value);
    let record = Record {
        intent: rest.number()?,
        declared: Digest::from_bytes(rest.array()?),
        key: Digest::from_bytes(rest.array()?),
        manifest: Manifest::decode(&mut rest.0)?,
        outputs: rest.list(decode_output)?,
        installs: rest.list(|rest| Some((rest.bytes()?, rest.number()?, rest.number()?)))?,
        found: rest.list(|rest| {
            let paths = rest.list(Reader::bytes)?;
            Some(FoundList { paths, key: Digest::from_bytes(rest.array()?) })
        })?,
        place: match rest.array::<1>()?[0] {
            0 => None,
            1 => Some(Digest::from_bytes(rest.array()?)),
            _ => return None,
        },
        unstable: rest.array::<1>()?[0] != 0,
        ended_ms: rest.number()?,
        duration_ms: rest.number()?,
        reason: String::from_utf8(rest.bytes()?).ok()?,
    };
    rest.0.is_empty().then_some(record)
}

fn decode_output(rest: &mut Reader<'_>) -> Option<OutFile> {
    let (path, flags) = (rest.bytes()?, rest.array::<1>()?[0]);
    let (published, adopted) = (flags & 1 != 0, flags & 2 != 0);
    Some(OutFile { path, made: decode_made(rest)?, published, adopted })
}

fn decode_made(rest: &mut Reader<'_>) -> Option<Made> {
    Some(match rest.array::<1>()?[0] {
        kind @ (b'x' | b'f') => Made::File {
            executable: kind == b'x',
            size: rest.number()?,
            digest: Digest::from_bytes(rest.array()?),
        },
        b'l' => Made::Link(rest.bytes()?),
        b'd' => Made::Folder,
        _ => return None,
    })
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).expect("fewer than 2^32 items").to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = u32::from_le_bytes(self.array()?) as usize;
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head.to_vec())
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = u32::from_le_bytes(self.array()?);
        (0..count).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Field, Tag};

    fn example() -> Record {
        let field = Field { tag: Tag::Command, name: Vec::new(), value: b"cc".to_vec() };
        let manifest = Manifest::new(vec![field]);
        let digest = Digest::of(b"x");
        let outputs = vec![
            OutFile {
                path: b"bin/\xffapp".to_vec(),
                made: Made::File { executable: true, size: 7, digest },
                published: true,
                adopted: true,
            },
            OutFile {
                path: b"l".to_vec(),
                made: Made::Link(b"app".to_vec()),
                published: false,
                adopted: false,
            },
            OutFile { path: b"e".to_vec(), made: Made::Folder, published: false, adopted: false },
        ];
        Record {
            key: manifest.key(),
            manifest,
            outputs,
            installs: vec![(b".venv".to_vec(), 3, 4)],
            found: vec![
                FoundList { paths: vec![b"a.h".to_vec()], key: digest },
                FoundList { paths: Vec::new(), key: digest },
            ],
            place: Some(digest),
            unstable: true,
            intent: 9,
            declared: digest,
            ended_ms: 10,
            duration_ms: 11,
            reason: "a.c changed".to_owned(),
        }
    }

    #[test]
    fn a_record_round_trips_and_every_truncation_is_absent() {
        let bytes = encode(&example());
        assert_eq!(decode(&bytes), Some(example()));
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None, "length {len}");
        }
        assert_eq!(decode(&[&bytes[..], b"x"].concat()), None);
    }

    #[test]
    fn what_others_need_is_read_alone() {
        let record = example();
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::new(dir.path());
        write(&mut writer, b"t".to_vec(), &record);
        assert_eq!(writer.close(), None);
        let (state, _) = State::open(dir.path(), taskr_cache::Access::Read);
        assert_eq!(read(&state, b"t"), Some(record.clone()));
        assert_eq!(read_result(&state, b"t"), Some((record.outputs, record.key)));
        assert_eq!(read_result(&state, b"u"), None);
    }

    #[test]
    fn ids_keep_taskfiles_apart() {
        let names = Names::new(b"Taskfile.toml");
        assert_eq!(names.task(&names.id("app")), Some("app"));
        assert_eq!(Names::new(b"Other.toml").task(&names.id("app")), None);
        assert_eq!(Names::new(b"Taskfile.tom").task(&names.id("app")), None);
    }
}
