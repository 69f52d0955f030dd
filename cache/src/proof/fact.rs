//! One fact: what was seen at a path, as bytes and as what they mean. Whether it is so now is the matter
//! of `look`.

use crate::content::{Content, Seen};
use crate::digest::Digest;
use crate::stamp::{FileKind, Stamp};

/// What was seen at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Nothing.
    Absent,
    /// Something of this kind; a link is not followed.
    Is(FileKind),
    /// The same thing, whatever is in it: device and inode; a link is not followed.
    Same(u64, u64),
    /// These stamps.
    Seen(Seen),
    /// A regular file with this content. What has this stamp has it, and is not read; none if no stamp
    /// may stand for it.
    Holds(Option<Stamp>, Content),
    /// What the path leads to, links followed: nothing, or something with this stamp.
    LeadsTo(Option<Stamp>),
    /// It leads to a folder with these names in it, as of [`names_at`]. What has this stamp has them,
    /// and is not read.
    Lists(Stamp, Digest),
    /// Nothing that can be told by looking again: it never counts as being so.
    Doubtful,
}

impl Fact {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Fact::Absent => out.push(0),
            Fact::Is(kind) => out.extend_from_slice(&[1, *kind as u8]),
            Fact::Same(dev, ino) => {
                out.push(2);
                out.extend_from_slice(&dev.to_le_bytes());
                out.extend_from_slice(&ino.to_le_bytes());
            }
            Fact::Seen(seen) => {
                out.push(3);
                seen.encode(out);
            }
            Fact::LeadsTo(None) => out.push(4),
            Fact::LeadsTo(Some(stamp)) => {
                out.push(5);
                stamp.encode(out);
            }
            Fact::Doubtful => out.push(6),
            // Nothing else holds a content that can be read again.
            Fact::Holds(_, Content::Absent | Content::Folder | Content::Link(_)) => out.push(6),
            Fact::Holds(stamp, content @ Content::File { .. }) => {
                out.extend_from_slice(&[7, u8::from(stamp.is_some())]);
                stamp.iter().for_each(|stamp| stamp.encode(out));
                content.encode(out);
            }
            Fact::Lists(stamp, names) => {
                out.push(8);
                stamp.encode(out);
                out.extend_from_slice(names.as_bytes());
            }
        }
    }

    /// How many bytes at the front of these [`Fact::decode`] would read.
    pub(super) fn bytes(bytes: &[u8]) -> Option<usize> {
        Some(match bytes.first()? {
            0 | 4 | 6 => 1,
            1 => 2,
            2 => 1 + 16,
            // Two stamps, of which the second may be none.
            3 => match bytes.get(1 + Stamp::BYTES)? {
                0 => 2 + Stamp::BYTES,
                1 => 2 + 2 * Stamp::BYTES,
                _ => return None,
            },
            5 => 1 + Stamp::BYTES,
            // A stamp, which may be none, and the content of a file.
            7 => match bytes.get(1)? {
                0 => 2 + Content::MOST_BYTES,
                1 => 2 + Stamp::BYTES + Content::MOST_BYTES,
                _ => return None,
            },
            8 => 1 + Stamp::BYTES + 32,
            _ => return None,
        })
    }

    /// Reads what [`Fact::encode`] wrote, and moves `bytes` behind it.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Fact> {
        let (&sort, rest) = bytes.split_first()?;
        *bytes = rest;
        Some(match sort {
            0 => Fact::Absent,
            1 => {
                let (&kind, rest) = bytes.split_first()?;
                *bytes = rest;
                Fact::Is(*KINDS.get(usize::from(kind))?)
            }
            2 => {
                let (dev, rest) = bytes.split_first_chunk()?;
                let (ino, rest) = rest.split_first_chunk()?;
                *bytes = rest;
                Fact::Same(u64::from_le_bytes(*dev), u64::from_le_bytes(*ino))
            }
            3 => Fact::Seen(Seen::decode(bytes)?),
            4 => Fact::LeadsTo(None),
            5 => Fact::LeadsTo(Some(Stamp::decode(bytes)?)),
            6 => Fact::Doubtful,
            7 => {
                let (&has_stamp, rest) = bytes.split_first()?;
                *bytes = rest;
                let stamp = if has_stamp == 1 { Some(Stamp::decode(bytes)?) } else { None };
                Fact::Holds(stamp, Content::decode(bytes)?)
            }
            8 => {
                let stamp = Stamp::decode(bytes)?;
                let (names, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Fact::Lists(stamp, Digest::from_bytes(*names))
            }
            _ => return None,
        })
    }

    /// The stamps that it rests on.
    pub fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let (first, second) = match self {
            Fact::Seen(seen) => (Some(&seen.link), seen.file.as_ref()),
            Fact::LeadsTo(stamp) | Fact::Holds(stamp, _) => (stamp.as_ref(), None),
            Fact::Lists(stamp, _) => (Some(stamp), None),
            Fact::Absent | Fact::Is(_) | Fact::Same(..) | Fact::Doubtful => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The same with another stamp.
    pub(super) fn with(self, stamp: Stamp) -> Fact {
        match self {
            Fact::Holds(_, content) => Fact::Holds(Some(stamp), content),
            Fact::Lists(_, names) => Fact::Lists(stamp, names),
            other => other,
        }
    }

    /// Whether both say the same of what lies there, whatever its stamps.
    pub(super) fn agrees(&self, other: &Fact) -> bool {
        match (self, other) {
            (Fact::Holds(_, one), Fact::Holds(_, other)) => one == other,
            (Fact::Lists(_, one), Fact::Lists(_, other)) => one == other,
            _ => self == other,
        }
    }
}

/// In the order of their numbers.
const KINDS: [FileKind; 4] = [FileKind::File, FileKind::Dir, FileKind::Symlink, FileKind::Other];
