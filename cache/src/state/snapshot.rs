//! The rows as they were when the database was opened, in memory.
//!
//! One arena of bytes and one hash table of row numbers: 20,000 rows cost a handful of allocations
//! and no query. Knows nothing of SQLite.

use super::database::FORMAT;
use crate::digest::checksum;
use crate::spread::spread;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;
use std::ops::Range;

/// All rows of the state database, as they were when it was opened. Immutable.
///
/// On disk a row is `(tab, id, value, sum)`. `sum` is the first 16 bytes of blake3 of the row's
/// *entry*: the database's format number (4 bytes), the table (1), the lengths of id and value (4
/// each, all little-endian), the id, the value. SQLite has no checksum of its own; a row that does
/// not fit its sum is absent. In memory the entries stand one behind the other.
#[derive(Debug)]
pub struct State {
    /// The entries of all rows.
    entries: Vec<u8>,
    /// Where each row's entry begins.
    starts: Vec<usize>,
    /// A hash table with linear probing: a row's number plus one, or 0. Its length is a power of
    /// two, at least twice the number of rows.
    slots: Vec<u32>,
}

/// Format number, table, length of the id, length of the value.
const HEADER_BYTES: usize = 4 + 1 + 4 + 4;

impl State {
    /// A state without rows.
    pub fn empty() -> State {
        State { entries: Vec::new(), starts: Vec::new(), slots: vec![0] }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The value of the row `id` of `table`.
    pub fn get(&self, table: u8, id: &[u8]) -> Option<&[u8]> {
        let mask = self.slots.len() - 1;
        let mut slot = slot_of(table, id) & mask;
        while let Some(number) = self.slots[slot].checked_sub(1) {
            let (found_table, found_id, value) = self.row(number as usize);
            if found_table == table && found_id == id {
                return Some(value);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// Ids and values of all rows of `table`, in the order of their ids.
    pub fn rows(&self, table: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = (0..self.starts.len()).map(|number| self.row(number));
        rows.filter(move |row| row.0 == table).map(|(_, id, value)| (id, value))
    }

    fn row(&self, number: usize) -> (u8, &[u8], &[u8]) {
        let (header, rest) = self.entries[self.starts[number]..].split_at(HEADER_BYTES);
        let length = |at: usize| {
            let bytes: [u8; 4] = std::array::from_fn(|place| header[at + place]);
            u32::from_le_bytes(bytes) as usize
        };
        let (id, rest) = rest.split_at(length(5));
        (header[4], id, &rest[..length(9)])
    }
}

/// Rows as they come from the database. Their sums are looked at when all are there: that costs
/// more than the scan (0.4 µs a row), and two threads halve it.
#[derive(Default)]
pub(super) struct Rows {
    entries: Vec<u8>,
    starts: Vec<usize>,
    sums: Vec<[u8; 16]>,
}

/// More room is not made before there are rows for it, in bytes.
const MOST_ROOM: usize = 256 * 1024 * 1024;

/// Rows that are worth a thread, which costs 60 µs.
const ROWS_PER_THREAD: usize = 2048;

/// Rows that are looked at one after another, whatever the threads.
const ROWS_AT_ONCE: usize = 256;

impl Rows {
    /// Room for the rows of a database of so many bytes: it does not move while they come.
    pub(super) fn of_size(bytes: u64) -> Rows {
        let bytes = usize::try_from(bytes).unwrap_or(0).min(MOST_ROOM);
        Rows { entries: Vec::with_capacity(bytes), ..Rows::default() }
    }

    /// Adds a row; what cannot be one is left out.
    pub(super) fn push(&mut self, table: u8, id: &[u8], value: &[u8], sum: &[u8]) {
        let start = self.entries.len();
        let Ok(sum) = sum.try_into() else { return };
        if append_entry(&mut self.entries, table, id, value).is_some() {
            self.starts.push(start);
            self.sums.push(sum);
        }
    }

    /// The rows that fit their sums.
    pub(super) fn into_state(self) -> State {
        let starts = self.all_fitting();
        let mut state = State { entries: self.entries, starts, slots: Vec::new() };
        state.slots = vec![0; (state.starts.len() * 2).next_power_of_two()];
        let mask = state.slots.len() - 1;
        for number in 0..state.starts.len() {
            let (table, id, _) = state.row(number);
            let mut slot = slot_of(table, id) & mask;
            while state.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            state.slots[slot] = number as u32 + 1;
        }
        state
    }

    fn all_fitting(&self) -> Vec<usize> {
        let count = self.starts.len();
        let firsts: Vec<usize> = (0..count).step_by(ROWS_AT_ONCE).collect();
        let fitting =
            |&first: &usize, (): &mut ()| self.fitting(first..count.min(first + ROWS_AT_ONCE));
        spread(&firsts, ROWS_PER_THREAD / ROWS_AT_ONCE, fitting).concat()
    }

    /// Where the rows of a range that fit their sums begin.
    fn fitting(&self, range: Range<usize>) -> Vec<usize> {
        let fits = |&number: &usize| {
            let end = self.starts.get(number + 1).copied().unwrap_or(self.entries.len());
            checksum(&self.entries[self.starts[number]..end]) == self.sums[number]
        };
        range.filter(fits).map(|number| self.starts[number]).collect()
    }
}

fn slot_of(table: u8, id: &[u8]) -> usize {
    FxBuildHasher.hash_one((table, id)) as usize
}

/// The sum to be stored with a row; `None` when it is longer than a row can be.
pub(super) fn sum(table: u8, id: &[u8], value: &[u8]) -> Option<[u8; 16]> {
    let mut entry = Vec::with_capacity(HEADER_BYTES + id.len() + value.len());
    append_entry(&mut entry, table, id, value)?;
    Some(checksum(&entry))
}

fn append_entry(out: &mut Vec<u8>, table: u8, id: &[u8], value: &[u8]) -> Option<()> {
    let (id_bytes, value_bytes) = (u32::try_from(id.len()).ok()?, u32::try_from(value.len()).ok()?);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.push(table);
    out.extend_from_slice(&id_bytes.to_le_bytes());
    out.extend_from_slice(&value_bytes.to_le_bytes());
    out.extend_from_slice(id);
    out.extend_from_slice(value);
    Some(())
}
