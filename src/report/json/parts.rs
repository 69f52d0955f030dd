//! What events consist of, as JSON.

use serde_json::{Value, json};
use taskr_cache::Digest;

use crate::error::Place;
use crate::outcome::{Because, Changes, Failure, Reason, TimedOut};

pub(super) fn selected(changes: &Changes) -> Value {
    json!({ "by": changes.by, "files": changes.paths.len() })
}

pub(super) fn reason(reason: &Reason) -> Value {
    json!({
        "code": reason.code(),
        "path": reason.path().map(bytes),
        "text": reason.to_string(),
    })
}

pub(super) fn output((path, size_bytes, digest): &(Vec<u8>, u64, Digest)) -> Value {
    json!({ "path": bytes(path), "size_bytes": size_bytes, "digest": digest.to_string() })
}

pub(super) fn failed(failure: &Failure) -> Value {
    json!({
        "what": failure.what,
        "command": failure.command,
        "tail": bytes(&failure.tail),
        "log": bytes(&failure.log),
        "place": failure.wrong.as_ref().and_then(|wrong| wrong.place.as_ref()).map(place),
        "help": failure.wrong.as_ref().and_then(|wrong| wrong.help.as_deref()),
    })
}

/// Where in the Taskfile.
pub(super) fn place(place: &Place) -> Value {
    json!({ "file": place.source.name, "line": place.line(), "column": place.column() })
}

pub(super) fn skipped(because: Because<'_>) -> Value {
    json!({ "code": because.code(), "task": because.task(), "text": because.to_string() })
}

pub(super) fn timed_out(time: &TimedOut) -> Value {
    json!({ "after_ms": time.after_ms, "running": time.running })
}

/// Bytes without loss: a string if they are text, else an object with them in base64.
pub(super) fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": base64(bytes) }),
    }
}

/// RFC 4648, standard alphabet, with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let table: [(&[u8], &str); 9] = [
            (b"", ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"fooba", "Zm9vYmE="),
            (b"foobar", "Zm9vYmFy"),
            (b"\xfb\xff\xbf", "+/+/"),
            (b"\x00\x00", "AAA="),
        ];
        for (bytes, text) in table {
            assert_eq!(base64(bytes), text);
        }
    }
}
