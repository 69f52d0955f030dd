//! Digests: blake3 of content, keys in contexts of their own, and checksums of records.
//!
//! A second digest function (SHA-256 for remote execution) would stand here beside the first.
//! Knows nothing of files.

use std::fmt;

/// 32 bytes of blake3. `Display` and `Debug` write it as 64 lower-case hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes` as content.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// A digest computed earlier, from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The 32 bytes, as they are written into rows and keys.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads what `Display` writes, and nothing else: 64 digits, lower case.
    pub fn from_hex(text: &str) -> Option<Digest> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Some(Digest(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Digests a sequence of fields in a context of its own (`blake3::derive_key`), so that no key can
/// ever equal the digest of a file or a key of another kind.
///
/// It adds no lengths and no tags: the caller's encoding must be unambiguous.
pub struct KeyHasher {
    hasher: blake3::Hasher,
    /// Not digested yet: blake3 is several times as fast with one large piece as with many small ones.
    waiting: Vec<u8>,
}

/// So many bytes are digested at once.
const PIECE_BYTES: usize = 16 * 1024;

impl KeyHasher {
    /// `context` is a constant of the program that names the kind of key, the year and a version.
    pub fn new(context: &str) -> KeyHasher {
        KeyHasher { hasher: blake3::Hasher::new_derive_key(context), waiting: Vec::new() }
    }

    /// Appends `bytes` to what is digested.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > PIECE_BYTES {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        match bytes.len() > PIECE_BYTES {
            true => _ = self.hasher.update(bytes),
            false => self.waiting.extend_from_slice(bytes),
        }
    }

    /// The digest of all that was appended.
    pub fn finish(mut self) -> Digest {
        self.hasher.update(&self.waiting);
        Digest(*self.hasher.finalize().as_bytes())
    }
}

/// [`checksum`] of pieces, one behind the other.
pub(crate) fn checksum_of(pieces: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    pieces.iter().for_each(|piece| _ = hasher.update(piece));
    front_of(hasher.finalize().as_bytes())
}

/// Tells a whole record from a torn or damaged one: the first 16 bytes of its blake3.
pub(crate) fn checksum(record: &[u8]) -> [u8; 16] {
    front_of(&Digest::of(record).0)
}

fn front_of(digest: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|place| digest[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published blake3 test vector for empty input.
    const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    #[test]
    fn the_digest_is_plain_blake3() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(format!("{:?}", Digest::of(b"")), EMPTY);
    }

    #[test]
    fn hex_goes_there_and_back() {
        for content in [&b""[..], b"a", b"\xff\x00"] {
            let digest = Digest::of(content);
            assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
            assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
        }
    }

    #[test]
    fn only_what_display_writes_is_hex() {
        let upper = EMPTY.to_uppercase();
        let long = format!("{EMPTY}0");
        let longer = format!("{EMPTY}00");
        let sign = format!("+{}", &EMPTY[1..]);
        let wide = format!("{}\u{e9}", &EMPTY[2..]);
        for text in ["", &EMPTY[1..], &EMPTY[2..], &upper, &long, &longer, &sign, &wide] {
            assert_eq!(Digest::from_hex(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_key_depends_on_context_and_bytes_but_not_on_calls() {
        let key = |context, parts: &[&[u8]]| {
            let mut hasher = KeyHasher::new(context);
            parts.iter().for_each(|part| hasher.update(part));
            hasher.finish()
        };
        let one = key("taskr test 1", &[b"ab", b"c"]);
        assert_eq!(one, key("taskr test 1", &[b"a", b"bc"]));
        assert_eq!(one.as_bytes(), &blake3::derive_key("taskr test 1", b"abc"));
        assert_ne!(one, key("taskr test 2", &[b"abc"]));
        assert_ne!(one, Digest::of(b"abc"));
    }
}
