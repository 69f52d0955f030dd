//! Whether a file's content is packed, so that a search in it says nothing.
//!
//! Knows the formats that build tools write: gzip, bzip2, xz, zstd, lz4, zip (jar, wheel), and ELF
//! with packed sections (`gcc -gz`), by the numbers that their specifications give. What is
//! packed within another format is not seen.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How packed files begin.
const BEGINNINGS: [&[u8]; 6] =
    [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"PK\x03\x04"];

/// ELF, 64 bits, little-endian.
const ELF: &[u8] = b"\x7fELF\x02\x01";
/// Length of its header, and of a section's.
const ELF_HEADER: usize = 64;
const SECTION_HEADER: usize = 64;
/// The flag of a packed section.
const COMPRESSED: u64 = 1 << 11;

/// Whether the content of `file`, which begins with `start`, is packed.
///
/// # Errors
/// Reading failed.
pub(crate) fn is_packed(file: &File, start: &[u8]) -> io::Result<bool> {
    if BEGINNINGS.iter().any(|beginning| start.starts_with(beginning)) {
        return Ok(true);
    }
    match start.first_chunk::<ELF_HEADER>() {
        Some(header) if header.starts_with(ELF) => has_packed_section(file, header),
        _ => Ok(false),
    }
}

/// Looks at the flags of all sections. A table that is cut short has no more sections.
fn has_packed_section(file: &File, header: &[u8; ELF_HEADER]) -> io::Result<bool> {
    let number = |at: usize| u16::from_le_bytes(std::array::from_fn(|place| header[at + place]));
    let table = u64::from_le_bytes(std::array::from_fn(|place| header[0x28 + place]));
    let (size, count) = (usize::from(number(0x3a)), usize::from(number(0x3c)));
    if size != SECTION_HEADER {
        return Ok(false);
    }
    let mut sections = vec![0; size * count];
    match file.read_exact_at(&mut sections, table) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    }
    let flags =
        |section: &[u8]| u64::from_le_bytes(std::array::from_fn(|place| section[8 + place]));
    Ok(sections.chunks_exact(size).any(|section| flags(section) & COMPRESSED != 0))
}
