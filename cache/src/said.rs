//! What the system said, in words for people.

use std::io;

/// The text of an error, without Rust's `(os error 13)`.
pub fn said(cause: &io::Error) -> String {
    let text = cause.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
