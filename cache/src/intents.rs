//! The intents file: what was about to be changed, written before it is changed.
//!
//! Append-only while a build runs, so that marking a task dirty costs one `write` and no
//! transaction. Knows neither tasks nor what a body means. Never synced: it guards against the end
//! of the process, not of the machine; for that, rows carry the boot they were written in.

use crate::digest::checksum;
use crate::said::absent_is_fine;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Begins every record. Random, so that the reader finds the next record behind a damaged one.
const MAGIC: [u8; 8] = [0xd5, 0x1b, 0x9e, 0x70, 0xc3, 0x86, 0xf4, 0x2a];
/// `MAGIC`, length, checksum.
const HEADER_BYTES: usize = 8 + 4 + 16;

/// One record of the file `<dir>/intents`:
///
/// | bytes | what |
/// | --- | --- |
/// | 8 | a constant that begins every record |
/// | 4 | length of what follows the checksum |
/// | 16 | checksum: the first bytes of blake3 of what follows it |
/// | 8 | number |
/// | 4 | length of the task's id |
/// | | the task's id, then the body up to the record's length |
///
/// Numbers are little-endian. A record that was torn by a crash, or does not fit its checksum, is
/// ignored; the next one is found by the constant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Which intent of the workspace this is; a record carries the number of its own.
    pub number: u64,
    /// Whose it is.
    pub task: Vec<u8>,
    /// What was about to be changed, as the caller encodes it.
    pub body: Vec<u8>,
}

impl Intent {
    fn encode(&self) -> io::Result<Vec<u8>> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "an intent is too long");
        let task_bytes = u32::try_from(self.task.len()).map_err(too_long)?;
        let payload_bytes = 8 + 4 + self.task.len() + self.body.len();
        let length = u32::try_from(payload_bytes).map_err(too_long)?;
        let mut record = Vec::with_capacity(HEADER_BYTES + payload_bytes);
        record.extend_from_slice(&MAGIC);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&[0; 16]);
        record.extend_from_slice(&self.number.to_le_bytes());
        record.extend_from_slice(&task_bytes.to_le_bytes());
        record.extend_from_slice(&self.task);
        record.extend_from_slice(&self.body);
        let sum = checksum(&record[HEADER_BYTES..]);
        record[HEADER_BYTES - 16..HEADER_BYTES].copy_from_slice(&sum);
        Ok(record)
    }

    /// The record at the front of `bytes`, and how long it is.
    fn decode(bytes: &[u8]) -> Option<(Intent, usize)> {
        let bytes = bytes.strip_prefix(&MAGIC)?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (sum, bytes) = bytes.split_first_chunk()?;
        let payload = bytes.get(..u32::from_le_bytes(*length) as usize)?;
        if checksum(payload) != *sum {
            return None;
        }
        let (number, rest) = payload.split_first_chunk()?;
        let (task_bytes, rest) = rest.split_first_chunk()?;
        let (task, body) = rest.split_at_checked(u32::from_le_bytes(*task_bytes) as usize)?;
        let number = u64::from_le_bytes(*number);
        let intent = Intent { number, task: task.to_vec(), body: body.to_vec() };
        Some((intent, HEADER_BYTES + payload.len()))
    }
}

/// The open file, for appending. A clone writes to the same file; threads need no lock.
#[derive(Clone, Debug)]
pub struct Intents {
    file: Arc<File>,
}

impl Intents {
    /// All whole records, in the order in which they were appended. No file is no records.
    ///
    /// # Errors
    /// The file is there and cannot be read: then nobody knows which tasks are dirty, and no row of
    /// the state may be believed.
    pub fn read(dir: &Path) -> io::Result<Vec<Intent>> {
        let path = dir.join("intents");
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(found) if !found.is_file() => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
            }
            Ok(_) => Ok(decode_all(&fs::read(&path)?)),
        }
    }

    /// Opens the file for appending, made if absent. What is appended will change what proofs rest
    /// on: they are forgotten.
    ///
    /// # Errors
    /// It cannot be opened or made.
    pub fn open(dir: &Path) -> io::Result<Intents> {
        crate::resting::forget(dir)?;
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        let mut options = OpenOptions::new();
        let options = options.append(true).create(true).custom_flags(flags.cast_signed());
        Ok(Intents { file: Arc::new(options.open(dir.join("intents"))?) })
    }

    /// Appends one record with one `write`.
    ///
    /// # Errors
    /// It was not written, or not wholly: the task must then not be started.
    pub fn append(&self, intent: &Intent) -> io::Result<()> {
        let record = intent.encode()?;
        let written = loop {
            match (&*self.file).write(&record) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        // The rest is not tried: records of other threads may stand behind the torn one by now.
        if written == record.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Puts these records in the place of the file, at once; none of them removes the file.
    ///
    /// An [`Intents`] opened before goes on writing to the file that was replaced: open anew.
    ///
    /// # Errors
    /// Something could not be written; the old file then stands as it was.
    pub fn rewrite(dir: &Path, intents: &[Intent]) -> io::Result<()> {
        let (path, fresh) = (dir.join("intents"), dir.join("intents.new"));
        absent_is_fine(fs::remove_file(&fresh))?;
        if intents.is_empty() {
            return absent_is_fine(fs::remove_file(&path));
        }
        let mut bytes = Vec::new();
        for intent in intents {
            bytes.extend_from_slice(&intent.encode()?);
        }
        let mut file = File::create_new(&fresh)?;
        file.write_all(&bytes)?;
        // Without it a power loss can leave the new name with none of the content.
        file.sync_data()?;
        fs::rename(&fresh, &path)
    }
}

fn decode_all(mut bytes: &[u8]) -> Vec<Intent> {
    let mut intents = Vec::new();
    while let Some(start) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) {
        bytes = &bytes[start..];
        let used = match Intent::decode(bytes) {
            Some((intent, length)) => {
                intents.push(intent);
                length
            }
            None => MAGIC.len(),
        };
        bytes = &bytes[used..];
    }
    intents
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn intent(number: u64) -> Intent {
        let size = (number * 37 % 90) as usize;
        let task = format!("task \u{e9} {number}").into_bytes();
        Intent { number, task, body: vec![number as u8; size] }
    }

    fn file_of(intents: &[Intent]) -> Vec<u8> {
        intents.iter().flat_map(|intent| intent.encode().unwrap()).collect()
    }

    #[test]
    fn what_is_appended_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Intents::read(dir.path()).unwrap(), []);
        let mut expected: Vec<Intent> = (0..20).map(intent).collect();
        expected.push(Intent { number: u64::MAX, task: Vec::new(), body: Vec::new() });
        for half in expected.chunks(11) {
            let intents = Intents::open(dir.path()).unwrap();
            half.iter().for_each(|intent| intents.append(intent).unwrap());
        }
        assert_eq!(Intents::read(dir.path()).unwrap(), expected);
    }

    #[test]
    fn threads_need_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path()).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let intents = intents.clone();
                let numbers = thread * 500..(thread + 1) * 500;
                scope.spawn(move || numbers.for_each(|n| intents.append(&intent(n)).unwrap()));
            }
        });
        let mut found = Intents::read(dir.path()).unwrap();
        found.sort_by_key(|intent| intent.number);
        assert_eq!(found, (0..2_000).map(intent).collect::<Vec<_>>());
    }

    #[test]
    fn a_torn_tail_is_ignored() {
        let intents: Vec<Intent> = (0..6).map(intent).collect();
        let bytes = file_of(&intents);
        for length in 0..bytes.len() {
            let whole = (0..=6).rfind(|&count| file_of(&intents[..count]).len() <= length);
            assert_eq!(decode_all(&bytes[..length]), intents[..whole.unwrap()], "{length}");
        }
    }

    #[test]
    fn a_record_behind_a_torn_one_is_found() {
        let (first, second) = (intent(5).encode().unwrap(), intent(6).encode().unwrap());
        for length in 0..first.len() {
            let bytes = [&first[..length], &second].concat();
            assert_eq!(decode_all(&bytes), [intent(6)], "{length}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_its_record_and_no_other() {
        let intents: Vec<Intent> = (0..4).map(intent).collect();
        let bytes = file_of(&intents);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let hit = (0..4).rfind(|&count| file_of(&intents[..count]).len() <= bit / 8).unwrap();
            let mut expected = intents.clone();
            expected.remove(hit);
            assert_eq!(decode_all(&damaged), expected, "bit {bit}");
        }
    }

    #[test]
    fn rewriting_replaces_and_nothing_left_removes() {
        let dir = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(dir.path()).unwrap().count();
        Intents::rewrite(dir.path(), &[]).unwrap();
        assert_eq!(names(), 0);
        Intents::open(dir.path()).unwrap().append(&intent(1)).unwrap();
        fs::write(dir.path().join("intents.new"), "of a crash").unwrap();
        Intents::rewrite(dir.path(), &[intent(2), intent(3)]).unwrap();
        assert_eq!(Intents::read(dir.path()).unwrap(), [intent(2), intent(3)]);
        assert_eq!(names(), 1);
        Intents::rewrite(dir.path(), &[]).unwrap();
        assert_eq!(names(), 0);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("intents");
        let mode = rustix::fs::Mode::from(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(Intents::read(dir.path()).is_err());
        assert!(Intents::open(dir.path()).is_err());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(Intents::read(dir.path()).is_err());
        assert!(Intents::open(dir.path()).is_err());
    }
}
